"""The course in a real JupyterLab, in a real browser: what a reader sees, clicks and types.

`make lab` gets a copy of the course, since JupyterLab saves what it runs, and an empty home. Each
test leaves what the browser shows at its end in build/browser.
"""

import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))  # a folder of scripts, not a package

from fresh_machine import FIRST_CHAPTER, STARTED_WITHIN, jupyterlab, newcomer  # noqa: E402

SCREENSHOTS = ROOT / "build/browser"
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
DRIVER = shutil.which("chromedriver")
STORED = json.loads((ROOT / "notebooks" / Path(FIRST_CHAPTER).name).read_text("utf-8"))["cells"]
CELLS = ["".join(cell["source"]) for cell in STORED]
NO_NEWS = (
    "home/.jupyter/lab/user-settings/@jupyterlab/apputils-extension/"
    "notification.jupyterlab-settings"
)
FIT = """def fit(width, height, size):
scale = min(1, size / max(width, height))
return round(width * scale), round(height * scale)"""  # typed: JupyterLab indents
PAINTS = "result = style_transfer(content, style"
EQUATIONS = "EQUATIONS.md"
STUDIO = "work/studio.ipynb"
# of the next file dialog that a page opens, only the field is left, for a test to fill in
NO_DIALOG = """
const click = HTMLInputElement.prototype.click;
HTMLInputElement.prototype.click = function () {
    if (this.type !== "file") return click.call(this);
    HTMLInputElement.prototype.click = click;
    document.querySelector("#chosen")?.remove();
    this.id = "chosen";
    document.body.append(this);
};"""
ENDLESS = """result = style_transfer(content, style, steps=100000)
print("ended:", result.reason, list(result.image.shape))
show.images({"the best so far": result.image})"""


@pytest.fixture(scope="module")
def newcomers(tmp_path_factory) -> dict[str, str]:
    """The environment of somebody with an empty home, whom JupyterLab asks nothing about news."""
    folder = tmp_path_factory.mktemp("newcomer")
    settings = folder / NO_NEWS
    settings.parent.mkdir(parents=True)
    settings.write_text('{"fetchNews": "false"}')
    return newcomer(folder / "home", Path(tempfile.gettempdir()))


@pytest.fixture(scope="module")
def address(newcomers, tmp_path_factory):
    """The address, with its token, that `make lab` prints."""
    if not shutil.which("make") or not (ROOT / ".venv/complete").is_file():
        pytest.skip(
            "there is no environment made by `make setup`, so `make lab` would install one first"
        )
    tree = tmp_path_factory.mktemp("a course with spaces in its path")
    plant(tree)
    with jupyterlab(tree, newcomers, tree / "lab.txt", STARTED_WITHIN) as address:
        yield address


def plant(tree):
    """Copy what the browser sees of the course into a folder."""
    scripts = ("scripts/voila.json", "scripts/working_copy.py", "reading/folds.py")
    for file in ("Makefile", EQUATIONS, *scripts):
        (tree / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, tree / file)
    for folder in ("notebooks", "notebooks/zh-CN"):
        (tree / folder).mkdir()
        for chapter in (ROOT / folder).glob("*.ipynb"):
            shutil.copy(chapter, tree / folder)
    (tree / ".venv").symlink_to(ROOT / ".venv")
    (tree / "pyproject.toml").touch()
    os.utime(
        tree / "pyproject.toml", (0, 0)
    )  # older than the environment, so that nothing is installed from here


@pytest.fixture(scope="module")
def driver(address, newcomers):
    """A browser in which the address has been opened."""
    with chromium(newcomers) as driver:
        driver.get(address)
        wait(driver, 60, lambda: status(driver) == "idle" and len(cells(driver)) == len(CELLS))
        yield driver


