"""Colour and texture modes with credit, a threshold that each pixel steers itself: the default for fixed cameras."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background.base import BackgroundModel, Pixels
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import BACKGROUND, FOREGROUND, SHADOW, Frame, Mask, Score

__all__ = ["Adaptive"]

# The frame is a row of tiles of _TILE pixels. The modes of a tile are vectors over its pixels: blue, green, red,
# texture, credit (frames seen, 0: no mode). Mode 0 has the most credit, and where nothing moves it alone is read;
# the last one is the candidate, which is not background. Scratch vectors lie in one array, so that the compiler
# knows that they do not overlap.
_TILE = 64
_TEXTURE, _CREDIT = 3, 4
_ROWS = 5
_B, _G, _R, _X, _LIMIT, _D, _BEST, _WHICH, _SCRATCH = (i * _TILE for i in range(9))

# Places in the vector of numbers: a Python float would turn the arithmetic into float64.
_THRESHOLD, _DARKEST, _HISTORY, _RATE, _PATIENCE, _LEAST_TOLERANCE = range(6)

_TEXTURE_WEIGHT = np.float32(0.35)  # levels of colour that a level of texture counts for
_TEXTURE_FLOOR = np.float32(16)  # levels: in the dark, noise is no texture
_DARKENING = np.float32(60)  # levels of distance that full darkness would count for
_SPECK_PATIENCE = np.float32(6)  # frames after which what only flickers becomes a mode
_FADING = np.float32(0.5)  # credit that a candidate loses in a frame without it
_NEAR_MODE = np.float32(0.8)  # a candidate is met again within this share of the threshold
_FORGETTING = np.float32(1 - 0.032)  # of the credit of unused modes, every 64 frames
_REACH = 2  # pixels that water and leaves displace a colour by
_DISPLACED = 255  # instead of the number of a mode, where that of a neighbour is met
_BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))
_RAISE, _LOWER, _MOST = np.float32(0.1), np.float32(0.003), np.float32(4)  # steps of a tolerance, and its limit
_SHADED = 128  # added to the number of a mode that is met only as a shadow

_FULL_CONTRAST, _LEAST_CONTRAST = 50.0, 0.4  # standard deviation of the luma; share of the threshold always left
_UNREST_RATE, _RESTLESS = 0.025, 0.1  # of the changes of a pixel's side; from here on their mean is water
_PARDON = 0.7  # of the threshold, for what is met beside its place
_BESIDE = 15  # pixels: within half of this from an object nothing flickers


@kernel(inline=True)
def _load(pixels, luma, surround, first, n, n_channels, s):
    """Rows B, G, R and X (texture) of s <- the tile's n pixels; lanes behind the last are 0, as are their modes."""
    part = pixels[n_channels * first : n_channels * (first + n)]
    y, around = luma[first : first + n], surround[first : first + n]
    if n < _TILE:
        s[: 4 * _TILE] = np.float32(0)
    if n_channels == 3:
        for i in range(n):
            s[_B + i] = part[3 * i]
            s[_G + i] = part[3 * i + 1]
            s[_R + i] = part[3 * i + 2]
    else:
        for i in range(n):
            s[_B + i] = part[i]
            s[_G + i] = part[i]
            s[_R + i] = part[i]
    for i in range(n):
        mean = around[i]
        s[_X + i] = (np.float32(y[i]) - mean) * np.float32(128) / (mean + _TEXTURE_FLOOR)


@kernel(inline=True)
def _measure(s, m, darkest):
    """Row D of s <- distances to the mode m, negative where only a darkened version of it is near."""
    one, third, share = np.float32(1), np.float32(1 / 3), np.float32(1 / 1.5)
    for i in range(_TILE):
        b, g, r = m[i], m[_TILE + i], m[2 * _TILE + i]
        db, dg, dr = abs(s[_B + i] - b), abs(s[_G + i] - g), abs(s[_R + i] - r)
        plain = max((db + dg + dr) * third, max(max(db, dg), dr) * share)
        a = (s[_B + i] * b + s[_G + i] * g + s[_R + i] * r) / (b * b + g * g + r * r + one)
        shade = abs(s[_B + i] - a * b) + abs(s[_G + i] - a * g) + abs(s[_R + i] - a * r) + (one - a) * _DARKENING
        shaded = (a < one) & (a > darkest) & (shade < plain)
        d = (shade if shaded else plain) + _TEXTURE_WEIGHT * abs(s[_X + i] - m[3 * _TILE + i])
        s[_D + i] = -d if shaded & (plain > s[_LIMIT + i]) else d


