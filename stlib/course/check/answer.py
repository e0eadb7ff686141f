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
        raise Wrong(f"give the function itself, without calling it; this is {kind(answer)}.")
    try:
        inspect.signature(answer).bind(*parameters)
    except TypeError:
        raise Wrong(
            f"your function has the parameters {inspect.signature(answer)}, "
            f"but is called with ({', '.join(parameters)})."
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
            f"your function changed what it was given: {changed} is not as it was. "
            "Work on a copy: the caller still needs the original."
        )
    if result is None or result is ...:
        raise Wrong("the function returns nothing. Does it end with `return …`?")
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
    the right name, without telling it. thing: what a letter stands for, such as "picture".
    """
    if not isinstance(given, dict):
        example = next(iter(names))
        raise Wrong(
            f"the result is {kind(given)}, expected a dict such as {{'A': {example!r}, …}}."
        )
    unknown = [letter for letter in given if letter not in truth]
    if unknown:
        raise Wrong(f"there is no {thing} {unknown[0]!r}; they are {', '.join(truth)}.")
    lines = []
    for letter, name in truth.items():
        if letter not in given:
            lines.append(f"  {letter}: no name yet. {hints[name]}")
        elif given[letter] not in names:
            lines.append(f"  {letter}: {given[letter]!r} is none of {', '.join(names)}.")
        elif given[letter] != name:
            lines.append(f"  {letter}: not {given[letter]}. {hints[name]}")
    if lines:
        found = f"{len(truth) - len(lines)} of {len(truth)} names fit."
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
    return f"{what} (in {own[-1].name}, line {own[-1].lineno}: `{own[-1].line}`)"


def judge(name: str, examine: Callable[[Any], str], answer: object) -> None:
    """Print what `examine` thinks of the answer; a learner's mistake never raises."""
    if _untouched(answer):
        print(f"{name}: not attempted yet. Fill in the cell above and run this one again.")
        return
    try:
        print(f"{name}: right. {examine(answer)}")
    except Wrong as wrong:
        print(f"{name}: {wrong}")
    except Exception as error:  # whatever a learner's code may raise
        print(f"{name}: your code stopped with {stopped(error)}.")


def _stub() -> None: ...


def _untouched(answer: object) -> bool:
    code = getattr(answer, "__code__", None)
    return answer is ... or getattr(code, "co_code", None) == _stub.__code__.co_code
