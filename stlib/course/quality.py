"""How good a painted picture is, in numbers that no solver of this package has lowered.

The losses here are those of a network of its own, written with `nn.Conv2d`. Grain and clipped
pixels are measured without any network.

Pictures are tensors [1, 3, H, W], RGB in [0, 1]. They are clamped and rounded to 8 bits first, as a
saved file has them. The painting is always given at the size at which the style was used.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from stlib._language import tr
from stlib.arguments import check_colours, check_some, checked
from stlib.layers import layers_of
from stlib.settings import CONTENT_LAYERS, STYLE_LAYERS
from stlib.weights import load_weights

# cycles per pixel: of each band of grain, the lowest frequency and the first that is too high
BANDS = ((0.25, 0.35), (0.35, 0.50))
YCBCR = ((0.299, 0.587, 0.114), (-0.169, -0.331, 0.5), (0.5, -0.419, -0.081))
# Ghosts are looked for in features that see texture. Colours alone did not find the ghost that
# everybody sees in castle × cafe-terrace at 288 px: there the photo decides what the border shows.
GHOST_LAYER = "relu4_1"
BORDER = 32  # pixels; depth of the band along each side
SMALLEST = 1e-12  # what a denominator is at least
SHIFTS = 6  # down and across, of the painting for the measure of chance


@dataclass(frozen=True)
class Ghost:
    """How much a picture's border shows the painting's border, beside what chance would show.

    value: a correlation, -1 … 1. mean, deviation: of the same number for the painting shifted by
        parts of its size, so that what lies at its border has never been there.
    """

    value: float
    mean: float
    deviation: float

    @property
    def above_chance(self) -> float:
        """Standard deviations between the value and the mean of chance."""
        return (self.value - self.mean) / max(self.deviation, SMALLEST)


@dataclass(frozen=True)
class Quality:
    """What `judge` finds.

    brightness_grain, colour_grain: for each of `BANDS`, power over the painting's own; 1 is as
        rough as the painting.
    ghost: of the painting's border.
    clipped, clipped_style: share of the numbers at the end of the range, of the picture and of the
        painting.
    content: Σ (F − P)² / Σ P² at relu4_2; 0 is the photo.
    style: E_l under each style layer; their mean is L_style.
    content_replicated, style_replicated: the same for a network that pads with the picture's edge.
        Zero padding favours those who paint with zero padding: it sees the border that they have
        fitted, at relu5_1 above all.
    """

    brightness_grain: tuple[float, ...]
    colour_grain: tuple[float, ...]
    ghost: Ghost
    clipped: float
    clipped_style: float
    content: float
    style: dict[str, float]
    content_replicated: float
    style_replicated: dict[str, float]

    @property
    def style_loss(self) -> float:
        """L_style, the mean of E_l over the style layers."""
        return mean_loss(self.style)

    def __str__(self) -> str:
        bands = [f"{low:.2f}–{high:.2f}" for low, high in BANDS]
        grain = [
            tr(
                "grain {band} cycles per pixel: brightness {brightness:.3g} ×, "
                "colour {colour:.3g} × the painting's"
            ).format(band=band, brightness=brightness, colour=colour)
            for band, brightness, colour in zip(
                bands, self.brightness_grain, self.colour_grain, strict=True
            )
        ]
        lines = [
            *grain,
            tr("border ghost: {value:.3f} (chance: {mean:.3f} ± {deviation:.3f})").format(
                value=self.ghost.value, mean=self.ghost.mean, deviation=self.ghost.deviation
            ),
            tr("clipped: {share:.2%} (the painting: {own:.2%})").format(
                share=self.clipped, own=self.clipped_style
            ),
            tr("content distance: {zero:.3f}; replicated {replicated:.3f}").format(
                zero=self.content, replicated=self.content_replicated
            ),
            tr("style loss: {zero}; replicated {replicated}").format(
                zero=_listed(self.style), replicated=_listed(self.style_replicated)
            ),
        ]
        return "\n".join(lines)


@checked
def mean_loss(losses: Mapping[str, float]) -> float:
    """L_style for E_l under each style layer: their mean, as w_l = 1/5 in the paper."""
    check_some("losses", losses)
    return sum(losses.values()) / len(losses)


def _listed(losses: Mapping[str, float]) -> str:
    layers = ", ".join(f"{layer} {loss:.3g}" for layer, loss in losses.items())
    return f"{mean_loss(losses):.3g} ({layers})"


@checked
def judge(result: Tensor, content: Tensor, style: Tensor) -> Quality:
    """All measures of a picture.

    result, content: of one size. style: the painting, at the size at which it was used.
    Raises ValueError when result and content differ in size.
    """
    check_same_size(result, content)
    brightness, colour = grain(result, style)
    layers = {*STYLE_LAYERS, *CONTENT_LAYERS, GHOST_LAYER}
    zero, replicated = (
        [features(picture, layers, padding) for picture in (result, content, style)]
        for padding in ("constant", "replicate")
    )
    return Quality(
        brightness_grain=brightness,
        colour_grain=colour,
        ghost=_ghost(*(F[GHOST_LAYER] for F in replicated)),
        clipped=clipped(result),
        clipped_style=clipped(style),
        content=_distance(zero[0], zero[1]),
        style=_losses(zero[0], zero[2]),
        content_replicated=_distance(replicated[0], replicated[1]),
        style_replicated=_losses(replicated[0], replicated[2]),
    )


@checked
def as_saved(picture: Tensor) -> Tensor:
    """The picture as a file of 8 bits has it: clamped, rounded; float64."""
    check_colours("picture", picture)
    return (picture.detach().double().clamp(0, 1) * 255).round() / 255


@checked
def clipped(picture: Tensor) -> float:
    """Share of the numbers (three per pixel) that are 0 or 255 in the saved picture."""
    levels = as_saved(picture)
    return float(((levels == 0) | (levels == 1)).double().mean())


@checked
def grain(result: Tensor, style: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Power of fine waves over that of the painting's own, for each of `BANDS`.

    Returns (of brightness Y, of colour Cb and Cr together). About 1 is as rough as the painting; a
    colour grain of 35 is coloured noise that everybody sees.
    """
    of_result, of_style = wave_power(result), wave_power(style)
    ratio = (of_result / of_style.clamp(min=SMALLEST)).tolist()
    return tuple(ratio[0]), tuple(ratio[1])


