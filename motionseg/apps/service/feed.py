"""One camera's pictures: connect, keep the newest, notice silence, connect again; and its packets, for clips."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from motionseg.apps.service._fields import has_scheme, shown_address
from motionseg.apps.service._reading import Blinking, Onward, Reading, Steady
from motionseg.core.checks import check_integer, check_number
from motionseg.core.errors import MissingExtraError, ParameterError, SourceError
from motionseg.core.types import Frame
from motionseg.io import ClipFacts, PacketRing
from motionseg.io._container import hide_secrets
from motionseg.io._source import Picture, Source
from motionseg.io.video import fit_width

__all__ = ["Feed", "Shot"]

_LOG = logging.getLogger("motionseg.service.feed")
_SHORTEST_WAIT, _LONGEST_WAIT = 0.5, 30.0  # between attempts to connect
_GOOD = 10.0  # seconds a connection has to last for the next attempt to follow at once
_GRACE = 1.0  # seconds that a thread which was told to end is waited for
_MOST_HUNG = 4  # threads that FFmpeg does not give back
_COUNTED = "frames_read", "frames_damaged", "frames_dropped", "frames_skipped", "reconnects", "stalls", "size_changes"
_LATE = 1.0  # seconds by which a file may fall behind before its clock is set back


@dataclass(frozen=True)
class Shot:
    """One picture of a camera."""

    time: float
    """Seconds of ``time.monotonic``, always increasing: when it was taken, as far as its time stamp tells."""
    frame: Frame
    """uint8 (H, W, 3) BGR, at the feed's width; the caller's own."""
    number: int
    """Of the pictures read since the start, from 0, with those that were skipped and dropped."""
    arrived: float
    """Seconds of ``time.monotonic`` at which it was decoded."""


class Feed:
    """Keeps the newest pictures of a camera at hand, for as long as it takes.

    A thread connects and connects again: after 0.5 s, then up to 30 s (at random, so that many cameras do not come
    at once), for ever. A stream that sends nothing for `stall` seconds is left, even where FFmpeg hangs: its thread
    is abandoned and cannot deliver any more. Pictures that are damaged, or build on one that is, are passed over and
    counted, for 5 s at once and a third of the time at most.

    Parameters
    ----------
    source : str, path or int
        As for `open_video`. Files, folders and patterns of images are shown in real time by their time stamps.
    name : str
        Of the camera, for logs and threads.
    loop : bool
        Begin files anew at their end, for ever; times go on.
    width : int, optional
        Shots are resized to this width.
    max_fps : float, above 0, optional
        Pictures beyond that are skipped evenly: decoded, as those after them need it, and no more.
    stall : float, above 0
        Seconds, more than there are between two pictures. Opening a stream may take 8 s whatever this is.
    keep : float, at least 0
        Seconds of packets to cut clips from; 0: none. At most 128 MiB.
    depth : int, at least 1
        Shots that wait to be taken; when one more comes, the oldest is dropped and counted.
    fast : bool
        Give files as fast as they are taken, with nothing dropped; times keep the distances of the file's.

    Raises
    ------
    ParameterError
        A number is out of range, or `source` is not a text, path or number.
    MissingExtraError
        tenacity is not installed.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | int,
        *,
        name: str,
        loop: bool = False,
        width: int | None = None,
        max_fps: float | None = None,
        stall: float = 10.0,
        keep: float = 0.0,
        depth: int = 10,
        fast: bool = False,
    ) -> None:
        try:
            import tenacity  # noqa: F401 - to be told here and not on the thread
        except ImportError:
            raise MissingExtraError("a camera's feed", "pip install 'motionseg[service]'") from None
        if isinstance(source, bool) or not isinstance(source, (str, os.PathLike, int)):
            raise ParameterError(f"source is a path, pattern, address or camera number, not {type(source).__name__}")
        self.name, self.loop, self.fast = name, bool(loop), bool(fast)
        self.width = None if width is None else check_integer("width", width, 1, 1 << 16)
        self.max_fps = None if max_fps is None else check_number("max_fps", max_fps, 0, above=True)
        self.stall = check_number("stall", stall, 0, above=True)
        self.keep = check_number("keep", keep, 0)
        self.depth = check_integer("depth", depth, 1)
        self._source: str | int = source if isinstance(source, int) else os.fsdecode(source)
        self._shown = shown_address(str(self._source))
        self._ring = PacketRing(self.keep) if self.keep else None
        self._shots: deque[Shot] = deque()
        self._news = threading.Condition()
        self._halt, self._awake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"motionseg-feed-{name}", daemon=True)
        self._reading: Reading | None = None  # the one that may deliver
        self._hung: list[Reading] = []
        self._state, self._since = "connecting", time.time()
        self._counts = dict.fromkeys(_COUNTED, 0)
        self._size: tuple[int, int] | None = None
        self._fps: float | None = None
        self._last_error: str | None = None
        self._was_lost = False
        # of the reading's thread
        self._pictures, self._packets = Steady(), Steady()  # of streams; and of what is paced:
        self._paced_pictures, self._paced_packets = Onward(), Onward()
        self._is_paced = False  # else pictures come as they happen
        self._blinking = Blinking()
        self._last = -1.0  # time of the last picture
        self._due = -float("inf")  # of the next picture by max_fps
        self._keeps_packets = False

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End, within `timeout` seconds, whatever the stream does. Clips can still be saved."""
        self._halt.set()
        self._awake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def newest(self, timeout: float) -> Shot | None:
        """The oldest of the shots that wait; None if none comes within `timeout` seconds, or none will."""
        with self._news:
            self._news.wait_for(lambda: self._shots or self._state in ("ended", "stopped"), timeout)
            shot = self._shots.popleft() if self._shots else None
            self._news.notify_all()
            return shot

    def save_clip(self, path: str | os.PathLike[str], start: float, end: float) -> ClipFacts | None:
        """Write what came from `start` to `end`, in seconds of :attr:`Shot.time`, up to `keep` seconds later.

        Packets are copied in full size (:class:`PacketRing` says of which codecs); images and raw video are encoded
        at the feed's width.

        Returns
        -------
        ClipFacts or None
            None if nothing is kept of that time.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        if self._ring is None or not self._ring.holds(start, end):
            return None
        return self._ring.save(path, start, end)

    def status(self) -> dict[str, Any]:
        """Facts as they are now: the state, what was counted, and the source's pictures.

        ``state`` is "connecting", "running", "waiting" (to connect again), "ended" or "stopped"; ``since`` is when it
        came to that, in seconds since 1970; ``width`` and ``height`` are those of the source, ``fps`` what comes.
        """
        with self._news:
            width, height = self._size or (None, None)
            facts = {"state": self._state, **self._counts, "width": width, "height": height}
            return {**facts, "fps": self._fps, "last_error": self._last_error, "since": self._since}

    # --- the feed's own thread: one reading after the other -----------------------------------

    def _run(self) -> None:
        import tenacity as t

        while not self._halt.is_set() and self._state != "ended":
            attempts = t.Retrying(
                wait=t.wait_random_exponential(multiplier=2 * _SHORTEST_WAIT, min=_SHORTEST_WAIT, max=_LONGEST_WAIT),
                sleep=t.sleep_using_event(self._halt),
                stop=t.stop_when_event_set(self._halt),
                retry=t.retry_if_exception_type(SourceError),
                before_sleep=lambda _: self._become("waiting"),
            )
            with suppress(t.RetryError):
                attempts(self._try)
        if self._state != "ended":
            self._become("stopped")

    def _try(self) -> None:
        """As `_connect`; whatever goes wrong, the camera is to be tried again."""
        try:
            self._connect()
        except SourceError:
            raise
        except Exception as error:  # no thread can be started, for one
            _LOG.exception("camera %s: it could not be connected to", self.name)
            raise self._trouble(SourceError(f"{type(error).__name__}: {error}", source=self._shown)) from error

    def _connect(self) -> None:
        """Read until there is no more; raises SourceError where that was too soon to try again at once."""
        if self._state == "waiting":
            self._become("connecting")
        self._hung = [reading for reading in self._hung if reading.is_alive]
        if len(self._hung) >= _MOST_HUNG:
            raise self._trouble(SourceError(f"{_MOST_HUNG} attempts hang in FFmpeg", source=self._shown))
        reading = Reading(
            self._source,
            name=f"motionseg-read-{self.name}",
            stall=self.stall,
            on_open=self._opened,
            on_picture=self._came,
            on_packet=None if self._ring is None else self._kept,
            on_end=self._awake.set,
        )
        self._reading = reading
        reading.start()
        while not (reading.is_done or self._halt.is_set()) and (patience := reading.patience()) > 0:
            self._awake.wait(min(patience, 1.0))
            self._awake.clear()
        with self._news:
            self._reading = None
        is_done, was_silent = reading.is_done, reading.was_silent
        if not reading.leave(_GRACE):
            self._hung.append(reading)
        if self._halt.is_set():
            return
        error = reading.error if is_done else SourceError(f"nothing came for {self.stall:g} s", source=self._shown)
        if is_done and reading.is_live is False and reading.n_pictures:
            self._reach_end(error)
            return
        error = self._trouble(error or SourceError("the stream ended", source=self._shown), is_stall=was_silent)
        with self._news:
            self._was_lost = self._was_lost or reading.n_pictures > 0
        self._become("connecting")
        if not (reading.n_pictures and time.monotonic() - reading.began > _GOOD):
            raise error

    def _reach_end(self, error: SourceError | None) -> None:
        """What comes after the end of a file: maybe its beginning."""
        if error is not None and self._told(error) != self._last_error:  # of a damaged file it is the same each time
            self._trouble(error)
        if not self.loop:
            self._become("ended")

    def _trouble(self, error: SourceError, *, is_stall: bool = False) -> SourceError:
        told = self._told(error)
        with self._news:
            is_new, self._last_error = told != self._last_error or self._state == "running", told
            self._counts["stalls"] += is_stall
        _LOG.log(logging.WARNING if is_new else logging.DEBUG, "camera %s: %s", self.name, told)
        return error

    def _told(self, error: SourceError) -> str:
        """What is wrong; of an address with scheme and host only, as all else may hold a password."""
        source = str(self._source)
        if not has_scheme(source):
            return str(error)
        told = str(SourceError(error.message, source=self._shown, frame=error.frame))
        return hide_secrets(told.replace(source, self._shown))

    def _become(self, state: str) -> None:
        with self._news:
            if state != self._state:
                self._state, self._since = state, time.time()
            self._news.notify_all()

    # --- a reading's thread -------------------------------------------------------------------

    def _opened(self, reading: Reading, source: Source) -> None:
        self._is_paced = not source.is_live or ".m3u8" in str(self._source).lower()  # HLS comes in bunches of seconds
        begin = max(time.monotonic(), self._last + 1 / (source.fps or 25))
        self._paced_pictures.start(begin)
        self._paced_packets.start(begin)
        self._pictures.restart()
        self._packets.restart()
        self._keeps_packets = False

    def _kept(self, reading: Reading, packet: Any) -> None:
        if self._ring is None or reading is not self._reading:
            return
        dts = packet.pts if packet.dts is None else packet.dts
        unit, begin = packet.time_base, packet.stream.start_time or 0
        stamp = None if dts is None or unit is None else float((dts - begin) * unit)
        moment = self._paced_packets.time(stamp) if self._is_paced else self._packets.time(stamp, time.monotonic())
        self._keeps_packets = self._ring.add(packet, moment)

    def _came(self, reading: Reading, picture: Picture) -> None:
        if reading is not self._reading:
            return
        arrived = time.monotonic()
        moment = self._moment(picture.time, arrived)
        with self._news:
            if self._state != "running":
                self._counts["reconnects"] += self._was_lost
                self._was_lost, self._state, self._since = False, "running", time.time()
                _LOG.info("camera %s: pictures come", self.name)
            number = self._counts["frames_read"]
            self._counts["frames_read"] += 1
            if number and moment > self._last:
                fps = 1 / (moment - self._last)
                self._fps = fps if self._fps is None else self._fps + 0.05 * (fps - self._fps)
            self._last = moment
            if self._blinking.closes(moment, is_damaged=picture.is_damaged):
                self._counts["frames_damaged"] += 1
                return
            if self.max_fps is not None:
                period = 1 / self.max_fps
                if moment < self._due - period / 4:  # stamps are not that exact
                    self._counts["frames_skipped"] += 1
                    return
                self._due = (self._due if moment - self._due < period else moment) + period
        if self._is_paced and not self.fast and moment > arrived:
            reading.rest(moment)
            reading.left.wait(moment - arrived)
            arrived = time.monotonic()
        frame = picture.read()
        size = frame.shape[1], frame.shape[0]
        frame = frame if self.width is None else fit_width(frame, self.width)
        if self._ring is not None and not self._keeps_packets and not reading.left.is_set():
            self._ring.add_picture(frame, moment)
        self._put(reading, Shot(moment, frame, number, arrived), size)

    def _moment(self, stamp: float, arrived: float) -> float:
        """When a picture was taken, of `time.monotonic`."""
        if not self._is_paced:
            return self._pictures.time(stamp, arrived)
        moment = self._paced_pictures.time(stamp)
        late = arrived - moment
        if self.fast or late <= _LATE:
            return moment
        self._paced_pictures.delay(late)
        self._paced_packets.delay(late)
        return arrived

    def _put(self, reading: Reading, shot: Shot, size: tuple[int, int]) -> None:
        with self._news:
            while self.fast and len(self._shots) >= self.depth and reading is self._reading:
                reading.rest()
                self._news.wait(1.0)
            reading.hear()
            if reading is not self._reading:
                return
            self._counts["size_changes"] += self._size not in (None, size)
            self._size = size
            if len(self._shots) >= self.depth:
                self._shots.popleft()
                self._counts["frames_dropped"] += 1
            self._shots.append(shot)
            self._news.notify_all()
