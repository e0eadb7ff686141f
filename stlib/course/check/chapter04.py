"""The exercises of chapter 04: content loss."""

import torch
import torch.nn.functional as nnf
from torch import Tensor

from stlib.course.check.exercise import Rule, exercise

AUTOGRAD = ("backward", "grad")  # torch.func and torch.autograd.functional call grad, too


def _rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


LOST = "Do you leave torch on the way (item, float, numpy, detach), for a part of the loss perhaps?"


@exercise(
    cases=[(_rand(2, 3), _rand(2, 3, seed=1)), (_rand(1, 4, 5, 6), _rand(1, 4, 5, 6, seed=1))],
    given=lambda features, target: f"features and a target of the shape {list(target.shape)}",
    mistakes=[
        (
            lambda F, P: (F - P).square().sum(),
            "What is missing so that the gradient has no factor 2?",
        ),
        (lambda F, P: (F - P).square().mean(), "Eq. (1) has a sum, this is a mean."),
        (lambda F, P: (F - P).square().mean() / 2, "Eq. (1) has a sum, this is a mean."),
        (
            lambda F, P: (F - P).abs().sum() / 2,
            "The differences are squared before they are added up.",
        ),
        (lambda F, P: (F - P).sum() ** 2 / 2, "Square first, then add up."),
        (lambda F, P: (F - P).norm(), "There is no root in eq. (1)."),
        (lambda F, P: (F - P).square() / 2, "Eq. (1) adds up over all positions and channels."),
        (lambda F, P: ((F - P).square().sum() / 2).item(), LOST),
        (lambda F, P: (F.detach() - P).square().sum() / 2, LOST),
        (lambda F, P: (F.detach() - P).square().sum() / 2 + 0 * F.sum(), LOST),
    ],
    gradient_of="features",
    lost=LOST,
    hint="Compare with eq. (1), factor by factor.",
    praise="Its gradient is F − P.",
)
def write_content_loss(features: Tensor, target: Tensor) -> Tensor:
    """Chapter 04: half of the sum of the squared differences, with its gradient."""
    return (features - target).square().sum() / 2


def _masked(z: Tensor, target: Tensor) -> Tensor:
    return torch.where(z > 0, z - target, 0.0)


def _by_autograd(z: Tensor, target: Tensor) -> Tensor:
    z = z.clone().requires_grad_()
    ((nnf.relu(z) - target).square().sum() / 2).backward()
    assert z.grad is not None
    return z.grad


BY_HAND = "Without autograd, please: what do eq. (2) and then the ReLU do to one number of z?"


@exercise(
    cases=[
        (
            torch.tensor([[-1.0, 2.0, 0.5], [3.0, 0.0, 1.0]]),
            torch.tensor([[1.0, 0.5, 1.0], [0.0, 0.5, 1.0]]),
        ),
        (_rand(1, 4, 5, 6) - 0.5, _rand(1, 4, 5, 6, seed=1)),
    ],
    mistakes=[
        (lambda z, P: z - P, "The features are what the ReLU makes of z."),
        (lambda z, P: nnf.relu(z) - P, "What does a ReLU that was silent pass on?"),
        (lambda z, P: (nnf.relu(z) - P) * (z >= 0), "Is a ReLU silent at z = 0? PyTorch's is."),
        (lambda z, P: -_masked(z, P), "The sign is turned: a gradient points to where L grows."),
        (lambda z, P: 2 * _masked(z, P), "Where does the factor 2 come from?"),
        (lambda z, P: _masked(z, P) * nnf.relu(z), "A ReLU passes on all or nothing."),
        (lambda z, P: _masked(z, P).sum(), "Every number in z has a derivative of its own."),
        (
            lambda z, P: _masked(z, P) * (z.ndim == 2),
            "It was right for a small example: does it depend on the shape?",
        ),
        (_by_autograd, BY_HAND),
    ],
    rule=Rule(BY_HAND, AUTOGRAD),
    hint="Begin with eq. (2), then go one step back through the ReLU.",
    praise="This is the paper's eq. (2), mask and all.",
)
def content_gradient(z: Tensor, target: Tensor) -> Tensor:
    """Chapter 04: the gradient of the content loss with respect to the input of the ReLU."""
    return _masked(z, target)


Quality = dict[str, float]
FALLING = {"relu1_1": 40.0, "relu2_1": 34.0, "relu3_1": 24.0, "relu4_1": 19.0, "relu5_1": 17.0}
BUMPY = {"relu1_1": 21.0, "relu2_1": 13.5, "relu3_1": 14.5, "relu4_1": 9.0}


def _good(quality: Quality, needed: float) -> list[str]:
    return [layer for layer, decibels in quality.items() if decibels >= needed]


def _deepest(quality: Quality, needed: float) -> str | None:
    return max(_good(quality, needed), key=[*quality].index, default=None)


def _until_the_first_bad_one(quality: Quality, needed: float) -> str | None:
    chosen = None
    for layer, decibels in quality.items():
        if decibels < needed:
            break
        chosen = layer
    return chosen


@exercise(
    cases=[(FALLING, 20.0), (FALLING, 19.0), (FALLING, 39.0), (BUMPY, 14.0), (FALLING, 50.0)],
    mistakes=[
        (
            _until_the_first_bad_one,
            "The PSNR may rise again. Does your search stop at the first bad layer?",
        ),
        (
            lambda quality, needed: _deepest(quality, needed + 1e-9),
            "Is exactly `needed` good enough?",
        ),
        (
            lambda quality, needed: max(quality, key=quality.__getitem__),
            "That is the layer with the best picture. Which is the deepest that is good enough?",
        ),
        (
            lambda quality, needed: next(iter(_good(quality, needed)), None),
            "That layer is good enough, but is it the deepest?",
        ),
        (
            lambda quality, needed: next((x for x in quality if quality[x] < needed), None),
            "That layer is not good enough.",
        ),
        *(
            (wrong, "What should come back when no layer is good enough?")
            for wrong in (
                lambda quality, needed: _good(quality, needed)[-1],
                lambda quality, needed: _deepest(quality, needed) or "relu1_1",
                lambda quality, needed: _deepest(quality, needed) or "",
            )
        ),
        (
            lambda quality, needed: quality.get(_deepest(quality, needed) or ""),
            "That is its PSNR. The name of the layer is asked for.",
        ),
        (_good, "These are all good layers. Which of them is the deepest?"),
    ],
    hint="Which layers are good enough, and which of them is the deepest?",
    praise="As much freedom as the picture allows.",
)
def choose_layer(quality: Quality, needed: float) -> str | None:
    """Chapter 04: the deepest layer from which the picture can be rebuilt well enough."""
    return _deepest(quality, needed)
