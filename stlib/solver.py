"""What makes style transfer fast: begin with a small picture, and move all waves of a picture alike.

Coarse-to-fine: an evaluation of a picture of half the size costs a quarter, and colours and large shapes are settled there.
The Fourier preconditioner: L-BFGS does not move pixels but the amplitudes of waves, slow waves more easily than fast ones.
Grain: a little noise at the start of a stage wakes up channels that are silent in even surfaces, and have no gradient there.
The first step: long enough to learn something from it. None of them changes the loss at full size, only the way down.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Tensor

SMALLEST_SIDE = (
    80  # pixels; of smaller stages the full size has no use: its layers see other things
)
SCHEDULE = (
    (1 / 4, 0.75),
    (1 / 2, 0.75),
)  # (share of the size, evaluations for each of `steps`) of the coarse stages
LONGEST = 40  # evaluations of a coarse stage; of 165, the others brought a long run of 256 pixels nothing and a fifth of its time
COARSE_POWER, FINE_POWER = (
    0.5,
    0.25,
)  # p: a wave of frequency f is scaled by f^-p; the best of 0, ¼, ½ and 1 for each stage
SEEN = (
    0.35  # cycles a pixel; of faster waves the loss hardly knows, and its curvature is a hundredth
)
FIRST_STEP = (
    0.01  # of the range of a pixel, on average; of 0.003, 0.01 and 0.03 the one that led furthest
)
COARSE_GRAIN, FINE_GRAIN = (
    0.1,
    0.03,
)  # standard deviation of the noise at the start of the first stage, and of later ones
HISTORY_SIZE = 10  # pairs of vectors that L-BFGS remembers; 30 ended within 1 % of the same loss


@dataclass(frozen=True)
class Stage:
    """A part of a run: how large its picture is compared with the whole, how many evaluations it takes, and the power p."""

    share: float
    evaluations: int
    power: float = FINE_POWER

    @property
    def cost(self) -> float:
        """Of one evaluation, in evaluations at full size: the share of the pixels."""
        return self.share**2


def stages(steps: int, shorter_side: int) -> list[Stage]:
    """The stages of a run whose work is that of `steps` evaluations at full size; the last one is at full size.

    shorter_side: the shortest side of the pictures, in pixels; stages too small for it are left out.
    """
    coarse = [
        Stage(share, min(LONGEST, round(steps * evaluations)), COARSE_POWER)
        for share, evaluations in SCHEDULE
        if share * shorter_side >= SMALLEST_SIDE and round(steps * evaluations)
    ]
    left = steps - sum(stage.cost * stage.evaluations for stage in coarse)
    return [*coarse, Stage(1.0, max(1, round(left)))]


def shrink(picture: Tensor, share: float) -> Tensor:
    """The picture [1, 3, H, W] at a share of its size, with what is too fine for it averaged away."""
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
    """Pictures as they are: returns a copy of the start that asks for a gradient, and the function from it to the picture."""
    return start.detach().clone().requires_grad_(), lambda x: x


def waves(start: Tensor, power: float) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Pictures as a sum of waves around a start: x = start + 𝓕⁻¹[f^-p 𝓕[z]].

    start: [1, 3, H, W]. power: p; 0 gives pixels. Returns z, zeros of the start's shape that ask for a gradient, and the function
    from z to x. With f in cycles a pixel and p > 0, a step of one length in z moves slow waves further than fast ones.
    """
    size = start.shape[2:]
    gain = frequencies(*size).to(start) ** -power
    gain = gain / gain.mean()

    def picture(z: Tensor) -> Tensor:
        return start + torch.fft.irfft2(gain * torch.fft.rfft2(z), s=size)

    return torch.zeros_like(start, memory_format=torch.contiguous_format).requires_grad_(), picture


def smooth(picture: Tensor) -> Tensor:
    """The picture without the waves that the loss hardly knows, of which a larger picture would make visible stripes."""
    f = frequencies(*picture.shape[2:]).to(picture.device)
    return torch.fft.irfft2((f < SEEN) * torch.fft.rfft2(picture), s=picture.shape[2:])


def grain(like: Tensor, strength: float, power: float, seed: int) -> Tensor:
    """Noise of the form of a picture: its waves are as strong as f^-p, up to those that the loss can still take away.

    strength: its standard deviation.
    """
    noise = torch.randn(like.shape, generator=torch.Generator().manual_seed(seed)).to(like)
    f = frequencies(*like.shape[2:]).to(like)
    noise = torch.fft.irfft2((f < SEEN) * f**-power * torch.fft.rfft2(noise), s=like.shape[2:])
    noise = noise - noise.mean(dim=(2, 3), keepdim=True)
    return strength * noise / noise.std()


def first_start(start: Tensor, seed: int | None) -> Tensor:
    """The picture with which the first stage begins: the start with coarse grain.

    start: [1, 3, H, W]. seed: of the grain; None adds none.
    """
    return start if seed is None else start + grain(start, COARSE_GRAIN, 0.5, seed)


def next_start(best: Tensor, start: Tensor, previous: Tensor | None, seed: int | None) -> Tensor:
    """The picture with which a stage begins that follows a smaller one.

    best: what the stage before has painted, [1, 3, h, w]. start: this stage's own start, [1, 3, H, W].
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
