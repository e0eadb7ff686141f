"""Draw figures/gram.png, how feature maps become a Gram matrix: python figures/gram.py"""

import matplotlib.pyplot as plt
import torch
from drawing import arrow, save
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stlib import VGG, gram_matrix, sample
from stlib.course.show import BLUE, LOOK, ORANGE, RED, tr
from stlib.layers import layer_table

NAME = "gram.png"
PICTURE, SIZE, LAYER = "langlois-bridge", 192, "relu1_1"
CHANNELS = (25, 22, 32)  # two that see the sky and one that sees the grass
COLORS = (BLUE, RED, ORANGE)


def measure(net: VGG) -> tuple[torch.Tensor, torch.Tensor, tuple[int, int, int]]:
    """Three maps [3, H, W], their Gram matrix [3, 3] in thousands, and the layer's (N, H, W)."""
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


def down(axes: Axes, x: float, top: float, bottom: float, text: str) -> None:
    """A thick arrow downwards, with words beside it."""
    arrow(axes, (x, top), (x, bottom), head=26, width=2.6)
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
        axes.axis("off")
        title(axes, 3.2, 9.33, f"{LAYER}: [{N}, {H}, {W}]")
        subtitle = tr("three of its {N} feature maps").format(N=N)
        axes.text(3.2, 8.93, subtitle, ha="center", va="center", fontsize=16)
        stack(axes, maps)
        down(axes, 1.0, 6.0, 5.35, tr("each map becomes one row"))
        title(axes, 3.2, 5.08, f"$F$: [{N}, {H * W:,}]")
        rows(axes, maps)
        down(axes, 1.0, 3.38, 2.85, tr("row times row, summed over positions"))
        title(axes, 0.2, 1.9, f"$G = F F^\\top$\n[{N}, {N}]", ha="left")
        words = tr("these three,\nin thousands")
        axes.text(0.2, 0.95, words, ha="left", va="center", fontsize=16)
        table(axes, G)
        axes.set(xlim=(0, 6.4), ylim=(0, 9.6), aspect="equal")  # each picture changes them
    return figure


def title(axes: Axes, x: float, y: float, text: str, ha: str = "center") -> None:
    axes.text(x, y, text, ha=ha, va="center", fontsize=19, weight="bold")


def stack(axes: Axes, maps: torch.Tensor) -> None:
    """The maps one behind the other, each framed in the colour of its channel."""
    width, height = 2.5, 2.5 * maps.shape[1] / maps.shape[2]
    for place in (2, 1, 0):  # from the back of the stack to its front
        left, bottom = 0.2 + 1.4 * place, 6.15 + 0.33 * place
        extent = (left, left + width, bottom, bottom + height)
        axes.imshow(maps[place].numpy(), extent=extent, zorder=3 - place, cmap="gray")
        frame = {"fill": False, "edgecolor": COLORS[place], "linewidth": 4}
        axes.add_patch(plt.Rectangle((left, bottom), width, height, zorder=3.5 - place, **frame))
        corner = {"ha": "right", "va": "bottom", "zorder": 3.8 - place}
        number = f"{CHANNELS[place]}"
        axes.text(left + width - 0.08, bottom + 0.08, number, **corner, **label(place))


def rows(axes: Axes, maps: torch.Tensor) -> None:
    """Each map flattened to one row of F."""
    for place in range(3):
        bottom = 4.4 - 0.46 * place
        axes.imshow(
            maps[place].flatten()[None].numpy(),
            extent=(0.85, 6.2, bottom, bottom + 0.38),
            aspect="auto",
            cmap="gray",
            interpolation="antialiased",
        )
        number = f"{CHANNELS[place]}"
        axes.text(0.72, bottom + 0.19, number, ha="right", va="center", **label(place))


def table(axes: Axes, G: torch.Tensor) -> None:
    """The Gram matrix with its numbers."""
    side, left, bottom = 0.8, 3.2, 0.08
    top = bottom + 3 * side
    axes.imshow(
        G.numpy(),
        extent=(left, left + 3 * side, bottom, top),
        cmap="gray",
        vmin=0,
        vmax=1.25 * G.max(),
    )
    for row in range(3):
        centre = bottom + (2.5 - row) * side
        number = f"{CHANNELS[row]}"
        axes.text(left - 0.12, centre, number, ha="right", va="center", **label(row))
        across = left + (row + 0.5) * side
        axes.text(across, top + 0.08, number, ha="center", va="bottom", **label(row))
        for column in range(3):
            dark = G[row, column] < 0.6 * G.max()
            look = {"fontsize": 17, "color": "white" if dark else "black"}
            across = left + (column + 0.5) * side
            axes.text(across, centre, f"{G[row, column]:.1f}", ha="center", va="center", **look)


def main() -> None:
    maps, G, shape = measure(VGG(device="cpu"))
    save(draw(maps, G, shape), NAME, describe(G, shape))


if __name__ == "__main__":
    main()
