"""What the checkers of all chapters share: how an answer is called, compared and judged."""

import functools
import traceback
from collections.abc import Callable

import torch
from torch import Tensor


class Wrong(Exception):
    """What is wrong with an answer, in words for the learner."""


def checker(examine: Callable[[object], str]) -> Callable[[object], None]:
    """Make a function that returns praise or raises Wrong into a checker that prints and never raises."""

    @functools.wraps(examine)
    def check(answer) -> None:
        name = examine.__name__
        try:
            if _untouched(answer):
                print(f"{name}: not attempted yet. Fill in the cell above and run this one again.")
                return
            print(f"{name}: right. {examine(answer)}")
        except Wrong as wrong:
            print(f"{name}: {wrong}")
        except Exception as error:  # whatever a learner's code may raise
            place = traceback.extract_tb(error.__traceback__)[-1]
            print(
                f"{name}: your code stopped with {type(error).__name__}: {error} (in {place.name}, line {place.lineno}: "
                f"{place.line or 'source not at hand'})"
            )

    return check


def _stub(): ...


def _untouched(answer) -> bool:
    if answer is ...:
        return True
    return getattr(getattr(answer, "__code__", None), "co_code", None) == _stub.__code__.co_code


def call(answer, *arguments):
    """The answer's result for these arguments; Wrong when it is no function, returns nothing or changes what it was given."""
    if not callable(answer):
        raise Wrong(
            f"give the function itself, without calling it; this is a {type(answer).__name__}."
        )
    given = [
        argument.detach().clone() if isinstance(argument, Tensor) else None
        for argument in arguments
    ]
    result = answer(*arguments)
    if result is None or result is ...:
        raise Wrong("the function returns nothing. Does it end with `return …`?")
    for before, argument in zip(given, arguments, strict=True):
        if before is not None and (
            before.shape != argument.shape or not torch.equal(before, argument.detach())
        ):
            raise Wrong(
                "your function changed what it was given. Work on a copy: the caller still needs the original."
            )
    return result


def number(got, given: str) -> float:
    """The answer's result as a float; Wrong when it is no single number."""
    if isinstance(got, Tensor) and got.numel() == 1:
        return float(got.detach())
    if isinstance(got, bool) or not isinstance(got, (int, float)):
        kind = (
            f"a tensor of the shape {list(got.shape)}"
            if isinstance(got, Tensor)
            else f"a {type(got).__name__}"
        )
        raise Wrong(f"for {given} the result is {kind}, expected one number.")
    return float(got)


def same_number(got, expected: float, given: str, hint: str, tolerance: float = 1e-4) -> None:
    """Wrong, with input, got, expected and the hint, unless the two numbers agree."""
    value = number(got, given)
    if not abs(value - expected) <= tolerance * max(abs(expected), 1e-12):
        raise Wrong(f"for {given} the result is {value:.6g}, expected {expected:.6g}. {hint}")


def same_tensor(got, expected: Tensor, given: str, hint: str, tolerance: float = 1e-4) -> None:
    """Wrong, with input, got, expected and the hint, unless the two tensors agree in shape and values."""
    if not isinstance(got, Tensor):
        raise Wrong(
            f"for {given} the result is a {type(got).__name__}, expected a tensor of the shape {list(expected.shape)}."
        )
    if got.shape != expected.shape:
        raise Wrong(
            f"for {given} the result has the shape {list(got.shape)}, expected {list(expected.shape)}. {hint}"
        )
    got, expected = got.detach().double(), expected.detach().double()
    if not torch.allclose(
        got, expected, rtol=tolerance, atol=tolerance * float(expected.abs().max())
    ):
        if expected.numel() <= 12:
            raise Wrong(
                f"for {given} the result is {_rounded(got)}, expected {_rounded(expected)}. {hint}"
            )
        place = tuple(
            int(i)
            for i in torch.unravel_index(
                (got - expected).abs().nan_to_num(torch.inf).argmax(), got.shape
            )
        )
        raise Wrong(
            f"for {given} the entry {list(place)} of the result is {float(got[place]):.5g}, "
            f"expected {float(expected[place]):.5g}. {hint}"
        )


def _rounded(values: Tensor) -> list:
    return [_rounded(value) for value in values] if values.ndim else float(f"{float(values):.4g}")
