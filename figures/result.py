"""Paint the pictures of the README and chapter 00: python figures/result.py (ten minutes)."""

import matplotlib.pyplot as plt
import torch
from drawing import FOLDER, save
from matplotlib.figure import Figure

from stlib import sample, save_image, style_transfer, to_pil
from stlib.course.show import LOOK, tr

NAME = "result.png"
PAINTED = "castle-at-night.jpg"
DESCRIPTION = (  # what the figure says, as the PNG carries it along
    "A photo of a castle by a lake, Van Gogh's painting of a cafe at night, and the castle painted "
    "with the cafe's violet and golden strokes, large."
)
SIZE = 768  # of the painted picture's longer side, in pixels


def draw(content: torch.Tensor, style: torch.Tensor, generated: torch.Tensor) -> Figure:
    """The painted picture, large; what it was made of is small beside it."""
    with plt.rc_context(LOOK):
        figure = plt.figure(figsize=(11, 5.4), layout="constrained")
        axes = figure.subplot_mosaic("ac;bc", width_ratios=[1, 3.1])
        for place, image, caption in (
            ("a", content, tr("a photo")),
            ("b", style, tr("a painting")),
            ("c", generated, tr("the photo, painted")),
        ):
            axes[place].imshow(to_pil(image))
            axes[place].set_title(caption, fontsize=12)
            axes[place].axis("off")
    return figure


def main() -> None:
    content, style = sample("castle", SIZE, enlarge=True), sample("cafe-terrace", SIZE)
    generated = style_transfer(content, style).image
    save_image(generated, FOLDER / PAINTED)
    save(draw(content, style, generated), NAME, DESCRIPTION)


if __name__ == "__main__":
    main()
