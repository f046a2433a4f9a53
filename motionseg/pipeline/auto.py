"""Any camera: watches whether it stands, shakes, pans or travels, and segments in the way that suits it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from motionseg.background._guarded import Guarded
from motionseg.background.adaptive import Adaptive
from motionseg.background.base import BackgroundModel
from motionseg.camera.base import CameraMotion
from motionseg.camera.sparse_corners import SparseCorners
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_frame
from motionseg.core.errors import ParameterError, StateError, UnsupportedError
from motionseg.core.types import FOREGROUND, Frame, Mask, Score
from motionseg.fuse.base import Fusion
from motionseg.fuse.cues import score_cue
from motionseg.pipeline._camera_watch import WINDOW, CameraWatch
from motionseg.pipeline._described import load_described, save_described
from motionseg.pipeline._flow_offline import FlowOffline
from motionseg.pipeline.compensated import Compensated
from motionseg.pipeline.flow_fused import FlowFused, enlarged, write_enlarged

__all__ = ["BEHAVIOURS", "WAYS", "Auto"]

A = TypeVar("A", bound="Auto")

BEHAVIOURS = ("still", "shaking", "panning", "travelling")
"""What a camera may do: stand; move about one place; look elsewhere; move through the scene, so that depth shows."""
WAYS = ("background", "compensated", "flow")
"""How a frame is segmented."""

_WARM = 25  # frames that a background is learned for before it is relied upon


class Auto(BackgroundModel):
    """Segments what moves before any camera, and changes the way when the camera's behaviour does.

    Parameters
    ----------
    fixed : Compensated, optional
        For cameras that stand or shake; default ``Compensated(Guarded(Adaptive()))``, which before a camera that rests
        gives the masks of ``Guarded(Adaptive())``, exactly.
    moving : FlowFused, optional
        For cameras that pan or travel.
    camera : CameraMotion, optional
        Watches; default ``SparseCorners()``.

    Raises
    ------
    ParameterError
        A part is of another kind.

    Attributes
    ----------
    behaviour : str
        What the camera does, one of `BEHAVIOURS`.
    way : str
        How the last frame was segmented, one of `WAYS`: by a background that was learned; by one behind a camera whose
        motion is compensated; by flow.

    Notes
    -----
    The camera's steps from frame to frame are added up over the last 25 frames. It *stands* if none of them was longer
    than half a pixel (of 240 rows; lengths grow with the frame); it *pans or travels* if within these frames it has got
    6 pixels away from somewhere, on a way less than three times as long; it *travels* where the flow shows parallax;
    otherwise it *shakes*. During the first second a camera that moves at all is taken for one that pans, while its
    background is learned already.

    When a camera comes to rest elsewhere, a new background is learned for 25 frames before it takes over; what flow
    calls foreground meanwhile is not learned. When one begins to pan, the flow starts from the last background mask.
    When the shot changes all starts anew.

    `bootstrap` (offline) sees the whole clip: the background is learned from all of it, and frames before a moving
    camera are segmented in both directions of time; each of these frames is recognised when it comes again.

    Memory: that of both ways together, and one frame and its score.

    Examples
    --------
    >>> import cv2
    >>> noise = np.random.default_rng(0).integers(0, 256, (150, 230, 3), np.uint8)
    >>> world = cv2.GaussianBlur(noise, (0, 0), 2) * np.uint8(2)
    >>> model = Auto()
    >>> for i in range(12):
    ...     mask = model.apply(world[:120, 5 * i : 5 * i + 160])
    >>> model.behaviour, model.way
    ('panning', 'flow')
    """

    info = ModelInfo(paper="see the ways inside", speed="medium", good_at="any camera: decides for itself")
    _unsupported = frozenset({"learning_rate", "restart"})
    _arrays = ("_learned", "_believed")
    _global_arrays = _arrays

    def __init__(
        self,
        *,
        fixed: Compensated | None = None,
        moving: FlowFused | None = None,
        camera: CameraMotion | None = None,
    ) -> None:
        self.fixed = Compensated(Guarded(Adaptive())) if fixed is None else fixed
        self.moving = FlowFused() if moving is None else moving
        self.camera = SparseCorners() if camera is None else camera
        parts = (("fixed", self.fixed, Compensated), ("moving", self.moving, FlowFused))
        for name, part, kind in (*parts, ("camera", self.camera, CameraMotion)):
            if not isinstance(part, kind):
                raise ParameterError(f"{name} is a {kind.__name__}, not {part!r}")
        self._offline: FlowOffline | None = None
        self._known: npt.NDArray[np.bool_] | None = None
        self._before: Frame | None = None
        self._forget()

    def _forget(self) -> None:
        """No way has been gone."""
        self._background: Compensated | None = None
        self._flow: FlowFused | None = None
        self._found: Fusion | None = None
        self.behaviour, self.way = "still", "background"

    def _start(self, frame: Frame) -> None:
        self._learned = np.zeros(1, np.int64)  # frames that the background has
        self._believed = np.zeros(frame.shape[:2], np.float32)  # score of the last frame that was learned
        self._forget()
        self._watch = CameraWatch(self.camera, frame)
        self._background = self.fixed.clone()

    # --- one frame -----------------------------------------------------------------------------

    def _learn(
        self, frame: Frame, mask: Mask, learning_rate: float | None, known: npt.NDArray[np.bool_] | None
    ) -> None:
        self._known = known
        self._before = self._watch.last  # for a flow that takes over
        try:
            super()._learn(frame, mask, learning_rate, None)
        finally:
            self._known = self._before = None
        if learning_rate != 0 and self._score is not None:
            self._believed = self._score.copy()

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        if learning_rate == 0:
            self._look_only(frame, mask, score)
            return
        if not self._frames_seen:
            self._watch.start(frame)
        elif self._relies_on_background and not (self._offline is not None and frame in self._offline):
            if self._goes_on(frame, mask, score):
                return
        elif not self._watch.update(frame):
            self._start(frame)  # another shot
        if self._look_up(frame, mask, score):
            self._flow, self._background, self.way = None, None, "flow"
            self.behaviour = self._watch.verdict
            return
        self._find(frame, mask, score)
        self._name_behaviour()

    def _name_behaviour(self) -> None:
        travels = self._watch.verdict == "panning" and self._flow is not None and self._flow.has_parallax
        self.behaviour = "travelling" if travels else self._watch.verdict

    @property
    def _relies_on_background(self) -> bool:
        """Whether the next frame will go to the background, unless the camera turns away in it."""
        at_home = self._flow is None and self._background is not None and self._watch.verdict != "panning"
        return at_home and self._watch.n_frames >= WINDOW and bool(self._learned[0] >= _WARM)

    def _goes_on(self, frame: Frame, mask: Mask, score: Score) -> bool:
        """Segment by the background, which knows the camera's step, too; False if that is not the way any more."""
        model = self._background
        assert model is not None
        self._by_background(frame, mask, score)
        if model.is_new_shot:
            self._start(frame)
            return False
        if model.motion is not None:
            self._watch.note(frame, model.motion)
        elif not self._watch.update(frame):
            self._start(frame)
            return False
        if self._watch.verdict == "panning":
            return False
        self.way = "background" if self._watch.verdict == "still" else "compensated"
        self._found = None
        self._name_behaviour()
        return True

    def _look_up(self, frame: Frame, mask: Mask, score: Score) -> bool:
        """Fill in what was found offline, if the frame was among those of a whole clip."""
        self._found = None if self._offline is None else self._offline.look_up(frame)
        if self._found is not None:
            write_enlarged(self._found.score, mask, score)
            self._set_known(mask, score)
        return self._found is not None

    def _find(self, frame: Frame, mask: Mask, score: Score) -> None:
        """Segment in the way that suits, and keep the other ready where it may be wanted soon."""
        begins = self._watch.n_frames < WINDOW and self._offline is None
        pans = self._watch.verdict == "panning"
        moves = pans or (begins and self._watch.verdict == "shaking")
        knows = self._background is not None and self._learned[0] >= min(_WARM, self._watch.n_frames - 1)
        if knows and not moves:
            self._by_background(frame, mask, score)
            return
        self._by_flow(frame, mask, score)
        if pans:
            self._background, self._learned = None, np.zeros(1, np.int64)
        else:
            self._teach_background(frame, mask)

    def _teach_background(self, frame: Frame, mask: Mask) -> None:
        """Learn a background behind what flow sees moving."""
        if self._background is None:
            self._background, self._learned = self.fixed.clone(), np.zeros(1, np.int64)
        known = mask == FOREGROUND
        self._background.apply(frame, known_foreground=known if known.any() else None)
        self._learned = self._learned + 1

    def _by_background(self, frame: Frame, mask: Mask, score: Score) -> None:
        model = self._background
        assert model is not None
        mask[...] = model.apply(frame, known_foreground=self._known)
        score[...] = model.score()
        self._learned = self._learned + 1
        self._flow, self.way = None, "background" if self._watch.verdict == "still" else "compensated"

    def _by_flow(self, frame: Frame, mask: Mask, score: Score) -> None:
        if self._flow is None:
            self._flow = self.moving.clone()
            assert self._before is not None
            self._flow.take_over(self._before, self._believed)
        mask[...] = self._flow.apply(frame)
        score[...] = self._flow.score()
        self._set_known(mask, score)
        self.way = "flow"

    def _look_only(self, frame: Frame, mask: Mask, score: Score) -> None:
        """Classify without learning, in the way of the last frame."""
        if self._look_up(frame, mask, score):
            return
        model: BackgroundModel | None = self._background if self._flow is None else self._flow
        if model is not None:
            mask[...] = model.apply(frame, learning_rate=0)
            score[...] = model.score()
        else:  # after a frame of a whole clip nothing is at hand
            mask[...], score[...] = 0, 0
        self._set_known(mask, score)

    def _set_known(self, mask: Mask, score: Score) -> None:
        if self._known is not None:
            mask[self._known], score[self._known] = FOREGROUND, 1

    # --- what was found -------------------------------------------------------------------------

    def evidence(self) -> dict[str, npt.NDArray[np.float32]]:
        """What each cue has added to the log-odds of the last score, float32 (H, W); empty before the first frame."""
        if self._score is None:
            return {}
        if self._found is not None:
            return enlarged(self._found.evidence, self._score.shape)
        return {"background": score_cue(self._score)} if self._flow is None else self._flow.evidence()

    @property
    def motion(self) -> npt.NDArray[np.float64] | None:
        """The camera's motion to the last frame, float64 (3, 3), pixels; None before two frames of a shot."""
        return None if self._shape is None else self._watch.step

    @property
    def is_new_shot(self) -> bool:
        """Whether the last frame that was learned began another shot."""
        return self._shape is not None and self._frames_seen > 1 and self._watch.n_frames == 1

    @property
    def verdict(self) -> str | None:
        """What is said of the whole picture where the background is relied on; where flow is, ``"none"``."""
        if self.is_new_shot:
            return "camera_moved"
        return "none" if self._flow is not None or self._background is None else self._background.verdict

    def background(self) -> Frame:
        self._require_started()
        if self._background is None:
            raise UnsupportedError("before a camera that moves there is no background to show")
        return self._background.background()

    # --- whole clips, and state -------------------------------------------------------------------

    def bootstrap(self: A, frames: Iterable[Frame]) -> A:
        offline = FlowOffline(self.moving)
        background = self.fixed.clone().bootstrap(self._followed(frames, offline))
        shape = background._shape
        assert shape is not None
        self.reset()
        self._shape = shape
        self._start(np.zeros(shape, np.uint8))
        self._background, self._learned = background, np.array([_WARM])
        self._offline = offline
        return self

    def _followed(self, frames: Iterable[Frame], offline: FlowOffline) -> Iterator[Frame]:
        """The same frames; those near which the camera moves are shown to `offline` as they pass."""
        watch, waiting, since = None, deque[Frame](maxlen=WINDOW), WINDOW
        for frame in map(check_frame, frames):
            if watch is None:
                watch = CameraWatch(self.camera, frame)
            elif not watch.update(frame):
                offline.finish()
                waiting.clear()
                since = WINDOW
            since = 0 if watch.verdict == "panning" else since + 1
            if since < WINDOW:
                for earlier in (*waiting, frame):
                    offline.push(earlier)
                waiting.clear()
            else:
                offline.finish()
                waiting.append(frame.copy())
            yield frame
        offline.finish()

    def reset(self) -> None:
        super().reset()
        self._offline = None
        self._forget()

    def _parts(self) -> dict[str, Any]:
        parts = {"watch": self._watch, "background": self._background, "flow": self._flow}
        return {name: part for name, part in parts.items() if part is not None}

    def memory(self) -> int:
        if self._shape is None:
            return 0
        watch = sum(array.nbytes for array in self._watch.state().values())
        return super().memory() + watch + sum(p.memory() for p in (self._background, self._flow) if p is not None)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        state = super().state()
        if self._shape is not None:
            for name, part in self._parts().items():
                state |= {f"{name}.{key}": array for key, array in part.state().items()}
            words = [BEHAVIOURS.index(self.behaviour), WAYS.index(self.way)]
            state["words"] = np.array(words, np.int64)
        return state

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        fresh = self.clone()
        BackgroundModel.load_state(fresh, state)
        if fresh._shape is not None:
            try:
                fresh._load_parts(fresh._shape, state)
            except (KeyError, ValueError, IndexError, TypeError) as error:
                raise StateError(f"not a state of an Auto with these parameters: {error!r}") from error
        offline = self._offline
        self.reset()
        vars(self).update(vars(fresh))
        self._offline = offline  # a whole clip that was seen is still known

    def _load_parts(self, shape: tuple[int, ...], state: dict[str, npt.NDArray[Any]]) -> None:
        learned, believed = self._learned, self._believed
        self._start(np.zeros(shape, np.uint8))
        self._learned, self._believed = learned, believed
        names = {key.partition(".")[0] for key in state if "." in key}
        self._background = self.fixed.clone() if "background" in names else None
        self._flow = self.moving.clone() if "flow" in names else None
        for name, part in self._parts().items():
            start = f"{name}."
            part.load_state({key.removeprefix(start): v for key, v in state.items() if key.startswith(start)})
        behaviour, way = (int(word) for word in state["words"])
        self.behaviour, self.way = BEHAVIOURS[behaviour], WAYS[way]

    def save(self, path: str | os.PathLike[str]) -> None:
        save_described(self, path)

    @classmethod
    def load(cls: type[A], path: str | os.PathLike[str]) -> A:
        return load_described(cls, path)
