"""What a command may write: nothing that it reads, nothing twice, nothing of somebody else's."""

import itertools
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hostile import each
from PIL import Image

from stlib import batch, sample, save_image
from stlib.__main__ import main
from stlib.batch import Outcome, Report, fingerprint, notes
from stlib.objective import Objective

JOBS = """
[[job]]
content = "content.png"
styles = [{picture = "style.png", mask = "mask.png"}]
output = "out.png"
film = "film.webp"
size = 64
steps = 2
"""


@dataclass
class Command:
    """A command line, and the files that it reads and writes, by what they are to it.

    kept: roles of outputs that stay when they are somebody else's, while the rest is painted.
    """

    line: str
    reads: dict[str, str]
    writes: dict[str, str]
    kept: set[str] = field(default_factory=set)


PICTURES = {"content": "content.png", "style": "style.png"}
MASKED = {**PICTURES, "mask": "mask.png"}
OF_JOBS = {"output": "out.png", "film": "film.webp", "note": "out.png.json"}
COMMANDS = {
    "transfer": Command(
        "transfer content.png style.png --mask mask.png -o out.png --film film.webp --resume "
        "--size 64 --steps 2",
        MASKED,
        {
            "output": "out.png",
            "film": "film.webp",
            "checkpoint": "out.png.checkpoint",
            "note": "out.png.checkpoint.json",
        },
    ),
    "sheet": Command(
        "sheet content.png --style style.png -o sheet.png --keep kept --size 64 --steps 2",
        PICTURES,
        {
            "output": "sheet.png",
            "picture": "kept/content-style.png",
            "its note": "kept/content-style.png.json",
            "note": "kept/sheet.png.sheet.json",
        },
    ),
    "batch": Command(
        "batch jobs.toml --report report.csv",
        {"jobs": "jobs.toml", **MASKED},
        {**OF_JOBS, "report": "report.csv", "report's note": "report.csv.json"},
        kept={"output", "film"},
    ),
    "frames": Command(
        "frames jobs.toml",
        {"jobs": "jobs.toml", **MASKED},
        {**OF_JOBS, "film's note": "film.webp.json"},
        kept={"output"},
    ),
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, one_thread):
    """What the commands read, in a folder of its own."""
    (tmp_path / "now").mkdir()
    monkeypatch.chdir(tmp_path / "now")
    begin()
    return tmp_path / "now"


@pytest.fixture
def idle(net, monkeypatch):
    """Nothing may be painted."""

    def painted(*_, **__):
        pytest.fail("it was painted")

    monkeypatch.setattr("stlib.transfer.VGG", lambda: net)
    monkeypatch.setattr(Objective, "__call__", painted)
    monkeypatch.setattr("stlib.batch.cluster._cluster", painted)
    monkeypatch.setattr("stlib.batch.frames.paint", painted)


@pytest.fixture
def runs(monkeypatch):
    """Whether force was given to each batch, while every picture is red."""
    runs = []

    def run(jobs, *, force, **_):
        runs.append(force)
        for job in jobs:
            save_image(Image.new("RGB", (64, 43), "red"), job.output)
            notes.write_note(job, fingerprint(job))
        return Report([Outcome(job.output, "done") for job in jobs], 1.0)

    monkeypatch.setattr("stlib.batch.run", run)
    return runs


def begin():
    """The folder as it is before a command."""
    for path in Path().iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    Path("kept").mkdir()
    Path("jobs.toml").write_text(JOBS)
    for name, picture in (("content", "castle"), ("style", "cafe-terrace"), ("mask", "castle")):
        save_image(sample(picture, 64), f"{name}.png")


def files():
    """Every file and link, byte for byte."""
    return {
        str(path): (path.is_symlink(), path.read_bytes() if path.exists() else None)
        for path in Path().rglob("*")
        if not path.is_dir()
    }


