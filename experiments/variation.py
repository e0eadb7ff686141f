"""What does a total-variation term take away: only grain, or style too?

The paper's loop with tv · TV(x) added to the loss, from noise, where grain is worst, and from the
photo. If the term cost what the two losses want, they would rise with it. Beside it the total
variation of the photo and of the painting, which a picture without grain should not be far from.
"""

from experiments.bench import Case, Measured
from experiments.pairs import PAIRS, judged, pair, variation_per_value
from stlib import VGG, style_transfer

SMALL = {"pair": PAIRS[0], "size": 64, "steps": 8, "start": "noise", "tv": 30.0}
CASES = [
    {"pair": name, "size": 384, "steps": 100, "start": start, "tv": tv}
    for name in PAIRS
    for start, tvs in (("noise", (0.0, 30.0, 100.0)), ("content", (0.0,)))
    for tv in tvs
]


def measure(case: Case) -> Measured:
    """Total variation per pixel value, L_content as a mean square, and E_l, of the result."""
    content, style = pair(case["pair"], case["size"])
    net = VGG()
    result = style_transfer(
        content,
        style,
        net=net,
        init=case["start"],
        tv=case["tv"],
        solver="plain",
        steps=case["steps"],
        progress=False,
    ).image
    numbers = {
        "variation": {
            "result": variation_per_value(result),
            "photo": variation_per_value(content),
            "painting": variation_per_value(style),
        },
        **judged(net, content, style, result),
    }
    return Measured(numbers, {"result": result})
