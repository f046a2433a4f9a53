"""Eigenbackground: the ways in which the whole scene changes at once, as principal components (Oliver et al. 2000)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionseg.background.base import BackgroundModel, Pixels
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import FOREGROUND, Frame, Mask, Score

__all__ = ["Eigenbackground"]

Floats = npt.NDArray[np.float32]

_ROUNDS = 5  # of finding coefficients and outliers in turns
_SPARSE = 7  # in large frames coefficients are found from one value in so many
_LARGE = 65536
_TILE = 512


@kernel
def _compare(start, stop, mean, components, shares, pixels, x, mask, score, limit):
    """Tiles start .. stop (all flat): classify, and put into `x` what deviates from the mean, outliers cut off."""
    n_channels, half, below = pixels.shape[0] // mask.shape[0], np.float32(0.5), np.float32(0.49999997)
    rest, distance = np.empty(3 * _TILE, np.float32), np.empty(_TILE, np.float32)
    for tile in range(start, stop):
        first = tile * _TILE
        n = min(_TILE, mask.shape[0] - first)
        part = slice(n_channels * first, n_channels * (first + n))
        value, average, inlier = pixels[part], mean[part], x[part]
        for i in range(n_channels * n):
            inlier[i] = np.float32(value[i]) - average[i]
            rest[i] = inlier[i]
        for k in range(shares.shape[0]):
            component, share = components[k, part], shares[k]
            for i in range(n_channels * n):
                rest[i] -= share * component[i]
        for i in range(n):
            d = np.float32(0)
            for c in range(n_channels):
                d = max(d, abs(rest[n_channels * i + c]))
            distance[i] = d
        for i in range(n_channels * n):
            inlier[i] -= rest[i] - min(max(rest[i], -limit), limit)
        decision, scores = mask[first : first + n], score[first : first + n]
        for i in range(n):
            quotient = distance[i] / (distance[i] + limit)
            decision[i] = FOREGROUND if distance[i] > limit else 0
            scores[i] = max(quotient, half) if distance[i] > limit else min(quotient, below)


@kernel
def _follow(start, stop, mean, components, x, rate, keep, gain, leave):
    """Tiles start .. stop (all flat): the mean follows `x`, and each component what those before it leave of that."""
    for tile in range(start, stop):
        part = slice(tile * _TILE, min((tile + 1) * _TILE, x.shape[0]))
        average, rest = mean[part], x[part]
        for i in range(rest.shape[0]):
            average[i] += rate * rest[i]
        for k in range(keep.shape[0]):
            component, kept, gained, left = components[k, part], keep[k], gain[k], leave[k]
            for i in range(rest.shape[0]):
                v = component[i]
                component[i] = kept * v + gained * rest[i]
                rest[i] -= left * v


class Eigenbackground(BackgroundModel):
    """Foreground is what no mixture of a few learned pictures of the whole scene explains.

    For light that comes back: day and clouds, doors, lamps. Learns online, and is not misled by what moves.

    Parameters
    ----------
    n_components : int in [1, 20]
        Pictures (eigenvectors) beside the mean (M).
    threshold : float in (0, 255]
        Foreground where a channel differs by more than this from what is expected, in grey levels.
    learning_rate : float in (0, 1]
        Share of a frame in mean and components. The first frames get 1/2, 1/3, ... until that falls below it.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    With z the frame as one vector, m the mean and V the components, at length 1, the expected picture is m + V c.
    Coefficients c and outliers e are found in turns, five times:

        c = argmin |z - e - m - V c|^2,    e = soft(z - m - V c),

    where soft cuts `threshold` off from each value, and values between are 0. Then m and V follow the frame without
    its outliers, x = z - e - m: m += a x, and, component by component,

        v += a ((x . v / |v|) x - v),    x -= (x . v / |v|) v / |v|,

    which makes v the eigenvectors of the covariance, and their lengths its eigenvalues. What is foreground so moves the
    mean by a `threshold` in a frame at most. The score is d / (d + threshold) for the largest difference d.

    Oliver et al. find V from a batch of frames; here it is followed online (Weng et al.), and coefficients are as in
    online robust PCA (Feng et al.).

    Memory: 48 bytes a BGR pixel, 16 a grey one (4 (n_components + 1) a channel). Does not know shadows. What
    sways is no change of the whole scene: a few components do not know it.

    References
    ----------
    N. Oliver, B. Rosario, A. Pentland, A Bayesian computer vision system for modeling human interactions, IEEE
    Transactions on Pattern Analysis and Machine Intelligence 22 (2000), doi:10.1109/34.868684.
    J. Feng, H. Xu, S. Yan, Online robust PCA via stochastic optimization, NIPS 2013.
    J. Weng, Y. Zhang, W. Hwang, Candid covariance-free incremental principal component analysis, IEEE Transactions on
    Pattern Analysis and Machine Intelligence 25 (2003), doi:10.1109/TPAMI.2003.1217609.

    Examples
    --------
    >>> model, wall = Eigenbackground(), np.linspace(80, 120, 100).reshape(1, 100)
    >>> for i in range(60):
    ...     mask = model.apply((wall * (1 + 0.5 * np.sin(i))).astype(np.uint8))  # light comes and goes
    >>> frame = (wall * 1.4).astype(np.uint8)
    >>> frame[0, 2] = 60
    >>> model.apply(frame)[0, :5]
    array([  0,   0, 255,   0,   0], dtype=uint8)
    """

    info = ModelInfo(
        paper="Oliver, Rosario, Pentland 2000, A Bayesian computer vision system for modeling human interactions, "
        "doi:10.1109/34.868684; online and robust as Feng, Xu, Yan 2013, Online robust PCA via stochastic optimization",
        speed="medium",
        good_at="light that comes and goes over the whole scene",
    )
    _arrays = ("_mean", "_components", "_coefficients")
    _global_arrays = ("_coefficients",)

    def __init__(self, *, n_components: int = 3, threshold: float = 25.0, learning_rate: float = 0.01) -> None:
        self.n_components = check_integer("n_components", n_components, 1, 20)
        self.threshold = check_number("threshold", threshold, 0, 255, above=True)
        self.learning_rate = check_number("learning_rate", learning_rate, 0, 1, above=True)

    def _start(self, frame: Frame) -> None:
        self._mean = frame.astype(np.float32)
        self._components = np.zeros((self.n_components, *frame.shape), np.float32)
        self._coefficients = np.zeros(self.n_components, np.float32)

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        flat, mean, components = frame.reshape(-1), self._mean.reshape(-1), self._flat()
        gram = (components @ components.T).astype(np.float64)
        lengths = np.sqrt(np.diag(gram))
        lengths[lengths == 0] = 1  # of those not born yet
        step = _SPARSE if flat.size >= _LARGE else 1
        basis = components[:, ::step] / lengths[:, None].astype(np.float32)
        coefficients = self._explain(flat[::step] - mean[::step], basis)
        x, shares, limit = np.empty_like(mean), (coefficients / lengths).astype(np.float32), np.float32(self.threshold)
        flat_masks = (mask.reshape(-1), score.reshape(-1))
        n_tiles = -(-mask.size // _TILE)
        run_strips(_compare, n_tiles, mean, components, shares, flat, x, *flat_masks, limit, pixels_per_unit=_TILE)
        if learning_rate == 0:
            return
        rate = max(self.learning_rate, 1 / (self._frames_seen + 1)) if learning_rate is None else learning_rate
        turns = self._turns(components @ x, gram, lengths, rate)
        n_tiles = -(-flat.size // _TILE)
        run_strips(_follow, n_tiles, mean, components, x, np.float32(rate), *turns, pixels_per_unit=_TILE // 2)
        self._coefficients = coefficients.astype(np.float32)

    def _flat(self) -> Floats:
        return self._components.reshape(self.n_components, -1)

    def _explain(self, deviation: Floats, basis: Floats) -> npt.NDArray[np.float64]:
        """Coefficients of the basis (components, n) for a deviation (n) with outliers."""
        gram = (basis @ basis.T).astype(np.float64) + 1e-6 * np.eye(self.n_components)
        inliers = deviation
        for _ in range(_ROUNDS):
            coefficients = np.linalg.solve(gram, basis @ inliers)
            explained = coefficients.astype(np.float32) @ basis
            inliers = explained + np.clip(deviation - explained, -self.threshold, self.threshold)
        return coefficients

    def _turns(
        self, products: Floats, gram: npt.NDArray[np.float64], lengths: npt.NDArray[np.float64], rate: float
    ) -> list[Floats]:
        """For every component v which share of it is kept, which of x is added, and which of v is left out of x then.

        `products` are those of all v and the first x, `gram` those of any two components.
        """
        keep, gain, leave = np.ones(self.n_components), np.zeros(self.n_components), np.zeros(self.n_components)
        for k in range(self.n_components):
            if gram[k, k] == 0:  # the next one is born, of all that is left
                gain[k] = 1
                break
            part = (products[k] - leave[:k] @ gram[:k, k]) / lengths[k]
            keep[k], gain[k], leave[k] = 1 - rate, rate * part, part / lengths[k]
        return [turn.astype(np.float32) for turn in (keep, gain, leave)]

    def background(self) -> Frame:
        """The learned picture of the empty scene, as it was lit in the last frame that was learned."""
        self._require_started()
        lengths = np.sqrt((self._flat() ** 2).sum(axis=1))
        shares = self._coefficients / np.where(lengths > 0, lengths, 1)
        picture = self._mean + np.tensordot(shares, self._components, axes=1)
        return np.rint(picture).clip(0, 255).astype(np.uint8)

    def _cells(self, pixels: Pixels) -> dict[str, tuple[object, ...]]:
        return {"_mean": pixels, "_components": (slice(None), *pixels)}
