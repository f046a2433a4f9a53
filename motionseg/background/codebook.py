"""Codebook: every pixel keeps the few colours, each with a range of brightness, that come back (Kim et al. 2005)."""

from __future__ import annotations

from typing import Any

import numpy as np

from motionseg.background.base import BackgroundModel, Pixels
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Frame, Mask, Score

__all__ = ["Codebook"]

# The book has shape (word, tile, field, pixel of the tile), all 16 bits: within a tile of 64 pixels every field of a
# word is a plain vector, and the first words of all tiles, which suffice where nothing moves, lie together.
_TILE = 64

# Fields of a word behind its mean colour: range of brightness, frames for which it has been known, and the last of them
# in which it was met.
_DARKEST, _BRIGHTEST, _AGE, _LAST = range(4)
_FIELDS = 4

_COLOR_UNIT, _BRIGHTNESS_UNIT = 128, 64  # a grey level in the fields' fixed point
_SHRINKING = 164  # of 32768: the share by which the range of brightness narrows in a frame
_EVERY = 4  # a tile in which nothing is new learns every so many frames
_TURN = 32  # a tile is tidied up every so many frames
_LONGEST = 32767  # absences that 16 bits can tell apart for sure

# Places in the vector of numbers that kernels get.
_THRESHOLD, _SHADOW, _HIGHLIGHT, _RATE, _PATIENCE, _STEP, _HISTORY, _ABSENCE = range(8)


@kernel(allocates=False)
def _load(pixels, first, n, x, brightness, level):
    """x (C, T) <- n pixels from `first` on, brightness (T) <- their norms, level (T) <- the same in fixed point.

    Lanes behind the last pixel are 0.
    """
    n_channels = x.shape[0]
    part = pixels[first * n_channels : (first + n) * n_channels]
    for c in range(n_channels if n < _TILE else 0):
        for i in range(n, _TILE):
            x[c, i] = 0
    if n_channels == 3:
        blue, green, red = x[0], x[1], x[2]
        for i in range(n):
            blue[i], green[i], red[i] = part[3 * i], part[3 * i + 1], part[3 * i + 2]
        for i in range(_TILE):
            b, g, r = np.float32(blue[i]), np.float32(green[i]), np.float32(red[i])
            brightness[i] = np.sqrt(b * b + g * g + r * r)
    else:
        grey = x[0]
        for i in range(n):
            grey[i] = part[i]
        for i in range(_TILE):
            brightness[i] = grey[i]
    for i in range(_TILE):
        level[i] = np.int32(brightness[i] * np.float32(_BRIGHTNESS_UNIT) + np.float32(0.5))


@kernel(allocates=False)
def _compare(x, brightness, word, numbers, quotient):
    """quotient (T) <- d / (d + 1), with d how far each pixel is from the word, 1 being just too far."""
    n_channels, unit = x.shape[0], np.float32(_BRIGHTNESS_UNIT)
    darkest, brightest = word[n_channels + _DARKEST], word[n_channels + _BRIGHTEST]
    shadow, highlight, inverse = numbers[_SHADOW], numbers[_HIGHLIGHT], np.float32(1) / numbers[_SHADOW]
    slack, square = np.float32(unit * numbers[_THRESHOLD]), np.float32(numbers[_THRESHOLD] * numbers[_THRESHOLD])
    zero, two, least = np.float32(0), np.float32(2), np.float32(_COLOR_UNIT * _COLOR_UNIT)
    if n_channels == 3:
        blue, green, red = x[0], x[1], x[2]
        mean_blue, mean_green, mean_red = word[0], word[1], word[2]
    else:
        blue = green = red = x[0]
        mean_blue = mean_green = mean_red = word[0]
    for i in range(_TILE):
        bright = np.float32(brightest[i])
        low = shadow * bright - slack
        high = min(highlight * bright, inverse * np.float32(darkest[i])) + slack
        away, room = abs(two * unit * brightness[i] - (low + high)), high - low
        if n_channels == 3:
            b, g, r = np.float32(mean_blue[i]), np.float32(mean_green[i]), np.float32(mean_red[i])
            dot = np.float32(blue[i]) * b + np.float32(green[i]) * g + np.float32(red[i]) * r
            norm = max(b * b + g * g + r * r, least)
            # The squared distance from the ray through the word's colour, and what is allowed, both times the norm.
            off, allowed = max(brightness[i] * brightness[i] * norm - dot * dot, zero), square * norm
            color_counts = off * room > away * allowed
            away = off if color_counts else away
            room = allowed if color_counts else room
        quotient[i] = away / (away + room)


@kernel(allocates=False)
def _share_of(difference, share):
    """`share` (32768: all) of an int16."""
    return np.int16((np.int32(difference) * np.int32(share)) >> np.int32(15))


