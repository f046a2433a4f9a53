"""Where pixels come from when the camera has moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import ParameterError

__all__ = ["check_transform", "pixel_sources"]


def check_transform(transform: Any) -> npt.NDArray[np.float64]:
    """Return `transform` as float64 (3, 3).

    Raises
    ------
    ParameterError
        Of another shape, not finite, or singular.
    """
    try:
        matrix = np.asarray(transform, np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"a transform is a 3x3 matrix, not {transform!r}") from error
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise ParameterError(f"a transform is a finite 3x3 matrix, not {transform!r}")
    if np.linalg.cond(matrix) > 1e12:
        raise ParameterError(f"a transform can be inverted, {transform!r} cannot")
    return matrix


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
