"""The checkers of chapter 02: each passes the right answer, names typical mistakes, and never raises."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from stlib.course.check import chapter02

MEAN = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)


def run(checker, answer, capsys) -> str:
    checker(answer)
    return capsys.readouterr().out


def judged(checker, answer, hint, capsys) -> None:
    out = run(checker, answer, capsys)
    assert hint in out
    assert ("right." in out) == (hint == "right.")


def counting(weights=9, bias=lambda below, above: above):
    return lambda widths: sum(
        weights * below * above + bias(below, above) for below, above in pairwise(widths)
    )


def empties_the_list(widths):
    total = counting()(widths)
    widths.clear()
    return total


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (counting(), "right."),
        (lambda widths: torch.tensor(counting()(widths)), "right."),
        (counting(bias=lambda below, above: 0), "What else does each filter have?"),
        (counting(weights=1), "How many places"),
        (counting(weights=1, bias=lambda below, above: 0), "what else does a filter have"),
        (counting(weights=3), "how high"),
        (counting(bias=lambda below, above: below), "or each filter?"),
        (counting(bias=lambda below, above: 1), "one in all"),
        (lambda widths: sum(9 * width for width in widths[1:]), "look at"),
        (lambda widths: counting()(widths) + widths[0], "picture itself has no bias"),
        (lambda widths: counting()(widths) + 5, "one convolution by hand"),
        (lambda widths: [counting()(widths)], "expected one number"),
        (empties_the_list, "changed the list"),
    ],
)
def test_count_parameters(answer, hint, capsys):
    judged(chapter02.count_parameters, answer, hint, capsys)


def field(start=1, grow=1, late=True, step_of=lambda step, stride: step * stride):
    def answer(layers):
        r, s = start, 1
        for kernel, stride in layers:
            new = step_of(s, stride)
            r += (kernel - grow) * (s if late else new)
            s = new
        return r

    return answer


def only_the_stride(layers):
    return torch.tensor([stride for _, stride in layers]).prod()


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (field(), "right."),
        (field(start=0), "before the first layer"),
        (field(grow=0), "By how much"),
        (field(late=False), "the one below it"),
        (field(step_of=lambda step, stride: 1), "is many pixels. Which"),
        (field(step_of=lambda step, stride: step + stride - 1), "Two poolings"),
        (field(step_of=lambda step, stride: stride), ""),
        (only_the_stride, "stride of the last layer"),
        (lambda layers: field()(layers) + 7, "with a pencil"),
        (lambda layers: (field()(layers), 16), "expected one number"),
    ],
)
def test_receptive_field(answer, hint, capsys):
    judged(chapter02.receptive_field, answer, hint, capsys)


def in_place(image):
    image *= 255
    return image.flip(1) - MEAN


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda image: 255 * image.flip(1) - MEAN, "right."),
        (lambda image: 255 * image[:, [2, 1, 0]] - MEAN, "right."),
        (lambda image: 255 * image - MEAN, "still in the order"),
        (lambda image: (255 * image - MEAN).flip(1), "which colour loses it"),
        (lambda image: 255 * (image.flip(1) - MEAN), "And the picture, when you"),
        (lambda image: image.flip(1) - MEAN, "On which scale are the pixels"),
        (lambda image: 255 * image.flip(2) - MEAN, "upside down"),
        (lambda image: 255 * image.flip(3) - MEAN, "mirror image"),
        (lambda image: ((image - MEAN) * 255).flip(2), "all three are still there"),
        (lambda image: 255 * image.flip(1), "On average"),
        (lambda image: 255 * image.flip(1) - MEAN.flip(1), "which colour loses it"),
        (lambda image: 255 * image.flip(1) + MEAN, "add or subtract"),
        (lambda image: 254 * image.flip(1) - MEAN, "one by one"),
        (lambda image: (255 * image.flip(1) - MEAN)[0], "has the shape [3, 2, 2]"),
        (lambda image: 255 * image.detach().flip(1) - MEAN, "Which call detaches it?"),
        (in_place, "changed what it was given"),
    ],
)
def test_prepare(answer, hint, capsys):
    judged(chapter02.prepare, answer, hint, capsys)


def keeping(copy_before=True, detach=False, with_x=False, from_x=False):
    def answer(modules, x):
        kept, start = [x] if with_x else [], x
        for module in modules:
            x = start if from_x and x.shape[1] == start.shape[1] else x
            x = module(x.clone() if copy_before else x)
            kept.append(x.detach() if detach else x)
        return kept

    return answer


def copies_after(modules, x):
    kept = []
    for module in modules:
        x = module(x)
        kept.append(x.clone())
    return kept


def switches_off(modules, x):
    for module in modules:
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return keeping(copy_before=False)(modules, x)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (keeping(), "right."),
        (lambda modules, x: copies_after(modules, x.clone()), "right."),
        (keeping(copy_before=False), "Who wrote into your tensor"),
        (copies_after, "changed what it was given"),
        (switches_off, "you changed the modules"),
        (keeping(detach=True), "cut off from x"),
        (keeping(with_x=True), "begins with x itself"),
        (lambda modules, x: keeping()(modules, x)[-1], "is one tensor"),
        (lambda modules, x: keeping()(modules, x)[:1] * 2, "entries, expected"),
        (lambda modules, x: keeping()(modules, x)[::-1], ""),
    ],
)
def test_keep_all(answer, hint, capsys):
    judged(chapter02.keep_all, answer, hint, capsys)
