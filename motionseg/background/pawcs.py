"""PAWCS: dictionaries of colour and texture whose words count by persistence (St-Charles et al. 2015)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.background._feedback import (
    CHANGE,
    CLEAN,
    FOREGROUND_SHARE,
    SHRINKAGE,
    R,
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
from motionseg.background._global_words import COUNT, FIRST, LAST, is_like, learn_presence, pardon, worth
from motionseg.background._lbsp import (
    EAGER,
    LIMIT,
    NEAR,
    NEARBY,
    OWN,
    TILE,
    WAITING,
    WIDE,
    WINDOW,
    WORK,
    begin_search,
    color_near,
    draw,
    features_of,
    frame_key,
    load_features,
    load_windows,
    mixed,
    neighbour,
    relative_of,
    settle_rows,
    textures,
)
from motionseg.background.base import BackgroundModel, Pixels
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import FOREGROUND, Frame, Mask, Score

__all__ = ["Pawcs"]

# Rows of a tile's 16 bit numbers: limits of colour and texture, the least that was found, the present word's sums.
_COLOR, _TEXTURE, _LEAST, _FEWEST, _SUM, _FLIPPED = 0, TILE, 2 * TILE, 3 * TILE, 4 * TILE, 5 * TILE

# Rows of a tile's fractions: the weight that makes a background, what was found of it, 2 R, the present word's weight
# and that of the word before, whether (0 or 1) the word that occurs now counts.
_GOAL, _FOUND, _STRICTNESS, _WEIGHT, _BEFORE, _GROWS = 0, TILE, 2 * TILE, 3 * TILE, 4 * TILE, 5 * TILE

_NEIGHBOUR_ODDS = 4096  # in 65,536ths: 1 / 16
_REPLACED_EVERY = 8  # frames between new global words
_LARGE_CHANGE = 15  # grey levels a channel
_REFRESHED = 25  # frames for which foreground is learned too, after a large change of the scene


@kernel
def _raise(words, stamps, k, chosen):
    """Exchange word k of the chosen pixels with the one before."""
    for row in range(words.shape[1]):
        for i in range(TILE):
            a, b = words[k, row, i], words[k - 1, row, i]
            words[k, row, i] = b if chosen[i] != 0 else a
            words[k - 1, row, i] = a if chosen[i] != 0 else b
    for row in range(3):
        for i in range(TILE):
            a, b = stamps[k, row, i], stamps[k - 1, row, i]
            stamps[k, row, i] = b if chosen[i] != 0 else a
            stamps[k - 1, row, i] = a if chosen[i] != 0 else b


@kernel
def _match(words, stamps, k, current, windows, relative, shift, work, differing, levels):
    """NEARBY <- the waiting pixels that word k is like; whether there is any."""
    if not color_near(words, k, current, work):
        return False
    textures(words, k, current, windows, -1, relative, shift, work, differing)
    for i in range(TILE):
        levels[_SUM + i] = 0
        levels[_FLIPPED + i] = 0
    for c in range(windows.shape[0]):
        for i in range(TILE):
            ours, theirs = current[3 * c, i], words[k, 3 * c, i]
            levels[_SUM + i] += np.uint16(np.uint8(max(ours, theirs) - min(ours, theirs)))
            levels[_FLIPPED + i] += np.uint16(differing[c, i])
    some = np.uint8(0)
    for i in range(TILE):
        s, f = levels[_SUM + i], levels[_FLIPPED + i]
        fits = (work[NEARBY + i] != 0) & (s <= levels[_COLOR + i]) & (f <= levels[_TEXTURE + i])
        fits &= stamps[k, COUNT, i] > np.float32(0)
        least, fewest = levels[_LEAST + i], levels[_FEWEST + i]
        levels[_LEAST + i] = min(least, s) if fits else least
        levels[_FEWEST + i] = min(fewest, f) if fits else fewest
        work[NEARBY + i] = fits
        some |= np.uint8(fits)
    return some != 0


@kernel
def _occur(words, stamps, k, current, work, levels, shares, now, chosen):
    """Word k of the NEARBY pixels has occurred: it counts, follows the light, and rises if it is worth more."""
    for i in range(TILE):
        count, last, near = stamps[k, COUNT, i], stamps[k, LAST, i], work[NEARBY + i] != 0
        stamps[k, COUNT, i] = np.float32(count + shares[_GROWS + i]) if near else count
        stamps[k, LAST, i] = now if near else last
    some = np.uint8(0)
    for i in range(TILE):
        far = np.uint16(levels[_SUM + i] << np.uint16(1)) >= levels[_COLOR + i]
        textured = np.uint16(levels[_FLIPPED + i] << np.uint16(1)) <= levels[_TEXTURE + i]
        chosen[i] = (work[NEARBY + i] != 0) & far & textured & (shares[_GROWS + i] > np.float32(0))
        some |= chosen[i]
    if some != 0:
        for row in range(words.shape[1]):
            for i in range(TILE):
                a, b = words[k, row, i], current[row, i]
                words[k, row, i] = b if chosen[i] != 0 else a
    some = np.uint8(0)
    for i in range(TILE):
        chosen[i] = (work[NEARBY + i] != 0) & (shares[_WEIGHT + i] > shares[_BEFORE + i])
        some |= chosen[i]
    if k > 0 and some != 0:
        _raise(words, stamps, k, chosen)
        for i in range(TILE):
            weight, before = shares[_WEIGHT + i], shares[_BEFORE + i]
            shares[_WEIGHT + i] = before if chosen[i] != 0 else weight


@kernel
def _search(
    words, stamps, current, windows, relative, shift, work, differing, levels, shares, chosen, now, inertia, learn
):  # fmt: skip
    """Look through the words of a tile until every pixel has found enough weight."""
    zero = np.float32(0)
    for i in range(TILE):
        shares[_FOUND + i], shares[_BEFORE + i] = zero, np.float32(2)
    for k in range(words.shape[0]):
        some = np.uint8(0)
        for i in range(TILE):
            some |= np.uint8((work[WAITING + i] != 0) & (stamps[k, COUNT, i] > zero))
        if some == 0:
            return
        for i in range(TILE):
            count, first, last = stamps[k, COUNT, i], stamps[k, FIRST, i], stamps[k, LAST, i]
            shares[_WEIGHT + i] = worth(count, first, last, now, inertia)
        if k == 0:
            for i in range(TILE):
                shares[_GOAL + i] = shares[_WEIGHT + i] / shares[_STRICTNESS + i]
        if _match(words, stamps, k, current, windows, relative, shift, work, differing, levels):
            for i in range(TILE):
                shares[_FOUND + i] += shares[_WEIGHT + i] if work[NEARBY + i] != 0 else zero
            if learn:
                _occur(words, stamps, k, current, work, levels, shares, now, chosen)
            some = np.uint8(0)
            for i in range(TILE):
                work[WAITING + i] &= np.uint8(shares[_FOUND + i] < shares[_GOAL + i])
                some |= work[WAITING + i]
            if some == 0:
                return
        for i in range(TILE):
            shares[_BEFORE + i] = shares[_WEIGHT + i]


@kernel
def _chances(feedback, raw, found, unstable, wide_only, rate, refresh, novel, chances):
    """What becomes of each pixel of a row: OWN is the chance of a new word, where nothing was found."""
    all_, most, zero = np.float32(65536), np.int32(65535), np.int32(0)
    given = np.int32(min(np.float32(all_ * rate), np.float32(most)))
    handed = given if rate > 0 else np.int32(_NEIGHBOUR_ODDS)
    for x in range(raw.shape[0]):
        single = given if rate > 0 else np.int32(min(all_ / feedback[T, x], np.float32(most)))
        far, is_background = wide_only | (unstable[x] != 0), raw[x] == 0
        ghost = (feedback[FOREGROUND_SHARE, x] > np.float32(0.995)) & (feedback[CHANGE, x] < np.float32(0.01))
        chances[OWN, x] = (most if refresh else single) if found[x] < novel else zero
        chances[NEAR, x] = handed if is_background & (not far) else zero
        chances[WIDE, x] = handed if is_background & far else zero
        chances[EAGER, x] = most if ghost else zero


@kernel
def _classify(
    start, stop, planes, features, previous, words, stamps, dictionary, presence, feedback, marks, mask, score, chances,
    base, offset, relative, shift, long, short, t_low, t_high, rate, wide_only, refresh, now, inertia, learn
):  # fmt: skip
    """Rows start .. stop: `mask` as it is before cleaning, the distance as `score`; local words and feedback learn."""
    n_channels, width, padded = planes.shape[0], mask.shape[1], features.shape[2]
    windows, work = np.empty((n_channels, WINDOW), np.uint8), np.empty(WORK, np.uint8)
    current, differing = np.empty((3 * n_channels, TILE), np.uint8), np.empty((n_channels, TILE), np.uint8)
    levels, shares, chosen = np.empty(6 * TILE, np.uint16), np.zeros(6 * TILE, np.float32), np.empty(TILE, np.uint8)
    color, rough, single = np.zeros(padded, np.uint16), np.zeros(padded, np.uint16), np.zeros(padded, np.uint8)
    total, bits, unstable = np.empty(padded, np.uint16), np.empty(padded, np.uint16), np.empty(width, np.uint8)
    goal, found = np.ones(padded, np.float32), np.zeros(padded, np.float32)
    most_levels, most_bits, one = np.float32(255 * n_channels), np.float32(16 * n_channels), np.float32(1)
    for y in range(start, stop):
        limits(feedback[y], n_channels, base, 0, offset, color[:width], rough[:width], single[:width], unstable)
        for t in range(words.shape[1]):
            x = t * TILE
            load_windows(planes, y, x, windows)
            load_features(features, y, x, current)
            for i in range(TILE):
                levels[_COLOR + i], levels[_TEXTURE + i] = color[x + i], rough[x + i]
                levels[_LEAST + i], levels[_FEWEST + i] = 255 * n_channels, 16 * n_channels
                work[LIMIT + i] = single[x + i]
            for i in range(min(TILE, width - x)):
                shares[_STRICTNESS + i] = np.float32(2) * feedback[y, R, x + i]
                shares[_GROWS + i] = one if (marks[CLEAN, y, x + i] == 0) | refresh else np.float32(0)
            begin_search(width - x, work)
            arrays = words[y, t], stamps[y, t], current, windows
            _search(*arrays, relative, shift, work, differing, levels, shares, chosen, now, inertia, learn)
            for i in range(TILE):
                total[x + i], bits[x + i] = levels[_LEAST + i], levels[_FEWEST + i]
                goal[x + i], found[x + i] = shares[_GOAL + i], shares[_FOUND + i]
        pardon(features[y], dictionary, presence[y // 2], goal[:width], found[:width], color, rough)
        decision, distance = mask[y], score[y]
        for x in range(width):
            d = (np.float32(total[x]) / most_levels + np.float32(bits[x]) / most_bits) / np.float32(2)
            missing = max(goal[x] - found[x], np.float32(0)) / goal[x]
            distance[x] = min(d + missing, one)
            decision[x] = FOREGROUND if found[x] < goal[x] else 0
        if learn:
            movement(features[y], previous[y], total[:width], bits[:width])
            moved = total[:width], bits[:width], most_levels, most_bits
            adapt(feedback[y], marks, y, distance, decision, unstable, *moved, long, short, t_low, t_high)
            _chances(feedback[y], decision, found, unstable, wide_only, rate, refresh, one / inertia, chances[y])


@kernel
def _learn_words(start, stop, features, chances, words, stamps, levels, bits, key, now):
    """Rows start .. stop: new words, of the pixel itself and of a random neighbour; what is known already counts."""
    lots, (height, width) = np.empty(TILE, np.uint16), (features.shape[0], chances.shape[2])
    n_tiles, n_words = words.shape[1], words.shape[2]
    for y in range(start, stop):
        for t in range(n_tiles):
            x = t * TILE
            known, its_stamps = words[y, t], stamps[y, t]
            for kind in range(3):
                drawn = mixed(key, (y * n_tiles + t) * 3 + kind)
                dy, dx = neighbour(drawn, kind)
                if y + dy < 0 or y + dy >= height:
                    continue
                draw(drawn, lots)
                new, chance = features[y + dy], chances[y + dy, kind]
                for i in range(max(0, -x - dx), min(TILE, min(width - x, width - x - dx))):
                    odds = chance[x + dx + i]
                    if kind != OWN and odds > 0:
                        odds = max(odds, chances[y, EAGER, x + i])
                    if lots[i] >= odds:
                        continue
                    k = 0
                    while k < n_words and its_stamps[k, COUNT, i] > 0:
                        if kind != OWN and is_like(new, x + dx + i, known[:, :, i], k, levels, bits):
                            break
                        k += 1
                    if k == n_words or its_stamps[k, COUNT, i] == 0:
                        k = min(k, n_words - 1)
                        for row in range(features.shape[1]):
                            known[k, row, i] = new[row, x + dx + i]
                        its_stamps[k, COUNT, i], its_stamps[k, FIRST, i] = 0, now
                    its_stamps[k, COUNT, i] += np.float32(1)
                    its_stamps[k, LAST, i] = now


class Pawcs(BackgroundModel):
    """Foreground is what no persistent word of colour and texture describes; all thresholds adapt by themselves.

    Each pixel keeps a dictionary of words, its colour and the local binary pattern (LBSP) around it, and knows how
    often and for how long each has occurred. What was there for long counts more than what passes by, so that a
    background survives being hidden. A dictionary of the whole picture pardons what is common thereabouts. For outdoor
    scenes over hours, with objects that stop.

    Words are handed to neighbours at random, as in ViBe, which is patented (EP2015252B1, US8009918B2, JP4699564B2; into
    2027-28): commercial use may need a licence.

    Parameters
    ----------
    n_words : int in [1, 1000]
        Words of each pixel.
    n_global_words : int in [1, 1000]
        Words of the whole picture.
    color_threshold : int in [5, 255]
        Least threshold of the colour distance, grey levels a channel (R0 colour).
    texture_threshold : int in [0, 16]
        Added to the threshold of the texture distance, bits a channel (R0 LBSP).
    relative_threshold : float in [0, 1]
        A pixel of the pattern differs by more than this share of the reference's level (T_r); a third of it for grey.
    inertia : float in [1, 1e6]
        Frames that a word must have occurred in to be worth one half (w0).
    t_lower, t_upper : float in [1, 65536]
        Limits of the period T: a pixel that no word describes learns one every T frames on average.
    history : int, at least 4
        Frames of the long running averages; the short ones take a quarter.
    seed : int, at least 0
        Chooses what is learned at random; the same seed gives the same masks.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    A word that occurred in n frames, the first at f and the last at l, is worth n / (l - f + 2 (now - l) + w0). Words
    are looked at in the order of this, nearly: one that occurs and is worth more than the one before changes places
    with it. The pixel is background as soon as those that are like it (the distances are those of :class:`Subsense`,
    each within its own limit: C R `color_threshold` levels, C (2^round(R) + `texture_threshold`) bits with C channels)
    together are worth what the first one is, divided by 2 R. A word that occurs counts on, unless the pixel was
    foreground in the last mask, and takes the pixel's look if that has drifted half of the limit away.

    Where that fails, global words that are like the pixel add what they are worth around it, divided by 4 (flat) or 8
    (textured). In one of 16 frames a background pixel hands its look to a neighbour: there it counts for the word that
    is like it, or is a new one. New words take the place of the last. The score is the distance d of the words found,
    plus the share of worth that is missing, kept on the side of one half that the mask is on. R, T and the cleaning of
    masks follow d as in :class:`Subsense`. A change of the whole scene, seen at an eighth of its size, starts all words
    anew; not in frames smaller than half of 320 x 240 pixels, where one object changes the whole scene.

    Against the paper: the presence of global words is a running average over random pixels, and one word of the
    picture is replaced in 8 frames at most; there is no distortion of colours. A learning rate r given to :meth:`apply`
    is the chance with which new words are learned and handed on.

    Memory: 21 bytes a word, a global word, and 49 more for a BGR pixel (624 by default); 15, 1 and 43 grey (468). Soft
    dark shadows are foreground.

    References
    ----------
    P.-L. St-Charles, G.-A. Bilodeau, R. Bergevin, A self-adjusting approach to change detection based on background
    word consensus, WACV 2015, doi:10.1109/WACV.2015.137.

    Examples
    --------
    >>> model = Pawcs()
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
        paper="St-Charles, Bilodeau, Bergevin 2015, A self-adjusting approach to change detection based on background "
        "word consensus, doi:10.1109/WACV.2015.137",
        speed="slow",
        good_at="fixed outdoor cameras over hours: objects that stop, backgrounds that are hidden for long",
        notice="hands words to neighbours at random, as do methods patented by EP2015252B1, US8009918B2, JP4699564B2 "
        "(ViBe, into 2027-28)",
    )
    _arrays = (
        "_words", "_stamps", "_dictionary", "_presence", "_features", "_feedback", "_marks", "_coarse", "_counters",
    )  # fmt: skip
    _global_arrays = ("_dictionary", "_counters")

    def __init__(
        self,
        *,
        n_words: int = 25,
        n_global_words: int = 50,
        color_threshold: int = 20,
        texture_threshold: int = 2,
        relative_threshold: float = 0.333,
        inertia: float = 1000.0,
        t_lower: float = 1.0,
        t_upper: float = 256.0,
        history: int = 100,
        seed: int = 0,
    ) -> None:
        self.n_words = check_integer("n_words", n_words, 1, 1000)
        self.n_global_words = check_integer("n_global_words", n_global_words, 1, 1000)
        self.color_threshold = check_integer("color_threshold", color_threshold, 5, 255)
        self.texture_threshold = check_integer("texture_threshold", texture_threshold, 0, 16)
        self.relative_threshold = check_number("relative_threshold", relative_threshold, 0, 1)
        self.inertia = check_number("inertia", inertia, 1, 1e6)
        self.t_lower = check_number("t_lower", t_lower, 1, 65536)
        self.t_upper = check_number("t_upper", t_upper, self.t_lower, 65536)
        self.history = check_integer("history", history, 4)
        self.seed = check_integer("seed", seed, 0)

    def _start(self, frame: Frame) -> None:
        (height, width), relative = frame.shape[:2], relative_of(self.relative_threshold, frame.shape)
        self._counters = np.zeros(2, np.int64)  # shift of the pattern's threshold, frames until the next fresh start
        _, self._features, _ = features_of(frame, relative)
        _, n_rows, padded = self._features.shape
        self._words = np.zeros((height, padded // TILE, self.n_words, n_rows, TILE), np.uint8)
        self._stamps = np.zeros((height, padded // TILE, self.n_words, 3, TILE), np.float32)
        self._know_only(self._features)
        places = [int(frame_key(self.seed, m, "place")) % (height * width) for m in range(self.n_global_words)]
        self._dictionary = self._features.swapaxes(1, 2)[np.divmod(places, width)]
        self._presence = np.zeros((-(-height // 2), -(-width // 2), self.n_global_words), np.float32)
        self._feedback, self._marks = new_feedback(frame.shape, self.t_lower)
        self._coarse = np.stack(2 * [shrunk(frame)], axis=2)  # long and short running averages

    def _know_only(self, features: npt.NDArray[np.uint8]) -> None:
        """Forget all local words but the present look of each pixel."""
        height, n_rows, padded = features.shape
        self._words[:, :, 0] = features.reshape(height, n_rows, padded // TILE, TILE).swapaxes(1, 2)
        self._stamps[:, :, :, COUNT] = 0
        self._stamps[:, :, 0, COUNT] = 1
        self._stamps[:, :, 0, FIRST:] = self._frames_seen

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        learn, (height, width) = learning_rate != 0, mask.shape
        relative, shift = relative_of(self.relative_threshold, frame.shape), int(self._counters[0])
        planes, features, n_textured = features_of(frame, relative, shift)
        windows, refresh = averaging_windows(self._frames_seen, self.history), False
        if learn and not is_small(mask.shape):
            refresh = self._watch_scene(frame, features, windows)
        chances = np.empty((height, 4, width if learn else 0), np.uint16)
        now, inertia = np.float32(self._frames_seen), np.float32(self.inertia)
        known = self._words, self._stamps, self._dictionary, self._presence, self._feedback, self._marks
        bounds = np.int32(self.color_threshold), np.int32(self.texture_threshold)
        patterns = np.uint16(relative), np.int16(shift)
        rates = np.float32(self.t_lower), np.float32(self.t_upper), np.float32(learning_rate or 0)
        numbers = (*bounds, *patterns, *windows, *rates, is_large(mask.shape), refresh, now, inertia, learn)
        arrays = (planes, features, self._features, *known, mask, score, chances)
        run_strips(_classify, height, *arrays, *numbers, pixels_per_unit=4 * width)
        clean = cleaned(mask)
        if learn:
            n_channels = len(planes)
            alike = n_channels * self.color_threshold, n_channels * (2 + self.texture_threshold)
            key = frame_key(self.seed, self._frames_seen)
            arrays = (features, chances, self._words, self._stamps)
            run_strips(_learn_words, height, *arrays, *alike, key, now, pixels_per_unit=width)
            self._learn_global_words(features, mask, alike)
            remember_masks(self._feedback, self._marks, mask, clean, windows)
            self._features = features
            self._counters[0] = adjusted_shift(shift, n_textured, mask.size)
        mask[:] = clean
        run_strips(settle_rows, height, mask, score, pixels_per_unit=width // 8)

    def _learn_global_words(self, features: npt.NDArray[np.uint8], raw: Mask, alike: tuple[int, int]) -> None:
        """Follow where global words are common; what none is like takes the place of the least common one."""
        n, strangers = len(self._presence), np.empty(len(self._presence), np.int64)
        arrays = (features, raw, self._stamps, self._dictionary, self._presence)
        key = frame_key(self.seed, self._frames_seen, "global")
        numbers = (*alike, key, np.float32(self._frames_seen), np.float32(self.inertia))
        run_strips(learn_presence, n, *arrays, *numbers, strangers, pixels_per_unit=raw.shape[1])
        some = strangers[strangers >= 0]
        if len(some) and self._frames_seen % _REPLACED_EVERY == 0:
            y, x = divmod(int(some[int(key) % len(some)]), raw.shape[1])
            least = int(self._presence.sum(axis=(0, 1), dtype=np.float64).argmin())
            self._dictionary[least], self._presence[:, :, least] = features[y, :, x], 0

    def _watch_scene(
        self, frame: Frame, features: npt.NDArray[np.uint8], windows: tuple[np.float32, np.float32]
    ) -> bool:
        """Follow the frame as a whole: start all words anew after a large change; whether that was just now."""
        self._counters[1] = max(self._counters[1] - 1, 0)
        change = scene_change(self._coarse, frame, windows)
        if change < _LARGE_CHANGE or self._counters[1] > 0:
            return bool(self._counters[1] > 0)
        self._know_only(features)
        self._features[:], self._feedback[:, T], self._counters[1] = features, 1, _REFRESHED
        return True

    def background(self) -> Frame:
        """The learned picture of the empty scene: the colour of the first word of each pixel."""
        shape = self._require_started()
        colors = self._words[:, :, 0, ::3].swapaxes(2, 3).reshape(shape[0], -1, self._words.shape[3] // 3)
        return colors[:, : shape[1]].reshape(shape).copy()

    def _cells(self, pixels: Pixels) -> dict[str, tuple[Any, ...]]:
        rows, columns = pixels
        tile, lane = np.divmod(columns, TILE)
        return {
            **dict.fromkeys(("_words", "_stamps"), (rows, tile, slice(None), slice(None), lane)),
            **dict.fromkeys(("_features", "_feedback"), (rows, slice(None), columns)),
            "_marks": (slice(None), rows, columns),
            "_presence": (rows // 2, columns // 2),
            "_coarse": (rows // SHRINKAGE, columns // SHRINKAGE),
        }
