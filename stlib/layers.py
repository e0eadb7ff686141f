"""The architecture of VGG-16 and VGG-19: which layers there are, and what each costs and sees.

K. Simonyan & A. Zisserman, "Very deep convolutional networks for large-scale image recognition",
ICLR 2015, table 1, without the fully connected layers.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import Tensor

from stlib._language import tr

BLOCKS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # depth → convolutions in each block
WIDTHS = (64, 128, 256, 512, 512)  # channels of each block
SMALLEST_SIDE = 32  # pixels; pool5 then has one position
PADDINGS = ("zero", "replicate")  # what a convolution sees beyond the edge of its map
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # PyTorch has no other


@dataclass(frozen=True)
class Layer:
    """A layer of VGG-`depth`: what it does, and where it stands.

    kind: "conv", "relu" or "pool". block: 1 to 5. number: its place in the block, from 1; a block
    has one pooling only, whose number is 0.
    """

    depth: int
    kind: str
    block: int
    number: int = 0

    @cached_property
    def name(self) -> str:
        """As in the paper's figures: conv4_2, relu4_2, pool4."""
        return f"{self.kind}{self.block}" + (f"_{self.number}" if self.number else "")

    @cached_property
    def below(self) -> "Layer | None":
        """The layer whose output this one works on; None for the first, which sees the picture."""
        order = layers_of(self.depth)
        place = order.index(self)
        return order[place - 1] if place else None

    @cached_property
    def above(self) -> "Layer | None":
        """The layer that works on the output of this one; None for the last."""
        order = layers_of(self.depth)
        place = order.index(self) + 1
        return order[place] if place < len(order) else None

    @cached_property
    def convolution(self) -> "Layer":
        """The convolution whose output a ReLU or pooling passes on; a convolution is its own."""
        layer = self
        while layer.kind != "conv":
            assert layer.below is not None  # the first layer is a convolution
            layer = layer.below
        return layer

    @cached_property
    def poolings(self) -> int:
        """How often the picture has been halved when it leaves this layer."""
        return self.block - (self.kind != "pool")

    @cached_property
    def smallest_side(self) -> int:
        """What each side of a picture must have, in pixels, to leave a position here."""
        return int(2**self.poolings)


@cache
def layers_of(depth: int = 19) -> tuple[Layer, ...]:
    """All layers of VGG-`depth` in the order in which a picture passes them.

    depth: 16 or 19.
    """
    order = []
    for block, count in enumerate(BLOCKS[depth], 1):
        for number in range(1, count + 1):
            order += [Layer(depth, "conv", block, number), Layer(depth, "relu", block, number)]
        order.append(Layer(depth, "pool", block))
    return tuple(order)


@cache
def layer_names(depth: int = 19) -> tuple[str, ...]:
    """The names of all layers of VGG-`depth`, from the picture upwards: conv1_1, relu1_1, …, pool5.

    depth: 16 or 19.
    """
    return tuple(layer.name for layer in layers_of(depth))


def find_layer(name: str, depth: int = 19) -> Layer:
    """The layer of VGG-`depth` with this name.

    name: for example "relu4_2". depth: 16 or 19.
    Raises ValueError, with what was probably meant, when there is none.
    """
    if name not in layer_names(depth):
        raise ValueError(
            tr("no layer {name!r} in VGG-{depth}; {advice}.").format(
                name=name, depth=depth, advice=_advice(name, depth)
            )
        )
    return layers_of(depth)[layer_names(depth).index(name)]


def conv_shapes(depth: int = 19) -> Iterator[tuple[Layer, int, int]]:
    """Yield (layer, channels in, channels out) of each convolution, from the picture upwards.

    depth: 16 or 19.
    """
    channels = 3
    for layer in layers_of(depth):
        if layer.kind == "conv":
            width = WIDTHS[layer.block - 1]
            yield layer, channels, width
            channels = width


@cache
def route(depth: int, asked: tuple[str, ...], max_pooling: bool) -> tuple[Layer, ...]:
    """The layers in the order in which a network computes them, as far as the deepest asked for.

    depth: 16 or 19. asked: names of layers.
    max_pooling: whether the network pools by the maximum; then a pooling comes before the ReLU
        below it, where nobody asked for either. The ReLU of the largest is the largest ReLU: the
        same numbers, and a quarter of them to remember.
    """
    deepest = max((layer_names(depth).index(name) for name in asked), default=-1)
    order = list(layers_of(depth)[: deepest + 1])
    for place, layer in enumerate(order):
        if max_pooling and layer.kind == "pool":
            relu = order[place - 1]
            if not {layer.name, relu.name, relu.convolution.name} & {*asked}:
                order[place - 1], order[place] = layer, relu
    return tuple(order)


