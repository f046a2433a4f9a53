"""The one door to Numba: how every kernel of the package is compiled.

A kernel is a module-level function above the class that uses it, working in place on
C-contiguous arrays over a range ``start, stop`` of rows (or tiles). It releases the GIL, so that
:mod:`motionseg.core.parallel` can run ranges on threads.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numba

__all__ = ["kernel"]

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F | None = None, *, inline: bool = False, allocates: bool = True) -> Any:
    """Compile `function` to machine code at its first call, and keep the result on disk.

    * ``error_model="numpy"``: a division check on every element would stop vectorisation.
    * ``contract``: multiply and add may fuse; no other rounding freedom is taken, so that results
      do not depend on how a loop was vectorised or on the number of threads.
    * Where no cache folder can be written, the kernel is compiled anew in every process.

    Used bare, or as ``@kernel(inline=True)`` on a part of a kernel that is called once per few
    pixels, where the call itself (an array is eight arguments) would cost as much as the work.
    With ``allocates=False`` it makes views, but no arrays, and so counts no references: an atomic
    count, twice per view, took a third of the time of kernels that slice a few times per tile.
    Such a kernel is for other kernels to call: what it works on must be held by its caller.
    The Python original stays reachable as ``.py_func``.
    """
    if function is None:
        return functools.partial(kernel, inline=inline, allocates=allocates)
    flags: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}, "forceinline": inline}
    if not allocates:
        flags["_nrt"] = False  # no run-time of numba's for memory
    try:
        return numba.njit(cache=True, **flags)(function)
    except RuntimeError as error:  # numba: "cannot cache function: no locator available"
        warnings.warn(f"kernels are compiled anew in every process: {error}", RuntimeWarning, stacklevel=2)
        return numba.njit(**flags)(function)
