"""Measure the painted pictures, and write results.json, the contact sheets and PICTURES.md."""

import argparse
import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from PIL import Image
from report import table

from benchmarks.pictures import plan, sheet
from stlib import load_image
from stlib.course.quality import BANDS, Ghost, judge, mean_loss, mirror_ghost

TEMPLATE = plan.HERE.parent / "PICTURES.template.md"
PAGE = plan.HERE.parent / "PICTURES.md"
RESULTS = plan.HERE / "results.json"
SHEETS = plan.HERE / "sheets"
RECIPES = {"own": "own recipe", "equal": "in our seconds", "mirror": "mirror image"}
SURE = 2  # standard deviations above chance
TITLES = {method.name: method.title for method in plan.METHODS}


@dataclass(frozen=True)
class Measure:
    """A column of the tables.

    value: of a picture's entry in results.json. harm: how bad a value is; of two pictures, that
    with the smaller harm is the better one.
    """

    title: str
    value: Callable[[dict], float]
    harm: Callable[[float], float]
    form: str = ".2f"


def from_one(ratio: float) -> float:
    return abs(math.log(max(ratio, 1e-9)))


def too_much(ratio: float) -> float:
    return max(ratio, 1.0)  # fine colour that is missing nobody sees


def above_chance(entry: dict) -> float:
    return Ghost(**entry["quality"]["ghost"]).above_chance


def moved(entry: dict) -> float:
    """The ghost that changed sides with the painting, in standard deviations above chance."""
    return Ghost(**entry["mirror_ghost"]).above_chance


def style_loss(entry: dict) -> float:
    return mean_loss(entry["quality"]["style"])


def content(entry: dict) -> float:
    return entry["quality"]["content"]


def style_replicated(entry: dict) -> float:
    return mean_loss(entry["quality"]["style_replicated"])


def content_replicated(entry: dict) -> float:
    return entry["quality"]["content_replicated"]


def grain_measures() -> list[Measure]:
    """Of brightness and of colour, in each band."""
    found = []
    for kind, harm in (("brightness", from_one), ("colour", too_much)):
        for number, (low, high) in enumerate(BANDS):
            title = f"{kind} grain {low:.2f}–{high:.2f}"
            found.append(Measure(title, grain_of(kind, number), harm))
    return found


def grain_of(kind: str, number: int) -> Callable[[dict], float]:
    return lambda entry: entry["quality"][f"{kind}_grain"][number]


MEASURES = (
    *grain_measures(),
    Measure("border ghost", above_chance, lambda z: max(z, float(SURE)), ".1f"),
    Measure("clipped", lambda entry: entry["quality"]["clipped"], float, ".1%"),
    Measure("content distance", content, float),
    Measure("style loss", style_loss, float, ".4f"),
    Measure("content distance, replicated", content_replicated, float),
    Measure("style loss, replicated", style_replicated, float, ".4f"),
)


def measured(folder: Path, pace: dict) -> list[dict]:
    """The facts and the measures of every picture in a folder.

    What results.json holds of the same file is not measured again.
    """
    known = {}
    if RESULTS.is_file():
        known = {entry["file"]: entry for entry in json.loads(RESULTS.read_text("utf-8"))}
    found = []
    for path in sorted(folder.glob("*.json")):
        facts = json.loads(path.read_text("utf-8"))
        pair = plan.Pair(facts["photo"], facts["painting"], facts["size"])
        facts["cpu_seconds"] = cpu_seconds(facts, pair, pace)
        facts["file"] = digest(path.with_suffix(".png"))
        own = path.with_name(f"{pair.name}_{facts['method']}_own.png")
        if facts["recipe"] == "mirror":  # its measure depends on both pictures
            facts["file"] += digest(own)
        measures = known.get(facts["file"]) or judged(path.with_suffix(".png"), own, facts, pair)
        kinds = ("quality", "mirror_ghost")
        found.append(facts | {kind: measures[kind] for kind in kinds if kind in measures})
        print(path.stem, flush=True)
    return found


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def judged(path: Path, own: Path, facts: dict, pair: plan.Pair) -> dict:
    """The measures of a picture; own: the one that was painted after the painting as it is."""
    painted = load_image(path, None)
    if facts["recipe"] == "mirror":
        return {"mirror_ghost": asdict(mirror_ghost(load_image(own, None), painted, pair.style))}
    return {"quality": asdict(judge(painted, pair.content, pair.style))}


