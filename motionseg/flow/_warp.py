"""Pictures and flow moved by flow."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_flow
from motionseg.core.errors import FrameError
from motionseg.core.types import Flow

__all__ = ["compose_flows", "sample", "targets", "warp_by_flow"]


def targets(flow: Flow) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Where pixels go: x and y, float32 (H, W, 2), and which of them are still in view, bool (H, W)."""
    height, width = flow.shape[:2]
    places = flow.astype(np.float32)
    places[..., 0] += np.arange(width, dtype=np.float32)
    places[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    x, y = places[..., 0], places[..., 1]
    # A pixel's square is in view: a border pixel that jitters by a hundredth has gone nowhere.
    return places, (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)


def sample(array: npt.NDArray[np.generic], places: npt.NDArray[np.float32]) -> npt.NDArray[np.generic]:
    """`array` (H, W) or (H, W, C) between its pixels, at (x, y) of `places`; beyond the border, its border pixels."""
    # cv2 takes some places for whole numbers of 32767 at most, and no picture is that large.
    places = np.clip(places, -1, 32766)
    return np.asarray(cv2.remap(array, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def warp_by_flow(image: npt.NDArray[np.generic], flow: Flow) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.bool_]]:
    """Pull the second picture back to the first: every pixel shows where `flow` says that it went.

    Parameters
    ----------
    image : uint8, uint16 or float32 (H, W) or (H, W, C), C at most 4
        The current frame, or anything that lies on its pixels; neither kept nor changed.
    flow : float32 (H, W, 2)
        From the previous frame to the current one.

    Returns
    -------
    warped : as image
        Interpolated bilinearly; where the flow leads out of view, the nearest border pixel.
    in_view : bool (H, W)
        Where it does not, by more than half a pixel.

    Raises
    ------
    FrameError
        `image` is no such array, `flow` is not flow, or they differ in size.

    Examples
    --------
    >>> flow = np.zeros((1, 4, 2), np.float32)
    >>> flow[..., 0] = 1
    >>> warped, in_view = warp_by_flow(np.array([[10, 20, 30, 40]], np.uint8), flow)
    >>> warped
    array([[20, 30, 40, 40]], dtype=uint8)
    >>> in_view
    array([[ True,  True,  True, False]])
    """
    known = isinstance(image, np.ndarray) and image.dtype in (np.uint8, np.uint16, np.float32)
    if not known or image.ndim not in (2, 3) or not image.size or (image.ndim == 3 and image.shape[2] > 4):
        what = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise FrameError(f"what is warped is uint8, uint16 or float32 (H, W) or (H, W, 1 to 4), not {what}")
    places, in_view = targets(check_flow(flow, image.shape[:2]))
    return sample(np.ascontiguousarray(image), places).reshape(image.shape), in_view


def compose_flows(first: Flow, second: Flow) -> tuple[Flow, npt.NDArray[np.bool_]]:
    """One flow for two steps: from frame 0 to 1 by `first`, from 1 to 2 by `second`.

    Parameters
    ----------
    first, second : float32 (H, W, 2)
        Neither kept nor changed.

    Returns
    -------
    flow : float32 (H, W, 2)
        f(x) = first(x) + second(x + first(x)), `second` interpolated bilinearly. Across a motion boundary it mixes
        both sides.
    in_view : bool (H, W)
        The pixel is in view in frame 1. Where it is not, the nearest border pixel's motion is taken for its second.

    Raises
    ------
    FrameError
        Not flow, or of two sizes.

    Examples
    --------
    >>> step = np.full((2, 3, 2), [1, 0], np.float32)
    >>> flow, in_view = compose_flows(step, step)
    >>> flow[0, 0], in_view[0]
    (array([2., 0.], dtype=float32), array([ True,  True, False]))
    """
    first = check_flow(first)
    second = check_flow(second, first.shape[:2])
    places, in_view = targets(first)
    return first + np.asarray(sample(second, places), np.float32), in_view
