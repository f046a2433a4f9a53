"""How regions look: histograms of their colours, and whether their borders are those of things that are there."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.jit import kernel
from motionseg.core.types import Boxes, Frame, Labels

__all__ = ["color_histograms", "presences"]

_LEVELS = 4  # of each colour
_HALVES = 2  # upper and lower: coat and trousers
_BINS = _LEVELS**3
_SAMPLES = 2000  # pixels of a region that are looked at, more or less
_ACROSS = 2  # pixels from a border to where its two sides are looked at
_STEP = 12.0  # grey levels between the two sides that are more than noise


@kernel
def _count(start, stop, frame, labels, corners, strides, histograms):
    """Regions start .. stop: each pixel counts for the eight bins about its colour, by how near they are."""
    for row in range(start, stop):
        x0, y0, x1, y1 = corners[row]
        stride = strides[row]
        for y in range(y0, y1, stride):
            half = 0 if 2 * (y - y0) < y1 - y0 else 1
            for x in range(x0, x1, stride):
                if labels[y, x] != row + 1:
                    continue
                # Bins have their middles at 0, 85, 170 and 255.
                b, g, r = frame[y, x, 0] / 85.0, frame[y, x, 1] / 85.0, frame[y, x, 2] / 85.0
                i, j, k = min(int(b), 2), min(int(g), 2), min(int(r), 2)
                u, v, w = b - i, g - j, r - k
                place = 64 * half + 16 * i + 4 * j + k
                for step in range(8):
                    d, e, f = step >> 2, (step >> 1) & 1, step & 1
                    weight = (u if d else 1 - u) * (v if e else 1 - v) * (w if f else 1 - w)
                    histograms[row, place + 16 * d + 4 * e + f] += weight


def color_histograms(
    frame: Frame, labels: Labels, boxes: Boxes, areas: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Features (N, 128): square roots of the shares of 4 x 4 x 4 colours in a region's upper and lower half.

    The product of two is their Bhattacharyya coefficient. Large regions are sampled.
    """
    color = frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=2)
    histograms = np.zeros((len(boxes), _HALVES * _BINS), np.float32)
    strides = np.maximum(1, np.sqrt(areas / _SAMPLES)).astype(np.int64)
    _count(0, len(boxes), color, labels, boxes.astype(np.int64), strides, histograms)
    return np.asarray(np.sqrt(histograms / np.maximum(histograms.sum(axis=1, keepdims=True), 1)), np.float32)


def presences(frame: Frame, background: Frame, labels: Labels, boxes: Boxes) -> npt.NDArray[np.float32]:
    """Of each region, in [-1, 1]: the share of its border that is an edge in the frame, less that in the background."""
    found = np.zeros(len(boxes), np.float32)
    height, width = labels.shape
    for row, (x0, y0, x1, y1) in enumerate(boxes.astype(int).tolist()):
        inside = np.equal(labels[y0:y1, x0:x1], row + 1).view(np.uint8)
        outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        points = np.concatenate([outline[:, 0] for outline in outlines]) + np.array([x0, y0])
        middle = points.mean(axis=0)
        out = points - middle
        out = np.rint(_ACROSS * out / np.maximum(np.hypot(*out.T), 1)[:, None]).astype(int)
        (xi, yi), (xo, yo) = (np.clip((points + s * out).T, 0, [[width - 1], [height - 1]]) for s in (-1, 1))
        free = (labels[yo, xo] != row + 1) & (labels[yi, xi] == row + 1)
        if not free.any():
            continue
        xi, yi, xo, yo = xi[free], yi[free], xo[free], yo[free]
        now, before = (
            np.abs(picture[yi, xi].astype(int) - picture[yo, xo]).reshape(len(xi), -1).max(axis=1)
            for picture in (frame, background)
        )
        found[row] = np.mean((now > _STEP) & (now > before)) - np.mean((before > _STEP) & (before > now))
    return found
