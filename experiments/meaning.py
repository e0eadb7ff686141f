"""Is meaning gained with depth?

A hundred small faces are told from a hundred other pictures after five examples of each, by the
nearer mean. The others are the same faces with scrambled phases: the same waves in other places, so
that brightness, contrast and fineness say nothing. The controls are one number without a network
(the mean absolute Laplacian), the pixels, and the same network with random weights. Beside it two
other kinds of others: crops of the samples, for each face one with as much detail; and the patches
without faces that come with the pictures, which that one number tells apart already.
"""

import torch
import torch.nn.functional as nnf
from skimage.data import lfw_subset
from torch import Tensor

from experiments.bench import Case, Measured
from stlib import VGG, sample_names
from stlib.course.explain import detail, equally_detailed
from stlib.settings import STYLE_LAYERS
from stlib.weights import load_weights

FACES = 100
SIDE = 32  # pixels; relu5_1 needs 16
WITH_FACES = ("cat", "astronaut")  # samples that are not cropped
SMALL = {"others": "scrambled faces", "network": "trained", "seed": 0, "draws": 3}
CASES = [
    {"others": others, "network": kind, "seed": seed, "draws": 50}
    for others in ("scrambled faces", "other patches", "equally detailed crops")
    for kind, seeds in (("trained", (0,)), ("random", (0, 1, 2)))
    for seed in seeds
]


def measure(case: Case) -> Measured:
    """The share sorted rightly, mean and deviation over the draws, by what is compared."""
    faces, others = faces_and_others(case["others"], case["seed"])
    pictures = torch.cat([faces, others])
    weights = (
        "oxford" if case["network"] == "trained" else load_weights("random", seed=case["seed"])
    )
    net = VGG(weights=weights, normalized=False)  # random channels are as loud as they are
    with torch.no_grad():
        found = {
            "one number": detail(pictures),
            "pixels": pictures,
            **net.features(pictures, STYLE_LAYERS),
        }
    numbers = {}
    for name, vectors in found.items():
        right = five_shot(vectors, case["draws"])
        numbers[name] = {"mean": float(right.mean()), "deviation": float(right.std())}
    return Measured(numbers)


def faces_and_others(kind: str, seed: int = 0) -> tuple[Tensor, Tensor]:
    """100 faces and 100 other pictures, grey, [100, 3, 32, 32] in 0…1."""
    grey = torch.from_numpy(lfw_subset()).float()[:, None]
    grey = nnf.interpolate(grey, size=(SIDE, SIDE), mode="bilinear", antialias=True)
    faces = grey[:FACES]
    if kind == "scrambled faces":
        others = scrambled(faces, seed)
    elif kind == "equally detailed crops":
        names = [name for name in sample_names() if name not in WITH_FACES]
        others = equally_detailed(faces, names, seed)
    else:
        others = grey[FACES:]
    return faces.expand(-1, 3, -1, -1), others.expand(-1, 3, -1, -1)


def scrambled(pictures: Tensor, seed: int = 0) -> Tensor:
    """Pictures [B, C, H, W] of the same waves, each moved to another place.

    They are mirrored first: the jump from a picture's right edge to its left would become grain.
    """
    height, width = pictures.shape[2:]
    seamless = torch.cat([pictures, pictures.flip(3)], dim=3)
    seamless = torch.cat([seamless, seamless.flip(2)], dim=2)
    noise = torch.rand(seamless.shape, generator=torch.Generator().manual_seed(seed))
    turned = torch.fft.rfft2(noise)
    waves = torch.fft.rfft2(seamless) * turned / turned.abs()
    waves[..., 0, 0] = seamless.sum(dim=(2, 3))  # the brightness stays
    mixed = torch.fft.irfft2(waves, s=seamless.shape[2:])
    return mixed[..., :height, :width].clamp(0, 1)


def five_shot(vectors: Tensor, draws: int) -> Tensor:
    """The share of pictures nearer to the mean of five of their own kind, for each draw.

    vectors: [200, …], the faces first.
    """
    vectors = vectors.reshape(len(vectors), -1)
    generator = torch.Generator().manual_seed(0)
    is_face = torch.arange(2 * FACES) < FACES
    right = []
    for _ in range(draws):
        faces = torch.randperm(FACES, generator=generator)
        others = FACES + torch.randperm(FACES, generator=generator)
        rest = torch.cat([faces[5:], others[5:]])
        to_face, to_other = (
            (vectors[rest] - vectors[few[:5]].mean(dim=0)).square().sum(dim=1)
            for few in (faces, others)
        )
        right.append(((to_face < to_other) == is_face[rest]).float().mean())
    return torch.stack(right)
