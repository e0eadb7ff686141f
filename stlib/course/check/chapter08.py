"""The exercises of chapter 08: experiments."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields

import torch
from torch import Tensor

from stlib._language import tr
from stlib.course.check.answer import Function, Wrong, checker, result_of
from stlib.course.check.compare import kind
from stlib.course.check.exercise import exercise
from stlib.settings import Settings

DEFAULTS = {setting.name: setting.default for setting in fields(Settings)}
INPUTS = {"content", "style", "net"}  # what a setting of grid.run may also replace
MOST_STEPS = 100  # so that the reader's own experiment takes a minute, not an hour
# a layer has a weight, or a strength of its own that a weight has to match: they change together
TOGETHER = ({"style_layers", "style_weights"}, {"content_layers", "alpha"})


@checker
def plan_experiment(answer: object) -> str:
    """Chapter 08: an experiment of the reader's own: settings, and what is the same for all."""
    got = result_of(answer)
    pair = isinstance(got, tuple) and len(got) == 2
    if not pair or not all(isinstance(part, Mapping) for part in got):
        raise Wrong(
            tr("the result is {found}, expected a pair of dicts: return settings, common.").format(
                found=kind(got)
            )
        )
    settings, common = got
    _check_arguments(settings, common)
    names = _changed(settings, common)
    values = _values(settings, names)
    changed = tr(" and ").join(names)
    if len({repr(value) for value in values}) < len(values):
        raise Wrong(
            tr(
                "two settings have the same {changed}. "
                "Remember what style_transfer takes when nothing is said."
            ).format(changed=changed)
        )
    if names == ["seed"] and common.get("init", "content") != "noise":
        raise Wrong(
            tr(
                "the seed changes nothing unless the start is noise. "
                "With which init does it matter?"
            )
        )
    budgets = values if names == ["steps"] else [common["steps"]]
    if any(not isinstance(steps, int) or not 1 <= steps <= MOST_STEPS for steps in budgets):
        raise Wrong(
            tr("steps is {steps}: take 1 to {most}, so that you see the answer today.").format(
                steps=budgets[0] if len(budgets) == 1 else budgets, most=MOST_STEPS
            )
        )
    for name, arguments in settings.items():
        chosen = {"solver": "plain", **common, **arguments}
        try:
            Settings(**{key: value for key, value in chosen.items() if key in DEFAULTS})
        except ValueError as error:
            raise Wrong(
                tr("{name!r} cannot be run: {error}").format(name=name, error=error)
            ) from None
    return tr(
        "{count} runs that differ in {changed} alone. Say what you expect before you run it."
    ).format(count=len(settings), changed=changed)


def _check_arguments(settings: Mapping, common: Mapping) -> None:
    """Raise Wrong unless there are settings to compare, made of what style_transfer takes."""
    for name, arguments in [*settings.items(), ("common", common)]:
        if not isinstance(arguments, Mapping):
            raise Wrong(
                tr(
                    "{name!r} is {value!r}, expected a dict of arguments, "
                    "for example {{'init': 'noise'}}."
                ).format(name=name, value=arguments)
            )
        unknown = sorted(set(arguments) - {*DEFAULTS} - INPUTS)
        if unknown:
            raise Wrong(
                tr("{name!r} has {unknown!r}, which is no setting. There are {known}.").format(
                    name=name, unknown=unknown[0], known=", ".join(DEFAULTS)
                )
            )
    if len(settings) < 2:
        raise Wrong(
            tr("there is {count} setting. What would you compare it with?").format(
                count=len(settings)
            )
        )


def _changed(settings: Mapping, common: Mapping) -> list[str]:
    """The one argument in which the settings differ, or two of `TOGETHER`; Wrong if others do."""
    changed = sorted(set().union(*settings.values()))
    twice = sorted(set(common).intersection(changed))
    if twice:
        raise Wrong(
            tr(
                "{name!r} is in a setting and in common. "
                "Is it what you change, or what is the same for all?"
            ).format(name=twice[0])
        )
    if not changed:
        raise Wrong(tr("the settings are all the same. What is your question?"))
    if len(changed) > 1 and set(changed) not in TOGETHER:
        wrong = tr("the settings change {names}. If the pictures differ, which of them was it?")
        if "steps" in changed:
            wrong = tr("the settings change {names}. Whose picture had the larger budget?")
        raise Wrong(wrong.format(names=tr(" and ").join(changed)))
    if "steps" not in common and changed != ["steps"]:
        raise Wrong(
            tr("'steps' is not in common. A fair experiment says which budget all its runs have.")
        )
    if "seed" not in common and changed != ["seed"]:
        raise Wrong(
            tr("'seed' is not in common. A fair experiment says which seed all its runs have.")
        )
    return changed


def _values(settings: Mapping, names: list[str]) -> list:
    """What the settings say of the changed arguments, with the defaults where they are silent."""

    def value(arguments: Mapping, name: str) -> object:
        value = arguments.get(name, DEFAULTS.get(name))
        return value.tolist() if isinstance(value, Tensor) else value

    if len(names) == 1:
        return [value(arguments, names[0]) for arguments in settings.values()]
    return [[value(arguments, name) for name in names] for arguments in settings.values()]


def _verdict(
    chance: Function = lambda repeats: max(repeats) / min(repeats),
    beyond: Callable[[Iterable[bool]], bool] = all,
    below: Function = lambda factor: 1 / factor,
    ratio: Function = lambda new, old: new / old,
) -> Function:
    """The answer that calls a finding what is beyond chance in all pairs, in one direction."""

    def answer(usual: dict, changed: dict, repeats: list) -> str:
        factor = chance(repeats)
        ratios = [ratio(changed[pair], usual[pair]) for pair in usual]
        if beyond(value < below(factor) for value in ratios):
            return "lower"
        return "higher" if beyond(value > factor for value in ratios) else "chance"

    return answer


