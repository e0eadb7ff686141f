"""figures/vgg.png: what is drawn is what torchvision's models and the committed picture say."""

import importlib.util
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.patches import Rectangle
from PIL import Image

from stlib.course.show import BLOCK_LOOK

ROOT = Path(__file__).parents[1]
DEPTHS = (16, 19)


@pytest.fixture(scope="module")
def figure_script():
    spec = importlib.util.spec_from_file_location("vgg_figure", ROOT / "figures/vgg.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def axes(figure_script):
    figure = figure_script.draw()
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


def column(figure_script, x: float) -> int:
    return 19 if x >= figure_script.LEFT[19] else 16


def rows(figure_script, axes, depth: int) -> list[tuple[str, float, tuple]]:
    """The rows of a network's column, from the top: what is written, the bar's width in channels, the bar's colour."""
    bars = {
        round(bar.get_y() + bar.get_height() / 2, 3): bar
        for bar in axes.patches
        if isinstance(bar, Rectangle) and column(figure_script, bar.get_x()) == depth
    }
    named = {
        round(text.get_position()[1], 3): text.get_text()
        for text in axes.texts
        if re.fullmatch(r"conv\d_\d|\d+", text.get_text())
        and column(figure_script, text.get_position()[0]) == depth
    }
    assert set(named) == set(bars)
    scale = 512 / figure_script.WIDEST
    return [
        (named[y], scale * bars[y].get_width(), bars[y].get_facecolor())
        for y in sorted(named, reverse=True)
    ]


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_bars_are_torchvisions_convolutions(depth, models, axes, figure_script):
    drawn = rows(figure_script, axes, depth)
    real = [convolution for block in structure(models[depth]) for convolution in block]
    assert [(name, round(width)) for name, width, _ in drawn[: len(real)]] == real
    for name, _, color in drawn[: len(real)]:
        assert plt.matplotlib.colors.to_hex(color) == BLOCK_LOOK[name[4]][0].lower()


@pytest.mark.parametrize("depth", DEPTHS)
def test_what_is_cut_off_are_torchvisions_linear_layers(depth, models, axes, figure_script):
    linear = [module for module in models[depth].classifier if isinstance(module, torch.nn.Linear)]
    drawn = rows(figure_script, axes, depth)[-len(linear) :]
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


def test_the_letters_can_be_read_on_a_phone(axes, figure_script):
    """380 pixels wide, a letter of 16 points in a figure 6.4 inches wide is 13 pixels high."""
    assert min(text.get_fontsize() for text in axes.texts) * 380 / (72 * figure_script.WIDTH) > 13


def test_the_committed_picture_is_of_today(figure_script):
    with Image.open(ROOT / "figures/vgg.png") as image:
        assert image.text["Description"] == figure_script.describe()
        assert image.width >= 1000
