"""What does β do, from a hundredth of the usual value to ten times as much?

The paper's loop from the photo. At the end, content and style pull against each other: the norms
of their gradients and the cosine between them tell how near the run is to a balance. Chance is the
difference between the run and two others that begin at the photo with noise of one level of 255.
"""

import torch
from torch import Tensor

from experiments.bench import Case, Measured
from experiments.pairs import PAIRS, pair, perturbed
from stlib import VGG, content_loss, style_transfer
from stlib.objective import Objective
from stlib.settings import Settings

SMALL = {"pair": PAIRS[0], "size": 64, "steps": 5, "factor": 1.0, "seed": None}
CASES = [
    {"pair": name, "size": 384, "steps": 100, "factor": factor, "seed": None}
    for name in PAIRS
    for factor in (1.0, 0.1, 10.0, 0.01)
] + [{"pair": PAIRS[0], "size": 384, "steps": 100, "factor": 1.0, "seed": seed} for seed in (1, 2)]


def measure(case: Case) -> Measured:
    """L_content as a mean square, L_style, E_l, and the picture."""
    content, style = pair(case["pair"], case["size"])
    net = VGG()
    objective = Objective(net, content, style, Settings())
    start = content if case["seed"] is None else perturbed(content, case["seed"])
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
    pulls = _gradients(objective, result.image)
    content_pull = objective.alpha * pulls.pop("content")
    style_pulls = {
        layer: case["factor"] * objective.beta * objective.w[layer] * pull
        for layer, pull in pulls.items()
    }
    style_pull = torch.stack(list(style_pulls.values())).sum(dim=0)
    with torch.no_grad():
        _, losses = objective(result.image)
    positions = objective.P["relu4_2"].numel()
    numbers = {
        "beta": case["factor"] * objective.beta,
        "content": 2 * losses["content"] / positions,
        "style": losses["style"],
        "E": {layer: losses[layer] for layer in objective.w},
        "pull": {
            "content": float(content_pull.norm()),
            **{layer: float(pull.norm()) for layer, pull in style_pulls.items()},
        },
        "cosine": float(
            torch.cosine_similarity(content_pull.flatten(), style_pull.flatten(), dim=0)
        ),
        "total by evaluation": [seen["total"] for seen in result.history],
    }
    return Measured(numbers, {"result": result.image})


def _gradients(objective: Objective, picture: Tensor) -> dict[str, Tensor]:
    """∂L/∂x of the content loss and of each E_l, without weights."""
    x = picture.clone().requires_grad_()
    found = objective.net.features(x, objective.layers)
    losses = {
        "content": content_loss(found["relu4_2"], objective.P["relu4_2"]),
        **objective.style_layer_losses(x),
    }
    return {
        name: torch.autograd.grad(loss, x, retain_graph=True)[0] for name, loss in losses.items()
    }
