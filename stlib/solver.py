"""What makes style transfer fast: begin with a small picture, and move all waves alike.

- Coarse to fine: an evaluation at half the size costs a quarter, and settles colours and large
  shapes.
- The Fourier preconditioner: L-BFGS moves not pixels but the amplitudes of waves, slow waves more
  easily than fast ones.
- Grain: a little noise at the start of a stage wakes channels that are silent in even surfaces and
  have no gradient there.
- The first step: long enough for L-BFGS to learn something from it, short enough to tear no holes.

None of them changes the loss at full size, only the way down.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Tensor

from stlib.colour import from_opponent, to_opponent

# the shorter side of a coarse stage, in pixels; in smaller pictures the layers see other things
SMALLEST_SIDE = 80
# evaluations at half the size, per step of the run; at a quarter twice as many, and so on
COARSE_EVALUATIONS = 0.75
# evaluations of a coarse stage; more did not lower the final loss at 256 px, and cost a fifth of it
LONGEST_STAGE = 40
# p: a wave of frequency f is scaled by f^-p; the best of 0, ¼, ½ and 1 for each kind of stage
COARSE_POWER = 0.5
FINE_POWER = 0.25
# cycles per pixel; the loss is almost blind to higher frequencies (curvature about 1/100)
HIGHEST_FREQUENCY = 0.35
# cycles per pixel; colours hardly have faster waves, as in photographs and on screens, because the
# eye does not see them
COLOUR_LIMIT = 0.15
# pixels around a picture, so that the Fourier transform does not tie its opposite edges together
MARGIN = 16
# of a pixel's range, on average. Longer ones make L-BFGS leap, and tear holes into eyes and skies
# that short stages do not mend (benchmarks/PARTS.md, "The first step")
FIRST_STEP = 0.001
# standard deviation of the noise at the start of the first stage, and of later ones; without the
# latter, even surfaces of large pictures get a weave, and with 0.03 a grain that stays
COARSE_GRAIN = 0.1
FINE_GRAIN = 0.01


@dataclass(frozen=True)
class Stage:
    """A part of a run, on a picture of one size.

    share: of the whole picture's side. evaluations: how many. power: p, for `waves`.
    """

    share: float
    evaluations: int
    power: float = FINE_POWER

    @property
    def cost(self) -> float:
        """Of one evaluation, in evaluations at full size: the share of the pixels."""
        return self.share**2


def stages(steps: int, shorter_side: int) -> list[Stage]:
    """The stages of a run, from the smallest picture to full size; each doubles its sides.

    shorter_side: of the content picture, in pixels; stages too small for it are left out.
    """
    coarse: list[Stage] = []
    share = 1 / 2
    while share * shorter_side >= SMALLEST_SIDE:
        evaluations = round(steps * COARSE_EVALUATIONS / (2 * share))
        if evaluations:
            coarse.insert(0, Stage(share, min(LONGEST_STAGE, evaluations), COARSE_POWER))
        share /= 2
    left = steps - sum(stage.cost * stage.evaluations for stage in coarse)
    return [*coarse, Stage(1.0, max(1, round(left)))]


def shrink(picture: Tensor, share: float) -> Tensor:
    """The picture [1, 3, H, W] at a share of its size; what is too fine for it is averaged."""
    return (
        picture
        if share == 1
        else _resize(picture, [max(1, round(side * share)) for side in picture.shape[2:]]).clamp(
            0, 1
        )
    )


def enlarge(x: Tensor, size: Sequence[int]) -> Tensor:
    """The picture [1, 3, h, w] at another size (height, width)."""
    return _resize(x, size)


def fine_detail(picture: Tensor, coarse: Tensor) -> Tensor:
    """What a picture [1, 3, H, W] has and the same picture at a smaller size has lost."""
    return picture - enlarge(coarse, picture.shape[2:])


def pixels(start: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Pictures as they are: x = z.

    start: [1, 3, H, W]. Returns z, a copy of it that asks for a gradient, and the function z ↦ x.
    """
    return start.detach().clone().requires_grad_(), lambda x: x


