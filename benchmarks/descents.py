"""Ways down the same loss, L_total with its defaults, from the content picture, with a clock."""

import math
import statistics
import time
from itertools import pairwise

import torch
from recipes import Recipe
from torch import Tensor

from stlib import VGG, style_transfer
from stlib.descent import Evaluation, Reason, descend, lbfgs
from stlib.objective import Objective
from stlib.settings import PAPER
from stlib.solver import pixels

HISTORY_SIZE = 100  # of the plain L-BFGS: PyTorch's default, which the tutorials keep


class Clock:
    """The evaluations of a run, with the seconds since it was made.

    p: a picture of the full size. target: the loss at full size that ends the run.
    """

    def __init__(self, p: Tensor, target: float = -math.inf):
        self.full = p.shape[2:].numel()
        self.target = target
        self.losses: list[float] = []  # at full size
        self.times: dict[int, list[float]] = {}  # of the evaluations of each number of pixels
        self.began = time.perf_counter()

    def note(self, x: Tensor, losses: dict[str, float]) -> bool:
        """Write an evaluation down; true when it reaches the target."""
        now = time.perf_counter() - self.began
        self.times.setdefault(x.shape[2:].numel(), []).append(now)
        if x.shape[2:].numel() < self.full:
            return False
        # as it is stored, so that a target that was stored can be reached exactly
        self.losses.append(float(f"{losses['total']:.6g}"))
        return self.losses[-1] <= self.target

    def ends(self, seen: Evaluation) -> Reason | None:
        """`note` for `descend`."""
        return Reason.CALLBACK if self.note(seen.x, seen.losses) else None

    def trace(self) -> dict:
        """The run in numbers: its losses at full size, and where its seconds went.

        "stages": evaluations at each size, and the median seconds of one.
        "set_up": all other seconds.
        """
        stages = {}
        for size, times in self.times.items():
            seconds = [after - before for before, after in pairwise(times)]
            pace = statistics.median(seconds or [0.0])
            stages[str(size)] = {"evaluations": len(times), "seconds": pace}
        end = max(times[-1] for times in self.times.values())
        spent = sum(stage["evaluations"] * stage["seconds"] for stage in stages.values())
        return {
            "losses": self.losses,
            "stages": stages,
            "set_up": end - spent,
            "seconds": end,
            "reached": self.losses[-1] <= self.target,
        }


def fast(net: VGG, p: Tensor, a: Tensor, evaluations: int, target: float = -math.inf) -> dict:
    """`style_transfer` with the fast solver, down the paper's loss."""
    clock = Clock(p, target)

    def note(_: int, x: Tensor, losses: dict[str, float]) -> bool:
        return clock.note(x, losses)

    settings = {"solver": "fast", "steps": evaluations} | PAPER
    style_transfer(p, a, net=net, progress=False, callback=note, **settings)
    return clock.trace()


def plain(net: VGG, p: Tensor, a: Tensor, evaluations: int, start: Tensor | None = None) -> dict:
    """L-BFGS on the pixels with a strong-Wolfe line search and a history of 100.

    start: the first picture; None is p.
    """
    clock = Clock(p)
    x, picture = pixels(p if start is None else start)
    descend(Objective(net, p, a), x, picture, plain_lbfgs(x), evaluations, clock.ends)
    return clock.trace()


def plain_lbfgs(x: Tensor) -> torch.optim.LBFGS:
    """The optimiser of `plain`: that of `style_transfer`, with the history that others keep."""
    optimizer = lbfgs(x)
    optimizer.param_groups[0]["history_size"] = HISTORY_SIZE
    return optimizer


def follow(recipe: Recipe, evaluations: int) -> dict:
    """A recipe down its own loss, with its own optimiser, which finishes its last step.

    evaluations: at least so many. Returns also how many steps an L-BFGS remembers in the end.
    """
    clock = Clock(recipe.x)

    def closure() -> Tensor:
        loss = recipe.evaluate()
        clock.note(recipe.x, {"total": float(loss.detach())})
        return loss

    while len(clock.losses) < evaluations:
        recipe.optimizer.step(closure)
    remembered = recipe.optimizer.state.get(recipe.x, {}).get("old_dirs", [])
    return {**clock.trace(), "remembered": len(remembered)}
