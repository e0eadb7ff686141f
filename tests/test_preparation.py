"""The size of the strokes and whose the colours are: pictures before and after painting."""

import pytest
import torch
from torch.testing import assert_close

from stlib import Brush, Settings, estimate, sample, style_transfer
from stlib.colour import luminance
from stlib.preparation import finish, prepare, resize_styles
from stlib.transfer import paint

CHEAP = {"content_layers": ("relu2_1",), "style_layers": ("relu1_1", "relu2_1"), "steps": 6}
WAYS = {
    "fast": {},
    "plain": {"solver": "plain"},
    "adam": {"optimizer": "adam"},
    "noise": {"init": "noise"},
    "a picture": {"init": 1 - sample("castle", 64)},
    "the painting": {"init": "style"},
}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def small_stages(monkeypatch):
    """Coarse stages for small pictures."""
    monkeypatch.setattr("stlib.solver.SMALLEST_SIDE", 16)


@pytest.fixture
def castle():
    return sample("castle", 64)


@pytest.fixture
def cafe():
    return sample("cafe-terrace", 96)


@pytest.fixture
def halves(castle):
    """Masks of the left and the right half."""
    left = torch.zeros(castle.shape[2:])
    left[:, :32] = 1
    return left, 1 - left


def statistics(picture):
    """Mean and standard deviations of red, green and blue, and their correlations."""
    colours = picture[0].flatten(start_dim=1)
    return colours.mean(dim=1), colours.std(dim=1), torch.corrcoef(colours)


def distance(picture, other):
    """How far the statistics of two pictures' colours are apart."""
    pairs = zip(statistics(picture), statistics(other), strict=True)
    return sum(float((one - two).abs().mean()) for one, two in pairs)


def hues(picture):
    """What is left of each colour without its brightness."""
    return picture - luminance(picture)


# strokes


@pytest.mark.parametrize(
    ("style_size", "sides"), [(None, (96, 77)), (96, (96, 77)), (48, (48, 38)), (192, (192, 154))]
)
def test_the_longer_side_of_a_painting_is_the_style_size(cafe, style_size, sides):
    (brush,) = resize_styles([Brush(cafe)], style_size)
    assert brush.picture.shape[2:] == sides
    assert (brush.picture is cafe) == (sides == (96, 77)), "at that size already"
    assert brush.picture.min() >= 0 and brush.picture.max() <= 1


def test_small_paintings_have_no_stripes():
    """Resizing averages what is too fine: lines of one pixel become grey."""
    lines = torch.zeros(1, 3, 128, 128)
    lines[..., ::2] = 1
    (brush,) = resize_styles([Brush(lines)], 40)
    assert_close(brush.picture, torch.full((1, 3, 40, 40), 0.5), atol=0.05, rtol=0)


def test_the_style_is_that_of_the_resized_painting(net, castle, cafe):
    """Bit for bit; and another one than that of the painting as it is."""
    with_size = style_transfer(castle, cafe, net=net, style_size=48, progress=False, **CHEAP)
    (small,) = resize_styles([Brush(cafe)], 48)
    given_small = style_transfer(castle, small.picture, net=net, progress=False, **CHEAP)
    as_it_is = style_transfer(castle, cafe, net=net, progress=False, **CHEAP)
    assert torch.equal(with_size.image, given_small.image)
    assert with_size.history[0]["relu2_1"] != as_it_is.history[0]["relu2_1"]


def test_every_painting_has_the_style_size(castle, cafe, halves):
    """Brushes keep their weights and masks."""
    brushes = [Brush(cafe, 2.0, halves[0]), Brush(sample("cat", 64), 1.0, halves[1])]
    p, made, settings = prepare(castle, brushes, Settings(style_size=56))
    assert [max(brush.picture.shape) for brush in made] == [56, 56]
    assert [brush.weight for brush in made] == [2.0, 1.0]
    assert all(brush.mask is mask for brush, mask in zip(made, halves, strict=True))
    assert p is castle and settings == Settings(style_size=56)


def test_the_estimate_is_that_of_the_resized_painting(net, castle, cafe):
    """A large painting needs more memory than the run on a small photo."""
    large, as_it_is = (
        estimate(castle, cafe, net=net, style_size=size, **CHEAP).bytes for size in (2000, None)
    )
    assert large > as_it_is + 5e8


# colours


def test_the_painting_gets_the_colours_of_the_photo(castle, cafe):
    """Nothing else changes: the photo and the settings stay."""
    p, (brush,), settings = prepare(castle, [Brush(cafe)], Settings(colors="photo"))
    assert p is castle and settings == Settings(colors="photo")
    for got, wanted in zip(statistics(brush.picture), statistics(castle), strict=True):
        assert_close(got, wanted, rtol=0, atol=0.05)
    assert distance(brush.picture, castle) < distance(cafe, castle) / 5


