"""The region that covers most of the pixels where a track was last seen: masks instead of boxes."""

from __future__ import annotations

import numpy as np

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_number
from motionseg.core.geometry import box_iou
from motionseg.core.types import Labels, Regions
from motionseg.track._assignment import Pairs
from motionseg.track._pixel_linker import PixelLinker

__all__ = ["Overlap"]


class Overlap(PixelLinker):
    """Compares the masks of regions with those of tracks when they were last seen, by intersection over union.

    Two things side by side whose boxes overlap are told apart. A thing that goes farther than its own length from frame
    to frame is lost. Where `labels` are not given, boxes are compared, predicted ones with those of the regions.

    Parameters
    ----------
    min_iou : float in [0, 1]
        Least intersection over union.
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
        A parameter is out of range. ``update``: also where `labels` have another size than before.

    Notes
    -----
    Memory: one picture of int32, of the frame's size. What passes over a track that is not seen hides its pixels there.

    References
    ----------
    E. Bochinski et al., High-speed tracking-by-detection without using image information, AVSS 2017,
    doi:10.1109/AVSS.2017.8078516: overlap alone, of boxes.

    Examples
    --------
    >>> linker = Overlap(min_hits=2)
    >>> for step in range(5):
    ...     labels = np.zeros((40, 60), np.int32)
    ...     labels[5:25, 10 + 2 * step : 20 + 2 * step] = 1
    ...     boxes = np.array([[10 + 2 * step, 5, 20 + 2 * step, 25]], np.float32)
    ...     columns = np.full(1, 200), boxes[:, :2] + (5, 10), np.ones(1, np.float32), np.zeros((1, 3), np.float32)
    ...     tracks = linker.update(Regions(boxes, *columns), step / 25, labels=labels)
    >>> tracks.visible.ids.tolist()
    [1]
    """

    info = ModelInfo(
        paper="masks instead of boxes in Bochinski et al. 2017, High-speed tracking-by-detection",
        speed="fast",
        good_at="large or slow things close together",
    )

    _keeps_unseen = True

    def __init__(
        self,
        *,
        min_iou: float = 0.1,
        min_hits: int = 4,
        max_gap: float = 1.0,
        acceleration: float = 3.0,
        localization: float = 0.15,
    ) -> None:
        self.min_iou = check_number("min_iou", min_iou, 0, 1)
        self._set_life(min_hits, max_gap, acceleration, localization)
        self.reset()

    def _assign(self, regions: Regions, labels: Labels | None) -> Pairs:
        if labels is None:
            return self._believed_first(box_iou(self._boxes(), regions.boxes), self.min_iou)
        common, own = self._common(regions, labels, np.zeros((len(self._tracks), 2)))
        return self._believed_first(common / np.maximum(own[:, None] + regions.areas - common, 1), self.min_iou)
