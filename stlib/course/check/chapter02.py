"""The exercises of chapter 02: inside VGG."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from stlib.course.check.answer import Function
from stlib.course.check.exercise import exercise
from stlib.layers import conv_shapes, find_layer, layer_table, layers_of
from stlib.weights import OXFORD_INPUT

VGG16 = [3, *(width for _, _, width in conv_shapes(16))]


def _count(
    widths: Sequence[int], places: int = 9, biases: Function = lambda below, above: above
) -> int:
    return sum(places * below * above + biases(below, above) for below, above in pairwise(widths))


@exercise(
    cases=[([3, 64],), ([3, 64, 64],), ([5, 7, 2],), (VGG16,)],
    given=lambda widths: "the widths of VGG-16" if len(widths) > 4 else f"widths = {widths}",
    mistakes=[
        (
            lambda widths: _count(widths, biases=lambda below, above: 0),
            "These are the weights. What else does each filter have?",
        ),
        (
            lambda widths: _count(widths, places=1),
            "How many places does one 3×3 filter have for each channel below?",
        ),
        (
            lambda widths: _count(widths, places=1, biases=lambda below, above: 0),
            "How many places does one 3×3 filter have, and what else does a filter have?",
        ),
        (lambda widths: _count(widths, places=3), "A filter is three wide: and how high?"),
        (
            lambda widths: _count(widths, biases=lambda below, above: below),
            "Does each channel below have a bias, or each filter?",
        ),
        (
            lambda widths: _count(widths, biases=lambda below, above: 1),
            "How many biases does one layer have: one in all, or one for each filter?",
        ),
        (
            lambda widths: _count(widths) + widths[0],
            "The picture itself has no bias. Which channels have one?",
        ),
        (lambda widths: _count(widths) - widths[1], "Does the first convolution have biases, too?"),
        (
            lambda widths: 9 * sum(widths[1:]),
            "How many channels does a filter of each layer look at?",
        ),
    ],
    hint="Do one convolution by hand first: its filters, then its biases.",
    praise=f"The convolutions of VGG-16 have {sum(row.parameters for row in layer_table(16)):,} "
    "parameters.",
)
def count_parameters(widths: Sequence[int]) -> int:
    """Chapter 02: how many parameters a chain of 3×3 convolutions has, from its channels."""
    return _count(widths)


Chain = list[tuple[int, int]]


def _up_to(last: str) -> Chain:
    """(kernel, stride) of VGG-19's convolutions and poolings up to the layer `last`."""
    order = layers_of(19)[: layers_of(19).index(find_layer(last)) + 1]
    return [(3, 1) if layer.kind == "conv" else (2, 2) for layer in order if layer.kind != "relu"]


def _field(
    layers: Chain,
    start: int = 1,
    grow: int = 1,
    own_stride: bool = False,
    step_of: Function = lambda step, stride: step * stride,
) -> int:
    """The receptive field; other settings make the typical mistakes."""
    field, step = start, 1
    for kernel, stride in layers:
        next_step = step_of(step, stride)
        field += (kernel - grow) * (next_step if own_stride else step)
        step = next_step
    return field


CONV5_1 = _up_to("conv5_1")


@exercise(
    cases=[
        ([(3, 1)],),
        ([(3, 1), (3, 1)],),
        ([(2, 2)],),
        ([(3, 1), (3, 1), (2, 2), (3, 1)],),
        ([(2, 2), (2, 2), (2, 2), (3, 1)],),
        ([(5, 3), (3, 2), (3, 1)],),
        (CONV5_1,),
    ],
    given=lambda layers: (
        "the layers of VGG-19 up to conv5_1" if len(layers) > 4 else f"layers = {layers}"
    ),
    mistakes=[
        (
            lambda layers: _field(layers, start=0),
            "How many pixels does a position see before the first layer?",
        ),
        (
            lambda layers: _field(layers, grow=0),
            "A kernel of 1 sees one position. By how much does a kernel of k widen the view?",
        ),
        (
            lambda layers: _field(layers, own_stride=True),
            "Which strides count for a layer: those below it, or its own, too?",
        ),
        (
            lambda layers: _field(layers, step_of=lambda step, stride: 1),
            "One step in a deep layer is many pixels. Which number says how many?",
        ),
        (
            lambda layers: _field(layers, step_of=lambda step, stride: step + stride - 1),
            "Two poolings, each of stride 2: how many pixels apart do two neighbours look then?",
        ),
        (
            lambda layers: _field(layers, step_of=lambda step, stride: stride),
            "The strides of all layers below count together. What has become of the earlier ones?",
        ),
        (
            lambda layers: _field(
                layers, step_of=lambda step, stride: 2 * step if stride == 2 else step
            ),
            "A stride may be any number, 3 for example. How far apart do neighbours look then?",
        ),
        (
            lambda layers: _field(
                layers, step_of=lambda step, stride: 2 * step if stride > 1 else step
            ),
            "A stride may be any number, 3 for example. How far apart do neighbours look then?",
        ),
        (
            lambda layers: int(torch.tensor([stride for _, stride in layers]).prod()),
            "That is the stride of the last layer. How many pixels does one position see?",
        ),
    ],
    hint="Follow the first layers with a pencil: field and stride after each.",
    praise=f"A position of conv5_1 sees {_field(CONV5_1)} × {_field(CONV5_1)} pixels.",
)
def receptive_field(layers: Chain) -> int:
    """Chapter 02: the receptive field after a chain of layers, each given by kernel and stride."""
    return _field(layers)


MEAN_BGR = 255 * torch.tensor(OXFORD_INPUT.mean).view(1, 3, 1, 1)


