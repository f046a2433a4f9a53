"""Pictures warped by the motion of the camera, and how far it takes them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_frame, check_transform
from motionseg.core.types import Frame

__all__ = ["corners", "displacement", "is_sane", "warp_frame"]


def corners(shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """The frame's corner pixels (x, y, 1), float64 (3, 4)."""
    right, bottom = shape[1] - 1, shape[0] - 1
    return np.array([[0, right, 0, right], [0, 0, bottom, bottom], [1, 1, 1, 1]], np.float64)


def is_sane(transform: npt.NDArray[np.float64], shape: tuple[int, ...]) -> bool:
    """Whether the frame is neither turned over nor changed in area more than fourfold anywhere."""
    w = transform[2] @ corners(shape)
    growth = np.linalg.det(transform) / w**3
    return bool((w > 0).all() and (growth > 0.25).all() and (growth < 4).all())


def displacement(transform: npt.ArrayLike, shape: tuple[int, ...]) -> float:
    """How far `transform` moves the pixels of a frame of `shape` (H, W, ...): root mean square, in pixels.

    It is infinite where a corner goes behind the camera.

    Raises
    ------
    ParameterError
        `transform` is not a finite 3x3 matrix that can be inverted.

    Examples
    --------
    >>> displacement([[1, 0, 3], [0, 1, -4], [0, 0, 1]], (240, 320))
    5.0
    """
    matrix, outer = check_transform(transform), corners(shape)
    if (matrix[2] @ outer <= 0).any():
        return float("inf")
    # Gauss's points: what is linear in x and y has the same mean square there as all over the frame.
    middle = outer.mean(axis=1, keepdims=True)
    inner = middle + (outer - middle) / np.sqrt(3)
    x, y, w = matrix @ inner
    return float(np.sqrt(np.mean((x / w - inner[0]) ** 2 + (y / w - inner[1]) ** 2)))


def warp_frame(frame: Frame, transform: npt.ArrayLike, *, fill: Frame | None = None) -> Frame:
    """The frame as a camera would have seen it that moved by `transform`.

    Parameters
    ----------
    frame : uint8 (H, W) or (H, W, 3)
        Neither kept nor changed.
    transform : float (3, 3)
        Takes pixels (x, y, 1) of `frame` to those of the result.
    fill : uint8, as frame, optional
        Shown where `frame` does not reach; default: its nearest border pixels.

    Returns
    -------
    uint8, as frame
        Interpolated bicubically; the caller's.

    Raises
    ------
    FrameError
        Not frames, or of two shapes.
    ParameterError
        `transform` is not a finite 3x3 matrix that can be inverted.

    Examples
    --------
    >>> frame = np.arange(12, dtype=np.uint8).reshape(3, 4)
    >>> warp_frame(frame, [[1, 0, 1], [0, 1, 0], [0, 0, 1]], fill=np.zeros_like(frame))
    array([[ 0,  0,  1,  2],
           [ 0,  4,  5,  6],
           [ 0,  8,  9, 10]], dtype=uint8)
    """
    frame, matrix = check_frame(frame), check_transform(transform)
    size, border = (frame.shape[1], frame.shape[0]), cv2.BORDER_REPLICATE
    if fill is not None:
        fill, border = check_frame(fill, frame.shape).copy(), cv2.BORDER_TRANSPARENT
    return np.asarray(cv2.warpPerspective(frame, matrix, size, fill, flags=cv2.INTER_CUBIC, borderMode=border))