@contextmanager
def chromium(environment):
    """A browser without a window."""
    if not BROWSER or not DRIVER:
        pytest.skip(
            "there is no Chromium with its driver; on Debian: sudo apt install chromium "
            "chromium-driver"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=1300,1000",
    ):
        options.add_argument(argument)
    with (
        tempfile.TemporaryDirectory() as temporary,  # Chromium leaves something there
        webdriver.Chrome(
            options, webdriver.ChromeService(DRIVER, env={**environment, "TMPDIR": temporary})
        ) as driver,
    ):
        yield driver


@pytest.fixture
def page(driver, request):
    """The browser with chapter 00 in front."""
    tab(driver, FIRST_CHAPTER).click()
    yield driver
    screenshot(driver, request.node.name.removeprefix("test_"))


@pytest.fixture(scope="module")
def executed(driver):
    """The browser after all outputs were cleared and all cells were run."""
    choose(driver, "Edit", "Clear Outputs of All Cells")
    wait(driver, 10, lambda: not any(outputs(cell) for cell in cells(driver)))
    choose(driver, "Run", "Run All Cells")
    last = cell(driver, "check.fit(fit_solution)")
    wait(driver, 300, lambda: errors(driver) or (outputs(last) and status(driver) == "idle"))
    return driver


def wait(driver, seconds, condition):
    return WebDriverWait(driver, seconds).until(lambda _: condition())


def screenshot(driver, name):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    driver.save_screenshot(SCREENSHOTS / f"{name}.png")


def tab(driver, path):
    return driver.find_element(By.CSS_SELECTOR, f'.lm-TabBar-tab[title*="Path: {path}"]')


def choose(driver, menu, command):
    """Click on a command in the menu at the top."""
    click(driver, "lm-MenuBar-itemLabel", menu)
    click(driver, "lm-Menu-itemLabel", command)


def click(driver, label, text):
    """Click on what is called so in a menu, as soon as it is there."""
    path = f'//*[contains(@class, "{label}")][normalize-space() = "{text}"]'
    wait(driver, 10, lambda: driver.find_elements(By.XPATH, path))[0].click()


def seen(driver, selector):
    """What matches the selector in the notebook in front."""
    return driver.find_elements(
        By.CSS_SELECTOR, f".jp-NotebookPanel:not(.lm-mod-hidden) {selector}"
    )


def status(driver):
    return next(
        (
            indicator.get_attribute("data-status")
            for indicator in seen(driver, ".jp-Notebook-ExecutionIndicator")
        ),
        None,
    )


def cells(driver):
    return seen(driver, ".jp-Notebook-cell")


def cell(driver, words):
    """The one cell whose source has these words, moved into the middle of the window."""
    (index,) = [index for index, source in enumerate(CELLS) if words in source]
    return at_rest(driver, cells(driver)[index])


def at_rest(driver, cell):
    """A cell in the middle of the window, once those above it, drawn only now, push it no more."""
    places = []

    def rests():
        driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", cell)
        places.append(cell.rect["y"])
        return places[-5:] == places[-1:] * 5

    WebDriverWait(driver, 20, poll_frequency=0.1).until(lambda _: rests())
    return cell


def outputs(cell):
    return "\n".join(
        output.get_property("textContent")
        for output in cell.find_elements(By.CSS_SELECTOR, ".jp-OutputArea-child")
    )


def errors(driver):
    return [
        error.get_property("textContent")
        for kind in ("error", "stderr")
        for error in seen(driver, f'[data-mime-type="application/vnd.jupyter.{kind}"]')
    ]


def widths(driver, where):
    """The widths, in pixels, of the pictures in the outputs below an element; 0 is a broken one."""
    return [
        picture.get_property("naturalWidth")
        for picture in where.find_elements(By.CSS_SELECTOR, ".jp-OutputArea img")
    ]


