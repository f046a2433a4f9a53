"""Objects with parameters as plain words and numbers, for the head of a state file, and back."""

from __future__ import annotations

import importlib
import os
from typing import Any, TypeVar

from motionseg.background.base import BackgroundModel
from motionseg.core.errors import StateError
from motionseg.core.params import Parametrized, signature_defaults
from motionseg.core.state import read_state, write_state

__all__ = ["load_described", "save_described"]

M = TypeVar("M", bound=BackgroundModel)

_PACKAGE = "motionseg."


def save_described(model: BackgroundModel, path: str | os.PathLike[str]) -> None:
    """Write the state of a model that is made of others, and what it is made of."""
    write_state(path, model.state(), {"class": type(model).__name__, "made": _described(model)})


def load_described(cls: type[M], path: str | os.PathLike[str]) -> M:
    """A model of class `cls` as `save_described` left it."""
    arrays, head = read_state(path)
    model = _made(head.get("made"))
    if not isinstance(model, cls):
        raise StateError(f"{path} holds a {head.get('class')}, not a {cls.__name__}")
    model.load_state(arrays)
    return model


def _described(part: Any) -> Any:
    """Class and parameters of an object of this package, and of the objects among these; other values as they are.

    Raises
    ------
    StateError
        An object's class is not of this package, so that nobody could make it again from its name.
    """
    if not isinstance(part, Parametrized):
        return part
    cls = type(part)
    if not cls.__module__.startswith(_PACKAGE):
        raise StateError(f"{cls.__name__} is not of this package: save its state() yourself")
    return {
        "class": f"{cls.__module__}:{cls.__name__}",
        "params": {name: _described(value) for name, value in part.params().items()},
    }


def _made(description: Any) -> Any:
    """What was `_described`.

    Raises
    ------
    StateError
        There is no such class in this package, or it refuses the parameters.
    """
    if not isinstance(description, dict):
        return description
    try:
        module, _, name = description["class"].partition(":")
        if not module.startswith(_PACKAGE):
            raise StateError(f"{module} is not of this package")
        cls = getattr(importlib.import_module(module), name)
        if not issubclass(cls, Parametrized):
            raise StateError(f"{name} has no parameters")
        params = {key: _made(value) for key, value in description["params"].items()}
        named = signature_defaults(cls)
        first = [value for key, value in params.items() if key not in named]  # the model inside another
        return cls(*first, **{key: value for key, value in params.items() if key in named})
    except (KeyError, ImportError, AttributeError, TypeError, ValueError) as error:
        raise StateError(f"cannot be made again: {error}") from error
