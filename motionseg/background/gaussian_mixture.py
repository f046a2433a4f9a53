"""Adaptive Gaussian mixture with shadow detection (Zivkovic 2004; Zivkovic and van der Heijden 2006)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.background.base import BackgroundModel, Pixels
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_choice, check_integer, check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import FOREGROUND, SHADOW, Frame, Mask, Score

__all__ = ["GaussianMixture"]

# The frame is a row of tiles of _TILE pixels, and within a tile every quantity is a vector over its
# pixels, so that loops compile to SIMD. All of it lies in one flat array:
#   the first (heaviest) mode of all tiles     rows variance, mean of each channel
#   the other modes, tile by tile              the same rows, mode after mode
#   the weights, tile by tile                  a row per mode, 0 where there is none
# so that where nothing moves the first mode alone, and not even its weight, is read and written.
# Indices are unsigned, which spares a test for negative ones; the scratch of a tile is one array
# with vectors at fixed places, which spares the compiler's doubts whether vectors overlap.
_TILE = 64
_T = np.uint64(_TILE)
_0, _1, _2, _3 = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)
_BLUE, _GREEN, _RED, _D2, _HIT, _RATE, _TOTAL, _OWNER, _EXPECTED, _QUOTIENT, _SHADOW, _SCRATCH = (
    np.uint64(i * _TILE) for i in range(12)
)

# Thresholds are passed as one float32 vector: a Python float would turn the arithmetic into float64.
_ALPHA, _PRUNE, _MATCH, _GENERATE, _RATIO, _VAR_INIT, _VAR_MIN, _VAR_MAX, _TAU = range(9)


@kernel(inline=True)
def _load(frame, first, n, n_channels, s):
    """BLUE (GREEN, RED) <- the tile's n pixels; lanes behind the last pixel are 0 and so always as expected."""
    part = frame[first * n_channels : (first + n) * n_channels]
    if n < _T:
        s[: n_channels * _T] = np.float32(0)
    if n_channels == _3:
        for i in range(n):
            s[_BLUE + i] = part[_3 * i]
            s[_GREEN + i] = part[_3 * i + _1]
            s[_RED + i] = part[_3 * i + _2]
    else:
        for i in range(n):
            s[_BLUE + i] = part[i]


@kernel(inline=True)
def _match_first(state, o, n_channels, tight, s):
    """D2 <- squared distance to the mode at o, HIT <- 1 where it is below `tight` variances; return the hits."""
    hits = np.int32(0)
    for i in range(_T):
        d = s[_BLUE + i] - state[o + _T + i]
        s[_D2 + i] = d * d
    if n_channels == _3:
        for i in range(_T):
            g, r = s[_GREEN + i] - state[o + _2 * _T + i], s[_RED + i] - state[o + _3 * _T + i]
            s[_D2 + i] += g * g + r * r
    for i in range(_T):
        hit = s[_D2 + i] < tight * state[o + i]
        s[_HIT + i] = np.float32(1) if hit else np.float32(0)
        hits += np.int32(hit)
    return hits


@kernel(inline=True)
def _move(state, o, n_channels, s, var_min, var_max):
    """Move variance and mean of the mode at o by each pixel's RATE (0 where the mode does not own the pixel)."""
    for i in range(_T):
        variance, rate = state[o + i], s[_RATE + i]
        moved = variance + rate * (s[_D2 + i] - variance)
        moved = moved if moved > var_min else var_min
        state[o + i] = moved if moved < var_max else var_max
        mean = state[o + _T + i]
        state[o + _T + i] = mean + rate * (s[_BLUE + i] - mean)
    if n_channels == _3:
        for i in range(_T):
            rate, green, red = s[_RATE + i], state[o + _2 * _T + i], state[o + _3 * _T + i]
            state[o + _2 * _T + i] = green + rate * (s[_GREEN + i] - green)
            state[o + _3 * _T + i] = red + rate * (s[_RED + i] - red)


