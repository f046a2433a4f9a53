"""K nearest neighbours among samples of three time spans (Zivkovic and van der Heijden 2006)."""

from __future__ import annotations

import hashlib
import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.background.base import BackgroundModel, Pixels
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_choice, check_integer, check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import FOREGROUND, SHADOW, Frame, Mask, Score

__all__ = ["KNN"]

# The frame is a row of tiles of _TILE pixels, and samples have shape (sample, tile, size): within a
# tile every sample is a plain vector over its pixels per channel, and a vector of flags. Loops compile
# to SIMD, and samples are read only until every pixel of the tile has found its neighbours, which
# where nothing moves is after k samples. A frame reads and writes the same few samples in all tiles:
# those lie side by side, and so are fetched ahead of time.
_TILE = 64

# Flags of a sample: whether it counts as background, is only remembered, or is not there yet.
_BACKGROUND, _SEEN, _EMPTY = 0, 1, 2

# Larger differences of a channel are cut to this, so that a squared distance fits 16 bits.
_FARTHEST = 147

# Rows of the schedule, a row per list: what its pixels' turns are drawn from, length and count of the
# present cycle, the place that it overwrites.
_KEY, _PERIOD, _COUNT, _PLACE = range(4)


@kernel
def _load(pixels, tile, x):
    """x (C x T, flat) <- the tile's pixels; return how many there are."""
    n_channels, first = x.shape[0] // _TILE, tile * _TILE
    n = min(_TILE, pixels.shape[0] // n_channels - first)
    part = pixels[first * n_channels : (first + n) * n_channels]
    if n < _TILE:
        for i in range(x.shape[0]):
            x[i] = 0  # as are all samples of the lanes behind the last pixel
    if n_channels == 3:
        for i in range(n):
            x[i] = part[3 * i]
            x[_TILE + i] = part[3 * i + 1]
            x[2 * _TILE + i] = part[3 * i + 2]
    else:
        for i in range(n):
            x[i] = part[i]
    return n


@kernel
def _squared(value, sample):
    d = np.int16(np.int16(value) - np.int16(sample))
    d = min(max(d, np.int16(-d)), np.int16(_FARTHEST))
    return np.uint16(np.uint16(d) * np.uint16(d))


@kernel
def _nearest(x, samples, t, limit, d2, best):
    """best (k x T, flat) <- the smallest squared distances to background samples; stops once all are below `limit`."""
    last = best.shape[0] - _TILE
    for i in range(best.shape[0]):
        best[i] = 65535
    for which in range(samples.shape[0]):
        sample = samples[which, t]
        if x.shape[0] == 3 * _TILE:
            for i in range(_TILE):
                d = np.uint16(_squared(x[i], sample[i]) + _squared(x[_TILE + i], sample[_TILE + i]))
                d = np.uint16(d + _squared(x[2 * _TILE + i], sample[2 * _TILE + i]))
                d2[i] = d if sample[3 * _TILE + i] == _BACKGROUND else np.uint16(65535)
        else:
            for i in range(_TILE):
                d = _squared(x[i], sample[i])
                d2[i] = d if sample[_TILE + i] == _BACKGROUND else np.uint16(65535)
        for rank in range(0, last, _TILE):
            near = best[rank : rank + _TILE]
            for i in range(_TILE):
                held, new = near[i], d2[i]
                near[i] = min(held, new)
                d2[i] = max(held, new)
        near, worst = best[last:], np.uint16(0)
        for i in range(_TILE):
            d = min(near[i], d2[i])
            near[i] = d
            worst = d if d > worst else worst
        if worst < limit:
            break


@kernel
def _distance(x, sample, i):
    """Squared distance of pixel i to a sample; what `_squared` cuts is never below a limit anyway."""
    total = 0
    for c in range(i, x.shape[0], _TILE):
        d = np.int64(x[c]) - np.int64(sample[c])
        total += d * d
    return total


@kernel
def _is_common(x, samples, t, i, k, limit):
    """Whether pixel i is near at least k samples, background or not."""
    found = 0
    for which in range(samples.shape[0]):
        sample = samples[which, t]
        if sample[x.shape[0] + i] != _EMPTY and _distance(x, sample, i) < limit:
            found += 1
            if found == k:
                return True
    return False


@kernel
def _count_shadows(x, samples, t, farthest, limit, k, threshold, tau, darker):
    """darker (T) <- of how many background samples each foreground pixel is a darkened version (Prati et al. 2003).

    All pixels of the tile at once; stops when each foreground pixel has k.
    """
    one, zero = np.int16(1), np.int16(0)
    for i in range(_TILE):
        darker[i] = zero if farthest[i] >= limit else np.int16(k)
    for which in range(samples.shape[0]):
        sample = samples[which, t]
        if x.shape[0] == 3 * _TILE:
            for i in range(_TILE):
                b, g, r = np.float32(x[i]), np.float32(x[_TILE + i]), np.float32(x[2 * _TILE + i])
                sb, sg, sr = np.float32(sample[i]), np.float32(sample[_TILE + i]), np.float32(sample[2 * _TILE + i])
                dot, norm = b * sb + g * sg + r * sr, sb * sb + sg * sg + sr * sr
                a = dot / norm  # not a number where the sample is black: every comparison with it is false
                b, g, r = a * sb - b, a * sg - g, a * sr - r
                is_dark = (dot <= norm) & (dot >= tau * norm) & (b * b + g * g + r * r < threshold * a * a)
                darker[i] += one if is_dark & (sample[3 * _TILE + i] == _BACKGROUND) else zero
        else:
            for i in range(_TILE):
                value, known = np.float32(x[i]), np.float32(sample[i])
                is_dark = (value <= known) & (value >= tau * known) & (value > 0)
                darker[i] += one if is_dark & (sample[_TILE + i] == _BACKGROUND) else zero
        fewest = np.int16(k)
        for i in range(_TILE):
            fewest = min(fewest, darker[i])
        if fewest >= k:
            break


@kernel
def _draw_turns(tile, schedule, due, past):
    """Whether each pixel has its turn in this frame of the list's cycle, or had it before; return whether any has it.

    The turn is a hash of pixel and cycle: there is no random state, and threads do not matter.
    """
    # The tile draws two numbers, from which its pixels are scattered in 16 bits: many to a vector.
    key = np.uint32(np.uint32(np.uint32(tile) * np.uint32(0x9E3779B1)) ^ np.uint32(schedule[_KEY]))
    key = np.uint32(np.uint32(key ^ (key >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    key = np.uint32(np.uint32(key ^ (key >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    add, factor = np.uint16(key), np.uint16((key >> np.uint32(16)) | np.uint32(1))
    period, now, some = np.uint16(schedule[_PERIOD]), np.uint16(schedule[_COUNT]), np.uint8(0)
    for i in range(_TILE):
        h = np.uint16(np.uint16(np.uint16(i) * np.uint16(0x9E37)) + add)
        h = np.uint16(h * factor)
        h = np.uint16(np.uint16(h ^ np.uint16(h >> np.uint16(7))) * np.uint16(0x5AE5))
        h = np.uint16(h ^ np.uint16(h >> np.uint16(9)))
        turn = np.uint16(np.uint32(np.uint32(h) * np.uint32(period)) >> np.uint32(16))
        mine = np.uint8(turn == now)
        due[i] = mine
        past[i] = np.uint8(turn < now)
        some |= mine
    return some != 0


@kernel
def _pass_on(older, newer, past, due, target):
    """Where it is due, `target` takes the older sample, or where that has been overwritten, the newer."""
    for first in range(0, target.shape[0], _TILE):
        a, b, out = older[first : first + _TILE], newer[first : first + _TILE], target[first : first + _TILE]
        for i in range(_TILE):
            oldest, next_oldest, kept = a[i], b[i], out[i]
            taken = next_oldest if past[i] != 0 else oldest
            out[i] = taken if due[i] != 0 else kept


@kernel
def _learn(x, samples, schedule, t, farthest, n_foreground, limit, k, due, past, flags):
    """Let every list of the tile take its step: long from middle, middle from short, short from the frame."""
    n_samples = samples.shape[0] // 3
    some = _draw_turns(t, schedule[2], due[2], past[2])
    for which in (1, 0):
        some_before = _draw_turns(t, schedule[which], due[which], past[which])
        if some:
            older = schedule[which, _PLACE]
            newer = (older + 1) % n_samples
            target = samples[(which + 1) * n_samples + schedule[which + 1, _PLACE], t]
            sources = samples[which * n_samples : (which + 1) * n_samples, t]
            _pass_on(sources[older], sources[newer], past[which], due[which + 1], target)
        some = some_before
    if not some:
        return
    mine = due[0]
    for i in range(_TILE):
        flags[i] = _BACKGROUND
    if n_foreground > 0:
        for i in range(_TILE):
            if mine[i] != 0 and farthest[i] >= limit and not _is_common(x, samples, t, i, k, limit):
                flags[i] = _SEEN
    target = samples[schedule[0, _PLACE], t]
    for first in range(0, x.shape[0], _TILE):
        new, out = x[first : first + _TILE], target[first : first + _TILE]
        for i in range(_TILE):
            value, kept = new[i], out[i]
            out[i] = value if mine[i] != 0 else kept
    out = target[x.shape[0] :]
    for i in range(_TILE):
        value, kept = flags[i], out[i]
        out[i] = value if mine[i] != 0 else kept


@kernel
def _step(start, stop, samples, pixels, mask, score, schedule, k, limit, threshold, tau, shadows, learn):
    """Tiles start .. stop: classify `pixels` into `mask` and `score` (flat), and learn."""
    n_channels = pixels.shape[0] // mask.shape[0]
    x, flags = np.zeros(n_channels * _TILE, np.uint8), np.empty(_TILE, np.uint8)
    d2, best, darker = np.empty(_TILE, np.uint16), np.empty(k * _TILE, np.uint16), np.empty(_TILE, np.int16)
    due, past = np.empty((3, _TILE), np.uint8), np.empty((3, _TILE), np.uint8)
    farthest, half, least = best[(k - 1) * _TILE :], np.float32(0.5), np.float32(limit)
    for t in range(start, stop):
        n = _load(pixels, t, x)
        decision, scores = mask[t * _TILE : t * _TILE + n], score[t * _TILE : t * _TILE + n]
        _nearest(x, samples, t, limit, d2, best)
        n_foreground = np.uint32(0)
        for i in range(n):
            d = np.float32(farthest[i])
            scores[i] = d / (d + least)
        for i in range(n):
            decision[i] = FOREGROUND if farthest[i] >= limit else 0
            n_foreground += np.uint32(farthest[i] >= limit)
        if shadows and n_foreground > 0:
            _count_shadows(x, samples, t, farthest, limit, k, threshold, tau, darker)
            for i in range(n):
                if decision[i] != 0 and darker[i] >= k:
                    decision[i] = SHADOW
                    scores[i] *= half
        if learn:
            _learn(x, samples, schedule, t, farthest, n_foreground, limit, k, due, past, flags)


@kernel
def _pictures(start, stop, samples, limit, picture):
    """Tiles start .. stop: `picture` (tiles, C x T) <- the background sample with most others near it."""
    n_values = picture.shape[1]
    for t in range(start, stop):
        for i in range(_TILE):
            chosen, most = 0, -1
            for one in range(samples.shape[0]):
                if samples[one, t, n_values + i] == _BACKGROUND:
                    values, near = samples[one, t, :n_values], 0
                    for other in range(samples.shape[0]):
                        if samples[other, t, n_values + i] == _BACKGROUND:
                            near += _distance(values, samples[other, t], i) < limit
                    if near > most:
                        chosen, most = one, near
            for c in range(i, n_values, _TILE):
                picture[t, c] = samples[chosen, t, c]


class KNN(BackgroundModel):
    """Foreground is what few samples of the recent, the middle and the far past resemble; knows shadows.

    The model and defaults of OpenCV's ``BackgroundSubtractorKNN``. It follows backgrounds of many
    colours without assuming a shape for their distribution, and suits scenes with little foreground.

    Parameters
    ----------
    history : int in [1, 100000]
        Frames that the model looks back on; the automatic learning rate is
        ``1 / min(2 * frames, history)``.
    threshold : float in (0, 21609]
        A sample is near within this squared distance, in squared grey levels summed over the
        channels (OpenCV's dist2Threshold).
    detect_shadows : bool
        Label cast shadows 127; else they are foreground.
    n_samples : int in [1, 40]
        Samples in each of the three lists.
    k : int in [1, n_samples]
        Background has so many near samples.
    shadow_threshold : float in (0, 1]
        A shadow is not darker than this share of the background (tau).
    seed : int, at least 0
        Chooses the random turns of the pixels; the same seed gives the same masks.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    The lists reach back until an exponential memory of the learning rate a has faded to 0.7, 0.4 and
    0.1: L = log(fade) / log(1 - a) frames. Each divides its span into cycles of span / n_samples frames,
    and every pixel has its turn at a random frame of each cycle, at which the short list takes the
    pixel and each other list the oldest sample of the list before, in place of its own oldest. A
    sample of a pixel that was near at least k samples of any list counts as background from then on.
    A changed learning rate takes effect with the next cycle of each list.

    The score is d / (d + threshold), with d the squared distance to the k-th nearest background sample;
    where a pixel is background, samples are looked at only until all of its tile have enough, so d is an
    upper bound there. A shadow has half the score.

    Memory: 12 bytes a sample triple and BGR pixel (84 by default; 42 grey), all allocated at the first
    frame. Cannot tell a light switch from motion. Against OpenCV: the first frame is background, not
    foreground; a difference of a channel is cut at 147 grey levels, which changes no mask since it is not near.

    References
    ----------
    Z. Zivkovic, F. van der Heijden, Efficient adaptive density estimation per image pixel for the task
    of background subtraction, Pattern Recognition Letters 27 (2006), doi:10.1016/j.patrec.2005.11.005.
    Shadows: A. Prati et al., Detecting moving shadows, PAMI 25 (2003), doi:10.1109/TPAMI.2003.1206520.

    Examples
    --------
    >>> model = KNN()
    >>> empty = np.full((3, 4, 3), 90, np.uint8)
    >>> for _ in range(20):
    ...     mask = model.apply(empty)
    >>> frame = empty.copy()
    >>> frame[1, 1:3] = 250
    >>> model.apply(frame)
    array([[  0,   0,   0,   0],
           [  0, 255, 255,   0],
           [  0,   0,   0,   0]], dtype=uint8)
    """

    info = ModelInfo(
        paper="Zivkovic, van der Heijden 2006, Efficient adaptive density estimation per image pixel, "
        "doi:10.1016/j.patrec.2005.11.005",
        speed="fast",
        good_at="backgrounds of several colours (water, leaves) with little foreground",
    )
    _arrays = ("_samples", "_schedule")
    _global_arrays = ("_schedule",)

    def __init__(
        self,
        *,
        history: int = 500,
        threshold: float = 400.0,
        detect_shadows: bool = True,
        n_samples: int = 7,
        k: int = 2,
        shadow_threshold: float = 0.5,
        seed: int = 0,
    ) -> None:
        self.history = check_integer("history", history, 1, 100_000)
        self.threshold = check_number("threshold", threshold, 0, _FARTHEST**2, above=True)
        self.detect_shadows = check_choice("detect_shadows", detect_shadows, (True, False))
        self.n_samples = check_integer("n_samples", n_samples, 1, 40)
        self.k = check_integer("k", k, 1, self.n_samples)
        self.shadow_threshold = check_number("shadow_threshold", shadow_threshold, 0, 1, above=True)
        self.seed = check_integer("seed", seed, 0)

    def _start(self, frame: Frame) -> None:
        n_pixels, n_channels = frame.shape[0] * frame.shape[1], 1 if frame.ndim == 2 else 3
        n_tiles = -(-n_pixels // _TILE)
        self._samples = np.zeros((3 * self.n_samples, n_tiles, n_channels + 1, _TILE), np.uint8)
        self._samples[:, :, -1] = _EMPTY
        first = np.zeros((n_tiles * _TILE, n_channels), np.uint8)
        first[:n_pixels] = frame.reshape(n_pixels, n_channels)
        # The first frame is background: k samples of it, in the places that are overwritten last.
        born = self._samples[self.n_samples - self.k : self.n_samples]
        born[:, :, -1] = _BACKGROUND
        born[:, :, :-1] = first.reshape(n_tiles, _TILE, n_channels).transpose(0, 2, 1)
        self._schedule = np.zeros((3, 3), np.int64)  # for each list: cycles done, frames of this one, its length

    def _periods(self, rate: float) -> list[int]:
        """Frames in a cycle of each list, at learning rate `rate`."""
        reach = [0.0 if rate >= 1 else math.log(fade) / math.log1p(-rate) for fade in (1, 0.7, 0.4, 0.1)]
        spans = (later - sooner for sooner, later in pairwise(reach))
        return [min(int(span / self.n_samples) + 1, 65535) for span in spans]

    def _turns(self) -> npt.NDArray[np.int64]:
        schedule = np.zeros((3, 4), np.int64)
        for which, (cycle, count, period) in enumerate(self._schedule.tolist()):
            key = hashlib.blake2b(f"{self.seed} {which} {cycle}".encode(), digest_size=4).digest()
            schedule[which] = int.from_bytes(key, "little"), period, count, cycle % self.n_samples
        return schedule

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        if self._frames_seen == 0:  # the first frame is all the model knows: nothing in it is foreground
            score[:] = 0
            return
        learn = learning_rate != 0
        if learn:
            rate = 1 / min(2 * (self._frames_seen + 1), self.history) if learning_rate is None else learning_rate
            fresh = self._schedule[:, 1] == 0
            self._schedule[fresh, 2] = np.array(self._periods(rate))[fresh]
        samples = self._samples.reshape(*self._samples.shape[:2], -1)
        arrays = (samples, frame.reshape(-1), mask.reshape(-1), score.reshape(-1), self._turns())
        limit = np.uint16(math.ceil(self.threshold))
        threshold, tau = np.float32(self.threshold), np.float32(self.shadow_threshold)
        numbers = (self.k, limit, threshold, tau, self.detect_shadows, learn)
        run_strips(_step, samples.shape[1], *arrays, *numbers, pixels_per_unit=_TILE)
        if learn:
            self._schedule[:, 1] += 1
            done = self._schedule[:, 1] >= self._schedule[:, 2]
            self._schedule[done, 1] = 0
            self._schedule[done, 0] += 1

    def background(self) -> Frame:
        """The learned picture of the empty scene: per pixel the background sample that most others resemble."""
        shape = self._require_started()
        n_tiles, n_channels = self._samples.shape[1], self._samples.shape[2] - 1
        samples, picture = (
            self._samples.reshape(-1, n_tiles, self._samples[0, 0].size),
            np.empty((n_tiles, n_channels * _TILE), np.uint8),
        )
        run_strips(_pictures, n_tiles, samples, math.ceil(self.threshold), picture, pixels_per_unit=16 * _TILE)
        flat = picture.reshape(-1, n_channels, _TILE).transpose(0, 2, 1).reshape(-1, n_channels)
        return flat[: shape[0] * shape[1]].reshape(shape)

    def _cells(self, pixels: Pixels) -> dict[str, tuple[Any, ...]]:
        tile, lane = np.divmod(np.ravel_multi_index(pixels, self._require_started()[:2]), _TILE)
        return {"_samples": (slice(None), tile, slice(None), lane)}
