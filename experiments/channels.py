"""How much of a painted channel is the network, and how much the prior it is painted with?

A channel is maximised with the prior of `stlib.course.explain.maximize` (waves whose strength falls
as 1/f, the samples' colours, small shifts, weight decay), and on bare pixels with Adam. If the
picture were the channel's alone, both would look alike. Several seeds show how far a channel leaves
the choice open. "best patch" is the strongest answer that the samples themselves give.
"""

import torch
from torch import Tensor

from experiments.bench import Case, Measured
from stlib import VGG, sample, sample_names
from stlib.course.explain import maximize

CHANNELS = {"relu1_2": (3, 12, 24), "relu2_2": (5, 20, 40), "relu3_2": (2, 13, 77),
            "relu4_2": (1, 33, 101), "relu5_1": (0, 6, 100)}  # fmt: skip
SMALL = {"layer": "relu1_2", "prior": True, "seed": 0, "steps": 8, "size": 48, "wall": False}
CASES = [
    {"layer": layer, "prior": prior, "seed": seed, "steps": 64, "size": 96, "wall": False}
    for layer in CHANNELS
    for prior, seeds in ((True, (0, 1, 2)), (False, (0,)))
    for seed in seeds
] + [
    {"layer": layer, "prior": True, "seed": 0, "steps": 64, "size": 64, "wall": True}
    for layer in ("relu1_2", "relu2_2", "relu3_2")
]
WALL = range(64)  # the first channels of a layer: not chosen


def measure(case: Case) -> Measured:
    """How far each channel is excited, by the picture and by the best place in the samples."""
    net = VGG()
    layer = case["layer"]
    channels = list(WALL) if case["wall"] else list(CHANNELS[layer])
    options = {"size": case["size"], "steps": case["steps"], "seed": case["seed"]}
    if case["prior"]:
        pictures = maximize(net, layer, channels, progress=False, **options)
    else:
        pictures = _on_pixels(net, layer, channels, **options)
    with torch.no_grad():
        excited = [
            float(net.features(picture[None], [layer])[layer][0, channel].max())
            for picture, channel in zip(pictures, channels, strict=True)
        ]
        answers = [net.features(sample(name, 256), [layer])[layer][0] for name in sample_names()]
    best = [max(float(F[channel].max()) for F in answers) for channel in channels]
    numbers = {"channels": channels, "excited": excited, "best patch": best}
    return Measured(numbers, {"painted": _side_by_side(pictures, 8 if case["wall"] else 3)})


def _on_pixels(
    net: VGG, layer: str, channels: list[int], *, size: int, steps: int, seed: int
) -> Tensor:
    """Maximise without a prior: Adam on pixels that start as faint noise."""
    layer = layer.replace("relu", "conv")  # a silent ReLU has no gradient
    generator = torch.Generator().manual_seed(seed)
    x = 0.5 + 0.01 * torch.randn(len(channels), 3, size, size, generator=generator)
    x.requires_grad_()
    optimizer = torch.optim.Adam([x], lr=0.02)
    which = torch.arange(len(channels))
    for _ in range(steps):
        optimizer.zero_grad()
        (-net.features(x, [layer])[layer][which, channels].mean(dim=(1, 2)).sum()).backward()
        optimizer.step()
        with torch.no_grad():
            x.clamp_(0, 1)
    return x.detach()


def _side_by_side(pictures: Tensor, columns: int, gap: int = 4) -> Tensor:
    """One picture of them all on white, [1, 3, H, W]."""
    rows = -(-len(pictures) // columns)
    size = pictures.shape[2]
    sheet = torch.ones(1, 3, rows * (size + gap) - gap, columns * (size + gap) - gap)
    for number, picture in enumerate(pictures):
        top, left = (place * (size + gap) for place in divmod(number, columns))
        sheet[0, :, top : top + size, left : left + size] = picture
    return sheet
