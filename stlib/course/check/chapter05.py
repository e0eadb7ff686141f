"""The exercises of chapter 05: style loss."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from stlib._language import tr
from stlib.course.check.answer import Function, Wrong
from stlib.course.check.compare import Seen, kind
from stlib.course.check.exercise import exercise
from stlib.losses import style_target

Features = dict[str, Tensor]


def _square_sum(F: Tensor, F_a: Tensor, M: float | None = None, M_a: float | None = None) -> Tensor:
    """Σ (G/M − A/M_a)², with each picture's own number of positions unless another is given."""
    G, A = F @ F.T, F_a @ F_a.T
    return (G / (M or F.shape[1]) - A / (M_a or F_a.shape[1])).square().sum()


def _layer_loss(F: Tensor, F_a: Tensor) -> Tensor:
    return _square_sum(F, F_a) / (4 * len(F) ** 2)


def _as_matrix(features: Tensor) -> Tensor:
    """F, [N, M], of features [1, N, H, W]."""
    return features[0].flatten(1)


def _summed(
    layer_loss: Function = _layer_loss,
    weighed: Function = lambda w, E: w * E,
    as_matrix: Function = _as_matrix,
) -> Function:
    """The answer Σ weighed(w_l, E_l)."""

    def answer(features: Features, style_features: Features, w: dict[str, float]) -> Tensor:
        terms = [
            weighed(w[layer], layer_loss(as_matrix(F), as_matrix(style_features[layer])))
            for layer, F in features.items()
        ]
        return sum(terms, torch.zeros(()))

    return answer


def _one_layer(which: int, answer: Function) -> Function:
    """An answer that sees only the first layer, 0, or the last, -1."""

    def of_one(features: Features, style_features: Features, w: dict[str, float]) -> Tensor:
        layer = [*features][which]
        return answer({layer: features[layer]}, style_features, w)

    return of_one


def _batched(features: Tensor) -> Tensor:
    """F with the pictures as rows, where the channels should be."""
    return features.flatten(1)


def _one_M(F: Tensor, F_a: Tensor) -> Tensor:
    """E_l with both Gram matrices over the positions of the generated picture."""
    return _square_sum(F, F_a, M_a=F.shape[1]) / (4 * len(F) ** 2)


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
    larger = tr("a style picture with twice as many positions and w = {weights}")
    words = tr("pictures of one size and w = {weights}") if equal else larger
    return words.format(weights=", ".join(f"{weight:g}" for weight in w.values()))


