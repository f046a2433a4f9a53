"""Regions that grow from the calmest places as long as the motion stays alike (Adams, Bischof 1994)."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.cluster._parts import motion_threshold
from motionseg.cluster.base import FlowClusterer
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_number
from motionseg.core.geometry import vector_lengths
from motionseg.core.jit import kernel
from motionseg.core.types import Flow, Frame

__all__ = ["RegionGrowing"]

_LEVELS = 32  # of calmness, in steps of the tolerance
_LARGE = 240  # pixels of the shorter side from which every other pixel is enough


@kernel
def _grow(flow, valid, seeds, tolerance, share, labels, queue, sums):
    """Grow a region from each of `seeds` (flat places, the best first) that has no label; their number.

    A pixel joins its 4-neighbour's region if its flow is within `tolerance` and `share` of the region's speed of the
    region's mean so far. sums[label] = dx, dy, pixels.
    """
    height, width = labels.shape
    n_regions = 0
    for seed in seeds:
        y, x = seed // width, seed % width
        if labels[y, x] != 0 or not valid[y, x]:
            continue
        n_regions += 1
        labels[y, x] = n_regions
        u, v, n = np.float64(flow[y, x, 0]), np.float64(flow[y, x, 1]), 1
        queue[0] = seed
        first, last = 0, 1
        while first < last:
            y, x = queue[first] // width, queue[first] % width
            first += 1
            mean_u, mean_v = u / n, v / n
            limit = tolerance + share * np.sqrt(mean_u * mean_u + mean_v * mean_v)
            for i in range(4):
                yy = y - 1 if i == 0 else (y + 1 if i == 3 else y)
                xx = x - 1 if i == 1 else (x + 1 if i == 2 else x)
                if yy < 0 or xx < 0 or yy >= height or xx >= width or labels[yy, xx] != 0 or not valid[yy, xx]:
                    continue
                du, dv = flow[yy, xx, 0] - mean_u, flow[yy, xx, 1] - mean_v
                if du * du + dv * dv <= limit * limit:
                    labels[yy, xx] = n_regions
                    u += flow[yy, xx, 0]
                    v += flow[yy, xx, 1]
                    n += 1
                    queue[last] = yy * width + xx
                    last += 1
        sums[n_regions, 0], sums[n_regions, 1], sums[n_regions, 2] = u, v, n
    return n_regions


@kernel
def _absorb(labels, kept, valid, queue):
    """Give the pixels of regions that are not `kept` to the kept one that is nearest, in steps; in place."""
    height, width = labels.shape
    last = 0
    for y in range(height):
        for x in range(width):
            if kept[labels[y, x]]:
                queue[last] = y * width + x
                last += 1
            else:
                labels[y, x] = 0
    first = 0
    while first < last:
        y, x = queue[first] // width, queue[first] % width
        first += 1
        for i in range(4):
            yy = y - 1 if i == 0 else (y + 1 if i == 3 else y)
            xx = x - 1 if i == 1 else (x + 1 if i == 2 else x)
            if 0 <= yy < height and 0 <= xx < width and labels[yy, xx] == 0 and valid[yy, xx]:
                labels[yy, xx] = labels[y, x]
                queue[last] = yy * width + xx
                last += 1


class RegionGrowing(FlowClusterer):
    """Tells things apart that touch, if they move differently: a region ends where the motion leaves its mean.

    Parameters
    ----------
    tolerance : float in (0, 100], pixels
        How far a pixel's residual motion may be from the mean of the region it joins.
    share : float in [0, 1]
        That much of the region's own speed is allowed besides: things that turn or come nearer have motions.
    floor : float in (0, 100], pixels
        Regions whose mean residual motion is slower are background.
    min_share : float in [0, 1]
        Regions that cover less of the picture are given to their neighbours.

    Raises
    ------
    ParameterError
        A number is out of range.

    Notes
    -----
    Seeds are taken in the order of how little the flow changes around them, and then of place, so that regions begin
    inside of things and not on their outlines. Pixels between two motions, of which dense flow has many, make small
    regions; they go to the nearest large one. From 240 rows on, every other pixel is looked at. The threshold of
    background is `ResidualThreshold`'s. Some 30 bytes per pixel while it works.

    References
    ----------
    R. Adams, L. Bischof, Seeded region growing, IEEE TPAMI 16 (1994), doi:10.1109/34.295913.

    Examples
    --------
    >>> flow = np.zeros((60, 80, 2), np.float32)
    >>> flow[20:40, 30:60] = 6, 1
    >>> flow[20:40, 60:70] = 2, -4
    >>> np.bincount(RegionGrowing().segment(flow).ravel()).tolist()
    [4000, 600, 200]
    """

    info = ModelInfo(
        paper="Adams, Bischof 1994, Seeded region growing, doi:10.1109/34.295913",
        speed="medium",
        good_at="things that touch or overlap and move differently",
    )

    def __init__(
        self, *, tolerance: float = 1.0, share: float = 0.25, floor: float = 0.75, min_share: float = 0.0005
    ) -> None:
        self.tolerance = check_number("tolerance", tolerance, 0, 100, above=True)
        self.share = check_number("share", share, 0, 1)
        self.floor = check_number("floor", floor, 0, 100, above=True)
        self.min_share = check_number("min_share", min_share, 0, 1)

    def _segment(
        self, flow: Flow, residual: Flow, valid: npt.NDArray[np.bool_], frame: Frame | None
    ) -> npt.NDArray[np.int32]:
        limit = motion_threshold(vector_lengths(residual), valid, self.floor)
        if not np.isfinite(limit):
            return np.zeros(valid.shape, np.int32)
        step = 2 if min(valid.shape) >= _LARGE else 1
        small, some = np.ascontiguousarray(residual[::step, ::step]), np.ascontiguousarray(valid[::step, ::step])
        change = sum(
            np.abs(cv2.Scharr(np.ascontiguousarray(small[..., i]), cv2.CV_32F, dx, 1 - dx, scale=1 / 32))
            for i in (0, 1)
            for dx in (0, 1)
        )
        calmness = np.minimum(change * np.float32(_LEVELS / self.tolerance), _LEVELS).astype(np.uint8)
        seeds = np.argsort(calmness.ravel(), kind="stable")
        labels = np.zeros(some.shape, np.int32)
        queue, sums = np.empty(labels.size, np.int64), np.zeros((labels.size + 1, 3))
        numbers = (np.float64(self.tolerance), np.float64(self.share))
        n_regions = _grow(small, some, seeds, *numbers, labels, queue, sums)
        sums = sums[: n_regions + 1]
        kept = sums[:, 2] >= max(1.0, self.min_share * labels.size)
        kept[0] = False
        _absorb(labels, kept, some, queue)
        speeds = np.hypot(sums[:, 0], sums[:, 1]) / np.maximum(sums[:, 2], 1)
        labels = np.where(kept & (speeds > limit), np.arange(len(kept), dtype=np.int32), np.int32(0))[labels]
        if step == 1:
            return labels
        return np.repeat(np.repeat(labels, 2, axis=0), 2, axis=1)[: valid.shape[0], : valid.shape[1]]
