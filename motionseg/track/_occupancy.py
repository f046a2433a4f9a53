"""Where tracks pass, and where they stay: two maps of the picture that add up over time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_integer, check_number
from motionseg.core.errors import FrameError, ParameterError, StateError
from motionseg.core.types import Labels, Tracks

__all__ = ["Occupancy"]

_VISITORS = 2  # of a pixel that are remembered: two tracks side by side whose border trembles come once each


class Occupancy:
    """Adds up, for every pixel, how many tracks have passed it and how many seconds there was one.

    Parameters
    ----------
    height, width : int, at least 1
        Of the frames.
    max_gap : float, above 0
        Seconds. A track that is back on a pixel within this time has not left it; a step between two frames that is
        longer counts as this long.

    Raises
    ------
    ParameterError
        A number is out of range.

    Notes
    -----
    Memory: 44 bytes a pixel, however long it goes on. Work: in proportion to the pixels that have tracks.

    Examples
    --------
    >>> maps, one = Occupancy(1, 4), Tracks(0.0, *(np.ones((1, *s), int) for s in ((), (4,), (), (), (), (2,), ())))
    >>> for step, row in enumerate([[1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0]]):
    ...     maps.update(Tracks(step / 4, *list(vars(one).values())[1:]), np.array([row], np.int32))
    >>> maps.heat.tolist(), maps.dwell.tolist()
    ([[1.0, 1.0, 1.0, 0.0]], [[0.0, 0.5, 0.5, 0.0]])
    """

    def __init__(self, height: int, width: int, *, max_gap: float = 1.0) -> None:
        self.shape = (check_integer("height", height, 1), check_integer("width", width, 1))
        self.max_gap = check_number("max_gap", max_gap, 0, above=True)
        n = height * width
        self._heat, self._dwell = np.zeros(n, np.int32), np.zeros(n)
        self._visitors, self._times = np.zeros((_VISITORS, n), np.int64), np.full((_VISITORS, n), -math.inf)
        self._time = math.nan

    @property
    def heat(self) -> npt.NDArray[np.float32]:
        """Passages, float32 (H, W): each visit of each track counts once."""
        return self._heat.reshape(self.shape).astype(np.float32)

    @property
    def dwell(self) -> npt.NDArray[np.float32]:
        """Seconds, float32 (H, W), in which some track was there."""
        return self._dwell.reshape(self.shape).astype(np.float32)

    def update(self, tracks: Tracks, identities: Labels | None = None) -> None:
        """Add one frame.

        Parameters
        ----------
        tracks : Tracks
            Those that are believed and seen count (``tracks.visible``).
        identities : int32 (H, W), optional
            The id of the track that each pixel belongs to, 0 for none; default: the tracks' boxes.

        Raises
        ------
        FrameError
            `identities` are not of this size.
        ParameterError
            The time does not increase. In both cases nothing has changed.
        """
        seen = tracks.visible
        if identities is None:
            identities = self._painted(seen)
        if identities.shape != self.shape:
            raise FrameError(f"the identities have shape {identities.shape}, the map {self.shape}")
        if tracks.time <= self._time:
            raise ParameterError(f"time increases from frame to frame: {tracks.time} s after {self._time} s")
        step = 0.0 if math.isnan(self._time) else min(tracks.time - self._time, self.max_gap)
        self._time = tracks.time
        flat = identities.ravel()
        where = np.flatnonzero(flat)
        where = where[np.isin(flat[where], seen.ids)]
        visitors = flat[where]
        self._dwell[where] += step
        known = self._visitors[:, where] == visitors
        is_known = known.any(axis=0)
        slot = np.where(is_known, known.argmax(axis=0), self._times[:, where].argmin(axis=0))
        is_back = is_known & (tracks.time - self._times[slot, where] <= self.max_gap + 1e-9)
        self._heat[where] += ~is_back
        self._visitors[slot, where], self._times[slot, where] = visitors, tracks.time

    def _painted(self, tracks: Tracks) -> Labels:
        """The boxes of tracks as pixels; where they overlap, the one whose lower edge is lower, and so nearer, wins."""
        painted = np.zeros(self.shape, np.int32)
        height, width = self.shape
        corners = np.clip(np.rint(tracks.boxes), 0, [width, height, width, height]).astype(int)
        for row in np.argsort(tracks.boxes[:, 3], kind="stable").tolist():
            x0, y0, x1, y1 = corners[row].tolist()
            painted[y0:y1, x0:x1] = tracks.ids[row]
        return painted

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """All of it as arrays; loaded into an equal one, that goes on as this one."""
        own: dict[str, npt.NDArray[Any]] = {
            "heat": self._heat,
            "dwell": self._dwell,
            "visitors": self._visitors,
            "times": self._times,
        }
        return {**{name: array.copy() for name, array in own.items()}, "time": np.array(self._time)}

    def load_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Continue from what :meth:`state` gave. Raises StateError, and is unchanged then."""
        own = self.state()
        for name, array in own.items():
            if name not in state or (state[name].shape, state[name].dtype) != (array.shape, array.dtype):
                raise StateError(f"the state of an Occupancy lacks the array {name!r}, {array.dtype} {array.shape}")
        self._heat, self._dwell, self._visitors, self._times = (
            state[name].copy() for name in ("heat", "dwell", "visitors", "times")
        )
        self._time = float(state["time"])
