"""A run that was broken off goes on: its state in one file, which is always whole.

The file holds tensors and numbers only, so that reading it cannot run code.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stlib import _files
from stlib._language import tr
from stlib.brushes import Brush
from stlib.errors import CheckpointError, one_line, reason, shown
from stlib.record import Record
from stlib.settings import Settings, digest
from stlib.vgg import VGG

EVERY = 25  # evaluations from one checkpoint to the next, at least


class Checkpoint:
    """The file of one run.

    path: of the file, in a folder that exists; the file need not exist.
    marks: of the run that it belongs to, from `run_marks`.
    Raises CheckpointError when no file can be written there.
    """

    def __init__(self, path: str | os.PathLike, marks: Mapping[str, str]):
        self.path, self.marks = _files.expanded(path), dict(marks)
        self.target = check_path(path)  # where a symbolic link leads
        self.written_at = 0  # evaluations of the run when it was written last

    def read(self) -> dict[str, Any] | None:
        """The state that was written last, or None when there is no file yet.

        Raises CheckpointError when the file holds something else, or the state of another run.
        """
        if not self.path.exists():
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # PyTorch's remarks about files of other programs
                state = torch.load(self.path, map_location="cpu", weights_only=True)
            owner: dict[str, str] = state["marks"]
            differing = [name for name in self.marks if owner.get(name) != self.marks[name]]
        except Exception:  # what is no archive of tensors fails in many ways
            raise CheckpointError(
                tr(
                    "{path} is not a checkpoint, or a damaged one: delete it to begin anew, or "
                    "give another path."
                ).format(path=one_line(self.path))
            ) from None
        if differing:
            if "content" in differing:
                told = tr(
                    "{path} belongs to another run, with another {differing}, or the same at "
                    "another size: delete it to begin anew, or give another path."
                )
            else:
                told = tr(
                    "{path} belongs to another run, with another {differing}: delete it to begin "
                    "anew, or give another path."
                )
            names = tr(" and ").join(differing)
            raise CheckpointError(told.format(path=one_line(self.path), differing=names))
        return state

    def follow(
        self,
        optimizer: torch.optim.Optimizer,
        record: Record,
        z: Tensor,
        x0: Tensor,
        *,
        stage: int,
        evaluations: int,
    ) -> None:
        """Write the state after each step of the optimiser that completes EVERY evaluations.

        record: of the run. z, x0: what the optimiser changes, and the picture at which it began.
        stage: its number. evaluations: that the stage may still make.
        """
        last = record.evaluations + evaluations
        self.written_at = record.evaluations

        def after_step(*_: object) -> None:
            if record.evaluations < self.written_at + EVERY:
                return
            best = record.best
            assert best is not None  # there has been a step
            # whoever goes on with L-BFGS needs the evaluation of z, and the best one is kept
            if isinstance(optimizer, torch.optim.LBFGS) and not torch.equal(best.z, z):
                return
            self.written_at = record.evaluations
            self.write(
                {
                    "stage": stage,
                    "left": last - record.evaluations,
                    "x0": x0.cpu(),
                    "z": z.detach().cpu(),
                    "optimizer": optimizer.state_dict(),
                    "record": record.state(),
                }
            )

        optimizer.register_step_post_hook(after_step)

    def write(self, state: dict[str, Any]) -> None:
        """Put the state in the place of the last one; a full disk is a warning and no more."""
        try:
            with _files.replacing(self.target) as file:
                torch.save({**state, "marks": self.marks}, file)
        except (OSError, RuntimeError) as error:
            # PyTorch's own error when a file cannot be written hides the one that says why
            why = error if isinstance(error, OSError) else error.__context__
            if isinstance(why, KeyboardInterrupt):  # it came while PyTorch was writing
                raise KeyboardInterrupt from None
            if not isinstance(why, OSError):
                raise
            warnings.warn(
                tr("the checkpoint {path} could not be written ({why}); the run goes on.").format(
                    path=one_line(self.path), why=reason(why)
                ),
                RuntimeWarning,
                stacklevel=2,
            )

    def remove(self) -> None:
        """Delete the file, if there is one."""
        self.target.unlink(missing_ok=True)


def check_path(path: str | os.PathLike) -> Path:
    """The file of a checkpoint at this path; raises CheckpointError if it cannot be written."""
    if not isinstance(path, (str, os.PathLike)) or not str(path):
        raise CheckpointError(
            tr("checkpoint is {path}: give the path of a file, or None.").format(path=shown(path))
        )
    try:
        target = _files.writable(path, "run.checkpoint")
    except ValueError as error:
        named = repr(str(path)[:100])
        raise CheckpointError(
            tr("the checkpoint {named} cannot be kept: {error}").format(named=named, error=error)
        ) from None
    return target


def run_marks(
    content: Tensor, brushes: Sequence[Brush], net: VGG, settings: Settings
) -> dict[str, str]:
    """64 hexadecimal digits for each thing that the picture of a run depends on, by its name."""
    styles = [[brush.picture, brush.weight, brush.mask] for brush in brushes]
    network = [[*net.parameters()], repr(net.preprocess), net.pooling]
    things = {"content": content, "style": styles, "network": network, **settings.marks()}
    return {name: digest(thing) for name, thing in things.items()}
