"""Any model, and the refinement network behind it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from motionseg.background.base import BackgroundModel
from motionseg.core.catalog import ModelInfo
from motionseg.core.errors import ParameterError, StateError, UnsupportedError
from motionseg.core.types import BACKGROUND, FOREGROUND, SHADOW, UNKNOWN, Flow, Frame, Mask, Score
from motionseg.flow.base import FlowEstimator
from motionseg.flow.opencv_dis import OpenCVDIS
from motionseg.fuse.cues import score_cue
from motionseg.pipeline._described import load_described, save_described
from motionseg.pipeline._frame_pairs import resized
from motionseg.refine.refiner import Refiner

__all__ = ["FLOW_SIDE", "Refined", "shown_background"]

R = TypeVar("R", bound="Refined")

FLOW_SIDE = 240
"""Pixels of the shorter side at which flow is estimated for the refinement network."""

_LEAST_SIDE = 16  # pixels: smaller pictures have no flow
_CLIP = 6.0  # log-odds beyond which nothing is told apart


class Refined(BackgroundModel):
    """Sharpens the masks of any model with a small network, which sees frame, background, score, mask and motion.

    Parameters
    ----------
    model : BackgroundModel
        What finds the foreground: a clone of it. It learns as it would alone.
    refiner : Refiner, optional
        Default ``Refiner()``.
    estimator : FlowEstimator, optional
        Default ``OpenCVDIS()``.

    Raises
    ------
    MissingExtraError
        torch is not installed.
    ParameterError
        A part is of another kind.

    Notes
    -----
    Flow is estimated on frames that are reduced to a shorter side of 240 pixels. Where the model says how the camera
    moved (``motion``), that motion is taken off. The mask is 85 where the model's is, 127 where the network sees cast
    shadow and no foreground.

    Memory: the model's, one small frame, and the network's last answer.

    Examples
    --------
    >>> from motionseg.background import RunningAverage
    >>> model = Refined(RunningAverage())
    >>> wall = np.full((96, 128, 3), 120, np.uint8)
    >>> for _ in range(10):
    ...     mask = model.apply(wall)
    >>> frame = wall.copy()
    >>> frame[30:70, 40:80] = (30, 60, 200)
    >>> mask = model.apply(frame)
    >>> int(mask[50, 60]), int(mask[10, 10])
    (255, 0)
    """

    info = ModelInfo(paper="ours", speed="medium", good_at="outlines, holes and specks of any model's mask")
    _arrays = ("_before",)
    _global_arrays = ("_before",)

    def __init__(
        self, model: BackgroundModel, *, refiner: Refiner | None = None, estimator: FlowEstimator | None = None
    ) -> None:
        if not isinstance(model, BackgroundModel):
            raise ParameterError(f"model is a BackgroundModel, not {model!r}")
        self.model = model
        self.refiner = Refiner() if refiner is None else refiner
        self.estimator = OpenCVDIS() if estimator is None else estimator
        for name, kind in (("refiner", Refiner), ("estimator", FlowEstimator)):
            if not isinstance(getattr(self, name), kind):
                raise ParameterError(f"{name} is a {kind.__name__}, not {getattr(self, name)!r}")
        self._unsupported = model._unsupported
        self._model: BackgroundModel | None = None
        self._network = self.refiner.clone()
        self._evidence: dict[str, npt.NDArray[np.float32]] = {}

    def params(self) -> dict[str, Any]:
        return {"model": self.model, **super().params()}

    # --- one frame -------------------------------------------------------------------------

    def _start(self, frame: Frame) -> None:
        if self._model is None:
            self._model = self.model.clone()
        self._before = resized(frame, FLOW_SIDE).copy()
        self._network.reset()

    def _learn(
        self, frame: Frame, mask: Mask, learning_rate: float | None, known: npt.NDArray[np.bool_] | None
    ) -> None:
        self._known = known  # the model inside keeps it from its memory
        super()._learn(frame, mask, learning_rate, None)

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        model = self._inner()
        raw = model.apply(frame, learning_rate=learning_rate, known_foreground=self._known)
        if getattr(model, "is_new_shot", False):
            self._network.reset()
        own, small = model.score(), resized(frame, FLOW_SIDE)
        flow = self._flow(small) if self._frames_seen else None
        kept = self._network.state()
        refined = self._network.refine(
            frame, shown_background(model), own, mask=raw, flow_back=flow, camera=getattr(model, "motion", None)
        )
        shadow = self._network.shadow()
        score[...] = refined
        mask[...] = np.where(score >= 0.5, FOREGROUND, np.where(shadow >= 0.5, SHADOW, BACKGROUND))
        unknown = raw == UNKNOWN
        mask[unknown], score[unknown] = UNKNOWN, 0
        if self._known is not None:
            mask[self._known], score[self._known] = FOREGROUND, 1
        self._note(model, own, score)
        if learning_rate == 0:
            self._network.load_state(kept)
        else:
            self._before = small.copy()

    def _flow(self, small: Frame) -> Flow | None:
        if min(small.shape[:2]) < _LEAST_SIDE:
            return None
        return self.estimator.estimate(small, self._before)

    def _inner(self) -> BackgroundModel:
        assert self._model is not None
        return self._model

    def _note(self, model: BackgroundModel, own: Score, score: Score) -> None:
        """Keep what the model's cues and the network have added to the score's log-odds."""
        tell = getattr(model, "evidence", None)
        shares = {"background": score_cue(own)} if tell is None else dict(tell())
        sure = np.clip(score, 1 / (1 + np.exp(_CLIP)), 1 / (1 + np.exp(-_CLIP)))
        total = np.log(sure / (1 - sure))
        for share in shares.values():
            total = total - share
        self._evidence = {**shares, "refinement": np.asarray(total, np.float32)}

    # --- what was found -------------------------------------------------------------------------

    def evidence(self) -> dict[str, npt.NDArray[np.float32]]:
        """What each cue has added to the log-odds of the last score, float32 (H, W); ``refinement``: the network."""
        return self._evidence

    def embed(self, labels: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        """Vectors of the last frame's regions (see :meth:`motionseg.refine.Refiner.embed`)."""
        return self._network.embed(labels)

    @property
    def motion(self) -> npt.NDArray[np.float64] | None:
        """The camera's motion to the last frame, float64 (3, 3), pixels, where the model tells it."""
        return getattr(self._model, "motion", None)

    @property
    def behaviour(self) -> str | None:
        """What the camera does, where the model tells it."""
        return getattr(self._model, "behaviour", None)

    @property
    def way(self) -> str | None:
        """How the model has segmented the last frame, where it tells it."""
        return getattr(self._model, "way", None)

    @property
    def verdict(self) -> str | None:
        """What the model says of the whole picture, where it does."""
        return getattr(self._model, "verdict", None)

    def background(self) -> Frame:
        self._require_started()
        return self._inner().background()

    # --- whole clips, and state -------------------------------------------------------------------

    def bootstrap(self: R, frames: Iterable[Frame]) -> R:
        model = self.model.clone().bootstrap(frames)
        shape = model._shape
        if shape is None:
            raise StateError("the model has learned nothing of the frames")
        self.reset()
        self._model, self._shape = model, shape
        self._before = resized(np.zeros(shape, np.uint8), FLOW_SIDE)
        return self

    def restart(self, frame: Frame, pixels: npt.NDArray[np.bool_]) -> None:
        self._require_supported("restart")
        self._require_started()
        self._inner().restart(frame, pixels)

    def warp(self, transform: npt.ArrayLike, frame: Frame) -> npt.NDArray[np.bool_]:
        self._require_supported("restart")
        self._require_started()
        return self._inner().warp(transform, frame)

    def reset(self) -> None:
        super().reset()
        self._model, self._evidence = None, {}
        self._network.reset()

    def memory(self) -> int:
        if self._shape is None:
            return 0
        last = sum(array.nbytes for array in self._network.state().values())
        return self._inner().memory() + self._before.nbytes + last

    def state(self) -> dict[str, npt.NDArray[Any]]:
        state = super().state()
        if self._shape is not None:
            state |= {f"model.{name}": array for name, array in self._inner().state().items()}
            state |= {f"network.{name}": array for name, array in self._network.state().items()}
        return state

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        def part(start: str) -> dict[str, npt.NDArray[Any]]:
            return {name.removeprefix(start): v for name, v in state.items() if name.startswith(start)}

        model, network = self.model.clone(), self.refiner.clone()
        fresh = self.clone()
        BackgroundModel.load_state(fresh, state)
        if fresh._shape is not None:
            model.load_state(part("model."))
            network.load_state(part("network."))
        before = getattr(fresh, "_before", None)
        self.reset()
        self._shape, self._frames_seen = fresh._shape, fresh._frames_seen
        self._network = network
        if fresh._shape is not None:
            self._model, self._before = model, before

    def save(self, path: str | os.PathLike[str]) -> None:
        save_described(self, path)

    @classmethod
    def load(cls: type[R], path: str | os.PathLike[str]) -> R:
        return load_described(cls, path)


def shown_background(model: BackgroundModel) -> Frame | None:
    """The background that a model has used for the last frame; None if it needs none, or cannot show it."""
    if getattr(model, "way", None) == "flow":
        return None  # it learns one, but the frame may lie elsewhere
    try:
        return model.background()
    except UnsupportedError:
        return None
