"""Kernel density: how likely a colour is, judged by samples of the recent and longer past (Elgammal et al. 2000)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from motionseg.background._tiles import TILE, load, median_picture, n_planes, plane_cells
from motionseg.background.base import BackgroundModel, Pixels
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import FOREGROUND, Frame, Mask, Score

__all__ = ["KernelDensity"]

# The frame is a row of tiles of 64 pixels, and samples have shape (tile, sample, channel x pixel): loops over a tile
# compile to SIMD, and its samples, side by side, are read only until its pixels are known to be likely enough.
_UNIT = 8  # steps of the median to a grey level
_SIGMAS = 1 / (0.68 * math.sqrt(2))  # of a normal distribution, in medians of the difference of two of its values
_SCATTER = 7  # neighbouring tiles learn in different frames
_BATCH = 4  # samples that are looked at before it is asked whether they are enough
_PART = 32  # pixels of which this is asked; loops over fewer would not become SIMD
# Where all bandwidths of a tile are the least, squares are summed in 16 bits: three of _FARTHEST fit, and that far off
# a kernel up to _NARROW wide is 0 in float32.
_FARTHEST, _NARROW = 147, 11


@kernel(inline=True, allocates=False)
def _kernel(q):
    """2 to the minus q, nearly."""
    # The bits of a float32 are nearly its logarithm; a parabola mends that to 0.3 %.
    exponent = max(np.float32(127) - q, np.float32(0))
    f = exponent - np.float32(np.int32(exponent))
    return np.int32((exponent + np.float32(0.33977) * f * (f - np.float32(1))) * np.float32(1 << 23)).view(np.float32)


@kernel(inline=True, allocates=False)
def _square(a, b, weight):
    """Weighted, of the difference."""
    d = np.float32(np.int32(max(a, b) - min(a, b)))
    return d * d * weight


@kernel(inline=True, allocates=False)
def _clipped_square(a, b):
    """Of the difference, if that is not beyond _FARTHEST."""
    d = np.uint16(min(np.uint8(max(a, b) - min(a, b)), np.uint8(_FARTHEST)))
    return np.uint16(d * d)


@kernel(allocates=False)
def _sum_kernels(x, samples, weights, is_even, limit, squares, sums):
    """sums (T) <- over the samples, the sum of 2 to the minus weighted squared distance; stops once all are enough.

    Each part of the tile stops by itself.
    """
    size, weight = x.shape[0], weights[0]
    for start in range(0, TILE, _PART):
        here, at, total, distance = x[start:], weights[start:], sums[start : start + _PART], squares[:_PART]
        order = total.view(np.int32)  # floats above 0 are in the order of their bits
        for i in range(_PART):
            total[i] = 0
        for which in range(samples.shape[0]):
            sample = samples[which, start:]
            if is_even:
                if size == 3 * TILE:
                    for i in range(_PART):
                        blue = _clipped_square(here[i], sample[i])
                        green = _clipped_square(here[TILE + i], sample[TILE + i])
                        red = _clipped_square(here[2 * TILE + i], sample[2 * TILE + i])
                        distance[i] = np.uint16(np.uint16(blue + green) + red)
                else:
                    for i in range(_PART):
                        distance[i] = _clipped_square(here[i], sample[i])
                for i in range(_PART):
                    total[i] += _kernel(np.float32(np.int32(distance[i])) * weight)
            elif size == 3 * TILE:
                for i in range(_PART):
                    q = _square(here[i], sample[i], at[i])
                    q += _square(here[TILE + i], sample[TILE + i], at[TILE + i])
                    q += _square(here[2 * TILE + i], sample[2 * TILE + i], at[2 * TILE + i])
                    total[i] += _kernel(q)
            else:
                for i in range(_PART):
                    total[i] += _kernel(_square(here[i], sample[i], at[i]))
            if which % _BATCH == _BATCH - 1:
                least = order[0]
                for i in range(_PART):
                    least = min(least, order[i])
                if least >= np.float32(limit).view(np.int32):
                    break


@kernel(allocates=False)
def _weigh(spread, narrowest, weights):
    """weights (C x T) <- those of squared differences; True if they are all equal, only the first of which is set."""
    half_log2_e, widest = np.float32(0.5 * 1.4426950408889634), np.uint8(0)
    for i in range(weights.shape[0]):
        widest = max(widest, spread[i])
    if np.float32(widest) * np.float32(_SIGMAS / _UNIT) <= narrowest <= _NARROW:
        weights[0] = half_log2_e / (narrowest * narrowest)
        return True
    for i in range(weights.shape[0]):
        sigma = max(np.float32(spread[i]) * np.float32(_SIGMAS / _UNIT), narrowest)
        weights[i] = half_log2_e / (sigma * sigma)
    return False


@kernel(allocates=False)
def _follow(x, previous, spread):
    """A step of `spread` towards the difference of this frame from the previous one, which is then this one."""
    one = np.uint8(1)
    for i in range(x.shape[0]):
        d = np.uint8(min(max(x[i], previous[i]) - min(x[i], previous[i]), 255 // _UNIT) * _UNIT)
        up, down = np.uint8(spread[i] < d) * one, np.uint8(spread[i] > d) * one
        spread[i] = np.uint8(np.uint8(spread[i] + up) - down)
        previous[i] = x[i]


@kernel(allocates=False)
def _judge(start, stop, samples, states, frame, numbers, scratch):
    """The work of :func:`_step`, in scratch of its own."""
    (recent, lasting), (spread, previous), (pixels, mask, score) = samples, states, frame
    (narrowest, limit, now, periods, new), (x, weights, squares, known, other, is_new) = numbers, scratch
    n_samples, size = recent.shape[1], x.shape[0]
    half, below = np.float32(0.5), np.float32(0.49999997)
    for t in range(start, stop):
        first, part = t * TILE, slice(t * size // TILE, (t + 1) * size // TILE)
        n = min(TILE, mask.shape[0] - first)
        load(pixels, first, n, x)
        widths = spread[part].reshape(size)
        is_even = _weigh(widths, narrowest, weights)
        _sum_kernels(x, recent[t], weights, is_even, limit, squares, known)
        unlikely = np.uint8(0)
        for i in range(TILE):
            unlikely |= np.uint8(known[i] < limit)
        if unlikely != 0:
            _sum_kernels(x, lasting[t], weights, is_even, limit, squares, other)
            for i in range(TILE):
                known[i] = max(known[i], other[i])
        decision, scores = mask[first : first + n], score[first : first + n]
        for i in range(TILE):
            is_new[i] = FOREGROUND if known[i] < limit else 0
        for i in range(n):
            share = limit / (limit + known[i])
            scores[i] = max(share, half) if is_new[i] else min(share, below)
            decision[i] = is_new[i]
        if new == 0:
            continue
        _follow(x, previous[part].reshape(size), widths)
        turn = now + t * _SCATTER
        if turn % periods[0] == 0:
            for place in range(turn // periods[0] * new, turn // periods[0] * new + new):
                sample = recent[t, place % n_samples]
                for c in range(0, size, TILE):
                    old, values = sample[c : c + TILE], x[c : c + TILE]
                    for i in range(TILE):
                        old[i] = old[i] if is_new[i] else values[i]
        if turn % periods[1] == 0:
            for place in range(turn // periods[1] * new, turn // periods[1] * new + new):
                sample = lasting[t, place % n_samples]
                for i in range(size):
                    sample[i] = x[i]


@kernel
def _step(start, stop, samples, states, frame, numbers):
    """Tiles start .. stop: classify, then learn `new` samples (0: nothing) in one of `periods` frames.

    Pixels, mask and score are flat.
    """
    size, floats = samples[0].shape[2], np.empty((2, TILE), np.float32)
    x, weights, is_new = np.empty(size, np.uint8), np.empty(size, np.float32), np.zeros(TILE, np.uint8)
    scratch = (x, weights, np.empty(TILE, np.uint16), floats[0], floats[1], is_new)
    _judge(start, stop, samples, states, frame, numbers, scratch)


class KernelDensity(BackgroundModel):
    """Foreground is what is unlikely, by a density that samples of the pixel's past are smoothed to.

    Takes any shape of distribution, and finds by itself how noisy each pixel is.

    Parameters
    ----------
    n_samples : int in [1, 255]
        Colours remembered of the recent past, and as many of the longer one (N).
    threshold : float in (0, 1]
        Foreground where the density is below this, 1 being that of a colour which all samples have.
    recent : int, at least n_samples
        Frames that the recent samples reach back.
    history : int, at least n_samples
        Frames that the others reach back.
    min_bandwidth : float in [0.5, 100]
        Least standard deviation of a kernel, in grey levels.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    With samples x_i and a bandwidth s for each channel, the density of a colour x is

        p(x) = 1 / N sum_i prod_c exp(-(x - x_i)^2 / (2 s^2)).

    For s the median m of the absolute differences between successive frames is followed, in steps of 1/8 grey level:
    s = m / (0.68 sqrt 2). A pixel is foreground where p < threshold for the recent samples, which only background gets
    among, and for the lasting ones, which take whatever is there: so what has stopped is learned in time. The score is
    t / (t + p), the probability of foreground if its colours had the density t = `threshold`. Samples are looked at
    only until all pixels of a tile of 64 are likely enough: where a pixel is background, its score is an upper bound.

    Against the paper: kernels have height 1, not area 1, so that noisy pixels are not judged more strictly; BGR is
    taken for chromaticity, and the frames of a window at regular intervals. The paper's second stage, which takes for
    background what is likely by the densities of neighbouring pixels, is left out.

    A learning rate r given to :meth:`apply` means that r N samples of each kind are overwritten in a frame.

    Memory: 126 bytes a BGR pixel, 42 a grey one (2 n_samples + 2 a channel). Does not know shadows.

    References
    ----------
    A. Elgammal, D. Harwood, L. Davis, Non-parametric model for background subtraction, ECCV 2000,
    doi:10.1007/3-540-45053-X_48.

    Examples
    --------
    >>> model = KernelDensity(history=100)
    >>> for i in range(60):
    ...     mask = model.apply(np.full((1, 3), 140 if i % 3 == 0 else 80, np.uint8))  # a light blinks
    >>> model.apply(np.array([[80, 110, 140]], np.uint8))
    array([[  0, 255,   0]], dtype=uint8)
    """

    info = ModelInfo(
        paper="Elgammal, Harwood, Davis 2000, Non-parametric model for background subtraction, "
        "doi:10.1007/3-540-45053-X_48",
        speed="medium",
        good_at="backgrounds of any distribution; noise that differs from place to place",
    )
    _arrays = ("_recent", "_lasting", "_spread", "_previous")

    def __init__(
        self,
        *,
        n_samples: int = 20,
        threshold: float = 0.1,
        recent: int = 100,
        history: int = 1000,
        min_bandwidth: float = 10.0,
    ) -> None:
        self.n_samples = check_integer("n_samples", n_samples, 1, 255)
        self.threshold = check_number("threshold", threshold, 0, 1, above=True)
        self.recent = check_integer("recent", recent, self.n_samples)
        self.history = check_integer("history", history, self.n_samples)
        self.min_bandwidth = check_number("min_bandwidth", min_bandwidth, 0.5, 100)

    def _start(self, frame: Frame) -> None:
        planes = n_planes(frame.shape)
        n_channels = 1 if frame.ndim == 2 else 3
        pixels = np.zeros((planes // n_channels * TILE, n_channels), np.uint8)
        pixels[: frame.shape[0] * frame.shape[1]] = frame.reshape(-1, n_channels)
        self._previous = np.ascontiguousarray(pixels.reshape(-1, TILE, n_channels).transpose(0, 2, 1)).reshape(-1, TILE)
        self._spread = np.zeros((planes, TILE), np.uint8)
        self._recent = np.repeat(self._previous.reshape(-1, 1, n_channels * TILE), self.n_samples, axis=1)
        self._lasting = self._recent.copy()

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        n, new, periods = self.n_samples, 1, (self.recent // self.n_samples, self.history // self.n_samples)
        if learning_rate is not None:
            new = max(1, round(learning_rate * n)) if learning_rate > 0 else 0
            periods = (max(1, round(1 / (learning_rate * n))) if new else 1,) * 2
        samples, states = (self._recent, self._lasting), (self._spread, self._previous)
        flat = (frame.reshape(-1), mask.reshape(-1), score.reshape(-1))
        numbers = (np.float32(self.min_bandwidth), np.float32(n * self.threshold), self._frames_seen, periods, new)
        run_strips(_step, -(-mask.size // TILE), samples, states, flat, numbers, pixels_per_unit=TILE)

    def background(self) -> Frame:
        """The learned picture of the empty scene: the median of the recent samples, channel by channel."""
        samples = self._recent.swapaxes(0, 1).reshape(self.n_samples, -1, TILE)
        return median_picture(samples, self._require_started())

    def _cells(self, pixels: Pixels) -> dict[str, tuple[Any, ...]]:
        plane, lane = plane_cells(pixels, self._require_started())
        n_channels = plane.shape[1]
        every = (plane[:, :1] // n_channels, np.arange(self.n_samples)[:, None, None], plane % n_channels * TILE + lane)
        return {"_recent": every, "_lasting": every, "_spread": (plane, lane), "_previous": (plane, lane)}
