"""Where jobs find pictures and put them: patterns, folders, ~, and a cloud's names."""

import sys
from pathlib import Path

import fsspec
import numpy as np
import pytest
from clusters import dask_cluster

from stlib import sample, save_image
from stlib.__main__ import main
from stlib.batch import notes, places
from stlib.batch.cluster import run
from stlib.batch.jobs import check_jobs, fingerprint, read_jobs, sweep
from stlib.errors import JobError

CHEAP = {
    "size": 48,
    "steps": 2,
    "style_layers": ["relu1_1"],
    "content_layers": ["relu2_1"],
    "device": "cpu",
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of photos in two folders, and what else lies in such folders."""
    monkeypatch.chdir(tmp_path)
    picture = save_image(sample("cat", 48), "one.png").read_bytes()
    Path("one.png").unlink()
    for name in ("2.png", "10.png", "cat[1].png", "b/2.png", "b/c/sky.JPG", "._2.png", ".b/2.png"):
        path = Path("photos", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
    Path("photos/notes.txt").write_text("of the holidays")
    return tmp_path


@pytest.fixture(scope="module")
def address():
    with dask_cluster(workers=1) as there:
        yield there


@pytest.fixture
def bucket():
    """A cloud in this process's memory, with two pictures."""
    memory = fsspec.filesystem("memory")
    for name in ("photos/2.png", "photos/10.png", "photos/notes.txt"):
        memory.pipe_file(f"/bucket/{name}", Path("photos", Path(name).name).read_bytes())
    yield memory
    memory.rm("/bucket", recursive=True)


PATTERNS = {
    "photos/": ["2", "10", "cat[1]"],
    "photos": ["2", "10", "cat[1]"],
    "photos/*.png": ["2", "10", "cat[1]"],
    "photos/?.png": ["2"],
    "photos/[0-9]*.png": ["2", "10"],
    "photos/cat[1].png": ["cat[1]"],
    "photos/**/*.png": ["2", "10", "b/2", "cat[1]"],
    "photos/**": ["2", "10", "b/2", "b/c/sky", "cat[1]"],
    "photos/*/*.png": ["b/2"],
    "photos/**/sky*": ["b/c/sky"],
}


@pytest.mark.parametrize(("name", "expected"), PATTERNS.items())
def test_patterns_and_folders(folder, name, expected):
    """Pictures only, hidden ones never, in the order of their numbers; the folders are kept."""
    out = "painted/{folder}/{content}.png"
    expected = [f"photos/{one}.png" for one in expected]
    for given, base in ((name, "."), (str(folder / name), folder)):
        jobs = sweep(given, "cafe-terrace", out, folder=base)
        found = [Path(base, job.content).relative_to(base) for job in jobs]
        assert [one.with_suffix(".png").as_posix() for one in found] == expected
        assert [job.output for job in jobs] == [str(Path(base, "painted", one)) for one in expected]
        check_jobs(jobs)
    assert not Path("painted").exists()


def test_the_folder_of_what_lies_elsewhere_begins_with_the_patterns_own(folder):
    """So that no output lands among the photos."""
    (folder / "jobs").mkdir()
    for name in ("../photos/**/*.png", str(folder / "photos/**/*.png")):
        jobs = sweep(name, "castle", "{folder}/{content}.png", folder="jobs")
        assert [job.output for job in jobs] == [
            f"jobs/photos/{one}.png" for one in ("2", "10", "b/2", "cat[1]")
        ]


def test_styles_are_found_too_and_samples_stay_samples():
    jobs = sweep(["castle", "photos/2.png"], "photos/*.png", "{folder}/{content}-{style}.png")
    assert [job.output for job in jobs[2:4]] == ["castle-cat[1].png", "photos/2-2.png"]
    assert [job.style for job in jobs[:2]] == ["photos/2.png", "photos/10.png"]
    # a folder goes before a sample of the same name, as a file does
    Path("photos").rename("castle")
    assert [job.content for job in sweep("castle/", "cat", "{content}.png")] == [
        job.content for job in sweep("castle", "cat", "{content}.png")
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("photos/*.webp", "no file matches photos/*.webp: capital letters count, and photos/ "),
        ("nowhere/*.png", "there is no folder nowhere"),
        ("nowhere/", "there is no folder nowhere"),
        ("photos/**x.png", "photos/**x.png"),
        ("empty/", "the folder empty holds no picture: for those in folders below write empty/**"),
    ],
)
def test_nothing_found_is_told(name, words):
    Path("empty").mkdir()
    for kind in ("content", "style"):
        named = {"content": "castle", "style": "cat", "output": "out.png", kind: name}
        with pytest.raises(JobError) as error:
            sweep(**named)
        assert str(error.value).startswith(f"{kind}: ")
        assert words in str(error.value)


