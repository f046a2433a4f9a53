"""Tracks as a table of text, a row per track and frame: everything that is known of them but their pixels."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from motionseg.core.checks import check_integer
from motionseg.core.errors import SourceError
from motionseg.core.types import Tracks, TrackState
from motionseg.io._output import RowsWriter
from motionseg.io._source import read_rows

__all__ = ["TracksCsvWriter", "read_tracks"]

_COLUMNS = ("frame", "time", "id", "x0", "y0", "x1", "y1", "area", "score", "vx", "vy", "parent", "state")
_WHOLE = ("frame", "id", "area", "parent")
_LIMIT = 2**53


class TracksCsvWriter(RowsWriter):
    """Writes tracks as a table: frame, time, id, x0, y0, x1, y1, area, score, vx, vy, parent, state.

    Parameters
    ----------
    path : path
        The .csv file; made (with its folder) by the first write, an old one is replaced.
    append : bool
        Write behind the rows of an old file instead.

    Notes
    -----
    Every frame's rows reach the system at once, so that a killed process leaves whole lines. :func:`read_tracks` reads
    them.
    """

    _head = f"{','.join(_COLUMNS)}\n"

    def write(self, index: int, tracks: Tracks) -> None:
        """Write a row for each track of frame `index` (from 0).

        Raises
        ------
        OutputError
            The file cannot be written, or the writer is closed.
        ParameterError
            A negative index.
        """
        start = f"{check_integer('index', index, 0)},{tracks.time:.6f}"
        numbers = (tracks.ids, tracks.boxes, tracks.areas, tracks.scores, tracks.velocities, tracks.parents)
        columns = zip(*(column.tolist() for column in numbers), tracks.states, strict=True)
        self._write(
            f"{start},{id},{x0:.2f},{y0:.2f},{x1:.2f},{y1:.2f},{area},{score:.4f},{vx:.2f},{vy:.2f},{parent},"
            f"{TrackState(state).name.lower()}\n"
            for id, (x0, y0, x1, y1), area, score, (vx, vy), parent, state in columns
        )


def read_tracks(path: str | os.PathLike[str]) -> dict[int, Tracks]:
    """Read a table that :class:`TracksCsvWriter` wrote.

    Returns
    -------
    dict of int to Tracks
        By frame, in ascending order; frames without tracks are missing. `labels` are 0.

    Raises
    ------
    SourceError
        Not there, not a text, without that head, or a line that is no such row (the message has its number).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with TracksCsvWriter(f"{folder}/tracks.csv") as writer:
    ...         writer.write(7, Tracks(0.28))
    ...     read_tracks(f"{folder}/tracks.csv")
    {}
    """
    path = Path(path)
    rows = iter(read_rows(path, _parse))
    if next(rows, ()) is not None:
        raise SourceError(f"the first line is {','.join(_COLUMNS)}", source=str(path))
    frames: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        if row is None:
            raise SourceError("there is a second head", source=str(path))
        frames.setdefault(row[0], []).append(row)
    return {index: _tracks(frames[index]) for index in sorted(frames)}


def _parse(line: str) -> tuple[Any, ...] | None:
    """The numbers of a row, its state as a code; None for the head."""
    fields = tuple(line.split(","))
    if fields == _COLUMNS:
        return None
    if len(fields) != len(_COLUMNS):
        raise ValueError(f"{len(_COLUMNS)} columns are expected, not {len(fields)}")
    *texts, state = fields
    if state.upper() not in TrackState.__members__:
        raise ValueError(f"{state!r} is no state of a track")
    kinds = (int if name in _WHOLE else float for name in _COLUMNS)
    numbers = [kind(text) for kind, text in zip(kinds, texts, strict=False)]
    if not all(math.isfinite(number) and abs(number) < _LIMIT for number in numbers):
        raise ValueError("a number is not finite or too large")
    return (*numbers, TrackState[state.upper()])


def _tracks(rows: list[tuple[Any, ...]]) -> Tracks:
    """The rows of one frame."""
    of = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True))
    boxes, velocities = ([of[name] for name in names] for names in (("x0", "y0", "x1", "y1"), ("vx", "vy")))
    return Tracks(
        time=of["time"][0],
        ids=np.array(of["id"], np.int64),
        boxes=np.array(boxes, np.float32).T.copy(),
        labels=np.zeros(len(rows), np.int32),
        areas=np.array(of["area"], np.int64),
        scores=np.array(of["score"], np.float32),
        velocities=np.array(velocities, np.float32).T.copy(),
        states=np.array(of["state"], np.uint8),
        parents=np.array(of["parent"], np.int64),
    )
