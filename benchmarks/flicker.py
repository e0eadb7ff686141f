"""How much a painted film flickers: each frame from its own photo, or from the result before.

    python -m benchmarks.flicker

A window moves over a sample picture by two pixels a frame, so it is known where everything goes;
or it stands still, and the frames differ in noise that nobody sees.
"""

import argparse
from itertools import pairwise

import torch
from torch import Tensor

from stlib import VGG, load_image, sample, style_transfer
from stlib.batch.frames import moved_along
from stlib.batch.jobs import picture_file

SCENES = {"moving, 2 pixels a frame": (2, 0.0), "standing, noise": (0, 2 / 255)}  # pixels, σ
STARTS = ("its own photo", "the result before", "the result before, moved along")


def film(side: int, count: int, step: int, noise: float) -> list[Tensor]:
    """Frames [1, 3, side, side] of a window that moves to the right.

    step: pixels from frame to frame. noise: its standard deviation, where white is 1.
    """
    picture = load_image(picture_file("castle"), size=side * 2)
    windows = [picture[..., :side, step * i : step * i + side] for i in range(count)]
    generator = torch.Generator().manual_seed(0)
    return [
        (window + noise * torch.randn(window.shape, generator=generator)).clamp(0, 1)
        for window in windows
    ]


def painted(frames: list[Tensor], start: str, net: VGG, **settings: object) -> list[Tensor]:
    """The frames as they are painted with this start."""
    style, results = sample("cafe-terrace", frames[0].shape[-1]), []
    for number, frame in enumerate(frames):
        init: Tensor | str = "content"
        if number and start == STARTS[1]:
            init = results[-1]
        elif number and start == STARTS[2]:
            init = moved_along(results[-1], frames[number - 1], frame)
        result = style_transfer(frame, style, net=net, init=init, progress=False, **settings)
        results.append(result.image)
    return results


def change(frames: list[Tensor], step: int) -> float:
    """The mean absolute difference of successive frames, of 255 levels.

    step: by how many pixels the scene has moved, so that each point is compared with itself.
    """
    width = frames[0].shape[-1] - step
    differences = [
        (two[..., :width] - one[..., step:]).abs().mean() for one, two in pairwise(frames)
    ]
    return 255 * torch.stack(differences).mean().item()


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("size", 96), ("frames", 6), ("steps", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--solver", default="fast")
    options = parser.parse_args()
    net = VGG(device="cpu")
    print(
        f"{'scene':<26}{'each frame begins with':<32}change  beyond the photos'  along the motion"
    )
    for scene, (step, noise) in SCENES.items():
        frames = film(options.size, options.frames, step, noise)
        least = change(frames, 0)
        print(f"{scene:<26}{'(the photos)':<32}{least:6.1f}{'':20}{change(frames, step):18.1f}")
        for start in STARTS:
            results = painted(frames, start, net, solver=options.solver, steps=options.steps)
            apart = change(results, 0)
            print(
                f"{scene:<26}{start:<32}{apart:6.1f}{apart - least:20.1f}"
                f"{change(results, step):18.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
