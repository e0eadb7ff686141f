"""VGG-16 and VGG-19 with named layers, frozen, filters normalised as in the paper.

Simonyan & Zisserman 2015 for the network; Gatys, Ecker & Bethge 2016, section 2, for what style transfer does with it:
the fully connected layers are left out, and the filters are scaled so that the mean activation of every channel is 1.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stlib import frozen, heap, winograd
from stlib.images import sample, sample_names
from stlib.weights import BLOCKS, Weights, conv_shapes, load_weights

T = TypeVar("T")
LARGE = 2048  # positions from which it costs under 7 % to transform filters at each use, so that nobody has to keep them
POOLINGS = {"max": frozen.max_pool, "average": lambda x: F.avg_pool2d(x, kernel_size=2)}


@cache
def layer_names(depth: int = 19) -> tuple[str, ...]:
    """All layers of VGG-`depth` in the order in which a picture passes them: conv1_1, relu1_1, …, pool5."""
    names = []
    for block, count in enumerate(BLOCKS[depth], 1):
        for number in range(1, count + 1):
            names += [f"conv{block}_{number}", f"relu{block}_{number}"]
        names.append(f"pool{block}")
    return tuple(names)


@dataclass(frozen=True)
class Layer:
    """One row of the layer table.

    shape: (N, H, W) of its output. parameters: weights and biases. macs: multiplications, each with an addition, for one
    picture. activation_bytes: of its output as float32. receptive_field: the side, in pixels, of the square of the picture
    that one position can see. stride: how many pixels apart two neighbouring positions look.
    """

    name: str
    shape: tuple[int, int, int]
    parameters: int
    macs: int
    activation_bytes: int
    receptive_field: int
    stride: int


def layer_table(depth: int = 19, size: int | tuple[int, int] = 224) -> list[Layer]:
    """What each layer of VGG-`depth` costs for a picture of `size`, and how much of it one position sees.

    size: the side of a square picture, or (height, width), in pixels; at least 32, so that pool5 has a position left.
    Returns one `Layer` for each of `layer_names(depth)`, in that order.
    Raises ValueError for a depth other than 16 and 19 and for a picture that is too small.
    """
    if depth not in BLOCKS:
        raise ValueError(f"depth is {depth!r}: there are VGG-16 and VGG-19.")
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 32:
        raise ValueError(f"a picture of {width} × {height} pixels is too small for pool5: each side needs at least 32.")
    filters = {name: (below, channels) for name, below, channels in conv_shapes(depth)}
    rows, N, field, stride = [], 3, 1, 1
    for name in layer_names(depth):
        parameters = macs = 0
        if name.startswith("conv"):
            below, N = filters[name]
            parameters, macs = 9 * below * N + N, 9 * below * N * height * width
            field += (3 - 1) * stride
        elif name.startswith("pool"):
            height, width = height // 2, width // 2
            field, stride = field + stride, 2 * stride
        rows.append(Layer(name, (N, height, width), parameters, macs, 4 * N * height * width, field, stride))
    return rows


def best_device() -> torch.device:
    """The fastest device that this machine has: cuda, else mps, else cpu."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


