"""What the MOTChallenge leaves out of truth and results before it scores them."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import ParameterError
from motionseg.metrics._assignment import ROUNDING, assign
from motionseg.metrics.tracking import Integers, Trajectories, pair_boxes

__all__ = ["without_distractors"]

_PEDESTRIAN, _LAST_CLASS = 1, 13


def without_distractors(
    truth: Trajectories,
    classes: npt.ArrayLike,
    flags: npt.ArrayLike,
    found: Trajectories,
    *,
    distractors: Collection[int] = (2, 7, 8, 12),
) -> tuple[Trajectories, Trajectories]:
    """Keep the truth that counts in MOT16, MOT17 and MOT20, and drop what was rightly found of things that do not.

    A found box that is matched (intersection over union at least 0.5, greatest sum) with a
    distractor is neither right nor wrong. In MOT15 there are no classes; there the truth that counts
    is ``truth[flags != 0]``.

    Parameters
    ----------
    truth : Trajectories
        Every box of the truth, of all classes.
    classes, flags : int (N,)
        Of each true box its class (1 to 13, column 8 of gt.txt) and whether it counts (not 0, column 7).
    found : Trajectories
        What the tracker reported.
    distractors : collection of int
        Person on vehicle 2, static person 7, distractor 8, reflection 12; MOT20 adds the non-motorised
        vehicle 6.

    Returns
    -------
    truth, found : Trajectories
        The pedestrians (class 1) that count, and the boxes that are to be judged.

    Raises
    ------
    ParameterError
        There is not one class and flag per true box, or a class is not in 1 to 13.

    References
    ----------
    P. Dendorfer et al., MOTChallenge: a benchmark for single-camera multiple target tracking, IJCV
    2021, doi:10.1007/s11263-020-01393-0.

    Examples
    --------
    >>> truth = Trajectories([1, 1], [1, 2], [[0, 0, 4, 8], [20, 0, 24, 8]])
    >>> found = Trajectories([1, 1], [5, 6], [[0, 0, 4, 8], [20, 0, 24, 8]])
    >>> truth, found = without_distractors(truth, [1, 12], [1, 0], found)
    >>> truth.ids.tolist(), found.ids.tolist()
    ([1], [5])
    """
    classes, flags = np.asarray(classes), np.asarray(flags)
    if classes.shape != (len(truth),) or flags.shape != (len(truth),):
        raise ParameterError(f"{len(truth)} true boxes have classes {classes.shape} and flags {flags.shape}")
    unknown = (classes < _PEDESTRIAN) | (classes > _LAST_CLASS)
    if unknown.any():
        raise ParameterError(f"the class of a true box is in [1, {_LAST_CLASS}], not {classes[unknown][0]}")
    pairs = pair_boxes(truth, found)
    least = 0.5 - ROUNDING
    chosen = assign(pairs, np.where(pairs.similarity >= least, pairs.similarity, 0.0), least=least)
    truth_rows, found_rows = _given_rows(truth)[pairs.pair_truth], _given_rows(found)[pairs.pair_found]
    dropped = found_rows[chosen & np.isin(classes[truth_rows], list(distractors))]
    kept = np.ones(len(found), np.bool_)
    kept[dropped] = False
    return truth[(classes == _PEDESTRIAN) & (flags != 0)], found[kept]


def _given_rows(tracks: Trajectories) -> Integers:
    """The row of each object of `pair_boxes`, which sorts them by frame."""
    return np.argsort(tracks.frames, kind="stable")