@kernel(inline=True)
def _decay(state, w, s, p):
    """The turn of a mode that owns no pixel: its weights at w shrink, TOTAL grows by them."""
    keep, prune, zero = np.float32(1) - p[_ALPHA], p[_PRUNE], np.float32(0)
    for i in range(_T):
        weight = keep * state[w + i] + prune
        weight = weight if weight >= -prune else zero  # an absent mode (0) stays absent
        state[w + i] = weight
        s[_TOTAL + i] += weight


@kernel(inline=True)
def _learn_expected(state, o, w, n_used, n_channels, s, p):
    """Learn a tile in which every pixel matched its first mode: the order of the modes cannot change."""
    alpha, prune = p[_ALPHA], p[_PRUNE]
    one = np.float32(1)
    keep = one - alpha
    if n_used == _1:  # the only weight is 1 before and, normalised, after
        usual = alpha / (keep + prune + alpha)
        for i in range(_T):
            s[_RATE + i] = usual
    else:
        for i in range(_T):
            top = keep * state[w + i] + prune + alpha
            s[_RATE + i] = alpha / top
            s[_TOTAL + i] = top
            state[w + i] = top
        for m in range(_1, n_used):
            _decay(state, w + m * _T, s, p)
        for i in range(_T):
            s[_TOTAL + i] = one / s[_TOTAL + i]
        for m in range(n_used):
            for i in range(_T):
                state[w + m * _T + i] *= s[_TOTAL + i]
    _move(state, o, n_channels, s, p[_VAR_MIN], p[_VAR_MAX])


@kernel(inline=True)
def _claim(state, o, w, m, n_channels, s, p):
    """The turn of the mode at o with weights at w: which pixels it expects or owns; return (owned now, still open)."""
    alpha, prune, ratio, match, generate = p[_ALPHA], p[_PRUNE], p[_RATIO], p[_MATCH], p[_GENERATE]
    zero, one = np.float32(0), np.float32(1)
    keep, place = one - alpha, np.float32(m)
    owned, still_open = np.int32(0), np.int32(0)
    for i in range(_T):
        d = s[_BLUE + i] - state[o + _T + i]
        s[_D2 + i] = d * d
    if n_channels == _3:
        for i in range(_T):
            g, r = s[_GREEN + i] - state[o + _2 * _T + i], s[_RED + i] - state[o + _3 * _T + i]
            s[_D2 + i] += g * g + r * r
    for i in range(_T):
        # selects of values at hand, no branches: the loop becomes SIMD
        d2, variance, before = s[_D2 + i], state[o + i], state[w + i]
        owner, total, quotient, was = s[_OWNER + i], s[_TOTAL + i], s[_QUOTIENT + i], s[_EXPECTED + i]
        present = before > zero
        open_ = present & (owner < zero)
        stable = open_ & (total < ratio)
        limit = match * variance
        distance = d2 / (d2 + limit)
        nearer = distance if distance < quotient else quotient
        s[_QUOTIENT + i] = nearer if stable else quotient
        s[_EXPECTED + i] = one if stable & (d2 < limit) else was
        fits = open_ & (d2 < generate * variance)
        weight = keep * before + prune + (alpha if fits else zero)
        weight = weight if present & (weight >= -prune) else zero
        rate = alpha / weight
        s[_RATE + i] = rate if fits else zero
        s[_OWNER + i] = place if fits else owner
        s[_TOTAL + i] = total + weight
        state[w + i] = weight
        owned += np.int32(fits)
        still_open += np.int32(open_) - np.int32(fits)
    return owned, still_open


