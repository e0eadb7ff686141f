"""Does a deep layer fail to see grain, or only the grain that the optimiser left?

A photo is rebuilt from noise through one layer. Its difference from the photo is grain. The same
grain with its pixels in another order, and white noise of the same strength, are added to the
photo: if the layer were blind to grain, all three would have the same content loss.
"""

import torch
from torch import Tensor

from experiments.bench import Case, Measured
from experiments.pairs import PHOTOS, noise_like
from stlib import VGG, content_loss, sample
from stlib.course.explain import psnr, rebuild

SMALL = {"photo": "castle", "size": 64, "layer": "relu4_2", "steps": 20, "seed": 0}
CASES = [
    {"photo": photo, "size": size, "layer": "relu4_2", "steps": 300, "seed": seed}
    for photo, size, seed in [
        *((photo, 256, 0) for photo in PHOTOS),
        ("castle", 256, 1),
        *((photo, 384, 0) for photo in PHOTOS),
    ]
]


def measure(case: Case) -> Measured:
    """L_content of the rebuilt photo and of the photo with other grain, and how far each is."""
    photo, layer = sample(case["photo"], case["size"]), case["layer"]
    net = VGG()
    with torch.no_grad():
        P = net.features(photo, [layer])[layer]

    def loss_of(picture: Tensor) -> Tensor:
        return content_loss(net.features(picture, [layer])[layer], P)

    noise = noise_like(photo, case["seed"])
    rebuilt = rebuild(loss_of, noise, steps=case["steps"], progress=False).picture
    grain = rebuilt - photo
    generator = torch.Generator().manual_seed(case["seed"])
    order = torch.randperm(grain[0, 0].numel(), generator=generator)
    shuffled = photo + grain.flatten(2)[..., order].view_as(grain)
    deviation = grain.square().mean().sqrt()
    white = photo + deviation * torch.randn(photo.shape, generator=generator)
    pictures = {"rebuilt": rebuilt, "shuffled": shuffled, "white": white}
    others = [sample(name, case["size"]) for name in PHOTOS if name != case["photo"]]
    height, width = photo.shape[2:]
    others = [
        torch.nn.functional.interpolate(other, (height, width), mode="bilinear", antialias=True)
        for other in others
    ]
    with torch.no_grad():
        loss = {
            name: float(content_loss(net.features(picture, [layer])[layer], P))
            for name, picture in pictures.items()
        }
        loss["other photos"] = [
            float(content_loss(net.features(other, [layer])[layer], P)) for other in others
        ]
    decibels = {name: psnr(picture, photo) for name, picture in pictures.items()}
    numbers = {"loss": loss, "PSNR": decibels, "mean square of P": float(P.square().mean())}
    return Measured(numbers, {name: picture.clamp(0, 1) for name, picture in pictures.items()})
