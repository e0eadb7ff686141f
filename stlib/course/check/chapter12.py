"""The exercises of chapter 12: the work of a plan, the preconditioner, and a better way down."""

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from stlib._language import tr
from stlib.course.check.answer import Function, Wrong, checker, result_of
from stlib.course.check.compare import kind
from stlib.course.check.exercise import exercise
from stlib.descent import Evaluation, descend, lbfgs
from stlib.images import sample
from stlib.objective import Objective
from stlib.solver import pixels
from stlib.vgg import VGG

BUDGET = 20  # evaluations at full size; enough to tell a better solver from the plain one
BETTER = 0.9  # of the plain solver's loss
SAME_SCENE = 1.15  # times the plain solver's content loss

Plan = list[tuple[float, int]]


@exercise(
    cases=[([(1.0, 40)],), ([(0.5, 40)],), ([(0.25, 32), (0.5, 16), (1.0, 10)],), ([],)],
    mistakes=[
        (
            lambda plan: sum(share * evaluations for share, evaluations in plan),
            tr("Half the height goes with half the width: what share of the pixels is that?"),
        ),
        (
            lambda plan: sum(evaluations for _, evaluations in plan),
            tr("An evaluation of a smaller picture costs less."),
        ),
        (
            lambda plan: sum(share**2 for share, _ in plan),
            tr("How often is each stage's picture evaluated?"),
        ),
        (
            lambda plan: plan[-1][0] ** 2 * plan[-1][1] if plan else 0,
            tr("That is the last stage. What do the others cost?"),
        ),
        (lambda plan: plan[-1][0] ** 2 * plan[-1][1], tr("What does a plan without stages cost?")),
    ],
    hint=tr("Add up, over the stages, evaluations times the share of the pixels."),
    praise=tr("32 + 16 evaluations of small pictures cost no more than 6 of large ones."),
)
def cost_of_stages(plan: Plan) -> float:
    """Chapter 12: the work of a plan of stages, in evaluations at full size."""
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


CONSTANT_WAVE = tr("Which frequency does the constant wave get?")


def _given(z: Tensor, p: float) -> str:
    words = tr("a picture of {width} × {height} pixels and p = {p:g}")
    if z.std() == 0:
        words = tr("a constant picture of {width} × {height} pixels and p = {p:g}")
    return words.format(width=z.shape[3], height=z.shape[2], p=p)


@exercise(
    cases=[
        (_picture(24, 32), 0.0),
        (torch.ones(1, 3, 24, 32), 0.5),
        (_picture(24, 32), 1.0),
        (_picture(24, 33), 0.5),
        (_picture(23, 18), 1.0),
    ],
    given=_given,
    mistakes=[
        (
            _scaled(sign=1),
            tr("Slow waves are to move further than fast ones: look at the sign of the exponent."),
        ),
        (
            _scaled(lambda size: _frequencies(size, constant=1 / max(size) ** 2) ** 2),
            tr("Is the root missing in f = √(fx² + fy²)?"),
        ),
        (
            _scaled(lambda size: _frequencies(size, constant=max(size) ** -0.5) ** 2),
            tr("Is the root missing in f = √(fx² + fy²)?"),
        ),
        (
            _scaled(lambda size: _frequencies(size, constant=0)),
            tr("0 to the power of -p is not finite. Which frequency does the constant wave get?"),
        ),
        (_scaled(lambda size: _frequencies(size, constant=1)), CONSTANT_WAVE),
        (_scaled(lambda size: _frequencies(size, constant=1 / min(size))), CONSTANT_WAVE),
        (
            _scaled(lambda size: _frequencies(size[::-1]).T),
            tr(
                "rfft2 keeps all rows and half of the columns. "
                "Which side needs fftfreq, and which one rfftfreq?"
            ),
        ),
        (
            _scaled(sized=False),
            tr("Half of the columns may stand for 32 or for 33. How does irfft2 know the size?"),
        ),
        (lambda z, p: z.clone(), tr("What happens to the waves on the way?")),
        (
            lambda z, p: torch.fft.ifft2(torch.fft.fft2(z)),
            tr("A picture is real. Which inverse belongs to rfft2?"),
        ),
        (
            lambda z, p: torch.fft.rfft2(z),
            tr("Those are waves. How do they become a picture again?"),
        ),
        (
            lambda z, p: _scaled()(z, p).numpy(),
            tr("Stay in torch: a gradient has to come through."),
        ),
    ],
    hint=tr(
        "f is √(fx² + fy²), with fy from fftfreq of the height and fx from rfftfreq of the width; "
        "each coefficient of rfft2 is multiplied by one number."
    ),
    praise=tr("A wave of a quarter of the frequency moves 4^p times as far."),
)
def precondition(z: Tensor, p: float) -> Tensor:
    """Chapter 12: 𝓕⁻¹[f^-p 𝓕 z]."""
    return _scaled()(z, p)


