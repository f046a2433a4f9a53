"""Samples to train the refinement network with: rendered clips, and what the real models say of them."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background import (
    KNN,
    Adaptive,
    FrameDifference,
    GaussianMixture,
    Guarded,
    RunningAverage,
    SampleConsensus,
    SigmaDelta,
    TemporalMedian,
)
from motionseg.background.base import BackgroundModel
from motionseg.cluster.quadratic_layers import QuadraticLayers
from motionseg.core.checks import check_integer
from motionseg.core.errors import OutputError, UnsupportedError
from motionseg.core.parallel import get_num_threads, set_num_threads
from motionseg.core.state import write_state
from motionseg.core.types import Frame
from motionseg.datasets._collage import Collage
from motionseg.datasets._material import Material
from motionseg.flow.base import FlowEstimator
from motionseg.flow.opencv_dis import OpenCVDIS
from motionseg.io._compression import compressed
from motionseg.pipeline._frame_pairs import resized
from motionseg.pipeline.auto import Auto
from motionseg.pipeline.clustered import Clustered
from motionseg.pipeline.compensated import Compensated
from motionseg.pipeline.flow_fused import FlowFused
from motionseg.pipeline.naive_flow import NaiveFlow
from motionseg.pipeline.refined import FLOW_SIDE
from motionseg.refine._cues import motion_cues

__all__ = ["SAMPLE_SIZE", "render_samples", "sample_clip"]

Arrays = dict[str, npt.NDArray[Any]]

SAMPLE_SIZE = (192, 160)
"""Width and height of a sample, pixels."""
CUE_SCALE = 4
"""Motion cues are that much smaller."""

_SIZES, _SIZE_ODDS = ((320, 240), (256, 192), (480, 360)), (0.6, 0.2, 0.2)
_N_FRAMES = (40, 90)
_CAMERA_ODDS = {"fixed": 0.5, "shaking": 0.17, "moving": 0.33}

_Prior = tuple[float, Callable[[], BackgroundModel], bool]  # odds, the model, whether it sees the whole clip first


def _guarded() -> BackgroundModel:
    return Guarded(Adaptive())


_FIXED: list[_Prior] = [
    (0.28, _guarded, False),
    (0.22, _guarded, True),
    (0.05, Adaptive, False),
    (0.14, GaussianMixture, False),
    (0.04, GaussianMixture, True),
    (0.04, KNN, False),
    (0.07, SampleConsensus, False),
    (0.04, RunningAverage, False),
    (0.03, FrameDifference, False),
    (0.05, TemporalMedian, True),
    (0.04, SigmaDelta, False),
]
_SHAKING: list[_Prior] = [
    (0.4, lambda: Compensated(_guarded()), False),
    (0.2, lambda: Compensated(_guarded()), True),
    (0.15, lambda: Compensated(GaussianMixture()), False),
    (0.1, _guarded, False),
    (0.05, _guarded, True),
    (0.1, GaussianMixture, False),
]
_MOVING: list[_Prior] = [
    (0.64, FlowFused, False),
    (0.14, Auto, True),
    (0.12, lambda: Clustered(QuadraticLayers()), False),
    (0.1, NaiveFlow, False),
]
_PRIORS = {"fixed": (_FIXED, 2), "shaking": (_SHAKING, 2), "moving": (_MOVING, 1)}


def sample_clip(material: Material, seed: int, *, n_samples: int = 20) -> Arrays:
    """Render one clip, run models on it, and take samples of what comes out.

    Parameters
    ----------
    material : Material
        Photographs and cut-outs.
    seed : int, at least 0
        Decides everything.
    n_samples : int, at least 2
        Shared by the one or two models that the clip is shown to: half of them, rounded down, for each of two; fewer
        where the clip is shorter.

    Returns
    -------
    dict of arrays
        N samples of two frames in turn (T = 2), a window of a frame each, 160 x 192 pixels: ``frame`` and
        ``background`` (zeros where there is none) uint8 (N, T, 160, 192, 3) BGR; ``score`` (255 for 1), ``mask`` (as
        models give it), ``truth`` (CDnet's codes) and ``labels`` (ids) uint8 (N, T, 160, 192); ``cues`` uint8 (N, T,
        40, 48, 2), magnitude and agreement; ``flow`` float16 (N, 40, 48, 2), from the second frame back to the first,
        in pixels of its own size; ``knows`` bool (N,): whether there is a background; ``kind`` uint8 (N,): camera, as
        in `CAMERAS`.

    Raises
    ------
    ParameterError
        `material`, `seed` or `n_samples` is none.
    SourceError
        A picture of `material` cannot be read.

    Notes
    -----
    Clips have 40 to 89 frames of 320 x 240 pixels mostly, 256 x 192 or 480 x 360, and are held in memory before and
    after compression: up to 125 MB. Models: guarded `Adaptive` mostly for fixed cameras, compensated where they shake,
    `FlowFused` where they move, and others now and then, so that the network does not rely on one.

    Examples
    --------
    >>> from motionseg.datasets import Material
    >>> samples = sample_clip(Material(), 2, n_samples=2)
    >>> samples["frame"].shape, samples["cues"].dtype
    ((2, 2, 160, 192, 3), dtype('uint8'))
    """
    n_samples = check_integer("n_samples", n_samples, 2)
    rng = np.random.default_rng((check_integer("seed", seed, 0), 77))
    camera = str(rng.choice(list(_CAMERA_ODDS), p=list(_CAMERA_ODDS.values())))
    size = _SIZES[rng.choice(len(_SIZES), p=_SIZE_ODDS)]
    clip = Collage(
        material, width=size[0], height=size[1], n_frames=int(rng.integers(*_N_FRAMES)), camera=camera, seed=seed
    )
    shots = [clip[i] for i in range(len(clip))]
    frames = [shot.frame for shot in shots]
    codec = rng.choice(["none", "jpeg", "mpeg4", "h264"], p=[0.25, 0.25, 0.15, 0.35])
    if codec != "none":
        frames = compressed(frames, codec=str(codec), quality=float(rng.uniform(0.15, 0.95)))
    priors, n_models = _PRIORS[camera]
    odds = np.array([odd for odd, _, _ in priors])
    chosen = rng.choice(len(priors), n_models, replace=False, p=odds / odds.sum())
    estimator = OpenCVDIS()
    parts = []
    for k in chosen:
        _, make, sees_whole = priors[k]
        times = np.sort(
            rng.choice(np.arange(2, len(frames)), min(n_samples // n_models, len(frames) - 2), replace=False)
        )
        model = make()
        if sees_whole:
            model.bootstrap(frames)
        parts.append(_sampled(model, frames, shots, times.tolist(), estimator, rng))
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    arrays["kind"] = np.full(len(arrays["knows"]), list(_CAMERA_ODDS).index(camera), np.uint8)
    return arrays


def render_samples(
    folder: str | os.PathLike[str],
    *,
    root: str | os.PathLike[str] | None,
    n_clips: int,
    seed: int = 0,
    workers: int | None = None,
    on_clip: Callable[[int], None] = lambda done: None,
) -> list[Path]:
    """Take samples of many clips, into a file for each; files that are there already stay, so it can be resumed.

    Parameters
    ----------
    folder : path
        For the files, ``clip_00000012.npz`` for the clip of seed 12; made where missing.
    root : path, optional
        Photographs and cut-outs (`motionseg.datasets.Material`).
    n_clips : int, at least 1
        How many files there shall be.
    seed : int, at least 0
        Of the first clip; the others have the next ones.
    workers : int, optional
        Processes; default: as many as `motionseg.get_num_threads` says, one for each core.
    on_clip : callable
        Told how many clips are done, those that were there included, after each; what it raises ends all, once the
        clips under way are written.

    Returns
    -------
    list of Path
        The files, in the order of the seeds.

    Raises
    ------
    ParameterError
        A number is none.
    SourceError
        `root` holds nothing of use, or a picture in it cannot be read.
    OutputError
        A file cannot be written.
    concurrent.futures.process.BrokenProcessPool
        A process was ended from outside, for want of memory perhaps. What is written stays.

    Notes
    -----
    A file is written whole or not at all: 13 MB for 20 samples. Processes are started afresh ("spawn"), so a script
    that calls this needs ``if __name__ == "__main__":``. Each takes 0.3 GB and the pictures that it has read.
    """
    n_clips, seed = check_integer("n_clips", n_clips, 1), check_integer("seed", seed, 0)
    workers = get_num_threads() if workers is None else check_integer("workers", workers, 1)
    files = [Path(folder) / f"clip_{number:08d}.npz" for number in range(seed, seed + n_clips)]
    Material(root)  # complains now
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: {error}") from error
    missing = [file for file in files if not file.exists()]
    done = n_clips - len(missing)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(root,)) as pool:
        jobs = [pool.submit(_render, file) for file in missing]
        try:
            for job in as_completed(jobs):
                job.result()
                done += 1
                on_clip(done)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return files


_material: Material | None = None  # of a worker process


def _begin(root: str | os.PathLike[str] | None) -> None:
    """Prepare a worker process: it works on one thread, for there are others."""
    global _material
    _material = Material(root)
    set_num_threads(1)
    cv2.setNumThreads(1)


def _render(file: Path) -> None:
    """Write the file of one clip."""
    assert _material is not None
    arrays = sample_clip(_material, int(file.stem.rpartition("_")[2]))
    write_state(file, arrays, {"samples": len(arrays["knows"])})


def _sampled(
    model: BackgroundModel,
    frames: Sequence[Frame],
    shots: Sequence[Any],
    times: list[int],
    estimator: FlowEstimator,
    rng: np.random.Generator,
) -> Arrays:
    """The samples of one model: at each of `times`, and the frame before."""
    wanted, windows = {t for time in times for t in (time - 1, time)}, {}
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
        windows[t] = _window(rng, frames[t].shape)
        pair = [_cut(held[s], windows[t]) for s in (t - 1, t)]
        for name in ("frame", "background", "score", "mask", "truth", "labels", "cues"):
            samples.setdefault(name, []).append(np.stack([part[name] for part in pair]))
        samples.setdefault("flow", []).append(pair[1]["flow"])
        samples.setdefault("knows", []).append(held[t]["background"] is not None)
    return {name: np.stack(values) for name, values in samples.items()}


def _seen(
    model: BackgroundModel, mask: Any, frames: Sequence[Frame], shots: Sequence[Any], t: int, estimator: FlowEstimator
) -> dict[str, Any]:
    """All that is known of frame `t`, at its full size."""
    try:
        background = model.background()
    except UnsupportedError:
        background = None
    flow = estimator.estimate(resized(frames[t], FLOW_SIDE), resized(frames[t - 1], FLOW_SIDE))
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
