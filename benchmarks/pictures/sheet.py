"""Contact sheets: one JPEG per pair, with all methods."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from benchmarks.pictures.plan import METHODS, Pair
from stlib import to_pil

WIDTH = 340  # pixels, of each picture
CAPTION = 26  # pixels, of the line above it
GAP = 6
QUALITY = 78  # of the JPEG
ALONE = ("ours", "before", "lite")  # these stand beside photo and painting in the first row


def contact_sheet(
    pair: Pair, pictures: dict[tuple[str, str], tuple[Image.Image, str]]
) -> Image.Image:
    """All pictures of a pair in rows: given and ours; others' own recipes; others in our seconds.

    pictures: {(method, recipe): (picture, what it took)}; what is missing stays white.
    """
    titles = {method.name: method.title for method in METHODS}
    rows = [
        [("photo", to_pil(pair.content)), ("painting", to_pil(pair.style))],
        [],
        [],
    ]
    for name, title in titles.items():
        cells = [(rows[0], "own")] if name in ALONE else [(rows[1], "own"), (rows[2], "equal")]
        for row, recipe in cells:
            picture, took = pictures.get((name, recipe), (None, "not painted"))
            row.append((f"{title}: {took}", picture))
    height = round(WIDTH * pair.content.shape[2] / pair.content.shape[3])
    return laid_out(rows, height)


def laid_out(rows: list[list[tuple[str, Image.Image | None]]], height: int) -> Image.Image:
    """Rows of captioned pictures on white, each fitted into WIDTH × height pixels."""
    columns = max(map(len, rows))
    step_x, step_y = WIDTH + GAP, CAPTION + height + GAP
    sheet = Image.new("RGB", (columns * step_x + GAP, len(rows) * step_y + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=16)
    for y, row in enumerate(rows):
        for x, (caption, picture) in enumerate(row):
            left, top = GAP + x * step_x, GAP + y * step_y
            draw.text((left, top), caption, fill="black", font=font)
            if picture is not None:
                fitted = ImageOps.contain(picture, (WIDTH, height), Image.Resampling.LANCZOS)
                sheet.paste(fitted, (left + (WIDTH - fitted.width) // 2, top + CAPTION))
    return sheet


def save(sheet: Image.Image, path: Path) -> None:
    sheet.save(path, quality=QUALITY, optimize=True)
