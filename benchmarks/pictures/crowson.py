"""K. Crowson's recipe (style-transfer-pytorch), written anew from its formulas.

Each layer's style is the mean and the covariance of its features; two styles are compared by the
Wasserstein-2 distance of the Gaussians that have them. Adam paints scale after scale, and the
result is the average of its latest pictures. Our weights are normalised to mean activations of 1,
as the recipe's losses expect activations of that order; first-layer padding is replicated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from benchmarks.pictures import methods
from stlib.settings import CONTENT_LAYERS, STYLE_LAYERS

STYLE_WEIGHTS = dict(zip(STYLE_LAYERS, (256, 64, 16, 4, 1), strict=True))
CONTENT_WEIGHT, TV_WEIGHT = 0.015, 2.0
SMALLEST = 128  # pixels, of the longer side at the first scale; each next one is √2 times as large
FIRST, LATER = 1000, 500  # iterations at the first scale and at each other
RATE, BETA1, BETA2, EPSILON = 0.02, 0.9, 0.99, 1e-8  # of Adam
AVERAGE = 0.99  # of the exponential mean of the pictures
RIDGE = 1e-4  # on the diagonal of each covariance
ROOT_STEPS = 12  # of Newton–Schulz


@dataclass
class State:
    """What Adam knows, and what it changes.

    x: the picture. m, v: the running means of the gradient and of its square. step: iterations so
    far. mean, share: of the latest pictures; mean / share is their exponential average.
    """

    x: Tensor
    m: Tensor
    v: Tensor
    step: Tensor
    mean: Tensor
    share: Tensor

    def average(self) -> Tensor:
        return self.mean / self.share


def iterations(size: int) -> dict[int, int]:
    """{longer side of a scale: iterations}, from the smallest scale to full size."""
    scales = [size]
    while (next_one := round(size / 2 ** (len(scales) / 2))) >= SMALLEST:
        scales.append(next_one)
    return {scale: LATER if number else FIRST for number, scale in enumerate(reversed(scales))}


def paint(content: Tensor, style: Tensor, device: torch.device, total: int) -> Tensor:
    """Paint scale after scale; arguments as for `methods`.

    total: iterations, divided among the scales as in the recipe.
    """
    size = max(content.shape[2:])
    plan = iterations(size)
    content, style = content.to(device), style.to(device)
    net = network(device)
    state = None
    for scale, published in plan.items():
        p, a = resized(content, scale / size), resized(style, scale / size)
        state = fresh(p) if state is None else enlarged(state, p.shape[2:])
        step = adam(Loss(net, p, a), state)
        methods.repeat(step, max(1, round(total * published / sum(plan.values()))), device)
    assert state is not None  # there is at least one scale
    return methods.finished(state.average())


def network(device: torch.device) -> nn.Sequential:
    """VGG-19 up to relu5_1, its input padded with its own edge."""
    net = methods.usual_network(methods.weights_of(True), STYLE_LAYERS[-1])
    net.conv1_1.padding_mode = "replicate"
    return net.to(device)


def resized(picture: Tensor, share: float) -> Tensor:
    size = [round(side * share) for side in picture.shape[2:]]
    return nnf.interpolate(picture, size=size, mode="bicubic", antialias=True).clamp(0, 1)


def fresh(x: Tensor) -> State:
    """Before the first iteration."""
    zero = x.new_zeros(())
    zeros = torch.zeros_like(x)
    return State(
        x.clone().requires_grad_(), zeros, zeros.clone(), zero, zeros.clone(), zero.clone()
    )


def enlarged(state: State, size: Sequence[int]) -> State:
    """The average becomes the next scale's first picture; Adam's means grow with it."""
    larger = fresh(nnf.interpolate(state.average(), size=size, mode="bicubic").clamp(0, 1))
    larger.m.copy_(nnf.interpolate(state.m, size=size, mode="bicubic"))
    larger.v.copy_(nnf.interpolate(state.v, size=size, mode="bilinear"))
    larger.step.copy_(state.step)
    return larger


def adam(loss: "Loss", state: State) -> Callable[[], None]:
    """The function that makes one iteration; it changes `state` in place."""
    x, m, v = state.x, state.m, state.v

    def step() -> None:
        (gradient,) = torch.autograd.grad(loss(x), x)
        with torch.no_grad():
            state.step.add_(1)
            m.lerp_(gradient, 1 - BETA1)
            v.lerp_(gradient.square(), 1 - BETA2)
            spread = (v / (1 - BETA2**state.step)).sqrt() + EPSILON
            x.sub_(RATE * m / (1 - BETA1**state.step) / spread).clamp_(0, 1)
            state.mean.lerp_(x, 1 - AVERAGE)
            state.share.lerp_(torch.ones_like(state.share), 1 - AVERAGE)

    return step


class Loss:
    """The recipe's loss as a function of x, [1, 3, H, W] in [0, 1]."""

    def __init__(self, net: nn.Sequential, content: Tensor, style: Tensor):
        self.net = net
        preprocess = methods.weights_of(True).preprocess
        # made once: a recorded graph may not copy from the CPU
        self.mean = content.new_tensor(preprocess.mean).view(1, 3, 1, 1)
        self.std = content.new_tensor(preprocess.std).view(1, 3, 1, 1)
        self.w = {layer: w / sum(STYLE_WEIGHTS.values()) for layer, w in STYLE_WEIGHTS.items()}
        with torch.no_grad():
            self.P = self.features(content, CONTENT_LAYERS)
            of_style = self.features(style, STYLE_LAYERS)
            self.targets = {layer: Target(*moments(F)) for layer, F in of_style.items()}

    def features(self, x: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        return methods.features(self.net, (x.flip(1) - self.mean) / self.std, layers)

    def __call__(self, x: Tensor) -> Tensor:
        F = self.features(x, [*CONTENT_LAYERS, *STYLE_LAYERS])
        content = sum(nnf.mse_loss(F[layer], P) for layer, P in self.P.items())
        style = sum(w * self.targets[layer].distance(F[layer]) for layer, w in self.w.items())
        return CONTENT_WEIGHT * content + style + TV_WEIGHT * total_variation(x)


class Target:
    """The Gaussian of a painting's features in one layer.

    mean: [N]. covariance: [N, N].
    """

    def __init__(self, mean: Tensor, covariance: Tensor):
        self.mean, self.covariance = mean, covariance
        self.root, _ = square_root(covariance)

    def distance(self, F: Tensor) -> Tensor:
        """Wasserstein-2 between it and the Gaussian of F, divided by the number of channels."""
        mean, covariance = moments(F)
        between = TraceOfRoot.apply(self.root @ covariance @ self.root)
        # not trace(): its gradient is read on the CPU, which a recorded graph may not
        traces = (covariance + self.covariance).diagonal().sum()
        spread = (traces - 2 * between) / len(mean)
        return (mean - self.mean).square().mean() + spread


def moments(F: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [N] and covariance [N, N] of features [1, N, H, W] over their positions."""
    rows = F.flatten(start_dim=2)[0]
    mean = rows.mean(dim=1)
    centred = rows - mean[:, None]
    ridge = RIDGE * torch.eye(len(mean), dtype=F.dtype, device=F.device)
    return mean, centred @ centred.T / rows.shape[1] + ridge


class TraceOfRoot(torch.autograd.Function):
    """tr A^½ of a symmetric, positive matrix A; its gradient is ½ A^-½."""

    @staticmethod
    def forward(ctx, A: Tensor) -> Tensor:
        root, inverse = square_root(A)
        ctx.save_for_backward(inverse)
        return root.trace()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> Tensor:
        (inverse,) = ctx.saved_tensors
        return gradient / 2 * inverse


def square_root(A: Tensor) -> tuple[Tensor, Tensor]:
    """A^½ and A^-½ of a symmetric, positive matrix [N, N] by Newton–Schulz iterations."""
    size = A.norm()
    Y = A / size
    Z = identity = torch.eye(len(A), dtype=A.dtype, device=A.device)
    for _ in range(ROOT_STEPS):
        T = (3 * identity - Z @ Y) / 2
        Y, Z = Y @ T, T @ Z
    return Y * size.sqrt(), Z / size.sqrt()


def total_variation(x: Tensor) -> Tensor:
    """Mean squared difference to the eight neighbours; one on a diagonal counts a quarter."""
    x = nnf.pad(x, (1, 1, 1, 1), mode="replicate")
    here = x[..., 1:-1, 1:-1]
    across, down = x[..., 1:-1, 2:] - here, x[..., 2:, 1:-1] - here
    falling, rising = x[..., 1:, 1:] - x[..., :-1, :-1], x[..., 1:, :-1] - x[..., :-1, 1:]
    straight = across.square().mean() + down.square().mean()
    diagonal = falling.square().mean() + rising.square().mean()
    return 2 / 3 * straight + 1 / 6 * diagonal
