"""LOBSTER: samples of colour and texture, with fixed thresholds (St-Charles and Bilodeau 2014)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from motionseg.background._lbsp import (
    EAGER,
    ENOUGH,
    GOOD,
    LIMIT,
    NEAR,
    NEARBY,
    OWN,
    TILE,
    TRIED,
    WIDE,
    WINDOW,
    WORK,
    begin_search,
    color_near,
    count_found,
    features_of,
    few_wait,
    frame_key,
    load_features,
    load_windows,
    relative_of,
    remember_rows,
    sample_picture,
    seed_rows,
    share_of_samples,
    single_out,
    take,
    textures,
)
from motionseg.background.base import BackgroundModel, Pixels
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import FOREGROUND, Frame, Mask, Score

__all__ = ["Lobster"]

_SIDE = 9  # of the window whose majority decides, pixels


@kernel
def _compare(samples, k, current, windows, lane, relative, levels, bits, work, differing, total):
    """NEARBY <- the waiting pixels that sample k is near to, within `levels` and `bits` over all channels; if any is.

    Of several channels, none may take more than half of either.
    """
    n_channels = windows.shape[0]
    most_bits = np.uint8(bits // 2 if n_channels > 1 else bits)
    if not color_near(samples, k, current, work):
        return False
    for i in range(TILE):
        total[i] = 0
    for c in range(0, 3 * n_channels, 3):
        for i in range(TILE):
            ours, theirs = current[c, i], samples[k, c, i]
            total[i] += np.uint16(np.uint8(max(ours, theirs) - min(ours, theirs)))
    some = np.uint8(0)
    for i in range(TILE):
        work[NEARBY + i] &= np.uint8(total[i] <= levels)
        some |= work[NEARBY + i]
    if some == 0:
        return False
    textures(samples, k, current, windows, lane, relative, np.int16(0), work, differing)
    for c in range(n_channels):
        for i in range(TILE):
            work[NEARBY + i] &= np.uint8(differing[c, i] <= most_bits)
    for c in range(1, n_channels):
        for i in range(TILE):
            differing[0, i] += differing[c, i]
    some = np.uint8(0)
    for i in range(TILE):
        work[NEARBY + i] &= np.uint8(differing[0, i] <= bits)
        some |= work[NEARBY + i]
    return some != 0


@kernel
def _search(samples, current, windows, relative, levels, bits, work, differing, total, one, learn):
    """Look through a tile's samples until every pixel has found enough of them."""
    n_samples = samples.shape[0]
    for k in range(n_samples):
        if k == TRIED and few_wait(work):
            break
        found = _compare(samples, k, current, windows, -1, relative, levels, bits, work, differing, total)
        if found and not count_found(samples, k, learn, work):
            return
    else:
        return
    its_samples, its_features, its_work = one
    for i in range(TILE):
        for first in range(TRIED, n_samples, TILE):
            if work[GOOD + i] >= ENOUGH:
                break
            n = single_out(samples, first, i, current, work, its_samples, its_features, its_work)
            if _compare(its_samples, 0, its_features, windows, i, relative, levels, bits, its_work, differing, total):
                for k in range(n):
                    if its_work[NEARBY + k] != 0 and work[GOOD + i] < ENOUGH:
                        take(samples, first + k, i, learn, work)


