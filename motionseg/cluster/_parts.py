"""What clusterers share: how much motion is more than noise, and a mask into its parts."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.types import Labels

__all__ = ["connected_parts", "motion_threshold", "smooth_mask"]

_REST = 0.05  # share of the believed pixels that move with the camera, if the camera's motion is known at all
_BINS = 256


def motion_threshold(
    speed: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_], floor: float, noise: float = 3.0
) -> float:
    """Pixels above which a residual speed is that of a part: the valley of its histogram, above noise and `floor`.

    Infinity where next to nothing moves with the camera: then its motion is not known, and nothing can be told.
    """
    values = speed[valid]
    if values.size == 0:
        return float("inf")
    if values.size > 65536:  # a share of the pixels says as much, and every n-th is no matter of chance
        values = values[:: values.size // 32768]
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    least = max(floor, min(middle + noise * spread, float(np.quantile(values, 0.9))))
    split = max(least, _otsu(np.minimum(values, np.quantile(values, 0.99))))
    at_rest = np.count_nonzero(values <= max(floor, split / 2)) / values.size
    return split if at_rest >= _REST and values.max() > 1.001 * split else float("inf")


def _otsu(values: npt.NDArray[np.float32]) -> float:
    """Otsu's threshold of `values`: between-class variance is largest there."""
    top = float(values.max())
    if top <= 0:
        return 0.0
    counts = np.bincount(np.minimum((values * (_BINS / top)).astype(np.intp), _BINS - 1), minlength=_BINS)
    share = np.cumsum(counts) / values.size
    sums = np.cumsum(counts * (np.arange(_BINS) + 0.5)) / values.size
    apart = (sums[-1] * share - sums) ** 2 / np.maximum(share * (1 - share), 1e-12)
    return float((np.argmax(apart[:-1]) + 1) * top / _BINS)


def connected_parts(mask: npt.NDArray[np.bool_], min_share: float) -> Labels:
    """The 8-connected parts of `mask`, numbered from 1, without those of less than `min_share` of the picture."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    kept = stats[:, cv2.CC_STAT_AREA] >= min_share * mask.size
    kept[0] = False
    return np.where(kept, np.arange(len(kept), dtype=np.int32), 0).astype(np.int32)[labels]


def smooth_mask(mask: npt.NDArray[np.bool_], size: int) -> npt.NDArray[np.bool_]:
    """The majority of the square of `size` (odd) pixels around each pixel; `size` 1 changes nothing."""
    if size <= 1:
        return mask
    share = cv2.blur(mask.astype(np.uint8) * np.uint8(255), (size, size), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(share > 127)
