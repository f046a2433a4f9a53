"""Tracks that rely on what was seen, not on what was predicted, where nothing was seen (Cao 2023, OC-SORT)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_number
from motionseg.core.geometry import box_iou
from motionseg.core.types import Boxes, Labels, Regions
from motionseg.track._assignment import Pairs, assigned
from motionseg.track._box_linker import BoxLinker, Rows
from motionseg.track._kalman import Filters, centres_of, corrected, moved, moved_boxes, predicted

__all__ = ["ObservationCentric"]

_KEPT = 8  # observations of a track
_MOST_STEPS = 100  # of a way that nobody saw


class ObservationCentric(BoxLinker):
    """Overlap, and the direction in which a track was seen to go; lost tracks are looked for where they were last seen.

    When a track is found again, its filter is taken back to when it was last seen and led straight to where it is now:
    what it believed meanwhile about its speed is forgotten.

    Parameters
    ----------
    min_iou : float in [0, 1]
        Least overlap of predicted box (or last seen one) and region.
    inertia : float, at least 0
        How much the direction counts beside the overlap: from 0 for the opposite one to so much for the same.
    span : float, above 0
        Seconds between the two observations from which a track's direction is taken, at least.
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
    J. Cao et al., Observation-centric SORT: rethinking SORT for robust multi-object tracking, CVPR 2023,
    doi:10.1109/CVPR52729.2023.00934.

    Examples
    --------
    >>> linker = ObservationCentric(min_hits=2)
    >>> for step in range(5):
    ...     boxes = np.array([[10 + 2 * step, 5, 20 + 2 * step, 25]], np.float32)
    ...     columns = np.full(1, 200), boxes[:, :2] + (5, 10), np.ones(1, np.float32), np.zeros((1, 3), np.float32)
    ...     tracks = linker.update(Regions(boxes, *columns), time=step / 25)
    >>> tracks.visible.ids.tolist()
    [1]
    """

    info = ModelInfo(
        paper="Cao et al. 2023, Observation-centric SORT, doi:10.1109/CVPR52729.2023.00934",
        speed="very fast",
        good_at="things that turn, dance or are hidden for long",
    )

    def __init__(
        self,
        *,
        min_iou: float = 0.3,
        inertia: float = 0.2,
        span: float = 0.1,
        min_hits: int = 3,
        max_gap: float = 1.0,
        acceleration: float = 3.0,
        localization: float = 0.15,
    ) -> None:
        self.min_iou = check_number("min_iou", min_iou, 0, 1)
        self.inertia = check_number("inertia", inertia, 0)
        self.span = check_number("span", span, 0, above=True)
        self._set_life(min_hits, max_gap, acceleration, localization)
        self.reset()

    # --- what is remembered of tracks: the last observations, oldest first, and the filter at the last one ---------

    def _born(self, boxes: Boxes, time: float) -> Rows:
        rows = super()._born(boxes, time)
        observed = np.full((len(boxes), _KEPT, 5), np.nan)
        observed[:, -1, 0], observed[:, -1, 1:] = time, boxes
        filters = {"means_seen": rows["means"].copy(), "covariances_seen": rows["covariances"].copy()}
        return {**rows, **filters, "observed": observed}

    def _seen(self, rows: npt.NDArray[np.intp], boxes: Boxes, time: float) -> None:
        lost = self._rows["last_seen"][rows] < self._last_time
        for row, box in zip(rows[lost].tolist(), boxes[lost], strict=True):
            self._set_filters(np.array([row]), self._led_to(row, box, time))
        super()._seen(rows, boxes, time)
        observed = self._rows["observed"]
        observed[rows, :-1] = observed[rows, 1:]
        observed[rows, -1, 0], observed[rows, -1, 1:] = time, boxes
        self._rows["means_seen"][rows], self._rows["covariances_seen"][rows] = self._filters(rows)

    def _move(self, camera: npt.NDArray[np.float64]) -> None:
        super()._move(camera)
        rows = self._rows
        seen = moved(Filters(rows["means_seen"], rows["covariances_seen"]), camera)
        rows["means_seen"], rows["covariances_seen"] = seen
        rows["observed"][..., 1:] = moved_boxes(rows["observed"][..., 1:], camera)

    def _led_to(self, row: int, box: npt.NDArray[np.float32], time: float) -> Filters:
        """The filter of a track on the straight way from where it was last seen to `box`, just before it gets there."""
        last, frame = self._rows["observed"][row, -1], time - self._last_time
        gap = time - last[0]
        n = int(np.clip(round(gap / frame), 1, _MOST_STEPS))
        filters = Filters(self._rows["means_seen"][[row]], self._rows["covariances_seen"][[row]])
        for step in range(1, n):
            between = (last[1:] + (box - last[1:]) * step / n).astype(np.float32)[None]
            filters = corrected(predicted(filters, gap / n, self.acceleration), between, self.localization)
        return predicted(filters, gap / n, self.acceleration)

    # --- who is whom -------------------------------------------------------------------------------

    def _assign(self, regions: Regions, labels: Labels | None) -> Pairs:
        overlap = box_iou(self._boxes(), regions.boxes)
        likeness = np.where(overlap >= self.min_iou, overlap + self.inertia * self._goes_on(regions.boxes), 0)
        rows, columns = assigned(likeness, self.min_iou)
        where_seen = box_iou(self._rows["observed"][:, -1, 1:].astype(np.float32), regions.boxes)
        where_seen[rows] = where_seen[:, columns] = 0
        others, left = assigned(where_seen, self.min_iou)
        return np.concatenate([rows, others]), np.concatenate([columns, left])

    def _goes_on(self, boxes: Boxes) -> npt.NDArray[Any]:
        """How well a step to each of `boxes` keeps a track's direction, in [0, 1]; 0.5 where it has none."""
        observed = self._rows["observed"]
        last = observed[:, -1]
        old_enough = last[:, None, 0] - observed[..., 0] >= self.span - 1e-9  # False for NaN
        newest = np.where(old_enough.any(axis=1), _KEPT - 1 - old_enough[:, ::-1].argmax(axis=1), -1)
        before = observed[np.arange(len(observed)), newest]
        here, _ = centres_of(last[:, 1:])
        there, _ = centres_of(before[:, 1:])
        to, _ = centres_of(boxes)
        way, step = here - there, to[None] - here[:, None]
        lengths = np.hypot(*way.T)[:, None] * np.hypot(step[..., 0], step[..., 1])
        cosine = (step @ way[..., None])[..., 0] / np.where(lengths > 0, lengths, 1)
        return np.where(lengths > 0, 1 - np.arccos(np.clip(cosine, -1, 1)) / np.pi, 0.5)
