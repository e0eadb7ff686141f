"""What readers do with a notebook: run cells twice, and all again; enlarge; take their own photo.

`make test` does what `IN_SHORT` names; HABITS=all does all of it, in about an hour.
"""

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
CHAPTERS = sorted(path.name for path in NOTEBOOKS.glob("[01]*.ipynb"))
OWN_PHOTO = 'load_image("my-photo.jpg", size=192)'
HABITS = {
    "every cell twice, and all again": CHAPTERS,
    "288 pixels": ["00_start_here.ipynb", "07_the_full_loop.ipynb"],
    "an own photo": ["00_start_here.ipynb", "07_the_full_loop.ipynb"],
}


TWICE, ENLARGED, OWN = HABITS
IN_SHORT = {
    (TWICE, "02_inside_vgg.ipynb"),
    (ENLARGED, "07_the_full_loop.ipynb"),
    (OWN, "07_the_full_loop.ipynb"),
}


def chosen():
    """(habit, chapter) pairs: those of `IN_SHORT`, or all of them."""
    everything = os.environ.get("HABITS") == "all"
    for habit, chapters in HABITS.items():
        for chapter in chapters:
            skipped = pytest.mark.skip("`make test` does only a part: HABITS=all")
            marks = () if everything or (habit, chapter) in IN_SHORT else skipped
            yield pytest.param(habit, chapter, marks=marks)


@pytest.mark.parametrize(("habit", "chapter"), list(chosen()))
def test_a_chapter_survives(habit, chapter, tmp_path, monkeypatch):
    """No cell fails; what holds for one picture only may say so, in a sentence."""
    monkeypatch.setenv("TQDM_DISABLE", "1")
    notebook = nbformat.read(NOTEBOOKS / chapter, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if habit == ENLARGED:
        enlarge(next(cell for cell in cells if "sample(" in cell.source))
    elif habit == OWN:
        take_own_photo(cells, tmp_path)
    else:
        cells = [again for cell in cells for again in (cell, cell)] + cells
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    with client.setup_kernel():
        for cell in cells:
            run(client, cell)


def enlarge(cell):
    """Every sample of a cell gets 288 pixels."""
    cell.source, count = re.subn(r'sample\(("[\w-]+")(, \d+)?\)', r"sample(\1, 288)", cell.source)
    assert count == 2


def take_own_photo(cells, folder):
    """The astronaut instead of the castle, as the chapter says; chapter 00 finds it itself."""
    photo = NOTEBOOKS.parent / "stlib/samples/astronaut.jpg"
    (folder / "my-photo.jpg").write_bytes(photo.read_bytes())
    cells[0].source = cells[0].source.replace('sample("castle", 192)', OWN_PHOTO)
    for cell in cells:
        cell.source = cell.source.replace('MY_PHOTO = ""', 'MY_PHOTO = "my-photo.jpg"')
    assert any("my-photo" in cell.source for cell in cells[:2])


def run(client, cell):
    """Execute a cell; an assertion may fail if it says that it holds for the castle."""
    try:
        client.execute_cell(cell, client.nb.cells.index(cell))
    except CellExecutionError as error:
        says_so = error.ename == "AssertionError" and "so it is with the castle" in error.evalue
        if not says_so:
            raise
