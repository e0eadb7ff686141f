"""The package as a whole: quick to import, documented, and built in one direction."""

import ast
import graphlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import stlib

PACKAGE = Path(stlib.__file__).parent
SOURCES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
MAY_IMPORT = {
    "srgb": set(),
    "images": {"srgb"},
    "weights": set(),
    "losses": set(),
    "winograd": set(),
    "heap": set(),
    "frozen": set(),
    "vgg": {"weights", "images", "winograd", "frozen", "heap"},
    "solver": set(),
    "colour": set(),
    "brushes": {"solver", "images"},
    "arguments": {"brushes"},
    "checkpoint": set(),
    "objective": {"vgg", "losses", "arguments", "brushes"},
    "cost": {"vgg", "objective", "solver", "brushes", "winograd", "heap"},
    "transfer": {
        "cost",
        "vgg",
        "objective",
        "images",
        "solver",
        "arguments",
        "colour",
        "brushes",
        "checkpoint",
    },
    "explain": {"vgg", "losses", "images"},
}
HEAVY = ("matplotlib", "torchvision", "keras", "dask", "skimage", "IPython")
TIMED_IMPORT = f"""
import sys, time, torch
before = set(sys.modules)
started = time.perf_counter()
import stlib
print(time.perf_counter() - started)
print(*[name for name in {HEAVY} if name in sys.modules and name not in before])
"""


def imported_modules(source):
    """The modules of stlib that a module imports anywhere, in functions too; "__init__" is the package itself."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.level or node.module == "stlib"):
            names = [
                f"stlib.{node.module or alias.name}" if node.level else f"stlib.{alias.name}"
                for alias in node.names
            ]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module]
        else:
            continue
        found |= {_module_of(name) for name in names if name.split(".")[0] == "stlib"}
    return found


def _module_of(name):
    """The module that `import name` loads: the longest part of the dotted name that is one."""
    parts = name.split(".")[1:]
    candidates = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((candidate for candidate in candidates if candidate in SOURCES), "__init__")


def imports_of(module):
    return imported_modules(SOURCES[module].read_text(encoding="utf-8"))


def public_definitions(body, prefix=""):
    """Yield (name, node) of all functions and classes without an underscore, and of the methods of those classes."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body, f"{prefix}{node.name}.")


@pytest.fixture(scope="module")
def timed_imports():
    """Seconds that `import stlib` takes after `import torch`, and the heavy modules it brings, up to three times."""
    results = []
    while len(results) < 3 and (not results or results[-1][0] >= 1):
        out = subprocess.run(
            [sys.executable, "-c", TIMED_IMPORT], capture_output=True, text=True, check=True
        ).stdout
        seconds, heavy = out.split("\n")[:2]
        results.append((float(seconds), heavy))
    return results


def test_import_takes_under_a_second(timed_imports):
    """Beyond `import torch`; the best of three, since other programs may be busy."""
    assert min(seconds for seconds, _ in timed_imports) < 1


def test_import_brings_nothing_heavy(timed_imports):
    """Plots, other people's networks and clusters are for the chapters that need them."""
    assert {heavy for _, heavy in timed_imports} == {""}


def test_public_names_exist_and_are_documented():
    """`from stlib import *` works, and help() has an answer for each name."""
    assert len(set(stlib.__all__)) == len(stlib.__all__) > 0
    undocumented = [
        name for name in stlib.__all__ if not (getattr(stlib, name).__doc__ or "").strip()
    ]
    assert undocumented == []


def test_all_names_are_those_imported():
    """What __init__ imports from the modules, it exports."""
    (tree,) = [ast.parse(SOURCES["__init__"].read_text(encoding="utf-8"))]
    imported = {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module != "stlib"
        for alias in node.names
    }
    assert set(stlib.__all__) == imported


def test_version_is_that_of_the_project():
    """Written in two places, the same in both."""
    project = tomllib.loads(
        (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    )
    assert stlib.__version__ == project["project"]["version"]


@pytest.mark.parametrize("module", SOURCES)
def test_docstrings_begin_with_a_sentence(module):
    """The first line of every public function, class and method, and of the module, says it all and ends with a full stop."""
    tree = ast.parse(SOURCES[module].read_text(encoding="utf-8"))
    documented = [(module, tree), *public_definitions(tree.body)]
    first_lines = {
        name: (ast.get_docstring(node) or "").split("\n")[0] for name, node in documented
    }
    assert {name: line for name, line in first_lines.items() if not line.endswith(".")} == {}


@pytest.mark.parametrize("module", SOURCES)
def test_no_module_is_long(module):
    """A module that passes about 300 lines is asking to be two."""
    assert len(SOURCES[module].read_text(encoding="utf-8").splitlines()) <= 330


@pytest.mark.parametrize("module", MAY_IMPORT)
def test_imports_run_one_way(module):
    """images, weights and losses know nobody; vgg and transfer know what lies below them."""
    assert imports_of(module) <= MAY_IMPORT[module]


def test_imports_make_no_circle():
    """Nor does any module import the package that imports it."""
    graphlib.TopologicalSorter({module: imports_of(module) for module in SOURCES}).prepare()


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import stlib", {"__init__"}),
        ("import stlib.vgg as v, torch", {"vgg"}),
        ("from stlib import VGG", {"__init__"}),
        ("from stlib import winograd, sample", {"winograd", "__init__"}),
        ("from stlib.vgg import VGG", {"vgg"}),
        ("from stlib.course.check.exercise import Wrong", {"check.exercise"}),
        ("from . import vgg", {"vgg"}),
        ("from .vgg import VGG", {"vgg"}),
        ("def f():\n    from stlib.losses import gram_matrix", {"losses"}),
        ("import torch\nfrom torch import stlib", set()),
    ],
)
def test_imports_are_found(source, modules):
    """The three tests above see every way of importing."""
    assert imported_modules(source) == modules
