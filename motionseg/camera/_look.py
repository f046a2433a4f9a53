"""What estimators look at of a frame, and whether two frames show one scene."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Look", "is_same_scene", "to_full"]

_SIDE = 240  # pixels of the shorter side at which pictures are looked at
_FAINT = 9.0  # variance of a window of a thumbnail, grey levels squared: below it is noise
_ALIKE = 0.7  # correlation of a window that is seen again
_SAME_SHARE = 0.15  # of the windows: two frames show the same scene


class Look:
    """What is looked at of a picture: it is small, and without slow changes of light."""

    def __init__(self, picture: npt.NDArray[np.uint8]) -> None:
        self.factor = max(1, round(min(picture.shape) / _SIDE))
        grey = self.reduced(picture)
        self.flat = cv2.addWeighted(grey, 1, cv2.blur(grey, (31, 31)), -1, 128)

    def reduced(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        n = self.factor
        if n == 1:
            return picture
        height, width = picture.shape[0] // n, picture.shape[1] // n
        return cv2.resize(picture[: height * n, : width * n], (width, height), interpolation=cv2.INTER_AREA)


def to_full(factor: int) -> npt.NDArray[np.float64]:
    """Takes pixels (x, y, 1) of a picture that was reduced by `factor` to those of the full one."""
    # The centre of a small pixel lies in the middle of those it is made of.
    return np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1]])


def is_same_scene(before: npt.NDArray[np.uint8], now: npt.NDArray[np.uint8]) -> bool:
    """Whether some of the structure of one picture is in the other, in its place, or there is none at all."""
    size = tuple(min(most, n) for most, n in zip((80, 60), before.shape[::-1], strict=True))
    a, b = (cv2.resize(p, size, interpolation=cv2.INTER_AREA).astype(np.float32) for p in (before, now))
    mean_a, mean_b, aa, bb, ab = (cv2.blur(p, (9, 9)) for p in (a, b, a * a, b * b, a * b))
    variance_a, variance_b = np.maximum(aa - mean_a**2, 0), np.maximum(bb - mean_b**2, 0)
    textured = variance_a > _FAINT
    alike = textured & (ab - mean_a * mean_b > _ALIKE * np.sqrt(variance_a * variance_b))
    return bool(np.count_nonzero(alike) >= _SAME_SHARE * np.count_nonzero(textured))
