"""One judge per task: it takes the results of a sequence frame by frame and knows the official measures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import abc
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property, reduce
from operator import add
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.errors import FrameError
from motionseg.core.geometry import box_iou
from motionseg.core.types import FOREGROUND, Flow, Frame, Mask, Segmentation, Tracks
from motionseg.datasets.base import BoxTruth, FlowTruth, Sequence
from motionseg.metrics import (
    ChangeCounts,
    CLEARCounts,
    HOTACounts,
    IdentityCounts,
    ObjectScores,
    RegionCounts,
    ScoreCounts,
    Trajectories,
    compare_backgrounds,
    contour_accuracy,
    count_change,
    count_clear,
    count_flow,
    count_hota,
    count_identity,
    count_regions,
    count_scores,
    judge_objects,
    pair_boxes,
    region_similarity,
    statistics,
    temporal_stability,
    without_distractors,
)
from motionseg.viz import color_flow, color_labels, contact_sheet, draw_boxes, error_map

__all__ = ["JUDGES", "Judge", "combine"]

_MOST_OBJECTS = 20  # of the unsupervised DAVIS-2017 protocol
_UNKNOWN = 170  # CDnet's code
_DISTRACTORS, _MOT20 = (2, 7, 8, 12), (2, 6, 7, 8, 12)  # classes that the MOTChallenge takes out


class Judge(ABC):
    """Collects one sequence."""

    def __init__(self, sequence: Sequence) -> None:
        self.sequence = sequence

    @abstractmethod
    def judge(self, index: int, truth: Any, result: Any) -> float:
        """Take one frame; return its cost, by which frames of a sequence are compared: the higher the worse.

        Raises FrameError, and takes nothing, where truth and result do not fit.
        """

    @abstractmethod
    def metrics(self) -> dict[str, float]:
        """The official measures under the field's names."""

    def judge_background(self, found: Frame | None, truth: Frame) -> None:  # noqa: B027 - most have no use for it
        """Take a learned picture of the empty scene and the true one."""

    def counts(self) -> dict[str, Any]:
        """The sums behind the measures."""
        return {}

    def curve(self) -> dict[str, list[float]]:
        """Recall and precision over all thresholds."""
        return {}

    @abstractmethod
    def pictures(self, frame: Frame | None, truth: Any, result: Any) -> dict[str, Frame]:
        """What to look at, by caption; `frame` may not be at hand."""

    def strip(self, frame: Frame | None, truth: Any, result: Any) -> Frame:
        """Frame, truth, result and errors side by side."""
        shown = self.pictures(frame, truth, result)
        if frame is not None:
            shown = {"frame": frame, **shown}
        width = min(1200, sum(picture.shape[1] for picture in shown.values()))
        return contact_sheet(list(shown.values()), columns=len(shown), captions=list(shown), width=max(width, 480))


class _ChangeJudge(Judge):
    """CDnet: pixels of the whole video, then ratios."""

    def __init__(self, sequence: Sequence) -> None:
        super().__init__(sequence)
        self._roi, self._counts, self._scores = sequence.roi, ChangeCounts(), ScoreCounts()
        self._has_scores = True
        self._background: dict[str, float] = {}

    def judge(self, index: int, truth: npt.NDArray[np.uint8], result: Segmentation) -> float:
        counts = count_change(result.mask, truth, self._roi)
        self._counts += counts
        if result.score is None:
            self._has_scores = False
        else:
            self._scores += count_scores(result.score, truth, self._roi)
        return counts.pwc

    def judge_background(self, found: Frame | None, truth: Frame) -> None:
        if found is not None:
            self._background = compare_backgrounds(found, truth).metrics()

    def metrics(self) -> dict[str, float]:
        measures = self._counts.metrics()
        if self._has_scores:
            measures |= {
                "AP": self._scores.average_precision,
                "best-F": self._scores.best_f[0],
                "ECE": self._scores.calibration_error(),
            }
        return measures | self._background

    def counts(self) -> dict[str, Any]:
        return asdict(self._counts)

    def curve(self) -> dict[str, list[float]]:
        return _curve(self._scores) if self._has_scores else {}

    def pictures(self, frame: Frame | None, truth: Any, result: Segmentation) -> dict[str, Frame]:
        return {"truth": truth, "result": result.mask, "errors": error_map(result.mask, truth, self._roi)}


