"""What can be seen of a run while it paints: the picture so far."""

import warnings
from collections.abc import Callable
from functools import partial

from torch import Tensor

from stlib._commands.options import say
from stlib._language import tr
from stlib._outputs import Outputs
from stlib.errors import ImageError, one_line
from stlib.images import save_image
from stlib.record import Watch


def tells_that_it_goes_on(checkpoint: str) -> Watch:
    """Say so at the first evaluation, when the checkpoint has been found to be of this run."""
    told: list[int] = []

    def watch(done: int, picture: Callable[[], Tensor]) -> None:
        if not told:
            told.append(done)
            say(
                tr("going on from {checkpoint}, after {done} evaluations").format(
                    checkpoint=one_line(checkpoint), done=done - 1
                )
            )

    return watch


def saves_every(evaluations: int, name: str, outputs: Outputs) -> Watch:
    """Write the best picture so far after every so many evaluations.

    name: of one of the outputs.
    """

    def watch(done: int, picture: Callable[[], Tensor]) -> None:
        if done % evaluations:
            return
        try:
            outputs.write(name, partial(save_image, picture()))
        except ImageError as error:  # the disk may have room again when it counts
            warnings.warn(
                tr("{error} The run goes on.").format(error=error), RuntimeWarning, stacklevel=2
            )

    return watch
