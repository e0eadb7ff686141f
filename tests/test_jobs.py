"""Jobs: read from TOML, multiplied by lists, checked in one sentence before any work."""

import itertools
import json
import math
import pickle
import re
from datetime import date, datetime, time
from pathlib import Path

import pytest
import torch
from hostile import ANYTHING, each

from stlib import VGG, Brush, Settings, load_image, load_mask, sample, save_image, style_transfer
from stlib.batch.cluster import run
from stlib.batch.jobs import (
    DEFAULTS,
    NETWORK,
    PAINTING,
    Job,
    Network,
    Painting,
    check_jobs,
    fingerprint,
    make_job,
    picture_file,
    read_jobs,
    sweep,
)
from stlib.errors import JobError
from stlib.settings import PAINTER, STYLE_LAYERS, digest


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
    for name in ("cat.jpg", "sky.png"):
        save_image(sample("cat", 64), f"photos/{name}")
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
        "castle-langlois-bridge+church-at-auvers.png",
        "cat.png",
    ]
    assert jobs[-1].output == "painted/photos/cat.png"
    assert all(job.settings.steps == 100 for job in jobs)


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
    assert job == Job("castle", "cafe-terrace", "out.png", 64, settings=Settings(steps=9))
    assert job.values() == {**DEFAULTS, "steps": 9, "size": 64}


def test_several_styles_in_one_picture():
    """Names or tables, from the folder of the file; a job's style goes before those of all."""
    text = """
    [defaults]
    content = "castle"
    styles = ["cat", "my.png"]
    [[job]]
    output = "{style}.png"
    [[job]]
    output = "{styles}-{style_size}.png"
    styles = [{picture = "my.png", weight = 2, mask = "left.png"}, "cafe-terrace"]
    style_size = [64, 128]
    [[job]]
    output = "{style}.png"
    style = ["cat", "astronaut"]
    [[job]]
    output = "{styles}.png"
    styles = [["castle", "cat"], ["castle", "astronaut"]]
    """
    jobs = read_jobs(written(text, "there/jobs.toml"))
    mine = "there/my.png"
    two = (Painting(mine, 2, "there/left.png"), Painting("cafe-terrace"))
    assert [(job.output.removeprefix("there/"), job.style) for job in jobs] == [
        ("cat+my.png", (Painting("cat"), Painting(mine))),
        ("my+cafe-terrace-64.png", two),
        ("my+cafe-terrace-128.png", two),
        ("cat.png", "cat"),
        ("astronaut.png", "astronaut"),
        ("castle+cat.png", (Painting("castle"), Painting("cat"))),
        ("castle+astronaut.png", (Painting("castle"), Painting("astronaut"))),
    ]
    assert jobs[1].files == ["castle", mine, "there/left.png", "cafe-terrace"]
    assert [jobs[number].settings.style_size for number in (0, 1, 2)] == [None, 64, 128]


@pytest.mark.parametrize(
    ("styles", "words"),
    [
        ('"cat"', "styles is 'cat': give a list of names"),
        ("[]", "styles is []"),
        ("[7]", "styles holds 7"),
        ('[["cat"], "castle"]', "styles holds ['cat']"),
        ("[{weight = 2}]", "styles: picture is missing"),
        ('[{picture = "cat", wieght = 2}]', "styles: no key 'wieght'; did you mean 'weight'?"),
        ('[{picture = "cat", weight = -1}]', "styles: weight is -1"),
        ('[{picture = "cat", weight = 0}]', "styles: weight is 0"),
        ('[{picture = "cat", mask = 1}]', "styles: mask is 1"),
        ('["cat"]\nstyle = "castle"', "style and styles are both given"),
    ],
)
def test_mistakes_in_styles(styles, words):
    with pytest.raises(JobError) as error:
        read_jobs(written(f'[[job]]\ncontent = "cat"\noutput = "o.png"\nstyles = {styles}\n'))
    assert words in str(error.value)
    assert_sentence(error.value)


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
    assert {tuple(job.settings.content_layers) for job in jobs} == {("relu3_1",)}
    check_jobs(jobs)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no job"),
        ("x = ", "is not a TOML file"),
        (ONE.replace("out.png", "{content.png"), "{content.png has one brace of a pair"),
        (ONE.replace("out.png", "content}.png"), "content}.png has one brace of a pair"),
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


def test_one_film_of_several_pictures_is_for_frames():
    both = sweep(["castle", "cat"], "cafe-terrace", "{content}.png", film="film.webp")
    with pytest.raises(JobError, match=r"two jobs have the film film\.webp: .* by stlib frames"):
        check_jobs(both)


@pytest.mark.survives("a file name with odd characters")
def test_the_name_of_a_file_of_jobs_stays_on_one_line(folder):
    (folder / "two\nlines.toml").write_text("x = ")
    for name in ("two\nlines.toml", "no\nwhere.toml"):
        with pytest.raises(JobError) as error:
            read_jobs(name)
        assert str(error.value).startswith(name.replace("\n", r"\n"))


