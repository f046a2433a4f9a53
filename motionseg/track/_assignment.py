"""Which track is which region: the best pairs, none of them worse than a gate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

__all__ = ["Pairs", "assigned"]

Pairs = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
"""Rows and columns that belong together, in ascending order of the rows."""


def assigned(likeness: npt.NDArray[np.floating], least: float) -> Pairs:
    """The pairs whose likeness adds up to most, of those that are at least `least` and above 0.

    Parameters
    ----------
    likeness : float (N, M)
        Of tracks and regions.
    least : float, at least 0

    Returns
    -------
    intp (K,), intp (K,)
        Rows and columns, each at most once.

    Examples
    --------
    >>> rows, columns = assigned(np.array([[0.9, 0.8], [0.7, 0.0]]), 0.1)
    >>> rows.tolist(), columns.tolist()
    ([0, 1], [1, 0])
    """
    allowed = (likeness >= least) & (likeness > 0)
    # Most tracks overlap one region only: what has no rival needs no search.
    per_row, per_column = allowed.sum(axis=1), allowed.sum(axis=0)
    alone = allowed & (per_row[:, None] == 1) & (per_column[None] == 1)
    rows, columns = np.nonzero(alone)
    contested = np.ix_(np.flatnonzero(per_row > 0), np.flatnonzero(per_column > 0))
    left = [np.setdiff1d(index.ravel(), taken) for index, taken in zip(contested, (rows, columns), strict=True)]
    if len(left[0]) and len(left[1]):
        table = np.where(allowed, likeness, 0)[np.ix_(*left)]
        row, column = linear_sum_assignment(-table)
        good = table[row, column] > 0
        rows = np.concatenate([rows, left[0][row[good]]])
        columns = np.concatenate([columns, left[1][column[good]]])
    order = np.argsort(rows)
    return rows[order], columns[order]
