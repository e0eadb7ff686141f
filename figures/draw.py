"""Draw the diagrams of the course and the pictures of the README: python figures/draw.py"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from stlib import sample, style_transfer, to_pil
from stlib.settings import CONTENT_LAYERS, STYLE_LAYERS
from stlib.course.show import BLUE, LOOK, RED

FOLDER = Path(__file__).parent
GREY = "#555555"
DESCRIPTIONS = {  # what the figures say, as the PNGs carry it along
    "algorithm.png": "The content picture p, the style picture a and the generated picture x enter the same frozen VGG-19. The "
    "features F of x are compared with P of p, the Gram matrices G of x with A of a; the weighted sum is the "
    "total loss, whose gradient goes back through the network into the pixels of x.",
    "result.png": "A photo of a castle by a lake, Van Gogh's painting of a cafe at night, and the castle painted with the cafe's "
    "violet and golden strokes.",
}


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
    """A labelled box centred at (x, y); formulas with fractions need more spacing between their lines."""
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


def arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str = GREY, **look
) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=16,
            color=color,
            linewidth=1.8,
            shrinkA=0,
            shrinkB=0,
            **look,
        )
    )


def save(figure: Figure, name: str) -> None:
    figure.savefig(FOLDER / name, dpi=110, metadata={"Description": DESCRIPTIONS[name]})
    plt.close(figure)


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


def algorithm(content: torch.Tensor, style: torch.Tensor, generated: torch.Tensor) -> None:
    """figures/algorithm.png: what goes where in neural style transfer."""
    rows = {"p": 6.4, "x": 3.8, "a": 1.2}
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(figsize=(12, 7), layout="constrained")
        axes.set(xlim=(-0.45, 13.6), ylim=(-0.45, 7.5), aspect="equal")
        axes.axis("off")
        picture(axes, content, 1.3, rows["p"], 2.2, "content picture $p$")
        picture(axes, generated, 1.3, rows["x"], 2.2, "generated picture $x$")
        picture(
            axes, style[..., : style.shape[3] * 2 // 3, :], 1.3, rows["a"], 1.6, "style picture $a$"
        )
        axes.add_patch(
            FancyBboxPatch(
                (3.35, 0.2),
                1.7,
                7.2,
                boxstyle="round,pad=0,rounding_size=0.2",
                facecolor="#F2F2F2",
                edgecolor=GREY,
                linewidth=1.8,
            )
        )
        axes.text(4.2, 5.1, "VGG-19\nfrozen", ha="center", va="center", fontsize=12)
        for row in rows.values():
            arrow(axes, (2.5, row), (3.3, row))
            for end in (row + 0.7, row - 0.7) if row == rows["x"] else (row,):
                arrow(axes, (5.1, end), (5.75, end))
        content_layer, first, last = CONTENT_LAYERS[0], STYLE_LAYERS[0], STYLE_LAYERS[-1]
        box(axes, 7.0, rows["p"], 2.4, 1.2, f"$P$: {content_layer}\ncomputed once", BLUE)
        box(axes, 7.0, rows["x"] + 0.7, 2.4, 1.0, f"$F$: {content_layer}", BLUE)
        box(axes, 7.0, rows["x"] - 0.7, 2.4, 1.0, f"$G=FF^\\top$: {first}\n… {last}", RED, size=10)
        box(axes, 7.0, rows["a"], 2.4, 1.2, f"$A/M_a$: {first}\n… {last}, once", RED, size=10)
        box(
            axes,
            10.0,
            5.3,
            2.4,
            1.2,
            "content loss\n$\\dfrac{1}{2}\\,\\Sigma\\,(F-P)^2$",
            BLUE,
            spacing=2,
        )
        E_l = "$E_l=\\dfrac{1}{4N^2}\\,\\Sigma\\,(\\dfrac{G}{M}-\\dfrac{A}{M_a})^2$"
        box(
            axes,
            10.0,
            2.3,
            2.5,
            1.4,
            f"style loss $\\Sigma_l\\, w_l E_l$\n{E_l}",
            RED,
            size=10.5,
            spacing=2.2,
        )
        box(axes, 12.55, 3.8, 1.9, 1.3, "total loss\n$\\alpha L_c+\\beta L_s$", "black")
        arrow(axes, (8.25, rows["p"] - 0.1), (8.75, 5.6), BLUE)
        arrow(axes, (8.25, rows["x"] + 0.8), (8.75, 5.05), BLUE)
        arrow(axes, (8.25, rows["x"] - 0.8), (8.7, 2.55), RED)
        arrow(axes, (8.25, rows["a"] + 0.1), (8.7, 2.05), RED)
        arrow(axes, (11.25, 5.2), (12.2, 4.5), BLUE)
        arrow(axes, (11.3, 2.4), (12.2, 3.1), RED)
        below, left = -0.3, -0.25  # the way back goes around everything
        axes.plot(
            [12.55, 12.55, left, left],
            [3.1, below, below, rows["x"]],
            color="black",
            linewidth=1.8,
            linestyle="--",
        )
        arrow(axes, (left, rows["x"]), (0.15, rows["x"]), "black")
        way_back = "gradient $\\partial L_{total}/\\partial x$: back through the network, changes only the pixels of $x$"
        axes.text(8.4, below + 0.12, way_back, ha="center", va="bottom", fontsize=11)
        save(figure, "algorithm.png")


def result(content: torch.Tensor, style: torch.Tensor, generated: torch.Tensor) -> None:
    """figures/result.png: what the README shows."""
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(
            1,
            3,
            figsize=(11, 3.3),
            layout="constrained",
            width_ratios=[image.shape[3] / image.shape[2] for image in (content, style, generated)],
        )
        for place, image, caption in zip(
            axes,
            (content, style, generated),
            ("a photo", "a painting", "the photo, painted"),
            strict=True,
        ):
            place.imshow(to_pil(image))
            place.set_title(caption, fontsize=12)
            place.axis("off")
        save(figure, "result.png")


def main() -> None:
    content, style = sample("castle", 384), sample("cafe-terrace", 384)
    generated = style_transfer(content, style).image
    algorithm(content, style, generated)
    result(content, style, generated)


if __name__ == "__main__":
    main()
