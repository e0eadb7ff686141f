"""Every plot of the course: each function shows one figure, with the caller's title.

A layer has the same colour in every chapter. The colours are those of M. Okabe & K. Ito (2008),
which colour-blind readers can tell apart; lines differ in their dashes, too.
"""

import io
import itertools
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stlib import _language
from stlib.arguments import (
    check_axes,
    check_picture,
    check_some,
    check_weight,
    check_whole_number,
    checked,
)
from stlib.errors import needs_extra
from stlib.images import to_pil
from stlib.layers import find_layer, layer_names

with needs_extra("stlib.show", "course"):
    import matplotlib.pyplot as plt
    from IPython.display import Image as NotebookImage
    from IPython.display import display
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.font_manager import findSystemFonts, fontManager, get_font_names
    from matplotlib.patches import Rectangle
    from matplotlib.text import Text
    from matplotlib.ticker import LogLocator, MaxNLocator

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

# of Linux, macOS and Windows; matplotlib's own has no Chinese letters
CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "PingFang SC",
    "Hiragino Sans GB",
    "STHeiti",
    "Heiti TC",
    "Arial Unicode MS",
    "Microsoft YaHei",
    "SimHei",
)
CHINESE = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
FILES = re.compile(
    r"CJK|SourceHan|NotoSansSC|wqy|DroidSansFallback|PingFang|Hiragino|Heiti|msyh|simhei", re.I
)


def _chinese_fonts() -> list[str]:
    """The fonts with Chinese letters that are installed, also since matplotlib made its list."""
    if _language.language() == "zh_CN" and not set(CHINESE_FONTS) & set(get_font_names()):
        for path in filter(FILES.search, findSystemFonts()):
            fontManager.addfont(path)
    return [name for name in CHINESE_FONTS if name in get_font_names()]


LETTERS = _chinese_fonts()
# what stands in a figure stays in English where no font has the letters
tr: Callable[[str], str] = _language.tr if LETTERS else str
# a text with a formula has all its letters from the first
FONTS = [*plt.rcParams["font.family"], *LETTERS]
if _language.language() == "zh_CN":
    FONTS = [*LETTERS, *plt.rcParams["font.family"]]