def test_advice_for_pictures_of_one_name_helps():
    """{folder} tells folders apart, and nothing but a new name a suffix."""
    with pytest.raises(JobError, match=r'"\{folder\}/\{content\}\.png"') as error:
        check_jobs(sweep("photos/**/2.png", "castle", "painted/{content}.png"))
    assert "photos/2.png and photos/b/2.png" in str(error.value)
    check_jobs(sweep("photos/**/2.png", "castle", "painted/{folder}/{content}.png"))
    Path("photos/2.png").rename("photos/2.jpg")
    Path("photos/10.png").rename("photos/2.png")
    with pytest.raises(JobError, match="differ in the suffix alone, so rename one"):
        check_jobs(sweep("photos/", "castle", "{folder}/{content}.png"))


def test_what_a_batch_has_painted_is_no_photo():
    """Under another name, too, where it lies among the photos; a folder of results is content."""
    for name in ("photos/2-castle.png", "painted/2.png"):
        Path(name).parent.mkdir(exist_ok=True)
        (job,) = sweep("cat", "castle", name, size=64)
        save_image(sample("cat", 64), name)
        notes.write_note(job, "of an earlier batch")
    photos = ["photos/2.png", "photos/10.png", "photos/cat[1].png"]
    jobs = sweep("photos/", "cat", "photos/{content}-by-{style}.png")
    assert [job.content for job in jobs] == photos
    assert [job.content for job in sweep("painted/", "cat", "again/{content}.png")] == [
        "painted/2.png"
    ]
    (named,) = sweep("photos/2-castle.png", "cat", "photos/{content}-by-{style}.png")
    assert named.content == "photos/2-castle.png"


def test_home_is_expanded(folder, monkeypatch):
    """In every name, and nobody makes a folder called ~."""
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    Path("jobs.toml").write_text(
        '[[job]]\ncontent = "~/photos/2.png"\noutput = "~/out.png"\nfilm = "~/out.webp"\n'
        'styles = [{picture = "~/photos/10.png", mask = "~/photos/2.png"}]\n'
        '[[job]]\ncontent = "~/photos/*.png"\nstyle = "castle"\noutput = "~/{content}.png"\n'
    )
    jobs = read_jobs("~/jobs.toml")
    check_jobs(jobs)
    names = {name for job in jobs for name in (*job.files, job.output, job.film)}
    assert all(name in ("castle", None) or name.startswith(str(folder)) for name in names)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_toml_file_of_any_editor(encoding):
    """With a mark at its beginning, with two bytes for a character, with Windows' line ends."""
    text = '[[job]]\ncontent = "photos/2.png"\nstyle = "castle"\noutput = "Gemälde.png"\n'
    Path("jobs.toml").write_bytes(text.replace("\n", "\r\n").encode(encoding))
    (job,) = read_jobs("jobs.toml")
    assert job.output == "Gemälde.png"
    check_jobs([job])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ('content = "C:\\Users\\me\\cat.jpg"', "with / between its folders, or in single quotes"),
        ('content = "photos\\new.jpg"', "there is no picture photos\\new.jpg. Write a path with /"),
        ("content = 'photos\\2.png'", ": write photos/2.png."),
        ('output = "painted\\new.png"', "output is 'painted\\new.png', with a character that no"),
        ('content = "https://example.org/cat.png"', "is a web address: download the picture"),
        ('style = "http://example.org/cat.png"', "is a web address: download the picture"),
        ('output = "https://example.org/cat.png"', "is a web address"),
        ('stlye = "castle"', "no setting 'stlye'; did you mean 'style'?"),
        ('contents = "castle"', "no setting 'contents'; did you mean 'content'?"),
        ('ouput = "castle"', "no setting 'ouput'; did you mean 'output'?"),
        ('flim = "castle"', "no setting 'flim'; did you mean 'film'?"),
    ],
)
def test_mistakes_in_names(row, words):
    table = {"content": '"castle"', "style": '"cat"', "output": '"out.png"'}
    name, value = row.split(" = ", maxsplit=1)
    rows = "\n".join(f"{key} = {given}" for key, given in {**table, name: value}.items())
    Path("jobs.toml").write_text(f"[[job]]\n{rows}\n")
    with pytest.raises(JobError) as error:
        check_jobs(read_jobs("jobs.toml"))
    assert words in str(error.value)
    assert str(error.value).isprintable()
    if value == '"castle"':
        with pytest.raises(JobError) as error:
            sweep("castle", "cat", "out.png", **{name: "castle"})
        assert words in str(error.value)


