"""OpenCV's PCAFlow (optflow.createOptFlow_PCAFlow), as a flow estimator."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.errors import FrameError
from motionseg.core.types import Flow
from motionseg.flow._optflow import optflow
from motionseg.flow.base import FlowEstimator

__all__ = ["OpenCVPCAFlow"]

# Of the small flow, a quarter of the frame a side in steps of two, OpenCV fills 18 x 14 coefficients without looking
# whether they are there: below this size it writes beyond its memory.
_LEAST_WIDTH, _LEAST_HEIGHT = 72, 56
_NO_CORNER = "npoints", "empty matrix"  # what it says where there is none to track, or none that was found again


class OpenCVPCAFlow(FlowEstimator):
    """Very smooth flow: a few waves, fitted to corners that were tracked.

    It takes no numbers: OpenCV shows none of them to Python.

    Raises
    ------
    MissingExtraError
        This OpenCV has no contributed modules.
    FrameError
        ``estimate``: a frame is smaller than 72x56 pixels.

    Notes
    -----
    Small things that move by themselves leave no trace in it. Without a corner that is found again the flow is 0, and a
    zoom comes out a tenth too small.

    References
    ----------
    J. Wulff, M. J. Black, Efficient sparse-to-dense optical flow estimation using a learned basis and layers,
    CVPR 2015, doi:10.1109/CVPR.2015.7298607.
    """

    info = ModelInfo(
        paper="Wulff and Black 2015, Efficient sparse-to-dense optical flow estimation using a learned basis and "
        "layers, doi:10.1109/CVPR.2015.7298607",
        speed="slow",
        good_at="the smooth motion of a whole scene, as of a camera",
    )

    _unsupported = frozenset({"zoom"})

    def __init__(self) -> None:
        optflow()

    def _estimate(self, previous: npt.NDArray[np.uint8], current: npt.NDArray[np.uint8]) -> Flow:
        height, width = previous.shape
        if width < _LEAST_WIDTH or height < _LEAST_HEIGHT:
            raise FrameError(f"PCAFlow needs {_LEAST_WIDTH}x{_LEAST_HEIGHT} pixels, the frame has {width}x{height}")
        try:
            return np.asarray(optflow().createOptFlow_PCAFlow().calc(previous, current, None))
        except cv2.error as error:
            if not any(sign in str(error) for sign in _NO_CORNER):
                raise
            return np.zeros((height, width, 2), np.float32)
