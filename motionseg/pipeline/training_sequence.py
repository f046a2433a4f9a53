"""Samples to train the refinement network with, of a sequence of any dataset."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from motionseg.background.base import BackgroundModel
from motionseg.core.checks import check_choice, check_integer
from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.types import Mask
from motionseg.datasets.base import Sequence
from motionseg.flow.opencv_dis import OpenCVDIS
from motionseg.pipeline._sampling import Arrays, lone_sampled, sampled

__all__ = ["sample_sequence"]

_TASKS = ("change", "foreground", "objects", "regions")
_NON_ROI, _UNKNOWN, _MOTION, _VOID = 85, 170, 255, 255


class _Shot(NamedTuple):
    truth: Mask
    labels: Mask


class _Shots:
    """What is known of each frame of a sequence: of those without truth nothing."""

    def __init__(self, sequence: Sequence, task: str, n_classes: int, shape: tuple[int, ...]) -> None:
        self._sequence, self._task, self._n_classes, self._shape = sequence, task, n_classes, shape
        self._roi = sequence.roi

    def __getitem__(self, t: int) -> _Shot:
        sequence, void = self._sequence, _VOID if self._n_classes > 1 else _UNKNOWN
        if t not in sequence.truth:
            return _Shot(np.full(self._shape, void, np.uint8), np.zeros(self._shape, np.uint8))
        raw = sequence.truth[t]
        if raw.shape != self._shape:
            raise FrameError(f"{sequence.full_name}: the truth of frame {t} is {raw.shape}, its frame {self._shape}")
        if self._n_classes > 1:
            if raw.max() >= self._n_classes:
                raise FrameError(
                    f"{sequence.full_name}: the truth of frame {t} holds class {raw.max()}, and there are to be "
                    f"{self._n_classes} (0 to {self._n_classes - 1})"
                )
            truth, labels = np.where(raw < 0, _VOID, raw).astype(np.uint8), np.zeros(raw.shape, np.uint8)
        elif self._task == "change":
            truth, labels = np.where(raw == _NON_ROI, _UNKNOWN, raw).astype(np.uint8), np.zeros(raw.shape, np.uint8)
        else:
            truth = np.where(raw < 0, _UNKNOWN, np.where(raw > 0, _MOTION, 0)).astype(np.uint8)
            labels = np.clip(raw, 0, 255).astype(np.uint8)
        if self._roi is not None:
            truth[~self._roi] = void
        return _Shot(truth, labels)


def sample_sequence(
    sequence: Sequence,
    task: str,
    model: BackgroundModel | None,
    *,
    n_samples: int = 40,
    n_classes: int = 1,
    seed: int = 0,
) -> Arrays:
    """Show a sequence to a model, and take samples of what comes out where the truth is known.

    Parameters
    ----------
    sequence : Sequence
        Of a dataset whose `task` is one of those below.
    task : {"change", "foreground", "objects", "regions"}
        What its truth means.
    model : BackgroundModel, optional
        Sees all frames up to the last sample, in their order. None: each picture stands for itself, without score,
        background and flow, as in a folder of photographs.
    n_samples : int, at least 1
        Fewer where there is less truth.
    n_classes : int in [1, 254]
        1: foreground or not. More: labels are classes, from 0.
    seed : int, at least 0
        Which frames, and which window of each.

    Returns
    -------
    dict of arrays
        As `motionseg.pipeline.sample_clip` gives, in the order of the frames. With more classes ``truth`` holds them,
        255 for none.

    Raises
    ------
    ParameterError
        A parameter is out of range; the sequence has no frames or no truth; CDnet's codes are asked for classes.
    FrameError
        Truth has another size than its frame, or a class that there is not.
    SourceError
        A picture cannot be read.
    """
    check_choice("task", task, _TASKS)
    n_samples, n_classes = check_integer("n_samples", n_samples, 1), check_integer("n_classes", n_classes, 1, 254)
    if task == "change" and n_classes > 1:
        raise ParameterError(f"{sequence.full_name}: its truth tells motion, not classes")
    first = 0 if model is None else 1
    known: npt.NDArray[np.int64] = np.array([t for t in sequence.judged if t >= first], np.int64)
    if not len(known) or not len(sequence.frames):
        raise ParameterError(f"{sequence.full_name}: there is no frame with truth to learn from")
    rng = np.random.default_rng((check_integer("seed", seed, 0), 79))
    times = np.sort(rng.choice(known, min(n_samples, len(known)), replace=False)).tolist()
    shots = _Shots(sequence, task, n_classes, sequence.frames[0].shape[:2])
    if model is None:
        return lone_sampled(sequence.frames, shots, times, rng)
    kind = 0 if task == "change" else 2
    return sampled(model, sequence.frames, shots, times, OpenCVDIS(), rng, kind=kind)
