"""What an MQTT broker is to keep, and what it was given."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from motionseg.apps.service.telling import to_json
from motionseg.apps.service.topics import Place, Topics, discovery, places_of
from motionseg.core.errors import OutputError
from motionseg.core.types import Event
from motionseg.io import write_json

__all__ = ["Retained", "States"]

log = logging.getLogger("motionseg.service.mqtt")


class States:
    """How cameras are, and where events are open, as retained messages.

    Parameters
    ----------
    topics : Topics
    discovery : str, optional
        Prefix of Home Assistant's discovery; None: none.

    Notes
    -----
    What is announced and how cameras are may be told from any thread, all else from one.
    """

    def __init__(self, topics: Topics, discovery: str | None) -> None:
        self.topics, self.discovery = topics, discovery
        self._open: dict[Place, set[str]] = {}  # ids, also none, by where there was an event
        self._lock = threading.Lock()  # of all that follow
        self._announced = self._is_news = False
        self._places: set[Place] = set()
        self._cameras: dict[str, str | None] = {}

    def announce(self, cameras: Mapping[str, Mapping[str, Any]]) -> None:
        """There are these cameras and no others."""
        with self._lock:
            self._announced = self._is_news = True
            self._cameras = {name: self._cameras.get(name) for name in cameras}
            self._places = {place for name, facts in cameras.items() for place in places_of(name, facts)}

    def camera_state(self, name: str, facts: Mapping[str, Any]) -> None:
        """A camera is so."""
        state = "online" if facts.get("state") in ("online", "running") else "offline"
        payload = to_json({**facts, "state": state, "feed": facts.get("state")})
        with self._lock:
            if not self._announced or name in self._cameras:
                self._cameras[name] = payload

    def tell(self, event: Event) -> dict[str, str]:
        """An event has begun or ended; gives the message of its place."""
        place = _place(event)
        ids = self._open.setdefault(place, set())
        (ids.add if event.is_open else ids.discard)(event.id)
        return {self.topics.place(place): "ON" if ids else "OFF"}

    def learn(self, events: Iterable[Event]) -> None:
        """These events are open, and no others."""
        self._open = {place: set() for place in self._open}
        for event in events:
            self._open.setdefault(_place(event), set()).add(event.id)

    def wanted(self) -> tuple[dict[str, str], bool]:
        """All that is to be retained, by topic; and whether nothing else is to be."""
        with self._lock:
            cameras, announced, is_news, self._is_news = dict(self._cameras), self._announced, self._is_news, False
            known = {Place(place.camera, place.zone, place.rule): place for place in self._places}
        if is_news:  # what is over and not announced is no more
            self._open = {place: ids for place, ids in self._open.items() if ids}
        for place in self._open:
            if not announced or place.camera in cameras:
                known.setdefault(place, place)
        wanted = {self.topics.status: "online"}
        wanted |= {self.topics.camera(name): payload for name, payload in cameras.items() if payload is not None}
        wanted |= {self.topics.place(place): "ON" if self._open.get(place) else "OFF" for place in known}
        if self.discovery is not None:
            wanted |= discovery(self.discovery, self.topics, cameras, known.values())
        return wanted, announced


def _place(event: Event) -> Place:
    return Place(event.camera, event.zone, event.rule)


class Retained:
    """What the broker was given to keep, so that only changes are sent, and nothing stays that no one wants."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._payloads: dict[str, str] = {}
        self._known: set[str] = set()
        if path is not None:
            with suppress(OSError, ValueError, TypeError):  # then topics of earlier runs stay as they are
                self._known = {
                    topic for topic in json.loads(path.read_text(encoding="utf-8")) if isinstance(topic, str)
                }
        self._saved = set(self._known)

    def forget_all(self) -> None:
        """It is another connection, and may be another broker: all is to be sent anew."""
        self._payloads = {}

    def forget(self, messages: list[tuple[str, str, bool]]) -> None:
        """Whether the broker has these is not known."""
        for topic, _, _ in messages:
            self._payloads.pop(topic, None)

    def changes(self, wanted: Mapping[str, str], *, clear: bool = False) -> list[tuple[str, str, bool]]:
        """Messages that make the broker keep `wanted`; with `clear`, nothing else."""
        new = [(topic, payload, True) for topic, payload in wanted.items() if self._payloads.get(topic) != payload]
        self._payloads.update({topic: payload for topic, payload, _ in new})
        gone = sorted(self._known - set(wanted)) if clear else []
        return new + [(topic, "", True) for topic in gone]

    def remember(self, messages: list[tuple[str, str, bool]]) -> None:
        """Before they are sent: these topics may be kept by the broker from now on."""
        self._known |= {topic for topic, payload, retain in messages if retain and payload}
        self._save()

    def are_there(self, messages: list[tuple[str, str, bool]]) -> None:
        """The broker has taken them: what was cleared is gone."""
        gone = {topic for topic, payload, retain in messages if retain and not payload}
        for topic in gone:
            self._payloads.pop(topic, None)
        self._known -= gone
        self._save()

    def _save(self) -> None:
        if self._path is None or self._known == self._saved:
            return
        try:
            write_json(self._path, sorted(self._known))
            self._saved = set(self._known)
        except OutputError as error:
            log.warning("%s", error)
