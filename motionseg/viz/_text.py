"""Words on pictures that can be read on anything."""

from __future__ import annotations

import cv2

from motionseg.core.types import Frame

__all__ = ["text_size", "write_text"]

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def text_size(out: Frame, text: str) -> tuple[int, int]:
    """Width and height in pixels of a text on the picture `out`."""
    return _size(text, _scale(out))


def _scale(out: Frame) -> float:
    return max(0.4, out.shape[0] / 1100)


def _size(text: str, scale: float) -> tuple[int, int]:
    (wide, tall), _ = cv2.getTextSize(text, _FONT, scale, 1)
    return wide, tall


def write_text(out: Frame, text: str, corner: tuple[int, int], color: tuple[int, int, int]) -> None:
    """Write above a box's upper left corner, or inside it at the picture's upper edge."""
    height, width = out.shape[:2]
    scale = _scale(out)
    wide, tall = _size(text, scale)
    x = min(max(corner[0], 1), max(width - wide - 1, 0))
    y = corner[1] - 4 if corner[1] - 4 - tall >= 0 else corner[1] + tall + 4
    y = min(max(y, tall + 1), height - 2)
    bright = tuple(round(value + 0.5 * (255 - value)) for value in color)
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1), (1, 1)):  # a thicker pen would also move the strokes
        cv2.putText(out, text, (x + dx, y + dy), _FONT, scale, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.putText(out, text, (x, y), _FONT, scale, bright, 1, cv2.LINE_AA)
