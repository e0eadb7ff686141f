"""The lab: what is kept is of the code that is there, can be found again, and is small."""

import math

import pytest
import torch

from experiments import bench, benchmark, results, strokes

MEASURED = [name for name in bench.names() if bench.kept(name)]
MOST = 25e6  # bytes of all that is kept
PROCESSORS = 0.1  # kinds of them differ by 8 % after ten steps: each adds in an order of its own


@pytest.mark.parametrize("name", bench.names())
def test_an_experiment_asks_a_question_of_several_cases(name):
    experiment = bench.module(name)
    assert experiment.__doc__.splitlines()[0].endswith("?")
    assert len(experiment.CASES) >= 4
    keys = {bench.key_of(experiment, case) for case in experiment.CASES}
    assert len(keys) == len(experiment.CASES), "no case twice"
    assert experiment.SMALL not in experiment.CASES, "results() leaves it out"


@pytest.mark.parametrize("name", MEASURED)
def test_results_are_of_the_code_that_is_there(name):
    """No result outlives a change of what is measured, or of the painter."""
    experiment = bench.module(name)
    runs = bench.kept(name)
    cases = [dict(experiment.SMALL), *(dict(case) for case in experiment.CASES)]
    for run in runs:
        assert run.case in cases, "make experiments"
        assert run.key == bench.key_of(experiment, run.case), "make experiments"
        assert {"date", "stlib", "torch", "threads"} <= run.made.keys()
        assert all((bench.RESULTS / file).is_file() for file in run.files.values())


@pytest.mark.parametrize("name", MEASURED)
def test_a_small_piece_gives_the_same_numbers_again(name):
    experiment = bench.module(name)
    (run,) = [run for run in bench.kept(name) if run.case == experiment.SMALL]
    again = bench.rounded(experiment.measure(experiment.SMALL).numbers)
    assert_like(again, run.numbers, getattr(experiment, "TOLERANCE", PROCESSORS))


def assert_like(found, expected, tolerance):
    """All numbers agree, however deep they are."""
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name in expected:
            assert_like(found[name], expected[name], tolerance)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_like(one, other, tolerance)
    elif isinstance(expected, float):
        assert math.isclose(found, expected, rel_tol=tolerance, abs_tol=tolerance)
    else:
        assert found == expected


def test_what_is_measured_is_not_measured_again(tmp_path, monkeypatch):
    """A case is measured once, and again when it or the code changes; others keep theirs."""
    measured = []

    def measure(case):
        measured.append(case["size"])
        return bench.Measured({"twice": 2.0 * case["size"]})

    experiment = bench.module("shares")
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    monkeypatch.setattr(experiment, "measure", measure)
    monkeypatch.setattr(experiment, "SMALL", {"size": 1})
    for sizes in ([2, 3], [2, 3], [3, 4]):
        monkeypatch.setattr(experiment, "CASES", [{"size": size} for size in sizes])
        bench.perform("shares", told=lambda line: None)
    assert measured == [1, 2, 3, 4]
    assert [run.numbers["twice"] for run in results("shares")] == [6.0, 8.0]


def test_workers_find_the_same_numbers(tmp_path, monkeypatch):
    """Cases that are measured in two processes, in any order, are kept in the order of CASES."""
    experiment = bench.module("shares")
    cases = [experiment.SMALL | {"size": size} for size in (56, 48)]
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    monkeypatch.setattr(experiment, "CASES", cases)
    with bench.on_cluster(workers=2) as mapped:
        bench.perform("shares", told=lambda line: None, mapped=mapped)
    assert [run.case for run in results("shares")] == cases
    for run in results("shares"):
        assert_like(bench.rounded(experiment.measure(run.case).numbers), run.numbers, 0.01)


def test_results_ask_for_what_there_is(monkeypatch):
    assert {run.case["size"] for run in results("shares", size=384)} == {384}
    with pytest.raises(KeyError, match="no results with"):
        results("shares", size=1)


def test_what_is_kept_is_small():
    files = [file for file in bench.RESULTS.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= MOST


def test_no_picture_is_kept_of_paintings_that_may_only_be_measured():
    for name in MEASURED:
        for run in bench.kept(name):
            assert not (run.case.get("paintings") and run.files), name


def test_the_benchmarks_parts_are_of_six_pairs():
    """Each part alone and left out, as PARTS.md has it."""
    found = benchmark.parts(384)
    for variant in ("old", "old + roughness", "clean", "clean − limit"):
        assert len(found[variant]) == 6
    of_pair = found["clean"]["castle × cafe-terrace"]
    assert {"brightness_grain", "colour_grain", "clipped", "content", "style"} <= of_pair.keys()


def test_a_lead_compares_after_the_same_work():
    """The work of smaller pictures counts before the first evaluation at full size."""
    run = benchmark.Descent("a × b", 256, [8.0, 6.0, 4.0, 3.0], [4.0, 1.0], before=2.0)
    assert run.lead(3) == 4.0 / 4.0
    assert run.lead(4) == 1.0 / 3.0
    for size in (256, 512):
        for descent in benchmark.descents(size):
            assert 10 <= descent.before <= 13
            assert 0.1 < descent.lead(100) < 1.1


@pytest.mark.parametrize("wavelength", [6.4, 16.0])
def test_the_middle_wavelength_of_one_wave_is_its_own(wavelength):
    """Also under grain, which is finer than what counts."""
    across = torch.arange(128.0) / wavelength
    wave = 0.5 + 0.25 * torch.sin(2 * torch.pi * across).expand(1, 3, 128, 128)
    grain = 0.2 * torch.tensor([-1.0, 1.0]).repeat(64)
    assert strokes.middle_wavelength(wave) == pytest.approx(wavelength, rel=0.1)
    assert strokes.middle_wavelength(wave + grain) == pytest.approx(wavelength, rel=0.1)
