"""Draw figures/algorithm.png, what goes where in style transfer: python figures/algorithm.py"""

import matplotlib.pyplot as plt
import torch
from drawing import GREY, arrow, save
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from stlib import sample, style_transfer, to_pil
from stlib.course.show import BLUE, LOOK, RED, tr
from stlib.settings import CONTENT_LAYERS, STYLE_LAYERS

NAME = "algorithm.png"
DESCRIPTION = (  # what the figure says, as the PNG carries it along
    "The content picture p, the style picture a and the generated picture x enter the same frozen "
    "VGG-19. The features F of x are compared with P of p, the Gram matrices G of x with A of a; "
    "the weighted sum is the total loss, whose gradient goes back through the network into the "
    "pixels of x."
)
SIZE = 384  # of the pictures, in pixels
ROWS = {"p": 6.4, "x": 3.8, "a": 1.2}  # height at which a picture's way begins


def box(
    axes: Axes,
    x: float,
    y: float,
    width: float,
    height: float,
    text: str,
    color: str = GREY,
    size: float = 11,
    spacing: float = 1.35,
) -> None:
    """A labelled box centred at (x, y); lines with fractions need more spacing."""
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.12",
            facecolor="white",
            edgecolor=color,
            linewidth=1.8,
        )
    )
    axes.text(
        x, y, text, ha="center", va="center", fontsize=size, color="black", linespacing=spacing
    )


def picture(
    axes: Axes, image: torch.Tensor, x: float, y: float, width: float, caption: str
) -> None:
    height = width * image.shape[2] / image.shape[3]
    axes.imshow(
        to_pil(image),
        extent=(x - width / 2, x + width / 2, y - height / 2, y + height / 2),
        zorder=2,
    )
    axes.text(x, y - height / 2 - 0.12, caption, ha="center", va="top", fontsize=11)


def draw(content: torch.Tensor, style: torch.Tensor, generated: torch.Tensor) -> Figure:
    """What goes where in neural style transfer."""
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(figsize=(12, 7), layout="constrained")
        axes.set(xlim=(-0.45, 13.6), ylim=(-0.45, 7.5), aspect="equal")
        axes.axis("off")
        picture(axes, content, 1.3, ROWS["p"], 2.2, tr("content picture $p$"))
        picture(axes, generated, 1.3, ROWS["x"], 2.2, tr("generated picture $x$"))
        picture(axes, style, 1.3, ROWS["a"], 1.9, tr("style picture $a$"))
        network(axes)
        targets(axes)
        losses(axes)
        way_back(axes)
    return figure


def network(axes: Axes) -> None:
    """The one network that all three pictures enter."""
    frame = FancyBboxPatch(
        (3.35, 0.2),
        1.7,
        7.2,
        boxstyle="round,pad=0,rounding_size=0.2",
        facecolor="#F2F2F2",
        edgecolor=GREY,
        linewidth=1.8,
    )
    axes.add_patch(frame)
    axes.text(4.2, 5.1, tr("VGG-19\nfrozen"), ha="center", va="center", fontsize=12)
    for row in ROWS.values():
        arrow(axes, (2.5, row), (3.3, row))
        for end in (row + 0.7, row - 0.7) if row == ROWS["x"] else (row,):
            arrow(axes, (5.1, end), (5.75, end))


def targets(axes: Axes) -> None:
    """What the network says about each picture."""
    layer, first, last = CONTENT_LAYERS[0], STYLE_LAYERS[0], STYLE_LAYERS[-1]
    box(axes, 7.0, ROWS["p"], 2.4, 1.2, f"$P$: {layer}\n" + tr("computed once"), BLUE)
    box(axes, 7.0, ROWS["x"] + 0.7, 2.4, 1.0, f"$F$: {layer}", BLUE)
    box(axes, 7.0, ROWS["x"] - 0.7, 2.4, 1.0, f"$G=FF^\\top$: {first}\n… {last}", RED, size=10)
    of_style = tr("{layers}, once").format(layers=f"$A/M_a$: {first}\n… {last}")
    box(axes, 7.0, ROWS["a"], 2.4, 1.2, of_style, RED, size=10)


def losses(axes: Axes) -> None:
    """What is compared, and the sum of it."""
    L_content = tr("content loss") + "\n$\\dfrac{1}{2}\\,\\Sigma\\,(F-P)^2$"
    E_l = "$E_l=\\dfrac{1}{4N^2}\\,\\Sigma\\,(\\dfrac{G}{M}-\\dfrac{A}{M_a})^2$"
    L_style = tr("style loss") + f" $\\Sigma_l\\, w_l E_l$\n{E_l}"
    box(axes, 10.0, 5.3, 2.4, 1.2, L_content, BLUE, spacing=2)
    box(axes, 10.0, 2.3, 2.5, 1.4, L_style, RED, size=10.5, spacing=2.2)
    box(axes, 12.55, 3.8, 1.9, 1.3, tr("total loss") + "\n$\\alpha L_c+\\beta L_s$", "black")
    arrow(axes, (8.25, ROWS["p"] - 0.1), (8.75, 5.6), BLUE)
    arrow(axes, (8.25, ROWS["x"] + 0.8), (8.75, 5.05), BLUE)
    arrow(axes, (8.25, ROWS["x"] - 0.8), (8.7, 2.55), RED)
    arrow(axes, (8.25, ROWS["a"] + 0.1), (8.7, 2.05), RED)
    arrow(axes, (11.25, 5.2), (12.2, 4.5), BLUE)
    arrow(axes, (11.3, 2.4), (12.2, 3.1), RED)


def way_back(axes: Axes) -> None:
    """The gradient's way, around everything."""
    below, left = -0.3, -0.25
    across, up = [12.55, 12.55, left, left], [3.1, below, below, ROWS["x"]]
    axes.plot(across, up, color="black", linewidth=1.8, linestyle="--")
    arrow(axes, (left, ROWS["x"]), (0.15, ROWS["x"]), "black")
    words = tr("gradient {of_x}: back through the network, changes only the pixels of $x$").format(
        of_x="$\\partial L_{total}/\\partial x$"
    )
    axes.text(8.4, below + 0.12, words, ha="center", va="bottom", fontsize=11)


def main() -> None:
    content, style = sample("castle", SIZE), sample("langlois-bridge", SIZE)
    generated = style_transfer(content, style, solver="plain", steps=60).image
    save(draw(content, style, generated), NAME, DESCRIPTION)


if __name__ == "__main__":
    main()
