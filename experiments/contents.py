"""Which content layer keeps what of a photo, when all of them pull alike?

The first edition changed the layer, and with it how hard the content pulls: two causes in one. Here
the paper's loop paints with relu4_2 first. At that picture each other layer gets the α with which
its content loss pulls as hard, and paints from the photo with it. If only the pull mattered, all
pictures would be equally far off, in features and in pixels. Chance is the difference between runs
that begin at the photo and at the photo with noise of one level of 255.
"""

import torch
from torch import Tensor

from experiments.bench import Case, Measured
from experiments.pairs import PAIRS, judged, pair, perturbed
from stlib import VGG, content_loss, style_transfer

USUAL = "relu4_2"
LAYERS = (USUAL, "relu2_2", "relu5_2")
CELL = 8  # pixels on each side of what counts as one area


def _case(pair, size, steps, seed=None):
    return {"pair": pair, "size": size, "steps": steps, "seed": seed}


SMALL = _case(PAIRS[0], 64, 5)
CASES = [*(_case(name, 256, 100) for name in PAIRS), _case(PAIRS[0], 256, 100, seed=1)]


def measure(case: Case) -> Measured:
    """By content layer: its α, the losses of the result, and what it keeps of the photo."""
    content, style = pair(case["pair"], case["size"])
    net = VGG()
    start = content if case["seed"] is None else perturbed(content, case["seed"])

    def paint(layer: str, alpha: float) -> Tensor:
        return style_transfer(
            content,
            style,
            net=net,
            alpha=alpha,
            beta=beta,
            content_layers=[layer],
            init=start,
            solver="plain",
            steps=case["steps"],
            progress=False,
        ).image

    with torch.no_grad():
        P = net.features(content, LAYERS)
    beta = 33.0 * P[USUAL].numel()
    pictures = {USUAL: paint(USUAL, 1.0)}
    pulls = {layer: _pull(net, pictures[USUAL], layer, P[layer]) for layer in LAYERS}
    alpha = {layer: pulls[USUAL] / pulls[layer] for layer in LAYERS}
    for layer in LAYERS[1:]:
        pictures[layer] = paint(layer, alpha[layer])
    numbers = {
        layer: {
            "alpha": alpha[layer],
            "off": _off(net, picture, P),
            **judged(net, content, style, picture),
            **_kept(picture, content),
        }
        for layer, picture in pictures.items()
    }
    return Measured(numbers, pictures)


def _pull(net: VGG, picture: Tensor, layer: str, P: Tensor) -> float:
    """The norm of the gradient of a layer's content loss, with α = 1."""
    x = picture.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(content_loss(net.features(x, [layer])[layer], P), x)
    return float(gradient.norm())


def _off(net: VGG, picture: Tensor, P: dict[str, Tensor]) -> dict[str, float]:
    """By layer, the mean square by which features are off, over the mean square of the photo's."""
    with torch.no_grad():
        F = net.features(picture, list(P))
    return {
        layer: float((F[layer] - P[layer]).square().sum() / P[layer].square().sum()) for layer in P
    }


def _kept(picture: Tensor, content: Tensor) -> dict[str, float]:
    """How far the colours of areas are off, and how much brightness correlates below their size."""
    areas = [torch.nn.functional.avg_pool2d(x, CELL) for x in (picture, content)]
    fine = []
    for x in (picture, content):
        brightness = x.mean(dim=1, keepdim=True)
        coarse = torch.nn.functional.avg_pool2d(
            brightness, CELL + 1, stride=1, padding=CELL // 2, count_include_pad=False
        )
        fine.append((brightness - coarse).flatten())
    return {
        "colours of areas": float((areas[0] - areas[1]).square().mean().sqrt()),
        "fine detail": float(torch.corrcoef(torch.stack(fine))[0, 1]),
    }
