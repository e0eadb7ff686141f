"""One object with all settings: what it refuses, what follows, what its fingerprint sees."""

import inspect
import itertools
import math
import os
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from stlib import Settings, style_transfer
from stlib.settings import CLEAN, PAINTER, PAPER, STYLE_LAYERS, digest

NAMES = [setting.name for setting in fields(Settings)]
# they do not change the picture
NOT_SETTINGS = {"net", "callback", "checkpoint", "progress", "tile"}
PICTURE = torch.linspace(0, 1, 3 * 4 * 5).view(1, 3, 4, 5)
OTHER = {  # for each setting, values that are neither its default nor one another
    "alpha": [0.0, 2.0],
    "beta": [0.0, 1e5],
    "tv": [1e-9, 1.0],
    "roughness": [0.0, 2.0],
    "overflow": [0.0, 50.0],
    "padding": ["zero", "replicate"],
    "content_layers": [(), ("relu4_1",), ("relu4_1", "relu4_2")],
    "style_layers": [(), ("relu1_1",), STYLE_LAYERS[::-1]],
    "style_weights": [[1, 1, 1, 1, 1], [1, 1, 1, 1, 2], [2, 1, 1, 1, 1]],
    "init": ["noise", "style", PICTURE, PICTURE / 2, PICTURE.mT],
    "optimizer": ["adam"],
    "solver": ["fast", "plain"],
    "steps": [1, 99],
    "seed": [1, 2**53, 2**53 + 1],
    "style_size": [32, 256],
    "colors": ["photo", "brightness"],
    "keep_every": [1, 2],
}
NONSENSE = {  # test_hostile_arguments.py tries anything whatever; these are typing errors
    "alpha": [None, -1, math.nan, math.inf, "1", True],
    "beta": [-1e-300, math.nan, math.inf, "1", True],
    "tv": [None, -1, math.nan, [1.0]],
    "roughness": [-1, math.nan, "1", True],
    "overflow": [-1e-9, math.inf, [1.0]],
    "padding": ["Zero", "reflect", 0, True],
    "content_layers": [None, "relu4_2", [4], ["relu4_2", "relu4_2"], iter(["relu4_2"])],
    "style_layers": [None, "relu1_1", [1], ["relu1_1"] * 5, b"relu1_1"],
    "style_weights": [1.0, [1.0], [1, 1, 1, 1, -1], {"relu1_1": 1.0}, "aaaaa"],
    "init": [None, "Content", "", "castle.jpg", PICTURE * 255, PICTURE[0], PICTURE.numpy()],
    "optimizer": [None, "LBFGS", "sgd"],
    "solver": ["Fast", "", 1],
    "steps": [None, 0, -1, 1.0, "100", True, 2**63],
    "seed": [None, -1, 0.5, "0", False],
    "style_size": [0, 31, 256.0, "256", True],
    "colors": [None, "Photo", "content", 3],
    "keep_every": [0, -1, 2.0, True],
}


# a new setting touches one place


def test_the_keywords_of_style_transfer_are_the_settings():
    """With the same defaults, and nothing else but what does not change the picture."""
    keywords = {
        name: parameter.default
        for name, parameter in inspect.signature(style_transfer).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    assert keywords.keys() == {*NAMES} | NOT_SETTINGS
    assert {name: keywords[name] for name in NAMES} == {
        setting.name: setting.default for setting in fields(Settings)
    }


@pytest.mark.parametrize("name", NAMES)
def test_each_keyword_reaches_its_setting(name, monkeypatch):
    """A value given to style_transfer is that of the settings with which it paints."""
    monkeypatch.setattr("stlib.transfer.paint", lambda content, style, settings, **_: settings)
    value = OTHER[name][-1]
    settings = style_transfer(PICTURE, PICTURE, **{name: value})
    assert settings == Settings(**{name: value}) and settings != Settings()


def test_these_tests_know_all_settings():
    assert OTHER.keys() == NONSENSE.keys() == {*NAMES}


# what is refused


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in NAMES for value in NONSENSE[name]]
)
def test_nonsense_is_refused(name, value):
    """In one sentence that names the setting."""
    with pytest.raises(ValueError, match=r"\.$|\?$") as caught:
        Settings(**{name: value})
    words = str(caught.value)
    assert name in words or name.replace("_weights", " weight") in words
    assert words.isprintable() and len(words) < 500


