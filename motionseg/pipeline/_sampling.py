"""A model sees frames, and windows of what it, the flow and the truth say of some of them become samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background.base import BackgroundModel
from motionseg.core.types import Frame
from motionseg.flow.base import FlowEstimator
from motionseg.pipeline._frame_pairs import resized
from motionseg.pipeline.refined import FLOW_SIDE, shown_background
from motionseg.refine._cues import motion_cues

__all__ = ["CUE_SCALE", "SAMPLE_SIZE", "Arrays", "joined", "lone_sampled", "sampled"]

Arrays = dict[str, npt.NDArray[Any]]

SAMPLE_SIZE = (192, 160)
"""Width and height of a sample, pixels."""
CUE_SCALE = 4
"""Motion cues are that much smaller."""


def joined(parts: Sequence[Arrays]) -> Arrays:
    """All samples of all parts, in their order."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def sampled(
    model: BackgroundModel,
    frames: Sequence[Frame],
    shots: Any,
    times: list[int],
    estimator: FlowEstimator,
    rng: np.random.Generator,
    *,
    kind: int,
) -> Arrays:
    """The samples of one model: at each of `times` (ascending, from 1), and the frame before.

    ``shots[t]`` has `truth` and `labels` of frame `t`; `kind` is the camera's place in `CAMERAS` of the collages. The
    arrays are those of `motionseg.pipeline.sample_clip`.
    """
    wanted = {t for time in times for t in (time - 1, time)}
    samples: dict[str, list[Any]] = {}
    held: dict[int, dict[str, Any]] = {}
    for t in range(times[-1] + 1):
        mask = model.apply(frames[t])
        if t not in wanted:
            continue
        held[t] = _seen(model, mask, frames, shots, t, estimator)
        held.pop(t - 2, None)
        if t not in times:
            continue
        window = _window(rng, frames[t].shape)
        _append(samples, [_cut(held[s], window) for s in (t - 1, t)])
        samples.setdefault("knows", []).append([held[t]["background"] is not None, True, True])
    return _stacked(samples, kind)


def lone_sampled(frames: Sequence[Frame], shots: Any, times: list[int], rng: np.random.Generator) -> Arrays:
    """Samples of pictures that have nothing to do with each other: nothing but the frame is known, twice."""
    samples: dict[str, list[Any]] = {}
    for t in times:
        rows, columns = frames[t].shape[:2]
        nothing = np.zeros((rows, columns), np.uint8)
        seen = {
            "frame": frames[t],
            "background": None,
            "score": nothing,
            "mask": nothing,
            "truth": shots[t].truth,
            "labels": shots[t].labels,
            "cues": np.zeros((rows, columns, 2), np.float32),
            "flow": np.zeros((rows, columns, 2), np.float32),
        }
        _append(samples, [_cut(seen, _window(rng, (rows, columns)))] * 2)
        samples.setdefault("knows", []).append([False] * 3)
    return _stacked(samples, kind=0)


def _append(samples: dict[str, list[Any]], pair: list[dict[str, Any]]) -> None:
    for name in ("frame", "background", "score", "mask", "truth", "labels", "cues"):
        samples.setdefault(name, []).append(np.stack([part[name] for part in pair]))
    samples.setdefault("flow", []).append(pair[1]["flow"])


def _stacked(samples: dict[str, list[Any]], kind: int) -> Arrays:
    arrays = {name: np.stack(values) for name, values in samples.items()}
    return {**arrays, "kind": np.full(len(arrays["knows"]), kind, np.uint8)}


def _seen(
    model: BackgroundModel, mask: Any, frames: Sequence[Frame], shots: Any, t: int, estimator: FlowEstimator
) -> dict[str, Any]:
    """All that is known of frame `t`, at its full size."""
    background = shown_background(model)
    flow = estimator.estimate(resized(frames[t], FLOW_SIDE), resized(frames[max(t - 1, 0)], FLOW_SIDE))
    return {
        "frame": frames[t],
        "background": background,
        "score": np.rint(model.score() * 255).astype(np.uint8),
        "mask": mask,
        "truth": shots[t].truth,
        "labels": shots[t].labels,
        "cues": motion_cues(flow, getattr(model, "motion", None), frames[t].shape),
        "flow": flow,
    }


def _window(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """A window of a frame as shares of it: left, top, width, height. Small, or all."""
    wide = 1.0 if rng.random() < 0.35 else rng.uniform(0.4, 1)
    tall = min(1.0, wide * shape[1] / shape[0] * SAMPLE_SIZE[1] / SAMPLE_SIZE[0])
    return rng.uniform(0, 1 - wide), rng.uniform(0, 1 - tall), wide, tall


def _cut(seen: dict[str, Any], window: tuple[float, float, float, float]) -> dict[str, Any]:
    """The window of everything, at a sample's size."""
    small = SAMPLE_SIZE[0] // CUE_SCALE, SAMPLE_SIZE[1] // CUE_SCALE
    cut = {name: _part(seen[name], window, SAMPLE_SIZE) for name in ("frame", "score")}
    empty = np.zeros((*SAMPLE_SIZE[::-1], 3), np.uint8)
    cut["background"] = empty if seen["background"] is None else _part(seen["background"], window, SAMPLE_SIZE)
    for name in ("mask", "truth", "labels"):
        cut[name] = _part(seen[name], window, SAMPLE_SIZE, nearest=True)
    cut["cues"] = np.rint(np.clip(_part(seen["cues"], window, small), 0, 1) * 255).astype(np.uint8)
    rows, columns = seen["flow"].shape[:2]
    ratio = np.array([small[0] / (columns * window[2]), small[1] / (rows * window[3])], np.float32)
    cut["flow"] = (_part(seen["flow"], window, small) * ratio).astype(np.float16)
    return cut


def _part(picture: Any, window: tuple[float, float, float, float], size: tuple[int, int], nearest: bool = False) -> Any:
    rows, columns = picture.shape[:2]
    x0, y0 = round(window[0] * columns), round(window[1] * rows)
    x1, y1 = round((window[0] + window[2]) * columns), round((window[1] + window[3]) * rows)
    part = picture[y0:y1, x0:x1]
    if nearest:
        return cv2.resize(part, size, interpolation=cv2.INTER_NEAREST_EXACT)
    shrinks = part.shape[1] > size[0]
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
