"""What a function was given: each check raises a ValueError that names it and says what to do."""

import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sized
from functools import cache, wraps
from types import NoneType, UnionType
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import torch
from torch import Tensor

from stlib._language import tr
from stlib.errors import nearest, shown
from stlib.layers import FLOATS

STRAYS = 0.5  # how far values may lie outside 0…1
Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


def is_whole(value: object) -> bool:
    """Whether it is a whole number, Python's or NumPy's; True is none."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether it is a number, Python's or NumPy's; True is none."""
    return is_whole(value) or isinstance(value, (float, np.floating))


def plain(value: Any) -> Any:
    """A number of NumPy as Python's own; all else as it is."""
    if isinstance(value, np.integer):
        return int(value)
    return float(value) if isinstance(value, np.floating) else value


def check_weight(name: str, weight: object) -> None:
    """Raise a ValueError unless `weight` is a finite number, 0 or more."""
    weight = plain(weight)  # a bound may be too large for a small type of NumPy's
    most = 2**63 if is_whole(weight) else sys.float_info.max  # PyTorch has no larger int
    if not is_number(weight) or not 0 <= weight <= most:  # type: ignore[operator]
        raise ValueError(
            tr("{name} is {value}: a weight is a finite number, 0 or more.").format(
                name=name, value=shown(weight)
            )
        )


def check_whole_number(name: str, number: object, smallest: int) -> None:
    """Raise a ValueError unless `number` is a whole number, `smallest` or more."""
    if not is_whole(number) or not smallest <= number < 2**63:  # type: ignore[operator]
        raise ValueError(
            tr("{name} is {value}: give a whole number, {smallest} or more.").format(
                name=name, value=shown(number), smallest=smallest
            )
        )


def check_choice(name: str, value: object, choices: tuple[str, ...], also: str = "") -> None:
    """Raise a ValueError unless `value` is one of the texts in `choices`.

    also: what else would do, added to the list of choices in the message.
    """
    if not isinstance(value, str) or value not in choices:
        listed = [f'"{choice}"' for choice in choices] + ([also] if also else [])
        raise ValueError(
            tr("{name} is {value}: use {choices} or {last}.").format(
                name=name, value=shown(value), choices=", ".join(listed[:-1]), last=listed[-1]
            )
        )


def check_picture(name: str, picture: object) -> None:
    """Raise a ValueError unless `picture` is a float tensor [1, 3, H, W] with values near 0…1."""
    check_tensor(
        name,
        picture,
        lambda: tr("load it first, {name} = stlib.load_image(…) or stlib.sample(…)").format(
            name=name
        ),
    )
    assert isinstance(picture, Tensor)
    right_shape = picture.ndim == 4 and picture.shape[:2] == (1, 3) and 0 not in picture.shape
    if not right_shape or picture.dtype not in FLOATS:
        raise ValueError(
            tr(
                "{name} has the shape {shape} and type {dtype}: a picture is a float tensor [1, 3, "
                "H, W], as load_image gives."
            ).format(name=name, shape=list(picture.shape), dtype=picture.dtype)
        )
    if not torch.isfinite(picture).all():
        raise ValueError(
            tr("{name} holds values that are not finite (nan or inf).").format(name=name)
        )
    low, high = picture.min().item(), picture.max().item()
    if (
        low < -STRAYS or high > 1 + STRAYS
    ):  # a result that was not clamped may stray a little from 0…1
        raise ValueError(
            tr(
                "{name} has values from {low:.3g} to {high:.3g}: they should lie in 0…1. Divide by "
                "255?"
            ).format(name=name, low=low, high=high)
        )


