"""scripts/working_copy.py: predictions stay predictions; nothing that a learner wrote is lost."""

import errno
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from answers import untouched
from hypothesis import given
from hypothesis import strategies as st

from stlib import check
from stlib.course.check.answer import Wrong, judge

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))  # a folder of scripts, not a package

import working_copy  # noqa: E402

CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FOLD = '<details class="answer"><summary>Explanation</summary>\n\n'
STUB, ANSWER = "def area(side):\n    ...  # your turn", "def area(side):\n    return side**2"
PAGE = {"question": "**Predict.** How large?", "stub": STUB, "test": "check.area(area)", "end": "1"}


@pytest.fixture(autouse=True)
def no_jupyterlab(tmp_path, monkeypatch):
    """Nobody has the course open, whoever runs these tests."""
    monkeypatch.setattr(working_copy, "jupyter_runtime_dir", lambda: tmp_path / "runtime")
    return tmp_path / "runtime"


@pytest.fixture
def course(tmp_path):
    """A folder with a course of one chapter, and a learner's copy of it."""
    publish(tmp_path, PAGE)
    refresh(tmp_path)
    return tmp_path


def publish(course, page, name="01_area"):
    """The course's own version of a chapter. page: {id: source}."""
    cells = [
        nbformat.v4.new_markdown_cell(source, id=key)
        if source.startswith("**")
        else nbformat.v4.new_code_cell(source, id=key)
        for key, source in page.items()
    ]
    (course / "notebooks").mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), course / f"notebooks/{name}.ipynb")


def refresh(course):
    return working_copy.refresh(course / "notebooks", course / "work")


def written(course, name="01_area"):
    """{id: source} of the learner's copy."""
    cells = json.loads((course / f"work/{name}.ipynb").read_text("utf-8"))["cells"]
    return {cell["id"]: "".join(cell["source"]) for cell in cells}


def write(course, page, output=None):
    """What the learner has made of the copy, saved as JupyterLab saves it."""
    path = course / "work/01_area.ipynb"
    notebook = nbformat.read(path, as_version=4)
    old = {cell["id"]: cell for cell in notebook.cells}
    notebook.cells = [
        {**old.get(key, nbformat.v4.new_code_cell(id=key)), "source": source}
        for key, source in page.items()
    ]
    for cell in notebook.cells:
        if cell["cell_type"] == "code" and output:
            cell["execution_count"] = 1
            cell["metadata"]["collapsed"] = False
            cell["outputs"] = [nbformat.v4.new_output("stream", text=output)]
    nbformat.write(nbformat.from_dict(notebook), path)


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# the copy of our own chapters


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """A copy of the whole course."""
    work = tmp_path_factory.mktemp("course") / "work"
    working_copy.refresh(ROOT / "notebooks", work)
    return work


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request, copies):
    """A chapter and the copy of it."""
    return nbformat.read(request.param, 4), nbformat.read(copies / request.param.name, 4)


def test_a_copy_has_the_same_sources_and_no_outputs(chapter):
    """But for the folds around explanations; what is hidden in the original is hidden in it."""
    original, copied = chapter
    nbformat.validate(copied)
    assert [cell.id for cell in copied.cells] == [cell.id for cell in original.cells]
    for cell, own in zip(original.cells, copied.cells, strict=True):
        assert own.cell_type == cell.cell_type
        assert own.metadata == cell.metadata
        if cell.cell_type == "code":
            assert own.source == cell.source
            assert own.outputs == [] and own.execution_count is None
        else:
            assert words(own.source.replace(FOLD, "")) == words(cell.source)


def words(text):
    return text.replace("</details>", "").split()


def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_no_explanation_stands_open(chapter):
    """Each has a fold of its own, which ends before the next question and the next heading."""
    text = prose(chapter[1])
    assert text.count("**Explain.**") == text.count(f"{FOLD}**Explain.**")
    for part in re.split(r"^(?=\*\*Predict\.|#+ )", text, flags=re.MULTILINE):
        assert part.count("<details") == part.count("</details>")


