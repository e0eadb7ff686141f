"""The learner's working copy of the notebooks, in work/, which git ignores.

    python scripts/working_copy.py refresh     make the copy, or bring newer chapters into it
    python scripts/working_copy.py pull        fetch a newer course with git
    python scripts/working_copy.py progress    list which exercises pass
    python scripts/working_copy.py refresh zh-CN   the same, or progress, for the Chinese copy

The copy has no outputs, and its explanations are folded, so that predictions stay predictions.
work/.originals holds each chapter as the course put it there. What differs from that is the
learner's own, and is carried into a newer chapter cell by cell; where that cannot be done, the
newer chapter is put beside the learner's.
"""

import argparse
import json
import os
import re
import socket
import stat
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "reading"))  # a folder of scripts, not a package

from folds import TURN, fold  # noqa: E402

NOTEBOOKS, WORK = ROOT / "notebooks", ROOT / "work"
CHINESE = "zh-CN"  # a folder in each of them
ORIGINALS = ".originals"
WRITTEN = ("cell_type", "source", "attachments")  # what somebody writes of a cell
CHECK = re.compile(r"\bcheck\.(\w+)\(\1\)")
# how a checker's words begin, in each language
RIGHT, NOT_TRIED = ("right.", "做对了。"), ("not attempted yet.", "还没有做。")

Notebook = dict
Cell = dict


class Unreadable(ValueError):
    """A file that is no notebook whose cells can be told apart; says why not."""


def read(path: Path) -> Notebook:
    """A notebook, the source of each cell as one text. Raises Unreadable."""
    try:
        return parsed(path.read_bytes())
    except (OSError, Unreadable) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Unreadable(f"{path.parent.name}/{path.name} cannot be read: {why}.") from None


