"""Many transfers on a Dask cluster: this machine's cores, or the workers of a scheduler.

Whoever calls `run` reads the pictures, sends them to the workers, and writes what comes back. So
the workers need neither the files nor a common disk, a picture is written once by a single hand,
and the death of a worker costs one picture's time.
"""

import hashlib
import json
import logging
import tempfile
import threading
import time
import uuid
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import dask
import torch
from dask.system import CPU_COUNT
from distributed import Client, Future, KilledWorker, LocalCluster, as_completed, get_worker
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from stlib._progress import progress_bar
from stlib.arguments import check_whole_number
from stlib.batch import places
from stlib.batch.jobs import Job, Network, check_jobs, fingerprint, picture_source
from stlib.batch.previews import received, sends_every
from stlib.brushes import load_mask, make_brushes
from stlib.cost import free_memory
from stlib.devices import find_device
from stlib.errors import ImageError, JobError, reason
from stlib.film import add_frame, encoded, films
from stlib.images import load_image, load_pil, save_image, to_pil
from stlib.record import Watch, all_of
from stlib.transfer import paint
from stlib.vgg import VGG, best_device

MEMORY_OF_A_WORKER = 2e9  # bytes
PATIENCE = 30  # seconds to wait for a scheduler's answer, and for its first worker
# a terminal sends Ctrl-C to the workers, too, but it is for us to end them
IGNORE_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
CONNECTION_LOST = (
    "The connection to the scheduler was lost. Run the batch again: what is done is kept."
)


@dataclass(frozen=True)
class Outcome:
    """What became of one job.

    status: "done", "skipped" (there already, unchanged), "failed" or "cancelled". note: why, or a
        remark, in one sentence.
    seconds: that the painting took on its worker. attempts: how often a worker began it; above 1
        when one was lost.
    """

    output: str
    status: str = "cancelled"
    note: str = ""
    seconds: float = 0.0
    attempts: int = 0


@dataclass(frozen=True)
class Report:
    """What `run` returns; print it.

    outcomes: one per job, in their order. seconds: of it all.
    """

    outcomes: list[Outcome]
    seconds: float

    def count(self, status: str) -> int:
        """How many jobs have this status."""
        return sum(outcome.status == status for outcome in self.outcomes)

    def __str__(self) -> str:
        width = max((len(outcome.output) for outcome in self.outcomes), default=0)
        lines = [f"{'output':<{width}}  status     seconds  attempts"]
        for outcome in self.outcomes:
            numbers = (
                f"{outcome.seconds:7.1f}  {outcome.attempts:8d}" if outcome.attempts else f"{'':17}"
            )
            line = f"{outcome.output:<{width}}  {outcome.status:<9}  {numbers}  {outcome.note}"
            lines.append(line.rstrip())
        counts = [
            f"{self.count(status)} {status}"
            for status in ("done", "skipped", "failed", "cancelled")
            if self.count(status)
        ]
        return "\n".join([*lines, f"{', '.join(counts) or 'no jobs'} in {self.seconds:.0f} s"])


def run(
    jobs: Iterable[Job],
    *,
    address: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    progress: bool = True,
) -> Report:
    """Paint every job's picture that is not there yet, several at a time.

    address: of a Dask scheduler, "tcp://host:8786"; its workers need stlib installed. None starts a
        cluster on this machine and stops it at the end. workers, threads: its processes, and the
        cores of each; None as in `share_cores`. With an address, threads None leaves each of its
        workers the number that it has.

    A picture is the same, bit for bit, in whatever order and on whichever worker it is painted, on
    the same kind of machine with the same threads. It is skipped when it is there and its
    `fingerprint` is that of the last time; the note of that is a file beside it, with .json added
    to its name. A worker that dies is replaced, and its picture begun again, up to 4 times. What
    goes wrong with a picture is told in the report and stops no other one. Ctrl-C keeps what is
    done.

    In a script call it under `if __name__ == "__main__":`, since each new process imports the
    script.
    Raises JobError before any work when a job makes no sense, ValueError for less than 1 worker or
    thread, ConnectionError when no scheduler or worker answers.
    """
    jobs, began = list(jobs), time.perf_counter()
    check_jobs(jobs)
    workers, local_threads = share_cores(workers, threads)
    with progress_bar(len(jobs), "picture", shown=progress) as bar:
        batch = _Batch(jobs, bar)
        batch.skip_unchanged()
        if batch.waiting:
            with (
                _quiet(),
                _cluster(address, min(workers, len(batch.waiting)), local_threads) as client,
            ):
                batch.paint(client, threads if address else local_threads)
    return Report(batch.outcomes, time.perf_counter() - began)


