"""How far a quadratic model of the loss holds: a step of Newton's method, which believes in it, beside L-BFGS."""

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from stlib import VGG, style_transfer
from stlib.objective import Objective

DIFFERENCE = 2e-3  # of a pixel's range, on average: the change of the picture whose change of the gradient shows the curvature
SHARES = (1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32)  # of Newton's step


def newton(net: VGG, p: Tensor, a: Tensor, evaluations: int, directions: int) -> dict:
    """A truncated Newton step from where some evaluations of the plain solver have led, and how that solver goes on.

    directions: of `conjugate_gradients`, at most. Returns the losses that the quadratic model promises and those that the
    picture has, for some shares of the step, and the loss of L-BFGS after as many evaluations.
    """
    objective, seen = Objective(net, p, a), []
    style_transfer(
        p,
        a,
        net=net,
        solver="plain",
        steps=evaluations + directions + len(SHARES),
        progress=False,
        callback=lambda _, x, losses: seen.append(
            (losses["total"], x.clone() if len(seen) < evaluations else None)
        ),
    )
    loss, x = min(seen[:evaluations], key=lambda pair: pair[0])

    def gradient(x: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        return torch.autograd.grad(objective(x)[0], x)[0]

    d, g, made = conjugate_gradients(gradient, x, directions)
    slope, steps = float((g * d).sum()), []
    with torch.no_grad():
        for share in SHARES:
            # where conjugate gradients stop, dᵀHd = −gᵀd
            steps.append(
                {
                    "share": share,
                    "model": loss + slope * (share - share**2 / 2),
                    "loss": objective(x + share * d)[1]["total"],
                }
            )
    lowest = [*itertools.accumulate((loss for loss, _ in seen), min)]
    return {
        "evaluations": evaluations,
        "loss": loss,
        "directions": made,
        "steps": steps,
        "lbfgs": lowest[evaluations + made + len(SHARES) - 1],
    }


def conjugate_gradients(
    gradient: Callable[[Tensor], Tensor], x: Tensor, directions: int
) -> tuple[Tensor, Tensor, int]:
    """The step d to the lowest point of the quadratic model at x, L(x) + gᵀd + ½ dᵀHd, among those that some directions span.

    No method that only asks for gradients gets lower on the model with as many. A product Hq costs a gradient beside x.
    directions: q at most; they end where the curvature qᵀHq is not positive, for there the model has no lowest point.
    Returns d, the gradient g at x, and the number of directions looked at.
    """
    g = gradient(x)
    d, r, made = torch.zeros_like(g), -g, 0
    q = r
    for _ in range(directions):
        made += 1
        length = DIFFERENCE * math.sqrt(q.numel()) / float(q.norm())
        Hq = (gradient(x + length * q) - g) / length
        curvature, rr = (q * Hq).sum(), (r * r).sum()
        if curvature <= 0:
            break
        d = d + rr / curvature * q
        r = r - rr / curvature * Hq
        q = r + (r * r).sum() / rr * q
    return d, g, made
