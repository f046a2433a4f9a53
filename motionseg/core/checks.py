"""Checks at the doors: arrays and numbers that come from outside are looked at once, here."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import FrameError, ParameterError

__all__ = [
    "check_choice",
    "check_flow",
    "check_frame",
    "check_integer",
    "check_labels",
    "check_mask",
    "check_number",
    "check_pixels",
    "check_transform",
]


def check_frame(frame: Any, shape: tuple[int, ...] | None = None) -> npt.NDArray[np.uint8]:
    """Return `frame` as a C-contiguous uint8 array, without a copy where it already is one.

    Parameters
    ----------
    frame : uint8 array, shape (H, W) or (H, W, 3)
        Grey or BGR picture.
    shape : tuple of int, optional
        The shape it must have (that of the first frame).

    Raises
    ------
    FrameError
        Not an array, wrong dtype, wrong number of dimensions or channels, empty, or of another size.
    """
    if not isinstance(frame, np.ndarray):
        raise FrameError(f"a frame is a numpy array, not {type(frame).__name__}")
    if frame.dtype != np.uint8:
        raise FrameError(f"a frame has dtype uint8, not {frame.dtype}")
    if frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] != 3):
        raise FrameError(f"a frame has shape (H, W) or (H, W, 3), not {frame.shape}")
    if frame.size == 0:
        raise FrameError(f"the frame is empty: shape {frame.shape}")
    if shape is not None and frame.shape != shape:
        raise FrameError(f"the frame has shape {frame.shape}, the first one had {shape}")
    return np.ascontiguousarray(frame)


def check_flow(flow: Any, shape: tuple[int, int] | None = None) -> npt.NDArray[np.float32]:
    """Return `flow` as a C-contiguous float32 (H, W, 2) array, without a copy where it already is one.

    Raises
    ------
    FrameError
        Not an array of floats of that shape, empty, of another size than `shape` (H, W), or not finite somewhere.
    """
    if not isinstance(flow, np.ndarray) or flow.dtype.kind != "f" or flow.ndim != 3 or flow.shape[2] != 2:
        what = f"{flow.dtype} {flow.shape}" if isinstance(flow, np.ndarray) else type(flow).__name__
        raise FrameError(f"flow is a float32 array of shape (H, W, 2), not {what}")
    if flow.size == 0:
        raise FrameError(f"the flow is empty: shape {flow.shape}")
    if shape is not None and flow.shape[:2] != shape:
        raise FrameError(f"the flow is of {flow.shape[:2]} pixels, the frame has {shape}")
    array = np.ascontiguousarray(flow, np.float32)
    if not np.isfinite(array).all():
        y, x = np.argwhere(~np.isfinite(array).all(axis=2))[0]
        raise FrameError(
            f"flow is finite everywhere (mark unknown pixels in `valid`); at ({x}, {y}) it is {array[y, x]}"
        )
    return array


def check_pixels(mask: Any, shape: tuple[int, int], name: str) -> npt.NDArray[np.bool_]:
    """Return `mask` as a bool array of shape `shape` (H, W); `name` is used in the error.

    Raises
    ------
    FrameError
        Not bool (a uint8 mask is refused: 127 is not a yes) or of another shape.
    """
    array = np.asarray(mask)
    if array.dtype != np.bool_:
        raise FrameError(f"{name} has dtype bool, not {array.dtype}")
    if array.shape != shape:
        raise FrameError(f"{name} has shape {array.shape}, the frame is {shape}")
    return array


def check_mask(mask: Any, shape: tuple[int, int] | None = None) -> npt.NDArray[np.uint8]:
    """Return `mask` as a C-contiguous uint8 (H, W) array; values are expected in {0, 127, 255}.

    Raises
    ------
    FrameError
        Wrong dtype, number of dimensions or size.
    """
    if not isinstance(mask, np.ndarray) or mask.dtype != np.uint8 or mask.ndim != 2:
        what = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise FrameError(f"a mask is a uint8 array of shape (H, W), not {what}")
    if shape is not None and mask.shape != shape:
        raise FrameError(f"the mask has shape {mask.shape}, expected {shape}")
    return np.ascontiguousarray(mask)


def check_labels(labels: Any, n: int) -> npt.NDArray[np.int32]:
    """`labels` as int32 (H, W) of the numbers 0 to `n`.

    Raises
    ------
    ParameterError
        Of another shape or kind, or with other numbers.
    """
    array = np.asarray(labels)
    if array.ndim != 2 or array.dtype.kind not in "iu":
        raise ParameterError(f"labels are integers (H, W), not {array.dtype} {array.shape}")
    if array.size and not (array.min() >= 0 and array.max() <= n):
        raise ParameterError(f"labels are 0 to {n}, one for each region, not {array.min()} to {array.max()}")
    return array.astype(np.int32, copy=False)


def check_number(
    name: str, value: Any, low: float = -math.inf, high: float = math.inf, *, above: bool = False
) -> float:
    """Return `value` as a float within [low, high] (or (low, high] with `above`).

    Raises
    ------
    ParameterError
        Not a finite real number, or out of range.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ParameterError(f"{name} is a number, not {value!r}")
    number = float(value)
    if not math.isfinite(number) or number > high or number < low or (above and number == low):
        bracket = "(" if above else "["
        raise ParameterError(f"{name} is in {bracket}{low:g}, {high:g}], not {value!r}")
    return number


def check_integer(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return `value` as an int within [low, high].

    Raises
    ------
    ParameterError
        Not an integer, or out of range.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise ParameterError(f"{name} is an integer, not {value!r}")
    number = int(value)
    if number < low or (high is not None and number > high):
        limits = f"at least {low}" if high is None else f"in [{low}, {high}]"
        raise ParameterError(f"{name} is {limits}, not {value!r}")
    return number


def check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> Any:
    """Return `value` if it is one of `choices`; ParameterError otherwise."""
    if value not in choices:
        raise ParameterError(f"{name} is one of {', '.join(map(repr, choices))}, not {value!r}")
    return value


def check_transform(transform: Any) -> npt.NDArray[np.float64]:
    """`transform` as a new float64 (3, 3).

    Raises
    ------
    ParameterError
        Of another shape, not finite, or singular.
    """
    try:
        matrix = np.array(transform, np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"a transform is a 3x3 matrix, not {transform!r}") from error
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or np.linalg.cond(matrix) > 1e12:
        raise ParameterError(f"a transform is a finite 3x3 matrix that can be inverted, not {transform!r}")
    return matrix
