"""What a run will cost, known before it begins: minutes, memory, and a refusal where the machine cannot.

Memory is counted layer by layer, from the layer table and a few constants that were measured; time is that of an evaluation
of a small picture, scaled by the pixels and a little more.
"""

import math
import statistics
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import psutil
import torch
from torch import Tensor

from stlib import heap
from stlib.brushes import Brush, as_brushes
from stlib.objective import CONTENT_LAYERS, STYLE_LAYERS, Objective
from stlib.solver import Stage, stages
from stlib.vgg import VGG, Layer, best_device, layer_table
from stlib.winograd import FEWEST_PRODUCTS

# measured as the peak resident memory of fresh processes, 64 … 2048 pixels (Linux on x86-64, glibc, PyTorch 2)
NETWORK = 220e6  # bytes that building VGG-19 takes: 80 MB of weights, and what their decoding leaves behind
RUNTIME = 150e6  # bytes that the first evaluation takes at any size: PyTorch's code and its kernels' own buffers
HOLES = 0.2  # the share by which a small block of memory grows, since the gap that it leaves does not always fit the next one
WORK = 2.25  # of a layer's output, for its gradients or the indices of a pooling (counted by PyTorch's profiler)
PICTURES = 12  # of the content's size: the start, the best so far, and those of the optimiser and its line search
WAVES = 10  # more of them for the fast solver: the waves of a picture, those times their gain, and their gradients
HISTORY = {"plain": 10, "fast": 10}  # pairs of pictures that L-BFGS remembers: HISTORY_SIZE of `transfer` and `solver`

TIMED_SIDE = 192  # pixels; a pixel of a smaller picture takes longer, and one of a larger picture a little longer:
SLOWER = 1 / 6000  # the share that each further pixel of the side adds (measured: 6.1 µs at 192, 6.9 at 1024, 8.0 at 2048)
FORWARD = 0.4  # of an evaluation: the features of a picture, which need no gradient (2.4 of 6 µs a pixel at 384)
SMALLEST = 32  # pixels of the shorter side; the layer table begins there
CONTROL_GROUPS = Path("/sys/fs/cgroup")  # where Linux tells a container what it may use


@dataclass(frozen=True)
class Estimate:
    """What a run will take: seconds, and the most bytes that the process will hold; as text, "about 9 minutes and 1.6 GB …"."""

    seconds: float
    bytes: int

    def __str__(self) -> str:
        unit, name = next((unit, name) for unit, name in ((3600, "hour"), (60, "minute"), (1, "second"))
                          if self.seconds >= 1.5 * unit or unit == 1)
        count = max(1, round(self.seconds / unit))
        return f"about {count} {name}{'s' if count > 1 else ''} and {_gigabytes(self.bytes)} of memory"


def estimate(content: Tensor, style: Tensor | Sequence[Brush], *, net: VGG | None = None,
             content_layers: Sequence[str] = CONTENT_LAYERS, style_layers: Sequence[str] = STYLE_LAYERS,
             optimizer: str = "lbfgs", solver: str | None = None, steps: int = 100, keep_every: int | None = None) -> Estimate:
    """Tell how long `style_transfer` with the same arguments will take on this machine, and how much memory it needs.

    It takes about a second, since it times a few evaluations of a small picture: what keeps the machine busy meanwhile makes
    the run look longer. The memory is that of the whole process, with what it holds already, and of the processor only.
    """
    held, brushes = psutil.Process().memory_info().rss, as_brushes(style)
    bytes_needed = max(needed(*picture.shape[2:]) for _, picture, needed in
                       _demands(content, brushes, net, content_layers, style_layers, optimizer, solver, steps, keep_every))
    looked_at = [content, *(brush.picture for brush in brushes)]  # for their features, once
    pixels = steps * _pixels(content) + FORWARD * sum(_pixels(picture) for picture in looked_at)
    side = max(SMALLEST, round(_pixels(content)**0.5))
    pace = seconds_per_pixel(VGG() if net is None else net, min(side, TIMED_SIDE), brushes, content_layers, style_layers)
    return Estimate(pixels * pace * (1 + SLOWER * max(0, side - TIMED_SIDE)), held + bytes_needed)


