"""benchmarks/pictures/parts: each part changes the picture, and the page says what was measured."""

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stlib import solver, style_transfer
from stlib.course.quality import wave_power
from stlib.objective import PAINTING_MARGIN

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for the namespace package benchmarks

from benchmarks.pictures import parts, parts_report, plan  # noqa: E402
from benchmarks.pictures.variants import REFERENCE, VARIANTS, network, paint  # noqa: E402

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
    default = BY_NAME["default"]
    first, _, again = (
        paint(variant, SMALL.content, SMALL.style, CPU, 1).image
        for variant in (default, BY_NAME["zero, both mirrored"], default)
    )
    assert torch.equal(first, again)


def test_default_variant_is_the_default_call(small_stages):
    painted = paint(BY_NAME["default"], SMALL.content, SMALL.style, CPU, 2).image
    expected = style_transfer(SMALL.content, SMALL.style, steps=2, progress=False).image
    torch.testing.assert_close(painted, expected)


def test_margin_of_the_variants_is_that_of_todays_painting(small_stages):
    """So *replicate, painting mirrored* stands for the default's border, and *clean* does not."""
    today = replace(BY_NAME["clean"], painting_margin=PAINTING_MARGIN)
    expected, mirrored, clean = (
        paint(variant, SMALL.content, SMALL.style, CPU, 2).image
        for variant in (today, BY_NAME["replicate, painting mirrored"], BY_NAME["clean"])
    )
    torch.testing.assert_close(mirrored, expected, rtol=0, atol=1e-3)
    assert (clean - expected).abs().max() > 0.01


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
    """Each was made with as many evaluations as its variant plans, of a pair that is compared.

    In sessions without a painter, the painting's shorter side decided too, as the remark says.
    """
    found, fewer = parts.read(parts.RESULTS), set()
    for entry in found["measured"]:
        variant, session = BY_NAME[entry["variant"]], found["sessions"][entry["session"]]
        pair, size = pair_of(entry["photo"], entry["painting"]), entry["size"]
        assert size in variant.sizes
        as_it_is = pair.photo == "cat" and "the cat, whose file is 451" in session.get("remark", "")
        side = shorter_side(pair.content, min(size, 451) if as_it_is else size)
        counts = evaluations(variant, side)
        if "painter" not in session:
            before = evaluations(variant, min(side, shorter_side(pair.style, size)))
            if before != counts:
                fewer.add((pair.name, size))
            counts = before
        assert (entry["coarse"], entry["full"]) == counts
    assert "two pairs with the astronaut" in found["remarks"][0]
    assert fewer == {(p.name, 384) for p in plan.PAIRS if p.photo == "astronaut"}


def pair_of(photo, painting):
    """Raises ValueError for a pair that is not compared."""
    (pair,) = (p for p in plan.PAIRS if (p.photo, p.painting) == (photo, painting))
    return pair


def shorter_side(picture, size):
    """Of a picture whose longer side gets `size` pixels."""
    return size * min(picture.shape[2:]) / max(picture.shape[2:])


def evaluations(variant, side):
    """Of all coarse stages, and at full size."""
    *coarse, full = variant.stages(100, side)
    return sum(stage.evaluations for stage in coarse), full.evaluations
