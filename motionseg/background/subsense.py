"""SuBSENSE: samples of colour and texture, with thresholds and rates that adapt (St-Charles et al. 2015)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.background._feedback import (
    CHANGE,
    FOREGROUND_SHARE,
    SHRINKAGE,
    T,
    adapt,
    adjusted_shift,
    averaging_windows,
    cleaned,
    is_large,
    is_small,
    limits,
    movement,
    new_feedback,
    remember_masks,
    scene_change,
    shrunk,
)
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
    count_found,
    features_of,
    frame_key,
    load_features,
    load_windows,
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

# Rows of a tile's 16 bit numbers: limits of colour and texture, the least that was found, the present sample's sums.
_COLOR, _TEXTURE, _LEAST, _FEWEST, _SUM, _FLIPPED = 0, TILE, 2 * TILE, 3 * TILE, 4 * TILE, 5 * TILE

_REFRESHED = 25  # frames for which foreground is learned too, after a large change of the scene


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
def _chances(feedback, raw, unstable, wide_only, rate, t_low, refresh, chances):
    """What becomes of each pixel of a row: see `remember_rows`. A `rate` above 0 replaces the pixel's own."""
    t, change, foreground = feedback[T], feedback[CHANGE], feedback[FOREGROUND_SHARE]
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
        limits(
            feedback[y], n_channels, base, base // 5, offset, color[:width], texture[:width], single[:width], unstable
        )
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
            movement(features[y], previous[y], total[:width], bits[:width])
            moved = total[:width], bits[:width], most_levels, most_bits
            adapt(feedback[y], marks, y, distance, decision, unstable, *moved, long, short, t_low, t_high)
            _chances(feedback[y], decision, unstable, wide_only, rate, t_low, refresh, chances[y])


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
        self._counters = np.zeros(2, np.int64)  # shift of the pattern's threshold, frames until the next refresh
        _, self._features, _ = features_of(frame, self._relative())
        height, n_rows, padded = self._features.shape
        self._samples = np.empty((height, padded // TILE, self.n_samples, n_rows, TILE), np.uint8)
        self._seed_samples(self.n_samples)
        self._feedback, self._marks = new_feedback(frame.shape, self.t_lower)
        self._coarse = np.stack(2 * [shrunk(frame)], axis=2)  # long and short running averages

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
        averaging = averaging_windows(self._frames_seen, self.history)
        t_lower, t_upper, refresh = self.t_lower, self.t_upper, False
        if learn:
            t_lower, t_upper, refresh = self._watch_scene(frame, features, averaging)
        rate, n_places = share_of_samples(learning_rate, self.n_samples)
        chances = np.empty((height, 4, width if learn else 0), np.uint16)
        arrays = (planes, features, self._features, self._samples, self._feedback, self._marks, mask, score, chances)
        limits = (np.int32(self.color_threshold), np.int32(self.texture_threshold), np.uint16(relative))
        rates = (np.float32(t_lower), np.float32(t_upper), np.float32(rate))
        numbers = (*limits, np.int16(shift), *averaging, *rates, is_large(mask.shape), refresh, learn)
        run_strips(_classify, height, *arrays, *numbers, pixels_per_unit=4 * width)
        clean = cleaned(mask)
        if learn:
            key = frame_key(self.seed, self._frames_seen)
            run_strips(remember_rows, height, features, chances, self._samples, key, n_places, pixels_per_unit=width)
            remember_masks(self._feedback, self._marks, mask, clean, averaging)
            self._features = features
            self._counters[0] = adjusted_shift(shift, n_textured, mask.size)
        mask[:] = clean
        run_strips(settle_rows, height, mask, score, pixels_per_unit=width // 8)

    def _watch_scene(
        self, frame: Frame, features: npt.NDArray[np.uint8], averaging: tuple[np.float32, np.float32]
    ) -> tuple[float, float, bool]:
        """Follow the frame as a whole: limits of T, and whether the model is being refreshed after a large change."""
        if is_small(frame.shape):
            return 2 * self.t_lower, 2 * self.t_upper, False
        change = scene_change(self._coarse, frame, averaging)
        large = self.color_threshold / 2
        self._counters[1] = max(self._counters[1] - 1, 0)
        if change >= large and self._counters[1] == 0:
            self._features[:] = features
            self._seed_samples(max(1, self.n_samples // 10))
            self._feedback[:, T] = 1
            self._counters[1] = _REFRESHED
        faster = 2.0 ** int(change / 2) if change >= large / 2 else 1.0
        return max(self.t_lower / faster, 1.0), max(self.t_upper / faster, 1.0), bool(self._counters[1] > 0)

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
            "_coarse": (rows // SHRINKAGE, columns // SHRINKAGE),
        }
