"""Keras' VGG-19 with our weights is our network; importing it leaves the home folder alone."""

import os
import subprocess
import sys

import pytest
import torch

from stlib import VGG, load_weights, sample
from stlib.course.keras_example import keras, keras_vgg19

LAYERS = {
    "block1_conv1": "relu1_1",
    "block2_conv1": "relu2_1",
    "block3_conv1": "relu3_1",
    "block4_conv1": "relu4_1",
    "block5_conv1": "relu5_1",
    "block5_conv2": "relu5_2",
}


@pytest.fixture(scope="module")
def model():
    return keras_vgg19()


def keras_picture(picture):
    return keras.applications.vgg19.preprocess_input(255 * picture.permute(0, 2, 3, 1))


def test_keras_runs_on_torch_on_the_cpu(model):
    assert keras.backend.backend() == "torch"
    assert {variable.value.device.type for variable in model.weights} == {"cpu"}


def test_the_network_is_frozen(model):
    assert not model.trainable_weights
    assert not any(variable.value.requires_grad for variable in model.weights)


def test_features_are_those_of_stlib(model, trained):
    """The same weights, preprocessing and layers: equal but for rounding, to the maximum."""
    picture = sample("castle", 96)
    extractor = keras.Model(model.inputs, {name: model.get_layer(name).output for name in LAYERS})
    found, wanted = extractor(keras_picture(picture)), trained.features(picture, LAYERS.values())
    for theirs, ours in LAYERS.items():
        difference = (found[theirs].permute(0, 3, 1, 2) - wanted[ours]).abs().max() / wanted[
            ours
        ].abs().max()
        assert difference < 2e-5, theirs


def test_preprocessing_is_that_of_the_weights():
    picture = sample("cat", 48)
    ours = load_weights("oxford").preprocess(picture)
    torch.testing.assert_close(keras_picture(picture).permute(0, 3, 1, 2), ours, rtol=0, atol=1e-3)


def test_kernels_are_turned_not_only_reshaped(model):
    filters, biases = load_weights("oxford").convolutions["conv3_2"]
    theirs = model.get_layer("block3_conv2").get_weights()
    assert theirs[0].shape == (3, 3, 256, 256)
    assert theirs[0][0, 2, 5, 7] == filters[7, 5, 0, 2].item()
    assert (theirs[1] == biases.numpy()).all()


@pytest.mark.parametrize(("source", "depth"), [("random", 19), ("random", 16)])
def test_weights_for_another_input_or_depth_are_refused(source, depth):
    with pytest.raises(ValueError, match="do not fit Keras' VGG19"):
        keras_vgg19(load_weights(source, depth=depth))


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match="Restart the kernel"):
        keras_vgg19()


def test_the_gradient_reaches_the_picture_and_nothing_else(model):
    x = keras_picture(sample("castle", 48)).requires_grad_()
    model(x).sum().backward()
    assert x.grad.abs().max() > 0
    assert all(variable.value.grad is None for variable in model.weights)


def test_the_home_folder_is_left_alone(tmp_path):
    """Keras writes a settings file when it is imported; not into the reader's home."""
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("KERAS")
    }
    code = (
        "from stlib.course.keras_example import keras, keras_vgg19; keras_vgg19(); "
        "print(keras.backend.backend())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        env={**environment, "HOME": str(home), "USERPROFILE": str(home), "TMPDIR": str(temporary)},
    )
    assert done.stdout == "torch\n"
    made = {
        str(path.relative_to(home))
        for path in home.rglob("*")
        if path.is_file() and "matplotlib" not in path.parts
    }
    assert not made, "nothing but the font list of matplotlib, which Keras imports"
    assert not list(home.rglob("*keras*"))
    assert not list(temporary.glob("keras-*")), "the temporary home is thrown away at the end"


def test_import_stlib_does_not_import_keras():
    code = "import sys, stlib; print('keras' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "False\n"


def test_layer_names_match_those_of_vgg(model):
    """block4_conv2 is relu4_2: in Keras the ReLU belongs to the convolution."""
    names = {
        layer.name.replace("block", "relu").replace("_conv", "_")
        for layer in model.layers
        if "conv" in layer.name
    }
    assert names <= set(VGG(weights="random", normalized=False, device="cpu").names)
    assert all(
        layer.activation.__name__ == "relu" for layer in model.layers if "conv" in layer.name
    )
