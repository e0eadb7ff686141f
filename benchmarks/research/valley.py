"""Would a better model of the loss help? A step of Newton's method beside L-BFGS."""

import itertools
import math
from collections.abc import Callable

import common
import report
import run
import torch
from torch import Tensor

from stlib import VGG, sample, style_transfer
from stlib.objective import Objective

# mean change of the picture, in ranges of a pixel, whose change of the gradient shows the curvature
DIFFERENCE = 2e-3
SHARES = (1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32)  # of Newton's step


def measure(size: int = 256, evaluations: int = 100, directions: int = 12) -> dict:
    """A truncated Newton step for each pair, from where the plain solver has led.

    evaluations, directions: of the plain solver before the step, and of conjugate gradients for it.
    """
    net = VGG(device="cpu")
    pairs = []
    for content, style in run.PAIRS:
        found = newton(net, sample(content, size), sample(style, size), evaluations, directions)
        pairs.append({"content": content, "style": style, **found})
    return {"size": size, "pairs": pairs}


def newton(net: VGG, p: Tensor, a: Tensor, evaluations: int, directions: int) -> dict:
    """The losses that the quadratic model promises and those of the picture, for shares of a step.

    Returns also the loss of L-BFGS after as many evaluations.
    """
    seen = []  # loss and picture; pictures only as far as one of them can be the start of the step

    def note(_: int, x: Tensor, losses: dict[str, float]) -> None:
        seen.append((losses["total"], x if len(seen) < evaluations else None))

    steps = evaluations + directions + len(SHARES)
    style_transfer(p, a, net=net, solver="plain", steps=steps, progress=False, callback=note)
    loss, x = min(seen[:evaluations], key=lambda pair: pair[0])
    objective = Objective(net, p, a)

    def gradient(x: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        return torch.autograd.grad(objective(x)[0], x)[0]

    d, g, made = conjugate_gradients(gradient, x, directions)
    slope = float((g * d).sum())
    found = []
    with torch.no_grad():
        for share in SHARES:
            # where conjugate gradients stop, dᵀHd = −gᵀd
            model = loss + slope * (share - share**2 / 2)
            found.append(
                {"share": share, "model": model, "loss": objective(x + share * d)[1]["total"]}
            )
    lowest = list(itertools.accumulate((loss for loss, _ in seen), min))
    return {
        "evaluations": evaluations,
        "loss": loss,
        "directions": made,
        "steps": found,
        "lbfgs": lowest[evaluations + made + len(SHARES) - 1],
    }


def conjugate_gradients(
    gradient: Callable[[Tensor], Tensor], x: Tensor, directions: int
) -> tuple[Tensor, Tensor, int]:
    """The step d to the lowest point of the quadratic model at x, L(x) + gᵀd + ½ dᵀHd.

    No method that only asks for gradients gets lower on the model with as many of them. A product
    Hq costs a gradient beside x.
    directions: q, at most; they end where the curvature qᵀHq is not positive, for there the model
        has no lowest point.
    Returns d, the gradient g at x, and the number of directions looked at.
    """
    g = gradient(x)
    d = torch.zeros_like(g)
    r = q = -g
    made = 0
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


def table(found: dict) -> str:
    rows = []
    for pair in found["pairs"]:
        name = f"{pair['content']} × {pair['style']}"
        for what, word in (("model", "promised"), ("loss", "found")):
            losses = [f"{step[what] / pair['loss']:.3f}" for step in pair["steps"]]
            rows.append([f"{name}: {word}", *losses, ""])
        rows[-1][-1] = f"{pair['lbfgs'] / pair['loss']:.3f}"
    shares = [f"{step['share']:g}" for step in pair["steps"]]
    return report.table(["loss, × before; share of the step:", *shares, "L-BFGS"], rows)


if __name__ == "__main__":
    common.answer(__file__, measure, table)
