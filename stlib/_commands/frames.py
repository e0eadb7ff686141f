"""The command frames: the frames of a video, each painted from the result before."""

import argparse
from typing import Any

from stlib._commands.batch import check_files, exit_code
from stlib._commands.options import add_force
from stlib._language import tr


def add_command(commands: Any) -> None:
    """Add it to the commands of a parser."""
    parser = commands.add_parser(
        "frames",
        help=tr("paint the frames of a video in their order, each from the result before"),
        description=tr(
            'JOBS.toml has the form of that of batch; content = "frames/*.png" names the frames, '
            "and film one animation of them all."
        ),
        brief="JOBS.toml",
    )
    parser.set_defaults(run=run, parser=parser)
    parser.add_argument(
        "jobs", metavar="JOBS.toml", help=tr("which frames, how, and into which files")
    )
    add_force(parser, tr("frames and films that are not as this command left them"))


def run(options: argparse.Namespace) -> int:
    """Paint the frames and return the exit code."""
    from stlib.batch import read_jobs  # Dask takes a second to import
    from stlib.batch.frames import paint_frames

    jobs = read_jobs(options.jobs)
    check_files(jobs, options.jobs)
    report = paint_frames(jobs, force=options.force)
    print(report)
    return exit_code(report)
