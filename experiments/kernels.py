"""What does a texture keep when features are compared by another kernel than the Gram matrix's?

Textures are painted from noise with the maximum mean discrepancy between the picture's features and
the painting's (Y. Li, N. Wang, J. Liu & X. Hou, "Demystifying neural style transfer", IJCAI 2017),
for three kernels: linear (means), Gaussian, and (xᵀy)², which is the style loss; and with means and
variances. The Gaussian kernel is an inner product of random waves of the features (A. Rahimi &
B. Recht, NIPS 2007). E_l is the common judge: it is at home for the last kernel only.
"""

import math

import torch
from torch import Tensor

from experiments.bench import Case, Measured
from experiments.pairs import PAINTINGS, noise_like
from stlib import VGG, sample
from stlib.course.explain import rebuild
from stlib.objective import Objective
from stlib.settings import STYLE_LAYERS, Settings

WAVES = 1024  # random waves of the Gaussian kernel, for each layer
SMALL = {"kernel": "means", "painting": "cafe-terrace", "size": 64, "steps": 10, "seed": 0}
CASES = [
    {"kernel": kernel, "painting": painting, "size": size, "steps": 150, "seed": 0}
    for painting, size in [*((name, 256) for name in PAINTINGS), (PAINTINGS[0], 384)]
    for kernel in ("means", "means and variances", "Gaussian", "Gram")
    if (kernel, size) != ("Gaussian", 384)  # 1024 waves of each layer take long
]


def measure(case: Case) -> Measured:
    """E_l of the texture that each kernel makes, and by which share its own distance fell."""
    painting = sample(case["painting"], case["size"])
    net = VGG()
    with torch.no_grad():
        features = net.features(painting, STYLE_LAYERS)
    statistics = {
        layer: statistic(case["kernel"], F[0].flatten(1), case["seed"])
        for layer, F in features.items()
    }
    targets = {layer: statistics[layer](F[0].flatten(1)) for layer, F in features.items()}
    noise = noise_like(painting, case["seed"])

    def distances(picture: Tensor) -> dict[str, Tensor]:
        found = net.features(picture, STYLE_LAYERS)
        return {
            layer: (statistics[layer](F[0].flatten(1)) - targets[layer]).square().sum()
            for layer, F in found.items()
        }

    with torch.no_grad():
        first = distances(noise)

    def loss(picture: Tensor) -> Tensor:
        # each layer starts at 1, so that no kernel leaves a layer out because its numbers are small
        left = [distance / first[layer] for layer, distance in distances(picture).items()]
        return torch.stack(left).sum()

    found = rebuild(loss, noise, steps=case["steps"], progress=False)
    texture = found.picture.clamp(0, 1)
    judge = Objective(net, painting, painting, Settings(content_layers=[]))
    with torch.no_grad():
        E = judge.style_layer_losses(texture)
    numbers = {
        "own distance": min(found.losses) / len(STYLE_LAYERS),
        "E": {layer: float(loss) for layer, loss in E.items()},
    }
    return Measured(numbers, {"texture": texture})


def statistic(kernel: str, F: Tensor, seed: int):
    """F [N, M] ↦ the numbers whose squared differences are the MMD with a kernel."""
    if kernel == "means":
        return lambda F: F.mean(dim=1)
    if kernel == "means and variances":
        return lambda F: torch.cat([F.mean(dim=1), F.var(dim=1, correction=0).sqrt()])
    if kernel == "Gram":
        return lambda F: F @ F.T / F.shape[1]
    return _random_waves(F, seed)


def _random_waves(F: Tensor, seed: int):
    """The mean of √(2/D) cos(ωᵀx + b) over positions; the kernel is as wide as F's spread."""
    generator = torch.Generator().manual_seed(seed)
    width = float(F.var(dim=1).sum().sqrt())
    omega = torch.randn(WAVES, F.shape[0], generator=generator) / width
    shift = 2 * math.pi * torch.rand(WAVES, 1, generator=generator)
    return lambda F: math.sqrt(2 / WAVES) * (omega @ F + shift).cos().mean(dim=1)
