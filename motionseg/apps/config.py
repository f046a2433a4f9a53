"""Words become objects here: model names and ``key=value`` settings, checked before anything starts."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from typing import Any

from motionseg.background import Guarded
from motionseg.background.base import BackgroundModel
from motionseg.core import catalog
from motionseg.core.errors import ParameterError
from motionseg.core.params import signature_defaults
from motionseg.datasets.base import Dataset
from motionseg.flow.base import FlowEstimator
from motionseg.pipeline.segmenter import MotionSegmenter
from motionseg.regions.clean import MaskCleaner
from motionseg.track.base import Linker

__all__ = [
    "DEFAULT_MODEL",
    "build_dataset",
    "build_method",
    "build_segmenter",
    "method_parameters",
    "model_name",
    "parse_settings",
    "segmenter_parameters",
]

Method = BackgroundModel | FlowEstimator | Linker | MotionSegmenter

DEFAULT_MODEL = "adaptive+guard"
"""What `motionseg segment` takes: as ``MotionSegmenter()``."""
_GUARD = "+guard"
_ROOMS = {"boxes": "track", "flow": "flow"}  # of the methods for a task; for all others: background
_WORDS = {"true": True, "false": False, "none": None}


def parse_settings(pairs: Iterable[str]) -> dict[str, Any]:
    """``["threshold=30", "linker.max_gap=2"]`` -> ``{"threshold": 30, "linker.max_gap": 2}``.

    Values are integers, numbers, true, false, none, or else words.

    Raises
    ------
    ParameterError
        No ``=``, or a key twice.

    Examples
    --------
    >>> parse_settings(["history=200", "detect_shadows=false", "threshold=1e2"])
    {'history': 200, 'detect_shadows': False, 'threshold': 100.0}
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = (part.strip() for part in pair.partition("="))
        if not key or not equals or not text:
            raise ParameterError(f"a setting reads key=value, not {pair!r}")
        if key in settings:
            raise ParameterError(f"the setting {key} is given twice")
        settings[key] = _value(text)
    return settings


def _value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def build_segmenter(model: str = DEFAULT_MODEL, settings: dict[str, Any] | None = None) -> MotionSegmenter:
    """A segmenter with the background model of that name, and settings for it and its fellows.

    Parameters
    ----------
    model : str
        A name that ``motionseg models`` lists, or that with ``+guard`` (:class:`~motionseg.background.Guarded`).
    settings : dict, optional
        Parameters of the model; of the other parts as ``guard.ghosts``, ``cleaner.gap``, ``linker.max_gap``; and
        ``min_area``.

    Raises
    ------
    ParameterError
        There is no such model or parameter, or a value is out of range.
    """
    parts: dict[str, dict[str, Any]] = {"": {}, "guard": {}, "cleaner": {}, "linker": {}}
    for key, value in (settings or {}).items():
        part, _, name = key.rpartition(".")
        if part not in parts:
            raise ParameterError(f"no part is called {part!r}: settings are of the model, guard., cleaner. or linker.")
        parts[part][name] = value
    min_area = parts[""].pop("min_area", None)
    background = _background(model, parts[""], parts["guard"])
    linker = _build(catalog.find("track", "kalman_iou"), parts["linker"], "linker")
    cleaner = _build(MaskCleaner, parts["cleaner"], "cleaner")
    return MotionSegmenter(background=background, cleaner=cleaner, linker=linker, min_area=min_area)


def build_dataset(key: str, root: str | None) -> Dataset:
    """The dataset of that key, in the folder `root`.

    Raises
    ------
    ParameterError
        There is no such dataset, or it needs a root and has none.
    SourceError
        There is no such folder.
    """
    cls: type[Dataset] = catalog.find("datasets", key)
    if root is None and cls.needs_root:
        raise ParameterError(f"the dataset {key} is read from a folder: give its ROOT")
    return cls(root) if cls.needs_root else cls()