def test_settings_above_all_tables_are_told():
    Path("jobs.toml").write_text('size = 64\n[[job]]\ncontent = "cat"\n')
    with pytest.raises(JobError, match=r"jobs\.toml: size stands above all .* under \[defaults\]"):
        read_jobs("jobs.toml")


def test_numbers_of_numpy_and_paths_are_taken():
    jobs = sweep(
        Path("photos/2.png"),
        "castle",
        Path("{steps}-{beta}.png"),
        steps=np.arange(1, 3),
        size=np.int64(64),
        beta=[np.float32(4), 8],
        save_every=np.int32(1),
    )
    assert [job.output for job in jobs] == ["1-4.0.png", "1-8.png", "2-4.0.png", "2-8.png"]
    assert {type(job.settings.steps) for job in jobs} == {type(jobs[0].size)} == {int}


def test_a_folder_that_is_none_is_told():
    with pytest.raises(JobError, match=r"^folder is None: give the path of a folder, or leave"):
        sweep("castle", "cat", "out.png", folder=None)


def test_folders_are_made_when_a_picture_comes(address):
    """Of pictures and films; what was painted is no photo the next time."""
    jobs = sweep(
        "photos/**/2.png",
        "castle",
        "{folder}/x/{content}.png",
        film="f/{folder}/{content}.gif",
        **CHEAP,
    )
    assert [outcome.status for outcome in run(jobs, address=address, progress=False).outcomes] == [
        "done",
        "done",
    ]
    for name in ("photos/x/2.png", "photos/b/x/2.png", "f/photos/2.gif", "f/photos/b/2.gif"):
        assert Path(name).is_file()
    again = sweep("photos/**/[12]*.png", "castle", "{folder}/x/{content}.png", **CHEAP)
    assert [job.content for job in again] == ["photos/2.png", "photos/10.png", "photos/b/2.png"]
    Path("photos/x/2.png.json").unlink()  # so it is somebody's own picture
    own = sweep("photos/**/[12]*.png", "castle", "{folder}/x/{content}.png", **CHEAP)
    with pytest.raises(JobError, match=r"photos/x/2\.png is an output, but also a picture"):
        check_jobs(own)


def test_pictures_from_and_to_a_cloud(address, bucket):
    """The same pictures as from a folder; unchanged, they are skipped; each change is seen."""
    named = {"style": "photos/cat[1].png", **CHEAP}
    here = sweep("photos/[0-9]*.png", output="out/{content}.png", **named)
    there = sweep(
        "memory://bucket/photos/*.png",
        styles=[
            {"picture": "memory://bucket/photos/2.png", "mask": "memory://bucket/photos/2.png"}
        ],
        output="memory://bucket/{folder}/x/{content}.png",
        film="memory://bucket/{content}.webp",
        **CHEAP,
    )
    assert [job.output for job in there] == [
        "memory://bucket/photos/x/2.png",
        "memory://bucket/photos/x/10.png",
    ]
    plain = sweep(
        "memory://bucket/photos/", "photos/2.png", "memory://bucket/{content}.png", **CHEAP
    )
    assert list(map(fingerprint, plain)) == list(
        map(fingerprint, sweep("photos/[0-9]*.png", "photos/2.png", "{content}.png", **CHEAP))
    )
    jobs = [*here, *there, *plain]
    for expected in ("done", "skipped"):
        report = run(jobs, address=address, progress=False)
        assert {outcome.status for outcome in report.outcomes} == {expected}, report
    assert bucket.cat("/bucket/2.png") == Path("out/2.png").read_bytes()
    assert bucket.exists("/bucket/10.webp")
    bucket.pipe_file(
        "/bucket/photos/10.png", save_image(sample("castle", 48), "c.png").read_bytes()
    )
    report = run(plain, address=address, progress=False)
    assert [outcome.status for outcome in report.outcomes] == ["skipped", "done"]