@kernel(allocates=False)
def _follow(x, level, word, met, now, frames, numbers):
    """The word learns the pixels where `met` is not 0, as if each of so many frames had shown them."""
    n_channels = x.shape[0]
    darkest, brightest = word[n_channels + _DARKEST], word[n_channels + _BRIGHTEST]
    age, last = word[n_channels + _AGE], word[n_channels + _LAST]
    rate = np.int16(min(frames * numbers[_RATE], np.float32(32767)))
    step, history = numbers[_STEP], numbers[_HISTORY]
    shrinking = np.int16(frames * _SHRINKING)
    for c in range(n_channels):
        mean, value = word[c], x[c]
        for i in range(_TILE):
            m = mean[i]
            d = np.int16(np.int16(np.int16(value[i]) * np.int16(_COLOR_UNIT)) - m)
            moved = np.int16(m + _share_of(d, rate))
            mean[i] = moved if met[i] != 0 else m
    for i in range(_TILE):
        dark = darkest[i]
        above = np.int16(level[i] - dark)
        new = np.int16(dark + (above if above < 0 else _share_of(above, shrinking)))
        darkest[i] = new if met[i] != 0 else dark
    for i in range(_TILE):
        bright = brightest[i]
        below = np.int16(bright - level[i])
        new = np.int16(bright - (below if below < 0 else _share_of(below, shrinking)))
        brightest[i] = new if met[i] != 0 else bright
    for i in range(_TILE):
        older = np.float32(age[i]) + step * np.float32(np.uint16(now - last[i]))
        age[i] = np.int32(min(older, history)) if met[i] != 0 else age[i]
    for i in range(_TILE):
        last[i] = now if met[i] != 0 else last[i]


@kernel(allocates=False)
def _write(x, level, word, i, now, step):
    """Pixel i of the tile becomes the word."""
    n_channels = x.shape[0]
    for c in range(n_channels):
        word[c, i] = np.int16(x[c, i]) * _COLOR_UNIT
    word[n_channels + _DARKEST, i] = word[n_channels + _BRIGHTEST, i] = level[i]
    word[n_channels + _AGE, i], word[n_channels + _LAST, i] = step, now


@kernel(allocates=False)
def _tidy(book, tile, age, now, absence):
    """Forget the words of the tile that stay away, and let the one known for longest be the first."""
    n_fields, last, others = book.shape[2], age + 1, np.int16(0)
    for k in range(1, book.shape[0]):
        ages = book[k, tile, age]
        for i in range(_TILE):
            others |= ages[i]
    for i in range(_TILE if others else 0):
        most = 0  # the number of the word known for longest
        for k in range(1, book.shape[0]):
            if book[k, tile, age, i] > book[most, tile, age, i]:
                most = k
        if most > 0:
            for f in range(n_fields):
                other = book[0, tile, f, i]
                book[0, tile, f, i] = book[most, tile, f, i]
                book[most, tile, f, i] = other
        for k in range(1, book.shape[0]):
            if np.uint16(now - book[k, tile, last, i]) > max(book[k, tile, age, i], absence):
                book[k, tile, age, i] = 0
    for i in range(_TILE):
        if np.uint16(now - book[0, tile, last, i]) > _LONGEST:
            book[0, tile, last, i] = now - _LONGEST


