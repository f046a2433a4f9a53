"""SuBSENSE: samples of colour and texture, with thresholds and rates that adapt (St-Charles et al. 2015)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background._lbsp import (
    EAGER,
    ENOUGH,
    GOOD,
    LIMIT,
    NEAR,
    NEARBY,
    OWN,
    TILE,
    WIDE,
    WINDOW,
    WORK,
    begin_search,
    color_near,
    count_bits,
    count_found,
    features_of,
    frame_key,
    load_features,
    load_windows,
    majority,
    relative_of,
    remember_rows,
    sample_picture,
    seed_rows,
    settle_rows,
    share_of_samples,
    textures,
)
from motionseg.background.base import BackgroundModel, Pixels
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import FOREGROUND, Frame, Mask, Score

__all__ = ["Subsense"]

# Rows of the feedback (H, 9, W): threshold factor R, update period T, unrest v; and running averages, long and short:
# of the distance to the samples, of that to the last frame, of foreground, of foreground that was cleaned away.
_R, _T, _V, _NEAREST_LONG, _NEAREST_SHORT, _CHANGE, _FOREGROUND, _CLEANED_LONG, _CLEANED_SHORT = range(9)

# Masks that the next frame needs, (4, H, W): as classified, as cleaned, pixels whose class changed, those that blink.
_RAW, _CLEAN, _CHANGED, _BLINKS = range(4)

# Rows of a tile's 16 bit numbers: limits of colour and texture, the least that was found, the present sample's sums.
_COLOR, _TEXTURE, _LEAST, _FEWEST, _SUM, _FLIPPED = 0, TILE, 2 * TILE, 3 * TILE, 4 * TILE, 5 * TILE

_SQUARE = np.ones((3, 3), np.uint8)
_SHRINKAGE = 8
_USUAL_AREA = 320 * 240  # pixels; larger frames are cleaned with larger windows, and samples spread farther
_REFRESHED = 25  # frames for which foreground is learned too, after a large change of the scene


@kernel
def _limits(feedback, n_channels, base, offset, color, texture, single, unstable):
    """How far a sample may be from each pixel of a row: in colour, in texture, and in the colour of one channel."""
    r, cleaned_long, cleaned_short = feedback[_R], feedback[_CLEANED_LONG], feedback[_CLEANED_SHORT]
    tenth, channels, margin = np.float32(0.1), np.int32(n_channels), np.int32(base // 5)
    for x in range(r.shape[0]):
        factor = r[x]
        loose = (factor > np.float32(3)) | (cleaned_long[x] > tenth) | (cleaned_short[x] > tenth)
        levels = np.int32(min(np.float32(factor * np.float32(base)), np.float32(255)))
        total = channels * (levels - (np.int32(0) if loose else margin))
        bits = np.int32(2) if factor < np.float32(1.5) else np.int32(4)
        bits = bits if factor < np.float32(2.5) else np.int32(8)
        bits = bits if factor < np.float32(3.5) else np.int32(16)
        color[x] = total
        single[x] = min(total >> np.int32(1), np.int32(255))
        texture[x] = channels * (bits + np.int32(offset) * (np.int32(2) if loose else np.int32(1)))
        unstable[x] = loose


@kernel
def _search(samples, current, windows, relative, shift, work, differing, levels, learn):
    """Look through a tile's samples until every pixel has found enough of them."""
    n_channels = windows.shape[0]
    most = np.uint8(255)
    for k in range(samples.shape[0]):
        if not color_near(samples, k, current, work):
            continue
        textures(samples, k, current, windows, -1, relative, shift, work, differing)
        for i in range(TILE):
            levels[_SUM + i] = 0
            levels[_FLIPPED + i] = 0
        for c in range(n_channels):
            for i in range(TILE):
                ours, theirs, bits = current[3 * c, i], samples[k, 3 * c, i], differing[c, i]
                more = np.uint8(np.uint8(bits >> np.uint8(1)) * np.uint8(15))
                s = np.uint8(min(np.uint8(max(ours, theirs) - min(ours, theirs)), np.uint8(most - more)) + more)
                work[NEARBY + i] &= np.uint8(s <= work[LIMIT + i])
                levels[_SUM + i] += np.uint16(s)
                levels[_FLIPPED + i] += np.uint16(bits)
        for i in range(TILE):
            s, f = levels[_SUM + i], levels[_FLIPPED + i]
            fits = (work[NEARBY + i] != 0) & (s <= levels[_COLOR + i]) & (f <= levels[_TEXTURE + i])
            least, fewest = levels[_LEAST + i], levels[_FEWEST + i]
            levels[_LEAST + i] = min(least, s) if fits else least
            levels[_FEWEST + i] = min(fewest, f) if fits else fewest
            work[NEARBY + i] = fits
        if not count_found(samples, k, learn, work):
            return


