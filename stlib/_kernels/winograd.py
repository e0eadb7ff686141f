"""A 3×3 convolution with a quarter of the multiplications, for deep layers on a CPU.

Winograd's minimal filtering F(4×4, 3×3) as in A. Lavin & S. Gray, "Fast algorithms for
convolutional neural networks", CVPR 2016: a tile of 4 × 4 outputs is
Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A, for the filter g and the 6 × 6 inputs d below it. Summed over
channels, ⊙ turns into 36 matrix products, one for each place in the tile. It pays where the
channels are many, so that the products outweigh the transformations. The result differs from a
direct convolution by about 3e-6 of its maximum.
"""

from typing import Any

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from stlib._kernels import frozen

# positions from which transforming filters at each use costs under 7 %, so that nobody keeps them
LARGE = 2048

# of 64, 128 and 256 the fewest that are as fast as more: their copies take memory
TILES_AT_ONCE = 128
# channels in × channels out from which it beats the direct convolution (measured)
FEWEST_PRODUCTS = 128 * 256

_BT = torch.tensor(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    dtype=torch.float64,
)
_G = (
    torch.tensor(
        [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]],
        dtype=torch.float64,
    )
    / 24
)
_AT = torch.tensor(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
    dtype=torch.float64,
)

# a transformation of rows and columns, Bᵀ d B, is one matrix on the 36 numbers of a tile
_ON_INPUT = torch.kron(_BT, _BT).float()  # [36, 36]
_ON_FILTER = torch.kron(_G, _G).float()  # [36, 9]
_ON_OUTPUT = torch.kron(_AT, _AT).float()  # [16, 36]


class Convolution(nn.Conv2d):
    """A frozen 3×3 convolution with padding 1, in the way that is fastest for its input.

    filters: [N_out, N_in, 3, 3]. biases: [N_out]. Called with x, [B, N_in, H, W], and the name of
    what is put around it, it returns [B, N_out, H, W]; differentiable with respect to x.
    """

    def __init__(self, filters: Tensor, biases: Tensor):
        n_out, n_in = filters.shape[:2]
        # on "meta" no memory is taken for the filters that are replaced at once
        super().__init__(n_in, n_out, kernel_size=3, padding=1, device="meta")
        self.weight = nn.Parameter(filters.clone())
        self.bias = nn.Parameter(biases.clone())
        self.transformed: Tensor | None = None  # filters, kept for small pictures
        self.made_of = (0, 0)  # where they come from, and how often that had changed

    def forward(self, x: Tensor, padding: str = "zero") -> Tensor:
        """conv2d(x, g, b, padding=1), with zeros or with x's own edge around it."""
        assert self.bias is not None
        border = 1
        if padding == "replicate":
            x, border = frozen.repeat_edges(x), 0
        if self.weight.requires_grad or self.bias.requires_grad:  # not frozen
            return nnf.conv2d(x, self.weight, self.bias, padding=border)
        if not pays(self, x):
            return frozen.convolve(x, self.weight, self.bias, border)
        return convolve(x, self, border)

    def filters_for(self, M: int) -> Tensor:
        """The filters, transformed, for a map of M positions; 4 times as large as they are."""
        made_of = self.weight.data_ptr(), self.weight._version
        if self.transformed is not None and M < LARGE and made_of == self.made_of:
            return self.transformed
        transformed = transform_filters(self.weight)
        self.transformed = transformed if M < LARGE else None
        self.made_of = made_of
        return transformed


def convolve(x: Tensor, convolution: Convolution, border: int = 1) -> Tensor:
    """What `convolution` makes of x, in Winograd's way; differentiable with respect to x.

    x: [1, N_in, H, W], float32. border: zeros around x, 1 or 0.
    Returns [1, N_out, H, W] in channels-last layout; without a border [1, N_out, H - 2, W - 2].
    """
    return _Convolve.apply(x, convolution, border)  # type: ignore[no-any-return]


def pays(convolution: nn.Conv2d, x: Tensor) -> bool:
    """Whether Winograd's way is the faster one to apply this frozen 3×3 convolution to x."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and x.shape[0] == 1
        and convolution.in_channels * convolution.out_channels >= FEWEST_PRODUCTS
    )


def transform_filters(filters: Tensor) -> Tensor:
    """G g Gᵀ of every filter: [N_out, N_in, 3, 3] → [36, N_in, N_out]."""
    n_out, n_in = filters.shape[:2]
    return (_ON_FILTER @ filters.permute(2, 3, 1, 0).reshape(9, -1)).view(36, n_in, n_out)


class _Convolve(torch.autograd.Function):
    """The filters are transformed for the result, and again for the gradient: nobody keeps them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, convolution: Convolution, border: int) -> Tensor:
        ctx.convolution, ctx.border, ctx.M = convolution, border, x.shape[2] * x.shape[3]
        y = _apply(x, convolution.filters_for(ctx.M), border, _ON_INPUT, _ON_OUTPUT)
        assert convolution.bias is not None
        return y.add_(convolution.bias.view(1, -1, 1, 1))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        # the gradient's filters are turned by 180°, channels in and out swapped: the same filters
        # on tiles turned by 180°
        filters = ctx.convolution.filters_for(ctx.M).transpose(1, 2)
        border = 2 - ctx.border
        return _apply(gradient, filters, border, _ON_INPUT.flip(1), _ON_OUTPUT.flip(0)), None, None


def _apply(x: Tensor, filters: Tensor, border: int, on_input: Tensor, on_output: Tensor) -> Tensor:
    n_in, n_out = filters.shape[1:]
    height, width = (side + 2 * border - 2 for side in x.shape[2:])  # of the output
    h, w = -(-height // 4), -(-width // 4)  # tiles, the last ones possibly overhanging
    right, below = border + 4 * w - width, border + 4 * h - height
    # [4h + 2, 4w + 2, N_in]
    d = nnf.pad(x[0].permute(1, 2, 0), (0, 0, border, right, border, below)).contiguous()
    row, column, _ = d.stride()
    out = torch.empty(1, n_out, height, width, dtype=x.dtype, memory_format=torch.channels_last)
    y = out[0].permute(1, 2, 0)  # [H, W, N_out], the same memory
    rows_at_once = max(1, TILES_AT_ONCE // w)
    for top in range(0, h, rows_at_once):
        rows = min(rows_at_once, h - top)
        tiles = d[4 * top :].as_strided(
            (6, 6, rows, w, n_in), (row, column, 4 * row, 4 * column, 1)
        )
        V = on_input @ tiles.reshape(36, -1)
        products = torch.bmm(V.view(36, rows * w, n_in), filters)  # [36, tiles, N_out]
        Y = on_output @ products.view(36, -1)
        block = Y.view(4, 4, rows, w, n_out).permute(2, 0, 3, 1, 4).reshape(4 * rows, 4 * w, n_out)
        band = y[4 * top : 4 * (top + rows)]
        band.copy_(block[: len(band), :width])
    return out
