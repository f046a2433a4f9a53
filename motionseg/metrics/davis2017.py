"""DAVIS-2017, unsupervised: which proposal is which object of a sequence, and how well J and F like it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from motionseg.core.checks import check_integer
from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.types import Labels
from motionseg.metrics._contours import Contour, contour_f_measure, contour_radius, trace
from motionseg.metrics._masks import Integers, check_labels, overlap_table
from motionseg.metrics.davis import Statistics, statistics

__all__ = ["ObjectScores", "judge_objects"]

Floats = npt.NDArray[np.float64]
_TOLERANCE = 0.008  # share of the image diagonal, as everywhere in DAVIS


@dataclass(frozen=True, eq=False)
class ObjectScores:
    """How well the objects of one sequence were found. The benchmark averages over the objects of all sequences.

    Attributes
    ----------
    J, F : float64 (n_objects, n_frames)
        Region similarity and contour accuracy of each true object and the proposal it was matched with.
    truth_ids, found_ids : int64 (n_objects,)
        Labels of the object and of its proposal; -1 for an object that was left without one.
    """

    J: Floats
    F: Floats
    truth_ids: npt.NDArray[np.int64]
    found_ids: npt.NDArray[np.int64]

    @property
    def region_similarity(self) -> Statistics:
        """Mean, recall and decay of J, each averaged over the objects."""
        return _averaged(self.J)

    @property
    def contour_accuracy(self) -> Statistics:
        """Mean, recall and decay of F, each averaged over the objects."""
        return _averaged(self.F)

    @property
    def mean(self) -> float:
        """J&F: the mean of the means of J and F."""
        return (self.region_similarity.mean + self.contour_accuracy.mean) / 2

    def metrics(self) -> dict[str, float]:
        """J&F; J, J-recall and J-decay; F, F-recall and F-decay."""
        told = {"J&F": self.mean}
        for name, measure in (("J", self.region_similarity), ("F", self.contour_accuracy)):
            told |= {name: measure.mean, f"{name}-recall": measure.recall, f"{name}-decay": measure.decay}
        return told


def _averaged(values: Floats) -> Statistics:
    rows = np.array([[s.mean, s.recall, s.decay] for s in map(statistics, values)])
    return Statistics(*rows.mean(axis=0).tolist())


@dataclass(frozen=True, eq=False)
class _FrameScores:
    """J and F of all pairs of one frame; the last row and column are those of an object that is not in it."""

    found_ids: Integers
    truth_ids: Integers
    J: Floats
    F: Floats


def judge_objects(found: Iterable[Labels], truth: Iterable[Labels], *, max_proposals: int = 20) -> ObjectScores:
    """Match proposals with the objects of a sequence, one to one, so that the mean of J and F is greatest.

    As the benchmark's tool: all frames count; void pixels do not; an object without a proposal is compared with an
    empty one, so it gets 0 where it is seen and 1 where it is not.

    Parameters
    ----------
    found : iterable of int32 (H, W)
        A result per frame: 0 background, else the proposal, the same number in all frames.
    truth : iterable of int32 (H, W)
        As many truths: 0 background, -1 void, else the object. Both are read a frame at a time.
    max_proposals : int, at least 1
        More than so many are refused.

    Raises
    ------
    ParameterError
        More proposals than allowed, no object in the truth, or not as many results as truths.
    FrameError
        Not integers, or sizes that differ.

    References
    ----------
    S. Caelles et al., The 2019 DAVIS challenge on VOS: unsupervised multi-object segmentation, 2019,
    doi:10.48550/arXiv.1905.00737.

    Examples
    --------
    >>> truth = np.zeros((4, 40, 60), np.int32)
    >>> truth[:, 5:20, 5:20], truth[:, 25:35, 30:50] = 1, 2
    >>> scores = judge_objects(np.where(truth == 1, 7, 0), truth)
    >>> scores.found_ids.tolist(), scores.J.mean(axis=1).tolist(), scores.mean
    ([7, -1], [1.0, 0.0], 0.5)
    """
    max_proposals = check_integer("max_proposals", max_proposals, 1)
    frames = []
    for index, (labels, real) in enumerate(itertools.zip_longest(found, truth)):
        if labels is None or real is None:
            ended, other = ("found", "truth") if labels is None else ("truth", "found")
            raise ParameterError(f"{ended} ends after {index} frames, {other} goes on")
        frames.append(_judge_frame(labels, real, index, max_proposals))
    found_ids = _all_ids(frame.found_ids for frame in frames)
    truth_ids = _all_ids(frame.truth_ids for frame in frames)
    _check_proposals(found_ids, max_proposals)
    if not len(truth_ids):
        raise ParameterError("the truth holds no object")
    # Whoever offers fewer proposals than there are objects leaves some objects with an empty one.
    candidates = np.concatenate([found_ids, np.full(max(0, len(truth_ids) - len(found_ids)), -1)])
    windows = [np.ix_(_rows(frame.found_ids, candidates), _rows(frame.truth_ids, truth_ids)) for frame in frames]
    similarity = np.stack([frame.J[window] for frame, window in zip(frames, windows, strict=True)], axis=-1)
    accuracy = np.stack([frame.F[window] for frame, window in zip(frames, windows, strict=True)], axis=-1)
    rows, columns = linear_sum_assignment(similarity.mean(axis=-1) + accuracy.mean(axis=-1), maximize=True)
    rows = rows[np.argsort(columns)]  # every object has a row now
    objects = np.arange(len(truth_ids))
    return ObjectScores(similarity[rows, objects], accuracy[rows, objects], truth_ids, candidates[rows])


def _judge_frame(found: Labels, truth: Labels, index: int, max_proposals: int) -> _FrameScores:
    found, truth = check_labels(found, f"found[{index}]"), check_labels(truth, f"truth[{index}]")
    if found.shape != truth.shape:
        raise FrameError(f"frame {index}: found {found.shape} and truth {truth.shape} differ in size")
    found_ids, truth_ids, common = overlap_table(found, truth)
    proposals, objects = found_ids > 0, truth_ids > 0
    # Areas of judged pixels; then a row and a column of zeros for what is not in this frame.
    found_areas = np.append(common[proposals][:, truth_ids >= 0].sum(axis=1), 0)
    truth_areas = np.append(common[:, objects].sum(axis=0), 0)
    common = np.pad(common[proposals][:, objects], (0, 1))
    union = found_areas[:, None] + truth_areas - common
    similarity = np.divide(common, union, out=np.ones(common.shape), where=union > 0)
    found_ids, truth_ids, judged = found_ids[proposals], truth_ids[objects], truth >= 0
    _check_proposals(found_ids, max_proposals)  # before a contour is traced for each
    found_contours = _contours(np.where(judged, found, 0), found_ids)
    truth_contours = _contours(np.where(judged, truth, 0), truth_ids)
    accuracy = np.array([[contour_f_measure(a, b) for b in truth_contours] for a in found_contours])
    return _FrameScores(found_ids, truth_ids, similarity, accuracy)


def _contours(labels: Integers, ids: Integers) -> list[Contour]:
    radius = contour_radius(_TOLERANCE, labels.shape)
    return [trace(labels == value, radius) for value in ids] + [trace(np.zeros((1, 1), np.bool_), radius)]


def _check_proposals(ids: Integers, most: int) -> None:
    if len(ids) > most:
        raise ParameterError(f"{len(ids)} proposals, at most {most} are allowed")


def _all_ids(ids: Iterable[Integers]) -> npt.NDArray[np.int64]:
    return np.unique(np.concatenate([np.zeros(0, np.int64), *ids])).astype(np.int64)


def _rows(ids: Integers, wanted: Integers) -> npt.NDArray[np.intp]:
    """Where each of `wanted` stands in `ids`, -1 (the last row: not in this frame) for those that do not."""
    place = {value: row for row, value in enumerate(ids.tolist())}
    return np.array([place.get(value, -1) for value in wanted.tolist()])
