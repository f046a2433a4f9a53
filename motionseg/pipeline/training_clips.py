"""Samples to train the refinement network with: rendered clips, and what the real models say of them."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import cv2
import numpy as np

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
from motionseg.core.errors import OutputError
from motionseg.core.parallel import get_num_threads, set_num_threads
from motionseg.core.state import write_state
from motionseg.core.types import Frame
from motionseg.datasets._collage import CAMERAS, Collage
from motionseg.datasets._material import Material
from motionseg.flow.opencv_dis import OpenCVDIS
from motionseg.io._compression import compressed
from motionseg.pipeline._sampling import SAMPLE_SIZE, Arrays, joined, sampled
from motionseg.pipeline.auto import Auto
from motionseg.pipeline.clustered import Clustered
from motionseg.pipeline.compensated import Compensated
from motionseg.pipeline.flow_fused import FlowFused
from motionseg.pipeline.naive_flow import NaiveFlow

__all__ = ["SAMPLE_SIZE", "render_samples", "sample_clip", "sample_stills"]

_SIZES, _SIZE_ODDS = ((320, 240), (256, 192), (480, 360)), (0.6, 0.2, 0.2)
_N_FRAMES = (40, 90)
_CAMERA_ODDS = {"fixed": 0.5, "shaking": 0.17, "moving": 0.33}

_STILL_FRAMES, _LEARNED = 60, 9  # frames of a scene that is sampled by stills, and those that its model learns from
_STILL_CAMERA_ODDS = {"fixed": 0.8, "shaking": 0.2}
_CALM = 0.6  # share of scenes sampled by stills that are calm

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
        in pixels of its own size; ``knows`` bool (N, 3): whether there is a background, a score, a flow; ``kind``
        uint8 (N,): camera, as in `CAMERAS`.

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
        kind = CAMERAS.index(camera)
        parts.append(sampled(model, frames, shots, times.tolist(), estimator, rng, kind=kind))
    return joined(parts)


def sample_stills(material: Material, seed: int, *, n_samples: int = 20) -> Arrays:
    """Take samples of many scenes: of each only a few frames are rendered, for a model that learns the scene at once.

    Parameters
    ----------
    material : Material
        Photographs and cut-outs.
    seed : int, at least 0
        Decides everything.
    n_samples : int, at least 2
        Two of a scene, of another each time; an odd one is left out.

    Returns
    -------
    dict of arrays
        As `sample_clip` gives; the camera stands, or shakes.

    Raises
    ------
    ParameterError
        `material`, `seed` or `n_samples` is none.
    SourceError
        A picture of `material` cannot be read.

    Notes
    -----
    Some 90 ms a sample on one core, half of what one of `sample_clip` takes: here the network sees many scenes,
    lights and shadows, there what models make of time. Most of the scenes are calm: where nothing is wrong with what
    the model says, the network is to leave it so.

    Examples
    --------
    >>> from motionseg.datasets import Material
    >>> sample_stills(Material(), 2, n_samples=4)["frame"].shape
    (4, 2, 160, 192, 3)
    """
    n_samples = check_integer("n_samples", n_samples, 2)
    rng = np.random.default_rng((check_integer("seed", seed, 0), 78))
    estimator, parts = OpenCVDIS(), []
    odds = np.array([odd for odd, _, _ in _FIXED])
    for _ in range(n_samples // 2):
        calm = bool(rng.random() < _CALM)
        camera = "fixed" if calm else str(rng.choice(list(_STILL_CAMERA_ODDS), p=list(_STILL_CAMERA_ODDS.values())))
        scene = Collage(
            material,
            width=SAMPLE_SIZE[0],
            height=SAMPLE_SIZE[1],
            n_frames=_STILL_FRAMES,
            camera=camera,
            calm=calm,
            seed=int(rng.integers(2**40)),
        )
        learned = _learned(scene, rng)
        shots = [scene[3 * i + k] for i in rng.choice(_STILL_FRAMES // 3, 2, replace=False).tolist() for k in range(3)]
        frames = [shot.frame for shot in shots]
        if rng.random() < 0.5:
            frames = compressed(frames, codec="jpeg", quality=float(rng.uniform(0.15, 0.95)))
        model = _FIXED[rng.choice(len(_FIXED), p=odds / odds.sum())][1]().bootstrap(learned)
        parts.append(sampled(model, frames, shots, [2, 5], estimator, rng, kind=CAMERAS.index(camera)))
    return joined(parts)


def _learned(scene: Collage, rng: np.random.Generator) -> list[Frame]:
    """The frames that a model learns a scene from: mostly empty, now and then with things that leave a ghost."""
    known = np.sort(rng.choice(_STILL_FRAMES, _LEARNED, replace=False)).tolist()
    kind = rng.choice(["empty", "ghosts", "busy"], p=[0.66, 0.2, 0.14])
    if kind == "busy":
        return [scene[i].frame for i in known]
    left: list[int] = []
    if kind == "ghosts" and scene.ids:
        left = rng.choice(scene.ids, min(len(scene.ids), int(rng.integers(1, 3))), replace=False).tolist()
        first = int(rng.integers(_STILL_FRAMES - _LEARNED))
        known = list(range(first, first + _LEARNED))
    return [scene.without(i, left=left) for i in known]


def render_samples(
    folder: str | os.PathLike[str],
    *,
    root: str | os.PathLike[str] | None,
    n_clips: int,
    n_stills: int = 0,
    seed: int = 0,
    workers: int | None = None,
    on_clip: Callable[[int], None] = lambda done: None,
) -> list[Path]:
    """Take samples of clips and stills, into files of 20; files that are there already stay, so it can be resumed.

    Parameters
    ----------
    folder : path
        For the files, ``clip_00000012.npz`` for `sample_clip` of seed 12, ``still_00000012.npz`` for `sample_stills`;
        made where missing.
    root : path, optional
        Photographs and cut-outs (`motionseg.datasets.Material`).
    n_clips : int, at least 0
    n_stills : int, at least 0
        How many files of each there shall be.
    seed : int, at least 0
        Of the first clip and the first stills; the others have the next ones.
    workers : int, optional
        Processes; default: as many as `motionseg.get_num_threads` says, one for each core.
    on_clip : callable
        Told how many files are done, those that were there included, after each; what it raises ends all, once those
        under way are written.

    Returns
    -------
    list of Path
        The files, clips before stills, in the order of the seeds.

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
    n_clips, n_stills = check_integer("n_clips", n_clips, 0), check_integer("n_stills", n_stills, 0)
    seed = check_integer("seed", seed, 0)
    workers = get_num_threads() if workers is None else check_integer("workers", workers, 1)
    counts = {"clip": n_clips, "still": n_stills}
    files = [Path(folder) / f"{kind}_{seed + k:08d}.npz" for kind, count in counts.items() for k in range(count)]
    if files:
        Material(root)  # complains now
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: {error}") from error
    missing = [file for file in files if not file.exists()]
    done = len(files) - len(missing)
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
    """Write one file."""
    assert _material is not None
    kind, _, number = file.stem.partition("_")
    arrays = (sample_clip if kind == "clip" else sample_stills)(_material, int(number))
    write_state(file, arrays, {"samples": len(arrays["knows"])})
