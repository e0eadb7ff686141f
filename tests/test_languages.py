"""README and RELIABILITY say the same in both languages, and so do the two glossaries."""

import itertools
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh-CN.md"))
BETWEEN_LANGUAGES = {
    "README.md",
    "README.zh-CN.md",
    "RELIABILITY.md",
    "RELIABILITY.zh-CN.md",
    "GLOSSARY.md",
    "GLOSSARY.zh-CN.md",
}  # links that only one of the languages has

CODE = re.compile(
    r"^```.*?^```$|(?<=\n\n)(?: {4}[^\n]*\n)+", re.MULTILINE | re.DOTALL
)  # fenced, or indented below an empty line
SPAN = re.compile(r"`[^`\n]+`")
HAN = re.compile(r"[\u4e00-\u9fff]")


class Section(NamedTuple):
    """A heading and what stands below it, code apart from prose."""

    level: int
    title: str
    prose: str
    code: list[str]

    @property
    def table(self) -> list[str]:
        return re.findall(r"^\|.*\|$", self.prose, re.MULTILINE)

    @property
    def links(self) -> list[str]:
        """Where they lead in English; chapters and drawings have their own in Chinese."""
        targets = re.findall(r"\]\(([^)\s]+)\)|<(https?://[^>]+)>", self.prose)
        return [
            target.replace("/zh-CN/", "/")
            for target in map("".join, targets)
            if target not in BETWEEN_LANGUAGES
        ]


def sections(text: str) -> list[Section]:
    """The sections of a README; a # within code begins none."""
    code = []

    def keep(match: re.Match) -> str:
        code.append(match[0])
        return f"\0{len(code) - 1}\0\n"

    prose = CODE.sub(keep, text)
    found = []
    for part in re.split(r"^(?=#+ )", prose, flags=re.MULTILINE)[1:]:
        marks, title = re.match(r"(#+) (.*)", part).groups()
        numbers = [int(number) for number in re.findall(r"\0(\d+)\0", part)]
        found.append(
            Section(
                len(marks),
                title,
                re.sub(r"\0\d+\0", "", part),
                [code[number] for number in numbers],
            )
        )
    return found


RELIABILITY = [
    (ROOT / name).read_text("utf-8") for name in ("RELIABILITY.md", "RELIABILITY.zh-CN.md")
]
PAIRS = [
    *itertools.zip_longest(sections(ENGLISH), sections(CHINESE)),
    *itertools.zip_longest(*map(sections, RELIABILITY)),
]


@pytest.fixture(params=[pair for pair in PAIRS if all(pair)], ids=lambda pair: pair[0].title)
def pair(request) -> tuple[Section, Section]:
    """A section and the one at the same place of the other language."""
    return request.param


def without_comments(code: str) -> list[str]:
    return [re.sub(r"\s+# .*", "", line).rstrip() for line in code.splitlines()]


def numbers(text: str) -> Counter:
    """The numbers in digits, in any order, without those of code and of the targets of links."""
    words = re.sub(r"\]\([^)]*\)", "]", SPAN.sub("", text))
    return Counter(re.findall(r"\d+(?:[.,]\d+)*", words))


def test_each_readme_leads_to_the_other():
    assert "[中文](README.zh-CN.md)" in ENGLISH.split("\n## ")[0]
    assert "[English](README.md)" in CHINESE.split("\n## ")[0]
    assert "(GLOSSARY.zh-CN.md)" in CHINESE


def test_no_section_is_missing():
    for english, chinese in PAIRS:
        assert english, f"README.md has no section for {chinese.title!r}"
        assert chinese, f"README.zh-CN.md has no section for {english.title!r}"
        assert english.level == chinese.level, english.title


def test_the_code_is_the_same_but_for_its_comments(pair):
    english, chinese = pair
    assert [without_comments(code) for code in english.code] == [
        without_comments(code) for code in chinese.code
    ], english.title


def test_the_same_lines_of_code_have_comments(pair):
    english, chinese = (
        [line.count(" # ") for code in section.code for line in code.splitlines()]
        for section in pair
    )
    assert english == chinese, pair[0].title


def test_the_links_lead_to_the_same_places(pair):
    english, chinese = pair
    assert english.links == chinese.links, english.title


def test_the_links_of_the_pages_lead_somewhere():
    for name in (*BETWEEN_LANGUAGES, "EQUATIONS.md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", (ROOT / name).read_text("utf-8")):
            assert target.startswith("https://") or (ROOT / target.partition("#")[0]).is_file(), (
                f"{name}: {target}"
            )


def test_the_tables_have_the_same_shape_and_numbers(pair):
    english, chinese = pair
    assert len(english.table) == len(chinese.table), english.title
    for row, in_chinese in zip(english.table, chinese.table, strict=True):
        assert row.count("|") == in_chinese.count("|"), f"{english.title}: {row}"
        assert numbers(row) == numbers(in_chinese), f"{english.title}: {row}"


def test_the_numbers_are_the_same(pair):
    english, chinese = pair
    assert numbers(english.prose) == numbers(chinese.prose), english.title


def test_the_same_code_is_named_in_the_text(pair):
    english, chinese = pair
    assert Counter(SPAN.findall(english.prose)) == Counter(SPAN.findall(chinese.prose)), (
        english.title
    )


def test_what_is_folded_and_listed_is_the_same(pair):
    english, chinese = pair
    for mark in (r"<details>", r"</details>", r"<summary>", r"^- ", r"^\d+\. ", r"!\["):
        count = [
            len(re.findall(mark, section.prose, re.MULTILINE)) for section in (english, chinese)
        ]
        assert count[0] == count[1], f"{english.title}: {mark}"


def test_every_chinese_paragraph_is_chinese(pair):
    _, chinese = pair
    assert HAN.search(chinese.title)
    words = re.sub(r"</details>|^\|[-|]+\|$|^#.*$", "", chinese.prose, flags=re.MULTILINE)
    for piece in re.split(r"\n\n|\n(?=[|<-])", words):
        assert not piece.strip() or HAN.search(piece), f"{chinese.title}: {piece!r}"


def test_a_picture_has_a_chinese_text_equivalent():
    for alternative in re.findall(r"!\[([^\]]*)\]", CHINESE):
        assert len(HAN.findall(alternative)) >= 30


def glossary_rows(text: str) -> list[tuple[str, ...]]:
    rows = [
        tuple(cell.strip() for cell in line.strip("|\n").split("|"))
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    return rows[1:]


def test_the_glossaries_have_the_same_terms():
    glossary, in_chinese = (
        (ROOT / name).read_text("utf-8") for name in ("GLOSSARY.md", "GLOSSARY.zh-CN.md")
    )
    assert "](GLOSSARY.zh-CN.md)" in glossary and "](GLOSSARY.md)" in in_chinese
    english, chinese = glossary_rows(glossary), glossary_rows(in_chinese)
    assert len(english) >= 75
    for (term, translated, _), row in itertools.zip_longest(
        english, chinese, fillvalue=("", "", "")
    ):
        assert row[:2] == (translated, term), (
            f"GLOSSARY.zh-CN.md has {row[:2]} where GLOSSARY.md has {term!r}, {translated!r}"
        )
        assert HAN.search(row[0]) and HAN.search(row[2]), term
    assert [term for term, *_ in english] == sorted(
        (term for term, *_ in english), key=str.casefold
    )
