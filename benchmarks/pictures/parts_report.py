"""Write PARTS.md from parts.json: what each part of the default call does to the picture."""

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import median

from report import table

from benchmarks.pictures import parts, plan
from benchmarks.pictures.report import (
    MEASURES,
    Measure,
    above_chance,
    grain_measures,
    moved,
    place,
    spread,
    style_loss,
)
from benchmarks.pictures.variants import LEAPING, REFERENCE, SCHEDULES
from stlib.course.quality import Ghost
from stlib.settings import STYLE_LAYERS

TEMPLATE = plan.HERE.parent / "PARTS.template.md"
PAGE = plan.HERE.parent / "PARTS.md"
SHORT = 60  # evaluations in all, about half of the reference's
SINGLE, TF32 = "float32", "TF32"
# as the prose calls them
GRAIN = dict(zip(("bright", "fine", "colour", "fine_colour"), grain_measures(), strict=True))
CLIPPED = next(measure for measure in MEASURES if measure.title == "clipped")
CONTENT = Measure("content distance, × old", lambda entry: entry["over_old"]["content"], float)
STYLE = Measure("style loss, × old", lambda entry: entry["over_old"]["style"], float)
GHOST = Measure("border ghost", above_chance, float, ".1f")
MOVED = Measure("mirror ghost", moved, float, ".1f")
SECONDS = Measure("seconds", lambda entry: entry["seconds"], float, ".1f")
NAMED = GRAIN | {"clipped": CLIPPED, "content": CONTENT, "style": STYLE, "seconds": SECONDS}
COLUMNS = (*GRAIN.values(), CLIPPED, CONTENT, STYLE, GHOST)

OLD, CLEAN, ZERO = "old", "clean", "clean − replicate"
NEARLY = "4:4:2:2:1, β × 1.5"  # of what is measured, the nearest to the default
ALONE = (
    "old + limit",
    "old + limit, start too",
    "old + roughness",
    "old + overflow",
    "old + replicate",
)
LEFT_OUT = ("clean − limit", "clean − roughness", "clean − overflow", ZERO)
BORDERS = (
    OLD,
    ZERO,
    CLEAN,
    "zero, painting mirrored",
    "replicate, painting mirrored",
    "zero, both mirrored",
    "zero, painting cropped",
    "zero, both cropped",
    "replicate, both cropped",
)
BALANCES = (CLEAN, "β × 2", "β × 4", "equal pulls", "Crowson's")
ZERO_BALANCES = (
    ZERO,
    "zero, β × 1.5",
    "zero, β × 2",
    "zero, root of equal pulls",
    "zero, equal pulls",
)
LARGE_BALANCES = (
    CLEAN,
    "β × 1.3",
    "root of equal pulls, β × 1.2",
    "4:4:2:2:1",
    NEARLY,
    "4:4:2:2:1, β × 2.2",
    "zero, 4:4:2:2:1, β × 1.5",
)


class Results:
    """What parts.json holds, to be asked by variant and size."""

    def __init__(self, results: dict):
        self.sessions, self.floors = results["sessions"], results["floors"]
        self.entries = results["measured"]
        old = {key(entry): entry for entry in self.entries if entry["variant"] == OLD}
        anywhere = {(place(entry), entry["size"]): entry for entry in old.values()}
        for entry in self.entries:
            reference = old.get(key(entry)) or anywhere[place(entry), entry["size"]]
            entry["over_old"] = {
                "content": entry["quality"]["content"] / reference["quality"]["content"],
                "style": style_loss(entry) / style_loss(reference),
                "layers": {
                    layer: loss / reference["quality"]["style"][layer]
                    for layer, loss in entry["quality"]["style"].items()
                },
            }

    def of(self, name: str, size: int, convolutions: str) -> list[dict]:
        """A variant's pictures, a single one of each pair; of such a session if there is one."""
        found = [e for e in self.entries if (e["variant"], e["size"]) == (name, size)]
        kinds = {number: kind["convolutions"] for number, kind in enumerate(self.sessions)}
        found.sort(key=lambda entry: kinds[entry["session"]] == convolutions)
        return list({place(entry): entry for entry in found}.values())

    def table(
        self,
        names: Iterable[str],
        size: int,
        convolutions: str = SINGLE,
        columns: Sequence[Measure] = COLUMNS,
    ) -> str:
        """A row for each variant that was measured: median and worst of its pictures."""
        rows = []
        for name in names:
            if entries := self.of(name, size, convolutions):
                cells = [spread(column, entries) for column in columns]
                rows.append([with_pairs(name, entries), *cells])
        return table(["variant", *(column.title for column in columns)], rows)

    def numbers(self, size: int, convolutions: str) -> dict[str, dict[str, float]]:
        """{variant: {measure: median}}, for the prose."""
        names = dict.fromkeys(entry["variant"] for entry in self.entries)
        of = {name: self.of(name, size, convolutions) for name in names}
        return {
            name: {title: median(map(measure.value, entries)) for title, measure in NAMED.items()}
            for name, entries in of.items()
            if entries
        }


