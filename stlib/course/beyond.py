"""Other losses for the same loop: what else two pictures' features can be compared by.

Each loss is a pair of functions, as `style_target` and `style_layer_loss` are: the target is all
that the loss has to know of the painting, and is computed once.

Features are F, [1, N, H, W], [N, H, W] or [N, M]: M vectors of N numbers, a cloud. Two clouds need
as many channels, not as many positions. What is lost is where in the picture a vector lies.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as nnf
from torch import Tensor

from stlib.arguments import checked
from stlib.colour import square_root
from stlib.losses import (
    content_loss,
    flatten_positions,
    style_layer_loss,
    style_loss,
    style_target,
    total_loss,
)
from stlib.objective import default_beta
from stlib.settings import CONTENT_LAYERS, STYLE_LAYERS
from stlib.vgg import VGG

SMALLEST = 1e-4  # added to each variance: without it a root's slope at 0 has no end
ROWS = 1024  # of a matrix of similarities at a time, which may have a hundred million entries


@checked
def moments(features: Tensor) -> Tensor:
    """μ and σ of each channel, [2, N]."""
    F = flatten_positions(features)
    return torch.stack([F.mean(dim=1), (F.var(dim=1, correction=0) + SMALLEST).sqrt()])


@checked
def moments_loss(features: Tensor, target: Tensor) -> Tensor:
    """1/N Σ (μ − μ_a)² + (σ − σ_a)², as in Y. Li et al. 2017, "Demystifying".

    These are the numbers that AdaIN sets (X. Huang & S. Belongie 2017).
    target: from `moments`.
    """
    found = moments(features)
    _check_channels(found.shape[1], target.shape[1])
    return (found - target).square().sum() / found.shape[1]


class Gaussian(NamedTuple):
    """The mean μ, [N, 1], and the root of the covariance C, [N, N], of a cloud, in float64."""

    mean: Tensor
    root: Tensor


@checked
def gaussian(features: Tensor) -> Gaussian:
    """All that `wasserstein_loss` has to know of the painting."""
    mean, C = _mean_and_covariance(features)
    return Gaussian(mean, square_root(C))


@checked
def wasserstein_loss(features: Tensor, target: Gaussian) -> Tensor:
    """1/N (‖μ − μ_a‖² + tr(C + C_a − 2 (C_a^½ C C_a^½)^½)): Gaussian Wasserstein-2, squared.

    Of the roots only the eigenvalues are needed; a little is added to each variance.
    target: from `gaussian`.
    """
    mean, C = _mean_and_covariance(features)
    _check_channels(len(mean), len(target.mean))
    R = target.root
    both = R @ C @ R
    eigenvalues = torch.linalg.eigvalsh((both + both.T) / 2)
    # the smallest that there can be; rounding may have brought them below 0
    overlap = eigenvalues.clamp(min=SMALLEST**2).sqrt().sum()
    distance = (mean - target.mean).square().sum() + C.trace() + R.square().sum() - 2 * overlap
    return (distance / len(mean)).to(features.dtype)


def _mean_and_covariance(features: Tensor) -> tuple[Tensor, Tensor]:
    # the roots of small eigenvalues need more digits than float32 has
    F = flatten_positions(features).double()
    mean = F.mean(dim=1, keepdim=True)
    centred = F - mean
    C = centred @ centred.T / F.shape[1]
    return mean, C + SMALLEST * torch.eye(len(C)).to(C)


class Slices(NamedTuple):
    """Directions V, [K, N], and the painting's vectors along each, sorted, [K, M]."""

    directions: Tensor
    values: Tensor


@checked
def slices(features: Tensor, seed: int = 0) -> Slices:
    """All that `sliced_loss` has to know of the painting: as many directions as channels."""
    F = flatten_positions(features)
    generator = torch.Generator().manual_seed(seed)
    V = torch.randn(len(F), len(F), generator=generator).to(F)
    V = V / V.norm(dim=1, keepdim=True)
    return Slices(V, (V @ F).sort(dim=1).values)


@checked
def sliced_loss(features: Tensor, target: Slices) -> Tensor:
    """Mean of (sort(v·F) − sort(v·A))² over directions and positions (E. Heitz et al. 2021).

    Where M differs, the painting's sorted values are interpolated.
    target: from `slices`.
    """
    F = flatten_positions(features)
    _check_channels(len(F), target.directions.shape[1])
    wanted = resized(target.values, F.shape[1])
    return ((target.directions @ F).sort(dim=1).values - wanted).square().mean()


