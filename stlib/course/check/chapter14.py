"""The exercises of chapter 14: what came after."""

import math

import torch
from torch import Tensor

from stlib._language import tr
from stlib.course.beyond import LOSSES, MOVED_BY, resized
from stlib.course.check.answer import Function, Wrong, check_names, checker, result_of
from stlib.course.check.compare import kind, shown
from stlib.course.check.exercise import exercise

ENOUGH = 0.1  # of a mean: by how much a twin has to differ


@checker
def gram_twin(answer: object) -> str:
    """Chapter 14: another cloud with the same G/M, no number below 0, and other means."""
    for N, M in ((2, 5), (3, 8)):
        F = torch.rand(N, M, generator=torch.Generator().manual_seed(M), dtype=torch.float64)
        twin = result_of(answer, F=F)
        if not isinstance(twin, Tensor) or twin.ndim != 2 or len(twin) != N:
            raise Wrong(
                tr("the result is {found}, expected a tensor with {count} rows.").format(
                    found=kind(twin), count=N
                )
            )
        twin = twin.detach().double()
        _check_twin(F, twin)
    return tr("Gram cannot tell a picture from one with stronger features in fewer places.")


def _check_twin(F: Tensor, twin: Tensor) -> None:
    wanted, found = F @ F.T / F.shape[1], twin @ twin.T / max(twin.shape[1], 1)
    off = found / wanted
    if not torch.allclose(found, wanted, rtol=1e-4):
        if torch.allclose(off, off.mean().expand_as(off), rtol=1e-4):
            raise Wrong(
                tr(
                    "your G/M is {factor} times that of F, in every entry. A cloud "
                    "that is s times as large has an s² times as large G; and by what is G divided?"
                ).format(factor=shown(float(off.mean())))
            )
        raise Wrong(
            tr("your G/M is not that of F. Which changes of F leave all products as they are?")
        )
    if twin.min() < 0:
        raise Wrong(
            tr(
                "G/M is that of F, but the least number is {least}: "
                "nothing below 0 comes out of a ReLU."
            ).format(least=shown(float(twin.min())))
        )
    means, new = F.mean(dim=1), twin.mean(dim=1)
    if ((new - means).abs() < ENOUGH * means).any():
        raise Wrong(
            tr(
                "G/M is that of F, but so is the mean of a channel, to within a tenth: the loss of "
                "means and variances might still see no difference. May a twin have more positions?"
            )
        )


def _matched(
    together: Function = lambda u, v: (u, v),
    order: Function = lambda u: u.sort().values,
    compared: Function = lambda u, v: (u - v).square().mean(),
) -> Function:
    """The answer that brings two lists to one length, orders and compares them."""

    def answer(u: Tensor, v: Tensor) -> Tensor:
        u, v = together(u, v)
        return compared(order(u), order(v))

    return answer


def _repeated(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Each value as often as it takes until both lists are equally long."""
    count = math.lcm(len(u), len(v))
    return u.repeat_interleave(count // len(u)), v.repeat_interleave(count // len(v))


def _interpolated(u: Tensor, v: Tensor) -> Tensor:
    count = max(len(u), len(v))
    u, v = (resized(each.sort().values[None], count)[0] for each in (u, v))
    return (u - v).square().mean()


def _cut(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    count = min(len(u), len(v))
    return u[:count], v[:count]


def _cut_sorted(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    return _cut(u.sort().values, v.sort().values)


def _given(u: Tensor, v: Tensor) -> str:
    return tr("u = {u} and v = {v}").format(u=shown(u.tolist()), v=shown(v.tolist()))


LOST = tr("Half a list is lost. How often does each value stand for a piece of sand?")


@exercise(
    cases=[
        (torch.tensor([3.0, 0.0, 5.0]), torch.tensor([1.0, 6.0, 2.0])),
        (torch.tensor([4.0, 1.0]), torch.tensor([0.0, 5.0, 2.0, 2.0])),
        (torch.tensor([2.0, 0.0]), torch.tensor([7.0, 1.0, 4.0])),
    ],
    given=_given,
    mistakes=[
        (
            _matched(_repeated, order=lambda u: u),
            tr("Which value of v has the least of u to go to?"),
        ),
        (
            _matched(_repeated, compared=lambda u, v: (u - v).square().sum()),
            tr("That is a sum. Whose share of the sand is one value?"),
        ),
        (
            _matched(_repeated, compared=lambda u, v: (u - v).abs().mean()),
            tr("That is the mean way. The work here is the way squared."),
        ),
        (
            _matched(_repeated, compared=lambda u, v: (u - v).square().mean().sqrt()),
            tr("No root is asked for: the mean of the squares."),
        ),
        (
            _interpolated,
            tr(
                "Interpolated values are none of those that were given. "
                "Could a value be split, and each part go its own way?"
            ),
        ),
        (_matched(_cut), LOST),
        (_matched(_cut_sorted), LOST),
        (
            _matched(
                lambda u, v: (u.repeat(len(v)), v.repeat_interleave(len(u))), order=lambda u: u
            ),
            tr("That is the mean over all pairs. Each piece of sand goes to one place only."),
        ),
    ],
    hint=tr(
        "For equally long lists: sort both, mean of the squared differences. Then make them so."
    ),
    praise=tr("Sand in one dimension never crosses its own way; that is why sorting is enough."),
)
def least_work(u: Tensor, v: Tensor) -> Tensor:
    """Chapter 14: the mean squared way of the sand of u to the places of v, of any two lengths."""
    return _matched(_repeated)(u, v)


@checker
def name_the_loss(answer: object) -> str:
    """Chapter 14: which loss moved which cloud; a function that returns a dict."""
    check_names(result_of(answer), MOVED_BY, LOSSES, _seen_by(), tr("cloud"))
    return tr("All five: what a loss does not see, it leaves as it was.")


def _seen_by() -> dict[str, str]:
    """Hints by the loss, without telling it."""
    return {
        "gram": tr(
            "It has the painting's second moments, seen from 0. Which one has them, but not its "
            "mean?"
        ),
        "moments": tr("Is it the start, only shifted and stretched along the two axes?"),
        "wasserstein": tr(
            "It lies as wide and as tilted as the painting, but what is its outline?"
        ),
        "sliced": tr("What is left of the shape of the start?"),
        "nearest": tr(
            "Look from the middle of the painting: in which directions are there points, and "
            "how far out?"
        ),
    }
