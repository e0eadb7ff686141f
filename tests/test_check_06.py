"""The checkers of chapter 06: each passes the right answer, names typical mistakes, and never raises."""

import math

import pytest
import torch
from answers import examine

from stlib.course.check import chapter06 as check


def steps(x):
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def variation(x):
    down, right = steps(x)
    return down.abs().sum() + right.abs().sum()


def clamps_the_picture(x):
    x -= x.min()
    return variation(x)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (variation, "right."),
        (lambda x: sum(step.sum() for step in steps(x)), "Should they?"),
        (lambda x: sum(step.square().sum() for step in steps(x)), "squared"),
        (lambda x: steps(x)[0].abs().sum(), "from row to row"),
        (lambda x: steps(x)[1].abs().sum(), "from column to column"),
        (lambda x: sum(step.abs().mean() for step in steps(x)), "a mean of the steps"),
        (lambda x: variation(x) / x.numel(), "per pixel"),
        (
            lambda x: (x - x.roll(1, -2)).abs().sum() + (x - x.roll(1, -1)).abs().sum(),
            "Are they neighbours?",
        ),
        (
            lambda x: (x[1:] - x[:-1]).abs().sum() + (x[:, 1:] - x[:, :-1]).abs().sum(),
            "Count them from the end",
        ),
        (lambda x: 2 * variation(x), "each pair how often"),
        (lambda x: variation(x).item(), "knows no gradient"),
        (lambda x: variation(x.detach()), "knows no gradient"),
        (lambda x: steps(x)[0].abs(), "expected one number"),
        (clamps_the_picture, "changed what it was given"),
    ],
)
def test_variation(answer, hint, capsys):
    examine(check.variation, answer, hint, capsys)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda beta, old, new, s: beta * new / old / s**2, "right."),
        (lambda beta, old, new, s: torch.tensor(beta * new / old / s**2), "right."),
        (lambda beta, old, new, s: beta * old / new / s**2, "grow or shrink with the picture"),
        (lambda beta, old, new, s: beta * new / old * s**2, "grows faster with s"),
        (lambda beta, old, new, s: beta * new / old / s, "which power of s"),
        (lambda beta, old, new, s: beta * new / old / s**4, "does the content loss stay"),
        (lambda beta, old, new, s: beta * (new / old) ** 2 / s**2, "sum over N · M"),
        (lambda beta, old, new, s: beta * math.sqrt(new / old) / s**2, "not the side"),
        (lambda beta, old, new, s: beta * new / old, "scale s of the network"),
        (lambda beta, old, new, s: beta / s**2, "size of the picture change"),
        (lambda beta, old, new, s: 33 * new, "By which factor"),
        (lambda beta, old, new, s: (beta, s), "expected one number"),
    ],
)
def test_convert_beta(answer, hint, capsys):
    examine(check.convert_beta, answer, hint, capsys)


def scales_in_place(c, s, r):
    s.mul_(r)
    return c.norm() / s.norm()


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda c, s, r: float(r * c.norm() / s.norm()), "right."),
        (lambda c, s, r: r * c.norm() / s.norm(), "right."),
        (lambda c, s, r: r * s.norm() / c.norm(), "multiplied by beta"),
        (lambda c, s, r: c.norm() / s.norm() / r, "content pulls r times"),
        (lambda c, s, r: r * c.square().sum() / s.square().sum(), "root missing"),
        (lambda c, s, r: r * c.abs().sum() / s.abs().sum(), "sums of absolute values"),
        (lambda c, s, r: r * c.abs().max() / s.abs().max(), "largest entries"),
        (lambda c, s, r: r * c.sum() / s.sum(), "cancel"),
        (lambda c, s, r: c.norm() / s.norm(), "What does r ask for"),
        (lambda c, s, r: r * c / s, "expected one number"),
        (scales_in_place, "changed what it was given"),
    ],
)
def test_balance_beta(answer, hint, capsys):
    examine(check.balance_beta, answer, hint, capsys)


def weights(power, normalise=True, sign=1):
    def answer(gradients):
        w = {layer: sign * float(gradient.norm()) ** power for layer, gradient in gradients.items()}
        return {layer: value / (sum(w.values()) if normalise else 1) for layer, value in w.items()}

    return answer


def divides_in_place(gradients):
    w = weights(-1)(gradients)
    for gradient in gradients.values():
        gradient /= gradient.norm()
    return w


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (weights(-1), "right."),
        (weights(1), "the long gradient or the one with the short one"),
        (weights(-2), "a square too many"),
        (weights(0), "What differs from layer to layer"),
        (weights(-1, normalise=False), "expected 1"),
        (weights(-1, normalise=False, sign=-1), "Where does the sign come from"),
        (lambda gradients: list(weights(-1)(gradients).values()), "expected a dict"),
        (
            lambda gradients: {
                layer: gradient / gradient.norm() for layer, gradient in gradients.items()
            },
            "expected one number",
        ),
        (divides_in_place, "changed what it was given"),
    ],
)
def test_equal_pulls(answer, hint, capsys):
    examine(check.equal_pulls, answer, hint, capsys)
