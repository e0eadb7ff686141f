"""The total loss of style transfer as a function of the picture (Gatys, Ecker & Bethge 2016, eq. 7).

`style_transfer` lowers it; those who write a loop of their own can lower it themselves.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from stlib.arguments import layer_weights
from stlib.brushes import Brush, as_brushes, mask_at, shares
from stlib.losses import content_loss, style_layer_loss, style_target, total_variation
from stlib.vgg import VGG

CONTENT_LAYERS = ("relu4_2",)
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
BALANCE = 33.0  # the default beta for each of the N·M numbers of the content features; chosen by eye on eight pairs


class Objective:
    """L_total = α L_content + β L_style + tv · TV as a function of the picture (eq. 7); targets are computed once.

    style: a picture, or the brushes of several styles, whose L_style and E_l are weighted sums (see `Brush`).
    beta None stands for `default_beta` of the content features. Calling it with x, [1, 3, H, W], returns L_total as a
    tensor that knows its gradient, and the losses of which it consists as floats.
    """

    def __init__(self, net: VGG, content: Tensor, style: Tensor | Sequence[Brush], *, alpha: float = 1.0,
                 beta: float | None = None, tv: float = 0.0, content_layers: Sequence[str] = CONTENT_LAYERS,
                 style_layers: Sequence[str] = STYLE_LAYERS, style_weights=None):
        self.net, self.alpha, self.tv = net, alpha, tv
        self.w = layer_weights(style_weights, style_layers)
        self.layers = list(dict.fromkeys([*content_layers, *style_layers]))
        net.check(content, self.layers)  # now, not after the content has been through the network
        self.brushes = as_brushes(style)
        self.shares = shares(self.brushes)
        for brush in self.brushes if style_layers else ():
            net.check(brush.picture, style_layers)
        with torch.no_grad():
            self.P = net.features(content, content_layers) if content_layers else {}
            self.targets_of = [{layer: style_target(f) for layer, f in net.features(brush.picture, style_layers).items()}
                               for brush in self.brushes if style_layers]
        self.targets = self.targets_of[0] if style_layers else {}  # of the first style, usually the only one
        self.beta = default_beta(self.P) if beta is None else beta

    def __call__(self, x: Tensor) -> tuple[Tensor, dict[str, float]]:
        found = self.net.judge(x, self.layers, self._losses)
        content = sum((losses["content"] for losses in found.values() if "content" in losses), x.new_zeros(()))
        E = {layer: losses["style"] for layer, losses in found.items() if "style" in losses}
        style = sum((self.w[layer] * E[layer] for layer in E), x.new_zeros(()))
        total = self.alpha * content + self.beta * style
        tv = total_variation(x) if self.tv else x.new_zeros(())
        if self.tv:
            total = total + self.tv * tv
        losses = {"total": total, "content": content, "style": style, "tv": tv, **E}
        return total, {name: float(loss.detach()) for name, loss in losses.items()}

    def _losses(self, layer: str, features: Tensor) -> dict[str, Tensor]:
        """What a layer adds: L_content, E_l or both."""
        losses = {}
        if layer in self.P:
            losses["content"] = content_loss(features, self.P[layer])
        if layer in self.targets:
            losses["style"] = sum(p * style_layer_loss(features, A[layer], mask_at(brush.mask, features))
                                  for p, brush, A in zip(self.shares, self.brushes, self.targets_of, strict=True))
        return losses


def default_beta(content_features: Mapping[str, Tensor]) -> float:
    """β = 33 · N · M, summed over the content layers, so that α = 1 balances content and style at every size.

    L_content is a sum over N·M numbers and grows with the picture, L_style does not; so β has to grow with N·M.
    """
    return BALANCE * (sum(P.numel() for P in content_features.values()) or 1)
