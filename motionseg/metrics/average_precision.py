"""Average precision and recall of object masks by COCO's rule."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.jit import kernel

__all__ = ["DetectionCounts", "count_detections"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
_THRESHOLDS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0, 1, 101)
_AREAS = np.array([(0, 1e10), (0, 32**2), (32**2, 96**2), (96**2, 1e10)])  # all, small, medium, large; both ends in
_MOST = 100  # detections per image and class


@kernel
def _match(iou, crowd, ignored, thresholds, taken, matched, unjudged):
    """Give each detection (rows of `iou`, best score first) the free object it overlaps most, per threshold.

    An object to be ignored is a last resort. Of equal overlaps the last is taken, as in COCO's tool.
    """
    for t in range(thresholds.shape[0]):
        taken[:] = False
        for d in range(iou.shape[0]):
            best = -1
            for last_resort in (False, True):
                if best >= 0:
                    break
                most = thresholds[t]
                for g in range(iou.shape[1]):
                    free = crowd[g] or not taken[g]
                    if free and ignored[g] == last_resort and iou[d, g] >= most:
                        best, most = g, iou[d, g]
            if best >= 0:
                taken[best] = True
                matched[d, t] = True
                unjudged[d, t] = ignored[best]


def _column(dtype: Any, *shape: int) -> Any:
    return field(default_factory=lambda: np.zeros((0, *shape), dtype))


@dataclass(frozen=True, eq=False)
class DetectionCounts:
    """Detections judged so far, a column per fact; add those of several images, then ask for :meth:`metrics`.

    Equal scores are ranked in the order in which their images were added.

    Attributes
    ----------
    scores : float64 (N,)
        Of the 100 best detections per image and class.
    classes, ranks : int64 (N,)
        Class, and place (from 0) among the detections of that image and class.
    matched, ignored : bool (N, 4, 10)
        Whether the detection has an object, and whether it counts as neither right nor wrong; for all, small, medium
        and large objects and IoU 0.5, 0.55 .. 0.95.
    truth_classes : int64 (M,)
        Class of each true object.
    truth_ignored : bool (M, 4)
        Whether it need not be found: a crowd, or not of that size.
    """

    scores: Floats = _column(np.float64)
    classes: Integers = _column(np.int64)
    ranks: Integers = _column(np.int64)
    matched: Bools = _column(np.bool_, len(_AREAS), len(_THRESHOLDS))
    ignored: Bools = _column(np.bool_, len(_AREAS), len(_THRESHOLDS))
    truth_classes: Integers = _column(np.int64)
    truth_ignored: Bools = _column(np.bool_, len(_AREAS))

    def __add__(self, other: DetectionCounts) -> DetectionCounts:
        pairs = ((getattr(self, column.name), getattr(other, column.name)) for column in fields(self))
        return DetectionCounts(*(np.concatenate(pair) for pair in pairs))

    def metrics(self) -> dict[str, float]:
        """COCO's twelve numbers, in [0, 1]; nan where there is no object to find.

        AP (mean over the IoU thresholds), AP50, AP75, and of small (up to 32 x 32 pixels), medium and large (from
        96 x 96) objects APs, APm, APl; AR with 1, 10 and 100 detections per image and class, and ARs, ARm, ARl. Each
        is the mean over the classes that have objects.
        """
        of_size = [self._precision_and_recall(area, _MOST) for area in range(len(_AREAS))]
        precision, recall = of_size[0]
        ap = {"AP": _mean(precision), "AP50": _mean(precision[:, 0]), "AP75": _mean(precision[:, 5])}
        ap |= {f"AP{size}": _mean(of_size[area][0]) for area, size in enumerate("sml", 1)}
        ar = {f"AR{most}": _mean(self._precision_and_recall(0, most)[1]) for most in (1, 10)} | {"AR100": _mean(recall)}
        return ap | ar | {f"AR{size}": _mean(of_size[area][1]) for area, size in enumerate("sml", 1)}

    def _precision_and_recall(self, area: int, most: int) -> tuple[Floats, Floats]:
        """Precision (classes, thresholds, recalls) and recall (classes, thresholds) of classes that have objects."""
        to_find = self.truth_classes[~self.truth_ignored[:, area]]
        classes, totals = np.unique(to_find, return_counts=True)
        precision = np.zeros((len(classes), len(_THRESHOLDS), len(_RECALLS)))
        recall = np.zeros(precision.shape[:2])
        for k, (class_, total) in enumerate(zip(classes, totals, strict=True)):
            rows = np.flatnonzero((self.classes == class_) & (self.ranks < most))
            rows = rows[np.argsort(-self.scores[rows], kind="stable")]
            judged, right = ~self.ignored[rows, area], self.matched[rows, area]
            tp, fp = np.cumsum(right & judged, axis=0), np.cumsum(~right & judged, axis=0)
            reached = tp / total
            # What is still to come may be more precise: precision at a recall is the best from there on.
            exact = tp / np.maximum(tp + fp, 1)
            exact = np.concatenate([np.maximum.accumulate(exact[::-1])[::-1], np.zeros((1, len(_THRESHOLDS)))])
            for t in range(len(_THRESHOLDS)):
                precision[k, t] = exact[np.searchsorted(reached[:, t], _RECALLS), t]
            recall[k] = reached[-1] if len(rows) else 0
        return precision, recall


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else math.nan


def count_detections(
    masks: npt.NDArray[Any],
    scores: npt.ArrayLike,
    truth: npt.NDArray[Any],
    *,
    classes: npt.ArrayLike | None = None,
    truth_classes: npt.ArrayLike | None = None,
    crowd: npt.ArrayLike | None = None,
) -> DetectionCounts:
    """Judge the detected objects of one image.

    Parameters
    ----------
    masks : bool (N, H, W) or int32 (H, W)
        The detected objects, which may overlap; or labels 1..N, 0 background.
    scores : float (N,)
        How sure each detection is; only their order counts.
    truth : bool (M, H, W) or int32 (H, W)
        The true objects, likewise.
    classes, truth_classes : int (N,) and (M,), optional
        Classes of both; if not given, all are of one class.
    crowd : bool (M,), optional
        Objects that stand for many: they need not be found, and any number of detections inside is forgiven.

    Raises
    ------
    FrameError
        Wrong dtype, or the shapes differ.
    ParameterError
        Scores, classes or crowd do not have an entry per object, or a score is nan.

    Notes
    -----
    As in COCO's tool, the 100 best detections per image and class count; a detection without an object of the size
    that is asked for is wrong only if it has that size itself. An object's area is that of its mask.

    References
    ----------
    T.-Y. Lin et al., Microsoft COCO: common objects in context, ECCV 2014, doi:10.1007/978-3-319-10602-1_48.

    Examples
    --------
    >>> truth = np.array([[1, 1, 1, 0, 2]], np.int32)
    >>> found = np.array([[1, 1, 0, 0, 2]], np.int32)
    >>> metrics = count_detections(found, [0.9, 0.8], truth).metrics()
    >>> round(metrics["AP50"], 3), round(metrics["AP75"], 3), metrics["AR1"]
    (1.0, 0.252, 0.2)
    """
    found, real = _flat_masks("masks", masks), _flat_masks("truth", truth)
    if masks.shape[-2:] != truth.shape[-2:]:
        raise FrameError(f"masks {masks.shape} and truth {truth.shape} differ in size")
    score = _entries("scores", scores, len(found), np.float64)
    if np.isnan(score).any():
        raise ParameterError(f"{int(np.isnan(score).sum())} of {len(score)} scores are nan")
    class_ = _entries("classes", classes, len(found), np.int64)
    real_class = _entries("truth_classes", truth_classes, len(real), np.int64)
    is_crowd = _entries("crowd", crowd, len(real), np.bool_)
    areas, real_areas = np.count_nonzero(found, axis=1), np.count_nonzero(real, axis=1)
    real_ignored = is_crowd[:, None] | _outside(real_areas)
    counts = DetectionCounts(truth_classes=real_class, truth_ignored=real_ignored)
    for one in np.unique(class_):
        rows, columns = np.flatnonzero(class_ == one), np.flatnonzero(real_class == one)
        rows = rows[np.argsort(-score[rows], kind="stable")][:_MOST]
        common = _common(found[rows], real[columns])
        union = areas[rows, None] + np.where(is_crowd[columns], 0, real_areas[columns] - common)
        iou = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
        matched, ignored = np.zeros((2, len(_AREAS), len(rows), len(_THRESHOLDS)), np.bool_)
        for a in range(len(_AREAS)):
            skip = np.ascontiguousarray(real_ignored[columns, a])
            taken = np.empty(len(columns), np.bool_)
            _match(iou, is_crowd[columns], skip, _THRESHOLDS, taken, matched[a], ignored[a])
            ignored[a] |= ~matched[a] & _outside(areas[rows])[:, a, None]
        flags = matched.transpose(1, 0, 2), ignored.transpose(1, 0, 2)
        counts += DetectionCounts(score[rows], class_[rows], np.arange(len(rows)), *flags)
    return counts


def _flat_masks(name: str, masks: npt.NDArray[Any]) -> Bools:
    """Objects as bool (N, H x W)."""
    array = np.asarray(masks)
    if array.ndim == 2 and np.issubdtype(array.dtype, np.integer):
        return np.asarray(array.ravel() == np.arange(1, int(array.max(initial=0)) + 1)[:, None])
    if array.ndim != 3 or array.dtype != np.bool_:
        raise FrameError(f"{name} are bool (N, H, W) or integer labels (H, W), not {array.dtype} {array.shape}")
    return array.reshape(len(array), array.shape[1] * array.shape[2])


def _entries(name: str, values: npt.ArrayLike | None, n: int, dtype: Any) -> npt.NDArray[Any]:
    array = np.zeros(n, dtype) if values is None else np.asarray(values, dtype)
    if array.shape != (n,):
        raise ParameterError(f"{name} has shape {array.shape}, there are {n} objects")
    return array


def _outside(areas: npt.NDArray[Any]) -> Bools:
    return np.asarray((areas[:, None] < _AREAS[:, 0]) | (areas[:, None] > _AREAS[:, 1]))


def _common(a: Bools, b: Bools) -> Floats:
    """Pixels in common of every pair; as products of matrices, in parts that are small and exact in float32."""
    common, step = np.zeros((len(a), len(b))), 1 << 16
    for start in range(0, a.shape[1], step):
        part = slice(start, start + step)
        common += a[:, part].astype(np.float32) @ b[:, part].astype(np.float32).T
    return common
