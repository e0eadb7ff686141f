"""Would a better smaller picture help? The fast solver's last stage, told the best there is."""

import json
from itertools import accumulate
from statistics import median

import common
import descents
import ratios
import recipes
import report
import run
from torch import Tensor

from stlib import VGG, descend, match_colours
from stlib.descent import lbfgs
from stlib.objective import Objective
from stlib.record import Record
from stlib.solver import FINE_POWER, FIRST_STEP, next_start, pixels, shrink, waves

SHARE = 1 / 2  # of the size: that of the last smaller picture of the fast solver
SHOWN = (25, 50, 100, 150, 200)  # evaluations


def measure(size: int = 512, evaluations: int = 300, steps: int = 260) -> dict:
    """The last stage of each pair.

    evaluations, steps: of the plain solver, which sets the target, and of the last stage at most.
    """
    net = VGG(device="cpu")
    pairs = []
    for content, style in run.PAIRS:
        p, a = recipes.picture(content, size), recipes.picture(style, size)
        pairs.append(
            {"content": content, "style": style, **last_stage(net, p, a, evaluations, steps)}
        )
    return {"size": size, "evaluations": evaluations, "pairs": pairs}


def last_stage(net: VGG, p: Tensor, a: Tensor, evaluations: int, steps: int) -> dict:
    """The losses of the last stage after a perfect smaller picture, until it is at the target.

    That picture is the plain solver's own result, shrunk.
    """
    objective = Objective(net, p, a)
    x, picture = pixels(p)
    plain = Record(p.shape[2:], evaluations, progress=False)
    descend(objective, x, picture, descents.plain_lbfgs(x), evaluations, plain.note)
    start = match_colours(p, a).clamp(0, 1)
    x0 = next_start(shrink(plain.best.x, SHARE), start, shrink(start, SHARE), seed=0)
    z, picture = waves(x0, FINE_POWER)
    clock = descents.Clock(p, float(f"{plain.lowest:.6g}"))
    descend(objective, z, picture, lbfgs(z, FIRST_STEP * z.numel()), steps, clock.ends)
    return {"target": clock.target, "losses": clock.losses}


def allowance(pair: dict, share: float) -> int:
    """Evaluations at full size that a share of the usual way's time leaves the fast solver.

    pair: of part 2 of the benchmark.
    """
    full = max(pair["runs"]["fast"]["stages"], key=int)
    smaller = {**ratios.evaluations_of(pair, "fast"), full: 0}
    left = []
    for pace in pair["slices"]:
        usual = ratios.modelled_seconds(ratios.evaluations_of(pair, "plain"), pace["usual"])
        begun = ratios.modelled_seconds(smaller, pace["fast"])
        left.append((share * usual - begun) / pace["fast"]["stages"][full]["seconds"])
    return int(median(left))


def table(found: dict) -> str:
    results = json.loads((common.HERE.parent / "results.json").read_text("utf-8"))
    measured = {(pair["content"], pair["size"]): pair for pair in results["time"]["pairs"]}
    target = report.TIME_TARGETS[-1]
    rows = []
    for pair in found["pairs"]:
        lowest = [loss / pair["target"] for loss in accumulate(pair["losses"], min)]
        shown = [f"{lowest[n - 1]:.3f}" if n <= len(lowest) else "reached" for n in SHOWN]
        needed = len(lowest) if lowest[-1] <= 1 else f"more than {len(lowest)}"
        enough = allowance(measured[pair["content"], found["size"]], target)
        rows.append([f"{pair['content']} × {pair['style']}", *shown, needed, enough])
    head = ["loss, × the target, after", *SHOWN, "needed", f"{target} of the time leaves"]
    return report.table(head, rows)


if __name__ == "__main__":
    common.answer(__file__, measure, table)
