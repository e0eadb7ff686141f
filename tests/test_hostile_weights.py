"""Hostile and damaged weights files: what is not as it was saved is refused in one sentence, and no file runs code."""

import json
import os
import pickle
import random
import re
import shutil
import struct
import subprocess
import time
import zipfile
from pathlib import Path

import pytest
import torch

from stlib import weights
from stlib.errors import WeightsError
from stlib.layers import conv_shapes
from stlib.weights import OXFORD_FILE, load_weights, oxford_path

posix = pytest.mark.skipif(os.name != "posix", reason="needs the pipes and links of Unix")
ADVICE = re.compile(r"\b(copy|check|run|use)\b|Is the depth right\?$", re.IGNORECASE)
DEADLINE = 20  # seconds for one file, on a busy machine


def state(**changes):
    """A state dict of VGG-16 with numbers of its own in the first layers; the others take no room, in a file either."""
    generator, tensors, index = torch.Generator().manual_seed(0), {}, 0
    for name, channels, width in conv_shapes(16):
        index += bool(index) and name.endswith("_1")
        for kind, shape in (("weight", (width, channels, 3, 3)), ("bias", (width,))):
            own = name in ("conv1_1", "conv1_2", "conv2_1")
            tensors[f"features.{index}.{kind}"] = (
                torch.randn(shape, generator=generator) if own else torch.ones(1).expand(shape)
            )
        index += 2
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
@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize("form", ["archive", "old"])
def test_a_file_cut_off_is_refused(saved, form, share, tmp_path):
    path = tmp_path / "cut.pth"
    path.write_bytes(saved[form][: int(share * len(saved[form]))])
    assert "cut.pth cannot be read as a file of tensors (" in weights_or_sentence(path)


@pytest.mark.survives("a damaged weights file")
@pytest.mark.parametrize("number", range(60))
def test_an_archive_with_an_altered_byte_is_refused_unless_nobody_needs_the_byte(
    saved, number, tmp_path
):
    """torch.load alone gives other numbers without a word: the archive has checksums, but PyTorch does not look at them."""
    data, chance = bytearray(saved["archive"]), random.Random(number)
    place = [
        chance.randrange(len(data)),
        chance.randrange(2000),
        len(data) - 1 - chance.randrange(4000),
    ][number % 3]
    data[place] ^= chance.randrange(1, 256)
    path = tmp_path / "altered.pth"
    path.write_bytes(data)
    outcome = weights_or_sentence(path)
    assert isinstance(outcome, str) or same(outcome)


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
@pytest.mark.parametrize("number", range(30))
def test_an_altered_byte_in_the_old_form_is_refused_or_another_number(saved, number, tmp_path):
    """Files from before PyTorch 1.6 have no checksums: nobody can know that a number was another, if it is finite."""
    data, chance = bytearray(saved["old"]), random.Random(number)
    data[chance.randrange(len(data) if number % 2 else 3000)] ^= chance.randrange(1, 256)
    path = tmp_path / "altered.pth"
    path.write_bytes(data)
    outcome = weights_or_sentence(path)
    assert isinstance(outcome, str) or all(
        torch.isfinite(tensor).all() for pair in outcome.values() for tensor in pair
    )


@pytest.fixture(scope="module")
def copy_of_oxford(tmp_path_factory):
    return Path(shutil.copy(oxford_path(), tmp_path_factory.mktemp("oxford") / OXFORD_FILE))


