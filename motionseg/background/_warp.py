"""Where pixels come from when the camera has moved."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["pixel_sources"]


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
    places = np.indices(shape)
    x, y, w = np.tensordot(np.linalg.inv(transform), [places[1], places[0], np.ones(shape)], axes=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        # A hair is taken off, so that halves go the same way on both sides of a rounding error.
        column, row = np.rint(x / w - 1e-6), np.rint(y / w - 1e-6)
    # Beyond the line where w changes its sign a picture would show what is behind the camera.
    inside = w * (transform[2] @ (width / 2, height / 2, 1)) > 0
    inside &= (row >= 0) & (row < height) & (column >= 0) & (column < width)
    places[:, inside] = row[inside], column[inside]
    return places, ~inside
