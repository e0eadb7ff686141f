"""RESULTS.md from the measurements alone: every number and every verdict is computed from results.json."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median

import ratios
from measure import AT_ONCE
from ratios import NAMES, Spread

TIME_TARGETS = 0.55, 0.45  # of the plain solver's time, at the smaller and the larger size
LONG_RUN = 10  # seconds; before a shorter one nobody needs to be told how long it takes
SHOWN = 25, 50, 100, 150, 200  # evaluations
ALMOST = 0.9  # of what there is; who needs more of it has hardly any to spare


@dataclass(frozen=True)
class Claim:
    """A line of the first table: the figure must be at most, or at least, its target."""

    what: str
    figure: str
    value: float
    target: float
    at_most: bool = True

    @property
    def met(self) -> bool:
        return self.value <= self.target if self.at_most else self.value >= self.target

    @property
    def row(self) -> list[str]:
        return [
            self.what,
            self.figure,
            f"{'≤' if self.at_most else '≥'} {self.target:g}",
            "yes" if self.met else "**no**",
        ]


def text(results: dict) -> str:
    """The whole of RESULTS.md, for the parts that have been measured."""
    parts = [part for part in SECTIONS if part in results]
    claims = [claim for part in parts for claim in CLAIMS[part](results[part])]
    return (
        "\n\n".join(
            [
                "# How fast, how small",
                "Made by `make benchmark` from `results.json`: every number on this page is computed from it.",
                machines({part: results[part]["machine"] for part in parts}),
                table(["claim", "figure", "target", "met?"], [claim.row for claim in claims]),
                "In brackets, the lowest and the highest of the rounds in which all that is compared took its turn, one after the other.",
                *(
                    [
                        "![Bars of the seconds an evaluation and of the memory of a run, and how both grow with the picture](overview.png)"
                    ]
                    if {"evaluation", "memory", "growth"} <= set(parts)
                    else []
                ),
                *(SECTIONS[part](results[part]) for part in parts),
                *(
                    [limit(results["time"], results["foreknown"])]
                    if {"time", "foreknown"} <= set(parts)
                    else []
                ),
            ]
        )
        + "\n"
    )


def machines(of: dict[str, dict]) -> str:
    """What the parts were measured on, and which of them where, if not all on the same."""
    numbers = {part: str(number) for number, part in enumerate(SECTIONS, 1)}
    groups = {}
    for part, m in of.items():
        groups.setdefault(machine(m), []).append(numbers[part])
    if len(groups) == 1:
        return f"Measured on {next(iter(groups))}."
    return (
        " ".join(
            f"Part{'s' if len(group) > 1 else ''} {_and(group)}: {name}."
            for name, group in groups.items()
        )
        + " Each part compares only what it has measured itself."
    )


def machine(m: dict) -> str:
    return (
        f"{m['processor']} ({m['instructions']}), {m['cores']} cores, {m['threads']} threads, {m['memory_gb']} GB of memory, "
        f"{m['system']}, Python {m['python']}, PyTorch {m['torch']}, on the processor alone, ours in {m['pages']} pages "
        "of memory"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first column is text and whose others are figures."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def evaluation_claims(part: dict) -> list[Claim]:
    large = part["sizes"][-1]
    against = {
        size: ratios.seconds_against(part, "pastiche", size).inverse() for size in part["sizes"]
    }
    share = ratios.share_of_gemm(part, "ours", large)
    return [
        *(
            Claim(
                f"seconds an evaluation, over pastiche's, {size} px", str(ratio), ratio.median, 0.75
            )
            for size, ratio in against.items()
        ),
        Claim(
            f"share of the rate of matrix products (GEMM), {large} px",
            str(share),
            share.median,
            0.85,
            at_most=False,
        ),
    ]


def evaluation_section(part: dict) -> str:
    rounds, sizes, (content, style) = part["rounds"], part["sizes"], part["pair"]
    rows = []
    for recipe in ratios.recipes(part):
        rows.append([NAMES[recipe]])
        for size in sizes:
            rows[-1] += [
                f"{median(r[recipe][str(size)]['seconds'] for r in rounds):.3f}",
                "1" if recipe == "ours" else str(ratios.seconds_against(part, recipe, size)),
                f"{ratios.share_of_gemm(part, recipe, size).median:.2f}",
            ]
        once = rounds[0][recipe][str(sizes[-1])]
        rows[-1].append(f"{once['work'] / once['pixels'] / 1e6:.2f}")
    columns = [f"{what}, {size} px" for size in sizes for what in ("seconds", "× ours", "of GEMM")]
    rate = Spread(tuple(r["gemm"] / 1e9 for r in rounds))
    of_pastiche, of_usual = (
        ratios.seconds_against(part, recipe, sizes[-1]).inverse()
        for recipe in ("pastiche", "usual")
    )
    return "\n\n".join(
        [
            "## 1. Seconds an evaluation",
            table(["recipe", *columns, "MFLOP a pixel"], rows),
            f"An evaluation is the loss and its gradient with respect to the picture, without a solver; the pictures are {content} "
            f"× {style}. Ours takes {of_pastiche.median:.2f} of pastiche's time at {sizes[-1]} px, and {of_usual.median:.2f} of "
            "that of the same layers and losses written the usual way.",
            f"The fastest square float32 matrix products reach {rate.median:.0f} GFLOP a second in the same rounds "
            f"({min(rate.values):.0f}–{max(rate.values):.0f}). *Of GEMM* is the useful work over the seconds and over that rate. "
            "Useful work is two operations for each multiplication of direct convolutions, forward and again for the gradient, as "
            "far as the losses need the network. A convolution that multiplies less than a direct one (Winograd's) can pass 1.",
            "The tutorial's losses end at the fifth convolution, so it has less to do. Gatys' notebook runs the network to its "
            "end. The Keras example sends content, style and generated picture through the network each time.",
            "Where the system has pages of 2 MB, stlib asks PyTorch to take memory in those: what is taken anew for each "
            "evaluation has to be cleared page by page (`stlib._kernels.memory`). *In small pages* is ours without that; the others take memory "
            "as PyTorch does unless asked.",
        ]
    )


def time_claims(part: dict) -> list[Claim]:
    claims = []
    for size, target in zip(
        sorted({pair["size"] for pair in part["pairs"]}), TIME_TARGETS, strict=False
    ):
        for evaluations, whose in (
            ("usual", "run the usual way"),
            ("plain", "with our own evaluations"),
        ):
            found = [
                ratios.time_ratio(pair, evaluations)
                for pair in part["pairs"]
                if pair["size"] == size
            ]
            claims.append(
                Claim(
                    f"time to the loss of {ratios.evaluations_of(part)} evaluations of plain L-BFGS, over its time "
                    f"{whose}, {size} px, {len(found)} pair{'s' if len(found) > 1 else ''}",
                    "; ".join(str(ratio or "not reached") for ratio in found),
                    max(ratio.median if ratio else float("inf") for ratio in found),
                    target,
                )
            )
    return claims


def time_section(part: dict) -> str:
    rows = []
    for pair in part["pairs"]:
        plain, fast, ratio = pair["runs"]["plain"], pair["runs"]["fast"], ratios.time_ratio(pair)
        rows.append(
            [
                f"{pair['content']} × {pair['style']}, {pair['size']} px",
                f"{pair['target']:.3g}",
                f"{ratios.clock(pair, 'plain')[ratios.arrival(plain, pair['target'])]:.1f} s",
                outcome(pair, "fast"),
                " + ".join(str(stage["evaluations"]) for stage in fast["stages"].values()),
                str(ratios.time_ratio(pair, "usual") or "–"),
                str(ratio or "–"),
                *(outcome(pair, method) for method in part["rates"]),
            ]
        )
    tried = "; ".join(
        f"{NAMES[method]}: {rates['best']:g}, of {', '.join(f'{float(rate):g}' for rate in rates['tried'])}"
        for method, rates in part["rates"].items()
    )
    head = [
        "pair",
        "target",
        "plain L-BFGS",
        "ours, fast",
        "its evaluations, small to full size",
        "ratio, usual way",
        "ratio, our evaluations",
        *(NAMES[method] for method in part["rates"]),
    ]
    apart = ratios.agreement(part)
    same = "to the last digit stored" if apart == 0 else f"within {apart:.0e} of their value"
    return "\n\n".join(
        [
            "## 2. Time to the same loss",
            "![Loss against seconds of the fast solver, plain L-BFGS, Adam and SGD: a row a size, a column a pair](time_to_loss.png)",
            table(head, rows),
            "All minimise this course's L_total with its default α and β, from the content picture, with the same network. The "
            f"target is the loss that {ratios.evaluations_of(part)} evaluations of plain L-BFGS (pixels, strong Wolfe, history "
            "100) reach. The clock of ours counts its smaller pictures and all that lies between the stages.",
            f"A run goes the same way each time (short slices repeat its losses {same}), so it is made once, and what varies is "
            "the seconds, which the slices of both solvers measure in turn. A *ratio* is evaluations × seconds of a slice, plus "
            "set-up, ours over plain; the slices are too short to fill the plain solver's history, which is in its favour. *Usual "
            "way*: plain L-BFGS with the evaluations of part 1's second row, as one writes them with PyTorch. *Our evaluations*: "
            "plain L-BFGS with stlib's own fast ones, so that only the solvers differ. All seconds in table and figure are "
            "at the median pace of the slices, so that what else the machine did during a long run does not count.",
            f"Rates, the best of those tried on the first pair at the smaller size ({tried}). Adam's are shares of a pixel's "
            "range; SGD's are multiples of a rate with which its first step is as long as the Keras example's first step down its "
            "own loss. A multiple of the target, as in *1.20 × after 150*, says where a run ended that did not reach it; – was not "
            "run.",
            *(
                [
                    f"The runs, and so the evaluations that are counted, are from another time: {machine(part['runs_on'])}."
                ]
                if part.get("runs_on", part["machine"]) != part["machine"]
                else []
            ),
            *allowances(part),
            *(luck(part, size) for size in part.get("luck", {})),
        ]
    )


def allowances(part: dict) -> list[str]:
    """What the time that a target leaves is enough for, in words, for the pairs that miss it."""
    found = []
    for size, target in zip(
        sorted({pair["size"] for pair in part["pairs"]}), TIME_TARGETS, strict=False
    ):
        for pair in (pair for pair in part["pairs"] if pair["size"] == size):
            ratio = ratios.time_ratio(pair, "usual")
            if ratio is None or ratio.median > target:
                number, loss = ratios.allowance(pair, target)
                smaller = " + ".join(
                    str(stage["evaluations"])
                    for stage in list(pair["runs"]["fast"]["stages"].values())[:-1]
                )
                found.append(
                    f"{pair['content']} × {pair['style']}, {size} px: {target:g} of the usual way's time is enough for "
                    f"{smaller} + {number} evaluations, and there the loss is {loss:.3f} × the target"
                )
    return [f"*What is missing.* {'; '.join(found)}."] if found else []


def luck(part: dict, size: str) -> str:
    """How much of a target is chance, in words."""
    pair = next(pair for pair in part["pairs"] if str(pair["size"]) == size)
    ends = [end / pair["target"] for end in part["luck"][size]]
    last = pair["runs"]["plain"]["losses"]
    passed = (
        ratios.arrival(pair["runs"]["plain"], max(max(ends), 2 - min(ends)) * pair["target"]) + 1
    )
    return (
        f"*Luck, {size} px.* A target is one draw. From starts that differ by a millionth of a pixel's range, plain L-BFGS "
        f"on {pair['content']} × {pair['style']} ends at "
        f"{' and '.join(f'{end:.3f}' for end in ends)} × the target. Its own run "
        f"passes as much above the target after {passed} of its {len(last)} evaluations, so a ratio of this table is known "
        "no better than that."
    )


def outcome(pair: dict, method: str) -> str:
    """Where a run ended: its seconds at the target, or how far above it after how many evaluations."""
    run = pair["runs"].get(method)
    if run is None:
        return "–"
    if run["diverged"]:
        return f"diverged after {len(run['losses'])}"
    if run["reached"]:
        return f"{ratios.clock(pair, method)[-1]:.1f} s"
    return f"{min(run['losses']) / pair['target']:.2f} × after {len(run['losses'])}"


def memory_claims(part: dict) -> list[Claim]:
    ratio = ratios.above_torch(part, "fast") / ratios.above_torch(part, "usual")
    return [
        Claim(
            f"peak memory of a run, over that of our layers the usual way, {part['size']} px",
            f"{ratio:.2f}",
            ratio,
            0.5,
        )
    ]


def memory_section(part: dict) -> str:
    fast = ratios.above_torch(part, "fast")
    rows = [
        [
            ratios.RUN_NAMES[run],
            f"{ratios.above_torch(part, run):.0f} MB",
            f"{ratios.above_torch(part, run) / fast:.2f}",
            str(measured["evaluations"]),
            "–" if measured["remembered"] is None else str(measured["remembered"]),
        ]
        for run, measured in part["runs"].items()
    ]
    return "\n\n".join(
        [
            "## 3. Peak memory of a whole run",
            table(
                [
                    "run",
                    "above `import torch`",
                    "× ours, fast",
                    "evaluations at full size",
                    "steps remembered",
                ],
                rows,
            ),
            f"A picture of {part['size']} × {part['size']} pixels, a fresh process each. `import torch` alone takes "
            f"{part['torch'] / 1e6:.0f} MB, which are taken off. An L-BFGS with PyTorch's default history keeps two more pictures "
            "for each of its last 100 steps, so its run has to be long enough to fill it; ours remembers few steps and is soon "
            "at its peak.",
            *([free_memory(part)] if "free_memory" in part else []),
        ]
    )


def free_memory(part: dict) -> str:
    """What of a peak is memory that is free, in words."""
    (variable, value), rounds = next(iter(AT_ONCE.items())), part["free_memory"]
    least = median(r["at_once"]["peak"] for r in rounds) - part["torch"]
    longer = Spread(tuple(r["at_once"]["seconds"] / r["kept"]["seconds"] for r in rounds))
    return (
        f"A part of a peak is memory that is free: the system's library keeps it for later, in pieces that do not fit what "
        f"comes next. Ours asks for it back before the gradients of a large pooling (`stlib._kernels.memory`). "
        f"With `{variable}={value}` (Linux) the library gives larger pieces back at once. Then ours takes "
        f"{least / 1e6:.0f} MB, {least / 1e6 / ratios.above_torch(part, 'usual'):.2f} of the usual way, and {longer} "
        "times as long."
    )


def growth_claims(part: dict) -> list[Claim]:
    sizes, ratio = list(ratios.per_pixel(part))[1:], ratios.pace_ratio(part)
    claims = [
        Claim(
            f"seconds a pixel, slowest size over fastest, {sizes[0]} to {sizes[-1]} px",
            str(ratio),
            ratio.median,
            1.2,
        )
    ]
    for size, target in zip(list(part["runs"])[-2:], (3, 8), strict=True):
        peak = part["runs"][size]["peak"] / 1e9
        claims.append(
            Claim(
                f"peak memory of the whole process, GB, {size} × {size} px",
                f"{peak:.2f}",
                peak,
                target,
            )
        )
    for what, name in (("peak", "memory"), ("seconds", "time")):
        found = ratios.foreseen(part, what)
        sizes = [
            size
            for size, run in part["runs"].items()
            if what == "peak" or run["seconds"] >= LONG_RUN
        ]
        values = [found[int(size)] for size in sizes]
        if values:
            off = max(abs(value - 1) for value in values)
            claims.append(
                Claim(
                    f"{name} as estimated before a run, over what it took, {sizes[0]} to {sizes[-1]} px, off by",
                    f"{off:.2f} ({min(values):.2f}–{max(values):.2f})",
                    off,
                    0.25,
                )
            )
    return claims


def growth_section(part: dict) -> str:
    pace, (variable, value) = ratios.per_pixel(part), next(iter(AT_ONCE.items()))
    rows = []
    for size, run in part["runs"].items():
        timed, at_once = int(size) in pace, part["at_once"].get(size)
        rows.append(
            [
                f"{size} × {size}",
                str(pace[int(size)]) if timed else "–",
                f"{median(r[size]['seconds'] for r in part['rounds']):.3f}" if timed else "–",
                f"{(run['peak'] - part['torch']) / 1e6:.0f} MB",
                f"{run['peak'] / 1e6:.0f} MB",
                f"{run['foreseen']['peak'] / 1e6:.0f} MB",
                f"{run['seconds']:.0f} s",
                f"{run['foreseen']['seconds']:.0f} s",
                f"{at_once['peak'] / 1e6:.0f} MB, {at_once['seconds']:.0f} s" if at_once else "–",
            ]
        )
    peaks = {int(size): run["peak"] for size, run in part["runs"].items()}
    small, large = min(peaks), max(peaks)
    return "\n\n".join(
        [
            "## 4. How time and memory grow",
            table(
                [
                    "picture",
                    "µs a pixel",
                    "seconds an evaluation",
                    "peak above `import torch`",
                    "peak of the process",
                    "estimated",
                    "the run took",
                    "estimated",
                    "large pieces given back",
                ],
                rows,
            ),
            f"The first two are those of an evaluation. A run is one of the fast solver whose work is that of {part['steps']} "
            f"evaluations at full size; *estimated* is what `stlib.estimate` said before it. From {small} to {large} px, each "
            f"further pixel costs {(peaks[large] - peaks[small]) / (large**2 - small**2) / 1e3:.1f} kB. The last column is the peak "
            f"of the process, and the seconds of the run, with `{variable}={value}`, as in part 3.",
        ]
    )


def start_claims(part: dict) -> list[Claim]:
    ratio = Spread(tuple(r["pastiche"]["weights"] / r["stlib"]["weights"] for r in part["rounds"]))
    return [
        Claim(
            "weights decoded, times faster than by pastiche",
            str(ratio),
            ratio.median,
            5,
            at_most=False,
        )
    ]


def start_section(part: dict) -> str:
    rows = [
        [
            package,
            *(
                str(Spread(tuple(r[package][what] for r in part["rounds"])))
                for what in ("import", "weights")
            ),
        ]
        for package in part["rounds"][0]
    ]
    return "\n\n".join(
        [
            "## 5. Start",
            table(
                [
                    "package",
                    "seconds, `import` after `import torch`",
                    "seconds, weights from file to tensors",
                ],
                rows,
            ),
            "Both decode the same file, for the first time in a process; ours compares its SHA-256 as well.",
        ]
    )


def valley_claims(part: dict) -> list[Claim]:
    return []


def valley_section(part: dict) -> str:
    shares = [step["share"] for step in part["pairs"][0]["steps"]]
    rows = []
    for pair in part["pairs"]:
        for what in ("model", "loss"):
            rows.append(
                [
                    f"{pair['content']} × {pair['style']}: "
                    + ("promised" if what == "model" else "found"),
                    *(f"{step[what] / pair['loss']:.2f}" for step in pair["steps"]),
                ]
            )
    best = [min(step["loss"] for step in pair["steps"]) / pair["loss"] for pair in part["pairs"]]
    lbfgs = [pair["lbfgs"] / pair["loss"] for pair in part["pairs"]]
    directions = sorted({pair["directions"] for pair in part["pairs"]})
    return "\n\n".join(
        [
            "## 6. How far a quadratic model holds",
            table(
                [
                    "loss, over that before the step; share of Newton's step:",
                    *(f"{share:g}" for share in shares),
                ],
                rows,
            ),
            f"Could a better model of the loss save more evaluations than L-BFGS? At {part['size']} px, after "
            f"{part['pairs'][0]['evaluations']} evaluations of the plain solver, conjugate gradients look for the lowest point of "
            f"the loss's quadratic model, with {_and(map(str, directions))} more evaluations. No method that asks for gradients "
            "alone gets lower on that model with as many. *Promised* is the model's loss along that step, *found* the picture's.",
            f"The best of the shares tried is at {_and(f'{value:.3f}' for value in best)} times the loss before; L-BFGS, going on "
            f"with as many evaluations, at {_and(f'{value:.3f}' for value in lbfgs)}."
            + (
                " So the model holds for a small part of its own step only: ReLUs and poolings switch on the way. What limits a "
                "faster solver is not how well it knows the curvature, but how soon the curvature is another one."
                if all(one > other for one, other in zip(best, lbfgs, strict=True))
                else ""
            ),
        ]
    )


def foreknown_claims(part: dict) -> list[Claim]:
    return []


def foreknown_section(part: dict) -> str:
    rows = []
    for pair in part["pairs"]:
        lowest = [loss / pair["target"] for loss in accumulate(pair["losses"], min)]
        rows.append(
            [
                f"{pair['content']} × {pair['style']}",
                *(
                    f"{lowest[number - 1]:.3f} ×" if number <= len(lowest) else "reached"
                    for number in SHOWN
                ),
                str(len(lowest)) if lowest[-1] <= 1 else f"{lowest[-1]:.3f} × after {len(lowest)}",
            ]
        )
    return "\n\n".join(
        [
            "## 7. What smaller pictures can save at most",
            table(
                [
                    "loss, over the target, after so many evaluations:",
                    *map(str, SHOWN),
                    "reached after",
                ],
                rows,
            ),
            f"Could better smaller pictures save more? At {part['size']} px, the fast solver's last stage begins here with the best "
            f"that a picture of half the size could tell it: the result of {part['evaluations']} plain evaluations itself, shrunk to "
            "half. Its loss is the target. All else is as in a run: the content's own fine detail is put back, and grain. So these "
            "are the evaluations at full size that the fine detail needs, whoever finds the rest.",
        ]
    )


def limit(time: dict, foreknown: dict) -> str:
    """What part 7 says about the target of part 2, in words."""
    size, target = foreknown["size"], TIME_TARGETS[-1]
    enough = {
        pair["content"]: ratios.allowance(pair, target)[0]
        for pair in time["pairs"]
        if pair["size"] == size
    }
    needed = {
        pair["content"]: len(pair["losses"])
        for pair in foreknown["pairs"]
        if pair["content"] in enough
    }
    more = {
        pair["content"]: "more than " * (min(pair["losses"]) > pair["target"])
        for pair in foreknown["pairs"]
    }
    beyond = [name for name in needed if needed[name] > enough[name]]
    hardly = [name for name in needed if ALMOST * enough[name] < needed[name] <= enough[name]]
    words = (
        f"{target:g} of the usual way's time is enough for {_and(str(enough[name]) for name in needed)} evaluations after "
        f"the smaller pictures (part 2, {_and(needed)}); the fine detail alone takes "
        f"{_and(f'{more[name]}{number}' for name, number in needed.items())}"
    )
    if beyond:
        words += (
            f". So on {_and(beyond)} no smaller picture, however it is made, brings this last stage to the target in that "
            "time"
        )
    if hardly:
        words += f". On {_and(hardly)} only one would do that hardly differs from the result's own"
    return words + "."


def _and(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


CLAIMS: dict[str, Callable[[dict], list[Claim]]] = {
    "evaluation": evaluation_claims,
    "time": time_claims,
    "memory": memory_claims,
    "growth": growth_claims,
    "start": start_claims,
    "valley": valley_claims,
    "foreknown": foreknown_claims,
}
SECTIONS: dict[str, Callable[[dict], str]] = {
    "evaluation": evaluation_section,
    "time": time_section,
    "memory": memory_section,
    "growth": growth_section,
    "start": start_section,
    "valley": valley_section,
    "foreknown": foreknown_section,
}
