"""A service for tests of the HTTP side: real segmenters and detectors on drawn films, and a store in memory."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
from pydantic import SecretStr

from motionseg import MotionSegmenter
from motionseg.apps.service.store import StoreError
from motionseg.core.errors import ParameterError
from motionseg.core.types import Event
from motionseg.events import Cross, Enter, EventDetector, Line, Zone
from motionseg.events.rules import KINDS
from motionseg.viz import draw_evidence, draw_overlay
from motionseg.viz.zones import draw_zones

RULES = (Enter(zones="yard"), Cross(lines="gate"))
EDGES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
TUNING = {  # part and attribute, lowest, highest, step, what
    "threshold": ("background.model.threshold", 4.0, 120.0, 1.0, "How far a colour may be from the background's"),
    "cleaner.gap": ("cleaner.gap", 0, 15, 1, "Gaps of the mask up to this many pixels are closed"),
    "min_area": ("min_area", 1, 4000, 1, "Smaller things are dropped, in pixels"),
}


def street(width: int = 320, height: int = 180, *, seconds: float = 8.0, fps: int = 10) -> Iterator[np.ndarray]:
    """For ever: a street with somebody who walks to the right, and a box that goes to the left, every few seconds."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:height, :width]
    wall = np.stack([110 + 30 * np.sin(x / 33), 120 + 25 * np.cos(y / 21), 125 + 20 * np.sin((x + y) / 47)], 2)
    wall += rng.normal(0, 6, wall.shape)
    number, n = 0, round(seconds * fps)
    while True:
        frame = np.clip(wall + rng.normal(0, 1.5, wall.shape), 0, 255).astype(np.uint8)
        if number >= fps * 2:  # an empty scene first
            phase = number % n / n
            left = round(-0.1 * width + 1.2 * width * phase)
            _rectangle(frame, left, round(height * 0.45), width // 16, height // 3, (40, 50, 190))
            _rectangle(frame, width - left, round(height * 0.75), width // 8, height // 7, (170, 160, 60))
            _rectangle(frame, left, round(height * 0.15), width // 20, height // 10, (150, 140, 145))  # faint
        yield frame
        number += 1


def _rectangle(frame: np.ndarray, x: int, y: int, w: int, h: int, color: tuple[int, int, int]) -> None:
    frame[max(y, 0) : y + h, max(x, 0) : max(x + w, 0)] = color


def film(path: Path, width: int = 640) -> Iterator[np.ndarray]:
    """For ever: the frames of a file."""
    while True:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                height = round(frame.height * width / frame.width)
                yield frame.to_ndarray(format="bgr24", width=width, height=height)


@dataclass(frozen=True)
class Telling:
    event: Any
    at: float
    number: int = 0

    @property
    def phase(self) -> str:
        return "begin" if self.event.end is None else "end"

    def to_dict(self) -> dict[str, Any]:
        return {**self.event.to_dict(), "phase": self.phase, "told_at": self.at, "number": self.number}


class FakeStore:
    """An EventStore in memory; `broken` makes it raise as a store that is away does."""

    def __init__(self) -> None:
        self._lock, self._log, self._events, self.broken = threading.Lock(), [], {}, False

    def record(self, tellings: list[Telling]) -> list[Telling]:
        told = []
        with self._lock:
            for telling in tellings:
                known = self._events.get(telling.event.id)
                if known is not None and (telling.phase == "begin" or known["end"] is not None):
                    continue
                telling = replace(telling, number=len(self._log) + 1)
                self._log.append(telling)
                told.append(telling)
                if known is None:
                    files = {"snapshot": None, "evidence": None, "clip": None}
                    known = {"number": telling.number, "told_at": telling.at, "ended_at": None, **files}
                ended = telling.at if telling.phase == "end" else None
                self._events[telling.event.id] = {**known, **telling.event.to_dict(), "ended_at": ended}
        return told

    def attach(self, event_id: str, kind: str, file: str) -> None:
        with self._lock:
            self._events[event_id][kind] = file or None

    def event(self, name: str) -> dict[str, Any] | None:
        self._check()
        with self._lock:
            return dict(self._events[name]) if name in self._events else None

    def events(
        self, *, camera=None, rule=None, zone=None, since=None, until=None, open_only=False, before=None, limit=100
    ):
        self._check()
        with self._lock:
            found = sorted(self._events.values(), key=lambda event: -event["number"])
        wanted = {"camera": camera, "rule": rule, "zone": zone}
        return [
            dict(event)
            for event in found
            if all(value is None or event[key] == value for key, value in wanted.items())
            and (since is None or event["end"] is None or event["end"] >= since)
            and (until is None or event["start"] <= until)
            and not (open_only and event["end"] is not None)
            and (before is None or event["number"] < before)
        ][:limit]

    def log(self, after: int, limit: int = 500) -> list[Telling]:
        self._check()
        with self._lock:
            return self._log[after : after + limit]

    def newest_number(self) -> int:
        self._check()
        with self._lock:
            return len(self._log)

    def _check(self) -> None:
        if self.broken:
            raise StoreError("database is locked")


class FakeBulletin:
    def __init__(self) -> None:
        self._queues: list[queue.Queue] = []

    def publish(self, kind: str, facts: dict[str, Any]) -> None:
        for waiting in list(self._queues):
            waiting.put({"kind": kind, **facts})

    def subscribe(self) -> Any:
        waiting: queue.Queue = queue.Queue()
        self._queues.append(waiting)
        return SimpleNamespace(
            get=lambda timeout=None: waiting.get(timeout=timeout), close=lambda: self._queues.remove(waiting)
        )


@dataclass(frozen=True)
class Latest:
    frame: np.ndarray
    segmentation: Any
    wall: float
    number: int


class FakeLookout:
    """One camera: a thread that segments."""

    def __init__(self, service: FakeService, name: str, frames: Iterator[np.ndarray], places: list, fps: float) -> None:
        self.service, self.name, self.frames, self.fps = service, name, frames, fps
        self._places, self._rules, self._file = list(places), list(RULES), list(places)
        self._segmenter = MotionSegmenter(explain=True)
        self._tuned: dict[str, float] = {}
        self._first: dict[str, float] = {}
        self._first = {key: self._value(key) for key in TUNING}
        self._detector = self._new_detector(1)
        self._latest: Latest | None = None
        self._edited, self._lock = False, threading.Lock()
        self._latencies: deque[float] = deque(maxlen=200)
        self._buckets, self._sum, self.processed = dict.fromkeys(EDGES, 0), 0.0, 0
        self._recent: deque[np.ndarray] = deque(maxlen=round(fps * 20))
        self.state = "connecting"

    def _new_detector(self, number: int) -> EventDetector:
        return EventDetector(self._rules, self._places, camera=self.name, first_number=number)

    def run(self) -> None:
        due = time.monotonic()
        while not self.service.stopping.is_set():
            self.step()
            due = max(due + 1 / self.fps, time.monotonic() - 1)
            self.service.stopping.wait(max(due - time.monotonic(), 0))

    def step(self) -> None:
        began, frame = time.monotonic(), next(self.frames)
        with self._lock:
            seen = self._segmenter.step(frame, began)
            verdict = self._segmenter.background.verdict
            told = self._detector.update(
                seen.tracks, began, identities=seen.identities, verdict=verdict, evidence=seen.evidence
            )
        self.processed, self.state = self.processed + 1, "running"
        self._latest = Latest(frame, seen, time.time(), self.processed)
        self._recent.append(frame)
        self.service.tell(self, told, began)
        took = time.monotonic() - began
        self._latencies.append(took)
        self._sum += took
        for edge in EDGES:
            self._buckets[edge] += took <= edge

    def latest(self) -> Latest | None:
        return self._latest

    def places(self) -> list:
        return list(self._places)

    def setup(self) -> dict[str, Any]:
        tuning = {}
        for key, (_, low, high, step, what) in TUNING.items():
            tuning[key] = {"value": self._value(key), "min": low, "max": high, "step": step, "what": what}
            tuning[key]["default"] = self._first.get(key)
        zones = [_zone_facts(place) for place in self._places if isinstance(place, Zone)]
        lines = [_zone_facts(place) for place in self._places if isinstance(place, Line)]
        rules = [rule.params() for rule in self._rules]
        return {"zones": zones, "lines": lines, "rules": rules, "tuning": tuning, "edited": self._edited}

    def status(self) -> dict[str, Any]:
        times = sorted(self._latencies) or [0.0]
        latest, tracks = self._latest, 0
        foreground = 0.0
        if latest is not None:
            foreground = float(np.mean(latest.segmentation.mask == 255))
            tracks = len(latest.segmentation.tracks.visible)
        height, width = (0, 0) if latest is None else latest.frame.shape[:2]
        return {
            "state": self.state, "frames_read": self.processed + 3, "frames_dropped": 1, "frames_skipped": 2,
            "frames_damaged": 0,
            "frames_processed": self.processed, "fps": self.fps, "cpu": 0.21, "foreground": foreground,
            "latency_ms": {"p50": times[len(times) // 2] * 1e3, "p95": times[int(len(times) * 0.95)] * 1e3},
            "tracks": tracks, "open_events": len(self._detector.open_events), "reconnects": 1, "stalls": 0,
            "size_changes": 0, "width": width, "height": height, "source_width": 2 * width, "source_height": 2 * height,
            "verdict": self._segmenter.background.verdict, "behaviour": None, "way": None,
            "last_error": self.service.error, "edited": self._edited, "budget": None,
            "latency_buckets": {**self._buckets, float("inf"): self.processed}, "latency_sum": self._sum,
            "latency_count": self.processed,
        }  # fmt: skip

    def edit(self, edits: dict[str, Any]) -> None:
        lines = [place for place in self._places if isinstance(place, Line)]
        zones = [place for place in self._places if isinstance(place, Zone)]
        zones = _made(Zone, "zone", edits["zones"]) if "zones" in edits else zones
        lines = _made(Line, "line", edits["lines"]) if "lines" in edits else lines
        rules = (
            [_rule(number, facts) for number, facts in enumerate(edits["rules"])] if "rules" in edits else self._rules
        )
        EventDetector(rules, [*zones, *lines], camera=self.name)
        with self._lock:
            ended = self._detector.close(time.monotonic())
            self._places, self._rules, self._edited = [*zones, *lines], rules, True
            self._detector = self._new_detector(self._detector.next_number)
            for key, value in edits.get("tuning", {}).items():
                self._set(key, value)
        self.service.tell(self, ended, time.monotonic())

    def revert(self) -> None:
        self.edit({"zones": [_zone_facts(p) for p in self._file if isinstance(p, Zone)],
                   "lines": [_zone_facts(p) for p in self._file if isinstance(p, Line)],
                   "rules": [rule.params() for rule in RULES], "tuning": self._first})  # fmt: skip
        self._edited = False

    def _value(self, key: str) -> float:
        part: Any = self._segmenter
        for name in TUNING[key][0].split("."):
            part = getattr(part, name)
        return 20 if part is None else part

    def _set(self, key: str, value: float) -> None:
        *way, last = TUNING[key][0].split(".")
        part: Any = self._segmenter
        for name in way:
            part = getattr(part, name)
        setattr(part, last, type(TUNING[key][1])(value))


class FakeService:
    """Cameras that run, events that are kept; `ready` says whether it has started."""

    def __init__(
        self, folder: Path, films: dict[str, Callable[[], Iterator[np.ndarray]]], *, fps: float = 10.0, token=None
    ):
        self.recordings_folder, self.error, self.ready = folder / "recordings", None, True
        self.recordings_folder.mkdir(parents=True, exist_ok=True)
        cameras = tuple(
            SimpleNamespace(name=name, source=SecretStr(f"rtsp://admin:hunter2@10.0.0.9/{name}")) for name in films
        )
        section = SimpleNamespace(host="127.0.0.1", port=0, token=None if token is None else SecretStr(token))
        self.config, self.config_path = SimpleNamespace(service=section, camera=cameras), None
        self.started, self.stopping, self._threads = time.time(), threading.Event(), []
        self.store, self.bulletin = FakeStore(), FakeBulletin()
        counts = {"queued": 0, "journalled": 0, "recorded": 0, "retries": 0, "last_error": None}
        self.ledger = SimpleNamespace(store=self.store, status=lambda: counts)
        sink = SimpleNamespace(name="jsonl")
        facts = {"delivered": 5, "failures": 1, "behind": 0, "last_error": None}
        self.couriers = [SimpleNamespace(sink=sink, status=lambda: facts)]
        self.recorder = SimpleNamespace(status=lambda: {"queued": 0, "written": 3, "last_error": None})
        places = [
            Zone("yard", [(0.05, 0.35), (0.6, 0.35), (0.6, 0.97), (0.05, 0.97)], relative=True),
            Line("gate", [(0.7, 0.2), (0.7, 0.95)], sides=("inside", "street"), relative=True),
        ]
        self.lookouts = {name: FakeLookout(self, name, make(), places, fps) for name, make in films.items()}
        self.reloads = 0

    def start(self) -> FakeService:
        for lookout in self.lookouts.values():
            thread = threading.Thread(target=lookout.run, name=lookout.name, daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def stop(self) -> None:
        self.stopping.set()
        for thread in self._threads:
            thread.join(10)

    def health(self) -> dict[str, Any]:
        states = {name: lookout.state for name, lookout in self.lookouts.items()}
        word = "ok" if self.ready else "starting"
        return {"status": word, "cameras": states, "uptime": time.time() - self.started, "version": "0"}

    def reload(self) -> list[str]:
        self.reloads += 1
        if self.error:
            raise ParameterError("cameras.toml:3: camera[0].width: too small")
        return ["camera yard: fps"]

    def edit(self, camera: str, edits: dict[str, Any]) -> dict[str, Any]:
        self.lookouts[camera].edit(edits)
        return self.lookouts[camera].setup()

    def revert(self, camera: str) -> None:
        self.lookouts[camera].revert()

    def tell(self, lookout: FakeLookout, events: list, now: float) -> None:
        shift = time.time() - now
        for event in events:
            end = None if event.end is None else event.end + shift
            epoch = replace(event, start=event.start + shift, end=end)
            told = self.store.record([Telling(epoch, time.time())])
            if told and end is None:
                self._photograph(lookout, epoch)
            if told and end is not None:
                self._film(lookout, epoch)
            for telling in told:
                self.bulletin.publish("telling", telling.to_dict())

    def _photograph(self, lookout: FakeLookout, event: Any) -> None:
        latest = lookout.latest()
        picture = draw_zones(draw_overlay(latest.frame, latest.segmentation), lookout.places(), events=[event])
        for kind, drawn in (("snapshot", picture), ("evidence", draw_evidence(latest.frame, latest.segmentation))):
            name = f"{event.id}{'.evidence' if kind == 'evidence' else ''}.jpg"
            cv2.imwrite(str(self.recordings_folder / name), drawn)
            self.store.attach(event.id, kind, name)

    def _film(self, lookout: FakeLookout, event: Any) -> None:
        frames = list(lookout._recent)
        name = f"{event.id}.mp4"
        with av.open(str(self.recordings_folder / name), "w") as container:
            stream = container.add_stream("libx264", rate=round(lookout.fps), options={"preset": "ultrafast"})
            stream.pix_fmt, (stream.height, stream.width) = "yuv420p", (n // 2 * 2 for n in frames[0].shape[:2])
            for frame in frames:
                picture = np.ascontiguousarray(frame[: stream.height, : stream.width])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            container.mux(stream.encode(None))
        self.store.attach(event.id, "clip", name)


def _zone_facts(place: Zone | Line) -> dict[str, Any]:
    facts = {field.name: getattr(place, field.name) for field in fields(place)}
    return {**facts, "points": [list(point) for point in place.points]}


def _made(cls: type, word: str, entries: list[dict[str, Any]]) -> list:
    made = []
    for number, facts in enumerate(entries):
        try:
            made.append(cls(**{"relative": True, **{key: value for key, value in facts.items() if value is not None}}))
        except (ParameterError, TypeError) as error:
            raise ParameterError(f"{word}[{number}].points: {error}") from error
    return made


def _rule(number: int, facts: dict[str, Any]) -> Any:
    own = dict(facts)
    kind = own.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise ParameterError(f"rule[{number}].kind: {kind!r} is none of {', '.join(KINDS)}")
    try:
        return KINDS[kind](**own)
    except (ParameterError, TypeError) as error:
        raise ParameterError(f"rule[{number}]: {error}") from error


@contextmanager
def serving(service: Any, **options: Any) -> Iterator[str]:
    """A real server for the service on a free port of this machine; gives its address."""
    from motionseg.apps.service.http.app import create_app
    from motionseg.apps.service.http.server import HttpServer

    server = HttpServer(create_app(service, **options), "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, name="http", daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.is_started)
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()
        thread.join(20)
    assert not thread.is_alive(), "the server has not stopped"


def wait_for(happens: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What `happens` gives, once it is neither None nor False."""
    end = time.monotonic() + seconds
    while (value := happens()) is None or value is False:
        assert time.monotonic() < end, f"in {seconds} s it has not happened"
        time.sleep(0.03)
    return value


def idle(folder, **options):
    """A service whose cameras do nothing, with three events: 1 and 3 of "yard", 2 of "door", which is open."""
    service = FakeService(folder, {"yard": street, "door": street}, **options)
    for number, (camera, zone, end) in enumerate(
        [("yard", "yard", 30.0), ("door", "", None), ("yard", "gate", 50.0)], 1
    ):
        begun = Event(
            f"{camera}-{number}-0", camera, "enter", zone, (number,), 20.0 + number, None, 5.0, 0.5, {"kind": "enter"}
        )
        service.store.record([Telling(begun, 100.0 + number)])
        if end is not None:
            service.store.record([Telling(Event(**{**vars(begun), "end": end}), 200.0)])
    return service


def messages(lines):
    """(kind, id, facts) of a stream of server-sent events."""
    kind = number = None
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "id":
            number = int(value)
        elif name == "data":
            yield kind, number, json.loads(value)
            kind = number = None
