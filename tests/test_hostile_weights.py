"""Hostile and damaged weights files: refused in one sentence, and no file runs code."""

import itertools
import json
import os
import pickle
import random
import re
import shutil
import struct
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
import torch
from hostile import ANYTHING, each

from stlib import weights
from stlib.errors import WeightsError
from stlib.layers import conv_shapes
from stlib.weights import OXFORD_FILE, load_weights, oxford_path

posix = pytest.mark.skipif(os.name != "posix", reason="needs the pipes and links of Unix")
ADVICE = re.compile(r"\b(copy|check|run|use)\b|Is the depth right\?$", re.IGNORECASE)
DEADLINE = 20  # seconds for one file, on a busy machine


def state(**changes):
    """A state dict of VGG-16; numbers in the first layers only, since the others take no room."""
    generator, tensors, index = torch.Generator().manual_seed(0), {}, 0
    for layer, channels, width in conv_shapes(16):
        if layer.number == 1 and layer.block > 1:
            index += 1  # a pooling
        for kind, shape in (("weight", (width, channels, 3, 3)), ("bias", (width,))):
            has_numbers = layer.name in ("conv1_1", "conv1_2", "conv2_1")
            numbers = torch.randn(shape, generator=generator) if has_numbers else torch.ones(1)
            tensors[f"features.{index}.{kind}"] = numbers.expand(shape)
        index += 2  # the convolution and its ReLU
    return tensors | {name.replace("_", "."): value for name, value in changes.items()}


@pytest.fixture(scope="module")
def saved():
    """{form of the file: its bytes}."""
    return {form: saved_as(form, state()) for form in ("archive", "old")}


def saved_as(form, content):
    file = weights.io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=form == "archive")
    return file.getvalue()


def weights_or_sentence(path, depth=16):
    """The convolutions in a file, or the words of a WeightsError, checked."""
    start = time.perf_counter()
    try:
        return load_weights(path, depth).convolutions
    except WeightsError as error:
        words = str(error)
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None
        assert words.isprintable()
        assert words.endswith((".", "?"))
        assert ADVICE.search(words)
        assert "weights_only" not in words  # torch recommends to switch the protection off
        assert len(words) < 600
        return words
    finally:
        assert time.perf_counter() - start < DEADLINE


def same(convolutions):
    return all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(
            (tensor for pair in convolutions.values() for tensor in pair),
            state().values(),
            strict=True,
        )
    )


@pytest.mark.parametrize("form", ["archive", "old"])
def test_the_file_that_is_damaged_below_is_good(saved, form, tmp_path):
    path = tmp_path / "vgg.pth"
    path.write_bytes(saved[form])
    assert same(weights_or_sentence(path))


# damage


@pytest.mark.survives("a damaged weights file")
@pytest.mark.parametrize("form", ["archive", "old"])
def test_a_file_cut_off_is_refused(saved, form, tmp_path):
    path = tmp_path / "cut.pth"

    def cut(share):
        path.write_bytes(saved[form][: int(share * len(saved[form]))])
        assert "cut.pth cannot be read as a file of tensors (" in weights_or_sentence(path)

    each([0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999], cut)


@pytest.mark.survives("a damaged weights file")
def test_an_archive_with_an_altered_byte_is_refused_unless_nobody_needs_the_byte(saved, tmp_path):
    """The archive has checksums, but torch.load does not look at them."""
    path = tmp_path / "altered.pth"

    def alter(number):
        data, chance = bytearray(saved["archive"]), random.Random(number)
        place = [
            chance.randrange(len(data)),
            chance.randrange(2000),
            len(data) - 1 - chance.randrange(4000),
        ][number % 3]
        data[place] ^= chance.randrange(1, 256)
        path.write_bytes(data)
        outcome = weights_or_sentence(path)
        assert isinstance(outcome, str) or same(outcome)

    each(range(60), alter)


