"""The exercises of chapter 00: start here."""

import torch
from torch import Tensor

from stlib.course.check.exercise import Wrong, call, checker
from stlib.images import sample, sample_names
from stlib.losses import style_layer_losses, style_loss, style_target
from stlib.settings import STYLE_LAYERS
from stlib.transfer import Result
from stlib.vgg import VGG

PAINTINGS = ("cafe-terrace", "church-at-auvers", "harvest-at-la-crau", "langlois-bridge")


@checker
def first_transfer(answer) -> str:
    """Chapter 00: the cat in the style of The Harvest, as a Result."""
    result = call(answer)
    if isinstance(result, Tensor):
        raise Wrong(
            "this is a picture; return the whole result of style_transfer, its history is needed too."
        )
    if not isinstance(result, Result):
        raise Wrong(
            f"expected what style_transfer returns, a Result, got a {type(result).__name__}."
        )
    content, style = _most_like_content(result.image), _most_like_style(result.image)
    if content != "cat":
        raise Wrong(
            f"the scene in the result is {content}, expected cat. Which argument is the content?"
        )
    if style != "harvest-at-la-crau":
        raise Wrong(
            f"its style is nearest to {style}, expected harvest-at-la-crau. Which argument is the style, "
            "and did the run have at least 30 steps?"
        )
    factor = result.history[0]["total"] / min(losses["total"] for losses in result.history)
    if factor < 2:
        raise Wrong(
            f"the total loss fell by a factor of {factor:.1f} only, expected at least 2. Give it more steps."
        )
    return "The cat, in the colours of the harvest."


def _most_like_content(picture: Tensor) -> str:
    """The sample whose light and dark parts lie where those of the picture do."""

    def layout(image: Tensor) -> Tensor:
        small = torch.nn.functional.interpolate(
            image.mean(1, keepdim=True), size=(24, 24), mode="area"
        ).flatten()
        return (small - small.mean()) / small.std()

    return max(sample_names(), key=lambda name: float(layout(picture) @ layout(sample(name))))


def _most_like_style(picture: Tensor) -> str:
    """The painting with the nearest Gram matrices."""
    net = VGG()
    with torch.no_grad():
        features = net.features(picture, STYLE_LAYERS)

        def distance(name: str) -> float:
            painting = net.features(sample(name, max(picture.shape[2:])), STYLE_LAYERS)
            targets = {layer: style_target(f) for layer, f in painting.items()}
            return float(style_loss(style_layer_losses(features, targets)))

        return min(PAINTINGS, key=distance)


@checker
def half_way(answer) -> str:
    """Chapter 00: the first evaluation at which the total loss is at most half of what it was at the start."""
    for totals, expected in (
        ([8.0, 6.0, 4.0, 3.0, 1.0], 2),
        ([10.0, 12.0, 4.9, 6.0, 1.0], 2),
        ([3.0, 1.0], 1),
        ([100.0, 80.0, 60.0, 51.0, 50.1, 20.0, 2.0], 5),
    ):
        history = [
            {
                "seconds": 0.1 * i,
                "total": total,
                "content": 0.9 * total - i % 2,
                "style": 100.0 - total,
            }
            for i, total in enumerate(totals)
        ]
        got = call(answer, history)
        if isinstance(got, bool) or not isinstance(got, (int, float)) or got != expected:
            if isinstance(got, float) and got in totals:
                hint = "That is a loss; the number of the evaluation is asked for."
            elif got == expected + 1:
                hint = "The first evaluation has the number 0."
            elif isinstance(got, int) and got > expected:
                hint = "The first one is asked for, and exactly half counts."
            else:
                hint = "Compare each total with half of the first one."
            raise Wrong(
                f"for the totals {totals} the result is {got!r}, expected {expected}. {hint}"
            )
    return "L-BFGS gains most in its first evaluations."


@checker
def fit(answer) -> str:
    """Chapter 00: the width and height that load_image gives to a picture."""
    for width, height, size in (
        (680, 453, 256),
        (453, 680, 256),
        (512, 512, 200),
        (100, 60, 256),
        (1000, 333, 500),
    ):
        longer = max(width, height)
        scale = min(1.0, size / longer)
        expected = (round(width * scale), round(height * scale))
        got = call(answer, width, height, size)
        try:
            got = tuple(got)
        except TypeError:
            raise Wrong(f"expected a pair (width, height), got {got!r}.") from None
        if got != expected:
            if got == expected[::-1]:
                hint = "Width comes first."
            elif longer < size:
                hint = "A picture that is small enough stays as it is."
            elif len(got) == 2 and all(abs(g - e) <= 1 for g, e in zip(got, expected, strict=True)):
                hint = "Pixels are whole: round to the nearest."
            else:
                hint = "Which side should be `size` pixels long, and what keeps the shape?"
            raise Wrong(
                f"for {width} × {height} at size={size} the result is {got}, expected {expected}. {hint}"
            )
    return "So a 12-megapixel photo costs no more than a small one."
