"""What the scripts of this folder share: each measures, keeps what it found, and prints a table."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # a folder of scripts, not a package

from run import fresh  # noqa: E402


def answer(script: str, measure: Callable[[], dict], table: Callable[[dict], str]) -> None:
    """Measure, write SCRIPT.json and print the table, which belongs into README.md."""
    found = {**measure(), "machine": fresh("machine")}
    Path(script).with_suffix(".json").write_text(json.dumps(found) + "\n", encoding="utf-8")
    print(table(found))


def stored(name: str) -> dict:
    """What the script of this name has found."""
    return json.loads((HERE / f"{name}.json").read_text("utf-8"))
