"""The course for eyes of every kind: figures in words, colours for the colour-blind, letters."""

import itertools
import json
import re
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from stlib.course import show

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))  # a folder of scripts, not a package

import plots  # noqa: E402

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SCRIPTS = [
    path
    for folder in ("stlib", "figures", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]

# What somebody sees who lacks one kind of cones, in linear RGB, for a severity of 1. G. M. Machado,
# M. M. Oliveira, L. A. F. Fernandes: A physiologically-based model for simulation of color vision
# deficiency, IEEE TVCG 15(6), 2009.
VISIONS = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}

LAYERS = [f"relu{block}_1" for block in range(1, 6)]
DRAWN_TOGETHER = {  # colour and dashes of the lines that share axes
    "the terms of the loss": list(show.TERM_LOOK.values()),
    "the layers": list(show.BLOCK_LOOK.values()),
    "five curves": [(look["color"], look["linestyle"]) for look in show._looks(list("abcde"))],
    "seven curves": [(look["color"], look["linestyle"]) for look in show._looks(list("abcdefg"))],
    "five curves of layers": [(look["color"], look["linestyle"]) for look in show._looks(LAYERS)],
    "the benchmark's methods": list(plots.LINES.values()),
}
PALETTE = {
    name: value for name, value in vars(show).items() if name.isupper() and isinstance(value, str)
}
PALE = {
    "ORANGE",
    "SKY",
}  # nothing is said by these alone: lines differ in dashes, bars in hatches


def to_linear(rgb: np.ndarray) -> np.ndarray:
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: np.ndarray) -> np.ndarray:
    linear = linear.clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def seen(rgb, vision: str) -> np.ndarray:
    """CIE L*a*b* of sRGB colours [..., 3] as somebody of this vision sees them."""
    return rgb2lab(to_srgb(to_linear(np.asarray(rgb)) @ VISIONS[vision].T))


def contrast_with_white(color: str) -> float:
    """WCAG 2.1's contrast ratio, from 1 to 21."""
    return 1.05 / (to_linear(np.array(to_rgb(color))) @ [0.2126, 0.7152, 0.0722] + 0.05)


def code(path: Path) -> str:
    if path.suffix == ".py":
        return path.read_text("utf-8")
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def colour_maps() -> set[str]:
    """Every colour map that the course draws with."""
    return {
        name
        for path in SCRIPTS + NOTEBOOKS
        for name in re.findall(r"cmap[\"']?\s*[=:]\s*[\"'](\w+)[\"']", code(path))
    }


def described(markdown: str) -> str:
    """What a cell says of the figure above it: up to the next heading, without questions."""
    paragraphs = re.split(r"^#+ ", markdown, maxsplit=1, flags=re.MULTILINE)[0].split("\n\n")
    return "\n\n".join(
        paragraph for paragraph in paragraphs if not paragraph.startswith("**Predict.**")
    ).strip()


@pytest.fixture(params=VISIONS)
def vision(request) -> str:
    return request.param


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_figure_of_a_notebook_is_put_in_words_below_it(path):
    """Figures with no text between them share what stands below the last one."""
    cells, waiting = json.loads(path.read_text("utf-8"))["cells"], []
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            waiting += [
                number
                for output in cell["outputs"]
                for kind in output.get("data", {})
                if kind.startswith("image/")
            ]
        elif waiting:
            words = described("".join(cell["source"]))
            assert len(words) >= 120 * len(waiting), f"{path.stem}, cells {waiting}: only {words!r}"
            waiting = []
    assert not waiting, f"{path.stem} ends with the figures of cells {waiting}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_drawing_is_put_in_words_below_it(path):
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        for below in (
            "".join(cell["source"]).split("![")[1:] if cell["cell_type"] == "markdown" else ()
        ):
            words = re.match(
                r".*?\]\([^)]*\)\n\n\*The figure in words: (.*?)\*\n\n", below, re.DOTALL
            )
            assert words and len(words[1]) >= 300, f"{path.stem}: {below[:60]}"


def test_the_readme_describes_its_pictures():
    alternatives = re.findall(r"!\[([^\]]*)\]", (ROOT / "README.md").read_text("utf-8"))
    assert alternatives and min(map(len, alternatives)) >= 60


@pytest.mark.parametrize(
    "path",
    [
        path
        for folder in ("figures", "benchmarks")
        for path in sorted((ROOT / folder).glob("*.png"))
    ],
    ids=lambda path: path.name,
)
def test_a_picture_file_carries_its_description(path):
    with Image.open(path) as image:
        assert len(image.text["Description"]) >= 60


