"""Pictures that are too large to be looked at whole: the same loss and gradient, tile by tile.

The losses see a picture through sums over positions only: a Gram matrix adds up products, the
content loss adds up squares. So each tile adds the positions of its core. What those positions see
beyond the core is cut out with it, as a halo. The sums are computed first and nothing else is kept;
for the gradient each tile goes through the network again, and where halos overlap, their gradients
add up.

This costs time and changes nothing but the rounding: gradients differ by 1e-15 of the largest in
double precision. In single precision they differ by 1e-6 to 1e-4, since a ReLU's input that is
nearly 0 may round to the other side; the whole picture's own error is 1e-3 then.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as nnf
from torch import Tensor

from stlib.brushes import mask_at
from stlib.layers import find_layer, layer_table
from stlib.losses import content_loss, gram_matrix, style_target
from stlib.vgg import VGG

TermsOfTile = Callable[[Tensor, "Tile"], Iterable[tuple[Any, Tensor]]]


class Span(NamedTuple):
    """A tile along one side of the picture, in pixels.

    first, last: the tile is cut out from here to there. start, stop: its core.
    """

    first: int
    start: int
    stop: int
    last: int


@dataclass(frozen=True)
class Tile:
    """A rectangle of the picture: its core belongs to no other tile, the halo is what it sees.

    rows, columns: from where to where.
    """

    rows: Span
    columns: Span

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), core and halo, in pixels."""
        return self.rows.last - self.rows.first, self.columns.last - self.columns.first

    def cut(self, picture: Tensor) -> Tensor:
        """The tile of a picture [..., H, W], core and halo, as a view."""
        rows, columns = self.rows, self.columns
        return picture[..., rows.first : rows.last, columns.first : columns.last]

    def core(self, features: Tensor, stride: int) -> Tensor:
        """The core's positions of what a layer makes of the tile.

        features: [1, N, h, w]. stride: pixels from one position of the layer to the next.
        """
        rows, columns = self.rows, self.columns
        above, left = rows.first // stride, columns.first // stride
        top, bottom = rows.start // stride - above, rows.stop // stride - above
        start, stop = columns.start // stride - left, columns.stop // stride - left
        height, width = features.shape[2:]
        # a slice is less, but its gradient would not be channels last, and slow all that follows
        return nnf.pad(features, (-start, stop - width, -top, bottom - height))

    def place(self, features: Tensor, stride: int) -> Tensor:
        """The core's positions of what the layer makes of the whole picture.

        features: [1, N, H, W] of the whole picture, or anything of that height and width.
        """
        rows, columns = self.rows, self.columns
        return features[
            ...,
            rows.start // stride : rows.stop // stride,
            columns.start // stride : columns.stop // stride,
        ]


def cut(
    size: Sequence[int],
    side: int | None,
    layers: Collection[str],
    depth: int = 19,
    margin: int = 0,
) -> list[Tile]:
    """The tiles of a picture, row by row; a picture that is not larger than a core is one tile.

    size: (height, width) of the picture, in pixels. side: of a core, in pixels; None leaves the
        picture whole. Cores have about equal sizes, so most are a little smaller.
    layers: names of those that will look at it. depth: 16 or 19.
    margin: of the picture on each side, in pixels, a multiple of 16: it lies around what `size`
        counts, halos see it, and it belongs to no core.
    """
    step, halo = _step_and_halo(layers, depth)
    rows, columns = (list(_spans(length, side or length, step, halo, margin)) for length in size)
    return [Tile(row, column) for row in rows for column in columns]


def largest_tile(
    size: Sequence[int], side: int | None, layers: Collection[str], depth: int = 19
) -> tuple[int, int]:
    """(height, width) of the largest tile, core and halo; arguments as for `cut`."""
    sizes = [tile.size for tile in cut(size, side, layers, depth)]
    return max(height for height, _ in sizes), max(width for _, width in sizes)


