"""Does a part of the painting appear at the picture's edge, where it is in the painting?

The paper's loop with the padding as trained (zeros), and with replicated edges and a mirrored
margin around the painting; each with the painting, and with its mirror image. If the likeness at
the edge were chance, mirroring the painting would not move it to the other side.
"""

from experiments.bench import Case, Measured
from experiments.pairs import PAIRS, pair
from stlib import VGG, style_transfer
from stlib.course.quality import border_ghost, mirror_ghost

SMALL = {"pair": PAIRS[0], "size": 96, "steps": 10, "padding": "zero"}
CASES = [
    {"pair": name, "size": 384, "steps": 100, "padding": padding}
    for name in PAIRS
    for padding in ("zero", "replicate")
]


def measure(case: Case) -> Measured:
    """The ghost in the picture, in that after the mirrored painting, and in both together."""
    content, style = pair(case["pair"], case["size"])
    net = VGG()

    def paint(painting):
        return style_transfer(
            content,
            painting,
            net=net,
            solver="plain",
            padding=case["padding"],
            steps=case["steps"],
            progress=False,
        ).image

    result, mirrored = paint(style), paint(style.flip(3))
    ghosts = {
        "one picture": border_ghost(result, content, style),
        "mirrored painting": border_ghost(mirrored, content, style),
        "both": mirror_ghost(result, mirrored, style),
    }
    numbers = {
        name: {"correlation": ghost.value, "chance": ghost.mean, "deviation": ghost.deviation}
        for name, ghost in ghosts.items()
    }
    return Measured(numbers, {"result": result, "mirrored": mirrored})
