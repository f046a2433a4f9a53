"""Memory that stays as small as it is over weeks: what glibc is to be told, where it is the C library."""

from __future__ import annotations

import ctypes
from typing import Any

__all__ = ["give_back", "keep_together"]

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # of mallopt(3)
_ARENAS = 2
_LARGE = 2 << 20  # bytes from which on a block is the system's: frames in full size, and states


def keep_together() -> None:
    """Let threads share two heaps; call it before there are any.

    By default each has its own, and what one frees the others cannot have: twenty threads that hand arrays on grow for
    many minutes.
    """
    libc = _libc()
    if libc is not None:
        libc.mallopt(_ARENA_MAX, _ARENAS)
        libc.mallopt(_MMAP_THRESHOLD, _LARGE)


def give_back() -> None:
    """Return to the system what is free; takes milliseconds."""
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)


def _libc() -> Any:
    try:
        libc = ctypes.CDLL("libc.so.6")
        return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
    except OSError:  # not Linux, or another C library
        return None
