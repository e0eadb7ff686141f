"""Layers that remember little: PyTorch's own values and gradients, bit for bit where sums allow."""

import pytest
import torch
import torch.nn.functional as nnf
from torch.testing import assert_close

from stlib import sample
from stlib._kernels import frozen
from stlib.objective import Objective

SIZES = [(2, 2), (3, 2), (8, 8), (7, 9), (17, 12), (32, 31)]


def value_and_gradient(function, x, s):
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    y = function(x)
    (gradient,) = torch.autograd.grad(y, x, s)
    return y, gradient


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_max_pool_is_pytorchs(size, layout, generator):
    x = torch.randn(2, 5, *size, generator=generator).contiguous(memory_format=layout)
    s = torch.randn(2, 5, size[0] // 2, size[1] // 2, generator=generator)
    for ours, theirs in zip(
        value_and_gradient(frozen.max_pool, x, s),
        value_and_gradient(lambda x: nnf.max_pool2d(x, 2), x, s),
        strict=True,
    ):
        assert torch.equal(ours, theirs)


def test_of_equal_ones_max_pool_takes_the_same_as_pytorch():
    """Where a ReLU made all four 0, the gradient goes to one of them, as it always did."""
    x, s = torch.zeros(1, 1, 4, 6), torch.ones(1, 1, 2, 3)
    assert torch.equal(
        value_and_gradient(frozen.max_pool, x, s)[1],
        value_and_gradient(lambda x: nnf.max_pool2d(x, 2), x, s)[1],
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (2, 3), (9, 12)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_repeated_edges_are_pytorchs_replicate_padding(size, layout, generator):
    x = torch.randn(1, 5, *size, generator=generator, dtype=torch.float64)
    s = torch.randn(1, 5, size[0] + 2, size[1] + 2, generator=generator, dtype=torch.float64)
    before = s.clone()
    for ours, theirs in zip(
        value_and_gradient(frozen.repeat_edges, x.contiguous(memory_format=layout), s),
        value_and_gradient(lambda x: nnf.pad(x, (1, 1, 1, 1), mode="replicate"), x, s),
        strict=True,
    ):
        assert_close(ours, theirs)
    assert torch.equal(s, before)


@pytest.mark.parametrize("size", SIZES)
def test_convolve_is_pytorchs(size, generator):
    x, s = (
        torch.randn(1, width, *size, generator=generator, dtype=torch.float64) for width in (3, 6)
    )
    filters, bias = (
        torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((6, 3, 3, 3), (6,))
    )
    for ours, theirs in zip(
        value_and_gradient(lambda x: frozen.convolve(x, filters, bias), x, s),
        value_and_gradient(lambda x: nnf.conv2d(x, filters, bias, padding=1), x, s),
        strict=True,
    ):
        assert_close(ours, theirs)


def test_max_pool_keeps_one_byte_for_each_output():
    x = torch.randn(1, 4, 16, 16, requires_grad=True)
    pooled = frozen.max_pool(x)
    (kept,) = pooled.grad_fn.saved_tensors
    assert (kept.dtype, kept.numel()) == (torch.uint8, 4 * 8 * 8) and kept.max() <= 3


def test_convolve_keeps_no_picture():
    x, filters = torch.randn(1, 3, 8, 8, requires_grad=True), torch.randn(4, 3, 3, 3)
    assert frozen.convolve(x, filters, torch.zeros(4)).grad_fn.saved_tensors == ()


def test_the_gradient_of_the_whole_objective_is_that_of_plain_layers(net):
    """A bias that asks for a gradient takes PyTorch's own layers, which frozen ones replace."""
    content, style = sample("castle", 64), sample("cafe-terrace", 64)
    x = sample("cat", 64)[:, :, : content.shape[2], :].clone()
    x = nnf.interpolate(x, size=content.shape[2:]).requires_grad_()
    objective = Objective(net, content, style)
    (ours,) = torch.autograd.grad(objective(x)[0], x)
    biases = [convolution.bias for convolution in net.convolutions.values()]
    try:
        for bias in biases:
            bias.requires_grad_(True)
        (theirs,) = torch.autograd.grad(objective(x)[0], x)
    finally:
        for bias in biases:
            bias.requires_grad_(False)
    # not to the last digit: in another order of sums, a ReLU near its edge falls to the other side
    assert (ours - theirs).norm() < 1e-2 * theirs.norm()
