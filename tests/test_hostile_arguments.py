"""Arguments of `style_transfer` that make no sense: a ValueError in one sentence that names the argument, before any work."""

import datetime
import decimal
import fractions
import io
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stlib import Brush, style_transfer
from stlib.brushes import brush_factors
from stlib.settings import STYLE_LAYERS

PICTURE = torch.full((1, 3, 40, 48), 0.5)
MASK = torch.ones(40, 48)


class Unprintable:
    """An object that cannot even be shown."""

    def __repr__(self):
        raise RuntimeError("no words")


class Everything:
    """An object that is equal to all others."""

    def __eq__(self, other):
        return True

    __hash__ = object.__hash__


class Subclass(torch.Tensor):
    """A tensor with a name of its own."""


ANYTHING = {  # what no argument means
    "a number as text": "5",
    "text": "castle.jpg",
    "lines": "two\nlines",
    "much text": "x" * 10_000,
    "bytes": b"relu1_1",
    "no bytes": b"",
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
    "a list that holds itself": (lambda loop: [loop.append(loop), loop][1])([1]),
    "a set of numbers": {1, 2},
    "a dict": {1: 2},
    "a range": range(3),
    "an iterator": iter(["relu1_1"]),
    "a generator": (layer for layer in STYLE_LAYERS),
    "a type": int,
    "a module": torch,
    "an exception": ValueError("no"),
    "a slice": slice(1, 2),
    "dots": ...,
    "what equals everything": Everything(),
    "what cannot be shown": Unprintable(),
    "none": None,
}
NO_PICTURES = {  # tensors that are none
    "no batch": PICTURE[0],
    "a batch": PICTURE.expand(2, 3, 40, 48),
    "no picture in the batch": torch.empty(0, 3, 40, 48),
    "grey": PICTURE[:, :1],
    "with alpha": torch.cat([PICTURE, PICTURE[:, :1]], 1),
    "channels at the end": PICTURE.permute(0, 2, 3, 1),
    "a video": PICTURE[None],
    "no height": torch.empty(1, 3, 0, 48),
    "no width": torch.empty(1, 3, 40, 0),
    "nothing": torch.empty(0),
    "a number": torch.tensor(0.5),
    "bytes": (PICTURE * 255).to(torch.uint8),
    "whole numbers": PICTURE.long(),
    "bools": PICTURE > 0,
    "complex": PICTURE.to(torch.complex64),
    "8 bits": PICTURE.to(torch.float8_e4m3fn),
    "sparse": PICTURE.to_sparse(),
    "without data": PICTURE.to("meta"),
    "nested": torch.nested.nested_tensor([PICTURE[0]], layout=torch.jagged),
    "one nan": PICTURE.index_fill(3, torch.tensor(7), math.nan),
    "one inf": PICTURE.index_fill(2, torch.tensor(39), math.inf),
    "one -inf": PICTURE.index_fill(2, torch.tensor(0), -math.inf),
    "0…255": PICTURE * 255,
    "-1…1": PICTURE * 4 - 3,
    "float64 beyond float32": PICTURE.double() * 1e300,
    "0…255 as a parameter": torch.nn.Parameter(PICTURE * 255),
    "0…255 as a subclass": (PICTURE * 255).as_subclass(Subclass),
    "0…255 with a gradient": (PICTURE * 255).requires_grad_() * 1,
    "0…255 in half precision": (PICTURE * 255).half(),
}
ARGUMENTS = [
    "content",
    "style",
    "alpha",
    "beta",
    "tv",
    "content_layers",
    "style_layers",
    "style_weights",
    "init",
    "optimizer",
    "solver",
    "steps",
    "seed",
    "keep_every",
    "callback",
]
MEANT = {
    ("callback", "a type"),
    ("callback", "none"),
    ("beta", "none"),
    ("style_weights", "none"),
    ("solver", "none"),
    ("keep_every", "none"),
}


def wrong(argument, value, name=None, **more):
    return pytest.param({argument: value, **more}, id=f"{argument}: {name or value!r}")