class _ForegroundJudge(Judge):
    """DAVIS-2016: region similarity, contour accuracy, and how steady the contour is."""

    def __init__(self, sequence: Sequence) -> None:
        super().__init__(sequence)
        self._region: list[float] = []
        self._contour: list[float] = []
        self._stability: list[float] = []
        self._last: tuple[int, npt.NDArray[np.bool_]] | None = None

    def judge(self, index: int, truth: npt.NDArray[np.int32], result: Segmentation) -> float:
        mask, void = result.mask == FOREGROUND, truth < 0
        void_or_none = void if void.any() else None
        region = region_similarity(mask, truth > 0, void=void_or_none)
        self._region.append(region)
        self._contour.append(contour_accuracy(mask, truth > 0, void=void_or_none))
        if self._last is not None and self._last[0] == index - 1:
            self._stability.append(temporal_stability(self._last[1], mask))
        self._last = index, mask
        return 1 - region

    def metrics(self) -> dict[str, float]:
        measures = _measures(self.counts())
        steps = np.array(self._stability)
        measures["T"] = float(np.nanmean(steps)) if np.isfinite(steps).any() else float("nan")
        return measures

    def counts(self) -> dict[str, Any]:
        return {"J": self._region, "F": self._contour}

    def pictures(self, frame: Frame | None, truth: Any, result: Segmentation) -> dict[str, Frame]:
        return _mask_pictures(truth, result.mask)


class _ObjectsJudge(Judge):
    """DAVIS-2017, unsupervised: proposals that last, matched with objects."""

    def __init__(self, sequence: Sequence) -> None:
        super().__init__(sequence)
        self._found: list[npt.NDArray[np.int32]] = []
        self._truth: list[npt.NDArray[np.int16]] = []

    def judge(self, index: int, truth: npt.NDArray[np.int32], result: Segmentation) -> float:
        if result.mask.shape != truth.shape:
            raise FrameError(f"the result has shape {result.mask.shape}, the truth {truth.shape}")
        self._found.append(result.track_labels().astype(np.int32))
        self._truth.append(truth.astype(np.int16))
        return 1 - region_similarity(result.mask, truth > 0)

    @cached_property
    def _scores(self) -> ObjectScores:
        areas = reduce(_add_padded, (np.bincount(labels.ravel()) for labels in self._found))
        areas[0] = 0
        kept = np.argsort(-areas, kind="stable")[:_MOST_OBJECTS]
        table = np.zeros(len(areas), np.int32)
        table[kept] = np.where(areas[kept] > 0, np.arange(1, len(kept) + 1), 0)
        found = (table[labels] for labels in self._found)
        return judge_objects(found, (truth.astype(np.int32) for truth in self._truth))

    def metrics(self) -> dict[str, float]:
        return self._scores.metrics()

    def counts(self) -> dict[str, Any]:
        rows = zip(self._scores.J, self._scores.F, strict=True)
        return {"objects": [_measures({"J": j.tolist(), "F": f.tolist()}) for j, f in rows]}

    def pictures(self, frame: Frame | None, truth: Any, result: Segmentation) -> dict[str, Frame]:
        return _label_pictures(truth, result)


