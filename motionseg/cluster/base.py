"""The protocol of flow clusterers: dense flow in, labels of the parts that move by themselves out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_flow, check_frame, check_pixels, check_transform
from motionseg.core.errors import FrameError
from motionseg.core.geometry import transform_flow
from motionseg.core.params import Parametrized
from motionseg.core.types import Flow, Frame, Labels

__all__ = ["FlowClusterer"]


class FlowClusterer(Parametrized, ABC):
    """Tells apart what moves with the camera, and the parts that move otherwise.

    It remembers nothing (but see `reset`), so one object serves any number of cameras in turn. Subclasses take
    keyword-only numbers, check them in ``__init__``, and write one method, `_segment`.
    """

    info: ClassVar[ModelInfo]
    """What `motionseg models` prints."""

    @abstractmethod
    def _segment(
        self, flow: Flow, residual: Flow, valid: npt.NDArray[np.bool_], frame: Frame | None
    ) -> npt.NDArray[np.int32]:
        """Labels, int32 (H, W), 0 for what moves with the camera, any numbers for the parts.

        `residual` is what is left of `flow` when the camera's motion is taken off; without a camera it is `flow`.
        """

    def segment(
        self,
        flow: Flow,
        *,
        camera: npt.ArrayLike | None = None,
        valid: npt.NDArray[np.bool_] | None = None,
        frame: Frame | None = None,
    ) -> Labels:
        """The parts of a picture that move by themselves.

        Parameters
        ----------
        flow : float32 (H, W, 2)
            dx right, dy down, pixels, previous -> current, at the pixels of the previous frame.
        camera : float (3, 3) or float32 (H, W, 2), optional
            How the static world moves: a transform of the previous frame's pixels, or their flow. Default: the camera
            stands still.
        valid : bool (H, W), optional
            Where `flow` is to be believed; elsewhere the label is 0. Default: everywhere.
        frame : uint8 (H, W) or (H, W, 3), optional
            The previous frame, for methods that look at edges and colours too.

        Returns
        -------
        int32 (H, W)
            0 for what moves with the camera, 1..N, the largest part first, for what does not; the caller's.

        Raises
        ------
        FrameError
            `flow` is no finite flow, or `valid`, `frame` or the camera's flow do not fit it.
        ParameterError
            `camera` is not a finite 3x3 matrix that can be inverted.
        """
        flow = check_flow(flow)
        shape = (flow.shape[0], flow.shape[1])
        valid = np.ones(shape, bool) if valid is None else check_pixels(valid, shape, "valid")
        if frame is not None:
            frame = check_frame(frame)
            if frame.shape[:2] != shape:
                raise FrameError(f"the frame has shape {frame.shape}, the flow {shape}")
        labels = self._segment(flow, self._residual(flow, camera), valid, frame)
        return ordered(np.where(valid, labels, 0))

    def reset(self) -> None:
        """Forget what was seen; for methods that follow points from flow to flow. The others have nothing to forget."""

    @staticmethod
    def _residual(flow: Flow, camera: npt.ArrayLike | None) -> Flow:
        if camera is None:
            return flow
        motion = np.asarray(camera)
        if motion.ndim == 3:
            return flow - check_flow(motion, (flow.shape[0], flow.shape[1]))
        return flow - transform_flow(check_transform(camera), flow.shape)


def ordered(labels: npt.NDArray[np.integer]) -> Labels:
    """`labels` with 0 kept and the others numbered 1..N without gaps, by area, then by place."""
    if labels.size == 0:
        return labels.astype(np.int32)
    low, high = int(labels.min()), int(labels.max())
    if high - min(low, 0) > labels.size:  # any numbers will do, but those close together are fast
        values, inverse = np.unique(labels, return_inverse=True)
        labels = np.where(values == 0, 0, np.arange(1, len(values) + 1))[inverse.reshape(labels.shape)]
        low = 0
    zero = max(-low, 0)
    flat = labels.ravel().astype(np.intp) + zero
    areas = np.bincount(flat[flat != zero], minlength=zero + 1)
    parts = np.flatnonzero(areas)
    sizes, first = areas[parts], np.zeros(len(areas), np.intp)
    if len(np.unique(sizes)) < len(sizes):  # place decides
        first[flat[::-1]] = np.arange(flat.size - 1, -1, -1)  # of pixels of one label the first one is written last
    rank = np.zeros(len(areas), np.int32)
    rank[parts[np.lexsort((first[parts], -sizes))]] = np.arange(1, len(parts) + 1)
    return np.asarray(rank.take(flat).reshape(labels.shape))
