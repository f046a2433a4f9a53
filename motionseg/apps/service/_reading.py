"""One connection to a camera, on a thread that is given up where FFmpeg does not come back; and steady times."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from motionseg.core.errors import SourceError
from motionseg.io._container import hide_secrets
from motionseg.io._source import Picture, Source
from motionseg.io.video import open_source

__all__ = ["Blinking", "Onward", "Reading", "Steady"]

_SILENCE = 0.9  # as many times `stall` is too long
_SLACK = 1.2  # FFmpeg is to find out by itself first, as it then closes the connection
_OPENING = 8.0  # seconds that opening may take at least: FFmpeg looks at up to five seconds of a stream
_UNDECODED = 6.0  # as many times the patience with packets that make no picture: the next key frame may be far


class Reading:
    """Reads one source to its end on a thread of its own, and tells what comes.

    Parameters
    ----------
    source : str or int
    name : str
        Of the thread.
    stall : float
        Seconds of silence after which `patience` is used up; while opening, 8 at least.
    on_open, on_picture, on_packet : callable
        Called on the thread, with this reading first.
    on_end : callable
        Called on the thread at its end.
    """

    def __init__(
        self,
        source: str | int,
        *,
        name: str,
        stall: float,
        on_open: Callable[[Reading, Source], None],
        on_picture: Callable[[Reading, Picture], None],
        on_packet: Callable[[Reading, Any], None] | None,
        on_end: Callable[[], None],
    ) -> None:
        self.left = threading.Event()
        """Set when nobody listens any more."""
        self.is_done = False
        self.error: SourceError | None = None
        self.is_live: bool | None = None
        """None until it is open."""
        self.n_pictures = 0
        self.began = time.monotonic()
        self._source, self._stall = source, stall
        self._opening = max(stall, _OPENING)
        self.rest(self.began + self._opening - stall)
        self._is_leftover = False
        self._calls = on_open, on_picture, on_packet, on_end
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def leave(self, grace: float) -> bool:
        """Ask the thread to end; whether it did within `grace` seconds."""
        self.left.set()
        self._thread.join(grace)
        return not self._thread.is_alive()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def patience(self) -> float:
        """Seconds to wait for it still."""
        silent = self._heard + _SLACK * self._stall
        return min(silent, self._pictured + _UNDECODED * self._stall) - time.monotonic()

    @property
    def was_silent(self) -> bool:
        """Whether nothing had come for about `stall` seconds when it ended, or until now."""
        return time.monotonic() - self._heard > _SILENCE * self._stall

    def rest(self, until: float = math.inf) -> None:
        """Nothing is expected until then: it waits by itself."""
        self._came = self._heard = self._pictured = until

    def hear(self) -> None:
        """A picture has come, or is about to."""
        if not self._is_leftover:
            self._heard = self._pictured = time.monotonic()

    def _hear_packet(self) -> None:
        now = time.monotonic()
        # After silence, FFmpeg hands out what it held back of the last pictures before it says so.
        self._is_leftover, self._came = now - self._came > _SILENCE * self._stall, now
        if not self._is_leftover:
            self._heard = now

    def _run(self) -> None:
        on_open, on_picture, on_packet, on_end = self._calls

        def tap(packet: Any) -> None:
            self._hear_packet()
            if on_packet is not None and not self.left.is_set():
                on_packet(self, packet)

        try:
            source = open_source(self._source, timeout=self._opening, on_packet=tap)
            with closing(source.pictures):
                self.is_live = source.is_live
                self.hear()
                if not self.left.is_set():
                    on_open(self, source)
                for picture in source.pictures:
                    if self.left.is_set():
                        return
                    self.n_pictures += 1
                    self.hear()
                    on_picture(self, picture)
        except SourceError as error:
            self.error = error
        except Exception as error:  # whatever it is, the camera is to be tried again
            self.error = SourceError(f"{type(error).__name__}: {error}", source=hide_secrets(str(self._source)))
        finally:
            self.is_done = True
            on_end()


class Steady:
    """Times that come as evenly as a stream's stamps and stay with the clock that its pictures arrive by.

    Networks delay and bunch pictures, the camera's clock is not ours, and stamps jump: the stamps give the steps, the
    earliest arrivals the place.
    """

    _jump = 2.0  # seconds by which stamps may go ahead of arrivals from one picture to the next
    _follow = 20.0  # seconds in which times follow later arrivals: the camera's clock may be slow
    _gain, _fastest = 0.2, 0.75  # they follow earlier ones faster, by at most this part of a step

    def __init__(self) -> None:
        self._offset: float | None = None
        self._stamp = self._arrived = 0.0
        self.last = -math.inf

    def restart(self) -> None:
        """The stamps have nothing to do with those before; times go on."""
        self._offset = None

    def time(self, stamp: float | None, arrived: float) -> float:
        """The time of what has `stamp` (s) and came at `arrived` (s); always later than the one before."""
        time = arrived
        if stamp is not None:
            step = stamp - self._stamp
            if self._offset is None or step < 0 or step - (arrived - self._arrived) > self._jump:
                self._offset, step = arrived - stamp, 0.0
            late = arrived - stamp - self._offset
            if late > 0:
                self._offset += late * min(1.0, step / self._follow)
            else:
                self._offset += max(self._gain * late, -self._fastest * step)
            time = stamp + self._offset
            self._stamp, self._arrived = stamp, arrived
        self.last = max(time, self.last + 0.001)
        return self.last


class Blinking:
    """Says which pictures not to look at, as they are damaged: what is guessed in them would be taken for motion.

    A camera that damages every other picture is not to be blind: it may be for some seconds at once, and for a third
    of the time in the long run.
    """

    _longest = 5.0  # seconds
    _regain = 0.5  # seconds for each one that is looked at

    def __init__(self) -> None:
        self._left = self._longest
        self._last = math.inf

    def closes(self, time: float, *, is_damaged: bool) -> bool:
        """Whether to pass over the picture of that time (s)."""
        step, self._last = max(time - self._last, 0.0), time
        if is_damaged and self._left > 0:
            self._left -= step
            return True
        self._left = min(self._left + self._regain * step, self._longest)
        return False


class Onward:
    """Times of a file, which begins when it is opened and is played by its stamps; jumps are left out."""

    _longest = 10.0  # seconds from one stamp to the next; more is a jump
    _step = 0.04  # instead

    def __init__(self) -> None:
        self._begin = 0.0
        self._stamp: float | None = None

    def start(self, time: float) -> None:
        """The file's second 0 is at `time`."""
        self._begin, self._stamp = time, None

    def delay(self, seconds: float) -> None:
        """All that comes is so much later."""
        self._begin += seconds

    def time(self, stamp: float | None) -> float:
        """The time of what has `stamp` (s)."""
        last = self._stamp
        if stamp is None:
            stamp = 0.0 if last is None else last + self._step
        if last is not None and not 0 < stamp - last <= self._longest:
            self._begin -= stamp - last - self._step
        self._stamp = stamp
        return self._begin + stamp
