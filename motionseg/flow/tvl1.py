"""TV-L1 flow: grey levels by their absolute difference, smoothness by total variation (Zach, Pock, Bischof, 2007)."""

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

__all__ = ["TVL1"]

_AT_ONCE = 10  # iterations between two meetings of the threads
_TAU = 0.35  # step of the flow; that of the duals is 1 / (8 tau), the largest that converges


@kernel
def _row(y, flow, bar, dual, slope_x, slope_y, rest, weight, moved, tau, sigma, limit):
    """One iteration of row y; in place.

    The duals of a row need the old `bar` of that row and the next, its flow the new duals of that row and the one
    before: going down, both are at hand in one pass.
    """
    rows, width = flow.shape[1], flow.shape[2]
    one = np.float32(1)
    down = 1 if y + 1 < rows else 0  # below the last row nothing changes: its duals stay 0
    for part in range(2):
        for x in range(width - 1):
            px = dual[2 * part, y, x] + sigma * (bar[part, y, x + 1] - bar[part, y, x])
            py = dual[2 * part + 1, y, x] + sigma * (bar[part, y + down, x] - bar[part, y, x])
            length = np.sqrt(px * px + py * py)
            scale = one / (length if length > one else one)
            dual[2 * part, y, x] = px * scale
            dual[2 * part + 1, y, x] = py * scale
        py = dual[2 * part + 1, y, width - 1] + sigma * (bar[part, y + down, width - 1] - bar[part, y, width - 1])
        dual[2 * part + 1, y, width - 1] = min(max(py, -one), one)
        moved[part, 0] = flow[part, y, 0] + tau * (dual[2 * part, y, 0] + dual[2 * part + 1, y, 0])
        for x in range(1, width):
            divergence = dual[2 * part, y, x] - dual[2 * part, y, x - 1] + dual[2 * part + 1, y, x]
            moved[part, x] = flow[part, y, x] + tau * divergence
        if y > 0:
            for x in range(width):
                moved[part, x] -= tau * dual[2 * part + 1, y - 1, x]
    for x in range(width):
        gx, gy = slope_x[y, x], slope_y[y, x]
        step = (rest[y, x] + gx * moved[0, x] + gy * moved[1, x]) * weight[y, x]
        step = limit if step > limit else step
        step = -limit if step < -limit else step
        moved[0, x] -= step * gx
        moved[1, x] -= step * gy
    for part in range(2):
        for x in range(width):
            bar[part, y, x] = moved[part, x] + moved[part, x] - flow[part, y, x]
            flow[part, y, x] = moved[part, x]


@kernel
def _iterate(start, stop, n, flow, bar, dual, slope_x, slope_y, rest, weight, flow_, bar_, dual_, tau, sigma, limit):
    """`n` iterations of rows start .. stop, into arrays of their own (underlined).

    What happens beyond the strip comes nearer by a row with each iteration: `n` more rows are taken on both sides and
    thrown away again. The iterations run down the rows close behind one another, so that they find them in the cache.
    """
    height, width = rest.shape
    low, high = max(0, start - n), min(height, stop + n)
    u, b, d = flow[:, low:high].copy(), bar[:, low:high].copy(), dual[:, low:high].copy()
    gx, gy, r, w = slope_x[low:high], slope_y[low:high], rest[low:high], weight[low:high]
    moved = np.empty((2, width), np.float32)
    for front in range(high - low + 2 * (n - 1)):
        for iteration in range(n):
            y = front - 2 * iteration
            if y >= 0 and y < high - low:
                _row(y, u, b, d, gx, gy, r, w, moved, tau, sigma, limit)
    flow_[:, start:stop] = u[:, start - low : stop - low]
    bar_[:, start:stop] = b[:, start - low : stop - low]
    dual_[:, start:stop] = d[:, start - low : stop - low]