@kernel
def _movement(features, previous, color, bits):
    """How far each pixel of a row is from the last frame: in colour and in texture, summed over the channels."""
    for x in range(color.shape[0]):
        color[x] = 0
        bits[x] = 0
    for c in range(0, features.shape[0], 3):
        new, old = features[c], previous[c]
        for x in range(color.shape[0]):
            color[x] += np.uint16(np.uint8(max(new[x], old[x]) - min(new[x], old[x])))
        new_first, old_first = features[c + 1], previous[c + 1]
        new_second, old_second = features[c + 2], previous[c + 2]
        for x in range(bits.shape[0]):
            first, second = np.uint8(new_first[x] ^ old_first[x]), np.uint8(new_second[x] ^ old_second[x])
            bits[x] += np.uint16(count_bits(first, second))


@kernel
def _adapt(feedback, marks, y, distance, raw, unstable, moved, flipped, levels, bits, long, short, t_low, t_high):
    """Let the thresholds, rates and averages of a row follow what was found.

    It divides where it could multiply by a constant: nothing can then be fused, and all machines give the same result.
    """
    r, t, v = feedback[_R], feedback[_T], feedback[_V]
    nearest_long, nearest_short = feedback[_NEAREST_LONG], feedback[_NEAREST_SHORT]
    change, foreground = feedback[_CHANGE], feedback[_FOREGROUND]
    clean, blinks = marks[_CLEAN, y], marks[_BLINKS, y]
    one, two, tenth = np.float32(1), np.float32(2), np.float32(0.1)
    for x in range(raw.shape[0]):
        step = np.float32(moved[x]) / levels + np.float32(flipped[x]) / bits
        change[x] += (step / two - change[x]) / short
        foreground[x] += (np.float32(raw[x] != 0) - foreground[x]) / short
    for x in range(raw.shape[0]):
        d = distance[x]
        a = nearest_long[x] + (d - nearest_long[x]) / long
        b = nearest_short[x] + (d - nearest_short[x]) / short
        nearest_long[x], nearest_short[x] = a, b
        least, most = min(a, b), max(a, b)
        was_foreground, is_raw = clean[x] != 0, raw[x] != 0
        unrest = v[x]
        slower = t[x] + np.float32(0.5) / (most * unrest)
        faster = t[x] - (unrest / np.float32(4)) / most
        period = slower if was_foreground | ((least < tenth) & is_raw) else faster
        t[x] = min(max(period, t_low), t_high)
        calm = np.float32(0.05) if unstable[x] != 0 else tenth
        calm = np.float32(0.025) if was_foreground else calm
        unrest = unrest + one if (most > tenth) & (blinks[x] != 0) else max(unrest - calm, tenth)
        v[x] = unrest
        target = one + two * least
        wider, tighter = (unrest - tenth) / np.float32(100), np.float32(0.01) / unrest
        factor = r[x]
        r[x] = max(factor + wider if factor < target * target else factor - tighter, one)


