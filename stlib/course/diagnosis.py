"""Is this machine ready for the course? `doctor()` looks and says so in words."""

import importlib.util
import os
import platform
import shutil
import sys
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import torch

from stlib._language import tr
from stlib.cost import estimate, free_memory
from stlib.errors import ImageError, WeightsError
from stlib.images import sample, sample_names
from stlib.vgg import VGG, best_device
from stlib.weights import load_weights

COURSE_PACKAGES = ("matplotlib", "IPython", "ipywidgets", "skimage", "keras", "distributed")
ENOUGH_MEMORY = 2.5  # GB, what the hungriest chapter takes
ENOUGH_DISK = 0.5  # GB, for pictures, notebooks and caches
USUAL_STEPS, USUAL_SIDE = 100, 256


@dataclass(frozen=True)
class Finding:
    """One line of the examination; an empty remedy means that all is well."""

    what: str
    found: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Look at everything that the course needs; what fails is a finding with a remedy."""
    looks: tuple[Callable[[], Finding], ...] = (
        _python,
        _torch,
        _packages,
        _processor,
        _memory,
        _disk,
        _weights,
        _samples,
        _speed,
    )
    findings = []
    for look in looks:
        try:
            findings.append(look())
        except Exception as error:
            findings.append(
                Finding(
                    look.__name__.strip("_"),
                    f"{type(error).__name__}: {error}",
                    tr("Run `make clean` and `make setup`, then try again."),
                )
            )
    return findings


def doctor() -> None:
    """Print what this machine has as a table that ends in "ready", or in what to do."""
    print(report(examine()))


def report(findings: list[Finding]) -> str:
    """The table of `doctor` as text."""
    whats = _aligned([finding.what for finding in findings])
    well, ill = _aligned([tr("ok"), tr("LOOK")])
    lines = [
        f"{what}  {ill if finding.remedy else well}  {finding.found}"
        for what, finding in zip(whats, findings, strict=True)
    ]
    remedies = [finding.remedy for finding in findings if finding.remedy]
    return "\n".join(
        [
            *lines,
            "",
            *(
                [tr("Before you start:"), *(f"- {remedy}" for remedy in remedies)]
                if remedies
                else [tr("ready")]
            ),
        ]
    )


def _aligned(texts: list[str]) -> list[str]:
    """Texts with blanks behind them, as wide as the widest; a Chinese letter takes two places."""
    widths = [sum(1 + (unicodedata.east_asian_width(c) in "FW") for c in text) for text in texts]
    return [text + " " * (max(widths) - width) for text, width in zip(texts, widths, strict=True)]


def _python() -> Finding:
    remedy = (
        ""
        if sys.version_info >= (3, 11)
        else tr("Install Python 3.11 or newer, then run `make clean` and `make setup`.")
    )
    return Finding("Python", platform.python_version(), remedy)


def _torch() -> Finding:
    found = {
        "cuda": tr("{version}, computes on a CUDA graphics card"),
        "mps": tr("{version}, computes on the Apple graphics processor"),
        "cpu": tr("{version}, computes on the processor"),
    }[best_device().type]
    return Finding("PyTorch", found.format(version=torch.__version__))


def _packages() -> Finding:
    missing = [name for name in COURSE_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        return Finding(
            tr("Packages"),
            tr("missing: {packages}").format(packages=", ".join(missing)),
            tr("Run `make setup`: some chapters need these packages."),
        )
    return Finding(tr("Packages"), tr("all that the chapters need"))


def _processor() -> Finding:
    threads, cores = torch.get_num_threads(), os.cpu_count() or 1
    # without it, one thread is PyTorch's own choice, as on one real core
    limited = os.environ.get("OMP_NUM_THREADS") == "1"
    remedy = (
        tr("PyTorch uses one core only, because OMP_NUM_THREADS is 1: unset it.")
        if limited and threads == 1 < cores
        else ""
    )
    found = tr("{cores} cores, PyTorch uses {threads}").format(cores=cores, threads=threads)
    return Finding(tr("Processor"), found, remedy)


def _memory() -> Finding:
    free = free_memory() / 1e9
    remedy = (
        ""
        if free >= ENOUGH_MEMORY
        else tr("Close other programs: a chapter needs up to {most} GB of memory.").format(
            most=ENOUGH_MEMORY
        )
    )
    return Finding(tr("Memory"), tr("{free:.1f} GB free").format(free=free), remedy)


def _disk() -> Finding:
    free = shutil.disk_usage(".").free / 1e9
    remedy = (
        ""
        if free >= ENOUGH_DISK
        else tr("Free some disk space: at least {least} GB.").format(least=ENOUGH_DISK)
    )
    return Finding(tr("Disk"), tr("{free:.0f} GB free").format(free=free), remedy)


def _weights() -> Finding:
    started = time.perf_counter()
    try:
        weights = load_weights("oxford")
    except WeightsError as error:
        return Finding(tr("Trained VGG-19"), tr("not usable"), str(error))
    numbers = sum(
        filters.numel() + biases.numel() for filters, biases in weights.convolutions.values()
    )
    return Finding(
        tr("Trained VGG-19"),
        tr("{count:.1f} million numbers, read in {seconds:.1f} s").format(
            count=numbers / 1e6, seconds=time.perf_counter() - started
        ),
    )


def _samples() -> Finding:
    try:
        for name in sample_names():
            sample(name)
    except ImageError as error:
        return Finding(tr("Sample pictures"), tr("not readable"), str(error))
    return Finding(tr("Sample pictures"), f"{len(sample_names())}: {', '.join(sample_names())}")


def _speed() -> Finding:
    """How long the plain solver takes for a picture of the usual size."""
    picture = sample("castle", USUAL_SIDE)
    seconds = estimate(picture, picture, net=VGG(), solver="plain", steps=USUAL_STEPS).seconds
    height, width = picture.shape[2:]
    return Finding(
        tr("Speed"),
        tr("{steps} evaluations at {width} × {height} pixels in about {seconds:.0f} s").format(
            steps=USUAL_STEPS, width=width, height=height, seconds=seconds
        ),
    )
