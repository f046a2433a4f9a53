"""Change detection as CDnet counts it: pixels of a whole video, then ratios of the sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import FrameError
from motionseg.core.types import FOREGROUND, Mask

__all__ = ["ChangeCounts", "count_change"]

_OUTSIDE, _UNKNOWN, _MOTION = 85, 170, 255


@dataclass(frozen=True)
class ChangeCounts:
    """Pixels judged so far; add the counts of frames (or parts of a video), then ask for ratios.

    Attributes
    ----------
    tp, fp, fn, tn : int
        True and false positives, false and true negatives.

    Examples
    --------
    >>> counts = ChangeCounts(tp=8, fp=2, fn=2, tn=88) + ChangeCounts()
    >>> round(counts.f_measure, 3)
    0.8
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def __add__(self, other: ChangeCounts) -> ChangeCounts:
        return ChangeCounts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @property
    def recall(self) -> float:
        """TP / (TP + FN); 0 if nothing moved."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else 0.0

    @property
    def precision(self) -> float:
        """TP / (TP + FP); 0 if nothing was found."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else 0.0

    @property
    def f_measure(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn) if self.tp else 0.0


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
        The shapes differ.

    References
    ----------
    Y. Wang et al., CDnet 2014: an expanded change detection benchmark dataset, CVPRW 2014,
    doi:10.1109/CVPRW.2014.126.
    """
    if mask.shape != truth.shape or (roi is not None and roi.shape != mask.shape):
        raise FrameError(f"mask {mask.shape}, truth {truth.shape} and roi differ in size")
    counted = (truth != _OUTSIDE) & (truth != _UNKNOWN)
    if roi is not None:
        counted &= roi
    found, moving = mask == FOREGROUND, truth == _MOTION
    tp, positive = int(np.count_nonzero(found & moving & counted)), int(np.count_nonzero(found & counted))
    real, total = int(np.count_nonzero(moving & counted)), int(np.count_nonzero(counted))
    return ChangeCounts(tp=tp, fp=positive - tp, fn=real - tp, tn=total - positive - real + tp)
