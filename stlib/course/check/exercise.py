"""What an exercise is: a reference, cases, and known mistakes, each with its hint.

A chapter's exercise is the right function under a table:

    @exercise(
        cases=[(2.0,), (5.0,)],
        mistakes=[(lambda side: 4 * side, "That is the way around the square.")],
        hint="How many unit squares fit in?",
        praise="Twice the side, four times the area.",
    )
    def area(side: float) -> float: …

`area` is then the checker: `area(answer)` prints what it thinks of the learner's answer. An answer
whose results agree with those of a known mistake gets the hint of that mistake, so a hint is tested
by the mistake that it is for. An exercise whose answer cannot be compared with one right result is
a function that returns its praise, or raises `Wrong`, under `@checker`.
"""

import copy
import functools
import inspect
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from stlib._language import tr
from stlib.course.check.answer import Function, Wrong, check_function, first_changed, judge, stopped
from stlib.course.check.compare import SHORT, alike, difference, shown


@dataclass(frozen=True)
class Rule:
    """How a result has to be made, for exercises where the way is the point.

    remark: kind words on how to keep to the rule.
    forbidden: names of functions of torch that do the work by themselves; "matmul" is `@`.
    most_calls: of torch, for the last case; more of them are a loop.
    """

    remark: str
    forbidden: Collection[str] = ()
    most_calls: float = math.inf

    def broken(self, calls: Sequence[str]) -> str | None:
        """What broke the rule, None if nothing did. calls: names of the functions called."""
        used = [name for name in calls if name in self.forbidden]
        if used:
            made = tr("the result is right, but `{function}` made it. {remark}")
            return made.format(function=used[0], remark=self.remark)
        if len(calls) > self.most_calls:
            slow = tr("the result is right, after {number} calls of torch. {remark}")
            return slow.format(number=len(calls), remark=self.remark)
        return None


@dataclass(frozen=True)
class Outcome:
    """What came of one call: a result or an error, and the argument that it changed, if any."""

    result: Any = None
    error: Exception | None = None
    changed: str | None = None

    def fits(self, mistake: "Outcome", right: "Outcome") -> bool:
        """Whether it is what a known mistake leads to. right: what the reference leads to."""
        if self.error or mistake.error:
            return _words(self.error) == _words(mistake.error)
        if self.changed or mistake.changed:
            return self.changed == mistake.changed
        return alike(self.result, mistake.result, right.result)

    def problem(self, right: "Outcome") -> str | None:
        """What is wrong with it, as a sentence without its full stop; None if nothing is."""
        if isinstance(self.error, Wrong):
            return str(self.error)
        if self.error:
            return tr("your code stopped with {error}").format(error=stopped(self.error))
        if self.changed:
            changed = tr("your function changed what it was given: {argument} is not as it was")
            return changed.format(argument=self.changed)
        return difference(self.result, right.result)


def plain_call(answer: Function, *case: object) -> object:
    """What most exercises look at: what the answer returns for a case."""
    return answer(*case)


def exercise(**table: Any) -> Callable[[Function], "Exercise"]:
    """Make the checker of the reference below it. table: the other fields of an `Exercise`."""
    return lambda reference: Exercise(reference, **table)


