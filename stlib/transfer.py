"""The optimisation of Gatys, Ecker & Bethge (2016): change a picture until its features are right.

`style_transfer` is the whole of it. `Objective` is the loss that it lowers, for those who write a loop of their own.
"""

import math
import os
import time
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from stlib.losses import content_loss, style_layer_loss, style_target, total_variation
from stlib.vgg import VGG

CONTENT_LAYERS = ("relu4_2",)
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
BALANCE = 33.0  # the default beta for each of the N·M numbers of the content features; chosen by eye on eight pairs
ADAM_RATE = 0.05  # of the range of a pixel; the best compromise of 0.01 … 0.1 on three pairs at 144 pixels
HISTORY_SIZE = 10  # pairs of vectors that L-BFGS remembers; 20 and 50 ended within 2 % of the same loss


@dataclass
class Transfer:
    """What `style_transfer` returns.

    image: the best picture found, [1, 3, H, W], RGB, clamped to [0, 1], on the CPU.
    history: a dict for each evaluation: "seconds" since the start, "total", "content" (L_content), "style" (L_style),
        "tv", and E_l under the name of each style layer. Losses are without their weights but for "total".
    frames: the best picture so far, clamped, every `keep_every` evaluations; the start is the first.
    reason: why it ended: "steps", "callback", "interrupted" or "not finite".
    """

    image: Tensor
    history: list[dict[str, float]] = field(default_factory=list)
    frames: list[Tensor] = field(default_factory=list)
    reason: str = "steps"


class Objective:
    """L_total = α L_content + β L_style + tv · TV as a function of the picture (eq. 7); targets are computed once.

    beta None stands for `default_beta` of the content features. Calling it with x, [1, 3, H, W], returns L_total as a
    tensor that knows its gradient, and the losses of which it consists as floats.
    """

    def __init__(self, net: VGG, content: Tensor, style: Tensor, *, alpha: float = 1.0, beta: float | None = None,
                 tv: float = 0.0, content_layers: Sequence[str] = CONTENT_LAYERS,
                 style_layers: Sequence[str] = STYLE_LAYERS, style_weights=None):
        self.net, self.alpha, self.tv = net, alpha, tv
        self.w = _layer_weights(style_weights, style_layers)
        self.layers = list(dict.fromkeys([*content_layers, *style_layers]))
        net.check(content, self.layers)  # now, not after the content has been through the network
        if style_layers:
            net.check(style, style_layers)
        with torch.no_grad():
            self.P = net.features(content, content_layers) if content_layers else {}
            style_features = net.features(style, style_layers) if style_layers else {}
            self.targets = {layer: style_target(f) for layer, f in style_features.items()}
        self.beta = default_beta(self.P) if beta is None else beta

    def __call__(self, x: Tensor) -> tuple[Tensor, dict[str, float]]:
        found = self.net.features(x, self.layers)
        content = sum((content_loss(found[layer], P) for layer, P in self.P.items()), x.new_zeros(()))
        E = {layer: style_layer_loss(found[layer], target) for layer, target in self.targets.items()}
        style = sum((self.w[layer] * E[layer] for layer in E), x.new_zeros(()))
        total = self.alpha * content + self.beta * style
        tv = total_variation(x) if self.tv else x.new_zeros(())
        if self.tv:
            total = total + self.tv * tv
        losses = {"total": total, "content": content, "style": style, "tv": tv, **E}
        return total, {name: float(loss.detach()) for name, loss in losses.items()}


def default_beta(content_features: Mapping[str, Tensor]) -> float:
    """β = 33 · N · M, summed over the content layers, so that α = 1 balances content and style at every size.

    L_content is a sum over N·M numbers and grows with the picture, L_style does not; so β has to grow with N·M.
    """
    return BALANCE * (sum(P.numel() for P in content_features.values()) or 1)


