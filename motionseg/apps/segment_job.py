"""A video into a folder of results: masks, tracks, overlay and a summary, whole or partial."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from motionseg.apps.config import linker_name, model_name, segmenter_parameters
from motionseg.apps.doctor import versions
from motionseg.apps.stop import Stop
from motionseg.core.errors import OutputError, ParameterError, SourceError, UnsupportedError
from motionseg.core.state import read_state, write_state
from motionseg.core.types import Frame, Segmentation
from motionseg.io.tracks import TracksCsvWriter
from motionseg.io.video import VideoReader, open_video
from motionseg.io.write import MaskFolderWriter, MaskVideoWriter, VideoWriter, write_image, write_json
from motionseg.pipeline.auto import Auto
from motionseg.pipeline.segmenter import MotionSegmenter
from motionseg.pipeline.stream import learn_whole
from motionseg.viz.evidence import draw_evidence
from motionseg.viz.overlay import Trails, draw_overlay

__all__ = ["MoreOutputs", "segment_to_folder"]

Listener = Callable[[int, Segmentation], None]

_RESULT = re.compile(
    r"masks|evidence|tracks\.csv|masks(-\d+)?\.mkv|overlay(-\d+)?\.mp4"
    r"|tracks\.(txt|json)|tracks_mots\.txt|track_table\.csv|(trajectories|heat|dwell)\.png"
    r"|events\.jsonl|statistics\.csv|clips|snapshots"
)
_IN_FOLDERS = {  # of the folders among these, the files that a run has put there
    "masks": r"\d{6,}\.png",
    "evidence": r"\d{6,}\.png",
    "clips": r".+-\d+-\d+\.(mp4|mkv)",
    "snapshots": r".+-\d+-\d+\.jpg",
}
_STATE, _MORE = "state.npz", "more."


class MoreOutputs:
    """What a run writes beside masks, tracks.csv and overlay: nothing, unless a subclass says so."""

    facts: Mapping[str, Any] = MappingProxyType({"tracking": False})
    """Parts of the summary that a run must have in common with the one that it resumes."""
    draws_evidence: ClassVar[bool] = True
    """Whether a segmenter that explains itself also gets a picture of each frame."""

    def open(self, stack: ExitStack, folder: Path) -> None:
        """Before the first frame; what `stack` is given is closed after the last. Files are continued."""

    def write(self, frame: Frame, result: Segmentation) -> None:
        """After each frame. Raises OutputError."""

    def finish(self, folder: Path, segmenter: MotionSegmenter, *, complete: bool) -> dict[str, Any]:
        """After the last frame; gives more of the summary. Raises OutputError."""
        return {}

    def state(self) -> dict[str, np.ndarray]:
        """What an interrupted run needs to go on."""
        return {}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on. Raises StateError."""


