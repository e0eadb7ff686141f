"""Does the size of the painting set the size of the strokes?

The default call at 384 px with the painting at four sizes. Every result is judged by its style loss
against the painting at each of them. If the size did not matter, one of the four would be nearest
to all results; if it does, each is nearest to its own. The photo is judged, too. Beside it a ruler
without a network: the middle wavelength of a picture's contrast, which should grow with a painting.
"""

import torch
from torch import Tensor

from experiments.bench import Case, Measured
from experiments.pairs import PAIRS, judged
from stlib import VGG, sample, style_transfer
from stlib.solver import frequencies

FINEST = 0.25  # cycles per pixel; finer waves are grain
SIZES = (125, 250, 375, 500)  # of the painting's longer side; the café has no more pixels
SMALL = {"pair": PAIRS[0], "size": 64, "style_size": 125, "steps": 8}
CASES = [
    {"pair": name, "size": 384, "style_size": style_size, "steps": 100}
    for name in PAIRS
    for style_size in SIZES
]


def measure(case: Case) -> Measured:
    """L_content as a mean square, L_style against each painting, and wavelengths in pixels."""
    photo, painting = case["pair"].split(" × ")
    content, style = sample(photo, case["size"]), sample(painting, case["style_size"])
    net = VGG()
    result = style_transfer(
        content,
        style,
        net=net,
        steps=case["steps"],
        progress=False,
    ).image
    against = {
        str(size): {
            name: judged(net, content, sample(painting, size), picture)
            for name, picture in (("result", result), ("photo", content))
        }
        for size in SIZES
    }
    numbers = {
        "content": against[str(SIZES[0])]["result"]["content"],
        "style": {
            name: {size: losses[name]["style"] for size, losses in against.items()}
            for name in ("result", "photo")
        },
        "wavelength": {
            "photo": middle_wavelength(content),
            "painting": middle_wavelength(style),
            "result": middle_wavelength(result),
        },
    }
    return Measured(numbers, {"result": result})


def middle_wavelength(picture: Tensor) -> float:
    """The length of the wave, in pixels, in which half of a picture's contrast lies.

    picture: [1, 3, H, W]. Contrast is the power of brightness times the squared frequency.
    """
    brightness = picture.mean(dim=1)[0]
    height, width = brightness.shape
    window = torch.hann_window(height)[:, None] * torch.hann_window(width)
    spectrum = torch.fft.rfft2((brightness - brightness.mean()) * window).abs().square()
    f = frequencies(height, width)
    seen = f < FINEST
    f, contrast = f[seen], (spectrum * f.square())[seen]
    f, order = f.sort()
    sums = contrast[order].cumsum(0)
    return float(1 / f[torch.searchsorted(sums, sums[-1] / 2)])
