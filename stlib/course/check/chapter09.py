"""The exercises of chapter 09: the Keras example."""

import math

from stlib.course.check.exercise import Wrong, call, checker, number, same_number

CHANNELS = {"relu1_1": 64, "relu2_1": 128, "relu3_1": 256, "relu4_1": 512, "relu5_1": 512}


@checker
def turn_weights(answer) -> str:
    """Chapter 09: α, β and w_l that give the Keras example's content and style terms."""
    for content_weight, style_weight, shapes, size in (
        (2.5e-8, 1e-6, {"relu1_1": (64, 1024)}, 1024),
        (2.5e-8, 1e-6, {"relu1_1": (64, 1024), "relu3_1": (256, 64), "relu5_1": (512, 4)}, 1024),
        (1.0, 3.0, {"relu1_1": (6, 400), "relu2_1": (12, 100)}, 400),
    ):
        given = f"content_weight={content_weight:g}, style_weight={style_weight:g}, shapes={shapes}, size={size}"
        result = call(answer, content_weight, style_weight, dict(shapes), size)
        if not isinstance(result, (tuple, list)) or len(result) != 3:
            raise Wrong(
                f"for {given} the result is a {type(result).__name__}, expected three things: (alpha, beta, w)."
            )
        alpha, beta = (
            number(value, f"{given}, the {name} of the three")
            for name, value in zip(("alpha", "beta"), result[:2], strict=True)
        )
        w = _numbers(result[2], list(shapes), f"{given}, w")
        alpha_hint = _hint(
            alpha,
            [
                (
                    content_weight,
                    "Its content loss is Σ (F − P)². What does ours have before the Σ?",
                ),
                (
                    content_weight / 2,
                    "Which of the two content losses is the larger number, and which "
                    "then needs the larger weight?",
                ),
            ],
            "Compare the two content losses.",
        )
        same_number(alpha, 2 * content_weight, f"{given}, the alpha", alpha_hint)
        share = style_weight / len(shapes)
        factors = {
            layer: share * (N / 3) ** 2 * (M / size) ** 2 for layer, (N, M) in shapes.items()
        }
        if not math.isclose(sum(w.values()), 1, rel_tol=1e-4):
            raise Wrong(
                f"for {given} the weights w add up to {sum(w.values()):.6g}, expected 1. Where does their sum belong?"
            )
        beta_hint = _hint(
            beta,
            [
                (
                    sum(factors.values()) * len(shapes),
                    "By what does the example divide its style weight before it adds up layers?",
                ),
                (
                    sum(factors.values()) / len(shapes),
                    "How often is the style weight divided by the number of layers?",
                ),
                (
                    sum(share * N**2 * (M / size) ** 2 for N, M in shapes.values()),
                    "What stands beside the 4 in its divisor?",
                ),
                (
                    sum(share * (N / 3) ** 2 * (M / size) for N, M in shapes.values()),
                    "To which power do M and the size enter?",
                ),
                (
                    sum(share / ((N / 3) ** 2 * (M / size) ** 2) for N, M in shapes.values()),
                    "Put it in: is its layer loss the factor times E_l, or E_l divided by the factor?",
                ),
                (style_weight, "What is left of the factors of the layers?"),
            ],
            "β is the sum of what stands before the E_l. What stands before each?",
        )
        for layer, factor in factors.items():
            same_number(
                w[layer],
                factor / sum(factors.values()),
                f"{given}, the weight of {layer}",
                "The weights have the ratios of the factors. What is the factor of this layer?",
            )
        same_number(beta, sum(factors.values()), f"{given}, the beta", beta_hint)
    return "With these three numbers every function of stlib speaks Keras."