LOOK: dict[Any, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.family": FONTS,
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
SHARPNESS = 2.0  # dots of a plot for each pixel of the page
OF_PHOTOGRAPHS = 1.5
QUALITY = 70  # of JPEG, in which photographs take a tenth of PNG's place
COMPACT_QUALITY = 65


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
    quality: int = QUALITY,
    compact: bool = False,
) -> None:
    """Show pictures in a grid, each under its name.

    pictures: {caption: picture}, pairs (caption, picture) where a caption occurs twice, or a list
    of pictures alone; each [1, 3, H, W] in [0, 1]. columns: how many stand side by side; None puts
    all in one row. height: of one picture, in inches. quality: of JPEG; noise takes many bytes.
    compact: less sharp, for sheets of many small pictures, which would take much place.
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
        form="jpeg",
        quality=min(quality, COMPACT_QUALITY) if compact else quality,
        sharpness=1.0 if compact else OF_PHOTOGRAPHS,
    )


@checked
def pixel_for_pixel(pictures: Mapping[str, Tensor], title: str, *, quality: int = QUALITY) -> None:
    """Show pictures side by side with every pixel they have: opened alone, the figure is larger.

    pictures: {caption: picture}, each [1, 3, H, W] in [0, 1]. quality: of JPEG.
    """
    check_some("pictures", pictures)
    drawings = {caption: to_pil(picture) for caption, picture in pictures.items()}
    gap, head = 12, 72  # pixels
    width = sum(drawing.width + gap for drawing in drawings.values()) - gap
    height = max(drawing.height for drawing in drawings.values())
    with plt.rc_context(LOOK):
        dots = OF_PHOTOGRAPHS * plt.rcParams["figure.dpi"]
        figure = plt.figure(figsize=(width / dots, (height + head) / dots))
        left = 0
        for caption, drawing in drawings.items():
            figure.figimage(np.asarray(drawing), left, height - drawing.height)
            middle, above = left + drawing.width / 2, height + 10
            figure.text(middle / width, above / (height + head), caption, ha="center")
            left += drawing.width + gap
        figure.suptitle(title, fontsize=11, y=1 - 6 / (height + head), va="top")
        finish(figure, "jpeg", quality, OF_PHOTOGRAPHS)


@checked
def losses(history: Sequence[Mapping[str, float]], alpha: float, beta: float, title: str) -> None:
    """Show how α L_content, β L_style and their sum fall, and beside them E_l of each style layer.

    history: of a Transfer. alpha, beta: the weights of that run, so that the terms can be compared
        with their sum. A term below a thousandth of the highest sum leaves the figure.
    """
    check_some("history", history)
    evaluations = range(len(history))
    layers = [name for name in history[0] if name in layer_names()]
    with plt.rc_context(LOOK):
        figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
        for name, label, weight in (
            ("total", "$L_{total}$", 1),
            ("content", "$\\alpha\\, L_{content}$", alpha),
            ("style", "$\\beta\\, L_{style}$", beta),
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
        left.set_ylim(max(losses["total"] for losses in history) / 1000)
        _finish(left, tr("The terms of the total loss"), tr("loss"))
        _finish(right, tr("The style loss of each layer"), "$E_l$")
        right.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        figure.suptitle(title, fontsize=11)
        finish(figure)


@checked
def curves(
    series: Mapping[str, Sequence[float]],
    title: str,
    *,
    x: str = "",
    y: str = "",
    levels: Mapping[str, float] | None = None,
) -> None:
    """Show several series of numbers as curves over their index, on a logarithmic scale.

    x, y: what the axes show; "" is the evaluation, and the total loss. levels: {label: value} of
    dotted lines. Where the first series reaches one, coming from above, a dot with its index is
    drawn. What rises above one and a half times the highest start has diverged, and leaves the
    figure.
    """
    check_some("series", series)
    levels = levels or {}
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
        for (label, values), look in zip(series.items(), _looks(series), strict=True):
            axes.plot(range(len(values)), values, label=label, **{**look, "marker": None})
        _draw_levels(axes, levels)
        for level in levels.values():
            _mark_arrival(axes, next(iter(series.values())), level)
        _finish(axes, title, y or tr("total loss"), x)
        lowest = min([*levels.values(), *(value for values in series.values() for value in values)])
        axes.set(ylim=(0.9 * lowest, 1.5 * max(values[0] for values in series.values())))
        _plain_ticks(axes.yaxis)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        finish(figure)


def _plain_ticks(axis: Axis) -> None:
    """On a logarithmic axis of few decades: 0.2, 0.5, 1, 2 … instead of powers of ten."""
    low, high = axis.get_view_interval()
    if low > 0 and high / low < 300:
        axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7) if high / low < 20 else (1, 2, 5)))
        axis.set_major_formatter(lambda value, _: f"{value:,.10g}")
        axis.set_minor_formatter("")


@checked
def lines(
    series: Mapping[str, tuple[Sequence[float] | Sequence[str], Sequence]],
    title: str,
    *,
    x: str,
    y: str,
    logarithmic: str = "",
    levels: Mapping[str, float] | None = None,
) -> None:
    """Show several curves with their points.

    series: {label: (values along x, values along y)}. Where a value along y is a list of numbers,
    the curve goes through their mean, and a band reaches from the least to the greatest. A label
    that names a layer gets that layer's colour. x, y: what the axes show, with its unit. y begins
    at 0 unless a number is below it. logarithmic: the axes with a logarithmic scale, "x", "y" or
    "xy". levels: {label: value along y} of dotted lines to compare with, such as chance.
    """
    check_some("series", series)
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
        for (label, (across, up)), look in zip(series.items(), _looks(series), strict=True):
            spread = [np.atleast_1d(values) for values in up]
            axes.plot(across, [values.mean() for values in spread], label=label, **look)
            if any(len(values) > 1 for values in spread):
                least, most = zip(*((min(values), max(values)) for values in spread), strict=True)
                axes.fill_between(across, least, most, color=look["color"], alpha=0.2, linewidth=0)
        _draw_levels(axes, levels or {})
        axes.set(title=title, xlabel=x, ylabel=y)
        _logarithmic(axes, logarithmic)
        _from_zero(axes)
        if len(series) + len(levels or {}) > 1:
            axes.legend()
        finish(figure)


@checked
def dots(
    groups: Mapping[str, Mapping[str, Any]],
    title: str,
    *,
    x: str,
    logarithmic: bool = False,
    levels: Mapping[str, float] | None = None,
) -> None:
    """Show numbers as dots in rows, with their spread: the form for comparing what has no order.

    groups: {label: {row: number, or list of numbers}}. A list is drawn as small dots, and its mean
    as a large one. x: what the dots show, with its unit; it begins at 0 unless it is logarithmic.
    levels: {label: value} of dotted lines to compare with, such as chance.
    """
    check_some("groups", groups)
    rows = list(dict.fromkeys(row for values in groups.values() for row in values))
    with plt.rc_context({**LOOK, "lines.linestyle": ""}):
        height = 0.36 * len(rows) * max(1, 0.6 * len(groups)) + 1.2
        figure, axes = plt.subplots(figsize=(7, height), layout="constrained")
        for number, ((label, values), look) in enumerate(
            zip(groups.items(), _looks(groups), strict=True)
        ):
            off = 0.5 * ((number + 0.5) / len(groups) - 0.5)
            places = [rows.index(row) + off for row in values]
            spread = [np.atleast_1d(found) for found in values.values()]
            for place, found in zip(places, spread, strict=True):
                if len(found) > 1:
                    axes.plot(found, [place] * len(found), marker="|", color=look["color"],
                              markersize=9, alpha=0.6)  # fmt: skip
            means = [found.mean() for found in spread]
            axes.plot(means, places, label=label, marker=look["marker"], color=look["color"],
                      markersize=8)  # fmt: skip
        _draw_levels(axes, levels or {}, upright=True)
        axes.set(title=title, xlabel=x, ylim=(len(rows) - 0.5, -0.5))
        axes.set_yticks(range(len(rows)), rows)
        if logarithmic:
            _logarithmic(axes, "x")
        elif axes.get_xlim()[0] > 0:
            axes.set_xlim(left=0)
        if len(groups) + len(levels or {}) > 1:
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        finish(figure)


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
        figure, axes = plt.subplots(
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
        finish(figure)


@checked
def valley(
    loss: Callable[[Tensor], Tensor],
    path: Sequence[Sequence[float]],
    title: str,
    *,
    x: str = "$w_1$",
    y: str = "$w_2$",
) -> None:
    """Show a loss of two weights as contour lines, and a way down it as dots.

    loss: from w, [2, …], to its loss. path: the points (w_1, w_2) of the way, from its start.
    """
    check_some("path", path)
    points = np.array(path)
    far = np.abs(points).max() + 0.5
    side = torch.linspace(-float(far), float(far), 121)
    heights = loss(torch.stack(torch.meshgrid(side, side, indexing="xy"))).numpy()
    low, high = heights.min(), heights.max()
    levels = low + (high - low) * np.linspace(0, 1, 13)[1:] ** 2  # closer near the valley floor
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(figsize=(5.6, 5), layout="constrained")
        drawn = axes.contour(side, side, heights, levels, colors="#999999", linewidths=1)
        axes.clabel(drawn, fontsize=9, fmt="%.1f")
        axes.plot(*points.T, color=BLUE, marker="o", markersize=5)
        axes.plot(*points[0], color=RED, marker="s", markersize=8)
        axes.annotate(tr("start"), points[0], (8, 8), textcoords="offset points")
        axes.set(title=title, xlabel=x, ylabel=y, aspect="equal")
        finish(figure)


@checked
def paths(
    series: Mapping[str, Mapping[str, tuple[float, float]]],
    title: str,
    *,
    x: str,
    y: str,
    logarithmic: str = "",
) -> None:
    """Show ways through a plane of two numbers, such as a trade-off, with a name at each point.

    series: {label: {name of the point: (x, y)}}; "" for a point without a name. x, y, logarithmic:
    as for `lines`; ticks are written as plain numbers.
    """
    check_some("series", series)
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(figsize=(7, 4.6), layout="constrained")
        for (label, points), look in zip(series.items(), _looks(series), strict=True):
            axes.plot(*zip(*points.values(), strict=True), label=label, **look)
            for name, place in points.items():
                axes.annotate(
                    name, place, (7, 5), textcoords="offset points", color=look["color"], fontsize=9
                )
        axes.set(title=title, xlabel=x, ylabel=y)
        _logarithmic(axes, logarithmic)
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log":
                axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axis.set_major_formatter("{x:g}")
                axis.set_minor_formatter("")
        if not logarithmic:
            axes.set(xlim=(0, None), ylim=(0, None))
        axes.margins(x=0.12)
        if len(series) > 1:
            axes.legend()
        finish(figure)


@checked
def maps(
    feature_maps: Mapping[str, Tensor],
    title: str = "",
    *,
    columns: int | None = None,
    height: float = 1.7,
) -> None:
    """Show feature maps in a grid, each under its name: bright where the feature is strong.

    feature_maps: {caption: [H, W]}. Values of one sign are drawn in grey, black for 0, each map
    with its own scale; a map with both signs from purple (negative) over white (0) to orange
    (positive).
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
    _grid(  # flat squares: PNG is smaller than JPEG, and sharper
        [(caption, to_pil(sheet)) for caption, sheet in sheets.items()],
        max(sheet.shape[-1] / sheet.shape[-2] for sheet in sheets.values()),
        title,
        None,
        height,
    )


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
    """Show matrices as heat maps: small ones with their numbers written in, others with a bar.

    named: {caption: [rows, columns]}. x, y: what columns and rows are. ticks: names of the rows,
    and of the columns of a square. Colours as in `maps`.
    """
    check_some("named", named)
    wide = max(matrix.shape[1] / matrix.shape[0] for matrix in named.values())
    look: dict[Any, Any] = {**LOOK, "axes.spines.right": True, "axes.spines.top": True}
    with plt.rc_context(look):
        figure, axes = plt.subplots(
            1,
            len(named),
            squeeze=False,
            layout="constrained",
            figsize=(len(named) * (height * min(max(wide, 0.8), 2.5) + 1.2), height + 0.8),
        )
        for place, (caption, matrix) in zip(axes.flat, named.items(), strict=True):
            values = matrix.detach().cpu().numpy()
            square = "equal" if values.shape[1] < 4 * values.shape[0] else "auto"
            drawn = place.imshow(values, **_colours(values), aspect=square)
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
            else:
                figure.colorbar(drawn, ax=place)
        figure.suptitle(title, fontsize=11)
        finish(figure)


