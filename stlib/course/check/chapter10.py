"""The exercises of chapter 10: silent bugs. The pictures of its quiz are painted here, out of the reader's sight."""

import copy
import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from stlib.course.check.exercise import Wrong, call, checker, same_number, same_tensor
from stlib.losses import content_loss, gram_matrix, style_layer_losses, style_loss, style_target
from stlib.objective import Objective
from stlib.settings import STYLE_LAYERS
from stlib.vgg import VGG

BUGS = (
    "in-place ReLU",
    "preprocessing",
    "clamping",
    "unfrozen",
    "raw Gram",
    "layer names",
    "recomputed targets",
    "no bug",
)
_PAINTED_WITH = {
    "A": "layer names",
    "B": "no bug",
    "C": "recomputed targets",
    "D": "preprocessing",
    "E": "unfrozen",
    "F": "in-place ReLU",
    "G": "raw Gram",
    "H": "clamping",
}


@dataclass(frozen=True)
class Mystery:
    """A picture of the quiz and what its loop noted.

    image: [1, 3, H, W], clamped. content, style: L_content and L_style of each evaluation, as the loop computed them.
    total: the lowest total loss by the loop's own account. judged: the right total loss of the picture, of which the loop
    knew nothing. outside: share of values outside 0…1 in the last picture evaluated.
    """

    image: Tensor
    content: list[float]
    style: list[float]
    total: float
    judged: float
    outside: float


def mysteries(
    net: VGG, content: Tensor, style: Tensor, evaluations: int = 20
) -> dict[str, Mystery]:
    """Paint the quiz's pictures: the same pictures and budget, and a bug, or none, in each loop."""
    judge = Objective(net, content, style)
    return {
        letter: _paint(bug, net, content, style, judge, evaluations)
        for letter, bug in _PAINTED_WITH.items()
    }


def _paint(
    bug: str, net: VGG, content: Tensor, style: Tensor, judge: Objective, evaluations: int
) -> Mystery:
    x, best, notes = content.clone().requires_grad_(), (math.inf, content), []
    if bug == "unfrozen":
        net = copy.deepcopy(net).requires_grad_(True)
        optimiser = torch.optim.Adam(
            [{"params": [x], "lr": 0.02}, {"params": list(net.parameters()), "lr": 1e-5}]
        )
    else:
        optimiser = torch.optim.LBFGS(
            [x],
            max_iter=evaluations,
            max_eval=evaluations,
            history_size=10,
            tolerance_grad=0,
            tolerance_change=0,
            line_search_fn="strong_wolfe",
        )
    losses_of = _losses(bug, net, content, style)

    def closure() -> Tensor:
        nonlocal best
        optimiser.zero_grad()
        if bug == "clamping":
            x.data.clamp_(0, 1)
        L_content, L_style = losses_of(x)
        total = L_content + judge.beta * L_style
        total.backward()
        outside = float(((x < 0) | (x > 1)).float().mean())
        notes.append((float(L_content.detach()), float(L_style.detach()), outside))
        if total.item() < best[0]:
            best = total.item(), x.detach().clamp(0, 1)
        return total

    while len(notes) < evaluations:
        optimiser.step(closure)
    L_content, L_style, outside = map(list, zip(*notes[:evaluations], strict=True))
    with torch.no_grad():
        judged = float(judge(best[1])[0])
    return Mystery(best[1], L_content, L_style, best[0], judged, outside[-1])


def _losses(
    bug: str, net: VGG, content: Tensor, style: Tensor
) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    content_layer = "conv4_2" if bug == "in-place ReLU" else "relu4_2"
    style_layers = list(STYLE_LAYERS)
    if bug == "layer names":
        style_layers = [name for name in net.names if name.startswith("relu")][:5]
    if bug == "preprocessing":
        net = copy.copy(net)
        net.preprocess = dataclasses.replace(net.preprocess, std=(1.0, 1.0, 1.0))

    def features(image: Tensor, layers: list[str]) -> dict[str, Tensor]:
        found = net.features(image, layers)
        deepest = max(layers, key=net.names.index)  # nothing comes after it that could overwrite it
        return {
            layer: f.relu() if layer.startswith("conv") and layer != deepest else f
            for layer, f in found.items()
        }

    def gram(f: Tensor) -> Tensor:
        return gram_matrix(f) if bug == "raw Gram" else style_target(f)

    with torch.no_grad():
        P = features(content, [content_layer])[content_layer]
        targets = {layer: gram(f) for layer, f in features(style, style_layers).items()}

    def losses_of(x: Tensor) -> tuple[Tensor, Tensor]:
        F = features(x, [content_layer, *style_layers])
        target = (
            features(x.detach(), [content_layer])[content_layer]
            if bug == "recomputed targets"
            else P
        )
        A = (
            {layer: A / F[layer][0, 0].numel() for layer, A in targets.items()}
            if bug == "raw Gram"
            else targets
        )
        return content_loss(F[content_layer], target), style_loss(style_layer_losses(F, A))

    return losses_of


