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
_ALONG_BORDER = 0.85  # share of what stirs there that must be parallax: things that pass by reach it, too
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
        for name, kind in (("fuser", MeanField), ("appearance", Appearance)):
            if not isinstance(getattr(self, name), kind):
                raise ParameterError(f"{name} is of class {kind.__name__}, not {getattr(self, name)!r}")
        self._colours = self.appearance.clone()
        self._fusion: Fusion | None = None
        self.has_parallax = False

    # --- one frame -------------------------------------------------------------------------

    def _start_pairs(self, frame: Frame) -> None:
        self.begin(reduced(frame).shape)

    def begin(self, shape: tuple[int, ...]) -> None:
        """Know nothing yet of frames whose reduced shape is `shape`; for those who call `advance` themselves."""
        self._believed = np.zeros(shape[:2], np.float32)  # the last score
        self._threshold = np.zeros(1)  # of the motion cue
        self._parallax = np.array([0.5])  # how often the picture has shown some, of late
        self._colours = self.appearance.clone()

    def take_over(self, frame: Frame, score: Score) -> None:
        """Start from a frame of which another method knows what moves: `score`, float32 (H, W) in [0, 1]."""
        self.reset()
        self.apply(frame)
        small = reduced(frame)
        small_score = cv2.resize(score, small.shape[1::-1], interpolation=cv2.INTER_AREA)
        self._believed = np.asarray(small_score, np.float32)
        self._colours.update(small, self._believed)

    def _compare(self, frame: Frame, mask: Mask, score: Score, *, learn: bool) -> None:
        small, flow = reduced(frame), self.flow_between(frame, self._last)
        self._fusion = self.advance(small, reduced(self._last), flow, learn=learn)
        write_enlarged(self._fusion.score, mask, score)

    def flow_between(self, frame: Frame, other: Frame) -> Flow:
        """The flow from `frame` to `other`, reduced as they are for fusing, in pixels of that size."""
        return shrunk_flow(self._flow(frame, other), reduced(frame).shape)

    def advance(self, small: Frame, last: Frame, flow: Flow, *, learn: bool = True) -> Fusion:
        """The fused cues of a reduced frame and the `last` one, `flow` from it to that one; remembered if `learn`."""
        first = self._colours.n_frames == 0
        world = None if first else self._believed < 0.5
        fit = self._fit(flow, world)
        camera = fit.flow(flow.shape)
        confirmed, followed = flow_trust(small, last, flow, camera)
        sure = confirmed > 0.5  # the flow of skies and waters leads anywhere, also to an epipole
        around = epipolar_residual(flow, fit, valid=sure)
        seen = around.is_parallax and around.border >= _ALONG_BORDER
        parallax = 0.9 * self._parallax[0] + 0.1 * seen
        self.has_parallax = bool(parallax > _PARALLAX)
        if around.is_parallax != self.has_parallax:
            around = epipolar_residual(flow, fit, valid=world, believe=self.has_parallax)
        residual = cv2.GaussianBlur(around.residual, (0, 0), _SPREAD)
        before = None if first else float(self._threshold[0])
        motion, threshold = motion_cue(residual, confirmed, least=_LEAST_MOTION, threshold=before)
        cues = {"motion": motion, "border": border_cue(small.shape)}
        if self.fuser.boundary:
            cues["boundary"] = vote_cue(inside_votes(motion_boundaries(flow - camera)))
        if not first:
            prior, covered = (carried(self._believed, way) for way in (flow, camera))
            came_into_view = covered * (1 - prior)
            cues["motion"] = np.where(motion > 0, motion * (1 - came_into_view), motion)
            cues["prior"] = prior_cue(prior, followed)
        if self._colours.n_frames >= _BORN:
            cues["appearance"] = self._colours.log_odds(small)
        fusion = self.fuser.fuse(cues, frame=small)
        if learn:
            self._believed, self._threshold = fusion.score, np.array([threshold])
            self._parallax = np.array([parallax])
            self._colours.update(small, fusion.score)
        return fusion

    def evidence(self) -> dict[str, Values]:
        """What each cue has added to the log-odds of the last score, float32 (H, W); empty before two frames."""
        if self._fusion is None or self._shape is None:
            return {}
        return enlarged(self._fusion.evidence, self._shape)

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


def reduced(frame: Frame) -> Frame:
    """`frame` at the size at which cues are fused."""
    return resized(frame, _SIDE)


def write_enlarged(small: Score, mask: Mask, score: Score) -> None:
    """Fill `mask` and `score` (H, W) from a score of the reduced frame."""
    large = small if small.shape == mask.shape else cv2.resize(small, mask.shape[::-1])
    score[...] = np.clip(large, 0, 1)
    mask[...] = np.where(score >= 0.5, np.uint8(FOREGROUND), np.uint8(BACKGROUND))


def enlarged(evidence: dict[str, Values], shape: tuple[int, ...]) -> dict[str, Values]:
    """The shares of cues in a reduced frame, for a frame of `shape` (H, W, ...)."""
    return {name: np.asarray(cv2.resize(share, shape[1::-1])) for name, share in evidence.items()}


def shrunk_flow(flow: Flow, shape: tuple[int, ...]) -> Flow:
    """`flow` for a picture of `shape` (H, W, ...), in its pixels."""
    if flow.shape[:2] == shape[:2]:
        return flow
    ratio = np.array([shape[1] / flow.shape[1], shape[0] / flow.shape[0]], np.float32)
    return np.asarray(cv2.resize(flow, shape[1::-1], interpolation=cv2.INTER_AREA) * ratio)


def carried(values: Values, flow: Flow) -> Values:
    """Values (H, W) of the last frame where `flow` finds them."""
    return np.asarray(warp_by_flow(values, flow)[0])
