"""Who is matched with whom in each frame: the assignment of the greatest total score, one to one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from motionseg.core.jit import kernel
from motionseg.metrics.tracking import Floats, TrackingPairs

__all__ = ["ROUNDING", "assign"]

ROUNDING = float(np.finfo(np.float64).eps)
"""A similarity that misses a threshold by no more than this reaches it."""
_MARGIN = 1e-9  # far above what rounding can do to the sum of a frame's scores, which the solver compares


def assign(pairs: TrackingPairs, scores: Floats, *, least: float, loyalty: float = 0.0) -> npt.NDArray[np.bool_]:
    """Choose pairs in every frame so that their scores have the greatest sum and nobody is chosen twice.

    Most frames need no solver: a pair whose score exceeds the best other score of its truth and
    the best other score of its found object together is part of every best assignment (putting it
    in the place of those two can only gain), and without its row and column the next pair may be
    as plain. A frame in which something stays open goes to scipy with its whole table, so that ties
    fall as they do for everyone who uses that solver on the same table.

    Parameters
    ----------
    pairs : TrackingPairs
    scores : float64 (P,)
        At least 0; pairs with score 0 are never chosen.
    least : float
        The answer is only right for pairs that are at least this similar; of others nobody asks.
    loyalty : float, at least 0
        Added to the score of a pair of tracks that were matched in the last frame with objects on
        both sides.

    Returns
    -------
    bool (P,)
    """
    scores, chosen = scores.copy(), np.zeros(len(scores), np.bool_)
    n_truth, n_found = len(pairs.truth_ids), len(pairs.found_ids)
    columns = pairs.truth_start, pairs.found_start, pairs.pair_start, pairs.pair_truth, pairs.pair_found
    free = np.ones(n_truth, np.bool_), np.ones(n_found, np.bool_)
    best, partner = (np.zeros((n_truth, 2)), np.zeros((n_found, 2))), np.full(pairs.n_truth_ids, -1)
    ids = pairs.truth_ids, pairs.found_ids
    frame, n_frames = 0, len(pairs.pair_start) - 1
    while frame < n_frames:
        frame = _settle(frame, *columns, *ids, pairs.similarity, least, loyalty, scores, chosen, *free, *best, partner)
        if frame < n_frames:
            _solve(frame, pairs, scores, chosen)
            frame += 1
    return chosen


def _solve(frame: int, pairs: TrackingPairs, scores: Floats, chosen: npt.NDArray[np.bool_]) -> None:
    part = slice(pairs.pair_start[frame], pairs.pair_start[frame + 1])
    rows = pairs.pair_truth[part] - pairs.truth_start[frame]
    columns = pairs.pair_found[part] - pairs.found_start[frame]
    table = np.zeros([start[frame + 1] - start[frame] for start in (pairs.truth_start, pairs.found_start)])
    table[rows, columns] = scores[part]
    partner = np.full(len(table), -1)
    row, column = linear_sum_assignment(-table)
    partner[row] = column
    chosen[part] = (partner[rows] == columns) & (scores[part] > 0)


@kernel
def _settle(frame, truth_start, found_start, pair_start, pair_truth, pair_found, truth_ids, found_ids, similarity,
            least, loyalty, scores, chosen, free_truth, free_found, best_truth, best_found, partner):  # fmt: skip
    """Frames from `frame` on; returns the first that needs a solver, or the number of frames."""
    n_frames = len(pair_start) - 1
    for f in range(frame, n_frames):
        start, stop = pair_start[f], pair_start[f + 1]
        if start == stop:
            continue
        if loyalty > 0:
            last = f - 1
            while last >= 0 and (
                truth_start[last] == truth_start[last + 1] or found_start[last] == found_start[last + 1]
            ):
                last -= 1
            before = range(pair_start[max(last, 0)], pair_start[last + 1])
            for k in before:
                if chosen[k]:
                    partner[truth_ids[pair_truth[k]]] = found_ids[pair_found[k]]
            for k in range(start, stop):
                if scores[k] > 0 and partner[truth_ids[pair_truth[k]]] == found_ids[pair_found[k]]:
                    scores[k] += loyalty
            for k in before:
                partner[truth_ids[pair_truth[k]]] = -1
        while True:
            for k in range(start, stop):
                best_truth[pair_truth[k]] = 0.0
                best_found[pair_found[k]] = 0.0
            undecided = False
            for k in range(start, stop):
                i, j, score = pair_truth[k], pair_found[k], scores[k]
                if score > 0 and free_truth[i] and free_found[j]:
                    undecided |= similarity[k] >= least
                    best_truth[i, 1] = max(best_truth[i, 1], min(best_truth[i, 0], score))
                    best_truth[i, 0] = max(best_truth[i, 0], score)
                    best_found[j, 1] = max(best_found[j, 1], min(best_found[j, 0], score))
                    best_found[j, 0] = max(best_found[j, 0], score)
            if not undecided:
                break
            progress = False
            for k in range(start, stop):
                i, j, score = pair_truth[k], pair_found[k], scores[k]
                rivals = best_truth[i, 1] + best_found[j, 1]
                if score == best_truth[i, 0] == best_found[j, 0] and score > rivals + _MARGIN:
                    free_truth[i] = free_found[j] = False
                    chosen[k] = progress = True
            if not progress:
                return f
    return n_frames
