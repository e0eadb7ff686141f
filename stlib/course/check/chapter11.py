"""The exercises of chapter 11: what a measure says of a picture, and colours that move together."""

import torch
from torch import Tensor

from stlib._language import tr
from stlib.course.check.answer import Wrong, checker, result_of
from stlib.course.check.compare import kind
from stlib.course.quality import clipped, grain
from stlib.images import sample

FAULTS = ("clean", "brightness grain", "colour grain", "clipped")
SIDE = 128  # pixels
BRIGHTNESS = (0.299, 0.587, 0.114)  # as `quality` sees it
CLOSE = 0.02  # of a mean, in the range 0…1; and of a covariance, as a share of the largest


@checker
def diagnose(answer: object) -> str:
    """Chapter 11: what is wrong with a picture, told from the measures alone."""
    right = 0
    for name, fault, picture, painting in _patients():
        given = result_of(answer, picture=picture.clone(), painting=painting.clone())
        if given not in FAULTS:
            raise Wrong(
                tr("the result is {found!r}, expected one of {faults}.").format(
                    found=given, faults=", ".join(FAULTS)
                )
            )
        if given != fault:
            brightness, colour = grain(picture, painting)
            raise Wrong(
                tr(
                    "{right} right, then {name} is not {fault}. Brightness grain "
                    "{brightness[0]:.2g} and {brightness[1]:.2g}, colour grain {colour[0]:.2g} and "
                    "{colour[1]:.2g} × the painting's; clipped {clipped:.1%}, the painting "
                    "{own:.1%}. What would each number be in a picture that is as good "
                    "as the painting?"
                ).format(
                    right=right,
                    name=name,
                    fault=given,
                    brightness=brightness,
                    colour=colour,
                    clipped=clipped(picture),
                    own=clipped(painting),
                )
            )
        right += 1
    return tr("All {right} pictures, also the dark one whose painting is dark itself.").format(
        right=right
    )


def _patients() -> list[tuple[str, str, Tensor, Tensor]]:
    """(name, fault, picture, painting), in an order that no constant answer survives."""
    castle, cat = sample("castle", SIDE), sample("cat", SIDE)
    cafe, crau = sample("cafe-terrace", SIDE), sample("harvest-at-la-crau", SIDE)
    dark = (3 * (cafe - 0.5)).clamp(0, 1)
    return [
        (tr("the first painting itself"), "clean", cafe, cafe),
        (tr("the castle with something added"), "colour grain", _noisy(castle, 0.06, False), cafe),
        (tr("the cat with something added"), "brightness grain", _noisy(cat, 0.15, True), crau),
        (tr("the castle with more contrast"), "clipped", 3 * (castle - 0.5) + 0.5, crau),
        (tr("a dark painting itself"), "clean", dark, dark),
        (tr("the cat with a faint addition"), "colour grain", _noisy(cat, 0.04, False), crau),
    ]


def _noisy(picture: Tensor, strength: float, grey: bool) -> Tensor:
    """The picture with noise in brightness alone, or in colour alone, kept away from the ends."""
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(11))
    brightness = torch.einsum("bchw,c->bhw", noise, torch.tensor(BRIGHTNESS)).unsqueeze(1)
    added = brightness.expand_as(picture) if grey else noise - brightness
    return (0.5 + 0.4 * (picture - 0.5) + strength * added).clamp(0.01, 0.99)


@checker
def give_colours(answer: object) -> str:
    """Chapter 11: a linear map that gives a painting the photo's mean and covariance."""
    for photo_name, painting_name in (("astronaut", "langlois-bridge"), ("castle", "cafe-terrace")):
        photo, painting = sample(photo_name, 96), sample(painting_name, 80)
        result = result_of(answer, painting=painting.clone(), photo=photo.clone())
        if not isinstance(result, Tensor) or result.shape != painting.shape:
            wrong = tr("the result is {found}, expected the painting's shape {wanted}.")
            if isinstance(result, Tensor):
                wrong = tr(
                    "the result is {found} of shape {shape}, expected the painting's shape "
                    "{wanted}."
                )
            raise Wrong(
                wrong.format(
                    found=kind(result),
                    shape=list(getattr(result, "shape", ())),
                    wanted=list(painting.shape),
                )
            )
        if not torch.isfinite(result).all():
            raise Wrong(tr("the result holds numbers that are not finite. What do you divide by?"))
        _compare(_colours(result), _colours(painting), _colours(photo))
    return tr("Mean and covariance are the photo's, and strokes are where they were.")


def _compare(result: Tensor, painting: Tensor, photo: Tensor) -> None:
    """Raise Wrong unless result is a linear map of painting with the moments of photo, [3, M]."""
    found, wanted, own = torch.cov(result), torch.cov(photo), torch.cov(painting)
    off = (result.mean(dim=1) - photo.mean(dim=1)).abs().max()
    is_near = {
        name: (found - matrix).abs().max() < CLOSE * wanted.abs().max()
        for name, matrix in (("wanted", wanted), ("own", own))
    }
    if is_near["wanted"] and off < CLOSE:
        design = torch.cat([painting, torch.ones_like(painting[:1])]).T
        left = design @ torch.linalg.lstsq(design, result.T).solution - result.T
        if left.abs().max() > CLOSE:
            raise Wrong(
                tr(
                    "mean and covariance are the photo's, but equal colours of the painting have "
                    "become different ones: no linear map does that."
                )
            )
        return
    if is_near["wanted"]:
        raise Wrong(
            tr(
                "the covariance is the photo's, but a channel's mean is off by {off:.2f}. "
                "What is taken away at first, and what is added at the end?"
            ).format(off=float(off))
        )
    if is_near["own"]:
        raise Wrong(
            tr(
                "the covariance is still the painting's. Moving the mean makes no colour stronger "
                "or weaker."
            )
        )
    if (found.diag() - wanted.diag()).abs().max() < CLOSE * wanted.abs().max():
        raise Wrong(
            tr(
                "each channel varies as much as the photo's, but the channels do not vary together "
                "as they do there: red and blue have the covariance {found:.3f}, in "
                "the photo {wanted:.3f}. A 3 × 3 matrix has to mix them."
            ).format(found=float(found[0, 2]), wanted=float(wanted[0, 2]))
        )
    if (result.min(), result.max()) == (0, 1):
        raise Wrong(
            tr("values were cut off to 0…1, and that changes mean and covariance. Do not yet.")
        )
    raise Wrong(
        tr(
            "the covariance is not the photo's: red varies by {found:.3f}, in the photo "
            "by {wanted:.3f}. Which of the two pictures does the matrix undo first?"
        ).format(found=float(found[0, 0]), wanted=float(wanted[0, 0]))
    )


def _colours(picture: Tensor) -> Tensor:
    """[3, M] of [1, 3, H, W]."""
    return picture[0].flatten(start_dim=1).float()
