"""Jobs: read from TOML, multiplied by lists, checked in one sentence before any work."""

import itertools
from pathlib import Path

import pytest

from stlib import sample, save_image
from stlib.batch.jobs import SETTINGS, Job, check_jobs, fingerprint, picture_file, read_jobs, sweep
from stlib.errors import JobError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(text, name="jobs.toml"):
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(text, "utf-8")
    return name


ONE = '[[job]]\ncontent = "castle"\nstyle = "cafe-terrace"\noutput = "out.png"\n'


def test_the_example_in_the_docstring(folder):
    """What the help shows can be used as it stands."""
    import stlib.batch.jobs

    (folder / "photos").mkdir()
    save_image(sample("cat", 64), "photos/cat.jpg")
    lines = [
        line[4:]
        for line in stlib.batch.jobs.__doc__.splitlines()
        if line.startswith("    ") or not line
    ]
    jobs = read_jobs(written("\n".join(lines)))
    check_jobs(jobs)
    assert [Path(job.output).name for job in jobs] == [
        "cat.png",
        "castle-cafe-terrace-plain.png",
        "castle-cafe-terrace-fast.png",
        "castle-harvest-at-la-crau-plain.png",
        "castle-harvest-at-la-crau-fast.png",
    ]
    assert all(job.complete["steps"] == 100 for job in jobs)


def test_names_are_seen_from_the_folder_of_the_file(folder):
    """Wherever the command is called from; a file goes before a sample of the same name."""
    (folder / "there").mkdir()
    save_image(sample("cat", 64), "there/my.png")
    (folder / "there" / "my.png").rename(folder / "there" / "castle")
    (job,) = read_jobs(written(ONE, "there/jobs.toml"))
    assert (job.content, job.style, job.output) == ("there/castle", "cafe-terrace", "there/out.png")
    check_jobs([job])


def test_a_job_goes_before_the_defaults():
    (job,) = read_jobs(written("[defaults]\nsteps = 7\nsize = 64\n" + ONE + "steps = 9\n"))
    assert dict(job.settings) == {"steps": 9, "size": 64}
    assert job.complete == {**SETTINGS, "steps": 9, "size": 64}


