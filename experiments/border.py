"""Does a part of the painting appear at the picture's edge, where it is in the painting?

The paper's loop with the padding as trained (zeros), and with replicated edges and a mirrored
margin around the painting; each with the painting, and with its mirror image. If the likeness at
the edge were chance, mirroring the painting would not move it to the other side. Runs that begin at
the photo with noise of one level of 255 show how far chance goes.
"""

from experiments.bench import Case, Measured
from experiments.pairs import PAIRS, pair, perturbed
from stlib import VGG, style_transfer
from stlib.course.quality import border_ghost, mirror_ghost

SMALL = {"pair": PAIRS[0], "size": 96, "steps": 10, "padding": "zero", "seed": None}
CASES = [
    {"pair": name, "size": size, "steps": 100, "padding": padding, "seed": seed}
    for name, size, padding, seed in [
        *((PAIRS[0], 384, padding, None) for padding in ("zero", "replicate")),
        *((PAIRS[0], 256, "zero", seed) for seed in (None, 1, 2, 3)),
        *((name, 384, "zero", None) for name in PAIRS[1:]),
    ]
]


def measure(case: Case) -> Measured:
    """The ghost in the picture, in that after the mirrored painting, and in both together."""
    content, style = pair(case["pair"], case["size"])
    start = content if case["seed"] is None else perturbed(content, case["seed"])
    net = VGG()

    def paint(painting):
        return style_transfer(
            content,
            painting,
            net=net,
            init=start,
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
