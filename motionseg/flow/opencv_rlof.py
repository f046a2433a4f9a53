"""OpenCV's dense robust local flow (optflow.DenseRLOFOpticalFlow), as a flow estimator."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.errors import FrameError
from motionseg.core.types import Flow
from motionseg.flow._optflow import optflow
from motionseg.flow.base import FlowEstimator

__all__ = ["OpenCVRLOF"]

_LEAST = 64  # pixels a side: below about 40 OpenCV's pyramid never ends


class OpenCVRLOF(FlowEstimator):
    """Flow from points of a grid that are tracked robustly, spread along the picture's edges.

    Parameters
    ----------
    grid_step : int, 1 to 16
        Pixels between two points that are tracked.
    forward_backward : float, at least 0
        Points that miss themselves by more, tracked there and back again, are dropped, pixels; 0: all are kept, and
        the time is halved.

    Raises
    ------
    ParameterError
        A parameter is out of range.
    MissingExtraError
        This OpenCV has no contributed modules.
    FrameError
        ``estimate``: a frame has fewer than 64 pixels a side.

    Notes
    -----
    The points are spread by geodesic distance (INTERP_GEO): the default of OpenCV, EPIC, gives what was in memory
    where few points are left.

    References
    ----------
    T. Senst, V. Eiselein, T. Sikora, Robust local optical flow for feature tracking, IEEE Trans. Circuits and Systems
    for Video Technology 22, 2012, doi:10.1109/TCSVT.2012.2202070. J. Geistert, T. Senst, T. Sikora, Robust local
    optical flow: dense motion vector field interpolation, PCS 2016, doi:10.1109/PCS.2016.7906352.
    """

    info = ModelInfo(
        paper="Senst et al. 2012, Robust local optical flow for feature tracking, doi:10.1109/TCSVT.2012.2202070",
        speed="slow",
        good_at="large motions of rigid things",
    )

    def __init__(self, *, grid_step: int = 6, forward_backward: float = 1.0) -> None:
        self.grid_step = check_integer("grid_step", grid_step, 1, 16)
        self.forward_backward = check_number("forward_backward", forward_backward, 0)
        optflow()

    def _estimate(self, previous: npt.NDArray[np.uint8], current: npt.NDArray[np.uint8]) -> Flow:
        if min(previous.shape) < _LEAST:
            raise FrameError(f"robust local flow needs {_LEAST} pixels a side, the frame is {previous.shape}")
        module = optflow()
        solver = module.DenseRLOFOpticalFlow_create(
            forwardBackwardThreshold=self.forward_backward,
            gridStep=(self.grid_step,) * 2,
            interp_type=module.INTERP_GEO,
        )
        # Its cross-shaped windows ask for colour; they are found in grey as well.
        pair = (cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR) for frame in (previous, current))
        return np.asarray(np.nan_to_num(solver.calc(*pair, None), copy=False, posinf=0, neginf=0))
