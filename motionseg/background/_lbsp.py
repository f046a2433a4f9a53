"""Local binary similarity patterns, and samples that hold them: what LOBSTER, SuBSENSE and PAWCS share.

A pattern (LBSP; Bilodeau et al. 2013) has a bit for each of 16 pixels of the 5 x 5 around one: set where that differs
from a reference colour by more than a share of it. The reference is the pixel's own colour (*intra*), or that of a
sample, held against the surroundings of now (*inter*).

*Features* of a pixel are three bytes a channel: its colour, and the two halves of its intra pattern. Rows are divided
into tiles of `TILE` pixels, the last one filled up with copies of the last pixel. All loops go over the pixels of a
tile, byte by byte, so that they compile to SIMD; samples are searched until every pixel of the tile has enough.

Numba's cache of the models that use these kernels does not see edits here: delete it after one.
"""

from __future__ import annotations

import hashlib
import math

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import FOREGROUND, Frame, Mask

__all__ = [
    "EAGER",
    "ENOUGH",
    "GOOD",
    "LIMIT",
    "NEAR",
    "NEARBY",
    "OWN",
    "TILE",
    "TRIED",
    "WAITING",
    "WIDE",
    "WINDOW",
    "WORK",
    "begin_search",
    "color_near",
    "count_bits",
    "count_found",
    "describe_rows",
    "draw",
    "features_of",
    "few_wait",
    "frame_key",
    "load_features",
    "load_windows",
    "majority",
    "mixed",
    "neighbour",
    "place_among",
    "relative_of",
    "remember_rows",
    "sample_picture",
    "seed_rows",
    "settle_rows",
    "share_of_samples",
    "single_out",
    "take",
    "textures",
]

TILE = 64
_REACH = 2  # of the pattern, pixels
_WIDTH = TILE + 16  # of the window around a tile: more than it needs, as a whole number of vectors
WINDOW = (2 * _REACH + 1) * _WIDTH
_CENTRE = _REACH * _WIDTH + _REACH

# The pattern, as offsets in the window from the upper left corner of the 5 x 5.
_PATTERN = tuple(
    y * _WIDTH + x for y, row in enumerate(((0, 2, 4), (1, 2, 3), (0, 1, 3, 4), (1, 2, 3), (0, 2, 4))) for x in row
)

# Rows of a tile's working memory: how far a sample may be in each channel, the pixels that it is near to, how many near
# ones each has found; those of `count_found` and of `_patterns`. One flat array: the compiler then knows that they do
# not overlap.
LIMIT, NEARBY, GOOD, WAITING, _LOST, _CHOSEN, _REFERENCE, _LOW, _SPAN, _FIRST, _SECOND = range(0, 11 * TILE, TILE)
WORK = 11 * TILE

ENOUGH = 2  # near samples make a background
TRIED = 4  # samples that all pixels of a tile are held against
_FEW = 16  # pixels of a tile that may then go on one by one

# Where a first sample is taken from along each axis: about a Gaussian of deviation 2, cut at 3 pixels.
_SPREAD = (-3, -2, -2, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3)


def _widened(frame: Frame) -> npt.NDArray[np.uint8]:
    """The frame's channels as planes (C, H + 4, tiles x TILE + 16), continued over its border."""
    right = _WIDTH - TILE - _REACH + -frame.shape[1] % TILE
    wide = cv2.copyMakeBorder(frame, _REACH, _REACH, _REACH, right, cv2.BORDER_REPLICATE)
    if wide.ndim == 2:
        return np.asarray(wide[None], np.uint8)
    planes = np.empty((3, *wide.shape[:2]), np.uint8)
    for c in range(3):
        cv2.extractChannel(wide, c, planes[c])
    return planes


@kernel
def load_windows(planes, y, x, windows):
    """windows (C, WINDOW) <- what lies around the tile that begins at (y, x)."""
    for c in range(planes.shape[0]):
        for row in range(2 * _REACH + 1):
            line, out = planes[c, y + row, x : x + _WIDTH], windows[c, row * _WIDTH : (row + 1) * _WIDTH]
            for i in range(_WIDTH):
                out[i] = line[i]


