"""Every plot of the course: each function shows one figure, with the caller's title.

A layer has the same colour in every chapter. The colours are those of M. Okabe & K. Ito (2008),
which colour-blind readers can tell apart; lines differ in their dashes, too.
"""

import io
import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stlib.arguments import check_some, check_weight, check_whole_number, checked
from stlib.errors import needs_extra
from stlib.images import to_pil
from stlib.layers import find_layer, layer_names

with needs_extra("stlib.show", "course"):
    import matplotlib.pyplot as plt
    from IPython.display import Image as NotebookImage
    from matplotlib.axes import Axes

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
TERM_LOOK = {"total": (BLACK, "-"), "content": (BLUE, "--"), "style": (RED, "-.")}
BLOCK_LOOK: dict[Any, Any] = {
    1: (ORANGE, "-"),
    2: (SKY, "--"),
    3: (GREEN, "-."),
    4: (BLUE, ":"),
    5: (PURPLE, (0, (3, 1, 1, 1, 1, 1))),
}

LOOK: dict[Any, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 2,
    "legend.frameon": False,
    "figure.dpi": 90,
}


@checked
def layer_look(layer: str) -> dict[str, Any]:
    """The colour and dashes of a layer's line, as arguments of `axes.plot`."""
    color, dashes = BLOCK_LOOK[find_layer(layer).block]
    return {"color": color, "linestyle": dashes}


@checked
def images(
    pictures: Mapping[str, Tensor] | Sequence,
    title: str = "",
    *,
    columns: int | None = None,
    height: float = 2.1,
) -> None:
    """Show pictures in a grid, each under its name.

    pictures: {caption: picture}, pairs (caption, picture) where a caption occurs twice, or a list
    of pictures alone; each [1, 3, H, W] in [0, 1]. columns: how many stand side by side; None puts
    all in one row. height: of one picture, in inches.
    """
    check_some("pictures", pictures)
    pairs = (
        list(pictures.items())
        if isinstance(pictures, Mapping)
        else [_captioned(picture) for picture in pictures]
    )
    _grid(
        [(caption, to_pil(picture)) for caption, picture in pairs],
        max(picture.shape[-1] / picture.shape[-2] for _, picture in pairs),
        title,
        columns,
        height,
    )


@checked
def losses(history: Sequence[Mapping[str, float]], alpha: float, beta: float, title: str) -> None:
    """Show how α L_content, β L_style and their sum fall, and beside them E_l of each style layer.

    history: of a Transfer. alpha, beta: the weights of that run, so that the terms can be compared
        with their sum.
    """
    check_some("history", history)
    evaluations = range(len(history))
    layers = [name for name in history[0] if name in layer_names()]
    with plt.rc_context(LOOK):
        figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
        for name, label, weight in (
            ("total", "L_total", 1),
            ("content", "α L_content", alpha),
            ("style", "β L_style", beta),
        ):
            color, dashes = TERM_LOOK[name]
            values = [
                weight * losses[name] or float("nan") for losses in history
            ]  # a logarithm has no place for 0
            left.plot(evaluations, values, color=color, linestyle=dashes, label=label)
        for layer in layers:
            right.plot(
                evaluations, [losses[layer] for losses in history], label=layer, **layer_look(layer)
            )
        _finish(left, "The terms of the total loss", "loss")
        _finish(right, "The style loss of each layer", "$E_l$")
        right.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        figure.suptitle(title, fontsize=11)
        plt.show()


@checked
def curves(
    series: Mapping[str, Sequence[float]],
    title: str,
    *,
    x: str = "evaluation",
    y: str = "total loss",
) -> None:
    """Show several series of numbers as curves over their index, on a logarithmic scale.

    What rises above one and a half times the highest start has diverged, and leaves the figure.
    """
    check_some("series", series)
    with plt.rc_context(LOOK):
        _, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
        for (label, values), look in zip(series.items(), _looks(series), strict=True):
            axes.plot(range(len(values)), values, label=label, **{**look, "marker": None})
        _finish(axes, title, y)
        axes.set(xlabel=x, ylim=(None, 1.5 * max(values[0] for values in series.values())))
        plt.show()


