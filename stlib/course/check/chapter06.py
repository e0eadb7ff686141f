"""The exercises of chapter 06: the total loss."""

import math

import torch
from torch import Tensor

from stlib.course.check.exercise import Wrong, call, checker, number, same_number


@checker
def variation(answer) -> str:
    """Chapter 06: the total variation of a picture, without loops."""
    small = torch.tensor([[1.0, 4.0, 2.0], [0.0, 2.0, 7.0]])
    picture = torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(6))
    for x, given in (
        (small, "[[1, 4, 2], [0, 2, 7]]"),
        (picture, "a picture of the shape [1, 3, 5, 7]"),
    ):
        down, right = x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]
        expected = float(down.abs().sum() + right.abs().sum())
        got = number(call(answer, x.clone()), given)
        mistakes = [
            (down.sum() + right.sum(), "Steps up and steps down cancel in it. Should they?"),
            (
                down.square().sum() + right.square().sum(),
                "Are the steps squared, or taken without their sign?",
            ),
            (
                down.abs().sum(),
                "Those are the steps from row to row. Which other neighbours are there?",
            ),
            (
                right.abs().sum(),
                "Those are the steps from column to column. Which other neighbours are there?",
            ),
            (
                down.abs().mean() + right.abs().mean(),
                "That is a mean of the steps; the formula has Σ.",
            ),
            (expected / x.numel(), "That is the value per pixel; the formula has Σ alone."),
            (
                (x - x.roll(1, -2)).abs().sum() + (x - x.roll(1, -1)).abs().sum(),
                "The last row is compared with the first one. Are they neighbours?",
            ),
            (
                (x[1:] - x[:-1]).abs().sum() + (x[:, 1:] - x[:, :-1]).abs().sum(),
                "Which axes of [..., H, W] are rows and columns? Count them from the end.",
            ),
        ]
        same_number(
            got,
            expected,
            given,
            _hint(got, mistakes, "Which neighbours are compared, and each pair how often?"),
        )
    x = picture.clone().requires_grad_()
    result = call(answer, x)
    if not isinstance(result, Tensor) or not result.requires_grad:
        raise Wrong(
            "the number is right, but it knows no gradient, so no optimiser could lower it. "
            "Where does your computation leave torch?"
        )
    return "A constant picture has 0, and a sharp edge costs no more than a soft one."


@checker
def convert_beta(answer) -> str:
    """Chapter 06: the style weight for another size of picture and another scale of network."""
    for beta, old, new, s in (
        (1000.0, 2000, 2000, 1.0),
        (1000.0, 2000, 8000, 1.0),
        (1000.0, 2000, 2000, 10.0),
        (500.0, 6000, 1500, 0.5),
    ):
        given = f"beta={beta:g}, count_old={old}, count_new={new}, s={s:g}"
        got = number(call(answer, beta, old, new, s), given)
        size = new / old
        mistakes = [
            (
                beta / size / s**2,
                "Does the content loss grow or shrink with the picture, and who has to follow it?",
            ),
            (
                beta * size * s**2,
                "Which of the two losses grows faster with s, and does it then need more weight, or less?",
            ),
            (
                beta / size * s**2,
                "Both conversions go the wrong way: ask for each which of the two losses has grown more.",
            ),
            (beta * size / s, "By which power of s does each loss grow?"),
            (
                beta * size / s**4,
                "The style loss grows with that power of s. But does the content loss stay?",
            ),
            (beta * size**2 / s**2, "How does a sum over N · M numbers grow with N · M?"),
            (
                beta * math.sqrt(size) / s**2,
                "The counts are N · M, not the side of the picture. How does a sum grow with them?",
            ),
            (beta * size, "What does the scale s of the network change?"),
            (beta / s**2, "What does the size of the picture change?"),
        ]
        same_number(
            got,
            beta * size / s**2,
            given,
            _hint(got, mistakes, "By which factor does each of the two losses grow?"),
        )
    return "Twice the width and height and half the scale of the features: 16 times the weight."