@kernel(inline=True)
def _find_shadows(state, o, w, n_channels, s, p):
    """SHADOW <- 1 where a pixel is the darkened colour of the mode at o, if that is of the background."""
    tau, match, ratio = p[_TAU], p[_MATCH], p[_RATIO]
    zero, one = np.float32(0), np.float32(1)
    for i in range(_T):
        mean = state[o + _T + i]
        s[_RATE + i] = s[_BLUE + i] * mean
        s[_HIT + i] = mean * mean
    if n_channels == _3:
        for i in range(_T):
            green, red = state[o + _2 * _T + i], state[o + _3 * _T + i]
            s[_RATE + i] += s[_GREEN + i] * green + s[_RED + i] * red
            s[_HIT + i] += green * green + red * red
    for i in range(_T):
        a = s[_RATE + i] / s[_HIT + i]  # not a number where the mean is 0: every comparison with it is false
        d = a * state[o + _T + i] - s[_BLUE + i]
        s[_D2 + i] = d * d
        s[_RATE + i] = a
    if n_channels == _3:
        for i in range(_T):
            a = s[_RATE + i]
            g, r = a * state[o + _2 * _T + i] - s[_GREEN + i], a * state[o + _3 * _T + i] - s[_RED + i]
            s[_D2 + i] += g * g + r * r
    for i in range(_T):
        a, weight, total, was = s[_RATE + i], state[w + i], s[_TOTAL + i], s[_SHADOW + i]
        dark = (a <= one) & (a >= tau) & (s[_D2 + i] < match * state[o + i] * a * a)
        s[_SHADOW + i] = one if (weight > zero) & (total <= ratio) & dark else was
        s[_TOTAL + i] = total + weight


@kernel(inline=True)
def _mode(t, m, n_tiles, n_modes, size):
    """Offset of mode m of tile t; a mode has `size` values."""
    return t * size if m == _0 else (n_tiles + t * (n_modes - _1) + m - _1) * size


@kernel
def _sort_in(state, t, i, place, w, n_tiles, n_modes, size):
    """Move the mode at `place` of pixel i up past the lighter ones."""
    m = place
    while m > _0 and state[w + m * _T + i] >= state[w + (m - _1) * _T + i]:
        a, b = w + m * _T + i, w + (m - _1) * _T + i
        state[a], state[b] = state[b], state[a]
        a = _mode(t, m, n_tiles, n_modes, size) + i
        b = _mode(t, m - _1, n_tiles, n_modes, size) + i
        for row in range(_0, size, _T):
            state[a + row], state[b + row] = state[b + row], state[a + row]
        m -= _1


@kernel
def _make(state, t, i, w, n_tiles, n_modes, n_channels, size, s, p):
    """Give pixel i a mode of its colour, in place of its lightest one if all are in use; return its place."""
    alpha, m = p[_ALPHA], _0
    while m < n_modes - _1 and state[w + m * _T + i] > 0:
        state[w + m * _T + i] *= np.float32(1) - alpha
        m += _1
    state[w + m * _T + i] = alpha if m > _0 else np.float32(1)
    o = _mode(t, m, n_tiles, n_modes, size) + i
    state[o] = p[_VAR_INIT]
    for c in range(n_channels):
        state[o + (c + _1) * _T] = s[c * _T + i]
    return m


@kernel
def _learn_surprising(state, t, w, n_used, n_tiles, n_modes, n_channels, s, p, shadows):
    """Classify and learn a tile in which a pixel missed its first mode; return the number of modes in use."""
    size = (n_channels + _1) * _T
    zero, one = np.float32(0), np.float32(1)
    for i in range(_T):
        s[_OWNER + i] = -one
        s[_EXPECTED + i] = zero
        s[_SHADOW + i] = zero
        s[_TOTAL + i] = zero
        s[_QUOTIENT + i] = one
    still_open = np.int32(1)
    for m in range(n_used):
        o = _mode(t, m, n_tiles, n_modes, size)
        if still_open > 0:
            owned, still_open = _claim(state, o, w + m * _T, m, n_channels, s, p)
            if owned > 0:
                _move(state, o, n_channels, s, p[_VAR_MIN], p[_VAR_MAX])
        else:
            _decay(state, w + m * _T, s, p)
    surprises = np.int32(0)
    for i in range(_T):
        inverse = one / s[_TOTAL + i]
        s[_TOTAL + i] = inverse if s[_TOTAL + i] > zero else zero
        surprises += np.int32(s[_EXPECTED + i] == zero)
    for m in range(n_used):
        for i in range(_T):
            state[w + m * _T + i] *= s[_TOTAL + i]
    if shadows and surprises > 0:
        for i in range(_T):
            s[_TOTAL + i] = zero
        for m in range(n_used):
            _find_shadows(state, _mode(t, m, n_tiles, n_modes, size), w + m * _T, n_channels, s, p)
    if p[_ALPHA] > zero:
        for i in range(_T):
            owner = s[_OWNER + i]
            if owner != zero:
                if owner < zero:
                    m = _make(state, t, i, w, n_tiles, n_modes, n_channels, size, s, p)
                    n_used = max(n_used, m + _1)
                else:
                    m = np.uint64(owner)
                _sort_in(state, t, i, m, w, n_tiles, n_modes, size)
    return n_used


