"""Many pictures on a Dask cluster: each painted once, whole and the same.

Whatever happens to workers, disk and files.
"""

import contextlib
import csv
import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import dask
import psutil
import pytest
import torch
from clusters import dask_cluster
from distributed import Client, LocalCluster, get_worker
from hostile import ANYTHING, each
from PIL import Image

from stlib import VGG, Brush, load_image, load_mask, sample, save_image, style_transfer
from stlib.__main__ import main
from stlib.batch import cluster, notes, places
from stlib.batch.cluster import CONNECTION_LOST, WORKERS_LOST, run, share_cores
from stlib.batch.forecasting import largest_need
from stlib.batch.jobs import Network, sweep
from stlib.batch.painter import Painted, on_own_card, read_pictures
from stlib.batch.report import Outcome, Report
from stlib.cost import free_memory
from stlib.errors import JobError

# the network stops at relu2_1, so that an evaluation takes milliseconds
CHEAP = {
    "size": 48,
    "steps": 4,
    "style_layers": ["relu1_1"],
    "content_layers": ["relu2_1"],
    "device": "cpu",
}
FOUR = {
    "content": ["castle", "cat"],
    "style": ["cafe-terrace", "langlois-bridge"],
    "output": "{content}-{style}.png",
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def address():
    """A scheduler with two workers, as on another machine; all are gone at the end."""
    with dask_cluster(workers=2) as there:
        yield there
        workers = [
            one
            for one in psutil.Process().children(recursive=True)
            if "--multiprocessing-fork" in one.cmdline()
        ]
    assert len(workers) == 2
    assert psutil.wait_procs(workers, timeout=10)[1] == []


def forbid_clusters(monkeypatch):
    monkeypatch.setattr(
        "stlib.batch.cluster._cluster", lambda *_: pytest.fail("a cluster was used")
    )


@pytest.fixture
def idle(monkeypatch):
    """No cluster may be started or asked."""
    forbid_clusters(monkeypatch)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def pictures(folder):
    """The bytes of every picture; each one is whole."""
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            image.load()
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def statuses(report):
    return [outcome.status for outcome in report.outcomes]


def test_each_picture_is_that_of_style_transfer(address, folder):
    """Pixel for pixel; the report is in the order of the jobs."""
    jobs = sweep(**FOUR, **CHEAP)
    report = run(jobs, address=address, threads=1, progress=False)
    assert [(outcome.output, outcome.status, outcome.attempts) for outcome in report.outcomes] == [
        (job.output, "done", 1) for job in jobs
    ]
    assert set(files(folder)) == {
        name for job in jobs for name in (job.output, f"{job.output}.json")
    }
    code = (
        "import torch; torch.set_num_threads(1)\nfrom stlib import *\n"
        "result = style_transfer(sample('cat', 48), sample('cafe-terrace', 48), progress=False,"
        "net=VGG(device='cpu'), steps=4, style_layers=['relu1_1'], content_layers=['relu2_1'])\n"
        "save_image(result.image, 'alone.png')"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    assert Path("alone.png").read_bytes() == Path("cat-cafe-terrace.png").read_bytes()


def test_several_styles_and_masks_travel(address, folder):
    """The picture is that of brushes; a mask of another shape fails its picture alone."""
    left = torch.zeros(1, 3, 64, 96)
    left[..., :48] = 1
    save_image(left, "left.png")
    save_image(left.mT, "tall.png")
    more = {**CHEAP, "style_size": 64, "colors": "photo"}
    styles = [
        [{"picture": "cat", "mask": mask, "weight": 2}, "cafe-terrace"]
        for mask in ("left.png", "tall.png")
    ]
    jobs = [
        *sweep("castle", output="good.png", styles=styles[0], **more),
        *sweep("castle", output="bad.png", styles=styles[1], **more),
    ]
    report = run(jobs, address=address, threads=1, progress=False)
    assert statuses(report) == ["done", "failed"]
    assert "the mask tall.png is 64 × 96 pixels" in report.outcomes[1].note
    note = json.loads(Path("good.png.json").read_text("utf-8"))
    assert note["style"][0] == {"picture": "cat", "weight": 2, "mask": "left.png"}
    content = sample("castle", 48)
    mask = load_mask("left.png", content)
    expected = style_transfer(
        content,
        [Brush(sample("cat", 64), 2, mask), Brush(sample("cafe-terrace", 64), 1, 1 - mask)],
        net=VGG(device="cpu"),
        progress=False,
        style_size=64,
        colors="photo",
        steps=4,
        style_layers=["relu1_1"],
        content_layers=["relu2_1"],
    )
    assert (load_image("good.png", None) - expected.image).abs().max() < 0.02


def test_a_job_can_have_a_film(address, monkeypatch, folder):
    """It comes with the picture, is skipped with it, and is made anew when it is gone."""
    jobs = sweep("cat", "castle", "{content}.png", film="{content}-{style}.webp", **CHEAP)
    assert statuses(run(jobs, address=address, progress=False)) == ["done"]
    with Image.open("cat-castle.webp") as film, Image.open("cat.png") as picture:
        assert film.n_frames > 1
        assert film.size == picture.size
    assert statuses(run(jobs, address=address, progress=False)) == ["skipped"]
    without = sweep("cat", "castle", "{content}.png", **CHEAP)
    assert statuses(run(without, address=address, progress=False)) == ["skipped"]
    Path("cat-castle.webp").unlink()
    assert statuses(run(jobs, address=address, progress=False)) == ["done"]
    assert Path("cat-castle.webp").is_file()


def test_pictures_so_far_are_written_until_the_result_is(address, monkeypatch, folder):
    """They differ, are whole, and none replaces the result."""
    kept, write = [], cluster._Batch.write

    def watched(batch, number, picture, printed, film=None):
        write(batch, number, picture, printed, film)
        kept.append((printed, Path("cat.png").read_bytes()))

    monkeypatch.setattr(cluster._Batch, "write", watched)
    jobs = sweep("cat", "castle", "{content}.png", save_every=40, **CHEAP | {"steps": 400})
    run(jobs, address=address, threads=1, progress=False)
    *so_far, (printed, result) = kept
    assert len({picture for _, picture in so_far}) > 1
    assert {fingerprint for fingerprint, _ in so_far} == {"unfinished"}
    assert printed != "unfinished"
    assert result == Path("cat.png").read_bytes()
    assert statuses(run(jobs, address=address, progress=False)) == ["skipped"]


def test_a_device_that_a_worker_lacks_is_told(address):
    (job,) = sweep("castle", "cat", "out.png", **{**CHEAP, "device": "cuda:77"})
    (outcome,) = run([job], address=address, progress=False).outcomes
    assert outcome.status == "failed"
    assert "no device 'cuda:77'" in outcome.note


def test_the_same_bytes_in_any_order_on_any_workers(address, folder):
    """One worker or two, here or behind an address, forwards or backwards."""
    jobs = sweep(**FOUR, **CHEAP)
    run(jobs, address=address, threads=1, progress=False)
    first = pictures(folder)
    for path in folder.iterdir():
        path.unlink()
    assert statuses(run(jobs[::-1], workers=1, threads=1, progress=False)) == ["done"] * 4
    assert pictures(folder) == first
    assert len(first) == 4


def test_what_is_there_and_unchanged_is_skipped(address, monkeypatch, folder):
    """Without any cluster, and without a touch; a set of layers is one in any order."""
    jobs = sweep(**FOUR, **CHEAP | {"style_layers": {"relu1_1", "relu1_2"}})
    run(jobs, address=address, progress=False)
    forbid_clusters(monkeypatch)
    before = files(folder)
    assert statuses(run(jobs, address=address, progress=False)) == ["skipped"] * 4
    assert files(folder) == before


def test_what_is_changed_is_painted_anew(address, folder):
    """Another input, other settings, and what was being written when all ended."""
    save_image(sample("cat", 64), "mine.jpg")
    jobs = sweep(["castle", "mine.jpg", "astronaut"], "cafe-terrace", "{content}.png", **CHEAP)
    run(jobs, address=address, progress=False)
    before = pictures(folder)
    save_image(sample("castle", 64), "mine.jpg")
    cut_off = json.loads(Path("astronaut.png.json").read_text())
    cut_off["fingerprint"] = notes.BEING_WRITTEN
    Path("astronaut.png.json").write_text(json.dumps(cut_off))
    save_image(sample("cat", 64), "astronaut.png")
    report = run(jobs, address=address, progress=False)
    assert statuses(report) == ["skipped", "done", "done"]
    after = pictures(folder)
    assert [name for name in before if before[name] != after[name]] == ["mine.png"]
    more = sweep("castle", "cafe-terrace", "{content}.png", **{**CHEAP, "steps": 5})
    assert statuses(run(more, address=address, progress=False)) == ["done"]


@pytest.mark.survives("a picture of yours where a batch writes")
def test_what_no_batch_left_there_is_kept(address, folder, monkeypatch):
    """Retouched, never painted, or a film: told by name, and painted over by force alone."""
    names = {"content": ["castle", "cat"], "style": "cafe-terrace", "output": "{content}.png"}
    jobs = sweep(**names, film="{content}.webp", **CHEAP)
    jobs += sweep("astronaut", "cafe-terrace", "{content}.png", **CHEAP)
    run(jobs[:2], address=address, progress=False)
    with Image.open("castle.png") as picture:
        picture.rotate(180).save("castle.png")
    Path("cat.webp").write_bytes(b"mine")
    save_image(sample("cat", 64), "astronaut.png")
    mine = files(folder)
    with monkeypatch.context() as offline:
        forbid_clusters(offline)
        report = run(jobs, progress=False)
    assert statuses(report) == ["skipped"] * 3
    for outcome, named in zip(report.outcomes, ["It", "The film cat.webp", "It"], strict=True):
        assert outcome.note.startswith(f"{named} is not as a batch left it, so it was kept: ")
        assert "--force (force=True in Python)" in outcome.note
    assert files(folder) == mine
    assert statuses(run(jobs, address=address, force=True, progress=False)) == ["done"] * 3
    assert all(files(folder)[name] != mine[name] for name in ("castle.png", "cat.webp"))


@pytest.mark.survives("a picture of yours where a batch writes")
@pytest.mark.parametrize("text", ['{"mine": 1}', "[1, 2", "not JSON", ""])
def test_a_file_in_the_place_of_a_note_is_refused(idle, folder, text):
    """Before any work, even by force."""
    Path("cat-langlois-bridge.png.json").write_text(text)
    with pytest.raises(JobError, match=r"cat-langlois-bridge\.png\.json would be replaced"):
        run(sweep(**FOUR, **CHEAP), force=True, progress=False)
    assert files(folder) == {"cat-langlois-bridge.png.json": text.encode()}


def kill_a_painter(address, over=None):
    """SIGKILL for a worker that paints; returns when the scheduler knows that it is gone.

    over: an event, after which nobody paints any more.
    """
    with Client(address, set_as_default=False) as client:
        while not (busy := [worker for worker, keys in client.processing().items() if keys]):
            if over is not None and over.is_set():
                return
            time.sleep(0.05)
        (pid,) = client.run(os.getpid, workers=busy[:1]).values()
        time.sleep(0.2)
        os.kill(pid, signal.SIGKILL)
        while busy[0] in client.nthreads():
            time.sleep(0.05)


@pytest.mark.survives("a worker killed in the middle of a job")
def test_a_worker_killed_in_mid_job_costs_nothing_but_time(address, folder, monkeypatch):
    """Its picture is begun again and told; every other one is written once, and all are whole."""
    written = []

    def noted(image, path):
        written.append(path)
        return save_image(image, path)

    monkeypatch.setattr("stlib.batch.cluster.save_image", noted)
    jobs = sweep(**FOUR, **{**CHEAP, "steps": 150})
    killer = threading.Thread(target=kill_a_painter, args=(address,))
    killer.start()
    report = run(jobs, address=address, threads=1, progress=False)
    killer.join()
    assert statuses(report) == ["done"] * 4
    assert sorted(outcome.attempts for outcome in report.outcomes) == [1, 1, 1, 2]
    assert sorted(written) == sorted(job.output for job in jobs)
    killed = pictures(folder)
    for path in folder.iterdir():
        path.unlink()
    run(jobs, address=address, threads=1, progress=False)
    assert pictures(folder) == killed


@pytest.mark.survives("a worker killed in the middle of a job")
def test_a_picture_that_kills_every_worker_is_given_up(address):
    """After four of them."""
    jobs = sweep("castle", "cat", "out.png", **{**CHEAP, "steps": 100_000})
    over = threading.Event()
    killer = threading.Thread(target=lambda: [kill_a_painter(address, over) for _ in range(4)])
    killer.start()
    (outcome,) = run(jobs, address=address, threads=1, progress=False).outcomes
    over.set()  # a worker that died of something else counts, too
    killer.join()
    assert outcome.status == "failed"
    assert "too little memory" in outcome.note


def test_a_cancelled_picture_stops_its_worker(address):
    """Ctrl-C leaves somebody else's workers idle, and the report says what was not done."""
    jobs = sweep("castle", "cat", "{seed}.png", seed=[0, 1], **{**CHEAP, "steps": 100_000})
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)  # another test may have killed one

        def interrupt():
            while not all(client.processing().values()):
                time.sleep(0.05)
            time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGINT)

        interrupter = threading.Thread(target=interrupt)
        interrupter.start()
        report = run(jobs, address=address, threads=1, progress=False)
        interrupter.join()
        assert statuses(report) == ["cancelled"] * 2
        again = sweep("castle", "cat", "{seed}.png", seed=[2, 3], **CHEAP)
        assert statuses(run(again, address=address, progress=False)) == ["done"] * 2