NO_GRADIENT = tr("Where does your loss stop being a tensor, or get detached?")
ROWS = tr("The 1 in front of [1, N, H, W] counts pictures. Which axis becomes the rows of F?")
LAST = tr("Only the last layer is in it. Do you add, or write over the sum?")


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
            tr("It is 4 times too large. What stands beside N² under the fraction bar?"),
        ),
        (
            _summed(lambda F, F_a: _layer_loss(F, F_a) / 4),
            tr("It is 4 times too small. How often do you divide by 4?"),
        ),
        (
            _summed(lambda F, F_a: _layer_loss(F, F_a) / 2),
            tr("It is half of that. Does the square of the difference lose something on the way?"),
        ),
        (
            _summed(lambda F, F_a: _square_sum(F, F_a, 1, 1) / (4 * len(F) ** 2)),
            tr("By what is a Gram matrix divided before it is compared?"),
        ),
        (
            _summed(lambda F, F_a: _square_sum(F, F_a, 1, 1) / (4 * len(F) ** 2 * F.shape[1])),
            tr("What is squared: the difference, or the difference divided by M?"),
        ),
        (
            _summed(lambda F, F_a: _layer_loss(F, F_a) / F.shape[1] ** 2),
            tr("It is M² times too small. How often do you divide by M?"),
        ),
        (
            _summed(lambda F, F_a: _square_sum(F, F_a) / 4),
            tr("It is N² times too large. What stands beside the 4 under the fraction bar?"),
        ),
        (
            _summed(lambda F, F_a: _layer_loss(F, F_a) / len(F) ** 2),
            tr("It is N² times too small: a mean over the N² entries, where eq. (4) has a sum?"),
        ),
        (
            _summed(lambda F, F_a: _square_sum(F, F_a) / len(F) ** 4),
            tr("That is a mean of some kind. Eq. (4) has a sum and a divisor of its own."),
        ),
        (
            _summed(lambda F, F_a: _square_sum(F, F_a) / (4 * F.shape[1] ** 2)),
            tr("N is the number of channels, M of positions. Which of the two is which axis?"),
        ),
        (
            _summed(_one_M),
            tr(
                "You divide both Gram matrices by the number of positions of the generated "
                "picture. What does the other one have?"
            ),
        ),
        (
            _summed(lambda F, F_a: _square_sum(F, F_a, M=F_a.shape[1]) / (4 * len(F) ** 2)),
            tr(
                "You divide both Gram matrices by the number of positions of the style picture. "
                "What does the other one have?"
            ),
        ),
        (
            _summed(lambda F, F_a: _square_sum(F, F_a).sqrt() / (4 * len(F) ** 2)),
            tr("There is no root in eq. (4)."),
        ),
        (_summed(as_matrix=_batched), ROWS),
        (_summed(_one_M, as_matrix=_batched), ROWS),
        *(
            (_one_layer(-1, _summed(layer_loss, as_matrix=as_matrix)), LAST)
            for layer_loss in (_layer_loss, _one_M)
            for as_matrix in (_as_matrix, _batched)
        ),
        (
            _one_layer(0, _summed()),
            tr("Only the first layer is in it. Does `return` stand inside of the loop?"),
        ),
        (_summed(weighed=lambda w, E: E), tr("All layers count alike here. Where do you use w?")),
        (
            _summed(weighed=lambda w, E: E / 2),
            tr("All layers count alike here. Where do you use w?"),
        ),
        (
            _summed(weighed=lambda w, E: w**2 * E),
            tr("Is each layer's loss multiplied by its own weight, once?"),
        ),
        (_summed(lambda F, F_a: _layer_loss(F, F_a).item()), NO_GRADIENT),
        (_summed(lambda F, F_a: _layer_loss(F.detach(), F_a)), NO_GRADIENT),
    ],
    gradient_of="features",
    lost=NO_GRADIENT,
    hint=tr("Compare with eq. (4), for one layer: what is summed, and what divides the sum?"),
    praise=tr("Two pictures of any size, any layers, one number."),
)
def whole_style_loss(features: Features, style_features: Features, w: dict[str, float]) -> Tensor:
    """Chapter 05: L_style = Σ w_l E_l (eqs. 4 and 5) for two pictures that may differ in size."""
    return _summed()(features, style_features, w)