@checked
def lines(
    series: Mapping[str, tuple[Sequence[float] | Sequence[str], Sequence[float]]],
    title: str,
    *,
    x: str,
    y: str,
    logarithmic: str = "",
) -> None:
    """Show several curves with their points.

    series: {label: (values along x, values along y)}; a label that names a layer gets that layer's
    colour. x, y: what the axes show, with its unit. logarithmic: the axes with a logarithmic scale,
    "x", "y" or "xy".
    """
    check_some("series", series)
    with plt.rc_context(LOOK):
        _, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
        for (label, (across, up)), look in zip(series.items(), _looks(series), strict=True):
            axes.plot(across, up, label=label, **look)
        axes.set(title=title, xlabel=x, ylabel=y)
        _logarithmic(axes, logarithmic)
        if len(series) > 1:
            axes.legend()
        plt.show()


@checked
def bars(
    groups: Mapping[str, Mapping[str, float]], title: str, *, y: str, logarithmic: str = ""
) -> None:
    """Show numbers as bars, side by side under each name.

    groups: {label: {name: number}}, the same names under each label. y: what the bars show, with
        its unit.
    logarithmic: "y" for a logarithmic scale.
    """
    check_some("groups", groups)
    names = list(next(iter(groups.values())))
    width = 0.8 / len(groups)
    hatches = ("", "//", "..", "xx")
    with plt.rc_context(LOOK):
        _, axes = plt.subplots(
            figsize=(max(5, 0.8 * len(names) * len(groups) ** 0.5), 3.6), layout="constrained"
        )
        for number, ((label, values), color) in enumerate(
            zip(groups.items(), (BLUE, ORANGE, GREEN, PURPLE), strict=False)
        ):
            places = [
                place + width * (number - (len(groups) - 1) / 2) for place in range(len(names))
            ]
            axes.bar(
                places,
                [values[name] for name in names],
                width,
                label=label,
                color=color,
                hatch=hatches[number],
                edgecolor="white",
            )
        axes.set(title=title, ylabel=y)
        axes.set_xticks(range(len(names)), names)
        axes.grid(axis="x", visible=False)
        _logarithmic(axes, logarithmic)
        if len(groups) > 1:
            axes.legend()
        plt.show()


@checked
def maps(
    feature_maps: Mapping[str, Tensor],
    title: str = "",
    *,
    columns: int | None = None,
    height: float = 1.7,
) -> None:
    """Show feature maps in a grid, each under its name: bright where the feature is strong.

    feature_maps: {caption: [H, W]}. Values of one sign are drawn from dark to bright, each map with
    its own scale; a map with both signs from purple (negative) over white (0) to orange (positive).
    """
    check_some("feature_maps", feature_maps)
    _grid(
        [(caption, values.detach().cpu().numpy()) for caption, values in feature_maps.items()],
        max(values.shape[1] / values.shape[0] for values in feature_maps.values()),
        title,
        columns,
        height,
    )


@checked
def kernels(
    named: Mapping[str, Tensor], title: str = "", *, columns: int = 16, height: float = 2.1
) -> None:
    """Show colour kernels as small squares: grey is 0, brighter adds, darker takes away.

    named: {caption: [K, 3, k, k], RGB}. Each kernel has its own scale. columns: kernels that stand
        side by side in a set.
    """
    check_some("named", named)
    sheets = {}
    for caption, weights in named.items():
        weights = weights.detach().cpu()
        squares = 0.5 + 0.5 * weights / weights.abs().amax(dim=(1, 2, 3), keepdim=True)
        squares = torch.nn.functional.pad(
            squares.repeat_interleave(6, 2).repeat_interleave(6, 3), (2, 2, 2, 2), value=1.0
        )
        rows = [torch.cat(list(row), dim=2) for row in squares.split(columns)]
        rows[-1] = torch.nn.functional.pad(
            rows[-1], (0, rows[0].shape[2] - rows[-1].shape[2], 0, 0), value=1.0
        )
        sheets[caption] = torch.cat(rows, dim=1)[None]
    images(sheets, title, height=height)


