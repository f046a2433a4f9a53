"""One run of the refinement network for the frames of several cameras, each of which has a thread of its own."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from motionseg.core.checks import check_number
from motionseg.core.types import Flow, Frame, Mask, Score
from motionseg.pipeline.refined import Refined
from motionseg.pipeline.segmenter import MotionSegmenter
from motionseg.refine.refiner import Refiner, View, refine_together

__all__ = ["SharedRefiner", "SharedRuns", "share_refiner"]

S = TypeVar("S", bound="SharedRefiner")

_ABSENT = 1.0  # seconds without a frame after which nobody waits for a camera any more
_MOST = 16  # frames in a run


@dataclass(eq=False)
class _Turn:
    """A frame that waits for a run."""

    refiner: Refiner
    view: View
    is_taken: bool = False
    score: Score | None = None
    error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        return self.score is not None or self.error is not None


class SharedRuns:
    """Gathers the frames that several threads want refined, and refines together what is there.

    Parameters
    ----------
    wait : float in [0, 1]
        Seconds for which a frame waits for those of other cameras. It does not where all that had a frame within the
        last second are there; a camera that is dead or slow holds nobody up for longer.

    Raises
    ------
    ParameterError
        `wait` is out of range.

    Notes
    -----
    There is no thread of its own: of the threads that wait, one runs the network for all. Frames that come meanwhile
    are the next run.
    """

    def __init__(self, *, wait: float = 0.015) -> None:
        self.wait = check_number("wait", wait, 0, 1)
        self._lock = threading.Condition()
        self._waiting: list[_Turn] = []
        self._is_running = False
        self._seen: dict[int, float] = {}  # when each refiner had its last frame
        self._counts = {"runs": 0, "frames": 0}

    def status(self) -> dict[str, int]:
        """How often the network has run, and for how many frames."""
        with self._lock:
            return dict(self._counts)

    def refine(self, refiner: Refiner, view: View) -> Score:
        """As ``refiner.refine``, perhaps together with frames of other cameras; called from a thread for each.

        Raises
        ------
        FrameError, ParameterError
            The view does not fit. Nobody else is concerned.
        """
        refiner._checked(view)  # what is wrong with it is known before others share a run with it
        turn = _Turn(refiner, view)
        with self._lock:
            self._seen[id(refiner)] = time.monotonic()
            self._waiting.append(turn)
            self._lock.notify_all()
        while batch := self._await(turn):  # which may be those of others, where many wait
            try:
                _run(batch)
            finally:
                with self._lock:
                    self._is_running = False
                    self._lock.notify_all()
        if turn.error is not None:
            raise turn.error
        assert turn.score is not None
        return turn.score

    def _await(self, turn: _Turn) -> list[_Turn]:
        """Wait until `turn` is done, or a run is due: its frames, which are the caller's to refine."""
        with self._lock:
            end = time.monotonic() + self.wait
            while not turn.is_done:
                left = end - time.monotonic()
                if turn.is_taken or self._is_running:
                    self._lock.wait()
                elif left > 0 and not self._all_are_here():
                    self._lock.wait(left)
                else:
                    return self._take()
        return []

    def _all_are_here(self) -> bool:
        """Whether every camera that is alive waits; under the lock."""
        since = time.monotonic() - _ABSENT
        self._seen = {key: when for key, when in self._seen.items() if when > since}
        return len(self._waiting) >= min(len(self._seen), _MOST)

    def _take(self) -> list[_Turn]:
        """The frames of the next run; under the lock."""
        batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
        self._is_running = True
        for turn in batch:
            turn.is_taken = True
        self._counts["runs"] += 1
        self._counts["frames"] += len(batch)
        return batch


def _run(batch: list[_Turn]) -> None:
    """Give every turn its score or its error."""
    groups: dict[Any, list[_Turn]] = {}
    for turn in batch:
        refiner = turn.refiner
        groups.setdefault((id(refiner._engine), turn.view.frame.shape[:2], refiner.tile), []).append(turn)
    try:
        for turns in groups.values():
            try:
                _refine(turns)
            except Exception as failure:  # the network has failed before any refiner was changed
                if len(turns) == 1:
                    turns[0].error = failure
                    continue
                for turn in turns:
                    try:
                        _refine([turn])
                    except Exception as own:
                        turn.error = own
    except BaseException as failure:
        for turn in batch:
            turn.error = turn.error if turn.is_done else failure
        raise


def _refine(turns: list[_Turn]) -> None:
    scores = refine_together([turn.refiner for turn in turns], [turn.view for turn in turns])
    for turn, score in zip(turns, scores, strict=True):
        turn.score = score


class SharedRefiner(Refiner):
    """A refiner of one camera whose frames are refined together with those of other cameras.

    Parameters
    ----------
    runs : SharedRuns
        The same one for all cameras.
    weights, device, dtype, tile, compile
        Of :class:`~motionseg.refine.Refiner`.

    Notes
    -----
    It says what a refiner alone says, up to the rounding of sums: of the scores less than 1e-3.
    """

    def __init__(
        self,
        runs: SharedRuns,
        *,
        weights: str | Path = "small",
        device: str = "auto",
        dtype: str = "auto",
        tile: int | None = None,
        compile: bool = False,
    ) -> None:
        super().__init__(weights=weights, device=device, dtype=dtype, tile=tile, compile=compile)
        self.runs = runs

    def clone(self: S, **changes: Any) -> S:
        plain = Refiner(**self.params()).clone(**changes)  # says what is wrong with the changes
        return type(self)(self.runs, **plain.params())

    def refine(
        self,
        frame: Frame,
        background: Frame | None = None,
        score: Score | None = None,
        *,
        mask: Mask | None = None,
        flow_back: Flow | None = None,
        camera: Any = None,
    ) -> Score:
        return self.runs.refine(self, View(frame, background, score, mask, flow_back, camera))


def share_refiner(segmenter: MotionSegmenter, runs: SharedRuns) -> MotionSegmenter:
    """Let a fresh segmenter refine together with others; one that does not refine stays as it is. Returns it."""
    model = segmenter.background
    if isinstance(model, Refined):
        shared = SharedRefiner(runs, **model.refiner.params())
        segmenter.background = Refined(model.model, refiner=shared, estimator=model.estimator)
    return segmenter