@dataclass(frozen=True)
class LayerCost:
    """One row of the layer table.

    name: of the layer. shape: (N, H, W) of its output. parameters: weights and biases. macs:
    multiplications, each with an addition, for one picture. activation_bytes: of its output as
    float32. receptive_field: the side, in pixels, of the square of the picture that one position
    can see. stride: how many pixels apart two neighbouring positions look.
    """

    name: str
    shape: tuple[int, int, int]
    parameters: int
    macs: int
    activation_bytes: int
    receptive_field: int
    stride: int


def layer_table(depth: int = 19, size: int | tuple[int, int] = 224) -> list[LayerCost]:
    """What each layer of VGG-`depth` costs for a picture, and how much of it one position sees.

    depth: 16 or 19.
    size: the side of a square picture, or (height, width), in pixels; at least 32, so that pool5
        has a position left.
    Returns one row for each of `layer_names(depth)`, in that order.
    Raises ValueError for another depth, and for a picture that is too small.
    """
    if depth not in BLOCKS:
        raise ValueError(tr("depth is {depth!r}: there are VGG-16 and VGG-19.").format(depth=depth))
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(
            tr(
                "a picture of {width} × {height} pixels is too small for pool5: each side needs at "
                "least {smallest}."
            ).format(width=width, height=height, smallest=SMALLEST_SIDE)
        )
    rows = []
    N, field, stride = 3, 1, 1
    for layer in layers_of(depth):
        parameters = macs = 0
        if layer.kind == "conv":
            below, N = N, WIDTHS[layer.block - 1]
            parameters = 9 * below * N + N
            macs = 9 * below * N * height * width
            field += (3 - 1) * stride
        elif layer.kind == "pool":
            height, width = height // 2, width // 2
            field, stride = field + stride, 2 * stride
        activation_bytes = 4 * N * height * width
        rows.append(
            LayerCost(
                layer.name, (N, height, width), parameters, macs, activation_bytes, field, stride
            )
        )
    return rows


def check_layers(image: Tensor, names: Sequence[str], depth: int = 19) -> None:
    """Raise the ValueError that a VGG would raise for a picture and layers; no network is needed.

    image: what should be a picture [B, 3, H, W]. names: of the layers asked for. depth: 16 or 19.
    """
    if not names:
        raise ValueError(tr('no layer asked for: give at least one, for example ["relu4_2"].'))
    asked = [find_layer(name, depth) for name in names]
    is_tensor = isinstance(image, Tensor)
    if not is_tensor or image.ndim != 4 or image.shape[1] != 3 or not image.is_floating_point():
        got = (
            tr("{shape} of {dtype}").format(shape=list(image.shape), dtype=image.dtype)
            if is_tensor
            else type(image).__name__
        )
        raise ValueError(
            tr(
                "a picture is a float tensor [1, 3, H, W] with values in [0, 1], as load_image "
                "gives; got {got}."
            ).format(got=got)
        )
    for layer in asked:
        if min(image.shape[2:]) < layer.smallest_side:
            raise ValueError(
                tr(
                    "a picture of {width} × {height} pixels is too small for {layer}: each side "
                    "needs at least {smallest}."
                ).format(
                    width=image.shape[3],
                    height=image.shape[2],
                    layer=layer.name,
                    smallest=layer.smallest_side,
                )
            )


def _advice(name: object, depth: int) -> str:
    """What somebody who asked for a layer that does not exist probably wants."""
    name = re.sub(r"block(\d)_(conv|pool)", r"\2\1_", str(name).lower())  # Keras: block4_conv2
    counts = BLOCKS[depth]
    found = re.match(r"\s*(conv|relu)[ _]?([1-5])", name)
    if found:
        kind, block = found.groups()
        return tr("block {block} has {kind}{block}_1 … {kind}{block}_{count}").format(
            block=block, kind=kind, count=counts[int(block) - 1]
        )
    if re.match(r"\s*pool", name):
        return tr("there are pool1 … pool5")
    close = difflib.get_close_matches(name, layer_names(depth), n=3, cutoff=0.3)
    if close:
        return tr("the nearest are {names}").format(names=", ".join(close))
    last = f"5_{counts[4]}"
    return tr("there are conv1_1 … conv{last}, relu1_1 … relu{last} and pool1 … pool5").format(
        last=last
    )