@checked
def film_strip(frames: Sequence[Tensor], every: int, title: str, *, most: int = 6) -> None:
    """Show how a picture came to be: frames, named by the evaluation at which they were kept.

    frames: of a Transfer with keep_every=`every`.
    """
    check_some("frames", frames)
    count = min(most, len(frames))
    chosen = sorted({round(i * (len(frames) - 1) / max(count - 1, 1)) for i in range(count)})
    images(
        {
            tr("evaluation {number}").format(number=number * every): frames[number]
            for number in chosen
        },
        title,
        columns=min(3, count),
        height=1.4,
    )


@checked
def gif(frames: Sequence[Tensor], seconds: float = 3.0, *, bar: bool = False) -> NotebookImage:
    """The frames as an animation that plays again and again, and rests on the last frame.

    bar: draw a bar at the foot of each frame, which grows from frame to frame.
    """
    check_some("frames", frames)
    check_weight("seconds", seconds)
    if bar:
        frames = [_with_bar(frame, i / (len(frames) - 1 or 1)) for i, frame in enumerate(frames)]
    pictures = _of_one_palette([to_pil(frame) for frame in frames])
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


def _of_one_palette(pictures: Sequence[Image.Image]) -> list[Image.Image]:
    """Pictures of 128 colours, the same for all: what does not change takes no place in a GIF."""
    sizes = {picture.size for picture in pictures}
    if len(sizes) > 1:
        raise ValueError(
            _language.tr("frames have the sizes {sizes}: give frames of one size.").format(
                sizes=sorted(sizes)
            )
        )
    width, height = pictures[0].size
    together = Image.new("RGB", (width, height * len(pictures)))
    for number, picture in enumerate(pictures):
        together.paste(picture, (0, height * number))
    # the octree keeps a colour that is rare, such as that of a thin line
    palette = together.quantize(128, method=Image.Quantize.FASTOCTREE)
    return [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]


