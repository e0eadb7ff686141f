"""Draw figures/vgg.png, VGG-19 and what VGG-16 lacks of it: python figures/vgg.py"""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch
from drawing import GREY, arrow, save
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from stlib.course.show import BLOCK_LOOK, LOOK, RED, tr
from stlib.layers import find_layer, layer_names, layer_table

NAME = "vgg.png"
SIZE = 224  # the side of the pictures that the networks were trained on
WIDTH, HEIGHT = 6.4, 5.4  # of the figure, in inches
FLOOR = 2.75  # where all slabs stand
PIXEL, CHANNEL = 2.24 / SIZE, 0.36 / 512  # inches: a slab's height for each pixel, and its width
ROW = 0.37


@dataclass(frozen=True)
class Block:
    """One block of a network: convolutions of one width and one size, then a pooling."""

    number: int
    convolutions: tuple[str, ...]
    channels: int
    size: int
    size_after_pooling: int


def blocks(depth: int) -> list[Block]:
    """The five blocks of VGG-`depth` for a picture of 224 × 224 pixels, from the layer table."""
    found = []
    convolutions = []
    for row in layer_table(depth, SIZE):
        layer = find_layer(row.name, depth)
        if layer.kind == "conv":
            convolutions.append(row)
        elif layer.kind == "pool":
            names = tuple(convolution.name for convolution in convolutions)
            channels, size, _ = convolutions[-1].shape
            found.append(Block(layer.block, names, channels, size, row.shape[1]))
            convolutions = []
    return found


def left_out(depth: int) -> list[int]:
    """The widths of torchvision's fully connected layers."""
    import torchvision

    with torch.device("meta"):  # shapes without numbers: nothing is allocated
        classifier = getattr(torchvision.models, f"vgg{depth}")(weights=None).classifier
    return [module.out_features for module in classifier if isinstance(module, torch.nn.Linear)]


def describe() -> str:
    """What the figure says, as the PNG carries it along."""
    drawn = "; ".join(
        f"{', '.join(b.convolutions)}: {b.channels} channels, {b.size} to {b.size_after_pooling} px"
        for b in blocks(19)
    )
    only = [name for name in layer_names(19) if name not in layer_names(16) and "conv" in name]
    return f"VGG-19: {drawn}; only in VGG-19: {', '.join(only)}; cut off: {left_out(19)}"


def draw() -> Figure:
    """The network, a slab for each convolution from left to right; below, a row for each block."""
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(figsize=(WIDTH, HEIGHT))
        figure.subplots_adjust(0, 0, 1, 1)
        axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT), aspect="equal")
        axes.axis("off")
        arrow(axes, (0.02, FLOOR + 1.12), (0.32, FLOOR + 1.12), head=18, width=2.4)
        words = tr("a bar for each convolution:\nas high as its maps,\nas wide as they are many")
        axes.text(2.2, HEIGHT - 0.2, words, fontsize=16, va="top", color=GREY)
        x = 0.38
        for block in blocks(19):
            x = _slabs(axes, x, block)
        _cut(axes, x)
        for place, block in enumerate(blocks(19)):
            _row(axes, FLOOR - 0.35 - ROW * place, block)
        hatched = {"facecolor": "white", "edgecolor": "black", "hatch": "//", "linewidth": 1.5}
        y = FLOOR - 0.35 - ROW * 5
        axes.add_patch(Rectangle((0.12, y - 0.12), 0.24, 0.24, **hatched))
        axes.text(0.5, y, tr("only in VGG-19, not in VGG-16"), fontsize=16, va="center")
        words = tr("cut off: three layers with {counts} outputs").format(
            counts=", ".join(map(str, left_out(19)))
        )
        axes.text(0.12, y - ROW, words, fontsize=16, va="center", color=RED)
    return figure


def _slabs(axes: Axes, x: float, block: Block) -> float:
    """The block's convolutions, as high as their maps; returns where the next block begins."""
    color, _ = BLOCK_LOOK[block.number]
    width, height = CHANNEL * block.channels, PIXEL * block.size
    for name in block.convolutions:
        extra = name not in layer_names(16)
        look = {"edgecolor": "black", "hatch": "//", "linewidth": 1.5} if extra else {}
        slab = Rectangle((x, FLOOR), width, height, facecolor=color, label=name, **look)
        axes.add_patch(slab)
        x += width + 0.05
    return x + 0.1


def _cut(axes: Axes, x: float) -> None:
    """The fully connected layers, drawn as cut off."""
    axes.plot([x, x], [FLOOR - 0.1, FLOOR + 0.9], color=RED, linewidth=3, linestyle=(0, (4, 2)))
    dashed = {"facecolor": "white", "edgecolor": GREY, "linewidth": 1.5, "linestyle": "--"}
    for place, _ in enumerate(left_out(19)):
        corner = (x + 0.1 + 0.2 * place, FLOOR)
        axes.add_patch(Rectangle(corner, 0.1, 0.5, label="cut off", **dashed))


def _row(axes: Axes, y: float, block: Block) -> None:
    """What stands below the drawing about a block."""
    color, _ = BLOCK_LOOK[block.number]
    axes.add_patch(Rectangle((0.12, y - 0.12), 0.24, 0.24, facecolor=color))
    words = (
        tr("block {number}: {count} maps of {size} × {size}").format(
            number=block.number, count=block.channels, size=block.size
        ),
        f"{block.convolutions[0]} … {block.convolutions[-1][-3:]}",
    )
    axes.text(0.5, y, words[0], fontsize=16, va="center")
    axes.text(4.55, y, words[1], fontsize=16, va="center")


def main() -> None:
    save(draw(), NAME, describe(), dpi=160)


if __name__ == "__main__":
    main()
