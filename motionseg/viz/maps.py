"""Pictures of a whole recording: maps of what added up on each pixel, and the ways that tracks took."""

from __future__ import annotations

import math
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_frame, check_number
from motionseg.core.errors import FrameError
from motionseg.core.types import Frame
from motionseg.viz._text import write_text
from motionseg.viz.overlay import track_color

__all__ = ["draw_map", "draw_trajectories"]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_PAPER, _INK = (24, 24, 24), (235, 235, 235)
_DIM = 0.55  # of the background's brightness
_BAR, _MARGIN = 16, 10  # pixels
_STEPS = (1, 2, 2.5, 5, 10)  # of ticks, times powers of ten
_SMOOTH = 0.2  # seconds: standard deviation of the window that drawn ways are smoothed by


class Ways(Protocol):
    """What :func:`draw_trajectories` asks of a history; :class:`motionseg.track.TrackHistory` has it."""

    @property
    def ids(self) -> npt.NDArray[np.int64]: ...

    def trajectory(self, id: int, /) -> Any: ...


def draw_map(
    values: npt.NDArray[np.floating], frame: Frame | None = None, *, title: str = "", highest: float | None = None
) -> Frame:
    """Numbers of pixels in colours, over a darkened picture of the place, with a bar that says which is which.

    Parameters
    ----------
    values : float (H, W)
        At least 0; where it is 0, the picture is seen.
    frame : uint8 (H, W) or (H, W, 3), optional
        Grey or BGR; default: black.
    title : str
        Written above the bar: what is counted, in plain ASCII.
    highest : float, above 0, optional
        The number of the brightest colour, which higher ones get, too; default: the 99.5th percentile of those that
        are not 0. Give the same one for maps that are compared.

    Returns
    -------
    uint8 (H, W + about 80, 3)
        BGR.

    Raises
    ------
    FrameError
        `values` is no such array, or the frame is of another size.
    ParameterError
        `highest` is out of range.

    Examples
    --------
    >>> picture = draw_map(np.array([[0.0] * 120, [5.0] * 120]))
    >>> picture[0, 60].tolist(), picture[1, 60].tolist()
    ([0, 0, 0], [164, 255, 252])
    """
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.size == 0 or values.dtype.kind not in "fiu":
        raise FrameError("a map is an array of numbers of shape (H, W)")
    if not np.isfinite(values).all() or values.min() < 0:
        raise FrameError("the numbers of a map are finite, and at least 0")
    picture = np.zeros((*values.shape, 3), np.uint8) if frame is None else _dimmed(check_frame(frame))
    if picture.shape[:2] != values.shape:
        raise FrameError(f"the frame has shape {picture.shape[:2]}, the map {values.shape}")
    above = values > 0
    if highest is None:
        highest = float(np.percentile(values[above], 99.5)) if above.any() else 1.0
    highest = check_number("highest", highest, 0, above=True)
    levels = (255 * np.minimum(values / highest, 1)).astype(np.uint8)
    colors = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    # What is hardly more than nothing is dark in the map of colours: there the picture shines through.
    weight = np.where(above, np.clip(0.35 + 2 * values / highest, 0, 1), 0)[..., None].astype(np.float32)
    mixed: Frame = np.rint(picture + weight * (colors.astype(np.float32) - picture)).astype(np.uint8)
    return np.hstack([mixed, _legend(values.shape[0], highest, title)])


def _dimmed(frame: Frame) -> Frame:
    grey = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.cvtColor((grey * _DIM).astype(np.uint8), cv2.COLOR_GRAY2BGR), np.uint8)


