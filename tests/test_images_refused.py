"""No picture here: load_image says which one, why, and what to do, in an ImageError and at once."""

import codecs
import io
import itertools
import os
import struct
import time
import zlib
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hostile import ANYTHING, PICTURE, each
from PIL import Image, ImageFile

from stlib.errors import ImageError
from stlib.images import load_image

posix = pytest.mark.skipif(os.name != "posix", reason="needs devices and pipes")
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)


def encoded(file_format="PNG", size=(40, 40)):
    file = io.BytesIO()
    Image.fromarray(PIXELS).resize(size).save(file, file_format)
    return file.getvalue()


def claiming(width, height):
    """A small PNG whose header speaks of another size."""
    data = encoded()
    header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


def refusal(source, *options, **more):
    with pytest.raises(ImageError) as caught:
        load_image(source, *options, **more)
    message = str(caught.value)
    assert message.endswith(".")
    assert ".." not in message
    assert "\n" not in message
    return message


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The working folder, with one picture in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "picture.png").write_bytes(encoded())
    return tmp_path


def test_an_image_error_is_a_value_error():
    assert issubclass(ImageError, ValueError)


def test_no_such_file(folder):
    assert (
        refusal("no/cat.png")
        == f"there is no file no/cat.png (looked in {folder}). Check the spelling and the folder."
    )


def test_a_folder(folder):
    assert refusal(folder) == f"{folder} is a folder: give the path of one picture in it."


def test_an_empty_file(folder):
    for name in ("empty.png", "empty picture.jpg", "空 的.png"):
        (folder / name).touch()
        assert refusal(folder / name) == f"{name} is empty (0 bytes). Copy or download it again."


def test_empty_bytes():
    assert refusal(b"") == "the bytes object is empty (0 bytes). Copy or download it again."


@pytest.mark.survives("a file that is no picture, or an odd one")
def test_not_a_picture(folder):
    def load(data):
        (folder / "notes.png").write_bytes(data)
        assert refusal(folder / "notes.png") == (
            "notes.png is not a picture in a format that Pillow knows. "
            "Open it in an image viewer and export it as PNG or JPEG."
        )

    each([b"x", b"<!DOCTYPE html>", "Schloß".encode(), bytes(5000), b"PK\3\4" + bytes(99)], load)


@pytest.mark.survives("a file that is no picture, or an odd one")
def test_what_only_other_programs_read():
    """To copy or download it again cannot help alone; XBM is a negative in Pillow."""
    bmp, xbm = bytearray(encoded("BMP")), io.BytesIO()
    bmp[30:34] = struct.pack("<I", 9)
    Image.new("1", (40, 40)).save(xbm, "XBM")
    tiff = bytearray(encoded("TIFF"))
    compression = struct.pack("<HHIH", 259, 3, 1, 1)
    webp = struct.pack("<HHIH", 259, 3, 1, 50001)
    found = {
        "a BMP": refusal(bytes(bmp)),
        "a TIFF with WebP": refusal(bytes(tiff).replace(compression, webp)),
        "XBM": refusal(xbm.getvalue()),
    }
    assert [name for name, words in found.items() if "PNG or JPEG" not in words] == []
    assert [name for name, words in found.items() if "damaged and" in words] == []


def test_a_web_address_is_shown_as_it_was_given():
    words = "is a web address: download the picture and give the path of the file."
    for address in ("http://example.org/a/cat.png", "HTTPS://example.org/cat", "ftp://example.org"):
        assert refusal(address) == f"{address} {words}"


@posix
def test_a_device_or_pipe_is_not_opened(folder):
    """Reading /dev/zero or a pipe that nobody writes to would never end."""
    os.mkfifo(folder / "pipe")
    words = "is not a regular file but a device or a pipe: give the path of a picture."
    for path in ("/dev/null", "/dev/zero", "pipe"):
        assert refusal(path) == f"{path} {words}"


def test_a_name_that_no_file_can_have():
    for name, shown in {
        "cat\0.png": r"'cat\x00.png'",
        "c" * 5000 + ".png": f"'{'c' * 100}…'",
        "picture.png/cat.png": "'picture.png/cat.png'",
    }.items():
        message = refusal(name)
        assert message.startswith(f"{shown} cannot be read: ")
        assert message.endswith(". Check the name and the folder.")
        assert len(message) < 250


@pytest.mark.survives("a path or file object that leads to no picture file")
def test_a_file_that_may_not_be_read(monkeypatch):
    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", denied)
    assert refusal("picture.png") == (
        "picture.png may not be read: change its permissions or copy it to a folder of yours."
    )


def test_a_wrong_type_is_named():
    sources = (str, Path, bytes, bytearray, io.BytesIO, Image.Image)
    odd = {name: value for name, value in ANYTHING.items() if not isinstance(value, sources)}
    odd |= {"a picture as a tensor": PICTURE, "text in a list": ["picture.png"], "pixels": PIXELS}

    def load(source):
        assert refusal(source) == (
            "a picture comes from a path, bytes, a file object or a PIL image, "
            f"not from a {type(source).__name__}."
        )

    each(odd, load)


@pytest.mark.survives("a path or file object that leads to no picture file")
def test_a_file_open_as_text():
    words = "picture.png is open as text: open it with open(path, 'rb')."
    for encoding in ("utf-8", "latin-1"):
        with Path("picture.png").open(encoding=encoding) as file:
            assert refusal(file) == words
    with codecs.open("picture.png", encoding="latin-1") as file:
        assert refusal(file) == words


