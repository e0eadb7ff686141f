"""What a run will cost, known before it begins: minutes, memory, and a refusal where it must fail.

Memory is counted layer by layer, from the layer table and a few measured constants. Time is that of
one evaluation of a small picture, scaled by the pixels and a little more.
"""

import bisect
import math
import statistics
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import torch
from torch import Tensor

from stlib._kernels import memory
from stlib._kernels.winograd import FEWEST_PRODUCTS
from stlib._language import tr
from stlib.arguments import check_whole_number, unknown_keyword
from stlib.brushes import Brush, as_brushes
from stlib.descent import HISTORY_SIZE, history_size
from stlib.layers import SMALLEST_SIDE, LayerCost, find_layer, layer_names, layer_table, route
from stlib.objective import Objective, check_pictures
from stlib.preparation import resize_styles
from stlib.settings import CONTENT_LAYERS, STYLE_LAYERS, Settings
from stlib.tiles import Tile, cut, largest_tile
from stlib.vgg import VGG, best_device

# Bytes, the peak memory of fresh processes, 64 … 2048 px (Linux on x86-64, glibc, PyTorch 2):
NETWORK = 220e6  # for building VGG-19: 80 MB of weights, and what decoding leaves behind
RUNTIME = 150e6  # for the first evaluation at any size: PyTorch's code, its kernels' buffers
FRAGMENTATION = 0.2  # share by which a small block grows: its gap does not always fit the next one
WORKSPACE = 2.25  # outputs of a layer, for gradients or a pooling's indices (PyTorch's profiler)
PICTURES = 12  # of the content's size: start, best so far, those of the optimiser's line search
PICTURES_OF_WAVES = 10  # more for the fast solver: waves, those times their gain, their gradients

# sides of tiles, in pixels; of a picture of 2048 pixels, an evaluation takes 1.7, 2.0 and 3.0 times
# as long as without tiles, and 1.2, 1.1 and 0.7 GB instead of 3.0; 1024 was not faster than 768
TILES = (768, 512, 256)

# Seconds, from one evaluation of a small picture:
TIMED_SIDE = 192  # pixels
SLOWER = (
    1 / 6000
)  # more per pixel for each pixel of the side: 6.1 µs at 192, 6.9 at 1024, 8.0 at 2048
FORWARD = 0.4  # of an evaluation, for features without a gradient (2.4 of 6 µs per pixel at 384)
CONTROL_GROUPS = Path("/sys/fs/cgroup")  # where Linux tells a container what it may use


@dataclass(frozen=True)
class Estimate:
    """What a run will take; as text, for example "about 9 minutes and 1.6 GB of memory".

    seconds: of the run. bytes: the most that the process will hold. tile: the side of the tiles in
    which the run will look at its pictures, in pixels; None looks at whole pictures.
    """

    seconds: float
    bytes: int
    tile: int | None = None

    def __str__(self) -> str:
        if self.tile:
            told = tr("{time} and {memory} of memory, in tiles of {tile} pixels")
        else:
            told = tr("{time} and {memory} of memory")
        memory = _gigabytes(self.bytes)
        return told.format(time=_about(self.seconds), memory=memory, tile=self.tile)


def estimate(
    content: Tensor,
    style: Tensor | Brush | Sequence[Brush],
    *,
    net: VGG | None = None,
    tile: int | None = None,
    **settings: Any,
) -> Estimate:
    """How long `style_transfer` with the same arguments will take, and how much memory it needs.

    content, style, net, tile: as for `style_transfer`. settings: of `Settings`.

    It takes about a second, since it times a few evaluations of a small picture: what keeps the
    machine busy meanwhile makes the run look longer. The memory is that of the whole process, with
    what it holds already, and of the processor only.
    Raises TypeError for a setting that does not exist, ValueError for pictures and settings that
    make no sense.
    """
    names = [setting.name for setting in fields(Settings)]
    if unknown := [name for name in settings if name not in names]:
        raise unknown_keyword("estimate", unknown[0], ["net", "tile", *names])
    chosen = Settings(**settings)
    check_pictures(content, style, chosen, net)
    check_tile(tile)
    brushes = resize_styles(as_brushes(style), chosen.style_size)
    return estimate_run(content, brushes, chosen, net, tile)


