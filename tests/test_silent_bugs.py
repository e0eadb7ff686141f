"""The bugs of chapter 10, one at a time: the test that the chapter names must then fail.

None of them raises an exception by itself, so a test is all that stands between it and a picture.
"""

import copy
import dataclasses
import re
from pathlib import Path

import nbformat
import pytest
import test_images_saved
import test_jobs
import test_losses
import test_transfer
import test_vgg
import test_weights
import torch
import torch.nn.functional as nnf
from test_transfer import paint, run, runs_of_the_network  # noqa: F401 (fixtures)

from stlib import gram_matrix, sample, style_transfer, vgg
from stlib.objective import Objective

TESTS = Path(__file__).parent
CHAPTER = TESTS.parent / "notebooks/10_break_it_on_purpose.ipynb"


def caught():
    """The named test fails by an assertion of its own, not by an accident."""
    return pytest.raises(AssertionError)


def test_the_tests_that_the_chapter_names_exist():
    """One in each of the ten rows of its table, in the files named below it."""
    prose = "\n".join(
        cell.source
        for cell in nbformat.read(CHAPTER, as_version=4).cells
        if cell.cell_type == "markdown"
    )
    files = "".join(
        (TESTS / file).read_text("utf-8") for file in re.findall(r"`(test_\w+\.py)`", prose)
    )
    rows = re.findall(r"^\|.*\| `(test_\w+)` \|$", prose, re.MULTILINE)
    assert len(rows) == 10
    for name in rows:
        assert f"def {name}(" in files, name


def test_an_in_place_relu_is_caught(trained, content, monkeypatch):
    test_vgg.test_relu_does_not_overwrite_what_was_asked_for(trained, content)
    monkeypatch.setattr(vgg, "nnf", _with(nnf, relu=lambda x, inplace: nnf.relu(x, inplace=True)))
    with caught():
        test_vgg.test_relu_does_not_overwrite_what_was_asked_for(trained, content)


@pytest.mark.parametrize(
    "wrong", [{"order": "RGB"}, {"std": (1.0, 1.0, 1.0)}, {"mean": (0.0, 0.0, 0.0)}], ids=str
)
def test_a_wrong_preprocessing_is_caught(wrong, monkeypatch):
    test_weights.test_oxford_input_of_a_known_pixel()
    monkeypatch.setattr(
        test_weights, "OXFORD_INPUT", dataclasses.replace(test_weights.OXFORD_INPUT, **wrong)
    )
    with caught():
        test_weights.test_oxford_input_of_a_known_pixel()


def test_a_clamp_in_the_closure_is_caught(net, run, monkeypatch):  # noqa: F811
    test_transfer.test_only_the_result_is_clamped(run)
    evaluate = Objective.__call__

    def clamped(self, x):
        x.data.clamp_(0, 1)
        return evaluate(self, x)

    monkeypatch.setattr(Objective, "__call__", clamped)
    pictures = []
    result = style_transfer(
        sample("castle", 96),
        sample("cafe-terrace", 80),
        net=net,
        steps=10,
        progress=False,
        callback=lambda evaluation, x, losses: pictures.append(x),
    )
    with caught():
        test_transfer.test_only_the_result_is_clamped((result, pictures))


def test_an_unfrozen_network_is_caught(net):
    test_vgg.test_the_network_is_frozen(net)
    with caught():
        test_vgg.test_the_network_is_frozen(copy.deepcopy(net).requires_grad_(True))


def test_a_weight_that_moves_is_caught(net, content, style):
    bent = copy.deepcopy(net)

    def bend(evaluation, x, losses):
        bent.convolutions["conv3_1"].weight.data.mul_(1.0001)

    def painting():
        return style_transfer(content, style, net=bent, steps=2, progress=False, callback=bend)

    with caught():
        test_transfer.test_the_network_stays_as_it_was(bent, painting)


def test_a_raw_gram_matrix_is_caught(generator, monkeypatch):
    def random(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x = random(1, test_losses.N, test_losses.HEIGHT, test_losses.WIDTH)
    named = (
        lambda: test_losses.test_pictures_of_different_size_use_their_own_positions(x, random),
        lambda: test_losses.test_tiling_doubles_the_gram_but_not_the_target(x),
    )
    for test in named:
        test()
    monkeypatch.setattr(test_losses, "style_target", gram_matrix)
    for test in named:
        with caught():
            test()


def test_names_counted_in_another_network_are_caught(monkeypatch):
    test_vgg.test_the_layers_have_the_papers_names()
    names = vgg.layer_names
    monkeypatch.setattr(test_vgg, "layer_names", lambda depth=19: names(16))
    with caught():
        test_vgg.test_the_layers_have_the_papers_names()


def test_targets_computed_again_are_caught(paint, runs_of_the_network, monkeypatch):  # noqa: F811
    test_transfer.test_targets_are_computed_once(paint, runs_of_the_network)
    runs_of_the_network.clear()
    build, evaluate = Objective.__init__, Objective.__call__

    def building(self, *given):
        self.again = lambda: build(self, *given)
        build(self, *given)

    def evaluating(self, x):
        self.again()
        return evaluate(self, x)

    monkeypatch.setattr(Objective, "__init__", building)
    monkeypatch.setattr(Objective, "__call__", evaluating)
    with caught():
        test_transfer.test_targets_are_computed_once(paint, runs_of_the_network)


def test_a_photo_that_is_painted_over_is_caught(net, content, style):
    def painting(**options):
        result = style_transfer(content, style, net=net, steps=1, progress=False, **options)
        content.copy_(result.image + 0.01)
        return result

    with caught():
        test_transfer.test_the_pictures_given_are_not_written_to(painting, content, style)


def test_levels_that_are_divided_twice_are_caught(tmp_path, monkeypatch):
    test_images_saved.test_all_256_levels_survive_png(tmp_path)
    load = test_images_saved.load_image
    monkeypatch.setattr(test_images_saved, "load_image", lambda *given: load(*given) / 255)
    with caught():
        test_images_saved.test_all_256_levels_survive_png(tmp_path)


def test_an_output_over_an_input_is_caught(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    test_jobs.test_an_output_never_overwrites_an_input(tmp_path)
    monkeypatch.setattr(test_jobs, "check_jobs", lambda jobs: None)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        test_jobs.test_an_output_never_overwrites_an_input(tmp_path)


def test_zeros_beyond_the_edge_are_caught(trained):
    test_vgg.test_a_repeated_edge_hides_where_the_border_is(trained)
    zeros = copy.copy(trained)
    zeros.features = lambda image, layers, padding="zero": trained.features(image, layers)
    with caught():
        test_vgg.test_a_repeated_edge_hides_where_the_border_is(zeros)


class _with:
    """A module with some of its functions replaced."""

    def __init__(self, module, **replaced):
        self.__dict__.update(vars(module) | replaced)
