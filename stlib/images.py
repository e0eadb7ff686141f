"""Pictures in and out: a path, bytes, a file object or a PIL image ↔ one tensor [1, 3, H, W], RGB, float32 in [0, 1]."""

import io
import os
import stat
import uuid
import warnings
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from torch import Tensor

SMALLEST_SIDE = 32  # pixels; below it relu5_1 has at most two positions a side and a Gram matrix says nothing
MOST_PIXELS = 100_000_000  # a decoded RGB picture of this size takes 400 MB

_SAMPLES = files("stlib") / "samples"


class ImageError(ValueError):
    """A picture that cannot be read or written: which one, why, and what to do about it."""


def load_image(source, size: int | None = 256, *, enlarge: bool = False) -> Tensor:
    """Read a picture as a tensor [1, 3, H, W], RGB, float32 in [0, 1].

    source: a path, the bytes of a file, a binary file object, or a PIL image (left as it was).
    size: the longer side in pixels; smaller pictures stay as they are unless `enlarge` is true. None keeps every pixel.

    Turned upright by its EXIF orientation, converted to sRGB, laid on white where it is transparent; of an
    animation, the first frame.
    Raises ImageError when there is no picture to be had, or one with a side under 32 pixels; ValueError for a bad size.
    """
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < SMALLEST_SIDE):
        raise ValueError(f"size is {size!r}: give the longer side as a whole number of pixels, {SMALLEST_SIDE} or more.")
    if isinstance(source, Image.Image):
        return _to_tensor(_decode(source.copy(), "the PIL image", size), "the PIL image", size, enlarge)
    name, data = _read(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own warnings; what matters in them is checked and told here
        try:
            image = Image.open(io.BytesIO(data))
        except Image.DecompressionBombError:
            raise ImageError(_too_many_pixels(name)) from None
        except UnidentifiedImageError:
            raise ImageError(f"{name} is not a picture in a format that Pillow knows. "
                             "Open it in an image viewer and export it as PNG or JPEG.") from None
        except Exception as error:  # a hostile header can make a decoder raise anything
            raise ImageError(_damaged(name, error)) from None
        if size is not None:
            image.draft(None, (2 * size, 2 * size))  # JPEG alone: decode a large photo at 1/2, 1/4 or 1/8 of its size
        return _to_tensor(_decode(image, name, size, len(data)), name, size, enlarge)


def to_pil(image: Tensor) -> Image.Image:
    """Turn a tensor [1, 3, H, W] or [3, H, W], RGB in [0, 1], into an 8-bit PIL image; values outside are clamped.

    Raises ValueError for another shape or for values that are not finite.
    """
    pixels = image.detach()
    if pixels.ndim == 4 and pixels.shape[0] == 1:
        pixels = pixels[0]
    if pixels.ndim != 3 or pixels.shape[0] != 3:
        raise ValueError(f"a picture has the shape [1, 3, H, W] or [3, H, W], this tensor has {list(image.shape)}.")
    if not torch.isfinite(pixels).all():
        raise ValueError("the picture holds values that are not finite (nan or inf); there is nothing sensible to show.")
    levels = (pixels.clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).contiguous().cpu().numpy())


def check_output_path(path) -> Path:
    """The path as `save_image` will use it, or an ImageError if it could not be written there; writes nothing.

    Worth calling before a long run, so that a typing error costs a second and not the picture.
    """
    path = Path(path)
    if path.is_dir():
        raise ImageError(f"{path} is a folder: add a file name, for example {path / 'picture.png'}.")
    Image.init()
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
        reason = f"its suffix {path.suffix!r} names no format" if path.suffix else "it has no suffix"
        raise ImageError(f"{path} cannot be saved: {reason} that Pillow writes. Use .png, .jpg or .webp.")
    target = Path(os.path.realpath(path))  # a symbolic link stays one: what it points to is replaced
    if not target.parent.is_dir():
        raise ImageError(f"{path} cannot be saved: there is no folder {target.parent}. Create it first.")
    if not os.access(target.parent, os.W_OK):
        raise ImageError(f"{path} cannot be saved: the folder {target.parent} may not be written to. Choose another one.")
    return target


def save_image(image, path, quality: int = 95) -> Path:
    """Write a tensor [1, 3, H, W] in [0, 1], or a PIL image, to `path`; the suffix names the format.

    Atomic: the new file takes the place of an old one in a single step, once it is complete on the disk. Whatever
    fails before that leaves the old file whole. `quality` (1 to 100) is for JPEG and WebP.
    Raises ImageError for an unknown suffix, before any work, and when the file cannot be written.
    """
    target = check_output_path(path)
    picture = image if isinstance(image, Image.Image) else to_pil(image)
    file_format = Image.registered_extensions()[target.suffix.lower()]
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with open(part, "xb") as file:
            picture.save(file, format=file_format, quality=quality)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} could not be saved: {error}.") from error
    finally:
        part.unlink(missing_ok=True)
    return Path(path)


def sample_names() -> list[str]:
    """The names of the pictures that come with the course, in alphabetical order (authors: samples/CREDITS.md)."""
    return sorted(entry.name.removesuffix(".jpg") for entry in _SAMPLES.iterdir() if entry.name.endswith(".jpg"))


def sample(name: str, size: int | None = 256) -> Tensor:
    """Load one of the course's own pictures, for example `sample("castle")`; see `load_image` and `sample_names`.

    Raises ImageError for an unknown name.
    """
    if name not in sample_names():
        raise ImageError(f"there is no sample called {name!r}. The samples are {', '.join(sample_names())}; "
                         "use load_image for a picture of your own.")
    return load_image((_SAMPLES / f"{name}.jpg").read_bytes(), size)


def _read(source) -> tuple[str, bytes]:
    """The name to use in messages and the bytes of a path, bytes or file object."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        name, data = "the bytes", bytes(source)
    elif isinstance(source, (str, os.PathLike)):
        name, data = Path(source).name or str(source), _read_file(Path(source))
    elif hasattr(source, "read"):
        name, data = Path(str(getattr(source, "name", "the file object"))).name, source.read()
        if isinstance(data, str):
            raise ImageError(f"{name} is open as text: open it with open(path, 'rb').")
    else:
        raise ImageError(f"a picture comes from a path, bytes, a file object or a PIL image, not from a {type(source).__name__}.")
    if not data:
        raise ImageError(f"{name} is empty (0 bytes). Copy or download it again.")
    return name, data


def _read_file(path: Path) -> bytes:
    """The contents of a regular file; what is anything else is refused before it is opened."""
    if str(path).startswith(("http:", "https:")):
        raise ImageError(f"{path} is a web address: download the picture and give the path of the file.")
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ImageError(f"{path} is a folder: give the path of one picture in it.")
        if not stat.S_ISREG(mode):
            raise ImageError(f"{path} is not a regular file but a device or a pipe: give the path of a picture.")
        return path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"there is no file {path} (looked in {Path.cwd()}). Check the spelling and the folder.") from None
    except PermissionError:
        raise ImageError(f"{path} may not be read: change its permissions or copy it to a folder of yours.") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise ImageError(f"{str(path)!r} cannot be read: {error}.") from None


def _decode(image: Image.Image, name: str, size: int | None, file_size: int | None = None) -> Image.Image:
    """Upright 8-bit sRGB, with transparency laid on white."""
    if image.width * image.height > MOST_PIXELS:
        raise ImageError(_too_many_pixels(name, image.size))
    try:
        image.load()
        profile = image.info.get("icc_profile")
        image = ImageOps.exif_transpose(image)
        image = _without_alpha(image)
        image = _eight_bit(image)
        return _to_srgb(image, profile)
    except Exception as error:  # decoders and EXIF parsers raise many types when the data are damaged
        if file_size is not None and _ends_early(error):
            raise ImageError(f"{name} ends after {_kilobytes(file_size)}, in the middle of the picture: "
                             "the file is truncated. Copy or download it again.") from None
        raise ImageError(_damaged(name, error)) from None


def _without_alpha(image: Image.Image) -> Image.Image:
    """Lay a picture with transparent parts on white; others pass through."""
    if not image.has_transparency_data:
        return image
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale modes of more than 8 bits to 8; Pillow's own `convert` would clip them to white."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image, dtype=np.float64)
    # 16-bit files arrive as I;16 or, from some decoders, as I; floating-point files hold 0…1 or 0…255 by habit
    white = 65535.0 if image.mode.startswith("I") else (1.0 if np.nanmax(values) <= 1 else 255.0)
    return Image.fromarray(np.round(np.nan_to_num(values / white).clip(0, 1) * 255).astype(np.uint8))


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB in the sRGB space; a profile that does not fit the picture is ignored, as viewers do."""
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            pass
    return image.convert("RGB")


def _to_tensor(image: Image.Image, name: str, size: int | None, enlarge: bool) -> Tensor:
    if min(image.size) < SMALLEST_SIDE:
        raise ImageError(f"{name} is {image.width} × {image.height} pixels: "
                         f"each side must have at least {SMALLEST_SIDE}. Use a larger picture.")
    longer, shorter = max(image.size), min(image.size)
    if size is not None and (longer > size or (enlarge and longer < size)):
        if round(shorter * size / longer) < SMALLEST_SIDE:
            raise ImageError(f"{name} at size={size} would be only {round(shorter * size / longer)} pixels on its shorter side: "
                             f"ask for size={-(-SMALLEST_SIDE * longer // shorter)} or more, or crop it.")
        new_size = tuple(round(side * size / longer) for side in image.size)
        image = image.resize(new_size, Image.Resampling.LANCZOS)
    pixels = torch.from_numpy(np.array(image))  # [H, W, 3], uint8
    return (pixels.permute(2, 0, 1)[None].float() / 255).contiguous()


def _ends_early(error: Exception) -> bool:
    return isinstance(error, EOFError) or "truncated" in str(error).lower() or "not enough" in str(error).lower()


def _damaged(name: str, error: Exception) -> str:
    return f"{name} is damaged and cannot be decoded ({str(error) or type(error).__name__}). Copy or download it again."


def _too_many_pixels(name: str, size: tuple[int, int] | None = None) -> str:
    shape = f"is {size[0]} × {size[1]} pixels" if size else "claims to have an enormous number of pixels"
    return (f"{name} {shape}, more than the {MOST_PIXELS // 10**6} million that stlib opens: "
            "it may be a decompression bomb. If you trust it, shrink it in an image editor first.")


def _kilobytes(size: int) -> str:
    return f"{size} bytes" if size < 2000 else f"{size / 1000:.0f} kB"
