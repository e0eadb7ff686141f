"""The package as a whole: quick to import, documented, built in one direction, honest."""

import ast
import graphlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import stlib

PACKAGE = Path(stlib.__file__).parent
ROOT = Path(__file__).parents[1]
SOURCES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
COURSE = {module for module in SOURCES if module.split(".")[0] == "course"}
PACKAGES = {"stlib", *(f"stlib.{module.rpartition('.')[0]}" for module in SOURCES)} - {"stlib."}
DOORS = {"__init__", "__main__"}  # they load the course when somebody asks for it
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HEAVY = ("matplotlib", "torchvision", "keras", "dask", "distributed", "skimage", "IPython")
TIMED_IMPORT = f"""
import sys, time, torch
before = set(sys.modules)
started = time.perf_counter()
import stlib
print(time.perf_counter() - started)
print(*[name for name in {HEAVY} if name in sys.modules and name not in before])
"""


def python(code, *arguments):
    """What a fresh Python prints that runs this code."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def imported_modules(source, at_once=False):
    """The modules of stlib that a module imports; "__init__" is the package itself.

    at_once: only those that are loaded with it, not those that its functions import.
    """
    found = set()
    for node in _outside_functions(ast.parse(source)) if at_once else ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module in PACKAGES:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module]
        else:
            continue
        found |= {_module_of(name) for name in names if name.split(".")[0] == "stlib"}
    return found


def imports_relatively(source):
    return any(
        isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(ast.parse(source))
    )


def _outside_functions(node):
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.Lambda)):
            yield child
            yield from _outside_functions(child)


def _module_of(name):
    """The module that `import name` loads: the longest part of the dotted name that is one."""
    parts = name.split(".")[1:]
    candidates = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((candidate for candidate in candidates if candidate in SOURCES), "__init__")


def imports_of(module, at_once=False):
    return imported_modules(SOURCES[module].read_text(encoding="utf-8"), at_once)


def all_below(module):
    """All modules that a module imports, or that those import, and so on."""
    below, waiting = set(), {module}
    while waiting:
        new = imports_of(waiting.pop()) - below
        below |= new
        waiting |= new
    return below


def public_definitions(body, prefix=""):
    """Yield (name, node) of all functions and classes without an underscore, and their methods."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body, f"{prefix}{node.name}.")


def texts(*kinds):
    """Yield (path, text) of the repository's own files with these suffixes, or names."""
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") for part in inside)
        if (
            not hidden
            and inside[0] not in {"build", "work"}
            and path.is_file()
            and (path.suffix or path.name) in kinds
        ):
            yield path, path.read_text(encoding="utf-8")


def code(path, text):
    """The Python of a file: of a notebook, that of its code cells."""
    if path.suffix != ".ipynb":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    lines = "\n".join("".join(cell["source"]) for cell in cells).split("\n")
    return "\n".join(line for line in lines if not line.startswith(("%", "!")))  # IPython's own


# quick to import


@pytest.fixture(scope="module")
def timed_imports():
    """Seconds that `import stlib` takes after `import torch`, and the heavy modules it brings."""
    results = []
    while len(results) < 3 and (not results or results[-1][0] >= 1):
        seconds, heavy = python(TIMED_IMPORT).split("\n")[:2]
        results.append((float(seconds), heavy))
    return results


def test_import_takes_under_a_second(timed_imports):
    """Beyond `import torch`; the best of three, since other programs may be busy."""
    assert min(seconds for seconds, _ in timed_imports) < 1


def test_import_brings_nothing_heavy(timed_imports):
    """Plots, other people's networks and clusters are for the chapters that need them."""
    assert {heavy for _, heavy in timed_imports} == {""}


# what it offers


def test_public_names_are_documented():
    """help() has an answer for each name, and no name is there twice."""
    assert len(set(stlib.__all__)) == len(stlib.__all__) > 0
    undocumented = [
        name for name in stlib.__all__ if not (getattr(stlib, name).__doc__ or "").strip()
    ]
    assert undocumented == []


def test_all_names_are_those_imported():
    """What __init__ imports from the modules, it exports, and `doctor`, which is loaded later."""
    tree = ast.parse(SOURCES["__init__"].read_text(encoding="utf-8"))
    imported = {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module.startswith("stlib.")
        for alias in node.names
        if node.module != "stlib._kernels"
    }
    assert set(stlib.__all__) == imported | {"doctor"}