SCHEDULER = """
import time
from distributed import LocalCluster
if __name__ == "__main__":
    options = dict(dashboard_address=None, scheduler_kwargs={"dashboard_address": "127.0.0.1:0"})
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, silence_logs=50, **options)
    print(cluster.scheduler_address, flush=True)
    time.sleep(300)
"""


def test_a_scheduler_that_is_lost_costs_what_is_not_done(folder, monkeypatch):
    """After a moment of patience; what is done is kept and told."""
    monkeypatch.setattr("stlib.batch.cluster.PATIENCE", 5)
    (folder / "scheduler.py").write_text(SCHEDULER)
    scheduler = subprocess.Popen(
        [sys.executable, "scheduler.py"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )

    over = threading.Event()

    def kill_it_later():
        while not list(folder.glob("*.png.json")) and not over.is_set():
            time.sleep(0.05)
        os.killpg(scheduler.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_it_later, daemon=True)
    killer.start()
    try:
        report = run(
            sweep("castle", "cat", "{steps}.png", **{**CHEAP, "steps": [4, 100_000, 99_999]}),
            address=scheduler.stdout.readline().strip(),
            progress=False,
        )
        over.set()  # so that a batch that failed at once fails this test, and does not hang it
        killer.join()
    finally:
        os.killpg(scheduler.pid, signal.SIGKILL)
        scheduler.communicate()
    assert statuses(report) == ["done", "cancelled", "cancelled"], report
    assert report.stopped == CONNECTION_LOST
    assert list(pictures(folder)) == ["4.png"]


@pytest.mark.survives("a file of yours that comes while it is painted")
@pytest.mark.parametrize("mine", ["out.png", "out.webp", "out.png.json"])
def test_a_file_that_comes_while_it_is_painted_is_kept(address, folder, monkeypatch, mine):
    """The picture is saved beside it, and where is told; so it is in the next batch."""
    (job,) = sweep("castle", "cat", "out.png", film="out.webp", save_every=2, **CHEAP)
    Path("out-1.png").write_bytes(b"mine, too")

    def read(job):
        Path(mine).write_bytes(b"mine")
        return read_pictures(job)

    monkeypatch.setattr(cluster, "read_pictures", read)
    (outcome,) = run([job], address=address, progress=False).outcomes
    assert (outcome.status, outcome.attempts) == ("failed", 1)
    assert f"{mine} was put there by somebody else" in outcome.note
    assert "the picture was saved as out-2.png" in outcome.note
    assert max(load_image("out-2.png", None).shape) == 48
    assert Path(mine).read_bytes() == b"mine"
    assert Path("out-1.png").read_bytes() == b"mine, too"


@pytest.mark.survives("a picture of yours where a batch writes")
def test_a_file_that_cannot_be_read_is_kept(idle, folder, monkeypatch):
    """Nobody can tell whose it is."""
    Path("castle.png").write_bytes(b"mine")
    monkeypatch.setattr("stlib.batch.places.read", refusing(places.read, "castle.png"))
    (outcome,) = run(sweep("castle", "cat", "{content}.png", **CHEAP), progress=False).outcomes
    assert outcome.status == "skipped"
    assert "so it was kept" in outcome.note


def refusing(read, name):
    """As `read`, but this file may not be read: permissions mean nothing to root."""

    def reading(file):
        if file == name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return read(file)

    return reading


def test_what_could_not_be_written_is_no_longer_announced(folder, monkeypatch):
    """A file that somebody puts there later is his, what a batch had left there its own."""
    (job,) = sweep("castle", "cat", "out.png", film="out.webp", **CHEAP)

    def fail_to_write(*written):
        with pytest.raises(OSError), notes.writing(job, "new", force=True):
            for name in written:
                Path(name).write_bytes(b"painted")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    fail_to_write()
    Path("out.png").write_bytes(b"mine")
    assert notes.foreign_file(job, notes.read_note(job)) == "out.png"
    fail_to_write("out.webp")
    assert notes.foreign_file(job, notes.read_note(job)) == "out.png"
    Path("out.png").unlink()
    assert notes.foreign_file(job, notes.read_note(job)) is None


def test_photos_that_cannot_be_read_do_not_end_the_batch(address, folder):
    """However many in a row: the next batch would come no further, either."""
    for number in range(3):
        Path(f"{number}.jpg").write_bytes(b"no picture")
    contents = [*(f"{number}.jpg" for number in range(3)), "castle"]
    report = run(
        sweep(contents, "cat", "{content}.png", **CHEAP),
        address=address,
        stop_after=2,
        progress=False,
    )
    assert statuses(report) == ["failed"] * 3 + ["done"]
    assert not report.stopped


def test_a_full_disk_ends_the_batch_at_once(address, folder, monkeypatch):
    """The old picture stays, no part of a file is left, and the next run paints the rest."""
    jobs = sweep(["castle", "cat", "astronaut"], "cafe-terrace", "{steps}-{content}.png", **CHEAP)
    run(jobs[1:2], address=address, progress=False)
    old = Path("4-cat.png").read_bytes()
    changed = sweep(**{**FOUR, "output": "4-{content}.png", "style": "castle"}, **CHEAP)[1:]
    painted = []

    def full(image, path):
        painted.append(path)
        with monkeypatch.context() as disk:
            error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            disk.setattr("os.fsync", lambda _: (_ for _ in ()).throw(error))
            return save_image(image, path)

    many = sweep("castle", "cat", "{seed}.png", seed=list(range(20)), **CHEAP)
    with monkeypatch.context() as while_full:
        while_full.setattr("stlib.batch.cluster.save_image", full)
        report = run([*changed, *many], address=address, progress=False)
    assert "There is no room" in report.stopped
    assert statuses(report).count("failed") == len(painted) == 1
    assert statuses(report).count("cancelled") == 20
    assert Path("4-cat.png").read_bytes() == old
    assert not list(folder.glob(".*"))
    assert statuses(run(changed, address=address, progress=False)) == ["done"]


def test_failures_in_a_row_end_the_batch(address):
    """After so many; each is told as it comes, and what succeeds in between counts anew.

    Two workers may be out of step by as much as one slow picture, so only the order in which
    pictures are told is sure.
    """
    told = []
    betas = [*[1e39] * 2, *[1e3] * 4, *[1e39] * 10]
    jobs = [
        sweep("castle", "cat", f"{number}.png", beta=beta, **CHEAP)[0]
        for number, beta in enumerate(betas)
    ]
    report = run(jobs, address=address, progress=False, stop_after=3, tell=told.append)
    order = "".join(outcome.status[0] for outcome in told)  # d for done, f for failed
    assert order.endswith("fff") and "fff" not in order[:-1]
    assert order.count("f") > 3 and "d" in order
    assert "3 pictures in a row failed, the last one: the loss" in report.stopped
    assert len(told) == report.count("done") + report.count("failed")


def test_one_bad_picture_fails_alone(address, folder):
    """Truncated, or a picture that is too small for its settings: told in one sentence."""
    save_image(sample("cat", 64), "whole.jpg")
    (folder / "bad.jpg").write_bytes(Path("whole.jpg").read_bytes()[:900])
    jobs = sweep(["castle", "bad.jpg", "cat"], "cafe-terrace", "{content}.png", **CHEAP)
    report = run(jobs, address=address, progress=False)
    assert statuses(report) == ["done", "failed", "done"]
    assert "bad.jpg ends after 900 bytes" in report.outcomes[1].note
    assert report.outcomes[1].attempts == 0
    assert not Path("bad.png").exists()


def test_what_a_worker_raises_fails_alone(address):
    """A style weight that makes the loss overflow."""
    jobs = sweep("castle", "cafe-terrace", "{beta}.png", beta=[1e3, 1e39], **CHEAP)
    report = run(jobs, address=address, progress=False)
    assert statuses(report) == ["done", "failed"]
    assert "the loss of the starting picture is not finite" in report.outcomes[1].note


def test_nothing_is_done_before_all_jobs_are_right(idle, folder):
    with pytest.raises(JobError, match="there is no picture nowhere"):
        run([*sweep(**FOUR, **CHEAP), *sweep("nowhere.jpg", "cat", "new.png")], progress=False)
    assert list(folder.iterdir()) == []


@contextmanager
def scheduler(folder):
    """One on which neither stlib nor PyTorch is installed; gives a function that adds workers."""
    without = "import sys; sys.modules.update(stlib=None, torch=None)\n"
    started = []

    def start(kind, before, *options):
        code = f"{before}from distributed.cli.dask_{kind} import main; main()"
        common = ["--scheduler-file", str(folder / "cluster.json"), "--no-dashboard"]
        quiet = subprocess.DEVNULL
        one = subprocess.Popen(
            [sys.executable, "-c", code, *common, *options], stdout=quiet, stderr=quiet
        )
        started.append(one)
        return one

    def add(before="", threads=1):
        return start("worker", before, "--no-nanny", "--nthreads", str(threads))

    try:
        start("scheduler", without, "--host", "127.0.0.1", "--port", "0")
        while not (folder / "cluster.json").exists():
            time.sleep(0.05)
        time.sleep(0.2)
        yield json.loads((folder / "cluster.json").read_text())["address"], add
    finally:
        for one in started:
            one.kill()
            one.wait()


@pytest.mark.survives("a cluster that loses its workers, or has the wrong ones")
def test_workers_may_join_in_mid_batch(tmp_path_factory):
    """The late one is given work; one picture waits, and none has two while another has none."""
    with scheduler(tmp_path_factory.mktemp("cluster")) as (address, add):
        add(threads=4)
        loads, over = [], threading.Event()

        def watch():
            with Client(address, set_as_default=False) as client:
                while not (client.ncores() and any(client.processing().values())):
                    time.sleep(0.05)
                add()
                while not over.wait(0.05):
                    with_none = sum(not keys for keys in client.processing().values())
                    loads.append((len(client.ncores()), with_none))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        jobs = sweep("castle", "cat", "{seed}.png", seed=list(range(16)), **CHEAP | {"steps": 60})
        report = run(jobs, address=address, threads=1, progress=False)
        over.set()
        watcher.join()
    assert statuses(report) == ["done"] * 16, report
    both = loads[loads.index((2, 0)) :]
    assert both.count((2, 0)) > 0.7 * len(both), loads


@pytest.mark.survives("a cluster that loses its workers, or has the wrong ones")
def test_a_cluster_that_adapts_grows():
    """From no worker to all that it may have, as pictures wait."""
    most = 0
    with LocalCluster(
        n_workers=0,
        threads_per_worker=1,
        dashboard_address=None,
        silence_logs=50,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
    ) as adaptive:
        adaptive.adapt(minimum=0, maximum=2, interval="200ms", target_duration="1s")

        def count(_outcome):
            nonlocal most
            most = max(most, len(adaptive.scheduler.workers))

        jobs = sweep("castle", "cat", "{seed}.png", seed=list(range(12)), **CHEAP | {"steps": 60})
        report = run(jobs, address=adaptive.scheduler_address, progress=False, tell=count)
    assert statuses(report) == ["done"] * 12, report
    assert most == 2


@pytest.mark.survives("a cluster that loses its workers, or has the wrong ones")
@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (
            "import sys; sys.modules['stlib'] = None\n",
            r"The worker tcp://.* cannot import stlib: .* Start it in an environment with stlib",
        ),
        ("import stlib; stlib.__version__ = '0.0.1'\n", r"The worker tcp://.* has stlib 0\.0\.1"),
    ],
)
def test_a_worker_with_another_stlib_is_named(tmp_path_factory, folder, before, expected):
    with scheduler(tmp_path_factory.mktemp("cluster")) as (address, add):
        add(before)
        report = run(sweep(**FOUR, **CHEAP), address=address, progress=False)
    assert re.match(expected, report.stopped)
    assert statuses(report) == ["cancelled"] * 4
    assert files(folder) == {}


