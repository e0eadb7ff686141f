"""The exercises of chapter 10: silent bugs."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
import torch.nn.functional as nnf
from torch import Tensor

from stlib._language import tr
from stlib.course.check.answer import Function, Wrong, check_names, checker, result_of
from stlib.course.check.compare import Seen, kind, shown
from stlib.course.check.exercise import exercise
from stlib.course.mysteries import BUGS, PAINTED_WITH


@checker
def name_the_bug(answer: object) -> str:
    """Chapter 10: which bug painted which picture; a dict, or a function that returns one."""
    given = result_of(answer) if callable(answer) else answer
    check_names(given, PAINTED_WITH, BUGS, _hints(), tr("picture"))
    return tr("All eight, and none of them had raised an exception.")


def _hints() -> dict[str, str]:
    """By the bug, without telling it."""
    return {
        "in-place ReLU": tr(
            "What should the content loss of the content picture be, in evaluation 0?"
        ),
        "preprocessing": tr(
            "How much has this loop changed the photo, and how large are its losses next "
            "to those of the others?"
        ),
        "clamping": tr(
            "In the last column: what does every other L-BFGS loop do, and this one never?"
        ),
        "unfrozen": tr(
            "Two columns claim to be the total loss of this picture. Which could be bent?"
        ),
        "raw Gram": tr(
            "How does its first style loss compare with that of the others, and how do its "
            "contrasts look?"
        ),
        "layer names": tr(
            "Colours are there. Which patterns of the painting are missing, and which "
            "layers would see them?"
        ),
        "recomputed targets": tr("Follow its content loss from the first evaluation to the last."),
        "no bug": tr("Is there a number in its row that is suspicious at all?"),
    }


COMPLAINTS = ("overwritten", "unfrozen", "spoils the picture")


@dataclass(frozen=True)
class Network:
    """A convolution and a ReLU with some of the bugs; with a bias all that it gives is above 0."""

    bugs: tuple[str, ...] = ()
    bias: float = 0.0

    def __call__(self, image: Tensor, layers: list[str]) -> dict[str, Tensor]:
        filters = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))
        filters.requires_grad_("unfrozen" in self.bugs)
        x = image.sub_(0.5) if "spoils the picture" in self.bugs else image - 0.5
        convolved = nnf.conv2d(x, filters) + self.bias
        found = {"conv1_1": convolved}
        if "relu1_1" in layers:
            overwrites = "overwritten" in self.bugs
            found["relu1_1"] = convolved.relu_() if overwrites else convolved.relu()
        return {layer: found[layer] for layer in ([layers] if isinstance(layers, str) else layers)}

    def __str__(self) -> str:
        if self.bugs and self.bias:
            what = tr(
                "a network with the bugs {bugs}, whose convolution gives values above 0 only,"
            )
        elif self.bugs:
            what = tr("a network with the bugs {bugs}")
        elif self.bias:
            what = tr("a sound network, whose convolution gives values above 0 only,")
        else:
            what = tr("a sound network")
        return what.format(bugs=shown(set(self.bugs)))


Features = Callable[[Tensor, list[str]], dict[str, Tensor]]


def _suspected(
    alone: Function = lambda features, image: features(image.clone(), ["conv1_1"])["conv1_1"],
    together: Function = lambda features, image: features(image.clone(), ["conv1_1", "relu1_1"])[
        "conv1_1"
    ],
    never: str = "",
) -> Function:
    """The answer that looks at conv1_1 alone and together with its ReLU, in these ways."""

    def answer(features: Features, image: Tensor) -> set[str]:
        seen = image.clone()
        first = features(seen, ["conv1_1"])["conv1_1"]
        found = {
            "overwritten": not torch.equal(alone(features, image), together(features, image)),
            "unfrozen": first.requires_grad,
            "spoils the picture": not torch.equal(seen, image),
        }
        return {word for word in COMPLAINTS if found[word] and word != never}

    return answer


def _negative_values(features: Features, image: Tensor) -> set[str]:
    """Takes values that are all positive for those of an overwritten layer."""
    found = _suspected(never="overwritten")(features, image)
    together = features(image.clone(), ["conv1_1", "relu1_1"])["conv1_1"]
    return found | ({"overwritten"} if together.min() >= 0 else set())


def _one_copy(features: Features, image: Tensor) -> set[str]:
    """Gives the same copy to both calls."""
    seen = image.clone()
    alone = features(seen, ["conv1_1"])["conv1_1"]
    together = features(seen, ["conv1_1", "relu1_1"])["conv1_1"]
    found = _suspected(never="overwritten")(features, image)
    return found | (set() if torch.equal(alone, together) else {"overwritten"})


def _spoiling(features: Features, image: Tensor) -> set[str]:
    found = _suspected()(features, image)
    features(image, ["conv1_1"])
    return found


PICTURE = torch.rand(1, 3, 6, 7, generator=torch.Generator().manual_seed(10))
ALL = [bugs for count in range(4) for bugs in combinations(COMPLAINTS, count)]


@exercise(
    cases=[
        *((Network(bugs), PICTURE) for bugs in ALL),
        (Network(bias=50.0), PICTURE),
        (Network(("unfrozen",), bias=50.0), PICTURE),
    ],
    given=lambda features, image: str(features),
    mistakes=[
        (
            _suspected(never="overwritten"),
            tr("When can the ReLU overwrite? Ask for conv1_1 alone, then with relu1_1."),
        ),
        (
            _suspected(never="unfrozen"),
            tr("When the picture asks for no gradient: who else could have asked for one?"),
        ),
        (
            _suspected(never="spoils the picture"),
            tr("What was the picture before the call, and what is it after?"),
        ),
        (
            _negative_values,
            tr(
                "May a convolution not give positive values alone? "
                "Compare what it gives with and without its ReLU."
            ),
        ),
        (
            _one_copy,
            tr(
                "If the first call spoils the picture, the second one sees another. "
                "What can you give to each call?"
            ),
        ),
        (
            _spoiling,
            tr("features may write into the picture that it gets. Which picture do you give it?"),
        ),
        (
            _suspected(
                together=lambda features, image: features(image.clone(), ["relu1_1"])["relu1_1"]
            ),
            tr("relu1_1 differs from conv1_1 in every network. Which two results should be equal?"),
        ),
        (lambda features, image: set(), tr("Ask for conv1_1 twice, alone and with relu1_1.")),
    ],
    hint=tr("Each word is one question to the network. Which of them got the wrong answer here?"),
    praise=tr("Three questions that need no knowledge of what is inside."),
)
def suspects(features: Features, image: Tensor) -> set[str]:
    """Chapter 10: which of three silent bugs a function `features(image, layers)` has."""
    return _suspected()(features, image)


def _three_evaluations(answer: Function) -> Seen:
    """What the learner's closure does, in a network that is not frozen."""
    generator = torch.Generator().manual_seed(10)
    filters = torch.randn(4, 3, 3, 3, generator=generator).requires_grad_()
    content = torch.rand(1, 3, 8, 9, generator=generator)
    x = (3 * torch.rand(1, 3, 8, 9, generator=generator) - 1).requires_grad_()
    pictures = []

    def features(image: Tensor) -> Tensor:
        pictures.append(image)
        return nnf.conv2d(image, filters).relu()

    closure = answer(torch.optim.SGD([x], lr=0.0), x, content, features)
    if not callable(closure):
        raise Wrong(
            tr("the result is {found}, expected the closure, without arguments").format(
                found=kind(closure)
            )
        )
    losses, gradients = [], []
    for _ in range(3):
        losses.append(closure())
        gradients.append(None if x.grad is None else x.grad.clone())
    return Seen(
        {
            tr("x after three evaluations"): x.detach(),
            tr("what the closure returns"): losses[0],
            tr("x.grad after the first evaluation"): gradients[0],
            tr("x.grad after the third evaluation"): gradients[2],
            tr("the number of pictures sent through the network"): len(pictures),
        }
    )


