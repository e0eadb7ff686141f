"""The optimisation of Gatys, Ecker & Bethge (2016): change a picture until its features are right.

`style_transfer` is the whole of it. The loss that it lowers is in module `objective`, the loop in
module `descent`, what the fast solver adds in module `solver`.
"""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as nnf
from torch import Tensor

from stlib.arguments import check_picture, check_style
from stlib.brushes import Brush, as_brushes, coverage, shrink_pictures
from stlib.checkpoint import Checkpoint, check_path, run_fingerprint
from stlib.colour import match_colours
from stlib.cost import check_memory
from stlib.descent import Reason, descend, lbfgs
from stlib.layers import check_layers
from stlib.objective import Objective
from stlib.record import Callback, Record
from stlib.settings import Settings
from stlib.solver import (
    FIRST_STEP,
    Stage,
    first_start,
    next_start,
    pixels,
    shrink,
    waves,
)
from stlib.vgg import VGG

ADAM_RATE = 0.05  # of a pixel's range; the best compromise of 0.01 … 0.1 on three pairs at 144 px


@dataclass
class Result:
    """What `style_transfer` returns.

    image: the best picture found, [1, 3, H, W], RGB, clamped to [0, 1], on the CPU.
    history: a dict for each evaluation at full size: "seconds" since the start, "total", "content"
        (L_content), "style" (L_style), "tv", and E_l under the name of each style layer. All losses
        but "total" are without their weights.
    coarse: the same for the evaluations of smaller pictures, which came before; their losses are
        those of their size.
    frames: the best picture so far, clamped, every `keep_every` evaluations, from the start on.
    reason: why it ended; equal to its text, for example "steps" or "interrupted".
    """

    image: Tensor
    history: list[dict[str, float]] = field(default_factory=list)
    coarse: list[dict[str, float]] = field(default_factory=list)
    frames: list[Tensor] = field(default_factory=list)
    reason: Reason = Reason.STEPS


def style_transfer(
    content: Tensor,
    style: Tensor | Brush | Sequence[Brush],
    *,
    net: VGG | None = None,
    alpha: float = Settings.alpha,
    beta: float | None = Settings.beta,
    tv: float = Settings.tv,
    content_layers: Sequence[str] = Settings.content_layers,
    style_layers: Sequence[str] = Settings.style_layers,
    style_weights: Mapping[str, float] | Sequence[float] | None = Settings.style_weights,
    init: str | Tensor = Settings.init,
    optimizer: str = Settings.optimizer,
    solver: str | None = Settings.solver,
    steps: int = Settings.steps,
    seed: int = Settings.seed,
    keep_every: int | None = Settings.keep_every,
    callback: Callback | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool = True,
) -> Result:
    """Paint the content picture in the style of another one (Gatys et al. 2016, eq. 7).

    content, style: pictures from `load_image` or `sample`, [1, 3, H, W] in [0, 1]; they may differ
        in size and shape. For several styles at once, or a style in a region only, style is a list
        of `Brush`.
    net: None is VGG(), the paper's network.
    alpha … keep_every: how to paint, see `Settings`.
    callback: called as callback(evaluation, x, losses) after each evaluation, counted from 0; a
        true result ends the run. The fast solver's first evaluations are of a smaller x.
    checkpoint: a file in which the run keeps its state. After it was killed or interrupted, the
        same call goes on from there, to the picture that it would have painted. A run that ends by
        itself removes the file.
    progress: whether a bar is shown.

    The result is the best picture evaluated, and the only thing that is clamped. Ctrl-C, or the
    notebook's stop button, ends the run with what it has; so do a loss that is no longer finite and
    a full memory, with a RuntimeWarning. The same seed, machine and number of threads give the same
    picture, bit for bit.
    Raises, before any work, ValueError for arguments that make no sense, CheckpointError for a
    checkpoint that cannot be used, and MemoryError for a picture that this machine has no memory
    for (`estimate` tells how much and how long a run will take).
    """
    settings = Settings(
        alpha=alpha,
        beta=beta,
        tv=tv,
        content_layers=content_layers,
        style_layers=style_layers,
        style_weights=style_weights,
        init=init,
        optimizer=optimizer,
        solver=solver,
        steps=steps,
        seed=seed,
        keep_every=keep_every,
    )
    return paint(
        content,
        style,
        settings,
        net=net,
        callback=callback,
        checkpoint=checkpoint,
        progress=progress,
    )