def segment_to_folder(
    source: str | int,
    folder: Path,
    *,
    segmenter: MotionSegmenter,
    masks: str = "png",
    overlay: bool = False,
    start: float | None = None,
    end: float | None = None,
    width: int | None = None,
    max_fps: float | None = None,
    offline: bool = False,
    overwrite: bool = False,
    resume: bool = False,
    more: MoreOutputs | None = None,
    on_learned: Callable[[int], None] = lambda done: None,
    on_open: Callable[[VideoReader], None] = lambda video: None,
    on_frame: Listener = lambda done, segmentation: None,
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Segment `source` and write what was found into `folder`; return the summary that it wrote there.

    A source that breaks off, a full disk and Ctrl-C leave readable files of all frames until then; the summary says so
    under ``complete`` and ``error``. Where the last frame that was learned has also been written (so not after a full
    disk), ``state.npz`` is what `resume` continues from.

    Parameters
    ----------
    masks : {"png", "video", "none"}
        ``masks/%06d.png`` (the source's frame index), or lossless ``masks.mkv``. A segmenter that explains itself
        also gets ``evidence/%06d.png``.
    overlay : bool
        Also write ``overlay.mp4``.
    max_fps : float, above 0, optional
        Of more frames a second, some are passed over.
    offline : bool
        Read the source twice: first to learn from all of it.
    overwrite : bool
        Replace the results in a folder that is not empty; other files there are left alone.
    resume : bool
        Continue an interrupted run in `folder` behind its last frame, with the same source and parameters, as if
        it had never stopped; `start` does not count. Videos go on in a file of their own, ``overlay-2.mp4``.
    more : MoreOutputs, optional
        Other results to write.
    on_learned, on_open, on_frame : callable
        Told of the number of frames read to learn from; of the opened video; and after each frame of the number
        done and its segmentation.

    Raises
    ------
    ParameterError
        The folder is not empty, the source lies in what would be overwritten, or there is nothing to resume.
    SourceError
        The source cannot be opened (nothing has been written) or breaks off (all before it has).
    OutputError
        A result cannot be written.
    """
    stop, error, more = stop or Stop(), None, more or MoreOutputs()
    summary: dict[str, Any] = {"source": str(source), "complete": False, "error": None, "frames": 0, "seconds": 0.0}
    facts = {"model": model_name(segmenter.background), "linker": linker_name(segmenter.linker)}
    facts |= {"parameters": segmenter_parameters(segmenter), "masks": masks, "resized_to": width, "offline": offline}
    facts |= {"explain": segmenter.explain, "max_fps": max_fps, **more.facts}
    is_whole, done_until = True, -math.inf
    if resume:
        summary |= _continue(folder, segmenter, more, source, facts)
        start = done_until = summary["last_time"]  # a source with nothing behind it is no error
    else:
        _check_free(folder, source, overwrite)
    if offline and (not resume or isinstance(segmenter.background, Auto)):
        first = summary.get("first_time", start)
        learned = segmenter.state() if resume else None
        learn_whole(segmenter, source, start=first, end=end, width=width, on_frame=on_learned)
        if learned is not None:  # what it found in the clip stays, and is not part of the state
            segmenter.load_state(learned)
    with open_video(source, start=start, end=end, width=width) as video, stop.listening():
        if not resume:
            _clear(folder)
        summary |= {"source": video.source, "width": video.width, "height": video.height, **facts}
        on_open(video)
        began = time.perf_counter()
        track_ids: set[int] = set(summary.pop("track_ids", ()))
        try:
            with ExitStack() as stack:
                outputs = _Outputs(stack, folder, video.fps or 25.0, masks, overlay, more.draws_evidence)
                more.open(stack, folder)
                for index, seconds, frame in stop.until_asked(video):
                    if seconds <= done_until or not _is_due(seconds, summary.get("last_time"), max_fps):
                        continue
                    is_whole = False  # between learning a frame and having written it
                    result = segmenter.step(frame, seconds, index=index)
                    track_ids |= outputs.write(frame, result)
                    more.write(frame, result)
                    _note_camera(summary, result)
                    summary["frames"] += 1
                    summary.setdefault("first_time", seconds)
                    summary["last_time"] = seconds
                    is_whole = True
                    on_frame(summary["frames"], result)
        except (SourceError, OutputError, ParameterError) as failure:
            error = failure
        except KeyboardInterrupt:
            stop.asked = True
        summary["seconds"] = round(summary["seconds"] + time.perf_counter() - began, 3)
        summary["complete"] = error is None and not stop.asked
        try:
            summary |= more.finish(folder, segmenter, complete=summary["complete"])
        except OutputError as failure:
            error = error or failure
    summary["complete"] = summary["complete"] and error is None
    summary["error"] = str(error) if error else None if summary["complete"] else "interrupted"
    summary |= {
        "frames_per_second": round(summary["frames"] / max(summary["seconds"], 1e-3), 2),
        "tracks": len(track_ids) - summary.get("joined", 0),
        "versions": versions(),
        "files": sorted(path.name for path in folder.iterdir() if _is_ours(path.name, results=True)),
    }
    try:
        write_json(folder / "summary.json", summary)
        if is_whole and not summary["complete"] and summary["frames"] and not video.is_live:
            _keep_state(folder, segmenter, more, {**summary, "track_ids": sorted(track_ids)})
        else:
            (folder / _STATE).unlink(missing_ok=True)
    except OutputError:
        if error is None:
            raise
    if error is not None:
        raise error
    return summary


class _Outputs:
    """The files of one run."""

    def __init__(
        self, stack: ExitStack, folder: Path, fps: float, masks: str, overlay: bool, draws_evidence: bool
    ) -> None:
        enter = stack.enter_context
        self._tracks = enter(TracksCsvWriter(folder / "tracks.csv", append=True))
        self._pictures = enter(MaskFolderWriter(folder / "masks")) if masks == "png" else None
        self._evidence = folder / "evidence" if draws_evidence else None
        self._film = enter(MaskVideoWriter(_free(folder, "masks.mkv"), fps=fps)) if masks == "video" else None
        self._overlay = enter(VideoWriter(_free(folder, "overlay.mp4"), fps=fps)) if overlay else None
        self._trails = Trails()

    def write(self, frame: np.ndarray, result: Segmentation) -> set[int]:
        """Write one frame's results; return the ids of the tracks that are believed."""
        if self._pictures is not None:
            self._pictures.write(result.index, result.mask)
        if self._film is not None:
            self._film.write(result.mask, result.time)
        if result.evidence and self._evidence is not None:
            write_image(self._evidence / f"{result.index:06d}.png", draw_evidence(frame, result))
        if self._overlay is not None:
            self._trails.update(result.tracks)
            self._overlay.write(draw_overlay(frame, result, trails=self._trails), result.time)
        believed = result.tracks.believed
        self._tracks.write(result.index, believed)
        return set(believed.ids.tolist())


def _is_due(seconds: float, last: float | None, max_fps: float | None) -> bool:
    """Whether a frame is the first one in its part of a second."""
    if max_fps is None or last is None:
        return True
    return math.floor(seconds * max_fps + 1e-6) > math.floor(last * max_fps + 1e-6)


def _note_camera(summary: dict[str, Any], result: Segmentation) -> None:
    """Add to the summary's ``camera`` what the camera does and how that is met, whenever it changes."""
    if result.behaviour is None:
        return
    changes = summary.setdefault("camera", [])
    now = {"behaviour": result.behaviour, "way": result.way}
    if not changes or {key: changes[-1][key] for key in now} != now:
        changes.append({"frame": result.index, "time": result.time, **now})


def _free(folder: Path, name: str) -> Path:
    """The first of name.mp4, name-2.mp4, ... that is not there yet."""
    path, n = folder / name, 1
    while path.exists():
        n += 1
        path = folder / f"{Path(name).stem}-{n}{Path(name).suffix}"
    return path


def _is_ours(name: str, *, results: bool = False) -> bool:
    """Whether a run writes a file or folder of this name; with `results`, one that the summary lists."""
    return bool(_RESULT.fullmatch(name)) or (not results and name in ("summary.json", _STATE))


def _keep_state(folder: Path, segmenter: MotionSegmenter, more: MoreOutputs, summary: dict[str, Any]) -> None:
    """Keep what a run needs to go on, where the model can say it."""
    try:
        own = {f"{_MORE}{name}": array for name, array in more.state().items()}
        write_state(folder / _STATE, {**segmenter.state(), **own}, summary)
    except UnsupportedError:
        return


def _continue(
    folder: Path, segmenter: MotionSegmenter, more: MoreOutputs, source: str | int, facts: dict[str, Any]
) -> dict[str, Any]:
    """Load the state of an interrupted run into `segmenter` and `more`; return the summary so far."""
    if not (folder / _STATE).exists():
        raise ParameterError(f"there is no interrupted run in {folder} to resume ({_STATE} is missing)")
    arrays, summary = read_state(folder / _STATE)
    if Path(summary["source"]).name != Path(str(source)).name:
        raise ParameterError(f"the run in {folder} was of {summary['source']}, so it cannot go on with {source}")
    for name, value in json.loads(json.dumps(facts)).items():  # a tuple comes back as a list
        if summary.get(name) != value:
            raise ParameterError(f"the run in {folder} had {name} {summary.get(name)}, so it cannot go on with {value}")
    segmenter.load_state(arrays)
    more.load_state({name.removeprefix(_MORE): array for name, array in arrays.items() if name.startswith(_MORE)})
    kept = ("frames", "seconds", "first_time", "last_time", "track_ids", "camera")
    return {name: summary[name] for name in kept if name in summary}


def _check_free(folder: Path, source: str | int, overwrite: bool) -> None:
    """Refuse a folder that holds something, unless it may be replaced."""
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"{folder} is a file; results need a folder")
    if folder.exists() and any(folder.iterdir()):
        if not overwrite:
            unfinished = " (or --resume, which continues it)" if (folder / _STATE).exists() else ""
            raise ParameterError(f"{folder} is not empty; --overwrite replaces the results in it{unfinished}")
        place = Path(str(source)).absolute()
        if folder.absolute() in place.parents and _is_ours(place.relative_to(folder.absolute()).parts[0]):
            raise ParameterError(f"the source {source} lies in {folder}, whose results would be overwritten")


def _clear(folder: Path) -> None:
    """Make `folder`, or clear it of the results of an earlier run."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if _is_ours(path.name) and path.is_file():
                path.unlink()
        for name, pattern in _IN_FOLDERS.items():
            for path in (folder / name).glob("*"):
                if re.fullmatch(pattern, path.name) and path.is_file():
                    path.unlink()
    except OSError as failure:
        raise OutputError(f"{folder}: {failure}") from failure
