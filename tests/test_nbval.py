"""Outputs of notebooks are compared with a tolerance, and not with too much of it."""

import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).parents[1] / "notebooks/conftest.py"


@pytest.fixture(scope="module")
def compare():
    specification = importlib.util.spec_from_file_location("compare", FILE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "one, other",
    [
        ("loss 33.8 million", "loss 33.9 million"),
        ("× 0.91 of it", "× 0.90 of it"),
        ("a factor of 20", "a factor of 19"),
        ("1,316,000 and 3.0e+10", "1,315,000 and 3.1e+10"),
    ],
)
def test_another_last_digit_is_no_difference(compare, one, other):
    assert compare.alike(one, other) and compare.alike(other, one)


@pytest.mark.parametrize(
    "one, other",
    [
        ("4 of 4", "3 of 4"),
        ("× 0.91 of it", "× 0.81 of it"),
        ("castle 0.91", "cat 0.91"),
        ("1.0", "10"),
        ("33.8 million", "3.38 million"),
        ("1 2", "1 2 3"),
        ("3e-10", "3e-09"),
    ],
)
def test_another_number_or_another_word_is_one(compare, one, other):
    assert not compare.alike(one, other)