def paint(
    content: Tensor,
    style: Tensor | Brush | Sequence[Brush],
    settings: Settings,
    *,
    net: VGG | None = None,
    callback: Callback | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool = True,
) -> Result:
    """`style_transfer` with its settings in one object; arguments and errors are the same."""
    check_pictures(content, style, settings, net)
    if callback is not None and not callable(callback):
        raise ValueError("callback cannot be called: give a function of (evaluation, x, losses).")
    brushes = as_brushes(style)
    if checkpoint is not None:
        check_path(checkpoint)
    check_memory(content, brushes, settings, net)
    net = VGG() if net is None else net
    kept = None
    if checkpoint is not None:
        kept = Checkpoint(checkpoint, run_fingerprint(content, brushes, net, settings))

    size = (content.shape[2], content.shape[3])
    with Record(
        size,
        settings.steps,
        keep_every=settings.keep_every,
        callback=callback,
        progress=progress,
    ) as record:
        try:
            reason = _run_stages(content, brushes, net, settings, record, kept)
        except (KeyboardInterrupt, MemoryError, RuntimeError) as error:
            reason = _why_it_ended(error, record)

    if kept and reason not in (Reason.INTERRUPTED, Reason.OUT_OF_MEMORY):
        kept.remove()
    if record.best is None:
        raise ValueError(
            "the loss of the starting picture is not finite: alpha, beta or tv are too large, or "
            "the "
            "network holds weights that are not finite."
        )
    if reason in (Reason.NOT_FINITE, Reason.OUT_OF_MEMORY):
        message = reason.message.format(done=record.evaluations, of=settings.steps)
        warnings.warn(message, RuntimeWarning, stacklevel=3)
    return Result(record.picture(), record.history, record.coarse, record.frames, reason)


def check_pictures(
    content: Tensor,
    style: Tensor | Brush | Sequence[Brush],
    settings: Settings,
    net: VGG | None = None,
) -> None:
    """Raise the ValueError that `style_transfer` raises for these pictures and this network."""
    check_picture("content", content)
    check_style(style, content)
    if isinstance(settings.init, Tensor) and settings.init.shape != content.shape:
        raise ValueError(
            f"init has the shape {list(settings.init.shape)}, the content picture "
            f"{list(content.shape)}: they must agree."
        )
    if not (net is None or hasattr(net, "walk")):
        raise ValueError(
            f"net is a {type(net).__name__}: give a network, for example stlib.VGG(), or None."
        )
    depth = 19 if net is None else net.depth
    check_layers(content, [*settings.content_layers, *settings.style_layers] or ["relu1_1"], depth)
    for brush in as_brushes(style):
        check_layers(brush.picture, [*settings.style_layers] or ["relu1_1"], depth)


