"""The exercises of chapter 11: the work of a plan, the preconditioner, and a better run."""

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from stlib.course.check.answer import Function, Wrong, checker, result_of
from stlib.course.check.compare import kind
from stlib.course.check.exercise import exercise
from stlib.images import sample
from stlib.settings import PAPER
from stlib.transfer import style_transfer
from stlib.vgg import VGG

BUDGET = 20  # evaluations at full size; enough to tell a better solver from the plain one
BETTER = 0.96  # of the plain solver's loss
SAME_SCENE = 1.15  # times the plain solver's content loss
FREE = ("solver", "optimizer", "init", "seed")

Plan = list[tuple[float, int]]


@exercise(
    cases=[([(1.0, 40)],), ([(0.5, 40)],), ([(0.25, 32), (0.5, 16), (1.0, 10)],), ([],)],
    mistakes=[
        (
            lambda plan: sum(share * evaluations for share, evaluations in plan),
            "Half the height goes with half the width: what share of the pixels is that?",
        ),
        (
            lambda plan: sum(evaluations for _, evaluations in plan),
            "An evaluation of a smaller picture costs less.",
        ),
        (
            lambda plan: sum(share**2 for share, _ in plan),
            "How often is each stage's picture evaluated?",
        ),
        (
            lambda plan: plan[-1][0] ** 2 * plan[-1][1] if plan else 0,
            "That is the last stage. What do the others cost?",
        ),
        (lambda plan: plan[-1][0] ** 2 * plan[-1][1], "What does a plan without stages cost?"),
    ],
    hint="Add up, over the stages, evaluations times the share of the pixels.",
    praise="32 + 16 evaluations of small pictures cost no more than 6 of large ones.",
)
def cost_of_stages(plan: Plan) -> float:
    """Chapter 11: the work of a plan of stages, in evaluations at full size."""
    return sum(share**2 * evaluations for share, evaluations in plan)


def _frequencies(size: Sequence[int], constant: float | None = None) -> Tensor:
    """f of each wave of rfft2, in cycles per pixel; that of the constant wave is given."""
    f = torch.hypot(torch.fft.fftfreq(size[0])[:, None], torch.fft.rfftfreq(size[1])[None])
    f[0, 0] = 1 / max(size) if constant is None else constant
    return f


def _scaled(frequencies: Function = _frequencies, sign: int = -1, sized: bool = True) -> Function:
    """The answer 𝓕⁻¹[f^(sign·p) 𝓕 z], with its parts exchangeable."""

    def answer(z: Tensor, p: float) -> Tensor:
        size = z.shape[2:]
        waves = frequencies(size) ** (sign * p) * torch.fft.rfft2(z)
        return torch.fft.irfft2(waves, s=size if sized else None)

    return answer


def _picture(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(11))


CONSTANT_WAVE = "Which frequency does the constant wave get?"


@exercise(
    cases=[
        (_picture(24, 32), 0.0),
        (torch.ones(1, 3, 24, 32), 0.5),
        (_picture(24, 32), 1.0),
        (_picture(24, 33), 0.5),
        (_picture(23, 18), 1.0),
    ],
    given=lambda z, p: (
        f"a {'constant ' if z.std() == 0 else ''}picture of {z.shape[3]} × {z.shape[2]} pixels "
        f"and p = {p:g}"
    ),
    mistakes=[
        (
            _scaled(sign=1),
            "Slow waves are to move further than fast ones: look at the sign of the exponent.",
        ),
        (
            _scaled(lambda size: _frequencies(size, constant=1 / max(size) ** 2) ** 2),
            "Is the root missing in f = √(fx² + fy²)?",
        ),
        (
            _scaled(lambda size: _frequencies(size, constant=max(size) ** -0.5) ** 2),
            "Is the root missing in f = √(fx² + fy²)?",
        ),
        (
            _scaled(lambda size: _frequencies(size, constant=0)),
            f"0 to the power of -p is not finite. {CONSTANT_WAVE}",
        ),
        (_scaled(lambda size: _frequencies(size, constant=1)), CONSTANT_WAVE),
        (_scaled(lambda size: _frequencies(size, constant=1 / min(size))), CONSTANT_WAVE),
        (
            _scaled(lambda size: _frequencies(size[::-1]).T),
            "rfft2 keeps all rows and half of the columns. "
            "Which side needs fftfreq, and which one rfftfreq?",
        ),
        (
            _scaled(sized=False),
            "Half of the columns may stand for 32 or for 33. How does irfft2 know the size?",
        ),
        (lambda z, p: z.clone(), "What happens to the waves on the way?"),
        (
            lambda z, p: torch.fft.ifft2(torch.fft.fft2(z)),
            "A picture is real. Which inverse belongs to rfft2?",
        ),
        (lambda z, p: torch.fft.rfft2(z), "Those are waves. How do they become a picture again?"),
        (lambda z, p: _scaled()(z, p).numpy(), "Stay in torch: a gradient has to come through."),
    ],
    hint="f is √(fx² + fy²), with fy from fftfreq of the height and fx from rfftfreq of the width; "
    "each coefficient of rfft2 is multiplied by one number.",
    praise="A wave of a quarter of the frequency moves 4^p times as far.",
)
def precondition(z: Tensor, p: float) -> Tensor:
    """Chapter 11: 𝓕⁻¹[f^-p 𝓕 z]."""
    return _scaled()(z, p)


@checker
def beat_the_baseline(answer: object) -> str:
    """Chapter 11: settings with which a run of the same work gets further than the plain one."""
    content, style = sample("astronaut", 96), sample("langlois-bridge", 128)
    settings = result_of(answer, content=content.clone(), style=style.clone())
    if not isinstance(settings, dict):
        raise Wrong(
            f"the result is {kind(settings)}, expected a dict of settings such as "
            "{'optimizer': 'adam'}."
        )
    fixed = [name for name in settings if name not in FREE]
    if fixed:
        raise Wrong(
            f"{fixed[0]!r} is fixed here, since it changes the loss or the budget. "
            f"Yours to choose: {', '.join(FREE)}."
        )
    total, scene = _painted(content, style, {"solver": "plain", **settings})
    plain_total, plain_scene = _baseline()
    if total > BETTER * plain_total:
        raise Wrong(
            f"after work worth {BUDGET} evaluations the loss is {total / plain_total:.2f} times "
            f"the plain solver's, at most {BETTER} is wanted. Which parts of this chapter have you "
            "switched on, and from where do you start?"
        )
    if scene > SAME_SCENE * plain_scene:
        raise Wrong(
            f"the loss is {total / plain_total:.2f} times the plain solver's, but the content loss "
            f"{scene / plain_scene:.1f} times: the picture shows less of the scene. "
            "Where does yours start?"
        )
    return "The same work leads to a lower loss, and the scene is kept."


def _painted(content: Tensor, style: Tensor, settings: dict) -> tuple[float, float]:
    """The total loss and L_content of what these settings paint."""
    try:
        # all lower the paper's loss; the fast solver's own default is another
        result = style_transfer(
            content, style, net=_net(), steps=BUDGET, progress=False, **PAPER, **settings
        )
    except (ValueError, TypeError) as error:
        raise Wrong(f"style_transfer refuses these settings: {error}") from None
    best = min(result.history, key=lambda losses: losses["total"], default=None)
    return (best["total"], best["content"]) if best else (math.inf, math.inf)


@functools.cache
def _baseline() -> tuple[float, float]:
    return _painted(sample("astronaut", 96), sample("langlois-bridge", 128), {"solver": "plain"})


@functools.cache
def _net() -> VGG:
    return VGG(device="cpu")
