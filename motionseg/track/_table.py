"""One row for each track: when it was there, how far and how fast it went, and what it looked like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import MissingExtraError
from motionseg.core.types import TrackState

__all__ = ["TrackTable", "summarize"]

_STANDING = (TrackState.STOPPED, TrackState.LEFT)
_STEP = 0.25  # of a box's size: a centre that has moved no farther may have only trembled


@dataclass(frozen=True)
class TrackTable:
    """What tracks did, a column per fact; row i of every column speaks of the same track.

    "Seen" is every frame in which the track was found and not just predicted.

    Attributes
    ----------
    ids : int64 (N,)
        Ascending.
    parents : int64 (N,)
        The track that it came out of; 0 for none.
    first_frames, last_frames : int64 (N,)
        In which it was seen.
    first_times, last_times : float64 (N,)
        Seconds.
    seen : int64 (N,)
        Number of frames.
    paths : float64 (N,)
        Length of the way of its centre, pixels. A step counts once the centre is a quarter of the box's size (root of
        its area) away from where the last one ended, so that a box that trembles where it stands goes nowhere.
    displacements : float64 (N,)
        From the first centre to the last, pixels.
    speeds : float64 (N,)
        `paths` over the time between first and last, pixels per second; 0 for a single frame.
    headings : float64 (N,)
        Of the displacement, degrees in [0, 360): 0 right, 90 up, 180 left, 270 down; NaN where the path is 0.
    areas : float64 (N,)
        Mean, px2.
    colors : float64 (N, 3)
        Mean B, G, R; NaN where it was never known.
    scores : float64 (N,)
        Mean.
    standing : float64 (N,)
        Seconds in the states STOPPED and LEFT.
    states : uint8 (N,)
        The last one, as a code of :class:`TrackState`: GONE for a track that was given up.
    """

    ids: npt.NDArray[np.int64]
    parents: npt.NDArray[np.int64]
    first_frames: npt.NDArray[np.int64]
    last_frames: npt.NDArray[np.int64]
    first_times: npt.NDArray[np.float64]
    last_times: npt.NDArray[np.float64]
    seen: npt.NDArray[np.int64]
    paths: npt.NDArray[np.float64]
    displacements: npt.NDArray[np.float64]
    speeds: npt.NDArray[np.float64]
    headings: npt.NDArray[np.float64]
    areas: npt.NDArray[np.float64]
    colors: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    standing: npt.NDArray[np.float64]
    states: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.ids)

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Its columns by the names that tables have: id, parent, first_frame, last_frame, first_time, last_time, seen,
        path, displacement, speed, heading, area, b, g, r, score, standing, state (a word)."""
        named = {name.removesuffix("s"): column for name, column in vars(self).items()}
        b, g, r = named["color"].T
        of: dict[str, npt.NDArray[Any]] = {}
        for name, column in named.items():
            of |= {"b": b, "g": g, "r": r} if name == "color" else {name: column}
        of["state"] = np.array([TrackState(code).name.lower() for code in self.states], dtype=object)
        return of

    def to_dataframe(self) -> Any:
        """A pandas DataFrame of :meth:`columns`."""
        try:
            import pandas
        except ImportError as error:
            raise MissingExtraError("to_dataframe()", "pip install pandas") from error
        return pandas.DataFrame(self.columns())


def summarize(rows: npt.NDArray[Any], seen: npt.NDArray[Any]) -> TrackTable:
    """The table of tracks from their rows, and those of them in which they were seen, both by track and time."""
    ids, starts, counts = np.unique(seen["id"], return_index=True, return_counts=True)
    first, last = seen[starts], seen[starts + counts - 1]
    centres = (seen["box"][:, :2].astype(np.float64) + seen["box"][:, 2:]) / 2
    way = centres[starts + counts - 1] - centres[starts]
    sizes = np.sqrt(np.maximum(seen["box"][:, 2:] - seen["box"][:, :2], 0).astype(np.float64).prod(axis=1))
    paths = np.array([_path(centres[a : a + n], _STEP * sizes[a : a + n]) for a, n in zip(starts, counts, strict=True)])
    seconds = last["time"] - first["time"]
    known = np.isfinite(seen["color"]).all(axis=1)
    n_known = _sums(known, starts)
    colors = np.stack([_sums(np.where(known, seen["color"][:, i], 0), starts) for i in range(3)], axis=1)
    headings = np.degrees(np.arctan2(-way[:, 1], way[:, 0])) % 360
    return TrackTable(
        ids=ids,
        parents=first["parent"],
        first_frames=first["frame"],
        last_frames=last["frame"],
        first_times=first["time"],
        last_times=last["time"],
        seen=counts,
        paths=paths.reshape(len(ids)),
        displacements=np.hypot(*way.T),
        speeds=np.divide(paths, seconds, out=np.zeros(len(ids)), where=seconds > 0),
        headings=np.where(paths > 0, headings, np.nan),
        areas=_sums(seen["area"], starts) / counts,
        colors=np.divide(colors, n_known[:, None], out=np.full(colors.shape, np.nan), where=n_known[:, None] > 0),
        scores=_sums(seen["score"], starts) / counts,
        standing=_standing(rows, ids),
        states=rows["state"][np.searchsorted(rows["id"], ids, side="right") - 1],
    )


def _sums(values: npt.NDArray[Any], starts: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Of each track, whose rows begin at `starts`."""
    if not len(starts):
        return np.zeros(0)
    return np.asarray(np.add.reduceat(values.astype(np.float64), starts))


def _standing(rows: npt.NDArray[Any], ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    same = rows["id"][1:] == rows["id"][:-1]
    steps = np.diff(rows["time"]) * (same & np.isin(rows["state"][1:], _STANDING))
    place = np.searchsorted(ids, rows["id"][1:])
    known = (place < len(ids)) & np.isin(rows["id"][1:], ids)
    return np.bincount(place[known], weights=steps[known], minlength=len(ids)).astype(np.float64)


def _path(points: npt.NDArray[np.float64], radii: npt.NDArray[np.float64]) -> float:
    """Length of the way along `points`, in steps longer than the `radii` there, and what is left after the last."""
    (x, y), length, distance, moved = points[0].tolist(), 0.0, 0.0, False
    for (px, py), radius in zip(points.tolist(), radii.tolist(), strict=True):
        distance = ((px - x) ** 2 + (py - y) ** 2) ** 0.5
        if distance > radius:
            length, x, y, moved, distance = length + distance, px, py, True, 0.0
    return length + distance if moved else 0.0
