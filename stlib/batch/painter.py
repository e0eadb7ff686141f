"""The work of a worker: from the pictures of a job to the painted one."""

import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from distributed import Reschedule, get_worker
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from stlib.batch import seen
from stlib.batch.jobs import Job, Network, picture_source
from stlib.batch.previews import sends_every
from stlib.brushes import Brush, load_mask, make_brushes
from stlib.film import add_frame, encoded, films
from stlib.images import load_image, to_pil
from stlib.record import Watch, all_of
from stlib.transfer import paint
from stlib.vgg import VGG, best_device

BUSY = 1  # seconds that a job waits for the one before it; then it goes to whoever is idle

# a worker of several threads would have its pictures fight for its cores
_one_at_a_time = threading.Lock()


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

    def tensors(self) -> tuple[Tensor, list[Brush]]:
        """The content and the styles as `paint` takes them."""
        styles = [load_image(style, None) for style in self.styles]
        return load_image(self.content, None), make_brushes(styles, self.weights, self.masks)


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


def read_pictures(job: Job) -> Pictures:
    """Read all pictures of a job. Raises ImageError or JobError."""
    content = seen.picture(picture_source(job.content), job.size)
    style_size = job.settings.style_size
    masks = [painting.mask for painting in job.paintings]
    shape = load_image(content, None) if any(masks) else None
    return Pictures(
        content,
        [
            seen.picture(
                picture_source(painting.picture),
                style_size or job.size,
                enlarge=style_size is not None,
            )
            for painting in job.paintings
        ],
        [painting.weight for painting in job.paintings],
        [
            None if mask is None or shape is None else load_mask(picture_source(mask), shape)
            for mask in masks
        ],
    )


def paint_job(
    pictures: Pictures, job: Job, threads: int | None, topic: str, number: int
) -> Painted:
    """Paint a job on a worker.

    threads: cores to use; None leaves what the worker has. topic: names the batch, and that a
    worker begins a job is an event of it. number: of the job.
    """
    worker = get_worker()
    task = worker.state.tasks[worker.get_current_task()]
    with _alone(), warnings.catch_warnings(record=True) as caught:
        worker.log_event(topic, number)
        warnings.simplefilter("always", RuntimeWarning)
        # its own lock is a semaphore of the system, which a killed worker would leave behind
        tqdm.set_lock(threading.RLock())
        if threads:
            torch.set_num_threads(threads)
        net = build_network(on_own_card(job.network, worker.name))
        began = time.perf_counter()
        content, brushes = pictures.tensors()
        frames: list[Image.Image] = []
        result = paint(
            content,
            brushes,
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


def on_own_card(network: Network, worker: object) -> Network:
    """The network on the worker's own graphics card, when there are several and it names none.

    worker: its name; workers of a cluster on one machine are numbered.
    """
    cards = torch.cuda.device_count() if best_device().type == "cuda" else 0
    if network.device is not None or cards < 2 or not isinstance(worker, int):
        return network
    return replace(network, device=f"cuda:{worker % cards}")


@contextmanager
def _alone() -> Iterator[None]:
    """Paint one picture at a time; one that would have to wait goes back to the scheduler."""
    if not _one_at_a_time.acquire(timeout=BUSY):
        raise Reschedule
    try:
        yield
    finally:
        _one_at_a_time.release()


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
def build_network(network: Network) -> VGG:
    """Built once in each worker; the weights never travel."""
    return VGG(**asdict(network))