def cpu_seconds(facts: dict, pair: plan.Pair, pace: dict) -> float:
    """Iterations times the seconds of one, which grow with the pixels of the photo."""
    each = pace["seconds"].get(facts["method"])
    if each is None:  # painted on the CPU
        return facts["seconds"]
    timed = plan.Pair(plan.PAIRS[0].photo, plan.PAIRS[0].painting, pace["size"])
    return facts["iterations"] * each * pair.content.numel() / timed.content.numel()


def text(pictures: list[dict], pace: dict) -> str:
    """The whole of PICTURES.md."""
    devices = sorted({f"{p['device']} (PyTorch {p['torch']})" for p in pictures})
    machine = pace["machine"]
    clipped = median(p["quality"]["clipped_style"] for p in pictures if "quality" in p)
    return TEMPLATE.read_text("utf-8").format(
        pairs=len({place(picture) for picture in pictures}),
        size=pictures[0]["size"],
        devices=" and ".join(devices),
        processor=f"{machine['processor']}, {machine['threads']} threads",
        own=measures_table(of_recipe(pictures, "own")),
        equal=measures_table(at_equal_seconds(pictures)),
        better_own="\n".join(better(of_recipe(pictures, "own"))),
        better_equal="\n".join(better(at_equal_seconds(pictures))),
        claims=table(["aim", "figure", "target", "met?"], claims(pictures)),
        ghosts=ghosts(of_recipe(pictures, "mirror")),
        missing=missing(pictures),
        pace=pace_table(pace),
        sheets="\n\n".join(picture_link(pair) for pair in plan.PAIRS),
        sure=SURE,
        paintings_clipped=f"{clipped:.1%}",
    )


def missing(pictures: list[dict]) -> str:
    """Which pictures of the plan are not there, in a sentence; nothing when all are."""
    found = {(p["method"], p["recipe"], place(p)) for p in pictures}
    counts: Counter[str] = Counter()
    for job in plan.jobs(plan.NAMES, plan.PAIRS, {"seconds": {}}):
        if (job.method.name, job.recipe, (job.pair.photo, job.pair.painting)) not in found:
            counts[f"{job.method.title}, {RECIPES[job.recipe]}"] += 1
    listed = "; ".join(f"{what}, {count} pairs" for what, count in counts.items())
    return f"Not painted yet: {listed}." if listed else ""


def place(picture: dict) -> tuple[str, str]:
    return picture["photo"], picture["painting"]


def of_recipe(pictures: list[dict], recipe: str) -> dict[str, list[dict]]:
    """{method: its pictures}, in the order of the plan."""
    kept = {
        name: [p for p in pictures if p["method"] == name and p["recipe"] == recipe]
        for name in plan.NAMES
    }
    return {name: found for name, found in kept.items() if found}


def at_equal_seconds(pictures: list[dict]) -> dict[str, list[dict]]:
    """Those painted in our seconds; ours, and the single pass, are their own recipe."""
    own = of_recipe(pictures, "own")
    alone = {name: own[name] for name in ("ours", "lite") if name in own}
    return alone | of_recipe(pictures, "equal")


def measures_table(methods: dict[str, list[dict]]) -> str:
    """A row for each method: median and worst of its pictures."""
    head = ["method", "iterations", "CPU seconds", *(measure.title for measure in MEASURES)]
    rows = []
    for name, pictures in methods.items():
        count = pictures[0]["iterations"]
        seconds = median(picture["cpu_seconds"] for picture in pictures)
        cells = [spread(measure, pictures) for measure in MEASURES]
        some = "" if len(pictures) == len(plan.PAIRS) else f" ({len(pictures)} pairs)"
        title = TITLES[name] + some
        rows.append([title, count, f"{seconds:.0f}", *cells])
    return table(head, rows)


def spread(measure: Measure, pictures: list[dict]) -> str:
    values = [measure.value(picture) for picture in pictures]
    worst = max(values, key=lambda value: (measure.harm(value), value))
    return f"{median(values):{measure.form}} ({worst:{measure.form}})"


def better(methods: dict[str, list[dict]]) -> list[str]:
    """For each other method, a sentence about where it beats ours on most pairs."""
    ours = {place(picture): picture for picture in methods["ours"]}
    lines = []
    for name, theirs in methods.items():
        if name == "ours":
            continue
        pairs = [(picture, ours[place(picture)]) for picture in theirs if place(picture) in ours]
        wins = [win for measure in MEASURES if (win := majority(measure, pairs))]
        share = median(t["cpu_seconds"] / o["cpu_seconds"] for t, o in pairs)
        where = "; ".join(wins) if wins else "none of these measures"
        seconds = f"It takes {share:.2g} × our seconds."
        lines.append(f"- *{TITLES[name]}* is better on most pairs in {where}. {seconds}")
    return lines


