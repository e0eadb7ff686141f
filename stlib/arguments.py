"""What `style_transfer` accepts: every argument is checked before any work starts, with a sentence that says what to do."""

import sys
from collections.abc import Mapping, Sequence, Set

import torch
from torch import Tensor

from stlib.brushes import Brush, as_brushes

FAINTEST = 1 / 512  # of a mask; less is black in a file of 8 bits
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # PyTorch calculates with no others
BYTES = (bytes, bytearray, memoryview)  # sequences of whole numbers, if one lets them


def layer_weights(style_weights, style_layers: Sequence[str]) -> dict[str, float]:
    """w_l by layer name, whichever way the caller gave them; None is one over the number of layers.

    Raises ValueError when they do not belong to the style layers.
    """
    if style_weights is None:
        return dict.fromkeys(style_layers, 1 / max(len(style_layers), 1))
    if not isinstance(style_weights, (Mapping, Sequence)) or isinstance(style_weights, BYTES):
        raise ValueError(f"style_weights is {_shown(style_weights)}: give a list with one for each style layer, or a dict.")
    if not isinstance(style_weights, Mapping):
        if len(style_weights) != len(style_layers):
            raise ValueError(f"{len(style_weights)} style_weights for {len(style_layers)} style layers: give one for each.")
        style_weights = dict(zip(style_layers, style_weights, strict=True))
    if set(style_weights) != set(style_layers):
        raise ValueError(f"style_weights are for {_shown(list(style_weights))}, the style layers are {list(style_layers)}: "
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
        if (isinstance(layers, (str, *BYTES)) or not isinstance(layers, (Sequence, Set, Mapping))
                or not all(isinstance(layer, str) for layer in layers) or len(set(layers)) < len(layers)):
            raise ValueError(f'{name} is {_shown(layers)}: give a list of layer names, each once, for example ["relu4_2"].')
    w = layer_weights(style_weights, style_layers)
    if (alpha == 0 or not content_layers) and (beta == 0 or not any(w.values())) and tv == 0:
        raise ValueError("alpha, beta and tv leave nothing to optimise: one of the losses needs a weight above 0 and a layer.")
    for name, number, smallest in (("steps", steps, 1), ("keep_every", 1 if keep_every is None else keep_every, 1),
                                   ("seed", seed, 0)):
        if isinstance(number, bool) or not isinstance(number, int) or not smallest <= number < 2**63:
            raise ValueError(f"{name} is {_shown(number)}: give a whole number, {smallest} or more.")
    if callback is not None and not callable(callback):
        raise ValueError(f"callback is {_shown(callback)}: give a function of (evaluation, x, losses).")
    if not isinstance(optimizer, str) or optimizer not in ("lbfgs", "adam"):
        raise ValueError(f'optimizer is {_shown(optimizer)}: use "lbfgs" or "adam".')
    if solver is not None and (not isinstance(solver, str) or solver not in ("fast", "plain")):
        raise ValueError(f'solver is {_shown(solver)}: use "fast" or "plain".')
    if solver == "fast" and optimizer != "lbfgs":
        raise ValueError(f'the fast solver is made for L-BFGS: use solver="plain" with optimizer={optimizer!r}.')
    if isinstance(init, Tensor):
        _check_picture("init", init)
        if init.shape != content.shape:
            raise ValueError(f"init has the shape {list(init.shape)}, the content picture {list(content.shape)}: "
                             "they must agree.")
    elif not isinstance(init, str) or init not in ("content", "noise", "style"):
        raise ValueError(f'init is {_shown(init)}: use "content", "noise", "style" or a picture of the content\'s shape.')


def _check_weight(name: str, weight) -> None:
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight <= sys.float_info.max:
        raise ValueError(f"{name} is {_shown(weight)}: a weight is a finite number, 0 or more.")


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
    _check_tensor(name, mask, "give one number in 0…1 for each pixel, or None")
    size = list(content.shape[2:])
    if list(mask.shape) not in (size, [1, 1, *size]) or mask.dtype not in FLOATS:
        raise ValueError(f"{name} has the shape {list(mask.shape)} and type {mask.dtype}: a mask is a float tensor of the "
                         f"content's height and width, {size}.")
    low, high = mask.min().item(), mask.max().item()
    if not (low >= 0 and high <= 1):  # nan is neither
        raise ValueError(f"{name} has values from {low:.3g} to {high:.3g}: they belong into 0…1. Divide by 255?")
    if high < FAINTEST:
        raise ValueError(f"{name} is 0 everywhere: this brush paints nowhere. Leave it out, or give it a region.")


def _check_picture(name: str, picture) -> None:
    _check_tensor(name, picture, f"load it first, {name} = stlib.load_image(…) or stlib.sample(…)")
    if picture.ndim != 4 or picture.shape[:2] != (1, 3) or 0 in picture.shape or picture.dtype not in FLOATS:
        raise ValueError(f"{name} has the shape {list(picture.shape)} and type {picture.dtype}: "
                         "a picture is a float tensor [1, 3, H, W], as load_image gives.")
    if not torch.isfinite(picture).all():
        raise ValueError(f"{name} holds values that are not finite (nan or inf).")
    low, high = picture.min().item(), picture.max().item()
    if low < -0.5 or high > 1.5:  # a result that was not clamped may stray a little from 0…1
        raise ValueError(f"{name} has values from {low:.3g} to {high:.3g}: they belong into 0…1. Divide by 255?")


def _check_tensor(name: str, tensor, advice: str) -> None:
    if not isinstance(tensor, Tensor):
        raise ValueError(f"{name} is a {type(tensor).__name__}, not a tensor: {advice}.")
    if tensor.is_nested or tensor.is_meta or tensor.layout != torch.strided:
        raise ValueError(f"{name} is a tensor that is sparse, nested or without data, where every number is needed: {advice}.")


def _shown(value) -> str:
    """A value as a message shows it: on one line, and no longer than it takes to recognise it."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # of an object of the caller's; and a whole number of 5000 digits
        return f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= 100 else f"{text[:100]}…"
