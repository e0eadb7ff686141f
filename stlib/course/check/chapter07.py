"""The exercises of chapter 07: the full loop."""

import copy

import torch
from torch import Tensor

from stlib.course.check.answer import Function, Wrong, checker, result_of
from stlib.course.check.compare import Seen, kind, number
from stlib.course.check.exercise import exercise
from stlib.images import sample


@checker
def start_from_noise(answer: object) -> str:
    """Chapter 07: uniform noise that an optimiser can change, the same for the same seed."""
    content = sample("castle", 64)
    before = torch.random.get_rng_state()
    try:
        x = result_of(answer, content=content, seed=3)
        again = result_of(answer, content=content, seed=3)
        other = result_of(answer, content=content, seed=4)
        disturbed = not torch.equal(before, torch.random.get_rng_state())
    finally:
        torch.random.set_rng_state(before)
    if not isinstance(x, Tensor) or x.shape != content.shape:
        raise Wrong(
            f"for a content of the shape {list(content.shape)} the result is {kind(x)}. "
            "What shape must the picture have?"
        )
    if not torch.equal(x, again):
        raise Wrong(
            "two calls with seed 3 give different pictures. "
            "Where does your noise take its seed from?"
        )
    if torch.equal(x, other):
        raise Wrong("seeds 3 and 4 give the same picture. Does your noise use the seed?")
    _check_noise(x.detach(), content)
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


def _check_noise(x: Tensor, content: Tensor) -> None:
    """Raise Wrong unless x is uniform noise from 0 to 1 that knows nothing of the content."""
    in_range = x.min() >= 0 and x.max() <= 1
    if not in_range or not 0.45 < float(x.mean()) < 0.55 or x.std() < 0.2:
        raise Wrong(
            f"the values run from {x.min():.2f} to {x.max():.2f} with the mean {x.mean():.2f}; "
            "expected even noise from 0 to 1. Which function of torch gives that?"
        )
    correlation = torch.corrcoef(torch.stack([x.flatten(), content.flatten()]))[0, 1]
    if abs(correlation) > 0.1:
        raise Wrong("the content shines through the noise: only its shape should be used.")


TARGET = torch.linspace(0, 1, 6).view(1, 1, 2, 3)
START = torch.full_like(TARGET, 0.25)


def _bowl(x: Tensor) -> Tensor:
    """A loss with its minimum at TARGET."""
    return (x - TARGET).square().sum() / 2


def _called_twice(answer: Function) -> Seen:
    """What a closure does in two calls, and in a step of L-BFGS after that."""
    x = START.clone().requires_grad_()
    optimiser = torch.optim.LBFGS([x], line_search_fn="strong_wolfe")
    closure = answer(optimiser, x, _bowl)
    if not callable(closure):
        raise Wrong(
            f"the result is {kind(closure)}, expected a function: return the inner function "
            "without calling it"
        )
    loss = closure()
    once = copy.deepcopy(x.grad)
    closure()
    twice = copy.deepcopy(x.grad)
    after_calls = x.detach().clone()
    if number(loss) is not None:
        optimiser.step(closure)
    return Seen(
        {
            "x after two calls": after_calls,
            "what the closure returns": loss,
            "x.grad after one call": once,
            "x.grad after two calls": twice,
            "x after a step of L-BFGS": x.detach(),
        }
    )


def _closure(
    clear: bool = True,
    backward: bool = True,
    give_back: bool = True,
    move: float = 0.0,
    factor: float = 1.0,
    copied: bool = False,
    once: bool = False,
) -> Function:
    """The answer, with the flaws that are asked for."""

    def answer(optimiser: torch.optim.Optimizer, x: Tensor, loss_of: Function) -> Function:
        seen = x.detach().clone().requires_grad_() if copied else x
        first = loss_of(seen)

        def closure() -> Tensor | None:
            if clear:
                optimiser.zero_grad()
            x.data.add_(move)
            loss = factor * (first if once else loss_of(seen))
            if backward:
                loss.backward()
            return loss if give_back else None

        return closure

    return answer


