"""What benchmarks/ has measured on a graphics card or a quiet machine, for chapters to show.

`parts` has what each part of the default call does to six pairs of pictures (benchmarks/PARTS.md),
`descents` how far the fast and the plain solver came (benchmarks/RESULTS.md).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "benchmarks"


@dataclass(frozen=True)
class Descent:
    """A pair, lowered by the plain and by the fast solver.

    pair: "photo × painting". size: longer side, in pixels. plain, fast: the total loss after each
    evaluation at full size. before: the work of the fast solver's smaller pictures, in evaluations
    at full size.
    """

    pair: str
    size: int
    plain: list[float]
    fast: list[float]
    before: float

    @property
    def end(self) -> int:
        """The work at which the fast solver stopped."""
        return round(self.before) + len(self.fast)

    def lead(self, work: int) -> float:
        """The fast solver's lowest loss over the plain one's, after the same work."""
        return min(self.fast[: work - round(self.before)]) / min(self.plain[:work])


def parts(size: int) -> dict[str, dict[str, dict[str, Any]]]:
    """{variant: {"photo × painting": what `quality.judge` found}} at a size in pixels.

    Where a picture was judged in several sessions, the first counts.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for entry in _read(FOLDER / "pictures/parts.json")["measured"]:
        if entry["size"] == size:
            pair = f"{entry['photo']} × {entry['painting']}"
            found.setdefault(entry["variant"], {}).setdefault(pair, entry["quality"])
    return found


def descents(size: int) -> list[Descent]:
    """The pairs whose losses were followed for 300 evaluations, at a size in pixels."""
    return [
        Descent(
            f"{pair['content']} × {pair['style']}",
            size,
            pair["runs"]["plain"]["losses"],
            pair["runs"]["fast"]["losses"],
            _work_before(pair["runs"]["fast"]["stages"]),
        )
        for pair in _read(FOLDER / "results.json")["time"]["pairs"]
        if pair["size"] == size
    ]


def _work_before(stages: Mapping[str, Mapping[str, Any]]) -> float:
    """stages: by the number of pixels."""
    whole = max(map(int, stages))
    return sum(
        stage["evaluations"] * int(pixels) / whole
        for pixels, stage in stages.items()
        if int(pixels) < whole
    )


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
