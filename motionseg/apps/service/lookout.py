"""One camera's worker: takes the newest picture, looks, and tells."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from motionseg.apps.service.feed import Feed, Shot
from motionseg.apps.service.sight import LiveClock, Sight
from motionseg.core.errors import MotionSegError, OutputError, StateError, UnsupportedError
from motionseg.core.state import write_state
from motionseg.core.types import FOREGROUND, Event, Frame, Segmentation
from motionseg.viz.overlay import Trails

__all__ = ["LATENCIES", "Latest", "Lookout"]

LATENCIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)
"""Upper ends, in seconds, of the classes in which latencies are counted."""

_log = logging.getLogger("motionseg.service")
_WAIT = 0.2  # seconds for a picture before commands are looked at
_RECENT = 10.0  # seconds over which rates are told
_FAILURES = 20  # frames in turn that fail before the scene is learned anew
_FIRST_STATE = 15.0  # seconds after the start, if states are that rare
_RECALL_EVERY = 5.0  # seconds between two questions to a store that is away
_ALIVE_EVERY = 2.0  # seconds between two marks of life


@dataclass(frozen=True)
class Latest:
    """The last picture and what was seen in it."""

    frame: Frame
    segmentation: Segmentation
    wall: float
    """Seconds since 1970."""
    number: int


class Lookout:
    """Looks at one camera in a thread of its own.

    Parameters
    ----------
    name : str
    sight : Sight
    feed : Feed
        Not yet started.
    tell : callable
        Is given events and the time (seconds since 1970) as they are told; returns at once.
    recall : callable, optional
        Gives, of what was stored before, the open events, the highest event number and the highest track id; raises
        where the store is away, and is asked again.
    recorder : Recorder, optional
    folder : path, optional
        Where the state is kept; None: nowhere.
    keeper : Executor, optional
        Writes states; needed with `folder`.
    state_every : float
        Seconds between two states.
    cpu : float, optional
        Cores that this thread may use; frames beyond are passed over.
    """

    def __init__(
        self,
        name: str,
        sight: Sight,
        feed: Feed,
        *,
        tell: Callable[[Sequence[Event], float], None],
        recall: Callable[[str], tuple[list[Event], int, int]] | None = None,
        recorder: Any = None,
        folder: Path | None = None,
        keeper: Executor | None = None,
        state_every: float = 60.0,
        cpu: float | None = None,
    ) -> None:
        self.name, self.sight, self.feed = name, sight, feed
        self._tell_store, self._recall, self._recorder = tell, recall, recorder
        self._folder, self._keeper, self._state_every = folder, keeper, state_every
        self._orders: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._latest: Latest | None = None
        self._clock: LiveClock | None = None
        self._trails = Trails()
        self._is_recalled, self._recall_at = recall is None, 0.0
        self._told: set[str] = set()  # before the store could be asked
        self._last_alive = 0.0
        self._alive_at = time.monotonic()
        self._kept_at = self._alive_at - max(0.0, state_every - _FIRST_STATE)
        self._unstored: dict[tuple[str, bool], float] = {}  # when the frames of events had come
        self._count = _Count(cpu)

    # --- life --------------------------------------------------------------------------------

    def start(self) -> None:
        self._last_alive = self._find_last_alive()
        self._resume()
        self.feed.start()
        self._thread = threading.Thread(target=self._run, name=f"lookout-{self.name}", daemon=True)
        self._thread.start()

    def ask_to_stop(self) -> None:
        """So that several can end at once."""
        self._stop.set()

    def stop(self, timeout: float = 10.0) -> None:
        """End after the frame in hand, and keep the state. Open events stay open."""
        self.ask_to_stop()
        self.feed.stop(timeout)
        if self._thread is not None:
            self._thread.join(timeout)

    def call(self, order: Callable[[], Any], timeout: float = 10.0) -> Any:
        """Do `order` between two frames, and give what it gives or raises."""
        if self._thread is None or not self._thread.is_alive() or self._thread is threading.current_thread():
            return order()
        future: Future[Any] = Future()
        self._orders.put((future, order))
        return future.result(timeout)

    def close_events(self) -> None:
        """End what is open: the camera is taken away."""
        self._tell(self.call(self.sight.close), None, None)

    @property
    def _state_file(self) -> Path | None:
        return None if self._folder is None else self._folder / f"{self.name}.npz"

    @property
    def _alive_file(self) -> Path | None:
        return None if self._folder is None else self._folder / f"{self.name}.alive"

    def _resume(self) -> None:
        """Go on as the kept state says; a damaged one is set aside."""
        path = self._state_file
        if path is None or not path.exists():
            return
        try:
            for misfit in self.sight.load(path):
                _log.warning("camera %s: %s", self.name, misfit)
        except StateError as error:
            aside = path.with_name(f"{path.stem}.damaged-{time.strftime('%Y%m%dT%H%M%S')}{path.suffix}")
            try:
                path.replace(aside)
            except OSError as failure:
                _log.warning("camera %s: %s could not be set aside: %s", self.name, path, failure)
            self._count.fail(f"its state was damaged and lies in {aside.name}; the scene is learned anew")
            _log.warning("camera %s: %s; %s is kept aside, the scene is learned anew", self.name, error, aside)

    def _recall_stored(self) -> None:
        """Go on behind what the store has, and end there what nobody will end: told after the last state was kept."""
        assert self._recall is not None
        try:
            stored, number, track = self._recall(self.name)
        except Exception as error:
            self._recall_at = time.monotonic() + _RECALL_EVERY
            self._count.fail(f"the store cannot be asked: {error}")
            return
        self.sight.go_on_from(number=number + 1, track=track + 1)
        known = {event.id for event in self.sight.detector.open_events}
        lost = [event for event in stored if event.id not in known | self._told]
        ends = [
            replace(event, end=max(event.start, self._last_alive), reason={**event.reason, "ended": "restart"})
            for event in lost
        ]
        if ends:
            self._tell_store(ends, time.time())
        self._is_recalled, self._told = True, set()

    def _find_last_alive(self) -> float:
        """When an earlier run has seen the camera last, seconds since 1970."""
        path = self._alive_file
        try:
            return 0.0 if path is None else path.stat().st_mtime
        except OSError:
            return 0.0

    # --- the loop ----------------------------------------------------------------------------

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            if not self._is_recalled and time.monotonic() >= self._recall_at:
                self._recall_stored()
            self._obey()
            shot = self.feed.newest(_WAIT)
            if shot is None or not self._count.affords():
                continue
            try:
                self._look(shot)
                failures = 0
            except Exception as error:
                failures += 1
                self._count.fail(str(error))
                expected = isinstance(error, MotionSegError)
                _log.error("camera %s: a frame failed: %s", self.name, error, exc_info=not expected)
                if failures == _FAILURES:
                    _log.error("camera %s: %d frames failed in turn; the scene is learned anew", self.name, failures)
                    self.sight.forget_scene()
                    failures = 0
        self._obey()
        self._keep(wait=True)

    def _obey(self) -> None:
        while True:
            try:
                future, order = self._orders.get_nowait()
            except queue.Empty:
                return
            try:
                future.set_result(order())
            except Exception as error:
                future.set_exception(error)

    def _look(self, shot: Shot) -> None:
        if self._clock is None:
            self._clock = LiveClock(self.sight.time)
        moment, wall = self._clock.read(shot.time)
        seen, told = self.sight.look(shot.frame, moment, wall)
        self._trails.update(seen.tracks)
        self._latest = Latest(shot.frame, seen, wall, shot.number)
        self._tell(told, shot, seen)
        self._count.frame(time.monotonic() - shot.arrived, seen, len(self.sight.detector.open_events))
        now = time.monotonic()
        self._mark_alive(now)
        if now - self._kept_at >= self._state_every:
            self._keep()

    def _tell(self, events: Sequence[Event], shot: Shot | None, seen: Segmentation | None) -> None:
        if not events:
            return
        now = time.time()
        if not self._is_recalled:
            self._told |= {event.id for event in events}
        if shot is not None:
            self._unstored |= {(event.id, event.is_open): shot.arrived for event in events}
        self._tell_store(events, now)
        if self._recorder is None or shot is None or seen is None:
            return
        wall = now - time.monotonic() + shot.time
        for event in events:
            began = shot.time - (wall - event.start)
            if event.is_open:
                parts = shot.frame, seen, self.places(), self._trails
                self._recorder.begun(event, *parts, feed=self.feed, start=began)
            else:
                self._recorder.ended(event, self.feed, began, began + event.end - event.start)

    def stored(self, event: Event) -> None:
        """Of the ledger's thread: `event` is in the store; how long after its frame had come is counted."""
        arrived = self._unstored.pop((event.id, event.is_open), None)
        if arrived is not None:
            self._count.event(time.monotonic() - arrived)

    def _mark_alive(self, now: float) -> None:
        path = self._alive_file
        if path is None or now - self._alive_at < _ALIVE_EVERY:
            return
        self._alive_at = now
        with suppress(OSError):  # a full disk says so elsewhere
            path.touch()

    def _keep(self, *, wait: bool = False) -> None:
        """Keep the state; the file is written by the keeper, while the next frames are looked at."""
        path = self._state_file
        if path is None or self._keeper is None or self.sight.time is None:
            return
        self._kept_at = time.monotonic()
        try:
            arrays, head = self.sight.state()
        except UnsupportedError as error:
            self._count.fail(str(error))
            return
        future = self._keeper.submit(self._write, path, arrays, head)
        if wait:
            future.result()

    def _write(self, path: Path, arrays: Any, head: Any) -> None:
        try:
            os.makedirs(path.parent, exist_ok=True)
            write_state(path, arrays, head)
        except (OutputError, OSError) as error:
            self._count.fail(str(error))
            _log.error("camera %s: the state was not kept: %s", self.name, error)

    # --- what others may know ----------------------------------------------------------------

    def latest(self) -> Latest | None:
        return self._latest

    @property
    def trails(self) -> Trails:
        return self._trails

    def places(self) -> list[Any]:
        return list(self.sight.detector.places)

    def status(self) -> dict[str, Any]:
        """Facts as they are now, ready for JSON."""
        latest = self._latest
        own: dict[str, Any] = {"width": None, "height": None, "tracks": 0, "foreground": 0.0}
        own |= {"verdict": None, "behaviour": None, "way": None}
        if latest is not None:
            seen = latest.segmentation
            own["height"], own["width"] = seen.mask.shape
            own["tracks"] = len(seen.tracks.visible)
            own |= {"verdict": seen.verdict, "behaviour": seen.behaviour, "way": seen.way}
            own["foreground"] = self._count.foreground
        feed = self.feed.status()
        source = {"source_width": feed.pop("width", None), "source_height": feed.pop("height", None)}
        counted = self._count.status()
        error = counted.pop("last_error") or feed.get("last_error")
        skipped = counted.pop("frames_skipped") + feed.get("frames_skipped", 0)
        return {
            **feed,
            **counted,
            **own,
            **source,
            "frames_skipped": skipped,
            "last_error": error,
            "open_events": self._count.open_events,
        }


