"""Temporal stability T of DAVIS-2016: how much the outline of a result trembles from one frame to the next."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.errors import FrameError
from motionseg.core.jit import kernel
from motionseg.metrics._masks import Bools, foreground

__all__ = ["temporal_stability"]

Floats = npt.NDArray[np.float64]

_SPACING = 3.0  # pixels: tolerance of the polygon, and most between two points on it
_MOST_POINTS = 3000  # time and memory grow with their square; no outline of an object has so many
_SECTORS, _RINGS = 12, 5
_LOW, _HIGH = math.tan(math.pi / 6), math.tan(math.pi / 3)
_SCALE = 5.0  # brings T to the range of J and F


@kernel(inline=True)
def _sector(dx, dy):
    """Which twelfth of the full turn (dx, dy) points into; a ray belongs to the sector that it begins."""
    half_turn = 0
    if dy < 0 or (dy == 0 and dx < 0):
        dx, dy, half_turn = -dx, -dy, 6
    if dx > 0:
        return half_turn + int(dy >= _LOW * dx) + int(dy >= _HIGH * dx)
    return half_turn + 3 + int(-dx >= _LOW * dy) + int(-dx >= _HIGH * dy)


@kernel
def _describe(x, y, histograms):
    """Shape contexts: where, by sector and ring, the other points lie as seen from each; zeros (n, 60) come in."""
    n = x.size
    total = 0.0
    for i in range(n):
        for j in range(i):
            total += math.sqrt((x[j] - x[i]) ** 2 + (y[j] - y[i]) ** 2)
    outermost = (2 * (2 * total / (n * n))) ** 2  # two mean distances; the rings end at 1/8, 1/4, 1/2, 1 and 2
    for i in range(n):
        for j in range(i):
            dx, dy = x[j] - x[i], y[j] - y[i]
            squared = dx * dx + dy * dy
            if squared < outermost:
                ring, limit = _RINGS - 1, outermost / 4
                while ring > 0 and squared < limit:
                    ring -= 1
                    limit /= 4
                sector = _sector(dx, dy)
                histograms[i, sector * _RINGS + ring] += 1
                histograms[j, (sector + 6) % _SECTORS * _RINGS + ring] += 1
    for i in range(n):
        histograms[i] /= max(histograms[i].sum(), np.float32(1))


@kernel
def _compare(a, b, costs):
    """Half the chi-square distance of every row of `a` (n, 60) and every column of `b` (60, m) into zeros (n, m)."""
    half = np.float32(0.5)
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            share = a[i, k]
            if share == 0:  # most of them, and there is nothing to divide
                for j in range(b.shape[1]):
                    costs[i, j] += half * b[k, j]
            else:
                for j in range(b.shape[1]):
                    costs[i, j] += half * (share - b[k, j]) * (share - b[k, j]) / (share + b[k, j])


@kernel
def _match(costs, row, column, totals, path):
    """Cheapest way to walk once around both contours from the pair (row, column) on; returns its number of pairs.

    `totals` (n, m) is work space; `path` (n + m, 2) receives the pairs from the last to the first.
    """
    n, m = costs.shape
    for i in range(n):
        for j in range(m):
            before = 0.0 if i == 0 and j == 0 else np.inf
            if i > 0 and j > 0:
                before = totals[i - 1, j - 1]
            if i > 0:
                before = min(before, totals[i - 1, j])
            if j > 0:
                before = min(before, totals[i, j - 1])
            totals[i, j] = before + costs[(row + i) % n, (column + j) % m]
    i, j, length = n - 1, m - 1, 0
    while True:
        path[length, 0], path[length, 1] = (row + i) % n, (column + j) % m
        length += 1
        if i == 0 and j == 0:
            return length
        if j == 0 or (i > 0 and totals[i - 1, j] < min(totals[i - 1, j - 1], totals[i, j - 1])):
            i -= 1
        elif i == 0 or totals[i, j - 1] < totals[i - 1, j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1


def temporal_stability(previous_mask: Any, mask: Any) -> float:
    """How much the outline changes from one result mask to the next, DAVIS-2016's T, at least 0; lower is better.

    Motion and slow deformation cost little, a trembling outline much. The T of a sequence is the mean over
    its pairs of successive frames, those of NaN left out: ``statistics(values).mean``. The benchmark drops the first
    and the last frame, and reports T only on sequences without occlusion or strong deformation.

    Parameters
    ----------
    previous_mask, mask : bool or integer (H, W)
        As for :func:`motionseg.metrics.davis.region_similarity`. Results, not truth.

    Returns
    -------
    float
        NaN where either mask has no outline: empty, or only dots and lines.

    Raises
    ------
    FrameError
        Arrays of another dtype, or of different shapes.

    Notes
    -----
    The papers leave room; what is done here: the longest closed contour (holes too) becomes a polygon that is at most
    3 px off, with points at most 3 px apart. Each point is described by the shares of the other points in 12
    sectors and 5 rings, which end at 1/8, 1/4, 1/2, 1 and 2 mean distances of all pairs of points. The cost of a pair
    of points is half the chi-square distance of their histograms. Dynamic programming walks around both contours
    in order, first from where they were cut, then from the cheapest pair of that walk. Of the pairs that share a
    point the cheapest stays, so that pairs are one to one; T is five times their mean cost. No output of the
    benchmark's tool was at hand: compare values of this function with one another. Memory: 12 bytes per pair of points,
    of which a noisy outline keeps every second, third and so on once there are more than 3000.

    References
    ----------
    F. Perazzi et al., A benchmark dataset and evaluation methodology for video object segmentation, CVPR 2016,
    doi:10.1109/CVPR.2016.85. S. Belongie, J. Malik, J. Puzicha, Shape matching and object recognition using shape
    contexts, PAMI 2002, doi:10.1109/34.993558.

    Examples
    --------
    >>> mask = np.zeros((40, 60), bool)
    >>> mask[10:30, 10:30] = True
    >>> temporal_stability(mask, np.roll(mask, 7, axis=1))
    0.0
    """
    first, second = foreground(previous_mask, "previous_mask"), foreground(mask, "mask")
    if first.shape != second.shape:
        raise FrameError(f"previous_mask {first.shape} and mask {second.shape} differ in size")
    contours = _outline(first), _outline(second)
    if any(len(contour) < 3 for contour in contours):
        return math.nan
    rows, columns, costs = _matched(*(_shape_contexts(contour) for contour in contours))
    return _SCALE * float(np.mean(_one_to_one(rows, columns, costs[rows, columns]), dtype=np.float64))


def _outline(mask: Bools) -> Floats:
    """Points x, y, float64 (n, 2), at most 3 px apart on the polygon of the longest contour; none if it has no area."""
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return np.zeros((0, 2))
    longest = max(contours, key=lambda contour: cv2.arcLength(contour, True))
    # From its own corner: the same shape elsewhere then has the same points to the last bit.
    corners = cv2.approxPolyDP(longest - longest.min(axis=0), _SPACING, True)[:, 0].astype(np.float64)
    if len(corners) < 3:
        return np.zeros((0, 2))
    sides = np.roll(corners, -1, axis=0) - corners
    pieces = np.ceil(np.hypot(*sides.T) / _SPACING).astype(int)
    steps = np.concatenate([np.arange(n) / n for n in pieces])
    points = np.repeat(corners, pieces, axis=0) + steps[:, None] * np.repeat(sides, pieces, axis=0)
    return points[:: len(points) // _MOST_POINTS + 1]


def _shape_contexts(points: Floats) -> npt.NDArray[np.float32]:
    histograms = np.zeros((len(points), _SECTORS * _RINGS), np.float32)
    _describe(*np.ascontiguousarray(points.T), histograms)
    return histograms


def _matched(
    a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Pairs of points (rows of `a`, rows of `b`) met on the way around both contours, and the costs of all pairs."""
    costs = np.zeros((len(a), len(b)), np.float32)
    _compare(a, np.ascontiguousarray(b.T), costs)
    totals, path = np.empty(costs.shape), np.empty((len(a) + len(b), 2), np.int64)
    rows, columns = path[: _match(costs, 0, 0, totals, path)].T
    # Where a contour was cut means nothing: begin again where they agree best.
    best = int(np.argmin(costs[rows, columns]))
    rows, columns = path[: _match(costs, rows[best], columns[best], totals, path)].T
    return rows, columns, costs


def _one_to_one(
    rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], costs: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """The costs of the pairs that stay when every row, and then every column, keeps its cheapest only."""
    order = np.argsort(costs, kind="stable")
    for points in (rows, columns):
        order = order[np.sort(np.unique(points[order], return_index=True)[1])]
    return costs[order]
