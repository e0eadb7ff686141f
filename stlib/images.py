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

_BEGINNINGS = (b"\x89PNG", b"\xff\xd8", b"GIF8")  # of PNG, JPEG and GIF files
_NOT_RGB = {"BLP", "BUFR", "GRIB", "HDF5", "MSP", "PALM", "WMF", "XBM"}  # Pillow saves these only in other modes or with plug-ins
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
        return _to_tensor(_decode(source, "the PIL image", size), "the PIL image", size, enlarge)
    name, data = _read(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own warnings; what matters in them is checked and told here
        try:
            image = Image.open(io.BytesIO(data))
        except Image.DecompressionBombError:
            raise ImageError(_too_many_pixels(name)) from None
        except UnidentifiedImageError:
            if data.startswith(_BEGINNINGS):
                raise ImageError(_damaged(name, "its header is incomplete or wrong")) from None
            raise ImageError(f"{name} is not a picture in a format that Pillow knows. "
                             "Open it in an image viewer and export it as PNG or JPEG.") from None
        except Exception as error:  # a hostile header can make a decoder raise anything
            raise ImageError(_undecodable(name, error, len(data))) from None
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
    try:
        is_folder, target = path.is_dir(), Path(os.path.realpath(path))  # a symbolic link stays one: its target is replaced
    except (OSError, ValueError) as error:  # a name too long or with a null character
        raise ImageError(f"{_shortened(path)} cannot be saved: {_reason(error)}. Choose another name.") from None
    if is_folder:
        raise ImageError(f"{path} is a folder: add a file name, for example {path / 'picture.png'}.")
    Image.init()
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE.keys() - _NOT_RGB:
        reason = f"its suffix {path.suffix!r} names no format" if path.suffix else "it has no suffix"
        raise ImageError(f"{path} cannot be saved: {reason} that Pillow writes. Use .png, .jpg or .webp.")
    if target.exists() and not target.is_file():
        raise ImageError(f"{path} leads to a device or a pipe, not to a regular file: choose another path.")
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
    file_format = Image.registered_extensions()[Path(path).suffix.lower()]
    options = {} if file_format == "TIFF" else {"quality": quality}  # a losslessly compressed TIFF refuses it
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with open(part, "xb") as file:
            picture.save(file, format=file_format, **options)
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
        name, data = "the bytes object", bytes(source)
    elif isinstance(source, (str, os.PathLike)):
        name, data = Path(source).name or str(source), _read_file(source)
    elif hasattr(source, "read"):
        name = Path(str(getattr(source, "name", "the file object"))).name
        data = _read_stream(source, name)
    else:
        raise ImageError(f"a picture comes from a path, bytes, a file object or a PIL image, not from a {type(source).__name__}.")
    if not data:
        raise ImageError(f"{name} is empty (0 bytes). Copy or download it again.")
    return name, data


def _read_stream(file, name: str) -> bytes:
    """What is left to read in a binary file object."""
    try:
        data = "" if isinstance(file, io.TextIOBase) else file.read()
    except (OSError, ValueError) as error:
        raise ImageError(f"{name} cannot be read ({_reason(error)}): it may be closed, or open for writing. "
                         "Open it with open(path, 'rb').") from None
    if isinstance(data, str):
        raise ImageError(f"{name} is open as text: open it with open(path, 'rb').")
    if not data:
        raise ImageError(f"{name} has nothing left to read: it is empty (0 bytes) or was read before. "
                         "Call its seek(0) first, or copy or download it again.")
    return data


def _read_file(source) -> bytes:
    """The contents of a regular file; what is anything else is refused before it is opened."""
    path = Path(source)
    if str(source).lower().startswith(("http:", "https:", "ftp:")):
        raise ImageError(f"{source} is a web address: download the picture and give the path of the file.")
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
    except ImageError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise ImageError(f"{_shortened(path)} cannot be read: {_reason(error)}. Check the name and the folder.") from None


def _decode(image: Image.Image, name: str, size: int | None, file_size: int | None = None) -> Image.Image:
    """Upright 8-bit sRGB, with transparency laid on white."""
    if image.width * image.height > MOST_PIXELS:
        raise ImageError(_too_many_pixels(name, image.size))
    try:
        image.load()
        profile = image.info.get("icc_profile")
        image = ImageOps.exif_transpose(image)
        image = _eight_bit(image)
        image = _without_alpha(image)
        return _to_srgb(image, profile)
    except Exception as error:  # decoders and EXIF parsers raise many types when the data are damaged
        raise ImageError(_undecodable(name, error, file_size)) from None


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
    values[values == image.info.get("transparency")] = white  # the one transparent grey that a 16-bit PNG may name
    return Image.fromarray(np.round(np.nan_to_num(values / white).clip(0, 1) * 255).astype(np.uint8))


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB in the sRGB space; a profile that does not fit the picture is ignored, as viewers do."""
    if image.mode == "P":
        image = image.convert("RGB")  # the profile is that of the colours in the palette
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


def _undecodable(name: str, error: Exception, file_size: int | None) -> str:
    reason = str(error) or type(error).__name__
    ends_early = isinstance(error, EOFError) or any(word in reason.lower() for word in ("truncated", "not enough"))
    if file_size is not None and ends_early:
        return (f"{name} ends after {_kilobytes(file_size)}, in the middle of the picture: "
                "the file is truncated. Copy or download it again.")
    return _damaged(name, reason)


def _damaged(name: str, reason: str) -> str:
    return f"{name} is damaged and cannot be decoded ({reason}). Copy or download it again."


def _too_many_pixels(name: str, size: tuple[int, int] | None = None) -> str:
    shape = f"is {size[0]} × {size[1]} pixels" if size else "claims to have an enormous number of pixels"
    return (f"{name} {shape}, more than the {MOST_PIXELS // 10**6} million that stlib opens: "
            "it may be a decompression bomb. If you trust it, shrink it in an image editor first.")


def _kilobytes(size: int) -> str:
    return f"{size} bytes" if size < 2000 else f"{size / 1000:.0f} kB"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _shortened(path: Path) -> str:
    return repr(str(path) if len(str(path)) <= 100 else f"{str(path)[:100]}…")
