"""What can be seen of a run while it paints: the picture so far, and the frames of a film."""

import warnings
from collections.abc import Callable

from PIL import Image
from torch import Tensor

from stlib.errors import ImageError
from stlib.film import film_frame
from stlib.images import save_image
from stlib.record import Watch

FRAMES = 60  # of a film, about


def saves_every(evaluations: int, path: str) -> Watch:
    """Write the best picture so far to `path` after every so many evaluations."""

    def watch(done: int, picture: Callable[[], Tensor]) -> None:
        if done % evaluations:
            return
        try:
            save_image(picture(), path)
        except ImageError as error:  # the disk may have room again when it counts
            warnings.warn(f"{error} The run goes on.", RuntimeWarning, stacklevel=2)

    return watch


def films(frames: list[Image.Image], evaluations: int) -> Watch:
    """Add the best picture so far to `frames`, about `FRAMES` times in so many evaluations."""
    every = max(1, evaluations // FRAMES)

    def watch(done: int, picture: Callable[[], Tensor]) -> None:
        if (done - 1) % every == 0:  # the first one, too
            add_frame(frames, picture())

    return watch


def add_frame(frames: list[Image.Image], picture: Tensor) -> None:
    """Add a picture [1, 3, H, W] to the frames, unless it is the last one still."""
    frame = film_frame(picture)
    if not frames or frame.tobytes() != frames[-1].tobytes():
        frames.append(frame)


def all_of(watches: list[Watch]) -> Watch | None:
    """One that tells them all, or None when there is nobody to tell."""

    def watch(done: int, picture: Callable[[], Tensor]) -> None:
        for tell in watches:
            tell(done, picture)

    return watch if watches else None