@kernel
def _chances(feedback, raw, unstable, wide_only, rate, t_low, refresh, chances):
    """What becomes of each pixel of a row: see `remember_rows`. A `rate` above 0 replaces the pixel's own."""
    t, change, foreground = feedback[_T], feedback[_CHANGE], feedback[_FOREGROUND]
    own, near, wide, eager = chances[OWN], chances[NEAR], chances[WIDE], chances[EAGER]
    all_, most, zero = np.float32(65536), np.float32(65535), np.float32(0)
    given, fastest = np.float32(all_ * rate), all_ / t_low
    for x in range(raw.shape[0]):
        is_background = raw[x] == 0
        single = given if rate > 0 else all_ / t[x]
        double = given if rate > 0 else all_ / (t[x] / np.float32(2) + np.float32(1))
        far = wide_only | (unstable[x] != 0)
        own[x] = np.int32(min(single if is_background else (fastest if refresh else zero), most))
        near[x] = np.int32(min(single if is_background & (not far) else zero, most))
        wide[x] = np.int32(min(double if is_background & far else zero, most))
        ghost = (foreground[x] > np.float32(0.995)) & (change[x] < np.float32(0.01))
        eager[x] = np.int32(min(fastest if ghost else zero, most))


@kernel
def _classify(
    start, stop, planes, features, previous, samples, feedback, marks, mask, score, chances, base, offset, relative,
    shift, long, short, t_low, t_high, rate, wide_only, refresh, learn
):  # fmt: skip
    """Rows start .. stop: `mask` as it is before cleaning, the distance as `score`, and (if `learn`) the feedback."""
    n_channels, width, padded = planes.shape[0], mask.shape[1], features.shape[2]
    windows, work = np.empty((n_channels, WINDOW), np.uint8), np.empty(WORK, np.uint8)
    current, differing = np.empty((3 * n_channels, TILE), np.uint8), np.empty((n_channels, TILE), np.uint8)
    levels = np.empty(6 * TILE, np.uint16)
    color, texture, single = np.zeros(padded, np.uint16), np.zeros(padded, np.uint16), np.zeros(padded, np.uint8)
    total, bits, good = np.empty(padded, np.uint16), np.empty(padded, np.uint16), np.empty(padded, np.uint8)
    unstable = np.empty(width, np.uint8)
    most_levels, most_bits = np.float32(255 * n_channels), np.float32(16 * n_channels)
    for y in range(start, stop):
        _limits(feedback[y], n_channels, base, offset, color[:width], texture[:width], single[:width], unstable)
        for t in range(samples.shape[1]):
            x = t * TILE
            load_windows(planes, y, x, windows)
            load_features(features, y, x, current)
            wide, rough = color[x : x + TILE], texture[x : x + TILE]
            least, fewest = total[x : x + TILE], bits[x : x + TILE]
            for i in range(TILE):
                levels[_COLOR + i], levels[_TEXTURE + i] = wide[i], rough[i]
                levels[_LEAST + i], levels[_FEWEST + i] = 255 * n_channels, 16 * n_channels
            narrow, found = single[x : x + TILE], good[x : x + TILE]
            for i in range(TILE):
                work[LIMIT + i] = narrow[i]
            begin_search(width - x, work)
            _search(samples[y, t], current, windows, relative, shift, work, differing, levels, learn)
            for i in range(TILE):
                least[i], fewest[i], found[i] = levels[_LEAST + i], levels[_FEWEST + i], work[GOOD + i]
        decision, distance = mask[y], score[y]
        for x in range(width):
            d = (np.float32(total[x]) / most_levels + np.float32(bits[x]) / most_bits) / np.float32(2)
            missing = np.float32(ENOUGH - min(good[x], np.uint8(ENOUGH))) / np.float32(2)
            distance[x] = min(d + missing, np.float32(1))
            decision[x] = FOREGROUND if good[x] < ENOUGH else 0
        if learn:
            _movement(features[y], previous[y], total[:width], bits[:width])
            moved = total[:width], bits[:width], most_levels, most_bits
            _adapt(feedback[y], marks, y, distance, decision, unstable, *moved, long, short, t_low, t_high)
            _chances(feedback[y], decision, unstable, wide_only, rate, t_low, refresh, chances[y])


