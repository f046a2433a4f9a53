"""Boxes in time as the MOTChallenge text files have them: truth, detections and results of trackers."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_integer
from motionseg.core.errors import FrameError, OutputError, ParameterError
from motionseg.core.types import Boxes, Tracks
from motionseg.io._output import RowsWriter, write_whole
from motionseg.io._source import read_rows

__all__ = ["MotTable", "MotWriter", "read_mot", "write_mot"]

_UNKNOWN = -1
_LIMIT = 2.0**53  # of all numbers: whole ones are exact below


@dataclass(frozen=True)
class MotTable:
    """Boxes in time, a column per fact; row i of every column speaks of the same box.

    Attributes
    ----------
    frames : int64 (N,)
        From 0 (in the file from 1).
    ids : int64 (N,)
        Of the objects; -1 in files of detections.
    boxes : float32 (N, 4)
        x0, y0, x1, y1, half-open, pixels. The file's pixel (1, 1) is (0, 0) here.
    scores : float32 (N,)
        In results and detections how sure; in truth 1, or 0 for a box that is not to count.
    classes : int64 (N,)
        1 pedestrian, ... as the benchmark says; -1 unknown.
    visibility : float32 (N,)
        In [0, 1], how much of the object is seen; -1 unknown.
    """

    frames: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int64]
    boxes: Boxes
    scores: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]
    visibility: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, rows: Any) -> MotTable:
        """The rows that `rows` (a bool mask, slice or index array) selects."""
        return MotTable(*(column[rows] for column in vars(self).values()))


def read_mot(path: str | os.PathLike[str]) -> MotTable:
    """Read a text file of boxes: gt.txt, det.txt or a tracker's result.

    Parameters
    ----------
    path : path
        Lines of frame, id, x, y, w, h and, where known, score, class, visibility; between commas or blanks. Of
        lines with ten columns the last three are places in the world, and are left out.

    Returns
    -------
    MotTable
        In the order of the file; empty if the file is.

    Raises
    ------
    SourceError
        Not there, not a text, or a line that is no such row (the message has its number).

    References
    ----------
    A. Milan et al., MOT16: a benchmark for multi-object tracking, 2016, doi:10.48550/arXiv.1603.00831.
    """
    rows = np.array(read_rows(Path(path), _parse), np.float64).reshape(-1, 9)
    frames, ids, x, y, width, height, scores, classes, visibility = rows.T
    boxes = np.stack([x - 1, y - 1, x - 1 + width, y - 1 + height], axis=1)
    return MotTable(
        frames.astype(np.int64) - 1,
        ids.astype(np.int64),
        boxes.astype(np.float32),
        scores.astype(np.float32),
        classes.astype(np.int64),
        visibility.astype(np.float32),
    )


def _parse(line: str) -> list[float]:
    row = [float(text) for text in (line.split(",") if "," in line else line.split())]
    if not 6 <= len(row) <= 10:
        raise ValueError(f"6 to 10 columns are expected, not {len(row)}")
    row += [1, _UNKNOWN, _UNKNOWN][len(row) - 6 :]
    if len(row) == 10:
        row[7:] = _UNKNOWN, _UNKNOWN
    if not all(abs(number) < _LIMIT for number in row):
        raise ValueError("a number is not finite or too large")
    if row[0] < 1 or not (row[0].is_integer() and row[1].is_integer() and float(row[7]).is_integer()):
        raise ValueError("frame (from 1), id and class are whole numbers")
    return row


def write_mot(path: str | os.PathLike[str], table: MotTable) -> None:
    """Write boxes as a text file, atomically: an old file stays until the new one is whole.

    :func:`read_mot` gives the same numbers back (coordinates to 1e-9 px at least), with as few digits in the file as
    that takes.

    Parameters
    ----------
    path : path
        The .txt file; its folder is made.
    table : MotTable
        Where no class and no visibility is known, the lines end in -1, -1, -1, as results are handed in.

    Raises
    ------
    OutputError
        The file cannot be written, or a box or score is not finite or too large.
    FrameError, ParameterError
        The columns do not fit together, or a frame is negative.

    Examples
    --------
    >>> import tempfile
    >>> box, one = np.array([[0, 9, 20.5, 49]], np.float32), np.ones(1, np.float32)
    >>> table = MotTable(np.array([0]), np.array([7]), box, one, np.array([-1]), -one)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_mot(f"{folder}/result.txt", table)
    ...     Path(f"{folder}/result.txt").read_text(), read_mot(f"{folder}/result.txt").boxes.tolist()
    ('1,7,1,10,20.5,40,1,-1,-1,-1\\n', [[0.0, 9.0, 20.5, 49.0]])
    """
    path, n = Path(path), len(table)
    if any(len(column) != n for column in vars(table).values()) or table.boxes.shape != (n, 4):
        raise FrameError(f"the columns have the lengths {', '.join(str(len(c)) for c in vars(table).values())}")
    if n and int(table.frames.min()) < 0:
        raise ParameterError(f"frames are numbered from 0, not from {table.frames.min()}")
    write_whole(path, "".join(_rows(path, table)).encode())


class MotWriter(RowsWriter):
    """Writes tracks, frame by frame, as a result file of the MOTChallenge.

    Parameters
    ----------
    path : path
        The .txt file; made (with its folder) by the first write, an old one is replaced.
    append : bool
        Write behind the rows of an old file instead.

    Notes
    -----
    Every frame's rows reach the system at once, so that a killed process leaves whole lines.
    """

    def write(self, index: int, tracks: Tracks) -> None:
        """Write a row for each track of frame `index` (from 0); `tracks.visible` are those that are seen.

        Raises
        ------
        OutputError
            The file cannot be written, a box or score is not finite or too large, or the writer is closed.
        ParameterError
            A negative index.
        """
        n = len(tracks)
        frames, unknown = np.full(n, check_integer("index", index, 0)), np.full(n, _UNKNOWN)
        table = MotTable(frames, tracks.ids, tracks.boxes, tracks.scores, unknown, unknown.astype(np.float32))
        self._write(_rows(self.path, table))


def _rows(path: Path, table: MotTable) -> list[str]:
    corners, scores = table.boxes.astype(np.float64), table.scores.astype(np.float64)
    if not all((np.abs(column) < _LIMIT).all() for column in (corners, scores, table.visibility)):
        raise OutputError(f"{path}: a box, score or visibility is not finite or too large")
    first, second = corners[:, :2], corners[:, 2:]
    place, place_text = _shortest(first + 1, lambda place: place - 1, first)
    _, size_text = _shortest(second - (place - 1), lambda size: place - 1 + size, second)
    _, score_text = _shortest(scores, lambda score: score, scores)
    _, visibility_text = _shortest(table.visibility, lambda visibility: visibility, table.visibility)
    if (table.classes == _UNKNOWN).all() and (table.visibility == _UNKNOWN).all():
        tails = ["-1,-1,-1"] * len(table)
    else:
        tails = [f"{kind},{seen}" for kind, seen in zip(table.classes, visibility_text, strict=True)]
    columns = (table.frames + 1, table.ids, place_text, size_text, score_text, tails)
    return [
        f"{frame},{id},{x},{y},{width},{height},{score},{tail}\n"
        for frame, id, (x, y), (width, height), score, tail in zip(*columns, strict=True)
    ]


def _shortest(
    exact: npt.NDArray[Any], decode: Callable[[npt.NDArray[Any]], npt.NDArray[Any]], wanted: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.float64], Any]:
    """Numbers near `exact`, with as few decimals as `decode` needs to make `wanted` (float32) of them; also as text."""
    best = exact.astype(np.float64)
    exact, is_open = best.copy(), np.ones(best.shape, bool)
    for n_decimals in range(12):
        rounded = np.round(exact, n_decimals) + 0.0  # and no -0
        is_good = is_open & (decode(rounded).astype(np.float32) == wanted.astype(np.float32))
        best[is_good] = rounded[is_good]
        is_open &= ~is_good
    texts = [repr(number).removesuffix(".0") for number in best.ravel().tolist()]
    return best, np.array(texts, object).reshape(best.shape).tolist()
