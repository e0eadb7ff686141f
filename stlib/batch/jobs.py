r"""Jobs: which pictures to paint, how, and into which files; checked before any work.

They come from `sweep`, or from a TOML file:

    [defaults]                      # for every job; each key is optional
    size = 256                      # longer side of both pictures, in pixels
    steps = 100                     # … or another of `Settings` or `Network`

    [[job]]
    content = "photos/cat.jpg"      # a file, from the folder of this TOML file, or a sample's name
    style = "cafe-terrace"
    output = "cat.png"

    [[job]]
    content = "castle"
    style = ["cafe-terrace", "harvest-at-la-crau"]  # a list stands for each of its values: here
    solver = ["plain", "fast"]                      # 2 × 2 = 4 jobs
    output = "{content}-{style}-{solver}.png"       # each with a name of its own

    [[job]]
    content = "castle"
    styles = [                      # in place of style: several in one picture
        {picture = "langlois-bridge", mask = "photos/sky.png"},  # where the mask is white
        {picture = "church-at-auvers", weight = 2},
    ]
    output = "{content}-{styles}.png"

    [[job]]
    content = "photos/**/*.jpg"     # all that match; "photos/" is all pictures of that folder
    style = "cafe-terrace"
    output = "painted/{folder}/{content}.png"  # folders are made when a picture comes

{folder} is the folder of the content, from that of the TOML file on, or from the pattern's own on
when it lies elsewhere. A name may begin with ~, or with a cloud's protocol, as
s3://bucket/photos/ does. On Windows write C:/photos/cat.jpg, or 'C:\photos\cat.jpg' in single
quotes.

A style of several may have a weight, compared with those of the others (default: 1), and a mask, a
grey picture of the content's shape. Where all styles but the last have a mask, the last one gets
what they leave; otherwise a style without a mask is everywhere. A style may also be a name alone.

What is a list by nature, such as `style_layers` or `styles`, is swept by a list of lists.

Two keys are about the work and not about the picture: film = "{content}-{style}.webp" saves how the
picture came to be, and save_every = 20 writes the output anew after every 20 evaluations, with the
best picture so far.
"""

import codecs
import hashlib
import io
import itertools
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from stlib import _files
from stlib._language import tr
from stlib.arguments import check_weight, check_whole_number, checked, plain, suggesting
from stlib.batch import places, seen
from stlib.devices import check_device_name
from stlib.errors import ImageError, JobError, nearest, one_line, reason, shown
from stlib.film import check_film_suffix
from stlib.images import SIZE, check_suffix, sample_file, sample_names
from stlib.layers import SMALLEST_SIDE, layer_names
from stlib.settings import Settings, digest
from stlib.vgg import POOLINGS


@dataclass(frozen=True, kw_only=True)
class Network:
    """Which network a job is painted with: the arguments of `VGG`, as plain data.

    Raises JobError for the first that makes no sense.
    """

    depth: int = 19
    weights: str = "oxford"
    pooling: str = "max"
    normalized: bool = True
    device: str | None = None

    def __post_init__(self) -> None:
        allowed: dict[str, Sequence[Any]] = {
            "depth": (16, 19),
            "weights": ("oxford", "imagenet", "random"),
            "pooling": tuple(POOLINGS),
            "normalized": (True, False),
        }
        for name, values in allowed.items():
            given = getattr(self, name)
            # types first: 1 is True, and an array is equal to many things
            if not any(type(given) is type(value) and given == value for value in values):
                raise JobError(
                    tr("{name} is {value}: use {values}.").format(
                        name=name, value=shown(given), values=_listed(values)
                    )
                )
        if self.device is not None:
            try:
                check_device_name(self.device)
            except ValueError as error:
                raise JobError(str(error)) from None
        if self.weights == "oxford" and self.depth != 19:
            raise JobError(
                tr(
                    'the oxford weights are for depth 19 only: use weights = "imagenet" or depth = '
                    "19."
                )
            )


Network.__init__ = suggesting(Network.__init__)  # type: ignore[method-assign]