def _mended(
    once: bool = True,
    detached: bool = True,
    cleared: bool = True,
    backward: bool = True,
    give_back: bool = True,
    clamped: bool = False,
    factor: float = 0.5,
    seen: Function = lambda x: x,
) -> Function:
    """The answer with the bugs that are asked for."""

    def answer(
        optimiser: torch.optim.Optimizer, x: Tensor, content: Tensor, features: Function
    ) -> Function:
        def target() -> Tensor:
            P = features(content)
            return P.detach() if detached else P

        P = target() if once else None

        def closure() -> Tensor | None:
            if cleared:
                optimiser.zero_grad()
            if clamped:
                x.data.clamp_(0, 1)
            loss = factor * (features(seen(x)) - (P if once else target())).square().sum()
            if backward:
                loss.backward()
            return loss if give_back else None

        return closure

    return answer


SEES_A_COPY = tr("The network sees a clamped x: what gradient do the pixels outside 0…1 get?")
# what else may be wrong with an answer that clamps the argument of features
BESIDES: tuple[dict[str, Any], ...] = (
    {},
    {"once": False},
    {"cleared": False},
    {"once": False, "cleared": False},
    {"factor": 1.0},
    {"backward": False},
)
ONCE = tr(
    "Content went through once in each evaluation. What does not change from one to the next?"
)


@exercise(
    cases=[()],
    given=lambda: tr("three evaluations in a row"),
    look=_three_evaluations,
    mistakes=[
        (
            _mended(once=False, detached=False, cleared=False, clamped=True),
            tr("Three things are wrong in the broken closure, and all three are still there."),
        ),
        (
            _mended(clamped=True),
            tr("Who alone may move x, and what does L-BFGS believe after your change?"),
        ),
        *(
            (_mended(seen=copied, **others), SEES_A_COPY)
            for copied in (lambda x: x.clamp(0, 1), lambda x: x.detach().clamp(0, 1))
            for others in BESIDES
        ),
        (_mended(once=False), ONCE),
        (_mended(once=False, detached=False), ONCE),
        (
            _mended(detached=False),
            tr(
                "The loss goes backward through the graph of an earlier evaluation. "
                "Which tensor was made once and still knows how? It needs no gradient."
            ),
        ),
        (_mended(cleared=False), tr("Who clears the gradient of the evaluation before?")),
        (_mended(backward=False), tr("Which step makes the gradient?")),
        (_mended(give_back=False), tr("L-BFGS wants the loss.")),
        (_mended(factor=1.0), tr("The loss is ½ Σ (F − P)².")),
        (
            lambda optimiser, x, content, features: _mended()(optimiser, x, content, features)(),
            tr("Do you call the closure instead of returning it?"),
        ),
    ],
    hint=tr("Which tensors does the loss ½ Σ (F − P)² depend on, and what may the closure change?"),
    praise=tr(
        "x moves by the optimiser's hand alone, the target stays, and each gradient is fresh."
    ),
)
def mended_closure(
    optimiser: torch.optim.Optimizer, x: Tensor, content: Tensor, features: Function
) -> Function:
    """Chapter 10: a closure without clamp, with one target and a fresh gradient each time."""
    return _mended()(optimiser, x, content, features)
