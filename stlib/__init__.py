"""stlib: neural style transfer that can be read; the package of "Style transfer, step by step".

To paint: `load_image` or `sample`, `style_transfer`, `save_image`; `estimate` tells before how long
it will take; `Brush` and `load_mask` for several styles, `match_colours` to keep a photo's colours.
To understand: `VGG` is the network, `gram_matrix`, `content_loss`, `style_loss` and others the
mathematics, `Objective` the loss that is lowered, `descend` the loop, `Settings` what can be set.
To go further: `batch` (many pictures), and what the course uses: `show` (plots), `explain` (look
inside the network), `grid` (compare settings), `check` (the exercises). `doctor` says whether this
machine is ready.

To read the code, in this order: `losses` (the paper's formulas), `objective` (their sum), `descent`
(the loop), `transfer` and `pyramid` (from the call to the loop), `settings`, `vgg`, `layers`. What
lies in folders and modules with an underscore makes it faster, never different.
"""

from stlib import _interrupt

_interrupt.end_at_once()  # before all that takes time

import importlib
import importlib.util
from typing import Any

from stlib._kernels import memory

memory.ask_for_large_pages()  # before the other modules make their first tensors

from stlib.brushes import Brush, load_mask
from stlib.colour import match_colours
from stlib.cost import estimate
from stlib.descent import Reason, descend, lbfgs
from stlib.errors import (
    CheckpointError,
    DeviceError,
    ImageError,
    JobError,
    MissingExtraError,
    StlibError,
    WeightsError,
)
from stlib.images import load_image, sample, sample_names, save_image, to_pil
from stlib.losses import (
    content_loss,
    gram_matrix,
    style_layer_loss,
    style_layer_losses,
    style_loss,
    style_target,
    total_loss,
    total_variation,
)
from stlib.objective import Objective, equal_pulls
from stlib.settings import Settings
from stlib.transfer import Result, style_transfer
from stlib.vgg import VGG
from stlib.weights import load_weights

# loaded when they are first asked for: module, and the package that it needs beyond stlib's own
LAZY = {
    "batch": ("stlib.batch", "distributed"),
    "check": ("stlib.course.check", None),
    "course": ("stlib.course", None),
    "explain": ("stlib.course.explain", None),
    "grid": ("stlib.course.grid", None),
    "show": ("stlib.course.show", "matplotlib"),
}

__all__ = [
    "VGG",
    "Brush",
    "CheckpointError",
    "DeviceError",
    "ImageError",
    "JobError",
    "MissingExtraError",
    "Objective",
    "Reason",
    "Result",
    "Settings",
    "StlibError",
    "WeightsError",
    "content_loss",
    "descend",
    "doctor",
    "equal_pulls",
    "estimate",
    "gram_matrix",
    "lbfgs",
    "load_image",
    "load_mask",
    "load_weights",
    "match_colours",
    "sample",
    "sample_names",
    "save_image",
    "style_layer_loss",
    "style_layer_losses",
    "style_loss",
    "style_target",
    "style_transfer",
    "to_pil",
    "total_loss",
    "total_variation",
]
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    """Load a lazy part of the package; Python asks here for what the module does not hold."""
    if name == "doctor":
        return importlib.import_module("stlib.course.diagnosis").doctor
    if name in LAZY:
        return importlib.import_module(LAZY[name][0])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """All names for help() and completion, without parts whose packages are not installed."""
    found = [
        name for name, (_, needs) in LAZY.items() if not needs or importlib.util.find_spec(needs)
    ]
    return sorted({*globals(), *__all__, *found})
