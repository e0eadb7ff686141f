"""Films of a run: animated WebP, GIF and PNG, one frame after the other."""

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor

from stlib import _files
from stlib.arguments import check_some, checked
from stlib.errors import ImageError, one_line
from stlib.images import check_output_path, to_pil
from stlib.record import Watch

FRAMES = 60  # of a film, about
FORMATS = {".webp": "WEBP", ".gif": "GIF", ".png": "PNG", ".apng": "PNG"}
SIDE = 768  # pixels, the longer side of a frame at most: 60 larger ones would fill the memory
FRAME = 100  # milliseconds for which a frame is shown
LAST = 2000  # milliseconds for which the last one is shown


def check_film_path(path: str | os.PathLike) -> Path:
    """The file that `save_film` will write for this path; writes nothing.

    Raises ImageError when no film can be written there.
    """
    check_film_suffix(path)
    return check_output_path(path)


@checked
def check_film_suffix(path: str | os.PathLike) -> None:
    """Raise an ImageError unless the suffix of a file's name is of a format for films."""
    if _files.expanded(path).suffix.lower() not in FORMATS:
        raise ImageError(
            f"{one_line(path)} cannot be a film: use {', '.join(FORMATS)} for an animated picture."
        )


@checked
def film_frame(picture: Tensor) -> Image.Image:
    """A picture [1, 3, H, W] in [0, 1] as a frame, at most `SIDE` pixels on its longer side."""
    frame = to_pil(picture)
    frame.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return frame


@checked
def save_film(frames: Sequence[Image.Image | Tensor], path: str | os.PathLike) -> Path:
    """Write frames as an animation that begins again after its end; the suffix names the format.

    frames: at least one, of one size: tensors [1, 3, H, W] in [0, 1], or PIL images.
    path: .webp, .gif, .png or .apng. Returns it.

    As `save_image`, it is atomic and replaces a file that is there. The last frame stays for two
    seconds.
    Raises ImageError for another suffix, before any work, and when the file cannot be written;
    ValueError when there is no frame.
    """
    target = check_film_path(path)
    check_some("frames", frames)
    film = [film_frame(frame) if isinstance(frame, Tensor) else frame for frame in frames]
    try:
        _files.replace(target, encoded(film, target.suffix))
    except (OSError, ValueError) as error:
        raise ImageError(f"{one_line(path)} could not be saved: {one_line(error)}.") from error
    return _files.expanded(path)


def encoded(frames: Sequence[Image.Image], suffix: str) -> memoryview:
    """Frames as the bytes of a file with this suffix."""
    first, *others = frames
    file = io.BytesIO()
    first.save(
        file,
        format=FORMATS[suffix.lower()],
        save_all=True,
        append_images=others,
        duration=[*[FRAME] * len(others), LAST],
        loop=0,
    )
    return file.getbuffer()


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