_HINTS = {
    "in-place ReLU": "What should the content loss of the content picture be, in evaluation 0?",
    "preprocessing": "How much has this loop changed the photo, and how large are its losses next to those of the others?",
    "clamping": "Look at the last column: what does every other L-BFGS loop do, and this one never?",
    "unfrozen": "Two columns claim to be the total loss of this picture. Which of them could have been bent?",
    "raw Gram": "How does its first style loss compare with that of the others, and how do its contrasts look?",
    "layer names": "Colours are there. Which patterns of the painting are missing, and which layers would see them?",
    "recomputed targets": "Follow its content loss from the first evaluation to the last.",
    "no bug": "Is there a number in its row that is suspicious at all?",
}


@checker
def name_the_bug(answer) -> str:
    """Chapter 10: which bug painted which picture of the quiz; the answer is a dict or a function that returns one."""
    given = call(answer) if callable(answer) else answer
    if not isinstance(given, dict):
        raise Wrong(
            f"the result is a {type(given).__name__}, expected a dict such as {{'A': 'raw Gram', …}}."
        )
    unknown = [letter for letter in given if letter not in _PAINTED_WITH]
    if unknown:
        raise Wrong(
            f"there is no picture {unknown[0]!r}; the pictures are {', '.join(_PAINTED_WITH)}."
        )
    lines = []
    for letter, bug in _PAINTED_WITH.items():
        if letter not in given:
            lines.append(f"  {letter}: no name yet. {_HINTS[bug]}")
        elif given[letter] not in BUGS:
            lines.append(
                f"  {letter}: {given[letter]!r} is not in the list. The names are {', '.join(BUGS)}."
            )
        elif given[letter] != bug:
            lines.append(f"  {letter}: not {given[letter]}. {_HINTS[bug]}")
    if lines:
        raise Wrong(
            "\n".join(
                [f"{len(_PAINTED_WITH) - len(lines)} of {len(_PAINTED_WITH)} names fit.", *lines]
            )
        )
    return "All eight, and none of them had raised an exception."


COMPLAINTS = ("overwritten", "unfrozen", "spoils the picture")


@checker
def suspects(answer) -> str:
    """Chapter 10: which of three silent bugs a function `features(image, layers)` has."""
    picture = torch.rand(1, 3, 6, 7, generator=torch.Generator().manual_seed(10))
    cases = [(set(bugs), 0.0) for count in range(4) for bugs in combinations(COMPLAINTS, count)]
    for bugs, bias in [*cases, (set(), 50.0), ({"unfrozen"}, 50.0)]:
        kind = (
            "a sound network"
            if not bugs
            else f"a network with the bug{'s' * (len(bugs) > 1)} {_listed(bugs)}"
        )
        if bias:
            kind += ", all of whose convolutions give values above 0,"
        got = call(answer, _features_with(bugs, bias), picture.clone())
        if isinstance(got, str) or not isinstance(got, (set, frozenset, list, tuple)):
            raise Wrong(
                f"for {kind} the result is {got!r}, expected a set of words, empty if nothing is wrong."
            )
        if strange := [word for word in got if word not in COMPLAINTS]:
            raise Wrong(
                f"for {kind} one word is {strange[0]!r}; the words are {_listed(COMPLAINTS)}."
            )
        if set(got) != bugs:
            hint = _suspects_hint(set(got), bugs, bias)
            raise Wrong(
                f"for {kind} the result is {_listed(got)}, expected {_listed(bugs)}. {hint}"
            )
    return "Three questions that need no knowledge of what is inside."