@pytest.mark.survives("a cluster that loses its workers, or has the wrong ones")
def test_nobody_waits_for_workers_that_are_gone(tmp_path_factory, folder, monkeypatch):
    """After a moment of patience; what is done is kept."""
    with scheduler(tmp_path_factory.mktemp("cluster")) as (address, add):
        worker = add()

        def kill_it():
            while not list(folder.glob("*.png.json")):
                time.sleep(0.05)
            monkeypatch.setattr("stlib.batch.cluster.PATIENCE", 3)
            worker.kill()

        killer = threading.Thread(target=kill_it, daemon=True)
        killer.start()
        jobs = sweep("castle", "cat", "{steps}.png", **CHEAP | {"steps": [4, 100_000, 99_999]})
        report = run(jobs, address=address, progress=False)
    assert statuses(report) == ["done", "cancelled", "cancelled"]
    assert report.stopped == WORKERS_LOST


@pytest.mark.survives("an argument that makes no sense")
def test_an_address_of_another_form(idle):
    """Told before anybody is asked."""
    forms = ["", "foo", "127.0.0.1", "tcp://localhost", "foo:bar", "http://h:8787", 8786, None]
    forms += ["http://127.0.0.1:8787/status", "tcp://:8786", "ftp://a:1", "a b:1"]
    forms += ["tcp://h:0", "tcp://h:99999"]

    def give(address):
        with pytest.raises(ValueError, match=r"^address is .*Give the address"):
            cluster.check_address(address)
        if address is not None:
            with pytest.raises(ValueError, match=r"^address is .*Give the address"):
                run(sweep(**FOUR, **CHEAP), address=address, progress=False)

    each(forms, give)
    good = ["tcp://192.168.0.7:8786", "h:1", "tls://[::1]:8786", "tcp://node-1.cluster:8786/"]
    each(good, cluster.check_address)


