"""The checkers of chapter 05: each passes the right answer, names typical mistakes, and never raises."""

import pytest
import torch

from stlib.course.check import chapter05 as check


def run(checker, answer, capsys) -> str:
    checker(answer)
    return capsys.readouterr().out


def style_loss(layer_loss, weigh=lambda w, E: w * E):
    """The answer that sums layer_loss(F, F_a) over the layers."""
    return lambda features, style_features, w: sum(
        weigh(
            w[layer], layer_loss(features[layer][0].flatten(1), style_features[layer][0].flatten(1))
        )
        for layer in features
    )


def S(F, F_a, M=None, M_a=None):
    """Σ (G/M − A/M_a)²."""
    return (F @ F.T / (M or F.shape[1]) - F_a @ F_a.T / (M_a or F_a.shape[1])).square().sum()


def E(F, F_a):
    return S(F, F_a) / (4 * len(F) ** 2)


def in_place(features, style_features, w):
    loss = style_loss(E)(features, style_features, w)
    for F in features.values():
        F.data.mul_(2)
    return loss


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (style_loss(E), "right."),
        (style_loss(lambda F, F_a: S(F, F_a) / len(F) ** 2), "What stands beside N²"),
        (style_loss(lambda F, F_a: E(F, F_a) / 4), "How often do you divide by 4"),
        (
            style_loss(lambda F, F_a: S(F, F_a, 1, 1) / (4 * len(F) ** 2)),
            "By what is a Gram matrix divided",
        ),
        (
            style_loss(lambda F, F_a: S(F, F_a, 1, 1) / (4 * len(F) ** 2 * F.shape[1])),
            "What is squared",
        ),
        (style_loss(lambda F, F_a: E(F, F_a) / F.shape[1] ** 2), "How often do you divide by M"),
        (style_loss(lambda F, F_a: S(F, F_a) / 4), "What stands beside the 4"),
        (style_loss(lambda F, F_a: E(F, F_a) / len(F) ** 2), "where eq. (4) has a sum"),
        (style_loss(lambda F, F_a: S(F, F_a) / len(F) ** 4), "a divisor of its own"),
        (
            style_loss(lambda F, F_a: S(F, F_a) / (4 * F.shape[1] ** 2)),
            "Which of the two is which axis",
        ),
        (
            style_loss(lambda F, F_a: S(F, F_a, None, F.shape[1]) / (4 * len(F) ** 2)),
            "of the generated picture",
        ),
        (
            style_loss(lambda F, F_a: S(F, F_a, F_a.shape[1]) / (4 * len(F) ** 2)),
            "of the style picture",
        ),
        (style_loss(lambda F, F_a: S(F, F_a).sqrt() / (4 * len(F) ** 2)), "what is summed"),
        (style_loss(E, lambda w, E: (w > 0) * E), "Where do you use w"),
        (style_loss(E, lambda w, E: w**2 * E), "by its own weight, once"),
        (style_loss(lambda F, F_a: E(F, F_a).item()), "knows no gradient"),
        (style_loss(lambda F, F_a: E(F.detach(), F_a)), "knows no gradient"),
        (lambda features, style_features, w: features["relu1_1"], "expected one number"),
        (in_place, "changed the features"),
    ],
)
def test_whole_style_loss(answer, hint, capsys):
    out = run(check.whole_style_loss, answer, capsys)
    assert hint in out
    assert ("right." in out) == (hint == "right.")


def gradient(
    F_of=lambda z: z.clamp(min=0),
    mask=lambda z, at_F: at_F * (z > 0),
    divisor=lambda N, M: N**2 * M,
    by_M=True,
):
    """The answer (G/M − A/M_a) F / divisor, with its parts exchangeable."""

    def answer(z, A_over_M):
        (N, M), F = z.shape, F_of(z)
        return mask(z, (F @ F.T / (M if by_M else 1) - A_over_M) @ F / divisor(N, M))

    return answer


def by_autograd(z, A_over_M):
    z = z.clone().requires_grad_()
    loss = ((z.relu() @ z.relu().T / z.shape[1] - A_over_M) ** 2).sum() / (4 * len(z) ** 2)
    return torch.autograd.grad(loss, z)[0]


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (gradient(), "right."),
        (gradient(mask=lambda z, at_F: at_F), "What does the ReLU let through"),
        (gradient(mask=lambda z, at_F: -at_F * (z > 0)), "The sign is turned"),
        (
            gradient(F_of=lambda z: z, mask=lambda z, at_F: at_F),
            "What becomes of the negative entries",
        ),
        (gradient(F_of=lambda z: z), "G is made of z"),
        (gradient(divisor=lambda N, M: N**2), "M times too large"),
        (gradient(divisor=lambda N, M: N**2 * M**2), "M times too small"),
        (gradient(divisor=lambda N, M: M), "N² times too large"),
        (gradient(divisor=lambda N, M: 4 * N**2 * M), "What becomes of the 4"),
        (gradient(divisor=lambda N, M: 2 * N**2 * M), "in a row and in a column"),
        (gradient(divisor=lambda N, M: M**3), "which axis"),
        (gradient(divisor=lambda N, M: N * M**2), "what divides the product"),
        (gradient(by_M=False), "divided by the same as A"),
        (lambda z, A: z @ (z @ z.T - A), "On which side of F"),
        (lambda z, A: gradient()(z, A)[:, 0], "On which side of F"),
        (lambda z, A: gradient()(z.relu_(), A), "changed what it was given"),
        (by_autograd, "autograd, which is switched off"),
    ],
)
def test_gradient_below_relu(answer, hint, capsys):
    out = run(check.gradient_below_relu, answer, capsys)
    assert hint in out
    assert ("right." in out) == (hint == "right.")


def weights(factor, total=sum):
    """The answer (beta, w) made of the factor of each layer."""

    def answer(style_weight, channels):
        factors = [factor(style_weight, N) for N in channels]
        return total(factors), [each / sum(factors) for each in factors]

    return answer


def right(style_weight, N):
    return style_weight * 4 / N**2


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (weights(right), "right."),
        (
            lambda s, channels: (
                weights(right)(s, channels)[0],
                torch.tensor(weights(right)(s, channels)[1]),
            ),
            "right.",
        ),
        (weights(lambda s, N: s / N**2), "4 times too small"),
        (weights(lambda s, N: s * N**2 / 4), "upside down"),
        (weights(lambda s, N: s), "the tutorial's own weight"),
        (weights(lambda s, N: s * 4 / N), "in terms of E_l"),
        (weights(right, lambda factors: sum(factors) / len(factors)), "no mean over them"),
        (lambda s, channels: (s, [1 / len(channels)] * len(channels)), "the tutorial's own weight"),
        (
            lambda s, channels: (
                sum(right(s, N) for N in channels),
                [1 / len(channels)] * len(channels),
            ),
            "depend on N",
        ),
        (
            lambda s, channels: (
                sum(right(s, N) for N in channels),
                [N**2 / sum(n**2 for n in channels) for N in channels],
            ),
            "turned around",
        ),
        (lambda s, channels: (s, [4 / N**2 for N in channels]), "add up to"),
        (lambda s, channels: sum(right(s, N) for N in channels), "expected the pair"),
        (lambda s, channels: (right(s, channels[0]), 1.0), "expected a list"),
        (lambda s, channels: (right(s, channels[0]), [0.5, 0.5]), "one for each layer"),
    ],
)
def test_from_pytorch_tutorial(answer, hint, capsys):
    out = run(check.from_pytorch_tutorial, answer, capsys)
    assert hint in out
    assert ("right." in out) == (hint == "right.")
