"""scripts/fresh_machine.py: what counts as left behind on a machine; nothing goes unseen."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))  # a folder of scripts, not a package

import fresh_machine  # noqa: E402

ADDRESS = f"http://localhost:8888/lab/tree/{fresh_machine.FIRST_CHAPTER}?token=0a1b"
README = """# A course
## Two commands
You need `make`.

    make lab     # installs, then opens JupyterLab
    make test    # the same set-up, then the tests

<details><summary>conda</summary>

    conda env create
</details>

## Your own pictures

    python -m stlib doctor
"""
MAKEFILE = f"""
lab:
\t@echo {ADDRESS}; echo > "$$HOME/{{file}}"; exec sleep 60
test:
\t@mkdir -p "$$HOME/.cache/pip"; echo > "$$HOME/.cache/pip/wheel"; exit {{exit}}
"""
pytestmark = pytest.mark.skipif(
    not (shutil.which("git") and shutil.which("make")), reason="needs git and make"
)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """commit(file, exit): a course whose `make lab` writes this file into the home.

    Its `make test` ends with this exit code.
    """
    folder = tmp_path / "repository"

    def commit(file, exit):
        folder.mkdir()
        (folder / "README.md").write_text(README)
        (folder / "Makefile").write_text(MAKEFILE.format(file=file, exit=exit))
        git = ("git", "-C", folder, "-c", "user.name=A", "-c", "user.email=a@b.example")
        for arguments in (
            ("init", "--quiet"),
            ("add", "."),
            ("commit", "--quiet", "-m", "A course"),
        ):
            subprocess.run([*git, *arguments], check=True)
        monkeypatch.setattr(fresh_machine, "ROOT", folder)
        monkeypatch.setattr(fresh_machine, "elsewhere", list)
        monkeypatch.setattr(fresh_machine, "answers", lambda address: address == ADDRESS)

    return commit


@pytest.mark.parametrize(
    "readme", [README, (ROOT / "README.md").read_text("utf-8")], ids=["a short one", "ours"]
)
def test_the_commands_are_the_readmes(readme):
    """Those that everybody is told, without what is said about them."""
    assert fresh_machine.commands(readme) == ["make lab", "make test"]


@pytest.mark.parametrize(
    ("place", "owner"),
    [
        ("home/.cache/pip/http-v2/0/1", "pip"),
        ("home/.jupyter/lab/workspaces/default.jupyterlab-workspace", "Jupyter"),
        ("home/.local/share/jupyter/runtime/jpserver-1.json", "Jupyter"),
        ("home/.local/share/jupyter/notebook_secret", "Jupyter"),
        ("home/.ipython/profile_default/history.sqlite", "IPython"),
        ("home/.cache/matplotlib/fontlist-v390.json", "matplotlib"),
        ("home/.cache/fontconfig/CACHEDIR.TAG", "fontconfig, which matplotlib asks for fonts"),
        ("tmp/pytest-of-somebody/pytest-0/a/b", "pytest"),
        ("home/.local/share/jupyter/kernels/course/kernel.json", None),
        ("home/.cache/torch/hub/vgg19.pth", None),
        ("home/.cache/pipeline", None),
        ("home/.keras/keras.json", None),
        ("home/.npm/_logs/debug.log", None),
        ("home/.bashrc", None),
        ("tmp/left-behind", None),
        ("tmp/home/.cache/pip/wheel", None),
    ],
    ids=lambda value: value or "none",
)
def test_usual_caches(tmp_path, place, owner):
    """Those of four programs, of the fonts and of pytest; a kernel in the home is none."""
    assert fresh_machine.usual(tmp_path / place, tmp_path) == owner


def test_a_cache_in_the_real_home_is_not_usual(tmp_path):
    """The newcomer has another home."""
    assert fresh_machine.usual(tmp_path / "home/.cache/pip/wheel", tmp_path / "work") is None


def test_written_finds_what_is_new(tmp_path):
    """Hidden files, deep files and links that lead nowhere too, but not what is left out."""
    for name in ("old/a", "left out/b", "deep/er/.c"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("nowhere")
    assert {
        path.relative_to(tmp_path).as_posix()
        for path in fresh_machine.written(tmp_path, 0, {tmp_path / "left out"})
    } == {"old/a", "deep/er/.c", "link"}
    assert not list(fresh_machine.written(tmp_path, time.time() + 60))


def test_a_copy_with_an_old_date_is_new(tmp_path):
    """Unpacking a package gives files the date that they had at their maker's."""
    (tmp_path / "unpacked").touch()
    os.utime(tmp_path / "unpacked", (0, 0))
    assert list(fresh_machine.written(tmp_path, time.time() - 60))