def _four_pixels() -> Tensor:
    """A picture whose channels, rows and columns are all different."""
    steps = torch.tensor([[0.0, 0.2], [0.5, 0.7], [0.9, 1.0]]).view(1, 3, 1, 2)
    return steps + torch.tensor([0.0, 0.05]).view(2, 1) * (1 - 2 * steps)


def _as_broken(image: Tensor) -> Tensor:
    image -= MEAN_BGR
    image *= 255
    return image.flip(2)


@exercise(
    cases=[(_four_pixels(),)],
    given=lambda image: "a picture of 2 × 2 pixels",
    mistakes=[
        (lambda image: 255 * image - MEAN_BGR, "Are the channels still in the order R, G, B?"),
        *(
            (wrong, "Which colour's mean stands first in MEAN_BGR, and which colour loses it?")
            for wrong in (
                lambda image: (255 * image - MEAN_BGR).flip(1),
                lambda image: 255 * image.flip(1) - MEAN_BGR.flip(1),
            )
        ),
        (
            lambda image: 255 * (image - MEAN_BGR).flip(2),
            "Three things are wrong in the broken function, and all three are still there.",
        ),
        (
            lambda image: 255 * (image.flip(1) - MEAN_BGR),
            "The mean is on the scale 0…255. And the picture, when you subtract it?",
        ),
        (
            lambda image: 255 * image.flip(1),
            "On average over many photos, what value should each channel have?",
        ),
        (
            lambda image: image.flip(1) - MEAN_BGR,
            "On which scale are the pixels of the picture, and on which one is the mean?",
        ),
        (
            lambda image: 255 * image.flip(2) - MEAN_BGR,
            "Which dimension of [1, 3, H, W] holds the colours? This one turns it upside down.",
        ),
        (
            lambda image: 255 * image.flip(3) - MEAN_BGR,
            "Which dimension of [1, 3, H, W] holds the colours? This one makes a mirror image.",
        ),
        (
            lambda image: 255 * image.flip(1) + MEAN_BGR,
            "What do you do with the mean: add or subtract?",
        ),
        (_as_broken, "Do `-=` and `*=` make a new tensor, or write into the caller's?"),
        (lambda image: 255 * image.detach().flip(1) - MEAN_BGR, "Which call detaches it?"),
    ],
    gradient_of="image",
    lost="Which call detaches it?",
    hint="Order of the channels, scale, mean: check them one by one, with one pixel.",
    praise="Blue first, 0 to 255, minus the mean; and the caller's picture is left as it was.",
)
def prepare(image: Tensor) -> Tensor:
    """Chapter 02: the input that the oxford weights expect, from a picture in RGB and 0…1."""
    return 255 * image.flip(1) - MEAN_BGR


def _convolution(below: int, above: int, bias: float) -> nn.Module:
    convolution = nn.Conv2d(below, above, kernel_size=1)
    weight = torch.tensor([1.0, -1.0]).view(above, below, 1, 1)
    convolution.load_state_dict({"weight": weight, "bias": torch.full((above,), bias)})
    return convolution.requires_grad_(False)


def _modules() -> list[nn.Module]:
    relus = [nn.ReLU(inplace=True), nn.ReLU(inplace=True)]
    return [_convolution(1, 2, 0.0), relus[0], _convolution(2, 1, 0.5), relus[1]]


def _outputs(
    modules: Sequence[nn.Module],
    x: Tensor,
    into: Function = torch.clone,
    keep: Function = lambda output: output,
    chained: bool = True,
) -> list[Tensor]:
    """The list of outputs; other settings make the typical mistakes."""
    kept = []
    for module in modules:
        output = module(into(x))
        kept.append(keep(output))
        x = output if chained or output.shape != x.shape else x
    return kept


def _switched_off(modules: Sequence[nn.Module], x: Tensor) -> list[Tensor]:
    for module in modules:
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return _outputs(modules, x, into=lambda x: x)


FOUR_NUMBERS = torch.tensor([-2.0, -1.0, 1.0, 3.0]).view(1, 1, 2, 2)


@exercise(
    cases=[(_modules(), FOUR_NUMBERS), (_modules()[1:2], FOUR_NUMBERS)],
    given=lambda modules, x: "conv, relu, conv, relu" if len(modules) > 1 else "one relu alone",
    mistakes=[
        (
            lambda modules, x: _outputs(modules, x, into=lambda x: x),
            "Who wrote into your tensor, and what could that module get instead?",
        ),
        (
            lambda modules, x: _outputs(modules, x, into=lambda x: x, keep=torch.clone),
            "You copy what comes out of a module. Which module wrote into x before that?",
        ),
        (
            _switched_off,
            "The modules belong to the caller. What else can you do than change their inplace?",
        ),
        (
            lambda modules, x: [x, *_outputs(modules, x)],
            "Does your list begin with x itself? The outputs alone are asked for.",
        ),
        (
            lambda modules, x: _outputs(modules, x, chained=False),
            "Does each module get the output of the one before it?",
        ),
        (lambda modules, x: _outputs(modules, x)[::-1], "The first module's output comes first."),
        (lambda modules, x: _outputs(modules, x, keep=torch.detach), "Copy without detaching."),
    ],
    gradient_of="x",
    lost="Copy without detaching.",
    hint="Does each module get the output of the one before it, as a tensor of its own?",
    praise="Every output is as its module made it.",
)
def keep_all(modules: Sequence[nn.Module], x: Tensor) -> list[Tensor]:
    """Chapter 02: what each module of a chain makes of x, though some overwrite their input."""
    return _outputs(modules, x)
