"""The note beside each output: how it was painted, and whether it is still what was painted.

It lies in a file of its own, with .json added to the output's name, so that it works for every
picture format and can be read.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from typing import Any

from stlib._language import tr
from stlib.batch import places
from stlib.batch.jobs import NOTE, Job
from stlib.errors import JobError, one_line, reason

# in place of a fingerprint: a picture so far, and one that was being written when all ended
UNFINISHED = "unfinished"
BEING_WRITTEN = "being written"


def read_note(job: Job) -> dict[str, Any]:
    """The note beside the output of a job; empty when there is none.

    Raises JobError for a file that is no note of a batch: nothing may replace it.
    """
    try:
        text = places.read(_note_file(job))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise JobError(
            tr("{note} cannot be read: {why}.").format(
                note=one_line(_note_file(job)), why=reason(error)
            )
        ) from None
    try:
        note = json.loads(text)
    except ValueError:
        note = None
    if not isinstance(note, dict) or not {"fingerprint", "picture"} <= note.keys():
        raise JobError(
            tr(
                "the job for {output}: {note} would be replaced by a note, but is none of a batch: "
                "move it away, or choose another output."
            ).format(output=one_line(job.output), note=one_line(_note_file(job)))
        )
    return note


def standing(job: Job, note: dict[str, Any], printed: str, force: bool) -> str | None:
    """Why a job is skipped: "" when it is painted already; None when it is to be painted.

    note: beside its output. printed: its fingerprint. force: whether to paint over a file that no
        batch left so, which is kept otherwise.
    """
    if _is_painted(job, note, printed):
        return ""
    kept = None if force else foreign_file(job, note)
    if kept is None:
        return None
    if kept == job.output:
        return tr(
            "It is not as a batch left it, so it was kept: move it away, or give --force "
            "(force=True in Python) to replace it."
        )
    return tr(
        "The film {film} is not as a batch left it, so it was kept: move it away, or give --force "
        "(force=True in Python) to replace it."
    ).format(film=one_line(kept))


def _is_painted(job: Job, note: dict[str, Any], printed: str) -> bool:
    """Whether the files of a job are what it would paint. printed: its fingerprint."""
    return (
        note.get("fingerprint") == printed
        and note.get("picture") == _digest(job.output)
        and (job.film is None or note.get("film") == _digest(job.film))
    )


def foreign_file(job: Job, note: dict[str, Any]) -> str | None:
    """The first file of a job that is there and no batch wrote, or that was changed since."""
    if note.get("fingerprint") == BEING_WRITTEN:
        return None
    for name, file in (("picture", job.output), ("film", job.film)):
        if file is not None and _digest(file) not in (None, note.get(name)):
            return file
    return None


@contextmanager
def writing(job: Job, printed: str, *, force: bool) -> Iterator[Job]:
    """The job as it is to be written in this block, at the end of which it is noted.

    printed: its fingerprint, or UNFINISHED. force: whether somebody else's files are replaced.

    Somebody else's file may have come while the job was painted. It is kept, and the job that is
    given has free names beside it.
    Raises OSError, and JobError at the end of the block when the names are not those of the job.
    """
    theirs = taken(job, force)
    if theirs is not None:
        film = None if job.film is None else places.free_name(job.film)
        spare = replace(job, output=places.free_name(job.output), film=film)
        yield spare
        raise JobError(
            tr(
                "{theirs} was put there by somebody else in the meantime, so it was kept, and the "
                "picture was saved as {spare}."
            ).format(theirs=one_line(theirs), spare=one_line(spare.output))
        )
    note, before = read_note(job), _digests(job)
    # a later batch takes the files for its own, should the process be killed in the block
    _write(job, {"fingerprint": BEING_WRITTEN, "picture": None, "film": None})
    try:
        yield job
    except BaseException:
        # what has not been written is whose it was before
        now = _digests(job)
        left = {name: note.get(name) if now[name] == before[name] else now[name] for name in now}
        with suppress(JobError, OSError):
            _write(job, {"fingerprint": UNFINISHED, **left})
        raise
    write_note(job, printed)


def write_note(job: Job, printed: str) -> None:
    """Write the note of a job whose files are there. printed: its fingerprint, or UNFINISHED.

    Raises OSError.
    """
    _write(job, {"fingerprint": printed, **_digests(job)})


def taken(job: Job, force: bool) -> str | None:
    """A file of somebody else's in the place of one of the job's, its note included.

    force: whether only a note counts, which nothing replaces.
    """
    try:
        note = read_note(job)
    except JobError:
        return _note_file(job)
    return None if force else foreign_file(job, note)


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


def _digests(job: Job) -> dict[str, str | None]:
    """Of the files of a job, by their names in a note."""
    return {"picture": _digest(job.output), "film": job.film and _digest(job.film)}


def _digest(path: str) -> str | None:
    """SHA-256 of a file, "" of one that cannot be read, None when there is none."""
    try:
        return hashlib.sha256(places.read(path)).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (JobError, OSError):
        return ""
