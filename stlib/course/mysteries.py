"""The pictures of chapter 10's quiz, each painted by a loop with a bug, or none.

Do not read on before you have an answer.
"""

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from stlib.arguments import checked
from stlib.descent import Evaluation, descend, lbfgs
from stlib.layers import layers_of
from stlib.losses import content_loss, gram_matrix, style_layer_losses, style_loss, style_target
from stlib.objective import Objective
from stlib.settings import STYLE_LAYERS
from stlib.vgg import VGG

PAINTED_WITH = {
    "A": "layer names",
    "B": "no bug",
    "C": "recomputed targets",
    "D": "preprocessing",
    "E": "unfrozen",
    "F": "in-place ReLU",
    "G": "raw Gram",
    "H": "clamping",
}
BUGS = (
    "in-place ReLU",
    "preprocessing",
    "clamping",
    "unfrozen",
    "raw Gram",
    "layer names",
    "recomputed targets",
    "no bug",
)


@dataclass(frozen=True)
class Mystery:
    """A picture of the quiz and what its loop noted.

    image: [1, 3, H, W], clamped. content, style: L_content and L_style of each evaluation, as the
    loop computed them. total: the lowest total loss by the loop's own account. judged: the right
    total loss of the picture, of which the loop knew nothing. outside: share of values outside 0…1
    in the last picture evaluated.
    """

    image: Tensor
    content: list[float]
    style: list[float]
    total: float
    judged: float
    outside: float


@checked
def mysteries(
    net: VGG, content: Tensor, style: Tensor, evaluations: int = 20
) -> dict[str, Mystery]:
    """Paint the quiz's pictures.

    net: stays as it is. content, style: pictures, [1, 3, H, W] in [0, 1].
    evaluations: of the loss, for each picture.
    Returns {letter: Mystery}.
    """
    judge = Objective(net, content, style)
    return {
        letter: _paint(bug, net, content, style, judge, evaluations)
        for letter, bug in PAINTED_WITH.items()
    }


def _paint(
    bug: str, net: VGG, content: Tensor, style: Tensor, judge: Objective, evaluations: int
) -> Mystery:
    if bug in ("unfrozen", "preprocessing"):
        net = copy.deepcopy(net)
    if bug == "preprocessing":
        net.preprocess = dataclasses.replace(net.preprocess, std=(1.0, 1.0, 1.0))
    z = content.clone().requires_grad_()
    optimizer: torch.optim.Optimizer = lbfgs(z)
    if bug == "unfrozen":
        weights = list(net.requires_grad_(True).parameters())
        optimizer = torch.optim.Adam([{"params": [z], "lr": 0.02}, {"params": weights, "lr": 1e-5}])
    losses_of = _losses(bug, net, content, style)
    seen: list[Evaluation] = []

    def objective(x: Tensor) -> tuple[Tensor, dict[str, float]]:
        optimizer.zero_grad()
        L_content, L_style = losses_of(x)
        total = L_content + judge.beta * L_style
        terms = {"total": total, "content": L_content, "style": L_style}
        return total, {name: float(term.detach()) for name, term in terms.items()}

    def picture(z: Tensor) -> Tensor:
        if bug == "clamping":
            z.data.clamp_(0, 1)
        return z

    descend(objective, z, picture, optimizer, evaluations, seen.append)
    best = min(seen, key=lambda evaluation: evaluation.losses["total"])
    image = best.x.clamp(0, 1)
    with torch.no_grad():
        judged = judge(image)[1]["total"]
    return Mystery(
        image,
        [evaluation.losses["content"] for evaluation in seen],
        [evaluation.losses["style"] for evaluation in seen],
        best.losses["total"],
        judged,
        float(((seen[-1].x < 0) | (seen[-1].x > 1)).float().mean()),
    )


def _losses(
    bug: str, net: VGG, content: Tensor, style: Tensor
) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """x ↦ (L_content, L_style), spoilt by the bug if it is one of the losses."""
    content_layer = "conv4_2" if bug == "in-place ReLU" else "relu4_2"
    style_layers = list(STYLE_LAYERS)
    if bug == "layer names":
        relus = [layer.name for layer in layers_of(net.depth) if layer.kind == "relu"]
        style_layers = relus[:5]
    gram = gram_matrix if bug == "raw Gram" else style_target
    with torch.no_grad():
        P = net.features(content, [content_layer])[content_layer]
        A = {layer: gram(F) for layer, F in net.features(style, style_layers).items()}

    def losses_of(x: Tensor) -> tuple[Tensor, Tensor]:
        F = net.features(x, [content_layer, *style_layers])
        target, targets = P, A
        if bug == "recomputed targets":
            target = F[content_layer].detach()
        if bug == "in-place ReLU":  # overwrites F, but not P, after which no layer came
            F[content_layer] = F[content_layer].relu()
        if bug == "raw Gram":
            targets = {layer: A[layer] / F[layer][0, 0].numel() for layer in A}
        E = style_layer_losses({layer: F[layer] for layer in targets}, targets)
        return content_loss(F[content_layer], target), style_loss(E)

    return losses_of
