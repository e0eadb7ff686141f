"""Many pictures on a Dask cluster: each painted once, whole and the same.

Whatever happens to workers, disk and files.
"""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import torch
from distributed import Client, LocalCluster
from hostile import ANYTHING, each
from PIL import Image

from stlib import VGG, Brush, load_image, load_mask, sample, save_image, style_transfer
from stlib.__main__ import main
from stlib.batch import cluster
from stlib.batch.cluster import CONNECTION_LOST, Outcome, Report, run, share_cores
from stlib.batch.jobs import sweep
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
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address=None,
        silence_logs=50,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
    ) as cluster:
        yield cluster.scheduler_address
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

    def watched(batch, number, picture, printed):
        write(batch, number, picture, printed)
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
    """Other settings, another input, another picture under the name, a note that is no note."""
    save_image(sample("cat", 64), "mine.jpg")
    jobs = sweep(["castle", "mine.jpg", "astronaut"], "cafe-terrace", "{content}.png", **CHEAP)
    jobs += sweep("church-at-auvers", "cafe-terrace", "{content}.png", seed=0, **CHEAP)
    run(jobs, address=address, progress=False)
    before = pictures(folder)
    save_image(sample("castle", 64), "mine.jpg")
    save_image(sample("cat", 64), "astronaut.png")
    Path("church-at-auvers.png.json").write_text("[1, 2")
    assert statuses(run(jobs, address=address, progress=False)) == [
        "skipped",
        "done",
        "done",
        "done",
    ]
    after = pictures(folder)
    assert [name for name in before if before[name] != after[name]] == ["mine.png"]
    more = sweep("castle", "cafe-terrace", "{content}.png", **{**CHEAP, "steps": 5})
    assert statuses(run(more, address=address, progress=False)) == ["done"]


def kill_a_painter(address):
    """SIGKILL for a worker that paints; returns when the scheduler knows that it is gone."""
    with Client(address, set_as_default=False) as client:
        while not (busy := [worker for worker, keys in client.processing().items() if keys]):
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
    killer = threading.Thread(target=lambda: [kill_a_painter(address) for _ in range(4)])
    killer.start()
    (outcome,) = run(jobs, address=address, threads=1, progress=False).outcomes
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


def test_a_full_disk_fails_that_picture_alone(address, folder, monkeypatch):
    """The old picture stays, no part of a file is left, and the next run paints it."""
    save_image(sample("cat", 64), "cat-cafe-terrace.png")
    old = Path("cat-cafe-terrace.png").read_bytes()

    def full(image, path):
        with monkeypatch.context() as disk:
            if path == "cat-cafe-terrace.png":
                disk.setattr(
                    "os.fsync",
                    lambda _: (_ for _ in ()).throw(
                        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    ),
                )
            return save_image(image, path)

    jobs = sweep(**FOUR, **CHEAP)
    with monkeypatch.context() as while_full:
        while_full.setattr("stlib.batch.cluster.save_image", full)
        report = run(jobs, address=address, progress=False)
    assert statuses(report) == ["done", "done", "failed", "done"]
    assert "No space left on device" in report.outcomes[2].note
    assert Path("cat-cafe-terrace.png").read_bytes() == old
    assert not list(folder.glob(".*"))
    assert statuses(run(jobs, address=address, progress=False)) == [
        "skipped",
        "skipped",
        "done",
        "skipped",
    ]


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


def test_a_graphics_card_has_one_worker(monkeypatch):
    monkeypatch.setattr("stlib.batch.cluster.best_device", lambda: torch.device("cuda"))
    assert share_cores(cores=8, memory=64e9) == (1, 8)


@pytest.mark.survives("an argument that makes no sense")
def test_a_number_of_workers_or_threads_that_makes_no_sense(idle):
    odd = {name: value for name, value in ANYTHING.items() if name != "none"}
    odd |= {"zero": 0, "1.5": 1.5}

    def give(value):
        for name in ("workers", "threads"):
            with pytest.raises(ValueError, match=rf"^{name} is .* give a whole number, 1 or more"):
                run(sweep(**FOUR, **CHEAP), progress=False, **{name: value})

    each(odd, give)


def test_the_report_is_a_table():
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
    os.killpg(process.pid, signal.SIGINT)
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
