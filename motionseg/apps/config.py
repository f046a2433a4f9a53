"""Words become objects here: model names and ``key=value`` settings, checked before anything starts."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from typing import Any

from motionseg.background import Guarded
from motionseg.background.base import BackgroundModel
from motionseg.camera.sparse_corners import SparseCorners
from motionseg.core import catalog
from motionseg.core.errors import ParameterError
from motionseg.core.params import signature_defaults
from motionseg.datasets.base import Dataset
from motionseg.flow.base import FlowEstimator
from motionseg.pipeline.compensated import Compensated
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
_WRAPPERS = {"+guard": "guard", "+camera": "camera"}  # what may follow a model's name, in this order; and its settings
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
        A name that ``motionseg models`` lists; with ``+guard`` it is :class:`~motionseg.background.Guarded`, and with
        ``+camera`` :class:`~motionseg.pipeline.Compensated`.
    settings : dict, optional
        Parameters of the model; of the other parts as ``guard.ghosts``, ``camera.model``, ``cleaner.gap``,
        ``linker.max_gap``; and ``min_area``.

    Raises
    ------
    ParameterError
        There is no such model or parameter, or a value is out of range.
    """
    parts = _by_part(settings or {}, ("guard", "camera", "cleaner", "linker"))
    min_area = parts[""].pop("min_area", None)
    background = _background(model, parts)
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
        ``+guard`` and ``+camera`` as in :func:`build_segmenter`.
    settings : dict, optional
        Its parameters, and ``guard.ghosts``, ``camera.model`` and the like; for ``auto`` those of
        :func:`build_segmenter`.

    Raises
    ------
    ParameterError
        There is no such method or parameter for this task, or a value is out of range.
    """
    room, settings = _ROOMS.get(task, "background"), settings or {}
    if name == "auto" and room == "background":
        return build_segmenter(settings=settings)
    if room == "background":
        return _background(name, _by_part(settings, ("guard", "camera")))
    return _build(_class(room, name), settings, name)


def _by_part(settings: dict[str, Any], names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """``{"a": 1, "guard.b": 2}`` -> ``{"": {"a": 1}, "guard": {"b": 2}}``, with an entry for each of `names`."""
    parts: dict[str, dict[str, Any]] = {name: {} for name in ("", *names)}
    for key, value in settings.items():
        part, _, name = key.rpartition(".")
        if part not in parts:
            known = ", ".join(f"{name}." for name in names)
            raise ParameterError(f"no part is called {part!r}: settings are of the model, or begin with {known}")
        parts[part][name] = value
    return parts


def _background(name: str, parts: dict[str, dict[str, Any]]) -> Any:
    """The background model `name`, guarded and compensated where the name says so."""
    plain, wrappers = name, []
    for ending, part in reversed(_WRAPPERS.items()):
        if plain.endswith(ending):
            plain, wrappers = plain.removesuffix(ending), [part, *wrappers]
        elif parts[part]:
            raise ParameterError(f"{name} has no {part} to set: name it {plain}{ending}")
    if "+" in plain:
        raise ParameterError(f"only +guard and +camera, in this order, can follow the name of a model, not {name!r}")
    model = _build(_class("background", plain), parts[""], plain)
    if not isinstance(model, BackgroundModel):
        return model
    if "guard" in wrappers:
        known = {key: value for key, value in signature_defaults(Guarded).items() if key != "model"}
        model = Guarded(model, **_checked(parts["guard"], known, "guard"))
    if "camera" in wrappers:
        model = Compensated(model, camera=_build(SparseCorners, parts["camera"], "camera"))
    return model


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
        return f"{model_name(model.model)}+guard"
    if isinstance(model, Compensated):
        return f"{model_name(model.model)}+camera"
    module = type(model).__module__.rpartition(".")[2]
    return module if module in catalog.names("background") else type(model).__name__


def _parameters(method: BackgroundModel | Linker | FlowEstimator) -> dict[str, Any]:
    if isinstance(method, Compensated):
        part, own = "camera", method.camera.params()
    elif isinstance(method, Guarded):
        part, own = "guard", {name: value for name, value in method.params().items() if name != "model"}
    else:
        return method.params()
    return {**_parameters(method.model), **{f"{part}.{name}": value for name, value in own.items()}}


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