def test_what_answers_is_no_scheduler(folder):
    """A web page, as a dashboard is, or a worker: one sentence, and the command ends."""
    (folder / "jobs.toml").write_text(JOBS.format(steps=3, contents='["castle"]'))
    with socket.create_server(("127.0.0.1", 0)) as page:
        code = (
            "import sys; from stlib.batch import cluster; from stlib.__main__ import main;"
            "cluster.PATIENCE = 1; sys.exit(main(sys.argv[1:]))"
        )
        address = f"tcp://127.0.0.1:{page.getsockname()[1]}"
        arguments = ["batch", "jobs.toml", "--address", address]
        began = time.monotonic()
        process = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "TQDM_DISABLE": "1"},
        )
    assert process.returncode == 1
    assert re.fullmatch(
        rf"stlib: error: no Dask scheduler answers at '{address}': .+\n", process.stderr
    )
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_another_kind_of_server_is_no_scheduler(monkeypatch, kind):
    """One that greets first, as SSH does: Dask would take its words for the length of a message."""
    monkeypatch.setattr("stlib.batch.cluster.PATIENCE", 2)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet():
            with contextlib.suppress(OSError):
                server.accept()[0].sendall(b"SSH-2.0-OpenSSH_9.6\r\n")

        threading.Thread(target=greet, daemon=True).start()
        address = f"{kind}://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=f"no Dask scheduler answers at '{address}'"):
            run(sweep(**FOUR, **CHEAP), address=address, progress=False)


