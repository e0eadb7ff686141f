"""The exercises of chapter 01: what a CNN sees."""

import math

import torch
import torch.nn.functional as nnf
from torch import Tensor

from stlib.course.check.answer import Function, Wrong
from stlib.course.check.compare import Seen, Words, kind
from stlib.course.check.exercise import Rule, exercise
from stlib.layers import find_layer

CONVOLUTIONS = ("conv1d", "conv2d", "conv3d", "conv_transpose2d", "unfold")


def _picture_and_kernel(colours: int, rows: int, columns: int, k: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rows)
    image = torch.randint(0, 5, (colours, rows, columns), generator=generator).float()
    return image, torch.randint(-2, 3, (colours, k, k), generator=generator).float()


def _convolved(image: Tensor, kernel: Tensor, padding: int = 0) -> Tensor:
    return nnf.conv2d(image[None], kernel[None], padding=padding)[0, 0]


@exercise(
    cases=[
        _picture_and_kernel(1, 4, 4, 3),
        _picture_and_kernel(1, 5, 7, 3),
        _picture_and_kernel(2, 5, 5, 1),
        _picture_and_kernel(3, 6, 5, 3),
    ],
    mistakes=[
        (
            lambda image, kernel: _convolved(image, kernel, padding=kernel.shape[1] // 2),
            "The kernel must lie wholly inside the picture: how many places are there?",
        ),
        (
            lambda image, kernel: nnf.conv2d(image[:, None], kernel[:1, None])[:, 0],
            "All colours are added up into one map.",
        ),
        (
            lambda image, kernel: _convolved(image, kernel)[:-1, :-1],
            "How many positions has a kernel of k pixels in a row of n?",
        ),
        (
            lambda image, kernel: _convolved(image, kernel.flip(1, 2)),
            "The kernel was turned around. Which weight meets the upper left pixel of the patch?",
        ),
        (
            lambda image, kernel: _convolved(image, kernel.mT),
            "Rows and columns of the kernel have changed places.",
        ),
        (
            lambda image, kernel: _convolved(image, kernel) / kernel.numel(),
            "A sum is asked for, not a mean.",
        ),
        (
            lambda image, kernel: _convolved(image[:1], kernel[:1]),
            "That is the first colour alone. What do the others add?",
        ),
        (_convolved, "Write the loops once yourself: which two run over the positions?"),
    ],
    rule=Rule("Write the loops once yourself: which two run over the positions?", CONVOLUTIONS),
    hint="Multiply each weight by the number below it, over all colours, and add up.",
    praise="PyTorch makes the same sums, many at a time.",
)
def convolve(image: Tensor, kernel: Tensor) -> Tensor:
    """Chapter 01: the convolution of a colour picture with one kernel, without padding."""
    k = kernel.shape[1]
    result = torch.zeros(image.shape[1] - k + 1, image.shape[2] - k + 1)
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            result[i, j] = (image[:, i : i + k, j : j + k] * kernel).sum()
    return result


def _sign_of_map(answer: Function, picture: Tensor, what: str) -> Seen:
    """What the map of the learner's kernel is where it is strongest."""
    kernel = answer()
    if not isinstance(kernel, Tensor):
        raise Wrong(
            f"the kernel is {kind(kernel)}, expected a tensor: torch.tensor([[…], […], […]])"
        )
    if kernel.shape != (3, 3):
        raise Wrong(f"the kernel has the shape {list(kernel.shape)}, expected [3, 3]")
    if kernel.is_complex() or not kernel.isfinite().all():
        raise Wrong("the kernel holds weights that are no ordinary numbers")
    values = _convolved(picture[None], kernel.detach().float()[None]).flatten()
    strongest = float(values[values.abs().argmax()])
    sign = "positive" if strongest > 0 else "negative"
    return Seen({"the map": Words("0 everywhere" if abs(strongest) < 1e-5 else sign)})


STEP = torch.tensor([0.0, 0, 0, 1, 1, 1]).expand(6, 6)  # dark on the left


@exercise(
    cases=[
        (torch.ones(6, 6), "an even bright area"),
        (STEP, "an upright edge"),
        (STEP.T, "a level edge, dark above and bright below,"),
        (1 - STEP.T, "a level edge, bright above and dark below,"),
    ],
    given=lambda picture, what: what,
    look=_sign_of_map,
    mistakes=[
        (lambda: torch.ones(3, 3), "What must the nine weights add up to?"),
        (
            lambda: torch.tensor([[0, 0, 0], [0, 0, 0], [1, 1, 1]]),
            "What must the nine weights add up to?",
        ),
        (
            lambda: torch.tensor([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]),
            "That kernel sees upright edges. What must the weights of each column add up to?",
        ),
        (
            lambda: torch.tensor([[1, 1, 1], [0, 0, 0], [-1, -1, -1]]),
            "Which row of weights should meet the bright pixels?",
        ),
        (lambda: torch.zeros(3, 3), "It sees nothing. Which row should count the bright pixels?"),
    ],
    hint="What must the nine weights add up to, and what those of each column?",
    praise="It sees where it gets brighter downwards, and neither even areas nor upright edges.",
)
def edge_kernel() -> Tensor:
    """Chapter 01: a kernel for edges from dark above to bright below."""
    return torch.tensor([[-1.0, -1, -1], [0, 0, 0], [1, 1, 1]])


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
        (lambda layer, h, w: _halved(w, h, find_layer(layer).poolings), "Height comes first."),
        (
            lambda layer, h, w: _halved(h, w, find_layer(layer).block),
            "relu1_1 comes before the first pooling. How many lie before the others?",
        ),
        (
            lambda layer, h, w: _halved(h, w, find_layer(layer).block - 1),
            "How many poolings has a picture passed that comes out of pool3, the third one?",
        ),
        (
            lambda layer, h, w: _halved(h, w, find_layer(layer).poolings, math.ceil),
            "A last odd row or column is dropped each time.",
        ),
        (
            lambda layer, h, w: _halved(h, w, find_layer(layer).poolings, round),
            "A last odd row or column is dropped each time.",
        ),
        (
            lambda layer, h, w: _halved(h, w, find_layer(layer).poolings, float),
            "A last odd row or column is dropped, so sizes stay whole numbers.",
        ),
        (lambda layer, h, w: (h, w), "The poolings change the size. How many come before a layer?"),
    ],
    hint="Only the poolings change the size. How many has the picture passed?",
    praise="So relu5_1 has one position for 16 × 16 pixels.",
)
def map_size(layer: str, height: int, width: int) -> tuple[int, int]:
    """Chapter 01: height and width of a layer's feature maps."""
    return _halved(height, width, find_layer(layer).poolings)