def style_transfer(content: Tensor, style: Tensor, *, net: VGG | None = None, alpha: float = 1.0,
                   beta: float | None = None, tv: float = 0.0, content_layers: Sequence[str] = CONTENT_LAYERS,
                   style_layers: Sequence[str] = STYLE_LAYERS,
                   style_weights: Mapping[str, float] | Sequence[float] | None = None,
                   init: str | Tensor = "content", optimizer: str = "lbfgs", steps: int = 100, seed: int = 0,
                   keep_every: int | None = None,
                   callback: Callable[[int, Tensor, dict[str, float]], bool | None] | None = None,
                   progress: bool = True) -> Transfer:
    """Paint the content picture in the style of another one (Gatys et al. 2016, eq. 7).

    content, style: pictures from `load_image` or `sample`, [1, 3, H, W] in [0, 1]; they may differ in size and shape.
    net: None is VGG(), the paper's network. alpha, beta, style_weights (w_l): the paper's; beta None is `default_beta`,
        style_weights None is one over the number of style layers. tv: weight of the total variation.
    init: where the picture starts: "content", "noise" (uniform, from `seed`), "style" (scaled to the content's size) or
        a tensor of the content's shape. optimizer: "lbfgs" or "adam".
    steps: evaluations of the loss and its gradient, the unit of cost. keep_every: keep a frame every so many of them.
    callback: called as callback(evaluation, x, losses) after each evaluation, counted from 0; a true result ends the run.

    The result is the best picture evaluated, and the only thing that is clamped. Ctrl-C, or the notebook's stop button,
    ends the run with what it has; so does a loss that is no longer finite, with a RuntimeWarning. The same seed, machine
    and number of threads give the same picture, bit for bit.
    Raises ValueError, before any work, for arguments that make no sense.
    """
    _check_arguments(content, style, alpha, beta, tv, content_layers, style_layers, style_weights, init, optimizer, steps,
                     seed, keep_every, callback)
    net = VGG() if net is None else net
    objective = Objective(net, content, style, alpha=alpha, beta=beta, tv=tv, content_layers=content_layers,
                          style_layers=style_layers, style_weights=style_weights)
    # L-BFGS flattens x as it lies in memory, and half precision would overflow
    x = _start(init, content, style, seed).to(objective.net.device, torch.float32, memory_format=torch.contiguous_format)
    x.requires_grad_()
    result, best = Transfer(image=content), _Best()

    silent = not progress or bool(os.environ.get("TQDM_DISABLE"))  # tqdm's own switch, which its notebook bar overlooks
    with tqdm(total=steps, disable=silent, leave=False, unit="eval") as bar:
        started = time.perf_counter()

        def evaluate() -> Tensor:
            """One evaluation of L_total and its gradient, and all that is noted about it."""
            evaluation = len(result.history)
            if evaluation == steps:
                raise _Stop("steps")
            x.grad = None
            total, losses = objective(x)
            if not math.isfinite(losses["total"]):
                raise _Stop("not finite")
            total.backward()
            result.history.append({"seconds": time.perf_counter() - started, **losses})
            best.update(x, losses["total"])
            if keep_every and evaluation % keep_every == 0:
                result.frames.append(_picture(best.x))
            bar.set_postfix_str(f"loss {losses['total']:.3g}", refresh=False)
            bar.update()
            if callback is not None and callback(evaluation, x.detach().clone(), dict(losses)):
                raise _Stop("callback")
            return total

        optimise = _optimizer(optimizer, x, steps)
        try:
            while True:
                optimise.step(evaluate)
        except _Stop as stop:
            result.reason = str(stop)
        except KeyboardInterrupt:
            if best.x is None:
                raise
            result.reason = "interrupted"
    if best.x is None:
        raise ValueError("the loss of the starting picture is not finite: alpha, beta or tv are too large, or the network "
                         "holds weights that are not finite.")
    if result.reason == "not finite":
        warnings.warn(f"the loss was no longer finite at evaluation {len(result.history)} of {steps}; this is the best "
                      "picture until then. Try a smaller beta.", RuntimeWarning, stacklevel=2)
    result.image = _picture(best.x)
    return result


class _Stop(Exception):
    """Ends an optimiser in the middle of its step, which may hold many evaluations."""


class _Best:
    """The picture with the lowest loss so far."""

    x: Tensor | None = None
    total = math.inf

    def update(self, x: Tensor, total: float) -> None:
        if total < self.total:
            self.x, self.total = x.detach().clone(), total


def _optimizer(name: str, x: Tensor, steps: int) -> torch.optim.Optimizer:
    if name == "adam":
        return torch.optim.Adam([x], lr=ADAM_RATE)
    # Gatys' L-BFGS takes every step at its full length. From some pictures that diverges within a few evaluations (the
    # loss grew by a factor of 1e191 from the castle at 224 pixels); a line search costs few evaluations and cannot.
    return torch.optim.LBFGS([x], max_iter=steps, max_eval=steps, history_size=HISTORY_SIZE, line_search_fn="strong_wolfe",
                             tolerance_grad=0, tolerance_change=0)


def _picture(x: Tensor) -> Tensor:
    return x.detach().clamp(0, 1).float().cpu()