@kernel
def _classify(start, stop, modes, tolerance, pixels, luma, surround, numbers, raw, quotient, which):
    """Tiles start .. stop: raw (255 foreground), quotient of distance and limit, and which mode is nearest (flat)."""
    n_channels, n_modes = pixels.shape[0] // raw.shape[0], modes.shape[1] - 1
    s, threshold, darkest = np.zeros(_SCRATCH, np.float32), numbers[_THRESHOLD], numbers[_DARKEST]
    for t in range(start, stop):
        first = t * _TILE
        n = min(_TILE, raw.shape[0] - first)
        _load(pixels, luma, surround, first, n, n_channels, s)
        factor = tolerance[t]
        for i in range(_TILE):
            s[_LIMIT + i] = threshold * factor[i]
            s[_BEST + i] = np.float32(1e9)
            s[_WHICH + i] = np.float32(0)
        for k in range(n_modes):
            m = modes[t, k]
            _measure(s, m, darkest)
            far = np.int32(0)
            for i in range(_TILE):
                signed, best = s[_D + i], s[_BEST + i]
                d = abs(signed)
                nearer = (m[_CREDIT * _TILE + i] > 0) & (d < best) & (best > s[_LIMIT + i])
                s[_BEST + i] = d if nearer else best
                number = np.float32(k + _SHADED) if signed < 0 else np.float32(k)
                s[_WHICH + i] = number if nearer else s[_WHICH + i]
                far += np.int32(s[_BEST + i] > s[_LIMIT + i])
            if far == 0:
                break
        decision, ratio, number = raw[first : first + n], quotient[first : first + n], which[first : first + n]
        for i in range(n):
            decision[i] = FOREGROUND if s[_BEST + i] > s[_LIMIT + i] else BACKGROUND
        for i in range(n):
            ratio[i] = s[_BEST + i] / s[_LIMIT + i]
        for i in range(n):
            number[i] = np.uint8(s[_WHICH + i])


@kernel(inline=True)
def _is_quiet(raw, clean, which, first, n):
    """Whether all pixels of the tile are background, as their first mode has it; beside objects, too."""
    busy = np.uint8(0)
    decision, state, number = raw[first : first + n], clean[first : first + n], which[first : first + n]
    for i in range(n):
        busy |= decision[i] | number[i] | (state[i] & np.uint8(254))
    return busy == 0


@kernel(inline=True)
def _learn_quiet(s, m, candidate, numbers):
    """The first mode of every pixel of the tile takes the frame in; candidates fade."""
    one, zero, history, rate = np.float32(1), np.float32(0), numbers[_HISTORY], numbers[_RATE]
    for i in range(_TILE):
        credit = min(m[_CREDIT * _TILE + i] + one, history)
        m[_CREDIT * _TILE + i] = credit
        share = max(one / credit, rate)
        m[i] += share * (s[_B + i] - m[i])
        m[_TILE + i] += share * (s[_G + i] - m[_TILE + i])
        m[2 * _TILE + i] += share * (s[_R + i] - m[2 * _TILE + i])
        m[3 * _TILE + i] += share * (s[_X + i] - m[3 * _TILE + i])
    for i in range(_TILE):
        candidate[_CREDIT * _TILE + i] = max(candidate[_CREDIT * _TILE + i] - _FADING, zero)


@kernel
def _absorb(s, m, i, share):
    """The mode m of pixel i moves by `share` towards what is there."""
    for c in range(_CREDIT):
        m[c * _TILE + i] += share * (s[c * _TILE + i] - m[c * _TILE + i])


@kernel
def _swap(a, b, i):
    """The modes a and b of pixel i change places."""
    for c in range(_ROWS):
        a[c * _TILE + i], b[c * _TILE + i] = b[c * _TILE + i], a[c * _TILE + i]


@kernel
def _follow(s, m, i, numbers):
    """The candidate m of pixel i: credit for being met again, less otherwise, another one when it has none left."""
    limit, one = numbers[_THRESHOLD] * _NEAR_MODE, np.float32(1)
    color, at = np.float32(0), _CREDIT * _TILE + i
    for c in range(3):
        color += abs(s[c * _TILE + i] - m[c * _TILE + i])
    distance = color / np.float32(3) + _TEXTURE_WEIGHT * abs(s[_X + i] - m[3 * _TILE + i])
    if m[at] > 0 and distance < limit:
        m[at] += one
        _absorb(s, m, i, max(one / m[at], numbers[_RATE]))
        return
    m[at] -= max(one, np.float32(0.2) * m[at])
    if m[at] <= 0:
        m[at] = one
        _absorb(s, m, i, one)


