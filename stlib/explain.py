"""Look inside a CNN: which picture excites a channel, which parts of real pictures do, and what a layer still knows.

Channels are maximised in Fourier space (C. Olah, A. Mordvintsev & L. Schubert, "Feature visualization", Distill 2017);
layers are inverted after A. Mahendran & A. Vedaldi, "Understanding deep image representations by inverting them", CVPR 2015.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from tqdm.auto import tqdm

from stlib.images import sample, sample_names
from stlib.losses import content_loss
from stlib.vgg import VGG, Layer, layer_table


@dataclass(frozen=True)
class Patch:
    """A part of a picture that excites a channel.

    image: [1, 3, r, r], r the receptive field; white where it reaches beyond the picture. activation: of the channel there.
    source: the name of the picture. row, column: of the patch's upper left corner, in pixels; negative beyond the border.
    """

    image: Tensor
    activation: float
    source: str
    row: int
    column: int


def receptive_field(layer: str, depth: int = 19) -> int:
    """The side, in pixels, of the square of the picture that one position of a layer of VGG-`depth` can see.

    Raises ValueError for an unknown layer.
    """
    return _row(layer, depth).receptive_field


def maximize(net: VGG, layer: str, channels: Sequence[int], *, size: int = 96, steps: int = 64, jitter: int = 4,
             seed: int = 0, progress: bool = True) -> Tensor:
    """Pictures that excite channels of a layer as much as AdamW finds in `steps` steps, from faint noise.

    net: normalised or not. layer: for a relu layer its convolution is maximised, since a silent ReLU has no gradient.
    channels: their numbers, from 0; each gets a picture. size: of the pictures, in pixels. jitter: each step sees the
    picture moved by up to so many pixels, so that nothing can depend on one exact place.
    Returns [len(channels), 3, size, size], RGB in [0, 1], on the CPU; the same for the same seed.
    Raises ValueError for an unknown layer or channel.
    """
    layer = layer.replace("relu", "conv")
    _check_channels(net, layer, channels)
    generator = torch.Generator().manual_seed(seed)
    canvas = size + 2 * jitter
    spectrum = _faint_noise(len(channels), canvas, canvas, generator).to(net.device).requires_grad_()
    which = torch.arange(len(channels))
    optimiser = torch.optim.AdamW([spectrum], lr=0.05, weight_decay=1.0)  # the decay keeps colours from saturating
    for _ in tqdm(range(steps), disable=_silent(progress), leave=False, unit="step"):
        top, left = torch.randint(0, 2 * jitter + 1, (2,), generator=generator).tolist()
        picture = _painted(spectrum, canvas)[..., top:top + size, left:left + size]
        activations = net.features(picture, [layer])[layer][which, list(channels)]
        optimiser.zero_grad()
        (-activations.mean(dim=(1, 2)).sum()).backward()
        optimiser.step()
    with torch.no_grad():
        return _painted(spectrum, canvas)[..., jitter:jitter + size, jitter:jitter + size].cpu()


def top_patches(net: VGG, images: Mapping[str, Tensor], layer: str, channel: int, count: int = 4) -> list[Patch]:
    """The parts of pictures that excite a channel most, cut out by the receptive field, the strongest first.

    images: {name: [1, 3, H, W]}. Two patches of one picture lie at least half a receptive field apart; there may be fewer
    than `count` of them. Raises ValueError for an unknown layer or channel.
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
            found.append(Patch(_cut(image, top, left, row.receptive_field), float(activations[y, x]), name, top, left))
            activations[max(0, y - apart):y + apart + 1, max(0, x - apart):x + apart + 1] = -torch.inf
    return sorted(found, key=lambda patch: -patch.activation)[:count]


