"""What a run has seen: its losses, its best picture, its frames; and how it is told to others."""

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from stlib._language import tr
from stlib._progress import progress_bar
from stlib.descent import Evaluation, Reason
from stlib.solver import Stage, enlarge

Callback = Callable[[int, Tensor, dict[str, float]], bool | None]
Watch = Callable[[int, Callable[[], Tensor]], None]


class Record:
    """A run so far; `note` is told of each evaluation.

    size: (height, width) of the finished picture. steps: the work of the whole run, in evaluations
    at full size. keep_every: keep a frame every so many evaluations; None keeps none.
    callback: called as callback(evaluation, x, losses); a true result ends the run.
    progress: whether a bar is shown. Use it in a `with` block, which ends the bar.
    finish: what is done to a picture before anybody sees it; None is nothing.
    watch: called as watch(evaluations, picture), where picture() is the best picture so far.
    """

    def __init__(
        self,
        size: tuple[int, int],
        steps: int,
        *,
        keep_every: int | None = None,
        callback: Callback | None = None,
        progress: bool = True,
        finish: Callable[[Tensor], Tensor] | None = None,
        watch: Watch | None = None,
    ):
        self.size, self.keep_every, self.callback = size, keep_every, callback
        self.finish, self.watch = finish, watch
        self.history: list[dict[str, float]] = []
        self.coarse: list[dict[str, float]] = []
        self.frames: list[Tensor] = []
        # of this stage; before the stage's first evaluation, of the stage before
        self.best: Evaluation | None = None
        self.lowest = math.inf  # the total loss of this stage's best
        self.stage: Stage = Stage(1.0, steps)
        self.evaluations, self.work = 0, 0.0
        self.callback_failed = False
        self.began = time.perf_counter()
        self.bar = progress_bar(steps, tr("eval"), shown=progress, scaled=True)

    def __enter__(self) -> "Record":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def begin(self, stage: Stage) -> None:
        """Losses of another size cannot be compared, so each stage has a best of its own."""
        self.stage, self.lowest = stage, math.inf

    def note(self, seen: Evaluation) -> Reason | None:
        """Keep what is worth keeping of an evaluation; a Reason when the callback ends the run."""
        losses = seen.losses
        history = self.history if self.stage.share == 1 else self.coarse
        history.append({"seconds": time.perf_counter() - self.began, **losses})
        if losses["total"] < self.lowest:
            self.best, self.lowest = seen, losses["total"]
        if self.keep_every and self.evaluations % self.keep_every == 0:
            self.frames.append(self.picture())
        self.bar.set_postfix_str(tr("loss {loss:.3g}").format(loss=losses["total"]), refresh=False)
        self.bar.update(self.stage.cost)
        self.work += self.stage.cost
        self.evaluations += 1
        if self.watch:
            self.watch(self.evaluations, self.picture)
        return Reason.CALLBACK if self.callback and self._is_ended(self.callback, seen) else None

    def _is_ended(self, callback: Callback, seen: Evaluation) -> bool:
        """Whether the callback ends the run."""
        try:
            answer = callback(self.evaluations - 1, seen.x.clone(), dict(seen.losses))
        except Exception:
            self.callback_failed = True
            raise
        try:
            return bool(answer)
        except (RuntimeError, TypeError, ValueError):  # an array has no truth
            self.callback_failed = True
            raise ValueError(
                tr(
                    "callback returned a {type}, which is neither true nor false: return True to "
                    "end the run, or nothing."
                ).format(type=type(answer).__name__)
            ) from None

    def picture(self) -> Tensor:
        """The best picture so far, finished and at the finished size, in 0…1, on the CPU."""
        assert self.best is not None  # there has been an evaluation
        x = self.best.x if self.best.x.shape[2:] == self.size else enlarge(self.best.x, self.size)
        x = x.clamp(0, 1).float().cpu()
        return self.finish(x) if self.finish else x

    def state(self) -> dict[str, Any]:
        """All of it as tensors and numbers, for a checkpoint; `restore` takes it back."""
        best = self.best
        assert best is not None and best.gradient is not None
        return {
            "history": self.history,
            "coarse": self.coarse,
            "frames": self.frames,
            "z": best.z.cpu(),
            "x": best.x.cpu(),
            "losses": best.losses,
            "gradient": best.gradient.cpu(),
            "lowest": self.lowest,
            "evaluations": self.evaluations,
            "work": self.work,
            "seconds": time.perf_counter() - self.began,
        }

    def restore(self, state: dict[str, Any], device: torch.device) -> None:
        """Go on from a `state` of the stage that has begun, with its tensors on a device."""
        for name in ("history", "coarse", "frames", "lowest", "evaluations", "work"):
            setattr(self, name, state[name])
        z, x, gradient = (state[name].to(device) for name in ("z", "x", "gradient"))
        self.best = Evaluation(z, x, state["losses"], gradient)
        self.began -= state["seconds"]
        self.bar.update(self.work)


def all_of(watches: list[Watch]) -> Watch | None:
    """One that tells them all, or None when there is nobody to tell."""

    def watch(done: int, picture: Callable[[], Tensor]) -> None:
        for tell in watches:
            tell(done, picture)

    return watch if watches else None
