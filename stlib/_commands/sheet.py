"""The command sheet: one photo in many styles, or over the values of a setting, on one sheet."""

import argparse
import itertools
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from stlib import _files
from stlib._commands.options import (
    add_cluster,
    add_force,
    add_painting,
    check_local,
    chosen_values,
    say,
)
from stlib._language import tr
from stlib._outputs import Outputs, check_outputs
from stlib.arguments import check_whole_number
from stlib.contact_sheet import CELL, contact_sheet
from stlib.errors import JobError, one_line, reason
from stlib.images import check_output_path, load_pil, sample_paintings, save_image

if TYPE_CHECKING:
    from stlib.batch import Job, Report

Values = dict[str, Any]


def add_command(commands: Any) -> None:
    """Add it to the commands of a parser."""
    parser = commands.add_parser(
        "sheet",
        help=tr("paint a photo in many styles, or with many settings, all on one sheet"),
        brief="PHOTO -o OUT",
    )
    parser.set_defaults(run=run, parser=parser)
    add = parser.add_argument
    add(
        "content", metavar="PHOTO", help=tr("the picture to paint: a file, or the name of a sample")
    )
    add(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        help=tr("where to save the sheet; the suffix names the format (.png, .jpg, .webp, …)"),
    )
    add(
        "--style",
        metavar="STYLE",
        nargs="+",
        action="extend",
        help=tr("the paintings: files, or names of samples (default: all sample paintings)"),
    )
    add(
        "--over",
        metavar="NAME=VALUE,VALUE",
        type=_over,
        action="append",
        default=[],
        help=tr(
            "a column for each value of a setting, for example beta=1e6,1e7 or "
            "style-size=256,512; given again, all combinations"
        ),
    )
    add(
        "--columns", metavar="N", type=int, help=tr("pictures in a row (default: as it looks best)")
    )
    add(
        "--keep",
        metavar="DIR",
        help=tr(
            "keep the pictures in this folder; those that are there and unchanged are not painted "
            "again"
        ),
    )
    add_force(parser, tr("OUT, and pictures in DIR, where they are there already"))
    add_painting(parser)
    add_cluster(parser)


def run(options: argparse.Namespace) -> int:
    """Paint the pictures of the sheet, save it, and return the exit code."""
    from stlib import batch  # Dask takes a second to import, and only some commands need it
    from stlib.batch.jobs import picture_file

    styles = options.style or sample_paintings()
    check_local([options.content, *styles, options.output, options.keep or ""])
    check_output_path(options.output)
    if options.columns is not None:
        check_whole_number("--columns", options.columns, 1)
    values = chosen_values(options, [name for name, _ in options.over])
    if options.device:
        values["device"] = options.device
    picture_file(options.content)  # there is one
    _check_styles(styles, [picture_file(name).resolve() for name in styles])
    with _folder(options.keep) as folder:
        jobs, names = plan(options.content, styles, values, options.over, folder)
        outputs = _outputs(options, jobs)
        _make(folder)  # not before, since a mistake leaves nothing behind
        report = batch.run(
            jobs,
            address=options.address,
            workers=options.workers,
            threads=options.threads,
            force=options.force,
        )
        _tell(report, names)
        pictures = [
            _painted(job, outcome.status)
            for job, outcome in zip(jobs, report.outcomes, strict=True)
        ]
    count = sum(isinstance(picture, Image.Image) for picture in pictures)
    if count:
        cells = list(zip(pictures, names, strict=True))
        if not options.over:  # with columns of values, the photo would shift them all
            photo = load_pil(picture_file(options.content), min(CELL, jobs[0].size))
            cells = [(photo, "the photo"), *cells]
        columns = options.columns or (len(options.over[-1][1]) if options.over else None)
        path = outputs.write(options.output, partial(save_image, contact_sheet(cells, columns)))
        told = tr("{path}: {count} of {all} pictures in {seconds:.0f} s").format(
            path=one_line(path), count=count, all=len(jobs), seconds=report.seconds
        )
        print(told)
    else:
        path = one_line(options.output)
        say(tr("no picture was painted, so {path} was not written").format(path=path))
    if report.stopped:
        say(tr("error: {message}").format(message=report.stopped))
        return 1
    if report.count("cancelled"):
        rest = tr("interrupted, and the same command paints the rest")
        say(rest if options.keep else tr("interrupted"))
        return 130
    return int(report.count("failed") > 0 or outputs.moved)


def plan(
    content: str,
    styles: Sequence[str],
    values: Values,
    over: Sequence[tuple[str, list[str]]],
    folder: Path,
) -> tuple[list["Job"], list[str]]:
    """The jobs of a sheet, row by row, and the name of each picture.

    content, styles: files or names of samples. values: of all jobs, by the names of `DEFAULTS`.
    over: settings and the values that each takes, as the user wrote them. folder: for the
        pictures.
    Raises JobError for a setting that does not exist, is given twice or makes no sense.
    """
    from stlib.batch.jobs import make_job

    _check_over(over, values)
    swept = [name for name, _ in over]
    jobs, names = [], []
    files: Counter[str] = Counter()
    for style, *words in itertools.product(styles, *(given for _, given in over)):
        row = {name: _value(word) for name, word in zip(swept, words, strict=True)}
        settings = [f"{_hyphened(name)} {word}" for name, word in zip(swept, words, strict=True)]
        stem = Path(style).stem
        named = [_label(style, styles)] if len(styles) > 1 or not settings else []
        names.append("\n".join([*named, *settings]))
        file = "-".join([Path(content).stem, stem, *settings]).replace(" ", "=")
        files[file] += 1
        again = f"-{files[file]}" if files[file] > 1 else ""  # two styles may have the same name
        output = str(folder / f"{file}{again}.png")
        jobs.append(make_job(content, style, output, **{**values, **row}))
    return jobs, names


