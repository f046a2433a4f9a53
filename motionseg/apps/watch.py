"""Events from a camera or a film in three lines of Python."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any

from motionseg.apps.config import build_segmenter
from motionseg.apps.defaults import DEFAULT_MODEL
from motionseg.apps.service.feed import Feed
from motionseg.apps.service.sight import LiveClock, Sight
from motionseg.core.errors import ParameterError, SourceError
from motionseg.core.types import Event, Frame, Segmentation
from motionseg.events.detector import EventDetector
from motionseg.events.rules import Cross, Enter, Rule
from motionseg.events.zones import Line, Zone
from motionseg.io.video import open_video

__all__ = ["Watch", "watch"]

_WAITING = 1000  # events that wait to be fetched; then the film waits, and a camera's frames are passed over
_POLL = 0.2  # seconds
_NAP = 0.02  # seconds between two looks for events, in asyncio
Points = Sequence[tuple[float, float]]


def watch(
    source: str | PathLike[str] | int,
    *,
    zones: Mapping[str, Points] | Iterable[Zone | Line] = (),
    rules: Iterable[Rule] | None = None,
    on_event: Callable[[Event], None] | None = None,
    on_frame: Callable[[Frame, Segmentation], None] | None = None,
    camera: str = "camera",
    model: str = DEFAULT_MODEL,
    settings: Mapping[str, Any] | None = None,
    width: int | None = 640,
    loop: bool = False,
) -> Watch:
    """Watch a camera, stream or film in a thread of its own, and be told what happens.

    Parameters
    ----------
    source : str, path or int
        What ``open_video`` takes. Cameras and streams, and films with `loop`, are watched as they come, and connected
        to again for ever; a film without is gone through as fast as it can be, every frame of it.
    zones : dict of str to points, or zones and lines
        Polygons by name, (x, y) in parts of the picture if none is above 1, else in pixels of the frames at `width`;
        or ``motionseg.events.Zone`` and ``Line`` objects.
    rules : iterable of rules, optional
        Of `motionseg.events`; default: ``Enter()`` in every zone, ``Cross()`` where there are lines, or ``Enter()``
        in the whole picture.
    on_event : callable, optional
        Is called in the watch's thread with each event, twice: when it begins (``event.is_open``), and when it has
        ended. Without it, iterate over the watch.
    on_frame : callable, optional
        Is called there with each frame and what was seen in it, before the events.
    camera : str
        A name, part of the events' ids.
    model, settings
        As ``motionseg segment`` has them: ``model="adaptive+guard"``, ``settings={"threshold": 30}``.
    width : int, optional
        Frames are resized to this width first; None: as they are.
    loop : bool
        Begin a film again at its end, in real time.

    Returns
    -------
    Watch
        Running. Times of events are seconds since 1970, of a film without `loop` its own.

    Raises
    ------
    ParameterError
        A zone, rule or setting is wrong.

    Examples
    --------
    >>> door = {"door": [(0.4, 0.2), (0.6, 0.2), (0.6, 0.9), (0.4, 0.9)]}
    >>> with watch("rtsp://camera/stream", zones=door) as events:         # doctest: +SKIP
    ...     for event in events:
    ...         print(event.rule, event.zone, event.start, event.reason)
    """
    places = _places(zones)
    if rules is None:
        rules = [Cross()] if any(isinstance(place, Line) for place in places) else []
        names = tuple(place.name for place in places if isinstance(place, Zone) and place.kind == "include")
        rules += [Enter(zones=names)] if names or not rules else []
    segmenter = build_segmenter(model, dict(settings or {}), explain=True)
    sight = Sight(segmenter, EventDetector(rules, places, camera=camera))
    feed = None
    if loop or isinstance(source, int) or "://" in str(source):
        feed = Feed(source if isinstance(source, int) else str(source), name=camera, loop=loop, width=width)
    return Watch(sight, feed, source, width, on_event, on_frame)


class Watch:
    """What :func:`watch` gives: iterate over it, also with ``async for``; leave its ``with``, or stop it.

    Iteration ends with the film, or once the watch is stopped.
    """

    def __init__(
        self,
        sight: Sight,
        feed: Feed | None,
        source: str | PathLike[str] | int,
        width: int | None,
        on_event: Callable[[Event], None] | None,
        on_frame: Callable[[Frame, Segmentation], None] | None,
    ) -> None:
        self._sight, self._feed, self._source, self._width = sight, feed, source, width
        self._on_event, self._on_frame = on_event, on_frame
        self._events: queue.Queue[Event] = queue.Queue(_WAITING)
        self._stop, self._error = threading.Event(), None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def status(self) -> dict[str, Any]:
        """Of a live source: its state, frames read and dropped, reconnections, size and last error."""
        return {} if self._feed is None else self._feed.status()

    def stop(self) -> None:
        """End after the frame in hand; events that are open end."""
        self._stop.set()
        if self._feed is not None:
            self._feed.stop()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end; whether it has come.

        Raises
        ------
        SourceError
            The film cannot be read, or breaks off. All that could be read was looked at.
        Exception
            That of a callback, which has ended the watch.
        """
        self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return True

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop()
        if kind is None:
            self.join()

    def __iter__(self) -> Iterator[Event]:
        if self._on_event is not None:
            raise ParameterError("events go to on_event, so they cannot be iterated over")
        while True:
            event, is_over = self._next(_POLL)
            if event is not None:
                yield event
            elif is_over:
                self.join()
                return

    async def __aiter__(self) -> AsyncIterator[Event]:
        if self._on_event is not None:
            raise ParameterError("events go to on_event, so they cannot be iterated over")
        while True:
            event, is_over = self._next(0)  # a thread that waits would lose an event where the task is cancelled
            if event is not None:
                yield event
            elif is_over:
                self.join()
                return
            else:
                await asyncio.sleep(_NAP)

    def _next(self, timeout: float) -> tuple[Event | None, bool]:
        is_over = not self._thread.is_alive()  # asked first: what it told last is in the queue then
        try:
            return self._events.get(timeout=0 if is_over else timeout), False
        except queue.Empty:
            return None, is_over

    # --- the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            if self._feed is None:
                self._go_through()
            else:
                self._keep_watching(self._feed)
            for event in self._sight.close():
                self._tell(event)
        except BaseException as error:  # sys.exit() of a callback, too
            self._error = error
        finally:
            if self._feed is not None:
                self._feed.stop()

    def _go_through(self) -> None:
        broken = None
        with open_video(self._source, width=self._width) as video:
            frames = iter(video)
            while not self._stop.is_set():
                try:
                    _, seconds, frame = next(frames)
                except StopIteration:
                    break
                except SourceError as error:
                    broken = error
                    break
                self._look(frame, seconds, seconds)
        if broken is not None:
            for event in self._sight.close():
                self._tell(event)
            raise broken

    def _keep_watching(self, feed: Feed) -> None:
        clock = LiveClock()
        feed.start()
        while not self._stop.is_set():
            shot = feed.newest(_POLL)
            if shot is not None:
                self._look(shot.frame, *clock.read(shot.time))
            elif feed.status()["state"] == "ended":
                return

    def _look(self, frame: Frame, seconds: float, wall: float) -> None:
        seen, told = self._sight.look(frame, seconds, wall)
        if self._on_frame is not None:
            self._on_frame(frame, seen)
        for event in told:
            self._tell(event)

    def _tell(self, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(event)
            return
        while True:
            try:
                self._events.put(event, timeout=_POLL)
                return
            except queue.Full:
                if self._stop.is_set():  # nobody fetches them any more
                    return


def _places(zones: Mapping[str, Points] | Iterable[Zone | Line]) -> list[Zone | Line]:
    if not isinstance(zones, Mapping):
        return list(zones)
    places: list[Zone | Line] = []
    for name, points in zones.items():
        try:
            relative = max(max(x, y) for x, y in points) <= 1
        except (TypeError, ValueError):
            relative = False  # the zone says what is wrong
        places.append(Zone(name, points, relative=relative))
    return places
