"""Measure what each part of the default call does to the picture, alone and left out.

python -m benchmarks.pictures.parts --device cuda --seconds 400

What parts.json holds is not measured again. `python -m benchmarks.pictures.parts_report` writes
PARTS.md from it.
"""

import argparse
import json
import time
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import torch

from benchmarks.pictures import plan
from benchmarks.pictures.variants import (
    REFERENCE,
    SCHEDULES,
    VARIANTS,
    Variant,
    network,
    paint,
    possible_margin,
    with_margin,
    without_margin,
)
from stlib import style_layer_loss, style_target
from stlib.course.quality import features, judge, mirror_ghost
from stlib.settings import PAINTER, STYLE_LAYERS

RESULTS = plan.HERE / "parts.json"
MARGIN = 64  # pixels
FLOOR_SIZES = (384, 512)


def measured(
    variant: Variant, pair: plan.Pair, device: torch.device, steps: int, known: list[dict]
) -> dict:
    """Paint and judge one pair: an entry of parts.json.

    known: the entries so far; `REFERENCE` of the same pair tells schedules which loss to reach.
    """
    content, style = pair.content.to(device), pair.style.to(device)
    network(device)  # built before the clock runs
    began = time.perf_counter()
    result = paint(variant, content, style, device, steps)
    picture = result.image.to(device)
    entry = {
        "variant": variant.name,
        "photo": pair.photo,
        "painting": pair.painting,
        "size": pair.size,
        "seconds": time.perf_counter() - began,
        "coarse": len(result.coarse),
        "full": len(result.history),
        "work": work(variant, pair, steps, len(result.history)),
        "quality": asdict(judge(picture, content, style)),
    }
    if variant.mirror:
        mirrored = paint(variant, content, style.flip(3), device, steps).image.to(device)
        entry["mirror_ghost"] = asdict(mirror_ghost(picture, mirrored, style))
    totals = [terms["total"] for terms in result.history]
    return rounded(entry | descent(variant, pair, totals, known))


def work(variant: Variant, pair: plan.Pair, steps: int, full: int) -> float:
    """All evaluations, in those of the whole picture."""
    *coarse, _ = variant.stages(steps, min(pair.content.shape[2:]))
    return full + sum(stage.cost * stage.evaluations for stage in coarse)


def descent(variant: Variant, pair: plan.Pair, totals: list[float], known: list[dict]) -> dict:
    """The lowest loss, and after how many evaluations at full size `REFERENCE`'s was reached.

    totals: L_total after each evaluation at full size. Nothing for variants with another loss.
    """
    lowest = min(totals)
    if variant.name == REFERENCE:
        return {"lowest": lowest, "reached": totals.index(lowest) + 1}
    if variant.name not in ("clean", *SCHEDULES):
        return {}
    targets = [entry["lowest"] for entry in known if same(entry, REFERENCE, pair)]
    if not targets:
        return {}
    reached = next((n for n, total in enumerate(totals, start=1) if total <= targets[0]), None)
    return {"lowest": lowest, "reached": reached}


def same(entry: dict, name: str, pair: plan.Pair) -> bool:
    """Whether an entry is a variant's picture of a pair."""
    found = entry["variant"], entry["photo"], entry["painting"], entry["size"]
    return found == (name, pair.photo, pair.painting, pair.size)


def floor(painting: str, size: int, device: torch.device) -> dict:
    """E_l of a painting whose border is a mirrored margin against itself with zero padding.

    A picture that knows nothing of the painting's border cannot come much below, before a judge
    with zero padding.
    """
    style = plan.Pair("castle", painting, size).style.to(device)
    margin = possible_margin(MARGIN, style.shape[2:])
    padded = features(with_margin(style, margin), STYLE_LAYERS)
    losses = {}
    for layer, F in features(style, STYLE_LAYERS).items():
        inner = without_margin(padded[layer], layer, margin, style.shape[2:])
        losses[layer] = float(style_layer_loss(inner, style_target(F)))
    return rounded({"painting": painting, "size": size, "style": losses})


def rounded(value: Any) -> Any:
    """Four significant digits of each number are enough for the tables."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(inner) for inner in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def read(path: Path) -> dict:
    """What a file holds, or nothing.

    remarks: on sessions without a "painter", which are older than it. single: border ghosts of
    single runs. sessions: where, when and how it was measured. floors: see `floor`. measured: see
    `measured`.
    """
    empty = {"remarks": [], "single": [], "sessions": [], "floors": [], "measured": []}
    return json.loads(path.read_text("utf-8")) if path.is_file() else empty


def write(results: dict, path: Path) -> None:
    """A line for each entry."""
    parts = [
        f'"{name}": [\n' + ",\n".join(json.dumps(entry) for entry in entries) + "\n]"
        for name, entries in results.items()
    ]
    path.write_text("{" + ",\n".join(parts) + "}\n", encoding="utf-8")


def session(device: torch.device) -> dict:
    """Where, when and how exactly is measured."""
    is_cuda = device.type == "cuda"
    return {
        "date": date.today().isoformat(),
        "device": torch.cuda.get_device_name() if is_cuda else device.type,
        "torch": torch.__version__,
        "convolutions": "TF32" if is_cuda and torch.backends.cudnn.allow_tf32 else "float32",
        "painter": PAINTER,
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", type=torch.device)
    parser.add_argument("--seconds", default=float("inf"), type=float, help="begin none later")
    parser.add_argument("--out", default=RESULTS, type=Path, help="file of the measurements")
    names = [variant.name for variant in VARIANTS]
    parser.add_argument("--variants", nargs="+", default=names, choices=names)
    parser.add_argument("--size", type=int, help="pixels, instead of each variant's own sizes")
    parser.add_argument("--steps", default=100, type=int)
    chosen = parser.parse_args(arguments)
    results, began, here = read(chosen.out), time.perf_counter(), session(chosen.device)
    if here not in results["sessions"]:
        results["sessions"].append(here)
    number = results["sessions"].index(here)
    sizes = (chosen.size,) if chosen.size else None
    todo = [
        (variant, plan.Pair(pair.photo, pair.painting, size))
        for variant in VARIANTS
        if variant.name in chosen.variants
        for size in sizes or variant.sizes
        for pair in plan.PAIRS
    ]
    for variant, pair in todo:
        if any(same(entry, variant.name, pair) for entry in results["measured"]):
            continue
        if time.perf_counter() - began > chosen.seconds:
            print("the time is over: run this again to measure the others")
            break
        entry = measured(variant, pair, chosen.device, chosen.steps, results["measured"])
        results["measured"].append({"session": number, **entry})
        write(results, chosen.out)
        print(f"{variant.name}, {pair.name}, {pair.size} px: {entry['seconds']:.1f} s", flush=True)
    floors = {(entry["painting"], entry["size"]) for entry in results["floors"]}
    for painting in dict.fromkeys(pair.painting for pair in plan.PAIRS):
        for size in sizes or FLOOR_SIZES:
            if (painting, size) not in floors:
                results["floors"].append(floor(painting, size, chosen.device))
                write(results, chosen.out)


if __name__ == "__main__":
    main()
