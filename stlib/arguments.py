"""What `style_transfer` accepts: every argument is checked before any work starts, with a sentence that says what to do."""

import math
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from stlib.brushes import Brush, as_brushes

FAINTEST = 1 / 512  # of a mask; less is black in a file of 8 bits


def layer_weights(style_weights, style_layers: Sequence[str]) -> dict[str, float]:
    """w_l by layer name, whichever way the caller gave them; None is one over the number of layers.

    Raises ValueError when they do not belong to the style layers.
    """
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


def check_arguments(content, style, alpha, beta, tv, content_layers, style_layers, style_weights, init, optimizer, solver,
                    steps, seed, keep_every, callback) -> None:
    """Raise a ValueError that names the first argument of `style_transfer` that makes no sense."""
    _check_picture("content", content)
    _check_style(style, content)
    for name, weight in (("alpha", alpha), ("beta", 0.0 if beta is None else beta), ("tv", tv)):
        _check_weight(name, weight)
    for name, layers in (("content_layers", content_layers), ("style_layers", style_layers)):
        if (isinstance(layers, str) or not isinstance(layers, Collection)
                or not all(isinstance(layer, str) for layer in layers) or len(set(layers)) < len(layers)):
            raise ValueError(f'{name} is {layers!r}: give a list of layer names, each once, for example ["relu4_2"].')
    w = layer_weights(style_weights, style_layers)
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
    if solver not in ("fast", "plain", None):
        raise ValueError(f'solver is {solver!r}: use "fast" or "plain".')
    if solver == "fast" and optimizer != "lbfgs":
        raise ValueError(f'the fast solver is made for L-BFGS: use solver="plain" with optimizer={optimizer!r}.')
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


def _check_style(style, content: Tensor) -> None:
    if not isinstance(style, (Brush, list, tuple)):
        _check_picture("style", style)
    brushes = as_brushes(style)
    if not brushes:
        raise ValueError("style is an empty list: give a picture, or at least one brush.")
    for number, brush in enumerate(brushes):
        name = f"style[{number}]"
        if not isinstance(brush, Brush):
            raise ValueError(f"style is a list that holds a {type(brush).__name__}: make a brush of every picture, "
                             "style = [stlib.Brush(picture), …].")
        _check_picture(f"{name}.picture", brush.picture)
        _check_weight(f"{name}.weight", brush.weight)
        if brush.weight == 0:
            raise ValueError(f"{name}.weight is 0: leave this brush out, or give it a weight above 0.")
        if brush.mask is not None:
            _check_mask(f"{name}.mask", brush.mask, content)


def _check_mask(name: str, mask, content: Tensor) -> None:
    if not isinstance(mask, Tensor):
        raise ValueError(f"{name} is a {type(mask).__name__}, not a tensor: give one number in 0…1 for each pixel, or None.")
    size = list(content.shape[2:])
    if list(mask.shape) not in (size, [1, 1, *size]) or not mask.is_floating_point():
        raise ValueError(f"{name} has the shape {list(mask.shape)} and type {mask.dtype}: a mask is a float tensor of the "
                         f"content's height and width, {size}.")
    if not (mask.min() >= 0 and mask.max() <= 1):  # nan is neither
        raise ValueError(f"{name} has values from {mask.min():.3g} to {mask.max():.3g}: they belong into 0…1. Divide by 255?")
    if mask.max() < FAINTEST:
        raise ValueError(f"{name} is 0 everywhere: this brush paints nowhere. Leave it out, or give it a region.")


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
