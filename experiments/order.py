"""What comes first, the painting's colours or its patterns?

The paper's loop from the photo. After each evaluation: E_l of the five style layers, and, without a
network, the same formula on the picture's own red, green and blue. If the order were one of the
layers alone, and not of colours and patterns, the pixels' own colours would not be as late as
relu1_1. If it were L-BFGS's, gradient descent would change it.
"""

import torch
from torch import Tensor

from experiments.bench import Case, Measured
from experiments.pairs import MORE_PAIRS, PAIRS, pair
from stlib import VGG, descend, lbfgs
from stlib.descent import Evaluation
from stlib.losses import style_layer_loss
from stlib.objective import Objective
from stlib.settings import PAPER, Settings

RATE = 0.3  # of gradient descent: the largest change of a pixel in the first step


def _case(pair, size, method, evaluations=100):
    return {"pair": pair, "size": size, "method": method, "evaluations": evaluations}


SMALL = _case(PAIRS[0], 64, "L-BFGS", 8)
CASES = [
    *(_case(name, 256, "L-BFGS") for name in (*MORE_PAIRS, "castle × langlois-bridge")),
    *(_case(name, 256, "gradient descent") for name in PAIRS),
    *(_case(name, 512, "L-BFGS", 60) for name in PAIRS),
]


def measure(case: Case) -> Measured:
    """After how many evaluations each has fallen to half, and what is left of it on the way."""
    content, style = pair(case["pair"], case["size"])
    objective = Objective(VGG(), content, style, Settings(**PAPER))
    z = content.clone().requires_grad_()
    seen: list[dict[str, float]] = []

    def note(found: Evaluation) -> None:
        losses = {layer: found.losses[layer] for layer in objective.w}
        seen.append({"pixels": float(_loss_of_colours(found.x, style)), **losses})

    descend(objective, z, lambda z: z, _optimizer(case, z, objective), case["evaluations"], note)
    moments = [count for count in (10, 30, 100) if count <= len(seen)]
    numbers = {
        "half": {name: _first_below_half([losses[name] for losses in seen]) for name in seen[0]},
        "left": {
            str(count): {name: seen[count - 1][name] / seen[0][name] for name in seen[0]}
            for count in moments
        },
    }
    return Measured(numbers)


def _optimizer(case: Case, z: Tensor, objective: Objective) -> torch.optim.Optimizer:
    if case["method"] == "L-BFGS":
        return lbfgs(z)
    (gradient,) = torch.autograd.grad(objective(z)[0], z)
    return torch.optim.SGD([z], lr=RATE / float(gradient.abs().max()))


def _loss_of_colours(x: Tensor, style: Tensor) -> Tensor:
    """E_l of a layer that is the picture itself: N = 3."""
    colours = style[0].flatten(1)
    return style_layer_loss(x, colours @ colours.T / colours.shape[1])


def _first_below_half(values: list[float]) -> int | None:
    """Index of the first value below half the first one."""
    return next((i for i, value in enumerate(values) if value < values[0] / 2), None)