def run(driver, cell, source=None):
    """Click into a cell, replace what is written there, and press Shift + Enter."""
    editor = at_rest(driver, cell).find_element(By.CSS_SELECTOR, ".cm-content")
    wait(driver, 20, lambda: editor.click() or cell.find_elements(By.CSS_SELECTOR, ".cm-focused"))
    keys = webdriver.ActionChains(driver)
    if source:
        keys.key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).send_keys(source)
    keys.key_down(Keys.SHIFT).send_keys(Keys.ENTER).key_up(Keys.SHIFT).perform()


def test_opens_at_chapter_00(page):
    """Where `make lab` leads."""
    assert page.current_url.endswith(f"/lab/tree/{FIRST_CHAPTER}")
    assert [title.text for title in seen(page, "h1")] == ["00 · Start here"]


def test_predictions_stay_predictions(page):
    """Nothing stands below the cells yet, and an explanation opens with a click."""
    assert not any(outputs(cell) for cell in cells(page))
    folds = seen(page, "details.answer")
    assert len(folds) == sum(source.count("**Explain.**") for source in CELLS) > 0
    assert not any(fold.get_property("open") for fold in folds)
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", folds[0])
    folds[0].find_element(By.TAG_NAME, "summary").click()
    assert folds[0].find_element(By.TAG_NAME, "strong").text == "Explain."


def test_a_solution_is_folded_and_unfolds(page):
    """Its three dots open it, as chapter 00 says."""
    solution = cell(page, "def half_way_solution")
    assert not solution.find_elements(By.CSS_SELECTOR, ".cm-content")
    screenshot(page, "a_solution_is_folded")
    solution.find_element(By.CSS_SELECTOR, ".jp-MoreHorizIcon").click()
    (source,) = wait(page, 10, lambda: solution.find_elements(By.CSS_SELECTOR, ".cm-content"))
    assert "return evaluation" in source.text


def test_all_cells_run_and_their_pictures_are_seen(executed, page):
    """From cleared outputs, without an error or a warning, to as many pictures as are stored."""
    assert not errors(page)
    pictures = sum(
        any(kind.startswith("image/") for kind in output.get("data", {}))
        for cell in STORED
        for output in cell.get("outputs", [])
    )
    still = [cell for cell in cells(page) if "play." not in cell.text]  # those move, as widgets
    found = [width for cell in still for width in widths(page, cell)]
    assert len(found) == pictures > 0
    assert min(found) > 100
    cell(page, PAINTS)


def test_a_checker_sees_the_exercise_done(executed, page):
    """From "not attempted yet" to "right.", with the answer typed."""
    checker = cell(page, "check.fit(fit)")
    assert outputs(checker).startswith("fit: not attempted yet.")
    run(page, cell(page, "def fit(width, height, size):\n    ..."), FIT)
    run(page, cell(page, "check.fit(fit)"))
    wait(page, 30, lambda: "attempted" not in outputs(checker) and outputs(checker))
    assert outputs(checker).startswith("fit: right.")


@pytest.mark.survives("the notebook's stop button in the middle of a run")
def test_the_stop_button_gives_the_best_picture_so_far(executed, page):
    """The cell goes on with what the run has, and no error is shown."""
    endless = cell(page, PAINTS)
    run(page, endless, ENDLESS)
    wait(
        page,
        60,
        lambda: (bar := re.search(r"([\d.]+)/100k", outputs(endless))) and float(bar[1]) > 2,
    )
    screenshot(page, "a_run_before_the_stop_button")
    seen(page, '[data-command="notebook:interrupt-kernel"]')[0].click()
    wait(page, 30, lambda: errors(page) or (widths(page, endless) and status(page) == "idle"))
    assert not errors(page)
    assert "ended: interrupted [1, 3, 171, 256]" in outputs(endless)
    assert min(widths(page, endless)) > 100
    cell(page, PAINTS)


