"""What the tests share: the trained network, small pictures, a table of what was tried on purpose.

A test marked `survives("what was tried")` does some harm to stlib and sees nothing lost. How many
there are, and how many passed, is printed at the end of a run.
"""

import signal
from collections import Counter

import pytest
import torch

from stlib import VGG, sample
from stlib.objective import Objective


def pytest_configure():
    """Let Ctrl-C mean what it does for a reader; a shell's background jobs have it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter):
    """Print, for each kind of harm, how many tries there were and how many were survived."""
    outcomes = {
        outcome: Counter(
            dict(report.user_properties)["survives"]
            for report in terminalreporter.stats.get(outcome, ())
            if "survives" in dict(report.user_properties)
        )
        for outcome in ("passed", "failed", "skipped")
    }
    tried = sum(outcomes.values(), Counter())
    if tried:
        terminalreporter.section("tried on purpose: survived of tried")
        for what, number in tried.items():
            terminalreporter.write_line(f"{outcomes['passed'][what]:5d} of {number:3d}  {what}")


@pytest.fixture(autouse=True)
def _tried(request, record_property):
    """Note on the report of a test what it survives."""
    if marker := request.node.get_closest_marker("survives"):
        record_property("survives", marker.args[0])


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
