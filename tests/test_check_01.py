"""The checkers of chapter 01: right answers pass, typical mistakes are named."""

import math

import pytest
import torch
import torch.nn.functional as F

from stlib.course import check


def run(checker, answer, capsys) -> str:
    checker(answer)
    return capsys.readouterr().out


def loops(image, kernel):
    k = kernel.shape[1]
    result = torch.zeros(image.shape[1] - k + 1, image.shape[2] - k + 1)
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            result[i, j] = (image[:, i : i + k, j : j + k] * kernel).sum()
    return result


def in_place(image, kernel):
    result = loops(image, kernel)
    image.zero_()
    return result


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (loops, "right."),
        (lambda image, kernel: loops(image, kernel.flip(1, 2)), "turned around"),
        (lambda image, kernel: loops(image, kernel.transpose(1, 2)), "changed places"),
        (lambda image, kernel: loops(image, kernel) / kernel.numel(), "not a mean"),
        (
            lambda image, kernel: F.conv2d(image[None], kernel[None], padding=kernel.shape[1] // 2)[
                0, 0
            ],
            "wholly inside",
        ),
        (
            lambda image, kernel: F.conv2d(image[:, None], kernel[:1, None])[:, 0],
            "added up into one map",
        ),
        (lambda image, kernel: loops(image, kernel)[1:], "How many positions"),
        (lambda image, kernel: loops(image[:1], kernel[:1]), "over all colours"),
        (lambda image, kernel: loops(image, kernel).tolist(), "expected a tensor"),
        (in_place, "changed what it was given"),
    ],
)
def test_convolve(answer, hint, capsys):
    out = run(check.convolve, answer, capsys)
    assert hint in out
    assert ("right." in out) == (hint == "right.")


@pytest.mark.parametrize(
    ("rows", "hint"),
    [
        ([[-1, -1, -1], [0, 0, 0], [1, 1, 1]], "right."),
        ([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], "right."),
        ([[1, 1, 1], [0, 0, 0], [-1, -1, -1]], "Which row"),
        ([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]], "each column"),
        ([[0, 0, 0], [0, 0, 0], [1, 1, 1]], "nine weights"),
        ([[0, 0, 0], [0, 0, 0], [0, 0, 0]], "Which row"),
        ([[-1, 1]], "expected [3, 3]"),
    ],
)
def test_edge_kernel(rows, hint, capsys):
    out = run(check.edge_kernel, lambda: torch.tensor(rows), capsys)
    assert hint in out
    assert ("right." in out) == (hint == "right.")


def test_edge_kernel_as_a_list(capsys):
    assert "torch.tensor" in run(
        check.edge_kernel, lambda: [[-1, -1, -1], [0, 0, 0], [1, 1, 1]], capsys
    )


def halved(layer, height, width, before=1, rounding=int):
    poolings = int(layer[4]) - (not layer.startswith("pool")) * before
    for _ in range(poolings):
        height, width = rounding(height / 2), rounding(width / 2)
    return height, width


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (halved, "right."),
        (lambda layer, height, width: list(halved(layer, height, width)), "right."),
        (lambda layer, height, width: halved(layer, height, width)[::-1], "Height comes first"),
        (lambda layer, height, width: halved(layer, height, width, before=0), "How many poolings"),
        (
            lambda layer, height, width: halved(layer.replace("pool", "relu"), height, width),
            "pool3 itself is the third",
        ),
        (
            lambda layer, height, width: halved(layer, height, width, rounding=math.ceil),
            "dropped each time",
        ),
        (
            lambda layer, height, width: halved(layer, height, width, rounding=float),
            "whole numbers",
        ),
        (lambda layer, height, width: (height, width), "How many poolings"),
        (lambda layer, height, width: height, "expected a pair"),
    ],
)
def test_map_size(answer, hint, capsys):
    out = run(check.map_size, answer, capsys)
    assert hint in out
    assert ("right." in out) == (hint == "right.")
