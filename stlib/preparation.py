"""The pictures before and after painting: how large the strokes are, and whose the colours.

L. A. Gatys, A. S. Ecker, M. Bethge, A. Hertzmann & E. Shechtman, "Preserving color in neural
artistic style transfer", arXiv:1606.05897, for the two ways to keep a photo's colours.
"""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from stlib._language import tr
from stlib.brushes import Brush
from stlib.colour import greyed_into_range, luminance, match_colours, with_colours_of
from stlib.images import MOST_BYTES
from stlib.layers import SMALLEST_SIDE
from stlib.settings import Settings
from stlib.solver import shrink

MOST_PIXELS = MOST_BYTES // 4  # of a style picture, as of any that is opened


def prepare(
    content: Tensor, brushes: Sequence[Brush], settings: Settings
) -> tuple[Tensor, list[Brush], Settings]:
    """What is painted in place of the pictures given: content, brushes and settings.

    content: p, [1, 3, H, W]. brushes: the styles. settings: of the run.
    Raises ValueError for a `style_size` at which a style picture would be too small or too large.
    """
    brushes = resize_styles(brushes, settings.style_size)
    if settings.colors == "style":
        return content, brushes, settings
    if settings.colors == "brightness":
        content = _grey(content)
        brushes = [replace(brush, picture=_grey(brush.picture)) for brush in brushes]
        if isinstance(settings.init, Tensor):
            settings = replace(settings, init=_grey(settings.init))
    # of two grey pictures, this is what matches the means and deviations of their brightness
    return content, [_recoloured(brush, content) for brush in brushes], settings


def finish(picture: Tensor, *, photo: Tensor, settings: Settings) -> Tensor:
    """The painted picture as it is shown: where only brightness is painted, in the photo's colours.

    picture: [1, 3, H, W] in [0, 1]. photo: the content, of the same size. settings: of the run.
    Returns the same shape, in [0, 1]; a colour too strong for its new brightness is made greyer.
    """
    if settings.colors != "brightness":
        return picture
    return greyed_into_range(with_colours_of(picture, photo.to(picture)))


def resize_styles(brushes: Sequence[Brush], style_size: int | None) -> list[Brush]:
    """The brushes with their pictures at `style_size`, the longer side in pixels.

    style_size: None leaves them as they are.
    Raises ValueError when a picture would be too small or too large.
    """
    if style_size is None:
        return list(brushes)
    return [replace(brush, picture=_resized(brush.picture, style_size)) for brush in brushes]


def _resized(picture: Tensor, style_size: int) -> Tensor:
    height, width = picture.shape[2:]
    longer, shorter = max(height, width), min(height, width)
    if round(shorter * style_size / longer) < SMALLEST_SIDE:
        raise ValueError(
            tr(
                "style_size is {style_size}: the style picture of {width} × {height} pixels would "
                "be under {smallest} pixels on its shorter side. Give {least} or more, or crop it."
            ).format(
                style_size=style_size,
                width=width,
                height=height,
                smallest=SMALLEST_SIDE,
                least=-(-SMALLEST_SIDE * longer // shorter),
            )
        )
    if style_size**2 * shorter > MOST_PIXELS * longer:
        raise ValueError(
            tr(
                "style_size is {style_size}: the style picture would have more than {most} million "
                "pixels. Give less."
            ).format(style_size=style_size, most=MOST_PIXELS // 10**6)
        )
    return shrink(picture, style_size / longer)


def _grey(picture: Tensor) -> Tensor:
    return luminance(picture).contiguous()


def _recoloured(brush: Brush, content: Tensor) -> Brush:
    """The brush with the colours of what it paints."""
    reference = _region(content, brush.mask).to(brush.picture.device)
    return replace(brush, picture=match_colours(brush.picture, reference).clamp(0, 1))


def _region(content: Tensor, mask: Tensor | None) -> Tensor:
    """The pixels that a brush paints, as a picture [1, 3, 1, M]; without a mask, the content."""
    if mask is None:
        return content
    T = mask.detach().reshape(content.shape[2:]).to(content.device)
    painted = T.ge(T.max() / 2)
    return content[..., painted].unsqueeze(2)
