"""What can be seen of a run while it paints: the picture so far."""

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager

from torch import Tensor

from stlib._commands.options import say
from stlib.errors import ImageError
from stlib.images import save_image
from stlib.record import Watch


def tells_that_it_goes_on(checkpoint: str) -> Watch:
    """Say so at the first evaluation, when the checkpoint has been found to be of this run."""
    told: list[int] = []

    def watch(done: int, picture: Callable[[], Tensor]) -> None:
        if not told:
            told.append(done)
            say(f"going on from {checkpoint}, after {done - 1} evaluations")

    return watch


def saves_every(
    evaluations: int, path: str, noting: Callable[[], AbstractContextManager[None]]
) -> Watch:
    """Write the best picture so far to `path` after every so many evaluations.

    noting: what it is written in, such as `leaving`.
    """

    def watch(done: int, picture: Callable[[], Tensor]) -> None:
        if done % evaluations:
            return
        try:
            with noting():
                save_image(picture(), path)
        except ImageError as error:  # the disk may have room again when it counts
            warnings.warn(f"{error} The run goes on.", RuntimeWarning, stacklevel=2)

    return watch
