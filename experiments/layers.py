"""What does each style layer bring to a picture, and what is missing without it?

The paper's loop from the photo at 256 px: with one style layer alone (its w_l is 1), and with all
but one (the others keep their 1/5). The first edition said after 30 evaluations at 96 px that with
deep layers the colours go; if that were the layers' doing and not the budget's, it would hold at
100 and 300, too. All five layers together are in `budget`.
"""

from experiments.bench import Case, Measured
from experiments.pairs import PAIRS, best_after, colour, judged, pair, variation_per_value
from stlib import VGG, lbfgs
from stlib.objective import Objective
from stlib.settings import STYLE_LAYERS, Settings


def _case(pair, which, layer, budgets, size=256):
    return {"pair": pair, "size": size, "which": which, "layer": layer, "budgets": budgets}


SMALL = _case(PAIRS[0], "only", "relu2_1", [4, 8], size=64)
CASES = [
    *(_case(name, "only", layer, [30, 100, 300]) for name in PAIRS for layer in STYLE_LAYERS),
    *(_case(name, "without", layer, [30, 100]) for name in PAIRS for layer in STYLE_LAYERS),
]


def measure(case: Case) -> Measured:
    """After each budget: E_l of all five layers, the content loss, colours and grain."""
    content, style = pair(case["pair"], case["size"])
    net = VGG()
    if case["which"] == "only":
        w = {case["layer"]: 1.0}
    else:
        w = {layer: 1 / 5 for layer in STYLE_LAYERS if layer != case["layer"]}
    settings = Settings(style_layers=list(w), style_weights=w)
    z = content.clone().requires_grad_()
    objective = Objective(net, content, style, settings)
    best, _ = best_after(objective, z, lbfgs(z), case["budgets"])
    after = {
        str(budget): {
            **judged(net, content, style, picture),
            "variation": variation_per_value(picture),
            "colour": colour(picture),
        }
        for budget, picture in best.items()
    }
    numbers = {"after": after, "photo": colour(content), "painting": colour(style)}
    last = max(best)
    return Measured(numbers, {f"after {last}": best[last]})
