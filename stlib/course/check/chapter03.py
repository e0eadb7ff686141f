"""The exercises of chapter 03: Gram matrices."""

import torch
from torch import Tensor

from stlib.course.check.answer import Function, Wrong
from stlib.course.check.compare import Words, kind
from stlib.course.check.exercise import Rule, exercise

PRODUCTS = (
    "matmul", "mm", "bmm", "mv", "dot", "inner", "vdot", "outer", "einsum", "tensordot", "addmm",
    "chain_matmul", "multi_dot", "baddbmm", "linear", "cov", "cdist", "linalg_matmul",
    "linalg_multi_dot", "linalg_vecdot",
)  # fmt: skip


def _some(*shape: int, seed: int = 0) -> Tensor:
    """Feature maps as after a ReLU: whole numbers from 0 to 4, the same in every run."""
    return torch.randint(0, 5, shape, generator=torch.Generator().manual_seed(seed)).float()


NO_DIVISION = "Equation 3 has no division."
NO_MEAN = "Is there a mean in equation 3?"
SLOWLY = "No `@` or the like this time: which two numbers does the innermost loop multiply?"
GRAM_MISTAKES: list[tuple[Function, str]] = [
    (lambda F: F.T @ F, "Over which axis do you sum: the channels or the positions?"),
    (lambda F: F @ F.T / F.shape[1], f"This is G/M. {NO_DIVISION}"),
    (lambda F: F @ F.T / F.numel(), f"This is G/(N·M). {NO_DIVISION}"),
    (lambda F: F @ F.T / len(F), f"This is G divided by N. {NO_DIVISION}"),
    (
        lambda F: torch.diag((F @ F.T).diag()),
        "Only the diagonal is there. Which pairs of channels are missing?",
    ),
    *(
        (
            lambda F, half=half: half(F @ F.T),
            "One triangle is empty. Which pairs of channels do your loops visit?",
        )
        for half in (torch.triu, torch.tril)
    ),
    (
        lambda F: torch.triu(F @ F.T, 1),
        "Only pairs of different channels are filled. Does a channel occur together with itself?",
    ),
    (
        lambda F: F[:, -1:] @ F[:, -1:].T,
        "Only the last position is there. Do you add, or write over the sum?",
    ),
    (
        lambda F: F.sum(1).outer(F.sum(1)),
        "You add up each row first and multiply then. Which comes first in equation 3?",
    ),
    (lambda F: F.cov(correction=0) * F.shape[1], f"You subtract each channel's mean. {NO_MEAN}"),
    (torch.cov, f"This is a covariance. {NO_MEAN}"),
    (lambda F: (F @ F.T).long(), "With what kind of numbers did you start your matrix?"),
]


@exercise(
    cases=[
        (torch.tensor([[1.0, 2.0, 0.0], [0.0, 3.0, 1.0]]),),
        (_some(4, 3, seed=1),),
        (_some(3, 7, seed=2) - 2,),
        (_some(2, 2),),
    ],
    mistakes=[*GRAM_MISTAKES, (lambda F: F @ F.T, SLOWLY)],
    rule=Rule(SLOWLY, PRODUCTS),
    hint="Work out one entry by hand: channel i times channel j, position by position, added up.",
    praise="It made N · N · M products; so does F @ F.T, only faster.",
)
def gram_with_loops(F: Tensor) -> Tensor:
    """Chapter 03: the Gram matrix of F, [N, M], entry by entry."""
    return (F[:, None] * F).sum(2)


def _rows_of_positions(features: Tensor) -> Tensor:
    regrouped = features[0].permute(1, 2, 0).reshape(features.shape[1], -1)
    return regrouped @ regrouped.T


def _loops(features: Tensor) -> Tensor:
    F = features[0].flatten(1)
    return torch.stack([torch.stack([(a * b).sum() for a in F]) for b in F])


WITHIN_A_MAP = (
    "This multiplies inside each map. Have the two axes of position become one before the product?"
)
ONE_ROW = "Everything became one row. Which axis has to survive the flattening?"
AT_ONCE = "One product of two matrices holds all of these sums. Which two?"


