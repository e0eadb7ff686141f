"""Which numbers tell from a crop which painting it is of, and which painter's?

Each painting gives six crops. A crop is found when the nearest other crop is of the same painting.
"Painter" asks more: crops of the same painting do not count, so that the nearest must be of another
painting by the same hand. Beside Gram matrices: the means alone, the covariances alone (what occurs
together, without how much of each), a colour histogram, and twelve hand-made numbers. Chance is
what a random neighbour finds.
"""

import torch
import torch.nn.functional as nnf
from torch import Tensor

from experiments import bench
from experiments.bench import Case, Measured
from experiments.pairs import ALL_PAINTINGS
from stlib import VGG, sample
from stlib.settings import STYLE_LAYERS

CROP = 160  # pixels
PER_PAINTING = 6
PAINTERS = {
    "van Gogh": (*ALL_PAINTINGS, "village-street-in-auvers"),
    "Hokusai": ("great-wave", "ryogoku-bridge", "ejiri-in-suruga"),
    "Renoir": ("moulin-de-la-galette", "girls-at-the-piano"),
}
SMALL = {"paintings": False, "size": 320, "crops": 3}
CASES = [
    {"paintings": paintings, "size": size, "crops": PER_PAINTING}
    for paintings in (False, True)
    for size in (384, 512)
]


def measure(case: Case) -> Measured:
    """The share of crops found, by what is compared, and which paintings they are of."""
    paintings = {name: sample(name, case["size"]) for name in ALL_PAINTINGS}
    if case["paintings"]:
        paintings |= {
            name: _resized(picture, case["size"]) for name, picture in bench.paintings().items()
        }
    names, crops = [], []
    for name, picture in paintings.items():
        for crop in _crops(picture, case["crops"]):
            names.append(name)
            crops.append(crop)
    painters = [
        next((painter for painter, works in PAINTERS.items() if name in works), name)
        for name in names
    ]
    distances = _distances(crops)
    numbers = {
        name: {
            "painting": _found(D, names, names, False),
            "painter": _found(D, painters, names, True),
        }
        for name, D in distances.items()
    }
    numbers["chance"] = {
        "painting": _chance(names, names, False),
        "painter": _chance(painters, names, True),
    }
    numbers["crops of"] = sorted(paintings)
    return Measured(numbers)


def _crops(picture: Tensor, count: int) -> list[Tensor]:
    """Crops whose places are spread over the picture; as few overlap as there is room for."""
    height, width = picture.shape[2:]
    rows = 3 if height > width else 2
    columns = -(-count // rows)
    places = [
        (round(i * (height - CROP) / (rows - 1)), round(j * (width - CROP) / max(columns - 1, 1)))
        for i in range(rows)
        for j in range(columns)
    ]
    return [picture[..., y : y + CROP, x : x + CROP] for y, x in places[:count]]


def _distances(crops: list[Tensor]) -> dict[str, Tensor]:
    """Distance of every crop to every other, by what is compared."""
    net = VGG()
    grams, means, covariances = ({layer: [] for layer in STYLE_LAYERS} for _ in range(3))
    for crop in crops:
        with torch.no_grad():
            features = net.features(crop, STYLE_LAYERS)
        for layer, F in features.items():
            F = F[0].flatten(1)
            mean = F.mean(dim=1)
            G = F @ F.T / F.shape[1]
            grams[layer].append(G.flatten())
            means[layer].append(mean)
            covariances[layer].append((G - mean.outer(mean)).flatten())
    found = {
        "colour histogram": _pairwise([_histogram(crop) for crop in crops]),
        "twelve numbers": _pairwise(_standardised([_twelve(crop) for crop in crops])),
    }
    for name, statistic in (("Gram", grams), ("means", means), ("covariance", covariances)):
        of_layers = {layer: _pairwise(vectors) for layer, vectors in statistic.items()}
        # each layer counts the same: E_l would let the largest one decide
        found[name] = sum(D.square() / D.square().mean() for D in of_layers.values())
        for layer, D in of_layers.items():
            found[f"{name}, {layer}"] = D
    return found


def _pairwise(vectors: list[Tensor]) -> Tensor:
    stacked = torch.stack(vectors)
    return torch.cdist(stacked, stacked)


def _standardised(vectors: list[Tensor]) -> list[Tensor]:
    stacked = torch.stack(vectors)
    return list((stacked - stacked.mean(dim=0)) / stacked.std(dim=0))


def _histogram(crop: Tensor) -> Tensor:
    """How many pixels have each of 4 × 4 × 4 colours."""
    levels = (crop[0] * 3.999).long()
    return nnf.one_hot(levels[0] * 16 + levels[1] * 4 + levels[2], 64).float().mean(dim=(0, 1))


def _twelve(crop: Tensor) -> Tensor:
    """For each colour: mean, deviation, mean step to the right and mean step down."""
    right, down = crop.diff(dim=3), crop.diff(dim=2)
    parts = [crop.mean((2, 3)), crop.std((2, 3)), right.abs().mean((2, 3)), down.abs().mean((2, 3))]
    return torch.cat([part[0] for part in parts])


def _found(D: Tensor, labels: list[str], paintings: list[str], without_own: bool) -> float:
    """The share of crops whose nearest other one has the same label."""
    right = []
    for i, label in enumerate(labels):
        others = _others(i, labels, paintings, without_own)
        if others:
            nearest = min(others, key=lambda j: float(D[i, j]))
            right.append(labels[nearest] == label)
    return sum(right) / len(right)


def _chance(labels: list[str], paintings: list[str], without_own: bool) -> float:
    """The same for a neighbour drawn by lot."""
    shares = []
    for i, label in enumerate(labels):
        others = _others(i, labels, paintings, without_own)
        if others:
            shares.append(sum(labels[j] == label for j in others) / len(others))
    return sum(shares) / len(shares)


def _others(i: int, labels: list[str], paintings: list[str], without_own: bool) -> list[int]:
    """Which crops may be the neighbour; none for a painter with a single painting."""
    allowed = [
        j
        for j in range(len(labels))
        if j != i and not (without_own and paintings[j] == paintings[i])
    ]
    if without_own and labels[i] not in {labels[j] for j in allowed}:
        return []
    return allowed


def _resized(picture: Tensor, size: int) -> Tensor:
    scale = size / max(picture.shape[2:])
    height, width = (max(CROP, round(side * scale)) for side in picture.shape[2:])
    return nnf.interpolate(
        picture, size=(height, width), mode="bilinear", antialias=True, align_corners=False
    ).clamp(0, 1)
