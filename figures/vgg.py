"""Draw figures/vgg.png, VGG-16 beside VGG-19, from the models themselves: python figures/vgg.py"""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch
from drawing import GREY, save
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from stlib.course.show import BLOCK_LOOK, LOOK, RED
from stlib.layers import find_layer, layer_table

NAME = "vgg.png"
SIZE = 224  # the side of the pictures that the networks were trained on
WIDTH = 6.4  # of the figure, in inches
LEFT = {16: 0.15, 19: 3.3}  # where a network's column begins
LABEL, WIDEST = 1.02, 1.93  # a row: its name, then a bar; the width of the bar of 512 channels
ROW = 0.325


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


def kept_parameters(depth: int) -> int:
    return sum(layer.parameters for layer in layer_table(depth, SIZE))


def left_out(depth: int) -> tuple[list[int], int]:
    """The widths of torchvision's fully connected layers, and how many parameters they have."""
    import torchvision

    with torch.device("meta"):  # shapes without numbers: nothing is allocated
        classifier = getattr(torchvision.models, f"vgg{depth}")(weights=None).classifier
    widths = [module.out_features for module in classifier if isinstance(module, torch.nn.Linear)]
    return widths, sum(parameter.numel() for parameter in classifier.parameters())


def describe() -> str:
    """What the figure says, as the PNG carries it along."""
    lines = []
    for depth in LEFT:
        drawn = "; ".join(
            f"{', '.join(b.convolutions)}: {b.channels} channels, "
            f"{b.size} to {b.size_after_pooling} px"
            for b in blocks(depth)
        )
        widths, parameters = left_out(depth)
        lines.append(
            f"VGG-{depth}, {kept_parameters(depth):,} parameters: {drawn}; "
            f"left out {widths}, {parameters:,} parameters"
        )
    return " | ".join(lines)


def millions(parameters: int) -> str:
    return f"{parameters / 1e6:.1f} M parameters"


def bar(axes: Axes, depth: int, y: float, name: str, channels: float, **look) -> None:
    """A row of a network's column: the layer's name and a bar as wide as its channels are many."""
    left = LEFT[depth]
    axes.text(left, y, name, ha="left", va="center", fontsize=16)
    axes.add_patch(Rectangle((left + LABEL, y - 0.12), WIDEST * channels / 512, 0.24, **look))


def draw() -> Figure:
    """From the top down, as a picture passes the networks: five blocks, and what is left out."""
    pairs = list(zip(blocks(16), blocks(19), strict=True))
    rows = sum(len(wide.convolutions) for _, wide in pairs)
    height = 1.3 + rows * ROW + len(pairs) * 0.62 + 2.62
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(figsize=(WIDTH, height))
        figure.subplots_adjust(0, 0, 1, 1)
        axes.set(xlim=(0, WIDTH), ylim=(0, height), aspect="equal")
        axes.axis("off")
        y = height - 0.3
        for depth, left in LEFT.items():
            axes.text(left, y, f"VGG-{depth}", fontsize=22, weight="bold", va="center")
            axes.text(left, y - 0.36, millions(kept_parameters(depth)), fontsize=16, va="center")
        axes.text(
            WIDTH / 2,
            y - 0.76,
            f"↓ a picture: 3 channels, {SIZE} × {SIZE}",
            ha="center",
            va="center",
            fontsize=16,
            color=GREY,
        )
        y -= 1.1
        for pair in pairs:
            y = _block(axes, y, *pair)
        _cut(axes, y - 0.05)
    return figure


def _block(axes: Axes, y: float, narrow: Block, wide: Block) -> float:
    """One block of both networks, side by side; returns where the next one begins."""
    color, _ = BLOCK_LOOK[wide.number]
    axes.text(
        LEFT[16],
        y,
        f"block {wide.number}: {wide.channels} channels, {wide.size} × {wide.size}",
        fontsize=17,
        weight="bold",
        va="center",
    )
    y -= 0.34
    for number, name in enumerate(wide.convolutions):
        extra = name not in narrow.convolutions
        if extra:
            bar(
                axes,
                19,
                y,
                name,
                wide.channels,
                facecolor=color,
                edgecolor="black",
                linewidth=2.6,
                hatch="//",
            )
            axes.text(
                LEFT[19] - 0.15,
                y,
                "only in VGG-19:",
                ha="right",
                va="center",
                fontsize=16,
                weight="bold",
            )
        else:
            bar(
                axes,
                16,
                y,
                narrow.convolutions[number],
                narrow.channels,
                facecolor=color,
                linewidth=0,
            )
            bar(axes, 19, y, name, wide.channels, facecolor=color, linewidth=0)
        y -= ROW
    after = wide.size_after_pooling
    axes.text(
        WIDTH / 2,
        y + 0.03,
        f"↓ pool{wide.number}: {after} × {after}",
        ha="center",
        va="center",
        fontsize=16,
        color=GREY,
    )
    return y - 0.28


def _cut(axes: Axes, y: float) -> None:
    """The fully connected layers, drawn as cut off."""
    axes.plot([0.1, WIDTH - 0.1], [y + 0.1, y + 0.1], color=RED, linewidth=3, linestyle=(0, (4, 2)))
    axes.text(
        LEFT[16],
        y - 0.2,
        "cut off here: the fully connected layers",
        fontsize=17,
        weight="bold",
        va="center",
        color=RED,
    )
    for depth, left in LEFT.items():
        widths, parameters = left_out(depth)
        for number, width in enumerate(widths):
            row = y - 0.55 - ROW * number
            axes.text(left, row, f"{width}", ha="left", va="center", fontsize=16, color=GREY)
            axes.add_patch(
                Rectangle(
                    (left + LABEL, row - 0.12),
                    WIDEST * min(1, width / 4096),
                    0.24,
                    facecolor="white",
                    edgecolor=GREY,
                    linewidth=1.5,
                    linestyle="--",
                )
            )
        axes.text(
            left,
            y - 0.72 - ROW * len(widths),
            f"left out:\n{millions(parameters)}",
            fontsize=16,
            va="center",
            color=RED,
            weight="bold",
        )
    axes.text(
        LEFT[16],
        y - 1.2 - ROW * len(widths),
        "(their bars are drawn at an eighth of the scale)",
        fontsize=16,
        va="center",
        color=GREY,
    )


def main() -> None:
    save(draw(), NAME, describe(), dpi=160)


if __name__ == "__main__":
    main()
