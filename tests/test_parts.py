"""benchmarks/pictures/parts: each part changes the picture, and the page says what was measured."""

import itertools
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stlib import solver, style_transfer
from stlib.course.quality import wave_power

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for the namespace package benchmarks

from benchmarks.pictures import parts, parts_report, plan  # noqa: E402
from benchmarks.pictures.variants import REFERENCE, VARIANTS, Variant, network, paint  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
SMALL = plan.Pair("castle", "cafe-terrace", 64)
BY_NAME = {variant.name: variant for variant in VARIANTS}


@pytest.fixture
def small_stages(monkeypatch):
    """Let small pictures have a coarse stage, as larger ones have."""
    monkeypatch.setattr(solver, "SMALLEST_SIDE", 16)


def test_each_variant_paints_another_picture(small_stages):
    """At equal seed and after two evaluations at full size no two variants agree."""
    pair, painted = plan.Pair("castle", "cafe-terrace", 48), {}
    for variant in VARIANTS:
        if variant.schedule is None:  # those differ in evaluations, see below
            painted[variant.name] = paint(variant, pair.content, pair.style, CPU, 2).image
    for (one, x), (other, y) in itertools.combinations(painted.items(), 2):
        assert not torch.equal(x, y), f"{one} and {other}"


def test_schedules_differ_and_end_at_full_size():
    plans = [tuple(v.stages(100, 384)) for v in VARIANTS if v.schedule is not None]
    assert len(set(plans)) == len(plans) == 7
    assert all(stages[-1].share == 1 for stages in plans)
    assert BY_NAME["D3"].stages(100, 256) == [solver.Stage(0.5, 60, 0.5), solver.Stage(1, 60)]


def test_what_a_variant_changes_is_as_before_afterwards(small_stages):
    """The default call paints the same picture before and after a variant."""
    default = Variant("default", {})
    first, _, again = (
        paint(variant, SMALL.content, SMALL.style, CPU, 1).image
        for variant in (default, BY_NAME["zero, both mirrored"], default)
    )
    assert torch.equal(first, again)


def test_default_variant_is_the_default_call(small_stages):
    painted = paint(BY_NAME["default"], SMALL.content, SMALL.style, CPU, 2).image
    expected = style_transfer(SMALL.content, SMALL.style, steps=2, progress=False).image
    torch.testing.assert_close(painted, expected)


def test_limited_colours_have_no_fine_waves(small_stages):
    """With a limit of 0.02 cycles per pixel, a picture has less colour grain than without."""
    limited = replace(BY_NAME["clean"], limit=0.02, start_limit=0.02)
    power = [
        colour_grain(paint(variant, SMALL.content, SMALL.style, CPU, 2).image)
        for variant in (limited, BY_NAME["clean − limit"])
    ]
    assert power[0] < power[1] / 5


def colour_grain(picture):
    return wave_power(picture)[1].sum()


def test_margin_is_cut_away_again():
    """Deep inside, a wide margin changes nothing; at the border it does."""
    net = network(CPU)
    picture = plan.Pair("castle", "cafe-terrace", 256).content
    net.margins = net.crops = (0, 0)
    plain = net.features(picture, ["relu2_1"])["relu2_1"]
    net.margins = (0, 64)  # layers without the content's are a painting's
    margin = net.features(picture, ["relu2_1"])["relu2_1"]
    net.crops = (0, 32)
    cropped = net.features(picture, ["relu2_1"])["relu2_1"]
    net.margins = net.crops = (0, 0)
    assert margin.shape == plain.shape
    difference = (margin - plain).abs().amax(dim=(0, 1))
    assert difference[8:-8, 8:-8].max() < 1e-4
    assert difference[0].max() > 0.1
    torch.testing.assert_close(cropped, margin[:, :, 16:-16, 16:-16])


def test_measuring_goes_on_where_it_ended(tmp_path, monkeypatch, capsys):
    """Two variants at 64 pixels with two evaluations; a second call measures nothing again."""
    path = tmp_path / "parts.json"
    monkeypatch.setattr(plan, "PAIRS", plan.PAIRS[:1])
    arguments = ["--out", str(path), "--size", "64", "--steps", "2", "--variants"]
    parts.main([*arguments, REFERENCE])
    parts.main([*arguments, REFERENCE, "clean"])
    found = parts.read(path)
    assert [entry["variant"] for entry in found["measured"]] == [REFERENCE, "clean"]
    plain, clean = found["measured"]
    assert len(found["sessions"]) == 1
    assert plain["reached"] in (1, 2)
    assert clean["full"] == clean["work"] == 2
    assert set(clean["mirror_ghost"]) == {"value", "mean", "deviation"}
    assert [floor["painting"] for floor in found["floors"]] == ["cafe-terrace"]
    before = path.read_text("utf-8")
    parts.main([*arguments, "clean"])
    assert path.read_text("utf-8") == before
    parts.main([*arguments, "old", "--seconds", "-1"])
    assert "run this again" in capsys.readouterr().out
    assert parts.read(path) == found


def test_page_is_made_from_the_committed_measurements():
    found = parts.read(parts.RESULTS)
    assert parts_report.PAGE.read_text("utf-8") == parts_report.text(found)


def test_measurements_belong_to_the_variants():
    """Each was made with as many evaluations as its variant plans, of a pair that is compared."""
    for entry in json.loads(parts.RESULTS.read_text("utf-8"))["measured"]:
        variant = BY_NAME[entry["variant"]]
        assert entry["size"] in variant.sizes
        # with pictures of this size the smallest stage may be too small
        plans = [variant.stages(100, side) for side in range(160, 513, 16)]
        counts = {(sum(s.evaluations for s in p[:-1]), p[-1].evaluations) for p in plans}
        assert (entry["coarse"], entry["full"]) in counts
        assert (entry["photo"], entry["painting"]) in {(p.photo, p.painting) for p in plan.PAIRS}
