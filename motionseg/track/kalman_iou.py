"""Constant-velocity Kalman filter, box overlap and optimal assignment (in the line of SORT, Bewley 2016)."""

from __future__ import annotations

import numpy as np

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_number
from motionseg.core.geometry import box_iou
from motionseg.core.types import Boxes, Labels, Regions
from motionseg.track._assignment import Pairs
from motionseg.track._box_linker import BoxLinker

__all__ = ["KalmanIoU"]


class KalmanIoU(BoxLinker):
    """Predicts every box at constant velocity and gives it the region that overlaps it best.

    Works in seconds and so with variable frame rates. Knows no appearance: who meets may swap ids.

    Parameters
    ----------
    min_iou : float in [0, 1]
        Least overlap of predicted box and region, both grown by `margin`.
    margin : float, at least 0
        Boxes are grown by this share of their size on each side before they are compared, so that
        small and fast objects still overlap (buffered IoU, Yang et al. 2023).
    min_hits : int, at least 1
        A track is tentative until it has been seen in this many frames.
    max_gap : float, above 0
        Seconds that a confirmed track lives unseen; a tentative one a quarter of that.
    acceleration : float, above 0
        Standard deviation of an object's acceleration, in box sizes per s2.
    localization : float, above 0
        Standard deviation of a region's centre about the object's, in box sizes.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    References
    ----------
    A. Bewley et al., Simple online and realtime tracking, ICIP 2016, doi:10.1109/ICIP.2016.7533003.
    F. Yang et al., Hard to track objects with irregular motions and similar appearances? Make it
    easier by buffering the matching space, WACV 2023, doi:10.1109/WACV56688.2023.00478.

    Examples
    --------
    >>> linker = KalmanIoU(min_hits=2)
    >>> for step in range(10):
    ...     boxes = np.array([[10 + 2 * step, 5, 20 + 2 * step, 25]], np.float32)
    ...     columns = np.full(1, 200), boxes[:, :2] + (5, 10), np.ones(1, np.float32), np.zeros((1, 3), np.float32)
    ...     tracks = linker.update(Regions(boxes, *columns), time=step / 25)
    >>> from motionseg.core.types import TrackState
    >>> tracks.ids.tolist(), TrackState(tracks.states[0]).name, bool(tracks.velocities[0, 0] > 30)
    ([1], 'CONFIRMED', True)
    """

    info = ModelInfo(
        paper="Bewley et al. 2016, Simple online and realtime tracking, doi:10.1109/ICIP.2016.7533003",
        speed="very fast",
        good_at="a few to some hundred separate objects that move smoothly",
    )

    def __init__(
        self,
        *,
        min_iou: float = 0.1,
        margin: float = 0.3,
        min_hits: int = 4,
        max_gap: float = 1.0,
        acceleration: float = 3.0,
        localization: float = 0.15,
    ) -> None:
        self.min_iou = check_number("min_iou", min_iou, 0, 1)
        self.margin = check_number("margin", margin, 0)
        self._set_life(min_hits, max_gap, acceleration, localization)
        self.reset()

    def _assign(self, regions: Regions, labels: Labels | None) -> Pairs:
        overlap = box_iou(_grown(self._boxes(), self.margin), _grown(regions.boxes, self.margin))
        return self._believed_first(overlap, self.min_iou)


def _grown(boxes: Boxes, margin: float) -> Boxes:
    border = margin * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - border, boxes[:, 2:] + border], axis=1)
