"""Thresholds and rates that follow the scene, pixel by pixel, and the cleaning of masks: of SuBSENSE and PAWCS.

Numba's cache of the models that use these kernels does not see edits here: delete it after one.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background._lbsp import count_bits, majority
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import FOREGROUND, Frame, Mask

__all__ = [
    "CHANGE",
    "CLEAN",
    "FOREGROUND_SHARE",
    "SHRINKAGE",
    "R",
    "T",
    "adapt",
    "adjusted_shift",
    "averaging_windows",
    "cleaned",
    "is_large",
    "is_small",
    "limits",
    "movement",
    "new_feedback",
    "remember_masks",
    "scene_change",
    "shrunk",
]

# Rows of the feedback (H, 9, W): threshold factor R, update period T, unrest v; and running averages, long and short:
# of the distance to the samples, of that to the last frame, of foreground, of foreground that was cleaned away.
R, T, _V, _NEAREST_LONG, _NEAREST_SHORT, CHANGE, FOREGROUND_SHARE, _CLEANED_LONG, _CLEANED_SHORT = range(9)

# Masks that the next frame needs, (4, H, W): as classified, as cleaned, pixels whose class changed, those that blink.
_RAW, CLEAN, _CHANGED, _BLINKS = range(4)

_SQUARE = np.ones((3, 3), np.uint8)
_USUAL_AREA = 320 * 240  # pixels; larger frames are cleaned with larger windows, and samples spread farther
SHRINKAGE = 8


def is_small(shape: tuple[int, ...]) -> bool:
    """Whether one object may change the whole of a frame of this shape."""
    return 2 * shape[0] * shape[1] < _USUAL_AREA


def is_large(shape: tuple[int, ...]) -> bool:
    """Whether a neighbour is to be looked for farther away."""
    return shape[0] * shape[1] > 2 * _USUAL_AREA


def new_feedback(shape: tuple[int, ...], period: float) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Feedback (H, 9, W) and marks (4, H, W) before the first frame."""
    height, width = shape[:2]
    feedback = np.zeros((height, 9, width), np.float32)
    feedback[:, R], feedback[:, T], feedback[:, _V] = 1, period, 10
    return feedback, np.zeros((4, height, width), np.uint8)


def averaging_windows(frames_seen: int, history: int) -> tuple[np.float32, np.float32]:
    """Frames of the long and the short running averages."""
    long, short = (np.float32(min(frames_seen + 1, n)) for n in (history, history // 4))
    return long, short


def adjusted_shift(shift: int, n_textured: npt.NDArray[np.int64], n_pixels: int) -> int:
    """What is added to the threshold of patterns: most frames shall have some bits set, but not all of them."""
    textured = n_textured.sum() / n_pixels
    return min(max(shift + int(textured > 0.5) - int(textured < 0.1), -85), 85)


@kernel
def limits(feedback, n_channels, base, margin, offset, color, texture, single, unstable):
    """How far a sample may be from each pixel of a row: in colour, in texture, and in the colour of one channel.

    `margin` is what calm pixels have less of the colour.
    """
    r, cleaned_long, cleaned_short = feedback[R], feedback[_CLEANED_LONG], feedback[_CLEANED_SHORT]
    tenth, channels = np.float32(0.1), np.int32(n_channels)
    for x in range(r.shape[0]):
        factor = r[x]
        loose = (factor > np.float32(3)) | (cleaned_long[x] > tenth) | (cleaned_short[x] > tenth)
        levels = np.int32(min(np.float32(factor * np.float32(base)), np.float32(255)))
        total = channels * (levels - (np.int32(0) if loose else np.int32(margin)))
        bits = np.int32(2) if factor < np.float32(1.5) else np.int32(4)
        bits = bits if factor < np.float32(2.5) else np.int32(8)
        bits = bits if factor < np.float32(3.5) else np.int32(16)
        color[x] = total
        single[x] = min(total >> np.int32(1), np.int32(255))
        texture[x] = channels * (bits + np.int32(offset) * (np.int32(2) if loose else np.int32(1)))
        unstable[x] = loose


@kernel
def movement(features, previous, color, bits):
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
def adapt(feedback, marks, y, distance, raw, unstable, moved, flipped, levels, bits, long, short, t_low, t_high):
    """Let the thresholds, rates and averages of a row follow what was found.

    It divides where it could multiply by a constant: nothing can then be fused, and all machines give the same result.
    """
    r, t, v = feedback[R], feedback[T], feedback[_V]
    nearest_long, nearest_short = feedback[_NEAREST_LONG], feedback[_NEAREST_SHORT]
    change, foreground = feedback[CHANGE], feedback[FOREGROUND_SHARE]
    clean, blinks = marks[CLEAN, y], marks[_BLINKS, y]
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
def _average_rows(start, stop, feedback, raw, clean, long, short):
    """Rows start .. stop: the running averages of foreground that was cleaned away."""
    for y in range(start, stop):
        a, b, before, after = feedback[y, _CLEANED_LONG], feedback[y, _CLEANED_SHORT], raw[y], clean[y]
        for x in range(raw.shape[1]):
            gone = np.float32(before[x] != 0) - np.float32(after[x] != 0)
            a[x] += (gone - a[x]) / long
            b[x] += (gone - b[x]) / short


def remember_masks(
    feedback: npt.NDArray[np.float32],
    marks: npt.NDArray[np.uint8],
    raw: Mask,
    clean: Mask,
    windows: tuple[np.float32, np.float32],
) -> None:
    """Note what was cleaned away, and which pixels blink: those whose class has just changed, away from foreground."""
    run_strips(_average_rows, len(raw), feedback, raw, clean, *windows, pixels_per_unit=raw.shape[1] // 4)
    changed = raw ^ marks[_RAW]
    marks[_BLINKS] = (changed | marks[_CHANGED]) & ~cv2.dilate(clean, _SQUARE, iterations=3)
    marks[_RAW], marks[CLEAN], marks[_CHANGED] = raw, clean, changed


def shrunk(frame: Frame) -> npt.NDArray[np.float32]:
    """The frame at an eighth of its size, (H / 8, W / 8, C)."""
    width, height = -(-frame.shape[1] // SHRINKAGE), -(-frame.shape[0] // SHRINKAGE)
    small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
    return small.reshape(height, width, -1).astype(np.float32)


def scene_change(coarse: npt.NDArray[np.float32], frame: Frame, windows: tuple[np.float32, np.float32]) -> float:
    """Let the running averages (H / 8, W / 8, 2, C) follow; how far they are from each other, in levels a channel."""
    small = shrunk(frame)
    for which, n in enumerate(windows):
        coarse[:, :, which] += (small - coarse[:, :, which]) / n
    return float(np.abs(coarse[:, :, 0] - coarse[:, :, 1]).mean(axis=(0, 1)).max())


def cleaned(raw: Mask) -> Mask:
    """The mask without gaps, holes and specks; larger specks in larger frames."""
    closed = cv2.morphologyEx(raw, cv2.MORPH_CLOSE, _SQUARE)
    outside = cv2.copyMakeBorder(closed, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(outside, None, (0, 0), FOREGROUND)
    inside = cv2.erode(closed, _SQUARE, iterations=3)
    side = min(9 + int(raw.size / _USUAL_AREA + 0.5), 14)
    return majority(raw | ~outside[1:-1, 1:-1] | inside, side - 1 + side % 2)
