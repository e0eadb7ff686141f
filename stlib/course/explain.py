"""Look inside a CNN: what excites a channel, and what a layer still knows of a picture.

Channels are maximised in Fourier space (C. Olah, A. Mordvintsev & L. Schubert, "Feature
visualization", Distill 2017); layers are inverted after A. Mahendran & A. Vedaldi, "Understanding
deep image representations by inverting them", CVPR 2015.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import torch
import torch.nn.functional as nnf
from torch import Tensor

from stlib._language import tr
from stlib._progress import progress_bar
from stlib.arguments import (
    check_axes,
    check_colours,
    check_picture,
    check_same_shape,
    check_some,
    check_whole_number,
    checked,
)
from stlib.colour import square_root
from stlib.descent import Evaluation, descend, lbfgs
from stlib.images import sample, sample_names
from stlib.layers import LayerCost, find_layer, layer_table
from stlib.losses import content_loss
from stlib.solver import frequencies
from stlib.vgg import VGG


@dataclass(frozen=True)
class Patch:
    """A part of a picture that excites a channel.

    image: [1, 3, r, r], r the receptive field; white where it reaches beyond the picture.
        activation: of the channel there.
    source: the name of the picture. row, column: of the patch's upper left corner, in pixels;
        negative beyond the border.
    """

    image: Tensor
    activation: float
    source: str
    row: int
    column: int


@dataclass(frozen=True)
class Rebuilt:
    """What `rebuild` found.

    picture: the one with the lowest loss; its values may leave 0…1. losses: of each evaluation.
    frames: the picture at every `every`-th evaluation, in 0…1.
    """

    picture: Tensor
    losses: list[float] = field(default_factory=list)
    frames: list[Tensor] = field(default_factory=list)


@checked
def receptive_field(layer: str, depth: int = 19) -> int:
    """The side, in pixels, of the square of the picture that one position of a layer can see.

    Raises ValueError for an unknown layer.
    """
    return _row(layer, depth).receptive_field


@checked
def maximize(
    net: VGG,
    layer: str,
    channels: Sequence[int],
    *,
    size: int = 96,
    steps: int = 64,
    jitter: int = 4,
    seed: int = 0,
    progress: bool = True,
) -> Tensor:
    """Pictures that excite channels of a layer as much as AdamW finds, from faint noise.

    net: normalised or not. layer: for a relu layer its convolution is maximised, since a silent
        ReLU has no gradient.
    channels: their numbers, from 0; each gets a picture. size: of the pictures, in pixels. jitter:
    each step sees the picture moved by up to so many pixels, so that nothing can depend on one
    exact place.
    Returns [len(channels), 3, size, size], RGB in [0, 1], on the CPU; the same for the same seed.
    Raises ValueError for an unknown layer or channel.
    """
    for name, number, least in (("size", size, 1), ("steps", steps, 0), ("jitter", jitter, 0)):
        check_whole_number(name, number, least)
    layer = find_layer(layer, net.depth).convolution.name
    _check_channels(net, layer, channels)
    generator = torch.Generator().manual_seed(seed)
    canvas = size + 2 * jitter
    spectrum = _faint_noise(len(channels), canvas, canvas, generator).to(net.device)
    spectrum.requires_grad_()
    which = torch.arange(len(channels))
    # the decay keeps colours from saturating
    optimizer = torch.optim.AdamW([spectrum], lr=0.05, weight_decay=1.0)
    with progress_bar(steps, tr("step"), shown=progress) as bar:
        for _ in range(steps):
            top, left = torch.randint(0, 2 * jitter + 1, (2,), generator=generator).tolist()
            picture = _picture(spectrum, canvas, canvas)
            picture = picture[..., top : top + size, left : left + size]
            activations = net.features(picture, [layer])[layer][which, list(channels)]
            optimizer.zero_grad()
            (-activations.mean(dim=(1, 2)).sum()).backward()
            optimizer.step()
            bar.update()
    with torch.no_grad():
        middle = slice(jitter, jitter + size)
        return _picture(spectrum, canvas, canvas)[..., middle, middle].cpu()


@checked
def top_patches(
    net: VGG, images: Mapping[str, Tensor], layer: str, channel: int, count: int = 4
) -> list[Patch]:
    """The parts of pictures that excite a channel most, the strongest first.

    images: {name: [1, 3, H, W]}. Two patches of one picture lie at least half a receptive field
    apart; there may be fewer than `count` of them. Raises ValueError for an unknown layer or
    channel.
    """
    _check_channels(net, layer, [channel])
    row = _row(layer, net.depth)
    apart = max(1, row.receptive_field // 2 // row.stride)  # in positions of the layer
    found = []
    for name, image in images.items():
        with torch.no_grad():
            activations = net.features(image, [layer])[layer][0, channel].clone()
        for _ in range(count):
            place = int(activations.argmax())
            y, x = divmod(place, activations.shape[1])
            if not torch.isfinite(activations[y, x]):
                break
            top, left = (row.stride * i + (row.stride - row.receptive_field) // 2 for i in (y, x))
            found.append(
                Patch(
                    _cut(image, top, left, row.receptive_field),
                    float(activations[y, x]),
                    name,
                    top,
                    left,
                )
            )
            activations[
                max(0, y - apart) : y + apart + 1, max(0, x - apart) : x + apart + 1
            ] = -torch.inf
    return sorted(found, key=lambda patch: -patch.activation)[:count]


@checked
def invert(
    net: VGG, image: Tensor, layer: str, *, steps: int = 60, seed: int = 0, progress: bool = True
) -> Tensor:
    """A picture, found from noise, that has the same features at a layer as `image`.

    Minimises the content loss (Gatys et al. 2016, eq. 1) with L-BFGS over Fourier coefficients,
    `steps` evaluations; the same seed gives the same noise at every layer. image: [1, 3, H, W].
    Returns [1, 3, H, W], RGB in [0, 1], on the CPU.
    Raises ValueError for an unknown layer or a picture that is too small for it.
    """
    net.check(image, [layer])
    with torch.no_grad():
        P = net.features(image, [layer])[layer]
    height, width = image.shape[2:]
    generator = torch.Generator().manual_seed(seed)
    spectrum = _faint_noise(1, height, width, generator).to(net.device).requires_grad_()

    def objective(x: Tensor) -> tuple[Tensor, dict[str, float]]:
        loss = content_loss(net.features(x, [layer])[layer], P) / P.numel()
        return loss, {"total": float(loss.detach())}

    with progress_bar(steps, tr("eval"), shown=progress) as bar:

        def note(seen: Evaluation) -> None:
            bar.update()

        descend(
            objective,
            spectrum,
            lambda z: _picture(z, height, width),
            lbfgs(spectrum),
            steps,
            note,
        )
    with torch.no_grad():
        return _picture(spectrum, height, width).cpu()


@checked
def paint_statistic(
    net: VGG,
    painting: Tensor,
    layers: Sequence[str],
    statistic: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    steps: int = 80,
    progress: bool = True,
) -> Tensor:
    """A picture of which a statistic of each layer's features is that of a painting's.

    Minimises the sum over layers of the mean square difference with L-BFGS, `steps` evaluations.
    statistic: from features [1, N, H, W] to any tensor, for example their means. start: the picture
        to begin with, [1, 3, H, W].
    Returns [1, 3, H, W], RGB in [0, 1], on the CPU.
    """
    check_picture("painting", painting)
    check_picture("start", start)
    with torch.no_grad():
        wanted = {layer: statistic(F) for layer, F in net.features(painting, layers).items()}

    def loss(x: Tensor) -> Tensor:
        found = net.features(x, layers)
        losses = [nnf.mse_loss(statistic(F), wanted[layer]) for layer, F in found.items()]
        return torch.stack(losses).sum()

    painted = rebuild(loss, start.detach().to(net.device), steps=steps, progress=progress)
    return painted.picture.clamp(0, 1).cpu()


@checked
def rebuild(
    loss: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    steps: int = 60,
    every: int = 4,
    progress: bool = True,
) -> Rebuilt:
    """Go downhill from a picture: change its pixels by L-BFGS so that a loss falls.

    loss: from a picture [1, 3, H, W] to a number, differentiable. start: where to begin; it stays
    as it is. steps: evaluations of the loss. every: evaluations from frame to frame.
    """
    check_colours("start", start)
    check_whole_number("steps", steps, 1)
    check_whole_number("every", every, 1)
    x = start.clone().requires_grad_()
    losses: list[float] = []
    frames: list[Tensor] = []
    best = start

    def objective(picture: Tensor) -> tuple[Tensor, dict[str, float]]:
        value = loss(picture)
        return value, {"total": float(value.detach())}

    with progress_bar(steps, tr("eval"), shown=progress) as bar:

        def note(seen: Evaluation) -> None:
            nonlocal best
            if not losses or seen.losses["total"] < min(losses):
                best = seen.x.detach().clone()
            if len(losses) % every == 0:
                frames.append(seen.x.detach().clamp(0, 1))
            losses.append(seen.losses["total"])
            bar.update()

        descend(objective, x, lambda z: z, lbfgs(x), steps, note)
    return Rebuilt(best, losses, frames)


@checked
def missed_by_one_kernel(net: VGG, layer: str, learn: Sequence[Tensor], test: Tensor) -> Tensor:
    """How much of a layer's maps no single convolution of the picture explains, for each channel.

    Least squares find the kernels, as large as the layer's receptive field, and their biases.

    layer: a convolution, up to conv2_2; deeper ones have too many pixels in their field. learn:
        pictures [1, 3, H, W] to find the kernels on. test: another one, to judge them on.
    Returns [N], the share of a map's variance that is missed; above 1 a constant would do better.
    """
    check_some("learn", learn)
    for picture in learn:
        check_picture("learn", picture)
    check_picture("test", test)
    inner = outer = torch.zeros(())
    for picture in learn:
        X, Y = _patches_and_maps(net, layer, picture)
        inner, outer = inner + X.T @ X, outer + X.T @ Y
    kernels = torch.linalg.lstsq(inner, outer, driver="gelsd").solution
    X, Y = _patches_and_maps(net, layer, test)
    return (X @ kernels - Y).square().mean(dim=0) / Y.var(dim=0, correction=0)


def _patches_and_maps(net: VGG, layer: str, picture: Tensor) -> tuple[Tensor, Tensor]:
    """What each position sees, with a 1 for the bias, [M, 3 r² + 1], and its features, [M, N]."""
    row = _row(layer, net.depth)
    r, stride = row.receptive_field, row.stride
    before = (stride - r) // 2  # from a position's own pixels to the first one that it sees
    first = -(before // stride)  # position that lies in the picture with all its field
    patches = nnf.unfold(
        picture[..., stride * first + before :, stride * first + before :], r, stride=stride
    )
    with torch.no_grad():
        F = net.features(picture, [layer])[layer][0]
    rows, columns = (
        (side - stride * first - before - r) // stride + 1 for side in picture.shape[2:]
    )
    F = F[:, first : first + rows, first : first + columns]
    X = nnf.pad(patches[0].T, (0, 1), value=1.0)
    return X.double(), F.flatten(1).T.double()


@checked
def shuffled(picture: Tensor, seed: int = 0) -> Tensor:
    """The same pixels in another order; all channels of a pixel stay together.

    picture: [1, C, H, W].
    """
    check_axes("picture", picture, "[1, C, H, W]")
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(picture[0, 0].numel(), generator=generator)
    return picture.flatten(2)[..., order].view_as(picture)


@checked
def zone_shares(pull: Tensor, top: int, left: int, side: int, margin: int = 2) -> list[float]:
    """How much of a map lies inside of a square, along its edge, and around it, as shares of 1.

    pull: [H, W], not negative. top, left, side: of the square, in pixels. margin: half the width
    of the edge.
    """
    check_axes("pull", pull, "[H, W]")
    total = pull.sum()
    inner, outer = (
        float(pull[top - m : top + side + m, left - m : left + side + m].sum() / total)
        for m in (-margin, margin)
    )
    return [inner, outer - inner, 1 - outer]


@checked
def equal_changes(picture: Tensor, pixels: int = 4, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """A picture, moved and noisy: both changes have the same mean square.

    picture: [1, 3, H, W]; a margin of 2 · pixels is cut off. pixels: to the right. seed: of noise.
    """
    check_colours("picture", picture)
    m = 2 * pixels
    middle, moved = picture[..., m:-m, m:-m], picture[..., m:-m, m - pixels : -m - pixels]
    noise = torch.randn(middle.shape, generator=torch.Generator().manual_seed(seed))
    strength = ((moved - middle).square().mean() / noise.square().mean()).sqrt()
    return middle, moved, middle + strength * noise


@checked
def shares_of_others(
    originals: Mapping[str, Mapping[str, Tensor]], changed: Mapping[str, Mapping[str, Tensor]]
) -> dict[str, list[float]]:
    """The content loss of changed pictures, as a share of the mean loss of the other originals.

    originals, changed: {picture: {layer: features}}, all of one shape in a layer.
    Returns {layer: a number for each picture}.
    """
    check_some("originals", originals)
    if not changed:
        raise ValueError(
            tr("changed holds nothing, originals {originals}: give the same pictures.").format(
                originals=", ".join(originals)
            )
        )
    if changed.keys() != originals.keys():
        raise ValueError(
            tr("changed holds {changed}, originals {originals}: give the same pictures.").format(
                changed=", ".join(changed), originals=", ".join(originals)
            )
        )
    shares: dict[str, list[float]] = {layer: [] for layer in next(iter(originals.values()))}
    for name, features in originals.items():
        for layer, P in features.items():
            others = [
                float(content_loss(other[layer], P))
                for title, other in originals.items()
                if title != name
            ]
            loss = float(content_loss(changed[name][layer], P))
            shares[layer].append(loss * len(others) / sum(others))
    return shares


@checked
def pieces(picture: Tensor, height: int, width: int) -> list[Tensor]:
    """Five pieces of a picture, its corners and its middle, each [1, 3, height, width]."""
    check_colours("picture", picture)
    check_whole_number("height", height, 1)
    check_whole_number("width", width, 1)
    H, W = picture.shape[2:]
    places = [(y, x) for y in (0, H - height) for x in (0, W - width)]
    places.append(((H - height) // 2, (W - width) // 2))
    return [picture[..., y : y + height, x : x + width] for y, x in places]


@checked
def psnr(image: Tensor, original: Tensor) -> float:
    """Peak signal-to-noise ratio, 10 log₁₀(1 / mean square difference), in dB."""
    check_same_shape("image", image, "original", original)
    return float(-10 * torch.log10((image - original).square().mean()))


@checked
def equally_detailed(pictures: Tensor, names: Sequence[str], seed: int = 0) -> Tensor:
    """For each picture a grey crop of a sample that has as much fine detail; none is used twice.

    pictures: [B, C, H, W], square. names: of the samples to crop, each at three sizes. Detail is
    `detail`.
    Returns [B, C, H, W].
    """
    check_axes("pictures", pictures, "[B, C, H, W]")
    check_some("names", names)
    height, side = pictures.shape[2:]
    if height != side:
        raise ValueError(
            tr("pictures are {height} × {width} pixels: give squares.").format(
                height=height, width=side
            )
        )
    generator = torch.Generator().manual_seed(seed)
    found = []
    for name in names:
        for size in (3 * side, 6 * side, 12 * side):
            grey = sample(name, size).mean(dim=1, keepdim=True)
            room = torch.tensor(grey.shape[2:]) - side
            places = (torch.rand(250, 2, generator=generator) * room).long()
            found += [grey[..., y : y + side, x : x + side] for y, x in places.tolist()]
    crops = torch.cat(found)
    difference = (detail(pictures)[:, None] - detail(crops)).abs()  # [pictures, crops]
    chosen: list[int] = []
    for row in difference:
        row[chosen] = torch.inf
        chosen.append(int(row.argmin()))
    return crops[chosen].expand_as(pictures)


@checked
def detail(pictures: Tensor) -> Tensor:
    """How much fine detail pictures [B, C, H, W] have: the mean absolute Laplacian, [B]."""
    check_axes("pictures", pictures, "[B, C, H, W]")
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    grey = pictures.mean(dim=1, keepdim=True)
    return torch.nn.functional.conv2d(grey, kernel).abs().mean(dim=(1, 2, 3))


def _faint_noise(count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Fourier coefficients of nearly grey pictures, [count, 3, H, W // 2 + 1, 2]."""
    noise = torch.randn(
        count, 3, height, width // 2 + 1, dtype=torch.complex64, generator=generator
    )
    return torch.view_as_real(0.01 * noise)


