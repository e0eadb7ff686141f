"""The notebooks' own rules: executed in order, small, clean, linked, in the form of a chapter."""

import base64
import io
import itertools
import json
import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

import stlib

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[01]*.ipynb"))
STUDIO = ROOT / "notebooks/studio.ipynb"  # a page beside the chapters
CHINESE = sorted((ROOT / "notebooks/zh-CN").glob("*.ipynb"))


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text("utf-8"))["cells"]


def text(cell: dict) -> str:
    return "".join(cell["source"])


def prose(path: Path) -> str:
    return "\n\n".join(text(cell) for cell in cells(path) if cell["cell_type"] == "markdown")


def code_cells(path: Path) -> list[dict]:
    return [cell for cell in cells(path) if cell["cell_type"] == "code"]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request) -> Path:
    return request.param


@pytest.fixture(params=[*NOTEBOOKS, *CHINESE], ids=lambda path: f"{path.parent.name}-{path.stem}")
def stored(request) -> Path:
    """A notebook in either language."""
    return request.param


def test_there_are_chapters():
    """All in one row from the start to what came after."""
    chapters = {
        "00_start_here",
        "01_what_a_cnn_sees",
        "02_inside_vgg",
        "03_gram_matrices",
        "04_content_loss",
        "05_style_loss",
        "06_total_loss",
        "07_the_full_loop",
        "08_experiments",
        "09_the_keras_example",
        "10_break_it_on_purpose",
        "11_better",
        "12_faster",
        "13_many_pictures",
        "14_what_came_after",
    }
    assert chapters == {path.stem for path in NOTEBOOKS}


def test_is_executed_from_top_to_bottom(stored):
    """A cell without a count would pass nbval unchecked."""
    assert [cell["execution_count"] for cell in code_cells(stored)] == list(
        range(1, len(code_cells(stored)) + 1)
    )


def test_outputs_hold_no_error_no_warning_no_vector_graphics_no_widget(stored):
    for cell in code_cells(stored):
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr", text(cell)
            assert not [
                kind for kind in output.get("data", {}) if "svg" in kind or "widget" in kind
            ], text(cell)


def test_no_figure_is_cut_off_at_its_top(stored):
    """Titles and captions stand there, dark on white."""
    for cell in code_cells(stored):
        for output in cell["outputs"]:
            for kind in {"image/png", "image/jpeg"} & set(output.get("data", {})):
                data = io.BytesIO(base64.b64decode(output["data"][kind]))
                row = np.asarray(Image.open(data).convert("L"))[0]
                assert row.min() > 200, text(cell)


def test_is_small(stored):
    assert stored.stat().st_size <= 1.5e6


def test_the_course_is_small():
    for notebooks in (NOTEBOOKS, CHINESE):
        assert sum(path.stat().st_size for path in notebooks) <= 16e6


def test_the_chinese_course_is_as_long():
    assert [path.name for path in CHINESE] == [path.name for path in (*NOTEBOOKS, STUDIO)]


def test_metadata_name_no_private_kernel(stored):
    metadata = json.loads(stored.read_text("utf-8"))["metadata"]
    assert metadata["kernelspec"]["name"] == "python3"
    assert set(metadata) == {"kernelspec", "language_info"}


def test_no_formula_has_lost_its_backslash(stored):
    """A \\b that JSON reads as a backspace leaves "eta" of a beta."""
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", "".join(text(cell) for cell in cells(stored)))


def test_names_no_place_on_a_machine(stored):
    assert not re.search(r"/(home|root|work|tmp|Users)/|[A-Z]:\\\\", stored.read_text("utf-8"))


def test_no_cell_ends_with_a_semicolon_and_few_are_long(notebook):
    lengths = []
    for cell in code_cells(notebook):
        source = text(cell).rstrip()
        assert not source.endswith(";")
        lengths.append(len([line for line in source.splitlines() if line.strip()]))
    assert max(lengths) <= 30
    assert sum(length > 15 for length in lengths) <= len(lengths) / 8


