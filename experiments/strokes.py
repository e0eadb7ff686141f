"""Does the size of the painting set the size of the strokes?

The default call at 384 px with the painting at four sizes. The ruler is the length of a wave of
brightness in which half of a picture's contrast lies, counted as the power of its differences from
pixel to pixel, without grain: only waves below a quarter of a cycle per pixel count. A result that
followed its photo instead would have the same number for every size of the painting.
"""

import torch
from torch import Tensor

from experiments.bench import Case, Measured
from experiments.pairs import PAIRS, judged
from stlib import VGG, sample, style_transfer
from stlib.solver import frequencies

FINEST = 0.25  # cycles per pixel
SMALL = {"pair": PAIRS[0], "size": 64, "style_size": 96, "steps": 8}
CASES = [
    {"pair": name, "size": 384, "style_size": style_size, "steps": 100}
    for name in PAIRS
    for style_size in (125, 250, 375, 500)
]


def measure(case: Case) -> Measured:
    """Wavelengths of the photo, the painting and the result, in pixels, and the losses."""
    photo, painting = case["pair"].split(" × ")
    content, style = sample(photo, case["size"]), sample(painting, case["style_size"])
    net = VGG()
    result = style_transfer(content, style, net=net, steps=case["steps"], progress=False).image
    pictures = {"photo": content, "painting": style, "result": result}
    numbers = {
        "wavelength": {name: middle_wavelength(picture) for name, picture in pictures.items()},
        **judged(net, content, style, result),
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
