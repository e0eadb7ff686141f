"""The plots: they draw what they are given, legibly, in the course's colours."""

import io

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image

from stlib import sample, show

matplotlib.use("Agg")


@pytest.fixture
def shown(monkeypatch):
    """The figures that were shown."""
    figures = []
    monkeypatch.setattr(plt, "show", lambda: figures.append(plt.gcf()))
    yield figures
    plt.close("all")


@pytest.fixture
def history():
    return [{"seconds": i, "total": 9.0 / (i + 1), "content": float(i), "style": 3.0 / (i + 1), "tv": 0.0,
             "relu1_1": 1.0 / (i + 1), "relu5_1": 2.0 / (i + 1)} for i in range(5)]


def test_images_stand_under_their_names(shown):
    show.images({"one": sample("castle", 64), "two": sample("cat", 64), "three": sample("cat", 48)}, "finding", columns=2)
    (figure,) = shown
    assert [axes.get_title() for axes in figure.axes if axes.images] == ["one", "two", "three"]
    assert figure.get_suptitle() == "finding"


def test_losses_are_drawn_with_their_weights(shown, history):
    """α L_content and β L_style add up to the total that stands beside them."""
    show.losses(history, alpha=2.0, beta=5.0, title="finding")
    left, right = shown[0].axes
    lines = {line.get_label(): line.get_ydata() for line in left.lines}
    assert lines["α L_content"][2] == 4.0
    assert lines["β L_style"][0] == 15.0
    assert [line.get_label() for line in right.lines] == ["relu1_1", "relu5_1"]


def test_a_layer_has_one_colour_and_layers_differ_in_dashes_too():
    assert show.layer_look("relu4_1") == show.layer_look("conv4_2") == show.layer_look("pool4")
    looks = [show.layer_look(f"relu{block}_1") for block in range(1, 6)]
    assert len({look["color"] for look in looks}) == len({str(look["linestyle"]) for look in looks}) == 5


def test_letters_are_large_enough(shown, history):
    show.losses(history, 1.0, 1.0, "finding")
    show.curves({"a": [3.0, 1.0]}, "finding")
    show.images({"one": sample("castle", 64)}, "finding")
    for figure in shown:
        for words in figure.findobj(matplotlib.text.Text):
            assert not words.get_text().strip() or words.get_fontsize() >= 9 or "mathdefault" in words.get_text()


def test_axes_have_names(shown, history):
    show.losses(history, 1.0, 1.0, "finding")
    show.curves({"a": [3.0, 1.0], "b": [2.0, 1.0]}, "finding")
    for axes in [axes for figure in shown for axes in figure.axes]:
        assert axes.get_xlabel() == "evaluation"
        assert "loss" in axes.get_ylabel() or "E_l" in axes.get_ylabel()
        assert axes.get_title()


def test_film_strip_has_the_first_and_the_last_frame(shown):
    frames = [torch.full((1, 3, 40, 40), i / 10) for i in range(11)]
    show.film_strip(frames, every=5, title="finding", most=4)
    titles = [axes.get_title() for axes in shown[0].axes if axes.images]
    assert titles == ["evaluation 0", "evaluation 15", "evaluation 35", "evaluation 50"]


def test_film_strip_of_one_frame(shown):
    show.film_strip([sample("cat", 64)], every=5, title="finding")
    assert len(shown) == 1


def test_gif_plays_all_frames_without_end():
    animation = Image.open(io.BytesIO(show.gif([torch.full((1, 3, 40, 40), i / 10) for i in range(7)]).data))
    assert animation.n_frames == 7
    assert animation.info["loop"] == 0
