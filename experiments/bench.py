"""Measure the cases of the experiments, and keep what was found in results/.

A case is measured again when its own numbers change, the code of its module does (comments and
docstrings aside), or the painter.
"""

import ast
import hashlib
import importlib
import json
import os
import pkgutil
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from stlib import __version__, load_image, save_image
from stlib.settings import PAINTER

HERE = Path(__file__).parent
RESULTS = HERE / "results"
# paintings that may be measured but not shown: a folder, where there is one
PAINTINGS = "STLIB_LAB_PAINTINGS"
OURS = {"__init__", "__main__", "bench", "benchmark", "pairs"}
# assignments that say what is measured, not how
PLANS = {"CASES", "SMALL", "TOLERANCE"}

Case = Mapping[str, Any]
Mapped = Callable[..., Iterable[Any]]


@dataclass(frozen=True)
class Measured:
    """What a case gave.

    numbers: by name; lists and dicts of numbers are numbers, too. pictures: by name, [1, 3, H, W].
    """

    numbers: dict[str, Any]
    pictures: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A case that was measured. files: of its pictures, by their names, in `RESULTS`."""

    case: dict[str, Any]
    numbers: dict[str, Any]
    files: dict[str, str]
    seconds: float
    made: dict[str, Any]
    key: str

    def picture(self, name: str) -> Tensor:
        """One of its pictures, [1, 3, H, W] in 0…1, as it was kept."""
        return load_image(RESULTS / self.files[name], size=None)


def names() -> list[str]:
    """The names of all experiments."""
    found = (module.name for module in pkgutil.iter_modules([str(HERE)]))
    return sorted(name for name in found if name not in OURS)


def module(name: str) -> ModuleType:
    """The module of an experiment."""
    return importlib.import_module(f"experiments.{name}")


def results(name: str, **chosen: Any) -> list[Run]:
    """What was measured in an experiment, in the order of its cases; `SMALL` is left out.

    chosen: only cases with these values, for example size=384.
    Raises KeyError when there are none.
    """
    small = module(name).SMALL
    runs = [run for run in kept(name) if chosen.items() <= run.case.items() and run.case != small]
    if not runs:
        raise KeyError(f"the experiment {name!r} has no results with {chosen}.")
    return runs


def kept(name: str) -> list[Run]:
    """What results/NAME.json holds; nothing where there is none."""
    file = RESULTS / f"{name}.json"
    if not file.exists():
        return []
    return [Run(**entry) for entry in json.loads(file.read_text(encoding="utf-8"))]


def keep(name: str, runs: Iterable[Run], cases: Iterable[Case]) -> None:
    """Write the runs into results/NAME.json, in the order of the cases."""
    order = [dict(case) for case in cases]
    listed = sorted(runs, key=lambda run: order.index(run.case))
    text = json.dumps([vars(run) for run in listed], indent=1, ensure_ascii=False)
    file = RESULTS / f"{name}.json"
    part = file.with_suffix(".part")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(file)


def perform(name: str, told: Callable[[str], None] = print, mapped: Mapped = map) -> None:
    """Measure the cases of an experiment that are not measured yet, and keep each at once.

    mapped: calls a function with each of some lists, as `map` does, in any order; `on_cluster`
    gives one for workers.
    """
    experiment = module(name)
    cases = [dict(case) for case in (experiment.SMALL, *experiment.CASES)]
    done = {run.key: run for run in kept(name)}
    wanted = {key_of(experiment, case): case for case in cases}
    left = {key: case for key, case in wanted.items() if key not in done}
    runs = [run for key, run in done.items() if key in wanted]
    for key, case in list(left.items()):
        if case.get("paintings") and not paintings():
            told(f"{name}: {case} needs a folder of paintings in {PAINTINGS}")
            runs += [run for run in done.values() if run.case == case]  # rather old than none
            del left[key]
    measured = mapped(_measured, [name] * len(left), left.keys(), left.values())
    for number, (key, found, seconds, made) in enumerate(measured, start=1):
        files = _save_pictures(name, key, found.pictures)
        runs.append(Run(left[key], rounded(found.numbers), files, seconds, made, key))
        keep(name, runs, cases)
        told(f"{name}: {number} of {len(left)} in {seconds} s: {left[key]}")
    keep(name, runs, cases)
    _tidy(name, runs)


@contextmanager
def on_cluster(workers: int = 1, address: str | None = None) -> Iterator[Mapped]:
    """A `mapped` for `perform` that measures on so many processes here, or at a Dask scheduler."""
    from distributed import Client, LocalCluster, as_completed

    with ExitStack() as stack:
        if address is None:
            here = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
            client = stack.enter_context(Client(stack.enter_context(here)))
        else:
            client = stack.enter_context(Client(address))

        def mapped(function: Callable[..., Any], *lists: Iterable[Any]) -> Iterator[Any]:
            futures = client.map(function, *map(list, lists), pure=False)
            return (future.result() for future in as_completed(futures))

        yield mapped


def _measured(name: str, key: str, case: Case) -> tuple[str, Measured, float, dict[str, Any]]:
    began = time.perf_counter()
    found = module(name).measure(case)
    return key, found, round(time.perf_counter() - began, 1), _made()


def key_of(experiment: ModuleType, case: Case) -> str:
    """What a measurement depends on, as 16 hexadecimal digits."""
    assert experiment.__file__ is not None
    tree = ast.parse(Path(experiment.__file__).read_text(encoding="utf-8"))
    tree.body = [part for part in tree.body if not _is_plan(part)]
    for part in ast.walk(tree):
        if isinstance(part, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(
            part
        ):
            part.body = part.body[1:]
    text = json.dumps([ast.dump(tree), case, PAINTER], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def paintings() -> dict[str, Tensor]:
    """The paintings of the folder in `PAINTINGS`, by name; none where there is no such folder."""
    folder = os.environ.get(PAINTINGS)
    if not folder:
        return {}
    return {file.stem: load_image(file, size=512) for file in sorted(Path(folder).glob("*.jpg"))}


def rounded(value: Any) -> Any:
    """The same with four significant digits: what is kept is read by people."""
    if isinstance(value, Mapping):
        return {str(name): rounded(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(entry) for entry in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _is_plan(part: ast.stmt) -> bool:
    if not isinstance(part, (ast.Assign, ast.AnnAssign)):
        return False
    targets = part.targets if isinstance(part, ast.Assign) else [part.target]
    return any(isinstance(target, ast.Name) and target.id in PLANS for target in targets)


def _save_pictures(name: str, key: str, pictures: Mapping[str, Tensor]) -> dict[str, str]:
    files = {picture: f"{name}/{key}-{picture}.jpg" for picture in pictures}
    for picture, image in pictures.items():
        file = RESULTS / files[picture]
        file.parent.mkdir(parents=True, exist_ok=True)
        save_image(image, file)
    return files


def _tidy(name: str, runs: Iterable[Run]) -> None:
    """Remove pictures that no run names any more."""
    named = {RESULTS / file for run in runs for file in run.files.values()}
    for file in (RESULTS / name).glob("*.jpg"):
        if file not in named:
            file.unlink()


def _made() -> dict[str, Any]:
    """Where and when a number came to be."""
    return {
        "date": date.today().isoformat(),
        "stlib": __version__,
        "torch": torch.__version__,
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
    }
