"""A method through a sequence, and its results against the truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.background.base import BackgroundModel
from motionseg.core.checks import check_choice
from motionseg.core.errors import FrameError, ParameterError, SourceError, UnsupportedError
from motionseg.core.types import Boxes, Frame, Regions, Segmentation
from motionseg.datasets.base import BoxTruth, Sequence
from motionseg.flow.base import FlowEstimator
from motionseg.pipeline._judges import JUDGES, combine
from motionseg.pipeline.segmenter import MotionSegmenter
from motionseg.track.base import RegionLinker

__all__ = ["Evaluation", "Run", "WorstFrame", "combine", "evaluate", "regions_of_boxes"]

Method = BackgroundModel | MotionSegmenter | RegionLinker | FlowEstimator
_LABELLED = ("objects", "regions")  # tasks whose results are labels that last, not masks


class Run:
    """A method going through a sequence; iterate once, for ``(index, result)`` of every frame.

    Parameters
    ----------
    sequence : Sequence
        Frames are taken from the first one to the last that is judged: a model learns before it is judged.
    method : BackgroundModel, MotionSegmenter, RegionLinker or FlowEstimator
        Fresh. Where a task wants objects, a background model is put into a MotionSegmenter, which makes regions and
        tracks of its masks. A linker gets the sequence's detections; where there are none, the true boxes that are
        judged. A flow estimator gets every frame that has truth with the next one.
    task : str
        That of the dataset: change, foreground, objects, regions, boxes or flow.
    offline : bool
        Let a background model learn the empty scene from the whole sequence first; its time does not count.

    Attributes
    ----------
    seconds, frames : float, int
        Spent in the method, without reading; the first frame, which pays for loading kernels, does not count.
    problems : list of str
        Frames that could not be read; the method has not seen them.

    Raises
    ------
    ParameterError
        The method cannot do this task.
    """

    def __init__(self, sequence: Sequence, method: Method, *, task: str, offline: bool = False) -> None:
        wanted = {"boxes": RegionLinker, "flow": FlowEstimator}.get(task, (BackgroundModel, MotionSegmenter))
        if not isinstance(method, wanted):
            raise ParameterError(f"{type(method).__name__} cannot do the task {task!r} of {sequence.full_name}")
        if task in _LABELLED and isinstance(method, BackgroundModel):
            method = MotionSegmenter(background=method)
        if offline and not isinstance(method, (BackgroundModel, MotionSegmenter)):
            raise ParameterError(f"{type(method).__name__} has no background to learn offline")
        self.sequence, self.method, self.task, self.offline = sequence, method, task, offline
        self.seconds, self.frames = 0.0, 0
        self.problems: list[str] = []
        self._is_warm = False

    @property
    def fps(self) -> float:
        """Frames per second of the method alone; NaN before the second frame."""
        return self.frames / self.seconds if self.seconds else float("nan")

    def background(self) -> Frame | None:
        """The learned picture of the empty scene; None where the method has none, or cannot show it."""
        model = self.method.background if isinstance(self.method, MotionSegmenter) else self.method
        try:
            return model.background() if isinstance(model, BackgroundModel) else None
        except UnsupportedError:
            return None

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        if isinstance(self.method, RegionLinker):
            return self._linked(self.method)
        if isinstance(self.method, FlowEstimator):
            return self._estimated(self.method)
        return self._segmented()

    def _segmented(self) -> Iterator[tuple[int, Segmentation]]:
        if self.offline:
            assert isinstance(self.method, (BackgroundModel, MotionSegmenter))
            readable = (self._read(index) for index in range(len(self.sequence.frames)))
            self.method.bootstrap(frame for frame in readable if frame is not None)
        for index in range(min(len(self.sequence.frames), self.sequence.range.stop)):
            frame = self._read(index)
            if frame is not None:
                yield index, self._timed(self._step, frame, index)

    def _step(self, frame: Frame, index: int) -> Segmentation:
        seconds = index / self.sequence.fps
        if isinstance(self.method, MotionSegmenter):
            return self.method.step(frame, seconds, index=index)
        assert isinstance(self.method, BackgroundModel)
        mask = self.method.apply(frame)
        return Segmentation(index, seconds, mask, self.method.score())

    def _linked(self, linker: RegionLinker) -> Iterator[tuple[int, Any]]:
        detections = self.sequence.detections
        for index in self.sequence.range:
            if detections:
                found = detections.get(index)
                boxes, scores = (found.boxes, found.scores) if found else (_NO_BOXES, _NO_SCORES)
            else:
                truth: BoxTruth | None = self.sequence.truth.get(index)
                boxes = _NO_BOXES if truth is None else truth.boxes[truth.scores > 0]
                scores = np.ones(len(boxes), np.float32)
            tracks = self._timed(linker.update, regions_of_boxes(boxes, scores), index / self.sequence.fps)
            yield index, tracks.visible

    def _estimated(self, estimator: FlowEstimator) -> Iterator[tuple[int, Any]]:
        for index in self.sequence.judged:
            previous, current = self._read(index), self._read(index + 1)
            if previous is not None and current is not None:
                if not self._is_warm:  # many sequences are a single pair
                    self._timed(estimator.estimate, previous, current)
                yield index, self._timed(estimator.estimate, previous, current)

    def _read(self, index: int) -> Frame | None:
        try:
            return self.sequence.frames[index]
        except SourceError as error:
            self.problems.append(str(error))
            return None

    def _timed(self, work: Callable[..., Any], *arguments: Any) -> Any:
        began = time.perf_counter()
        result = work(*arguments)
        if self._is_warm:
            self.seconds += time.perf_counter() - began
            self.frames += 1
        self._is_warm = True
        return result


_NO_BOXES, _NO_SCORES = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)


def regions_of_boxes(boxes: Boxes, scores: npt.NDArray[np.floating]) -> Regions:
    """Boxes (N, 4) that somebody else has found, with their scores (N,), as regions for a linker."""
    size = boxes[:, 2:] - boxes[:, :2]
    return Regions(
        boxes=boxes,
        areas=np.maximum(size[:, 0] * size[:, 1], 1).astype(np.int64),
        centroids=(boxes[:, :2] + boxes[:, 2:]) / 2,
        scores=scores.astype(np.float32),
        colors=np.zeros((len(boxes), 3), np.float32),
    )


@dataclass(frozen=True, eq=False)
class WorstFrame:
    """A frame that a method did badly.

    Attributes
    ----------
    index : int
        In its sequence, from 0.
    cost : float
        What the frames are compared by: the share of wrong pixels or boxes, 1 - J, or the endpoint error.
    picture : uint8 (H, W, 3)
        Frame, truth, result and error map, side by side.
    """

    index: int
    cost: float
    picture: Frame


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How one method did on one sequence.

    Attributes
    ----------
    metrics : dict of str to float
        The task's measures under the field's names; NaN where one is not defined.
    counts : dict
        The sums that the measures were made from, plain numbers and lists.
    curve : dict of str to list of float
        ``recall`` and ``precision`` over all thresholds of the score; empty where there is none.
    judged : int
        Frames that were compared with truth.
    problems : list of str
        What could not be read or compared, each with its file or frame.
    worst : list of WorstFrame
        The worst frame of each part of the sequence, in the order of time.
    """

    metrics: dict[str, float]
    counts: dict[str, Any]
    curve: dict[str, list[float]]
    judged: int
    problems: list[str]
    worst: list[WorstFrame] = field(default_factory=list)


