"""The README's two commands on a machine that has nothing yet.

    python3 scripts/fresh_machine.py [--without-tests]

Clones the last commit into an empty folder with spaces in its path, with an empty home and a folder
of its own for temporary files, and runs `make lab` and `make test` as the README gives them:
JupyterLab without a browser, until chapter 00 answers.
Then it says which files were written outside of the clone: in the home, among the temporary files,
and in the folders of the machine where programs like to leave something. There may be none but the
usual caches of pip, Jupyter, IPython and matplotlib, and the temporary folders that pytest keeps
for a look after a failure. The machine's own folders for temporary files belong to
every program that runs meanwhile: what is new there is named, but is no failure. Needs about 10 GB
where temporary files go (TMPDIR says where), and gives them back.
"""

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).parents[1]
FIRST_CHAPTER = "work/00_start_here.ipynb"
INSTALLED_WITHIN = 30 * 60  # seconds; PyTorch is a download of gigabytes
STARTED_WITHIN = 60
# but no kernel may be registered there
JUPYTER_DATA = (
    "home/.local/share/jupyter",
    "home/Library/Jupyter",
)
USUAL = {
    "pip": ("home/.cache/pip", "home/Library/Caches/pip"),
    "uv": ("home/.cache/uv",),
    "Jupyter": (
        "home/.jupyter",
        *(
            f"{folder}/{name}"
            for folder in JUPYTER_DATA
            for name in ("runtime", "notebook_secret", "nbsignatures.db")
        ),
    ),
    "IPython": ("home/.ipython",),
    "matplotlib": ("home/.cache/matplotlib", "home/.config/matplotlib", "home/.matplotlib"),
    "fontconfig, which matplotlib asks for fonts": ("home/.cache/fontconfig",),
    "pytest": ("tmp/pytest-of-*",),
}
ELSEWHERE = ("/home", "/root", "/Users", "/etc", "/opt", "/usr/local", Path.home())
SHARED = ("/tmp", "/var/tmp", tempfile.gettempdir())
BUSY = 10 * 60  # seconds
# pip asks rustc for its version
REAL_HOMES = (
    ("PIP_CONFIG_FILE", ".config/pip/pip.conf"),
    ("PIP_CONFIG_FILE", ".pip/pip.conf"),
    ("PYENV_ROOT", ".pyenv"),
    ("RUSTUP_HOME", ".rustup"),
)
SETTINGS = (
    "JUPYTER",
    "IPYTHON",
    "MPL",
    "XDG_",
    "KERAS",
    "DASK",
    "TORCH",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "TQDM",
    "MAKE",
    "MFLAGS",
)


def commands(readme: str) -> list[str]:
    """The commands of the README's section "Two commands", without their comments."""
    section = readme.split("## Two commands")[1].split("\n## ")[0].split("<details>")[0]
    return [
        shlex.join(shlex.split(line, comments=True))
        for line in re.findall(r"^    (.+)$", section, re.MULTILINE)
    ]


def newcomer(home: Path, temporary: Path) -> dict[str, str]:
    """The environment of somebody who has set nothing yet; pip still finds its index."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    for name, place in REAL_HOMES:
        if (Path.home() / place).exists():
            own.setdefault(name, str(Path.home() / place))
    return {**own, "HOME": str(home), "TMPDIR": str(temporary)}


@contextmanager
def jupyterlab(
    tree: Path, environment: dict[str, str], log: Path, within: float, command: str = "make lab"
) -> Iterator[str]:
    """Run `make lab` without a browser, give the address that it prints, and stop it."""
    flags = "LAB_FLAGS=--no-browser" + (" --allow-root" if os.geteuid() == 0 else "")
    with log.open("w") as output:
        process = subprocess.Popen(
            [*shlex.split(command), flags],
            cwd=tree,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield _address(process, log, within)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def _address(process: subprocess.Popen, log: Path, within: float) -> str:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline and process.poll() is None:
        if address := re.search(r"(http://localhost:\d+/\S*token=\w+)\s", log.read_text("utf-8")):
            return address[1]
        time.sleep(0.2)
    raise RuntimeError(
        f"JupyterLab gave no address within {within} s. It "
        f"printed:\n{log.read_text('utf-8')[-3000:]}"
    )


def answers(address: str) -> bool:
    """Whether JupyterLab's page comes from this address, and its server has chapter 00."""
    server, token = re.match(r"(http://[^/]+/).*token=(\w+)", address).groups()
    with urlopen(address, timeout=60) as page:
        is_jupyterlab = b"JupyterLab" in page.read()
    with urlopen(f"{server}api/contents/{FIRST_CHAPTER}?token={token}", timeout=60) as chapter:
        return is_jupyterlab and json.load(chapter)["type"] == "notebook"


