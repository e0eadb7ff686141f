"""The note beside each output: how it was painted, and whether it is still what was painted.

It lies in a file of its own, with .json added to the output's name, so that it works for every
picture format and can be read.
"""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from stlib.batch import places
from stlib.batch.jobs import NOTE, Job
from stlib.errors import JobError, one_line, reason

# in place of a fingerprint: a picture so far, and one that was being written when all ended
UNFINISHED = "unfinished"
BEING_WRITTEN = "being written"
KEPT = "It is not as a batch left it, so it was kept: move it away, or paint over it by force."


def read_note(job: Job) -> dict[str, Any]:
    """The note beside the output of a job; empty when there is none.

    Raises JobError for a file that is no note of a batch: nothing may replace it.
    """
    try:
        text = places.read(_note_file(job))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise JobError(f"{one_line(_note_file(job))} cannot be read: {reason(error)}.") from None
    try:
        note = json.loads(text)
    except ValueError:
        note = None
    if not isinstance(note, dict) or not {"fingerprint", "picture"} <= note.keys():
        raise JobError(
            f"the job for {one_line(job.output)}: {one_line(_note_file(job))} would be replaced by "
            "a note, but is none of a batch: move it away, or choose another output."
        )
    return note


def standing(job: Job, note: dict[str, Any], printed: str, force: bool) -> str | None:
    """Why a job is skipped: "" when it is painted already, or KEPT; None when it is to be painted.

    note: beside its output. printed: its fingerprint. force: whether to keep no file for KEPT.
    """
    if _is_painted(job, note, printed):
        return ""
    return KEPT if not force and is_foreign(job, note) else None


def _is_painted(job: Job, note: dict[str, Any], printed: str) -> bool:
    """Whether the files of a job are what it would paint. printed: its fingerprint."""
    return (
        note.get("fingerprint") == printed
        and note.get("picture") == _digest(job.output)
        and (job.film is None or note.get("film") == _digest(job.film))
    )


def is_foreign(job: Job, note: dict[str, Any]) -> bool:
    """Whether a file of a job is there that no batch wrote, or that was changed since."""
    if note.get("fingerprint") == BEING_WRITTEN:
        return False
    files = {"picture": job.output, "film": job.film}
    there = {name: _digest(file) for name, file in files.items() if file is not None}
    return any(digest not in (None, note.get(name)) for name, digest in there.items())


def write_note(job: Job, printed: str) -> None:
    """Write the note of a job whose files are there. printed: its fingerprint, or UNFINISHED.

    Raises OSError.
    """
    film = job.film and _digest(job.film)
    _write(job, {"fingerprint": printed, "picture": _digest(job.output), "film": film})


def announce(job: Job) -> None:
    """Note that the files of a job are about to be written.

    Whatever interrupts the writing, a later batch takes them for its own.
    Raises OSError.
    """
    _write(job, {"fingerprint": BEING_WRITTEN, "picture": None, "film": None})


def _write(job: Job, state: dict[str, Any]) -> None:
    note = {
        **state,
        "content": job.content,
        "style": job.style if isinstance(job.style, str) else list(map(asdict, job.style)),
        **job.values(),
    }
    text = json.dumps(note, indent=1, ensure_ascii=False, default=list)  # a set of layers
    places.write(_note_file(job), text.encode("utf-8"))


def _note_file(job: Job) -> str:
    return f"{job.output}{NOTE}"


def _digest(path: str) -> str | None:
    try:
        return hashlib.sha256(places.read(path)).hexdigest()
    except (JobError, OSError):
        return None
