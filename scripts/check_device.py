"""What a graphics card brings, and whether it computes what the processor does.

    python scripts/check_device.py [--device cuda]

Compares the numerical core, a short transfer and a small batch on the card with the processor's,
measures seconds per evaluation and peak memory at three sizes, and prints one table. It takes less
than five minutes and needs nothing but the package with its weights; the batch needs Dask, and is
left out without it. Exit code 1 means that a difference was larger than allowed.

`--device cpu --side 64 --sizes 64` tries the script where there is no card.
"""

import argparse
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import torch
from torch import Tensor

import stlib
from stlib import VGG, Objective, gram_matrix, sample, style_transfer
from stlib.brushes import as_brushes
from stlib.cost import seconds_per_pixel
from stlib.devices import device_names, find_device
from stlib.settings import CONTENT_LAYERS, STYLE_LAYERS, Settings

PAIR = ("castle", "cafe-terrace")
PHOTOS = ("castle", "cat", "astronaut")  # of the batch
LAYERS = [*STYLE_LAYERS, *CONTENT_LAYERS]
SIDE, SIZES = 256, (512, 1024, 2048)  # pixels
STEPS = 20  # evaluations of the short transfer; small differences grow from one to the next
# Relative differences that are allowed. Cards convolve with numbers of 10 binary digits after the
# point (TF32) unless told otherwise, so that one operation may be off by a thousandth.
ALLOWED = {"features": 0.01, "grams": 0.01, "loss": 0.01, "gradient": 0.03, "painted": 0.05}
PIXELS = 0.03  # mean difference of two paintings, of the range 0…1


class Row(NamedTuple):
    """A line of the table; `allowed` is None where nothing is compared."""

    what: str
    device: str
    processor: str = ""
    difference: float | None = None
    allowed: float | None = None

    @property
    def fails(self) -> bool:
        """Whether the difference is larger than allowed; one that is no number is."""
        return self.allowed is not None and not self.difference <= self.allowed

    def texts(self) -> list[str]:
        """What stands in its columns."""
        difference = "" if self.difference is None else f"{self.difference:.1e}"
        allowed = "" if self.allowed is None else f"{self.allowed:g}"
        verdict = "" if self.allowed is None else "TOO FAR" if self.fails else "ok"
        return [self.what, self.device, self.processor, difference, allowed, verdict]


def table(rows: list[Row], device: str) -> str:
    """The rows below their heading, in columns."""
    heading = ["", device, "processor", "difference", "allowed", ""]
    texts = [heading, *(row.texts() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = (
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True))
        for line in texts
    )
    return "\n".join(line.rstrip() for line in lines)


def apart(found: Tensor, expected: Tensor) -> float:
    """‖found − expected‖ / ‖expected‖."""
    found, expected = found.detach().cpu().double(), expected.detach().cpu().double()
    return float((found - expected).norm() / expected.norm())


def core(card: VGG, processor: VGG, side: int) -> Iterator[Row]:
    """Features, Gram matrices, the total loss and its gradient, of one picture."""
    content, style = (sample(name, side) for name in PAIR)
    features = [net.features(content, LAYERS) for net in (card, processor)]
    worst = max(apart(features[0][layer], features[1][layer]) for layer in LAYERS)
    yield Row(f"features of {len(LAYERS)} layers", "", "", worst, ALLOWED["features"])
    grams = [{layer: gram_matrix(F[layer]) for layer in STYLE_LAYERS} for F in features]
    worst = max(apart(grams[0][layer], grams[1][layer]) for layer in STYLE_LAYERS)
    yield Row("Gram matrices", "", "", worst, ALLOWED["grams"])
    losses, gradients = [], []
    for net in (card, processor):
        x = content.to(net.device, copy=True).requires_grad_()
        total, _terms = Objective(net, content, style, Settings().complete())(x)
        total.backward()
        losses.append(total)
        gradients.append(x.grad)
    told = [f"{float(loss.detach()):.6g}" for loss in losses]
    yield Row("total loss", *told, apart(*losses), ALLOWED["loss"])
    yield Row("its gradient", "", "", apart(*gradients), ALLOWED["gradient"])


