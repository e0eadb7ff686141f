"""Draw figures/gram.png, how feature maps become a Gram matrix: python figures/gram.py"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from stlib import VGG, gram_matrix, sample
from stlib.course.show import BLUE, LOOK, ORANGE, RED
from stlib.layers import layer_table

FILE = Path(__file__).with_name("gram.png")
PICTURE, SIZE, LAYER = "langlois-bridge", 192, "relu1_1"
CHANNELS = (25, 22, 32)  # two that see the sky and one that sees the grass
COLORS = (BLUE, RED, ORANGE)
GREY = "#555555"


def measure(net: VGG) -> tuple[torch.Tensor, torch.Tensor, tuple[int, int, int]]:
    """The three maps [3, H, W], their Gram matrix [3, 3] in thousands, and (N, H, W) of the layer for this picture."""
    picture = sample(PICTURE, SIZE)
    (shape,) = (
        layer.shape
        for layer in layer_table(net.depth, tuple(picture.shape[2:]))
        if layer.name == LAYER
    )
    maps = net.features(picture, [LAYER])[LAYER][0, list(CHANNELS)]
    return maps, gram_matrix(maps) / 1000, shape


def describe(G: torch.Tensor, shape: tuple[int, int, int]) -> str:
    """What the figure says, as the PNG carries it along."""
    rows = "; ".join(", ".join(f"{value:.1f}" for value in row) for row in G.tolist())
    N, H, W = shape
    return (
        f"{LAYER} of {PICTURE} at {SIZE} px: [{N}, {H}, {W}] to F [{N}, {H * W}] to G [{N}, {N}]; "
        f"G of channels {CHANNELS} in thousands: {rows}"
    )


def arrow(axes: Axes, x: float, top: float, bottom: float, text: str) -> None:
    axes.add_patch(
        FancyArrowPatch(
            (x, top),
            (x, bottom),
            arrowstyle="-|>",
            mutation_scale=26,
            color=GREY,
            linewidth=2.6,
            shrinkA=0,
            shrinkB=0,
        )
    )
    axes.text(x + 0.25, (top + bottom) / 2, text, ha="left", va="center", fontsize=16)


def label(place: int) -> dict:
    """The look of a channel's number: on the channel's colour."""
    color = "black" if COLORS[place] == ORANGE else "white"
    return {
        "fontsize": 18,
        "weight": "bold",
        "color": color,
        "bbox": {"facecolor": COLORS[place], "edgecolor": "none", "pad": 2},
    }


def draw(maps: torch.Tensor, G: torch.Tensor, shape: tuple[int, int, int]) -> Figure:
    """From the top down: the maps as a stack, the rows of F, the table G."""
    N, H, W = shape
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(figsize=(6.4, 9.6))
        figure.subplots_adjust(0, 0, 1, 1)
        axes.set(xlim=(0, 6.4), ylim=(0, 9.6), aspect="equal")
        axes.axis("off")
        axes.text(
            3.2,
            9.33,
            f"{LAYER}: [{N}, {H}, {W}]",
            ha="center",
            va="center",
            fontsize=19,
            weight="bold",
        )
        axes.text(
            3.2, 8.93, f"three of its {N} feature maps", ha="center", va="center", fontsize=16
        )
        width, height = 2.5, 2.5 * H / W
        for place in (2, 1, 0):  # from the back of the stack to its front
            left, bottom = 0.2 + 1.4 * place, 6.15 + 0.33 * place
            axes.imshow(
                maps[place].numpy(),
                extent=(left, left + width, bottom, bottom + height),
                zorder=3 - place,
                cmap="viridis",
            )
            axes.add_patch(
                plt.Rectangle(
                    (left, bottom),
                    width,
                    height,
                    fill=False,
                    edgecolor=COLORS[place],
                    linewidth=4,
                    zorder=3.5 - place,
                )
            )
            axes.text(
                left + width - 0.08,
                bottom + 0.08,
                f"{CHANNELS[place]}",
                ha="right",
                va="bottom",
                zorder=3.8 - place,
                **label(place),
            )
        arrow(axes, 1.0, 6.0, 5.35, "each map becomes one row")
        axes.text(
            3.2,
            5.08,
            f"$F$: [{N}, {H * W:,}]",
            ha="center",
            va="center",
            fontsize=19,
            weight="bold",
        )
        for place in range(3):
            bottom = 4.4 - 0.46 * place
            axes.imshow(
                maps[place].flatten()[None].numpy(),
                extent=(0.85, 6.2, bottom, bottom + 0.38),
                aspect="auto",
                cmap="viridis",
                interpolation="antialiased",
            )
            axes.text(
                0.72, bottom + 0.19, f"{CHANNELS[place]}", ha="right", va="center", **label(place)
            )
        arrow(axes, 1.0, 3.38, 2.85, "row times row, summed over positions")
        axes.text(
            0.2,
            1.9,
            f"$G = F F^\\top$\n[{N}, {N}]",
            ha="left",
            va="center",
            fontsize=19,
            weight="bold",
        )
        axes.text(0.2, 0.95, "these three,\nin thousands", ha="left", va="center", fontsize=16)
        side = 0.8
        left, bottom = 3.2, 0.08
        axes.imshow(
            G.numpy(),
            extent=(left, left + 3 * side, bottom, bottom + 3 * side),
            cmap="viridis",
            vmin=0,
        )
        for row in range(3):
            centre = bottom + (2.5 - row) * side
            axes.text(
                left - 0.12, centre, f"{CHANNELS[row]}", ha="right", va="center", **label(row)
            )
            axes.text(
                left + (row + 0.5) * side,
                bottom + 3 * side + 0.08,
                f"{CHANNELS[row]}",
                ha="center",
                va="bottom",
                **label(row),
            )
            for column in range(3):
                dark = G[row, column] < 0.6 * G.max()
                axes.text(
                    left + (column + 0.5) * side,
                    centre,
                    f"{G[row, column]:.1f}",
                    ha="center",
                    va="center",
                    fontsize=17,
                    color="white" if dark else "black",
                )
        axes.set(xlim=(0, 6.4), ylim=(0, 9.6), aspect="equal")
    return figure


def main() -> None:
    maps, G, shape = measure(VGG(device="cpu"))
    figure = draw(maps, G, shape)
    figure.savefig(FILE, dpi=110, metadata={"Description": describe(G, shape)})
    plt.close(figure)


if __name__ == "__main__":
    main()
