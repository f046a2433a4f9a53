"""Contours as bits: 64 pixels of a row in a word, so that a disk is moved over a whole contour in microseconds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_number
from motionseg.core.jit import kernel

__all__ = ["Contour", "contour_f_measure", "contour_radius", "trace"]

Words = npt.NDArray[np.uint64]

# numba makes a float of uint64 and int64 together, so every constant is a uint64.
_1, _2, _4, _56, _63 = (np.uint64(n) for n in (1, 2, 4, 56, 63))
_TWOS, _FOURS, _EIGHTS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
_BYTES = np.uint64(0x0101010101010101)


@kernel(inline=True)
def _bits_set(word):
    word = word - ((word >> _1) & _TWOS)
    word = (word & _FOURS) + ((word >> _2) & _FOURS)
    return (((word + (word >> _4)) & _EIGHTS) * _BYTES) >> _56


@kernel
def _find_extent(rows, extent):
    """First and last + 1 row, first and last + 1 word with a bit; last + 1 stays 0 where there is none."""
    top, bottom, left, right = rows.shape[0], 0, rows.shape[1], 0
    for y in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            if rows[y, k] != 0:
                top, bottom = min(top, y), y + 1
                left, right = min(left, k), max(right, k + 1)
    extent[0], extent[1], extent[2], extent[3] = top, bottom, left, right


@kernel
def _find_boundary(start, stop, rows, last_pixel, top, left, out):
    """Rows start .. stop of the frame: pixels unlike their right, lower or lower right neighbour.

    Beyond the frame the edge repeats. `last_pixel` is the bit of the frame's last column in the last
    word; `out` begins at row `top`, word `left` of the frame. Returns the number of pixels.
    """
    height, n = rows.shape
    count = np.uint64(0)
    for y in range(start, stop):
        below = min(y + 1, height - 1)
        for k in range(max(0, left), min(n, left + out.shape[1])):
            here, down = rows[y, k], rows[below, k]
            east, south_east = here >> _1, down >> _1
            if k + 1 < n:
                east |= rows[y, k + 1] << _63
                south_east |= rows[below, k + 1] << _63
            else:
                east |= here & last_pixel
                south_east |= down & last_pixel
            word = (here ^ east) | (here ^ down) | (here ^ south_east)
            out[y - top, k - left] = word
            count += _bits_set(word)
    return count


@kernel(inline=True)
def _widen(words, step, out):
    """`words` and themselves moved by `step` (below 64) pixels to either side; the ends are known to be empty."""
    near, far = np.uint64(step), np.uint64(64 - step)
    for i in range(1, words.size - 1):
        word = words[i]
        out[i] = word | (word << near) | (words[i - 1] >> far) | (word >> near) | (words[i + 1] << far)


@kernel
def _move_disk(wide, spare, row, radius, out):
    """Into `out`: the pixels no further than `radius` from a pixel of `wide`; all are flat, `row` words a row.

    The disk is a stack of horizontal lines that grow towards its middle. `wide`, the bits under a line, grows
    with them, so each line costs one widening and two moves, however long it is.
    """
    half = 0
    for dy in range(radius, -1, -1):
        target = half
        while (target + 1) ** 2 + dy**2 <= radius**2:
            target += 1
        while half < target:
            step = min(target - half, 2 * half + 1, 63)  # leaves no gap, and stays below a word
            _widen(wide, step, spare)
            wide, spare = spare, wide
            half += step
        shift = dy * row
        for i in range(out.size - shift):
            out[i] |= wide[i + shift]
        for i in range(out.size - shift):
            out[i + shift] |= wide[i]


@kernel
def _count_common(a, a_top, a_left, b, b_top, b_left):
    """Number of bits set in both of two windows on one frame."""
    top, bottom = max(a_top, b_top), min(a_top + a.shape[0], b_top + b.shape[0])
    left, right = max(a_left, b_left), min(a_left + a.shape[1], b_left + b.shape[1])
    count = np.uint64(0)
    for y in range(top, bottom):
        for k in range(left, right):
            count += _bits_set(a[y - a_top, k - a_left] & b[y - b_top, k - b_left])
    return count


def contour_radius(tolerance: float, shape: tuple[int, ...]) -> int:
    """Whole pixels, at least 1, of a tolerance that below 1 is a share of the diagonal of `shape` (H, W)."""
    tolerance = check_number("tolerance", tolerance, 0, above=True)
    diagonal = math.hypot(*shape)
    return math.ceil(min(tolerance, diagonal) if tolerance >= 1 else tolerance * diagonal)


@dataclass(frozen=True)
class Contour:
    """The boundary pixels of a mask, and all pixels near them, in a window on the frame.

    Attributes
    ----------
    length : int
        Number of boundary pixels.
    top, left : int
        First row, and first word (of 64 pixels), of the window; it may lie outside the frame.
    pixels, near : uint64 (h, w)
        A bit per pixel, lowest bit leftmost: on the boundary; within the radius of a boundary pixel.
    """

    length: int
    top: int
    left: int
    pixels: Words
    near: Words


def trace(mask: npt.NDArray[np.bool_], radius: int) -> Contour:
    """Find the boundary of `mask`, bool (H, W), and the pixels within `radius` (at least 1 pixel) of it."""
    height, width = mask.shape
    packed = np.packbits(mask, axis=1, bitorder="little")
    rows = np.zeros((height, -(-width // 64)), "<u8")
    rows.view(np.uint8)[:, : packed.shape[1]] = packed
    extent = np.empty(4, np.int64)
    _find_extent(rows, extent)
    top, bottom, left, right = extent.tolist()
    if not bottom:
        return Contour(0, 0, 0, np.zeros((0, 0), np.uint64), np.zeros((0, 0), np.uint64))
    # The boundary begins up to a pixel above and left of the mask; then come `radius` pixels on all sides.
    margin = radius // 64 + 1
    origin = top - 1 - radius, left - margin
    pixels = np.zeros((bottom - origin[0] + radius, right - left + 2 * margin), np.uint64)
    last_pixel = np.uint64(1 << (width - 1) % 64)
    length = _find_boundary(max(0, top - 1), bottom, rows, last_pixel, *origin, pixels)
    wide, spare, near = pixels.copy(), np.zeros_like(pixels), np.zeros_like(pixels)
    _move_disk(wide.reshape(-1), spare.reshape(-1), pixels.shape[1], radius, near.reshape(-1))
    return Contour(int(length), *origin, pixels, near)


def contour_f_measure(found: Contour, truth: Contour) -> float:
    """F of the shares of either contour that lie within the radius of the other; 1 if both are empty."""
    if not (found.length and truth.length):
        return float(found.length == truth.length)
    near_truth = _count_common(found.pixels, found.top, found.left, truth.near, truth.top, truth.left)
    near_found = _count_common(truth.pixels, truth.top, truth.left, found.near, found.top, found.left)
    precision, recall = int(near_truth) / found.length, int(near_found) / truth.length
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
