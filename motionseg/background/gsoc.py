"""Samples that follow what they match, and make way when they are the least used: GSOC (Samsonov 2017)."""

from __future__ import annotations

import hashlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background._tiles import TILE, from_planes, load, n_planes, plane_cells
from motionseg.background.base import BackgroundModel, Pixels
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Frame, Mask, Score

__all__ = ["GSOC"]

# The frame is a row of tiles of 64 pixels; all that a tile remembers lies together. Colours are 16 bits, their bytes
# before and behind the point apart: the search for the nearest sample is SIMD, and reads the former only.
_WHITE = 255.0**2  # squared distances are in squared grey levels here, in shares of white in the parameters
_FIRST_DISTANCE = 0.005


@kernel
def _quarter(a, b):
    """A quarter of the squared difference: the sum over three channels fits 16 bits."""
    d = np.uint16(max(a, b) - min(a, b))
    return np.uint16(np.uint16(d * d) >> np.uint16(2))


@kernel
def _find_nearest(x, colors, best, which):
    """best, which (T) <- a quarter of the least squared distance to a sample, and that sample; grey counts thrice."""
    for i in range(TILE):
        best[i] = 65535
    for k in range(colors.shape[0]):
        sample = colors[k].reshape(-1)
        if x.shape[0] == 3 * TILE:
            for i in range(TILE):
                d = np.uint16(_quarter(x[i], sample[i]) + _quarter(x[TILE + i], sample[TILE + i]))
                d = np.uint16(d + _quarter(x[2 * TILE + i], sample[2 * TILE + i]))
                least, nearest = best[i], which[i]
                best[i] = min(d, least)
                which[i] = np.uint16(k) if d < least else nearest
        else:
            for i in range(TILE):
                d = np.uint16(np.uint16(3) * _quarter(x[i], sample[i]))
                least, nearest = best[i], which[i]
                best[i] = min(d, least)
                which[i] = np.uint16(k) if d < least else nearest


@kernel
def _follow(x, which, fg, colors, fractions, times, hits, rate, now, used):
    """Background's nearest sample moves by `rate` (in 32768) and counts a hit; used (T) <- its hits, 0 elsewhere."""
    for i in range(TILE):
        used[i] = 0
        if fg[i] == 0:
            k = which[i]
            for c in range(colors.shape[1]):
                old = (np.int32(colors[k, c, i]) << np.int32(8)) | np.int32(fractions[k, c, i])
                gap = np.int32(((np.int32(x[c * TILE + i]) << np.int32(8)) | np.int32(128)) - old)
                old += np.int32(np.int32(gap * rate) >> np.int32(15))
                colors[k, c, i], fractions[k, c, i] = old >> np.int32(8), old & np.int32(255)
            used[i] = min(hits[k, i] + 1, 255)
            times[i, k], hits[k, i] = now, used[i]


@kernel
def _mix(number, key):
    """32 random bits for each number."""
    h = np.uint32(np.uint32(np.uint32(number) * np.uint32(0x9E3779B1)) ^ np.uint32(key))
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    return np.uint32(h ^ (h >> np.uint32(16)))


@kernel
def _lane(i, bits):
    """16 of a tile's 32 random bits, scattered to pixel i."""
    h = np.uint16(np.uint16(np.uint16(i) * np.uint16(0x9E37)) + np.uint16(bits))
    h = np.uint16(h * np.uint16((bits >> np.uint32(16)) | np.uint32(1)))
    h = np.uint16(np.uint16(h ^ np.uint16(h >> np.uint16(7))) * np.uint16(0x5AE5))
    return np.uint16(h ^ np.uint16(h >> np.uint16(9)))


@kernel
def _oldest(times, now):
    """The sample that was matched longest ago."""
    chosen, greatest = 0, np.uint16(0)
    for k in range(times.shape[0]):
        age = np.uint16(now - times[k])  # right over the overflow, too
        if age > greatest:
            chosen, greatest = k, age
    return chosen


