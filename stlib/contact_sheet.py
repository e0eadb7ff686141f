"""Many pictures on one sheet, each with its name below."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

CELL = 480  # pixels, the longer side of a picture on the sheet at most
NARROWEST = 240  # pixels, of a column, so that most names fit
FONT = 20  # pixels, the height of the names
LINE = 28  # pixels from one line of a name to the next
GAP = 16  # pixels between pictures, and around them
PAPER, INK, EMPTY = "white", "black", "#dddddd"


def contact_sheet(
    cells: Sequence[tuple[Image.Image | None, str]], columns: int | None = None
) -> Image.Image:
    """A sheet with all pictures, row by row.

    cells: (picture, name) each, at least one; a name may have several lines, and in place of None
        the sheet shows an empty field.
    columns: None is about as many as there are rows.
    """
    columns = min(columns or _columns(len(cells)), len(cells))
    rows = -(-len(cells) // columns)
    pictures = [picture and _fitted(picture) for picture, _ in cells]
    sizes = [picture.size for picture in pictures if picture] or [(CELL, CELL)]
    width = max(NARROWEST, *(size[0] for size in sizes))
    height = max(size[1] for size in sizes)
    lines = max(1, *(len(name.splitlines()) for _, name in cells))
    step = height + LINE * lines + GAP
    sheet = Image.new("RGB", (GAP + columns * (width + GAP), GAP + rows * step), PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(FONT)
    for number, (picture, (_, name)) in enumerate(zip(pictures, cells, strict=True)):
        row, column = divmod(number, columns)
        x, y = GAP + column * (width + GAP), GAP + row * step
        if picture:
            place = (x + (width - picture.width) // 2, y + height - picture.height)
            sheet.paste(picture, place)
        else:
            draw.rectangle((x, y, x + width - 1, y + height - 1), fill=EMPTY)
        for below, line in enumerate(name.splitlines()):
            middle = (x + width // 2, y + height + LINE * below + LINE // 2)
            draw.text(middle, shortened(line, font, width), fill=INK, font=font, anchor="mm")
    return sheet


def shortened(name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """A name that is at most `width` pixels wide in this font; what is too long ends in dots."""
    if font.getlength(name) <= width:
        return name
    while name and font.getlength(f"{name}...") > width:
        name = name[:-1]
    return f"{name}..."


def _columns(count: int) -> int:
    """As many columns as rows, or one more."""
    return next(side for side in range(1, count + 1) if side * side >= count)


def _fitted(picture: Image.Image) -> Image.Image:
    fitted = picture.copy()
    fitted.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
    return fitted
