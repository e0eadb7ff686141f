"""Where pictures are and go: folders of this machine, or a cloud's, under the names that jobs have.

A name with a protocol, such as s3://bucket/cat.jpg, is looked up through fsspec; any other is a
path, in which ~ stands for the home folder.
"""

import itertools
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING

from stlib import _files
from stlib._language import tr
from stlib.errors import ImageError, JobError, needs_extra, one_line, reason
from stlib.images import check_place

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# of what a folder is searched for
SUFFIXES = {".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpeg", ".jpg", ".png"}
SUFFIXES |= {".tif", ".tiff", ".webp"}
_WEB = ("http", "https", "ftp")
_PROTOCOL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # two letters or more: C:// is a drive


def is_remote(name: str) -> bool:
    """Whether a name has a protocol, as s3://bucket/cat.jpg has."""
    return _PROTOCOL.match(name) is not None


def check_not_web(name: str) -> None:
    """Raise a JobError for the address of a web page or of a local file, which is no folder."""
    if name.lower().startswith("file://"):
        raise JobError(
            tr("{name}: give the path of the file, without file://.").format(name=one_line(name))
        )
    if is_remote(name) and name.partition("://")[0].lower() in _WEB:
        raise JobError(
            tr(
                "{name} is a web address: download the picture and give the path of the file."
            ).format(name=one_line(name))
        )


def located(folder: str | Path, name: str) -> str:
    """A name as it is meant in this folder."""
    if is_remote(name):
        return name
    if is_remote(str(folder)):
        return f"{str(folder).rstrip('/')}/{name}"
    path = str(Path(folder, _files.expanded(name)))
    return f"{path}/" if name.endswith("/") else path  # only a folder's name ends so


def found(name: str) -> list[str]:
    """The pictures that a pattern such as photos/*.jpg or a folder stands for, in order.

    Numbers in names count as numbers: 2.png comes before 10.png. A name that is neither pattern nor
    folder stands for itself, whether or not it exists.
    Raises JobError when there is no picture.
    """
    is_folder = name.endswith("/") or _is_folder(name)
    if not is_folder and (not _is_pattern(name) or is_file(name)):
        return [name]
    pattern = f"{name.rstrip('/')}/*" if is_folder else re.sub(r"(^|/)\*\*$", r"\1**/*", name)
    matches = _matches(pattern)
    if is_folder or not PurePosixPath(pattern).suffix:
        matches = [match for match in matches if PurePath(match).suffix.lower() in SUFFIXES]
    if not matches:
        raise JobError(_nothing(name, is_folder))
    return sorted(matches, key=_in_order)


def folder_below(name: str, pattern: str, root: str | Path) -> str:
    """The folder of a picture, from `root` on; of one that is elsewhere, from the pattern's on.

    pattern: from which `found` has the name. Returns "." for a picture in `root` itself.
    """
    kind = PurePosixPath if is_remote(name) else Path
    folder = kind(name).parent
    if is_remote(name) == is_remote(str(root)) and folder.is_relative_to(root):
        inside = folder.relative_to(root)
        if ".." not in inside.parts:
            return inside.as_posix()
    base = kind(_base(pattern)) if name != pattern else folder
    own = base.resolve().name if isinstance(base, Path) else base.name  # never ".."
    return (own / folder.relative_to(base)).as_posix()


def is_file(name: str) -> bool:
    """Whether there is a file of this name.

    Raises JobError where nobody can tell.
    """
    if is_remote(name):
        system, path = _file_system(name)
        with _told(name, tr("{name} cannot be read: {why}")):
            return system.isfile(path)
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def read(name: str) -> bytes:
    """The bytes of a file. Raises OSError, or JobError for a place that cannot be reached."""
    if not is_remote(name):
        return Path(name).read_bytes()
    system, path = _file_system(name)
    with _told(name, tr("{name} cannot be read: {why}")):
        return system.cat_file(path)


def write(name: str, data: bytes | memoryview) -> None:
    """Write a file whole or not at all, and make its folder where there is none.

    Raises OSError, or JobError for a place that cannot be reached.
    """
    if is_remote(name):
        system, path = _file_system(name)
        with _told(name, tr("{name} cannot be saved: {why}")):
            system.pipe_file(path, bytes(data))
        return
    _make_folder(name)
    _files.replace(Path(os.path.realpath(name)), data)  # a link stays one


@contextmanager
def writing(name: str) -> Iterator[str]:
    """A path to write a file to, in a folder that exists; it is `name`'s when the block ends.

    Raises OSError, or JobError for a place that cannot be reached.
    """
    if not is_remote(name):
        _make_folder(name)
        yield name
        return
    with tempfile.TemporaryDirectory(prefix="stlib-") as folder:
        path = Path(folder, PurePosixPath(name).name)
        yield str(path)
        write(name, path.read_bytes())


def free_name(name: str) -> str:
    """A name beside this one that no file has yet: painted-1.png for painted.png."""
    if not is_remote(name):
        return str(_files.free_path(Path(name)))
    start, dot, suffix = name.rpartition(".")
    spares = (f"{start}-{number}{dot}{suffix}" for number in itertools.count(1))
    return next(spare for spare in spares if not is_file(spare))