def written(folder: Path, since: float, leave_out: Iterable[Path] = ()) -> Iterator[Path]:
    """The files below a folder that were written after a moment and can be read."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if Path(parent, name) not in leave_out]
        for path in (Path(parent, name) for name in files):
            with suppress(OSError):
                if path.lstat().st_ctime >= since:
                    yield path


def usual(path: Path, work: Path) -> str | None:
    """Whose usual cache a file below `work` belongs to, or None."""
    places = [path, *path.parents]
    return next(
        (
            owner
            for owner, patterns in USUAL.items()
            for pattern in patterns
            if any(
                place.is_relative_to(work) and fnmatch(place.relative_to(work).as_posix(), pattern)
                for place in places
            )
        ),
        None,
    )


def elsewhere() -> list[Path]:
    """The folders of the machine in which files might be left, none of them inside of another."""
    folders = {Path(folder).resolve() for folder in (*ELSEWHERE, *SHARED)}
    return sorted(
        folder for folder in folders if folder.is_dir() and not folders & set(folder.parents)
    )


def entry_in_shared(path: Path) -> Path | None:
    """The entry of a shared folder for temporary files below which a file lies, or None."""
    shared = {Path(folder).resolve() for folder in SHARED}
    return next((place for place in (path, *path.parents) if place.parent in shared), None)


def busy(began: float, leave_out: Iterable[Path]) -> set[Path]:
    """Folders in which other programs wrote shortly before, and so may write meanwhile."""
    return {
        path.parent for folder in elsewhere() for path in written(folder, began - BUSY, leave_out)
    }


def report(files: Iterable[Path], work: Path) -> list[Path]:
    """Print what was written outside of the clone, and return what is no usual cache."""
    owners = {path: usual(path, work) for path in files}
    for owner, number in sorted(Counter(filter(None, owners.values())).items()):
        print(f"{number:6d} files in the usual cache of {owner}")
    strays = [path for path, owner in owners.items() if owner is None]
    for path in strays:
        print(f"       {path} is no usual cache")
    print(
        f"outside of the clone, {len(owners) - len(strays)} files were written into usual caches "
        f"and {len(strays)} elsewhere"
    )
    return strays


def run(work: Path, with_tests: bool) -> bool:
    """Clone into a folder, run the commands, and say whether they leave nothing outside."""
    clone, home, temporary = work / "style transfer course", work / "home", work / "tmp"
    home.mkdir()
    temporary.mkdir()
    began, leave_out = time.time(), {work, ROOT}
    others = busy(began, leave_out)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    lab, *tests = commands((clone / "README.md").read_text("utf-8"))
    environment = newcomer(home, temporary)
    print(f"{lab}, in {clone}: installs, then starts", flush=True)
    with jupyterlab(clone, environment, work / "lab.txt", INSTALLED_WITHIN, lab) as address:
        works = answers(address)
    print(
        f"{lab}: chapter 00 {'is' if works else 'is not'} there after {time.time() - began:.0f} s",
        flush=True,
    )
    for command in tests if with_tests else []:
        works &= subprocess.run(shlex.split(command), cwd=clone, env=environment).returncode == 0
        print(f"{command}: over after {time.time() - began:.0f} s", flush=True)
    inside = [path for folder in (home, temporary) for path in written(folder, 0)]
    outside = {
        path: entry_in_shared(path)
        for folder in elsewhere()
        for path in written(folder, began, leave_out)
        if path.parent not in others
    }
    for entry in sorted({entry for entry in outside.values() if entry}):
        print(f"       {entry} is new or changed; any program may have done it")
    strays = report([*inside, *(path for path, entry in outside.items() if entry is None)], work)
    return works and not strays


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--without-tests", action="store_true", help="run `make lab` only")
    with_tests = not parser.parse_args().without_tests
    with tempfile.TemporaryDirectory(prefix="fresh machine ") as folder:
        try:
            sys.exit(not run(Path(folder).resolve(), with_tests))
        except RuntimeError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
