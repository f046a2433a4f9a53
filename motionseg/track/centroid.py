"""The nearest region to where a track is expected: for things of a few pixels, whose boxes hardly overlap."""

from __future__ import annotations

import numpy as np

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_number
from motionseg.core.types import Labels, Regions
from motionseg.track._assignment import Pairs
from motionseg.track._box_linker import BoxLinker
from motionseg.track._kalman import centres_of

__all__ = ["Centroid"]


class Centroid(BoxLinker):
    """Gives every track, predicted at constant velocity, the region whose centre is nearest; optimal in sum.

    Parameters
    ----------
    max_distance : float, above 0
        Of predicted centre and region's, in box sizes (the mean side of both) and `least_size` at least.
    least_size : float, at least 0
        Pixels that count as size where boxes are smaller.
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
    S. Blackman, R. Popoli, Design and analysis of modern tracking systems, Artech House 1999: global nearest neighbour.

    Examples
    --------
    >>> linker = Centroid(min_hits=2)
    >>> for step in range(5):
    ...     boxes = np.array([[10 + 7 * step, 5, 13 + 7 * step, 8]], np.float32)
    ...     columns = np.full(1, 9), boxes[:, :2] + 1.5, np.ones(1, np.float32), np.zeros((1, 3), np.float32)
    ...     tracks = linker.update(Regions(boxes, *columns), time=step / 25)
    >>> tracks.visible.ids.tolist()
    [1]
    """

    info = ModelInfo(paper="global nearest neighbour", speed="very fast", good_at="small things far apart")

    def __init__(
        self,
        *,
        max_distance: float = 1.5,
        least_size: float = 8.0,
        min_hits: int = 4,
        max_gap: float = 1.0,
        acceleration: float = 3.0,
        localization: float = 0.15,
    ) -> None:
        self.max_distance = check_number("max_distance", max_distance, 0, above=True)
        self.least_size = check_number("least_size", least_size, 0)
        self._set_life(min_hits, max_gap, acceleration, localization)
        self.reset()

    def _assign(self, regions: Regions, labels: Labels | None) -> Pairs:
        (expected, size), (seen, other) = centres_of(self._boxes()), centres_of(regions.boxes)
        mean = (size.mean(axis=1)[:, None] + other.mean(axis=1)) / 2
        distance = np.hypot(*(expected[:, None] - seen).transpose(2, 0, 1)) / np.maximum(mean, self.least_size)
        return self._believed_first(np.maximum(1 - distance / self.max_distance, 0), 0)