def test_torch_does_not_notice_what_is_refused_here(saved, tmp_path):
    """If this fails, PyTorch has begun to look at the checksums, and `_check_archive` may go."""
    data = bytearray(saved["archive"])
    with zipfile.ZipFile(weights.io.BytesIO(data)) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
    data[largest.header_offset + largest.file_size // 2] ^= 1
    path = tmp_path / "altered.pth"
    path.write_bytes(data)
    assert set(torch.load(path, weights_only=True)) == set(state())
    assert f"the checksum of {largest.filename} is wrong" in weights_or_sentence(path)


@pytest.mark.survives("a damaged weights file")
def test_an_altered_byte_in_the_old_form_is_refused_or_another_number(saved, tmp_path):
    """Files from before PyTorch 1.6 have no checksums: nobody can know of another finite number."""
    path = tmp_path / "altered.pth"

    def alter(number):
        data, chance = bytearray(saved["old"]), random.Random(number)
        data[chance.randrange(len(data) if number % 2 else 3000)] ^= chance.randrange(1, 256)
        path.write_bytes(data)
        outcome = weights_or_sentence(path)
        assert isinstance(outcome, str) or all(
            torch.isfinite(tensor).all() for pair in outcome.values() for tensor in pair
        )

    each(range(30), alter)


@pytest.mark.survives("a damaged weights file")
def test_every_altered_byte_of_the_courses_own_file_is_noticed(tmp_path, monkeypatch):
    """By its SHA-256, before a byte of it is interpreted."""
    copy = Path(shutil.copy(oxford_path(), tmp_path / OXFORD_FILE))
    monkeypatch.setattr(weights, "oxford_path", lambda: copy)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was interpreted"))
    size = copy.stat().st_size

    def alter(share):
        with copy.open("r+b") as file:
            file.seek(int(share * size))
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))
            file.flush()
            assert "wrong SHA-256" in weights_or_sentence("oxford", 19)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte]))

    each([0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.99999], alter)


# code


class Call:
    """An object that calls a function when it is unpickled."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


class State:
    """An object that makes a folder when its state is put back."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __setstate__(self, state):
        Path(state["folder"]).mkdir()


TRAPS = {
    "os.mkdir": lambda folder: Call(os.mkdir, str(folder)),
    "os.system": lambda folder: Call(os.system, f"mkdir '{folder}'"),
    "eval": lambda folder: Call(eval, f"__import__('os').mkdir({str(folder)!r})"),
    "exec": lambda folder: Call(exec, f"import os\nos.mkdir({str(folder)!r})"),
    "a process": lambda folder: Call(subprocess.check_call, ["mkdir", str(folder)]),
    "a method": lambda folder: Call(Path.mkdir, folder),
    "another pickle": lambda folder: Call(pickle.loads, pickle.dumps(Call(os.mkdir, str(folder)))),
    "a function of PyTorch": lambda folder: Call(torch.save, 1, str(folder)),
    "the state of an object": State,
}
PLACES = {
    "as a tensor": lambda trap: {"features.0.weight": trap},
    "beside tensors": lambda trap: state() | {"extra": trap},
    "as a name": lambda trap: {trap: torch.zeros(1)},
    "alone": lambda trap: trap,
}


@posix
@pytest.mark.survives("a weights file that tries to run code")
@pytest.mark.parametrize("trap", TRAPS)
def test_code_in_a_file_is_refused_and_not_run(trap, tmp_path):
    """The last lines show that the trap was armed: torch.load without protection falls into it."""

    def set_trap(place_and_form):
        place, form = place_and_form
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        path, sprung = folder / "trap.pth", folder / "sprung"
        path.write_bytes(saved_as(form, PLACES[place](TRAPS[trap](sprung))))
        assert "something other than tensors, which is refused" in weights_or_sentence(path)
        assert not sprung.exists()
        torch.load(path, weights_only=False)
        assert sprung.exists()

    each(list(itertools.product(PLACES, ["archive", "old"])), set_trap)


@posix
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.survives("a weights file that tries to run code")
def test_a_pickle_without_pytorchs_wrapping_is_refused_and_not_run(tmp_path):
    def set_trap(protocol_and_suffix):
        protocol, suffix = protocol_and_suffix
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        path, sprung = folder / f"trap{suffix}", folder / "sprung"
        path.write_bytes(pickle.dumps(Call(os.mkdir, str(sprung)), protocol))
        assert isinstance(weights_or_sentence(path), str)
        assert not sprung.exists()
        pickle.loads(path.read_bytes())
        assert sprung.exists()

    protocols, suffixes = range(pickle.HIGHEST_PROTOCOL + 1), [".pth", ".pt", ".safetensors"]
    each(list(itertools.product(protocols, suffixes)), set_trap)