def _legend(height: int, highest: float, title: str) -> Frame:
    """A bar of all colours from 0 (below) to `highest`, with numbers beside it and the title above."""
    scale = float(np.clip(height / 1200, 0.38, 0.8))
    (_, tall), below = cv2.getTextSize("0", _FONT, scale, 1)
    ticks = _ticks(highest)
    texts = [f"{tick:g}" for tick in ticks]
    wide = max(cv2.getTextSize(text, _FONT, scale, 1)[0][0] for text in (*texts, title))
    wide = max(wide, _BAR + 8 + max(cv2.getTextSize(text, _FONT, scale, 1)[0][0] for text in texts))
    legend = np.full((height, wide + 2 * _MARGIN, 3), _PAPER, np.uint8)
    top, bottom = _MARGIN + (tall + below + 8 if title else 0), height - _MARGIN
    if bottom - top < 2 * tall:  # a picture too low for a bar
        return legend
    levels = np.linspace(255, 0, bottom - top).round().astype(np.uint8)[:, None]
    legend[top:bottom, _MARGIN : _MARGIN + _BAR] = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    cv2.rectangle(legend, (_MARGIN - 1, top - 1), (_MARGIN + _BAR, bottom), _INK, 1)
    free = height
    for tick, text in zip(ticks, texts, strict=True):
        y = round(bottom - 1 - (bottom - 1 - top) * tick / highest)
        if y > free:
            continue
        free = y - 2 * tall
        cv2.line(legend, (_MARGIN + _BAR, y), (_MARGIN + _BAR + 3, y), _INK, 1)
        cv2.putText(legend, text, (_MARGIN + _BAR + 6, y + tall // 2), _FONT, scale, _INK, 1, cv2.LINE_AA)
    cv2.putText(legend, title, (_MARGIN, _MARGIN + tall), _FONT, scale, _INK, 1, cv2.LINE_AA)
    return legend


def _ticks(highest: float) -> list[float]:
    """About five round numbers from 0 to `highest`."""
    power = 10.0 ** math.floor(math.log10(highest / 5))
    step = next(power * factor for factor in _STEPS if power * factor * 5 >= highest * (1 - 1e-9))
    return [step * k for k in range(int(highest / step + 1e-9) + 1)]


def draw_trajectories(background: Frame, history: Ways, *, ids: bool = True) -> Frame:
    """The ways that tracks took (of the middles of their boxes' lower edges) over a picture of the place.

    Parameters
    ----------
    background : uint8 (H, W) or (H, W, 3)
        Grey or BGR; drawn darkened, and not changed.
    history : TrackHistory
        Or anything with `ids` and `trajectory(id)`. Where a track was not seen, its way is straight.
    ids : bool
        Write the track's id at its start.

    Returns
    -------
    uint8 (H, W, 3)
        BGR: each way in its track's colour (:func:`track_color`), from a dot to an arrow; a track that did not move is
        a ring.

    Raises
    ------
    FrameError
        `background` is no picture.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> way = SimpleNamespace(times=np.arange(2), feet=np.array([[9, 20], [49, 20]], np.float32))
    >>> picture = draw_trajectories(
    ...     np.zeros((40, 60), np.uint8), SimpleNamespace(ids=np.array([1]), trajectory=lambda id: way), ids=False
    ... )
    >>> int(picture[20, 25].max()) > 200, picture[30, 25].tolist()
    (True, [0, 0, 0])
    """
    out = _dimmed(check_frame(background))
    thick = max(1, round(out.shape[0] / 350))
    names = []
    for id in history.ids.tolist():
        way, color = history.trajectory(id), track_color(id)
        points = np.clip(_smoothed(np.asarray(way.times), np.asarray(way.feet)), -1e4, 1e5)
        start, end = (tuple(point) for point in np.rint(points[[0, -1]]).astype(int).tolist())
        if np.ptp(points, axis=0).max() < 4 * thick:
            cv2.circle(out, start, 3 * thick, color, thick, cv2.LINE_AA)
        else:
            cv2.polylines(out, [np.rint(points * 8).astype(np.int32)], False, color, thick, cv2.LINE_AA, shift=3)
            cv2.circle(out, start, 2 * thick + 1, color, cv2.FILLED, cv2.LINE_AA)
            _arrowhead(out, points, end, color, thick)
        names.append((str(id), start, color))
    if ids:
        for text, place, color in names:
            write_text(out, text, (place[0] + 2 * thick + 2, place[1]), color)
    return out


def _smoothed(times: npt.NDArray[np.floating], points: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Points that tremble less: means over a short window of time, with the first and last as they are."""
    points = np.asarray(points, np.float64)
    reach = np.searchsorted(times, times + _SMOOTH, side="right") - np.arange(len(times))
    reach = np.minimum(
        reach, np.arange(len(times)) - np.searchsorted(times, times - _SMOOTH) + 1
    )  # as far on both sides
    sums = np.concatenate([np.zeros((1, 2)), np.cumsum(points, axis=0)])
    place = np.arange(len(times))
    return np.asarray((sums[place + reach] - sums[place - reach + 1]) / (2 * reach - 1)[:, None])


def _arrowhead(
    out: Frame, points: npt.NDArray[np.float64], end: tuple[int, int], color: tuple[int, int, int], thick: int
) -> None:
    """Two barbs at the end of the way, along the last stretch that is long enough to have a direction."""
    length = 4.0 + 3 * thick
    away = np.hypot(*(points - points[-1]).T)
    far = np.flatnonzero(away >= length)
    way = points[-1] - points[far[-1] if len(far) else 0]
    angle = math.atan2(way[1], way[0])
    for turn in (2.6, -2.6):
        barb = (round(end[0] + length * math.cos(angle + turn)), round(end[1] + length * math.sin(angle + turn)))
        cv2.line(out, end, barb, color, thick, cv2.LINE_AA)
