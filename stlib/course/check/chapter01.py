"""The exercises of chapter 01: what a CNN sees."""

import math

import torch
import torch.nn.functional as nnf
from torch import Tensor

from stlib._language import tr
from stlib.course.check.answer import Function, Wrong
from stlib.course.check.compare import Seen, Words, kind
from stlib.course.check.exercise import Rule, exercise
from stlib.layers import find_layer

CONVOLUTIONS = ("conv1d", "conv2d", "conv3d", "conv_transpose2d", "unfold")


def _case(colours: int, rows: int, columns: int, k: int, stride: int) -> tuple:
    generator = torch.Generator().manual_seed(rows)
    image = torch.randint(0, 5, (colours, rows, columns), generator=generator).float()
    return image, torch.randint(-2, 3, (colours, k, k), generator=generator).float(), stride


def _convolved(image: Tensor, kernel: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    return nnf.conv2d(image[None], kernel[None], stride=stride, padding=padding)[0, 0]


def _rounded_down(image: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """As many places as strides fit, the last place forgotten."""
    places = [(side - kernel.shape[1]) // stride for side in image.shape[1:]]
    return _convolved(image, kernel, stride)[: places[0], : places[1]]


@exercise(
    cases=[
        _case(1, 4, 4, 3, 1),
        _case(1, 5, 7, 3, 2),
        _case(2, 6, 5, 1, 2),
        _case(3, 9, 8, 3, 3),
    ],
    mistakes=[
        (
            lambda image, kernel, stride: _convolved(image, kernel),
            tr("That is a stride of 1. By how many pixels does the kernel move?"),
        ),
        (
            lambda image, kernel, stride: _convolved(
                image, kernel, stride, padding=kernel.shape[1] // 2
            ),
            tr("The kernel must lie wholly inside the picture: how many places are there?"),
        ),
        (
            lambda image, kernel, stride: nnf.conv2d(
                image[:, None], kernel[:1, None], stride=stride
            )[:, 0],
            tr("All colours are added up into one map."),
        ),
        (
            _rounded_down,
            tr("The last place is missing: the first one needs no step."),
        ),
        (
            lambda image, kernel, stride: _convolved(image[:, ::stride, ::stride], kernel),
            tr("The places move by the stride; the pixels below the kernel stay neighbours."),
        ),
        (
            lambda image, kernel, stride: _convolved(image, kernel.flip(1, 2), stride),
            tr(
                "The kernel was turned around. Which weight meets the upper left pixel of the "
                "patch?"
            ),
        ),
        (
            lambda image, kernel, stride: _convolved(image, kernel.mT, stride),
            tr("Rows and columns of the kernel have changed places."),
        ),
        (
            lambda image, kernel, stride: _convolved(image, kernel, stride) / kernel.numel(),
            tr("A sum is asked for, not a mean."),
        ),
        (
            lambda image, kernel, stride: _convolved(image[:1], kernel[:1], stride),
            tr("That is the first colour alone. What do the others add?"),
        ),
        (_convolved, tr("Write the loops once yourself: which two run over the positions?")),
    ],
    rule=Rule(tr("Write the loops once yourself: which two run over the positions?"), CONVOLUTIONS),
    hint=tr(
        "Which pixel of the picture lies below the kernel's upper left weight at place (i, j)?"
    ),
    praise=tr("It makes 1 / stride² of the numbers: a cheap way to a smaller map."),
)
def convolve(image: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """Chapter 01: the convolution of a colour picture whose kernel moves by more than a pixel."""
    k = kernel.shape[1]
    rows, columns = ((side - k) // stride + 1 for side in image.shape[1:])
    result = torch.zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride, j * stride
            result[i, j] = (image[:, top : top + k, left : left + k] * kernel).sum()
    return result


def _sign_of_map(answer: Function, picture: Tensor, what: str) -> Seen:
    """What the map of the learner's kernel is where it is strongest."""
    kernel = answer()
    if not isinstance(kernel, Tensor):
        raise Wrong(
            tr("the kernel is {thing}, expected a tensor: torch.tensor([[…], […], […]])").format(
                thing=kind(kernel)
            )
        )
    if kernel.shape != (3, 3):
        raise Wrong(
            tr("the kernel has the shape {shape}, expected [3, 3]").format(shape=list(kernel.shape))
        )
    if kernel.is_complex() or not kernel.isfinite().all():
        raise Wrong(tr("the kernel holds weights that are no ordinary numbers"))
    values = _convolved(picture[None], kernel.detach().float()[None]).flatten()
    strongest = float(values[values.abs().argmax()])
    sign = tr("positive") if strongest > 0 else tr("negative")
    return Seen({tr("the map"): Words(tr("0 everywhere") if abs(strongest) < 1e-5 else sign)})


PLACES = torch.arange(6)
FALLING = (PLACES[:, None] + PLACES > 5).float()  # bright at the lower right
RISING = (PLACES[:, None] > PLACES).float()  # bright at the lower left


@exercise(
    cases=[
        (torch.ones(6, 6), tr("picture A, even and bright,")),
        (FALLING, tr("picture B, bright at the lower right,")),
        (1 - FALLING, tr("picture C, bright at the upper left,")),
        (RISING, tr("picture D, bright at the lower left,")),
    ],
    given=lambda picture, what: what,
    look=_sign_of_map,
    mistakes=[
        (lambda: torch.ones(3, 3), tr("What must the nine weights add up to?")),
        (
            lambda: torch.tensor([[0, 0, 0], [0, 0, 1], [0, 1, 1]]),
            tr("What must the nine weights add up to?"),
        ),
        (
            lambda: torch.tensor([[-1, -1, -1], [0, 0, 0], [1, 1, 1]]),
            tr(
                "That kernel sees level edges, and so a part of every slanting one. Which weights "
                "lie on a line that runs along the edge of D?"
            ),
        ),
        (
            lambda: torch.tensor([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]),
            tr(
                "That kernel sees upright edges, and so a part of every slanting one. Turn it by "
                "45 degrees."
            ),
        ),
        (
            lambda: torch.tensor([[2, 1, 0], [1, 0, -1], [0, -1, -2]]),
            tr("Which corner of the weights should meet the bright pixels?"),
        ),
        (
            lambda: torch.tensor([[0, -1, -2], [1, 0, -1], [2, 1, 0]]),
            tr("That kernel is for D. Which corner should meet the bright pixels?"),
        ),
        (
            lambda: torch.zeros(3, 3),
            tr("It sees nothing. Which corner should count bright pixels?"),
        ),
    ],
    hint=tr("Add up the weights, all nine and along the lines that are parallel to the edge of D."),
    praise=tr(
        "It sees where it gets brighter towards the lower right, and is blind to the other "
        "diagonal."
    ),
)
def edge_kernel() -> Tensor:
    """Chapter 01: a kernel for slanting edges, brighter towards the lower right."""
    return torch.tensor([[-2.0, -1, 0], [-1, 0, 1], [0, 1, 2]])


def _halved(height: float, width: float, poolings: int, whole: Function = math.floor) -> tuple:
    for _ in range(poolings):
        height, width = whole(height / 2), whole(width / 2)
    return height, width


@exercise(
    cases=[
        ("relu1_1", 100, 60),
        ("conv2_1", 100, 60),
        ("relu3_1", 128, 96),
        ("pool3", 128, 96),
        ("relu4_2", 171, 256),
        ("relu5_1", 75, 130),
        ("pool5", 75, 130),
    ],
    mistakes=[
        (lambda layer, h, w: _halved(w, h, find_layer(layer).poolings), tr("Height comes first.")),
        (
            lambda layer, h, w: _halved(h, w, find_layer(layer).block),
            tr("relu1_1 comes before the first pooling. How many lie before the others?"),
        ),
        (
            lambda layer, h, w: _halved(h, w, find_layer(layer).block - 1),
            tr("How many poolings has a picture passed that comes out of pool3, the third one?"),
        ),
        (
            lambda layer, h, w: _halved(h, w, find_layer(layer).poolings, math.ceil),
            tr("A last odd row or column is dropped each time."),
        ),
        (
            lambda layer, h, w: _halved(h, w, find_layer(layer).poolings, round),
            tr("A last odd row or column is dropped each time."),
        ),
        (
            lambda layer, h, w: _halved(h, w, find_layer(layer).poolings, float),
            tr("A last odd row or column is dropped, so sizes stay whole numbers."),
        ),
        (
            lambda layer, h, w: (h, w),
            tr("The poolings change the size. How many come before a layer?"),
        ),
    ],
    hint=tr("Only the poolings change the size. How many has the picture passed?"),
    praise=tr("So relu5_1 has one position for 16 × 16 pixels."),
)
def map_size(layer: str, height: int, width: int) -> tuple[int, int]:
    """Chapter 01: height and width of a layer's feature maps."""
    return _halved(height, width, find_layer(layer).poolings)