def test_a_worker_is_no_scheduler(address):
    with Client(address, set_as_default=False) as client:
        worker = next(iter(client.nthreads()))
    with pytest.raises(ConnectionError, match=r"is a Dask worker\. Give the address"):
        run(sweep(**FOUR, **CHEAP), address=worker, progress=False)


def test_no_scheduler_at_the_address(monkeypatch):
    """One sentence, after a moment."""
    monkeypatch.setattr("stlib.batch.cluster.PATIENCE", 0.3)
    with pytest.raises(
        ConnectionError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"
    ):
        run(sweep(**FOUR, **CHEAP), address="tcp://127.0.0.1:9", progress=False)


def test_a_scheduler_without_workers(monkeypatch):
    monkeypatch.setattr("stlib.batch.cluster.PATIENCE", 0.3)
    with (
        LocalCluster(
            n_workers=0,
            dashboard_address=None,
            silence_logs=50,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
        ) as cluster,
        pytest.raises(ConnectionError, match="has no worker: start one"),
    ):
        run(sweep(**FOUR, **CHEAP), address=cluster.scheduler_address, progress=False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"cores": 8, "memory": 64e9}, (8, 1)),
        ({"cores": 8, "memory": 8e9}, (4, 2)),
        ({"cores": 8, "memory": 1e9}, (1, 8)),
        ({"cores": 8, "memory": 64e9, "threads": 3}, (2, 3)),
        ({"cores": 8, "memory": 64e9, "workers": 3}, (3, 2)),
        ({"cores": 2, "memory": 64e9, "workers": 3}, (3, 1)),
        ({"cores": 1, "memory": 64e9, "workers": 1, "threads": 2}, (1, 2)),
    ],
)
def test_workers_share_the_cores(given, expected, monkeypatch):
    """And the memory."""
    monkeypatch.setattr("stlib.batch.cluster.best_device", lambda: torch.device("cpu"))
    assert share_cores(**given) == expected


