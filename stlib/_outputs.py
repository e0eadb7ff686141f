"""What a command may write: no file that it reads, none twice, and none of somebody else's."""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from stlib import _files
from stlib._language import tr
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
                tr(
                    "{name} is an output, but also a file to be read: choose another name for the "
                    "output."
                ).format(name=one_line(name))
            )
        if marks & outputs:
            raise ImageError(
                tr("{name} would be written twice: give each its own name.").format(
                    name=one_line(name)
                )
            )
        outputs |= marks


class Outputs:
    """Files that a command writes, each for as long as it is nobody else's.

    names: of the files, whether or not they are there. note: the file that remembers how this
        command leaves them, so that it may replace them later; None remembers nothing. force:
        whether what is there may be replaced all the same.
    Raises ImageError for a file that is there and that this command did not leave so, and for one
    in the place of the note that is none: nothing may replace it.
    """

    def __init__(
        self, names: Iterable[str | Path], note: Path | None = None, *, force: bool = False
    ):
        left = [] if note is None else _left(note)
        self.note = note
        self.paths = {str(name): str(name) for name in names}  # where each is written
        self.found = {name: _digest(name) for name in self.paths}
        self.own = {digest for digest in self.found.values() if left is None or digest in left}
        for name, digest in self.found.items():
            if digest is not None and digest not in self.own and not force:
                raise ImageError(
                    tr(
                        "{name} is there already: choose another name or folder, or give --force "
                        "to replace it."
                    ).format(name=one_line(name))
                )

    @property
    def moved(self) -> bool:
        """Whether something was written beside its own place."""
        return any(name != path for name, path in self.paths.items())

    def write(self, name: str, save: Callable[[str], object]) -> str:
        """Call save(path) and return the path: the name, or a free one beside somebody's file.

        Such a file may have come since this command began or wrote the name last; it is kept, with
        a RuntimeWarning. Whatever kills the process meanwhile, the same command takes what is there
        for its own. A note that cannot be written is no reason to lose a picture.
        """
        if _digest(self.paths[name]) != self.found[name]:
            theirs, spare = self.paths[name], _files.free_path(_files.expanded(name))
            self.paths[name], self.found[name] = str(spare), None
            warnings.warn(
                tr(
                    "{theirs} was put there by somebody else in the meantime, so it is kept, and "
                    "what was painted is {spare}."
                ).format(theirs=one_line(theirs), spare=one_line(spare)),
                RuntimeWarning,
                stacklevel=2,
            )
        path = self.paths[name]
        self._remember(None)
        try:
            save(path)
        finally:
            now = _digest(path)
            if now != self.found[name]:
                self.own = {*self.own - {self.found[name]}, now}
                self.found[name] = now
            self._remember(sorted(digest for digest in self.own if digest))
        return path

    def _remember(self, left: list[str] | None) -> None:
        if self.note is not None:
            with suppress(OSError):
                _files.replace(self.note, json.dumps({LEFT: left}).encode())


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
        tr(
            "{note} is there already, and is no note of stlib's: move it away, or choose another "
            "name for the output."
        ).format(note=one_line(note))
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