@exercise(
    cases=[
        (_some(1, 2, 2, 3),),
        (_some(1, 3, 4, 4, seed=4),),
        (_some(1, 4, 1, 3, seed=6),),
        (_some(1, 5, 3, 2, seed=3),),
    ],
    mistakes=[
        (
            lambda features: features.flatten(2) @ features.flatten(2).mT,
            "Where does the 1 in front come from?",
        ),
        (
            _rows_of_positions,
            "The rows of your F are no channels: the numbers were regrouped. "
            "Which axis has to come first before you flatten?",
        ),
        (lambda features: features[0] @ features[0].mT, WITHIN_A_MAP),
        (lambda features: features[0].mT @ features[0], WITHIN_A_MAP),
        (lambda features: features @ features.mT, WITHIN_A_MAP),
        (lambda features: features.flatten(1) @ features.flatten(1).T, ONE_ROW),
        (lambda features: features.square().sum(), ONE_ROW),
        *(
            (lambda features, wrong=wrong: wrong(features[0].flatten(1)), hint)
            for wrong, hint in GRAM_MISTAKES
        ),
        (
            lambda features: torch.einsum("bihw, bjhw -> ij", features, features).detach(),
            "Chapter 05 needs that gradient. Does your line detach, or leave torch?",
        ),
        (_loops, AT_ONCE),
    ],
    gradient_of="features",
    lost="Chapter 05 needs that gradient. Does your line detach, or leave torch?",
    rule=Rule(AT_ONCE, most_calls=30),
    hint="Which axes are channels and which positions, and over which do you sum?",
    praise="The same N · N · M products, in one call.",
)
def gram_in_one_line(features: Tensor) -> Tensor:
    """Chapter 03: the Gram matrix of a layer's features, [1, N, H, W], without loops."""
    return torch.einsum("bihw, bjhw -> ij", features, features)


def _disguised(answer: Function, F: Tensor) -> Words:
    """What the answer has made of F, in words."""
    X = answer(F)
    if not isinstance(X, Tensor) or X.shape != F.shape:
        raise Wrong(f"the result is {kind(X)}, expected {kind(F)}")
    if X.is_complex():
        raise Wrong("the result is complex, expected real numbers as in F")
    X = X.detach().to(F.dtype)
    if not X.isfinite().all():
        return Words("not finite")
    G, H = F @ F.T, X @ X.T
    tolerance = 1e-3 * float(G.abs().max())
    if torch.allclose(H, G, rtol=1e-3, atol=tolerance):
        for same_scene, words in ((F, "F itself"), (-F, "−F")):
            if torch.allclose(X, same_scene, atol=1e-3):
                return Words(words)
        if _same_columns(X, F):
            return Words("F with its columns in another order, or with other signs")
        return Words("other features with the same Gram matrix")
    if _same_columns(X.T, F.T):
        return Words("F with its channels in another order")
    if torch.allclose(torch.linalg.eigvalsh(H), torch.linalg.eigvalsh(G), atol=tolerance):
        return Words("F with its channels mixed")
    if torch.allclose(X.sort(dim=1).values, F.sort(dim=1).values, atol=1e-4):
        return Words("F with every channel shuffled in its own way")
    return Words("features with another Gram matrix")


def _same_columns(X: Tensor, Y: Tensor) -> bool:
    """Are the columns of X those of Y, up to their order and signs?"""
    left = [column.abs() for column in Y.T]
    for column in X.T.abs():
        matches = [i for i, other in enumerate(left) if torch.allclose(column, other, atol=1e-3)]
        if not matches:
            return False
        left.pop(matches[0])
    return True


def _random(size: int) -> Tensor:
    return torch.randn(size, size, generator=torch.Generator().manual_seed(0))


def _orthogonal(size: int) -> Tensor:
    return torch.linalg.qr(_random(size))[0]


