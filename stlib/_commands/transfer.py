"""The command transfer: one picture, in one style or several."""

import argparse
import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from stlib import _files
from stlib._commands.options import (
    add_force,
    add_painting,
    check_local,
    chosen_values,
    picture,
    say,
)
from stlib._commands.watch import saves_every, tells_that_it_goes_on
from stlib._language import tr
from stlib._outputs import Outputs, check_outputs
from stlib.arguments import check_whole_number
from stlib.brushes import FAINTEST, Brush, load_mask, make_brushes
from stlib.checkpoint import check_path
from stlib.cost import estimate_run
from stlib.descent import Reason
from stlib.devices import find_device
from stlib.errors import ImageError, one_line
from stlib.film import FRAMES, SIDE, add_frame, check_film_path, films, save_film
from stlib.images import SIZE, check_output_path, save_image
from stlib.record import Watch, all_of
from stlib.settings import Settings
from stlib.transfer import Result, paint
from stlib.vgg import VGG

# evaluations times pixels; less is over within a minute on any machine that the course is for
SHORT = 5e6


def add_command(commands: Any) -> None:
    """Add it to the commands of a parser."""
    parser = commands.add_parser(
        "transfer",
        help=tr("paint a photo in the style of a painting, or of several"),
        brief="PHOTO STYLE [STYLE ...] -o OUT",
    )
    parser.set_defaults(run=run, parser=parser)
    add = parser.add_argument
    add(
        "content", metavar="PHOTO", help=tr("the picture to paint: a file, or the name of a sample")
    )
    add(
        "styles",
        metavar="STYLE",
        nargs="+",
        help=tr("the painting to learn from: a file, or the name of a sample; several are blended"),
    )
    add(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        help=tr(
            "where to save it; the suffix names the format (.png, .jpg, .webp, …). A file that is "
            "there is replaced only if this command left it so, or by --force"
        ),
    )
    add(
        "--blend",
        metavar="N:N",
        type=_blend,
        help=tr("how much each STYLE counts, for example 2:1 (default: all the same)"),
    )
    add(
        "--mask",
        metavar="MASK",
        action="append",
        default=[],
        help=tr(
            "a grey picture of the photo's shape: the first STYLE where it is white; given again, "
            "for the second, and so on; the last STYLE gets what the masks of the others leave"
        ),
    )
    add_painting(parser)
    group = parser.add_argument_group(tr("while it paints"))
    add = group.add_argument
    add(
        "--save-every",
        metavar="N",
        type=int,
        help=tr("write OUT anew after every N evaluations, with the best picture so far"),
    )
    add(
        "--film",
        metavar="FILM",
        help=tr(
            "save how the picture came to be, in about {frames} frames of at most {side} pixels "
            "(.webp, .gif, .png, .apng; .mp4 with imageio-ffmpeg)"
        ).format(frames=FRAMES, side=SIDE),
    )
    add(
        "--resume",
        action="store_true",
        help=tr(
            "keep the run's state in OUT.checkpoint; an interrupted run goes on from there, and "
            "replaces what it left"
        ),
    )
    add_force(parser, tr("OUT and FILM where they are there already"))


def run(options: argparse.Namespace) -> int:
    """Paint the picture and return the exit code."""
    outputs = _outputs(options)
    values = chosen_values(options)
    size = values.pop("size", SIZE)
    settings = Settings(**values)
    device = find_device(options.device) if options.device else None
    content = picture(options.content, size)
    if max(content.shape) < size:
        say(
            tr("the photo has only {sides} pixels, and so will the picture").format(
                sides=_sides(content)
            )
        )
    brushes = _brushes(options, content, size, settings.style_size)
    checkpoint = _checkpoint(options)
    net = VGG(device=device) if device else None
    _announce(settings, content, brushes, net)
    frames: list[Image.Image] = []
    result = paint(
        content,
        brushes,
        settings,
        net=net,
        checkpoint=checkpoint,
        watch=_watch(options, outputs, frames, settings, content),
    )
    _write(options, outputs, result, frames)
    if result.reason != Reason.INTERRUPTED:
        return int(outputs.moved)
    evaluations = len(result.coarse) + len(result.history)
    if result.coarse:
        done = tr("interrupted after {evaluations} evaluations")
    else:
        done = tr("interrupted after {evaluations} of {steps} evaluations")
    done = done.format(evaluations=evaluations, steps=settings.steps)
    say(tr("{done}; {saved}").format(done=done, saved=_saved(checkpoint)))
    return 130


