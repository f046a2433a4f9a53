"""OpenCV's polynomial expansion (calcOpticalFlowFarneback), as a flow estimator."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.types import Flow
from motionseg.flow.base import FlowEstimator

__all__ = ["OpenCVFarneback"]


class OpenCVFarneback(FlowEstimator):
    """Smooth flow: neighbourhoods are approximated by quadratic polynomials, and these are displaced.

    Parameters
    ----------
    pyramid_scale : float in (0, 1)
        Size of each picture of the pyramid, as a share of the one before (pyr_scale).
    levels : int, at least 1
        Pictures in the pyramid.
    window : int, at least 3
        Side of the averaging window, pixels; larger is steadier and blurs boundaries (winsize).
    iterations : int, at least 1
        Rounds at each level.
    neighbourhood : int, at least 3
        Side of the neighbourhood that a polynomial is fitted to, pixels (poly_n).
    sigma : float, above 0
        Standard deviation of the Gaussian weights of that fit, pixels (poly_sigma).

    Raises
    ------
    ParameterError
        A parameter is out of range.

    References
    ----------
    G. Farnebäck, Two-frame motion estimation based on polynomial expansion, SCIA 2003,
    doi:10.1007/3-540-45103-X_50.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> previous = cv2.GaussianBlur(rng.integers(0, 256, (60, 80), np.uint8), (0, 0), 2)
    >>> flow = OpenCVFarneback().estimate(previous, np.roll(previous, 2, axis=1))
    >>> np.median(flow[..., 0]).round()
    np.float32(2.0)
    """

    info = ModelInfo(
        paper="Farnebäck 2003, Two-frame motion estimation based on polynomial expansion, doi:10.1007/3-540-45103-X_50",
        speed="slow",
        good_at="smooth motion of textured surfaces",
    )

    def __init__(
        self,
        *,
        pyramid_scale: float = 0.5,
        levels: int = 5,
        window: int = 15,
        iterations: int = 3,
        neighbourhood: int = 7,
        sigma: float = 1.5,
    ) -> None:
        self.pyramid_scale = check_number("pyramid_scale", pyramid_scale, 0.05, 0.95)
        self.levels = check_integer("levels", levels, 1)
        self.window = check_integer("window", window, 3)
        self.iterations = check_integer("iterations", iterations, 1)
        self.neighbourhood = check_integer("neighbourhood", neighbourhood, 3)
        self.sigma = check_number("sigma", sigma, 0, above=True)

    def _estimate(self, previous: npt.NDArray[np.uint8], current: npt.NDArray[np.uint8]) -> Flow:
        numbers = (self.pyramid_scale, self.levels, self.window, self.iterations, self.neighbourhood, self.sigma)
        return np.asarray(cv2.calcOpticalFlowFarneback(previous, current, None, *numbers, 0))
