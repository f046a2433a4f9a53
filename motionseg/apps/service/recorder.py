"""Snapshots, evidence and clips of events: one thread that writes for all cameras and makes none of them wait."""

from __future__ import annotations

import copy
import logging
import math
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motionseg.apps.service._priority import step_back
from motionseg.apps.service.calendar import Calendar
from motionseg.apps.service.recordings import KINDS, RecordingsFolder, day_of
from motionseg.core.errors import MotionSegError, OutputError
from motionseg.core.types import Event, Frame, Segmentation
from motionseg.io.write import write_image
from motionseg.viz.event import draw_event
from motionseg.viz.evidence import draw_evidence
from motionseg.viz.overlay import Trails
from motionseg.viz.zones import Place

if TYPE_CHECKING:
    from motionseg.apps.service.config import RecordingsSection
    from motionseg.apps.service.feed import Feed

__all__ = ["Recorder"]

_log = logging.getLogger("motionseg.service.recorder")

_MOST_FRAMES = 12  # that wait to be drawn: a frame with all that is known of it has some megabytes
_MOST_JOBS = 512
_GRACE = 0.5  # seconds after the last picture of a clip until its packets are surely there
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds before what could not be written is tried again
_PATIENCE = 900.0  # seconds for which it is
_RESERVE = 64e6  # bytes of the disk that are left alone: events and states come first
_SWEEP_EVERY, _SWEEP_AT_MOST = 600.0, 10.0  # seconds
_UNSURE = 600.0  # seconds of recordings before the newest one of which the store may not have been told


@dataclass(eq=False)
class _Job:
    """Something to write: when it is due on the clock, and how often it has failed."""

    event: Event
    due: float
    failures: int = 0
    failed_first: float = 0.0


@dataclass(eq=False)
class _Picture(_Job):
    frame: Any = None
    segmentation: Any = None
    places: Any = ()
    trails: Any = None
    done: tuple[str, ...] = ()  # kinds of files that are there


@dataclass(eq=False)
class _Clip(_Job):
    feed: Any = None
    start: float = 0.0
    end: float = math.inf


