"""A run that was broken off goes on to the picture that it would have painted."""

import io
import os
import pickle
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from stlib import VGG, Brush, CheckpointError, _files, sample, style_transfer
from stlib.objective import Objective
from stlib.settings import PAINTER

SHALLOW = {
    "content_layers": ("relu2_1",),
    "style_layers": ("relu1_1", "relu2_1"),
}  # quick, where depth does not matter
STEPS = 14
WAYS = {
    "plain": {"solver": "plain"},
    "fast": {"solver": "fast"},
    "adam": {"optimizer": "adam"},
    "noise": {"solver": "fast", "init": "noise"},
    "frames": {"solver": "fast", "keep_every": 4},
    "brightness": {"colors": "brightness", "style_size": 48, "keep_every": 4},
}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """A checkpoint after three steps, and coarse stages for small pictures."""
    monkeypatch.setattr("stlib.checkpoint.EVERY", 3)
    monkeypatch.setattr("stlib.solver.SMALLEST_SIDE", 16)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.checkpoint"


@pytest.fixture
def paint(net):
    def paint(**options):
        return style_transfer(
            sample("castle", 64),
            sample("cafe-terrace", 64),
            **{"net": net, "steps": STEPS, "progress": False, **SHALLOW, **options},
        )

    return paint


@pytest.fixture
def killed_at(monkeypatch):
    """killed_at(k): the next run ends without a word in evaluation k, the one after does not."""

    def killed_at(evaluation):
        seen, evaluate = [], Objective.__call__

        def dying(self, x):
            seen.append(x)
            if len(seen) == evaluation:
                monkeypatch.setattr(Objective, "__call__", evaluate)
                raise SystemExit
            return evaluate(self, x)

        monkeypatch.setattr(Objective, "__call__", dying)

    return killed_at


def losses(result):
    return [
        {name: value for name, value in entry.items() if name != "seconds"}
        for entry in (*result.coarse, *result.history)
    ]


def assert_same(result, expected):
    """The same picture, the same losses on the way, the same frames: bit for bit."""
    assert losses(result) == losses(expected)
    assert torch.equal(result.image, expected.image)
    assert len(result.frames) == len(expected.frames)
    assert all(
        torch.equal(frame, other)
        for frame, other in zip(result.frames, expected.frames, strict=True)
    )
    assert result.reason == expected.reason


@pytest.mark.parametrize("way", WAYS)
def test_keeping_a_checkpoint_changes_nothing(paint, file, way):
    assert_same(paint(checkpoint=file, **WAYS[way]), paint(**WAYS[way]))
    assert not file.exists(), "a run that ends by itself needs none any more"


@pytest.mark.survives("a run killed in the middle and begun again")
@pytest.mark.parametrize("evaluation", [2, 8, 11, 14])
@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_dies_goes_on_to_the_same_picture(paint, file, killed_at, way, evaluation):
    expected = paint(**WAYS[way])
    killed_at(evaluation)
    with pytest.raises(SystemExit):
        paint(checkpoint=file, **WAYS[way])
    made = []
    result = paint(checkpoint=file, callback=lambda number, *_: made.append(number), **WAYS[way])
    assert_same(result, expected)
    assert made[-1] == len(losses(expected)) - 1
    assert (made[0] > 0) == (evaluation > 2), "it begins anew only when there was no checkpoint yet"


@pytest.mark.survives("a run killed in the middle and begun again")
def test_a_run_that_dies_again_and_again_arrives(paint, file, killed_at):
    expected = paint()
    for _ in range(3):
        killed_at(6)
        with pytest.raises(SystemExit):
            paint(checkpoint=file)
    assert_same(paint(checkpoint=file), expected)


def test_ctrl_c_keeps_the_checkpoint_and_returns_the_best(paint, file):
    def interrupt(evaluation, *_):
        if evaluation == 12:
            raise KeyboardInterrupt

    result = paint(checkpoint=file, callback=interrupt)
    assert result.reason == "interrupted" and file.exists()
    assert_same(paint(checkpoint=file), paint())


def test_a_callback_that_ends_the_run_ends_the_checkpoint(paint, file):
    assert (
        paint(checkpoint=file, callback=lambda evaluation, *_: evaluation == 12).reason
        == "callback"
    )
    assert not file.exists()


def test_brushes_have_checkpoints_too(net, file, killed_at):
    content, mask = sample("castle", 64), torch.zeros(sample("castle", 64).shape[2:])
    mask[:, :32] = 1
    brushes = [
        Brush(sample("cafe-terrace", 64), mask=mask),
        Brush(sample("harvest-at-la-crau", 64), mask=1 - mask),
    ]
    options = {"net": net, "steps": STEPS, "progress": False, **SHALLOW}
    expected = style_transfer(content, brushes, **options)
    killed_at(11)
    with pytest.raises(SystemExit):
        style_transfer(content, brushes, checkpoint=file, **options)
    assert_same(style_transfer(content, brushes, checkpoint=file, **options), expected)


PROGRAM = f"""
import sys, torch
from stlib import sample, style_transfer
torch.set_num_threads(1)
content, style = sample("castle", 64), sample("cafe-terrace", 64)
result = style_transfer(content, style, **{SHALLOW}, steps=60, progress=False,
                        checkpoint=sys.argv[1],
                        callback=lambda evaluation, *_: print(evaluation, flush=True))
torch.save(result.image, sys.argv[2])
"""


