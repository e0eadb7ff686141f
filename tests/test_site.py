"""The reading edition: built anew, whole, readable by everybody, and asking no other server.

The site is built once into build/site, as `make site` does; what the browser sees of five pages is
left in build/browser.
"""

import importlib.util
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest

import stlib

pytest.importorskip("sphinx_book_theme", reason="the extra `site` is not installed")

ROOT = Path(__file__).parents[1]
SITE = ROOT / "build/site"
SHOTS = ROOT / "build/browser"
sys.path[:0] = [str(ROOT / "reading"), str(ROOT / "tests")]  # folders of scripts, not packages

import api  # noqa: E402
import folds  # noqa: E402
import pictures  # noqa: E402
from test_browser import BROWSER, chromium  # noqa: E402

CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("[01]*.ipynb"))
MEGABYTE = 1_000_000


class Page(HTMLParser):
    """What the tests ask of a page: its ids, links, pictures and headings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []  # of <a>
        self.needs: list[str] = []  # files that the browser fetches
        self.pictures: list[dict[str, str | None]] = []
        self.headings: list[int] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if given.get("id"):
            self.ids.add(str(given["id"]))
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if tag == "img":
            self.pictures.append(given)
            self.needs.append(str(given.get("src")))
        if tag in ("script", "iframe", "source") and given.get("src"):
            self.needs.append(str(given["src"]))
        if tag == "link" and given.get("rel") in ("stylesheet", "preload", "icon"):
            self.needs.append(str(given["href"]))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))


@pytest.fixture(scope="session")
def site() -> Path:
    """The site, built as `make site` builds it. A warning of Sphinx ends the build."""
    began = time.monotonic()
    made("site")
    print(f"built in {time.monotonic() - began:.0f} s")
    return SITE


@cache
def page(path: Path) -> Page:
    return Page(path.read_text("utf-8"))


def pages(site: Path) -> list[Path]:
    found = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]
    assert len(found) > 60
    return found


# what is folded, and what words a picture has


def cell(kind: str, source: str, **rest) -> dict:
    return {"cell_type": kind, "source": source, "metadata": {}, "outputs": [], **rest}


def test_what_follows_a_question_is_folded_until_the_next_heading():
    out = {"outputs": [{"output_type": "stream", "text": "7"}]}
    notebook = {
        "cells": [
            cell("code", "print(7)", **out),
            cell("markdown", "## A?\n\n**Predict.** How many?"),
            cell("code", "print(7)", **out),
            cell("markdown", "**Explain.** Seven.\n\nIndeed.\n\n## B\n\nNo question."),
            cell("code", "print(8)", **out),
        ]
    }
    folded = folds.folded(notebook)["cells"]
    assert [c["metadata"].get("tags") for c in folded if c["cell_type"] == "code"] == [
        [],
        ["hide-output"],
        [],
    ]
    assert folded[3]["source"] == (
        '<details class="answer"><summary>Explanation</summary>\n\n**Explain.** Seven.\n\nIndeed.'
        "\n\n</details>\n\n## B\n\nNo question."
    )


def test_no_answer_stands_open_below_its_question():
    """In every chapter each question is answered, and the answer is folded with its outputs."""
    for path in sorted((ROOT / "notebooks").glob("[01]*.ipynb")):
        questions = answers = 0
        asked = False
        for c in folds.folded(json.loads(path.read_text("utf-8")))["cells"]:
            text = "".join(c["source"])
            if c["cell_type"] == "markdown":
                questions += len(folds.PREDICT.findall(text))
                answers += text.count('<details class="answer">')
                last = [m[0] for m in re.finditer(r"^#+ |^\*\*Predict|^\*\*Explain", text, re.M)]
                asked = last[-1] == "**Predict" if last else asked
            elif asked and c["outputs"]:
                tags = c["metadata"]["tags"]
                assert {"hide-output", "hide-cell"} & set(tags), (path.stem, text[:80])
        assert questions > 2 and answers >= questions - 1, (path.stem, questions, answers)


def test_on_paper_nothing_is_folded_and_no_cell_only_checks():
    for path in sorted((ROOT / "notebooks").glob("[01]*.ipynb")):
        opened = folds.opened(json.loads(path.read_text("utf-8")))
        text = "\n".join("".join(c["source"]) for c in opened["cells"])
        assert "<details" not in text and "<summary" not in text
        assert not any("guard" in c["metadata"].get("tags", []) for c in opened["cells"])


def test_the_words_of_a_picture_are_its_titles_and_the_text_below():
    data = {"image/png": "aGk="}
    output = {"data": data, "metadata": {"image/png": {"alt": "loss", "width": 630}}}
    notebook = {
        "cells": [
            cell("code", "", outputs=[output]),
            cell("markdown", "**Explain.** The [loss](x) falls from $L$. It ends at 7. More."),
        ]
    }
    ((name, words, width),) = pictures.described(notebook)
    assert (words, width) == ("loss. The loss falls from L. It ends at 7.", 630)
    assert len(name) == 64


# the pages


def test_all_links_lead_somewhere(site):
    counted = 0
    for path in pages(site):
        for link in page(path).links:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            counted += 1
            assert target.is_file(), (path.name, link)
            if parts.fragment and target.suffix == ".html":
                assert unquote(parts.fragment) in page(target).ids | {"top"}, (path.name, link)
    assert counted > 5000


def test_no_page_needs_another_server(site):
    for path in pages(site):
        for need in page(path).needs:
            assert not need.startswith(("http:", "https:", "//")), (path.name, need)
            if not need.startswith("data:"):
                assert (path.parent / urlsplit(need).path).is_file(), (path.name, need)
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", sheet.read_text("utf-8")), sheet.name


def test_all_pictures_have_words_that_say_what_they_show(site):
    """Words, not the name of a file; and not the same words for all pictures of a page."""
    counted = 0
    for path in pages(site):
        shown = page(path).pictures
        for picture in shown:
            words = picture.get("alt") or ""
            assert len(words) >= (10 if "zh-CN" in path.parts else 20) and not re.search(
                r"\.(png|jpe?g|gif)$", words
            ), (
                path.name,
                picture.get("src"),
                words,
            )
        counted += len(shown)
    assert counted > 400


def test_words_of_pictures_do_not_begin_with_those_of_a_fold(site):
    for path in pages(site):
        for picture in page(path).pictures:
            assert not re.search(r"(^|\. )(Explanation|解释) ", picture.get("alt") or ""), path.name


def test_chinese_pages_show_the_chinese_drawings(site):
    """They have the names of the English ones, and are not taken for them."""
    for name, where in (("gram", "03_gram_matrices"), ("vgg", "02_inside_vgg")):
        chapter = site / f"zh-CN/notebooks/{where}.html"
        (shown,) = (p["src"] for p in page(chapter).pictures if p["src"].endswith(f"{name}.png"))
        drawn = (ROOT / f"figures/zh-CN/{name}.png").read_bytes()
        assert (chapter.parent / shown).read_bytes() == drawn


def test_headings_do_not_jump(site):
    for path in pages(site):
        levels = page(path).headings
        for above, below in itertools.pairwise(levels):
            assert below <= above + 1, (path.name, levels)


def test_formulas_are_mathml(site):
    """Each became MathML; none is left in dollars, and none names a command that was not known."""
    text = (site / "notebooks/05_style_loss.html").read_text("utf-8")
    assert text.count("<math") > 60
    shown = re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL)
    assert not re.search(r"<mi>\\|\$\$", shown)


def test_the_package_is_described_whole(site):
    """All that `import stlib` offers; what is loaded lazily has a part of its own."""
    ids = page(site / "api.html").ids
    lazy = set(stlib.LAZY)
    missing = [n for n in stlib.__all__ if f"stlib.{n}" not in ids and n not in lazy]
    assert not missing
    assert {f"stlib.{name}" for names in api.PUBLIC.values() for name in names} <= ids


def test_it_is_small(site):
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    needed = page(site / "index.html").needs
    files = {(site / urlsplit(need).path).resolve() for need in needed} | {site / "index.html"}
    first = sum(file.stat().st_size for file in files)
    print(f"{size / MEGABYTE:.1f} MB, first page {first / 1000:.0f} kB")
    assert size < 60 * MEGABYTE
    assert first < 1.5 * MEGABYTE


def test_each_page_leads_to_itself_in_the_other_language(site):
    for path in pages(site):
        here = path.relative_to(site)
        chinese = here.parts[0] == "zh-CN"
        there = site / (Path(*here.parts[1:]) if chinese else Path("zh-CN") / here)
        links = {(path.parent / unquote(link)).resolve() for link in page(path).links}
        assert there in links, here


def made(target: str) -> None:
    done = subprocess.run(
        ["make", "--assume-old", "setup", target, f"PY={sys.executable}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_the_epub_is_well_formed_and_shows_all_chapters():
    made("epub")
    with zipfile.ZipFile(ROOT / "build/style-transfer-step-by-step.epub") as book:
        names = [name for name in book.namelist() if name.endswith(".xhtml")]
        pages = {name: book.read(name) for name in names}
    assert set(CHAPTERS) <= {Path(name).stem for name in pages}
    for name, text in pages.items():
        tree = ElementTree.fromstring(text)  # raises where a reader would stop
        for picture in tree.iter("{http://www.w3.org/1999/xhtml}img"):
            assert picture.get("alt"), (name, picture.attrib)


@pytest.mark.skipif(not BROWSER, reason="there is no Chromium, which prints it")
def test_the_pdf_has_all_pages():
    made("pdf")
    book = (ROOT / "build/style-transfer-step-by-step.pdf").read_bytes()
    assert len(re.findall(rb"/Type /Page\b", book)) > 300
    assert len(book) < 60 * MEGABYTE


# in a real browser, from the file system


@pytest.fixture(scope="module")
def driver(site):
    with chromium(dict(os.environ)) as driver:
        driver.execute_cdp_cmd("Network.enable", {})
        driver.execute_cdp_cmd(
            "Network.emulateNetworkConditions",
            {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0},
        )
        driver.set_page_load_timeout(60)
        yield driver


@cache
def axe() -> str:
    """axe-core's script, which a package carries."""
    folder = Path(str(importlib.util.find_spec("axe_core_python").origin)).parent
    return (folder / "axe.min.js").read_text("utf-8")


