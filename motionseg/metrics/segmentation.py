"""Masks and classes against their truth: boundary IoU, and a confusion matrix with the ratios read off it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_integer, check_number
from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.geometry import mask_iou
from motionseg.core.types import Labels
from motionseg.metrics._masks import Bools, check_labels, judged_pair

__all__ = ["ConfusionMatrix", "boundary_iou", "count_classes"]

Floats = npt.NDArray[np.float64]


def boundary_iou(mask: Any, truth: Any, *, dilation: float = 0.02) -> float:
    """Intersection over union, in [0, 1], of the bands along the inner side of both outlines; 1 if both are empty.

    Unlike plain intersection over union it does not forgive a bad outline to a big object.

    Parameters
    ----------
    mask, truth : bool or integer (H, W)
        uint8 is foreground where neither 0 nor 127 (shadow), another integer where not 0.
    dilation : float in (0, 1]
        Width of the bands as a share of the image diagonal; rounded to whole pixels, at least 1.

    Raises
    ------
    FrameError
        Arrays of another dtype, or of different shapes.
    ParameterError
        `dilation` is out of range.

    References
    ----------
    B. Cheng et al., Boundary IoU: improving object-centric image segmentation evaluation, CVPR 2021,
    doi:10.1109/CVPR46437.2021.01508.

    Examples
    --------
    >>> truth = np.ones((30, 40), bool)
    >>> boundary_iou(np.pad(truth[2:-2, 2:-2], 2), truth, dilation=0.08)  # bands of 4 px, one 2 px further in
    0.3333333333333333
    """
    dilation = check_number("dilation", dilation, 0, 1, above=True)
    found, real = judged_pair(mask, truth)
    width = max(1, round(dilation * math.hypot(*found.shape)))
    return mask_iou(_inner_band(found, width), _inner_band(real, width))


def _inner_band(mask: Bools, width: int) -> Bools:
    """The pixels of `mask` that `width` erosions by 3 x 3 pixels take away; beyond the frame is outside."""
    block, outside = np.ones((3, 3), np.uint8), cv2.BORDER_CONSTANT
    core = cv2.erode(mask.view(np.uint8), block, iterations=width, borderType=outside, borderValue=0)
    return mask & (core == 0)


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """Pixels of every true class by the class they were given; add those of frames, then ask for ratios.

    Attributes
    ----------
    counts : int64 (n, n)
        Rows are true classes, columns the classes found.

    Examples
    --------
    >>> matrix = ConfusionMatrix(np.array([[6, 2], [1, 3]])) + ConfusionMatrix(np.array([[2, 0], [0, 2]]))
    >>> matrix.class_iou.round(3).tolist(), round(matrix.pixel_accuracy, 3)
    ([0.727, 0.625], 0.812)
    """

    counts: npt.NDArray[np.int64]

    def __add__(self, other: ConfusionMatrix) -> ConfusionMatrix:
        if self.counts.shape != other.counts.shape:
            n, m = len(self.counts), len(other.counts)
            raise ParameterError(f"matrices of {n} and of {m} classes cannot be added")
        return ConfusionMatrix(self.counts + other.counts)

    @property
    def pixel_accuracy(self) -> float:
        """Share of the pixels whose class is right; NaN without pixels."""
        return float(_ratio(np.trace(self.counts), self.counts.sum()))

    @property
    def mean_accuracy(self) -> float:
        """Share of the pixels of a class that were given it, averaged over the true classes; NaN without any."""
        return _mean(_ratio(np.diag(self.counts), self.counts.sum(axis=1)))

    @property
    def class_iou(self) -> Floats:
        """Intersection over union of each class, float64 (n,); NaN for one that is neither true nor found."""
        hits = np.diag(self.counts)
        return _ratio(hits, self.counts.sum(axis=0) + self.counts.sum(axis=1) - hits)

    @property
    def mean_iou(self) -> float:
        """Mean of `class_iou` over the classes that are true or found somewhere; NaN without any."""
        return _mean(self.class_iou)

    @property
    def weighted_iou(self) -> float:
        """Mean of `class_iou`, each weighted by its share of the true pixels; NaN without pixels."""
        pixels = self.counts.sum(axis=1)
        return float(_ratio(np.nansum(self.class_iou * pixels), pixels.sum()))

    def metrics(self) -> dict[str, float]:
        """pixel accuracy, mean accuracy, mIoU, fwIoU (weighted by frequency)."""
        accuracies = {"pixel accuracy": self.pixel_accuracy, "mean accuracy": self.mean_accuracy}
        return accuracies | {"mIoU": self.mean_iou, "fwIoU": self.weighted_iou}


def _ratio(part: Any, whole: Any) -> Floats:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)


def _mean(values: Floats) -> float:
    return float(_ratio(np.nansum(values), np.count_nonzero(~np.isnan(values))))


def count_classes(labels: Labels, truth: Labels, n_classes: int, *, void: int = -1) -> ConfusionMatrix:
    """Count the classes of one frame against their truth.

    Parameters
    ----------
    labels, truth : int32 (H, W)
        Classes 0 .. n_classes - 1.
    n_classes : int, at least 1
        Number of classes.
    void : int
        Value of `truth` at pixels that are not judged.

    Raises
    ------
    FrameError
        Not integers, sizes that differ, or a judged pixel of a class out of range.

    Examples
    --------
    >>> count_classes(np.array([[0, 1, 1]]), np.array([[0, 0, -1]]), 2).counts.tolist()
    [[1, 1], [0, 0]]
    """
    n_classes = check_integer("n_classes", n_classes, 1)
    labels, truth = check_labels(labels, "labels"), check_labels(truth, "truth")
    if labels.shape != truth.shape:
        raise FrameError(f"labels {labels.shape} and truth {truth.shape} differ in size")
    judged = truth != void
    found, real = labels[judged].astype(np.int64), truth[judged].astype(np.int64)
    for name, classes in (("labels", found), ("truth", real)):
        if classes.size and not (classes.min() >= 0 and classes.max() < n_classes):
            raise FrameError(f"{name} holds classes 0 .. {n_classes - 1}, not {classes.min()} .. {classes.max()}")
    counts = np.bincount(real * n_classes + found, minlength=n_classes**2)
    return ConfusionMatrix(counts.reshape(n_classes, n_classes))
