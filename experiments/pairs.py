"""What experiments share: pairs of samples, both sides equally long, starts, and judges."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from stlib import VGG, descend, sample
from stlib.descent import Evaluation
from stlib.losses import total_variation
from stlib.objective import Objective
from stlib.settings import Settings

PAIRS = (
    "castle × cafe-terrace",
    "cat × harvest-at-la-crau",
    "astronaut × langlois-bridge",
)
MORE_PAIRS = (
    *PAIRS,
    "castle × church-at-auvers",
    "cat × cafe-terrace",
    "astronaut × church-at-auvers",
)
PHOTOS = ("castle", "cat", "astronaut")
PAINTINGS = ("cafe-terrace", "harvest-at-la-crau", "church-at-auvers")
ALL_PAINTINGS = (*PAINTINGS, "langlois-bridge")


def pair(name: str, size: int) -> tuple[Tensor, Tensor]:
    """Photo and painting of "photo × painting", the longer side of each `size` pixels."""
    photo, painting = name.split(" × ")
    return sample(photo, size), sample(painting, size)


def noise_like(picture: Tensor, seed: int) -> Tensor:
    """Uniform noise of a picture's shape."""
    return torch.rand(picture.shape, generator=torch.Generator().manual_seed(seed))


def perturbed(picture: Tensor, seed: int) -> Tensor:
    """A picture with noise of one level of 255: the eye sees none, but a run takes another way."""
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(seed))
    return (picture + noise / 255).clamp(0, 1)


def variation_per_value(picture: Tensor) -> float:
    """The total variation of a picture over how many numbers it has."""
    return float(total_variation(picture) / picture.numel())


def chroma(picture: Tensor) -> float:
    """How far, as a root mean square, the colours of a picture are from grey."""
    return float((picture - picture.mean(dim=1, keepdim=True)).square().mean().sqrt())


def colour(picture: Tensor) -> float:
    """The same for areas of 8 × 8 pixels: grain is coloured, too, and cancels out in an area."""
    return chroma(avg_pool2d(picture, 8))


def best_after(
    objective: Objective,
    z: Tensor,
    optimizer: torch.optim.Optimizer,
    budgets: Sequence[int],
    picture: Callable[[Tensor], Tensor] = lambda z: z,
) -> tuple[dict[int, Tensor], list[float]]:
    """The best picture after each number of evaluations of one descent, and all losses.

    A descent that stops early, because its loss is no longer finite, keeps its best picture.
    """
    totals: list[float] = []
    best: dict[int, Tensor] = {}
    lowest = torch.tensor([])

    def note(seen: Evaluation) -> None:
        nonlocal lowest
        if seen.losses["total"] < min(totals, default=float("inf")):
            lowest = seen.x.clamp(0, 1)
        totals.append(seen.losses["total"])
        if len(totals) in budgets:
            best[len(totals)] = lowest

    descend(objective, z, picture, optimizer, max(budgets), note)
    return {budget: best.get(budget, lowest) for budget in budgets}, totals


def judged(net: VGG, content: Tensor, style: Tensor, picture: Tensor) -> dict[str, Any]:
    """L_content of a picture as a mean square, L_style, and E_l by layer."""
    objective = Objective(net, content, style, Settings())
    with torch.no_grad():
        _, losses = objective(picture)
    return {
        "content": 2 * losses["content"] / objective.P["relu4_2"].numel(),
        "style": losses["style"],
        "E": {layer: losses[layer] for layer in objective.w},
    }
