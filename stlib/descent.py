"""One small loop: change z until the loss of the picture that it stands for is low."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from stlib._language import tr
from stlib.arguments import check_floats, check_weight, checked

HISTORY_SIZE = 10  # pairs of vectors that L-BFGS remembers; 20 and 50 ended within 2 % of the loss
# of z with more numbers than a picture of 4 megapixels has, where each pair takes 100 MB and more
SHORT_HISTORY = 5
LARGE = 12_000_000
LONGEST_SEARCH = 25  # evaluations of one line search; most need one or two


class Reason(StrEnum):
    """Why a run ended; `message` says it to the person who waits for the picture."""

    STEPS = "steps"
    CONVERGED = "converged"
    CALLBACK = "callback"
    INTERRUPTED = "interrupted"
    NOT_FINITE = "not finite"
    OUT_OF_MEMORY = "out of memory"

    @property
    def message(self) -> str:
        """A sentence with {done} and {of}, the evaluations that were made and planned."""
        match self:
            case Reason.STEPS:
                return tr("All {of} evaluations were made.")
            case Reason.CONVERGED:
                return tr("After {done} evaluations the optimiser found nothing to improve.")
            case Reason.CALLBACK:
                return tr("The callback ended it after {done} of {of} evaluations.")
            case Reason.INTERRUPTED:
                return tr("It was interrupted after {done} of {of} evaluations.")
            case Reason.NOT_FINITE:
                return tr(
                    "the loss was no longer finite at evaluation {done} of {of}; this is the best "
                    "picture until then. Try a smaller beta."
                )
            case Reason.OUT_OF_MEMORY:
                return tr(
                    "the memory was full at evaluation {done} of {of}; this is the best picture "
                    "until then. Close other programs, or take smaller pictures."
                )


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of an objective: where, of which picture, and what came out.

    z: what the optimiser changes. x: the picture, [1, 3, H, W]. losses: as an `Objective` returns
    them. gradient: of the total loss with respect to z.
    """

    z: Tensor
    x: Tensor
    losses: dict[str, float]
    gradient: Tensor | None


@checked
def descend(
    objective: Callable[[Tensor], tuple[Tensor, dict[str, float]]],
    z: Tensor,
    picture: Callable[[Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    evaluations: int,
    note: Callable[[Evaluation], Reason | None],
    known: Evaluation | None = None,
) -> Reason:
    """Change z, in place, so that objective(picture(z)) falls.

    objective: x ↦ (L_total, its terms as numbers, the total under "total").
    z: a leaf tensor that asks for a gradient. picture: z ↦ x, differentiable.
    optimizer: of z. evaluations: of the objective, at most.
    note: called with each evaluation; a Reason that it returns ends the descent.
    known: the evaluation of z, if there was one before.
    Returns why it ended.
    """
    check_floats("z", z)
    if not z.requires_grad:
        raise ValueError(tr("z asks for no gradient: call z.requires_grad_() first."))
    left = evaluations
    recent = [known] if known else []  # evaluations of this step, and of the z at which it began

    def closure() -> float:
        nonlocal left
        for seen in recent:  # L-BFGS begins each step at a point that the last one has tried
            if torch.equal(seen.z, z):
                z.grad = seen.gradient
                return seen.losses["total"]
        if left <= 0:
            raise _Stop(Reason.STEPS)
        z.grad = None
        x = picture(z)
        total, losses = objective(x)
        if not math.isfinite(losses["total"]):
            raise _Stop(Reason.NOT_FINITE)
        total.backward()
        left -= 1
        seen = Evaluation(z.detach().clone(), x.detach().clone(), losses, z.grad)
        recent.append(seen)
        if reason := note(seen):
            raise _Stop(reason)
        return losses["total"]

    try:
        while True:
            before = z.detach().clone()
            recent[:] = [seen for seen in recent if torch.equal(seen.z, z)]
            optimizer.step(closure)
            if torch.equal(z, before):  # the slope is 0, or nothing along it is lower
                return Reason.CONVERGED
    except _Stop as stop:
        return stop.reason


class _Stop(Exception):
    """Leaves the middle of an optimiser's step, which may hold many evaluations."""

    def __init__(self, reason: Reason):
        super().__init__(reason)
        self.reason = reason


@checked
def lbfgs(z: Tensor, first_step: float = 1.0) -> torch.optim.LBFGS:
    """PyTorch's L-BFGS with a line search: one step per call, and no stopping rule of its own.

    z: what it changes. first_step: the length of the first step, times PyTorch's own, in which all
        changes together add up to 1.
    """
    check_floats("z", z)
    check_weight("first_step", first_step)
    # Gatys' L-BFGS takes every step at its full length. From some pictures that diverges within a
    # few evaluations (the loss of the castle at 224 pixels grew by a factor of 1e191); a line
    # search costs few evaluations and cannot diverge.
    optimizer = torch.optim.LBFGS(
        [z],
        lr=first_step,
        max_iter=1,
        max_eval=LONGEST_SEARCH + 1,
        history_size=history_size(z.numel()),
        line_search_fn="strong_wolfe",
        tolerance_grad=0,
        tolerance_change=0,
    )
    optimizer.register_step_post_hook(_full_steps)
    return optimizer


def history_size(numbers: int) -> int:
    """How many pairs of vectors L-BFGS remembers when it changes so many numbers."""
    return HISTORY_SIZE if numbers <= LARGE else SHORT_HISTORY


def _full_steps(optimizer: torch.optim.Optimizer, *_: object) -> None:
    """Later steps of L-BFGS begin with their natural length."""
    optimizer.param_groups[0]["lr"] = 1.0
