"""Many transfers on a Dask cluster: this machine's cores, or the workers of a scheduler.

Whoever calls `run` reads the pictures, sends them to the workers, and writes what comes back. So
the workers need neither the files nor a common disk, a picture is written once by a single hand,
and the death of a worker costs one picture's time. The scheduler needs no stlib: what it passes on
are bytes.
"""

import asyncio
import concurrent.futures
import errno
import logging
import math
import operator
import pickle
import pkgutil
import queue
import re
import signal
import tempfile
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial

import dask
import torch
from dask.system import CPU_COUNT
from distributed import Client, Future, KilledWorker, LocalCluster, rpc
from PIL import Image
from toolz import pipe
from tqdm.auto import tqdm

import stlib
from stlib._language import tr
from stlib._progress import progress_bar
from stlib.arguments import check_flag, check_whole_number, is_number
from stlib.batch import notes, places
from stlib.batch.forecasting import MEMORY_OF_A_WORKER, largest_need
from stlib.batch.jobs import Job, check_jobs, fingerprint, listed
from stlib.batch.painter import paint_job, read_pictures
from stlib.batch.previews import received
from stlib.batch.report import Outcome, Report
from stlib.cost import free_memory
from stlib.errors import ImageError, JobError, reason, shown
from stlib.images import save_image
from stlib.vgg import best_device

PATIENCE = 30  # seconds to wait for a scheduler's answer, and for a worker when there is none
PULSE = 0.5  # seconds after which the workers are counted anew
STOP_AFTER = 10  # failures in a row
ADDRESS = re.compile(
    r"((tcp|tls|ws|wss|ucx)://)?([^\s/:\[\]]+|\[[\da-fA-F:.%]+\]):(?P<port>\d{1,5})/?"
)
# a terminal sends Ctrl-C to the workers, too, but it is for us to end them
IGNORE_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
GIVE_ADDRESS = tr(
    "Give the address that the scheduler printed when it started, for example "
    '"tcp://192.168.0.7:8786".'
)
AGAIN = tr("Run the batch again: what is done is kept.")
CONNECTION_LOST = tr("The connection to the scheduler was lost. {again}").format(again=AGAIN)
SILENCE = tr("The scheduler does not answer. {again}").format(again=AGAIN)
WORKERS_LOST = tr("All workers are gone, and none came back. Start some. {again}").format(
    again=AGAIN
)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Stopped(Exception):
    """Why a batch cannot go on, in one sentence."""


def run(
    jobs: Iterable[Job],
    *,
    address: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    progress: bool = True,
    force: bool = False,
    stop_after: int = STOP_AFTER,
    tell: Callable[[Outcome], None] | None = None,
) -> Report:
    """Paint every job's picture that is not there yet, several at a time.

    address: of a Dask scheduler, "tcp://host:8786"; its workers need this version of stlib, and may
        come and go. None starts a cluster on this machine and stops it at the end. workers,
        threads: its processes, and the cores of each; None as in `share_cores`. With an address,
        threads None leaves each of its workers the number that it has.
    force: whether to paint over pictures that no batch painted, or that were changed since.
    stop_after: failures in a row that end the batch; a picture that cannot be read is none, since
        the next batch would come no further. A full disk ends it at once.
    tell: called with each outcome as soon as it is known, but for its attempts.

    A picture is the same, bit for bit, in whatever order and on whichever worker it is painted, on
    the same kind of machine with the same threads. It is skipped when it is there and its
    `fingerprint` is that of the last time; the note of that is a file beside it, with .json added
    to its name. A worker that dies is replaced, and its picture begun again, up to 4 times. What
    goes wrong with a picture is told in the report and stops no other one. Ctrl-C keeps what is
    done, and so does whatever ends the batch early, such as the loss of all workers.

    A scheduler keeps the last 1000 pictures that it sent; start one for large pictures with
    DASK_DISTRIBUTED__ADMIN__LOW_LEVEL_LOG_LENGTH=10 in its environment.

    In a script call it under `if __name__ == "__main__":`, since each new process imports the
    script.
    Raises JobError before any work when a job makes no sense or would replace a file that is none
    of a batch, ValueError for an address of another form or a number below 1, ConnectionError when
    no scheduler or worker answers.
    """
    jobs, began = listed(jobs), time.perf_counter()
    check_whole_number("stop_after", stop_after, 1)
    check_flag("force", force)
    if tell is not None and not callable(tell):
        raise ValueError(
            tr("tell is {value}: give a function of one outcome, or None.").format(
                value=shown(tell)
            )
        )
    if address is not None:
        check_address(address)
    processes, cores = share_cores(workers, threads)  # raises for numbers that make no sense
    check_jobs(jobs)
    with progress_bar(len(jobs), "picture", shown=progress) as bar:
        batch = _Batch(jobs, bar, stop_after, tell, force)
        batch.skip()
        if batch.waiting:
            if address is None:
                needed = largest_need(jobs[number] for number in batch.waiting)
                processes, cores = share_cores(workers, threads, needed=needed)
            with (
                _quiet(),
                _interrupted_once(),
                _cluster(address, min(processes, len(batch.waiting)), cores) as client,
            ):
                batch.paint(client, threads if address else cores)
    return Report(batch.counted(), time.perf_counter() - began, batch.stopped)


