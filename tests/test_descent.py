"""The loop: it evaluates nothing twice, says why it ended, and knows nobody else."""

import math
from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close

from stlib import sample, style_transfer
from stlib.descent import LONGEST_SEARCH, Reason, descend, lbfgs
from stlib.objective import Objective
from stlib.solver import FIRST_STEP

SHALLOW = {"content_layers": ("relu2_1",), "style_layers": ("relu1_1", "relu2_1")}  # quick
SIDE = 48  # pixels; with stages from 12 pixels on, the fast solver has three
OPTIMIZERS = {
    "L-BFGS": lbfgs,
    "L-BFGS with a long first step": lambda z: lbfgs(z, 20.0),
    "Adam": lambda z: torch.optim.Adam([z], lr=0.05),
    "SGD": lambda z: torch.optim.SGD([z], lr=1e-3, momentum=0.5),
}
STEEPNESS = torch.linspace(1, 10, 192).view(1, 3, 8, 8)
TARGET = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
LOSSES = {
    "a bowl": lambda x: (STEEPNESS * (x - TARGET).square()).sum(),
    "a bowl high above 0": lambda x: 1e4 + (STEEPNESS * (x - TARGET).square()).sum(),
    "waves": lambda x: (5 * x + TARGET).sin().sum() + 0.1 * x.square().sum(),
    "edges": lambda x: (STEEPNESS * (x - TARGET).abs()).sum(),
    "a banana": lambda x: (
        (1 - x[:, 0]).square().sum() + 9 * (x[:, 1] - x[:, 0] ** 2).square().sum()
    ),
    "a slope": lambda x: (STEEPNESS * x).sum(),
}

pytestmark = pytest.mark.usefixtures("one_thread")


def objective_of(loss):
    def objective(x):
        total = loss(x)
        return total, {"total": float(total.detach())}

    return objective


def run(loss, optimizer, evaluations, note=lambda seen: None, start=None, **options):
    """Descend from a picture, 0 everywhere if none is given: (reason, evaluations, last z)."""
    z = torch.zeros(1, 3, 8, 8) if start is None else start.clone()
    z.requires_grad_()
    seen = []

    def noting(evaluation):
        seen.append(evaluation)
        return note(evaluation)

    objective = objective_of(loss)
    reason = descend(objective, z, lambda z: 2 * z, optimizer(z), evaluations, noting, **options)
    return reason, seen, z.detach()


def places(evaluations):
    return {seen.z.numpy().tobytes() for seen in evaluations}


# nothing is evaluated twice


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_no_point_is_evaluated_twice_on_the_way_down(loss, optimizer):
    """Whatever the valley; and the budget buys as many points, or the bottom is reached before."""
    reason, seen, _ = run(LOSSES[loss], OPTIMIZERS[optimizer], 60)
    totals = [evaluation.losses["total"] for evaluation in seen]
    way_down = seen[: totals.index(min(totals)) + 1]
    assert len(places(way_down)) == len(way_down)
    assert len(seen) == 60 or reason is Reason.CONVERGED


@pytest.mark.parametrize("loss", ["a bowl", "a bowl high above 0", "waves", "a banana"])
def test_at_the_bottom_it_stops(loss):
    """Where no step leads lower in float32, after one line search at most of known points."""
    reason, seen, _ = run(LOSSES[loss], lbfgs, 1000)
    assert reason is Reason.CONVERGED
    totals = [evaluation.losses["total"] for evaluation in seen]
    assert len(seen) - totals.index(min(totals)) <= 2 * LONGEST_SEARCH


WAYS = {
    "fast": {},
    "plain": {"solver": "plain"},
    "adam": {"optimizer": "adam"},
    "smooth": {"solver": "plain", "tv": 10.0},
}


