"""How much likelier a region is a track than something else: cues, each of them a log-likelihood ratio.

They add up, and what adds up to more than 0 is believed; no weight is learned from truth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Looks", "of_area", "of_motion", "of_overlap", "of_score"]

Values = npt.NDArray[np.floating]
_SAME_AREA, _OTHER_AREA = 0.35, 1.0  # deviations of the logarithm of the ratio of two areas
_LIMIT = 4.0  # of every cue but motion: none is ever surer
_STATISTICS = 2000  # pairs that are remembered of how alike things are


def of_motion(innovation: Values, variance: Values, view: float) -> npt.NDArray[np.float64]:
    """Normal density (N, M) of a region's centre about the expected one, by that of anywhere in `view` (px2).

    `innovation` (N, M, 2), pixels; `variance` (N, 2), px2.
    """
    squares = (innovation**2 / variance[:, None]).sum(axis=2)
    spread = 2 * np.pi * np.sqrt(variance.prod(axis=1))
    return np.asarray(np.log(view / spread)[:, None] - squares / 2)


def of_area(tracks: Values, regions: Values) -> npt.NDArray[np.float64]:
    """Two areas (N,), (M,) in px2 of one thing are more alike than those of any two."""
    ratio = np.log(np.maximum(tracks, 1))[:, None] - np.log(np.maximum(regions, 1))
    likeness = np.log(_OTHER_AREA / _SAME_AREA) - ratio**2 / 2 * (_SAME_AREA**-2 - _OTHER_AREA**-2)
    return np.asarray(np.maximum(likeness, -_LIMIT))


def of_overlap(iou: Values) -> npt.NDArray[np.float64]:
    """Intersection over union (N, M) of what was expected and what was seen: Beta(3, 1) if it is the same, else
    Beta(1, 3)."""
    safe = np.clip(iou, 0.01, 0.99)
    return np.asarray(np.clip(2 * np.log(safe / (1 - safe)), -_LIMIT, _LIMIT))


def of_score(scores: Values) -> npt.NDArray[np.float64]:
    """The odds (M,) that a region is a thing at all."""
    safe = np.clip(scores, 0.05, 0.95)
    return np.asarray(np.log(safe / (1 - safe)))


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
            if len(distances):
                row[0] = min(row[0] + len(distances), _STATISTICS)
                share = min(len(distances) / row[0], 1)
                row[1] += share * (float(np.mean(distances)) - row[1])
                row[2] += share * (float(np.mean(np.square(distances))) - row[2])

    def likeness(self, distances: Values) -> npt.NDArray[np.float64]:
        """Of distances of any shape: the log-likelihood ratio of the same thing by another."""
        (_, same, same2), (_, other, other2) = self.seen.tolist()
        if other <= same:
            return np.zeros(np.shape(distances))
        # Between the two means only: nothing looks too much alike, or is too different to be different.
        within = np.clip(distances, same, other)
        (a, b) = (max(second - mean**2, 1e-4) for mean, second in ((same, same2), (other, other2)))
        ratio = (within - other) ** 2 / (2 * b) - (within - same) ** 2 / (2 * a) + np.log(b / a) / 2
        return np.asarray(np.clip(ratio, -_LIMIT, _LIMIT))

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {"looks": self.seen.copy()}