@checked
def matrices(
    named: Mapping[str, Tensor],
    title: str,
    *,
    x: str = "",
    y: str = "",
    ticks: Sequence[str] = (),
    height: float = 3.0,
) -> None:
    """Show matrices as heat maps with colour bars; small ones with their numbers written in.

    named: {caption: [rows, columns]}. x, y: what columns and rows are. ticks: names of the rows,
    and of the columns of a square. Colours as in `maps`.
    """
    check_some("named", named)
    wide = max(matrix.shape[1] / matrix.shape[0] for matrix in named.values())
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(
            1,
            len(named),
            squeeze=False,
            layout="constrained",
            figsize=(len(named) * (height * min(max(wide, 0.8), 2.5) + 1.2), height + 0.8),
        )
        for place, (caption, matrix) in zip(axes.flat, named.items(), strict=True):
            values = matrix.detach().cpu().numpy()
            drawn = place.imshow(values, **_colours(values), aspect="auto")
            place.set(title=caption, xlabel=x, ylabel=y)
            place.grid(visible=False)
            for axis, count in ((place.xaxis, values.shape[1]), (place.yaxis, values.shape[0])):
                if count <= 8:
                    axis.set_ticks(range(count))
            if ticks:
                place.set_yticks(range(len(values)), ticks)
                if values.shape[0] == values.shape[1]:
                    place.set_xticks(range(len(values)), ticks, rotation=30, ha="right")
            if max(values.shape) <= 8:
                _write_numbers(place, values)
            figure.colorbar(drawn, ax=place)
        figure.suptitle(title, fontsize=11)
        plt.show()


@checked
def scores(tables: Mapping[str, Mapping[str, Mapping[str, float]]], title: str) -> None:
    """Show tables side by side, each number coloured by its ratio to that in the first row.

    tables: {caption: {row: {column: number}}}, the same rows in each. White is like the first row,
    orange larger and purple smaller; the full colour is reached at a factor of 8.
    """
    check_some("tables", tables)
    rows = list(next(iter(tables.values())))
    with plt.rc_context({**LOOK, "axes.grid": False}):
        figure, axes = plt.subplots(
            1,
            len(tables),
            squeeze=False,
            sharey=True,
            layout="constrained",
            figsize=(4.6 * len(tables) + 1.2, 0.27 * len(rows) + 1.1),
        )
        for place, (caption, table) in zip(axes.flat, tables.items(), strict=True):
            values = np.array([list(row.values()) for row in table.values()])
            ratios = np.log2(np.maximum(values, 1e-9) / np.maximum(values[0], 1e-9))
            place.imshow(ratios, cmap="PuOr_r", vmin=-3, vmax=3, aspect="auto")
            place.set(title=caption, yticks=range(len(rows)), yticklabels=rows)
            place.set_xticks(range(values.shape[1]), next(iter(table.values())), fontsize=9)
            for (row, column), value in np.ndenumerate(values):
                place.text(
                    column,
                    row,
                    f"{value:.2g}",
                    ha="center",
                    va="center",
                    fontsize=9,
                    color="white" if abs(ratios[row, column]) > 2 else "black",
                )
        figure.suptitle(title, fontsize=11)
        plt.show()


@checked
def film_strip(frames: Sequence[Tensor], every: int, title: str, *, most: int = 6) -> None:
    """Show how a picture came to be: frames, named by the evaluation at which they were kept.

    frames: of a Transfer with keep_every=`every`.
    """
    check_some("frames", frames)
    count = min(most, len(frames))
    chosen = sorted({round(i * (len(frames) - 1) / max(count - 1, 1)) for i in range(count)})
    images(
        {f"evaluation {number * every}": frames[number] for number in chosen},
        title,
        columns=min(3, count),
        height=1.4,
    )