def test_a_file_that_is_not_there_or_no_text(folder):
    with pytest.raises(JobError, match=r"nowhere\.toml cannot be read: No such file"):
        read_jobs("nowhere.toml")
    (folder / "bytes.toml").write_bytes(b"\xfa\xfe")
    with pytest.raises(JobError, match=r"bytes\.toml is not a TOML file"):
        read_jobs("bytes.toml")


def job(**changes):
    named = {"content": "castle", "style": "cafe-terrace", "output": "out.png"}
    return make_job(**named | changes)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"step": 3}, "no setting 'step'; did you mean 'steps'?"),
        ({"steps": 0}, "steps is 0"),
        ({"size": 31}, "size is 31"),
        ({"size": "256"}, "size is '256'"),
        ({"beta": -1}, "beta is -1"),
        ({"init": [1, 2]}, "init is [1, 2]"),
        ({"init": torch.ones(1, 3, 32, 32)}, "init is a picture"),
        ({"solver": "slow"}, "solver is 'slow'"),
        ({"style_layers": ["relu1_1", "relu4_9"]}, "no layer 'relu4_9'; did you mean 'relu4_"),
        ({"content_layers": ["relu4_4"], "depth": 16, "weights": "random"}, "no layer 'relu4_4'"),
        ({"depth": 16}, "for depth 19 only"),
        ({"depth": 18}, "depth is 18: use 16 or 19"),
        ({"weights": "mine.pth"}, 'use "oxford" or "imagenet" or "random"'),
        ({"pooling": "none"}, 'use "max" or "average"'),
        ({"device": "gpu"}, "device is 'gpu'"),
        ({"device": "cuda:"}, "device is 'cuda:'"),
        ({"device": 1}, "device is 1"),
        ({"style_size": 31}, "style_size is 31"),
        ({"colors": "content"}, "colors is 'content'"),
        ({"save_every": 0}, "save_every is 0"),
        ({"film": 3}, "film is 3"),
    ],
)
def test_mistakes_in_a_setting(settings, words):
    """One sentence, as soon as the job is made."""
    with pytest.raises(JobError) as error:
        job(**settings)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("jobs", "words"),
    [
        ([job(content="catsle")], "did you mean the sample 'castle'?"),
        (
            [job(style="nowhere/xyz.jpg")],
            "no picture nowhere/xyz.jpg, and no sample of this name. The samples are ",
        ),
        ([job(content=".")], "there is no picture ."),
        ([job(output="jobs.toml/new/out.png")], "jobs.toml is no folder"),
        ([job(output="out.xyz")], "names no format"),
        ([job(film="film.mov")], "cannot be a film"),
        ([job(film="out.png")], "out.png would be written twice"),
        ([job(film="a.gif"), job(output="b.png", film="a.gif")], "two jobs have the film a.gif"),
        ([job(output="film.webp"), job(film="film.webp")], "two jobs have the output film.webp"),
        ([job(), job(style="cat")], "two jobs have the output out.png"),
        ([job(), job(style="cat", output="./out.png")], "two jobs have the output"),
    ],
)
def test_mistakes_in_the_files(jobs, words):
    """One sentence with the job, before any work."""
    written(ONE)
    with pytest.raises(JobError) as error:
        check_jobs(jobs)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


ODD_VALUES = [  # of a TOML file
    *([], [[]], [[], []], [[[]]], {}, [{}], [{}, {}], [[{}]], "", [""], [[""]], ["", ""]),
    *(True, False, [True], 0, -1, 1, [1], [[1]], 1.0, 0.5, 10**30, [1, "1"], [1, [1]]),
    *(math.nan, math.inf, -math.inf, [math.nan], [[math.inf] * 5]),
    *("nonsense", ["nonsense"], [["nonsense"]], "two\nlines", "nul\0", "~", "{steps}", "{}"),
    *("relu1_1", ["relu1_1"], [["relu1_1"]], [["relu1_1"], []], ["relu1_1", "relu1_1"]),
    *([{"relu1_1": 1}], {"relu1_1": "1"}, [dict.fromkeys(STYLE_LAYERS, 1.0)]),
    *([[1.0] * 5], [1.0] * 5, [[1.0] * 4], [[True] * 5], [["1"] * 5], [[[1.0]] * 5]),
    *(date(2016, 6, 27), datetime(2016, 6, 27, 12, 0), time(12, 0), [date(2016, 6, 27)]),
    *("x" * 10_000, ["x" * 10_000], "castle", ["castle", "castle"], "../" * 50 + "x.png"),
]
NAMES = ["content", "style", "output", *DEFAULTS]
LIKE_NAMES = ["folder", "keep_every", "callback", "network", "settings", "values", "self", "", "ß"]


