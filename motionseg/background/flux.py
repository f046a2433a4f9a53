"""Flux tensor: moving structure, from how the gradient changes in time (Bunyak et al. 2007)."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background.base import BackgroundModel
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.errors import ParameterError, UnsupportedError
from motionseg.core.types import FOREGROUND, Frame, Mask, Score

__all__ = ["Flux"]


class Flux(BackgroundModel):
    """Foreground is where edges move: the trace of the flux tensor.

    Learns no background: knows motion from the second frame on, leaves no ghosts, and takes a slow change of light for
    none. It loses what stops, and the inside of what is large and plain.

    Parameters
    ----------
    threshold : float in (0, 255]
        Foreground where the root of the mean trace is at least this, in grey levels a frame.
    window : odd int in [1, 51]
        Side of the squares over which the trace is averaged, in pixels.
    learning_rate : float in (0, 1]
        Share of a new frame in the mean over time.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    With I the luma and I_x, I_y, I_t its derivatives, the trace of the flux tensor is the mean of

        I_xt^2 + I_yt^2 + I_tt^2

    over time (fading) and over squares of pixels. Differences in time are those of the last three frames,
    I_t = (I(t) - I(t - 2)) / 2 and I_tt = I(t) - 2 I(t - 1) + I(t - 2), in space Sobel's. Such a mean reaches half
    a window beyond what moves: the least mean in the window takes that back, so that gaps are closed and shapes kept.
    With q the result the score is q / (q + threshold^2).

    Every learning rate above 0 given to :meth:`apply` is the same: the new frame is the last one then. There is no
    picture of a background: :meth:`background` raises UnsupportedError.

    Memory: 6 bytes a pixel. Does not know shadows, which move too. Nothing else is taken from the method that joins
    flux tensors and split Gaussians, which is patented (US9454819B2).

    References
    ----------
    F. Bunyak, K. Palaniappan, S. Nath, G. Seetharaman, Flux tensor constrained geodesic active contours with sensor
    fusion for persistent object tracking, Journal of Multimedia 2 (2007), doi:10.4304/jmm.2.4.20-33.

    Examples
    --------
    >>> model = Flux(window=3)
    >>> frame = np.full((3, 9), 90, np.uint8)
    >>> mask = model.apply(frame)
    >>> frame[:, 3:6] = 200
    >>> model.apply(frame)[1]
    array([  0,   0,   0, 255, 255, 255,   0,   0,   0], dtype=uint8)
    """

    info = ModelInfo(
        paper="Bunyak, Palaniappan, Nath, Seetharaman 2007, Flux tensor constrained geodesic active contours with "
        "sensor fusion for persistent object tracking, doi:10.4304/jmm.2.4.20-33",
        speed="medium",
        good_at="motion at once, without a background; a cue beside models that have one",
        notice="joined with split Gaussians it would be patented (US9454819B2); this is the flux tensor alone",
    )
    _arrays = ("_last", "_before", "_trace")
    _unsupported = frozenset({"background"})

    def __init__(self, *, threshold: float = 15.0, window: int = 7, learning_rate: float = 0.5) -> None:
        self.threshold = check_number("threshold", threshold, 0, 255, above=True)
        self.window = check_integer("window", window, 1, 51)
        if self.window % 2 == 0:
            raise ParameterError(f"window is odd, not {window}")
        self.learning_rate = check_number("learning_rate", learning_rate, 0, 1, above=True)

    def _start(self, frame: Frame) -> None:
        self._last = _luma(frame)
        self._before = self._last.copy()
        self._trace = np.zeros(frame.shape[:2], np.float32)

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        luma = _luma(frame)
        trace = cv2.addWeighted(
            _changes(luma, self._last, self._before), self.learning_rate, self._trace, 1 - self.learning_rate, 0
        )
        square = (self.window, self.window)
        mean = cv2.erode(cv2.blur(trace, square), np.ones(square, np.uint8))
        np.divide(mean, mean + np.float32(self.threshold**2), out=score)
        mask[score >= 0.5] = FOREGROUND
        if learning_rate != 0:
            self._last, self._before, self._trace = luma, self._last, trace

    def background(self) -> Frame:
        """Raise UnsupportedError: there is none."""
        raise UnsupportedError("Flux knows motion only, and no background")


def _luma(frame: Frame) -> Frame:
    return np.asarray(frame.copy() if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))


def _changes(luma: Frame, last: Frame, before: Frame) -> npt.NDArray[np.float32]:
    """I_xt^2 + I_yt^2 + I_tt^2 of three frames in a row, the newest first."""
    middle = last.astype(np.float32)
    first, second = luma - middle, middle - before
    speed, bend = (first + second) / 2, first - second
    across = cv2.Sobel(speed, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(speed, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(across * across + down * down + bend * bend)
