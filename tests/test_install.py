"""scripts/install.py and uv.lock: what is installed on which machine, and what is told."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))  # a folder of scripts, not a package

import install  # noqa: E402

INDEX = "https://torch.example/whl/cpu"
LOCK = "".join(
    f"""[[package]]
name = "{name}"
version = "{version}"
source = {{ {source} }}
{rest}
"""
    for name, version, source, rest in [
        ("our-course", "1.0", 'editable = "."', ""),
        ("torch", "2.9.0", 'registry = "R"', ""),
        ("torchvision", "0.24.0", 'registry = "R"', ""),
        (
            "numpy",
            "2.4.0",
            'registry = "R"',
            """resolution-markers = ["python_full_version < '3.12'"]""",
        ),
        (
            "numpy",
            "2.6.0",
            'registry = "R"',
            """resolution-markers = ["python_full_version >= '3.12'"]""",
        ),
        ("jupyter-core", "5.9", 'registry = "R"', ""),
    ]
)
TORCH = ["torch==2.9.0", "torchvision==0.24.0"]
NUMPY = [
    "numpy==2.4.0 ; (python_full_version < '3.12')",
    "numpy==2.6.0 ; (python_full_version >= '3.12')",
]
JUPYTER = ["jupyter-core==5.9"]
SMALL = ["torch==2.9.0+cpu", "torchvision==0.24.0+cpu"]
# Python, pip and uv of a machine that installs nothing: each writes down what it was asked.
STUB = f"""#!{sys.executable} -IS
import json, shutil, sys
from pathlib import Path

here = Path("FOLDER")
machine = json.loads((here / "machine.json").read_text())
asked = [Path(sys.argv[0]).name, *sys.argv[1:]]
text = " ".join(asked)
if "import pip" in asked and not machine["has_pip"]:
    sys.exit(1)
elif "-c" in asked:
    print(here / "site-packages")
elif "config list" in text:
    print(machine["settings"])
elif "index versions" in text:
    name = asked[asked.index("versions") + 1]
    print(f"{{name}} ({{machine['offered'][name][0]}})")
    print("Available versions: " + ", ".join(machine["offered"][name]))
else:
    with (here / "asked").open("a") as notes:
        notes.write(json.dumps(asked) + chr(10))
    if "venv" in asked:
        folder = Path(asked[-1], "bin")
        folder.mkdir(parents=True)
        shutil.copy(sys.argv[0], folder / "python")
    elif machine["refusals"]:
        refusal, *machine["refusals"] = machine["refusals"]
        (here / "machine.json").write_text(json.dumps(machine))
        if refusal:
            sys.exit(refusal)
    for name, version in [word.split("==") for word in asked if "==" in word]:
        note = here / "site-packages" / f"{{name}}-{{version}}.dist-info"
        note.mkdir(parents=True)
        (note / "RECORD").write_text("")
"""
LACKS, OFFLINE = (
    "ERROR: Could not find a version that satisfies the requirement numpy "
    f"(from versions: {there})\nERROR: No matching distribution found for numpy==2.4.0"
    for there in ("2.3.0", "none")
)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """machine(commands, …): what installing asks of Python, pip and uv on such a machine.

    commands: what is on the PATH. system, offered, settings, refusals: its system, the versions
    that its registry has, pip's settings, and what the next installations end with;
    has_pip: whether its environment does.
    """
    (tmp_path / "uv.lock").write_text(LOCK)
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "DRIVER", tmp_path / "no driver")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    def stub(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STUB.replace("FOLDER", str(tmp_path)))
        path.chmod(0o755)
        return str(path)

    monkeypatch.setattr(sys, "executable", stub(tmp_path / "python/python3"))

    def asked(
        *commands, system="Linux", offered=TORCH + SMALL, settings="", refusals=(), has_pip=True
    ):
        for command in commands:
            stub(tmp_path / "bin" / command)
        monkeypatch.setattr(install.platform, "system", lambda: system)
        versions = {name: [] for name in install.PYTORCH}
        for name, version in (requirement.split("==") for requirement in offered):
            versions[name].append(version)
        state = {
            "settings": settings,
            "offered": versions,
            "refusals": list(refusals),
            "has_pip": has_pip,
        }
        (tmp_path / "machine.json").write_text(json.dumps(state))
        (tmp_path / "asked").write_text("")
        try:
            install.main(["--torch-index", INDEX])
        finally:
            notes = (tmp_path / "asked").read_text().replace(str(tmp_path) + "/", "")
            asked.last = [json.loads(line) for line in notes.splitlines()]
        return asked.last

    return asked


def have(folder, name, version, record=""):
    """Put a package's note among the installed ones."""
    note = folder / "site-packages" / f"{name}-{version}.dist-info"
    note.mkdir(parents=True)
    (note / "RECORD").write_text(record)
    return note