def key(entry: dict) -> tuple:
    return entry["session"], place(entry), entry["size"]


def with_pairs(name: str, entries: Sequence[dict]) -> str:
    """The name, and how many pairs where some are missing."""
    return name if len(entries) == len(plan.PAIRS) else f"{name} ({len(entries)} pairs)"


def together(entries: Sequence[dict], value: Callable[[dict], float]) -> float:
    """Deviations from chance of all pictures together, if pictures err independently."""
    return sum(map(value, entries)) / math.sqrt(len(entries))


def borders_table(results: Results) -> str:
    """What the border variants cost, and the ghost that changed sides with the painting."""
    rows = []
    for name in BORDERS:
        entries = results.of(name, 384, TF32)
        cells = [spread(column, entries) for column in (MOVED, GHOST, CONTENT, STYLE)]
        ghosts = together(entries, moved)
        rows.append([name, *cells[:1], f"{ghosts:.1f}", *cells[1:]])
    titles = [MOVED.title, "all pairs together", GHOST.title, CONTENT.title, STYLE.title]
    return table(["variant", *titles], rows)


def floors_table(results: Results) -> str:
    """Of each painting: what the mirrored margin alone changes, beside finished pictures."""
    rows = []
    for floor in results.floors:
        style, last = floor["style"], STYLE_LAYERS[-1]
        cells = [f"{style[layer]:.4f}" for layer in STYLE_LAYERS]
        finished = [
            entry["quality"]["style"][last]
            for entry in results.of(OLD, floor["size"], SINGLE)
            if entry["painting"] == floor["painting"]
        ]
        mean = sum(style.values()) / len(style)
        rows.append(
            [floor["painting"], floor["size"], *cells, f"{mean:.4f}", f"{median(finished):.4f}"]
        )
    return table(["painting", "px", *STYLE_LAYERS, "mean", "relu5_1 of old's pictures"], rows)


def in_floors(results: Results, name: str, size: int) -> list[float]:
    """At relu5_1, the loss of each picture of a variant over the floor of its painting."""
    floors = {f["painting"]: f["style"] for f in results.floors if f["size"] == size}
    last = STYLE_LAYERS[-1]
    return [
        entry["quality"]["style"][last] / floors[entry["painting"]][last]
        for entry in sorted(results.of(name, size, SINGLE), key=place)
    ]


def layers_table(results: Results) -> str:
    """E_l over old's, layer by layer: medians."""
    rows = []
    for name in LARGE_BALANCES:
        entries = results.of(name, 512, TF32)
        ratios = [
            median(entry["over_old"]["layers"][layer] for entry in entries)
            for layer in STYLE_LAYERS
        ]
        rows.append([name, *(f"{ratio:.2f}" for ratio in ratios)])
    return table(["variant", *STYLE_LAYERS], rows)


def schedules(results: Results) -> dict[str, dict]:
    """Of each schedule: evaluations, lowest losses over the reference's, and when it is reached."""
    reference = {place(entry): entry for entry in results.of(REFERENCE, 384, SINGLE)}
    found = {}
    for name in (CLEAN, *SCHEDULES):
        entries = results.of(name, 384, SINGLE)
        found[name] = {
            "entries": entries,
            "work": median(entry["work"] for entry in entries),
            "lowest": [e["lowest"] / reference[place(e)]["lowest"] for e in entries],
            "reached": [
                (e["work"] - e["full"] + e["reached"]) / reference[place(e)]["reached"]
                for e in entries
                if e["reached"]
            ],
        }
    return found


def schedules_table(results: Results) -> str:
    rows = []
    for name, figures in schedules(results).items():
        entries, lowest, reached = figures["entries"], figures["lowest"], figures["reached"]
        stages = SCHEDULES.get(name)
        plan_of = "default" if stages is None else stages_text(stages)
        when = f"{len(reached)} of {len(entries)}"
        ends = dict.fromkeys(f"{end(reached):.2f}" for end in (min, max) if reached)
        when += f": {'–'.join(ends)}" if reached else ""
        cells = [f"{median(lowest):.3f} ({max(lowest):.3f})", when, spread(CONTENT, entries)]
        rows.append([name, plan_of, f"{figures['work']:.1f}", *cells, spread(STYLE, entries)])
    head = ["variant", "evaluations × share of the size", "evaluations in all"]
    titles = ["lowest loss, × plain's", "pairs that reach plain's, after × its evaluations"]
    return table([*head, *titles, CONTENT.title, STYLE.title], rows)


def stages_text(stages: dict[float, int]) -> str:
    return ", ".join(f"{count} × {share:.2g}" for share, count in stages.items())


def sizes_table(results: Results) -> str:
    rows = []
    for size in (256, 384, 512, 1024):
        for name in (OLD, CLEAN, NEARLY, LEAPING, "default"):
            if entries := results.of(name, size, TF32):
                cells = [spread(column, entries) for column in COLUMNS]
                rows.append([size, with_pairs(name, entries), *cells])
    return table(["px", "variant", *(column.title for column in COLUMNS)], rows)


