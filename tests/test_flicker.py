"""benchmarks/flicker: change follows the scene, and the page says what was measured."""

import json
import sys
from pathlib import Path
from statistics import mean

import pytest

from stlib import load_image
from stlib.batch.jobs import picture_file

FOLDER = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(FOLDER))  # a folder of scripts, not a package

import flicker  # noqa: E402


@pytest.fixture(scope="module")
def found():
    """What was measured."""
    return json.loads((FOLDER / "flicker.json").read_text("utf-8"))


def test_a_pan_that_is_followed_does_not_change():
    """Compared with what is at the same place, it does."""
    step, noise = flicker.SCENES["moving"]
    frames = flicker.film(48, 3, step, noise)
    picture = load_image(picture_file(flicker.PAIR[0]), size=96)
    assert flicker.changes(frames, step) == [0, 0]
    assert min(flicker.changes(frames, 0)) > 5
    assert frames[2].equal(picture[..., :48, 2 * step : 2 * step + 48])


def test_a_standing_scene_changes_by_its_noise():
    """The mean absolute difference of two normal numbers is 2σ/√π: 2.26 levels."""
    step, noise = flicker.SCENES["standing"]
    assert flicker.changes(flicker.film(48, 3, step, noise), step) == pytest.approx([2.26] * 2, 0.1)


def test_the_page_says_what_was_measured(found):
    assert flicker.page(found) == (FOLDER / "FLICKER.md").read_text("utf-8")


def test_moving_along_is_calmest_where_the_camera_moves(found):
    """README and chapter 12 say so, and that its loss is no higher."""
    moving = [film["starts"] for film in found["films"] if film["scene"] == "moving"]
    assert len(moving) == 2
    for starts in moving:
        change = {start: mean(result["changes"]) for start, result in starts.items()}
        assert min(change, key=change.get) == flicker.MOVED
        assert change[flicker.MOVED] < 0.7 * change[flicker.PHOTO]
        assert change[flicker.BEFORE] > change[flicker.PHOTO]
        loss = {start: mean(result["losses"][1:]) for start, result in starts.items()}
        assert loss[flicker.MOVED] < loss[flicker.PHOTO]
