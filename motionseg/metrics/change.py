"""Change detection as CDnet counts it: pixels of a whole video, ratios of the sums, then means over videos."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_mask, check_pixels
from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.jit import kernel
from motionseg.core.types import FOREGROUND, Mask
from motionseg.metrics._counts import Retrieval

__all__ = ["ChangeCounts", "count_change", "summarize"]

_FOUND, _SHADOW, _OUTSIDE, _UNKNOWN, _MOTION = (np.uint8(code) for code in (FOREGROUND, 50, 85, 170, 255))
_LANES = 128  # counters that run side by side, so that one instruction judges many pixels
_FULL = 255 * _LANES  # pixels after which a uint8 counter could overflow


@kernel
def _count(mask, truth, roi, everywhere, lanes, counts):
    """counts += counted, found, moving, moving and found, shadow, shadow and found pixels of flat uint8 arrays."""
    for first in range(0, mask.shape[0], _FULL):
        lanes[:] = 0
        for start in range(first, min(first + _FULL, mask.shape[0]), _LANES):
            m, t, r = mask[start : start + _LANES], truth[start : start + _LANES], roi[start : start + _LANES]
            for i in range(m.shape[0]):
                counted = (t[i] != _OUTSIDE) & (t[i] != _UNKNOWN) & ((r[i] | everywhere) != np.uint8(0))
                found = counted & (m[i] == _FOUND)
                lanes[i] += np.uint8(counted)
                lanes[_LANES + i] += np.uint8(found)
                lanes[2 * _LANES + i] += np.uint8(counted & (t[i] == _MOTION))
                lanes[3 * _LANES + i] += np.uint8(found & (t[i] == _MOTION))
                lanes[4 * _LANES + i] += np.uint8(counted & (t[i] == _SHADOW))
                lanes[5 * _LANES + i] += np.uint8(found & (t[i] == _SHADOW))
        for k in range(counts.shape[0]):
            for i in range(k * _LANES, (k + 1) * _LANES):
                counts[k] += lanes[i]


@dataclass(frozen=True)
class ChangeCounts(Retrieval):
    """Pixels judged so far; add the counts of frames (or parts of a video), then ask for ratios.

    Recall, precision and F are 0 where they are 0 / 0, as in CDnet's tables; the other ratios are nan there, which
    :func:`summarize` leaves out.

    Attributes
    ----------
    tp, fp, fn, tn : int
        True and false positives, false and true negatives.
    shadow_errors, shadows : int
        Pixels of hard shadow that were taken for motion (they are among `fp`, too), and all of hard shadow.

    Examples
    --------
    >>> counts = ChangeCounts(tp=8, fp=2, fn=2, tn=88) + ChangeCounts()
    >>> round(counts.f_measure, 3), counts.pwc
    (0.8, 4.0)
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0
    shadow_errors: int = 0
    shadows: int = 0

    @property
    def specificity(self) -> float:
        """TN / (TN + FP); nan if everything moved."""
        return _ratio(self.tn, self.tn + self.fp)

    @property
    def fpr(self) -> float:
        """False positive rate FP / (FP + TN); nan if everything moved."""
        return _ratio(self.fp, self.fp + self.tn)

    @property
    def fnr(self) -> float:
        """False negative rate FN / (TP + FN); nan if nothing moved."""
        return _ratio(self.fn, self.tp + self.fn)

    @property
    def pwc(self) -> float:
        """Percentage of wrong classifications, 100 (FN + FP) / all; nan if no pixel counts."""
        return 100 * _ratio(self.fn + self.fp, self.tp + self.fp + self.fn + self.tn)

    @property
    def fpr_s(self) -> float:
        """Share of hard shadow that was taken for motion; nan without shadow."""
        return _ratio(self.shadow_errors, self.shadows)

    def metrics(self) -> dict[str, float]:
        """All ratios under CDnet's names: Re, Sp, FPR, FNR, PWC (percent), F, Pr, FPR-S; all but PWC in [0, 1]."""
        rates = {"Re": self.recall, "Sp": self.specificity, "FPR": self.fpr, "FNR": self.fnr, "PWC": self.pwc}
        return rates | {"F": self.f_measure, "Pr": self.precision, "FPR-S": self.fpr_s}


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def count_change(mask: Mask, truth: npt.NDArray[np.uint8], roi: npt.NDArray[np.bool_] | None = None) -> ChangeCounts:
    """Compare one mask with CDnet truth.

    Parameters
    ----------
    mask : uint8 (H, W)
        255 is positive, all else negative.
    truth : uint8 (H, W)
        0 static, 50 hard shadow, 85 outside the ROI, 170 unknown, 255 motion; 85 and 170 do not count.
    roi : bool (H, W), optional
        Only pixels inside count.

    Raises
    ------
    FrameError
        Wrong dtype, or the shapes differ.

    References
    ----------
    Y. Wang et al., CDnet 2014: an expanded change detection benchmark dataset, CVPRW 2014,
    doi:10.1109/CVPRW.2014.126.

    Examples
    --------
    >>> count_change(np.array([[255, 127, 0]], np.uint8), np.array([[255, 50, 170]], np.uint8))
    ChangeCounts(tp=1, fp=0, fn=0, tn=1, shadow_errors=0, shadows=1)
    """
    mask, truth = check_mask(mask), check_mask(truth)
    if mask.shape != truth.shape:
        raise FrameError(f"mask {mask.shape} and truth {truth.shape} differ in size")
    inside = mask if roi is None else np.ascontiguousarray(check_pixels(roi, mask.shape, "roi")).view(np.uint8)
    counts = np.zeros(6, np.int64)
    lanes = np.empty(6 * _LANES, np.uint8)
    _count(mask.ravel(), truth.ravel(), inside.ravel(), np.uint8(roi is None), lanes, counts)
    total, found, moving, tp, shadows, shadow_errors = counts.tolist()
    return ChangeCounts(tp, found - tp, moving - tp, total - found - moving + tp, shadow_errors, shadows)


def summarize(
    rows: Iterable[tuple[str, str, Mapping[str, float]]],
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Average metrics in CDnet's order: over the videos of a category, then over the categories.

    Every metric is averaged by itself, so the overall F is not the F of the overall precision and recall. A metric
    that a video lacks, or that is nan there, is left out of its mean; what is left out everywhere is nan.

    Parameters
    ----------
    rows : iterable of (category, video, metrics)
        `metrics` maps names to numbers, as :meth:`ChangeCounts.metrics` and its likes do.

    Returns
    -------
    categories : dict of dict
        The means of each category, in order of appearance.
    overall : dict
        The means of these means.

    Raises
    ------
    ParameterError
        A video comes twice: add the counts of its parts first.

    Examples
    --------
    >>> rows = [("night", "a", {"F": 0.4}), ("night", "b", {"F": 0.6}), ("PTZ", "c", {"F": 0.1})]
    >>> categories, overall = summarize(rows)
    >>> categories["night"], {name: round(value, 3) for name, value in overall.items()}
    ({'F': 0.5}, {'F': 0.3})
    """
    videos: dict[str, dict[str, Mapping[str, float]]] = {}
    for category, video, metrics in rows:
        if video in videos.setdefault(category, {}):
            raise ParameterError(f"video {category}/{video} comes twice")
        videos[category][video] = metrics
    categories = {category: _means(parts.values()) for category, parts in videos.items()}
    return categories, _means(categories.values())


def _means(rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            values.setdefault(name, [])
            if not math.isnan(value):
                values[name].append(value)
    return {name: math.fsum(found) / len(found) if found else math.nan for name, found in values.items()}
