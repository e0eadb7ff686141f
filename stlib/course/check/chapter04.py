"""The exercises of chapter 04: content loss."""

import torch
import torch.nn.functional as nnf
from torch import Tensor

from stlib._language import tr
from stlib.course.check.answer import Function, Wrong
from stlib.course.check.compare import Words, kind
from stlib.course.check.exercise import Rule, exercise

AUTOGRAD = ("backward", "grad")  # torch.func and torch.autograd.functional call grad, too


def _rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


LOST = tr(
    "Do you leave torch on the way (item, float, numpy, detach), for a part of the loss perhaps?"
)


@exercise(
    cases=[
        (_rand(2, 2, 3), _rand(2, 2, 3, seed=1), torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.2, 1.0]])),
        (_rand(1, 4, 5, 6), _rand(1, 4, 5, 6, seed=1), _rand(5, 6, seed=2)),
    ],
    given=lambda features, target, weights: tr(
        "features and a target of the shape {shape}, with {weights} weights"
    ).format(shape=list(target.shape), weights=list(weights.shape)),
    mistakes=[
        (
            lambda F, P, w: (F - P).square().sum() / 2,
            tr("Every position counts the same. Where do the weights come in?"),
        ),
        (
            lambda F, P, w: (w * (F - P)).square().sum() / 2,
            tr("You square the weights, too: a weight of one half has to count half."),
        ),
        (
            lambda F, P, w: (w * F - P).square().sum() / 2,
            tr("Your weights change the features. They should say how much a difference counts."),
        ),
        (
            lambda F, P, w: (w * (F - P).square()).sum(),
            tr("What is missing so that the gradient has no factor 2?"),
        ),
        (
            lambda F, P, w: (w * (F - P).square()).mean() / 2,
            tr("Eq. (1) has a sum, this is a mean."),
        ),
        (lambda F, P, w: (w * (F - P).square()).mean(), tr("Eq. (1) has a sum, this is a mean.")),
        (
            lambda F, P, w: (w * (F - P).square()).sum() / w.sum() / 2,
            tr("Why divide? With all weights 1 your loss should be eq. (1)."),
        ),
        (
            lambda F, P, w: (w * (F - P).abs()).sum() / 2,
            tr("The differences are squared before they are added up."),
        ),
        (
            lambda F, P, w: w * (F - P).square() / 2,
            tr("Eq. (1) adds up over all positions and channels."),
        ),
        (
            lambda F, P, w: ((F - P).square() * (w > 0)).sum() / 2,
            tr("A weight may lie between 0 and 1."),
        ),
        (lambda F, P, w: (w * (F - P).square()).sum().item() / 2, LOST),
        (lambda F, P, w: (w * (F.detach() - P).square()).sum() / 2, LOST),
    ],
    gradient_of="features",
    lost=LOST,
    hint=tr("With all weights 1 it should be eq. (1), with all weights 0 it should be 0."),
    praise=tr("With weights of 1 it is eq. (1); where the weight is 0, the picture is free."),
)
def weighted_content_loss(features: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Chapter 04: the content loss with a weight for each position."""
    return (weights * (features - target).square()).sum() / 2


def _at_z(x: Tensor, W: Tensor, target: Tensor) -> Tensor:
    z = W @ x
    return torch.where(z > 0, z - target, 0.0)


def _by_autograd(x: Tensor, W: Tensor, target: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    ((nnf.relu(W @ x) - target).square().sum() / 2).backward()
    assert x.grad is not None
    return x.grad


BY_HAND = tr("Without autograd, please: which three steps go back from L to x?")


@exercise(
    cases=[
        (  # z is [[-1, 2, 0], [3, 0, 1]]: below, above and at the edge of the ReLU
            torch.tensor([[-1.0, 2.0, 0.0], [3.0, 0.0, 1.0]]),
            torch.eye(2),
            torch.tensor([[1.0, 0.5, 1.0], [0.5, 0.5, 2.0]]),
        ),
        (_rand(3, 5), _rand(4, 3, seed=1) - 0.5, _rand(4, 5, seed=2)),
        (_rand(2, 4, seed=3), _rand(2, 2, seed=4) - 0.3, _rand(2, 4, seed=5)),
    ],
    mistakes=[
        (
            lambda x, W, P: W.T @ (nnf.relu(W @ x) - P),
            tr("What does a ReLU that was silent pass on?"),
        ),
        (
            lambda x, W, P: W.T @ ((nnf.relu(W @ x) - P) * (W @ x >= 0)),
            tr("Is a ReLU silent at z = 0? PyTorch's is."),
        ),
        (lambda x, W, P: W.T @ (W @ x - P), tr("The features are what the ReLU makes of z.")),
        (
            lambda x, W, P: _at_z(x, W, P),
            tr("This is the gradient at z. One more step leads to x."),
        ),
        (
            lambda x, W, P: nnf.relu(W @ x) - P,
            tr("This is the gradient at the features. Two more steps lead to x."),
        ),
        (lambda x, W, P: W @ _at_z(x, W, P), tr("Forward it was W. What is it on the way back?")),
        (
            lambda x, W, P: -W.T @ _at_z(x, W, P),
            tr("The sign is turned: a gradient points to where L grows."),
        ),
        (lambda x, W, P: 2 * W.T @ _at_z(x, W, P), tr("Where does the factor 2 come from?")),
        (
            lambda x, W, P: W.T @ (_at_z(x, W, P) * nnf.relu(W @ x)),
            tr("A ReLU passes on all or nothing."),
        ),
        (_by_autograd, BY_HAND),
    ],
    rule=Rule(BY_HAND, AUTOGRAD),
    hint=tr("Go back one step at a time: through the loss, through the ReLU, through W."),
    praise=tr("That is backpropagation: eq. (2), the mask of the ReLU, and W turned over."),
)
def content_gradient(x: Tensor, W: Tensor, target: Tensor) -> Tensor:
    """Chapter 04: the gradient of the content loss of relu(W x) with respect to x."""
    return W.T @ _at_z(x, W, target)


Quality = dict[str, float]
FALLING = {"relu1_1": 40.0, "relu2_1": 34.0, "relu3_1": 24.0, "relu4_1": 19.0, "relu5_1": 17.0}
BUMPY = {"relu1_1": 21.0, "relu2_1": 13.5, "relu3_1": 14.5, "relu4_1": 9.0}
RISING = {"relu1_1": 30.0, "relu2_1": 15.0, "relu3_1": 17.0}


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


def _as_given(quality: Quality, needed: float) -> str:
    """The function that is to be mended."""
    for layer, decibels in quality.items():
        if decibels > needed:
            chosen = layer
        else:
            break
    return chosen


EXACTLY = tr("Is exactly `needed` good enough?")
NONE = tr("What should come back when no layer is good enough?")


@exercise(
    cases=[
        *((FALLING, needed) for needed in (20.0, 19.0, 39.0, 50.0)),
        (BUMPY, 14.0),
        (RISING, 14.0),
    ],
    mistakes=[
        (_as_given, tr("All three bugs are still there.")),
        (
            lambda quality, needed: _until_the_first_bad_one(quality, needed + 1e-9),
            tr(
                "Two bugs are left. Is exactly `needed` good enough? And may the PSNR rise again "
                "after a bad layer?"
            ),
        ),
        (
            _until_the_first_bad_one,
            tr("The PSNR may rise again. Does your search stop at the first bad layer?"),
        ),
        (lambda quality, needed: _deepest(quality, needed + 1e-9), EXACTLY),
        (
            lambda quality, needed: _good(quality, needed + 1e-9)[-1],
            tr(
                "Is exactly `needed` good enough? And what should come back when no layer is good "
                "enough?"
            ),
        ),
        (
            lambda quality, needed: max(quality, key=quality.__getitem__),
            tr(
                "That is the layer with the best picture. Which is the deepest that is good enough?"
            ),
        ),
        (
            lambda quality, needed: next(iter(_good(quality, needed)), None),
            tr("That layer is good enough, but is it the deepest?"),
        ),
        (
            lambda quality, needed: min(
                _good(quality, needed), key=quality.__getitem__, default=None
            ),
            tr("That is the good layer with the worst picture. Is it always the deepest?"),
        ),
        (
            lambda quality, needed: next((x for x in quality if quality[x] < needed), None),
            tr("That layer is not good enough."),
        ),
        *(
            (wrong, NONE)
            for wrong in (
                lambda quality, needed: _good(quality, needed)[-1],
                lambda quality, needed: _deepest(quality, needed) or "relu1_1",
                lambda quality, needed: _deepest(quality, needed) or "",
            )
        ),
        (
            lambda quality, needed: quality.get(_deepest(quality, needed) or ""),
            tr("That is its PSNR. The name of the layer is asked for."),
        ),
        (_good, tr("These are all good layers. Which of them is the deepest?")),
    ],
    hint=tr("Which layers are good enough, and which of them is the deepest?"),
    praise=tr("As much freedom as the picture allows."),
)
def choose_layer(quality: Quality, needed: float) -> str | None:
    """Chapter 04: the deepest layer from which the picture can be rebuilt well enough."""
    return _deepest(quality, needed)


AVERAGES = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]])


def _seen(answer: Function, A: Tensor) -> Words:
    """What the layer A sees of a change, in words."""
    v = answer(A)
    if not isinstance(v, Tensor) or v.shape != A.shape[1:]:
        raise Wrong(
            tr("the result is {thing}, expected a tensor of the shape {shape}").format(
                thing=kind(v), shape=list(A.shape[1:])
            )
        )
    v = v.detach().to(A.dtype)
    length, seen = float(v.norm()), float((A @ v).norm())
    if not length < float("inf"):
        return Words(tr("a change that is not finite"))
    if length < 1e-3:
        return Words(tr("no change at all"))
    if seen > 2e-3 * length * float(torch.linalg.matrix_norm(A, ord=2)):
        return Words(tr("a change that the layer sees"))
    if abs(length - 1) > 2e-3:
        return Words(tr("a change that the layer does not see, but of another length"))
    return Words(tr("a change of length 1 that the layer does not see"))


def _projected(A: Tensor) -> Tensor:
    v = _rand(A.shape[1], seed=9)
    return v - torch.linalg.pinv(A) @ (A @ v)


@exercise(
    cases=[(AVERAGES,), (_rand(3, 6) - 0.5,), (_rand(1, 3, seed=1),)],
    look=_seen,
    mistakes=[
        (
            lambda A: torch.zeros(A.shape[1]),
            tr("No layer sees a change of nothing. How long is v?"),
        ),
        (_projected, tr("Only the length is wrong: what do you divide by?")),
        (
            lambda A: A[0] / A[0].norm(),
            tr("What is A @ v for your v, and which part of v does that come from?"),
        ),
        (lambda A: _projected(A) / 0, tr("What do you divide by?")),
    ],
    hint=tr("What is A @ v for your v, and how long is v?"),
    praise=tr("Add it to any picture, as strongly as you like: this layer reports nothing."),
)
def hidden_change(A: Tensor) -> Tensor:
    """Chapter 04: a change of length 1 that a linear layer with the weights A does not see."""
    return _projected(A) / _projected(A).norm()
