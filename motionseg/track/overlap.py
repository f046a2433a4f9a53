"""The region that covers most of the pixels where a track was last seen: masks instead of boxes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_number
from motionseg.core.errors import ParameterError, StateError
from motionseg.core.geometry import box_iou, label_overlaps
from motionseg.core.types import Labels, Regions
from motionseg.track._assignment import Pairs
from motionseg.track._box_linker import BoxLinker

__all__ = ["Overlap"]


class Overlap(BoxLinker):
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

    def reset(self) -> None:
        super().reset()
        self._owners = np.zeros((0, 0), np.int32)  # of each pixel: the id of the track last seen there, 0 for none

    def _check(self, regions: Regions, labels: Labels | None) -> None:
        if labels is not None and self._owners.size and labels.shape != self._owners.shape:
            raise ParameterError(f"labels are {labels.shape}, and were {self._owners.shape} before")

    def _move(self, camera: npt.NDArray[np.float64]) -> None:
        super()._move(camera)
        if self._owners.size:
            size = self._owners.shape[::-1]
            # float32 holds ids up to 16 million.
            carried = cv2.warpPerspective(self._owners.astype(np.float32), camera, size, flags=cv2.INTER_NEAREST)
            self._owners = np.asarray(carried, np.int32)

    def _assign(self, regions: Regions, labels: Labels | None) -> Pairs:
        if labels is None or not self._owners.size:
            return self._believed_first(box_iou(self._boxes(), regions.boxes), self.min_iou)
        n = len(self._tracks)
        place = self._by_id(np.arange(1, n + 1))
        common = np.zeros((n, len(regions)))
        counts = label_overlaps(place[self._owners], labels)[1:, 1:]
        common[: counts.shape[0], : counts.shape[1]] = counts
        either = self._tracks.areas[:, None] + regions.areas - common
        return self._believed_first(common / np.maximum(either, 1), self.min_iou)

    def _note(self, labels: Labels | None) -> None:
        if labels is None:
            return
        tracks = self._tracks
        owner = np.zeros(int(tracks.labels.max(initial=0)) + 1, np.int32)
        owner[tracks.labels] = tracks.ids
        owner[0] = 0
        if self._owners.shape != labels.shape:
            self._owners = np.zeros(labels.shape, np.int32)
        waits = self._by_id(tracks.labels == 0)  # seen ones have left their old place, and others are gone
        kept = np.where(waits[self._owners] > 0, self._owners, 0)
        named = owner[np.minimum(labels, len(owner) - 1)] * (labels < len(owner))
        self._owners = np.where(labels > 0, named, kept).astype(np.int32)

    def _by_id(self, values: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
        """A table by id, up to the highest yet: `values` of the tracks, 0 for all others."""
        table = np.zeros(self._next_id, np.int32)
        table[self._tracks.ids] = values
        return table

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {**super().state(), "owners": self._owners.copy()}

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        owners = state.get("owners")
        if owners is None or owners.ndim != 2 or owners.dtype != np.int32:
            raise StateError("the state of Overlap lacks the array 'owners', int32 (H, W)")
        super().load_state(state)
        self._owners = owners.copy()