@checked
def wave_power(picture: Tensor) -> Tensor:
    """Mean power of the waves of each of `BANDS` under a Hann window, [2, bands].

    The first row is of brightness (Y), the second of colour (Cb plus Cr); values from 0 to 1 as the
    scale of brightness.
    """
    saved = as_saved(picture)[0]
    planes = torch.einsum("ij,jhw->ihw", saved.new_tensor(YCBCR), saved)
    planes = planes - planes.mean(dim=(1, 2), keepdim=True)
    height, width = planes.shape[1:]
    window = _hann(height, saved)[:, None] * _hann(width, saved)[None]
    power = torch.fft.fft2(planes * window).abs().square() / window.square().sum()
    power = torch.stack([power[0], power[1] + power[2]])
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    f = torch.from_numpy(f).to(saved.device)
    bands = [power[:, (f >= low) & (f < high)].mean(dim=1) for low, high in BANDS]
    return torch.stack(bands, dim=1)


def _hann(length: int, like: Tensor) -> Tensor:
    return torch.hann_window(length, periodic=False, dtype=like.dtype, device=like.device)


class PlainVGG(nn.Module):
    """VGG-19 as it is usually written, up to relu5_1: what judges results, and paints none.

    The filters are those that were trained (weights "oxford"). The features that it gives are
    divided by their mean activation over the sample pictures, channel by channel, which is the
    paper's normalised network; E_l then are numbers around 1.
    """

    def __init__(self) -> None:
        super().__init__()
        weights = load_weights("oxford")
        self.preprocess = weights.preprocess
        self.convolutions = nn.ModuleDict()
        for name, (filters, biases) in weights.convolutions.items():
            convolution = nn.Conv2d(filters.shape[1], filters.shape[0], kernel_size=3)
            convolution.weight.data.copy_(filters)
            convolution.bias.data.copy_(biases)  # type: ignore[union-attr]
            self.convolutions[name] = convolution
        with (files("stlib") / "channel_means.npz").open("rb") as file, np.load(file) as means:
            self.means = {layer: torch.from_numpy(means[layer]) for layer in means.files}
        self.requires_grad_(False)

    def forward(
        self, picture: Tensor, layers: Iterable[str], padding: str = "constant"
    ) -> dict[str, Tensor]:
        """{layer: [1, N, H, W]} for each named ReLU.

        padding: "constant" (with zeros, as the network was trained) or "replicate".
        """
        asked, found = set(layers), {}
        x = self.preprocess(picture)
        for layer in layers_of(19):
            if layer.kind == "conv":
                x = self.convolutions[layer.name](nnf.pad(x, (1, 1, 1, 1), mode=padding))
            elif layer.kind == "relu":
                x = nnf.relu(x)
            else:
                x = nnf.max_pool2d(x, 2)
            if layer.name in asked:
                found[layer.name] = x / self.means[layer.name].to(x).view(1, -1, 1, 1)
            if len(found) == len(asked):
                return found
        raise ValueError(
            tr("VGG-19 lacks a ReLU among {layers}: use relu1_1 … relu5_4.").format(
                layers=sorted(asked)
            )
        )


