"""Tracks with their pixels as a result file of COCO's form, written frame by frame."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from motionseg.core.checks import check_integer
from motionseg.core.errors import OutputError
from motionseg.core.rle import encode_labels
from motionseg.core.types import Labels, Tracks
from motionseg.io._output import RowsWriter, change_lines, naming

__all__ = ["CocoTracksWriter", "coco_track_results"]

_CLOSED = b"]\n"  # the end of a list
_FAR = 2**31


def coco_track_results(
    image_id: int, identities: Labels, tracks: Tracks, *, category_id: int = 1
) -> list[dict[str, Any]]:
    """The tracks in one frame as COCO results that also have their ``track_id`` and ``area``.

    Parameters
    ----------
    image_id : int
        Of the frame.
    identities : int array (H, W)
        The id of the track that each pixel belongs to, 0 for none.
    tracks : Tracks
        Their scores; a track without a pixel has no result, and pixels of others are left out.
    category_id : int
        Of all of them.

    Returns
    -------
    list of dict
        In ascending order of ids: image_id, category_id, track_id, segmentation, bbox (x, y, w, h), area, score; box
        and area are those of the pixels.

    Raises
    ------
    FrameError
        `identities` is not such an array.

    Examples
    --------
    >>> one = Tracks(0.0, *(np.ones((1, *shape)) for shape in ((), (4,), (), (), (), (2,), ())))
    >>> coco_track_results(42, np.array([[0, 1], [0, 1]], np.int32), one)  # doctest: +NORMALIZE_WHITESPACE
    [{'image_id': 42, 'category_id': 1, 'track_id': 1, 'segmentation': {'size': [2, 2], 'counts': '22'},
      'bbox': [1, 0, 1, 2], 'area': 2, 'score': 1.0}]
    """
    rles, scores = encode_labels(identities), dict(zip(tracks.ids.tolist(), tracks.scores.tolist(), strict=True))
    ys, xs = np.nonzero(identities)
    ids, place = np.unique(identities[ys, xs], return_inverse=True)
    low, high, areas = (
        np.full((len(ids), 2), _FAR),
        np.full((len(ids), 2), -_FAR),
        np.bincount(place, minlength=len(ids)),
    )
    points = np.stack([xs, ys], axis=1)
    np.minimum.at(low, place, points)
    np.maximum.at(high, place, points)
    boxes = np.concatenate([low, high + 1 - low], axis=1).tolist()
    return [
        {
            "image_id": image_id,
            "category_id": category_id,
            "track_id": id,
            "segmentation": rles[id],
            "bbox": box,
            "area": area,
            "score": float(scores[id]),
        }
        for id, box, area in zip(ids.tolist(), boxes, areas.tolist(), strict=True)
        if id in scores
    ]


class CocoTracksWriter(RowsWriter):
    """Writes tracks, frame by frame, as COCO results with a ``track_id``; :func:`motionseg.io.read_coco` reads them.

    Parameters
    ----------
    path : path
        The .json file; made (with its folder) by the first write, an old one is replaced.
    append : bool
        Go on with an old file of this kind instead.
    category_id : int, at least 0
        Of all tracks.

    Notes
    -----
    The list is closed after every frame and opened again by the next one, so that a killed process leaves a whole file.
    One result a line.

    Examples
    --------
    >>> import tempfile
    >>> from motionseg.io import read_coco
    >>> one = Tracks(0.0, *(np.ones((1, *shape)) for shape in ((), (4,), (), (), (), (2,), ())))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with CocoTracksWriter(f"{folder}/tracks.json") as writer:
    ...         for index in range(3):
    ...             writer.write(index, np.eye(2, dtype=np.int32), one)
    ...     [result["image_id"] for result in read_coco(f"{folder}/tracks.json")]
    [0, 1, 2]
    """

    def __init__(self, path: str | os.PathLike[str], *, append: bool = False, category_id: int = 1) -> None:
        super().__init__(path, append=append)
        self.category_id = check_integer("category_id", category_id, 0)
        self._is_empty = True

    def write(self, index: int, identities: Labels, tracks: Tracks) -> None:
        """Write the tracks of frame `index` (from 0), as :func:`coco_track_results` has them.

        Raises
        ------
        OutputError
            The file cannot be written, a score is not finite, or the writer is closed.
        FrameError, ParameterError
            `identities` are no int array (H, W), or a negative index.
        """
        index = check_integer("index", index, 0)
        results = coco_track_results(index, identities, tracks, category_id=self.category_id)
        try:
            self._write(json.dumps(result, allow_nan=False) for result in results)
        except ValueError as error:
            raise OutputError(f"{self.path}: frame {index}: {error}") from error

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        size = self.path.stat().st_size if self._append and self.path.exists() else 0
        file = self.path.open("r+b" if size else "wb", buffering=0)
        try:
            if size:
                file.seek(max(0, size - len(_CLOSED)))
                if file.read() != _CLOSED:
                    raise ValueError("it is there already, and is no list of results")
            else:
                file.write(b"[" + _CLOSED)
        except (OSError, ValueError):
            file.close()
            raise
        self._file, self._is_empty = file, size in (0, len(b"[" + _CLOSED))

    def _write(self, rows: Iterable[str]) -> None:
        self._check_open()
        text = ",\n".join(rows)
        with naming(self.path):
            if self._file is None:
                self._open()
            if text:
                end = self._file.tell() - len(_CLOSED)
                self._file.seek(end)
                self._put(("" if self._is_empty else ",\n").encode() + text.encode() + _CLOSED, end)
                self._is_empty = False

    def _put(self, data: bytes, end: int) -> None:
        try:
            super()._put(data, end)
        except OSError:
            with suppress(OSError):
                self._file.write(_CLOSED)
            raise

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
            The file cannot be read or written, or is no such list; it is unchanged.
        """

        def renamed(line: str) -> str:
            bare = line.rstrip("\n").removeprefix("[").rstrip("],")
            if not bare:
                return line
            result = json.loads(bare)
            id = result["track_id"]
            return line.replace(bare, json.dumps({**result, "track_id": mapping.get(id, id)}))

        change_lines(Path(path), renamed)