def build_method(task: str, name: str, settings: dict[str, Any] | None = None) -> Method:
    """A fresh method for a benchmark's task.

    Parameters
    ----------
    task : str
        The dataset's: ``boxes`` takes linkers, ``flow`` flow estimators, all others background models.
    name : str
        A name that ``motionseg models`` lists; ``auto``: the whole pipeline as ``motionseg segment`` runs it; or
        ``module:Class``, a model of the user's own, looked for beside the installed packages in the present folder.
        A background model with ``+guard`` is guarded.
    settings : dict, optional
        Its parameters, and ``guard.ghosts`` and the like; for ``auto`` those of :func:`build_segmenter`.

    Raises
    ------
    ParameterError
        There is no such method or parameter for this task, or a value is out of range.
    """
    room, settings = _ROOMS.get(task, "background"), settings or {}
    if name == "auto" and room == "background":
        return build_segmenter(settings=settings)
    if room == "background":
        guard = {key.removeprefix("guard."): value for key, value in settings.items() if key.startswith("guard.")}
        return _background(name, {k: v for k, v in settings.items() if not k.startswith("guard.")}, guard)
    return _build(_class(room, name), settings, name)


def _background(name: str, settings: dict[str, Any], guard: dict[str, Any]) -> Any:
    """The background model `name`, guarded where the name says so."""
    plain = name.removesuffix(_GUARD)
    if "+" in plain:
        raise ParameterError(f"only {_GUARD} can follow the name of a model in this version, not {name!r}")
    if guard and plain == name:
        raise ParameterError(f"{name} has no guard to set: name it {name}{_GUARD}")
    model = _build(_class("background", plain), settings, plain)
    if plain == name or not isinstance(model, BackgroundModel):
        return model
    known = {key: value for key, value in signature_defaults(Guarded).items() if key != "model"}
    return Guarded(model, **_checked(guard, known, "guard"))


def _class(room: str, name: str) -> type[Any]:
    return _imported(name) if ":" in name else catalog.find(room, name)


def _imported(name: str) -> type[Any]:
    module, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path:  # a script's own folder stands there instead
        sys.path.append(os.getcwd())
    try:
        cls = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ParameterError(f"there is no class {attribute!r} in a module {module!r}: {error}") from error
    if not (isinstance(cls, type) and issubclass(cls, (BackgroundModel, FlowEstimator, Linker))):
        raise ParameterError(f"{name} is no background model, flow estimator or linker")
    return cls


def method_parameters(method: Method, *, offline: bool = False) -> dict[str, Any]:
    """Every parameter of a method under the key that sets it, and whether it learned the whole clip first."""
    whole = {"offline": True} if offline else {}
    if isinstance(method, MotionSegmenter):
        return segmenter_parameters(method) | whole
    return _parameters(method) | whole


def model_name(model: BackgroundModel) -> str:
    """What :func:`build_segmenter` calls a background model; its class's name where it is none of the package's."""
    if isinstance(model, Guarded):
        return f"{model_name(model.model)}{_GUARD}"
    module = type(model).__module__.rpartition(".")[2]
    return module if module in catalog.names("background") else type(model).__name__


def _parameters(method: BackgroundModel | Linker | FlowEstimator) -> dict[str, Any]:
    if not isinstance(method, Guarded):
        return method.params()
    guard = {f"guard.{name}": value for name, value in method.params().items() if name != "model"}
    return {**method.model.params(), **guard}


def _build(cls: type[Any], settings: dict[str, Any], what: str) -> Any:
    return cls(**_checked(settings, signature_defaults(cls), what))


def _checked(settings: dict[str, Any], known: dict[str, Any], what: str) -> dict[str, Any]:
    for name in settings:
        if name not in known:
            has = ", ".join(f"{k}={v}" for k, v in known.items()) or "none"
            raise ParameterError(f"{what} has no parameter {name!r}; it has: {has}")
    return settings


def segmenter_parameters(segmenter: MotionSegmenter) -> dict[str, Any]:
    """Every parameter of `segmenter` under the key that sets it."""
    parameters = _parameters(segmenter.background)
    for part in ("cleaner", "linker"):
        holder = getattr(segmenter, part)
        parameters |= {f"{part}.{name}": value for name, value in holder.params().items()} if holder else {}
    return {**parameters, "min_area": segmenter.min_area}