def test_the_link_leads_to_the_next_chapter(page):
    """In a new tab of JupyterLab, not of the browser."""
    cell(page, "## Recap").find_element(
        By.CSS_SELECTOR, 'a[href*="01_what_a_cnn_sees.ipynb"]'
    ).click()
    wait(page, 60, lambda: [title.text for title in seen(page, "h1")] == ["01 · What a CNN sees"])
    assert "lm-mod-current" in tab(page, "work/01_what_a_cnn_sees.ipynb").get_attribute("class")
    assert len(page.window_handles) == 1


def test_the_equations_are_drawn(driver, address):
    """All formulas of the page that chapter 00 links to, so that no dollar is left."""
    driver.get(address.replace(FIRST_CHAPTER, EQUATIONS))
    (text,) = wait(
        driver, 60, lambda: driver.find_elements(By.CSS_SELECTOR, ".jp-FileEditor .cm-content")
    )
    webdriver.ActionChains(driver).context_click(text).perform()
    click(driver, "lm-Menu-itemLabel", "Show Markdown Preview")
    formulas = re.findall(r"\$+[^$\n]+\$+", (ROOT / EQUATIONS).read_text("utf-8"))

    def drawn():
        return driver.find_elements(By.CSS_SELECTOR, ".jp-MarkdownViewer mjx-container")

    wait(driver, 60, lambda: len(drawn()) == len(formulas))
    screenshot(driver, "the_equations")
    assert all(formula.size["width"] > 2 for formula in drawn())
    page = driver.find_element(By.CSS_SELECTOR, ".jp-MarkdownViewer")
    assert "$" not in page.get_property("textContent")


@pytest.fixture(scope="module")
def panel(driver, address):
    """The browser with the studio in front, its cell run."""
    driver.get(address.replace(FIRST_CHAPTER, STUDIO))
    wait(driver, 60, lambda: status(driver) == "idle" and len(cells(driver)) == 3)
    run(driver, cells(driver)[1])
    try:
        wait(driver, 60, lambda: seen(driver, ".widget-dropdown"))
    finally:
        screenshot(driver, "the_studio")
    return driver


@pytest.fixture
def studio(panel, request):
    """The same, with what it shows at a test's end kept."""
    yield panel
    screenshot(panel, request.node.name.removeprefix("test_"))


# In JupyterLab, where other notebooks may have widgets behind this one, or on a page of its own.
WIDGETS = ".jp-OutputArea-output .jupyter-widgets :is({}):not(.lm-mod-hidden *)"


def inside(driver, selector):
    """What matches the selector in the studio."""
    return driver.find_elements(By.CSS_SELECTOR, WIDGETS.format(selector))


def properties(driver, selector, *names):
    """These properties of all that matches, read at once: the studio changes meanwhile."""
    return driver.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map(e => arguments[1].map(n => e[n]))",
        WIDGETS.format(selector),
        names,
    )


def press(driver, name):
    """Click on a button of the studio; some have a number behind their name."""
    (button,) = [b for b in inside(driver, "button") if b.text.split(" (")[0] == name]
    wait(driver, 30, button.is_enabled)
    button.click()


def enter(driver, name, number):
    """Type into one of the studio's fields."""
    (field,) = [f for f in inside(driver, "input[type=number]") if f.accessible_name == name]
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(str(number), Keys.ENTER)


def choose_file(driver, name, path):
    """Choose a file as the studio's photo or painting."""
    driver.execute_script(NO_DIALOG)
    press(driver, f"{name} from this computer")
    driver.find_element(By.ID, "chosen").send_keys(str(path))


def pictures(driver):
    """The source of each of the studio's pictures, by its words."""
    return dict(properties(driver, "img", "alt", "src"))


def painted(driver):
    """The words and the source of the picture that is painted, once there is one."""
    found = [(words, source) for words, source in pictures(driver).items() if " like " in words]
    return found[0] if found else None


def live_pictures(driver, count):
    """Wait until so many different pictures have been shown."""
    sources = set()
    wait(driver, 120, lambda: sources.add(painted(driver)) or len(sources - {None}) >= count)


