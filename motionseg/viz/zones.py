"""Zones and lines drawn over a frame, and where something is going on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_frame
from motionseg.core.errors import ParameterError
from motionseg.core.types import Event, Frame
from motionseg.viz._text import text_size, write_text

__all__ = ["Place", "draw_zones"]

Color = tuple[int, int, int]
Corners = npt.NDArray[np.float64]

# Told apart by people who do not see red and green, too (after Okabe and Ito); BGR.
_INCLUDE: Color = (180, 190, 40)
_PRECLUSIVE: Color = (0, 159, 230)
_EXCLUDE: Color = (150, 150, 150)
_LINE: Color = (233, 180, 86)
_OPEN: Color = (60, 70, 255)
_COLORS = {"include": _INCLUDE, "exclude": _EXCLUDE, "preclusive": _PRECLUSIVE}
_GLOW = 0.22  # how much of its colour an open zone gets
_SUBPIXEL = 4  # bits of cv2's fractions of a pixel


class Place(Protocol):
    """What is drawn: a :class:`motionseg.events.Zone` or a :class:`motionseg.events.Line`, which has ``sides``."""

    @property
    def name(self) -> str:
        """What events call it."""

    @property
    def points(self) -> Sequence[tuple[float, float]]:
        """Corners x, y."""

    @property
    def relative(self) -> bool:
        """Whether they are parts of the picture, and not pixels."""


def draw_zones(frame: Frame, places: Iterable[Place], *, events: Iterable[Event] = ()) -> Frame:
    """Draw zones and lines over a frame; where an event is open, in red, with what its rules are called.

    Parameters
    ----------
    frame : uint8 (H, W) or (H, W, 3)
        Grey or BGR; not changed.
    places : iterable of Zone and Line
        Zones that include are blue green, those that exclude grey and hatched, preclusive ones orange and dashed. A
        line has an arrow at its end, and the names of its sides on either hand of its middle. What leaves the picture
        is cut off.
    events : iterable of Event
        Those that have ended are not shown. One of the whole picture gets a frame around it.

    Returns
    -------
    uint8 (H, W, 3)
        A new BGR picture.

    Raises
    ------
    FrameError
        `frame` is no picture.
    ParameterError
        A place is neither a zone nor a line.

    Examples
    --------
    >>> from motionseg.core.types import Event
    >>> picture = draw_zones(np.zeros((40, 60), np.uint8), [], events=[Event("a-1-0", "a", "enter", "", (1,), 0.0)])
    >>> picture[0, 30].tolist(), picture[20, 30].tolist()
    ([60, 70, 255], [0, 0, 0])
    """
    frame = check_frame(frame)
    out: Frame = frame.copy() if frame.ndim == 3 else np.asarray(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR), np.uint8)
    thick = max(1, round(min(out.shape[:2]) / 300))
    rules: dict[str, list[str]] = {}
    for event in events:
        told = rules.setdefault(event.zone, []) if event.is_open else [event.rule]
        if event.rule not in told:
            told.append(event.rule)
    labels = []
    for place in places:
        color = _color(place)
        corners = _corners(place, out.shape)
        going_on = rules.pop(place.name, [])
        color = _OPEN if going_on else color
        pen = thick + 1 if going_on else thick
        label = f"{place.name}: {', '.join(going_on)}" if going_on else place.name
        if hasattr(place, "sides"):
            labels += _draw_line(out, corners, place.sides, color, pen)
            labels.append((label, corners[0], color))
        else:
            _draw_zone(out, corners, getattr(place, "kind", "include"), color, pen, bool(going_on))
            labels.append((label, corners[np.lexsort((corners[:, 0], corners[:, 1]))[0]], color))
    elsewhere = list(dict.fromkeys(rule for told in rules.values() for rule in told))
    if elsewhere:
        border = 2 * thick
        for side in (out[:border], out[-border:], out[:, :border], out[:, -border:]):
            side[:] = _OPEN
        labels.append((", ".join(elsewhere), np.array([border + 2.0, out.shape[0] - border - 2.0]), _OPEN))
    for text, (x, y), ink in labels:  # above all lines
        write_text(out, text, (round(x), round(y)), ink)
    return out


def _color(place: Any) -> Color:
    if hasattr(place, "sides"):
        return _LINE
    kind = getattr(place, "kind", None)
    if kind not in _COLORS:
        raise ParameterError(f"places are Zone and Line objects, not {place!r}")
    return _COLORS[kind]


def _corners(place: Place, shape: tuple[int, ...]) -> Corners:
    """The points in pixels, float64 (N, 2), as cv2 counts: pixel centres are whole numbers."""
    size = np.array(shape[1::-1], np.float64) if place.relative else np.ones(2)
    # On the right and lower edge the last pixel is drawn, not the one beyond it.
    return np.minimum(np.asarray(place.points, np.float64) * size, [shape[1] - 0.5, shape[0] - 0.5]) - 0.5


def _fixed(corners: Corners) -> npt.NDArray[np.int32]:
    return np.rint(corners * (1 << _SUBPIXEL)).astype(np.int32)[:, None]


def _draw_zone(out: Frame, corners: Corners, kind: str, color: Color, thick: int, is_open: bool) -> None:
    if kind == "exclude" or is_open:
        low = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
        high = np.ceil(corners.max(axis=0)).astype(int) + 1
        part = out[low[1] : high[1], low[0] : high[0]]  # a view: only what the zone may touch is worked on
        inside = np.zeros(part.shape[:2], np.uint8)
        cv2.fillPoly(inside, [_fixed(corners - low)], 255, cv2.LINE_8, _SUBPIXEL)
        if is_open:
            glow = cv2.addWeighted(part, 1 - _GLOW, np.full_like(part, color), _GLOW, 0)
            cv2.copyTo(glow, inside, part)
        if kind == "exclude":
            pitch = 8 * thick
            y, x = np.ogrid[: part.shape[0], : part.shape[1]]
            part[((x + y + int(low.sum())) % pitch < thick) & (inside > 0)] = color
    if kind == "preclusive":
        for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            _dashed(out, start, end, color, thick)
    else:
        cv2.polylines(out, [_fixed(corners)], True, color, thick, cv2.LINE_AA, _SUBPIXEL)


def _dashed(out: Frame, start: Corners, end: Corners, color: Color, thick: int) -> None:
    """A line of dashes of equal length, with one at either end."""
    length = math.dist(start, end)
    n = 2 * max(1, round(length / (12 * thick))) + 1
    stops = start + np.linspace(0, 1, n + 1)[:, None] * (end - start)
    for first in range(0, n, 2):
        dash = _fixed(stops[first : first + 2])
        cv2.polylines(out, [dash], False, color, thick, cv2.LINE_AA, _SUBPIXEL)


def _draw_line(
    out: Frame, corners: Corners, sides: Sequence[str], color: Color, thick: int
) -> list[tuple[str, Corners, Color]]:
    """Draw it with an arrow at its end; return where the names of its sides are to be written."""
    cv2.polylines(out, [_fixed(corners)], False, color, thick, cv2.LINE_AA, _SUBPIXEL)
    before, last = corners[-2], corners[-1]
    along = (last - before) / max(math.dist(before, last), 1e-9)
    across = np.array([-along[1], along[0]])  # to the right of one who walks along it, as y points down
    reach = 6.0 * thick + 2
    tip = np.array([last, last - reach * along + reach / 2 * across, last - reach * along - reach / 2 * across])
    cv2.fillPoly(out, [_fixed(tip)], color, cv2.LINE_AA, _SUBPIXEL)
    lengths = np.hypot(*np.diff(corners, axis=0).T)
    row = min(int(np.searchsorted(np.cumsum(lengths), lengths.sum() / 2)), len(lengths) - 1)
    middle = (corners[row] + corners[row + 1]) / 2
    along = (corners[row + 1] - corners[row]) / max(lengths[row], 1e-9)
    right = np.array([-along[1], along[0]])
    names = []
    for side, hand in zip(sides, (-1, 1), strict=True):
        wide, tall = text_size(out, side)
        away = 4.0 * thick + 4 + abs(right[0]) * wide / 2 + abs(right[1]) * tall / 2
        # `write_text` sets a text 4 pixels above the corner that it is given.
        names.append((side, middle + hand * away * right + [-wide / 2, tall / 2 + 4], color))
    return names
