"""What the hostile tests share: a loop that tells every value that failed, and odd values."""

import datetime
import decimal
import fractions
import io
import math
import traceback
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

HERE = Path(__file__).parent


def each(values: Collection[Any], check: Callable[[Any], object]) -> None:
    """Call check(value) for each value, and fail at the end, with all values that failed and why.

    values: {name: value}, or values that are shown as they are.
    """
    named = values if isinstance(values, Mapping) else {repr(value): value for value in values}
    assert len(named) == len(values) > 0, "two values have the same name, or there is none"
    failures = []
    for name, value in named.items():
        try:
            check(value)
        except (Exception, pytest.fail.Exception) as error:
            failures.append(f"{name}: {_told(error)}")
    if failures:
        heading = f"{len(failures)} of {len(named)} values failed"
        pytest.fail("\n- ".join([heading, *failures]), pytrace=False)


def _told(error: BaseException) -> str:
    """The error, and the last line of a test that led to it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).parent == HERE]
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
    return f"{place}: {type(error).__name__}: {str(error)[:300]}"


class Unprintable:
    """An object that cannot even be shown."""

    def __repr__(self):
        raise RuntimeError("no words")


class Everything:
    """An object that is equal to all others."""

    def __eq__(self, other):
        return True

    __hash__ = object.__hash__


def _loop() -> list[Any]:
    """A list that holds itself."""
    loop: list[Any] = [1]
    loop.append(loop)
    return loop


PICTURE = torch.full((1, 3, 40, 48), 0.5)
ANYTHING = {  # what no argument means
    "a number as text": "5",
    "text": "castle.jpg",
    "lines": "two\nlines",
    "much text": "x" * 10_000,
    "bytes": b"relu1_1",
    "no bytes": b"",
    "five bytes": bytes(5),
    "a bytearray": bytearray(5),
    "a path": Path("castle.jpg"),
    "a file": io.BytesIO(b"picture"),
    "a fraction": fractions.Fraction(1, 3),
    "a decimal": decimal.Decimal("1.5"),
    "a complex number": 1 + 2j,
    "a date": datetime.date(2016, 6, 27),
    "a number of 5000 digits": 10**5000,
    "a negative number": -1,
    "a negative fraction": -0.5,
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "nan of NumPy": np.float64("nan"),
    "half a number of NumPy": np.float16(1),
    "true": True,
    "false": False,
    "a numpy bool": np.True_,
    "an array": np.array([1.0, 2.0]),
    "an array of one": np.array([1.0]),
    "an array without a side": np.array(1.0),
    "an array of text": np.array(["relu1_1", "relu2_1"]),
    "a large array": np.zeros((100, 100)),
    "a picture as an array": PICTURE.numpy(),
    "a picture of PIL": Image.new("RGB", (48, 40)),
    "a number as a tensor": torch.tensor(1.0),
    "a tensor without a number": torch.tensor([]),
    "whole numbers as a tensor": torch.tensor([1, 2]),
    "a list of a list": [[1.0]],
    "a list of nothing": [None],
    "a list of tensors": [PICTURE, PICTURE],
    "a list that holds itself": _loop(),
    "a set of numbers": {1, 2},
    "a dict": {1: 2},
    "a range": range(3),
    "an iterator": iter(["relu1_1"]),
    "a generator": (layer for layer in ("relu1_1", "relu2_1")),
    "a type": int,
    "a module": torch,
    "an exception": ValueError("no"),
    "a slice": slice(1, 2),
    "dots": ...,
    "what equals everything": Everything(),
    "what cannot be shown": Unprintable(),
    "none": None,
}