def invert(net: VGG, image: Tensor, layer: str, *, steps: int = 60, seed: int = 0, progress: bool = True) -> Tensor:
    """A picture, found from noise, whose features at a layer are those of `image`: what the layer still knows of it.

    Minimises the content loss (Gatys et al. 2016, eq. 1) with L-BFGS over Fourier coefficients, `steps` evaluations; the
    same seed gives the same noise at every layer. image: [1, 3, H, W]. Returns [1, 3, H, W], RGB in [0, 1], on the CPU.
    Raises ValueError for an unknown layer or a picture that is too small for it.
    """
    net.check(image, [layer])
    with torch.no_grad():
        P = net.features(image, [layer])[layer]
    height, width = image.shape[2:]
    generator = torch.Generator().manual_seed(seed)
    spectrum = _faint_noise(1, height, width, generator).to(net.device).requires_grad_()
    optimiser = torch.optim.LBFGS([spectrum], max_iter=steps, max_eval=steps, history_size=20, tolerance_grad=0,
                                  tolerance_change=0, line_search_fn="strong_wolfe")

    with tqdm(total=steps, disable=_silent(progress), leave=False, unit="eval") as bar:
        def closure() -> Tensor:
            optimiser.zero_grad()
            loss = content_loss(net.features(_painted(spectrum, height, width), [layer])[layer], P) / P.numel()
            loss.backward()
            bar.update()
            return loss

        optimiser.step(closure)
    with torch.no_grad():
        return _painted(spectrum, height, width).cpu()


def psnr(image: Tensor, original: Tensor) -> float:
    """Peak signal-to-noise ratio, 10 log₁₀(1 / mean square difference), in decibels, for pictures in [0, 1]."""
    return float(-10 * torch.log10((image - original).square().mean()))


def _silent(progress: bool) -> bool:
    return not progress or bool(os.environ.get("TQDM_DISABLE"))  # tqdm's own switch, which its notebook bar overlooks


def _faint_noise(count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Fourier coefficients of nearly grey pictures, [count, 3, H, W // 2 + 1, 2]: real and imaginary parts."""
    noise = torch.randn(count, 3, height, width // 2 + 1, dtype=torch.complex64, generator=generator)
    return torch.view_as_real(0.01 * noise)


def _painted(spectrum: Tensor, height: int, width: int | None = None) -> Tensor:
    """The picture of Fourier coefficients [B, 3, H, W // 2 + 1, 2]: natural pictures have amplitudes that fall as 1/f.

    The coefficients' colours are uncorrelated, those of pictures are not: each triple is mixed as the samples' colours are.
    A sigmoid keeps the values in 0…1.
    """
    width = width or height
    fy = torch.fft.fftfreq(height, device=spectrum.device)[:, None]
    fx = torch.fft.rfftfreq(width, device=spectrum.device)[None]
    f = (fy**2 + fx**2).sqrt().clamp(min=1 / max(height, width))
    waves = torch.fft.irfft2(torch.view_as_complex(spectrum) / f, s=(height, width), norm="ortho")
    return torch.einsum("ij,bjhw->bihw", _colour_mix().to(waves), waves).sigmoid()


@cache
def _colour_mix() -> Tensor:
    """The square root of the covariance of the sample pictures' colours, of largest singular value 1."""
    colours = torch.cat([sample(name, 64)[0].flatten(1) for name in sample_names()], dim=1)
    values, vectors = torch.linalg.eigh(torch.cov(colours))
    root = vectors @ values.sqrt().diag() @ vectors.T
    return root / values.max().sqrt()


def _cut(image: Tensor, top: int, left: int, side: int) -> Tensor:
    height, width = image.shape[2:]
    patch = image.new_ones(1, 3, side, side)
    rows, columns = slice(max(top, 0), min(top + side, height)), slice(max(left, 0), min(left + side, width))
    patch[..., rows.start - top:rows.stop - top, columns.start - left:columns.stop - left] = image[..., rows, columns]
    return patch


def _row(layer: str, depth: int) -> Layer:
    rows = {row.name: row for row in layer_table(depth, 32)}
    if layer not in rows:
        raise ValueError(f"no layer {layer!r} in VGG-{depth}; there are {', '.join(rows)}.")
    return rows[layer]


def _check_channels(net: VGG, layer: str, channels: Sequence[int]) -> None:
    N = _row(layer, net.depth).shape[0]
    wrong = [channel for channel in channels if not 0 <= channel < N]
    if wrong or not len(channels):
        raise ValueError(f"{layer} has the channels 0 … {N - 1}; asked for {wrong or 'none'}.")