def share_cores(
    workers: int | None = None,
    threads: int | None = None,
    cores: int = CPU_COUNT,
    memory: float | None = None,
) -> tuple[int, int]:
    """How many workers a machine gets, and how many threads each: at most one thread per core.

    workers: None is one for each core (or for each `threads` cores) that has 2 GB of memory, and a
        single one when there is a graphics card.
    threads: None is the cores, shared evenly.
    cores: of the machine. memory: in bytes; None is what is free.
    Raises ValueError for less than 1.
    """
    for name, number in (("workers", workers), ("threads", threads)):
        if number is not None:
            check_whole_number(name, number, 1)
    if workers is None:
        enough = int((free_memory() if memory is None else memory) / MEMORY_OF_A_WORKER)
        by_cores = cores // (threads or 1)
        workers = max(1, min(by_cores, enough)) if best_device().type == "cpu" else 1
    return workers, threads or max(1, cores // workers)


class _Batch:
    """A batch so far: the outcome of each job, which jobs wait, and which are being painted."""

    def __init__(self, jobs: list[Job], bar: tqdm):
        self.jobs, self.bar = jobs, bar
        self.outcomes = [Outcome(job.output) for job in jobs]
        self.waiting: list[int] = []  # numbers of jobs
        self.in_flight: dict[Future, int] = {}
        self.prints: dict[int, str] = {}
        self.writing = threading.Lock()  # no picture so far may replace a result

    def finish(self, number: int, status: str, note: str = "", seconds: float = 0.0) -> None:
        self.outcomes[number] = replace(
            self.outcomes[number], status=status, note=note, seconds=seconds
        )
        self.bar.update()

    def skip_unchanged(self) -> None:
        for number, job in enumerate(self.jobs):
            try:
                self.prints[number] = fingerprint(job)
            except (ImageError, JobError) as error:
                self.finish(number, "failed", str(error))
                continue
            note = _note(job)
            same_job = note.get("fingerprint") == self.prints[number]
            same_film = job.film is None or note.get("film") == _digest(job.film)
            if same_job and same_film and note.get("picture") == _digest(job.output):
                self.finish(number, "skipped")
            else:
                self.waiting.append(number)

    def paint(self, client: Client, threads: int | None) -> None:
        """Keep every worker busy with one picture; write each one that comes back."""
        topic = f"stlib-{uuid.uuid4().hex}"
        completed = as_completed(loop=client.loop)
        self.waiting.reverse()
        try:
            with self.previews(client, topic):
                for _ in range(max(1, sum(client.nthreads().values()))):
                    self.send(client, completed, threads, topic)
                for future in completed:
                    # before the picture is written, so that no worker is idle
                    self.send(client, completed, threads, topic)
                    self.receive(future)
            while self.waiting:
                self.finish(self.waiting.pop(), "failed", CONNECTION_LOST)
        except KeyboardInterrupt:
            client.cancel(list(self.in_flight))
        if client.status == "running":
            self.count_attempts(client, topic)

    def send(
        self, client: Client, completed: as_completed, threads: int | None, topic: str
    ) -> None:
        """Give the cluster the next job whose pictures can be read."""
        while self.waiting and client.status != "closed":
            number = self.waiting.pop()
            job = self.jobs[number]
            try:
                pictures = _pictures(job)
            except (ImageError, JobError) as error:
                self.finish(number, "failed", str(error))
                continue
            future = client.submit(
                _paint, pictures, job, threads, topic, number, key=f"{topic}-{number}"
            )
            self.in_flight[future] = number
            completed.add(future)
            return

    def previews(self, client: Client, topic: str) -> AbstractContextManager[None]:
        """Meanwhile, pictures so far are written, of jobs that ask for it."""
        if all(self.jobs[number].save_every is None for number in self.waiting):
            return nullcontext()
        return received(client, topic, self.keep)

    def keep(self, number: int, picture: Image.Image) -> None:
        """Write a picture so far; its job is begun anew by the next batch."""
        with self.writing:
            if number in self.in_flight.values():  # its result is not written yet
                self.write(number, picture, "unfinished")

    def receive(self, future: Future) -> None:
        """Write the picture of a job and its film, or say why there is none."""
        with self.writing:
            number = self.in_flight.pop(future)
        if future.status == "finished":
            painted = future.result()
            try:
                if (film := self.jobs[number].film) and painted.film:
                    places.write(film, painted.film)
                self.write(number, painted.picture, self.prints[number])
            except (ImageError, JobError, OSError) as error:
                self.finish(number, "failed", str(error), painted.seconds)
            else:
                self.finish(number, "done", painted.remark, painted.seconds)
        elif future.status == "error":
            self.finish(number, "failed", _why(future.exception()))
        else:
            self.finish(number, "failed", CONNECTION_LOST)

    def write(self, number: int, picture: Image.Image, printed: str) -> None:
        """Write a picture and its note. Raises ImageError or OSError when there is no room."""
        with places.writing(self.jobs[number].output) as path:
            save_image(picture, path)
        _write_note(self.jobs[number], printed)

    def count_attempts(self, client: Client, topic: str) -> None:
        """Count them in the workers' log: nothing else tells what a lost worker had begun."""
        for number, attempts in Counter(number for _, number in client.get_events(topic)).items():
            self.outcomes[number] = replace(self.outcomes[number], attempts=attempts)


@dataclass(frozen=True)
class Pictures:
    """The pictures of a job, as they travel.

    content: the photo. styles: the paintings. weights: of the styles. masks: [1, 1, H, W] or None,
    one for each style.
    """

    content: Image.Image
    styles: list[Image.Image]
    weights: list[float]
    masks: list[Tensor | None]


def _pictures(job: Job) -> Pictures:
    """Read all pictures of a job."""
    content = load_pil(picture_source(job.content), job.size)
    shape = load_image(content, None)
    style_size = job.settings.style_size
    return Pictures(
        content,
        [
            load_pil(
                picture_source(painting.picture),
                style_size or job.size,
                enlarge=style_size is not None,
            )
            for painting in job.paintings
        ],
        [painting.weight for painting in job.paintings],
        [
            None if painting.mask is None else load_mask(picture_source(painting.mask), shape)
            for painting in job.paintings
        ],
    )


# a worker of several threads would have its pictures fight for its cores
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Painted:
    """What a worker has made.

    film: the bytes of the file, where the job has one. seconds: that the painting took. remark:
    what `paint` warned of.
    """

    picture: Image.Image
    film: bytes | None
    seconds: float
    remark: str


def _paint(pictures: Pictures, job: Job, threads: int | None, topic: str, number: int) -> Painted:
    """The work of a worker."""
    worker = get_worker()
    worker.log_event(topic, number)
    task = worker.state.tasks[worker.get_current_task()]
    with _one_at_a_time, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        # its own lock is a semaphore of the system, which a killed worker would leave behind
        tqdm.set_lock(threading.RLock())
        if threads:
            torch.set_num_threads(threads)
        net = _network(job.network)
        began = time.perf_counter()
        content = load_image(pictures.content, None)
        styles = [load_image(style, None) for style in pictures.styles]
        frames: list[Image.Image] = []
        result = paint(
            content,
            make_brushes(styles, pictures.weights, pictures.masks),
            job.settings,
            net=net,
            progress=False,
            watch=_watch(job, content, frames, topic, number),
            callback=lambda *_: task.state == "cancelled",  # nobody waits for it any more
        )
        remark = " ".join(
            str(warning.message) for warning in caught if warning.category is RuntimeWarning
        )
        film = None
        if job.film is not None:
            add_frame(frames, result.image)
            film = bytes(encoded(frames, Path(job.film).suffix))
        return Painted(to_pil(result.image), film, time.perf_counter() - began, remark)


def _watch(
    job: Job, content: Tensor, frames: list[Image.Image], topic: str, number: int
) -> Watch | None:
    """Who is to be told of a job's run while it is painted."""
    watches = []
    if job.save_every is not None:
        watches.append(sends_every(job.save_every, topic, number))
    if job.film is not None:
        plan = job.settings.plan(min(content.shape[2:]))
        watches.append(films(frames, sum(stage.evaluations for stage in plan)))
    return all_of(watches)


@lru_cache(maxsize=1)
def _network(network: Network) -> VGG:
    """Built once in each worker; the weights never travel."""
    if network.device is not None:
        find_device(network.device)
    return VGG(**asdict(network))


def _note(job: Job) -> dict:
    """The note beside the output; empty when there is none, or it is unreadable."""
    try:
        note = json.loads(places.read(_note_file(job)))
    except (JobError, OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _write_note(job: Job, printed: str) -> None:
    # A file of its own works for every picture format, and can be read. It is written after the
    # picture and holds the picture's digest: whatever happens between the two, or to the picture
    # later, the note no longer fits and it is painted anew.
    note = {
        "fingerprint": printed,
        "picture": _digest(job.output),
        "film": job.film and _digest(job.film),
        "content": job.content,
        "style": job.style if isinstance(job.style, str) else list(map(asdict, job.style)),
        **job.values(),
    }
    text = json.dumps(note, indent=1, ensure_ascii=False, default=list)  # a set of layers
    places.write(_note_file(job), text.encode("utf-8"))


def _note_file(job: Job) -> str:
    return f"{job.output}.json"


def _digest(path: str) -> str | None:
    try:
        return hashlib.sha256(places.read(path)).hexdigest()
    except (JobError, OSError):
        return None


def _why(error: BaseException) -> str:
    if isinstance(error, KilledWorker):
        return (
            "Its workers died again and again, which often means too little memory: "
            "try fewer workers or a smaller size."
        )
    return reason(error)


@contextmanager
def _cluster(address: str | None, workers: int, threads: int) -> Iterator[Client]:
    """A client of the scheduler at this address, or of a local cluster that ends with it."""
    if address is not None:
        try:
            client = Client(address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ConnectionError(
                f"no Dask scheduler answers at {address!r}: {error}. Give the address that it "
                "printed when it "
                'started, for example "tcp://192.168.0.7:8786".'
            ) from None
        with client:
            try:
                client.wait_for_workers(1, timeout=PATIENCE)
            except TimeoutError:
                raise ConnectionError(
                    f"the scheduler at {address} has no worker: start one on each machine with "
                    f"`dask worker {address} --nthreads 1`."
                ) from None
            yield client
        return
    one_pool = dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)
    )
    with (
        tempfile.TemporaryDirectory(prefix="stlib-", ignore_cleanup_errors=True) as folder,
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            env=one_pool,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # its default port may be taken
            preload=IGNORE_CTRL_C,
            local_directory=folder,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask's log is for those who run clusters; what concerns a picture is in the report."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with dask.config.set(
            {"distributed.admin.large-graph-warning-threshold": "1GB"}
        ):  # pictures are meant to travel
            yield
    finally:
        logger.setLevel(level)
