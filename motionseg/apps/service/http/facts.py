"""What the service tells of itself: nothing of it names a camera's source or a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from motionseg.events.rules import KINDS

__all__ = ["camera_facts", "camera_status", "event_facts", "rule_kinds", "service_facts"]

_HIDDEN = ("latency_buckets", "latency_sum", "latency_count", "source")
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_FILES = ("snapshot", "evidence", "clip")


def camera_status(service: Any, name: str) -> dict[str, Any]:
    """The state of one camera; where a message names its source, that is hidden."""
    status = {key: value for key, value in service.lookouts[name].status().items() if key not in _HIDDEN}
    secrets = [camera.source.get_secret_value() for camera in service.config.camera if camera.name == name]
    if isinstance(error := status.get("last_error"), str):
        for secret in filter(None, secrets):
            error = error.replace(secret, "(source)")
        status["last_error"] = _ADDRESS.sub("(source)", error)
    return {"name": name, **status}


def camera_facts(service: Any, name: str) -> dict[str, Any]:
    """The state of one camera, and how it is set up."""
    return {**camera_status(service, name), "setup": service.lookouts[name].setup()}


def service_facts(service: Any) -> dict[str, Any]:
    """The state of all."""
    couriers = {courier.sink.name: dict(courier.status()) for courier in list(service.couriers)}
    return {
        **service.health(),
        "started": service.started,
        "cameras": {name: camera_status(service, name) for name in list(service.lookouts)},
        "ledger": _without_addresses(service.ledger.status()),
        "couriers": {name: _without_addresses(status) for name, status in couriers.items()},
        "recorder": _without_addresses(service.recorder.status()),
    }


def _without_addresses(status: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _ADDRESS.sub("(address)", value) if isinstance(value, str) else value for key, value in status.items()}


def event_facts(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event of the store, with the addresses of its pictures in the place of files."""
    names = {"snapshot": "snapshot.jpg", "evidence": "evidence.jpg", "clip": "clip"}
    files = {kind: f"/api/events/{event['id']}/{names[kind]}" if event.get(kind) else None for kind in _FILES}
    return {**event, **files}


def rule_kinds() -> dict[str, Any]:
    """Each kind of rule, its parameters and their defaults: what a form for it needs."""
    return {
        kind: {
            "what": " ".join((cls.__doc__ or "").partition("\n\n")[0].replace("`", "").split()),
            "on": next((name for name in ("zones", "lines") if name in cls.__dataclass_fields__), None),
            "parameters": {
                field.name: _parameter(kind, field) for field in fields(cls) if field.name not in ("zones", "lines")
            },
        }
        for kind, cls in KINDS.items()
    }


def _parameter(kind: str, field: Any) -> dict[str, Any]:
    name = field.type if isinstance(field.type, str) else field.type.__name__
    facts: dict[str, Any] = {"type": name, "required": field.default is MISSING}
    if field.default is not MISSING:
        facts["default"] = field.default
    if field.name == "position":
        facts["choices"] = ["feet", "middle" if kind == "cross" else "share"]
    return facts
