"""Why each pixel was called foreground or background: a map of what each cue has said."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_frame, check_number
from motionseg.core.errors import FrameError
from motionseg.core.types import FOREGROUND, Frame, Segmentation

__all__ = ["color_evidence", "draw_evidence"]

_WIDTH = 426  # pixels of a map at most
_FOR, _AGAINST = np.array([40, 40, 230]), np.array([230, 120, 20])  # B, G, R
_STEPS = 127  # of strength, to either side
_SIDES = np.linspace(-1, 1, 2 * _STEPS + 1)[:, None]
_COLORS = np.uint8(np.round(255 + np.abs(_SIDES) * (np.where(_SIDES > 0, _FOR, _AGAINST) - 255)))
_COLORS = np.vstack([_COLORS, _COLORS[-1:]])[:, None]
_FONT, _WHITE, _BLACK = cv2.FONT_HERSHEY_SIMPLEX, (255, 255, 255), (0, 0, 0)


def color_evidence(share: npt.NDArray[np.floating], *, limit: float = 4.0) -> Frame:
    """What a cue has said of each pixel: red for foreground, blue for background, white for nothing.

    Parameters
    ----------
    share : float (H, W)
        Log-odds, natural logarithm; NaN is nothing.
    limit : float above 0
        Log-odds of full colour.

    Returns
    -------
    uint8 (H, W, 3)
        BGR.

    Examples
    --------
    >>> color_evidence(np.array([[-4.0, 0.0, 4.0]])).tolist()
    [[[230, 120, 20], [255, 255, 255], [40, 40, 230]]]
    """
    limit = check_number("limit", limit, 0, above=True)
    known = np.clip(np.asarray(share, np.float32), -limit, limit)
    cv2.patchNaNs(known, 0)
    strength = cv2.convertScaleAbs(known, alpha=_STEPS / limit, beta=_STEPS)
    return np.asarray(cv2.applyColorMap(strength, _COLORS))


def draw_evidence(frame: Frame, segmentation: Segmentation) -> Frame:
    """The frame with the mask's outline, and beside it a map for each cue: red for foreground, blue for background.

    Parameters
    ----------
    frame : uint8 (H, W) or (H, W, 3)
        Neither kept nor changed.
    segmentation : Segmentation
        Of this frame, with `evidence`.

    Returns
    -------
    uint8 (h, w, 3)
        BGR; three pictures in a row, each at most 426 pixels wide. The shares of the maps add up to the log-odds of
        the score.

    Raises
    ------
    FrameError
        The segmentation has no evidence, or is not of this frame.
    """
    frame = check_frame(frame)
    if not segmentation.evidence:
        raise FrameError("the segmentation has no evidence: ask for it with MotionSegmenter(explain=True)")
    if segmentation.mask.shape != frame.shape[:2]:
        raise FrameError(f"the mask has shape {segmentation.mask.shape}, the frame {frame.shape}")
    size = _tile_size(frame.shape)
    picture = cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR) if frame.ndim == 2 else frame.copy()
    found = np.uint8(segmentation.mask == FOREGROUND)
    outlines, _ = cv2.findContours(found, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outlines, -1, (60, 200, 255), max(1, frame.shape[1] // _WIDTH))
    tiles = [_tile(picture, "frame and mask", size)]
    for name, share in segmentation.evidence.items():
        tiles.append(_tile(color_evidence(share), name, size))
    while len(tiles) % 3:
        tiles.append(np.full_like(tiles[0], 255))
    rows = [np.hstack(tiles[i : i + 3]) for i in range(0, len(tiles), 3)]
    return np.ascontiguousarray(np.vstack(rows))


def _tile_size(shape: tuple[int, ...]) -> tuple[int, int]:
    factor = min(1.0, _WIDTH / shape[1])
    return max(1, round(shape[1] * factor)), max(1, round(shape[0] * factor))


def _tile(picture: Frame, title: str, size: tuple[int, int]) -> Frame:
    tile = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    (width, height), below = cv2.getTextSize(title, _FONT, 0.45, 1)
    cv2.rectangle(tile, (0, 0), (width + 10, height + below + 6), _BLACK, cv2.FILLED)
    cv2.putText(tile, title, (5, height + 4), _FONT, 0.45, _WHITE, 1, cv2.LINE_AA)
    return np.asarray(tile)
