"""Any mode, depth, colour profile, transparency and orientation → plain 8-bit sRGB, in strips."""

import io
from collections.abc import Iterator

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps

STRIP = 2**20  # pixels that are converted at once
# up to which floats are of 0…1: highlights and sharpening go beyond 1, and a picture of 0…255 that
# stays below would be black
OVERSHOOT = 10


def to_upright_srgb(image: Image.Image, factor: int = 1, paper: str = "white") -> Image.Image:
    """The picture upright, as 8-bit sRGB, reduced by a factor.

    factor: the side, in pixels, of the square that becomes one pixel.
    paper: "white" or "black", what shows where the picture is transparent.

    The picture itself is left as it was, and no other of its size is made on the way if the factor
    is not 1.
    """
    white = _white(image)
    upright = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    for top, strip in _strips(image, factor):
        opaque = _without_alpha(_eight_bit(strip, white, paper), paper)
        strip = _to_srgb(opaque, image.info.get("icc_profile"))
        upright.paste(strip.reduce(factor), (0, top // factor))
    upright.getexif()[ExifTags.Base.Orientation] = image.getexif().get(ExifTags.Base.Orientation, 1)
    ImageOps.exif_transpose(upright, in_place=True)
    return upright


def _strips(image: Image.Image, factor: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """Yield (first row, strip): about `STRIP` pixels each, the height a multiple of the factor."""
    rows = factor * max(1, STRIP // (factor * image.width))
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _without_alpha(image: Image.Image, paper: str) -> Image.Image:
    """Lay a picture with transparent parts on paper; others pass through."""
    if not image.has_transparency_data:
        return image
    rgba = image.convert("RGBA")
    below = Image.new("RGBA", rgba.size, paper)
    return Image.alpha_composite(below, rgba).convert("RGB")


def _white(image: Image.Image) -> float:
    """The value of white in a picture of more than 8 bits."""
    if image.mode.startswith("F"):  # 0…1, 0…255 or 0…65535 by habit
        return float_white(largest(image)) or 255.0
    # 16-bit files arrive as I;16 or, from some decoders, as I; arrays of levels arrive as I, too
    return 255.0 if image.mode == "I" and largest(image) <= 255 else 65535.0


def float_white(most: float) -> float | None:
    """What white is where the largest of the floats is `most`; None where that cannot be told."""
    if most <= OVERSHOOT:
        return 1.0
    if most <= 2 * 255:
        return 255.0
    return 65535.0 if 65535 / 4 <= most <= 2 * 65535 else None


def largest(image: Image.Image) -> float:
    """The largest finite value of a picture of numbers, at least 0."""
    values = (np.asarray(strip) for _, strip in _strips(image))
    return max(float(np.max(part, initial=0, where=np.isfinite(part))) for part in values)


def share_outside(image: Image.Image) -> float:
    """The share of a picture of numbers that is below black, above white or not finite."""
    white = _white(image)
    parts = (np.asarray(strip) for _, strip in _strips(image))
    inside = sum(np.count_nonzero((part >= 0) & (part <= white)) for part in parts)
    return 1 - inside / (image.width * image.height)


def is_invisible(image: Image.Image) -> bool:
    """Whether a picture is transparent everywhere."""
    if image.mode == "P" and image.palette is None:  # a broken file, of which Pillow cannot tell
        return False
    if not image.has_transparency_data or image.mode.startswith(("I", "F")):
        return False
    alphas = (strip.convert("RGBA").getchannel("A") for _, strip in _strips(image))
    return all(alpha.getbbox() is None for alpha in alphas)


def _eight_bit(image: Image.Image, white: float, paper: str) -> Image.Image:
    """Scale modes of more than 8 bits to 8; Pillow's own `convert` would clip them to white."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.array(image, dtype=np.float32)
    # the one transparent grey that a 16-bit PNG may name
    values[values == image.info.get("transparency")] = white if paper == "white" else 0
    return Image.fromarray(
        np.round(np.nan_to_num(values / white).clip(0, 1) * 255).astype(np.uint8)
    )


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB in the sRGB space; a profile that does not fit the picture is ignored, as viewers do."""
    if image.mode == "P":
        image = image.convert("RGB")  # the profile is that of the colours in the palette
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            converted = None
        if converted is not None:
            return converted
    return image.convert("RGB")