def estimate_run(
    content: Tensor,
    brushes: Sequence[Brush],
    settings: Settings,
    net: VGG | None,
    tile: int | None = None,
) -> Estimate:
    """`estimate` for those who have brushes and settings."""
    held = psutil.Process().memory_info().rss
    tile = _fitting_tile(content, brushes, settings, net, tile)
    bytes_needed = run_memory(content, brushes, settings, net, tile)
    net = VGG() if net is None else net
    layers = [*settings.content_layers, *settings.style_layers]
    looked_at = [content, *(brush.picture for brush in brushes)]  # for their features, once
    tiles = [cut(picture.shape[2:], tile, layers, net.depth) for picture in looked_at]
    # tiles go through the network once without a gradient, then again
    passes = 1 if len(tiles[0]) == 1 else 1 + FORWARD
    evaluations = settings.steps * passes * _pixels(tiles[0])
    pixels = evaluations + FORWARD * sum(map(_pixels, tiles))
    side = max(SMALLEST_SIDE, round((_pixels(tiles[0]) / len(tiles[0])) ** 0.5))
    pace = seconds_per_pixel(net, min(side, TIMED_SIDE), brushes, settings)
    slower = 1 + SLOWER * max(0, side - TIMED_SIDE)
    seconds = pixels * pace * slower
    return Estimate(seconds, int(held + bytes_needed), tile if len(tiles[0]) > 1 else None)


def run_memory(
    content: Tensor,
    brushes: Sequence[Brush],
    settings: Settings,
    net: VGG | None = None,
    tile: int | None = None,
) -> float:
    """Bytes that a run takes at most, with the network's where there is none yet.

    Arguments as for `choose_tile`; a tile of None is the whole picture.
    """
    demands = _demands(content, brushes, settings, net, tile)
    return max(demand.needed(*demand.picture.shape[2:]) for demand in demands)


def choose_tile(
    content: Tensor,
    brushes: Sequence[Brush],
    settings: Settings,
    net: VGG | None,
    tile: int | None = None,
) -> int | None:
    """The side of the tiles in which a run fits into the free memory; None if it needs no tiles.

    tile: the side to take; None looks for one.
    Raises MemoryError, which names the largest size that fits, when this one does not.
    Only the processor's memory is checked: a graphics card says itself when it is full.
    """
    if not _on_processor(net):
        return tile
    tile = _fitting_tile(content, brushes, settings, net, tile)
    free = free_memory()
    for name, picture, needed in _demands(content, brushes, settings, net, tile):
        height, width = picture.shape[2:]
        if needed(height, width) <= free:
            continue

        def fits(height: int, width: int, needed: Callable[[int, int], float] = needed) -> bool:
            return needed(height, width) <= free

        largest = largest_size(height, width, fits)
        advice = tr("no size fits, so close other programs")
        if largest:
            advice = tr(
                "the largest that fits is {largest} pixels on the longer side (load_image(…, "
                "size={largest}))"
            ).format(largest=largest)
        raise MemoryError(
            tr(
                "{name} of {width} × {height} pixels needs about {needed} of memory, {free} are "
                "free: {advice}."
            ).format(
                name=name,
                width=width,
                height=height,
                needed=_gigabytes(needed(height, width)),
                free=_gigabytes(free),
                advice=advice,
            )
        )
    return tile


def check_tile(tile: int | None) -> None:
    """Raise a ValueError unless `tile` is None or a number of pixels."""
    if tile is not None:
        check_whole_number("tile", tile, SMALLEST_SIDE)


