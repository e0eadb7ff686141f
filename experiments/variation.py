"""What does a total-variation term take away: only grain, or style too?

The paper's loop with tv · TV(x) added to the loss, from noise, where grain is worst, and from the
photo. If the term cost what the two losses want, they would rise with it. Beside it the total
variation of the photo and of the painting, which a picture without grain should not be far from.
"""

import torch
from torch import Tensor

from experiments.bench import Case, Measured
from experiments.pairs import PAIRS, pair
from stlib import VGG, style_transfer
from stlib.losses import total_variation
from stlib.objective import Objective
from stlib.settings import Settings

SMALL = {"pair": PAIRS[0], "size": 64, "steps": 8, "start": "noise", "tv": 30.0}
CASES = [
    {"pair": name, "size": 256, "steps": 100, "start": start, "tv": tv}
    for name in PAIRS
    for start, tvs in (("noise", (0.0, 30.0, 100.0)), ("content", (0.0,)))
    for tv in tvs
]


def measure(case: Case) -> Measured:
    """Total variation per pixel value, L_content as a mean square, and E_l, of the result."""
    content, style = pair(case["pair"], case["size"])
    net = VGG()
    result = style_transfer(
        content,
        style,
        net=net,
        init=case["start"],
        tv=case["tv"],
        solver="plain",
        steps=case["steps"],
        progress=False,
    ).image
    objective = Objective(net, content, style, Settings())
    with torch.no_grad():
        _, losses = objective(result)
    numbers = {
        "variation": {
            "result": _roughness(result),
            "photo": _roughness(content),
            "painting": _roughness(style),
        },
        "content": 2 * losses["content"] / objective.P["relu4_2"].numel(),
        "style": losses["style"],
        "E": {layer: losses[layer] for layer in objective.w},
    }
    return Measured(numbers, {"result": result})


def _roughness(picture: Tensor) -> float:
    """Total variation per pixel value."""
    return float(total_variation(picture) / picture.numel())
