"""Tracks as pixels: which region they move onto, and what shape they have."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.jit import kernel
from motionseg.core.types import Boxes, Flow, Labels

__all__ = ["Shape", "carried", "carried_boxes", "ellipse", "extents", "overlaps", "painted", "shape_of"]

_NO_FLOW = np.zeros((0, 0, 2), np.float32)


@kernel
def _count(start, stop, identities, ids, extents, steps, flow, labels, common, own):
    """Tracks start .. stop: each of its pixels is moved, and counts for the label it comes to."""
    height, width = labels.shape
    for row in range(start, stop):
        x0, y0, x1, y1 = extents[row]
        for y in range(max(y0, 0), min(y1, height)):
            for x in range(max(x0, 0), min(x1, width)):
                if identities[y, x] != ids[row]:
                    continue
                own[row] += 1
                if flow.shape[0] > 0:
                    u, v = x + int(np.rint(flow[y, x, 0])), y + int(np.rint(flow[y, x, 1]))
                else:
                    u, v = x + steps[row, 0], y + steps[row, 1]
                if 0 <= u < width and 0 <= v < height:
                    common[row, labels[v, u]] += 1


@kernel
def _paint(start, stop, labels, extents, owners, identities):
    """Regions start .. stop: their pixels get the id of their owner."""
    height, width = labels.shape
    for row in range(start, stop):
        if owners[row] == 0:
            continue
        x0, y0, x1, y1 = extents[row]
        for y in range(max(y0, 0), min(y1, height)):
            for x in range(max(x0, 0), min(x1, width)):
                if labels[y, x] == row + 1:
                    identities[y, x] = owners[row]


def overlaps(
    identities: Labels,
    ids: npt.NDArray[np.int64],
    boxes: npt.NDArray[np.floating],
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
        Of the tracks.
    boxes : float (N, 4)
        In which all pixels of each track lie.
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
    whole, within = np.rint(steps).astype(np.int64), extents(boxes, labels.shape)
    _count(0, len(ids), identities, ids, within, whole, _NO_FLOW if flow is None else flow, labels, common, own)
    return common[:, 1:], own


@kernel
def _keep(start, stop, old, ids, extents, identities):
    """Tracks start .. stop: their pixels stay."""
    height, width = identities.shape
    for row in range(start, stop):
        x0, y0, x1, y1 = extents[row]
        for y in range(max(y0, 0), min(y1, height)):
            for x in range(max(x0, 0), min(x1, width)):
                if old[y, x] == ids[row]:
                    identities[y, x] = ids[row]


def painted(
    labels: Labels,
    boxes: Boxes,
    owners: npt.NDArray[np.int64],
    *,
    under: tuple[Labels, npt.NDArray[np.int64], npt.NDArray[np.floating]] | None = None,
) -> Labels:
    """The picture in which each region has the id of its owner, int32 (H, W), 0 for none.

    Parameters
    ----------
    labels : int32 (H, W)
        The regions.
    boxes : float (M, 4)
        In which their pixels lie.
    owners : int64 (M,)
        Ids; 0 for none.
    under : (int32 (H, W), int64 (K,), float (K, 4)), optional
        A picture before, and the ids, and boxes, of the tracks in it that stay beneath the regions.
    """
    identities = np.zeros(labels.shape, np.int32)
    if under is not None:
        old, ids, places = under
        _keep(0, len(ids), old, ids, extents(places, labels.shape), identities)
    _paint(0, len(boxes), labels, extents(boxes, labels.shape), owners, identities)
    return identities


def extents(boxes: npt.NDArray[np.floating], shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Whole pixels, int64 (N, 4), that boxes touch in a picture of `shape`."""
    whole = np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])], axis=1)
    return np.clip(whole, 0, [shape[1], shape[0]] * 2).astype(np.int64)


def carried(picture: Labels, camera: npt.NDArray[np.float64]) -> Labels:
    """A picture of numbers as a camera sees it that has moved everything by `camera` (3, 3); 0 comes in."""
    # float32 holds numbers up to 16 million.
    moved = cv2.warpPerspective(picture.astype(np.float32), camera, picture.shape[::-1], flags=cv2.INTER_NEAREST)
    return np.asarray(moved, np.int32)


def carried_boxes(
    boxes: npt.NDArray[np.float64], camera: npt.NDArray[np.float64], shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Boxes (N, 4) about where such a camera takes what is in them, in a picture of `shape`; empty ones stay empty."""
    corners = np.stack([boxes[:, [0, 1]], boxes[:, [2, 1]], boxes[:, [0, 3]], boxes[:, [2, 3]]], axis=1)
    to = np.concatenate([corners, np.ones((*corners.shape[:2], 1))], axis=2) @ camera.T
    lost = (to[..., 2] <= 0).any(axis=1)
    places = to[..., :2] / np.where(lost[:, None], 1, to[..., 2])[..., None]
    moved = np.concatenate([places.min(axis=1) - 1, places.max(axis=1) + 1], axis=1)
    moved[lost] = 0, 0, shape[1], shape[0]
    moved[boxes[:, 2] <= boxes[:, 0]] = 0
    return np.clip(moved, -1, [shape[1] + 1, shape[0] + 1] * 2)


class Shape(NamedTuple):
    """How a track looked when it was last seen alone."""

    pixels: npt.NDArray[np.bool_]
    offset: tuple[float, float]
    """From the track's centre to the upper left corner, x and y, pixels."""

    def reduced(self, step: int) -> Shape:
        """The same in a picture of every `step`-th row and column."""
        return Shape(self.pixels[::step, ::step], (self.offset[0] / step, self.offset[1] / step))


def shape_of(
    identities: Labels, identity: int, box: npt.NDArray[np.floating], centre: npt.NDArray[np.floating]
) -> Shape | None:
    """The pixels of a track in a picture of ids, within `box` (4,), about `centre` (x, y); None if there are none."""
    x0, y0, x1, y1 = extents(box[None], identities.shape)[0].tolist()
    pixels = identities[y0:y1, x0:x1] == identity
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not len(rows):
        return None
    inner = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    return Shape(inner, (float(x0 + columns[0] - centre[0]), float(y0 + rows[0] - centre[1])))


def ellipse(size: npt.NDArray[np.floating]) -> Shape:
    """The shape of a track of which no pixels are known; `size`: width and height, pixels."""
    wide, tall = np.maximum(np.ceil(size), 1).astype(int).tolist()
    y, x = np.ogrid[:tall, :wide]
    pixels = ((x + 0.5) / wide - 0.5) ** 2 + ((y + 0.5) / tall - 0.5) ** 2 <= 0.25
    return Shape(pixels, (-wide / 2, -tall / 2))
