"""What the tests share: the trained network, built once, and small pictures.

A test marked `survives("what was tried")` does some harm to stlib and sees nothing lost.
`test_reliability.py` compares the kinds of harm with the table of RELIABILITY.md.
"""

import os
import signal

import pytest
import torch

# what they expect is English, on a Chinese system, too; some of it is made when stlib is imported
os.environ["LANGUAGE"] = "en"
os.environ.pop("STLIB_LANGUAGE", None)

from stlib import VGG, sample
from stlib.objective import Objective


def pytest_configure():
    """Let Ctrl-C mean what it does for a reader; a shell's background jobs have it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def net():
    """The trained VGG-19 as the course uses it, with normalised filters. Do not change it."""
    return VGG(device="cpu")


@pytest.fixture(scope="session")
def trained():
    """The same network as trained, not normalised. Do not change it."""
    return VGG(normalized=False, device="cpu")


@pytest.fixture
def content():
    return sample("castle", 96)


@pytest.fixture
def style():
    return sample("cafe-terrace", 80)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="module")
def one_thread():
    """A second thread gains nothing on small pictures, and waits where others use its core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def losses_from(monkeypatch):
    """losses_from(k, spoil): from evaluation k on, the objective's losses go through `spoil`."""

    def losses_from(first, spoil):
        evaluations, evaluate = [], Objective.__call__

        def spoiled(self, x):
            evaluations.append(x)
            total, losses = evaluate(self, x)
            return spoil(total, losses) if len(evaluations) > first else (total, losses)

        monkeypatch.setattr(Objective, "__call__", spoiled)

    return losses_from
