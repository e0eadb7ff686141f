"""What does β do, from a hundredth of the usual value to ten times as much?

The paper's loop from the photo. Chance is the difference between the run and two others that begin
at the photo with noise of one level of 255.
"""

import torch

from experiments.bench import Case, Measured
from experiments.pairs import PAIRS, pair
from stlib import VGG, style_transfer
from stlib.objective import Objective
from stlib.settings import Settings

SMALL = {"pair": PAIRS[0], "size": 64, "steps": 5, "factor": 1.0, "seed": None}
CASES = [
    {"pair": name, "size": 384, "steps": 150, "factor": factor, "seed": None}
    for name in PAIRS
    for factor in (1.0, 0.1, 10.0, 0.01, 0.3, 3.0)
] + [
    {"pair": name, "size": 384, "steps": 150, "factor": 1.0, "seed": seed}
    for name in PAIRS
    for seed in (1, 2)
]


def measure(case: Case) -> Measured:
    """L_content as a mean square, L_style, E_l, and the picture."""
    content, style = pair(case["pair"], case["size"])
    net = VGG()
    objective = Objective(net, content, style, Settings())
    start = content
    if case["seed"] is not None:
        generator = torch.Generator().manual_seed(case["seed"])
        start = (content + torch.randn(content.shape, generator=generator) / 255).clamp(0, 1)
    result = style_transfer(
        content,
        style,
        net=net,
        beta=case["factor"] * objective.beta,
        init=start,
        solver="plain",
        steps=case["steps"],
        progress=False,
    )
    with torch.no_grad():
        _, losses = objective(result.image)
    positions = objective.P["relu4_2"].numel()
    numbers = {
        "beta": case["factor"] * objective.beta,
        "content": 2 * losses["content"] / positions,
        "style": losses["style"],
        "E": {layer: losses[layer] for layer in objective.w},
        "total by evaluation": [seen["total"] for seen in result.history],
    }
    return Measured(numbers, {"result": result.image})