@pytest.mark.parametrize(
    "given",
    [
        {"alpha": 0, "beta": 0},
        {"alpha": 0, "style_weights": [0] * 5},
        {"alpha": 0, "style_layers": []},
        {"content_layers": [], "beta": 0},
    ],
    ids=str,
)
def test_there_must_be_something_to_optimise(given):
    """A loss with a weight and a layer, or the total variation and a layer."""
    with pytest.raises(ValueError, match="nothing to optimise"):
        Settings(**given)
    assert Settings(**given, tv=1e-3).tv == 1e-3
    with pytest.raises(ValueError, match="nothing to optimise"):
        Settings(content_layers=[], style_layers=[], tv=1e-3)


def test_settings_are_fixed():
    """What they were made of may change later; equal settings are one key of a dict."""
    layers, weights = ["relu1_1", "relu2_1"], {"relu2_1": 2.0, "relu1_1": 1.0}
    settings = Settings(style_layers=layers, style_weights=weights)
    before = settings.fingerprint()
    layers.append("relu9_9")
    weights["relu1_1"] = -1.0
    assert settings.fingerprint() == before
    assert settings.weights() == {"relu1_1": 1.0, "relu2_1": 2.0}
    assert len({settings, Settings(style_layers=("relu1_1", "relu2_1"), style_weights=[1, 2])}) == 1
    assert Settings(init=PICTURE) == Settings(init=PICTURE.clone()) != Settings(init=1 - PICTURE)


def test_a_set_of_layers_has_no_order_for_a_list_of_weights():
    with pytest.raises(ValueError, match="a set, which has no order"):
        Settings(style_layers={"relu1_1", "relu2_1"}, style_weights=[1, 5])


def test_the_fast_solver_is_made_for_lbfgs():
    with pytest.raises(ValueError, match=r"use solver=\"plain\" with optimizer='adam'"):
        Settings(solver="fast", optimizer="adam")


def test_settings_are_written_once_and_by_name():
    with pytest.raises(FrozenInstanceError):
        Settings().steps = 3
    with pytest.raises(TypeError):
        Settings(1.0)
    with pytest.raises(TypeError, match="stepz"):
        Settings(stepz=3)


# what follows from them


@pytest.mark.parametrize(
    ("given", "is_fast"),
    [
        ({}, True),
        ({"solver": "fast"}, True),
        ({"solver": "plain"}, False),
        ({"optimizer": "adam"}, False),
        ({"optimizer": "adam", "solver": "plain"}, False),
    ],
    ids=str,
)
def test_fast_is_the_default_of_lbfgs_and_plain_that_of_adam(given, is_fast):
    """The plain solver has one stage, at full size."""
    settings = Settings(**given, steps=50)
    assert settings.is_fast == is_fast
    plan = settings.plan(1000)
    assert (len(plan) == 1) == (not is_fast)
    assert is_fast or (plan[0].share, plan[0].evaluations) == (1.0, 50)


def test_the_fast_solver_paints_clean_and_the_plain_one_as_the_paper_does():
    """Unless it is told otherwise, for each of the three by itself."""
    for name in CLEAN:
        other = OTHER[name][0]
        assert getattr(Settings().complete(), name) == CLEAN[name]
        assert getattr(Settings(solver="plain").complete(), name) == PAPER[name]
        for solver in ("fast", "plain"):
            given = Settings(**{name: other}, solver=solver)
            assert getattr(given.complete(), name) == other
            assert given.complete().complete() == given.complete() != given


