"""What a camera's section says becomes objects: zones and lines, rules, the detector and the segmenter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from motionseg.apps.config import build_linker, build_segmenter
from motionseg.apps.service._camera_sections import (
    CameraSection,
    LineSection,
    RuleSection,
    ZoneSection,
    place_complaints,
    rule_place_complaints,
)
from motionseg.apps.service._complaints import Complaint, complaints_of
from motionseg.apps.service._toml import KeyPath, spelled
from motionseg.core.errors import MotionSegError, ParameterError
from motionseg.events import Cross, Enter, EventDetector, Line, Rule, Zone
from motionseg.pipeline.segmenter import MotionSegmenter

__all__ = ["build_camera_segmenter", "build_detector", "build_places", "build_rules", "default_rules"]
__all__ += ["places_from_dicts", "rules_from_dicts", "segmenter_complaints", "warm_up"]

S = TypeVar("S", bound=BaseModel)

_WARM = 12  # frames
_MOST = 200  # zones, lines or rules of a camera


def build_places(camera: CameraSection) -> list[Zone | Line]:
    """Its zones, and then its lines.

    Examples
    --------
    >>> yard = {"name": "yard", "points": [(0, 0.5), (1, 0.5), (1, 1), (0, 1)]}
    >>> camera = CameraSection(name="door", source="door.mp4", zone=[yard])
    >>> [place.name for place in build_places(camera)], [(rule.name, rule.zones) for rule in build_rules(camera)]
    (['yard'], [('enter', ('yard',))])
    """
    return camera.places()


def build_rules(camera: CameraSection) -> list[Rule]:
    """Its rules; where it has none, that somebody enters a zone or crosses a line, or else enters the picture."""
    if camera.rule:
        return [section.rule() for section in camera.rule]
    return default_rules(build_places(camera))


def default_rules(places: Sequence[Zone | Line]) -> list[Rule]:
    """What is told where nobody says what to tell."""
    zones = [place.name for place in places if isinstance(place, Zone) and place.kind == "include"]
    crossing: list[Rule] = [Cross()] if any(isinstance(place, Line) for place in places) else []
    return [Enter(zones=tuple(zones)), *crossing] if zones or not crossing else crossing


def build_detector(camera: CameraSection, *, first_number: int = 1) -> EventDetector:
    """Its detector, whose first event has the number `first_number`."""
    places, rules = build_places(camera), build_rules(camera)
    return EventDetector(rules, places, camera=camera.name, max_gap=camera.max_gap, first_number=first_number)


def build_camera_segmenter(camera: CameraSection) -> MotionSegmenter:
    """Its segmenter, which keeps the share of each cue.

    Raises
    ------
    ParameterError
        There is no such model, linker or setting, or a value is out of range.
    """
    return _segmenter(camera, dict(camera.settings))


def _segmenter(camera: CameraSection, settings: Mapping[str, Any]) -> MotionSegmenter:
    model = f"{camera.model}+refine" if camera.refine and not camera.model.endswith("+refine") else camera.model
    own = {key: None if value == "none" else value for key, value in settings.items()}
    return build_segmenter(model, own, linker=camera.linker, explain=True)


def warm_up(cameras: Iterable[CameraSection]) -> None:
    """Let each kind of segmenter look at a few small frames, so that kernels are compiled before cameras send any."""
    ground = np.random.default_rng(0).integers(90, 110, (64, 96, 3)).astype(np.uint8)
    kinds = {(camera.model, camera.linker, camera.refine): camera for camera in cameras}
    for camera in kinds.values():
        segmenter = build_camera_segmenter(camera)
        for i in range(_WARM):
            frame = ground.copy()
            frame[16:48, 2 * i : 2 * i + 16] = (30, 60, 200)
            segmenter.step(frame, i / 10)


def segmenter_complaints(camera: CameraSection, at: KeyPath = ()) -> list[Complaint]:
    """What is wrong with its model, linker and settings: each is tried by itself."""
    wrong = _problem(lambda: build_camera_segmenter(camera))
    if wrong is None:
        return []
    if of_linker := _problem(lambda: build_linker(camera.linker)):
        return [Complaint((*at, "linker"), of_linker)]
    if of_model := _problem(lambda: _segmenter(camera, {})):
        return [Complaint((*at, "model"), of_model)]
    told = {key: _problem(partial(_segmenter, camera, {key: value})) for key, value in camera.settings.items()}
    found = [Complaint((*at, "settings", key), text) for key, text in told.items() if text]
    return found or [Complaint((*at, "settings"), wrong)]


def _problem(build: Callable[[], Any]) -> str | None:
    """What goes wrong; models of the user's own may raise anything."""
    try:
        build()
    except MotionSegError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def places_from_dicts(zones: Sequence[Any], lines: Sequence[Any] = ()) -> list[Zone | Line]:
    """Zones and lines from what a JSON text says of them, with the keys of a configuration.

    Raises
    ------
    ParameterError
        Something is wrong: a line ``zone[0].points: WHAT`` for each complaint.

    Examples
    --------
    >>> places_from_dicts([{"name": "yard", "points": [[0, 0], [1, 0]]}])
    Traceback (most recent call last):
    motionseg.core.errors.ParameterError: zone[0].points: zone 'yard' has 2 corners; a polygon has three or more
    """
    sections: dict[str, list[Any]] = {"zone": [], "line": []}
    complaints = [
        *_validated(ZoneSection, zones, "zone", sections["zone"]),
        *_validated(LineSection, lines, "line", sections["line"]),
    ]
    _raise(complaints or place_complaints(sections["zone"], sections["line"]))
    return [section.place() for section in (*sections["zone"], *sections["line"])]


def rules_from_dicts(rules: Sequence[Any], places: Sequence[Zone | Line] = ()) -> list[Rule]:
    """Rules from what a JSON text says of them, with the keys of a configuration; `places` are all that there are.

    Raises
    ------
    ParameterError
        Something is wrong: a line ``rule[0].zones: WHAT`` for each complaint.
    """
    sections: list[RuleSection] = []
    _raise(_validated(RuleSection, rules, "rule", sections) or rule_place_complaints(sections, places))
    return [section.rule() for section in sections]


def _validated(model: type[S], items: Any, what: str, sections: list[S]) -> list[Complaint]:
    """Put a section for each item into `sections`; what is wrong with them."""
    if not isinstance(items, (list, tuple)) or len(items) > _MOST:
        return [Complaint((what,), f"is a list of up to {_MOST}")]
    complaints = []
    for number, item in enumerate(items):
        try:
            sections.append(model.model_validate(item))
        except ValidationError as error:
            complaints += complaints_of(error, item, model, (what, number))
    return complaints


def _raise(complaints: Sequence[Complaint]) -> None:
    if complaints:
        raise ParameterError("\n".join(f"{spelled(path)}: {text}" for path, text, _ in complaints))
