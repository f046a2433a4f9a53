"""The rows that a history keeps: one for each track and frame, in a structured array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.types import Tracks, TrackState

__all__ = ["FRAME", "ROW", "UNSEEN", "Rows", "between", "longer", "mapped", "parts_of", "tracks_of"]

Rows = npt.NDArray[Any]
ROW = np.dtype(
    {
        "names": ["frame", "time", "id", "box", "area", "score", "velocity", "state", "parent", "color"],
        "formats": ["i8", "f8", "i8", "4f4", "i8", "f4", "2f4", "u1", "i8", "3f4"],
    }
)
FRAME = np.dtype([("frame", "i8"), ("time", "f8")])
UNSEEN = (TrackState.OCCLUDED, TrackState.GONE)


def longer(array: Rows, n: int, more: Rows) -> tuple[Rows, int]:
    """`array`, of which `n` rows are in use, with room for `more`, which is put in; and how many are now."""
    total = n + len(more)
    if total > len(array):
        array = np.concatenate([array, np.zeros(max(total, 2 * len(array)) - len(array), array.dtype)])
    array[n:total] = more
    return array, total


def parts_of(rows: Rows) -> dict[int, slice]:
    """Where those of each track are; they are sorted by track."""
    ids, starts, counts = np.unique(rows["id"], return_index=True, return_counts=True)
    ends = (starts + counts).tolist()
    return {id: slice(start, stop) for id, start, stop in zip(ids.tolist(), starts.tolist(), ends, strict=True)}


def mapped(ids: npt.NDArray[np.int64], mapping: Mapping[int, int]) -> npt.NDArray[np.int64]:
    """`ids` with those in `mapping` replaced."""
    distinct, place = np.unique(ids, return_inverse=True)
    return np.array([mapping.get(id, id) for id in distinct.tolist()], np.int64)[place]


def between(before: Any, after: Any, frames: Rows) -> Rows:
    """Rows in `frames`, on the straight way from one row to another."""
    rows = np.zeros(len(frames), ROW)
    rows["frame"], rows["time"] = frames["frame"], frames["time"]
    span = after["time"] - before["time"]
    share = (frames["time"] - before["time"]) / span
    for name in ("box", "area", "score"):
        start, end = (np.asarray(row[name], np.float64) for row in (before, after))
        values = start + np.multiply.outer(share, end - start)
        rows[name] = values.round() if name == "area" else values
    way = (after["box"] - before["box"]).astype(np.float64)
    rows["velocity"] = (way[:2] + way[2:]) / 2 / span
    rows["id"], rows["parent"] = before["id"], before["parent"]
    rows["state"], rows["color"] = TrackState.OCCLUDED, np.nan
    return rows


def tracks_of(rows: Rows, time: float) -> Tracks:
    """The rows of one frame as tracks, without labels."""
    columns = {"ids": "id", "boxes": "box", "areas": "area", "scores": "score", "velocities": "velocity"}
    columns |= {"states": "state", "parents": "parent"}
    copies = {name: np.ascontiguousarray(rows[field]) for name, field in columns.items()}
    return Tracks(time=time, labels=np.zeros(len(rows), np.int32), **copies)