def test_links_and_pictures_of_a_copy_lead_somewhere(chapter, copies):
    """work/ stands beside notebooks/, so that ../ leads to the same places."""
    for target in re.findall(r"\]\(([^)\s#]+)", prose(chapter[1])):
        if not target.startswith("https://"):
            up, _, name = unquote(target).rpartition("../")
            assert ((ROOT if up or "../" in target else copies) / name).is_file(), target


def test_the_copy_is_no_part_of_the_course():
    """Git ignores it."""
    assert "work/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert ROOT / "work" == working_copy.WORK


# a newer course


def test_a_chapter_without_changes_is_replaced(course):
    """It may have been run: outputs, counts and metadata are nothing that a learner writes."""
    write(course, written(course), output="run")
    newer = {**PAGE, "question": "**Predict.** How small?", "more": "2"}
    del newer["end"]
    publish(course, newer)
    assert refresh(course) == ["01_area: the course has changed 3 cells."]
    assert written(course) == newer


@pytest.mark.parametrize(
    ("newer", "expected"),
    [
        ({**PAGE, "end": "2"}, [ANSWER, "own = 1", "2"]),
        ({**PAGE, "stub": "def area(a): ..."}, ["def area(a): ...", ANSWER, "own = 1", "1"]),
        ({key: PAGE[key] for key in ("question", "end")}, [ANSWER, "own = 1", "1"]),
    ],
    ids=["changed elsewhere", "changed at the same cell", "dropped the cell"],
)
def test_an_answer_and_an_own_cell_survive(course, newer, expected):
    """And stand where they stood; the course's other changes are there, too."""
    answered = {**PAGE, "stub": ANSWER, "own": "own = 1", "end": "1"}
    write(course, {key: answered[key] for key in ("question", "stub", "own", "test", "end")})
    publish(course, newer)
    (told,) = refresh(course)
    assert "What you have written, in 2 cells, is kept." in told
    assert ("yours stands below it: def area(side): return side**2" in told) is (
        newer.get("stub") not in (None, STUB)
    )
    assert [text for text in written(course).values() if text in expected] == expected
    nbformat.validate(nbformat.read(course / "work/01_area.ipynb", 4))


def test_a_second_time_changes_nothing(course):
    """After a copy, after an update, and after one with two versions of a cell."""
    for newer in (PAGE, {**PAGE, "end": "2"}, {**PAGE, "stub": "pass"}):
        publish(course, newer)
        refresh(course)
        before = files(course)
        assert refresh(course) == ["work/ has the course's newest chapters."]
        assert files(course) == before
        write(course, {**written(course), "stub": ANSWER})


def test_outputs_stay_where_the_course_has_not_changed(course):
    """An exercise that passes still does after an update."""
    write(course, {**PAGE, "stub": ANSWER}, output="area: right. Well done.")
    publish(course, {**PAGE, "end": "2"})
    refresh(course)
    assert "    area: passes" in working_copy.progress(course / "notebooks", course / "work")


PLACES = "abcdef"
PAGES = st.dictionaries(st.sampled_from(PLACES), st.sampled_from(["1", "2", "3"]))


@given(PAGES, PAGES, PAGES)
def test_whatever_changes_nothing_written_is_lost(base, mine, new):
    """What either has changed is there; where both have, the learner's gets a place of its own."""
    versions = [
        {key: {"id": key, "metadata": {}, "source": text} for key, text in page.items()}
        for page in (base, mine, new)
    ]
    merged = working_copy.merged(*versions)
    there = {cell["id"]: cell["source"] for cell in merged}
    assert len(there) == len(merged)
    below = [text for key, text in there.items() if key not in PLACES]
    clashes = []
    for key in PLACES:
        old, own, newer = (page.get(key) for page in (base, mine, new))
        if own and newer and len({old, own, newer}) == 3:
            clashes.append(own)
            assert there[key] == newer
        elif own == old or own is None:
            assert there.get(key) == (newer if own == old or newer != old else None)
        else:
            assert there[key] == own
    assert sorted(below) == sorted(clashes)