def test_a_sweep_is_a_product():
    """Of all lists, those of the defaults included; lists by nature need a list of lists."""
    jobs = sweep(
        ["castle", "cat"],
        "cafe-terrace",
        "{content}-{beta}-{style_layers}.png",
        beta=[1e3, 1e5],
        style_layers=[["relu1_1"], ["relu1_1", "relu2_1"]],
        content_layers=["relu3_1"],
    )
    assert {job.output for job in jobs} == {
        f"{content}-{beta}-{layers}.png"
        for content, beta, layers in itertools.product(
            ("castle", "cat"), (1000.0, 100000.0), ("relu1_1", "relu1_1+relu2_1")
        )
    }
    assert {tuple(job.settings["content_layers"]) for job in jobs} == {("relu3_1",)}
    check_jobs(jobs)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no job"),
        ("x = ", "is not a TOML file"),
        ("[[jobs]]\n", "no table 'jobs'; did you mean 'job'?"),
        ("[job]\n", "with double ones"),
        ("[[defaults]]\n" + ONE, "with single brackets"),
        (ONE + "step = 3\n", "[[job]] 1: no setting 'step'; did you mean 'steps'?"),
        (ONE + "callback = 3\n", "no setting 'callback'"),
        ("[defaults]\nnoise = 1\n" + ONE, "no setting 'noise'"),
        (ONE + ONE.replace("output", "outptu"), "[[job]] 2: no setting 'outptu'"),
        ('[[job]]\ncontent = "castle"\noutput = "o.png"', "style is missing"),
        (ONE.replace('"castle"', "7"), "content is 7"),
        (ONE.replace('"castle"', "[]"), "content is []"),
        (ONE + "steps = []\n", "steps is an empty list"),
        (
            ONE.replace("out.png", "{contents}.png"),
            "in the output: no 'contents'; did you mean 'content'?",
        ),
    ],
)
def test_mistakes_in_the_form(text, words):
    """One sentence with the file, and a hint where there is one."""
    with pytest.raises(JobError) as error:
        read_jobs(written(text))
    assert str(error.value).startswith("jobs.toml")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_or_no_text(folder):
    with pytest.raises(JobError, match=r"nowhere\.toml cannot be read: No such file"):
        read_jobs("nowhere.toml")
    (folder / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(JobError, match=r"bytes\.toml is not a TOML file"):
        read_jobs("bytes.toml")


def job(**changes):
    named = {name: changes.pop(name) for name in ("content", "style", "output") if name in changes}
    return Job(
        **{"content": "castle", "style": "cafe-terrace", "output": "out.png", **named},
        settings=changes,
    )


@pytest.mark.parametrize(
    ("jobs", "words"),
    [
        ([job(content="catsle")], "did you mean the sample 'castle'?"),
        (
            [job(style="nowhere/xyz.jpg")],
            "no picture nowhere/xyz.jpg, and no sample of this name. The samples are ",
        ),
        ([job(content=".")], "there is no picture ."),
        ([job(output="nowhere/out.png")], "there is no folder"),
        ([job(output="out.xyz")], "names no format"),
        ([job(), job(style="cat")], "two jobs have the output out.png"),
        ([job(), job(style="cat", output="./out.png")], "two jobs have the output"),
        ([job(step=3)], "did you mean 'steps'"),
        ([job(steps=0)], "steps is 0"),
        ([job(size=31)], "size is 31"),
        ([job(size="256")], "size is '256'"),
        ([job(beta=-1)], "beta is -1"),
        ([job(init=[1, 2])], "init is [1, 2]"),
        ([job(solver="slow")], "solver is 'slow'"),
        ([job(style_layers=["relu1_1", "relu4_9"])], "no layer 'relu4_9'; did you mean 'relu4_"),
        ([job(content_layers=["relu4_4"], depth=16, weights="random")], "no layer 'relu4_4'"),
        ([job(depth=16)], "for depth 19 only"),
        ([job(depth=18)], "depth is 18: use 16 or 19"),
        ([job(weights="mine.pth")], 'use "oxford" or "imagenet" or "random"'),
        ([job(pooling="none")], 'use "max" or "average"'),
        ([job(device="gpu")], "device is 'gpu'"),
    ],
)
def test_mistakes_in_what_it_says(jobs, words):
    """One sentence with the job."""
    with pytest.raises(JobError) as error:
        check_jobs(jobs)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_an_output_never_overwrites_an_input(folder):
    """Not even that of another job."""
    save_image(sample("cat", 64), "mine.png")
    with pytest.raises(JobError, match=r"mine\.png is an output, but also a picture to be read"):
        check_jobs([job(output="mine.png"), job(content="mine.png")])


def test_checking_writes_nothing(folder):
    check_jobs([job()])
    assert list(folder.iterdir()) == []


def test_the_fingerprint_holds_what_the_picture_depends_on():
    """All settings, defaults included, and the bytes of the files."""
    save_image(sample("cat", 64), "a.png")
    same = [
        job(),
        job(steps=100),
        job(alpha=1),
        job(output="other.png"),
        job(content=str(picture_file("castle"))),
    ]
    assert len({fingerprint(one) for one in same}) == 1
    different = [
        job(),
        job(steps=99),
        job(size=255),
        job(seed=1),
        job(content="cat"),
        job(content="a.png"),
        job(content="cafe-terrace", style="castle"),
        job(weights="random"),
        job(style_layers=["relu1_1"]),
    ]
    assert len({fingerprint(one) for one in different}) == len(different)


def test_the_fingerprint_sees_a_changed_file():
    save_image(sample("cat", 64), "a.png")
    before = fingerprint(job(content="a.png"))
    save_image(sample("cat", 65), "a.png")
    assert fingerprint(job(content="a.png")) != before