class Recorder:
    """Writes a snapshot (and what each cue has said) when an event begins, and a clip when it has ended.

    The files are CAMERA/YYYY-MM-DD/ID.jpg, ID.evidence.jpg and ID.mp4 (or .mkv), by the day (UTC) on which the event
    began, each there as a whole or not at all. What cannot be written is tried again for a quarter of an hour; what
    does not fit into the queue is counted as lost. Nothing of this concerns the events themselves.

    Parameters
    ----------
    section : RecordingsSection
        What is recorded, with how many seconds before and after, and how long it is kept.
    folder : path
        Made where missing. Files that others have put there, and what symbolic links lead to, are left alone.
    attach : callable
        Told of the id of an event, ``"snapshot"``, ``"evidence"`` or ``"clip"``, and the file's path under `folder`;
        "" when it is gone.
    clock : callable
        Seconds, as the times of a feed's pictures.
    """

    def __init__(
        self,
        section: RecordingsSection,
        folder: Path,
        *,
        attach: Callable[[str, str, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.section = section
        self._kept = RecordingsFolder(folder)
        self._attach, self._clock = attach, clock
        self._lock = threading.Condition()
        self._jobs: list[_Job] = []
        self._cut: dict[str, None] = {}  # events that go on, and whose clip is as long as it may be
        self._counts = dict.fromkeys(("snapshots", "evidence", "clips", "retries", "lost", "removed"), 0)
        self._trouble: str | None = None
        self._next_sweep = self._last_sweep = -math.inf
        self._calendar = Calendar()
        self._explained: tuple[Frame | None, Any] = None, None  # the last frame of which evidence was drawn
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    # --- asked by cameras ---------------------------------------------------------------------

    def begun(
        self,
        event: Event,
        frame: Frame,
        segmentation: Segmentation,
        places: Sequence[Place],
        trails: Trails | None = None,
        *,
        feed: Feed | None = None,
        start: float | None = None,
    ) -> None:
        """An event has begun: its snapshot is to be drawn. Returns at once.

        Parameters
        ----------
        event : Event
            Its start in seconds since 1970.
        frame, segmentation, places
            Of the frame in which it was told; nobody changes them any more.
        trails : Trails, optional
            As they are now; copied.
        feed, start : optional
            The camera's feed and the event's start in its time. With these the clip of a long event is cut as soon as
            it is as long as it may be; without, only when the event has ended, when its beginning may be lost.
        """
        if self.section.snapshots:
            lean = replace(segmentation, score=None, flow=None)
            way = copy.deepcopy(trails)
            job = _Picture(event, self._clock(), frame=frame, segmentation=lean, places=tuple(places), trails=way)
            with self._lock:
                frames = {id(job.frame) for job in self._jobs if isinstance(job, _Picture)} | {id(frame)}
                self._put(job, len(frames) <= _MOST_FRAMES)
        if self.section.clips and feed is not None and start is not None:
            first = start - self.section.pre_roll
            clip = _Clip(event, first + self.section.max_length + _GRACE, feed=feed, start=first)
            clip.end = first + self.section.max_length
            with self._lock:
                self._put(clip)

    def ended(self, event: Event, feed: Feed, start: float, end: float) -> None:
        """An event has ended: its clip is to be cut when the seconds after it are over. Returns at once.

        Parameters
        ----------
        event : Event
            Its start in seconds since 1970.
        feed : Feed
            The camera's.
        start, end : float
            Of the event, in the feed's time.
        """
        if not self.section.clips:
            return
        first = start - self.section.pre_roll
        with self._lock:
            if event.id in self._cut:
                del self._cut[event.id]
                return
            waiting = [job for job in self._jobs if isinstance(job, _Clip) and job.event.id == event.id]
            for job in waiting:
                self._jobs.remove(job)
                first = job.start  # as it was then: the wall clock, by which `start` is known, may have been set since
            last = min(first + self.section.pre_roll + end - start + self.section.post_roll,
                       first + self.section.max_length)  # fmt: skip
            self._put(_Clip(event, last + _GRACE, feed=feed, start=first, end=last))

    def _put(self, job: _Job, is_room: bool = True) -> None:
        """Let a job wait, or count it as lost; under the lock."""
        if self._is_stopping or not is_room or len(self._jobs) >= _MOST_JOBS:
            self._counts["lost"] += 1
            return
        self._jobs.append(job)
        self._lock.notify()

    # --- the thread --------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to write; what may have been forgotten when the last process was killed is attached again."""
        self._thread = threading.Thread(target=self._run, name="motionseg-recorder", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Write what waits, clips as far as they have come, and end the thread, within `timeout` seconds."""
        with self._lock:
            self._is_stopping = True
            self._lock.notify()
        if self._thread is not None:
            self._thread.join(timeout)

    def status(self) -> dict[str, Any]:
        """What was written (snapshots, evidence, clips), how many jobs wait (queued), were tried again (retries) or
        given up (lost), files removed by retention, files and bytes that are there, and last_error: None where the
        last file could be written.
        """
        with self._lock:
            counts = {**self._counts, "queued": len(self._jobs), "last_error": self._trouble}
        return {**counts, "files": self._kept.files, "bytes": self._kept.size}

    def _run(self) -> None:
        step_back()
        try:
            self._tell_again()
        except Exception:
            _log.exception("the recordings that are there could not be looked through")
        while True:
            with self._lock:
                stopping = self._is_stopping
            self.work(at_once=stopping)
            if stopping:
                return
            with self._lock:
                due = min((job.due for job in self._jobs), default=math.inf)
                pause = min(due, self._next_sweep) - self._clock()
                if pause > 0 and not self._is_stopping:
                    self._lock.wait(pause)

    def _tell_again(self) -> None:
        """Files of the last minutes may be there while nobody was told of them."""
        for event_id, kind, path in self._kept.recent(_UNSURE):
            self._attach(event_id, kind, path)

    def mend(self, events: Iterable[Mapping[str, Any]]) -> int:
        """Attach "" where the store names a file that is not there: the other half of what a crash may leave.

        Parameters
        ----------
        events : iterable of dict
            As the store gives them: with ``id``, ``snapshot``, ``evidence`` and ``clip``.

        Returns
        -------
        int
            Number of files that are missing.
        """
        n = 0
        for facts in events:
            for kind in KINDS:
                if facts.get(kind) and not (self._kept.root / facts[kind]).is_file():
                    self._attach(facts["id"], kind, "")
                    n += 1
        return n

    def work(self, *, at_once: bool = False) -> None:
        """Do what is due, and sweep from time to time; `at_once`: all that waits, once. Called by the thread."""
        while True:
            now = self._clock()
            with self._lock:
                ready = [job for job in self._jobs if at_once or job.due <= now]
                if not ready:
                    break
                job = min(ready, key=lambda job: job.due)
                self._jobs.remove(job)
                if isinstance(job, _Clip) and job.event.is_open:
                    self._note_cut(job.event.id)
            self._do(job, now, again=not at_once)
        too_large = self._kept.size > self.section.keep_gb * 1e9 and now >= self._last_sweep + _SWEEP_AT_MOST
        if (now >= self._next_sweep or too_large) and not at_once:
            self._last_sweep, self._next_sweep = now, now + _SWEEP_EVERY
            try:
                self.sweep(self._calendar.now())
            except Exception:  # a folder that cannot be read today is no reason to record nothing tomorrow
                _log.exception("the recordings could not be swept")

    def _do(self, job: _Job, now: float, *, again: bool) -> None:
        try:
            self._check_space()
            if isinstance(job, _Picture):
                self._draw(job)
            else:
                assert isinstance(job, _Clip)
                self._save_clip(job)
        except OutputError as failure:
            self._failed(job, failure, now, again)
        except MotionSegError as failure:  # it would fail again
            self._failed(job, failure, now, False)
        except Exception as failure:
            _log.exception("a recording of %s was given up", job.event.id)
            self._failed(job, failure, now, False)
        else:
            with self._lock:
                if self._trouble is not None:
                    _log.info("recordings can be written again")
                self._trouble = None

    def _failed(self, job: _Job, failure: Exception, now: float, again: bool) -> None:
        with self._lock:
            if self._trouble is None:
                _log.warning("a recording cannot be written: %s", failure)
            self._trouble = str(failure)
            job.failed_first = job.failed_first if job.failures else now
            if again and now - job.failed_first < _PATIENCE and len(self._jobs) < _MOST_JOBS:
                job.due = now + min(_FIRST_PAUSE * 2.0**job.failures, _LONGEST_PAUSE)
                job.failures += 1
                self._counts["retries"] += 1
                self._jobs.append(job)
            else:
                self._counts["lost"] += 1

    def _note_cut(self, event_id: str) -> None:
        """Under the lock: no other clip is to be cut when this event ends."""
        self._cut[event_id] = None
        while len(self._cut) > _MOST_JOBS:
            del self._cut[next(iter(self._cut))]

    def _check_space(self) -> None:
        """Raises OutputError where the disk is nearly full."""
        place = self._kept.root
        while not place.exists() and place != place.parent:
            place = place.parent
        try:
            free = shutil.disk_usage(place).free
        except OSError:  # a system that does not say
            return
        if free < _RESERVE:
            raise OutputError(f"{self._kept.root}: the disk is nearly full, {free / 1e6:.0f} MB are free")

    # --- files -------------------------------------------------------------------------------------

    def _draw(self, job: _Picture) -> None:
        event = job.event
        place = self._kept.place(event.camera, day_of(event.start), event.id)
        when = datetime.fromtimestamp(event.start, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
        picture = draw_event(job.frame, job.segmentation, event, job.places, trails=job.trails, when=when)
        self._keep(job, "snapshot", place, picture)
        if job.segmentation.evidence:
            if self._explained[0] is not job.frame:  # several events may begin in it
                self._explained = job.frame, draw_evidence(job.frame, job.segmentation)
            self._keep(job, "evidence", place, self._explained[1])

    def _keep(self, job: _Picture, kind: str, place: Path, picture: Frame) -> None:
        if kind not in job.done:
            path = place.with_name(place.name + KINDS[kind][0])
            write_image(path, picture)
            job.done += (kind,)
            self._told(job.event, kind, path)

    def _save_clip(self, job: _Clip) -> None:
        event = job.event
        place = self._kept.place(event.camera, day_of(event.start), event.id)
        if any(place.with_name(place.name + ending).exists() for ending in KINDS["clip"]):
            return  # of its beginning, from before a restart
        part = place.with_name(f".{place.name}.part.mp4")
        try:
            facts = job.feed.save_clip(part, job.start, job.end)
            if facts is None:
                return  # pictures that came without packets, or nothing of that time is known any more
            made = Path(facts.path)
            path = place.with_name(place.name + made.suffix)
            try:
                made.replace(path)
            except OSError as failure:
                raise OutputError(f"{path}: {failure.strerror or failure}") from failure
        finally:
            for suffix in KINDS["clip"]:
                with suppress(OSError):
                    part.with_suffix(suffix).unlink()
        self._told(event, "clip", path)

    def _told(self, event: Event, kind: str, path: Path) -> None:
        relative = self._kept.added(path)
        with self._lock:
            self._counts[{"snapshot": "snapshots", "clip": "clips"}.get(kind, kind)] += 1
        self._attach(event.id, kind, relative)

    # --- retention -----------------------------------------------------------------------------------

    def sweep(self, now: float) -> int:
        """Remove what is older than ``keep_days`` at `now` (seconds since 1970), and the oldest beyond ``keep_gb``.

        Returns the number of files that went; ``attach(id, kind, "")`` was called for each.
        """
        self._kept.clear_left_overs(now)
        oldest, most = now - self.section.keep_days * 86400, self.section.keep_gb * 1e9
        removed = self._kept.make_room(oldest, most, forget=lambda event_id, kind: self._attach(event_id, kind, ""))
        with self._lock:
            self._counts["removed"] += removed
        return removed
