"""The exercises' checkers: they say what was given, what came out, what was expected, and one hint.

A checker is called with the learner's answer, `check.half_way(half_way)`. It prints a line or a few and never raises for a
learner's mistake; an untouched stub is "not attempted yet". It never tells the solution.
"""

from stlib.check.chapter00 import first_transfer, fit, half_way
from stlib.check.chapter07 import adam_loop, make_closure, start_from_noise

__all__ = ["adam_loop", "first_transfer", "fit", "half_way", "make_closure", "start_from_noise"]