@dataclass(frozen=True)
class Painting:
    """A style of a job that has several.

    picture: a file, or the name of a sample. weight: compared with those of the others. mask: a
        file, white where the style applies; None is everywhere, or what the masks of all others
        leave.
    """

    picture: str
    weight: float = 1.0
    mask: str | None = None


# a job keeps no frames
PAINTING = {setting.name: setting for setting in fields(Settings) if setting.name != "keep_every"}
NETWORK = {setting.name: setting for setting in fields(Network)}
DEFAULTS: dict[str, Any] = {
    "size": SIZE,
    **{name: setting.default for name, setting in (NETWORK | PAINTING).items()},
}
PLACEHOLDER = re.compile(r"\{(.*?)\}")  # in the name of an output
# what a job has beside settings
NOTE = ".json"  # is added to the name of an output for that of its note
NAMES = ("content", "style", "styles", "output", "film")
KEYS = (*NAMES, "save_every", *DEFAULTS)  # of a table
_LISTS = ("content_layers", "style_layers", "style_weights", "styles")


@dataclass(frozen=True)
class Job:
    """One picture to paint.

    content: a file, or the name of a sample. style: the same, or several paintings.
    output: the file to write.
    size: the longer side of the content in pixels, and of the styles, unless `style_size` is
        theirs. network, settings: how to paint.
    film: the file of a film of the run, or None. save_every: after how many evaluations the output
        is written with the best picture so far, again and again; None writes it at the end alone.
    """

    content: str
    style: str | tuple[Painting, ...]
    output: str
    size: int = SIZE
    network: Network = field(default_factory=Network)
    settings: Settings = field(default_factory=Settings)
    film: str | None = None
    save_every: int | None = None

    @property
    def paintings(self) -> tuple[Painting, ...]:
        """The styles, one or several."""
        return (Painting(self.style),) if isinstance(self.style, str) else self.style

    @property
    def files(self) -> list[str]:
        """All that is read: content, styles and masks."""
        read = [(painting.picture, painting.mask) for painting in self.paintings]
        return [self.content, *(name for pair in read for name in pair if name is not None)]

    @property
    def written(self) -> list[str]:
        """All that is written: output, film, and the notes beside them."""
        # frames have a film of their own, and so it has a note of its own
        return [f"{name}{end}" for name in (self.output, self.film) if name for end in ("", NOTE)]

    def values(self) -> dict[str, Any]:
        """All settings by name, the defaults included."""
        network = {name: getattr(self.network, name) for name in NETWORK}
        painting = {name: getattr(self.settings, name) for name in PAINTING}
        return {"size": self.size, **network, **painting}


Painting.__init__ = suggesting(checked(Painting.__init__))  # type: ignore[method-assign]
Job.__init__ = suggesting(checked(Job.__init__))  # type: ignore[method-assign]


def make_job(
    content: str,
    style: str | tuple[Painting, ...],
    output: str,
    *,
    film: str | None = None,
    save_every: int | None = None,
    **values: Any,
) -> Job:
    """A job with these values of the settings in `DEFAULTS`.

    Raises JobError for a setting that does not exist or makes no sense.
    """
    check_known(values, DEFAULTS, tr("no setting"))
    size, save_every = plain(values.get("size", DEFAULTS["size"])), plain(save_every)
    if film is not None and not (isinstance(film, str) and film):
        raise JobError(tr('film is {film}: give film = "…".').format(film=shown(film)))
    try:
        if size is not None:
            check_whole_number("size", size, SMALLEST_SIDE)
        if save_every is not None:
            check_whole_number("save_every", save_every, 1)
        network = Network(**{name: value for name, value in values.items() if name in NETWORK})
        settings = Settings(**{name: value for name, value in values.items() if name in PAINTING})
    except ValueError as error:
        raise JobError(str(error)) from None
    if not isinstance(settings.init, str):
        raise JobError(tr('init is a picture: a job starts from "content", "noise" or "style".'))
    for name in ("content_layers", "style_layers"):
        check_known(
            getattr(settings, name),
            layer_names(network.depth),
            tr("{name}: no layer").format(name=name),
        )
    content, style, output = _plain(content), _plain(style), _plain(output)
    style = tuple(style) if isinstance(style, list) else style
    try:
        return Job(content, style, output, size, network, settings, film, save_every)
    except ValueError as error:
        raise JobError(str(error)) from None


