"""What linkers of boxes share: tracks that are born, believed, predicted and given up. They differ in who is whom."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_flow, check_frame, check_integer, check_labels, check_number, check_transform
from motionseg.core.errors import ParameterError, StateError
from motionseg.core.types import Boxes, Flow, Frame, Labels, Regions, Tracks, TrackState
from motionseg.track._assignment import Pairs, assigned
from motionseg.track._kalman import Filters, begun, boxes_of, corrected, moved, predicted
from motionseg.track.base import RegionLinker

__all__ = ["BoxLinker"]

Rows = dict[str, npt.NDArray[Any]]
_NEW = TrackState.TENTATIVE
_TENTATIVE = 0.25  # of max_gap: so long a track that is not believed yet lives unseen


class BoxLinker(RegionLinker):
    """Keeps a constant-velocity filter for each track; a subclass says in `_assign` which region each of them is.

    What is known of tracks are arrays with a row each, by name: a subclass adds its own in `_born`.
    """

    def _set_life(self, min_hits: int, max_gap: float, acceleration: float, localization: float) -> None:
        """The parameters of all these linkers. Raises ParameterError."""
        self.min_hits = check_integer("min_hits", min_hits, 1)
        self.max_gap = check_number("max_gap", max_gap, 0, above=True)
        self.acceleration = check_number("acceleration", acceleration, 0, above=True)
        self.localization = check_number("localization", localization, 0, above=True)

    # --- what a subclass decides ---------------------------------------------------------------

    @abstractmethod
    def _assign(self, regions: Regions, labels: Labels | None) -> Pairs:
        """Rows of tracks and numbers of regions that belong together; filters are predicted to the frame's time.

        A row comes once at most; a region, where tracks are merged in it, may come several times.
        """

    def _measured(self, pairs: Pairs, regions: Regions) -> tuple[Boxes, npt.NDArray[np.int64]]:
        """Boxes and areas of the tracks in these pairs."""
        return regions.boxes[pairs[1]], regions.areas[pairs[1]]

    def _worth_a_track(self, regions: Regions) -> npt.NDArray[np.bool_]:
        """Of each region: whether it begins a track if it belongs to none."""
        return np.ones(len(regions), bool)

    def _born(self, boxes: Boxes, time: float) -> Rows:
        """Rows of tracks that begin."""
        filters, n = begun(boxes, self.localization), len(boxes)
        return {
            "means": filters.means,
            "covariances": filters.covariances,
            "last_seen": np.full(n, time),
            "hits": np.ones(n, np.int64),
        }

    def _parents(self, new: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
        """Ids of the tracks out of which those come that begin as the regions `new`."""
        return np.zeros(len(new), np.int64)

    def _states(self) -> npt.NDArray[np.uint8]:
        """Codes of the tracks, after the frame."""
        seen = self._tracks.labels > 0
        states = np.where(self._believed(), np.where(seen, TrackState.CONFIRMED, TrackState.OCCLUDED), _NEW)
        return states.astype(np.uint8)

    def _patience(self) -> npt.NDArray[np.float64]:
        """Seconds that each track may stay unseen."""
        return np.where(self._believed(), self.max_gap, self.max_gap * _TENTATIVE)

    def _seen(self, rows: npt.NDArray[np.intp], boxes: Boxes, time: float) -> None:
        """The tracks `rows` were seen as `boxes`."""
        self._set_filters(rows, corrected(self._filters(rows), boxes, self.localization))
        self._rows["last_seen"][rows] = time
        self._rows["hits"][rows] += 1

    def _move(self, camera: npt.NDArray[np.float64]) -> None:
        """The camera has moved everything by `camera` (3, 3)."""
        self._set_filters(slice(None), moved(self._filters(), camera))

    def _flow_along(self, flow: Flow) -> None:
        """From the last frame to this one each pixel moved by `flow` (H, W, 2)."""

    def _check(self, regions: Regions, labels: Labels | None) -> None:
        """ParameterError where they do not fit what is remembered."""

    def _note(self, regions: Regions, labels: Labels | None) -> None:
        """The frame's regions as pixels, after all tracks know their region."""

    # --- what a subclass may look at -----------------------------------------------------------

    def _filters(self, rows: npt.NDArray[np.intp] | slice = slice(None)) -> Filters:
        return Filters(self._rows["means"][rows], self._rows["covariances"][rows])

    def _set_filters(self, rows: npt.NDArray[np.intp] | slice, filters: Filters) -> None:
        self._rows["means"][rows], self._rows["covariances"][rows] = filters

    def _boxes(self) -> Boxes:
        """Where the tracks are expected, float32 (N, 4)."""
        return boxes_of(self._filters())

    def _variances(self, filters: Filters) -> npt.NDArray[np.float64]:
        """Of where the centre of a region will be seen, px2 (N, 2)."""
        return np.asarray(filters.covariances[:, :2] + (self.localization * filters.means[:, 4:]) ** 2)

    def _believed(self) -> npt.NDArray[np.bool_]:
        """Which tracks have been seen often enough."""
        return np.asarray(self._rows["hits"] >= self.min_hits)

    def _believed_first(self, likeness: npt.NDArray[np.floating], least: float) -> Pairs:
        """The best pairs of tracks and regions (N, M); tentative tracks get what the others leave."""
        believed = self._believed()
        if believed.all():
            return assigned(likeness, least)
        rows, columns = assigned(np.where(believed[:, None], likeness, 0), least)
        rest = np.where(believed[:, None], 0, likeness)
        rest[:, columns] = 0
        others, left = assigned(rest, least)
        return np.concatenate([rows, others]), np.concatenate([columns, left])

    # --- one frame -------------------------------------------------------------------------------

    def update(
        self,
        regions: Regions,
        time: float,
        *,
        labels: Labels | None = None,
        camera: npt.NDArray[np.floating] | None = None,
        flow: Flow | None = None,
        frame: Frame | None = None,
    ) -> Tracks:
        time, motion = check_number("time", time), None if camera is None else check_transform(camera)
        if labels is not None:
            labels = check_labels(labels, len(regions))
        if flow is not None:
            flow = check_flow(flow, None if labels is None else labels.shape)
        if frame is not None:
            frame = check_frame(frame, None if labels is None else (*labels.shape, *frame.shape[2:]))
        if time <= self._time:
            raise ParameterError(f"time increases from call to call: {time} s after {self._time} s")
        self._check(regions, labels)
        if len(self._tracks):
            if motion is not None:
                self._move(motion)
            if flow is not None:
                self._flow_along(flow)
            self._set_filters(slice(None), predicted(self._filters(), time - self._time, self.acceleration))
        self._last_time, self._time = self._time, time
        self._frame = frame
        pairs = self._assign(regions, labels)
        self._frame = None
        boxes, areas = self._measured(pairs, regions)
        if len(boxes):
            self._seen(pairs[0], boxes, time)
        free = self._worth_a_track(regions)
        free[pairs[1]] = False
        new = np.flatnonzero(free)
        parents = self._parents(new)
        self._keep_alive(pairs, regions, boxes, areas)
        self._begin(new, regions, parents)
        self._note(regions, labels)
        return self._snapshot()

    def _keep_alive(self, pairs: Pairs, regions: Regions, seen: Boxes, seen_areas: npt.NDArray[np.int64]) -> None:
        """Note what was seen of each track, and drop those unseen for too long."""
        (rows, columns), old, boxes = pairs, self._tracks, self._boxes()
        labels, areas, scores = np.zeros(len(old), np.int32), old.areas.copy(), old.scores.copy()
        labels[rows], areas[rows], scores[rows] = columns + 1, seen_areas, regions.scores[columns]
        boxes[rows] = seen
        alive = self._time - self._rows["last_seen"] <= self._patience()
        now = Tracks(self._time, old.ids, boxes, labels, areas, scores, old.velocities, old.states, old.parents)
        if alive.all():
            self._tracks, self._ended = now, Tracks()
            return
        self._tracks, ended = now[alive], now[~alive & self._believed()]
        self._ended = replace(ended, states=np.full(len(ended), TrackState.GONE, np.uint8))
        self._rows = {name: values[alive] for name, values in self._rows.items()}

    def _begin(self, new: npt.NDArray[np.intp], regions: Regions, parents: npt.NDArray[np.int64]) -> None:
        if not len(new):
            return
        born, old = self._born(regions.boxes[new], self._time), self._tracks
        self._rows = {name: np.concatenate([values, born[name]]) for name, values in self._rows.items()}
        ids = np.arange(self._next_id, self._next_id + len(new), dtype=np.int64)
        self._next_id += len(new)
        self._tracks = Tracks(
            self._time,
            np.concatenate([old.ids, ids]),
            np.concatenate([old.boxes, regions.boxes[new]]),
            np.concatenate([old.labels, new.astype(np.int32) + 1]),
            np.concatenate([old.areas, regions.areas[new]]),
            np.concatenate([old.scores, regions.scores[new]]),
            parents=np.concatenate([old.parents, parents]),
        )

    def _snapshot(self) -> Tracks:
        old = self._tracks
        velocities = self._filters().velocities.astype(np.float32)
        columns = (old.ids, old.boxes, old.labels, old.areas, old.scores, velocities, self._states())
        self._tracks = Tracks(self._time, *columns, old.parents)
        return self._tracks.plus(self._ended)

    # --- state -----------------------------------------------------------------------------------

    def reset(self) -> None:
        self._time = self._last_time = -math.inf
        self._next_id = 1
        self._rows = self._born(np.zeros((0, 4), np.float32), 0.0)
        self._tracks = Tracks()

    def state(self) -> dict[str, npt.NDArray[Any]]:
        tracks = {f"tracks_{name}": column.copy() for name, column in vars(self._tracks).items() if name != "time"}
        rows = {name: values.copy() for name, values in self._rows.items()}
        times = np.array([self._last_time, self._time])
        return {"times": times, "next_id": np.array(self._next_id), **rows, **tracks}

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        fresh = self.clone()
        n = len(np.atleast_1d(state.get("hits", ())))
        for name, born in BoxLinker.state(fresh).items():
            array = state.get(name)
            if array is None:
                raise StateError(f"the state of {type(self).__name__} lacks the array {name!r}")
            shape = born.shape if name in ("times", "next_id") else (n, *born.shape[1:])
            if born.shape[1:] == (0,) and array.ndim == 2:  # features, of which nobody has said how long they are
                shape = (n, array.shape[1])
            if array.shape != shape or array.dtype != born.dtype:
                raise StateError(f"array {name!r} is {array.dtype} {array.shape}, expected {born.dtype} {shape}")
        (self._last_time, self._time), self._next_id = (float(t) for t in state["times"]), int(state["next_id"])
        self._rows = {name: state[name].copy() for name in self._rows}
        columns = {name[7:]: array.copy() for name, array in state.items() if name.startswith("tracks_")}
        self._tracks = Tracks(time=self._time, **columns)
