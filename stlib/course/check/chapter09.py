"""The exercises of chapter 09: the Keras example."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from stlib._language import tr
from stlib.course.check.answer import Function
from stlib.course.check.exercise import exercise
from stlib.layers import WIDTHS

Shapes = dict[str, tuple[int, int]]


def _kernel(H: int, W: int, C: int, K: int) -> Tensor:
    return torch.arange(1.0, 1 + H * W * C * K).reshape(H * W * C, K)


@exercise(
    cases=[
        (_kernel(2, 3, 4, 5), 2, 3, 4),
        (_kernel(3, 3, 2, 1), 3, 3, 2),
        (_kernel(1, 1, 4, 2), 1, 1, 4),
    ],
    mistakes=[
        (
            lambda kernel, H, W, C: kernel.T,
            tr(
                "The shape is right. But which number of the row does PyTorch's first column meet, "
                "and which does Keras' first row?"
            ),
        ),
        (
            lambda kernel, H, W, C: kernel.reshape(-1, C * H * W),
            tr(
                "reshape cuts the numbers anew, in the order in which they lie in memory. "
                "Who moves K to the front?"
            ),
        ),
        (
            lambda kernel, H, W, C: kernel.reshape(H, W, C, -1).permute(3, 2, 1, 0).flatten(1),
            tr("Down comes before across. Which of the two do you put first?"),
        ),
        (
            lambda kernel, H, W, C: kernel.reshape(H, W, C, -1).permute(3, 2, 0, 1),
            tr(
                "The four axes are in the right order. "
                "What does a matrix [K, C·H·W] do with three of them?"
            ),
        ),
        (
            lambda kernel, H, W, C: kernel.reshape(H, W, C, -1).permute(2, 0, 1, 3).flatten(0, 2),
            tr("The rows are in PyTorch's order. Which axis comes first there, K or C·H·W?"),
        ),
    ],
    hint=tr("Follow one number: the weight of channel c at (row, column) for output k."),
    praise=tr("A shape that fits proves nothing; an order that fits does."),
)
def flat_weights(kernel: Tensor, H: int, W: int, C: int) -> Tensor:
    """Chapter 09: Keras' matrix [H·W·C, K] behind a flattening as PyTorch's [K, C·H·W]."""
    return kernel.reshape(H, W, C, -1).permute(3, 2, 0, 1).flatten(start_dim=1)


class Weights(NamedTuple):
    """α, β and w_l of the paper's form."""

    alpha: float
    beta: float
    w: dict[str, float]


def _turned(
    content: float = 2.0,
    share: Function = lambda weight, count: weight / count,
    factor: Function = lambda N, M, size: (N / 3) ** 2 * (M / size) ** 2,
    total: Function = sum,
    whole: bool = False,
) -> Function:
    """The answer, with its parts exchangeable."""

    def answer(content_weight: float, style_weight: float, shapes: Shapes, size: int) -> Weights:
        factors = {layer: factor(N, M, size) for layer, (N, M) in shapes.items()}
        one = share(style_weight, len(shapes))
        w = {layer: f * one if whole else f / sum(factors.values()) for layer, f in factors.items()}
        return Weights(content * content_weight, one * total(factors.values()), w)

    return answer