def _with_bar(frame: Tensor, share: float) -> Tensor:
    """A picture with a black bar on white at its foot, as long as a share of its width."""
    frame = frame.clone()
    frame[..., -8:, :] = 1
    frame[..., -6:-2, : round(share * frame.shape[-1])] = 0
    return frame


@checked
def convolution_frames(x: Tensor, k: Tensor) -> list[Tensor]:
    """A kernel sliding over a small grey picture, one frame for each place, as `gif` takes them.

    x: picture, [rows, columns] in 0…1. k: kernel, smaller than x. Left the picture with the
    kernel's place, in the middle the products there, right the feature map so far.
    """
    check_axes("x", x, "[rows, columns]")
    check_axes("k", k, "[rows, columns]")
    (height, width), (rows, columns) = x.shape, k.shape
    y = torch.nn.functional.conv2d(x[None, None], k[None, None])[0, 0]
    so_far = torch.full_like(y, float("nan"))
    frames = []
    for i in range(height - rows + 1):
        for j in range(width - columns + 1):
            so_far[i, j] = y[i, j]
            patch = x[i : i + rows, j : j + columns]
            frames.append(_convolution_frame(x, k, patch, so_far, (i, j)))
    return frames


def _convolution_frame(
    x: Tensor, k: Tensor, patch: Tensor, so_far: Tensor, place: tuple[int, int]
) -> Tensor:
    """One picture, [1, 3, H, W], of the kernel at a place (row, column)."""
    framed: dict[Any, Any] = {
        "axes.grid": False,
        "axes.spines.right": True,
        "axes.spines.top": True,
    }
    with plt.rc_context({**LOOK, **framed, "font.size": 12}):
        figure = Figure(figsize=(10, 3), layout="constrained")
        panels = figure.subplots(
            1, 3, width_ratios=[matrix.shape[1] for matrix in (x, patch, so_far)]
        )
        products = patch * k
        terms = [
            [f"{pixel:g}·{weight:g}".replace("-", "−") for pixel, weight in zip(*rows, strict=True)]
            for rows in zip(patch.tolist(), k.tolist(), strict=True)
        ]
        numbers = [
            [[f"{value:g}" for value in row] for row in x.tolist()],
            terms,
            [["" if value != value else f"{value:g}" for value in row] for row in so_far.tolist()],
        ]
        titles = (
            tr("picture"),
            tr("nine products, sum {total:g}").format(total=products.sum()),
            tr("feature map"),
        )
        for axes, matrix, words, title in zip(
            panels, (x, patch, torch.ones_like(so_far)), numbers, titles, strict=True
        ):
            axes.imshow(matrix.numpy(), cmap="gray", vmin=-0.2, vmax=1)
            axes.set(title=title, xticks=[], yticks=[])
            for (row, column), value in np.ndenumerate(matrix.numpy()):
                color = "white" if value < 0.5 else "black"
                axes.text(column, row, words[row][column], ha="center", va="center", color=color)
        row, column = place
        corners = ((panels[0], k.shape), (panels[2], (1, 1)))
        for axes, (high, wide) in corners:
            axes.add_patch(
                Rectangle(
                    (column - 0.5, row - 0.5), wide, high, fill=False, edgecolor=RED, linewidth=4
                )
            )
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255