def test_the_report_names_strays_and_counts_caches(tmp_path, capsys):
    """One line for each stray, one for each cache."""
    caches = [tmp_path / "home/.cache/pip" / name for name in "abc"]
    strays = [tmp_path / "home/.keras/keras.json", Path("/etc/motd")]
    assert fresh_machine.report([*caches, *strays], tmp_path) == strays
    printed = capsys.readouterr().out
    assert "     3 files in the usual cache of pip\n" in printed
    assert all(f"{stray} is no usual cache\n" in printed for stray in strays)
    assert printed.endswith("3 files were written into usual caches and 2 elsewhere\n")


def test_a_newcomer_has_set_nothing_but_reaches_pips_index(tmp_path, monkeypatch):
    """The home is another one; pip still finds the configuration in the real one."""
    configuration = tmp_path / ".config/pip/pip.conf"
    configuration.parent.mkdir(parents=True)
    configuration.touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_RETRIES", "7")
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", "mine")
    monkeypatch.setenv("XDG_CACHE_HOME", "mine")
    monkeypatch.delenv("PIP_CONFIG_FILE", raising=False)
    monkeypatch.delenv("RUSTUP_HOME", raising=False)
    environment = fresh_machine.newcomer(tmp_path / "home", tmp_path / "tmp")
    assert (environment["HOME"], environment["TMPDIR"]) == (
        str(tmp_path / "home"),
        str(tmp_path / "tmp"),
    )
    assert (environment["PIP_RETRIES"], environment["PIP_CONFIG_FILE"]) == ("7", str(configuration))
    assert not {"mine", str(tmp_path / ".rustup")} & set(environment.values())


def test_folders_elsewhere_are_walked_once():
    """None lies inside of another."""
    folders = fresh_machine.elsewhere()
    assert folders
    assert not [folder for folder in folders if set(folder.parents) & set(folders)]


def test_a_shared_folder_is_everybodys(tmp_path, monkeypatch):
    """What lies in it is named by the entry that leads there."""
    monkeypatch.setattr(fresh_machine, "SHARED", (tmp_path / "shared",))
    assert (
        fresh_machine.entry_in_shared(tmp_path / "shared/pytest-of-somebody/a/b")
        == tmp_path / "shared/pytest-of-somebody"
    )
    assert fresh_machine.entry_in_shared(tmp_path / "shared/a") == tmp_path / "shared/a"
    assert fresh_machine.entry_in_shared(tmp_path / "home/.bashrc") is None


def test_a_folder_in_which_others_write_is_busy(tmp_path, monkeypatch):
    """What changed there shortly before may change again."""
    monkeypatch.setattr(fresh_machine, "elsewhere", lambda: [tmp_path])
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/system").touch()
    assert fresh_machine.busy(time.time(), ()) == {tmp_path / "logs"}
    assert not fresh_machine.busy(time.time() + fresh_machine.BUSY + 60, ())


def test_jupyterlab_is_stopped_at_the_end(tmp_path):
    """Whatever happened while it ran."""
    code = f'import time; print("at {ADDRESS} ", flush=True); time.sleep(60)'
    command = f"'{sys.executable}' -c '{code}'"
    with (
        pytest.raises(KeyError),
        fresh_machine.jupyterlab(
            tmp_path, dict(os.environ), tmp_path / "log", 30, command
        ) as address,
    ):
        assert address == ADDRESS
        (process,) = (
            child
            for child in psutil.Process().children()
            if "time.sleep(60)" in " ".join(child.cmdline())
        )
        raise KeyError
    assert not process.is_running()


def test_jupyterlab_that_does_not_start_is_told(tmp_path):
    """With what it printed."""
    command = f"""'{sys.executable}' -c 'print("Python lacks its venv module.")'"""
    with (
        pytest.raises(RuntimeError, match=r"no address.*\nPython lacks its venv module"),
        fresh_machine.jupyterlab(tmp_path, dict(os.environ), tmp_path / "log", 30, command),
    ):
        pass


@pytest.mark.parametrize(
    ("file", "exit", "with_tests", "passes"),
    [
        (".ipython", 0, True, True),
        (".courserc", 0, True, False),
        (".ipython", 1, True, False),
        (".ipython", 1, False, True),
    ],
    ids=["all is well", "a stray file", "tests that fail", "without the tests"],
)
def test_both_commands_run_in_a_clone(repository, tmp_path, capfd, file, exit, with_tests, passes):
    """They must end well, and leave nothing in the home."""
    repository(file, exit)
    work = tmp_path / "a fresh machine"
    work.mkdir()
    assert fresh_machine.run(work, with_tests) is passes
    printed = capfd.readouterr().out
    assert "make lab: chapter 00 is there" in printed
    assert ("make test: over" in printed) is with_tests
    assert (f"{work / 'home/.courserc'} is no usual cache" in printed) is (file == ".courserc")


def test_ci_runs_it():
    """Before the README's test command."""
    assert "python3 scripts/fresh_machine.py" in (ROOT / ".ci/run").read_text("utf-8")