def check_tensor(name: str, tensor: object, advise: Callable[[], str]) -> None:
    """Raise a ValueError unless it is a tensor whose numbers are all in memory.

    advise: called for what to do, where it is none.
    """
    if isinstance(tensor, Tensor) and _is_in_memory(tensor):
        return
    has_picture = isinstance(getattr(tensor, "image", None), Tensor)
    advice = tr("give the picture in it, .image") if has_picture else advise()
    if not isinstance(tensor, Tensor):
        raise ValueError(
            tr("{name} is a {type}, not a tensor: {advice}.").format(
                name=name, type=type(tensor).__name__, advice=advice
            )
        )
    raise ValueError(
        tr(
            "{name} is a tensor that is sparse, nested or without data, but every number is "
            "needed: {advice}."
        ).format(name=name, advice=advice)
    )


def _is_in_memory(tensor: Tensor) -> bool:
    return not (tensor.is_nested or tensor.is_meta or tensor.layout != torch.strided)


def check_floats(name: str, tensor: object) -> None:
    """Raise a ValueError unless it is a tensor of floats that are all in memory."""
    check_tensor(name, tensor, lambda: tr("give a tensor of floats"))
    assert isinstance(tensor, Tensor)
    if tensor.dtype not in FLOATS:
        raise ValueError(
            tr("{name} holds {dtype}: give a tensor of floats.").format(
                name=name, dtype=tensor.dtype
            )
        )


def check_axes(name: str, tensor: object, axes: str) -> None:
    """Raise a ValueError unless it is a tensor of floats with these axes, for example "[H, W]"."""
    check_floats(name, tensor)
    assert isinstance(tensor, Tensor)
    if tensor.ndim != axes.count(",") + 1 or 0 in tensor.shape:
        raise ValueError(
            tr("{name} has the shape {shape}: give {axes}.").format(
                name=name, shape=list(tensor.shape), axes=axes
            )
        )


def check_same_shape(name: str, tensor: Tensor, other_name: str, other: Tensor) -> None:
    """Raise a ValueError unless two tensors have one shape; broadcasting would hide it."""
    if tensor.shape != other.shape:
        raise ValueError(
            tr("{name} has the shape {shape}, {other_name} {other_shape}: they must agree.").format(
                name=name,
                shape=list(tensor.shape),
                other_name=other_name,
                other_shape=list(other.shape),
            )
        )


def check_colours(name: str, picture: Tensor) -> None:
    """Raise a ValueError unless it is [1, 3, H, W] of finite floats, whatever their range."""
    check_floats(name, picture)
    if picture.ndim != 4 or picture.shape[:2] != (1, 3) or 0 in picture.shape:
        raise ValueError(
            tr("{name} has the shape {shape}: give [1, 3, H, W].").format(
                name=name, shape=list(picture.shape)
            )
        )
    if not torch.isfinite(picture).all():
        raise ValueError(
            tr("{name} holds values that are not finite (nan or inf).").format(name=name)
        )


