"""Draw figures/result.png, the pictures of the README: python figures/result.py"""

import matplotlib.pyplot as plt
import torch
from drawing import save
from matplotlib.figure import Figure

from stlib import sample, style_transfer, to_pil
from stlib.course.show import LOOK

NAME = "result.png"
DESCRIPTION = (  # what the figure says, as the PNG carries it along
    "A photo of a castle by a lake, Van Gogh's painting of a cafe at night, and the castle painted "
    "with the cafe's violet and golden strokes."
)
SIZE = 384  # of the pictures, in pixels


def draw(content: torch.Tensor, style: torch.Tensor, generated: torch.Tensor) -> Figure:
    """The three pictures side by side."""
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(
            1,
            3,
            figsize=(11, 3.3),
            layout="constrained",
            width_ratios=[image.shape[3] / image.shape[2] for image in (content, style, generated)],
        )
        for place, image, caption in zip(
            axes,
            (content, style, generated),
            ("a photo", "a painting", "the photo, painted"),
            strict=True,
        ):
            place.imshow(to_pil(image))
            place.set_title(caption, fontsize=12)
            place.axis("off")
    return figure


def main() -> None:
    content, style = sample("castle", SIZE), sample("cafe-terrace", SIZE)
    generated = style_transfer(content, style).image
    save(draw(content, style, generated), NAME, DESCRIPTION)


if __name__ == "__main__":
    main()