@checked
def square_frames(picture: Tensor, squares: Mapping[str, tuple[int, int, int]]) -> list[Tensor]:
    """Squares on a picture, one more in each frame, as `gif` takes them.

    picture: [1, 3, H, W] in 0…1. squares: {layer: (top, left, side)}, in pixels.
    """
    check_picture("picture", picture)
    check_some("squares", squares)
    frames = []
    with plt.rc_context(LOOK):
        figure = Figure(figsize=(3.6, 0.5 + 3.6 * picture.shape[2] / picture.shape[3]))
        figure.subplots_adjust(
            0, 0, 1, 3.6 * picture.shape[2] / picture.shape[3] / figure.get_figheight()
        )
        axes = figure.subplots()
        axes.axis("off")
        axes.imshow(picture[0].permute(1, 2, 0).numpy())
        canvas = FigureCanvasAgg(figure)
        for layer, (top, left, side) in squares.items():
            corner, color = (left - 0.5, top - 0.5), layer_look(layer)["color"]
            for edge, width in (("white", 4), (color, 2)):
                axes.add_patch(
                    Rectangle(corner, side, side, fill=False, edgecolor=edge, linewidth=width)
                )
            axes.set_title(tr("{layer}: {side} × {side} pixels").format(layer=layer, side=side))
            canvas.draw()
            pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
            frames.append(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255)
    return frames


