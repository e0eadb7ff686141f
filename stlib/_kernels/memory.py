"""How a process takes memory from the system, and gives it back.

glibc, the C library of most Linux systems, keeps freed blocks of less than 32 MB for later
requests. Those may not fit into the gaps, and the process grows although a part of what it holds is
free.

Memory that went back has to be requested again, and the system clears each page when it is first
touched. An evaluation at 512 pixels requests 1.2 GB this way; with pages of 4 kB that costs a tenth
of its time.
"""

import ctypes
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

LARGE = 32 * 2**20  # bytes; a freed block of this size goes back to the system and leaves no gap
LARGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage")  # on a Linux that has them


def ask_for_large_pages() -> None:
    """Let PyTorch keep tensors of 2 MB and more in pages of 2 MB, where the system has them.

    PyTorch reads this environment variable when it first requests memory, and not again. A value
    that is already set, "0" or "1", stays.
    """
    if LARGE_PAGES.exists():
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def give_back() -> None:
    """Return free memory to the system, where the C library offers that.

    It takes some hundredths of a second.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
