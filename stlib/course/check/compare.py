"""How two results are compared, and how a value is told to a learner."""

import math
from collections.abc import Mapping, Sequence, Set

import numpy as np
import torch
from torch import Tensor, nn

from stlib._language import tr

TOLERANCE = 1e-4  # relative; learners may compute in another order, or in float32
SHORT = 6  # entries of a tensor that a learner can take in at a glance


class Words(str):
    """What an exercise says of an answer that has no single right result."""


class Seen(dict[str, object]):
    """What an exercise saw of an answer: what it looked at → what it found."""


def difference(got: object, right: object, place: str | None = None) -> str | None:
    """The first difference between two results, as a sentence without its full stop.

    got: the learner's; a tensor without axes is a number, a tuple is as good as a list.
    right: numbers, texts, None, tensors, or lists, dicts and sets of them; whole numbers have to
        agree exactly, others up to `TOLERANCE`.
    place: what the sentence is about; None for the result.
    Returns for example "the result is 3, expected 4"; None when they agree.
    """
    place = place or tr("the result")
    if number(right) is not None:
        return _number_difference(got, right, place)
    if isinstance(right, Tensor):
        return _tensor_difference(got, right, place)
    if isinstance(right, Mapping):
        return _dict_difference(got, right, place)
    if isinstance(right, Set):
        got = _as_set(got)
    elif isinstance(right, Sequence) and not isinstance(right, str):
        return _list_difference(got, right, place)
    if type(got) is type(right) and got == right:
        return None
    return _unlike(place, shown(got), shown(right))


def alike(got: object, wrong: object, right: object) -> bool:
    """Whether a wrong result agrees with another wrong one.

    If it has not even the form of the right one, the same form is enough.
    """
    if form(got) != form(right) and form(got) == form(wrong):
        return True
    return difference(got, wrong) is None


def same(before: object, after: object) -> bool:
    """Whether a value is exactly what it was; functions are compared by identity."""
    if isinstance(before, Tensor):
        return isinstance(after, Tensor) and torch.equal(before.detach(), after.detach())
    if isinstance(before, nn.Module) and isinstance(after, nn.Module):
        return repr(before) == repr(after) and same(before.state_dict(), after.state_dict())
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return list(before) == list(after) and same([*before.values()], [*after.values()])
    if isinstance(before, (list, tuple)) and isinstance(after, (list, tuple)):
        return len(before) == len(after) and all(map(same, before, after))
    return before is after or before == after


def number(value: object) -> float | None:
    """The value as a number; None when it is none. True and False are none."""
    if isinstance(value, Tensor) and value.ndim == 0:
        value = value.detach().item()
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def form(value: object) -> object:
    """What kind of thing a value is: two with the same form differ in their numbers only."""
    if number(value) is not None:
        return "number"
    if isinstance(value, Tensor):
        return value.shape, value.is_floating_point()
    if isinstance(value, Mapping):
        return "dict", [*value]
    if isinstance(value, (list, tuple)):
        return "list", len(value)
    return type(value)


def shown(value: object) -> str:
    """A value as a learner should read it: rounded, and not too long."""
    if isinstance(value, Words):
        return str(value)
    if value is None or isinstance(value, (bool, str)):
        return repr(value)
    if number(value) is not None:
        return str(value) if isinstance(value, int) else f"{number(value) or 0:.6g}"  # no -0
    if isinstance(value, Tensor):
        return shown(value.tolist()) if value.numel() <= SHORT else kind(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {shown(value[key])}" for key in value) + "}"
    if isinstance(value, Set):
        return "{" + ", ".join(sorted(map(shown, value))) + "}" if value else tr("an empty set")
    if isinstance(value, (list, tuple)):
        entries = ", ".join(map(shown, value))
        return f"({entries})" if isinstance(value, tuple) else f"[{entries}]"
    return kind(value)