@checked
def clouds(
    named: Mapping[str, Tensor],
    title: str = "",
    *,
    x: str,
    y: str,
    ellipse: bool = True,
    columns: int | None = None,
) -> None:
    """Show sets of points in a plane side by side, each with the ellipse of its second moments.

    named: {caption: [2, M]}, a point per column. x, y: what the two rows are. The ellipse is where
    vᵀ (G/M)⁻¹ v = 1, with G/M the mean of all products of the two rows: it shows how far the points
    reach in each direction, seen from 0. columns: how many stand side by side; None puts all in one
    row.
    """
    check_some("named", named)
    turn = torch.linspace(0, 2 * torch.pi, 121)
    circle = torch.stack([turn.cos(), turn.sin()])
    with plt.rc_context(LOOK):
        columns = columns or len(named)
        rows = -(-len(named) // columns)
        figure, panels = plt.subplots(
            rows, columns, sharex=True, sharey=True, squeeze=False, layout="compressed",
            figsize=(2.6 * columns + 0.4, 2.9 * rows + 0.4 * bool(title)),
        )  # fmt: skip
        for axes in panels.flat[len(named) :]:
            axes.set_visible(False)
        for axes, (caption, points) in zip(panels.flat, named.items(), strict=False):
            points = points.detach().cpu().float()
            axes.plot(*points.numpy(), ".", color=BLUE, markersize=3, alpha=0.4)
            if ellipse:
                strengths, directions = torch.linalg.eigh(points @ points.T / points.shape[1])
                reach = directions @ (strengths.clamp(min=0).sqrt()[:, None] * circle)
                axes.plot(*reach.numpy(), color=RED)
            axes.set(title=caption, xlabel=x, aspect="equal")
        for axes in panels[:, 0]:
            axes.set(ylabel=y)
        figure.suptitle(title, fontsize=11)
        finish(figure)


@checked
def cloud_frames(paths: Mapping[str, Sequence[Tensor]]) -> list[Tensor]:
    """Clouds on their way, side by side, one frame per step, as `gif` takes them.

    paths: {caption: [[2, M], …]}, as many steps for each.
    """
    check_some("paths", paths)
    frames = []
    every = torch.cat([step for path in paths.values() for step in path], dim=1)
    least, most = every.amin(dim=1) - 0.2, every.amax(dim=1) + 0.2
    with plt.rc_context(LOOK):
        figure = Figure(figsize=(1.7 * len(paths), 1.9))
        figure.subplots_adjust(0.01, 0.02, 0.99, 0.88, wspace=0.05)
        canvas = FigureCanvasAgg(figure)
        dots = []
        for axes, caption in zip(
            figure.subplots(1, len(paths), squeeze=False)[0], paths, strict=True
        ):
            axes.set(title=caption, aspect="equal", xticks=[], yticks=[])
            axes.set(xlim=(least[0], most[0]), ylim=(least[1], most[1]))
            dots += axes.plot([], [], ".", color=BLUE, markersize=2, alpha=0.5)
        _number_what_has_no_letters(figure)
        for steps in zip(*paths.values(), strict=True):
            for line, points in zip(dots, steps, strict=True):
                line.set_data(*points.detach().cpu().numpy())
            canvas.draw()
            pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
            frames.append(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255)
    return frames


@checked
def finish(
    figure: Figure, form: str = "png", quality: int = QUALITY, sharpness: float = SHARPNESS
) -> None:
    """Show a figure in the notebook, as a rule twice as sharp as its size on the page.

    figure: its title becomes the alternative text. form: "png", or "jpeg" for photographs.
    quality: of JPEG. sharpness: dots for each pixel of the page. Outside of a notebook it opens as
    any other figure does.
    """
    titles = [figure.get_suptitle(), *(axes.get_title() for axes in figure.axes)]
    _number_what_has_no_letters(figure)
    if "inline" not in plt.get_backend():
        plt.show()
        return
    data = io.BytesIO()
    options: dict[str, Any] = {"pil_kwargs": {"quality": quality}} if form == "jpeg" else {}
    figure.savefig(data, format=form, dpi=sharpness * figure.dpi, **options)
    plt.close(figure)
    width = round(figure.get_figwidth() * figure.dpi)
    alt = ". ".join(title for title in titles if title)
    display(NotebookImage(data.getvalue(), format=form, width=width, alt=alt))


def _number_what_has_no_letters(figure: Figure) -> None:
    """Put numbers in the place of Chinese words where no font can draw them, and say what they are.

    figure: with all its words; boxes would be drawn otherwise.
    """
    if LETTERS:
        return
    words: dict[str, str] = {}

    def number(text: str) -> str:
        return words.setdefault(text, f"[{len(words) + 1}]") if CHINESE.search(text) else text

    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        labels = [label.get_text() for label in axis.get_ticklabels()]
        if any(map(CHINESE.search, labels)):
            axis.set_ticks(axis.get_ticklocs(), list(map(number, labels)))
    for text in figure.findobj(Text):
        text.set_text(number(text.get_text()))
    if words:
        told = _language.tr("No font here has Chinese letters; in the figure, {words}.")
        listed = _language.tr(", ").join(f"{short} = {text}" for text, short in words.items())
        print(told.format(words=listed))


def _captioned(picture: Any) -> tuple[str, Tensor]:
    """A picture with its caption, which may be none."""
    if isinstance(picture, Tensor):
        return "", picture
    if isinstance(picture, (tuple, list)) and len(picture) == 2:
        caption, shown_picture = picture
        return str(caption), shown_picture
    raise ValueError(
        _language.tr(
            "pictures holds a {type}: give tensors, or pairs of a caption and a tensor."
        ).format(type=type(picture).__name__)
    )


def _grid(
    drawings: list[tuple[str, object]],
    widest: float,
    title: str,
    columns: int | None,
    height: float,
    form: str = "png",
    quality: int = QUALITY,
    sharpness: float = SHARPNESS,
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
            place.set_anchor("N")  # where the layout looks for the caption
        for place, (caption, drawing) in zip(axes.flat, drawings, strict=False):
            place.imshow(drawing, **(_colours(drawing) if isinstance(drawing, np.ndarray) else {}))
            place.set_title(caption, fontsize=10)
        figure.suptitle(title, fontsize=11)
        finish(figure, form, quality, sharpness)


def _finish(axes: Axes, title: str, y: str, x: str = "") -> None:
    axes.set(
        title=title,
        xlabel=x or tr("evaluation"),
        ylabel=tr("{y} (logarithmic)").format(y=y),
    )
    _logarithmic(axes, "y")
    axes.legend()


def _logarithmic(axes: Axes, which: str) -> None:
    """Make axes logarithmic, with plain numbers where few decades are seen."""
    for name in which:
        axes.set(**{f"{name}scale": "log"})
        getattr(axes, f"get_{name}lim")()  # fits the limits to what is drawn
        _plain_ticks(getattr(axes, f"{name}axis"))


def _from_zero(axes: Axes) -> None:
    """Let y begin at 0, unless something is below it."""
    if axes.get_yscale() == "linear" and axes.get_ylim()[0] > 0:
        axes.set_ylim(bottom=0)


def _draw_levels(axes: Axes, levels: Mapping[str, float], *, upright: bool = False) -> None:
    """Dotted lines to compare with, each with its own dots."""
    draw = axes.axvline if upright else axes.axhline
    for (label, value), dots in zip(levels.items(), itertools.cycle([1, 3, 6]), strict=False):
        draw(value, color=BLACK, linewidth=1.2, linestyle=(0, (1, dots)), label=label)


def _mark_arrival(axes: Axes, values: Sequence[float], level: float) -> None:
    """A dot, with its index, where the values are at the level or below it for the first time."""
    index = next((i for i, value in enumerate(values) if value <= level), None)
    if index is not None:
        axes.plot(index, values[index], "o", color=BLACK, markersize=8)
        axes.annotate(str(index), (index, values[index]), (8, 6), textcoords="offset points")


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
    """Grey, black at 0, for values of one sign; for both a diverging scale, white at 0."""
    low, high = float(values.min()), float(values.max())
    if low < 0 < high:
        return {
            "interpolation": "nearest",
            "cmap": "PuOr_r",
            "vmin": -max(-low, high),
            "vmax": max(-low, high),
        }
    if low < 0:
        return {"interpolation": "nearest", "cmap": "gray_r", "vmin": low, "vmax": 0}
    return {"interpolation": "nearest", "cmap": "gray", "vmin": 0, "vmax": high or 1}


def _write_numbers(axes: Axes, values: np.ndarray) -> None:
    scale = _colours(values)
    low, high = scale.get("vmin", float(values.min())), scale.get("vmax", float(values.max()))
    for (row, column), value in np.ndenumerate(values):
        share = (value - low) / (high - low or 1)
        if scale["cmap"] == "PuOr_r":
            dark = abs(share - 0.5) > 0.3
        else:
            dark = share < 0.45 if scale["cmap"] == "gray" else share > 0.55
        axes.text(
            column,
            row,
            f"{value:.3g}",
            ha="center",
            va="center",
            fontsize=9,
            color="white" if dark else "black",
        )
