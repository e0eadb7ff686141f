"""The exercises of chapter 03: Gram matrices."""

import torch
from torch import Tensor

from stlib.course.check.exercise import Wrong, call, checker, same_tensor


def _some(*shape: int, seed: int = 0) -> Tensor:
    """Feature maps as after a ReLU: whole numbers from 0 to 4, the same in every run."""
    return torch.randint(0, 5, shape, generator=torch.Generator().manual_seed(seed)).float()


def _shape(got) -> str:
    return (
        f"the shape {list(got.shape)}"
        if isinstance(got, Tensor)
        else f"the type {type(got).__name__}"
    )


def _close(got, expected: Tensor) -> bool:
    return (
        isinstance(got, Tensor)
        and got.shape == expected.shape
        and torch.allclose(got.detach().double(), expected.detach().double(), rtol=1e-4, atol=1e-4)
    )


@checker
def gram_with_loops(answer) -> str:
    """Chapter 03: the Gram matrix of F, [N, M], entry by entry."""
    for F in (
        torch.tensor([[1.0, 2.0, 0.0], [0.0, 3.0, 1.0]]),
        _some(4, 3, seed=1),
        _some(3, 7, seed=2) - 2,
        _some(2, 2),
    ):
        N, M = F.shape
        got, G = call(answer, F), F @ F.T
        if isinstance(got, Tensor) and not got.is_floating_point() and _close(got.float(), G):
            raise Wrong(
                f"for F of the shape {[N, M]} the numbers have the type {got.dtype}, expected {F.dtype}. "
                "What did you start your matrix with?"
            )
        given = f"F of the shape {[N, M]}" if N * M > 6 else f"F = {F.int().tolist()}"
        same_tensor(got, G, given, _gram_hint(got, F))
    return "It made N · N · M products; so does F @ F.T, only faster."


def _gram_hint(got, F: Tensor) -> str:
    """What a wrong Gram matrix of F looks like."""
    (N, M), G = F.shape, F @ F.T
    if isinstance(got, Tensor) and got.shape == (M, M) and M != N:
        return "Over which axis do you sum: the channels or the positions?"
    for wrong, hint in (
        (F.T @ F, "Over which axis do you sum: the channels or the positions?"),
        (G / M, "This is G/M. Equation 3 has no division."),
        (
            G / (N * M),
            "This is G divided by the number of all features. Equation 3 has no division.",
        ),
        (G / N, "This is G divided by N. Equation 3 has no division."),
        (torch.diag(G.diag()), "Only the diagonal is there. Which pairs of channels are missing?"),
        (torch.triu(G), "One triangle is empty. Which pairs of channels do your loops visit?"),
        (torch.tril(G), "One triangle is empty. Which pairs of channels do your loops visit?"),
        (
            torch.triu(G, 1),
            "Only pairs of different channels are filled. Does a channel occur together with itself?",
        ),
        (
            torch.outer(F[:, -1], F[:, -1]),
            "Only the last position is there. Do you add, or write over the sum?",
        ),
        (
            torch.outer(F.sum(1), F.sum(1)),
            "You add up each row first and multiply then. Which comes first in equation 3?",
        ),
        (
            torch.cov(F, correction=0) * M,
            "You subtract each channel's mean. Is there a mean in equation 3?",
        ),
        (torch.cov(F), "This is a covariance. Is there a mean in equation 3?"),
    ):
        if _close(got, wrong):
            return hint
    return (
        "Work out one entry by hand: channel i times channel j, position by position, then the sum."
    )