def test_code_fits_into_the_window(notebook):
    assert (
        max(len(line) for cell in code_cells(notebook) for line in text(cell).splitlines()) <= 125
    )


def test_each_chapter_leads_to_its_neighbours():
    """previous: the one before; next: the one after."""
    for before, after in itertools.pairwise(NOTEBOOKS):
        assert f"]({after.name})" in prose(before).split("\n---\n")[-1].split("next:")[1], (
            before.stem
        )
        assert f"]({before.name})" in prose(after).split("previous:")[-1].split("next:")[0], (
            after.stem
        )


def test_only_times_and_animations_are_not_compared(notebook):
    allowed = ("doctor()", "estimate(", "seconds", "show.gif", "studio()", "play.", "# one digit")
    for cell in code_cells(notebook):
        if "nbval-ignore-output" in cell["metadata"].get("tags", []):
            assert any(word in text(cell) for word in allowed), text(cell)


def test_has_the_form_of_a_chapter(notebook):
    words = prose(notebook)
    assert words.startswith(f"# {notebook.stem[:2]} · ")
    for part in (
        "**You will be able to**",
        "**Before this**",
        "## Exercises",
        "## Recap",
        "**References.**",
    ):
        assert part in words, part
    assert re.search(r"\*\*Takes\*\* \d+ minutes to read, \d+ s to run, \d+ MB of memory", words)
    assert words.count("**Predict.**") >= 2
    assert words.count("**Explain.**") >= words.count("**Predict.**") - 2


@pytest.mark.parametrize(
    "rule",
    [
        test_is_executed_from_top_to_bottom,
        test_outputs_hold_no_error_no_warning_no_vector_graphics_no_widget,
        test_is_small,
        test_metadata_name_no_private_kernel,
        test_names_no_place_on_a_machine,
        test_no_cell_ends_with_a_semicolon_and_few_are_long,
        test_code_fits_into_the_window,
        test_only_times_and_animations_are_not_compared,
    ],
)
def test_the_studios_page_keeps_the_rules_of_all_pages(rule):
    """It is no chapter: it has no questions and no exercises."""
    rule(STUDIO)


def test_the_studio_is_found_from_chapter_00_and_leads_back():
    """Beside "Keep it", and in the contents."""
    assert prose(ROOT / "notebooks/00_start_here.ipynb").count("](studio.ipynb)") == 2
    assert "](00_start_here.ipynb#The-map-of-the-course)" in prose(STUDIO)


def test_the_studios_page_holds_a_still_picture():
    """For those who read it where no code runs."""
    (shown,) = [output for cell in code_cells(STUDIO) for output in cell["outputs"]]
    words = "".join(shown["data"]["text/html"])
    assert words.startswith("<p>This is a still picture of the studio")
    assert re.search(r'<img alt="[^"]{100,}" .*src="data:image/jpeg;base64,', words)


def test_links_lead_somewhere(notebook):
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(notebook))
    assert any(target.startswith(("00_start_here.ipynb", "#The-map")) for target in targets), (
        "a link to the contents"
    )
    for target in targets:
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        linked = (notebook.parent / unquote(path)) if path else notebook
        assert linked.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", prose(linked), re.MULTILINE)
            assert anchor in [heading.replace(" ", "-") for heading in headings], target


def test_every_reference_leads_to_its_paper(notebook):
    references = re.search(r"\*\*References?\.\*\*(.*)", prose(notebook), re.DOTALL)
    assert references, "a chapter names its sources"
    for reference in references[1].split(" · "):
        assert re.search(r"\]\(https://[^)]+\)", reference), reference.strip()


def test_pictures_have_a_text_equivalent(notebook):
    for alternative in re.findall(r"!\[([^\]]*)\]", prose(notebook)):
        assert len(alternative) >= 80


