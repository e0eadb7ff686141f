"""Presets of the command line: a name for a size and how to paint at it."""

from typing import Any

# Of each preset: the size (longer side in pixels), and settings that are not the defaults.
PRESETS: dict[str, dict[str, Any]] = {
    "sketch": {"size": 256, "steps": 30},
    "standard": {"size": 512},
    "fine": {"size": 1024, "steps": 120},
    "poster": {"size": 2048, "steps": 30},
}


def told(values: dict[str, Any]) -> str:
    """What a preset sets, in words, for example "size 256, steps 30".

    values: of `PRESETS`, or those of them that count.
    """
    return ", ".join(f"{name.replace('_', '-')} {value}" for name, value in values.items())