@kernel
def _step(start, stop, state, used, frame, mask, score, p, n_modes, n_channels, shadows):
    """Tiles start .. stop: classify `frame` into `mask` and `score` (flat), and learn (unless alpha is 0)."""
    n_modes, n_channels = np.uint64(n_modes), np.uint64(n_channels)
    n_tiles, n_pixels = np.uint64(used.shape[0]), np.uint64(mask.shape[0])
    size = (n_channels + _1) * _T
    weights = n_tiles * n_modes * size
    s = np.zeros(_SCRATCH, np.float32)
    spare = np.empty(n_modes * (size + _T), np.float32)
    frozen, match, tight = p[_ALPHA] == 0, p[_MATCH], min(p[_MATCH], p[_GENERATE])
    zero, half, below = np.float32(0), np.float32(0.5), np.float32(0.49999997)
    for t in range(np.uint64(start), np.uint64(stop)):
        o, w, n_used = t * size, weights + t * n_modes * _T, np.uint64(used[t])
        first = t * _T
        n = min(_T, n_pixels - first)
        out, scores = mask[first : first + n], score[first : first + n]
        _load(frame, first, n, n_channels, s)
        if _match_first(state, o, n_channels, tight, s) == _TILE:
            out[:] = 0
            for i in range(n):
                quotient = s[_D2 + i] / (s[_D2 + i] + match * state[o + i])
                scores[i] = quotient if quotient < below else below
            if not frozen:
                _learn_expected(state, o, w, n_used, n_channels, s, p)
            continue
        if frozen:  # the same steps on a copy
            spare[:size] = state[o : o + size]
            rest = n_tiles * size + t * (n_modes - _1) * size
            spare[size : n_modes * size] = state[rest : rest + (n_modes - _1) * size]
            spare[n_modes * size :] = state[w : w + n_modes * _T]
            _learn_surprising(spare, _0, n_modes * size, n_used, _1, n_modes, n_channels, s, p, shadows)
        else:
            n_used = _learn_surprising(state, t, w, n_used, n_tiles, n_modes, n_channels, s, p, shadows)
            while n_used > _1:
                heaviest = zero
                for i in range(_T):
                    weight = state[w + (n_used - _1) * _T + i]
                    heaviest = weight if weight > heaviest else heaviest
                if heaviest > zero:
                    break
                n_used -= _1
            used[t] = n_used
        for i in range(n):
            quotient, expected, shadow = s[_QUOTIENT + i], s[_EXPECTED + i] > zero, s[_SHADOW + i] > zero
            low = quotient if quotient < below else below
            high = quotient if quotient > half else half
            surprising = half * quotient if shadow else high
            scores[i] = low if expected else surprising
            label = np.uint8(SHADOW) if shadow else np.uint8(FOREGROUND)
            out[i] = np.uint8(0) if expected else label