def toml(value):
    """A value as TOML writes it."""
    if isinstance(value, (str, bool)):
        return json.dumps(value)
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{toml(key)} = {toml(entry)}' for key, entry in value.items())}}}"
    return value.isoformat() if isinstance(value, (date, time)) else repr(value)


def assert_jobs_or_sentence(name, make):
    """`make` returns jobs that can be done, or ends in a JobError of one line with the name."""
    try:
        jobs = make()
    except JobError as error:
        named = re.search(name.replace("_weights", "[_ ]weights?"), str(error))
        assert named, f"{name} is not in: {error}"
        assert_sentence(error)
        return
    assert jobs
    for one in jobs:
        assert isinstance(one.settings, Settings)
        assert isinstance(one.network, Network)
        assert pickle.loads(pickle.dumps(one)) == one
        json.dumps(one.values(), default=list)
        assert len(one.settings.fingerprint()) == 64
    try:
        check_jobs(jobs)
    except JobError as error:  # no such file, or the same output twice
        assert name in ("content", "style", "styles", "output") or len(jobs) > 1
        assert_sentence(error)


def assert_sentence(error):
    words = str(error)
    assert words.isprintable() and words.endswith((".", "?")) and len(words) < 1000, words[:200]


@pytest.mark.survives("an argument that makes no sense")
@pytest.mark.parametrize("name", [*NAMES, "styles", *LIKE_NAMES])
def test_every_setting_with_every_odd_value_of_a_toml_file(name):
    """Of the job, and of the defaults."""

    def try_it(value):
        row = f"{toml(name)} = {toml(value)}\n"
        others = "".join(
            line
            for line in ONE.splitlines(keepends=True)
            if not line.startswith(f"{name.removesuffix('s')} =")
        )
        for text in (others + row, f"[defaults]\n{row}{others}"):
            assert_jobs_or_sentence(name, lambda text=text: read_jobs(written(text)))

    each({toml(value)[:100]: value for value in ODD_VALUES}, try_it)


@pytest.mark.survives("an argument that makes no sense")
@pytest.mark.parametrize("name", [*NAMES, "styles"])
def test_every_setting_with_every_odd_value_of_a_sweep(name):
    """Those of a TOML file, and those that only Python has."""
    named = {"content": "castle", "style": "cafe-terrace", "output": "out.png"}
    if name == "styles":
        del named["style"]

    def try_it(value):
        for given in (value, [value], (value, value)):
            assert_jobs_or_sentence(name, lambda given=given: sweep(**named | {name: given}))

    layers = {"a set of layers": {"relu2_1", "relu1_1"}, "layers as keys": {"relu2_1": 1}}
    each({toml(value)[:100]: value for value in ODD_VALUES} | ANYTHING | layers, try_it)


def test_a_toml_file_nested_too_deeply(folder):
    assert_jobs_or_sentence("jobs.toml", lambda: read_jobs(written("x = " + "[" * 10_000)))


def test_an_output_never_overwrites_an_input(folder):
    """Not even that of another job."""
    save_image(sample("cat", 64), "mine.png")
    with pytest.raises(JobError, match=r"mine\.png is an output, but also a picture to be read"):
        check_jobs([job(output="mine.png"), job(content="mine.png")])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_of_windows_is_read(encoding, folder):
    """With the mark that Notepad and PowerShell write, and with their line ends."""
    text = '[[job]]\r\ncontent = "castle"\r\nstyle = "cat"\r\noutput = "a.png"\r\n'
    (folder / "jobs.toml").write_bytes(text.encode(encoding))
    assert [job.content for job in read_jobs("jobs.toml")] == ["castle"]


def test_backslashes_other_bytes_and_lost_settings_have_a_way_out(folder):
    job = '[[job]]\ncontent = "{}"\nstyle = "cat"\noutput = "a.png"\n'
    for data, words in {
        job.format(r"C:\Users\me\cat.jpg").encode(): "Write a path with / between",
        job.format(r"photos\cat.jpg").encode(): "Write a path with / between",
        job.format("Käse.jpg").encode("latin-1"): "Save it as UTF-8.",
        b"size = 64\n"
        + job.format("castle").encode(): "size stands above all tables: put it under",
    }.items():
        (folder / "jobs.toml").write_bytes(data)
        with pytest.raises(JobError, match=re.escape(words)):
            read_jobs("jobs.toml")


def test_the_home_folder_is_meant_by_its_sign(monkeypatch, folder):
    """~ in a path of a photo, a mask, an output and the file itself."""
    (folder / "home").mkdir()
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("USERPROFILE", str(folder / "home"))
    save_image(sample("cat", 64), "~/cat.png")
    (folder / "home" / "jobs.toml").write_text(
        '[[job]]\ncontent = "~/cat.png"\nstyle = "castle"\noutput = "~/{content}-out.png"\n'
    )
    (read,) = read_jobs("~/jobs.toml")
    check_jobs([read])
    assert (read.content, read.output) == tuple(
        str(folder / "home" / name) for name in ("cat.png", "cat-out.png")
    )
    assert not (folder / "~").exists()