def test_chapters_come_and_go(course):
    """A new one is put there, so is one that was deleted; one that the course drops stays."""
    publish(course, PAGE, "02_volume")
    assert refresh(course) == ["02_volume: it is in work/ now."]
    (course / "work/02_volume.ipynb").unlink()
    assert refresh(course) == ["02_volume: it is in work/ now."]
    (course / "notebooks/01_area.ipynb").unlink()
    assert refresh(course) == ["01_area: the course has it no longer; yours stays."]
    assert refresh(course) == ["work/ has the course's newest chapters."]
    assert written(course) == PAGE


# harm


def damage(path):
    path.write_bytes(path.read_bytes()[:100])


def link(path):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def forget(path):
    shutil.rmtree(path.parent / working_copy.ORIGINALS)


def without_ids(path):
    notebook = json.loads(path.read_text("utf-8"))
    for cell in notebook["cells"]:
        del cell["id"]
    path.write_text(json.dumps(notebook))


def other_ids(path):
    path.write_text(re.sub(r'"id": "(\w+)"', r'"id": "other-\1"', path.read_text("utf-8")))


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (damage, "cannot be read as a notebook"),
        (without_ids, "cannot be read as a notebook"),
        (link, "is a symbolic link"),
        (lambda path: path.chmod(0o444), "is write-protected"),
        (forget, "not known which version"),
        (other_ids, "most of the course's cells are gone"),
    ],
    ids=["damaged", "without ids", "a link", "write-protected", "without original", "other ids"],
)
def test_what_cannot_be_merged_stays_and_the_newer_version_comes_beside(course, harm, reason):
    """Which is a copy of its own from then on: an answer in it survives the next version."""
    mine, beside = course / "work/01_area.ipynb", course / "work/01_area.new.ipynb"
    write(course, {**PAGE, "stub": ANSWER})
    harm(mine)
    before = mine.is_symlink(), mine.read_bytes()
    publish(course, {**PAGE, "end": "2"})
    for _ in range(2):
        (told,) = refresh(course)
        assert reason in told and told.endswith("The course's version is 01_area.new.ipynb.")
        assert written(course, "01_area.new") == {**PAGE, "end": "2"}
    beside.write_text(beside.read_text("utf-8").replace("...  # your turn", "return side**2"))
    publish(course, {**PAGE, "end": "3"})
    refresh(course)
    assert written(course, "01_area.new") == {**PAGE, "stub": ANSWER, "end": "3"}
    assert (mine.is_symlink(), mine.read_bytes()) == before


def test_a_damaged_original_leaves_the_copy_alone(course):
    """And is told."""
    damage(course / "notebooks/01_area.ipynb")
    (told,) = refresh(course)
    assert told.startswith("01_area: notebooks/01_area.ipynb cannot be read: it is damaged")
    assert written(course) == PAGE


@pytest.mark.parametrize("call", range(2))
def test_a_full_disk_leaves_every_file_whole(course, monkeypatch, call):
    """Whichever write it stops; with room again, the next time does the rest."""
    write(course, {**PAGE, "stub": ANSWER})
    publish(course, {**PAGE, "end": "2"})
    before, writes = files(course / "work"), []

    def full(descriptor):
        writes.append(descriptor)
        if len(writes) > call:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            refresh(course)
    assert files(course / "work").keys() == before.keys()
    assert ANSWER in written(course).values()
    refresh(course)
    assert written(course) == {**PAGE, "stub": ANSWER, "end": "2"}


def test_no_room_for_the_copy_is_told_in_one_sentence(tmp_path):
    """A file is in the way of the folder."""
    plant(tmp_path)
    (tmp_path / "work").write_text("mine")
    ran = command(tmp_path, "refresh")
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1 and "work" in ran.stderr and "LAB=course" in ran.stderr
    assert (tmp_path / "work").read_text() == "mine"


