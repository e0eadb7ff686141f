"""The exercises of chapter 13: many pictures."""

import hashlib
import inspect
import json
import math
import time
from typing import NamedTuple

from stlib._language import tr
from stlib.course.check.answer import Function, Wrong
from stlib.course.check.compare import Seen, Words, kind
from stlib.course.check.exercise import exercise

Settings = dict[str, int]


def _sha(*parts: object) -> str:
    """The digest of all parts, one after the other."""
    texts = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    return hashlib.sha256(b"".join(texts)).hexdigest()


def _sorted(settings: Settings) -> str:
    return json.dumps(settings, sort_keys=True)


def _two_names(
    answer: Function, content: bytes, style: bytes, settings: Settings, other: tuple, what: str
) -> Seen:
    """Whether another input gets another name."""
    if "hash" in getattr(getattr(inspect.unwrap(answer), "__code__", None), "co_names", ()):
        raise Wrong(
            tr(
                "Python's hash() of a text differs from one start of Python to the next, "
                "so it would not know the picture tomorrow"
            )
        )
    first, second = answer(content, style, settings), answer(*other)
    if not isinstance(first, str):
        raise Wrong(
            tr("the result is {found}, expected a text, such as hexdigest() gives").format(
                found=kind(first)
            )
        )
    same = tr("the same") if first == second else tr("another one")
    return Seen({tr("the name"): Words(same)})


EVERY_BYTE = tr("Is every byte of both pictures in the fingerprint?")
CASTLE = (b"castle", b"cafe", {"size": 96, "steps": 15})


@exercise(
    cases=[
        *(
            (*CASTLE, other, what)
            for other, what in (
                (CASTLE, tr("the same input")),
                ((*CASTLE[:2], {"steps": 15, "size": 96}), tr("the settings in another order")),
                ((b"cattle", *CASTLE[1:]), tr("a content picture with another byte")),
                ((b"castle!", *CASTLE[1:]), tr("a content picture with one byte more")),
                ((CASTLE[0], b"cape", CASTLE[2]), tr("a style picture with another byte")),
                ((*CASTLE[:2], {"size": 96, "steps": 16}), tr("another number of steps")),
                ((*CASTLE[:2], {"size": 15, "steps": 96}), tr("size and steps exchanged")),
                ((CASTLE[1], CASTLE[0], CASTLE[2]), tr("content and style exchanged")),
                (
                    (b"castlec", b"afe", CASTLE[2]),
                    tr("the content b'castlec' and the style b'afe'"),
                ),
            )
        ),
        (
            b"castle|",
            b"cafe",
            CASTLE[2],
            (b"castle", b"|cafe", CASTLE[2]),
            tr("a | that moves over"),
        ),
    ],
    given=lambda content, style, settings, other, what: what,
    look=_two_names,
    mistakes=[
        (
            lambda c, s, settings: _sha(c, s, _sorted(settings)),
            tr("One after the other they are the same bytes. Who says where the first one ends?"),
        ),
        (
            lambda c, s, settings: f"{len(c)}-{len(s)}-{_sorted(settings)}",
            tr(
                "Two pictures of one length are not one picture. "
                "Is every byte of both pictures in the fingerprint?"
            ),
        ),
        (
            lambda c, s, settings: _sha(_sha(c), _sha(s), settings),
            tr("A dict keeps the order in which it was written. How can you sort it?"),
        ),
        (lambda c, s, settings: _sha(_sha(c), _sha(s)), tr("Are the settings in it?")),
        (
            lambda c, s, settings: _sha(_sha(c), _sha(s), sorted(settings.values())),
            tr("Does it hold the names of the settings?"),
        ),
        (
            lambda c, s, settings: _sha(*sorted([_sha(c), _sha(s)]), _sorted(settings)),
            tr("Does it say which picture is which?"),
        ),
        (lambda c, s, settings: _sha(_sha(s), _sorted(settings)), EVERY_BYTE),
        (lambda c, s, settings: _sha(_sha(c), _sorted(settings)), EVERY_BYTE),
        (
            lambda c, s, settings: _sha(c, s, time.perf_counter_ns()),
            tr("Is there something random, or a time, in it?"),
        ),
        (
            lambda c, s, settings: str(hash((c, s, _sorted(settings)))),
            tr("What does hashlib offer?"),
        ),
        (
            lambda c, s, settings: hashlib.sha256(c + s),
            tr("That is an object which can make a text. Which of its functions does?"),
        ),
    ],
    hint=tr("What does the picture depend on, and can two different inputs give your text?"),
    praise=tr("The same picture, the same name; anything else, another one."),
)
def name_the_picture(content: bytes, style: bytes, settings: Settings) -> str:
    """Chapter 13: a fingerprint of all that a picture depends on, and of nothing else."""
    return _sha(_sha(content), _sha(style), _sorted(settings))