NOT_OURS = {"autocomplete-valid"}  # of the theme's field for searching


def findings(driver, theme: str) -> Iterator[tuple[str, str, str]]:
    """(rule, element, explanation) of all that axe finds serious, in a colour theme."""
    # a colour that is on its way to another one is not what a reader sees
    driver.execute_script(
        "const still = document.createElement('style');"
        "still.textContent = '* { transition: none !important; }'; document.head.append(still);"
    )
    driver.execute_script(f"document.documentElement.dataset.theme = '{theme}'")
    driver.execute_script(
        "document.querySelectorAll('article details').forEach((fold) => { fold.open = true; })"
    )
    driver.execute_script(axe())
    found = driver.execute_async_script(
        "const done = arguments[0]; axe.run({resultTypes: ['violations']}).then(done)"
    )
    for finding in found["violations"]:
        if finding["impact"] in ("serious", "critical") and finding["id"] not in NOT_OURS:
            for node in finding["nodes"]:
                yield finding["id"], node["html"][:160], node["failureSummary"][:200]


def test_axe_finds_nothing_serious(site, driver):
    """All pages by day, and at the width of a phone by night."""
    found = {}
    for path in pages(site):
        for theme, width in (("light", 1300), ("dark", 400)):
            driver.set_window_size(width, 1000)
            driver.get(path.as_uri())
            for rule, element, why in findings(driver, theme):
                found.setdefault((rule, element), (path.name, theme, why))
    assert not found, "\n".join(f"{key}: {value}" for key, value in found.items())


