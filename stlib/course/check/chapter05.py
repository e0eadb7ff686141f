"""The exercises of chapter 05: style loss."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from stlib.course.check.answer import Function
from stlib.course.check.chapter04 import AUTOGRAD
from stlib.course.check.exercise import Rule, exercise

Features = dict[str, Tensor]


def _square_sum(F: Tensor, F_a: Tensor, M: float | None = None, M_a: float | None = None) -> Tensor:
    """Σ (G/M − A/M_a)², with each picture's own number of positions unless another is given."""
    G, A = F @ F.T, F_a @ F_a.T
    return (G / (M or F.shape[1]) - A / (M_a or F_a.shape[1])).square().sum()


def _layer_loss(F: Tensor, F_a: Tensor) -> Tensor:
    return _square_sum(F, F_a) / (4 * len(F) ** 2)


def _summed(
    layer_loss: Function = _layer_loss,
    weighed: Function = lambda w, E: w * E,
    as_matrix: Function = lambda features: features[0].flatten(1),
) -> Function:
    """The answer Σ weighed(w_l, E_l)."""

    def answer(features: Features, style_features: Features, w: dict[str, float]) -> Tensor:
        terms = [
            weighed(w[layer], layer_loss(as_matrix(F), as_matrix(style_features[layer])))
            for layer, F in features.items()
        ]
        return sum(terms, torch.zeros(()))

    return answer


def _last_layer_only(features: Features, style_features: Features, w: dict[str, float]) -> Tensor:
    layer = [*features][-1]
    return _summed()({layer: features[layer]}, style_features, w)


def _pictures(style_rows: int) -> tuple[Features, Features]:
    """Features of two layers, with 3 and 4 channels, of two pictures."""
    generator = torch.Generator().manual_seed(5)

    def rand(*shape: int) -> Tensor:
        return 2 * torch.rand(*shape, generator=generator, dtype=torch.float64)

    return (
        {"relu1_1": rand(1, 3, 3, 5), "relu2_1": rand(1, 4, 2, 2)},
        {"relu1_1": rand(1, 3, style_rows, 5), "relu2_1": rand(1, 4, style_rows - 1, 2)},
    )


def _weights(first: float, second: float) -> dict[str, float]:
    return {"relu1_1": first, "relu2_1": second}


def _sizes_and_weights(features: Features, style_features: Features, w: dict[str, float]) -> str:
    equal = features["relu1_1"].shape == style_features["relu1_1"].shape
    which = "pictures of one size" if equal else "a style picture with twice as many positions"
    return f"{which} and w = {', '.join(f'{weight:g}' for weight in w.values())}"


NO_GRADIENT = "Where does your loss stop being a tensor, or get detached?"


