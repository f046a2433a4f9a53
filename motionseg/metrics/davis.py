"""DAVIS: region similarity J and contour accuracy F of a mask, and what is said of a sequence of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import ParameterError
from motionseg.core.jit import kernel
from motionseg.metrics._contours import contour_f_measure, contour_radius, trace
from motionseg.metrics._masks import judged_pair

__all__ = ["Statistics", "contour_accuracy", "region_similarity", "statistics"]

_8, _48 = np.uint64(8), np.uint64(48)
_ODD_BYTES, _PAIRS = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0001000100010001)
_BLOCK = 128  # words whose bytes, each 0 or 1, can be added without an overflow; of constant length it vectorises


@kernel(inline=True)
def _sum_bytes(word):
    return (((word & _ODD_BYTES) + ((word >> _8) & _ODD_BYTES)) * _PAIRS) >> _48


@kernel
def _count_overlap(a, b, out):
    """Pixels of both and of either of two bool arrays, seen as words of eight pixels."""
    both, either = np.uint64(0), np.uint64(0)
    blocks = a.size // _BLOCK
    for block in range(blocks):
        sum_both, sum_either = np.uint64(0), np.uint64(0)
        for i in range(_BLOCK):
            sum_both += a[block * _BLOCK + i] & b[block * _BLOCK + i]
            sum_either += a[block * _BLOCK + i] | b[block * _BLOCK + i]
        both += _sum_bytes(sum_both)
        either += _sum_bytes(sum_either)
    for i in range(blocks * _BLOCK, a.size):
        both += _sum_bytes(a[i] & b[i])
        either += _sum_bytes(a[i] | b[i])
    out[0], out[1] = both, either


def region_similarity(mask: Any, truth: Any, *, void: npt.NDArray[np.bool_] | None = None) -> float:
    """Intersection over union of a mask and its truth, DAVIS' J, in [0, 1]; 1 if both are empty.

    Parameters
    ----------
    mask, truth : bool or integer (H, W)
        uint8 is foreground where neither 0 nor 127 (shadow), another integer where not 0.
    void : bool (H, W), optional
        Pixels that are not judged.

    Raises
    ------
    FrameError
        Arrays of another dtype, or of different shapes.

    References
    ----------
    F. Perazzi et al., A benchmark dataset and evaluation methodology for video object segmentation, CVPR 2016,
    doi:10.1109/CVPR.2016.85.

    Examples
    --------
    >>> region_similarity(np.array([[0, 255, 255, 255]], np.uint8), np.array([[0, 0, 255, 255]], np.uint8))
    0.6666666666666666
    """
    a, b = (array.reshape(-1) for array in judged_pair(mask, truth, void))
    whole = a.size // 8 * 8
    counts = np.empty(2, np.int64)
    _count_overlap(a[:whole].view(np.uint64), b[:whole].view(np.uint64), counts)
    both, either = counts.tolist()
    both += int(np.count_nonzero(a[whole:] & b[whole:]))
    either += int(np.count_nonzero(a[whole:] | b[whole:]))
    return both / either if either else 1.0


def contour_accuracy(
    mask: Any, truth: Any, *, tolerance: float = 0.008, void: npt.NDArray[np.bool_] | None = None
) -> float:
    """How well the contours of a mask and of its truth lie upon one another, DAVIS' F, in [0, 1].

    Boundary pixels of either that lie within the tolerance of the other count as matched; F is the harmonic mean
    of precision and recall. 1 if neither has a boundary, 0 if one has none. Equals the benchmark's own tool.

    Parameters
    ----------
    mask, truth : bool or integer (H, W)
        As for :func:`region_similarity`.
    tolerance : float above 0
        Below 1 a share of the image diagonal, else pixels; rounded up to whole pixels.
    void : bool (H, W), optional
        Pixels that are not judged: taken as background in both.

    Raises
    ------
    FrameError
        Arrays of another dtype, or of different shapes.
    ParameterError
        `tolerance` is not above 0.

    References
    ----------
    F. Perazzi et al., A benchmark dataset and evaluation methodology for video object segmentation, CVPR 2016,
    doi:10.1109/CVPR.2016.85. The measure is that of D. Martin et al., Learning to detect natural image boundaries
    using local brightness, color, and texture cues, PAMI 2004, doi:10.1109/TPAMI.2004.1273918, without its one-to-one
    assignment.

    Examples
    --------
    >>> truth = np.zeros((40, 60), bool)
    >>> truth[10:20, 10:20] = True
    >>> contour_accuracy(np.roll(truth, 2, axis=1), truth, tolerance=2)
    1.0
    """
    a, b = judged_pair(mask, truth, void)
    radius = contour_radius(tolerance, a.shape)
    return contour_f_measure(trace(a, radius), trace(b, radius))


@dataclass(frozen=True)
class Statistics:
    """What DAVIS says of the values of one measure over one sequence.

    Attributes
    ----------
    mean : float
        Over all frames.
    recall : float in [0, 1]
        Share of frames above 0.5.
    decay : float
        Mean of the first quarter less mean of the last: how much is lost over time.
    """

    mean: float
    recall: float
    decay: float


def statistics(values: Iterable[float]) -> Statistics:
    """Mean, recall and decay of the values of a measure, one per frame in order; frames of NaN are left out.

    DAVIS-2016 judges all frames of a sequence but the first and the last; hand over those.

    Raises
    ------
    ParameterError
        There is no value.

    References
    ----------
    F. Perazzi et al., A benchmark dataset and evaluation methodology for video object segmentation, CVPR 2016,
    doi:10.1109/CVPR.2016.85.

    Examples
    --------
    >>> statistics([1.0, 0.75, 0.75, 0.25, 0.0])
    Statistics(mean=0.55, recall=0.6, decay=0.75)
    """
    array = np.array(list(values), np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ParameterError(f"statistics() takes at least one value per sequence, in one row, not shape {array.shape}")
    # Quarters share their end frames, as in the benchmark's own tool.
    first, second, _, fourth, fifth = (np.round(np.linspace(1, array.size, 5) + 1e-10).astype(int) - 1).tolist()
    decay = _mean(array[first : second + 1]) - _mean(array[fourth : fifth + 1])
    return Statistics(_mean(array), _mean(np.where(np.isnan(array), np.nan, array > 0.5)), decay)


def _mean(values: npt.NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan
