"""How far do Adam and the Keras example's SGD get down our loss, from the content picture?"""

from collections.abc import Callable

import common
import descents
import ratios
import recipes
import report
import run
import torch
from torch import Tensor

from stlib import VGG, descend, style_layer_loss, style_target
from stlib.descent import Evaluation, Reason
from stlib.objective import Objective
from stlib.settings import STYLE_LAYERS
from stlib.solver import pixels

NAMES = {"adam": "Adam", "sgd": "Keras example's SGD"}
# tried for a short run of the first pair; Adam's in ranges of a pixel, SGD's in `keras_rate`s
RATES = {"adam": (0.01, 0.03, 0.1), "sgd": (0.1, 0.3, 1.0)}
HOPELESS = 100.0  # times the first loss: a run that gets there has diverged


def measure(size: int = 256, target: int = 300, evaluations: int = 150, trial: int = 60) -> dict:
    """The losses of both methods on each pair, each at the best rate of those tried.

    target, evaluations, trial: evaluations of plain L-BFGS, of each method, and of each rate tried.
    """
    net = VGG(device="cpu")
    pictures = {
        (content, style): (recipes.picture(content, size), recipes.picture(style, size))
        for content, style in run.PAIRS
    }
    p, a = pictures[run.PAIRS[0]]
    rates = {}
    for method, tried in RATES.items():
        ends = {rate: min(METHODS[method](net, p, a, trial, rate)) for rate in tried}
        rates[method] = {"tried": ends, "best": min(ends, key=ends.__getitem__)}
    pairs = []
    for (content, style), (p, a) in pictures.items():
        plain = min(descents.plain(net, p, a, target)["losses"])
        pair = {"content": content, "style": style, "size": size, "target": plain}
        for method in METHODS:
            pair[method] = METHODS[method](net, p, a, evaluations, rates[method]["best"])
        pairs.append(pair)
    return {"rates": rates, "pairs": pairs}


def adam(net: VGG, p: Tensor, a: Tensor, evaluations: int, rate: float) -> list[float]:
    """The losses of Adam on the pixels; rate: in ranges of a pixel."""
    return losses_of(net, p, a, evaluations, lambda x: torch.optim.Adam([x], lr=rate))


def sgd(net: VGG, p: Tensor, a: Tensor, evaluations: int, rate: float) -> list[float]:
    """The losses of gradient descent with the Keras example's schedule: × 0.96 every 100 steps.

    rate: the first one, in multiples of `keras_rate`.
    """
    first = rate * keras_rate(net, p, a)

    def optimizer(x: Tensor) -> torch.optim.Optimizer:
        made = torch.optim.SGD([x], lr=first)
        schedule = torch.optim.lr_scheduler.ExponentialLR(made, 0.96 ** (1 / 100))
        made.register_step_post_hook(lambda *_: schedule.step())
        return made

    return losses_of(net, p, a, evaluations, optimizer)


METHODS = {"adam": adam, "sgd": sgd}


def losses_of(
    net: VGG,
    p: Tensor,
    a: Tensor,
    evaluations: int,
    optimizer: Callable[[Tensor], torch.optim.Optimizer],
) -> list[float]:
    """The losses of an optimiser on the pixels, until the last evaluation or until it diverges."""
    losses = []

    def note(seen: Evaluation) -> Reason | None:
        losses.append(float(f"{seen.losses['total']:.6g}"))
        return Reason.CALLBACK if losses[-1] > HOPELESS * losses[0] else None

    x, picture = pixels(p)
    descend(Objective(net, p, a), x, picture, optimizer(x), evaluations, note)
    return losses


def keras_rate(net: VGG, p: Tensor, a: Tensor) -> float:
    """The rate whose first step down our loss is as long as the Keras example's down its own.

    Its rate of 100 belongs to another loss, of pixels from 0 to 255. At the content picture the
    content loss has no gradient and the total variation next to none, so the style decides.
    """
    x = p.clone().requires_grad_()
    trained = VGG(normalized=False, device="cpu")
    targets = {layer: style_target(F) for layer, F in trained.features(a, STYLE_LAYERS).items()}
    weight = recipes.KERAS_WEIGHTS["style"] / len(STYLE_LAYERS)
    loss = torch.zeros(())
    for layer, F in trained.features(x, STYLE_LAYERS).items():
        N, M = F.shape[1], F.shape[2:].numel()
        as_multiple = (N / 3) ** 2 * (M / x.shape[2:].numel()) ** 2  # of E_l
        loss = loss + weight * as_multiple * style_layer_loss(F, targets[layer])
    (theirs,) = torch.autograd.grad(loss, x)
    (ours,) = torch.autograd.grad(Objective(net, p, a)(x)[0], x)
    return recipes.KERAS_RATE / 255**2 * float(theirs.norm() / ours.norm())


def table(found: dict) -> str:
    rows = []
    for pair in found["pairs"]:
        row = [f"{pair['content']} × {pair['style']}"]
        for method in METHODS:
            arrival = ratios.arrival({"losses": pair[method]}, pair["target"])
            least = min(pair[method]) / pair["target"]
            row.append(f"reached after {arrival}" if arrival else f"{least:.2f}")
        rows.append(row)
    return report.table(["lowest loss, × the target", *NAMES.values()], rows)


if __name__ == "__main__":
    common.answer(__file__, measure, table)
