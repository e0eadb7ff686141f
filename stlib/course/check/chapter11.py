"""The exercises of chapter 11: the work of a plan, the preconditioner, and a run that beats the plain solver."""

import functools
import math

import torch
from torch import Tensor

from stlib.course.check.exercise import Wrong, call, checker, same_number
from stlib.images import sample
from stlib.transfer import style_transfer
from stlib.vgg import VGG

BUDGET = 20  # evaluations at full size; enough to tell a better solver from the plain one
BETTER = 0.96  # of the plain solver's loss
SAME_SCENE = 1.15  # times the plain solver's content loss
FREE = ("solver", "optimizer", "init", "seed")


@checker
def cost_of_stages(answer) -> str:
    """Chapter 11: the work of a plan of stages, in evaluations at full size."""
    for plan in ([(1.0, 40)], [(0.5, 40)], [(0.25, 32), (0.5, 16), (1.0, 10)], []):
        expected = sum(share**2 * evaluations for share, evaluations in plan)
        got = call(answer, list(plan))
        for slip, hint in (
            (
                sum(share * evaluations for share, evaluations in plan),
                "A picture of half the height has half the width, too: what share of the pixels is that?",
            ),
            (
                sum(evaluations for _, evaluations in plan),
                "An evaluation of a smaller picture costs less.",
            ),
            (sum(share**2 for share, _ in plan), "How often is each stage's picture evaluated?"),
        ):
            if slip != expected and isinstance(got, (int, float)) and math.isclose(got, slip):
                raise Wrong(
                    f"for the plan {plan} the result is {got:.6g}, expected {expected:.6g}. {hint}"
                )
        same_number(
            got,
            expected,
            f"the plan {plan}",
            "Add up, over the stages, evaluations times the share of the pixels.",
        )
    return "32 + 16 evaluations of small pictures cost no more than 6 of large ones."


@checker
def precondition(answer) -> str:
    """Chapter 11: 𝓕⁻¹[f^-p 𝓕 z], judged by what it makes of single waves."""
    size = 24, 32
    z = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(11))
    _same(
        call(answer, z, 0.0), z, "p = 0", "f^0 is 1 for every wave, so z must come back as it was."
    )
    for p in (0.5, 1.0):
        got = call(answer, torch.ones(1, 3, *size), p)
        if not torch.isfinite(_tensor(got, z)).all():
            raise Wrong(
                f"for a constant picture, p = {p:g}, the result is not finite: 0 to the power of -p. Give the constant "
                "wave the frequency 1 / max(H, W)."
            )
        for rows, columns in ((0, 8), (0, 2), (3, 0), (9, 0), (3, 4), (5, -7)):
            f = math.hypot(rows / size[0], columns / size[1])
            wave = _wave(rows, columns, size)
            given = f"a wave of {f:.3g} cycles a pixel ({abs(rows)} down the height, {abs(columns)} across the width), p = {p:g}"
            _scaled(call(answer, wave, p), wave, f, p, given)
        _same(
            got,
            torch.full_like(z, max(size) ** p),
            f"a constant picture, p = {p:g}",
            "The constant wave has the frequency 1 / max(H, W) here.",
        )
    return "A wave of a quarter of the frequency moves 4^p times as far."


def _wave(rows: int, columns: int, size: tuple[int, int]) -> Tensor:
    y, x = torch.arange(size[0])[:, None] / size[0], torch.arange(size[1])[None] / size[1]
    return torch.cos(2 * torch.pi * (rows * y + columns * x)).expand(1, 3, *size).contiguous()


def _tensor(got, like: Tensor) -> Tensor:
    if not isinstance(got, Tensor):
        raise Wrong(
            f"the result is a {type(got).__name__}, expected a tensor of the shape {list(like.shape)}."
        )
    if got.shape != like.shape:
        raise Wrong(
            f"the result has the shape {list(got.shape)}, expected that of z, {list(like.shape)}. "
            "Give irfft2 the size: s=z.shape[2:]."
        )
    if got.is_complex():
        raise Wrong("the result is complex, a picture is real. Which inverse belongs to rfft2?")
    return got.detach()


