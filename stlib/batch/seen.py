"""Files that many jobs share, hashed and decoded once for as long as they stay as they are."""

import hashlib
import io
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from stlib.images import load_pil


class _Version(NamedTuple):
    """A file as it is now. changed: in nanoseconds. size: in bytes."""

    path: str
    changed: int
    size: int


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits. Raises OSError when it cannot be read."""
    return _digest(_version(path))


def picture(source: Path | io.BytesIO, size: int | None, *, enlarge: bool = False) -> Image.Image:
    """As `load_pil`; several callers get one picture of a path, which they must not change.

    Raises ImageError.
    """
    if not isinstance(source, Path):
        return load_pil(source, size, enlarge=enlarge)
    try:
        version = _version(source)
    except OSError:  # for which load_pil has words
        return load_pil(source, size, enlarge=enlarge)
    return _decoded(version, size, enlarge)


def _version(path: Path) -> _Version:
    stat = path.stat()
    return _Version(str(path), stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=10_000)
def _digest(version: _Version) -> str:
    with Path(version.path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=16)  # of 2048 × 2048 pixels: 200 MB
def _decoded(version: _Version, size: int | None, enlarge: bool) -> Image.Image:
    return load_pil(version.path, size, enlarge=enlarge)
