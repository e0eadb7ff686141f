"""The checkers of answers that have no single right result: each mistake gets its hint."""

import math

import pytest
import torch
import torch.nn.functional as nnf
from answers import examine, words_on

from stlib import Reason, Result, match_colours, sample
from stlib.colour import square_root
from stlib.course import check, quality
from stlib.course.mysteries import BUGS, PAINTED_WITH
from stlib.descent import descend, lbfgs
from stlib.solver import FIRST_STEP, enlarge, waves


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
        (lambda content, seed: 2 * seeded(content, seed) - 1, "uniform noise from 0 to 1"),
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
        ({**PAINTED_WITH, "H": "clamp"}, "'clamp' is none of "),
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


def lowered(power=0.25, start=None, evaluations=None, first_step=FIRST_STEP):
    """An answer to `beat_the_baseline`: waves instead of pixels."""

    def answer(objective, content, budget):
        x0 = content if start is None else start(content)
        z, picture = waves(x0, power, colour_limit=math.inf)
        seen = []
        optimizer = lbfgs(z, first_step * z.numel())
        descend(objective, z, picture, optimizer, evaluations or budget, seen.append)
        return min(seen, key=lambda evaluation: evaluation.losses["total"]).x

    return lambda objective, content, evaluations: answer(objective, content, evaluations)


def with_adam(objective, content, evaluations):
    x = content.clone().requires_grad_()
    descend(objective, x, lambda x: x, torch.optim.Adam([x], lr=0.05), evaluations, lambda _: None)
    return x.detach()


def painting_as_start(content):
    return enlarge(sample("langlois-bridge", 128), content.shape[2:])


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lowered(), "right."),
        (with_adam, "times the plain solver's after 20; at most 0.9"),
        (lambda objective, content, evaluations: content, "after 0 evaluations"),
        (lowered(start=painting_as_start), "less of the scene"),
        (lowered(evaluations=21), "more than 20 evaluations"),
        (lambda objective, content, evaluations: {"solver": "fast"}, "expected a picture"),
        (lambda objective, content, evaluations: content[0], "of shape [3, 96, 96]"),
        (lambda objective, content, evaluations: content * float("nan"), "is inf times"),
    ],
)
def test_beat_the_baseline(answer, hint, capsys):
    examine(check.beat_the_baseline, answer, hint, capsys)


def by_measures(picture, painting, clipped_first=True, of_painting=True):
    brightness, colour = quality.grain(picture, painting)
    own = quality.clipped(painting) if of_painting else 0
    is_clipped = quality.clipped(picture) > own + 0.05
    if clipped_first and is_clipped:
        return "clipped"
    if max(colour) > 1.5:
        return "colour grain"
    if max(brightness) > 1.5:
        return "brightness grain"
    return "clipped" if is_clipped else "clean"


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (by_measures, "right."),
        (lambda p, a: by_measures(p, a, clipped_first=False), "with more contrast is not colour"),
        (
            lambda p, a: by_measures(p, a, of_painting=False),
            "a dark painting itself is not clipped",
        ),
        (lambda picture, painting: "clean", "1 right, then the castle with something added"),
        (lambda picture, painting: "grain", "expected one of clean, brightness grain"),
        (lambda picture, painting: True, "expected one of"),
    ],
)
def test_diagnose(answer, hint, capsys):
    examine(check.diagnose, answer, hint, capsys)


def moved(painting, photo, map_of=None, center=True, shift=True):
    """The painting after a linear map of its colours, with parts to leave out."""
    colours, wanted = (picture[0].flatten(start_dim=1).double() for picture in (painting, photo))
    of_painting, of_photo = torch.cov(colours), torch.cov(wanted)
    matrix = map_of(of_painting, of_photo)
    start = colours - colours.mean(dim=1, keepdim=True) if center else colours
    result = matrix @ start + (wanted.mean(dim=1, keepdim=True) if shift else 0)
    return result.view(painting.shape).float()


def by_roots(of_painting, of_photo):
    return square_root(of_photo) @ torch.linalg.inv(square_root(of_painting))


def turned(of_painting, of_photo):
    """Another map with the same moments: a rotation stands between the two roots."""
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))[0]
    return square_root(of_photo) @ rotation.double() @ torch.linalg.inv(square_root(of_painting))


def shuffled_photo(painting, photo):
    """Pixels of the photo, which have its moments."""
    return nnf.interpolate(photo, size=painting.shape[2:], mode="nearest")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda a, p: moved(a, p, by_roots), "right."),
        (lambda a, p: moved(a, p, turned), "right."),
        (lambda a, p: moved(a, p, by_roots, center=False), "a channel's mean is off"),
        (lambda a, p: moved(a, p, by_roots, shift=False), "a channel's mean is off"),
        (
            lambda a, p: moved(a, p, lambda own, wanted: torch.eye(3).double()),
            "still the painting's",
        ),
        (
            lambda a, p: moved(
                a, p, lambda own, wanted: (wanted.diag() / own.diag()).sqrt().diag()
            ),
            "do not vary together",
        ),
        (
            lambda a, p: moved(a, p, lambda own, wanted: by_roots(wanted, own)),
            "Which of the two pictures does the matrix undo first?",
        ),
        (lambda a, p: match_colours(a, p).mul(1.3).clamp(0, 1), "cut off to 0…1"),
        (shuffled_photo, "no linear map does that"),
        (lambda a, p: p, "expected the painting's shape"),
        (lambda a, p: a * float("nan"), "not finite"),
    ],
)
def test_give_colours(answer, hint, capsys):
    examine(check.give_colours, answer, hint, capsys)
