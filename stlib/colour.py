"""Colours moved from one picture to another: how a transfer can keep those of the photo.

L. A. Gatys, A. S. Ecker, M. Bethge, A. Hertzmann & E. Shechtman, "Controlling perceptual factors in
neural style transfer",
CVPR 2017, section 5: either the style picture gets the content's colours before the transfer, or
only the brightness is transferred and the content keeps its hues.
"""

import torch
from torch import Tensor

from stlib._language import tr
from stlib.arguments import check_colours, check_same_shape, checked

# rows: brightness, and what the eye tells apart beside it: red from green, yellow from blue; they
# have length 1 and are at right angles to each other
OPPONENT = torch.tensor([[1.0, 1, 1], [1, -1, 0], [1, 1, -2]])
OPPONENT = OPPONENT / OPPONENT.norm(dim=1, keepdim=True)
BRIGHTNESS = (0.299, 0.587, 0.114)  # of red, green and blue to the eye (ITU-R BT.601)
# of a colour, so that a grey picture can be given colours; a 300th of the range, squared
SMALLEST_VARIANCE = 1e-5


@checked
def match_colours(picture: Tensor, reference: Tensor) -> Tensor:
    """The picture with its colours moved by one linear map to the mean and covariance of another's.

    x ← A (x − μ) + μ_r with A = Σ_r^½ Σ^-½ (section 5.2 of the paper).

    picture, reference: [1, 3, H, W] in [0, 1], of any sizes.
    Returns the shape of `picture`, not clamped: a few values may leave the range.
    """
    check_colours("picture", picture)
    check_colours("reference", reference)
    colours = picture[0].flatten(start_dim=1).double()  # [3, M]
    wanted = reference[0].flatten(start_dim=1).double()
    A = square_root(_covariance(wanted)) @ torch.linalg.inv(square_root(_covariance(colours)))
    matched = A @ (colours - colours.mean(dim=1, keepdim=True)) + wanted.mean(dim=1, keepdim=True)
    return matched.view(picture.shape).to(picture.dtype)


@checked
def to_opponent(picture: Tensor) -> Tensor:
    """RGB [1, 3, H, W] as brightness, red against green, and yellow against blue."""
    _check_planes("picture", picture)
    return torch.einsum("ij,bjhw->bihw", OPPONENT.to(picture), picture)


@checked
def from_opponent(planes: Tensor) -> Tensor:
    """The picture [1, 3, H, W] whose opponent colours these are: the inverse of `to_opponent`."""
    _check_planes("planes", planes)
    return torch.einsum("ij,bihw->bjhw", OPPONENT.to(planes), planes)


@checked
def luminance(picture: Tensor) -> Tensor:
    """How bright each pixel is to the eye, as a grey picture [1, 3, H, W] of equal channels."""
    _check_planes("picture", picture)
    return _brightness(picture).expand_as(picture)


@checked
def with_colours_of(picture: Tensor, colours: Tensor) -> Tensor:
    """The brightness of one picture with the hues of another picture of the same size.

    picture, colours: [1, 3, H, W] in [0, 1].
    Returns the same shape, not clamped.
    Raises ValueError when the sizes differ.
    """
    _check_planes("picture", picture)
    check_same_shape("picture", picture, "colours", colours)
    return colours + (_brightness(picture) - _brightness(colours))


@checked
def greyed_into_range(picture: Tensor) -> Tensor:
    """The picture with each colour made as much greyer as it needs to lie in 0…1.

    Brightness and hue stay; clamping each channel would change both.

    picture: [1, 3, H, W].
    Returns the same shape, in [0, 1].
    """
    _check_planes("picture", picture)
    grey = _brightness(picture)
    colour = picture - grey
    grey = grey.clamp(0, 1)
    room = torch.where(colour > 0, 1 - grey, grey)  # from the grey to the end of the range
    share = (room / colour.abs().clamp(min=1e-12)).amin(dim=1, keepdim=True).clamp(max=1)
    return (grey + share * colour).clamp(0, 1)


def _check_planes(name: str, planes: Tensor) -> None:
    if planes.ndim != 4 or planes.shape[1] != 3 or not planes.is_floating_point():
        raise ValueError(
            tr(
                "{name} has the shape {shape} and type {dtype}: give a float tensor [1, 3, H, W]."
            ).format(name=name, shape=list(planes.shape), dtype=planes.dtype)
        )


def _brightness(picture: Tensor) -> Tensor:
    return torch.einsum("bchw,c->bhw", picture, picture.new_tensor(BRIGHTNESS)).unsqueeze(1)


def _covariance(colours: Tensor) -> Tensor:
    # divided by M, so that a region of one pixel has a covariance, too
    return torch.cov(colours, correction=0) + SMALLEST_VARIANCE * torch.eye(3).to(colours)


@checked
def square_root(matrix: Tensor) -> Tensor:
    """The symmetric square root of a symmetric positive definite matrix."""
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not torch.isfinite(matrix).all():
        raise ValueError(
            tr("matrix has the shape {shape}: give finite [N, N].").format(shape=list(matrix.shape))
        )
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ values.clamp(min=0).sqrt().diag() @ vectors.T