def _of_the_mean(usual: dict, changed: dict, repeats: list) -> str:
    return _verdict()({"": sum(usual.values())}, {"": sum(changed.values())}, repeats)


def _most(verdicts: Iterable[bool]) -> bool:
    found = list(verdicts)
    return sum(found) > len(found) / 2


def _pairs(*losses: float) -> dict[str, float]:
    return dict(zip(("castle", "cat", "astronaut"), losses, strict=True))


REPEATS = [0.060, 0.063, 0.061, 0.066]  # chance is a factor of 1.1


@exercise(
    cases=[
        (_pairs(0.060, 0.020, 0.022), _pairs(0.040, 0.012, 0.015), REPEATS),
        (_pairs(0.060, 0.020, 0.022), _pairs(0.090, 0.036, 0.027), REPEATS),
        (_pairs(0.060, 0.020, 0.022), _pairs(0.040, 0.012, 0.0215), REPEATS),
        (_pairs(0.060, 0.020, 0.022), _pairs(0.075, 0.012, 0.015), REPEATS),
        (_pairs(0.060, 0.020, 0.022), _pairs(0.060, 0.020, 0.015), REPEATS),
        (_pairs(0.060, 0.020, 0.022), _pairs(0.058, 0.019, 0.021), REPEATS),
        (_pairs(60.0, 20.0, 22.0), _pairs(46.0, 15.0, 16.6), [60.0, 75.0]),
        (_pairs(60.0, 20.0, 22.0), _pairs(63.0, 22.0, 24.0), [0.060, 0.075]),
    ],
    mistakes=[
        (
            _verdict(chance=lambda repeats: 1.0),
            tr("Runs that differ in nothing that an eye can see differ, too. By which factor?"),
        ),
        (_of_the_mean, tr("The mean hides a pair that does not agree. Ask each pair.")),
        (_verdict(beyond=_most), tr("Most pairs are not all. What does the last one say?")),
        (_verdict(beyond=any), tr("One pair is an example. What do the others say?")),
        (
            _verdict(below=lambda factor: 2 - factor),
            tr("Chance is a factor. What is as far below 1 as the factor is above it?"),
        ),
        (
            _verdict(ratio=lambda new, old: 1 + new - old),
            tr("The losses of a pair may be small or large. Compare by the factor."),
        ),
        (
            _verdict(chance=lambda repeats: 1 + max(repeats) - min(repeats)),
            tr("The losses of a pair may be small or large. Chance is a factor, too."),
        ),
        (
            _verdict(ratio=lambda new, old: old / new),
            tr("Is a loss that falls lower or higher?"),
        ),
    ],
    hint=tr(
        "Take the ratio changed / usual of each pair, and compare it with the largest factor "
        "between two repeats."
    ),
    praise=tr("Beyond chance in every pair, and on the same side: less is an example."),
)
def beyond_chance(usual: dict[str, float], changed: dict[str, float], repeats: list[float]) -> str:
    """Chapter 08: whether a change of a setting is a finding, and in which direction."""
    return _verdict()(usual, changed, repeats)


def _matched(
    pull: Function = lambda gradient: gradient.norm(),
    weighted: Function = lambda alpha, factor: alpha * factor,
) -> Function:
    """The answer that gives each layer the usual one's pull over its own, times its α."""

    def answer(alpha: float, gradients: dict[str, Tensor], usual: str) -> dict[str, float]:
        return {
            layer: float(weighted(alpha, pull(gradients[usual]) / pull(gradient)))
            for layer, gradient in gradients.items()
        }

    return answer


def _gradient(seed: int, scale: float) -> Tensor:
    return scale * torch.randn(1, 3, 4, 6, generator=torch.Generator().manual_seed(seed))


@exercise(
    cases=[
        (1.0, {"relu2_2": _gradient(0, 2.0), "relu4_2": _gradient(1, 6.0)}, "relu4_2"),
        (
            5.0,
            {layer: _gradient(i, 3.0**i) for i, layer in enumerate(("relu3_2", "relu4_2"))},
            "relu3_2",
        ),
    ],
    mistakes=[
        (
            _matched(weighted=lambda alpha, factor: alpha / factor),
            tr("Does a layer that pulls gently need a larger α, or a smaller one?"),
        ),
        (
            _matched(weighted=lambda alpha, factor: factor),
            tr("The usual layer has a weight already. How hard does it pull with it?"),
        ),
        (
            _matched(pull=lambda gradient: gradient.square().sum()),
            tr("A pull is the norm, the root of the sum of squares."),
        ),
        (
            _matched(pull=lambda gradient: gradient.sum()),
            tr("Positive and negative entries cancel in a sum. How long is the gradient?"),
        ),
        (
            _matched(pull=lambda gradient: gradient.abs().max()),
            tr("That is one pixel's pull. How long is the whole gradient?"),
        ),
        (
            lambda alpha, gradients, usual: dict.fromkeys(gradients, alpha),
            tr("With the same α, each layer pulls as hard as it likes."),
        ),
    ],
    hint=tr(
        "The pull of a layer is α times the norm of its gradient. Let it equal the usual one's."
    ),
    praise=tr("Now a difference between two pictures is the layer's, not its strength's."),
)
def matched_alphas(alpha: float, gradients: dict[str, Tensor], usual: str) -> dict[str, float]:
    """Chapter 08: the α of each content layer with which all pull as hard as the usual one."""
    return _matched()(alpha, gradients, usual)
