"""Names of devices: their form, and whether this machine has one of that name."""

import pytest
import torch
from hostile import ANYTHING, each

from stlib import DeviceError
from stlib.devices import check_device_name, device_names, find_device

ODD = {name: name for name in ("", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1 ", "CPU", "meta")}


@pytest.fixture
def cards(monkeypatch):
    """cards(n): the machine has n graphics cards, and no other accelerator."""

    def cards(count):
        monkeypatch.setattr("torch.cuda.is_available", lambda: count > 0)
        monkeypatch.setattr("torch.cuda.device_count", lambda: count)
        monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)

    return cards


def test_every_card_has_a_number_and_the_first_needs_none(cards):
    cards(0)
    assert device_names() == ["cpu"]
    cards(2)
    assert device_names() == ["cpu", "cuda", "cuda:0", "cuda:1"]
    assert find_device("cuda:1") == torch.device("cuda", 1)


def test_a_device_that_is_not_there_is_told(cards):
    cards(1)
    with pytest.raises(DeviceError, match=r"no device 'cuda:1' .* it has cpu, cuda, cuda:0\.$"):
        find_device("cuda:1")
    with pytest.raises(DeviceError, match="no device 'mps'"):
        find_device("mps")


def test_what_is_no_name_is_refused():
    def give(value):
        with pytest.raises(ValueError, match=r"^device is .* use \"cpu\""):
            check_device_name(value)

    each(ANYTHING | ODD, give)
