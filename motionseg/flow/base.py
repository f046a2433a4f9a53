"""The protocol of flow estimators: two frames in, where every pixel of the first went out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_frame
from motionseg.core.params import Parametrized
from motionseg.core.types import Flow, Frame

__all__ = ["FlowEstimator"]


class FlowEstimator(Parametrized, ABC):
    """Finds the motion between two frames. It remembers nothing, so one object serves any number of cameras in turn.

    Subclasses take keyword-only numbers, check them in ``__init__``, and write one method, `_estimate`.
    """

    info: ClassVar[ModelInfo]
    """What `motionseg models` prints."""
    _takes_colour: ClassVar[bool] = False
    """Whether `_estimate` is given frames as they are, grey or BGR."""

    _unsupported: ClassVar[frozenset[str]] = frozenset()
    """Promises that `motionseg.testing` asks for and that it cannot keep: "zoom"."""

    @abstractmethod
    def _estimate(self, previous: npt.NDArray[np.uint8], current: npt.NDArray[np.uint8]) -> Flow:
        """Flow, float32 (H, W, 2), between two grey pictures uint8 (H, W) (see `_takes_colour`)."""

    def estimate(self, previous: Frame, current: Frame) -> Flow:
        """Where each pixel of `previous` is in `current`.

        Parameters
        ----------
        previous, current : uint8 (H, W) or (H, W, 3)
            Grey or BGR, of one shape; neither kept nor changed.

        Returns
        -------
        float32 (H, W, 2)
            dx to the right, dy down, pixels, at the pixels of `previous`; finite everywhere; the caller's.

        Raises
        ------
        FrameError
            Not frames, or of two shapes.
        """
        previous = check_frame(previous)
        current = check_frame(current, previous.shape)
        if self._takes_colour:
            return self._estimate(previous, current)
        return self._estimate(_grey(previous), _grey(current))


def _grey(frame: Frame) -> npt.NDArray[np.uint8]:
    return frame if frame.ndim == 2 else np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
