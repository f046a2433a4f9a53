"""What the network is told of motion: two small pictures made of the flow, and its own last answer carried along."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.geometry import vector_lengths
from motionseg.core.types import Flow

__all__ = ["carried_along", "motion_cues"]

Values = npt.NDArray[np.float32]

_ROWS = 240  # of a frame for which lengths are meant
_HALF = 1.0  # pixels there: of a residual motion that is half of the most that is told
_WINDOW = 9  # pixels there: in which directions are compared
_NOISE = 0.2  # pixels there: motion below that has no direction


def motion_cues(flow_back: Flow, camera: npt.NDArray[np.floating] | None, shape: tuple[int, ...]) -> Values:
    """How much each pixel moves by itself, and how well its neighbours agree about where to.

    Parameters
    ----------
    flow_back : float32 (h, w, 2)
        Where the pixels of this frame were in the last one, in pixels of the flow's own size.
    camera : float (3, 3), optional
        Motion of the camera from the last frame to this one, in pixels of the frame; None: it stood.
    shape : (int, int, ...)
        The frame's.

    Returns
    -------
    float32 (h, w, 2)
        Both in [0, 1]. Magnitude: m / (m + 1) of m pixels of residual motion, for frames of 240 rows. Agreement: length
        of the mean residual motion over the mean of its lengths, in windows of 9 pixels.
    """
    residual = flow_back if camera is None else flow_back - _camera_flow(camera, shape, flow_back.shape)
    unit = min(flow_back.shape[:2]) / _ROWS
    length = vector_lengths(residual)
    side = max(3, round(_WINDOW * unit) | 1)
    mean = cv2.blur(residual, (side, side))
    lengths = cv2.blur(length, (side, side))
    agreement = vector_lengths(np.asarray(mean)) / (lengths + np.float32(_NOISE * unit))
    return np.asarray(cv2.merge([length / (length + np.float32(_HALF * unit)), agreement]))


def _camera_flow(camera: npt.NDArray[np.floating], shape: tuple[int, ...], size: tuple[int, ...]) -> Flow:
    """Where a camera alone would have had the pixels of a frame before, as a flow of another `size`."""
    sx, sy = size[1] / shape[1], size[0] / shape[0]
    to_small = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])
    back = to_small @ np.linalg.inv(camera) @ np.linalg.inv(to_small)
    x, y = np.arange(size[1], dtype=np.float64), np.arange(size[0], dtype=np.float64)[:, None]
    depth = back[2, 0] * x + back[2, 1] * y + back[2, 2]
    to_x = (back[0, 0] * x + back[0, 1] * y + back[0, 2]) / depth - x
    to_y = (back[1, 0] * x + back[1, 1] * y + back[1, 2]) / depth - y
    return np.stack([to_x, to_y], axis=-1).astype(np.float32)


def carried_along(values: Any, flow_back: Flow | None) -> Values:
    """`values` (h, w) of the last frame, where this frame has them by the flow; both of one size."""
    if flow_back is None:
        return np.asarray(values, np.float32)
    height, width = values.shape
    x = flow_back[..., 0] + np.arange(width, dtype=np.float32)
    y = flow_back[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return np.asarray(cv2.remap(np.asarray(values, np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT))