def test_a_chapter_that_may_be_open_is_left_alone(course, no_jupyterlab):
    """Until JupyterLab is closed: it would save the old version over the new one."""
    no_jupyterlab.mkdir()
    write(course, {**PAGE, "stub": ANSWER})
    before = files(course / "work")
    publish(course, {**PAGE, "end": "2"})
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
        running = {"root_dir": str(course), "hostname": "localhost", "port": port}
        (no_jupyterlab / "jpserver-1.json").write_text(json.dumps(running))
        (told,) = refresh(course)
    assert "close JupyterLab" in told
    assert files(course / "work") == before
    refresh(course)
    assert written(course)["end"] == "2"


# git


def plant(folder):
    """A course of one chapter with the scripts, as it is cloned or unpacked."""
    for script in ("scripts/working_copy.py", "reading/folds.py"):
        (folder / script).parent.mkdir(parents=True)
        shutil.copy(ROOT / script, folder / script)
    publish(folder, PAGE)


def command(course, name):
    return subprocess.run(
        [sys.executable, "scripts/working_copy.py", name],
        cwd=course,
        capture_output=True,
        text=True,
    )


def git(folder, *arguments):
    identity = ("-c", "user.name=A", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder, page):
    publish(folder, page)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "A version")


@pytest.fixture
def clone(tmp_path):
    """A clone of a course with one commit, the course being `clone.parent / "ours"`."""
    ours, clone = tmp_path / "ours", tmp_path / "a clone"
    plant(ours)
    (ours / ".gitignore").write_text("work/\n__pycache__/\n")
    git(ours, "init", "--quiet")
    commit(ours, PAGE)
    git(tmp_path, "clone", "--quiet", str(ours), str(clone))
    return clone


needs_git = pytest.mark.skipif(not shutil.which("git"), reason="needs git")


@needs_git
def test_a_newer_course_is_fetched_and_the_answers_are_still_there(clone):
    """From one commit to the next."""
    assert "work/ is your own copy" in command(clone, "refresh").stdout
    write(clone, {**PAGE, "stub": ANSWER})
    assert command(clone, "pull").stdout == "There is no newer course.\n"
    commit(clone.parent / "ours", {**PAGE, "end": "2"})
    assert "The course is newer now" in command(clone, "pull").stdout
    told = command(clone, "refresh").stdout
    assert told == (
        "01_area: the course has changed 1 cell. What you have written, in 1 cell, is kept.\n"
    )
    assert written(clone) == {**PAGE, "stub": ANSWER, "end": "2"}


@needs_git
def test_answers_in_the_originals_are_copied_and_stand_in_the_way_of_git_only(clone):
    """Git refuses, in one line that says what to do; afterwards the copy still has them."""
    publish(clone, {**PAGE, "stub": ANSWER})
    command(clone, "refresh")
    commit(clone.parent / "ours", {**PAGE, "end": "2"})
    refused = command(clone, "pull")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1 and "git checkout notebooks" in refused.stderr
    git(clone, "checkout", "notebooks")
    assert command(clone, "pull").returncode == 0
    command(clone, "refresh")
    assert written(clone) == {**PAGE, "stub": ANSWER, "end": "2"}


@needs_git
def test_where_git_can_fetch_nothing_one_sentence_says_so(tmp_path):
    """No checkout; one of something around it; no remote."""
    around, course = tmp_path / "around", tmp_path / "around/course"
    plant(course)
    assert "no git checkout" in command(course, "pull").stdout
    git(around, "init", "--quiet")
    assert "no git checkout" in command(course, "pull").stdout
    git(course, "init", "--quiet")
    assert "no remote" in command(course, "pull").stdout


# progress