@pytest.mark.survives("a damaged weights file")
@pytest.mark.parametrize("share", [0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.99999])
def test_every_altered_byte_of_the_courses_own_file_is_noticed(copy_of_oxford, share, monkeypatch):
    """By its SHA-256, before a byte of it is interpreted."""
    monkeypatch.setattr(weights, "oxford_path", lambda: copy_of_oxford)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was interpreted"))
    place = int(share * copy_of_oxford.stat().st_size)
    with copy_of_oxford.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))
        file.flush()
        try:
            assert "wrong SHA-256" in weights_or_sentence("oxford", 19)
        finally:
            file.seek(place)
            file.write(bytes([byte]))


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
@pytest.mark.parametrize("form", ["archive", "old"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("trap", TRAPS)
def test_code_in_a_file_is_refused_and_not_run(trap, place, form, tmp_path):
    """The last lines show that the trap was armed: torch.load without protection falls into it."""
    path, sprung = tmp_path / "trap.pth", tmp_path / "sprung"
    path.write_bytes(saved_as(form, PLACES[place](TRAPS[trap](sprung))))
    assert "it holds something else than tensors, which is refused" in weights_or_sentence(path)
    assert not sprung.exists()
    torch.load(path, weights_only=False)
    assert sprung.exists()


@posix
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.survives("a weights file that tries to run code")
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_without_pytorchs_wrapping_is_refused_and_not_run(protocol, suffix, tmp_path):
    path, sprung = tmp_path / f"trap{suffix}", tmp_path / "sprung"
    path.write_bytes(pickle.dumps(Call(os.mkdir, str(sprung)), protocol))
    assert isinstance(weights_or_sentence(path), str)
    assert not sprung.exists()
    pickle.loads(path.read_bytes())
    assert sprung.exists()


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
@pytest.mark.parametrize("content", ODD_CONTENTS)
def test_contents_that_are_no_vgg16_are_refused(content, form, tmp_path):
    path = tmp_path / "odd.pth"
    path.write_bytes(saved_as(form, ODD_CONTENTS[content]))
    words = weights_or_sentence(path)
    assert re.search(
        r"is not a VGG-16: features\.\d+ should hold|that are not finite|cannot be read as a file of tensors",
        words,
    )


@pytest.mark.survives("a weights file of something else")
@pytest.mark.parametrize("kind", ODD_FILES)
def test_files_that_hold_no_tensors_are_refused(saved, kind, tmp_path):
    path = tmp_path / "odd.pth"
    path.write_bytes(ODD_FILES[kind](saved["archive"]))
    assert isinstance(outcome := weights_or_sentence(path), str) or same(outcome)


@posix
@pytest.mark.survives("a weights file of something else")
@pytest.mark.parametrize(
    "name",
    [
        "folder.pth",
        "pipe.pth",
        "dangling.pth",
        "circle.pth",
        "to a device.pth",
        "gone.pth",
        "nul\0.pth",
        "n" * 300 + ".pth",
        "folder.pth/gone.pth",
        ".pth.pth",
    ],
)
def test_a_path_that_leads_to_no_file_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("folder.pth").mkdir()
    os.mkfifo("pipe.pth")
    for link, target in {
        "dangling.pth": "gone.pth",
        "circle.pth": "circle.pth",
        "to a device.pth": "/dev/zero",
    }.items():
        Path(link).symlink_to(target)
    with pytest.raises(
        WeightsError, match=r"(there is no weights file|cannot be read as a file of tensors) "
    ):
        load_weights(name, 16)


@pytest.mark.survives("a weights file of something else")
@pytest.mark.parametrize(
    ("source", "depth"),
    [
        (None, 19),
        (5, 19),
        (b"oxford", 19),
        ("", 19),
        ("oxford ", 19),
        ("Oxford", 19),
        ("https://example.org/vgg", 19),
        ([], 19),
        (torch.zeros(3), 19),
        ("random", 18),
        ("random", "19"),
        ("random", None),
        ("random", [19]),
        ("random", {}),
        ("random", -16),
    ],
    ids=repr,
)
def test_sources_and_depths_that_make_no_sense(source, depth):
    with pytest.raises(
        ValueError,
        match=r"no weights called .*: use \"oxford\"|depth is .*: there are VGG-16 and VGG-19\.",
    ):
        load_weights(source, depth)


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
@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_refused(lie, tmp_path):
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    path = tmp_path / "lies.safetensors"
    path.write_bytes(LIES[lie])
    assert isinstance(weights_or_sentence(path), str)
