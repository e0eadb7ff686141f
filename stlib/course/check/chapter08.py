"""The exercises of chapter 08: experiments."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields

from torch import Tensor

from stlib.course.check.answer import Function, Wrong, checker, result_of
from stlib.course.check.compare import kind
from stlib.course.check.exercise import exercise
from stlib.layers import WIDTHS
from stlib.settings import STYLE_LAYERS, Settings

DEFAULTS = {setting.name: setting.default for setting in fields(Settings)}
INPUTS = {"content", "style", "net"}  # what a setting of grid.run may also replace
MOST_STEPS = 100  # so that the reader's own experiment takes a minute, not an hour
ONE_THING = {"style_layers", "style_weights"}  # each layer has a weight: they change together


@checker
def plan_experiment(answer: object) -> str:
    """Chapter 08: an experiment of the reader's own: settings, and what is the same for all."""
    got = result_of(answer)
    pair = isinstance(got, tuple) and len(got) == 2
    if not pair or not all(isinstance(part, Mapping) for part in got):
        raise Wrong(
            f"the result is {kind(got)}, expected a pair of dicts: return settings, common."
        )
    settings, common = got
    _check_arguments(settings, common)
    changed = _changed(settings, common)
    values = _values(settings, changed)
    if len({repr(value) for value in values}) < len(values):
        raise Wrong(
            f"two settings have the same {changed}. "
            "Remember what style_transfer takes when nothing is said."
        )
    if changed == "seed" and common.get("init", "content") != "noise":
        raise Wrong(
            "the seed changes nothing unless the start is noise. With which init does it matter?"
        )
    budgets = values if changed == "steps" else [common["steps"]]
    if any(not isinstance(steps, int) or not 1 <= steps <= MOST_STEPS for steps in budgets):
        raise Wrong(
            f"steps is {budgets[0] if len(budgets) == 1 else budgets}: take 1 to {MOST_STEPS}, "
            "so that you see the answer today."
        )
    for name, arguments in settings.items():
        chosen = {"solver": "plain", **common, **arguments}
        try:
            Settings(**{key: value for key, value in chosen.items() if key in DEFAULTS})
        except ValueError as error:
            raise Wrong(f"{name!r} cannot be run: {error}") from None
    return (
        f"{len(settings)} runs that differ in {changed} alone. "
        "Say what you expect before you run it."
    )


def _check_arguments(settings: Mapping, common: Mapping) -> None:
    """Raise Wrong unless there are settings to compare, made of what style_transfer takes."""
    for name, arguments in [*settings.items(), ("common", common)]:
        if not isinstance(arguments, Mapping):
            raise Wrong(
                f"{name!r} is {arguments!r}, expected a dict of arguments, "
                "for example {'init': 'noise'}."
            )
        unknown = sorted(set(arguments) - {*DEFAULTS} - INPUTS)
        if unknown:
            raise Wrong(
                f"{name!r} has {unknown[0]!r}, which is no setting. "
                f"There are {', '.join(DEFAULTS)}."
            )
    if len(settings) < 2:
        raise Wrong(f"there is {len(settings)} setting. What would you compare it with?")


def _changed(settings: Mapping, common: Mapping) -> str:
    """The one argument in which the settings differ; Wrong if it is not one."""
    changed = sorted(set().union(*settings.values()))
    twice = sorted(set(common).intersection(changed))
    if twice:
        raise Wrong(
            f"{twice[0]!r} is in a setting and in common. "
            "Is it what you change, or what is the same for all?"
        )
    if not changed:
        raise Wrong("the settings are all the same. What is your question?")
    if len(changed) > 1 and set(changed) != ONE_THING:
        question = "If the pictures differ, which of them was it?"
        if "steps" in changed:
            question = "Whose picture had the larger budget?"
        raise Wrong(f"the settings change {' and '.join(changed)}. {question}")
    for name, what in (("steps", "budget"), ("seed", "seed")):
        if name not in common and changed != [name]:
            raise Wrong(
                f"{name!r} is not in common. A fair experiment says which {what} all its runs have."
            )
    return " and ".join(changed)


def _values(settings: Mapping, changed: str) -> list:
    """What the settings say of the changed arguments, with the defaults where they are silent."""

    def value(arguments: Mapping, name: str) -> object:
        value = arguments.get(name, DEFAULTS.get(name))
        return value.tolist() if isinstance(value, Tensor) else value

    names = changed.split(" and ")
    if len(names) == 1:
        return [value(arguments, changed) for arguments in settings.values()]
    return [[value(arguments, name) for name in names] for arguments in settings.values()]


