"""stlib sheet: one photo in many styles, or over a setting's values, on one sheet."""

from pathlib import Path

import pytest
from PIL import Image, ImageFont

from stlib import JobError, load_image, sample, save_image
from stlib.__main__ import main
from stlib._commands.sheet import plan
from stlib.batch import Outcome, Report
from stlib.contact_sheet import EMPTY, FONT, GAP, LINE, contact_sheet, readable
from stlib.images import sample_names, sample_paintings


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def idle(monkeypatch):
    """Nothing may be painted."""
    monkeypatch.setattr("stlib.batch.run", lambda *_, **__: pytest.fail("the batch was run"))


@pytest.fixture
def batches(monkeypatch):
    """What was to be painted; every picture is even, and `fail` names those that fail."""
    batches = []

    def run(jobs, **options):
        batches.append((jobs, options))
        outcomes = []
        for job in jobs:
            status = statuses.get(Path(job.output).stem, "done")
            if status == "done":
                save_image(Image.new("RGB", (300, 200), "red"), job.output)
            outcomes.append(Outcome(job.output, status, "" if status == "done" else "Why."))
        return Report(outcomes, 1.0)

    statuses = run.statuses = {}
    monkeypatch.setattr("stlib.batch.run", run)
    batches.append(statuses)
    return batches


def painted(path="sheet.png"):
    """How many pictures are on a sheet, and in how many columns it has room for them."""
    with Image.open(path) as sheet:
        counts = sheet.getcolors(10**7)
        red = sum(count for count, colour in counts if colour == (255, 0, 0))
        return red / (300 * 200), (sheet.width - GAP) // (300 + GAP)


def test_the_paintings_are_those_samples_that_are_no_photos():
    """CREDITS.md calls the others photos, or names who is in them."""
    credits = Path(__file__).parents[1] / "stlib" / "samples" / "CREDITS.md"
    rows = [line for line in credits.read_text("utf-8").splitlines() if ".jpg |" in line]
    painted_by = [row.split(".jpg")[0].strip("| ") for row in rows if ", 18" in row]
    assert sorted(painted_by) == sample_paintings()
    assert len(rows) == len(sample_names())


# which pictures


def test_a_photo_in_all_sample_styles():
    jobs, names = plan("castle", sample_paintings(), {"size": 64}, [], Path("there"))
    assert names == sample_paintings()
    assert [job.output for job in jobs] == [f"there/castle-{name}.png" for name in names]
    assert {(job.content, job.size) for job in jobs} == {("castle", 64)}
    assert [job.style for job in jobs] == names


def test_a_pair_over_the_values_of_a_setting():
    """Only what differs is in the name, as the user wrote it; the files have their own names."""
    over = [("style_size", ["64", "128"]), ("beta", ["1e6"])]
    jobs, names = plan("castle", ["cat"], {}, over, Path())
    assert names == ["style-size 64\nbeta 1e6", "style-size 128\nbeta 1e6"]
    assert [(job.settings.style_size, job.settings.beta) for job in jobs] == [(64, 1e6), (128, 1e6)]
    assert [job.output for job in jobs] == [
        f"castle-cat-style-size={size}-beta=1e6.png" for size in (64, 128)
    ]


def test_styles_of_the_same_name_have_files_of_their_own():
    jobs, names = plan("castle", ["a/x.jpg", "b/x.jpg"], {}, [], Path())
    assert [job.output for job in jobs] == ["castle-x.png", "castle-x-2.png"]
    assert names == ["a/x", "b/x"]


