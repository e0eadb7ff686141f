"""The exercises of chapter 07: the full loop."""

import torch
from torch import Tensor

from stlib._language import tr
from stlib.course.check.answer import Function, Wrong, checker, result_of
from stlib.course.check.compare import Seen, kind
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
            tr(
                "for a content of the shape {shape} the result is {thing}. "
                "What shape must the picture have?"
            ).format(shape=list(content.shape), thing=kind(x))
        )
    if not torch.equal(x, again):
        raise Wrong(
            tr(
                "two calls with seed 3 give different pictures. "
                "Where does your noise take its seed from?"
            )
        )
    if torch.equal(x, other):
        raise Wrong(tr("seeds 3 and 4 give the same picture. Does your noise use the seed?"))
    _check_noise(x.detach(), content)
    if not x.requires_grad:
        raise Wrong(
            tr(
                "x asks for no gradient, so there would be nothing to follow. What must be "
                "switched on?"
            )
        )
    if not x.is_leaf:
        raise Wrong(
            tr(
                "x is the result of a computation (not a leaf), and no optimiser takes that. "
                "Ask for the gradient last of all."
            )
        )
    if disturbed:
        raise Wrong(
            tr("torch's global random numbers were disturbed. Use a torch.Generator of your own.")
        )
    return tr("The same seed, the same noise.")


def _check_noise(x: Tensor, content: Tensor) -> None:
    """Raise Wrong unless x is uniform noise from 0 to 1 that knows nothing of the content."""
    in_range = x.min() >= 0 and x.max() <= 1
    if not in_range or not 0.45 < float(x.mean()) < 0.55 or x.std() < 0.2:
        raise Wrong(
            tr(
                "the values run from {least:.2f} to {most:.2f} with the mean {mean:.2f}; "
                "expected uniform noise from 0 to 1. Which function of torch gives that?"
            ).format(least=x.min(), most=x.max(), mean=x.mean())
        )
    correlation = torch.corrcoef(torch.stack([x.flatten(), content.flatten()]))[0, 1]
    if abs(correlation) > 0.1:
        raise Wrong(tr("the content shines through the noise: only its shape should be used."))


TARGET = torch.linspace(0, 1, 6).view(1, 1, 2, 3)
START = torch.full_like(TARGET, 0.25)


def _bowl(x: Tensor) -> Tensor:
    """A loss with its minimum at TARGET."""
    return (x - TARGET).square().sum() / 2


def _painted(answer: Function, *case: object) -> Seen:
    result = answer(*case)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Wrong(
            tr("the result is {thing}, expected the pair (picture, losses)").format(
                thing=kind(result)
            )
        )
    picture, losses = result
    if not isinstance(losses, list):
        raise Wrong(tr("the losses are {thing}, expected a list").format(thing=kind(losses)))
    kinds = {type(loss).__name__ for loss in losses}
    return Seen(
        {
            tr("the list of losses"): losses,
            tr("the type of a loss"): kinds,
            tr("the picture"): picture,
        }
    )


FLOATS = tr("Floats are asked for: a tensor may keep the whole graph of its evaluation in memory.")


def _careful(
    grows: float = 1.5,
    shrinks: float = 0.5,
    returns: bool = True,
    keeps_gradient: bool = True,
    notes_all: bool = True,
    copied: bool = True,
    kept: Function = float,
) -> Function:
    """The descent that finds its rate, with the flaws that are asked for."""

    def answer(
        loss_of: Function, start: Tensor, rate: float, evaluations: int
    ) -> tuple[Tensor, list]:
        x = (start.clone() if copied else start).requires_grad_()
        loss = loss_of(x)
        (gradient,) = torch.autograd.grad(loss, x)
        lowest, losses = float(loss.detach()), [kept(loss.detach())]
        for _ in range(evaluations - 1):
            tried = (x - rate * gradient).detach().requires_grad_()
            loss = loss_of(tried)
            (there,) = torch.autograd.grad(loss, tried)
            fell = float(loss.detach()) < lowest
            if fell or notes_all:
                losses.append(kept(loss.detach()))
            rate = rate * (grows if fell else shrinks)
            if fell or not returns:
                x, gradient, lowest = tried, there, float(loss.detach())
            elif not keeps_gradient:
                gradient = there
        return x.detach(), losses

    return answer


