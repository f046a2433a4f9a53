"""The baseline of moving cameras: residual flow behind one homography, cut by Otsu's threshold."""

from __future__ import annotations

import cv2
import numpy as np

from motionseg.core.catalog import ModelInfo
from motionseg.core.geometry import transform_flow
from motionseg.core.types import FOREGROUND, Frame, Mask, Score
from motionseg.flow.base import FlowEstimator
from motionseg.pipeline._frame_pairs import FramePairs

__all__ = ["NaiveFlow"]

_GRID = 8  # pixels
_TOLERANCE = 3.0  # pixels of RANSAC


class NaiveFlow(FramePairs):
    """What anybody writes first, for comparison: flow, a homography by RANSAC, Otsu, a median.

    Parameters
    ----------
    estimator : FlowEstimator, optional
        Default ``OpenCVDIS(preset="medium")``.

    Raises
    ------
    ParameterError
        `estimator` estimates no flow.

    Notes
    -----
    OpenCV's findHomography on every 8th pixel; the length of what the homography leaves of the flow, clipped at its
    99th percentile, is cut in two by Otsu's threshold; a 9x9 median cleans the mask. Each frame is compared with the
    one before, so the first has no mask. Something is always foreground.

    References
    ----------
    N. Otsu, A threshold selection method from gray-level histograms, SMC 9 (1979), doi:10.1109/TSMC.1979.4310076.
    """

    info = ModelInfo(paper="a baseline; Otsu 1979, doi:10.1109/TSMC.1979.4310076", speed="slow", good_at="comparison")

    def __init__(self, *, estimator: FlowEstimator | None = None) -> None:
        super().__init__(estimator)

    def _compare(self, frame: Frame, mask: Mask, score: Score, *, learn: bool) -> None:
        flow = self.estimator.estimate(frame, self._last)
        y, x = np.mgrid[_GRID // 2 : mask.shape[0] : _GRID, _GRID // 2 : mask.shape[1] : _GRID]
        points = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
        cv2.setRNGSeed(0)  # findHomography's own is never set back
        found, _ = cv2.findHomography(points, points + flow[y.ravel(), x.ravel()], cv2.RANSAC, _TOLERANCE)
        back = np.eye(3) if found is None else np.asarray(found, np.float64)
        self.motion = np.asarray(np.linalg.inv(back))
        length = np.linalg.norm(flow - transform_flow(back, frame.shape), axis=2)
        high = max(float(np.percentile(length, 99)), 1e-6)
        levels = (np.clip(length / high, 0, 1) * 255).astype(np.uint8)
        _, above = cv2.threshold(levels, 0, FOREGROUND, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        mask[...] = cv2.medianBlur(above, 9)
        score[...] = mask > 0
