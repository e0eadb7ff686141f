"""All settings of a transfer in one object: their defaults, checks and meaning.

A new setting is a field here and a keyword of `style_transfer`; the command line, jobs, estimates,
checkpoints and fingerprints take it from here.
"""

import hashlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, fields, replace
from typing import Any

from torch import Tensor

from stlib._language import tr
from stlib.arguments import (
    check_choice,
    check_picture,
    check_weight,
    check_whole_number,
    plain,
    suggesting,
)
from stlib.errors import shown
from stlib.layers import PADDINGS, SMALLEST_SIDE, find_layer
from stlib.solver import Stage, stages

CONTENT_LAYERS = ("relu4_2",)
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
INITS = ("content", "noise", "style")
OPTIMIZERS = ("lbfgs", "adam")
SOLVERS = ("fast", "plain")
COLORS = ("style", "photo", "brightness")
# Raise it whenever the same settings and pictures give another picture than before: fingerprints
# hold it, so that a batch paints old pictures anew and no run goes on from an old checkpoint.
PAINTER = 3
# what the fast solver takes for a setting that is None: it paints clean pictures
CLEAN: dict[str, Any] = {"padding": "replicate", "roughness": 1.0, "overflow": 100.0}
# the paper's loss, which the plain solver lowers, and the fast one when it is given these
PAPER: dict[str, Any] = {
    "padding": "zero",
    "roughness": 0.0,
    "overflow": 0.0,
    "style_weights": [1 / 5] * 5,
}
# w_l of the fast solver by block, for five layers, chosen by eye at 512 pixels: with equal w_l,
# relu5_1 pulls hardest (`objective.equal_pulls`). Σ w_l is 1.6, so the style counts for more
PULL_OF_BLOCK = {1: 1 / 2, 2: 1 / 2, 3: 1 / 4, 4: 1 / 4, 5: 1 / 8}
BYTES = (bytes, bytearray, memoryview)  # Python takes these for sequences of whole numbers


def _help(text: str, **options: object) -> dict[str, object]:
    """What the command line says about a setting, and how argparse reads it."""
    return {"help": text, **options}


