"""Masks carried along by dense flow: the overlap of where each pixel of a track has gone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_number
from motionseg.core.geometry import box_iou
from motionseg.core.types import Flow, Labels, Regions
from motionseg.track._assignment import Pairs
from motionseg.track._pixel_linker import PixelLinker
from motionseg.track._pixels import overlaps

__all__ = ["MaskFlow"]


class MaskFlow(PixelLinker):
    """Moves the mask of every track along the flow and compares it with those of regions, by intersection over union.

    What goes farther than its own length, turns or bends still covers itself. Where `flow` is not given, a mask is
    moved by its track's velocity; so is one that is not seen, from where it last was. Where `labels` are not given,
    boxes are compared, predicted ones with those of the regions.

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
    Flow costs many times what the linking does; `motionseg segment` estimates it, by DIS, for this linker alone.

    References
    ----------
    Masks brought from frame to frame by flow, as tracklets of video segmentation are begun: J. Luiten et al., PReMVOS,
    ACCV 2018, doi:10.1007/978-3-030-20870-7_35.

    Examples
    --------
    A thing that jumps three of its lengths at a time, with the flow that says so.

    >>> linker = MaskFlow(min_hits=2)
    >>> for step in range(4):
    ...     labels, left = np.zeros((30, 120), np.int32), 30 * step
    ...     labels[5:25, left : left + 10] = 1
    ...     boxes, flow = np.array([[left, 5, left + 10, 25]], np.float32), np.zeros((30, 120, 2), np.float32)
    ...     flow[5:25, max(left - 30, 0) : max(left - 20, 0), 0] = 30  # from the last frame to this one
    ...     columns = np.full(1, 200), boxes[:, :2] + (5, 10), np.ones(1, np.float32), np.zeros((1, 3), np.float32)
    ...     tracks = linker.update(Regions(boxes, *columns), step / 5, labels=labels, flow=flow)
    >>> tracks.visible.ids.tolist()
    [1]
    """

    info = ModelInfo(
        paper="masks warped by flow, in the line of Luiten et al. 2018, PReMVOS, doi:10.1007/978-3-030-20870-7_35",
        speed="slow",
        good_at="things that go far, turn or bend between frames, low frame rates",
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

    def reset(self) -> None:
        super().reset()
        self._before: tuple[Labels, npt.NDArray[np.float64]] | None = None

    def _move(self, camera: npt.NDArray[np.float64]) -> None:
        self._before = self._identities, self._rows["extents"]  # flow is of the pixels before, the camera's in it
        super()._move(camera)

    def _flow_along(self, flow: Flow) -> None:
        self._flow = flow

    def _assign(self, regions: Regions, labels: Labels | None) -> Pairs:
        (identities, extents), flow = self._before or (self._identities, self._rows["extents"]), self._flow
        self._before = self._flow = None
        if labels is None:
            return self._believed_first(box_iou(self._boxes(), regions.boxes), self.min_iou)
        gaps = self._time - self._rows["last_seen"]
        common, own = self._common(regions, labels, self._filters().velocities * gaps[:, None])
        seen = np.flatnonzero(self._tracks.labels)
        if flow is not None and identities.size:
            common[seen], own[seen] = overlaps(
                identities,
                self._tracks.ids[seen],
                extents[seen],
                np.zeros((len(seen), 2)),
                labels,
                len(regions),
                flow=flow,
            )
        return self._believed_first(common / np.maximum(own[:, None] + regions.areas - common, 1), self.min_iou)
