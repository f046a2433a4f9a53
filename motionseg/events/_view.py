"""What one frame looks like to the rules: who is where, and how much of it is in which zone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import ParameterError
from motionseg.core.geometry import box_areas
from motionseg.core.types import Labels, Tracks
from motionseg.events.zones import Line, Zone, in_pixels

__all__ = ["Places", "View"]

Values = npt.NDArray[np.float64]


class Places:
    """Zones and lines as pixels of frames of one `shape` (H, W), drawn once. Raises ParameterError, naming the zone."""

    def __init__(self, places: Sequence[Zone | Line], shape: tuple[int, int]) -> None:
        self.shape = shape
        zones = [place for place in places if isinstance(place, Zone)]
        drawn = {zone.name: zone.pixels(shape) for zone in zones}
        free = np.ones(shape, bool)
        for zone in zones:
            if zone.kind == "exclude":
                free &= ~drawn[zone.name]
        self.pixels = {"": free, **{zone.name: drawn[zone.name] & free for zone in zones if zone.kind != "exclude"}}
        for name, pixels in self.pixels.items():
            if not pixels.any():
                what = f"zone {name!r}" if name else "the picture"
                raise ParameterError(f"{what} lies wholly in zones that exclude, in frames of {shape[1]}x{shape[0]}")
        self.areas = {name: int(np.count_nonzero(pixels)) for name, pixels in self.pixels.items()}
        self.lines = {place.name: in_pixels(place, shape) for place in places if isinstance(place, Line)}
        self._sums: dict[str, Values] = {}

    def box_overlaps(self, name: str, boxes: npt.NDArray[Any]) -> Values:
        """Common area in px2, float64 (N,), of a zone's pixels and boxes (N, 4): exact, also of fractions."""
        sums = self._sums.get(name)
        if sums is None:
            sums = np.zeros((self.shape[0] + 1, self.shape[1] + 1))
            np.cumsum(np.cumsum(self.pixels[name], axis=0), axis=1, out=sums[1:, 1:])
            self._sums[name] = sums
        x0, y0, x1, y1 = np.asarray(boxes, np.float64).T
        x1, y1 = np.maximum(x0, x1), np.maximum(y0, y1)
        common = _between(sums, x1, y1) - _between(sums, x0, y1) - _between(sums, x1, y0) + _between(sums, x0, y0)
        return np.asarray(np.maximum(common, 0))


def _between(sums: Values, x: Values, y: Values) -> Values:
    """The sum of all pixels above and to the left of points, also between the corners of pixels."""
    height, width = sums.shape[0] - 1, sums.shape[1] - 1
    x, y = np.clip(x, 0, width), np.clip(y, 0, height)
    i, j = np.minimum(y.astype(np.int64), height - 1), np.minimum(x.astype(np.int64), width - 1)
    v, u = y - i, x - j
    upper = sums[i, j] * (1 - u) + sums[i, j + 1] * u
    lower = sums[i + 1, j] * (1 - u) + sums[i + 1, j + 1] * u
    return np.asarray(upper * (1 - v) + lower * v)


