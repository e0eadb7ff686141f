"""What the scripts of this folder share: a folder, a grey, arrows, and how a figure is saved.

With STLIB_LANGUAGE=zh they draw what the Chinese pages show.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

FOLDER = Path(__file__).parent
GREY = "#555555"


def arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    color: str = GREY,
    head: float = 16,
    width: float = 1.8,
) -> None:
    """A straight arrow; head: its size. width: of its line, in points."""
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=head,
            color=color,
            linewidth=width,
            shrinkA=0,
            shrinkB=0,
        )
    )


def save(figure: Figure, name: str, description: str, dpi: int = 110) -> None:
    """Write FOLDER/name, or FOLDER/zh-CN/name, which carries along what it says in words."""
    folder = FOLDER / "zh-CN" if os.environ.get("STLIB_LANGUAGE") == "zh" else FOLDER
    folder.mkdir(exist_ok=True)
    figure.savefig(folder / name, dpi=dpi, metadata={"Description": description})
    plt.close(figure)
