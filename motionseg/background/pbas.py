"""Samples with a threshold and a learning rate for every pixel: PBAS (Hofmann, Tiefenbacher and Rigoll 2012)."""

from __future__ import annotations

import hashlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background._tiles import TILE, load, median_picture, n_planes, plane_cells
from motionseg.background.base import BackgroundModel, Pixels
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import FOREGROUND, Frame, Mask, Score

__all__ = ["PBAS"]

# The frame is a row of tiles of 64 pixels, with a plane of bytes for each channel's values and gradients, so that
# loops over a tile compile to SIMD. Which sample is overwritten is drawn once a frame, so that all tiles write to the
# same places, side by side in memory; which pixels overwrite theirs is drawn for each channel of each pixel.
_WINDOW = 9  # side of the median filter
_T, _0, _1, _3, _9, _32 = (np.uint64(n) for n in (TILE, 0, 1, 3, 9, 32))
_STEP, _RISE, _FALL = np.float32(0.05), np.float32(1), np.float32(0.05)  # the paper's R_inc/dec, T_inc, T_dec


@kernel
def _gradients(start, stop, frame, gradients):
    """Rows start .. stop of `gradients` (H, W x C) <- half the length of Sobel's gradient of `frame`, 255 at most."""
    n, n_channels = frame.shape[1] * frame.shape[2], frame.shape[2]
    rows = np.empty((3, n + 2 * n_channels), np.int16)
    for y in range(start, stop):
        for which in range(3):
            source = frame[min(max(y + which - 1, 0), frame.shape[0] - 1)]
            for c in range(n_channels):
                rows[which, c], rows[which, n + n_channels + c] = source[0, c], source[frame.shape[1] - 1, c]
            flat, row = source.reshape(-1), rows[which, n_channels:]
            for i in range(n):
                row[i] = flat[i]
        out = gradients[y]
        a, b, c = rows[0], rows[0, n_channels:], rows[0, 2 * n_channels :]
        d, f = rows[1], rows[1, 2 * n_channels :]
        g, h, i = rows[2], rows[2, n_channels:], rows[2, 2 * n_channels :]
        for x in range(n):
            right = np.int16(np.int16(c[x] + i[x]) + np.int16(2 * f[x]) - np.int16(a[x] + g[x]) - np.int16(2 * d[x]))
            down = np.int16(np.int16(g[x] + i[x]) + np.int16(2 * h[x]) - np.int16(a[x] + c[x]) - np.int16(2 * b[x]))
            length = np.sqrt(np.float32(np.int32(right) * np.int32(right) + np.int32(down) * np.int32(down)))
            out[x] = np.uint8(min(np.float32(0.5) * length, np.float32(255)))


@kernel
def _difference(a, b):
    return np.uint8(max(a, b) - min(a, b))


@kernel
def _compare(values, gradients, samples, where, weight, limits, nearest, n_near):
    """nearest (T) <- the smallest distance to a sample, n_near (T) <- how many are below `limits`."""
    for i in range(TILE):
        nearest[i] = 255
        n_near[i] = 0
    for which in range(samples.shape[0]):
        sample = samples[which, where]
        for i in range(TILE):
            slope = np.uint16(np.uint16(_difference(gradients[i], sample[TILE + i])) * weight) >> np.uint16(8)
            step = _difference(values[i], sample[i])
            d = np.uint8(step + min(np.uint8(slope), np.uint8(~step)))
            nearest[i] = min(nearest[i], d)
            n_near[i] += np.uint8(d < limits[i])


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
def _draw(bits, fg, period, given, due):
    """Each background pixel of the tile is due with a chance of 1 / `period`, or of 1 / `given` unless that is 0."""
    all_ = np.float32(65536)
    for i in range(TILE):
        frames = period[i] if given == 0 else given
        due[i] = np.uint8((np.float32(_lane(i, bits)) * frames < all_) & (fg[i] == 0))


@kernel
def _offer(bits, due, n, column, width, offers):
    """`offers` <- 1 + a place in the 3 x 3 around each of the n pixels that is due, else 0; none across the sides.

    `column` is that of the first pixel.
    """
    for i in range(TILE):
        place = np.uint8(np.uint32(np.uint32(_lane(i, bits)) * np.uint32(9)) >> np.uint32(16))
        offers[i] = place + np.uint8(1) if due[i] != 0 else np.uint8(0)
    for i in range(-column % width, TILE, width):
        offers[i] *= np.uint8(offers[i] % 3 != 1)
    for i in range((width - 1 - column) % width, TILE, width):
        offers[i] *= np.uint8(offers[i] % 3 != 0)
    for i in range(n, TILE):
        offers[i] = 0


