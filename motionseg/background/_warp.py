"""Where pixels come from when the camera has moved."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips

__all__ = ["pixel_sources"]


@kernel
def _find_sources(start, stop, back, sign, places, outside):
    """Rows start .. stop of where `back` takes each pixel; `sign` is that of w in front of the camera."""
    height, width = outside.shape
    for row in range(start, stop):
        for column in range(width):
            w = back[2, 0] * column + back[2, 1] * row + back[2, 2]
            places[0, row, column], places[1, row, column] = row, column
            outside[row, column] = True
            # Beyond the line where w changes its sign a picture would show what is behind the camera.
            if not w * sign > 0:
                continue
            # A hair is taken off, so that halves go the same way on both sides of a rounding error.
            x = np.rint((back[0, 0] * column + back[0, 1] * row + back[0, 2]) / w - 1e-6)
            y = np.rint((back[1, 0] * column + back[1, 1] * row + back[1, 2]) / w - 1e-6)
            if 0 <= x < width and 0 <= y < height:
                places[0, row, column], places[1, row, column] = np.intp(y), np.intp(x)
                outside[row, column] = False


def pixel_sources(
    transform: npt.NDArray[np.float64], shape: tuple[int, int]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """For every pixel of a frame of `shape` the nearest pixel that `transform` (previous -> current) takes to it.

    Returns
    -------
    sources : intp (2, H, W)
        Row and column in the previous frame; the pixel itself where it comes from outside.
    outside : bool (H, W)
        It comes from outside the previous frame.
    """
    height, width = shape
    places, outside = np.empty((2, height, width), np.intp), np.empty(shape, np.bool_)
    sign = float(np.sign(transform[2] @ (width / 2, height / 2, 1)))
    back = np.ascontiguousarray(np.linalg.inv(transform))
    run_strips(_find_sources, height, back, sign, places, outside, pixels_per_unit=width)
    return places, outside
