"""The checkers of chapter 04: right answers pass, typical mistakes are named."""

import pytest
import torch

from stlib.course import check


def run(checker, answer, capsys) -> str:
    checker(answer)
    return capsys.readouterr().out


def right_loss(features, target):
    return (features - target).square().sum() / 2


def in_place(features, target):
    loss = right_loss(features, target)
    target.mul_(2)
    return loss


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (right_loss, "right."),
        (lambda F, P: 0.5 * ((F - P) ** 2).sum(), "right."),
        (lambda F, P: (F - P).square().sum(), "no factor 2"),
        (lambda F, P: (F - P).square().mean(), "this is a mean"),
        (lambda F, P: (F - P).square().mean() / 2, "this is a mean"),
        (lambda F, P: (F - P).abs().sum() / 2, "squared before"),
        (lambda F, P: (F - P).sum() ** 2 / 2, "Square first"),
        (lambda F, P: (F - P).norm(), "no root"),
        (lambda F, P: right_loss(F, P).item(), "lost its gradient"),
        (lambda F, P: right_loss(F.detach(), P), "lost its gradient"),
        (lambda F, P: right_loss(F, P).detach() + 0 * F.sum(), "detached"),
        (lambda F, P: (F - P).square() / 2, "expected one number"),
        (in_place, "changed what it was given"),
    ],
)
def test_write_content_loss(answer, hint, capsys):
    out = run(check.write_content_loss, answer, capsys)
    assert hint in out
    assert ("right." in out) == (hint == "right.")


def masked(z, P):
    return (z.clamp(min=0) - P) * (z > 0)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (masked, "right."),
        (lambda z, P: torch.where(z > 0, z - P, 0.0), "right."),
        (lambda z, P: z - P, "what the ReLU makes of z"),
        (lambda z, P: z.clamp(min=0) - P, "that was silent"),
        (lambda z, P: -masked(z, P), "sign is turned"),
        (lambda z, P: 2 * masked(z, P), "factor 2"),
        (lambda z, P: masked(z, P).sum(), "expected [2, 3]"),
        (lambda z, P: masked(z, P) * (z.ndim == 2), "depend on the shape"),
        (lambda z, P: masked(z.clamp_(min=0), P), "changed what it was given"),
    ],
)
def test_content_gradient(answer, hint, capsys):
    out = run(check.content_gradient, answer, capsys)
    assert hint in out
    assert ("right." in out) == (hint == "right.")


def deepest(quality, needed):
    return next((layer for layer in reversed(quality) if quality[layer] >= needed), None)


def first_bad(quality, needed):
    chosen = None
    for layer, decibels in quality.items():
        if decibels < needed:
            break
        chosen = layer
    return chosen


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (deepest, "right."),
        (first_bad, "stop at the first bad one"),
        (
            lambda quality, needed: next(
                (layer for layer in quality if quality[layer] >= needed), None
            ),
            "not the deepest",
        ),
        (
            lambda quality, needed: next(
                (layer for layer in quality if quality[layer] < needed), "relu1_1"
            ),
            "not good enough",
        ),
        (lambda quality, needed: deepest(quality, needed) or "relu1_1", "No layer is good enough"),
        (lambda quality, needed: deepest(quality, needed + 1e-9), "not the deepest"),
        (lambda quality, needed: quality[deepest(quality, needed)], "name of a layer"),
    ],
)
def test_choose_layer(answer, hint, capsys):
    out = run(check.choose_layer, answer, capsys)
    assert hint in out
    assert ("right." in out) == (hint == "right.")