@lru_cache(maxsize=2)
def plain_network(device: torch.device) -> PlainVGG:
    """The network that judges pictures on this device; it is built once."""
    return PlainVGG().to(device)


@torch.no_grad()
def features(
    picture: Tensor, layers: Iterable[str], padding: str = "constant"
) -> dict[str, Tensor]:
    """What `PlainVGG` sees in the saved picture; arguments and errors are those of `forward`."""
    return plain_network(picture.device)(as_saved(picture).float(), layers, padding)


@checked
def style_losses(result: Tensor, style: Tensor, padding: str = "constant") -> dict[str, float]:
    """E_l = 1/(4 N²) Σ (G/M − A/M_a)² for each style layer (Gatys et al. 2016, eq. 4).

    padding: of the network, "constant" or "replicate".
    """
    return _losses(features(result, STYLE_LAYERS, padding), features(style, STYLE_LAYERS, padding))


def _losses(of_result: Mapping[str, Tensor], of_style: Mapping[str, Tensor]) -> dict[str, float]:
    """`style_losses` of features."""
    found = {}
    for layer in STYLE_LAYERS:
        N = of_result[layer].shape[1]
        difference = _correlations(of_result[layer]) - _correlations(of_style[layer])
        found[layer] = float(difference.square().sum() / (4 * N**2))
    return found


def _correlations(F: Tensor) -> Tensor:
    """G/M of a feature map [1, N, H, W], [N, N]."""
    return torch.einsum("bihw,bjhw->ij", F, F) / F.shape[2:].numel()


@checked
def content_distance(result: Tensor, content: Tensor, padding: str = "constant") -> float:
    """Σ (F − P)² / Σ P² over the content layers: L_content as a share of that of a blank F.

    padding: of the network, "constant" or "replicate".
    Raises ValueError when the pictures differ in size.
    """
    check_same_size(result, content)
    F = features(result, CONTENT_LAYERS, padding)
    return _distance(F, features(content, CONTENT_LAYERS, padding))


def _distance(F: Mapping[str, Tensor], P: Mapping[str, Tensor]) -> float:
    """`content_distance` of features."""
    distance = sum(float((F[layer] - P[layer]).square().sum()) for layer in CONTENT_LAYERS)
    return distance / sum(float(P[layer].square().sum()) for layer in CONTENT_LAYERS)


