"""What can be tuned while a camera runs, and what it is now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from motionseg.apps.config import segmenter_parameters
from motionseg.core.errors import ParameterError
from motionseg.core.params import signature_defaults
from motionseg.events._rule import Rule
from motionseg.events.zones import Line, Zone
from motionseg.pipeline.segmenter import MIN_SHARE, MotionSegmenter

__all__ = ["check_tuning", "describe_place", "describe_rule", "describe_tuning"]

_SCREEN = 640 * 360
_KNOWN = {
    "min_area": (1, 4000, "smaller regions (px2) are dropped"),
    "cleaner.speck": (1, 15, "width (px) of specks that are dropped"),
    "cleaner.gap": (1, 31, "width (px) of gaps that are closed"),
    "cleaner.max_hole": (0, 4000, "holes up to this area (px2) are filled"),
    "linker.min_hits": (1, 20, "sights after which a track is believed"),
    "linker.max_gap": (0.1, 10.0, "seconds for which a track may be out of sight"),
    "linker.stop_time": (0.5, 30.0, "seconds of rest after which a track has stopped"),
    "threshold": (None, None, "difference from the background that makes foreground: lower sees more"),
}
"""Range and meaning; None: from a quarter of the default to four times as much."""


def describe_tuning(
    segmenter: MotionSegmenter, configured: MotionSegmenter, n_pixels: int = _SCREEN
) -> dict[str, dict[str, Any]]:
    """The settings of `segmenter` that sliders are good for: value, default (as `configured`), min, max, step, what."""
    now, before = _settings(segmenter, n_pixels), _settings(configured, n_pixels)
    out = {}
    for key, (least, most, what) in _KNOWN.items():
        value = now.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        default = before.get(key, value)
        low, high = (default / 4, default * 4) if least is None else (least, most)
        whole = isinstance(value, int)
        step = 1 if whole else float(f"{(high - low) / 100:.1g}")
        span = {"min": min(low, value), "max": max(high, value), "step": step}
        out[key] = {"value": value, "default": default, **span, "what": what}
    return out


def check_tuning(numbers: Mapping[str, float], tuning: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises ParameterError unless `numbers` are within what `describe_tuning` says: others may take minutes a frame.

    Examples
    --------
    >>> check_tuning({"cleaner.gap": 10**5}, {"cleaner.gap": {"min": 1, "max": 31}})
    Traceback (most recent call last):
    motionseg.core.errors.ParameterError: tuning.cleaner.gap: is 1 to 31, not 100000
    """
    for key, value in numbers.items():
        if key not in tuning:
            raise ParameterError(f"tuning.{key}: there is no such number; there are {', '.join(tuning)}")
        low, high = tuning[key]["min"], tuning[key]["max"]
        if not low <= value <= high:
            raise ParameterError(f"tuning.{key}: is {low:g} to {high:g}, not {value:g}")


def _settings(segmenter: MotionSegmenter, n_pixels: int) -> dict[str, Any]:
    settings = segmenter_parameters(segmenter)
    if settings.get("min_area") is None:
        settings["min_area"] = max(1, round(MIN_SHARE * n_pixels))
    return settings


def describe_place(place: Zone | Line) -> dict[str, Any]:
    """As the configuration has it."""
    points = [list(point) for point in place.points]
    if isinstance(place, Line):
        return {"name": place.name, "points": points, "sides": list(place.sides), "relative": place.relative}
    facts = {"name": place.name, "points": points, "kind": place.kind, "relative": place.relative}
    return facts | ({"limit": place.limit} if place.kind == "preclusive" else {})


def describe_rule(rule: Rule) -> dict[str, Any]:
    """Kind, name, and the parameters that are not as they are by default."""
    usual = {key: list(v) if isinstance(v, tuple) else v for key, v in signature_defaults(type(rule)).items()}
    facts = {key: value for key, value in rule.params().items() if key in usual and value != usual[key]}
    return {"kind": rule.kind, "name": rule.name, **facts}
