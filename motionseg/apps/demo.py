"""A street that exists only here: rendered, segmented, tracked and judged. Needs no data."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from motionseg.apps.doctor import versions
from motionseg.apps.stop import Stop
from motionseg.core.errors import OutputError
from motionseg.core.types import Segmentation
from motionseg.datasets import street
from motionseg.io.write import VideoWriter, write_image
from motionseg.metrics.change import ChangeCounts, count_change
from motionseg.pipeline.segmenter import MotionSegmenter
from motionseg.viz.contact_sheet import contact_sheet
from motionseg.viz.overlay import Trails, draw_overlay

__all__ = ["run_demo"]

_FILES = ("street.mp4", "overlay.mp4", "contact_sheet.png")
_LEARNING = 25  # frames that the model is given before it is judged


def run_demo(
    folder: Path,
    *,
    n_frames: int = 250,
    seed: int = 0,
    on_frame: Callable[[int, Segmentation], None] = lambda done, segmentation: None,
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Segment and track a synthetic street.

    Writes ``street.mp4``, ``overlay.mp4`` and ``contact_sheet.png`` into `folder`.

    Returns
    -------
    dict
        frames, f_measure, precision, recall (pixels, CDnet's counting, after the first second),
        tracks, frames_per_second (of the segmenter alone), versions and files.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    stop = stop or Stop()
    scene, segmenter, trails = street(n_frames=n_frames, seed=seed), MotionSegmenter(), Trails()
    counts, seconds, done, track_ids = ChangeCounts(), 0.0, 0, set[int]()
    shown = set(np.linspace(0.4, 0.95, 3).__mul__(n_frames).astype(int).tolist())
    sheet: list[Any] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: {error}") from error
    with (
        stop.listening(),
        VideoWriter(folder / "street.mp4", fps=scene.fps) as plain,
        VideoWriter(folder / "overlay.mp4", fps=scene.fps) as film,
    ):
        for picture in stop.until_asked(scene):
            began = time.perf_counter()
            result = segmenter.step(picture.frame, picture.time, index=picture.index)
            if done:  # the first frame pays for loading the kernels
                seconds += time.perf_counter() - began
            if picture.index >= _LEARNING:
                counts += count_change(result.mask, picture.truth)
            track_ids |= set(result.tracks.visible.ids.tolist())
            trails.update(result.tracks)
            drawn = draw_overlay(picture.frame, result, trails=trails)
            plain.write(picture.frame, picture.time)
            film.write(drawn, picture.time)
            if picture.index in shown:
                sheet += [picture.frame, _heat(result.score), result.mask, drawn]
            done += 1
            on_frame(done, result)
    if sheet:
        captions = ["frame", "score", "mask", "tracks"] * (len(sheet) // 4)
        write_image(folder / "contact_sheet.png", contact_sheet(sheet, columns=4, captions=captions, width=1600))
    return {
        "complete": not stop.asked,
        "frames": done,
        "f_measure": round(counts.f_measure, 4),
        "precision": round(counts.precision, 4),
        "recall": round(counts.recall, 4),
        "tracks": len(track_ids),
        "frames_per_second": round((done - 1) / seconds, 1) if seconds else 0.0,
        "versions": versions(),
        "files": [str(folder / name) for name in _FILES if (folder / name).exists()],
    }


def _heat(score: Any) -> Any:
    return cv2.applyColorMap((score * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
