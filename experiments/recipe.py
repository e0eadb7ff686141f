"""Why does colour come last in the recipe of keras.io, and is its gradient descent slow by nature?

The loss of the Keras example on VGG-19 as trained, from the photo: by L-BFGS, and by gradient
descent at multiples of the example's own rate. For each evaluation E_l says what is left of the
style, and the distance of the colours, which needs no network, how far they have come. If the small
weight of relu1_1 did not make colour late, a hundred times the weight would not make it early. If
gradient descent were slow at any rate, no rate would come near L-BFGS.
"""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from experiments.bench import Case, Measured
from experiments.pairs import PAIRS, pair
from stlib import VGG, descend, lbfgs
from stlib.descent import Evaluation
from stlib.layers import WIDTHS
from stlib.objective import Objective
from stlib.settings import STYLE_LAYERS, Settings

BRIDGE = "castle × langlois-bridge"
CONTENT_WEIGHT, STYLE_WEIGHT, VARIATION_WEIGHT = 2.5e-8, 1e-6, 1e-6
RATE, PIXELS = 100.0, 400 * 533  # the example's rate, and the pixels it was made for
MOMENTS = (1, 5, 10, 20, 50, 100, 150, 200, 300, 500, 1000, 2000, 4000)


def _case(pair, size, method, evaluations, rate=1.0, colour=1.0):
    return {
        "pair": pair,
        "size": size,
        "method": method,
        "evaluations": evaluations,
        "rate": rate,
        "colour": colour,
    }


SMALL = _case(BRIDGE, 96, "gradient descent", 6)
CASES = [
    _case(BRIDGE, 384, "L-BFGS", 300),
    *(_case(name, 192, "L-BFGS", 300) for name in PAIRS),
    *(_case(name, 192, "L-BFGS", 300, colour=100.0) for name in PAIRS),
    *(
        _case(name, 192, "gradient descent", 100, rate)
        for name in PAIRS
        for rate in (1.0, 2.0, 3.0, 4.0, 6.0)
    ),
    _case(BRIDGE, 144, "gradient descent", 4000),
]


def measure(case: Case) -> Measured:
    """The loss after each evaluation; at some, E_l, the colours, and the picture."""
    content, style = pair(case["pair"], case["size"])
    content = content[..., : content.shape[2] // 16 * 16, : content.shape[3] // 16 * 16]
    shape = content.shape[2:]
    style = interpolate(style, shape, mode="bilinear", antialias=True).clamp(0, 1)
    objective, z = Recipe(content, style, case["colour"]), content.clone().requires_grad_()
    totals, at, pictures = [], {}, {}
    wanted = [number for number in MOMENTS if number <= case["evaluations"]]

    def note(seen: Evaluation) -> None:
        totals.append(seen.losses["total"])
        if len(totals) in wanted:
            at[str(len(totals))] = {
                "E": {layer: seen.losses[layer] for layer in STYLE_LAYERS},
                "colours": colour_distance(seen.x, style),
            }
            if len(totals) in (50, 150, 300, 4000):
                pictures[f"after {len(totals)}"] = seen.x.clamp(0, 1)

    optimizer: torch.optim.Optimizer = lbfgs(z)
    if case["method"] != "L-BFGS":
        rate = case["rate"] * RATE * shape.numel() / PIXELS / 255**2
        optimizer = torch.optim.SGD([z], lr=rate)
        decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.96 ** (1 / 100))
        optimizer.register_step_post_hook(lambda *_: decay.step())
    descend(objective, z, lambda z: z, optimizer, case["evaluations"], note)
    numbers = {
        "shape": list(shape),
        "total by evaluation": totals,
        "at": at,
        "colours of the photo": colour_distance(content, style),
        "part of the style loss": objective.parts,
    }
    return Measured(numbers, pictures)


def colour_distance(picture: Tensor, style: Tensor) -> float:
    """How far the sorted values of each colour are from the painting's, on average."""
    values = [image.flatten(2).sort(dim=2).values for image in (picture.clamp(0, 1), style)]
    return float((values[0] - values[1]).abs().mean())


class Recipe:
    """The example's loss, for pictures in 0…1 of one size; relu1_1 counts `colour` times."""

    def __init__(self, content: Tensor, style: Tensor, colour: float):
        factors = [(N / 3) ** 2 / 16**block for block, N in enumerate(WIDTHS)]
        factors[0] *= colour
        w = dict(zip(STYLE_LAYERS, (f / sum(factors) for f in factors), strict=True))
        settings = Settings(
            alpha=2 * CONTENT_WEIGHT,
            beta=STYLE_WEIGHT / 5 * sum(factors),
            content_layers=["relu5_2"],
            style_weights=w,
        )
        self.common = Objective(VGG(normalized=False), content, style, settings)
        with torch.no_grad():
            E = self.common(content)[1]
        whole = sum(w[layer] * E[layer] for layer in w)
        self.parts = {layer: w[layer] * E[layer] / whole for layer in w}

    def __call__(self, x: Tensor) -> tuple[Tensor, dict[str, float]]:
        total, losses = self.common(x)
        down = x[..., 1:, :-1] - x[..., :-1, :-1]
        right = x[..., :-1, 1:] - x[..., :-1, :-1]
        variation = (255**2 * (down.square() + right.square())).pow(1.25).sum()
        total = total + VARIATION_WEIGHT * variation
        return total, losses | {"total": float(total.detach())}
