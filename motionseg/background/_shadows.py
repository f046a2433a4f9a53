"""Cast shadows, told from things by colour and by what shines through."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_frame, check_mask, check_number
from motionseg.core.errors import ParameterError
from motionseg.core.types import FOREGROUND, SHADOW, Frame, Mask

__all__ = ["label_shadows"]

_WINDOW = (11, 11)
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
    norm(F - g B), is small beside the light, norm(F). Around it the gradients of the two are compared: over 11x11
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
    f = cv2.blur(frame[rows, columns], (3, 3)).astype(np.float32).reshape(*inside.shape, -1)
    b = cv2.blur(background[rows, columns], (3, 3)).astype(np.float32).reshape(*inside.shape, -1)
    shadow = _candidates(f, b, inside, darkest, lightest)
    if shadow.any():
        shadow &= _texture_agreement(f, b, shadow) >= texture
        inside[_cleaned(shadow, inside)] = SHADOW
    return labels


def _candidates(f, b, mask, darkest, lightest) -> npt.NDArray[np.bool_]:
    """Foreground that is darker than the background, and of its hue."""
    light = np.einsum("yxc,yxc->yx", b, b) + 1
    gain = np.einsum("yxc,yxc->yx", f, b) / light
    candidates = (mask == FOREGROUND) & (gain >= darkest) & (gain <= lightest)
    left_over = np.linalg.norm(f - gain[..., None] * b, axis=2)
    return candidates & (left_over <= _NOISE + 0.06 * np.linalg.norm(f, axis=2))


def _gradient(picture) -> npt.NDArray[np.float32]:
    """Central differences (H, W, 2) of the mean of the channels."""
    grey = np.ascontiguousarray(picture.mean(axis=2))
    kernel = np.array([[-0.5, 0, 0.5]], np.float32)
    return np.stack([cv2.filter2D(grey, -1, kernel), cv2.filter2D(grey, -1, kernel.T)], axis=2)


def _texture_agreement(f, b, candidates) -> npt.NDArray[np.float32]:
    # Pores of the mask count, the rim does not: smoothed and derived, it reaches two pixels inwards.
    box = np.ones((5, 5))
    whole = cv2.morphologyEx(np.float32(candidates), cv2.MORPH_CLOSE, box)
    counted = cv2.erode(whole, box, borderValue=1)[..., None]
    in_frame, in_background = _gradient(f) * counted, _gradient(b) * counted
    power_f, power_b, common = (
        cv2.blur(np.einsum("yxc,yxc->yx", p, q), _WINDOW)
        for p, q in ((in_frame, in_frame), (in_background, in_background), (in_frame, in_background))
    )
    gain = cv2.blur(f.mean(axis=2) * counted[..., 0], _WINDOW) / (
        cv2.blur(b.mean(axis=2) * counted[..., 0], _WINDOW) + 1
    )
    doubt = _NOISE**2 / 4 * cv2.blur(counted[..., 0], _WINDOW) + 1e-6
    given = doubt if f.shape[2] == 3 else 0  # without texture: the colour's word
    return (2 * gain * common + given) / (power_f + gain**2 * power_b + doubt)


def _cleaned(shadow, mask) -> npt.NDArray[np.bool_]:
    """`shadow` without specks in things, and things without specks in shadow."""
    foreground = np.float32(mask == FOREGROUND)
    share = cv2.blur(np.float32(shadow), (7, 7)) / np.maximum(cv2.blur(foreground, (7, 7)), 1e-6)
    return (share > 0.5) & (foreground > 0)
