"""Counts the frames for which every pixel kept its grey: the cheapest model with a memory (after Zeevi 2016)."""

from __future__ import annotations

import numpy as np

from motionseg.background.base import BackgroundModel
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Frame, Mask, Score

__all__ = ["CountStability"]

_TILE = 1024


@kernel
def _luma(pixels, grey):
    """grey <- the luma of BGR `pixels` (flat), rounded as cv2.cvtColor does; or the pixels, where they are grey."""
    n = grey.shape[0]
    if pixels.shape[0] == n:
        for i in range(n):
            grey[i] = pixels[i]
    else:
        for i in range(n):
            b, g, r = np.int32(pixels[3 * i]), np.int32(pixels[3 * i + 1]), np.int32(pixels[3 * i + 2])
            grey[i] = np.uint8((3735 * b + 19235 * g + 9798 * r + 16384) >> 15)


@kernel
def _apart(a, b):
    return np.uint8(max(a, b) - min(a, b))


@kernel
def _step(start, stop, known, credits, previous, stability, picture, pixels, mask, score, limits, counts, learn):
    """Tiles start .. stop (all arrays flat): count, classify, and where `learn` is set keep what was counted."""
    n_channels = pixels.shape[0] // mask.shape[0]
    least, most, step = counts
    near_limit, still_limit = limits
    zero, room = np.uint16(0), np.uint16(most - step)
    threshold, half, below = np.float32(near_limit), np.float32(0.5), np.float32(0.49999997)
    new, credit, stable = np.empty(_TILE, np.uint8), np.empty(_TILE, np.uint16), np.empty(_TILE, np.uint16)
    distance, taken, decided = np.empty(_TILE, np.uint8), np.empty(_TILE, np.uint8), np.empty(_TILE, np.uint8)
    for tile in range(start, stop):
        first = tile * _TILE
        n = min(_TILE, mask.shape[0] - first)
        colors = pixels[n_channels * first : n_channels * (first + n)]
        h, c = known[first : first + n], credits[first : first + n]
        p, s = previous[first : first + n], stability[first : first + n]
        decision, scores = mask[first : first + n], score[first : first + n]
        _luma(colors, new[:n])
        any_taken = np.uint8(0)
        for i in range(n):
            x, old = new[i], c[i]
            away = _apart(x, h[i])
            near, still = away < near_limit, _apart(x, p[i]) < still_limit
            counted = np.uint16(min(s[i], room) + step)
            counted = counted if still else zero
            counted = zero if near else counted
            ready = counted > least
            take = ready & (counted >= old)
            less = np.uint16(max(old, step) - step)
            less = old if still & (not ready) else less
            more = np.uint16(min(old, room) + step)
            now = more if near else less
            now = counted if take else now
            credit[i], stable[i], distance[i], taken[i] = now, counted, away, take
            decided[i] = 0 if (near | take) & (now > least) else 255
            any_taken |= np.uint8(take)
        for i in range(n):
            decision[i] = decided[i]
            d = np.float32(distance[i])
            quotient = d / (d + threshold)
            scores[i] = max(quotient, half) if decided[i] else min(quotient, below)
        if learn:
            for i in range(n):
                c[i], s[i], p[i] = credit[i], stable[i], new[i]
            if any_taken:
                for i in range(n):
                    if taken[i]:
                        h[i] = new[i]
                        for k in range(n_channels * i, n_channels * (i + 1)):
                            picture[n_channels * first + k] = colors[k]


class CountStability(BackgroundModel):
    """Foreground is what differs from the grey that a pixel has kept for longest; made for weak processors.

    Gives the masks of OpenCV's ``BackgroundSubtractorCNT`` with history. It sees grey only: an object
    of another colour but the same grey is not found.

    Parameters
    ----------
    min_stability : int in [1, 65534]
        Frames for which a grey must be seen before it is background.
    max_stability : int in [min_stability + 1, 65535]
        Most credit, in frames, that a grey collects: half of this is about what a stopped object
        needs to become background.
    threshold : int in [1, 255]
        Foreground where the grey differs from the known one by so many levels.
    still_threshold : int in [1, 255]
        A grey is kept while it changes by fewer levels than this from frame to frame.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    A pixel remembers a grey h with a credit c, and how long, s, another grey has been kept. With I the
    grey of the frame and I' that of the frame before:

    - abs(I - h) < threshold: c += 1 up to `max_stability`, s = 0; background once c > `min_stability`.
    - else, if abs(I - I') < still_threshold: s += 1. Once s > `min_stability`, c -= 1 unless s >= c:
      then h = I, c = s, and the pixel is background.
    - else s = 0 and c -= 1.

    So the first `min_stability` frames are all foreground. A learning rate r in (0, 1] given to
    :meth:`apply` lets a frame count for ``r * max_stability`` frames, but one at least, which is what
    the model does by itself. The score is d / (d + threshold) with d = abs(I - h), kept on the mask's
    side of one half.

    Memory: 9 bytes a BGR pixel, 7 a grey one. What sways by more than `threshold` stays foreground.

    References
    ----------
    S. Zeevi, BackgroundSubtractorCNT: a fast background subtraction algorithm, 2016,
    doi:10.5281/zenodo.4267853.

    Examples
    --------
    >>> model = CountStability(min_stability=2)
    >>> for grey in (100, 101, 99, 160):
    ...     mask = model.apply(np.full((1, 2), grey, np.uint8))
    >>> mask, model.background()
    (array([[255, 255]], dtype=uint8), array([[100, 100]], dtype=uint8))
    """

    info = ModelInfo(
        paper="Zeevi 2016, BackgroundSubtractorCNT, doi:10.5281/zenodo.4267853",
        speed="very fast",
        good_at="weak processors, many cameras, steady scenes",
    )
    _arrays = ("_known", "_credit", "_previous", "_stability", "_picture")

    def __init__(
        self, *, min_stability: int = 15, max_stability: int = 900, threshold: int = 30, still_threshold: int = 5
    ) -> None:
        self.min_stability = check_integer("min_stability", min_stability, 1, 65534)
        self.max_stability = check_integer("max_stability", max_stability, self.min_stability + 1, 65535)
        self.threshold = check_integer("threshold", threshold, 1, 255)
        self.still_threshold = check_integer("still_threshold", still_threshold, 1, 255)

    def _start(self, frame: Frame) -> None:
        self._known = np.empty(frame.shape[:2], np.uint8)
        _luma(frame.reshape(-1), self._known.reshape(-1))
        self._previous, self._picture = self._known.copy(), frame.copy()
        self._stability = np.zeros(self._known.shape, np.uint16)
        # A pixel that starts anew among settled ones need not wait.
        self._credit = np.full(self._known.shape, self.min_stability if self._frames_seen else 0, np.uint16)

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        arrays = (self._known, self._credit, self._previous, self._stability, self._picture, frame, mask, score)
        step = max(1, round((learning_rate or 0) * self.max_stability))
        limits = (np.uint8(self.threshold), np.uint8(self.still_threshold))
        counts = (np.uint16(self.min_stability), np.uint16(self.max_stability), np.uint16(step))
        flat, n_tiles = (a.reshape(-1) for a in arrays), -(-mask.size // _TILE)
        # A pixel costs a fraction of what run_strips reckons with: threads pay on large frames only.
        run_strips(_step, n_tiles, *flat, limits, counts, learning_rate != 0, pixels_per_unit=_TILE // 8)

    def background(self) -> Frame:
        self._require_started()
        return self._picture.copy()