def _features_with(bugs: set[str], bias: float) -> Callable[[Tensor, list[str]], dict[str, Tensor]]:
    """A network of one convolution and one ReLU with the named bugs."""
    filters = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0)).requires_grad_(
        "unfrozen" in bugs
    )

    def features(image: Tensor, layers: list[str]) -> dict[str, Tensor]:
        layers = [layers] if isinstance(layers, str) else list(layers)
        x = image.sub_(0.5) if "spoils the picture" in bugs else image - 0.5
        convolved = torch.nn.functional.conv2d(x, filters) + bias
        found = {"conv1_1": convolved}
        if "relu1_1" in layers:
            found["relu1_1"] = convolved.relu_() if "overwritten" in bugs else convolved.relu()
        return {layer: found[layer] for layer in layers}

    return features


def _suspects_hint(got: set[str], bugs: set[str], bias: float) -> str:
    if "overwritten" in got - bugs:
        if "spoils the picture" in bugs:
            return "If the first call spoils the picture, the second one sees another. What can you give to each call?"
        return (
            "May a convolution not give positive values alone? Compare what it gives with and without its ReLU."
            if bias
            else "Which two results do you compare, and is each a copy of its own?"
        )
    if "overwritten" in bugs - got:
        return "When does the ReLU get a chance to overwrite? Ask for conv1_1 alone, then with relu1_1."
    if "unfrozen" in got ^ bugs:
        return "When the picture asks for no gradient: who else could have asked for one?"
    return "What was the picture before the call, and what is it after?"


def _listed(words) -> str:
    return "{" + ", ".join(sorted(map(repr, words))) + "}"


@checker
def mended_closure(answer) -> str:
    """Chapter 10: a closure without a clamp, without a target that is recomputed, and with a fresh gradient."""
    generator = torch.Generator().manual_seed(10)
    filters = torch.randn(4, 3, 3, 3, generator=generator).requires_grad_()
    content = torch.rand(1, 3, 8, 9, generator=generator)
    x = (3 * torch.rand(1, 3, 8, 9, generator=generator) - 1).requires_grad_()
    seen = []

    def features(image: Tensor) -> Tensor:
        seen.append(image)
        return torch.nn.functional.conv2d(image, filters).relu()

    def expected_at(x: Tensor) -> tuple[float, Tensor]:
        at = x.detach().clone().requires_grad_()
        loss = (features(at) - target).square().sum() / 2
        return float(loss.detach()), torch.autograd.grad(loss, at)[0]

    target = features(content).detach()
    optimiser = torch.optim.SGD([x], lr=0.0)
    start = x.detach().clone()
    seen.clear()
    closure = call(answer, optimiser, x, content, features)
    if not callable(closure):
        raise Wrong(
            f"the result is a {type(closure).__name__}, expected the closure, a function without arguments."
        )
    for evaluation in range(3):
        try:
            loss = closure()
        except RuntimeError as error:
            if "second time" in str(error):
                raise Wrong(
                    f"evaluation {evaluation} stopped: its loss goes backward through the graph of evaluation 0. Which "
                    "tensor was made once and still knows how? It needs no gradient."
                ) from None
            raise
        if loss is None:
            raise Wrong("the closure returns nothing. L-BFGS wants the loss.")
        if not torch.equal(x.detach(), start):
            raise Wrong(
                "the closure changed x. Who alone may move x, and what does L-BFGS believe after your change?"
            )
        calls = len(seen)
        if evaluation == 1 and calls > 3:
            raise Wrong(
                f"two evaluations sent {calls} pictures through the network, expected 3: content once, x twice. "
                "What does not change and could be computed before the loop?"
            )
        value, gradient = expected_at(x)
        same_number(loss, value, f"evaluation {evaluation}", "The loss is ½ Σ (F − P)².")
        if x.grad is None:
            raise Wrong("after the closure x has no gradient. Which step is missing?")
        if torch.allclose(x.grad, (evaluation + 1) * gradient, rtol=1e-4) and evaluation:
            raise Wrong(
                f"in evaluation {evaluation} the gradient is {evaluation + 1} times what it should be. "
                "Who clears the old one?"
            )
        same_tensor(
            x.grad, gradient, f"evaluation {evaluation}", "Which tensors does the loss depend on?"
        )
        del seen[calls:]
    return "x moves by the optimiser's hand alone, the target stays, and each gradient is fresh."