class TVL1(FlowEstimator):
    """Flow with sharp motion boundaries: what moves alike is smooth, and edges of motion cost no more than slopes.

    Parameters
    ----------
    attachment : float, above 0
        Weight of the grey levels against smoothness (lambda), per grey level; larger follows details and noise.
    levels : int, at least 1
        Pictures in the pyramid, each half the one before, none below 12 pixels a side. Motion of up to about
        2 ** levels pixels is found.
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
    Minimises the sum of |grad u| + |grad v| + lambda |rho|, rho = I1(x + f) - I0(x) linearised anew at each warp, by
    the first-order primal-dual method: p <- P(p + s grad fbar), f <- prox(f + t div p), fbar <- 2 f_new - f_old. P
    projects on the unit disc; prox subtracts clip(rho / |g|^2, -t lambda, t lambda) g, where g is the mean slope of
    both pictures.

    Memory while it runs: 140 bytes a pixel. Pictures without texture have flow 0. Light that changes is taken for
    motion, and the flow of hidden pixels is a guess.

    References
    ----------
    C. Zach, T. Pock, H. Bischof, A duality based approach for realtime TV-L1 optical flow, DAGM 2007,
    doi:10.1007/978-3-540-74936-3_22. A. Chambolle, T. Pock, A first-order primal-dual algorithm for convex problems
    with applications to imaging, J. Math. Imaging and Vision 40, 2011, doi:10.1007/s10851-010-0251-1. Median: A. Wedel
    et al., An improved algorithm for TV-L1 optical flow, 2009, doi:10.1007/978-3-642-03061-1_2.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> previous = cv2.GaussianBlur(rng.integers(0, 256, (60, 80), np.uint8), (0, 0), 2)
    >>> flow = TVL1().estimate(previous, np.roll(previous, 2, axis=1))
    >>> np.median(flow[..., 0]).round(1)
    np.float32(2.0)
    """

    info = ModelInfo(
        paper="Zach et al. 2007, A duality based approach for realtime TV-L1 optical flow, "
        "doi:10.1007/978-3-540-74936-3_22",
        speed="slow",
        good_at="sharp motion boundaries",
    )

    def __init__(
        self,
        *,
        attachment: float = 0.15,
        levels: int = 6,
        warps: int = 5,
        iterations: int = 30,
        median: int = 5,
    ) -> None:
        self.attachment = check_number("attachment", attachment, 0, above=True)
        self.levels = check_integer("levels", levels, 1)
        self.warps = check_integer("warps", warps, 1)
        self.iterations = check_integer("iterations", iterations, 1)
        self.median = check_choice("median", median, (1, 3, 5))

    def _estimate(self, previous: npt.NDArray[np.uint8], current: npt.NDArray[np.uint8]) -> Flow:
        firsts, seconds = (pyramid(frame, self.levels) for frame in (previous, current))
        flow = np.zeros((2, *firsts[-1].shape), np.float32)
        dual = np.zeros((4, *firsts[-1].shape), np.float32)
        for first, second in zip(firsts[::-1], seconds[::-1], strict=True):
            if flow.shape[1:] != first.shape:
                flow = enlarge(flow, first.shape)
                dual = np.zeros((4, *first.shape), np.float32)
            flow = self._level(first, second, flow, dual)
        return np.ascontiguousarray(np.moveaxis(flow, 0, -1))

    def _level(self, first: Any, second: Any, flow: Any, dual: Any) -> Any:
        height, width = first.shape
        slope_x, slope_y, rest = (np.empty_like(first) for _ in range(3))
        spare = np.empty_like(flow), np.empty_like(flow), np.empty_like(dual)
        given = (first, *slopes(first), second)
        numbers = (np.float32(_TAU), np.float32(1 / (8 * _TAU)), np.float32(_TAU * self.attachment))
        for _ in range(self.warps):
            run_strips(linearise, height, *given, flow, slope_x, slope_y, rest, pixels_per_unit=width)
            weight = 1 / (slope_x * slope_x + slope_y * slope_y + np.float32(1e-3))
            now = flow, flow.copy(), dual
            left = self.iterations
            while left:
                n = min(left, _AT_ONCE)
                # Ten iterations of a pixel cost as much as some dozens of the pixels that run_strips reckons with.
                arrays = (*now, slope_x, slope_y, rest, weight, *spare)
                run_strips(_iterate, height, n, *arrays, *numbers, pixels_per_unit=4 * width)
                now, spare, left = spare, now, left - n
            flow, _, dual = now
            if self.median > 1:
                flow = np.stack([cv2.medianBlur(part, self.median) for part in flow])
        return flow
