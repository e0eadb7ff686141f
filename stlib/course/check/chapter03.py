"""The exercises of chapter 03: Gram matrices."""

import torch
from torch import Tensor

from stlib._language import tr
from stlib.course.check.answer import Function
from stlib.course.check.exercise import Rule, exercise

PRODUCTS = (
    "matmul", "mm", "bmm", "mv", "dot", "inner", "vdot", "outer", "einsum", "tensordot", "addmm",
    "chain_matmul", "multi_dot", "baddbmm", "linear", "cov", "cdist", "linalg_matmul",
    "linalg_multi_dot", "linalg_vecdot",
)  # fmt: skip


def _some(*shape: int, seed: int = 0) -> Tensor:
    """Feature maps as after a ReLU: whole numbers from 0 to 4, the same in every run."""
    return torch.randint(0, 5, shape, generator=torch.Generator().manual_seed(seed)).float()


SLOWLY = tr(
    "No `@` or the like, and no joined strips: which two numbers does equation 3 multiply, "
    "and what does it add up?"
)
GRAM_MISTAKES: list[tuple[Function, str]] = [
    (lambda F: F.T @ F, tr("Over which axis do you sum: the channels or the positions?")),
    (lambda F: F @ F.T / F.shape[1], tr("This is G/M. Equation 3 has no division.")),
    (lambda F: F @ F.T / F.numel(), tr("This is G/(N·M). Equation 3 has no division.")),
    (lambda F: F @ F.T / len(F), tr("This is G divided by N. Equation 3 has no division.")),
    (
        lambda F: torch.diag((F @ F.T).diag()),
        tr("Only the diagonal is there. Which pairs of channels are missing?"),
    ),
    *(
        (
            lambda F, half=half: half(F @ F.T),
            tr("One triangle is empty. Which pairs of channels do your loops visit?"),
        )
        for half in (torch.triu, torch.tril)
    ),
    (
        lambda F: torch.triu(F @ F.T, 1),
        tr(
            "Only pairs of different channels are filled. Does a channel occur together with "
            "itself?"
        ),
    ),
    (
        lambda F: F[:, -1:] @ F[:, -1:].T,
        tr("Only the last position is there. Do you add, or write over the sum?"),
    ),
    (
        lambda F: F.sum(1).outer(F.sum(1)),
        tr("You add up each row first and multiply then. Which comes first in equation 3?"),
    ),
    (
        lambda F: F.cov(correction=0) * F.shape[1],
        tr("You subtract each channel's mean. Is there a mean in equation 3?"),
    ),
    (torch.cov, tr("This is a covariance. Is there a mean in equation 3?")),
    (lambda F: (F @ F.T).long(), tr("With what kind of numbers did you start your matrix?")),
]


def _joined(strips: list[Tensor]) -> Tensor:
    return torch.cat(strips, dim=1)


ONE_STRIP = tr("Only one strip is there. Do you add, or write over the sum?")


@exercise(
    cases=[
        ([_some(2, 3), _some(2, 1, seed=1)],),
        ([_some(3, 2, seed=2), _some(3, 4, seed=3), _some(3, 5, seed=4)],),
        ([_some(2, 6, seed=5) - 2],),
    ],
    given=lambda strips: tr("strips of {numbers} positions").format(
        numbers=" + ".join(str(F.shape[1]) for F in strips)
    ),
    mistakes=[
        (
            lambda strips: sum(F @ F.T / F.shape[1] for F in strips) / len(strips),
            tr(
                "You average the strips' own G/M: a narrow strip counts as much as a wide one. "
                "Which sums do you have to keep, and when do you divide?"
            ),
        ),
        (
            lambda strips: sum(F @ F.T / F.shape[1] for F in strips),
            tr("Each strip is divided by its own M. Which M does the whole picture have?"),
        ),
        (lambda strips: sum(F @ F.T for F in strips), tr("This is G. What is missing for G/M?")),
        (
            lambda strips: sum(F @ F.T for F in strips) / len(strips),
            tr("You divide by the number of strips. What does M count?"),
        ),
        (
            lambda strips: sum(F @ F.T for F in strips) / sum(F.numel() for F in strips),
            tr("You divide by N·M. What does M count?"),
        ),
        (lambda strips: strips[-1] @ strips[-1].T / _joined(strips).shape[1], ONE_STRIP),
        (lambda strips: strips[-1] @ strips[-1].T / strips[-1].shape[1], ONE_STRIP),
        (lambda strips: strips[-1] @ strips[-1].T, ONE_STRIP),
        (lambda strips: strips[0] @ strips[0].T / strips[0].shape[1], ONE_STRIP),
        *(
            (lambda strips, wrong=wrong: wrong(_joined(strips)) / _joined(strips).shape[1], hint)
            for wrong, hint in (GRAM_MISTAKES[0], *GRAM_MISTAKES[4:-1])
        ),
        (lambda strips: _joined(strips) @ _joined(strips).T / _joined(strips).shape[1], SLOWLY),
        (lambda strips: sum(F @ F.T for F in strips) / _joined(strips).shape[1], SLOWLY),
    ],
    rule=Rule(SLOWLY, (*PRODUCTS, "cat", "concat", "concatenate", "hstack", "column_stack")),
    hint=tr(
        "Work out one entry for one strip: channel i times channel j, position by position, "
        "added up. Then the next strip."
    ),
    praise=tr(
        "A sum does not care in how many pieces it is made: so G of a poster needs no more "
        "memory than G of one strip."
    ),
)
def gram_of_strips(strips: list[Tensor]) -> Tensor:
    """Chapter 03: G/M of a picture that comes in strips, each [N, M of the strip]."""
    products = [(F[:, None] * F).sum(2) for F in strips]
    return sum(products) / sum(F.shape[1] for F in strips)  # type: ignore[return-value]