@kernel
def _overwrite(due, values, gradients, sample):
    """Where it is due, `sample` <- values and gradients."""
    slopes = sample[TILE:]
    for i in range(TILE):
        value, slope, old_value, old_slope = values[i], gradients[i], sample[i], slopes[i]
        sample[i] = value if due[i] != 0 else old_value
        slopes[i] = slope if due[i] != 0 else old_slope


@kernel
def _adapt(fg, nearest, restless, radius, period, n_samples, p):
    """Let d, R and T of the tile take their step."""
    least, scale, shortest, longest = p[0], p[1], p[2], p[3]
    one, most = np.float32(1), np.float32(255)
    for i in range(TILE):
        d = restless[i] + (np.float32(nearest[i]) - restless[i]) / n_samples
        r, t = radius[i], period[i]
        r *= one - _STEP if r - least > scale * d else one + _STEP
        t = t + _RISE / (d + one) if fg[i] != 0 else t - _FALL / (d + one)
        restless[i] = d
        radius[i] = min(max(r, least), most)
        period[i] = min(max(t, shortest), longest)


@kernel
def _step(start, stop, samples, state, frame, slopes, found, offers, width, weights, k, slot, n_slots, key, given, p):
    """Tiles start .. stop: `found` <- 1 where foreground; background overwrites `n_slots` samples, and offers another.

    `given` is the number of frames between updates, 0 for T. Nothing is learned where `n_slots` is 0. Rows of `offers`
    have width + 1 places more at either end.
    """
    n_channels, n_samples = weights.shape[0], samples.shape[0]
    values, gradients = np.empty(n_channels * TILE, np.uint8), np.empty(n_channels * TILE, np.uint8)
    limits, nearest, n_near = np.empty(TILE, np.uint8), np.empty(TILE, np.uint8), np.empty(TILE, np.uint8)
    fg, due = np.empty(TILE, np.uint8), np.empty(TILE, np.uint8)
    for t in range(start, stop):
        first = t * TILE
        n = min(TILE, found.shape[0] - first)
        any_fg = found[first : first + n]
        load(frame, first, n, values)
        load(slopes, first, n, gradients)
        for i in range(n):
            any_fg[i] = 0
        for c in range(n_channels):
            plane = t * n_channels + c
            restless, radius, period = state[plane, 0], state[plane, 1], state[plane, 2]
            x, g = values[c * TILE : (c + 1) * TILE], gradients[c * TILE : (c + 1) * TILE]
            for i in range(TILE):
                limits[i] = np.uint8(np.ceil(radius[i]))
            _compare(x, g, samples, plane, weights[c], limits, nearest, n_near)
            for i in range(TILE):
                fg[i] = np.uint8(n_near[i] < k)
            for i in range(n):
                any_fg[i] |= fg[i]
            if n_slots > 0:
                for turn in range(n_slots):
                    _draw(_mix(plane, key + turn), fg, period, given, due)
                    _overwrite(due, x, g, samples[(slot + turn) % n_samples, plane])
                bits = _mix(plane, key + n_slots)
                _draw(bits, fg, period, given, due)
                out = offers[c, first + width + 1 : first + width + 1 + TILE]
                _offer(np.uint32(bits * np.uint32(0x9E3779B1)), due, n, first % width, width, out)
                _adapt(fg, nearest, restless, radius, period, n_samples, p)