@dataclass(eq=False)
class Exercise:
    """An exercise and its checker.

    reference: the right function; its name and parameters are those of the exercise.
    cases: the arguments of each call.
    mistakes: (wrong function, hint), the hint never being the solution.
    praise: for the right answer. hint: for a mistake that nobody foresaw.
    given: from a case to words for it; None names the arguments and their values.
    look: what is looked at, from an answer and a case; a `Seen` where it is more than one thing.
    gradient_of: the parameter to which a gradient has to lead back, with the hint `lost`.
    rule: how the result has to be made.
    """

    reference: Function
    cases: Sequence[tuple]
    mistakes: Sequence[tuple[Function, str]]
    praise: str
    hint: str
    given: Callable[..., str] | None = None
    look: Function = plain_call
    gradient_of: str = ""
    lost: str = tr("Where does your computation leave torch, or detach?")
    rule: Rule | None = None

    def __post_init__(self) -> None:
        self.__name__ = self.reference.__name__
        self.__doc__ = self.reference.__doc__
        self.parameters = list(inspect.signature(self.reference).parameters)

    def __call__(self, answer: object) -> None:
        """Print what is right or wrong with the learner's answer."""
        judge(self.__name__, self.examine, answer)

    def examine(self, answer: object) -> str:
        """The praise of a right answer; Wrong for another."""
        function = check_function(answer, self.parameters)
        returned: list[object] = []

        @functools.wraps(function)
        def noting(*arguments: object) -> object:
            returned.append(function(*arguments))
            return returned[-1]

        outcomes = self._outcomes(noting)
        expected = self._outcomes(self.reference)
        if returned and all(result is None or result is ... for result in returned):
            raise Wrong(tr("the function returns nothing. Does it end with `return …`?"))
        for case, outcome, right in zip(self.cases, outcomes, expected, strict=True):
            problem = outcome.problem(right)
            if problem:
                advice = self._advice(outcomes, expected, outcome)
                raise Wrong(self._told(case, problem, advice))
        self._check_gradient(function)
        self._check_rule(function)
        return self.praise

    def _outcomes(self, function: Function) -> list[Outcome]:
        return [self._outcome(function, case) for case in self.cases]

    def _outcome(self, function: Function, case: tuple) -> Outcome:
        arguments = copy.deepcopy(case)
        try:
            result = self.look(function, *arguments)
        except Exception as error:
            return Outcome(error=error)
        return Outcome(result, changed=first_changed(self.parameters, case, arguments))

    def _advice(self, outcomes: list[Outcome], expected: list[Outcome], failed: Outcome) -> str:
        """The hint of the first mistake with the outcomes of the answer, else a general one."""
        for mistake, hint in self.mistakes:
            theirs = self._outcomes(mistake)
            if all(map(Outcome.fits, outcomes, theirs, expected)):
                return hint
        if failed.changed:
            return tr("Work on a copy: the caller still needs the original.")
        return self.hint

    def _told(self, case: tuple, problem: str, advice: str) -> str:
        return tr("for {case} {problem}. {advice}").format(
            case=self._described(case), problem=problem, advice=advice
        )

    def _described(self, case: tuple) -> str:
        if self.given:
            return self.given(*case)
        *others, last = map(_named, self.parameters, case)
        if not others:
            return last
        return tr("{others} and {last}").format(others=", ".join(others), last=last)

    def _check_gradient(self, function: Function) -> None:
        if not self.gradient_of:
            return
        for case in self.cases:
            got = self._gradient(function, case)
            if got is None:
                raise Wrong(
                    tr(
                        "the result is right, but it has lost its gradient: nothing leads back to "
                        "{parameter}. {hint}"
                    ).format(parameter=self.gradient_of, hint=self.lost)
                )
            right = self._gradient(self.reference, case)
            place = tr("the gradient with respect to {parameter}")
            found = difference(got, right, place.format(parameter=self.gradient_of))
            if found:
                raise Wrong(self._told(case, found, self.lost))

    def _gradient(self, function: Function, case: tuple) -> Tensor | None:
        """That of the sum of all results, as one row; None when there is no way back."""
        arguments = copy.deepcopy(case)
        leaves = list(_tensors(arguments[self.parameters.index(self.gradient_of)]))
        for leaf in leaves:
            leaf.requires_grad_()
        results = [tensor for tensor in _tensors(function(*arguments)) if tensor.requires_grad]
        if not results:
            return None
        total = torch.stack([tensor.sum() for tensor in results]).sum()
        found = torch.autograd.grad(total, leaves, allow_unused=True)
        gradients = [
            torch.zeros_like(leaf) if gradient is None else gradient
            for leaf, gradient in zip(leaves, found, strict=True)
        ]
        return torch.cat([gradient.flatten() for gradient in gradients])

    def _check_rule(self, function: Function) -> None:
        if self.rule is None:
            return
        arguments = copy.deepcopy(self.cases[-1])
        with _Calls() as calls:
            self.look(function, *arguments)
        broken = self.rule.broken(calls.names)
        if broken:
            raise Wrong(broken)


class _Calls(TorchFunctionMode):
    """Notes the name of each function of torch that is called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


def _words(error: Exception | None) -> tuple[type, str]:
    """What an error is about; the sizes that Python's and torch's messages name do not matter."""
    text = str(error)
    return type(error), text if isinstance(error, Wrong) else re.sub(r"\d+", "", text)


def _named(name: str, value: object) -> str:
    if isinstance(value, Tensor) and value.numel() > SHORT:
        return tr("{name} of the shape {shape}").format(name=name, shape=list(value.shape))
    return f"{name} = {shown(value)}"


def _tensors(value: object) -> Iterator[Tensor]:
    """All tensors in a value, in lists and dicts too."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors([*value.values()])
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _tensors(entry)