@checker
def gram_in_one_line(answer) -> str:
    """Chapter 03: the Gram matrix of a layer's features, [1, N, H, W], without loops."""
    for features in (
        _some(1, 2, 2, 3),
        _some(1, 5, 3, 2, seed=3),
        _some(1, 3, 4, 4, seed=4),
        _some(1, 4, 1, 3, seed=6),
    ):
        _, N, H, W = features.shape
        F = features[0].flatten(1)
        given = f"features of the shape {list(features.shape)}"
        got = call(answer, features)
        if isinstance(got, Tensor) and got.shape == (1, N, N):
            raise Wrong(
                f"for {given} the result has the shape {[1, N, N]}, expected {[N, N]}. Where does the 1 come from?"
            )
        mixed = features[0].permute(1, 2, 0).reshape(N, H * W)
        if _close(got, mixed @ mixed.T) and not _close(got, F @ F.T):
            raise Wrong(
                f"for {given} the rows of your F are no channels: the numbers were regrouped. "
                "Which axis has to come first before you flatten?"
            )
        same_tensor(got, F @ F.T, given, _picture_hint(got, features))
    features = _some(1, 2, 2, 3).requires_grad_()
    if not call(answer, features).requires_grad:
        raise Wrong(
            "the result has lost its way back to the features: chapter 05 needs its gradient. "
            "Does your line detach, or leave torch?"
        )
    return "The same N · N · M products, in one call."


def _picture_hint(got, features: Tensor) -> str:
    _, N, H, W = features.shape
    shape = list(got.shape) if isinstance(got, Tensor) else []
    if shape in ([N, H, H], [1, N, H, H]) or shape in ([N, W, W], [1, N, W, W]):
        return "This multiplies inside each map. Have the two axes of position become one before the product?"
    if shape in ([1, 1], []):
        return "Everything became one row. Which axis has to survive the flattening?"
    return _gram_hint(got, features[0].flatten(1))


@checker
def disguise(answer) -> str:
    """Chapter 03: other features with the same Gram matrix, made by more than a shuffle."""
    for F in (_some(3, 5), _some(2, 8, seed=1) + 1, _some(6, 4, seed=2)):
        N, M = F.shape
        given, G = f"F of the shape {[N, M]}", F @ F.T
        got = call(answer, F)
        if not isinstance(got, Tensor) or got.shape != F.shape:
            raise Wrong(
                f"for {given} the result has {_shape(got)}, expected {list(F.shape)}. {_disguise_shape_hint(got, F)}"
            )
        got = got.detach().to(F.dtype)
        if not torch.isfinite(got).all():
            raise Wrong(f"for {given} the result holds values that are not finite.")
        if not torch.allclose(got @ got.T, G, rtol=1e-3, atol=1e-3 * float(G.abs().max())):
            away = float((got @ got.T - G).norm() / G.norm())
            raise Wrong(
                f"for {given} the Gram matrix of your result differs from that of F by {100 * away:.0f} %, "
                f"expected the same. {_disguise_hint(got, F)}"
            )
        if torch.allclose(got, F, atol=1e-3):
            raise Wrong(
                f"for {given} the result is F itself, expected other features. "
                "What may you do to F that G does not notice?"
            )
        if torch.allclose(got, -F, atol=1e-3):
            raise Wrong(
                f"for {given} the result is −F: true, but every map still shows the scene. Mix the positions."
            )
        if _same_columns(got, F):
            raise Wrong(
                f"for {given} the result holds the columns of F in another order, or with another sign. G is the same, "
                "well seen. But a shuffle is one special orthogonal matrix: what is a general one?"
            )
    return "G cannot tell the two apart, and neither can any loss made of it."


def _disguise_shape_hint(got, F: Tensor) -> str:
    if isinstance(got, tuple):
        return "Return the new features alone."
    if isinstance(got, Tensor) and got.shape == (F.shape[1],) * 2:
        return "That is the size of an orthogonal matrix. What do you do with it?"
    return "How many rows and columns must your matrix have to stand on the right of F?"