def waves(
    start: Tensor, power: float, colour_limit: float = COLOUR_LIMIT
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Pictures as a sum of waves around a start: x = start + Oᵀ 𝓕⁻¹[g 𝓕[z]].

    O turns RGB into brightness and two opponent colours. For brightness g = f^-p with f in cycles
    per pixel: with p > 0, a step of a given length in z moves slow waves further than fast ones.
    For the colours, g falls to 0 where the eye no longer sees them. Waves go round: what leaves on
    the right comes in on the left. So they are those of a picture with a margin, which is cut off.

    start: [1, 3, H, W]. power: p.
    colour_limit: in cycles per pixel; with `math.inf`, colours are moved like brightness.
    Returns z, zeros that ask for a gradient, [1, 3, H + 2m, W + 2m] for a margin of m, and the
    function z ↦ x.
    """
    size = [side + 2 * MARGIN for side in start.shape[2:]]
    f = frequencies(*size).to(start)
    gain = f**-power
    gain = gain / gain.mean()
    coloured = gain * _seen_in_colour(f, colour_limit)
    g = torch.stack([gain, coloured, coloured])

    def picture(z: Tensor) -> Tensor:
        change = torch.fft.irfft2(g * torch.fft.rfft2(z), s=size)
        return start + from_opponent(change[..., MARGIN:-MARGIN, MARGIN:-MARGIN])

    return start.new_zeros(1, 3, *size).requires_grad_(), picture


def soft_colours(picture: Tensor) -> Tensor:
    """The picture without the colours that `waves` could not take away; brightness stays.

    Matching colours turns a photo's fine brightness into fine colours.
    """
    brightness, *colours = to_opponent(picture).split(1, dim=1)
    soft = [_filtered(colour, lambda f: _seen_in_colour(f, COLOUR_LIMIT)) for colour in colours]
    return from_opponent(torch.cat([brightness, *soft], dim=1))


def _seen_in_colour(f: Tensor, limit: float) -> Tensor:
    """How much of a colour's wave of frequency f is left, from 1 to 0."""
    return torch.exp(-((f / limit) ** 4))


def smooth(picture: Tensor) -> Tensor:
    """The picture without the frequencies that the loss barely sees.

    In a larger picture they would show as stripes.
    """
    return _filtered(picture, lambda f: (f < HIGHEST_FREQUENCY).to(f))


def _filtered(picture: Tensor, gain: Callable[[Tensor], Tensor]) -> Tensor:
    """The picture with each wave multiplied by gain(f), under a margin of its mirror image."""
    margin = min(MARGIN, min(picture.shape[2:]) - 1)  # no more than there is to mirror
    padded = nnf.pad(picture, (margin,) * 4, mode="reflect")
    size = padded.shape[2:]
    spectrum = gain(frequencies(*size).to(picture)) * torch.fft.rfft2(padded)
    height, width = picture.shape[2:]
    whole = torch.fft.irfft2(spectrum, s=size)
    return whole[..., margin : margin + height, margin : margin + width]


def grain(like: Tensor, strength: float, power: float, seed: int) -> Tensor:
    """Grey noise whose waves are as strong as f^-p, without those that the loss could not remove.

    like: a picture of the form wanted. strength: the noise's standard deviation.
    power: p. seed: of the noise.
    """
    noise = torch.randn(like[:, :1].shape, generator=torch.Generator().manual_seed(seed)).to(like)
    f = frequencies(*like.shape[2:]).to(like)
    noise = torch.fft.irfft2(
        (f < HIGHEST_FREQUENCY) * f**-power * torch.fft.rfft2(noise), s=like.shape[2:]
    )
    noise = noise - noise.mean()
    return (strength * noise / noise.std()).expand_as(like)


def first_start(start: Tensor, seed: int | None) -> Tensor:
    """The picture with which the first stage begins: the start with coarse grain.

    start: [1, 3, H, W]. seed: of the grain; None adds none.
    """
    return start if seed is None else start + grain(start, COARSE_GRAIN, 0.5, seed)


def next_start(best: Tensor, start: Tensor, previous: Tensor | None, seed: int | None) -> Tensor:
    """The picture with which a stage begins that follows a smaller one.

    best: what the stage before has painted, [1, 3, h, w]. start: this stage's own start, [1, 3, H,
        W].
    previous: the start of the stage before; what `start` shows beyond it is put back. None puts
        nothing back. seed: of the fine grain; None adds none.
    """
    x0 = enlarge(smooth(best), start.shape[2:])
    if previous is not None:
        x0 = x0 + fine_detail(start, previous)
    return x0 if seed is None else x0 + grain(x0, FINE_GRAIN, 0.0, seed)


def frequencies(height: int, width: int) -> Tensor:
    """f of each coefficient of `rfft2`, in cycles per pixel: [H, W // 2 + 1].

    height, width: of the picture, in pixels. The constant wave gets the lowest f of the others, so
    that f^-p is finite.
    """
    fy = torch.fft.fftfreq(height)[:, None]
    fx = torch.fft.rfftfreq(width)[None]
    return (fy**2 + fx**2).sqrt().clamp(min=1 / max(height, width))


def _resize(picture: Tensor, size: Sequence[int]) -> Tensor:
    return nnf.interpolate(
        picture, size=tuple(size), mode="bicubic", antialias=True, align_corners=False
    )