def identity(name: str) -> str:
    """What a file is called, whatever way leads to it; there need not be one.

    Raises JobError for a place that cannot be reached.
    """
    if not is_remote(name):
        return os.path.realpath(name)
    system, path = _file_system(name)
    return system.unstrip_protocol(path)


def check_output(name: str) -> str:
    """What an output is called, whatever way leads to it; writes nothing and makes no folder.

    Raises ImageError or JobError when no file could be written there.
    """
    check_not_web(name)
    if is_remote(name):
        return identity(name)
    path = Path(name)
    folder = path.parent
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if folder == path.parent:
            return str(check_place(path))
        is_folder, may_write = folder.is_dir(), os.access(folder, os.W_OK)
        target = path.resolve()
    except (OSError, ValueError):  # a name that no file can have
        return str(check_place(path))
    if not is_folder or not may_write:
        if is_folder:
            told = tr(
                "{name} cannot be saved: {folder} may not be written to. Choose another folder."
            )
        else:
            told = tr("{name} cannot be saved: {folder} is no folder. Choose another folder.")
        raise ImageError(told.format(name=one_line(name), folder=one_line(folder)))
    return str(target)


def _make_folder(name: str) -> None:
    """Make the folder of a file, and those that it is in, where there is none."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)


def _is_pattern(name: str) -> bool:
    return any(character in name for character in "*?[")


def _base(pattern: str) -> str:
    """The folder in which all that a pattern or a folder stands for lies."""
    if not _is_pattern(pattern):
        return pattern.rstrip("/")
    before = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    return re.split(r"[^/\\]*$", before)[0].rstrip("/\\") or ("/" if before[:1] == "/" else ".")


def _is_folder(name: str) -> bool:
    if is_remote(name):
        return False  # one that ends in a / is meant as a folder: to ask would take a second each
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):
        return False


def _matches(pattern: str) -> list[str]:
    """All files that match, hidden ones left out."""
    if is_remote(pattern):
        system, path = _file_system(pattern)
        with _told(pattern, tr("{name} cannot be read: {why}")):
            details = system.glob(path, detail=True)
        # a memory or a cloud has no root, so its paths may or may not begin with a slash
        start = "" if ":///" in pattern else "/"
        protocol = pattern.partition("://")[0]
        return [
            f"{protocol}://{match.removeprefix(start)}"
            for match, detail in details.items()
            if detail["type"] == "file"
        ]
    base = Path(_base(pattern))
    rest = pattern[len(_base(pattern)) :] if pattern.startswith(_base(pattern)) else pattern
    try:
        matches = [path for path in base.glob(rest.lstrip("/\\")) if path.is_file()]
    except (OSError, ValueError) as error:
        raise JobError(
            tr("{pattern} is no pattern: {why}.").format(
                pattern=one_line(pattern), why=reason(error)
            )
        ) from None
    hidden = [any(part[0] == "." for part in path.relative_to(base).parts) for path in matches]
    return [str(path) for path, is_hidden in zip(matches, hidden, strict=True) if not is_hidden]


def _in_order(name: str) -> list[str | int]:
    """Texts and numbers by turns."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def _nothing(name: str, is_folder: bool) -> str:
    """Why a pattern or a folder stands for no picture, and what to do."""
    base = _base(name)
    if not is_remote(name) and not Path(base).is_dir():
        return tr("there is no folder {base}: check the spelling and the folder above it.").format(
            base=one_line(base)
        )
    if is_folder:
        return tr(
            "the folder {base} holds no picture: for those in folders below write {base}/**."
        ).format(base=one_line(base))
    return tr(
        "no file matches {name}: capital letters count, and {base}/ stands for all pictures of "
        "that folder."
    ).format(name=one_line(name), base=one_line(base))


def _file_system(name: str) -> "tuple[AbstractFileSystem, str]":
    """The file system of a name with a protocol, and the path in it.

    Raises JobError when there is none, MissingExtraError without fsspec.
    """
    check_not_web(name)
    with needs_extra(
        tr("a picture at {protocol}://").format(protocol=name.partition("://")[0]), "cloud"
    ):
        from fsspec.core import url_to_fs
    try:
        return url_to_fs(name)
    except Exception as error:  # each protocol fails in ways of its own
        raise JobError(
            tr("{name} cannot be reached: {why}").format(name=one_line(name), why=_sentence(error))
        ) from None


@contextmanager
def _told(name: str, sentence: str) -> Iterator[None]:
    """Turn whatever a cloud raises into one sentence, but for a file that is not there.

    sentence: with {name} and {why}.
    """
    try:
        yield
    except (FileNotFoundError, JobError):
        raise
    except Exception as error:  # of a dozen libraries
        raise JobError(sentence.format(name=one_line(name), why=_sentence(error))) from None


def _sentence(error: Exception) -> str:
    return f"{reason(error).rstrip('.')}."
