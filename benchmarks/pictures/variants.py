"""The variants of the default call that parts.py measures, as data, and how they are painted."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import mean
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as nnf
from torch import Tensor

from stlib import (
    VGG,
    Objective,
    Result,
    equal_pulls,
    match_colours,
    objective,
    pyramid,
    settings,
    solver,
    style_transfer,
)
from stlib.layers import find_layer
from stlib.objective import PAINTING_MARGIN, default_beta
from stlib.settings import CLEAN, CONTENT_LAYERS, PAPER
from stlib.solver import (
    COARSE_POWER,
    COLOUR_LIMIT,
    FINE_GRAIN,
    FINE_POWER,
    FIRST_STEP,
    Stage,
)

LEAPING = "longer first step, more grain"
REFERENCE = "plain, clean terms"  # to its lowest loss, schedules are timed
FINE = 0.7  # share of the size from which a stage of a schedule is fine
ROOT = 2**-0.5
EQUAL = {"style_weights": PAPER["style_weights"]}
PULLED = {"style_weights": [4 / 13, 4 / 13, 2 / 13, 2 / 13, 1 / 13]}
CROWSON = {"style_weights": [w / 341 for w in (256, 64, 16, 4, 1)]}
ZERO = EQUAL | {"padding": "zero"}


@dataclass(frozen=True)
class Variant:
    """A way to paint that differs in something from the default call.

    settings: of `style_transfer`. beta: a factor of the default β.
    pull: from 0 for equal w_l to 1 for those with which all layers pull equally; None takes what
        the settings say.
    limit, start_limit: of colours in the waves that move, and in the starts of stages, in cycles
        per pixel.
    coloured: start with grain that differs from channel to channel.
    margins, crops: of the picture, and of the painting, in pixels; see `BorderVGG`.
    painting_margin: `objective.PAINTING_MARGIN`, which is younger than all variants but the default
        call.
    schedule: {share of the size: evaluations} of each stage; None is the default's.
    fine_power: of its stages from `FINE` on, for `solver.waves`.
    first_step, fine_grain: `solver.FIRST_STEP` and `solver.FINE_GRAIN`; all variants but the
        default call were measured with these longer and coarser ones, which were the default's.
    mirror: paint also after the painting's mirror image, for `mirror_ghost`.
    sizes: longer sides in pixels.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=lambda: EQUAL)
    beta: float = 1.0
    pull: float | None = None
    limit: float = COLOUR_LIMIT
    start_limit: float = COLOUR_LIMIT
    coloured: bool = False
    margins: tuple[int, int] = (0, 0)
    crops: tuple[int, int] = (0, 0)
    painting_margin: int = 0
    schedule: Mapping[float, int] | None = None
    fine_power: float = FINE_POWER
    first_step: float = 0.01
    fine_grain: float = 0.03
    mirror: bool = False
    sizes: Sequence[int] = (384,)

    def stages(self, steps: int, shorter_side: int) -> list[Stage]:
        """The stages of a run, as `solver.stages` gives them."""
        if self.settings.get("solver") == "plain":
            return [Stage(1.0, steps)]
        if self.schedule is None:
            return solver.stages(steps, shorter_side)
        return [
            Stage(
                share,
                max(1, round(evaluations * steps / 100)),
                self.fine_power if share > FINE else COARSE_POWER,
            )
            for share, evaluations in self.schedule.items()
            if share == 1 or share * shorter_side >= solver.SMALLEST_SIDE
        ]


def before(name: str = "old", sizes: Sequence[int] = (384,), **more: Any) -> Variant:
    """The default call of 0.1.0, with more settings."""
    unlimited = math.inf
    return Variant(
        name,
        PAPER | more,
        limit=unlimited,
        start_limit=unlimited,
        coloured=True,
        mirror=name == "old",
        sizes=sizes,
    )


