"""What can be played with: pictures, words for those who do not see them, controls, the page."""

import base64
import html
import importlib.util
import re
import tomllib
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from selenium.webdriver.common.keys import Keys
from test_browser import chromium

import stlib
from experiments import results
from stlib.course import play
from stlib.course.play import Step, figure, live, pieces

ROOT = Path(__file__).parents[1]
PICTURES = Path(stlib.__file__).parent / "course/pictures"
STATIC = ROOT / "reading/static"
VIEW = "application/vnd.jupyter.widget-view+json"
EVIL = """<b> & "it's" </figure>"""


@pytest.fixture(params=pieces())
def piece(request):
    return pieces()[request.param]


def encoded(step):
    return base64.b64encode((PICTURES / step.file).read_bytes()).decode()


# the pictures and their words


def test_every_function_gives_its_piece():
    given = [play.beta(), play.layers(), play.before_after(), play.kernel()]
    assert given == list(pieces().values())


def test_every_picture_is_there_and_small():
    """40 kB each, 1.2 MB together, and nothing that no piece shows."""
    named = [step.file for piece in pieces().values() for step in piece.steps]
    there = {path.name: path.stat().st_size for path in PICTURES.iterdir()}
    assert sorted(named) == sorted(there)
    assert max(there.values()) <= 40_000
    assert sum(there.values()) <= 1_200_000


def test_the_pictures_of_a_piece_are_of_one_size(piece):
    """Else what stands below would jump."""
    sizes = set()
    for step in piece.steps:
        with Image.open(PICTURES / step.file) as picture:
            sizes.add(picture.size)
    assert len(sizes) == 1


def test_every_picture_is_put_in_words_of_its_own(piece):
    shown = [step.shows for step in piece.steps]
    assert len(set(shown)) == len(shown)
    assert all(len(words) >= 40 and words.endswith(".") for words in shown)


def test_every_value_has_a_name_and_a_number(piece):
    labels = [step.label for step in piece.steps]
    assert piece.control and all(labels) and len(set(labels)) == len(labels)
    for step in piece.steps:
        assert re.search(r"\d", step.caption) and step.caption.endswith(".")


def test_the_arithmetic_of_the_kernel_is_right():
    """Nine products each, all places in reading order, and edges of both kinds."""
    values = []
    for step in play.kernel().steps:
        arithmetic = step.caption.partition(": ")[0].replace("−", "-").replace("\xa0", " ")
        products, value = arithmetic.split(" = ")
        assert products.count("·") == 9
        assert eval(products.replace("·", "*")) == float(value)
        values.append(int(value))
    assert values == [n * sign for n in (1, 2, 3, 2, 1) for sign in (1, 1, 0, -1, -1)]


def test_the_numbers_are_the_labs():
    for step in play.layers().steps[1:]:
        case = {"do": "rebuild", "photo": "cat", "network": "trained", "layer": step.label}
        (run,) = results("training", **case)
        assert step.caption.startswith(f"{run.numbers['PSNR']:.0f} dB ")


def test_pictures_and_words_are_installed_with_the_package():
    """Whoever installs stlib without the course has them."""
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    patterns = setuptools["package-data"]["stlib"]
    paths = [PICTURES.with_name("play.json"), *PICTURES.iterdir()]
    files = [path.relative_to(PICTURES.parents[1]).as_posix() for path in paths]
    assert all(any(fnmatch(file, pattern) for pattern in patterns) for file in files)


# in JupyterLab


def test_the_slider_changes_picture_and_words(piece):
    """And the control beside it, which has a spoken name, goes with it."""
    controls, shown = live(piece).children
    named, slider = controls.children
    assert named.description == piece.control
    seen = set()
    for value in range(0, slider.max + 1, slider.step):
        slider.value = value
        assert named.value == value
        seen.add(shown.value)
        if piece.kind == "steps":
            step = piece.steps[value]
            assert encoded(step) in shown.value and step.said() in html.unescape(shown.value)
            assert f'alt="{html.escape(step.shows)}"' in shown.value
    assert len(seen) == len(range(0, slider.max + 1, slider.step))


def test_the_wipe_shows_a_part_of_the_second_picture():
    controls, shown = live(play.before_after()).children
    controls.children[0].value = 25
    assert shown.value.count("<img") == 2
    assert "clip-path: inset(0 75% 0 0)" in shown.value and "The left 25 %" in shown.value


