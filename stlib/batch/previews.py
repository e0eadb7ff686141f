"""Pictures so far, on their way from the workers to whoever called for the batch."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from distributed import Client, Queue, get_client
from PIL import Image
from torch import Tensor

from stlib.images import to_pil
from stlib.record import Watch

WAIT = 0.5  # seconds until it is noticed that the batch has ended


def sends_every(evaluations: int, topic: str, number: int) -> Watch:
    """Send the best picture so far after every so many evaluations; called on a worker.

    topic: names the batch. number: of the job.
    """
    queue = Queue(topic, client=get_client())

    def watch(done: int, picture: Callable[[], Tensor]) -> None:
        if done % evaluations == 0:
            file = io.BytesIO()
            to_pil(picture()).save(file, format="PNG")
            queue.put((number, file.getvalue()))

    return watch


@contextmanager
def received(
    client: Client, topic: str, keep: Callable[[int, Image.Image], None]
) -> Iterator[None]:
    """Call keep(number, picture) for each picture that workers send meanwhile, in a thread."""
    queue, over = Queue(topic, client=client), threading.Event()

    def receive() -> None:
        while not over.is_set() and client.status == "running":
            try:
                number, file = queue.get(timeout=WAIT)
            except TimeoutError:
                continue
            except (OSError, RuntimeError):
                return  # the scheduler is gone: the batch itself tells of it
            keep(number, Image.open(io.BytesIO(file)))

    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=5)
