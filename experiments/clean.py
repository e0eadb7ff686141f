"""What makes a picture clean, of the parts of the default call?

All parts are there together, none is, or one is left out; PARTS.md has each alone.

The judge is `stlib.course.quality`: grain beside the painting's own, numbers at the end of the
range, the painting's border in the picture, and losses of a network of its own. A part that did
nothing would change a number no more, added or left out, than another start does: chance is the
difference between two runs of the same settings, with other grain (fast) or from the photo with
noise of one level of 255 (plain).
"""

import math
from contextlib import ExitStack
from dataclasses import asdict
from unittest.mock import patch

from experiments.bench import Case, Measured
from experiments.pairs import PAIRS, pair, perturbed
from stlib import VGG, pyramid, solver, style_transfer
from stlib.course.quality import judge
from stlib.settings import CLEAN, PAPER, STYLE_LAYERS, weights_by_block

WEIGHTS = {"style_weights": weights_by_block(STYLE_LAYERS)}
PLAIN = {"solver": "plain"}
# how to paint; `NO_LIMIT` is painted without the fast solver's limit on colours
VARIANTS = {
    "plain": PLAIN | PAPER,
    "default": {},
    "fast, paper's loss": PAPER,
    "default − limit": {},
    "default − overflow": {"overflow": PAPER["overflow"]},
    "default − roughness": {"roughness": PAPER["roughness"]},
    "default − replicate": {"padding": PAPER["padding"]},
    "default − weights": {"style_weights": PAPER["style_weights"]},
    "default − fast": PLAIN | CLEAN | WEIGHTS,
    "fast, paper's loss − limit": PAPER,
    "fast, paper's loss + overflow": PAPER | {"overflow": CLEAN["overflow"]},
    "fast, paper's loss + roughness": PAPER | {"roughness": CLEAN["roughness"]},
    "fast, paper's loss + replicate": PAPER | {"padding": CLEAN["padding"]},
    "colours of the photo": {"colors": "photo"},
    "brightness alone": {"colors": "brightness"},
}
NO_LIMIT = ("default − limit", "fast, paper's loss − limit")
COLOURS = ("colours of the photo", "brightness alone")


def _case(pair, size, variant, seed=0, steps=100):
    return {"pair": pair, "size": size, "variant": variant, "seed": seed, "steps": steps}


SMALL = _case(PAIRS[0], 96, "default − limit", steps=8)
PARTS = [variant for variant in VARIANTS if variant not in COLOURS]
CASES = [
    *(_case(PAIRS[0], 512, variant) for variant in PARTS[:3]),
    *(_case(name, 384, variant) for name in PAIRS[1:] for variant in PARTS[:2]),
    *(_case(PAIRS[0], 512, variant) for variant in PARTS[3:7]),
    *(_case(PAIRS[2], 384, variant) for variant in COLOURS),
    *(_case(PAIRS[0], 512, variant, seed=1) for variant in PARTS[1::-1]),
]


def measure(case: Case) -> Measured:
    """All that `quality.judge` says of the picture."""
    content, style = pair(case["pair"], case["size"])
    settings = dict(VARIANTS[case["variant"]])
    if settings.get("solver") == "plain" and case["seed"]:
        settings["init"] = perturbed(content, case["seed"])
    with ExitStack() as changed:
        if case["variant"] in NO_LIMIT:
            for module in (solver, pyramid):
                changed.enter_context(patch.object(module, "COLOUR_LIMIT", math.inf))
        result = style_transfer(
            content,
            style,
            net=VGG(),
            steps=case["steps"],
            seed=case["seed"],
            progress=False,
            **settings,
        ).image
    return Measured(asdict(judge(result, content, style)), {"result": result})
