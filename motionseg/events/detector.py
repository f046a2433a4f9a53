"""Applies rules to the tracks of one camera, frame by frame."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_integer, check_number
from motionseg.core.errors import FrameError, ParameterError, StateError
from motionseg.core.state import read_state, write_state
from motionseg.core.types import Event, Labels, Tracks
from motionseg.events._book import Book
from motionseg.events._checks import check_evidence, check_kinds, check_names, check_places, check_shape, check_tracks
from motionseg.events._crossing import distance, net_crossings
from motionseg.events._reasons import reason_of
from motionseg.events._rule import LastingRule, Rule, TrackRule, VerdictRule
from motionseg.events._spell import Spell, TrackMemory
from motionseg.events._view import Places, View, boxes_pixels
from motionseg.events.rules import KINDS, VERDICT_RULES, AnyMotion, Cross, CrowdCount, Enter, LightChange
from motionseg.events.zones import Line, Zone

__all__ = ["EventDetector"]

_CALM = "none"  # the verdict of which no rule speaks


class EventDetector:
    """Says what happens before one camera: events that begin, and events that end.

    Parameters
    ----------
    rules : iterable of rules
        What is worth an event. One each of :class:`LightChange`, :class:`CameraCovered`, :class:`CameraMoved`,
        :class:`CameraBlurred` and :class:`LightDrift` is added where there is none.
    zones : iterable of Zone and Line
        Where. In zones that exclude nothing happens, and preclusive ones tell of light.
    camera : str
        Name, part of the events' ids.
    shape : (int, int), optional
        Height and width of frames; needed only where `identities` are never given.
    max_gap : float, above 0
        Seconds. After a longer step between two frames open events have ended with the frame before, and no duration
        has grown.
    first_number : int, at least 1
        Number of the first event. A detector with other rules that takes the place of another one goes on with its
        `next_number`.

    Raises
    ------
    ParameterError
        A name is used twice or not known, or a number is out of range; the message names the rule or zone.

    Notes
    -----
    Rules speak of ``tracks.visible``. A believed track that is hidden is where it was; durations go on.

    Memory: a bool per pixel and zone, and what is known of each track alive. None of it grows with time.

    Examples
    --------
    >>> from motionseg.core.types import TrackState
    >>> from motionseg.events import Enter, Zone
    >>> yard = Zone("yard", [(0, 0), (50, 0), (50, 40), (0, 40)])
    >>> detector = EventDetector([Enter(zones="yard")], [yard], camera="door", shape=(40, 100))
    >>> for step in range(8):
    ...     box = np.array([[80 - 10 * step, 10, 90 - 10 * step, 30]], np.float32)
    ...     columns = np.full(1, 7), box, np.ones(1, np.int32), np.full(1, 200), np.ones(1, np.float32)
    ...     tracks = Tracks(step, *columns, np.zeros((1, 2), np.float32), np.full(1, TrackState.CONFIRMED, np.uint8))
    ...     for event in detector.update(tracks, step):
    ...         print(event.id, event.rule, event.zone, event.track_ids, event.start)
    door-1-4000 enter yard (7,) 4.0
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        zones: Iterable[Zone | Line] = (),
        *,
        camera: str = "camera",
        shape: tuple[int, int] | None = None,
        max_gap: float = 5.0,
        first_number: int = 1,
    ) -> None:
        if not isinstance(camera, str) or not camera:
            raise ParameterError(f"camera is a name, not {camera!r}")
        self.camera = camera
        self.max_gap = check_number("max_gap", max_gap, 0, above=True)
        self.first_number = check_integer("first_number", first_number, 1)
        self.places = tuple(check_kinds(zones, (Zone, Line), "zones are Zone and Line objects"))
        self.rules = tuple(check_kinds(rules, (Rule,), "rules are such as Enter()"))
        present = {type(rule) for rule in self.rules}
        self.rules += tuple(cls() for cls in VERDICT_RULES if cls not in present)
        check_names([place.name for place in self.places], "zones and lines")
        check_names([rule.name for rule in self.rules], "rules")
        for rule in self.rules:
            check_places(rule, self.places)
        of_picture = [rule for rule in self.rules if isinstance(rule, VerdictRule)]
        self._verdict_rules = sorted(of_picture, key=lambda rule: not rule.suppresses)
        self._words = {word for rule in of_picture for word in rule.words}
        self.shape = None if shape is None else check_shape(shape)
        self._places: Places | None = None if self.shape is None else Places(self.places, self.shape)
        self.reset()

    def reset(self) -> None:
        """Forget all tracks and events; numbers start anew. Use :meth:`close` to be told how open events end."""
        self._book = Book(self.camera, self.rules, self.first_number)
        self._tracks: dict[int, TrackMemory] = {}

    @property
    def next_number(self) -> int:
        """That of the next event."""
        return self._book.next_number

    @property
    def open_events(self) -> list[Event]:
        """Those that go on, as they are now."""
        return [spell.event(self.camera, key) for key, spell in self._book.spells.items() if spell.id]

    # --- one frame -------------------------------------------------------------------------

    def update(
        self,
        tracks: Tracks,
        time: float,
        *,
        identities: Labels | None = None,
        verdict: str | None = None,
        evidence: Mapping[str, Any] | None = None,
    ) -> list[Event]:
        """Look at one frame.

        Parameters
        ----------
        tracks : Tracks
            All tracks alive, as a linker gives them, in any order.
        time : float
            Seconds, later than that of the last call.
        identities : int32 (H, W), optional
            The id of the track that each pixel belongs to, 0 for none; None: boxes take the place of pixels.
        verdict : str, optional
            What is said of the whole picture: ``"switch"`` (or ``"illumination"``, ``"light"``), ``"camera_moved"``,
            ``"camera_covered"``, ``"blurred"``, ``"shot_change"``; ``"gradual"`` stops no motion; ``"none"``: nothing.
        evidence : dict of str to float or float32 (H, W), optional
            What each cue has to say, for the events' reasons: of pictures the mean over the pixels of the tracks.

        Returns
        -------
        list of Event
            Those that begin in this frame, with ``end`` None, and those that end, under the same id. What is a moment
            does both.

        Raises
        ------
        ParameterError
            Time does not increase, an id is there twice, a box is not finite, `verdict` is unknown, a zone leaves the
            picture, or nobody has said how large the picture is. Nothing has changed.
        FrameError
            `identities` or an evidence is no such picture. Nothing has changed.
        """
        time = self._check_time(time)
        word = self._check_verdict(verdict)
        check_tracks(tracks)
        places = self._draw(identities)
        cues = check_evidence(evidence, places.shape)
        book = self._book
        book.told = []
        if self._places is not None and places.shape != self._places.shape:
            book.end_all("size")
            self._tracks = {}
        self._places, self.shape = places, places.shape
        step = time - book.time
        if step > self.max_gap:  # also before the first frame, where nothing is there to end
            book.end_before_gap(time)
            step = 0.0
        book.time, book.clock = time, book.clock + step
        self._judge_picture(places, tracks, identities, word, cues)
        suppressed = book.is_suppressed
        book.quiet += 0.0 if suppressed else step
        alive = set(tracks.believed.ids.tolist())
        book.forget_gone(alive)
        self._tracks = {track: memory for track, memory in self._tracks.items() if track in alive}
        seen = self._trusted(tracks.visible, suppressed)
        if not suppressed:
            view = View(places, seen, identities, word, cues)
            for rule in self.rules:
                self._apply(rule, view)
        for track in seen.ids.tolist():
            self._tracks[track].fresh = False
        return book.told

    def close(self, time: float) -> list[Event]:
        """End the events that are open, each when it held last, and forget the tracks; numbers go on.

        Raises
        ------
        ParameterError
            `time` is earlier than that of the last frame.
        """
        self._book.time = self._check_time(time, again=True)
        self._book.told = []
        self._book.end_all("closed")
        self._tracks = {}
        return self._book.told

    def look_away(self, time: float) -> list[Event]:
        """Nothing is seen any more: once that is longer than `max_gap`, open events end as before a gap.

        For streams that are lost, so that nobody has to wait for the next frame, which would say the same.
        """
        now = check_number("time", time)
        self._book.told = []
        if now - self._book.time > self.max_gap:
            self._book.end_before_gap(now)
        return self._book.told

    def disown(self, ids: Container[str]) -> None:
        """Tell nothing more of these open events: they have ended elsewhere. What holds on begins anew, as after a gap.

        For a detector that goes on from a state of some time ago: others may know of what came then.
        """
        self._book.disown(ids)

    def postpone(self, time: float) -> None:
        """What holds, and was not told yet, is told as something that begins at `time`, its duration as before.

        For a detector that goes on from a state of some time ago: what waited then may have been told since.
        """
        self._book.postpone(check_number("time", time))

    def _trusted(self, seen: Tracks, suppressed: bool) -> Tracks:
        """The tracks that count, by id; who came while motion was suppressed first has to move by its own size."""
        boxes = seen.boxes.astype(np.float64)
        middles = ((boxes[:, :2] + boxes[:, 2:]) / 2).tolist()
        sizes = (boxes[:, 2:] - boxes[:, :2]).mean(axis=1).tolist()
        trusted = np.zeros(len(seen), bool)
        for row, track in enumerate(seen.ids.tolist()):
            memory = self._tracks.setdefault(track, TrackMemory(sizes[row], middles[row], not suppressed))
            if suppressed:
                memory.sides.clear()
            elif not memory.trusted:
                memory.trusted = math.dist(memory.first, middles[row]) >= max(memory.size, 1.0)
            trusted[row] = memory.trusted
        seen = seen[trusted]
        return seen[np.argsort(seen.ids)]

    # --- rules -----------------------------------------------------------------------------

    def _judge_picture(
        self, places: Places, tracks: Tracks, identities: Labels | None, word: str, cues: dict[str, Any]
    ) -> None:
        """What is said of the whole picture, by the verdict and by preclusive zones."""
        numbers = {name: float(cue) for name, cue in cues.items() if not isinstance(cue, np.ndarray)}
        precluded = self._precluded(places, tracks, identities)
        for rule in self._verdict_rules:
            zone, area, share = precluded if isinstance(rule, LightChange) else ("", 0.0, 0.0)
            holds = word in rule.words or zone != ""
            known = [key for key in self._book.spells if key[0] == rule.name]  # it keeps the zone that it began with
            key = known[0] if known else (rule.name, zone, 0)
            if self._book.hold(rule, key, holds, holds, area, float(holds), []):
                reason = {"kind": rule.kind, "measure": "verdict", "value": share, "tracks": []}
                self._book.begin(key, {**reason, "verdict": word, "evidence": numbers})

    def _precluded(self, places: Places, tracks: Tracks, identities: Labels | None) -> tuple[str, float, float]:
        """The preclusive zone with the largest share of foreground above its limit: name, pixels, share."""
        worst = ("", 0.0, 0.0)
        zones = [place for place in self.places if isinstance(place, Zone) and place.kind == "preclusive"]
        if zones:
            taken = (
                boxes_pixels(tracks.boxes[tracks.labels > 0], places.shape) if identities is None else identities != 0
            )
            for zone in zones:
                area = float(np.count_nonzero(taken & places.pixels[zone.name]))
                share = area / places.areas[zone.name]
                if share > max(zone.limit, worst[2]):
                    worst = (zone.name, area, share)
        return worst

    def _apply(self, rule: Rule, view: View) -> None:
        if isinstance(rule, Cross):
            self._watch_lines(rule, view)
        for zone in (rule.zones or ("",)) if isinstance(rule, LastingRule) else ():
            if isinstance(rule, TrackRule):
                self._watch_tracks(rule, zone, view)
            elif isinstance(rule, (AnyMotion, CrowdCount)):
                value, area, rows = rule.count(view, zone)
                on = value >= rule.threshold
                keep = on or 0 < value >= rule.threshold * (1 - rule.hysteresis)
                ids = view.tracks.ids[rows].tolist()
                key = (rule.name, zone, 0)
                if self._book.hold(rule, key, on, keep, area, float(view.tracks.scores[rows].max(initial=0)), ids):
                    self._book.begin(key, reason_of(rule, zone, ids, value, view))

    def _watch_tracks(self, rule: TrackRule, zone: str, view: View) -> None:
        values, on, keep = rule.holds(view, zone)
        areas, ids = rule.areas(view, zone).tolist(), view.tracks.ids.tolist()
        for row, track in enumerate(ids):
            key = (rule.name, zone, track)
            holds = bool(on[row]), bool(keep[row]), areas[row], float(view.tracks.scores[row])
            is_due = self._book.hold(rule, key, *holds, [track])
            if isinstance(rule, Enter) and not rule.appearing and self._tracks[track].fresh and on[row]:
                self._book.spells[key].silent = True  # it did not come in
            elif is_due:
                self._book.begin(key, reason_of(rule, zone, [track], float(values[row]), view))
        self._book.hold_hidden(rule, zone, set(ids))

    def _watch_lines(self, rule: Cross, view: View) -> None:
        lines = [place for place in self.places if isinstance(place, Line)]
        points = view.points[rule.position].tolist()
        for row, track in enumerate(view.tracks.ids.tolist()):
            memory, (x, y) = self._tracks[track], points[row]
            u, v = memory.points.get(rule.name, (x, y))
            memory.points[rule.name] = [x, y]
            for line in lines:
                if rule.lines and line.name not in rule.lines:
                    continue
                drawn = view.places.lines[line.name]
                side = memory.sides.setdefault(f"{rule.name}|{line.name}", [0, 0])
                side[1] += net_crossings(drawn, (u, v), (x, y))
                if distance(drawn, (x, y)) < rule.margin:
                    continue
                (was_off, net), side[:] = side, (1, 0)
                direction = line.directions[0 if net > 0 else 1]
                area = float(view.tracks.areas[row])
                if was_off and net and area >= rule.min_area and rule.direction in ("both", direction):
                    reason = {**reason_of(rule, "", [track], abs(net), view), "direction": direction}
                    facts = area, float(view.tracks.scores[row]), [track], reason
                    self._book.tell_moment((rule.name, line.name, track), self._book.time, *facts)

    # --- checks ----------------------------------------------------------------------------

    def _check_time(self, time: Any, *, again: bool = False) -> float:
        now = check_number("time", time)
        if now < self._book.time or (now == self._book.time and not again):
            raise ParameterError(f"time increases from frame to frame: {now} s after {self._book.time} s")
        return now

    def _check_verdict(self, verdict: Any) -> str:
        word = _CALM if verdict is None else verdict
        if word != _CALM and word not in self._words:
            raise ParameterError(f"verdict is one of {', '.join([_CALM, *sorted(self._words)])}, not {verdict!r}")
        return str(word)

    def _draw(self, identities: Any) -> Places:
        if identities is None:
            if self._places is None:
                raise ParameterError("how large are frames? give identities, or the detector shape=(height, width)")
            return self._places
        if not isinstance(identities, np.ndarray) or identities.dtype.kind not in "iu" or identities.ndim != 2:
            raise FrameError("identities are an int32 array (H, W)")
        if self._places is not None and self._places.shape == identities.shape:
            return self._places
        return Places(self.places, check_shape(identities.shape))

    # --- state -----------------------------------------------------------------------------

    def params(self) -> dict[str, Any]:
        """Rules, zones and all else that it was made with, ready for JSON."""
        zones = [
            {"kind": "line", **asdict(place)} if isinstance(place, Line) else asdict(place) for place in self.places
        ]
        rules = [rule.params() for rule in self.rules]
        return {"camera": self.camera, "max_gap": self.max_gap, "zones": zones, "rules": rules}

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """All that it remembers, as arrays: loaded into an equal detector, that goes on bit for bit."""
        book = self._book
        memory = {
            "spells": [[*key, vars(spell)] for key, spell in book.spells.items()],
            "tracks": [[track, vars(memory)] for track, memory in self._tracks.items()],
            "ended": [[*key, time] for key, time in book.ended.items()],
        }
        return {
            "times": np.array([book.time, book.clock, book.quiet]),
            "next_number": np.array(book.next_number, np.int64),
            "shape": np.array(self.shape or (0, 0), np.int64),
            "setup": _bytes(self.params()),
            "memory": _bytes(memory),
        }

    def load_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Continue from what :meth:`state` gave.

        Raises
        ------
        StateError
            Arrays are missing or damaged, or of a detector with other rules or zones; the detector is unchanged.
        """
        try:
            setup, memory = _text(state["setup"]), json.loads(_text(state["memory"]))
            if json.loads(setup) != json.loads(_text(_bytes(self.params()))):
                raise StateError("the state is of a detector with other rules, zones or name")
            book = Book(self.camera, self.rules, int(state["next_number"]))
            book.time, book.clock, book.quiet = (float(number) for number in state["times"])
            book.spells = {(str(a), str(b), int(c)): Spell(**facts) for a, b, c, facts in memory["spells"]}
            book.ended = {(str(a), str(b)): float(when) for a, b, when in memory["ended"]}
            tracks = {int(track): TrackMemory(**facts) for track, facts in memory["tracks"]}
            height, width = (int(side) for side in state["shape"])
            places = Places(self.places, (height, width)) if height else None
        except StateError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(f"this is not the state of an EventDetector: {error!r}") from error
        if math.isnan(book.time) or not all(key[0] in book.rules for key in book.spells):
            raise StateError("the state of the EventDetector is damaged")
        self._book, self._tracks = book, tracks
        self._places, self.shape = places, (height, width) if height else None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`state` and the parameters to an .npz file, atomically. Raises OutputError."""
        write_state(path, self.state(), {"class": type(self).__name__, "params": self.params()})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> EventDetector:
        """A detector as :meth:`save` left it. Raises StateError."""
        arrays, head = read_state(path)
        if head.get("class") != cls.__name__:
            raise StateError(f"{path} holds a {head.get('class')}, not a {cls.__name__}")
        facts = head["params"]
        zones = [_place(**zone) for zone in facts["zones"]]
        rules = [KINDS[rule.pop("kind")](**rule) for rule in facts["rules"]]
        detector = cls(rules, zones, camera=facts["camera"], max_gap=facts["max_gap"])
        detector.load_state(arrays)
        return detector


def _place(kind: str, **facts: Any) -> Zone | Line:
    return Line(**facts) if kind == "line" else Zone(kind=kind, **facts)


def _bytes(facts: Any) -> npt.NDArray[np.uint8]:
    return np.frombuffer(json.dumps(facts).encode(), np.uint8).copy()


def _text(array: npt.NDArray[Any]) -> str:
    return np.asarray(array, np.uint8).tobytes().decode()
