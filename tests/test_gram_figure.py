"""figures/gram.png: what it says is what the network and stlib.gram_matrix say today."""

import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image

from stlib import gram_matrix, sample
from stlib.layers import layer_table

FOLDER = Path(__file__).parents[1] / "figures"
sys.path.insert(0, str(FOLDER))  # a folder of scripts, not a package

import gram  # noqa: E402


@pytest.fixture(scope="module")
def texts(net):
    """Every text of the figure with its size, in points."""
    figure = gram.draw(*gram.measure(net))
    found = [(text.get_text(), text.get_fontsize()) for text in figure.axes[0].texts]
    plt.close(figure)
    return found


@pytest.fixture(scope="module")
def features(net):
    return net.features(sample(gram.PICTURE, gram.SIZE), [gram.LAYER])[gram.LAYER]


def test_the_shapes_are_those_of_the_layer(texts, features):
    _, N, H, W = features.shape
    (row,) = (row for row in layer_table(19, tuple(features.shape[2:])) if row.name == gram.LAYER)
    assert row.shape == (N, H, W)  # the layer does not change the size of the picture
    written = [
        shape.replace(",", " ").split()
        for text, _ in texts
        for shape in re.findall(r"\[([\d, ]+)\]", re.sub(r"(?<=\d),(?=\d)", "", text))
    ]
    assert written == [[str(N), str(H), str(W)], [str(N), str(H * W)], [str(N), str(N)]]


def test_the_numbers_are_those_of_gram_matrix(texts, features):
    G = gram_matrix(features[:, list(gram.CHANNELS)]) / 1000
    written = [float(text) for text, _ in texts if re.fullmatch(r"\d+\.\d", text)]
    torch.testing.assert_close(torch.tensor(written).view(3, 3), G, rtol=0, atol=0.051)
    assert G[0, 1] > 10 * G[0, 2]  # the words beside the figure: two see the sky, one the grass


def test_the_letters_can_be_read_on_a_phone(texts):
    """380 pixels wide, a letter of 16 points in a figure 6.4 inches wide is 13 pixels high."""
    assert min(size for _, size in texts) * 380 / (6.4 * 72) > 13


def test_the_committed_picture_is_of_today(net):
    _, G, shape = gram.measure(net)
    with Image.open(FOLDER / gram.NAME) as image:
        assert image.text["Description"] == gram.describe(G, shape)
        assert image.width >= 640