def test_progress_knows_every_exercise(copies):
    """Each checker once; none is tried in a new copy, nor in the originals as executed."""
    names = [n for path in CHAPTERS for n in working_copy.exercises(working_copy.read(path))]
    assert sorted(names) == sorted(check.__all__)
    for work in (copies, ROOT / "notebooks"):
        *lines, total = working_copy.progress(ROOT / "notebooks", work)
        assert sorted(line for line in lines if line.startswith("    ")) == sorted(
            f"    {name}: not tried" for name in names
        )
        assert total.startswith(f"0 of {len(names)} exercises pass")


def test_the_chinese_copy_is_there_for_those_who_ask_for_it(course, monkeypatch):
    """It has its own folds and progress, and is refreshed with the English one from then on."""
    publish(course / "zh-CN", {**PAGE, "answer": "**解释。** 四。"})
    (course / "zh-CN/notebooks").rename(course / "notebooks/zh-CN")
    monkeypatch.setattr(working_copy, "NOTEBOOKS", course / "notebooks")
    monkeypatch.setattr(working_copy, "WORK", course / "work")
    assert list(working_copy.done("refresh", None)) == ["work/ has the course's newest chapters."]
    (told,) = working_copy.done("refresh", "zh-CN")
    assert told == "work/zh-CN/ is your own copy of the notebooks, without outputs."
    assert "<summary>解释</summary>" in (course / "work/zh-CN/01_area.ipynb").read_text("utf-8")
    assert list(working_copy.done("refresh", None)) == [
        "work/ has the course's newest chapters.",
        "work/zh-CN/ has the course's newest chapters.",
    ]
    (course / "work/01_area.ipynb").unlink()
    *_, total = working_copy.done("progress", None)  # of the only copy that is left
    assert total == "0 of 1 exercises pass, as last run and saved in work/zh-CN/."


def praise(answer):
    return "Well done."


def blame(answer):
    raise Wrong("for side = 2 the result is 8, expected 4.")


@pytest.mark.parametrize(
    ("exercise", "examine", "answer", "expected"),
    [
        ("area", praise, abs, "passes"),
        ("area", blame, abs, "does not pass yet: for side = 2 the result is 8, expected 4."),
        ("area", praise, untouched, "not tried"),
        ("volume", praise, abs, "not tried"),
    ],
    ids=["right", "wrong", "untouched", "of another exercise"],
)
def test_progress_reads_what_checkers_say(course, capsys, exercise, examine, answer, expected):
    """Among whatever else was printed."""
    print("before")
    judge(exercise, examine, answer)
    write(course, written(course), output=capsys.readouterr().out)
    passed = int(expected == "passes")
    title, line, total = working_copy.progress(course / "notebooks", course / "work")
    assert (title, line) == (f"01_area: {passed} of 1", f"    area: {expected}")
    assert total.startswith(f"{passed} of 1 exercises pass")


def test_progress_tells_of_what_it_cannot_read(course):
    """A damaged chapter, or no copy at all."""
    damage(course / "work/01_area.ipynb")
    line, _ = working_copy.progress(course / "notebooks", course / "work")
    assert line.startswith("01_area: work/01_area.ipynb cannot be read: it is damaged")
    shutil.rmtree(course / "work")
    (line,) = working_copy.progress(course / "notebooks", course / "work")
    assert "`make lab` makes it" in line


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
@pytest.mark.parametrize(
    ("target", "folder"), [("lab", "work"), ("lab LAB=course", "notebooks")], ids=str
)
def test_make_lab_opens_the_copy_or_the_originals(target, folder):
    """At chapter 00; the originals without making a copy."""
    told = subprocess.run(
        ["make", "--dry-run", "--old-file", "setup", *target.split()],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert f"default_url=/lab/tree/{folder}/00_start_here.ipynb" in told
    assert f"test {folder} = notebooks || " in told


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_update_fetches_before_it_brings_in():
    told = subprocess.run(
        ["make", "--dry-run", "--old-file", "setup", "update"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert re.search(r"working_copy\.py pull\n(.*\n)*.*working_copy\.py refresh", told)
