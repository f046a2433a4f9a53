"""Words become objects here: model names and ``key=value`` settings, checked before anything starts."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from typing import Any

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
    "build_dataset",
    "build_method",
    "build_segmenter",
    "method_parameters",
    "parse_settings",
    "segmenter_parameters",
]

Method = BackgroundModel | FlowEstimator | Linker | MotionSegmenter

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


def build_segmenter(model: str = "gaussian_mixture", settings: dict[str, Any] | None = None) -> MotionSegmenter:
    """A segmenter with the background model of that name, and settings for it and its fellows.

    Parameters
    ----------
    model : str
        A name that ``motionseg models`` lists.
    settings : dict, optional
        Parameters of the model; of the other parts as ``cleaner.gap``, ``linker.max_gap``; and ``min_area``.

    Raises
    ------
    ParameterError
        There is no such model or parameter, or a value is out of range.
    """
    parts: dict[str, dict[str, Any]] = {"": {}, "cleaner": {}, "linker": {}}
    for key, value in (settings or {}).items():
        part, _, name = key.rpartition(".")
        if part not in parts:
            raise ParameterError(f"no part is called {part!r}: settings are of the model, of cleaner. or of linker.")
        parts[part][name] = value
    min_area = parts[""].pop("min_area", None)
    background = _build(catalog.find("background", model), parts[""], model)
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
    settings : dict, optional
        Its parameters; for ``auto`` those of :func:`build_segmenter`.

    Raises
    ------
    ParameterError
        There is no such method or parameter for this task, or a value is out of range.
    """
    if "+" in name:
        raise ParameterError(f"this version has no refiner, so {name!r} cannot run")
    room = _ROOMS.get(task, "background")
    if name == "auto" and room == "background":
        return build_segmenter(settings=settings)
    cls = _imported(name) if ":" in name else catalog.find(room, name)
    return _build(cls, settings or {}, name)


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


def method_parameters(method: Method) -> dict[str, Any]:
    """Every parameter of a method under the key that sets it."""
    return segmenter_parameters(method) if isinstance(method, MotionSegmenter) else method.params()


def _build(cls: type[Any], settings: dict[str, Any], what: str) -> Any:
    known = signature_defaults(cls)
    for name in settings:
        if name not in known:
            has = ", ".join(f"{k}={v}" for k, v in known.items()) or "none"
            raise ParameterError(f"{what} has no parameter {name!r}; it has: {has}")
    return cls(**settings)


def segmenter_parameters(segmenter: MotionSegmenter) -> dict[str, Any]:
    """Every parameter of `segmenter` under the key that sets it."""
    parameters = dict(segmenter.background.params())
    for part in ("cleaner", "linker"):
        holder = getattr(segmenter, part)
        parameters |= {f"{part}.{name}": value for name, value in holder.params().items()} if holder else {}
    return {**parameters, "min_area": segmenter.min_area}