class Shared(NamedTuple):
    """How many workers a machine gets, and how many threads each."""

    workers: float
    threads: float


def _workers(cores: int, memory: int, need: int) -> int:
    return max(1, min(cores, memory // need))


def _shared(
    workers: Function = _workers, threads: Function = lambda cores, workers: cores // workers
) -> Function:
    """The answer, with its parts exchangeable."""

    def answer(cores: int, memory: int, need: int) -> Shared:
        count = workers(cores, memory, need)
        return Shared(count, threads(cores, count))

    return answer


def _as_memory_allows(cores: int, memory: int, need: int) -> int:
    return min(cores, memory // need)


@exercise(
    cases=[(8, 9, 2), (8, 64, 2), (8, 7, 2), (6, 8, 2), (4, 1, 2), (1, 16, 2)],
    given=lambda cores, memory, need: tr(
        "{cores} cores, {memory} GB and {need} GB per worker"
    ).format(cores=cores, memory=memory, need=need),
    mistakes=[
        (lambda *machine: _shared()(*machine)[::-1], tr("Workers first, then threads.")),
        (
            _shared(workers=lambda cores, memory, need: cores),
            tr("Do all workers fit into the memory?"),
        ),
        *(
            (wrong, tr("A small machine still gets one worker, and may be lucky."))
            for wrong in (
                _shared(_as_memory_allows),
                _shared(_as_memory_allows, lambda cores, workers: cores // max(1, workers)),
            )
        ),
        (
            _shared(threads=lambda cores, workers: cores),
            tr("The workers fight for the cores: how many has each for itself?"),
        ),
        (
            _shared(threads=lambda cores, workers: 1),
            tr("The number of workers fits. Which cores are idle?"),
        ),
        (
            _shared(threads=lambda cores, workers: math.ceil(cores / workers)),
            tr("No core has two masters: up or down?"),
        ),
        (
            _shared(
                lambda cores, memory, need: max(1, min(cores, memory / need)),
                lambda cores, workers: cores / workers,
            ),
            tr("Half a worker paints nothing: whole numbers, please."),
        ),
        (_shared(lambda cores, memory, need: 1), tr("How many more workers would fit?")),
        (
            _shared(
                lambda cores, memory, need: max(1, memory // need),
                lambda cores, workers: max(1, cores // workers),
            ),
            tr("Does every worker have a core of its own?"),
        ),
    ],
    hint=tr("How many workers have both, a core and enough memory? How many cores has each then?"),
    praise=tr("Every core has one thing to do, and nobody runs out of memory."),
)
def share_cores(cores: int, memory: int, need: int) -> Shared:
    """Chapter 13: how many workers a machine gets, and how many threads each."""
    return _shared()(cores, memory, need)


def _each(seconds: float, hours: float) -> int:
    """Whole pictures that one worker paints in time."""
    return int(3600 * hours // seconds)


def _machines(whole: Function) -> Function:
    """The answer that lets workers share a picture."""
    return lambda seconds, workers, hours: whole(1000 * seconds / (3600 * hours * workers))


UP_OR_DOWN = tr("With so many they are not ready in time. Up or down?")


@exercise(
    cases=[(36.0, 2, 1.0), (40.0, 2, 1.0), (35.0, 8, 2.5), (7.0, 4, 8.0), (1000.0, 3, 1.0)],
    given=lambda seconds, workers, hours: tr(
        "{seconds:g} seconds per picture, {workers} workers per machine and {hours:g} hours"
    ).format(seconds=seconds, workers=workers, hours=hours),
    mistakes=[
        (
            lambda seconds, workers, hours: math.ceil(1000 / _each(seconds, hours)),
            tr("Those are workers. How many of them has a machine?"),
        ),
        (
            _machines(math.ceil),
            tr("Has a worker time for a part of a picture at the end? Count whole pictures."),
        ),
        (_machines(round), tr("A deadline is not rounded. Up or down?")),
        (_machines(math.floor), UP_OR_DOWN),
        (lambda seconds, workers, hours: 1000 // (_each(seconds, hours) * workers), UP_OR_DOWN),
        (_machines(float), tr("A part of a machine cannot be had: a whole number, please.")),
        (
            lambda seconds, workers, hours: math.ceil(1000 * seconds * workers / (3600 * hours)),
            tr("Do more workers need more machines, or fewer?"),
        ),
        (
            lambda seconds, workers, hours: math.ceil(1000 * seconds / (60 * hours * workers)),
            tr("How many seconds has an hour?"),
        ),
    ],
    hint=tr(
        "How many whole pictures does one worker paint in that time? "
        "How many workers does that make?"
    ),
    praise=tr("Pictures are independent, so twice the machines take half the time."),
)
def plan_thousand(seconds: float, workers: int, hours: float) -> int:
    """Chapter 13: how many machines paint a thousand pictures in time."""
    return math.ceil(math.ceil(1000 / _each(seconds, hours)) / workers)