class GaussianMixture(BackgroundModel):
    """Every pixel is a mixture of up to `n_components` Gaussians whose number adapts; knows shadows.

    The same model and defaults as OpenCV's ``BackgroundSubtractorMOG2``, at a multiple of its speed
    where little moves, and with score, state and exact freezing. A good first choice for a fixed camera.

    Parameters
    ----------
    history : int, at least 1
        Frames that the model looks back on; the automatic learning rate is
        ``1 / min(2 * frames, history)``.
    threshold : float, above 0
        A pixel is background within this squared Mahalanobis distance of a background mode (the
        paper's T_b; OpenCV's varThreshold).
    detect_shadows : bool
        Label cast shadows 127; else they are foreground.
    n_components : int in [1, 16]
        Most modes per pixel.
    background_ratio : float in (0, 1]
        Modes that hold this share of the weight are background (the paper's T_B).
    generate_threshold : float, above 0
        A pixel farther than this squared Mahalanobis distance from every mode makes a new one (T_g).
    var_init, var_min, var_max : float, above 0
        Variance of a new mode, and its limits, in squared grey levels summed over channels.
    complexity_reduction : float in [0, 1)
        Prior against many modes (the paper's c_T).
    shadow_threshold : float in (0, 1]
        A shadow is not darker than this share of the background (the paper's tau).

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    Memory: 20 bytes a mode and BGR pixel (100 at five modes), all allocated at the first frame.
    Cannot tell a light switch from motion, nor follow a background that sways farther than its modes.
    Against OpenCV: the first frame is background (there: shadow), and a pixel is not taken for a shadow
    of the mode that it has just made itself; docs/results.md has the measured agreement.

    References
    ----------
    Z. Zivkovic, Improved adaptive Gaussian mixture model for background subtraction, ICPR 2004,
    doi:10.1109/ICPR.2004.1333992. Z. Zivkovic, F. van der Heijden, Efficient adaptive density
    estimation per image pixel for the task of background subtraction, Pattern Recognition Letters
    27 (2006), doi:10.1016/j.patrec.2005.11.005. Shadows: A. Prati et al., Detecting moving shadows,
    PAMI 25 (2003), doi:10.1109/TPAMI.2003.1206520.

    Examples
    --------
    >>> model = GaussianMixture(history=100)
    >>> empty = np.full((4, 6, 3), 90, np.uint8)
    >>> for _ in range(20):
    ...     mask = model.apply(empty)
    >>> frame = empty.copy()
    >>> frame[1:3, 2:4] = 250
    >>> model.apply(frame)
    array([[  0,   0,   0,   0,   0,   0],
           [  0,   0, 255, 255,   0,   0],
           [  0,   0, 255, 255,   0,   0],
           [  0,   0,   0,   0,   0,   0]], dtype=uint8)
    """

    info = ModelInfo(
        paper="Zivkovic 2004, Improved adaptive Gaussian mixture model for background subtraction, "
        "doi:10.1109/ICPR.2004.1333992",
        speed="very fast",
        good_at="the first choice for a fixed camera: sensor noise, slow light changes, some swaying; labels shadows",
    )
    _arrays = ("_mixture", "_used")

    def __init__(
        self,
        *,
        history: int = 500,
        threshold: float = 16.0,
        detect_shadows: bool = True,
        n_components: int = 5,
        background_ratio: float = 0.9,
        generate_threshold: float = 9.0,
        var_init: float = 15.0,
        var_min: float = 4.0,
        var_max: float = 75.0,
        complexity_reduction: float = 0.05,
        shadow_threshold: float = 0.5,
    ) -> None:
        self.history = check_integer("history", history, 1)
        self.threshold = check_number("threshold", threshold, 0, above=True)
        self.detect_shadows = check_choice("detect_shadows", detect_shadows, (True, False))
        self.n_components = check_integer("n_components", n_components, 1, 16)
        self.background_ratio = check_number("background_ratio", background_ratio, 0, 1, above=True)
        self.generate_threshold = check_number("generate_threshold", generate_threshold, 0, above=True)
        self.var_min = check_number("var_min", var_min, 0, above=True)
        self.var_max = check_number("var_max", var_max, self.var_min)
        self.var_init = check_number("var_init", var_init, self.var_min, self.var_max)
        self.complexity_reduction = check_number("complexity_reduction", complexity_reduction, 0, 0.999)
        self.shadow_threshold = check_number("shadow_threshold", shadow_threshold, 0, 1, above=True)

    def _start(self, frame: Frame) -> None:
        n_pixels, n_channels = frame.shape[0] * frame.shape[1], 1 if frame.ndim == 2 else 3
        n_tiles, n_rows = -(-n_pixels // _TILE), 1 + n_channels
        self._mixture = np.zeros(n_tiles * self.n_components * (n_rows + 1) * _TILE, np.float32)
        self._used = np.ones(n_tiles, np.uint8)
        first, _, weights = self._views(self._mixture)
        colors = np.zeros((n_tiles * _TILE, n_channels), np.float32)
        colors[:n_pixels] = frame.reshape(n_pixels, n_channels)
        first[:, 0], first[:, 1:] = self.var_init, colors.reshape(n_tiles, _TILE, n_channels).transpose(0, 2, 1)
        weights[:, 0] = 1

    def _views(self, flat: npt.NDArray[Any]) -> tuple[Any, Any, Any]:
        """`flat` as first modes (tiles, rows, T), other modes (tiles, K - 1, rows, T), weights (tiles, K, T)."""
        n_tiles, n_modes = len(self._used), self.n_components
        n_rows = flat.size // (n_tiles * n_modes * _TILE) - 1
        cut, end = n_tiles * n_rows * _TILE, n_tiles * n_modes * n_rows * _TILE
        first = flat[:cut].reshape(n_tiles, n_rows, _TILE)
        others = flat[cut:end].reshape(n_tiles, n_modes - 1, n_rows, _TILE)
        return first, others, flat[end:].reshape(n_tiles, n_modes, _TILE)

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        if self._frames_seen == 0:  # the first frame is all the model knows: nothing in it is foreground
            score[:] = 0
            return
        alpha = learning_rate
        if alpha is None:
            alpha = 1 / min(2 * (self._frames_seen + 1), self.history)
        p = np.empty(9, np.float32)
        p[[_ALPHA, _PRUNE]] = alpha, -alpha * self.complexity_reduction
        p[[_MATCH, _GENERATE, _RATIO]] = self.threshold, self.generate_threshold, self.background_ratio
        p[[_VAR_INIT, _VAR_MIN, _VAR_MAX, _TAU]] = self.var_init, self.var_min, self.var_max, self.shadow_threshold
        arrays = (self._mixture, self._used, frame.reshape(-1), mask.reshape(-1), score.reshape(-1))
        numbers = (p, self.n_components, 1 if frame.ndim == 2 else 3, self.detect_shadows)
        run_strips(_step, len(self._used), *arrays, *numbers, pixels_per_unit=_TILE)

    def background(self) -> Frame:
        shape = self._require_started()
        first, _, _ = self._views(self._mixture)
        colors = first[:, 1:].transpose(0, 2, 1).reshape(-1, first.shape[1] - 1)[: shape[0] * shape[1]]
        return np.rint(colors).clip(0, 255).astype(np.uint8).reshape(shape)

    def _cells(self, pixels: Pixels) -> dict[str, Any]:
        tile, lane = np.divmod(np.ravel_multi_index(pixels, self._require_started()[:2]), _TILE)
        places = self._views(np.arange(self._mixture.size))
        return {
            "_mixture": np.concatenate(
                [v[tile, ..., lane].reshape(len(tile), math.prod(v.shape[1:-1])) for v in places], axis=1
            )
        }

    def _restored(self, pixels: Pixels) -> None:
        tiles = np.unique(np.ravel_multi_index(pixels, self._require_started()[:2]) // _TILE)
        _, _, weights = self._views(self._mixture)
        self._used[tiles] = (weights[tiles] > 0).any(axis=2).sum(axis=1)
