"""The exercises of chapter 06: the total loss."""

import torch
from torch import Tensor

from stlib._language import tr
from stlib.course.check.answer import Function
from stlib.course.check.exercise import exercise


def _randn(seed: int, norm: float = 1.0) -> Tensor:
    direction = torch.randn(1, 3, 4, 5, generator=torch.Generator().manual_seed(seed))
    return norm * direction / direction.norm()


def _by_cosine(content: Tensor, style: Tensor, tolerance: float) -> bool:
    """What the function that is to be mended asks, with the shape of a picture respected."""
    cosine = torch.cosine_similarity(content.flatten(), style.flatten(), dim=0)
    return bool(cosine < -1 + tolerance)


def _by_lengths(content: Tensor, style: Tensor, tolerance: float) -> bool:
    longer = max(content.norm(), style.norm())
    return bool((content.norm() - style.norm()).abs() <= tolerance * longer)


def _of_the_shorter(content: Tensor, style: Tensor, tolerance: float) -> bool:
    shorter = min(content.norm(), style.norm())
    return bool((content + style).norm() <= tolerance * shorter)


PULL = _randn(7, norm=2.0)
ASIDE = PULL.roll(1, dims=-1) - PULL  # its entries cancel
ASIDE = ASIDE / ASIDE.norm()


@exercise(
    cases=[
        (PULL, -PULL, 0.1),
        (PULL, -0.4 * PULL, 0.1),
        (PULL, PULL, 0.1),
        (PULL, -PULL + 0.8 * ASIDE, 0.1),
        (PULL, -PULL + 0.1 * ASIDE, 0.1),
        (PULL, -0.85 * PULL, 0.1),
        (0.05 * PULL, -0.02 * PULL, 0.1),
        (torch.zeros(1, 3, 4, 5), torch.zeros(1, 3, 4, 5), 0.1),
        (0.5 * PULL, -0.55 * PULL, 0.095),
    ],
    given=lambda content, style, tolerance: tr(
        "pulls of the lengths {content:.3g} (content) and {style:.3g} (style), "
        "whose sum has the length {both:.3g}, and the tolerance {tolerance:g},"
    ).format(
        content=content.norm(),
        style=style.norm(),
        both=(content + style).norm(),
        tolerance=tolerance,
    ),
    mistakes=[
        (
            lambda c, s, tolerance: torch.cosine_similarity(c, s, dim=0) < -1 + tolerance,
            tr("All three bugs are still there."),
        ),
        (
            _by_cosine,
            tr("They are opposite. Are they equally long? And what if neither pulls at all?"),
        ),
        (_by_lengths, tr("They are equally long. Are they opposite?")),
        (
            lambda c, s, tolerance: _by_cosine(c, s, tolerance) and _by_lengths(c, s, tolerance),
            tr("What if neither pulls at all? Then the sum of the pulls is 0, too."),
        ),
        (
            lambda c, s, tolerance: bool((c - s).norm() <= tolerance * max(c.norm(), s.norm())),
            tr("At a minimum the sum of the pulls is 0, not their difference."),
        ),
        (_of_the_shorter, tr("The text compares with the longer of the two pulls.")),
        (
            lambda c, s, tolerance: bool((c + s).norm() <= tolerance * (c.norm() + s.norm())),
            tr("The text compares with the longer of the two pulls, not with both together."),
        ),
        (
            lambda c, s, tolerance: bool((c + s).norm() <= tolerance),
            tr("How small is small? Compare the length of the sum with that of the longer pull."),
        ),
        (
            lambda c, s, tolerance: bool(
                (c + s).sum().abs() <= tolerance * max(c.norm(), s.norm())
            ),
            tr(
                "In a sum of entries, positive and negative ones cancel. What is the length of a "
                "pull?"
            ),
        ),
    ],
    hint=tr("Add the two pulls. How long is the sum, and how long is the longer of them?"),
    praise=tr("Opposite and equally long, in one question: is the sum of the pulls 0?"),
)
def arrived(pull_of_content: Tensor, pull_of_style: Tensor, tolerance: float) -> bool:
    """Chapter 06: whether content and style cancel at a picture."""
    longer = max(pull_of_content.norm(), pull_of_style.norm())
    return bool((pull_of_content + pull_of_style).norm() <= tolerance * longer)


