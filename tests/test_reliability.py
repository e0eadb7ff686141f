"""The README's table of what was tried on purpose says what the tests try."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OF_PILLOW = "a picture of any mode in any format that Pillow writes"  # how many there are changes with its version


def test_the_readme_says_what_was_tried(request):
    whole = {path.name for path in (ROOT / "tests").glob("test_*.py")} <= {
        item.path.name for item in request.session.items
    }
    if not whole or request.config.option.keyword or request.config.option.markexpr:
        pytest.skip("only some of the tests are run: pytest without arguments runs all")
    markers = [item.get_closest_marker("survives") for item in request.session.items]
    tried = Counter(marker.args[0] for marker in markers if marker)
    section = (ROOT / "README.md").read_text("utf-8").split("## Reliability")[1].split("\n## ")[0]
    quoted = {
        what: int(number)
        for what, number in re.findall(r"^\| ([^|]+?) \| (\d+) \|$", section, re.MULTILINE)
    }
    assert tried.pop(OF_PILLOW) == pytest.approx(quoted.pop(OF_PILLOW), rel=0.3)
    assert quoted == dict(tried)
