"""Several styles in one picture: blended, or each in a region of its own.

L. A. Gatys, A. S. Ecker, M. Bethge, A. Hertzmann & E. Shechtman, "Controlling perceptual factors in
neural style transfer", CVPR 2017, section 4, for the regions; the blend is a weighted sum of style
losses.
"""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as nnf
from torch import Tensor

from stlib._language import tr
from stlib.arguments import check_picture, check_tensor, check_weight, checked
from stlib.errors import ImageError, one_line
from stlib.images import Source, as_tensor, load_pil
from stlib.layers import FLOATS
from stlib.solver import SMALLEST_SIDE, shrink

DARKEST_MASK = 15  # of 255: programs that divide pictures into regions number them 0, 1, 2, …
FAINTEST = 1 / 512  # of a mask; less is black in a file of 8 bits, and nearer to 1 is white


@dataclass(frozen=True, eq=False)
class Brush:
    """One style of several: its picture, how much it counts, and where.

    picture: a, [1, 3, H, W] in [0, 1], of any size. weight: λ, above 0, compared with the weights
        of the other brushes.
    mask: T, [H, W] or [1, 1, H, W] in [0, 1], of the content's height and width: 1 where the style
        applies, 0 where it does not, smooth edges in between; None is 1 everywhere.

    With brushes i in place of one style picture, the style loss is

        L_style = Σ_i p_i Σ_l w_l E_l(F, A_i, T_i),    p_i = C λ_i t_i / Σ_j λ_j t_j,

    with E_l as in `style_layer_loss`, t_i the mean of T_i, that is the brush's share of the
    picture, and C the mean of min(1, Σ_i T_i), the share that is painted at all. So the weights of
    a blend are relative; masks that divide the picture leave each region a style as strong as it
    would have alone; and one brush without a mask is the style loss of the paper.
    """

    picture: Tensor
    weight: float = 1.0
    mask: Tensor | None = None


def load_mask(source: Source, content: Tensor) -> Tensor:
    """Read a grey picture as a mask for this content picture: white is 1, black is 0.

    What is transparent is unpainted, so it is 0. A mask that is nearly black, as those of programs
    that number regions, is a RuntimeWarning.

    source: as for `load_image`; of the content's shape, but of any size, since it is scaled.
    Returns [1, 1, H, W].
    Raises ImageError when there is no picture in it, or one of another shape than the content's;
    ValueError when content is no picture.
    """
    check_picture("content", content)
    # read at its full size: Pillow would shrink it with a filter that rings beside sharp edges
    mask = as_tensor(load_pil(source, None, paper="black")).mean(dim=1, keepdim=True)
    is_file = isinstance(source, (str, os.PathLike))
    named = tr("the mask {file}").format(file=one_line(source)) if is_file else tr("the mask")
    (h, w), (height, width) = mask.shape[2:], content.shape[2:]
    scale = max(height, width) / max(h, w)
    if (
        max(abs(scale * h - height), abs(scale * w - width)) > 1
    ):  # 1 is the rounding of the content's shorter side
        raise ImageError(
            tr(
                "{named} is {w} × {h} pixels, the content picture {width} × {height}: both need "
                "the same shape. Draw the mask over the content picture."
            ).format(named=named, w=w, h=h, width=width, height=height)
        )
    lightest = round(255 * mask.max().item())
    if 0 < lightest <= DARKEST_MASK:
        warnings.warn(
            tr(
                "{named} is nearly black: its lightest value is {lightest} of 255, and 255 is "
                "where the style applies. Multiply its values."
            ).format(named=named, lightest=lightest),
            RuntimeWarning,
            stacklevel=2,
        )
    return nnf.interpolate(mask, size=(height, width), mode="bilinear", antialias=True).clamp(0, 1)


def check_style(style: object, content: Tensor | None = None) -> None:
    """Raise a ValueError unless `style` is a picture or a list of brushes.

    content: the picture whose size the masks must have; None looks at no mask.
    """
    if isinstance(style, Brush):
        style = [style]
    if not isinstance(style, (list, tuple)):
        check_picture("style", style)
        return
    if not style:
        raise ValueError(tr("style is an empty list: give a picture, or at least one brush."))
    for number, brush in enumerate(style):
        _check_brush(f"style[{number}]", brush, content)


def _check_brush(name: str, brush: object, content: Tensor | None) -> None:
    if not isinstance(brush, Brush):
        raise ValueError(
            tr(
                "style is a list that holds a {type}: make a brush of every picture, style = "
                "[stlib.Brush(picture), …]."
            ).format(type=type(brush).__name__)
        )
    check_picture(f"{name}.picture", brush.picture)
    check_weight(f"{name}.weight", brush.weight)
    if brush.weight == 0:
        raise ValueError(
            tr("{name}.weight is 0: leave this brush out, or give it a weight above 0.").format(
                name=name
            )
        )
    if brush.mask is not None and content is not None:
        _check_mask(f"{name}.mask", brush.mask, content)