@kernel
def _average_cleaned(start, stop, feedback, raw, clean, long, short):
    """Rows start .. stop: the running averages of foreground that was cleaned away."""
    for y in range(start, stop):
        a, b, before, after = feedback[y, _CLEANED_LONG], feedback[y, _CLEANED_SHORT], raw[y], clean[y]
        for x in range(raw.shape[1]):
            gone = np.float32(before[x] != 0) - np.float32(after[x] != 0)
            a[x] += (gone - a[x]) / long
            b[x] += (gone - b[x]) / short


class Subsense(BackgroundModel):
    """Foreground is what too few remembered samples of colour and texture resemble; all thresholds adapt by themselves.

    Each pixel remembers samples, chosen at random in time, of its colour and of the local binary pattern (LBSP) around
    it, and measures how well they fit. From this, and from how restless its masks are, it sets its own thresholds and
    its own rate of learning. For outdoor scenes with moving leaves, water, snow, and for camouflage.

    Random replacement of samples with propagation is patented (EP2015252B1, US8009918B2, JP4699564B2; into 2027-28):
    commercial use may need a licence.

    Parameters
    ----------
    n_samples : int in [2, 1000]
        Samples remembered by each pixel (N).
    color_threshold : int in [5, 255]
        Least threshold of the colour distance, grey levels a channel (R0 colour).
    texture_threshold : int in [0, 16]
        Added to the threshold of the texture distance, bits a channel (R0 LBSP).
    relative_threshold : float in [0, 1]
        A pixel of the pattern differs by more than this share of the reference's level (T_r); a third of it for grey.
    t_lower, t_upper : float in [1, 65536]
        Limits of the period T: a background pixel overwrites a sample every T frames on average.
    history : int, at least 4
        Frames of the long running averages; the short ones take a quarter.
    seed : int, at least 0
        Chooses the random samples; the same seed gives the same masks.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    With distances summed over the channels, a sample is near if the colour, to which half of the differing bits add 15
    levels each, is within C (30 R - 6) and the texture within C (2^round(R) + 3), with C channels, and no channel takes
    more than half of the first. The texture distance is the mean of two counts of bits: the sample's pattern against
    the pixel's, and against the pattern of the surroundings of now around the sample's colour. Two near samples make a
    background. d in [0, 1] is the mean of the least distances found, as shares of the largest possible, plus 1/2 for
    each sample missing; D are its long and short running averages. Then

    - R += (v - 0.1) / 100 while R < (1 + 2 min D)^2, else R -= 0.01 / v; R >= 1
    - T += 1 / (2 v max D) in foreground, else T -= v / (4 max D)
    - v += 1 where the pixel blinks (its class has just changed, away from foreground) and max D > 0.1, else v falls by
      0.1, more slowly in unstable regions (half) and in foreground (a quarter); v >= 0.1

    Unstable is where R > 3 or where a tenth of the time the foreground is taken away by cleaning: there thresholds are
    wider, and samples go to a neighbour in the 5 x 5 instead of the 3 x 3. What stays foreground without moving (a
    ghost) takes over samples of its neighbours more eagerly. A change of the whole scene, seen at an eighth of its
    size, shortens T, and when large overwrites a tenth of all samples. In frames smaller than half of 320 x 240 pixels,
    where one object changes the whole scene, that is not done and the limits of T are doubled instead. The mask is
    closed, its holes are filled, and it is median filtered. The score is d, kept on the side of one half that the mask
    is on.

    A learning rate r given to :meth:`apply` overwrites on average the share r of the samples of a background pixel;
    thresholds adapt as ever. Foreground is never learned but through its neighbours.

    Memory: 9 bytes a sample and BGR pixel, and 49 more (499 by default); 3 and 43 grey (193). Light that changes faster
    than samples do is foreground, as are shadows that are dark or sharp. Patents on the random replacement of samples
    with spatial propagation (EP2015252B1, US8009918B2, JP4699564B2) may cover it into 2028.

    References
    ----------
    P.-L. St-Charles, G.-A. Bilodeau, R. Bergevin, SuBSENSE: a universal change detection method with local adaptive
    sensitivity, IEEE Transactions on Image Processing 24 (2015), doi:10.1109/TIP.2014.2378053.

    Examples
    --------
    >>> model = Subsense()
    >>> empty = np.full((40, 60, 3), 90, np.uint8)
    >>> for _ in range(5):
    ...     mask = model.apply(empty)
    >>> frame = empty.copy()
    >>> frame[10:30, 20:40] = 250
    >>> mask = model.apply(frame)
    >>> int(mask[20, 30]), int(mask[5, 5])
    (255, 0)
    """

    info = ModelInfo(
        paper="St-Charles, Bilodeau, Bergevin 2015, SuBSENSE: a universal change detection method with local adaptive "
        "sensitivity, doi:10.1109/TIP.2014.2378053",
        speed="slow",
        good_at="fixed outdoor cameras where accuracy counts more than memory: leaves, water, camouflage",
        notice="random sample replacement with propagation is patented: EP2015252B1, US8009918B2, JP4699564B2 "
        "(ViBe, into 2027-28)",
    )
    _arrays = ("_samples", "_features", "_feedback", "_marks", "_coarse", "_counters")
    _global_arrays = ("_counters",)

    def __init__(
        self,
        *,
        n_samples: int = 50,
        color_threshold: int = 30,
        texture_threshold: int = 3,
        relative_threshold: float = 0.333,
        t_lower: float = 2.0,
        t_upper: float = 256.0,
        history: int = 100,
        seed: int = 0,
    ) -> None:
        self.n_samples = check_integer("n_samples", n_samples, ENOUGH, 1000)
        self.color_threshold = check_integer("color_threshold", color_threshold, 5, 255)
        self.texture_threshold = check_integer("texture_threshold", texture_threshold, 0, 16)
        self.relative_threshold = check_number("relative_threshold", relative_threshold, 0, 1)
        self.t_lower = check_number("t_lower", t_lower, 1, 65536)
        self.t_upper = check_number("t_upper", t_upper, self.t_lower, 65536)
        self.history = check_integer("history", history, 4)
        self.seed = check_integer("seed", seed, 0)

    def _start(self, frame: Frame) -> None:
        height, width = frame.shape[:2]
        self._counters = np.zeros(2, np.int64)  # shift of the pattern's threshold, frames until the next refresh
        _, self._features, _ = features_of(frame, self._relative())
        _, n_rows, padded = self._features.shape
        self._samples = np.empty((height, padded // TILE, self.n_samples, n_rows, TILE), np.uint8)
        self._seed_samples(self.n_samples)
        self._feedback = np.zeros((height, 9, width), np.float32)
        self._feedback[:, _R], self._feedback[:, _T], self._feedback[:, _V] = 1, self.t_lower, 10
        self._marks = np.zeros((4, height, width), np.uint8)
        self._coarse = np.stack(2 * [_shrunk(frame)], axis=2)  # long and short running averages

    def _relative(self) -> int:
        return relative_of(self.relative_threshold, self._require_started())

    def _seed_samples(self, n_places: int) -> None:
        height, width = self._require_started()[:2]
        arrays = (self._features, self._samples, frame_key(self.seed, self._frames_seen, "seed"))
        run_strips(seed_rows, height, *arrays, n_places, width, pixels_per_unit=16 * width)

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        learn, (height, width) = learning_rate != 0, mask.shape
        relative, shift = self._relative(), int(self._counters[0])
        planes, features, n_textured = features_of(frame, relative, shift)
        averaging = tuple(np.float32(min(self._frames_seen + 1, n)) for n in (self.history, self.history // 4))
        t_lower, t_upper, refresh = self.t_lower, self.t_upper, False
        if learn:
            t_lower, t_upper, refresh = self._watch_scene(frame, features, averaging)
        rate, n_places = share_of_samples(learning_rate, self.n_samples)
        chances = np.empty((height, 4, width if learn else 0), np.uint16)
        arrays = (planes, features, self._features, self._samples, self._feedback, self._marks, mask, score, chances)
        limits = (np.int32(self.color_threshold), np.int32(self.texture_threshold), np.uint16(relative))
        rates = (np.float32(t_lower), np.float32(t_upper), np.float32(rate))
        numbers = (*limits, np.int16(shift), *averaging, *rates, mask.size > 2 * _USUAL_AREA, refresh, learn)
        run_strips(_classify, height, *arrays, *numbers, pixels_per_unit=4 * width)
        clean = _cleaned(mask)
        if learn:
            key = frame_key(self.seed, self._frames_seen)
            run_strips(remember_rows, height, features, chances, self._samples, key, n_places, pixels_per_unit=width)
            run_strips(_average_cleaned, height, self._feedback, mask, clean, *averaging, pixels_per_unit=width // 4)
            self._features = features
            self._mark(mask, clean)
            # The patterns of most frames shall have some bits set, but not all of them.
            textured = n_textured.sum() / mask.size
            self._counters[0] = min(max(shift + int(textured > 0.5) - int(textured < 0.1), -85), 85)
        mask[:] = clean
        run_strips(settle_rows, height, mask, score, pixels_per_unit=width // 8)

    def _watch_scene(
        self, frame: Frame, features: npt.NDArray[np.uint8], averaging: tuple[np.float32, ...]
    ) -> tuple[float, float, bool]:
        """Follow the frame as a whole: limits of T, and whether the model is being refreshed after a large change."""
        if 2 * features.shape[0] * frame.shape[1] < _USUAL_AREA:
            return 2 * self.t_lower, 2 * self.t_upper, False
        small, coarse = _shrunk(frame), self._coarse
        for which, n in enumerate(averaging):
            coarse[:, :, which] += (small - coarse[:, :, which]) / n
        change = float(np.abs(coarse[:, :, 0] - coarse[:, :, 1]).mean(axis=(0, 1)).max())
        large = self.color_threshold / 2
        self._counters[1] = max(self._counters[1] - 1, 0)
        if change >= large and self._counters[1] == 0:
            self._features[:] = features
            self._seed_samples(max(1, self.n_samples // 10))
            self._feedback[:, _T] = 1
            self._counters[1] = _REFRESHED
        faster = 2.0 ** int(change / 2) if change >= large / 2 else 1.0
        return max(self.t_lower / faster, 1.0), max(self.t_upper / faster, 1.0), bool(self._counters[1] > 0)

    def _mark(self, raw: Mask, clean: Mask) -> None:
        """Remember the masks; a pixel blinks when its class has just changed, away from foreground."""
        marks = self._marks
        changed = raw ^ marks[_RAW]
        marks[_BLINKS] = (changed | marks[_CHANGED]) & ~cv2.dilate(clean, _SQUARE, iterations=3)
        marks[_RAW], marks[_CLEAN], marks[_CHANGED] = raw, clean, changed

    def background(self) -> Frame:
        """The learned picture of the empty scene: the median of the samples."""
        shape = self._require_started()
        return sample_picture(self._samples, shape)

    def _cells(self, pixels: Pixels) -> dict[str, tuple[Any, ...]]:
        rows, columns = pixels
        tile, lane = np.divmod(columns, TILE)
        return {
            "_samples": (rows, tile, slice(None), slice(None), lane),
            "_features": (rows, slice(None), columns),
            "_feedback": (rows, slice(None), columns),
            "_marks": (slice(None), rows, columns),
            "_coarse": (rows // _SHRINKAGE, columns // _SHRINKAGE),
        }


def _shrunk(frame: Frame) -> npt.NDArray[np.float32]:
    """The frame at an eighth of its size, (H / 8, W / 8, C)."""
    width, height = -(-frame.shape[1] // _SHRINKAGE), -(-frame.shape[0] // _SHRINKAGE)
    small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
    return small.reshape(height, width, -1).astype(np.float32)


def _cleaned(raw: Mask) -> Mask:
    """The mask without gaps, holes and specks; larger specks in larger frames."""
    closed = cv2.morphologyEx(raw, cv2.MORPH_CLOSE, _SQUARE)
    outside = cv2.copyMakeBorder(closed, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(outside, None, (0, 0), FOREGROUND)
    inside = cv2.erode(closed, _SQUARE, iterations=3)
    side = min(9 + int(raw.size / _USUAL_AREA + 0.5), 14)
    return majority(raw | ~outside[1:-1, 1:-1] | inside, side - 1 + side % 2)
