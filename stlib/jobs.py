"""Jobs: which pictures to paint, how, and into which files. They come from a TOML file and are checked before any work.

    [defaults]                      # for every job; each key is optional
    size = 256                      # longer side of both pictures, in pixels
    steps = 100                     # … or any other setting of `style_transfer`, or of `VGG`, that is plain data

    [[job]]
    content = "photos/cat.jpg"      # a file, from the folder of this TOML file, or else the name of a sample
    style = "cafe-terrace"
    output = "cat.png"

    [[job]]
    content = "castle"
    style = ["cafe-terrace", "harvest-at-la-crau"]  # a list stands for each of its values: here
    solver = ["plain", "fast"]                      # 2 × 2 = 4 jobs
    output = "{content}-{style}-{solver}.png"          # each with a name of its own

A setting that is a list by nature, such as `style_layers`, is swept by a list of lists.
"""

import difflib
import hashlib
import inspect
import itertools
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from PIL import Image

from stlib.arguments import check_arguments
from stlib.images import SMALLEST_SIDE, ImageError, check_output_path, load_image, sample_names
from stlib.transfer import style_transfer
from stlib.vgg import POOLINGS, layer_names

NETWORK = {"depth": 19, "weights": "oxford", "pooling": "max", "normalized": True, "device": None}  # what `VGG` takes
_NO_DATA = ("content", "style", "net", "keep_every", "callback", "checkpoint", "progress")
PAINTING = {name: parameter.default for name, parameter in inspect.signature(style_transfer).parameters.items()
            if name not in _NO_DATA}
SETTINGS = {"size": 256, **NETWORK, **PAINTING}
_LISTS = ("content_layers", "style_layers", "style_weights")
_WEIGHTS = ("oxford", "imagenet", "random")
_DEVICES = (None, "cpu", "cuda", "mps")


class JobError(ValueError):
    """A job that cannot be done as it is written: which one, why, and what to do about it."""


@dataclass(frozen=True)
class Job:
    """One picture to paint: content and style (a file, or the name of a sample), output, and what differs from SETTINGS."""

    content: str
    style: str
    output: str
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def complete(self) -> dict[str, object]:
        """All settings, the defaults included."""
        return {**SETTINGS, **self.settings}