def test_a_picture_of_a_cloud_is_one_whatever_it_is_called(bucket):
    """Over what is read nothing is written, and no file twice."""
    read = sweep("memory://bucket/photos/2.png", "cat", "memory:///bucket/photos/2.png", **CHEAP)
    with pytest.raises(JobError, match="is an output, but also a picture to be read"):
        check_jobs(read)
    spelt = ["memory://bucket/x.png", "memory:///bucket/x.png"]
    with pytest.raises(JobError, match="two jobs have the output"):
        check_jobs([job for name in spelt for job in sweep("castle", "cat", name, **CHEAP)])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("file:///photos/2.png", "give the path of the file, without file://"),
        ("memory://bucket/nothing.png", "there is no picture memory://bucket/nothing.png"),
        ("memory://bucket/*.gif", "no file matches memory://bucket/*.gif"),
        ("memory://nowhere/", "the folder memory://nowhere holds no picture"),
        ("foo://bucket/2.png", "foo://bucket/2.png cannot be reached: Protocol not known: foo."),
    ],
)
def test_mistakes_in_a_clouds_names(bucket, name, words):
    with pytest.raises(JobError) as error:
        check_jobs(sweep(name, "castle", "out.png"))
    assert words in str(error.value)


def test_a_cloud_whose_package_is_missing_is_told(monkeypatch):
    def missing(name):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    for named in ({"content": "s3://bucket/2.png"}, {"output": "s3://bucket/2.png"}):
        table = {"content": "castle", "style": "cat", "output": "out.png", **named}
        with pytest.raises(
            JobError, match=r"s3://bucket/2\.png cannot be reached: Install s3fs to"
        ):
            check_jobs(sweep(**table))


@pytest.mark.parametrize("command", ["batch", "batch --dry-run", "frames"])
def test_without_the_extra_of_a_command(command, monkeypatch, capsys):
    """Exit code 1 and one sentence that says what to install."""
    for missing, extra, named in [
        ("fsspec", "cloud", {"content": "s3://bucket/*.png"}),
        ("fsspec", "cloud", {"output": "s3://bucket/2.png"}),
        ("skimage", "video", {}),
    ]:
        if extra == "video" and command != "frames":
            continue
        table = {"content": "castle", "style": "cat", "output": "out.png", **named}
        lines = [f"{key} = {value!r}" for key, value in table.items()]
        Path("jobs.toml").write_text("\n".join(["[[job]]", *lines]))
        with monkeypatch.context() as without:
            for name in [name for name in sys.modules if name.split(".")[0] == missing]:
                without.setitem(sys.modules, name, None)
            without.setitem(sys.modules, missing, None)
            assert main([*command.split(), "jobs.toml"]) == 1
        err = capsys.readouterr().err
        assert err.startswith("stlib: error: ") and err.count("\n") == 1
        assert f'pip install --editable ".[{extra}]"' in err


@pytest.mark.parametrize(
    "line",
    [
        "transfer s3://bucket/2.png cat -o out.png",
        "transfer castle s3://bucket/2.png -o out.png",
        "transfer castle cat -o s3://bucket/2.png",
        "sheet s3://bucket/2.png -o out.png",
        "sheet castle -o out.png --keep s3://bucket",
    ],
)
def test_commands_for_one_machine_say_so(line, folder, capsys):
    """And make no folder called s3:."""
    before = sorted(folder.rglob("*"))
    assert main(line.split()) == 1
    err = capsys.readouterr().err
    assert err.startswith("stlib: error: s3://bucket") and err.count("\n") == 1
    assert "let stlib batch paint it" in err
    assert sorted(folder.rglob("*")) == before


def test_a_cloud_that_fails_fails_its_pictures_alone(address, bucket, monkeypatch):
    """In one sentence, whatever its library raises."""

    def refuse(*_, **__):
        raise RuntimeError("your key has expired")

    jobs = sweep("castle", "cat", "memory://bucket/x.png", **CHEAP)
    jobs += sweep("castle", "cat", "here.png", **CHEAP)
    monkeypatch.setattr(type(bucket), "pipe_file", refuse)
    report = run(jobs, address=address, progress=False)
    assert [outcome.status for outcome in report.outcomes] == ["failed", "done"]
    note = report.outcomes[0].note
    assert note.startswith("memory://bucket/x.png")
    assert note.endswith(" cannot be saved: your key has expired.")


def test_suffixes_are_those_of_pictures():
    from PIL import Image

    Image.init()
    assert set(places.SUFFIXES) <= Image.registered_extensions().keys()
