"""Whether flow leads back to where it came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionseg.core.channels import channel_sum
from motionseg.core.checks import check_flow, check_number
from motionseg.core.types import Flow, Frame
from motionseg.flow._warp import sample, targets
from motionseg.flow.base import FlowEstimator

__all__ = ["Consistency", "consistency", "estimate_both_ways"]


@dataclass(frozen=True)
class Consistency:
    """How far flow can be believed, pixel by pixel of the first frame.

    Attributes
    ----------
    error : float32 (H, W)
        Distance by which a pixel misses itself after going there and back, pixels; infinite where it leaves the view.
    occluded : bool (H, W)
        The error is more than rounding and noise explain: the pixel is hidden in the second frame, leaves the view, or
        its flow is wrong.
    confidence : float32 (H, W) in [0, 1]
        1 without an error, 1/2 where ``occluded`` begins, 0 out of view.
    """

    error: npt.NDArray[np.float32]
    occluded: npt.NDArray[np.bool_]
    confidence: npt.NDArray[np.float32]


def consistency(forward: Flow, backward: Flow, *, share: float = 0.01, slack: float = 0.5) -> Consistency:
    """Follow flow to the second frame and back: what does not come home is hidden, or wrong.

    Parameters
    ----------
    forward, backward : float32 (H, W, 2)
        From the first frame to the second, and from the second to the first; neither kept nor changed.
    share : float, at least 0
        Squared error that is allowed for a squared motion (of both flows together).
    slack : float, above 0
        Squared error that is always allowed, squared pixels.

    Returns
    -------
    Consistency
        Its arrays are the caller's.

    Raises
    ------
    FrameError
        Not flow, or of two sizes.
    ParameterError
        A number is out of range.

    Notes
    -----
    With f forward and b backward, e(x)^2 = |f(x) + b(x + f(x))|^2, b interpolated bilinearly, and a pixel is occluded
    where e^2 > ``share`` (|f|^2 + |b|^2) + ``slack``. With l that limit, the confidence is l / (l + e^2).

    It cannot see errors that both directions make alike: a thing that neither of them has seen moving.

    References
    ----------
    N. Sundaram, T. Brox, K. Keutzer, Dense point trajectories by GPU-accelerated large displacement optical flow,
    ECCV 2010, doi:10.1007/978-3-642-15549-9_32.

    Examples
    --------
    >>> forward = np.full((1, 4, 2), [1, 0], np.float32)
    >>> found = consistency(forward, -forward)
    >>> found.error
    array([[ 0.,  0.,  0., inf]], dtype=float32)
    >>> found.confidence
    array([[1., 1., 1., 0.]], dtype=float32)
    """
    share, slack = check_number("share", share, 0), check_number("slack", slack, 0, above=True)
    forward = check_flow(forward)
    backward = check_flow(backward, forward.shape[:2])
    places, in_view = targets(forward)
    back = np.asarray(sample(backward, places), np.float32)
    squared = channel_sum(np.square(forward + back))
    limit = np.float32(share) * (channel_sum(np.square(forward)) + channel_sum(np.square(back))) + np.float32(slack)
    error = np.where(in_view, np.sqrt(squared), np.float32(np.inf))
    confidence = np.where(in_view, limit / (limit + squared), np.float32(0))
    return Consistency(error, ~in_view | (squared > limit), confidence)


def estimate_both_ways(estimator: FlowEstimator, previous: Frame, current: Frame) -> tuple[Flow, Consistency]:
    """Flow of any estimator, with what can be believed of it, for twice the time.

    Parameters
    ----------
    estimator : FlowEstimator
    previous, current : uint8 (H, W) or (H, W, 3)
        Neither kept nor changed.

    Returns
    -------
    flow : float32 (H, W, 2)
        From `previous` to `current`.
    trust : Consistency
        See there.

    Raises
    ------
    FrameError
        Not frames, or of two shapes.

    Examples
    --------
    >>> from motionseg.flow import OpenCVDIS
    >>> frame = np.random.default_rng(0).integers(0, 256, (40, 60), np.uint8)
    >>> flow, trust = estimate_both_ways(OpenCVDIS(), frame, frame)
    >>> trust.confidence.min()
    np.float32(1.0)
    """
    forward, backward = estimator.estimate(previous, current), estimator.estimate(current, previous)
    return forward, consistency(forward, backward)