def _saved(checkpoint: str | None) -> str:
    """What is left after an interruption, and what the same command does."""
    if checkpoint is None:
        return tr("the best picture so far is saved")
    if _files.expanded(checkpoint).exists():
        return tr("the best picture so far is saved, and the same command goes on from there")
    return tr("the best picture so far is saved, and the same command begins anew")


def _outputs(options: argparse.Namespace) -> Outputs:
    """What the command writes; raises an error before any work when it cannot, or should not."""
    read, pictures = [options.content, *options.styles, *options.mask], _pictures(options)
    check_local([*read, *pictures])
    check_output_path(options.output)
    if options.film:
        check_film_path(options.film)
    if options.save_every is not None:
        check_whole_number("--save-every", options.save_every, 1)
    note = _note(options)
    written: list[str | Path] = [*pictures, *_state(options), *([note] if note else [])]
    check_outputs(written, read)
    return Outputs(pictures, note, force=options.force)


def _pictures(options: argparse.Namespace) -> list[str]:
    """The files that the command is for."""
    return [options.output, options.film] if options.film else [options.output]


def _state(options: argparse.Namespace) -> list[Path]:
    """The file of the checkpoint, if there is one."""
    checkpoint = _checkpoint(options)
    return [] if checkpoint is None else [check_path(checkpoint)]


def _note(options: argparse.Namespace) -> Path | None:
    """Of the pictures that the same command may replace when it goes on."""
    checkpoint = _checkpoint(options)
    return None if checkpoint is None else _files.expanded(f"{checkpoint}.json")


def _checkpoint(options: argparse.Namespace) -> str | None:
    """The file in which the run's state is kept, if it is kept."""
    return f"{options.output}.checkpoint" if options.resume else None


def _blend(text: str) -> list[float]:
    """The numbers of --blend."""
    try:
        return [float(number) for number in text.split(":")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            tr("{text!r} is no list of numbers, one for each STYLE, such as 2:1").format(text=text)
        ) from None


def _brushes(
    options: argparse.Namespace, content: Tensor, size: int, style_size: int | None
) -> list[Brush]:
    """The brushes that STYLE, --blend and --mask make."""
    styles, weights, masks = options.styles, options.blend, options.mask
    count = len(styles)
    if weights:
        _check_blend(weights, styles)
    if masks and not count - 1 <= len(masks) <= count:
        if len(masks) == 1:
            told = tr(
                "there is 1 mask for {styles}: give a mask for each style, or for all but the "
                "last one, which gets what they leave."
            )
        else:
            told = tr(
                "there are {masks} masks for {styles}: give a mask for each style, or for all but "
                "the last one, which gets what they leave."
            )
        raise ValueError(told.format(masks=len(masks), styles=_styles(count)))
    pictures = [
        picture(name, style_size or size, enlarge=style_size is not None) for name in styles
    ]
    read = [load_mask(name, content) for name in masks]
    brushes = make_brushes(pictures, weights, [*read, *[None] * (count - len(read))])
    _check_regions(brushes, masks, styles)
    return [_without_white(brush, name) for brush, name in zip_longest(brushes, masks)]


def _check_blend(weights: Sequence[float], styles: Sequence[str]) -> None:
    """Raise a ValueError unless --blend has a number above 0 for each STYLE."""
    if len(weights) != len(styles):
        if len(weights) == 1:
            told = tr("--blend has 1 number for {styles}: give one for each.")
        else:
            told = tr("--blend has {numbers} numbers for {styles}: give one for each.")
        raise ValueError(told.format(numbers=len(weights), styles=_styles(len(styles))))
    for weight, style in zip(weights, styles, strict=True):
        if not 0 < weight < math.inf:
            raise ValueError(
                tr(
                    "--blend gives the STYLE {style} the number {weight:g}: leave this STYLE out, "
                    "or give it a finite number above 0."
                ).format(style=one_line(style), weight=weight)
            )