@exercise(
    cases=[
        (2.5e-8, 1e-6, {"relu1_1": (64, 1024)}, 1024),
        (2.5e-8, 1e-6, {"relu1_1": (64, 1024), "relu3_1": (256, 64), "relu5_1": (512, 4)}, 1024),
        (1.0, 3.0, {"relu1_1": (6, 400), "relu2_1": (12, 100)}, 400),
    ],
    mistakes=[
        (
            _turned(content=1.0),
            tr("Its content loss is Σ (F − P)². What does ours have before the Σ?"),
        ),
        (
            _turned(content=0.5),
            tr(
                "Which of the two content losses is the larger number, "
                "and which then needs the larger weight?"
            ),
        ),
        (
            _turned(share=lambda weight, count: weight),
            tr("By what does the example divide its style weight before it adds up layers?"),
        ),
        (
            _turned(share=lambda weight, count: weight / count**2),
            tr("How often is the style weight divided by the number of layers?"),
        ),
        (
            _turned(factor=lambda N, M, size: N**2 * (M / size) ** 2),
            tr("What stands beside the 4 in its divisor?"),
        ),
        (
            _turned(factor=lambda N, M, size: (N / 3) ** 2 * (M / size)),
            tr("To which power do M and the size enter?"),
        ),
        (
            _turned(factor=lambda N, M, size: 1 / ((N / 3) ** 2 * (M / size) ** 2)),
            tr("Put it in: is its layer loss the factor times E_l, or E_l divided by the factor?"),
        ),
        (
            _turned(whole=True),
            tr("The weights w have to add up to 1. Where does their sum belong?"),
        ),
        (
            _turned(total=lambda factors: 1, whole=True),
            tr("The weights w have to add up to 1. Where does their sum belong?"),
        ),
        (
            _turned(share=lambda weight, count: weight, total=lambda factors: 1),
            tr("What is left of the factors of the layers?"),
        ),
        (
            lambda *given: (*_turned()(*given)[:2], [*_turned()(*given).w.values()]),
            tr("Which weight is whose? w is a dict, by the names of the layers."),
        ),
    ],
    hint=tr(
        "What stands before each E_l in the example's loss? β is their sum, w has their ratios."
    ),
    praise=tr("With these three numbers every function of stlib speaks Keras."),
)
def turn_weights(content_weight: float, style_weight: float, shapes: Shapes, size: int) -> Weights:
    """Chapter 09: α, β and w_l that give the Keras example's content and style terms."""
    return _turned()(content_weight, style_weight, shapes, size)


def _shares(factor: Function) -> Function:
    """The answer that weighs E_l with factor(N, number of poolings before the layer)."""

    def answer(E: Sequence[float]) -> list[float]:
        parts = [factor(N, pools) * E[pools] for pools, N in enumerate(WIDTHS)]
        return [part / sum(parts) for part in parts]

    return answer


@exercise(
    cases=[
        ([1.0, 1.0, 1.0, 1.0, 1.0],),
        ([1.0, 0.0, 0.0, 0.0, 1024.0],),
        ([0.5, 2.0, 3.0, 8.0, 100.0],),
    ],
    mistakes=[
        (
            _shares(lambda N, pools: 1),
            tr("These are the shares with equal weights. What does the divisor leave of N and M?"),
        ),
        (
            _shares(lambda N, pools: N**2),
            tr("N² is in it. What becomes of M, which falls from block to block?"),
        ),
        (
            _shares(lambda N, pools: 1 / 16**pools),
            tr("M is in it. What becomes of N, which grows from block to block?"),
        ),
        (_shares(lambda N, pools: N**2 / 4**pools), tr("Is M or M² in the factor?")),
        (
            _shares(lambda N, pools: N**2 / 2**pools),
            tr("Pooling halves the height *and* the width."),
        ),
        (_shares(lambda N, pools: N / 4**pools), tr("The factor holds squares of N and of M.")),
        (
            _shares(lambda N, pools: 16**pools / N**2),
            tr("Does the divisor make shallow layers count more, or less?"),
        ),
        (
            lambda E: [N**2 / 16**pools * E[pools] / 9 for pools, N in enumerate(WIDTHS)],
            tr("Shares add up to 1. Divide by what?"),
        ),
    ],
    hint=tr(
        "What does the factor (N/3)² (M/(HW))² amount to in each block, and do the shares add "
        "up to 1?"
    ),
    praise=tr(
        "The size of the picture is nowhere in it: each pooling divides M by 4, whatever the size."
    ),
)
def divisor_share(E: Sequence[float]) -> list[float]:
    """Chapter 09: the share of each layer in the Keras example's style loss."""
    return _shares(lambda N, pools: N**2 / 16**pools)(E)
