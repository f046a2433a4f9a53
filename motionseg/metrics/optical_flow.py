"""Errors of dense optical flow: how far and at which angle it misses the truth, and on how many pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_pixels
from motionseg.core.errors import FrameError
from motionseg.core.types import Flow
from motionseg.metrics._counts import Counts

__all__ = ["FlowCounts", "count_flow"]


@dataclass(frozen=True)
class FlowCounts(Counts):
    """Sums over the pixels judged so far; add those of several frames, then ask for means (nan without pixels).

    Attributes
    ----------
    pixels : int
        Pixels with a valid truth.
    distance : float
        Sum of endpoint errors, pixels.
    angle : float
        Sum of angular errors, degrees.
    outliers : int
        Pixels whose endpoint error is above 3 px and above 5 % of the true motion.

    Examples
    --------
    >>> counts = FlowCounts(pixels=4, distance=8.0, angle=2.0, outliers=1)
    >>> counts.epe, counts.angular_error, counts.fl_all
    (2.0, 0.5, 25.0)
    """

    pixels: int = 0
    distance: float = 0.0
    angle: float = 0.0
    outliers: int = 0

    @property
    def epe(self) -> float:
        """Mean endpoint error, pixels."""
        return self.distance / self.pixels if self.pixels else math.nan

    @property
    def angular_error(self) -> float:
        """Mean angle between (u, v, 1) and its truth, degrees."""
        return self.angle / self.pixels if self.pixels else math.nan

    @property
    def fl_all(self) -> float:
        """Outliers, percent of the pixels."""
        return 100 * self.outliers / self.pixels if self.pixels else math.nan

    def metrics(self) -> dict[str, float]:
        """EPE (pixels), AE (degrees), Fl-all (percent)."""
        return {"EPE": self.epe, "AE": self.angular_error, "Fl-all": self.fl_all}


def count_flow(flow: Flow, truth: Flow, valid: npt.NDArray[np.bool_] | None = None) -> FlowCounts:
    """Compare one flow field with its truth.

    Parameters
    ----------
    flow, truth : float32 (H, W, 2)
        dx to the right, dy down, pixels.
    valid : bool (H, W), optional
        Where the truth is known (KITTI: the third channel; Middlebury: no component above 1e9); all if not given.

    Raises
    ------
    FrameError
        Wrong dtype, the shapes differ, or a value at a valid pixel is not finite: a method has to give a flow
        everywhere, and no choice of a penalty would be comparable.

    References
    ----------
    J. L. Barron, D. J. Fleet, S. S. Beauchemin, Performance of optical flow techniques, IJCV 1994,
    doi:10.1007/BF01420984 (angle). S. Baker et al., A database and evaluation methodology for optical flow, IJCV
    2011, doi:10.1007/s11263-010-0390-2 (distance). M. Menze, A. Geiger, Object scene flow for autonomous vehicles,
    CVPR 2015, doi:10.1109/CVPR.2015.7298925 (outliers; KITTI 2012 had no share of 5 %).

    Examples
    --------
    >>> count_flow(np.full((1, 2, 2), [3, 4], np.float32), np.zeros((1, 2, 2), np.float32)).epe
    5.0
    """
    for name, array in (("flow", flow), ("truth", truth)):
        _check_flow(name, array)
    if flow.shape != truth.shape:
        raise FrameError(f"flow {flow.shape} and truth {truth.shape} differ in size")
    known = np.ones(flow.shape[:2], bool) if valid is None else check_pixels(valid, flow.shape[:2], "valid")
    u, v = flow[known].astype(np.float64).T
    true_u, true_v = truth[known].astype(np.float64).T
    for name, dx, dy in (("flow", u, v), ("truth", true_u, true_v)):
        bad = u.size - int(np.count_nonzero(np.isfinite(dx) & np.isfinite(dy)))
        if bad:
            raise FrameError(f"the {name} is not finite at {bad} of {u.size} valid pixels")
    distance = np.hypot(u - true_u, v - true_v)
    # Sine and cosine from cross and dot product: an arc cosine alone is blind to angles below 1e-6 degrees.
    angle = np.arctan2(np.hypot(distance, u * true_v - v * true_u), u * true_u + v * true_v + 1)
    outlier = (distance > 3) & (distance > 0.05 * np.hypot(true_u, true_v))
    total = float(distance.sum()), math.degrees(float(angle.sum()))
    return FlowCounts(u.size, *total, int(np.count_nonzero(outlier)))


def _check_flow(name: str, flow: Any) -> None:
    if not isinstance(flow, np.ndarray) or flow.dtype != np.float32 or flow.ndim != 3 or flow.shape[2] != 2:
        what = f"{flow.dtype} {flow.shape}" if isinstance(flow, np.ndarray) else type(flow).__name__
        raise FrameError(f"{name} is a float32 array of shape (H, W, 2), not {what}")
