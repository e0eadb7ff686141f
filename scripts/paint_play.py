"""Paint what the chapters let their readers play with: python scripts/paint_play.py (ten minutes).

The pictures go to stlib/course/pictures, their words and numbers to play.json beside it. What the
lab has measured is taken from there. What it has not is measured in the same way and kept in
build/play, so that an interrupted run goes on.
"""

import io
import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d

from experiments import balance, results
from experiments.pairs import PAIRS, pair
from stlib import VGG, Objective, load_image, sample, save_image, to_pil
from stlib.course.show import BLACK, LOOK, RED

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "stlib/course/pictures"
KEPT = ROOT / "build/play"
MOST_BYTES = 40_000  # of a picture
QUALITIES = range(88, 30, -4)  # of JPEG; the first that is small enough is taken

CASTLE = {"pair": PAIRS[0], "size": 384, "steps": 100, "seed": None}  # a case of the lab
OF_FACTOR = {  # β, as a multiple of its default: what its picture shows
    0: "The photo: a castle of pale stone on a spit of land in a lake, brown hills behind it, and "
    "a grey-blue sky.",
    0.01: "Still a photo, in other light: the sky is lilac, the lake and the hills are violet.",
    0.03: "A photo in violet light with more contrast: the castle's wall is pale yellow, the dark "
    "places are nearly purple.",
    0.1: "Violet light, the wall yellow; the first strokes are fine streaks at the left and right "
    "edges of the sky, and short dark lines on the hills.",
    0.3: "Streaks cover the whole sky, dark wavy lines the hills; the roofs are red, the wall is "
    "golden, and the water is getting strokes of its own.",
    1.0: "Broad pale strokes fill the sky, with a few dots of light; the wall is one glowing "
    "yellow and is mirrored in the lake, whose ripples are drawn in dark lines.",
    3.0: "At the left edge of the sky stands a pale wall with stripes, more dots of light float "
    "above the castle, and the far hills are painted in yellow; the castle keeps its outline.",
    10.0: "Much the same with more of each: the hills on the right are upright dark strokes, the "
    "trees on the left are red; the castle's outline and the ripples are still the photo's.",
}
OF_LAYER = {
    "relu1_1": "The cat as in the photo; no difference can be seen.",
    "relu2_1": "The cat as in the photo, a little softer in the fur and the whiskers.",
    "relu3_1": "The cat nearly as in the photo; the pupils have softer edges, and the fine hairs "
    "of the fur are smeared.",
    "relu4_1": "The cat with pupils that have moved and lost their round edge; the fur is made of "
    "small waves, and the nose is blurred.",
    "relu5_1": "A cat of waves and scales in place of fur: one pupil is a heart, the nose a muzzle "
    "with a pink tip, and colours from elsewhere shimmer at the edges.",
}
PIXELS = torch.zeros(7, 7)
PIXELS[2:5, 2:5] = 1
KERNEL = torch.tensor([[-1.0, 0, 1]] * 3)
INCHES = (5.4, 2.5)  # small, so that the numbers can be read on a phone
DOTS = 140  # per inch

Step = dict[str, str]


def beta() -> dict[str, Any]:
    """The castle, painted with more and more style."""
    castle, painting = pair(CASTLE["pair"], CASTLE["size"])
    objective = Objective(VGG(), castle, painting)
    with torch.no_grad():
        least = {"style": objective(castle)[1]["style"], "content": 0.0}
    of_nothing = float(objective.P["relu4_2"].square().mean())

    def step(factor: float, picture: Tensor, numbers: dict[str, Any]) -> Step:
        style, content = numbers["style"] / least["style"], numbers["content"] / of_nothing
        return {
            "label": f"β × {factor:g}",
            "file": kept(picture, f"play-beta-{factor:g}.jpg"),
            "shows": OF_FACTOR[factor],
            "caption": f"the style loss is {style:.2g} of the photo's, the content loss "
            f"{content:.2g} of that of features that are all 0.",
        }

    steps = [step(0, castle, least)]
    steps += [step(factor, *balanced(factor)) for factor in OF_FACTOR if factor]
    return {
        "title": "How much style",
        "control": "Weight of style",
        "kind": "steps",
        "still": [list(OF_FACTOR).index(1.0)],
        "steps": steps,
    }


