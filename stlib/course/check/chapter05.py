"""The exercises of chapter 05: style loss."""

import torch
from torch import Tensor

from stlib.course.check.exercise import Wrong, call, checker, number, same_tensor


def _layer_losses(
    features: dict[str, Tensor], style_features: dict[str, Tensor]
) -> dict[str, float]:
    """E_l of each layer, each picture with its own number of positions."""
    losses = {}
    for layer in features:
        F, F_a = features[layer][0].flatten(1), style_features[layer][0].flatten(1)
        difference = F @ F.T / F.shape[1] - F_a @ F_a.T / F_a.shape[1]
        losses[layer] = float(difference.square().sum()) / (4 * len(F) ** 2)
    return losses


def _two_layers(style_height: int = 3) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Random features of two layers, with 3 and 4 channels, and those of a style picture `style_height` positions high."""
    generator = torch.Generator().manual_seed(5)

    def rand(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64) * 2

    return (
        {"relu1_1": rand(1, 3, 3, 5), "relu2_1": rand(1, 4, 2, 2)},
        {"relu1_1": rand(1, 3, style_height, 5), "relu2_1": rand(1, 4, style_height - 1, 2)},
    )


@checker
def whole_style_loss(answer) -> str:
    """Chapter 05: L_style = Σ w_l E_l (eqs. 4 and 5) for two pictures that may differ in size."""
    features, style_features = _two_layers()
    _same_loss(
        answer,
        features,
        style_features,
        {"relu1_1": 1.0, "relu2_1": 0.0},
        "two pictures of one size and w = 1, 0",
        "Compare with eq. (4), for one layer: what is summed, and what divides the sum?",
    )
    _same_loss(
        answer,
        features,
        style_features,
        {"relu1_1": 0.0, "relu2_1": 1.0},
        "the same pictures and w = 0, 1",
        "Does every layer take its own N and M?",
    )
    features, other_size = _two_layers(style_height=6)
    _same_loss(
        answer,
        features,
        other_size,
        {"relu1_1": 1.0, "relu2_1": 0.0},
        "a style picture with twice as many positions",
        "By which number of positions do you divide A, and by which G?",
    )
    _same_loss(
        answer,
        features,
        other_size,
        {"relu1_1": 0.25, "relu2_1": 3.0},
        "w = 0.25, 3",
        "Is each layer's loss multiplied by its own weight, once?",
    )
    leaves = {layer: F.clone().requires_grad_() for layer, F in features.items()}
    loss = call(answer, leaves, other_size, {"relu1_1": 0.5, "relu2_1": 0.5})
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        raise Wrong(
            "the number is right, but it knows no gradient, so no picture could follow it. Where does your loss stop "
            "being a tensor, or get detached?"
        )
    return "Two pictures of any size, any layers, one number."


def _same_loss(answer, features, style_features, w, given: str, hint: str) -> None:
    """Wrong, with a hint that fits the mistake when it is a known one, unless the answer computes Σ w_l E_l."""
    E = _layer_losses(features, style_features)
    expected = sum(w[layer] * E[layer] for layer in w)
    kept = [tensor.clone() for tensor in (*features.values(), *style_features.values())]
    got = number(call(answer, dict(features), dict(style_features), dict(w)), given)
    if not all(map(torch.equal, kept, (*features.values(), *style_features.values()))):
        raise Wrong(
            "your function changed the features it was given. Work on a copy: the caller still needs the original."
        )
    if abs(got - expected) <= 1e-4 * expected:
        return
    layer = max(w, key=w.get)
    (N, M), M_a = features[layer][0].flatten(1).shape, style_features[layer][0, 0].numel()
    if sum(weight > 0 for weight in w.values()) == 1:
        for factor, known in (
            (4, "It is 4 times too large. What stands beside N² under the fraction bar?"),
            (0.25, "It is 4 times too small. How often do you divide by 4?"),
            (
                M**2,
                "It is M² times too large. By what is a Gram matrix divided before it is compared?",
            ),
            (
                M,
                "It is M times too large. What is squared: the difference, or the difference divided by M?",
            ),
            (1 / M**2, "It is M² times too small. How often do you divide by M?"),
            (N**2, "It is N² times too large. What stands beside the 4 under the fraction bar?"),
            (
                1 / N**2,
                "It is N² times too small: a mean over the N² entries, where eq. (4) has a sum?",
            ),
            (4 / N**2, "That is a mean of some kind. Eq. (4) has a sum and a divisor of its own."),
            (
                (N / M) ** 2,
                "N is the number of channels, M of positions. Which of the two is which axis?",
            ),
            (
                1 / 2,
                "It is half of that. Does the square of the difference lose something on the way?",
            ),
        ):
            if abs(got - factor * expected) <= 1e-4 * factor * expected:
                raise Wrong(
                    f"for {given} the result is {got:.6g}, expected {expected:.6g}. {known}"
                )
        if M_a != M:
            F, F_a = features[layer][0].flatten(1), style_features[layer][0].flatten(1)
            for divisor, whose in ((M, "the generated"), (M_a, "the style")):
                shared = (
                    w[layer]
                    * float((F @ F.T - F_a @ F_a.T).square().sum())
                    / (4 * N**2 * divisor**2)
                )
                if abs(got - shared) <= 1e-4 * shared:
                    raise Wrong(
                        f"for {given} the result is {got:.6g}, expected {expected:.6g}. You divide both Gram matrices by "
                        f"the number of positions of {whose} picture. What does the other one have?"
                    )
    elif (
        abs(got - sum(E.values())) <= 1e-4 * got
        or abs(got - sum(E.values()) / len(E)) <= 1e-4 * got
    ):
        hint = "All layers count alike here. Where do you use w?"
    raise Wrong(f"for {given} the result is {got:.6g}, expected {expected:.6g}. {hint}")


@checker
def gradient_below_relu(answer) -> str:
    """Chapter 05: ∂E_l/∂z for F = max(z, 0), as a formula (eq. 6)."""
    generator = torch.Generator().manual_seed(6)
    z = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    F_a = torch.rand(3, 7, generator=generator, dtype=torch.float64)
    target = F_a @ F_a.T / 7
    (N, M), F = z.shape, z.clamp(min=0)
    at_F = (F @ F.T / M - target) @ F / (N**2 * M)
    expected, mask = at_F * (z > 0), z > 0
    given = "z of shape [3, 5]"
    try:
        with torch.no_grad():
            got = call(answer, z, target)
    except RuntimeError as error:
        if "grad" in str(error):
            raise Wrong(
                "this uses autograd, which is switched off here. Which closed form stands in eq. (6)?"
            ) from None
        if (
            "mat1 and mat2" in str(error)
            or "size of tensor" in str(error)
            or "shapes cannot be multiplied" in str(error)
        ):
            raise Wrong(f"{error}. On which side of F does an [N, N] matrix fit?") from None
        raise
    if not isinstance(got, Tensor) or got.shape != z.shape:
        same_tensor(
            got,
            expected,
            given,
            "Each entry of z has one gradient. On which side of F does an [N, N] matrix fit?",
        )
    hint = "Which matrix says what is wrong, what does it multiply, and what divides the product?"
    raw = (z @ z.T / M - target) @ z / (N**2 * M)
    for wrong, known in (
        (at_F, "That is the gradient at F. What does the ReLU let through on the way back to z?"),
        (-expected, "The sign is turned. The gradient points to where E_l grows."),
        (raw, "E_l is computed from F. What becomes of the negative entries of z first?"),
        (
            raw * mask,
            "The mask is there, but G is made of z. What does E_l see of the negative entries of z?",
        ),
        (expected * M, "It is M times too large. G/M is differentiated, too."),
        (expected / M, "It is M times too small. How often do you divide by M?"),
        (expected * N**2, "It is N² times too large. What stands under the fraction bar?"),
        (
            expected / 4,
            "It is 4 times too small. What becomes of the 4 when squares are differentiated?",
        ),
        (expected / 2, "It is half of that. Each feature stands in a row and in a column of G."),
        (
            expected * N**2 / M**2,
            "N is the number of channels, M of positions. Which of the two is which axis?",
        ),
        ((F @ F.T - target) @ F * mask / (N**2 * M), "Is G divided by the same as A?"),
        ((F @ F.T - target) @ F * mask / (N**2 * M**2), "Is G divided by the same as A?"),
    ):
        if torch.allclose(got.detach().double(), wrong, rtol=1e-4, atol=1e-9):
            hint = known
            break
    same_tensor(got, expected, given, hint)
    return "This is what autograd computes, mask and all."


@checker
def from_pytorch_tutorial(answer) -> str:
    """Chapter 05: β and w_l of the paper's form for the style weight of the PyTorch tutorial."""
    for style_weight, channels in ((1e6, [64]), (1e6, [64, 128, 256, 512, 512]), (500.0, [2, 4])):
        given = f"style_weight={style_weight:g}, channels={channels}"
        result = call(answer, style_weight, list(channels))
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise Wrong(
                f"for {given} the result is a {type(result).__name__}, expected the pair (beta, w)."
            )
        beta = number(result[0], f"{given}, the beta of the pair")
        try:
            w = [
                float(weight)
                for weight in (result[1].values() if isinstance(result[1], dict) else result[1])
            ]
        except (TypeError, ValueError):
            raise Wrong(
                f"for {given} w is {result[1]!r}, expected a list of {len(channels)} numbers."
            ) from None
        if len(w) != len(channels):
            raise Wrong(
                f"for {given} w has {len(w)} numbers, expected {len(channels)}: one for each layer."
            )
        if abs(sum(w) - 1) > 1e-4:
            raise Wrong(
                f"for {given} the weights w add up to {sum(w):.6g}, expected 1. Where does their common size belong?"
            )
        factors = [style_weight * 4 / N**2 for N in channels]
        expected = sum(factors)
        for place, (weight, factor) in enumerate(zip(w, factors, strict=True)):
            if abs(weight - factor / expected) > 1e-4:
                turned = w[0] < w[-1] and w == sorted(w)
                hint = (
                    "They are turned around: a layer with many channels counts less in the tutorial."
                    if turned
                    else "How does the factor of the PyTorch tutorial, in the table above, depend on N?"
                )
                raise Wrong(
                    f"for {given} w[{place}] is {weight:.4g}, expected {factor / expected:.4g}. {hint}"
                )
        if abs(beta - expected) > 1e-4 * expected:
            ratio = beta / expected
            hint = (
                "Is β Σ w_l E_l the tutorial's loss, when you write the tutorial's in terms of E_l?"
            )
            if abs(ratio - 1 / 4) < 1e-4:
                hint = "It is 4 times too small. Which factor have a mean of squares and E_l between them?"
            elif abs(ratio - 1 / len(w)) < 1e-4:
                hint = "The tutorial adds the layers up, it takes no mean over them."
            elif abs(beta * expected - style_weight**2) <= 1e-4 * style_weight**2:
                hint = "The factor is upside down. Which of the two losses is the larger one?"
            elif abs(beta - style_weight) <= 1e-4 * style_weight:
                hint = (
                    "That is the tutorial's own weight. Its layer loss is not E_l, but a multiple."
                )
            raise Wrong(f"for {given} beta is {beta:.6g}, expected {expected:.6g}. {hint}")
    return "Its one million is a small β: its layer loss is a small part of E_l."
