"""Arrays at the doors of the segmentation metrics: what a mask says, which pixels count, what overlaps what."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_pixels
from motionseg.core.errors import FrameError
from motionseg.core.jit import kernel
from motionseg.core.types import SHADOW

__all__ = ["check_labels", "foreground", "judged_pair", "overlap_table"]

Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.integer[Any]]


@kernel
def _is_foreground(mask, out):
    for i in range(mask.size):
        out[i] = (mask[i] != 0) & (mask[i] != SHADOW)


def foreground(mask: Any, name: str) -> Bools:
    """The foreground of `mask` as a C-contiguous bool (H, W) array; `name` is used in the error.

    bool stays as it is; uint8 is foreground where it is neither 0 nor 127 (shadow); other integers where not 0.

    Raises
    ------
    FrameError
        Neither bool nor integer, or not of shape (H, W).
    """
    array = _check_plane(mask, name, "bui")
    if array.dtype == np.uint8:
        out = np.empty(array.shape, np.bool_)
        _is_foreground(array.reshape(-1), out.reshape(-1))
        return out
    return array.astype(np.bool_, copy=False)


def judged_pair(mask: Any, truth: Any, void: Any = None) -> tuple[Bools, Bools]:
    """The foregrounds of `mask` and `truth`, without the pixels that `void`, bool (H, W), marks as not judged.

    Raises
    ------
    FrameError
        What :func:`foreground` refuses, or shapes that differ.
    """
    found, real = foreground(mask, "mask"), foreground(truth, "truth")
    if found.shape != real.shape:
        raise FrameError(f"mask {found.shape} and truth {real.shape} differ in size")
    if void is None:
        return found, real
    judged = ~check_pixels(void, found.shape, "void")
    return found & judged, real & judged


def check_labels(labels: Any, name: str) -> Integers:
    """Return `labels` as a C-contiguous integer (H, W) array; `name` is used in the error.

    Raises
    ------
    FrameError
        Not of an integer dtype, or not of shape (H, W).
    """
    return _check_plane(labels, name, "ui")


def _check_plane(array: Any, name: str, kinds: str) -> npt.NDArray[Any]:
    array = np.asarray(array)
    if array.dtype.kind not in kinds:
        raise FrameError(f"{name} holds {'bool or ' if 'b' in kinds else ''}integers, not {array.dtype}")
    if array.ndim != 2 or array.size == 0:
        raise FrameError(f"{name} has shape (H, W) and is not empty, not {array.shape}")
    return np.ascontiguousarray(array)


def overlap_table(a: Integers, b: Integers) -> tuple[Integers, Integers, npt.NDArray[np.int64]]:
    """Count the common pixels of every value of `a` and every value of `b`, two C-contiguous arrays of one shape.

    Unlike :func:`motionseg.core.geometry.label_overlaps` it takes any values, negative and huge ones too.

    Returns
    -------
    a_values : (N,)
        The values of `a`, ascending.
    b_values : (M,)
        The values of `b`, ascending.
    table : int64 (N, M)
        Common pixels.
    """
    a, b = a.reshape(-1), b.reshape(-1)
    # Labels come in runs: only their starts have to be sorted.
    starts = np.flatnonzero(np.concatenate([[True], (a[1:] != a[:-1]) | (b[1:] != b[:-1])]))
    lengths = np.diff(starts, append=a.size)
    a_values, rows = np.unique(a[starts], return_inverse=True)
    b_values, columns = np.unique(b[starts], return_inverse=True)
    table = np.zeros((len(a_values), len(b_values)), np.int64)
    np.add.at(table, (rows, columns), lengths)
    return a_values, b_values, table