@dataclass(frozen=True, kw_only=True, eq=False)
class Settings:
    """How to paint: every setting of `style_transfer` that decides what the result looks like.

    alpha: α, weight of the content loss.
    beta: β, weight of the style loss; None is `default_beta`, balanced for the size.
    tv: weight of the total variation.
    roughness, overflow: weights, within β, of the squared differences of neighbouring pixels and of
        values outside 0…1 (`losses.roughness`, `losses.overflow`); they keep grain away. None is
        1 and 100 for the fast solver, 0 for the plain one.
    padding: what a convolution sees beyond the picture's edge: "zero" as in the paper, or
        "replicate", the edge itself. With "replicate", the painting is seen with a mirrored margin
        besides, so that its border is no part of its style. None is "replicate" for the fast
        solver, "zero" for the plain one.
    content_layers, style_layers: names of layers, each once.
    style_weights: w_l, a list with one for each style layer, or {layer: w_l}. None is one over the
        number of layers for the plain solver; for the fast one, with five layers, ½ in blocks 1 and
        2, ¼ in blocks 3 and 4, ⅛ in block 5 (see `objective.equal_pulls`).
    init: where the picture starts: "content", "noise" (uniform, from `seed`), "style" (the first
        style picture, scaled to the content's size), or a picture of the content's shape. The fast
        solver softens its colours.
    optimizer: "lbfgs" or "adam".
    solver: "fast" begins with smaller pictures and moves waves (module `solver`), "plain" moves the
        pixels of the whole picture, as the paper does. None is "fast" for L-BFGS, "plain" for Adam.
    steps: evaluations of the loss and its gradient; one of a smaller picture counts by its share of
        the pixels.
    seed: of all noise.
    style_size: the longer side, in pixels, to which every style picture is resized before the run:
        the larger the painting, the larger its strokes. More than the painting has only enlarges
        it, which blurs its strokes. None takes it as it is given.
    colors: whose they are. "style" is the painting's palette; "photo" gives the painting the
        content's colours before the run, and so the result; "brightness" paints brightness alone
        and puts the content's colours back at the end.
    keep_every: keep a frame every so many evaluations; None keeps none.

    An `Objective` takes None as the paper does; a run completes what is None for its solver first.

    Raises ValueError for the first setting that makes no sense.
    """

    alpha: float = field(default=1.0, metadata=_help(tr("weight of the content loss"), type=float))
    beta: float | None = field(
        default=None,
        metadata=_help(tr("weight of the style loss (default: balanced for the size)"), type=float),
    )
    tv: float = field(
        default=0.0,
        metadata=_help(tr("weight of the total variation, for a smoother picture"), type=float),
    )
    roughness: float | None = field(
        default=None,
        metadata=_help(
            tr("weight of differences between neighbouring pixels (default: 1, but 0 for plain)"),
            type=float,
        ),
    )
    overflow: float | None = field(
        default=None,
        metadata=_help(
            tr("weight of values that cannot be shown (default: 100, but 0 for plain)"), type=float
        ),
    )
    padding: str | None = field(
        default=None,
        metadata=_help(
            tr("what lies beyond the picture's edge (default: replicate, but zero for plain)"),
            choices=PADDINGS,
        ),
    )
    content_layers: Sequence[str] = CONTENT_LAYERS
    style_layers: Sequence[str] = STYLE_LAYERS
    style_weights: Mapping[str, float] | Sequence[float] | None = None
    init: str | Tensor = field(
        default="content",
        metadata=_help(tr("where the picture starts"), choices=INITS),
    )
    optimizer: str = field(
        default="lbfgs",
        metadata=_help(tr("which method changes the picture"), choices=OPTIMIZERS),
    )
    solver: str | None = field(
        default=None,
        metadata=_help(
            tr(
                "fast begins with smaller pictures, paints cleaner, and has the lower loss in "
                "short runs (in long runs of large pictures it may end a few percent above); "
                "plain is the paper's loop (default: fast, but plain for adam)"
            ),
            choices=SOLVERS,
        ),
    )
    steps: int = field(
        default=100, metadata=_help(tr("evaluations of loss and gradient"), type=int)
    )
    seed: int = field(default=0, metadata=_help(tr("seed of all noise"), type=int))
    style_size: int | None = field(
        default=None,
        metadata=_help(
            tr(
                "longer side in pixels to which every painting is resized; the larger the "
                "painting, the larger its strokes (default: as the photo)"
            ),
            type=int,
            metavar="PIXELS",
        ),
    )
    colors: str = field(
        default="style",
        metadata=_help(
            tr(
                "whose colours: the painting's; those of the photo, which the painting is given "
                "first; or the photo's own with the painted brightness"
            ),
            choices=COLORS,
        ),
    )
    keep_every: int | None = None

    def __post_init__(self) -> None:
        self._take_plain_numbers()
        for name in ("alpha", "tv"):
            check_weight(name, getattr(self, name))
        for name in ("beta", "roughness", "overflow"):
            weight = getattr(self, name)
            check_weight(name, 0.0 if weight is None else weight)
        if self.padding is not None:
            check_choice("padding", self.padding, PADDINGS)
        check_layer_list("content_layers", self.content_layers)
        check_layer_list("style_layers", self.style_layers)
        w = self.weights()  # for a list, in the order in which the layers were given
        # what is the caller's may change later, a frozen object must not
        for name in ("content_layers", "style_layers"):
            layers = getattr(self, name)
            in_order = sorted(layers) if isinstance(layers, Set) else layers
            object.__setattr__(self, name, tuple(in_order))
        if self.style_weights is not None:
            weights = tuple(plain(w[layer]) for layer in self.style_layers)
            object.__setattr__(self, "style_weights", weights)
        has_layers = bool(self.content_layers or self.style_layers)
        has_content = self.alpha != 0 and self.content_layers
        if not has_layers or (not has_content and not self.has_style and self.tv == 0):
            raise ValueError(
                tr(
                    "alpha, beta and tv leave nothing to optimise: one of the losses needs a "
                    "weight above 0 and a layer."
                )
            )
        check_whole_number("steps", self.steps, 1)
        check_whole_number("seed", self.seed, 0)
        if self.keep_every is not None:
            check_whole_number("keep_every", self.keep_every, 1)
        if self.style_size is not None:
            check_whole_number("style_size", self.style_size, SMALLEST_SIDE)
        check_choice("colors", self.colors, COLORS)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        if self.solver is not None:
            check_choice("solver", self.solver, SOLVERS)
        if self.solver == "fast" and self.optimizer != "lbfgs":
            raise ValueError(
                tr(
                    'the fast solver is made for L-BFGS: use solver="plain" with '
                    "optimizer={optimizer!r}."
                ).format(optimizer=self.optimizer)
            )
        if isinstance(self.init, Tensor):
            check_picture("init", self.init)
        else:
            also = tr("a picture of the content's shape")
            check_choice("init", self.init, INITS, also)

    def _take_plain_numbers(self) -> None:
        """NumPy's numbers could not be written into a note."""
        for setting in fields(self):
            object.__setattr__(self, setting.name, plain(getattr(self, setting.name)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and self.fingerprint() == other.fingerprint()

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    @property
    def is_fast(self) -> bool:
        """Whether the fast solver paints."""
        return self.solver == "fast" or (self.solver is None and self.optimizer == "lbfgs")

    @property
    def has_style(self) -> bool:
        """Whether there is a style loss to lower."""
        return self.beta != 0 and any(self.weights().values())

    @property
    def is_clean(self) -> bool:
        """Whether grain has to be kept away: the plain solver does not, and a photo has none."""
        return self.is_fast and self.has_style

    def complete(self) -> "Settings":
        """The same settings with what the solver takes for those that are None."""
        of_solver = CLEAN if self.is_clean else PAPER
        missing = {name: of_solver[name] for name in CLEAN if getattr(self, name) is None}
        if self.style_weights is None and self.is_clean:
            missing["style_weights"] = weights_by_block(self.style_layers)
        return replace(self, **missing)

    def starts_from(self, init: str) -> bool:
        """Whether `init` is this word, and not a picture."""
        return isinstance(self.init, str) and self.init == init

    def weights(self) -> dict[str, float]:
        """w_l by the name of the style layer, however they were given; None is the paper's."""
        return layer_weights(self.style_weights, self.style_layers)

    def plan(self, shorter_side: int) -> list[Stage]:
        """The stages of the run; the plain solver has one, at full size.

        shorter_side: of the content picture, in pixels.
        """
        if self.is_fast:
            return stages(self.steps, shorter_side)
        return [Stage(1.0, self.steps)]

    def fingerprint(self) -> str:
        """64 hexadecimal digits that differ when any setting differs; 1 and 1.0 are the same.

        They also differ between versions of stlib that paint differently (`PAINTER`).
        """
        return digest(self.marks())

    def marks(self) -> dict[str, Any]:
        """What the fingerprint is made of, by name."""
        values = {setting.name: getattr(self, setting.name) for setting in fields(self)}
        weights = None if self.style_weights is None and self.is_clean else self.weights()
        return values | {"style_weights": weights, "version of stlib": PAINTER}


Settings.__init__ = suggesting(Settings.__init__)  # type: ignore[method-assign]


def check_layer_list(name: str, layers: object) -> None:
    """Raise a ValueError unless `layers` is a list of names, each once.

    name: of the setting, for the message.
    """
    collection = isinstance(layers, (Sequence, Set, Mapping)) and not isinstance(
        layers, (str, *BYTES)
    )
    names = list(layers) if collection else []  # type: ignore[call-overload]
    texts = all(isinstance(layer, str) for layer in names)
    if not collection or not texts or len(set(names)) < len(names):
        raise ValueError(
            tr(
                '{name} is {value}: give a list of layer names, each once, for example ["relu4_2"].'
            ).format(name=name, value=shown(layers))
        )


def layer_weights(
    style_weights: Mapping[str, float] | Sequence[float] | None, style_layers: Sequence[str]
) -> dict[str, float]:
    """w_l by layer name, from a list, a dict or None; None is one over the number of layers.

    Raises ValueError when they do not belong to the style layers.
    """
    if style_weights is None:
        return dict.fromkeys(style_layers, 1 / max(len(style_layers), 1))
    if not isinstance(style_weights, (Mapping, Sequence)) or isinstance(style_weights, BYTES):
        raise ValueError(
            tr(
                "style_weights is {value}: give a list with one for each style layer, or a dict."
            ).format(value=shown(style_weights))
        )
    if not isinstance(style_weights, Mapping):
        if isinstance(style_layers, Set):
            raise ValueError(
                tr(
                    "style_layers is a set, which has no order: give style_weights as a dict, or "
                    "the layers as a list."
                )
            )
        if len(style_weights) != len(style_layers):
            raise ValueError(
                tr("{weights} style_weights for {layers} style layers: give one for each.").format(
                    weights=len(style_weights), layers=len(style_layers)
                )
            )
        style_weights = dict(zip(style_layers, style_weights, strict=True))
    if set(style_weights) != set(style_layers):
        raise ValueError(
            tr(
                "style_weights are for {named}, the style layers are {layers}: name the same ones."
            ).format(named=shown(list(style_weights)), layers=list(style_layers))
        )
    for layer, weight in style_weights.items():
        check_weight(tr("the style weight of {layer}").format(layer=layer), weight)
    return {layer: style_weights[layer] for layer in style_layers}


def weights_by_block(style_layers: Sequence[str]) -> dict[str, float]:
    """w_l of the fast solver by layer name: 5/n for n layers, times `PULL_OF_BLOCK`."""
    share = 5 / max(len(style_layers), 1)
    return {layer: share * PULL_OF_BLOCK[find_layer(layer).block] for layer in style_layers}


def digest(value: object) -> str:
    """64 hexadecimal digits of a value: tensors, numbers, texts, and lists, sets and dicts of them.

    Equal values have equal digits, in this process and the next; 1 is 1.0.
    """
    found = hashlib.sha256()
    if isinstance(value, Tensor):
        found.update(repr(tuple(value.shape)).encode())
        found.update(value.detach().cpu().float().contiguous().numpy().tobytes())
    elif isinstance(value, Mapping):
        found.update(b"mapping")
        for key in sorted(value):
            found.update((digest(key) + digest(value[key])).encode())
    elif isinstance(value, Set):  # its order may be another one in the next process
        found.update(b"set" + "".join(sorted(map(digest, value))).encode())
    elif isinstance(value, (list, tuple)):
        found.update(b"list" + "".join(map(digest, value)).encode())
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        number = int(value) if value % 1 == 0 else float(value)  # 1 and 1.0, also NumPy's
        found.update(repr(number).encode())
    else:
        found.update(repr(value).encode())
    return found.hexdigest()
