"""The studio without a browser: what its controls order, how a run is followed, stopped, saved."""

import builtins
import io
import re
import threading
import time
from datetime import datetime
from pathlib import Path

import pytest
import torch
from PIL import Image

import stlib
from stlib import ImageError, sample, sample_names
from stlib.course import easel, studio
from stlib.course.easel import BALANCES, COLORS, Latest, Order, Painting, Upload
from stlib.course.panel import OWN, Panel
from stlib.course.still import SENTENCE, Still
from stlib.images import sample_file
from stlib.presets import PRESETS

PAIR = {"photo": "castle", "style": "cafe-terrace"}
SMALL = Order(**PAIR, size=64, steps=6)
ENDLESS = Order(**PAIR, size=64, steps=100_000)
BROKEN = Upload("holiday.jpg", sample_file("cat").read_bytes()[:4000])


@pytest.fixture(autouse=True)
def _usual_network(net, monkeypatch):
    monkeypatch.setattr(easel, "network", lambda: net)


@pytest.fixture
def panel(tmp_path, monkeypatch):
    """The studio in an empty folder, with estimates that cost nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Order, "estimate", lambda order: f"{order.size} pixels, about a minute")
    panel = Panel(tmp_path / "output")
    panel.settings["size"].value, panel.settings["steps"].value = 64, 6
    yield panel
    if panel.painting is not None:
        panel.painting.stop()
        panel.painting.join(60)


def painted(order, tell=lambda painting: None):
    painting = Painting(order, tell).start()
    painting.join(120)
    return painting


def file_of(image):
    """What a PNG file with this PIL image holds."""
    file = io.BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()


def wait(condition, seconds=60):
    """Until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def finish(panel):
    panel.painting.join(120)
    wait(lambda: not panel.paint.disabled)


# what is ordered


def test_strokes_are_the_size_of_the_painting():
    """50 % is a painting of half the size; 200 % enlarges it."""
    longer = {
        strokes: max(Order(**PAIR, size=128, strokes=strokes).pictures()[1].shape)
        for strokes in (50, 100, 200)
    }
    assert longer == {50: 64, 100: 128, 200: 256}


def test_no_painting_is_too_small_to_have_strokes():
    """However small its strokes are ordered, and however long it is: 32 pixels at least."""
    scroll = file_of(Image.new("RGB", (1200, 300)))
    _photo, style = Order("castle", Upload("scroll.png", scroll), size=64, strokes=25).pictures()
    assert style.shape[2:] == (32, 128)


def test_balance_goes_from_photo_to_style():
    """α falls from word to word, and "balanced" is the default."""
    assert sorted(BALANCES.values(), reverse=True) == list(BALANCES.values())
    assert Order(**PAIR).settings()["alpha"] == stlib.Settings.alpha == BALANCES["balanced"]


@pytest.mark.parametrize("colors", COLORS.values())
@pytest.mark.parametrize("balance", BALANCES)
def test_every_choice_is_a_setting(balance, colors):
    assert stlib.Settings(**Order(**PAIR, balance=balance, colors=colors).settings())


def test_an_estimate_says_pixels_time_and_memory():
    assert re.fullmatch(
        r"64 × 43 pixels, about \d+ seconds? and \d\.\d GB of memory", SMALL.estimate()
    )


def test_an_upload_is_the_picture_of_its_bytes():
    upload = Upload("mine.jpg", sample_file("cat").read_bytes())
    assert torch.equal(easel.load(upload, 64), sample("cat", 64))


@pytest.mark.survives("a damaged picture chosen in the studio")
def test_a_damaged_upload_is_refused_by_its_name():
    with pytest.raises(ImageError, match=r"^holiday\.jpg ends after"):
        easel.load(BROKEN, 64)


def test_an_empty_upload_is_refused_without_a_word_of_code():
    with pytest.raises(ImageError, match=r"^empty\.jpg is empty \(0 bytes\)\. Copy or download"):
        easel.load(Upload("empty.jpg", b""), 64)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("castle.jpg", "castle"),
        ("../../my photo?.jpg", "my-photo"),
        ("城堡.png", "城堡"),
        ("...", "picture"),
        ("x" * 300 + ".png", "x" * easel.OF_A_NAME),
        ("城" * 300 + ".png", "城" * (easel.OF_A_NAME // 3)),
    ],
)
def test_a_title_is_a_part_of_a_file_name(name, kept):
    assert easel.title(Upload(name, b"")) == kept


# a run in its thread


