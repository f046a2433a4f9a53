"""Why a rule speaks."""

from __future__ import annotations

from typing import Any

import numpy as np

from motionseg.core.types import TrackState
from motionseg.events._rule import LastingRule, Rule
from motionseg.events._spell import MOST_TRACKS
from motionseg.events._view import View

__all__ = ["reason_of"]


def reason_of(rule: Rule, zone: str, ids: list[int], value: float, view: View) -> dict[str, Any]:
    """The measure and what it had to reach, the tracks, the verdict and the cues: ready for JSON."""
    ids = ids[:MOST_TRACKS]
    tracks, shares = view.tracks, view.shares(zone)
    told = [
        {
            "id": int(tracks.ids[row]),
            "area": int(tracks.areas[row]),
            "share": float(shares[row]),
            "speed": float(view.speeds[row]),
            "state": TrackState(tracks.states[row]).name.lower(),
        }
        for row in np.flatnonzero(np.isin(tracks.ids, ids)).tolist()
    ]
    facts: dict[str, Any] = {"kind": rule.kind, "measure": "crossings", "value": value}
    if isinstance(rule, LastingRule):
        facts |= {"measure": rule.measure, "threshold": rule.threshold, "duration": rule.duration}
    return {**facts, "tracks": told, "verdict": view.verdict, "evidence": view.evidence(ids)}
