"""The total loss as a function of the picture (Gatys, Ecker & Bethge 2016, eq. 7).

`style_transfer` lowers it; those who write a loop of their own can lower it themselves.
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from stlib._language import tr
from stlib.arguments import check_colours, check_picture, check_whole_number, checked
from stlib.brushes import Brush, as_brushes, brush_factors, check_style, mask_at
from stlib.errors import shown
from stlib.layers import SMALLEST_SIDE, check_layers
from stlib.losses import (
    content_loss,
    gram_loss,
    overflow,
    roughness,
    style_layer_loss,
    style_loss,
    total_loss,
    total_variation,
)
from stlib.settings import Settings
from stlib.tiles import Tile, content_and_grams, content_targets, cut, style_targets
from stlib.vgg import VGG

BALANCE = 33.0  # of the default β for each of the N·M numbers of F; chosen by eye on eight pairs


# pixels of its own mirror image that a painting is seen with, unless padding is "zero"; without it,
# deep layers know the painting's border, and it appears at the picture's
PAINTING_MARGIN = 64


class Objective:
    """L_total = α L_content + β L_style, and what keeps a picture clean, as a function of it.

    The targets are computed once. Added are tv · TV and, within β, roughness and overflow.

    net: the network. content: p, [1, 3, H, W] in [0, 1].
    style: a, or the brushes of several styles, whose E_l are weighted sums (see `Brush`).
    settings: α, β, tv, roughness, overflow, padding, the layers and their weights; the others do
        not matter here. What is None is as in the paper: no roughness, no overflow, zero padding.
    tile: side of the tiles in which pictures are looked at, in pixels; numbers and gradients are
        the same but for rounding, in less memory and more time. None looks at the whole picture.

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
        tile: int | None = None,
    ):
        check_network(net)
        check_picture("content", content)
        check_style(style)
        if tile is not None:
            check_whole_number("tile", tile, SMALLEST_SIDE)
        if settings is not None and not isinstance(settings, Settings):
            raise ValueError(
                tr("settings is {settings}: give stlib.settings.Settings(…), or None.").format(
                    settings=shown(settings)
                )
            )
        settings = settings or Settings()
        content_layers, style_layers = list(settings.content_layers), list(settings.style_layers)
        self.net, self.alpha, self.tv = net, settings.alpha, settings.tv
        self.roughness, self.overflow = settings.roughness or 0.0, settings.overflow or 0.0
        self.padding, self.tile = settings.padding or "zero", tile
        self.w = settings.weights()
        self.layers = list(dict.fromkeys([*content_layers, *style_layers]))
        self.brushes = as_brushes(style)
        self.factors = brush_factors(self.brushes)
        net.check(content, self.layers)  # now, not after the content has been through the network
        for brush in self.brushes if style_layers else ():
            net.check(brush.picture, style_layers)
        margin = 0 if self.padding == "zero" else PAINTING_MARGIN
        with torch.no_grad():
            self.P = content_targets(net, content, content_layers, self.padding, tile)
            self.targets_of = [
                style_targets(net, brush.picture, style_layers, self.padding, tile, margin)
                for brush in self.brushes
                if style_layers
            ]
        self.targets = self.targets_of[0] if style_layers else {}  # usually the only style
        self.beta = default_beta(self.P) if settings.beta is None else settings.beta

    def __call__(self, x: Tensor) -> tuple[Tensor, dict[str, float]]:
        L_content, E = self._content_and_style(x)
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

    def style_layer_losses(self, x: Tensor) -> dict[str, Tensor]:
        """E_l of a picture by style layer, differentiable."""
        return self._content_and_style(x)[1]

    def _content_and_style(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """L_content, and E_l by style layer."""
        tiles = cut(x.shape[2:], self.tile, self.layers, self.net.depth)
        if len(tiles) > 1:
            return self._from_tiles(x, tiles)
        L_content, E = x.new_zeros(()), {}
        for layer, F in self.net.walk(x, self.layers, self.padding):
            if layer in self.P:
                L_content = L_content + content_loss(F, self.P[layer])
            if layer in self.w:
                E[layer] = self._brushed(
                    style_layer_loss(F, A[layer], mask_at(brush.mask, F))
                    for brush, A in zip(self.brushes, self.targets_of, strict=True)
                )
        return L_content, E

    def _from_tiles(self, x: Tensor, tiles: Sequence[Tile]) -> tuple[Tensor, dict[str, Tensor]]:
        """The same, from the Gram matrices of all tiles."""
        masks = [brush.mask for brush in self.brushes]
        L_content, grams = content_and_grams(
            self.net, x, tiles, self.P, list(self.w), masks, self.padding
        )
        E = {
            layer: self._brushed(
                gram_loss(G, A[layer]) for G, A in zip(grams[layer], self.targets_of, strict=True)
            )
            for layer in self.w
        }
        return L_content, E

    def _brushed(self, losses: Iterable[Tensor]) -> Tensor:
        """Σ_i p_i E_l(F, A_i, T_i) over the brushes; for one without a mask it is E_l."""
        products = [factor * E for factor, E in zip(self.factors, losses, strict=True)]
        return sum(products, torch.zeros(()))


@checked
def equal_pulls(objective: Objective, x: Tensor) -> dict[str, float]:
    """w_l with which all style layers pull equally hard at x: w_l ∝ 1/‖∂E_l/∂x‖, and Σ w_l = 1.

    Equal losses are no equal pulls: with equal w_l, relu5_1 pulls hardest.
    objective: with at least one style layer. x: a picture, [1, 3, H, W], whose E_l are not 0.
    Returns {layer: w_l}, as `Settings.style_weights` takes it.
    Raises ValueError for a layer whose E_l is 0 there: it does not pull.
    """
    check_colours("x", x)  # it may have left 0…1
    x = x.detach().clone().requires_grad_()
    pulls = {}
    for layer, E in objective.style_layer_losses(x).items():
        (gradient,) = torch.autograd.grad(E, x, retain_graph=True)
        pulls[layer] = float(gradient.norm())
        if pulls[layer] == 0:
            raise ValueError(
                tr("{layer} does not pull at this picture: its style loss is 0 there.").format(
                    layer=layer
                )
            )
    total = sum(1 / pull for pull in pulls.values())
    return {layer: 1 / pull / total for layer, pull in pulls.items()}


def default_beta(content_features: Mapping[str, Tensor]) -> float:
    """β = 33 · N · M, summed over the content layers: α = 1 then balances content and style.

    L_content is a sum over N·M numbers and grows with the picture, L_style does not; so β has to
    grow with N·M.
    content_features: {layer: P}.
    """
    return BALANCE * (sum(P.numel() for P in content_features.values()) or 1)


def check_network(net: object) -> None:
    """Raise a ValueError unless it is a network that can paint, such as a `VGG`."""
    if not isinstance(net, torch.nn.Module) or not hasattr(net, "walk"):
        given = (
            tr("the class {name}").format(name=net.__name__)
            if isinstance(net, type)
            else tr("a {type}").format(type=type(net).__name__)
        )
        raise ValueError(
            tr("net is {given}: give a network, for example stlib.VGG(), or None.").format(
                given=given
            )
        )
    types = {parameter.dtype for parameter in net.parameters()} - {torch.float32, torch.float64}
    if types:
        raise ValueError(
            tr("net computes in {dtype}, in which losses overflow: give net.float().").format(
                dtype=types.pop()
            )
        )


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
            tr(
                "init has the shape {shape}, the content picture {content_shape}: they must agree."
            ).format(shape=list(settings.init.shape), content_shape=list(content.shape))
        )
    if net is not None:
        check_network(net)
    depth = 19 if net is None else net.depth
    check_layers(content, [*settings.content_layers, *settings.style_layers] or ["relu1_1"], depth)
    for brush in as_brushes(style):
        check_layers(brush.picture, [*settings.style_layers] or ["relu1_1"], depth)
