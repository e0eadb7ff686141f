"""The command batch: many pictures, from a file of jobs."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from stlib import _files
from stlib._commands.options import add_cluster, add_force, say
from stlib._language import tr
from stlib._outputs import Outputs, check_outputs
from stlib.errors import one_line

if TYPE_CHECKING:
    from stlib.batch import Job, Outcome, Report


def add_command(commands: Any) -> None:
    """Add it to the commands of a parser."""
    parser = commands.add_parser(
        "batch",
        help=tr("paint many pictures, several at a time; those that are there are skipped"),
        description=tr("The form of JOBS.toml: python -c 'help(\"stlib.batch.jobs\")'"),
        brief="JOBS.toml",
    )
    parser.set_defaults(run=run, parser=parser)
    parser.add_argument(
        "jobs", metavar="JOBS.toml", help=tr("which pictures, how, and into which files")
    )
    add_cluster(parser)
    add = parser.add_argument
    add("--dry-run", action="store_true", help=tr("say what it would cost, and paint nothing"))
    add_force(
        parser, tr("pictures that no batch painted, or that were changed since, and FILE.csv")
    )
    add(
        "--stop-after",
        metavar="N",
        type=int,
        help=tr("failures in a row on the workers after which it stops (default: 10)"),
    )
    add("--report", metavar="FILE.csv", help=tr("write what became of each job into this file"))


def run(options: argparse.Namespace) -> int:
    """Paint the pictures and return the exit code."""
    from stlib import batch  # Dask takes a second to import

    jobs = batch.read_jobs(options.jobs)
    if options.dry_run:
        forecast = batch.forecast(jobs, force=options.force)
        print(forecast)
        for output in forecast.failing:
            say(
                tr("{output} cannot be painted: a picture of it cannot be read").format(
                    output=one_line(output)
                )
            )
        return int(bool(forecast.failing))
    outputs = check_files(jobs, options.jobs, options.report, force=options.force)
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
    print(report)
    code = exit_code(report)
    if options.report:  # last, since its disk may be full
        outputs.write(options.report, report.save)
    return code or int(outputs.moved)


def check_files(
    jobs: "list[Job]", path: str, report: str | None = None, *, force: bool = False
) -> Outputs:
    """The report as an output, and an error when it or the jobs' file is in the way of something.

    path: of the jobs. What is in the way of pictures, `check_jobs` and their notes tell.
    """
    # two jobs of one output are told by check_jobs, with advice
    written = dict.fromkeys(name for job in jobs for name in job.written)
    read = {path, *(name for job in jobs for name in job.files)}
    if report is None:
        check_outputs(written, read)
        return Outputs([])
    from stlib.batch.report import check_report_path

    check_report_path(report)
    note = _files.expanded(f"{report}.json")
    check_outputs([*written, report, note], read)
    return Outputs([report], note, force=force)


def exit_code(report: "Report") -> int:
    """Say why not all was painted, and return the exit code."""
    if report.stopped:
        say(tr("error: {message}").format(message=report.stopped))
        return 1
    if report.count("cancelled"):
        say(tr("interrupted; what is done is saved, and the same command paints the rest"))
        return 130
    return int(report.count("failed") > 0)


def _tell(outcome: "Outcome") -> None:
    """Say at once what failed."""
    if outcome.status == "failed":
        with tqdm.external_write_mode(file=sys.stderr):  # above the bar
            say(f"{one_line(outcome.output)}: {outcome.note}")
