"""The ways to install the course agree with each other."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"torch": "pytorch"}


def requirements() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    return {
        *project["dependencies"],
        *extras["course"],
        *extras["test"],
        f"python{project['requires-python']}",
    }


def test_environment_yml_has_the_packages_of_pyproject():
    packages = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    (from_pip,) = [entry["pip"] for entry in packages if isinstance(entry, dict)]
    named = {entry for entry in packages if isinstance(entry, str)} - {"pip"}
    named |= {entry for entry in from_pip if not entry.startswith("-")}
    ours = {
        re.sub(r"^\w+", lambda name: CONDA_NAMES.get(name[0], name[0]), requirement)
        for requirement in requirements()
    }
    assert named == ours


def test_environment_yml_gives_a_reason_beside_each_package():
    lines = (
        (ROOT / "environment.yml").read_text("utf-8").split("dependencies:")[1].strip().splitlines()
    )
    for line in lines:
        assert re.search(r"# \w|- pip:$", line), line


def test_the_version_is_one():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert f'__version__ = "{version}"' in (ROOT / "stlib/__init__.py").read_text("utf-8")
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text("utf-8")


def test_ci_runs_the_readmes_test_command():
    assert "make test" in (ROOT / "README.md").read_text("utf-8")
    assert (ROOT / ".ci/run").read_text("utf-8").rstrip().endswith("make test")


def test_no_file_names_this_machine_or_a_registry():
    """The project holds no absolute path of a workplace and no host name of a package index."""
    hosts = ("py" + "pi.org", "pythonhosted" + ".org", "download." + "pytorch", "/work" + "/")
    for path in ROOT.rglob("*"):
        if path.suffix in {".py", ".md", ".toml", ".yml", ".cfg", ".ipynb", ".cff"} and not {
            ".venv",
            "build",
            "work",
        } & {*path.relative_to(ROOT).parts}:
            content = path.read_text("utf-8")
            assert not [host for host in hosts if host in content], path
