"""figures/: vgg.png shows torchvision's models, and all pictures are those of today's scripts."""

import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.patches import Rectangle
from PIL import Image

from stlib import sample
from stlib.course.show import BLOCK_LOOK
from stlib.layers import find_layer

FOLDER = Path(__file__).parents[1] / "figures"
sys.path.insert(0, str(FOLDER))  # a folder of scripts, not a package

import algorithm  # noqa: E402
import result  # noqa: E402
import vgg  # noqa: E402

DEPTHS = (16, 19)


@pytest.fixture(scope="module")
def axes():
    figure = vgg.draw()
    yield figure.axes[0]
    plt.close(figure)


@pytest.fixture(scope="module")
def texts(axes):
    return [text.get_text() for text in axes.texts]


@pytest.fixture(scope="module")
def models():
    import torchvision

    with torch.device("meta"):
        return {depth: getattr(torchvision.models, f"vgg{depth}")(weights=None) for depth in DEPTHS}


def structure(model) -> list[list[tuple[str, int]]]:
    """(name, channels) of each convolution, block by block, as torchvision's modules have them."""
    found = [[]]
    for module in model.features:
        if isinstance(module, torch.nn.Conv2d):
            assert (
                module.kernel_size == (3, 3)
                and module.padding == (1, 1)
                and module.stride == (1, 1)
            )
            found[-1].append((f"conv{len(found)}_{len(found[-1]) + 1}", module.out_channels))
        elif isinstance(module, torch.nn.MaxPool2d):
            found.append([])
    return found[:-1]


def column(x: float) -> int:
    return 19 if x >= vgg.LEFT[19] else 16


def rows(axes, depth: int) -> list[tuple[str, float, tuple]]:
    """A network's rows from the top: what is written, the bar's width in channels, its colour."""
    bars = {
        round(bar.get_y() + bar.get_height() / 2, 3): bar
        for bar in axes.patches
        if isinstance(bar, Rectangle) and column(bar.get_x()) == depth
    }
    named = {
        round(text.get_position()[1], 3): text.get_text()
        for text in axes.texts
        if re.fullmatch(r"conv\d_\d|\d+", text.get_text())
        and column(text.get_position()[0]) == depth
    }
    assert set(named) == set(bars)
    scale = 512 / vgg.WIDEST
    return [
        (named[y], scale * bars[y].get_width(), bars[y].get_facecolor())
        for y in sorted(named, reverse=True)
    ]


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_bars_are_torchvisions_convolutions(depth, models, axes):
    drawn = rows(axes, depth)
    real = [convolution for block in structure(models[depth]) for convolution in block]
    assert [(name, round(width)) for name, width, _ in drawn[: len(real)]] == real
    for name, _, color in drawn[: len(real)]:
        assert plt.matplotlib.colors.to_hex(color) == BLOCK_LOOK[find_layer(name).block][0].lower()


@pytest.mark.parametrize("depth", DEPTHS)
def test_what_is_cut_off_are_torchvisions_linear_layers(depth, models, axes):
    linear = [module for module in models[depth].classifier if isinstance(module, torch.nn.Linear)]
    drawn = rows(axes, depth)[-len(linear) :]
    assert [int(name) for name, *_ in drawn] == [module.out_features for module in linear]
    assert [round(8 * width) for _, width, _ in drawn] == [
        module.out_features for module in linear
    ]  # an eighth of the scale


def test_the_headings_are_the_shapes_of_the_running_model(models, texts):
    for model in models.values():
        expected, x, block = [], torch.empty(1, 3, 224, 224, device="meta"), 1
        for module in model.features:
            if isinstance(module, torch.nn.MaxPool2d):
                expected.append(
                    f"block {block}: {x.shape[1]} channels, {x.shape[2]} × {x.shape[3]}"
                )
                x = module(x)
                expected.append(f"↓ pool{block}: {x.shape[2]} × {x.shape[3]}")
                block += 1
            else:
                x = module(x)
        assert [text for text in texts if text.startswith(("block", "↓ pool"))] == expected


def test_the_parameters_are_those_of_the_models(models, texts):
    for kept_or_not in (lambda model: model.features, lambda model: model.classifier):
        for model in models.values():
            count = sum(parameter.numel() for parameter in kept_or_not(model).parameters())
            assert any(f"{count / 1e6:.1f} M parameters" in text for text in texts)


def test_what_only_vgg_19_has_is_marked(models, axes, texts):
    names = {
        depth: {name for block in structure(model) for name, _ in block}
        for depth, model in models.items()
    }
    hatched = [bar for bar in axes.patches if bar.get_hatch()]
    assert len(hatched) == len(names[19] - names[16]) == texts.count("only in VGG-19:") == 3


def test_the_letters_can_be_read_on_a_phone(axes):
    """380 pixels wide, a letter of 16 points in a figure 6.4 inches wide is 13 pixels high."""
    assert min(text.get_fontsize() for text in axes.texts) * 380 / (72 * vgg.WIDTH) > 13


def test_the_committed_picture_is_of_today():
    with Image.open(FOLDER / "vgg.png") as image:
        assert image.text["Description"] == vgg.describe()
        assert image.width >= 1000


@pytest.mark.parametrize("script", [algorithm, result])
def test_a_drawing_of_pictures_carries_the_description_of_today(script):
    """The picture itself takes a transfer to make, so only its script's other half runs here."""
    pictures = sample("castle", 64), sample("cafe-terrace", 64), sample("castle", 64)
    figure = script.draw(*pictures)
    assert len([image for axes in figure.axes for image in axes.images]) == 3
    plt.close(figure)
    with Image.open(FOLDER / script.NAME) as image:
        assert image.text["Description"] == script.DESCRIPTION