def read_jobs(path: str | Path) -> list[Job]:
    """The jobs of a TOML file in the form that this module's docstring shows.

    path: of the file; names of pictures are resolved from its folder.
    Raises JobError for whatever is wrong with its form; `check_jobs` looks for the pictures.
    """
    path = _files.expanded(path)
    document, file = _document(path), one_line(path.name)
    for name in document:
        if name in KEYS:
            raise JobError(
                tr("{file}: {name} stands above all tables: put it under [defaults].").format(
                    file=file, name=name
                )
            )
    check_known(document, ("defaults", "job"), tr("{file}: no table").format(file=file))
    defaults, tables = document.get("defaults", {}), document.get("job", [])
    is_list = isinstance(tables, list) and all(isinstance(table, dict) for table in tables)
    if not isinstance(defaults, dict) or not is_list:
        raise JobError(
            tr(
                "{file}: write [defaults] once, with single brackets, and [[job]] for each job, "
                "with double ones."
            ).format(file=file)
        )
    if not tables:
        raise JobError(
            tr("{file} holds no job: add a table [[job]] with content, style and output.").format(
                file=file
            )
        )
    jobs = []
    for number, table in enumerate(tables, 1):
        # a job's own style or styles take the place of those of the defaults
        replaced = {"style", "styles"} if {"style", "styles"} & table.keys() else set()
        usual = {name: value for name, value in defaults.items() if name not in replaced}
        values = {"content": None, "output": None, **usual, **table}
        try:
            check_known(values, KEYS, tr("no setting"))
            jobs += sweep(**values, folder=path.parent)
        except JobError as error:
            raise JobError(
                tr("{file}, [[job]] {number}: {error}").format(
                    file=file, number=number, error=error
                )
            ) from None
    return jobs


