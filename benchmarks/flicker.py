"""How much a painted film flickers, and what the start of each frame has to do with it.

    python benchmarks/flicker.py

A window moves over a sample picture by two pixels per frame, so it is known where everything goes;
or it stands still, and the frames differ in the noise of a camera. Keeps what it finds in
flicker.json and writes FLICKER.md.
"""

import argparse
import json
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import torch
from measure import machine
from report import table
from torch import Tensor

from stlib import VGG, load_image, sample, style_transfer
from stlib.batch.frames import moved_along
from stlib.batch.jobs import picture_file

HERE = Path(__file__).parent
PAIR = ("castle", "cafe-terrace")
SCENES = {"moving": (2, 0.0), "standing": (0, 2 / 255)}  # pixels per frame, σ of the noise
LENGTHS = {96: (6, 20), 192: (4, 30)}  # size: frames, steps
OTHER_NOISE, SAME_NOISE = "another noise for each frame", "the same noise for all frames"
PHOTO, BEFORE, MOVED = "its own photo", "the result before", "the result before, moved along"
STARTS = (OTHER_NOISE, SAME_NOISE, PHOTO, BEFORE, MOVED)

HEAD = ["film", "each frame begins with", "change", "first", "last", "loss"]
WORDS = """\
# How much a painted film flickers

`python benchmarks/flicker.py` measures it again, keeps the numbers in `flicker.json` and writes
this page. The {content} is painted in the style of the {style} by the {solver} solver:
{lengths}.
Measured on {date} in {seconds:.0f} s on {threads} thread of an {processor}, with PyTorch {torch}.

*Moving*: the window moves by 2 pixels per frame. *Standing*: the frames differ in noise alone, with
σ = 2 of 255 levels. *Change* is the mean absolute difference between a frame and the one before, in
levels; where the scene has moved, each point is compared with itself. It is the mean over pairs of
successive frames, with the least and the greatest in parentheses. The row *(the photos)* is the
change of what is painted. *First* and *last* are the changes of the first and the last pair: a
frame that begins with the result before has the evaluations of all frames before it, too.

*Loss* is the mean total loss at the end of a frame's run, without the first frame, over that of
frames which begin with their own photo. A start whose calm came from painting less would have a
greater loss.

{films}
"""


class Painted(NamedTuple):
    """A film. losses: of each frame, at the end of its run."""

    frames: list[Tensor]
    losses: list[float]


def film(side: int, count: int, step: int, noise: float) -> list[Tensor]:
    """Frames [1, 3, side, side] of a window that moves to the right.

    step: pixels from frame to frame. noise: its standard deviation, where white is 1.
    """
    picture = load_image(picture_file(PAIR[0]), size=side * 2)
    windows = [picture[..., :side, step * i : step * i + side] for i in range(count)]
    generator = torch.Generator().manual_seed(0)
    return [
        (window + noise * torch.randn(window.shape, generator=generator)).clamp(0, 1)
        for window in windows
    ]


def paint_film(photos: Sequence[Tensor], start: str, net: VGG, **settings: object) -> Painted:
    """Paint all frames, each from this start; the first has no result before it."""
    style, painted = sample(PAIR[1], photos[0].shape[-1]), Painted([], [])
    for number, photo in enumerate(photos):
        init: Tensor | str = "noise" if start in (OTHER_NOISE, SAME_NOISE) else "content"
        if number and start == BEFORE:
            init = painted.frames[-1]
        elif number and start == MOVED:
            init = moved_along(painted.frames[-1], photos[number - 1], photo)
        seed = number if start == OTHER_NOISE else 0
        result = style_transfer(
            photo, style, net=net, init=init, seed=seed, progress=False, **settings
        )
        painted.frames.append(result.image)
        painted.losses.append(result.history[-1]["total"])
    return painted


def changes(frames: Sequence[Tensor], step: int) -> list[float]:
    """The mean absolute difference of each frame and the one before, of 255 levels.

    step: by how many pixels the scene has moved, so that each point is compared with itself.
    """
    width = frames[0].shape[-1] - step
    return [
        255 * (two[..., :width] - one[..., step:]).abs().mean().item()
        for one, two in pairwise(frames)
    ]


def measure(size: int, scene: str, net: VGG, solver: str) -> dict:
    """The changes of a film's photos, and the changes and losses from each start."""
    count, steps = LENGTHS[size]
    step, noise = SCENES[scene]
    photos = film(size, count, step, noise)
    starts = {}
    for start in STARTS:
        painted = paint_film(photos, start, net, solver=solver, steps=steps)
        starts[start] = {"changes": changes(painted.frames, step), "losses": painted.losses}
        print(scene, size, start, spread(starts[start]["changes"]), flush=True)
    return {
        "scene": scene,
        "size": size,
        "frames": count,
        "steps": steps,
        "photos": changes(photos, step),
        "starts": starts,
    }


def spread(numbers: Sequence[float]) -> str:
    """The mean, and in parentheses the least and the greatest."""
    return f"{mean(numbers):.1f} ({min(numbers):.1f}–{max(numbers):.1f})"


def _change(numbers: Sequence[float]) -> list[str]:
    """Three columns of the table."""
    return [spread(numbers), f"{numbers[0]:.1f}", f"{numbers[-1]:.1f}"]


def page(found: dict) -> str:
    """FLICKER.md, for what `main` has found."""
    lengths = [
        f"{count} frames of {size} × {size} px with {steps} steps each"
        for size, (count, steps) in LENGTHS.items()
    ]
    rows: list[list[str]] = []
    for one in found["films"]:
        where = f"{one['scene']}, {one['size']} px"
        usual = mean(one["starts"][PHOTO]["losses"][1:])
        rows.append([where, "(the photos)", *_change(one["photos"]), "–"])
        for start, result in one["starts"].items():
            over = mean(result["losses"][1:]) / usual
            rows.append([where, start, *_change(result["changes"]), f"{over:.2f}"])
    return WORDS.format(
        **{name: found["machine"][name] for name in ("date", "threads", "processor", "torch")},
        content=PAIR[0],
        style=PAIR[1],
        solver=found["solver"],
        lengths=" and ".join(lengths),
        seconds=found["seconds"],
        films=table(HEAD, rows),
    )


def main() -> None:
    """Measure, keep it and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--solver", default="fast")
    solver = parser.parse_args().solver
    net, began = VGG(device="cpu"), time.perf_counter()
    films = [measure(size, scene, net, solver) for size in LENGTHS for scene in SCENES]
    seconds = time.perf_counter() - began
    found = {"solver": solver, "seconds": seconds, "machine": machine(), "films": films}
    (HERE / "flicker.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    (HERE / "FLICKER.md").write_text(page(found), "utf-8")


if __name__ == "__main__":
    main()
