"""Joins tracks that were broken, when all is over: the end of one and the start of a later one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from motionseg.core.checks import check_number
from motionseg.track._assignment import assigned
from motionseg.track._history import TrackHistory

__all__ = ["stitch"]

Numbers = npt.NDArray[np.float64]
# Standard deviations; lengths are in box sizes (root of the area).
_PLACE, _DRIFT = 0.3, 0.5  # where a thing is expected, and per second of the gap
_SIZE = 0.3  # log of the ratio of sizes
_LOOK = 0.15  # 1 - product of features
_COLOR = 30.0  # grey levels, root mean square over B, G, R
_MOST = 9.0  # that size, and look, can cost each
_TURN = 6.0  # what it costs to come out opposite to the way one went in
_STOP = 1.0  # what it costs to have gone nowhere at all
_MOVES = 0.3  # sizes per second: what is slower has no direction
# A speed is not known from a few frames: this much time squared is added, with no motion in it, to those of the fit.
_RESERVE = 0.0025


def stitch(
    history: TrackHistory, *, max_gap: float = 3.0, window: float = 0.6, max_cost: float = 9.0
) -> dict[int, int]:
    """Find tracks that go on as other ones.

    The end of a track is carried on at its last speed, the start of a later one backwards at its first: each should
    meet the other, or come to stand on its way there, as behind an obstacle. Their sizes, looks (features, else mean
    colours) and directions should be alike. Of all pairs those are taken that are best together, each end and each
    start once.

    Parameters
    ----------
    history : TrackHistory
    max_gap : float, above 0
        Seconds between the end and the start.
    window : float, above 0
        Seconds of the end and of the start that their speed and size are taken from.
    max_cost : float, above 0
        A pair's squared deviations, in standard deviations, may add up to this much: higher joins more.

    Returns
    -------
    dict of int to int
        For each track that continues another one, the first one of the chain; for :meth:`TrackHistory.renamed`. Tracks
        of a chain follow one another: none was seen before the one before it was seen for the last time.

    Raises
    ------
    ParameterError
        A number is out of range.

    Notes
    -----
    Costs are added up: distances forward and backward (half of each squared; standard deviation .3 sizes and .5 for
    each second of the gap), log ratio of sizes (.3), look (1 - product, .15) or colour (30 grey levels), up to 6 for a
    turn, 1 for a stop, 1 for a gap of `max_gap`.

    Examples
    --------
    >>> from motionseg.core.types import Tracks
    >>> history = TrackHistory()
    >>> for index in [*range(20), *range(40, 60)]:  # goes right, and is not seen for 20 frames
    ...     box = np.array([[2 * index, 5, 2 * index + 10, 25]], np.float32)
    ...     columns = np.ones(1, np.int32), np.full(1, 200), np.ones(1, np.float32), np.zeros((1, 2), np.float32)
    ...     history.add(index, Tracks(index / 25, np.array([1 + index // 40]), box, *columns, np.ones(1, np.uint8)))
    >>> stitch(history)
    {2: 1}
    """
    max_gap, window = (check_number(n, v, 0, above=True) for n, v in (("max_gap", max_gap), ("window", window)))
    max_cost = check_number("max_cost", max_cost, 0, above=True)
    ids = history.ids
    ends, starts = _sides(history, window, forward=True), _sides(history, window, forward=False)
    one, other = _candidates(ends.times, starts.times, max_gap)
    costs = _costs(ends[one], starts[other], max_gap)
    good = costs < max_cost
    one, other, likeness = one[good], other[good], 1 - costs[good] / max_cost
    mapping: dict[int, int] = {}
    pairs = sorted(_best(one, other, likeness, len(ids)), key=lambda pair: starts.times[pair[1]])
    for i, j in pairs:
        before, after = int(ids[i]), int(ids[j])
        mapping[after] = mapping.get(before, before)
    return mapping


@dataclass(frozen=True)
class _Sides:
    """The ends of tracks, or their starts, a row each."""

    times: Numbers
    points: Numbers
    velocities: Numbers
    sizes: Numbers
    colors: Numbers
    looks: Numbers

    def __getitem__(self, rows: npt.NDArray[np.intp]) -> _Sides:
        return _Sides(*(column[rows] for column in vars(self).values()))


def _sides(history: TrackHistory, window: float, *, forward: bool) -> _Sides:
    seen, ids = history.seen(), history.ids
    bounds = [*np.searchsorted(seen["id"], ids).tolist(), len(seen)]
    features = [history.feature(id) for id in ids.tolist()]
    n_features = max((len(f) for f in features if f is not None), default=0)
    nothing = np.full(n_features, np.nan)
    times, points, velocities, sizes, colors = (np.zeros((len(ids), *shape)) for shape in ((), (2,), (2,), (), (3,)))
    for row, (a, b) in enumerate(pairwise(bounds)):
        times[row] = seen["time"][b - 1 if forward else a]
        near = np.abs(seen["time"][a:b] - times[row]) <= window
        boxes, elapsed = seen["box"][a:b][near].astype(np.float64), seen["time"][a:b][near] - times[row]
        points[row], velocities[row] = _line(elapsed, (boxes[:, :2] + boxes[:, 2:]) / 2)
        sizes[row] = np.median(np.sqrt(np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1)))
        tints = seen["color"][a:b]
        tints = tints[np.isfinite(tints).all(axis=1)]
        colors[row] = tints.mean(axis=0) if len(tints) else np.nan
    looks = np.array([nothing if f is None else f for f in features], np.float64).reshape(len(ids), n_features)
    return _Sides(times, points, velocities, sizes, colors, looks)


def _line(elapsed: Numbers, points: Numbers) -> tuple[Numbers, Numbers]:
    """Where a straight way through `points` is at time 0, and its speed."""
    middle, mean = elapsed.mean(), points.mean(axis=0)
    offsets = elapsed - middle
    velocity = offsets @ (points - mean) / (offsets @ offsets + _RESERVE)
    return mean - velocity * middle, velocity


def _candidates(ends: Numbers, starts: Numbers, max_gap: float) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows of ends and of starts that come after them, at most `max_gap` later."""
    order = np.argsort(starts, kind="stable")
    low, high = (np.searchsorted(starts[order], ends + gap, side="right") for gap in (0.0, max_gap))
    one = np.repeat(np.arange(len(ends)), high - low)
    place = np.arange(len(one)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
    return one, order[np.repeat(low, high - low) + place]


def _costs(end: _Sides, start: _Sides, max_gap: float) -> Numbers:
    """Of pairs, row by row."""
    gap, size = start.times - end.times, np.sqrt(end.sizes * start.sizes)
    spread = size * (_PLACE + _DRIFT * gap)
    forward = _distance(start.points, end.points, end.velocities * gap[:, None])
    backward = _distance(end.points, start.points, -start.velocities * gap[:, None])
    cost = (forward**2 + backward**2) / (2 * spread**2) + gap / max_gap
    speeds = [np.hypot(*side.velocities.T) for side in (end, start)]
    both = np.minimum(*speeds) > _MOVES * size
    cosine = (end.velocities * start.velocities).sum(axis=1) / np.maximum(speeds[0] * speeds[1], 1e-9)
    cost += np.where(both, _TURN * (1 - cosine) / 2, 0)
    due = np.maximum(*speeds) * gap
    gone = np.hypot(*(start.points - end.points).T)
    cost += np.where(due > size, _STOP * np.clip(1 - gone / np.maximum(due, 1e-9), 0, 1), 0)
    cost += np.minimum((np.log(start.sizes / end.sizes) / _SIZE) ** 2, _MOST)
    unlike = ((1 - (end.looks * start.looks).sum(axis=1)) / _LOOK) ** 2
    tint = ((end.colors - start.colors) ** 2).mean(axis=1) / _COLOR**2
    look = np.where(np.isfinite(unlike), unlike, np.where(np.isfinite(tint), tint, 0)) if end.looks.shape[1] else tint
    return np.asarray(cost + np.minimum(np.nan_to_num(look), _MOST))


def _distance(points: Numbers, starts: Numbers, ways: Numbers) -> Numbers:
    """From points to the lines from `starts` along `ways`, each (N, 2)."""
    rest = points - starts
    share = (rest * ways).sum(axis=1) / np.maximum((ways**2).sum(axis=1), 1e-9)
    return np.asarray(np.hypot(*(rest - np.clip(share, 0, 1)[:, None] * ways).T))


def _best(one: Any, other: Any, likeness: Numbers, n: int) -> list[tuple[int, int]]:
    """The pairs that are best together; those that share no track are looked at apart."""
    links = coo_matrix((np.ones(len(one)), (one, n + other)), shape=(2 * n, 2 * n))
    _, group = connected_components(links, directed=False)
    order = np.argsort(group[one], kind="stable")
    cuts = np.flatnonzero(np.diff(group[one][order])) + 1
    pairs: list[tuple[int, int]] = []
    for part in np.split(order, cuts) if len(order) else []:
        rows, i = np.unique(one[part], return_inverse=True)
        columns, j = np.unique(other[part], return_inverse=True)
        table = np.zeros((len(rows), len(columns)))
        table[i, j] = likeness[part]
        best, to = assigned(table, 0.0)
        pairs += zip(rows[best].tolist(), columns[to].tolist(), strict=True)
    return pairs
