"""Many pictures on one sheet, each with its name below."""

import importlib.util
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

CELL = 480  # pixels, the longer side of a picture on the sheet at most
NARROWEST = 240  # pixels, of the narrowest column whose names may be cut
FONT = 20  # pixels, the height of the names
LINE = 28  # pixels from one line of a name to the next
GAP = 16  # pixels between pictures, and around them
PAPER, INK, EMPTY = "white", "black", "#dddddd"
UNKNOWN = "?"  # for a letter that no font has
MISSING = "\uffff"  # no font has it, so its glyph is that of all letters that are missing

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def contact_sheet(
    cells: Sequence[tuple[Image.Image | str | None, str]], columns: int | None = None
) -> Image.Image:
    """A sheet with all pictures, row by row.

    cells: (picture, name) each, at least one; a name may have several lines. In place of a picture
        a word, or None, is an empty field with this word in it.
    columns: None is about as many as there are rows.
    """
    columns = min(columns or _columns(len(cells)), len(cells))
    rows = -(-len(cells) // columns)
    font = _font("".join(name for _, name in cells))
    names = [[readable(line, font) for line in name.splitlines()] for _, name in cells]
    pictures = [_fitted(shown) if isinstance(shown, Image.Image) else shown for shown, _ in cells]
    sizes = [shown.size for shown in pictures if isinstance(shown, Image.Image)] or [(CELL, CELL)]
    field = (max(size[0] for size in sizes), max(size[1] for size in sizes))
    longest = max((font.getlength(line) for lines in names for line in lines), default=0)
    width = max(field[0], min(NARROWEST, int(longest) + 1))
    height = field[1]
    step = height + LINE * max(1, *(len(lines) for lines in names)) + GAP
    sheet = Image.new("RGB", (GAP + columns * (width + GAP), GAP + rows * step), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, (shown, lines) in enumerate(zip(pictures, names, strict=True)):
        row, column = divmod(number, columns)
        x, y = GAP + column * (width + GAP), GAP + row * step
        picture = shown if isinstance(shown, Image.Image) else _empty(field, shown, font)
        sheet.paste(picture, (x + (width - picture.width) // 2, y + height - picture.height))
        for below, line in enumerate(lines):
            middle = (x + width // 2, y + height + LINE * below + LINE // 2)
            draw.text(middle, shortened(line, font, width), fill=INK, font=font, anchor="mm")
    return sheet


def readable(name: str, font: Font) -> str:
    """A name with a question mark in place of each letter that the font does not have."""
    composed = unicodedata.normalize("NFC", name)  # some systems write ä as a and two dots
    return "".join(letter if _has(font, letter) else UNKNOWN for letter in composed)


def shortened(name: str, font: Font, width: int) -> str:
    """A name that is at most `width` pixels wide in this font; what is too long ends in dots."""
    if font.getlength(name) <= width:
        return name
    while name and font.getlength(f"{name}...") > width:
        name = name[:-1]
    return f"{name}..."


def _font(text: str) -> Font:
    """The first font of those that have most of the letters of a text."""
    letters = set(unicodedata.normalize("NFC", text))
    return max(_fonts(), key=lambda font: sum(_has(font, letter) for letter in letters))


def _fonts() -> Iterator[Font]:
    """Matplotlib's font and one for Chinese, Japanese and Korean, where they are; and Pillow's."""
    files = ["NotoSansCJK-Regular.ttc"]
    matplotlib = importlib.util.find_spec("matplotlib")  # its files are enough: it is not imported
    if matplotlib and matplotlib.origin:
        folder = Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf"
        files.insert(0, str(folder / "DejaVuSans.ttf"))
    for file in files:
        try:
            yield ImageFont.truetype(file, FONT)
        except OSError:
            continue
    yield ImageFont.load_default(FONT)


def _has(font: Font, letter: str) -> bool:
    """Whether a font has a letter, and does not draw a box in its place."""
    return letter.isprintable() and bytes(font.getmask(letter)) != bytes(font.getmask(MISSING))


def _empty(size: tuple[int, int], word: str | None, font: Font) -> Image.Image:
    """A field in place of a picture, with a word in it."""
    field = Image.new("RGB", size, EMPTY)
    middle = (size[0] // 2, size[1] // 2)
    word = shortened(word or "", font, size[0])
    ImageDraw.Draw(field).text(middle, word, fill=INK, font=font, anchor="mm")
    return field


def _columns(count: int) -> int:
    """As many columns as rows, or one more."""
    return next(side for side in range(1, count + 1) if side * side >= count)


def _fitted(picture: Image.Image) -> Image.Image:
    fitted = picture.copy()
    fitted.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
    return fitted
