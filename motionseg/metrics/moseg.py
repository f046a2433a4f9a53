"""Brox and Malik's measure of motion segmentation (Moseg, FBMS-59): clusters matched with regions, over a sequence."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from motionseg.core.errors import FrameError
from motionseg.core.types import Labels
from motionseg.metrics._masks import check_labels, overlap_table

__all__ = ["RegionCounts", "count_regions"]

Ids = npt.NDArray[np.int64]
_EXTRACTED = 0.75  # F of a region from which on it counts as extracted


def _none(*shape: int) -> npt.NDArray[np.int64]:
    return field(default_factory=lambda: np.zeros(shape, np.int64))


@dataclass(frozen=True, eq=False)
class RegionCounts:
    """Common pixels of clusters and regions of one sequence so far; add those of frames, then ask for ratios.

    Clusters and regions are matched one to one so that the sum of the F of the pairs is greatest. Precision
    P = ``|cluster & region| / |cluster|``, recall R = ``|cluster & region| / |region|`` and F = 2 P R / (P + R) look at
    judged pixels with a label only, so that sparse labels (points on trajectories) can be judged too; what was left
    without a label shows in `density`. A region that got no cluster has P = R = F = 0.

    Attributes
    ----------
    cluster_ids : int64 (N,)
        Labels of the result, ascending; 0 is a cluster like any other.
    region_ids : int64 (M,)
        Labels of the truth, ascending; 0 is the background, a region like any other.
    common : int64 (N, M)
        Pixels of each cluster in each region.
    unlabelled : int64 (M,)
        Pixels of each region that have no label.

    References
    ----------
    T. Brox, J. Malik, Object segmentation by long term analysis of point trajectories, ECCV 2010,
    doi:10.1007/978-3-642-15555-0_21. P. Ochs, J. Malik, T. Brox, Segmentation of moving objects by long term video
    analysis, PAMI 2014, doi:10.1109/TPAMI.2013.242.

    Examples
    --------
    >>> counts = count_regions(np.array([[5, 5, 8, 8, -1]]), np.array([[0, 0, 0, 1, 1]]))
    >>> counts.density, counts.precision, round(counts.recall, 3), counts.extracted
    (0.8, 0.75, 0.833, 0)
    """

    cluster_ids: Ids = _none(0)
    region_ids: Ids = _none(0)
    common: npt.NDArray[np.int64] = _none(0, 0)
    unlabelled: npt.NDArray[np.int64] = _none(0)

    def __add__(self, other: RegionCounts) -> RegionCounts:
        clusters = np.union1d(self.cluster_ids, other.cluster_ids)
        regions = np.union1d(self.region_ids, other.region_ids)
        common, unlabelled = np.zeros((len(clusters), len(regions)), np.int64), np.zeros(len(regions), np.int64)
        for part in (self, other):
            columns = np.searchsorted(regions, part.region_ids)
            common[np.ix_(np.searchsorted(clusters, part.cluster_ids), columns)] += part.common
            unlabelled[columns] += part.unlabelled
        return RegionCounts(clusters, regions, common, unlabelled)

    @cached_property
    def _regions(self) -> npt.NDArray[np.float64]:
        """Precision, recall and F of every region, float64 (M, 3)."""
        clusters, regions = self.common.sum(axis=1, keepdims=True), self.common.sum(axis=0, keepdims=True)
        f_measures = 2 * self.common / np.maximum(clusters + regions, 1)
        rows, columns = linear_sum_assignment(f_measures, maximize=True)
        scores = np.zeros((len(self.region_ids), 3))
        hits = self.common[rows, columns]
        scores[columns, 0] = hits / np.maximum(clusters[rows, 0], 1)
        scores[columns, 1] = hits / np.maximum(regions[0, columns], 1)
        scores[columns, 2] = f_measures[rows, columns]
        return scores

    @property
    def density(self) -> float:
        """Share of the judged pixels that have a label; 0 if none was judged."""
        labelled = int(self.common.sum())
        judged = labelled + int(self.unlabelled.sum())
        return labelled / judged if judged else 0.0

    @property
    def precision(self) -> float:
        """P averaged over the regions; 0 if there is none."""
        return float(self._regions[:, 0].mean()) if len(self.region_ids) else 0.0

    @property
    def recall(self) -> float:
        """R averaged over the regions; 0 if there is none."""
        return float(self._regions[:, 1].mean()) if len(self.region_ids) else 0.0

    @property
    def f_measure(self) -> float:
        """Harmonic mean of `precision` and `recall`."""
        precision, recall = self.precision, self.recall
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    @property
    def extracted(self) -> int:
        """Number of regions, the background aside, with an F of at least 0.75."""
        return int(np.count_nonzero((self._regions[:, 2] >= _EXTRACTED) & (self.region_ids != 0)))

    def metrics(self) -> dict[str, float]:
        """density, Pr, Re, F, extracted (a number of objects)."""
        rates = {"density": self.density, "Pr": self.precision, "Re": self.recall, "F": self.f_measure}
        return rates | {"extracted": self.extracted}


def count_regions(labels: Labels, truth: Labels, *, unlabelled: int = -1) -> RegionCounts:
    """Count the clusters of one annotated frame in the regions of its truth.

    Parameters
    ----------
    labels : int32 (H, W)
        The cluster of each pixel, the same number in all frames of a sequence.
    truth : int32 (H, W)
        The region of each pixel, the same number in all frames: 0 background, -1 not judged.
    unlabelled : int
        Value of `labels` at pixels without a label.

    Raises
    ------
    FrameError
        Not integers, or sizes that differ.

    Examples
    --------
    >>> count_regions(np.array([[0, 0, 3, 3]]), np.array([[0, 0, 0, 2]])).common.tolist()
    [[2, 0], [1, 1]]
    """
    labels, truth = check_labels(labels, "labels"), check_labels(truth, "truth")
    if labels.shape != truth.shape:
        raise FrameError(f"labels {labels.shape} and truth {truth.shape} differ in size")
    clusters, regions, common = overlap_table(labels, truth)
    common, regions, missing = common[:, regions >= 0], regions[regions >= 0], clusters == unlabelled
    present = ~missing & (common.sum(axis=1) > 0)
    return RegionCounts(
        clusters[present].astype(np.int64), regions.astype(np.int64), common[present], common[missing].sum(axis=0)
    )
