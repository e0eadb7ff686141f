"""The package's own errors. Each says what was wrong with which input, and what to do about it."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from stlib._language import tr


class StlibError(Exception):
    """The base of all errors that only stlib raises."""


class ImageError(StlibError, ValueError):
    """A picture that cannot be read or written."""


class WeightsError(StlibError, RuntimeError):
    """Trained weights that are missing, damaged or of another network."""


class DeviceError(StlibError, RuntimeError):
    """A device that this machine does not have."""


class CheckpointError(StlibError, ValueError):
    """A checkpoint that cannot be kept or used."""


class JobError(StlibError, ValueError):
    """A job of a batch that cannot be done as it is written."""


class MissingExtraError(StlibError, ImportError):
    """A part of stlib whose packages were not installed with it."""


@contextmanager
def needs_extra(part: str, extra: str) -> Iterator[None]:
    """Turn a failed import inside the block into one sentence that says what to install.

    part: what cannot be used, for example "stlib.batch". extra: its name in pyproject.toml.
    Raises MissingExtraError.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            tr(
                "{part} needs the package {name}, which is not installed. Run `make setup`, or "
                '`python -m pip install --editable ".[{extra}]"` in the course\'s folder.'
            ).format(part=part, name=error.name, extra=extra)
        ) from None


def nearest(name: object, names: Iterable[str]) -> str | None:
    """The name that was probably meant, whatever its case; None when none is near."""
    by_lower = {known.lower(): known for known in names}
    near = difflib.get_close_matches(str(name).lower(), by_lower, n=1)
    return by_lower[near[0]] if near else None


def one_line(text: object) -> str:
    """A text on one line, with characters that cannot be printed written as Python's escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def reason(error: BaseException) -> str:
    """Why something failed, on one line: the system's own words where there are any."""
    words = getattr(error, "strerror", None) or str(error).strip().split("\n")[0]
    return one_line(words) or type(error).__name__


def shown(value: object) -> str:
    """A value as a message shows it: on one line, and no longer than it takes to recognise it."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # an object may fail in any way; so does an int of 5000 digits
        return tr("a {name} that cannot be shown").format(name=type(value).__name__)
    return text if len(text) <= 100 else f"{text[:100]}…"
