"""What `run.fresh` starts: one task in a process of its own, which prints its result as JSON."""

import json
import os
import platform
import resource
import statistics
import sys
import time
from pathlib import Path

import descents
import psutil
import recipes
import torch

from stlib import VGG, estimate

SOLVERS = {"fast": descents.fast, "plain": descents.plain}


def machine() -> dict:
    """What the figures belong to; without names of hosts or folders."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "pages": "large" if os.environ.get("THP_MEM_ALLOC_ENABLE") == "1" else "small",
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def processor() -> str:
    """The processor's name, from wherever this system keeps it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def evaluation(recipe: str, content: str, style: str, size: int, repeats: int) -> dict:
    """Median seconds of a loss and its gradient with respect to the picture, without a solver."""
    ready = recipes.RECIPES[recipe](content, style, size)
    seconds = []
    for _ in range(1 + repeats):  # the first one warms up
        began = time.perf_counter()
        ready.evaluate()
        seconds.append(time.perf_counter() - began)
    pixels = recipes.picture(content, size).shape[2:].numel()
    return {"seconds": statistics.median(seconds[1:]), "pixels": pixels}


def descent(method: str, content: str, style: str, size: int, evaluations: int, **settings) -> dict:
    """A run of a solver from the content picture: its trace, its peak memory and its estimate.

    The estimate times a few evaluations of a small picture. It comes first, so what a process does
    only once is not counted.
    """
    net = VGG(device="cpu")
    p, a = recipes.picture(content, size), recipes.picture(style, size)
    foreseen = estimate(p, a, net=net, solver=method, steps=evaluations)
    trace = SOLVERS[method](net, p, a, evaluations, **settings)
    foreseen = {"peak": foreseen.bytes, "seconds": foreseen.seconds}
    return {**trace, "peak": peak(), "foreseen": foreseen}


def follow(recipe: str, content: str, style: str, size: int, evaluations: int) -> dict:
    """A run of a recipe with its own optimiser: its trace and its peak memory."""
    ready = recipes.RECIPES[recipe](content, style, size)
    ready.evaluate()  # what a process does only once is not counted
    return {**descents.follow(ready, evaluations), "peak": peak()}


def peak() -> int:
    """Peak memory of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    task = {"machine": machine, "evaluation": evaluation, "descent": descent, "follow": follow}
    print(json.dumps(task[sys.argv[1]](**json.loads(sys.argv[2]))))