def _same(got, expected: Tensor, given: str, hint: str) -> None:
    if not torch.allclose(
        _tensor(got, expected), expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max())
    ):
        raise Wrong(
            f"for {given} the result is up to {float(got.max()):.4g}, expected {float(expected.max()):.4g}. {hint}"
        )


def _scaled(got, wave: Tensor, f: float, p: float, given: str) -> None:
    got = _tensor(got, wave)
    factor = float((got * wave).sum() / wave.square().sum())
    if not torch.allclose(got, factor * wave, atol=1e-3 * max(abs(factor), 1e-6)):
        raise Wrong(
            f"for {given} the result is another wave. Multiply each coefficient of rfft2 by a number, no more."
        )
    if math.isclose(factor, f**-p, rel_tol=1e-3):
        return
    if math.isclose(factor, f**p, rel_tol=1e-3):
        hint = "Slow waves are to move further than fast ones: look at the sign of the exponent."
    elif math.isclose(factor, f ** (-2 * p), rel_tol=1e-3):
        hint = "Is the root missing in f = √(fx² + fy²)?"
    else:
        hint = "f is √(fx² + fy²), with fy from fftfreq of the height and fx from rfftfreq of the width."
    raise Wrong(
        f"for {given} the wave comes back {factor:.4g} times as strong, expected {f**-p:.4g} times. {hint}"
    )


@checker
def beat_the_baseline(answer) -> str:
    """Chapter 11: settings with which `style_transfer` gets further than the plain solver, in the same work, with the scene."""
    content, style = sample("astronaut", 96), sample("langlois-bridge", 128)
    settings = call(answer, content.clone(), style.clone())
    if not isinstance(settings, dict):
        raise Wrong(
            f"the result is a {type(settings).__name__}, expected a dict of settings such as {{'optimizer': 'adam'}}."
        )
    fixed = [name for name in settings if name not in FREE]
    if fixed:
        raise Wrong(
            f"{fixed[0]!r} is fixed here, since it changes the loss or the budget. Yours to choose: {', '.join(FREE)}."
        )
    total, scene = _judge(content, style, {"solver": "plain", **settings})
    plain_total, plain_scene = _baseline()
    if scene > SAME_SCENE * plain_scene:
        raise Wrong(
            f"the loss is {total / plain_total:.2f} times the plain solver's, but the content loss "
            f"{scene / plain_scene:.1f} times: the picture shows less of the scene. Where does yours start?"
        )
    if total > BETTER * plain_total:
        raise Wrong(
            f"after work worth {BUDGET} evaluations the loss is {total / plain_total:.2f} times the plain solver's, "
            f"at most {BETTER} is wanted. Which parts of this chapter have you switched on, and from where do you start?"
        )
    return "The same work leads to a lower loss, and the scene is kept."


def _judge(content: Tensor, style: Tensor, settings: dict) -> tuple[float, float]:
    """The total loss and L_content of what these settings paint."""
    best = [math.inf, math.inf]

    def note(evaluation: int, x: Tensor, losses: dict[str, float]) -> None:
        if x.shape == content.shape and losses["total"] < best[0]:
            best[:] = losses["total"], losses["content"]

    try:
        style_transfer(
            content, style, net=_net(), steps=BUDGET, progress=False, callback=note, **settings
        )
    except (ValueError, TypeError) as error:
        raise Wrong(f"style_transfer refuses these settings: {error}") from None
    return best[0], best[1]


@functools.cache
def _baseline() -> tuple[float, float]:
    return _judge(sample("astronaut", 96), sample("langlois-bridge", 128), {"solver": "plain"})


@functools.cache
def _net() -> VGG:
    return VGG(device="cpu")
