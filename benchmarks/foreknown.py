"""What smaller pictures can save at most: the fast solver's last stage, told the best that one could know."""

import math
from collections.abc import Callable

import descents
import torch
from torch import Tensor

from stlib import VGG
from stlib.colour import match_colours
from stlib.objective import Objective
from stlib.solver import (
    FINE_GRAIN,
    FINE_POWER,
    LBFGS,
    enlarge,
    fine_detail,
    grain,
    pixels,
    shrink,
    smooth,
    waves,
)

SHARE = 1 / 2  # of the size: that of the last smaller picture of the fast solver


def last_stage(net: VGG, p: Tensor, a: Tensor, evaluations: int, steps: int) -> dict:
    """The losses of the last stage when the smaller picture is the plain solver's own result, shrunk, and not one to be found.

    evaluations: of the plain solver, which set the target. steps: evaluations of the last stage, at most; it ends at the target.
    """
    objective = Objective(net, p, a)
    x, picture = pixels(p)
    ends, result = descend(objective, x, picture, descents.plain_lbfgs(x, evaluations), evaluations)
    start = match_colours(p, a).clamp(0, 1)
    x0 = enlarge(smooth(shrink(result, SHARE)), p.shape[2:]) + fine_detail(
        start, shrink(start, SHARE)
    )
    z, picture = waves(x0 + grain(x0, FINE_GRAIN, 0.0, seed=0), FINE_POWER)
    losses, _ = descend(objective, z, picture, LBFGS(z, steps), steps, target=min(ends))
    return {"target": min(ends), "losses": losses}


def descend(
    objective: Objective,
    z: Tensor,
    picture: Callable[[Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    evaluations: int,
    target: float = -math.inf,
) -> tuple[list[float], Tensor]:
    """Change z until picture(z) has the target's loss or the evaluations are used up; returns all losses and the best picture."""
    losses, best = [], None

    def closure() -> Tensor:
        nonlocal best
        z.grad = None
        x = picture(z)
        total, found = objective(x)
        total.backward()
        losses.append(float(f"{found['total']:.6g}"))
        if losses[-1] == min(losses):
            best = x.detach().clone()
        if len(losses) == evaluations or losses[-1] <= target:
            raise descents.Last
        return total

    try:
        while True:
            optimizer.step(closure)
    except descents.Last:
        return losses, best
