"""Truth and found tracks of one sequence as plain ids and similarities, which is all that tracking metrics see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_integer
from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.jit import kernel

__all__ = ["TrackingPairs", "Trajectories", "pair_boxes", "pair_labels", "pair_similarities"]

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
LabelImage = npt.NDArray[np.integer[Any]]
_VOID = -1


@dataclass(frozen=True)
class Trajectories:
    """The boxes of one sequence, a column per fact; row i of every column speaks of the same box.

    Attributes
    ----------
    frames : int64 (N,)
        Frame numbers, from any number on and in any order.
    ids : int64 (N,)
        Any numbers; an id at most once per frame.
    boxes : float64 (N, 4)
        x0, y0, x1, y1, half-open, pixels; a box without area overlaps nothing.

    Raises
    ------
    ParameterError
        The columns differ in length, numbers are not integers, a box is not finite, or an id
        appears twice in a frame.

    Examples
    --------
    >>> tracks = Trajectories(frames=[1, 1, 2], ids=[7, 9, 7], boxes=[[0, 0, 4, 8], [9, 0, 12, 8], [1, 0, 5, 8]])
    >>> tracks[tracks.ids == 7].boxes.tolist()
    [[0.0, 0.0, 4.0, 8.0], [1.0, 0.0, 5.0, 8.0]]
    """

    frames: Integers
    ids: Integers
    boxes: Floats

    def __post_init__(self) -> None:
        frames, ids = _integers("frames", self.frames), _integers("ids", self.ids)
        boxes = np.array(self.boxes, np.float64)
        boxes = boxes if boxes.size else boxes.reshape(0, 4)
        if boxes.shape != (len(frames), 4) or len(ids) != len(frames):
            raise ParameterError(f"{len(frames)} frame numbers do not fit {len(ids)} ids and boxes {boxes.shape}")
        bad = np.flatnonzero(~np.isfinite(boxes).all(axis=1))
        if len(bad):
            raise ParameterError(f"the box of id {ids[bad[0]]} in frame {frames[bad[0]]} is not finite")
        order = np.lexsort((ids, frames))
        twice = np.flatnonzero((np.diff(frames[order]) == 0) & (np.diff(ids[order]) == 0))
        if len(twice):
            raise ParameterError(f"id {ids[order[twice[0]]]} appears twice in frame {frames[order[twice[0]]]}")
        for name, column in (("frames", frames), ("ids", ids), ("boxes", boxes)):
            object.__setattr__(self, name, column)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, rows: Any) -> Trajectories:
        """The boxes that `rows` (a bool mask, slice or index array) selects."""
        return Trajectories(self.frames[rows], self.ids[rows], self.boxes[rows])


@dataclass(frozen=True)
class TrackingPairs:
    """What the tracking metrics judge: who is in each frame, and which of them overlap how much.

    Made by :func:`pair_boxes`, :func:`pair_labels` or :func:`pair_similarities`. Objects stand
    frame by frame; those of frame f are rows ``start[f]`` to ``start[f + 1]`` of their column. Only
    pairs that overlap are kept (24 bytes each), as most objects of a frame are far apart.

    Attributes
    ----------
    n_frames : int
        Frames of the sequence; the columns may leave out frames without any object.
    truth_ids, found_ids : int64 (T,), int64 (D,)
        The track of each object, numbered from 0 without gaps.
    truth_start, found_start, pair_start : int64 (F + 1,)
        Where each frame begins in the columns of truth, found objects and pairs.
    pair_truth, pair_found : int64 (P,)
        The two objects of a pair, as rows of `truth_ids` and `found_ids`.
    similarity : float64 (P,)
        In (0, 1].
    """

    n_frames: int
    truth_ids: Integers
    found_ids: Integers
    truth_start: Integers
    found_start: Integers
    pair_start: Integers
    pair_truth: Integers
    pair_found: Integers
    similarity: Floats

    @property
    def n_truth_ids(self) -> int:
        """Tracks of the truth."""
        return int(self.truth_ids.max(initial=-1)) + 1

    @property
    def n_found_ids(self) -> int:
        """Tracks that were found."""
        return int(self.found_ids.max(initial=-1)) + 1

    @property
    def meetings(self) -> Integers:
        """int64 (P,): the two tracks of a pair as one number, truth id * n_found_ids + found id."""
        return self.truth_ids[self.pair_truth] * self.n_found_ids + self.found_ids[self.pair_found]


def pair_boxes(truth: Trajectories, found: Trajectories, *, n_frames: int | None = None) -> TrackingPairs:
    """Compare the boxes of two sets of tracks frame by frame; similarity is intersection over union.

    Parameters
    ----------
    truth, found : Trajectories
        With the same frame numbers and the same pixel coordinates.
    n_frames : int, optional
        Frames of the sequence (for the false alarms per frame); by default those with a box.

    Raises
    ------
    ParameterError
        There are boxes in more than `n_frames` frames.

    Examples
    --------
    >>> truth = Trajectories([1, 2], [1, 1], [[0, 0, 4, 8], [1, 0, 5, 8]])
    >>> found = Trajectories([1, 2], [5, 6], [[0, 0, 4, 4], [9, 0, 12, 8]])
    >>> pair_boxes(truth, found).similarity.tolist()
    [0.5]
    """
    numbers = np.union1d(truth.frames, found.frames)
    n_frames = len(numbers) if n_frames is None else check_integer("n_frames", n_frames, 0)
    if len(numbers) > n_frames:
        raise ParameterError(f"n_frames is {n_frames}, but there are boxes in {len(numbers)} frames")
    truth_ids, truth_boxes, truth_start = _by_frame(truth, numbers)
    found_ids, found_boxes, found_start = _by_frame(found, numbers)
    pair_start = np.zeros(len(numbers) + 1, np.int64)
    columns = truth_boxes, found_boxes, truth_start, found_start, pair_start
    _overlaps(*columns, np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    n = pair_start[-1]
    pair_truth, pair_found, common = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n)
    _overlaps(*columns, pair_truth, pair_found, common)
    truth_areas, found_areas = (np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (truth_boxes, found_boxes))
    similarity = common / (truth_areas[pair_truth] + found_areas[pair_found] - common)
    return TrackingPairs(n_frames, truth_ids, found_ids, *columns[2:], pair_truth, pair_found, similarity)


def pair_labels(truth_frames: Iterable[LabelImage], found_frames: Iterable[LabelImage]) -> TrackingPairs:
    """Compare the masks of two sets of tracks frame by frame; similarity is intersection over union.

    Parameters
    ----------
    truth_frames, found_frames : iterables of int (H, W), any integer dtype
        0 is nobody, any other value the id of the track that the pixel belongs to. In the truth,
        -1 is void: what was found there is left out before anything is counted.

    Raises
    ------
    FrameError
        Not a label image, the two of a frame differ in size, or one side has more frames.

    Examples
    --------
    >>> truth, found = np.array([[7, 7, 0, 0]]), np.array([[3, 3, 3, 0]])
    >>> pair_labels([truth], [found]).similarity.round(3).tolist()
    [0.667]
    """
    return pair_similarities(_compare_labels(truth_frames, found_frames))


def pair_similarities(frames: Iterable[tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]]) -> TrackingPairs:
    """Take similarities that were measured elsewhere (3-D boxes, distances, ...).

    Parameters
    ----------
    frames : iterable of (truth_ids, found_ids, similarity)
        Of every frame the ids int (N,) and int (M,), and the similarities float (N, M) in [0, 1].

    Raises
    ------
    ParameterError
        Ids are not integers or repeat within a frame; similarities do not fit or are out of range.

    Examples
    --------
    >>> pairs = pair_similarities([([1, 2], [4], [[0.8], [0.0]]), ([2], [], [])])
    >>> pairs.n_frames, pairs.similarity.tolist()
    (2, [0.8])
    """
    truth, found, rows, columns, similarity = [], [], [], [], []
    for index, (truth_ids, found_ids, values) in enumerate(frames):
        truth.append(_frame_ids(f"truth ids of frame {index}", truth_ids))
        found.append(_frame_ids(f"found ids of frame {index}", found_ids))
        shape, table = (len(truth[-1]), len(found[-1])), np.asarray(values, np.float64)
        if table.shape != shape and (table.size or 0 not in shape):
            raise ParameterError(f"the similarities of frame {index} have shape {table.shape}, the ids say {shape}")
        if not ((table >= 0) & (table <= 1)).all():
            raise ParameterError(f"the similarities of frame {index} are not in [0, 1]")
        row, column = np.nonzero(table.reshape(shape))
        rows.append(row)
        columns.append(column)
        similarity.append(table.reshape(shape)[row, column])
    truth_start, found_start, pair_start = (
        np.cumsum([0, *map(len, parts)], dtype=np.int64) for parts in (truth, found, similarity)
    )
    n_pairs = np.diff(pair_start)
    pair_truth = _joined(rows, np.int64) + np.repeat(truth_start[:-1], n_pairs)
    pair_found = _joined(columns, np.int64) + np.repeat(found_start[:-1], n_pairs)
    ids = _without_gaps(_joined(truth, np.int64)), _without_gaps(_joined(found, np.int64))
    return TrackingPairs(
        len(truth), *ids, truth_start, found_start, pair_start, pair_truth, pair_found, _joined(similarity, np.float64)
    )


def _compare_labels(
    truth_frames: Iterable[LabelImage], found_frames: Iterable[LabelImage]
) -> Iterator[tuple[Any, Any, Any]]:
    for index, (truth, found) in enumerate(zip_longest(truth_frames, found_frames)):
        if truth is None or found is None:
            raise FrameError(f"{'truth' if truth is None else 'found'} ends before frame {index}")
        a, b = _labels(f"truth frame {index}", truth, _VOID), _labels(f"found frame {index}", found, 0)
        if a.shape != b.shape:
            raise FrameError(f"frame {index}: truth {a.shape} and found {b.shape} differ in size")
        a, b = a.ravel(), b.ravel()
        # Runs of pixels with the same two values: few, and so ids of any size can be sorted.
        runs = np.flatnonzero(np.concatenate([[True], (a[1:] != a[:-1]) | (b[1:] != b[:-1])]))
        pixels = np.diff(runs, append=a.size)
        known = a[runs] != _VOID
        runs, pixels = runs[known], pixels[known]
        truth_ids, rows = np.unique(a[runs], return_inverse=True)
        found_ids, columns = np.unique(b[runs], return_inverse=True)
        shape = len(truth_ids), len(found_ids)
        common = np.bincount(rows * shape[1] + columns, pixels, shape[0] * shape[1]).reshape(shape)
        union = common.sum(axis=1)[:, None] + common.sum(axis=0)[None] - common
        objects = np.ix_(truth_ids != 0, found_ids != 0)
        yield truth_ids[truth_ids != 0], found_ids[found_ids != 0], common[objects] / union[objects]


def _labels(name: str, image: Any, least: int) -> LabelImage:
    labels = np.asarray(image)
    if labels.ndim != 2 or not labels.size or not np.issubdtype(labels.dtype, np.integer):
        raise FrameError(f"{name}: labels are integers (H, W), not {labels.dtype} {labels.shape}")
    if labels.min() < least:
        raise FrameError(f"{name}: the label {labels.min()} is below {least}")
    return labels


def _integers(name: str, values: npt.ArrayLike) -> Integers:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise ParameterError(f"{name}: integers (N,), not {array.dtype} {array.shape}")
    return array.astype(np.int64)


def _frame_ids(name: str, values: npt.ArrayLike) -> Integers:
    ids = _integers(name, values)
    if len(np.unique(ids)) < len(ids):
        raise ParameterError(f"{name}: an id appears twice")
    return ids


def _without_gaps(ids: Integers) -> Integers:
    return np.unique(ids, return_inverse=True)[1].astype(np.int64)


def _joined(parts: list[Any], dtype: Any) -> npt.NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *parts])


def _by_frame(tracks: Trajectories, numbers: Integers) -> tuple[Integers, Floats, Integers]:
    """Ids without gaps and boxes in the order of their frames (as given within one), and where each frame begins."""
    order = np.argsort(tracks.frames, kind="stable")
    start = np.append(np.searchsorted(tracks.frames[order], numbers), len(tracks)).astype(np.int64)
    return _without_gaps(tracks.ids)[order], tracks.boxes[order], start


@kernel
def _overlaps(truth, found, truth_start, found_start, pair_start, pair_truth, pair_found, common):
    """Every pair of boxes that share some area. With no room for pairs it only counts them, into `pair_start`."""
    n, room = 0, len(common)
    for f in range(len(pair_start) - 1):
        for i in range(truth_start[f], truth_start[f + 1]):
            for j in range(found_start[f], found_start[f + 1]):
                width = min(truth[i, 2], found[j, 2]) - max(truth[i, 0], found[j, 0])
                height = min(truth[i, 3], found[j, 3]) - max(truth[i, 1], found[j, 1])
                if width > 0 and height > 0:
                    if room:
                        pair_truth[n], pair_found[n], common[n] = i, j, width * height
                    n += 1
        pair_start[f + 1] = n
