"""The checkers: each passes the right answer, names typical mistakes, and never raises."""

import re

import pytest
import torch
from answers import forgets, untouched

from stlib import sample, style_transfer
from stlib.course import check

EVERY = [getattr(check, name) for name in check.__all__]
OF_FUNCTIONS = [
    checker for checker in EVERY if checker is not check.name_the_bug
]  # its answer is a dict, or a function of none


@pytest.mark.parametrize("checker", EVERY, ids=lambda checker: checker.__name__)
class TestEveryChecker:
    def test_an_untouched_stub_is_not_attempted_yet(self, checker, capsys):
        checker(untouched)
        checker(...)
        assert capsys.readouterr().out.count("not attempted yet") == 2

    def test_a_forgotten_return_is_named(self, checker, capsys):
        checker(forgets)
        assert "returns nothing" in capsys.readouterr().out

    def test_an_exception_of_the_learner_is_told_not_raised(self, checker, capsys):
        def stumbles(*arguments):
            raise KeyError("Total")

        checker(stumbles)
        assert "your code stopped with KeyError" in (out := capsys.readouterr().out)
        assert "stumbles" in out

    def test_an_answer_of_another_type_is_not_right(self, checker, capsys):
        checker(lambda *arguments: "text")
        assert "right." not in capsys.readouterr().out


@pytest.mark.parametrize("checker", OF_FUNCTIONS, ids=lambda checker: checker.__name__)
def test_a_value_instead_of_the_function_is_named(checker, capsys):
    checker(42)
    assert "give the function itself" in capsys.readouterr().out


def run(checker, answer, capsys) -> str:
    checker(answer)
    return capsys.readouterr().out


def paint(content: str, style: str, steps: int = 40):
    return style_transfer(sample(content, 128), sample(style, 128), steps=steps, progress=False)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda: paint("cat", "harvest-at-la-crau"), "right."),
        (lambda: paint("cat", "harvest-at-la-crau", 2).image, "this is a picture"),
        (lambda: paint("harvest-at-la-crau", "cat", 4), "Which argument is the content?"),
        (lambda: paint("castle", "harvest-at-la-crau", 4), "the scene in the result is castle"),
        (lambda: paint("cat", "cafe-terrace", 30), "nearest to cafe-terrace"),
        (lambda: "cat", "got a str"),
    ],
)
def test_first_transfer(answer, hint, capsys):
    assert hint in run(check.first_transfer, answer, capsys)


def first(history, condition):
    return next(i for i, losses in enumerate(history) if condition(losses))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda h: first(h, lambda losses: losses["total"] <= h[0]["total"] / 2), "right."),
        (
            lambda h: first(h, lambda losses: losses["total"] <= h[0]["total"] / 2) + 1,
            "has the number 0",
        ),
        (
            lambda h: h[first(h, lambda losses: losses["total"] <= h[0]["total"] / 2)]["total"],
            "That is a loss",
        ),
        (lambda h: len(h) - 1, "The first one is asked for"),
        (lambda h: len(h) // 2 - 1, "Compare each total"),
        (
            lambda h: [i for i, losses in enumerate(h) if losses["total"] <= h[0]["total"] / 2][-1],
            "The first one is asked for",
        ),
        (
            lambda h: (
                None
                if h[0]["total"] < 5
                else first(h, lambda losses: losses["total"] <= h[0]["total"] / 2)
            ),
            "returns nothing",
        ),
    ],
)
def test_half_way(answer, hint, capsys):
    assert hint in run(check.half_way, answer, capsys)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda w, h, s: tuple(round(side * min(1, s / max(w, h))) for side in (w, h)), "right."),
        (
            lambda w, h, s: tuple(round(side * min(1, s / max(w, h))) for side in (h, w)),
            "Width comes first",
        ),
        (lambda w, h, s: tuple(round(side * s / max(w, h)) for side in (w, h)), "stays as it is"),
        (
            lambda w, h, s: tuple(int(side * min(1, s / max(w, h))) for side in (w, h)),
            "round to the nearest",
        ),
        (lambda w, h, s: (s, s), "Which side"),
        (
            lambda w, h, s: tuple(round(side * min(1, s / min(w, h))) for side in (w, h)),
            "Which side",
        ),
        (lambda w, h, s: s, "expected a pair"),
    ],
)
def test_fit(answer, hint, capsys):
    assert hint in run(check.fit, answer, capsys)


