"""Ways down the same loss: this course's L_total with its defaults, from the content picture, with a clock beside it."""

import itertools
import math
import statistics
import time

import torch
from recipes import KERAS_RATE, KERAS_WEIGHTS, Recipe
from torch import Tensor

from stlib import VGG, style_layer_loss, style_target, style_transfer
from stlib.objective import Objective
from stlib.settings import STYLE_LAYERS

HISTORY_SIZE = 100  # of the plain L-BFGS: PyTorch's default, and what the tutorials keep
HOPELESS = 100.0  # times the start's loss: there a run has diverged
HARDLY = 1e-6  # standard deviation of noise on a start that nobody would call another start; a rounding error is a tenth of it


class Clock:
    """What was evaluated when, since it was made: seconds, pixels and losses of all evaluations so far."""

    def __init__(self, pixels: int, evaluations: int | None = None, target: float = -math.inf):
        self.full, self.evaluations, self.target = pixels, evaluations, target
        self.seconds, self.pixels, self.losses = [], [], []
        self.began = time.perf_counter()

    def note(self, x: Tensor, loss: float) -> bool:
        """Write an evaluation down; true when it was the last one: the target is reached, or the number, or no hope left."""
        self.seconds.append(time.perf_counter() - self.began)
        loss = float(
            f"{loss:.6g}"
        )  # as it is stored, so that a target that was stored can be reached exactly
        self.pixels.append(x.shape[2] * x.shape[3])
        self.losses.append(loss)
        if self.pixels[-1] < self.full:
            return False
        start = self.losses[self.pixels.index(self.full)]
        return (
            loss <= self.target
            or len(self.losses) == self.evaluations
            or not loss < HOPELESS * start
        )

    def trace(self) -> dict:
        """The run in numbers: seconds and losses at full size; evaluations of each size and their seconds; the rest is set-up."""
        full = [
            (s, loss)
            for s, pixels, loss in zip(self.seconds, self.pixels, self.losses, strict=True)
            if pixels == self.full and math.isfinite(loss)
        ]
        stages = {}
        for pixels in dict.fromkeys(self.pixels):
            seconds = [
                s for s, these in zip(self.seconds, self.pixels, strict=True) if these == pixels
            ]
            steps = [after - before for before, after in itertools.pairwise(seconds)]
            stages[str(pixels)] = {
                "evaluations": len(seconds),
                "seconds": statistics.median(steps or [0.0]),
            }
        set_up = self.seconds[-1] - sum(
            stage["evaluations"] * stage["seconds"] for stage in stages.values()
        )
        return {
            "seconds": [round(s, 3) for s, _ in full],
            "losses": [loss for _, loss in full],
            "stages": stages,
            "set_up": set_up,
            "reached": full[-1][1] <= self.target,
            "diverged": not self.losses[-1] < HOPELESS * full[0][1],
        }


def fast(net: VGG, p: Tensor, a: Tensor, steps: int, target: float = -math.inf) -> dict:
    """`style_transfer(solver="fast")`, ended at the first picture of full size whose loss is the target's."""
    clock = Clock(p.shape[2] * p.shape[3], target=target)
    style_transfer(
        p,
        a,
        net=net,
        solver="fast",
        steps=steps,
        progress=False,
        callback=lambda _, x, losses: clock.note(x, losses["total"]),
    )
    return clock.trace()


def plain(
    net: VGG,
    p: Tensor,
    a: Tensor,
    evaluations: int,
    target: float = -math.inf,
    seed: int | None = None,
) -> dict:
    """L-BFGS on the pixels with a strong-Wolfe line search and a history of 100.

    seed: of HARDLY any noise on the start, to see how much of a run is luck; None adds none.
    """
    start = (
        p
        if seed is None
        else p + HARDLY * torch.randn(p.shape, generator=torch.Generator().manual_seed(seed))
    )
    return _descend(
        net, p, a, evaluations, target, lambda x: plain_lbfgs(x, evaluations), start=start
    )


