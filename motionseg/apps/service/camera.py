"""A camera of the service: a lookout that knows what the configuration and the page say of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from motionseg.apps.service._complaints import Complaint, complaints_of
from motionseg.apps.service.building import (
    build_camera_segmenter,
    build_detector,
    build_rules,
    places_from_dicts,
    rules_from_dicts,
    segmenter_complaints,
)
from motionseg.apps.service.config import CameraSection
from motionseg.apps.service.edits import Edits
from motionseg.apps.service.lookout import Lookout
from motionseg.apps.service.shared_refiner import SharedRuns, share_refiner
from motionseg.apps.service.sight import Sight
from motionseg.apps.service.tuning import describe_place, describe_rule, describe_tuning
from motionseg.core.errors import ParameterError
from motionseg.pipeline.segmenter import MotionSegmenter

__all__ = ["LIVE", "CameraLookout", "edited"]

_log = logging.getLogger("motionseg.service")
_RULES = frozenset({"zone", "line", "rule", "max_gap"})  # of a camera's section: what a detector is made of
_SEGMENTER = frozenset({"model", "linker", "settings", "refine"})
LIVE = _RULES | _SEGMENTER
"""Keys of a camera's section that it can take up while it runs."""


class CameraLookout(Lookout):
    """A lookout that knows its section of the configuration, and what was edited of it."""

    def __init__(self, section: CameraSection, edits: Edits, runs: SharedRuns, **parts: Any) -> None:
        self.configured, self.edits, self._runs = section, edits, runs
        self.section = self._edited(section)
        sight = Sight(self._segmenter(self.section), build_detector(self.section))
        super().__init__(section.name, sight, cpu=section.cpu, **parts)

    def _segmenter(self, section: CameraSection) -> MotionSegmenter:
        return share_refiner(build_camera_segmenter(section), self._runs)

    def setup(self) -> dict[str, Any]:
        """Zones, lines, rules and tuning as they are, ready for JSON."""
        latest = self.latest()
        size = {} if latest is None else {"n_pixels": latest.segmentation.mask.size}
        places = [describe_place(place) for place in self.places()]
        return {
            "zones": [place for place in places if "sides" not in place],
            "lines": [place for place in places if "sides" in place],
            "rules": [describe_rule(rule) for rule in build_rules(self.section)],
            "tuning": describe_tuning(self.sight.segmenter, build_camera_segmenter(self.configured), **size),
            "edited": bool(self.edits),
        }

    def status(self) -> dict[str, Any]:
        return {**super().status(), "edited": bool(self.edits)}

    def change_to(self, section: CameraSection) -> Callable[[], None]:
        """What makes it go on as `section` says, between two frames. Raises ParameterError.

        Calling that raises TimeoutError where a frame takes too long; nothing has changed then.
        """
        now = self.section.model_dump()
        differing = {key for key, value in section.model_dump().items() if now[key] != value}
        segmenter = self._segmenter(section) if differing & _SEGMENTER else None
        build_detector(section)  # says what is wrong
        return lambda: self.call(lambda: self._change(section, segmenter, bool(differing & _RULES)))

    def reconfigure(self, section: CameraSection) -> Callable[[], None]:
        """The same for another `section` of the configuration, over which lies what was edited."""
        change = self.change_to(self._edited(section))

        def reconfigure() -> None:
            change()
            self.configured = section

        return reconfigure

    def _edited(self, section: CameraSection) -> CameraSection:
        try:
            return edited(section, self.edits.facts)
        except ParameterError as error:
            _log.warning("camera %s: what was edited does not fit any more and is left out: %s", section.name, error)
            return section

    def _change(self, section: CameraSection, segmenter: Any, other_rules: bool) -> None:
        if segmenter is not None and not self.sight.change_segmenter(segmenter):
            _log.info("camera %s: another model learns the scene anew", self.name)
        if other_rules:
            number = self.sight.detector.next_number
            self._tell(self.sight.change_detector(build_detector(section, first_number=number)))
        self.section = section


def edited(section: CameraSection, edits: dict[str, Any]) -> CameraSection:
    """`section` with `edits` laid over it. Raises ParameterError, which names what is wrong by its place."""
    if not edits:
        return section
    facts = section.model_dump()
    for key, field in (("zones", "zone"), ("lines", "line"), ("rules", "rule")):
        facts[field] = edits.get(key, facts[field])
    facts["settings"] = {**facts["settings"], **edits.get("tuning", {})}
    rules_from_dicts(facts["rule"], places_from_dicts(facts["zone"], facts["line"]))
    try:
        changed = CameraSection.model_validate(facts)
        complaints = segmenter_complaints(changed)
    except ValidationError as error:
        complaints = complaints_of(error, facts, CameraSection)
    if complaints:
        raise ParameterError("\n".join(_told(complaint) for complaint in complaints))
    return changed


def _told(complaint: Complaint) -> str:
    """What is wrong, behind the key as it is edited."""
    table, *key = (str(part) for part in complaint.path)
    return f"tuning.{'.'.join(key)}: {complaint.text}" if table == "settings" else complaint.text
