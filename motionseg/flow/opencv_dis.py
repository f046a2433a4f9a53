"""OpenCV's dense inverse search (DISOpticalFlow), as a flow estimator."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_choice
from motionseg.core.errors import FrameError
from motionseg.core.types import Flow
from motionseg.flow.base import FlowEstimator

__all__ = ["OpenCVDIS"]

_PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
_LEAST = 16  # pixels a side: below, OpenCV 5.0 reads beyond its buffers (12 to 15 rows of 40 and more crash)


class OpenCVDIS(FlowEstimator):
    """Fast flow for real time: patches are found by inverse search over a pyramid, then refined variationally.

    Parameters
    ----------
    preset : "ultrafast", "fast" or "medium"
        How densely patches lie and how long they are refined.

    Raises
    ------
    ParameterError
        There is no such preset. ``estimate``: FrameError where a frame has fewer than 16 pixels a side.

    References
    ----------
    T. Kroeger, R. Timofte, D. Dai, L. Van Gool, Fast optical flow using dense inverse search, ECCV 2016,
    doi:10.1007/978-3-319-46493-0_29.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> previous = cv2.GaussianBlur(rng.integers(0, 256, (60, 80), np.uint8), (0, 0), 2)
    >>> flow = OpenCVDIS().estimate(previous, np.roll(previous, 2, axis=1))
    >>> np.median(flow[..., 0]).round()
    np.float32(2.0)
    """

    info = ModelInfo(
        paper="Kroeger et al. 2016, Fast optical flow using dense inverse search, doi:10.1007/978-3-319-46493-0_29",
        speed="medium",
        good_at="flow in real time on a CPU",
    )

    def __init__(self, *, preset: str = "medium") -> None:
        self.preset = check_choice("preset", preset, tuple(_PRESETS))

    def _estimate(self, previous: npt.NDArray[np.uint8], current: npt.NDArray[np.uint8]) -> Flow:
        if min(previous.shape) < _LEAST:
            raise FrameError(f"dense inverse search needs {_LEAST} pixels a side, the frame is {previous.shape}")
        # A fresh object each time: its buffers would tie results of different sizes and threads together.
        return np.asarray(cv2.DISOpticalFlow_create(_PRESETS[self.preset]).calc(previous, current, None))