@checked
def gif(frames: Sequence[Tensor], seconds: float = 3.0) -> NotebookImage:
    """The frames as an animation that plays again and again, and rests on the last frame."""
    check_some("frames", frames)
    check_weight("seconds", seconds)
    pictures = [to_pil(frame).quantize(64) for frame in frames]
    each = max(20, round(1000 * seconds / len(pictures)))
    data = io.BytesIO()
    pictures[0].save(
        data,
        format="GIF",
        save_all=True,
        append_images=pictures[1:],
        loop=0,
        duration=[each] * (len(pictures) - 1) + [1500],
    )
    return NotebookImage(data=data.getvalue(), format="gif")


def _captioned(picture: Any) -> tuple[str, Tensor]:
    """A picture with its caption, which may be none."""
    if isinstance(picture, Tensor):
        return "", picture
    if isinstance(picture, (tuple, list)) and len(picture) == 2:
        caption, shown_picture = picture
        return str(caption), shown_picture
    raise ValueError(
        f"pictures holds a {type(picture).__name__}: give tensors, or pairs of a caption and a "
        "tensor."
    )


def _grid(
    drawings: list[tuple[str, object]],
    widest: float,
    title: str,
    columns: int | None,
    height: float,
) -> None:
    """Pictures or arrays side by side, each `height` inches high under its caption."""
    if columns is not None:
        check_whole_number("columns", columns, 1)
    columns = columns or len(drawings)
    rows = -(-len(drawings) // columns)
    line = 0.3 if any(caption for caption, _ in drawings) else 0.1
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(
            rows,
            columns,
            squeeze=False,
            layout="constrained",
            figsize=(columns * height * widest + 0.2, rows * (height + line) + 0.4 * bool(title)),
        )
        for place in axes.flat:
            place.axis("off")
        for place, (caption, drawing) in zip(axes.flat, drawings, strict=False):
            place.imshow(drawing, **(_colours(drawing) if isinstance(drawing, np.ndarray) else {}))
            place.set_title(caption, fontsize=10)
        figure.suptitle(title, fontsize=11)
        plt.show()


def _finish(axes: Axes, title: str, y: str) -> None:
    axes.set(title=title, xlabel="evaluation", ylabel=f"{y} (logarithmic)", yscale="log")
    axes.legend()


def _logarithmic(axes: Axes, which: str) -> None:
    if "x" in which:
        axes.set_xscale("log")
    if "y" in which:
        axes.set_yscale("log")


def _looks(labels: Collection[str]) -> list[dict[str, Any]]:
    """Colours, dashes and markers: the layers' own where all labels are layers."""
    plain = [
        (BLUE, "-", "o"),
        (RED, "--", "s"),
        (GREEN, "-.", "^"),
        (ORANGE, ":", "D"),
        (BLACK, (0, (5, 1)), "v"),
        (PURPLE, (0, (3, 1, 1, 1)), "P"),
        (SKY, (0, (1, 2)), "X"),
    ]
    if all(label in layer_names() for label in labels):
        return [{**layer_look(label), "marker": "o", "markersize": 5} for label in labels]
    return [
        {"color": color, "linestyle": dashes, "marker": marker, "markersize": 5}
        for color, dashes, marker in itertools.islice(itertools.cycle(plain), len(labels))
    ]


def _colours(values: np.ndarray) -> dict[str, Any]:
    """A sequential scale for values of one sign, a diverging one, white at 0, for both."""
    low, high = float(values.min()), float(values.max())
    if low < 0 < high:
        return {
            "interpolation": "nearest",
            "cmap": "PuOr_r",
            "vmin": -max(-low, high),
            "vmax": max(-low, high),
        }
    return {"interpolation": "nearest", "cmap": "viridis"}


def _write_numbers(axes: Axes, values: np.ndarray) -> None:
    scale = _colours(values)
    low, high = scale.get("vmin", float(values.min())), scale.get("vmax", float(values.max()))
    for (row, column), value in np.ndenumerate(values):
        share = (value - low) / (high - low or 1)
        dark = abs(share - 0.5) > 0.3 if "vmin" in scale else share < 0.6
        axes.text(
            column,
            row,
            f"{value:.3g}",
            ha="center",
            va="center",
            fontsize=9,
            color="white" if dark else "black",
        )