def parsed(data: bytes) -> Notebook:
    """As `read`, from the bytes of a file."""
    try:
        notebook = json.loads(data)
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
            cell["metadata"].pop("execution", None)
        several = len(by_id(notebook)) < len(notebook["cells"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unreadable("it is damaged, or older than the form of today") from None
    if several:
        raise Unreadable("several of its cells have the same id")
    return notebook


def readable(path: Path) -> Notebook | None:
    """As `read`, but None for what cannot be read."""
    with suppress(Unreadable):
        return read(path)
    return None


def write(path: Path, notebook: Notebook) -> None:
    """Replace a file in a single step, once the new one is on the disk. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True)


def prepared(notebook: Notebook) -> Notebook:
    """The notebook without outputs and with its explanations folded."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = "".join(map(fold, TURN.split(cell["source"])))
        elif cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return notebook


def committed(chapter: Path) -> Notebook | None:
    """The chapter without what a learner has written into the original; None without git."""
    with suppress(FileNotFoundError, Unreadable):
        shown = git(chapter.parent, "show", f"HEAD:./{chapter.name}")
        return parsed(shown.stdout) if shown.returncode == 0 else None
    return None


def by_id(notebook: Notebook) -> dict[str, Cell]:
    return {cell["id"]: cell for cell in notebook["cells"]}


def content(cell: Cell | None) -> list | None:
    """A cell without its outputs and its metadata."""
    return None if cell is None else [cell.get(part) for part in WRITTEN]


def contents(notebook: Notebook | None) -> list | None:
    if notebook is None:
        return None
    return [(cell["id"], content(cell)) for cell in notebook["cells"]]


def merged(base: dict[str, Cell], mine: dict[str, Cell], new: dict[str, Cell]) -> list[Cell]:
    """The course's cells of today, with all that a learner has written.

    base: the course's cells that the learner began with. mine: what they have become. new: the
    course's cells of today. A cell of the learner's that is not among these follows the cell that
    it followed.
    """
    groups: dict[str | None, list[Cell]] = {None: []}
    groups |= {key: at_place(base.get(key), mine.get(key), cell) for key, cell in new.items()}
    place = None
    for key, own in mine.items():
        if key in new:
            place = key
        elif content(own) != content(base.get(key)):
            groups[place].append(own)
    return [cell for group in groups.values() for cell in group]


def at_place(base: Cell | None, own: Cell | None, new: Cell) -> list[Cell]:
    """What comes where the course has a cell today: that, the learner's, or one after the other."""
    course_changed = content(base) != content(new)
    if own is None:  # the learner has deleted it, or it is new
        return [new] if course_changed else []
    if content(own) == content(new) or not course_changed:
        return [{**own, "metadata": new["metadata"]}]
    if content(own) == content(base):
        return [new]
    return [new, {**own, "id": uuid.uuid4().hex[:8]}]


def obstacle(copy: Path, base: Notebook | None, mine: Notebook | None) -> str | None:
    """Why a newer version cannot be brought into a file; None if nothing is in the way."""
    if mine is None:
        return "your file cannot be read as a notebook"
    if copy.is_symlink():
        return "your file is a symbolic link"
    if not copy.stat().st_mode & stat.S_IWUSR:
        return "your file is write-protected"
    if base is None:
        return "it is not known which version your file began with"
    if len(by_id(base).keys() & by_id(mine)) < len(by_id(base)) / 2:
        return "most of the course's cells are gone from your file"
    return None


def open_in_jupyterlab(course: Path) -> bool:
    """Whether a JupyterLab that shows this folder runs, and so may have its notebooks open."""
    for file in Path(jupyter_runtime_dir()).glob("jpserver-*.json"):
        with suppress(OSError, ValueError, KeyError):  # one that is gone has left its file behind
            server = json.loads(file.read_text("utf-8"))
            if course.resolve().is_relative_to(Path(server["root_dir"]).resolve()):
                socket.create_connection((server["hostname"], server["port"]), timeout=1).close()
                return True
    return False


def bring(chapter: Path, copy: Path) -> str | None:
    """Put a chapter into the working copy; return what has become of a file that was there.

    The original is written first where nothing was there, else last: whoever is cut off between
    the two goes on the next time. Raises Unreadable for the chapter, and OSError.
    """
    original = copy.parent / ORIGINALS / copy.name
    new = prepared(read(chapter))
    if not os.path.lexists(copy):
        write(original, prepared(committed(chapter) or read(chapter)))
        write(copy, new)
        return None
    base, mine = readable(original), readable(copy)
    if mine and contents(base) == contents(new):
        return None
    if mine and contents(mine) == contents(new):
        write(original, new)
        return None
    reason = obstacle(copy, base, mine)
    if reason:
        beside = copy.with_suffix(".new.ipynb")
        bring(chapter, beside)
        return f"{reason}, so it stays as it is. The course's version is {beside.name}."
    if open_in_jupyterlab(copy.absolute().parents[1]):
        return "there is a newer version. Save your notebooks, close JupyterLab and run this again."
    before, own, today = map(by_id, (base, mine, new))
    cells = merged(before, own, today)
    write(copy, {**mine, "cells": cells})
    write(original, new)
    return summary(before, own, today, cells)


def summary(
    base: dict[str, Cell], mine: dict[str, Cell], new: dict[str, Cell], cells: list[Cell]
) -> str:
    """What the course has changed, and what of the learner's is in the merged cells."""
    changed = [key for key in base | new if content(base.get(key)) != content(new.get(key))]
    kept = [cell for cell in cells if content(cell) != content(new.get(cell["id"]))]
    below = [cell for cell in cells if cell["id"] not in mine | new]
    told = [f"the course has changed {counted(changed)}."]
    if kept:
        told.append(f"What you have written, in {counted(kept)}, is kept.")
    for cell in below:
        first = textwrap.shorten(cell["source"], 60, placeholder=" …")
        told.append(f"The course has changed this one, too, so yours stands below it: {first}")
    return " ".join(told)


def counted(cells: list) -> str:
    return "1 cell" if len(cells) == 1 else f"{len(cells)} cells"


def refresh(notebooks: Path, work: Path) -> list[str]:
    """Make the working copy, or bring newer chapters into it; return what was done, in sentences.

    Raises OSError where nothing can be written; what was there is whole then.
    """
    chapters = sorted(notebooks.glob("*.ipynb"))
    missing = [chapter.stem for chapter in chapters if not os.path.lexists(work / chapter.name)]
    told = []
    for chapter in chapters:
        try:
            done = bring(chapter, work / chapter.name)
        except Unreadable as error:
            done = str(error)
        if done:
            told.append(f"{chapter.stem}: {done}")
    if len(missing) == len(chapters):
        return [f"{named(work)}/ is your own copy of the notebooks, without outputs.", *told]
    told += [f"{stem}: it is in {named(work)}/ now." for stem in missing]
    told += [f"{stem}: the course has it no longer; yours stays." for stem in gone(notebooks, work)]
    return told or [f"{named(work)}/ has the course's newest chapters."]


def named(work: Path) -> str:
    return f"{work.parent.name}/{work.name}" if work.name == CHINESE else work.name


def gone(notebooks: Path, work: Path) -> Iterator[str]:
    """The chapters of the copy that the course has dropped, each of them once."""
    for original in sorted((work / ORIGINALS).glob("*.ipynb")):
        if not (notebooks / original.name.replace(".new", "")).exists():
            original.unlink()
            yield original.stem


def pull(course: Path) -> str:
    """Fetch a newer course with git; return what came of it. Raises SystemExit if git cannot."""
    by_hand = "Unpack a newer course over this folder instead; work/ is not in it."
    try:
        top = git(course, "rev-parse", "--show-toplevel")
        if top.returncode or Path(os.fsdecode(top.stdout).rstrip("\n")).resolve() != course:
            return f"Nothing was fetched: this folder is no git checkout. {by_hand}"
        if not git(course, "remote").stdout:
            return f"Nothing was fetched: this git checkout has no remote. {by_hand}"
    except FileNotFoundError:
        return f"Nothing was fetched: there is no git here. {by_hand}"
    before = git(course, "rev-parse", "HEAD").stdout
    pulled = git(course, "pull", "--quiet", "--ff-only")
    if pulled.returncode:
        words = " ".join(pulled.stderr.decode("utf-8", "replace").split())
        if f"{NOTEBOOKS.name}/" in words:
            words += (
                " Keep what you wrote there under another name (cp -r notebooks my-notebooks), put "
                "the originals back (git checkout notebooks), and run this again."
            )
        raise SystemExit(f"The course stays as it is, and so does work/. Git says: {words}")
    if git(course, "rev-parse", "HEAD").stdout == before:
        return "There is no newer course."
    return "The course is newer now: CHANGELOG.md says what is new."


def progress(notebooks: Path, work: Path) -> Iterator[str]:
    """Lines on each chapter's exercises, from what the checkers printed into the copy's outputs."""
    if not work.is_dir():
        yield "There is no working copy yet: `make lab` makes it."
        return
    total = []
    for chapter in sorted(notebooks.glob("*.ipynb")):
        try:
            names = exercises(read(chapter))
            said = list(printed(read(work / chapter.name)))
        except Unreadable as error:
            yield f"{chapter.stem}: {error}"
            continue
        if not names:
            continue
        verdicts = {name: verdict([words for who, words in said if who == name]) for name in names}
        passed = [name for name, words in verdicts.items() if words == "passes"]
        yield f"{chapter.stem}: {len(passed)} of {len(names)}"
        yield from (f"    {name}: {words}" for name, words in verdicts.items())
        total += [name in passed for name in names]
    yield f"{sum(total)} of {len(total)} exercises pass, as last run and saved in {named(work)}/."


def exercises(notebook: Notebook) -> list[str]:
    """The names of a chapter's exercises, in order."""
    sources = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return list(dict.fromkeys(CHECK.findall("\n".join(sources))))


def printed(notebook: Notebook) -> Iterator[tuple[str, str]]:
    """What checkers have printed, as (exercise, words), but for what they say of solutions."""
    for cell in notebook["cells"]:
        if "solution" not in cell["metadata"].get("tags", []):
            for output in cell.get("outputs", []):
                text = "".join(output.get("text", ""))
                yield from re.findall(r"^(\w+): (.+)$", text, re.MULTILINE)


def verdict(said: list[str]) -> str:
    """What has become of an exercise, from all that its checker has said."""
    tried = [words for words in said if not words.startswith(NOT_TRIED)]
    if any(words.startswith(RIGHT) for words in tried):
        return "passes"
    if tried:
        return f"does not pass yet: {textwrap.shorten(tried[-1], 100, placeholder=' …')}"
    return "not tried"


def copies(language: str | None) -> Iterator[tuple[Path, Path]]:
    """The notebooks and the learner's copy of them: those that are asked for, or else are there."""
    chinese = (WORK / CHINESE).is_dir()
    if language == "en" or (not language and (not chinese or any(WORK.glob("*.ipynb")))):
        yield NOTEBOOKS, WORK
    if language == CHINESE or (not language and chinese):
        yield NOTEBOOKS / CHINESE, WORK / CHINESE


def done(command: str, language: str | None) -> Iterator[str]:
    """Do what is asked for; sentences on it."""
    if command == "pull":
        yield pull(ROOT.resolve())
        return
    for notebooks, work in copies(language):
        yield from (refresh if command == "refresh" else progress)(notebooks, work)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("refresh", "pull", "progress"))
    parser.add_argument("language", choices=("en", CHINESE), nargs="?", help="only this copy")
    arguments = parser.parse_args()
    try:
        for sentence in done(arguments.command, arguments.language):
            print(sentence)
    except OSError as error:
        sys.exit(
            f"{error.filename or WORK}: {error.strerror}. What you have written is as it was; "
            "`make lab LAB=course` opens the originals."
        )


if __name__ == "__main__":
    main()