def test_a_label_is_the_shortest_name_that_no_other_style_has():
    styles = ["cat", "cat.jpg", "a/x.jpg", "a/x.png", "b/x.png", "y.v2.png"]
    _, names = plan("castle", styles, {}, [], Path())
    assert names == ["cat", "cat.jpg", "x.jpg", "a/x.png", "b/x", "y.v2"]


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ([("betta", ["1"])], "--over: no setting 'betta'; did you mean 'beta'?"),
        ([("xyz", ["1"])], "content-layers, style-layers"),
        ([("beta", ["much"])], "beta is 'much'"),
        ([("size", ["64", "96"])], "--size and --over size=64,96 both set size"),
        (
            [("style_size", ["64"]), ("style_size", ["96"])],
            "--over style-size=64 and --over style-size=96 both set style-size",
        ),
        ([("beta", ["1e5", "1e5"])], "--over beta=1e5,1e5: 1e5 is there twice"),
        ([("beta", ["1e5", "100000"])], "1e5 and 100000 are the same"),
        ([("preset", ["sketch"])], "--over preset=…: a preset is for all pictures"),
        ([("style", ["cat"])], "--over style=…: give the paintings after --style"),
    ],
)
def test_settings_that_make_no_sense(over, words):
    with pytest.raises(JobError) as error:
        plan("castle", ["cat"], {"size": 64}, over, Path())
    assert words in str(error.value)


# what is written on it


def test_a_letter_that_the_font_lacks_is_a_question_mark():
    """Not an empty box; letters of two parts are one letter, and surrogates are no letters."""
    font = ImageFont.load_default(FONT)
    assert readable("a cat, 1e6", font) == "a cat, 1e6"
    assert readable("画\ue000\udcff", font) == "???"


def test_letters_outside_ascii_are_written():
    """With the font of matplotlib, where it is; no letter looks like another one."""
    pytest.importorskip("matplotlib")
    sheets = {contact_sheet([(None, name)]).tobytes() for name in "äéoж?"}
    assert len(sheets) == 5
    assert contact_sheet([(None, "a\u0308")]).tobytes() in sheets


def test_a_column_is_no_wider_than_its_pictures_and_names():
    picture = Image.new("RGB", (64, 43), "red")
    assert contact_sheet([(picture, "x")] * 4).width == GAP + 2 * (64 + GAP)


def test_what_became_of_a_picture_is_written_in_its_place():
    """In a field of the others' size."""
    sheet = contact_sheet([(Image.new("RGB", (64, 43), "red"), ""), ("failed", "")])
    assert sheet.size == (GAP + 2 * (64 + GAP), GAP + 43 + LINE + GAP)
    field = sheet.crop((2 * GAP + 64, GAP, 2 * GAP + 128, GAP + 43))
    colours = {colour for _, colour in field.getcolors()}
    assert Image.new("RGB", (1, 1), EMPTY).getpixel((0, 0)) == field.getpixel((0, 0))
    assert (0, 0, 0) in colours and (255, 255, 255) not in colours


# the command


def test_the_sheet_shows_the_photo_and_every_picture(batches, folder, capsys):
    """And nothing else is left."""
    assert main(["sheet", "castle", "-o", "sheet.png", "--size", "64", "--workers", "1"]) == 0
    jobs, options = batches[-1]
    assert options == {"address": None, "workers": 1, "threads": None, "force": False}
    assert painted() == (4, 3)
    assert [path.name for path in folder.iterdir()] == ["sheet.png"]
    assert "sheet.png: 4 of 4 pictures" in capsys.readouterr().out
    assert not Path(jobs[0].output).parent.exists()


def test_values_are_columns_and_styles_are_rows(batches):
    over = ["--over", "style-size=64,128,none"]
    assert main(["sheet", "castle", "-o", "sheet.png", "--style", "cat", "astronaut", *over]) == 0
    jobs, _ = batches[-1]
    assert [(job.style, job.settings.style_size) for job in jobs] == [
        (style, size) for style in ("cat", "astronaut") for size in (64, 128, None)
    ]
    assert painted() == (6, 3)
    assert (
        main(["sheet", "castle", "-o", "one.png", "--style", "cat", *over, "--columns", "1"]) == 0
    )
    assert painted("one.png") == (3, 1)


def test_options_and_a_preset_are_for_all_pictures(batches, capsys):
    """What is swept or given goes before the preset."""
    command = ["sheet", "castle", "-o", "sheet.png", "--preset", "sketch", "--over", "size=64,96"]
    assert main([*command, "--colors", "photo", "--device", "cpu"]) == 0
    jobs, _ = batches[-1]
    assert {job.settings.colors for job in jobs} == {"photo"}
    assert {job.network.device for job in jobs} == {"cpu"}
    assert {job.size for job in jobs} == {64, 96}
    assert "preset sketch: steps" in capsys.readouterr().err


