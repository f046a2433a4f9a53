"""Where things happen: polygons and lines, in pixels or in parts of the picture, and their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_choice, check_number
from motionseg.core.errors import ParameterError

__all__ = ["Line", "Zone", "polygon_pixels"]

Points = tuple[tuple[float, float], ...]
Pixels = npt.NDArray[np.bool_]

KINDS = ("include", "exclude", "preclusive")


@dataclass(frozen=True)
class Zone:
    """A polygon in the picture.

    Parameters
    ----------
    name : str
        What rules and events call it; not empty.
    points : sequence of (x, y)
        Three corners or more, around a single area. Pixels, where pixel (0, 0) reaches from 0 to 1; or, with
        `relative`, parts of the picture's width and height in [0, 1]. A pixel belongs to the zone if its centre does.
    kind : {"include", "exclude", "preclusive"}
        Rules speak of zones that include. What lies in a zone that excludes is in none of the others. Change in a
        preclusive zone, where nothing can be, means light: see `limit`.
    relative : bool
        Unit of `points`.
    limit : float in (0, 1]
        Of a preclusive zone: the share of its pixels that may be foreground before all motion is taken for light.

    Raises
    ------
    ParameterError
        It is no polygon (fewer than three corners, sides that cross, no area), or it leaves the picture.

    Examples
    --------
    >>> int(Zone("door", [(0, 0), (2, 0), (2, 3), (0, 3)]).pixels((4, 5)).sum())
    6
    """

    name: str
    points: Points
    kind: str = "include"
    relative: bool = False
    limit: float = 0.2

    def __post_init__(self) -> None:
        what = _check_named(self, "zone")
        points = _check_points(what, self.points, self.relative)
        points = points[:-1] if len(points) > 1 and points[0] == points[-1] else points
        object.__setattr__(self, "points", points)
        if len(points) < 3:
            raise ParameterError(f"{what} has {len(points)} corners; a polygon has three or more")
        check_choice(f"{what}: kind", self.kind, KINDS)
        object.__setattr__(self, "limit", check_number(f"{what}: limit", self.limit, 0, 1, above=True))
        _check_simple(what, points)
        if not self.relative and max(max(point) for point in points) <= 1:
            raise ParameterError(
                f"{what} lies within one pixel; say relative=True if its points are parts of the picture"
            )

    def pixels(self, shape: tuple[int, int]) -> Pixels:
        """Its pixels in a frame of `shape` (H, W), as bool (H, W).

        Raises
        ------
        ParameterError
            It reaches out of that frame, or holds the centre of no pixel.
        """
        inside = polygon_pixels(in_pixels(self, shape), shape)
        if not inside.any():
            raise ParameterError(f"zone {self.name!r} covers no pixel of a frame of {shape[1]}x{shape[0]}")
        return inside


@dataclass(frozen=True)
class Line:
    """A line of two points or more, with a side on either hand.

    Parameters
    ----------
    name : str
        What rules and events call it; not empty.
    points : sequence of (x, y)
        As those of a :class:`Zone`.
    sides : (str, str)
        Names of the sides on the left and on the right hand of one who walks on the picture from the first point to
        the last. Directions are told as ``"a->b"``.
    relative : bool
        Unit of `points`.

    Raises
    ------
    ParameterError
        It has fewer than two points, or two in one place, or leaves the picture; the sides are not two names.

    Examples
    --------
    >>> Line("gate", [(0, 50), (100, 50)], sides=("street", "yard")).directions
    ('street->yard', 'yard->street')
    """

    name: str
    points: Points
    sides: tuple[str, str] = ("a", "b")
    relative: bool = False

    def __post_init__(self) -> None:
        what = _check_named(self, "line")
        points = _check_points(what, self.points, self.relative)
        object.__setattr__(self, "points", points)
        if len(points) < 2:
            raise ParameterError(f"{what} has {len(points)} points; a line has two or more")
        _check_apart(what, points, closed=False)
        sides = () if isinstance(self.sides, str) else tuple(self.sides)
        if len(sides) != 2 or sides[0] == sides[1] or not all(isinstance(side, str) and side for side in sides):
            raise ParameterError(f"{what}: sides are two different names, not {self.sides!r}")
        object.__setattr__(self, "sides", sides)

    @property
    def directions(self) -> tuple[str, str]:
        """From the left side to the right one, and back."""
        a, b = self.sides
        return f"{a}->{b}", f"{b}->{a}"


def in_pixels(place: Zone | Line, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    """The points in pixels, float64 (N, 2), of a frame of `shape` (H, W). Raises ParameterError where they leave it."""
    size = np.array(shape[::-1], np.float64)
    points = np.array(place.points) * (size if place.relative else 1.0)
    out = np.flatnonzero((points > size).any(axis=1))
    if len(out):
        x, y = points[out[0]].tolist()
        what = f"{type(place).__name__.lower()} {place.name!r}"
        raise ParameterError(f"{what} leaves the picture: point ({x:g}, {y:g}), and frames are {shape[1]}x{shape[0]}")
    return points


def polygon_pixels(points: npt.NDArray[np.float64], shape: tuple[int, int]) -> Pixels:
    """The pixels, bool (H, W), whose centres lie in the polygon of `points` (N, 2)."""
    inside = np.zeros(shape, bool)
    x, y = points.T
    x_next, y_next = np.roll(x, -1), np.roll(y, -1)
    low, high = np.minimum(y, y_next), np.maximum(y, y_next)
    centres = np.arange(shape[1]) + 0.5
    first, last = max(0, int(low.min())), min(shape[0], int(np.ceil(high.max())))
    for row in range(first, last):
        middle = row + 0.5
        cut = (low <= middle) & (middle < high)  # of two sides that meet in this height one counts
        ends = np.sort(x[cut] + (middle - y[cut]) / (y_next[cut] - y[cut]) * (x_next[cut] - x[cut]))
        inside[row] = np.searchsorted(ends, centres, side="right") % 2 == 1
    return inside


def _check_named(place: Zone | Line, what: str) -> str:
    """What errors call it."""
    if not isinstance(place.name, str) or not place.name:
        raise ParameterError(f"the name of a {what} is a text that is not empty, not {place.name!r}")
    if not isinstance(place.relative, bool):
        raise ParameterError(f"{what} {place.name!r}: relative is True or False, not {place.relative!r}")
    return f"{what} {place.name!r}"


def _check_points(what: str, points: Any, relative: bool) -> Points:
    if not isinstance(points, (Sequence, np.ndarray)) or isinstance(points, str):
        raise ParameterError(f"{what}: points are pairs (x, y), not {points!r}")
    checked = []
    for number, point in enumerate(points):
        try:
            x, y = point
        except (TypeError, ValueError) as error:
            raise ParameterError(f"{what}: point {number} is a pair (x, y), not {point!r}") from error
        high = 1.0 if relative else 1e6
        pair = [check_number(f"{what}: {axis} of point {number}", v, 0, high) for axis, v in (("x", x), ("y", y))]
        checked.append((pair[0], pair[1]))
    return tuple(checked)


def _check_apart(what: str, points: Points, *, closed: bool) -> None:
    """No two neighbours in one place."""
    for number in range(0 if closed else 1, len(points)):
        if points[number] == points[number - 1]:
            raise ParameterError(f"{what}: point {number} is where the one before it is, {points[number]}")


def _check_simple(what: str, points: Points) -> None:
    """Raises ParameterError unless the sides of a polygon meet at its corners only, and it has an area."""
    _check_apart(what, points, closed=True)
    n = len(points)
    sides = [(points[i], points[(i + 1) % n]) for i in range(n)]
    for i in range(n):
        for j in range(i + 1, n):
            a, b = sides[i], sides[j]
            if j == i + 1 or (i == 0 and j == n - 1):  # neighbours share a corner; they may not fold back
                one, corner, other = (a[0], a[1], b[1]) if j == i + 1 else (b[0], b[1], a[1])
                back = (one[0] - corner[0]) * (other[0] - corner[0]) + (one[1] - corner[1]) * (other[1] - corner[1])
                if _turn(one, corner, other) == 0 and back > 0:
                    raise ParameterError(f"{what}: its sides {i} and {j} lie on one another")
            elif _meet(*a, *b):
                raise ParameterError(f"{what} crosses itself: sides {i} and {j} meet")


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    """Above 0 if a, b, c turn to the right in the picture."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _meet(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], d: tuple[float, float]) -> bool:
    """Whether the closed segments a-b and c-d have a point in common."""
    if max(a[0], b[0]) < min(c[0], d[0]) or max(c[0], d[0]) < min(a[0], b[0]):
        return False
    if max(a[1], b[1]) < min(c[1], d[1]) or max(c[1], d[1]) < min(a[1], b[1]):
        return False
    return _turn(a, b, c) * _turn(a, b, d) <= 0 and _turn(c, d, a) * _turn(c, d, b) <= 0