def told(driver, role):
    """What the studio says, as a "status" or an "alert"."""
    return " ".join(text for (text,) in properties(driver, f"p[role={role}]", "textContent"))


def stop(driver):
    """Press Stop; return the seconds from the click until it has, and those of an evaluation."""
    bar = r"evaluation (\d+) of \d+, (\d+) s"
    text = driver.find_element(By.TAG_NAME, "body").text
    done, seconds = map(int, re.search(bar, text).groups())
    press(driver, "Stop")
    began = time.monotonic()
    stopped = WebDriverWait(driver, 60, poll_frequency=0.05)
    stopped.until(lambda _: "Stopped after" in told(driver, "status"))
    return time.monotonic() - began, seconds / max(1, done)


def test_every_control_of_the_studio_has_a_spoken_name(studio):
    """But for the handle of the slider, for which the number beside it stands."""
    controls = inside(studio, "select, input, button, img")
    assert len(controls) == 17
    assert all(control.accessible_name for control in controls)
    assert {"Photo", "Painting", "Painted part, %"} < {c.accessible_name for c in controls}


@pytest.mark.survives("the studio's stop button in the middle of a run")
def test_an_uploaded_photo_is_painted_before_ones_eyes(studio):
    """Its picture changes, the arrow keys slide over it, and Stop leaves the best so far."""
    choose_file(studio, "Photo", ROOT / "stlib/samples/cat.jpg")
    wait(studio, 30, lambda: "Photo: cat.jpg" in pictures(studio))
    enter(studio, "Size, pixels", 64)
    enter(studio, "Evaluations", 1000)
    press(studio, "Paint")
    live_pictures(studio, 3)
    (handle,) = inside(studio, ".noUi-handle")
    handle.send_keys(Keys.ARROW_LEFT * 10)
    wait(studio, 30, lambda: painted(studio)[0] == "cat painted like cafe-terrace: the left 50 %")
    screenshot(studio, "the_studio_half_painted")
    seconds, pace = stop(studio)
    assert seconds <= max(1, 3 * pace)  # a machine that is busy with other work may take longer
    assert min(widths(studio, cells(studio)[1])) >= 64
    assert not errors(studio)


def test_the_studio_saves_beside_what_is_there(studio, address):
    """Twice the same picture is two files."""
    for name in ("cat-cafe-terrace.png", "cat-cafe-terrace-1.png"):
        press(studio, "Save")
        wait(studio, 30, lambda name=name: told(studio, "status").endswith(f"output/{name}."))
        server, token = re.match(r"(http://[^/]+/).*token=(\w+)", address).groups()
        file = f"{server}files/{Path(STUDIO).parent}/output/{name}?token={token}"
        with urlopen(file, timeout=30) as answer:
            assert answer.read(8) == b"\x89PNG\r\n\x1a\n"


def test_the_studio_paints_a_second_picture(studio):
    """Of the painting that is chosen now."""
    press(studio, "Paint")
    live_pictures(studio, 2)
    stop(studio)


def test_the_studio_tells_of_a_damaged_file(studio, tmp_path):
    """In a sentence in the panel; the choice stays."""
    broken = tmp_path / "holiday.jpg"
    broken.write_bytes((ROOT / "stlib/samples/castle.jpg").read_bytes()[:4000])
    choose_file(studio, "Photo", broken)
    wait(studio, 30, lambda: told(studio, "alert").startswith("holiday.jpg ends after"))
    assert "Photo: cat.jpg" in pictures(studio)


