"""What a batch will cost, before it begins; nothing is painted."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from stlib._language import tr
from stlib.arguments import check_flag
from stlib.batch import notes
from stlib.batch.jobs import Job, Network, check_jobs, fingerprint, listed
from stlib.batch.painter import build_network, read_pictures
from stlib.cost import Estimate, estimate_run, run_memory
from stlib.errors import ImageError, JobError

MEMORY_OF_A_WORKER = 2e9  # bytes, where no job says how much it needs
PROCESS = 0.6e9  # bytes of a worker before its first picture: Python, PyTorch and Dask


@dataclass(frozen=True)
class Forecast:
    """What `run` would do; as text, one line.

    paint, skip, keep: how many jobs are to be painted, are painted already, and have a picture that
        is not of a batch. failing: the outputs of jobs whose pictures cannot be read.
    estimate: the seconds of all on this machine, and the bytes that a worker needs.
    """

    paint: int
    skip: int
    keep: int
    failing: list[str]
    estimate: Estimate

    def __str__(self) -> str:
        told = [tr("{count} to paint").format(count=self.paint)]
        if self.skip:
            told.append(tr("{count} there already").format(count=self.skip))
        if self.keep:
            kept = tr("{count} kept as changed by hand (--force paints over them)")
            told.append(kept.format(count=self.keep))
        if self.failing:
            told.append(tr("{count} that cannot be read").format(count=len(self.failing)))
        all_told = tr(", ").join(told)
        if not self.paint:
            return all_told
        return tr("{jobs}: {cost} for each worker").format(jobs=all_told, cost=self.estimate)


class _Kind(NamedTuple):
    """What jobs have in common that cost the same, but for the shapes of their pictures."""

    size: int
    network: Network
    settings: str
    styles: int


def forecast(jobs: Iterable[Job], *, force: bool = False) -> Forecast:
    """How long `run` would take on this machine, with how much memory, and what it would skip.

    force: as for `run`. One job of each size and each combination of settings is looked at.
    Raises JobError as `run` does.
    """
    jobs = listed(jobs)
    check_flag("force", force)
    check_jobs(jobs)
    waiting, skip, keep, failing = [], 0, 0, []
    for job in jobs:
        note = notes.read_note(job)
        try:
            printed = fingerprint(job)
        except (ImageError, JobError):
            failing.append(job.output)
            continue
        standing = notes.standing(job, note, printed, force)
        skip += standing == ""
        keep += bool(standing)
        if standing is None:
            waiting.append(job)
    seconds = sum(len(alike) * _seconds(alike[0]) for alike in _kinds(waiting).values())
    estimate = Estimate(seconds, int(largest_need(waiting)))
    return Forecast(len(waiting), skip, keep, failing, estimate)


def largest_need(jobs: Iterable[Job]) -> float:
    """Bytes that a worker needs for the largest of the jobs; one of each kind is looked at."""
    needs = []
    for first, *_ in _kinds(jobs).values():
        with suppress(ImageError, JobError, ValueError):  # told when its turn comes
            content, brushes = read_pictures(first).tensors()
            needs.append(PROCESS + run_memory(content, brushes, first.settings))
    return max(needs, default=MEMORY_OF_A_WORKER)


def _seconds(job: Job) -> float:
    """Of a job on this machine, or 0 when its pictures cannot be read."""
    try:
        content, brushes = read_pictures(job).tensors()
    except (ImageError, JobError):
        return 0
    return estimate_run(content, brushes, job.settings, build_network(job.network)).seconds


def _kinds(jobs: Iterable[Job]) -> dict[_Kind, list[Job]]:
    kinds: dict[_Kind, list[Job]] = {}
    for job in jobs:
        kind = _Kind(job.size, job.network, job.settings.fingerprint(), len(job.paintings))
        kinds.setdefault(kind, []).append(job)
    return kinds