@kernel
def _learn_pixel(s, modes, i, found, state, number, numbers):
    """Pixel i of the tile with `modes` (K, 5 T): `found` is its raw decision, `state` the clean one (1: beside it)."""
    last, one, at = modes.shape[0] - 1, np.float32(1), _CREDIT * _TILE + i
    candidate = modes[last]
    if found == BACKGROUND:
        if number == _DISPLACED or state == FOREGROUND or (state != 0 and number >= _SHADED):
            return  # a hole in an object, or the shadow beside it
        k = np.int64(number % _SHADED)
        credit = min(modes[k, at] + one, numbers[_HISTORY])
        modes[k, at] = credit
        _absorb(s, modes[k], i, max(one / credit, numbers[_RATE]))
        candidate[at] = max(candidate[at] - _FADING, np.float32(0))
        if credit > modes[0, at]:
            _swap(modes[0], modes[k], i)
        return
    _follow(s, candidate, i, numbers)
    if state != 0:  # an object: what stays longer than the background was seen takes its place
        if candidate[at] > max(modes[0, at], numbers[_PATIENCE]):
            _swap(modes[0], candidate, i)
            candidate[at] *= np.float32(0.5)
    elif candidate[at] > min(modes[0, at], _SPECK_PATIENCE):  # what flickers becomes one more mode of the background
        weakest = 1
        for k in range(2, last):
            if modes[k, at] < modes[weakest, at]:
                weakest = k
        _swap(modes[weakest], candidate, i)
        candidate[at] = np.float32(0)
        if modes[weakest, at] > modes[0, at]:
            _swap(modes[0], modes[weakest], i)


@kernel
def _learn(start, stop, modes, tolerance, pixels, luma, surround, numbers, raw, clean, which, turn):
    """Tiles start .. stop: modes and tolerances learn from the frame, its raw and its clean mask (flat)."""
    n_channels, last = pixels.shape[0] // raw.shape[0], modes.shape[1] - 1
    s, none = np.zeros(_SCRATCH, np.float32), np.uint8(0)
    least = numbers[_LEAST_TOLERANCE]
    for t in range(start, stop):
        first = t * _TILE
        n = min(_TILE, raw.shape[0] - first)
        _load(pixels, luma, surround, first, n, n_channels, s)
        decision, state, number = raw[first : first + n], clean[first : first + n], which[first : first + n]
        if _is_quiet(raw, clean, which, first, n):
            _learn_quiet(s, modes[t, 0], modes[t, last], numbers)
        else:
            for i in range(n):
                _learn_pixel(s, modes[t], i, decision[i], state[i], number[i], numbers)
        factor = tolerance[t]
        for i in range(n):
            step = _RAISE if decision[i] != none else -_LOWER
            factor[i] = min(max(factor[i] + (step if state[i] == none else np.float32(0)), least), _MOST)
        if (t + turn) % 64 == 0:
            for k in range(1, last):
                m = modes[t, k]
                for i in range(_TILE):
                    m[_CREDIT * _TILE + i] *= _FORGETTING


