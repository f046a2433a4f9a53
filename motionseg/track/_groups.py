"""Several tracks in one region: where each of them is in it, and which of its pixels are whose."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.types import Boxes
from motionseg.track._pixels import Shape

__all__ = ["Share", "color_odds", "contained", "led", "located", "shared_out"]

_COMMON = 0.01  # share of every colour in everybody, so that none is impossible
_MOST = 3.0  # log-odds that a pixel's colour may say
_OUTSIDE = -1.5  # what a pixel says against a shape that reaches out of the region
_INDEPENDENT = 30.0  # pixels that say as much as one alone
_COLOR_WEIGHT = 1.0  # of a colour's log-odds in pixels of distance from a shape

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


class Share(NamedTuple):
    """A region and the K tracks in it."""

    rows: list[int]
    corner: tuple[int, int]
    owners: npt.NDArray[np.int32]
    """Cut out at `corner` (x, y): the number, from 1, of the track of each pixel, 0 outside of the region."""
    boxes: Floats
    known: Bools
    """(K, 2): whether the region shows where they are, in x and in y."""


def led(boxes: Floats, blob: Boxes) -> tuple[Floats, Bools]:
    """Boxes (K, 4) as expected, led by the sides of the region's box `blob` (4,).

    Who reaches farthest to a side is what makes the region end there; and nobody is outside.

    Returns
    -------
    float64 (K, 4), bool (K, 2)
        The boxes; and whether the region has shown where they are, in x and in y.
    """
    boxes, known = boxes.copy(), np.zeros((len(boxes), 2), bool)
    for axis in (0, 1):
        low, high, sides = boxes[:, axis].copy(), boxes[:, axis + 2].copy(), [axis, axis + 2]
        moves: list[list[float]] = [[] for _ in boxes]
        moves[int(low.argmin())].append(blob[axis] - low.min())
        moves[int(high.argmax())].append(blob[axis + 2] - high.max())
        for k, steps in enumerate(moves):
            if steps:
                known[k, axis] = True
                boxes[k, sides] += float(np.mean(steps))
    boxes, moved = contained(boxes, blob)
    return boxes, known | moved


def contained(boxes: Floats, blob: Boxes) -> tuple[Floats, Bools]:
    """Boxes (K, 4) moved into `blob` (4,), or about its middle; and in which axes (K, 2) they were moved."""
    low, high = blob[:2] - boxes[:, :2], boxes[:, 2:] - blob[2:]  # how far they reach out
    fits = low + high <= 0
    into = np.where(fits, np.maximum(low, 0) - np.maximum(high, 0), (low - high) / 2)
    return boxes + np.tile(into, 2), into != 0


def color_odds(
    numbers: npt.NDArray[np.intp], top: int, histograms: Floats, boxes: Floats, region: Bools
) -> npt.NDArray[np.float32]:
    """What the colour of each pixel says for each of K tracks and against the others, natural logarithm.

    Parameters
    ----------
    numbers : intp (h, w)
        Of the colours (``core.colors.color_numbers``), cut out of the picture at row `top`.
    histograms : float64 (K, 128)
        Shares of colours in the tracks' upper and lower halves; each sums to 1.
    boxes : float64 (K, 4)
        About where they are, for what is upper and lower.
    region : bool (h, w)

    Returns
    -------
    float32 (K, h, w)
        0 outside of the region.
    """
    y = np.arange(len(numbers))[:, None] + top
    lower = y > boxes[:, None, None, [1, 3]].mean(axis=3)
    logs = np.log(_COMMON / 64 + histograms)
    likely = np.stack([log[numbers + 64 * low] for log, low in zip(logs, lower, strict=True)])
    odds = np.empty(likely.shape, np.float32)
    for k in range(len(likely)):
        others = np.delete(likely, k, axis=0).max(axis=0)
        odds[k] = cv2.blur(np.clip(likely[k] - others, -_MOST, _MOST), (3, 3))
    return odds * region


def located(
    odds: npt.NDArray[np.float32],
    corner: tuple[int, int],
    region: Bools,
    shapes: list[Shape],
    centres: Floats,
    variances: Floats,
) -> Floats:
    """Where each of K shapes is in a region: its colours beneath it, not beyond the region, not far from expected.

    `centres` and `variances` (K, 2), pixels and px2, are what is expected. Returns centres, float64 (K, 2).
    """
    found = centres.copy()
    for k, shape in enumerate(shapes):
        tall, wide = shape.pixels.shape
        says = np.where(region, odds[k], np.float32(_OUTSIDE))
        around = cv2.copyMakeBorder(says, tall, tall, wide, wide, cv2.BORDER_CONSTANT, value=_OUTSIDE)
        total = cv2.matchTemplate(around, shape.pixels.astype(np.float32), cv2.TM_CCORR) / _INDEPENDENT
        y, x = (np.arange(n) + corner[1 - axis] - side - shape.offset[1 - axis]
                for axis, (n, side) in enumerate(zip(total.shape, (tall, wide), strict=True)))  # fmt: skip
        far = ((y - centres[k, 1]) ** 2 / variances[k, 1])[:, None] + (x - centres[k, 0]) ** 2 / variances[k, 0]
        row, column = divmod(int((total - far / 2).argmax()), total.shape[1])
        found[k] = x[column], y[row]
    return found


def shared_out(
    region: Bools,
    corner: tuple[int, int],
    shapes: list[Shape],
    centres: Floats,
    odds: npt.NDArray[np.float32] | None = None,
) -> tuple[npt.NDArray[np.int32], Floats, Floats]:
    """Whose pixels are a region's, of several tracks that are in it.

    A pixel goes to the shape that it lies in; outside of all, to the nearest; in several, to the one whose middle is
    nearest, measured in its size: a watershed from the shapes as they are expected. Colours move the borders.

    Parameters
    ----------
    region : bool (h, w)
        Cut out of the picture at `corner` (x, y).
    shapes : list of Shape
        Of the K tracks.
    centres : float64 (K, 2)
        Where they are.
    odds : float32 (K, h, w), optional
        As :func:`color_odds` gives them.

    Returns
    -------
    int32 (h, w), float64 (K,), float64 (K,)
        The number of the track, from 1, that each pixel belongs to, 0 outside of the region. Pixels of the region that
        are in one track's shape alone, and pixels that are in no other's shape; both as shares of the shape.
    """
    height, width = region.shape
    far = np.empty((len(shapes), height, width), np.float32)
    inside = np.zeros((len(shapes), height, width), bool)
    y, x = np.ogrid[:height, :width]
    for k, (shape, centre) in enumerate(zip(shapes, centres, strict=True)):
        tall, wide = shape.pixels.shape
        left = round(float(centre[0]) + shape.offset[0]) - corner[0]
        top = round(float(centre[1]) + shape.offset[1]) - corner[1]
        into = slice(max(top, 0), min(top + tall, height)), slice(max(left, 0), min(left + wide, width))
        if into[0].start < into[0].stop and into[1].start < into[1].stop:
            inside[k][into] = shape.pixels[
                into[0].start - top : into[0].stop - top, into[1].start - left : into[1].stop - left
            ]
        middle = np.hypot((x - left - wide / 2) / wide, (y - top - tall / 2) / tall).astype(np.float32)
        if inside[k].any():
            away = cv2.distanceTransform(np.logical_not(inside[k]).view(np.uint8), cv2.DIST_L2, 3)
        else:
            away = middle * max(tall, wide)
        far[k] = np.where(inside[k], middle / (1 + middle) - 1, away)
    if odds is not None:
        far -= _COLOR_WEIGHT * odds
    owners = (far.argmin(axis=0) + 1).astype(np.int32) * region
    count = inside.sum(axis=0)
    alone = (inside & region & (count == 1)).sum(axis=(1, 2))
    left_over = np.count_nonzero(region & (count == 0)) + alone
    sizes = np.maximum([np.count_nonzero(shape.pixels) for shape in shapes], 1)
    return owners, alone / sizes, left_over / sizes
