"""What has come to stand is kept from being learned, for as long as it is there."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.channels import channel_max
from motionseg.core.types import Frame

__all__ = ["Held"]

_TOLERANCE = 20  # grey levels of a smoothed frame by which what stands may differ from how it was
_FOLLOWS = 0.05  # of the difference, each frame: light changes slowly
_KERNEL = np.ones((5, 5), np.uint8)  # a rim of two pixels is often none of it: the model may think better of that
_SHAKE = 1.0  # pixels: a camera that moves more takes what was held away


class Held:
    """Remembers how held pixels looked when they were first held; where they still look so, the thing is there.

    Whoever walks past before it, and the ground that it leaves behind, look otherwise: they are the model's to judge.
    """

    def __init__(self) -> None:
        self._mask: npt.NDArray[np.bool_] | None = None
        self._looks = np.zeros(0, np.float32)

    def known(self, frame: Frame) -> npt.NDArray[np.bool_] | None:
        """Pixels of the held things that are still there, bool (H, W); None where nothing is held."""
        if self._mask is None:
            return None
        smooth = cv2.blur(frame, (3, 3))
        if self._looks.shape != smooth.shape:
            return None
        there = self._mask.copy()
        there[there] = self._is_as_it_was(smooth)
        return there if there.any() else None

    def update(
        self, frame: Frame, wanted: npt.NDArray[np.bool_] | None, camera: npt.NDArray[np.float64] | None
    ) -> None:
        """From now on hold the pixels `wanted` (H, W)."""
        moved = camera is not None and bool((np.abs(camera - np.eye(3)) > _SHAKE).any())
        if wanted is None or moved:
            self._mask = None
            return
        core = cv2.erode(wanted.view(np.uint8), _KERNEL).view(bool)
        smooth = cv2.blur(frame, (3, 3))
        if self._mask is None or self._looks.shape != smooth.shape:
            self._mask, self._looks = core, smooth.astype(np.float32)
            return
        new = core & ~self._mask
        self._looks[new] = smooth[new]
        self._mask = core | (self._mask & wanted)
        same = self._mask.copy()
        same[same] = self._is_as_it_was(smooth)
        self._looks[same] += _FOLLOWS * (smooth[same] - self._looks[same])

    def _is_as_it_was(self, smooth: Frame) -> npt.NDArray[np.bool_]:
        """Of each pixel in the mask whether no channel differs by more than is tolerated."""
        apart = np.abs(smooth[self._mask] - self._looks[self._mask])
        return (apart if apart.ndim == 1 else channel_max(apart)) <= _TOLERANCE

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Both arrays; nothing where nothing is held."""
        return {} if self._mask is None else {"held": self._mask.copy(), "held_looks": self._looks.copy()}

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Continue from what :meth:`state` gave; other arrays are left alone."""
        mask, looks = state.get("held"), state.get("held_looks")
        self._mask = None if mask is None or looks is None else mask.astype(bool)
        self._looks = np.zeros(0, np.float32) if looks is None else looks.astype(np.float32)