@kernel
def _spread(start, stop, samples, frame, slopes, offers, width, slot):
    """Tiles start .. stop: pixels to which a neighbour makes an offer overwrite sample `slot` with what they show."""
    n_channels, n_pixels = offers.shape[0], frame.shape[0] // offers.shape[0]
    values, gradients = np.empty(n_channels * TILE, np.uint8), np.empty(n_channels * TILE, np.uint8)
    due = np.empty(TILE, np.uint8)
    for t in range(start, stop):
        first = t * TILE
        n = min(TILE, n_pixels - first)
        load(frame, first, n, values)
        load(slopes, first, n, gradients)
        for c in range(n_channels):
            for i in range(TILE):
                due[i] = 0
            for place in range(9):
                # from the one that has this pixel at that place around it
                source = first + 2 * (width + 1) - (place // 3 * width + place % 3)
                made, wanted = offers[c, source : source + TILE], np.uint8(place + 1)
                for i in range(TILE):
                    due[i] |= np.uint8(made[i] == wanted)
            for i in range(n, TILE):
                due[i] = 0
            x, g = values[c * TILE : (c + 1) * TILE], gradients[c * TILE : (c + 1) * TILE]
            _overwrite(due, x, g, samples[slot, t * n_channels + c])


@kernel
def _start(start, stop, samples, frame, slopes, key):
    """Rows start .. stop: every sample shows a pixel of the 3 x 3 around, drawn for each."""
    # Unsigned: no index needs a look at its sign.
    height, width, n_channels = np.uint64(frame.shape[0]), np.uint64(frame.shape[1]), np.uint64(frame.shape[2])
    for which in range(samples.shape[0]):
        for y in range(np.uint64(start), np.uint64(stop)):
            for x in range(width):
                p = y * width + x
                place = np.uint64(_mix(p, key + which)) * _9 >> _32
                near_y, near_x = y + place // _3, x + place % _3  # 1 to high
                near_y = min(near_y - _1 if near_y > _0 else _0, height - _1)
                near_x = min(near_x - _1 if near_x > _0 else _0, width - _1)
                for c in range(n_channels):
                    plane, lane = p // _T * n_channels + c, p % _T
                    samples[which, plane, lane] = frame[near_y, near_x, c]
                    samples[which, plane, _T + lane] = slopes[near_y, near_x * n_channels + c]


class PBAS(BackgroundModel):
    """Foreground is what few colours and gradients seen here before resemble; restless pixels are judged mildly.

    Remembers samples as ViBe does (:class:`SampleConsensus`), but every channel of every pixel has a threshold and an
    update rate of its own, which follow how far it usually is from its nearest sample.

    Random replacement of samples with propagation is patented (EP2015252B1, US8009918B2, JP4699564B2; into 2027-28):
    commercial use may need a licence.

    Parameters
    ----------
    n_samples : int in [1, 255]
        Values and gradients remembered for each channel of a pixel (N).
    k : int in [1, n_samples]
        Background has so many near samples (#min).
    radius : float in [1, 254]
        A sample is near within this distance where nothing stirs, in grey levels (R_lower).
    radius_scale : float in [0, 10]
        How many grey levels are added for each level of the usual distance to the nearest sample.
    min_period, max_period : float in [1, 65536]
        Limits of the frames between updates (T_lower, T_upper).
    gradient_weight : float in [0, 255]
        Distance that a difference as large as the frame's mean gradient makes, in grey levels (alpha).
    seed : int, at least 0
        Chooses the random numbers; the same seed gives the same masks.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    For each channel, with v its value, m half the length of its Sobel gradient, and M the mean of m over the frame
    before: the distance to a sample is abs(v - v_k) + min(alpha / M, 1) abs(m - m_k), and a pixel is foreground where
    fewer than k samples are nearer than R in any channel. Then, with n the distance to the nearest sample:

    - d += (n - d) / N
    - R *= 0.95 where R > `radius` + `radius_scale` d, else R *= 1.05; at least `radius`
    - T += 1 / (d + 1) in foreground, T -= 0.05 / (d + 1) in background; kept in [`min_period`, `max_period`]
    - background overwrites a random sample with a chance of 1 / T, and with the same chance has a pixel of
      the 3 x 3 around it overwrite one with what that pixel shows itself.

    The mask is the median of this in a window of 9 x 9 pixels; the score is the share of foreground in that window.

    Against the paper: d is a running mean of n, not the mean over the samples of what n was when they were made (which
    says nothing for the first N T frames), and moves R by 0.6 levels a level instead of 5; samples start in the
    neighbourhood of the first frame, not with N frames.

    A learning rate r given to :meth:`apply` means that r n_samples samples of background are
    overwritten in a frame on average, whatever T says.

    Memory: 246 bytes a BGR pixel, 82 a grey one (2 n_samples + 12 a channel). What stands still is eaten up from
    its borders, soon where T is low. Does not know shadows.

    References
    ----------
    M. Hofmann, P. Tiefenbacher, G. Rigoll, Background segmentation with feedback: the Pixel-Based Adaptive
    Segmenter, CVPR Workshops 2012, doi:10.1109/CVPRW.2012.6238925.

    Examples
    --------
    >>> model = PBAS()
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
        paper="Hofmann, Tiefenbacher, Rigoll 2012, Background segmentation with feedback: the Pixel-Based Adaptive "
        "Segmenter, doi:10.1109/CVPRW.2012.6238925",
        speed="medium",
        good_at="scenes that are restless in parts: each pixel has its own threshold and rate",
        notice="random sample replacement with propagation is patented: EP2015252B1, US8009918B2, JP4699564B2 "
        "(ViBe, into 2027-28)",
    )
    _arrays = ("_samples", "_feedback", "_mean_gradients")
    _global_arrays = ("_mean_gradients",)

    def __init__(
        self,
        *,
        n_samples: int = 35,
        k: int = 2,
        radius: float = 18.0,
        radius_scale: float = 0.6,
        min_period: float = 2.0,
        max_period: float = 200.0,
        gradient_weight: float = 10.0,
        seed: int = 0,
    ) -> None:
        self.n_samples = check_integer("n_samples", n_samples, 1, 255)
        self.k = check_integer("k", k, 1, self.n_samples)
        self.radius = check_number("radius", radius, 1, 254)
        self.radius_scale = check_number("radius_scale", radius_scale, 0, 10)
        self.min_period = check_number("min_period", min_period, 1, 65536)
        self.max_period = check_number("max_period", max_period, self.min_period, 65536)
        self.gradient_weight = check_number("gradient_weight", gradient_weight, 0, 255)
        self.seed = check_integer("seed", seed, 0)

    def _random(self, what: object) -> tuple[int, ...]:
        """Three random numbers of 32 bits."""
        digest = hashlib.blake2b(f"{self.seed} {what}".encode(), digest_size=12).digest()
        return tuple(np.frombuffer(digest, "<u4").tolist())

    def _gradients(self, frame: Frame) -> npt.NDArray[np.uint8]:
        """(H, W x C), as the frame's."""
        out = np.empty((len(frame), frame[0].size), np.uint8)
        picture = frame.reshape(*frame.shape[:2], -1)
        run_strips(_gradients, len(frame), picture, out, pixels_per_unit=frame.shape[1])
        return out

    def _start(self, frame: Frame) -> None:
        n = n_planes(frame.shape)
        self._samples = np.zeros((self.n_samples, n, 2 * TILE), np.uint8)  # values and gradients
        self._feedback = np.zeros((n, 3, TILE), np.float32)  # d, R, T
        self._feedback[:, 1], self._feedback[:, 2] = self.radius, np.clip(self.radius, self.min_period, self.max_period)
        gradients, picture = self._gradients(frame), frame.reshape(*frame.shape[:2], -1)
        self._mean_gradients = np.array(cv2.mean(gradients.reshape(picture.shape))[: picture.shape[2]])
        arrays = (self._samples, picture, gradients, self._random("birth")[0])
        run_strips(_start, len(frame), *arrays, pixels_per_unit=frame.shape[1])

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        if self._frames_seen == 0:  # the first frame is all the model knows: nothing in it is foreground
            score[:] = 0
            return
        gradients = self._gradients(frame)
        n_channels, width = gradients.shape[1] // mask.shape[1], mask.shape[1]
        weights = np.minimum(256 * self.gradient_weight / np.maximum(self._mean_gradients, 1e-6), 256)
        found = np.empty_like(mask)
        offers = np.zeros((n_channels, n_planes(mask.shape) * TILE + 2 * (width + 1)), np.uint8)
        key, slot, other = self._random(self._frames_seen)
        replaced = 0.0 if learning_rate is None else learning_rate * self.n_samples
        n_slots = 0 if learning_rate == 0 else max(1, round(replaced))
        given = np.float32(0 if replaced == 0 else max(1, 1 / replaced))
        p = np.array([self.radius, self.radius_scale, self.min_period, self.max_period], np.float32)
        pixels = (frame.reshape(-1), gradients.reshape(-1))
        arrays = (self._samples, self._feedback, *pixels, found.reshape(-1), offers)
        numbers = (width, weights.astype(np.uint16), self.k, slot % self.n_samples, n_slots, key, given, p)
        n_tiles = n_planes(mask.shape)
        run_strips(_step, n_tiles, *arrays, *numbers, pixels_per_unit=TILE)
        if n_slots > 0:
            arrays = (self._samples, *pixels, offers, width, other % self.n_samples)
            run_strips(_spread, n_tiles, *arrays, pixels_per_unit=TILE)
            self._mean_gradients[:] = cv2.mean(gradients.reshape(*mask.shape, n_channels))[:n_channels]
        # The median of a binary window is what most of its pixels are.
        count = cv2.boxFilter(found, -1, (_WINDOW, _WINDOW), normalize=False, borderType=cv2.BORDER_REPLICATE)
        np.multiply(count, np.float32(1 / _WINDOW**2), out=score)
        np.multiply(count > _WINDOW**2 // 2, np.uint8(FOREGROUND), out=mask)

    def background(self) -> Frame:
        """The learned picture of the empty scene: the median of the samples, channel by channel."""
        return median_picture(self._samples, self._require_started())

    def _cells(self, pixels: Pixels) -> dict[str, tuple[Any, ...]]:
        plane, lane = plane_cells(pixels, self._require_started())
        return {
            "_samples": (slice(None), plane[..., None], lane[..., None] + (0, TILE)),
            "_feedback": (plane, slice(None), lane),
        }
