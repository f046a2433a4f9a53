"""Pictures as rows of tiles of 64 pixels, each a plane per channel: what kernels of several models share.

Numba's cache of a kernel does not see edits here: after one, delete this folder's ``__pycache__``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.background.base import Pixels
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Frame

__all__ = ["TILE", "from_planes", "load", "median_picture", "n_planes", "plane_cells"]

TILE = 64


def n_planes(shape: tuple[int, ...]) -> int:
    """Planes of 64 lanes for a frame of this shape, those of a tile side by side; the last tile may be part empty."""
    return -(-shape[0] * shape[1] // TILE) * (1 if len(shape) == 2 else 3)


def plane_cells(pixels: Pixels, shape: tuple[int, ...]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Plane of every channel (pixels, C), and lane (pixels, 1), of `pixels`, rows and columns of a frame."""
    tile, lane = np.divmod(np.ravel_multi_index(pixels, shape[:2]), TILE)
    n_channels = 1 if len(shape) == 2 else 3
    return tile[:, None] * n_channels + np.arange(n_channels), lane[:, None]


@kernel
def load(pixels, first, n, x):
    """x (C x TILE, flat) <- n pixels from `first` on; lanes behind them are 0."""
    n_channels = x.shape[0] // TILE
    part = pixels[first * n_channels : (first + n) * n_channels]
    if n < TILE:
        for i in range(x.shape[0]):
            x[i] = 0
    if n_channels == 3:
        for i in range(n):
            x[i] = part[3 * i]
            x[TILE + i] = part[3 * i + 1]
            x[2 * TILE + i] = part[3 * i + 2]
    else:
        for i in range(n):
            x[i] = part[i]


@kernel
def _medians(start, stop, samples, medians):
    """Planes start .. stop: `medians` (planes, TILE) of samples (n, planes, at least TILE), by a sorting network."""
    n_samples = samples.shape[0]
    values = np.empty((n_samples, TILE), np.uint8)
    for plane in range(start, stop):
        for which in range(n_samples):
            values[which] = samples[which, plane, :TILE]
        for turn in range(n_samples):
            for which in range(turn % 2, n_samples - 1, 2):
                one, two = values[which], values[which + 1]
                for i in range(TILE):
                    a, b = one[i], two[i]
                    one[i] = min(a, b)
                    two[i] = max(a, b)
        medians[plane] = values[(n_samples - 1) // 2]


def median_picture(samples: npt.NDArray[Any], shape: tuple[int, ...]) -> Frame:
    """The median, channel by channel, of samples (n, planes, at least TILE) as a frame; the lower of two."""
    medians = np.empty((samples.shape[1], TILE), np.uint8)
    run_strips(_medians, len(medians), samples, medians, pixels_per_unit=2 * TILE)
    return from_planes(medians, shape)


def from_planes(planes: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> Frame:
    """Planes (planes, TILE) as a frame of this shape."""
    n_pixels, n_channels = shape[0] * shape[1], 1 if len(shape) == 2 else 3
    flat = planes.reshape(-1, n_channels, TILE).transpose(0, 2, 1).reshape(-1, n_channels)
    return flat[:n_pixels].reshape(shape)