@checker
def beat_the_baseline(answer: object) -> str:
    """Chapter 12: a way down of the learner's own, which gets further than the plain one."""
    content, style = sample("astronaut", 96), sample("langlois-bridge", 128)
    objective = Counted(content, style)
    picture = result_of(answer, objective=objective, content=content.clone(), evaluations=BUDGET)
    if not isinstance(picture, Tensor) or picture.shape != content.shape:
        wrong = tr("the result is {found}, expected a picture of the content's shape {wanted}.")
        if isinstance(picture, Tensor):
            wrong = tr(
                "the result is {found} of shape {shape}, expected a picture of the content's shape "
                "{wanted}."
            )
        raise Wrong(
            wrong.format(
                found=kind(picture),
                shape=list(getattr(picture, "shape", ())),
                wanted=list(content.shape),
            )
        )
    total, scene = objective.judge(picture)
    plain_total, plain_scene = _baseline()
    if not total <= BETTER * plain_total:
        raise Wrong(
            tr(
                "after {asked} evaluations the loss is {share:.2f} times the plain solver's after "
                "{budget}; at most {most} is wanted. Which waves does your optimiser move most "
                "easily, how long is its first step, and is this its best picture?"
            ).format(asked=objective.asked, share=total / plain_total, budget=BUDGET, most=BETTER)
        )
    if scene > SAME_SCENE * plain_scene:
        raise Wrong(
            tr(
                "the loss is {share:.2f} times the plain solver's, and the content loss "
                "{scene:.1f} times: the picture shows less of the scene. "
                "Where does yours start?"
            ).format(share=total / plain_total, scene=scene / plain_scene)
        )
    return tr(
        "The loss is {share:.1f} times the plain solver's after {asked} "
        "evaluations, and the scene is kept."
    ).format(share=total / plain_total, asked=objective.asked)


class Counted:
    """An objective that counts how often it is asked, and refuses after the budget."""

    def __init__(self, content: Tensor, style: Tensor) -> None:
        self.objective = Objective(_net(), content, style)
        self.asked = 0

    def __call__(self, x: Tensor) -> tuple[Tensor, dict[str, float]]:
        if self.asked == BUDGET:
            raise Wrong(
                tr("your function asked for more than {budget} evaluations.").format(budget=BUDGET)
            )
        self.asked += 1
        return self.objective(x)

    def __deepcopy__(self, memo: dict) -> "Counted":
        return self

    def judge(self, picture: Tensor) -> tuple[float, float]:
        """The total loss and L_content of a picture; infinite where it is not finite."""
        with torch.no_grad():
            losses = self.objective(picture.detach().float())[1]
        found = losses["total"], losses["content"]
        return found if math.isfinite(found[0]) else (math.inf, math.inf)


@functools.cache
def _baseline() -> tuple[float, float]:
    content, style = sample("astronaut", 96), sample("langlois-bridge", 128)
    z, picture = pixels(content)
    seen: list[Evaluation] = []
    descend(Objective(_net(), content, style), z, picture, lbfgs(z), BUDGET, seen.append)
    best = min((evaluation.losses for evaluation in seen), key=lambda losses: losses["total"])
    return best["total"], best["content"]


@functools.cache
def _net() -> VGG:
    return VGG(device="cpu")