# measured with the chapter's own pictures, 96 pixels, 40 evaluations
LOSSES = ("content", *STYLE_LAYERS)


def _row(*losses: float) -> dict[str, float]:
    return dict(zip(LOSSES, losses, strict=True))


USUAL = _row(3.4, 0.047, 0.034, 0.062, 0.050, 0.41)


def _worst(score: Function, best: Function = max, among: Sequence[str] = STYLE_LAYERS) -> Function:
    """The answer that names the layer with the extreme score(row's loss, usual loss)."""
    return lambda usual, row: best(among, key=lambda layer: score(row[layer], usual[layer]))


BY_FACTOR = "That layer's numbers are large in every row. Compare by the factor."


@exercise(
    cases=[
        (USUAL, _row(3.3, 0.25, 0.070, 0.067, 0.050, 0.41)),
        (USUAL, _row(3.4, 0.051, 0.040, 0.12, 0.052, 0.41)),
        (USUAL, _row(3.3, 0.047, 0.034, 0.061, 0.074, 0.45)),
        (USUAL, _row(1.2, 0.009, 0.011, 0.032, 0.056, 2.0)),
    ],
    mistakes=[
        (_worst(lambda new, old: new), BY_FACTOR),
        (_worst(lambda new, old: new - old), BY_FACTOR),
        (
            _worst(lambda new, old: new, among=LOSSES),
            "The content loss is no style layer. Which columns may be named?",
        ),
        *(
            (
                _worst(score, best=min),
                "That loss fell most. What happens to a layer that nobody asks for?",
            )
            for score in (lambda new, old: new / old, lambda new, old: new - old)
        ),
    ],
    hint="Which style layer's loss got worse by the largest factor?",
    praise="What nobody asks for gets worse, and the factor shows it in layers of every size.",
)
def left_out(usual: dict[str, float], row: dict[str, float]) -> str:
    """Chapter 08: which style layer was left out, read off two rows of a table."""
    return _worst(lambda new, old: new / old)(usual, row)


def _balanced(
    poolings: Function = lambda block: block - 1,
    channels: Function = lambda block: WIDTHS[block - 1],
    whole: Function = math.floor,
    grows: Function = lambda factor: factor,
) -> Function:
    """The answer β times what the number of features grows by, counted as asked."""

    def count(size: Sequence[int], block: int) -> float:
        height, width = (whole(side / 2 ** poolings(block)) for side in size)
        return channels(block) * height * width

    def answer(beta: float, size: tuple, block: int, new_size: tuple, new_block: int) -> float:
        return beta * grows(count(new_size, new_block) / count(size, block))

    return answer


@exercise(
    cases=[
        (1000.0, (64, 96), 4, (64, 96), 4),
        (1000.0, (64, 96), 4, (128, 192), 4),
        (1000.0, (64, 96), 4, (192, 288), 2),
        (500.0, (75, 113), 3, (150, 225), 5),
    ],
    mistakes=[
        (
            _balanced(grows=lambda factor: 1 / factor),
            "Which loss grows with the number of features, and who has to follow it?",
        ),
        (
            _balanced(channels=lambda block: 1),
            "Those are the positions. How many channels has each block?",
        ),
        (
            _balanced(channels=lambda block: 1, poolings=lambda block: 0),
            "The content loss is a sum over features, not over pixels. "
            "How many channels and positions are there?",
        ),
        (
            _balanced(poolings=lambda block: 0),
            "How many poolings lie between the picture and the layer?",
        ),
        (
            _balanced(poolings=lambda block: block),
            "Its own pooling comes after a block. How many lie before it?",
        ),
        (_balanced(whole=float), "A pooling drops an odd row or column: 75 becomes 37."),
        (
            _balanced(grows=math.sqrt),
            "The content loss is a sum of squares, one for each feature. "
            "How does it grow with their number?",
        ),
        (
            _balanced(grows=lambda factor: 1),
            "Something has changed: by which factor does the number of features grow?",
        ),
    ],
    hint="Count the features of the two layers: channels times rows times columns.",
    praise="β follows the number of features, N · M, as style_transfer's own β does; how large "
    "the features of a block are, neither of them knows.",
)
def same_balance(
    beta: float, size: tuple[int, int], block: int, new_size: tuple[int, int], new_block: int
) -> float:
    """Chapter 08: the β that keeps the balance for another content layer and size of picture."""
    return _balanced()(beta, size, block, new_size, new_block)