def seeded(content, seed):
    return torch.rand(content.shape, generator=torch.Generator().manual_seed(seed))


def globally_seeded(content, seed):
    torch.manual_seed(seed)
    return torch.rand(content.shape).requires_grad_()


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda content, seed: seeded(content, seed).requires_grad_(), "right."),
        (lambda content, seed: torch.rand(content.shape).requires_grad_(), "two calls with seed 3"),
        (lambda content, seed: seeded(content, 0).requires_grad_(), "same picture"),
        (lambda content, seed: seeded(content, seed), "asks for no gradient"),
        (lambda content, seed: seeded(content, seed).requires_grad_() * 1, "not a leaf"),
        (
            lambda content, seed: torch.randn(
                content.shape, generator=torch.Generator().manual_seed(seed)
            ),
            "even noise from 0 to 1",
        ),
        (lambda content, seed: (0.5 * content + 0.5 * seeded(content, seed)).requires_grad_(), ""),
        (lambda content, seed: seeded(content, seed)[0].requires_grad_(), "What shape"),
        (globally_seeded, "global random numbers"),
    ],
)
def test_start_from_noise(answer, hint, capsys):
    out = run(check.start_from_noise, answer, capsys)
    assert hint in out
    assert ("right." in out) == (hint == "right.")


def closure_maker(body):
    return lambda optimiser, x, loss_of: lambda: body(optimiser, x, loss_of)


def right_closure(optimiser, x, loss_of):
    optimiser.zero_grad()
    loss = loss_of(x)
    loss.backward()
    return loss


def never_clears(optimiser, x, loss_of):
    loss = loss_of(x)
    loss.backward()
    return loss


def never_goes_back(optimiser, x, loss_of):
    optimiser.zero_grad()
    return loss_of(x)


def returns_nothing(optimiser, x, loss_of):
    right_closure(optimiser, x, loss_of)


def works_on_a_copy(optimiser, x, loss_of):
    return right_closure(optimiser, x.detach().clone().requires_grad_(), loss_of)


def clamps_inside(optimiser, x, loss_of):
    x.data.add_(0.1)
    return right_closure(optimiser, x, loss_of)


def doubles_the_loss(optimiser, x, loss_of):
    return right_closure(optimiser, x, lambda x: 2 * loss_of(x))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (closure_maker(right_closure), "right."),
        (closure_maker(never_clears), "adds its gradient"),
        (closure_maker(never_goes_back), "x.grad is None"),
        (closure_maker(returns_nothing), "closure returns nothing"),
        (closure_maker(works_on_a_copy), "still attached"),
        (closure_maker(clamps_inside), "Only the optimiser moves"),
        (closure_maker(doubles_the_loss), "gradient of which loss"),
        (right_closure, "calling? the inner function|Do you call the inner function"),
    ],
)
def test_make_closure(answer, hint, capsys):
    assert re.search(hint, run(check.make_closure, answer, capsys))


def adam(clear=True, copy=True, lr_factor=1.0, step=True, first_step=False, last_picture=True):
    def answer(loss_of, start, steps, lr):
        x = start.clone().requires_grad_() if copy else start.requires_grad_()
        optimiser, losses = torch.optim.Adam([x], lr=lr * lr_factor), []
        for number in range(steps + first_step):
            if clear:
                optimiser.zero_grad()
            loss = loss_of(x)
            loss.backward()
            if number >= first_step:
                losses.append(float(loss.detach()))
            if step:
                optimiser.step()
        return (x.detach() if last_picture else start), losses

    return answer


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (adam(), "right."),
        (adam(clear=False), "cleared each time"),
        (adam(copy=False), "changed what it was given"),
        (adam(lr_factor=2.0), "is lr used"),
        (adam(step=False), "does not fall"),
        (adam(first_step=True), "Evaluate first"),
        (adam(last_picture=False), "What do you return"),
        (
            lambda loss_of, start, steps, lr: adam()(loss_of, start, steps + 1, lr),
            "one for each evaluation",
        ),
        (
            lambda loss_of, start, steps, lr: adam()(loss_of, start, steps, lr)[0],
            "expected the pair",
        ),
    ],
)
def test_adam_loop(answer, hint, capsys):
    assert hint in run(check.adam_loop, answer, capsys)
