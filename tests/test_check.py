"""The checkers: each passes the right answer, names its mistakes, and never raises."""

import copy

import pytest
import torch
from answers import examine, forgets, stumbles, untouched, words_on

from stlib.course import check
from stlib.course.check.exercise import Exercise

EVERY = [getattr(check, name) for name in check.__all__]
EXERCISES = [checker for checker in EVERY if isinstance(checker, Exercise)]
OF_FUNCTIONS = [checker for checker in EVERY if checker is not check.name_the_bug]


def each(checkers):
    return pytest.mark.parametrize("checker", checkers, ids=lambda checker: checker.__name__)


@each(EXERCISES)
def test_the_reference_is_right(checker, capsys):
    examine(checker, checker.reference, "right.", capsys)
    assert checker.praise


@each(EXERCISES)
def test_every_mistake_gets_its_hint(checker, capsys):
    for mistake, hint in checker.mistakes:
        examine(checker, mistake, hint, capsys)


@each(EXERCISES)
def test_a_mistake_that_nobody_foresaw_gets_the_general_hint(checker, capsys):
    """Nor is one mistake taken for another: an answer of its own kind fits none."""
    out = words_on(checker, lambda *arguments: {"something": object()}, capsys)
    assert checker.hint in out


@each(EVERY)
class TestEveryChecker:
    def test_an_untouched_stub_is_not_attempted_yet(self, checker, capsys):
        for stub in (untouched, ...):
            assert words_on(checker, stub, capsys) == (
                f"{checker.__name__}: not attempted yet. "
                "Fill in the cell above and run this one again.\n"
            )

    def test_a_forgotten_return_is_named(self, checker, capsys):
        examine(checker, forgets, "returns nothing", capsys)

    def test_an_exception_is_located_in_the_learners_code(self, checker, capsys):
        out = words_on(checker, stumbles, capsys)
        assert "your code stopped with KeyError: 'Total' (in stumbles, line " in out
        assert '`raise KeyError("Total")  # the learner\'s own line`' in out

    def test_an_answer_of_another_kind_is_not_right_and_not_fatal(self, checker, capsys):
        for result in ("text", 3, 2.5, True, [], (1, 2), [[]], 1j, object(), torch.zeros(0)):
            assert ": right. " not in words_on(checker, lambda *_, got=result: got, capsys)


@each(OF_FUNCTIONS)
def test_a_value_instead_of_the_function_is_named(checker, capsys):
    examine(checker, 42, "give the function itself", capsys)


@each(OF_FUNCTIONS)
def test_a_function_with_other_parameters_is_named(checker, capsys):
    examine(checker, lambda a, b, c, d, e, f: a, "but is called with (", capsys)


def spoil(value):
    """Change a list, a dict or a tensor in place; its entries, if they can be changed."""
    if isinstance(value, torch.Tensor):
        return bool(value.numel() and value.add_(1) is value)
    entries = [*value.values()] if isinstance(value, dict) else value
    if not isinstance(value, (list, dict)):
        return False
    if not sum(spoil(entry) for entry in entries):
        value.clear()
    return True


@each(EXERCISES)
def test_an_answer_that_changes_its_arguments_is_told_which(checker, capsys):
    """Lists, dicts and tensors alike, and those inside of others."""

    def spoils(*arguments):
        result = checker.reference(*copy.deepcopy(arguments))
        for argument in arguments:
            spoil(argument)
        return result

    case = copy.deepcopy(checker.cases[0][: len(checker.parameters)])
    changed = [name for name, value in zip(checker.parameters, case, strict=False) if spoil(value)]
    if changed:
        examine(checker, spoils, f"changed what it was given: {changed[0]} is not", capsys)


def test_the_case_is_named_when_an_answer_stumbles_over_one(capsys):
    """choose_layer: the last of no layers."""

    def last(quality, needed):
        return [layer for layer in quality if quality[layer] >= needed][-1]

    out = words_on(check.choose_layer, last, capsys)
    assert "and needed = 50 your code stopped with IndexError" in out
    assert "`return [layer for layer in quality if quality[layer] >= needed][-1]`" in out
    assert "when no layer is good enough?" in out


