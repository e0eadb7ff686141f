"""F Fᵀ with a cheaper gradient than autograd would find: the same numbers, one product less."""

from typing import Any

import torch
from torch import Tensor


def self_product(F: Tensor) -> Tensor:
    """F Fᵀ; differentiable. F: [N, M]. Returns [N, N]."""
    return _SelfProduct.apply(F)  # type: ignore[no-any-return]


def guided_product(F: Tensor, squared_mask: Tensor) -> Tensor:
    """(T∘F)(T∘F)ᵀ; differentiable with respect to F.

    F: [N, M]. squared_mask: T², [M]. Returns [N, N].
    """
    return _GuidedProduct.apply(F, squared_mask)  # type: ignore[no-any-return]


class _SelfProduct(torch.autograd.Function):
    """The gradient is (S + Sᵀ) F for a gradient S of the output: one product, not two."""

    @staticmethod
    def forward(ctx: Any, F: Tensor) -> Tensor:
        ctx.save_for_backward(F)
        return F @ F.T

    @staticmethod
    def backward(ctx: Any, S: Tensor) -> Tensor:
        (F,) = ctx.saved_tensors
        return (F.T @ (S + S.T)).T  # (S + Sᵀ) F, in the memory layout that a channels-last F has


class _GuidedProduct(torch.autograd.Function):
    """(F∘T²) Fᵀ remembers F alone, where autograd would keep a masked copy of it for every mask."""

    @staticmethod
    def forward(ctx: Any, F: Tensor, squared_mask: Tensor) -> Tensor:
        ctx.save_for_backward(F, squared_mask)
        return (F * squared_mask) @ F.T

    @staticmethod
    def backward(ctx: Any, S: Tensor) -> tuple[Tensor, None]:
        F, squared_mask = ctx.saved_tensors
        return (F.T @ (S + S.T)).T * squared_mask, None