def assert_refused(line, capsys, *names):
    """In one sentence with one of the names, and all files as they were."""
    before = files()
    code = main(line.split())
    err = capsys.readouterr().err.rpartition("\r")[2]  # a bar is gone
    assert code == 1
    assert err.startswith("stlib: error: ") and err.count("\n") == 1, err
    assert any(name in err for name in names), err
    assert files() == before


def pairs():
    """Two roles of a command, the second of which it writes; by what they are called."""
    return {
        f"{name}: {one} and {other}": (command, command.reads | command.writes, one, other)
        for name, command in COMMANDS.items()
        for one, other in [
            *itertools.product(command.reads, command.writes),
            *itertools.combinations(command.writes, 2),
        ]
    }


@pytest.mark.survives("an output that is also to be read")
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_no_two_roles_are_one_file(idle, capsys, link):
    """Whatever the command and the two roles, and even by force."""

    def give(pair):
        command, names, one, other = pair
        begin()
        if link is os.link and one in command.writes:
            Path(names[one]).write_bytes(b"mine")
        # a link is read from its own folder
        target = os.path.relpath(names[one], Path(names[other]).parent)
        link(target if link is os.symlink else names[one], names[other])
        for line in (command.line, f"{command.line} --force"):
            assert_refused(line, capsys, names[one], names[other])

    each(pairs(), give)


@pytest.mark.survives("a file of yours where a command writes")
def test_what_somebody_else_made_is_not_replaced(idle, capsys):
    """Refused before any work, or kept while the rest is painted."""

    def give(role):
        command, name = role
        begin()
        shutil.copy("style.png", command.writes[name])
        if name not in command.kept:
            assert_refused(command.line, capsys, command.writes[name])
            return
        before = files()
        assert main(command.line.split()) == 0
        assert "so it was kept" in capsys.readouterr().out
        assert before.items() <= files().items()

    each(
        {
            f"{name}: {role}": (command, role)
            for name, command in COMMANDS.items()
            for role in command.writes
        },
        give,
    )


@pytest.mark.survives("a file of yours where a command writes")
def test_a_file_in_the_place_of_a_note_is_not_replaced(idle, capsys):
    """Even by force."""
    notes = [("transfer", "out.png.checkpoint.json"), ("sheet", "kept/sheet.png.sheet.json")]
    notes.append(("batch", "report.csv.json"))

    def give(text):
        for name, note in notes:
            begin()
            Path(note).write_text(text)
            assert_refused(f"{COMMANDS[name].line} --force", capsys, f"{note} is there already")

    each(["", "[1]", "{}", '{"left by stlib": 5}', '{"left by stlib": ["5"]'], give)


@pytest.mark.parametrize("name", COMMANDS)
def test_force_replaces_outputs(net, runs, monkeypatch, name):
    """But no note that is none, and no checkpoint of something else."""
    monkeypatch.setattr("stlib.transfer.VGG", lambda: net)
    command = COMMANDS[name]
    roles = {"output", "film", "picture", "report"} - ({"film"} if name == "batch" else set())
    outputs = [command.writes[role] for role in roles & command.writes.keys()]
    for output in outputs:
        shutil.copy("style.png", output)
    before = files()
    assert main([*command.line.split(), "--force"]) == 0
    assert all(files()[output] != before[output] for output in outputs)
    assert runs in ([], [True])


def test_the_sheet_and_the_report_are_replaced_by_what_made_them(runs, capsys):
    """But not when they have been changed since."""
    for name, output in (("sheet", "sheet.png"), ("batch", "report.csv")):
        line = COMMANDS[name].line
        assert main(line.split()) == main(line.split()) == 0
        Path(output).write_bytes(b"changed")
        capsys.readouterr()
        assert_refused(line, capsys, output)


def test_a_sheet_of_pictures_that_are_not_kept_is_not_replaced(runs, capsys):
    """Nothing tells that it is of the same command."""
    line = COMMANDS["sheet"].line.replace(" --keep kept", "")
    assert main(line.split()) == 0
    capsys.readouterr()
    assert_refused(line, capsys, "sheet.png")


