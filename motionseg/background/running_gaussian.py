"""Running Gaussian: every pixel is one colour with a spread of its own (Wren et al. 1997)."""

from __future__ import annotations

import numpy as np

from motionseg.background.base import BackgroundModel
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Frame, Mask, Score

__all__ = ["RunningGaussian"]

_TILE = 512


@kernel
def _step(start, stop, means, variances, pixels, mask, score, limit, rate, foreground_rate, var_min):
    """Tiles start .. stop (all arrays flat): classify, then learn with `rate` (0: not at all)."""
    n_channels = pixels.shape[0] // mask.shape[0]
    apart, share = np.empty(3 * _TILE, np.float32), np.empty(3 * _TILE, np.float32)
    distance, is_foreground = np.empty(_TILE, np.float32), np.empty(3 * _TILE, np.uint8)
    half, below = np.float32(0.5), np.float32(0.49999997)
    for tile in range(start, stop):
        first = tile * _TILE
        n = min(_TILE, mask.shape[0] - first)
        x = pixels[n_channels * first : n_channels * (first + n)]
        mean = means[n_channels * first : n_channels * (first + n)]
        variance = variances[n_channels * first : n_channels * (first + n)]
        decision, scores = mask[first : first + n], score[first : first + n]
        for i in range(n_channels * n):
            d = np.float32(x[i]) - mean[i]
            apart[i] = d
            share[i] = d * d / variance[i]
        if n_channels == 3:
            for i in range(n):
                distance[i] = share[3 * i] + share[3 * i + 1] + share[3 * i + 2]
        else:
            for i in range(n):
                distance[i] = share[i]
        for i in range(n):
            d = distance[i]
            quotient = d / (d + limit)
            above = d > limit
            decision[i] = 255 if above else 0
            scores[i] = max(quotient, half) if above else min(quotient, below)
        if rate == 0:
            continue
        if n_channels == 3:
            for i in range(n):
                is_foreground[3 * i] = is_foreground[3 * i + 1] = is_foreground[3 * i + 2] = decision[i]
        else:
            for i in range(n):
                is_foreground[i] = decision[i]
        for i in range(n_channels * n):
            d, v, outside = apart[i], variance[i], is_foreground[i] != 0
            mean[i] += (foreground_rate if outside else rate) * d
            learned = max(v + rate * (d * d - v), var_min)
            variance[i] = v if outside else learned


class RunningGaussian(BackgroundModel):
    """Foreground is what is too many standard deviations away from the fading mean of its pixel.

    Unlike one threshold for all, the measured spread keeps noisy places quiet and steady ones sensitive.

    Parameters
    ----------
    learning_rate : float in (0, 1]
        Share of a new frame in what is known of a background pixel (alpha). The first frames get 1/2,
        1/3, ... until that falls below `learning_rate`.
    threshold : float in (0, 100]
        Foreground where the Mahalanobis distance exceeds this many standard deviations.
    foreground_share : float in [0, 1]
        Foreground pixels move their mean by this share of the rate and keep their variance. 0: they
        never learn, and something that came to stay, or left its place, is foreground for ever.
    var_init : float, above 0
        Variance of a channel that has just been met, in squared grey levels.
    var_min : float, above 0
        Least variance of a channel.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    For every channel, with I the frame and d = I - m: m += a d, v += a (d^2 - v), v at least `var_min`. A
    pixel is foreground where the sum of d^2 / v over its channels exceeds ``threshold ** 2``. The score is
    q / (q + threshold^2) with q that sum.

    Memory: 24 bytes a BGR pixel, 8 a grey one. A background of two colours (water, leaves, flicker)
    becomes one broad Gaussian, in which objects are lost.

    References
    ----------
    C. Wren, A. Azarbayejani, T. Darrell, A. Pentland, Pfinder: real-time tracking of the human body,
    PAMI 19 (1997), doi:10.1109/34.598236. Foreground at a lower rate: D. Koller et al., Towards robust
    automatic traffic scene analysis in real-time, ICPR 1994, doi:10.1109/ICPR.1994.576243.

    Examples
    --------
    >>> model = RunningGaussian()
    >>> for i in range(60):
    ...     mask = model.apply(np.array([[100, 80 + 40 * (i % 2)]], np.uint8))
    >>> model.apply(np.array([[130, 130]], np.uint8))  # the second pixel is never still
    array([[255,   0]], dtype=uint8)
    """

    info = ModelInfo(
        paper="Wren et al. 1997, Pfinder: real-time tracking of the human body, doi:10.1109/34.598236",
        speed="very fast",
        good_at="steady scenes whose noise differs from place to place",
    )
    _arrays = ("_mean", "_variance")

    def __init__(
        self,
        *,
        learning_rate: float = 0.01,
        threshold: float = 4.0,
        foreground_share: float = 0.1,
        var_init: float = 225.0,
        var_min: float = 16.0,
    ) -> None:
        self.learning_rate = check_number("learning_rate", learning_rate, 0, 1, above=True)
        self.threshold = check_number("threshold", threshold, 0, 100, above=True)
        self.foreground_share = check_number("foreground_share", foreground_share, 0, 1)
        self.var_init = check_number("var_init", var_init, 0, 65025, above=True)
        self.var_min = check_number("var_min", var_min, 0, self.var_init, above=True)

    def _start(self, frame: Frame) -> None:
        self._mean = frame.astype(np.float32)
        self._variance = np.full(frame.shape, self.var_init, np.float32)

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        if self._frames_seen == 0:  # all that it knows is this frame
            score[:] = 0
            return
        rate = learning_rate
        if rate is None:
            rate = max(self.learning_rate, 1 / (self._frames_seen + 1))
        arrays = (self._mean, self._variance, frame, mask, score)
        numbers = (self.threshold**2, rate, rate * self.foreground_share, self.var_min)
        flat, n_tiles = (a.reshape(-1) for a in arrays), -(-mask.size // _TILE)
        # A pixel costs a fraction of what run_strips reckons with: threads pay on large frames only.
        run_strips(_step, n_tiles, *flat, *(np.float32(number) for number in numbers), pixels_per_unit=_TILE // 8)

    def background(self) -> Frame:
        self._require_started()
        return np.rint(self._mean).clip(0, 255).astype(np.uint8)
