"""The protocol of camera motion: two frames in, where the static world of the first went out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_frame, check_pixels, check_transform
from motionseg.core.params import Parametrized
from motionseg.core.types import Frame

__all__ = ["CameraMotion", "Motion"]


@dataclass(frozen=True, eq=False)
class Motion:
    """What is known of the camera's motion between two frames.

    Attributes
    ----------
    transform : float64 (3, 3)
        Takes pixels (x, y, 1) of the previous frame to the current one; the guess (the identity, if there was
        none) where nothing was found.
    verdict : str
        ``"found"``; ``"textureless"``: there is too little to hold on to in one of the frames; ``"shot_change"``:
        they show different scenes; ``"lost"``: they may show the same scene, but no motion explains it.
    support : float
        Share of the places held on to that move with the camera, in [0, 1]; 0 where nothing was found.
    surprise : float
        How far these places are from where the guess had them, in the median, pixels; 0 where nothing was found.
        What a transform says of places where there is nothing to hold on to is less certain than that.
    """

    transform: npt.NDArray[np.float64]
    verdict: str
    support: float = 0.0
    surprise: float = 0.0

    @property
    def found(self) -> bool:
        return self.verdict == "found"


class CameraMotion(Parametrized, ABC):
    """Finds the camera's motion between two frames.

    It remembers nothing, so one object serves any number of cameras in turn. Subclasses take keyword-only numbers,
    check them in ``__init__``, and write one method, `_estimate`.
    """

    info: ClassVar[ModelInfo]
    """What `motionseg models` prints."""

    @abstractmethod
    def _estimate(
        self,
        previous: npt.NDArray[np.uint8],
        current: npt.NDArray[np.uint8],
        exclude: npt.NDArray[np.bool_] | None,
        guess: npt.NDArray[np.float64],
    ) -> Motion:
        """The motion between two grey pictures uint8 (H, W); `guess` is its transform where nothing is found."""

    def estimate(
        self,
        previous: Frame,
        current: Frame,
        *,
        exclude: npt.NDArray[np.bool_] | None = None,
        guess: npt.ArrayLike | None = None,
    ) -> Motion:
        """Where the static world of `previous` is in `current`.

        Parameters
        ----------
        previous, current : uint8 (H, W) or (H, W, 3)
            Grey or BGR, of one shape; neither kept nor changed.
        exclude : bool (H, W), optional
            Pixels of `previous` that are known to move by themselves.
        guess : float (3, 3), optional
            Where to begin to search; default: the camera stands still.

        Raises
        ------
        FrameError
            Not frames, or of two shapes.
        ParameterError
            `guess` is not a finite 3x3 matrix that can be inverted.
        """
        previous = check_frame(previous)
        current = check_frame(current, previous.shape)
        if exclude is not None:
            exclude = check_pixels(exclude, (previous.shape[0], previous.shape[1]), "exclude")
        start = np.eye(3) if guess is None else check_transform(guess)
        return self._estimate(_grey(previous), _grey(current), exclude, start)


def _grey(frame: Frame) -> npt.NDArray[np.uint8]:
    return frame if frame.ndim == 2 else np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
