"""Results beside truth: error maps, labels and flow in colours."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_mask, check_number
from motionseg.core.errors import FrameError
from motionseg.core.types import FOREGROUND, Boxes, Flow, Frame, Mask
from motionseg.viz.overlay import track_color

__all__ = ["color_flow", "color_labels", "draw_boxes", "error_map"]

_OUTSIDE, _UNKNOWN, _MOTION, _SHADOW = 85, 170, 255, 50
# Told apart by people who do not see red and green, too: Okabe and Ito's vermilion and sky blue, BGR.
_FALSE_ALARM, _MISSED = (0, 94, 213), (233, 180, 86)
_FOUND, _QUIET, _IN_SHADOW, _NOT_JUDGED = (255, 255, 255), (0, 0, 0), (60, 60, 60), (110, 90, 90)


def error_map(mask: Mask, truth: npt.NDArray[np.uint8], roi: npt.NDArray[np.bool_] | None = None) -> Frame:
    """Where a mask is right and where it is wrong, in colours.

    Parameters
    ----------
    mask : uint8 (H, W)
        255 is foreground.
    truth : uint8 (H, W)
        CDnet's codes: 0 static, 50 shadow, 85 and 170 not judged, 255 motion.
    roi : bool (H, W), optional
        Only pixels inside are judged.

    Returns
    -------
    uint8 (H, W, 3)
        BGR. White: found, black: rightly quiet (dark grey in a shadow), orange: false alarm, light blue:
        missed, violet grey: not judged.

    Raises
    ------
    FrameError
        Not masks of one shape.

    Examples
    --------
    >>> error_map(np.array([[255, 0]], np.uint8), np.array([[255, 255]], np.uint8)).tolist()
    [[[255, 255, 255], [233, 180, 86]]]
    """
    mask, truth = check_mask(mask), check_mask(truth, mask.shape)
    found, moving = mask == FOREGROUND, truth == _MOTION
    picture = np.zeros((*mask.shape, 3), np.uint8)
    picture[truth == _SHADOW] = _IN_SHADOW
    picture[found & moving] = _FOUND
    picture[found & ~moving] = _FALSE_ALARM
    picture[~found & moving] = _MISSED
    skipped = (truth == _OUTSIDE) | (truth == _UNKNOWN)
    picture[skipped if roi is None else skipped | ~roi] = _NOT_JUDGED
    return picture


def color_labels(labels: npt.NDArray[np.integer]) -> Frame:
    """A label image in colours, the same one for the same label always.

    Parameters
    ----------
    labels : integer (H, W)
        0 becomes black, -1 (void) grey.

    Returns
    -------
    uint8 (H, W, 3)
        BGR.

    Examples
    --------
    >>> color_labels(np.array([[0, 1]], np.int32)).tolist()
    [[[0, 0, 0], [255, 120, 64]]]
    """
    picture = np.zeros((*labels.shape, 3), np.uint8)
    for label in np.unique(labels).tolist():
        if label:
            picture[labels == label] = _NOT_JUDGED if label < 0 else track_color(label)
    return picture


def color_flow(flow: Flow, valid: npt.NDArray[np.bool_] | None = None, *, longest: float | None = None) -> Frame:
    """Flow in colours: the hue is the direction, the saturation the length; white stands still.

    Parameters
    ----------
    flow : float32 (H, W, 2)
        dx right, dy down, pixels.
    valid : bool (H, W), optional
        Other pixels become black.
    longest : float, above 0, optional
        Length in pixels that is fully saturated; default: the 99th percentile of the valid ones (at least 1).
        Give the same one for pictures that are compared.

    Returns
    -------
    uint8 (H, W, 3)
        BGR.

    Raises
    ------
    FrameError
        `flow` has another shape.

    Examples
    --------
    >>> color_flow(np.zeros((1, 1, 2), np.float32)).tolist()
    [[[255, 255, 255]]]
    """
    if flow.ndim != 3 or flow.shape[2] != 2:
        raise FrameError(f"a flow has shape (H, W, 2), not {flow.shape}")
    known = np.isfinite(flow).all(axis=2) if valid is None else valid & np.isfinite(flow).all(axis=2)
    dx, dy = np.where(known[..., None], flow, 0).astype(np.float32).transpose(2, 0, 1)
    length = np.hypot(dx, dy)
    if longest is None:
        longest = max(1.0, float(np.percentile(length[known], 99))) if known.any() else 1.0
    longest = check_number("longest", longest, 0, above=True)
    hue = (np.degrees(np.arctan2(dy, dx)) % 360 / 2).astype(np.uint8)
    saturation = (255 * np.minimum(length / longest, 1)).astype(np.uint8)
    picture = cv2.cvtColor(cv2.merge((hue, saturation, np.full_like(hue, 255))), cv2.COLOR_HSV2BGR)
    picture[~known] = 0
    return np.asarray(picture)


def draw_boxes(picture: Frame, boxes: Boxes, ids: npt.NDArray[np.integer]) -> Frame:
    """A copy of `picture` (uint8 BGR) with boxes (N, 4), each in the colour of its id and with its number."""
    drawn = picture.copy()
    for (x0, y0, x1, y1), track_id in zip(boxes.round().astype(int).tolist(), ids.tolist(), strict=True):
        color = track_color(track_id)
        cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), color, 2)
        cv2.putText(drawn, str(track_id), (x0 + 3, y0 + 14), cv2.FONT_HERSHEY_SIMPLEX, 0.5, color, 1, cv2.LINE_AA)
    return drawn
