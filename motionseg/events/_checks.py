"""Checks of what a detector is given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from motionseg.core.checks import check_integer, check_number
from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.types import Tracks
from motionseg.events._rule import LastingRule, Rule
from motionseg.events.rules import Cross
from motionseg.events.zones import Line, Zone

__all__ = ["check_evidence", "check_kinds", "check_names", "check_places", "check_shape", "check_tracks"]


def check_kinds(things: Any, kinds: tuple[type, ...], what: str) -> list[Any]:
    found = [things] if isinstance(things, kinds) or not isinstance(things, Iterable) else list(things)
    for thing in found:
        if not isinstance(thing, kinds):
            raise ParameterError(f"{what}, not {thing!r}")
    return found


def check_names(names: list[str], what: str) -> None:
    for number, name in enumerate(names):
        if name in names[:number]:
            raise ParameterError(f"two {what} are called {name!r}")


def check_places(rule: Rule, places: tuple[Zone | Line, ...]) -> None:
    """Raises ParameterError where a rule speaks of zones, lines or directions that are not there."""
    if isinstance(rule, Cross):
        lines = {place.name: place for place in places if isinstance(place, Line)}
        used = rule.lines or tuple(lines)
        for name in used:
            if name not in lines:
                raise ParameterError(
                    f"rule {rule.name!r}: there is no line {name!r}, but {', '.join(sorted(lines)) or 'none'}"
                )
        known = sorted({direction for name in used for direction in lines[name].directions})
        if not used:
            raise ParameterError(f"rule {rule.name!r}: there is no line to cross")
        if rule.direction != "both" and rule.direction not in known:
            raise ParameterError(f"rule {rule.name!r}: direction is one of {['both', *known]}, not {rule.direction!r}")
    elif isinstance(rule, LastingRule):
        zones = {place.name for place in places if isinstance(place, Zone) and place.kind == "include"}
        for name in rule.zones:
            if name not in zones:
                names = ", ".join(sorted(zones)) or "none"
                raise ParameterError(f"rule {rule.name!r}: there is no zone {name!r} that includes, but {names}")


def check_shape(shape: Any) -> tuple[int, int]:
    try:
        height, width = shape
    except (TypeError, ValueError) as error:
        raise ParameterError(f"shape is (height, width), not {shape!r}") from error
    return check_integer("shape: height", height, 1), check_integer("shape: width", width, 1)


def check_tracks(tracks: Any) -> None:
    if not isinstance(tracks, Tracks):
        raise ParameterError(f"tracks are a Tracks object, not {type(tracks).__name__}")
    if len(np.unique(tracks.ids)) != len(tracks):
        raise ParameterError(f"each track has an id of its own, not {tracks.ids.tolist()}")
    for name in ("boxes", "velocities", "scores"):
        finite = np.isfinite(getattr(tracks, name))
        wrong = ~(finite if finite.ndim == 1 else finite.all(axis=1))
        if wrong.any():
            raise ParameterError(f"track {tracks.ids[wrong][0]}: its {name} are not finite")


def check_evidence(evidence: Any, shape: tuple[int, int]) -> dict[str, Any]:
    cues = {} if evidence is None else dict(evidence)
    for name, cue in cues.items():
        if not isinstance(cue, np.ndarray):
            check_number(f"evidence {name!r}", cue)
        elif cue.shape != shape:
            raise FrameError(f"evidence {name!r} has shape {cue.shape}, the picture {shape}")
    return cues
