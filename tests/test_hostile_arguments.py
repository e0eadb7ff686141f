"""Arguments that make no sense: a ValueError in one sentence that names them, before any work."""

import math
import os
import re
from dataclasses import fields
from functools import partial
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile import ANYTHING, PICTURE, each

import stlib
from stlib import Brush, Settings, style_transfer
from stlib.brushes import brush_factors
from stlib.errors import CheckpointError
from stlib.settings import STYLE_LAYERS

MASK = torch.ones(40, 48)


class Subclass(torch.Tensor):
    """A tensor with a name of its own."""


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
    "bytes of pixels": (PICTURE * 255).to(torch.uint8),
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
NO_MASKS = {name: picture for name, picture in NO_PICTURES.items() if name != "grey"} | {
    "on its side": MASK.T,
    "empty": MASK * 0,
    "0…255 of a mask": MASK * 255,
    "nan everywhere": MASK * math.nan,
    "a sparse mask": MASK.to_sparse(),
    "a mask without data": MASK.to("meta"),
    "a mask of 8 bits": MASK.to(torch.float8_e4m3fn),
    "0…255 as a subclass of a mask": (MASK * 255).as_subclass(Subclass),
}


def anything(*meant):
    """Of all odd values, those that nobody could mean here."""
    return {name: value for name, value in ANYTHING.items() if name not in meant}


def also(*values):
    """Values that are shown as they are."""
    return {repr(value): value for value in values}


# weights that NumPy has made are weights
NO_NUMBERS = {name: value for name, value in ANYTHING.items() if name != "half a number of NumPy"}
NO_WEIGHTS = also(-1e-300, 10**309, "0", [1], 1j)
NO_WHOLE_NUMBERS = also(1.0, 2**63, "1", [1], np.float64(1))
REFUSED = {  # argument: values
    "content": anything() | NO_PICTURES,
    "style": anything() | NO_PICTURES | also([]),
    "net": anything("none") | {"a module that walks": os},
    "alpha": NO_NUMBERS | NO_WEIGHTS,
    "beta": anything("none", "half a number of NumPy") | NO_WEIGHTS,
    "tv": NO_NUMBERS | NO_WEIGHTS,
    "roughness": anything("none", "half a number of NumPy") | NO_WEIGHTS,
    "overflow": anything("none", "half a number of NumPy") | NO_WEIGHTS,
    "padding": anything("none") | also("Zero"),
    "content_layers": anything() | also(["relu4_2", "relu4_2"]),
    "style_layers": anything() | also(["relu1_1"] * 5),
    "style_weights": anything("none")
    | also([1.0], [])
    | {
        "a thousand": [1.0] * 1000,
        "a layer too few": dict.fromkeys(STYLE_LAYERS[1:], 1),
        "a layer too many": dict.fromkeys([*STYLE_LAYERS, "relu4_2"], 1),
        "numbers of layers": dict.fromkeys(range(1000), 1),
    },
    "init": anything() | NO_PICTURES | also("Content", ""),
    "optimizer": anything() | also("LBFGS", "adam "),
    "solver": anything("none") | also("Fast"),
    "steps": anything() | NO_WHOLE_NUMBERS | also(0),
    "seed": anything() | NO_WHOLE_NUMBERS,
    "style_size": anything("none") | NO_WHOLE_NUMBERS | also(0, 31),
    "colors": anything() | also("Photo", ""),
    "keep_every": anything("none") | NO_WHOLE_NUMBERS | also(0),
    "callback": anything("a type", "none"),
    "checkpoint": anything("none", "a path", "text", "a number as text", "lines"),
    "progress": anything("true", "false"),
    "tile": anything("none") | NO_WHOLE_NUMBERS | also(0, 31),
}
PARTS = {  # what: (argument, how it is made of a value, values)
    "the picture of a brush": (
        "style",
        lambda value: [Brush(value)],
        anything() | NO_PICTURES,
    ),
    "the weight of a brush": (
        "style",
        lambda value: [Brush(PICTURE, value)],
        NO_NUMBERS | also(0),
    ),
    "the mask of a brush": (
        "style",
        lambda value: Brush(PICTURE, mask=value),
        anything("none") | NO_MASKS,
    ),
    "a weight of a layer": (
        "style_weights",
        lambda value: [1, 1, value, 1, 1],
        NO_NUMBERS,
    ),
    "a content layer": (
        "content_layers",
        lambda value: ["relu1_1", value],
        anything("text", "a number as text", "lines", "much text"),
    ),
    "a style layer": (
        "style_layers",
        lambda value: ["relu1_1", value],
        anything("text", "a number as text", "lines", "much text"),
    ),
}
CONTRADICTIONS = [
    {"solver": "fast", "optimizer": "adam"},
    {"alpha": 0, "beta": 0},
    {"alpha": 0, "style_weights": [0] * 5},
    {"beta": 0, "content_layers": ()},
    {"alpha": 1.0, "content_layers": (), "style_layers": ()},
]
SETTINGS = {setting.name for setting in fields(Settings)}


