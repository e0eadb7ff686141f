"""What the studio does, without its buttons: pictures in, a run in a thread, a file out."""

import atexit
import io
import math
import os
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from stlib import _files
from stlib._language import marked, tr
from stlib.cost import estimate
from stlib.descent import Reason
from stlib.errors import ImageError, StlibError, one_line, reason
from stlib.images import load_image, sample, save_image
from stlib.layers import SMALLEST_SIDE
from stlib.presets import PRESETS
from stlib.settings import Settings
from stlib.transfer import paint
from stlib.vgg import VGG

# what the person at the easel is told of in a sentence; all else is a fault of ours
REFUSED = (StlibError, ValueError, MemoryError, OSError)
BALANCES = {  # α; β is balanced for the size
    marked("much more photo"): 8.0,
    marked("more photo"): 3.0,
    marked("balanced"): Settings.alpha,
    marked("more style"): 0.33,
    marked("much more style"): 0.12,
}
COLORS = {
    marked("the painting's"): "style",
    marked("the photo's"): "photo",
    marked("the photo's, pixel by pixel"): "brightness",
}
SMALLEST, LARGEST = 64, 2048  # pixels, of what can be ordered
BETWEEN_PICTURES = 0.5  # seconds
OF_A_NAME = 100  # bytes that are kept: a file name holds two, and may have 255


class Upload(NamedTuple):
    """A file that came through the browser: its name there, and its bytes."""

    name: str
    content: bytes


Source = str | Path | Upload  # a sample's name, a file, or an upload


@dataclass(frozen=True)
class Order:
    """What is to be painted.

    photo, style: see `Source`. size: longer side, in pixels. steps: evaluations. strokes: size of
    the strokes, in percent of those of a painting as large as the photo. balance: a key of
    `BALANCES`. colors: a setting of that name.
    """

    photo: Source
    style: Source
    size: int = PRESETS["sketch"]["size"]
    steps: int = PRESETS["sketch"]["steps"]
    strokes: int = 100
    balance: str = "balanced"
    colors: str = Settings.colors

    def pictures(self) -> tuple[Tensor, Tensor]:
        """The photo and the painting at their sizes, no painting too small. Raises ImageError."""
        style_size = max(smallest_size(self.style), round(self.size * self.strokes / 100))
        style = load(self.style, style_size, enlarge=self.strokes > 100)
        return load(self.photo, self.size), style

    def settings(self) -> dict[str, Any]:
        """The settings of `style_transfer`."""
        return {"steps": self.steps, "alpha": BALANCES[self.balance], "colors": self.colors}

    def estimate(self) -> str:
        """How large the picture will be, how long that takes, and how much memory, in words.

        Raises what `pictures` and `stlib.estimate` raise.
        """
        photo, style = self.pictures()
        cost = estimate(photo, style, net=network(), **self.settings())
        height, width = photo.shape[2:]
        return tr("{width} × {height} pixels, {cost}").format(width=width, height=height, cost=cost)

    def name(self) -> str:
        """What a file with the picture is called, without its suffix."""
        return f"{title(self.photo)}-{title(self.style)}"


def load(source: Source, size: int, *, enlarge: bool = False) -> Tensor:
    """The picture of a source, [1, 3, H, W]; size and enlarge as for `load_image`.

    Raises ImageError, with the file's own name.
    """
    if isinstance(source, str):
        return sample(source, size, enlarge=enlarge)
    if isinstance(source, Path):
        return load_image(source, size, enlarge=enlarge)
    if not source.content:
        raise ImageError(
            tr("{file} is empty (0 bytes). Copy or download it again.").format(
                file=one_line(source.name)
            )
        )
    file = io.BytesIO(source.content)
    file.name = source.name  # for messages
    return load_image(file, size, enlarge=enlarge)


def smallest_size(source: Source) -> int:
    """The size, in pixels, from which on the shorter side has enough of them. Raises ImageError."""
    sides = load(source, LARGEST).shape[2:]
    return math.ceil(SMALLEST_SIDE * max(sides) / min(sides))


def title(source: Source) -> str:
    """A source's name as a part of a file name: letters, digits, - and _."""
    name = source if isinstance(source, str) else Path(source.name).stem
    kept = "".join(c if c.isalnum() or c in "-_" else "-" for c in name).strip("-")
    return kept.encode()[:OF_A_NAME].decode(errors="ignore") or "picture"


@cache
def network() -> VGG:
    """The network, built once for all pictures."""
    return VGG()


