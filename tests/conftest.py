"""What the tests share: the trained network, built once, and small pictures."""

import pytest
import torch

from stlib import VGG, sample


@pytest.fixture(scope="session")
def net():
    """The trained VGG-19 as the course uses it: oxford weights, max pooling, normalised. Do not change it."""
    return VGG(device="cpu")


@pytest.fixture(scope="session")
def trained():
    """The same network as trained, not normalised. Do not change it."""
    return VGG(normalized=False, device="cpu")


@pytest.fixture
def content():
    return sample("castle", 96)


@pytest.fixture
def style():
    return sample("cafe-terrace", 80)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)
