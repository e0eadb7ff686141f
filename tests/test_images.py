"""Reading pictures: every source, size and kind of file becomes the promised tensor."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile import each
from PIL import Image, ImageCms
from torch.testing import assert_close

import stlib
from stlib.errors import ImageError
from stlib.images import load_image, sample, sample_names

SAMPLES = Path(stlib.__file__).parent / "samples"
STEP = 1 / 255


def encoded(image, file_format="PNG", **options):
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def png(width, height, depth, colour_type, rows, *chunks):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))
    middle = b"".join(chunk(kind, data) for kind, data in chunks)
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + middle
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def tensor_of(pixels):
    return torch.tensor(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None] / 255


def halves(left, right, mode):
    """A 40 × 40 picture of two plain halves."""
    image = Image.new(mode, (40, 40), left)
    image.paste(right, (20, 0, 40, 40))
    return image


def at(tensor, x):
    return tensor[0, :, 10, x].tolist()


@pytest.fixture
def pixels():
    """48 rows of 40 pixels in blocks of 8, no two alike."""
    colours = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    return colours.repeat(8, 0).repeat(8, 1)


@pytest.fixture
def picture(pixels):
    return Image.fromarray(pixels)


@pytest.fixture
def file(picture, tmp_path):
    path = tmp_path / "picture.png"
    picture.save(path)
    return path


@pytest.mark.parametrize(
    "source",
    [
        Path,
        str,
        Path.read_bytes,
        lambda path: bytearray(path.read_bytes()),
        lambda path: memoryview(path.read_bytes()),
        lambda path: path.open("rb"),
        lambda path: io.BytesIO(path.read_bytes()),
        Image.open,
    ],
    ids=["path", "str", "bytes", "bytearray", "memoryview", "file", "BytesIO", "PIL"],
)
def test_every_source_gives_the_same_tensor(file, pixels, source):
    """[1, 3, H, W], RGB, float32 in [0, 1], to the last bit."""
    tensor = load_image(source(file))
    assert tensor.shape == (1, 3, 48, 40)
    assert tensor.dtype == torch.float32
    assert torch.equal(tensor, tensor_of(pixels))


def test_channels_are_red_green_blue():
    assert at(load_image(halves((255, 51, 0), (0, 102, 255), "RGB")), 0) == pytest.approx(
        [1, 0.2, 0]
    )


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "CMYK"])
def test_a_pil_image_is_left_as_it_was(picture, mode):
    image = picture.convert(mode)
    exif = image.getexif()
    exif[0x112] = 6
    image.info |= {"transparency": 0} if mode in "PL" else {"exif": exif.tobytes()}
    before = (image.mode, image.size, dict(image.info), image.tobytes())
    load_image(image, 64, enlarge=True)
    assert (image.mode, image.size, dict(image.info), image.tobytes()) == before


@pytest.mark.survives("a file name with odd characters")
@pytest.mark.parametrize("name", ["my picture.png", "城堡 在 水边.png", "#1 100%.png"])
def test_names_may_hold_spaces_and_any_script(picture, pixels, tmp_path, name):
    picture.save(tmp_path / name)
    assert torch.equal(load_image(str(tmp_path / name)), tensor_of(pixels))


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
@pytest.mark.parametrize(
    ("width", "height", "options", "expected"),
    [
        (400, 300, {}, (256, 192)),
        (300, 400, {}, (192, 256)),
        (1200, 600, {"size": 100}, (100, 50)),
        (600, 1200, {"size": 100}, (50, 100)),
        (400, 300, {"size": 400}, (400, 300)),
        (400, 300, {"size": 500}, (400, 300)),
        (400, 300, {"size": 500, "enlarge": True}, (500, 375)),
        (400, 300, {"size": 200, "enlarge": True}, (200, 150)),
        (400, 300, {"size": None}, (400, 300)),
        (400, 300, {"size": None, "enlarge": True}, (400, 300)),
    ],
)
def test_size_is_the_longer_side_and_enlarges_only_when_asked(
    width, height, options, expected, file_format
):
    data = encoded(Image.new("RGB", (width, height), (255, 51, 0)), file_format)
    tensor = load_image(data, **options)
    assert tensor.shape[:1:-1] == expected
    assert at(tensor, 10) == pytest.approx([1, 0.2, 0], abs=0.02)


@pytest.mark.parametrize("size", [31, 0, -256, 256.0, "256", True])
def test_a_size_is_a_whole_number_from_32(picture, size):
    with pytest.raises(ValueError, match="32 or more") as caught:
        load_image(picture, size)
    assert repr(size) in str(caught.value)


# EXIF 2.3, tag 0x112: where row 0 and column 0 of the stored picture lie in the upright one
STORED = {
    1: lambda upright: upright,  # top, left
    2: lambda upright: upright[:, ::-1],  # top, right
    3: lambda upright: upright[::-1, ::-1],  # bottom, right
    4: lambda upright: upright[::-1],  # bottom, left
    5: lambda upright: upright.swapaxes(0, 1),  # left, top
    6: lambda upright: upright[:, ::-1].swapaxes(0, 1),  # right, top
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),  # right, bottom
    8: lambda upright: upright[::-1].swapaxes(0, 1),  # left, bottom
}


@pytest.mark.survives("a picture turned or mirrored by its EXIF orientation")
@pytest.mark.parametrize(
    "source", [bytes, lambda data: Image.open(io.BytesIO(data))], ids=["bytes", "PIL"]
)
@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("JPEG", {"quality": 100, "subsampling": 0}),
        ("PNG", {}),
        ("TIFF", {}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_a_picture_is_turned_upright(pixels, file_format, options, source):
    def load(orientation):
        exif = Image.Exif()
        exif[0x112] = orientation
        stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](pixels)))
        tensor = load_image(source(encoded(stored, file_format, exif=exif, **options)))
        assert_close(tensor, tensor_of(pixels), atol=2 * STEP, rtol=0)

    each(list(STORED), load)


PALETTE = halves(0, 1, "P")
PALETTE.putpalette([10, 20, 30, 102, 102, 102])


@pytest.mark.parametrize(
    "source",
    [
        encoded(halves((0, 0, 0, 0), (102, 102, 102, 255), "RGBA")),
        encoded(halves((0, 0, 0, 0), (102, 102, 102, 255), "RGBA"), "WEBP", lossless=True),
        encoded(halves((0, 0), (102, 255), "LA")),
        halves((0, 0, 0, 0), (102, 102, 102, 255), "RGBA").convert("PA"),
        encoded(PALETTE, transparency=0),
        encoded(PALETTE, transparency=b"\x00\xff"),
        encoded(PALETTE, "GIF", transparency=0),
        encoded(halves((9, 8, 7), (102, 102, 102), "RGB"), transparency=(9, 8, 7)),
        encoded(halves(9, 102, "L"), transparency=9),
        png(
            40,
            40,
            16,
            0,
            (b"\0" + struct.pack(">40H", *[9] * 20, *[26214] * 20)) * 40,
            (b"tRNS", struct.pack(">H", 9)),
        ),
    ],
    ids=[
        "RGBA",
        "WebP",
        "LA",
        "PA",
        "P",
        "P with alphas",
        "GIF",
        "RGB tRNS",
        "L tRNS",
        "I;16 tRNS",
    ],
)
def test_transparent_parts_show_white(source):
    tensor = load_image(source)
    assert at(tensor, 10) == [1, 1, 1]
    assert at(tensor, 30) == pytest.approx([0.4] * 3, abs=0.01)


@pytest.mark.parametrize("alpha", [0, 64, 128, 255])
def test_half_transparent_parts_mix_with_white(alpha):
    tensor = load_image(halves((255, 0, 51, alpha), 0, "RGBA"))
    assert at(tensor, 10) == pytest.approx([1, 1 - alpha / 255, 1 - 0.8 * alpha / 255], abs=STEP)


@pytest.mark.parametrize(
    ("mode", "left", "right", "expected", "file_format"),
    [
        ("L", 0, 102, (0, 0.4), "PNG"),
        ("1", 0, 1, (0, 1), "PNG"),
        ("1", 0, 1, (0, 1), "TIFF"),
        ("I;16", 13107, 65535, (0.2, 1), "PNG"),
        ("I;16", 13107, 65535, (0.2, 1), "TIFF"),
        ("I", 13107, 65535, (0.2, 1), "TIFF"),
        ("F", 0.2, 1.0, (0.2, 1), "TIFF"),
        ("F", 51.0, 255.0, (0.2, 1), "TIFF"),
        ("F", float("nan"), 1.0, (0, 1), "TIFF"),
    ],
)
def test_grey_of_any_depth_becomes_three_equal_channels(mode, left, right, expected, file_format):
    data = encoded(halves(left, right, mode), file_format)
    assert Image.open(io.BytesIO(data)).mode.startswith(mode[0])
    tensor = load_image(data)
    assert [*at(tensor, 10), *at(tensor, 30)] == pytest.approx(
        [expected[0]] * 3 + [expected[1]] * 3, abs=STEP
    )


@pytest.mark.parametrize(
    ("mode", "file_format", "options"),
    [
        ("P", "PNG", {}),
        ("P", "GIF", {}),
        ("CMYK", "JPEG", {"quality": 100}),
        ("CMYK", "TIFF", {}),
        ("YCbCr", "JPEG", {}),
    ],
)
def test_colours_survive_other_modes(mode, file_format, options):
    tensor = load_image(
        encoded(halves((255, 0, 0), (0, 0, 255), "RGB").convert(mode), file_format, **options)
    )
    assert [*at(tensor, 10), *at(tensor, 30)] == pytest.approx([1, 0, 0, 0, 0, 1], abs=0.02)


@pytest.mark.survives("a file that is no picture, or an odd one")
@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP"])
def test_an_animation_shows_its_first_frame(file_format):
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue", "lime")]
    data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:], duration=100)
    assert Image.open(io.BytesIO(data)).n_frames == 3
    assert at(load_image(data), 10) == pytest.approx([1, 0, 0], abs=0.02)


@pytest.mark.parametrize(
    ("mode", "file_format"), [("RGB", "PNG"), ("RGB", "JPEG"), ("RGBA", "PNG"), ("P", "PNG")]
)
def test_an_icc_profile_is_converted_to_srgb(mode, file_format):
    """In a space whose red and blue have changed places, red is blue."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    red = Image.new("RGB", (40, 40), "red").convert(mode)
    assert at(load_image(encoded(red, file_format, icc_profile=srgb)), 10) == pytest.approx(
        [1, 0, 0], abs=0.02
    )
    assert at(load_image(encoded(red, file_format, icc_profile=swapped)), 10) == pytest.approx(
        [0, 0, 1], abs=0.02
    )


