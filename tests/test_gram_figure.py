"""figures/gram.png: what it says is what the network and stlib.gram_matrix say today."""

import importlib.util
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image

from stlib import gram_matrix, sample
from stlib.layers import layer_table

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def figure_script():
    spec = importlib.util.spec_from_file_location("gram_figure", ROOT / "figures/gram.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def texts(figure_script, net):
    """Every text of the figure with its size, in points."""
    figure = figure_script.draw(*figure_script.measure(net))
    found = [(text.get_text(), text.get_fontsize()) for text in figure.axes[0].texts]
    plt.close(figure)
    return found


@pytest.fixture(scope="module")
def features(net, figure_script):
    return net.features(sample(figure_script.PICTURE, figure_script.SIZE), [figure_script.LAYER])[
        figure_script.LAYER
    ]


def test_the_shapes_are_those_of_the_layer(texts, features, figure_script):
    _, N, H, W = features.shape
    (row,) = (
        row for row in layer_table(19, tuple(features.shape[2:])) if row.name == figure_script.LAYER
    )
    assert row.shape == (N, H, W)  # the layer does not change the size of the picture
    written = [
        shape.replace(",", " ").split()
        for text, _ in texts
        for shape in re.findall(r"\[([\d, ]+)\]", re.sub(r"(?<=\d),(?=\d)", "", text))
    ]
    assert written == [[str(N), str(H), str(W)], [str(N), str(H * W)], [str(N), str(N)]]


def test_the_numbers_are_those_of_gram_matrix(texts, features, figure_script):
    G = gram_matrix(features[:, list(figure_script.CHANNELS)]) / 1000
    written = [float(text) for text, _ in texts if re.fullmatch(r"\d+\.\d", text)]
    torch.testing.assert_close(torch.tensor(written).view(3, 3), G, rtol=0, atol=0.051)
    assert G[0, 1] > 10 * G[0, 2]  # the words beside the figure: two see the sky, one the grass


def test_the_letters_can_be_read_on_a_phone(texts, figure_script):
    """380 pixels wide, a letter of 16 points in a figure 6.4 inches wide is 13 pixels high."""
    assert min(size for _, size in texts) * 380 / (6.4 * 72) > 13


def test_the_committed_picture_is_of_today(net, figure_script):
    _, G, shape = figure_script.measure(net)
    with Image.open(ROOT / "figures/gram.png") as image:
        assert image.text["Description"] == figure_script.describe(G, shape)
        assert image.width >= 640
