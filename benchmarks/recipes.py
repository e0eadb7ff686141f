"""One evaluation of style transfer as this course and others write it, in one form.

The recipes of the PyTorch tutorial, of Gatys' notebook and of the Keras example are written anew
from their formulas (the conversions of chapter 05); pastiche is called as the package that it is.
All get the same pictures and the same trained VGG-19.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from stlib import VGG, load_image, load_weights
from stlib.layers import layer_names, layer_table, layers_of
from stlib.objective import BALANCE, Objective
from stlib.settings import CONTENT_LAYERS, STYLE_LAYERS
from stlib.weights import Weights

SAMPLES = files("stlib") / "samples"
TUTORIAL_CONTENT = "conv2_2"
TUTORIAL_STYLE = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1")
KERAS_CONTENT = "block5_conv2"
KERAS_STYLE = tuple(f"block{block}_conv1" for block in range(1, 6))
KERAS_WEIGHTS = {"style": 1e-6, "content": 2.5e-8, "tv": 1e-6}
KERAS_RATE = 100.0  # of its SGD, for pixels from 0 to 255; × 0.96 every 100 steps


@dataclass(frozen=True)
class Recipe:
    """A picture and its loss, ready to be timed.

    x: the picture, a leaf that asks for a gradient. loss: computes the loss of x as it is now.
    optimizer: its `step(evaluate)` moves x; ours
        moves in `style_transfer`.
    """

    x: Tensor
    loss: Callable[[], Tensor]
    optimizer: Any = None

    def evaluate(self) -> Tensor:
        """The loss of x; its gradient is in x.grad."""
        self.x.grad = None
        loss = self.loss()
        loss.backward()
        return loss


def picture(name: str, size: int) -> Tensor:
    """A sample picture whose longer side is `size`, [1, 3, H, W] in [0, 1], enlarged if need be."""
    return load_image((SAMPLES / f"{name}.jpg").read_bytes(), size, enlarge=True)


def usual_network(weights: Weights, until: str) -> nn.Sequential:
    """VGG-19 as it is usually written: nn.Conv2d, and a new tensor for each ReLU.

    until: the last layer.
    """
    net = nn.Sequential()
    for layer in layers_of()[: layer_names().index(until) + 1]:
        module = nn.ReLU() if layer.kind == "relu" else nn.MaxPool2d(2)
        if layer.kind == "conv":
            filters, biases = weights.convolutions[layer.name]
            module = nn.Conv2d(filters.shape[1], filters.shape[0], kernel_size=3, padding=1)
            module.weight.data.copy_(filters)
            module.bias.data.copy_(biases)
        net.add_module(layer.name, module)
    return net.requires_grad_(False)


def features(net: nn.Sequential, x: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
    """What the named layers of the usual network make of x."""
    found = {}
    for name, module in net.named_children():
        x = module(x)
        if name in layers:
            found[name] = x
    return found


def usual_gram(features: Tensor) -> Tensor:
    """G/(N M). The mean of its squared error is 4 E_l/N²."""
    _, N, height, width = features.shape
    rows = features.view(N, height * width)
    return rows @ rows.T / (N * height * width)


def mean_squares(
    content: str,
    style: str,
    size: int,
    weights: Weights,
    until: str,
    content_weights: Mapping[str, float],
    style_weights: Mapping[str, float],
) -> Recipe:
    """A loss as PyTorch programs write it, with the usual network and PyTorch's L-BFGS.

    until: the last layer of the network. content_weights, style_weights: {layer: weight} of the
        mean squares of F − P and of G/(N M) − A/(N M_a).
    """
    net, preprocess = usual_network(weights, until), weights.preprocess
    p, a = picture(content, size), picture(style, size)
    with torch.no_grad():
        P = features(net, preprocess(p), content_weights)
        of_style = features(net, preprocess(a), style_weights)
        A = {layer: usual_gram(F) for layer, F in of_style.items()}
    x = p.clone().requires_grad_()

    def loss() -> Tensor:
        out = features(net, preprocess(x), {*content_weights, *style_weights})
        total = torch.zeros(())
        for layer, weight in content_weights.items():
            total = total + weight * nnf.mse_loss(out[layer], P[layer])
        for layer, weight in style_weights.items():
            total = total + weight * nnf.mse_loss(usual_gram(out[layer]), A[layer])
        return total

    # without a line search the loss becomes infinite: our weights give larger features than
    # torchvision's, for which the tutorial was written
    return Recipe(x, loss, torch.optim.LBFGS([x], line_search_fn="strong_wolfe"))


def ours(content: str, style: str, size: int) -> Recipe:
    """This course's objective, as `style_transfer` evaluates it."""
    p = picture(content, size)
    objective = Objective(VGG(device="cpu"), p, picture(style, size))
    x = p.clone().requires_grad_()
    return Recipe(x, lambda: objective(x)[0])