@kernel
def _step(
    start, stop, colors, fractions, times, hits, usual, blinking, before, frame, found, given, gifts,
    p, rates, key, now, learn,
):  # fmt: skip
    """Tiles start .. stop: `found` <- 1 where foreground; then learn.

    `given` (pixels) <- hits of the sample that a pixel gives to its neighbours, 0 for none; `gifts` <- its colour.
    """
    n_channels = colors.shape[2]
    x, mine, used = np.empty(n_channels * TILE, np.uint8), np.empty(TILE, np.uint8), np.empty(TILE, np.uint8)
    best, which = np.empty(TILE, np.uint16), np.zeros(TILE, np.uint16)
    fg, due = np.empty(TILE, np.uint8), np.empty(TILE, np.uint8)
    alpha, beta, rate, decay, blink = p[0], p[1], p[2], p[3], p[4]
    replaced, propagated = np.uint32(rates[0]), np.uint32(rates[1])
    hits_threshold, fixed_rate = np.uint8(rates[2]), np.int32(rates[3])
    for t in range(start, stop):
        first = t * TILE
        n = min(TILE, found.shape[0] - first)
        state, mean = found[first : first + n], usual[t]
        load(frame, first, n, x)
        _find_nearest(x, colors[t], best, which)
        for i in range(TILE):
            d, old = np.float32(4) * np.float32(best[i]), mean[i]
            new = old + rate * (d - old)
            fg[i] = np.uint8(d > alpha * new + beta)
            mean[i] = new if learn else old
        for i in range(n):
            state[i] = fg[i]
        if not learn:
            continue
        _follow(x, which, fg, colors[t], fractions[t], times[t], hits[t], fixed_rate, now, used)
        bits, some, out = _mix(t, key), np.uint8(0), given[first : first + n]
        for i in range(TILE):
            gives = (used[i] > hits_threshold) & (_lane(i, bits) < propagated)
            mine[i] = used[i] if gives else np.uint8(0)
            some |= mine[i]
        for i in range(n):
            out[i] = mine[i]
        if some != 0:
            for i in range(n):
                if mine[i] != 0:
                    for c in range(n_channels):
                        color = np.uint16(colors[t, which[i], c, i]) << np.uint16(8)
                        gifts[first + i, c] = color | np.uint16(fractions[t, which[i], c, i])
        restless, last, some = blinking[t], before[t], np.uint8(0)
        other_bits = np.uint32(bits * np.uint32(0x2545F491))
        for i in range(TILE):
            b = (restless[i] + np.float32(fg[i] != last[i])) * decay
            restless[i] = b
            last[i] = fg[i]
            blinks = np.float32(_lane(i, other_bits)) < b * blink
            due[i] = np.uint8(blinks) + np.uint8((fg[i] != 0) & (_lane(i, bits) < replaced))
            some |= due[i]
        if some != 0:
            for i in range(n):
                for _ in range(due[i]):
                    k = _oldest(times[t, i], now)
                    times[t, i, k], hits[t, k, i] = now, 0
                    for c in range(n_channels):
                        colors[t, k, c, i], fractions[t, k, c, i] = x[c * TILE + i], 128


@kernel
def _receive(start, stop, colors, fractions, times, hits, given, gifts, now):
    """Rows start .. stop: what the pixels above, left, right and below give replaces the oldest samples."""
    height, width = given.shape
    some = np.empty(width, np.uint8)
    for y in range(start, stop):
        up, here, down = given[max(y - 1, 0)], given[y], given[min(y + 1, height - 1)]
        for x in range(width):
            some[x] = up[x] | down[x]
        left, right = here[: width - 1], here[1:]
        from_left, from_right = some[1:], some[: width - 1]
        for x in range(width - 1):
            from_left[x] |= left[x]
        for x in range(width - 1):
            from_right[x] |= right[x]
        for x in range(width):
            if some[x] != 0:
                t, i = (y * width + x) // TILE, (y * width + x) % TILE
                for near_y, near_x in ((y - 1, x), (y, x - 1), (y, x + 1), (y + 1, x)):
                    if 0 <= near_y < height and 0 <= near_x < width and given[near_y, near_x] != 0:
                        k = _oldest(times[t, i], now)
                        times[t, i, k], hits[t, k, i] = now, given[near_y, near_x]
                        for c in range(gifts.shape[1]):
                            color = gifts[near_y * width + near_x, c]
                            colors[t, k, c, i], fractions[t, k, c, i] = color >> np.uint16(8), color & np.uint16(255)


@kernel
def _sweep(start, stop, labels, is_small, mask):
    """Rows start .. stop: flip the pixels of small components."""
    for y in range(start, stop):
        for x in range(mask.shape[1]):
            mask[y, x] ^= is_small[labels[y, x]]


@kernel
def _favourites(start, stop, colors, hits, times, enough, now, picture):
    """Tiles start .. stop: `picture` <- of the samples with `enough` hits, or the most, the one last matched."""
    for t in range(start, stop):
        for i in range(TILE):
            chosen, most = 0, -65536
            for k in range(hits.shape[1]):
                merit = 65536 * min(np.int64(hits[t, k, i]), enough) - np.int64(np.uint16(now - times[t, i, k]))
                if merit > most:
                    chosen, most = k, merit
            for c in range(picture.shape[1]):
                picture[t, c, i] = colors[t, chosen, c, i]


