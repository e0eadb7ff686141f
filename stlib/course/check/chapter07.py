"""The exercises of chapter 07: the full loop."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from stlib.course.check.exercise import Wrong, call, checker
from stlib.images import sample


@checker
def start_from_noise(answer) -> str:
    """Chapter 07: a picture of uniform noise that an optimiser can change, the same for the same seed."""
    content = sample("castle", 64)
    before = torch.random.get_rng_state()
    try:
        x = call(answer, content, 3)
        again, other = call(answer, content, 3), call(answer, content, 4)
        disturbed = not torch.equal(before, torch.random.get_rng_state())
    finally:
        torch.random.set_rng_state(before)
    if not isinstance(x, Tensor) or x.shape != content.shape:
        got = list(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise Wrong(
            f"for a content of the shape {list(content.shape)} the result is {got}. What shape must the picture have?"
        )
    if not torch.equal(x, again):
        raise Wrong(
            "two calls with seed 3 give different pictures. Where does your noise take its seed from?"
        )
    if torch.equal(x, other):
        raise Wrong("seeds 3 and 4 give the same picture. Does your noise use the seed?")
    values = x.detach()
    if (
        values.min() < 0
        or values.max() > 1
        or not (0.45 < float(values.mean()) < 0.55)
        or values.std() < 0.2
    ):
        raise Wrong(
            f"the values run from {values.min():.2f} to {values.max():.2f} with the mean {values.mean():.2f}; "
            "expected even noise from 0 to 1. Which function of torch gives that?"
        )
    if abs(float(torch.corrcoef(torch.stack([values.flatten(), content.flatten()]))[0, 1])) > 0.1:
        raise Wrong("the content shines through the noise: only its shape should be used.")
    if not x.requires_grad:
        raise Wrong(
            "x asks for no gradient, so there would be nothing to follow. What must be switched on?"
        )
    if not x.is_leaf:
        raise Wrong(
            "x is the result of a computation (not a leaf), and no optimiser takes that. "
            "Ask for the gradient last of all."
        )
    if disturbed:
        raise Wrong(
            "torch's global random numbers were disturbed. Use a torch.Generator of your own."
        )
    return "The same seed, the same noise."


def _bowl() -> tuple[Callable[[Tensor], Tensor], Tensor, Tensor]:
    """A loss with a known minimum, a start and that minimum."""
    target = torch.linspace(0, 1, 12).view(1, 3, 2, 2)
    return (lambda x: ((x - target) ** 2).sum() / 2), torch.full_like(target, 0.25), target


@checker
def make_closure(answer) -> str:
    """Chapter 07: the closure that L-BFGS calls: clear the gradient, evaluate, go back, return the loss."""
    loss_of, start, target = _bowl()
    x = start.clone().requires_grad_()
    optimiser = torch.optim.LBFGS([x], line_search_fn="strong_wolfe")
    closure = call(answer, optimiser, x, loss_of)
    if not callable(closure):
        raise Wrong(
            f"make_closure returned a {type(closure).__name__}, expected a function. Do you call the inner function "
            "instead of returning it?"
        )
    loss = closure()
    if loss is None:
        raise Wrong("the closure returns nothing; L-BFGS has to know the loss.")
    if not torch.allclose(x.detach(), start):
        raise Wrong("the closure changed x. Only the optimiser moves the picture.")
    if x.grad is None:
        raise Wrong(
            "after the closure x.grad is None. Which call computes the gradient, and is the loss still attached to x?"
        )
    expected = start - target
    if not torch.allclose(x.grad, expected):
        raise Wrong(
            f"the first entry of x.grad is {float(x.grad[0, 0, 0, 0]):.3f}, expected {float(expected[0, 0, 0, 0]):.3f}. "
            "The gradient of which loss is it?"
        )
    closure()
    if not torch.allclose(x.grad, expected):
        raise Wrong(
            "the second call adds its gradient to that of the first. What has to happen before each evaluation?"
        )
    value = float(loss.detach()) if isinstance(loss, Tensor) else float(loss)
    if not math.isclose(value, float(loss_of(start)), rel_tol=1e-5):
        raise Wrong(f"the closure returns {value:.4f}, the loss is {float(loss_of(start)):.4f}.")
    optimiser.step(closure)
    if not torch.allclose(x.detach(), target, atol=1e-3):
        raise Wrong(
            "with this closure L-BFGS does not reach the minimum. Does each call evaluate x as it is now?"
        )
    return "L-BFGS calls it as often as it likes."


@checker
def adam_loop(answer) -> str:
    """Chapter 07: the loop with Adam; returns the picture and the loss of every evaluation."""
    loss_of, start, _ = _bowl()
    steps, lr = 12, 0.05
    x = start.clone().requires_grad_()
    optimiser, expected = torch.optim.Adam([x], lr=lr), []
    for _ in range(steps):
        optimiser.zero_grad()
        loss = loss_of(x)
        loss.backward()
        expected.append(float(loss.detach()))
        optimiser.step()
    result = call(answer, loss_of, start, steps, lr)
    if not isinstance(result, tuple) or len(result) != 2:
        raise Wrong(f"expected the pair (picture, losses), got a {type(result).__name__}.")
    picture, losses = result
    if len(losses) != steps:
        raise Wrong(
            f"for steps={steps} there are {len(losses)} losses, expected {steps}: one for each evaluation."
        )
    losses = [float(loss) for loss in losses]
    if not math.isclose(losses[0], expected[0], rel_tol=1e-4):
        raise Wrong(
            f"the first loss is {losses[0]:.4f}, expected that of the start, {expected[0]:.4f}. "
            "Evaluate first, then step."
        )
    if losses[-1] >= losses[0]:
        raise Wrong(
            "the loss does not fall. Does the optimiser step, and does it hold the tensor that you evaluate?"
        )
    if not all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(losses, expected, strict=True)):
        raise Wrong(
            f"the losses end with {losses[-1]:.4f}, expected {expected[-1]:.4f}. Is the gradient cleared each time, "
            "and is lr used?"
        )
    if not isinstance(picture, Tensor) or not torch.allclose(
        picture.detach(), x.detach(), atol=1e-4
    ):
        raise Wrong(
            "the losses are right, but the picture is not the one that they lead to. What do you return?"
        )
    return "Adam needs no closure: one evaluation, one step."
