"""Memory comes in large pages, and what is free goes back, where the system can and it matters."""

import ctypes
import os
import subprocess
import sys

import pytest
import torch

from stlib import VGG
from stlib._kernels import memory

HOLD_AND_FREE = """
import psutil, torch
from stlib._kernels import memory
held = lambda: psutil.Process().memory_info().rss / 2**20
blocks = [torch.ones(2**20) for _ in range(100)]  # of 4 MB
last = torch.ones(2**20)  # behind them, so that they are a gap when they are gone
blocks.clear()
before = held()
memory.give_back()
print(before - held())
"""
TOUCH = """
import resource, torch
import stlib
began = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(2**24)  # 64 MB
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - began)
"""
needs_large_pages = pytest.mark.skipif(
    not memory.LARGE_PAGES.exists() or "[never]" in (memory.LARGE_PAGES / "enabled").read_text(),
    reason="needs large pages",
)
needs_malloc_trim = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"),
    reason="needs glibc's malloc_trim",
)


@pytest.fixture
def calls(monkeypatch):
    """Each call of `give_back`, of which nothing else remains."""
    seen = []
    monkeypatch.setattr(memory, "give_back", lambda: seen.append(True))
    return seen


@pytest.fixture
def another_system():
    """Looks for the C library anew, in a test and after it, whether the test passes or not."""
    memory._malloc_trim.cache_clear()
    yield
    memory._malloc_trim.cache_clear()


@pytest.fixture(scope="module")
def nets():
    return {pooling: VGG(pooling=pooling, device="cpu") for pooling in ("max", "average")}


def pages_taken(**variables):
    """How many pages of memory a tensor of 64 MB takes in a process of its own."""
    environment = {
        name: value for name, value in os.environ.items() if name != "THP_MEM_ALLOC_ENABLE"
    } | variables
    return int(
        subprocess.run(
            [sys.executable, "-c", TOUCH],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


@needs_large_pages
def test_a_large_tensor_takes_large_pages():
    """32 of 2 MB instead of 16,384 of 4 kB; some small ones are there when large ones are rare."""
    assert pages_taken() < 8192


@needs_large_pages
def test_who_asks_for_small_pages_gets_them():
    """The user's own setting stays."""
    if "[always]" in (memory.LARGE_PAGES / "enabled").read_text():
        pytest.skip("this system gives large pages to all")
    assert pages_taken(THP_MEM_ALLOC_ENABLE="0") > 8192


def test_a_system_without_large_pages_is_not_asked(monkeypatch, tmp_path):
    """There PyTorch would warn of each."""
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE", raising=False)
    monkeypatch.setattr(memory, "LARGE_PAGES", tmp_path / "none")
    memory.ask_for_large_pages()
    assert "THP_MEM_ALLOC_ENABLE" not in os.environ
    monkeypatch.setattr(memory, "LARGE_PAGES", tmp_path)
    memory.ask_for_large_pages()
    assert os.environ.pop("THP_MEM_ALLOC_ENABLE") == "1"


@needs_malloc_trim
def test_what_is_free_goes_back_to_the_system():
    """400 MB of blocks that glibc keeps, when it is told that they are small."""
    keeps = os.environ | {
        "MALLOC_MMAP_THRESHOLD_": str(2**25),
        "MALLOC_TRIM_THRESHOLD_": str(2**40),
        "MALLOC_TOP_PAD_": "0",
    }
    out = subprocess.run(
        [sys.executable, "-c", HOLD_AND_FREE], env=keeps, capture_output=True, text=True, check=True
    ).stdout
    assert float(out) > 350


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_other_systems_are_left_alone(another_system, monkeypatch, platform):
    """Windows has no C library under the name that is no name."""
    monkeypatch.setattr(memory.sys, "platform", platform)
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: pytest.fail("looked for a C library"))
    memory.give_back()


def test_a_c_library_without_the_function_is_left_alone(another_system, monkeypatch):
    """For example musl, that of Alpine Linux."""
    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    memory.give_back()


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_a_large_pooling_gives_back_before_its_gradient(nets, calls, monkeypatch, pooling):
    """At 64 pixels the inputs of pool1 … pool4 have 1, 0.5, 0.25 and 0.125 MB."""
    monkeypatch.setattr(memory, "LARGE", 2**19)
    x = torch.rand(1, 3, 64, 64, requires_grad=True)
    loss = nets[pooling].features(x, ["relu5_1"])["relu5_1"].sum()
    assert not calls
    loss.backward()
    assert len(calls) == 2


def test_the_gradient_is_the_same(nets, monkeypatch):
    """To the last bit."""
    gradients = []
    for large in (1, 2**40):
        monkeypatch.setattr(memory, "LARGE", large)
        x = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0)).requires_grad_()
        nets["max"].features(x, ["relu4_1"])["relu4_1"].square().sum().backward()
        gradients.append(x.grad)
    assert torch.equal(*gradients)


def test_small_pictures_and_features_alone_do_not_pay_for_it(nets, calls, monkeypatch):
    """Nor does a picture that asks for no gradient, however large."""
    x = torch.rand(1, 3, 64, 64, requires_grad=True)
    nets["max"].features(x, ["relu2_1"])["relu2_1"].sum().backward()
    monkeypatch.setattr(memory, "LARGE", 1)
    nets["max"].features(x.detach(), ["relu2_1"])
    assert not calls
