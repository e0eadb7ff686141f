"""The command frames: the frames of a video, each painted from the result before."""

import argparse
from typing import Any

from stlib._commands.options import say


def add_command(commands: Any) -> None:
    """Add it to the commands of a parser."""
    parser = commands.add_parser(
        "frames",
        help="paint the frames of a video in their order, each from the result before",
        description='JOBS.toml has the form of that of batch; content = "frames/*.png" names the '
        "frames, and film one animation of them all.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("jobs", metavar="JOBS.toml", help="which frames, how, and into which files")


def run(options: argparse.Namespace) -> int:
    """Paint the frames and return the exit code."""
    from stlib.batch import read_jobs  # Dask takes a second to import
    from stlib.batch.frames import paint_frames

    report = paint_frames(read_jobs(options.jobs))
    print(report)
    if report.count("cancelled"):
        say("interrupted; what is done is saved, and the same command paints the rest")
        return 130
    return int(report.count("failed") > 0)