def test_a_picture_comes_into_being():
    """It is told of the photo first, then of pictures, then of the end."""
    told = []
    painting = painted(SMALL, lambda p: told.append((p.picture, p.ended)))
    assert painting.ended == "Finished." and not painting.failed
    assert painting.picture.shape == painting.photo.shape == (1, 3, 43, 64)
    assert told[0] == (None, "") and told[-1][1] == "Finished." and len(told) >= 3
    assert painting.evaluations >= SMALL.steps


def test_pictures_are_told_of_twice_a_second_at_most(monkeypatch):
    """However fast the evaluations are: the photo, one picture, and the end."""
    monkeypatch.setattr(easel, "BETWEEN_PICTURES", 1000)
    told = []
    painted(SMALL, lambda p: told.append(p.evaluations))
    assert len(told) == 3


def test_stop_ends_with_the_best_picture_so_far():
    """After the evaluation that it is at."""
    painting = Painting(ENDLESS, lambda p: p.picture is not None and p.stop()).start()
    painting.join(60)
    assert re.match(r"Stopped after 1 of \d+ evaluations", painting.ended)
    assert painting.picture.min() >= 0 and painting.picture.max() <= 1


def test_stop_before_the_first_evaluation_gives_a_picture_too():
    painting = Painting(ENDLESS, lambda p: None)
    painting.stop()
    painting.start().join(60)
    assert painting.picture is not None and painting.ended.startswith("Stopped")


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        (Order("castle", BROKEN, size=64), "holiday.jpg ends after"),
        (Order(**PAIR, size=64, steps=0), "steps is 0"),
    ],
)
def test_what_cannot_be_painted_ends_in_a_sentence(order, sentence):
    painting = painted(order)
    assert painting.failed and painting.picture is None
    assert painting.ended.startswith(sentence) and painting.ended.endswith(".")


def test_a_fault_of_ours_ends_in_a_line(monkeypatch):
    """The panel must not be left waiting."""
    monkeypatch.setattr(easel, "paint", lambda *_, **__: 1 / 0)
    painting = painted(SMALL)
    assert painting.failed and painting.ended == "ZeroDivisionError: division by zero"


def test_saving_replaces_nothing(tmp_path):
    """The folder is made, and each picture gets a name of its own."""
    painting = painted(SMALL)
    paths = [easel.save(painting, tmp_path / "new" / "folder") for _ in range(3)]
    assert [path.name for path in paths] == [
        "castle-cafe-terrace.png",
        "castle-cafe-terrace-1.png",
        "castle-cafe-terrace-2.png",
    ]
    difference = stlib.load_image(paths[0], None) - painting.picture
    assert difference.abs().max() <= 0.5 / 255 + 1e-6


def test_saving_finds_the_home_folder_and_replaces_nothing_there(tmp_path, monkeypatch):
    """~ is what a shell takes it for, also where it is looked for a file of that name."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))  # Windows
    (tmp_path / "castle-cafe-terrace.png").write_text("mine")
    saved = easel.save(painted(SMALL), Path("~"))
    assert saved == tmp_path / "castle-cafe-terrace-1.png"
    assert (tmp_path / "castle-cafe-terrace.png").read_text() == "mine"


def test_the_longest_names_can_be_saved(tmp_path):
    """Of two files whose names are as long as names may be, in characters of 3 bytes."""
    cat = sample_file("cat").read_bytes()
    order = Order(Upload("城" * 83, cat), Upload("堡" * 83, cat), size=64, steps=1)
    assert easel.save(painted(order), tmp_path).is_file()


def test_the_slider_goes_from_the_photo_to_the_picture():
    """The left part is the picture's; a white line is between them."""
    photo, picture = torch.zeros(1, 3, 4, 20), torch.full((1, 3, 4, 20), 0.5)
    assert torch.equal(easel.split(photo, picture, 0), photo)
    assert torch.equal(easel.split(photo, picture, 100), picture)
    assert easel.split(photo, picture, 50)[0, 0, 0].tolist() == [0.5] * 9 + [1, 1] + [0] * 9


def test_only_the_latest_is_done():
    """What was asked while the first is at work is left out, but for the last."""
    done, go = [], threading.Event()
    latest = Latest(lambda value: (go.wait(10), done.append(value)))
    for value in range(5):
        latest.ask(value)
        wait(lambda: latest._busy)
        time.sleep(0.05)
    go.set()
    wait(lambda: not latest._busy)
    assert done == [0, 4]


@pytest.mark.filterwarnings("ignore:ZeroDivisionError")
def test_a_failure_does_not_end_what_is_asked_later():
    done = []
    latest = Latest(lambda value: done.append(1 / value))
    for value in (0, 1):
        latest.ask(value)
        wait(lambda: not latest._busy)
    assert done == [1.0]


# the panel