def test_answers_open_one_by_one_and_all_together(site, driver):
    driver.set_window_size(1300, 1000)
    driver.get((site / "notebooks/05_style_loss.html").as_uri())
    folds = "[...document.querySelectorAll('article details:not(figure.play details)')]"
    shown = f"return {folds}.filter((fold) => fold.open).length"
    every = driver.execute_script(f"return {folds}.length")
    assert every > 20
    assert driver.execute_script(shown) == 0
    driver.find_element("css selector", "article details.answer summary").click()
    assert driver.execute_script(shown) == 1
    driver.execute_script("window.scrollTo(0, 0)")  # from below the bar at the top
    button = driver.find_element("css selector", "button.show-answers")
    button.click()
    assert driver.execute_script(shown) == every
    button.click()
    assert driver.execute_script(shown) == 0


@pytest.mark.parametrize(
    "folder, words, chapter",
    [
        (".", "Gram matrix", "03_gram"),
        (".", "total variation", "06_"),
        ("zh-CN", "格拉姆矩阵", "03_gram"),
        ("zh-CN", "特征图", "01_what"),
        ("zh-CN", "全变分", "06_"),
    ],
)
def test_search_finds_a_chapter_without_a_server(site, driver, folder, words, chapter):
    driver.get((site / folder / "search.html").as_uri() + f"?q={words.replace(' ', '+')}")
    for _ in range(100):
        links = driver.execute_script(
            "return [...document.querySelectorAll('#search-results a')].map((a) => a.href)"
        )
        if any(chapter in link for link in links):
            return
        time.sleep(0.1)
    pytest.fail(f"no page of {chapter} among {links}")