class _Count:
    """What a lookout has done, and how fast; written by its thread, read by all."""

    def __init__(self, cpu: float | None) -> None:
        self._cpu = cpu
        self._processed = self._skipped = self._failed = 0
        self._recent: deque[tuple[float, float]] = deque(maxlen=600)  # when, latency
        self._classes = [0] * len(LATENCIES)
        self._latency_sum = 0.0
        self._events: deque[float] = deque(maxlen=600)
        self._begun = time.monotonic()
        self._used: deque[tuple[float, float]] = deque(maxlen=64)  # when, thread seconds
        self._is_saving = False
        self._last_error: str | None = None
        self.foreground, self.open_events = 0.0, 0

    def fail(self, why: str) -> None:
        self._failed += 1
        self._last_error = why

    def affords(self) -> bool:
        """Whether another frame fits into the budget."""
        now, used = time.monotonic(), time.thread_time()
        if not self._used or now - self._used[-1][0] >= 1:
            self._used.append((now, used))
        if self._cpu is None:
            return True
        first, before = self._used[max(0, len(self._used) - 3)]
        affords = used - before <= self._cpu * (now - first + 1.0)
        self._skipped += not affords
        self._is_saving = self._is_saving or not affords
        return affords

    def frame(self, latency: float, seen: Segmentation, open_events: int) -> None:
        self._processed += 1
        self.open_events = open_events
        self._recent.append((time.monotonic(), latency))
        self._latency_sum += latency
        for i, end in enumerate(LATENCIES):
            self._classes[i] += latency <= end
        self.foreground = float(np.count_nonzero(seen.mask == FOREGROUND)) / seen.mask.size

    def event(self, latency: float) -> None:
        self._events.append(latency)

    def status(self) -> dict[str, Any]:
        now, recent = time.monotonic(), list(self._recent)
        young = [(when, latency) for when, latency in recent if now - when <= _RECENT]
        latencies = [latency for _, latency in young]
        span = min(_RECENT, now - self._begun)
        used = list(self._used)
        cpu = None
        if len(used) > 1:
            (first, before), (last, after) = used[max(0, len(used) - 11)], used[-1]
            cpu = (after - before) / (last - first)
        fps = len(young) / span if span > 0 else 0.0
        budget = None
        if self._is_saving:
            budget = f"{self._skipped} frames were passed over to stay within {self._cpu:g} cores"
        return {
            "frames_processed": self._processed,
            "frames_skipped": self._skipped,
            "frames_failed": self._failed,
            "fps": round(fps, 2),
            "cpu": None if cpu is None else round(cpu, 3),
            "latency_ms": _percentiles(latencies),
            "event_latency_ms": _percentiles(list(self._events)),
            "latency_buckets": dict(zip(LATENCIES, self._classes, strict=True)),
            "latency_sum": self._latency_sum,
            "latency_count": self._processed,
            "budget": budget,
            "last_error": self._last_error,
        }


def _percentiles(seconds: Sequence[float]) -> dict[str, float | None]:
    """Of latencies, in milliseconds."""
    if not seconds:
        return {"p50": None, "p95": None}
    p50, p95 = 1e3 * np.percentile(seconds, (50, 95))
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1)}