def majority(measure: Measure, pairs: Sequence[tuple[dict, dict]]) -> str:
    """What the other method wins, if it wins more pairs than half: measure, pairs, medians."""
    values = [(measure.value(theirs), measure.value(ours)) for theirs, ours in pairs]
    won = sum(measure.harm(theirs) < measure.harm(ours) for theirs, ours in values)
    if won <= len(values) / 2:
        return ""
    theirs, ours = (median(side) for side in zip(*values, strict=True))
    medians = f"{theirs:{measure.form}}, ours {ours:{measure.form}}"
    return f"{measure.title} ({won} of {len(values)} pairs: {medians})"


def claims(pictures: list[dict]) -> list[list[str]]:
    """What our default call should reach on every pair, and whether it does."""
    own = of_recipe(pictures, "own")
    before = {place(picture): picture for picture in own.get("before", [])}
    pairs = [(p, before[place(p)]) for p in own["ours"] if place(p) in before]
    rows: list[list[str]] = []

    def at_most(target: float, what: str, figures: list[float]) -> None:
        worst = max(figures, default=math.nan)
        met = "yes" if worst <= target else "**no**"
        shown = f"{worst:.2f}" if figures else "not measured"
        rows.append([f"{what}, worst pair", shown, f"≤ {target:g}", met if figures else ""])

    for kind, target in (("colour", 1.5), ("brightness", 2)):
        worst = [max(p["quality"][f"{kind}_grain"]) for p in own["ours"]]
        at_most(target, f"{kind} grain, × the painting's, both bands", worst)
    mirrored = of_recipe(pictures, "mirror").get("ours", [])
    ghost = "border ghost, standard deviations above chance, from"
    at_most(SURE, f"{ghost} one picture", list(map(above_chance, own["ours"])))
    at_most(SURE, f"{ghost} two pictures", list(map(moved, mirrored)))
    for what, value in (
        ("content distance", content),
        ("style loss", style_loss),
        ("content distance, replicated padding", content_replicated),
        ("style loss, replicated padding", style_replicated),
    ):
        at_most(1.1, f"{what}, × before", [value(p) / value(b) for p, b in pairs])
    at_most(1, "CPU seconds, × before", [p["cpu_seconds"] / b["cpu_seconds"] for p, b in pairs])
    return rows


def ghosts(mirrored: dict[str, list[dict]]) -> str:
    """What the painting's mirror image brought to light, in a sentence for each method."""
    sentences = []
    for name, entries in mirrored.items():
        figures = ", ".join(f"{moved(entry):.1f}" for entry in entries)
        together = sum(map(moved, entries)) / math.sqrt(len(entries))
        sentences.append(f"*{TITLES[name]}*: {figures}; all together {together:.1f}.")
    return " ".join(sentences) or "not painted yet."


def pace_table(pace: dict) -> str:
    rows = [
        [method.title, f"{pace['seconds'][method.name]:.2f}", method.iterations]
        for method in plan.METHODS
        if method.name in pace["seconds"]
    ]
    return table(["method", "seconds per iteration", "iterations of its own recipe"], rows)


def picture_link(pair: plan.Pair) -> str:
    alternative = f"{pair.photo} × {pair.painting}: photo, painting and all methods' pictures"
    return f"![{alternative}](pictures/sheets/{pair.name}.jpg)"


def save_sheets(pictures: list[dict], folder: Path, sheets: Path) -> None:
    """One JPEG for each pair that has pictures."""
    sheets.mkdir(exist_ok=True)
    for pair in {place(p): plan.Pair(*place(p), p["size"]) for p in pictures}.values():
        shown = {}
        for p in pictures:
            if place(p) == (pair.photo, pair.painting):
                path = folder / f"{pair.name}_{p['method']}_{p['recipe']}.png"
                took = f"{p['iterations']} it., {p['cpu_seconds']:.0f} s"
                shown[p["method"], p["recipe"]] = Image.open(path), took
        sheet.save(sheet.contact_sheet(pair, shown), sheets / f"{pair.name}.jpg")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=plan.PICTURES, type=Path)
    folder = parser.parse_args(arguments).folder
    pace = plan.read_pace()
    pictures = measured(folder, pace)
    lines = ",\n".join(json.dumps(picture) for picture in pictures)
    RESULTS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    save_sheets(pictures, folder, SHEETS)
    PAGE.write_text(text(pictures, pace), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