def check_address(address: object) -> None:
    """Raise a ValueError unless this has the form of a scheduler's address."""
    if isinstance(address, str) and address.startswith(("http://", "https://")):
        raise ValueError(
            tr("address is {address}, a dashboard for browsers. {remedy}").format(
                address=shown(address), remedy=GIVE_ADDRESS
            )
        )
    is_address = isinstance(address, str) and ADDRESS.fullmatch(address)
    if not is_address or not 0 < int(is_address["port"]) < 2**16:
        raise ValueError(
            tr("address is {address}, not HOST:PORT. {remedy}").format(
                address=shown(address), remedy=GIVE_ADDRESS
            )
        )


def share_cores(
    workers: int | None = None,
    threads: int | None = None,
    cores: int = CPU_COUNT,
    memory: float | None = None,
    needed: float = MEMORY_OF_A_WORKER,
) -> tuple[int, int]:
    """How many workers a machine gets, and how many threads each: at most one thread per core.

    workers: None is one for each core (or for each `threads` cores) that has the memory that is
        needed, or one for each graphics card where there are some.
    threads: None is the cores, shared evenly.
    cores: of the machine. memory: in bytes; None is what is free. needed: bytes for a worker.
    Raises ValueError for what makes no sense.
    """
    check_whole_number("cores", cores, 1)
    for name, size in (("memory", memory), ("needed", needed)):
        if size is not None and not (is_number(size) and 0 < size < math.inf):
            raise ValueError(
                tr("{name} is {size}: give a number of bytes above 0.").format(
                    name=name, size=shown(size)
                )
            )
    for name, number in (("workers", workers), ("threads", threads)):
        if number is not None:
            check_whole_number(name, number, 1)
    if workers is None:
        enough = int((free_memory() if memory is None else memory) / needed)
        by_cores = cores // (threads or 1)
        device = best_device().type
        cards = torch.cuda.device_count() if device == "cuda" else 1
        workers = max(1, min(by_cores, enough) if device == "cpu" else cards)
    return workers, threads or max(1, cores // workers)


class _Batch:
    """A batch so far: the outcome of each job, which jobs wait, and which are being painted."""

    def __init__(
        self,
        jobs: list[Job],
        bar: tqdm,
        stop_after: int = STOP_AFTER,
        tell: Callable[[Outcome], None] | None = None,
        force: bool = False,
    ):
        self.jobs, self.bar, self.stop_after, self.tell = jobs, bar, stop_after, tell
        self.force = force
        self.outcomes = [Outcome(job.output) for job in jobs]
        self.waiting: deque[int] = deque()  # numbers of jobs
        self.in_flight: dict[Future, int] = {}
        self.finished: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self.prints: dict[int, str] = {}
        self.attempts: Counter[int] = Counter()
        self.failures = 0  # in a row, of pictures that were painted
        self.stopped = ""
        self.writing = threading.Lock()  # no picture so far may replace a result

    def finish(self, number: int, status: str, note: str = "", seconds: float = 0.0) -> None:
        outcome = Outcome(self.jobs[number].output, status, note, seconds)
        self.outcomes[number] = outcome
        if self.tell is not None:
            self.tell(outcome)
        self.bar.update()

    def counted(self) -> list[Outcome]:
        """The outcomes, with how often each job was begun."""
        return [
            replace(outcome, attempts=self.attempts[number])
            for number, outcome in enumerate(self.outcomes)
        ]

    def skip(self) -> None:
        """Skip what is painted already, and what somebody else made; the rest waits."""
        found = [notes.read_note(job) for job in self.jobs]  # all, before anything is done
        for number, (job, note) in enumerate(zip(self.jobs, found, strict=True)):
            try:
                printed = fingerprint(job)
            except (ImageError, JobError) as error:
                self.finish(number, "failed", str(error))
                continue
            self.prints[number] = printed
            standing = notes.standing(job, note, printed, self.force)
            if standing is None:
                self.waiting.append(number)
            else:
                self.finish(number, "skipped", standing)

    def paint(self, client: Client, threads: int | None) -> None:
        """Keep every worker busy with one picture; write each one that comes back."""
        topic = f"stlib-{uuid.uuid4().hex}"
        crew = _Crew(client)
        # the scheduler's own log forgets all but the last thousand
        client.subscribe_topic(topic, lambda event: self.attempts.update([event[1]]))
        arrived: list[tuple[int, Future]] = []
        try:
            with self.previews(client, topic):
                while self.waiting or self.in_flight or arrived:
                    # first of all, so that no worker is idle while a picture is written
                    self.fill(client, crew.look(), threads, topic)
                    for number, future in arrived:
                        self.receive(number, future)
                    arrived = self.arrivals()
        except Stopped as why:
            self.stopped = str(why)
        except KeyboardInterrupt:  # what is not done stays cancelled
            _ignore_ctrl_c()  # a second one would lose the report
        if self.in_flight and client.status == "running":
            with suppress(OSError, TimeoutError):
                client.sync(client.cancel, list(self.in_flight), callback_timeout=PATIENCE)

    def fill(self, client: Client, workers: int, threads: int | None, topic: str) -> None:
        """Send jobs whose pictures can be read, until there is one for each worker.

        While many wait there is one more: to a cluster that adapts, it means that workers lack.
        """
        while self.waiting and len(self.in_flight) < workers + (len(self.waiting) > workers):
            number = self.waiting.popleft()
            job = self.jobs[number]
            try:
                pictures = read_pictures(job)
            except (ImageError, JobError) as error:
                self.finish(number, "failed", str(error))
                continue
            # the scheduler would unpickle, and so import, whatever is more than bytes
            task = pickle.dumps(partial(paint_job, pictures, job, threads, topic, number))
            key = f"{topic}-{number}"
            future = client.submit(pipe, task, pickle.loads, operator.call, key=key)
            self.in_flight[future] = number
            future.add_done_callback(self.finished.put)

    def arrivals(self) -> list[tuple[int, Future]]:
        """A job that has ended, when one does within a moment."""
        try:
            future = self.finished.get(timeout=PULSE)
        except queue.Empty:
            return []
        with self.writing:
            return [(self.in_flight.pop(future), future)]

    def previews(self, client: Client, topic: str) -> AbstractContextManager[None]:
        """Meanwhile, pictures so far are written, of jobs that ask for it."""
        if all(self.jobs[number].save_every is None for number in self.waiting):
            return nullcontext()
        return received(client, topic, self.keep)

    def keep(self, number: int, picture: Image.Image) -> None:
        """Write a picture so far; its job is begun anew by the next batch."""
        with self.writing:
            if number in self.in_flight.values():  # its result is not written yet
                if notes.taken(self.jobs[number], self.force):
                    return  # the result goes beside it
                with suppress(ImageError, JobError, OSError):  # told when the result has no room
                    self.write(number, picture, notes.UNFINISHED)

    def receive(self, number: int, future: Future) -> None:
        """Write the picture of a job and its film, or say why there is none.

        Raises Stopped for a full disk, and for too many failures in a row.
        """
        if future.status == "finished":
            painted = future.result()
            try:
                self.write(number, painted.picture, self.prints[number], painted.film)
            except (ImageError, JobError, OSError) as error:
                self.fail(number, str(error), painted.seconds)
                if _has_no_room(error):
                    raise Stopped(
                        tr("There is no room for more pictures. {again}").format(again=AGAIN)
                    ) from None
            else:
                self.finish(number, "done", painted.remark, painted.seconds)
                self.failures = 0
        elif future.status == "error":
            self.fail(number, _why(future.exception()))
        else:
            raise Stopped(CONNECTION_LOST)

    def fail(self, number: int, note: str, seconds: float = 0.0) -> None:
        """Note a failure. Raises Stopped when it is one too many in a row."""
        self.finish(number, "failed", note, seconds)
        self.failures += 1
        if self.failures >= self.stop_after:
            raise Stopped(
                tr("{count} pictures in a row failed, the last one: {note}").format(
                    count=self.failures, note=note
                )
            )

    def write(
        self, number: int, picture: Image.Image, printed: str, film: bytes | None = None
    ) -> None:
        """Write a picture, its film and its note.

        Raises ImageError or OSError without room, JobError when it had to go beside a file of
        somebody else's.
        """
        with notes.writing(self.jobs[number], printed, force=self.force) as job:
            if job.film and film:
                places.write(job.film, film)
            with places.writing(job.output) as path:
                save_image(picture, path)


class _Crew:
    """The workers of a cluster, counted anew as they come and go."""

    def __init__(self, client: Client):
        self.client = client
        self.size = 0  # that have this stlib
        self.counted = self.seen = time.monotonic()
        self.asked: dict[str, concurrent.futures.Future[object]] = {}

    def look(self) -> int:
        """How many workers there are that can paint; they are counted now and then.

        Raises Stopped when a worker has no stlib or another one, and when there has been no worker
        for a while.
        """
        now = time.monotonic()
        if self.size and now < self.counted + PULSE:
            return self.size
        workers = self.addresses()
        if workers:
            self.seen = now
        elif now > self.seen + PATIENCE:
            raise Stopped(WORKERS_LOST if self.client.status == "running" else CONNECTION_LOST)
        self.asked = {worker: self.asked.get(worker) or self.ask(worker) for worker in workers}
        for worker, answer in self.asked.items():
            if answer.done() and not answer.cancelled():
                _check_version(worker, answer.result())
        self.counted, self.size = now, sum(answer.done() for answer in self.asked.values())
        return self.size

    def addresses(self) -> list[str]:
        """Of all workers; none while there is no connection.

        Raises Stopped when the scheduler does not answer.
        """
        if self.client.status != "running":
            return []
        try:
            return list(self.client.sync(self.client.nthreads, callback_timeout=PATIENCE))
        except TimeoutError:
            raise Stopped(SILENCE) from None
        except OSError:
            return []

    def ask(self, worker: str) -> concurrent.futures.Future[object]:
        """Ask a worker for its version of stlib; the first import may take it a minute."""

        async def version() -> object:
            try:
                answers = await self.client.run(
                    pkgutil.resolve_name,
                    "stlib:__version__",
                    workers=[worker],
                    on_error="return",
                )
            except (OSError, ValueError):  # it is gone
                return None
            return answers.get(worker)

        loop = self.client.loop.asyncio_loop  # type: ignore[union-attr]  # it is connected
        return asyncio.run_coroutine_threadsafe(version(), loop)


def _check_version(worker: str, answer: object) -> None:
    """Raise Stopped when a worker has another stlib, or none."""
    remedy = tr("Start it in an environment with stlib {version}. {again}").format(
        version=stlib.__version__, again=AGAIN
    )
    if isinstance(answer, Exception) and not isinstance(answer, OSError):
        raise Stopped(
            tr("The worker {worker} cannot import stlib: {why}. {remedy}").format(
                worker=worker, why=reason(answer), remedy=remedy
            )
        )
    if isinstance(answer, str) and answer != stlib.__version__:
        raise Stopped(
            tr("The worker {worker} has stlib {answer}. {remedy}").format(
                worker=worker, answer=answer, remedy=remedy
            )
        )


def _has_no_room(error: BaseException) -> bool:
    """Whether a disk was full, or may not be written to, at the beginning of an error."""
    causes = (error, error.__cause__)
    return any(isinstance(cause, OSError) and cause.errno in NO_ROOM for cause in causes)


def _why(error: BaseException) -> str:
    if isinstance(error, KilledWorker):
        return tr(
            "Its workers died again and again, which often means too little memory: try fewer "
            "workers or a smaller size."
        )
    cause = error.__cause__
    return reason(error) if cause is None else f"{reason(error)}: {reason(cause)}"


def _find_scheduler(address: str) -> None:
    """Raise a ConnectionError unless a Dask scheduler answers at this address.

    A `Client` that finds none would wait for another minute when Python ends.
    """

    async def identity() -> dict:
        async with rpc(address, timeout=PATIENCE) as there:
            return await asyncio.wait_for(there.identity(), PATIENCE)

    try:
        with concurrent.futures.ThreadPoolExecutor(1) as thread:  # a notebook's has a loop already
            kind = thread.submit(asyncio.run, identity()).result()["type"]
    except Exception as error:  # as many kinds as there are servers of something else
        clear = str(error) and not isinstance(error, MemoryError)
        told = reason(error).rstrip(".") if clear else tr("what is there is no scheduler")
        raise ConnectionError(
            tr("no Dask scheduler answers at {address!r}: {told}. {remedy}").format(
                address=address, told=told, remedy=GIVE_ADDRESS
            )
        ) from None
    if kind != "Scheduler":
        raise ConnectionError(
            tr("at {address!r} is a Dask {kind}. {remedy}").format(
                address=address, kind=kind.lower(), remedy=GIVE_ADDRESS
            )
        )


@contextmanager
def _cluster(address: str | None, workers: int, threads: int) -> Iterator[Client]:
    """A client of the scheduler at this address, or of a local cluster that ends with it."""
    if address is not None:
        _find_scheduler(address)
        with Client(address, timeout=PATIENCE, set_as_default=False) as client:
            _wish = client.submit(sum, ())  # a cluster that adapts starts workers for a task only
            try:
                client.wait_for_workers(1, timeout=PATIENCE)
            except TimeoutError:
                raise ConnectionError(
                    tr(
                        "the scheduler at {address} has no worker: start one on each machine with "
                        "`dask worker {address} --nthreads 1`."
                    ).format(address=address)
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
def _interrupted_once() -> Iterator[None]:
    """Ctrl-C is heard again after the block, which may have chosen to ignore it."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if handler is not None and _may_handle_signals():
            signal.signal(signal.SIGINT, handler)


def _ignore_ctrl_c() -> None:
    if _may_handle_signals():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _may_handle_signals() -> bool:
    """Python lets no other thread do it."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask's log is for those who run clusters; what concerns a picture is in the report."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        pictures_travel = {
            "distributed.admin.large-graph-warning-threshold": "1GB",
            # each connection keeps its last messages: a thousand by default
            "distributed.admin.low-level-log-length": 10,
        }
        with dask.config.set(pictures_travel):
            yield
    finally:
        logger.setLevel(level)
