"""Ctrl-C while the command line still imports PyTorch, which takes a second or more.

Python would show where in the imports it was, and some modules swallow it.
"""

import os
import signal
import sys
from pathlib import Path

from stlib._language import marked, tr

NOTHING = marked("interrupted before the first evaluation; nothing was written")


def is_command_line() -> bool:
    """Whether this process is `stlib …` or `python -m stlib …`, and no program that imports it."""
    words = sys.orig_argv[1:3]
    return words == ["-m", "stlib"] or Path(*words[:1]).stem == "stlib"


def end_at_once() -> None:
    """From now on, Ctrl-C ends the command line with one sentence; others are left alone."""
    # where it is ignored, as in a shell's background jobs, it stays so
    if is_command_line() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_again() -> None:
    """From now on, Ctrl-C is a KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def ignore() -> None:
    """From now on, Ctrl-C does nothing: Python's own end would show where it was."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end(*_: object) -> None:
    os.write(2, f"stlib: {tr(NOTHING)}\n".encode())
    os._exit(130)
