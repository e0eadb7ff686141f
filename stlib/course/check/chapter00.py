"""The exercises of chapter 00: start here."""

from collections.abc import Callable

import torch
import torch.nn.functional as nnf
from torch import Tensor

from stlib._language import tr
from stlib.course.check.answer import Wrong, checker, result_of
from stlib.course.check.compare import kind
from stlib.course.check.exercise import exercise
from stlib.descent import Reason
from stlib.images import sample, sample_names
from stlib.losses import style_layer_losses, style_loss, style_target
from stlib.settings import STYLE_LAYERS
from stlib.transfer import Result
from stlib.vgg import VGG

PAINTINGS = ("cafe-terrace", "church-at-auvers", "harvest-at-la-crau", "langlois-bridge")
SIZE, STEPS = 128, 40


@checker
def first_transfer(answer: object) -> str:
    """Chapter 00: the cat in the style of The Harvest, at 128 pixels with 40 steps, as a Result."""
    result = result_of(answer)
    if isinstance(result, Tensor):
        raise Wrong(
            tr(
                "this is a picture; return the whole result of style_transfer, "
                "its history is needed too."
            )
        )
    if not isinstance(result, Result):
        raise Wrong(
            tr("expected what style_transfer returns, a Result, got {thing}.").format(
                thing=kind(result)
            )
        )
    size, steps = max(result.image.shape[2:]), len(result.history)
    if size != SIZE:
        raise Wrong(
            tr(
                "the longer side of the result has {size} pixels, expected {right}. "
                "Which argument of sample is the size?"
            ).format(size=size, right=SIZE)
        )
    if steps != STEPS and result.reason is Reason.STEPS:
        raise Wrong(
            tr(
                "the run made {steps} steps, expected {right}. Which argument says how many?"
            ).format(steps=steps, right=STEPS)
        )
    if steps < STEPS and result.reason is not Reason.CONVERGED:
        raise Wrong(
            tr(
                "the run ended early, after {steps} of {right} steps ({reason}). Run it again."
            ).format(steps=steps, right=STEPS, reason=result.reason)
        )
    content, style = _most_like_content(result.image), _most_like_style(result.image)
    if content != "cat":
        raise Wrong(
            tr(
                "the scene in the result is {content}, expected cat. Which argument is the content?"
            ).format(content=content)
        )
    if style != "harvest-at-la-crau":
        raise Wrong(
            tr(
                "its style is nearest to {style}, expected harvest-at-la-crau. "
                "Which argument is the style?"
            ).format(style=style)
        )
    return tr("The cat, in the colours of the harvest.")


def _most_like_content(picture: Tensor) -> str:
    """The sample whose light and dark parts lie where those of the picture do."""

    def layout(image: Tensor) -> Tensor:
        small = nnf.interpolate(image.mean(1, keepdim=True), size=(24, 24), mode="area").flatten()
        return (small - small.mean()) / small.std()

    return max(sample_names(), key=lambda name: float(layout(picture) @ layout(sample(name))))


@torch.no_grad()
def _most_like_style(picture: Tensor) -> str:
    """The painting with the nearest Gram matrices."""
    net = VGG()
    features = net.features(picture, STYLE_LAYERS)

    def distance(name: str) -> float:
        painting = net.features(sample(name, max(picture.shape[2:])), STYLE_LAYERS)
        targets = {layer: style_target(F) for layer, F in painting.items()}
        return float(style_loss(style_layer_losses(features, targets)))

    return min(PAINTINGS, key=distance)


History = list[dict[str, float]]


def _history(*totals: float) -> History:
    """A history with these totals, whose other losses fall in another way."""
    return [
        {"seconds": 0.1 * i, "total": total, "content": 3.0 - 2 * (i % 2), "style": 100.0 - total}
        for i, total in enumerate(totals)
    ]


def _low(history: History, key: str = "total", from_half: float = 0.0) -> list[int]:
    """The evaluations with at most half of the first loss."""
    half = history[0][key] / 2 - from_half
    return [i for i, losses in enumerate(history) if losses[key] <= half]


def _between_first_and_lowest(history: History) -> int:
    totals = [losses["total"] for losses in history]
    middle = (totals[0] + min(totals)) / 2
    return next(i for i, total in enumerate(totals) if total <= middle)


@exercise(
    cases=[
        (_history(8.0, 6.0, 4.0, 3.0, 1.0),),
        (_history(10.0, 12.0, 4.9, 3.0, 4.0, 6.0),),
        (_history(3.0, 1.0),),
        (_history(100.0, 80.0, 60.0, 51.0, 50.1, 20.0, 2.0),),
    ],
    given=lambda history: tr("the totals {totals}").format(
        totals=[losses["total"] for losses in history]
    ),
    mistakes=[
        (lambda history: _low(history)[0] + 1, tr("The first evaluation has the number 0.")),
        (lambda history: _low(history, from_half=1e-9)[0], tr("Exactly half is low enough.")),
        (
            _between_first_and_lowest,
            tr("That is halfway between the first and the lowest. Half of the first is asked for."),
        ),
        (
            lambda history: history[_low(history)[0]]["total"],
            tr("That is a loss; the number of the evaluation is asked for."),
        ),
        (lambda history: _low(history)[-1], tr("The first one is asked for, this is the last.")),
        (lambda history: len(history) - 1, tr("That is the last evaluation of all.")),
        (
            lambda history: len(_low(history)),
            tr("That is how many there are. Which one is the first?"),
        ),
        (lambda history: _low(history, "content")[0], tr("Which of the losses is the total one?")),
        (
            lambda history: min(range(len(history)), key=lambda i: history[i]["total"]),
            tr("That is the lowest one. Which is the first that is low enough?"),
        ),
    ],
    hint=tr("Compare each total with half of the first one."),
    praise=tr("The loss falls most in the first evaluations."),
)
def half_way(history: History) -> int:
    """Chapter 00: the first evaluation whose total loss is at most half of that at the start."""
    return _low(history)[0]


def _scaled(
    width: int, height: int, scale: float, whole: Callable[[float], float] = round
) -> tuple[float, float]:
    return whole(width * scale), whole(height * scale)


def _scale(width: int, height: int, size: int) -> float:
    return min(1, size / max(width, height))


@exercise(
    cases=[(680, 453, 256), (453, 680, 256), (512, 512, 200), (100, 60, 256), (1000, 333, 400)],
    mistakes=[
        (lambda w, h, size: _scaled(h, w, _scale(w, h, size)), tr("Width comes first.")),
        (
            lambda w, h, size: _scaled(w, h, size / max(w, h)),
            tr("A picture that is small enough stays as it is."),
        ),
        *(
            (
                lambda w, h, size, whole=whole: _scaled(w, h, _scale(w, h, size), whole),
                tr("Pixels are whole: round to the nearest."),
            )
            for whole in (int, float, lambda side: int(side) + 1)
        ),
        (lambda w, h, size: (size, size), tr("What keeps the shape of the picture?")),
        (
            lambda w, h, size: _scaled(w, h, min(1, size / min(w, h))),
            tr("Which side should be `size` pixels long?"),
        ),
        (
            lambda w, h, size: _scaled(w, h, min(1, size / w)),
            tr("Not every picture is wider than high. Which side should be `size` pixels long?"),
        ),
    ],
    hint=tr("Which side should be `size` pixels long, and what keeps the shape?"),
    praise=tr("So a 12-megapixel photo costs no more than a small one."),
)
def fit(width: int, height: int, size: int) -> tuple[float, float]:
    """Chapter 00: the width and height that load_image gives to a picture."""
    return _scaled(width, height, _scale(width, height, size))