def memory_needed(
    height: int,
    width: int,
    content_layers: Collection[str] = CONTENT_LAYERS,
    style_layers: Collection[str] = STYLE_LAYERS,
    *,
    depth: int = 19,
    pairs: int = HISTORY_SIZE,
    pictures: int = PICTURES,
    frames: int = 0,
    tile: int | None = None,
) -> int:
    """Bytes that a run takes at most, without the network: activations, and the optimiser.

    height, width: of the content, in pixels. content_layers, style_layers: names. depth: 16 or 19.
    pairs: of pictures, in the history of L-BFGS. pictures: others of that size. frames: kept.
    tile: side of the tiles, in pixels; None looks at the whole picture.
    """
    asked = tuple({*content_layers, *style_layers} & {*layer_names(depth)})
    order = [layer.name for layer in route(depth, asked, max_pooling=True)]
    rows = _rows(*largest_tile((height, width), tile, asked, depth), asked, depth)
    kept = most = 0.0
    for row, whole in zip(rows, _rows(height, width, asked, depth), strict=True):
        layer, output = find_layer(row.name, depth), row.activation_bytes
        if layer.kind == "relu":
            assert layer.above is not None  # a ReLU is not the last layer
            if layer.above.name in order[: order.index(layer.name)]:  # pooled first
                kept += _block(output / 4)
            else:
                kept += _block(output) * (1 + (layer.convolution.name in asked))
        elif layer.kind == "pool":
            kept += output / 4  # one byte for a float32
        if row.name in content_layers:
            kept += _block(whole.activation_bytes) + _block(output)  # P and F − P
        most = max(most, kept + WORKSPACE * output)
    picture = 4 * 3 * height * width
    optimiser = (2 * pairs + pictures) * _block(picture)
    return int(_fixed(rows) + most + optimiser + frames * picture)


def features_memory(
    height: int,
    width: int,
    layers: Collection[str] = STYLE_LAYERS,
    *,
    depth: int = 19,
    tile: int | None = None,
) -> int:
    """Bytes that the features of a picture take at most, without the network and any gradient.

    height, width: of the picture, in pixels. layers: names. depth: 16 or 19.
    tile: side of the tiles, in pixels; None looks at the whole picture.
    """
    rows = _rows(*largest_tile((height, width), tile, layers, depth), layers, depth)
    held = most = 0.0
    for row in rows:
        most = max(most, held + (1 + WORKSPACE) * row.activation_bytes)
        held += row.activation_bytes if row.name in layers else 0
    return int(_fixed(rows) + most)


def largest_size(height: int, width: int, fits: Callable[[int, int], bool]) -> int:
    """The longer side, in pixels, of the largest picture of this shape that fits, or 0.

    height, width: of the picture that is too large. fits: called as fits(height, width); what fits,
    fits at all smaller sizes. The result is not larger than the picture, and its shorter side has
    at least 32 pixels.
    """
    longer, shorter = max(height, width), min(height, width)

    def too_large(size: int) -> bool:
        return not fits(round(height * size / longer), round(width * size / longer))

    smallest = math.ceil(min(SMALLEST_SIDE, shorter) * longer / shorter)
    sizes = range(smallest, longer + 1)
    fitting = bisect.bisect_left(sizes, True, key=too_large)
    return sizes[fitting - 1] if fitting else 0


def free_memory() -> int:
    """Bytes that this process may still take: what the machine, or its container, has left."""
    left = [psutil.virtual_memory().available]
    for folder, limit, used, cache in (
        ("", "memory.max", "memory.current", "inactive_file"),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            group = CONTROL_GROUPS / folder
            most, taken = (int((group / name).read_text()) for name in (limit, used))
            lines = (group / "memory.stat").read_text().splitlines()
            counts = dict(line.split() for line in lines)
            # cached files go when they are in the way
            left.append(most - taken + int(counts[cache]))
        except (OSError, ValueError, KeyError):  # no container, or no limit: "max"
            continue
    return max(0, min(left))


def seconds_per_pixel(net: VGG, side: int, brushes: Sequence[Brush], settings: Settings) -> float:
    """Seconds that an evaluation takes per pixel of a square picture: the median of three.

    net: the network. side: of the picture, in pixels. brushes, settings: of the run.
    """
    noise = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    small = [
        replace(brush, picture=noise, mask=None if brush.mask is None else noise[0, 0])
        for brush in brushes
    ]
    objective = Objective(net, noise, small, settings.complete())
    x, seconds = noise.to(net.device, copy=True).requires_grad_(), []
    for _ in range(4):  # the first one warms up
        started = time.perf_counter()
        total, _terms = objective(x)
        total.backward()
        assert x.grad is not None
        float(x.grad.sum())  # a graphics card is waited for
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:]) / side**2


