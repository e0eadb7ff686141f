"""The studio: to paint a picture by mouse or keyboard, without code."""

from pathlib import Path
from typing import Any

from stlib.course.still import Still
from stlib.errors import MissingExtraError


def studio(folder: str | Path = "output") -> Any:
    """A panel to choose two pictures and paint, to be shown as the last line of a notebook's cell.

    folder: where *Save* puts pictures; it is made when there is something to save.

    Where a notebook has no widgets, a still picture with a sentence is shown in its place.
    """
    try:
        from stlib.course.panel import Panel
    except MissingExtraError as error:
        return Still(str(error))
    return Panel(Path(folder))
