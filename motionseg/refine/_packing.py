"""Frames and cues into the network's input, in one pass over the pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import FOREGROUND, SHADOW, Frame, Mask

__all__ = ["pack_pixels"]

_PLANES = 9


@kernel
def _pack_rows(start, stop, frame, background, score, mask, values, packed):
    """Rows start .. stop of `packed` (h, w, 36): what four pixels show; beyond the frame, its border again."""
    last_y, last_x = frame.shape[0] - 1, frame.shape[1] - 1
    for row in range(start, stop):
        for column in range(packed.shape[1]):
            for part in range(4):
                y = min(2 * row + part // 2, last_y)
                x = min(2 * column + part % 2, last_x)
                b, g, r = frame[y, x, 0], frame[y, x, 1], frame[y, x, 2]
                b0, g0, r0 = background[y, x, 0], background[y, x, 1], background[y, x, 2]
                # Unsigned numbers would wrap below 0.
                change = max(abs(np.int32(b) - np.int32(b0)), abs(np.int32(g) - np.int32(g0)))
                change = max(change, abs(np.int32(r) - np.int32(r0)))
                place = packed[row, column]
                place[part] = values[r]
                place[4 + part] = values[g]
                place[8 + part] = values[b]
                place[12 + part] = values[r0]
                place[16 + part] = values[g0]
                place[20 + part] = values[b0]
                place[24 + part] = values[change]
                place[28 + part] = values[score[y, x]]
                code = mask[y, x]
                place[32 + part] = values[255] if code == FOREGROUND else values[128] if code == SHADOW else values[0]


def pack_pixels(
    frame: Frame,
    background: Frame | None,
    score: npt.NDArray[np.floating] | None,
    mask: Mask | None,
    *,
    size: tuple[int, int],
    bfloat: bool,
) -> npt.NDArray[Any]:
    """The pixels of one frame as the network takes them.

    Parameters
    ----------
    frame : uint8 (H, W, 3)
        BGR.
    background : uint8 (H, W, 3), optional
    score : float32 (H, W), optional
        In [0, 1].
    mask : uint8 (H, W), optional
        Codes.
    size : (int, int)
        Rows and columns to fill up to, even: at least those of the frame.
    bfloat : bool
        Give the bits of bfloat16.

    Returns
    -------
    float32 or uint16 (size[0] / 2, size[1] / 2, 36)
    """
    shape = frame.shape[:2]
    values: npt.NDArray[Any] = np.arange(256, dtype=np.float32) / np.float32(255)
    if bfloat:
        bits = values.view(np.uint32)
        values = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)  # rounded to even, as torch does
    nothing = np.zeros(shape, np.uint8)
    packed = np.empty((size[0] // 2, size[1] // 2, 4 * _PLANES), values.dtype)
    run_strips(
        _pack_rows,
        len(packed),
        frame,
        frame if background is None else background,
        nothing if score is None else np.rint(score * np.float32(255)).astype(np.uint8),
        nothing if mask is None else mask,
        values,
        packed,
        pixels_per_unit=4 * packed.shape[1],
    )
    return packed
