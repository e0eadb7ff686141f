"""Any mode, depth, colour profile, transparency and orientation → plain 8-bit sRGB, in strips."""

import io
from collections.abc import Iterator

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps

STRIP = 2**20  # pixels that are converted at once


def to_upright_srgb(image: Image.Image, factor: int = 1) -> Image.Image:
    """The picture upright, as 8-bit sRGB on white, reduced by a factor.

    factor: the side, in pixels, of the square that becomes one pixel.

    The picture itself is left as it was, and no other of its size is made on the way if the factor
    is not 1.
    """
    white = _white(image)
    upright = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    for top, strip in _strips(image, factor):
        strip = _to_srgb(_without_alpha(_eight_bit(strip, white)), image.info.get("icc_profile"))
        upright.paste(strip.reduce(factor), (0, top // factor))
    upright.getexif()[ExifTags.Base.Orientation] = image.getexif().get(ExifTags.Base.Orientation, 1)
    ImageOps.exif_transpose(upright, in_place=True)
    return upright


def _strips(image: Image.Image, factor: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """Yield (first row, strip): about `STRIP` pixels each, the height a multiple of the factor."""
    rows = factor * max(1, STRIP // (factor * image.width))
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _without_alpha(image: Image.Image) -> Image.Image:
    """Lay a picture with transparent parts on white; others pass through."""
    if not image.has_transparency_data:
        return image
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB")


def _white(image: Image.Image) -> float:
    """The value of white in a picture of more than 8 bits."""
    if not image.mode.startswith("F"):
        return 65535.0  # 16-bit files arrive as I;16 or, from some decoders, as I
    # floating-point files hold 0…1 or 0…255 by habit; fmax knows that nan is not the largest
    return (
        1.0
        if max(np.fmax.reduce(np.asarray(strip), axis=None) for _, strip in _strips(image)) <= 1
        else 255.0
    )


def _eight_bit(image: Image.Image, white: float) -> Image.Image:
    """Scale modes of more than 8 bits to 8; Pillow's own `convert` would clip them to white."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.array(image, dtype=np.float32)
    # the one transparent grey that a 16-bit PNG may name
    values[values == image.info.get("transparency")] = white
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
