"""Hostile and odd picture files: each ends in a picture or in one helpful sentence.

Soon, and in little memory.
"""

import gzip
import io
import json
import os
import random
import re
import socket
import struct
import subprocess
import sys
import time
import warnings
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile import ANYTHING, each
from PIL import Image, ImageCms
from torch.testing import assert_close

from stlib.errors import ImageError
from stlib.images import MOST_BYTES, load_image, sample, to_pil

posix = pytest.mark.skipif(
    os.name != "posix", reason="needs the devices, links and file names of Unix"
)
DEADLINE = 20  # seconds for one picture, on a busy machine; most take a few milliseconds
MEMORY = 500_000_000  # bytes above what the process held before
ADVICE = re.compile(
    r"\b(ask|call|change|check|choose|close|copy|download|export|give|open|shrink|use)\b",
    re.IGNORECASE,
)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def tensor_or_sentence(source, name):
    """What load_image makes of it, checked: a tensor [1, 3, H, W] or the words of an ImageError."""
    start = time.perf_counter()
    try:
        outcome = load_image(source)
    except ImageError as error:
        outcome = str(error)
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None
        check_sentence(outcome, name)
    else:
        check_tensor(outcome)
    assert time.perf_counter() - start < DEADLINE
    return outcome


def check_sentence(words, name):
    assert words.isprintable()
    assert words.endswith(".")
    assert ".." not in words.replace(name, "")
    assert name in words
    assert ADVICE.search(words)
    assert "Traceback" not in words
    assert len(words) < 300 + 2 * len(name)


def check_tensor(tensor):
    assert tensor.dtype == torch.float32
    assert tensor.shape[:2] == (1, 3)
    assert 32 <= min(tensor.shape[2:]) <= max(tensor.shape[2:]) <= 256
    assert torch.isfinite(tensor).all()
    assert 0 <= tensor.min() <= tensor.max() <= 1


def encoded(image, file_format="PNG", **options):
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks):
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in chunks)


def header(width, height, depth=8, colour_type=2, interlaced=0):
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)


@pytest.fixture(scope="module")
def scene():
    """48 × 40 pixels with something in them for a decoder to do."""
    blocks = np.random.default_rng(0).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((48, 40), Image.Resampling.BICUBIC)


# every mode and format