def balanced(factor: float) -> tuple[Tensor, dict[str, Any]]:
    """The lab's picture for a β, and its numbers; measured now where the lab has none."""
    known = {run.case["factor"]: run for run in results("balance", **CASTLE)}
    if factor in known:
        return known[factor].picture("result"), known[factor].numbers
    picture, numbers = (KEPT / f"beta-{factor:g}{suffix}" for suffix in (".png", ".json"))
    if not numbers.exists():
        found = balance.measure({**CASTLE, "factor": factor})
        KEPT.mkdir(parents=True, exist_ok=True)
        save_image(found.pictures["result"], picture)
        numbers.write_text(json.dumps(found.numbers))
    return load_image(picture, None), json.loads(numbers.read_text())


def layers() -> dict[str, Any]:
    """The cat, rebuilt from the features of one layer after the other."""
    steps = [
        {
            "label": "the photo",
            "file": kept(sample("cat", 192), "play-cat.jpg"),
            "shows": "The photo: the face of a tabby cat that looks to the right, with green eyes, "
            "a reddish nose and white whiskers.",
            "caption": "192 pixels wide, as the network was given it.",
        }
    ]
    for layer, shows in OF_LAYER.items():
        (run,) = results("training", do="rebuild", photo="cat", network="trained", layer=layer)
        steps.append(
            {
                "label": layer,
                "file": kept(run.picture("rebuilt"), f"play-cat-{layer}.jpg"),
                "shows": shows,
                "caption": f"{run.numbers['PSNR']:.0f} dB of PSNR beside the photo, after "
                f"{run.case['steps']} evaluations.",
            }
        )
    return {
        "title": "What a layer still knows of a cat",
        "control": "Rebuilt from",
        "kind": "steps",
        "still": [list(OF_LAYER).index("relu4_1") + 1],
        "steps": steps,
    }


def before_after() -> dict[str, Any]:
    """The castle of chapter 00, and its photo."""
    painted = load_image(ROOT / "figures/castle-at-night.jpg", 512)
    return {
        "title": "Before and after",
        "control": "Painted part, %",
        "kind": "wipe",
        "still": [0, 1],
        "steps": [
            {
                "label": "photo",
                "file": kept(sample("castle", 512), "play-castle.jpg"),
                "shows": "The photo: a castle of pale stone on a spit of land in a lake, with "
                "brown hills behind it, in evening light.",
                "caption": "680 pixels wide, here 512.",
            },
            {
                "label": "painted",
                "file": kept(painted, "play-castle-painted.jpg"),
                "shows": "The same view, painted: the sky violet on the left and golden on the "
                "right, with round dots of light; the castle's tower is yellow, and so is the "
                "water below it.",
                "caption": "at 768 pixels, with the defaults of style_transfer.",
            },
        ],
    }


def kernel() -> dict[str, Any]:
    """A kernel on each place of a small picture."""
    y = conv2d(PIXELS[None, None], KERNEL[None, None])[0, 0]
    steps = []
    for row in range(y.shape[0]):
        for column in range(y.shape[1]):
            patch = PIXELS[row : row + 3, column : column + 3]
            name = f"play-kernel-{row + 1}-{column + 1}.png"
            drawn(y, row, column).save(TARGET / name, optimize=True)
            steps.append(
                {
                    "label": f"row {row + 1}, column {column + 1}",
                    "file": name,
                    "shows": f"The red frame lies over rows {row + 1} to {row + 3} and columns "
                    f"{column + 1} to {column + 3} of the picture, which hold {spoken(patch)}. The "
                    f"feature map is filled up to row {row + 1}, column {column + 1}.",
                    "caption": f"{arithmetic(patch)} = {y[row, column]:g}: "
                    f"{meaning(float(y[row, column]))}".replace("-", "−"),
                }
            )
    return {
        "title": "The sliding kernel",
        "control": "Place of the kernel",
        "kind": "steps",
        "still": [10],
        "steps": steps,
    }


