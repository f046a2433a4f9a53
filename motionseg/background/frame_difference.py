"""Difference from the frame before: the simplest and fastest cue of motion."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from motionseg.background.base import BackgroundModel
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Frame, Mask, Score

__all__ = ["FrameDifference"]

_TILE = 1024  # pixels that are worked on while they stay in the first-level cache


@kernel
def _differences(start, stop, previous, pixels, luma, mask, limit, learn):
    """Tiles start .. stop (all arrays flat): luma of |pixels - previous|, its decision, and the new `previous`."""
    n_channels = pixels.shape[0] // mask.shape[0]
    absolute = np.empty(3 * _TILE, np.uint8)
    blue, green, red = np.empty(_TILE, np.uint8), np.empty(_TILE, np.uint8), np.empty(_TILE, np.uint8)
    for tile in range(start, stop):
        first = tile * _TILE
        n = min(_TILE, mask.shape[0] - first)
        new = pixels[n_channels * first : n_channels * (first + n)]
        old = previous[n_channels * first : n_channels * (first + n)]
        out, decision = luma[first : first + n], mask[first : first + n]
        for i in range(n_channels * n):
            d = np.int16(np.int16(new[i]) - np.int16(old[i]))
            absolute[i] = np.uint8(max(d, np.int16(-d)))
        if learn:
            for i in range(n_channels * n):
                old[i] = new[i]
        if n_channels == 3:
            for i in range(n):
                blue[i] = absolute[3 * i]
                green[i] = absolute[3 * i + 1]
                red[i] = absolute[3 * i + 2]
            for i in range(n):  # cv2.cvtColor's rounding, bit for bit
                b, g, r = np.int32(blue[i]), np.int32(green[i]), np.int32(red[i])
                out[i] = np.uint8((3735 * b + 19235 * g + 9798 * r + 16384) >> 15)
        else:
            for i in range(n):
                out[i] = absolute[i]
        for i in range(n):
            decision[i] = 255 if out[i] >= limit else 0


class FrameDifference(BackgroundModel):
    """Foreground is what changed since the frame before.

    Needs no time to learn and works with a camera that is moved now and then, but sees only the
    changing edges of a plainly coloured object, sees it twice (where it is and where it was), and
    loses it when it stops.

    Parameters
    ----------
    threshold : float in [0, 254]
        Foreground where the difference exceeds this many grey levels. In colour the difference is the
        luma of the absolute differences of the channels, rounded: the mask is that of ``cv2.absdiff``,
        ``cv2.cvtColor`` (BGR to grey) and ``cv2.threshold``, pixel for pixel.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    What it compares with is one whole frame, so every learning rate above 0 puts the new frame in its
    place; 0 goes on comparing with the old one. The score is d / (d + t), with d the difference and t
    the least difference that is foreground; a difference of 255 (the most there is) scores 1.

    Memory: 4 bytes a BGR pixel, 2 a grey one.

    Examples
    --------
    >>> model = FrameDifference(threshold=20)
    >>> dark, light = np.full((1, 4), 50, np.uint8), np.array([[50, 70, 71, 250]], np.uint8)
    >>> model.apply(dark), model.apply(light)
    (array([[0, 0, 0, 0]], dtype=uint8), array([[  0,   0, 255, 255]], dtype=uint8))
    """

    info = ModelInfo(
        paper="Textbook; for instance Radke et al. 2005, Image change detection algorithms: a systematic survey, "
        "doi:10.1109/TIP.2004.838698",
        speed="very fast",
        good_at="a cheap motion cue or trigger; scenes that change too fast to be learned",
    )
    _arrays = ("_previous",)
    _luma: npt.NDArray[np.uint8] | None = None

    def __init__(self, *, threshold: float = 25.0) -> None:
        self.threshold = check_number("threshold", threshold, 0, 254)

    @property
    def _limit(self) -> int:
        return math.floor(self.threshold) + 1

    def _start(self, frame: Frame) -> None:
        self._previous = frame.copy()

    def _learn(
        self, frame: Frame, mask: Mask, learning_rate: float | None, known: npt.NDArray[np.bool_] | None
    ) -> None:
        super()._learn(frame, mask, learning_rate, known)
        if known is not None and self._luma is not None:
            self._luma[known] = 255  # scores 1

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        # Bound by memory: of what a score would write, a quarter is kept, and made a score when asked for.
        if self._luma is None or self._luma.shape != mask.shape:
            self._luma = np.empty(mask.shape, np.uint8)
        arrays = (self._previous.reshape(-1), frame.reshape(-1), self._luma.reshape(-1), mask.reshape(-1))
        n_tiles = -(-mask.size // _TILE)
        # A pixel costs a fraction of what run_strips reckons with: threads pay on large frames only.
        run_strips(
            _differences, n_tiles, *arrays, np.uint8(self._limit), learning_rate != 0, pixels_per_unit=_TILE // 16
        )

    def score(self) -> Score:
        if self._luma is None or self._score is None:
            return super().score()
        difference = np.arange(256, dtype=np.float32)
        table = difference / (difference + np.float32(self._limit))
        table[255] = 1
        return np.asarray(table[self._luma])

    def reset(self) -> None:
        super().reset()
        self._luma = None

    def background(self) -> Frame:
        self._require_started()
        return self._previous.copy()
