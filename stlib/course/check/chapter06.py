"""The exercises of chapter 06: the total loss."""

import math

import torch
from torch import Tensor

from stlib.course.check.answer import Function
from stlib.course.check.exercise import Rule, exercise


def _randn(seed: int, norm: float = 1.0) -> Tensor:
    direction = torch.randn(1, 3, 4, 5, generator=torch.Generator().manual_seed(seed))
    return norm * direction / direction.norm()


def _steps(x: Tensor) -> tuple[Tensor, Tensor]:
    """Steps from row to row, and from column to column."""
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def _added(
    of_steps: Function = lambda steps: steps.abs().sum(), down: float = 1, right: float = 1
) -> Function:
    return lambda x: down * of_steps(_steps(x)[0]) + right * of_steps(_steps(x)[1])


def _with_loops(x: Tensor) -> Tensor:
    total = x.new_zeros(())
    for steps in _steps(x):
        for step in steps.flatten():
            total = total + step.abs()
    return total


LOST = "No optimiser could lower it. Where does your computation leave torch?"
NO_LOOPS = "It can be done without loops: subtract two pictures, each of which lacks a row."


@exercise(
    cases=[
        (torch.tensor([[1.0, 4.0, 2.0], [0.0, 2.0, 7.0]]),),
        (torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(6)),),
    ],
    mistakes=[
        (_added(torch.sum), "Steps up and steps down cancel in it. Should they?"),
        (
            _added(lambda steps: steps.square().sum()),
            "Are the steps squared, or taken without their sign?",
        ),
        (_added(right=0), "Those are the steps from row to row. Which other neighbours are there?"),
        (
            _added(down=0),
            "Those are the steps from column to column. Which other neighbours are there?",
        ),
        (
            _added(lambda steps: steps.abs().mean()),
            "That is a mean of the steps; the formula has Σ.",
        ),
        (
            lambda x: _added()(x) / x.numel(),
            "That is the value per pixel; the formula has Σ alone.",
        ),
        (
            lambda x: (x - x.roll(1, -2)).abs().sum() + (x - x.roll(1, -1)).abs().sum(),
            "The last row is compared with the first one. Are they neighbours?",
        ),
        (
            lambda x: (x[1:] - x[:-1]).abs().sum() + (x[:, 1:] - x[:, :-1]).abs().sum(),
            "Which axes of [..., H, W] are rows and columns? Count them from the end.",
        ),
        (_added(down=2, right=2), "Is each pair of neighbours counted once?"),
        (_added(torch.abs), "Do the two kinds of steps have one shape? Add up each kind first."),
        (lambda x: _added()(x).item(), LOST),
        (lambda x: _added()(x.detach()), LOST),
        (_with_loops, NO_LOOPS),
    ],
    gradient_of="x",
    lost=LOST,
    rule=Rule(NO_LOOPS, most_calls=40),
    hint="Which neighbours are compared, and each pair how often?",
    praise="A constant picture has 0, and a sharp edge costs no more than a soft one.",
)
def variation(x: Tensor) -> Tensor:
    """Chapter 06: the total variation of a picture, without loops."""
    return _added()(x)


@exercise(
    cases=[
        (1000.0, 2000, 2000, 1.0),
        (1000.0, 2000, 8000, 1.0),
        (1000.0, 2000, 2000, 10.0),
        (500.0, 6000, 1500, 0.5),
    ],
    mistakes=[
        (
            lambda beta, old, new, s: beta * old / new / s**2,
            "Does the content loss grow or shrink with the picture, and who has to follow it?",
        ),
        (
            lambda beta, old, new, s: beta * new / old * s**2,
            "Which of the two losses grows faster with s, and does it then need more weight?",
        ),
        (
            lambda beta, old, new, s: beta * old / new * s**2,
            "Both conversions go the wrong way: which of the two losses has grown more?",
        ),
        (
            lambda beta, old, new, s: beta * new / old / s,
            "By which power of s does each loss grow?",
        ),
        (
            lambda beta, old, new, s: beta * new / old / s**4,
            "The style loss grows with that power of s. But does the content loss stay?",
        ),
        (
            lambda beta, old, new, s: beta * (new / old) ** 2 / s**2,
            "How does a sum over N · M numbers grow with N · M?",
        ),
        (
            lambda beta, old, new, s: beta * math.sqrt(new / old) / s**2,
            "The counts are N · M, not the side of the picture. How does a sum grow with them?",
        ),
        (
            lambda beta, old, new, s: beta * new / old,
            "What does the scale s of the network change?",
        ),
        (lambda beta, old, new, s: beta / s**2, "What does the size of the picture change?"),
    ],
    hint="By which factor does each of the two losses grow?",
    praise="Twice the width and height and half the scale of the features: 16 times the weight.",
)
def convert_beta(beta: float, count_old: int, count_new: int, s: float) -> float:
    """Chapter 06: the style weight for another size of picture and another scale of network."""
    return beta * (count_new / count_old) / s**2