def spoken(patch: Tensor) -> str:
    """The pixels, row by row."""
    return "; ".join(" ".join(f"{value:g}" for value in row) for row in patch.tolist())


def arithmetic(patch: Tensor) -> str:
    """Weights times pixels: nine products, in brackets row by row, which no line breaks."""
    rows = zip(KERNEL.tolist(), patch.tolist(), strict=True)
    return " + ".join(
        "("
        + "\N{NO-BREAK SPACE}+\N{NO-BREAK SPACE}".join(
            f"{k:g}·{x:g}" for k, x in zip(*row, strict=True)
        )
        + ")"
        for row in rows
    )


def meaning(value: float) -> str:
    if value == 0:
        return "left and right are equally bright."
    return f"it gets {'brighter' if value > 0 else 'darker'} to the right."


def drawn(y: Tensor, row: int, column: int) -> Image.Image:
    """The picture with the kernel's frame, the kernel, and the feature map up to this place."""
    so_far = y.flatten().clone()
    so_far[row * y.shape[1] + column + 1 :] = float("nan")
    panels = (
        ("picture", PIXELS, ("gray", -0.2, 1), (row, column, 3)),
        ("kernel", KERNEL, ("PuOr_r", -6, 6), None),
        ("feature map", so_far.view_as(y), ("PuOr_r", -6, 6), (row, column, 1)),
    )
    with plt.rc_context({**LOOK, "axes.spines.right": True, "axes.spines.top": True}):
        figure = Figure(figsize=INCHES, dpi=DOTS, layout="constrained")
        places = figure.subplots(1, 3, width_ratios=[matrix.shape[1] for _, matrix, *_ in panels])
        for axes, (title, matrix, colours, frame) in zip(places, panels, strict=True):
            draw(axes, matrix, colours)
            axes.set_title(title)
            if frame:
                top, left, side = frame
                corner, color = (left - 0.5, top - 0.5), RED if side > 1 else BLACK
                axes.add_patch(
                    Rectangle(
                        corner, side, side, fill=False, ec=color, lw=3, clip_on=False, zorder=3
                    )
                )
        file = io.BytesIO()
        figure.savefig(file)
    return Image.open(file).convert("RGB").quantize(64)


def draw(axes: Axes, matrix: Tensor, colours: tuple[str, float, float]) -> None:
    """A matrix as coloured cells with their numbers; a cell without a number stays white."""
    name, least, most = colours
    axes.imshow(matrix.numpy(), cmap=name, vmin=least, vmax=most)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for (row, column), value in zip(
        torch.cartesian_prod(*map(torch.arange, matrix.shape)).tolist(),
        matrix.flatten().tolist(),
        strict=True,
    ):
        if value == value:
            words = f"{value:g}".replace("-", "−")
            color = "white" if name == "gray" and value < 0.5 else "black"
            axes.text(column, row, words, ha="center", va="center", fontsize=11, color=color)


def kept(picture: Tensor, name: str) -> str:
    """Write a picture, as good as it can be in so many bytes, and return its name."""
    for quality in QUALITIES:
        file = io.BytesIO()
        to_pil(picture).save(file, format="JPEG", quality=quality, optimize=True)
        if file.tell() <= MOST_BYTES:
            break
    (TARGET / name).write_bytes(file.getvalue())
    return name


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    pieces = {
        "beta": beta(),
        "layers": layers(),
        "before-after": before_after(),
        "kernel": kernel(),
    }
    text = json.dumps(pieces, indent=1, ensure_ascii=False)
    TARGET.with_name("play.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
