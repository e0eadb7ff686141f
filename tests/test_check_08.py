"""The checkers of chapter 08: each passes the right answer, names typical mistakes, and never raises."""

import pytest
import torch
from answers import examine

from stlib.course.check import chapter08 as check

COMMON = {"steps": 30, "seed": 0}


@pytest.mark.parametrize(
    ("planned", "hint"),
    [
        (({"without": {}, "with": {"tv": 1.0}}, COMMON), "right."),
        (({"a": {"seed": 1}, "b": {"seed": 2}}, {"steps": 30, "init": "noise"}), "right."),
        (({"short": {"steps": 10}, "long": {"steps": 60}}, {"seed": 0}), "right."),
        (
            (
                {
                    "grey": {"init": torch.full((1, 3, 4, 4), 0.5)},
                    "black": {"init": torch.zeros(1, 3, 4, 4)},
                },
                COMMON,
            ),
            "right.",
        ),
        ({"without": {}, "with": {"tv": 1.0}}, "expected a pair of dicts"),
        (({"without": {}, "with": 1.0}, COMMON), "expected a dict of arguments"),
        (({"without": {}, "with": {"total_variation": 1.0}}, COMMON), "does not take"),
        (({"with": {"tv": 1.0}}, COMMON), "compare it with"),
        (
            ({"without": {"tv": 0.0}, "with": {"tv": 1.0}}, {**COMMON, "tv": 2.0}),
            "in a setting and in common",
        ),
        (({"a": {"tv": 1.0}, "b": {"init": "noise"}}, COMMON), "which of them was it"),
        (
            ({"L-BFGS": {"steps": 30}, "Adam": {"optimizer": "adam", "steps": 60}}, {"seed": 0}),
            "larger budget",
        ),
        (({"a": {}, "b": {}}, COMMON), "all the same"),
        (({"without": {}, "with": {"tv": 1.0}}, {"seed": 0}), "says which budget"),
        (({"without": {}, "with": {"tv": 1.0}}, {"steps": 30}), "says which seed"),
        (({"without": {}, "zero": {"tv": 0.0}}, COMMON), "have the same tv"),
        (({"a": {"seed": 1}, "b": {"seed": 2}}, {"steps": 30}), "unless the start is noise"),
        (
            ({"without": {}, "with": {"tv": 1.0}}, {"steps": 5000, "seed": 0}),
            "see the answer today",
        ),
        (({"short": {"steps": 10}, "long": {"steps": 4000}}, {"seed": 0}), "see the answer today"),
    ],
)
def test_plan_experiment(planned, hint, capsys):
    examine(check.plan_experiment, lambda: planned, hint, capsys)


def worst_factor(usual, row, layers=("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")):
    return max(layers, key=lambda layer: row[layer] / usual[layer])


def changes_the_row(usual, row):
    del row["content"], usual["content"]
    return worst_factor(usual, row)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (worst_factor, "right."),
        (lambda usual, row: max(row, key=row.get), "no style layer"),
        (lambda usual, row: max(list(row)[1:], key=row.get), "by the factor"),
        (
            lambda usual, row: max(list(row)[1:], key=lambda layer: row[layer] - usual[layer]),
            "by the factor",
        ),
        (
            lambda usual, row: min(list(row)[1:], key=lambda layer: row[layer] / usual[layer]),
            "That loss fell most",
        ),
        (lambda usual, row: "relu2_1", "by the largest factor"),
        (lambda usual, row: 3, "expected the name"),
        (lambda usual, row: "conv1_1", "expected the name"),
        (changes_the_row, "changed what it was given"),
    ],
)
def test_left_out(answer, hint, capsys):
    examine(check.left_out, answer, hint, capsys)


N = {1: 64, 2: 128, 3: 256, 4: 512, 5: 512}


def features(size, block):
    return N[block] * (size[0] // 2 ** (block - 1)) * (size[1] // 2 ** (block - 1))


def pixels(size):
    return size[0] * size[1]


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (
            lambda beta, size, block, new_size, new_block: (
                beta * features(new_size, new_block) / features(size, block)
            ),
            "right.",
        ),
        (
            lambda beta, size, block, new_size, new_block: (
                beta * features(size, block) / features(new_size, new_block)
            ),
            "who has to follow it",
        ),
        (
            lambda beta, size, block, new_size, new_block: beta * pixels(new_size) / pixels(size),
            "not over pixels",
        ),
        (
            lambda beta, size, block, new_size, new_block: (
                beta * N[new_block] * pixels(new_size) / N[block] / pixels(size)
            ),
            "How many poolings",
        ),
        (
            lambda beta, size, block, new_size, new_block: (
                beta
                * features(new_size, new_block)
                / N[new_block]
                / (features(size, block) / N[block])
            ),
            "How many channels",
        ),
        (
            lambda beta, size, block, new_size, new_block: (
                beta * (features(new_size, new_block) / features(size, block)) ** 0.5
            ),
            "one for each feature",
        ),
        (
            lambda beta, size, block, new_size, new_block: (
                beta
                * N[new_block]
                * pixels(new_size)
                / 4**new_block
                / (N[block] * pixels(size) / 4**block)
            ),
            "75 becomes 37",
        ),
        (lambda beta, size, block, new_size, new_block: beta, "Something has changed"),
        (lambda beta, size, block, new_size, new_block: 7.0, "Count the features"),
        (lambda beta, size, block, new_size, new_block: (beta, size), "expected one number"),
    ],
)
def test_same_balance(answer, hint, capsys):
    examine(check.same_balance, answer, hint, capsys)
