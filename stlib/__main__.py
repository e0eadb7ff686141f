"""The command line: python -m stlib transfer CONTENT STYLE -o OUT, … batch JOBS.toml, … doctor.

Exit codes: 0 done, 1 failed (of a batch: at least one picture), 2 wrong usage, 130 interrupted
(what had been painted until then is saved).
"""

import argparse
import io
import sys
import tempfile
import warnings
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from torch import Tensor

from stlib.brushes import Brush, as_brushes, load_mask
from stlib.cost import estimate_run
from stlib.descent import Reason
from stlib.errors import ImageError, StlibError, reason
from stlib.images import SIZE, check_output_path, load_image, sample, sample_names, save_image
from stlib.settings import Settings
from stlib.transfer import paint

# evaluations times pixels; less is over within a minute on any machine that the course is for
SHORT = 5e6


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except StlibError as error:
        return _fail(error)
    except ValueError as error:  # an argument that style_transfer refuses
        parser.error(str(error))
    except (MemoryError, OSError, RuntimeError) as error:
        return _fail(reason(error))
    except KeyboardInterrupt:
        print(
            "stlib: interrupted before the first evaluation; nothing was written", file=sys.stderr
        )
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stlib",
        description="Neural style transfer after Gatys, Ecker & Bethge (2016).",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    transfer = commands.add_parser(
        "transfer",
        help="paint one picture in the style of another",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    transfer.set_defaults(run=_transfer)
    transfer.add_argument(
        "content", metavar="CONTENT", help="the picture to paint: a file, or the name of a sample"
    )
    transfer.add_argument(
        "style", metavar="STYLE", help="the painting to learn from: a file, or the name of a sample"
    )
    transfer.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        default=argparse.SUPPRESS,
        help="where to save it; the suffix names the format (.png, .jpg, .webp, …)",
    )
    transfer.add_argument(
        "--also",
        metavar="STYLE",
        default=argparse.SUPPRESS,
        help="a second painting, blended with the first in equal parts",
    )
    transfer.add_argument(
        "--mask",
        metavar="MASK",
        default=argparse.SUPPRESS,
        help="a grey picture of the content's shape: STYLE where it is white; where it is black, "
        "the style of --also, or none",
    )
    transfer.add_argument("--size", type=int, default=SIZE, help="longer side in pixels")
    for setting in fields(Settings):
        _add_setting(transfer, setting)
    transfer.add_argument(
        "--resume",
        action="store_true",
        default=argparse.SUPPRESS,
        help="keep the run's state in OUT.checkpoint; an interrupted run goes on from there",
    )

    batch = commands.add_parser(
        "batch",
        help="paint many pictures, several at a time; those that are there are skipped",
        description="The form of JOBS.toml: python -c 'help(\"stlib.batch.jobs\")'",
    )
    batch.set_defaults(run=_batch)
    batch.add_argument(
        "jobs", metavar="JOBS.toml", help="which pictures, how, and into which files"
    )
    batch.add_argument(
        "--workers", type=int, help="pictures painted at a time (default: by cores and memory)"
    )
    batch.add_argument(
        "--threads", type=int, help="cores for each picture (default: the cores shared evenly)"
    )
    batch.add_argument(
        "--address",
        help="of a Dask scheduler, tcp://HOST:PORT (default: a cluster on this machine)",
    )

    commands.add_parser("doctor", help="is this machine ready?").set_defaults(run=_doctor)
    return parser


def _add_setting(parser: argparse.ArgumentParser, setting: Field[Any]) -> None:
    """Make an option of a setting that has a help text."""
    if not setting.metadata:
        return
    # argparse would show "(default: None)", where the help text says it better
    default = argparse.SUPPRESS if setting.default is None else setting.default
    parser.add_argument(f"--{setting.name}", default=default, **setting.metadata)


def _transfer(options: argparse.Namespace) -> int:
    check_output_path(options.output)
    given = vars(options)
    names = [setting.name for setting in fields(Settings) if setting.metadata]
    settings = Settings(**{name: given[name] for name in names if name in given})
    content = _picture(options.content, options.size)
    style = _style(options, content)
    checkpoint = f"{options.output}.checkpoint" if "resume" in options else None
    if checkpoint and Path(checkpoint).exists():
        print(f"stlib: going on from {checkpoint}", file=sys.stderr)
    _announce(settings, content, style)
    result = paint(content, style, settings, checkpoint=checkpoint)
    _save(result.image, options.output)
    height, width = result.image.shape[2:]
    evaluations, finest = [*result.coarse, *result.history], result.history or result.coarse
    lowest = min(losses["total"] for losses in finest)
    print(
        f"{options.output}: {width} × {height} pixels, {len(evaluations)} evaluations in "
        f"{evaluations[-1]['seconds']:.0f} s, loss {finest[0]['total']:.3g} → {lowest:.3g}"
    )
    if result.reason != Reason.INTERRUPTED:
        return 0
    work = "" if result.coarse else f" of {options.steps}"
    again = ", and the same command goes on from there" if checkpoint else ""
    print(
        f"stlib: interrupted after {len(evaluations)}{work} evaluations; "
        f"the best picture so far is saved{again}",
        file=sys.stderr,
    )
    return 130


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
        raise ImageError(f"{error} The picture is not lost: it is {spare}.") from None


def _announce(settings: Settings, content: Tensor, style: Tensor | list[Brush]) -> None:
    """Say on stderr what a run will cost that takes over a minute."""
    height, width = content.shape[2:]
    if settings.steps * height * width < SHORT:
        return  # the second that an estimate takes would be a good part of the run
    cost = estimate_run(content, as_brushes(style), settings, None)
    if cost.seconds > 60:
        print(
            f"stlib: {width} × {height} pixels, {settings.steps} evaluations: {cost}",
            file=sys.stderr,
        )


def _style(options: argparse.Namespace, content: Tensor) -> Tensor | list[Brush]:
    """The style picture, or the brushes that --also and --mask make of it."""
    style = _picture(options.style, options.size)
    if not {"also", "mask"} & set(vars(options)):
        return style
    mask = load_mask(options.mask, content) if "mask" in options else None
    brushes = [Brush(style, mask=mask)]
    if "also" in options:
        brushes.append(
            Brush(_picture(options.also, options.size), mask=None if mask is None else 1 - mask)
        )
    return brushes


def _picture(name: str, size: int) -> Tensor:
    """A file, or else one of the course's samples."""
    return (
        sample(name, size)
        if name in sample_names() and not Path(name).exists()
        else load_image(name, size)
    )


def _batch(options: argparse.Namespace) -> int:
    from stlib import batch  # Dask takes a second to import, and only this command needs it

    jobs = batch.read_jobs(options.jobs)
    report = batch.run(
        jobs, address=options.address, workers=options.workers, threads=options.threads
    )
    print(report)
    if report.count("cancelled"):
        print(
            "stlib: interrupted; what is done is saved, and the same command paints the rest",
            file=sys.stderr,
        )
        return 130
    return int(report.count("failed") > 0)


def _doctor(options: argparse.Namespace) -> int:
    from stlib.course.diagnosis import examine, report

    findings = examine()
    print(report(findings))
    return int(any(finding.remedy for finding in findings))


def _fail(message: object) -> int:
    print(f"stlib: error: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a ? where a terminal's encoding lacks × or →
    warnings.showwarning = lambda message, *_: print(f"stlib: warning: {message}", file=sys.stderr)
    sys.exit(main())
