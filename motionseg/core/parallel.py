"""Strips of rows on threads: how kernels use all cores without changing their result.

Numba's own parallel mode aborts the process when two Python threads enter it under its
``workqueue`` layer. Kernels here release the GIL and work on ranges, so plain threads do.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from motionseg.core.checks import check_integer

__all__ = ["get_num_threads", "run_strips", "set_num_threads"]

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_num_threads: int | None = None
# Waking a thread costs some 30 us, about what the fastest kernel needs for this many pixels.
_MIN_PIXELS_PER_STRIP = 16_384


def _available_cores() -> int:
    # The cores this process may use, which in a container is often fewer than os.cpu_count().
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def get_num_threads() -> int:
    """Number of threads that kernels run on (default: all cores this process may use).

    Examples
    --------
    >>> import motionseg
    >>> motionseg.get_num_threads() >= 1
    True
    """
    return _num_threads if _num_threads is not None else _available_cores()


def set_num_threads(n: int) -> None:
    """Run kernels on `n` threads from now on, in the whole process. Results do not depend on it.

    Raises
    ------
    ParameterError
        `n` is not an integer of at least 1.
    """
    global _num_threads, _pool
    n = check_integer("n", n, 1)
    with _lock:
        # An old pool may still be running a frame of another thread: it ends by itself when idle.
        _num_threads, old, _pool = n, _pool, None
    if old is not None:
        old.shutdown(wait=False)


def _submit(task: Callable[..., Any], *args: Any) -> Any:
    global _pool
    with _lock:  # so that set_num_threads cannot shut the pool down between look-up and submit
        if _pool is None:
            _pool = ThreadPoolExecutor(get_num_threads(), thread_name_prefix="motionseg")
        return _pool.submit(task, *args)


def _forget_pool() -> None:  # threads do not survive a fork
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def run_strips(kernel: Callable[..., Any], n: int, *args: Any, pixels_per_unit: int) -> None:
    """Call ``kernel(start, stop, *args)`` on ranges that together cover ``0 .. n``.

    Parameters
    ----------
    kernel : callable
        Works in place on units (rows or tiles) `start` to `stop` of its arrays, touching no other.
    n : int
        Number of units.
    *args
        Passed on to every call.
    pixels_per_unit : int
        Size of one unit; small frames run on fewer threads, since waking one costs more than it saves.
    """
    strips = max(1, min(get_num_threads(), n, n * pixels_per_unit // _MIN_PIXELS_PER_STRIP))
    if strips == 1:
        kernel(0, n, *args)
        return
    edges = [n * i // strips for i in range(strips + 1)]
    jobs = [_submit(kernel, edges[i], edges[i + 1], *args) for i in range(1, strips)]
    try:
        kernel(edges[0], edges[1], *args)  # this thread works too
    finally:
        for job in jobs:  # never leave a thread writing into arrays of a caller who has gone
            job.exception()
    for job in jobs:
        job.result()