@exercise(
    cases=[
        (*_pictures(3), _weights(1.0, 0.0)),
        (*_pictures(3), _weights(0.0, 1.0)),
        (*_pictures(6), _weights(1.0, 0.0)),
        (*_pictures(6), _weights(0.25, 3.0)),
    ],
    given=_sizes_and_weights,
    mistakes=[
        (
            _summed(lambda F, F_a: _square_sum(F, F_a) / len(F) ** 2),
            "It is 4 times too large. What stands beside N² under the fraction bar?",
        ),
        (
            _summed(lambda F, F_a: _layer_loss(F, F_a) / 4),
            "It is 4 times too small. How often do you divide by 4?",
        ),
        (
            _summed(lambda F, F_a: _layer_loss(F, F_a) / 2),
            "It is half of that. Does the square of the difference lose something on the way?",
        ),
        (
            _summed(lambda F, F_a: _square_sum(F, F_a, 1, 1) / (4 * len(F) ** 2)),
            "By what is a Gram matrix divided before it is compared?",
        ),
        (
            _summed(lambda F, F_a: _square_sum(F, F_a, 1, 1) / (4 * len(F) ** 2 * F.shape[1])),
            "What is squared: the difference, or the difference divided by M?",
        ),
        (
            _summed(lambda F, F_a: _layer_loss(F, F_a) / F.shape[1] ** 2),
            "It is M² times too small. How often do you divide by M?",
        ),
        (
            _summed(lambda F, F_a: _square_sum(F, F_a) / 4),
            "It is N² times too large. What stands beside the 4 under the fraction bar?",
        ),
        (
            _summed(lambda F, F_a: _layer_loss(F, F_a) / len(F) ** 2),
            "It is N² times too small: a mean over the N² entries, where eq. (4) has a sum?",
        ),
        (
            _summed(lambda F, F_a: _square_sum(F, F_a) / len(F) ** 4),
            "That is a mean of some kind. Eq. (4) has a sum and a divisor of its own.",
        ),
        (
            _summed(lambda F, F_a: _square_sum(F, F_a) / (4 * F.shape[1] ** 2)),
            "N is the number of channels, M of positions. Which of the two is which axis?",
        ),
        (
            _summed(lambda F, F_a: _square_sum(F, F_a, M_a=F.shape[1]) / (4 * len(F) ** 2)),
            "You divide both Gram matrices by the number of positions of the generated picture. "
            "What does the other one have?",
        ),
        (
            _summed(lambda F, F_a: _square_sum(F, F_a, M=F_a.shape[1]) / (4 * len(F) ** 2)),
            "You divide both Gram matrices by the number of positions of the style picture. "
            "What does the other one have?",
        ),
        (
            _summed(lambda F, F_a: _square_sum(F, F_a).sqrt() / (4 * len(F) ** 2)),
            "There is no root in eq. (4).",
        ),
        (
            _summed(as_matrix=lambda features: features.flatten(1)),
            "The 1 in front of [1, N, H, W] counts pictures. Which axis becomes the rows of F?",
        ),
        (_last_layer_only, "Only the last layer is in it. Do you add, or write over the sum?"),
        (_summed(weighed=lambda w, E: E), "All layers count alike here. Where do you use w?"),
        (_summed(weighed=lambda w, E: E / 2), "All layers count alike here. Where do you use w?"),
        (
            _summed(weighed=lambda w, E: w**2 * E),
            "Is each layer's loss multiplied by its own weight, once?",
        ),
        (_summed(lambda F, F_a: _layer_loss(F, F_a).item()), NO_GRADIENT),
        (_summed(lambda F, F_a: _layer_loss(F.detach(), F_a)), NO_GRADIENT),
    ],
    gradient_of="features",
    lost=NO_GRADIENT,
    hint="Compare with eq. (4), for one layer: what is summed, and what divides the sum?",
    praise="Two pictures of any size, any layers, one number.",
)
def whole_style_loss(features: Features, style_features: Features, w: dict[str, float]) -> Tensor:
    """Chapter 05: L_style = Σ w_l E_l (eqs. 4 and 5) for two pictures that may differ in size."""
    return _summed()(features, style_features, w)


def _gradient(
    F_of: Function = lambda z: z.clamp(min=0),
    mask: Function = lambda z: z > 0,
    divisor: Function = lambda N, M: N**2 * M,
    G_over: Function = lambda M: M,
) -> Function:
    """The answer (G/M − A/M_a) F / (N² M), masked, with its parts exchangeable."""

    def answer(z: Tensor, A_over_M: Tensor) -> Tensor:
        N, M = z.shape
        F = F_of(z)
        return (F @ F.T / G_over(M) - A_over_M) @ F / divisor(N, M) * mask(z)

    return answer


def _by_autograd(z: Tensor, A_over_M: Tensor) -> Tensor:
    z = z.clone().requires_grad_()
    F = z.relu()
    loss = (F @ F.T / F.shape[1] - A_over_M).square().sum() / (4 * len(F) ** 2)
    return torch.autograd.grad(loss, z)[0]