@kernel
def _patterns(windows, c, lane, relative, shift, work):
    """The rows _FIRST and _SECOND of `work` <- patterns of a tile in channel c, of the colours in row _REFERENCE.

    With a `lane` from 0 on, all of them of the surroundings of that pixel.

    A pixel is similar if it differs by no more than ``relative / 256`` times the reference, plus `shift`; which leaves
    the threshold above a quarter of what it is without, and below that of white.
    """
    quarter, most = np.int16(np.uint16(relative) // 4), np.int16((255 * np.uint16(relative)) >> 8)
    for i in range(TILE):
        color = np.int16(work[_REFERENCE + i])
        threshold = np.int16(np.int16(np.uint16(color * relative + np.uint16(128)) >> np.uint16(8)) + shift)
        least = np.int16(np.uint16(np.uint16(color * quarter) + np.uint16(255)) >> np.uint16(8))
        threshold = min(max(threshold, least), most)
        below = max(np.int16(color - threshold), np.int16(0))
        work[_LOW + i] = np.uint8(below)
        work[_SPAN + i] = np.uint8(min(np.int16(color + threshold), np.int16(255)) - below)
    if lane >= 0:
        for i in range(TILE):
            work[_FIRST + i] = 0
            work[_SECOND + i] = 0
        for bit in range(8):
            one, other = windows[c, lane + _PATTERN[bit]], windows[c, lane + _PATTERN[8 + bit]]
            for i in range(TILE):
                low, span = work[_LOW + i], work[_SPAN + i]
                work[_FIRST + i] |= np.uint8(np.uint8(np.uint8(one - low) > span) << np.uint8(bit))
                work[_SECOND + i] |= np.uint8(np.uint8(np.uint8(other - low) > span) << np.uint8(bit))
        return
    for i in range(TILE):
        low, span = work[_LOW + i], work[_SPAN + i]
        first, second = np.uint8(0), np.uint8(0)
        for bit in range(8):
            # As bytes wrap around, one comparison tells whether a colour is out of bounds on either side.
            one, other = windows[c, i + _PATTERN[bit]], windows[c, i + _PATTERN[8 + bit]]
            first |= np.uint8(np.uint8(np.uint8(one - low) > span) << np.uint8(bit))
            second |= np.uint8(np.uint8(np.uint8(other - low) > span) << np.uint8(bit))
        work[_FIRST + i], work[_SECOND + i] = first, second


@kernel
def count_bits(a, b):
    """The number of bits that are set in two bytes."""
    a = np.uint8(a - np.uint8((a >> np.uint8(1)) & np.uint8(0x55)))
    b = np.uint8(b - np.uint8((b >> np.uint8(1)) & np.uint8(0x55)))
    a = np.uint8(np.uint8(a & np.uint8(0x33)) + np.uint8((a >> np.uint8(2)) & np.uint8(0x33)))
    b = np.uint8(np.uint8(b & np.uint8(0x33)) + np.uint8((b >> np.uint8(2)) & np.uint8(0x33)))
    a = np.uint8(a + b)
    return np.uint8(np.uint8(a & np.uint8(15)) + np.uint8(a >> np.uint8(4)))


@kernel
def describe_rows(start, stop, planes, width, relative, shift, features, n_textured):
    """Rows start .. stop: the features of a frame, and how many of a row's pixels have four bits or more."""
    n_channels, windows = planes.shape[0], np.zeros((planes.shape[0], WINDOW), np.uint8)
    work, bits = np.empty(WORK, np.uint8), np.empty(TILE, np.uint8)
    for y in range(start, stop):
        n_textured[y] = 0
        for x in range(0, features.shape[2], TILE):
            load_windows(planes, y, x, windows)
            bits[:] = 0
            for c in range(n_channels):
                for i in range(TILE):
                    work[_REFERENCE + i] = windows[c, _CENTRE + i]
                _patterns(windows, c, -1, relative, shift, work)
                color = features[y, 3 * c, x : x + TILE]
                first, second = features[y, 3 * c + 1, x : x + TILE], features[y, 3 * c + 2, x : x + TILE]
                for i in range(TILE):
                    color[i], first[i], second[i] = work[_REFERENCE + i], work[_FIRST + i], work[_SECOND + i]
                for i in range(TILE):
                    bits[i] += count_bits(work[_FIRST + i], work[_SECOND + i])
            for i in range(min(TILE, width - x)):
                n_textured[y] += bits[i] >= 4


def features_of(frame: Frame, relative: int, shift: int = 0) -> tuple[npt.NDArray[np.uint8], ...]:
    """The frame, widened, its features (H, 3 C, tiles x TILE), and in how many pixels of each row there is texture."""
    planes, (height, width) = _widened(frame), frame.shape[:2]
    features = np.empty((height, 3 * len(planes), -(-width // TILE) * TILE), np.uint8)
    n_textured = np.empty(height, np.int64)
    arrays = (planes, width, np.uint16(relative), np.int16(shift), features, n_textured)
    run_strips(describe_rows, height, *arrays, pixels_per_unit=width)
    return planes, features, n_textured


@kernel
def load_features(features, y, x, current):
    """current (3 C, T) <- features of the tile that begins at (y, x)."""
    for row in range(features.shape[1]):
        source = features[y, row, x : x + TILE]
        for i in range(TILE):
            current[row, i] = source[i]


@kernel
def begin_search(n, work):
    """The first `n` pixels of a tile look for samples."""
    for i in range(TILE):
        waits = i < n
        work[GOOD + i] = 0 if waits else ENOUGH
        work[WAITING + i] = waits
        work[_LOST + i] = 1


@kernel
def color_near(samples, k, current, work):
    """NEARBY <- the waiting pixels with no channel farther than LIMIT from sample k; whether there is any."""
    for i in range(TILE):
        work[NEARBY + i] = work[WAITING + i]
    for row in range(0, samples.shape[1], 3):
        for i in range(TILE):
            ours, theirs = current[row, i], samples[k, row, i]
            work[NEARBY + i] &= np.uint8(np.uint8(max(ours, theirs) - min(ours, theirs)) <= work[LIMIT + i])
    some = np.uint8(0)
    for i in range(TILE):
        some |= work[NEARBY + i]
    return some != 0


@kernel
def textures(samples, k, current, windows, lane, relative, shift, work, differing):
    """differing (C, T) <- bits that differ from sample k's pattern: the mean of the intra and the inter pattern's.

    With a `lane` from 0 on, the surroundings of that pixel are those of all.
    """
    for c in range(windows.shape[0]):
        row = 3 * c
        for i in range(TILE):
            work[_REFERENCE + i] = samples[k, row, i]
        _patterns(windows, c, lane, relative, shift, work)
        for i in range(TILE):
            first, second = samples[k, row + 1, i], samples[k, row + 2, i]
            intra = count_bits(np.uint8(current[row + 1, i] ^ first), np.uint8(current[row + 2, i] ^ second))
            inter = count_bits(np.uint8(work[_FIRST + i] ^ first), np.uint8(work[_SECOND + i] ^ second))
            differing[c, i] = np.uint8(np.uint8(intra + inter) >> np.uint8(1))


@kernel
def count_found(samples, k, learn, work):
    """Count sample k for the pixels NEARBY; whether any pixel is still waiting.

    A sample that was found late changes places (if `learn`) with one of the first two that did not do: as the next
    frame resembles this one, a tile seldom looks at more than two. Which place is overwritten is drawn at random, and
    so is what was there.
    """
    one = np.uint8(1)
    if learn and k >= 2:
        for place in range(2):
            some = np.uint8(0)
            for i in range(TILE):
                lost = work[_LOST + i] if place == 0 else np.uint8(one - work[_LOST + i])
                work[_CHOSEN + i] = work[NEARBY + i] & lost
                some |= work[_CHOSEN + i]
            if some:
                _swap(samples, k, place, work)
    some = np.uint8(0)
    for i in range(TILE):
        near = work[NEARBY + i]
        good = np.uint8(work[GOOD + i] + near)
        work[GOOD + i] = good
        work[WAITING + i] = np.uint8(good < ENOUGH)
        some |= work[WAITING + i]
        # whether the place to give away is still the first one
        work[_LOST + i] &= np.uint8(one - near) if k != 1 else one
    return some != 0


@kernel
def _swap(samples, k, place, work):
    """Exchange samples `k` and `place` of the chosen pixels."""
    for row in range(samples.shape[1]):
        for i in range(TILE):
            a, b, chosen = samples[k, row, i], samples[place, row, i], work[_CHOSEN + i] != 0
            samples[k, row, i] = b if chosen else a
            samples[place, row, i] = a if chosen else b


@kernel
def few_wait(work):
    """Whether so few pixels of a tile are still waiting that it is faster to go on with one after the other."""
    n = 0
    for i in range(TILE):
        n += work[WAITING + i]
    return n <= _FEW


@kernel
def single_out(samples, first, i, current, work, its_samples, its_features, its_work):
    """Turn the search round: a tile of up to TILE samples of pixel i, from `first` on, each held against that pixel.

    its_samples (1, 3 C, T), its_features (3 C, T) and the tile's working memory are filled; the number of samples.
    """
    n = min(TILE, samples.shape[0] - first)
    for row in range(samples.shape[1]):
        value = current[row, i]
        for k in range(TILE):
            its_features[row, k] = value
        for k in range(n):
            its_samples[0, row, k] = samples[first + k, row, i]
    for k in range(TILE):
        its_work[LIMIT + k] = work[LIMIT + i]
    begin_search(n, its_work)
    return n


@kernel
def take(samples, k, i, learn, work):
    """What `count_found` does, for pixel i."""
    if learn:
        place = 0 if work[_LOST + i] != 0 else 1
        for row in range(samples.shape[1]):
            samples[k, row, i], samples[place, row, i] = samples[place, row, i], samples[k, row, i]
    work[_LOST + i] = 0
    work[GOOD + i] += np.uint8(1)


def relative_of(threshold: float, shape: tuple[int, ...]) -> int:
    """The share of the reference that tells similar from different, in 256ths, for frames of `shape`."""
    return round(256 * threshold / (1 if len(shape) == 3 else 3))


# --- learning ----------------------------------------------------------------------------------


def frame_key(seed: int, frame: int, purpose: str = "") -> np.uint32:
    """What all random draws of a frame are made from: the model has no random state."""
    digest = hashlib.blake2b(f"{seed} {frame} {purpose}".encode(), digest_size=4).digest()
    return np.uint32(int.from_bytes(digest, "little"))


def share_of_samples(learning_rate: float | None, n_samples: int) -> tuple[float, int]:
    """With which odds a pixel overwrites each of how many places, so that `learning_rate` is the share of samples."""
    expected = (learning_rate or 0) * n_samples
    n_places = max(1, math.ceil(expected))
    return expected / n_places, n_places


@kernel
def mixed(key, unit):
    """32 random bits for a unit."""
    h = np.uint32(np.uint32(np.uint32(unit) * np.uint32(0x9E3779B1)) ^ np.uint32(key))
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    return np.uint32(h ^ (h >> np.uint32(16)))


@kernel
def draw(bits, lots):
    """lots (T) <- 16 random bits for each pixel of a tile, scattered from 32 of the tile."""
    add, factor = np.uint16(bits), np.uint16(np.uint32(bits >> np.uint32(16)) | np.uint32(1))
    for i in range(TILE):
        h = np.uint16(np.uint16(np.uint16(i) * np.uint16(0x9E37)) + add)
        h = np.uint16(h * factor)
        h = np.uint16(np.uint16(h ^ np.uint16(h >> np.uint16(7))) * np.uint16(0x5AE5))
        lots[i] = np.uint16(h ^ np.uint16(h >> np.uint16(9)))


@kernel
def place_among(bits, n):
    """One of 0 .. n - 1, from 32 random bits."""
    return np.int64((np.uint64(bits) * np.uint64(n)) >> np.uint64(32))


# Rows of the chances (H, 4, W), in 65,536ths: that a pixel is remembered at its own place, by a neighbour in the 3 x 3,
# or by one in the 5 x 5 (all 0 where it is foreground); and the least with which it remembers a neighbour that hands on
# at all.
OWN, NEAR, WIDE, EAGER = range(4)


@kernel
def neighbour(bits, kind):
    """Rows and columns to a random neighbour in the 3 x 3 (NEAR) or 5 x 5 (WIDE), or to the pixel itself (OWN)."""
    if kind == OWN:
        return 0, 0
    reach = 1 if kind == NEAR else 2
    side = 2 * reach + 1
    at = place_among(mixed(bits, 1), side * side - 1)
    at += at >= side * side // 2  # not itself
    return at // side - reach, at % side - reach


@kernel
def remember_rows(start, stop, features, chances, samples, key, n_places):
    """Rows start .. stop: overwrite random samples, with the pixel itself and with a random neighbour.

    A paper's pixel hands itself to a random neighbour; here each pixel asks a random neighbour, with the same odds, so
    that strips of rows never write into one another. What is drawn once for a tile, the place of the sample and the
    direction of the neighbour, is as random for each pixel as if it were its own.
    """
    lots, chosen = np.empty(TILE, np.uint16), np.empty(TILE, np.uint8)
    height, n_samples, width = features.shape[0], samples.shape[2], chances.shape[2]
    for y in range(start, stop):
        for t in range(samples.shape[1]):
            for which in range(3 * n_places):
                kind, bits = which % 3, mixed(key, (y * samples.shape[1] + t) * 3 * n_places + which)
                dy, dx = neighbour(bits, kind)
                if y + dy < 0 or y + dy >= height:
                    continue
                x = t * TILE
                first, last = max(0, -x - dx), min(TILE, min(width - x, width - x - dx))
                if last <= first:
                    continue
                draw(bits, lots)
                chance = chances[y + dy, kind, x + dx + first : x + dx + last]
                least = chances[y, EAGER, x + first : x + last]
                some = np.uint8(0)
                for i in range(last - first):
                    odds = chance[i]
                    odds = max(odds, least[i]) if (kind != OWN) & (odds > 0) else odds
                    chosen[first + i] = np.uint8(lots[first + i] < odds)
                    some |= chosen[first + i]
                if some == 0:
                    continue
                place = (place_among(mixed(bits, 2), n_samples) + which // 3) % n_samples
                for row in range(features.shape[1]):
                    new = features[y + dy, row, x + dx + first : x + dx + last]
                    old = samples[y, t, place, row]
                    if last - first == TILE:  # all but the tiles at the border: a loop without a rest
                        for i in range(TILE):
                            a, b = new[i], old[i]  # both are read first, so that this is a choice and no branch
                            old[i] = a if chosen[i] != 0 else b
                    else:
                        for i in range(last - first):
                            a, b = new[i], old[first + i]
                            old[first + i] = a if chosen[first + i] != 0 else b


@kernel
def seed_rows(start, stop, features, samples, key, n_places, width):
    """Rows start .. stop: overwrite `n_places` samples, from a random one on, with pixels of the 7 x 7 around each."""
    height, n_tiles, n_samples, n_rows, _ = samples.shape
    for y in range(start, stop):
        for t in range(n_tiles):
            place = place_among(mixed(key, y * n_tiles + t), n_samples)
            for k in range(n_places):
                sample = samples[y, t, (place + k) % n_samples]
                for i in range(TILE):
                    bits = mixed(key, ((y * n_tiles + t) * n_places + k) * TILE + i + 1)
                    source = features[min(max(y + _SPREAD[bits & np.uint32(15)], 0), height - 1)]
                    x = min(max(t * TILE + i + _SPREAD[(bits >> np.uint32(4)) & np.uint32(15)], 0), width - 1)
                    for row in range(n_rows):
                        sample[row, i] = source[row, x]


def sample_picture(samples: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> Frame:
    """The median colours of samples (H, tiles, N, 3 C, TILE), as a frame of `shape`."""
    height, n_tiles, _, n_rows, _ = samples.shape
    picture = np.empty((height, n_tiles, TILE, n_rows // 3), np.uint8)
    for row, out in zip(samples, picture, strict=True):
        out[:] = np.median(row[:, :, ::3], axis=1).swapaxes(1, 2)
    return picture.reshape(height, n_tiles * TILE, -1)[:, : shape[1]].reshape(shape)


def majority(mask: Mask, side: int) -> Mask:
    """The median of a mask of 0 and 255 over windows of `side` (odd, at most 15) pixels: cv2.medianBlur, but faster."""
    ones = cv2.boxFilter(mask & 1, -1, (side, side), normalize=False, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.threshold(ones, side * side // 2, FOREGROUND, cv2.THRESH_BINARY)[1])


@kernel
def settle_rows(start, stop, mask, score):
    """Rows start .. stop: keep scores on the side of one half that the mask is on."""
    half, below = np.float32(0.5), np.float32(0.49999997)
    for y in range(start, stop):
        decision, scores = mask[y], score[y]
        for x in range(decision.shape[0]):
            s = scores[x]
            scores[x] = max(s, half) if decision[x] == FOREGROUND else min(s, below)