def _check_styles(styles: Sequence[str], files: Sequence[Path]) -> None:
    """Raise a JobError when two names lead to one picture."""
    for (style, file), (other, another) in itertools.combinations(
        zip(styles, files, strict=True), 2
    ):
        if file == another:
            if style == other:
                told = tr("--style: {style} is given twice: leave out one of the two.")
            else:
                told = tr(
                    "--style: {style} and {other} are the same picture: leave out one of the two."
                )
            raise JobError(told.format(style=one_line(style), other=one_line(other)))


def _check_over(over: Sequence[tuple[str, list[str]]], values: Values) -> None:
    """Raise a JobError for a setting that does not exist, and for what is given twice."""
    from stlib.batch.jobs import DEFAULTS, check_known

    given = {name: f"--{_hyphened(name)}" for name in values}
    for name, words in over:
        if name == "preset":
            raise JobError(
                tr(
                    "--over preset=…: a preset is for all pictures: give --preset one name, and "
                    "sweep a setting, as --over size=256,512 does."
                )
            )
        if name == "style":
            raise JobError(
                tr(
                    "--over style=…: give the paintings after --style, as --style cafe-terrace "
                    "harvest-at-la-crau does."
                )
            )
        check_known([_hyphened(name)], map(_hyphened, DEFAULTS), tr("--over: no setting"))
        option = one_line(f"--over {_hyphened(name)}={','.join(words)}")
        if name in given:
            raise JobError(
                tr("{one} and {other} both set {name}: leave out one of the two.").format(
                    one=given[name], other=option, name=_hyphened(name)
                )
            )
        given[name] = option
        for word, other in itertools.combinations(words, 2):
            if _value(word) == _value(other):
                if word == other:
                    told = tr("{option}: {word} is there twice: leave out one of the two.")
                else:
                    told = tr(
                        "{option}: {word} and {other} are the same: leave out one of the two."
                    )
                raise JobError(
                    told.format(option=option, word=one_line(word), other=one_line(other))
                )


def _label(style: str, styles: Sequence[str]) -> str:
    """The shortest name of a style that no other has: its stem, its file, or with its folder."""
    forms = [
        lambda path: path.stem,
        lambda path: path.name,
        lambda path: "/".join(path.with_suffix("").parts[-2:]),
    ]
    for form in forms:
        if [form(Path(other)) for other in styles].count(form(Path(style))) == 1:
            return one_line(form(Path(style)))
    return one_line(style)


def _hyphened(name: str) -> str:
    """The name of a setting as an option has it."""
    return name.replace("_", "-")


def _over(text: str) -> tuple[str, list[str]]:
    """The setting and the values of --over, as words."""
    name, equals, values = text.partition("=")
    if not name or not equals or not all(values.split(",")):
        raise argparse.ArgumentTypeError(
            tr("{text!r} does not name a setting and its values, as beta=1e6,1e7 does").format(
                text=text
            )
        )
    return name.replace("-", "_"), values.split(",")


def _value(text: str) -> Any:
    """A whole number, a number, true, false, none, or a text."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


@contextmanager
def _folder(keep: str | None) -> Iterator[Path]:
    """The folder of the pictures, or one that is gone at the end."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="stlib-") as folder:
            yield Path(folder)
    else:
        yield _files.expanded(keep)


def _make(folder: Path) -> None:
    """Make a folder, and those that it is in, unless they are there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise JobError(
            tr("{folder} is a file: give --keep the name of a folder.").format(
                folder=one_line(folder)
            )
        ) from None
    except (OSError, ValueError) as error:
        raise JobError(
            tr("the folder {folder} cannot be made: {why}.").format(
                folder=one_line(folder), why=reason(error)
            )
        ) from None


def _outputs(options: argparse.Namespace, jobs: Sequence["Job"]) -> Outputs:
    """The sheet as an output; raises an error when a file of somebody's would be overwritten."""
    note = _note(options)
    kept = [name for job in jobs for name in job.written]
    written = [options.output, *kept, *([note] if note else [])]
    check_outputs(written, {name for job in jobs for name in job.files})
    # of those with a note beside them, the batch keeps what was changed
    foreign = [job.output for job in jobs if not Path(f"{job.output}.json").exists()]
    Outputs(foreign, force=options.force)
    return Outputs([options.output], note, force=options.force)


def _note(options: argparse.Namespace) -> Path | None:
    """Among the pictures that are kept, of the sheet that the same command may replace."""
    if options.keep is None:
        return None
    return _files.expanded(options.keep) / f"{Path(options.output).name}.sheet.json"


def _painted(job: "Job", status: str) -> Image.Image | str:
    """The picture of a job, or what became of it."""
    return load_pil(job.output, None) if status in ("done", "skipped") else status


def _tell(report: "Report", names: Sequence[str]) -> None:
    """Say on stderr which pictures are missing, and what the others warned of."""
    for outcome, name in zip(report.outcomes, names, strict=True):
        if outcome.note:
            say(f"{', '.join(name.splitlines())}: {outcome.status}: {outcome.note}")
