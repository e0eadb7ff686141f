"""The exercises of chapter 02: inside VGG."""

from collections.abc import Sequence

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from stlib._language import tr
from stlib.course.check.answer import Function
from stlib.course.check.exercise import exercise
from stlib.layers import find_layer, layers_of
from stlib.weights import OXFORD_INPUT


def _in_a_row(first: Tensor, second: Tensor) -> Tensor:
    """The single kernels of two convolutions in a row, [N2, C, 5, 5]."""
    return _merged(first, second, lambda first, u, v: (u, v))


def _merged(first: Tensor, second: Tensor, place: Function) -> Tensor:
    """Copies of the first kernels, weighed by the second; other settings make typical mistakes."""
    size = first.shape[-1] + second.shape[-1] - 1
    merged = first.new_zeros(len(second), first.shape[1], size, size)
    for u in range(second.shape[2]):
        for v in range(second.shape[3]):
            top, left = place(first, u, v)
            rows, columns = (slice(at, at + first.shape[-1]) for at in (top, left))
            merged[:, :, rows, columns] += torch.einsum("on,ncij->ocij", second[:, :, u, v], first)
    return merged


def _kernels(*shape: int, seed: int) -> Tensor:
    return torch.randint(-2, 3, shape, generator=torch.Generator().manual_seed(seed)).float()


@exercise(
    cases=[
        (_kernels(1, 1, 3, 3, seed=0), _kernels(1, 1, 3, 3, seed=1)),
        (_kernels(2, 2, 3, 3, seed=2), _kernels(2, 2, 3, 3, seed=3)),
        (_kernels(4, 3, 3, 3, seed=4), _kernels(2, 4, 3, 3, seed=5)),
    ],
    given=lambda first, second: tr("kernels {first} and {second}").format(
        first=list(first.shape), second=list(second.shape)
    ),
    mistakes=[
        (
            lambda first, second: _merged(first, second, lambda first, u, v: (2 - u, 2 - v)),
            tr("The weight at place (u, v) of the second kernel: where does its copy begin?"),
        ),
        (
            lambda first, second: _merged(first, second, lambda first, u, v: (v, u)),
            tr("Which of u and v counts rows, and which columns?"),
        ),
        (
            lambda first, second: _in_a_row(first, second) / len(first),
            tr("Does the second convolution average over the channels below, or add them up?"),
        ),
        (
            lambda first, second: nnf.pad(first, (1, 1, 1, 1)),
            tr("This is the first kernel alone. What does the second one do with its maps?"),
        ),
        (
            lambda first, second: _in_a_row(first.relu(), second),
            tr("There is no ReLU in this exercise."),
        ),
    ],
    hint=tr("Try it with one channel, and a second kernel of eight zeros and a single 1."),
    praise=tr(
        "One convolution of 5 × 5 does what two of 3 × 3 do, as long as nothing stands between."
    ),
)
def one_kernel(first: Tensor, second: Tensor) -> Tensor:
    """Chapter 02: the kernels [N2, C, 5, 5] of two convolutions without a ReLU between them."""
    return _in_a_row(first, second)


Chain = list[tuple[int, int, int]]


def _up_to(last: str) -> Chain:
    """(kernel, stride, dilation) of VGG-19's convolutions and poolings up to the layer `last`."""
    order = layers_of(19)[: layers_of(19).index(find_layer(last)) + 1]
    return [
        (3, 1, 1) if layer.kind == "conv" else (2, 2, 1) for layer in order if layer.kind != "relu"
    ]


def _field(
    layers: Chain,
    start: int = 1,
    own_stride: bool = False,
    step_of: Function = lambda step, stride: step * stride,
    wide: Function = lambda kernel, dilation: (kernel - 1) * dilation,
) -> int:
    """The receptive field; other settings make the typical mistakes."""
    field, step = start, 1
    for kernel, stride, dilation in layers:
        next_step = step_of(step, stride)
        field += wide(kernel, dilation) * (next_step if own_stride else step)
        step = next_step
    return field


CONV5_1 = _up_to("conv5_1")