@kernel
def _classify(start, stop, planes, features, samples, raw, chances, levels, bits, relative, odds, learn):
    """Rows start .. stop: `raw` <- FOREGROUND where too few samples are near; and what each pixel learns."""
    n_channels, width = planes.shape[0], raw.shape[1]
    windows, current = np.empty((n_channels, WINDOW), np.uint8), np.empty((3 * n_channels, TILE), np.uint8)
    work, differing, total = np.empty(WORK, np.uint8), np.empty((n_channels, TILE), np.uint8), np.empty(TILE, np.uint16)
    one = np.empty((1, 3 * n_channels, TILE), np.uint8), np.empty_like(current), np.empty_like(work)
    for i in range(TILE):
        work[LIMIT + i] = min(levels // 2 if n_channels > 1 else levels, 255)
    for y in range(start, stop):
        for t in range(samples.shape[1]):
            x = t * TILE
            load_windows(planes, y, x, windows)
            load_features(features, y, x, current)
            begin_search(width - x, work)
            _search(samples[y, t], current, windows, relative, levels, bits, work, differing, total, one, learn)
            decision = raw[y, x : min(x + TILE, width)]
            for i in range(decision.shape[0]):
                decision[i] = FOREGROUND if work[GOOD + i] < ENOUGH else 0
        if learn:
            own, near, wide, eager = chances[y, OWN], chances[y, NEAR], chances[y, WIDE], chances[y, EAGER]
            for x in range(width):
                own[x] = odds if raw[y, x] == 0 else 0
                near[x] = own[x]
                wide[x], eager[x] = 0, 0


class Lobster(BackgroundModel):
    """Foreground is what too few remembered samples of colour and texture resemble; thresholds are fixed.

    Each pixel remembers samples, chosen at random in time, of its colour and of the local binary pattern (LBSP) around
    it. A sample must resemble the pixel in both: shadows and objects of the background's colour are told from it better
    than by colour alone. It works from the second frame on.

    Random replacement of samples with propagation is patented (EP2015252B1, US8009918B2, JP4699564B2; into 2027-28):
    commercial use may need a licence.

    Parameters
    ----------
    n_samples : int in [2, 1000]
        Samples remembered by each pixel (N).
    color_threshold : int in [0, 255]
        Largest distance of colours, grey levels a channel (R_colour).
    texture_threshold : int in [0, 16]
        Largest distance of patterns, bits a channel (R_desc).
    relative_threshold : float in [0, 1]
        A pixel of the pattern differs by more than this share of the reference's level (T_r); a third of it for grey.
    period : float in [1, 65536]
        A background pixel overwrites one of its samples, and one of a neighbour's, every so many frames (T).
    seed : int, at least 0
        Chooses the random samples; the same seed gives the same masks.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    A sample is near if, summed over the C channels, colours differ by at most C `color_threshold` and patterns by at
    most C `texture_threshold`, and no channel takes more than half of either (grey: all of it). The distance of
    patterns is the mean of two counts of bits: the sample's pattern against the pixel's, and against the pattern of the
    surroundings of now around the sample's colour. Two near samples make a background. The mask is the majority of this
    in 9 x 9 pixels, the score the share of foreground in them.

    A learning rate r given to :meth:`apply` overwrites on average the share r of the samples of a background pixel.
    Foreground is never learned but through its neighbours.

    Memory: 9 bytes a sample and BGR pixel (315 by default), 3 grey (105). Does not adapt to restless places: see
    :class:`Subsense`. A light switch turns everything to foreground, and what has few pixels is never seen. Patents on
    the random replacement of samples with spatial propagation (EP2015252B1, US8009918B2, JP4699564B2) may cover it into
    2028.

    References
    ----------
    P.-L. St-Charles, G.-A. Bilodeau, Improving background subtraction using local binary similarity patterns, WACV
    2014, doi:10.1109/WACV.2014.6836059.

    Examples
    --------
    >>> model = Lobster()
    >>> frame = np.full((40, 60, 3), 90, np.uint8)
    >>> mask = model.apply(frame)
    >>> frame[10:30, 20:40] = 250
    >>> mask = model.apply(frame)
    >>> int(mask[20, 30]), int(mask[5, 5])
    (255, 0)
    """

    info = ModelInfo(
        paper="St-Charles, Bilodeau 2014, Improving background subtraction using local binary similarity patterns, "
        "doi:10.1109/WACV.2014.6836059",
        speed="medium",
        good_at="short clips, weak shadows, objects of the background's colour but not of its texture",
        notice="random sample replacement with propagation is patented: EP2015252B1, US8009918B2, JP4699564B2 "
        "(ViBe, into 2027-28)",
    )
    _arrays = ("_samples",)

    def __init__(
        self,
        *,
        n_samples: int = 35,
        color_threshold: int = 30,
        texture_threshold: int = 4,
        relative_threshold: float = 0.333,
        period: float = 16.0,
        seed: int = 0,
    ) -> None:
        self.n_samples = check_integer("n_samples", n_samples, ENOUGH, 1000)
        self.color_threshold = check_integer("color_threshold", color_threshold, 0, 255)
        self.texture_threshold = check_integer("texture_threshold", texture_threshold, 0, 16)
        self.relative_threshold = check_number("relative_threshold", relative_threshold, 0, 1)
        self.period = check_number("period", period, 1, 65536)
        self.seed = check_integer("seed", seed, 0)

    def _start(self, frame: Frame) -> None:
        _, features, _ = features_of(frame, relative_of(self.relative_threshold, frame.shape))
        (height, width), (_, n_rows, padded) = frame.shape[:2], features.shape
        self._samples = np.empty((height, padded // TILE, self.n_samples, n_rows, TILE), np.uint8)
        arrays = (features, self._samples, frame_key(self.seed, self._frames_seen, "seed"))
        run_strips(seed_rows, height, *arrays, self.n_samples, width, pixels_per_unit=16 * width)

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        learn, (height, width) = learning_rate != 0, mask.shape
        relative, n_channels = relative_of(self.relative_threshold, frame.shape), 1 if frame.ndim == 2 else 3
        planes, features, _ = features_of(frame, relative)
        rate, n_places = 1 / self.period, 1
        if learning_rate is not None:
            rate, n_places = share_of_samples(learning_rate, self.n_samples)
        raw = np.empty_like(mask)
        chances = np.empty((height, 4, width if learn else 0), np.uint16)
        arrays = (planes, features, self._samples, raw, chances)
        limits = np.uint16(n_channels * self.color_threshold), np.uint8(n_channels * self.texture_threshold)
        numbers = (*limits, np.uint16(relative), np.uint16(min(65536 * rate, 65535)), learn)
        run_strips(_classify, height, *arrays, *numbers, pixels_per_unit=2 * width)
        if learn:
            key = frame_key(self.seed, self._frames_seen)
            run_strips(remember_rows, height, features, chances, self._samples, key, n_places, pixels_per_unit=width)
        raw &= 1
        counts = cv2.boxFilter(raw, -1, (_SIDE, _SIDE), normalize=False, borderType=cv2.BORDER_REPLICATE)
        cv2.threshold(counts, _SIDE**2 // 2, FOREGROUND, cv2.THRESH_BINARY, dst=mask)
        np.divide(counts, np.float32(_SIDE**2), out=score)

    def background(self) -> Frame:
        """The learned picture of the empty scene: the median of the samples."""
        shape = self._require_started()
        return sample_picture(self._samples, shape)

    def _cells(self, pixels: Pixels) -> dict[str, tuple[Any, ...]]:
        rows, columns = pixels
        tile, lane = np.divmod(columns, TILE)
        return {"_samples": (rows, tile, slice(None), slice(None), lane)}
