"""The pictures that experiments paint: samples of the course, both sides of a pair equally long."""

import torch
from torch import Tensor

from stlib import sample

PAIRS = (
    "castle × cafe-terrace",
    "cat × harvest-at-la-crau",
    "astronaut × langlois-bridge",
)
MORE_PAIRS = (
    *PAIRS,
    "castle × church-at-auvers",
    "cat × cafe-terrace",
    "astronaut × church-at-auvers",
)
PHOTOS = ("castle", "cat", "astronaut")
PAINTINGS = ("cafe-terrace", "harvest-at-la-crau", "church-at-auvers")
ALL_PAINTINGS = (*PAINTINGS, "langlois-bridge")


def pair(name: str, size: int) -> tuple[Tensor, Tensor]:
    """Photo and painting of "photo × painting", the longer side of each `size` pixels."""
    photo, painting = name.split(" × ")
    return sample(photo, size), sample(painting, size)


def noise_like(picture: Tensor, seed: int) -> Tensor:
    """Uniform noise of a picture's shape."""
    return torch.rand(picture.shape, generator=torch.Generator().manual_seed(seed))


def perturbed(picture: Tensor, seed: int) -> Tensor:
    """A picture with noise of one level of 255: the eye sees none, but a run takes another way."""
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(seed))
    return (picture + noise / 255).clamp(0, 1)
