"""What the moving things and their surroundings look like, learned on the fly from masks: two colour histograms."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from motionseg.core.checks import check_frame, check_integer, check_number
from motionseg.core.errors import FrameError, StateError
from motionseg.core.params import Parametrized
from motionseg.core.types import Frame, Score
from motionseg.fuse.base import LogOdds

__all__ = ["Appearance"]

_BLUR = 0.7  # bins: colours change with the light
_RARE = 2e-5  # density of a colour that was never seen: neither foreground nor background
_ROUNDING = 1e-4  # by which scores that were resized may leave [0, 1]


class Appearance(Parametrized):
    """Tells by its colour whether a pixel belongs to what has moved until now.

    Parameters
    ----------
    memory : float in [0, 1)
        Share of what is known that each new frame leaves; 0.9 forgets in about 10 frames.
    n_bins : int in [2, 64]
        Of each channel of CIE L*a*b*.
    limit : float above 0
        Log-odds that a colour can give at most.

    Raises
    ------
    ParameterError
        A number is out of range.

    Notes
    -----
    The log-odds of a colour are those of its densities in the two histograms, each smoothed, whatever area the things
    cover. Memory: 8 `n_bins`^3 bytes.

    References
    ----------
    C. Rother, V. Kolmogorov, A. Blake, GrabCut, SIGGRAPH 2004, doi:10.1145/1186562.1015720 (colour models learned from
    the mask that they improve). A. Papazoglou, V. Ferrari, ICCV 2013, doi:10.1109/ICCV.2013.223.

    Examples
    --------
    >>> frame = np.zeros((8, 8, 3), np.uint8)
    >>> frame[:4] = 0, 0, 200
    >>> appearance = Appearance()
    >>> appearance.update(frame, (frame[..., 2] > 0).astype(np.float32))
    >>> log_odds = appearance.log_odds(frame)
    >>> log_odds[0, 0] > 1, log_odds[7, 7] < -1
    (np.True_, np.True_)
    """

    def __init__(self, *, memory: float = 0.9, n_bins: int = 16, limit: float = 2.5) -> None:
        self.memory = check_number("memory", memory, 0, 1)
        self.n_bins = check_integer("n_bins", n_bins, 2, 64)
        self.limit = check_number("limit", limit, 0, above=True)
        self._counts: LogOdds = np.zeros((2, self.n_bins**3), np.float32)  # background, foreground
        self.n_frames = 0

    def _bins(self, frame: Frame) -> npt.NDArray[np.int32]:
        if frame.ndim == 2:
            frame = np.asarray(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR), np.uint8)
        lightness, a, b = cv2.split(cv2.cvtColor(frame, cv2.COLOR_BGR2LAB))
        bins: npt.NDArray[np.int32] = np.zeros(frame.shape[:2], np.int32)
        for channel in (lightness, a, b):
            bins = np.asarray(bins * self.n_bins + (channel.astype(np.int32) * self.n_bins >> 8), np.int32)
        return bins

    def update(self, frame: Frame, score: Score) -> None:
        """Learn from a frame, uint8 (H, W) or (H, W, 3), which pixels of it move: float32 (H, W) in [0, 1].

        Raises
        ------
        FrameError
            The frame is none, or `score` has another shape, or leaves [0, 1]; nothing has changed.
        """
        frame = check_frame(frame)
        score = np.asarray(score)
        if score.shape != frame.shape[:2]:
            raise FrameError(f"the score has shape {score.shape}, the frame {frame.shape}")
        if not ((score > -_ROUNDING) & (score < 1 + _ROUNDING)).all():  # not a number is neither
            raise FrameError("the score is not in [0, 1] everywhere")
        bins, moving, n = self._bins(frame).ravel(), np.clip(score, 0, 1).ravel(), self.n_bins**3
        found = np.bincount(bins, moving, n).astype(np.float32)
        new = np.stack([np.bincount(bins, minlength=n).astype(np.float32) - found, found]) / np.float32(bins.size)
        self._counts = np.asarray(
            np.float32(self.memory) * self._counts + np.float32(1 - self.memory) * new, np.float32
        )
        self.n_frames += 1

    def log_odds(self, frame: Frame) -> LogOdds:
        """How the colours of a frame speak for foreground, float32 (H, W); all 0 before something was learned.

        Raises
        ------
        FrameError
            Not a frame.
        """
        frame = check_frame(frame)
        # A part that holds next to nothing tells nothing of its colours.
        if self.n_frames == 0 or self._counts.sum(axis=1).min() < 1e-6:
            return np.zeros(frame.shape[:2], np.float32)
        cube = (2, self.n_bins, self.n_bins, self.n_bins)
        density = gaussian_filter(self._counts.reshape(cube), (0, _BLUR, _BLUR, _BLUR)).reshape(2, -1)
        density = density / density.sum(axis=1, keepdims=True) + np.float32(_RARE)
        table = np.log(density[1] / density[0]).astype(np.float32)
        return np.asarray(np.clip(table, -self.limit, self.limit)[self._bins(frame)])

    def reset(self) -> None:
        """Forget all colours."""
        self._counts, self.n_frames = np.zeros_like(self._counts), 0

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """What was learned, as a dict of arrays."""
        return {"counts": self._counts.copy(), "n_frames": np.array(self.n_frames)}

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Continue from what :meth:`state` gave.

        Raises
        ------
        StateError
            Arrays are missing or do not fit; nothing has changed.
        """
        counts, n_frames = (np.asarray(state.get(name)) for name in ("counts", "n_frames"))
        fits = counts.shape == self._counts.shape and counts.dtype == np.float32
        if not (fits and n_frames.shape == () and n_frames.dtype.kind in "iu"):
            raise StateError(f"the state is not that of an Appearance with n_bins={self.n_bins}")
        self._counts, self.n_frames = counts.copy(), int(n_frames)