def test_each_exercise_has_stub_check_and_folded_solution(notebook):
    code = [(text(cell), cell["metadata"]) for cell in code_cells(notebook)]
    stubs = [re.search(r"def (\w+)", source)[1] for source, _ in code if "# your turn" in source]
    assert 2 <= len(stubs) <= 4
    for name in stubs:
        assert any(f"check.{name}({name})" in source for source, _ in code), name
        (solution,) = [
            metadata for source, metadata in code if f"check.{name}({name}_solution)" in source
        ]
        assert solution["tags"] == ["solution"]
        assert solution["jupyter"] == {"source_hidden": True}


def test_stubs_are_not_attempted_and_solutions_are_right(notebook):
    for cell in code_cells(notebook):
        source = text(cell)
        if match := re.search(r"check\.(\w+)\((\w+)\)", source):
            printed = "".join("".join(output.get("text", "")) for output in cell["outputs"])
            expected = "right." if match[2].endswith("_solution") else "not attempted yet."
            assert printed.startswith(f"{match[1]}: {expected}"), printed


def test_chapter_00_leads_to_the_glossary_and_the_equations():
    """After the first exercise: nobody needs them before."""
    words = prose(ROOT / "notebooks/00_start_here.ipynb")
    for page in ("../GLOSSARY.md", "../GLOSSARY.zh-CN.md", "../EQUATIONS.md"):
        assert words.index(f"]({page})") > words.index("### 1.")


def test_the_equations_name_functions_and_tests_that_exist():
    """EQUATIONS.md leads from each equation to a function of stlib and to a test."""
    page = (ROOT / "EQUATIONS.md").read_text("utf-8")
    rows = re.findall(r"^\| \((\d)\) \|.*\| `(\w+)\.(\w+)` \| `(\w+)` \|$", page, re.MULTILINE)
    assert [int(number) for number, *_ in rows] == [1, 2, 3, 4, 5, 6, 7]
    tests = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    for _, module, function, test in rows:
        assert callable(getattr(getattr(stlib, module), function))
        assert f"def {test}(" in tests


def test_every_equation_is_shown_in_a_form_that_github_and_jupyterlab_draw():
    """In lines of its own; `}_`, a bar, or a backslash before a sign may be read as Markdown."""
    page = (ROOT / "EQUATIONS.md").read_text("utf-8")
    shown = re.findall(r"^## \((\d)\) [^\n]+\n\n\$\$(.+)\$\$$", page, re.MULTILINE)
    assert [int(number) for number, _ in shown] == [1, 2, 3, 4, 5, 6, 7]
    for formula in re.findall(r"\$+[^$]+\$+", page):
        assert not re.search(r"\}_|\\[^a-zA-Z]|\|", formula), formula


def test_the_map_links_every_chapter():
    words = prose(ROOT / "notebooks/00_start_here.ipynb")
    for path in NOTEBOOKS:
        assert path.stem == "00_start_here" or f"]({path.name})" in words


def test_the_readme_table_agrees_with_the_chapters():
    """Minutes and seconds stand in both; `make notebooks` measures them."""
    readme = (ROOT / "README.md").read_text("utf-8")
    for path in NOTEBOOKS:
        minutes, seconds = re.search(r"(\d+) minutes to read, (\d+) s to run", prose(path)).groups()
        assert re.search(
            rf"\({re.escape('notebooks/' + path.name)}\).*\| {minutes} min \| {seconds} s \|",
            readme,
        ), path.name


def test_the_readme_says_how_long_the_course_takes():
    """In hours, rounded; exercises say their minutes in their headings."""
    readme = (ROOT / "README.md").read_text("utf-8")
    words = [prose(path) for path in NOTEBOOKS]
    to_read, to_do = (
        round(sum(int(n) for text in words for n in re.findall(form, text, re.MULTILINE)) / 60)
        for form in (
            r"(\d+) minutes to read",
            r"^### .*\*\((\d+) minutes",
        )
    )
    assert f"about {to_read} hours to read and {to_do} hours of exercises" in readme
