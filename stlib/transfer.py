"""The optimisation of Gatys, Ecker & Bethge (2016): change a picture until its features are right.

`style_transfer` is the whole of it: it checks what it is given, paints stage after stage (module
`pyramid`; the plain solver has one stage), and tells why it ended. The loss that is lowered is in
module `objective`, the loop in module `descent`.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from stlib._language import tr
from stlib.arguments import suggesting
from stlib.brushes import Brush, as_brushes
from stlib.checkpoint import Checkpoint, check_path, run_marks
from stlib.cost import check_tile, choose_tile
from stlib.descent import Reason
from stlib.errors import shown
from stlib.objective import check_pictures
from stlib.preparation import finish, prepare
from stlib.pyramid import paint_stages
from stlib.record import Callback, Record, Watch
from stlib.settings import Settings
from stlib.vgg import VGG


@dataclass
class Result:
    """What `style_transfer` returns.

    image: the best picture found, [1, 3, H, W], RGB, clamped to [0, 1], on the CPU.
    history: a dict for each evaluation at full size: "seconds" since the start, "total", "content"
        (L_content), "style" (L_style), "tv", "roughness", "overflow", and E_l under the name of
        each style layer. All losses but "total" are without their weights.
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


@suggesting
def style_transfer(
    content: Tensor,
    style: Tensor | Brush | Sequence[Brush],
    *,
    net: VGG | None = None,
    alpha: float = Settings.alpha,
    beta: float | None = Settings.beta,
    tv: float = Settings.tv,
    roughness: float | None = Settings.roughness,
    overflow: float | None = Settings.overflow,
    padding: str | None = Settings.padding,
    content_layers: Sequence[str] = Settings.content_layers,
    style_layers: Sequence[str] = Settings.style_layers,
    style_weights: Mapping[str, float] | Sequence[float] | None = Settings.style_weights,
    init: str | Tensor = Settings.init,
    optimizer: str = Settings.optimizer,
    solver: str | None = Settings.solver,
    steps: int = Settings.steps,
    seed: int = Settings.seed,
    style_size: int | None = Settings.style_size,
    colors: str = Settings.colors,
    keep_every: int | None = Settings.keep_every,
    callback: Callback | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool = True,
    tile: int | None = None,
) -> Result:
    """Paint the content picture in the style of another one (Gatys et al. 2016, eq. 7).

    content, style: pictures from `load_image` or `sample`, [1, 3, H, W] in [0, 1]; they may differ
        in size and shape. For several styles at once, or a style in a region only, style is a list
        of `Brush`.
    net: None is VGG(), the paper's network.
    alpha … keep_every: how to paint, see `Settings`.
    callback: called as callback(evaluation, x, losses) after each evaluation, counted from 0; a
        true result ends the run. The fast solver's first evaluations are of a smaller x; with
        colors="brightness" x is grey.
    checkpoint: a file in which the run keeps its state. After it was killed or interrupted, the
        same call goes on from there, to the picture that it would have painted. A run that ends by
        itself removes the file.
    progress: whether a bar is shown.
    tile: side, in pixels, of the tiles in which the network looks at the pictures: 512 takes a
        third of the memory and twice as long. Loss and gradient are the same but for rounding; over
        a whole run that may grow. None takes tiles where whole pictures do not fit into the
        processor's free memory. A run may go on from its checkpoint with other tiles.

    The result is the best picture evaluated, and the only thing that is clamped. Ctrl-C, or the
    notebook's stop button, ends the run with what it has; so do a loss that is no longer finite and
    a full memory, with a RuntimeWarning. The same seed, machine, number of threads and tiles give
    the same picture, bit for bit.
    Raises, before any work, ValueError for arguments that make no sense, CheckpointError for a
    checkpoint that cannot be used, and MemoryError for a picture that this machine has no memory
    for (`estimate` tells how much and how long a run will take).
    """
    settings = Settings(
        alpha=alpha,
        beta=beta,
        tv=tv,
        roughness=roughness,
        overflow=overflow,
        padding=padding,
        content_layers=content_layers,
        style_layers=style_layers,
        style_weights=style_weights,
        init=init,
        optimizer=optimizer,
        solver=solver,
        steps=steps,
        seed=seed,
        style_size=style_size,
        colors=colors,
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
        tile=tile,
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
    tile: int | None = None,
    watch: Watch | None = None,
) -> Result:
    """`style_transfer` with its settings in one object; arguments and errors are the same.

    watch: called as watch(evaluations, picture) after each evaluation; picture() is what the result
        would be if the run ended now.
    """
    check_pictures(content, style, settings, net)
    if callback is not None and not callable(callback):
        raise ValueError(
            tr("callback cannot be called: give a function of (evaluation, x, losses).")
        )
    if watch is not None and not callable(watch):
        raise ValueError(tr("watch cannot be called: give a function of (evaluations, picture)."))
    if not isinstance(progress, bool):
        raise ValueError(
            tr("progress is {progress}: use True or False.").format(progress=shown(progress))
        )
    check_tile(tile)
    content = content.detach().float()
    brushes = [
        replace(brush, picture=brush.picture.detach().float()) for brush in as_brushes(style)
    ]
    if checkpoint is not None:
        check_path(checkpoint)
    p, a, chosen = prepare(content, brushes, settings)
    tile = choose_tile(p, a, chosen, net, tile)
    net = VGG() if net is None else net
    kept = saved = None
    if checkpoint is not None:
        kept = Checkpoint(checkpoint, run_marks(content, brushes, net, settings))
        saved = kept.read()  # before a bar is shown

    size = (content.shape[2], content.shape[3])
    with Record(
        size,
        settings.steps,
        keep_every=settings.keep_every,
        callback=callback,
        progress=progress,
        finish=partial(finish, photo=content, settings=settings),
        watch=watch,
    ) as record:
        try:
            reason = paint_stages(p, a, net, chosen, record, kept, saved, tile)
        except (KeyboardInterrupt, MemoryError, RuntimeError) as error:
            if record.callback_failed:  # whatever it says, it is not about the run
                raise
            reason = _why_it_ended(error, record)

    if kept and reason not in (Reason.INTERRUPTED, Reason.OUT_OF_MEMORY):
        kept.remove()
    if record.best is None:
        raise ValueError(
            tr(
                "the loss of the starting picture is not finite: alpha, beta or tv are too large, "
                "or the network holds weights that are not finite."
            )
        )
    if reason in (Reason.NOT_FINITE, Reason.OUT_OF_MEMORY):
        message = reason.message.format(done=record.evaluations, of=settings.steps)
        warnings.warn(message, RuntimeWarning, stacklevel=4)  # of style_transfer
    return Result(record.picture(), record.history, record.coarse, record.frames, reason)


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
            tr(
                "the memory is full before the first evaluation: close other programs, or take "
                "smaller pictures or tiles (tile=512)."
            )
        ) from error
    return Reason.OUT_OF_MEMORY


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says so; PyTorch has a type for it on graphics cards only."""
    words = ("out of memory", "not enough memory", "allocate memory")  # others: "memory format"
    known_type = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    return known_type or any(said in str(error) for said in words)
