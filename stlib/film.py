"""Films of a run, one frame after the other: animated WebP, GIF and PNG, and MP4 by an extra."""

import importlib.util
import io
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor

from stlib import _files
from stlib._language import tr
from stlib.arguments import check_some, checked
from stlib.errors import ImageError, needs_extra, one_line
from stlib.images import check_place, to_pil
from stlib.record import Watch

FRAMES = 60  # of a film, about
FORMATS = {".webp": "WEBP", ".gif": "GIF", ".png": "PNG", ".apng": "PNG"}
VIDEOS = (".mp4",)  # what needs ffmpeg, which imageio-ffmpeg brings
SIDE = 768  # pixels, the longer side of a frame at most: 60 larger ones would fill the memory
FRAME = 100  # milliseconds for which a frame is shown
LAST = 2000  # milliseconds for which the last one is shown


def check_film_path(path: str | os.PathLike) -> Path:
    """The file that `save_film` will write for this path; writes nothing.

    Raises ImageError when no film can be written there.
    """
    check_film_suffix(path)
    return check_place(path)


@checked
def check_film_suffix(path: str | os.PathLike) -> None:
    """Raise an ImageError unless the suffix of a file's name is of a format for films."""
    suffix = _files.expanded(path).suffix.lower()
    if suffix not in (*FORMATS, *VIDEOS):
        raise ImageError(
            tr(
                "{path} cannot be a film: use {formats} for an animated picture, or {videos} for a "
                "video."
            ).format(path=one_line(path), formats=", ".join(FORMATS), videos=", ".join(VIDEOS))
        )
    if suffix in VIDEOS and importlib.util.find_spec("imageio_ffmpeg") is None:
        raise ImageError(
            tr(
                "{path} needs imageio-ffmpeg: pip install imageio-ffmpeg, or use .webp, which "
                "needs nothing."
            ).format(path=one_line(path))
        )


@checked
def film_frame(picture: Tensor) -> Image.Image:
    """A picture [1, 3, H, W] in [0, 1] as a frame, at most `SIDE` pixels on its longer side."""
    frame = to_pil(picture)
    frame.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return frame


@checked
def save_film(frames: Sequence[Image.Image | Tensor], path: str | os.PathLike) -> Path:
    """Write frames as a film; the suffix names the format. Animated pictures begin again.

    frames: at least one, of one size: tensors [1, 3, H, W] in [0, 1], or PIL images.
    path: .webp, .gif, .png or .apng; .mp4 with imageio-ffmpeg. Returns it.

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
        raise ImageError(
            tr("{path} could not be saved: {error}.").format(
                path=one_line(path), error=one_line(error)
            )
        ) from error
    return _files.expanded(path)


def encoded(frames: Sequence[Image.Image], suffix: str) -> bytes | memoryview:
    """Frames as the bytes of a file with this suffix."""
    if suffix.lower() in VIDEOS:
        return _video(frames, suffix)
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


def _video(frames: Sequence[Image.Image], suffix: str) -> bytes:
    """Frames as a video; it stands still at the end as an animation does."""
    with needs_extra(tr("a film as {suffix}").format(suffix=suffix), "video"):
        from imageio_ffmpeg import write_frames

    width, height = frames[0].size
    size = max(2, width // 2 * 2), max(2, height // 2 * 2)  # H.264 takes even sides only
    shown = [*frames, *[frames[-1]] * (LAST // FRAME - 1)]
    with tempfile.TemporaryDirectory() as folder:  # ffmpeg goes back in the file when it ends it
        path = Path(folder, f"film{suffix}")
        video = write_frames(path, size, fps=1000 // FRAME, quality=8, macro_block_size=2)
        video.send(None)
        for frame in shown:
            video.send(frame.resize(size).tobytes())
        video.close()
        return path.read_bytes()


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