@pytest.mark.parametrize("width", [390, 1300])
def test_no_page_is_wider_than_the_window(site, driver, width):
    """What is wide, such as a table, scrolls by itself."""
    driver.set_window_size(width, 900)
    for name in (*CHAPTERS, "studio"):
        driver.get((site / f"notebooks/{name}.html").as_uri())
        inside, outside = driver.execute_script(
            "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert inside <= outside + 1, (name, inside, outside)


SHOWN = [
    ("index", 1300, "light"),
    ("notebooks/03_gram_matrices", 390, "light"),
    ("notebooks/05_style_loss", 1300, "dark"),
    ("notebooks/11_better", 390, "dark"),
    ("api", 1300, "light"),
    ("zh-CN/index", 1300, "light"),
    ("zh-CN/notebooks/05_style_loss", 1300, "light"),
    ("zh-CN/notebooks/00_start_here", 390, "dark"),
    ("zh-CN/GLOSSARY", 390, "light"),
]


@pytest.mark.parametrize("name, width, theme", SHOWN)
def test_pages_are_drawn(site, driver, name, width, theme):
    """No error of a script; the picture of the page is left for eyes."""
    driver.set_window_size(width, 1200)
    driver.get_log("browser")  # of the pages before
    driver.get((site / f"{name}.html").as_uri())
    driver.execute_script(f"document.documentElement.dataset.theme = '{theme}'")
    SHOTS.mkdir(parents=True, exist_ok=True)
    shot = SHOTS / f"site_{name.replace('/', '_')}_{width}_{theme}.png"
    assert driver.save_screenshot(str(shot))
    told = [e["message"] for e in driver.get_log("browser") if e["level"] == "SEVERE"]
    # the theme tells of a browser that has not chosen day or night yet
    assert not [message for message in told if "Got invalid theme mode" not in message]


def test_it_works_under_any_path(site, tmp_path, driver):
    moved = tmp_path / "a folder/with spaces"
    shutil.copytree(site, moved)
    driver.get((moved / "notebooks/00_start_here.html").as_uri())
    pictures_seen = driver.execute_script(
        "return [...document.images].filter((i) => i.naturalWidth > 0).length"
    )
    assert pictures_seen > 5