@pytest.mark.survives("a process killed outright (SIGKILL) and started again")
@pytest.mark.skipif(os.name == "nt", reason="Windows knows no SIGKILL")
def test_a_process_that_is_killed_outright_goes_on_to_the_same_picture(
    tmp_path, monkeypatch, paint
):
    """Twice, at whatever it does then; the third process paints the rest."""
    monkeypatch.undo()
    command = [sys.executable, "-c", PROGRAM, tmp_path / "run.checkpoint", tmp_path / "image.pt"]
    firsts = []
    for wait in (27, 53, None):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for place, line in enumerate(process.stdout):
            if place == 0:
                firsts.append(int(line))
            if int(line) == wait:
                process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=300) == (0 if wait is None else -signal.SIGKILL)
    assert firsts[0] == 0 and firsts[-1] > 40
    expected = paint(steps=60)
    assert torch.equal(torch.load(tmp_path / "image.pt"), expected.image)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image.pt"]


OTHERS = {
    "steps": {"steps": STEPS + 1},
    "alpha": {"alpha": 2},
    "beta": {"beta": 1.0},
    "tv": {"tv": 1.0},
    "seed": {"seed": 1},
    "init": {"init": "noise"},
    "init tensor": {"init": sample("castle", 64) * 0.5},
    "solver": {"solver": "plain"},
    "optimizer": {"optimizer": "adam"},
    "layers": {"style_layers": ("relu1_1",)},
    "keep_every": {"keep_every": 2},
    "style_weights": {"style_weights": [0.5, 0.6]},
    "style_size": {"style_size": 48},
    "colors": {"colors": "photo"},
    "network": {"net": VGG(weights="random", device="cpu")},
}


@pytest.fixture
def broken_off(paint, file, killed_at):
    """The checkpoint of a run that died."""
    killed_at(11)
    with pytest.raises(SystemExit):
        paint(checkpoint=file)
    return file


@pytest.mark.survives("the checkpoint of another run")
@pytest.mark.parametrize("other", OTHERS)
def test_the_checkpoint_of_another_run_is_refused_and_kept(paint, broken_off, other):
    before = broken_off.read_bytes()
    with pytest.raises(CheckpointError, match=r"belongs to another run, with another .*delete it"):
        paint(checkpoint=broken_off, **OTHERS[other])
    assert broken_off.read_bytes() == before


@pytest.mark.survives("the checkpoint of another run")
def test_the_checkpoint_of_a_version_that_paints_otherwise_is_refused(
    paint, broken_off, monkeypatch
):
    monkeypatch.setattr("stlib.settings.PAINTER", PAINTER + 1)
    with pytest.raises(CheckpointError, match="another version of stlib: delete it"):
        paint(checkpoint=broken_off)


def test_numbers_that_are_equal_are_the_same_run(paint, broken_off):
    paint(checkpoint=broken_off, alpha=1)  # 1.0 before
    assert not broken_off.exists()


class Code:
    def __reduce__(self):
        return os.mkdir, ("was-run",)


SPOILT = {
    "empty": lambda data: b"",
    "half": lambda data: data[: len(data) // 2],
    "no end": lambda data: data[:-100],
    "a picture": lambda data: b"\x89PNG\r\n\x1a\n",
    "text": lambda data: b"hello",
    "code": lambda data: pickle.dumps(Code()),
}


@pytest.mark.survives("a damaged checkpoint")
@pytest.mark.parametrize("damage", SPOILT)
def test_a_file_that_is_no_checkpoint_is_refused_and_kept(
    paint, broken_off, damage, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    spoilt = SPOILT[damage](broken_off.read_bytes())
    broken_off.write_bytes(spoilt)
    with pytest.raises(CheckpointError, match=r"not a checkpoint, or a damaged one: delete it"):
        paint(checkpoint=broken_off)
    assert broken_off.read_bytes() == spoilt
    assert not Path("was-run").exists()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "give the path of a file"),
        (3, "give the path of a file"),
        (True, "give the path of a file"),
        (".", "is a folder"),
        ("/dev/null", "a device"),
        ("nowhere/run.checkpoint", "no folder .*nowhere"),
        ("a" * 300, "cannot be kept"),
        ("\0", "cannot be kept"),
    ],
)
def test_a_place_where_no_checkpoint_can_be_is_refused_before_any_work(
    path, words, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stlib.transfer.VGG", lambda: pytest.fail("the network was built"))
    with pytest.raises(CheckpointError, match=words):
        style_transfer(sample("castle", 64), sample("cafe-terrace", 64), checkpoint=path)


def test_a_folder_that_may_not_be_written_to_is_refused(paint, file, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(CheckpointError, match="may not be written to"):
        paint(checkpoint=file)


@pytest.mark.survives("Ctrl-C while the checkpoint is written")
def test_an_interruption_while_writing_ends_with_the_best_picture(paint, file, monkeypatch):
    """PyTorch's writer hides it behind an error of its own."""

    class Interrupting(io.BytesIO):
        def write(self, data):
            raise KeyboardInterrupt

    @contextmanager
    def replacing(*_):
        yield Interrupting()

    monkeypatch.setattr(_files, "replacing", replacing)
    result = paint(checkpoint=file)
    assert result.reason == "interrupted" and result.image.isfinite().all()


@pytest.mark.survives("a death while the checkpoint is written")
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_what_a_death_while_writing_leaves_does_not_count(paint, broken_off, share):
    """The new state is written beside the old one, and takes its place when it is whole.

    Under a name of its own: no file of somebody else's is in its way.
    """
    data = broken_off.read_bytes()
    mine = Path(f"{broken_off}.part")
    mine.write_bytes(data[: int(share * len(data))])
    assert_same(paint(checkpoint=broken_off), paint())
    assert list(broken_off.parent.iterdir()) == [mine]
    assert mine.read_bytes() == data[: int(share * len(data))]