class View:
    """The tracks of one frame that count, in the order of their ids, before the zones.

    Parameters
    ----------
    places : Places
        For frames of this size.
    tracks : Tracks
        Those that count, sorted by id.
    identities : int32 (H, W), optional
        The id of the track that each pixel belongs to; None, and where a track has no pixels in it: boxes.
    verdict : str
        What is said of the whole picture.
    cues : dict of str to float or array (H, W)
        What speaks for foreground.
    """

    def __init__(
        self, places: Places, tracks: Tracks, identities: Labels | None, verdict: str, cues: dict[str, Any]
    ) -> None:
        self.places, self.tracks, self.identities = places, tracks, identities
        self.verdict, self._cues = verdict, cues
        boxes = tracks.boxes.astype(np.float64)
        middle = (boxes[:, 0] + boxes[:, 2]) / 2
        self.points = {
            "feet": np.stack([middle, boxes[:, 3]], axis=1),
            "middle": np.stack([middle, (boxes[:, 1] + boxes[:, 3]) / 2], axis=1),
        }
        self.speeds = np.hypot(*tracks.velocities.astype(np.float64).T)
        self._known: dict[tuple[str, str], Values] = {}

    @cached_property
    def _owned(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Pixels (flat) that are of one of the tracks, and the rows of these."""
        ids = self.tracks.ids
        if self.identities is None or not len(ids):
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        flat = self.identities.ravel()
        where = np.flatnonzero(flat != 0)  # of bools it is found faster
        owners = flat[where]
        rows = np.minimum(np.searchsorted(ids, owners), len(ids) - 1)
        ours = ids[rows] == owners
        return where[ours], rows[ours]

    @cached_property
    def _sizes(self) -> Values:
        return np.bincount(self._owned[1], minlength=len(self.tracks)).astype(np.float64)

    def areas(self, zone: str) -> Values:
        """Pixels of each track, float64 (N,), that lie in a zone."""
        key = "areas", zone
        if key not in self._known:
            where, rows = self._owned
            inside = self.places.pixels[zone].ravel()[where]
            own = np.bincount(rows[inside], minlength=len(self.tracks)).astype(np.float64)
            if not self._sizes.all():
                own = np.where(self._sizes > 0, own, self.places.box_overlaps(zone, self.tracks.boxes))
            self._known[key] = own
        return self._known[key]

    def shares(self, zone: str) -> Values:
        """The part of each track, float64 (N,) in [0, 1], that lies in a zone."""
        whole = np.where(self._sizes > 0, self._sizes, box_areas(self.tracks.boxes))
        shares = np.divide(self.areas(zone), whole, out=np.zeros(len(whole)), where=whole > 0)
        return np.asarray(np.minimum(shares, 1))

    def standing(self, zone: str) -> Values:
        """1 for the tracks whose feet, the middle of the lower edge of the box, are in a zone; 0 for others."""
        height, width = self.places.shape
        x, y = self.points["feet"].T
        columns = np.clip(np.floor(x), 0, width - 1).astype(np.int64)
        rows = np.clip(np.ceil(y) - 1, 0, height - 1).astype(np.int64)
        return np.asarray(self.places.pixels[zone][rows, columns], np.float64)

    def presence(self, zone: str, position: str) -> Values:
        """How much each track is in a zone, float64 (N,) in [0, 1]: by its feet, or by its share."""
        return self.standing(zone) if position == "feet" else self.shares(zone)

    def covered(self, zone: str, rows: npt.NDArray[np.bool_]) -> float:
        """Pixels of a zone that belong to one of the tracks of `rows` (bool, N)."""
        where, owners = self._owned
        pixels = self.places.pixels[zone]
        count = int(np.count_nonzero(pixels.ravel()[where[rows[owners]]]))
        drawn = rows & (self._sizes == 0)
        if not drawn.any():
            return float(count)
        taken = boxes_pixels(self.tracks.boxes[drawn], self.places.shape)
        taken.ravel()[where[rows[owners]]] = True
        return float(np.count_nonzero(taken & pixels))

    def evidence(self, ids: Iterable[int]) -> dict[str, float]:
        """The mean of each cue over the pixels of some tracks; a cue that is a number as it is."""
        if not self._cues:
            return {}
        wanted = np.isin(self.tracks.ids, list(ids))
        where, owners = self._owned
        where = where[wanted[owners]]
        drawn = wanted & (self._sizes == 0)
        if drawn.any():
            where = np.union1d(where, np.flatnonzero(boxes_pixels(self.tracks.boxes[drawn], self.places.shape)))
        told = {}
        for name in sorted(self._cues):
            cue = self._cues[name]
            if isinstance(cue, np.ndarray):
                cue = cue.ravel()[where].mean(dtype=np.float64) if len(where) else 0.0
            if np.isfinite(cue):
                told[name] = float(cue)
        return told


def boxes_pixels(boxes: npt.NDArray[Any], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The pixels, bool (H, W), of any of the boxes (N, 4), rounded to whole ones."""
    taken = np.zeros(shape, bool)
    height, width = shape
    for x0, y0, x1, y1 in np.clip(np.rint(boxes), 0, [width, height, width, height]).astype(int).tolist():
        taken[y0:y1, x0:x1] = True
    return taken
