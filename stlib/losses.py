"""All of the mathematics on one page.

One layer, one picture: F is the feature map written as a matrix [N, M], N channels by M positions.
P is F of the content picture, A the Gram matrix of the style picture, G that of the generated one.
Equation numbers are those of L. A. Gatys, A. S. Ecker & M. Bethge, "Image style transfer using
convolutional neural networks", CVPR 2016.

The paper's sums are kept as they are. Where the paper assumes pictures of equal size, each picture
has its own M here.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from stlib._kernels.gram import guided_product, self_product
from stlib._language import tr
from stlib.arguments import check_floats, check_same_shape, checked


@checked
def flatten_positions(features: Tensor) -> Tensor:
    """F, the feature map as a matrix: one row per channel, one column per position.

    features: [1, N, H, W], [N, H, W] or [N, M]. Returns [N, M].
    Raises ValueError for a batch of more than one picture, whose positions must not be mixed.
    """
    check_floats("features", features)
    if features.ndim == 4 and features.shape[0] != 1:
        raise ValueError(
            tr("features of {count} pictures {shape}: give one picture at a time.").format(
                count=features.shape[0], shape=list(features.shape)
            )
        )
    if features.ndim not in (2, 3, 4):
        raise ValueError(
            tr(
                "features have the shape [1, N, H, W], [N, H, W] or [N, M], these have {shape}."
            ).format(shape=list(features.shape))
        )
    # features[0] would lose the memory layout in its gradient
    F = features.squeeze(0) if features.ndim == 4 else features
    return F.flatten(start_dim=1)


@checked
def gram_matrix(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """G = F Fᵀ, the inner products of all pairs of feature maps (eq. 3).

    features: [1, N, H, W], [N, H, W] or [N, M], any float dtype.
    mask: T, one number for each position, [1, 1, H, W], [H, W] or [M]: the features are multiplied
        by it, so that only a region counts (the guided Gram matrix of Gatys et al. 2017,
        "Controlling perceptual factors"); None is 1 everywhere.
    Returns [N, N]. G[i, i] says how strongly feature i is present, G[i, j] how much i and j occur
    together; where they occur is lost. Raises ValueError for a batch of more than one picture, or a
    mask of another size.
    """
    F = flatten_positions(features)  # [N, M]
    if mask is None:
        return self_product(F)  # F Fᵀ
    if mask.numel() != F.shape[1]:
        raise ValueError(
            tr(
                "a mask of the shape {mask_shape} for features {shape}: give one number for each "
                "position."
            ).format(mask_shape=list(mask.shape), shape=list(features.shape))
        )
    return guided_product(F, mask.flatten().square())  # (T∘F)(T∘F)ᵀ


@checked
def style_target(features: Tensor) -> Tensor:
    """A/M, the Gram matrix per position: all that the style loss has to know of the style picture.

    features: as for `gram_matrix`. Returns [N, N].
    """
    M = flatten_positions(features).shape[1]
    return gram_matrix(features) / M


@checked
def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """L_content = ½ Σ (F − P)² (eq. 1). Its gradient with respect to F is F − P.

    features, target: F and P, of one shape. Returns a scalar.
    Raises ValueError when the shapes differ, which broadcasting would hide.
    """
    if features.shape != target.shape:
        raise ValueError(
            tr(
                "content features of different shapes, {shape} and {target_shape}: the generated "
                "picture must have the size of the content picture."
            ).format(shape=list(features.shape), target_shape=list(target.shape))
        )
    F, P = features, target
    return (F - P).square().sum() / 2


@checked
def style_layer_loss(features: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """E_l = 1/(4 N²) Σ (G/M − A/M_a)², the style loss of one layer (eq. 4).

    For pictures of equal size it is the paper's 1/(4 N² M²) Σ (G − A)².

    features: F of the generated picture. target: A/M_a, from `style_target`, [N, N]. Returns a
        scalar.
    mask: T as for `gram_matrix`; then G is that of the region, and M is Σ T², which for a region
        with sharp edges is the number of its positions.
    Its gradient with respect to F is (G/M − A/M_a) F / (N² M); the mask in eq. 6 belongs to the
    ReLU below.
    """
    N, M = flatten_positions(features).shape
    if target.shape != (N, N):
        raise ValueError(
            tr(
                "the style target has the shape {target_shape}, these features need {needed}: is "
                "it from another layer, or not yet a style_target?"
            ).format(target_shape=list(target.shape), needed=[N, N])
        )
    # Gatys et al. 2017 scale T so that Σ T² is 1, and G by nothing else: the same G/M
    positions = M if mask is None else mask.square().sum()
    return gram_loss(gram_matrix(features, mask) / positions, target)


@checked
def gram_loss(gram: Tensor, target: Tensor) -> Tensor:
    """1/(4 N²) Σ (G/M − A/M_a)², for those who have the Gram matrix per position already.

    gram, target: G/M and A/M_a, [N, N]. Returns a scalar.
    """
    check_same_shape("gram", gram, "target", target)
    return (gram - target).square().sum() / (4 * len(gram) ** 2)


@checked
def style_layer_losses(
    features: Mapping[str, Tensor], targets: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """E_l for each layer of `targets` (eq. 4).

    features: {layer: F}; there may be others, too. targets: {layer: A/M_a}, from `style_target`.
    Returns {layer: E_l}.
    Raises ValueError when a layer lacks its features.
    """
    for layer in targets:
        if layer not in features:
            raise ValueError(
                tr("the style target {layer!r} lacks its features.").format(layer=layer)
            )
    return {layer: style_layer_loss(features[layer], A) for layer, A in targets.items()}


@checked
def style_loss(E: Mapping[str, Tensor], w: Mapping[str, float] | None = None) -> Tensor:
    """L_style = Σ_l w_l E_l (eq. 5).

    E: {layer: E_l}, from `style_layer_loss`. w: {layer: w_l}; None is the paper's choice, one over
    the number of layers. Returns a scalar.
    Raises ValueError when there is no layer, or when E and w are not of the same layers.
    """
    if not E:
        raise ValueError(tr("E holds no style layer: give the loss of at least one."))
    w = dict.fromkeys(E, 1 / len(E)) if w is None else w
    if set(w) != set(E):
        raise ValueError(
            tr(
                "the losses are of {losses}, the weights of {weights}: name the same layers."
            ).format(losses=list(E), weights=list(w))
        )
    return sum((w[layer] * E[layer] for layer in w), torch.zeros(()))


@checked
def total_variation(image: Tensor) -> Tensor:
    """Σ |x[i+1, j] − x[i, j]| + Σ |x[i, j+1] − x[i, j]|: how rough a picture is.

    It is not in the paper (L. Rudin, S. Osher & E. Fatemi 1992).

    image: [..., H, W]. Returns a scalar: 0 for a constant picture.
    """
    _check_plane(image)
    x = image
    return (x[..., 1:, :] - x[..., :-1, :]).abs().sum() + (
        x[..., :, 1:] - x[..., :, :-1]
    ).abs().sum()


@checked
def roughness(image: Tensor) -> Tensor:
    """The mean square of the differences between neighbouring pixels; not in the paper.

    image: [..., H, W]. Returns a scalar, 0 for a constant picture. Unlike `total_variation`, a mean
    does not grow with the picture.
    """
    _check_plane(image)
    x = image
    down, right = x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]
    return (down.square().sum() + right.square().sum()) / x.numel()


@checked
def overflow(image: Tensor) -> Tensor:
    """The mean square of how far values lie outside 0…1; not in the paper.

    Clamping them at the end would turn fine differences of brightness into specks of colour.
    image: of any shape. Returns a scalar, 0 for a picture that can be shown as it is.
    """
    check_floats("image", image)
    return (image - image.clamp(0, 1)).square().mean()


@checked
def total_loss(content: Tensor, style: Tensor, alpha: float, beta: float) -> Tensor:
    """L_total = α L_content + β L_style (eq. 7)."""
    return alpha * content + beta * style


def _check_plane(image: Tensor) -> None:
    check_floats("image", image)
    if image.ndim < 2 or 0 in image.shape:
        raise ValueError(
            tr("image has the shape {shape}: give [..., H, W].").format(shape=list(image.shape))
        )
