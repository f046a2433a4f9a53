"""Cast shadows, told from things by colour and by what shines through."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_frame, check_mask, check_number
from motionseg.core.errors import ParameterError
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import FOREGROUND, SHADOW, Frame, Mask

__all__ = ["label_shadows"]

_WINDOW = (5, 5)  # of 2x2 pixels each
_NOISE = 3.0  # grey levels that gradients and colours are uncertain by


def label_shadows(
    frame: Frame, background: Frame, mask: Mask, *, darkest: float = 0.4, lightest: float = 0.95, texture: float = 0.6
) -> Mask:
    """Label 127 what is foreground only because a shadow has fallen on the background.

    Parameters
    ----------
    frame, background : uint8 (H, W) or (H, W, 3)
        The frame, and the picture of the empty scene.
    mask : uint8 (H, W)
        255 is looked at, all else handed on as it is.
    darkest, lightest : float in (0, 1], darkest < lightest
        Share of the background's light that a shadow leaves (Prati's alpha and beta).
    texture : float in [-1, 1]
        How well gradients agree in shadows, 1: perfectly.

    Returns
    -------
    uint8 (H, W)
        0, 127, 255.

    Raises
    ------
    FrameError
        Arrays of different sizes, or of a wrong dtype.
    ParameterError
        A number is out of range.

    Notes
    -----
    A shadow takes light and leaves colour and texture. With F and B the frame and the background (lightly smoothed)
    and g = F.B / B.B, a pixel is a candidate if `darkest` <= g <= `lightest` and the colour that is left over,
    norm(F - g B), is small beside the light, norm(F). Around it the gradients of the two are compared: over 10x10
    pixels, not counting the rim where shadow and thing have their own edge, the agreement is
    2 sum(dF . g dB) / sum(dF^2 + g^2 dB^2), and has to reach `texture`. Where there is no texture the colour decides;
    in grey pictures, where it cannot, plain surfaces remain foreground.

    Cannot tell the shadow on a surface without texture from a thing of its hue, nor find a shadow that leaves less
    than `darkest`, or the blue shadows of a clear sky.

    References
    ----------
    A. Prati et al., Detecting moving shadows, PAMI 25 (2003), doi:10.1109/TPAMI.2003.1206520. A. Sanin, C. Sanderson,
    B. C. Lovell, Shadow detection: a survey and comparative evaluation of recent methods, Pattern Recognition 45
    (2012), doi:10.1016/j.patcog.2011.10.001.

    Examples
    --------
    >>> background = np.random.default_rng(0).integers(80, 200, (40, 60, 3)).astype(np.uint8)
    >>> frame, mask = background.copy(), np.zeros((40, 60), np.uint8)
    >>> frame[5:35, 10:30] = 0.6 * background[5:35, 10:30]
    >>> frame[5:35, 30:50] = (30, 60, 200)
    >>> mask[5:35, 10:50] = 255
    >>> label_shadows(frame, background, mask)[20, [0, 20, 40]]
    array([  0, 127, 255], dtype=uint8)
    """
    darkest = check_number("darkest", darkest, 0, 1, above=True)
    lightest = check_number("lightest", lightest, 0, 1, above=True)
    if darkest >= lightest:
        raise ParameterError(f"darkest is below lightest, not {darkest} and {lightest}")
    texture = check_number("texture", texture, -1, 1)
    frame = check_frame(frame)
    background = check_frame(background, frame.shape)
    labels = check_mask(mask, frame.shape[:2]).copy()
    x, y, width, height = cv2.boundingRect(np.uint8(labels == FOREGROUND))
    if width == 0:
        return labels
    rows = slice(max(0, y - 6), y + height + 6)
    columns = slice(max(0, x - 6), x + width + 6)
    inside = labels[rows, columns]
    f, b = (cv2.blur(picture[rows, columns], (3, 3)) for picture in (frame, background))
    shadow, grey_f, grey_b = _candidates(f, b, inside, darkest, lightest)
    if shadow.any():
        shadow &= _texture_agreement(grey_f, grey_b, shadow, is_grey=frame.ndim == 2) >= np.float32(texture)
        inside[_cleaned(shadow, inside)] = SHADOW
    return labels


@kernel
def _compare(start, stop, f, b, mask, darkest, lightest, candidates, grey_f, grey_b):
    """Rows start .. stop: what is darker than the background and of its hue; and both pictures in grey."""
    n_channels = f.shape[2]
    share = np.float32(1) / np.float32(n_channels)
    for y in range(start, stop):
        for x in range(f.shape[1]):
            in_frame, light, common = np.float32(0), np.float32(1), np.float32(0)
            sum_f, sum_b = np.float32(0), np.float32(0)
            for c in range(n_channels):
                p, q = np.float32(f[y, x, c]), np.float32(b[y, x, c])
                in_frame += p * p
                light += q * q
                common += p * q
                sum_f += p
                sum_b += q
            grey_f[y, x], grey_b[y, x] = share * sum_f, share * sum_b
            gain = common / light
            left_over = in_frame - np.float32(2) * gain * common + gain * gain * (light - np.float32(1))
            bound = np.float32(_NOISE) + np.float32(0.06) * np.sqrt(in_frame)
            alike = (gain >= darkest) & (gain <= lightest) & (left_over <= bound * bound)
            candidates[y, x] = alike & (mask[y, x] == 255)


def _candidates(f, b, mask, darkest, lightest):
    candidates = np.empty(mask.shape, bool)
    greys = np.empty((2, *mask.shape), np.float32)
    pictures = (f.reshape(*mask.shape, -1), b.reshape(*mask.shape, -1), np.ascontiguousarray(mask))
    limits = (np.float32(darkest), np.float32(lightest))
    run_strips(_compare, len(mask), *pictures, *limits, candidates, *greys, pixels_per_unit=mask.shape[1])
    return candidates, *greys


@kernel
def _products(start, stop, f, b, counted, sums):
    """Rows start .. stop of `sums`: of the pixels counted, products of the gradients of `f` and `b`; and their values.

    Each of `sums` is half as wide and high as the pictures, and holds what 2x2 pixels have in sum.
    """
    height, width = f.shape
    half = np.float32(0.5)
    sums[:, start:stop] = 0
    for y in range(2 * start, min(2 * stop, height)):
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            if not counted[y, x]:
                continue
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            fx, fy = half * (f[y, right] - f[y, left]), half * (f[below, x] - f[above, x])
            bx, by = half * (b[y, right] - b[y, left]), half * (b[below, x] - b[above, x])
            j, i = y // 2, x // 2
            sums[0, j, i] += fx * fx + fy * fy
            sums[1, j, i] += bx * bx + by * by
            sums[2, j, i] += fx * bx + fy * by
            sums[3, j, i] += f[y, x]
            sums[4, j, i] += b[y, x]
            sums[5, j, i] += np.float32(1)


def _texture_agreement(f, b, candidates, *, is_grey) -> npt.NDArray[np.float32]:
    # Pores of the mask count, the rim does not: smoothed and derived, it reaches two pixels inwards.
    box = np.ones((5, 5), np.uint8)
    counted = cv2.erode(cv2.morphologyEx(np.uint8(candidates), cv2.MORPH_CLOSE, box), box, borderValue=1)
    height, width = f.shape
    sums = np.empty((6, (height + 1) // 2, (width + 1) // 2), np.float32)
    run_strips(_products, sums.shape[1], f, b, counted, sums, pixels_per_unit=2 * width)
    power_f, power_b, common, light_f, light_b, number = (cv2.blur(plane, _WINDOW) for plane in sums)
    gain = light_f / (light_b + 1)
    doubt = np.float32(_NOISE**2 / 4) * number + np.float32(1e-6)
    given = 0 if is_grey else doubt  # without texture: the colour's word
    agreement = (2 * gain * common + given) / (power_f + gain**2 * power_b + doubt)
    return cv2.resize(agreement, (2 * agreement.shape[1], 2 * agreement.shape[0]))[:height, :width]


def _cleaned(shadow, mask) -> npt.NDArray[np.bool_]:
    """`shadow` without specks in things, and things without specks in shadow."""
    foreground = mask == FOREGROUND
    shadows, all_ = (cv2.boxFilter(which.view(np.uint8), -1, (7, 7), normalize=False) for which in (shadow, foreground))
    return (2 * shadows > all_) & foreground