# files of something else


def repacked(data, compression=zipfile.ZIP_STORED, extra=b""):
    """The archive, written anew by Python."""
    file = weights.io.BytesIO()
    with (
        zipfile.ZipFile(weights.io.BytesIO(data)) as old,
        zipfile.ZipFile(file, "w", compression) as new,
    ):
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry) + extra)
    return file.getvalue()


NAN = torch.full((64,), torch.nan)
ODD_CONTENTS = {
    "a number": 1,
    "text": "features.0.weight",
    "none": None,
    "a tensor": torch.zeros(64, 3, 3, 3),
    "a list": [torch.zeros(64, 3, 3, 3)],
    "nothing": {},
    "a whole checkpoint": {"state_dict": state(), "epoch": 3},
    "other names": {f"module.{name}": tensor for name, tensor in state().items()},
    "filters on their side": state(features_0_weight=torch.zeros(3, 64, 3, 3)),
    "filters of a classifier": state(features_0_weight=torch.zeros(64, 27)),
    "a filter too few": state(features_0_weight=torch.zeros(63, 3, 3, 3)),
    "no filters": state(features_28_weight=None),
    "text for filters": state(features_28_weight="filters"),
    "a list for filters": state(features_0_bias=[0.0] * 64),
    "whole numbers": state(features_0_bias=torch.zeros(64, dtype=torch.int64)),
    "bools": state(features_0_bias=torch.zeros(64, dtype=torch.bool)),
    "complex numbers": state(features_0_bias=torch.zeros(64, dtype=torch.complex64)),
    "8 bits": state(features_0_bias=torch.zeros(64).to(torch.float8_e4m3fn)),
    "a sparse tensor": state(features_0_weight=torch.zeros(64, 3, 3, 3).to_sparse()),
    "a tensor without data": state(features_0_weight=torch.zeros(64, 3, 3, 3, device="meta")),
    "nan in the first biases": state(features_0_bias=NAN),
    "nan in the last filter": state(
        features_28_weight=torch.zeros(512, 512, 3, 3).index_fill(0, torch.tensor(511), torch.nan)
    ),
    "one inf in the last biases": state(
        features_28_bias=torch.zeros(512).index_fill(0, torch.tensor(0), torch.inf)
    ),
    "-inf": state(features_2_bias=-torch.inf * torch.ones(64)),
    "numbers too large for float32": state(
        features_0_bias=torch.full((64,), 1e300, dtype=torch.float64)
    ),
}
ODD_FILES = {
    "no archive": lambda data: b"PK\x03\x04 and no more",
    "an archive of nothing": lambda data: b"PK\x05\x06" + bytes(18),
    "an archive of something else": lambda data: repacked(data).replace(b"data.pkl", b"data.txt"),
    "a compressed archive": lambda data: repacked(data, zipfile.ZIP_DEFLATED),
    "tensors longer than they say": lambda data: repacked(data, extra=bytes(100)),
    "a web page": lambda data: b"<!DOCTYPE html><title>404 Not Found</title>",
    "a picture": lambda data: b"\x89PNG\r\n\x1a\n" + bytes(1000),
    "zeros": lambda data: bytes(100_000),
    "noise": lambda data: random.Random(0).randbytes(100_000),
    "nothing": lambda data: b"",
}


@pytest.mark.survives("a weights file of something else")
@pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants")
@pytest.mark.parametrize("form", ["archive", "old"])
def test_contents_that_are_no_vgg16_are_refused(form, tmp_path):
    path = tmp_path / "odd.pth"

    def save(content):
        path.write_bytes(saved_as(form, content))
        assert re.search(
            r"is not a VGG-16: features\.\d+ should hold|that are not finite|"
            r"cannot be read as a file of tensors",
            weights_or_sentence(path),
        )

    each(ODD_CONTENTS, save)