def _start(init: str | Tensor, content: Tensor, style: Tensor, seed: int) -> Tensor:
    if isinstance(init, Tensor):
        return init.detach().clone()
    if init == "noise":
        return torch.rand(content.shape, generator=torch.Generator().manual_seed(seed))
    if init == "style":
        return F.interpolate(style.detach().float(), size=content.shape[2:], mode="bilinear", antialias=True)
    return content.detach().clone()


def _layer_weights(style_weights, style_layers: Sequence[str]) -> dict[str, float]:
    """w_l by layer name, whichever way the caller gave them."""
    if style_weights is None:
        return dict.fromkeys(style_layers, 1 / max(len(style_layers), 1))
    if not isinstance(style_weights, (Mapping, Sequence)):
        raise ValueError(f"style_weights is {style_weights!r}: give a list with one for each style layer, or a dict.")
    if not isinstance(style_weights, Mapping):
        if len(style_weights) != len(style_layers):
            raise ValueError(f"{len(style_weights)} style_weights for {len(style_layers)} style layers: give one for each.")
        style_weights = dict(zip(style_layers, style_weights, strict=True))
    if set(style_weights) != set(style_layers):
        raise ValueError(f"style_weights are for {list(style_weights)}, the style layers are {list(style_layers)}: "
                         "name the same ones.")
    for layer, weight in style_weights.items():
        _check_weight(f"the style weight of {layer}", weight)
    return dict(style_weights)


def _check_arguments(content, style, alpha, beta, tv, content_layers, style_layers, style_weights, init, optimizer, steps,
                     seed, keep_every, callback) -> None:
    _check_picture("content", content)
    _check_picture("style", style)
    for name, weight in (("alpha", alpha), ("beta", 0.0 if beta is None else beta), ("tv", tv)):
        _check_weight(name, weight)
    for name, layers in (("content_layers", content_layers), ("style_layers", style_layers)):
        if (isinstance(layers, str) or not isinstance(layers, Collection)
                or not all(isinstance(layer, str) for layer in layers) or len(set(layers)) < len(layers)):
            raise ValueError(f'{name} is {layers!r}: give a list of layer names, each once, for example ["relu4_2"].')
    w = _layer_weights(style_weights, style_layers)
    if (alpha == 0 or not content_layers) and (beta == 0 or not any(w.values())) and tv == 0:
        raise ValueError("alpha, beta and tv leave nothing to optimise: one of the losses needs a weight above 0 and a layer.")
    for name, number, smallest in (("steps", steps, 1), ("keep_every", 1 if keep_every is None else keep_every, 1),
                                   ("seed", seed, 0)):
        if isinstance(number, bool) or not isinstance(number, int) or not smallest <= number < 2**63:
            raise ValueError(f"{name} is {number!r}: give a whole number, {smallest} or more.")
    if callback is not None and not callable(callback):
        raise ValueError(f"callback is {callback!r}: give a function of (evaluation, x, losses).")
    if optimizer not in ("lbfgs", "adam"):
        raise ValueError(f'optimizer is {optimizer!r}: use "lbfgs" or "adam".')
    if isinstance(init, Tensor):
        _check_picture("init", init)
        if init.shape != content.shape:
            raise ValueError(f"init has the shape {list(init.shape)}, the content picture {list(content.shape)}: "
                             "they must agree.")
    elif not isinstance(init, str) or init not in ("content", "noise", "style"):
        raise ValueError(f'init is {init!r}: use "content", "noise", "style" or a picture of the content\'s shape.')


def _check_weight(name: str, weight) -> None:
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight < math.inf:
        raise ValueError(f"{name} is {weight!r}: a weight is a finite number, 0 or more.")


def _check_picture(name: str, picture) -> None:
    if not isinstance(picture, Tensor):
        raise ValueError(f"{name} is a {type(picture).__name__}, not a tensor: load it first, "
                         f"{name} = stlib.load_image(…) or stlib.sample(…).")
    if picture.ndim != 4 or picture.shape[:2] != (1, 3) or 0 in picture.shape or not picture.is_floating_point():
        raise ValueError(f"{name} has the shape {list(picture.shape)} and type {picture.dtype}: "
                         "a picture is a float tensor [1, 3, H, W], as load_image gives.")
    if not torch.isfinite(picture).all():
        raise ValueError(f"{name} holds values that are not finite (nan or inf).")
    if picture.min() < -0.5 or picture.max() > 1.5:  # a result that was not clamped may stray a little from 0…1
        raise ValueError(f"{name} has values from {picture.min():.3g} to {picture.max():.3g}: they belong into 0…1. "
                         "Divide by 255?")
