"""A video into a folder of results: masks, tracks, overlay and a summary, whole or partial."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from motionseg.apps.config import segmenter_parameters
from motionseg.apps.doctor import versions
from motionseg.core import catalog
from motionseg.core.errors import OutputError, ParameterError, SourceError
from motionseg.core.types import Segmentation, TrackState
from motionseg.io.video import VideoReader, open_video
from motionseg.io.write import MaskFolderWriter, MaskVideoWriter, TracksCsvWriter, VideoWriter, write_json
from motionseg.pipeline.segmenter import MotionSegmenter
from motionseg.viz.overlay import Trails, draw_overlay

__all__ = ["Stop", "segment_to_folder"]

T = TypeVar("T")
Listener = Callable[[int, Segmentation], None]

_OUTPUTS = ("masks.mkv", "tracks.csv", "overlay.mp4", "summary.json")


class Stop:
    """Ctrl-C and SIGTERM end a job between two frames; a second one, or one while waiting for a frame, at once."""

    def __init__(self) -> None:
        self.asked = False
        self._waiting = False

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Take the two signals over while inside (on the main thread, where signals arrive)."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, *_: Any) -> None:
        again, self.asked = self.asked, True
        if again or self._waiting:
            raise KeyboardInterrupt

    def until_asked(self, items: Iterable[T]) -> Iterator[T]:
        """`items`, up to the one in hand when the signal comes."""
        iterator = iter(items)
        while not self.asked:
            self._waiting = True
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self._waiting = False
            yield item


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
    overwrite: bool = False,
    on_open: Callable[[VideoReader], None] = lambda video: None,
    on_frame: Listener = lambda done, segmentation: None,
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Segment `source` and write what was found into `folder`; return the summary that it wrote there.

    A source that breaks off, a full disk and Ctrl-C leave readable files of all frames until then; the
    summary says so under ``complete`` and ``error``.

    Parameters
    ----------
    masks : {"png", "video", "none"}
        ``masks/%06d.png`` (the source's frame index), or lossless ``masks.mkv``.
    overlay : bool
        Also write ``overlay.mp4``.
    overwrite : bool
        Replace the results in a folder that is not empty; other files there are left alone.
    on_open, on_frame : callable
        Told of the opened video, and after each frame of the number done and its segmentation.

    Raises
    ------
    ParameterError
        The folder is not empty, or the source lies in what would be overwritten.
    SourceError
        The source cannot be opened (nothing has been written) or breaks off (all before it has).
    OutputError
        A result cannot be written.
    """
    stop, error = stop or Stop(), None
    summary: dict[str, Any] = {"source": str(source), "complete": False, "error": None, "frames": 0}
    with open_video(source, start=start, end=end, width=width) as video, stop.listening():
        _prepare(folder, source, overwrite)
        summary |= {"source": video.source, "width": video.width, "height": video.height}
        on_open(video)
        began = time.perf_counter()
        track_ids: set[int] = set()
        try:
            with ExitStack() as stack:
                outputs = _Outputs(stack, folder, video.fps or 25.0, masks, overlay)
                for index, seconds, frame in stop.until_asked(video):
                    result = segmenter.step(frame, seconds, index=index)
                    track_ids |= outputs.write(frame, result)
                    summary["frames"] += 1
                    summary.setdefault("first_time", seconds)
                    summary["last_time"] = seconds
                    on_frame(summary["frames"], result)
        except (SourceError, OutputError, ParameterError) as failure:
            error = failure
        except KeyboardInterrupt:
            stop.asked = True
    seconds = time.perf_counter() - began
    summary["complete"] = error is None and not stop.asked
    summary["error"] = str(error) if error else "interrupted" if stop.asked else None
    summary |= {
        "seconds": round(seconds, 3),
        "frames_per_second": round(summary["frames"] / seconds, 2),
        "tracks": len(track_ids),
        "model": _name(segmenter),
        "parameters": segmenter_parameters(segmenter),
        "versions": versions(),
        "files": sorted(name for name in ("masks", *_OUTPUTS[:-1]) if (folder / name).exists()),
    }
    try:
        write_json(folder / "summary.json", summary)
    except OutputError:
        if error is None:
            raise
    if error is not None:
        raise error
    return summary


class _Outputs:
    """The files of one run."""

    def __init__(self, stack: ExitStack, folder: Path, fps: float, masks: str, overlay: bool) -> None:
        enter = stack.enter_context
        self._tracks = enter(TracksCsvWriter(folder / "tracks.csv"))
        self._pictures = enter(MaskFolderWriter(folder / "masks")) if masks == "png" else None
        self._film = enter(MaskVideoWriter(folder / "masks.mkv", fps=fps)) if masks == "video" else None
        self._overlay = enter(VideoWriter(folder / "overlay.mp4", fps=fps)) if overlay else None
        self._trails = Trails()

    def write(self, frame: np.ndarray, result: Segmentation) -> set[int]:
        """Write one frame's results; return the ids of the tracks that are believed."""
        if self._pictures is not None:
            self._pictures.write(result.index, result.mask)
        if self._film is not None:
            self._film.write(result.mask, result.time)
        if self._overlay is not None:
            self._trails.update(result.tracks)
            self._overlay.write(draw_overlay(frame, result, trails=self._trails), result.time)
        believed = result.tracks[result.tracks.states != TrackState.TENTATIVE]
        self._tracks.write(result.index, believed)
        return set(believed.ids.tolist())


def _name(segmenter: MotionSegmenter) -> str:
    module = type(segmenter.background).__module__.rpartition(".")[2]
    return module if module in catalog.names("background") else type(segmenter.background).__name__


def _prepare(folder: Path, source: str | int, overwrite: bool) -> None:
    """Make `folder`, or clear it of the results of an earlier run."""
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"{folder} is a file; results need a folder")
    if folder.exists() and any(folder.iterdir()):
        if not overwrite:
            raise ParameterError(f"{folder} is not empty; --overwrite replaces the results in it")
        place = Path(str(source)).absolute()
        ours = [folder.absolute() / name for name in ("masks", *_OUTPUTS)]
        if any(place == path or path in place.parents for path in ours):
            raise ParameterError(f"the source {source} lies in {folder}, whose results would be overwritten")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in _OUTPUTS:
            (folder / name).unlink(missing_ok=True)
        for picture in (folder / "masks").glob("*.png"):
            if re.fullmatch(r"\d{6,}", picture.stem):
                picture.unlink()
    except OSError as failure:
        raise OutputError(f"{folder}: {failure}") from failure
