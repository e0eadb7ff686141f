"""The total loss as a function of the picture (Gatys, Ecker & Bethge 2016, eq. 7).

`style_transfer` lowers it; those who write a loop of their own can lower it themselves.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from stlib.arguments import check_picture, check_style
from stlib.brushes import Brush, as_brushes, brush_factors, mask_at
from stlib.layers import check_layers
from stlib.losses import (
    content_loss,
    overflow,
    roughness,
    style_layer_loss,
    style_loss,
    style_target,
    total_loss,
    total_variation,
)
from stlib.settings import Settings
from stlib.vgg import VGG

BALANCE = 33.0  # of the default β for each of the N·M numbers of F; chosen by eye on eight pairs


class Objective:
    """L_total = α L_content + β L_style, and what keeps a picture clean, as a function of it.

    The targets are computed once. Added are tv · TV and, within β, roughness and overflow.

    net: the network. content: p, [1, 3, H, W] in [0, 1].
    style: a, or the brushes of several styles, whose E_l are weighted sums (see `Brush`).
    settings: α, β, tv, roughness, overflow, padding, the layers and their weights; the others do
        not matter here. What is None is as in the paper: no roughness, no overflow, zero padding.

    Calling it with x, [1, 3, H, W], returns L_total as a tensor that knows its gradient, and its
    terms as numbers, without their weights: "total", "content", "style", "tv", "roughness",
    "overflow", and E_l under each style layer.
    Raises ValueError for what is no picture, for a layer that does not exist, and for a picture too
    small for one.
    """

    def __init__(
        self,
        net: VGG,
        content: Tensor,
        style: Tensor | Brush | Sequence[Brush],
        settings: Settings | None = None,
    ):
        check_picture("content", content)
        check_style(style)
        settings = settings or Settings()
        content_layers, style_layers = list(settings.content_layers), list(settings.style_layers)
        self.net, self.alpha, self.tv = net, settings.alpha, settings.tv
        self.roughness, self.overflow = settings.roughness or 0.0, settings.overflow or 0.0
        self.padding = settings.padding or "zero"
        self.w = settings.weights()
        self.layers = list(dict.fromkeys([*content_layers, *style_layers]))
        self.brushes = as_brushes(style)
        self.factors = brush_factors(self.brushes)
        net.check(content, self.layers)  # now, not after the content has been through the network
        for brush in self.brushes if style_layers else ():
            net.check(brush.picture, style_layers)
        with torch.no_grad():
            self.P = dict(self._walk(content, content_layers)) if content_layers else {}
            self.targets_of = [
                {layer: style_target(F) for layer, F in self._walk(brush.picture, style_layers)}
                for brush in self.brushes
                if style_layers
            ]
        self.targets = self.targets_of[0] if style_layers else {}  # usually the only style
        self.beta = default_beta(self.P) if settings.beta is None else settings.beta

    def __call__(self, x: Tensor) -> tuple[Tensor, dict[str, float]]:
        L_content, E = x.new_zeros(()), {}
        for layer, F in self._walk(x, self.layers):
            if layer in self.P:
                L_content = L_content + content_loss(F, self.P[layer])
            if layer in self.w:
                E[layer] = self._brushed(layer, F)
        L_style = style_loss(E, self.w) if E else x.new_zeros(())
        L_total = total_loss(L_content, L_style, self.alpha, self.beta)
        terms = {"total": L_total, "content": L_content, "style": L_style}
        for name, weight, loss in (
            ("tv", self.tv, total_variation),
            ("roughness", self.beta * self.roughness, roughness),
            ("overflow", self.beta * self.overflow, overflow),
        ):
            terms[name] = loss(x) if weight else x.new_zeros(())
            if weight:
                terms["total"] = terms["total"] + weight * terms[name]
        terms |= {layer: E[layer] for layer in self.w}
        return terms["total"], {name: float(term.detach()) for name, term in terms.items()}

    def _walk(self, x: Tensor, layers: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
        return self.net.walk(x, layers, self.padding)

    def _brushed(self, layer: str, F: Tensor) -> Tensor:
        """Σ_i p_i E_l(F, A_i, T_i) over the brushes; for one without a mask it is E_l."""
        losses = [
            factor * style_layer_loss(F, A[layer], mask_at(brush.mask, F))
            for factor, brush, A in zip(self.factors, self.brushes, self.targets_of, strict=True)
        ]
        return sum(losses, F.new_zeros(()))


def default_beta(content_features: Mapping[str, Tensor]) -> float:
    """β = 33 · N · M, summed over the content layers: α = 1 then balances content and style.

    L_content is a sum over N·M numbers and grows with the picture, L_style does not; so β has to
    grow with N·M.
    content_features: {layer: P}.
    """
    return BALANCE * (sum(P.numel() for P in content_features.values()) or 1)


def check_pictures(
    content: Tensor,
    style: Tensor | Brush | Sequence[Brush],
    settings: Settings,
    net: VGG | None = None,
) -> None:
    """Raise the ValueError that `style_transfer` raises for these pictures and this network."""
    check_picture("content", content)
    check_style(style, content)
    if isinstance(settings.init, Tensor) and settings.init.shape != content.shape:
        raise ValueError(
            f"init has the shape {list(settings.init.shape)}, the content picture "
            f"{list(content.shape)}: they must agree."
        )
    if not (net is None or (isinstance(net, torch.nn.Module) and hasattr(net, "walk"))):
        raise ValueError(
            f"net is a {type(net).__name__}: give a network, for example stlib.VGG(), or None."
        )
    depth = 19 if net is None else net.depth
    check_layers(content, [*settings.content_layers, *settings.style_layers] or ["relu1_1"], depth)
    for brush in as_brushes(style):
        check_layers(brush.picture, [*settings.style_layers] or ["relu1_1"], depth)