@exercise(
    cases=[(None, None, None)],
    given=lambda *_: "a small loss with a known minimum",
    look=lambda answer, *_: _called_twice(answer),
    mistakes=[
        (
            _closure(clear=False),
            "The second call adds its gradient to that of the first. "
            "What has to happen before each evaluation?",
        ),
        *(
            (wrong, "Which call computes the gradient, and is the loss still attached to x?")
            for wrong in (_closure(backward=False), _closure(copied=True))
        ),
        (_closure(give_back=False), "L-BFGS has to know the loss."),
        (_closure(move=0.1), "Only the optimiser moves the picture."),
        (_closure(factor=2.0), "Of which loss is it the gradient?"),
        (
            _closure(once=True),
            "The loss is computed once, before the closure. It has to be that of x as it is now.",
        ),
        (
            lambda optimiser, x, loss_of: _closure()(optimiser, x, loss_of)(),
            "Do you call the inner function instead of returning it?",
        ),
    ],
    hint="Clear the gradient, evaluate, go backward, return the loss: which one is missing?",
    praise="L-BFGS calls it as often as it likes.",
)
def make_closure(optimiser: torch.optim.Optimizer, x: Tensor, loss_of: Function) -> Function:
    """Chapter 07: the closure for L-BFGS: clear the gradient, evaluate, go back, return it."""
    return _closure()(optimiser, x, loss_of)


def _with_adam(
    clear: bool = True,
    copied: bool = True,
    faster: float = 1.0,
    move: bool = True,
    steps_before: int = 0,
    more: int = 0,
    kept: Function = float,
) -> Function:
    """The loop with Adam, with the flaws that are asked for."""

    def answer(loss_of: Function, start: Tensor, steps: int, lr: float) -> tuple[Tensor, list]:
        x = (start.clone() if copied else start).requires_grad_()
        optimiser = torch.optim.Adam([x], lr=lr * faster)
        losses = []
        for _ in range(steps_before + steps + more):
            if clear:
                optimiser.zero_grad()
            loss = loss_of(x)
            loss.backward()
            losses.append(kept(loss.detach()))
            if move:
                optimiser.step()
        return x.detach(), losses[steps_before:]

    return answer


def _painted(answer: Function, *case: object) -> Seen:
    result = answer(*case)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Wrong(f"the result is {kind(result)}, expected the pair (picture, losses)")
    picture, losses = result
    if not isinstance(losses, list):
        raise Wrong(f"the losses are {kind(losses)}, expected a list")
    kinds = {type(loss).__name__ for loss in losses}
    return Seen({"the list of losses": losses, "the type of a loss": kinds, "the picture": picture})


@exercise(
    cases=[(_bowl, START, 12, 0.05), (_bowl, START, 3, 0.2)],
    given=lambda loss_of, start, steps, lr: f"steps = {steps} and lr = {lr}",
    look=_painted,
    mistakes=[
        (_with_adam(clear=False), "Is the gradient cleared each time?"),
        (_with_adam(copied=False), "Adam moves the tensor that it holds. Whose is it?"),
        (_with_adam(faster=2.0), "Does your Adam use lr as it is?"),
        (
            lambda loss_of, start, steps, lr: _with_adam()(loss_of, start, steps, 0.001),
            "Does your Adam use lr as it is?",
        ),
        (
            _with_adam(move=False),
            "The loss does not fall. Does the optimiser step, and is x the tensor that it holds?",
        ),
        (_with_adam(steps_before=1), "The first loss is that of the start: evaluate, then step."),
        (_with_adam(more=1), "One loss for each evaluation: how many does your loop make?"),
        (
            lambda loss_of, start, steps, lr: (start, _with_adam()(loss_of, start, steps, lr)[1]),
            "Which picture do your losses lead to?",
        ),
        (
            _with_adam(kept=lambda loss: loss),
            "Floats are asked for: a tensor may keep the whole graph of its evaluation in memory.",
        ),
        (
            lambda loss_of, start, steps, lr: _with_adam()(loss_of, start, steps, lr)[0],
            "Return the list of losses, too.",
        ),
    ],
    hint="Clear, evaluate, go backward, note the loss, step: in this order, `steps` times?",
    praise="Adam needs no closure: one evaluation, one step.",
)
def adam_loop(loss_of: Function, start: Tensor, steps: int, lr: float) -> tuple[Tensor, list]:
    """Chapter 07: the loop with Adam; returns the picture and the loss of every evaluation."""
    return _with_adam()(loss_of, start, steps, lr)
