"""How many evaluations does a finding need, and does the start still matter then?

The paper's loop from the photo, from noise and from the painting, looked at after 30, 100, 300 and
1000 evaluations. If the start only decided how soon a picture comes out, the losses and the grain
of all three would meet. Chance is the difference between runs that begin at the photo with noise of
one level of 255.
"""

from experiments.bench import Case, Measured
from experiments.pairs import (
    PAIRS,
    best_after,
    colour,
    judged,
    noise_like,
    pair,
    perturbed,
    variation_per_value,
)
from stlib import VGG, lbfgs
from stlib.objective import Objective
from stlib.settings import Settings
from stlib.solver import enlarge

USUAL, LONG = [30, 100, 300], [30, 100, 300, 1000]
STARTS = ("content", "noise", "style")


def _case(pair, size, start, budgets, seed=0):
    return {"pair": pair, "size": size, "start": start, "budgets": budgets, "seed": seed}


SMALL = _case(PAIRS[0], 64, "noise", [4, 8])
CASES = [
    _case("castle × langlois-bridge", 680, "content", [60, 300]),
    *(_case(name, 256, start, USUAL) for name in PAIRS for start in ("noise", "style")),
    *(_case(name, 256, "content", LONG) for name in PAIRS),
    *(_case(PAIRS[0], 256, "perturbed", USUAL, seed) for seed in (1, 2, 3)),
    *(_case(name, 96, start, LONG) for name in PAIRS for start in STARTS),
    *(_case(PAIRS[0], 512, start, USUAL) for start in STARTS),
]


def measure(case: Case) -> Measured:
    """After each budget: the losses of the best picture, its grain and its colours."""
    content, style = pair(case["pair"], case["size"])
    net = VGG()
    start = {
        "content": content,
        "noise": noise_like(content, case["seed"]),
        "style": enlarge(style, content.shape[2:]).clamp(0, 1),
        "perturbed": perturbed(content, case["seed"]),
    }[case["start"]]
    z = start.clone().requires_grad_()
    objective = Objective(net, content, style, Settings())
    best, totals = best_after(objective, z, lbfgs(z), case["budgets"])
    after = {
        str(budget): {
            "total": min(totals[:budget]),
            **judged(net, content, style, picture),
            "variation": variation_per_value(picture),
            "colour": colour(picture),
        }
        for budget, picture in best.items()
    }
    numbers = {
        "after": after,
        "beta": objective.beta,
        "photo": {"variation": variation_per_value(content), "colour": colour(content)},
        "painting": {"variation": variation_per_value(style), "colour": colour(style)},
    }
    return Measured(numbers, {f"after {budget}": picture for budget, picture in best.items()})
