"""What can be seen of a run while it paints: the picture so far."""

import warnings
from collections.abc import Callable

from torch import Tensor

from stlib.errors import ImageError
from stlib.images import save_image
from stlib.record import Watch


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
