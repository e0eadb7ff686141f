"""The exercises' checkers: they say what was given, what came out, what was expected, and one hint.

A checker is called with the learner's answer, `check.half_way(half_way)`. It prints a line or a few and never raises for a
learner's mistake; an untouched stub is "not attempted yet". It never tells the solution.
"""

import functools
import math
import traceback
from collections.abc import Callable

import torch
from torch import Tensor

from stlib.images import sample, sample_names
from stlib.losses import style_loss, style_target
from stlib.transfer import STYLE_LAYERS, Transfer
from stlib.vgg import VGG

PAINTINGS = ("cafe-terrace", "church-at-auvers", "harvest-at-la-crau", "langlois-bridge")


class Wrong(Exception):
    """What is wrong with an answer, in words for the learner."""


def _stub():
    ...


def _checker(examine: Callable[[object], str]) -> Callable[[object], None]:
    """Make a function that returns praise or raises Wrong into a checker that prints and never raises."""

    @functools.wraps(examine)
    def check(answer) -> None:
        name = examine.__name__
        try:
            if _untouched(answer):
                print(f"{name}: not attempted yet. Fill in the cell above and run this one again.")
                return
            print(f"{name}: right. {examine(answer)}")
        except Wrong as wrong:
            print(f"{name}: {wrong}")
        except Exception as error:  # whatever a learner's code may raise
            place = traceback.extract_tb(error.__traceback__)[-1]
            print(f"{name}: your code stopped with {type(error).__name__}: {error} (in {place.name}, line {place.lineno}: "
                  f"{place.line or 'source not at hand'})")

    return check


def _untouched(answer) -> bool:
    if answer is ...:
        return True
    return getattr(getattr(answer, "__code__", None), "co_code", None) == _stub.__code__.co_code


def _call(answer, *arguments):
    """The answer's result for these arguments; Wrong when it is no function or returns nothing."""
    if not callable(answer):
        raise Wrong(f"give the function itself, without calling it; this is a {type(answer).__name__}.")
    result = answer(*arguments)
    if result is None or result is ...:
        raise Wrong("the function returns nothing. Does it end with `return …`?")
    return result


@_checker
def first_transfer(answer) -> str:
    """Chapter 00: the cat in the style of The Harvest, as a Transfer."""
    result = _call(answer)
    if isinstance(result, Tensor):
        raise Wrong("this is a picture; return the whole result of style_transfer, its history is needed too.")
    if not isinstance(result, Transfer):
        raise Wrong(f"expected what style_transfer returns, a Transfer, got a {type(result).__name__}.")
    content, style = _most_like_content(result.image), _most_like_style(result.image)
    if content != "cat":
        raise Wrong(f"the scene in the result is {content}, expected cat. Which argument is the content?")
    if style != "harvest-at-la-crau":
        raise Wrong(f"its style is nearest to {style}, expected harvest-at-la-crau. Which argument is the style, "
                    "and did the run have at least 30 steps?")
    factor = result.history[0]["total"] / min(losses["total"] for losses in result.history)
    if factor < 2:
        raise Wrong(f"the total loss fell by a factor of {factor:.1f} only, expected at least 2. Give it more steps.")
    return "The cat, in the colours of the harvest."


def _most_like_content(picture: Tensor) -> str:
    """The sample whose light and dark parts lie where those of the picture do."""
    def layout(image: Tensor) -> Tensor:
        small = torch.nn.functional.interpolate(image.mean(1, keepdim=True), size=(24, 24), mode="area").flatten()
        return (small - small.mean()) / small.std()
    return max(sample_names(), key=lambda name: float(layout(picture) @ layout(sample(name))))


def _most_like_style(picture: Tensor) -> str:
    """The painting with the nearest Gram matrices."""
    net = VGG()
    with torch.no_grad():
        features = net.features(picture, STYLE_LAYERS)
        def distance(name: str) -> float:
            painting = net.features(sample(name, max(picture.shape[2:])), STYLE_LAYERS)
            return float(style_loss(features, {layer: style_target(f) for layer, f in painting.items()}))
        return min(PAINTINGS, key=distance)


