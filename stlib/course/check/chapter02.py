"""The exercises of chapter 02: inside VGG."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from stlib.course.check.exercise import Wrong, call, checker, number, same_number, same_tensor
from stlib.layers import conv_shapes, layer_table
from stlib.weights import OXFORD_INPUT


@checker
def count_parameters(answer) -> str:
    """Chapter 02: how many parameters a chain of 3×3 convolutions has, from the channels of its layers."""
    vgg = [3, *(width for _, _, width in conv_shapes(16))]
    for widths in ([3, 64], [3, 64, 64], [5, 7, 2], vgg):
        given = list(widths)
        got = number(call(answer, widths), _short(given))
        if widths != given:
            raise Wrong(
                "your function changed the list that it was given. The caller still needs it."
            )
        below, above = sum(given[:-1]), sum(given[1:])
        products = sum(x * y for x, y in pairwise(given))
        known = {
            products + above: "How many places does one 3×3 filter have for each channel below?",
            products: "How many places does one 3×3 filter have for each channel below, and what else does a filter have?",
            3 * products + above: "A filter is three wide: and how high?",
            9 * products + below: "Does each channel below have a bias, or each filter?",
            9 * products
            + below
            + given[-1]: "The picture itself has no bias. Which channels have one?",
            9 * products + above - given[1]: "Does the first convolution have biases, too?",
            9 * above: "How many channels does a filter of each layer look at?",
            9 * products
            + len(given)
            - 1: "How many biases does one layer have: one in all, or one for each filter?",
            9 * products: "These are the weights. What else does each filter have?",
        }
        hint = known.get(got, "Do one convolution by hand first: its filters, then its biases.")
        same_number(got, 9 * products + above, _short(given), hint, tolerance=1e-9)
    total = sum(row.parameters for row in layer_table(16))
    return f"The convolutions of VGG-16 have {total:,} parameters."


def _short(widths: Sequence[int]) -> str:
    return "the widths of VGG-16" if len(widths) > 4 else f"widths {list(widths)}"


@checker
def receptive_field(answer) -> str:
    """Chapter 02: the receptive field after a chain of layers, each given by its kernel and its stride."""
    up_to = _chain_of("conv5_1")
    for layers in (
        [(3, 1)],
        [(3, 1), (3, 1)],
        [(2, 2)],
        [(3, 1), (3, 1), (2, 2), (3, 1)],
        [(2, 2), (2, 2), (2, 2), (3, 1)],
        [(5, 3), (3, 2), (3, 1)],
        up_to,
    ):
        given = list(layers)
        name = "the layers of VGG-19 up to conv5_1" if layers is up_to else f"{given}"
        got = number(call(answer, layers), name)
        if layers != given:
            raise Wrong(
                "your function changed the list that it was given. The caller still needs it."
            )
        expected = _field(given)
        known = {
            expected - 1: "How many pixels does a position see before the first layer?",
            sum(kernel - 1 for kernel, _ in given)
            + 1: "One step in a deep layer is many pixels. Which number says how many?",
            _field(
                given, grow=0
            ): "A kernel of 1 sees one position. By how much, then, does a kernel of k widen the view?",
            _field(
                given, late=False
            ): "Which stride counts for a layer: the one below it, or the one that it makes itself?",
            _field(
                given, add_strides=True
            ): "Two poolings, each of stride 2: how many pixels apart do two neighbours look then?",
            _stride(
                given
            ): "That is the stride of the last layer. What is asked for is how many pixels one position sees.",
        }
        known.pop(expected, None)
        same_number(
            got,
            expected,
            name,
            known.get(got, "Follow the first layers with a pencil: field and stride after each."),
            tolerance=1e-9,
        )
    return f"A position of conv5_1 sees {_field(up_to)} × {_field(up_to)} pixels."


def _chain_of(last: str) -> list[tuple[int, int]]:
    """(kernel, stride) of VGG-19's convolutions and poolings up to `last`."""
    names = [row.name for row in layer_table(19) if not row.name.startswith("relu")]
    return [
        (2, 2) if name.startswith("pool") else (3, 1) for name in names[: names.index(last) + 1]
    ]


def _field(
    layers: Sequence[tuple[int, int]], late: bool = True, add_strides: bool = False, grow: int = 1
) -> int:
    """The receptive field; the other settings make the typical mistakes, so that they can be recognised."""
    field, step = 1, 1
    for kernel, stride in layers:
        wider = step + stride - 1 if add_strides else step * stride
        field += (kernel - grow) * (step if late else wider)
        step = wider
    return field


def _stride(layers: Sequence[tuple[int, int]]) -> int:
    step = 1
    for _, stride in layers:
        step *= stride
    return step


