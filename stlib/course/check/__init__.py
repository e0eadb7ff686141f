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
from stlib.course.check.chapter07 import adam_loop, make_closure, start_from_noise
from stlib.course.check.chapter08 import left_out, plan_experiment, same_balance
from stlib.course.check.chapter09 import divisor_share, rate_after, turn_weights
from stlib.course.check.chapter10 import mended_closure, name_the_bug, suspects
from stlib.course.check.chapter11 import beat_the_baseline, cost_of_stages, precondition
from stlib.course.check.chapter12 import name_the_picture, plan_thousand, share_cores

__all__ = [
    "adam_loop",
    "arrived",
    "beat_the_baseline",
    "beta_for_means",
    "choose_layer",
    "closest_pair",
    "content_gradient",
    "convolve",
    "cost_of_stages",
    "divisor_share",
    "edge_kernel",
    "equal_pulls",
    "first_transfer",
    "fit",
    "from_pytorch_tutorial",
    "gram_channels_last",
    "gram_of_strips",
    "half_way",
    "hidden_change",
    "keep_all",
    "left_out",
    "make_closure",
    "map_size",
    "mended_closure",
    "name_the_bug",
    "name_the_picture",
    "one_kernel",
    "one_step",
    "plan_experiment",
    "plan_thousand",
    "precondition",
    "prepare",
    "rate_after",
    "receptive_field",
    "same_balance",
    "share_cores",
    "start_from_noise",
    "suspects",
    "turn_weights",
    "weighted_content_loss",
    "whole_style_loss",
]
