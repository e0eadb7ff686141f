"""What does training buy, and what does the architecture do alone?

Style transfer and the rebuilding of a photo with VGG-19 as trained, and with the same layers and
random weights, as K. He, Y. Wang & J. Hopcroft ("A powerful generative model using random weights
for the deep image representation", NIPS 2016) have tried. The judge of all pictures is the trained
network. Random channels are left as loud as they are: normalising blows the nearly silent ones up
until nothing but the photo satisfies the loss.
"""

import torch

from experiments.bench import Case, Measured
from experiments.pairs import PAIRS, PHOTOS, pair
from stlib import VGG, sample, style_transfer
from stlib.course.explain import invert, psnr
from stlib.objective import Objective
from stlib.settings import Settings
from stlib.weights import load_weights

SMALL = {"do": "rebuild", "photo": "cat", "size": 64, "layer": "relu3_1", "steps": 10,
         "network": "random", "seed": 0}  # fmt: skip
NETWORKS = (("trained", 0), ("random", 0), ("random", 1))
CASES = [
    *(
        {"do": "paint", "pair": name, "size": 384, "steps": 100, "network": kind, "seed": seed}
        for name in PAIRS
        for kind, seed in NETWORKS[: 3 if name == PAIRS[0] else 2]
    ),
    *(
        {"do": "rebuild", "photo": photo, "size": 192, "layer": layer, "steps": 100,
         "network": kind, "seed": seed}
        for photo in PHOTOS
        for layer in ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
        for kind, seed in NETWORKS[:2]
    ),
]  # fmt: skip


def measure(case: Case) -> Measured:
    """Paint or rebuild with one of the networks."""
    net = _network(case["network"], case["seed"])
    if case["do"] == "rebuild":
        photo = sample(case["photo"], case["size"])
        rebuilt = invert(net, photo, case["layer"], steps=case["steps"], progress=False)
        return Measured({"PSNR": psnr(rebuilt, photo)}, {"rebuilt": rebuilt})
    content, style = pair(case["pair"], case["size"])
    result = style_transfer(
        content, style, net=net, solver="plain", steps=case["steps"], progress=False
    )
    objective = Objective(VGG(), content, style, Settings())
    numbers = {}
    for name, x in (("photo", content), ("result", result.image)):
        with torch.no_grad():
            _, losses = objective(x)
        numbers[name] = {
            "content": 2 * losses["content"] / objective.P["relu4_2"].numel(),
            "E": {layer: losses[layer] for layer in objective.w},
        }
    return Measured(numbers, {"result": result.image})


def _network(kind: str, seed: int) -> VGG:
    if kind == "trained":
        return VGG()
    return VGG(weights=load_weights("random", seed=seed), normalized=False)
