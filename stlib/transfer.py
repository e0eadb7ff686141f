"""The optimisation of Gatys, Ecker & Bethge (2016): change a picture until its features are right.

`style_transfer` is the whole of it; the loss that it lowers is in module `objective`.
"""

import math
import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from stlib.arguments import check_arguments, layer_weights
from stlib.brushes import Brush, as_brushes, painted, shrink_pictures
from stlib.checkpoint import EVERY, Checkpoint, check_path, fingerprint
from stlib.colour import match_colours
from stlib.cost import check_memory
from stlib.objective import CONTENT_LAYERS, STYLE_LAYERS, Objective
from stlib.solver import COARSE_GRAIN, FINE_GRAIN, LBFGS, Stage, enlarge, fine_detail, grain, shrink, smooth, stages, waves
from stlib.vgg import VGG, check_layers

ADAM_RATE = 0.05  # of the range of a pixel; the best compromise of 0.01 … 0.1 on three pairs at 144 pixels
HISTORY_SIZE = 10  # pairs of vectors that L-BFGS remembers; 20 and 50 ended within 2 % of the same loss
ENDED_EARLY = {"not finite": "the loss was no longer finite at evaluation {} of {}; this is the best picture until then. "
                             "Try a smaller beta.",
               "out of memory": "the memory was full at evaluation {} of {}; this is the best picture until then. "
                                "Close other programs, or take smaller pictures."}


@dataclass
class Transfer:
    """What `style_transfer` returns.

    image: the best picture found, [1, 3, H, W], RGB, clamped to [0, 1], on the CPU.
    history: a dict for each evaluation at full size: "seconds" since the start, "total", "content" (L_content), "style"
        (L_style), "tv", and E_l under the name of each style layer. Losses are without their weights but for "total".
    coarse: the same for the evaluations of smaller pictures, which came before; their losses are those of their size.
    frames: the best picture so far, clamped, every `keep_every` evaluations; the start is the first.
    reason: why it ended: "steps", "callback", "interrupted", "not finite" or "out of memory".
    """

    image: Tensor
    history: list[dict[str, float]] = field(default_factory=list)
    coarse: list[dict[str, float]] = field(default_factory=list)
    frames: list[Tensor] = field(default_factory=list)
    reason: str = "steps"