def check_flag(name: str, value: object) -> None:
    """Raise a ValueError unless it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(
            tr("{name} is {value}: use True or False.").format(name=name, value=_told(value))
        )


def check_some(name: str, values: Sized) -> None:
    """Raise a ValueError when there is nothing in `values`."""
    if not len(values):
        raise ValueError(tr("{name} is empty: give at least one.").format(name=name))


def suggesting(function: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """The function, with a TypeError for an unknown keyword that says what was probably meant."""
    known = [*inspect.signature(function).parameters]
    called_name = function.__qualname__.removesuffix(".__init__")  # a class by its own

    @wraps(function)
    def called(*given: Parameters.args, **named: Parameters.kwargs) -> Returned:
        for name in named:
            if name not in known:
                raise unknown_keyword(called_name, name, known)
        return function(*given, **named)

    return called


def unknown_keyword(function: str, name: str, known: Collection[str]) -> TypeError:
    """The error for a keyword that a function does not know."""
    near = nearest(name, known)
    if near:
        told = tr("{function} has no argument {name!r}; did you mean {near!r}?")
    else:
        told = tr("{function} has no argument {name!r}; there are {known}.")
    return TypeError(told.format(function=function, name=name, near=near, known=", ".join(known)))


def checked(function: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """The function, with a ValueError for an argument that its annotation does not allow.

    So what a function says that it takes is said once; ranges and shapes are its own to check.
    """
    signature = inspect.signature(function)
    several = [p.name for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD]

    @cache
    def hints() -> dict[str, Any]:
        return get_type_hints(function)

    @wraps(function)
    def called(*given: Parameters.args, **named: Parameters.kwargs) -> Returned:
        for name, value in signature.bind(*given, **named).arguments.items():
            hint = hints().get(name, Any)
            if name not in several and not _allows(hint, value):
                raise ValueError(
                    tr("{name} is {value}: give {words}.").format(
                        name=name, value=_told(value), words=_words(hint)
                    )
                )
        return function(*given, **named)

    return called


def _allows(hint: Any, value: object) -> bool:
    """Whether an annotation allows a value; what an annotation cannot tell is allowed."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint is Any or hint is inspect.Parameter.empty:
        return True
    if origin in (Union, UnionType):
        return any(_allows(part, value) for part in parts)
    if hint is int:
        return is_whole(value)
    if hint is float:
        return is_number(value) or (isinstance(value, Tensor) and value.numel() == 1)
    kind = origin or hint
    if not isinstance(kind, type):
        return True
    if parts and not issubclass(kind, Callable):  # type: ignore[arg-type]
        return _allows_parts(kind, parts, value)
    return isinstance(value, kind)


def _allows_parts(kind: type, parts: tuple[Any, ...], value: object) -> bool:
    """The same for a collection, with what is in it; an iterator would be used up by a look."""
    if kind is Iterable and not isinstance(value, Collection):
        return isinstance(value, Iterable)
    if issubclass(kind, Mapping):
        return isinstance(value, Mapping) and all(_allows(parts[1], p) for p in value.values())
    if parts[0] in (int, float) and isinstance(value, (np.ndarray, Tensor)):
        return value.ndim == 1
    if isinstance(value, (str, bytes, bytearray, Tensor)) or not isinstance(value, Collection):
        return False
    if kind is tuple and parts[-1] is not ...:
        right = isinstance(value, (tuple, list)) and len(value) == len(parts)
        return right and all(map(_allows, parts, value))
    return not isinstance(value, Mapping) and all(_allows(parts[0], part) for part in value)


def _told(value: object) -> str:
    """A value in a message: itself where that is short, else its type and that of its entries."""
    short = value is None or isinstance(value, (str, bool, int, float, np.generic))
    if short:
        return shown(value)
    entries = list(value.values()) if isinstance(value, Mapping) else value
    kinds = {type(e).__name__ for e in entries} if isinstance(entries, (list, tuple)) else set()
    if not kinds:
        return tr("a {type}").format(type=type(value).__name__)
    return tr("a {type} of {entries}").format(
        type=type(value).__name__, entries=", ".join(sorted(kinds))
    )


def _words(hint: Any) -> str:
    """What an annotation allows, in words."""
    names = {
        int: tr("a whole number"),
        float: tr("a number"),
        str: tr("a text"),
        Tensor: tr("a tensor"),
    }
    names |= {NoneType: "None", bool: tr("True or False"), Any: tr("anything")}
    if hint in names:
        return names[hint]
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return tr(" or ").join(dict.fromkeys(map(_words, parts)))
    kind = origin or hint
    if issubclass(kind, Mapping):
        return tr("a dict, each entry {words}").format(words=_words(parts[1]))
    if issubclass(kind, tuple) and parts[1:] == (...,):
        return tr("a tuple, each entry {words}").format(words=_words(parts[0]))
    if issubclass(kind, tuple) and parts:
        return tr("a tuple of {entries}").format(entries=", ".join(map(_words, parts)))
    if issubclass(kind, Iterable) and parts:
        return tr("a list, each entry {words}").format(words=_words(parts[0]))
    if kind is Callable:
        return tr("a function")
    return tr("a {kind}").format(kind=kind.__name__)