def kind(value: object) -> str:
    """What a value is, for one who expected something else."""
    if value is None or isinstance(value, str):
        return repr(value)
    if isinstance(value, Tensor):
        return tr("a tensor of the shape {shape}").format(shape=list(value.shape))
    name = type(value).__name__
    if isinstance(value, (list, tuple)):
        return tr("a {type} of {number}").format(type=name, number=len(value))
    article = tr("an {type}") if name[0] in "aeiouAEIOU" else tr("a {type}")
    return article.format(type=name)


def _unlike(place: str, got: str, right: str) -> str:
    return tr("{place} is {got}, expected {right}").format(place=place, got=got, right=right)


def _number_difference(got: object, right: object, place: str) -> str | None:
    value, expected = number(got), number(right)
    if value is None or expected is None:
        return _unlike(place, kind(got), tr("one number"))
    exact = isinstance(expected, int)
    if value == expected or (
        not exact and math.isclose(value, expected, rel_tol=TOLERANCE, abs_tol=1e-12)
    ):
        return None
    return _unlike(place, shown(value), shown(expected))


def _tensor_difference(got: object, right: Tensor, place: str) -> str | None:
    if not isinstance(got, Tensor):
        return _unlike(place, kind(got), kind(right))
    if got.shape != right.shape:
        shape = tr("{place} has the shape {got}, expected {right}")
        return shape.format(place=place, got=list(got.shape), right=list(right.shape))
    if right.is_floating_point() and not got.is_floating_point():
        dtype = tr("{place} has the type {got}, expected {right}")
        return dtype.format(place=place, got=got.dtype, right=right.dtype)
    got, right = got.detach().cpu().double(), right.detach().double()
    largest = float(right.abs().nan_to_num(0, posinf=0).max())
    if torch.allclose(got, right, rtol=TOLERANCE, atol=TOLERANCE * largest, equal_nan=True):
        return None
    if right.numel() <= SHORT:
        return _unlike(place, shown(got), shown(right))
    error = (got - right).abs().nan_to_num(torch.inf)
    worst = tuple(int(i) for i in torch.unravel_index(error.argmax(), error.shape))
    entry = tr("the entry {index} of {place}").format(index=list(worst), place=place)
    return _unlike(entry, shown(got[worst]), shown(right[worst]))


def _dict_difference(got: object, right: Mapping, place: str) -> str | None:
    keys = tr("a dict with the keys {keys}").format(keys=[*right])
    if not isinstance(got, Mapping):
        return _unlike(place, kind(got), keys)
    if set(got) != set(right):
        others = tr("{place} has the keys {got}, expected {right}")
        return others.format(place=place, got=[*got], right=keys)
    for key in right:
        entry = tr("{key} of {place}").format(key=key, place=place)
        found = difference(got[key], right[key], key if isinstance(right, Seen) else entry)
        if found:
            return found
    return None


def _list_difference(got: object, right: Sequence, place: str) -> str | None:
    if isinstance(got, Mapping):
        got = list(got.values())
    if isinstance(got, Tensor) and got.ndim == 1:
        got = got.tolist()
    names = getattr(right, "_fields", None)  # of a NamedTuple
    if not isinstance(got, (list, tuple)):
        return _unlike(place, kind(got), _wanted(right, names))
    if len(got) != len(right):
        several = tr("{place} has {number} entries, expected {right}")
        count = tr("{place} has 1 entry, expected {right}") if len(got) == 1 else several
        return count.format(place=place, number=len(got), right=_wanted(right, names))
    entry = tr("entry {index} of {place}")
    places = names or [entry.format(index=i, place=place) for i in range(len(right))]
    found = next(filter(None, map(difference, got, right, places)), None)
    short = len(right) <= SHORT and all(number(entry) is not None for entry in right)
    if found and short and not names:
        return _unlike(place, shown(got), shown(right))
    return found


def _as_set(got: object) -> object:
    try:
        return set(got) if isinstance(got, (list, tuple, frozenset)) else got
    except TypeError:  # a list of lists
        return got


def _wanted(right: Sequence, names: Sequence[str] | None) -> str:
    if names:
        return f"({', '.join(names)})"
    if len(right) == 2:
        return tr("a pair")
    return tr("a list of {number}").format(number=len(right))