def read_jobs(path) -> list[Job]:
    """The jobs of a TOML file in the form that this module's docstring shows; names are resolved from the file's folder.

    Raises JobError for whatever is wrong with its form; `check_jobs` looks at what it says.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise JobError(f"{path} cannot be read: {error.strerror}. Give the path of a TOML file with jobs.") from None
    except ValueError as error:  # TOMLDecodeError, or bytes that are not UTF-8
        raise JobError(f"{path.name} is not a TOML file: {error}.") from None
    _known(document, ("defaults", "job"), f"{path.name}: no table")
    defaults, tables = document.get("defaults", {}), document.get("job", [])
    if not isinstance(defaults, dict) or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise JobError(f"{path.name}: write [defaults] once, with single brackets, and [[job]] for each job, with double ones.")
    if not tables:
        raise JobError(f"{path.name} holds no job: add a table [[job]] with content, style and output.")
    jobs = []
    for number, table in enumerate(tables, 1):
        try:
            jobs += sweep(**{"content": None, "style": None, "output": None, **defaults, **table}, folder=path.parent)
        except JobError as error:
            raise JobError(f"{path.name}, [[job]] {number}: {error}") from None
    return jobs


def sweep(content, style, output: str, *, folder=".", **settings) -> list[Job]:
    """A job for every combination of the values that are given as lists.

    content, style: a file or a sample's name, or a list of them. output: a file name; {content}, {style} and the name of any
    setting in it stand for the value of the job. settings: of SETTINGS, each a value or a list of values.
    Raises JobError for an unknown setting and for a placeholder that means nothing.
    """
    _known(settings, SETTINGS, "no setting")
    for name, value in (("content", content), ("style", style), ("output", output)):
        names = value if isinstance(value, (list, tuple)) and name != "output" else [value]
        if not names or not all(isinstance(entry, str) and entry for entry in names):
            raise JobError(f'{name} is {"missing" if value is None else repr(value)}: give {name} = "…".')
    table = {"content": content, "style": style, **settings}
    choices = [value if _is_swept(name, value) else [value] for name, value in table.items()]
    jobs = []
    for values in itertools.product(*choices):
        chosen = dict(zip(table, values, strict=True))
        file = re.sub(r"\{(.*?)\}", lambda found, chosen=chosen: _filled(found[1], {**SETTINGS, **chosen}), output)
        pictures = [_from(folder, chosen.pop(name)) for name in ("content", "style")]
        jobs.append(Job(*pictures, str(Path(folder, file)), chosen))
    return jobs


def picture_file(name: str) -> Path:
    """The file of a picture: that of this path, or else that of the sample of this name.

    Raises JobError when there is neither.
    """
    if not Path(name).exists() and name in sample_names():
        return Path(str(files("stlib") / "samples" / f"{name}.jpg"))
    if not Path(name).is_file():
        near = difflib.get_close_matches(Path(name).name, sample_names(), n=1)
        raise JobError(f"there is no picture {name}" + (f"; did you mean the sample {near[0]!r}?" if near else
                       f", and no sample of this name. The samples are {', '.join(sample_names())}."))
    return Path(name)


def check_jobs(jobs: Iterable[Job]) -> None:
    """Raise a JobError for the first job that cannot be done; nothing is painted or written.

    That a file holds a picture is found when its turn comes: one bad picture does not stop the others.
    """
    outputs, inputs = {}, set()
    for job in jobs:
        try:
            _check_settings(job)
            inputs |= {picture_file(name).resolve() for name in (job.content, job.style)}
            target = check_output_path(job.output)
        except (ImageError, JobError, ValueError) as error:
            raise JobError(f"the job for {job.output}: {error}") from None
        if target in outputs:
            raise JobError(f"two jobs have the output {job.output}: give each its own. In a sweep put what differs into "
                           'the name, for example output = "{content}-{style}-{steps}.png".')
        outputs[target] = job.output
    if overwritten := sorted(outputs[target] for target in outputs.keys() & inputs):
        raise JobError(f"{overwritten[0]} is an output, but also a picture to be read: choose another name for the output.")


def fingerprint(job: Job) -> str:
    """What the painted picture depends on, as 64 hexadecimal digits: all settings and the bytes of both files.

    Not in it: names and places of files, the order of the jobs, and who paints them.
    Raises ImageError when a picture cannot be read.
    """
    # 1 and 1.0 are the same weight
    settings = {name: float(value) if name in ("alpha", "beta", "tv") and value is not None else value
                for name, value in job.complete.items()}
    try:
        pictures = [hashlib.sha256(picture_file(name).read_bytes()).hexdigest() for name in (job.content, job.style)]
    except OSError as error:
        raise ImageError(f"{error.filename} cannot be read: {error.strerror}.") from None
    return hashlib.sha256(json.dumps([settings, pictures], sort_keys=True).encode()).hexdigest()


def _check_settings(job: Job) -> None:
    settings = job.complete
    _known(settings, SETTINGS, "no setting")
    tiny = load_image(Image.new("RGB", (SMALLEST_SIDE, SMALLEST_SIDE)), settings["size"])  # refuses a bad size, too
    if not isinstance(settings["init"], str):
        raise JobError(f'init is {settings["init"]!r}: a job starts from "content", "noise" or "style".')
    check_arguments(tiny, tiny, **{name: settings[name] for name in PAINTING}, keep_every=None, callback=None)
    for name, allowed in (("depth", (16, 19)), ("weights", _WEIGHTS), ("pooling", tuple(POOLINGS)),
                          ("normalized", (True, False)), ("device", _DEVICES)):
        if settings[name] not in allowed:
            raise JobError(f"{name} is {settings[name]!r}: use {_listed(allowed)}.")
    if settings["weights"] == "oxford" and settings["depth"] != 19:
        raise JobError('the oxford weights are for depth 19 only: use weights = "imagenet" or depth = 19.')
    for layer in (*settings["content_layers"], *settings["style_layers"]):
        _known([layer], layer_names(settings["depth"]), "no layer")


def _known(names: Iterable[str], allowed: Iterable[str], complaint: str) -> None:
    """JobError for the first name that is not allowed, with the nearest that is."""
    for name in names:
        if name not in allowed:
            near = difflib.get_close_matches(name, list(allowed), n=1)
            raise JobError(f"{complaint} {name!r}; " + (f"did you mean {near[0]!r}?" if near else
                           f"there are {', '.join(allowed)}."))


def _is_swept(name: str, value) -> bool:
    if not isinstance(value, (list, tuple)):
        return False
    if not value:
        raise JobError(f"{name} is an empty list: give at least one value, or leave it out.") if name not in _LISTS else None
    return name not in _LISTS or all(isinstance(entry, (Mapping, list, tuple)) for entry in value)


def _filled(placeholder: str, values: Mapping[str, object]) -> str:
    """What stands for {placeholder} in the name of an output."""
    _known([placeholder], values, "in the output: no")
    value = values[placeholder]
    if placeholder in ("content", "style"):
        return Path(value).stem
    return "+".join(map(str, value)) if isinstance(value, (Mapping, Sequence)) and not isinstance(value, str) else str(value)


def _from(folder, name: str) -> str:
    """A picture's name, seen from the folder when there is such a file, or when it can be no sample."""
    return name if name in sample_names() and not Path(folder, name).exists() else str(Path(folder, name))


def _listed(values: Sequence) -> str:
    return " or ".join("none" if value is None else f'"{value}"' if isinstance(value, str) else str(value) for value in values)
