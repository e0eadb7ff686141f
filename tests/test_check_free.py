"""The checkers of answers that have no single right result: each mistake gets its hint."""

import pytest
import torch
from answers import examine, words_on

from stlib import Reason, Result, match_colours, sample
from stlib.course import check
from stlib.course.mysteries import BUGS, PAINTED_WITH


def recoloured(scene, painting, size=128, steps=40, reason=Reason.STEPS):
    """What a transfer leads to, in short: the scene in the colours of the painting."""
    image = match_colours(sample(scene, size), sample(painting, size)).clamp(0, 1)
    history = [{"total": 1.0 / step} for step in range(1, steps + 1)]
    return Result(image, history=history, reason=reason)


@pytest.mark.parametrize(
    ("result", "hint"),
    [
        (recoloured("cat", "harvest-at-la-crau"), "right."),
        (sample("cat", 128), "this is a picture"),
        ("cat", "expected what style_transfer returns"),
        (recoloured("cat", "harvest-at-la-crau", size=256), "has 256 pixels, expected 128"),
        (recoloured("cat", "harvest-at-la-crau", steps=100), "made 100 steps, expected 40"),
        (
            recoloured("cat", "harvest-at-la-crau", steps=12, reason=Reason.INTERRUPTED),
            "ended early, after 12 of 40 steps (interrupted)",
        ),
        (recoloured("cat", "harvest-at-la-crau", steps=12, reason=Reason.CONVERGED), "right."),
        (recoloured("castle", "harvest-at-la-crau"), "the scene in the result is castle"),
        (recoloured("harvest-at-la-crau", "cat"), "Which argument is the content?"),
        (recoloured("cat", "cafe-terrace"), "its style is nearest to cafe-terrace"),
    ],
)
def test_first_transfer(result, hint, capsys):
    examine(check.first_transfer, lambda: result, hint, capsys)


def seeded(content, seed):
    return torch.rand(content.shape, generator=torch.Generator().manual_seed(seed))


def globally_seeded(content, seed):
    torch.manual_seed(seed)
    return torch.rand(content.shape).requires_grad_()


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda content, seed: seeded(content, seed).requires_grad_(), "right."),
        (lambda content, seed: torch.rand(content.shape).requires_grad_(), "two calls with seed 3"),
        (lambda content, seed: seeded(content, 0).requires_grad_(), "same picture"),
        (seeded, "asks for no gradient"),
        (lambda content, seed: seeded(content, seed).requires_grad_() * 1, "not a leaf"),
        (lambda content, seed: 2 * seeded(content, seed) - 1, "even noise from 0 to 1"),
        (lambda content, seed: 0.2 * content + 0.8 * seeded(content, seed), "shines through"),
        (lambda content, seed: seeded(content, seed)[0].requires_grad_(), "What shape"),
        (lambda content, seed: content.copy_(seeded(content, seed)), "it was given: content"),
        (globally_seeded, "global random numbers"),
    ],
)
def test_start_from_noise(answer, hint, capsys):
    before = torch.random.get_rng_state()
    examine(check.start_from_noise, answer, hint, capsys)
    assert torch.equal(before, torch.random.get_rng_state())


COMMON = {"steps": 30, "seed": 0}
TV = {"without": {}, "with": {"tv": 1.0}}
SHALLOW = {"content_layers": ["relu2_2"], "alpha": 5.0}
ONE_SPARED = {"style_layers": ["relu1_1", "relu2_1"], "style_weights": [0.5, 0.5]}


@pytest.mark.parametrize(
    ("planned", "hint"),
    [
        ((TV, COMMON), "right."),
        (({"a": {"seed": 1}, "b": {"seed": 2}}, {"steps": 30, "init": "noise"}), "right."),
        (({"short": {"steps": 10}, "long": {"steps": 60}}, {"seed": 0}), "right."),
        (({"all": {}, "two": ONE_SPARED}, COMMON), "right."),
        (({"usual": {}, "shallow": SHALLOW}, COMMON), "right."),
        (({"usual": {}, "shallow": {"content_layers": ["relu2_2"]}}, COMMON), "right."),
        (({"usual": {}, "shallow": {**SHALLOW, "tv": 1.0}}, COMMON), "which of them was it"),
        (
            (
                {
                    "grey": {"init": torch.full((1, 3, 4, 4), 0.5)},
                    "black": {"init": torch.zeros(1, 3, 4, 4)},
                },
                COMMON,
            ),
            "right.",
        ),
        (TV, "expected a pair of dicts"),
        (({"without": {}, "with": 1.0}, COMMON), "expected a dict of arguments"),
        (({"without": {}, "with": {"total_variation": 1.0}}, COMMON), "which is no setting"),
        (({"with": {"tv": 1.0}}, COMMON), "compare it with"),
        ((TV, {**COMMON, "tv": 2.0}), "in a setting and in common"),
        (({"a": {"tv": 1.0}, "b": {"init": "noise"}}, COMMON), "which of them was it"),
        (
            ({"L-BFGS": {"steps": 30}, "Adam": {"optimizer": "adam", "steps": 60}}, {"seed": 0}),
            "larger budget",
        ),
        (({"a": {}, "b": {}}, COMMON), "all the same"),
        ((TV, {"seed": 0}), "says which budget"),
        ((TV, {"steps": 30}), "says which seed"),
        (({"without": {}, "zero": {"tv": 0.0}}, COMMON), "have the same tv"),
        (({"a": {"seed": 1}, "b": {"seed": 2}}, {"steps": 30}), "unless the start is noise"),
        ((TV, {"steps": 5000, "seed": 0}), "see the answer today"),
        (({"short": {"steps": 10}, "long": {"steps": 4000}}, {"seed": 0}), "see the answer today"),
    ],
)
def test_plan_experiment(planned, hint, capsys):
    examine(check.plan_experiment, lambda: planned, hint, capsys)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (PAINTED_WITH, "right."),
        (lambda: PAINTED_WITH, "right."),
        ({**PAINTED_WITH, "A": "no bug", "B": "layer names"}, "6 of 8 names fit"),
        ({"G": "raw Gram"}, "1 of 8 names fit"),
        ({"G": "raw Gram"}, "A: no name yet. Colours are there."),
        ({**PAINTED_WITH, "H": "no bug"}, "H: not no bug. In the last column"),
        ({**PAINTED_WITH, "H": "clamp"}, "'clamp' is not in the list"),
        ({**PAINTED_WITH, "I": "no bug"}, "there is no picture 'I'"),
        (list(PAINTED_WITH.values()), "expected a dict"),
    ],
)
def test_name_the_bug(answer, hint, capsys):
    examine(check.name_the_bug, answer, hint, capsys)


def test_a_wrong_name_is_never_answered_with_the_right_one(capsys):
    for letter, bug in PAINTED_WITH.items():
        wrong = next(name for name in BUGS if name != bug)
        out = words_on(check.name_the_bug, {letter: wrong}, capsys)
        (line,) = [line for line in out.splitlines() if line.startswith(f"  {letter}:")]
        assert bug not in line


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"solver": "fast"}, "right."),
        ({"optimizer": "adam"}, "times the plain solver's, at most 0.96"),
        ({"init": "style"}, "less of the scene"),
        ({"solver": "fast", "steps": 500}, "'steps' is fixed here"),
        ({"solver": "quick"}, 'use "fast" or "plain"'),
        (["fast"], "expected a dict"),
    ],
)
def test_beat_the_baseline(settings, hint, capsys):
    examine(check.beat_the_baseline, lambda content, style: settings, hint, capsys)
