"""Pictures in and out: files and PIL images ↔ tensors [1, 3, H, W], RGB, float32 in [0, 1]."""

import codecs
import io
import os
import stat
import warnings
from importlib.resources import files
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from stlib import _files
from stlib._language import tr
from stlib._srgb import (
    OVERSHOOT,
    float_white,
    is_invisible,
    largest,
    share_outside,
    to_upright_srgb,
)
from stlib.arguments import STRAYS, check_flag, check_tensor, check_whole_number, is_whole
from stlib.errors import ImageError, nearest, one_line, reason, shown
from stlib.layers import FLOATS, SMALLEST_SIDE

SIZE = 256  # pixels, of the longer side of a picture unless said otherwise
# of a file, and of a picture while it is decoded: 100 million pixels of RGB, at 4 bytes each
MOST_BYTES = 400_000_000
MOST_OUTSIDE = 0.9  # share of values that become black or white, from which on it is told
# pixels from which a picture is shrunk while it is converted, so that there never are two
LARGE = 2**24

# bytes that Pillow holds for each pixel at most while it decodes (measured), for some formats and
# for all others
_HELD = {
    None: 4,
    "PNG": 4,
    "JPEG": 4,
    "MPO": 4,
    "GIF": 4,
    "BMP": 4,
    "TIFF": 10,
    "WEBP": 16,
    "AVIF": 16,
}
_HELD_BY_OTHERS = 20  # as for JPEG 2000
# programs that draw, containers that hold other files of any size, what Pillow recognises but does
# not decode, and what it shows as a negative (XBM)
_NOT_OPENED = {"BUFR", "CUR", "EPS", "FITS", "FPX", "GRIB", "HDF5", "ICNS", "MIC", "MPEG", "WMF"}
_NOT_OPENED |= {"XBM"}
_ICON = b"\0\0\1\0"  # Pillow decodes an icon as soon as it opens it, whatever the size
_BEGINNINGS = (b"\x89PNG", b"\xff\xd8", b"GIF8")  # of PNG, JPEG and GIF files
_NOT_RGB = {
    "BLP",
    "BUFR",
    "GRIB",
    "HDF5",
    "MSP",
    "PALM",
    "WMF",
    "XBM",
}  # Pillow saves these only in other modes or with plug-ins
_PHOTOS = {"astronaut", "castle", "cat"}  # of the samples; the others are paintings
_SAMPLES = files("stlib") / "samples"
Source = str | os.PathLike | bytes | bytearray | memoryview | IO[bytes] | Image.Image


def load_image(source: Source, size: int | None = SIZE, *, enlarge: bool = False) -> Tensor:
    """Read a picture as a tensor [1, 3, H, W], RGB, float32 in [0, 1].

    source: a path, the bytes of a file, a binary file object, or a PIL image (left as it was).
    size: the longer side in pixels; smaller pictures stay as they are unless `enlarge` is true.
        None keeps every pixel.

    Turned upright by its EXIF orientation, converted to sRGB, laid on white where it is
    transparent; of an animation, the first frame. One of which nearly nothing can be seen is a
    RuntimeWarning.
    Raises ImageError when there is no picture in it, or one with a side under 32 pixels; ValueError
    for a bad size.
    """
    return as_tensor(load_pil(source, size, enlarge=enlarge))


def as_tensor(image: Image.Image) -> Tensor:
    """An 8-bit RGB PIL image as a tensor [1, 3, H, W], float32 in [0, 1]."""
    pixels = torch.from_numpy(np.array(image))  # [H, W, 3], uint8
    return (pixels.permute(2, 0, 1)[None].float() / 255).contiguous()


def check_size(size: object) -> None:
    """Raise a ValueError unless `size` is what `load_image` takes: 32 or more, or None."""
    if size is None:
        return
    if not is_whole(size) or size < SMALLEST_SIDE:  # type: ignore[operator]
        raise ValueError(
            tr(
                "size is {size}: give the longer side as a whole number of pixels, {smallest} or "
                "more."
            ).format(size=shown(size), smallest=SMALLEST_SIDE)
        )


