"""stlib.course.quality: the measures are what they say, and find what they are for."""

import numpy as np
import pytest
import torch
from torch import nn

from stlib import content_loss, sample, style_layer_loss, style_target
from stlib.course import quality
from stlib.settings import STYLE_LAYERS

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def castle():
    return sample("castle", 192)


@pytest.fixture(scope="module")
def terrace():
    return sample("cafe-terrace", 192)


def noise(like, strength):
    return strength * torch.randn(like.shape, generator=torch.Generator().manual_seed(0))


def power(picture, plane, low, high):
    """Mean power of the waves of low … high cycles per pixel under a Hann window, with NumPy."""
    levels = np.round(np.clip(picture[0].numpy().astype(float), 0, 1) * 255) / 255
    signal = np.einsum("c,chw->hw", plane, levels)
    window = np.outer(np.hanning(signal.shape[0]), np.hanning(signal.shape[1]))
    spectrum = np.abs(np.fft.fft2((signal - signal.mean()) * window)) ** 2 / (window**2).sum()
    f = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, signal.shape), indexing="ij"))
    return spectrum[(f >= low) & (f < high)].mean()


def test_grain_is_the_power_of_fine_waves_over_the_paintings(castle, terrace):
    rough = castle + noise(castle, 0.1)  # leaves 0…1, so that clamping matters
    brightness, colour = quality.grain(rough, terrace)
    y, cb, cr = [0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]
    for number, band in enumerate([(0.25, 0.35), (0.35, 0.50)]):
        ratio = power(rough, y, *band) / power(terrace, y, *band)
        assert brightness[number] == pytest.approx(ratio, rel=1e-9)
        of_rough = power(rough, cb, *band) + power(rough, cr, *band)
        of_style = power(terrace, cb, *band) + power(terrace, cr, *band)
        assert colour[number] == pytest.approx(of_rough / of_style, rel=1e-9)


def test_grey_noise_is_grain_of_brightness_alone(castle):
    grey = noise(castle, 0.05)[:, :1].expand_as(castle)
    muted = 0.25 + castle / 2  # nothing is clamped
    brightness, colour = quality.grain(muted + grey, muted)
    assert min(brightness) > 2
    assert colour == pytest.approx((1, 1), rel=0.02)


def test_clipped_counts_numbers_at_the_ends_after_rounding():
    picture = torch.full((1, 3, 2, 2), 0.5)
    picture[0, 0] = torch.tensor([[-0.3, 0.001], [0.999, 0.99]])  # 0, 0, 255 and 252 of 255
    assert quality.clipped(picture) == 3 / 12


def test_the_judges_network_computes_what_the_painters_does(castle, terrace, net):
    """Written independently, it agrees with VGG: E_l, and L_content as a share of ½ Σ P²."""
    result = quality.as_saved(castle + noise(castle, 0.05)).float()
    losses = quality.style_losses(result, terrace)
    F, A = (net.features(picture, STYLE_LAYERS) for picture in (result, terrace))
    for layer in STYLE_LAYERS:
        expected = float(style_layer_loss(F[layer], style_target(A[layer])))
        assert losses[layer] == pytest.approx(expected, rel=1e-3)
    X, P = (net.features(picture, "relu4_2")["relu4_2"] for picture in (result, castle))
    share = float(content_loss(X, P) / content_loss(P, torch.zeros_like(P)))
    assert quality.content_distance(result, castle) == pytest.approx(share, rel=1e-3)
    modules = quality.plain_network(torch.device("cpu")).convolutions.values()
    assert {type(module) for module in modules} == {nn.Conv2d}


def test_nothing_is_closer_to_a_picture_than_itself(castle):
    found = quality.judge(castle, castle, castle)
    assert found.content == 0
    assert found.style_loss == 0
    assert found.content_replicated == quality.mean_loss(found.style_replicated) == 0
    assert found.brightness_grain == found.colour_grain == (1, 1)
    assert found.clipped == found.clipped_style


def with_border_of(picture, painting):
    """The picture with the outer 32 pixels of the painting, each corner at its place."""
    framed = picture.clone()
    height, width = picture.shape[2:]
    for down in (False, True):
        for right in (False, True):
            axes = [axis for axis, turn in ((2, down), (3, right)) if turn]
            place, source = framed.flip(axes), painting.flip(axes)
            inner = place[:, :, 32:, 32:].clone()
            place[:, :, : height // 2, : width // 2] = source[:, :, : height // 2, : width // 2]
            place[:, :, 32:, 32:] = inner
            framed = place.flip(axes)
    return framed


def test_ghost_is_found_where_the_paintings_border_shows(castle, terrace):
    framed = with_border_of(castle, terrace)
    found = quality.border_ghost(framed, castle, terrace)
    assert found.above_chance > 3
    assert found.value > 0.5


def test_ghost_of_the_mirror_image_has_the_other_sign(castle, terrace):
    framed = with_border_of(castle, terrace.flip(3))
    found = quality.border_ghost(framed, castle, terrace)
    assert found.above_chance < -2


def test_ghost_from_two_pictures_sees_what_changed_sides(castle, terrace):
    framed = with_border_of(castle, terrace)
    mirrored = with_border_of(castle, terrace.flip(3))
    assert quality.mirror_ghost(framed, mirrored, terrace).value > 0.6
    assert quality.mirror_ghost(framed, framed, terrace).value == 0  # it does not follow the style


def test_the_photos_own_border_is_no_ghost(terrace):
    """A photo that looks like the painting keeps doing so: that is not the solver's doing."""
    darker = 0.9 * terrace
    found = quality.border_ghost(darker, terrace, terrace)
    assert abs(found.value) < 0.3
    assert quality.border_ghost(terrace, terrace.flip(3), terrace).value > 0.8


def test_report_names_each_measure(castle, terrace):
    report = str(quality.judge(castle + noise(castle, 0.1), castle, terrace))
    for word in ("brightness", "colour", "ghost", "clipped", "content", "relu5_1"):
        assert word in report


def test_pictures_of_two_sizes_are_refused(castle, terrace):
    for measure in (quality.judge, quality.border_ghost, quality.mirror_ghost):
        with pytest.raises(ValueError, match="must agree"):
            measure(terrace, castle, terrace)