class _RegionsJudge(Judge):
    """Moseg and FBMS-59: clusters matched with regions over the whole sequence."""

    def __init__(self, sequence: Sequence) -> None:
        super().__init__(sequence)
        self._counts = RegionCounts()
        self._similarity: list[float] = []

    def judge(self, index: int, truth: npt.NDArray[np.int32], result: Segmentation) -> float:
        self._counts += count_regions(result.track_labels(), truth)
        self._similarity.append(region_similarity(result.mask, truth > 0, void=truth < 0))
        return 1 - self._similarity[-1]

    def metrics(self) -> dict[str, float]:
        # J of all that moves is what papers on foreground give for FBMS-59.
        return {**self._counts.metrics(), "J": float(np.mean(self._similarity))}

    def pictures(self, frame: Frame | None, truth: Any, result: Segmentation) -> dict[str, Frame]:
        return _label_pictures(truth, result)


class _BoxesJudge(Judge):
    """MOTChallenge: HOTA, CLEAR and identity measures."""

    def __init__(self, sequence: Sequence) -> None:
        super().__init__(sequence)
        self._found: list[tuple[int, Tracks]] = []
        self._truth: list[tuple[int, BoxTruth]] = []
        self._sums: tuple[Any, ...] | None = None

    def judge(self, index: int, truth: BoxTruth, result: Tracks) -> float:
        self._found.append((index, result))
        self._truth.append((index, truth))
        real = truth.boxes[truth.scores > 0]
        overlaps = box_iou(real, result.boxes) >= 0.5
        hits = min(int(overlaps.any(axis=0).sum()), int(overlaps.any(axis=1).sum()))
        return (len(real) + len(result) - 2 * hits) / max(1, len(real) + len(result))

    def _counted(self) -> tuple[Any, ...]:
        if self._sums is None:
            truth, found = _trajectories(self._truth), _trajectories(self._found)
            flags = np.concatenate([t.scores > 0 for _, t in self._truth])
            classes = np.concatenate([t.classes for _, t in self._truth])
            distractors = _MOT20 if self.sequence.name.startswith("MOT20") else _DISTRACTORS
            kept = without_distractors(truth, classes, flags, found, distractors=distractors)
            pairs = pair_boxes(*kept, n_frames=len(self._truth))
            self._sums = count_hota(pairs), count_clear(pairs), count_identity(pairs)
        return self._sums

    def metrics(self) -> dict[str, float]:
        return reduce(lambda a, b: a | b, (counts.metrics() for counts in self._counted()))

    def counts(self) -> dict[str, Any]:
        return dict(zip(_TRACKING, map(_plain, self._counted()), strict=True))

    def pictures(self, frame: Frame | None, truth: BoxTruth, result: Tracks) -> dict[str, Frame]:
        if frame is None:
            corners = np.concatenate([truth.boxes[:, 2:], result.boxes[:, 2:], [[64, 64]]]).max(axis=0)
            frame = np.full((int(corners[1]) + 8, int(corners[0]) + 8, 3), 32, np.uint8)
        return {
            "truth": draw_boxes(frame, truth.boxes, truth.ids),
            "result": draw_boxes(frame, result.boxes, result.ids),
        }