@kernel
def _reconsider(start, stop, pixels, modes, tolerance, limit, restless, raw, which):
    """Rows start .. stop: a colour that the background has close by is displaced background (Elgammal et al. 2000)."""
    height, width, n_channels = pixels.shape
    share = np.float32(1) / np.float32(n_channels)
    for y in range(start, stop):
        top, bottom = max(0, y - _REACH), min(height, y + _REACH + 1)
        for x in range(width):
            if raw[y, x] == 0 or restless[y, x] == 0:
                continue
            place, found = y * width + x, False
            farthest = limit * tolerance[place // _TILE, place % _TILE]
            for v in range(top, bottom):
                for u in range(max(0, x - _REACH), min(width, x + _REACH + 1)):
                    total, largest, there = np.float32(0), np.float32(0), v * width + u
                    first, lane = modes[there // _TILE, 0], there % _TILE
                    for c in range(n_channels):
                        d = abs(np.float32(pixels[y, x, c]) - first[c * _TILE + lane])
                        total, largest = total + d, max(largest, d)
                    if max(total * share, largest / np.float32(1.5)) <= farthest:
                        found = True
                        break
                if found:
                    break
            if found:
                raw[y, x], which[y, x] = BACKGROUND, _DISPLACED


@kernel
def _paint(start, stop, modes, picture):
    """Tiles start .. stop of `picture` (pixels, channels) <- the first modes."""
    for t in range(start, stop):
        first, part = modes[t, 0], picture[t * _TILE : (t + 1) * _TILE]
        for i in range(part.shape[0]):
            for c in range(part.shape[1]):
                part[i, c] = np.uint8(first[c * _TILE + i] + np.float32(0.5))


@kernel
def _finish(start, stop, score, clean):
    """Tiles start .. stop: score (flat) <- d / (d + limit) from their quotient, on the side that `clean` says."""
    one, half = np.float32(1), np.float32(0.5)
    for t in range(start, stop):
        scores, decided = score[t * _TILE : (t + 1) * _TILE], clean[t * _TILE : (t + 1) * _TILE]
        for i in range(scores.shape[0]):
            value = scores[i] / (scores[i] + one)
            scores[i] = max(value, half) if decided[i] != 0 else min(value, _BELOW_HALF)


class Adaptive(BackgroundModel):
    """Foreground is what no credible mode of colour and texture explains: the default for fixed cameras; knows shadows.

    Things that stand still remain foreground as long as the empty scene has been seen longer than they have; what
    flickers becomes background soon; every pixel steers its own threshold by how often it is wrong alone.

    Parameters
    ----------
    history : int in [10, 100000]
        Most credit of a mode, frames: what is to replace an established background stands still for longer than this.
    threshold : float in (0, 255]
        Distance of colour and texture, in grey levels, above which a pixel is foreground where nothing flickers.
    patience : int, at least 1
        Frames for which something new stands still at least before it can be background, even in a young model.
    n_modes : int in [3, 16]
        Modes of a pixel; the last one is a candidate, which is not background yet.
    shadow_threshold : float in (0, 1]
        A shadow is not darker than this share of the background (tau); 1: no shadows. Colourless frames have none.
    least_tolerance : float in (0, 4]
        Factor of the threshold where nothing flickers for long; it starts at 1.
    learning_rate : float in (0, 1]
        Least share of the frame in a mode that it matches.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    The frame is smoothed a little (Gaussian, 0.6 px). Texture is x = 128 (y - m) / (m + 16), with y the luma and m
    its mean over 7 x 7 pixels: what light leaves alone. The distance of a pixel to a mode is max(mean, largest / 1.5)
    of the differences of its channels, and 0.35 of that of texture. If it is the mode darkened by a in
    (`shadow_threshold`, 1), the first part is the sum of what is left of the differences and of 60 (1 - a), if that
    is less. Raw foreground is farther than the limit, `threshold` times a tolerance r, from all modes; where the
    luma deviates by less than 50 levels over the picture, the threshold is less in proportion, down to 40 %.

    Where pixels change sides often (a tenth of the time, over 40 frames and 9 x 9 pixels) a colour is pardoned that
    the background has within 2 pixels, up to 0.7 of the limit. The clean mask is the raw one after a median, a closing,
    the filling of small holes and another, larger median.

    Within 7 pixels of the clean mask nothing flickers that should be learned. Elsewhere

    - a mode that is matched gains a frame of credit c, and moves by max(1 / c, `learning_rate`);
    - a pixel that is foreground in the raw mask alone raises its r by 0.1, all others lower it by 0.003, so that
      three frames of a hundred are wrong at most; r is in [`least_tolerance`, 4]. Six frames make its colour a mode.

    Where something is foreground, the candidate gains credit while it is met again and loses it otherwise; once it
    has more than the first mode (and `patience`) the two change places. So of what stands still, that is background
    which did so for longer. A learning rate r given to :meth:`apply` replaces `learning_rate`, and 1/r `history`.

    The score is d / (d + limit), cut to the side of the clean mask. Shadows are labelled beside objects only.

    Memory: 89 bytes a BGR pixel, and as much for grey. Something that stands in the first frame leaves a ghost for as
    long as it stood there, and a light switch is foreground: see :class:`~motionseg.background.Guarded`.

    References
    ----------
    Modes with credit for time: K. Kim et al., Real-time foreground-background segmentation using codebook model,
    Real-Time Imaging 11 (2005), doi:10.1016/j.rti.2004.12.004. Pardon: A. Elgammal, D. Harwood, L. Davis,
    Non-parametric model for background subtraction, ECCV 2000, doi:10.1007/3-540-45053-X_48. The combination is own.

    Examples
    --------
    >>> model = Adaptive()
    >>> empty = np.full((40, 60, 3), 90, np.uint8)
    >>> for _ in range(20):
    ...     mask = model.apply(empty)
    >>> frame = empty.copy()
    >>> frame[10:30, 20:40] = 250
    >>> model.apply(frame)[20, [5, 30]]
    array([  0, 255], dtype=uint8)
    """

    info = ModelInfo(
        paper="own; codebook credit after Kim et al. 2005, Codebook model, doi:10.1016/j.rti.2004.12.004",
        speed="medium",
        good_at="fixed cameras: the first to try",
    )
    _arrays = ("_modes", "_tolerance", "_raw", "_unrest")

    def __init__(
        self,
        *,
        history: int = 1000,
        threshold: float = 28.0,
        patience: int = 8,
        n_modes: int = 4,
        shadow_threshold: float = 0.6,
        least_tolerance: float = 0.7,
        learning_rate: float = 0.03,
    ) -> None:
        self.history = check_integer("history", history, 10, 100_000)
        self.threshold = check_number("threshold", threshold, 0, 255, above=True)
        self.patience = check_integer("patience", patience, 1)
        self.n_modes = check_integer("n_modes", n_modes, 3, 16)
        self.shadow_threshold = check_number("shadow_threshold", shadow_threshold, 0, 1, above=True)
        self.least_tolerance = check_number("least_tolerance", least_tolerance, 0, 4, above=True)
        self.learning_rate = check_number("learning_rate", learning_rate, 0, 1, above=True)

    def _start(self, frame: Frame) -> None:
        height, width = frame.shape[:2]
        n_tiles = -(-height * width // _TILE)
        modes = np.zeros((n_tiles, self.n_modes, _ROWS, _TILE), np.float32)
        smooth, luma, surround = _described(frame)
        colors = smooth.reshape(height * width, -1).astype(np.float32)
        texture = (luma - surround) * np.float32(128) / (surround + _TEXTURE_FLOOR)
        first = np.zeros((n_tiles * _TILE, _ROWS), np.float32)
        first[: height * width, :_TEXTURE] = colors
        first[: height * width, _TEXTURE] = texture.reshape(-1)
        first[: height * width, _CREDIT] = 1
        modes[:, 0] = first.reshape(n_tiles, _TILE, _ROWS).transpose(0, 2, 1)
        self._modes = modes.reshape(n_tiles, self.n_modes, _ROWS * _TILE)
        self._tolerance = np.ones((n_tiles, _TILE), np.float32)
        self._raw, self._unrest = np.zeros((height, width), np.uint8), np.zeros((height, width), np.float32)

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        smooth, luma, surround = _described(frame)
        pixels = (smooth.reshape(-1), luma.reshape(-1), surround.reshape(-1))
        numbers = self._numbers(frame, luma, learning_rate)
        raw, which = np.empty(mask.shape, np.uint8), np.empty(mask.shape, np.uint8)
        found, n_tiles = (raw.reshape(-1), score.reshape(-1), which.reshape(-1)), len(self._modes)
        arguments = (self._modes, self._tolerance, *pixels, numbers)
        run_strips(_classify, n_tiles, *arguments, *found, pixels_per_unit=_TILE)
        unrest = self._watched(raw, learn=learning_rate != 0)
        self._pardon(smooth, unrest, numbers[_THRESHOLD], raw, which)
        clean = _cleaned(raw)
        beside = cv2.dilate(clean, np.ones((_BESIDE, _BESIDE), np.uint8))
        if learning_rate != 0:
            state = cv2.max(clean, cv2.min(beside, 1))
            marks = (raw.reshape(-1), state.reshape(-1), which.reshape(-1), self._frames_seen % 64)
            run_strips(_learn, n_tiles, *arguments, *marks, pixels_per_unit=_TILE)
        shaded = _majority(cv2.inRange(which, _SHADED, _DISPLACED - 1), 5)
        np.copyto(mask, clean)
        mask[(clean == 0) & (shaded != 0) & (beside != 0)] = SHADOW
        finish = (score.reshape(-1), clean.reshape(-1))
        run_strips(_finish, mask.size // _TILE + 1, *finish, pixels_per_unit=_TILE // 8)

    def _numbers(self, frame: Frame, luma: Mask, learning_rate: float | None) -> npt.NDArray[np.float32]:
        history, rate = self.history, self.learning_rate
        if learning_rate:
            history, rate = max(2, round(1 / learning_rate)), learning_rate
        # What differs in a picture of little contrast, by night or in fog, differs by little.
        contrast = float(luma[::4, ::4].std()) / _FULL_CONTRAST
        threshold = self.threshold * min(1.0, max(contrast, _LEAST_CONTRAST))
        darkest = self.shadow_threshold if _is_colored(frame) else 1.0
        numbers = (threshold, darkest, history, rate, min(self.patience, history - 1), self.least_tolerance)
        return np.array(numbers, np.float32)

    def _watched(self, raw: Mask, *, learn: bool) -> npt.NDArray[np.float32]:
        """How often each pixel has changed sides of late, with this frame's raw mask."""
        changed, rate = cv2.absdiff(raw, self._raw), _UNREST_RATE
        unrest = cv2.addWeighted(self._unrest, 1 - rate, changed, rate / 255, 0, dtype=cv2.CV_32F)
        if learn:
            self._raw, self._unrest = raw.copy(), unrest
        return unrest

    def _pardon(self, smooth: Frame, unrest: npt.NDArray[np.float32], threshold: float, raw: Mask, which: Mask) -> None:
        """Where the picture is restless, what looks like the background close by is background: water, leaves."""
        restless = cv2.inRange(cv2.blur(unrest, (9, 9)), _RESTLESS, np.inf)
        if not cv2.hasNonZero(cv2.bitwise_and(raw, restless)):
            return
        known = (smooth.reshape(*raw.shape, -1), self._modes, self._tolerance, np.float32(_PARDON * threshold))
        run_strips(_reconsider, len(raw), *known, restless, raw, which, pixels_per_unit=raw.shape[1])

    def _cells(self, pixels: Pixels) -> dict[str, Any]:
        tile, lane = np.divmod(pixels[0] * self._require_started()[1] + pixels[1], _TILE)
        lanes = _TILE * np.arange(_ROWS) + lane[:, None]
        return {
            "_modes": (tile[:, None, None], np.arange(self.n_modes)[:, None], lanes[:, None]),
            "_tolerance": (tile, lane),
        }

    def background(self) -> Frame:
        shape = self._require_started()
        picture = np.empty(shape, np.uint8)
        pixels = picture.reshape(shape[0] * shape[1], -1)
        run_strips(_paint, len(self._modes), self._modes, pixels, pixels_per_unit=_TILE)
        return picture


def _described(frame: Frame) -> tuple[Frame, Mask, npt.NDArray[np.float32]]:
    """The frame with less noise, its luma, and the mean of that around each pixel."""
    smooth = cv2.GaussianBlur(frame, (3, 3), 0.6)
    luma = smooth if frame.ndim == 2 else cv2.cvtColor(smooth, cv2.COLOR_BGR2GRAY)
    return smooth, luma, cv2.boxFilter(luma, cv2.CV_32F, (7, 7))


def _is_colored(frame: Frame) -> bool:
    """Whether its colours can tell shadows from dark things: thermal and night cameras have none."""
    if frame.ndim == 2:
        return False
    sample = frame[::8, ::8]
    return float(np.mean(sample.max(axis=2) - sample.min(axis=2))) > 4


def _majority(mask: Mask, side: int) -> Mask:
    """The median of a mask of 0 and 255."""
    return cv2.threshold(cv2.blur(mask, (side, side)), 127, FOREGROUND, cv2.THRESH_BINARY)[1]


def _cleaned(raw: Mask) -> Mask:
    """Specks and gaps of up to about two pixels go, holes of up to a hundredth of the picture are filled."""
    closed = cv2.morphologyEx(_majority(raw, 5), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    contours, hierarchy = cv2.findContours(closed, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for i, contour in enumerate(contours):
        if hierarchy[0][i][3] >= 0 and cv2.contourArea(contour) < raw.size / 100:
            cv2.drawContours(closed, [contour], 0, FOREGROUND, cv2.FILLED)
    side = min(15, max(5, 2 * (min(raw.shape) // 54) + 1))
    return _majority(closed, side)