def _run_stages(
    content: Tensor,
    brushes: list[Brush],
    net: VGG,
    settings: Settings,
    record: Record,
    checkpoint: Checkpoint | None,
) -> Reason:
    """Paint stage after stage, from the smallest picture to the whole one; return why it ended."""
    pictures = [content, *(brush.picture for brush in brushes)]
    plan = settings.plan(min(side for picture in pictures for side in picture.shape[2:]))
    saved = checkpoint.read() if checkpoint else None
    if saved:
        record.restore(saved["record"], plan[saved["stage"]], net.device)
    prepared = _is_prepared(settings, plan)
    reason, previous = Reason.STEPS, None  # the start of the stage before
    for number in range(saved["stage"] if saved else 0, len(plan)):
        stage = plan[number]
        p, a = shrink(content, stage.share), shrink_pictures(brushes, stage.share)
        objective = Objective(net, p, a, _at_size(settings, stage))
        start = _start(settings, stage, p, a, prepared)
        # L-BFGS flattens z as it lies in memory, and half precision would overflow
        start = start.to(net.device, torch.float32, memory_format=torch.contiguous_format)
        x0 = (
            saved["x0"].to(start)
            if saved
            else _begin(settings, start, record, previous, a, prepared)
        )
        z, picture, optimizer = _variables(settings, x0, stage)
        known, evaluations = None, stage.evaluations
        if saved:
            z.data.copy_(saved["z"])
            optimizer.load_state_dict(saved["optimizer"])
            known, evaluations = record.best, saved["left"]
            saved = None
        else:
            record.begin(stage)
        if checkpoint:
            checkpoint.follow(optimizer, record, z, x0, stage=number, evaluations=evaluations)
        reason = descend(objective, z, picture, optimizer, evaluations, record.note, known)
        if reason not in (Reason.STEPS, Reason.CONVERGED):
            return reason
        previous = start
    return reason


def _at_size(settings: Settings, stage: Stage) -> Settings:
    """The settings with a beta of the user's made fit for a stage's size."""
    if settings.beta is None:  # `default_beta` knows the size
        return settings
    # L_content is a sum over N·M numbers and shrinks with the picture, L_style does not
    return replace(settings, beta=settings.beta * stage.cost)


def _is_prepared(settings: Settings, plan: list[Stage]) -> bool:
    """Whether the start may be given what the style asks for: its colours, and grain.

    The fast solver does so when it begins with smaller pictures.
    """
    has_style = bool(settings.style_layers) and settings.beta != 0
    coarse_first = settings.is_fast and len(plan) > 1
    return coarse_first and has_style and _starts_from(settings, "content")


def _starts_from(settings: Settings, init: str) -> bool:
    return isinstance(settings.init, str) and settings.init == init


def _start(settings: Settings, stage: Stage, p: Tensor, a: list[Brush], prepared: bool) -> Tensor:
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


def _begin(
    settings: Settings,
    start: Tensor,
    record: Record,
    previous: Tensor | None,
    brushes: list[Brush],
    prepared: bool,
) -> Tensor:
    """The picture with which a stage begins: its start, or what the stage before has made of it."""
    if not settings.is_fast:
        return start
    seed = settings.seed if prepared else None
    detailed = not _starts_from(settings, "noise")
    if record.best is None:
        x0 = first_start(start, seed)
    else:
        x0 = next_start(record.best.x, start, previous if detailed else None, seed)
    # where no brush paints, nothing would take the grain away
    return torch.lerp(start, x0, coverage(brushes, start)) if detailed else x0


def _variables(
    settings: Settings, x0: Tensor, stage: Stage
) -> tuple[Tensor, Callable[[Tensor], Tensor], torch.optim.Optimizer]:
    """What the optimiser changes, how the picture comes of it, and the optimiser."""
    if settings.is_fast:
        z, picture = waves(x0, stage.power)
        return z, picture, lbfgs(z, FIRST_STEP * z.numel())
    z, picture = pixels(x0)
    if settings.optimizer == "adam":
        return z, picture, torch.optim.Adam([z], lr=ADAM_RATE)
    return z, picture, lbfgs(z)


def _why_it_ended(error: BaseException, record: Record) -> Reason:
    """The reason that an error stands for; raises it again when there is no picture yet."""
    if isinstance(error, KeyboardInterrupt):
        if record.best is None:
            raise error
        return Reason.INTERRUPTED
    if not _is_out_of_memory(error):
        raise error
    if record.best is None:
        raise MemoryError(
            "the memory is full before the first evaluation: "
            "close other programs, or take smaller pictures."
        ) from error
    return Reason.OUT_OF_MEMORY


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says so; PyTorch has a type for it on graphics cards only."""
    words = ("out of memory", "not enough memory", "allocate memory")  # others: "memory format"
    known_type = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    return known_type or any(said in str(error) for said in words)