@checked
def check_same_size(result: Tensor, content: Tensor) -> None:
    """Raise a ValueError unless both pictures have one shape."""
    if result.shape != content.shape:
        raise ValueError(
            tr(
                "the result has the shape {shape}, the content picture {wanted}: they must agree."
            ).format(shape=list(result.shape), wanted=list(content.shape))
        )


@checked
def border_ghost(result: Tensor, content: Tensor, style: Tensor) -> Ghost:
    """How much more the picture's border resembles the painting's than its mirror image's.

    The texture of a border is the mean of relu4_1 over each half of the four 32-pixel bands, from a
    network with replicated padding, which does not see where a border is. What the left has and the
    right has not is compared: the value is the correlation of this difference in the picture, less
    what the photo has of it, with that in the painting. The photo's chance likeness to the painting
    stays in, so judge several pairs together, or use `mirror_ghost`.

    result, content, style: as for `judge`.
    Raises ValueError when result and content differ in size.
    """
    check_same_size(result, content)
    return _ghost(texture(result), texture(content), texture(style))


def _ghost(result: Tensor, content: Tensor, style: Tensor) -> Ghost:
    """`border_ghost` of feature maps."""
    of_result, of_photo = leaning(result), leaning(content)
    share = (of_result * of_photo).sum() / of_photo.square().sum().clamp(min=SMALLEST)
    return _beside_chance(of_result - share * of_photo, style)


@checked
def mirror_ghost(result: Tensor, mirrored: Tensor, style: Tensor) -> Ghost:
    """`border_ghost` from two pictures: the surer measure, where a second run can be afforded.

    result: painted after `style`. mirrored: painted in the same way from the same photo after the
    painting's mirror image, style.flip(3). Photo and solver act on both alike, so their difference
    shows only what changed sides with the painting.
    Raises ValueError when the two differ in size.
    """
    check_same_size(result, mirrored)
    return _beside_chance(leaning(texture(result)) - leaning(texture(mirrored)), texture(style))


@checked
def texture(picture: Tensor) -> Tensor:
    """The picture in relu4_1 without a sense of its border, [1, N, H, W]."""
    return features(picture, [GHOST_LAYER], padding="replicate")[GHOST_LAYER]


def leaning(F: Tensor) -> Tensor:
    """What each half of the border bands has, and its mirror image's place has not.

    F: a feature map [1, N, H, W]. Returns [4, N, 2]: top, bottom (left half, right half), left,
    right (upper half, lower half).
    """
    depth = BORDER // 2 ** (int(GHOST_LAYER[4]) - 1)
    top, bottom = (
        nnf.adaptive_avg_pool2d(band, (1, 2)) for band in (F[:, :, :depth], F[:, :, -depth:])
    )
    left, right = (
        nnf.adaptive_avg_pool2d(band, (2, 1)) for band in (F[..., :depth], F[..., -depth:])
    )
    differences = [top - top.flip(3), bottom - bottom.flip(3), left - right, right - left]
    return torch.cat([band.flatten(start_dim=2) for band in differences])


def _beside_chance(difference: Tensor, F: Tensor) -> Ghost:
    """The correlation of a picture's leaning with the painting's, beside that of chance.

    F: the painting's feature map, which is shifted for chance.
    """
    height, width = F.shape[2:]
    found = []
    for down in range(SHIFTS):
        for across in range(SHIFTS):
            shift = height * down // SHIFTS, width * across // SHIFTS
            of_style = leaning(F.roll(shift, (2, 3)))
            size = difference.norm() * of_style.norm()
            found.append((difference * of_style).sum() / size.clamp(min=SMALLEST))
    value, *others = torch.stack(found).tolist()
    return Ghost(value, float(np.mean(others)), float(np.std(others, ddof=1)))