@pytest.mark.survives("a weights file of something else")
def test_files_that_hold_no_tensors_are_refused(saved, tmp_path):
    path = tmp_path / "odd.pth"

    def save(make):
        path.write_bytes(make(saved["archive"]))
        outcome = weights_or_sentence(path)
        assert isinstance(outcome, str) or same(outcome)

    each(ODD_FILES, save)


@posix
@pytest.mark.survives("a weights file of something else")
def test_a_path_that_leads_to_no_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("folder.pth").mkdir()
    os.mkfifo("pipe.pth")
    for link, target in {
        "dangling.pth": "gone.pth",
        "circle.pth": "circle.pth",
        "to a device.pth": "/dev/zero",
    }.items():
        Path(link).symlink_to(target)
    words = "(there is no weights file|cannot be read as a file of tensors) "

    def load(name):
        with pytest.raises(WeightsError, match=words):
            load_weights(name, 16)

    links = ["dangling.pth", "circle.pth", "to a device.pth"]
    names = ["gone.pth", "nul\0.pth", "n" * 300 + ".pth", "folder.pth/gone.pth", ".pth.pth"]
    each(["folder.pth", "pipe.pth", *links, *names], load)


@pytest.mark.survives("a weights file of something else")
def test_sources_and_depths_that_make_no_sense():
    def load_source(source):
        with pytest.raises(ValueError, match=r"^no weights called .{,110}: use \"oxford\""):
            load_weights(source, 19)

    def load_depth(depth):
        words = r"^depth is .{,110}: there are VGG-16 and VGG-19\."
        with pytest.raises(ValueError, match=words):
            load_weights("random", depth)

    names = ["", "oxford ", "Oxford", "https://example.org/vgg", 5, [], b"oxford"]
    each({repr(name): name for name in names} | ANYTHING, load_source)
    depths = [18, "19", [19], {}, -16]
    each({repr(depth): depth for depth in depths} | ANYTHING, load_depth)


# safetensors


def lying(header, data=bytes(8), length=None):
    """A file with this header, which may be longer or shorter than it says."""
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def tensor(shape=(2,), start=0, end=8, kind="F32"):
    return {"dtype": kind, "shape": shape, "data_offsets": [start, end]}


LIES = {
    "a header longer than the file": lying({"a": tensor()}, length=10**6),
    "a header of 2⁶³ bytes": lying({"a": tensor()}, length=2**63),
    "a header of no bytes": lying({"a": tensor()}, length=0),
    "a header cut off": lying({"a": tensor()}, length=20),
    "a header that is no JSON": lying(b"{'a': 1}"),
    "a header that is no text": lying(b"\xff\xfe{}"),
    "a header that is a list": lying([tensor()]),
    "a header nested deeply": lying(b'{"a":' * 100_000),
    "the same name twice": lying(
        f'{{"a":{json.dumps(tensor())},"a":{json.dumps(tensor())}}}'.encode()
    ),
    "data beyond the end": lying({"a": tensor((2000,), 0, 8000)}),
    "data before the beginning": lying({"a": tensor((2,), -8, 0)}),
    "data from back to front": lying({"a": tensor((2,), 8, 0)}),
    "data that overlap": lying({"a": tensor(), "b": tensor()}),
    "data behind the last tensor": lying({"a": tensor()}, bytes(800)),
    "a shape that does not fit the data": lying({"a": tensor((3,))}),
    "a shape of 2⁶² numbers": lying({"a": tensor((2**31, 2**31))}),
    "a shape that overflows": lying({"a": tensor((2**62, 2**62))}),
    "a side of -1": lying({"a": tensor((-1,))}),
    "an unknown type": lying({"a": tensor(kind="F31")}),
    "another network": lying({"a": tensor()}),
    "three bytes": b"abc",
    "nothing": b"",
}


@pytest.mark.survives("a weights file of something else")
def test_a_header_that_lies_is_refused(tmp_path):
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    path = tmp_path / "lies.safetensors"

    def load(data):
        path.write_bytes(data)
        assert isinstance(weights_or_sentence(path), str)

    each(LIES, load)