def test_style_weights_are_one_over_the_number_of_layers_unless_given():
    """The fast solver completes them by block: deep layers pull harder than their loss is large."""
    assert Settings().weights() == dict.fromkeys(STYLE_LAYERS, 1 / 5)
    plain, fast = (Settings(solver=solver).complete() for solver in ("plain", "fast"))
    assert plain.weights() == Settings().weights()
    assert list(fast.weights().values()) == [1 / 2, 1 / 2, 1 / 4, 1 / 4, 1 / 8]
    deep = Settings(style_layers=["conv4_1", "relu5_1"]).complete()
    assert deep.weights() == {"conv4_1": 5 / 2 / 4, "relu5_1": 5 / 2 / 8}
    assert Settings(style_weights=[1] * 5).complete().weights() == dict.fromkeys(STYLE_LAYERS, 1)
    two = ("relu1_1", "relu2_1")
    given = [[3, 4], (3, 4), {"relu2_1": 4, "relu1_1": 3}]
    for weights in given:
        found = Settings(style_layers=two, style_weights=weights).weights()
        assert list(found.items()) == [("relu1_1", 3), ("relu2_1", 4)]


# fingerprints


def test_each_setting_changes_the_fingerprint():
    """No two of these differ in nothing that matters."""
    tried = [Settings(), *(Settings(**{name: value}) for name in NAMES for value in OTHER[name])]
    assert len({settings.fingerprint() for settings in tried}) == len(tried)


EQUAL = {
    "whole numbers": [{"alpha": 1}, {"alpha": 1.0}, {"alpha": np.float64(1)}, {}],
    "fractions": [{"tv": 0.1}, {"tv": np.float64(0.1)}],
    "layers": [{"content_layers": ["relu4_2"]}, {"content_layers": ("relu4_2",)}, {}],
    "weights": [
        {"style_weights": [1, 2, 3, 4, 5]},
        {"style_weights": (1.0, 2.0, 3.0, 4.0, 5.0)},
        {"style_weights": dict(zip(STYLE_LAYERS, range(1, 6), strict=True))},
        {"style_weights": dict(zip(STYLE_LAYERS[::-1], range(5, 0, -1), strict=True))},
    ],
    "default weights": [
        {"solver": "plain", "style_weights": [0.2] * 5},
        {"solver": "plain"},
    ],
    "pictures": [
        {"init": PICTURE},
        {"init": PICTURE.clone().requires_grad_()},
        {"init": PICTURE.double()},
        {"init": PICTURE.to(memory_format=torch.channels_last)},
    ],
}


@pytest.mark.parametrize("what", EQUAL)
def test_equal_settings_have_equal_fingerprints(what):
    """However they are written."""
    assert len({Settings(**given).fingerprint() for given in EQUAL[what]}) == 1


def test_what_paints_is_in_the_fingerprint(monkeypatch):
    """The same settings of a version that paints another picture are others."""
    before = Settings().fingerprint()
    monkeypatch.setattr("stlib.settings.PAINTER", PAINTER + 1)
    assert Settings().fingerprint() != before


def test_a_fingerprint_holds_in_the_next_process():
    """Where sets have another order, and objects another place."""
    given = f"content_layers={ {*STYLE_LAYERS} }, style_weights={[1, 2, 3, 4, 5]}, tv=0.1"
    code = f"from stlib import Settings; print(Settings({given}).fingerprint())"
    there = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    here = Settings(content_layers={*STYLE_LAYERS}, style_weights=[1, 2, 3, 4, 5], tv=0.1)
    assert there.strip() == here.fingerprint()
    assert len(here.fingerprint()) == 64


def test_changing_a_setting_and_back_is_the_same_fingerprint():
    settings = Settings(steps=7)
    assert replace(replace(settings, steps=8), steps=7).fingerprint() == settings.fingerprint()


PLAIN = st.none() | st.booleans() | st.integers(0, 2**70) | st.floats() | st.text(max_size=3)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=5,
)


def same(one, other):
    """Python's equality, but for nan, which is itself here, and True, which is no number."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return one == other or repr(one) == repr(other)


@examples(deadline=None, max_examples=40, derandomize=True, database=None)
@given(st.lists(VALUES, min_size=2, max_size=6))
def test_digests_are_equal_exactly_where_values_are(values):
    for one, other in itertools.combinations(values, 2):
        assert (digest(one) == digest(other)) == same(one, other)
