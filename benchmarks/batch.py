"""What a batch costs beside the painting: `python -m benchmarks.batch [JOBS …]`.

The painter does nothing, so what is measured is the client that reads, sends and writes, and the
scheduler. It is one process of its own, so that its seconds and its memory are nobody else's.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from distributed import get_worker
from PIL import Image

from stlib import sample, save_image
from stlib.batch import cluster
from stlib.batch.jobs import Job, sweep
from stlib.batch.painter import Painted, Pictures

SIZE = 256  # pixels
RESULT = 96  # pixels, of what the painter returns


def paint_nothing(
    _pictures: Pictures, _job: Job, _threads: int | None, topic: str, number: int
) -> Painted:
    """In place of `paint_job`."""
    get_worker().log_event(topic, number)
    return Painted(Image.new("RGB", (RESULT, RESULT)), None, 0.0, "")


def start_cluster(folder: Path) -> tuple[str, list[subprocess.Popen]]:
    """A scheduler and two workers; the address, and the processes."""
    file, quiet = folder / "cluster.json", subprocess.DEVNULL
    few = {"DASK_DISTRIBUTED__ADMIN__LOW_LEVEL_LOG_LENGTH": "10"}  # messages that it remembers
    processes = []
    for kind, *options in (["scheduler", "--port", "0"], *[["worker", "--no-nanny"]] * 2):
        arguments = ["-m", "distributed.cli.dask_" + kind, "--scheduler-file", str(file)]
        command = [sys.executable, *arguments, "--no-dashboard", *options]
        processes.append(
            subprocess.Popen(command, stdout=quiet, stderr=quiet, env=os.environ | few)
        )
    while not file.exists():
        time.sleep(0.1)
    time.sleep(0.5)  # until it is written whole
    return json.loads(file.read_text())["address"], processes


def used(process: psutil.Process) -> tuple[float, float]:
    """Seconds of the processor so far, and megabytes now."""
    times = process.cpu_times()
    return times.user + times.system, process.memory_info().rss / 1e6


def measure(count: int, address: str, scheduler: psutil.Process, folder: Path) -> str:
    """Paint so many jobs, then skip them; a row of the table."""
    client = psutil.Process()
    photos = sorted(str(path) for path in folder.glob("photo-*.jpg"))
    jobs = sweep(
        photos,
        str(folder / "style.jpg"),
        str(folder / f"{count}-{{content}}-{{seed}}.png"),
        size=SIZE,
        seed=list(range(count // len(photos))),
        device="cpu",
    )
    before, began = [used(client), used(scheduler)], time.perf_counter()
    report = cluster.run(jobs, address=address, progress=False)
    seconds = time.perf_counter() - began
    assert report.count("done") == len(jobs), report
    assert all(outcome.attempts == 1 for outcome in report.outcomes)
    after = [used(client), used(scheduler)]
    began = time.perf_counter()
    assert cluster.run(jobs, address=address, progress=False).count("skipped") == len(jobs)
    skipping = time.perf_counter() - began
    each = [
        1000 * (end[0] - start[0]) / len(jobs) for start, end in zip(before, after, strict=True)
    ]
    memory = [f"{start[1]:4.0f} → {end[1]:4.0f}" for start, end in zip(before, after, strict=True)]
    return (
        f"{len(jobs):6d}  {1000 * seconds / len(jobs):6.1f}  {each[0]:6.1f}  {each[1]:9.1f}  "
        f"{memory[0]:>12}  {memory[1]:>12}  {skipping:11.1f}"
    )


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jobs", nargs="*", type=int, default=[1000, 4000, 10_000])
    options = parser.parse_args()
    # workers find it by this name, and not in a program's __main__
    cluster.paint_job = importlib.import_module("benchmarks.batch").paint_nothing
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_image(sample("cafe-terrace", None), folder / "style.jpg")
        for number in range(100):
            save_image(sample("castle", 300 + number), folder / f"photo-{number}.jpg")
        address, processes = start_cluster(folder)
        try:
            print("          ms per job of …                MB of …")
            print(
                f"{'jobs':>6}  {'all':>6}  {'client':>6}  {'scheduler':>9}  {'client':>12}  "
                f"{'scheduler':>12}  skip all, s"
            )
            for count in options.jobs:
                print(measure(count, address, psutil.Process(processes[0].pid), folder))
        finally:
            for process in processes:
                process.kill()
                process.wait()


if __name__ == "__main__":
    main()
