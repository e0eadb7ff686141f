"""The exercises of chapter 12: many pictures."""

import math

from stlib.course.check.exercise import Wrong, call, checker, number


@checker
def name_the_picture(answer) -> str:
    """Chapter 12: a fingerprint of everything that a picture depends on, and of nothing else."""
    content, style, settings = b"castle", b"cafe", {"size": 96, "steps": 15}
    if "hash" in getattr(getattr(answer, "__code__", None), "co_names", ()):
        raise Wrong(
            "Python's hash() of a text differs from one start of Python to the next. Will it know the picture tomorrow?"
        )
    printed = _name(answer, content, style, settings)
    if _name(answer, content, style, dict(settings)) != printed:
        raise Wrong(
            "for the same input the result differs from call to call. Is there something random, or a time, in it?"
        )
    if _name(answer, content, style, {"steps": 15, "size": 96}) != printed:
        raise Wrong(
            "for the same settings in another order the result differs. How can you sort them?"
        )
    for other, what, hint in (
        (
            (b"castle!", style, settings),
            "another content picture",
            "Is every byte of it in the fingerprint?",
        ),
        (
            (content, b"cafes", settings),
            "another style picture",
            "Is every byte of it in the fingerprint?",
        ),
        (
            (content, style, {"size": 96, "steps": 16}),
            "another number of steps",
            "Which part of the settings is in it?",
        ),
        (
            (content, style, {"size": 15, "steps": 96}),
            "size and steps exchanged",
            "Does it hold the names of the settings?",
        ),
        (
            (style, content, settings),
            "content and style exchanged",
            "Does it say which picture is which?",
        ),
        (
            (b"castlec", b"afe", settings),
            "the content b'castlec' and the style b'afe'",
            "One after the other they are the same bytes. Who says where the first one ends?",
        ),
    ):
        if _name(answer, *other) == printed:
            raise Wrong(
                f"for {what} the result is the same, so that the old picture would stay. {hint}"
            )
    return "The same picture, the same name; anything else, another one."


@checker
def share_cores(answer) -> str:
    """Chapter 12: how many workers a machine gets, and how many threads each."""
    for cores, memory, need in ((8, 9, 2), (8, 64, 2), (8, 7, 2), (6, 8, 2), (4, 1, 2), (1, 16, 2)):
        workers = max(1, min(cores, memory // need))
        expected = workers, max(1, cores // workers)
        given = f"{cores} cores, {memory} GB and {need} GB a worker"
        got = call(answer, cores, memory, need)
        if not isinstance(got, (tuple, list)) or len(got) != 2:
            raise Wrong(
                f"for {given} the result is a {type(got).__name__}, expected the pair (workers, threads)."
            )
        got = tuple(number(value, given) for value in got)
        if got == expected:
            continue
        hint = "How many workers have both, a core and enough memory? How many cores has each then?"
        if got == expected[::-1] and workers != expected[1]:
            hint = "Workers first, then threads."
        elif any(value != int(value) for value in got):
            hint = "Half a worker paints nothing: whole numbers, please."
        elif got[0] * need > memory and got[0] > 1:
            hint = "Do they all fit into the memory?"
        elif got[0] < 1:
            hint = "A small machine still gets one worker, and may be lucky."
        elif got[0] * got[1] > cores:
            hint = "The workers fight for the cores: how many has each for itself?"
        elif got[0] == workers:
            hint = "The number of workers fits. Which cores are idle?"
        raise Wrong(
            f"for {given} the result is {got[0]:g} workers with {got[1]:g} threads, expected {expected[0]} with "
            f"{expected[1]}. {hint}"
        )
    return "Every core has one thing to do, and nobody runs out of memory."


@checker
def plan_thousand(answer) -> str:
    """Chapter 12: how many machines paint a thousand pictures in time."""
    for seconds, workers, hours in (
        (36.0, 2, 1.0),
        (40.0, 2, 1.0),
        (35.0, 8, 2.5),
        (7.0, 4, 8.0),
        (1000.0, 3, 1.0),
    ):
        given = f"{seconds:g} seconds a picture, {workers} workers a machine and {hours:g} hours"
        each = int(3600 * hours // seconds)
        expected = math.ceil(math.ceil(1000 / each) / workers)
        got = number(call(answer, seconds, workers, hours), given)
        if got == expected:
            continue
        machines = 1000 * seconds / (3600 * hours * workers)
        mistakes = [
            (math.ceil(1000 / each), "Those are workers. How many of them has a machine?"),
            (
                math.ceil(machines),
                "Has a worker time for a part of a picture at the end? Count whole pictures.",
            ),
            (
                round(machines),
                "A part of a machine cannot be had, and a deadline is not rounded. Up or down?",
            ),
            (math.floor(machines), "With so many they are not ready in time. Up or down?"),
            (1000 // (each * workers), "With so many they are not ready in time. Up or down?"),
            (
                math.ceil(1000 * seconds * workers / (3600 * hours)),
                "Do more workers need more machines, or fewer?",
            ),
            (math.ceil(1000 * seconds / (60 * hours * workers)), "How many seconds has an hour?"),
            (machines, "A part of a machine cannot be had: a whole number, please."),
        ]
        hint = next(
            (hint for value, hint in mistakes if math.isclose(got, value)),
            "How many whole pictures does one worker paint in that time? How many workers does that make?",
        )
        raise Wrong(f"for {given} the result is {got:g}, expected {expected}. {hint}")
    return "Pictures are independent, so twice the machines take half the time."


def _name(answer, content: bytes, style: bytes, settings: dict) -> str:
    got = call(answer, content, style, dict(settings))
    if not isinstance(got, str):
        raise Wrong(
            f"the result is a {type(got).__name__}, expected a text, such as hexdigest() gives."
        )
    return got
