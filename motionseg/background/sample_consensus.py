"""Consensus of remembered samples, replaced at random: ViBe (Barnich and Van Droogenbroeck 2011)."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.background._tiles import TILE, load, median_picture, n_planes, plane_cells
from motionseg.background.base import BackgroundModel, Pixels
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import FOREGROUND, Frame, Mask, Score

__all__ = ["SampleConsensus"]

# The frame is a row of tiles of 64 pixels, and samples have shape (sample, tile x channel, pixel): loops over a tile
# compile to SIMD, and samples are read only until all its pixels have found their matches. Which sample is
# overwritten is drawn once a frame, so that neighbours write side by side in memory; which pixels overwrite theirs, and
# with what, is drawn for each pixel. As a pixel's samples are interchangeable, that is no less random than the paper.
_T, _0, _1, _3, _9 = (np.uint64(n) for n in (TILE, 0, 1, 3, 9))
_16_BITS, _32_BITS, _SCATTER = (np.uint64(n) for n in (1 << 16, 1 << 32, 0x2545F491))


@kernel
def _difference(a, b):
    return np.uint8(max(a, b) - min(a, b))


@kernel
def _add(a, b):
    """Saturating: 255 at most."""
    return np.uint8(a + min(b, np.uint8(~a)))


@kernel
def _nearest(x, samples, t, limit, d, best):
    """best (k x T, flat) <- the smallest distances to samples; stops once all are within `limit`."""
    last = best.shape[0] - TILE
    for i in range(best.shape[0]):
        best[i] = 255
    for which in range(samples.shape[0]):
        sample = samples[which, t * x.shape[0] : (t + 1) * x.shape[0]]
        if x.shape[0] == 3 * TILE:
            for i in range(TILE):
                both = _add(_difference(x[i], sample[i]), _difference(x[TILE + i], sample[TILE + i]))
                d[i] = _add(both, _difference(x[2 * TILE + i], sample[2 * TILE + i]))
        else:
            for i in range(TILE):
                d[i] = _difference(x[i], sample[i])
        for rank in range(0, last, TILE):
            near = best[rank : rank + TILE]
            for i in range(TILE):
                held, new = near[i], d[i]
                near[i] = min(held, new)
                d[i] = max(held, new)
        near, worst = best[last:], np.uint8(0)
        for i in range(TILE):
            smaller = min(near[i], d[i])
            near[i] = smaller
            worst = max(worst, smaller)
        if worst <= limit:
            break


@kernel
def _classify(start, stop, samples, pixels, mask, score, k, limit):
    """Tiles start .. stop: `pixels` into `mask` and `score` (all flat)."""
    x = np.empty(pixels.shape[0] // mask.shape[0] * TILE, np.uint8)
    d, best = np.empty(TILE, np.uint8), np.empty(k * TILE, np.uint8)
    farthest, least = best[(k - 1) * TILE :], np.float32(limit + 1)
    for t in range(start, stop):
        first = t * TILE
        n = min(TILE, mask.shape[0] - first)
        decision, scores = mask[first : first + n], score[first : first + n]
        load(pixels, first, n, x)
        _nearest(x, samples, t, limit, d, best)
        for i in range(n):
            value = np.float32(farthest[i])
            scores[i] = value / (value + least)
        for i in range(n):
            decision[i] = FOREGROUND if farthest[i] > limit else 0


@kernel
def _hash(value):
    """32 random bits for each value of 32 bits."""
    h = np.uint32(np.uint32(value ^ (value >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    return np.uint32(h ^ (h >> np.uint32(16)))


@kernel(inline=True)
def _remember(sample, p, frame, y, x):
    """Pixel p of `sample` <- the frame at (y, x)."""
    n_channels = np.uint64(frame.shape[2])
    place = p // _T * n_channels * _T + p % _T
    for c in range(n_channels):
        sample[place + c * _T] = frame[y, x, c]


@kernel
def _learn(start, stop, sample, other, frame, mask, every, key):
    """Rows start .. stop: in each run of `every` pixels, two drawn ones learn, if what they take is background.

    One overwrites its `sample` with its colour, one its `other` sample with that of a pixel of the 3 x 3 around it.
    """
    # Unsigned: no index needs a look at its sign, and one before the first is one behind the last.
    height, width, every = np.uint64(mask.shape[0]), np.uint64(mask.shape[1]), np.uint64(every)
    for y in range(np.uint64(start), np.uint64(stop)):
        for first in range(_0, width, every):
            bits = np.uint64(_hash(np.uint32(np.uint32(y * width + first) * np.uint32(0x9E3779B1)) ^ key))
            x = first + ((bits % _16_BITS * every) // _16_BITS)
            if x < width and mask[y, x] == 0:
                _remember(sample, y * width + x, frame, y, x)
            x = first + (bits // _16_BITS * every // _16_BITS)
            place = bits * _SCATTER % _32_BITS * _9 // _32_BITS
            near_y, near_x = y + place // _3 - _1, x + place % _3 - _1
            if x < width and near_y < height and near_x < width and mask[near_y, near_x] == 0:
                _remember(other, y * width + x, frame, near_y, near_x)


class SampleConsensus(BackgroundModel):
    """Foreground is what too few of the colours seen here before, or next to here, resemble: ViBe.

    Starts from a single frame, takes any shape of distribution, and forgets at random. What it has once
    taken for foreground it never learns; ghosts and what has stopped are eaten up from their borders, by
    background that spreads to its neighbours.

    This method is patented (EP2015252B1, US8009918B2, JP4699564B2; into 2027-28): commercial use
    may need a licence.

    Parameters
    ----------
    n_samples : int in [1, 255]
        Colours remembered for each pixel (N).
    radius : float in [1, 56]
        A sample is near within this difference, in grey levels (R); in colour frames, where the differences of the
        channels are summed up, within 4.5 times this.
    k : int in [1, n_samples]
        Background has so many near samples (#min).
    subsampling : int in [1, 65536]
        A background pixel overwrites one of its samples in one of so many frames, and one of a neighbour's too (phi).
    seed : int, at least 0
        Chooses the random numbers; the same seed gives the same masks.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    With d the k-th smallest distance to a sample, a pixel is foreground where d > R. The score is
    d / (d + R + 1), d cut at 255; where a pixel is background, samples are looked at only until all of its tile of 64
    have enough, so d is an upper bound there.

    A pixel lives through its frames as in the paper, but for one thing: it draws whether one of its eight
    neighbours hands it its colour, instead of drawing a neighbour to hand its own to. So it gets at most one a frame.
    The samples of the first frame are colours of the neighbours.

    A learning rate r given to :meth:`apply` means that r n_samples samples of a background pixel are
    overwritten in a frame, on average, and as many by its neighbours.

    Memory: 60 bytes a BGR pixel, 20 a grey one (n_samples a channel). Does not know shadows; a light
    switch makes everything foreground, for long.

    References
    ----------
    O. Barnich, M. Van Droogenbroeck, ViBe: A universal background subtraction algorithm for video sequences, IEEE
    Transactions on Image Processing 20 (2011), doi:10.1109/TIP.2010.2101613.

    Examples
    --------
    >>> model = SampleConsensus()
    >>> frame = np.full((3, 4, 3), 90, np.uint8)
    >>> mask = model.apply(frame)
    >>> frame[1, 1:3] = 250
    >>> model.apply(frame)
    array([[  0,   0,   0,   0],
           [  0, 255, 255,   0],
           [  0,   0,   0,   0]], dtype=uint8)
    """

    info = ModelInfo(
        paper="Barnich, Van Droogenbroeck 2011, ViBe: A universal background subtraction algorithm for video "
        "sequences, doi:10.1109/TIP.2010.2101613",
        speed="fast",
        good_at="short clips and moving leaves: works from the second frame on",
        notice="patented: EP2015252B1, US8009918B2, JP4699564B2 (ViBe, into 2027-28)",
    )
    _arrays = ("_samples",)

    def __init__(
        self, *, n_samples: int = 20, radius: float = 20.0, k: int = 2, subsampling: int = 16, seed: int = 0
    ) -> None:
        self.n_samples = check_integer("n_samples", n_samples, 1, 255)
        self.radius = check_number("radius", radius, 1, 56)
        self.k = check_integer("k", k, 1, self.n_samples)
        self.subsampling = check_integer("subsampling", subsampling, 1, 65536)
        self.seed = check_integer("seed", seed, 0)

    def _start(self, frame: Frame) -> None:
        self._samples = np.zeros((self.n_samples, n_planes(frame.shape), TILE), np.uint8)
        everywhere = np.zeros(frame.shape[:2], np.uint8)
        for slot in range(self.n_samples):
            self._overwrite(frame, everywhere, 1, slot, slot, self._random(f"birth {slot}")[0])

    def _random(self, what: object) -> npt.NDArray[np.uint32]:
        """Three random numbers of 32 bits."""
        return np.frombuffer(hashlib.blake2b(f"{self.seed} {what}".encode(), digest_size=12).digest(), "<u4")

    def _overwrite(self, frame: Frame, mask: Mask, every: int, own: int, other: int, key: np.uint32) -> None:
        flat = self._samples.reshape(self.n_samples, -1)
        arrays = (flat[own], flat[other], frame.reshape(*mask.shape, -1), mask)
        run_strips(_learn, len(mask), *arrays, every, key, pixels_per_unit=mask.shape[1])

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        if self._frames_seen == 0:  # the first frame is all the model knows: nothing in it is foreground
            score[:] = 0
            return
        flat = self._samples.reshape(self.n_samples, -1)
        arrays = (flat, frame.reshape(-1), mask.reshape(-1), score.reshape(-1))
        limit = np.uint8(min(self.radius * (1 if frame.ndim == 2 else 4.5), 254))
        run_strips(_classify, -(-mask.size // TILE), *arrays, self.k, limit, pixels_per_unit=TILE)
        if learning_rate == 0:
            return
        overwritten = 1 / self.subsampling if learning_rate is None else learning_rate * self.n_samples
        key, own, other = self._random(self._frames_seen)
        for turn in range(max(1, round(overwritten))):
            slots = (int(own) + turn) % self.n_samples, (int(other) + turn) % self.n_samples
            self._overwrite(frame, mask, max(1, min(round(1 / overwritten), 65536)), *slots, key + np.uint32(turn))

    def background(self) -> Frame:
        """The learned picture of the empty scene: the median of the samples, channel by channel."""
        return median_picture(self._samples, self._require_started())

    def _cells(self, pixels: Pixels) -> dict[str, tuple[Any, ...]]:
        return {"_samples": (slice(None), *plane_cells(pixels, self._require_started()))}
