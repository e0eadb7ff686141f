"""The exercises of chapter 04: content loss."""

import torch
from torch import Tensor

from stlib.course.check.exercise import Wrong, call, checker, number, same_tensor


@checker
def write_content_loss(answer) -> str:
    """Chapter 04: half of the sum of the squared differences, with its gradient."""
    generator = torch.Generator().manual_seed(0)
    for shape in ((2, 3), (1, 4, 5, 6)):
        F, P = (torch.rand(shape, generator=generator) for _ in range(2))
        F.requires_grad_()
        given = f"features and a target of the shape {list(shape)}"
        loss = call(answer, F, P)
        value, expected = number(loss, given), float((F - P).detach().square().sum() / 2)
        if abs(value - expected) > 1e-4 * expected:
            raise Wrong(
                f"for {given} the result is {value:.4f}, expected {expected:.4f}. {_loss_hint(value, F.detach(), P)}"
            )
        if not isinstance(loss, Tensor) or not loss.requires_grad:
            raise Wrong(
                "the value is right, but it has lost its gradient: nothing could be optimised. "
                "Do you leave torch on the way (item, float, numpy, detach)?"
            )
        loss.backward()
        same_tensor(
            F.grad,
            (F - P).detach(),
            f"the gradient, with {given},",
            "Is a part of the loss detached?",
        )
    return "Its gradient is F − P."


def _loss_hint(value: float, F: Tensor, P: Tensor) -> str:
    square = float((F - P).square().sum())
    known = (
        (square, "What is missing so that the gradient has no factor 2?"),
        (square / F.numel(), "Eq. (1) has a sum, this is a mean."),
        (square / F.numel() / 2, "Eq. (1) has a sum, this is a mean."),
        (float((F - P).abs().sum()) / 2, "The differences are squared before they are added up."),
        (square**0.5, "There is no root in eq. (1)."),
        (float((F - P).sum()) ** 2 / 2, "Square first, then add up."),
    )
    return next(
        (hint for wrong, hint in known if abs(value - wrong) < 1e-4 * abs(wrong)),
        "Compare with eq. (1), factor by factor.",
    )


@checker
def content_gradient(answer) -> str:
    """Chapter 04: the gradient of the content loss with respect to the input of the ReLU."""
    z = torch.tensor([[-1.0, 2.0, 0.5], [3.0, -0.5, 1.0]])
    P = torch.tensor([[1.0, 0.5, 1.0], [0.0, 0.0, 1.0]])
    F = z.clamp(min=0)
    expected = (F - P) * (z > 0)
    got = call(answer, z, P)
    hints = (
        (z - P, "The features are what the ReLU makes of z."),
        (F - P, "What does a ReLU that was silent pass on?"),
        (-expected, "The sign is turned: the gradient points to where the loss grows."),
        (2 * expected, "Where does the factor 2 come from?"),
    )
    hint = next(
        (
            hint
            for wrong, hint in hints
            if isinstance(got, Tensor)
            and got.shape == wrong.shape
            and torch.allclose(got.detach(), wrong)
        ),
        "Begin with eq. (2), then go one step back through the ReLU.",
    )
    same_tensor(got, expected, f"z = {z.tolist()} and P = {P.tolist()}", hint)
    z = torch.randn(1, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    P = torch.rand(1, 4, 5, 6, generator=torch.Generator().manual_seed(1))
    same_tensor(
        call(answer, z, P),
        (z.clamp(min=0) - P) * (z > 0),
        "random z and P of the shape [1, 4, 5, 6]",
        "It was right for a small example: does it depend on the shape?",
    )
    return "This is the paper's eq. (2), mask and all."


@checker
def choose_layer(answer) -> str:
    """Chapter 04: the deepest layer from which the picture can be rebuilt well enough."""
    falling = {"relu1_1": 40.0, "relu2_1": 34.0, "relu3_1": 24.0, "relu4_1": 19.0, "relu5_1": 17.0}
    bumpy = {"relu1_1": 21.0, "relu2_1": 13.5, "relu3_1": 14.5, "relu4_1": 9.0}
    for quality, needed, expected in (
        (falling, 20.0, "relu3_1"),
        (falling, 19.0, "relu4_1"),
        (falling, 39.0, "relu1_1"),
        (bumpy, 14.0, "relu3_1"),
        (falling, 50.0, None),
    ):
        given = f"quality = {quality} and needed = {needed}"
        got = call(answer, quality, needed) if expected else answer(quality, needed)
        if got != expected:
            good = [layer for layer, decibels in quality.items() if decibels >= needed]
            if expected is None:
                hint = "No layer is good enough here."
            elif got in good[:-1]:
                hint = "That layer is good enough, but not the deepest. Does your search stop at the first bad one?"
            elif got in quality and quality[got] < needed:
                hint = "That layer is not good enough."
            else:
                hint = "The name of a layer is asked for; exactly `needed` is good enough."
            raise Wrong(f"for {given} the result is {got!r}, expected {expected!r}. {hint}")
    return "As much freedom as the picture allows."
