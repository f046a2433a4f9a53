"""Which track is which region: the best pairs, none of them worse than a gate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from motionseg.core.jit import kernel

__all__ = ["Pairs", "assigned"]

Pairs = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
"""Rows and columns that belong together, in ascending order of the rows."""


@kernel
def _count(start, stop, likeness, least, candidate, per_row, per_column):
    """Rows start .. stop: how many columns are good enough, and the last of them; how many rows are for each column."""
    for row in range(start, stop):
        for column in range(likeness.shape[1]):
            value = likeness[row, column]
            if value >= least and value > 0:
                candidate[row] = column
                per_row[row] += 1
                per_column[column] += 1


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
    n, m = likeness.shape
    candidate, per_row, per_column = np.zeros(n, np.intp), np.zeros(n, np.intp), np.zeros(m, np.intp)
    _count(0, n, likeness, least, candidate, per_row, per_column)
    # Most tracks overlap one region only: what has no rival needs no search.
    alone = per_row == 1
    if m:
        alone &= per_column[candidate] == 1
    rows, columns = np.flatnonzero(alone), candidate[alone]
    per_column[columns] = 0
    contested, left = np.flatnonzero((per_row > 0) & ~alone), np.flatnonzero(per_column)
    if not len(contested):
        return rows, columns
    table = likeness[np.ix_(contested, left)]
    table = np.where((table >= least) & (table > 0), table, 0)
    row, column = linear_sum_assignment(-table)
    good = table[row, column] > 0
    rows = np.concatenate([rows, contested[row[good]]])
    columns = np.concatenate([columns, left[column[good]]])
    order = np.argsort(rows)
    return rows[order], columns[order]