def style_transfer(content: Tensor, style: Tensor | Sequence[Brush], *, net: VGG | None = None, alpha: float = 1.0,
                   beta: float | None = None, tv: float = 0.0, content_layers: Sequence[str] = CONTENT_LAYERS,
                   style_layers: Sequence[str] = STYLE_LAYERS,
                   style_weights: Mapping[str, float] | Sequence[float] | None = None,
                   init: str | Tensor = "content", optimizer: str = "lbfgs", solver: str | None = None, steps: int = 100,
                   seed: int = 0, keep_every: int | None = None,
                   callback: Callable[[int, Tensor, dict[str, float]], bool | None] | None = None,
                   checkpoint: str | os.PathLike | None = None, progress: bool = True) -> Transfer:
    """Paint the content picture in the style of another one (Gatys et al. 2016, eq. 7).

    content, style: pictures from `load_image` or `sample`, [1, 3, H, W] in [0, 1]; they may differ in size and shape.
        For several styles at once, or a style in a region only, style is a list of `Brush`.
    net: None is VGG(), the paper's network. alpha, beta, style_weights (w_l): the paper's; beta None is `default_beta`,
        style_weights None is one over the number of style layers. tv: weight of the total variation.
    init: where the picture starts: "content", "noise" (uniform, from `seed`), "style" (the first one, scaled to the content's
        size) or a tensor of the content's shape. optimizer: "lbfgs" or "adam".
    solver: "fast" begins with smaller pictures, for init="content" in the style's colours and with some grain from `seed`,
        and moves waves (module `solver`): the same loss in less time. "plain" moves the pixels of the whole picture, as the
        paper does. None is "fast" for L-BFGS and "plain" for Adam.
    steps: evaluations of the loss and its gradient, the unit of cost; an evaluation of a smaller picture counts by its share
        of the pixels. keep_every: keep a frame every so many evaluations.
    callback: called as callback(evaluation, x, losses) after each evaluation, counted from 0; a true result ends the run.
        The fast solver's first evaluations are of a smaller x.
    checkpoint: a file in which the run keeps its state, and with which the same call goes on after it was killed or
        interrupted, to the picture that it would have painted. A run that ends by itself removes it.

    The result is the best picture evaluated, and the only thing that is clamped. Ctrl-C, or the notebook's stop button,
    ends the run with what it has; so do a loss that is no longer finite and a full memory, with a RuntimeWarning. The same
    seed, machine and number of threads give the same picture, bit for bit.
    Raises, before any work, ValueError for arguments that make no sense, and MemoryError for a picture that this machine has
    no memory for (`estimate` tells how much and how long a run will take).
    """
    check_arguments(content, style, alpha, beta, tv, content_layers, style_layers, style_weights, init, optimizer, solver,
                    steps, seed, keep_every, callback)
    if not (net is None or hasattr(net, "judge")):
        raise ValueError(f"net is a {type(net).__name__}: give a network, for example stlib.VGG(), or None.")
    depth, brushes = 19 if net is None else net.depth, as_brushes(style)
    check_layers(content, [*content_layers, *style_layers] or ["relu1_1"], depth)
    for brush in brushes:
        check_layers(brush.picture, [*style_layers] or ["relu1_1"], depth)
    if checkpoint is not None:
        check_path(checkpoint)
    check_memory(content, brushes, net, content_layers, style_layers, optimizer, solver, steps, keep_every)
    solver = ("fast" if optimizer == "lbfgs" else "plain") if solver is None else solver
    net = VGG() if net is None else net
    if checkpoint is not None:
        w = layer_weights(style_weights, style_layers)
        checkpoint = Checkpoint(checkpoint, fingerprint(
            content, [(brush.picture, brush.weight, brush.mask) for brush in brushes], [*net.parameters()], net.preprocess,
            net.pooling, alpha, beta, tv, [*content_layers], [(layer, w[layer]) for layer in style_layers], init, optimizer,
            solver, steps, seed, keep_every))
    shorter_side = min(side for picture in (content, *(brush.picture for brush in brushes)) for side in picture.shape[2:])
    plan = stages(steps, shorter_side) if solver == "fast" else [Stage(1.0, steps)]
    silent = not progress or bool(os.environ.get("TQDM_DISABLE"))  # tqdm's own switch, which its notebook bar overlooks
    with tqdm(total=steps, disable=silent, leave=False, unit="eval", unit_scale=True) as bar:
        run = _Run(content, keep_every, callback, bar, checkpoint)
        try:
            while run.stage < len(plan):
                stage = plan[run.stage]
                p, a = shrink(content, stage.share), shrink_pictures(brushes, stage.share)
                objective = Objective(net, p, a, alpha=alpha, tv=tv, content_layers=content_layers, style_layers=style_layers,
                                      style_weights=style_weights,
                                      beta=None if beta is None else beta * stage.cost)  # N·M counts in L_content, not in L_style
                start = _start(shrink(init, stage.share) if isinstance(init, Tensor) else init, p, a[0].picture, seed)
                if solver == "plain":
                    run.descend(stage, objective, start, optimizer)
                else:
                    # when smaller pictures come first, in the style's colours, which it asks for anyway, and with grain
                    prepared = isinstance(init, str) and init == "content" and len(plan) > 1 and style_layers and objective.beta
                    if prepared and len(a) == 1 and a[0].mask is None:
                        start = match_colours(p, a[0].picture).clamp(0, 1)
                    detailed = isinstance(init, Tensor) or init != "noise"
                    run.descend_fast(stage, objective, start, grain_seed=seed if prepared else None, detailed=detailed)
                run.stage += 1
        except _Stop as stop:
            run.result.reason = str(stop)
        except KeyboardInterrupt:
            if run.best is None:
                raise
            run.result.reason = "interrupted"
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            if run.best is None:
                raise MemoryError("the memory is full before the first evaluation: close other programs, or take smaller "
                                  "pictures.") from error
            run.result.reason = "out of memory"
    if checkpoint is not None and run.result.reason not in ("interrupted", "out of memory"):
        checkpoint.remove()
    if run.best is None:
        raise ValueError("the loss of the starting picture is not finite: alpha, beta or tv are too large, or the network "
                         "holds weights that are not finite.")
    if run.result.reason in ENDED_EARLY:
        warnings.warn(ENDED_EARLY[run.result.reason].format(run.evaluations, steps), RuntimeWarning, stacklevel=2)
    run.result.image = run.picture()
    return run.result


