"""Two rates: a background that learns slowly and one that learns fast tell what moves from what has stopped."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionseg.background.base import BackgroundModel
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Frame, Mask, Score

__all__ = ["TwoRate"]

_TILE = 512
_HALTED_SHARE = 0.05  # of its rate, with which the slow mean follows what has halted


@kernel
def _distances(x, mean, variance, share, distance):
    """distance (n) <- the sum over channels of squared differences in units of the variance."""
    n, n_values = distance.shape[0], x.shape[0]
    for i in range(n_values):
        d = np.float32(x[i]) - mean[i]
        share[i] = d * d / variance[i]
    if n_values > n:
        for i in range(n):
            distance[i] = share[3 * i] + share[3 * i + 1] + share[3 * i + 2]
    else:
        for i in range(n):
            distance[i] = share[i]


@kernel
def _step(start, stop, slow, fast, variances, evidence, pixels, mask, score, limit, rates, var_min, most):
    """Tiles start .. stop (all arrays flat): classify by the slow means, then learn (rates of 0: not at all)."""
    n_channels = pixels.shape[0] // mask.shape[0]
    slow_rate, fast_rate, halted_rate = rates
    share, distance, apart = np.empty(3 * _TILE, np.float32), np.empty(_TILE, np.float32), np.empty(_TILE, np.float32)
    speed, pace = np.empty(_TILE, np.float32), np.empty(3 * _TILE, np.float32)
    half, below, one = np.float32(0.5), np.float32(0.49999997), np.uint16(1)
    for tile in range(start, stop):
        first = tile * _TILE
        n = min(_TILE, mask.shape[0] - first)
        values = slice(n_channels * first, n_channels * (first + n))
        x, mean, quick, variance = pixels[values], slow[values], fast[values], variances[values]
        decision, scores, still = mask[first : first + n], score[first : first + n], evidence[first : first + n]
        _distances(x, mean, variance, share, distance[:n])
        for i in range(n):
            d = distance[i]
            quotient = d / (d + limit)
            decision[i] = 255 if d > limit else 0
            scores[i] = max(quotient, half) if d > limit else min(quotient, below)
        if fast_rate == 0:
            continue
        _distances(x, quick, variance, share, apart[:n])
        for i in range(n):
            more, less = np.uint16(min(still[i], most - one) + one), np.uint16(max(still[i], one) - one)
            is_halted = (distance[i] > limit) & (apart[i] <= limit)
            still[i] = more if is_halted else less
            rate = slow_rate if distance[i] <= limit else np.float32(0)
            speed[i] = halted_rate if is_halted else rate
        if n_channels == 3:
            for i in range(n):
                pace[3 * i] = pace[3 * i + 1] = pace[3 * i + 2] = speed[i]
        else:
            for i in range(n):
                pace[i] = speed[i]
        for i in range(n_channels * n):
            value, v, rate = np.float32(x[i]), variance[i], pace[i]
            d = value - mean[i]
            mean[i] += rate * d
            quick[i] += fast_rate * (value - quick[i])
            learned = max(v + rate * (d * d - v), var_min)
            variance[i] = learned if rate == slow_rate else v


class TwoRate(BackgroundModel):
    """Foreground is what the slow one of two backgrounds does not know; of that, what the fast one knows has stopped.

    For left luggage, parked cars and removed things: :meth:`still_objects` tells them from what moves.

    Parameters
    ----------
    learning_rate : float in (0, 1]
        Share of a new frame in the slow background. The first frames get 1/2, 1/3, ... until that falls below it.
    fast_rate : float in [learning_rate, 1]
        Share of a new frame in the fast background.
    threshold : float in (0, 100]
        Foreground where the Mahalanobis distance exceeds this many standard deviations.
    patience : int in [1, 65535]
        Frames after which something halted counts as a still object.
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
    For every channel, with I the frame: S += a (I - S) and F += b (I - F), a < b, and v += a ((I - S)^2 - v), at least
    `var_min`. The distance to S is the sum of (I - S)^2 / v over the channels, that to F alike. A pixel is

    - background, where S knows it (distance up to ``threshold ** 2``);
    - moving, where neither knows it: S and v do not learn it, so that it leaves no trail;
    - halted, where F alone does: S learns it with a / 20, v does not. Its evidence grows by a frame (up to twice
      `patience`), and shrinks by one while it is not halted.

    The score is q / (q + threshold^2) with q the distance to S. A learning rate r given to :meth:`apply` is that of S;
    that of F remains larger by the same factor, but is 1 at most.

    Memory: 38 bytes a BGR pixel, 14 a grey one. What sways is lost in the variance of its mean. Does not know shadows.

    References
    ----------
    F. Porikli, Y. Ivanov, T. Haga, Robust abandoned object detection using dual foregrounds, EURASIP Journal on
    Advances in Signal Processing 2008, doi:10.1155/2008/197875. There each background is a mixture of Gaussians.

    Examples
    --------
    >>> model = TwoRate(patience=10)
    >>> for i in range(100):
    ...     frame = np.full((1, 4), 60, np.uint8)
    ...     frame[0, 1] = 200 if i >= 20 else 60  # something is left behind
    ...     frame[0, 2] = 200 if i == 99 else 60  # something passes
    ...     mask = model.apply(frame)
    >>> mask, model.still_objects()
    (array([[  0, 255, 255,   0]], dtype=uint8), array([[False,  True, False, False]]))
    """

    info = ModelInfo(
        paper="Porikli, Ivanov, Haga 2008, Robust abandoned object detection using dual foregrounds, "
        "doi:10.1155/2008/197875",
        speed="very fast",
        good_at="left and removed things: tells what has stopped from what moves",
    )
    _arrays = ("_slow", "_fast", "_variance", "_evidence")

    def __init__(
        self,
        *,
        learning_rate: float = 0.01,
        fast_rate: float = 0.05,
        threshold: float = 5.0,
        patience: int = 50,
        var_init: float = 225.0,
        var_min: float = 16.0,
    ) -> None:
        self.learning_rate = check_number("learning_rate", learning_rate, 0, 1, above=True)
        self.fast_rate = check_number("fast_rate", fast_rate, self.learning_rate, 1)
        self.threshold = check_number("threshold", threshold, 0, 100, above=True)
        self.patience = check_integer("patience", patience, 1, 65535)
        self.var_init = check_number("var_init", var_init, 0, 65025, above=True)
        self.var_min = check_number("var_min", var_min, 0, self.var_init, above=True)

    def _start(self, frame: Frame) -> None:
        self._slow, self._fast = frame.astype(np.float32), frame.astype(np.float32)
        self._variance = np.full(frame.shape, self.var_init, np.float32)
        self._evidence = np.zeros(frame.shape[:2], np.uint16)

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        if self._frames_seen == 0:  # all that it knows is this frame
            score[:] = 0
            return
        if learning_rate is None:
            rate = max(self.learning_rate, 1 / (self._frames_seen + 1))
            fast_rate = max(self.fast_rate, rate)
        else:
            rate, fast_rate = learning_rate, min(1.0, learning_rate * self.fast_rate / self.learning_rate)
        arrays = (self._slow, self._fast, self._variance, self._evidence, frame, mask, score)
        rates = (np.float32(rate), np.float32(fast_rate), np.float32(_HALTED_SHARE * rate))
        limits = (
            np.float32(self.threshold**2),
            rates,
            np.float32(self.var_min),
            np.uint16(min(2 * self.patience, 65535)),
        )
        flat, n_tiles = (a.reshape(-1) for a in arrays), -(-mask.size // _TILE)
        # A pixel costs a fraction of what run_strips reckons with: threads pay on large frames only.
        run_strips(_step, n_tiles, *flat, *limits, pixels_per_unit=_TILE // 8)

    def background(self) -> Frame:
        self._require_started()
        return np.rint(self._slow).clip(0, 255).astype(np.uint8)

    def still_objects(self) -> npt.NDArray[np.bool_]:
        """Where something has stopped, or left its place, `patience` frames ago or longer.

        Returns
        -------
        bool (H, W)
            The caller's to keep.

        Raises
        ------
        StateError
            Before the first frame.
        """
        self._require_started()
        return self._evidence >= self.patience
