"""What all methods share that see motion between a frame and the one before it."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import Any, ClassVar, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background.base import BackgroundModel
from motionseg.camera import FlowFit, fit_flow
from motionseg.core.errors import ParameterError
from motionseg.core.types import Flow, Frame, Mask, Score
from motionseg.flow.base import FlowEstimator
from motionseg.flow.opencv_dis import OpenCVDIS
from motionseg.pipeline._described import load_described, save_described

__all__ = ["FramePairs", "resized"]

P = TypeVar("P", bound="FramePairs")
Matrix = npt.NDArray[np.float64]

_FLOW_SIDE = 480  # pixels of the shorter side at which flow is estimated: finer flow is slower, hardly better
_LEAST_WORLD = 0.1  # share of the picture that the camera's motion is to be seen in


def resized(picture: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
    """`picture` (H, W, ...) with a shorter side of at most `side` pixels; a view of nothing: the same if it fits."""
    height, width = picture.shape[:2]
    factor = side / min(height, width)
    if factor >= 1:
        return picture
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


class FramePairs(BackgroundModel):
    """A model that remembers no background, only the last frame: what moves otherwise than the camera is foreground.

    Subclasses write `_start_pairs` (allocate, if there is more to remember), `_compare` (two frames into mask and
    score) and list in `_arrays` what they learn beside `_last`.
    """

    _unsupported = frozenset({"background", "learning_rate", "restart"})
    _arrays: ClassVar[tuple[str, ...]] = ("_last",)
    _global_arrays: ClassVar[tuple[str, ...]] = ("_last",)

    estimator: FlowEstimator
    motion: Matrix | None
    """Motion of the camera, previous -> current, float64 (3, 3), in pixels of the frame; None before two frames."""

    def __init__(self, estimator: FlowEstimator | None) -> None:
        if not (estimator is None or isinstance(estimator, FlowEstimator)):
            raise ParameterError(f"estimator is a FlowEstimator, not {estimator!r}")
        self.estimator = OpenCVDIS() if estimator is None else estimator
        self.motion = None

    def _start_pairs(self, frame: Frame) -> None:
        """Allocate what is remembered beside the last frame."""

    @abstractmethod
    def _compare(self, frame: Frame, mask: Mask, score: Score, *, learn: bool) -> None:
        """Fill `mask` and `score` from what has moved between `self._last` and `frame`, and learn if asked to."""

    def _start(self, frame: Frame) -> None:
        self._last = frame.copy()
        self._start_pairs(frame)

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        if self._frames_seen == 0:  # nothing to compare with
            mask[...], score[...] = 0, 0
            return
        self._compare(frame, mask, score, learn=learning_rate != 0)
        if learning_rate != 0:
            self._last = frame.copy()

    def _flow(self, frame: Frame, other: Frame) -> Flow:
        """Where the pixels of `frame` are in `other`; of the size at which flow is estimated, in its pixels."""
        return self.estimator.estimate(resized(frame, _FLOW_SIDE), resized(other, _FLOW_SIDE))

    def _fit(self, flow_back: Flow, world: npt.NDArray[np.bool_] | None = None) -> FlowFit:
        """The camera's part of a flow back in time; `world`: pixels that are not believed to move by themselves."""
        if world is not None and np.count_nonzero(world) < _LEAST_WORLD * world.size:
            world = None
        fit = fit_flow(flow_back, valid=world)
        if self._shape is not None:
            self.motion = _forward(fit.transform, flow_back.shape, self._shape)
        return fit

    def background(self) -> Frame:
        self._require_supported("background")
        raise AssertionError("unreachable")

    def reset(self) -> None:
        super().reset()
        self.motion = None

    def save(self, path: str | os.PathLike[str]) -> None:
        save_described(self, path)

    @classmethod
    def load(cls: type[P], path: str | os.PathLike[str]) -> P:
        return load_described(cls, path)


def _forward(back: Matrix, small: tuple[int, ...], full: tuple[int, ...]) -> Matrix:
    """The motion of a frame of shape `full`, forward in time, from one of shape `small` and back."""
    sx, sy = full[1] / small[1], full[0] / small[0]
    to_full = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])
    forward = to_full @ np.linalg.inv(back) @ np.linalg.inv(to_full)
    return np.asarray(forward / forward[2, 2])
