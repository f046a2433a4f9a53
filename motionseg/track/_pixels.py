"""Tracks as pixels: which region they move onto, and how a region is shared out among several of them."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.jit import kernel
from motionseg.core.types import Flow, Labels

__all__ = ["Shape", "carried", "overlaps", "shape_of", "shared_out"]

_NO_FLOW = np.zeros((0, 0, 2), np.float32)


@kernel
def _count(start, stop, identities, ids, steps, flow, labels, common, own):
    """Rows start .. stop: each pixel of a track is moved, and counts for the label it comes to."""
    height, width = labels.shape
    last_id, row = 0, -1
    for y in range(start, stop):
        for x in range(width):
            identity = identities[y, x]
            if identity == 0:
                continue
            if identity != last_id:
                last_id, row = identity, np.searchsorted(ids, identity)
                if row == len(ids) or ids[row] != identity:
                    row = -1
            if row < 0:
                continue
            own[row] += 1
            if flow.shape[0] > 0:
                u, v = x + int(np.rint(flow[y, x, 0])), y + int(np.rint(flow[y, x, 1]))
            else:
                u, v = x + steps[row, 0], y + steps[row, 1]
            if 0 <= u < width and 0 <= v < height:
                common[row, labels[v, u]] += 1


def overlaps(
    identities: Labels,
    ids: npt.NDArray[np.int64],
    steps: npt.NDArray[np.floating],
    labels: Labels,
    n_regions: int,
    *,
    flow: Flow | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Common pixels of tracks, moved on, and regions.

    Parameters
    ----------
    identities : int32 (H, W)
        The id of the track that each pixel belonged to, 0 for none.
    ids : int64 (N,)
        Of the tracks, ascending.
    steps : float (N, 2)
        How far each has moved, pixels.
    labels : int32 (H, W)
        The regions now.
    flow : float32 (H, W, 2), optional
        How far each pixel has moved; then `steps` do not count.

    Returns
    -------
    int64 (N, `n_regions`), int64 (N,)
        Common pixels; and the pixels that each track has in `identities`.
    """
    common, own = np.zeros((len(ids), n_regions + 1), np.int64), np.zeros(len(ids), np.int64)
    whole = np.rint(steps).astype(np.int64)
    _count(0, len(labels), identities, ids, whole, _NO_FLOW if flow is None else flow, labels, common, own)
    return common[:, 1:], own


def carried(picture: Labels, camera: npt.NDArray[np.float64]) -> Labels:
    """A picture of numbers as a camera sees it that has moved everything by `camera` (3, 3); 0 comes in."""
    # float32 holds numbers up to 16 million.
    moved = cv2.warpPerspective(picture.astype(np.float32), camera, picture.shape[::-1], flags=cv2.INTER_NEAREST)
    return np.asarray(moved, np.int32)


class Shape(NamedTuple):
    """How a track looked when it was last seen alone."""

    pixels: npt.NDArray[np.bool_]
    offset: tuple[float, float]
    """From the track's centre to the upper left corner, x and y, pixels."""


def shape_of(picture: Labels, value: int, centre: npt.NDArray[np.floating]) -> Shape | None:
    """The pixels of `value` in a picture of numbers, about `centre` (x, y); None if there are none."""
    rows = np.flatnonzero((picture == value).any(axis=1))
    if not len(rows):
        return None
    band = picture[rows[0] : rows[-1] + 1] == value
    columns = np.flatnonzero(band.any(axis=0))
    pixels = band[:, columns[0] : columns[-1] + 1].copy()
    return Shape(pixels, (float(columns[0] - centre[0]), float(rows[0] - centre[1])))


def shared_out(
    region: npt.NDArray[np.bool_],
    corner: tuple[int, int],
    shapes: list[Shape],
    centres: npt.NDArray[np.floating],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Whose pixels are a region's, of several tracks that are in it.

    A pixel goes to the shape that it lies in; outside of all, to the nearest; in several, to the one whose middle is
    nearest, measured in its size: a watershed from the shapes as they are expected.

    Parameters
    ----------
    region : bool (h, w)
        Cut out of the picture at `corner` (x, y).
    shapes : list of Shape
        Of the K tracks.
    centres : float (K, 2)
        Where they are expected.

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
    owners = (far.argmin(axis=0) + 1).astype(np.int32) * region
    count = inside.sum(axis=0)
    alone = (inside & region & (count == 1)).sum(axis=(1, 2))
    left_over = np.count_nonzero(region & (count == 0)) + alone
    sizes = np.maximum([np.count_nonzero(shape.pixels) for shape in shapes], 1)
    return owners, alone / sizes, left_over / sizes
