"""What a chapter's text states as a number is in its code, its outputs or the results it loads."""

import json
import re
from pathlib import Path

import pytest

from experiments import bench

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
CHAPTERS = sorted(path.stem for path in NOTEBOOKS.glob("[01]*.ipynb"))
LEAST = 13  # smaller whole numbers count things, and are no findings
# what no cell computes: facts about papers, files and the world, by chapter
FACTS = json.loads((Path(__file__).parent / "facts.json").read_text("utf-8"))
NUMBER = re.compile(r"(?<![\w.,/^_{-])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?: ?(%))?(?![\w/])")
# links, inline code, formulas, references and what a chapter takes
NOT_PROSE = re.compile(
    r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|\]\([^)]*\)|^\*\*(References\.|Takes)\*\*[^\n]*"
    r"|^#+ [^\n]*minutes[^\n]*$|\(\d{4}\)|\b(19|20)\d\d\b|[Cc]hapters? [\d, and]+|\[\d\d[^\]]*\]",
    re.DOTALL | re.MULTILINE,
)


def stated(markdown: str) -> list[tuple[str, float, int]]:
    """The numbers of a text: as written, as a value, and its decimal places."""
    found = []
    for whole, decimals, percent in NUMBER.findall(NOT_PROSE.sub(" ", markdown)):
        value, places = float(whole.replace(",", "") + decimals), max(0, len(decimals) - 1)
        if percent:
            value, places = value / 100, places + 2
        if decimals or percent or value >= LEAST:
            found.append((whole + decimals + percent, value, places))
    return found


def numbers_in(text: str) -> set[float]:
    """All numbers of code or outputs."""
    words = re.findall(r"\d[\d,_]*\.?\d*(?:e[+-]?\d+)?(?:\s?%)?", text)
    numbers = set()
    for word in words:
        plain = re.sub(r"[,_%\s]", "", word).rstrip(".")
        if plain:
            numbers.add(float(plain) / (100 if "%" in word else 1))
    return numbers


def numbers_of(value) -> set[float]:
    """All numbers of a result, however deep."""
    if isinstance(value, dict):
        return set().union(*map(numbers_of, value.values()))
    if isinstance(value, list):
        return set().union(*map(numbers_of, value))
    return {float(value)} if isinstance(value, (int, float)) else numbers_in(str(value))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_number_in_the_text_is_computed(chapter):
    cells = json.loads((NOTEBOOKS / f"{chapter}.ipynb").read_text("utf-8"))["cells"]
    known = set()
    for cell in cells:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            known |= numbers_in(source)
            for output in cell["outputs"]:
                known |= numbers_in("".join(output.get("text", [])))
            for name in re.findall(r"results\(\"(\w+)\"", source):
                known |= set().union(*(numbers_of(vars(run)) for run in bench.kept(name)))
    prose = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] != "code")
    prose = prose.split("## Exercises")[0]
    unknown = [
        word
        for word, value, places in stated(prose)
        if word not in FACTS.get(chapter, {})
        and not any(round(abs(number), places) == round(value, places) for number in known)
    ]
    assert not unknown


def test_the_rule_itself_finds_what_was_made_up():
    """A percentage, a decimal, a large number; not a year, a layer, a formula or a count."""
    text = "In 2016, `relu4_1` at 384 px: 83 %, 0.97 and 1,234 of 5; $\\frac{1}{99}$ (chapter 13)."
    assert [word for word, *_ in stated(text)] == ["384", "83%", "0.97", "1,234"]
    assert {0.83, 0.971, 1234.0} <= numbers_in("83 % 0.971 1_234")
    assert numbers_of({"a": [1.5, {"b": 2}], "c": "x 3"}) == {1.5, 2.0, 3.0}
