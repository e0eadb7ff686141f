"""The exercises of chapter 08: experiments."""

import inspect
import math
from collections.abc import Mapping

from torch import Tensor

from stlib.course.check.exercise import Wrong, call, checker, number, same_number
from stlib.transfer import style_transfer

ARGUMENTS = inspect.signature(style_transfer).parameters
MOST_STEPS = 100  # so that the reader's own experiment takes a minute, not an hour


@checker
def plan_experiment(answer) -> str:
    """Chapter 08: an experiment of the reader's own: settings that differ in one thing, and what is the same for all."""
    if not callable(answer):
        call(answer)
    got = answer()
    if got is None:
        call(answer)
    if (
        not isinstance(got, tuple)
        or len(got) != 2
        or not all(isinstance(part, Mapping) for part in got)
    ):
        raise Wrong(
            f"the result is a {type(got).__name__}, expected a pair of dicts: return settings, common."
        )
    settings, common = got
    for name, arguments in [*settings.items(), ("common", common)]:
        if not isinstance(arguments, Mapping):
            raise Wrong(
                f"{name!r} is {arguments!r}, expected a dict of arguments, for example {{'init': 'noise'}}."
            )
        if unknown := sorted(set(arguments) - set(ARGUMENTS)):
            raise Wrong(
                f"{name!r} has {unknown[0]!r}, which style_transfer does not take. It takes {', '.join(ARGUMENTS)}."
            )
    if len(settings) < 2:
        raise Wrong(f"there is {len(settings)} setting. What would you compare it with?")
    if twice := sorted(set(common).intersection(*[set().union(*settings.values())])):
        raise Wrong(
            f"{twice[0]!r} is in a setting and in common. Is it what you change, or what is the same for all?"
        )
    changed = sorted(set().union(*settings.values()))
    if "steps" in changed and len(changed) > 1:
        raise Wrong(
            f"the settings change {' and '.join(changed)}. Whose picture had the larger budget?"
        )
    if len(changed) > 1:
        raise Wrong(
            f"the settings change {' and '.join(changed)}. If the pictures differ, which of them was it?"
        )
    if not changed:
        raise Wrong("the settings are all the same. What is your question?")
    for name in ("steps", "seed"):
        if name not in common and changed != [name]:
            raise Wrong(
                f"{name!r} is not in common. A fair experiment says which {'budget' if name == 'steps' else 'seed'} "
                "all its runs have."
            )
    (thing,) = changed
    values = [
        _value(arguments.get(thing, ARGUMENTS[thing].default)) for arguments in settings.values()
    ]
    if len({repr(value) for value in values}) < len(values):
        raise Wrong(
            f"two settings have the same {thing}. Remember what style_transfer takes when nothing is said."
        )
    if thing == "seed" and common.get("init", "content") != "noise":
        raise Wrong(
            "the seed changes nothing unless the start is noise. With which init does it matter?"
        )
    budgets = values if thing == "steps" else [common["steps"]]
    if any(not isinstance(steps, int) or not 1 <= steps <= MOST_STEPS for steps in budgets):
        raise Wrong(
            f"steps is {budgets[0] if len(budgets) == 1 else budgets}: take 1 to {MOST_STEPS}, so that you see the "
            "answer today."
        )
    return (
        f"{len(settings)} runs that differ in {thing} alone. Say what you expect before you run it."
    )


def _value(value):
    return value.tolist() if isinstance(value, Tensor) else value


# measured at the chapter's own pictures, 96 pixels, 40 evaluations
_USUAL = {
    "content": 3.4,
    "relu1_1": 0.047,
    "relu2_1": 0.034,
    "relu3_1": 0.062,
    "relu4_1": 0.050,
    "relu5_1": 0.41,
}
_LEFT_OUT = {
    "relu1_1": {
        "content": 3.3,
        "relu1_1": 0.25,
        "relu2_1": 0.070,
        "relu3_1": 0.067,
        "relu4_1": 0.050,
        "relu5_1": 0.41,
    },
    "relu3_1": {
        "content": 3.4,
        "relu1_1": 0.051,
        "relu2_1": 0.040,
        "relu3_1": 0.12,
        "relu4_1": 0.052,
        "relu5_1": 0.41,
    },
    "relu4_1": {
        "content": 3.3,
        "relu1_1": 0.047,
        "relu2_1": 0.034,
        "relu3_1": 0.061,
        "relu4_1": 0.074,
        "relu5_1": 0.45,
    },
    "relu5_1": {
        "content": 1.2,
        "relu1_1": 0.009,
        "relu2_1": 0.011,
        "relu3_1": 0.032,
        "relu4_1": 0.056,
        "relu5_1": 2.0,
    },
}