def test_a_notebook_stores_the_still_figure_beside_the_widget(piece):
    told = piece._repr_mimebundle_()
    assert told.keys() == {VIEW, "text/plain", "text/html"}
    assert told["text/html"] == figure(piece)
    assert told["text/plain"] == repr(piece)


def test_without_ipywidgets_there_is_the_still_figure(piece, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert piece._repr_mimebundle_() == {"text/plain": repr(piece), "text/html": figure(piece)}


# without widgets


def test_the_figure_holds_its_still_pictures_and_all_words(piece):
    """As well-formed XML, which books need, and without any file."""
    tree = ElementTree.fromstring(figure(piece))
    still = [piece.steps[number] for number in piece.still]
    assert [image.get("alt") for image in tree.iter("img")] == [step.shows for step in still]
    assert all(image.get("src").startswith("data:image/") for image in tree.iter("img"))
    words = [(item.get("data-file"), *(part.text for part in item)) for item in tree.iter("li")]
    assert words == [(step.file, step.label, step.shows, step.caption) for step in piece.steps]
    assert tree.find("figcaption/output").text == still[-1].said()


def test_words_are_not_taken_for_html():
    piece = play.beta()
    steps = [Step(EVIL, step.file, EVIL, EVIL) for step in piece.steps]
    piece = replace(piece, title=EVIL, control=EVIL, steps=tuple(steps))
    tree = ElementTree.fromstring(figure(piece))
    assert tree.get("data-control") == tree.find("div/img").get("alt") == EVIL
    assert tree.find("figcaption/strong").text == f"{EVIL}."
    assert [part.text for part in tree.find("details/ol/li")] == [EVIL] * 3
    shown = live(piece).children[1].value
    assert ElementTree.fromstring(f"<p>{shown}</p>").find("div/img").get("alt") == EVIL


# on the page


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with all pieces, opened from a file, as the reading edition has them."""
    folder = tmp_path_factory.mktemp("a page")
    for file in (*PICTURES.iterdir(), STATIC / "play.js", STATIC / "play.css"):
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "index.html").write_text(
        '<!doctype html><meta charset="utf-8"><title>Play</title>'
        '<link rel="stylesheet" href="play.css"><script src="play.js"></script>'
        + "".join(map(figure, pieces().values())),
        encoding="utf-8",
    )
    with chromium({"HOME": str(folder)}) as driver:
        driver.get((folder / "index.html").as_uri())
        yield driver


@pytest.fixture
def element(page, piece):
    """What a selector finds in the piece's figure."""
    return lambda selector: page.find_element(
        "css selector", f"[data-play={piece.name}] {selector}"
    )


def test_the_arrow_keys_move_the_slider_of_a_page(page, piece, element):
    """It says its name and its value; picture and words change with it."""
    slider = element("input")
    assert slider.accessible_name.startswith(piece.control) and slider.aria_role == "slider"
    slider.send_keys(Keys.HOME)
    for number in range(len(piece.steps)):
        if piece.kind == "wipe":
            assert slider.get_attribute("aria-valuetext") == f"{5 * number} % painted"
        else:
            step = piece.steps[number]
            assert slider.get_attribute("aria-valuetext") == step.label
            assert element("output").get_attribute("textContent") == step.said()
            assert element("img").get_attribute("alt") == step.shows
            assert element("img").get_attribute("src").endswith(step.file)
        slider.send_keys(Keys.ARROW_RIGHT)


def test_the_pictures_of_a_page_are_found(page, piece, element):
    """Each of them can be decoded."""
    slider, image = element("input"), element("img")
    slider.send_keys(Keys.HOME)
    for _ in piece.steps:
        page.execute_async_script("arguments[0].decode().then(arguments[1])", image)
        slider.send_keys(Keys.ARROW_RIGHT)


def test_a_page_wipes_the_left_part(page):
    """From nothing of the second picture to all of it; on paper both are seen."""
    slider, above = (
        page.find_element("css selector", f"figure.wipe {what}") for what in ("input", "img + img")
    )
    slider.send_keys(Keys.HOME)
    for _ in range(5):
        slider.send_keys(Keys.ARROW_RIGHT)
    assert "75%" in above.value_of_css_property("clip-path")
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert above.value_of_css_property("clip-path") == "none" and not slider.is_displayed()
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