def _picture(spectrum: Tensor, height: int, width: int) -> Tensor:
    """The picture of Fourier coefficients [B, 3, H, W // 2 + 1, 2], [B, 3, H, W] in 0…1.

    The amplitudes of natural pictures fall as 1/f. Their colours are correlated, those of the
    coefficients are not: each triple is mixed as the samples' colours are. A sigmoid keeps the
    values in 0…1.
    """
    f = frequencies(height, width).to(spectrum.device)
    coefficients = torch.view_as_complex(spectrum) / f
    waves = torch.fft.irfft2(coefficients, s=(height, width), norm="ortho")
    return torch.einsum("ij,bjhw->bihw", _colour_mix().to(waves), waves).sigmoid()


@cache
def _colour_mix() -> Tensor:
    """The square root of the covariance of the samples' colours, scaled to a norm of 1."""
    colours = torch.cat([sample(name, 64)[0].flatten(1) for name in sample_names()], dim=1)
    root = square_root(torch.cov(colours))
    return root / torch.linalg.matrix_norm(root, ord=2)


def _cut(image: Tensor, top: int, left: int, side: int) -> Tensor:
    height, width = image.shape[2:]
    patch = image.new_ones(1, 3, side, side)
    rows, columns = (
        slice(max(top, 0), min(top + side, height)),
        slice(max(left, 0), min(left + side, width)),
    )
    patch[..., rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = (
        image[..., rows, columns]
    )
    return patch


def _row(layer: str, depth: int) -> LayerCost:
    rows = {row.name: row for row in layer_table(depth, 32)}
    if layer not in rows:
        raise ValueError(
            tr("no layer {layer!r} in VGG-{depth}; there are {layers}.").format(
                layer=layer, depth=depth, layers=", ".join(rows)
            )
        )
    return rows[layer]


def _check_channels(net: VGG, layer: str, channels: Sequence[int]) -> None:
    N = _row(layer, net.depth).shape[0]
    wrong = [channel for channel in channels if not 0 <= channel < N]
    if not len(channels):
        raise ValueError(
            tr("{layer} has the channels 0 … {last}; asked for none.").format(
                layer=layer, last=N - 1
            )
        )
    if wrong:
        raise ValueError(
            tr("{layer} has the channels 0 … {last}; asked for {wrong}.").format(
                layer=layer, last=N - 1, wrong=wrong
            )
        )
