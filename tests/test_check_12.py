"""The checkers of chapter 12: each passes the right answer, names typical mistakes, and never raises."""

import hashlib
import json
import math
import time

import pytest
from answers import examine

from stlib.course.check import chapter12 as check


def sha(*parts):
    return hashlib.sha256(
        b"".join(part if isinstance(part, bytes) else str(part).encode() for part in parts)
    ).hexdigest()


def in_order(settings):
    return json.dumps(settings, sort_keys=True)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (
            lambda content, style, settings: sha(sha(content), sha(style), in_order(settings)),
            "right.",
        ),
        (
            lambda content, style, settings: sha(repr((content, style, sorted(settings.items())))),
            "right.",
        ),
        (
            lambda content, style, settings: sha(content, style, in_order(settings)),
            "where the first one ends",
        ),
        (lambda content, style, settings: sha(sha(content), sha(style), settings), "sort them"),
        (
            lambda content, style, settings: sha(sha(content), sha(style)),
            "Which part of the settings is in it",
        ),
        (
            lambda content, style, settings: sha(
                sha(content), sha(style), sorted(settings.values())
            ),
            "names of the settings",
        ),
        (
            lambda content, style, settings: sha(
                *sorted([sha(content), sha(style)]), in_order(settings)
            ),
            "which picture is which",
        ),
        (
            lambda content, style, settings: sha(sha(style), in_order(settings)),
            "another content picture",
        ),
        (
            lambda content, style, settings: sha(sha(content), in_order(settings)),
            "another style picture",
        ),
        (lambda content, style, settings: str(hash((content, style))), "tomorrow"),
        (
            lambda content, style, settings: sha(content, style, time.perf_counter_ns()),
            "random, or a time",
        ),
        (lambda content, style, settings: hashlib.sha256(content), "expected a text"),
    ],
)
def test_name_the_picture(answer, hint, capsys):
    examine(check.name_the_picture, answer, hint, capsys)


def workers(cores, memory, need):
    return max(1, min(cores, memory // need))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda c, m, n: (workers(c, m, n), max(1, c // workers(c, m, n))), "right."),
        (lambda c, m, n: [workers(c, m, n), c // workers(c, m, n)], "right."),
        (lambda c, m, n: (c // workers(c, m, n), workers(c, m, n)), "Workers first"),
        (lambda c, m, n: (c, 1), "fit into the memory"),
        (
            lambda c, m, n: (min(c, m // n), max(1, c // max(1, min(c, m // n)))),
            "still gets one worker",
        ),
        (lambda c, m, n: (workers(c, m, n), c), "fight for the cores"),
        (lambda c, m, n: (workers(c, m, n), 1), "Which cores are idle"),
        (lambda c, m, n: (max(1, min(c, m / n)), c / max(1, min(c, m / n))), "Half a worker"),
        (lambda c, m, n: (1, c), "both, a core and enough memory"),
        (lambda c, m, n: workers(c, m, n), "expected the pair"),
    ],
)
def test_share_cores(answer, hint, capsys):
    examine(check.share_cores, answer, hint, capsys)


def each(seconds, hours):
    return int(3600 * hours // seconds)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda s, w, h: math.ceil(math.ceil(1000 / each(s, h)) / w), "right."),
        (lambda s, w, h: -(-1000 // (each(s, h) * w)), "right."),
        (lambda s, w, h: math.ceil(1000 / each(s, h)), "Those are workers"),
        (lambda s, w, h: math.ceil(1000 * s / (3600 * h * w)), "Count whole pictures"),
        (lambda s, w, h: round(1000 * s / (3600 * h * w)), "Up or down"),
        (lambda s, w, h: math.floor(1000 * s / (3600 * h * w)), "Up or down"),
        (lambda s, w, h: math.ceil(1000 * s * w / (3600 * h)), "more machines, or fewer"),
        (lambda s, w, h: math.ceil(1000 * s / (60 * h * w)), "How many seconds has an hour"),
        (lambda s, w, h: 1000 * s / (3600 * h * w), "whole number, please"),
        (lambda s, w, h: 7, "How many whole pictures"),
        (lambda s, w, h: (1, 2), "expected one number"),
    ],
)
def test_plan_thousand(answer, hint, capsys):
    examine(check.plan_thousand, answer, hint, capsys)