def constraints(folder):
    return (folder / ".venv/constraints.txt").read_text().split("\n")[:-1]


PIP = ["python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
UV = ["uv", "pip", "install", "--quiet", "--python", ".venv/bin/python"]
MAKE = ["python3", "-m", "venv", ".venv"]
LOCKED = ["--constraint", ".venv/constraints.txt"]
COURSE = ["--editable", ".[course,test]"]


def test_a_new_environment_gets_the_locked_versions(machine, tmp_path):
    """Those of the registry, for each Python its own; the course itself is none of them."""
    assert machine(system="Darwin") == [MAKE, [*PIP, *LOCKED, *COURSE]]
    assert constraints(tmp_path) == [*TORCH, *NUMPY, *JUPYTER]


def test_uv_installs_where_there_is_one(machine, tmp_path):
    """The same, in the same environment."""
    assert machine("uv", system="Darwin") == [MAKE, [*UV, *LOCKED, *COURSE]]
    assert constraints(tmp_path) == [*TORCH, *NUMPY, *JUPYTER]


@pytest.mark.parametrize(
    "setting", ["global.index-url='M'", ":env:.find-links='M'", "global.cert='C'"]
)
def test_pip_installs_where_only_pip_knows_the_mirror(machine, setting):
    """uv does not read pip's settings; other settings do not matter."""
    assert machine("uv", system="Darwin", settings=setting)[-1] == [*PIP, *LOCKED, *COURSE]
    assert machine("uv", system="Darwin", settings="global.timeout='60'")[-1][0] == "uv"


@pytest.mark.parametrize("commands", [[], ["uv"]], ids=["pip", "uv"])
def test_without_a_card_pytorch_is_the_small_build(machine, tmp_path, capsys, commands):
    """On Linux; it comes first and without what it needs, so that nothing else is taken there."""
    _, pytorch, course = machine(*commands)
    command = UV if commands else PIP
    small = ["--no-deps", "--extra-index-url", INDEX, *SMALL]
    assert pytorch == [*command, *LOCKED, *small]
    assert course == [*command, *LOCKED, *COURSE]
    assert constraints(tmp_path) == [*NUMPY, *JUPYTER], "torch would be replaced"
    assert "no NVIDIA card" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("commands", "system"), [(["nvidia-smi"], "Linux"), ([], "Darwin"), ([], "Windows")]
)
def test_elsewhere_pytorch_is_the_registrys(machine, commands, system, capsys):
    """With a card; and on systems for which the registry has the small build only."""
    assert machine(*commands, system=system) == [MAKE, [*PIP, *LOCKED, *COURSE]]
    assert "GB" not in capsys.readouterr().out


def test_a_driver_is_a_card(machine, tmp_path, monkeypatch):
    """In a container nvidia-smi may be missing."""
    monkeypatch.setattr(install, "DRIVER", tmp_path)
    assert len(machine()) == 2


@pytest.mark.parametrize(
    "offered", [[], TORCH, [*TORCH, SMALL[0]], [f"{build}.cxx11" for build in SMALL]]
)
def test_where_the_small_build_is_missing_the_large_one_is_told(machine, tmp_path, capsys, offered):
    """In a sentence, with its size; half of it, or a similar name, is not it."""
    assert machine(offered=offered) == [MAKE, [*PIP, *LOCKED, *COURSE]]
    assert constraints(tmp_path)[:2] == TORCH
    said = capsys.readouterr().out
    assert f"cannot be had from {INDEX}" in said and "about 5.5 GB" in said


def test_an_environment_of_ones_own_is_completed(machine, tmp_path):
    """What is in it stays: it is not made again, and no version is asked of its packages."""
    machine()
    shutil.rmtree(tmp_path / "site-packages")
    have(tmp_path, "torch", "2.7.1+rocm6.3")
    have(tmp_path, "Jupyter_Core", "5.8")
    assert machine() == [[*PIP, *LOCKED, *COURSE]]
    assert constraints(tmp_path) == NUMPY, "another torchvision would bring another torch"


def test_an_environment_without_pip_is_given_one(machine):
    """uv makes them so; its Python stays."""
    machine()
    given, _ = machine(has_pip=False)
    assert given == ["python", "-m", "ensurepip"]


