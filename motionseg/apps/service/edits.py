"""What was changed on the page: kept beside the states, and laid over what the configuration says."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from motionseg.core.errors import OutputError, ParameterError
from motionseg.io.write import write_json

__all__ = ["Edits"]

_log = logging.getLogger("motionseg.service")
_KEYS = ("zones", "lines", "rules", "tuning")


class Edits:
    """The changes of one camera, a dict with any of ``zones``, ``lines``, ``rules`` (lists) and ``tuning`` (settings).

    Parameters
    ----------
    path : path, optional
        The JSON file that keeps them; one that cannot be read is set aside.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.facts: dict[str, Any] = {}
        if path is None or not path.exists():
            return
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            self.facts = self.checked(facts)
        except (OSError, ValueError) as error:
            aside = path.with_suffix(".damaged.json")
            _log.warning("%s cannot be read (%s) and is kept as %s; what was edited is lost", path, error, aside.name)
            try:
                path.replace(aside)
            except OSError as failure:
                _log.warning("%s: %s", path, failure)

    def __bool__(self) -> bool:
        return bool(self.facts)

    @staticmethod
    def checked(facts: Any) -> dict[str, Any]:
        """`facts` if they are edits by their form. Raises ParameterError."""
        if not isinstance(facts, dict):
            raise ParameterError(f"edits are an object with any of {', '.join(_KEYS)}")
        for key, value in facts.items():
            if key not in _KEYS:
                raise ParameterError(f"{key}: there is nothing of that name to edit, only {', '.join(_KEYS)}")
            kind = dict if key == "tuning" else list
            if not isinstance(value, kind):
                raise ParameterError(f"{key}: this is {'an object' if kind is dict else 'a list'}, not {value!r:.40}")
        return facts

    def replace(self, facts: dict[str, Any]) -> None:
        """From now on these; {} for none. Raises OutputError, and nothing has changed."""
        if self._path is not None:
            if facts:
                write_json(self._path, facts)
            else:
                try:
                    self._path.unlink(missing_ok=True)
                except OSError as error:
                    raise OutputError(f"{self._path}: {error}") from error
        self.facts = facts