@kernel(allocates=False)
def _judge(start, stop, book, pixels, mask, score, numbers, now, every, x, brightness, level, floats, marks):
    """The work of :func:`_step`, in scratch of its own."""
    n_words, n_channels, learn = book.shape[0], x.shape[0], every > 0
    quotient, spare, known, candidate, met = floats[0], floats[1], marks[0], marks[1], marks[2]
    patience, step = np.int16(numbers[_PATIENCE]), np.int16(numbers[_STEP])
    zero, one, half = np.uint8(0), np.float32(1), np.float32(0.5)
    for tile in range(start, stop):
        first = tile * _TILE
        n = min(_TILE, mask.shape[0] - first)
        nearest = score[first : first + n] if n == _TILE else spare
        _load(pixels, first, n, x, brightness, level)
        age = book[0, tile, n_channels + _AGE]
        _compare(x, brightness, book[0, tile], numbers, nearest)
        strangers = zero
        for i in range(_TILE):
            is_known = (nearest[i] < half) & (age[i] >= patience)
            met[i] = is_known
            strangers |= np.uint8(not is_known)
        if strangers == 0:  # most tiles, where nothing moves
            if learn and (tile + now) % every == 0:
                _follow(x, level, book[0, tile], met, now, every, numbers)
        else:
            # The number of the word that each pixel meets, plus one: background words before candidates.
            for i in range(_TILE):
                is_candidate = (nearest[i] < half) & (age[i] < patience) & (age[i] > 0)
                known[i], candidate[i] = met[i], np.uint8(is_candidate)
                nearest[i] = nearest[i] if age[i] >= patience else one
            for k in range(1, n_words):
                age, number, any_asks = book[k, tile, n_channels + _AGE], np.uint8(k + 1), zero
                for i in range(_TILE):
                    asks = np.uint8((age[i] > 0) & (known[i] == zero))
                    met[i] = asks
                    any_asks |= asks
                if any_asks == 0:
                    continue
                _compare(x, brightness, book[k, tile], numbers, quotient)
                for i in range(_TILE):
                    near, is_background, is_open = quotient[i] < half, age[i] >= patience, known[i] == zero
                    nearest[i] = min(nearest[i], quotient[i]) if is_background & is_open else nearest[i]
                    known[i] = number if near & is_background & is_open else known[i]
                for i in range(_TILE):
                    is_candidate = (quotient[i] < half) & (age[i] < patience) & (age[i] > 0)
                    candidate[i] = number if is_candidate & (candidate[i] == zero) else candidate[i]
            if learn:
                for i in range(_TILE):
                    known[i] = candidate[i] if known[i] == zero else known[i]
                for k in range(n_words):
                    number, any_met = np.uint8(k + 1), zero
                    for i in range(_TILE):
                        is_met = np.uint8(known[i] == number)
                        met[i] = is_met
                        any_met |= is_met
                    if any_met:
                        _follow(x, level, book[k, tile], met, now, 1, numbers)
                for i in range(n):
                    if known[i] == zero:
                        weakest, least = 0, book[0, tile, n_channels + _AGE, i]
                        for k in range(1, n_words):
                            if book[k, tile, n_channels + _AGE, i] < least:
                                weakest, least = k, book[k, tile, n_channels + _AGE, i]
                        if least < patience:
                            _write(x, level, book[weakest, tile], i, now, step)
        decision = mask[first : first + n]
        for i in range(n):
            decision[i] = 255 if nearest[i] >= half else 0
        if n < _TILE:
            for i in range(n):
                score[first + i] = nearest[i]
        if learn and (tile + now) % _TURN == 0:
            _tidy(book, tile, n_channels + _AGE, now, np.int16(numbers[_ABSENCE]))


