"""A run that was broken off goes on: its state in one file, which is always whole.

The file holds tensors and numbers only, so that reading it cannot run code.
"""

import hashlib
import os
import stat
import warnings
from pathlib import Path

import torch
from torch import Tensor

EVERY = 25  # steps of the optimiser from one checkpoint to the next; after each, L-BFGS makes one evaluation more


class CheckpointError(ValueError):
    """A checkpoint that cannot be kept or used: which file, why, and what to do about it."""


class Checkpoint:
    """The file of one run.

    path: of the file, in a folder that exists; it need not exist itself. fingerprint: of the run that it belongs to.
    Raises CheckpointError when no file can be written there.
    """

    def __init__(self, path, fingerprint: str):
        self.path, self.fingerprint = check_path(path), fingerprint
        self.part = Path(f"{self.path}.part")

    def read(self) -> dict | None:
        """The state that was written last, or None when there is no file yet.

        Raises CheckpointError when the file holds something else, or the state of another run.
        """
        if not self.path.exists():
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # PyTorch's remarks about files of other programs
                state = torch.load(self.path, map_location="cpu", weights_only=True)
            owner = state["fingerprint"]
        except Exception:  # what is no archive of tensors fails in many ways
            raise CheckpointError(f"{self.path} is not a checkpoint, or a damaged one: delete it to begin anew, or give another "
                                  "path.") from None
        if owner != self.fingerprint:
            raise CheckpointError(f"{self.path} belongs to a run with other pictures, other settings or another network: "
                                  "delete it to begin anew, or give another path.")
        return state

    def write(self, state: dict) -> None:
        """Put the state in the place of the last one, in a single step; a disk that is full is a warning and no more."""
        try:
            with self.part.open("wb") as file:
                torch.save({**state, "fingerprint": self.fingerprint}, file)
                file.flush()
                os.fsync(file.fileno())
            self.part.replace(self.path)
        except (OSError, RuntimeError) as error:  # PyTorch's writer has its own words for a full disk
            reason = getattr(error, "strerror", None) or str(error).split("\n")[0]
            warnings.warn(f"the checkpoint {self.path} could not be written ({reason}); the run goes on.", RuntimeWarning,
                          stacklevel=2)
            self.part.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the file, if there is one."""
        for path in (self.path, self.part):
            path.unlink(missing_ok=True)


def check_path(path) -> Path:
    """The path of a checkpoint, or a CheckpointError if no file can be written there; writes nothing."""
    if not isinstance(path, (str, os.PathLike)) or not str(path):
        raise CheckpointError(f"checkpoint is {path!r}: give the path of a file, or None.")
    path = Path(path)
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        regular = True
    except (OSError, ValueError) as error:  # a name too long or with a null character
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"the checkpoint {str(path)[:100]!r} cannot be kept: {reason}. Give another path.") from None
    if not regular:
        raise CheckpointError(f"the checkpoint {path} is a folder or a device: give the path of a file.")
    if not path.parent.is_dir():
        raise CheckpointError(f"the checkpoint {path} cannot be kept: there is no folder {path.parent}. Create it first.")
    if not os.access(path.parent, os.W_OK):
        raise CheckpointError(f"the checkpoint {path} cannot be kept: the folder {path.parent} may not be written to. "
                              "Choose another one.")
    return path


def fingerprint(*parts) -> str:
    """64 hexadecimal digits for all that a run depends on: tensors, numbers, texts, and lists of them; 1 is 1.0."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            digest.update(repr(tuple(part.shape)).encode())
            digest.update(part.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
        elif isinstance(part, (list, tuple)):
            digest.update(fingerprint(len(part), *part).encode())
        else:
            digest.update(repr(float(part) if isinstance(part, int) else part).encode() + b"\n")
    return digest.hexdigest()