def test_in_its_region_a_painting_gets_the_colours_of_the_region(castle, cafe):
    """The sky's painting becomes blue, that of the meadow green."""
    red, blue = (torch.tensor(colour).view(1, 3, 1, 1) for colour in ([0.8, 0.2, 0.2], [0.2, 0, 1]))
    photo = torch.cat([red.expand(1, 3, 40, 30), blue.expand(1, 3, 40, 30)], dim=3)
    left = torch.cat([torch.ones(40, 30), torch.zeros(40, 30)], dim=1)
    brushes = [Brush(cafe, mask=left), Brush(cafe, mask=1 - left), Brush(cafe)]
    _, made, _ = prepare(photo, brushes, Settings(colors="photo"))
    means = [brush.picture.mean(dim=(2, 3)).flatten() for brush in made]
    for mean, wanted in zip(means, (red, blue, (red + blue) / 2), strict=True):
        assert_close(mean, wanted.flatten(), rtol=0, atol=0.05)


def test_a_region_of_one_pixel_has_a_colour(castle, cafe):
    mask = torch.zeros(castle.shape[2:])
    mask[3, 4] = 0.25
    _, (brush,), _ = prepare(castle, [Brush(cafe, mask=mask)], Settings(colors="photo"))
    assert_close(brush.picture.mean(dim=(2, 3))[0], castle[0, :, 3, 4], rtol=0, atol=0.05)


def test_for_brightness_all_pictures_are_grey(castle, cafe):
    """The painting's brightness has the mean and the spread of the photo's."""
    given = Settings(colors="brightness", init=1 - castle)
    p, (brush,), settings = prepare(castle, [Brush(cafe)], given)
    for picture in (p, brush.picture, settings.init):
        assert_close(hues(picture), torch.zeros_like(picture), rtol=0, atol=1e-5)
    assert_close(p, luminance(castle))
    assert_close(brush.picture.mean(), p.mean(), rtol=0, atol=0.01)
    assert_close(brush.picture.std(), p.std(), rtol=0.05, atol=0)


@pytest.mark.parametrize("way", WAYS)
def test_with_the_photos_palette_the_result_is_nearer_to_it(net, castle, cafe, way):
    """Than with the painting's."""
    of_photo, of_style = (
        style_transfer(
            castle,
            cafe,
            net=net,
            progress=False,
            colors=colors,
            **CHEAP | {"steps": 20} | WAYS[way],
        ).image
        for colors in ("photo", "style")
    )
    assert distance(of_photo, castle) < distance(of_style, castle) / 2


@pytest.mark.parametrize("way", WAYS)
def test_with_brightness_alone_the_colours_are_the_photos(net, castle, cafe, way):
    """Of the result and all frames: the same hue, and as strong as the new brightness allows."""
    result = style_transfer(
        castle,
        cafe,
        net=net,
        progress=False,
        colors="brightness",
        keep_every=3,
        **CHEAP | WAYS[way],
    )
    wanted = hues(castle)
    for picture in (result.image, *result.frames):
        assert picture.min() >= 0 and picture.max() <= 1
        share = (hues(picture) * wanted).sum(dim=1) / wanted.square().sum(dim=1).clamp(min=1e-9)
        assert share.max() < 1.001 and (share > 0.999).float().mean() > 0.5
        assert_close(hues(picture), share * wanted, rtol=0, atol=1e-5)
    assert not torch.equal(luminance(result.image), luminance(castle))


@pytest.mark.parametrize("colors", ["photo", "brightness"])
def test_blends_and_regions_keep_colours_too(net, castle, cafe, halves, colors):
    brushes = [Brush(cafe, mask=halves[0]), Brush(sample("harvest-at-la-crau", 64), mask=halves[1])]
    for styles in (brushes, [Brush(brush.picture) for brush in brushes]):
        image, other = (
            style_transfer(castle, styles, net=net, progress=False, colors=chosen, **CHEAP).image
            for chosen in (colors, "style")
        )
        assert distance(image, castle) < distance(other, castle)


def test_whoever_watches_sees_what_the_result_would_be(net, castle, cafe):
    """In the photo's colours and whole, at every evaluation; the last one is the result."""
    seen = []
    settings = Settings(colors="brightness", **CHEAP)
    result = paint(
        castle,
        cafe,
        settings,
        net=net,
        progress=False,
        watch=lambda evaluations, picture: seen.append((evaluations, picture())),
    )
    assert [evaluations for evaluations, _ in seen] == [*range(1, len(seen) + 1)]
    assert len(seen) == len(result.coarse) + len(result.history) > len(result.history)
    assert {picture.shape for _, picture in seen} == {castle.shape}
    assert torch.equal(seen[-1][1], result.image)


def test_a_picture_is_finished_only_where_brightness_is_painted(castle):
    painted = 1 - castle
    for colors in ("style", "photo"):
        assert finish(painted, photo=castle, settings=Settings(colors=colors)) is painted
