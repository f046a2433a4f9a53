"""What a camera does, from its steps over the last second."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.camera._warp import corners
from motionseg.camera.base import CameraMotion
from motionseg.core.types import Frame

__all__ = ["WINDOW", "CameraWatch"]

WINDOW = 25
"""Frames that are looked back on."""
_ROWS = 240  # of a frame for which lengths in pixels are meant; in larger frames they are longer
_STIR = 0.5  # pixels from frame to frame: a camera that moves
_AWAY = 6.0  # pixels: farther from where it was within the window ...
_STRAIGHT = 3.0  # ... by a way less than so many times as long: it does not come back
_NEAR = 3.0  # pixels: a camera that has come to rest


class CameraWatch:
    """Says of a camera whether it is ``"still"``, ``"shaking"`` or ``"panning"`` (which includes travelling).

    Attributes
    ----------
    verdict : str
        As of the last frame.
    rests : bool
        Whether it is near where it was all through the window.
    n_frames : int
        Frames of this shot.
    """

    def __init__(self, camera: CameraMotion, frame: Frame) -> None:
        self._camera = camera
        self.start(frame)

    def start(self, frame: Frame) -> None:
        """The first frame of a shot."""
        self.last = frame.copy()
        self._steps = np.tile(np.eye(3), (WINDOW, 1, 1))  # the last one comes last
        self.n_frames = 1
        self.verdict, self.rests = "still", True

    def update(self, frame: Frame) -> bool:
        """The next frame; whether it is of the same shot. If not, it is the first of the next one."""
        motion = self._camera.estimate(self.last, frame)
        if motion.verdict == "shot_change":
            self.start(frame)
            return False
        self.note(frame, motion.transform)
        return True

    def note(self, frame: Frame, step: npt.NDArray[np.float64]) -> None:
        """The next frame of the same shot, to which the camera's motion is known to be `step` (3, 3)."""
        self._steps = np.concatenate([self._steps[1:], step[None]])
        self.last = frame.copy()
        self.n_frames += 1
        self._judge(frame.shape)

    def _judge(self, shape: tuple[int, ...]) -> None:
        unit = max(1.0, min(shape[:2]) / _ROWS)
        steps = self._steps[::-1][: self.n_frames - 1]  # the last one comes first
        since = [steps[0]]  # from each of the frames within the window to this one
        for step in steps[1:]:
            since.append(since[-1] @ step)
        lengths = _displacements(steps, shape) / unit
        path, longest = float(lengths.sum()), float(lengths.max())
        away = float(_displacements(np.stack(since), shape).max()) / unit
        self.rests = away <= _NEAR
        # A camera that pans has to come to rest before it is believed to.
        far = away > (_NEAR if self.verdict == "panning" else _AWAY)
        if far and path < _STRAIGHT * away:
            self.verdict = "panning"
        else:
            self.verdict = "still" if longest <= _STIR and self.rests else "shaking"

    @property
    def step(self) -> npt.NDArray[np.float64] | None:
        """The camera's motion to the last frame, float64 (3, 3), pixels; None before two frames of the shot."""
        return self._steps[-1].copy() if self.n_frames > 1 else None

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """What is remembered, as a dict of arrays."""
        words = np.array([self.n_frames, _CODES.index(self.verdict), self.rests], np.int64)
        return {"last": self.last.copy(), "steps": self._steps.copy(), "words": words}

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Continue from what :meth:`state` gave; KeyError, ValueError or IndexError if it does not fit."""
        n_frames, code, rests = (int(word) for word in state["words"])
        last, steps = state["last"], state["steps"]
        if last.shape != self.last.shape or last.dtype != np.uint8 or steps.shape != self._steps.shape:
            raise ValueError("frames or steps of another shape")
        self.last, self._steps = last.copy(), steps.astype(np.float64)
        self.n_frames, self.verdict, self.rests = n_frames, _CODES[code], bool(rests)


def _displacements(transforms: npt.NDArray[np.float64], shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """`motionseg.camera.displacement` of each of `transforms` (N, 3, 3), pixels."""
    outer = corners(shape)
    middle = outer.mean(axis=1, keepdims=True)
    inner = middle + (outer - middle) / np.sqrt(3)
    x, y, w = np.moveaxis(transforms @ inner, 1, 0)
    away = np.sqrt(((x / w - inner[0]) ** 2 + (y / w - inner[1]) ** 2).mean(axis=1))
    return np.where((transforms[:, 2] @ outer > 0).all(axis=1), away, np.inf)


_CODES = ("still", "shaking", "panning")
