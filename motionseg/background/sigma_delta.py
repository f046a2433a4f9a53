"""Sigma-delta background estimation with byte arithmetic only (Manzanera and Richefeu 2004)."""

from __future__ import annotations

import numpy as np

from motionseg.background.base import BackgroundModel
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Frame, Mask, Score

__all__ = ["SigmaDelta"]

_TILE = 512


@kernel
def _step(start, stop, means, deviations, pixels, mask, score, amplification, v_min, v_max, learn):
    """Tiles start .. stop (all arrays flat): let M and V take their step (if `learn`), then classify."""
    n_channels = pixels.shape[0] // mask.shape[0]
    difference, target = np.empty(3 * _TILE, np.uint8), np.empty(3 * _TILE, np.uint8)
    quotient = np.empty(3 * _TILE, np.float32)
    half = np.float32(0.5)
    for tile in range(start, stop):
        first = tile * _TILE
        n = min(_TILE, mask.shape[0] - first)
        x = pixels[n_channels * first : n_channels * (first + n)]
        m = means[n_channels * first : n_channels * (first + n)]
        v = deviations[n_channels * first : n_channels * (first + n)]
        decision, scores = mask[first : first + n], score[first : first + n]
        if learn:
            for i in range(n_channels * n):
                to, old = x[i], m[i]
                m[i] = np.uint8(old + np.uint8(to > old)) - np.uint8(to < old)
        for i in range(n_channels * n):
            d = np.int16(np.int16(x[i]) - np.int16(m[i]))
            difference[i] = np.uint8(max(d, np.int16(-d)))
        if learn:
            for i in range(n_channels * n):
                target[i] = min(np.uint16(amplification * np.uint16(difference[i])), np.uint16(255))
            for i in range(n_channels * n):
                old, to = v[i], target[i]
                moved = np.uint8(np.uint8(old + np.uint8(old < to)) - np.uint8(old > to))
                moved = min(max(moved, v_min), v_max)
                v[i] = moved if to > 0 else old  # `to` is 0 where there is no difference
        for i in range(n_channels * n):
            d = np.float32(difference[i])
            quotient[i] = d / (d + np.float32(v[i]))
        if n_channels == 3:
            for i in range(n):
                scores[i] = max(max(quotient[3 * i], quotient[3 * i + 1]), quotient[3 * i + 2])
        else:
            for i in range(n):
                scores[i] = quotient[i]
        for i in range(n):
            decision[i] = 255 if scores[i] >= half else 0


class SigmaDelta(BackgroundModel):
    """Foreground is what differs from a background that follows the video one grey level a frame.

    Every channel holds two bytes: M, which steps towards the frame, and V, which steps towards
    `amplification` times the difference and so measures how restless the pixel usually is.

    Parameters
    ----------
    amplification : int in [1, 255]
        The paper's N (2 to 4 there): how many usual differences make a foreground.
    v_min, v_max : int in [1, 255]
        Limits of V in grey levels: a smaller difference than `v_min` is never foreground, one of
        `v_max` always.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    For every channel, with I the frame: M += sgn(I - M), O = abs(I - M), and where O is not 0
    V += sgn(N O - V), kept in [v_min, v_max]. A pixel is foreground where O >= V in any channel. The
    score is the largest O / (O + V) of its channels.

    A step is one grey level whatever happens, so a learning rate r in (0, 1] given to :meth:`apply`
    means a step every 1/r frames; the model's own choice is a step every frame.

    Memory: 6 bytes a BGR pixel, 2 a grey one. Slow or often passing objects sink into M; a large
    change of light needs as many frames as grey levels.

    References
    ----------
    A. Manzanera, J. Richefeu, A robust and computationally efficient motion detection algorithm based
    on sigma-delta background estimation, ICVGIP 2004; and A new motion detection algorithm based on
    sigma-delta background estimation, Pattern Recognition Letters 28 (2007), doi:10.1016/j.patrec.2006.04.007.

    Examples
    --------
    >>> model = SigmaDelta()
    >>> for grey in (100, 100, 103):
    ...     mask = model.apply(np.full((1, 2), grey, np.uint8))
    >>> mask, model.background()
    (array([[0, 0]], dtype=uint8), array([[101, 101]], dtype=uint8))
    """

    info = ModelInfo(
        paper="Manzanera, Richefeu 2007, A new motion detection algorithm based on sigma-delta background "
        "estimation, doi:10.1016/j.patrec.2006.04.007",
        speed="very fast",
        good_at="embedded and many-camera use: two bytes a channel, integers only",
    )
    _arrays = ("_mean", "_deviation", "_waited")
    _global_arrays = ("_waited",)

    def __init__(self, *, amplification: int = 2, v_min: int = 15, v_max: int = 255) -> None:
        self.amplification = check_integer("amplification", amplification, 1, 255)
        self.v_min = check_integer("v_min", v_min, 1, 255)
        self.v_max = check_integer("v_max", v_max, self.v_min, 255)

    def _start(self, frame: Frame) -> None:
        self._mean = frame.copy()
        self._deviation = np.full(frame.shape, self.v_min, np.uint8)
        self._waited = np.zeros(1, np.int64)  # frames since the last step

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        learn = learning_rate != 0
        if learn:
            self._waited += 1
            learn = learning_rate is None or self._waited[0] >= 1 / learning_rate
            if learn:
                self._waited[0] = 0
        arrays = (self._mean, self._deviation, frame, mask, score)
        numbers = (np.uint16(self.amplification), np.uint8(self.v_min), np.uint8(self.v_max), learn)
        n_tiles = -(-mask.size // _TILE)
        # A pixel costs a fraction of what run_strips reckons with: threads pay on large frames only.
        run_strips(_step, n_tiles, *(a.reshape(-1) for a in arrays), *numbers, pixels_per_unit=_TILE // 8)

    def background(self) -> Frame:
        self._require_started()
        return self._mean.copy()
