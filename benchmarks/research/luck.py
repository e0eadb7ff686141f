"""How much of a target is luck? Plain L-BFGS again, from starts that hardly differ."""

import common
import descents
import ratios
import recipes
import report
import run
import torch
from torch import Tensor

from stlib import VGG

# standard deviation of the noise on a start; a rounding error is a tenth of it
NUDGE = 1e-6


def measure(sizes: tuple[int, ...] = (256, 512), evaluations: int = 300) -> dict:
    """The losses of a run of the first pair at each size, and where two nudged ones end."""
    content, style = run.PAIRS[0]
    net = VGG(device="cpu")
    found = {}
    for size in sizes:
        p, a = recipes.picture(content, size), recipes.picture(style, size)
        nudged = [descents.plain(net, p, a, evaluations, nudge(p, seed)) for seed in range(2)]
        found[str(size)] = {
            "losses": descents.plain(net, p, a, evaluations)["losses"],
            "ends": [min(other["losses"]) for other in nudged],
        }
    return {"pair": [content, style], "sizes": found}


def nudge(picture: Tensor, seed: int) -> Tensor:
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(seed))
    return picture + NUDGE * noise


def table(found: dict) -> str:
    rows = []
    for size, draws in found["sizes"].items():
        end = min(draws["losses"])
        others = [other / end for other in draws["ends"]]
        apart = max(abs(other - 1) for other in others)
        close = ratios.arrival(draws, (1 + apart) * end)
        words = " and ".join(f"{other:.3f}" for other in others)
        rows.append([f"{size} px", words, f"{close} of {len(draws['losses'])}"])
    head = ["size", "the others end at, × its end", "evaluations after which it is as close"]
    return report.table(head, rows)


if __name__ == "__main__":
    common.answer(__file__, measure, table)