def test_the_chinese_copy_speaks_chinese_on_an_english_system(newcomers, tmp_path):
    """`make lab LAB=zh-CN`: the text, and what stlib says to somebody who runs a cell."""
    if not shutil.which("make") or not (ROOT / ".venv/complete").is_file():
        pytest.skip("there is no environment made by `make setup`")
    plant(tmp_path)
    command, log = "make lab LAB=zh-CN", tmp_path / "log.txt"
    with (
        jupyterlab(tmp_path, newcomers, log, STARTED_WITHIN, command) as address,
        chromium(newcomers) as driver,
    ):
        driver.get(address)
        wait(driver, 60, lambda: status(driver) == "idle" and len(cells(driver)) == len(CELLS))
        assert [title.text for title in seen(driver, "h1")] == ["00 · 从这里开始"]
        folds = seen(driver, "details.answer > summary")
        assert {fold.get_property("textContent") for fold in folds} == {"解释"}
        run(driver, cell(driver, "def fit(width, height, size):\n    ..."))
        checker = cell(driver, "check.fit(fit)")
        run(driver, checker, "from stlib import check; check.fit(fit)")
        wait(driver, 60, lambda: outputs(checker))
        screenshot(driver, "the_chinese_copy")
        assert outputs(checker).startswith("fit: 还没有做。")
    assert not (tmp_path / "work/00_start_here.ipynb").exists()


def test_the_studio_as_a_page_of_its_own(newcomers, tmp_path):
    """`make studio`: no code, nothing from elsewhere, and no wider than a phone."""
    if not BROWSER or not DRIVER or not shutil.which("make"):
        pytest.skip("there is no Chromium with its driver, or no make")
    if importlib.util.find_spec("voila") is None or not (ROOT / ".venv/complete").is_file():
        pytest.skip("there is no Voila in an environment made by `make setup`")
    plant(tmp_path)
    command = "make studio STUDIO_FLAGS=--no-browser"
    with (
        jupyterlab(tmp_path, newcomers, tmp_path / "log.txt", STARTED_WITHIN, command) as address,
        chromium(newcomers) as driver,
    ):
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True},
        )
        driver.get(address)
        wait(driver, 90, lambda: inside(driver, "select"))
        assert "from stlib" not in driver.find_element(By.TAG_NAME, "body").text
        enter(driver, "Size, pixels", 64)
        press(driver, "Paint")
        live_pictures(driver, 2)
        screenshot(driver, "the_studio_on_a_phone")
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 390
        assert elsewhere(driver) == []


def elsewhere(driver):
    """What a page has loaded from another server."""
    return driver.execute_script(
        "return performance.getEntriesByType('resource').filter(e => e.responseStatus !== 0)"
        ".map(e => new URL(e.name)).filter(u => u.protocol.startsWith('http'))"
        ".filter(u => u.host !== location.host).map(u => u.href)"
    )


@pytest.mark.survives("a request to the server without its token")
@pytest.mark.parametrize("token", ["", "guessed"], ids=["no token", "a wrong one"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"lab/tree/{FIRST_CHAPTER}"),
        ("GET", f"api/contents/{FIRST_CHAPTER}"),
        ("GET", f"files/{FIRST_CHAPTER}"),
        ("PUT", f"api/contents/{FIRST_CHAPTER}"),
        ("POST", "api/kernels"),
    ],
    ids=[
        "the page",
        "reading a chapter",
        "downloading a chapter",
        "overwriting a chapter",
        "running code",
    ],
)
def test_the_server_refuses_without_its_token(address, method, path, token):
    """What passes with the token, and with nothing else changed, does not pass without."""
    server, right = re.match(r"(http://[^/]+/).*token=(\w+)", address).groups()
    assert not refused(server, method, path, right)
    assert refused(server, method, path, token)


def refused(server, method, path, token):
    """Whether the server forbids a request, or answers with the page that asks for the token."""
    headers = {"Authorization": f"token {token}", "Cookie": "_xsrf=ab", "X-XSRFToken": "ab"}
    try:
        with urlopen(
            Request(server + path, b"{}" if method != "GET" else None, headers, method=method),
            timeout=30,
        ) as answer:
            return answer.url.startswith(f"{server}login?")
    except HTTPError as answer:
        return answer.code == 403
