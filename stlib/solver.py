"""What makes style transfer fast: begin with a small picture, and move all waves of a picture alike.

Coarse-to-fine: an evaluation of a picture of half the size costs a quarter, and colours and large shapes are settled there.
The Fourier preconditioner: L-BFGS does not move pixels but the amplitudes of waves, slow waves more easily than fast ones,
because the loss bends far less along them. Neither changes the loss at full size, only the way to its minimum.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

POWER = 0.5  # p: a wave of frequency f is scaled by f^-p
SMALLEST_SIDE = 48  # pixels; below it relu5_1 has two positions or fewer, and a stage brings nothing
SCHEDULE = ((1 / 4, 1.0), (1 / 2, 0.8))  # (share of the size, evaluations for each of `steps`) of the coarse stages


@dataclass(frozen=True)
class Stage:
    """A part of a run: how large its picture is compared with the whole, and how many evaluations it takes."""

    share: float
    evaluations: int

    @property
    def cost(self) -> float:
        """Of one evaluation, in evaluations at full size: the share of the pixels."""
        return self.share**2


def stages(steps: int, shorter_side: int) -> list[Stage]:
    """The stages of a run whose work is that of `steps` evaluations at full size; the last one is at full size.

    shorter_side: the shortest side of the pictures, in pixels; stages too small for it are left out.
    """
    coarse = [Stage(share, round(steps * evaluations)) for share, evaluations in SCHEDULE
              if share * shorter_side >= SMALLEST_SIDE and round(steps * evaluations)]
    left = steps - sum(stage.cost * stage.evaluations for stage in coarse)
    return [*coarse, Stage(1.0, max(1, round(left)))]


def shrink(picture: Tensor, share: float) -> Tensor:
    """The picture [1, 3, H, W] at a share of its size, with what is too fine for it averaged away."""
    return picture if share == 1 else _resize(picture, [max(1, round(side * share)) for side in picture.shape[2:]]).clamp(0, 1)


def enlarge(x: Tensor, size: Sequence[int]) -> Tensor:
    """The picture [1, 3, h, w] at another size (height, width)."""
    return _resize(x, size)


def fine_detail(picture: Tensor, coarse: Tensor) -> Tensor:
    """What a picture [1, 3, H, W] has and the same picture at a smaller size has lost."""
    return picture - enlarge(coarse, picture.shape[2:])


def pixels(start: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Pictures as they are: returns a copy of the start that asks for a gradient, and the function from it to the picture."""
    return start.detach().clone().requires_grad_(), lambda x: x


def waves(start: Tensor, power: float = POWER) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Pictures as a sum of waves around a start: x = start + 𝓕⁻¹[f^-p 𝓕[z]].

    start: [1, 3, H, W]. power: p; 0 gives pixels. Returns z, zeros of the start's shape that ask for a gradient, and the function
    from z to x. With f in cycles a pixel and p > 0, a step of one length in z moves slow waves further than fast ones.
    """
    height, width = start.shape[2:]
    fy = torch.fft.fftfreq(height, device=start.device)[:, None]
    fx = torch.fft.rfftfreq(width, device=start.device)[None]
    f = (fy**2 + fx**2).sqrt().clamp(min=1 / max(height, width))
    gain = f**-power / (f**-power).mean()

    def picture(z: Tensor) -> Tensor:
        return start + torch.fft.irfft2(gain * torch.fft.rfft2(z), s=(height, width))

    return torch.zeros_like(start, memory_format=torch.contiguous_format).requires_grad_(), picture


def _resize(picture: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(picture, size=tuple(size), mode="bicubic", antialias=True, align_corners=False)
