"""The colours of one picture for another one: the content's for the style, or the content's for the result.

L. A. Gatys, A. S. Ecker, M. Bethge, A. Hertzmann & E. Shechtman, "Controlling perceptual factors in neural style transfer",
CVPR 2017, section 5: either the style picture gets the content's colours before the transfer, or only the brightness is
transferred and the content keeps its hues.
"""

import torch
from torch import Tensor

BRIGHTNESS = (0.299, 0.587, 0.114)  # of red, green and blue to the eye (ITU-R BT.601)
SMALLEST_VARIANCE = (
    1e-5  # of a colour, so that a grey picture can be given colours; a 300th of the range, squared
)


def match_colours(picture: Tensor, reference: Tensor) -> Tensor:
    """The picture with each colour moved by one linear map, so that mean and covariance of its colours are the reference's.

    x ← A (x − μ) + μ_r with A = Σ_r^½ Σ^-½ (section 5.2 of the paper). picture, reference: [1, 3, H, W] in [0, 1], of any
    sizes. Returns the shape of `picture`, not clamped: a few values may leave the range.
    """
    colours, wanted = (
        image[0].flatten(start_dim=1).double() for image in (picture, reference)
    )  # [3, M]
    A = square_root(_covariance(wanted)) @ torch.linalg.inv(square_root(_covariance(colours)))
    matched = A @ (colours - colours.mean(dim=1, keepdim=True)) + wanted.mean(dim=1, keepdim=True)
    return matched.view(picture.shape).to(picture.dtype)


def luminance(picture: Tensor) -> Tensor:
    """How bright each pixel is to the eye, as a grey picture: [1, 3, H, W] → [1, 3, H, W] with three equal channels."""
    return _brightness(picture).expand_as(picture)


def with_colours_of(picture: Tensor, colours: Tensor) -> Tensor:
    """The brightness of one picture with the hues of another one of the same size.

    picture, colours: [1, 3, H, W] in [0, 1]. Returns the same, not clamped. Raises ValueError when the sizes differ.
    """
    if picture.shape != colours.shape:
        raise ValueError(
            f"pictures of different shapes, {list(picture.shape)} and {list(colours.shape)}: "
            "give both the same size."
        )
    return colours + (_brightness(picture) - _brightness(colours))


def _brightness(picture: Tensor) -> Tensor:
    return torch.einsum("bchw,c->bhw", picture, picture.new_tensor(BRIGHTNESS)).unsqueeze(1)


def _covariance(colours: Tensor) -> Tensor:
    return torch.cov(colours) + SMALLEST_VARIANCE * torch.eye(
        3, dtype=colours.dtype, device=colours.device
    )


def square_root(matrix: Tensor) -> Tensor:
    """The symmetric square root of a symmetric positive definite matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ values.clamp(min=0).sqrt().diag() @ vectors.T
