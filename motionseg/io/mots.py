"""Masks in time as the MOTS text files have them: truth and results of trackers, a line per object and frame."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_integer
from motionseg.core.errors import FrameError, OutputError, SourceError
from motionseg.core.rle import check_rle, decode_rle, encode_labels
from motionseg.core.types import Labels
from motionseg.io._output import RowsWriter, change_lines, write_whole
from motionseg.io._source import read_rows

__all__ = ["MotsTable", "MotsWriter", "read_mots", "write_mots"]

_PER_CLASS = 1000
_CLASSES = 100
_LIMIT = 2**31  # labels are int32


@dataclass(frozen=True)
class MotsTable:
    """Masks in time, a column per fact; they become pictures when asked for.

    Attributes
    ----------
    source : str
        The file.
    shape : (int, int)
        Height and width of every frame; (0, 0) if there is no row.
    frames : int64 (N,)
        From 0.
    ids : int64 (N,)
        Of the objects; in truth class * 1000 + number, 10000 for regions that are not to count.
    classes : int64 (N,)
        1 car, 2 pedestrian, 10 not to count.
    counts : tuple of str
        The masks' run lengths, as :func:`motionseg.core.rle.encode_rle` has them.
    """

    source: str
    shape: tuple[int, int]
    frames: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int64]
    counts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """The ids without their classes, int64 (N,): those of the tracks that :class:`MotsWriter` was given."""
        return np.asarray(_number(self.ids))

    def labels(self, frame: int) -> Labels:
        """The ids of the objects in frame `frame`, from 0, in the place of labels: int32 (H, W), 0 elsewhere.

        Raises
        ------
        SourceError
            Objects overlap, which MOTS forbids.
        """
        labels = np.zeros(self.shape, np.int32)
        for row in np.flatnonzero(self.frames == frame).tolist():
            mask = decode_rle({"size": self.shape, "counts": self.counts[row]})
            if labels[mask].any():
                what = f"object {self.ids[row]} overlaps another"
                raise SourceError(what, source=self.source, frame=frame)
            labels[mask] = self.ids[row]
        return labels


def read_mots(path: str | os.PathLike[str], *, first: int = 1) -> MotsTable:
    """Read a text file of masks: gt.txt or a tracker's result.

    Parameters
    ----------
    path : path
        Lines of frame, id, class, height, width and run lengths, between blanks.
    first : int, at least 0
        The file's number of frame 0: 1 in the MOTSChallenge, 0 in KITTI MOTS.

    Raises
    ------
    SourceError
        Not there, not a text, frames of different size, or a line that is no such row (the message has its number).

    References
    ----------
    P. Voigtlaender et al., MOTS: multi-object tracking and segmentation, CVPR 2019, doi:10.1109/CVPR.2019.00813.
    """
    path, first = Path(path), check_integer("first", first, 0)

    def parse(line: str) -> tuple[int, int, int, tuple[int, int], str]:
        fields = line.split()
        if len(fields) != 6:
            raise ValueError(f"6 columns are expected, not {len(fields)}")
        frame, id, kind, height, width = (int(text) for text in fields[:5])
        if not (first <= frame < _LIMIT and 0 < id < _LIMIT and 0 <= kind < _LIMIT):
            raise ValueError(f"frame (from {first}), id (from 1) or class is out of range: {frame}, {id}, {kind}")
        return frame - first, id, kind, check_rle({"size": (height, width), "counts": fields[5]}), fields[5]

    rows = read_rows(path, parse)
    shapes = sorted({row[3] for row in rows}) or [(0, 0)]
    if len(shapes) > 1:
        raise SourceError(f"frames of different size (H, W): {shapes[0]} and {shapes[1]}", source=str(path))
    frames, ids, classes = (np.array([row[i] for row in rows], np.int64) for i in range(3))
    return MotsTable(str(path), shapes[0], frames, ids, classes, tuple(row[4] for row in rows))


def write_mots(path: str | os.PathLike[str], frames: Iterable[tuple[int, Labels]], *, first: int = 1) -> None:
    """Write pictures of ids as a text file, atomically: an old file stays until the new one is whole.

    Parameters
    ----------
    path : path
        The .txt file; its folder is made.
    frames : iterable of (int, int array (H, W))
        The number of a frame, from 0, and its objects: class * 1000 + number (pedestrians are 2000 .. 2999), 0
        elsewhere.
    first : int, at least 0
        The file's number of frame 0: 1 in the MOTSChallenge, 0 in KITTI MOTS.

    Raises
    ------
    OutputError
        The file cannot be written, or an id has no class (is below 1000).
    FrameError, ParameterError
        Not such arrays of one shape, or a negative number of a frame.

    Examples
    --------
    >>> import tempfile
    >>> labels = np.array([[0, 2001, 2001], [0, 2001, 1005]], np.int32)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_mots(f"{folder}/result.txt", [(0, labels)])
    ...     Path(f"{folder}/result.txt").read_text(), read_mots(f"{folder}/result.txt").labels(0).tolist()
    ('1 1005 1 2 3 51\\n1 2001 2 2 3 231\\n', [[0, 2001, 2001], [0, 2001, 1005]])
    """
    path, first = Path(path), check_integer("first", first, 0)
    rows, shape = [], None
    for index, labels in frames:
        number = check_integer("index", index, 0) + first
        for id, rle in encode_labels(labels).items():
            if not _PER_CLASS <= id < _LIMIT:
                raise OutputError(f"{path}: an id is class * {_PER_CLASS} + number, not {id}")
            rows.append(f"{number} {id} {id // _PER_CLASS} {labels.shape[0]} {labels.shape[1]} {rle['counts']}\n")
        shape = shape or labels.shape
        if labels.shape != shape:
            raise FrameError(f"frame {index} has shape {labels.shape}, the first one had {shape}")
    write_whole(path, "".join(rows).encode())


class MotsWriter(RowsWriter):
    """Writes the pixels of tracks, frame by frame, as a result file of MOTS.

    MOTS has room for 999 objects of a class: id = class * 1000 + number. Track 1000 and all later ones have the
    thousands of their number in front: 100,000 * (number // 1000) + class * 1000 + number % 1000, so that track 1500 as
    a pedestrian is 102500. No other track has that id, and its class can still be read off (it also has a column of
    its own); ``MotsTable.numbers`` takes ids apart.

    Parameters
    ----------
    path : path
        The .txt file; made (with its folder) by the first write, an old one is replaced.
    append : bool
        Write behind the rows of an old file instead.
    first : int, at least 0
        The file's number of frame 0: 1 in the MOTSChallenge, 0 in KITTI MOTS.

    Notes
    -----
    Every frame's rows reach the system at once, so that a killed process leaves whole lines.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with MotsWriter(f"{folder}/result.txt") as writer:
    ...         writer.write(0, np.array([[0, 7, 7], [0, 7, 1500]], np.int32))
    ...     table = read_mots(f"{folder}/result.txt")
    >>> table.ids.tolist(), table.numbers.tolist()
    ([2007, 102500], [7, 1500])
    """

    def __init__(self, path: str | os.PathLike[str], *, append: bool = False, first: int = 1) -> None:
        super().__init__(path, append=append)
        self.first = check_integer("first", first, 0)
        self._shape: tuple[int, ...] | None = None

    def write(self, index: int, identities: Labels, class_id: int = 2) -> None:
        """Write the tracks of frame `index` (from 0).

        Parameters
        ----------
        index : int
        identities : int array (H, W)
            The id of the track that each pixel belongs to, 0 for none.
        class_id : int in [1, 99]
            Of all of them: 1 car, 2 pedestrian.

        Raises
        ------
        OutputError
            The file cannot be written, an id is above 21 million, or the writer is closed.
        FrameError, ParameterError
            Not such an array, of another shape than before, or a number out of range; nothing is written.
        """
        number, class_id = check_integer("index", index, 0) + self.first, check_integer("class_id", class_id, 1, 99)
        rles = encode_labels(identities)
        if self._shape not in (None, identities.shape):
            raise FrameError(f"frame {index} has shape {identities.shape}, the first one had {self._shape}")
        rows = []
        for track, rle in rles.items():
            id = _mots_id(track, class_id)
            if not 0 < track <= id < _LIMIT:
                raise OutputError(f"{self.path}: MOTS has no id for track {track}")
            rows.append(f"{number} {id} {class_id} {identities.shape[0]} {identities.shape[1]} {rle['counts']}\n")
        self._write(rows)
        self._shape = identities.shape

    @staticmethod
    def rename(path: str | os.PathLike[str], mapping: Mapping[int, int]) -> None:
        """Give tracks other ids in a file that was written so; the old file stays until the new one is whole.

        Parameters
        ----------
        path : path
        mapping : dict of int to int
            The new ids of tracks; others keep theirs.

        Raises
        ------
        OutputError
            The file cannot be read or written, or is none of masks; it is unchanged.
        """

        def renamed(line: str) -> str:
            frame, id, class_id, rest = line.split(" ", 3)
            number = int(_number(int(id)))
            return f"{frame} {_mots_id(mapping.get(number, number), int(class_id))} {class_id} {rest}"

        change_lines(Path(path), renamed)


def _mots_id(number: int, class_id: int) -> int:
    return _PER_CLASS * (_CLASSES * (number // _PER_CLASS) + class_id) + number % _PER_CLASS


def _number(id: Any) -> Any:
    return id // (_CLASSES * _PER_CLASS) * _PER_CLASS + id % _PER_CLASS