@pytest.mark.survives("a path or file object that leads to no picture file")
def test_a_file_that_is_closed_or_open_for_writing():
    for mode, close in (("rb", True), ("wb", True), ("wb", False)):
        with Path("picture.png").open(mode) as file:
            if close:
                file.close()
            message = refusal(file)
        assert message.startswith("picture.png cannot be read (")
        assert message.endswith(
            "): it may be closed, or open for writing. Open it with open(path, 'rb')."
        )


def test_a_file_object_read_before():
    with Path("picture.png").open("rb") as file:
        load_image(file)
        assert "picture.png has nothing left to read" in refusal(file)
        file.seek(0)
        assert load_image(file).shape == (1, 3, 40, 40)


@pytest.mark.survives("a picture file cut off early")
def test_a_truncated_file(folder):
    def cut(format_and_share):
        file_format, share = format_and_share
        data = encoded(file_format)
        data = data[: int(share * len(data))]
        (folder / "castle").write_bytes(data)
        shown = f"{len(data)} bytes" if len(data) < 2000 else f"{len(data) / 1000:.0f} kB"
        assert refusal(folder / "castle") == (
            f"castle ends after {shown}, in the middle of the picture: "
            "the file is truncated. Copy or download it again."
        )

    formats = ["PNG", "JPEG", "GIF", "TIFF", "BMP"]
    each(list(itertools.product(formats, [0.5, 0.75, 0.9])), cut)


@pytest.mark.survives("a picture file cut off early")
def test_a_header_cut_short_is_damage_and_not_an_unknown_format(folder):
    places = {"PNG": (4, 8, 15, 20, 35), "JPEG": (2, 6, 20, 100, 300), "GIF": (4, 100)}

    def cut(format_and_place):
        file_format, place = format_and_place
        (folder / "castle").write_bytes(encoded(file_format)[:place])
        message = refusal(folder / "castle")
        assert message.startswith(("castle is damaged", f"castle ends after {place} bytes"))
        assert message.endswith("Copy or download it again.")

    each([(kind, place) for kind in places for place in places[kind]], cut)


@pytest.mark.survives("a picture file cut off early")
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_wherever_a_file_is_cut_half_a_picture_is_never_shown(file_format):
    data = encoded(file_format)
    whole = load_image(data)
    refused = 0
    for cut in range(1, len(data), 7):
        try:
            assert torch.equal(load_image(data[:cut]), whole), cut
        except ImageError:
            refused += 1
    assert refused >= 0.95 * len(data) // 7


def test_whatever_a_decoder_raises_is_told_in_one_of_two_ways(monkeypatch):
    truncated = "ends after 5 kB, in the middle of the picture: the file is truncated."
    for error, words in (
        (EOFError(), truncated),
        (ValueError("not enough image data"), truncated),
        (RuntimeError("broken stream"), "is damaged and cannot be decoded (broken stream)."),
        (struct.error(), "is damaged and cannot be decoded (error)."),
    ):
        load = Mock(side_effect=error)
        monkeypatch.setattr(ImageFile.ImageFile, "load", load)
        assert refusal("picture.png") == f"picture.png {words} Copy or download it again."


def test_a_pil_image_whose_file_is_truncated():
    words = "the PIL image is damaged and cannot be decoded (image file is truncated"
    for data in (encoded()[:2000], encoded("JPEG")[:1000]):
        assert refusal(Image.open(io.BytesIO(data))).startswith(words)


def test_a_pil_image_that_was_closed():
    with Image.open("picture.png") as image:
        pass
    image.close()
    assert "(Operation on closed image)" in refusal(image)


@pytest.mark.survives("a small file that unfolds to an enormous picture")
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_decompression_bomb_is_not_decoded(monkeypatch):
    decoded = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded.append)
    for source, shown in (
        (claiming(10_001, 10_000), "is 10001 × 10000 pixels"),
        (claiming(100_000_001, 1), "is 100000001 × 1 pixels"),
        (Image.open(io.BytesIO(claiming(10_001, 10_000))), "is 10001 × 10000 pixels"),
        (claiming(30_000, 30_000), "claims to have an enormous number of pixels"),
        (claiming(2**31 - 1, 2**31 - 1), "claims to have an enormous number of pixels"),
    ):
        start = time.perf_counter()
        message = refusal(source)
        assert time.perf_counter() - start < 1
        assert decoded == []
        assert f"{shown}, more than the 100 million that stlib opens: it may be a " in message
        assert message.endswith("shrink it in an image editor first.")


def test_a_side_under_32_pixels(folder):
    for width, height in ((31, 200), (200, 31), (1, 1)):
        (folder / "thin.png").write_bytes(encoded(size=(width, height)))
        for enlarge in (False, True):
            assert refusal("thin.png", enlarge=enlarge) == (
                f"thin.png is {width} × {height} pixels: "
                "each side must have at least 32. Use a larger picture."
            )


def test_sides_of_32_pixels_are_enough():
    assert load_image(encoded(size=(32, 32)), 32).shape == (1, 3, 32, 32)


def test_a_side_under_32_pixels_after_scaling_down():
    """The size that the message advises is one that works."""
    for size, advised in {(400, 40): 320, (33, 330): 320, (1000, 301): 107}.items():
        left = round(min(size) * 100 / max(size))
        assert refusal(encoded(size=size), 100) == (
            f"the bytes object at size=100 would be only {left} pixels on its shorter side: "
            f"ask for size={advised} or more, or crop it."
        )
        assert min(load_image(encoded(size=size), advised).shape[2:]) == 32