class _FlowJudge(Judge):
    """Middlebury, KITTI, Sintel: endpoint and angular errors."""

    def __init__(self, sequence: Sequence) -> None:
        super().__init__(sequence)
        self._counts: Any = None

    def judge(self, index: int, truth: FlowTruth, result: Flow) -> float:
        counts = count_flow(result, truth.flow, truth.valid)
        self._counts = counts if self._counts is None else self._counts + counts
        return counts.epe

    def metrics(self) -> dict[str, float]:
        return self._counts.metrics()

    def counts(self) -> dict[str, Any]:
        return asdict(self._counts)

    def pictures(self, frame: Frame | None, truth: FlowTruth, result: Flow) -> dict[str, Frame]:
        lengths = np.hypot(*truth.flow[truth.valid].T)
        longest = max(1.0, float(np.percentile(lengths, 99))) if lengths.size else 1.0
        error = np.where(truth.valid, np.hypot(*(result - truth.flow).transpose(2, 0, 1)), 0)
        heat = cv2.applyColorMap(np.minimum(error * (255 / 5), 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
        heat[~truth.valid] = 0
        return {
            "truth": color_flow(truth.flow, truth.valid, longest=longest),
            "result": color_flow(result, longest=longest),
            "error, 0 to 5 px": heat,
        }


_TRACKING = {"hota": HOTACounts, "clear": CLEARCounts, "identity": IdentityCounts}


def _measures(values: Mapping[str, list[float]]) -> dict[str, float]:
    """Mean, recall and decay of J and F over the frames of a sequence."""
    measures = {}
    for name, column in values.items():
        found = statistics(column)
        measures |= {name: found.mean, f"{name}-recall": found.recall, f"{name}-decay": found.decay}
    return measures


def combine(task: str, counts: abc.Sequence[dict[str, Any]]) -> dict[str, float]:
    """The measures of several sequences together, where a benchmark does not average those of sequences.

    The MOTChallenge sums counts up; DAVIS-2017 averages over the objects of all sequences.

    Parameters
    ----------
    task : str
    counts : sequence of dict
        ``Evaluation.counts`` of each sequence.

    Returns
    -------
    dict of str to float
        Empty where the benchmark averages.
    """
    if task == "objects":
        objects = [row for part in counts for row in part["objects"]]
        means = {name: float(np.mean([row[name] for row in objects])) for name in (objects[0] if objects else ())}
        return {"J&F": (means["J"] + means["F"]) / 2, **means} if means else {}
    if task != "boxes" or not counts:
        return {}
    measures: dict[str, float] = {}
    for name, kind in _TRACKING.items():
        parts = (kind(**{k: np.array(v) if isinstance(v, list) else v for k, v in c[name].items()}) for c in counts)
        measures |= reduce(add, parts).metrics()
    return measures


def _plain(counts: Any) -> dict[str, Any]:
    """A dataclass of sums as plain numbers and lists."""
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(counts).items()}


def _trajectories(frames: abc.Sequence[tuple[int, Any]]) -> Trajectories:
    """Boxes with ids of all frames in one table."""
    numbers = np.concatenate([np.full(len(shown.ids), index) for index, shown in frames])
    ids = np.concatenate([shown.ids for _, shown in frames])
    return Trajectories(numbers, ids, np.concatenate([shown.boxes for _, shown in frames]))


def _curve(scores: ScoreCounts, n: int = 101) -> dict[str, list[float]]:
    """The precision-recall curve in at most `n` points."""
    precision, recall, _ = scores.precision_recall_curve()
    kept = np.unique(np.linspace(0, len(recall) - 1, n).round().astype(int))
    return {"recall": recall[kept].round(5).tolist(), "precision": precision[kept].round(5).tolist()}


def _add_padded(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The sum of two histograms of different lengths."""
    total = np.zeros(max(len(a), len(b)), np.int64)
    total[: len(a)] += a
    total[: len(b)] += b
    return total


def _mask_pictures(truth: npt.NDArray[np.int32], mask: Mask) -> dict[str, Frame]:
    codes = np.where(truth > 0, FOREGROUND, 0).astype(np.uint8)
    codes[truth < 0] = _UNKNOWN
    return {"truth": codes, "result": mask, "errors": error_map(mask, codes)}


def _label_pictures(truth: npt.NDArray[np.int32], result: Segmentation) -> dict[str, Frame]:
    pictures = {"truth": color_labels(truth), "result": color_labels(result.track_labels())}
    return pictures | {"errors": _mask_pictures(truth, result.mask)["errors"]}


JUDGES: dict[str, type[Judge]] = {
    "change": _ChangeJudge,
    "foreground": _ForegroundJudge,
    "objects": _ObjectsJudge,
    "regions": _RegionsJudge,
    "boxes": _BoxesJudge,
    "flow": _FlowJudge,
}