class _Stop(Exception):
    """Ends a run, or an optimiser's stage, in the middle of a step, which may hold many evaluations."""


class _Run:
    """A run so far: what it will return, and the best picture of the stage that it is in."""

    def __init__(self, content: Tensor, keep_every: int | None, callback, bar: tqdm, checkpoint: Checkpoint | None):
        self.result, self.size = Transfer(image=content), content.shape[2:]
        self.keep_every, self.callback, self.bar, self.checkpoint = keep_every, callback, bar, checkpoint
        self.best, self.evaluations, self.work, self.began, self.stage = None, 0, 0.0, time.perf_counter(), 0
        self.saved = checkpoint.read() if checkpoint else None
        if self.saved:
            for name in ("stage", "evaluations", "work", "best"):
                setattr(self, name, self.saved[name])
            for name in ("history", "coarse", "frames"):
                setattr(self.result, name, self.saved[name])
            self.began -= self.saved["seconds"]
            bar.update(self.work)

    def descend(self, stage: Stage, objective: Objective, start: Tensor, optimizer: str) -> None:
        """Lower the objective from the start by `stage.evaluations`, pixel by pixel."""
        self.x0 = self.on_device(start, objective).detach()
        x = self.x0.clone().requires_grad_()
        self.optimise(stage, objective, x, lambda x: x, _optimizer(optimizer, x, stage.evaluations))

    def descend_fast(self, stage: Stage, objective: Objective, start: Tensor, grain_seed: int | None, detailed: bool) -> None:
        """Lower the objective from the start, or from where the stage before has led, by `stage.evaluations`, in waves.

        grain_seed: of the noise that is added; None adds none. detailed: the start has details to put back after a stage.
        """
        start = self.on_device(start, objective)
        self.x0 = self.saved["x0"].to(start) if self.saved else self.beginning(objective, start, grain_seed, detailed)
        self.start = start
        z, picture = waves(self.x0, stage.power)
        self.optimise(stage, objective, z, picture, LBFGS(z, stage.evaluations))

    def beginning(self, objective: Objective, start: Tensor, grain_seed: int | None, detailed: bool) -> Tensor:
        """The picture with which a stage begins: the start, or the best of the stage before with the start's fine detail."""
        x0 = start
        if self.best is not None:
            x0 = enlarge(smooth(self.best.to(start)), start.shape[2:])
            if detailed:
                x0 = x0 + fine_detail(start, self.start)
        if grain_seed is not None:
            x0 = x0 + (grain(x0, COARSE_GRAIN, 0.5, grain_seed) if self.best is None else grain(x0, FINE_GRAIN, 0.0, grain_seed))
        if detailed:  # where no brush paints, nothing would take the grain away
            x0 = torch.lerp(start, x0, painted(objective.brushes, start))
        return x0

    def on_device(self, start: Tensor, objective: Objective) -> Tensor:
        # L-BFGS flattens x as it lies in memory, and half precision would overflow
        return start.to(objective.net.device, torch.float32, memory_format=torch.contiguous_format)

    def optimise(self, stage: Stage, objective: Objective, z: Tensor, picture, optimizer: torch.optim.Optimizer) -> None:
        """Change z so that the objective of picture(z) falls, by `stage.evaluations`."""
        self.lowest, self.last, self.told = math.inf, self.evaluations + stage.evaluations, False
        if self.saved:
            self.go_on(z, optimizer)

        def evaluate() -> Tensor:
            """One evaluation of L_total and its gradient."""
            if self.evaluations == self.last:
                raise _Stop("steps")
            z.grad = None
            x = picture(z)
            total, losses = objective(x)
            if not math.isfinite(losses["total"]):
                raise _Stop("not finite")
            total.backward()
            if self.told:  # L-BFGS asks again for what it knew before the checkpoint
                self.told = False
            else:
                self.note(x, losses, stage)
            return total

        try:
            while True:
                if self.checkpoint is None:
                    optimizer.step(evaluate)
                else:
                    self.step_and_save(z, optimizer, evaluate)
        except _Stop as stop:
            if str(stop) != "steps":
                raise

    def step_and_save(self, z: Tensor, optimizer: torch.optim.Optimizer, evaluate: Callable[[], Tensor]) -> None:
        """Let the optimiser take a step, L-BFGS as many as lie between two checkpoints; keep the state when they are taken."""
        lbfgs, taken = isinstance(optimizer, torch.optim.LBFGS), optimizer.state[z].get("n_iter", 0)
        if lbfgs:
            optimizer.param_groups[0]["max_iter"] = min(optimizer.param_groups[0]["max_iter"], EVERY)
        optimizer.step(evaluate)
        self.told = lbfgs and optimizer.state[z]["n_iter"] == taken + EVERY
        if self.told or (not lbfgs and self.evaluations % EVERY == 0):
            self.checkpoint.write({
                "stage": self.stage, "x0": self.x0.cpu(), "z": z.detach().cpu(), "optimizer": optimizer.state_dict(),
                "best": self.best.cpu(), "lowest": self.lowest, "evaluations": self.evaluations, "last": self.last,
                "told": self.told, "seconds": time.perf_counter() - self.began, "work": self.work,
                "history": self.result.history, "coarse": self.result.coarse, "frames": self.result.frames})

    def go_on(self, z: Tensor, optimizer: torch.optim.Optimizer) -> None:
        """Put z and the optimiser back to where they were at the checkpoint."""
        with torch.no_grad():
            z.copy_(self.saved["z"])
        optimizer.load_state_dict(self.saved["optimizer"])
        self.lowest, self.last, self.told = (self.saved[name] for name in ("lowest", "last", "told"))
        self.saved = None

    def note(self, x: Tensor, losses: dict[str, float], stage: Stage) -> None:
        """Keep what is worth keeping of an evaluation; _Stop when the callback wants it."""
        history = self.result.history if stage.share == 1 else self.result.coarse
        history.append({"seconds": time.perf_counter() - self.began, **losses})
        if losses["total"] < self.lowest:
            self.best, self.lowest = x.detach().clone(), losses["total"]
        if self.keep_every and self.evaluations % self.keep_every == 0:
            self.result.frames.append(self.picture())
        self.bar.set_postfix_str(f"loss {losses['total']:.3g}", refresh=False)
        self.bar.update(stage.cost)
        self.work += stage.cost
        self.evaluations += 1
        if self.callback is not None and self.callback(self.evaluations - 1, x.detach().clone(), dict(losses)):
            raise _Stop("callback")

    def picture(self) -> Tensor:
        """The best picture so far, clamped, at the content's size."""
        x = self.best if self.best.shape[2:] == self.size else enlarge(self.best, self.size)
        return x.detach().clamp(0, 1).float().cpu()


