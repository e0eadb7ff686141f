"""VGG-16 and VGG-19 with named layers, frozen, filters normalised as in the paper.

Simonyan & Zisserman 2015 for the network; Gatys, Ecker & Bethge 2016, section 2, for what style
transfer does with it: the fully connected layers are left out, and the filters are scaled so that
the mean activation of every channel is 1.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from stlib._kernels import frozen, winograd
from stlib._language import tr
from stlib.arguments import check_choice, check_flag
from stlib.devices import find_device
from stlib.errors import shown
from stlib.images import sample, sample_names
from stlib.layers import (
    PADDINGS,
    check_layers,
    conv_shapes,
    layer_names,
    layers_of,
    route,
)
from stlib.weights import Weights, load_weights

POOLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "max": frozen.max_pool,
    "average": frozen.average_pool,
}


def best_device() -> torch.device:
    """The fastest device that this machine has: cuda, else mps, else cpu."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


class VGG(nn.Module):
    """The convolutional part of a trained VGG, frozen; `features` is what it is for.

    depth: 16 or 19. weights: a name or path for `load_weights`, or a Weights object.
    pooling: "max" (as trained) or "average" (as the paper suggests).
    normalized: scale every channel to a mean activation of 1 (the paper's section 2); False leaves
        the network as trained.
    device: None takes the best of this machine.

    Raises ValueError for another depth, pooling or name of a device, DeviceError for a device that
    this machine does not have, WeightsError for weights that cannot be used.
    """

    def __init__(
        self,
        depth: int = 19,
        weights: str | Path | Weights = "oxford",
        pooling: str = "max",
        normalized: bool = True,
        device: str | torch.device | None = None,
    ):
        super().__init__()
        if not isinstance(pooling, str) or pooling not in POOLINGS:
            raise ValueError(
                tr(
                    'pooling is {pooling}: use "max" (as trained) or "average" (as in the paper).'
                ).format(pooling=shown(pooling))
            )
        check_flag("normalized", normalized)
        place = best_device() if device is None else _found(device)
        if not isinstance(weights, Weights):
            weights = load_weights(weights, depth)
        self.depth, self.pooling, self.weights_name = weights.depth, pooling, weights.name
        self.preprocess = weights.preprocess
        self.convolutions = nn.ModuleDict()
        for layer, _, _ in conv_shapes(self.depth):
            filters, biases = weights.convolutions[layer.name]
            self.convolutions[layer.name] = winograd.Convolution(filters, biases)
        self.requires_grad_(False).eval()
        # channels last is the layout in which CPUs and GPUs run a 3×3 convolution fastest
        self.to(memory_format=torch.channels_last).to(place)
        self.normalized = normalized
        if normalized:
            shipped = (weights.name, pooling) == ("oxford", "max")
            self._normalize(_shipped_means() if shipped else channel_means(self))

    @property
    def names(self) -> tuple[str, ...]:
        """The layers that `features` can be asked for, from the picture upwards."""
        return layer_names(self.depth)

    @property
    def device(self) -> torch.device:
        """Where the network computes; pictures are moved there."""
        return self._convolution("conv1_1").weight.device

    def features(
        self, image: Tensor, layers: str | Iterable[str], padding: str = "zero"
    ) -> dict[str, Tensor]:
        """What the named layers make of a picture, in the order asked.

        image: [B, 3, H, W], RGB in [0, 1]; it may require a gradient.
        layers: any of `names`, for example ["relu4_2"].
        padding: what each convolution sees beyond the edge: "zero", as the network was trained, or
            "replicate", the edge itself, which tells deep layers less of where the border is.
        Returns {layer: [B, N, H', W']}. The network runs no further than the deepest layer asked
        for.
        Raises ValueError for an unknown layer, for a tensor of another form, and for a picture too
        small for a layer.
        """
        if isinstance(layers, Tensor):
            raise ValueError(
                tr('layers is a tensor: give the picture first, features(image, ["relu4_2"]).')
            )
        layers = [layers] if isinstance(layers, str) else list(layers)
        found = dict(self.walk(image, layers, padding))
        return {layer: found[layer] for layer in layers}

    def walk(
        self, image: Tensor, layers: Iterable[str], padding: str = "zero"
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield (layer, its features) for each named layer, from the picture upwards.

        What the caller does not keep is free again before the next layer comes, and the gradient of
        a deep layer's loss is used up before that of a shallow one is computed.
        image, layers, padding and errors: as for `features`.
        """
        asked = tuple(layers)
        check_choice("padding", padding, PADDINGS)
        check_layers(image, asked, self.depth)
        x = self.preprocess(image.to(self._convolution("conv1_1").weight))
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in route(self.depth, asked, self.pooling == "max"):
            if layer.kind == "conv":
                x = self.convolutions[layer.name](x, padding)
            elif layer.kind == "relu":
                # in place it saves a third of the memory, but it would overwrite a convolution's
                # output that was asked for
                x = nnf.relu(x, inplace=layer.convolution.name not in asked)
            else:
                x = POOLINGS[self.pooling](x)
            if layer.name in asked:
                yield layer.name, x

    def check(self, image: Tensor, layers: Sequence[str]) -> None:
        """Raise the ValueError that `features` would raise, without computing anything."""
        check_layers(image, layers, self.depth)

    def _convolution(self, name: str) -> winograd.Convolution:
        convolution = self.convolutions[name]
        assert isinstance(convolution, winograd.Convolution)  # we have put it there
        return convolution

    def _normalize(self, means: dict[str, Tensor]) -> None:
        """W_l ← diag(1/m_l) W_l diag(m_{l-1}) and b_l ← b_l / m_l.

        means: m_l, the mean activations of each ReLU, {"relu1_1": [64], …}.
        """
        below = torch.ones(3)
        for layer, _, _ in conv_shapes(self.depth):
            convolution, relu = self._convolution(layer.name), layer.above
            assert convolution.bias is not None and relu is not None
            m = means[relu.name].to(convolution.weight)
            with torch.no_grad():
                convolution.weight *= below.to(m).view(1, -1, 1, 1) / m.view(-1, 1, 1, 1)
                convolution.bias /= m
            below = m


def _found(device: str | torch.device) -> torch.device:
    """The device that is meant, where this machine has it; other kinds are PyTorch's to find."""
    if not isinstance(device, torch.device):
        return find_device(device)
    return find_device(str(device)) if device.type == "cuda" else device


def channel_means(net: VGG) -> dict[str, Tensor]:
    """The mean activation of every channel of every ReLU, over the sample pictures at 256 pixels.

    net: the network. Returns {"relu1_1": [64], …}. A channel that is silent on all pictures gets 1,
    so that nothing is divided by 0.
    """
    relus = [layer.name for layer in layers_of(net.depth) if layer.kind == "relu"]
    sums: dict[str, Tensor] = {}
    for name in sample_names():
        for relu, activations in net.features(sample(name), relus).items():
            mean = activations.mean(dim=(0, 2, 3)).cpu()
            sums[relu] = sums[relu] + mean if relu in sums else mean
    means = {relu: total / len(sample_names()) for relu, total in sums.items()}
    return {relu: torch.where(m > 0, m, torch.ones_like(m)) for relu, m in means.items()}


def _shipped_means() -> dict[str, Tensor]:
    """`channel_means` of VGG(); scripts/measure_channel_means.py has measured them."""
    with (files("stlib") / "channel_means.npz").open("rb") as file, np.load(file) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