@_checker
def half_way(answer) -> str:
    """Chapter 00: the first evaluation at which the total loss is at most half of what it was at the start."""
    for totals, expected in (([8.0, 6.0, 4.0, 3.0, 1.0], 2), ([10.0, 12.0, 4.9, 6.0, 1.0], 2), ([3.0, 1.0], 1),
                             ([100.0, 80.0, 60.0, 51.0, 50.1, 20.0, 2.0], 5)):
        history = [{"seconds": 0.1 * i, "total": total, "content": 0.9 * total - i % 2, "style": 100.0 - total}
                   for i, total in enumerate(totals)]
        got = _call(answer, history)
        if isinstance(got, bool) or not isinstance(got, (int, float)) or got != expected:
            if isinstance(got, float) and got in totals:
                hint = "That is a loss; the number of the evaluation is asked for."
            elif got == expected + 1:
                hint = "The first evaluation has the number 0."
            elif isinstance(got, int) and got > expected:
                hint = "The first one is asked for, and exactly half counts."
            else:
                hint = "Compare each total with half of the first one."
            raise Wrong(f"for the totals {totals} the result is {got!r}, expected {expected}. {hint}")
    return "L-BFGS gains most in its first evaluations."


@_checker
def fit(answer) -> str:
    """Chapter 00: the width and height that load_image gives to a picture."""
    for width, height, size in ((680, 453, 256), (453, 680, 256), (512, 512, 200), (100, 60, 256), (1000, 333, 500)):
        longer = max(width, height)
        scale = min(1.0, size / longer)
        expected = (round(width * scale), round(height * scale))
        got = _call(answer, width, height, size)
        try:
            got = tuple(got)
        except TypeError:
            raise Wrong(f"expected a pair (width, height), got {got!r}.") from None
        if got != expected:
            if got == expected[::-1]:
                hint = "Width comes first."
            elif longer < size:
                hint = "A picture that is small enough stays as it is."
            elif len(got) == 2 and all(abs(g - e) <= 1 for g, e in zip(got, expected, strict=True)):
                hint = "Pixels are whole: round to the nearest."
            else:
                hint = "Which side should be `size` pixels long, and what keeps the shape?"
            raise Wrong(f"for {width} × {height} at size={size} the result is {got}, expected {expected}. {hint}")
    return "So a 12-megapixel photo costs no more than a small one."


