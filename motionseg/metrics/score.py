"""How good is a score at every threshold, and does it mean what it says? Histograms of a whole video, then curves."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_integer, check_mask, check_pixels
from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.jit import kernel
from motionseg.core.types import Score

__all__ = ["ScoreCounts", "count_scores"]

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_BINS = 3840  # even, so that 0.5 is an edge; and a multiple of 15, the usual bins of a calibration error
_OUTSIDE, _UNKNOWN, _MOTION = 85, 170, 255


@kernel
def _count(score, truth, roi, everywhere, negatives, positives):
    """Add flat arrays to the histograms; return how many scores are not in [0, 1]."""
    bad = 0
    for i in range(score.shape[0]):
        s = np.float64(score[i])
        if not 0 <= s <= 1:
            bad += 1
        elif (everywhere or roi[i]) and truth[i] != _OUTSIDE and truth[i] != _UNKNOWN:
            k = min(int(s * _BINS), _BINS - 1)  # exact: a float32 times a small integer fits a float64
            if truth[i] == _MOTION:
                positives[k] += 1
            else:
                negatives[k] += 1
    return bad


def _histogram() -> Any:
    return field(default_factory=lambda: np.zeros(_BINS, np.int64))


@dataclass(frozen=True, eq=False)
class ScoreCounts:
    """Scores seen so far; add the counts of frames (or parts of a video), then ask.

    Bin k holds the scores in [k, k + 1) / 3840 (the last one 1, too), so 0.5 is an edge. All measures are exactly
    those of the scores rounded down to such edges; only :meth:`calibration_error` takes a bin's middle.

    Attributes
    ----------
    negatives, positives : int64 (3840,)
        Pixels of each bin that are static (or shadow), and that move.

    Examples
    --------
    >>> score = np.array([[0.9, 0.6, 0.4, 0.1]], np.float32)
    >>> counts = count_scores(score, np.array([[255, 0, 255, 0]], np.uint8))
    >>> round(counts.average_precision, 3), round(counts.best_f[0], 3)
    (0.833, 0.8)
    """

    negatives: Counts = _histogram()
    positives: Counts = _histogram()

    def __add__(self, other: ScoreCounts) -> ScoreCounts:
        return ScoreCounts(self.negatives + other.negatives, self.positives + other.positives)

    def _found(self) -> tuple[Counts, Counts]:
        """False and true positives at the lower edge of every bin."""
        return np.cumsum(self.negatives[::-1])[::-1], np.cumsum(self.positives[::-1])[::-1]

    def precision_recall_curve(self) -> tuple[Floats, Floats, Floats]:
        """Precision, recall and threshold, float64 (3840,) each, thresholds rising; a pixel is found from there on.

        Precision is 1 where nothing is found; recall is nan if nothing moves.
        """
        fp, tp = self._found()
        precision = np.divide(tp, tp + fp, out=np.ones(_BINS), where=tp + fp > 0)
        recall = np.divide(tp, tp[0], out=np.full(_BINS, math.nan), where=tp[0] > 0)
        return precision, recall, np.arange(_BINS) / _BINS

    @property
    def average_precision(self) -> float:
        """Mean precision over recall, in steps as scikit-learn's, without interpolation; nan if nothing moves."""
        precision, recall, _ = self.precision_recall_curve()
        return float(np.sum(-np.diff(recall, append=0) * precision))

    @property
    def best_f(self) -> tuple[float, float]:
        """The highest F over all thresholds, and the (lowest) threshold that gives it; F is 0 if nothing moves."""
        fp, tp = self._found()
        f = 2 * tp / np.maximum(tp + fp + tp[0], 1)
        best = int(f.argmax())
        return float(f[best]), best / _BINS

    def calibration_error(self, n_bins: int = 15) -> float:
        """Expected calibration error, in [0, 1]: how far scores are from the share of pixels that do move.

        The mean over `n_bins` bins of equal width, weighted by their pixels, of the distance between the mean score
        and the share of motion; nan without pixels. A score counts as the middle of its fine bin (within 1 / 7680).

        Raises
        ------
        ParameterError
            `n_bins` does not divide 3840.

        References
        ----------
        M. P. Naeini, G. F. Cooper, M. Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning,
        AAAI 2015, doi:10.1609/aaai.v29i1.9602. C. Guo et al., On calibration of modern neural networks, ICML 2017,
        arXiv:1706.04599.
        """
        if _BINS % check_integer("n_bins", n_bins, 1, _BINS):
            raise ParameterError(f"n_bins divides {_BINS}, not {n_bins}")
        pixels = self.negatives + self.positives
        excess = pixels * (np.arange(_BINS) + 0.5) / _BINS - self.positives
        total = int(pixels.sum())
        return float(np.abs(excess.reshape(n_bins, -1).sum(axis=1)).sum() / total) if total else math.nan

    def metrics(self) -> dict[str, float]:
        """AP, best F and its threshold, ECE (15 bins)."""
        f, threshold = self.best_f
        rest = {"best F": f, "best threshold": threshold, "ECE": self.calibration_error()}
        return {"AP": self.average_precision, **rest}


def count_scores(score: Score, truth: npt.NDArray[np.uint8], roi: npt.NDArray[np.bool_] | None = None) -> ScoreCounts:
    """Sort the scores of one frame into histograms of static and of moving pixels.

    Parameters
    ----------
    score : float32 (H, W)
        How surely foreground, in [0, 1].
    truth : uint8 (H, W)
        CDnet's codes: 255 is motion, 0 and 50 are not, 85 and 170 do not count.
    roi : bool (H, W), optional
        Only pixels inside count.

    Raises
    ------
    FrameError
        Wrong dtype, the shapes differ, or a score is not in [0, 1].
    """
    if not isinstance(score, np.ndarray) or score.dtype != np.float32 or score.ndim != 2:
        what = f"{score.dtype} {score.shape}" if isinstance(score, np.ndarray) else type(score).__name__
        raise FrameError(f"a score is a float32 array of shape (H, W), not {what}")
    truth = check_mask(truth, score.shape)
    inside = truth if roi is None else np.ascontiguousarray(check_pixels(roi, score.shape, "roi")).view(np.uint8)
    counts = ScoreCounts()
    flat = np.ascontiguousarray(score).ravel(), truth.ravel(), inside.ravel()
    bad = _count(*flat, roi is None, counts.negatives, counts.positives)
    if bad:
        raise FrameError(f"{bad} of {score.size} scores are not in [0, 1]")
    return counts
