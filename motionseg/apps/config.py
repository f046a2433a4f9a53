"""Words become objects here: model names and ``key=value`` settings, checked before anything starts."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from typing import Any

from motionseg.apps.defaults import DEFAULT_LINKER, DEFAULT_MODEL
from motionseg.background import Adaptive, Guarded
from motionseg.background.base import BackgroundModel
from motionseg.camera.sparse_corners import SparseCorners
from motionseg.core import catalog
from motionseg.core.errors import ParameterError
from motionseg.core.params import signature_defaults
from motionseg.datasets.base import Dataset
from motionseg.flow.base import FlowEstimator
from motionseg.flow.opencv_dis import OpenCVDIS
from motionseg.fuse import Appearance, MeanField
from motionseg.pipeline._frame_pairs import FramePairs
from motionseg.pipeline.auto import Auto
from motionseg.pipeline.clustered import Clustered
from motionseg.pipeline.compensated import Compensated
from motionseg.pipeline.flow_fused import FlowFused
from motionseg.pipeline.naive_flow import NaiveFlow
from motionseg.pipeline.refined import Refined
from motionseg.pipeline.segmenter import MotionSegmenter
from motionseg.refine.refiner import Refiner
from motionseg.regions.clean import MaskCleaner
from motionseg.track.base import RegionLinker

__all__ = [
    "DEFAULT_LINKER",
    "DEFAULT_MODEL",
    "build_dataset",
    "build_linker",
    "build_method",
    "build_segmenter",
    "linker_name",
    "method_parameters",
    "model_name",
    "parse_settings",
    "segmenter_parameters",
]

Method = BackgroundModel | FlowEstimator | RegionLinker | MotionSegmenter

_FLOW_LINKERS = ("mask_flow",)  # that are to be given the flow
_WRAPPERS = {"+guard": "guard", "+camera": "camera"}  # what may follow a model's name, in this order; and its settings
_ROOMS = {"boxes": "track", "flow": "flow"}  # of the methods for a task; for all others: background
_DATASETS = {"davis": "davis2016"}  # what they are called for short
_REFINE = "+refine"  # may follow any model's name, after all others
_PARTS = {
    "guard": Guarded,
    "camera": SparseCorners,
    "flow": OpenCVDIS,
    "fuser": MeanField,
    "appearance": Appearance,
    "refine": Refiner,
}
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


def build_segmenter(
    model: str = DEFAULT_MODEL,
    settings: dict[str, Any] | None = None,
    *,
    linker: str = DEFAULT_LINKER,
    explain: bool = False,
) -> MotionSegmenter:
    """A segmenter with the model of that name, and settings for it and its fellows.

    Parameters
    ----------
    model : str
        ``auto``; ``flow_fused`` or ``naive_flow``; ``flow.NAME`` with a clusterer of flow; or a background model, which
        with ``+guard`` is :class:`~motionseg.background.Guarded`, and with ``+camera``
        :class:`~motionseg.pipeline.Compensated`. Any of these with ``+refine`` is
        :class:`~motionseg.pipeline.Refined`. ``motionseg models`` lists the names.
    settings : dict, optional
        Parameters of the model; of other parts as ``guard.ghosts``, ``camera.model``, ``flow.preset``,
        ``fuser.smoothness``, ``appearance.memory``, ``refine.weights``, ``cleaner.gap``, ``linker.max_gap``; and
        ``min_area``.
    linker : str
        Of `motionseg.track`, by its file's name; or ``module:Class``, one of the user's own.
    explain : bool
        Keep the share of each cue.

    Raises
    ------
    ParameterError
        There is no such model, linker or parameter, or a value is out of range.
    """
    parts = _by_part(settings or {}, (*_PARTS, "cleaner", "linker"))
    min_area = parts[""].pop("min_area", None)
    link = build_linker(linker, parts.pop("linker"))
    cleaner = _build(MaskCleaner, parts.pop("cleaner"), "cleaner")
    background = _background(model, parts)
    estimator = OpenCVDIS() if linker in _FLOW_LINKERS else None
    return MotionSegmenter(
        background=background, cleaner=cleaner, linker=link, min_area=min_area, estimator=estimator, explain=explain
    )


def build_linker(name: str, settings: dict[str, Any] | None = None) -> RegionLinker:
    """The linker of that name, or ``module:Class``; keys of settings may begin with ``linker.``.

    Raises
    ------
    ParameterError
        There is no such linker or parameter, or a value is out of range.
    """
    own = {key.removeprefix("linker."): value for key, value in (settings or {}).items()}
    cls = _class("track", name)
    if not issubclass(cls, RegionLinker):
        raise ParameterError(f"{name} is no linker")
    return _build(cls, own, f"linker {name}")


def build_dataset(key: str, root: str | None) -> Dataset:
    """The dataset of that key, in the folder `root`.

    Raises
    ------
    ParameterError
        There is no such dataset, or it needs a root and has none.
    SourceError
        There is no such folder.
    """
    cls: type[Dataset] = catalog.find("datasets", _DATASETS.get(key, key))
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
        As in :func:`build_segmenter`; ``auto`` is the whole pipeline as ``motionseg segment`` runs it; or
        ``module:Class``, a model of the user's own, looked for beside the installed packages in the present folder.
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
        return _background(name, _by_part(settings, tuple(_PARTS)))
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
    """The model `name` with the settings of its `parts`; settings of parts that it has not are an error."""
    if name.endswith(_REFINE):
        own = dict(parts)
        refiner = _build(Refiner, own.pop("refine", {}), "refine")
        return Refined(_background(name.removesuffix(_REFINE), own), refiner=refiner)
    left = {part: settings for part, settings in parts.items() if settings}

    def part(key: str) -> Any:
        return _build(_PARTS[key], left.pop(key, {}), key)

    if name == "auto":
        fixed = Compensated(_guarded(Adaptive, left), camera=part("camera"))
        moving = FlowFused(estimator=part("flow"), fuser=part("fuser"), appearance=part("appearance"))
        model: Any = Auto(fixed=fixed, moving=moving, camera=fixed.camera)
    elif name == "flow_fused":
        model = FlowFused(estimator=part("flow"), fuser=part("fuser"), appearance=part("appearance"))
    elif name == "naive_flow":
        model = NaiveFlow(estimator=part("flow"))
    elif name.startswith("flow."):
        clusterer = name.removeprefix("flow.")
        built = _build(catalog.find("cluster", clusterer), left.pop("", {}), clusterer)
        model = Clustered(built, estimator=part("flow"))
    else:
        plain, wrappers = name, set()
        for ending, wrapper in reversed(_WRAPPERS.items()):
            if plain.endswith(ending):
                plain = plain.removesuffix(ending)
                wrappers.add(wrapper)
            elif wrapper in left:
                raise ParameterError(f"{name} has no {wrapper} to set: name it {plain}{ending}")
        if "+" in plain:
            raise ParameterError(
                f"only +guard, +camera, +refine, in this order, can follow the name of a model, not {name!r}"
            )
        cls = _class("background", plain)
        model = _guarded(cls, left, plain) if "guard" in wrappers else _build(cls, left.pop("", {}), plain)
        if "camera" in wrappers and isinstance(model, BackgroundModel):
            model = Compensated(model, camera=part("camera"))
    for key, settings in left.items():
        what = f"{key}.{next(iter(settings))}" if key else next(iter(settings))
        raise ParameterError(f"{name} has no parameter {what!r}")
    return model


def _guarded(cls: type[Any], parts: dict[str, dict[str, Any]], what: str = "adaptive") -> Guarded:
    model = _build(cls, parts.pop("", {}), what)
    known = {key: value for key, value in signature_defaults(Guarded).items() if key != "model"}
    return Guarded(model, **_checked(parts.pop("guard", {}), known, "guard"))


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
    if not (isinstance(cls, type) and issubclass(cls, (BackgroundModel, FlowEstimator, RegionLinker))):
        raise ParameterError(f"{name} is no background model, flow estimator or linker")
    return cls


def method_parameters(method: Method, *, offline: bool = False) -> dict[str, Any]:
    """Every parameter of a method under the key that sets it, and whether it learned the whole clip first."""
    whole = {"offline": True} if offline else {}
    if isinstance(method, MotionSegmenter):
        return segmenter_parameters(method) | whole
    return _parameters(method) | whole


def model_name(model: BackgroundModel) -> str:
    """What :func:`build_segmenter` calls a model; its class's name where it is none of the package's."""
    if isinstance(model, Refined):
        return f"{model_name(model.model)}{_REFINE}"
    if isinstance(model, Guarded):
        return f"{model_name(model.model)}+guard"
    if isinstance(model, Compensated):
        return f"{model_name(model.model)}+camera"
    package, _, module = type(model).__module__.rpartition(".")
    if isinstance(model, Clustered):
        return f"flow.{type(model.clusterer).__module__.rpartition('.')[2]}"
    is_known = package == "motionseg.pipeline" or module in catalog.names("background")
    return module if is_known else type(model).__name__


def linker_name(linker: RegionLinker | None) -> str | None:
    """What :func:`build_segmenter` calls a linker; its class's name where it is none of the package's."""
    if linker is None:
        return None
    module = type(linker).__module__.rpartition(".")[2]
    return module if module in catalog.names("track") else type(linker).__name__


def _parameters(method: BackgroundModel | RegionLinker | FlowEstimator) -> dict[str, Any]:
    """The parameters of a method and of its parts, as ``part.name``."""
    if isinstance(method, Refined):
        return {**_parameters(method.model), **_prefixed("refine", method.refiner.params())}
    if isinstance(method, Auto):
        return {**_parameters(method.moving), **_parameters(method.fixed)}
    if isinstance(method, Compensated):
        return {**_parameters(method.model), **_prefixed("camera", method.camera.params())}
    if isinstance(method, Guarded):
        own = {name: value for name, value in method.params().items() if name != "model"}
        return {**_parameters(method.model), **_prefixed("guard", own)}
    if isinstance(method, FramePairs):
        own = method.clusterer.params() if isinstance(method, Clustered) else {}
        own |= _prefixed("flow", method.estimator.params())
        if isinstance(method, FlowFused):
            own |= _prefixed("fuser", method.fuser.params()) | _prefixed("appearance", method.appearance.params())
        return own
    return method.params()


def _prefixed(part: str, params: dict[str, Any]) -> dict[str, Any]:
    return {f"{part}.{name}": value for name, value in params.items()}


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
