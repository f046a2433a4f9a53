"""One camera's worker: takes the newest picture, looks, and tells."""

from __future__ import annotations

import logging
import os
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from motionseg.apps.service._count import LATENCIES, NEWS, Count
from motionseg.apps.service.feed import Feed, Shot
from motionseg.apps.service.sight import LiveClock, Sight
from motionseg.core.errors import MotionSegError, StateError, UnsupportedError
from motionseg.core.state import write_state
from motionseg.core.types import Event, Frame, Segmentation
from motionseg.viz.overlay import Trails

__all__ = ["LATENCIES", "Latest", "Lookout"]

_log = logging.getLogger("motionseg.service")
_WAIT = 0.2  # seconds for a picture before commands are looked at
_FAILURES = 20  # frames in turn that fail before the scene is learned anew
_FIRST_STATE = 15.0  # seconds after the start, if states are that rare
_RECALL_EVERY = 5.0  # seconds between two questions to a store that is away
_ALIVE_EVERY = 2.0  # seconds between two marks of life
_PAUSE = 0.02  # seconds after a failure
_HUNG = 60.0  # seconds without a sign of life after which the thread hangs
_MOST_UNSTORED = 1000  # events that the store does not confirm: it has refused them, or had them


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
        Seconds between two states, at most: cameras that began together do not keep them at the same moment.
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
        self._keep_next = self._alive_at + min(state_every, _FIRST_STATE)
        self._unstored: dict[tuple[str, bool], float] = {}  # when the frames of events had come
        self._count = Count(cpu)
        self._failures = 0  # frames in turn
        self._turned = time.monotonic()
        self._is_over = False  # a file, and all events in it
        self._writing: Future[None] | None = None

    # --- life --------------------------------------------------------------------------------

    def start(self) -> None:
        self._last_alive = self._find_last_alive()
        self._resume()
        self.feed.start()
        self._thread = threading.Thread(target=self._run, name=f"lookout-{self.name}", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to end, or has ended so."""
        return self._stop.is_set()

    @property
    def is_well(self) -> bool:
        """Whether its thread, once started, goes on, and can make something of the frames."""
        is_there = self._thread is None or (self.is_alive and time.monotonic() - self._turned < _HUNG)
        return is_there and self._failures < _FAILURES

    def ask_to_stop(self) -> None:
        """So that several can end at once."""
        self._stop.set()
        self.feed.stop(0.0)

    def stop(self, timeout: float = 10.0) -> bool:
        """End after the frame in hand, and keep the state; whether it has. Open events stay open."""
        self.ask_to_stop()
        self.feed.stop(timeout)
        if self._thread is not None:
            self._thread.join(timeout)
        return not self.is_alive

    def call(self, order: Callable[[], Any], timeout: float = 10.0) -> Any:
        """Do `order` between two frames, and give what it gives or raises.

        Raises
        ------
        TimeoutError
            The thread is busy with a frame; `order` will not be done.
        """
        if not self.is_alive or self._thread is threading.current_thread():
            return order()
        future: Future[Any] = Future()
        self._orders.put((future, order))
        end = time.monotonic() + timeout
        while not future.done() and self.is_alive and (left := end - time.monotonic()) > 0:
            wait([future], min(left, _WAIT))
        if not future.cancel():  # done, or being done
            return future.result()
        if self.is_alive:
            raise TimeoutError(f"camera {self.name} is busy with a frame; nothing was changed")
        return order()

    def close_events(self) -> None:
        """End what is open: the camera is taken away."""

        def close() -> None:
            self._tell(self.sight.close())
            self._keep(wait=True)

        self.call(close)

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
        except Exception as error:
            if not isinstance(error, StateError):  # which nobody has foreseen: some of it may be there
                self.sight.forget_scene()
            aside = path.with_name(f"{path.stem}.damaged-{time.strftime('%Y%m%dT%H%M%S')}{path.suffix}")
            try:
                path.replace(aside)
            except OSError as failure:
                _log.warning("camera %s: %s could not be set aside: %s", self.name, path, failure)
            self._count.fail(f"its state was damaged and lies in {aside.name}; the scene is learned anew")
            _log.warning("camera %s: %s; %s is kept aside, the scene is learned anew", self.name, error, aside)

    def _recall_stored(self) -> None:
        """Go on behind what the store has: end there what nobody will end, and forget here what has ended there.

        Both were told after the last state was kept.
        """
        assert self._recall is not None
        try:
            stored, number, track = self._recall(self.name)
        except Exception as error:
            self._recall_at = time.monotonic() + _RECALL_EVERY
            self._count.fail(f"the store cannot be asked: {error}")
            return
        self.sight.go_on_from(number=number + 1, track=track + 1)
        known = {event.id for event in self.sight.detector.open_events}
        self.sight.disown(known - self._told - {event.id for event in stored})
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
        try:  # written, as the file's own date may be of another clock
            return 0.0 if path is None else float(path.read_text())
        except (OSError, ValueError):
            return 0.0

    # --- the loop ----------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._turn()
            except Exception as error:  # nothing ends this thread but `stop`
                self._fail(error)
        self._obey()
        self._keep(wait=True)

    def _turn(self) -> None:
        self._turned = time.monotonic()
        if not self._is_recalled and self._turned >= self._recall_at:
            self._recall_stored()
        self._obey()
        state = self.feed.status()["state"]  # asked before: nothing comes any more where it has ended
        shot = self.feed.newest(_WAIT)
        if shot is not None and self._count.affords():
            self._look(shot)
            self._failures = 0
        elif shot is None and state in ("ended", "stopped"):
            self._rest(is_over=state == "ended")
        elif shot is None and state != "running" and self.sight.time is not None:
            self._tell(self.sight.look_away(self._when(time.monotonic())[0]))
            self._count.open_events = len(self.sight.detector.open_events)

    def _rest(self, *, is_over: bool) -> None:
        """A file has come to its end, and with it what goes on there; or all is to stop, and that goes on later."""
        if is_over and not self._is_over and self.sight.time is not None:
            self._is_over = True
            self._tell(self.sight.close())
            self._count.open_events = 0
            self._keep()
        self._stop.wait(_WAIT)

    def _fail(self, error: Exception) -> None:
        self._failures += 1
        self._count.fail(str(error))
        expected, is_news = isinstance(error, MotionSegError), self._failures % _FAILURES == 1
        level = logging.ERROR if is_news else logging.DEBUG  # it may be every frame for weeks
        _log.log(level, "camera %s: a frame failed: %s", self.name, error, exc_info=not expected)
        if self._failures % _FAILURES == 0:
            _log.error("camera %s: %d frames failed in turn; the scene is learned anew", self.name, self._failures)
            try:
                self.sight.forget_scene()
            except Exception:
                _log.exception("camera %s: its model cannot begin anew", self.name)
        self._stop.wait(_PAUSE)

    def _obey(self) -> None:
        while True:
            try:
                future, order = self._orders.get_nowait()
            except queue.Empty:
                return
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(order())
            except Exception as error:
                future.set_exception(error)

    def _when(self, moment: float) -> tuple[float, float]:
        """Stream seconds, and seconds since 1970, of a moment of ``time.monotonic``."""
        if self._clock is None:
            self._clock = LiveClock(self.sight.time)
        return self._clock.read(moment)

    def _look(self, shot: Shot) -> None:
        moment, wall = self._when(shot.time)
        seen, told = self.sight.look(shot.frame, moment, wall)
        self._tell(told, shot.arrived)  # before anything else can fail
        self._trails.update(seen.tracks)
        self._latest = Latest(shot.frame, seen, wall, shot.number)
        self._record(told, shot, seen)
        self._count.frame(time.monotonic() - shot.arrived, seen, len(self.sight.detector.open_events))
        now = time.monotonic()
        self._mark_alive(now)
        if now >= self._keep_next:
            self._keep()

    def _tell(self, events: Sequence[Event], arrived: float | None = None) -> None:
        if not events:
            return
        if not self._is_recalled:
            self._told |= {event.id for event in events}
        if arrived is not None:
            if len(self._unstored) > _MOST_UNSTORED:
                self._unstored.clear()
            self._unstored |= {(event.id, event.is_open): arrived for event in events}
        self._tell_store(events, time.time())

    def _record(self, events: Sequence[Event], shot: Shot, seen: Segmentation) -> None:
        if self._recorder is None:
            return
        wall = time.time() - time.monotonic() + shot.time
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
            path.write_text(str(time.time()))

    def _keep(self, *, wait: bool = False) -> None:
        """Keep the state; the file is written by the keeper, while the next frames are looked at."""
        path = self._state_file
        if path is None or self._keeper is None or self.sight.time is None:
            return
        if not (wait or self._writing is None or self._writing.done()):
            return  # the disk is slow; states are not to gather in memory
        self._keep_next = time.monotonic() + self._state_every * random.uniform(0.8, 1.0)
        try:
            self._writing = self._keeper.submit(self._write, path, *self.sight.state())
            if wait:
                self._writing.result()
        except Exception as error:  # events are told all the same
            self._count.fail(str(error))
            if not isinstance(error, UnsupportedError):
                _log.error("camera %s: the state was not kept: %s", self.name, error)

    def _write(self, path: Path, arrays: Any, head: Any) -> None:
        try:
            os.makedirs(path.parent, exist_ok=True)
            write_state(path, arrays, head)
        except Exception as error:
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
        if self._thread is not None and not self.is_alive:
            feed["state"] = "stopped"
        source = {"source_width": feed.pop("width", None), "source_height": feed.pop("height", None)}
        counted = self._count.status()
        is_well = feed["state"] == "running" and time.time() - feed["since"] > NEWS
        error = counted.pop("last_error") or (None if is_well else feed.get("last_error"))
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
