"""What linkers of masks share: they remember whose each pixel was, and how far regions cover it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import ParameterError, StateError
from motionseg.core.types import Boxes, Flow, Labels, Regions
from motionseg.track._box_linker import BoxLinker, Rows
from motionseg.track._pixels import carried, carried_boxes, extents, overlaps, painted

__all__ = ["PixelLinker"]


class PixelLinker(BoxLinker):
    """Keeps a picture of the ids of tracks, which goes with the camera; without labels it is empty."""

    _keeps_unseen = False
    """Whether the pixels of a track that is not seen stay where they were, until something passes over them."""

    def reset(self) -> None:
        super().reset()
        self._identities = np.zeros((0, 0), np.int32)
        self._flow: Flow | None = None

    def _born(self, boxes: Boxes, time: float) -> Rows:
        return {**super()._born(boxes, time), "extents": np.zeros((len(boxes), 4))}  # boxes of their pixels

    def _check(self, regions: Regions, labels: Labels | None) -> None:
        if labels is not None and self._identities.size and labels.shape != self._identities.shape:
            raise ParameterError(f"labels are {labels.shape}, and were {self._identities.shape} before")

    def _move(self, camera: npt.NDArray[np.float64]) -> None:
        super()._move(camera)
        if self._identities.size:
            self._identities = carried(self._identities, camera)
            self._rows["extents"] = carried_boxes(self._rows["extents"], camera, self._identities.shape)

    def _common(
        self, regions: Regions, labels: Labels, steps: npt.NDArray[np.floating], *, flow: Flow | None = None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Pixels (N, M) of tracks, moved by `steps` (N, 2) or along the flow, in regions; and (N,) of tracks."""
        n, m = len(self._tracks), len(regions)
        if not self._identities.size:
            return np.zeros((n, m), np.int64), np.zeros(n, np.int64)
        return overlaps(self._identities, self._tracks.ids, self._rows["extents"], steps, labels, m, flow=flow)

    def _pixels_of(self, rows: npt.NDArray[np.intp]) -> Iterator[tuple[tuple[slice, slice], npt.NDArray[np.bool_]]]:
        """Windows in the picture, and the pixels (h, w) of a track in each, of the tracks `rows`."""
        if not self._identities.size:
            return
        boxes = extents(self._rows["extents"][rows], self._identities.shape)
        for identity, (x0, y0, x1, y1) in zip(self._tracks.ids[rows].tolist(), boxes.tolist(), strict=True):
            window = slice(y0, y1), slice(x0, x1)
            yield window, self._identities[window] == identity

    def _pieces(self) -> dict[int, int]:
        """Numbers of regions that are nobody's label, but part of a track; and the ids of these."""
        return {}

    def _note(self, regions: Regions, labels: Labels | None) -> None:
        if labels is None:
            self._identities = np.zeros((0, 0), np.int32)
            return
        tracks, places, pieces = self._tracks, self._rows["extents"], self._pieces()
        seen, owners = tracks.labels > 0, np.zeros(len(regions), np.int64)
        owners[tracks.labels[seen] - 1] = tracks.ids[seen]
        if not self._keeps_unseen:
            places[~seen] = 0
        kept = ~seen & (places[:, 2] > places[:, 0])
        places[seen] = regions.boxes[tracks.labels[seen] - 1]
        for column, identity in pieces.items():
            owners[column], row = identity, tracks.ids == identity
            places[row, :2] = np.minimum(places[row, :2], regions.boxes[column, :2])
            places[row, 2:] = np.maximum(places[row, 2:], regions.boxes[column, 2:])
        old = (self._identities, tracks.ids[kept], places[kept]) if kept.any() else None
        self._identities = painted(labels, regions.boxes, owners, under=old)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {**super().state(), "identities": self._identities.copy()}

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        identities = state.get("identities")
        if identities is None or identities.ndim != 2 or identities.dtype != np.int32:
            raise StateError(f"the state of {type(self).__name__} lacks the array 'identities', int32 (H, W)")
        super().load_state(state)
        self._identities = identities.copy()
