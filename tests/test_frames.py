"""The frames of a video: in their order, each from the result before, none painted twice."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
import torch
from PIL import ExifTags, Image

from stlib import load_image, sample, save_image
from stlib.__main__ import main
from stlib.batch import frames
from stlib.batch.frames import moved_along, paint_frames, split
from stlib.batch.jobs import sweep
from stlib.errors import JobError

CHEAP = {
    "size": 64,
    "steps": 4,
    "style_layers": ["relu1_1"],
    "content_layers": ["relu2_1"],
    "device": "cpu",
}
PAN = 2  # pixels from frame to frame


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, one_thread):
    """Eleven frames of a window that moves to the right over a picture."""
    monkeypatch.chdir(tmp_path)
    Path("frames").mkdir()
    picture = sample("castle", 128)
    for number in range(8, 12):
        save_image(picture[..., :64, PAN * number : PAN * number + 64], f"frames/{number}.png")
    return tmp_path


def jobs(**changes):
    named = {"content": "frames/*.png", "style": "cat", "output": "painted/{content}.png"}
    return sweep(**named | CHEAP | changes)


def statuses(report):
    return [outcome.status for outcome in report.outcomes]


def painted():
    return {path.name: path.read_bytes() for path in Path("painted").glob("*.png")}


def test_what_moves_is_moved_along():
    """A start that stays where it was is five times as far from the next photo."""
    before, now = (load_image(f"frames/{number}.png", None) for number in (8, 9))
    inside = (..., slice(8, -8), slice(8, -8))
    moved = (moved_along(before, before, now) - now)[inside].abs().mean()
    assert moved < 0.2 * (before - now)[inside].abs().mean()


def test_each_frame_begins_with_the_one_before(monkeypatch):
    """In the order of their numbers: the first is that of style_transfer, the next is not."""
    starts = []

    def paint(content, style, settings, **others):
        starts.append(settings.init)
        return frames_paint(content, style, settings, **others)

    frames_paint = frames.paint
    monkeypatch.setattr(frames, "paint", paint)
    report = paint_frames(jobs(), progress=False)
    assert statuses(report) == ["done"] * 4
    assert [outcome.output for outcome in report.outcomes] == [
        f"painted/{number}.png" for number in (8, 9, 10, 11)
    ]
    assert starts[0] == "content"
    for number, start in zip((9, 10, 11), starts[1:], strict=True):
        before = load_image(f"painted/{number - 1}.png", None)
        photos = (load_image(f"frames/{one}.png", None) for one in (number - 1, number))
        assert torch.equal(start, moved_along(before, *photos))


def test_what_is_done_is_skipped_and_a_change_is_followed():
    """A frame that changes changes those after it; one that is gone is painted again, the same."""
    paint_frames(jobs(film="film.webp"), progress=False)
    first = painted()
    with Image.open("film.webp") as film:
        assert (film.n_frames, film.size) == (4, (64, 64))
    assert statuses(paint_frames(jobs(), progress=False)) == ["skipped"] * 4
    Path("painted/9.png").unlink()
    assert statuses(paint_frames(jobs(), progress=False)) == [
        "skipped",
        "done",
        "skipped",
        "skipped",
    ]
    assert painted() == first
    save_image(sample("cat", 64, enlarge=True)[..., :64, :64], "frames/10.png")
    assert statuses(paint_frames(jobs(), progress=False)) == ["skipped", "skipped", "done", "done"]


def test_a_frame_that_cannot_be_read_is_left_out():
    """And the film goes on from the one before it."""
    Path("frames/9.png").write_bytes(Path("frames/9.png").read_bytes()[:300])
    report = paint_frames(jobs(film="film.gif"), progress=False)
    assert statuses(report) == ["done", "failed", "done", "done"]
    assert "9.png ends after 300 bytes" in report.outcomes[1].note
    with Image.open("film.gif") as film:
        assert film.n_frames == 3


def test_a_frame_of_another_size_is_left_out_of_the_film():
    """Cropped, or turned by its EXIF orientation: it is named and fails alone."""
    Image.open("frames/8.png").crop((0, 0, 64, 40)).save("frames/8.png")
    narrow = Image.open("frames/9.png").crop((0, 0, 64, 40))
    narrow.getexif()[ExifTags.Base.Orientation] = 6
    narrow.save("frames/9.png", exif=narrow.getexif())
    report = paint_frames(jobs(film="film.webp"), progress=False)
    assert statuses(report) == ["failed", "failed", "done", "done"]
    for number, sides in ((0, "8.png would be 64 × 40"), (1, "9.png would be 40 × 64")):
        told = f"{sides} pixels, most frames of the film 64 × 64"
        assert told in report.outcomes[number].note
    with Image.open("film.webp") as film:
        assert film.n_frames == 2
    assert statuses(paint_frames(jobs(), progress=False)) == ["done"] * 4


def test_a_film_of_two_sizes_leaves_no_note():
    """A picture that was cropped by hand is named; a film that is put there later is kept."""
    paint_frames(jobs(), progress=False)
    Image.open("painted/9.png").crop((0, 0, 64, 40)).save("painted/9.png")
    report = paint_frames(jobs(film="film.webp"), progress=False)
    assert statuses(report) == ["skipped"] * 3 + ["failed"]
    assert "The film film.webp: painted/9.png is 64 × 40 pixels" in report.outcomes[-1].note
    Path("film.webp").write_bytes(b"mine")
    with pytest.raises(JobError, match=r"film\.webp is there already"):
        paint_frames(jobs(film="film.webp"), progress=False)


@pytest.mark.survives("a file of yours that comes while it is painted")
def test_what_comes_while_frames_are_painted_is_kept(monkeypatch):
    """The frame is saved beside it, and the next one begins as if there were none."""

    def paint(*given, **named):
        result = frames_paint(*given, **named)
        for name in ("painted/8.png", "film.webp"):
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_bytes(b"mine")
        return result

    frames_paint = frames.paint
    monkeypatch.setattr(frames, "paint", paint)
    report = paint_frames(jobs(film="film.webp")[:2], progress=False)
    assert statuses(report) == ["failed", "failed"]
    assert "saved as painted/8-1.png" in report.outcomes[0].note
    assert "The film film.webp: " in report.outcomes[1].note
    assert Path("painted/8.png").read_bytes() == Path("film.webp").read_bytes() == b"mine"
    assert Path("painted/8-1.png").exists() and Path("painted/9.png").exists()


def test_force_writes_through_a_link():
    """A film that is a symbolic link stays one, as a picture does."""
    Path("elsewhere.webp").write_bytes(b"old")
    Path("film.webp").symlink_to("elsewhere.webp")
    assert statuses(paint_frames(jobs(film="film.webp")[:2], force=True, progress=False))
    assert Path("film.webp").is_symlink()
    with Image.open("elsewhere.webp") as film:
        assert film.n_frames == 2


def test_each_style_is_a_film_of_its_own():
    several = jobs(style=["cat", "astronaut"], output="{style}/{content}.png", film="{style}.webp")
    assert [[job.style for job in sequence] for sequence in split(several)] == [
        ["cat"] * 4,
        ["astronaut"] * 4,
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"film": "{content}.webp"}, "film differs from frame to frame"),
        ({"save_every": 2}, "save_every is for single pictures"),
        ({"output": "painted/one.png"}, "two jobs have the output painted/one.png"),
        ({"content": "frames/*.jpg"}, "no file matches frames/*.jpg"),
    ],
)
def test_mistakes(changes, words):
    with pytest.raises(JobError) as error:
        paint_frames(jobs(**changes), progress=False)
    assert words in str(error.value)
    assert not Path("painted").exists()


def test_what_was_changed_by_hand_is_kept():
    paint_frames(jobs(), progress=False)
    mine = save_image(sample("cat", 64), "painted/9.png").read_bytes()
    report = paint_frames(jobs(), progress=False)
    assert statuses(report) == ["skipped"] * 4
    assert "kept" in report.outcomes[1].note
    assert Path("painted/9.png").read_bytes() == mine


def test_ctrl_c_keeps_what_is_done(capsys):
    """Exit code 130; the same command paints the rest, to the same pictures."""
    Path("jobs.toml").write_text(
        '[[job]]\ncontent = "frames/*.png"\nstyle = "cat"\noutput = "painted/{content}.png"\n'
        'size = 64\nsteps = 60\nstyle_layers = ["relu1_1"]\ncontent_layers = ["relu2_1"]\n'
        'film = "film.webp"\n'
    )

    def interrupt():
        while not Path("painted/8.png").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert main(["frames", "jobs.toml"]) == 130
    thread.join()
    out, err = capsys.readouterr()
    assert "the same command paints the rest" in err
    assert "cancelled" in out and not Path("film.webp").exists()
    assert main(["frames", "jobs.toml"]) == 0
    in_two = painted()
    for path in Path("painted").iterdir():
        path.unlink()
    assert main(["frames", "jobs.toml"]) == 0
    assert painted() == in_two
    assert Path("film.webp").exists()
