"""How results are compared and told: the properties of `difference`, then its words."""

import pytest
import torch

from stlib.course.check.compare import alike, difference, same, shown

RESULTS = [
    3,
    0.25,
    "relu4_2",
    None,
    (1, 2),
    [0.1, 0.2],
    {"relu1_1": 0.5, "relu2_1": 0.5},
    {"overwritten"},
    torch.arange(12.0).view(3, 4),
    [torch.ones(2), torch.zeros(3)],
    (2.0, {"relu1_1": 1.0}),
]


@pytest.mark.parametrize("result", RESULTS, ids=str)
def test_a_result_differs_from_all_others_and_not_from_itself(result):
    assert difference(result, result) is None
    for other in RESULTS:
        if other is not result:
            assert difference(other, result).startswith(("the result ", "entry ", "the entry "))


@pytest.mark.parametrize(
    ("got", "right"),
    [
        (torch.tensor(3.0), 3.0),
        (3.0, torch.tensor(3.0)),
        (1.00001, 1.0),
        ([1, 2], (1, 2)),
        (torch.tensor([0.1, 0.2]), [0.1, 0.2]),
        ({"relu1_1": 0.1, "relu2_1": 0.2}, [0.1, 0.2]),
        (["overwritten"], {"overwritten"}),
        (torch.ones(2, 2).double(), torch.ones(2, 2)),
        (torch.ones(2, requires_grad=True), torch.ones(2)),
    ],
)
def test_another_form_of_the_same_result_is_as_good(got, right):
    assert difference(got, right) is None


@pytest.mark.parametrize(
    ("got", "right", "words"),
    [
        (3.5, 4, "the result is 3.5, expected 4"),
        (1000001, 1000000, "the result is 1000001, expected 1000000"),
        (True, 1, "the result is a bool, expected one number"),
        (float("nan"), 1.0, "the result is nan, expected 1"),
        ("relu1_1", None, "the result is 'relu1_1', expected None"),
        ((25, 16), (25, 15), "the result is (25, 16), expected (25, 15)"),
        (7, (1, 2), "the result is an int, expected a pair"),
        ([1], [1, 2, 3], "the result has 1 entry, expected a list of 3"),
        (["a", "c"], ["a", "b"], "entry 1 of the result is 'c', expected 'b'"),
        ({"a": 1}, {"b": 1}, "the result has the keys ['a'], expected a dict with the keys ['b']"),
        ({"a": -0.0}, {"a": 2.0}, "a of the result is 0, expected 2"),
        (set(), {"unfrozen"}, "the result is an empty set, expected {'unfrozen'}"),
        ([[1.0]], torch.ones(1, 1), "a list of 1, expected a tensor of the shape [1, 1]"),
        (torch.ones(3), torch.ones(2), "the result has the shape [3], expected [2]"),
        (torch.ones(2).int(), torch.ones(2), "has the type torch.int32, expected torch.float32"),
        (
            torch.eye(2),
            torch.ones(2, 2),
            "the result is [[1, 0], [0, 1]], expected [[1, 1], [1, 1]]",
        ),
        (torch.eye(3) + 1, torch.ones(3, 3), "the entry [0, 0] of the result is 2, expected 1"),
    ],
)
def test_a_difference_says_where_and_what_was_expected(got, right, words):
    assert difference(got, right).endswith(words)


def test_results_of_the_same_wrong_form_are_alike_whatever_they_hold():
    """A padded convolution is a padded convolution, whatever it is padded with."""
    right = torch.ones(2, 2)
    assert alike(torch.zeros(4, 4), torch.ones(4, 4), right)
    assert not alike(torch.zeros(4, 4), torch.zeros(3, 3), right)
    assert not alike(torch.zeros(2, 2), 2 * right, right)
    assert alike(torch.full((2, 2), torch.nan), torch.full((2, 2), torch.nan), right)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([1, 2], [1, 2, 3]),
        ({"a": [1]}, {"a": [2]}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([torch.ones(2)], [torch.zeros(2)]),
        (torch.nn.ReLU(inplace=True), torch.nn.ReLU()),
        (len, max),
    ],
)
def test_every_change_of_an_argument_is_seen(before, after):
    assert same(before, before)
    assert not same(before, after)


def test_a_shown_value_is_short():
    assert shown(1 / 3) == "0.333333"
    assert shown(torch.ones(10, 10)) == "a tensor of the shape [10, 10]"
    assert shown({"w": [0.5, None]}) == "{'w': [0.5, None]}"
