"""Memory that a process has freed and that its C library still holds.

glibc, the C library of most Linux systems, keeps freed blocks of less than 32 MB for what comes next. What comes next may not
fit into the gaps, and the process grows although a part of what it holds is free.
"""

import ctypes
import sys
from functools import cache

LARGE = 32 * 2**20  # bytes of a block from which glibc gives it back by itself, so that it leaves no gap


def give_back() -> None:
    """Return free memory to the system, where the C library offers that; it costs a few hundredths of a second."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim():
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
