"""Samples of footage that nobody has labelled: what several models agree on is taken for true."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from motionseg.background import Adaptive, GaussianMixture, Guarded, SampleConsensus
from motionseg.background.base import BackgroundModel
from motionseg.cluster.quadratic_layers import QuadraticLayers
from motionseg.core.checks import check_integer
from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.types import BACKGROUND, FOREGROUND, Frame, Mask
from motionseg.flow.opencv_dis import OpenCVDIS
from motionseg.pipeline._sampling import Arrays, sampled
from motionseg.pipeline.auto import Auto
from motionseg.pipeline.clustered import Clustered
from motionseg.pipeline.flow_fused import FlowFused
from motionseg.pipeline.naive_flow import NaiveFlow

__all__ = ["agreed_truth", "sample_unlabelled"]

_UNKNOWN = 170
_LEAST_FRAMES = 20
_SETTLED = 5  # frames after which also those judges know something that learn online

_STILL: tuple[Callable[[], BackgroundModel], ...] = (
    lambda: Guarded(Adaptive()),
    GaussianMixture,
    SampleConsensus,
)
_MOVING: tuple[Callable[[], BackgroundModel], ...] = (FlowFused, lambda: Clustered(QuadraticLayers()), NaiveFlow)


class _Shot:
    def __init__(self, truth: Mask) -> None:
        self.truth, self.labels = truth, np.zeros_like(truth)


def agreed_truth(masks: Sequence[Mask]) -> Mask:
    """What all of several masks of one frame say: 255 motion, 0 background, 170 where they differ or see shadow.

    Parameters
    ----------
    masks : sequence of uint8 (H, W)
        At least one; 0 background, 127 shadow, 255 foreground.

    Returns
    -------
    uint8 (H, W)

    Raises
    ------
    ParameterError
        There is no mask.
    FrameError
        They differ in size.

    Examples
    --------
    >>> agreed_truth([np.uint8([[0, 255, 255]]), np.uint8([[0, 255, 0]])])
    array([[  0, 255, 170]], dtype=uint8)
    """
    if not len(masks):
        raise ParameterError("masks: there is none to agree with")
    if len({mask.shape for mask in masks}) > 1:
        raise FrameError(f"masks differ in size: {', '.join(str(mask.shape) for mask in masks)}")
    stack = np.stack(masks)
    truth = np.full(stack.shape[1:], _UNKNOWN, np.uint8)
    truth[(stack == FOREGROUND).all(axis=0)] = FOREGROUND
    truth[(stack == BACKGROUND).all(axis=0)] = BACKGROUND
    return truth


def sample_unlabelled(
    frames: Sequence[Frame],
    model: BackgroundModel,
    *,
    n_samples: int = 200,
    seed: int = 0,
    on_pass: Callable[[int], None] = lambda done: None,
) -> Arrays:
    """Show a clip to a model, and take samples of what comes out, with the agreement of others for the truth.

    Before a camera that stands or shakes, guarded `Adaptive`, `GaussianMixture` and `SampleConsensus` agree, which have
    seen the whole clip first; before one that pans or travels, `FlowFused`, `Clustered` by quadratic layers and
    `NaiveFlow`. What most frames are, as `Auto` sees them, decides.

    Parameters
    ----------
    frames : sequence of uint8 (H, W, 3)
        At least 20, of one camera, in their order.
    model : BackgroundModel
        The one whose masks are to be refined. It is moved on.
    n_samples : int, at least 2
        Fewer where the clip is shorter.
    seed : int, at least 0
        Which frames, and which window of each.
    on_pass : callable
        Told after each of the five passes over the clip how many are done; what it raises ends all.

    Returns
    -------
    dict of arrays
        As `motionseg.pipeline.sample_clip` gives, in the order of the frames; ``truth`` is 170 where the models differ.

    Raises
    ------
    ParameterError
        A parameter is out of range, or there are too few frames.
    FrameError
        A frame is none, or of another size.
    """
    n_samples = check_integer("n_samples", n_samples, 2)
    rng = np.random.default_rng((check_integer("seed", seed, 0), 80))
    if len(frames) < _LEAST_FRAMES:
        raise ParameterError(f"the clip has {len(frames)} frames, and at least {_LEAST_FRAMES} are needed")
    watch, moves = Auto(), 0
    for frame in frames:
        watch.apply(frame)
        moves += watch.behaviour in ("panning", "travelling")
    on_pass(1)
    is_moving = 2 * moves > len(frames)
    votes: list[list[npt.NDArray[np.uint8]]] = [[] for _ in frames]
    for number, make in enumerate(_MOVING if is_moving else _STILL):
        judge = make()
        if not is_moving:
            judge.bootstrap(frames)
        for t, frame in enumerate(frames):
            votes[t].append(judge.apply(frame).copy())
        on_pass(2 + number)
    shots = [_Shot(agreed_truth(masks)) for masks in votes]
    candidates = np.arange(_SETTLED, len(frames))
    times = np.sort(rng.choice(candidates, min(n_samples, len(candidates)), replace=False)).tolist()
    arrays = sampled(model, frames, shots, times, OpenCVDIS(), rng, kind=2 if is_moving else 0)
    on_pass(5)
    return arrays