@exercise(
    cases=[
        (33.0 * 2000, 2000, 1.0),
        (1000.0, 2000, 1.0),
        (1000.0, 2000, 10.0),
        (500.0, 1500, 0.5),
    ],
    mistakes=[
        (
            lambda beta, count, s: beta / count / s**2,
            tr("Eq. (1) has a ½, the colleague's mean has none. Which factor is missing?"),
        ),
        (
            lambda beta, count, s: beta / 2 / count / s**2,
            tr("How many times our content loss is the sum of all squares?"),
        ),
        (
            lambda beta, count, s: 2 * beta / count,
            tr("What does the scale s of the network change?"),
        ),
        (
            lambda beta, count, s: 2 * beta / count * s**2,
            tr("Which of the two losses grows faster with s, and does it then need more weight?"),
        ),
        (
            lambda beta, count, s: 2 * beta / count / s,
            tr("By which power of s does each loss grow?"),
        ),
        (
            lambda beta, count, s: 2 * beta / count / s**4,
            tr("The style loss grows with that power of s. But does the content loss stay?"),
        ),
        (
            lambda beta, count, s: 2 * beta * count / s**2,
            tr("A mean is smaller than a sum. Does style then need more weight, or less?"),
        ),
        (
            lambda beta, count, s: 2 * beta / s**2,
            tr("The colleague's content loss is a mean. Of how many numbers?"),
        ),
        (
            lambda beta, count, s: beta / s**2,
            tr("The colleague's content loss is a mean, without the ½. What does that change?"),
        ),
        (
            lambda beta, count, s: count * s**2 / (2 * beta),
            tr("That is the weight of content if style has 1. The colleague weighs style."),
        ),
    ],
    hint=tr(
        "Write the colleague's loss with our two losses. By what must it be multiplied so that "
        "content has the weight 1?"
    ),
    praise=tr("In means, the default of stlib is 66, whatever the size of the picture."),
)
def beta_for_means(beta: float, count: int, s: float) -> float:
    """Chapter 06: the style weight for a mean of squares, and another scale of the network."""
    return 2 * beta / (count * s**2)


Gradients = dict[str, Tensor]


def _weighed(power: int, total: float | None = 1.0, sign: int = 1) -> Function:
    """The answer that weighs each layer by a power of its gradient's norm."""

    def answer(gradients: Gradients) -> dict[str, float]:
        w = {layer: sign * float(g.norm()) ** power for layer, g in gradients.items()}
        whole = 1.0 if total is None else sum(w.values()) / total
        return {layer: weight / whole for layer, weight in w.items()}

    return answer


SUM_TO_1 = tr(
    "The layers pull alike, but the weights have to sum to 1. By what can you divide them?"
)


@exercise(
    cases=[
        ({"relu1_1": _randn(1), "relu2_1": _randn(2, 2.0), "relu3_1": _randn(3, 4.0)},),
        ({"relu2_1": _randn(4, 3.0), "relu4_1": _randn(5, 0.5)},),
    ],
    given=lambda gradients: tr("gradients with the norms {norms}").format(
        norms=", ".join(f"{gradient.norm():.3g} ({layer})" for layer, gradient in gradients.items())
    ),
    mistakes=[
        (
            _weighed(1),
            tr(
                "Which layer needs the larger weight: that with the long gradient or the short one?"
            ),
        ),
        (
            _weighed(-2),
            tr(
                "The short gradients now pull harder than the long ones. Is there a square too "
                "many?"
            ),
        ),
        (
            _weighed(0),
            tr("Equal weights do not give equal pull. What differs from layer to layer?"),
        ),
        (_weighed(-1, total=None), SUM_TO_1),
        (_weighed(-1, total=2.0), SUM_TO_1),
        (_weighed(-1, total=None, sign=-1), tr("Where does the sign of your weights come from?")),
        (
            lambda gradients: [*_weighed(-1)(gradients).values()],
            tr("Which weight is whose? Return a dict, by the names of the layers."),
        ),
        (
            lambda gradients: {layer: g / g.norm() for layer, g in gradients.items()},
            tr("A weight is one number for a layer."),
        ),
    ],
    hint=tr(
        "Multiply each weight by its gradient's norm: is the product the same for every layer, "
        "and do the weights sum to 1?"
    ),
    praise=tr("Gentle layers get more weight, and all are heard."),
)
def equal_pulls(gradients: Gradients) -> dict[str, float]:
    """Chapter 06: layer weights with which every style layer pulls alike."""
    return _weighed(-1)(gradients)