def _check_mask(name: str, mask: Tensor, content: Tensor) -> None:
    check_tensor(name, mask, lambda: tr("give one number in 0…1 for each pixel, or None"))
    size = list(content.shape[2:])
    if list(mask.shape) not in (size, [1, 1, *size]) or mask.dtype not in FLOATS:
        raise ValueError(
            tr(
                "{name} has the shape {shape} and type {dtype}: a mask is a float tensor of the "
                "content's height and width, {size}."
            ).format(name=name, shape=list(mask.shape), dtype=mask.dtype, size=size)
        )
    low, high = mask.min().item(), mask.max().item()
    if not (low >= 0 and high <= 1):  # nan is neither
        raise ValueError(
            tr(
                "{name} has values from {low:.3g} to {high:.3g}: they should lie in 0…1. Divide by "
                "255?"
            ).format(name=name, low=low, high=high)
        )
    if high < FAINTEST:
        raise ValueError(
            tr(
                "{name} is 0 everywhere: this brush paints nowhere. Leave it out, or give it a "
                "region."
            ).format(name=name)
        )
    if low > 1 - FAINTEST:
        warnings.warn(
            tr(
                "{name} is 1 everywhere, as if there were none: 0 is where the style does not "
                "apply."
            ).format(name=name),
            RuntimeWarning,
            stacklevel=2,
        )


@checked
def make_brushes(
    pictures: Sequence[Tensor],
    weights: Sequence[float] | None = None,
    masks: Sequence[Tensor | None] | None = None,
) -> list[Brush]:
    """A brush of each picture.

    weights: one for each picture; None is 1 for all.
    masks: one for each picture; None paints everywhere. Where all pictures but the last have a
        mask, the last one gets what they leave.
    """
    weights = [1.0] * len(pictures) if weights is None else weights
    *others, last = [None] * len(pictures) if masks is None else masks
    given = [mask for mask in others if mask is not None]
    if last is None and given and len(given) == len(others):
        last = (1 - sum(given[1:], given[0])).clamp(min=0)
    pairs = zip(pictures, weights, [*others, last], strict=True)
    return [Brush(picture, weight, mask) for picture, weight, mask in pairs]


def as_brushes(style: Tensor | Brush | Sequence[Brush]) -> list[Brush]:
    """A style as a list of brushes: a picture is one brush of weight 1 without a mask."""
    if isinstance(style, Tensor):
        style = Brush(style)
    return [style] if isinstance(style, Brush) else list(style)


def brush_factors(brushes: Sequence[Brush]) -> list[float]:
    """p_i, the factor of each brush's loss; their sum is C, the share that is painted."""
    # Gatys et al. leave the factors to the user. E_l is a mean over its region, whatever the
    # region's size, but the content loss of the region grows with it: a small region would be
    # painted with a far stronger style than a large one.
    masks = [
        torch.ones(()) if brush.mask is None else brush.mask.detach().float().cpu()
        for brush in brushes
    ]
    # only the weights' ratios count, so none is too large or too small to multiply
    heaviest = max(brush.weight for brush in brushes)
    areas = [
        brush.weight / heaviest * float(T.mean()) for brush, T in zip(brushes, masks, strict=True)
    ]
    covered = float(sum(masks, torch.zeros(())).clamp(max=1).mean())
    return [covered * area / sum(areas) for area in areas]


def mask_at(mask: Tensor | None, features: Tensor) -> Tensor | None:
    """T at the size of a layer: at each position the mean of the mask over its part of the picture.

    mask: [H, W], [1, 1, H, W] or None, which stays None. features: [1, N, H', W'].
    Returns [1, 1, H', W'] on the features' device.
    """
    if mask is None:
        return None
    # no position of the mask is left out, so that a region of one pixel still has a position in the
    # deepest layer
    T = mask.detach().to(features).view(1, 1, *mask.shape[-2:])
    return nnf.interpolate(T, size=features.shape[2:], mode="area")


def coverage(brushes: Sequence[Brush], picture: Tensor) -> Tensor:
    """min(1, Σ T) for each pixel: 1 where a brush paints, 0 where none does.

    picture: [1, 3, H, W]. Returns [1, 1, H, W].
    """
    masks = [mask_at(brush.mask, picture) for brush in brushes]
    everywhere = torch.ones_like(picture[:, :1])
    total = sum((everywhere if T is None else T for T in masks), torch.zeros_like(everywhere))
    return total.clamp(max=1)


def shrink_pictures(brushes: Sequence[Brush], share: float) -> list[Brush]:
    """The brushes with their pictures at a share of their size, but none smaller than a stage's.

    Masks keep their size, since every layer shrinks them anyway.
    """
    return [replace(brush, picture=_shrunk(brush.picture, share)) for brush in brushes]


def _shrunk(picture: Tensor, share: float) -> Tensor:
    least = min(1.0, SMALLEST_SIDE / min(picture.shape[2:]))
    return shrink(picture, max(share, least))
