"""How a process takes memory from the system, and gives it back.

glibc, the C library of most Linux systems, keeps freed blocks of less than 32 MB for what comes next. What comes next may not
fit into the gaps, and the process grows although a part of what it holds is free.

What goes back has to be taken again, and the system clears it page by page as it is first touched. An evaluation at 512 pixels
takes 1.2 GB this way, in pages of 4 kB a tenth of its time.
"""

import ctypes
import os
import sys
from functools import cache
from pathlib import Path

LARGE = (
    32 * 2**20
)  # bytes of a block from which glibc gives it back by itself, so that it leaves no gap
LARGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage")  # there on a Linux that has them


def ask_for_large_pages() -> None:
    """Let PyTorch take tensors of 2 MB and more in pages of 2 MB, where the system has them.

    PyTorch looks for this variable of the environment when it takes memory for the first time, and not again. One that is set
    already, to "0" or "1", stays.
    """
    if LARGE_PAGES.exists():
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def give_back() -> None:
    """Return free memory to the system, where the C library offers that; it costs a few hundredths of a second."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim():
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
