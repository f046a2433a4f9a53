"""What moves before a camera that moves: flow, the camera's part of it, and the other cues, fused into one score."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background.base import BackgroundModel
from motionseg.camera import epipolar_residual
from motionseg.cluster import inside_votes, motion_boundaries
from motionseg.core.catalog import ModelInfo
from motionseg.core.errors import ParameterError
from motionseg.core.types import BACKGROUND, FOREGROUND, Flow, Frame, Mask, Score
from motionseg.flow import warp_by_flow
from motionseg.flow.base import FlowEstimator
from motionseg.fuse.appearance import Appearance
from motionseg.fuse.base import Fusion
from motionseg.fuse.cues import border_cue, flow_trust, motion_cue, prior_cue, vote_cue
from motionseg.fuse.mean_field import MeanField
from motionseg.pipeline._frame_pairs import FramePairs, resized

__all__ = ["FlowFused"]

Values = npt.NDArray[np.float32]

_SIDE = 240  # pixels of the shorter side at which cues are fused
_LEAST_MOTION = 0.3  # pixels there: less is the flow's noise
_SPREAD = 1.5  # pixels there: standard deviation of the window in which residual motion is smoothed
_PARALLAX = 0.8  # share of the last frames that must show parallax: by chance single ones do
_BORN = 3  # frames before colours are believed


class FlowFused(FramePairs):
    """Finds what moves by itself while the camera moves, from the second frame on.

    Parameters
    ----------
    estimator : FlowEstimator, optional
        Default ``OpenCVDIS()``.
    fuser : MeanField, optional
        Weighs the cues motion, boundary, appearance, prior and border.
    appearance : Appearance, optional
        Colours are learned by a clone of it.

    Raises
    ------
    ParameterError
        A part is of another kind.

    Notes
    -----
    Frames are reduced to a shorter side of 480 pixels for the flow (from the new frame back to the last one) and to 240
    for the rest; the mask is enlarged by interpolation. The camera is a homography, fitted to the flow where the last
    mask says background; parallax is taken off where the picture as a whole shows some. Then five cues, as log-odds:
    *motion*, as far as the pictures confirm it (`motionseg.fuse.flow_trust`); *boundary*, the votes of rays across
    motion boundaries; *appearance*, colours learned from the masks of the last frames; *prior*, the last score carried
    along the flow; *border*. What is seen through the place that something has just left, and was not foreground, has
    merely come into view: its motion does not count.

    Something at rest before a camera that moves is background, and so is what moves as the camera would make it move.
    Memory: one BGR frame, and 1.3 MB.

    References
    ----------
    The cues are those of A. Papazoglou, V. Ferrari, Fast object segmentation in unconstrained video, ICCV 2013,
    doi:10.1109/ICCV.2013.223; the photometric test, the treatment of what comes into view and the mean field are ours.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> world = cv2.GaussianBlur(rng.integers(0, 256, (140, 220, 3), np.uint8), (0, 0), 2) * np.uint8(2)
    >>> thing = cv2.GaussianBlur(rng.integers(0, 256, (40, 40, 3), np.uint8), (0, 0), 2) * np.uint8(2)
    >>> model = FlowFused()
    >>> for i in range(8):
    ...     frame = world[10:130, 2 * i : 2 * i + 160].copy()  # the camera pans to the right
    ...     frame[40:80, 30 + 3 * i : 70 + 3 * i] = thing
    ...     mask = model.apply(frame)
    >>> mask[60, 71] > 0, mask[100, 20] > 0
    (np.True_, np.False_)
    """

    info = ModelInfo(
        paper="after Papazoglou, Ferrari 2013, Fast object segmentation in unconstrained video, "
        "doi:10.1109/ICCV.2013.223",
        speed="slow",
        good_at="cameras that pan, follow or travel; no background needed",
    )
    _arrays = ("_last", "_believed", "_threshold", "_parallax")
    _global_arrays = _arrays

    def __init__(
        self,
        *,
        estimator: FlowEstimator | None = None,
        fuser: MeanField | None = None,
        appearance: Appearance | None = None,
    ) -> None:
        super().__init__(estimator)
        self.fuser = MeanField() if fuser is None else fuser
        self.appearance = Appearance() if appearance is None else appearance
        for part, kind in ((self.fuser, MeanField), (self.appearance, Appearance)):
            if not isinstance(part, kind):
                raise ParameterError(f"{kind.__name__.lower()} is a {kind.__name__}, not {part!r}")
        self._colours = self.appearance.clone()
        self._fusion: Fusion | None = None
        self.has_parallax = False

    # --- one frame -------------------------------------------------------------------------

    def _start_pairs(self, frame: Frame) -> None:
        small = resized(frame, _SIDE)
        self._believed = np.zeros(small.shape[:2], np.float32)  # the last score
        self._threshold = np.zeros(1)  # of the motion cue
        self._parallax = np.array([0.5])  # how often the picture has shown some, of late
        self._colours = self.appearance.clone()

    def _compare(self, frame: Frame, mask: Mask, score: Score, *, learn: bool) -> None:
        flow = self._flow_back(frame)
        small = resized(frame, _SIDE)
        self._fusion, (threshold, parallax) = self._fused(
            small, resized(self._last, _SIDE), shrunk_flow(flow, small.shape)
        )
        large = cv2.resize(self._fusion.score, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
        score[...] = np.clip(large, 0, 1)
        mask[...] = np.where(score >= 0.5, np.uint8(FOREGROUND), np.uint8(BACKGROUND))
        if learn:
            self._believed, self._threshold = self._fusion.score, np.array([threshold])
            self._parallax = np.array([float(parallax)])
            self._colours.update(small, self._believed)

    def _fused(self, small: Frame, last: Frame, flow: Flow) -> tuple[Fusion, tuple[float, float]]:
        """The fused cues of two small frames, `flow` from the new one back, and threshold and parallax for the next."""
        first = self._colours.n_frames == 0
        world = None if first else self._believed < 0.5
        fit = self._fit(flow, world)
        camera = fit.flow(flow.shape)
        confirmed, followed = flow_trust(small, last, flow, camera)
        sure = confirmed > 0.5  # the flow of skies and waters leads anywhere, also to an epipole
        around = epipolar_residual(flow, fit, valid=sure if world is None else sure & world)
        parallax = 0.9 * self._parallax[0] + 0.1 * around.is_parallax
        self.has_parallax = parallax > _PARALLAX
        if around.is_parallax != self.has_parallax:
            around = epipolar_residual(flow, fit, valid=world, believe=self.has_parallax)
        residual = cv2.GaussianBlur(around.residual, (0, 0), _SPREAD)
        motion, threshold = motion_cue(
            residual, confirmed, least=_LEAST_MOTION, threshold=None if first else self._threshold[0]
        )
        cues = {"motion": motion, "border": border_cue(small.shape)}
        if self.fuser.boundary:
            cues["boundary"] = vote_cue(inside_votes(motion_boundaries(flow - camera)))
        if not first:
            carried, covered = (_carried(self._believed, way) for way in (flow, camera))
            came_into_view = covered * (1 - carried)
            motion[...] = np.where(motion > 0, motion * (1 - came_into_view), motion)
            cues["prior"] = prior_cue(carried, followed)
        if self._colours.n_frames >= _BORN:
            cues["appearance"] = self._colours.log_odds(small)
        return self.fuser.fuse(cues, frame=small), (threshold, parallax)

    def evidence(self) -> dict[str, Values]:
        """What each cue has added to the log-odds of the last score, float32 (H, W); empty before two frames."""
        if self._fusion is None or self._shape is None:
            return {}
        size = self._shape[1::-1]
        return {name: cv2.resize(share, size) for name, share in self._fusion.evidence.items()}

    # --- state -------------------------------------------------------------------------------

    def reset(self) -> None:
        super().reset()
        self._colours, self._fusion, self.has_parallax = self.appearance.clone(), None, False

    def memory(self) -> int:
        return super().memory() + sum(array.nbytes for array in self._colours.state().values())

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return super().state() | {f"colours.{name}": array for name, array in self._colours.state().items()}

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        colours = self.appearance.clone()
        colours.load_state({k.removeprefix("colours."): v for k, v in state.items() if k.startswith("colours.")})
        BackgroundModel.load_state(self, state)
        self._colours = colours


def shrunk_flow(flow: Flow, shape: tuple[int, ...]) -> Flow:
    """`flow` for a picture of `shape` (H, W, ...), in its pixels."""
    if flow.shape[:2] == shape[:2]:
        return flow
    ratio = np.array([shape[1] / flow.shape[1], shape[0] / flow.shape[0]], np.float32)
    return np.asarray(cv2.resize(flow, shape[1::-1], interpolation=cv2.INTER_AREA) * ratio)


def _carried(score: Score, flow: Flow) -> Score:
    """The last score (H, W) where `flow` finds it."""
    return np.asarray(np.clip(warp_by_flow(score, flow)[0], 0, 1))
