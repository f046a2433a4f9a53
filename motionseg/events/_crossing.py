"""Whether a path has crossed a line, and which way."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["distance", "net_crossings"]

Points = npt.NDArray[np.float64]


def net_crossings(line: Points, start: tuple[float, float], end: tuple[float, float]) -> int:
    """Crossings of a line (N, 2) from its left side to its right one, less those back, on the straight way.

    A point on the line is on its right side, so that steps onto it and off it add up to what the whole way does.

    Examples
    --------
    >>> line = np.array([[0.0, 5.0], [10.0, 5.0]])
    >>> net_crossings(line, (5, 0), (5, 9)), net_crossings(line, (5, 9), (5, 0)), net_crossings(line, (5, 0), (15, 9))
    (1, -1, 0)
    """
    a, b = line[:-1], line[1:]
    p, q = np.asarray(start, np.float64), np.asarray(end, np.float64)
    before, after = _is_right(a, b, p), _is_right(a, b, q)
    between = _is_right(p, q, a) != _is_right(p, q, b)
    return int(np.count_nonzero(between & after & ~before)) - int(np.count_nonzero(between & before & ~after))


def _is_right(a: Points, b: Points, c: Points) -> npt.NDArray[np.bool_]:
    (x, y), (u, v) = (c - a).T, (b - a).T
    return np.asarray(u * y - v * x >= 0)


def distance(line: Points, point: tuple[float, float]) -> float:
    """Pixels from a point to the nearest point of a line (N, 2)."""
    a, along = line[:-1], line[1:] - line[:-1]
    to = np.asarray(point, np.float64) - a
    t = np.clip((to * along).sum(axis=1) / (along**2).sum(axis=1), 0, 1)
    return float(np.sqrt(((to - t[:, None] * along) ** 2).sum(axis=1)).min())
