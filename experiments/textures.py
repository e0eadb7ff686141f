"""What do the style layers hold, from the first alone to all five?

Textures are painted from noise after a painting, with the style loss alone (L. Gatys, A. Ecker &
M. Bethge, "Texture synthesis using convolutional neural networks", NIPS 2015). E_l of all five
layers is measured, also of those that were not asked. Whether a texture knows where things are is
told by its colours, smoothed: their correlation with the painting's, beside that with its mirror
image.
"""

import torch
from torch import Tensor

from experiments.bench import Case, Measured
from experiments.pairs import PAINTINGS
from stlib import VGG, sample, style_transfer
from stlib.objective import Objective
from stlib.settings import STYLE_LAYERS, Settings

SMALL = {"painting": "cafe-terrace", "size": 64, "layers": 2, "steps": 10, "seed": 0}
CASES = [
    {"painting": painting, "size": 384, "layers": layers, "steps": 200, "seed": seed}
    for painting, layers, seed in [
        *(("cafe-terrace", layers, 0) for layers in (5, 1, 2, 3, 4)),
        *((painting, layers, 0) for layers in (5, 3, 1) for painting in PAINTINGS[1:]),
        ("cafe-terrace", 5, 1),
    ]
]


def measure(case: Case) -> Measured:
    """E_l of the texture and of the noise it came from, and how much it knows of places."""
    painting = sample(case["painting"], case["size"])
    net = VGG()
    texture = style_transfer(
        painting,  # only its size counts
        painting,
        net=net,
        content_layers=[],
        style_layers=STYLE_LAYERS[: case["layers"]],
        init="noise",
        solver="plain",
        steps=case["steps"],
        seed=case["seed"],
        progress=False,
    ).image
    objective = Objective(net, painting, painting, Settings(content_layers=[]))
    noise = torch.rand(painting.shape, generator=torch.Generator().manual_seed(case["seed"]))
    with torch.no_grad():
        E = {
            name: {layer: float(loss) for layer, loss in objective.style_layer_losses(x).items()}
            for name, x in (("texture", texture), ("noise", noise))
        }
    places = {
        "as painted": _likeness(texture, painting),
        "mirrored": _likeness(texture, painting.flip(3)),
    }
    return Measured({"E": E, "likeness of smoothed colours": places}, {"texture": texture})


def _likeness(texture: Tensor, painting: Tensor) -> float:
    """The correlation of two pictures that are smoothed to a few pixels on each side."""
    few = (6, 6)
    smooth = [torch.nn.functional.adaptive_avg_pool2d(x, few) for x in (texture, painting)]
    centred = [x - x.mean(dim=(2, 3), keepdim=True) for x in smooth]
    return float(torch.corrcoef(torch.stack([x.flatten() for x in centred]))[0, 1])
