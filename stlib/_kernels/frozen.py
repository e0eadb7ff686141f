"""The layers of a frozen network, which remember only what the gradient of the picture needs.

PyTorch keeps the input of every convolution for the gradient of its filters, and does so even when
the filters are frozen; here nothing is kept. Max pooling keeps one byte for each of its outputs,
where PyTorch keeps its input and eight bytes.
"""

from typing import Any

import torch
import torch.nn.functional as nnf
from torch import Tensor

from stlib._kernels import memory


def convolve(x: Tensor, filters: Tensor, bias: Tensor, border: int = 1) -> Tensor:
    """conv2d(x, g, bias, padding=border) for frozen 3×3 filters; differentiable with respect to x.

    x: [B, N_in, H, W]. filters: [N_out, N_in, 3, 3]. bias: [N_out].
    border: zeros around x, 1 or 0. Returns [B, N_out, H, W], without a border [B, N_out, H-2, W-2].
    """
    return _Convolve.apply(x, filters, bias, border)  # type: ignore[no-any-return]


def repeat_edges(x: Tensor) -> Tensor:
    """x with each edge repeated once; differentiable. [B, N, H, W] → [B, N, H + 2, W + 2]."""
    return _RepeatEdges.apply(x)  # type: ignore[no-any-return]


def max_pool(x: Tensor) -> Tensor:
    """max_pool2d(x, 2); differentiable. x: [B, N, H, W]. Returns [B, N, H // 2, W // 2]."""
    pooled: Tensor = _MaxPool.apply(x)
    return _with_room_for_gradients(pooled, x)


def average_pool(x: Tensor) -> Tensor:
    """avg_pool2d(x, 2); differentiable. x: [B, N, H, W]. Returns [B, N, H // 2, W // 2]."""
    return _with_room_for_gradients(nnf.avg_pool2d(x, 2), x)


def _with_room_for_gradients(pooled: Tensor, x: Tensor) -> Tensor:
    """The pooled features, which free memory before their gradients come.

    Those are large and many: let go of what the gradients of the deeper layers have left.
    """
    if pooled.requires_grad and x.device.type == "cpu" and x.nbytes >= memory.LARGE:
        pooled.register_hook(lambda gradient: memory.give_back())
    return pooled


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, filters: Tensor, bias: Tensor, border: int) -> Tensor:
        ctx.filters, ctx.border = filters, border
        return nnf.conv2d(x, filters, bias, padding=border)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        # the gradient's filters are turned by 180°, channels in and out swapped
        turned = ctx.filters.flip(2, 3).transpose(0, 1)
        turned = turned.contiguous(memory_format=torch.channels_last)
        return nnf.conv2d(gradient, turned, padding=2 - ctx.border), None, None, None


class _RepeatEdges(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return nnf.pad(x, (1, 1, 1, 1), mode="replicate")

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        # what an edge's copy would change, the edge itself changes
        rows = gradient[:, :, 1:-1].clone(memory_format=torch.preserve_format)
        rows[:, :, 0] += gradient[:, :, 0]
        rows[:, :, -1] += gradient[:, :, -1]
        inside = rows[..., 1:-1]
        inside[..., 0] += rows[..., 0]
        inside[..., -1] += rows[..., -1]
        return inside


class _MaxPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        # index: row · W + column of the largest of four neighbours
        pooled, index = nnf.max_pool2d(x, 2, return_indices=True)
        width = x.shape[3]
        place = index.sub_(_upper_left(x.shape, x.device))  # 0, 1, W or W + 1
        corner = torch.where(place < width, place, place - (width - 2))  # 0, 1, 2 or 3
        ctx.save_for_backward(corner.to(torch.uint8))
        ctx.shape = x.shape
        return pooled

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (corner,) = ctx.saved_tensors
        place = corner.long()
        index = torch.where(place < 2, place, place + (ctx.shape[3] - 2))
        index.add_(_upper_left(ctx.shape, gradient.device))
        return nnf.max_unpool2d(gradient, index, (2, 2), output_size=ctx.shape[2:])


def _upper_left(shape: torch.Size, device: torch.device) -> Tensor:
    """row · W + column of the upper left one of each four neighbours: [H // 2, W // 2]."""
    height, width = shape[2:]
    row = torch.arange(height // 2, device=device)
    column = torch.arange(width // 2, device=device)
    return 2 * width * row[:, None] + 2 * column