def plain_lbfgs(x: Tensor, evaluations: int) -> torch.optim.LBFGS:
    """The optimiser of `plain`, which ends after so many evaluations and not before."""
    return torch.optim.LBFGS(
        [x],
        max_iter=evaluations,
        max_eval=evaluations,
        history_size=HISTORY_SIZE,
        line_search_fn="strong_wolfe",
        tolerance_grad=0,
        tolerance_change=0,
    )


def adam(
    net: VGG, p: Tensor, a: Tensor, evaluations: int, rate: float, target: float = -math.inf
) -> dict:
    """Adam on the pixels."""
    return _descend(net, p, a, evaluations, target, lambda x: torch.optim.Adam([x], lr=rate))


def sgd(
    net: VGG, p: Tensor, a: Tensor, evaluations: int, rate: float, target: float = -math.inf
) -> dict:
    """Gradient descent with the schedule of the Keras example: no momentum, × 0.96 every 100 steps; rate: of `keras_rate`."""
    first = rate * keras_rate(net, p, a)
    return _descend(
        net,
        p,
        a,
        evaluations,
        target,
        lambda x: torch.optim.SGD([x], lr=first),
        decay=0.96 ** (1 / 100),
    )


def followed(recipe: Recipe, evaluations: int) -> dict:
    """A recipe, with the optimiser that it brings."""
    clock = Clock(recipe.x.shape[2] * recipe.x.shape[3], evaluations)

    def closure() -> Tensor:
        loss = recipe.evaluate()
        if clock.note(recipe.x, float(loss)):
            raise Last
        return loss

    try:
        while True:
            recipe.optimizer.step(closure)
    except Last:
        return clock.trace()


def keras_rate(net: VGG, p: Tensor, a: Tensor) -> float:
    """The rate with which the first step down our loss is as long as the Keras example's first step down its own.

    Its rate of 100 belongs to the gradient of its loss, for pixels from 0 to 255, and that loss has other layers, unnormalised.
    At the content picture its content loss has no gradient, and its total variation next to none, so the style decides.
    """
    x = p.clone().requires_grad_()
    trained = VGG(normalized=False, device="cpu")
    with torch.no_grad():
        targets = {layer: style_target(f) for layer, f in trained.features(a, STYLE_LAYERS).items()}
    loss = 0
    for layer, features in trained.features(x, STYLE_LAYERS).items():
        N, M = features.shape[1], features.shape[2] * features.shape[3]
        as_multiple = (N / 3) ** 2 * (M / (x.shape[2] * x.shape[3])) ** 2  # of E_l
        loss = loss + KERAS_WEIGHTS["style"] / len(STYLE_LAYERS) * as_multiple * style_layer_loss(
            features, targets[layer]
        )
    (theirs,) = torch.autograd.grad(loss, x)
    (our,) = torch.autograd.grad(Objective(net, p, a)(x)[0], x)
    return KERAS_RATE / 255**2 * float(theirs.norm() / our.norm())


class Last(Exception):
    """The evaluation just noted was the last one."""


def _descend(
    net: VGG,
    p: Tensor,
    a: Tensor,
    evaluations: int,
    target: float,
    optimizer,
    decay: float = 1.0,
    start: Tensor | None = None,
) -> dict:
    clock = Clock(p.shape[2] * p.shape[3], evaluations, target)
    objective = Objective(net, p, a)
    x = (p if start is None else start).clone().requires_grad_()
    optimizer = optimizer(x)

    def closure() -> Tensor:
        x.grad = None
        total, losses = objective(x)
        total.backward()
        if clock.note(x, losses["total"]):
            raise Last
        return total

    try:
        while True:
            optimizer.step(closure)
            for group in optimizer.param_groups:
                group["lr"] *= decay
    except Last:
        return clock.trace()
