"""What single cues say of each pixel, as log-odds of foreground: float32 (H, W), 0 where a cue knows nothing."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.channels import channel_sum
from motionseg.core.checks import check_flow, check_frame, check_number
from motionseg.core.errors import FrameError
from motionseg.core.types import Flow, Frame, Score
from motionseg.fuse.base import LogOdds

__all__ = ["border_cue", "flow_trust", "motion_cue", "prior_cue", "score_cue", "vote_cue"]

Values = npt.NDArray[np.float32]

_WINDOW = 2.5  # pixels: standard deviation of the window in which pictures are compared
_NOISE = 60.0  # squared grey levels, three channels: what a picture differs from itself by
_DOUBTFUL = 600.0  # the same: a flow that misses by more than this is not followed
_UNTRUSTED = 0.1  # share of a residual that counts where the picture does not confirm it
_STEEPNESS, _LIMIT = 2.5, 3.0  # log-odds for each factor e above the threshold; and at most
_EDGE = 0.04  # share of the picture that lies at its border
_SOFT = 0.05  # a score of 0 or 1 may be wrong once in so many times


def flow_trust(current: Frame, previous: Frame, flow: Flow, camera: Flow) -> tuple[Values, Values]:
    """Whether the pictures confirm that a pixel moves otherwise than the camera, and how far to follow its flow.

    Parameters
    ----------
    current, previous : uint8 (H, W) or (H, W, 3)
        Two frames.
    flow, camera : float32 (H, W, 2)
        Where the pixels of `current` are in `previous`, pixels: by a flow estimator, and if nothing but the camera
        moved.

    Returns
    -------
    confirmed : float32 (H, W)
        In [0, 1]. 0 where the camera's motion explains the picture as well as the flow does (a clear sky has no
        motion of its own, whatever the flow there) or neither explains it (water).
    followed : float32 (H, W)
        In [0, 1]; near 0 where the flow takes a pixel to one of another colour.

    Raises
    ------
    FrameError
        Frames or flows of different shapes.

    Notes
    -----
    With S_c and S_f the squared differences of `current` from `previous`, warped by camera and flow, in a Gaussian
    window of 2.5 pixels: confirmed = 1 - exp(-max(0, S_c - S_f) / (60 + S_f)), followed = exp(-S_f / 600).
    """
    current = check_frame(current)
    previous = check_frame(previous, current.shape)
    shape = current.shape[:2]
    by_camera = _missed(current, previous, check_flow(camera, shape))
    by_flow = _missed(current, previous, check_flow(flow, shape))
    confirmed = 1 - np.exp(-np.maximum(by_camera - by_flow, 0) / (np.float32(_NOISE) + by_flow))
    return confirmed, np.exp(by_flow * np.float32(-1 / _DOUBTFUL))


def _missed(current: Frame, previous: Frame, flow: Flow) -> Values:
    height, width = flow.shape[:2]
    x = np.arange(width, dtype=np.float32) + flow[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + flow[..., 1]
    warped = cv2.remap(previous, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    apart = np.square(cv2.absdiff(current, warped), dtype=np.float32)
    apart = channel_sum(apart) if apart.ndim == 3 else 3 * apart
    return np.asarray(cv2.GaussianBlur(apart, (0, 0), _WINDOW))


def motion_cue(
    residual: Values, confirmed: Values, *, least: float, threshold: float | None = None
) -> tuple[LogOdds, float]:
    """How motion that the camera does not explain speaks for foreground.

    Parameters
    ----------
    residual : float32 (H, W)
        How far each pixel moves otherwise than the static world, pixels.
    confirmed : float32 (H, W)
        Whether to believe it, in [0, 1], as `flow_trust` says.
    least : float above 0
        The threshold is never lower, pixels.
    threshold : float, optional
        Of the last frame, pixels.

    Returns
    -------
    cue : float32 (H, W)
        2.5 ln(residual / threshold), within +-3.
    threshold : float
        For the next frame, pixels: Otsu's between what moves and what does not, 70 % of it the last one's.

    Raises
    ------
    FrameError
        `confirmed` has another shape than `residual`.
    ParameterError
        `least` is not above 0.

    References
    ----------
    N. Otsu, A threshold selection method from gray-level histograms, SMC 9 (1979), doi:10.1109/TSMC.1979.4310076.
    """
    least = check_number("least", least, 0, above=True)
    if residual.shape != confirmed.shape:
        raise FrameError(f"the residual has shape {residual.shape}, its trust {confirmed.shape}")
    moves = residual * (np.float32(_UNTRUSTED) + np.float32(1 - _UNTRUSTED) * confirmed)
    high = float(np.percentile(moves[::2, ::2], 99))
    levels = (np.clip(moves / np.float32(high + 1e-9), 0, 1) * 255).astype(np.uint8)
    now = max(cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)[0] / 255 * high, least)
    kept = now if threshold is None else 0.7 * threshold + 0.3 * now
    cue = _STEEPNESS * np.log((moves + np.float32(0.02)) / np.float32(np.sqrt(now * kept)))
    return np.clip(cue, -_LIMIT, _LIMIT).astype(np.float32), kept


def prior_cue(score: Score, followed: Values | None = None) -> LogOdds:
    """How the last frame's score (H, W), brought to this frame by the flow, speaks, as far as the flow is `followed`.

    Both float32 in [0, 1]. The log-odds stay within +-3.

    Examples
    --------
    >>> prior_cue(np.array([[0, 0.5, 1]], np.float32)).round(1).tolist()
    [[-3.0, 0.0, 3.0]]
    """
    soft = np.float32(_SOFT)
    cue = np.clip(np.log((score + soft) / (1 - score + soft)), -_LIMIT, _LIMIT).astype(np.float32)
    return np.asarray(cue if followed is None else cue * followed, np.float32)


def score_cue(score: Score) -> LogOdds:
    """How a score (H, W) in [0, 1] of another method speaks, a background model's for instance, within +-3."""
    return prior_cue(score)


def vote_cue(votes: npt.NDArray[np.uint8], n_rays: int = 8) -> LogOdds:
    """How rays that cross motion boundaries an odd number of times speak: -1 if none of `n_rays` does, 1 if all do."""
    return np.asarray(votes.astype(np.float32) * np.float32(2 / n_rays) - 1)


def border_cue(shape: tuple[int, ...]) -> LogOdds:
    """What is seen at the border of a picture of `shape` (H, W, ...) is more likely not what was filmed: -1 to 0.

    Examples
    --------
    >>> border_cue((101, 101))[50, [0, 50]].round(2).tolist()
    [-1.0, -0.0]
    """
    y = (np.arange(shape[0], dtype=np.float32) / shape[0])[:, None]
    x = np.arange(shape[1], dtype=np.float32) / shape[1]
    near = np.minimum(np.minimum(x, x[::-1]), np.minimum(y, y[::-1]))
    return -np.exp(near * np.float32(-1 / _EDGE))
