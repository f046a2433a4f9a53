"""Many pictures on one sheet."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_frame, check_integer
from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.types import Frame

__all__ = ["contact_sheet"]

_MARGIN, _STRIP = 6, 22  # pixels between pictures, and for a caption
_PAPER, _INK = (245, 245, 245), (40, 40, 40)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def contact_sheet(
    images: Sequence[Frame], *, columns: int = 3, width: int = 1200, captions: Sequence[str] | None = None
) -> Frame:
    """Lay pictures out in a grid, row by row, each with its caption below.

    Parameters
    ----------
    images : sequence of uint8 (H, W) or (H, W, 3)
        Grey or BGR; sizes may differ. Each is scaled to fit a cell with the first one's proportions.
    columns : int, at least 1
        Pictures in a row.
    width : int
        Width of the sheet, pixels; at least 16 for each column.
    captions : sequence of str, optional
        One for each picture (may be empty). Plain ASCII; too long ones are written smaller, then cut.

    Returns
    -------
    uint8 (H', `width`, 3)
        BGR.

    Raises
    ------
    FrameError
        A picture has a wrong dtype or shape; the message tells which.
    ParameterError
        No pictures, not as many captions as pictures, or a number out of range.

    Examples
    --------
    >>> sheet = contact_sheet([np.zeros((60, 80, 3), np.uint8)] * 4, columns=2, width=200, captions=list("abcd"))
    >>> sheet.shape
    (198, 200, 3)
    """
    columns = check_integer("columns", columns, 1)
    width = check_integer("width", width, 16 * columns)
    if len(images) == 0:
        raise ParameterError("images is empty: there is nothing to lay out")
    if captions is not None and len(captions) != len(images):
        raise ParameterError(f"captions has {len(captions)} entries for {len(images)} images")
    pictures = []
    for k, image in enumerate(images):
        try:
            pictures.append(check_frame(image))
        except FrameError as error:
            raise FrameError(f"image {k}: {error}") from error
    cell_width = (width - _MARGIN) // columns - _MARGIN
    cell_height = max(1, round(cell_width * pictures[0].shape[0] / pictures[0].shape[1]))
    pitch = cell_height + _MARGIN + (_STRIP if captions is not None else 0)
    sheet = np.full((_MARGIN + pitch * -(-len(pictures) // columns), width, 3), _PAPER, np.uint8)
    for k, picture in enumerate(pictures):
        x, y = _MARGIN + k % columns * (cell_width + _MARGIN), _MARGIN + k // columns * pitch
        fitted = _fitted(picture, cell_width, cell_height)
        top, left = y + (cell_height - fitted.shape[0]) // 2, x + (cell_width - fitted.shape[1]) // 2
        sheet[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
        if captions is not None:
            strip = sheet[y + cell_height : y + cell_height + _STRIP, x : x + cell_width]
            _write(strip, str(captions[k]))
    return sheet


def _fitted(picture: Frame, width: int, height: int) -> npt.NDArray[np.uint8]:
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if picture.ndim == 2 else picture


def _write(strip: npt.NDArray[np.uint8], text: str) -> None:
    """Write `text` in the middle of `strip`, as large as it fits between 0.3 and 0.5."""
    (wide, _), _ = cv2.getTextSize(text, _FONT, 0.5, 1)
    scale = float(np.clip(0.5 * strip.shape[1] / max(wide, 1), 0.3, 0.5))
    (wide, tall), _ = cv2.getTextSize(text, _FONT, scale, 1)
    place = max(0, (strip.shape[1] - wide) // 2), (strip.shape[0] + tall) // 2
    line = np.ascontiguousarray(strip)
    strip[:] = cv2.putText(line, text, place, _FONT, scale, _INK, 1, cv2.LINE_AA)