REFUSED = [
    *(
        wrong(argument, value, name)
        for argument in ARGUMENTS
        for name, value in ANYTHING.items()
        if (argument, name) not in MEANT
    ),
    *(
        wrong(argument, value, name)
        for argument in ("content", "style", "init")
        for name, value in NO_PICTURES.items()
    ),
    *(
        wrong("style", [Brush(value)], f"a brush of {name}")
        for name, value in (ANYTHING | NO_PICTURES).items()
    ),
    *(
        wrong("style", [Brush(PICTURE, value)], f"a brush that weighs {name}")
        for name, value in ANYTHING.items()
    ),
    *(
        wrong("style", [Brush(PICTURE, mask=value)], f"a mask of {name}")
        for name, value in (ANYTHING | NO_PICTURES).items()
        if name not in ("none", "grey")
    ),
    *(
        wrong("style_weights", [1, 1, value, 1, 1], f"a weight of {name}")
        for name, value in ANYTHING.items()
    ),
    *(
        wrong(argument, ["relu1_1", value], f"a layer of {name}")
        for argument in ("content_layers", "style_layers")
        for name, value in ANYTHING.items()
        if not isinstance(value, str)
    ),
    wrong("style", [], "no brush"),
    wrong("style", [Brush(PICTURE, 0)], "a brush of no weight"),
    wrong("style", Brush(PICTURE, mask=MASK.T), "a mask on its side"),
    wrong("style", Brush(PICTURE, mask=MASK * 0), "an empty mask"),
    wrong("style", Brush(PICTURE, mask=MASK * 255), "a mask of 0…255"),
    wrong("style", Brush(PICTURE, mask=MASK * math.nan), "a mask of nan"),
    wrong("style", Brush(PICTURE, mask=MASK.to_sparse()), "a sparse mask"),
    wrong("style", Brush(PICTURE, mask=MASK.to("meta")), "a mask without data"),
    wrong("style", Brush(PICTURE, mask=MASK.to(torch.float8_e4m3fn)), "a mask of 8 bits"),
    wrong("style", Brush(PICTURE, mask=(MASK * 255).as_subclass(Subclass)), "a mask of a subclass"),
    wrong("init", PICTURE[:, :, 1:], "a row too few"),
    wrong("init", PICTURE.mT, "on its side"),
    wrong("init", "Content"),
    wrong("init", ""),
    wrong("content_layers", ["relu4_2", "relu4_2"]),
    wrong("style_layers", ["relu1_1"] * 5),
    wrong("style_weights", [1.0]),
    wrong("style_weights", [1.0] * 1000, "a thousand"),
    wrong("style_weights", dict.fromkeys(STYLE_LAYERS[1:], 1), "a layer too few"),
    wrong("style_weights", dict.fromkeys([*STYLE_LAYERS, "relu4_2"], 1), "a layer too many"),
    wrong("style_weights", dict.fromkeys(range(1000), 1), "numbers of layers"),
    wrong("style_weights", bytes(5)),
    wrong("optimizer", "LBFGS"),
    wrong("optimizer", "adam "),
    wrong("solver", "Fast"),
    wrong("solver", "fast", optimizer="adam"),
    *(
        wrong(argument, value)
        for argument in ("steps", "keep_every", "seed")
        for value in (1.0, 2**63, "1", [1], np.int64(1))
    ),
    *(wrong(argument, 0) for argument in ("steps", "keep_every")),
    *(
        wrong(argument, value)
        for argument in ("alpha", "beta", "tv")
        for value in (-1e-300, 10**309, "0", [1], 1j)
    ),
    wrong("alpha", 0, beta=0),
    wrong("alpha", 0, style_weights=[0] * 5),
    wrong("beta", 0, content_layers=()),
    wrong("alpha", 1.0, content_layers=(), style_layers=()),
]


@pytest.fixture(autouse=True)
def no_work(monkeypatch):
    """Whoever begins to work fails."""
    for name in ("VGG", "Objective", "check_memory", "shrink", "tqdm"):
        monkeypatch.setattr(
            f"stlib.transfer.{name}", lambda *_, name=name, **__: pytest.fail(f"{name} was reached")
        )


@pytest.mark.survives("an argument that makes no sense")
@pytest.mark.parametrize("arguments", REFUSED)
def test_refused_in_one_sentence_before_any_work(arguments):
    with pytest.raises(ValueError, match=r"\.$|\?$") as caught:
        style_transfer(**{"content": PICTURE, "style": PICTURE, **arguments})
    words = str(caught.value)
    assert type(caught.value) is ValueError
    assert words.isprintable()
    assert len(words) < 500
    assert any(
        re.search(rf"\b{argument}\b|\b{argument.replace('_weights', ' weight')}\b", words)
        for argument in arguments
    )
    assert Path(caught.traceback[-1].path).name == "arguments.py"


@pytest.mark.survives("an argument that makes no sense")
@pytest.mark.parametrize("weights", [(5e-324, 5e-324), (1.7e308, 1.7e308), (1e-200, 1e200)])
def test_weights_of_brushes_that_only_just_make_sense(weights):
    """The shares of a quarter of the picture for each, whose weights would vanish or overflow when they are multiplied."""
    masks = torch.zeros(2, 40, 48)
    masks[0, :20, :24] = masks[1, 20:, 24:] = 1
    found = shares(
        [Brush(PICTURE, weight, mask) for weight, mask in zip(weights, masks, strict=True)]
    )
    expected = [0.25, 0.25] if weights[0] == weights[1] else [0, 0.5]
    assert found == pytest.approx(expected)