class Painting:
    """A picture that is painted in a thread of its own.

    order: what to paint. tell: called as tell(painting), from that thread, when the photo is read,
    when there is a new picture, at most every `BETWEEN_PICTURES` seconds, and when it has ended.

    photo, picture: [1, 3, H, W], None until there is one; evaluations: so far, of about `planned`;
    seconds: since the start; ended: how, in a sentence, "" until then; failed: whether that is why
    there is no finished picture.
    """

    def __init__(self, order: Order, tell: Callable[["Painting"], None]):
        self.order, self._tell = order, tell
        self.photo: Tensor | None = None
        self.picture: Tensor | None = None
        self.evaluations, self.planned, self.seconds = 0, order.steps, 0.0
        self.ended, self.failed = "", False
        self._began = self._shown = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="a painting", daemon=True)

    def start(self) -> "Painting":
        """Begin, and return at once."""
        atexit.register(self._leave)
        self._thread.start()
        return self

    def stop(self) -> None:
        """End the run after the evaluation it is at; the best picture so far stays."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether it has been told to stop."""
        return self._stop.is_set()

    def join(self, seconds: float | None = None) -> None:
        """Wait until it has ended, or for so many seconds."""
        self._thread.join(seconds)

    def _leave(self) -> None:
        """Python must not end while PyTorch computes in a thread: it would abort."""
        self.stop()
        self.join()

    def _run(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # the sentence says why it ended
                self.ended = self._paint()
        except REFUSED as error:
            self.ended, self.failed = one_line(error) or reason(error), True
        except Exception as error:
            self.ended, self.failed = f"{type(error).__name__}: {reason(error)}", True
        self.seconds = time.monotonic() - self._began
        atexit.unregister(self._leave)
        self._tell(self)

    def _paint(self) -> str:
        """Paint, and say how it ended."""
        self.photo, style = self.order.pictures()
        self._tell(self)
        settings = Settings(**self.order.settings())
        plan = settings.plan(min(self.photo.shape[2:]))
        self.planned = sum(stage.evaluations for stage in plan)
        result = paint(
            self.photo,
            style,
            settings,
            net=network(),
            callback=lambda *_: self._stop.is_set(),
            progress=False,
            watch=self._watch,
        )
        self.picture = result.image
        return _how(result.reason, self.evaluations, self.planned)

    def _watch(self, evaluations: int, picture: Callable[[], Tensor]) -> None:
        self.evaluations, now = evaluations, time.monotonic()
        if self.picture is not None and now - self._shown < BETWEEN_PICTURES:
            return
        self._shown, self.picture, self.seconds = now, picture(), now - self._began
        self._tell(self)


def _how(reason: Reason, evaluations: int, planned: int) -> str:
    """How a run has ended, in a sentence."""
    if reason == Reason.STEPS:
        return tr("Finished.")
    if reason == Reason.CALLBACK:
        return tr("Stopped after {done} of {of} evaluations: this is the best so far.").format(
            done=evaluations, of=planned
        )
    said = reason.message.format(done=evaluations, of=planned)
    return said[0].upper() + said[1:]


def save(painting: Painting, folder: Path) -> Path:
    """Write the picture as a PNG beside what is there, and return its whole path.

    The folder is made when it is missing; a file that is there stays.
    Raises ImageError when it cannot be written.
    """
    assert painting.picture is not None
    folder = _files.expanded(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder.absolute() / f"{painting.order.name()}.png"
    except OSError as error:
        raise ImageError(
            tr(
                "The folder {folder} cannot be made ({reason}), so nothing was saved. See whether "
                "a file is in its place and whether you may write there, then press Save again."
            ).format(folder=one_line(folder), reason=reason(error))
        ) from None
    return save_image(painting.picture, _files.free_path(path) if os.path.lexists(path) else path)


def split(photo: Tensor, picture: Tensor, percent: int) -> Tensor:
    """The painting's left part beside the photo's right one, with a white line between them.

    photo, picture: [1, 3, H, W], of one size. percent: of the width that is the painting's.
    """
    width = picture.shape[3]
    cut = math.ceil(width * percent / 100)
    both = photo.clone()
    both[..., :cut] = picture[..., :cut]
    if 0 < cut < width:
        both[..., max(0, cut - 1) : cut + 1] = 1
    return both


class Latest:
    """Does one thing at a time in a thread of its own, for the latest of what it was asked.

    work: called with it; what was asked meanwhile and is no longer the latest is left out.
    """

    def __init__(self, work: Callable[[Any], None]):
        self._work, self._lock = work, threading.Lock()
        self._waiting: list[Any] = []
        self._busy = False

    def ask(self, value: Any) -> None:
        """Do it for this value, as soon as what is being done is done."""
        with self._lock:
            self._waiting = [value]
            if self._busy:
                return
            self._busy = True
        threading.Thread(target=self._run, name="the latest").start()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy = False
                    return
                value = self._waiting.pop()
            try:
                self._work(value)
            except Exception as error:  # it must not end what comes later
                warnings.warn(
                    f"{type(error).__name__}: {reason(error)}", RuntimeWarning, stacklevel=1
                )
