"""Films: every frame is there, the last one longest; a file is whole or the old one."""

import imageio_ffmpeg
import pytest
import torch
from PIL import Image, ImageSequence

from stlib import ImageError, sample
from stlib.film import FORMATS, FRAME, LAST, SIDE, check_film_path, film_frame, save_film


@pytest.fixture
def frames():
    """Five grey pictures, each brighter than the one before."""
    return [torch.full((1, 3, 40, 60), level / 5) for level in range(5)]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_film_has_all_frames_in_order(tmp_path, frames, suffix):
    path = save_film(frames, tmp_path / f"film{suffix}")
    with Image.open(path) as film:
        assert film.n_frames == 5
        assert film.info.get("loop") == 0, "it begins again"
        shown = [frame.convert("RGB").getpixel((9, 9))[0] for frame in ImageSequence.Iterator(film)]
        film.seek(4)
        film.load()
        assert film.info["duration"] == LAST
    assert shown == pytest.approx([0, 51, 102, 153, 204], abs=4)


def test_a_video_has_all_frames_in_order_and_stands_still_at_the_end(tmp_path, frames):
    """Odd sides lose a pixel: H.264 takes even ones only."""
    odd = [torch.nn.functional.pad(frame, (0, 1, 0, 1)) for frame in frames]
    path = save_film(odd, tmp_path / "film.mp4")
    reader = imageio_ffmpeg.read_frames(path)
    about = next(reader)
    assert (about["size"], about["fps"]) == ((60, 40), 1000 / FRAME)
    shown = [pixels[len(pixels) // 2] for pixels in reader]
    assert len(shown) == 4 + LAST // FRAME
    assert shown[:5] == pytest.approx([0, 51, 102, 153, 204], abs=6)
    assert shown[4:] == pytest.approx([204] * (LAST // FRAME), abs=6)


def test_a_video_without_ffmpeg_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImageError, match=r"film\.mp4 needs imageio-ffmpeg: pip install .*\.webp"):
        check_film_path(tmp_path / "film.mp4")


def test_a_film_of_one_frame(tmp_path):
    with Image.open(save_film([sample("castle", 48)], tmp_path / "film.webp")) as film:
        assert (film.size, getattr(film, "n_frames", 1)) == ((48, 32), 1)


def test_frames_of_large_pictures_are_small():
    """Sixty posters would fill the memory."""
    assert film_frame(torch.zeros(1, 3, 1000, 2000)).size == (SIDE, SIDE // 2)
    assert film_frame(torch.zeros(1, 3, 40, 60)).size == (60, 40)


@pytest.mark.parametrize(
    ("name", "words"), [("film.jpg", "use .webp, .gif"), ("nowhere/film.gif", "there is no folder")]
)
def test_a_film_that_cannot_be_saved_is_refused(tmp_path, frames, name, words):
    with pytest.raises(ImageError, match=words):
        save_film(frames, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_film_without_frames_is_refused(tmp_path):
    with pytest.raises(ValueError, match="frames is empty: give at least one"):
        save_film([], tmp_path / "film.webp")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_film(tmp_path, frames, monkeypatch):
    path = save_film(frames, tmp_path / "film.webp")
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ImageError, match="No space left on device"):
        save_film(frames[:2], path)
    assert [file.name for file in tmp_path.iterdir()] == ["film.webp"]
    assert path.read_bytes() == before