@pytest.mark.parametrize("init", ["content", "noise", "style", "picture"])
@pytest.mark.parametrize("way", WAYS)
def test_no_evaluation_of_a_run_is_made_twice(net, monkeypatch, way, init):
    """Each is of another picture, and the budget buys just as many; no two neighbours are equal."""
    monkeypatch.setattr("stlib.solver.SMALLEST_SIDE", SIDE // 4)
    content, style = sample("castle", SIDE), sample("cafe-terrace", SIDE)
    pictures, evaluate = [], Objective.__call__

    def watched(self, x):
        pictures.append(x.detach().clone())
        return evaluate(self, x)

    monkeypatch.setattr(Objective, "__call__", watched)
    result = style_transfer(
        content,
        style,
        net=net,
        steps=24,
        init=content.flip(3) if init == "picture" else init,
        progress=False,
        **WAYS[way],
        **SHALLOW,
    )
    assert result.reason == "steps"
    assert len({(x.shape, x.numpy().tobytes()) for x in pictures}) == len(pictures)
    assert len(pictures) == len(result.coarse) + len(result.history)
    work = sum(x.shape[2] * x.shape[3] for x in pictures) / (content.shape[2] * content.shape[3])
    assert work == pytest.approx(24, abs=0.6)
    totals = [losses["total"] for losses in (*result.coarse, *result.history)]
    assert all(one != other for one, other in pairwise(totals))


# what it tells


def test_each_evaluation_is_told_with_all_that_belongs_to_it():
    """x is the picture of z, the loss that of x, the gradient that with respect to z."""
    reason, seen, _ = run(LOSSES["a bowl"], lbfgs, 6)
    assert reason is Reason.STEPS
    assert len(seen) == 6
    for evaluation in seen:
        assert_close(evaluation.x, 2 * evaluation.z)
        assert evaluation.losses["total"] == float(LOSSES["a bowl"](evaluation.x))
        assert_close(evaluation.gradient, 2 * 2 * STEEPNESS * (evaluation.x - TARGET))


def test_what_was_told_stays_as_it_was():
    """The optimiser changes z in place, and what is told are copies."""
    kept = []
    _, seen, _ = run(LOSSES["waves"], lbfgs, 8, lambda s: kept.append(s.z.clone()))
    assert all(torch.equal(evaluation.z, z) for evaluation, z in zip(seen, kept, strict=True))


def test_it_goes_on_from_a_known_evaluation():
    """L-BFGS begins where that was, and does not ask again."""
    _, seen, _ = run(LOSSES["a bowl"], lbfgs, 5)
    known = min(seen, key=lambda evaluation: evaluation.losses["total"])
    _, after, _ = run(LOSSES["a bowl"], lbfgs, 5, start=known.z, known=known)
    assert len(after) == 5
    assert known.z.numpy().tobytes() not in places(after)
    assert min(e.losses["total"] for e in after) < known.losses["total"]


# why it ends


@pytest.mark.parametrize("budget", [1, 2, 7])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_it_stops_when_the_budget_is_spent(optimizer, budget):
    """In the middle of a line search if need be."""
    reason, seen, _ = run(LOSSES["a bowl"], OPTIMIZERS[optimizer], budget)
    assert (reason, len(seen)) == (Reason.STEPS, budget)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_start_without_a_slope_is_the_end(optimizer):
    """One evaluation says that there is nothing to improve."""
    reason, seen, z = run(LOSSES["a bowl"], OPTIMIZERS[optimizer], 50, start=TARGET / 2)
    assert (reason, len(seen)) == (Reason.CONVERGED, 1)
    assert torch.equal(z, TARGET / 2)


@pytest.mark.parametrize("reason", Reason)
def test_whoever_is_told_may_end_it(reason):
    """With any reason, after any evaluation."""
    answers = iter([None, None, None, reason])
    ended, seen, _ = run(LOSSES["a bowl"], lbfgs, 50, lambda _: next(answers))
    assert (ended, len(seen)) == (reason, 4)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_ends_it(value):
    """And is not told: there is no picture to keep."""
    count = iter(range(99))
    loss = LOSSES["a bowl"]
    reason, seen, _ = run(lambda x: loss(x) if next(count) < 3 else loss(x) * value, lbfgs, 50)
    assert (reason, len(seen)) == (Reason.NOT_FINITE, 3)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, RuntimeError("of another kind")])
def test_errors_are_left_to_the_caller(error):
    def failing(evaluation):
        raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        run(LOSSES["a bowl"], lbfgs, 5, failing)


