"""Winograd's convolution is conv2d, in value and gradient."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

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
def convolution(generator, monkeypatch):
    """A frozen convolution from 7 to 5 channels, for which Winograd's way is taken."""
    filters = torch.randn(5, 7, 3, 3, generator=generator)
    made = winograd.Convolution(filters, torch.randn(5, generator=generator)).requires_grad_(False)
    monkeypatch.setattr(winograd, "pays", lambda convolution, x: True)
    return made


def exactly(convolution, x):
    """conv2d in double precision."""
    return F.conv2d(x, convolution.weight.double(), convolution.bias.double(), padding=1)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_it_is_conv2d_in_value_and_gradient(convolution, size, layout, generator):
    """y = conv2d(x, g, bias, padding=1), and ∂(s·y)/∂x for a random s, against float64."""
    x = torch.randn(1, 7, *size, generator=generator).to(memory_format=layout).requires_grad_()
    s = torch.randn(1, 5, *size, generator=generator)
    exact_x = x.detach().double().requires_grad_()
    y, exact = convolution(x), exactly(convolution, exact_x)
    assert y.shape == exact.shape
    assert error(y, exact) < 1e-5
    (gradient,) = torch.autograd.grad(y, x, s)
    (exact_gradient,) = torch.autograd.grad(exact, exact_x, s.double())
    assert error(gradient, exact_gradient) < 1e-5


@pytest.mark.parametrize(
    ("size", "tiles"),
    [((16, 24), [24]), ((100, 101), [494, 156]), ((8, 2053), [514, 514])],
    ids=str,
)
def test_large_sizes_are_worked_in_chunks(convolution, size, tiles, monkeypatch):
    """Whole rows of 4 × 4 tiles, at most TILES_AT_ONCE, here 512; else a single row."""
    seen, product = [], torch.bmm
    monkeypatch.setattr(winograd, "TILES_AT_ONCE", 512)
    monkeypatch.setattr(
        torch, "bmm", lambda V, filters: seen.append(V.shape[1]) or product(V, filters)
    )
    convolution(torch.zeros(1, 7, *size))
    assert seen == tiles


def test_gradient_of_a_sum(convolution):
    """An upstream gradient that is one number, expanded, has no memory layout of its own."""
    x = torch.zeros(1, 7, 6, 5, requires_grad=True)
    convolution(x).sum().backward()
    exact = torch.zeros(1, 7, 6, 5, dtype=torch.float64, requires_grad=True)
    exactly(convolution, exact).sum().backward()
    assert error(x.grad, exact.grad) < 1e-5


def test_gradient_is_that_of_finite_differences(convolution, generator):
    """s · (y(x + v) − y(x − v)) / 2 = ∂(s·y)/∂x · v, exactly: a convolution is linear."""
    x, v, s = (torch.randn(1, n, 6, 5, generator=generator) for n in (7, 7, 5))
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(convolution(x), x, s)
    with torch.no_grad():
        difference = convolution(x + v) - convolution(x - v)
    assert (s * difference / 2).sum().item() == pytest.approx((gradient * v).sum().item(), rel=1e-4)


def test_error_on_the_trained_network(trained, content):
    """conv4_2 of the castle, 512 channels to 512: below 1e-5 of the maximum."""
    x = trained.features(content, ["relu4_1"])["relu4_1"]
    convolution = trained.convolutions["conv4_2"]
    assert winograd.pays(convolution, x)
    assert error(convolution(x), exactly(convolution, x.double())) < 1e-5


# which filters are kept, and which way is taken


def test_transformed_filters_are_kept_for_small_pictures_only(convolution):
    """They take four times the memory; large pictures make them anew, which costs them little."""
    convolution(torch.zeros(1, 7, 8, 8))
    kept = convolution.transformed
    convolution(torch.zeros(1, 7, 9, 7))
    assert convolution.transformed is kept is not None
    convolution(torch.zeros(1, 7, 64, 64))
    assert convolution.transformed is None


@pytest.mark.parametrize("size", [(8, 8), (64, 64)])
def test_filters_that_change_are_transformed_anew(convolution, size, generator):
    """After `forget`; at large sizes in any case."""
    x = torch.randn(1, 7, *size, generator=generator)
    before = convolution(x)
    convolution.weight.data.mul_(2)
    convolution.forget()
    doubled = convolution(x) - convolution.bias.view(1, -1, 1, 1)
    assert error(doubled, 2 * (before - convolution.bias.view(1, -1, 1, 1))) < 1e-5


def test_filters_that_are_trained_get_a_gradient(convolution, generator):
    """PyTorch's own convolution takes over."""
    x = torch.randn(1, 7, 6, 5, generator=generator)
    convolution.requires_grad_(True)(x).sum().backward()
    assert_close(convolution.weight.grad[0], convolution.weight.grad[1])  # of the same sums of x
    assert_close(convolution.bias.grad, torch.full((5,), 30.0))
    assert torch.equal(convolution(x), F.conv2d(x, convolution.weight, convolution.bias, padding=1))


@pytest.fixture
def wide():
    """A convolution that is worth it, and its input."""
    return torch.nn.Conv2d(128, 256, 3, padding=1), torch.zeros(1, 128, 4, 4)


def test_it_pays_for_a_wide_layer_and_one_picture(wide):
    assert winograd.pays(*wide)


@pytest.mark.parametrize("change", ["float64", "batch of two", "another device", "few channels"])
def test_it_does_not_pay(wide, change):
    """It is written for float32, one picture, a CPU and many channels."""
    convolution, x = wide
    if change == "few channels":
        convolution = torch.nn.Conv2d(128, 128, 3, padding=1)
    else:
        x = {
            "float64": x.double(),
            "batch of two": x.expand(2, -1, -1, -1),
            "another device": x.to("meta"),
        }[change]
    assert not winograd.pays(convolution, x)
