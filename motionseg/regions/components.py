"""Connected components of a mask, measured: what the linkers are fed with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from scipy import ndimage

from motionseg.core.checks import check_frame, check_integer, check_labels, check_mask
from motionseg.core.colors import color_histograms
from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.types import FOREGROUND, Boxes, Frame, Labels, Mask, Regions, Score
from motionseg.regions._presence import presences

__all__ = ["find_regions", "measure_labels"]


def find_regions(
    mask: Mask,
    *,
    score: Score | None = None,
    frame: Frame | None = None,
    background: Frame | None = None,
    min_area: int = 1,
) -> tuple[Labels, Regions]:
    """Label the connected foreground of a mask (8-neighbourhood) and measure each region.

    Parameters
    ----------
    mask : uint8 (H, W)
        255 is foreground; shadows (127) are not.
    score : float32 (H, W), optional
        Averaged over each region; without it every region's score is 1.
    frame : uint8 (H, W) or (H, W, 3), optional
        Its colour is averaged over each region, and gives the features; without it colours are 0.
    background : uint8, of the frame's shape, optional
        The empty scene: with it, and the frame, ``presence`` is measured.
    min_area : int, at least 1
        Smaller regions (px2) are left out of labels and table.

    Returns
    -------
    labels : int32 (H, W)
        0 background, 1..N without gaps, from top to bottom.
    regions : Regions
        Row i measures label i + 1.

    Raises
    ------
    FrameError
        An array has the wrong dtype, shape or size.
    ParameterError
        `min_area` is not a positive integer.

    Examples
    --------
    >>> mask = np.zeros((6, 8), np.uint8)
    >>> mask[1:4, 2:5] = 255
    >>> labels, regions = find_regions(mask)
    >>> regions.boxes.tolist(), regions.areas.tolist(), regions.centroids.tolist()
    ([[2.0, 1.0, 5.0, 4.0]], [9], [[3.0, 2.0]])
    """
    mask = check_mask(mask)
    min_area = check_integer("min_area", min_area, 1)
    frame = _fitting(mask.shape, score, frame, background)
    _, foreground = cv2.threshold(mask, FOREGROUND - 1, 1, cv2.THRESH_BINARY)
    # Contours give the components at a third of the cost of cv2.connectedComponentsWithStats, and
    # the small ones, mostly noise, are never painted.
    contours, hierarchy = cv2.findContours(foreground, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    outlines = _outlines(contours, [] if hierarchy is None else hierarchy[0].tolist())
    kept = sorted((o for o in outlines if o.area >= min_area), key=lambda o: o.first)
    labels, boxes = np.zeros(mask.shape, np.int32), np.zeros((len(kept), 4), np.float32)
    for row, (borders, _, _) in enumerate(kept):
        cv2.drawContours(labels, borders, -1, row + 1, cv2.FILLED)  # by the even-odd rule, which leaves the holes out
        x, y, wide, high = cv2.boundingRect(borders[0])
        boxes[row] = x, y, x + wide, y + high
    return labels, _measured(labels, boxes, score, frame, background)


def measure_labels(
    labels: Labels,
    *,
    score: Score | None = None,
    frame: Frame | None = None,
    background: Frame | None = None,
) -> Regions:
    """Measure regions whose pixels are known, connected or not: those of another program, or the truth.

    Parameters
    ----------
    labels : int32 (H, W)
        0 background, 1..N; any integers.
    score, frame, background
        As for :func:`find_regions`.

    Returns
    -------
    Regions
        Row i measures label i + 1.

    Raises
    ------
    FrameError
        An array has the wrong dtype, shape or size.
    ParameterError
        `labels` are not integers (H, W) from 0 on, or a label below the highest has no pixel.

    Examples
    --------
    >>> regions = measure_labels(np.array([[2, 0, 1, 1], [2, 0, 0, 2]]))
    >>> regions.boxes.tolist(), regions.areas.tolist()
    ([[2.0, 0.0, 4.0, 1.0], [0.0, 0.0, 4.0, 2.0]], [2, 3])
    """
    labels = check_labels(labels, np.iinfo(np.int32).max)
    frame = _fitting(labels.shape, score, frame, background)
    boxes = np.zeros((int(labels.max(initial=0)), 4), np.float32)
    for row, found in enumerate(ndimage.find_objects(labels)):
        if found is None:
            raise ParameterError(f"labels run from 1 to {len(boxes)} without gaps, but {row + 1} has no pixel")
        rows, columns = found
        boxes[row] = columns.start, rows.start, columns.stop, rows.stop
    return _measured(labels, boxes, score, frame, background)


def _fitting(
    shape: tuple[int, ...], score: Score | None, frame: Frame | None, background: Frame | None
) -> Frame | None:
    """The frame, checked; FrameError if not all are of one size."""
    if frame is not None:
        frame = check_frame(frame)
    for name, image in (("score", score), ("frame", frame), ("background", background)):
        if image is not None and image.shape[:2] != shape:
            raise FrameError(f"the {name} has size {image.shape[:2]}, the mask {shape}")
    return frame


def _measured(
    labels: Labels, boxes: Boxes, score: Score | None, frame: Frame | None, background: Frame | None
) -> Regions:
    n = len(boxes)
    areas, centroids = np.zeros(n, np.int64), np.zeros((n, 2), np.float32)
    scores, colors = np.ones(n, np.float32), np.zeros((n, 3), np.float32)
    for row, (x0, y0, x1, y1) in enumerate(boxes.astype(int).tolist()):
        box = slice(y0, y1), slice(x0, x1)
        inside = np.equal(labels[box], row + 1).view(np.uint8)
        moments = cv2.moments(inside, binaryImage=True)
        areas[row] = moments["m00"]
        centroids[row] = x0 + moments["m10"] / moments["m00"], y0 + moments["m01"] / moments["m00"]
        if score is not None:
            scores[row] = cv2.mean(score[box], inside)[0]
        if frame is not None:
            mean = cv2.mean(frame[box], inside)
            colors[row] = mean[:3] if frame.ndim == 3 else mean[0]
    looks = {} if frame is None else {"features": color_histograms(frame, labels, boxes, areas)}
    if frame is not None and background is not None:
        looks["presence"] = presences(frame, background, labels, boxes)
    return Regions(boxes, areas, centroids, scores, colors, **looks)


class _Outline(NamedTuple):
    borders: list[Any]
    """The outer contour of a component, then those of its holes."""
    area: int
    """Pixels: by Pick's theorem those within the outer contour, less those in the holes."""
    first: tuple[int, int]
    """Row and column of its first pixel."""


def _outlines(contours: Sequence[Any], hierarchy: list[list[int]]) -> Iterator[_Outline]:
    for i, (_, _, hole, parent) in enumerate(hierarchy):
        if parent >= 0:
            continue
        borders, area = [contours[i]], cv2.contourArea(contours[i]) + len(contours[i]) / 2 + 1
        while hole >= 0:
            borders.append(contours[hole])
            area -= hole_area(contours[hole])
            hole = hierarchy[hole][0]
        x, y = contours[i][0, 0].tolist()
        yield _Outline(borders, int(area), (y, x))


def hole_area(contour: Any) -> int:
    """Pixels within the contour of a hole, which runs on the foreground around it (Pick's theorem)."""
    return int(cv2.contourArea(contour) - len(contour) / 2 + 1)