def test_masks_are_inputs_too():
    save_image(sample("cat", 64), "mine.png")
    named = {"content": "castle", "styles": [{"picture": "cat", "mask": "mine.png"}]}
    with pytest.raises(JobError, match=r"mine\.png is an output, but also a picture to be read"):
        check_jobs(sweep(**named, output="mine.png"))
    Path("mine.png").unlink()
    with pytest.raises(JobError, match=r"there is no picture mine\.png"):
        check_jobs(sweep(**named, output="out.png"))


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
        job(style=(Painting("cafe-terrace"),)),
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
        job(style_size=255),
        job(colors="photo"),
        job(device="cuda:1"),
        job(style=(Painting("cafe-terrace"), Painting("cat"))),
        job(style=(Painting("cat"), Painting("cafe-terrace"))),
        job(style=(Painting("cafe-terrace", 2.0), Painting("cat"))),
        job(style=(Painting("cafe-terrace", mask="a.png"), Painting("cat"))),
        job(style=(Painting("cafe-terrace"), Painting("cat", mask="a.png"))),
        job(style=(Painting("cafe-terrace", mask="cat"), Painting("cat"))),
    ]
    assert len({fingerprint(one) for one in different}) == len(different)


def test_the_fingerprint_holds_what_paints(monkeypatch):
    """So a picture that an older version has painted is painted anew."""
    before = fingerprint(job())
    monkeypatch.setattr("stlib.settings.PAINTER", PAINTER + 1)
    assert fingerprint(job()) != before


def test_the_digest_of_a_set_does_not_know_its_order():
    """Which differs from process to process; the keys of a dict are a set in an order of ours."""
    assert digest({"a": 1, "b": 2}.keys()) == digest({"b": 2, "a": 1}.keys())
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 1})


# for every setting a value that is not the default
OTHERS = {
    "size": 48,
    "depth": 16,
    "weights": "random",
    "pooling": "average",
    "normalized": False,
    "device": "cpu",
    "alpha": 2,
    "beta": 1e5,
    "tv": 0.5,
    "roughness": 0.5,
    "overflow": 50,
    "padding": "replicate",
    "content_layers": ["relu2_1"],
    "style_layers": ["relu1_1", "relu1_2"],
    "style_weights": {"relu1_1": 1, "relu1_2": 0.5},
    "init": "noise",
    "optimizer": "adam",
    "solver": "plain",
    "steps": 4,
    "seed": 7,
    "style_size": 64,
    "colors": "photo",
}


def test_a_job_that_sets_everything(folder):
    """Settings, styles, masks, film, pictures so far: all that `style_transfer` can, jobs can."""
    assert OTHERS.keys() == DEFAULTS.keys()
    assert [name for name, value in OTHERS.items() if value == DEFAULTS[name]] == []
    save_image(torch.linspace(0, 1, 96).expand(1, 3, 64, 96), "mask.png")
    rows = "\n".join(f"{name} = {toml(value)}" for name, value in OTHERS.items())
    written(
        f"""
        [defaults]
        {rows}
        [[job]]
        content = "castle"
        styles = [{{picture = "cat", weight = 2, mask = "mask.png"}}, "cafe-terrace"]
        output = "all/{{content}}.png"
        film = "all/{{styles}}.webp"
        save_every = 2
        """
    )
    report = run(read_jobs("jobs.toml"), workers=1, threads=1, progress=False)
    assert report.count("done") == 1, report
    note = json.loads(Path("all/castle.png.json").read_text("utf-8"))
    weights = OTHERS["style_weights"]
    expected = {**OTHERS, "style_weights": list(weights.values())}
    assert {name: note[name] for name in OTHERS} == expected
    assert Path("all/cat+cafe-terrace.webp").is_file()

    settings = {name: OTHERS[name] for name in PAINTING}
    network = {name: OTHERS[name] for name in NETWORK}
    content = sample("castle", 48)
    mask = load_mask("mask.png", content)
    brushes = [Brush(sample("cat", 64), 2, mask), Brush(sample("cafe-terrace", 64), 1, 1 - mask)]
    painted = style_transfer(content, brushes, net=VGG(**network), progress=False, **settings)
    assert (load_image("all/castle.png", None) - painted.image).abs().max() < 0.02


def test_the_fingerprint_sees_a_changed_file():
    save_image(sample("cat", 64), "a.png")
    before = fingerprint(job(content="a.png"))
    save_image(sample("cat", 65), "a.png")
    assert fingerprint(job(content="a.png")) != before
