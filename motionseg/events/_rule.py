"""What rules have in common: names, ranges, and how tracks are judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_choice, check_number
from motionseg.core.errors import ParameterError
from motionseg.events._view import Values, View

__all__ = ["LastingRule", "Rule", "TrackRule", "VerdictRule"]

Rows = npt.NDArray[np.bool_]

# The range of each number that rules have; (low, high, whether low itself is out).
_RANGES = {
    "cool_down": (0, 1e9, False),
    "min_area": (0, 1e9, False),
    "min_duration": (0, 1e9, False),
    "end_delay": (0, 1e9, False),
    "hysteresis": (0, 1, False),
    "min_share": (0, 1, True),
    "seconds": (0, 1e9, False),
    "above": (0, 1e9, True),
    "min_speed": (0, 1e9, True),
    "direction": (-360, 360, False),
    "tolerance": (0, 180, True),
    "share": (0, 1, True),
    "margin": (0, 1e6, False),
    "settle": (0, 1e9, False),
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What all rules have.

    Parameters
    ----------
    name : str
        What events call it; by default the kind of rule in small letters (``"left_object"``). Two rules of one detector
        have two names.
    cool_down : float
        Seconds after the end of an event in which no other begins, of this rule in the same zone.

    Raises
    ------
    ParameterError
        A parameter is out of range; the message names the rule.
    """

    kind: ClassVar[str] = "rule"
    """The rule in small letters, as in configuration files."""
    once: ClassVar[bool] = False
    """Whether what is told once and goes on is not told again after a gap."""
    _texts: ClassVar[tuple[str, ...]] = ()  # names of parameters that are no numbers, though those of other rules are

    name: str = ""
    cool_down: float = 0.0

    def __post_init__(self) -> None:
        name = self.name or self.kind
        if not isinstance(name, str):
            raise ParameterError(f"rule {self.kind}: the name is a text, not {name!r}")
        object.__setattr__(self, "name", name)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _RANGES and field.name not in self._texts:
                low, high, above = _RANGES[field.name]
                checked = check_number(f"rule {name!r}: {field.name}", value, low, high, above=above)
                object.__setattr__(self, field.name, checked)
            elif field.name in ("zones", "lines"):
                object.__setattr__(self, field.name, _names(f"rule {name!r}: {field.name}", value))

    def params(self) -> dict[str, Any]:
        """Its parameters by name, ready for JSON, and its ``kind``."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"kind": self.kind, **{k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}}


def _names(what: str, value: Any) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, (tuple, list)) or not all(isinstance(name, str) and name for name in names):
        raise ParameterError(f"{what} are names, not {value!r}")
    if len(set(names)) != len(names):
        raise ParameterError(f"{what} has a name twice: {value!r}")
    return tuple(names)


@dataclass(frozen=True, kw_only=True)
class LastingRule(Rule, ABC):
    """A rule for what holds for a while in zones.

    Parameters
    ----------
    zones : sequence of str
        Names of zones; each is looked at by itself. None: the whole picture, without what is excluded.
    min_area : float
        Pixels; below 1: share of the zone. Smaller tracks do not count.
    min_duration : float
        Seconds for which it has to hold before an event begins.
    hysteresis : float in [0, 1]
        An event goes on until its measure (and area) is this part below what it began with.
    end_delay : float
        Seconds for which it has to be over before the event ends, at the time when it held last.
    """

    measure: ClassVar[str] = "presence"
    """What `values` are."""

    zones: tuple[str, ...] = ()
    min_area: float = 0.0
    min_duration: float = 0.0
    hysteresis: float = 0.2
    end_delay: float = 0.5

    @property
    def duration(self) -> float:
        """Seconds for which it has to hold."""
        return self.min_duration

    @property
    @abstractmethod
    def threshold(self) -> float:
        """What the measure has to reach."""

    def least_area(self, view: View, zone: str) -> float:
        """`min_area` in pixels."""
        return self.min_area if self.min_area >= 1 else self.min_area * view.places.areas[zone]


@dataclass(frozen=True, kw_only=True)
class TrackRule(LastingRule):
    """A rule for single tracks.

    Parameters
    ----------
    position : {"feet", "share"}
        Where a track is: at the middle of the lower edge of its box, or wherever `min_share` of its pixels are.
    min_share : float in (0, 1]
        For ``"share"``.
    """

    position: str = "feet"
    min_share: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(f"rule {self.name!r}: position", self.position, ("feet", "share"))

    @property
    def threshold(self) -> float:
        return self._inside

    @property
    def _inside(self) -> float:
        return self.min_share if self.position == "share" else 0.5

    def areas(self, view: View, zone: str) -> Values:
        """Pixels of the tracks that count: with ``"share"`` those in the zone."""
        return view.areas(zone) if self.position == "share" else view.tracks.areas.astype(np.float64)

    def values(self, view: View, zone: str) -> Values:
        """The measure of every track in a zone."""
        return view.presence(zone, self.position)

    def holds(self, view: View, zone: str) -> tuple[Values, Rows, Rows]:
        """The measure of every track, where it holds, and where it would go on to hold."""
        values, areas = self.values(view, zone), self.areas(view, zone)
        least, low = self.least_area(view, zone), 1 - self.hysteresis
        on = (values >= self.threshold) & (areas >= least) & (areas > 0)
        return values, on, on | ((values >= self.threshold * low) & (values > 0) & (areas >= least * low))

    def _where_inside(self, view: View, zone: str, values: npt.NDArray[Any]) -> Values:
        return np.where(view.presence(zone, self.position) >= self._inside, values, 0).astype(np.float64)


@dataclass(frozen=True, kw_only=True)
class VerdictRule(Rule):
    """A rule for what is said of the whole picture. No motion is told during the events of one that `suppresses`.

    Parameters
    ----------
    min_duration : float
        Seconds for which the verdict has to hold before it is an event; suppressing begins with its first frame.
    settle : float
        Seconds after its last frame until the event ends, and with it what it suppresses.
    """

    words: ClassVar[tuple[str, ...]] = ()
    suppresses: ClassVar[bool] = True
    """Whether motion is not told. What a rule that does not suppress sees beside one that does is a part of that."""

    min_duration: float = 0.0
    settle: float = 2.0