def test_the_memory_that_workers_share_is_what_is_free(monkeypatch):
    """Counted by the same function as for a single run."""
    assert cluster.free_memory is free_memory
    monkeypatch.setattr("stlib.batch.cluster.best_device", lambda: torch.device("cpu"))
    monkeypatch.setattr("stlib.batch.cluster.free_memory", lambda: 6.5e9)
    assert share_cores(cores=8) == share_cores(cores=8, memory=6.5e9) == (3, 2)


def test_each_graphics_card_has_one_worker(monkeypatch):
    """Which paints on it, unless the job names another."""
    for module in ("cluster", "painter"):
        monkeypatch.setattr(f"stlib.batch.{module}.best_device", lambda: torch.device("cuda"))
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert share_cores(cores=8, memory=64e9) == (1, 8)
    assert on_own_card(Network(), 0).device is None
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    assert share_cores(cores=8, memory=1e9) == (4, 2)
    assert [on_own_card(Network(), worker).device for worker in (0, 3, 5, "tcp://…")] == [
        "cuda:0",
        "cuda:3",
        "cuda:1",
        None,
    ]
    assert on_own_card(Network(device="cpu"), 3).device == "cpu"


def test_larger_pictures_have_fewer_workers(monkeypatch):
    """As many as have room for the largest job."""
    monkeypatch.setattr("stlib.batch.cluster.best_device", lambda: torch.device("cpu"))
    needs = [largest_need(sweep("castle", "cat", "a.png", size=size)) for size in (128, 512)]
    both = largest_need(sweep("castle", "cat", "{size}.png", size=[128, 512]))
    assert 1e9 < needs[0] < needs[1] == both
    assert share_cores(cores=16, memory=8e9, needed=needs[0]) > share_cores(
        cores=16, memory=8e9, needed=both
    )