def check_memory(content: Tensor, brushes: Sequence[Brush], net: VGG | None, content_layers: Sequence[str],
                 style_layers: Sequence[str], optimizer: str, solver: str | None, steps: int, keep_every: int | None) -> None:
    """Raise a MemoryError that names the largest size that fits, when the processor's free memory will not do.

    The arguments are those of `style_transfer`. A graphics card has a memory of its own, and says itself when it is full.
    """
    if (best_device() if net is None else net.device).type != "cpu":
        return
    free = free_memory()
    demands = _demands(content, brushes, net, content_layers, style_layers, optimizer, solver, steps, keep_every)
    for name, picture, needed in demands:
        height, width = picture.shape[2:]
        if needed(height, width) > free:
            largest = largest_size(height, width, lambda height, width, needed=needed: needed(height, width) <= free)
            advice = (f"the largest that fits is {largest} pixels on the longer side (load_image(…, size={largest}))" if largest
                      else "no size fits, so close other programs")
            raise MemoryError(f"{name} of {width} × {height} pixels needs about {_gigabytes(needed(height, width))} of memory, "
                              f"{_gigabytes(free)} are free: {advice}.")


def memory_needed(height: int, width: int, content_layers: Sequence[str] = CONTENT_LAYERS,
                  style_layers: Sequence[str] = STYLE_LAYERS, *, depth: int = 19, pairs: int = HISTORY["plain"],
                  pictures: int = PICTURES, frames: int = 0) -> int:
    """Bytes that a run takes at most, without the network: for the activations that it keeps, and its optimiser.

    height, width: of the content, in pixels. pairs: of pictures, in the history of L-BFGS. pictures: others of that size.
    """
    layers = {*content_layers, *style_layers}
    rows = _rows(height, width, layers, depth)
    pooled_first = {below.name for below, above in pairwise(rows) if above.name.startswith("pool")
                    and not {below.name, above.name, below.name.replace("relu", "conv")} & layers}
    kept = most = 0.0
    for row in rows:
        output = row.activation_bytes
        if row.name in pooled_first:
            kept += _block(output / 4)
        elif row.name.startswith("relu"):
            kept += _block(output) * (1 + (row.name.replace("relu", "conv") in layers))
        elif row.name.startswith("pool"):
            kept += output / 4  # one byte for a float32
        if row.name in content_layers:
            kept += 2 * _block(output)  # P and F − P
        most = max(most, kept + WORK * output)
    picture = 4 * 3 * height * width
    return int(_fixed(rows) + most + (2 * pairs + pictures) * _block(picture) + frames * picture)


def features_memory(height: int, width: int, layers: Sequence[str] = STYLE_LAYERS, *, depth: int = 19) -> int:
    """Bytes that the features of a picture take at most, without the network and without any gradient."""
    rows = _rows(height, width, layers, depth)
    held = most = 0
    for row in rows:
        most = max(most, held + (1 + WORK) * row.activation_bytes)
        held += row.activation_bytes if row.name in layers else 0
    return int(_fixed(rows) + most)


def largest_size(height: int, width: int, fits: Callable[[int, int], bool]) -> int:
    """The longer side, in pixels, of the largest picture of this shape for which `fits(height, width)`; 0 if there is none.

    It is not larger than the picture, and its shorter side has at least 32 pixels.
    """
    longer, shorter = max(height, width), min(height, width)

    def fits_at(size: int) -> bool:
        return fits(round(height * size / longer), round(width * size / longer))

    smallest = math.ceil(min(SMALLEST, shorter) * longer / shorter)
    if not fits_at(smallest):
        return 0
    low, high = smallest, longer + 1  # fits, and does not count
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits_at(middle) else (low, middle)
    return low