def test_a_failure_is_told_and_leaves_an_empty_field(batches, capsys):
    batches[0]["castle-cat"] = "failed"
    assert main(["sheet", "castle", "-o", "sheet.png", "--style", "cat", "astronaut"]) == 1
    out, err = capsys.readouterr()
    assert "1 of 2 pictures" in out
    assert "stlib: cat: failed: Why." in err
    assert painted()[0] == 1


def test_an_interrupted_sheet_shows_what_is_done(batches, capsys, folder):
    """Exit code 130; what was kept is there, and the same command goes on."""
    batches[0]["castle-cat"] = "cancelled"
    command = ["sheet", "castle", "-o", "sheet.png", "--style", "astronaut", "cat"]
    assert main([*command, "--keep", "new/dir"]) == 130
    assert painted()[0] == 1
    assert "the same command paints the rest" in capsys.readouterr().err
    assert [path.name for path in sorted((folder / "new/dir").iterdir())] == [
        "castle-astronaut.png",
        "sheet.png.sheet.json",
    ]


def test_without_any_picture_there_is_no_sheet(batches, capsys, folder):
    batches[0]["castle-cat"] = "failed"
    assert main(["sheet", "castle", "-o", "sheet.png", "--style", "cat"]) == 1
    assert "no picture was painted" in capsys.readouterr().err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.jpg", "-o", "sheet.png"], "there is no picture nowhere.jpg"),
        (["castle", "-o", "sheet.png", "--style", "catt"], "did you mean the sample 'cat'?"),
        (["mine.png", "-o", "mine.png"], "mine.png is an output, but also a file to be read"),
        (["castle", "-o", "sheet.xyz"], "names no format"),
        (["castle", "-o", "sheet.png", "--style", "cat", "cat"], "--style: cat is given twice"),
        (
            ["castle", "-o", "sheet.png", "--style", "mine.png", "./mine.png"],
            "--style: mine.png and ./mine.png are the same picture",
        ),
        (["castle", "-o", "sheet.png", "--keep", "mine.png"], "mine.png is a file: give --keep"),
        (["castle", "-o", "sheet.png", "--keep", "mine.png/x"], "folder mine.png/x cannot be made"),
        (
            ["castle", "-o", "sheet.png", "--over", "step=1", "--keep", "new"],
            "did you mean 'steps'?",
        ),
        (
            ["castle", "-o", "sheet.png", "--style", "cat", "--keep", "."],
            "castle-cat.png is there already: choose another name",
        ),
        (
            ["castle", "-o", "castle-astronaut.png", "--style", "astronaut", "--keep", "."],
            "castle-astronaut.png would be written twice",
        ),
    ],
)
def test_mistakes_are_told_before_any_work(idle, capsys, folder, arguments, words):
    """Exit code 1, one line, and every file as it was."""
    for name in ("mine.png", "castle-cat.png"):
        save_image(sample("cat", 64), name)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(["sheet", *arguments]) == 1
    err = capsys.readouterr().err
    assert words in err and err.startswith("stlib: error: ") and err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_sheet_is_painted_and_then_goes_on(folder, capsys):
    """With workers and all; the second time only the new picture is painted."""
    command = [
        "sheet",
        "castle",
        "-o",
        "sheet.png",
        "--size",
        "48",
        "--steps",
        "2",
        "--keep",
        "dir",
    ]
    command += ["--device", "cpu", "--workers", "1", "--threads", "1"]
    assert main([*command, "--style", "cat"]) == 0
    before = (folder / "dir" / "castle-cat.png").stat().st_mtime_ns
    assert main([*command, "--style", "cat", "astronaut"]) == 0
    assert (folder / "dir" / "castle-cat.png").stat().st_mtime_ns == before
    assert load_image("dir/castle-astronaut.png").shape == (1, 3, 32, 48)
    assert "2 of 2 pictures" in capsys.readouterr().out
