"""Does average pooling paint another picture than maximum pooling, beyond chance?

The paper found that average pooling gives "slightly more appealing results". The paper's loop from
the photo, with each pooling. A loss of one network says nothing about another, so both networks
judge each result, and total variation needs no network. Chance is the difference between the run
and two others that begin at the photo with noise of one level of 255.
"""

from experiments.bench import Case, Measured
from experiments.pairs import PAIRS, judged, pair, perturbed, variation_per_value
from stlib import VGG, style_transfer

POOLINGS = ("max", "average")
SMALL = {"pair": PAIRS[0], "size": 64, "steps": 5, "pooling": "average", "seed": None}
CASES = [
    {"pair": name, "size": 384, "steps": 100, "pooling": pooling, "seed": None}
    for name in PAIRS
    for pooling in POOLINGS
] + [
    {"pair": PAIRS[0], "size": 384, "steps": 100, "pooling": pooling, "seed": seed}
    for pooling in POOLINGS
    for seed in (1, 2)
]


def measure(case: Case) -> Measured:
    """Total variation per pixel value and, by each network, L_content as a mean square and E_l."""
    content, style = pair(case["pair"], case["size"])
    nets = {pooling: VGG(pooling=pooling) for pooling in POOLINGS}
    start = content if case["seed"] is None else perturbed(content, case["seed"])
    result = style_transfer(
        content,
        style,
        net=nets[case["pooling"]],
        init=start,
        solver="plain",
        steps=case["steps"],
        progress=False,
    ).image
    numbers = {
        "judged by": {
            pooling: judged(net, content, style, result) for pooling, net in nets.items()
        },
        "variation": {
            "result": variation_per_value(result),
            "photo": variation_per_value(content),
            "painting": variation_per_value(style),
        },
    }
    return Measured(numbers, {"result": result})