@checker
def prepare(answer) -> str:
    """Chapter 02: the input that the oxford weights expect, from a picture in RGB and 0…1."""
    image = torch.tensor([[0.0, 0.2], [0.5, 0.7], [0.9, 1.0]]).repeat(1, 2).view(1, 3, 2, 2)
    image[..., 1, :] += 0.05 - 0.1 * image[..., 1, :]
    given = "a picture of 2 × 2 pixels"
    got = call(answer, image.clone())
    mean = 255 * torch.tensor(OXFORD_INPUT.mean).view(1, 3, 1, 1)
    if isinstance(got, Tensor) and got.shape == image.shape:
        for wrong, hint in (
            (255 * image - mean, "Are the channels still in the order red, green, blue?"),
            (
                (255 * image - mean).flip(1),
                "Which colour's mean stands first in MEAN_BGR, and which colour loses it?",
            ),
            (
                (image - mean).flip(2) * 255,
                "Three things are wrong in the broken function, and all three are still there.",
            ),
            (
                255 * (image.flip(1) - mean),
                "The mean is on the scale 0…255. And the picture, when you subtract it?",
            ),
            (
                255 * image.flip(1),
                "On average over many photos, what value should each channel have?",
            ),
            (
                image.flip(1) - mean,
                "On which scale are the pixels of the picture, and on which one is the mean?",
            ),
            (
                255 * image.flip(2) - mean,
                "Which dimension of [1, 3, H, W] holds the colours? This one turns it upside down.",
            ),
            (
                255 * image.flip(3) - mean,
                "Which dimension of [1, 3, H, W] holds the colours? This one makes a mirror image.",
            ),
            (255 * image.flip(1) + mean, "What do you do with the mean: add or subtract?"),
        ):
            if torch.allclose(got.detach(), wrong, atol=1e-3):
                _blame(got, OXFORD_INPUT(image), given, hint)
    same_tensor(
        got,
        OXFORD_INPUT(image),
        given,
        "Order of the channels, scale, mean: check them one by one, with one pixel.",
    )
    pixel = image.clone().requires_grad_()
    result = call(answer, pixel)
    if not result.requires_grad:
        raise Wrong(
            "the result is cut off from the picture: no gradient could flow back to the pixels. Which call detaches it?"
        )
    return "Blue first, 0 to 255, minus the mean; and the caller's picture is left as it was."


def _blame(got: Tensor, expected: Tensor, given: str, hint: str) -> None:
    channels = [round(value, 2) for value in got.detach()[0, :, 0, 0].tolist()]
    right = [round(value, 2) for value in expected[0, :, 0, 0].tolist()]
    raise Wrong(f"for {given} the upper left pixel becomes {channels}, expected {right}. {hint}")


@checker
def keep_all(answer) -> str:
    """Chapter 02: what each module of a chain makes of x, though some of them overwrite their input."""
    modules = [nn.Conv2d(1, 2, 1), nn.ReLU(inplace=True), nn.Conv2d(2, 1, 1), nn.ReLU(inplace=True)]
    for number_, convolution in enumerate(modules[::2]):
        convolution.weight.data = torch.tensor([1.0, -1.0]).view(convolution.weight.shape)
        convolution.bias.data.fill_(0.5 * number_)
        convolution.requires_grad_(False)
    x = torch.tensor([-2.0, -1.0, 1.0, 3.0]).view(1, 1, 2, 2)
    for chain, given in ((modules, "conv, relu, conv, relu"), (modules[1:2], "one relu alone")):
        expected, y = [], x
        for module in chain:
            y = module(y.clone())
            expected.append(y)
        got = call(answer, chain, x)
        if any(module.inplace is False for module in modules[1::2]):
            raise Wrong(
                "you changed the modules: their inplace is False now. They belong to the caller; leave them as they are."
            )
        if isinstance(got, Tensor):
            raise Wrong(
                f"for {given} the result is one tensor, expected a list of {len(chain)}: one output of each module."
            )
        got = list(got.values()) if isinstance(got, dict) else list(got)
        if len(got) == len(chain) + 1 and torch.equal(got[0], x):
            raise Wrong(
                "the list begins with x itself; expected are the outputs of the modules only."
            )
        if len(got) != len(chain):
            raise Wrong(
                f"for {given} the list has {len(got)} entries, expected {len(chain)}: one output of each module."
            )
        for place, (found, right) in enumerate(zip(got, expected, strict=True)):
            name = f"{given}, output {place}"
            if (
                isinstance(found, Tensor)
                and found.shape == right.shape
                and not torch.allclose(found, right)
            ):
                hint = "Does each module get the output of the one before it?"
                if torch.allclose(found, right.relu()):
                    hint = "That is what a ReLU makes of it. Who wrote into your tensor, and what could that module get instead?"
                same_tensor(found, right, name, hint)
            same_tensor(found, right, name, "Does each module get the output of the one before it?")
    seed = x.clone().requires_grad_()
    if not list(answer(modules[:3], seed))[-1].requires_grad:
        raise Wrong(
            "the outputs are cut off from x: no gradient could flow back to the picture. Copy without detaching."
        )
    return "Every output is as its module made it."
