"""The command line: stlib transfer PHOTO STYLE -o OUT; sheet, batch, frames, doctor.

`python -m stlib` does the same. Exit codes: 0 done, 1 failed (of a batch or a sheet: at least one
picture), 2 wrong usage, 130 interrupted (what had been painted until then is saved).
"""

import argparse
import io
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

from stlib import __version__
from stlib._commands import frames, sheet, transfer
from stlib._commands.options import Parser, add_cluster, as_options, say
from stlib.errors import StlibError, reason

if TYPE_CHECKING:
    from stlib.batch import Outcome


def program() -> int:
    """The command line as a program of its own; returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a ? where a terminal's encoding lacks × or →
    warnings.showwarning = lambda message, *_: say(f"warning: {message}")
    return main()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except StlibError as error:
        of_a_file = options.run is _batch  # whose names are those of arguments
        return _fail(error if of_a_file else as_options(str(error)))
    except ValueError as error:  # an argument that style_transfer refuses
        command: Parser = options.parser  # it knows its usage
        command.error(as_options(str(error)))
    except (MemoryError, OSError, RuntimeError) as error:
        return _fail(reason(error))
    except KeyboardInterrupt:
        say("interrupted before the first evaluation; nothing was written")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="stlib" if Path(sys.argv[0]).stem == "stlib" else "python -m stlib",
        description="Neural style transfer after Gatys, Ecker & Bethge (2016).",
        brief="COMMAND",
    )
    parser.add_argument("--version", action="version", version=f"stlib {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    transfer.add_command(commands)
    sheet.add_command(commands)

    batch = commands.add_parser(
        "batch",
        help="paint many pictures, several at a time; those that are there are skipped",
        description="The form of JOBS.toml: python -c 'help(\"stlib.batch.jobs\")'",
        brief="JOBS.toml",
    )
    batch.set_defaults(run=_batch, parser=batch)
    batch.add_argument(
        "jobs", metavar="JOBS.toml", help="which pictures, how, and into which files"
    )
    add_cluster(batch)
    add = batch.add_argument
    add("--dry-run", action="store_true", help="say what it would cost, and paint nothing")
    add(
        "--force",
        action="store_true",
        help="paint also over pictures that no batch painted, or that were changed since",
    )
    add(
        "--stop-after",
        metavar="N",
        type=int,
        help="failures in a row after which it stops (default: 10)",
    )
    add("--report", metavar="FILE.csv", help="write what became of each job into this file")

    frames.add_command(commands)
    doctor = commands.add_parser("doctor", help="is this machine ready?")
    doctor.set_defaults(run=_doctor, parser=doctor)
    return parser


def _batch(options: argparse.Namespace) -> int:
    from stlib import batch  # Dask takes a second to import, and only this command needs it
    from stlib.batch.report import check_report_path

    jobs = batch.read_jobs(options.jobs)
    if options.dry_run:
        forecast = batch.forecast(jobs, force=options.force)
        print(forecast)
        for output in forecast.failing:
            say(f"{output} cannot be painted: a picture of it cannot be read")
        return int(bool(forecast.failing))
    if options.report:
        check_report_path(options.report)
    limit = {} if options.stop_after is None else {"stop_after": options.stop_after}
    report = batch.run(
        jobs,
        address=options.address,
        workers=options.workers,
        threads=options.threads,
        force=options.force,
        tell=_tell,
        **limit,
    )
    if options.report:
        report.save(options.report)
    print(report)
    if report.stopped:
        return _fail(report.stopped)
    if report.count("cancelled"):
        say("interrupted; what is done is saved, and the same command paints the rest")
        return 130
    return int(report.count("failed") > 0)


def _tell(outcome: "Outcome") -> None:
    """Say at once what failed."""
    if outcome.status == "failed":
        with tqdm.external_write_mode(file=sys.stderr):  # above the bar
            say(f"{outcome.output}: {outcome.note}")


def _doctor(options: argparse.Namespace) -> int:
    from stlib.course.diagnosis import examine, report

    findings = examine()
    print(report(findings))
    return int(any(finding.remedy for finding in findings))


def _fail(message: object) -> int:
    say(f"error: {message}")
    return 1


if __name__ == "__main__":
    sys.exit(program())