@pytest.fixture(autouse=True)
def no_work(monkeypatch):
    """Whoever begins to work fails."""
    for name in ("VGG", "Record", "Checkpoint", "choose_tile", "paint_stages"):
        reached = partial(pytest.fail, f"{name} was reached")
        monkeypatch.setattr(f"stlib.transfer.{name}", lambda *_, reached=reached, **__: reached())


def assert_refused(arguments):
    """A ValueError of one sentence that names an argument; `Settings` says it in the same words."""
    words = refusal(partial(style_transfer, **{"content": PICTURE, "style": PICTURE, **arguments}))
    assert words.isprintable()
    assert words.endswith((".", "?"))
    assert len(words) < 500
    names = {name.replace("_weights", "_weights?").replace("_", "[_ ]") for name in arguments}
    assert re.search(rf"\b({'|'.join(names)})\b", words)
    if set(arguments) <= SETTINGS:
        assert refusal(partial(Settings, **arguments)) == words


def refusal(call):
    """The words of a call's ValueError, which is stlib's own and not one from deep inside torch."""
    with pytest.raises(ValueError) as caught:
        call()
    assert type(caught.value) in (ValueError, CheckpointError)
    assert Path(stlib.__file__).parent in Path(caught.traceback[-1].path).parents
    return str(caught.value)


@pytest.mark.survives("an argument that makes no sense")
@pytest.mark.parametrize("argument", REFUSED)
def test_an_argument_is_refused_before_any_work(argument):
    each(REFUSED[argument], lambda value: assert_refused({argument: value}))


@pytest.mark.survives("an argument that makes no sense")
@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_an_argument_is_refused_before_any_work(part):
    argument, whole, values = PARTS[part]
    each(values, lambda value: assert_refused({argument: whole(value)}))


@pytest.mark.survives("an argument that makes no sense")
def test_arguments_that_contradict_each_other_are_refused():
    each(CONTRADICTIONS, assert_refused)


@pytest.mark.survives("an argument that makes no sense")
def test_a_start_of_another_shape_than_the_content_is_refused():
    """`Settings` does not know the content's shape."""
    for init in (PICTURE[:, :, 1:], PICTURE.mT):
        with pytest.raises(ValueError, match=r"init has the shape .* they must agree\.$"):
            style_transfer(PICTURE, PICTURE, init=init)


@pytest.mark.survives("an argument that makes no sense")
@pytest.mark.parametrize("style_size", [32, 10**6, 2**62])
def test_a_style_size_that_this_painting_cannot_have_is_refused(style_size):
    """48 × 40 pixels would be 32 × 27, which is too small, or more than any machine could take."""
    with pytest.raises(ValueError, match=rf"^style_size is {style_size}: the style picture .*\.$"):
        style_transfer(PICTURE, [Brush(PICTURE)], style_size=style_size)


def test_numbers_of_numpy_are_numbers():
    """A sweep over np.arange is as good as one over range; notes and files hold Python's own."""
    of_numpy = Settings(
        steps=np.arange(2, 4)[0],
        alpha=np.float32(2),
        seed=np.uint8(3),
        style_weights=list(np.ones(5)),
    )
    assert of_numpy == Settings(steps=2, alpha=2.0, seed=3, style_weights=[1.0] * 5)
    values = [getattr(of_numpy, setting.name) for setting in fields(Settings)]
    assert not any(isinstance(value, np.generic) for value in [*values, *of_numpy.style_weights])


def test_every_argument_is_tried():
    assert set(REFUSED) == set(signature(style_transfer).parameters)


@pytest.mark.survives("an argument that makes no sense")
def test_weights_of_brushes_that_only_just_make_sense():
    """Each paints a quarter; products of the weights would vanish or overflow."""
    masks = torch.zeros(2, 40, 48)
    masks[0, :20, :24] = masks[1, 20:, 24:] = 1
    for weights, factors in {
        (5e-324, 5e-324): [0.25, 0.25],
        (1.7e308, 1.7e308): [0.25, 0.25],
        (1e-200, 1e200): [0, 0.5],
    }.items():
        brushes = [Brush(PICTURE, w, mask) for w, mask in zip(weights, masks, strict=True)]
        assert brush_factors(brushes) == pytest.approx(factors), weights