def _document(path: Path) -> dict[str, Any]:
    """What a TOML file holds. Raises JobError when it cannot be read."""
    file = one_line(path.name)
    try:
        data = path.read_bytes()
        # Windows' editors begin a file with a mark, and some write two bytes for a character
        is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = data.decode("utf-16" if is_utf16 else "utf-8-sig")
        return tomllib.loads(text)
    except OSError as error:
        raise JobError(
            tr("{path} cannot be read: {why}. Give the path of a TOML file with jobs.").format(
                path=one_line(path), why=error.strerror
            )
        ) from None
    except RecursionError:
        raise JobError(
            tr("{file} is nested too deeply: a list of lists is enough.").format(file=file)
        ) from None
    except UnicodeDecodeError:
        raise JobError(
            tr("{file} is not a TOML file: its bytes are no text. Save it as UTF-8.").format(
                file=file
            )
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise JobError(
            tr("{file} is not a TOML file: {error}.{advice}").format(
                file=file, error=error, advice=_escaped(text, error)
            )
        ) from None
    except ValueError as error:  # a number of more digits than Python reads
        raise JobError(
            tr("{file} is not a TOML file: {error}.").format(file=file, error=error)
        ) from None


def _escaped(text: str, error: tomllib.TOMLDecodeError) -> str:
    """Advice where the line of the error holds a Windows path."""
    number = re.search(r"at line (\d+)", str(error))
    line = text.splitlines()[int(number[1]) - 1] if number else ""
    return _backslash() if "\\" in line else ""


def _backslash() -> str:
    """What a Windows path needs."""
    return tr(" Write a path with / between its folders, or in single quotes.")


def sweep(
    content: str | Sequence[str] | None = None,
    style: str | Sequence[str] | None = None,
    output: str | None = None,
    *,
    styles: Sequence[Any] | None = None,
    film: str | None = None,
    save_every: int | None = None,
    folder: str | Path = ".",
    **settings: Any,
) -> list[Job]:
    """A job for every combination of the values that are given as lists.

    content, style: a file or a sample's name, or a list of them; a folder stands for all pictures
        in it, and a pattern such as photos/*.jpg for those that match. Contents found so that a
        batch has painted into one of the outputs' folders are left out.
    output, film: file names; {content}, {style} and the name of any setting in them stand for the
        value of the job, {folder} for the folder of the content, from `folder` on.
    styles: in place of style, several in one picture: names, or dicts with the keys of `Painting`;
        or a list of such lists.
    save_every: see `Job`.
    folder: of relative file names. settings: of `DEFAULTS`, each a value or a list of values.
    Raises JobError for a setting that does not exist or makes no sense, and for a placeholder that
    means nothing.
    """
    check_known(settings, KEYS, tr("no setting"))
    if not isinstance(folder, (str, os.PathLike)):
        raise JobError(
            tr("folder is {folder}: give the path of a folder, or leave it out.").format(
                folder=shown(folder)
            )
        )
    of_style = {"style": style} if styles is None else {"styles": styles}
    named: dict[str, Any] = {"content": content, **of_style, "output": output}
    if film is not None:
        named["film"] = film
    if styles is not None and style is not None:
        raise JobError(tr("style and styles are both given: give one of them."))
    table = {name: _plain(value) for name, value in {**named, **settings}.items()}
    save_every = _plain(save_every)
    for name in named:
        if name != "styles":
            _check_name(name, table[name])
    output, film = table.pop("output"), table.pop("film", None)
    for name in (output, film):
        if name and re.search(r"[{}]", PLACEHOLDER.sub("", name)):
            raise JobError(
                tr("{name} has one brace of a pair: write {{content}} in both.").format(
                    name=_short(name)
                )
            )
    origins: dict[str, str] = {}
    for name in {"content", "style"} & table.keys():
        table[name], found = _found(name, folder, table[name])
        origins |= found
    choices = [value if _is_swept(name, value) else [value] for name, value in table.items()]
    jobs = []
    for values in itertools.product(*choices):
        chosen = dict(zip(table, values, strict=True))
        p, a = chosen["content"], _style(folder, chosen)
        below = "." if p in sample_names() else places.folder_below(p, origins[p], folder)
        fill = partial(_filled, {**DEFAULTS, **chosen, "style": a, "styles": a, "folder": below})
        target, filmed = (
            name and places.located(folder, PLACEHOLDER.sub(fill, name)) for name in (output, film)
        )
        rest = {name: value for name, value in chosen.items() if name in DEFAULTS}
        jobs.append(make_job(p, a, target, film=filmed, save_every=save_every, **rest))
    return _without_painted(jobs, origins)


def _check_name(name: str, value: Any) -> None:
    """Raise a JobError unless this is a name, or for pictures that are read, a list of them."""
    swept = isinstance(value, (list, tuple)) and name in ("content", "style")
    names = list(value) if swept else [value]
    if not names or not all(isinstance(entry, str) and entry for entry in names):
        if value is None and name == "style":
            told = tr(
                'style is missing: give style = "…", or styles = […] for several in one picture.'
            )
        elif value is None:
            told = tr('{name} is missing: give {name} = "…".')
        elif name == "style":
            told = tr(
                'style is {value}: give style = "…", or styles = […] for several in one picture.'
            )
        else:
            told = tr('{name} is {value}: give {name} = "…".')
        raise JobError(told.format(name=name, value=shown(value)))
    if name in ("output", "film") and not names[0].isprintable():
        raise JobError(
            tr("{name} is {value}, with a character that no file name should have.{advice}").format(
                name=name, value=shown(value), advice=_backslash()
            )
        )


def _found(
    kind: str, folder: str | Path, names: str | Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """The pictures that the names of content or style stand for, and which stands for which."""
    pictures: list[str] = []
    origins: dict[str, str] = {}
    for name in [names] if isinstance(names, str) else names:
        origin = _from(folder, name)
        try:
            several = places.found(origin)
        except JobError as error:
            raise JobError(f"{kind}: {error}") from None
        pictures += several
        origins |= dict.fromkeys(several, origin)
    return pictures, origins


def _without_painted(jobs: list[Job], origins: Mapping[str, str]) -> list[Job]:
    """The jobs without those whose content a pattern has found among what batches have painted.

    What lies in a folder that these jobs paint into is looked at, under whatever name it was
    painted. A folder of results alone may be painted again, into another one.
    """
    outputs = {job.output for job in jobs}
    folders = {PurePath(output).parent for output in outputs if not places.is_remote(output)}
    painted = {
        job.content
        for job in jobs
        # to look for the note of each picture in a cloud would take a second each
        if (job.content in outputs or PurePath(job.content).parent in folders)
        and origins[job.content] != job.content
        and is_painted(job.content)
    }
    return [job for job in jobs if job.content not in painted]


def is_painted(output: str) -> bool:
    """Whether a batch has painted this picture: then there is a note of it beside it."""
    try:
        note = json.loads(places.read(f"{output}{NOTE}"))
    except (JobError, OSError, ValueError):
        return False
    return isinstance(note, dict) and "fingerprint" in note


def _plain(value: Any, depth: int = 3) -> Any:
    """NumPy's numbers and arrays as Python's, and paths as texts, also in lists and dicts.

    depth: of lists in lists that are looked into; there may be one that holds itself.
    """
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if type(value) in (list, tuple) and depth:
        return [_plain(entry, depth - 1) for entry in value]
    if type(value) is dict and depth:
        return {key: _plain(entry, depth - 1) for key, entry in value.items()}
    return value


def _style(folder: str | Path, chosen: Mapping[str, Any]) -> str | tuple[Painting, ...]:
    """The style of a job: a name, or the paintings that `styles` lists."""
    if "style" in chosen:
        return chosen["style"]
    listed = chosen["styles"]
    if not isinstance(listed, (list, tuple)) or not listed:
        raise JobError(
            tr(
                'styles is {value}: give a list of names, or of tables such as {{picture = "…", '
                'weight = 2, mask = "…"}}.'
            ).format(value=shown(listed))
        )
    return tuple(_painting(folder, entry) for entry in listed)


def _painting(folder: str | Path, entry: object) -> Painting:
    """An entry of `styles`: the name of a picture, or a table."""
    table = {"picture": entry} if isinstance(entry, str) else entry
    if not isinstance(table, Mapping):
        raise JobError(
            tr("styles holds {value}: give the name of a picture, or a table.").format(
                value=shown(entry)
            )
        )
    check_known(table, [key.name for key in fields(Painting)], tr("styles: no key"))
    for key, value in (("picture", table.get("picture")), ("mask", table.get("mask", "none"))):
        if not isinstance(value, str) or not value:
            if value is None:
                told = tr('styles: {key} is missing: give {key} = "…".')
            else:
                told = tr('styles: {key} is {value}: give {key} = "…".')
            raise JobError(told.format(key=key, value=shown(value)))
    weight = table.get("weight", 1.0)
    try:
        check_weight("styles: weight", weight)
    except ValueError as error:
        raise JobError(str(error)) from None
    if not weight:
        raise JobError(
            tr("styles: weight is 0: leave this style out, or give it a weight above 0.")
        )
    mask = table.get("mask")
    return Painting(_from(folder, table["picture"]), weight, mask and _from(folder, mask))


def picture_file(name: str) -> Path:
    """The file of a picture: that of this path, or else that of the sample of this name.

    Raises JobError when there is neither.
    """
    places.check_not_web(name)
    if not name:
        raise JobError(tr("the name of a picture is empty: give that of a file, or of a sample."))
    try:
        exists, is_file = Path(name).exists(), Path(name).is_file()
    except (OSError, ValueError):  # a name that no file can have
        exists = is_file = False
    if not exists and name in sample_names():
        return sample_file(name)
    if not is_file:
        raise JobError(_missing(name))
    return Path(name)


def _missing(name: str) -> str:
    """That a picture is not there, and what may have been meant by its name."""
    slashed = name.replace("\\", "/")
    near = nearest(Path(name).name, sample_names())
    if slashed != name and places.is_file(slashed):
        told = tr("there is no picture {name}: write {slashed}.")
    elif not name.isprintable():  # "photos\new.jpg" in double quotes has a line break
        told = tr("there is no picture {name}.{advice}")
    elif near and not places.is_remote(name):
        told = tr("there is no picture {name}; did you mean the sample {near!r}?")
    else:
        told = tr(
            "there is no picture {name}, and no sample of this name. The samples are {samples}."
        )
    return told.format(
        name=_short(name),
        slashed=_short(slashed),
        advice=_backslash(),
        near=near,
        samples=", ".join(sample_names()),
    )


def picture_source(name: str) -> Path | io.BytesIO:
    """A picture as `load_image` reads it: a path, or the bytes of one that a cloud keeps.

    Raises JobError when there is none.
    """
    if not places.is_remote(name):
        return picture_file(name)
    try:
        file = io.BytesIO(places.read(name))
    except FileNotFoundError:
        raise JobError(_no_file(name)) from None
    file.name = name  # for messages
    return file


def _identity(name: str) -> str:
    """What a picture is called, whatever way leads to it. Raises JobError when there is none."""
    if not places.is_remote(name):
        return places.identity(str(picture_file(name)))
    if not places.is_file(name):
        raise JobError(_no_file(name))
    return places.identity(name)


def _no_file(name: str) -> str:
    return tr("there is no picture {name}: check the name.").format(name=_short(name))


def listed(jobs: Iterable[Job]) -> list[Job]:
    """The jobs as a list. Raises JobError for whatever else is given in their place."""
    advice = tr("give a list of jobs, as sweep makes one; read_jobs reads them from a file.")
    if not isinstance(jobs, Iterable) or isinstance(jobs, (str, bytes)):
        raise JobError(tr("jobs is {jobs}: {advice}").format(jobs=shown(jobs), advice=advice))
    jobs = list(jobs)
    for job in jobs:
        if not isinstance(job, Job):
            raise JobError(tr("jobs holds {job}: {advice}").format(job=shown(job), advice=advice))
    return jobs


def check_jobs(jobs: Iterable[Job]) -> None:
    """Raise a JobError for the first job whose files make no sense; nothing is painted or written.

    That a file holds a picture is found when its turn comes: one bad picture does not stop the
    others.
    """
    outputs: dict[str, tuple[str, Job]] = {}
    inputs: set[str] = set()
    for job in listed(jobs):
        try:
            inputs |= {_identity(name) for name in job.files}
            targets = _targets(job)
        except (ImageError, JobError) as error:
            raise JobError(
                tr("the job for {output}: {error}").format(output=_short(job.output), error=error)
            ) from None
        for target in sorted(targets.keys() & outputs.keys()):
            name, other = outputs[target]
            if name == job.film == other.film:
                raise JobError(
                    tr(
                        "two jobs have the film {name}: give each its own, such as film = "
                        '"{{content}}.webp"; one film of them all is made by stlib frames.'
                    ).format(name=_short(name))
                )
            raise JobError(
                tr("two jobs have the output {name}: {advice}").format(
                    name=_short(name), advice=_apart(job, other)
                )
            )
        outputs |= {target: (name, job) for target, name in targets.items()}
    for name in sorted(outputs[target][0] for target in outputs.keys() & inputs):
        raise JobError(
            tr(
                "{name} is an output, but also a picture to be read: choose another name for the "
                "output."
            ).format(name=_short(name))
        )


def _targets(job: Job) -> dict[str, str]:
    """The names of the files that a job writes, by what each is called on any way."""
    if job.film is not None:
        check_film_suffix(job.film)
    targets: dict[str, str] = {}
    for name in job.written:
        is_note = name not in (job.output, job.film)
        target = places.identity(name) if is_note else places.check_output(name)
        if name == job.output:
            check_suffix(name)
        if target in targets:
            raise JobError(
                tr(
                    "{name} would be written twice: give output and film names of their own."
                ).format(name=_short(name))
            )
        targets[target] = name
    return targets


def _apart(job: Job, other: Job) -> str:
    """How two jobs that write one file can be told apart by their names."""
    one, two = PurePath(other.content), PurePath(job.content)
    if one != two and one.stem == two.stem:
        if one.parent != two.parent:
            return tr(
                "their contents are {one} and {two}, so put the folder into the name, for "
                'example output = "{{folder}}/{{content}}.png".'
            ).format(one=_short(other.content), two=_short(job.content))
        return tr(
            "their contents {one} and {two} differ in the suffix alone, so rename one of them, "
            "or give it a [[job]] of its own."
        ).format(one=_short(other.content), two=_short(job.content))
    return tr(
        "give each its own. In a sweep put what differs into the name, for example output = "
        '"{content}-{style}-{steps}.png".'
    )


@checked
def fingerprint(job: Job) -> str:
    """What the painted picture depends on, as 64 hexadecimal digits.

    In it: all settings, what paints (`stlib.settings.PAINTER`), and the bytes of all files. Not in
    it: names and places of files, the
    order of the jobs, and who paints them.
    Raises ImageError when a picture cannot be read.
    """
    network = [getattr(job.network, name) for name in NETWORK]
    pictures = [_digest(name) for name in job.files]
    styles = [[painting.weight, painting.mask is not None] for painting in job.paintings]
    return digest([job.size, network, job.settings.fingerprint(), pictures, styles])


def _digest(name: str) -> str:
    """SHA-256 of a picture's file. Raises ImageError when it cannot be read."""
    try:
        if places.is_remote(name):
            return hashlib.sha256(places.read(name)).hexdigest()
        return seen.file_digest(picture_file(name))
    except OSError as error:
        raise ImageError(
            tr("{name} cannot be read: {why}.").format(name=_short(name), why=reason(error))
        ) from None


def check_known(names: Iterable[str], allowed: Iterable[str], complaint: str) -> None:
    """Raise a JobError for the first name that is not allowed, with the nearest that is."""
    allowed = list(allowed)
    for name in names:
        if name not in allowed:
            near = nearest(name, allowed)
            if near:
                told = tr("{complaint} {name}; did you mean {near!r}?")
            else:
                told = tr("{complaint} {name}; there are {allowed}.")
            raise JobError(
                told.format(
                    complaint=complaint, name=shown(name), near=near, allowed=", ".join(allowed)
                )
            )


def _is_swept(name: str, value: object) -> bool:
    """Whether a value stands for each of its entries."""
    if not isinstance(value, (list, tuple)):
        return False
    if name in _LISTS:  # an empty list is one value: no layers
        lists = (list, tuple) if name == "styles" else (list, tuple, Mapping)
        nested = [isinstance(entry, lists) for entry in value]
        return bool(nested) and all(nested)
    if not value:
        raise JobError(
            tr("{name} is an empty list: give at least one value, or leave it out.").format(
                name=name
            )
        )
    return True


def _filled(values: Mapping[str, Any], placeholder: re.Match[str]) -> str:
    """What stands for {placeholder} in the name of an output."""
    name = placeholder[1]
    check_known([name], values, tr("in the output: no"))
    value = values[name]
    if name in ("style", "styles") and not isinstance(value, str):
        return "+".join(Path(painting.picture).stem for painting in value)
    if name == "folder":
        return value
    if name in NAMES:
        return Path(value).stem
    several = isinstance(value, (Mapping, Sequence)) and not isinstance(value, str)
    return "+".join(map(str, value)) if several else str(value)


def _from(folder: str | Path, name: str) -> str:
    """A picture's path in the folder; a sample's name stays when there is no such file."""
    path = places.located(folder, name)
    if name not in sample_names() or places.is_remote(path) or Path(path).exists():
        return path
    return name


def _short(name: str) -> str:
    """A file's name as a message shows it."""
    return one_line(name if len(name) <= 100 else f"{name[:100]}…")


def _listed(values: Sequence[Any]) -> str:
    """Values as a sentence has them."""
    names = [
        "none" if value is None else f'"{value}"' if isinstance(value, str) else str(value)
        for value in values
    ]
    return tr(" or ").join(names)