RED_AND_WHITE = {"P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "LAB", "HSV"}
WHITE = {"1": 1, "L": 255, "I": 65535, "I;16": 65535, "I;16B": 65535, "F": 255.0}
WRITES = {  # the modes that Pillow writes in a format, kept or converted
    "AVIF": "1 L LA I I;16 I;16B F P PA RGB RGBA RGBX RGBa CMYK YCbCr LAB HSV",
    "BLP": "P",
    "BMP": "1 L P RGB RGBA",
    "DDS": "L LA RGB RGBA",
    "DIB": "1 L P RGB RGBA",
    "EPS": "L RGB CMYK",
    "GIF": "1 L LA I I;16 I;16B F P RGB RGBA",
    "ICNS": "1 L LA I;16 P RGB RGBA",
    "ICO": "1 L LA I;16 P RGB RGBA",
    "IM": "1 L LA I I;16 I;16B F P PA RGB RGBA RGBX CMYK YCbCr",
    "JPEG": "1 L RGB RGBX CMYK YCbCr",
    "JPEG2000": "L LA I;16 I;16B RGB RGBA YCbCr CMYK",
    "MPO": "1 L RGB RGBX CMYK YCbCr",
    "MSP": "1",
    "PALM": "1 P",
    "PCX": "1 L P RGB",
    "PDF": "1 L LA P RGB RGBA CMYK",
    "PNG": "1 L LA I;16 I;16B P RGB RGBA",
    "PPM": "1 L I I;16 F RGB RGBA",
    "QOI": "RGB RGBA",
    "SGI": "L RGB RGBA",
    "SPIDER": "1 L LA I I;16 F P PA RGB RGBA CMYK YCbCr HSV",
    "TGA": "1 L LA P RGB RGBA",
    "TIFF": "1 L LA I I;16 I;16B F P PA RGB RGBA RGBX CMYK YCbCr LAB",
    "WEBP": "1 L LA I I;16 I;16B F P PA RGB RGBA RGBX RGBa CMYK YCbCr LAB HSV",
    "XBM": "1",
}
NO_PICTURES = {
    "EPS",
    "ICNS",
    "ICO",
    "PALM",
    "PDF",
    "XBM",
}  # programs, containers, what Pillow writes but does not read, and what it shows as a negative


def halves(mode):
    """48 × 40 pixels, white on the right; red on the left, or black in a mode without colours."""
    if mode not in RED_AND_WHITE | {"LA"}:
        image = Image.new(mode, (48, 40), 0)
        image.paste(WHITE[mode], (24, 0, 48, 40))
        return image
    image = Image.new("RGB", (48, 40), "red" if mode in RED_AND_WHITE else "black")
    image.paste("white", (24, 0, 48, 40))
    return image.convert("RGBA").convert(mode) if mode in ("PA", "RGBa") else image.convert(mode)


@pytest.mark.survives("a picture of any mode in any format that Pillow writes")
@pytest.mark.filterwarnings("ignore")  # Pillow's, about what it writes
def test_every_mode_in_every_format(tmp_path):
    """Red, black and white come back, in pictures of the right size; what holds none is refused."""
    Image.init()
    read = []

    def try_it(mode_and_format):
        mode, file_format = mode_and_format
        path = tmp_path / f"picture.{file_format.lower()}"
        try:
            halves(mode).save(path, file_format)
        except (KeyError, OSError, ValueError):
            return  # this Pillow does not write the mode in the format
        outcome = tensor_or_sentence(path, path.name)
        if file_format in NO_PICTURES:
            assert "export it as PNG or JPEG" in outcome
            return
        if mode == "YCbCr" and isinstance(outcome, str):
            return  # this Pillow cannot read what it writes
        read.append(mode_and_format)
        assert outcome.shape == (1, 3, 40, 48)
        left = [1, 0, 0] if mode in RED_AND_WHITE else [0, 0, 0]
        if file_format == "SPIDER" and mode in RED_AND_WHITE:  # which keeps grey only
            left = [0.299] * 3
        assert outcome[0, :, 20, 12].tolist() == pytest.approx(left, abs=0.03)
        assert outcome[0, :, 20, 36].tolist() == pytest.approx([1, 1, 1], abs=0.03)

    each([(mode, name) for name, modes in WRITES.items() for mode in modes.split()], try_it)
    assert len(read) >= 80


@pytest.mark.filterwarnings("ignore")
def test_formats_and_modes_of_another_pillow_end_as_well(scene):
    """Whatever this Pillow writes, also what it did not write when the table was made."""
    Image.init()
    written = 0
    for file_format in Image.SAVE:
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"):
            try:
                data = encoded(scene.convert(mode), file_format)
            except Exception:
                continue
            tensor_or_sentence(data, "the bytes object")
            written += 1
    assert written >= 60


# damaged files

CODED = {
    "PNG": {},
    "JPEG": {},
    "progressive JPEG": {"progressive": True},
    "WEBP": {},
    "lossless WEBP": {"lossless": True},
    "GIF": {},
    "TIFF": {},
    "compressed TIFF": {"compression": "tiff_lzw"},
    "BMP": {},
    "TGA": {},
    "PPM": {},
    "JPEG2000": {},
    "AVIF": {},
}


@pytest.fixture(scope="module")
def files(scene):
    """A function of the name of a kind of file: its bytes."""
    Image.init()
    made = {}

    def make(kind):
        file_format = kind.split()[-1]
        if file_format not in Image.SAVE:
            pytest.skip(f"this Pillow does not write {file_format}")
        if kind not in made:
            made[kind] = encoded(scene, file_format, **CODED[kind])
        return made[kind]

    return make


@pytest.mark.survives("a picture file cut off early")
@pytest.mark.parametrize("kind", CODED)
def test_a_file_cut_off_shows_the_whole_picture_or_none(files, kind, tmp_path):
    """A file may end in bytes that nobody needs."""
    data = files(kind)
    path = tmp_path / "cut off"

    def cut(share):
        path.write_bytes(data[: int(share * len(data))])
        outcome = tensor_or_sentence(path, path.name)
        assert isinstance(outcome, str) or torch.equal(outcome, load_image(data))

    each([0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.99], cut)


def altered(data, chance, first=0, last=None):
    """The data with one byte between these two places changed to another."""
    data = bytearray(data)
    place = chance.randrange(first, len(data) if last is None else last)
    data[place] ^= chance.randrange(1, 256)
    return bytes(data)


@pytest.mark.survives("a picture file with an altered byte")
@pytest.mark.parametrize("kind", [kind for kind in CODED if kind not in ("TGA", "PPM")])
def test_an_altered_byte(files, kind, tmp_path):
    """Every third one is in the header; most formats cannot know that a pixel was another."""
    path = tmp_path / "altered"

    def alter(number):
        last = None if number % 3 else 100
        path.write_bytes(altered(files(kind), random.Random(f"{kind} {number}"), last=last))
        tensor_or_sentence(path, path.name)

    each(range(30), alter)


@pytest.mark.survives("a picture file with an altered byte")
def test_altered_pixels_of_a_png_are_never_shown(files):
    """Checksums."""
    data = files("PNG")
    pixels = data.index(b"IDAT") + 4

    def alter(number):
        spoiled = altered(data, random.Random(number), pixels + 2, len(data) - 20)
        outcome = tensor_or_sentence(spoiled, "the bytes object")
        assert isinstance(outcome, str) or torch.equal(outcome, load_image(data))

    each(range(10), alter)


@pytest.mark.survives("a picture file with an altered byte")
def test_a_damaged_profile_is_ignored(scene):
    """Cut off at five places, with an altered byte at ten."""
    cut = {f"cut at {fifth}/5": SRGB[: fifth * len(SRGB) // 5] for fifth in range(5)}
    spoiled = {f"altered {seed}": altered(SRGB, random.Random(seed)) for seed in range(5, 15)}

    def load(profile):
        outcome = tensor_or_sentence(encoded(scene, icc_profile=profile), "the bytes object")
        assert outcome.shape == (1, 3, 40, 48)

    each(cut | spoiled, load)


@pytest.mark.survives("a picture file with an altered byte")
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_a_damaged_exif_block_is_ignored_or_told(scene, file_format):
    exif = Image.Exif()
    exif[0x112], exif[0x10F] = 6, "a camera"

    def alter(number):
        block = altered(exif.tobytes(), random.Random(number), 6)
        tensor_or_sentence(encoded(scene, file_format, exif=block), "the bytes object")

    each(range(5), alter)


def looping_tiff(scene):
    """The directory that comes after the only one is itself."""
    data = bytearray(encoded(scene, "TIFF"))
    start = struct.unpack_from("<I", data, 4)[0]
    struct.pack_into("<I", data, start + 2 + 12 * struct.unpack_from("<H", data, start)[0], start)
    return bytes(data)


PIXELS = b"IDAT", zlib.compress((b"\0" + bytes(120)) * 40)
END = b"IEND", b""
ODD_FILES = {
    "PNG without pixels": lambda scene: png(header(40, 40), END),
    "PNG without an end": lambda scene: png(header(40, 40), PIXELS),
    "PNG with two headers": lambda scene: png(header(40, 40), header(60, 60), PIXELS, END),
    "PNG without a palette": lambda scene: png(header(120, 40, colour_type=3), PIXELS, END),
    "PNG of no width": lambda scene: png(header(0, 40), PIXELS, END),
    "PNG of an unknown depth": lambda scene: png(header(40, 40, depth=5), PIXELS, END),
    "PNG with too few pixels": lambda scene: png(header(40, 80), PIXELS, END),
    "PNG with too many pixels": lambda scene: png(header(40, 39), PIXELS, END),
    "PNG of an unknown filter": lambda scene: png(
        header(40, 40), (b"IDAT", zlib.compress((b"\7" + bytes(120)) * 40)), END
    ),
    "PNG with a chunk that never ends": lambda scene: (
        png(header(40, 40))[:-4] + b"\x7f\xff\xff\xffIDAT"
    ),
    "TIFF that leads to itself": looping_tiff,
    "GIF without a frame": lambda scene: b"GIF89a\x28\0\x28\0\0\0\0;",
    "BMP of a negative height": lambda scene: (
        (data := encoded(scene, "BMP"))[:22] + struct.pack("<i", -40) + data[26:]
    ),
    "JPEG of two halves": lambda scene: (
        (data := encoded(scene, "JPEG"))[:400] + data[:400] + data[400:]
    ),
    "JPEG with something behind it": lambda scene: (
        encoded(scene, "JPEG") + b"<?php system('ls'); ?>"
    ),
    "JPEG in a TIFF": lambda scene: encoded(scene, "TIFF", compression="jpeg"),
    "1 pixel": lambda scene: encoded(scene.resize((1, 1))),
    "1 pixel wide": lambda scene: encoded(scene.resize((1, 200))),
    "1 pixel high": lambda scene: encoded(scene.resize((200, 1))),
    "32 × 100,000 pixels": lambda scene: encoded(scene.resize((32, 100_000))),
    "16 bits of grey": lambda scene: encoded(
        Image.fromarray(np.arange(1600, dtype=np.uint16).reshape(40, 40) * 40)
    ),
    "16 bits of colour": lambda scene: png(
        header(40, 40, depth=16), (b"IDAT", zlib.compress((b"\0" + bytes(240)) * 40)), END
    ),
    "nothing but nan": lambda scene: encoded(Image.new("F", (40, 40), float("nan")), "TIFF"),
    "infinite values": lambda scene: encoded(Image.new("F", (40, 40), float("-inf")), "TIFF"),
    "values beyond white": lambda scene: encoded(Image.new("I", (40, 40), 2**31 - 1), "TIFF"),
    "an animation of 100 frames": lambda scene: encoded(
        scene, "GIF", save_all=True, append_images=[scene] * 99
    ),
    "an animated PNG": lambda scene: encoded(
        scene, save_all=True, append_images=[scene.rotate(90)] * 3
    ),
    "all transparent": lambda scene: encoded(Image.new("RGBA", (40, 40), (9, 9, 9, 0))),
    "a script that calls itself a picture": lambda scene: b"#!/bin/sh\nrm -rf picture\n",
    "a web page": lambda scene: b"<!DOCTYPE html><title>404 Not Found</title>",
    "an SVG drawing": lambda scene: b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "an archive": lambda scene: b"PK\x05\x06" + bytes(18),
    "zeros": lambda scene: bytes(5000),
    "noise": lambda scene: random.Random(0).randbytes(5000),
    "one byte": lambda scene: b"\x89",
    "nothing": lambda scene: b"",
}


@pytest.mark.survives("a file that is no picture, or an odd one")
def test_odd_files(scene, tmp_path):
    path = tmp_path / "picture.png"

    def load(make):
        path.write_bytes(make(scene))
        tensor_or_sentence(path, path.name)
        assert list(tmp_path.iterdir()) == [path]

    each(ODD_FILES, load)


@pytest.mark.survives("a file that is no picture, or an odd one")
def test_a_wrong_suffix_does_not_matter(scene, tmp_path):
    """What a file is, is in the file."""

    def load(suffix):
        path = tmp_path / f"picture{suffix}"
        path.write_bytes(encoded(scene))
        assert torch.equal(tensor_or_sentence(path, path.name), load_image(scene))

    each([".jpg", ".txt", ".gif", ".exe", ".mp4", ""], load)


@pytest.mark.survives("a file that is no picture, or an odd one")
def test_a_program_that_draws_is_not_run(tmp_path):
    """PostScript is a language; where Ghostscript is installed, this program would never end."""
    path = tmp_path / "forever.eps"
    path.write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\n{ } loop\n%%EOF\n"
    )
    assert "a file of the format EPS, which stlib does not open" in tensor_or_sentence(
        path, path.name
    )


# places where no picture is


@pytest.fixture
def places(scene, tmp_path, monkeypatch):
    """The working folder, with one of everything that a path can lead to."""
    monkeypatch.chdir(tmp_path)
    Path("a folder").mkdir()
    Path("picture.png").write_bytes(encoded(scene))
    os.mkfifo("a pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("a socket")
    for link, target in {
        "link.png": "picture.png",
        "dangling.png": "gone.png",
        "circle.png": "circle.png",
        "there": "back",
        "back": "there",
        "to a folder": "a folder",
        "to a device": "/dev/zero",
    }.items():
        Path(link).symlink_to(target)
    return tmp_path


NO_FILES = [
    *("a folder", ".", "a pipe", "a socket", "/dev/null", "/dev/zero", "/dev/urandom", "/dev/tty"),
    *("dangling.png", "circle.png", "there", "to a folder", "to a device"),
    *("gone.png", "picture.png/picture.png", "gone/picture.png"),
    *("nul\0.png", "n" * 300, "n/" * 3000, " ", "~", "https://example.org/picture.png"),
]


@posix
@pytest.mark.survives("a path or file object that leads to no picture file")
def test_a_path_that_leads_to_no_regular_file(places):
    def load(path):
        name = str(Path.home()) if path == "~" else repr(path[:100])[1:-1]
        assert isinstance(tensor_or_sentence(path, name), str)

    each(NO_FILES, load)


def test_a_highlight_does_not_turn_a_picture_of_floats_black(tmp_path):
    """0…1 with values a little above, 0…255, 0…65535, and 32-bit levels: one picture."""
    grey = np.asarray(to_pil(sample("cat", 64)).convert("L"))
    unit = np.float32(grey / grey.max())
    expected = load_image(Image.fromarray(np.uint8(255 * unit))).clamp(max=0.98)
    for factor in (1, 1.02, 255, 255 * 1.02, 65535):
        Image.fromarray(factor * unit).save(tmp_path / "floats.tif")
        found = load_image(tmp_path / "floats.tif").clamp(max=0.98)
        assert (found - expected).abs().max() < 0.025, factor
    levels = load_image(Image.fromarray(np.int32(255 * unit))).clamp(max=0.98)
    assert (levels - expected).abs().max() < 0.01
    unit[3, 4] = np.inf
    assert (load_image(Image.fromarray(unit)).clamp(max=0.98) - expected).abs().mean() < 0.025
    with pytest.raises(ImageError, match=r"values up to 1e\+03, .*change them to 0…1 first\.$"):
        load_image(Image.fromarray(1000 * unit.clip(0, 1)))


NUMBERS = np.linspace(0, 1, 1600, dtype=np.float32).reshape(40, 40)


def test_numbers_of_which_nothing_can_be_seen_are_refused(tmp_path):
    """Below black, above white, or nan, as floats or as levels; most of them are a warning."""

    def refuse(numbers):
        Image.fromarray(numbers).save(tmp_path / "numbers.tif")
        with pytest.raises(ImageError, match=r"all values of numbers\.tif are below black"):
            load_image(tmp_path / "numbers.tif")

    each(
        {
            "negative floats": -1 - NUMBERS,
            "nan": NUMBERS * np.nan,
            "negative levels": np.int32(-1 - 255 * NUMBERS),
            "levels above white": np.int32(65536 + 1000 * NUMBERS),
        },
        refuse,
    )
    Image.fromarray(NUMBERS - 0.95).save(tmp_path / "numbers.tif")
    with pytest.warns(RuntimeWarning, match=r"^95 % of the values of numbers\.tif are below"):
        load_image(tmp_path / "numbers.tif")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
def test_a_picture_that_is_transparent_everywhere_is_told(mode):
    """It becomes white; one pixel that can be seen is enough."""
    image = Image.new(mode, (40, 48))
    if mode == "P":
        image.info["transparency"] = 0
    with pytest.warns(RuntimeWarning, match=r"^the PIL image is transparent everywhere"):
        assert load_image(image).min() == 1
    image.putpixel((3, 4), 1 if mode == "P" else (255,) * len(image.getbands()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_image(image)


@posix
@pytest.mark.survives("a path or file object that leads to no picture file")
def test_an_empty_name_is_not_the_working_folder(places):
    assert tensor_or_sentence("", ".") == "the name of the picture is empty: give that of a file."


@posix
@pytest.mark.survives("a path or file object that leads to no picture file")
def test_a_working_folder_that_was_deleted(places):
    os.chdir(places / "a folder")
    (places / "a folder").rmdir()
    assert "looked in a folder that was deleted" in tensor_or_sentence("gone.png", "gone.png")


@posix
@pytest.mark.survives("a path or file object that leads to no picture file")
def test_a_link_to_a_picture_is_followed(places, scene):
    """Also a path object that holds bytes, as os.scandir gives."""
    (of_bytes,) = (entry for entry in os.scandir(b".") if entry.name == b"link.png")
    for link in ("link.png", "./link.png", of_bytes):
        assert torch.equal(tensor_or_sentence(link, "link.png"), load_image(scene))


@posix
@pytest.mark.survives("a path or file object that leads to no picture file")
def test_a_file_without_permission(places):
    Path("picture.png").chmod(0)
    if os.access("picture.png", os.R_OK):
        pytest.skip("this user may read everything; test_images_refused.py plays one who may not")
    assert "may not be read" in tensor_or_sentence("picture.png", "picture.png")


# names

NAMES = {
    "spaces": " my  picture .png",
    "Chinese": "城堡在水边.png",
    "Arabic": "قلعة.png",
    "emoji": "🏰🌊.png",
    "a joined emoji": "👩\u200d🎨.png",
    "a newline": "two\nlines.png",
    "a tab and a bell": "a\tb\a.png",
    "an escape sequence": "\x1b[31mred\x1b[0m.png",
    "a direction mark": "gnp.\u202egnp.png",
    "an accent apart": "Schlo\u0308ss.png",
    "bytes that are no text": os.fsdecode(b"\xff\xfe.png"),
    "format braces": "{0}{name!r}%s.png",
    "quotes": "'\"`$(ls)`.png",
    "a backslash": "a\\nb.png",
    "a dash first": "--help.png",
    "dots": "...png",
    "a leading hash": "#1 100%.png",
    "240 bytes": "n" * 236 + ".png",
}


@posix
@pytest.mark.survives("a file name with odd characters")
def test_odd_names(scene, tmp_path, monkeypatch):
    """The picture is read; what goes wrong with it is told on one line, for any terminal."""
    monkeypatch.chdir(tmp_path)

    def load(name):
        shown = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)
        Path(name).write_bytes(encoded(scene))
        assert torch.equal(tensor_or_sentence(name, shown), load_image(scene))
        with Path(name).open("rb") as file:
            assert torch.equal(tensor_or_sentence(file, shown), load_image(scene))
        for damaged in (encoded(scene)[:200], b"no picture", b""):
            Path(name).write_bytes(damaged)
            assert tensor_or_sentence(name, shown).encode()
        Path(name).unlink()
        assert tensor_or_sentence(name, shown).encode()

    each(NAMES, load)


# file objects


class Reader:
    """A file object that reads whatever it is told to, or raises it."""

    name = "a stream"

    def __init__(self, *blocks):
        self.blocks = list(blocks)

    def read(self, size):
        block = self.blocks.pop(0) if self.blocks else b""
        if isinstance(block, Exception):
            raise block
        return block


BROKEN = [
    EOFError("ended early"),
    zlib.error("incorrect\nheader"),
    OSError(5, "Input/output error"),
    TimeoutError(),
    RuntimeError("gone"),
    None,
    "text",
    5,
    [1, 2],
    b"",
    b"no picture",
]


@pytest.mark.survives("a path or file object that leads to no picture file")
def test_broken_file_objects():
    def load(block):
        assert isinstance(tensor_or_sentence(Reader(block), "a stream"), str)

    each(BROKEN, load)


@pytest.mark.survives("a path or file object that leads to no picture file")
def test_a_file_object_that_gives_a_few_bytes_at_a_time(scene):
    data = encoded(scene)
    pieces = [data[start : start + 100] for start in range(0, len(data), 100)]
    assert torch.equal(tensor_or_sentence(Reader(*pieces), "a stream"), load_image(scene))


@pytest.mark.survives("a path or file object that leads to no picture file")
def test_a_file_object_that_is_cut_off(scene):
    with gzip.open(io.BytesIO(gzip.compress(encoded(scene))[:-9])) as file:
        assert "cannot be read" in tensor_or_sentence(file, "")


# small files that unfold


def flat(mode, megapixels):
    side = int((megapixels * 1e6) ** 0.5)
    return Image.new(mode, (side, side))


def turned():
    exif = Image.Exif()
    exif[0x112] = 6
    return exif


@cache
def zeros():
    """600 MB, which take 2.6 MB."""
    return zlib.compress(bytes(600_000_000), 1)


def in_a_chunk(kind, data):
    return png(header(40, 40), (kind, b"a\0\0" + data), PIXELS, END)


def icon(picture):
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(picture), 22) + picture


OPENED = {  # the largest of their kind that are
    "rgb.png": lambda path: flat("RGB", 100).save(path, compress_level=1),
    "transparent, turned, with a profile.png": lambda path: flat("RGBA", 100).save(
        path, compress_level=1, exif=turned(), icc_profile=SRGB
    ),
    "16 bits.png": lambda path: flat("I;16", 100).save(path, compress_level=1),
    "palette.gif": lambda path: flat("P", 100).save(path),
    "float.tif": lambda path: flat("F", 40).save(path, compression="tiff_lzw"),
    "one strip.tif": lambda path: flat("RGB", 40).save(
        path, compression="tiff_lzw", strip_size=2**31
    ),
    "progressive.jpg": lambda path: flat("RGB", 50).save(path, progressive=True, subsampling=0),
    "baseline.jpg": lambda path: flat("RGB", 170).save(path),
    "lossless.webp": lambda path: flat("RGB", 25).save(path, lossless=True, method=0),
    "large.jp2": lambda path: flat("RGB", 20).save(path),
}
NOT_OPENED = {
    "larger.png": lambda path: Image.new("L", (10_001, 10_000)).save(path, compress_level=1),
    "long.png": lambda path: Image.new("RGB", (32, 3_000_000)).save(path, compress_level=1),
    "larger.tif": lambda path: flat("L", 41).save(path, compression="tiff_lzw"),
    "larger progressive.jpg": lambda path: flat("L", 51).save(path, progressive=True),
    "larger.webp": lambda path: flat("RGB", 26).save(path, lossless=True, method=0),
    "larger.jp2": lambda path: flat("L", 21).save(path),
    "icon.ico": lambda path: path.write_bytes(icon(path.with_name("rgb.png").read_bytes())),
    "text.png": lambda path: path.write_bytes(in_a_chunk(b"zTXt", zeros())),
    "profile.png": lambda path: path.write_bytes(in_a_chunk(b"iCCP", zeros())),
    "sparse.png": lambda path: path.open("wb").truncate(10**10),
    "zero": lambda path: path.symlink_to("/dev/zero"),
}
MEASURE = """
import json, sys, time
from pathlib import Path
from stlib.errors import ImageError
from stlib.images import load_image, sample

def most_held():
    return 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

sample("castle")  # for what is loaded once
before = most_held()
for path in sys.argv[1:]:
    Path("/proc/self/clear_refs").write_text("5")  # the most from now on
    start = time.perf_counter()
    try:
        outcome = load_image(Path(path).open("rb") if Path(path).name == "zero" else path).shape
    except ImageError as error:
        outcome = str(error)
    print(json.dumps([outcome, most_held() - before, time.perf_counter() - start]))
"""


def measured(folder):
    """{name: [shape or sentence, bytes, seconds]} of every bomb, in a fresh process."""
    bombs = OPENED | NOT_OPENED
    for name, make in bombs.items():
        make(folder / name)
    paths = [folder / name for name in bombs]
    # glibc would keep what was freed for the next picture
    gives_back = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(8 * 2**20)}
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, *paths],
        env=gives_back,
        capture_output=True,
        text=True,
        timeout=20 * DEADLINE,
    )
    for path in paths:
        path.unlink()
    assert result.returncode == 0, result.stderr
    return dict(zip(bombs, map(json.loads, result.stdout.splitlines()), strict=True))


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="needs Linux to measure a process"
)
@pytest.mark.survives("a small file that unfolds to an enormous picture")
def test_no_picture_takes_500_megabytes(tmp_path):
    """What is refused takes hardly any, but for a stream that has no end."""
    found = measured(tmp_path)

    def check(name):
        outcome, held, seconds = found[name]
        assert held < (MEMORY if name in OPENED or name == "zero" else 50_000_000)
        assert seconds < DEADLINE
        if name in OPENED:
            assert outcome == [1, 3, 256, 256]
        else:
            check_sentence(outcome, name)

    each(list(found), check)