def test_an_error_inside_of_torch_is_located_at_the_learners_line(capsys):
    def answer(F, A_over_M):
        return F @ A_over_M  # no pair of shapes

    out = words_on(check.one_step, answer, capsys)
    assert "(in answer, line " in out
    assert "What is T (G/M) Tᵀ" in out
    assert "`return F @ A_over_M  # no pair of shapes`" in out


def test_an_answer_that_breaks_the_rule_is_right_but_told_so(capsys):
    """conv2d, @, autograd where loops or a formula are asked for; loops where none are."""
    ruled = [checker for checker in EXERCISES if checker.rule]
    assert [checker.__name__ for checker in ruled] == [
        "content_gradient",
        "convolve",
        "gram_channels_last",
        "gram_of_strips",
    ]
    for checker in ruled:
        breakers = [wrong for wrong, hint in checker.mistakes if hint == checker.rule.remark]
        assert breakers
        for breaker in breakers:
            examine(checker, breaker, "the result is right, ", capsys)


def test_one_step_may_turn_the_circle(capsys):
    """With the symmetric roots instead of Cholesky's, T is a different matrix and as right."""

    def root(K, power):
        strengths, directions = torch.linalg.eigh(K)
        return directions @ torch.diag(strengths**power) @ directions.T

    def answer(F, A_over_M):
        return root(A_over_M, 0.5) @ root(F @ F.T / F.shape[1], -0.5)

    examine(check.one_step, answer, "right.", capsys)


def test_what_is_still_broken_of_the_style_loss_is_named(capsys):
    """The four bugs of chapter 05's exercise, as they stand there, and some of them."""

    def broken(features, style_features, w):
        for layer in features:
            F, F_a = features[layer].flatten(1), style_features[layer].flatten(1)
            N, M = F.shape
            total = w[layer] * (F @ F.T / M - F_a @ F_a.T / M).square().sum() / (4 * N**2)
        return total.item()

    def first(features, style_features, w):
        layer = next(iter(features))
        reference = check.whole_style_loss.reference
        return reference({layer: features[layer]}, style_features, w)

    examine(check.whole_style_loss, broken, "Only the last layer is in it.", capsys)
    examine(check.whole_style_loss, first, "Only the first layer is in it.", capsys)


def forgets_the_gradient(loss_of, start, steps, lr):
    loss_of(start.clone()).backward()


def steps_without_a_closure(loss_of, start, steps, lr):
    torch.optim.LBFGS([start.clone().requires_grad_()], lr=lr).step()


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (forgets_the_gradient, "`loss_of(start.clone()).backward()`"),
        (steps_without_a_closure, "`torch.optim.LBFGS([start.clone().requires_grad_()], lr=lr)"),
    ],
)
def test_what_torch_raises_deep_inside_is_located_in_the_answer(answer, line, capsys):
    """Autograd and optimisers have frames of their own above the error."""
    out = words_on(check.adam_loop, answer, capsys)
    assert f"(in {answer.__name__}, line " in out
    assert line in out


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("checker", [check.adam_loop, check.careful_descent])
def test_losses_as_tensors_are_refused_in_a_sentence(checker, capsys):
    """With their graph or without: no warning, no other trace of them."""

    def answer(loss_of, start, number, other):
        x = start.clone().requires_grad_()
        return x.detach(), [loss_of(x)]

    assert "Floats are asked for" in words_on(checker, attached(checker), capsys)
    assert ": right. " not in words_on(checker, answer, capsys)


def attached(checker):
    """The right answer, but for losses that are still tied to a tensor that asks for a gradient."""

    def answer(*arguments):
        picture, losses = checker.reference(*arguments)
        return picture, [torch.tensor(loss, requires_grad=True) * 1 for loss in losses]

    return answer