def test_a_dry_run_paints_nothing(folder, idle, capsys):
    """It counts, and says how long and how much."""
    (folder / "jobs.toml").write_text(JOBS.format(steps=1000, contents='["castle", "cat"]'))
    save_image(sample("cat", 64), "cat-cafe-terrace.png")
    before = files(folder)
    assert main(["batch", "jobs.toml", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "3 to paint, 1 kept as changed by hand (--force paints over them): about "
    )
    assert out.endswith("GB of memory for each worker\n")
    assert files(folder) == before


@pytest.mark.survives("an argument that makes no sense")
def test_a_number_of_workers_or_threads_that_makes_no_sense(idle):
    odd = {name: value for name, value in ANYTHING.items() if name != "none"}
    odd |= {"zero": 0, "1.5": 1.5}

    def give(value):
        for name in ("workers", "threads"):
            with pytest.raises(ValueError, match=rf"^{name} is .* give a whole number, 1 or more"):
                run(sweep(**FOUR, **CHEAP), progress=False, **{name: value})

    each(odd, give)


def test_a_short_report_is_a_table():
    report = Report(
        [
            Outcome("a.png", "done", "", 3.25, 2),
            Outcome("long-name.png", "failed", "The disk is full.", 1.0, 1),
            Outcome("c.png", "skipped"),
            Outcome("d.png"),
        ],
        12.3,
    )
    assert str(report).splitlines() == [
        "output         status     seconds  attempts",
        "a.png          done           3.2         2",
        "long-name.png  failed         1.0         1  The disk is full.",
        "c.png          skipped",
        "d.png          cancelled",
        "1 done, 1 skipped, 1 failed, 1 cancelled in 12 s",
    ]


@pytest.mark.survives("a file name with odd characters")
def test_a_row_of_a_report_is_one_line():
    report = Report([Outcome("two\nlines.png", "done")], 1.0)
    assert str(report).splitlines()[1].startswith(r"two\nlines.png  done")


def test_a_long_report_tells_what_is_not_as_it_should_be(folder):
    """And how much more; the file has it all."""
    done = [Outcome(f"{number}.png", "done", "", 1.5, 1) for number in range(5000)]
    failed = [
        Outcome(f"f{number}.png", "failed", 'It "broke", twice.', 0.0, 1) for number in range(30)
    ]
    report = Report([*done, *failed, *[Outcome("c.png")] * 4970], 12.3)
    lines = str(report).splitlines()
    assert len(lines) == 23
    assert lines[-2:] == [
        "… and 10 more with a note",
        "5000 done, 30 failed, 4970 cancelled in 12 s",
    ]
    assert str(Report(done, 1)) == "5000 done in 1 s"
    report.save("report.csv")
    with Path("report.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10_000
    assert rows[5000] == {
        "output": "f0.png",
        "status": "failed",
        "note": 'It "broke", twice.',
        "seconds": "0.0",
        "attempts": "1",
    }
    for name in ("report.txt", "nowhere/report.csv"):
        with pytest.raises(JobError, match=rf"^the report {name}"):
            report.save(name)


def nothing(_pictures, _job, _threads, topic, number):
    """In place of `paint_job`: begins each job, and paints nothing."""
    get_worker().log_event(topic, number)
    return Painted(Image.new("RGB", (8, 8)), None, 0.25, "")


def test_the_report_counts_every_attempt(folder, monkeypatch):
    """Dask's own log forgets all but a thousand."""
    monkeypatch.setattr("stlib.batch.cluster.paint_job", nothing)
    monkeypatch.setattr("stlib._files.os.fsync", lambda _: None)
    jobs = sweep("castle", "cat", "{seed}.png", seed=list(range(40)), **CHEAP)
    with (
        dask.config.set({"distributed.admin.low-level-log-length": 10}),
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=50,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
        ) as cluster,
    ):
        report = run(jobs, address=cluster.scheduler_address, progress=False)
    outcomes = {(one.status, one.seconds, one.attempts) for one in report.outcomes}
    assert outcomes == {("done", 0.25, 1)}


JOBS = """
[defaults]
size = 48
steps = {steps}
style_layers = ["relu1_1"]
content_layers = ["relu2_1"]
[[job]]
content = {contents}
style = ["cafe-terrace", "langlois-bridge"]
output = "{{content}}-{{style}}.png"
"""


def command(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "stlib", "batch", "jobs.toml", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def assert_nobody_is_left(session):
    for _ in range(50):
        left = [one for one in psutil.process_iter() if _session(one) == session]
        if not left:
            return
        time.sleep(0.1)
    pytest.fail(f"{left} still run")


def _session(process):
    try:
        return os.getsid(process.pid) if process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.Error, OSError):
        return None


def test_the_command(folder):
    """Exit code 0, then again with everything skipped; 1 when a picture fails; nobody left."""
    (folder / "jobs.toml").write_text(JOBS.format(steps=3, contents='["castle", "mine.jpg"]'))
    save_image(sample("cat", 64), "mine.jpg")
    (folder / "mine.jpg").write_bytes(Path("mine.jpg").read_bytes()[:900])
    process = command("--workers", "1", "--threads", "1")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert out.splitlines()[-1].startswith("2 done, 2 failed in ")
    assert "mine.jpg ends after 900 bytes" in out
    assert "Traceback" not in err and "distributed" not in err
    assert_nobody_is_left(process.pid)
    save_image(sample("cat", 64), "mine.jpg")
    assert len(pictures(folder)) == 2


def test_ctrl_c_keeps_what_is_done(folder):
    """Exit code 130; what is written is whole, the rest is told, and nobody is left."""
    (folder / "jobs.toml").write_text(
        JOBS.format(steps=200, contents='["castle", "cat", "astronaut", "church-at-auvers"]')
    )
    process = command("--workers", "1", "--threads", "1")
    for _ in range(600):
        if list(folder.glob("*.png.json")):
            break
        time.sleep(0.1)
    for _ in range(3):  # as people do when nothing seems to happen
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.05)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    done = out.count(" done  ")
    assert 1 <= done == len(pictures(folder)) < 8
    assert f"{done} done, {8 - done} cancelled in " in out
    assert err.endswith(
        "stlib: interrupted; what is done is saved, and the same command paints the rest\n"
    )
    assert "Traceback" not in err
    assert_nobody_is_left(process.pid)
    assert not list(folder.glob(".*"))


def test_the_command_tells_mistakes(folder, idle, capsys):
    """Exit code 1 and one line for a job file; 2 for an option."""
    (folder / "jobs.toml").write_text(JOBS.format(steps=0, contents='"castle"'))
    assert main(["batch", "jobs.toml"]) == 1
    assert capsys.readouterr().err == (
        "stlib: error: jobs.toml, [[job]] 1: steps is 0: give a whole number, 1 or more.\n"
    )
    assert main(["batch", "nowhere.toml"]) == 1
    (folder / "jobs.toml").write_text(JOBS.format(steps=1, contents='"castle"'))
    with pytest.raises(SystemExit) as exit:
        main(["batch", "jobs.toml", "--workers", "0"])
    assert exit.value.code == 2


def test_the_note_is_a_record_of_all_settings(address):
    """For those who find the picture years later."""
    run(sweep("castle", "cat", "out.png", **CHEAP), address=address, progress=False)
    note = json.loads(Path("out.png.json").read_text("utf-8"))
    assert (note["content"], note["style"], note["steps"], note["beta"]) == (
        "castle",
        "cat",
        4,
        None,
    )