@pytest.mark.survives("a small file that unfolds to an enormous picture")
def test_a_header_that_lies_about_the_size():
    most = 2**31 - 1
    sizes = [(10_000, 10_001), (100_000, 100_000), (most, most), (most, 32), (40, 10**7)]

    def load(sides):
        for interlaced in (0, 1):
            data = png(header(*sides, interlaced=interlaced), PIXELS, END)
            assert "decompression bomb" in tensor_or_sentence(data, "the bytes object")

    each(sizes, load)


@pytest.mark.survives("a small file that unfolds to an enormous picture")
def test_an_archive_that_never_ends():
    """1 GB of zeros in 1 MB, of which no more is unfolded than a picture may hold."""
    packed = gzip.compress(bytes(10_000_000), 1) * 100
    with gzip.open(io.BytesIO(packed)) as file:
        assert "holds more than the 400 MB" in tensor_or_sentence(file, "")
        assert file.tell() < 1.1 * MOST_BYTES


@pytest.mark.survives("an argument that makes no sense")
def test_a_picture_is_not_enlarged_beyond_reason(scene):
    for size in (10**5, 10**9, 10**400, 10**5000):
        with pytest.raises(ImageError, match="ask for a smaller size") as caught:
            load_image(scene, size, enlarge=True)
        assert len(str(caught.value)) < 600
        assert load_image(scene, size).shape == (1, 3, 40, 48)


