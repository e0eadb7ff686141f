"""What the commands share: options that say how to paint, and pictures by name."""

import argparse
import re
import sys
from collections.abc import Collection, Iterable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, NoReturn

from torch import Tensor

from stlib import _files
from stlib._language import tr
from stlib.errors import ImageError, nearest, one_line
from stlib.images import SIZE, load_image, sample, sample_names
from stlib.presets import PRESETS, told
from stlib.settings import Settings

WEB = ("http", "https", "ftp")  # for which load_image has words
# what messages call by the name of an argument of style_transfer, and the user by an option
NAMES = ["size", "device", *(setting.name for setting in fields(Settings) if setting.metadata)]


class Parser(argparse.ArgumentParser):
    """A parser that refuses an option given twice, and tells a mistake in two lines.

    brief: the arguments that a command cannot do without, as its usage has them.
    """

    def __init__(self, *arguments: Any, brief: str = "", **options: Any):
        super().__init__(*arguments, **options)
        self.brief = brief
        self.register("action", None, Once)

    def error(self, message: str) -> NoReturn:
        """Tell what is wrong below a usage that hides nothing: --help lists all options."""
        if message == "argument -o/--output: expected one argument":
            message += tr(" (a name that begins with - is written ./-name)")
        usage = tr("usage: {program} {arguments} (--help tells all)").format(
            program=self.prog, arguments=self.brief
        )
        told = tr("{program}: error: {message}").format(program=self.prog, message=message)
        self.exit(2, f"{usage}\n{told}\n")


class Once(argparse.Action):
    """What argparse does with an option's value, unless there was one before."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        given: frozenset[str] = getattr(namespace, "given", frozenset())
        if option_string and self.dest in given:
            raise argparse.ArgumentError(self, tr("it is given twice: leave out one of the two."))
        namespace.given = given | {self.dest}
        setattr(namespace, self.dest, values)


def as_options(message: str) -> str:
    """A message with options in place of arguments' names: --style-size, --solver plain."""
    for name in NAMES:
        option = f"--{name.replace('_', '-')}"
        message = re.sub(rf"""\b{name}=['"](\w+)['"]""", rf"{option} \1", message)
        message = re.sub(rf"^{name}(?= is | 是 )", option, message)
    return re.sub(r"\b(?<!--)style_size\b", "--style-size", message)


def add_painting(parser: argparse.ArgumentParser) -> None:
    """Give a command the options --preset, --size, --device and one for each setting."""
    group = parser.add_argument_group(tr("how to paint"))
    presets = "; ".join(f"{name}: {told(values)}" for name, values in PRESETS.items())
    add = group.add_argument
    add(
        "--preset",
        choices=PRESETS,
        help=tr("several options at once; others go before it. {presets}").format(presets=presets),
    )
    # no option has a default of argparse's: what was not given is not there, and a preset counts
    add(
        "--size",
        type=int,
        metavar="PIXELS",
        default=argparse.SUPPRESS,
        help=tr(
            "longer side of the picture; a smaller photo is not enlarged, and memory is the only "
            "limit (default: {size})"
        ).format(size=SIZE),
    )
    for setting in fields(Settings):
        if setting.metadata:
            _add_setting(group, setting)
    add(
        "--device",
        metavar="NAME",
        type=str.lower,
        help=tr(
            "cpu, cuda, cuda:1 (the second graphics card) or mps (default: the fastest there is)"
        ),
    )


def _add_setting(group: argparse._ArgumentGroup, setting: Field[Any]) -> None:
    options = {**setting.metadata, "default": argparse.SUPPRESS}
    if setting.default is not None:
        options["help"] += tr(" (default: {value})").format(value=setting.default)
    group.add_argument(f"--{setting.name.replace('_', '-')}", **options)


def chosen_values(options: argparse.Namespace, elsewhere: Collection[str] = ()) -> dict[str, Any]:
    """The size and the settings that were given, or that the preset gives; says what it gives.

    elsewhere: names of what is given in another way, and not by the preset.
    """
    names = ["size", *(setting.name for setting in fields(Settings) if setting.metadata)]
    given = {name: value for name, value in vars(options).items() if name in names}
    if not options.preset:
        return given
    stronger = {*given, *elsewhere}
    preset = {
        name: value for name, value in PRESETS[options.preset].items() if name not in stronger
    }
    if preset:
        said = tr("preset {preset}: {values}")
        say(said.format(preset=options.preset, values=told(preset)))
    else:
        names = [name.replace("_", "-") for name in PRESETS[options.preset]]
        if len(names) == 1:
            said = tr("preset {preset} sets nothing: {names} is given")
        else:
            said = tr("preset {preset} sets nothing: {names} are given")
        say(said.format(preset=options.preset, names=tr(" and ").join(names)))
    return {**preset, **given}


def add_force(parser: argparse.ArgumentParser, over: str) -> None:
    """Give a command the option --force. over: what is replaced then."""
    parser.add_argument("--force", action="store_true", help=tr("replace {over}").format(over=over))


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Give a command that paints many pictures the options of `stlib.batch.run`."""
    add = parser.add_argument
    add("--workers", type=int, help=tr("pictures painted at a time (default: by cores and memory)"))
    add(
        "--threads",
        type=int,
        help=tr("cores for each picture (default: the cores shared evenly)"),
    )
    add(
        "--address",
        help=tr("of a Dask scheduler, tcp://HOST:PORT (default: a cluster on this machine)"),
    )


def picture(name: str, size: int, *, enlarge: bool = False) -> Tensor:
    """A file, or else one of the course's samples; arguments as for `load_image`.

    Raises ImageError for what is neither.
    """
    if not _is_missing(name):
        return load_image(name, size, enlarge=enlarge)
    if name in sample_names():
        return sample(name, size, enlarge=enlarge)
    near = nearest(Path(name).name, sample_names())
    if near:
        told = tr("there is no file {name}; did you mean the sample {near!r}?")
    else:
        told = tr("there is no file {name}, and no sample of this name. The samples are {samples}.")
    samples = ", ".join(sample_names())
    raise ImageError(told.format(name=one_line(name), near=near, samples=samples))


def _is_missing(name: str) -> bool:
    """Whether there is no file of this name; for whatever else is wrong, `load_image` has words."""
    try:
        _files.expanded(name).stat()
    except FileNotFoundError:
        return "://" not in name
    except (OSError, ValueError):
        return False
    return False


def check_local(names: Iterable[str]) -> None:
    """Raise an ImageError for the name of a cloud's file, which would be taken for a folder s3:."""
    for name in names:
        protocol, slashes, _ = name.partition("://")
        if slashes and protocol.lower() not in WEB:
            raise ImageError(
                tr(
                    "{name} is no path on this machine: give one, or let stlib batch paint it, "
                    "which reads and writes in clouds, too."
                ).format(name=one_line(name))
            )


def say(message: object) -> None:
    """Tell something on stderr, where it is in nobody's way."""
    print(f"stlib: {message}", file=sys.stderr)
