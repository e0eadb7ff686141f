"""Every plot of the course. Each function draws one figure and shows it; the title is the caller's finding.

A layer has the same colour in every chapter. The colours are those of M. Okabe & K. Ito (2008), which colour-blind
readers can tell apart; lines differ in their dashes, too.
"""

import io
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from IPython.display import Image as NotebookImage
from matplotlib.axes import Axes
from torch import Tensor

from stlib.images import to_pil

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
TERM_LOOK = {"total": (BLACK, "-"), "content": (BLUE, "--"), "style": (RED, "-.")}
BLOCK_LOOK = {"1": (ORANGE, "-"), "2": (SKY, "--"), "3": (GREEN, "-."), "4": (BLUE, ":"), "5": (PURPLE, (0, (3, 1, 1, 1, 1, 1)))}

LOOK = {"figure.facecolor": "white", "savefig.facecolor": "white", "font.size": 10, "axes.titlesize": 11, "axes.grid": True,
        "grid.color": "#DDDDDD", "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False,
        "lines.linewidth": 2, "legend.frameon": False, "figure.dpi": 90}


def layer_look(layer: str) -> dict:
    """The colour and dashes of a layer's line, by its block: `axes.plot(…, **layer_look("relu4_2"))`."""
    color, dashes = BLOCK_LOOK[next(letter for letter in layer if letter.isdigit())]
    return {"color": color, "linestyle": dashes}


def images(pictures: Mapping[str, Tensor] | Sequence[Tensor], title: str = "", *, columns: int | None = None,
           height: float = 2.1) -> None:
    """Show pictures in a grid, each under its name.

    pictures: {caption: picture} or a list of pictures, [1, 3, H, W] in [0, 1]. columns: how many stand side by side;
    None puts all in one row. height: of one picture, in inches.
    """
    named = dict(pictures) if isinstance(pictures, Mapping) else {str(number): p for number, p in enumerate(pictures, 1)}
    columns = columns or len(named)
    rows = -(-len(named) // columns)
    widest = max(picture.shape[-1] / picture.shape[-2] for picture in named.values())
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(rows, columns, squeeze=False, layout="constrained",
                                    figsize=(columns * height * widest + 0.2, rows * (height + 0.3) + 0.4 * bool(title)))
        for place in axes.flat:
            place.axis("off")
        for place, (caption, picture) in zip(axes.flat, named.items(), strict=False):
            place.imshow(to_pil(picture))
            if isinstance(pictures, Mapping):
                place.set_title(caption, fontsize=10)
        figure.suptitle(title, fontsize=11)
        plt.show()


def losses(history: Sequence[Mapping[str, float]], alpha: float, beta: float, title: str) -> None:
    """Show how α L_content, β L_style and their sum fall, and beside them E_l of each style layer.

    history: of a Transfer. alpha, beta: the weights of that run, so that the terms can be compared with their sum.
    """
    evaluations = range(len(history))
    layers = [name for name in history[0] if name.startswith(("relu", "conv", "pool"))]
    with plt.rc_context(LOOK):
        figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
        for name, label, weight in (("total", "L_total", 1), ("content", "α L_content", alpha), ("style", "β L_style", beta)):
            color, dashes = TERM_LOOK[name]
            values = [weight * losses[name] or float("nan") for losses in history]  # a logarithm has no place for 0
            left.plot(evaluations, values, color=color, linestyle=dashes, label=label)
        for layer in layers:
            right.plot(evaluations, [losses[layer] for losses in history], label=layer, **layer_look(layer))
        _finish(left, "The terms of the total loss", "loss")
        _finish(right, "The style loss of each layer", "$E_l$")
        right.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        figure.suptitle(title, fontsize=11)
        plt.show()


def curves(series: Mapping[str, Sequence[float]], title: str, *, x: str = "evaluation", y: str = "total loss") -> None:
    """Show several series of numbers as curves over their index, on a logarithmic scale.

    What rises above one and a half times the highest start has diverged, and leaves the figure.
    """
    looks = [(BLACK, "-"), (RED, "--"), (BLUE, "-."), (GREEN, ":"), (ORANGE, (0, (5, 1)))]
    with plt.rc_context(LOOK):
        _, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
        for (label, values), (color, dashes) in zip(series.items(), looks, strict=False):
            axes.plot(range(len(values)), values, color=color, linestyle=dashes, label=label)
        _finish(axes, title, y)
        axes.set(xlabel=x, ylim=(None, 1.5 * max(values[0] for values in series.values())))
        plt.show()


def film_strip(frames: Sequence[Tensor], every: int, title: str, *, most: int = 6) -> None:
    """Show how a picture came to be: up to `most` frames, named by the evaluation at which they were kept.

    frames: of a Transfer with keep_every=`every`.
    """
    count = min(most, len(frames))
    chosen = sorted({round(i * (len(frames) - 1) / max(count - 1, 1)) for i in range(count)})
    images({f"evaluation {number * every}": frames[number] for number in chosen}, title, columns=min(3, count), height=1.4)


def gif(frames: Sequence[Tensor], seconds: float = 3.0) -> NotebookImage:
    """The frames as an animation for a notebook, `seconds` long, that plays without end and rests on the last frame."""
    pictures = [to_pil(frame).quantize(64) for frame in frames]
    each = max(20, round(1000 * seconds / len(pictures)))
    data = io.BytesIO()
    pictures[0].save(data, format="GIF", save_all=True, append_images=pictures[1:], loop=0,
                     duration=[each] * (len(pictures) - 1) + [1500])
    return NotebookImage(data=data.getvalue(), format="gif")


def _finish(axes: Axes, title: str, y: str) -> None:
    axes.set(title=title, xlabel="evaluation", ylabel=f"{y} (logarithmic)", yscale="log")
    axes.legend()
