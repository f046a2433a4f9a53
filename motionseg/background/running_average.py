"""Running average: the background is the exponentially fading mean of what was seen."""

from __future__ import annotations

import numpy as np

from motionseg.background.base import BackgroundModel
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_choice, check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Frame, Mask, Score

__all__ = ["RunningAverage"]

_TILE = 512


@kernel
def _step(start, stop, means, pixels, mask, score, threshold, rate, selective):
    """Tiles start .. stop (all arrays flat): classify, then move `means` by `rate` (0: not at all)."""
    n_channels = pixels.shape[0] // mask.shape[0]
    x, distance = np.empty(3 * _TILE, np.float32), np.empty(3 * _TILE, np.float32)
    farthest, rates = np.empty(_TILE, np.float32), np.empty(3 * _TILE, np.float32)
    zero, half, below = np.float32(0), np.float32(0.5), np.float32(0.49999997)
    for tile in range(start, stop):
        first = tile * _TILE
        n = min(_TILE, mask.shape[0] - first)
        new = pixels[n_channels * first : n_channels * (first + n)]
        mean = means[n_channels * first : n_channels * (first + n)]
        decision, scores = mask[first : first + n], score[first : first + n]
        for i in range(n_channels * n):
            x[i] = np.float32(new[i])
        for i in range(n_channels * n):
            distance[i] = abs(x[i] - mean[i])
        if n_channels == 3:
            for i in range(n):
                farthest[i] = max(max(distance[3 * i], distance[3 * i + 1]), distance[3 * i + 2])
        else:
            for i in range(n):
                farthest[i] = distance[i]
        for i in range(n):
            d = farthest[i]
            quotient = d / (d + threshold)
            above = d > threshold
            decision[i] = 255 if above else 0
            scores[i] = max(quotient, half) if above else min(quotient, below)
        if rate == zero:
            continue
        if selective:
            for i in range(n):
                for c in range(n_channels):
                    rates[n_channels * i + c] = zero if farthest[i] > threshold else rate
            for i in range(n_channels * n):
                mean[i] += rates[i] * (x[i] - mean[i])
        else:
            for i in range(n_channels * n):
                mean[i] += rate * (x[i] - mean[i])


class RunningAverage(BackgroundModel):
    """Foreground is what differs from the fading mean of all frames.

    Parameters
    ----------
    learning_rate : float in (0, 1]
        Share of a new frame in the mean (alpha). The first frames get 1, 1/2, 1/3, ... until that
        falls below `learning_rate`, so that the mean starts as a plain one.
    threshold : float, above 0
        Foreground where a channel differs from the mean by more than this many grey levels.
    selective : bool
        Learn only what is background. Objects then leave no trail, but what was once wrongly
        foreground (something that stays, or left its place) remains so for ever.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    M += a (I - M) in float32. The score is d / (d + threshold), with d the largest difference of a channel.

    Memory: 12 bytes a BGR pixel, 4 a grey one. Everything that moves leaves a faint trail; a
    background of two colours (water, leaves, flicker) becomes their mean.

    References
    ----------
    J. Heikkilä, O. Silvén, A real-time system for monitoring of cyclists and pedestrians, Image and
    Vision Computing 22 (2004), doi:10.1016/j.imavis.2003.09.010.

    Examples
    --------
    >>> model = RunningAverage(learning_rate=0.5)
    >>> for grey in (100, 104):
    ...     mask = model.apply(np.full((2, 2), grey, np.uint8))
    >>> model.background()
    array([[102, 102],
           [102, 102]], dtype=uint8)
    """

    info = ModelInfo(
        paper="Heikkilä, Silvén 2004, Monitoring of cyclists and pedestrians, doi:10.1016/j.imavis.2003.09.010",
        speed="very fast",
        good_at="steady indoor scenes; a picture of the background at almost no cost",
    )
    _arrays = ("_mean",)

    def __init__(self, *, learning_rate: float = 0.02, threshold: float = 25.0, selective: bool = False) -> None:
        self.learning_rate = check_number("learning_rate", learning_rate, 0, 1, above=True)
        self.threshold = check_number("threshold", threshold, 0, 255, above=True)
        self.selective = check_choice("selective", selective, (True, False))

    def _start(self, frame: Frame) -> None:
        self._mean = frame.astype(np.float32)

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        rate = learning_rate
        if rate is None:
            rate = max(self.learning_rate, 1 / (self._frames_seen + 1))
        arrays = (self._mean.reshape(-1), frame.reshape(-1), mask.reshape(-1), score.reshape(-1))
        numbers = (np.float32(self.threshold), np.float32(rate), self.selective)
        # A pixel costs a fraction of what run_strips reckons with: threads pay on large frames only.
        run_strips(_step, -(-mask.size // _TILE), *arrays, *numbers, pixels_per_unit=_TILE // 8)

    def background(self) -> Frame:
        self._require_started()
        return np.rint(self._mean).clip(0, 255).astype(np.uint8)