class VGG(nn.Module):
    """The convolutional part of a trained VGG, frozen; `features` is what it is for.

    depth: 16 or 19. weights: a name or path for `load_weights`, or a Weights object. pooling: "max" or "average".
    normalized: scale every channel to a mean activation of 1 (the paper's section 2); False leaves the network as trained.
    device: None takes the best of this machine.
    """

    def __init__(self, depth: int = 19, weights="oxford", pooling: str = "max", normalized: bool = True, device=None):
        super().__init__()
        if pooling not in POOLINGS:
            raise ValueError(f'pooling is {pooling!r}: use "max" (as trained) or "average" (as the paper suggests).')
        if not isinstance(weights, Weights):
            weights = load_weights(weights, depth)
        self.depth, self.pooling, self.weights_name = weights.depth, pooling, weights.name
        self.preprocess = weights.preprocess
        self.convolutions = nn.ModuleDict()
        for name, channels, width in conv_shapes(self.depth):
            convolution = nn.Conv2d(channels, width, kernel_size=3, padding=1, device="meta")  # no memory for what is replaced
            convolution.weight, convolution.bias = (nn.Parameter(tensor.clone()) for tensor in weights.convolutions[name])
            self.convolutions[name] = convolution
        # channels last is the layout in which CPU and GPU kernels run a 3×3 convolution fastest
        self.requires_grad_(False).eval().to(device or best_device(), memory_format=torch.channels_last)
        self._transformed: dict[str, Tensor] = {}
        self.normalized = normalized
        if normalized:
            self._normalize(_shipped_means() if (weights.name, pooling) == ("oxford", "max") else channel_means(self))

    @property
    def names(self) -> tuple[str, ...]:
        """The layers that `features` can be asked for, from the picture upwards."""
        return layer_names(self.depth)

    @property
    def device(self) -> torch.device:
        """Where the network computes; pictures are moved there."""
        return self.convolutions["conv1_1"].weight.device

    def features(self, image: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """What the named layers make of a picture, in the order asked.

        image: [B, 3, H, W], RGB in [0, 1]; it may require a gradient. layers: any of `names`, for example ["relu4_2"].
        Returns {layer: [B, N, H', W']}. The network runs no further than the deepest layer asked for.
        Raises ValueError for an unknown layer, for a tensor of another form, and for a picture too small for a layer.
        """
        layers = [layers] if isinstance(layers, str) else list(layers)
        return self.judge(image, layers, lambda layer, features: features)

    forward = features

    def judge(self, image: Tensor, layers: Iterable[str], verdict: Callable[[str, Tensor], T]) -> dict[str, T]:
        """What a function makes of the features of each named layer as soon as they are there: {layer: verdict(layer, features)}.

        Features that only their judge has seen need not be kept until the end, and the gradient of a deep layer's loss is
        used up before that of a shallow one is computed. image, layers and errors: as for `features`.
        """
        layers = list(layers)
        self.check(image, layers)
        x = self.preprocess(image.to(self.convolutions["conv1_1"].weight)).contiguous(memory_format=torch.channels_last)
        deepest = max(self.names.index(layer) for layer in layers)
        found = {}
        for name in self._order(deepest, layers):
            if name.startswith("conv"):
                x = self._convolve(name, x)
            elif name.startswith("relu"):
                # in place it saves a third of the memory, but it would overwrite a convolution's output that was asked for
                x = F.relu(x, inplace=name.replace("relu", "conv") not in layers)
            else:
                x = self._pool(x)
            if name in layers:
                found[name] = verdict(name, x)
        return {layer: found[layer] for layer in layers}

    def _order(self, deepest: int, layers: Sequence[str]) -> list[str]:
        """The layers as far as the deepest, with a max pooling before the ReLU below it where nobody asked for either."""
        names = list(self.names[:deepest + 1])
        for place, (below, above) in enumerate(pairwise(self.names[:deepest + 1])):
            asked = {below, above, below.replace("relu", "conv")} & {*layers}
            if above.startswith("pool") and self.pooling == "max" and not asked:
                # the ReLU of the largest is the largest ReLU: the same numbers, a quarter of them to remember
                names[place:place + 2] = above, below
        return names

    def _convolve(self, name: str, x: Tensor) -> Tensor:
        convolution = self.convolutions[name]
        if convolution.weight.requires_grad or convolution.bias.requires_grad:  # a network that is not frozen
            return convolution(x)
        if not winograd.pays(convolution, x):
            return frozen.convolve(x, convolution.weight, convolution.bias)
        return winograd.convolve(x, partial(self._filters, name, x.shape[2] * x.shape[3]), convolution.bias)

    def _pool(self, x: Tensor) -> Tensor:
        pooled = POOLINGS[self.pooling](x)
        if pooled.requires_grad and x.device.type == "cpu" and x.nbytes >= heap.LARGE:
            # its gradients are large and many: before they come, let go of what those of the deeper layers have left
            pooled.register_hook(lambda gradient: heap.give_back())
        return pooled

    def _filters(self, name: str, M: int) -> Tensor:
        """A layer's filters as Winograd's convolution of M positions wants them, in 4 times their memory."""
        if M >= LARGE:
            self._transformed.pop(name, None)  # what a smaller picture has left
            return winograd.transform_filters(self.convolutions[name].weight)
        if name not in self._transformed:
            self._transformed[name] = winograd.transform_filters(self.convolutions[name].weight)
        return self._transformed[name]

    def _normalize(self, means: dict[str, Tensor]) -> None:
        """W_l ← diag(1/m_l) W_l diag(m_{l-1}) and b_l ← b_l / m_l, with m_l the mean activations of relu_l."""
        below = torch.ones(3)
        for name, convolution in self.convolutions.items():
            m = means[name.replace("conv", "relu")].to(convolution.weight)
            convolution.weight.data *= below.to(m).view(1, -1, 1, 1) / m.view(-1, 1, 1, 1)
            convolution.bias.data /= m
            below = m
        self._transformed.clear()  # made from the filters as they were

    def check(self, image: Tensor, layers: Sequence[str]) -> None:
        """Raise the ValueError that `features` would raise for this picture and these layers, without computing anything."""
        check_layers(image, layers, self.depth)


def check_layers(image: Tensor, layers: Sequence[str], depth: int = 19) -> None:
    """Raise the ValueError that a VGG of this depth would raise for a picture and layers; no network is needed."""
    if not layers:
        raise ValueError('no layer asked for: give at least one, for example ["relu4_2"].')
    for layer in layers:
        if layer not in layer_names(depth):
            raise ValueError(f"no layer {layer!r} in VGG-{depth}; {_nearest(layer, depth)}.")
    if not isinstance(image, Tensor) or image.ndim != 4 or image.shape[1] != 3 or not image.is_floating_point():
        got = f"{list(image.shape)} of {image.dtype}" if isinstance(image, Tensor) else type(image).__name__
        raise ValueError(f"a picture is a float tensor [1, 3, H, W] with values in [0, 1], as load_image gives; got {got}.")
    for layer in layers:
        smallest = 2 ** (_block(layer) - (not layer.startswith("pool")))
        if min(image.shape[2:]) < smallest:
            raise ValueError(f"a picture of {image.shape[3]} × {image.shape[2]} pixels is too small for {layer}: "
                             f"each side needs at least {smallest}.")


def channel_means(net: VGG) -> dict[str, Tensor]:
    """The mean activation of every channel of every ReLU layer, over the sample pictures at 256 pixels and all positions.

    Returns {"relu1_1": [64], …}. A channel that is silent on all of them gets 1, so that nothing is divided by 0.
    """
    layers = [name for name in net.names if name.startswith("relu")]
    sums = dict.fromkeys(layers, 0.0)
    for name in sample_names():
        for layer, activations in net.features(sample(name), layers).items():
            sums[layer] = sums[layer] + activations.mean(dim=(0, 2, 3)).cpu()
    means = {layer: total / len(sample_names()) for layer, total in sums.items()}
    return {layer: torch.where(m > 0, m, torch.ones_like(m)) for layer, m in means.items()}


def _shipped_means() -> dict[str, Tensor]:
    """`channel_means` of VGG(weights="oxford", pooling="max"), measured once by scripts/measure_channel_means.py."""
    with (files("stlib") / "channel_means.npz").open("rb") as file, np.load(file) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def _block(layer: str) -> int:
    return int(layer.removeprefix("pool")) if layer.startswith("pool") else int(layer[4])


def _nearest(layer: str, depth: int) -> str:
    """What a learner who asked for a layer that does not exist probably wants."""
    layer = re.sub(r"block(\d)_(conv|pool)", r"\2\1_", str(layer).lower())  # Keras says block4_conv2
    kind, block = re.match(r"\s*([a-z]*)[ _]?(\d?)", layer).groups()
    if kind in ("conv", "relu") and block and 1 <= int(block) <= 5:
        return f"block {block} has {kind}{block}_1 … {kind}{block}_{BLOCKS[depth][int(block) - 1]}"
    if kind == "pool":
        return "there are pool1 … pool5"
    close = difflib.get_close_matches(layer, layer_names(depth), n=3, cutoff=0.3)
    last = f"5_{BLOCKS[depth][4]}"
    return (f"the nearest are {', '.join(close)}" if close else
            f"there are conv1_1 … conv{last}, relu1_1 … relu{last} and pool1 … pool5")