def resized(values: Tensor, count: int) -> Tensor:
    """Sorted values, [K, M], as if there were `count` of them: [K, count]."""
    if values.shape[1] == count:
        return values
    return nnf.interpolate(values[None], size=count, mode="linear")[0]


class Directions(NamedTuple):
    """The mean of a cloud, [N, 1], and where each vector points from there, [N, M]."""

    mean: Tensor
    units: Tensor


@checked
def directions(features: Tensor) -> Directions:
    """All that `nearest_loss` has to know of the painting."""
    F = flatten_positions(features)
    mean = F.mean(dim=1, keepdim=True)
    return Directions(mean, nnf.normalize(F - mean, dim=0))


@checked
def nearest_loss(features: Tensor, target: Directions) -> Tensor:
    """1/M Σ_i min_j (1 − cos(f_i, a_j)), the core of N. Kolkin et al. 2022 in its simplest form.

    Angles are seen from the painting's mean: after a ReLU all vectors point into one corner.
    target: from `directions`.
    """
    F = flatten_positions(features)
    _check_channels(len(F), len(target.mean))
    units = nnf.normalize(F - target.mean, dim=0)
    with torch.no_grad():  # which one is nearest does not change by a small step
        nearest = [(rows @ target.units).argmax(dim=1) for rows in units.T.split(ROWS)]
    return 1 - (units * target.units[:, torch.cat(nearest)]).sum(dim=0).mean()


def _check_channels(found: int, wanted: int) -> None:
    if found != wanted:
        raise ValueError(
            f"features of {found} channels, a target of {wanted}: are both from one layer?"
        )


class Loss(NamedTuple):
    """A loss for style: of one layer, and where it is asked."""

    target: Callable[[Tensor], Any]
    loss: Callable[[Tensor, Any], Tensor]
    layers: tuple[str, ...] = STYLE_LAYERS


LOSSES = {
    "gram": Loss(style_target, style_layer_loss),
    "moments": Loss(moments, moments_loss),
    "wasserstein": Loss(gaussian, wasserstein_loss),
    "sliced": Loss(slices, sliced_loss),
    "nearest": Loss(directions, nearest_loss, ("relu3_1", "relu4_1")),
}


class Objective:
    """α L_content + β L_style with any of the losses; α is 1, L_style the mean over its layers.

    It is called as `stlib.objective.Objective` is, and `descend` takes either.

    net: the network. content, style: pictures, [1, 3, H, W] in [0, 1]. loss: what L_style is.
    beta: None takes the default for the Gram matrix.
    """

    def __init__(
        self, net: VGG, content: Tensor, style: Tensor, loss: Loss, beta: float | None = None
    ):
        self.net, self.loss = net, loss
        with torch.no_grad():
            self.P = net.features(content, CONTENT_LAYERS)
            self.targets = targets(net, style, loss)
        self.beta = default_beta(self.P) if beta is None else beta

    def __call__(self, x: Tensor) -> tuple[Tensor, dict[str, float]]:
        F = self.net.features(x, {*self.P, *self.targets})
        L_content = sum((content_loss(F[layer], P) for layer, P in self.P.items()), torch.zeros(()))
        L_style = layer_mean(F, self.targets, self.loss)
        L_total = total_loss(L_content, L_style, 1.0, self.beta)
        terms = {"total": L_total, "content": L_content, "style": L_style}
        return L_total, {name: float(term.detach()) for name, term in terms.items()}


def targets(net: VGG, style: Tensor, loss: Loss) -> dict[str, Any]:
    """What a loss has to know of a painting, by layer."""
    return {layer: loss.target(F) for layer, F in net.features(style, loss.layers).items()}


def layer_mean(features: Mapping[str, Tensor], targets: Mapping[str, Any], loss: Loss) -> Tensor:
    """L_style: the mean of a loss over its layers."""
    return style_loss({layer: loss.loss(features[layer], A) for layer, A in targets.items()})


def pull(net: VGG, x: Tensor, style: Tensor, loss: Loss) -> float:
    """How hard a loss pulls at a picture: the norm of the gradient of L_style."""
    x = x.detach().clone().requires_grad_()
    L_style = layer_mean(net.features(x, loss.layers), targets(net, style, loss), loss)
    (gradient,) = torch.autograd.grad(L_style, x)
    return float(gradient.norm())