def _cloud(N: int, M: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(N, M, generator=generator, dtype=torch.float64)


def _reached(answer: Function, F: Tensor, A_over_M: Tensor) -> Seen:
    """The style target of T F, which every right T leads to."""
    T = answer(F, A_over_M)
    if not isinstance(T, Tensor) or T.shape != A_over_M.shape:
        raise Wrong(
            tr("the result is {thing}, expected T, a tensor of the shape {shape}").format(
                thing=kind(T), shape=list(A_over_M.shape)
            )
        )
    moved = T.detach().to(F.dtype) @ F
    return Seen({tr("G/M of T F"): moved @ moved.T / F.shape[1]})


def _stretched(
    undo: Function = torch.linalg.inv,
    root: Function = torch.linalg.cholesky,
    positions: Function = lambda F: F.shape[1],
) -> Function:
    """The answer L_a L⁻¹, with its parts exchangeable."""

    def answer(F: Tensor, A_over_M: Tensor) -> Tensor:
        return root(A_over_M) @ undo(root(F @ F.T / positions(F)))

    return answer


ROOTS = tr("T stands twice in T (G/M) Tᵀ. What is it, if the product shall be A/M?")


@exercise(
    cases=[
        (_cloud(2, 6, 0), style_target(_cloud(2, 9, 1))),
        (_cloud(3, 8, 2), style_target(_cloud(3, 5, 3) - 0.5)),
    ],
    look=_reached,
    given=lambda F, A_over_M: tr("F of the shape {shape}").format(shape=list(F.shape)),
    mistakes=[
        (
            _stretched(undo=lambda L: L),
            tr("You undo neither. Which ellipse has to become a circle?"),
        ),
        (
            lambda F, A: (
                torch.linalg.inv(torch.linalg.cholesky(A))
                @ torch.linalg.cholesky(F @ F.T / F.shape[1])
            ),
            tr("The way back: that undoes the target. Which of the two ellipses is there first?"),
        ),
        (
            lambda F, A: (
                torch.linalg.inv(torch.linalg.cholesky(F @ F.T / F.shape[1]))
                @ torch.linalg.cholesky(A)
            ),
            tr("The right two, in the wrong order: T F does the right factor first."),
        ),
        (
            lambda F, A: torch.linalg.inv(torch.linalg.cholesky(F @ F.T / F.shape[1])),
            tr("The ellipse is a circle now. How does it become that of the target?"),
        ),
        (
            lambda F, A: torch.linalg.cholesky(A),
            tr("What becomes of the ellipse that F has already?"),
        ),
        (_stretched(positions=lambda F: 1), tr("By what is G divided before it is compared?")),
        (_stretched(root=lambda K: K), ROOTS),
        (_stretched(root=torch.sqrt), tr("The root of a matrix is not the root of its entries.")),
        (_stretched(undo=lambda L: L.T), tr("L @ L.T is the matrix, so L.T does not undo L.")),
        (lambda F, A: torch.eye(len(F), dtype=F.dtype), tr("Nothing moves. Where is the target?")),
        (
            lambda F, A: _stretched()(F, A) @ F,
            tr("That is T F. The matrix T is asked for."),
        ),
    ],
    hint=tr("What is T (G/M) Tᵀ for your T? It should be the target."),
    praise=tr("Whiten, then colour: every F of this ellipse goes the same way."),
)
def one_step(F: Tensor, A_over_M: Tensor) -> Tensor:
    """Chapter 05: a matrix T for which T F has a style target, so that its E_l is 0."""
    return _stretched()(F, A_over_M)


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
    cases=[(1e6, [64]), (1e6, [64, 64, 128, 128, 256]), (500.0, [2, 4])],
    mistakes=[
        (
            _converted(lambda N: 1 / N**2),
            tr("Which factor have a mean of squares and E_l between them?"),
        ),
        (
            _converted(lambda N: N**2 / 4),
            tr("The factor is upside down. Which of the two losses is the larger one?"),
        ),
        (
            _converted(total=lambda factors: 1),
            tr("That is the tutorial's own weight. Its layer loss is not E_l, but a multiple."),
        ),
        (
            _converted(total=lambda factors: 1, share=lambda N: 1),
            tr("That is the tutorial's own weight. Its layer loss is not E_l, but a multiple."),
        ),
        (
            _converted(total=lambda factors: sum(each := [*factors]) / len(each)),
            tr("The tutorial adds the layers up, it takes no mean over them."),
        ),
        (
            _converted(share=lambda N: 1),
            tr("How does the factor of the PyTorch tutorial, in the table above, depend on N?"),
        ),
        (
            _converted(share=lambda N: N**2),
            tr("w is turned around: a layer with many channels counts less in the tutorial."),
        ),
        (
            _converted(lambda N: 4 / N),
            tr("How does the factor of the PyTorch tutorial, in the table above, depend on N?"),
        ),
        (
            _converted(total=lambda factors: 1, whole=True),
            tr("The entries of w have to add up to 1. Where does their common size belong?"),
        ),
        (
            _converted(whole=True),
            tr("The entries of w have to add up to 1. Is their common size in β as well?"),
        ),
    ],
    hint=tr("Write the tutorial's loss in terms of E_l: is it β Σ w_l E_l, with Σ w_l = 1?"),
    praise=tr("Its one million is a small β: its layer loss is a small part of E_l."),
)
def from_pytorch_tutorial(style_weight: float, channels: Sequence[int]) -> StyleWeights:
    """Chapter 05: β and w_l of the paper's form for the style weight of the PyTorch tutorial."""
    return _converted()(style_weight, channels)