@checker
def left_out(answer) -> str:
    """Chapter 08: which style layer was left out, read off two rows of a table."""
    for layer, row in _LEFT_OUT.items():
        usual, other = dict(_USUAL), dict(row)
        got = call(answer, usual, other)
        if usual != _USUAL or other != row:
            raise Wrong(
                "your function changed what it was given. Work on a copy: the caller still needs the original."
            )
        if not isinstance(got, str) or got not in row:
            raise Wrong(
                f"the result is {got!r}, expected the name of a style layer, for example 'relu2_1'."
            )
        if got == layer:
            continue
        layers = [name for name in row if name != "content"]
        factor = {name: row[name] / _USUAL[name] for name in layers}
        difference = {name: row[name] - _USUAL[name] for name in layers}
        hint = "In which layer did the loss get worse by the largest factor?"
        if got == "content":
            hint = "The content loss is no style layer. Which columns may be named?"
        elif got == min(factor, key=factor.get) or got == min(difference, key=difference.get):
            hint = "That loss fell most. What happens to a layer that nobody asks for?"
        elif got == max(layers, key=row.get) or got == max(difference, key=difference.get):
            hint = "That layer's numbers are large in every row. Compare by the factor, not by the size or the difference."
        raise Wrong(
            f"for the row {row} after {_USUAL} the result is {got!r}, but another layer was left out. {hint}"
        )
    return "What nobody asks for gets worse, and the factor shows it in layers of every size."


@checker
def same_balance(answer) -> str:
    """Chapter 08: the β that keeps the balance when the content layer and the size of the picture change."""
    for beta, old, new in (
        (1000.0, ((64, 96), 4), ((64, 96), 4)),
        (1000.0, ((64, 96), 4), ((128, 192), 4)),
        (1000.0, ((64, 96), 4), ((192, 288), 2)),
        (500.0, ((75, 113), 3), ((150, 225), 5)),
    ):
        given = (
            f"beta={beta:g}, size={old[0]}, block={old[1]}, new_size={new[0]}, new_block={new[1]}"
        )
        got = number(call(answer, beta, *old, *new), given)
        right = _features(*new) / _features(*old)
        mistakes = [
            (1 / right, "Which loss grows with the number of features, and who has to follow it?"),
            (
                _features(*new, channels=(1,) * 5) / _features(*old, channels=(1,) * 5),
                "Those are the positions. How many channels has each block?",
            ),
            (
                math.prod(new[0]) / math.prod(old[0]),
                "The content loss is a sum over features, not over pixels. How many channels and positions are there?",
            ),
            (
                _features(*new, side=lambda pixels, block: pixels)
                / _features(*old, side=lambda pixels, block: pixels),
                "How many poolings lie between the picture and the layer?",
            ),
            (
                _features(*new, side=lambda pixels, block: pixels / 2 ** (block - 1))
                / _features(*old, side=lambda pixels, block: pixels / 2 ** (block - 1)),
                "A pooling drops an odd row or column: 75 becomes 37.",
            ),
            (
                math.sqrt(right),
                "The content loss is a sum of squares, one for each feature. How does it grow with their number?",
            ),
            (1.0, "Something has changed: by which factor does the number of features grow?"),
        ]
        hint = next(
            (hint for factor, hint in mistakes if math.isclose(got, beta * factor, rel_tol=1e-6)),
            "Count the features of the two layers: channels times rows times columns.",
        )
        same_number(got, beta * right, given, hint)
    return "β follows the number of features, N · M; that is what style_transfer does when you give no β."


def _features(
    size,
    block,
    channels=(64, 128, 256, 512, 512),
    side=lambda pixels, block: pixels // 2 ** (block - 1),
) -> float:
    """How many numbers a layer of a block has, or would have if channels and sides were counted otherwise."""
    return channels[block - 1] * side(size[0], block) * side(size[1], block)
