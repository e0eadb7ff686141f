"""The checkers of chapter 09: each passes the right answer, names typical mistakes, and never raises."""

import math

import pytest
from answers import examine

from stlib.course.check import chapter09 as check


def turned(
    content=2.0,
    share=lambda weight, count: weight / count,
    factor=lambda N, M, size: (N / 3) ** 2 * (M / size) ** 2,
    normalise=True,
    beta=None,
):
    def answer(content_weight, style_weight, shapes, size):
        factors = {
            layer: share(style_weight, len(shapes)) * factor(N, M, size)
            for layer, (N, M) in shapes.items()
        }
        total = sum(factors.values())
        w = {layer: value / total if normalise else value for layer, value in factors.items()}
        return content * content_weight, total if beta is None else beta(style_weight), w

    return answer


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (turned(), "right."),
        (lambda *given: [*turned()(*given)[:2], list(turned()(*given)[2].values())], "right."),
        (turned(content=1), "What does ours have before the Σ"),
        (turned(content=0.5), "which then needs the larger weight"),
        (turned(share=lambda weight, count: weight), "divide its style weight"),
        (
            turned(share=lambda weight, count: weight / count**2),
            "How often is the style weight divided",
        ),
        (turned(factor=lambda N, M, size: N**2 * (M / size) ** 2), "What stands beside the 4"),
        (turned(factor=lambda N, M, size: (N / 3) ** 2 * (M / size)), "ratios of the factors"),
        (
            turned(factor=lambda N, M, size: 1 / ((N / 3) ** 2 * (M / size) ** 2)),
            "or E_l divided by the factor",
        ),
        (turned(normalise=False), "Where does their sum belong"),
        (turned(beta=lambda weight: weight), "What is left of the factors"),
        (lambda *given: turned()(*given)[:2], "expected three things"),
        (lambda *given: (*turned()(*given)[:2], 1.0), "one number for each of"),
        (lambda *given: (*turned()(*given)[:2], {"block1_conv1": 1.0}), "one number for each of"),
    ],
)
def test_turn_weights(answer, hint, capsys):
    examine(check.turn_weights, answer, hint, capsys)


def shares(factor):
    def answer(E):
        parts = [
            factor(N, block) * E_l
            for block, (N, E_l) in enumerate(zip(check.CHANNELS.values(), E, strict=True))
        ]
        return [part / sum(parts) for part in parts]

    return answer


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (shares(lambda N, block: (N / 3) ** 2 / 16**block), "right."),
        (
            lambda E: dict(
                zip(check.CHANNELS, shares(lambda N, block: N**2 / 16**block)(E), strict=True)
            ),
            "right.",
        ),
        (shares(lambda N, block: 1.0), "shares with equal weights"),
        (shares(lambda N, block: N**2), "What becomes of M"),
        (shares(lambda N, block: 1 / 16**block), "What becomes of N"),
        (shares(lambda N, block: N**2 / 4**block), "Is M or M² in the factor"),
        (shares(lambda N, block: N**2 / 2**block), "*and* the width"),
        (shares(lambda N, block: N / 4**block), "squares of N and of M"),
        (shares(lambda N, block: 16**block / N**2), "count more, or less"),
        (
            lambda E: [
                N**2 / 16**block * E_l
                for block, (N, E_l) in enumerate(zip(check.CHANNELS.values(), E, strict=True))
            ],
            "Divide by what",
        ),
        (lambda E: sum(E), "one number for each of"),
        (lambda E: E[:4], "a list of 4"),
    ],
)
def test_divisor_share(answer, hint, capsys):
    examine(check.divisor_share, answer, hint, capsys)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda steps, rate, factor, every: rate * factor ** (steps / every), "right."),
        (lambda steps, rate, factor, every: rate * factor ** (steps // every), "in stairs"),
        (lambda steps, rate, factor, every: rate * factor**steps, "at every step"),
        (
            lambda steps, rate, factor, every: rate * factor ** (every / steps) if steps else rate,
            "Which of the two is divided",
        ),
        (
            lambda steps, rate, factor, every: rate * (1 - (1 - factor) * steps / every),
            "by the same share",
        ),
        (
            lambda steps, rate, factor, every: rate * factor * steps / every,
            "How often is the rate multiplied",
        ),
        (
            lambda steps, rate, factor, every: rate * math.exp(-factor * steps / every),
            "not a power of e",
        ),
        (lambda steps, rate, factor, every: rate, "expected 96"),
        (lambda steps, rate, factor, every: [rate], "expected one number"),
    ],
)
def test_rate_after(answer, hint, capsys):
    examine(check.rate_after, answer, hint, capsys)
