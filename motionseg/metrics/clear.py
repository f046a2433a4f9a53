"""The CLEAR MOT figures: errors of a tracker frame by frame, among them changes of identity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motionseg.core.checks import check_number
from motionseg.metrics._assignment import ROUNDING, assign
from motionseg.metrics._counts import Retrieval
from motionseg.metrics.tracking import TrackingPairs

__all__ = ["CLEARCounts", "count_clear"]

_LOYALTY = 1000.0  # more than all similarities of a frame together


@dataclass(frozen=True)
class CLEARCounts(Retrieval):
    """What the CLEAR metrics count in a sequence; add those of sequences, then ask for ratios.

    With masks (:func:`~motionseg.metrics.tracking.pair_labels`) `mota`, `motp` and `smota` are what
    MOTS calls MOTSA, MOTSP and sMOTSA.

    Attributes
    ----------
    tp, fn, fp : int
        Objects matched, missed, and found where there is none.
    id_switches : int
        Matches with another found track than at the truth's last match (IDSW).
    fragmentations : int
        Times that a true track is found again after it had been lost (Frag).
    mostly_tracked, partly_tracked, mostly_lost : int
        True tracks matched in more than 80 %, in 20 to 80 %, and in less than 20 % of their frames.
    frames : int
        Frames of the sequence.
    similarity : float
        Sum of the similarity of the matches.

    Examples
    --------
    >>> counts = CLEARCounts(tp=8, fn=2, fp=1, id_switches=1, frames=5, similarity=6.4) + CLEARCounts()
    >>> counts.mota, round(counts.motp, 3), counts.false_alarm_rate
    (0.6, 0.8, 0.2)
    """

    tp: int = 0
    fn: int = 0
    fp: int = 0
    id_switches: int = 0
    fragmentations: int = 0
    mostly_tracked: int = 0
    partly_tracked: int = 0
    mostly_lost: int = 0
    frames: int = 0
    similarity: float = 0.0

    @property
    def mota(self) -> float:
        """Multi-object tracking accuracy, 1 - (FN + FP + IDSW) / truth, at most 1; 0 if there is no truth."""
        return self._per_truth(self.tp - self.fp - self.id_switches)

    @property
    def moda(self) -> float:
        """Multi-object detection accuracy, 1 - (FN + FP) / truth, at most 1; 0 if there is no truth."""
        return self._per_truth(self.tp - self.fp)

    @property
    def smota(self) -> float:
        """Soft MOTA: every match counts as much as it is similar; 0 if there is no truth."""
        return self._per_truth(self.similarity - self.fp - self.id_switches)

    @property
    def motp(self) -> float:
        """Multi-object tracking precision: mean similarity of the matches; 0 if there are none."""
        return self.similarity / self.tp if self.tp else 0.0

    @property
    def false_alarm_rate(self) -> float:
        """False positives per frame (FAR); 0 if there is no frame."""
        return self.fp / self.frames if self.frames else 0.0

    def metrics(self) -> dict[str, float]:
        """MOTA, MOTP, MODA, sMOTA; recall and precision as Re and Pr; IDSW, Frag, MT, PT, ML; FAR."""
        ratios = {"MOTA": self.mota, "MOTP": self.motp, "MODA": self.moda, "sMOTA": self.smota}
        ratios |= {"Re": self.recall, "Pr": self.precision, "IDSW": self.id_switches, "Frag": self.fragmentations}
        tracks = {"MT": self.mostly_tracked, "PT": self.partly_tracked, "ML": self.mostly_lost}
        return {**ratios, **tracks, "FAR": self.false_alarm_rate}

    def _per_truth(self, good: float) -> float:
        return good / (self.tp + self.fn) if self.tp + self.fn else 0.0


def count_clear(pairs: TrackingPairs, *, threshold: float = 0.5) -> CLEARCounts:
    """Count what the CLEAR metrics ask of one sequence, of boxes or of masks.

    Pairs that were matched in the frame before stay matched while they are similar enough; the
    others are matched so that the similarities have the greatest sum.

    Parameters
    ----------
    pairs : TrackingPairs
    threshold : float in (0, 1]
        Least similarity of a match.

    Raises
    ------
    ParameterError
        `threshold` is out of range.

    References
    ----------
    K. Bernardin, R. Stiefelhagen, Evaluating multiple object tracking performance: the CLEAR MOT
    metrics, EURASIP Journal on Image and Video Processing 2008, doi:10.1155/2008/246309.
    Y. Li et al., Learning to associate: HybridBoosted multi-target tracker for crowded scene,
    CVPR 2009, doi:10.1109/CVPR.2009.5206735 (mostly tracked, mostly lost, fragmentations).
    P. Voigtlaender et al., MOTS: multi-object tracking and segmentation, CVPR 2019,
    doi:10.1109/CVPR.2019.00813 (on masks).

    Examples
    --------
    The only track is found throughout, but in two pieces:

    >>> from motionseg.metrics.tracking import pair_similarities
    >>> counts = count_clear(pair_similarities([([1], [1], [[0.8]]), ([1], [2], [[0.7]])]))
    >>> counts.tp, counts.id_switches, counts.mota
    (2, 1, 0.5)
    """
    least = check_number("threshold", threshold, 0, 1, above=True) - ROUNDING
    scores = np.where(pairs.similarity >= least, pairs.similarity, 0.0)
    chosen = np.flatnonzero(assign(pairs, scores, least=least, loyalty=_LOYALTY))
    n_truth, n_found = np.diff(pairs.truth_start), np.diff(pairs.found_start)
    # A frame without truth or without found objects neither ends nor breaks a match.
    step = np.cumsum((n_truth > 0) & (n_found > 0))
    truth, found = pairs.truth_ids[pairs.pair_truth[chosen]], pairs.found_ids[pairs.pair_found[chosen]]
    track = np.argsort(truth, kind="stable")  # the matches of each true track, one after the other
    truth, found, steps = truth[track], found[track], np.repeat(step, np.diff(pairs.pair_start))[chosen][track]
    goes_on = np.diff(truth) == 0
    tp = len(chosen)
    tracked = np.bincount(truth, minlength=pairs.n_truth_ids) / np.bincount(pairs.truth_ids)
    mostly_tracked, mostly_lost = int((tracked > 0.8).sum()), int((tracked < 0.2).sum())
    return CLEARCounts(
        tp=tp,
        fn=len(pairs.truth_ids) - tp,
        fp=len(pairs.found_ids) - tp,
        id_switches=int(np.count_nonzero(goes_on & (np.diff(found) != 0))),
        fragmentations=int(np.count_nonzero(goes_on & (np.diff(steps) > 1))),
        mostly_tracked=mostly_tracked,
        partly_tracked=len(tracked) - mostly_tracked - mostly_lost,
        mostly_lost=mostly_lost,
        frames=pairs.n_frames,
        similarity=float(pairs.similarity[chosen].sum()),
    )
