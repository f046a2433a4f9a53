"""Horn-Schunck: grey levels keep their value, and flow bends as little as it can (Horn and Schunck, 1981)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_choice, check_integer, check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Flow
from motionseg.flow._pyramid import enlarge, linearise, pyramid, slopes
from motionseg.flow.base import FlowEstimator

__all__ = ["HornSchunck"]

_RELAXATION = 1.9  # of at most 2: how far beyond its solution each pixel goes


@kernel
def _sweep(start, stop, colour, flow, slope_x, slope_y, rest, smoothness, relaxation):
    """Rows start .. stop, pixels of one colour of a chessboard: solve each for its four neighbours; in place.

    Neighbours are of the other colour, so that the order of pixels, and of threads, does not matter.
    """
    height, width = rest.shape
    for y in range(start, stop):
        up, down = max(y - 1, 0), min(y + 1, height - 1)
        n_rows = np.float32((y > 0) + (y + 1 < height))
        for x in range((y + colour) & 1, width, 2):
            n = n_rows + np.float32((x > 0) + (x + 1 < width))
            mean_u, mean_v = np.float32(0), np.float32(0)
            if y > 0:
                mean_u += flow[0, up, x]
                mean_v += flow[1, up, x]
            if y + 1 < height:
                mean_u += flow[0, down, x]
                mean_v += flow[1, down, x]
            if x > 0:
                mean_u += flow[0, y, x - 1]
                mean_v += flow[1, y, x - 1]
            if x + 1 < width:
                mean_u += flow[0, y, x + 1]
                mean_v += flow[1, y, x + 1]
            n = max(n, np.float32(1))  # a picture of one pixel has no neighbours
            mean_u /= n
            mean_v /= n
            gx, gy = slope_x[y, x], slope_y[y, x]
            step = (rest[y, x] + gx * mean_u + gy * mean_v) / (smoothness * n + gx * gx + gy * gy)
            flow[0, y, x] += relaxation * (mean_u - step * gx - flow[0, y, x])
            flow[1, y, x] += relaxation * (mean_v - step * gy - flow[1, y, x])


class HornSchunck(FlowEstimator):
    """Smooth flow, filled in over places without texture; it blurs motion boundaries.

    Parameters
    ----------
    smoothness : float, above 0
        Weight of a squared change of flow from pixel to pixel against a squared difference of grey levels (alpha ** 2).
    levels : int, at least 1
        Pictures in the pyramid, each half the one before, none below 12 pixels a side.
    warps : int, at least 1
        Times that the second picture is warped anew, at each level.
    iterations : int, at least 1
        Steps of the solver for each warp.
    median : 1, 3 or 5
        Side of the median filter on the flow after each warp, pixels; 1: none.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    Minimises the sum of rho^2 + smoothness (|grad u|^2 + |grad v|^2), rho = I1(x + f) - I0(x) linearised anew at each
    warp, by over-relaxed Gauss-Seidel steps on the two colours of a chessboard: with m the mean of the n neighbours,
    f <- m - g (rest + g m) / (n smoothness + |g|^2).

    Memory while it runs: 60 bytes a pixel. Pictures without texture have flow 0. One bright outlier bends the flow
    around it.

    References
    ----------
    B. K. P. Horn, B. G. Schunck, Determining optical flow, Artificial Intelligence 17, 1981,
    doi:10.1016/0004-3702(81)90024-2. Median and warping: D. Sun, S. Roth, M. J. Black, Secrets of optical flow
    estimation and their principles, CVPR 2010, doi:10.1109/CVPR.2010.5539939.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> previous = cv2.GaussianBlur(rng.integers(0, 256, (60, 80), np.uint8), (0, 0), 2)
    >>> flow = HornSchunck().estimate(previous, np.roll(previous, 2, axis=1))
    >>> np.median(flow[..., 0]).round(1)
    np.float32(2.0)
    """

    info = ModelInfo(
        paper="Horn and Schunck 1981, Determining optical flow, doi:10.1016/0004-3702(81)90024-2",
        speed="slow",
        good_at="smooth motion, filled in where there is no texture",
    )

    def __init__(
        self,
        *,
        smoothness: float = 100.0,
        levels: int = 6,
        warps: int = 5,
        iterations: int = 20,
        median: int = 5,
    ) -> None:
        self.smoothness = check_number("smoothness", smoothness, 0, above=True)
        self.levels = check_integer("levels", levels, 1)
        self.warps = check_integer("warps", warps, 1)
        self.iterations = check_integer("iterations", iterations, 1)
        self.median = check_choice("median", median, (1, 3, 5))

    def _estimate(self, previous: npt.NDArray[np.uint8], current: npt.NDArray[np.uint8]) -> Flow:
        firsts, seconds = (pyramid(frame, self.levels) for frame in (previous, current))
        flow = np.zeros((2, *firsts[-1].shape), np.float32)
        for first, second in zip(firsts[::-1], seconds[::-1], strict=True):
            if flow.shape[1:] != first.shape:
                flow = enlarge(flow, first.shape)
            flow = self._level(first, second, flow)
        return np.ascontiguousarray(np.moveaxis(flow, 0, -1))

    def _level(self, first: Any, second: Any, flow: Any) -> Any:
        height, width = first.shape
        given = (first, *slopes(first), second)
        slope_x, slope_y, rest = (np.empty_like(first) for _ in range(3))
        numbers = np.float32(self.smoothness), np.float32(_RELAXATION)
        for _ in range(self.warps):
            run_strips(linearise, height, *given, flow, slope_x, slope_y, rest, pixels_per_unit=width)
            for sweep in range(2 * self.iterations):
                arrays = (sweep % 2, flow, slope_x, slope_y, rest)
                run_strips(_sweep, height, *arrays, *numbers, pixels_per_unit=width // 2)
            if self.median > 1:
                flow = np.stack([cv2.medianBlur(part, self.median) for part in flow])
        return flow
