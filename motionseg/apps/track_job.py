"""A video into tracks: what `segment` writes, and the tracks in the field's formats, as a table and as pictures."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from motionseg.apps.segment_job import MoreOutputs, segment_to_folder
from motionseg.apps.stop import Stop
from motionseg.core.checks import check_number
from motionseg.core.errors import OutputError, ParameterError, SourceError, StateError, UnsupportedError
from motionseg.core.types import Frame, Labels, Segmentation, Tracks
from motionseg.io.coco_tracks import CocoTracksWriter
from motionseg.io.mot import MotWriter, read_mot
from motionseg.io.mots import MotsWriter
from motionseg.io.tracks import TracksCsvWriter
from motionseg.io.write import write_columns, write_image
from motionseg.pipeline.evaluation import regions_of_boxes
from motionseg.pipeline.segmenter import MotionSegmenter
from motionseg.track import Occupancy, TrackHistory, stitch
from motionseg.track.base import RegionLinker
from motionseg.viz.maps import draw_map, draw_trajectories

__all__ = ["link_detections", "track_to_folder"]


def track_to_folder(source: str | int, folder: Path, *, join: bool = False, **options: Any) -> dict[str, Any]:
    """Segment `source` and write what was found, and above all the tracks, into `folder`; return the summary.

    Beside all that :func:`segment_to_folder` writes there are ``tracks.txt`` (MOTChallenge), ``tracks_mots.txt``,
    ``tracks.json`` (COCO), ``track_table.csv``, ``trajectories.png``, ``heat.png`` and ``dwell.png``; of a run that was
    interrupted, for the frames until then.

    Parameters
    ----------
    join : bool
        When all is over, join broken tracks (:func:`motionseg.track.stitch`) and fill their gaps in tracks.csv; all
        files of tracks are rewritten with the new ids (the overlay is not). An interrupted run is joined when it has
        been resumed and is complete.
    **options
        Of :func:`segment_to_folder`.

    Raises
    ------
    ParameterError, SourceError, OutputError
        As :func:`segment_to_folder`; also where the segmenter has no linker.
    """
    if options["segmenter"].linker is None:
        raise ParameterError("the segmenter has no linker, so there are no tracks")
    return segment_to_folder(source, folder, more=_TrackOutputs(join), **options)


class _TrackOutputs(MoreOutputs):
    """Tracks in three more formats while they come; tables and pictures from what is remembered of them."""

    facts = MappingProxyType({"tracking": True})

    def __init__(self, join: bool) -> None:
        self._join = join
        self._history = TrackHistory()
        self._maps: Occupancy | None = None
        self._last: Frame | None = None

    def open(self, stack: ExitStack, folder: Path) -> None:
        self._boxes = stack.enter_context(MotWriter(folder / "tracks.txt", append=True))
        self._pixels = stack.enter_context(MotsWriter(folder / "tracks_mots.txt", append=True))
        self._results = stack.enter_context(CocoTracksWriter(folder / "tracks.json", append=True))

    def write(self, frame: Frame, result: Segmentation) -> None:
        assert result.tracks is not None
        seen = result.tracks.visible
        owners = _owners(result, seen)
        self._boxes.write(result.index, seen)
        self._pixels.write(result.index, owners)
        self._results.write(result.index, owners, seen)
        self._history.add(result.index, result.tracks, result.regions)
        if self._maps is None:
            self._maps = Occupancy(*owners.shape)
        self._maps.update(result.tracks, owners)
        self._last = frame

    def finish(self, folder: Path, segmenter: MotionSegmenter, *, complete: bool) -> dict[str, Any]:
        history, told = self._history, {}
        if self._join and complete:
            mapping = stitch(history)
            history = history.renamed(mapping).interpolated()
            told = {"joined": len(mapping)}
            if self._maps is not None:
                _rewrite(folder, history, mapping)
        write_columns(folder / "track_table.csv", history.table().columns())
        if self._maps is not None:
            empty = self._empty(segmenter)
            write_image(folder / "trajectories.png", draw_trajectories(empty, history))
            write_image(folder / "heat.png", draw_map(self._maps.heat, empty, title="passages"))
            write_image(folder / "dwell.png", draw_map(self._maps.dwell, empty, title="seconds"))
        return told

    def _empty(self, segmenter: MotionSegmenter) -> Frame:
        """The place without anything that moves, where the model knows it; else the last frame."""
        assert self._maps is not None
        try:
            return segmenter.background.background()
        except (UnsupportedError, StateError):
            return np.zeros(self._maps.shape, np.uint8) if self._last is None else self._last

    def state(self) -> dict[str, np.ndarray]:
        own = {f"history.{name}": array for name, array in self._history.state().items()}
        if self._maps is not None:
            own |= {f"maps.{name}": array for name, array in self._maps.state().items()}
            own["shape"] = np.array(self._maps.shape)
        return own

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        self._history.load_state(_part(state, "history."))
        if "shape" in state:
            self._maps = Occupancy(*state["shape"].tolist())
            self._maps.load_state(_part(state, "maps."))


def _part(state: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}


def _owners(result: Segmentation, seen: Tracks) -> Labels:
    """The id that each pixel belongs to, of the tracks that are `seen`; 0 for none."""
    owners = result.track_labels()
    is_seen = np.zeros(max(int(owners.max(initial=0)), int(seen.ids.max(initial=0))) + 1, bool)
    is_seen[seen.ids] = True
    return np.where(is_seen[owners], owners, 0).astype(np.int32)


def _rewrite(folder: Path, history: TrackHistory, mapping: dict[int, int]) -> None:
    """All files of tracks, with other ids. Raises OutputError."""
    table, boxes = folder / "tracks.csv", folder / "tracks.txt"
    fresh = {path: path.with_name(f".{path.name}.tmp") for path in (table, boxes)}
    try:
        with TracksCsvWriter(fresh[table]) as rows, MotWriter(fresh[boxes]) as lines:
            for index, tracks in history.frames():
                rows.write(index, tracks.believed)
                lines.write(index, tracks.visible)
        for path, new in fresh.items():
            os.replace(new, path)
    except OSError as error:
        raise OutputError(f"{folder}: the joined tracks cannot be written: {error}") from error
    finally:
        for new in fresh.values():
            new.unlink(missing_ok=True)
    MotsWriter.rename(folder / "tracks_mots.txt", mapping)
    CocoTracksWriter.rename(folder / "tracks.json", mapping)


def link_detections(
    detections: Path,
    output: Path,
    *,
    linker: RegionLinker,
    fps: float = 25.0,
    overwrite: bool = False,
    on_open: Callable[[int], None] = lambda n_frames: None,
    on_frame: Callable[[int], None] = lambda done: None,
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Link boxes that somebody else has found, and write the tracks as a result file of the MOTChallenge.

    Parameters
    ----------
    detections, output : path
        Text files of boxes, as :func:`motionseg.io.read_mot` reads them. Ids in `detections` do not count.
    linker : RegionLinker
        Fresh.
    fps : float, above 0
        Frames a second: the file's frame n is at (n - 1) / fps seconds. Frames without boxes count, too.
    overwrite : bool
        Replace an `output` that is there.
    on_open, on_frame : callable
        Told of the number of frames, and of how many are done.

    Returns
    -------
    dict
        source, complete, frames, detections, boxes (that were written), tracks, seconds, frames_per_second, files.

    Raises
    ------
    ParameterError
        `output` is there already or is the file of detections, or `fps` is out of range.
    SourceError
        `detections` cannot be read, or a box has no size.
    OutputError
        `output` cannot be written.
    """
    fps, stop = check_number("fps", fps, 0, above=True), stop or Stop()
    if output.exists() and output.is_dir():
        raise ParameterError(f"{output} is a folder; the tracks of given boxes are written into a text file")
    if output.absolute() == detections.absolute():
        raise ParameterError(f"{output} is the file of detections: it would be overwritten")
    if output.exists() and not overwrite:
        raise ParameterError(f"{output} is there already; --overwrite replaces it")
    table = read_mot(detections)
    flat = (table.boxes[:, 2:] <= table.boxes[:, :2]).any(axis=1)
    if flat.any():
        raise SourceError("a box has no width or no height", source=str(detections), frame=int(table.frames[flat][0]))
    table = table[np.argsort(table.frames, kind="stable")]
    n_frames = int(table.frames[-1]) + 1 if len(table) else 0
    on_open(n_frames)
    done = n_boxes = 0
    ids: set[int] = set()
    began = time.perf_counter()
    with stop.listening(), MotWriter(output) as writer:
        writer.write(0, Tracks())  # where there is no track, there is a file
        for index in stop.until_asked(range(n_frames)):
            rows = slice(*np.searchsorted(table.frames, [index, index + 1]).tolist())
            tracks = linker.update(regions_of_boxes(table.boxes[rows], table.scores[rows]), index / fps).visible
            writer.write(index, tracks)
            ids |= set(tracks.ids.tolist())
            n_boxes += len(tracks)
            done += 1
            on_frame(done)
    seconds = time.perf_counter() - began
    return {
        "source": str(detections),
        "complete": not stop.asked,
        "frames": done,
        "detections": len(table),
        "boxes": n_boxes,
        "tracks": len(ids),
        "seconds": round(seconds, 3),
        "frames_per_second": round(done / max(seconds, 1e-3), 2),
        "files": [str(output)],
    }
