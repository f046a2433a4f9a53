"""The configuration of the service: a TOML file, checked as a whole before anything starts."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from motionseg.apps.service._camera_sections import CameraSection, LineSection, RuleSection, ZoneSection
from motionseg.apps.service._complaints import Complaint, complaints_of
from motionseg.apps.service._fields import is_loopback, shown_address
from motionseg.apps.service._sections import (
    Config,
    JsonlSection,
    MqttSection,
    RecordingsSection,
    ServiceSection,
    StoreSection,
    WebhookSection,
)
from motionseg.apps.service._toml import KeyPath, Lines, TomlError, read_toml, spelled
from motionseg.core.errors import ParameterError

__all__ = ["CameraSection", "Config", "JsonlSection", "LineSection", "MqttSection", "RecordingsSection", "RuleSection"]
__all__ += ["ServiceSection", "StoreSection", "WebhookSection", "ZoneSection"]
__all__ += ["config_schema", "example_config", "is_loopback", "load_config", "parse_config", "shown_address"]

_MOST_BYTES = 1_000_000
_MOST_TOLD = 50  # complaints
_MOST_LONG = 500  # characters of a complaint
_VARIABLE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_ALSO = {"zones": "zone", "lines": "line", "rules": "rule"}  # as in `motionseg.watch`, and over HTTP
_SECRETS = frozenset({"token", "password", "secret", "source", "url"})


def load_config(path: str | os.PathLike[str]) -> Config:
    """The configuration in a file. Files that it names are seen from its folder.

    Raises
    ------
    ParameterError
        It cannot be read, or something in it is wrong: a line ``FILE:LINE: KEY: WHAT`` for each complaint.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise ParameterError(f"{path}: this is a folder, not a configuration")
        if path.exists() and not path.is_file():
            raise ParameterError(f"{path}: this is no regular file")
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        folder = path.absolute().parent
    except (OSError, ValueError) as error:
        if isinstance(error, ParameterError):
            raise
        raise ParameterError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return parse_config(_decoded(content, str(path)), str(path), folder=folder)


def parse_config(text: str, name: str = "config", *, folder: Path | None = None) -> Config:
    """The configuration that a TOML text is.

    Parameters
    ----------
    text : str
        ``${NAME}`` in its texts is that environment variable, ``$${`` is ``${``.
    name : str
        What errors call it.
    folder : Path, optional
        What relative names of files are seen from; None: they stay as they are.

    Raises
    ------
    ParameterError
        Something is wrong: a line ``NAME:LINE: KEY: WHAT`` for each complaint.

    Examples
    --------
    >>> parse_config("[[camera]]\\nname = 'door'\\nsource = '0'").camera[0].address
    0
    >>> parse_config("[[camera]]\\nname = 'door'\\nsource = '0'\\nmax_fsp = 5", "a.toml")
    Traceback (most recent call last):
    motionseg.core.errors.ParameterError: a.toml:4: camera[0].max_fsp: there is no such key; did you mean 'max_fps'?
    """
    from motionseg.apps.service.building import segmenter_complaints

    text = text.removeprefix("\ufeff")
    try:
        if len(text) > _MOST_BYTES:
            raise TomlError(1, f"more than {_MOST_BYTES} characters are no configuration")
        data, lines = read_toml(text)
    except TomlError as error:
        raise ParameterError(f"{name}:{error.line}: {error}") from None
    _take_other_ways(data, lines)
    complaints: list[Complaint] = []
    hidden: set[str] = set()
    data = _filled(data, (), complaints, hidden)
    config = None
    try:
        config = Config.model_validate(data, context={"folder": folder})
    except ValidationError as error:
        complaints += complaints_of(error, data, Config)
    if config is not None and not complaints:
        for number, camera in enumerate(config.camera):
            complaints += segmenter_complaints(camera, ("camera", number))
    if complaints or config is None:
        told = {(lines.of(path), spelled(path), _hushed(what, hidden)): None for path, what, _ in complaints}
        rows = [f"{name}:{line}: {key}: {what}" for line, key, what in sorted(told, key=lambda row: row[0])]
        if len(rows) > _MOST_TOLD:
            rows[_MOST_TOLD:] = [f"{name}: and {len(rows) - _MOST_TOLD} more"]
        raise ParameterError("\n".join(rows))
    return config


