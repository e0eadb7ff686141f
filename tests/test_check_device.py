"""The check of a graphics card, tried on the processor: none is needed, and none is pretended."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from stlib import VGG
from stlib.devices import device_names

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))  # a folder of scripts, not a package

import check_device  # noqa: E402
from check_device import PIXELS, Row, apart, core, table  # noqa: E402


def checked(*arguments):
    command = [sys.executable, str(ROOT / "scripts/check_device.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def test_the_processor_agrees_with_itself():
    """All lines of the table are there, and none is too far."""
    done = checked("--device", "cpu", "--side", "64", "--sizes", "64")
    assert done.returncode == 0, done.stderr
    for line in (
        "features of 6 layers",
        "Gram matrices",
        "total loss",
        "its gradient",
        "loss after 20 evaluations",
        "its picture",
        "the same call again",
        "batch, its worst picture",
        "evaluation at 64 px",
    ):
        assert f"\n{line}" in done.stdout
    assert done.stdout.count(" ok") == 7 and "TOO FAR" not in done.stdout


def test_a_missing_device_is_told_in_one_sentence(monkeypatch, capsys):
    """Whether it was named, or none was."""
    monkeypatch.setattr(check_device, "device_names", lambda: ["cpu"])
    missing = next(name for name in ("mps", "cuda:9") if name not in device_names())
    for arguments, words in (
        (["--device", missing], f"this machine has no device '{missing}'"),
        ([], "this machine has no graphics card"),
    ):
        monkeypatch.setattr(sys, "argv", ["check_device", *arguments])
        assert check_device.main() == 2
        said = capsys.readouterr().err
        assert said.startswith(f"check_device: {words}") and said.count("\n") == 1


def test_another_network_is_too_far(net):
    """The comparison sees a device that computes something else."""
    rows = list(core(VGG(weights="random", device="cpu"), net, 64))
    assert all(row.fails for row in rows)
    assert not any(row.fails for row in core(net, net, 64))


@pytest.mark.parametrize(
    ("difference", "fails"),
    [(0.0, False), (PIXELS, False), (2 * PIXELS, True), (float("nan"), True)],
)
def test_what_is_further_than_allowed_fails(difference, fails):
    """Also a difference that is no number."""
    row = Row("picture", "", "", difference, PIXELS)
    assert row.fails is fails
    assert ("TOO FAR" in table([row], "cuda")) is fails


def test_apart_is_relative():
    assert apart(torch.tensor([3.0, 4.4]), torch.tensor([3.0, 4.0])) == pytest.approx(0.08)
