"""Dense Lucas-Kanade: every pixel moves as its window does, from coarse to fine (Lucas and Kanade, 1981)."""

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

__all__ = ["LucasKanade"]


@kernel
def _products(start, stop, flow, slope_x, slope_y, rest, sums):
    """Rows start .. stop: the five products of slopes and difference whose means the equations of a window hold."""
    for y in range(start, stop):
        for x in range(rest.shape[1]):
            gx, gy = slope_x[y, x], slope_y[y, x]
            difference = rest[y, x] + gx * flow[0, y, x] + gy * flow[1, y, x]
            sums[0, y, x], sums[1, y, x], sums[2, y, x] = gx * gx, gx * gy, gy * gy
            sums[3, y, x], sums[4, y, x] = gx * difference, gy * difference


@kernel
def _solve(start, stop, sums, flow, noise):
    """Rows start .. stop: the step that makes the window's squared differences least; in place.

    `noise` on the diagonal holds back what the window does not show: all of a flat one, the way along an edge.
    """
    one = np.float32(1)
    for y in range(start, stop):
        for x in range(flow.shape[2]):
            xx, xy, yy = sums[0, y, x] + noise, sums[1, y, x], sums[2, y, x] + noise
            bx, by = sums[3, y, x], sums[4, y, x]
            scale = one / (xx * yy - xy * xy)
            du, dv = (xy * by - yy * bx) * scale, (xy * bx - xx * by) * scale
            # The equations speak of a small neighbourhood: a pixel at most.
            flow[0, y, x] += max(min(du, one), -one)
            flow[1, y, x] += max(min(dv, one), -one)


class LucasKanade(FlowEstimator):
    """Simple flow without a model of smoothness: each pixel takes the motion that explains its own window best.

    Parameters
    ----------
    window : float, above 0
        Standard deviation of the Gaussian window, pixels; larger is steadier and blurs boundaries.
    levels : int, at least 1
        Pictures in the pyramid, each half the one before, none below 12 pixels a side.
    iterations : int, at least 1
        Steps at each level; the second picture is warped anew before each.
    noise : float, above 0
        Mean squared slope, (grey levels a pixel) ** 2, that counts as no texture: there the flow of the coarser
        picture stays as it is.
    median : 1, 3 or 5
        Side of the median filter on the flow after each level, pixels; 1: none.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    With g the mean slope of both pictures, d their difference after warping and <.> the Gaussian mean, each step adds
    -(<g g'> + noise I)^-1 <g d>, at most a pixel along each axis.

    Memory while it runs: 80 bytes a pixel. Large pictures of flat things have flow 0 in their middle. Windows that see
    two motions give something between.

    References
    ----------
    B. D. Lucas, T. Kanade, An iterative image registration technique with an application to stereo vision, IJCAI 1981.
    S. Baker, I. Matthews, Lucas-Kanade 20 years on: a unifying framework, IJCV 56, 2004,
    doi:10.1023/B:VISI.0000011205.11775.fd.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> previous = cv2.GaussianBlur(rng.integers(0, 256, (60, 80), np.uint8), (0, 0), 2)
    >>> flow = LucasKanade().estimate(previous, np.roll(previous, 2, axis=1))
    >>> np.median(flow[..., 0]).round(1)
    np.float32(2.0)
    """

    info = ModelInfo(
        paper="Lucas and Kanade 1981, An iterative image registration technique with an application to stereo vision",
        speed="slow",
        good_at="a plain baseline that is easy to reason about",
    )

    def __init__(
        self,
        *,
        window: float = 4.0,
        levels: int = 6,
        iterations: int = 5,
        noise: float = 1.0,
        median: int = 5,
    ) -> None:
        self.window = check_number("window", window, 0.3, 50)
        self.levels = check_integer("levels", levels, 1)
        self.iterations = check_integer("iterations", iterations, 1)
        self.noise = check_number("noise", noise, 0, above=True)
        self.median = check_choice("median", median, (1, 3, 5))

    def _estimate(self, previous: npt.NDArray[np.uint8], current: npt.NDArray[np.uint8]) -> Flow:
        firsts, seconds = (pyramid(frame, self.levels) for frame in (previous, current))
        flow = np.zeros((2, *firsts[-1].shape), np.float32)
        for first, second in zip(firsts[::-1], seconds[::-1], strict=True):
            if flow.shape[1:] != first.shape:
                flow = enlarge(flow, first.shape)
            self._level(first, second, flow)
            if self.median > 1:
                flow = np.stack([cv2.medianBlur(part, self.median) for part in flow])
        return np.ascontiguousarray(np.moveaxis(flow, 0, -1))

    def _level(self, first: Any, second: Any, flow: Any) -> None:
        height, width = first.shape
        given = (first, *slopes(first), second)
        slope_x, slope_y, rest = (np.empty_like(first) for _ in range(3))
        sums = np.empty((5, height, width), np.float32)
        for _ in range(self.iterations):
            run_strips(linearise, height, *given, flow, slope_x, slope_y, rest, pixels_per_unit=width)
            run_strips(_products, height, flow, slope_x, slope_y, rest, sums, pixels_per_unit=width)
            for part in sums:
                cv2.GaussianBlur(part, (0, 0), self.window, dst=part)
            run_strips(_solve, height, sums, flow, np.float32(self.noise), pixels_per_unit=width)