@pytest.mark.survives("an argument that makes no sense")
def test_a_size_that_makes_no_sense(scene):
    large = "a number of 5000 digits"
    words = r"^size is .*: give the longer side as a whole number of pixels, 32 or more\.$"
    odd = {name: size for name, size in ANYTHING.items() if name not in ("none", large)}
    more = [0, 31, 1e3, "256", b"256", [256], (256, 256), {}, 1j]

    def load(size):
        with pytest.raises(ValueError, match=words):
            load_image(scene, size)

    each(odd | {repr(size): size for size in more}, load)


# large pictures are right, too


@pytest.mark.parametrize("mode", ["L", "LA", "P", "I;16", "F", "RGBA", "CMYK"])
def test_a_picture_converted_in_strips_is_the_picture_converted_at_once(scene, mode, monkeypatch):
    image = scene.convert("L").convert(mode) if mode in ("I;16", "F") else scene.convert(mode)
    expected = load_image(image)
    monkeypatch.setattr("stlib._srgb.STRIP", 200)
    assert torch.equal(load_image(image), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("sides", [(1500, 1001), (1001, 1500)])
def test_a_large_picture_shrunk_in_strips_is_the_picture_shrunk_at_once(
    sides, orientation, monkeypatch
):
    """To one level of 255 on average."""
    image = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    ).resize(sides)
    image.getexif()[0x112] = orientation
    expected = load_image(image, 100)
    monkeypatch.setattr("stlib.images.LARGE", 1000)
    monkeypatch.setattr("stlib._srgb.STRIP", 10_000)
    shrunk = load_image(image, 100)
    assert shrunk.shape == expected.shape
    assert_close(shrunk, expected, atol=10 / 255, rtol=0)
    assert (shrunk - expected).abs().mean() < 1 / 255
