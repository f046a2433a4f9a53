"""How close is a background picture to the true one: the measures of scene background initialisation (SBI, SBMnet)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_frame, check_pixels
from motionseg.core.errors import FrameError
from motionseg.core.types import Frame

__all__ = ["BackgroundScores", "compare_backgrounds"]

Floats = npt.NDArray[np.float64]
_ERROR = 20  # grey levels; a pixel that is farther off is an error pixel
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of MS-SSIM's scales, fine to coarse


@dataclass(frozen=True)
class BackgroundScores:
    """One background picture against the truth; average over sequences with :func:`~motionseg.metrics.summarize`.

    Attributes
    ----------
    age : float
        Average grey-level error, in [0, 255]; lower is better, as for the next two.
    peps : float
        Share of error pixels (off by more than 20 grey levels), in [0, 1].
    pceps : float
        Share of clustered error pixels (the four neighbours are error pixels, too), in [0, 1].
    psnr : float
        Peak signal-to-noise ratio, dB; inf for equal pictures.
    ms_ssim : float
        Multi-scale structural similarity, in [0, 1]; nan for pictures below 16 pixels.
    """

    age: float
    peps: float
    pceps: float
    psnr: float
    ms_ssim: float

    def metrics(self) -> dict[str, float]:
        """All measures under the field's names: AGE, pEPs, pCEPs, PSNR, MS-SSIM."""
        names = ("AGE", "pEPs", "pCEPs", "PSNR", "MS-SSIM")
        return dict(zip(names, (self.age, self.peps, self.pceps, self.psnr, self.ms_ssim), strict=True))


def compare_backgrounds(found: Frame, truth: Frame, *, valid: npt.NDArray[np.bool_] | None = None) -> BackgroundScores:
    """Compare a background picture with the true one.

    Parameters
    ----------
    found, truth : uint8 (H, W) or (H, W, 3)
        Grey or BGR; colours are compared by their luma (cv2's, rounded to whole grey levels).
    valid : bool (H, W), optional
        Only these pixels count; to MS-SSIM, which looks at neighbourhoods, the others are equal.

    Raises
    ------
    FrameError
        Wrong dtype, the sizes differ, or no pixel is valid.

    Notes
    -----
    A neighbour outside the picture (or not valid) does not keep an error pixel from being clustered. MS-SSIM has five
    scales and a Gaussian window of 11 x 11 pixels, sigma 1.5; where the shorter side is below 176, so that this would
    not fit the coarsest scale, the window is a 16th of that side, as in the benchmark's own tool. A scale with
    negative similarity counts as 0.

    References
    ----------
    L. Maddalena, A. Petrosino, Towards benchmarking scene background initialization, ICIAP workshops 2015,
    doi:10.1007/978-3-319-23222-5_57, arXiv:1506.04051. P.-M. Jodoin et al., Extensive benchmark and survey of
    modeling methods for scene background initialization, TIP 2017, doi:10.1109/TIP.2017.2728181. Z. Wang, E. P.
    Simoncelli, A. C. Bovik, Multiscale structural similarity for image quality assessment, Asilomar 2003,
    doi:10.1109/ACSSC.2003.1292216.

    Examples
    --------
    >>> scores = compare_backgrounds(np.full((32, 32), 60, np.uint8), np.full((32, 32), 50, np.uint8))
    >>> scores.age, scores.peps, round(scores.psnr, 2)
    (10.0, 0.0, 28.13)
    """
    a, b = _grey(found), _grey(truth)
    if a.shape != b.shape:
        raise FrameError(f"found {a.shape} and truth {b.shape} differ in size")
    known = np.ones(a.shape, bool) if valid is None else check_pixels(valid, a.shape, "valid")
    n = int(np.count_nonzero(known))
    if n == 0:
        raise FrameError("no pixel is valid")
    a = np.where(known, a, b)
    difference = cv2.absdiff(a, b)
    errors = difference > _ERROR
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    clustered = cv2.erode((errors | ~known).astype(np.uint8), cross).astype(bool) & errors
    squared = float(np.square(difference, dtype=np.float64).sum()) / n
    return BackgroundScores(
        age=float(difference.sum()) / n,
        peps=int(np.count_nonzero(errors)) / n,
        pceps=int(np.count_nonzero(clustered)) / n,
        psnr=10 * math.log10(255**2 / squared) if squared else math.inf,
        ms_ssim=_ms_ssim(a.astype(np.float64), b.astype(np.float64)),
    )


def _grey(picture: Frame) -> Frame:
    picture = check_frame(picture)
    return picture if picture.ndim == 2 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))


def _ms_ssim(a: Floats, b: Floats) -> float:
    size = min(11, min(a.shape) >> (len(_WEIGHTS) - 1))
    if size == 0:
        return math.nan
    window = np.exp(-((np.arange(size) - (size - 1) / 2) ** 2) / (2 * 1.5**2))
    window /= window.sum()
    product = 1.0
    for scale, weight in enumerate(_WEIGHTS):
        if scale:
            a, b = _halved(a), _halved(b)
        luminance, contrast = _similarity(a, b, window)
        last = scale == len(_WEIGHTS) - 1
        product *= max(float((luminance * contrast if last else contrast).mean()), 0.0) ** weight
    return product


def _similarity(a: Floats, b: Floats, window: Floats) -> tuple[Floats, Floats]:
    """SSIM's luminance term, and its contrast times structure, wherever the window fits."""
    mean_a, mean_b = _smoothed(a, window), _smoothed(b, window)
    var_a, var_b = _smoothed(a * a, window) - mean_a**2, _smoothed(b * b, window) - mean_b**2
    covariance = _smoothed(a * b, window) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return luminance, (2 * covariance + c2) / (var_a + var_b + c2)


def _smoothed(picture: Floats, window: Floats) -> Floats:
    before, after = (len(window)) // 2, (len(window) - 1) // 2  # cv2 anchors a window at its middle (even: right of it)
    full = cv2.sepFilter2D(picture, cv2.CV_64F, window, window)
    return np.asarray(full[before : full.shape[0] - after, before : full.shape[1] - after])


def _halved(picture: Floats) -> Floats:
    """Means of 2 x 2 pixels; an odd last row or column is doubled."""
    even = np.pad(picture, [(0, n % 2) for n in picture.shape], mode="edge")
    return np.asarray((even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4)