SCHEDULES = {
    "D1": {1 / 4: 80, ROOT / 2: 80, 1 / 2: 60, ROOT: 40, 1: 40},
    "D2": {1 / 4: 80, ROOT / 2: 60, 1 / 2: 40, ROOT: 30, 1: 25},
    "D3": {1 / 4: 80, 1 / 2: 60, 1: 60},
    "D4": {1 / 4: 120, 1 / 2: 80, 1: 30},
    "D5": {1 / 4: 80, ROOT / 2: 40, 1 / 2: 40, ROOT: 25, 1: 15},
    "D6": {1 / 4: 150, ROOT / 2: 100, 1 / 2: 80, ROOT: 50, 1: 30},
    "D7": {1 / 4: 60, 1 / 2: 40, ROOT: 40, 1: 60},
}
VARIANTS = (
    Variant(
        "default",
        {},
        painting_margin=PAINTING_MARGIN,
        first_step=FIRST_STEP,
        fine_grain=FINE_GRAIN,
        sizes=(256, 384, 512),
    ),
    Variant(LEAPING, {}, painting_margin=PAINTING_MARGIN, sizes=(256, 384, 512, 1024)),
    before(sizes=(256, 384, 512, 1024)),
    # each part alone
    before("old + replicate", padding="replicate"),
    before("old + overflow", overflow=CLEAN["overflow"]),
    before("old + roughness", roughness=CLEAN["roughness"]),
    Variant("old + limit", PAPER, start_limit=math.inf),
    Variant("old + limit, start too", PAPER),
    # each part left out
    Variant("clean", mirror=True, sizes=(384, 512)),
    Variant("clean − limit", limit=math.inf, start_limit=math.inf),
    Variant("clean − roughness", EQUAL | {"roughness": 0.0}),
    Variant("clean − overflow", EQUAL | {"overflow": 0.0}),
    Variant("clean − replicate", ZERO, mirror=True),
    # what the network sees beyond the border
    Variant("zero, painting mirrored", ZERO, margins=(0, 64), mirror=True),
    Variant("replicate, painting mirrored", margins=(0, 64), mirror=True),
    Variant("zero, both mirrored", ZERO, margins=(32, 64), mirror=True),
    Variant("zero, both cropped", ZERO, crops=(16, 16), mirror=True),
    Variant("zero, painting cropped", ZERO, crops=(0, 32), mirror=True),
    Variant("replicate, both cropped", crops=(16, 16), mirror=True),
    # balance and weights
    Variant("β × 1.3", beta=1.3, sizes=(512,)),
    Variant("β × 2", beta=2),
    Variant("β × 4", beta=4),
    Variant("equal pulls", pull=1),
    Variant("Crowson's", CROWSON),
    Variant("zero, β × 1.5", ZERO, beta=1.5),
    Variant("zero, β × 2", ZERO, beta=2),
    Variant("zero, equal pulls", ZERO, pull=1),
    Variant("zero, root of equal pulls", ZERO, pull=0.5),
    Variant("root of equal pulls, β × 1.2", pull=0.5, beta=1.2, sizes=(512,)),
    Variant("4:4:2:2:1", PULLED, sizes=(512,)),
    Variant("4:4:2:2:1, β × 1.5", PULLED, beta=1.5, sizes=(256, 512)),
    Variant("4:4:2:2:1, β × 2.2", PULLED, beta=2.2, sizes=(512,)),
    Variant("zero, 4:4:2:2:1, β × 1.5", PULLED | {"padding": "zero"}, beta=1.5, sizes=(512,)),
    # less of a price for differences between neighbouring pixels
    *(
        Variant(
            f"roughness {weight}",
            {"roughness": weight},
            painting_margin=PAINTING_MARGIN,
            sizes=(512,),
        )
        for weight in (0.3, 0.1)
    ),
    # schedules
    Variant(REFERENCE, EQUAL | CLEAN | {"solver": "plain"}),
    Variant("plain, as in the paper", EQUAL | {"solver": "plain"}),
    *(
        Variant(name, schedule=schedule, fine_power=0.5 if name == "D7" else FINE_POWER)
        for name, schedule in SCHEDULES.items()
    ),
)


