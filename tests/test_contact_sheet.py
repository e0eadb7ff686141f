"""The contact sheet: every picture in its place, its name below, and nothing cut off."""

import pytest
from PIL import Image, ImageFont

from stlib.contact_sheet import CELL, EMPTY, FONT, GAP, LINE, NARROWEST, contact_sheet, shortened

COLOURS = ["red", "lime", "blue", "yellow", "magenta"]


def cells(*sizes):
    """Pictures of one colour each, with names."""
    pairs = zip(COLOURS, sizes, strict=False)
    return [(Image.new("RGB", size, colour), colour) for colour, size in pairs]


def test_pictures_lie_row_by_row_at_their_size():
    sheet = contact_sheet(cells(*[(300, 200)] * 5), columns=3)
    assert sheet.size == (GAP + 3 * (300 + GAP), GAP + 2 * (200 + LINE + GAP))
    for number, colour in enumerate(COLOURS):
        row, column = divmod(number, 3)
        x, y = GAP + column * (300 + GAP), GAP + row * (200 + LINE + GAP)
        inside = sheet.crop((x, y, x + 300, y + 200))
        assert inside.getcolors() == [
            (300 * 200, Image.new("RGB", (1, 1), colour).getpixel((0, 0)))
        ]


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (10, 4)])
def test_there_are_about_as_many_columns_as_rows(count, columns):
    sheet = contact_sheet([(Image.new("RGB", (300, 200)), "")] * count)
    assert sheet.width == GAP + columns * (300 + GAP)


def test_large_pictures_become_smaller_and_keep_their_shape():
    sheet = contact_sheet(cells((2000, 1000), (100, 400)))
    assert sheet.size == (GAP + 2 * (CELL + GAP), GAP + 400 + LINE + GAP)
    assert (CELL * CELL // 2, (255, 0, 0)) in sheet.getcolors(10**6)
    assert (100 * 400, (0, 255, 0)) in sheet.getcolors(10**6)


def test_every_name_is_written_below_its_picture():
    """In as many lines as it has, between its picture and the next."""
    white = Image.new("RGB", (NARROWEST, 100), "white")
    sheet = contact_sheet([(white, "cafe-terrace\nbeta 1e6"), (white, "")])
    left, right = (
        sheet.crop((x, GAP, x + NARROWEST, sheet.height)).convert("L").point(lambda v: 255 - v)
        for x in (GAP, 2 * GAP + NARROWEST)
    )
    _, top, _, bottom = left.getbbox()
    assert 100 <= top < 100 + LINE < bottom <= 100 + 2 * LINE
    assert right.getbbox() is None


def test_in_place_of_a_missing_picture_is_an_empty_field():
    sheet = contact_sheet([*cells((300, 200)), (None, "")])
    empty = Image.new("RGB", (1, 1), EMPTY).getpixel((0, 0))
    field = sheet.crop((2 * GAP + 300, GAP, 2 * GAP + 600, GAP + 200))
    assert field.getcolors() == [(300 * 200, empty)]
    assert contact_sheet([(None, "")]).size == (GAP + CELL + GAP, GAP + CELL + LINE + GAP)


def test_a_name_too_long_ends_in_dots():
    font = ImageFont.load_default(FONT)
    assert shortened("short", font, 300) == "short"
    long = shortened("a very long name of a painting " * 5, font, 300)
    assert long.endswith("...") and 250 < font.getlength(long) <= 300
