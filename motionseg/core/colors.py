"""Colours counted in a few bins: how regions look, and what regions and tracks compare."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.jit import kernel
from motionseg.core.types import Boxes, Frame, Labels

__all__ = ["COLOR_FEATURES", "color_histograms", "color_numbers"]

_LEVELS = 4  # of each colour
_HALVES = 2  # upper and lower: coat and trousers
_BINS = _LEVELS**3
_SAMPLES = 2000  # pixels of a region that are looked at, more or less

COLOR_FEATURES = _HALVES * _BINS
"""Numbers of a histogram: of the upper half, then of the lower."""


@kernel
def _count(start: int, stop: int, frame: Any, labels: Any, corners: Any, strides: Any, histograms: Any) -> None:
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


def color_numbers(frame: Frame) -> npt.NDArray[np.intp]:
    """The number, 0 to 63, of each pixel's nearest bin, intp (H, W); that of a lower half is 64 more."""
    steps = (frame.astype(np.intp) + 42) // 85
    return np.asarray(steps @ [16, 4, 1] if frame.ndim == 3 else steps * 21)
