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


def slabs(axes) -> list[Rectangle]:
    """The bars of the convolutions, from left to right."""
    return [bar for bar in axes.patches if str(bar.get_label()).startswith("conv")]


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_bars_are_torchvisions_convolutions(depth, models, axes):
    """Their widths are the channels; without the hatched ones it is VGG-16."""
    drawn = [bar for bar in slabs(axes) if depth == 19 or not bar.get_hatch()]
    real = [convolution for block in structure(models[depth]) for convolution in block]
    assert [(bar.get_label(), round(bar.get_width() / vgg.CHANNEL)) for bar in drawn] == real
    for bar in drawn:
        color = BLOCK_LOOK[find_layer(bar.get_label()).block][0].lower()
        assert plt.matplotlib.colors.to_hex(bar.get_facecolor()) == color


def test_what_is_cut_off_are_torchvisions_linear_layers(models, axes, texts):
    (words,) = [text for text in texts if text.startswith("cut off")]
    for model in models.values():
        linear = [module for module in model.classifier if isinstance(module, torch.nn.Linear)]
        assert re.findall(r"\d+", words) == [str(module.out_features) for module in linear]
        assert len([bar for bar in axes.patches if bar.get_label() == "cut off"]) == len(linear)


def test_the_rows_and_the_heights_are_the_shapes_of_the_running_model(models, axes, texts):
    expected, x, block = [], torch.empty(1, 3, 224, 224, device="meta"), 1
    for module in models[19].features:
        if isinstance(module, torch.nn.MaxPool2d):
            expected.append(f"block {block}: {x.shape[1]} maps of {x.shape[2]} × {x.shape[3]}")
            for bar in slabs(axes):
                if find_layer(bar.get_label()).block == block:
                    assert round(bar.get_height() / vgg.PIXEL) == x.shape[2]
            block += 1
        x = module(x)
    assert [text for text in texts if text.startswith("block")] == expected


def test_what_only_vgg_19_has_is_marked(models, axes):
    names = {
        depth: {name for block in structure(model) for name, _ in block}
        for depth, model in models.items()
    }
    hatched = {bar.get_label() for bar in slabs(axes) if bar.get_hatch()}
    assert hatched == names[19] - names[16]


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


@pytest.mark.parametrize("name", ["algorithm", "gram", "result", "vgg"])
def test_each_drawing_is_there_in_chinese(name):
    """Of the same size and description; `make figures` draws both."""
    drawings = [Image.open(FOLDER / folder / f"{name}.png") for folder in ("", "zh-CN")]
    english, chinese = drawings
    assert chinese.size == english.size
    assert chinese.text["Description"] == english.text["Description"]
    assert chinese.tobytes() != english.tobytes()