def precision(results: Results) -> float:
    """How much medians of one variant differ between the two ways to convolve, at most."""
    single, tf32 = results.numbers(384, SINGLE), results.numbers(384, TF32)
    return max(
        abs(single[name][title] / tf32[name][title] - 1)
        for name in (CLEAN, ZERO)
        for title in ("bright", "content", "style")
    )


def text(found: dict) -> str:
    """The whole of PARTS.md."""
    results = Results(found)
    after_warm_up = [
        median(SECONDS.value(entry) for entry in entries if entry["session"] == 0)
        for entries in (results.of(name, 384, SINGLE) for name in (*ALONE, *LEFT_OUT))
    ]
    figures = schedules(results)
    of_deep = [ratio for name in SCHEDULES for ratio in figures[name]["reached"]]
    short = [name for name in SCHEDULES if figures[name]["work"] <= SHORT]
    ghosts = {name: together(results.of(name, 384, TF32), moved) for name in BORDERS}
    without, with_it = (in_floors(results, name, 384) for name in (ZERO, CLEAN))
    raised = sorted(after - before for before, after in zip(without, with_it, strict=True))
    return TEMPLATE.read_text("utf-8").format(
        pairs=len(plan.PAIRS),
        sessions="\n".join(map(session_line, found["sessions"])),
        remarks="\n".join(f"- {remark}" for remark in found["remarks"]),
        single=single_ghosts(found["single"]),
        precision=f"{precision(results):.1%}",
        alone=results.table((OLD, *ALONE), 384),
        left_out=results.table((CLEAN, *LEFT_OUT), 384),
        borders=borders_table(results),
        floors=floors_table(results),
        balances=results.table(BALANCES, 384),
        zero_balances=results.table(ZERO_BALANCES, 384, TF32),
        large_balances=results.table(LARGE_BALANCES, 512, TF32),
        layers=layers_table(results),
        schedules=schedules_table(results),
        plain=results.table((REFERENCE, "plain, as in the paper", CLEAN), 384),
        sizes=sizes_table(results),
        rough=results.table((LEAPING, "roughness 0.3", "roughness 0.1"), 512, TF32),
        m=results.numbers(384, SINGLE),
        tf=results.numbers(384, TF32),
        small=results.numbers(256, TF32),
        large=results.numbers(512, TF32),
        largest=results.numbers(1024, TF32),
        quickest=min(after_warm_up),
        slowest=max(after_warm_up),
        floor_384=1 / median(in_floors(results, OLD, 384)),
        floor_512=1 / median(in_floors(results, OLD, 512)),
        nearest_clean=min(in_floors(results, CLEAN, 384)),
        nearest_beta=min(in_floors(results, "β × 4", 384)),
        raised=", ".join(f"{more:.1f}" for more in raised),
        least_ghost=min(ghosts.values()),
        most_ghost=max(ghosts.values()),
        ghosts=ghosts,
        earliest=min(figures[CLEAN]["reached"] + of_deep),
        clean_reached=median(figures[CLEAN]["reached"]),
        deep_reached=len(of_deep),
        deep_runs=sum(len(figures[name]["entries"]) for name in SCHEDULES),
        short=", ".join(short),
        short_lowest=min(median(figures[name]["lowest"]) for name in short),
        missing=", ".join(missing(found)) or "nothing",
    )


def single_ghosts(runs: Sequence[dict]) -> str:
    """Border ghosts of single runs, in a sentence for each."""
    sentences = []
    for run in runs:
        ghost = Ghost(**run["ghost"])
        seen = f"{run['margin']} px of margin" if run["margin"] else "no margin"
        sentences.append(
            f"{run['photo']} × {run['painting']} at {run['size']} px, painting seen with {seen}: "
            f"{ghost.value:.3f}, by chance {ghost.mean:.3f} ± {ghost.deviation:.3f}, so "
            f"{ghost.above_chance:.1f} standard deviations above it ({run['made']})."
        )
    return "\n".join(f"- {sentence}" for sentence in sentences)


def session_line(session: dict) -> str:
    """Where and when, in a line of a list."""
    remark = f"; {session['remark']}" if "remark" in session else ""
    made = f"{session['device']}, PyTorch {session['torch']}, {session['convolutions']}"
    painter = f"; painter {session['painter']}" if "painter" in session else ""
    return f"- {session['date']}: {made} convolutions{painter}{remark}."


def missing(found: dict) -> list[str]:
    """What parts.py would still measure."""
    counts = []
    for variant in parts.VARIANTS:
        for size in variant.sizes:
            pairs = [plan.Pair(pair.photo, pair.painting, size) for pair in plan.PAIRS]
            there = sum(
                any(parts.same(entry, variant.name, pair) for entry in found["measured"])
                for pair in pairs
            )
            if there < len(pairs):
                pairs_of = f"{len(pairs) - there} of {len(pairs)} pairs"
                counts.append(f"*{variant.name}* at {size} px ({pairs_of})")
    return counts


def main() -> None:
    found = parts.read(parts.RESULTS)
    PAGE.write_text(text(found), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
