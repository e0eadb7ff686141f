"""Files that are written whole or not at all."""

import itertools
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from stlib._language import tr
from stlib.errors import one_line, reason


def expanded(path: str | os.PathLike) -> Path:
    """The path with the home folder in place of ~, as a shell has it."""
    if not isinstance(path, (str, os.PathLike)):
        raise ValueError(
            tr("path is a {type}: give the path of a file.").format(type=type(path).__name__)
        )
    path = Path(path)
    try:
        return path.expanduser()
    except RuntimeError:  # ~somebody, whom this system does not know
        return path


def writable(path: str | os.PathLike, example: str) -> Path:
    """The file that writing to `path` would create or replace; writes nothing.

    A symbolic link stays one: the file it points to is meant.
    example: a file name, for the message about a folder.
    Raises ValueError with half a sentence, such as "there is no folder x. Create it first.", when
    no file can be written there.
    """
    path = expanded(path)
    try:
        target = Path(os.path.realpath(path))
        is_folder, exists, is_file = target.is_dir(), target.exists(), target.is_file()
    except (OSError, ValueError) as error:  # a name too long, or with a null character
        raise ValueError(tr("{error}. Choose another name.").format(error=reason(error))) from None
    if is_folder:
        inside = one_line(path / example)
        raise ValueError(
            tr("it is a folder. Add a file name, for example {inside}.").format(inside=inside)
        )
    if exists and not is_file:
        raise ValueError(tr("it is a device or a pipe, not a regular file. Choose another path."))
    folder = one_line(target.parent if path.is_symlink() else path.parent)  # as the user wrote it
    if not target.parent.is_dir():
        raise ValueError(tr("there is no folder {folder}. Create it first.").format(folder=folder))
    if not os.access(target.parent, os.W_OK):
        raise ValueError(
            tr("the folder {folder} may not be written to. Choose another one.").format(
                folder=folder
            )
        )
    return target


def free_path(path: Path) -> Path:
    """A path beside this one where nothing is yet: painted-1.png for painted.png."""
    spares = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(1))
    return next(spare for spare in spares if not os.path.lexists(spare))


def replace(path: Path, data: bytes | memoryview) -> None:
    """Replace `path` by a file with these bytes, in a single step once they are on the disk.

    Whatever fails before that leaves the old file whole.
    Raises OSError.
    """
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """As `replace`, with a file to write to: `path` is replaced when the `with` block ends."""
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
