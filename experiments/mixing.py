"""Does a blend of two paintings show both everywhere, and a mask each in its own half?

The default call at 384 px with each painting alone, with both in equal parts, and with one on the
left and one on the right. The judge is the style loss of each half of the picture beside each
painting. If a blend put one painting here and the other there, or a mask did nothing, the halves
would say so; the runs with one painting show what a half can reach.
"""

import torch
from torch import Tensor

from experiments.bench import Case, Measured
from stlib import VGG, Brush, sample, style_transfer
from stlib.course.quality import mean_loss, style_losses

PAINTINGS = ("cafe-terrace", "harvest-at-la-crau")
SOFT = 1 / 30  # of the width: how soft the border between two regions is
SMALL = {"photo": "castle", "size": 96, "ways": "halves", "steps": 6}
CASES = [
    {"photo": "castle", "size": 384, "ways": ways, "steps": 100}
    for ways in ("halves", "blend", *PAINTINGS)
]


def measure(case: Case) -> Measured:
    """The style loss of the left and of the right half beside each painting."""
    content = sample(case["photo"], case["size"])
    styles = {name: sample(name, case["size"]) for name in PAINTINGS}
    left = left_half(content)
    brushes = {
        "halves": [
            Brush(style, mask=mask)
            for style, mask in zip(styles.values(), (left, 1 - left), strict=True)
        ],
        "blend": [Brush(style) for style in styles.values()],
        **{name: [Brush(style)] for name, style in styles.items()},
    }[case["ways"]]
    result = style_transfer(content, brushes, net=VGG(), steps=case["steps"], progress=False).image
    middle = content.shape[3] // 2
    halves = {"left": result[..., :middle], "right": result[..., middle:]}
    numbers = {
        side: {name: mean_loss(style_losses(half, style)) for name, style in styles.items()}
        for side, half in halves.items()
    }
    return Measured({"style": numbers}, {"result": result})


def left_half(picture: Tensor) -> Tensor:
    """A mask [H, W]: 1 on the left, 0 on the right, with a soft edge in the middle."""
    height, width = picture.shape[2:]
    across = torch.linspace(0, 1, width)
    return torch.sigmoid((0.5 - across) / SOFT).expand(height, width)
