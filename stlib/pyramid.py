"""From the smallest picture to the whole one: where each stage begins, and what it changes.

The plain solver has a single stage, at full size, and moves pixels. What the fast solver does
differently is in module `solver`; this module puts it together.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as nnf
from torch import Tensor

from stlib.brushes import Brush, coverage, shrink_pictures
from stlib.checkpoint import Checkpoint
from stlib.colour import match_colours
from stlib.descent import Reason, descend, lbfgs
from stlib.objective import Objective
from stlib.record import Record
from stlib.settings import Settings
from stlib.solver import (
    COLOUR_LIMIT,
    FIRST_STEP,
    Stage,
    first_start,
    next_start,
    pixels,
    shrink,
    soft_colours,
    waves,
)
from stlib.vgg import VGG

ADAM_RATE = 0.05  # of a pixel's range; the best compromise of 0.01 … 0.1 on three pairs at 144 px


def paint_stages(
    content: Tensor,
    brushes: Sequence[Brush],
    net: VGG,
    settings: Settings,
    record: Record,
    checkpoint: Checkpoint | None = None,
    saved: dict[str, Any] | None = None,
    tile: int | None = None,
) -> Reason:
    """Lower the objective stage after stage; the record is told of each evaluation.

    content: p, [1, 3, H, W]. brushes: the styles. net: the network. settings: of the run.
    checkpoint: where the state is kept. saved: what it held, where a run that was broken off goes
        on.
    tile: side of the tiles in which pictures are looked at; None looks at whole pictures.
    Returns why it ended.
    """
    settings = settings.complete()
    plan = settings.plan(min(content.shape[2:]))
    prepared = _is_prepared(settings, plan)
    first = saved["stage"] if saved else 0
    if saved:
        record.begin(plan[first])
        record.restore(saved["record"], net.device)
    reason = Reason.STEPS
    previous = None  # the start of the stage before
    for number in range(first, len(plan)):
        stage = plan[number]
        resumed = saved if number == first else None
        p, a = shrink(content, stage.share), shrink_pictures(brushes, stage.share)
        objective = Objective(net, p, a, settings, tile)
        if settings.beta is not None:  # `default_beta` knows the size
            # L_content is a sum over N·M numbers and shrinks with the picture, L_style does not
            objective.beta = settings.beta * stage.cost
        start = _start(settings, stage, p, a, prepared)
        # L-BFGS flattens z as it lies in memory, and half precision would overflow
        start = start.to(net.device, torch.float32, memory_format=torch.contiguous_format)
        if resumed:
            x0, evaluations = resumed["x0"].to(start), resumed["left"]
        else:
            x0 = _first_picture(settings, start, record, previous, a, prepared)
            evaluations = stage.evaluations
            record.begin(stage)
        z, picture, optimizer = _variables(settings, x0, stage)
        if resumed:
            z.data.copy_(resumed["z"])
            optimizer.load_state_dict(resumed["optimizer"])
        if checkpoint:
            checkpoint.follow(optimizer, record, z, x0, stage=number, evaluations=evaluations)
        known = record.best if resumed else None
        reason = descend(objective, z, picture, optimizer, evaluations, record.note, known)
        if reason not in (Reason.STEPS, Reason.CONVERGED):
            return reason
        previous = start
    return reason


def _is_prepared(settings: Settings, plan: Sequence[Stage]) -> bool:
    """Whether the start gets the style's colours and some grain.

    The fast solver does so when it begins with smaller pictures of the content.
    """
    return settings.is_clean and len(plan) > 1 and settings.starts_from("content")


def _start(
    settings: Settings, stage: Stage, p: Tensor, a: Sequence[Brush], prepared: bool
) -> Tensor:
    """The picture that `init` asks for, at the size of a stage."""
    if isinstance(settings.init, Tensor):
        return shrink(settings.init.detach(), stage.share)
    if settings.init == "noise":
        return torch.rand(p.shape, generator=torch.Generator().manual_seed(settings.seed))
    if settings.init == "style":
        picture = a[0].picture.detach().float()
        return nnf.interpolate(picture, size=p.shape[2:], mode="bilinear", antialias=True)
    if prepared and len(a) == 1 and a[0].mask is None:
        return match_colours(p, a[0].picture).clamp(0, 1)
    return p.detach()


def _first_picture(
    settings: Settings,
    start: Tensor,
    record: Record,
    previous: Tensor | None,
    a: Sequence[Brush],
    prepared: bool,
) -> Tensor:
    """The picture with which a stage begins: its start, or what the stage before has made of it."""
    if not settings.is_fast:
        return start
    seed = settings.seed if prepared else None
    detailed = not settings.starts_from("noise")
    if record.best is None:
        x0 = first_start(start, seed)
    else:
        x0 = next_start(record.best.x, start, previous if detailed else None, seed)
    if settings.is_clean:
        x0 = soft_colours(x0)
    # where no brush paints, nothing would take the grain away
    return torch.lerp(start, x0, coverage(a, start)) if detailed else x0


def _variables(
    settings: Settings, x0: Tensor, stage: Stage
) -> tuple[Tensor, Callable[[Tensor], Tensor], torch.optim.Optimizer]:
    """What the optimiser changes, how the picture comes of it, and the optimiser."""
    if settings.is_fast:
        z, picture = waves(x0, stage.power, COLOUR_LIMIT if settings.is_clean else math.inf)
        return z, picture, lbfgs(z, FIRST_STEP * z.numel())
    z, picture = pixels(x0)
    if settings.optimizer == "adam":
        return z, picture, torch.optim.Adam([z], lr=ADAM_RATE)
    return z, picture, lbfgs(z)