EVERYTHING = """
import importlib, json, pkgutil, re
import stlib
asked = [*stlib.LAZY, *stlib.__all__, *re.findall(r"`(\\w+)`", stlib.__doc__)]
missing = [name for name in asked if not hasattr(stlib, name) or name not in dir(stlib)]
hidden = []
for found in pkgutil.iter_modules(stlib.__path__):
    if found.name != "__main__":
        module = importlib.import_module(f"stlib.{found.name}")
        hidden += [found.name] * (getattr(stlib, found.name) is not module)
loaded = {name: getattr(stlib, name).__name__ for name in stlib.LAZY}
exec("from stlib import *", everything := {})
print(json.dumps([missing, hidden, loaded, sorted(everything)]))
"""


def test_every_name_can_be_had_after_import_stlib_alone():
    """In a fresh process: public names, lazy parts, and whatever the docstring names.

    And no public function hides a module of its name.
    """
    missing, hidden, loaded, everything = json.loads(python(EVERYTHING))
    assert missing == []
    assert hidden == []
    assert loaded == {name: module for name, (module, _) in stlib.LAZY.items()}
    assert set(stlib.__all__) <= set(everything)


def test_what_does_not_exist_is_missed_by_its_name():
    with pytest.raises(AttributeError, match="module 'stlib' has no attribute 'colours'"):
        stlib.colours  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'colours'"):
        exec("from stlib import colours")


def test_errors_are_known_by_one_base():
    """Whoever catches StlibError catches what only stlib raises."""
    own = [
        value
        for value in vars(stlib).values()
        if inspect.isclass(value) and issubclass(value, Exception)
    ]
    assert len(own) > 4
    assert all(issubclass(error, stlib.StlibError) for error in own)


@pytest.mark.parametrize("module", SOURCES)
def test_docstrings_begin_with_a_sentence(module):
    """The first line of each module, public function, class and method ends with a full stop."""
    tree = ast.parse(SOURCES[module].read_text(encoding="utf-8"))
    documented = [(module, tree), *public_definitions(tree.body)]
    first_lines = {
        name: (ast.get_docstring(node) or "").split("\n")[0] for name, node in documented
    }
    assert {name: line for name, line in first_lines.items() if not line.endswith(".")} == {}


# built in one direction


@pytest.mark.parametrize("module", sorted(SOURCES.keys() - COURSE))
def test_nothing_but_the_course_knows_the_course(module):
    """What paints needs no plots and no exercises; the two doors load them when asked."""
    at_once = module in DOORS
    assert not imports_relatively(SOURCES[module].read_text(encoding="utf-8"))
    assert imports_of(module, at_once) & COURSE == set()
    if module not in DOORS:
        assert "stlib.course" not in SOURCES[module].read_text(encoding="utf-8")


def private_parts(source):
    """Yield what a program takes of stlib that begins with an underscore."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute):
            names = [ast.unparse(node)]
        else:
            continue
        yield from (name for name in names if re.match(r"stlib\b.*\._(?!_)", name))


def test_what_begins_with_an_underscore_is_the_packages_own():
    """Scripts, benchmarks, figures and notebooks take what is public; tests may look inside."""
    taken = [
        f"{path.relative_to(ROOT)}: {name}"
        for path, text in texts(".py", ".ipynb")
        if not path.is_relative_to(PACKAGE) and not path.is_relative_to(ROOT / "tests")
        for name in private_parts(code(path, text))
    ]
    assert "\n".join(taken) == ""


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("import stlib._files", 1),
        ("from stlib import VGG, _files", 1),
        ("from stlib._kernels import frozen, memory", 2),
        ("from stlib.course.show import _looks", 1),
        ("import stlib\nstlib._progress.progress_bar(3)", 2),
        ("import stlib\nprint(stlib.__version__)", 0),
        ("from stlib import show\nprint(show.LOOK)", 0),
    ],
)
def test_private_parts_are_seen(source, count):
    assert len(list(private_parts(source))) == count


def test_the_loop_knows_nobody():
    """`descend` calls what it is given: neither the record of a run, nor who runs it.

    Below it are only what its arguments are checked with, and the language of what is said then.
    """
    assert all_below("descent") == {"_language", "arguments", "errors", "layers"}


def test_imports_make_no_circle():
    """Nor does any module import the package that imports it."""
    graphlib.TopologicalSorter({module: imports_of(module) for module in SOURCES}).prepare()


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import stlib", {"__init__"}),
        ("import stlib.vgg as v, torch", {"vgg"}),
        ("from stlib import VGG", {"__init__"}),
        ("from stlib import vgg, sample", {"vgg", "__init__"}),
        ("from stlib import _files", {"_files"}),
        ("from stlib._kernels import frozen, memory", {"_kernels.frozen", "_kernels.memory"}),
        ("from stlib.vgg import VGG", {"vgg"}),
        ("from stlib.batch import jobs, run", {"batch.jobs", "batch"}),
        ("from stlib.course.check.exercise import Wrong", {"course.check.exercise"}),
        ("def f():\n    from stlib.losses import gram_matrix", {"losses"}),
        ("import torch\nfrom torch import stlib", set()),
    ],
)
def test_imports_are_found(source, modules):
    """The tests above see every way of importing, and which of them are put off."""
    assert imported_modules(source) == modules
    assert imported_modules(source, at_once=True) == (set() if "def" in source else modules)


# what was not installed

WITHOUT = """
import contextlib, io, json, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.split(".")[0])

