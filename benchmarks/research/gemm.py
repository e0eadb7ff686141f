"""How close is an evaluation to what the processor can do? Its rate beside matrix products."""

import time
from functools import partial
from statistics import median

import common
import ratios
import recipes
import report
import run
import torch

from stlib.layers import layer_names, layer_table

SIDES = (1024, 1536, 2048)  # of the matrices
DEEPEST = {"tutorial": "conv3_1", "keras": "relu5_2"}  # of the losses; of all others, relu5_1


def measure(sizes: tuple[int, ...] = (256, 512), rounds: int = 3, repeats: int = 9) -> dict:
    """The rate of matrix products and the seconds per evaluation of all recipes, in turn."""
    content, style = run.PAIRS[0]
    found = []
    for _ in range(rounds):
        rates = {"gemm": rate(repeats)}
        part = run.evaluation(run.Plan(rounds=1, sizes=sizes))["rounds"][0]
        for name, measured in part.items():
            for size in sizes:
                shape = recipes.picture(content, size).shape[2:]
                measured[str(size)]["work"] = work(*shape, DEEPEST.get(name, "relu5_1"))
        found.append({**rates, **part})
    return {"sizes": list(sizes), "pair": [content, style], "rounds": found}


def rate(repeats: int) -> float:
    """Floating-point operations per second of the fastest square float32 matrix product."""
    rates = []
    for side in SIDES:
        product = partial(torch.mm, torch.rand(side, side), torch.rand(side, side))
        seconds = []
        for _ in range(1 + repeats):  # the first one warms up
            began = time.perf_counter()
            product()
            seconds.append(time.perf_counter() - began)
        rates.append(2 * side**3 / median(seconds[1:]))
    return max(rates)


def work(height: int, width: int, deepest: str) -> int:
    """Useful floating-point operations of an evaluation that runs the network up to a layer.

    Two for each multiplication of direct convolutions, forward and once more for the gradient.
    """
    rows = layer_table(19, (height, width))
    return 4 * sum(row.macs for row in rows[: layer_names().index(deepest) + 1])


def table(found: dict) -> str:
    rounds, sizes = found["rounds"], found["sizes"]
    rows = []
    for name in ratios.recipes(found):
        row = [ratios.NAMES[name]]
        for size in map(str, sizes):
            rates = [r[name][size]["work"] / r[name][size]["seconds"] for r in rounds]
            row.append(ratios.spread(ratios.over(rates, [r["gemm"] for r in rounds])))
        once = rounds[0][name][size]
        rows.append([*row, f"{once['work'] / once['pixels'] / 1e6:.2f}"])
    return report.table(["recipe", *(f"{size} px" for size in sizes), "MFLOP per pixel"], rows)


if __name__ == "__main__":
    common.answer(__file__, measure, table)