def stop(*_):
    return True


def fail(error):
    def failing(evaluation, *_):
        if evaluation == 2:
            raise error

    return failing


def no_memory(*_):
    raise MemoryError


ENDS = {  # how a run of style_transfer comes to each of its ends
    Reason.STEPS: {},
    Reason.CONVERGED: {"beta": 0},
    Reason.CALLBACK: {"callback": stop},
    Reason.INTERRUPTED: {"callback": fail(KeyboardInterrupt)},
    Reason.NOT_FINITE: {},  # and losses that are not
    Reason.OUT_OF_MEMORY: {},  # and losses for which there is no memory
}


def test_all_ends_are_tried():
    assert ENDS.keys() == {*Reason}


@pytest.mark.parametrize("reason", ENDS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_run_knows_why_it_ended(net, losses_from, reason):
    if reason is Reason.NOT_FINITE:
        losses_from(3, lambda total, losses: (total * math.nan, {**losses, "total": math.nan}))
    if reason is Reason.OUT_OF_MEMORY:
        losses_from(3, no_memory)
    result = style_transfer(
        sample("castle", SIDE),
        sample("cat", SIDE),
        net=net,
        steps=6,
        progress=False,
        **ENDS[reason],
        **SHALLOW,
    )
    assert result.reason is reason
    assert result.reason == str(reason) == reason.value
    assert len(result.history) >= 1


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_has_words_for_the_waiting(reason):
    """A sentence with how many evaluations were made."""
    words = reason.message.format(done=7, of=60)
    assert words.endswith(".") and ("7" in words or "60" in words)
    assert "{" not in words


@pytest.mark.parametrize("way", WAYS)
def test_a_perfect_start_takes_one_evaluation(net, way):
    """The content rebuilt from itself: its loss is 0, its gradient too."""
    content = sample("castle", SIDE)
    options = {**WAYS[way], "tv": 0.0}
    result = style_transfer(
        content, content, net=net, beta=0, steps=9, progress=False, **options, **SHALLOW
    )
    assert result.reason == "converged"
    assert len(result.history) == 1
    assert torch.equal(result.image, content)


# L-BFGS


def test_the_first_step_is_of_the_size_that_was_asked_for():
    """Down a slope that never ends: the second evaluation is one step from the start."""
    _, seen, _ = run(LOSSES["a slope"], lambda z: lbfgs(z, FIRST_STEP * z.numel()), 2)
    assert_close(seen[1].z.abs().mean(), torch.tensor(FIRST_STEP))


def test_it_finds_the_bottom_of_a_bowl():
    """That is ten times steeper in one direction than in another, in a hundred evaluations."""
    _, _, z = run(LOSSES["a bowl"], lambda z: lbfgs(z, FIRST_STEP * z.numel()), 100)
    assert_close(2 * z, TARGET, atol=1e-3, rtol=0)


def test_it_takes_one_step_at_each_call():
    """So that whoever drives it can look, and write a checkpoint, after each."""
    steps = []

    def optimizer(z):
        made = lbfgs(z)
        made.register_step_post_hook(lambda *_: steps.append(z.detach().clone()))
        return made

    _, seen, _ = run(LOSSES["a bowl"], optimizer, 20)
    assert len({z.numpy().tobytes() for z in steps}) == len(steps) > 5
    assert all(z.numpy().tobytes() in places(seen) for z in steps)


def test_a_step_never_begins_with_a_new_evaluation(generator):
    """Bumpy losses: a line search may accept a point that is neither its last nor the best."""
    for number in range(100):
        size = 1 + number % 8
        A, b, w = (
            torch.randn(*shape, generator=generator) for shape in ((size, size), (size,), (size,))
        )

        def objective(x, A=A, b=b, w=w):
            loss = (A @ x - b).square().sum() + 2 * torch.cos(9 * w * x).sum()
            return loss, {"total": float(loss.detach())}

        z, seen = torch.randn(size, generator=generator).requires_grad_(), []
        descend(objective, z, lambda z: z, lbfgs(z), 60, seen.append)
        assert not any(torch.equal(one.z, other.z) for one, other in pairwise(seen)), number
