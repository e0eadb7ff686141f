"""The exercises of chapter 01: what a CNN sees."""

import torch
import torch.nn.functional as F
from torch import Tensor

from stlib.course.check.exercise import Wrong, call, checker, same_tensor


@checker
def convolve(answer) -> str:
    """Chapter 01: the convolution of a colour picture with one kernel, without padding."""
    generator = torch.Generator().manual_seed(0)
    for colours, rows, columns, k in ((1, 4, 4, 3), (1, 5, 7, 3), (3, 6, 5, 3), (2, 5, 5, 1)):
        image = torch.randint(0, 5, (colours, rows, columns), generator=generator).float()
        kernel = torch.randint(-2, 3, (colours, k, k), generator=generator).float()
        expected = F.conv2d(image[None], kernel[None])[0, 0]
        got = call(answer, image, kernel)
        same_tensor(
            got,
            expected,
            f"an image of the shape {list(image.shape)} and a kernel of {list(kernel.shape)}",
            _convolution_hint(got, image, kernel, expected),
        )
    return "PyTorch makes the same sums, many at a time."


def _convolution_hint(got, image: Tensor, kernel: Tensor, expected: Tensor) -> str:
    if not isinstance(got, Tensor):
        return ""
    if got.shape == image.shape[1:] and got.shape != expected.shape:
        return "The kernel must lie wholly inside the picture: how many places are there?"
    if got.ndim == 3:
        return "All colours are added up into one map."
    if got.shape != expected.shape:
        return "How many positions has a kernel of k pixels in a row of n?"
    if torch.allclose(got.float(), F.conv2d(image[None], kernel.flip(1, 2)[None])[0, 0]):
        return "The kernel was turned around. Which weight meets the upper left pixel of the patch?"
    if torch.allclose(got.float(), F.conv2d(image[None], kernel.transpose(1, 2)[None])[0, 0]):
        return "Rows and columns of the kernel have changed places."
    if torch.allclose(got.float() * kernel.numel(), expected, atol=1e-3):
        return "A sum is asked for, not a mean."
    return "Multiply each weight with the number below it, over all colours, and add up."


@checker
def edge_kernel(answer) -> str:
    """Chapter 01: a kernel for edges from dark above to bright below."""
    kernel = call(answer)
    if not isinstance(kernel, Tensor):
        raise Wrong(
            f"the kernel is a {type(kernel).__name__}, expected a tensor: torch.tensor([[…], […], […]])."
        )
    if kernel.shape != (3, 3):
        raise Wrong(f"the kernel has the shape {list(kernel.shape)}, expected [3, 3].")
    kernel = kernel.detach().float()
    step = torch.zeros(6, 6)
    step[3:] = 1.0
    cases = (
        ("an even bright area", torch.ones(6, 6), 0, "What must the nine weights add up to?"),
        ("an upright edge", step.T, 0, "What must the weights of each column add up to?"),
        (
            "a lying edge, dark above and bright below",
            step,
            1,
            "Which row of weights should meet the bright pixels?",
        ),
        (
            "a lying edge, bright above and dark below",
            1 - step,
            -1,
            "Turn the picture upside down, and the sign must turn.",
        ),
    )
    for what, picture, sign, hint in cases:
        values = F.conv2d(picture[None, None], kernel[None, None])[0, 0]
        extreme = float(values.flatten()[values.abs().argmax()])
        good = abs(extreme) < 1e-5 if sign == 0 else extreme * sign > 1e-5
        if not good:
            expected = {0: "0 everywhere", 1: "a positive one", -1: "a negative one"}[sign]
            raise Wrong(
                f"for {what} the strongest value of the map is {extreme:.3g}, expected {expected}. {hint}"
            )
    return "It sees where it gets brighter downwards, and nothing else of these four."


@checker
def map_size(answer) -> str:
    """Chapter 01: height and width of a layer's feature maps."""
    for layer, height, width in (
        ("relu1_1", 100, 60),
        ("conv2_1", 100, 60),
        ("relu3_1", 128, 96),
        ("pool3", 128, 96),
        ("relu4_2", 171, 256),
        ("relu5_1", 75, 130),
        ("pool5", 75, 130),
    ):
        block, pool = int(layer[4]), layer.startswith("pool")
        expected = (height // 2 ** (block - 1 + pool), width // 2 ** (block - 1 + pool))
        got = call(answer, layer, height, width)
        try:
            got = tuple(got)
        except TypeError:
            raise Wrong(f"expected a pair (height, width), got {got!r}.") from None
        if got != expected:
            raise Wrong(
                f"for {layer} of a picture {height} high and {width} wide the result is {got}, expected {expected}. "
                f"{_size_hint(got, expected, layer, height, width)}"
            )
    return "So relu5_1 has one position for 16 × 16 pixels."


def _size_hint(got: tuple, expected: tuple, layer: str, height: int, width: int) -> str:
    if got == expected[::-1]:
        return "Height comes first."
    if got == tuple(side // 2 for side in expected) or got == tuple(2 * side for side in expected):
        return "How many poolings lie before the maps of this layer? pool3 itself is the third."
    if any(isinstance(side, float) for side in got):
        return "A last odd row is dropped, so sizes stay whole numbers."
    if len(got) == 2 and all(abs(g - e) == 1 or g == e for g, e in zip(got, expected, strict=True)):
        return "A last odd row or column is dropped each time."
    return "Only the poolings change the size."
