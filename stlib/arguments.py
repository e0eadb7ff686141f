"""What a function was given: each check raises a ValueError that names it and says what to do."""

import sys

import torch
from torch import Tensor

from stlib.brushes import Brush
from stlib.errors import shown
from stlib.layers import FLOATS

FAINTEST = 1 / 512  # of a mask; less is black in a file of 8 bits


def check_weight(name: str, weight: object) -> None:
    """Raise a ValueError unless `weight` is a finite number, 0 or more."""
    number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
    most = 2**63 if isinstance(weight, int) else sys.float_info.max  # PyTorch has no larger int
    if not number or not 0 <= weight <= most:  # type: ignore[operator]
        raise ValueError(f"{name} is {shown(weight)}: a weight is a finite number, 0 or more.")


def check_whole_number(name: str, number: object, smallest: int) -> None:
    """Raise a ValueError unless `number` is a whole number, `smallest` or more."""
    whole = isinstance(number, int) and not isinstance(number, bool)
    if not whole or not smallest <= number < 2**63:  # type: ignore[operator]
        raise ValueError(f"{name} is {shown(number)}: give a whole number, {smallest} or more.")


def check_choice(name: str, value: object, choices: tuple[str, ...], also: str = "") -> None:
    """Raise a ValueError unless `value` is one of the texts in `choices`.

    also: what else would do, added to the list of choices in the message.
    """
    if not isinstance(value, str) or value not in choices:
        listed = [f'"{choice}"' for choice in choices] + ([also] if also else [])
        raise ValueError(f"{name} is {shown(value)}: use {', '.join(listed[:-1])} or {listed[-1]}.")


def check_picture(name: str, picture: object) -> None:
    """Raise a ValueError unless `picture` is a float tensor [1, 3, H, W] with values near 0…1."""
    _check_tensor(name, picture, f"load it first, {name} = stlib.load_image(…) or stlib.sample(…)")
    assert isinstance(picture, Tensor)
    right_shape = picture.ndim == 4 and picture.shape[:2] == (1, 3) and 0 not in picture.shape
    if not right_shape or picture.dtype not in FLOATS:
        raise ValueError(
            f"{name} has the shape {list(picture.shape)} and type {picture.dtype}: "
            "a picture is a float tensor [1, 3, H, W], as load_image gives."
        )
    if not torch.isfinite(picture).all():
        raise ValueError(f"{name} holds values that are not finite (nan or inf).")
    low, high = picture.min().item(), picture.max().item()
    if low < -0.5 or high > 1.5:  # a result that was not clamped may stray a little from 0…1
        raise ValueError(
            f"{name} has values from {low:.3g} to {high:.3g}: they should lie in 0…1. Divide by "
            "255?"
        )


def check_style(style: object, content: Tensor | None = None) -> None:
    """Raise a ValueError unless `style` is a picture or a list of brushes.

    content: the picture whose size the masks must have; None looks at no mask.
    """
    if isinstance(style, Brush):
        style = [style]
    if not isinstance(style, (list, tuple)):
        check_picture("style", style)
        return
    if not style:
        raise ValueError("style is an empty list: give a picture, or at least one brush.")
    for number, brush in enumerate(style):
        _check_brush(f"style[{number}]", brush, content)


def _check_brush(name: str, brush: object, content: Tensor | None) -> None:
    if not isinstance(brush, Brush):
        raise ValueError(
            f"style is a list that holds a {type(brush).__name__}: make a brush of every picture, "
            "style = [stlib.Brush(picture), …]."
        )
    check_picture(f"{name}.picture", brush.picture)
    check_weight(f"{name}.weight", brush.weight)
    if brush.weight == 0:
        raise ValueError(f"{name}.weight is 0: leave this brush out, or give it a weight above 0.")
    if brush.mask is not None and content is not None:
        _check_mask(f"{name}.mask", brush.mask, content)


def _check_mask(name: str, mask: Tensor, content: Tensor) -> None:
    _check_tensor(name, mask, "give one number in 0…1 for each pixel, or None")
    size = list(content.shape[2:])
    if list(mask.shape) not in (size, [1, 1, *size]) or mask.dtype not in FLOATS:
        raise ValueError(
            f"{name} has the shape {list(mask.shape)} and type {mask.dtype}: a mask is a float "
            f"tensor of the content's height and width, {size}."
        )
    low, high = mask.min().item(), mask.max().item()
    if not (low >= 0 and high <= 1):  # nan is neither
        raise ValueError(
            f"{name} has values from {low:.3g} to {high:.3g}: they should lie in 0…1. Divide by "
            "255?"
        )
    if high < FAINTEST:
        raise ValueError(
            f"{name} is 0 everywhere: this brush paints nowhere. Leave it out, or give it a region."
        )


def _check_tensor(name: str, tensor: object, advice: str) -> None:
    if not isinstance(tensor, Tensor):
        raise ValueError(f"{name} is a {type(tensor).__name__}, not a tensor: {advice}.")
    if tensor.is_nested or tensor.is_meta or tensor.layout != torch.strided:
        raise ValueError(
            f"{name} is a tensor that is sparse, nested or without data, but every number is "
            f"needed: {advice}."
        )
