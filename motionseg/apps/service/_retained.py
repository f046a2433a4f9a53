"""What an MQTT broker was given to keep."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from motionseg.core.errors import OutputError
from motionseg.io import write_json

__all__ = ["Retained"]

log = logging.getLogger("motionseg.service.mqtt")


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
