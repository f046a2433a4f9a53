"""Masks, regions, tracks and their trails drawn over a frame."""

from __future__ import annotations

import colorsys
from collections import deque
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_frame, check_mask, check_number
from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.types import FOREGROUND, SHADOW, Frame, Labels, Segmentation, Tracks, TrackState
from motionseg.viz._text import write_text

__all__ = ["Trails", "draw_overlay", "track_color"]

Color = tuple[int, int, int]
_UNTRACKED: Color = (60, 200, 255)
_SHADE: Color = (200, 130, 60)
_GOLDEN = 0.6180339887498949


def track_color(track_id: int) -> Color:
    """The colour of a track, always the same one for the same id, and far from those of ids near by.

    Parameters
    ----------
    track_id : int
        Any integer.

    Returns
    -------
    (int, int, int)
        B, G, R in [0, 255].

    Examples
    --------
    >>> track_color(1), track_color(2)
    ((255, 120, 64), (64, 255, 175))
    """
    # Multiples of the golden ratio never come near one another on the circle of hues.
    hue, level = track_id * _GOLDEN % 1.0, (1.0, 0.8)[track_id // 5 % 2]
    r, g, b = colorsys.hsv_to_rgb(hue, 0.75, level)
    return round(b * 255), round(g * 255), round(r * 255)


class Trails:
    """Remembers where tracks stood (the middle of their boxes' lower edges), for :func:`draw_overlay` to draw.

    Parameters
    ----------
    max_age : float, above 0
        Seconds after which a point is forgotten.

    Raises
    ------
    ParameterError
        `max_age` is out of range.

    Examples
    --------
    >>> trails = Trails(max_age=1.0)
    >>> trails.update(Tracks(time=0.0))
    >>> len(trails)
    0
    """

    def __init__(self, *, max_age: float = 2.0) -> None:
        self.max_age = check_number("max_age", max_age, 0, above=True)
        self.time = -np.inf
        self._points: dict[int, deque[tuple[float, float, float]]] = {}

    def __len__(self) -> int:
        """Number of tracks with a point young enough."""
        return len(self._points)

    def update(self, tracks: Tracks) -> None:
        """Add the confirmed tracks of one frame, and forget what is older than `max_age` at its time.

        A time before the last one means another recording: everything older is forgotten.
        """
        if tracks.time < self.time:
            self._points.clear()
        self.time = tracks.time
        seen = tracks.visible
        for track_id, (x0, _, x1, y1) in zip(seen.ids.tolist(), seen.boxes.tolist(), strict=True):
            self._points.setdefault(track_id, deque()).append((tracks.time, (x0 + x1) / 2, y1))
        for track_id, points in list(self._points.items()):
            while points and points[0][0] < self.time - self.max_age:
                points.popleft()
            if not points:
                del self._points[track_id]

    def lines(self) -> Iterator[tuple[int, npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
        """For every track its id, points (N, 2) x, y from old to new, and their ages (N,) in [0, 1] of `max_age`."""
        for track_id, points in self._points.items():
            columns = np.array(points)
            yield track_id, columns[:, 1:], (self.time - columns[:, 0]) / self.max_age


def draw_overlay(
    frame: Frame,
    segmentation: Segmentation,
    *,
    tint: Color | None = None,
    alpha: float = 0.4,
    contours: bool = True,
    ids: bool = True,
    trails: Trails | None = None,
) -> Frame:
    """Draw what was found in a frame over it: tinted masks, outlines, boxes with ids, and trails.

    Parameters
    ----------
    frame : uint8 (H, W) or (H, W, 3)
        Grey or BGR; not changed.
    segmentation : Segmentation
        Of this frame. Of `labels` and `tracks`, what is None is not drawn. With `identities`, every pixel has the
        colour of the track that it belongs to, and a region that tracks share is divided between them.
    tint : (B, G, R), optional
        One colour for all foreground; default: each region in its track's colour (amber without a track). Shadow
        is always tinted blue.
    alpha : float in [0, 1]
        How much of the tint; 0 leaves the pixels as they are.
    contours : bool
        Outline the foreground.
    ids : bool
        Write the track's id at its box, and its state if it is merged, split, stopped, left or removed.
    trails : Trails, optional
        Drawn as lines that fade with age. The caller updates them, once per frame.

    Returns
    -------
    uint8 (H, W, 3)
        A new BGR picture.

    Raises
    ------
    FrameError
        `frame` is no picture, or mask, labels or identities are not of its size.
    ParameterError
        `alpha` or `tint` is out of range.

    Notes
    -----
    Boxes are drawn for confirmed tracks; those of occluded ones are dashed; tentative ones are left out.

    Examples
    --------
    >>> mask = np.zeros((40, 60), np.uint8)
    >>> mask[10:20, 10:20] = 255
    >>> picture = draw_overlay(np.zeros((40, 60), np.uint8), Segmentation(0, 0.0, mask), tint=(0, 0, 250))
    >>> picture[15, 15].tolist(), picture[30, 30].tolist()
    ([0, 0, 100], [0, 0, 0])
    """
    frame = check_frame(frame)
    mask = check_mask(segmentation.mask, (frame.shape[0], frame.shape[1]))
    owned = segmentation.identities is not None
    name, owners = ("identities", segmentation.identities) if owned else ("labels", segmentation.labels)
    if owners is not None and owners.shape != mask.shape:
        raise FrameError(f"the {name} have shape {owners.shape}, the frame is {mask.shape}")
    alpha = check_number("alpha", alpha, 0, 1)
    if tint is not None and (len(tint) != 3 or not all(0 <= value <= 255 for value in tint)):
        raise ParameterError(f"tint is a colour (B, G, R) of numbers in [0, 255], not {tint!r}")
    out = frame.copy() if frame.ndim == 3 else cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)
    tracks = Tracks() if segmentation.tracks is None else segmentation.tracks
    colors = _colors(owners, tracks.ids if owned else tracks.labels, tracks, tint)
    if alpha > 0:
        _tint(out, mask, owners, colors, alpha)
    if contours and segmentation.identities is not None:
        _outline_each(out, mask, segmentation.identities, colors)
    elif contours:
        _outline(out, mask, owners, colors)
    if trails is not None:
        _draw_trails(out, trails)
    _draw_boxes(out, tracks.believed, ids)
    return out


def _colors(
    owners: Labels | None, values: npt.NDArray[np.integer], tracks: Tracks, tint: Color | None
) -> npt.NDArray[np.uint8]:
    """Colours, uint8 (N + 1, 3), of what pixels of `owners` say; `values` stand for tracks, 0 for none of them."""
    n = 0 if owners is None else int(owners.max(initial=0))
    colors = np.full((n + 1, 3), _UNTRACKED if tint is None else tint, np.uint8)
    if tint is None:
        for track_id, value, state in zip(tracks.ids.tolist(), values.tolist(), tracks.states, strict=True):
            if 0 < value <= n and state != TrackState.TENTATIVE:
                colors[value] = track_color(track_id)
    return colors


def _tint(out: Frame, mask: Frame, owners: Labels | None, colors: npt.NDArray[np.uint8], alpha: float) -> None:
    flat = out.reshape(-1, 3)
    for code in (SHADOW, FOREGROUND):
        where = np.flatnonzero(mask == code)
        if len(where) == 0:
            continue
        color: npt.NDArray[np.uint8] = np.array(_SHADE, np.uint8)[None]
        if code == FOREGROUND:
            color = colors[:1] if owners is None else colors[owners.ravel()[where]]
        pixels = flat[where].astype(np.float32)
        pixels += np.float32(alpha) * (color - pixels)
        flat[where] = np.rint(pixels)


def _outline(out: Frame, mask: Frame, owners: Labels | None, colors: npt.NDArray[np.uint8]) -> None:
    foreground = (mask == FOREGROUND).view(np.uint8)
    found, _ = cv2.findContours(foreground, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    for contour in found:
        x, y = contour[0, 0]
        owner = 0 if owners is None else owners[y, x]
        cv2.drawContours(out, [contour], 0, colors[owner].tolist(), 1)


def _outline_each(out: Frame, mask: Frame, owners: Labels, colors: npt.NDArray[np.uint8]) -> None:
    """Of every track what it owns, also where two touch: pixels with a neighbour that is another's."""
    whose = np.where(mask == FOREGROUND, owners, -1)
    height, width = whose.shape
    around = np.pad(whose, 1, constant_values=-1)
    rims = np.zeros(whose.shape, bool)
    for y, x in ((0, 1), (2, 1), (1, 0), (1, 2)):
        rims |= around[y : y + height, x : x + width] != whose
    rims &= whose >= 0
    out[rims] = colors[whose[rims]]


def _draw_trails(out: Frame, trails: Trails) -> None:
    height, width = out.shape[:2]
    thick = max(1, round(height / 300))
    for track_id, points, ages in trails.lines():
        corners = np.rint(points).astype(int)
        x, y = np.clip(corners, 0, [width - 1, height - 1]).T
        under = out[y, x]  # old parts fade into the picture
        shades = under + (1 - ages)[:, None] * (track_color(track_id) - under.astype(float))
        ends = corners.tolist()
        for start, end, shade in zip(ends[:-1], ends[1:], shades[1:].tolist(), strict=True):
            cv2.line(out, start, end, shade, thick, cv2.LINE_AA)


def _draw_boxes(out: Frame, tracks: Tracks, ids: bool) -> None:
    thick = max(1, round(out.shape[0] / 500))
    for row, (track_id, box) in enumerate(zip(tracks.ids.tolist(), tracks.boxes, strict=True)):
        x0, y0, x1, y1 = np.rint(np.clip(box, -1e4, 1e5)).astype(int).tolist()
        color, corner = track_color(track_id), (x1 - 1, y1 - 1)
        if tracks.states[row] == TrackState.OCCLUDED:
            _dashed(out, (x0, y0), corner, color)
        else:
            cv2.rectangle(out, (x0, y0), corner, color, thick)
        if ids:
            write_text(out, _name(track_id, tracks.states[row]), (x0, y0), color)


def _name(track_id: int, state: int) -> str:
    """What is written at a box: the id, and what is remarkable of the track."""
    word = TrackState(state)
    return f"{track_id} {word.name.lower()}" if TrackState.MERGED <= word <= TrackState.REMOVED else str(track_id)


def _dashed(out: Frame, low: tuple[int, int], high: tuple[int, int], color: Color, *, dash: int = 4) -> None:
    """A rectangle of lines of `dash` pixels with as long gaps."""
    height, width = out.shape[:2]
    (x0, y0), (x1, y1) = low, high
    x, y = np.arange(max(x0, 0), min(x1 + 1, width)), np.arange(max(y0, 0), min(y1 + 1, height))
    x, y = x[(x - x0) // dash % 2 == 0], y[(y - y0) // dash % 2 == 0]
    for edge in (y0, y1):
        if 0 <= edge < height:
            out[edge, x] = color
    for edge in (x0, x1):
        if 0 <= edge < width:
            out[y, edge] = color
