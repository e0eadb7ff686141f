"""The exercises' checkers: what was given, what came out, what was expected, and one hint.

A checker is called with the learner's answer, `check.half_way(half_way)`. It prints a line or a few
and never raises for a learner's mistake; an untouched stub is "not attempted yet". It never tells
the solution.
"""

from stlib.course.check.chapter00 import first_transfer, fit, half_way
from stlib.course.check.chapter01 import convolve, edge_kernel, map_size
from stlib.course.check.chapter02 import keep_all, one_kernel, prepare, receptive_field
from stlib.course.check.chapter03 import closest_pair, gram_channels_last, gram_of_strips
from stlib.course.check.chapter04 import (
    choose_layer,
    content_gradient,
    hidden_change,
    weighted_content_loss,
)
from stlib.course.check.chapter05 import from_pytorch_tutorial, one_step, whole_style_loss
from stlib.course.check.chapter06 import arrived, beta_for_means, equal_pulls
from stlib.course.check.chapter07 import adam_loop, careful_descent, start_from_noise
from stlib.course.check.chapter08 import beyond_chance, matched_alphas, plan_experiment
from stlib.course.check.chapter09 import divisor_share, flat_weights, turn_weights
from stlib.course.check.chapter10 import mended_closure, name_the_bug, suspects
from stlib.course.check.chapter11 import diagnose, give_colours
from stlib.course.check.chapter12 import beat_the_baseline, cost_of_stages, precondition
from stlib.course.check.chapter13 import name_the_picture, plan_thousand, share_cores
from stlib.course.check.chapter14 import gram_twin, least_work, name_the_loss

__all__ = [
    "adam_loop",
    "arrived",
    "beat_the_baseline",
    "beta_for_means",
    "beyond_chance",
    "careful_descent",
    "choose_layer",
    "closest_pair",
    "content_gradient",
    "convolve",
    "cost_of_stages",
    "diagnose",
    "divisor_share",
    "edge_kernel",
    "equal_pulls",
    "first_transfer",
    "fit",
    "flat_weights",
    "from_pytorch_tutorial",
    "give_colours",
    "gram_channels_last",
    "gram_of_strips",
    "gram_twin",
    "half_way",
    "hidden_change",
    "keep_all",
    "least_work",
    "map_size",
    "matched_alphas",
    "mended_closure",
    "name_the_bug",
    "name_the_loss",
    "name_the_picture",
    "one_kernel",
    "one_step",
    "plan_experiment",
    "plan_thousand",
    "precondition",
    "prepare",
    "receptive_field",
    "share_cores",
    "start_from_noise",
    "suspects",
    "turn_weights",
    "weighted_content_loss",
    "whole_style_loss",
]
