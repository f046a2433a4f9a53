"""Masks at full size from masks at half of it, outlines drawn along the colours of the frame (Kopf et al., 2007)."""

from __future__ import annotations

import cv2
import numpy as np

from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Frame, Mask, Score

__all__ = ["halve", "upsample"]

_SPREAD = 20.0  # grey levels of colour difference that lower a neighbour's say to 0.6

# What a small pixel says whose centre is 0.5, 1.5, ... 5.5 pixels of the full frame away in x or y.
_NEARNESS = np.exp(-0.5 * ((np.arange(6) + 0.5) / 2) ** 2).astype(np.float32)


@kernel
def _upsample(start, stop, mask, score, small, frame, full_mask, full_score, nearness, falloff):
    """Rows start .. stop of the full frame; `small` and `frame` are (rows, columns, channels)."""
    height, width = mask.shape
    n_channels = frame.shape[2]
    for y in range(start, stop):
        row = y // 2
        top, bottom = max(row - 1, 0), min(row + 2, height)
        for x in range(full_mask.shape[1]):
            column = x // 2
            left, right = max(column - 1, 0), min(column + 2, width)
            label = mask[row, column]
            alike = True
            for j in range(top, bottom):
                for i in range(left, right):
                    alike &= mask[j, i] == label
            if alike:
                full_mask[y, x], full_score[y, x] = label, score[row, column]
                continue
            # Votes of the 5x5 small pixels around: those near, and of a like colour, say most.
            total, scores, shadow = np.float32(1e-20), np.float32(0), np.float32(0)
            for j in range(max(row - 2, 0), min(row + 3, height)):
                for i in range(max(column - 2, 0), min(column + 3, width)):
                    distance = np.float32(0)
                    for c in range(n_channels):
                        d = np.float32(frame[y, x, c]) - np.float32(small[j, i, c])
                        distance += d * d
                    dy = 2 * j - y if 2 * j >= y else y - 2 * j - 1
                    dx = 2 * i - x if 2 * i >= x else x - 2 * i - 1
                    weight = nearness[dy] * nearness[dx] * (np.exp(-falloff * distance) + np.float32(1e-6))
                    total += weight
                    scores += weight * score[j, i]
                    shadow += weight * np.float32(mask[j, i] == 127)
            value = scores / total
            full_score[y, x] = value
            full_mask[y, x] = 255 if value >= np.float32(0.5) else (127 if 2 * shadow > total else 0)


def halve(picture: Frame) -> Frame:
    """`picture` at half its size, odd ones rounded up: means of 2x2 pixels."""
    height, width = picture.shape[:2]
    if height % 2 or width % 2:
        picture = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return cv2.resize(picture, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)


def upsample(mask: Mask, score: Score, small: Frame, frame: Frame, full_mask: Mask, full_score: Score) -> None:
    """Write `full_mask` and `full_score` (H, W), of the size of `frame`, from those of `small`, half as large."""
    guides = (small.reshape(*small.shape[:2], -1), frame.reshape(*frame.shape[:2], -1))
    falloff = np.float32(0.5 / (_SPREAD**2 * guides[0].shape[2]))
    arrays = (mask, score, *guides, full_mask, full_score, _NEARNESS, falloff)
    run_strips(_upsample, len(frame), *arrays, pixels_per_unit=frame.shape[1])