def test_what_was_interrupted_is_installed_again(machine, tmp_path):
    """A package lacks a file that it lists, or the list; those that are whole stay."""
    machine(system="Darwin")
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages/whole.py").touch()
    whole = have(tmp_path, "jupyter_core", "5.9", "whole.py,,\n__pycache__/whole.pyc,,\n")
    half = have(tmp_path, "torchvision", "0.24.0+cpu", "whole.py,,\ntorchvision/ops.py,,\n")
    have(tmp_path, "torch", "2.9.0+cpu")
    have(tmp_path, "numpy", "2.4.0").joinpath("RECORD").unlink()
    pytorch, _ = machine()
    assert pytorch[-2:] == [INDEX, SMALL[1]]
    assert constraints(tmp_path) == NUMPY
    assert whole.is_dir() and half.is_dir(), "the stub has installed it again"
    assert (half / "RECORD").read_text() == ""


def test_a_stopped_installation_goes_on(machine, tmp_path, capfd):
    """With the same command, in the same environment; what was said stands before the advice."""
    with pytest.raises(SystemExit, match="same command goes on"):
        machine(refusals=["", "Connection broken"])
    assert "Connection broken" in capfd.readouterr().err
    assert machine() == [[*PIP, *LOCKED, *COURSE]], "PyTorch is there already"


def test_a_registry_that_lacks_a_locked_version_gives_another(machine, capsys):
    """Said in a sentence; then no version is asked for."""
    _, first, second = machine(system="Darwin", refusals=[LACKS])
    assert first == [*PIP, *LOCKED, *COURSE] and second == [*PIP, *COURSE]
    assert "newest that fit" in capsys.readouterr().out


@pytest.mark.parametrize("refusal", [OFFLINE, "No space left on device"])
def test_other_refusals_end_it(machine, refusal):
    """Another version would help neither the net nor the disk."""
    with pytest.raises(SystemExit, match=r"With a connection, and room .* a mirror: pip config"):
        machine(system="Darwin", refusals=[refusal])
    assert machine.last == [MAKE, [*PIP, *LOCKED, *COURSE]]


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_python_without_its_venv_module(machine, monkeypatch, missing):
    """Debian's, for example: the package is named; uv can do without."""
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        SystemExit, match=r"lacks its venv module\..* sudo apt install python3-venv"
    ):
        machine(system="Darwin")
    assert machine.last == []
    made, _ = machine("uv", system="Darwin")
    assert made[:2] == ["uv", "venv"] and made[-2:] == ["python/python3", ".venv"]


def test_an_older_python_is_told_which_it_needs(tmp_path):
    """In a sentence, before any grammar that it does not know."""
    source = (ROOT / "scripts/install.py").read_text("utf-8")
    ast.parse(source, feature_version=(3, 6))
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.version_info = (3, 10, 13)")
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/install.py"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and not done.stdout
    assert re.fullmatch(r".* is older than Python 3\.11\. .* make PYTHON=\S+\n", done.stderr)


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_installs_until_it_succeeds_once(tmp_path):
    """With the Python that is named; a missing one is told."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "scripts").mkdir()
    (tmp_path / ".venv").mkdir()

    def make(code, python=sys.executable):
        (tmp_path / "scripts/install.py").write_text(f"import sys; print(*sys.argv[1:]); {code}")
        command = ["make", "--no-print-directory", "setup"]  # `make test` runs this within make
        command += [f"PYTHON={python}", f"TORCH_INDEX={INDEX}"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert "There is no /no/python3" in make("", "/no/python3").stderr
    for code, complete in (("sys.exit(1)", False), ("", True)):
        assert make(code).stdout == f"--torch-index {INDEX}\n"
        assert (tmp_path / ".venv/complete").is_file() is complete
    assert "Nothing to be done" in make("").stdout


def wheel(folder, name, version):
    """Put an empty package on a registry in a folder."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    note = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(place / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(
            f"{note}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{note}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{note}/RECORD", "")
    links = "".join(
        f'<a href="{path.name}">{path.name}</a>' for path in sorted(place.glob("*.whl"))
    )
    (place / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry in a folder with torch 2.9.0, and a further one with its build for processors."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, versions in (("own", ["2.8.0", "2.9.0"]), ("further", ["2.9.0+cpu"])):
        for version in versions:
            wheel(tmp_path / name, "torch", version)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "own").as_uri())
    return tmp_path


def test_real_pip_tells_which_builds_there_are(registry):
    """The small one only where the further registry has it; a registry out of reach has none."""
    further, nowhere = (
        ["--extra-index-url", (registry / name).as_uri()] for name in ("further", "nowhere")
    )
    here = Path(sys.executable)
    assert install.offers(here, "torch==2.9.0+cpu", further)
    assert install.offers(here, "torch==2.9.0", nowhere)
    assert not install.offers(here, "torch==2.9.0+cpu", nowhere)


