"""Whatever goes wrong in a run, what was painted until then is not lost."""

import errno
import math
import os
from contextlib import contextmanager

import pytest
import torch

from stlib import ImageError, load_image, sample, save_image, style_transfer
from stlib.__main__ import main
from stlib.objective import Objective

resource = pytest.importorskip("resource", reason="Windows has no limits of this kind")

SHALLOW = {
    "content_layers": ("relu2_1",),
    "style_layers": ("relu1_1", "relu2_1"),
}  # quick, where depth does not matter
STEPS = 12
MOMENTS = (1, 2, 5, 11)  # evaluations, counted from 0
NO_MEMORY = {
    "PyTorch's": RuntimeError(
        "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: 4 GB"
    ),
    "Python's": MemoryError(),
    "a graphics card's": torch.OutOfMemoryError("CUDA out of memory."),
}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def paint(net):
    def paint(**options):
        return style_transfer(
            sample("castle", 64),
            sample("cafe-terrace", 64),
            **{"net": net, "steps": STEPS, "progress": False, **SHALLOW, **options},
        )

    return paint


@contextmanager
def full_disk():
    """No file of this process may grow beyond 2000 bytes, as on a full disk.

    Inside of a test only: what pytest prints may go to a file, too.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def raising(error):
    def harm(*_):
        raise error

    return harm


def best_of(result, evaluations):
    """The result is the best of what was evaluated before the harm."""
    assert len(result.history) == evaluations
    assert (
        torch.isfinite(result.image).all() and result.image.min() >= 0 and result.image.max() <= 1
    )
    return result


@pytest.mark.survives("nan or infinity in the middle of a run")
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_loss_that_is_not_finite(paint, losses_from, moment, optimizer, value):
    unharmed = paint(steps=moment, optimizer=optimizer)
    losses_from(moment, lambda total, losses: (total * value, {**losses, "total": value}))
    with pytest.warns(RuntimeWarning, match=rf"no longer finite at evaluation {moment} of {STEPS}"):
        result = paint(optimizer=optimizer)
    assert result.reason == "not finite"
    assert torch.equal(best_of(result, moment).image, unharmed.image)


@pytest.mark.survives("nan or infinity in the middle of a run")
@pytest.mark.filterwarnings("ignore:the loss was no longer finite:RuntimeWarning")
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_gradient_that_is_not_finite(paint, losses_from, moment, optimizer):
    """The loss is right and its gradient nan; the later pictures that it spoils do not count."""
    unharmed = paint(steps=moment + 1, optimizer=optimizer)
    losses_from(moment, lambda total, losses: (total + 0 * (0 * total).sqrt(), losses))
    result = paint(optimizer=optimizer)
    assert torch.isfinite(result.image).all()
    assert min(losses["total"] for losses in result.history) <= min(
        losses["total"] for losses in unharmed.history
    )


@pytest.mark.survives("Ctrl-C, or the stop button, in the middle of a run")
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c(paint, losses_from, moment, optimizer):
    unharmed = paint(steps=moment, optimizer=optimizer)
    losses_from(moment, raising(KeyboardInterrupt))
    result = paint(optimizer=optimizer)
    assert result.reason == "interrupted"
    assert torch.equal(best_of(result, moment).image, unharmed.image)


@pytest.mark.survives("a full memory in the middle of a run")
@pytest.mark.parametrize("whose", NO_MEMORY)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_full_memory(paint, losses_from, moment, whose):
    unharmed = paint(steps=moment)
    losses_from(moment, raising(NO_MEMORY[whose]))
    with pytest.warns(
        RuntimeWarning,
        match=rf"memory was full at evaluation {moment} of {STEPS}; this is the best picture",
    ):
        result = paint()
    assert result.reason == "out of memory"
    assert torch.equal(best_of(result, moment).image, unharmed.image)


@pytest.mark.parametrize("whose", NO_MEMORY)
def test_a_full_memory_before_the_first_evaluation_is_an_error(paint, losses_from, whose):
    losses_from(0, raising(NO_MEMORY[whose]))
    with pytest.raises(MemoryError, match="take smaller pictures"):
        paint()


def test_other_errors_are_not_taken_for_a_full_memory(paint, losses_from):
    losses_from(3, raising(RuntimeError("no such memory format")))
    with pytest.raises(RuntimeError, match="no such memory format"):
        paint()


@pytest.mark.survives("a full memory in the middle of a run")
def test_a_run_with_a_checkpoint_goes_on_when_there_is_memory_again(
    paint, losses_from, tmp_path, monkeypatch
):
    monkeypatch.setattr("stlib.checkpoint.EVERY", 3)
    expected = paint()
    with monkeypatch.context() as patch:
        evaluate = Objective.__call__
        losses_from(8, raising(MemoryError()))
        with pytest.warns(RuntimeWarning, match="memory was full"):
            paint(checkpoint=tmp_path / "run.checkpoint")
        patch.setattr(Objective, "__call__", evaluate)
        assert torch.equal(paint(checkpoint=tmp_path / "run.checkpoint").image, expected.image)


@pytest.mark.survives("a full disk")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
def test_a_full_disk_while_a_picture_is_saved(tmp_path, suffix):
    (tmp_path / f"old{suffix}").write_bytes(b"the old picture")
    with pytest.raises(ImageError, match="could not be saved"), full_disk():
        save_image(torch.rand(1, 3, 64, 64), tmp_path / f"old{suffix}")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"the old picture"]


@pytest.mark.survives("a full disk")
def test_a_full_disk_while_a_checkpoint_is_written(paint, tmp_path, monkeypatch):
    monkeypatch.setattr("stlib.checkpoint.EVERY", 3)
    expected = paint()
    with (
        pytest.warns(RuntimeWarning, match=r"checkpoint .* could not be written .*the run goes on"),
        full_disk(),
    ):
        result = paint(checkpoint=tmp_path / "run.checkpoint")
    assert torch.equal(result.image, expected.image)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.survives("a full disk")
def test_the_command_line_saves_elsewhere_what_took_long_to_paint(
    net, tmp_path, monkeypatch, capsys
):
    """The output's folder is full when the picture is ready; that for temporary files is not."""
    (tmp_path / "spare").mkdir()
    (tmp_path / "out.png").write_bytes(b"the old picture")
    monkeypatch.setattr("stlib.transfer.VGG", lambda: net)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "spare"))
    sync = os.fsync

    def full(file):
        if os.fstat(file).st_ino in {path.stat().st_ino for path in tmp_path.iterdir()}:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(file)

    monkeypatch.setattr(os, "fsync", full)
    arguments = [
        "transfer",
        "castle",
        "cafe-terrace",
        "-o",
        str(tmp_path / "out.png"),
        "--size",
        "64",
        "--steps",
        "2",
        "--force",
    ]
    assert main(arguments) == 1
    told = capsys.readouterr().err
    (spare,) = (tmp_path / "spare").rglob("*.png")
    assert "No space left on device" in told and str(spare) in told
    assert load_image(spare, None).shape == sample("castle", 64).shape
    assert (tmp_path / "out.png").read_bytes() == b"the old picture"
