"""The exercises of chapter 14 that have more than one right answer."""

import pytest
import torch
from answers import examine

from stlib.course import check
from stlib.course.beyond import MOVED_BY


def with_zeros(F, factor=2**0.5):
    return torch.cat([factor * F, torch.zeros_like(F)], dim=1)


@pytest.mark.parametrize(
    ("twin", "words"),
    [
        (with_zeros, "right."),
        (lambda F: with_zeros(torch.cat([F, F], dim=1)), "right."),
        (lambda F: F, "so is the mean"),
        (lambda F: F.flip(1), "so is the mean"),
        (lambda F: torch.cat([F, F], dim=1), "so is the mean"),
        (lambda F: -F, "nothing below 0"),
        (lambda F: with_zeros(F, 1), "0.5 times that of F"),
        (lambda F: with_zeros(F, 2), "2 times that of F"),
        (lambda F: F + 1, "not that of F"),
        (lambda F: F[0], "expected a tensor with 2 rows"),
    ],
)
def test_a_twin_has_one_gram_matrix_and_other_means(twin, words, capsys):
    examine(check.gram_twin, twin, words, capsys)


def test_every_cloud_has_to_be_named(capsys):
    examine(check.name_the_loss, lambda: dict(MOVED_BY), "right.", capsys)
    examine(check.name_the_loss, lambda: {"A": "nearest"}, "1 of 5 names fit.", capsys)
    examine(check.name_the_loss, lambda: {"F": "gram"}, "there is no cloud 'F'", capsys)
    examine(check.name_the_loss, lambda: {"A": "Gram"}, "'Gram' is none of gram,", capsys)


@pytest.mark.parametrize("letter", MOVED_BY)
def test_a_wrong_name_gets_a_hint_and_not_the_answer(letter, capsys):
    wrong = dict(MOVED_BY) | {letter: "sliced" if MOVED_BY[letter] != "sliced" else "gram"}
    check.name_the_loss(lambda: wrong)
    out = capsys.readouterr().out
    assert f"  {letter}: not {wrong[letter]}." in out and "4 of 5" in out
    assert MOVED_BY[letter] not in out.split("not " + wrong[letter])[1]
