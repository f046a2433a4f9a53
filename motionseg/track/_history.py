"""What tracks have done: every row of every frame is kept, for tables, trajectories and joining when all is over."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_integer, check_number
from motionseg.core.errors import ParameterError, StateError
from motionseg.core.types import Regions, Tracks, TrackState
from motionseg.track._rows import FRAME, ROW, UNSEEN, Rows, between, longer, mapped, parts_of, tracks_of
from motionseg.track._table import TrackTable, summarize

__all__ = ["TrackHistory", "Trajectory"]


class Trajectory(NamedTuple):
    """Where a track was seen, from old to new."""

    times: npt.NDArray[np.float64]
    """(N,), seconds."""
    centres: npt.NDArray[np.float32]
    """(N, 2), x, y of the boxes' middles, pixels."""
    feet: npt.NDArray[np.float32]
    """(N, 2), x, y of the middles of the boxes' lower edges."""


class TrackHistory:
    """Remembers the tracks of every frame, and tells of each track what it did.

    Tentative tracks are left out; so is what was never seen since the history began.

    Notes
    -----
    Memory: 81 bytes for each track and frame, 16 for each frame, and 4 D for each track where regions have D features.
    It grows as long as tracks are added: it is for recordings, not for a camera that never stops (50 tracks at 25
    frames a second take 365 MB an hour).

    Examples
    --------
    >>> from motionseg.track import KalmanIoU
    >>> history, linker = TrackHistory(), KalmanIoU(min_hits=2)
    >>> for index in range(26):
    ...     boxes = np.array([[10 + 2 * index, 5, 20 + 2 * index, 25]], np.float32)
    ...     columns = np.full(1, 200), boxes[:, :2] + (5, 10), np.ones(1, np.float32), np.full((1, 3), 9, np.float32)
    ...     regions = Regions(boxes, *columns)
    ...     history.add(index, linker.update(regions, index / 25), regions)
    >>> table = history.table()
    >>> table.ids.tolist(), table.paths.tolist(), table.speeds.round(6).tolist(), table.headings.tolist()
    ([1], [48.0], [50.0], [0.0])
    """

    def __init__(self) -> None:
        self._rows, self._n_rows = np.zeros(64, ROW), 0
        self._frames, self._n_frames = np.zeros(64, FRAME), 0
        self._looks: dict[int, npt.NDArray[np.float32]] = {}  # of each track: the sum of its features
        self._forget()

    def _forget(self) -> None:
        """What was derived from the rows so far."""
        self._sorted: Rows | None = None
        self._seen: tuple[Rows, dict[int, slice]] | None = None

    def __len__(self) -> int:
        """Number of rows: of tracks and frames."""
        return self._n_rows

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return self._n_frames

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """Of all tracks that were seen, ascending."""
        return np.array(list(self._seen_parts()[1]), np.int64)

    # --- while it happens ------------------------------------------------------------------------

    def add(self, index: int, tracks: Tracks, regions: Regions | None = None) -> None:
        """Remember the tracks of one frame.

        Parameters
        ----------
        index : int
            The frame's number, above that of the last one.
        tracks : Tracks
            All of them, as a linker gives them.
        regions : Regions, optional
            Those of the frame, for the tracks' colours and features. Of tracks that are merged in one region both are
            left out.

        Raises
        ------
        ParameterError
            Index or time does not increase, or a track has a label that `regions` lack; nothing is remembered.
        """
        index, last = check_integer("index", index, 0), self._frames[self._n_frames - 1]
        if self._n_frames and (index <= last["frame"] or not tracks.time > last["time"]):
            now, before = f"frame {index} at {tracks.time} s", f"frame {last['frame']} at {last['time']} s"
            raise ParameterError(f"frames and their times increase: {now} came after {before}")
        kept = tracks[tracks.states != TrackState.TENTATIVE]
        rows = np.zeros(len(kept), ROW)
        rows["frame"], rows["time"] = index, tracks.time
        columns = {"id": kept.ids, "box": kept.boxes, "area": kept.areas, "score": kept.scores}
        columns |= {"velocity": kept.velocities, "state": kept.states, "parent": kept.parents}
        for name, column in columns.items():
            rows[name] = column
        rows["color"] = np.nan
        if regions is not None:
            if kept.labels.max(initial=0) > len(regions):
                raise ParameterError(f"a track has label {kept.labels.max()}, and there are {len(regions)} regions")
            alone = np.flatnonzero((kept.labels > 0) & (kept.states != TrackState.MERGED))
            places = kept.labels[alone] - 1
            rows["color"][alone] = regions.colors[places]
            for id, feature in zip(kept.ids[alone].tolist(), regions.features[places], strict=True):
                if len(feature):
                    self._looks[id] = self._looks[id] + feature if id in self._looks else feature.copy()
        self._append(rows, np.array([(index, tracks.time)], FRAME))

    def _append(self, rows: Rows, frames: Rows) -> None:
        self._rows, self._n_rows = longer(self._rows, self._n_rows, rows)
        self._frames, self._n_frames = longer(self._frames, self._n_frames, frames)
        self._forget()

    # --- when it is over -------------------------------------------------------------------------

    def rows(self) -> Rows:
        """All rows, by track and then by time: a structured array with fields frame, time, id, box, area, score,
        velocity, state, parent, color."""
        if self._sorted is None:
            rows = self._rows[: self._n_rows]
            self._sorted = rows[np.lexsort((rows["frame"], rows["id"]))]
            self._sorted.flags.writeable = False
        return self._sorted

    def seen(self) -> Rows:
        """Those of :meth:`rows` in which the track was seen."""
        return self._seen_parts()[0]

    def _seen_parts(self) -> tuple[Rows, dict[int, slice]]:
        """The rows in which tracks were seen, and where in them those of each track are."""
        if self._seen is None:
            rows = self.rows()
            seen = rows[~np.isin(rows["state"], UNSEEN)]
            seen.flags.writeable = False
            self._seen = seen, parts_of(seen)
        return self._seen

    def frames(self) -> Iterator[tuple[int, Tracks]]:
        """Every frame's number and tracks, as they were added but for the tentative ones; their labels are 0."""
        rows, frames = self._rows[: self._n_rows], self._frames[: self._n_frames]
        bounds = np.searchsorted(rows["frame"], [*frames["frame"].tolist(), math.inf])
        for frame, start, stop in zip(frames, bounds[:-1], bounds[1:], strict=True):
            yield int(frame["frame"]), tracks_of(rows[start:stop], float(frame["time"]))

    def trajectory(self, id: int) -> Trajectory:
        """Where track `id` was seen. Raises ParameterError if it never was."""
        seen, parts = self._seen_parts()
        if id not in parts:
            raise ParameterError(f"there is no track {id}")
        rows = seen[parts[id]]
        boxes = rows["box"]
        x = (boxes[:, 0] + boxes[:, 2]) / 2
        return Trajectory(
            rows["time"].copy(),
            np.stack([x, (boxes[:, 1] + boxes[:, 3]) / 2], axis=1),
            np.stack([x, boxes[:, 3]], axis=1),
        )

    def feature(self, id: int) -> npt.NDArray[np.float32] | None:
        """The mean look of track `id`, float32 (D,) of length 1; None where none was measured."""
        total = self._looks.get(id)
        length = 0.0 if total is None else float(np.linalg.norm(total))
        return None if total is None or not length else total / np.float32(length)

    def table(self) -> TrackTable:
        """What every track did, a row per track in ascending order of ids."""
        return summarize(self.rows(), self.seen())

    # --- others made of it -----------------------------------------------------------------------

    def renamed(self, mapping: Mapping[int, int]) -> TrackHistory:
        """A history in which tracks have other ids: where several get the same one, they become one track.

        Parameters
        ----------
        mapping : dict of int to int
            The new ids of tracks, as :func:`motionseg.track.stitch` gives them; others keep theirs. Of a track that
            another one continues, what was predicted from then on is left out.

        Raises
        ------
        ParameterError
            Two tracks that would become one are not one after the other.
        """
        rows, seen = self.rows(), self.seen()
        parts = parts_of(rows)
        old, new = rows["id"], mapped(rows["id"], mapping)
        ids, starts, counts = np.unique(seen["id"], return_index=True, return_counts=True)
        begins, ends, names = seen["frame"][starts], seen["frame"][starts + counts - 1], mapped(ids, mapping)
        order = np.lexsort((begins, names))
        keep = (old == new) | np.isin(old, ids)
        for one, other in pairwise(order.tolist()):
            if names[one] != names[other]:
                continue
            if ends[one] >= begins[other]:
                until = f"{ids[one]} is seen until frame {ends[one]}, and {ids[other]} from frame {begins[other]} on"
                raise ParameterError(f"two tracks cannot be one: {until}")
            first, second = parts[int(ids[one])], parts[int(ids[other])]
            keep[first] &= (rows["frame"][first] < begins[other]) & (rows["state"][first] != TrackState.GONE)
            keep[second] &= rows["frame"][second] >= begins[other]
        changed = rows.copy()
        changed["id"], changed["parent"] = new, mapped(rows["parent"], mapping)
        # A track that is joined of several came out of what the first of them did.
        parents = changed["parent"][np.searchsorted(old, ids)]
        first_of = dict(zip(names[order][::-1].tolist(), parents[order][::-1].tolist(), strict=True))
        changed["parent"] = [first_of.get(id, 0) for id in new.tolist()]
        changed["parent"][changed["parent"] == new] = 0
        looks: dict[int, npt.NDArray[np.float32]] = {}
        for id, total in self._looks.items():
            to = mapping.get(id, id)
            looks[to] = looks[to] + total if to in looks else total
        return self._made(changed[keep], looks)

    def interpolated(self, *, max_gap: float = math.inf) -> TrackHistory:
        """A history whose tracks have a row in every frame between the first and the last in which they were seen.

        Where a track was not seen, its box, area and score run straight from the last one seen to the next; the state
        is OCCLUDED. These rows take the place of predicted ones.

        Parameters
        ----------
        max_gap : float, at least 0
            Seconds between the two; longer gaps stay as they are.

        Raises
        ------
        ParameterError
            `max_gap` is out of range.
        """
        max_gap = max_gap if max_gap == math.inf else check_number("max_gap", max_gap, 0)
        rows, seen, frames = self.rows(), self.seen(), self._frames[: self._n_frames]
        places = np.searchsorted(frames["frame"], seen["frame"])
        pairs = (seen["id"][1:] == seen["id"][:-1]) & (np.diff(places) > 1) & (np.diff(seen["time"]) <= max_gap)
        is_old = np.zeros(len(rows), bool)
        filled, parts = [], parts_of(rows)
        for k in np.flatnonzero(pairs).tolist():
            filled.append(between(seen[k], seen[k + 1], frames[places[k] + 1 : places[k + 1]]))
            part = parts[int(seen[k]["id"])]
            own = rows["frame"][part]
            is_old[part] |= (own > seen[k]["frame"]) & (own < seen[k + 1]["frame"])
        return self._made(np.concatenate([rows[~is_old], *filled]), self._looks)

    def _made(self, rows: Rows, looks: dict[int, npt.NDArray[np.float32]]) -> TrackHistory:
        """Another history with these rows, in any order, and the same frames."""
        made = TrackHistory()
        made._append(rows[np.lexsort((rows["id"], rows["frame"]))], self._frames[: self._n_frames])
        made._looks = {id: total.copy() for id, total in looks.items()}
        return made

    # --- state -----------------------------------------------------------------------------------

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """All of it as arrays; loaded into another history, that goes on as this one."""
        looks = np.stack(list(self._looks.values())) if self._looks else np.zeros((0, 0), np.float32)
        return {
            "rows": self._rows[: self._n_rows].copy(),
            "frames": self._frames[: self._n_frames].copy(),
            "look_ids": np.array(list(self._looks), np.int64),
            "looks": looks,
        }

    def load_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Continue from what :meth:`state` gave. Raises StateError, and is unchanged then."""
        wanted = {"rows": ROW, "frames": FRAME, "look_ids": np.dtype("i8"), "looks": np.dtype("f4")}
        for name, dtype in wanted.items():
            if name not in state or state[name].dtype != dtype:
                raise StateError(f"the state of a TrackHistory lacks the array {name!r} of {dtype}")
        if len(state["look_ids"]) != len(state["looks"]):
            raise StateError("'looks' has a row for each of 'look_ids'")
        TrackHistory.__init__(self)
        self._append(state["rows"], state["frames"])
        self._looks = dict(zip(state["look_ids"].tolist(), state["looks"].copy(), strict=True))