def test_the_simulation_leaves_grey_grey_and_confuses_what_it_should(vision):
    """The rows of a matrix add up to 1, so grey stays; only three cones tell red from green."""
    np.testing.assert_allclose(seen([0.5, 0.5, 0.5], vision)[1:], 0, atol=0.1)
    red, green, blue, teal = (
        np.array(to_rgb(color)) for color in ("#C87137", "#8E8E2D", "#5B7FB0", "#4F8583")
    )
    pairs = {"protanopia": (red, green), "deuteranopia": (red, green), "tritanopia": (blue, teal)}
    if vision in pairs:
        apart = [
            deltaE_ciede2000(*(seen(color, eyes) for color in pairs[vision]))
            for eyes in ("all cones", vision)
        ]
        assert apart[1] < 0.6 * apart[0]


@pytest.mark.parametrize("together", DRAWN_TOGETHER)
def test_lines_that_share_axes_can_be_told_apart(together, vision):
    """By their colours, at least 10 in CIEDE2000 (1 is just visible), and by their dashes."""
    for (one, dashes), (other, other_dashes) in itertools.combinations(DRAWN_TOGETHER[together], 2):
        distance = deltaE_ciede2000(seen(to_rgb(one), vision), seen(to_rgb(other), vision))
        assert distance >= 10, f"{one} and {other} are {distance:.1f} apart"
        assert dashes != other_dashes, f"{one} and {other} have the same dashes"


def test_bars_that_stand_side_by_side_can_be_told_apart(vision, monkeypatch):
    monkeypatch.setattr(show.plt, "show", lambda: None)
    show.bars({label: {"name": 1.0} for label in "abcd"}, "finding", y="number")
    bars = [container[0] for container in show.plt.gcf().axes[0].containers]
    show.plt.close("all")
    assert len({bar.get_hatch() for bar in bars}) == len(bars) == 4
    for one, other in itertools.combinations(bars, 2):
        assert (
            deltaE_ciede2000(*(seen(bar.get_facecolor()[:3], vision) for bar in (one, other))) >= 10
        )


@pytest.mark.parametrize("name", PALETTE)
def test_a_colour_stands_out_from_white(name):
    """3 : 1, as WCAG 2.1 (1.4.11) asks; two colours of Okabe and Ito have 2.2 and 2.3 : 1."""
    without_definition = (
        re.sub(r"^BLACK, .*", "", code(path), flags=re.MULTILINE) for path in SCRIPTS + NOTEBOOKS
    )
    used = any(re.search(rf"\b{name}\b", source) for source in without_definition)
    contrast = contrast_with_white(PALETTE[name])
    assert contrast >= (2 if name in PALE else 3) or not used, f"{name}: {contrast:.2f} : 1"
    assert (contrast < 3) == (name in PALE or not used)


def test_the_course_draws_with_few_colour_maps():
    """Grey becomes lighter all the way for everybody."""
    assert colour_maps() <= {"gray", "gray_r", "viridis", "PuOr_r"}


def test_viridis_becomes_lighter_all_the_way(vision):
    lightness = seen(matplotlib.colormaps["viridis"](np.linspace(0, 1, 65))[:, :3], vision)[:, 0]
    assert np.diff(lightness).min() > 0
    assert lightness[-1] - lightness[0] > 70


def test_the_diverging_map_is_lightest_in_the_middle_and_its_sides_differ(vision):
    colors = matplotlib.colormaps["PuOr_r"](np.linspace(0, 1, 65))[:, :3]
    lightness = seen(colors, vision)[:, 0]
    assert np.diff(lightness[:33]).min() > 0 > np.diff(lightness[32:]).max()
    assert lightness[32] > 95 and max(lightness[0], lightness[-1]) < 40
    below, above = (
        seen(colors[:17], vision),
        seen(colors[:47:-1], vision),
    )  # the outer halves, from both ends
    assert deltaE_ciede2000(below, above).min() >= 10


def test_letters_have_at_least_9_points():
    words = [
        "font.size",
        "axes.titlesize",
        "axes.labelsize",
        "xtick.labelsize",
        "ytick.labelsize",
        "legend.fontsize",
    ]
    with matplotlib.rc_context(show.LOOK):
        sizes = {
            word: FontProperties(size=matplotlib.rcParams[word]).get_size_in_points()
            for word in words
        }
    for path in SCRIPTS + NOTEBOOKS:
        sizes |= {
            f"{path.name}: {size}": float(size)
            for size in re.findall(r"\bfontsize=(\d+(?:\.\d+)?)", code(path))
        }
    assert min(sizes.values()) >= 9, sizes
