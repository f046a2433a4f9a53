"""What is wrong with a configuration, in words: where, what, and what is allowed. No value that may be a secret."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, NoReturn, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from motionseg.apps.service._toml import KeyPath

__all__ = ["Complaint", "complain", "complaints_of", "nearest"]

_KINDS = {
    "int_type": "an integer",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "a text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "path_type": "a text, the name of a file or folder",
}
_RANGES = {
    "greater_than_equal": "at least {ge:g}",
    "greater_than": "above {gt:g}",
    "less_than_equal": "at most {le:g}",
    "less_than": "below {lt:g}",
}
_SIZES = {"too_short": "the list is empty", "too_long": "there are more than {max_length}"}
_SIZES |= {"string_too_short": "the text is empty", "string_too_long": "has more than {max_length} characters"}


class Complaint(NamedTuple):
    """Where something is wrong, and what."""

    path: KeyPath
    text: str
    known: tuple[str, ...] = ()
    """Of a key that is not known: those that are, instead of a text."""


def complain(complaints: Sequence[Complaint]) -> NoReturn:
    """Raise them all from within a validator; paths are seen from what it validates."""
    faults = [
        InitErrorDetails(
            type=PydanticCustomError("unknown" if known else "told", "{text}", {"text": text, "known": known}),
            loc=path,
            input=None,
        )
        for path, text, known in complaints
    ]
    raise ValidationError.from_exception_data("configuration", faults, hide_input=True)


def complaints_of(error: ValidationError, data: Any, model: type[BaseModel], at: KeyPath = ()) -> list[Complaint]:
    """All that is wrong with `data`, which is to be a `model` and stands at the path `at`."""
    found = []
    for fault in error.errors(include_url=False, include_input=False):
        path, kind, facts = tuple(fault["loc"]), fault["type"], fault.get("ctx", {})
        value = _value_at(data, path)
        if kind == "too_short" and len(value) >= facts["min_length"]:
            continue  # the others are wrong, and told by themselves
        if kind == "told":
            text = facts["text"]
        elif kind == "value_error":
            text = str(facts["error"])
        elif kind == "missing":
            text = f"is missing{_hint(kind, path, value)}"
        elif kind in ("unknown", "extra_forbidden"):
            text = _unknown(path, model, facts.get("known") or tuple(_fields_at(model, path[:-1])))
        elif kind in _KINDS:
            text = f"is {_KINDS[kind]}, not {_what(value)}{_hint(kind, path, value)}"
        elif kind in _RANGES:
            text = f"is {_RANGES[kind].format(**facts)}, not {_what(value)}"
        elif kind in _SIZES:
            text = _SIZES[kind].format(**facts)
        elif kind == "literal_error":
            text = f"is one of {facts['expected']}, not {_what(value)}"
        else:
            text = str(fault["msg"])
        found.append(Complaint((*at, *path), text))
    return found


def nearest(word: str, known: Iterable[str]) -> str:
    """Which of the known words is meant, or else which there are.

    Examples
    --------
    >>> nearest("widht", ["name", "width"]), nearest("colour", ["name", "width"])
    ("did you mean 'width'?", 'there are: name, width')
    """
    names = list(known)
    near = difflib.get_close_matches(word.lower(), names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}"


def _unknown(path: KeyPath, model: type[BaseModel], known: tuple[str, ...]) -> str:
    """Of a key that is not known there: the table that has it, or the nearest key."""
    key, tables = str(path[-1]), _tables(model)
    homes = [name for name, (_, section) in tables.items() if key in section.model_fields]
    around = ["", *(".".join(p for p in path[:n] if isinstance(p, str)) for n in range(1, len(path) - 1))]
    close = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.85)
    if close or not homes:
        return f"there is no such key; {nearest(key, known)}"
    outer = [home for home in homes if home in around]
    written = " or ".join(tables[home][0] for home in outer or homes)
    what = f"is no key of this table, but of {written}"
    here = ".".join(part for part in path[:-1] if isinstance(part, str))
    return f"{what}: write it above {tables[here][0]}" if outer and here in tables else what


def _tables(model: type[BaseModel], above: str = "") -> dict[str, tuple[str, type[BaseModel]]]:
    """The sections within `model`: how their header is written, and the section."""
    found: dict[str, tuple[str, type[BaseModel]]] = {}
    for name, field in model.model_fields.items():
        section, is_list = _section(field.annotation)
        if section is not None:
            path = f"{above}{name}"
            found[path] = (f"[[{path}]]" if is_list else f"[{path}]", section)
            found |= _tables(section, f"{path}.")
    return found


def _section(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The section that a field holds, and whether it holds a list of such."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    inner = [_section(part)[0] for part in get_args(annotation)]
    return next((section for section in inner if section is not None), None), get_origin(annotation) is tuple


def _fields_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    here: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, str) and here is not None:
            field = here.model_fields.get(part)
            here = None if field is None else _section(field.annotation)[0]
    return [] if here is None else list(here.model_fields)


def _hint(kind: str, path: KeyPath, value: Any) -> str:
    """How to write it in TOML."""
    table = ".".join(part for part in path if isinstance(part, str))
    if kind == "missing" and path == ("camera",):
        return ": write [[camera]] for each"
    if kind == "tuple_type" and isinstance(value, dict):
        return f": write [[{table}]]"
    if kind == "model_type" and isinstance(value, list):
        return f": write [{table}]"
    return ""


def _value_at(data: Any, path: KeyPath) -> Any:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _what(value: Any) -> str:
    """What kind of thing a value is; numbers as they are, texts never."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value:g}" if -1e15 < value < 1e15 or isinstance(value, float) else "a huge number"
    kinds = {str: "a text", list: "a list", tuple: "a list", dict: "a table"}
    return next((word for kind, word in kinds.items() if isinstance(value, kind)), "a date or time")
