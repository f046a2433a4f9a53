"""Finds algorithms by the name of their file: no registry, no import side effects.

In a catalogued room (``background``, ``flow``, ``cluster``, ``track``) a public file is an
algorithm, and its class bears the file's name: ``gaussian_mixture.py`` -> ``GaussianMixture``
(underscores and case aside, so ``opencv_mog2.py`` -> ``OpenCVMOG2``). So it is with ``datasets``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from motionseg.core.errors import ParameterError

__all__ = ["ModelInfo", "attach_room", "find", "names"]


@dataclass(frozen=True)
class ModelInfo:
    """What `motionseg models` says of an algorithm.

    Attributes
    ----------
    paper : str
        Authors, year, title; DOI where there is one.
    speed : str
        ``"very fast"`` (< 3 ns per pixel), ``"fast"`` (< 15), ``"medium"`` (< 60) or ``"slow"``, one thread, BGR.
    good_at : str
        When to take it.
    notice : str
        A patent or licence matter the user must know of; empty if none.
    """

    paper: str
    speed: str
    good_at: str
    notice: str = ""


def names(room: str) -> list[str]:
    """Sorted names of the algorithms in `room`, for instance ``"background"``."""
    package = importlib.import_module(f"motionseg.{room}")
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return sorted(name for name in found if not name.startswith("_") and name != "base")


def _key(name: str) -> str:
    return name.replace("_", "").lower()


def find(room: str, name: str) -> type[Any]:
    """The class of algorithm `name` (its file name) in `room`.

    Raises
    ------
    ParameterError
        No such algorithm; the message lists those there are.
    """
    if name not in names(room):
        kind = {"datasets": "dataset", "track": "linker"}.get(room, f"{room} model")
        raise ParameterError(f"there is no {kind} {name!r}; there are: {', '.join(names(room))}")
    module = importlib.import_module(f"motionseg.{room}.{name}")
    for attribute, value in vars(module).items():
        if isinstance(value, type) and value.__module__ == module.__name__ and _key(attribute) == _key(name):
            return value
    raise ParameterError(f"{module.__name__} defines no class named after its file")


def attach_room(
    package: str, extra: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` for a room's ``__init__``: its classes, imported at first use.

    `extra` names what else is public there, and the helper file of each: ``{"from_cv2": "_cv2"}``.
    """
    room, extra = package.rpartition(".")[2], extra or {}

    def getattr_(attribute: str) -> Any:
        if attribute in extra:
            return getattr(importlib.import_module(f"{package}.{extra[attribute]}"), attribute)
        for name in names(room):
            if _key(name) == _key(attribute) and attribute != name:
                return find(room, name)
        base = importlib.import_module(f"{package}.base")
        if attribute in base.__all__:
            return getattr(base, attribute)
        raise AttributeError(f"module {package!r} has no attribute {attribute!r}")

    def dir_() -> list[str]:
        base = importlib.import_module(f"{package}.base")
        return sorted([*base.__all__, *extra, *(find(room, name).__name__ for name in names(room))])

    return getattr_, dir_