def evaluate(
    sequence: Sequence,
    results: Iterable[tuple[int, Any]],
    *,
    task: str,
    keep_worst: int = 3,
    on_result: Callable[[int, Any], Any] = lambda index, result: None,
) -> Evaluation:
    """Judge the results of a sequence by its benchmark's official rule.

    Parameters
    ----------
    sequence : Sequence
        What is true.
    results : iterable of (int, object)
        Frame index and what was found there, ascending, a :class:`Run` for instance: Segmentation; for the task
        ``boxes`` Tracks, for ``flow`` float32 (H, W, 2). Frames that are not judged may be among them.
    task : str
        That of the dataset: change, foreground, objects, regions, boxes or flow.
    keep_worst : int, at least 0
        Into how many equal parts the judged frames are divided; of each the worst is kept as a picture.
    on_result : callable
        Told of each result: its index, and what was found.

    Returns
    -------
    Evaluation
        Frames whose truth is damaged are left out and named in `problems`.

    Raises
    ------
    SourceError
        No frame could be judged, or a result that is not of a `Run` has not the size of its truth.
    ParameterError
        There is no such task.
    """
    judge = JUDGES[check_choice("task", task, tuple(JUDGES))](sequence)
    judged = sequence.judged
    part = {index: k * keep_worst // len(judged) for k, index in enumerate(judged)}
    worst: dict[int, tuple[float, int, Any, Any]] = {}
    problems: list[str] = []
    done = 0
    for index, result in results:
        if index in part:
            try:
                truth = sequence.truth[index]
                cost = judge.judge(index, truth, result)
            except SourceError as error:
                problems.append(str(error))
            except FrameError as error:
                if not isinstance(results, Run):  # a run's results have the size of the frames, so the truth is damaged
                    raise SourceError(str(error), source=sequence.full_name, frame=index) from error
                problems.append(f"frame {index}: {error}")
            else:
                done += 1
                if keep_worst and cost > worst.get(part[index], (-1.0,))[0]:
                    worst[part[index]] = cost, index, truth, result
        if judged and index == judged[-1] and index in sequence.background and isinstance(results, Run):
            judge.judge_background(results.background(), sequence.background[index])
        on_result(index, result)
    problems = list(dict.fromkeys([*sequence.problems, *getattr(results, "problems", ()), *problems]))
    if not done:
        what = problems[0] if problems else "there is neither truth nor a result"
        raise SourceError(f"no frame could be judged: {what}", source=sequence.full_name)
    return Evaluation(
        metrics=judge.metrics(),
        counts=judge.counts(),
        curve=judge.curve(),
        judged=done,
        problems=problems,
        worst=[_worst_frame(judge, sequence, *worst[k]) for k in sorted(worst)],
    )


def _worst_frame(judge: Any, sequence: Sequence, cost: float, index: int, truth: Any, result: Any) -> WorstFrame:
    frame = sequence.frames[index] if index < len(sequence.frames) else None
    return WorstFrame(index, cost, judge.strip(frame, truth, result))
