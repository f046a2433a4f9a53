"""Temporal median: the background is the median of frames sampled from the recent past."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from motionseg.background.base import BackgroundModel, Pixels
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Frame, Mask, Score

__all__ = ["TemporalMedian"]

_TILE = 512


@kernel
def _medians(start, stop, ring, n_samples, medians):
    """Tiles start .. stop: `medians` (flat) of the first `n_samples` rows of `ring` (history, pixels x channels)."""
    rank = np.uint8((n_samples - 1) // 2)
    median, trial, smaller = np.empty(_TILE, np.uint8), np.empty(_TILE, np.uint8), np.empty(_TILE, np.uint8)
    for tile in range(start, stop):
        first = tile * _TILE
        out = medians[first : first + _TILE]
        n = out.shape[0]
        median[:] = 0
        # From the highest bit down: a bit is set if no more than `rank` samples are smaller than the value with it.
        for bit in range(7, -1, -1):
            step = np.uint8(1 << bit)
            for i in range(n):
                trial[i] = median[i] | step
                smaller[i] = 0
            for k in range(n_samples):
                sample = ring[k, first : first + n]
                for i in range(n):
                    smaller[i] += np.uint8(sample[i] < trial[i])
            for i in range(n):
                low, high = median[i], trial[i]
                median[i] = high if smaller[i] <= rank else low
        for i in range(n):
            out[i] = median[i]


@kernel
def _classify(start, stop, medians, pixels, mask, score, limit):
    """Tiles start .. stop (all arrays flat): foreground where a channel differs by `limit` or more."""
    n_channels = pixels.shape[0] // mask.shape[0]
    absolute, farthest = np.empty(3 * _TILE, np.uint8), np.empty(_TILE, np.uint8)
    least = np.float32(limit)
    for tile in range(start, stop):
        first = tile * _TILE
        n = min(_TILE, mask.shape[0] - first)
        new = pixels[n_channels * first : n_channels * (first + n)]
        median = medians[n_channels * first : n_channels * (first + n)]
        decision, scores = mask[first : first + n], score[first : first + n]
        for i in range(n_channels * n):
            d = np.int16(np.int16(new[i]) - np.int16(median[i]))
            absolute[i] = np.uint8(max(d, np.int16(-d)))
        if n_channels == 3:
            for i in range(n):
                farthest[i] = max(max(absolute[3 * i], absolute[3 * i + 1]), absolute[3 * i + 2])
        else:
            for i in range(n):
                farthest[i] = absolute[i]
        for i in range(n):
            decision[i] = 255 if farthest[i] >= limit else 0
        for i in range(n):
            d = np.float32(farthest[i])
            scores[i] = d / (d + least)


class TemporalMedian(BackgroundModel):
    """Foreground is what differs from the median of `history` frames, one taken every `period` frames.

    The median ignores whatever covers a pixel for less than half the time, so the background stays
    clean where objects pass often, and nothing fades in slowly.

    Parameters
    ----------
    history : int in [1, 255]
        Number of frames the median is taken of.
    period : int, at least 1
        A frame is taken every so many frames; together they look back on ``history * period`` frames.
    threshold : float in [0, 254]
        Foreground where a channel differs from the median by more than this many grey levels.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    The median of every channel for itself; of an even number of frames (while the history fills)
    the lower of the two in the middle. It is computed anew when a frame is taken, not in between. A
    learning rate r in (0, 1] given to :meth:`apply` takes a frame every 1/r frames. The score is
    d / (d + t), with d the largest difference of a channel and t the least that is foreground.

    Memory: ``3 * (history + 1)`` bytes a BGR pixel (78 by default), a third of it for grey. An object
    that covers a pixel for more than half of the history becomes background at once.

    References
    ----------
    R. Cucchiara et al., Detecting moving objects, ghosts, and shadows in video streams, PAMI 25
    (2003), doi:10.1109/TPAMI.2003.1233909. B. Lo, S. Velastin, Automatic congestion detection system
    for underground platforms, ISIMP 2001, doi:10.1109/ISIMP.2001.925356.

    Examples
    --------
    >>> model = TemporalMedian(history=3, period=1)
    >>> for grey in (100, 200, 110):
    ...     mask = model.apply(np.full((1, 2), grey, np.uint8))
    >>> model.background()
    array([[110, 110]], dtype=uint8)
    """

    info = ModelInfo(
        paper="Cucchiara et al. 2003, Detecting moving objects, ghosts, and shadows, doi:10.1109/TPAMI.2003.1233909",
        speed="fast",
        good_at="a clean background picture in busy scenes with steady light",
    )
    _arrays = ("_ring", "_median", "_counters")
    _global_arrays = ("_counters",)

    def __init__(self, *, history: int = 25, period: int = 5, threshold: float = 25.0) -> None:
        self.history = check_integer("history", history, 1, 255)
        self.period = check_integer("period", period, 1)
        self.threshold = check_number("threshold", threshold, 0, 254)

    def _start(self, frame: Frame) -> None:
        self._ring = np.repeat(frame[None], self.history, axis=0)
        self._median = frame.copy()
        self._counters = np.array([1, 0], np.int64)  # frames taken so far, frames since the last one

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        limit = np.uint8(math.floor(self.threshold) + 1)
        arrays = (self._median.reshape(-1), frame.reshape(-1), mask.reshape(-1), score.reshape(-1))
        # A pixel costs a fraction of what run_strips reckons with: threads pay on large frames only.
        run_strips(_classify, -(-mask.size // _TILE), *arrays, limit, pixels_per_unit=_TILE // 8)
        if learning_rate != 0 and self._frames_seen > 0:  # the first frame was taken at the start
            self._counters[1] += 1
            if self._counters[1] >= (self.period if learning_rate is None else 1 / learning_rate):
                self._take(frame)

    def _take(self, frame: Frame) -> None:
        taken = int(self._counters[0])
        self._ring[taken % self.history] = frame
        self._counters[:] = taken + 1, 0
        n_samples, n_tiles = min(taken + 1, self.history), -(-frame.size // _TILE)
        ring = self._ring.reshape(self.history, -1)
        run_strips(_medians, n_tiles, ring, n_samples, self._median.reshape(-1), pixels_per_unit=4 * _TILE)

    def _cells(self, pixels: Pixels) -> dict[str, tuple[Any, ...]]:
        return {"_ring": (slice(None), *pixels), "_median": pixels}

    def background(self) -> Frame:
        self._require_started()
        return self._median.copy()
