"""Constant-velocity Kalman filter, box overlap and optimal assignment (in the line of SORT, Bewley 2016)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.errors import ParameterError, StateError
from motionseg.core.geometry import box_iou
from motionseg.core.types import Boxes, Regions, Tracks, TrackState
from motionseg.track.base import Linker

__all__ = ["KalmanIoU"]

Floats = npt.NDArray[np.float64]
# A track is a row of two float64 tables. Of each axis (x, then y) the filter knows the centre, its
# velocity, and their variances and covariance; the box's size is smoothed.
_CENTRE, _VELOCITY, _SIZE = slice(0, 2), slice(2, 4), slice(4, 6)
_VAR_CENTRE, _COVARIANCE, _VAR_VELOCITY = slice(0, 2), slice(2, 4), slice(4, 6)


class KalmanIoU(Linker):
    """Predicts every box at constant velocity and gives it the region that overlaps it best.

    Works in seconds and so with variable frame rates. Knows no appearance: who meets may swap ids.

    Parameters
    ----------
    min_iou : float in [0, 1]
        Least overlap of predicted box and region, both grown by `margin`.
    margin : float, at least 0
        Boxes are grown by this share of their size on each side before they are compared, so that
        small and fast objects still overlap (buffered IoU, Yang et al. 2023).
    min_hits : int, at least 1
        A track is tentative until it has been seen in this many frames.
    max_gap : float, above 0
        Seconds that a confirmed track lives unseen; a tentative one a quarter of that.
    acceleration : float, above 0
        Standard deviation of an object's acceleration, in box sizes per s2.
    localization : float, above 0
        Standard deviation of a region's centre about the object's, in box sizes.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    References
    ----------
    A. Bewley et al., Simple online and realtime tracking, ICIP 2016, doi:10.1109/ICIP.2016.7533003.
    F. Yang et al., Hard to track objects with irregular motions and similar appearances? Make it
    easier by buffering the matching space, WACV 2023, doi:10.1109/WACV56688.2023.00478.

    Examples
    --------
    >>> linker = KalmanIoU(min_hits=2)
    >>> for step in range(10):
    ...     boxes = np.array([[10 + 2 * step, 5, 20 + 2 * step, 25]], np.float32)
    ...     columns = np.full(1, 200), boxes[:, :2] + (5, 10), np.ones(1, np.float32), np.zeros((1, 3), np.float32)
    ...     tracks = linker.update(Regions(boxes, *columns), time=step / 25)
    >>> tracks.ids.tolist(), TrackState(tracks.states[0]).name, bool(tracks.velocities[0, 0] > 30)
    ([1], 'CONFIRMED', True)
    """

    info = ModelInfo(
        paper="Bewley et al. 2016, Simple online and realtime tracking, doi:10.1109/ICIP.2016.7533003",
        speed="very fast",
        good_at="a few to some hundred separate objects that move smoothly",
    )

    def __init__(
        self,
        *,
        min_iou: float = 0.1,
        margin: float = 0.3,
        min_hits: int = 4,
        max_gap: float = 1.0,
        acceleration: float = 3.0,
        localization: float = 0.15,
    ) -> None:
        self.min_iou = check_number("min_iou", min_iou, 0, 1)
        self.margin = check_number("margin", margin, 0)
        self.min_hits = check_integer("min_hits", min_hits, 1)
        self.max_gap = check_number("max_gap", max_gap, 0, above=True)
        self.acceleration = check_number("acceleration", acceleration, 0, above=True)
        self.localization = check_number("localization", localization, 0, above=True)
        self.reset()

    def reset(self) -> None:
        self._time, self._next_id = -math.inf, 1
        self._means, self._covariances = np.zeros((0, 6)), np.zeros((0, 6))
        self._last_seen, self._hits = np.zeros(0), np.zeros(0, np.int64)
        self._tracks = Tracks()

    def update(self, regions: Regions, time: float) -> Tracks:
        time = check_number("time", time)
        if time <= self._time:
            raise ParameterError(f"time increases from call to call: {time} s after {self._time} s")
        if len(self._means):
            self._predict(time - self._time)
        self._time = time
        rows, columns = self._assign(regions.boxes)
        if len(rows):
            self._correct(rows, regions.boxes[columns])
        self._last_seen[rows] = time
        self._hits[rows] += 1
        self._keep_alive(rows, columns, regions)
        self._begin(np.setdiff1d(np.arange(len(regions)), columns), regions)
        return self._snapshot()

    def _predict(self, dt: float) -> None:
        mean, cov = self._means, self._covariances
        noise = (self.acceleration * mean[:, _SIZE]) ** 2
        mean[:, _CENTRE] += dt * mean[:, _VELOCITY]
        cov[:, _VAR_CENTRE] += dt * (2 * cov[:, _COVARIANCE] + dt * cov[:, _VAR_VELOCITY]) + noise * dt**4 / 4
        cov[:, _COVARIANCE] += dt * cov[:, _VAR_VELOCITY] + noise * dt**3 / 2
        cov[:, _VAR_VELOCITY] += noise * dt**2

    def _correct(self, rows: npt.NDArray[np.intp], boxes: Boxes) -> None:
        mean, cov = self._means[rows], self._covariances[rows]
        centres, sizes = _centres(boxes)
        innovation = centres - mean[:, _CENTRE]
        total = cov[:, _VAR_CENTRE] + (self.localization * mean[:, _SIZE]) ** 2
        gain, gain_velocity = cov[:, _VAR_CENTRE] / total, cov[:, _COVARIANCE] / total
        mean[:, _CENTRE] += gain * innovation
        mean[:, _VELOCITY] += gain_velocity * innovation
        mean[:, _SIZE] += 0.3 * (sizes - mean[:, _SIZE])
        cov[:, _VAR_VELOCITY] -= gain_velocity * cov[:, _COVARIANCE]
        cov[:, _COVARIANCE] *= 1 - gain
        cov[:, _VAR_CENTRE] *= 1 - gain
        self._means[rows], self._covariances[rows] = mean, cov

    def _assign(self, boxes: Boxes) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Pairs of track rows and regions; believed tracks choose before tentative ones."""
        overlap = box_iou(_grown(self._boxes(), self.margin), _grown(boxes, self.margin))
        believed = self._hits >= self.min_hits
        free, pairs = np.ones(len(boxes), bool), []
        for group in (np.flatnonzero(believed), np.flatnonzero(~believed)):
            open_ = np.flatnonzero(free)
            gated = np.where(overlap[np.ix_(group, open_)] >= max(self.min_iou, 1e-9), overlap[np.ix_(group, open_)], 0)
            row, column = linear_sum_assignment(-gated)
            good = gated[row, column] > 0
            pairs.append((group[row[good]], open_[column[good]]))
            free[open_[column[good]]] = False
        return np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])

    def _keep_alive(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], regions: Regions) -> None:
        """Note what was seen of each track, and drop those unseen for too long."""
        old = self._tracks
        labels, areas, scores = np.zeros(len(old), np.int32), old.areas.copy(), old.scores.copy()
        boxes = self._boxes()
        labels[rows], areas[rows], scores[rows] = columns + 1, regions.areas[columns], regions.scores[columns]
        boxes[rows] = regions.boxes[columns]
        patience = np.where(self._hits >= self.min_hits, self.max_gap, self.max_gap / 4)
        alive = self._time - self._last_seen <= patience
        self._tracks = Tracks(
            self._time, old.ids[alive], boxes[alive], labels[alive], areas[alive], scores[alive], old.velocities[alive],
            old.states[alive],
        )  # fmt: skip
        self._means, self._covariances = self._means[alive], self._covariances[alive]
        self._last_seen, self._hits = self._last_seen[alive], self._hits[alive]

    def _begin(self, new: npt.NDArray[np.intp], regions: Regions) -> None:
        centres, sizes = _centres(regions.boxes[new])
        n, old = len(new), self._tracks
        unsure = (self.localization * sizes) ** 2
        fast = (2 * sizes) ** 2  # before it is seen twice an object may well move two of its sizes a second
        self._means = np.concatenate([self._means, np.concatenate([centres, np.zeros((n, 2)), sizes], axis=1)])
        self._covariances = np.concatenate([self._covariances, np.concatenate([unsure, 0 * unsure, fast], axis=1)])
        self._last_seen = np.concatenate([self._last_seen, np.full(n, self._time)])
        self._hits = np.concatenate([self._hits, np.ones(n, np.int64)])
        ids = np.arange(self._next_id, self._next_id + n, dtype=np.int64)
        self._next_id += n
        self._tracks = Tracks(
            self._time,
            np.concatenate([old.ids, ids]),
            np.concatenate([old.boxes, regions.boxes[new]]),
            np.concatenate([old.labels, new.astype(np.int32) + 1]),
            np.concatenate([old.areas, regions.areas[new]]),
            np.concatenate([old.scores, regions.scores[new]]),
        )

    def _snapshot(self) -> Tracks:
        old = self._tracks
        seen, believed = old.labels > 0, self._hits >= self.min_hits
        states = np.where(believed, np.where(seen, TrackState.CONFIRMED, TrackState.OCCLUDED), TrackState.TENTATIVE)
        velocities = self._means[:, _VELOCITY].astype(np.float32)
        columns = (old.ids, old.boxes, old.labels, old.areas, old.scores, velocities, states.astype(np.uint8))
        self._tracks = Tracks(self._time, *columns)
        return self._tracks[np.arange(len(old))]

    def _boxes(self) -> Boxes:
        half = self._means[:, _SIZE] / 2
        centre = self._means[:, _CENTRE]
        return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        tracks = {f"tracks_{name}": column.copy() for name, column in vars(self._tracks).items() if name != "time"}
        filters = {"means": self._means.copy(), "covariances": self._covariances.copy()}
        lives = {"last_seen": self._last_seen.copy(), "hits": self._hits.copy()}
        return {"time": np.array(self._time), "next_id": np.array(self._next_id), **filters, **lives, **tracks}

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        fresh = self.clone()
        n = len(np.atleast_1d(state.get("hits", ())))
        for name, born in fresh.state().items():
            array = state.get(name)
            if array is None:
                raise StateError(f"the state of {type(self).__name__} lacks the array {name!r}")
            shape = (n, *born.shape[1:]) if born.ndim else ()
            if array.shape != shape or array.dtype != born.dtype:
                raise StateError(f"array {name!r} is {array.dtype} {array.shape}, expected {born.dtype} {shape}")
        self._time, self._next_id = float(state["time"]), int(state["next_id"])
        self._means, self._covariances = state["means"].copy(), state["covariances"].copy()
        self._last_seen, self._hits = state["last_seen"].copy(), state["hits"].copy()
        columns = {name[7:]: array.copy() for name, array in state.items() if name.startswith("tracks_")}
        self._tracks = Tracks(time=self._time, **columns)


def _centres(boxes: Boxes) -> tuple[Floats, Floats]:
    wide = boxes.astype(np.float64)
    return (wide[:, :2] + wide[:, 2:]) / 2, wide[:, 2:] - wide[:, :2]


def _grown(boxes: Boxes, margin: float) -> Boxes:
    border = margin * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - border, boxes[:, 2:] + border], axis=1)