def _loops(features: Tensor) -> Tensor:
    F = features[0].flatten(0, 1).T
    return torch.stack([torch.stack([(a * b).sum() for a in F]) for b in F])


ROWS_OF_THE_PICTURE = tr(
    "Your first axis is the height of the picture. Which of the four axes has the channels here?"
)
REGROUPED = tr(
    "The rows of your F are no channels: `reshape` cuts the numbers in the order in which they lie "
    "in memory. Which axis has to come first before you cut?"
)
ONE_ROW = tr("Everything became one row. Which axis has to survive the flattening?")
AT_ONCE = tr("One product of two matrices holds all of these sums. Which two?")
LOST = tr("Chapter 05 needs that gradient. Does your line detach, or leave torch?")


@exercise(
    cases=[
        (_some(1, 2, 3, 4),),
        (_some(1, 4, 4, 3, seed=4),),
        (_some(1, 1, 3, 4, seed=6),),
        (_some(1, 3, 2, 5, seed=3),),
    ],
    mistakes=[
        (
            lambda features: features.flatten(1, 2).mT @ features.flatten(1, 2),
            tr("Where does the 1 in front come from?"),
        ),
        (
            lambda features: (
                features[0].reshape(features.shape[3], -1)
                @ features[0].reshape(features.shape[3], -1).T
            ),
            REGROUPED,
        ),
        (lambda features: features[0].flatten(1) @ features[0].flatten(1).T, ROWS_OF_THE_PICTURE),
        (
            lambda features: features[0].flatten(0, 1) @ features[0].flatten(0, 1).T,
            tr(
                "That is one row per position. Over which axis do you sum: the channels or the "
                "positions?"
            ),
        ),
        (lambda features: features[0] @ features[0].mT, ROWS_OF_THE_PICTURE),
        (lambda features: features[0].mT @ features[0], ROWS_OF_THE_PICTURE),
        (lambda features: features.flatten(1) @ features.flatten(1).T, ONE_ROW),
        (lambda features: features.square().sum(), ONE_ROW),
        *(
            (lambda features, wrong=wrong: wrong(features[0].flatten(0, 1).T), hint)
            for wrong, hint in GRAM_MISTAKES[1:]
        ),
        (lambda features: torch.einsum("bhwi, bhwj -> ij", features, features).detach(), LOST),
        (_loops, AT_ONCE),
    ],
    gradient_of="features",
    lost=LOST,
    rule=Rule(AT_ONCE, most_calls=30),
    hint=tr("Which axis are the channels and which the positions, and over which do you sum?"),
    praise=tr("The same N · N · M products, whatever the order of the axes."),
)
def gram_channels_last(features: Tensor) -> Tensor:
    """Chapter 03: the Gram matrix of features as Keras has them, [1, H, W, N]."""
    return torch.einsum("bhwi, bhwj -> ij", features, features)


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


def _channels(G: Tensor) -> str:
    silent = tr("G of {number} channels, one of them silent,")
    words = silent if G[0, 0] == 0 else tr("G of {number} channels")
    return words.format(number=len(G))


def _cosine(G: Tensor, silent: float = 0.0, root: bool = True) -> Tensor:
    length = G.diag().sqrt() if root else G.diag()
    return (G / length.outer(length)).nan_to_num(silent)


def _largest(values: Tensor, diagonal: float = -1.0) -> tuple[int, int]:
    """Row and column of the largest value, after the diagonal has been filled."""
    i, j = divmod(int(values.clone().fill_diagonal_(diagonal).argmax()), len(values))
    return min(i, j), max(i, j)


@exercise(
    cases=[(F @ F.T,) for F in (LOUD, HALVES, SILENT)],
    given=_channels,
    mistakes=[
        (
            lambda G: _largest(_cosine(G))[::-1],
            tr("The pair is right; the smaller number comes first."),
        ),
        (
            lambda G: _largest(_cosine(G), diagonal=2.0),
            tr(
                "Every channel occurs together with itself. Which entries do you have to leave out?"
            ),
        ),
        (
            _largest,
            tr("These two are the loudest. What do you divide by, so that only agreement counts?"),
        ),
        (
            lambda G: _largest(_cosine(G, root=False)),
            tr(
                "You divide by too much: quiet channels win. "
                "The length of a row of F is the root of which entry?"
            ),
        ),
        (
            lambda G: _largest(_cosine(G, silent=9.0)),
            tr("A silent channel divides 0 by 0. What should its value be?"),
        ),
        (
            lambda G: (0, int(_cosine(G).fill_diagonal_(-1).argmax())),
            tr("There is no such channel. How do you get from a flat index to row and column?"),
        ),
        (
            lambda G: int(_cosine(G).fill_diagonal_(-1).argmax()),
            tr("How do you get from a flat index to row and column?"),
        ),
    ],
    hint=tr(
        "First scale each entry to a number from 0 to 1, then look for the largest off the "
        "diagonal."
    ),
    praise=tr("Two voices that sing together, however softly."),
)
def closest_pair(G: Tensor) -> tuple[int, int]:
    """Chapter 03: the two channels that occur together most, for their strength."""
    return _largest(_cosine(G))