def _decoded(content: bytes, name: str) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ParameterError(f"{name}:1: this is UTF-16; save it as UTF-8")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        if len(content) > _MOST_BYTES:  # maybe only cut within a letter
            raise ParameterError(f"{name}:1: more than {_MOST_BYTES} characters are no configuration") from None
        raise ParameterError(f"{name}:{line}: this is not UTF-8: byte {content[error.start]:#04x}") from None


def _take_other_ways(data: dict[str, Any], lines: Lines) -> None:
    """``zones`` becomes ``zone``, and ``zones.yard = points`` a table of that name; of lines and rules the same."""
    cameras = data.get("camera")
    for number, camera in enumerate(cameras if isinstance(cameras, list) else ()):
        for many, one in _ALSO.items() if isinstance(camera, dict) else ():
            if many not in camera or one in camera:
                continue
            found, here = camera.pop(many), ("camera", number, many)
            if isinstance(found, dict):
                for place, name in enumerate(found):
                    lines.move((*here, name), ("camera", number, one, place))
                found = [_named(name, inner) for name, inner in found.items()]
            lines.move(here, ("camera", number, one))
            camera[one] = found


def _named(name: str, found: Any) -> Any:
    return {"name": name, **found} if isinstance(found, dict) else {"name": name, "points": found}


def _filled(value: Any, path: KeyPath, complaints: list[Complaint], hidden: set[str]) -> Any:
    """`value` with environment variables in their places. What must not be told is noted in `hidden`."""
    if isinstance(value, dict):
        return {key: _filled(inner, (*path, key), complaints, hidden) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, (*path, number), complaints, hidden) for number, inner in enumerate(value)]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if not match[2] or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", match[1]):
            complaints.append(Complaint(path, "${NAME} is an environment variable; for ${ itself write $${"))
        elif (found := os.environ.get(match[1])) is None:
            complaints.append(Complaint(path, f"the environment variable {match[1]} is not set"))
        else:
            hidden.add(found)
            return found
        return match[0]

    text = _VARIABLE.sub(variable, value)
    if path and path[-1] in _SECRETS:
        hidden.add(text)
    return text


def _hushed(text: str, hidden: set[str]) -> str:
    """A complaint on one line, without what must not be told."""
    for secret in sorted(hidden, key=len, reverse=True):
        for form in (secret, repr(secret)[1:-1]):
            if len(form) > 3:
                text = text.replace(form, "***")
    text = " ".join(text.split())
    return text if len(text) <= _MOST_LONG else f"{text[:_MOST_LONG]} ..."


def example_config() -> str:
    """A configuration with everything in it, and what it means. It is valid as it stands."""
    return Path(__file__).with_name("example.toml").read_text(encoding="utf-8")


def config_schema() -> dict[str, Any]:
    """JSON schema of a configuration, for editors."""
    schema = _without_null(Config.model_json_schema())
    keys = schema["$defs"]["CameraSection"]["properties"]
    other = {"type": "object", "description": "By name."}
    keys |= {many: {"anyOf": [keys[one], other], "description": f"As {one}."} for many, one in _ALSO.items()}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "motionseg serve"}


def _without_null(schema: Any) -> Any:
    """TOML has no null: what may be absent is so by not being there."""
    if isinstance(schema, list):
        return [_without_null(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _without_null(value) for key, value in schema.items() if not (key == "default" and value is None)}
    kinds = [kind for kind in plain.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del plain["anyOf"]
        plain = {**kinds[0], **plain}
    return plain