def usual(content: str, style: str, size: int) -> Recipe:
    """The loss of `ours`, with filters normalised like ours."""
    net = VGG(device="cpu")
    filters = {name: (layer.weight, layer.bias) for name, layer in net.convolutions.items()}
    weights = replace(load_weights("oxford"), convolutions=filters)
    rows = layer_table(19, tuple(picture(content, size).shape[2:]))
    shapes = {row.name: row.shape for row in rows}
    content_weights = {layer: math.prod(shapes[layer]) / 2 for layer in CONTENT_LAYERS}
    beta = BALANCE * sum(math.prod(shapes[layer]) for layer in CONTENT_LAYERS)
    w = 1 / len(STYLE_LAYERS)
    style_weights = {layer: beta * w * shapes[layer][0] ** 2 / 4 for layer in STYLE_LAYERS}
    return mean_squares(content, style, size, weights, "relu5_1", content_weights, style_weights)


def tutorial(content: str, style: str, size: int) -> Recipe:
    """The PyTorch tutorial: layers before their ReLU; style × 10⁶.

    Its network is frozen, as in the tutorial of today, and stops after the fifth convolution.
    """
    weights, until = load_weights("oxford"), TUTORIAL_STYLE[-1]
    style_weights = dict.fromkeys(TUTORIAL_STYLE, 1e6)
    return mean_squares(content, style, size, weights, until, {TUTORIAL_CONTENT: 1}, style_weights)


def gatys(content: str, style: str, size: int) -> Recipe:
    """Gatys' notebook: mean squares of G/M, weighted by 1000/N²; the network runs to its end."""
    weights, content_weights = load_weights("oxford"), dict.fromkeys(CONTENT_LAYERS, 1)
    style_weights = dict.fromkeys(STYLE_LAYERS, 1e3)  # of G/(N M)
    return mean_squares(content, style, size, weights, "pool5", content_weights, style_weights)


def pastiche(content: str, style: str, size: int) -> Recipe:
    """The package pastiche with its defaults: our layers, the network as trained."""
    from pastiche.pastiche import PasticheArtist

    with as_file(SAMPLES / f"{content}.jpg") as p, as_file(SAMPLES / f"{style}.jpg") as a:
        artist = PasticheArtist(str(p), [str(a)], device="cpu", size=size, style_size=size)
    return Recipe(artist.pastiche, artist._calc_loss, artist.optimizer)


def keras_example(content: str, style: str, size: int) -> Recipe:
    """The Keras example in Keras: content, style and x pass the network as one batch.

    The style picture gets the content's size, as there. The network is frozen: TensorFlow's tape,
    for which the example was written, computes no gradients of the filters either.
    """
    from stlib.course.keras_example import keras, keras_vgg19  # chooses Keras' backend: comes first

    ops = keras.ops
    weights = load_weights("oxford")
    vgg = keras_vgg19(weights)
    extractor = keras.Model(vgg.inputs, {layer.name: layer.output for layer in vgg.layers})
    p = picture(content, size)
    a = nnf.interpolate(picture(style, size), size=p.shape[2:], mode="bilinear", antialias=True)
    p, a = (
        ops.convert_to_tensor(weights.preprocess(image).permute(0, 2, 3, 1).numpy())
        for image in (p, a)
    )
    x = keras.Variable(ops.copy(p))
    pixels = p.shape[1] * p.shape[2]

    def gram(features):
        rows = ops.reshape(ops.transpose(features, (2, 0, 1)), (features.shape[-1], -1))
        return ops.matmul(rows, ops.transpose(rows))

    def loss():
        out = extractor(ops.concatenate([p, a, x], axis=0))
        content = ops.sum(ops.square(out[KERAS_CONTENT][2] - out[KERAS_CONTENT][0]))
        style = 0
        for layer in KERAS_STYLE:
            S = ops.sum(ops.square(gram(out[layer][2]) - gram(out[layer][1])))
            style = style + S / (4 * 3**2 * pixels**2) / len(KERAS_STYLE)
        down, right = x[:, :-1, :-1] - x[:, 1:, :-1], x[:, :-1, :-1] - x[:, :-1, 1:]
        tv = ops.sum(ops.power(ops.square(down) + ops.square(right), 1.25))
        w = KERAS_WEIGHTS
        return w["content"] * content + w["style"] * style + w["tv"] * tv

    schedule = keras.optimizers.schedules.ExponentialDecay(KERAS_RATE, 100, 0.96)
    optimizer = keras.optimizers.SGD(schedule)

    def step(evaluate: Callable[[], Tensor]) -> None:
        evaluate()
        with torch.no_grad():
            optimizer.apply([x.value.grad], [x])

    return Recipe(x.value, loss, SimpleNamespace(step=step, state={}))


RECIPES = {
    "ours": ours,
    "usual": usual,
    "pastiche": pastiche,
    "tutorial": tutorial,
    "gatys": gatys,
    "keras": keras_example,
}
