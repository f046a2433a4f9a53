"""Higher order tracking accuracy: detection, association and localization in one figure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.metrics._assignment import ROUNDING, assign
from motionseg.metrics._counts import Counts
from motionseg.metrics.tracking import Floats, Integers, TrackingPairs

__all__ = ["ALPHAS", "HOTACounts", "count_hota"]

ALPHAS = np.arange(0.05, 0.99, 0.05)
"""Least similarities of a true positive, float64 (19,): 0.05, 0.10, ... 0.95."""


def _zeros(dtype: Any) -> Any:
    return field(default_factory=lambda: np.zeros(len(ALPHAS), dtype))


@dataclass(frozen=True)
class HOTACounts(Counts):
    """What HOTA counts in a sequence at each of the 19 `ALPHAS`; add those of sequences, then ask for ratios.

    Each figure is the mean over the alphas; `curves` has them one by one, ``hota_0`` and ``loc_a_0``
    are those at the first.

    Attributes
    ----------
    tp, fn, fp : int64 (19,)
        Objects matched, missed, and found where there is none.
    similarity : float64 (19,)
        Sum of the similarity of the matches.
    association, association_recall, association_precision : float64 (19,)
        Sums, over the matches, of how well their two whole tracks agree: the frames in which they
        are matched to each other among the frames of both, of the truth, and of the found track.

    Examples
    --------
    >>> one, ones = np.ones(19), np.ones(19, np.int64)
    >>> counts = HOTACounts(tp=3 * ones, fn=ones, fp=0 * ones, similarity=2.4 * one, association=3 * one)
    >>> round(counts.hota, 3), round((counts + HOTACounts(fp=4 * ones)).hota, 3)
    (0.866, 0.612)
    """

    tp: Integers = _zeros(np.int64)
    fn: Integers = _zeros(np.int64)
    fp: Integers = _zeros(np.int64)
    similarity: Floats = _zeros(np.float64)
    association: Floats = _zeros(np.float64)
    association_recall: Floats = _zeros(np.float64)
    association_precision: Floats = _zeros(np.float64)

    @property
    def curves(self) -> dict[str, Floats]:
        """Every figure under its usual name, float64 (19,) in [0, 1]: its value at each alpha."""
        det_a = _ratio(self.tp, self.tp + self.fn + self.fp)
        ass_a = _ratio(self.association, self.tp)
        return {
            "HOTA": np.sqrt(det_a * ass_a),
            "DetA": det_a,
            "AssA": ass_a,
            "LocA": _ratio(self.similarity, self.tp, empty=1.0),
            "DetRe": _ratio(self.tp, self.tp + self.fn),
            "DetPr": _ratio(self.tp, self.tp + self.fp),
            "AssRe": _ratio(self.association_recall, self.tp),
            "AssPr": _ratio(self.association_precision, self.tp),
        }

    def _mean(self, name: str) -> float:
        return float(self.curves[name].mean())

    @property
    def hota(self) -> float:
        """Geometric mean of detection and association accuracy."""
        return self._mean("HOTA")

    @property
    def det_a(self) -> float:
        """Detection accuracy, TP / (TP + FN + FP)."""
        return self._mean("DetA")

    @property
    def ass_a(self) -> float:
        """Association accuracy: how well the tracks of a match agree."""
        return self._mean("AssA")

    @property
    def loc_a(self) -> float:
        """Localization accuracy: mean similarity of the matches; 1 if there are none."""
        return self._mean("LocA")

    @property
    def det_re(self) -> float:
        """Detection recall, TP / (TP + FN)."""
        return self._mean("DetRe")

    @property
    def det_pr(self) -> float:
        """Detection precision, TP / (TP + FP)."""
        return self._mean("DetPr")

    @property
    def ass_re(self) -> float:
        """Association recall: low where true tracks are broken into several."""
        return self._mean("AssRe")

    @property
    def ass_pr(self) -> float:
        """Association precision: low where found tracks run over several true ones."""
        return self._mean("AssPr")

    @property
    def hota_0(self) -> float:
        """HOTA(0), the value at the first alpha, where localization hardly counts."""
        return float(self.curves["HOTA"][0])

    @property
    def loc_a_0(self) -> float:
        """LocA(0), the value at the first alpha."""
        return float(self.curves["LocA"][0])

    def metrics(self) -> dict[str, float]:
        """Every figure under its usual name, its mean over the alphas: HOTA, DetA, AssA, LocA, DetRe, DetPr, ..."""
        return {name: float(curve.mean()) for name, curve in self.curves.items()}


def count_hota(pairs: TrackingPairs) -> HOTACounts:
    """Count what HOTA asks of one sequence, of boxes or of masks.

    Parameters
    ----------
    pairs : TrackingPairs

    References
    ----------
    J. Luiten et al., HOTA: a higher order metric for evaluating multi-object tracking, IJCV 2021,
    doi:10.1007/s11263-020-01375-2.

    Examples
    --------
    The only track is found throughout, but in two pieces:

    >>> from motionseg.metrics.tracking import pair_similarities
    >>> counts = count_hota(pair_similarities([([1], [1], [[1.0]]), ([1], [2], [[1.0]])]))
    >>> counts.det_a, counts.ass_a, round(counts.hota, 3)
    (1.0, 0.5, 0.707)
    """
    n_truth, n_found = np.bincount(pairs.truth_ids), np.bincount(pairs.found_ids)
    truth_size, found_size = n_truth[pairs.truth_ids[pairs.pair_truth]], n_found[pairs.found_ids[pairs.pair_found]]
    meetings, similarity = pairs.meetings, pairs.similarity
    # Before anyone is matched: how well two whole tracks agree, from similarities that each frame
    # shares out among all that overlap.
    of_truth, of_found = _truth_sums(pairs), np.bincount(pairs.pair_found, similarity)
    shared = of_truth[pairs.pair_truth] + of_found[pairs.pair_found] - similarity
    agreed = np.bincount(meetings, similarity / shared)[meetings]
    scores = agreed / (truth_size + found_size - agreed) * similarity
    chosen = assign(pairs, scores, least=ALPHAS[0] - ROUNDING)

    similarity, meetings = similarity[chosen], meetings[chosen]
    level = np.searchsorted(ALPHAS - ROUNDING, similarity, side="right")  # at how many alphas it is a match
    tp = _from_level(np.bincount(level, minlength=len(ALPHAS) + 1))
    _, first, track_pair = np.unique(meetings, return_index=True, return_inverse=True)
    shape = len(first), len(ALPHAS) + 1
    matches = _from_level(np.bincount(track_pair * shape[1] + level, minlength=shape[0] * shape[1]).reshape(shape))
    truth_size, found_size = truth_size[chosen][first, None], found_size[chosen][first, None]
    return HOTACounts(
        tp=tp,
        fn=len(pairs.truth_ids) - tp,
        fp=len(pairs.found_ids) - tp,
        similarity=_from_level(np.bincount(level, similarity, len(ALPHAS) + 1)),
        association=(matches**2 / (truth_size + found_size - matches)).sum(axis=0),
        association_recall=(matches**2 / truth_size).sum(axis=0),
        association_precision=(matches**2 / found_size).sum(axis=0),
    )


def _truth_sums(pairs: TrackingPairs) -> Floats:
    """Sum of the similarities of each true object, to the last bit as from its row of the frame's whole table.

    Where scores tie, roundings decide, and numpy adds a long row in an order of its own.
    """
    sums = np.bincount(pairs.pair_truth, pairs.similarity, len(pairs.truth_ids))
    many = np.bincount(pairs.pair_truth, minlength=len(sums)) > 2  # two terms have one order only
    width = np.repeat(np.diff(pairs.found_start), np.diff(pairs.truth_start))
    column = pairs.pair_found - np.repeat(pairs.found_start[:-1], np.diff(pairs.pair_start))
    pair = np.flatnonzero(many[pairs.pair_truth])
    pair = pair[np.argsort(width[pairs.pair_truth[pair]], kind="stable")]
    for group in np.split(pair, np.flatnonzero(np.diff(width[pairs.pair_truth[pair]])) + 1):
        rows, row = np.unique(pairs.pair_truth[group], return_inverse=True)
        table = np.zeros((len(rows), width[rows].max(initial=0)))
        table[row, column[group]] = pairs.similarity[group]
        sums[rows] = table.sum(axis=1)
    return sums


def _from_level(at_level: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """From sums per level (..., 20) to sums per alpha (..., 19): level n counts at the first n alphas."""
    return at_level[..., :0:-1].cumsum(axis=-1)[..., ::-1]


def _ratio(part: npt.NDArray[Any], whole: npt.NDArray[Any], empty: float = 0.0) -> Floats:
    return np.divide(part, whole, out=np.full(len(ALPHAS), empty), where=whole > 0)
