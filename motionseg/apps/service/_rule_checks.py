"""Rules as they are written in a configuration, checked with the classes of `motionseg.events`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from motionseg.apps.service._complaints import Complaint
from motionseg.core.errors import ParameterError
from motionseg.events._rule import _RANGES, Rule
from motionseg.events.rules import KINDS, Cross

__all__ = ["rule_complaints", "rule_schema"]

_HUGE = 10**300  # no float is much larger


def rule_complaints(kind: str, name: str, params: Mapping[str, Any]) -> list[Complaint]:
    """What is wrong with the parameters of a rule; `kind` is known."""
    cls, own, found = KINDS[kind], dict(params), []
    parameters = _parameters(cls)
    for key in params:
        text = None if key in parameters else "unknown"
        if text:
            found.append(Complaint((key,), text, ("kind", "name", *parameters)))
        elif text := _no_parameter(own[key]):
            found.append(Complaint((key,), text))
        if text:
            del own[key]
    for key, field in parameters.items():
        if field.default is MISSING and key not in params:
            found.append(Complaint((), f"the rule {kind!r} needs {key!r}"))
        if field.default is MISSING and key not in own:
            own[key] = 1  # so that the others can be looked at
    while True:
        try:
            cls(name=name, **own)
            return found
        except ParameterError as error:
            key = str(error).removeprefix(f"rule {name!r}: ").partition(" ")[0]
            found.append(Complaint((key,) if key in own else (), str(error)))
            if own.pop(key, None) is None or parameters[key].default is MISSING:
                return found


def _no_parameter(value: Any) -> str | None:
    """What keeps a value from being a rule's at all."""
    if isinstance(value, (list, tuple)):
        return None if all(isinstance(item, str) for item in value) else "is a list of texts"
    if not isinstance(value, (bool, int, float, str)):
        return "is a number, a text, true, false, or a list of texts"
    if isinstance(value, int) and abs(value) > _HUGE:
        return "is a huge number"
    return None


def _parameters(cls: type[Rule]) -> dict[str, Field[Any]]:
    return {field.name: field for field in fields(cls) if field.name != "name"}


def rule_schema() -> dict[str, Any]:
    """JSON schema of all rules: an object for each kind."""
    return {"type": "object", "required": ["kind"], "oneOf": list(_schemas())}


def _schemas() -> Iterator[dict[str, Any]]:
    for kind, cls in KINDS.items():
        properties: dict[str, Any] = {"kind": {"const": kind}, "name": {"type": "string", "minLength": 1}}
        required = ["kind"]
        for key, field in _parameters(cls).items():
            properties[key] = _schema(key, str(field.type)) | _default(field)
            if key == "position":
                properties[key]["enum"] = ["feet", "middle" if issubclass(cls, Cross) else "share"]
            if field.default is MISSING:
                required.append(key)
        title = (cls.__doc__ or kind).partition("\n")[0]
        yield {
            "title": kind,
            "description": title,
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }


def _default(field: Field[Any]) -> dict[str, Any]:
    value = field.default
    return {} if value is MISSING else {"default": list(value) if isinstance(value, tuple) else value}


def _schema(key: str, type_: str) -> dict[str, Any]:
    kinds = {"bool": "boolean", "str": "string", "int": "integer", "float": "number"}
    if type_ not in kinds:
        names = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
        return {"anyOf": [{"type": "string"}, names]}
    schema: dict[str, Any] = {"type": kinds[type_]}
    if type_ == "float" and key in _RANGES:
        low, high, above = _RANGES[key]
        schema |= {"exclusiveMinimum" if above else "minimum": low, "maximum": high}
    return schema
