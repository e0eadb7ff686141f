"""Measure how many seconds an iteration of each method takes on the CPU, at full size.

Run it on a machine that does nothing else; it takes about ten minutes. `make pictures` does so
where there is no pace.json.
"""

import argparse
import json
import time
from collections.abc import Callable, Collection
from pathlib import Path
from statistics import median

import measure
import torch

from benchmarks.pictures import crowson, methods, plan

REPEATS = 3
CPU = torch.device("cpu")


def pace(size: int) -> dict:
    """Seconds per iteration of each method, for the first pair.

    Ours are those of the whole call, divided by its evaluations; of L-BFGS, those of an evaluation;
    of Crowson's recipe, the mean over its scales, each with its share of the iterations.
    """
    pair = plan.Pair(plan.PAIRS[0].photo, plan.PAIRS[0].painting, size)
    found = {}
    for method in plan.METHODS:
        if method.name in ("ours", "before"):
            found[method.name] = painting(method, pair, method.iterations) / method.iterations
        elif method.name in ("tutorial", "gatys", "pastiche"):
            timed = measure.evaluation(method.name, pair.photo, pair.painting, size, REPEATS)
            found[method.name] = timed["seconds"]
        elif method.name == "crowson":
            each = {scale: at_scale(pair, scale) for scale in crowson.iterations(size)}
            found["crowson, by scale"] = each
            total = sum(each[scale] * count for scale, count in crowson.iterations(size).items())
            found[method.name] = total / sum(crowson.iterations(size).values())
        elif method.name == "keras":
            set_up = painting(method, pair, 1)
            found[method.name] = (painting(method, pair, 1 + REPEATS) - set_up) / REPEATS
        print(method.name, found.get(method.name), flush=True)
    return found


def known(names: Collection[str]) -> dict:
    """The pace that painting by these methods needs, measured where that was not done yet.

    Ours and a single pass through a network are painted by their own recipes alone.
    """
    if not set(names) - {"ours", "lite"}:
        return {"seconds": {}}
    if not plan.PACE.is_file():
        print("first, each method's pace is measured, for about ten minutes", flush=True)
        main([])
    return plan.read_pace()


def painting(method: plan.Method, pair: plan.Pair, iterations: int) -> float:
    """Seconds of a whole call."""
    return seconds(lambda: method.paint(pair.content, pair.style, CPU, iterations))


def at_scale(pair: plan.Pair, scale: int) -> float:
    """Seconds per iteration of Crowson's recipe at one of its scales."""
    p, a = (crowson.resized(picture, scale / pair.size) for picture in (pair.content, pair.style))
    step = crowson.adam(crowson.Loss(crowson.network(CPU), p, a), crowson.fresh(p))
    step()  # warms up
    return median(seconds(step) for _ in range(REPEATS))


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default=plan.SIZE, type=int, help="longer side, in pixels")
    parser.add_argument("--out", default=plan.PACE, type=Path)
    chosen = parser.parse_args(arguments)
    methods.our_network(CPU)  # building them is no part of a call
    methods.network_before(CPU)
    found = {"machine": measure.machine(), "size": chosen.size, "seconds": pace(chosen.size)}
    chosen.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