def _out_of_memory(error: Exception) -> bool:
    """Whether an error says that there is no memory left; PyTorch has a type for it on graphics cards only."""
    words = ("out of memory", "not enough memory", "allocate memory")  # others speak of memory formats
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(said in str(error) for said in words)


def _optimizer(name: str, x: Tensor, steps: int) -> torch.optim.Optimizer:
    if name == "adam":
        return torch.optim.Adam([x], lr=ADAM_RATE)
    # Gatys' L-BFGS takes every step at its full length. From some pictures that diverges within a few evaluations (the
    # loss grew by a factor of 1e191 from the castle at 224 pixels); a line search costs few evaluations and cannot.
    return torch.optim.LBFGS([x], max_iter=steps, max_eval=steps, history_size=HISTORY_SIZE, line_search_fn="strong_wolfe",
                             tolerance_grad=0, tolerance_change=0)


def _start(init: str | Tensor, content: Tensor, style: Tensor, seed: int) -> Tensor:
    if isinstance(init, Tensor):
        return init.detach().clone()
    if init == "noise":
        return torch.rand(content.shape, generator=torch.Generator().manual_seed(seed))
    if init == "style":
        return F.interpolate(style.detach().float(), size=content.shape[2:], mode="bilinear", antialias=True)
    return content.detach().clone()