@checker
def divisor_share(answer) -> str:
    """Chapter 09: the share of each layer in the Keras example's style loss."""
    for E in ([1.0, 1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 0.0, 0.0, 1024.0], [0.5, 2.0, 3.0, 8.0, 100.0]):
        given = f"E = {E}"
        got = list(_numbers(call(answer, list(E)), list(CHANNELS), given).values())
        factors = [N**2 / 16**block for block, N in enumerate(CHANNELS.values())]
        mistakes = [
            (
                [1.0] * 5,
                "These are the shares with equal weights. What does the divisor leave of N and M?",
            ),
            (
                [N**2 for N in CHANNELS.values()],
                "N² is in it. What becomes of M, which falls from block to block?",
            ),
            (
                [1 / 16**block for block in range(5)],
                "M is in it. What becomes of N, which grows from block to block?",
            ),
            (
                [N**2 / 4**block for block, N in enumerate(CHANNELS.values())],
                "Is M or M² in the factor?",
            ),
            (
                [N**2 / 2**block for block, N in enumerate(CHANNELS.values())],
                "Pooling halves the height *and* the width.",
            ),
            (
                [N / 4**block for block, N in enumerate(CHANNELS.values())],
                "The factor holds squares of N and of M.",
            ),
            (
                [1 / factor for factor in factors],
                "Does the divisor make shallow layers count more, or less?",
            ),
        ]
        hint = "What does the factor (N/3)² (M/(HW))² amount to in each block?"
        for wrong, known in mistakes:
            if all(
                math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-9)
                for a, b in zip(got, _shares(wrong, E), strict=True)
            ):
                hint = known
                break
        if not math.isclose(sum(got), 1, rel_tol=1e-4):
            raise Wrong(
                f"for {given} the shares add up to {sum(got):.6g}, expected 1. Divide by what?"
            )
        for layer, value, expected in zip(CHANNELS, got, _shares(factors, E), strict=True):
            same_number(value, expected, f"{given}, the share of {layer}", hint)
    return (
        "The size of the picture is nowhere in it: each pooling divides M by 4, whatever the size."
    )


@checker
def rate_after(answer) -> str:
    """Chapter 09: the learning rate of exponential decay, not in stairs."""
    for steps, rate, factor, every in (
        (0, 100.0, 0.96, 100),
        (100, 100.0, 0.96, 100),
        (50, 100.0, 0.96, 100),
        (4000, 100.0, 0.96, 100),
        (30, 8.0, 0.5, 20),
    ):
        given = f"steps={steps}, rate={rate:g}, factor={factor:g}, every={every}"
        got = number(call(answer, steps, rate, factor, every), given)
        mistakes = [
            (
                rate * factor ** (steps // every),
                "That is the rate in stairs. Does the example's schedule wait for the next 100?",
            ),
            (rate * factor**steps, "That multiplies by the factor at every step."),
            (
                rate * factor ** (every / steps) if steps else math.nan,
                "Which of the two is divided by the other?",
            ),
            (
                rate * (1 - (1 - factor) * steps / every),
                "That falls by the same amount each time; it should by the same share.",
            ),
            (rate * factor * steps / every, "How often is the rate multiplied by the factor?"),
            (
                rate * math.exp(-factor * steps / every),
                "The factor is 0.96 itself, not a power of e.",
            ),
        ]
        same_number(
            got,
            rate * factor ** (steps / every),
            given,
            _hint(
                got,
                mistakes,
                "After `every` steps the rate was multiplied by the factor once. And half-way there?",
            ),
        )
    return "After its 4000 steps the example still walks with about a fifth of its first rate."


def _numbers(result, layers: list[str], given: str) -> dict[str, float]:
    """The answer's numbers, one for each layer, from a dict or a list."""
    if isinstance(result, dict) and set(result) == set(layers):
        result = [result[layer] for layer in layers]
    if not isinstance(result, (list, tuple)) or len(result) != len(layers):
        got = (
            f"a dict with the keys {list(result)}"
            if isinstance(result, dict)
            else f"a {type(result).__name__}"
        )
        got += f" of {len(result)}" if isinstance(result, (list, tuple)) else ""
        raise Wrong(f"for {given} the result is {got}, expected one number for each of {layers}.")
    return {
        layer: number(value, f"{given}, {layer}")
        for layer, value in zip(layers, result, strict=True)
    }


def _shares(factors: list[float], E: list[float]) -> list[float]:
    parts = [factor * E_l for factor, E_l in zip(factors, E, strict=True)]
    return [part / sum(parts) for part in parts]


def _hint(got: float, mistakes: list[tuple[float, str]], otherwise: str) -> str:
    """The hint of the first known mistake that gives this number."""
    return next(
        (hint for value, hint in mistakes if math.isclose(got, value, rel_tol=1e-4)), otherwise
    )
