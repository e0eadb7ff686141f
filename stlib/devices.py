"""Which device paints: its name checked for its form, and for being there."""

import re

import torch

from stlib._language import tr
from stlib.errors import DeviceError, shown

NAME = re.compile(r"cpu|mps|cuda(:\d{1,3})?")


def check_device_name(device: object) -> None:
    """Raise a ValueError unless `device` is a name such as "cpu", "cuda", "cuda:1" or "mps"."""
    if not isinstance(device, str) or not NAME.fullmatch(device):
        raise ValueError(
            tr(
                'device is {device}: use "cpu", "cuda" (a graphics card), "cuda:1" (the second '
                'one) or "mps" (a Mac\'s).'
            ).format(device=shown(device))
        )


def find_device(device: str) -> torch.device:
    """The device of this name.

    device: as for `check_device_name`.
    Raises ValueError for what is no name of a device, DeviceError when this machine has no such.
    """
    check_device_name(device)
    there = device_names()
    if device not in there:
        raise DeviceError(
            tr(
                "this machine has no device {device!r} that PyTorch can use; it has {there}."
            ).format(device=device, there=", ".join(there))
        )
    return torch.device(device)


def device_names() -> list[str]:
    """The names of this machine's devices; "cuda" is the first graphics card, as "cuda:0" is."""
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = ["cpu", *(["cuda"] if cards else []), *(f"cuda:{card}" for card in range(cards))]
    return [*names, "mps"] if torch.backends.mps.is_available() else names
