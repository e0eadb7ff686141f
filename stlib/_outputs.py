"""What a command may write: no file that it reads, none twice, and none of somebody else's."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from stlib import _files
from stlib.errors import ImageError, one_line
from stlib.images import sample_file, sample_names

LEFT = "left by stlib"  # the key of a note: digests of files as they were left


def check_outputs(written: Iterable[str | Path], read: Iterable[str | Path]) -> None:
    """Raise an ImageError when a file would be written twice, or over one that is read.

    written, read: names, whatever links they go through; there need not be a file yet.
    """
    inputs = {mark for name in read for mark in _marks(name) | _marks_of_sample(name)}
    outputs: set[object] = set()
    for name in written:
        marks = _marks(name)
        if marks & inputs:
            raise ImageError(
                f"{one_line(name)} is an output, but also a file to be read: "
                "choose another name for the output."
            )
        if marks & outputs:
            raise ImageError(f"{one_line(name)} would be written twice: give each its own name.")
        outputs |= marks


def check_free(outputs: Iterable[str | Path], note: Path | None = None, *, force: bool) -> None:
    """Raise an ImageError for an output that is there, unless this command left it as it is.

    note: the file of `leaving`; None where nothing is remembered. force: whether outputs may be
        replaced all the same. A file in the place of the note, and of something else, never is.
    """
    left = [] if note is None else _left(note)
    for name in outputs:
        if not (force or left is None or _digest(name) in (None, *left)):
            raise ImageError(
                f"{one_line(name)} is there already: choose another name or folder, or give "
                "--force to replace it."
            )


@contextmanager
def leaving(outputs: Sequence[str | Path], note: Path | None) -> Iterator[None]:
    """Remember in a note how the block leaves these outputs, so that they may be replaced later.

    note: the file; None remembers nothing. Whatever kills the process inside the block, the same
    command takes the outputs for its own. A note that cannot be written is no reason to lose a
    picture.
    """
    if note is None:
        yield
        return
    _write(note, None)
    try:
        yield
    finally:
        _write(note, [digest for digest in map(_digest, outputs) if digest])


def _write(note: Path, left: list[str] | None) -> None:
    with suppress(OSError):
        _files.replace(note, json.dumps({LEFT: left}).encode())


def _left(note: Path) -> list[str] | None:
    """The digests in a note, or None while its outputs are being written.

    Raises ImageError for a file that is no such note: nothing may replace it.
    """
    if not os.access(note, os.F_OK):  # as of a name that no file can have
        return []
    with suppress(KeyError, OSError, TypeError, ValueError):
        left = json.loads(note.read_bytes())[LEFT]
        if left is None or isinstance(left, list):
            return left
    raise ImageError(
        f"{one_line(note)} is there already, and is no note of stlib's: move it away, or choose "
        "another name for the output."
    )


def _digest(name: str | Path) -> str | None:
    """SHA-256 of a file, "" of one that cannot be read, None when there is none."""
    try:
        with _files.expanded(name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return ""


def _marks(name: str | Path) -> set[object]:
    """What a file is known by, whatever name or link leads to it, also before there is one."""
    path, marks = _files.expanded(name), set[object]()
    with suppress(OSError, ValueError):  # there is none yet, or the name can be no file's
        marks.add(os.path.realpath(path))
        status = path.stat()
        marks.add((status.st_dev, status.st_ino))
    return marks


def _marks_of_sample(name: str | Path) -> set[object]:
    return _marks(sample_file(str(name))) if name in sample_names() else set()