sys.meta_path.insert(0, Missing())
blocked = {"dask", "distributed", "matplotlib", "IPython", "keras", "skimage"}
import stlib
import stlib.__main__
told = {}

def tell(what, action):
    try:
        action()
    except stlib.MissingExtraError as error:
        told[what] = str(error)
    except BaseException as error:
        told[what] = repr(error)
    else:
        told[what] = ""

for name in [*stlib.LAZY, "doctor"]:
    tell(name, lambda: getattr(stlib, name))
for statement in json.loads(sys.argv[1]):
    tell(statement, lambda: exec(statement))
blocked = {"IPython"}
tell("show without IPython", lambda: stlib.show)
blocked = {"keras"}
tell("keras", lambda: exec("import stlib.course.keras_example"))
with contextlib.redirect_stderr(io.StringIO()) as said:
    blocked = {"dask", "distributed"}
    lines = ["batch jobs.toml", "frames jobs.toml", "sheet castle -o sheet.png"]
    codes = [stlib.__main__.main(line.split()) for line in lines]
print(json.dumps([told, codes, said.getvalue()]))
"""
NEEDS = {  # part: the packages of which it names one, and the extra that brings them
    "batch": ("dask|distributed", "batch"),
    "import stlib.batch": ("dask|distributed", "batch"),
    "from stlib import batch": ("dask|distributed", "batch"),
    "show": ("matplotlib", "course"),
    "from stlib import show": ("matplotlib", "course"),
    "import stlib.course.show": ("matplotlib", "course"),
    "show without IPython": ("IPython", "course"),
    "import stlib.course.keras_example": ("keras", "course"),
    "keras": ("keras", "course"),
}
STATEMENTS = [what for what in NEEDS if "import" in what]


@pytest.fixture(scope="module")
def without_extras():
    """What is said where only what pyproject.toml demands is installed."""
    return json.loads(python(WITHOUT, json.dumps(STATEMENTS)))


def check_advice(message, packages, extra):
    """It is one sentence on what is missing, and one on what to run."""
    assert re.search(rf"needs the package ({packages}), which is not installed\.", message), message
    assert f'".[{extra}]"' in message
    assert message.isprintable() and message.endswith("course's folder.")
    assert not re.search(r"install\s+(--\S+\s+)*['\"]?stlib", message)
    assert extra in PROJECT["optional-dependencies"]


@pytest.mark.parametrize("what", NEEDS)
def test_a_part_whose_packages_are_missing_says_so(without_extras, what):
    """In words that name the package and the extra, however the part is asked for."""
    check_advice(without_extras[0][what], *NEEDS[what])


def test_without_extras_the_rest_is_there(without_extras):
    """No part ends in another error, and what needs no extra works."""
    told = without_extras[0]
    assert {what for what, message in told.items() if message} == {*NEEDS}


def test_the_command_line_says_what_a_batch_needs(without_extras):
    """Each command that paints many pictures, in one line on stderr, with exit code 1."""
    _, exit_codes, said = without_extras
    assert exit_codes == [1, 1, 1]
    for line in said.splitlines():
        assert line.startswith("stlib: error: ")
        check_advice(line.removeprefix("stlib: error: "), "dask|distributed", "batch")
    assert said.count("\n") == 3


# its name


def test_version_is_that_of_the_project():
    """Written in two places, the same in both."""
    assert stlib.__version__ == PROJECT["version"]


def test_nobody_is_told_to_install_another_project():
    """The name stlib is another project's on the package index; a warning of it may say so."""
    assert PROJECT["name"] != "stlib"
    told = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path, text in texts(".py", ".md", ".ipynb", ".toml", ".yml", ".cff", "Makefile")
        if path != Path(__file__)
        for line in text.splitlines()
        if re.search(r"\binstall\s[^`\n]*\bstlib\b", line)
        and not re.search(r"\b(not|never|another|other)\b|不|别", line)
    ]
    assert "\n".join(told) == ""