class _Demand(NamedTuple):
    """The name of a picture, the picture, and the function from (height, width) to bytes needed."""

    name: str
    picture: Tensor
    needed: Callable[[int, int], float]


def _demands(
    content: Tensor,
    brushes: Sequence[Brush],
    settings: Settings,
    net: VGG | None,
    tile: int | None,
) -> Iterator[_Demand]:
    """Yield what each picture of a run needs, looked at in tiles of this side."""
    plan = settings.plan(min(content.shape[2:]))
    evaluations = sum(stage.evaluations for stage in plan)
    depth, network = (19, NETWORK) if net is None else (net.depth, 0)
    is_lbfgs = settings.optimizer == "lbfgs"

    def run(height: int, width: int) -> float:
        longest = history_size(3 * height * width)
        return network + memory_needed(
            height,
            width,
            content_layers=settings.content_layers,
            style_layers=settings.style_layers,
            depth=depth,
            frames=math.ceil(evaluations / settings.keep_every) if settings.keep_every else 0,
            pairs=min(longest, plan[-1].evaluations) if is_lbfgs else 0,
            pictures=PICTURES + (PICTURES_OF_WAVES if settings.is_fast else 0),
            tile=tile,
        )

    yield _Demand(tr("a picture"), content, run)
    looked_at = partial(features_memory, layers=settings.style_layers, depth=depth, tile=tile)
    for brush in brushes if settings.style_layers else ():
        yield _Demand(
            tr("a style picture"),
            brush.picture,
            lambda height, width: looked_at(height, width) + network,
        )


def _fitting_tile(
    content: Tensor,
    brushes: Sequence[Brush],
    settings: Settings,
    net: VGG | None,
    tile: int | None,
) -> int | None:
    """The side that was asked for; else None where whole pictures fit, or one of TILES.

    It is the largest that fits, or the smallest where none does.
    """
    if tile or not _on_processor(net):
        return tile
    free = free_memory()
    for side in (None, *TILES):
        demands = _demands(content, brushes, settings, net, side)
        if all(demand.needed(*demand.picture.shape[2:]) <= free for demand in demands):
            return side
    return TILES[-1]


def _on_processor(net: VGG | None) -> bool:
    return (best_device() if net is None else net.device).type == "cpu"


def _rows(height: int, width: int, layers: Collection[str], depth: int) -> list[LayerCost]:
    """The layer table as far as the deepest of the layers."""
    rows = layer_table(depth, (max(height, SMALLEST_SIDE), max(width, SMALLEST_SIDE)))
    names = layer_names(depth)
    deepest = max((names.index(layer) for layer in layers if layer in names), default=-1)
    return rows[: deepest + 1]


def _fixed(rows: Sequence[LayerCost]) -> float:
    """Bytes that do not depend on the size: PyTorch's own, and transformed filters."""
    # 36 numbers for 9; small pictures keep them, for large ones the tiles of one layer take as much
    deep = [row.parameters for row in rows if row.parameters > 9 * FEWEST_PRODUCTS]
    return RUNTIME + sum(16 * parameters for parameters in deep)


def _block(size: float) -> float:
    """Bytes that a block takes from the system for a while, with its share of the holes."""
    return float(size * (1 + FRAGMENTATION * max(0.0, 1 - size / memory.LARGE)))


def _pixels(tiles: Sequence[Tile]) -> int:
    return sum(math.prod(tile.size) for tile in tiles)


def _about(seconds: float) -> str:
    """A time in words, for example "about 9 minutes"."""
    if seconds >= 1.5 * 3600:
        return tr("about {count} hours").format(count=round(seconds / 3600))
    if seconds >= 1.5 * 60:
        return tr("about {count} minutes").format(count=round(seconds / 60))
    if seconds >= 1.5:
        return tr("about {count} seconds").format(count=round(seconds))
    return tr("about 1 second")


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size < 9.95e9 else f"{size / 1e9:.0f} GB"