@pytest.mark.survives("a file that is no picture, or an odd one")
@pytest.mark.parametrize(
    "profile", [b"no profile", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()]
)
def test_a_profile_that_does_not_fit_is_ignored(picture, pixels, profile):
    assert torch.equal(load_image(encoded(picture, icc_profile=profile)), tensor_of(pixels))


@pytest.mark.filterwarnings("error")
def test_warnings_of_pillow_are_kept_from_the_reader(picture, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    data = encoded(picture)
    with pytest.raises(Image.DecompressionBombWarning):
        Image.open(io.BytesIO(data))
    assert load_image(data).shape == (1, 3, 48, 40)


def test_the_samples_are_the_files_shipped_and_each_has_its_author_named():
    shipped = sorted(path.stem for path in SAMPLES.iterdir() if path.suffix == ".jpg")
    assert sample_names() == shipped != []
    credits = (SAMPLES / "CREDITS.md").read_text(encoding="utf-8")
    assert [name for name in shipped if f"{name}.jpg" not in credits] == []


@pytest.mark.parametrize("name", sample_names())
def test_a_sample_is_its_file(name):
    assert max(sample(name).shape) == 256
    assert torch.equal(sample(name, 64), load_image(SAMPLES / f"{name}.jpg", 64))


@pytest.mark.parametrize("name", ["mona-lisa", "castle.jpg", "../samples/castle", "", None])
def test_an_unknown_sample_is_answered_with_all_names(name):
    with pytest.raises(ImageError, match="load_image for a picture of your own") as caught:
        sample(name)
    assert repr(name) in str(caught.value)
    assert ", ".join(sample_names()) in str(caught.value)
