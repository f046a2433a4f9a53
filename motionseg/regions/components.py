"""Connected components of a mask, measured: what the linkers are fed with."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_frame, check_integer, check_mask
from motionseg.core.errors import FrameError
from motionseg.core.types import FOREGROUND, Frame, Labels, Mask, Regions, Score

__all__ = ["find_regions"]


def find_regions(
    mask: Mask, *, score: Score | None = None, frame: Frame | None = None, min_area: int = 1
) -> tuple[Labels, Regions]:
    """Label the connected foreground of a mask (8-neighbourhood) and measure each region.

    Parameters
    ----------
    mask : uint8 (H, W)
        255 is foreground; shadows (127) are not.
    score : float32 (H, W), optional
        Averaged over each region; without it every region's score is 1.
    frame : uint8 (H, W) or (H, W, 3), optional
        Its colour is averaged over each region; without it colours are 0.
    min_area : int, at least 1
        Smaller regions (px2) are left out of labels and table.

    Returns
    -------
    labels : int32 (H, W)
        0 background, 1..N without gaps, from top to bottom.
    regions : Regions
        Row i measures label i + 1.

    Raises
    ------
    FrameError
        An array has the wrong dtype, shape or size.
    ParameterError
        `min_area` is not a positive integer.

    Examples
    --------
    >>> mask = np.zeros((6, 8), np.uint8)
    >>> mask[1:4, 2:5] = 255
    >>> labels, regions = find_regions(mask)
    >>> regions.boxes.tolist(), regions.areas.tolist(), regions.centroids.tolist()
    ([[2.0, 1.0, 5.0, 4.0]], [9], [[3.0, 2.0]])
    """
    mask = check_mask(mask)
    min_area = check_integer("min_area", min_area, 1)
    if frame is not None:
        frame = check_frame(frame)
    for name, image in (("score", score), ("frame", frame)):
        if image is not None and image.shape[:2] != mask.shape:
            raise FrameError(f"the {name} has size {image.shape[:2]}, the mask {mask.shape}")
    _, foreground = cv2.threshold(mask, FOREGROUND - 1, 1, cv2.THRESH_BINARY)
    n, labels, stats, centroids = cv2.connectedComponentsWithStats(foreground, connectivity=8, ltype=cv2.CV_32S)
    boxes = np.concatenate([stats[:, :2], stats[:, :2] + stats[:, 2:4]], axis=1)
    keep = np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= min_area) + 1
    if len(keep) < n - 1:
        _renumber(labels, boxes, keep)
    boxes = boxes[keep]
    scores, colors = np.ones(len(keep), np.float32), np.zeros((len(keep), 3), np.float32)
    for row, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        inside = np.equal(labels[y0:y1, x0:x1], row + 1).view(np.uint8)
        if score is not None:
            scores[row] = cv2.mean(score[y0:y1, x0:x1], inside)[0]
        if frame is not None:
            mean = cv2.mean(frame[y0:y1, x0:x1], inside)
            colors[row] = mean[:3] if frame.ndim == 3 else mean[0]
    areas = stats[keep, cv2.CC_STAT_AREA].astype(np.int64)
    return labels, Regions(boxes.astype(np.float32), areas, centroids[keep].astype(np.float32), scores, colors)


def _renumber(labels: Labels, boxes: npt.NDArray[np.int32], keep: npt.NDArray[np.intp]) -> None:
    """Number the components `keep` from 1 and erase the others, in place, looking into their boxes only.

    In ascending order a new number is never that of a component still to come.
    """
    new = dict(zip(keep.tolist(), range(1, len(keep) + 1), strict=True))
    for old, (x0, y0, x1, y1) in enumerate(boxes[1:].tolist(), start=1):
        number = new.get(old, 0)
        if number != old:
            part = labels[y0:y1, x0:x1]
            part[part == old] = number
