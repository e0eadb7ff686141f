"""The checkers of chapter 11: each passes the right answer, names typical mistakes, and never raises."""

import pytest
import torch
from answers import examine

from stlib.course.check import chapter11 as check

# cost_of_stages


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda plan: sum(share**2 * evaluations for share, evaluations in plan), "right."),
        (
            lambda plan: torch.tensor(
                [share**2 * evaluations for share, evaluations in plan]
            ).sum(),
            "right.",
        ),
        (
            lambda plan: sum(share * evaluations for share, evaluations in plan),
            "half the width, too",
        ),
        (lambda plan: sum(evaluations for _, evaluations in plan), "costs less"),
        (lambda plan: sum(share**2 for share, _ in plan), "How often"),
        (lambda plan: plan[-1][0] ** 2 * plan[-1][1] if plan else 0, "over the stages"),
        (lambda plan: "six", "expected one number"),
    ],
)
def test_cost_of_stages(answer, hint, capsys):
    examine(check.cost_of_stages, answer, hint, capsys)


# precondition


def frequencies(z, slowest=True, root=True, swapped=False):
    height, width = z.shape[2:]
    fy, fx = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    f = (fx * fx).expand(height, -1) if swapped else fy**2 + fx**2
    f = f.sqrt() if root else f
    return f.clamp(min=1 / max(height, width)) if slowest else f


def precondition(z, p, sign=-1, **slips):
    return torch.fft.irfft2(
        frequencies(z, **slips) ** (sign * p) * torch.fft.rfft2(z), s=z.shape[2:]
    )


def complex_precondition(z, p):
    return torch.fft.ifft2(torch.fft.fft2(z))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (precondition, "right."),
        (lambda z, p: precondition(z, p, sign=1), "sign of the exponent"),
        (lambda z, p: precondition(z, p, root=False), "root missing"),
        (lambda z, p: precondition(z, p, slowest=False), "not finite"),
        (lambda z, p: precondition(z, p, swapped=True), "fftfreq of the height"),
        (lambda z, p: z.clone(), "fftfreq of the height"),
        (lambda z, p: torch.fft.rfft2(z), "the shape [1, 3, 24, 17]"),
        (complex_precondition, "is complex"),
        (lambda z, p: z + p * z.square(), "another wave"),
        (lambda z, p: z.numpy(), "expected a tensor"),
    ],
)
def test_precondition(answer, hint, capsys):
    examine(check.precondition, answer, hint, capsys)


# beat_the_baseline


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda content, style: {"solver": "fast"}, "right."),
        (lambda content, style: {}, "times the plain solver's"),
        (lambda content, style: {"init": "style"}, "less of the scene"),
        (lambda content, style: {"solver": "fast", "steps": 500}, "'steps' is fixed here"),
        (lambda content, style: {"solver": "quick"}, 'use "fast" or "plain"'),
        (lambda content, style: ["fast"], "expected a dict"),
    ],
)
def test_beat_the_baseline(answer, hint, capsys):
    examine(check.beat_the_baseline, answer, hint, capsys)
