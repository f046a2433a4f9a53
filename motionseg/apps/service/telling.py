"""One line of what happened: an event told, or a file put to it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from motionseg.core.checks import check_choice
from motionseg.core.types import Event

__all__ = ["Attachment", "Telling", "to_json"]

ATTACHMENTS = ("snapshot", "evidence", "clip")


@dataclass(frozen=True)
class Telling:
    """One of the two times that an event is told: that it has begun, or that it has ended.

    Attributes
    ----------
    event : Event
        As it was told; start and end in seconds since 1970.
    at : float
        When it was told, seconds since 1970.
    number : int
        Place in the store's log, from 1 and rising; 0 while it is not recorded.

    Examples
    --------
    >>> Telling(Event("door-1-0", "door", "enter", "yard", (3,), 10.0), at=11.0).phase
    'begin'
    """

    event: Event
    at: float
    number: int = 0

    @property
    def phase(self) -> str:
        """``"begin"`` or ``"end"``."""
        return "begin" if self.event.is_open else "end"

    def to_dict(self) -> dict[str, Any]:
        """The event's facts, and ``phase``, ``told_at`` and ``number``: ready for JSON."""
        return {**self.event.to_dict(), "phase": self.phase, "told_at": self.at, "number": self.number}


@dataclass(frozen=True)
class Attachment:
    """A file that belongs to an event: its path relative to the folder of recordings, or "" for none any more."""

    event_id: str
    kind: str
    file: str

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ATTACHMENTS)


def to_json(facts: Mapping[str, Any]) -> str:
    """`facts` as one line of JSON; numbers that are none become null, and strange objects text."""
    try:
        return json.dumps(facts, separators=(",", ":"), allow_nan=False, default=_plain)
    except ValueError:
        return json.dumps(_finite(facts), separators=(",", ":"), default=_plain)


def _plain(thing: Any) -> Any:
    return thing.tolist() if hasattr(thing, "tolist") else str(thing)


def _finite(thing: Any) -> Any:
    if isinstance(thing, Mapping):
        return {str(key): _finite(value) for key, value in thing.items()}
    thing = thing.tolist() if hasattr(thing, "tolist") else thing
    if isinstance(thing, (list, tuple)):
        return [_finite(item) for item in thing]
    return None if isinstance(thing, float) and not math.isfinite(thing) else thing