def _disguise_hint(got: Tensor, F: Tensor) -> str:
    G, H = F @ F.T, got @ got.T
    if _same_columns(got.T, F.T):
        return "You moved channels, not positions. On which axis may you shuffle?"
    tolerance = 1e-3 * float(G.abs().max())
    if torch.allclose(torch.linalg.eigvalsh(H), torch.linalg.eigvalsh(G), atol=tolerance):
        return "Your matrix mixes channels. On which side of F does it have to stand?"
    if torch.allclose(got.sort(dim=1).values, F.sort(dim=1).values, atol=1e-4):
        return "Every channel was shuffled in its own way. What has to stay together at a position?"
    return "Is your matrix orthogonal: what is Q times its transpose?"


def _same_columns(X: Tensor, Y: Tensor) -> bool:
    """Are the columns of X those of Y, up to their order and signs?"""
    left = [column.abs() for column in Y.T]
    for column in X.T.abs():
        place = next(
            (i for i, other in enumerate(left) if torch.allclose(column, other, atol=1e-3)), None
        )
        if place is None:
            return False
        left.pop(place)
    return True


@checker
def closest_pair(answer) -> str:
    """Chapter 03: the two channels that occur together most, for their strength."""
    loud = torch.tensor(
        [[9.0, 0.0, 8.0, 9.0], [8.0, 9.0, 0.0, 9.0], [1.0, 0.0, 0.5, 0.0], [1.0, 0.1, 0.5, 0.0]]
    )
    halves = torch.tensor(
        [
            [0.2, 0.0, 0.0, 0.0, 0.0, 0.2],
            [4.0, 0.0, 2.0, 0.0, 0.0, 4.0],
            [0.0, 3.0, 0.0, 4.0, 1.0, 0.0],
            [0.0, 3.1, 0.0, 4.0, 1.0, 0.0],
            [0.3, 0.0, 0.3, 0.0, 0.3, 0.0],
        ]
    )
    silent = torch.cat([torch.zeros(1, 4), loud])
    for name, F, expected in (
        ("four channels", loud, (2, 3)),
        ("five channels", halves, (2, 3)),
        ("five channels, one of them silent,", silent, (3, 4)),
    ):
        G = F @ F.T
        given = f"G of {name}"
        got = call(answer, G)
        if not isinstance(got, (tuple, list)) or len(got) != 2:
            raise Wrong(
                f"for {given} the result has {_shape(got)}, expected a pair of channel numbers (i, j)."
            )
        pair = tuple(int(channel) for channel in got)
        if pair != expected:
            raise Wrong(
                f"for {given} the result is {pair}, expected {expected}. {_pair_hint(pair, expected, G)}"
            )
    return "Two voices that sing together, however softly."


def _pair_hint(pair: tuple[int, int], expected: tuple[int, int], G: Tensor) -> str:
    def largest(values: Tensor) -> tuple[int, int]:
        return divmod(int(values.argmax()), len(values))

    diagonal, off = G.diag(), ~torch.eye(len(G), dtype=torch.bool)
    if pair == expected[::-1]:
        return "The pair is right; the smaller number comes first."
    if pair[0] == pair[1]:
        if diagonal[pair[0] % len(G)] == 0:
            return "A silent channel divides 0 by 0. What should its value be?"
        return "Every channel occurs together with itself. Which entries do you have to leave out?"
    if max(pair) >= len(G):
        return "There is no such channel. How do you get from a flat index to row and column?"
    if 0 in (diagonal[pair[0]], diagonal[pair[1]]):
        return "A silent channel divides 0 by 0. What should its value be?"
    if tuple(sorted(pair)) == tuple(sorted(largest(G * off))):
        return (
            "These two are the loudest. What do you divide by, so that only their agreement counts?"
        )
    if tuple(sorted(pair)) == tuple(
        sorted(largest((G / diagonal.outer(diagonal)).nan_to_num() * off))
    ):
        return "You divide by too much: quiet channels win. The length of a row of F is the root of which entry?"
    return "First scale each entry to a number from 0 to 1, then look for the largest off the diagonal."