@exercise(
    cases=[(_bowl, START, 3.0, 8), (_bowl, START, 0.1, 5)],
    given=lambda loss_of, start, rate, evaluations: tr(
        "rate = {rate} and evaluations = {evaluations}"
    ).format(rate=rate, evaluations=evaluations),
    look=_painted,
    mistakes=[
        (
            _careful(returns=False),
            tr("When the loss did not fall, where does the next step begin?"),
        ),
        (_careful(keeps_gradient=False), tr("The gradient belongs to x. Did x move?")),
        (_careful(shrinks=1.0), tr("After a step too long, is the next one shorter?")),
        (_careful(grows=1.0), tr("After a good step, is the next one longer?")),
        (_careful(grows=2.0), tr("By which factor does the rate grow?")),
        (
            _careful(notes_all=False),
            tr(
                "A trial that fails is an evaluation, too: it costs the same, and its loss is "
                "noted."
            ),
        ),
        (_careful(kept=lambda loss: loss), FLOATS),
        (
            lambda loss_of, start, rate, evaluations: _careful()(
                loss_of, start, rate, evaluations + 1
            ),
            tr("The start is evaluated, too: how many evaluations are left for steps?"),
        ),
        (
            lambda loss_of, start, rate, evaluations: _careful()(loss_of, start, rate, evaluations)[
                0
            ],
            tr("Return the list of losses, too."),
        ),
    ],
    hint=tr("Evaluate, compare with the lowest loss so far; then go or stay, and set the rate."),
    praise=tr("Too long a rate is halved until it fits."),
)
def careful_descent(
    loss_of: Function, start: Tensor, rate: float, evaluations: int
) -> tuple[Tensor, list]:
    """Chapter 07: gradient descent that finds its rate; returns the picture and all losses."""
    return _careful()(loss_of, start, rate, evaluations)


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


@exercise(
    cases=[(_bowl, START, 12, 0.05), (_bowl, START, 3, 0.2)],
    given=lambda loss_of, start, steps, lr: tr("steps = {steps} and lr = {lr}").format(
        steps=steps, lr=lr
    ),
    look=_painted,
    mistakes=[
        (_with_adam(clear=False), tr("Is the gradient cleared each time?")),
        (
            lambda loss_of, start, steps, lr: loss_of(start.clone()).backward(),
            tr("Which tensor has to ask for a gradient, and when?"),
        ),
        (_with_adam(copied=False), tr("Adam moves the tensor that it holds. Whose is it?")),
        (_with_adam(faster=2.0), tr("Does your Adam use lr as it is?")),
        (
            lambda loss_of, start, steps, lr: _with_adam()(loss_of, start, steps, 0.001),
            tr("Does your Adam use lr as it is?"),
        ),
        (
            _with_adam(move=False),
            tr(
                "The loss does not fall. Does the optimiser step, and is x the tensor that it "
                "holds?"
            ),
        ),
        (
            _with_adam(steps_before=1),
            tr("The first loss is that of the start: evaluate, then step."),
        ),
        (_with_adam(more=1), tr("One loss for each evaluation: how many does your loop make?")),
        (
            lambda loss_of, start, steps, lr: (start, _with_adam()(loss_of, start, steps, lr)[1]),
            tr("Which picture do your losses lead to?"),
        ),
        (_with_adam(kept=lambda loss: loss), FLOATS),
        (
            lambda loss_of, start, steps, lr: _with_adam()(loss_of, start, steps, lr)[0],
            tr("Return the list of losses, too."),
        ),
    ],
    hint=tr("Clear, evaluate, go backward, note the loss, step: in this order, `steps` times?"),
    praise=tr("Adam needs no closure: one evaluation, one step."),
)
def adam_loop(loss_of: Function, start: Tensor, steps: int, lr: float) -> tuple[Tensor, list]:
    """Chapter 07: the loop with Adam; returns the picture and the loss of every evaluation."""
    return _with_adam()(loss_of, start, steps, lr)
