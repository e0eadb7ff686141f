"""The layers of VGG-16 and VGG-19: who follows whom, and that nobody takes their names apart."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
import torch

import stlib
from stlib import VGG
from stlib.layers import (
    Layer,
    check_layers,
    conv_shapes,
    find_layer,
    layer_names,
    layer_table,
    layers_of,
    route,
)

PACKAGE = Path(stlib.__file__).parent
NAME = r"[\"'](conv|relu|pool)"  # the beginning of a layer's name, as a text
SURGERY = {
    "asks how a name begins": rf"\.(startswith|endswith|find|index|split|partition)\(\(?{NAME}",
    "cuts a name": r"\b(layer|name)\[(-?[1-9]:?\d?|:\d)\]",
    "puts a kind in another's place": rf"\.(replace|removeprefix|removesuffix|strip)\({NAME}",
    "looks for a kind": rf"{NAME}[\"'] (not )?in (layer|name)\b",
}


@pytest.fixture(params=[16, 19])
def depth(request):
    return request.param


def test_below_and_above_undo_each_other(depth):
    """Each layer is above the one below it; the first has none below, the last none above."""
    layers = layers_of(depth)
    for lower, upper in pairwise(layers):
        assert lower.above is upper and upper.below is lower
    assert layers[0].below is None and layers[-1].above is None


def test_a_layer_is_found_by_its_name(depth):
    assert [find_layer(name, depth) for name in layer_names(depth)] == list(layers_of(depth))
    assert find_layer("relu4_2", depth) == Layer(depth, "relu", 4, 2)
    assert find_layer("pool3", depth) == Layer(depth, "pool", 3)
    with pytest.raises(ValueError, match=rf"no layer 'relu4_5' in VGG-{depth}; block 4 has"):
        find_layer("relu4_5", depth)


def test_each_layer_passes_on_the_output_of_a_convolution(depth):
    """A convolution its own, a ReLU that of its number, a pooling the last one of its block."""
    last = {}
    for layer in layers_of(depth):
        if layer.kind == "conv":
            last[layer.block] = layer
        assert layer.convolution is last[layer.block]
        assert layer.kind != "relu" or layer.convolution.number == layer.number


def test_channels_go_from_convolution_to_convolution(depth):
    """Of the picture there are three; one goes out where the next goes in."""
    shapes = list(conv_shapes(depth))
    assert [layer.kind for layer, _, _ in shapes] == ["conv"] * (depth - 3)
    assert shapes[0][1] == 3
    assert all(out == into for (_, _, out), (_, into, _) in pairwise(shapes))


def test_each_pooling_halves(depth):
    """The stride of a layer is 2 to the number of poolings that it and those below it are."""
    for layer, row in zip(layers_of(depth), layer_table(depth, 64), strict=True):
        assert row.name == layer.name
        assert row.stride == 2**layer.poolings
        below = layer.below.poolings if layer.below else 0
        assert layer.poolings == below + (layer.kind == "pool")


def test_the_smallest_picture_leaves_one_position(depth):
    """In the running network, for every layer; a pixel less on either side is refused."""
    net = VGG(depth, weights="random", normalized=False, device="cpu")
    for layer in layers_of(depth):
        side = layer.smallest_side
        found = net.features(torch.zeros(1, 3, side, side), layer.name)[layer.name]
        assert found.shape[2:] == (1, 1)
        for height, width in ((side - 1, 40), (40, side - 1)):
            too_small = rf"{width} × {height} pixels is too small for {layer.name}: .* {side}\.$"
            with pytest.raises(ValueError, match=too_small):
                net.features(torch.zeros(1, 3, height, width), layer.name)
            with pytest.raises(ValueError, match=too_small):
                check_layers(torch.zeros(1, 3, height, width), [layer.name], depth)


def test_a_pooling_comes_before_the_relu_below_it_where_nobody_asked_for_either(depth):
    """Whatever is asked for, the route has the same layers; only such pairs have changed places."""
    deepest = layers_of(depth)[-1]
    for layer in layers_of(depth):
        if layer.kind != "pool":
            continue
        near = {layer.name, layer.below.name, layer.convolution.name}
        for name in near:
            order = route(depth, (name, deepest.name), max_pooling=True)
            assert order.index(layer) == order.index(layer.below) + 1, name
    order = route(depth, (deepest.name,), max_pooling=True)
    assert {*order} == {*layers_of(depth)} and order != layers_of(depth)
    poolings = [layer for layer in order if layer.kind == "pool" and layer != deepest]
    assert all(order.index(layer) == order.index(layer.below) - 1 for layer in poolings)
    assert route(depth, (deepest.name,), max_pooling=False) == layers_of(depth)


# names are made and read in one module


@pytest.mark.parametrize("what", SURGERY)
def test_layer_names_are_not_taken_apart(what):
    """Outside of layers.py, which knows the kind, block and number of each layer."""
    found = [
        f"{path.relative_to(PACKAGE)}: {line.strip()}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "layers.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(SURGERY[what], line)
    ]
    assert "\n".join(found) == ""


@pytest.mark.parametrize(
    ("line", "is_surgery"),
    [
        ('if name.startswith("relu"):', True),
        ('if layer.startswith(("conv", "relu")):', True),
        ("block = int(layer[4])", True),
        ("kind = row.name[:4]", True),
        ("number = name[-1]", True),
        ('layer.replace("relu", "conv")', True),
        ('row.name.removeprefix("conv")', True),
        ('if "pool" in name:', True),
        ("features[layer]", False),
        ('features["relu1_1"]', False),
        ('Layer(19, "relu", 4, 2).name', False),
        ('text.startswith("VGG")', False),
        ("names[:3]", False),
    ],
)
def test_surgery_is_seen(line, is_surgery):
    assert any(re.search(pattern, line) for pattern in SURGERY.values()) == is_surgery
