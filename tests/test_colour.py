"""Colours of one picture, brightness of another: means, covariances and hues."""

import pytest
import torch
from torch.testing import assert_close

from stlib import sample
from stlib.colour import (
    BRIGHTNESS,
    OPPONENT,
    from_opponent,
    greyed_into_range,
    luminance,
    match_colours,
    to_opponent,
    with_colours_of,
)


def statistics(picture):
    colours = picture[0].flatten(start_dim=1).double()
    return colours.mean(dim=1), torch.cov(colours)


@pytest.mark.parametrize(
    ("picture", "reference"),
    [("castle", "cafe-terrace"), ("cafe-terrace", "castle"), ("cat", "astronaut")],
)
def test_matched_colours_have_the_references_mean_and_covariance(picture, reference):
    matched = match_colours(sample(picture, 96), sample(reference, 128))
    assert matched.shape == sample(picture, 96).shape
    for got, wanted in zip(statistics(matched), statistics(sample(reference, 128)), strict=True):
        assert_close(got, wanted, rtol=0.02, atol=1e-3)


def test_a_picture_matched_to_itself_stays():
    picture = sample("castle", 64)
    assert_close(match_colours(picture, picture), picture, rtol=1e-3, atol=1e-4)


def test_matching_is_one_map_for_all_pixels():
    """Equal colours stay equal, wherever they are: shuffling and matching commute."""
    picture, reference = sample("castle", 48), sample("cat", 48)
    order = torch.randperm(
        picture.shape[2] * picture.shape[3], generator=torch.Generator().manual_seed(0)
    )

    def shuffle(image):
        return image.flatten(2)[..., order].view_as(image)

    assert_close(
        match_colours(shuffle(picture), reference),
        shuffle(match_colours(picture, reference)),
        rtol=1e-4,
        atol=1e-5,
    )


def test_even_and_grey_pictures_do_not_break_it():
    even, grey = torch.full((1, 3, 20, 30), 0.4), luminance(sample("castle", 64))
    for picture, reference in (
        (even, sample("cat", 64)),
        (sample("cat", 64), even),
        (grey, sample("cat", 64)),
        (even, grey),
    ):
        assert torch.isfinite(match_colours(picture, reference)).all()


def test_luminance_weighs_green_most():
    primaries = torch.eye(3).view(1, 3, 3, 1)
    assert_close(luminance(primaries)[0, 0, :, 0], torch.tensor(BRIGHTNESS))
    assert sum(BRIGHTNESS) == pytest.approx(1)


def test_luminance_of_a_grey_picture_is_the_picture():
    grey = torch.rand(1, 1, 8, 8).expand(1, 3, 8, 8)
    assert_close(luminance(grey), grey)


def test_brightness_of_one_and_hues_of_the_other():
    painted, content = sample("cafe-terrace", 64), sample("castle", 64)
    painted = torch.nn.functional.interpolate(painted, size=content.shape[2:])
    both = with_colours_of(painted, content)
    assert_close(luminance(both), luminance(painted))
    assert_close(both - luminance(both), content - luminance(content))


def test_a_colour_is_greyed_until_it_fits(generator):
    """Brightness and hue stay, and what fits already is left as it is."""
    colours = with_colours_of(*torch.rand(2, 1, 3, 8, 9, generator=generator))
    assert colours.min() < 0 and colours.max() > 1
    greyed = greyed_into_range(colours)
    assert greyed.min() >= 0 and greyed.max() <= 1
    assert_close(luminance(greyed), luminance(colours).clamp(0, 1), rtol=0, atol=1e-5)
    fits = ((colours >= 0) & (colours <= 1)).all(dim=1, keepdim=True)
    assert 0 < fits.float().mean() < 1
    assert_close(greyed[fits.expand(1, 3, -1, -1)], colours[fits.expand(1, 3, -1, -1)])
    before, after = colours - luminance(colours), greyed - luminance(greyed)
    share = after.norm(dim=1, keepdim=True) / before.norm(dim=1, keepdim=True).clamp(min=1e-9)
    assert share.max() < 1.001
    assert_close(after, share * before, rtol=0, atol=1e-4)


def test_black_and_white_stay_what_they_are():
    ends = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2).expand(1, 3, 1, 2)
    assert torch.equal(greyed_into_range(ends), ends)


def test_pictures_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="they must agree"):
        with_colours_of(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 9))


def test_opponent_colours_turn_and_stretch_nothing():
    """The rows are orthonormal, a grey picture has brightness alone, and there is a way back."""
    assert_close(OPPONENT @ OPPONENT.T, torch.eye(3))
    grey = sample("cat", 64).mean(dim=1, keepdim=True).expand(1, 3, -1, -1)
    assert to_opponent(grey)[:, 1:].abs().max() < 1e-6
    picture = sample("cat", 64)
    assert_close(from_opponent(to_opponent(picture)), picture)
