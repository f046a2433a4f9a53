"""A recorded video into events: what happened, with clips, snapshots and numbers of every frame."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from motionseg.apps.segment_job import MoreOutputs, segment_to_folder
from motionseg.core.errors import OutputError, ParameterError, SourceError, StateError
from motionseg.core.types import FOREGROUND, UNKNOWN, Event, Frame, Segmentation
from motionseg.events import EventDetector
from motionseg.io._output import RowsWriter
from motionseg.io.write import write_image
from motionseg.pipeline.segmenter import MotionSegmenter
from motionseg.viz.event import draw_event
from motionseg.viz.overlay import Trails

if TYPE_CHECKING:
    from motionseg.apps.service.config import RecordingsSection

__all__ = ["events_to_folder", "read_events"]

_LINES = "events.jsonl"
_DETECTOR = "detector."


def events_to_folder(
    source: str | int, folder: Path, *, detector: EventDetector, recordings: RecordingsSection, **options: Any
) -> dict[str, Any]:
    """Look for events in `source` and write them into `folder`; return the summary that is written there, too.

    There are ``events.jsonl`` with each event once, as soon as it is over; ``snapshots/ID.jpg`` of the frame in which
    it was told; ``clips/ID.mp4`` (or .mkv), in the source's own packets where they can be copied; ``statistics.csv``
    with a row for each frame; ``tracks.csv`` and ``summary.json`` as :func:`segment_to_folder` writes them. Times are
    seconds of the source. Events that go on at its end end there. Where the run was interrupted they also do, and when
    it is resumed they are told again as they really end.

    Parameters
    ----------
    detector : EventDetector
        Fresh.
    recordings : RecordingsSection
        What is recorded, with how many seconds before and after.
    **options
        Of :func:`segment_to_folder`.

    Raises
    ------
    ParameterError, SourceError, OutputError
        As :func:`segment_to_folder`; also where the segmenter has no linker.
    """
    if options["segmenter"].linker is None:
        raise ParameterError("the segmenter has no linker, so there are no tracks to tell events of")
    more = _EventOutputs(source, detector, recordings)
    return segment_to_folder(source, folder, masks="none", more=more, **options)


def read_events(folder: Path) -> list[Event]:
    """The events in the folder of a run, in the order of their ends.

    Raises
    ------
    SourceError
        There are none to read, or a line is none.
    """
    path = folder / _LINES
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [Event.from_dict(json.loads(line)) for line in lines]
    except (OSError, ValueError, ParameterError) as error:
        raise SourceError(str(error), source=str(path)) from error


class _EventLines(RowsWriter):
    """Events, a line of JSON for each."""

    def write(self, events: Sequence[Event]) -> None:
        self._write(f"{json.dumps(event.to_dict(), ensure_ascii=False)}\n" for event in events)


class _Statistics(RowsWriter):
    """A row of numbers for each frame."""

    _columns = ("index", "time", "foreground", "regions", "tracks", "open_events", "verdict", "behaviour")
    _head = f"{','.join(_columns)}\n"

    def write(self, result: Segmentation, n_open: int) -> None:
        known = result.mask.size - int(np.count_nonzero(result.mask == UNKNOWN))
        share = np.count_nonzero(result.mask == FOREGROUND) / max(known, 1)
        n_regions = 0 if result.regions is None else len(result.regions)
        n_tracks = 0 if result.tracks is None else len(result.tracks.believed)
        row = io.StringIO()
        words = result.verdict or "", result.behaviour or ""
        numbers = result.index, f"{result.time:.6f}", f"{share:.6f}", n_regions, n_tracks, n_open
        csv.writer(row, lineterminator="\n").writerow((*numbers, *words))
        self._write([row.getvalue()])


class _EventOutputs(MoreOutputs):
    """Events while they come, and what is recorded of each."""

    draws_evidence: ClassVar[bool] = False

    def __init__(self, source: str | int, detector: EventDetector, recordings: RecordingsSection) -> None:
        self._source, self._detector, self._recordings = source, detector, recordings
        self.facts = {"tracking": False, "camera_name": detector.camera, "events": detector.params()}
        self._trails = Trails()
        self._open = {event.id for event in detector.open_events}
        self._size: int | None = None  # of the lines of events that are really over, where a run is resumed
        self._before: dict[str, np.ndarray] | None = None  # the detector before it was closed
        self._time: float | None = None
        self._is_open = False
        self._without_clip: list[str] = []

    def open(self, stack: ExitStack, folder: Path) -> None:
        self._folder = folder
        path = folder / _LINES
        if self._size is not None:
            try:
                if path.stat().st_size < self._size:
                    raise ParameterError(f"{path} is shorter than the interrupted run has left it")
                os.truncate(path, self._size)
            except OSError as failure:
                raise OutputError(f"{path}: {failure.strerror or failure}") from failure
        self._tell([])
        self._statistics = stack.enter_context(_Statistics(folder / "statistics.csv", append=True))
        self._is_open = True

    def write(self, frame: Frame, result: Segmentation) -> None:
        assert result.tracks is not None
        self._trails.update(result.tracks)
        told = self._detector.update(
            result.tracks,
            result.time,
            identities=result.track_labels(),  # also of linkers that know boxes only
            verdict=result.verdict,
            evidence=result.evidence,
        )
        self._time = result.time
        for event in told:
            if event.is_open:
                self._open.add(event.id)
                self._draw(event, frame, result)
            else:
                self._end(event)
        self._statistics.write(result, len(self._open))

    def finish(self, folder: Path, segmenter: MotionSegmenter, *, complete: bool) -> dict[str, Any]:
        if self._time is None or not self._is_open:
            return {}
        self._size, self._before = (folder / _LINES).stat().st_size, self._detector.state()
        for event in self._detector.close(self._time):
            self._end(event)
        events = read_events(folder)
        return {
            "camera_name": self._detector.camera,
            "n_events": len(events),
            "n_events_by_rule": dict(sorted(Counter(event.rule for event in events).items())),
            "cut_off": [event.id for event in events if event.reason.get("ended") == "closed"],
            "without_clip": self._without_clip,
        }

    # --- what is recorded of an event ------------------------------------------------------------

    def _tell(self, events: Sequence[Event]) -> None:
        with _EventLines(self._folder / _LINES, append=True) as lines:
            lines.write(events)

    def _draw(self, event: Event, frame: Frame, result: Segmentation) -> None:
        if self._recordings.snapshots:
            picture = draw_event(frame, result, event, self._detector.places, trails=self._trails)
            write_image(self._folder / "snapshots" / f"{event.id}.jpg", picture)

    def _end(self, event: Event) -> None:
        self._open.discard(event.id)
        self._tell([event])
        if self._recordings.clips:
            self._cut(event)

    def _cut(self, event: Event) -> None:
        """Copy the event's clip; of a live stream there is none."""
        from motionseg.io.clips import copy_clip

        assert event.end is not None
        wanted = event.start - self._recordings.pre_roll
        last = min(event.end + self._recordings.post_roll, wanted + self._recordings.max_length)
        is_kept = not isinstance(self._source, int) and "://" not in self._source
        try:
            if is_kept and last > 0:
                copy_clip(self._source, self._folder / "clips" / f"{event.id}.mp4", max(wanted, 0.0), last)
                return
        except SourceError:  # it is damaged there; the event is known all the same
            pass
        self._without_clip.append(event.id)

    # --- interrupted runs ----------------------------------------------------------------------------

    def state(self) -> dict[str, np.ndarray]:
        if self._size is None:
            return {}
        before = self._detector.state() if self._before is None else self._before
        own = {f"{_DETECTOR}{name}": array for name, array in before.items()}
        return {**own, "size": np.array(self._size, np.int64), "time": np.array(self._time)}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        if "size" not in state:
            raise StateError("the state of the interrupted run says nothing of events")
        own = {name.removeprefix(_DETECTOR): array for name, array in state.items() if name.startswith(_DETECTOR)}
        self._detector.load_state(own)
        self._size, self._time = int(state["size"]), float(state["time"])
        self._open = {event.id for event in self._detector.open_events}
