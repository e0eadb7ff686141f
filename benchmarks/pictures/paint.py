"""Paint the pictures that are compared; what is there already is not painted again.

python -m benchmarks.pictures.paint --device cuda --seconds 400
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor

import stlib
from benchmarks.pictures import methods, pace, plan
from stlib import save_image
from stlib.settings import PAINTER


def paint(jobs: list[plan.Job], folder: Path, device: torch.device, limit: float) -> list[str]:
    """Paint what is missing, each picture with its facts beside it.

    limit: seconds; no picture is begun that would probably last longer.
    Returns the names of what was painted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    painted, lasted, missing = [], {}, set()
    for job in jobs:
        kind = job.method.name, job.recipe
        if is_there(job, folder) or job.method.name in missing:
            continue
        if time.perf_counter() - began + lasted.get(kind, 0) > limit:
            print("the time is over: run this again to paint the others")
            break
        started = time.perf_counter()
        try:
            picture = job.method.paint(job.pair.content, job.style, device, job.iterations)
        except ImportError as error:
            print(f"{job.method.title} is left out: {error}")
            missing.add(job.method.name)
            continue
        except (ArithmeticError, RuntimeError) as error:
            print(f"{job.name} failed: {error}")
            continue
        seconds = time.perf_counter() - started
        lasted[kind] = seconds
        keep(job, picture, seconds, folder, device)
        painted.append(job.name)
        print(f"{job.name}: {job.iterations} iterations, {seconds:.1f} s", flush=True)
    return painted


def is_there(job: plan.Job, folder: Path) -> bool:
    """Whether the folder holds this picture, of the same size and after as many iterations.

    One of ours must be what today's `PAINTER` paints.
    """
    path = folder / f"{job.name}.json"
    if not path.is_file():
        return False
    facts = json.loads(path.read_text("utf-8"))
    if job.method.name == "ours" and facts.get("painter") != PAINTER:
        return False
    return (facts["size"], facts["iterations"]) == (job.pair.size, job.iterations)


def keep(
    job: plan.Job, picture: Tensor, seconds: float, folder: Path, device: torch.device
) -> None:
    """Write the picture, then its facts, which say that it is complete."""
    facts = {
        "method": job.method.name,
        "recipe": job.recipe,
        "photo": job.pair.photo,
        "painting": job.pair.painting,
        "size": job.pair.size,
        "iterations": job.iterations,
        "seconds": round(seconds, 2),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else device.type,
        "torch": torch.__version__,
        "stlib": stlib.__version__,
        "painter": PAINTER,
    }
    save_image(picture, folder / f"{job.name}.png")
    (folder / f"{job.name}.json").write_text(json.dumps(facts) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", type=torch.device)
    parser.add_argument("--out", default=plan.PICTURES, type=Path, help="folder of the pictures")
    parser.add_argument("--methods", nargs="+", default=plan.NAMES, choices=plan.NAMES)
    pairs = {pair.name: pair for pair in plan.PAIRS}
    parser.add_argument("--pairs", nargs="+", default=list(pairs), choices=pairs)
    parser.add_argument("--size", default=plan.SIZE, type=int, help="longer side, in pixels")
    parser.add_argument("--iterations", type=int, help="at most so many, to see that it works")
    parser.add_argument(
        "--seconds", default=float("inf"), type=float, help="begin none after so long"
    )
    parser.add_argument("--no-graphs", action="store_true", help="record no CUDA graphs")
    chosen = parser.parse_args(arguments)
    methods.USE_GRAPHS = not chosen.no_graphs
    resized = [plan.Pair(pairs[p].photo, pairs[p].painting, chosen.size) for p in chosen.pairs]
    jobs = plan.jobs(chosen.methods, resized, pace.known(chosen.methods), chosen.iterations)
    paint(jobs, chosen.out, chosen.device, chosen.seconds)


if __name__ == "__main__":
    main()
