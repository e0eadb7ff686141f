"""How much a painted film flickers: each frame from its own photo, or from the result before.

    python -m benchmarks.flicker

A window moves over a sample picture by two pixels a frame, so it is known where everything goes.
"""

import argparse
from itertools import pairwise

import torch
from torch import Tensor

from stlib import VGG, load_image, sample, style_transfer
from stlib.batch.frames import moved_along
from stlib.batch.jobs import picture_file

PAN = 2  # pixels from frame to frame
STARTS = ("its own photo", "the result before", "the result before, moved along")


def pan(side: int, frames: int) -> list[Tensor]:
    """Frames [1, 3, side, side] of a window that moves to the right."""
    picture = load_image(picture_file("castle"), size=side * 2)
    return [picture[..., :side, PAN * i : PAN * i + side] for i in range(frames)]


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


def change(frames: list[Tensor], along: bool) -> float:
    """The mean absolute difference of successive frames, of 255 levels.

    along: whether each point is compared with where it has moved to.
    """
    pairs = pairwise(frames)
    differences = [
        (two[..., :-PAN] - one[..., PAN:] if along else two - one).abs().mean()
        for one, two in pairs
    ]
    return 255 * torch.stack(differences).mean().item()


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("size", 96), ("frames", 6), ("steps", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    frames, net = pan(options.size, options.frames), VGG(device="cpu")
    print(f"{'each frame begins with':<32}solver  change  beyond the photos'  along the motion")
    print(
        f"{'(the photos)':<32}{'':8}{change(frames, False):6.1f}{'':20}{change(frames, True):18.1f}"
    )
    for solver in ("fast", "plain"):
        for start in STARTS:
            results = painted(frames, start, net, solver=solver, steps=options.steps)
            apart = change(results, False)
            print(
                f"{start:<32}{solver:<8}{apart:6.1f}{apart - change(frames, False):20.1f}"
                f"{change(results, True):18.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
