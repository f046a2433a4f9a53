"""Who looks alike: regions are told by their features, within reach of where a track is expected."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_number
from motionseg.core.errors import ParameterError
from motionseg.core.geometry import box_intersections, box_iou
from motionseg.core.types import Boxes, Labels, Regions
from motionseg.track._assignment import Pairs
from motionseg.track._box_linker import BoxLinker, Rows
from motionseg.track._kalman import centres_of

__all__ = ["Appearance"]

_USUAL = 0.1  # gain of what is usual of a track's looks
_NEAR = 0.3  # of a likeness, that is lost at the end of a track's reach: who looks the same is told by place


class Appearance(BoxLinker):
    """Gives every track the region that looks like it, of those that it can have come to since it was last seen.

    Looks are the ``features`` of regions: the histogram of colours that `find_regions` measures with a frame, or the
    refiner's embedding. A track's are the mean of what was seen of it where nobody else was near. It is found again
    after long gaps, behind anything. Where features are missing, boxes are compared, predicted ones with the regions'.

    Parameters
    ----------
    min_likeness : float in [0, 1]
        Least product of a track's features and a region's.
    reach : float, above 0
        How far from where it is expected a track is looked for, in box sizes (the mean side of both).
    speed : float, at least 0
        How much farther with each second that it was not seen, in box sizes.
    min_iou : float in [0, 1]
        Least intersection over union of boxes where there are no features.
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
        A parameter is out of range. ``update``: also where features have another length than before.

    Notes
    -----
    Who looks the same is told by place alone, and badly when they cross. Memory: the features, 128 of float32 a track
    where they are colours.

    References
    ----------
    The running mean of looks, gated by motion: N. Wojke et al., Simple online and realtime tracking with a deep
    association metric, ICIP 2017, doi:10.1109/ICIP.2017.8296962. The histogram's product: D. Comaniciu et al.,
    Kernel-based object tracking, 2003, doi:10.1109/TPAMI.2003.1195991.

    Examples
    --------
    Two things change places while nobody looks.

    >>> linker, looks = Appearance(min_hits=2), np.eye(2, dtype=np.float32)
    >>> boxes = np.array([[20, 5, 30, 25], [45, 5, 55, 25]], np.float32)
    >>> columns = np.full(2, 200), boxes[:, :2] + (5, 10), np.ones(2, np.float32), np.zeros((2, 3), np.float32)
    >>> for step in range(5):
    ...     tracks = linker.update(Regions(boxes, *columns, looks), step / 25)
    >>> tracks = linker.update(Regions(boxes, *columns, looks[::-1]), 2.0)
    >>> tracks.visible.ids.tolist(), tracks.visible.labels.tolist()
    ([1, 2], [2, 1])
    """

    info = ModelInfo(
        paper="looks gated by motion, in the line of Wojke et al. 2017, Deep SORT, doi:10.1109/ICIP.2017.8296962",
        speed="very fast",
        good_at="things of different looks that vanish for seconds",
    )

    def __init__(
        self,
        *,
        min_likeness: float = 0.7,
        reach: float = 1.0,
        speed: float = 2.0,
        min_iou: float = 0.1,
        min_hits: int = 4,
        max_gap: float = 3.0,
        acceleration: float = 3.0,
        localization: float = 0.15,
    ) -> None:
        self.min_likeness = check_number("min_likeness", min_likeness, 0, 1)
        self.reach = check_number("reach", reach, 0, above=True)
        self.speed = check_number("speed", speed, 0)
        self.min_iou = check_number("min_iou", min_iou, 0, 1)
        self._set_life(min_hits, max_gap, acceleration, localization)
        self.reset()

    def reset(self) -> None:
        self._depth = 0  # of features
        super().reset()

    def _born(self, boxes: Boxes, time: float) -> Rows:
        return {**super()._born(boxes, time), "features": np.zeros((len(boxes), self._depth), np.float32)}

    def _check(self, regions: Regions, labels: Labels | None) -> None:
        depth = regions.features.shape[1]
        if self._depth and depth not in (0, self._depth):
            raise ParameterError(f"features are of {depth} numbers, and were of {self._depth} before")

    def _assign(self, regions: Regions, labels: Labels | None) -> Pairs:
        if not self._depth and regions.features.shape[1]:
            self._depth = regions.features.shape[1]
            self._rows["features"] = np.zeros((len(self._tracks), self._depth), np.float32)
        overlap = box_iou(self._boxes(), regions.boxes)
        likeness = np.where(overlap >= self.min_iou, overlap, 0)
        if self._measures(regions):
            products = self._rows["features"] @ regions.features.T
            alike = np.where(products >= self.min_likeness, products, 0) * self._nearness(regions)
            known = self._rows["features"].any(axis=1)[:, None] & regions.features.any(axis=1)
            likeness = np.where(known, alike, likeness)
        pairs = self._believed_first(likeness, 0)
        if self._measures(regions):
            self._learn(pairs, regions)
        return pairs

    def _measures(self, regions: Regions) -> bool:
        """Whether regions, if there are any, have features."""
        return bool(self._depth and regions.features.shape[1])

    def _nearness(self, regions: Regions) -> npt.NDArray[np.float64]:
        """Of tracks and regions (N, M): 1 where it is expected, less towards the end of its reach, 0 beyond."""
        (expected, size), (seen, other) = centres_of(self._boxes()), centres_of(regions.boxes)
        mean = (size.mean(axis=1)[:, None] + other.mean(axis=1)) / 2
        gaps = self._time - self._rows["last_seen"]
        reach = np.maximum(mean, 1) * (self.reach + self.speed * gaps)[:, None]
        distance = np.hypot(*(expected[:, None] - seen).transpose(2, 0, 1)) / reach
        return np.where(distance <= 1, 1 - _NEAR * distance, 0)

    def _learn(self, pairs: Pairs, regions: Regions) -> None:
        """Let what is usual follow what is seen, where no other track is expected."""
        rows, columns = pairs
        old = self._rows["features"][rows]
        alone = np.count_nonzero(box_intersections(self._boxes(), regions.boxes), axis=0)[columns] <= 1
        known = old.any(axis=1)
        gain = np.where(known, _USUAL * alone, 1)[:, None]
        mixed = old + gain * (regions.features[columns] - old)
        length = np.linalg.norm(mixed, axis=1, keepdims=True)
        self._rows["features"][rows] = mixed / np.maximum(length, 1e-6)

    def _begin(self, new: npt.NDArray[np.intp], regions: Regions, parents: npt.NDArray[np.int64]) -> None:
        super()._begin(new, regions, parents)
        if self._measures(regions):
            self._rows["features"][len(self._tracks) - len(new) :] = regions.features[new]

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        super().load_state(state)
        self._depth = self._rows["features"].shape[1]
