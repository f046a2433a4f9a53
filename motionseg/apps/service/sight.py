"""One camera's understanding: frames become events, times become dates, and all of it can be kept."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import StateError, UnsupportedError
from motionseg.core.state import read_state, write_state
from motionseg.core.types import Event, Frame, Segmentation
from motionseg.events.detector import EventDetector
from motionseg.pipeline.segmenter import MotionSegmenter

__all__ = ["LiveClock", "Sight"]

_DETECTOR = "detector."
_SAME_CLOCK = 0.5  # seconds that wall clock and stream may be apart before it is said that the clock was set
_LEAST_STEP = 1e-3  # seconds between two frames
_LONGEST_STEP = 0.5  # seconds that the segmenter is told have passed, at most; or
_STEPS = 3.0  # times as long as usual, if frames are as rare as that
_ADAPT = 0.3  # part of the difference by which the usual step follows


class LiveClock:
    """Takes a feed's times to stream seconds, which begin as the wall clock, or behind `last`, and to the wall clock.

    Parameters
    ----------
    last : float, optional
        Stream seconds that have been, before a restart.
    """

    def __init__(self, last: float | None = None) -> None:
        self._last = -np.inf if last is None else last
        self._shift: float | None = None

    def read(self, moment: float) -> tuple[float, float]:
        """Stream seconds and seconds since 1970 of a moment of ``time.monotonic``."""
        wall = clock.time() - clock.monotonic() + moment
        if self._shift is None:
            self._shift = max(wall, self._last) - moment
        return moment + self._shift, wall


class Sight:
    """A segmenter and a detector behind one clock.

    Inside, time is *stream seconds*, which never go back and never jump: durations are true whatever is done to the
    wall clock. Events are told in seconds since 1970: when one begins it is placed on the wall clock, and its end is
    as much later as the stream says.

    The segmenter is shown no gaps: after seconds without frames (a lost connection, a restart) its time goes on as
    after a short one, so that what still stands where it was keeps its track id. The detector knows the true time.

    Parameters
    ----------
    segmenter : MotionSegmenter
    detector : EventDetector
    """

    def __init__(self, segmenter: MotionSegmenter, detector: EventDetector) -> None:
        self.segmenter, self.detector = segmenter, detector
        self.time: float | None = None
        """Stream seconds of the last frame."""
        self._shape: tuple[int, ...] | None = None
        self._offsets: dict[str, float] = {}  # of open events: their wall clock minus the stream
        self._seen_time = 0.0  # the segmenter's, of the last frame
        self._usual_step = 0.0
        self._next_track = 1
        self._is_resumed = False

    def look(self, frame: Frame, time: float, wall: float) -> tuple[Segmentation, list[Event]]:
        """Segment a frame and say what begins and ends in it.

        A frame of another size starts the background anew; track ids and event numbers go on.

        Parameters
        ----------
        frame : uint8 (H, W) or (H, W, 3)
        time : float
            Stream seconds; raised a little where it is not later than the last.
        wall : float
            Seconds since 1970, now.
        """
        step = _LEAST_STEP if self.time is None else max(time - self.time, _LEAST_STEP)
        time = time if self.time is None else self.time + step
        if self._shape is not None and frame.shape != self._shape:
            self.forget_scene()
        limit = max(_LONGEST_STEP, _STEPS * self._usual_step)
        if self._is_resumed and step > limit:
            self.detector.postpone(time)  # else it might be told twice: before whatever ended the last run, and now
        self._is_resumed = False
        self._usual_step += _ADAPT * (min(step, limit) - self._usual_step)
        self.time = time  # it passes also where the frame fails half way
        self._seen_time += min(step, limit)
        seen = self.segmenter.step(frame, self._seen_time)
        self._shape = frame.shape
        whose = seen.track_labels()  # also of linkers that know no pixels
        told = self.detector.update(seen.tracks, time, identities=whose, verdict=seen.verdict, evidence=seen.evidence)
        return seen, [self._dated(event, wall - time) for event in told]

    def close(self) -> list[Event]:
        """End what is open; tracks are new ones afterwards."""
        if self.time is None:
            return []
        return [self._dated(event, 0.0) for event in self.detector.close(self.time)]

    def look_away(self, time: float) -> list[Event]:
        """Nothing is seen any more at stream second `time`; gives what that has ended."""
        return [self._dated(event, 0.0) for event in self.detector.look_away(time)]

    def forget_scene(self) -> None:
        """Learn the scene anew; no track id is given twice."""
        self._next_track = max(self._next_track, _next_track(self.segmenter))
        self.segmenter.reset()
        self._shape = None
        _give_from(self.segmenter, self._next_track)

    def change_detector(self, detector: EventDetector) -> list[Event]:
        """Go on with other rules or zones; gives how open events have ended. Numbers are to go on in `detector`."""
        ended = self.close()
        self.detector = detector
        return ended

    def change_segmenter(self, segmenter: MotionSegmenter) -> bool:
        """Go on with another segmenter; whether it could take over what was learned."""
        self._next_track = max(self._next_track, _next_track(self.segmenter))
        try:
            segmenter.load_state(self.segmenter.state())
            kept = True
        except (StateError, UnsupportedError):
            kept = False
        self.segmenter = segmenter
        if not kept:
            self._shape = None
            _give_from(segmenter, self._next_track)
        return kept

    def _dated(self, event: Event, offset: float) -> Event:
        """`event` with its times on the wall clock, which now is `offset` ahead of the stream."""
        offset = self._offsets.setdefault(event.id, 0.0 if abs(offset) < _SAME_CLOCK else offset)
        if not event.is_open:
            self._offsets.pop(event.id, None)
        return replace(event, start=event.start + offset, end=None if event.end is None else event.end + offset)

    # --- kept over restarts ----------------------------------------------------------------

    def state(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """Arrays and a head for :func:`motionseg.core.state.write_state`."""
        arrays = dict(self.segmenter.state())
        arrays |= {f"{_DETECTOR}{name}": array for name, array in self.detector.state().items()}
        head = {"class": "Sight", "time": self.time, "seen_time": self._seen_time}
        head |= {"offsets": dict(self._offsets), "shape": self._shape}
        return arrays, head

    def save(self, path: Path) -> None:
        """Raises OutputError; UnsupportedError where the model cannot tell its state."""
        write_state(path, *self.state())

    def load(self, path: Path) -> list[str]:
        """Go on as `path` says, as far as it fits; gives what does not.

        Raises
        ------
        StateError
            No such file, or damaged; nothing has changed.
        """
        arrays, head = read_state(path)
        try:
            if head.get("class") != "Sight" or head["time"] is None:
                raise StateError(f"{path} holds no state of a camera")
            time, seen_time = float(head["time"]), float(head["seen_time"])
            offsets = {str(key): float(value) for key, value in head["offsets"].items()}
            shape = None if head["shape"] is None else tuple(int(side) for side in head["shape"])
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(f"{path} holds no state of a camera: {error!r}") from error
        own = {name.removeprefix(_DETECTOR): value for name, value in arrays.items() if name.startswith(_DETECTOR)}
        seen = {name: value for name, value in arrays.items() if not name.startswith(_DETECTOR)}
        misfits = []
        if "linker.next_id" in seen:
            self._next_track = int(seen["linker.next_id"])
        try:
            self.segmenter.load_state(seen)
            self._shape = shape
        except (StateError, UnsupportedError) as error:
            misfits.append(f"the scene is learned anew: {error}")
            _give_from(self.segmenter, self._next_track)
        try:
            self.detector.load_state(own)
            self._offsets = offsets
        except StateError as error:
            misfits.append(f"open events have ended: {error}")
        self.time, self._seen_time, self._is_resumed = time, seen_time, True
        return misfits

    def go_on_from(self, *, number: int, track: int) -> None:
        """Let the next event have at least that number, and the next track at least that id."""
        state = self.detector.state()
        if int(state["next_number"]) < number:
            self.detector.load_state({**state, "next_number": np.array(number, np.int64)})
        self._next_track = max(self._next_track, track, _next_track(self.segmenter))
        _give_from(self.segmenter, self._next_track)


def _next_track(segmenter: MotionSegmenter) -> int:
    linker: Mapping[str, Any] = {} if segmenter.linker is None else segmenter.linker.state()
    return int(linker.get("next_id", 1))


def _give_from(segmenter: MotionSegmenter, track: int) -> None:
    """Let the next new track have at least the id `track`."""
    if segmenter.linker is None:
        return
    state = segmenter.linker.state()
    if int(state.get("next_id", track)) < track:
        segmenter.linker.load_state({**state, "next_id": np.array(track)})
