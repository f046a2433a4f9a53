"""How much likelier a region is a track than something else: cues, each of them a log-likelihood ratio.

They add up, and what adds up to more than 0 is believed; no weight is learned from truth.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from motionseg.core.jit import kernel

__all__ = ["Looks", "TrackCues", "logit", "odds_of"]

Values = npt.NDArray[np.floating]
_LIMIT = 4.0  # of every cue but motion: none is ever surer
_HOPELESS = -12.0  # of motion: nothing can make up for it
_SAME_AREA, _OTHER_AREA = 0.35, 1.0  # deviations of the logarithm of the ratio of two areas
_AREA_GAIN = np.log(_OTHER_AREA / _SAME_AREA)
_AREA_LOSS = (_SAME_AREA**-2 - _OTHER_AREA**-2) / 2
_STATISTICS = 2000  # pairs that are remembered of how alike things are


@kernel
def _weigh(start, stop, centres, variances, view, to, areas, own, alone, features, places, region_areas, scores,
           region_features, common, looks, odds):  # fmt: skip
    """Tracks start .. stop: the sum of the cues for every region."""
    same, other, same_spread, other_spread, constant = looks
    for i in range(start, stop):
        spread = 2 * np.pi * np.sqrt(variances[i, 0] * variances[i, 1])
        base = np.log(view / spread)
        for j in range(len(to)):
            dx, dy = to[j, 0] - centres[i, 0], to[j, 1] - centres[i, 1]
            total = base - (dx * dx / variances[i, 0] + dy * dy / variances[i, 1]) / 2
            if total < _HOPELESS:
                odds[i, j] = _HOPELESS
                continue
            if alone[i]:
                ratio = areas[i] - region_areas[j]
                total += max(_AREA_GAIN - ratio * ratio * _AREA_LOSS, -_LIMIT)
                if own[i] > 0:
                    iou = common[i, j] / (own[i] + places[j] - common[i, j])
                    iou = min(max(iou, 0.01), 0.99)
                    # Of the same thing: Beta(3, 1); else Beta(1, 3).
                    total += min(max(2 * np.log(iou / (1 - iou)), -_LIMIT), _LIMIT)
            total += scores[j] / 2
            if features.shape[1] > 0 and other > same:
                product, known, shown = 0.0, False, False
                for k in range(features.shape[1]):
                    known |= features[i, k] != 0
                    shown |= region_features[j, k] != 0
                    product += features[i, k] * region_features[j, k]
                if known and shown:
                    within = min(max(1 - product, same), other)
                    ratio = (within - other) ** 2 * other_spread - (within - same) ** 2 * same_spread + constant
                    total += min(max(ratio, -_LIMIT), _LIMIT)
            odds[i, j] = total


class TrackCues(NamedTuple):
    """What is known of N tracks before a frame.

    Attributes
    ----------
    centres, variances : float64 (N, 2)
        Where their centres are expected, pixels, px2.
    areas : float64 (N,)
        Usual ones, px2.
    own : int64 or float32 (N,)
        Pixels before, which `common` counts; 0 where there are none to compare.
    alone : bool (N,)
        Whether they were seen in a region of their own.
    features : float32 (N, D)
        Usual looks, of length 1; zeros where they are not known.
    """

    centres: npt.NDArray[np.float64]
    variances: npt.NDArray[np.float64]
    areas: npt.NDArray[np.float64]
    own: npt.NDArray[Any]
    alone: npt.NDArray[np.bool_]
    features: npt.NDArray[np.float32]


def odds_of(
    tracks: TrackCues,
    centres: npt.NDArray[np.float64],
    areas: npt.NDArray[Any],
    scores: Values,
    features: npt.NDArray[np.float32],
    common: npt.NDArray[Any],
    *,
    view: float,
    looks: Looks,
) -> npt.NDArray[np.float64]:
    """Log-odds, float64 (N, M), that tracks and regions are the same.

    * motion: the normal density of the region's centre about the expected one, by that of anywhere in `view` (px2);
    * area: two areas of one thing are more alike than those of any two;
    * overlap: intersection over union of the pixels moved on and the region's (`common`, (N, M));
    * score: the odds that the region is a thing at all;
    * looks: the likeness of features, as `looks` has learned to read it.

    What motion calls hopeless is -12.
    """
    odds = np.empty(common.shape)
    depth = tracks.features.shape[1] if features.shape[1] == tracks.features.shape[1] else 0
    _weigh(
        0, len(odds), tracks.centres, np.maximum(tracks.variances, 0.25), view, centres,
        np.log(np.maximum(tracks.areas, 1)), tracks.own, tracks.alone, tracks.features[:, :depth],
        np.maximum(areas, 1), np.log(np.maximum(areas, 1)), logit(scores), features[:, :depth], common,
        looks.numbers(), odds,
    )  # fmt: skip
    return odds


def logit(shares: Values) -> npt.NDArray[np.float64]:
    """Natural log-odds of shares in [0, 1], none of them quite sure."""
    safe = np.clip(shares, 0.05, 0.95)
    return np.asarray(np.log(safe / (1 - safe)), np.float64)


class Looks:
    """Learns from the stream itself how alike one thing looks from frame to frame, and two things in one frame.

    Where everybody wears the same, the cue weighs nothing; where the light flickers, little.
    """

    def __init__(self) -> None:
        # Rows: the same, others. Columns: pairs seen, mean of 1 - product, mean of its square. The first are a guess.
        self.seen = np.array([[20, 0.08, 0.08**2 + 0.08**2], [20, 0.4, 0.4**2 + 0.25**2]])

    def learn(self, same: Values, others: Values) -> None:
        """Distances (1 - product of features) of pairs that are surely the same, and surely not."""
        for row, distances in zip(self.seen, (same, others), strict=True):
            n = len(distances)
            if n:
                row[0] = min(row[0] + n, _STATISTICS)
                row[1:] += min(n / row[0], 1) * (np.array([distances.sum(), distances @ distances]) / n - row[1:])

    def numbers(self) -> tuple[float, float, float, float, float]:
        """Both means, 1 / (2 variance) of both, and the constant of the ratio of the two normal densities."""
        (_, same, same2), (_, other, other2) = self.seen.tolist()
        a, b = max(same2 - same**2, 1e-4), max(other2 - other**2, 1e-4)
        return same, other, 1 / (2 * a), 1 / (2 * b), float(np.log(b / a)) / 2

    def likeness(self, distances: Values) -> npt.NDArray[np.float64]:
        """Of distances of any shape: the log-likelihood ratio of the same thing by another."""
        same, other, same_spread, other_spread, constant = self.numbers()
        if other <= same:
            return np.zeros(np.shape(distances))
        # Between the two means only: nothing looks too much alike, or is too different to be different.
        within = np.clip(distances, same, other)
        ratio = (within - other) ** 2 * other_spread - (within - same) ** 2 * same_spread + constant
        return np.asarray(np.clip(ratio, -_LIMIT, _LIMIT))
