"""Grids of experiments: one call a setting, one yardstick for all."""

import pytest
import torch

from stlib import style_transfer
from stlib.course import grid
from stlib.losses import content_loss, style_layer_loss, style_target

LAYERS = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]


@pytest.fixture
def small(content, style):
    return content[..., :40, :48], style[..., :48, :40]


def test_a_grid_is_one_call_for_each_setting(net, small):
    """What a setting does not name is the same for all."""
    content, style = small
    results = grid.run(
        {"as usual": {}, "noise": {"init": "noise"}}, content, style, net, steps=3, seed=5
    )
    assert list(results) == ["as usual", "noise"]
    for result, init in zip(results.values(), ("content", "noise"), strict=True):
        alone = style_transfer(
            content, style, net=net, solver="plain", init=init, steps=3, seed=5, progress=False
        )
        assert torch.equal(result.image, alone.image)
        assert len(result.history) == 3


def test_a_setting_may_replace_the_pictures(net, small):
    content, style = small
    results = grid.run(
        {"smaller": {"content": content[..., :32, :32]}}, content, style, net, steps=1
    )
    assert results["smaller"].image.shape == (1, 3, 32, 32)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 2, "init": "noise"}, "setting 'b' changes init and steps, which is also given"),
        ({"beta": "much"}, "beta is 'much'"),
    ],
)
def test_a_wrong_setting_is_refused_before_any_work(net, small, monkeypatch, wrong, message):
    """The last of them before the first is painted."""
    monkeypatch.setattr(grid, "paint", lambda **_: pytest.fail("it painted"))
    with pytest.raises(ValueError, match=message):
        grid.run({"a": {}, "b": wrong}, *small, net, steps=1, init="style")


def test_all_are_judged_by_the_same_losses(net, small):
    content, style = small
    picture = content.flip(-1)
    rows = grid.judge({"photo": content, "mirrored": picture}, content, style, net)
    assert list(rows["photo"]) == ["content", *LAYERS]
    assert rows["photo"]["content"] == 0
    found, P = (net.features(x, ["relu4_2", *LAYERS]) for x in (picture, content))
    expected = 2 * content_loss(found["relu4_2"], P["relu4_2"]) / P["relu4_2"].numel()
    assert rows["mirrored"]["content"] == pytest.approx(float(expected), rel=1e-4)
    for layer in LAYERS:
        expected = style_layer_loss(found[layer], style_target(net.features(style, [layer])[layer]))
        assert rows["mirrored"][layer] == pytest.approx(float(expected), rel=1e-3)


def test_the_style_itself_has_no_style_loss(net, small):
    _, style = small
    row = grid.judge({"the painting": style}, style, style, net)["the painting"]
    assert all(value == pytest.approx(0, abs=1e-9) for value in row.values())


def test_a_table_is_aligned():
    lines = grid.table(
        {"as usual": {"content": 3.14159, "relu1_1": 0.05}, "a": {"content": 12.3, "relu1_1": 0.0}}
    ).splitlines()
    assert lines == [
        "          content  relu1_1",
        "as usual      3.1     0.05",
        "a              12        0",
    ]
