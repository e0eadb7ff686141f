"""RELIABILITY.md's table of harm done on purpose says what the tests try; each try tells all."""

import re
from pathlib import Path

import pytest
from hostile import each

ROOT = Path(__file__).parents[1]


def test_the_page_lists_every_kind_of_harm_that_has_a_test():
    """And no other."""
    page = (ROOT / "RELIABILITY.md").read_text("utf-8")
    _heading, *listed = re.findall(r"^\| (.+?) \| .+ \|$", page, re.MULTILINE)
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    tried = set(re.findall(r'^@pytest\.mark\.survives\(\s*"(.+?)"', tests, re.MULTILINE))
    assert sorted(listed) == sorted(tried)


def test_every_value_that_fails_is_told_with_its_name():
    def check(value):
        assert value < 2, "too large"
        if value < 0:
            raise KeyError("negative")

    each([0, 1], check)
    each({"zero": 0}, check)
    with pytest.raises(pytest.fail.Exception) as caught:
        each({"one": 1, "two": 2, "minus one": -1, "three": 3}, check)
    heading, two, minus_one, three = str(caught.value).split("\n- ")
    assert heading == "3 of 4 values failed"
    assert re.match(r"two: test_reliability\.py:\d+: AssertionError: too large", two)
    assert re.match(r"minus one: test_reliability\.py:\d+: KeyError: 'negative'", minus_one)
    assert three.startswith("three: ")


def test_values_with_the_same_name_are_a_mistake():
    with pytest.raises(AssertionError, match="the same name"):
        each([1, 1], print)