@pytest.mark.parametrize(
    ("package", "is_lacking"), [("torch==2.7.0", True), ("elsewhere==1.0", False)]
)
def test_real_pip_says_what_is_missing(registry, package, is_lacking):
    """A version, where there are others of the package; or all, as without a connection."""
    said = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--target", registry, package],
        capture_output=True,
        text=True,
    ).stderr
    assert any(words in said for words in install.NO_SUCH_VERSION)
    assert (install.NOTHING_REACHED not in said) is is_lacking


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCK_FILE = ROOT / "uv.lock"
LOCKED_PACKAGES = tomllib.loads(LOCK_FILE.read_text("utf-8"))["package"]
(OURS,) = (package for package in LOCKED_PACKAGES if "editable" in package["source"])


def parts(name, specifier, extras, marker):
    """A requirement in a form that can be compared."""
    return (
        canonicalize_name(name),
        ",".join(sorted(str(specifier).split(","))),
        tuple(sorted(extras)),
        str(Marker(marker)) if marker else "",
    )


def test_the_lock_is_that_of_pyproject():
    """The same requirements, extras and version; after a change, `uv lock` writes it anew."""
    in_extras = {
        f"{requirement} ; extra == '{extra}'"
        for extra, requirements in PROJECT["optional-dependencies"].items()
        for requirement in requirements
    }
    wanted = map(Requirement, {*PROJECT["dependencies"], *in_extras})
    assert {
        parts(one["name"], one.get("specifier", ""), one.get("extras", ()), one.get("marker"))
        for one in OURS["metadata"]["requires-dist"]
    } == {parts(one.name, one.specifier, one.extras, str(one.marker or "")) for one in wanted}
    assert sorted(OURS["metadata"]["provides-extras"]) == sorted(PROJECT["optional-dependencies"])
    assert OURS["version"] == PROJECT["version"]
    assert (
        tomllib.loads(LOCK_FILE.read_text("utf-8"))["requires-python"] == PROJECT["requires-python"]
    )


def test_the_locked_versions_satisfy_pyproject():
    """Every requirement of the course, at every version of its package."""
    versions = {}
    for package in LOCKED_PACKAGES:
        versions.setdefault(package["name"], []).append(package.get("version"))
    in_extras = chain.from_iterable(PROJECT["optional-dependencies"].values())
    for requirement in map(Requirement, {*PROJECT["dependencies"], *in_extras}):
        for version in versions[canonicalize_name(requirement.name)]:
            assert requirement.specifier.contains(version), requirement


def test_every_python_gets_one_version_of_each_package():
    """On each system; PyTorch's is the same everywhere, since its small build is named after it."""
    constraints = install.locked(LOCK_FILE.read_text("utf-8"))
    assert [len(constraints[name]) for name in install.PYTORCH] == [1, 1]
    assert ";" not in "".join(constraints[name][0] for name in install.PYTORCH)
    for system in ("linux", "darwin", "win32"):
        for python in ("3.11", "3.12", "3.13", "3.14"):
            machine = {
                "sys_platform": system,
                "python_version": python,
                "python_full_version": f"{python}.3",
            }
            for lines in constraints.values():
                markers = [Requirement(line).marker for line in lines]
                fitting = [mark for mark in markers if mark is None or mark.evaluate(machine)]
                assert len(fitting) <= 1, lines


def test_the_lock_names_only_the_public_registry():
    """No mirror that only some machine can reach."""
    text = LOCK_FILE.read_text("utf-8")
    hosts = {urlsplit(address).hostname for address in re.findall(r'"(\w+://[^"]+)"', text)}
    assert hosts == {"py" + "pi.org", "files.python" + "hosted.org"}
    assert "file:" not in text and "path =" not in text


def test_a_container_installs_as_the_readme_does():
    """With the same command, and its editor takes the environment that this makes."""
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text("utf-8"))
    assert container["postCreateCommand"] == "make setup"
    settings = container["customizations"]["vscode"]["settings"]
    assert settings["python.defaultInterpreterPath"].endswith("/.venv/bin/python")


def test_ci_installs_by_the_same_script():
    """And so in the locked versions; no line of its own asks pip."""
    script = (ROOT / ".ci/run").read_text("utf-8")
    assert "make setup" in script and "scripts/install.py" in script
    assert "pip install" not in script


def test_pip_can_read_condas_part_for_it():
    """conda hands it over as a requirements file, in which few options are allowed."""
    entries = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    (for_pip,) = [entry["pip"] for entry in entries if isinstance(entry, dict)]
    assert for_pip[-1] == "--editable ."
    assert all(map(Requirement, for_pip[:-1]))