@exercise(
    cases=[
        ([(3, 1, 1)],),
        ([(3, 1, 1), (3, 1, 1)],),
        ([(2, 2, 1)],),
        ([(3, 1, 1), (3, 1, 1), (2, 2, 1), (3, 1, 1)],),
        ([(2, 2, 1), (2, 2, 1), (2, 2, 1), (3, 1, 1)],),
        ([(5, 3, 1), (3, 2, 1), (3, 1, 1)],),
        ([(3, 1, 2)],),
        ([(3, 1, 2), (2, 2, 1), (3, 1, 4), (3, 1, 1)],),
        (CONV5_1,),
    ],
    given=lambda layers: (
        tr("the layers of VGG-19 up to conv5_1") if len(layers) > 4 else f"layers = {layers}"
    ),
    mistakes=[
        (
            lambda layers: _field(layers, start=0),
            tr("How many pixels does a position see before the first layer?"),
        ),
        (
            lambda layers: _field(layers, wide=lambda kernel, dilation: kernel * dilation),
            tr("A kernel of 1 sees one position. By how much does a kernel of k widen the view?"),
        ),
        (
            lambda layers: _field(layers, wide=lambda kernel, dilation: kernel - 1),
            tr(
                "A kernel of 3 with dilation 2 looks at places 0, 2 and 4. How far apart are the "
                "ends?"
            ),
        ),
        (
            lambda layers: _field(layers, wide=lambda kernel, dilation: kernel - 1 + dilation - 1),
            tr("How many gaps are there between 3 places, and how wide is each with dilation 4?"),
        ),
        (
            lambda layers: _field(
                [(kernel, stride * dilation, dilation) for kernel, stride, dilation in layers]
            ),
            tr("Dilation spreads a kernel. Does it also move neighbouring positions apart?"),
        ),
        (
            lambda layers: _field(layers, own_stride=True),
            tr("Which strides count for a layer: those below it, or its own, too?"),
        ),
        (
            lambda layers: _field(layers, step_of=lambda step, stride: 1),
            tr("One step in a deep layer is many pixels. Which number says how many?"),
        ),
        (
            lambda layers: _field(layers, step_of=lambda step, stride: step + stride - 1),
            tr(
                "Two poolings, each of stride 2: how many pixels apart do two neighbours look then?"
            ),
        ),
        (
            lambda layers: _field(layers, step_of=lambda step, stride: stride),
            tr(
                "The strides of all layers below count together. What has become of the earlier "
                "ones?"
            ),
        ),
        (
            lambda layers: _field(
                layers, step_of=lambda step, stride: 2 * step if stride == 2 else step
            ),
            tr("A stride may be any number, 3 for example. How far apart do neighbours look then?"),
        ),
        (
            lambda layers: _field(
                layers, step_of=lambda step, stride: 2 * step if stride > 1 else step
            ),
            tr("A stride may be any number, 3 for example. How far apart do neighbours look then?"),
        ),
        (
            lambda layers: int(torch.tensor([stride for _, stride, _ in layers]).prod()),
            tr("That is the stride of the last layer. How many pixels does one position see?"),
        ),
    ],
    hint=tr("Follow the first layers with a pencil: field and stride after each."),
    praise=tr("A position of conv5_1 sees {side} × {side} pixels.").format(side=_field(CONV5_1)),
)
def receptive_field(layers: Chain) -> int:
    """Chapter 02: the receptive field of a chain of layers: (kernel, stride, dilation) each."""
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
    given=lambda image: tr("a picture of 2 × 2 pixels"),
    mistakes=[
        (lambda image: 255 * image - MEAN_BGR, tr("Are the channels still in the order R, G, B?")),
        *(
            (wrong, tr("Which colour's mean stands first in MEAN_BGR, and which colour loses it?"))
            for wrong in (
                lambda image: (255 * image - MEAN_BGR).flip(1),
                lambda image: 255 * image.flip(1) - MEAN_BGR.flip(1),
            )
        ),
        (
            lambda image: 255 * (image - MEAN_BGR).flip(2),
            tr("Three things are wrong in the broken function, and all three are still there."),
        ),
        (
            lambda image: 255 * (image.flip(1) - MEAN_BGR),
            tr("The mean is on the scale 0…255. And the picture, when you subtract it?"),
        ),
        (
            lambda image: 255 * image.flip(1),
            tr("On average over many photos, what value should each channel have?"),
        ),
        (
            lambda image: image.flip(1) - MEAN_BGR,
            tr("On which scale are the pixels of the picture, and on which one is the mean?"),
        ),
        (
            lambda image: 255 * image.flip(2) - MEAN_BGR,
            tr("Which dimension of [1, 3, H, W] holds the colours? This one turns it upside down."),
        ),
        (
            lambda image: 255 * image.flip(3) - MEAN_BGR,
            tr("Which dimension of [1, 3, H, W] holds the colours? This one makes a mirror image."),
        ),
        (
            lambda image: 255 * image.flip(1) + MEAN_BGR,
            tr("What do you do with the mean: add or subtract?"),
        ),
        (_as_broken, tr("Do `-=` and `*=` make a new tensor, or write into the caller's?")),
        (lambda image: 255 * image.detach().flip(1) - MEAN_BGR, tr("Which call detaches it?")),
    ],
    gradient_of="image",
    lost=tr("Which call detaches it?"),
    hint=tr("Order of the channels, scale, mean: check them one by one, with one pixel."),
    praise=tr("Blue first, 0 to 255, minus the mean; and the caller's picture is left as it was."),
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
    given=lambda modules, x: "conv, relu, conv, relu" if len(modules) > 1 else tr("one relu alone"),
    mistakes=[
        (
            lambda modules, x: _outputs(modules, x, into=lambda x: x),
            tr("Who wrote into your tensor, and what could that module get instead?"),
        ),
        (
            lambda modules, x: _outputs(modules, x, into=lambda x: x, keep=torch.clone),
            tr("You copy what comes out of a module. Which module wrote into x before that?"),
        ),
        (
            _switched_off,
            tr("The modules belong to the caller. What else can you do than change their inplace?"),
        ),
        (
            lambda modules, x: [x, *_outputs(modules, x)],
            tr("Does your list begin with x itself? The outputs alone are asked for."),
        ),
        (
            lambda modules, x: _outputs(modules, x, chained=False),
            tr("Does each module get the output of the one before it?"),
        ),
        (
            lambda modules, x: _outputs(modules, x)[::-1],
            tr("The first module's output comes first."),
        ),
        (lambda modules, x: _outputs(modules, x, keep=torch.detach), tr("Copy without detaching.")),
    ],
    gradient_of="x",
    lost=tr("Copy without detaching."),
    hint=tr("Does each module get the output of the one before it, as a tensor of its own?"),
    praise=tr("Every output is as its module made it."),
)
def keep_all(modules: Sequence[nn.Module], x: Tensor) -> list[Tensor]:
    """Chapter 02: what each module of a chain makes of x, though some overwrite their input."""
    return _outputs(modules, x)