def free_memory() -> int:
    """Bytes that this process may still take: what the machine has left, or its container if that is less."""
    left = [psutil.virtual_memory().available]
    for folder, limit, used, cache in (("", "memory.max", "memory.current", "inactive_file"),
                                       ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")):
        try:
            group = CONTROL_GROUPS / folder
            numbers = [int((group / name).read_text()) for name in (limit, used)]
            statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            left.append(numbers[0] - numbers[1] + int(statistics[cache]))  # the cache of files goes when it is in the way
        except (OSError, ValueError, KeyError):  # no container, or no limit: "max"
            continue
    return max(0, min(left))


def seconds_per_pixel(net: VGG, side: int, brushes: Sequence[Brush], content_layers: Sequence[str] = CONTENT_LAYERS,
                      style_layers: Sequence[str] = STYLE_LAYERS) -> float:
    """Seconds that an evaluation takes for each pixel of a square picture of `side` pixels: the median of three."""
    noise = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    small = [replace(brush, picture=noise, mask=None if brush.mask is None else noise[0, 0]) for brush in brushes]
    objective = Objective(net, noise, small, content_layers=content_layers, style_layers=style_layers)
    x, seconds = noise.to(net.device, copy=True).requires_grad_(), []
    for _ in range(4):  # the first one warms up
        started = time.perf_counter()
        objective(x)[0].backward()
        float(x.grad.sum())  # a graphics card is waited for
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:]) / _pixels(noise)


def _demands(content, brushes, net, content_layers, style_layers, optimizer, solver, steps, keep_every
             ) -> Iterator[tuple[str, Tensor, Callable[[int, int], int]]]:
    """Yield the name of each picture, the picture, and the function from its height and width to the bytes that it needs."""
    solver = ("fast" if optimizer == "lbfgs" else "plain") if solver is None else solver
    pictures = [content, *(brush.picture for brush in brushes)]
    shorter_side = min(side for picture in pictures for side in picture.shape[2:])
    plan = stages(steps, shorter_side) if solver == "fast" else [Stage(1.0, steps)]
    frames = math.ceil(sum(stage.evaluations for stage in plan) / keep_every) if keep_every else 0
    depth, network = (19, NETWORK) if net is None else (net.depth, 0)
    run = partial(memory_needed, content_layers=content_layers, style_layers=style_layers, depth=depth, frames=frames,
                  pairs=min(HISTORY[solver], plan[-1].evaluations) if optimizer == "lbfgs" else 0,
                  pictures=PICTURES + (WAVES if solver == "fast" else 0))
    yield "a picture", content, lambda height, width: int(run(height, width) + network)
    for brush in brushes if style_layers else ():
        yield ("a style picture", brush.picture,
               lambda height, width: int(features_memory(height, width, style_layers, depth=depth) + network))


def _rows(height: int, width: int, layers: Collection[str], depth: int) -> list[Layer]:
    """The layer table as far as the deepest of the layers."""
    rows = layer_table(depth, (max(height, SMALLEST), max(width, SMALLEST)))
    names = [row.name for row in rows]
    return rows[:max((names.index(layer) + 1 for layer in layers if layer in names), default=0)]


def _fixed(rows: Sequence[Layer]) -> float:
    """Bytes that do not depend on the size: PyTorch's own, and filters transformed for Winograd's convolution."""
    # 36 numbers for 9; small pictures keep them, for large ones the tiles of one layer take about as much
    return RUNTIME + sum(16 * row.parameters for row in rows if row.parameters > 9 * FEWEST_PRODUCTS)


def _block(size: float) -> float:
    """Bytes that a block which lives for a while takes from the system, with its share of the holes."""
    return size * (1 + HOLES * max(0.0, 1 - size / heap.LARGE))


def _pixels(picture: Tensor) -> int:
    return picture.shape[2] * picture.shape[3]


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size < 9.95e9 else f"{size / 1e9:.0f} GB"
