"""doctor(): a table that ends in "ready", or in what to do."""

import sys
from types import SimpleNamespace

import pytest
import torch

from stlib import ImageError, WeightsError
from stlib.course.diagnosis import Finding, doctor, examine, report

MODULE = sys.modules["stlib.course.diagnosis"]  # `stlib.course.diagnosis` is the function
LOOKS = (
    "_python",
    "_torch",
    "_packages",
    "_processor",
    "_memory",
    "_disk",
    "_weights",
    "_samples",
    "_speed",
)


@pytest.fixture(autouse=True)
def quick(net, monkeypatch, one_thread):
    """The network need not be built again, and one evaluation is timed on one thread."""
    monkeypatch.setattr(MODULE, "VGG", lambda: net)


@pytest.fixture
def machine(monkeypatch):
    """machine(memory, disk, cores, threads): what is looked at, in GB; by default a good one."""

    def machine(memory=16.0, disk=100.0, cores=4, threads=4):
        monkeypatch.setattr(MODULE, "free_memory", lambda: memory * 1e9)
        monkeypatch.setattr(
            MODULE, "shutil", SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=disk * 1e9))
        )
        monkeypatch.setattr(MODULE.os, "cpu_count", lambda: cores)
        monkeypatch.setattr(MODULE.torch, "get_num_threads", lambda: threads)

    machine()
    return machine


def raising(error):
    def fail(*_, **__):
        raise error

    return fail


def test_a_good_machine_is_ready(machine, capsys):
    """One line for each look, all ok, and the word at the end."""
    assert doctor() is None
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["", "ready"]
    assert len(lines) == len(LOOKS) + 2
    assert all("  ok  " in line for line in lines[:-2])


def test_the_table_tells_what_was_found(machine):
    """Versions, cores, memory, the network's size, the samples, how long a picture takes."""
    table = report(examine())
    for words in (
        torch.__version__,
        "4 cores",
        "16.0 GB",
        "100 GB",
        "20.0 million",
        "cafe-terrace",
        "100 evaluations",
    ):
        assert words in table


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_that_fails_gives_a_remedy(monkeypatch, capsys, look):
    """Whatever goes wrong is a line of the table; the other looks are made all the same."""
    for other in LOOKS:
        monkeypatch.setattr(MODULE, other, lambda: Finding("another", "fine"))
    monkeypatch.setattr(MODULE, look, raising(ZeroDivisionError("by the moon")))
    findings = examine()
    assert findings.count(Finding("another", "fine")) == len(LOOKS) - 1
    (failed,) = [finding for finding in findings if finding.remedy]
    assert "ZeroDivisionError: by the moon" in failed.found
    doctor()
    assert capsys.readouterr().out.endswith(f"\n\nBefore you start:\n- {failed.remedy}\n")


def test_it_never_raises(monkeypatch, capsys):
    """Not even if nothing works."""
    for look in LOOKS:
        monkeypatch.setattr(MODULE, look, raising(OSError("nothing works")))
    doctor()
    assert capsys.readouterr().out.count("LOOK") == len(LOOKS)


@pytest.mark.parametrize(
    ("state", "what", "remedy"),
    [
        ({"memory": 2.4}, "Memory", "Close other programs"),
        ({"disk": 0.4}, "Disk", "Free some disk space"),
    ],
)
def test_too_little_room(machine, state, what, remedy):
    """Just under what the course needs."""
    machine(**state)
    (failed,) = [finding for finding in examine() if finding.remedy]
    assert failed.what == what
    assert remedy in failed.remedy


@pytest.mark.parametrize(
    ("cores", "threads", "variable", "ready"),
    [
        (4, 1, "1", False),
        (4, 4, None, True),
        (2, 1, None, True),  # two threads of one real core: PyTorch takes one by itself
        (1, 1, "1", True),
    ],
)
def test_one_thread_is_a_fault_where_it_was_asked_for(
    machine, monkeypatch, cores, threads, variable, ready
):
    """OMP_NUM_THREADS=1 on a machine with more cores; about a single core nothing can be done."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if variable:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    machine(cores=cores, threads=threads)
    finding = MODULE._processor()
    assert bool(finding.remedy) != ready
    assert ("OMP_NUM_THREADS" in finding.remedy) != ready


def test_an_old_python(monkeypatch):
    """The remedy says which one is needed."""
    monkeypatch.setattr(MODULE, "sys", SimpleNamespace(version_info=(3, 10, 14)))
    assert "3.11" in MODULE._python().remedy


def test_weights_that_cannot_be_used(machine, monkeypatch):
    """Their own error says what to do."""
    monkeypatch.setattr(MODULE, "load_weights", raising(WeightsError("truncated. Run `pip`.")))
    (failed,) = [finding for finding in examine() if finding.remedy]
    assert (failed.what, failed.remedy) == ("Trained VGG-19", "truncated. Run `pip`.")


def test_samples_that_cannot_be_read(machine, monkeypatch):
    """So does theirs; the timing, which paints one of them, fails too."""
    monkeypatch.setattr(
        MODULE, "sample", raising(ImageError("castle.jpg is empty. Copy it again."))
    )
    failed = [finding for finding in examine() if finding.remedy]
    assert [finding.what.lower() for finding in failed] == ["sample pictures", "speed"]
    assert failed[0].remedy == "castle.jpg is empty. Copy it again."


def test_report_ends_in_what_to_do():
    """All remedies, in the order of the table, and never the word that says go."""
    table = report(
        [Finding("A", "fine"), Finding("Bee", "gone", "Find it."), Finding("C", "late", "Wait.")]
    )
    assert table.splitlines() == [
        "A    ok    fine",
        "Bee  LOOK  gone",
        "C    LOOK  late",
        "",
        "Before you start:",
        "- Find it.",
        "- Wait.",
    ]


def test_report_ends_in_ready():
    """If there is nothing to do."""
    assert report([Finding("A", "fine")]).splitlines() == ["A  ok    fine", "", "ready"]


def test_a_part_of_the_course_that_is_not_installed(machine, monkeypatch):
    monkeypatch.setattr(MODULE.importlib.util, "find_spec", lambda name: None)
    table = report(examine())
    assert "missing: matplotlib" in table and "make setup" in table
