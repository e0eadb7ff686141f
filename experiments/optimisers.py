"""Which optimiser gets furthest, each at the best of five rates that were found on other pairs?

The paper's loss from the photo. The first edition gave one method a rate that was tuned
and another one that was not. Here each method that has a rate is run at five of them, and a pair is
judged at the rate that is best on the other two. If the ranking were a matter of rates, it would
change with the pair or with the budget.
"""

import torch

from experiments.bench import Case, Measured
from experiments.pairs import PAIRS, best_after, judged, pair
from stlib import VGG, lbfgs
from stlib.objective import Objective
from stlib.settings import PAPER, Settings
from stlib.transfer import style_transfer

BUDGETS = {96: [30, 100], 256: [30, 60]}  # by size
# of a pixel's range; those of gradient descent are the largest change of a pixel in the first step
RATES = {
    "Adam": (0.005, 0.01, 0.02, 0.05, 0.1),
    "gradient descent": (0.1, 0.3, 0.6, 1.0, 1.5),
}


METHODS = [
    ("L-BFGS", None),
    ("fast", None),
    *((method, rate) for method, rates in RATES.items() for rate in rates),
]


def _case(pair, size, method, rate, budgets):
    return {"pair": pair, "size": size, "method": method, "rate": rate, "budgets": budgets}


SMALL = _case(PAIRS[0], 64, "Adam", 0.02, [4, 8])
CASES = [
    _case(name, size, method, rate, budgets)
    for size, budgets in BUDGETS.items()
    for name in PAIRS
    for method, rate in METHODS
]


def measure(case: Case) -> Measured:
    """The loss after each evaluation, and the lowest after each budget."""
    content, style = pair(case["pair"], case["size"])
    net = VGG()
    objective = Objective(net, content, style, Settings(**PAPER))
    if case["method"] == "fast":
        best, totals = {}, []
        for budget in case["budgets"]:
            result = style_transfer(
                content, style, net=net, solver="fast", steps=budget, progress=False, **PAPER
            )
            best[budget] = result.image
            totals.append(min(seen["total"] for seen in result.history))
        lowest = dict(zip(map(str, case["budgets"]), totals, strict=True))
    else:
        z = content.clone().requires_grad_()
        best, totals = best_after(objective, z, _optimizer(case, z, objective), case["budgets"])
        lowest = {str(budget): min(totals[:budget]) for budget in case["budgets"]}
    numbers = {
        "lowest": lowest,
        "total by evaluation": [] if case["method"] == "fast" else totals,
        "judged": {str(budget): judged(net, content, style, x) for budget, x in best.items()},
    }
    return Measured(numbers)


def _optimizer(case: Case, z: torch.Tensor, objective: Objective) -> torch.optim.Optimizer:
    if case["method"] == "L-BFGS":
        return lbfgs(z)
    if case["method"] == "Adam":
        return torch.optim.Adam([z], lr=case["rate"])
    (gradient,) = torch.autograd.grad(objective(z)[0], z)
    return torch.optim.SGD([z], lr=case["rate"] / float(gradient.abs().max()))