def _check_regions(brushes: Sequence[Brush], masks: Sequence[str], styles: Sequence[str]) -> None:
    """Raise a ValueError when a STYLE would paint nowhere."""
    for number, (brush, style) in enumerate(zip(brushes, styles, strict=True)):
        if brush.mask is None or brush.mask.max() >= FAINTEST:
            continue
        if number < len(masks):
            raise ValueError(
                tr(
                    "{mask} is black everywhere: the STYLE {style} would paint nowhere. Draw its "
                    "region in white, or leave out both."
                ).format(mask=one_line(masks[number]), style=one_line(style))
            )
        if len(masks) == 1:
            told = tr(
                "{masks} is white everywhere and leaves nothing for the last STYLE, {style}: draw "
                "its region in black, or leave it out."
            )
        else:
            told = tr(
                "{masks} together are white everywhere and leave nothing for the last STYLE, "
                "{style}: draw its region in black, or leave it out."
            )
        names = tr(" and ").join(map(one_line, masks))
        raise ValueError(told.format(masks=names, style=one_line(style)))


def _without_white(brush: Brush, mask: str | None) -> Brush:
    """The brush without a mask that has no effect, which is told. mask: its name."""
    if mask is None or brush.mask is None or brush.mask.min() <= 1 - FAINTEST:
        return brush
    say(tr("warning: {mask} is white everywhere, so it has no effect").format(mask=one_line(mask)))
    return replace(brush, mask=None)


def _styles(count: int) -> str:
    return tr("1 style") if count == 1 else tr("{count} styles").format(count=count)


def _announce(
    settings: Settings, content: Tensor, brushes: Sequence[Brush], net: VGG | None
) -> None:
    """Say on stderr what a run will cost that takes over a minute."""
    if settings.steps * content.shape[2] * content.shape[3] < SHORT:
        return  # the second that an estimate takes would be a good part of the run
    cost = estimate_run(content, brushes, settings, net)
    if cost.seconds > 60:
        say(
            tr("{sides} pixels, {steps} evaluations: {cost}").format(
                sides=_sides(content), steps=settings.steps, cost=cost
            )
        )


def _watch(
    options: argparse.Namespace,
    outputs: Outputs,
    frames: list[Image.Image],
    settings: Settings,
    content: Tensor,
) -> Watch | None:
    """Whoever is to be told of the run while it paints."""
    watches = []
    checkpoint = _checkpoint(options)
    if checkpoint and _files.expanded(checkpoint).exists():
        watches.append(tells_that_it_goes_on(checkpoint))
    if options.save_every is not None:
        watches.append(saves_every(options.save_every, options.output, outputs))
    if options.film:
        plan = settings.plan(min(content.shape[2:]))
        watches.append(films(frames, sum(stage.evaluations for stage in plan)))
    return all_of(watches)


def _write(
    options: argparse.Namespace, outputs: Outputs, result: Result, frames: list[Image.Image]
) -> None:
    """Write what was painted, and forget how it was left when the run is over."""
    path = outputs.write(options.output, partial(_save, result.image))
    print(f"{one_line(path)}: {_told(result)}")
    if options.film:
        add_frame(frames, result.image)
        path = outputs.write(options.film, partial(save_film, frames))
        print(tr("{path}: {count} frames").format(path=one_line(path), count=len(frames)))
    note = _note(options)
    if note and result.reason not in (Reason.INTERRUPTED, Reason.OUT_OF_MEMORY):
        note.unlink(missing_ok=True)


def _save(image: Tensor, path: str) -> None:
    """Save a picture that took long to paint; where its place is full or gone, somewhere else.

    Raises ImageError that says where.
    """
    try:
        save_image(image, path)
    except ImageError as error:
        try:
            spare = save_image(image, Path(tempfile.mkdtemp(prefix="stlib-"), "result.png"))
        except (ImageError, OSError):
            raise error from None
        raise ImageError(
            tr("{error} The picture is not lost: it is {spare}.").format(error=error, spare=spare)
        ) from None


def _told(result: Result) -> str:
    """What became of a run, in a line."""
    evaluations, finest = [*result.coarse, *result.history], result.history or result.coarse
    lowest = min(losses["total"] for losses in finest)
    return tr(
        "{sides} pixels, {evaluations} evaluations in {seconds:.0f} s, loss {first:.3g} → "
        "{lowest:.3g}"
    ).format(
        sides=_sides(result.image),
        evaluations=len(evaluations),
        seconds=evaluations[-1]["seconds"],
        first=finest[0]["total"],
        lowest=lowest,
    )


def _sides(shown: Tensor) -> str:
    return f"{shown.shape[3]} × {shown.shape[2]}"
