"""Install the course into .venv, or complete what is there; `make setup` calls it.

    python3 scripts/install.py [--torch-index ADDRESS] [EXTRA …]

What is new in the environment gets the version that uv.lock names, as far as the registry that is
reached has it; what is installed already stays. uv installs where there is one, otherwise pip, and
also where pip has been told of a mirror or a certificate, because uv does not read pip's settings.
On Linux without an NVIDIA card, PyTorch's build for processors is taken where it can be had: the
other fills about 5.5 GB. `uv lock` writes uv.lock anew.
"""

import argparse
import csv
import os
import platform
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

# An older Python must come as far as this sentence, so nothing above it and no grammar is newer.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        f"{sys.executable} is older than Python 3.11. Install a newer one, "
        "or say where it is: make PYTHON=/path/to/python3"
    )

import tomllib

ROOT = Path(__file__).parents[1]
DRIVER = Path("/proc/driver/nvidia")
PYTORCH = ("torch", "torchvision")
MIRROR_FOR_PIP_ONLY = re.compile(
    r"\.(index-url|extra-index-url|find-links|cert|proxy|trusted-host)="
)
NO_SUCH_VERSION = ("No matching distribution", "ResolutionImpossible", "No solution found")
NOTHING_REACHED = "(from versions: none)"


def locked(lock: str) -> dict[str, list[str]]:
    """Return the constraints, in pip's form, by which each package gets its locked version.

    lock: the text of a uv.lock.
    A package has several where the version depends on Python or the system.
    """
    constraints: dict[str, list[str]] = {}
    for package in tomllib.loads(lock)["package"]:
        if "registry" in package["source"]:
            machines = " or ".join(f"({mark})" for mark in package.get("resolution-markers", ()))
            constraints.setdefault(package["name"], []).append(
                f"{package['name']}=={package['version']}" + (f" ; {machines}" if machines else "")
            )
    return constraints


def has_nvidia_card() -> bool:
    return DRIVER.exists() or shutil.which("nvidia-smi") is not None


def says(*command: str | Path) -> str | None:
    """What a command prints, or None if it fails or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return None
    return None if done.returncode else done.stdout.strip()


def environment(folder: Path) -> Path:
    """Return the Python of an environment; one that is there stays, otherwise it is made."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    uv = shutil.which("uv")
    if says(python, "-c", "import pip") is not None:
        return python
    if says(python, "-c", "") is not None:
        make: list[str | Path] = [python, "-m", "ensurepip"]  # uv makes environments without pip
    elif find_spec("venv") and find_spec("ensurepip"):
        make = [sys.executable, "-m", "venv", folder]
    elif uv:
        make = [uv, "venv", "--quiet", "--seed", "--python", sys.executable, folder]
    else:
        sys.exit(
            "Python lacks its venv module. On Debian and Ubuntu: sudo apt install python3-venv"
        )
    if subprocess.run(make).returncode:
        sys.exit(f"{folder} is no usable environment, for the reason above. Try: make clean setup")
    return python


def is_whole(note: Path) -> bool:
    """Whether all files are there that a package's .dist-info lists; not so if it was stopped."""
    record = note / "RECORD"
    return record.is_file() and all(
        (note.parent / row[0]).exists()
        for row in csv.reader(record.read_text("utf-8").splitlines())
        if row and not row[0].endswith(".pyc")
    )


def installed(packages: Path) -> dict[str, str]:
    """Return the version of each package of an environment.

    packages: its site-packages. The .dist-info of a package that is not whole is taken away, so
    that it is installed again.
    """
    versions = {}
    for note in packages.glob("*.dist-info"):
        name, version = note.stem.rsplit("-", 1)
        if is_whole(note):
            versions[re.sub(r"[-_.]+", "-", name).lower()] = version
        else:
            shutil.rmtree(note)
    return versions


def installer(python: Path) -> list[str | Path]:
    """Return the command that installs into the environment of this Python."""
    uv = shutil.which("uv")
    settings = says(python, "-m", "pip", "config", "list") or ""
    if uv and not MIRROR_FOR_PIP_ONLY.search(settings):
        return [uv, "pip", "install", "--quiet", "--python", python]
    return [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def offers(python: Path, requirement: str, index: list[str]) -> bool:
    """Whether the registry that pip reaches, or a further index, has exactly this version."""
    name, version = requirement.split("==")
    # One repetition: where a firewall swallows the question, pip would ask for minutes.
    listed = says(python, "-m", "pip", "index", "versions", name, "--retries", "1", *index)
    return version in re.split(r"[\s,()]+", listed or "")


def small_pytorch(constraints: dict[str, list[str]], here: dict[str, str]) -> list[str]:
    """Return the requirements of PyTorch's build for processors that are still to be installed.

    constraints: the locked versions. here: what is installed, with its version.
    There are none beside a card, on another system than Linux, and beside another build of torch.
    """
    small = {name: constraints[name][0] + "+cpu" for name in PYTORCH}
    is_another = "torch" in here and f"torch=={here['torch']}" != small["torch"]
    if platform.system() != "Linux" or has_nvidia_card() or is_another:
        return []
    return [small[name] for name in PYTORCH if name not in here]


def run(command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    sys.stderr.write(done.stderr)
    return done


def install(command: list[str | Path], constraints: list[str], arguments: list[str]) -> None:
    """Install in the locked versions, or in others where the registry lacks one; or say why not.

    command: what installs. constraints: the locked versions. arguments: what to install.
    """
    file = ROOT / ".venv/constraints.txt"
    file.write_text("\n".join(constraints) + "\n", "utf-8")
    done = run([*command, "--constraint", file, *arguments])
    lacks_a_version = any(words in done.stderr for words in NO_SUCH_VERSION)
    if done.returncode and lacks_a_version and NOTHING_REACHED not in done.stderr:
        tell("A version of uv.lock cannot be had here, so the newest that fit are installed.")
        done = run([*command, *arguments])
    if done.returncode:
        sys.exit(
            "The installation is not complete; the words above say why. With a connection, and "
            "room on the disk, the same command goes on where it stopped. If the package registry "
            "is out of reach, name a mirror: pip config set global.index-url ADDRESS"
        )


def tell(sentence: str) -> None:
    print(sentence, flush=True)  # before what the installer says


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("extras", nargs="*", metavar="EXTRA", default=["course", "test"])
    parser.add_argument("--torch-index", help="where PyTorch's build for processors may be had")
    options = parser.parse_args(arguments)
    tell("Installing into .venv; the first time this takes some minutes, most of them for PyTorch.")
    python = environment(ROOT / ".venv")
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(says(python, "-c", where) or "")
    constraints = locked((ROOT / "uv.lock").read_text("utf-8"))
    command = installer(python)
    small = small_pytorch(constraints, installed(packages))
    index = ["--extra-index-url", options.torch_index] if options.torch_index else []
    if small and all(offers(python, requirement, index) for requirement in small):
        tell("This machine has no NVIDIA card: PyTorch's build for processors is installed.")
        install(command, [], ["--no-deps", *index, *small])
    elif small:
        tell(
            f"This machine has no NVIDIA card, but PyTorch's build for processors ({small[0]}) "
            f"cannot be had from {options.torch_index or 'this registry'}: the one for NVIDIA "
            "cards is installed, which fills about 5.5 GB."
        )
    here = installed(packages)
    stays = {*here, *(PYTORCH if "torch" in here else ())}  # torchvision fits one torch only
    install(
        command,
        [line for name in constraints if name not in stays for line in constraints[name]],
        ["--editable", f".[{','.join(options.extras)}]"],
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Stopped. The same command goes on from here.")