def transfer(card: VGG, processor: VGG, side: int) -> Iterator[Row]:
    """A short run on both, and whether the card paints the same picture again."""
    content, style = (sample(name, side) for name in PAIR)
    results = [
        style_transfer(content, style, net=net, steps=STEPS, progress=False)
        for net in (card, processor, card)
    ]
    lowest = [min(losses["total"] for losses in result.history) for result in results]
    what = f"loss after {STEPS} evaluations"
    difference = abs(lowest[0] / lowest[1] - 1)
    told = [f"{loss:.6g}" for loss in lowest[:2]]
    yield Row(what, *told, difference, ALLOWED["painted"])
    seconds = [f"{result.history[-1]['seconds']:.1f} s" for result in results[:2]]
    yield Row("its picture", *seconds, mean_difference(results[0].image, results[1].image), PIXELS)
    again = mean_difference(results[0].image, results[2].image)
    yield Row("the same call again", "the same" if again == 0 else "another picture", "", again)


def mean_difference(one: Tensor, other: Tensor) -> float:
    """Of the values of two pictures."""
    return float((one - other).abs().mean())


def batch(card: VGG, processor: VGG, side: int) -> Iterator[Row]:
    """Three pictures, painted by the workers of a cluster on the card."""
    try:
        from stlib.batch import Job, Network, run
    except stlib.MissingExtraError as error:
        yield Row("batch", f"left out: {error}")
        return
    with tempfile.TemporaryDirectory() as folder:
        jobs = [
            Job(
                content=photo,
                style=PAIR[1],
                output=str(Path(folder, f"{photo}.png")),
                size=side,
                settings=Settings(steps=STEPS),
                network=Network(device=str(card.device)),
            )
            for photo in PHOTOS
        ]
        report = run(jobs, progress=False)
        painted = {job.content: stlib.load_image(job.output, None)
                   for job in jobs if Path(job.output).is_file()}  # fmt: skip
    told = f"{len(painted)} of {len(jobs)} pictures"
    if len(painted) < len(jobs):
        print(report, file=sys.stderr)
        yield Row("batch", told, "", float("nan"), PIXELS)
        return
    style = sample(PAIR[1], side)
    worst = 0.0
    for photo, picture in painted.items():
        expected = style_transfer(
            sample(photo, side), style, net=processor, steps=STEPS, progress=False
        )
        worst = max(worst, mean_difference(picture, expected.image))
    yield Row("batch, its worst picture", told, "", worst, PIXELS)


def speed(card: VGG, processor: VGG, sizes: list[int]) -> Iterator[Row]:
    """Seconds per evaluation and peak memory; on the processor at the first size only."""
    brushes = as_brushes(sample(PAIR[1]))
    for number, side in enumerate(sizes):
        reset_peak(card.device)
        try:
            seconds = side**2 * seconds_per_pixel(card, side, brushes, Settings())
            told = f"{seconds:.3f} s, {peak(card.device) / 1e9:.2f} GB"
        except (MemoryError, RuntimeError) as error:  # a card says so that its memory is full
            told = f"failed: {str(error).splitlines()[0][:60]}"
        beside = ""
        if number == 0:
            beside = f"{side**2 * seconds_per_pixel(processor, side, brushes, Settings()):.3f} s"
        yield Row(f"evaluation at {side} px", told, beside)


def reset_peak(device: torch.device) -> None:
    """Begin to measure anew, where that can be done."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak(device: torch.device) -> int:
    """The most bytes taken since `reset_peak`; where only that can be told, those taken now."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    return psutil.Process().memory_info().rss


def chosen(name: str | None) -> torch.device:
    """The device of this name, or the first that is no processor.

    Raises DeviceError when there is none.
    """
    if name:
        return find_device(name)
    cards = [there for there in device_names() if there != "cpu"]
    if not cards:
        raise stlib.DeviceError(
            "this machine has no graphics card that PyTorch can use, so there is nothing to check."
        )
    return find_device(cards[0])


def described(device: torch.device) -> str:
    """The device's own name, and PyTorch's version."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return f"{device} ({name}), PyTorch {torch.__version__}, stlib {stlib.__version__}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--device", type=str.lower, help="cuda, cuda:1, mps or cpu (default: the first card)")
    add("--side", type=int, default=SIDE, help=f"of what is compared, in pixels ({SIDE})")
    add("--sizes", type=int, nargs="+", default=SIZES, help=f"that are timed, in pixels {SIZES}")
    options = parser.parse_args()
    try:
        device = chosen(options.device)
    except (stlib.DeviceError, ValueError) as error:
        print(f"check_device: {error}", file=sys.stderr)
        return 2
    print(described(device), flush=True)
    card, processor = VGG(device=device), VGG(device="cpu")
    rows = [
        *core(card, processor, options.side),
        *transfer(card, processor, options.side),
        *batch(card, processor, options.side),
        *speed(card, processor, options.sizes),
    ]
    print(table(rows, str(device)))
    return int(any(row.fails for row in rows))


if __name__ == "__main__":
    sys.exit(main())