@checker
def balance_beta(answer) -> str:
    """Chapter 06: the style weight with which style pulls r times as hard as content."""
    generator = torch.Generator().manual_seed(6)
    c = torch.randn(1, 3, 4, 5, generator=generator)
    s = 0.002 * torch.randn(1, 3, 4, 5, generator=generator)
    for r in (1.0, 5.0):
        given = f"gradients with the norms {float(c.norm()):.4g} (content) and {float(s.norm()):.4g} (style), r={r:g}"
        got = number(call(answer, c.clone(), s.clone(), r), given)
        ratio = c.norm() / s.norm()
        mistakes = [
            (
                r / ratio,
                "Which of the two gradients is multiplied by beta? Put your result in and compare the norms.",
            ),
            (ratio / r, "With it content pulls r times as hard as style. Which was asked for?"),
            (
                1 / (r * ratio),
                "Put your result in: is beta times the style gradient as long as it should be?",
            ),
            (r * ratio**2, "Those are squares of the norms. Is a root missing?"),
            (
                r * c.abs().sum() / s.abs().sum(),
                "That compares sums of absolute values. What is the norm of a gradient?",
            ),
            (
                r * c.abs().max() / s.abs().max(),
                "That compares the largest entries. What is the norm of a gradient?",
            ),
            (
                r * c.sum() / s.sum(),
                "In that sum positive and negative entries cancel. What is the norm of a gradient?",
            ),
            (
                r * c.mean().abs() / s.mean().abs(),
                "In a mean positive and negative entries cancel. What is a norm?",
            ),
            (ratio, "That balances them one to one. What does r ask for?"),
        ]
        hint = _hint(
            got, mistakes, "How long is beta times the style gradient, and how long should it be?"
        )
        same_number(got, float(r * ratio), given, hint)
    return "It holds for this picture only: after the next step the gradients are others."


@checker
def equal_pulls(answer) -> str:
    """Chapter 06: layer weights with which every style layer pulls alike."""
    generator = torch.Generator().manual_seed(6)
    norms = {"relu1_1": 1.0, "relu2_1": 2.0, "relu3_1": 4.0}
    gradients = {}
    for layer, norm in norms.items():
        direction = torch.randn(1, 3, 4, 5, generator=generator)
        gradients[layer] = norm * direction / direction.norm()
    given = "gradients with the norms " + ", ".join(
        f"{norm:g} ({layer})" for layer, norm in norms.items()
    )
    before = {layer: gradient.clone() for layer, gradient in gradients.items()}
    w = call(answer, gradients)
    if gradients.keys() != before.keys() or any(
        not torch.equal(gradients[layer], before[layer]) for layer in before
    ):
        raise Wrong(
            "your function changed what it was given. Work on a copy: the caller still needs the original."
        )
    if not isinstance(w, dict) or set(w) != set(norms):
        got = f"a dict with the keys {list(w)}" if isinstance(w, dict) else f"a {type(w).__name__}"
        raise Wrong(
            f"for {given} the result is {got}, expected a dict with one weight for each of {list(norms)}."
        )
    w = {layer: number(w[layer], f"{given}, the weight of {layer}") for layer in norms}
    pulls = {layer: w[layer] * norm for layer, norm in norms.items()}
    first = pulls["relu1_1"]
    if any(weight <= 0 for weight in w.values()):
        raise Wrong(
            f"for {given} the weights are {_listed(w)}, expected weights above 0. Where does the sign come from?"
        )
    if any(not math.isclose(pull, first, rel_tol=1e-4) for pull in pulls.values()):
        hint = "Which layer needs the larger weight, the one with the long gradient or the one with the short one?"
        if all(
            math.isclose(w[layer] * norm**2, w["relu1_1"], rel_tol=1e-4)
            for layer, norm in norms.items()
        ):
            hint = "The short gradients now pull harder than the long ones. Is there a square too many?"
        elif all(math.isclose(weight, w["relu1_1"], rel_tol=1e-4) for weight in w.values()):
            hint = "Equal weights do not give equal pull. What differs from layer to layer?"
        raise Wrong(
            f"for {given} the layers pull with {_listed(pulls)}, expected the same for all. {hint}"
        )
    if not math.isclose(sum(w.values()), 1, rel_tol=1e-4):
        raise Wrong(
            f"for {given} the layers pull alike, but the weights sum to {sum(w.values()):.4g}, expected 1. "
            "By what can you divide all of them?"
        )
    return "Gentle layers get more weight, and all are heard."


def _hint(got: float, mistakes: list[tuple[object, str]], otherwise: str) -> str:
    """The hint of the first known mistake that gives this number."""
    return next(
        (hint for value, hint in mistakes if math.isclose(got, float(value), rel_tol=1e-4)),
        otherwise,
    )


def _listed(numbers: dict[str, float]) -> str:
    return ", ".join(f"{value:.4g} ({name})" for name, value in numbers.items())