@kernel
def _step(start, stop, book, pixels, mask, score, numbers, now, every):
    """Tiles start .. stop: classify, then learn, in quiet tiles only in one of `every` frames (0: never, anywhere).

    Pixels, mask and score are flat.
    """
    x = np.empty((pixels.shape[0] // mask.shape[0], _TILE), np.uint8)
    brightness, level = np.empty(_TILE, np.float32), np.empty(_TILE, np.int16)
    floats, marks = np.empty((2, _TILE), np.float32), np.empty((3, _TILE), np.uint8)
    _judge(start, stop, book, pixels, mask, score, numbers, now, every, x, brightness, level, floats, marks)


class Codebook(BackgroundModel):
    """Foreground is what no lasting colour of its pixel explains, each taken at any brightness in a range of its own.

    Colour and brightness are judged apart, so that faint shadows and light that wavers remain background.

    Parameters
    ----------
    n_words : int in [2, 255]
        Most words, that is colours with a range of brightness, of a pixel; candidates included.
    threshold : float in (0, 255]
        A colour matches a word within this distance, in grey levels (epsilon); ranges of brightness are wider by it.
    shadow : float in (0, 1]
        A word may be darkened to this share of the brightest it was (alpha).
    highlight : float in [1, 10]
        A word may be brightened to this multiple of the brightest it was (beta).
    patience : int in [1, 30000]
        Frames after which a new word that keeps coming back is background (T_add).
    absence : int in [1, 30000]
        A word is forgotten that stays away for more frames than this, and than it was known for (T_H, T_delete).
    history : int in [patience, 30000]
        Most frames that a word is credited with.
    learning_rate : float in (0, 1]
        Share of the frame in the colour of a word that it matches.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    A word is a mean colour v, the darkest and the brightest that it was, I_min and I_max, and the frames for which it
    has been known. A pixel x of brightness abs(x) matches it where, with t the threshold,

    - abs(x)^2 - (x.v)^2 / v^2 < t^2: it is near the ray from black through v; without colours, always;
    - shadow I_max - t < abs(x) < min(highlight I_max, I_min / shadow) + t.

    The first word that matches learns the pixel, those that are background before candidates. A pixel is foreground
    where no background word matches. If none does at all, a candidate is made of it, in place of the youngest. The word
    known for longest is never forgotten, and is the picture of the background.

    Against the paper: training never ends, since every word goes through the paper's cache of candidates; colours are
    fading means; ranges of brightness narrow by 0.5 % a frame, and are wider by t, since dark pixels have next to none;
    where a tile of 64 pixels holds nothing new it learns in one of four frames, then for all four.

    A learning rate r given to :meth:`apply` replaces `learning_rate`, and makes candidates background in 1 / r frames
    if that is sooner. The score is d / (d + 1) for the nearest background word, d being 1 where a pixel just matches no
    more: a quotient of squared distances from the ray, or of those from the middle of the range of brightness.

    Memory: 70 bytes a BGR pixel, 50 a grey one (2 n_words (channels + 4)). Objects that are but a little darker or
    brighter than what they cover are missed, in grey pictures above all.

    References
    ----------
    K. Kim, T. Chalidabhongse, D. Harwood, L. Davis, Real-time foreground-background segmentation using codebook model,
    Real-Time Imaging 11 (2005), doi:10.1016/j.rti.2004.12.004.

    Examples
    --------
    >>> model = Codebook()
    >>> wall = np.full((1, 3, 3), (80, 120, 160), np.uint8)
    >>> mask = model.apply(wall)
    >>> frame = wall.copy()
    >>> frame[0, 1], frame[0, 2] = (72, 108, 144), (160, 120, 80)  # in shadow; another colour, as bright
    >>> model.apply(frame)
    array([[  0,   0, 255]], dtype=uint8)
    """

    info = ModelInfo(
        paper="Kim, Chalidabhongse, Harwood, Davis 2005, Real-time foreground-background segmentation using codebook "
        "model, doi:10.1016/j.rti.2004.12.004",
        speed="fast",
        good_at="backgrounds of several colours, light that wavers, faint shadows",
    )
    _arrays = ("_book",)

    def __init__(
        self,
        *,
        n_words: int = 5,
        threshold: float = 20.0,
        shadow: float = 0.8,
        highlight: float = 1.2,
        patience: int = 300,
        absence: int = 50,
        history: int = 1000,
        learning_rate: float = 0.02,
    ) -> None:
        self.n_words = check_integer("n_words", n_words, 2, 255)
        self.threshold = check_number("threshold", threshold, 0, 255, above=True)
        self.shadow = check_number("shadow", shadow, 0, 1, above=True)
        self.highlight = check_number("highlight", highlight, 1, 10)
        self.patience = check_integer("patience", patience, 1, 30_000)
        self.absence = check_integer("absence", absence, 1, 30_000)
        self.history = check_integer("history", history, self.patience, 30_000)
        self.learning_rate = check_number("learning_rate", learning_rate, 0, 1, above=True)

    def _start(self, frame: Frame) -> None:
        n_pixels, n_channels = frame.shape[0] * frame.shape[1], 1 if frame.ndim == 2 else 3
        n_tiles = -(-n_pixels // _TILE)
        first = np.zeros((n_tiles * _TILE, n_channels + _FIELDS), np.int16)
        first[:, n_channels + _AGE] = self.patience
        first[:, n_channels + _LAST] = self._now()
        colors = frame.reshape(n_pixels, n_channels).astype(np.float32)
        first[:n_pixels, :n_channels] = colors * _COLOR_UNIT
        norms = np.sqrt((colors**2).sum(axis=1)) * _BRIGHTNESS_UNIT
        first[:n_pixels, n_channels : n_channels + 2] = np.rint(norms)[:, None]
        self._book = np.zeros((self.n_words, n_tiles, n_channels + _FIELDS, _TILE), np.int16)
        self._book[0] = first.reshape(n_tiles, _TILE, -1).transpose(0, 2, 1)

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        rate, step = self.learning_rate, 1
        if learning_rate:
            rate, step = learning_rate, max(1, round(learning_rate * self.patience))
        limits = (self.threshold, self.shadow, self.highlight)
        numbers = np.array([*limits, round(32767 * rate), self.patience, step, self.history, self.absence], np.float32)
        flat = (frame.reshape(-1), mask.reshape(-1), score.reshape(-1))
        every = _EVERY if learning_rate is None else int(learning_rate > 0)
        arguments = (self._book, *flat, numbers, self._now(), every)
        run_strips(_step, self._book.shape[1], *arguments, pixels_per_unit=_TILE)

    def _now(self) -> np.int16:
        """The number of the frame, as 16 bits go round."""
        return np.int16((self._frames_seen + 32768) % 65536 - 32768)

    def _cells(self, pixels: Pixels) -> dict[str, Any]:
        tile, lane = np.divmod(pixels[0] * self._require_started()[1] + pixels[1], _TILE)
        words, fields = np.arange(self.n_words)[:, None], np.arange(self._book.shape[2])
        return {"_book": (words, tile[:, None, None], fields, lane[:, None, None])}

    def background(self) -> Frame:
        shape = self._require_started()
        n_channels = 1 if len(shape) == 2 else 3
        colors = self._book[0, :, :n_channels].transpose(0, 2, 1).reshape(-1, n_channels)
        return np.rint(colors[: shape[0] * shape[1]] / np.float32(_COLOR_UNIT)).astype(np.uint8).reshape(shape)