def test_an_interrupted_transfer_replaces_what_it_left(net, monkeypatch, capsys):
    """Picture and film, also before the first checkpoint, unless they have been changed since."""
    monkeypatch.setattr("stlib.transfer.VGG", lambda: net)
    line = COMMANDS["transfer"].line
    with monkeypatch.context() as patch:
        patch.setattr(Objective, "__call__", interrupted_after(Objective.__call__, 1))
        assert main(line.split()) == 130
    capsys.readouterr()
    left = Path("film.webp").read_bytes()
    Path("film.webp").write_bytes(b"changed")
    assert_refused(line, capsys, "film.webp")
    Path("film.webp").write_bytes(left)
    assert main(line.split()) == 0
    assert not list(Path().glob("*.checkpoint*"))
    assert_refused(line, capsys, "out.png")


@pytest.mark.survives("a file of yours that comes while it is painted")
@pytest.mark.parametrize("force", ["", " --force"])
@pytest.mark.parametrize("extra", ["", " --save-every 1"])
def test_what_comes_while_a_picture_is_painted_is_kept(net, monkeypatch, capsys, extra, force):
    """The picture and the film are saved beside it, once, and where is told."""
    monkeypatch.setattr("stlib.transfer.VGG", lambda: net)
    line, evaluations = COMMANDS["transfer"].line + extra + force, []
    for name in ("out.png", "film.webp") if force else ():
        Path(name).write_bytes(b"old")

    def evaluation(self, x):
        evaluations.append(x)
        if len(evaluations) == 2:
            Path("out.png").write_bytes(b"mine")
            Path("film.webp").write_bytes(b"mine")
        return evaluate(self, x)

    evaluate = Objective.__call__
    with monkeypatch.context() as patch:
        patch.setattr(Objective, "__call__", evaluation)
        with pytest.warns(RuntimeWarning) as told:
            assert main(line.split()) == 1
    said, out = [str(warning.message) for warning in told], capsys.readouterr().out
    assert len(said) == 2
    for name, spare in (("out", "out-1.png"), ("film", "film-1.webp")):
        assert Path(name).with_suffix(Path(spare).suffix).read_bytes() == b"mine"
        assert any(f"so it is kept, and what was painted is {spare}." in text for text in said)
        assert f"{spare}: " in out
        assert Image.open(spare).size == (64, 43)


@pytest.mark.survives("a file of yours that comes while it is painted")
@pytest.mark.parametrize(("name", "output"), [("sheet", "sheet.png"), ("batch", "report.csv")])
def test_what_comes_while_a_batch_is_painted_is_kept(runs, monkeypatch, name, output):
    """The sheet and the report are saved beside it."""
    painted = batch.run

    def run(jobs, **options):
        Path(output).write_bytes(b"mine")
        return painted(jobs, **options)

    monkeypatch.setattr("stlib.batch.run", run)
    with pytest.warns(RuntimeWarning, match="put there by somebody else"):
        assert main(COMMANDS[name].line.split()) == 1
    assert Path(output).read_bytes() == b"mine"
    assert Path(output).with_stem(f"{Path(output).stem}-1").exists()


def interrupted_after(evaluate, count):
    """Evaluations of which all but the first few are Ctrl-C."""
    done = []

    def evaluation(self, x):
        done.append(x)
        if len(done) > count:
            raise KeyboardInterrupt
        return evaluate(self, x)

    return evaluation


def test_the_film_of_frames_is_made_once(monkeypatch, capsys):
    """And refused when it has been changed since; the next frame is painted, and it is new."""
    line = COMMANDS["frames"].line
    assert main(line.split()) == 0
    monkeypatch.setattr("stlib.batch.frames.encoded", lambda *_: pytest.fail("it was made again"))
    assert main(line.split()) == 0
    Path("film.webp").write_bytes(b"changed")
    capsys.readouterr()
    assert_refused(line, capsys, "film.webp")