def content_targets(
    net: VGG, content: Tensor, layers: Sequence[str], padding: str, side: int | None
) -> dict[str, Tensor]:
    """P of each layer; it knows no gradient.

    net: the network. content: p, [1, 3, H, W]. layers: names, or none. padding: as for `VGG.walk`.
    side: of the tiles; None looks at the whole picture. Returns {layer: P}.
    """
    if not layers:
        return {}
    tiles = cut(content.shape[2:], side, layers, net.depth)
    with torch.no_grad():
        if len(tiles) == 1:
            return dict(net.walk(content, layers, padding))
        found: dict[str, Tensor] = {}
        for tile in tiles:
            for layer, F in net.walk(tile.cut(content), layers, padding):
                stride = _stride(layer, net.depth)
                if layer not in found:
                    found[layer] = _room_for(F, content, stride)
                tile.place(found[layer], stride).copy_(tile.core(F, stride))
        return found


def style_targets(
    net: VGG,
    style: Tensor,
    layers: Sequence[str],
    padding: str,
    side: int | None,
    margin: int = 0,
) -> dict[str, Tensor]:
    """A/M of each layer; it knows no gradient.

    style: a, [1, 3, H, W]. margin: mirrored around it for the network to see, in pixels; what lies
        there does not count. The other arguments are those of `content_targets`.
    """
    least = min(margin, (min(style.shape[2:]) - 1) // 16 * 16)  # no more than there is to mirror
    seen = nnf.pad(style, (least,) * 4, mode="reflect") if least else style
    tiles = cut(style.shape[2:], side, layers, net.depth, least)
    with torch.no_grad():
        if len(tiles) == 1:
            (tile,) = tiles
            return {
                layer: style_target(tile.core(F, _stride(layer, net.depth)) if least else F)
                for layer, F in net.walk(tile.cut(seen), layers, padding)
            }
        _, grams = content_and_grams(net, seen, tiles, {}, layers, [None], padding)
        # there, M counts the margin
        return {layer: A * _positions(seen, style, layer, net) for layer, (A,) in grams.items()}


def _positions(seen: Tensor, counted: Tensor, layer: str, net: VGG) -> float:
    """How many times more positions a layer has in one picture than in another."""
    stride = _stride(layer, net.depth)
    return float(_shaped(seen, stride).numel() / _shaped(counted, stride).numel())


def content_and_grams(
    net: VGG,
    x: Tensor,
    tiles: Sequence[Tile],
    P: Mapping[str, Tensor],
    style_layers: Collection[str],
    masks: Sequence[Tensor | None],
    padding: str,
) -> tuple[Tensor, dict[str, list[Tensor]]]:
    """L_content and G/M of the picture, from its tiles; both know their gradients.

    x: the picture, [1, 3, H, W]. tiles: of it, for at least the layers asked for.
    P: {content layer: its target}. style_layers: names. padding: as for `VGG.walk`.
    masks: T of each brush, at the picture's size, or None for 1 everywhere.
    Returns L_content, and {style layer: [G/M for each mask]}.
    """
    layers = list(dict.fromkeys([*P, *style_layers]))
    strides = {layer: _stride(layer, net.depth) for layer in layers}
    # at a layer's size before they are cut: a mask's mean over a position may reach beyond the core
    at_layer = {
        layer: [mask_at(mask, _shaped(x, strides[layer])) for mask in masks]
        for layer in style_layers
    }

    def terms(part: Tensor, tile: Tile) -> Iterator[tuple[Any, Tensor]]:
        for layer, whole in net.walk(part, layers, padding):
            stride = strides[layer]
            F = tile.core(whole, stride)
            if layer in P:
                yield layer, content_loss(F, tile.place(P[layer], stride))
            for number, T in enumerate(at_layer.get(layer, [])):
                # flat, as the rows of a core do not follow each other in memory
                mask = None if T is None else tile.place(T, stride).to(F).reshape(-1)
                yield (layer, number), gram_matrix(F, mask)

    sums = sum_over_tiles(terms, x, tiles)
    L_content = sum((sums[layer] for layer in P), x.new_zeros(()))
    grams = {}
    for layer, at_this_layer in at_layer.items():
        M = _shaped(x, strides[layer]).numel()
        positions = [M if T is None else T.square().sum() for T in at_this_layer]
        grams[layer] = [sums[layer, i] / count for i, count in enumerate(positions)]
    return L_content, grams


def sum_over_tiles(terms: TermsOfTile, x: Tensor, tiles: Sequence[Tile]) -> dict[Any, Tensor]:
    """Add up what a function finds in each tile of a picture, differentiable with respect to x.

    terms: called as terms(part, tile) with the tile cut out of x; yields pairs of a name and a
        tensor that depends on the part, the same names and shapes for each tile. The gradient calls
        it again, so that no more than one tile is kept in memory.
    x: the picture, [1, 3, H, W]. tiles: of it.
    Returns {name: Σ over the tiles}.
    """
    names: list[Any] = []
    sums = _SumOverTiles.apply(x, terms, tiles, names)
    return dict(zip(names, sums, strict=True))


class _SumOverTiles(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, terms: TermsOfTile, tiles: Sequence[Tile], names: list[Any]
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(x)
        ctx.terms, ctx.tiles = terms, tiles
        sums: dict[Any, Tensor] = {}
        for tile in tiles:
            for name, term in terms(tile.cut(x), tile):
                sums[name] = sums[name] + term if name in sums else term
        names += sums
        return tuple(sums.values())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (x,) = ctx.saved_tensors
        gradient = torch.zeros_like(x)
        for tile in ctx.tiles:
            part = tile.cut(x).detach().requires_grad_()
            with torch.enable_grad():
                found = [term for _, term in ctx.terms(part, tile)]
            torch.autograd.backward(found, gradients)
            assert part.grad is not None
            tile.cut(gradient).add_(part.grad)
        return gradient, None, None, None


def _step_and_halo(layers: Collection[str], depth: int) -> tuple[int, int]:
    """What the layers ask of tiles, in pixels.

    The first number divides a core's beginning, so that poolings take the same pixels together as
    in the whole picture. The second is how far a halo reaches, a multiple of the first: no less
    than what a position sees on each side of the pixels that it stands for.
    """
    asked = [row for row in layer_table(depth) if row.name in layers]
    step = max((row.stride for row in asked), default=1)
    reach = max(((row.receptive_field - row.stride) // 2 for row in asked), default=0)
    return step, _round_up(reach, step)


def _spans(length: int, side: int, step: int, halo: int, margin: int) -> Iterator[Span]:
    """Cut a side of the picture into cores of about equal length, each with its halo."""
    end = length + 2 * margin
    count = -(-length // side)
    core = _round_up(-(-length // count), step)
    for start in range(0, length, core):
        first, last = start + margin, min(start + core, length) + margin
        yield Span(max(0, first - halo), first, last, min(end, last + halo))


def _round_up(number: int, step: int) -> int:
    return -(-number // step) * step


def _stride(layer: str, depth: int) -> int:
    return int(2 ** find_layer(layer, depth).poolings)


def _shaped(picture: Tensor, stride: int) -> Tensor:
    """A tensor of the height and width of a layer of the whole picture that takes no memory."""
    height, width = (side // stride for side in picture.shape[2:])
    return picture.new_zeros(()).expand(1, 1, height, width)


def _room_for(F: Tensor, picture: Tensor, stride: int) -> Tensor:
    """Memory for a layer of the whole picture of which F is a part, in the same layout."""
    height, width = _shaped(picture, stride).shape[2:]
    room = F.new_empty((1, height, width, F.shape[1]))
    return room.permute(0, 3, 1, 2)  # channels last
