"""What becomes of a learner's answer: it is called, and whatever it does is told in words."""

import copy
import functools
import inspect
import sysconfig
import textwrap
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from stlib._language import tr
from stlib.course.check.compare import kind, same
from stlib.errors import reason

Function = Callable[..., Any]
NOT_THE_LEARNERS = (
    Path(__file__).parents[2],  # stlib
    Path(torch.__file__).parents[1],  # torch and its neighbours
    Path(sysconfig.get_path("stdlib")),
)


class Wrong(Exception):
    """What is wrong with an answer, in words for the learner."""


def checker(examine: Callable[[Any], str]) -> Callable[[object], None]:
    """Make a checker that prints of a function that returns its praise or raises Wrong."""

    @functools.wraps(examine)
    def check(answer: object) -> None:
        judge(examine.__name__, examine, answer)

    return check


def check_function(answer: object, parameters: Sequence[str]) -> Function:
    """The answer, if it is a function that can be called with these parameters; else Wrong."""
    if not callable(answer):
        raise Wrong(
            tr("give the function itself, without calling it; this is {thing}.").format(
                thing=kind(answer)
            )
        )
    try:
        inspect.signature(answer).bind(*parameters)
    except TypeError:
        raise Wrong(
            tr("your function has the parameters {own}, but is called with ({given}).").format(
                own=inspect.signature(answer), given=", ".join(parameters)
            )
        ) from None
    except ValueError:  # a function written in C has no signature
        pass
    return answer


def result_of(answer: object, **arguments: object) -> Any:
    """What the learner's function returns; Wrong if it returns nothing or changes an argument."""
    function = check_function(answer, list(arguments))
    before = copy.deepcopy(list(arguments.values()))
    result = function(*arguments.values())
    changed = first_changed(list(arguments), before, list(arguments.values()))
    if changed:
        raise Wrong(
            tr(
                "your function changed what it was given: {argument} is not as it was. "
                "Work on a copy: the caller still needs the original."
            ).format(argument=changed)
        )
    if result is None or result is ...:
        raise Wrong(tr("the function returns nothing. Does it end with `return …`?"))
    return result


def check_names(
    given: object,
    truth: Mapping[str, str],
    names: Collection[str],
    hints: Mapping[str, str],
    thing: str,
) -> None:
    """Raise Wrong unless every letter has its name; its text has a hint for each that has not.

    given: what the learner returned. truth: {letter: name}. names: all that there are. hints: by
    the right name, without telling it. thing: what a letter stands for, such as tr("picture").
    """
    if not isinstance(given, dict):
        raise Wrong(
            tr("the result is {thing}, expected a dict such as {{'A': {name!r}, …}}.").format(
                thing=kind(given), name=next(iter(names))
            )
        )
    unknown = [letter for letter in given if letter not in truth]
    if unknown:
        raise Wrong(
            tr("there is no {thing} {letter!r}; they are {letters}.").format(
                thing=thing, letter=unknown[0], letters=", ".join(truth)
            )
        )
    lines = []
    for letter, name in truth.items():
        own, hint = given.get(letter), hints[name]
        if letter not in given:
            lines.append(tr("  {letter}: no name yet. {hint}").format(letter=letter, hint=hint))
        elif own not in names:
            none = tr("  {letter}: {name!r} is none of {names}.")
            lines.append(none.format(letter=letter, name=own, names=", ".join(names)))
        elif own != name:
            other = tr("  {letter}: not {name}. {hint}")
            lines.append(other.format(letter=letter, name=own, hint=hint))
    if lines:
        found = tr("{right} of {all} names fit.")
        found = found.format(right=len(truth) - len(lines), all=len(truth))
        raise Wrong("\n".join([found, *lines]))


def first_changed(names: Sequence[str], before: Sequence, after: Sequence) -> str | None:
    """The name of the first argument that is not as it was before; None if all are."""
    changed = (name for name, *pair in zip(names, before, after, strict=False) if not same(*pair))
    return next(changed, None)


def stopped(error: Exception) -> str:
    """An error and where it came from: the last line of the learner's own code."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.line and not any(map(Path(frame.filename).is_relative_to, NOT_THE_LEARNERS))
    ]
    what = f"{type(error).__name__}: {textwrap.shorten(reason(error), 160, placeholder=' …')}"
    if not own:
        return what
    return tr("{error} (in {function}, line {number}: `{line}`)").format(
        error=what, function=own[-1].name, number=own[-1].lineno, line=own[-1].line
    )


def judge(name: str, examine: Callable[[Any], str], answer: object) -> None:
    """Print what `examine` thinks of the answer; a learner's mistake never raises."""
    if _untouched(answer):
        verdict = tr("not attempted yet. Fill in the cell above and run this one again.")
    else:
        verdict = _verdict(examine, answer)
    print(f"{name}: {verdict}")


def _verdict(examine: Callable[[Any], str], answer: object) -> str:
    try:
        return tr("right. {praise}").format(praise=examine(answer))
    except Wrong as wrong:
        return str(wrong)
    except Exception as error:  # whatever a learner's code may raise
        return tr("your code stopped with {error}.").format(error=stopped(error))


def _stub() -> None: ...


def _untouched(answer: object) -> bool:
    code = getattr(answer, "__code__", None)
    return answer is ... or getattr(code, "co_code", None) == _stub.__code__.co_code
