"""One camera's way from frames to tracks: what moves, cleaning, regions, linking."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.background._guarded import Guarded
from motionseg.background.adaptive import Adaptive
from motionseg.background.base import BackgroundModel
from motionseg.core.checks import check_choice, check_integer, check_number
from motionseg.core.errors import ParameterError, StateError, UnsupportedError
from motionseg.core.types import BACKGROUND, FOREGROUND, Flow, Frame, Mask, Score, Segmentation
from motionseg.flow.base import FlowEstimator
from motionseg.fuse.cues import score_cue
from motionseg.pipeline._held import Held
from motionseg.regions.clean import MaskCleaner
from motionseg.regions.components import find_regions
from motionseg.track.base import RegionLinker
from motionseg.track.linker import Linker

__all__ = ["MIN_SHARE", "MotionSegmenter"]

_DEFAULT: Any = object()
# A walker 10 pixels wide and 25 tall in a 640 x 480 picture has 8e-4 of it; less than a third of that is no object.
MIN_SHARE = 2.5e-4
"""Of the picture: regions smaller than this are dropped, unless ``min_area`` says otherwise."""
# What some models know beside mask and score: fields of a Segmentation, and the model's attributes.
_FACTS = {"camera": "motion", "behaviour": "behaviour", "way": "way", "verdict": "verdict"}


class MotionSegmenter:
    """Tells, frame after frame, what moves before one camera, and follows it.

    Parameters
    ----------
    background : BackgroundModel, optional
        Finds what moves; default ``Guarded(Adaptive())``. Any OpenCV subtractor goes through
        ``motionseg.background.from_cv2``.
    cleaner : MaskCleaner or None
        Removes specks and closes gaps; None: the model's mask as it is.
    linker : RegionLinker or None
        Gives regions ids that last; default ``Linker()``; None: no tracks.
    min_area : int, optional
        Smaller regions (px2) are dropped from mask, labels and tracks; default 1/4000 of the picture.
    estimator : FlowEstimator, optional
        Also estimates dense flow, as ``Segmentation.flow``, and for linkers that carry masks along (``MaskFlow``).
    explain : bool
        Also keep what each cue has added to the score of each pixel, as ``Segmentation.evidence``.

    Raises
    ------
    ParameterError
        A part is of another kind, `min_area` is not a positive integer, or `explain` no bool.

    Examples
    --------
    >>> segmenter = MotionSegmenter(linker=None)
    >>> empty = np.full((60, 80, 3), 100, np.uint8)
    >>> for i in range(20):
    ...     segmentation = segmenter.step(empty, time=i / 25)
    >>> frame = empty.copy()
    >>> frame[20:40, 30:50] = (20, 200, 30)
    >>> segmenter.step(frame, time=0.8).regions.boxes.tolist()
    [[29.0, 19.0, 51.0, 41.0]]
    """

    def __init__(
        self,
        *,
        background: BackgroundModel = _DEFAULT,
        cleaner: MaskCleaner | None = _DEFAULT,
        linker: RegionLinker | None = _DEFAULT,
        min_area: int | None = None,
        estimator: FlowEstimator | None = None,
        explain: bool = False,
    ) -> None:
        self.background = Guarded(Adaptive()) if background is _DEFAULT else background
        if not isinstance(self.background, BackgroundModel):
            raise ParameterError(f"background is a BackgroundModel, not {background!r}")
        self.cleaner = MaskCleaner() if cleaner is _DEFAULT else cleaner
        self.linker = Linker() if linker is _DEFAULT else linker
        if not isinstance(estimator, FlowEstimator | None):
            raise ParameterError(f"estimator is a FlowEstimator, not {estimator!r}")
        self.estimator = estimator
        self._before: Frame | None = None
        self._held = Held()
        self.min_area = min_area if min_area is None else check_integer("min_area", min_area, 1)
        self.explain = check_choice("explain", explain, (False, True))
        self._next_index, self._last_time = 0, -np.inf

    @classmethod
    def auto(cls, **parts: Any) -> MotionSegmenter:
        """A segmenter for any camera, fixed or moving: it decides for itself (`motionseg.pipeline.Auto`).

        Parameters
        ----------
        **parts
            All of the class, but `background`.
        """
        from motionseg.pipeline.auto import Auto

        return cls(background=Auto(), **parts)

    def step(
        self,
        frame: Frame,
        time: float,
        *,
        index: int | None = None,
        known_foreground: npt.NDArray[np.bool_] | None = None,
    ) -> Segmentation:
        """Segment one frame and learn from it.

        Parameters
        ----------
        frame : uint8 (H, W) or (H, W, 3)
            Grey or BGR; of the first frame's shape.
        time : float
            Seconds, later than the last frame's.
        index : int, optional
            The frame's number, for the result only; default: counted from 0.
        known_foreground : bool (H, W), optional
            Pixels that are foreground for sure and are not to be learned.

        Raises
        ------
        FrameError, ParameterError
            The frame does not fit, or time does not increase; nothing has changed.
        """
        time = check_number("time", time)
        if time <= self._last_time:
            raise ParameterError(f"time increases from frame to frame: {time} s after {self._last_time} s")
        raw = self.background.apply(frame, known_foreground=self._known(frame, known_foreground))
        score = self.background.score()
        flow = self._flow(frame)
        mask = raw if self.cleaner is None else self.cleaner.clean(raw)
        min_area = self.min_area or max(1, round(MIN_SHARE * mask.size))
        labels, regions = find_regions(mask, score=score, frame=frame, background=self._empty(), min_area=min_area)
        _drop_unlabelled(mask, labels)
        seen = self.background
        facts = {name: getattr(seen, attribute, None) for name, attribute in _FACTS.items()}
        tracks = identities = None
        if self.linker is not None:
            tracks = self.linker.update(regions, time, labels=labels, camera=facts["camera"], flow=flow, frame=frame)
            identities = self.linker.identities()
            self._held.update(frame, self.linker.known_foreground(), facts["camera"])
        index = self._next_index if index is None else index
        self._next_index, self._last_time = index + 1, time
        evidence = None if not self.explain else _evidence(seen, score)
        return Segmentation(
            index, time, mask, score, labels, regions, tracks, flow, **facts, evidence=evidence, identities=identities
        )

    def _flow(self, frame: Frame) -> Flow | None:
        """From the last frame to this one, if somebody is there to estimate it."""
        if self.estimator is None:
            return None
        last, self._before = self._before, frame.copy()
        return None if last is None else self.estimator.estimate(last, frame)

    def _empty(self) -> Frame | None:
        """The scene without things, where the linker asks for it and the model has it."""
        if self.linker is None or not self.linker.needs_background:
            return None
        try:
            return self.background.background()
        except UnsupportedError:  # a wrapped library's, or before a camera that moves
            return None

    def _known(self, frame: Frame, given: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.bool_] | None:
        """What is not to be learned: as the caller says, and where things have come to stand."""
        if "known_foreground" in self.background._unsupported:
            return given
        held = self._held.known(frame)
        return given if held is None else held if given is None else held | given

    def bootstrap(self, frames: Iterable[Frame]) -> None:
        """Start anew, and learn the empty scene from many frames at once (see ``BackgroundModel.bootstrap``).

        Parameters
        ----------
        frames : iterable of uint8 (H, W) or (H, W, 3)
            Best from the whole clip that is to be segmented then.

        Raises
        ------
        FrameError
            There is no frame, or one differs from the first in size; nothing has changed.
        UnsupportedError
            The background model wraps a library that cannot start anew.
        """
        self.background.bootstrap(frames)
        if self.linker is not None:
            self.linker.reset()
        self._next_index, self._last_time, self._before, self._held = 0, -np.inf, None, Held()

    def reset(self) -> None:
        """Forget what was learned; the next frame, of any size, is a first one and track ids start at 1."""
        self.background.reset()
        if self.linker is not None:
            self.linker.reset()
        self._next_index, self._last_time, self._before, self._held = 0, -np.inf, None, Held()

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Background and tracks as a dict of arrays: loaded into an equal segmenter, it continues bit for bit.

        Raises
        ------
        UnsupportedError
            The background model wraps a library that cannot tell its state.
        """
        own = {"next_index": np.array(self._next_index), "last_time": np.array(self._last_time)}
        own |= {f"background.{name}": array for name, array in self.background.state().items()}
        own |= self._held.state()
        if self._before is not None:
            own["before"] = self._before.copy()
        if self.linker is not None:
            own |= {f"linker.{name}": array for name, array in self.linker.state().items()}
        return own

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Continue from what :meth:`state` gave.

        Raises
        ------
        StateError
            Arrays are missing or do not fit; the segmenter is unchanged.
        """
        try:
            index, last_time = int(state["next_index"]), float(state["last_time"])
        except KeyError as error:
            raise StateError(f"the state of a MotionSegmenter lacks {error}") from error
        old = self.background.state()
        self.background.load_state(_part(state, "background."))
        if self.linker is not None:
            try:
                self.linker.load_state(_part(state, "linker."))
            except StateError:
                self.background.load_state(old)
                raise
        self._next_index, self._last_time = index, last_time
        before = state.get("before")
        self._before = None if before is None else before.copy()
        self._held.load_state(state)


def _evidence(model: BackgroundModel, score: Score) -> dict[str, npt.NDArray[np.float32]]:
    """The shares of a model that has several cues; of all others, what the score says."""
    tell = getattr(model, "evidence", None)
    return {"background": score_cue(score)} if tell is None else dict(tell())


def _part(state: dict[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}


def _drop_unlabelled(mask: Mask, labels: npt.NDArray[np.int32]) -> None:
    mask[(mask == FOREGROUND) & (labels == 0)] = BACKGROUND
