"""How hard does each style layer pull, and does the size of the picture matter?

Measured at the photo, where every run begins: the norm of ∂E_l/∂x, as a share of the sum over the
five layers. If one layer's lead were a property of the method, its share would not depend on the
size. The same with the filters as they were trained, to see what normalising them changes.
"""

import torch

from experiments.bench import Case, Measured
from experiments.pairs import MORE_PAIRS, pair
from stlib import VGG
from stlib.objective import Objective
from stlib.settings import Settings

SIZES = (96, 128, 192, 256, 384, 512)
SMALL = {"pair": MORE_PAIRS[0], "size": 64, "normalized": True}
CASES = [
    {"pair": name, "size": size, "normalized": normalized}
    for normalized in (True, False)
    for size in SIZES
    for name in MORE_PAIRS
]


def measure(case: Case) -> Measured:
    """E_l, the norm of its gradient and its share, and what the content loss of the painting is."""
    content, style = pair(case["pair"], case["size"])
    net = VGG(normalized=case["normalized"])
    objective = Objective(net, content, style, Settings())
    x = content.clone().requires_grad_()
    E = objective.style_layer_losses(x)
    pulls = {}
    for layer, loss in E.items():
        (gradient,) = torch.autograd.grad(loss, x, retain_graph=True)
        pulls[layer] = float(gradient.norm())
    together = sum(pulls.values())
    P = objective.P["relu4_2"]
    return Measured(
        {
            "E": {layer: float(loss.detach()) for layer, loss in E.items()},
            "pull": pulls,
            "share": {layer: pull / together for layer, pull in pulls.items()},
            "positions of relu5_1": (content.shape[2] // 16) * (content.shape[3] // 16),
            "mean square of P": float(P.square().mean()),
        }
    )