@_checker
def start_from_noise(answer) -> str:
    """Chapter 07: a picture of uniform noise that an optimiser can change, the same for the same seed."""
    content = sample("castle", 64)
    before = torch.random.get_rng_state()
    try:
        x = _call(answer, content, 3)
        again, other = _call(answer, content, 3), _call(answer, content, 4)
        disturbed = not torch.equal(before, torch.random.get_rng_state())
    finally:
        torch.random.set_rng_state(before)
    if not isinstance(x, Tensor) or x.shape != content.shape:
        got = list(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise Wrong(f"for a content of the shape {list(content.shape)} the result is {got}. What shape must the picture have?")
    if not torch.equal(x, again):
        raise Wrong("two calls with seed 3 give different pictures. Where does your noise take its seed from?")
    if torch.equal(x, other):
        raise Wrong("seeds 3 and 4 give the same picture. Does your noise use the seed?")
    values = x.detach()
    if values.min() < 0 or values.max() > 1 or not (0.45 < float(values.mean()) < 0.55) or values.std() < 0.2:
        raise Wrong(f"the values run from {values.min():.2f} to {values.max():.2f} with the mean {values.mean():.2f}; "
                    "expected even noise from 0 to 1. Which function of torch gives that?")
    if abs(float(torch.corrcoef(torch.stack([values.flatten(), content.flatten()]))[0, 1])) > 0.1:
        raise Wrong("the content shines through the noise: only its shape should be used.")
    if not x.requires_grad:
        raise Wrong("x asks for no gradient, so there would be nothing to follow. What must be switched on?")
    if not x.is_leaf:
        raise Wrong("x is the result of a computation (not a leaf), and no optimiser takes that. "
                    "Ask for the gradient last of all.")
    if disturbed:
        raise Wrong("torch's global random numbers were disturbed. Use a torch.Generator of your own.")
    return "The same seed, the same noise."


def _bowl() -> tuple[Callable[[Tensor], Tensor], Tensor, Tensor]:
    """A loss with a known minimum, a start and that minimum."""
    target = torch.linspace(0, 1, 12).view(1, 3, 2, 2)
    return (lambda x: ((x - target) ** 2).sum() / 2), torch.full_like(target, 0.25), target


@_checker
def make_closure(answer) -> str:
    """Chapter 07: the closure that L-BFGS calls: clear the gradient, evaluate, go back, return the loss."""
    loss_of, start, target = _bowl()
    x = start.clone().requires_grad_()
    optimiser = torch.optim.LBFGS([x], line_search_fn="strong_wolfe")
    closure = _call(answer, optimiser, x, loss_of)
    if not callable(closure):
        raise Wrong(f"make_closure returned a {type(closure).__name__}, expected a function. Do you call the inner function "
                    "instead of returning it?")
    loss = closure()
    if loss is None:
        raise Wrong("the closure returns nothing; L-BFGS has to know the loss.")
    if not torch.allclose(x.detach(), start):
        raise Wrong("the closure changed x. Only the optimiser moves the picture.")
    if x.grad is None:
        raise Wrong("after the closure x.grad is None. Which call computes the gradient, and is the loss still attached to x?")
    expected = start - target
    if not torch.allclose(x.grad, expected):
        raise Wrong(f"the first entry of x.grad is {float(x.grad[0, 0, 0, 0]):.3f}, expected {float(expected[0, 0, 0, 0]):.3f}. "
                    "The gradient of which loss is it?")
    closure()
    if not torch.allclose(x.grad, expected):
        raise Wrong("the second call adds its gradient to that of the first. What has to happen before each evaluation?")
    value = float(loss.detach()) if isinstance(loss, Tensor) else float(loss)
    if not math.isclose(value, float(loss_of(start)), rel_tol=1e-5):
        raise Wrong(f"the closure returns {value:.4f}, the loss is {float(loss_of(start)):.4f}.")
    optimiser.step(closure)
    if not torch.allclose(x.detach(), target, atol=1e-3):
        raise Wrong("with this closure L-BFGS does not reach the minimum. Does each call evaluate x as it is now?")
    return "L-BFGS calls it as often as it likes."


@_checker
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
    given = start.clone()
    result = _call(answer, loss_of, given, steps, lr)
    if not isinstance(result, tuple) or len(result) != 2:
        raise Wrong(f"expected the pair (picture, losses), got a {type(result).__name__}.")
    picture, losses = result
    if not torch.equal(given, start):
        raise Wrong("the start picture itself was changed. Work on a copy: another run may want the same start.")
    if len(losses) != steps:
        raise Wrong(f"for steps={steps} there are {len(losses)} losses, expected {steps}: one for each evaluation.")
    losses = [float(loss) for loss in losses]
    if not math.isclose(losses[0], expected[0], rel_tol=1e-4):
        raise Wrong(f"the first loss is {losses[0]:.4f}, expected that of the start, {expected[0]:.4f}. "
                    "Evaluate first, then step.")
    if losses[-1] >= losses[0]:
        raise Wrong("the loss does not fall. Does the optimiser step, and does it hold the tensor that you evaluate?")
    if not all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(losses, expected, strict=True)):
        raise Wrong(f"the losses end with {losses[-1]:.4f}, expected {expected[-1]:.4f}. Is the gradient cleared each time, "
                    "and is lr used?")
    if not isinstance(picture, Tensor) or not torch.allclose(picture.detach(), x.detach(), atol=1e-4):
        raise Wrong("the losses are right, but the picture is not the one that they lead to. What do you return?")
    return "Adam needs no closure: one evaluation, one step."
