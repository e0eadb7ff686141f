"""The checkers of chapter 10: each passes the right answer, names typical mistakes, and never raises; and the quiz's pictures."""

import pytest
import torch
from answers import examine

from stlib import sample
from stlib.course.check import chapter10 as check

# suspects


def suspects(features, image):
    seen = image.clone()
    alone = features(seen, ["conv1_1"])["conv1_1"]
    together = features(image.clone(), ["conv1_1", "relu1_1"])["conv1_1"]
    return {
        word
        for word, there in (
            ("overwritten", not torch.equal(alone, together)),
            ("unfrozen", alone.requires_grad),
            ("spoils the picture", not torch.equal(seen, image)),
        )
        if there
    }


def without(word):
    return lambda features, image: suspects(features, image) - {word}


def looks_for_negative_values(features, image):
    overwritten = features(image.clone(), ["conv1_1", "relu1_1"])["conv1_1"].min() >= 0
    return suspects(features, image) - {"overwritten"} | ({"overwritten"} if overwritten else set())


def gives_the_same_copy_twice(features, image):
    seen = image.clone()
    same = torch.equal(
        features(seen, ["conv1_1"])["conv1_1"], features(seen, ["conv1_1", "relu1_1"])["conv1_1"]
    )
    return suspects(features, image) - {"overwritten"} | (set() if same else {"overwritten"})


def lets_the_picture_be_spoilt(features, image):
    found = suspects(features, image)
    features(image, ["conv1_1"])
    return found


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (suspects, "right."),
        (lambda features, image: sorted(suspects(features, image)), "right."),
        (lambda features, image: set(), "Ask for conv1_1 alone"),
        (without("overwritten"), "Ask for conv1_1 alone"),
        (without("unfrozen"), "who else could have asked for one"),
        (without("spoils the picture"), "before the call"),
        (looks_for_negative_values, "not give positive values alone"),
        (gives_the_same_copy_twice, "What can you give to each call"),
        (lets_the_picture_be_spoilt, "changed what it was given"),
        (lambda features, image: {"overwritten"}, "Which two results"),
        (lambda features, image: {"broken"}, "the words are"),
        (lambda features, image: "unfrozen", "expected a set"),
        (lambda features, image: True, "expected a set"),
    ],
)
def test_suspects(answer, hint, capsys):
    examine(check.suspects, answer, hint, capsys)


# mended_closure


def closures(
    once=True, detach=True, clear=True, backward=True, clamp=False, give_back=True, factor=0.5
):
    """An answer with the named bugs."""

    def answer(optimiser, x, content, features):
        def target():
            P = features(content)
            return P.detach() if detach else P

        P = target() if once else None

        def closure():
            if clear:
                optimiser.zero_grad()
            if clamp:
                x.data.clamp_(0, 1)
            loss = factor * (features(x) - (P if once else target())).square().sum()
            if backward:
                loss.backward()
            return loss if give_back else None

        return closure

    return answer


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (closures(), "right."),
        (closures(clamp=True), "changed x"),
        (closures(once=False), "computed before the loop"),
        (closures(once=False, detach=False), "computed before the loop"),
        (closures(detach=False), "through the graph of evaluation 0"),
        (closures(clear=False), "Who clears the old one?"),
        (closures(backward=False), "has no gradient"),
        (closures(give_back=False), "L-BFGS wants the loss"),
        (closures(factor=1.0), "½ Σ"),
        (
            lambda optimiser, x, content, features: closures()(optimiser, x, content, features)(),
            "expected the closure",
        ),
    ],
)
def test_mended_closure(answer, hint, capsys):
    examine(check.mended_closure, answer, hint, capsys)


# the quiz

SOLUTION = dict(
    zip(
        "ABCDEFGH",
        (
            "layer names",
            "no bug",
            "recomputed targets",
            "preprocessing",
            "unfrozen",
            "in-place ReLU",
            "raw Gram",
            "clamping",
        ),
        strict=True,
    )
)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (SOLUTION, "right."),
        (lambda: SOLUTION, "right."),
        ({**SOLUTION, "A": "no bug", "B": "layer names"}, "6 of 8 names fit"),
        ({"G": "raw Gram"}, "1 of 8 names fit"),
        ({"G": "raw Gram"}, "A: no name yet. Colours are there."),
        ({**SOLUTION, "H": "no bug"}, "H: not no bug. Look at the last column"),
        ({**SOLUTION, "H": "clamp"}, "'clamp' is not in the list"),
        ({**SOLUTION, "I": "no bug"}, "there is no picture 'I'"),
        (list(SOLUTION.values()), "expected a dict"),
        (lambda: "no bug", "expected a dict"),
    ],
)
def test_name_the_bug(answer, hint, capsys):
    examine(check.name_the_bug, answer, hint, capsys)


def test_a_wrong_name_is_never_answered_with_the_right_one(capsys):
    """The hint of a letter does not hold the name of its bug."""
    for letter, bug in SOLUTION.items():
        wrong = next(name for name in check.BUGS if name != bug)
        check.name_the_bug({letter: wrong})
        (line,) = [
            line for line in capsys.readouterr().out.splitlines() if line.startswith(f"  {letter}:")
        ]
        assert bug not in line


def test_each_bug_is_in_the_quiz_once():
    assert sorted(SOLUTION.values()) == sorted(check.BUGS)


def test_every_mystery_has_its_own_symptom(net):
    """In few evaluations of small pictures: the clues by which the chapter tells the eight loops apart; net stays as it was."""
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    found = check.mysteries(net, sample("cat", 64), sample("cafe-terrace", 96), evaluations=6)
    assert [letter for letter, m in found.items() if m.content[0] > 0] == ["F"]
    assert [letter for letter, m in found.items() if max(m.content) == 0] == ["C"]
    assert [letter for letter, m in found.items() if m.style[0] > 1.5 * found["B"].style[0]] == [
        "G"
    ]
    assert [letter for letter, m in found.items() if m.total < 10] == ["D"]
    assert found["A"].judged > 1.3 * found["B"].judged
    assert (
        found["E"].judged > 1.01 * found["E"].total
    )  # it grows with every evaluation: 1.4 in the chapter's 20
    assert found["H"].outside == 0
    assert all(
        len(m.content) == len(m.style) == 6 and m.image.shape == sample("cat", 64).shape
        for m in found.values()
    )
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert not any(parameter.requires_grad for parameter in net.parameters())