def _ratio(size: Function) -> Function:
    """The answer that compares the gradients by their size."""
    return lambda c, s, r: r * size(c) / size(s)


@exercise(
    cases=[
        (_randn(1, norm=8.0), _randn(2, norm=0.02), 1.0),
        (_randn(1, norm=8.0), _randn(2, norm=0.02), 5.0),
    ],
    given=lambda c, s, r: (
        f"gradients with the norms {c.norm():.4g} (content) and {s.norm():.4g} (style), r = {r:g}"
    ),
    mistakes=[
        (
            lambda c, s, r: r * s.norm() / c.norm(),
            "Which gradient is multiplied by beta? Put your result in and compare the norms.",
        ),
        (
            lambda c, s, r: c.norm() / s.norm() / r,
            "With it content pulls r times as hard as style. Which was asked for?",
        ),
        (
            lambda c, s, r: s.norm() / c.norm() / r,
            "Put your result in: is beta times the style gradient as long as it should be?",
        ),
        (_ratio(lambda g: g.square().sum()), "Those are squares of the norms. Is a root missing?"),
        (
            _ratio(lambda g: g.abs().sum()),
            "That compares sums of absolute values. What is the norm of a gradient?",
        ),
        (
            _ratio(lambda g: g.abs().max()),
            "That compares the largest entries. What is the norm of a gradient?",
        ),
        *(
            (_ratio(size), "In it positive and negative entries cancel. What is a norm?")
            for size in (torch.sum, lambda g: g.sum().abs())
        ),
        (
            lambda c, s, r: c.norm() / s.norm(),
            "That balances them one to one. What does r ask for?",
        ),
        (lambda c, s, r: r * c / s, "beta is one number. What is the length of a gradient?"),
    ],
    hint="How long is beta times the style gradient, and how long should it be?",
    praise="It holds for this picture only: after the next step the gradients are others.",
)
def balance_beta(gradient_of_content: Tensor, gradient_of_style: Tensor, r: float) -> float:
    """Chapter 06: the style weight with which style pulls r times as hard as content."""
    return float(r * gradient_of_content.norm() / gradient_of_style.norm())


Gradients = dict[str, Tensor]


def _weighed(power: int, total: float | None = 1.0, sign: int = 1) -> Function:
    """The answer that weighs each layer by a power of its gradient's norm."""

    def answer(gradients: Gradients) -> dict[str, float]:
        w = {layer: sign * float(g.norm()) ** power for layer, g in gradients.items()}
        whole = 1.0 if total is None else sum(w.values()) / total
        return {layer: weight / whole for layer, weight in w.items()}

    return answer


SUM_TO_1 = "The layers pull alike, but the weights have to sum to 1. By what can you divide them?"


@exercise(
    cases=[
        ({"relu1_1": _randn(1), "relu2_1": _randn(2, 2.0), "relu3_1": _randn(3, 4.0)},),
        ({"relu2_1": _randn(4, 3.0), "relu4_1": _randn(5, 0.5)},),
    ],
    given=lambda gradients: (
        "gradients with the norms "
        + ", ".join(f"{gradient.norm():.3g} ({layer})" for layer, gradient in gradients.items())
    ),
    mistakes=[
        (
            _weighed(1),
            "Which layer needs the larger weight: that with the long gradient or the short one?",
        ),
        (
            _weighed(-2),
            "The short gradients now pull harder than the long ones. Is there a square too many?",
        ),
        (_weighed(0), "Equal weights do not give equal pull. What differs from layer to layer?"),
        (_weighed(-1, total=None), SUM_TO_1),
        (_weighed(-1, total=2.0), SUM_TO_1),
        (_weighed(-1, total=None, sign=-1), "Where does the sign of your weights come from?"),
        (
            lambda gradients: [*_weighed(-1)(gradients).values()],
            "Which weight is whose? Return a dict, by the names of the layers.",
        ),
        (
            lambda gradients: {layer: g / g.norm() for layer, g in gradients.items()},
            "A weight is one number for a layer.",
        ),
    ],
    hint="Multiply each weight by its gradient's norm: is the product the same for every layer, "
    "and do the weights sum to 1?",
    praise="Gentle layers get more weight, and all are heard.",
)
def equal_pulls(gradients: Gradients) -> dict[str, float]:
    """Chapter 06: layer weights with which every style layer pulls alike."""
    return _weighed(-1)(gradients)