def _layer(N: int, M: int, M_a: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(6)
    z = torch.randn(N, M, generator=generator, dtype=torch.float64)
    F_a = torch.rand(N, M_a, generator=generator, dtype=torch.float64)
    return z, F_a @ F_a.T / M_a


WHICH_SIDE = "On which side of F does an [N, N] matrix fit?"
BY_MATRICES = "Without autograd, please: which closed form stands in eq. (6)?"


@exercise(
    cases=[_layer(3, 5, 7), _layer(4, 6, 3)],
    given=lambda z, A_over_M: f"z of the shape {list(z.shape)}",
    mistakes=[
        (
            _gradient(mask=lambda z: 1),
            "That is the gradient at F. What does the ReLU let through on the way back to z?",
        ),
        (
            _gradient(mask=lambda z: -1.0 * (z > 0)),
            "The sign is turned. The gradient points to where E_l grows.",
        ),
        (
            _gradient(F_of=lambda z: z, mask=lambda z: 1),
            "E_l is computed from F. What becomes of the negative entries of z first?",
        ),
        (
            _gradient(F_of=lambda z: z),
            "The mask is there, but G is made of z. What does E_l see of its negative entries?",
        ),
        (
            _gradient(divisor=lambda N, M: N**2),
            "It is M times too large. G/M is differentiated, too.",
        ),
        (
            _gradient(divisor=lambda N, M: N**2 * M**2),
            "It is M times too small. How often do you divide by M?",
        ),
        (
            _gradient(divisor=lambda N, M: M),
            "It is N² times too large. What stands under the fraction bar?",
        ),
        (
            _gradient(divisor=lambda N, M: 4 * N**2 * M),
            "It is 4 times too small. What becomes of the 4 when squares are differentiated?",
        ),
        (
            _gradient(divisor=lambda N, M: 2 * N**2 * M),
            "It is half of that. Each feature stands in a row and in a column of G.",
        ),
        (
            _gradient(divisor=lambda N, M: M**3),
            "N is the number of channels, M of positions. Which of the two is which axis?",
        ),
        (_gradient(G_over=lambda M: 1), "Is G divided by the same as A?"),
        (
            _gradient(G_over=lambda M: 1, divisor=lambda N, M: N**2 * M**2),
            "Is G divided by the same as A?",
        ),
        (lambda z, A_over_M: z @ (z @ z.T - A_over_M), WHICH_SIDE),
        (lambda z, A_over_M: (z @ z.T - A_over_M) * z, WHICH_SIDE),
        (lambda z, A_over_M: A_over_M @ z[:, :1], "Each entry of z has one gradient."),
        (_by_autograd, BY_MATRICES),
    ],
    rule=Rule(BY_MATRICES, AUTOGRAD),
    hint="Which matrix says what is wrong, what does it multiply, and what divides the product?",
    praise="This is what autograd computes, mask and all.",
)
def gradient_below_relu(z: Tensor, A_over_M: Tensor) -> Tensor:
    """Chapter 05: ∂E_l/∂z for F = max(z, 0), as a formula (eq. 6)."""
    return _gradient()(z, A_over_M)


class StyleWeights(NamedTuple):
    """A style weight and those of the layers, which add up to 1."""

    beta: float
    w: list[float]


def _converted(
    factor: Function = lambda N: 4 / N**2,
    total: Function = sum,
    share: Function | None = None,
    whole: bool = False,
) -> Function:
    """The answer (β, w) made of the factor of each layer."""

    def answer(style_weight: float, channels: Sequence[int]) -> StyleWeights:
        shares = [(share or factor)(N) for N in channels]
        w = shares if whole else [each / sum(shares) for each in shares]
        return StyleWeights(style_weight * total(factor(N) for N in channels), w)

    return answer


@exercise(
    cases=[(1e6, [64]), (1e6, [64, 128, 256, 512, 512]), (500.0, [2, 4])],
    mistakes=[
        (
            _converted(lambda N: 1 / N**2),
            "Which factor have a mean of squares and E_l between them?",
        ),
        (
            _converted(lambda N: N**2 / 4),
            "The factor is upside down. Which of the two losses is the larger one?",
        ),
        (
            _converted(total=lambda factors: 1),
            "That is the tutorial's own weight. Its layer loss is not E_l, but a multiple.",
        ),
        (
            _converted(total=lambda factors: 1, share=lambda N: 1),
            "That is the tutorial's own weight. Its layer loss is not E_l, but a multiple.",
        ),
        (
            _converted(total=lambda factors: sum(each := [*factors]) / len(each)),
            "The tutorial adds the layers up, it takes no mean over them.",
        ),
        (
            _converted(share=lambda N: 1),
            "How does the factor of the PyTorch tutorial, in the table above, depend on N?",
        ),
        (
            _converted(share=lambda N: N**2),
            "w is turned around: a layer with many channels counts less in the tutorial.",
        ),
        (
            _converted(lambda N: 4 / N),
            "How does the factor of the PyTorch tutorial, in the table above, depend on N?",
        ),
        (
            _converted(total=lambda factors: 1, whole=True),
            "The entries of w have to add up to 1. Where does their common size belong?",
        ),
        (
            _converted(whole=True),
            "The entries of w have to add up to 1. Is their common size in β as well?",
        ),
    ],
    hint="Write the tutorial's loss in terms of E_l: is it β Σ w_l E_l, with Σ w_l = 1?",
    praise="Its one million is a small β: its layer loss is a small part of E_l.",
)
def from_pytorch_tutorial(style_weight: float, channels: Sequence[int]) -> StyleWeights:
    """Chapter 05: β and w_l of the paper's form for the style weight of the PyTorch tutorial."""
    return _converted()(style_weight, channels)