def test_every_control_has_a_name_of_its_own(panel):
    """The slider has none that is spoken; the number before it does the same, and has one."""
    controls = [
        *(part for chooser in (panel.photo, panel.painter) for part in (chooser.chosen,)),
        *(chooser.upload for chooser in (panel.photo, panel.painter)),
        *panel.settings.values(),
        *(panel.share, panel.paint, panel.stop, panel.save),
    ]
    names = [control.description for control in controls]
    assert all(names) and len(set(names)) == len(names) == 14


def test_a_preset_sets_size_and_evaluations(panel):
    for name, values in PRESETS.items():
        panel.settings["preset"].value = name
        assert panel.settings["size"].value == values["size"]
        assert panel.settings["steps"].value == values.get("steps", stlib.Settings.steps)
        assert panel.settings["preset"].value == name
    panel.settings["size"].value = 96
    assert panel.settings["preset"].value == OWN


def test_the_estimate_follows_the_choices(panel):
    panel.settings["size"].value = 96
    wait(lambda: "96 pixels, about a minute" in panel.estimate.value)


def test_the_folders_pictures_can_be_chosen(tmp_path, monkeypatch):
    """Those of the page, beside the samples."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Order, "estimate", lambda order: "")
    (tmp_path / "my-photo.jpg").write_bytes(sample_file("cat").read_bytes())
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._my-photo.jpg").write_text("what macOS leaves beside a picture")
    (tmp_path / "holidays.jpg").mkdir()
    panel = Panel(tmp_path)
    here = [label for label, value in panel.photo.chosen.options if isinstance(value, Path)]
    assert here == ["my-photo.jpg"]
    panel.photo.chosen.label = "my-photo.jpg"
    assert torch.equal(panel.order().pictures()[0], sample("cat", 256))
    samples = [value for chooser in (panel.photo, panel.painter)
               for _, value in chooser.chosen.options if isinstance(value, str)]  # fmt: skip
    assert sorted(samples) == sample_names()


def upload(chooser, file):
    """What ipywidgets makes of a file that was chosen in the browser."""
    content = memoryview(file.content)
    about = {"name": file.name, "type": "", "size": len(content), "last_modified": datetime.now()}
    chooser.upload.value = ({**about, "content": content},)


def test_an_upload_is_chosen_and_seen(panel):
    upload(panel.photo, Upload("<mine>.jpg", sample_file("cat").read_bytes()))
    assert panel.photo.chosen.label == "<mine>.jpg"
    assert 'alt="Photo: &lt;mine&gt;.jpg"' in panel.photo.thumbnail.value
    assert torch.equal(panel.order().pictures()[0], sample("cat", 64))


def test_a_broken_upload_is_told_and_the_choice_stays(panel):
    upload(panel.photo, BROKEN)
    assert panel.photo.chosen.value == "castle"
    assert re.match(r'<p role="alert".*>holiday\.jpg ends after .*</p>', panel.message.value)
    upload(panel.photo, Upload("mine.jpg", sample_file("cat").read_bytes()))
    assert panel.message.value == ""


@pytest.mark.parametrize("sides", [(2200, 1000), (4000, 500), (500, 4000)])
def test_long_pictures_are_chosen_seen_and_painted(panel, sides):
    """A panorama is no wider than the page, and a scroll not much higher."""
    upload(panel.photo, Upload("long.png", file_of(Image.new("RGB", sides))))
    assert panel.photo.chosen.label == "long.png" and panel.message.value == ""
    wide = int(re.search(r"width: (\d+)px", panel.shown.value)[1])
    assert wide == 480 if sides[0] > sides[1] else wide * 8 == 1.5 * 480
    panel.settings["size"].value = 256
    assert min(panel.order().pictures()[0].shape[2:]) >= 32


def test_a_picture_of_which_nothing_is_seen_is_told_in_the_panel(panel, recwarn):
    """And not beside it."""
    upload(panel.photo, Upload("clear.png", file_of(Image.new("RGBA", (64, 64)))))
    assert "clear.png is transparent everywhere" in panel.message.value
    assert not recwarn.list


def test_the_alarm_ends_with_another_choice(panel):
    Path("bad.jpg").write_bytes(BROKEN.content)
    other = Panel(panel.folder)
    other.photo.chosen.label = "bad.jpg"
    assert "bad.jpg ends after" in other.message.value and other.photo.thumbnail.value == ""
    other.photo.chosen.label = "cat"
    assert other.message.value == "" and "cat, not painted yet" in other.shown.value


def test_paint_save_and_paint_again(panel):
    """Two runs after one another; only the buttons that make sense can be pressed."""
    assert [b.disabled for b in (panel.paint, panel.stop, panel.save)] == [False, True, True]
    assert "castle, not painted yet" in panel.shown.value
    for number in ("", "-1"):
        panel.paint.click()
        assert panel.paint.disabled and panel.save.disabled
        finish(panel)
        assert [b.disabled for b in (panel.paint, panel.stop, panel.save)] == [False, True, False]
        assert "Finished." in panel.progress.value
        assert 'alt="castle painted like cafe-terrace: the left 100 %"' in panel.shown.value
        panel.save.click()
        name = f"castle-cafe-terrace{number}.png"
        assert (panel.folder / name).is_file() and name in panel.message.value


def test_stop_gives_a_picture_to_save(panel):
    panel.settings["steps"].value = 1000
    panel.paint.click()
    wait(lambda: panel.painting.picture is not None)
    panel.stop.click()
    assert panel.stop.disabled
    finish(panel)
    assert "Stopped after" in panel.progress.value and not panel.save.disabled


def test_the_slider_shows_more_of_the_photo(panel):
    """Also after the run; the number and the slider are one."""
    panel.paint.click()
    finish(panel)
    whole = panel.shown.value
    panel.slider.value = 50
    assert panel.share.value == 50
    assert panel.shown.value != whole and "the left 50 %" in panel.shown.value


def test_a_run_that_fails_is_told_in_the_panel(panel, monkeypatch):
    monkeypatch.setattr(
        easel, "paint", lambda *_, **__: (_ for _ in ()).throw(MemoryError("Full."))
    )
    panel.paint.click()
    finish(panel)
    assert re.fullmatch(r'<p role="alert".*>Full\.</p>', panel.message.value)
    assert panel.progress.value == "" and panel.save.disabled


def test_a_run_that_fails_leaves_the_picture_before_it(panel, monkeypatch):
    """To be seen, and to be saved, however early it fails."""
    panel.paint.click()
    finish(panel)
    shown = panel.shown.value
    monkeypatch.setattr(easel, "paint", lambda *_, **__: 1 / 0)
    monkeypatch.setattr(Painting, "start", Painting._run)
    panel.paint.click()
    assert "ZeroDivisionError" in panel.message.value and not panel.paint.disabled
    assert panel.shown.value == shown and not panel.save.disabled
    panel.save.click()
    assert (panel.folder / "castle-cafe-terrace.png").is_file()


def test_stop_after_the_end_changes_nothing(panel):
    """The button may be pressed while the run ends."""
    panel.paint.click()
    finish(panel)
    ended = panel.progress.value
    panel.stop.click()
    assert panel.progress.value == ended and "Finished." in ended


def test_saving_that_fails_is_told_in_the_panel(panel):
    """In words, and the picture can be saved once the place is free."""
    panel.paint.click()
    finish(panel)
    panel.folder.write_text("a file in the folder's place")
    panel.save.click()
    assert 'role="alert"' in panel.message.value and "Errno" not in panel.message.value
    assert "output cannot be made (File exists)" in panel.message.value
    panel.folder.unlink()
    panel.save.click()
    assert str(panel.folder.absolute()) in panel.message.value


def test_two_studios_paint_side_by_side(panel):
    """As when the cell is run twice: each keeps its own picture, and no file is replaced."""
    other = Panel(panel.folder)
    other.settings["size"].value, other.settings["steps"].value = 64, 6
    for studio_ in (panel, other):
        studio_.paint.click()
    for studio_ in (panel, other):
        finish(studio_)
        studio_.save.click()
    assert len(list(panel.folder.iterdir())) == 2


def test_an_estimate_that_fails_in_any_way_ends(panel, monkeypatch):
    """It must not go on saying that it is being made; only what comes of it is spoken."""
    monkeypatch.setattr(Order, "estimate", lambda order: 1 / 0)
    panel.settings["size"].value = 96
    wait(lambda: "No estimate: division by zero" in panel.estimate.value)
    spoken = []
    panel.estimate.observe(lambda change: spoken.append('role="status"' in change["new"]), "value")
    panel.settings["size"].value = 128
    wait(lambda: True in spoken)
    assert spoken == [False, True]


# without widgets


def test_a_page_without_widgets_gets_a_picture_and_a_sentence(panel):
    """A terminal gets the sentence."""
    shown = panel._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert shown["text/plain"] == SENTENCE
    assert shown["text/html"].startswith(f"<p>{SENTENCE}</p><img alt=")


def test_without_ipywidgets_there_is_a_picture_and_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "stlib.course.panel":
            raise stlib.MissingExtraError("stlib.course.studio needs the package ipywidgets.")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    shown = studio()
    assert isinstance(shown, Still) and "needs the package ipywidgets" in repr(shown)


def test_the_function_stays_the_function():
    """Its module has the same name."""
    import stlib.course.studio

    assert callable(stlib.course.studio) and stlib.course.studio is studio