@exercise(
    cases=[(_some(3, 5),), (_some(2, 8, seed=1) + 1,), (_some(6, 4, seed=2),)],
    look=_disguised,
    mistakes=[
        (lambda F: F.clone(), "What may you do to F that G does not notice?"),
        (lambda F: -F, "G is the same, but every map still shows the scene. Mix the positions."),
        (
            lambda F: F.flip(1),
            "G is the same, but a shuffle is one special orthogonal matrix: what is a general one?",
        ),
        (
            lambda F: F.roll(1, dims=0),
            "You moved channels, not positions. On which axis may you shuffle?",
        ),
        (
            lambda F: _orthogonal(len(F)) @ F,
            "Your matrix mixes channels. On which side of F does it have to stand?",
        ),
        (
            lambda F: torch.stack([row.roll(i) for i, row in enumerate(F)]),
            "What has to stay together at a position?",
        ),
        (
            lambda F: F @ _random(F.shape[1]),
            "Is your matrix orthogonal: what is Q times its transpose?",
        ),
        (
            lambda F: _orthogonal(F.shape[1]),
            "That is the size of an orthogonal matrix. What do you do with it?",
        ),
        (lambda F: (F @ _orthogonal(F.shape[1]), F), "Return the new features alone."),
        (lambda F: F / 0, "What do you divide by?"),
    ],
    hint="How many rows and columns must a matrix have to stand on the right of F?",
    praise="G cannot tell the two apart, and neither can any loss made of it.",
)
def disguise(F: Tensor) -> Tensor:
    """Chapter 03: other features with the same Gram matrix, made by more than a shuffle."""
    return F @ _orthogonal(F.shape[1])


LOUD = torch.tensor(
    [[9.0, 0.0, 8.0, 9.0], [8.0, 9.0, 0.0, 9.0], [1.0, 0.0, 0.5, 0.0], [1.0, 0.1, 0.5, 0.0]]
)
HALVES = torch.tensor(
    [
        [0.2, 0.0, 0.0, 0.0, 0.0, 0.2],
        [4.0, 0.0, 2.0, 0.0, 0.0, 4.0],
        [0.0, 3.0, 0.0, 4.0, 1.0, 0.0],
        [0.0, 3.1, 0.0, 4.0, 1.0, 0.0],
        [0.3, 0.0, 0.3, 0.0, 0.3, 0.0],
    ]
)
SILENT = torch.cat([torch.zeros(1, 4), LOUD])


def _cosine(G: Tensor, silent: float = 0.0, root: bool = True) -> Tensor:
    length = G.diag().sqrt() if root else G.diag()
    return (G / length.outer(length)).nan_to_num(silent)


def _largest(values: Tensor, diagonal: float = -1.0) -> tuple[int, int]:
    """Row and column of the largest value, after the diagonal has been filled."""
    i, j = divmod(int(values.clone().fill_diagonal_(diagonal).argmax()), len(values))
    return min(i, j), max(i, j)


@exercise(
    cases=[(F @ F.T,) for F in (LOUD, HALVES, SILENT)],
    given=lambda G: f"G of {len(G)} channels" + (", one of them silent," if G[0, 0] == 0 else ""),
    mistakes=[
        (
            lambda G: _largest(_cosine(G))[::-1],
            "The pair is right; the smaller number comes first.",
        ),
        (
            lambda G: _largest(_cosine(G), diagonal=2.0),
            "Every channel occurs together with itself. Which entries do you have to leave out?",
        ),
        (
            _largest,
            "These two are the loudest. What do you divide by, so that only agreement counts?",
        ),
        (
            lambda G: _largest(_cosine(G, root=False)),
            "You divide by too much: quiet channels win. "
            "The length of a row of F is the root of which entry?",
        ),
        (
            lambda G: _largest(_cosine(G, silent=9.0)),
            "A silent channel divides 0 by 0. What should its value be?",
        ),
        (
            lambda G: (0, int(_cosine(G).fill_diagonal_(-1).argmax())),
            "There is no such channel. How do you get from a flat index to row and column?",
        ),
        (
            lambda G: int(_cosine(G).fill_diagonal_(-1).argmax()),
            "How do you get from a flat index to row and column?",
        ),
    ],
    hint="First scale each entry to a number from 0 to 1, then look for the largest off the "
    "diagonal.",
    praise="Two voices that sing together, however softly.",
)
def closest_pair(G: Tensor) -> tuple[int, int]:
    """Chapter 03: the two channels that occur together most, for their strength."""
    return _largest(_cosine(G))
