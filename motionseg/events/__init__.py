"""Tracks and their time in, events out: zones, lines, rules, and the detector that applies them."""

import lazy_loader

_RULES = ["Enter", "Leave", "Cross", "Linger", "Stopped", "LeftObject", "RemovedObject", "CrowdCount", "Speed"]
_RULES += ["WrongWay", "AnyMotion", "LightChange", "CameraCovered", "CameraMoved", "CameraBlurred", "LightDrift"]
_RULES += ["Rule"]

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"zones": ["Line", "Zone"], "rules": _RULES, "detector": ["EventDetector"]}
)