class GSOC(BackgroundModel):
    """Foreground is far from all samples, which follow what they match; the mask is cleaned of specks and holes.

    A few colours are remembered for each pixel. The nearest one follows what the pixel shows; a well-tried one is
    handed to the neighbours now and then, and what has not been seen for longest makes way. What flickers is learned
    fast.

    The hand-over to neighbours at random resembles that of ViBe, which is patented (EP2015252B1, US8009918B2,
    JP4699564B2; into 2027-28): commercial use may need a licence.

    Parameters
    ----------
    n_samples : int in [2, 255]
        Colours remembered for each pixel.
    replace_rate : float in [0, 1]
        Chance that a foreground pixel replaces its oldest sample, per frame.
    propagation_rate : float in [0, 1]
        Chance that a background pixel gives a well-tried sample to its four neighbours, per frame.
    hits_threshold : int in [0, 254]
        A sample is well-tried when it was the nearest more often.
    alpha : float in [0, 1]
        Share of the usual squared distance that is added to the threshold.
    beta : float in [0, 1]
        Squared distance up to which a pixel is background, in shares of white: 0.0022 are 12 grey levels.
    blinking_decay : float in [0.001, 0.999]
        What is left of the measure of flickering after a frame.
    blinking_multiplier : float in [0, 1]
        Chance that a pixel which is foreground in every other frame replaces its oldest sample, per frame.
    min_object, min_hole : float in [0, 0.5]
        Connected foreground, and holes in it, vanish below these shares of the picture.
    seed : int, at least 0
        Chooses the random numbers; the same seed gives the same masks.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    With d the squared distance to the nearest sample in shares of white, summed over channels (grey counts thrice), m
    its running mean, and f whether the pixel is foreground:

    - m += 0.1 (d - m), f = d > `alpha` m + `beta`
    - background: the nearest sample moves towards the frame by a tenth of the difference, and has a hit more
    - foreground: with the chance `replace_rate` the frame replaces the sample that was matched longest ago
    - b = `blinking_decay` (b + 1 where f has changed); with the chance `blinking_multiplier` b (1 - `blinking_decay`) /
      `blinking_decay` the frame replaces the oldest sample, whatever f is.

    The mask is f without small objects, then without small holes, blurred by a Gaussian of 5 x 5 pixels; the score is
    that. A learning rate given to :meth:`apply` takes the place of both 0.1 (of m and of the samples).

    Against OpenCV's: no motion compensation; neighbours receive when the whole frame has been classified; samples
    are 16-bit numbers, and distances take their upper halves.

    Memory: 189 bytes a BGR pixel, 109 a grey one ((2 channels + 3) n_samples + 9). Does not know shadows. What is
    smaller than `min_object` is never seen.

    References
    ----------
    V. Samsonov, Improvement of the background subtraction algorithms, Google Summer of Code 2017, in OpenCV's module
    bgsegm (there is no paper).

    Examples
    --------
    >>> model = GSOC()
    >>> frame = np.full((24, 32, 3), 90, np.uint8)
    >>> mask = model.apply(frame)
    >>> frame[6:18, 10:20] = 250
    >>> model.apply(frame)[::6, ::6]
    array([[  0,   0,   0,   0,   0,   0],
           [  0,   0, 255, 255,   0,   0],
           [  0,   0, 255, 255,   0,   0],
           [  0,   0,   0,   0,   0,   0]], dtype=uint8)
    """

    info = ModelInfo(
        paper="Samsonov 2017, Improvement of background subtraction algorithms (Google Summer of Code; no paper): "
        "OpenCV's bgsegm module",
        speed="medium",
        good_at="flicker, waving and slow objects, with clean masks",
        notice="hands samples to neighbours at random, as do methods patented by EP2015252B1, US8009918B2, JP4699564B2 "
        "(ViBe, into 2027-28)",
    )
    _arrays = ("_colors", "_fractions", "_times", "_hits", "_usual", "_blinking", "_before")

    def __init__(
        self,
        *,
        n_samples: int = 20,
        replace_rate: float = 0.003,
        propagation_rate: float = 0.01,
        hits_threshold: int = 32,
        alpha: float = 0.01,
        beta: float = 0.0022,
        blinking_decay: float = 0.1,
        blinking_multiplier: float = 0.1,
        min_object: float = 0.0004,
        min_hole: float = 0.0008,
        seed: int = 0,
    ) -> None:
        self.n_samples = check_integer("n_samples", n_samples, 2, 255)
        self.replace_rate = check_number("replace_rate", replace_rate, 0, 1)
        self.propagation_rate = check_number("propagation_rate", propagation_rate, 0, 1)
        self.hits_threshold = check_integer("hits_threshold", hits_threshold, 0, 254)
        self.alpha = check_number("alpha", alpha, 0, 1)
        self.beta = check_number("beta", beta, 0, 1)
        self.blinking_decay = check_number("blinking_decay", blinking_decay, 0.001, 0.999)
        self.blinking_multiplier = check_number("blinking_multiplier", blinking_multiplier, 0, 1)
        self.min_object = check_number("min_object", min_object, 0, 0.5)
        self.min_hole = check_number("min_hole", min_hole, 0, 0.5)
        self.seed = check_integer("seed", seed, 0)

    def _start(self, frame: Frame) -> None:
        n, n_tiles, n_channels = self.n_samples, n_planes(frame.shape[:2]), 1 if frame.ndim == 2 else 3
        first = np.zeros((n_tiles * TILE, n_channels), np.uint8)
        first[: frame.size // n_channels] = frame.reshape(-1, n_channels)
        planes = first.reshape(n_tiles, 1, TILE, n_channels).transpose(0, 1, 3, 2)
        self._colors = np.tile(planes, (1, n, 1, 1))
        self._fractions = np.full_like(self._colors, 128)
        self._times = np.full((n_tiles, TILE, n), self._frames_seen % 65536, np.uint16)
        self._hits = np.zeros((n_tiles, n, TILE), np.uint8)
        self._usual = np.full((n_tiles, TILE), _FIRST_DISTANCE * _WHITE, np.float32)
        self._blinking = np.zeros((n_tiles, TILE), np.float32)
        self._before = np.zeros((n_tiles, TILE), np.uint8)

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        if self._frames_seen == 0:  # the first frame is all the model knows: nothing in it is foreground
            score[:] = 0
            return
        learn, rate = learning_rate != 0, 0.1 if learning_rate is None else learning_rate
        digest = hashlib.blake2b(f"{self.seed} {self._frames_seen}".encode(), digest_size=4).digest()
        key, now = int.from_bytes(digest, "little"), np.uint16(self._frames_seen % 65536)
        blink = 65536 * self.blinking_multiplier * (1 - self.blinking_decay) / self.blinking_decay
        p = np.array([self.alpha, self.beta * _WHITE, rate, self.blinking_decay, blink], np.float32)
        chances = round(65536 * self.replace_rate), round(65536 * self.propagation_rate)
        rates = np.array([*chances, self.hits_threshold, round(32768 * rate)])
        found, given = np.empty_like(mask), np.empty_like(mask)
        gifts = np.empty((mask.size, frame.size // mask.size), np.uint16)
        samples = (self._colors, self._fractions, self._times, self._hits)
        state = (self._usual, self._blinking, self._before)
        pictures = (frame.reshape(-1), found.reshape(-1), given.reshape(-1), gifts)
        run_strips(
            _step, len(self._usual), *samples, *state, *pictures, p, rates, key, now, learn, pixels_per_unit=TILE
        )
        if learn:
            run_strips(_receive, len(mask), *samples, given, gifts, now, pixels_per_unit=mask.shape[1])
        self._clean(found, self.min_object, 1)
        self._clean(found, self.min_hole, 0)
        cv2.GaussianBlur(found * np.uint8(255), (5, 5), 0, dst=mask)
        np.multiply(mask, np.float32(1 / 255), out=score)
        np.multiply(mask > 127, np.uint8(255), out=mask)

    @staticmethod
    def _clean(found: npt.NDArray[np.uint8], share: float, value: int) -> None:
        """Flip connected pixels of `value` that are less than this share of the picture."""
        inside = found if value else found ^ 1
        _, labels, statistics, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
        is_small = (statistics[:, cv2.CC_STAT_AREA] < int(share * found.size)).astype(np.uint8)
        is_small[0] = 0  # all the others
        run_strips(_sweep, len(found), labels, is_small, found, pixels_per_unit=found.shape[1])

    def background(self) -> Frame:
        """The learned picture of the empty scene: of each pixel's well-tried samples the one that was matched last."""
        shape, now = self._require_started(), np.uint16(self._frames_seen % 65536)
        picture = np.empty_like(self._colors[:, 0])
        arrays = (self._colors, self._hits, self._times, self.hits_threshold + 1, now, picture)
        run_strips(_favourites, len(picture), *arrays, pixels_per_unit=16 * TILE)
        return from_planes(picture, shape)

    def _cells(self, pixels: Pixels) -> dict[str, tuple[Any, ...]]:
        tile, lane = plane_cells(pixels, self._require_started()[:2])
        return {
            **dict.fromkeys(("_colors", "_fractions"), (tile, slice(None), slice(None), lane)),
            "_hits": (tile, slice(None), lane),
            **dict.fromkeys(("_times", "_usual", "_blinking", "_before"), (tile, lane)),
        }
