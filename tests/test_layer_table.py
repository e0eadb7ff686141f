"""The layer table: arithmetic that agrees with what is measured on the running network."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from stlib import VGG
from stlib._kernels import winograd
from stlib.layers import layer_names, layer_table

SIZES = [(32, 32), (64, 48), (75, 130)]


@pytest.fixture(scope="module", params=[16, 19])
def random_net(request):
    """An untrained network; average pooling, so that no position hides behind a larger one."""
    return VGG(request.param, weights="random", pooling="average", normalized=False, device="cpu")


@pytest.mark.parametrize("size", SIZES)
def test_shapes_and_memory_are_those_of_the_running_network(random_net, size):
    found = random_net.features(torch.rand(1, 3, *size), random_net.names)
    table = layer_table(random_net.depth, size)
    assert [row.name for row in table] == list(random_net.names)
    assert {row.name: (1, *row.shape) for row in table} == {
        name: tuple(f.shape) for name, f in found.items()
    }
    assert {row.name: row.activation_bytes for row in table} == {
        name: f.nbytes for name, f in found.items()
    }


@pytest.mark.parametrize("size", SIZES)
def test_parameters_and_macs_are_those_of_the_running_network(random_net, size, monkeypatch):
    """PyTorch's own counter of operations, two for each multiplication and addition."""
    monkeypatch.setattr(winograd, "pays", lambda convolution, x: False)
    operations, counter = {}, FlopCounterMode(display=False)
    convolve = winograd.Convolution.forward
    names = {convolution: name for name, convolution in random_net.convolutions.items()}

    def counted(convolution, x, padding):
        before = counter.get_total_flops()
        result = convolve(convolution, x, padding)
        operations[names[convolution]] = counter.get_total_flops() - before
        return result

    monkeypatch.setattr(winograd.Convolution, "forward", counted)
    with counter:
        random_net.features(torch.rand(1, 3, *size), random_net.names[-1])
    rows = {row.name: row for row in layer_table(random_net.depth, size)}
    assert operations == {name: 2 * rows[name].macs for name in random_net.convolutions}
    parameters = {
        name: sum(tensor.numel() for tensor in convolution.parameters())
        for name, convolution in random_net.convolutions.items()
    }
    assert parameters == {name: rows[name].parameters for name in random_net.convolutions}
    others = [row for name, row in rows.items() if name not in operations]
    assert len(others) > len(operations) and all(row.macs == row.parameters == 0 for row in others)


def seen_rows(net, layer, position, size):
    """The first and last row of the picture that change `layer` at a position."""
    x = torch.rand(1, 3, size, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
    net.features(x, [layer])[layer][0, :, position].square().sum().backward()
    rows = x.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    return int(rows[0]), int(rows[-1])


@pytest.mark.parametrize(
    "layer",
    ["conv1_1", "conv1_2", "pool1", "conv2_1", "conv3_1", "relu3_4", "conv4_2", "conv5_1", "pool5"],
)
def test_receptive_field_and_stride_are_what_the_gradient_reaches(layer, monkeypatch):
    """What a position sees has a gradient, nothing else; its neighbour sees one stride further."""
    monkeypatch.setattr(
        winograd, "pays", lambda convolution, x: False
    )  # its tiles leave rounding errors beyond the field
    net = VGG(19, weights="random", pooling="average", normalized=False, device="cpu")
    row = {row.name: row for row in layer_table(19, (544, 32))}[layer]
    middle = row.shape[1] // 2
    first, last = seen_rows(net, layer, middle, 544)
    assert last - first + 1 == row.receptive_field
    assert seen_rows(net, layer, middle + 1, 544) == (first + row.stride, last + row.stride)


def test_the_published_numbers():
    """20 and 14.7 million parameters; 361,152 multiplications per pixel up to conv5_1; fields."""
    assert sum(row.parameters for row in layer_table(19)) == 20_024_384
    assert sum(row.parameters for row in layer_table(16)) == 14_714_688
    rows = layer_table(19, 256)
    up_to = [row.name for row in rows].index("conv5_1") + 1
    assert sum(row.macs for row in rows[:up_to]) == 361_152 * 256**2
    fields = {row.name.removeprefix("conv"): row.receptive_field for row in rows}
    published = {
        "1_1": 3,
        "1_2": 5,
        "2_1": 10,
        "2_2": 14,
        "3_1": 24,
        "3_4": 48,
        "4_1": 68,
        "4_2": 84,
        "4_4": 116,
        "5_1": 156,
    }
    assert fields | published == fields


def test_a_number_is_the_side_of_a_square():
    assert layer_table(16, 64) == layer_table(16, (64, 64))
    assert [row.name for row in layer_table(16)] == list(layer_names(16))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="there are VGG-16 and VGG-19"):
        layer_table(13)
    with pytest.raises(
        ValueError, match=r"48 × 31 pixels is too small for pool5: each side needs at least 32"
    ):
        layer_table(19, (31, 48))
