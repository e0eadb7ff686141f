"""Winograd's convolution is conv2d, in value and gradient."""

import pytest
import torch
import torch.nn.functional as nnf

from stlib._kernels import winograd

SIZES = [
    (1, 1),
    (3, 2),
    (4, 4),
    (5, 7),
    (13, 9),
    (16, 24),
    (100, 101),
    (8, 2053),
]  # the last two need several chunks


def error(ours, exact):
    """The largest difference as a fraction of the largest value."""
    return ((ours - exact).abs().max() / exact.abs().max()).item()


@pytest.fixture
def layer(generator):
    """A frozen convolution from 7 to 5 channels."""
    filters, biases = (
        torch.randn(5, 7, 3, 3, generator=generator),
        torch.randn(5, generator=generator),
    )
    return winograd.Convolution(filters, biases).requires_grad_(False)


def direct(x, convolution):
    """PyTorch's own convolution with the same filters, in the precision of x."""
    return nnf.conv2d(x, convolution.weight.to(x), convolution.bias.to(x), padding=1)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_convolve_is_conv2d_in_value_and_gradient(layer, size, layout, generator):
    """y = conv2d(x, g, bias, padding=1), and ∂(s·y)/∂x for a random s, against float64."""
    x = torch.randn(1, 7, *size, generator=generator).to(memory_format=layout).requires_grad_()
    s = torch.randn(1, 5, *size, generator=generator)
    exact_x = x.detach().double().requires_grad_()
    y = winograd.convolve(x, layer)
    exact = direct(exact_x, layer)
    assert y.shape == exact.shape
    assert error(y, exact) < 1e-5
    (gradient,), (exact_gradient,) = (
        torch.autograd.grad(y, x, s),
        torch.autograd.grad(exact, exact_x, s.double()),
    )
    assert error(gradient, exact_gradient) < 1e-5


@pytest.mark.parametrize("size", [(3, 3), (4, 6), (13, 9), (34, 50)], ids=str)
def test_without_a_border_it_is_conv2d_without_padding(layer, size, generator):
    """For a map that brings its own border, in value and gradient."""
    x = torch.randn(1, 7, *size, generator=generator).requires_grad_()
    exact_x = x.detach().double().requires_grad_()
    y = winograd.convolve(x, layer, border=0)
    exact = nnf.conv2d(exact_x, layer.weight.double(), layer.bias.double())
    s = torch.randn(exact.shape, generator=generator)
    (gradient,) = torch.autograd.grad(y, x, s)
    (exact_gradient,) = torch.autograd.grad(exact, exact_x, s.double())
    assert y.shape == exact.shape
    assert error(y, exact) < 1e-5 and error(gradient, exact_gradient) < 1e-5


@pytest.mark.parametrize(
    ("size", "tiles"),
    [((16, 24), [24]), ((100, 101), [494, 156]), ((8, 2053), [514, 514])],
    ids=str,
)
def test_large_sizes_are_worked_in_chunks(layer, size, tiles, monkeypatch):
    """Whole rows of 4 × 4 tiles, at most TILES_AT_ONCE, here 512; else a single row."""
    seen, product = [], torch.bmm
    monkeypatch.setattr(winograd, "TILES_AT_ONCE", 512)
    monkeypatch.setattr(
        torch, "bmm", lambda V, filters: seen.append(V.shape[1]) or product(V, filters)
    )
    winograd.convolve(torch.zeros(1, 7, *size), layer)
    assert seen == tiles


def test_gradient_of_a_sum(layer):
    """An upstream gradient that is one number, expanded, has no memory layout of its own."""
    x = torch.zeros(1, 7, 6, 5, requires_grad=True)
    winograd.convolve(x, layer).sum().backward()
    exact = torch.zeros(1, 7, 6, 5, requires_grad=True)
    direct(exact, layer).sum().backward()
    assert error(x.grad, exact.grad) < 1e-5


def test_gradient_is_that_of_finite_differences(layer, generator):
    """s · (y(x + v) − y(x − v)) / 2 = ∂(s·y)/∂x · v, exactly: a convolution is linear."""
    x, v, s = (torch.randn(1, n, 6, 5, generator=generator) for n in (7, 7, 5))
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(winograd.convolve(x, layer), x, s)
    with torch.no_grad():
        difference = winograd.convolve(x + v, layer) - winograd.convolve(x - v, layer)
    assert (s * difference / 2).sum().item() == pytest.approx((gradient * v).sum().item(), rel=1e-4)


def test_error_on_the_trained_network(trained, content):
    """conv4_2 of the castle, 512 channels to 512: below 1e-5 of the maximum."""
    x = trained.features(content, ["relu4_1"])["relu4_1"]
    convolution = trained.convolutions["conv4_2"]
    assert winograd.pays(convolution, x)
    ours = winograd.convolve(x, convolution)
    exact = direct(x.double(), convolution)
    assert error(ours, exact) < 1e-5


@pytest.fixture
def wide():
    """A frozen convolution that is worth it, and its input."""
    return torch.nn.Conv2d(128, 256, 3, padding=1).requires_grad_(False), torch.zeros(1, 128, 4, 4)


def test_pays_for_a_wide_frozen_layer_and_one_picture(wide):
    assert winograd.pays(*wide)


@pytest.mark.parametrize("change", ["float64", "batch of two", "another device", "few channels"])
def test_does_not_pay(wide, change):
    """It is written for float32, one picture, a CPU, and many channels."""
    convolution, x = wide
    if change == "few channels":
        convolution, x = torch.nn.Conv2d(128, 128, 3, padding=1).requires_grad_(False), x
    else:
        x = {
            "float64": x.double(),
            "batch of two": x.expand(2, -1, -1, -1),
            "another device": x.to("meta"),
        }[change]
    assert not winograd.pays(convolution, x)


def test_filters_that_are_trained_have_gradients(generator):
    """A network that is not frozen takes PyTorch's own convolution."""
    filters = torch.randn(256, 128, 3, 3, generator=generator)
    convolution = winograd.Convolution(filters, torch.zeros(256))
    convolution(torch.rand(1, 128, 4, 4, generator=generator)).sum().backward()
    assert convolution.weight.grad.abs().max() > 0 and convolution.bias.grad.abs().max() > 0


@pytest.mark.parametrize(("side", "kept"), [(8, True), (46, False)])
def test_transformed_filters_are_kept_for_small_pictures_only(side, kept, generator):
    """46 × 46 positions are more than LARGE; what a smaller picture has left goes, too."""
    filters = torch.randn(256, 128, 3, 3, generator=generator)
    convolution = winograd.Convolution(filters, torch.zeros(256)).requires_grad_(False)
    convolution(torch.zeros(1, 128, 8, 8))
    convolution(torch.zeros(1, 128, side, side))
    assert (convolution.transformed is not None) == kept


@pytest.mark.parametrize("side", [8, 64])
def test_filters_that_change_are_transformed_anew(layer, side, generator):
    """Whether or not they are kept."""
    x = torch.randn(1, 7, side, side, generator=generator)
    winograd.convolve(x, layer)
    with torch.no_grad():
        layer.weight.mul_(2)
    assert error(winograd.convolve(x, layer), direct(x.double(), layer)) < 1e-5
