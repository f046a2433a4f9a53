"""Whether the borders of regions are those of things that are there."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.types import Boxes, Frame, Labels

__all__ = ["presences"]

_ACROSS = 2  # pixels from a border to where its two sides are looked at
_STEP = 12.0  # grey levels between the two sides that are more than noise


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
