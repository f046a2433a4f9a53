"""What is said about a service on MQTT: the topics, and what Home Assistant needs to find them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from motionseg.apps.service.store import to_json
from motionseg.core.errors import ParameterError
from motionseg.events import Line, Zone
from motionseg.events._rule import LastingRule, Rule, VerdictRule
from motionseg.events.rules import Cross, LightChange

__all__ = ["Place", "Topics", "announcement", "discovery", "topic_word"]

_CLASSES = {"crowd_count": "occupancy"} | dict.fromkeys(
    ("light", "camera_covered", "camera_moved", "camera_blurred", "light_drift"), "problem"
)
"""Home Assistant's device class, by kind of rule; all others are "motion"."""


def topic_word(name: str) -> str:
    """A name as one word of a topic, of ``A-Z a-z 0-9 _ -``; no two names have the same word.

    Each byte, in UTF-8, of other characters, and of a ``_`` before an ``x``, becomes ``_xHH``. No name is ``all``.

    Examples
    --------
    >>> topic_word("yard"), topic_word("front yard"), topic_word(""), topic_word("all"), topic_word("a_x20b")
    ('yard', 'front_x20yard', 'all', '_x61ll', 'a_x5Fx20b')
    """
    if not name:
        return "all"
    if name == "all":
        return "_x61ll"
    return re.sub("_(?=x)|[^A-Za-z0-9_-]", lambda found: _escape(found[0]), name)


def _escape(character: str) -> str:
    return "".join(f"_x{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, order=True)
class Place:
    """A rule in a zone of a camera, and its kind; the zone "" is the whole picture."""

    camera: str
    zone: str
    rule: str
    kind: str = ""


class Topics:
    """Names of topics below a prefix.

    Examples
    --------
    >>> topics = Topics("home/motionseg")
    >>> topics.status, topics.place(Place("door", "front yard", "enter"))
    ('home/motionseg/status', 'home/motionseg/door/front_x20yard/enter')
    """

    def __init__(self, prefix: str) -> None:
        if not prefix or re.search(r"[+#\0]", prefix) or prefix[0] in "$/" or prefix[-1] == "/":
            raise ParameterError(f"mqtt.topic is a topic without + and #, not {prefix!r}")
        self.prefix = prefix
        self.status = f"{prefix}/status"

    def camera(self, name: str) -> str:
        """Retained: whether the camera is online, and counts."""
        return f"{self.prefix}/{topic_word(name)}/state"

    def events(self, camera: str) -> str:
        """Each telling."""
        return f"{self.prefix}/{topic_word(camera)}/events"

    def place(self, place: Place) -> str:
        """Retained: ON while an event of that rule is open there."""
        return "/".join([self.prefix, *map(topic_word, (place.camera, place.zone, place.rule))])


def announcement(rules: Iterable[Rule], places: Iterable[Zone | Line]) -> dict[str, list[Any]]:
    """What :meth:`MqttSink.announce` wants to know of a camera: in which zones and at which lines each rule looks.

    Examples
    --------
    >>> from motionseg.events import Enter
    >>> yard = Zone("yard", [(0, 0), (50, 0), (50, 40)])
    >>> announcement([Enter(zones="yard")], [yard])
    {'zones': ['yard'], 'rules': [{'name': 'enter', 'kind': 'enter', 'zones': ['yard']}]}
    """
    places = list(places)
    lines = [place.name for place in places if isinstance(place, Line)]
    preclusive = [place.name for place in places if isinstance(place, Zone) and place.kind == "preclusive"]
    told = []
    for rule in rules:
        zones = [""]
        if isinstance(rule, Cross):
            zones = list(rule.lines) or lines
        elif isinstance(rule, LastingRule):
            zones = list(rule.zones) or [""]
        elif isinstance(rule, VerdictRule) and isinstance(rule, LightChange):
            zones = ["", *preclusive]
        told.append({"name": rule.name, "kind": rule.kind, "zones": zones})
    return {"zones": [place.name for place in places], "rules": told}


def places_of(camera: str, facts: Mapping[str, Any]) -> set[Place]:
    """The places that an announcement speaks of; a rule that is only a name looks in every zone."""
    found = set()
    for rule in facts.get("rules", ()):
        if isinstance(rule, str):
            rule = {"name": rule, "zones": list(facts.get("zones", ())) or [""]}
        found |= {Place(camera, zone, rule["name"], rule.get("kind", "")) for zone in rule.get("zones") or [""]}
    return found


def discovery(prefix: str, topics: Topics, cameras: Iterable[str], places: Iterable[Place]) -> dict[str, str]:
    """Home Assistant's retained messages, by topic: a device for each camera, with

    a binary sensor for each place, an event entity, a sensor of the last event, and a binary sensor of connectivity.
    """
    import motionseg

    told: dict[str, str] = {}
    origin = {"name": "motionseg", "sw_version": motionseg.__version__}
    node = topic_word(topics.prefix)

    def tell(component: str, camera: str, object_id: str, facts: dict[str, Any], *, alive: bool = True) -> None:
        device = {"identifiers": [f"{node}_x_{topic_word(camera)}"], "name": camera, "manufacturer": "motionseg",
                  "model": "camera"}  # fmt: skip
        available = [{"topic": topics.status}]
        if alive:
            available.append({"topic": topics.camera(camera), "value_template": "{{ value_json.state }}"})
        id = f"{node}_x_{topic_word(camera)}"
        facts |= {"unique_id": f"{id}_x_{object_id}", "availability": available, "availability_mode": "all"}
        facts |= {"qos": 1, "device": device, "origin": origin}
        told[f"{prefix}/{component}/{id}/{object_id}/config"] = to_json(facts)

    for camera in sorted(cameras):
        tell("binary_sensor", camera, "_xonline", {
            "name": "online", "device_class": "connectivity", "entity_category": "diagnostic",
            "state_topic": topics.camera(camera), "payload_on": "online", "payload_off": "offline",
            "value_template": "{{ value_json.state }}",
            "json_attributes_topic": topics.camera(camera)}, alive=False)  # fmt: skip
        tell("event", camera, "_xevent", {
            "name": "event", "event_types": ["begin", "end"], "device_class": "motion",
            "state_topic": topics.events(camera), "value_template": _event_template()})  # fmt: skip
        tell("sensor", camera, "_xlast", {
            "name": "last event", "icon": "mdi:motion-sensor", "state_topic": topics.events(camera),
            "value_template": "{{ value_json.rule }}{{ ' ' ~ value_json.zone if value_json.zone else '' }}",
            "json_attributes_topic": topics.events(camera)})  # fmt: skip
    for place in sorted(places):
        tell("binary_sensor", place.camera, f"{topic_word(place.zone)}_x_{topic_word(place.rule)}", {
            "name": f"{place.zone} {place.rule}".strip(), "state_topic": topics.place(place), "payload_on": "ON",
            "payload_off": "OFF", "device_class": _CLASSES.get(place.kind, "motion")})  # fmt: skip
    return told


def _event_template() -> str:
    names = ("id", "rule", "zone", "track_ids", "start", "end", "peak_area", "score", "number")
    facts = ", ".join(f'"{name}": {{{{ value_json.{name} | tojson }}}}' for name in names)
    return f'{{"event_type": {{{{ value_json.phase | tojson }}}}, {facts}}}'
