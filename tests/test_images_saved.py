"""Writing pictures: what is read back, and that an old file stays whole until the new one is."""

import os
import stat
from pathlib import Path

import pytest
import torch
from hostile import each
from PIL import Image
from torch.testing import assert_close

from stlib.errors import ImageError
from stlib.images import check_output_path, load_image, sample, save_image, to_pil

posix = pytest.mark.skipif(os.name != "posix", reason="needs pipes and symbolic links")
OLD = b"the old file, byte for byte"


@pytest.fixture
def painting(generator):
    return torch.rand(1, 3, 40, 48, generator=generator)


@pytest.fixture
def out(tmp_path, monkeypatch):
    """An old file, alone in the working folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "out.png"
    path.write_bytes(OLD)
    return path


def contents(folder):
    return sorted(path.name for path in folder.iterdir())


def test_all_256_levels_survive_png(tmp_path):
    levels = (torch.arange(3 * 32 * 32) % 256).reshape(1, 3, 32, 32) / 255
    assert torch.equal(load_image(save_image(levels, tmp_path / "levels.png")), levels)


def test_png_is_exact_to_rounding(painting, tmp_path):
    saved = load_image(save_image(painting, tmp_path / "painting.png"))
    assert_close(saved, painting, atol=0.5001 / 255, rtol=0)


@pytest.mark.parametrize(
    ("suffix", "file_format"),
    [
        (".png", "PNG"),
        (".PNG", "PNG"),
        (".jpg", "JPEG"),
        (".jpeg", "JPEG"),
        (".webp", "WEBP"),
        (".tif", "TIFF"),
        (".bmp", "BMP"),
    ],
)
@pytest.mark.parametrize("as_path", [str, Path])
def test_the_suffix_names_the_format(tmp_path, suffix, file_format, as_path):
    path = as_path(tmp_path / f"my 画 picture{suffix}")
    assert save_image(torch.full((1, 3, 40, 48), 0.4), path) == Path(path)
    with Image.open(path) as image:
        assert (image.format, image.size, image.mode) == (file_format, (48, 40), "RGB")
    assert_close(load_image(path), torch.full((1, 3, 40, 48), 0.4), atol=0.02, rtol=0)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_a_higher_quality_takes_more_bytes(painting, tmp_path, suffix):
    sizes = [
        save_image(painting, tmp_path / f"{quality}{suffix}", quality).stat().st_size
        for quality in (10, 50, 95)
    ]
    assert sizes == sorted(set(sizes))


def test_a_pil_image_is_saved_as_it_is(painting, tmp_path):
    save_image(to_pil(painting), tmp_path / "pil.png")
    save_image(painting, tmp_path / "tensor.png")
    assert (tmp_path / "pil.png").read_bytes() == (tmp_path / "tensor.png").read_bytes()


def test_a_pil_image_from_a_compressed_tiff_is_saved_as_tiff(painting, tmp_path):
    to_pil(painting).save(tmp_path / "old.tif", compression="tiff_deflate")
    with Image.open(tmp_path / "old.tif") as image:
        save_image(image, tmp_path / "new.tif")
    assert torch.equal(load_image(tmp_path / "new.tif"), load_image(tmp_path / "old.tif"))


@pytest.mark.parametrize(
    ("value", "level"),
    [(-9.0, 0), (-0.001, 0), (0.0, 0), (0.2, 51), (1.0, 255), (1.001, 255), (9.0, 255)],
)
def test_values_outside_0_to_1_are_clamped(value, level):
    picture = torch.full((1, 3, 4, 5), 0.5)
    picture[..., 0, 0] = value
    assert to_pil(picture).getpixel((0, 0)) == (level,) * 3


def test_levels_are_the_picture_that_they_are_levels_of(tmp_path):
    """As torchvision has them; every other integer is refused, and never a white picture."""
    picture = sample("cat", 48)
    levels = (255 * picture).round().to(torch.uint8)
    assert to_pil(levels).tobytes() == to_pil(picture).tobytes()
    assert torch.equal(load_image(save_image(levels, tmp_path / "cat.png"), None), picture)


@pytest.mark.parametrize("far", [255.0, -100.0, -3e9])
def test_a_picture_far_outside_0_to_1_is_refused_not_shown_white(far, tmp_path):
    for wrong in (far * sample("cat", 48), (255 * sample("cat", 48)).long()):
        with pytest.raises(ValueError, match=r"the picture (has|holds) .* in 0…1"):
            save_image(wrong, tmp_path / "white.png")
    assert not any(tmp_path.iterdir())


def test_a_picture_that_is_mostly_outside_0_to_1_is_refused():
    """Nothing of it would be seen; a few strays of a run that is not clamped are cut off."""
    picture = sample("cat", 48)
    for wrong in (0 * picture - 5, 0 * picture + 9, 8 * picture):
        with pytest.raises(ValueError, match="the picture has values from"):
            to_pil(wrong)
    strays = picture.clone()
    strays[..., :20] = 9
    assert to_pil(strays).getpixel((0, 0)) == (255,) * 3


def test_to_pil_keeps_rows_columns_and_channels():
    image = torch.zeros(3, 4, 5)
    image[:, 3, 1] = torch.tensor([1, 0.2, 0])
    assert to_pil(image).size == (5, 4)
    assert to_pil(image).getpixel((1, 3)) == (255, 51, 0)
    assert to_pil(image).tobytes() == to_pil(image[None]).tobytes()


@pytest.mark.parametrize(
    "change", [torch.Tensor.double, torch.Tensor.requires_grad_, lambda t: t.mT.contiguous().mT]
)
def test_to_pil_takes_any_float_tensor_and_leaves_it_alone(painting, change):
    expected = to_pil(painting).tobytes()
    changed = change(painting * 2 - 0.5)
    before = changed.clone()
    to_pil(changed)
    assert torch.equal(changed, before)
    assert to_pil(change(painting)).tobytes() == expected


@pytest.mark.parametrize(
    "write", [to_pil, lambda image: save_image(image, "new.png")], ids=["to_pil", "save_image"]
)
def test_another_shape_is_refused(out, write):
    def refuse(shape):
        with pytest.raises(ValueError, match=r"\[1, 3, H, W\] or \[3, H, W\]") as caught:
            write(torch.zeros(shape))
        assert str(caught.value).endswith(f"this tensor has {list(shape)}.")
        assert contents(out.parent) == ["out.png"]

    each([(2, 3, 4, 5), (1, 1, 4, 5), (1, 4, 4, 5), (4, 5, 3), (4, 5), (1, 1, 3, 4, 5), ()], refuse)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_refused(painting, out, value):
    painting[0, 1, 2, 3] = value
    with pytest.raises(ValueError, match="not finite"):
        save_image(painting, out)
    assert out.read_bytes() == OLD


BREAKS = {
    "encoding": (
        "PIL.Image.Image.save",
        lambda error: lambda self, file, **_: [file.write(b"half"), error()],
    ),
    "flushing to disk": ("os.fsync", lambda error: lambda _: error()),
    "replacing": ("os.replace", lambda error: lambda *_: error()),
}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), ImageError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (MemoryError(), MemoryError),
    ],
)
@pytest.mark.parametrize("step", BREAKS)
@pytest.mark.parametrize("name", ["out.png", "new.png"])
def test_whatever_breaks_the_old_file_stays_whole_and_nothing_is_left_over(
    painting, out, monkeypatch, step, error, told, name
):
    def fail():
        during.extend(contents(out.parent))
        raise error

    during = []
    target, broken = BREAKS[step]
    monkeypatch.setattr(target, broken(fail))
    with pytest.raises(told) as caught:
        save_image(painting, name)
    monkeypatch.undo()
    assert [entry.endswith(".part") for entry in during] == (
        [False] if step == "encoding" else [True, False]
    )
    assert out.read_bytes() == OLD
    assert contents(out.parent) == ["out.png"]
    if told is ImageError:
        assert (
            str(caught.value) == f"{name} could not be saved: [Errno 28] No space left on device."
        )


def test_the_picture_is_on_the_disk_before_it_takes_the_old_ones_place(painting, out, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        "os.fsync", lambda number: [steps.append(os.fstat(number).st_size), fsync(number)]
    )
    monkeypatch.setattr(
        "os.replace", lambda part, target: [steps.append(out.read_bytes()), replace(part, target)]
    )
    save_image(painting, out)
    assert steps == [out.stat().st_size, OLD]
    assert contents(out.parent) == ["out.png"]


UNWRITABLE = {
    "out": "it has no suffix",
    "out.xyz": "its suffix '.xyz' names no format",
    "out.tar.gz": "its suffix '.gz' names no format",
    "out.psd": "its suffix '.psd' names no format",
    "out.xbm": "its suffix '.xbm' names no format",
    "out.h5": "its suffix '.h5' names no format",
    "missing/out.png": "missing. Create it first.",
    "out.png/out.png": "out.png. Create it first.",
    "folder.png": "it is a folder. Add a file name, for example folder.png/picture.png.",
    "out\0.png": "Choose another name.",
    "o" * 300 + ".png": "Choose another name.",
}


@pytest.mark.parametrize(
    "check", [check_output_path, lambda path: save_image(object(), path)], ids=["check", "save"]
)
def test_a_path_that_cannot_be_written_is_refused_before_the_picture_is_looked_at(out, check):
    (out.parent / "folder.png").mkdir()

    def refuse(name):
        with pytest.raises(ImageError) as caught:
            check(name)
        assert UNWRITABLE[name] in str(caught.value)
        assert repr(name[:100])[1:-1] in str(caught.value)
        assert contents(out.parent) == ["folder.png", "out.png"]
        assert out.read_bytes() == OLD

    each(list(UNWRITABLE), refuse)


@pytest.mark.filterwarnings("ignore:IM image format")
def test_every_suffix_that_is_accepted_can_be_written(tmp_path):
    """The check before a long run promises no format that fails afterwards."""
    Image.init()
    accepted = []
    for suffix in Image.registered_extensions():
        try:
            accepted.append(check_output_path(tmp_path / f"out{suffix}"))
        except ImageError:
            continue
    for path in accepted:
        save_image(torch.zeros(1, 3, 32, 32), path)
    assert {".png", ".jpg", ".jpeg", ".webp", ".tif", ".bmp", ".gif"} <= {
        path.suffix for path in accepted
    }
    assert contents(tmp_path) == sorted(path.name for path in accepted)


def test_a_folder_that_may_not_be_written_to_is_refused(out, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: (Path(path), mode) != (out.parent, os.W_OK))
    words = r"out\.png cannot be saved: the folder .* may not be written to. Choose another one\."
    with pytest.raises(ImageError, match=words):
        save_image(object(), "out.png")


def test_checking_a_path_writes_nothing(out):
    assert check_output_path("out.png") == out
    assert check_output_path("new.jpg") == out.with_name("new.jpg")
    assert contents(out.parent) == ["out.png"]
    assert out.read_bytes() == OLD


@posix
@pytest.mark.parametrize("target", ["out.png", "new.png", "blob", "other.jpg"])
def test_a_symbolic_link_stays_one_and_its_own_suffix_counts(painting, out, target):
    link = out.parent / "folder" / "link.png"
    link.parent.mkdir()
    link.symlink_to(f"../{target}")
    assert save_image(painting, link) == link
    assert link.readlink() == Path(f"../{target}")
    assert Image.open(out.parent / target).format == "PNG"
    assert contents(link.parent) == ["link.png"]
    assert contents(out.parent) == sorted({"folder", "out.png", target})


@posix
def test_a_link_to_a_pipe_or_device_does_not_replace_it(painting, out):
    os.mkfifo("pipe")
    Path("link.png").symlink_to("pipe")
    with pytest.raises(ImageError, match=r"link\.png cannot be saved: it is a device or a pipe"):
        save_image(painting, "link.png")
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)
