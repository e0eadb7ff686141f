"""The docstrings of stlib for Sphinx: plain text with `code` in it, and lists of arguments."""

import re

from sphinx.application import Sphinx

ARGUMENT = re.compile(r"^(\w+(?:, \w+)*): (.*)")


def as_list(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]):
    """`size: longer side, in pixels.` → `- **size**: longer side, in pixels.`, in place."""
    found: list[str] = []
    in_item = False
    for line in lines:
        argument = ARGUMENT.match(line)
        if argument:
            found += [] if in_item else [""]
            found.append(f"- **{argument[1]}**: {plain(argument[2])}")
            in_item = True
        elif in_item and line.strip():
            found.append(f"  {line.strip()}")
        else:
            in_item = False
            found.append(line)
    lines[:] = [plain(line) if not line.startswith("- **") else line for line in found]


def plain(line: str) -> str:
    """The line with the signs kept that would mean something in reStructuredText."""
    parts = line.split("`")
    parts[::2] = [re.sub(r"([*|_])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", as_list)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