def load_pil(
    source: Source, size: int | None = SIZE, *, enlarge: bool = False, paper: str = "white"
) -> Image.Image:
    """Read a picture as an 8-bit RGB PIL image; arguments and errors are those of `load_image`.

    paper: "white" or "black", what shows where the picture is transparent.
    """
    check_size(size)
    check_flag("enlarge", enlarge)
    if isinstance(source, Image.Image):
        name = tr("the PIL image")
        decoded = _decode(source, name, size, enlarge, paper)
        remark = _remark(name, source, paper)
    else:
        decoded, remark = _load_file(source, size, enlarge, paper)
    if remark:
        warnings.warn(remark, RuntimeWarning, stacklevel=2)
    return _resize(decoded, size, enlarge)


def _load_file(
    source: object, size: int | None, enlarge: bool, paper: str
) -> tuple[Image.Image, str | None]:
    """The decoded picture of what is no PIL image, and what is to be told of it."""
    name, file = _open(source)
    with file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's; what matters in them is checked here
        file_size = file.seek(0, os.SEEK_END)
        try:
            file.seek(0)
            beginning = file.read(4)
            if beginning == _ICON:
                raise ImageError(_not_opened(name, "ICO"))
            image = Image.open(file)
            if image.format in _NOT_OPENED:
                raise ImageError(_not_opened(name, image.format))
            # libjpeg holds every coefficient, however small the picture is decoded
            if image.info.get("progressive"):
                _check_pixels(name, image.size, MOST_BYTES // 8)
            if size is not None:  # of a JPEG, decode a large photo at 1/2, 1/4 or 1/8 of its size
                image.draft(None, (2 * size, 2 * size))
        except ImageError:
            raise
        except Image.DecompressionBombError:
            raise ImageError(
                _too_many_pixels(name, tr("claims to have an enormous number of pixels"))
            ) from None
        except UnidentifiedImageError:
            if beginning.startswith(_BEGINNINGS):
                raise ImageError(_damaged(name, tr("its header is incomplete or wrong"))) from None
            raise ImageError(
                tr("{name} is not a picture in a format that Pillow knows. {export}").format(
                    name=name, export=_export()
                )
            ) from None
        except Exception as error:  # a hostile header can make a decoder raise anything
            raise ImageError(_undecodable(name, error, file_size)) from None
        return _decode(image, name, size, enlarge, paper, file_size), _remark(name, image, paper)


def to_pil(image: Tensor) -> Image.Image:
    """Turn a tensor into an 8-bit PIL image.

    image: [1, 3, H, W] or [3, H, W], RGB: floats in [0, 1], of which those a little outside are
        clamped, or levels 0…255 as torch.uint8.

    Raises ValueError for what is no tensor, for another shape or type, for values that are not
    finite, and for those far outside the range, of which nothing would be seen.
    """
    check_tensor("image", image, lambda: tr("give one of the shape [1, 3, H, W]"))
    pixels = image.detach()
    if pixels.ndim == 4 and pixels.shape[0] == 1:
        pixels = pixels[0]
    if pixels.ndim != 3 or pixels.shape[0] != 3:
        raise ValueError(
            tr(
                "a picture has the shape [1, 3, H, W] or [3, H, W], this tensor has {shape}."
            ).format(shape=list(image.shape))
        )
    if 0 in pixels.shape:
        raise ValueError(
            tr("the picture has no pixels: its shape is {shape}.").format(shape=list(image.shape))
        )
    levels = pixels if pixels.dtype == torch.uint8 else _levels(pixels)
    return Image.fromarray(levels.permute(1, 2, 0).contiguous().cpu().numpy())


def _levels(pixels: Tensor) -> Tensor:
    """Floats of 0…1 as levels 0…255."""
    if pixels.dtype not in FLOATS:
        raise ValueError(
            tr(
                "the picture holds {dtype}: give floats in 0…1, or levels 0…255 as torch.uint8."
            ).format(dtype=pixels.dtype)
        )
    pixels = pixels.float()
    if not torch.isfinite(pixels).all():
        raise ValueError(
            tr(
                "the picture holds values that are not finite (nan or inf); there is nothing "
                "sensible to show."
            )
        )
    low, high = pixels.min().item(), pixels.max().item()
    # what is shown may have a few values far outside, as a run that is not clamped; a picture that
    # has no others would be black or white
    strays = ((pixels < -STRAYS) | (pixels > 1 + STRAYS)).float().mean()
    if low < -OVERSHOOT or high > OVERSHOOT or strays > 0.5:
        raise ValueError(
            tr(
                "the picture has values from {low:.3g} to {high:.3g}: they should lie in 0…1. "
                "Divide by 255?"
            ).format(low=low, high=high)
        )
    return (pixels.clamp(0, 1) * 255).round().to(torch.uint8)


def check_output_path(path: str | os.PathLike) -> Path:
    """The file that `save_image` will write for this path; writes nothing.

    Worth calling before a long run, so that a typing error costs a second and not the picture.
    Raises ImageError when it could not be written there.
    """
    target = check_place(path)
    check_suffix(path)
    return target


def check_place(path: str | os.PathLike) -> Path:
    """The file that writing to this path creates or replaces, whatever its suffix.

    Raises ImageError when nothing could be written there.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ImageError(
            tr("path is a {name}: give the path of a file to write.").format(
                name=type(path).__name__
            )
        )
    if not str(path):
        raise ImageError(
            tr("the name to save the picture under is empty: give one, as picture.png.")
        )
    path = _files.expanded(path)
    try:
        return _files.writable(path, "picture.png")
    except ValueError as error:
        raise ImageError(
            tr("{path} cannot be saved: {error}").format(path=_named(path), error=error)
        ) from None


def check_suffix(path: str | os.PathLike) -> None:
    """Raise an ImageError unless the suffix of a file's name is of a format that Pillow writes."""
    shown, suffix = _named(path), Path(path).suffix
    Image.init()
    writes = Image.SAVE.keys() - _NOT_RGB
    if Image.registered_extensions().get(suffix.lower()) not in writes:
        if suffix:
            why = tr(
                "{shown} cannot be saved: its suffix {suffix!r} names no format that Pillow "
                "writes. Use .png, .jpg or .webp."
            )
        else:
            why = tr(
                "{shown} cannot be saved: it has no suffix that Pillow writes. Use .png, .jpg or "
                ".webp."
            )
        raise ImageError(why.format(shown=shown, suffix=suffix))


def _named(path: str | os.PathLike) -> str:
    """A file's name as a message shows it."""
    return one_line(path) if len(str(path)) <= 100 else repr(f"{str(path)[:100]}…")


def save_image(image: Tensor | Image.Image, path: str | os.PathLike, quality: int = 95) -> Path:
    """Write a picture to a file; the suffix names the format.

    image: a tensor as for `to_pil`, or a PIL image. quality: 1 to 100, for JPEG and WebP.
    Returns the path.

    Atomic: the new file takes the place of an old one in a single step, once it is complete on the
    disk. Whatever fails before that leaves the old file whole. A file that is there is
    replaced; the command line refuses to.
    Raises ImageError for an unknown suffix, before any work, and when the file cannot be written;
    ValueError for another quality.
    """
    target = check_output_path(path)
    check_whole_number("quality", quality, 1)
    if quality > 100:
        raise ValueError(
            tr("quality is {quality}: give a whole number from 1 to 100.").format(
                quality=shown(quality)
            )
        )
    picture = image if isinstance(image, Image.Image) else to_pil(image)
    path = _files.expanded(path)
    file_format = Image.registered_extensions()[path.suffix.lower()]
    # a losslessly compressed TIFF refuses a quality
    options = {} if file_format == "TIFF" else {"quality": quality}
    # Pillow's own writing does not notice when a disk that is nearly full takes only a part
    encoded = io.BytesIO()
    try:
        picture.save(encoded, format=file_format, **options)
        _files.replace(target, encoded.getbuffer())
    except (OSError, ValueError) as error:
        raise ImageError(
            tr("{path} could not be saved: {error}.").format(
                path=one_line(path), error=one_line(error)
            )
        ) from error
    return path


def sample_names() -> list[str]:
    """The names of the course's pictures, in alphabetical order (authors: samples/CREDITS.md)."""
    return sorted(
        entry.name.removesuffix(".jpg")
        for entry in _SAMPLES.iterdir()
        if entry.name.endswith(".jpg")
    )


def sample_file(name: str) -> Path:
    """The file of one of the `sample_names()`."""
    return Path(str(_SAMPLES / f"{name}.jpg"))


def sample_paintings() -> list[str]:
    """The names of the samples that are paintings, in alphabetical order."""
    return [name for name in sample_names() if name not in _PHOTOS]


def sample(name: str, size: int | None = SIZE, *, enlarge: bool = False) -> Tensor:
    """Load one of the course's own pictures, for example `sample("castle")`.

    name: one of `sample_names()`. size, enlarge: as for `load_image`.

    Raises ImageError for an unknown name.
    """
    if not isinstance(name, str) or name not in sample_names():
        near = nearest(name, sample_names())
        if near:
            told = tr(
                "there is no sample called {name}; did you mean {near!r}? The samples are "
                "{samples}; use load_image for a picture of your own."
            )
        else:
            told = tr(
                "there is no sample called {name}. The samples are {samples}; use load_image for "
                "a picture of your own."
            )
        samples = ", ".join(sample_names())
        raise ImageError(told.format(name=shown(name), near=near, samples=samples))
    with sample_file(name).open("rb") as file:  # a file has a name, for messages
        return load_image(file, size, enlarge=enlarge)


def _open(source: object) -> tuple[str, BinaryIO]:
    """The name to use in messages, and a file to read, of a path, bytes or file object."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        name = tr("the bytes object")
        if not source:
            raise ImageError(_empty(name))
        return name, io.BytesIO(source)
    if isinstance(source, (str, os.PathLike)):
        path = os.fsdecode(source)
        if not path:
            raise ImageError(tr("the name of the picture is empty: give that of a file."))
        if path.lower().startswith(("http:", "https:", "ftp:")):
            raise ImageError(
                tr(
                    "{path} is a web address: download the picture and give the path of the file."
                ).format(path=one_line(path))
            )
        return _open_path(_files.expanded(path))
    if hasattr(source, "read"):
        name = one_line(Path(str(getattr(source, "name", tr("the file object")))).name)
        return name, _read_stream(source, name)
    raise ImageError(
        tr(
            "a picture comes from a path, bytes, a file object or a PIL image, not from a {name}."
        ).format(name=type(source).__name__)
    )


def _read_stream(file: Any, name: str) -> io.BytesIO:
    """What is left to read in a binary file object, unless it is endless."""
    if isinstance(file, (io.TextIOBase, codecs.StreamReaderWriter)):
        raise ImageError(
            tr("{name} is open as text: open it with open(path, 'rb').").format(name=name)
        )
    data = io.BytesIO()
    try:
        while data.tell() <= MOST_BYTES and (block := file.read(2**20)):
            data.write(block)
    except Exception as error:  # the stream of an archive or of a network fails in ways of its own
        raise ImageError(
            tr(
                "{name} cannot be read ({error}): it may be closed, or open for writing. Open it "
                "with open(path, 'rb')."
            ).format(name=name, error=reason(error))
        ) from None
    if not data.tell():
        raise ImageError(
            tr(
                "{name} has nothing left to read: it is empty (0 bytes) or was read before. Call "
                "its seek(0) first, or copy or download it again."
            ).format(name=name)
        )
    if data.tell() > MOST_BYTES:
        raise ImageError(_too_large(name))
    return data


def _open_path(path: Path) -> tuple[str, BinaryIO]:
    """The name and the opened file; what cannot be a picture's file is refused unopened."""
    shown, name = one_line(path), one_line(path.name)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ImageError(
                tr("{shown} is a folder: give the path of one picture in it.").format(shown=shown)
            )
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(
                tr(
                    "{shown} is not a regular file but a device or a pipe: give the path of a "
                    "picture."
                ).format(shown=shown)
            )
        if not status.st_size:
            raise ImageError(_empty(name))
        if status.st_size > MOST_BYTES:
            raise ImageError(_too_large(name))
        return name, path.open("rb")
    except FileNotFoundError:
        raise ImageError(
            tr(
                "there is no file {shown} (looked in {folder}). Check the spelling and the folder."
            ).format(shown=shown, folder=_working_folder())
        ) from None
    except PermissionError:
        raise ImageError(
            tr(
                "{shown} may not be read: change its permissions or copy it to a folder of yours."
            ).format(shown=shown)
        ) from None
    except ImageError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise ImageError(
            tr("{path} cannot be read: {error}. Check the name and the folder.").format(
                path=_shortened(path), error=reason(error)
            )
        ) from None


def _decode(
    image: Image.Image,
    name: str,
    size: int | None,
    enlarge: bool,
    paper: str,
    file_size: int | None = None,
) -> Image.Image:
    """Upright 8-bit sRGB on paper; a large picture comes at 2 to 4 times the size asked for."""
    _check_pixels(name, image.size, MOST_BYTES // _HELD.get(image.format, _HELD_BY_OTHERS))
    _check_sides(name, image.size, size, enlarge)
    factor = 1
    if size is not None and image.width * image.height > LARGE:
        factor = max(1, max(image.size) // (2 * size))
    try:
        image.load()
        _check_levels(name, image)
        return to_upright_srgb(image, factor, paper)
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(
            tr(
                "there is not enough memory to open {name}: close other programs, or use a smaller "
                "picture."
            ).format(name=name)
        ) from None
    except (
        Exception
    ) as error:  # decoders and EXIF parsers raise many types when the data are damaged
        raise ImageError(_undecodable(name, error, file_size)) from None


def _check_pixels(name: str, size: tuple[int, int], most: int) -> None:
    if size[0] * size[1] > most:
        raise ImageError(
            _too_many_pixels(
                name, tr("is {width} × {height} pixels").format(width=size[0], height=size[1]), most
            )
        )


def _check_levels(name: str, image: Image.Image) -> None:
    """Raise an ImageError for numbers of an unknown range, of which little could be seen."""
    if image.mode == "F" and float_white(most := largest(image)) is None:
        raise ImageError(
            tr(
                "{name} has values up to {most:.3g}, which are neither of 0…1 nor of 0…255 or "
                "0…65535: change them to 0…1 first."
            ).format(name=name, most=most)
        )
    if image.mode in ("F", "I") and share_outside(image) == 1:
        raise ImageError(
            tr(
                "all values of {name} are below black, above white or not finite (nan or inf), so "
                "nothing could be seen: change them to 0…1 first."
            ).format(name=name)
        )


def _remark(name: str, image: Image.Image, paper: str) -> str | None:
    """What is to be told of a picture of which nearly nothing can be seen."""
    if paper == "white" and is_invisible(image):  # a mask's paper is black, and told elsewhere
        return tr("{name} is transparent everywhere, so it becomes white.").format(name=name)
    outside = share_outside(image) if image.mode in ("F", "I") else 0
    if outside <= MOST_OUTSIDE:
        return None
    return tr(
        "{share:.0f} % of the values of {name} are below black, above white or not finite (nan "
        "or inf), so they become black or white."
    ).format(share=100 * outside, name=name)


def _check_sides(name: str, sides: tuple[int, int], size: int | None, enlarge: bool) -> None:
    """Raise an ImageError for a picture that is or would become too small or too large."""
    longer, shorter = max(sides), min(sides)
    if shorter < SMALLEST_SIDE:
        raise ImageError(
            tr(
                "{name} is {width} × {height} pixels: each side must have at least {smallest}. Use "
                "a larger picture."
            ).format(name=name, width=sides[0], height=sides[1], smallest=SMALLEST_SIDE)
        )
    if size is None:
        return
    if longer > size and round(shorter * size / longer) < SMALLEST_SIDE:
        raise ImageError(
            tr(
                "{name} at size={size} would be only {shorter} pixels on its shorter side: ask for "
                "size={least} or more, or crop it."
            ).format(
                name=name,
                size=size,
                shorter=round(shorter * size / longer),
                least=-(-SMALLEST_SIDE * longer // shorter),
            )
        )
    most = MOST_BYTES // 4
    if enlarge and longer < size and size * size * shorter > most * longer:
        raise ImageError(
            tr(
                "{name} enlarged to size={size} would have more than the {most} million pixels "
                "that stlib opens: ask for a smaller size."
            ).format(name=name, size=shown(size), most=most // 10**6)
        )


def _resize(image: Image.Image, size: int | None, enlarge: bool) -> Image.Image:
    longer = max(image.size)
    if size is None or longer == size or (longer < size and not enlarge):
        return image
    width, height = (round(side * size / longer) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _undecodable(name: str, error: Exception, file_size: int | None) -> str:
    why = reason(error)
    if any(word in why.lower() for word in ("unsupported", "unimplemented", "not supported")):
        return tr("{name} has a form that Pillow does not read ({why}). {export}").format(
            name=name, why=why, export=_export()
        )
    ends_early = isinstance(error, EOFError) or any(
        word in why.lower() for word in ("truncated", "not enough")
    )
    if file_size is not None and ends_early:
        return tr(
            "{name} ends after {size}, in the middle of the picture: the file is truncated. "
            "Copy or download it again."
        ).format(name=name, size=_kilobytes(file_size))
    if why.startswith("decoder error"):  # libtiff says no more, also of what it was built without
        return tr(
            "{name} is damaged, or has a form that Pillow does not read ({why}). Copy or "
            "download it again; if an image viewer opens it, export it there as PNG or JPEG."
        ).format(name=name, why=why)
    return _damaged(name, why)


def _damaged(name: str, why: str) -> str:
    return tr("{name} is damaged and cannot be decoded ({why}). Copy or download it again.").format(
        name=name, why=why
    )


def _too_many_pixels(name: str, what: str, most: int = MOST_BYTES // 4) -> str:
    return tr(
        "{name} {what}, more than the {most} million that stlib opens: it may be a "
        "decompression bomb. If you trust it, shrink it in an image editor first."
    ).format(name=name, what=what, most=most // 10**6)


def _not_opened(name: str, file_format: str) -> str:
    return tr(
        "{name} is a file of the format {file_format}, which stlib does not open. {export}"
    ).format(name=name, file_format=file_format, export=_export())


def _export() -> str:
    return tr("Open it in an image viewer and export it as PNG or JPEG.")


def _too_large(name: str) -> str:
    return tr(
        "{name} holds more than the {most} MB of the largest picture that stlib opens. If it "
        "is a picture, shrink it in an image editor first."
    ).format(name=name, most=MOST_BYTES // 10**6)


def _empty(name: str) -> str:
    return tr("{name} is empty (0 bytes). Copy or download it again.").format(name=name)


def _kilobytes(size: int) -> str:
    return tr("{size} bytes").format(size=size) if size < 2000 else f"{size / 1000:.0f} kB"


def _working_folder() -> str:
    try:
        return one_line(Path.cwd())
    except OSError:
        return tr("a folder that was deleted")


def _shortened(path: Path) -> str:
    return repr(str(path) if len(str(path)) <= 100 else f"{str(path)[:100]}…")