class BorderVGG(VGG):
    """A VGG that sees a mirrored margin around a picture, or less than the whole picture.

    margins, crops: of the photo and what is painted, and of the painting, in pixels. Features of
        the margin, and style features of the crop, are cut away again.
    """

    margins = crops = (0, 0)

    def walk(
        self, image: Tensor, layers: Iterable[str], padding: str = "zero"
    ) -> Iterator[tuple[str, Tensor]]:
        asked = tuple(layers)
        is_painting = not set(asked) & set(CONTENT_LAYERS)
        size = image.shape[2:]
        margin = possible_margin(self.margins[is_painting], size)
        for layer, F in super().walk(with_margin(image, margin), asked, padding):
            F = without_margin(F, layer, margin, size)
            if layer not in CONTENT_LAYERS:
                F = cropped(F, self.crops[is_painting] // stride(layer))
            yield layer, F.contiguous(memory_format=torch.channels_last)


def possible_margin(margin: int, size: Sequence[int]) -> int:
    """The margin, or less of it: no mirror shows more than the picture, and strides divide it."""
    return min(margin, (min(size) - 1) // 16 * 16)


def with_margin(image: Tensor, margin: int) -> Tensor:
    return nnf.pad(image, (margin,) * 4, mode="reflect")


def without_margin(F: Tensor, layer: str, margin: int, size: Sequence[int]) -> Tensor:
    """What of a feature map belongs to the picture, whose height and width are `size`."""
    first = margin // stride(layer)
    height, width = (side // stride(layer) for side in size)
    return F[:, :, first : first + height, first : first + width]


def cropped(F: Tensor, positions: int) -> Tensor:
    """Without so many positions on each side; at least one is left."""
    height, width = F.shape[2:]
    positions = min(positions, (min(height, width) - 1) // 2)
    return F[:, :, positions : height - positions, positions : width - positions]


def stride(layer: str) -> int:
    return 2 ** (find_layer(layer).block - 1)


@lru_cache(maxsize=1)
def network(device: torch.device) -> BorderVGG:
    return BorderVGG(device=device)


def paint(
    variant: Variant, content: Tensor, style: Tensor, device: torch.device, steps: int = 100
) -> Result:
    """Paint as a variant says; content and style are [1, 3, H, W]."""
    net = network(device)
    net.margins, net.crops = variant.margins, variant.crops
    chosen = dict(variant.settings)
    if variant.beta != 1:
        chosen["beta"] = variant.beta * default_beta(net.features(content, CONTENT_LAYERS))
    if variant.pull is not None:
        chosen["style_weights"] = between_equal_and_pulls(variant.pull, net, content, style)
    with changed(variant):
        return style_transfer(content, style, net=net, steps=steps, progress=False, **chosen)


def between_equal_and_pulls(
    pull: float, net: VGG, content: Tensor, style: Tensor
) -> dict[str, float]:
    """w_l = ⅕^(1 − p) w'_l^p: with w'_l, all layers pull as hard as on average with ⅕.

    pull: p. The pulls are those at the content in the painting's colours, with zero padding.
    """
    x = match_colours(content, style).clamp(0, 1).to(net.device)
    w = equal_pulls(Objective(net, content, style), x)
    pulls = mean(1 / share for share in w.values())
    return {
        layer: (1 / 5) ** (1 - pull) * (pulls * share / 5) ** pull for layer, share in w.items()
    }


@contextmanager
def changed(variant: Variant) -> Iterator[None]:
    """Painting with a variant's limits, grain, stages and margin of the painting."""
    grain = coloured_grain if variant.coloured else solver.grain
    with (
        # `soft_colours` reads the one limit, and `waves` is given the other
        patch.multiple(
            solver, COLOUR_LIMIT=variant.start_limit, FINE_GRAIN=variant.fine_grain, grain=grain
        ),
        patch.multiple(pyramid, COLOUR_LIMIT=variant.limit, FIRST_STEP=variant.first_step),
        patch.object(objective, "PAINTING_MARGIN", variant.painting_margin),
        patch.object(settings, "stages", variant.stages),
    ):
        yield


def coloured_grain(like: Tensor, strength: float, power: float, seed: int) -> Tensor:
    """`solver.grain` as it was in 0.1.0: independent from channel to channel."""
    noise = torch.randn(like.shape, generator=torch.Generator().manual_seed(seed)).to(like)
    f = solver.frequencies(*like.shape[2:]).to(like)
    gain = (f < solver.HIGHEST_FREQUENCY) * f**-power
    noise = torch.fft.irfft2(gain * torch.fft.rfft2(noise), s=like.shape[2:])
    noise = noise - noise.mean(dim=(2, 3), keepdim=True)
    return strength * noise / noise.std()
