"""Tracks as pixels: which region they move onto, and what shape they have."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.jit import kernel
from motionseg.core.types import Flow, Labels

__all__ = ["Shape", "carried", "overlaps", "shape_of"]

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
