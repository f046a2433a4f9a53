"""What is worth an event: a small frozen dataclass for each rule, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from motionseg.core.checks import check_choice, check_integer
from motionseg.core.errors import ParameterError
from motionseg.core.types import TrackState
from motionseg.events._rule import LastingRule, Rows, Rule, TrackRule, VerdictRule
from motionseg.events._view import Values, View

__all__ = [
    "KINDS",
    "AnyMotion",
    "CameraBlurred",
    "CameraCovered",
    "CameraMoved",
    "Cross",
    "CrowdCount",
    "Enter",
    "Leave",
    "LeftObject",
    "LightChange",
    "LightDrift",
    "Linger",
    "RemovedObject",
    "Rule",
    "Speed",
    "Stopped",
    "WrongWay",
]


@dataclass(frozen=True, kw_only=True)
class Enter(TrackRule):
    """A track comes into a zone; the event lasts until it is out again, or gone.

    Parameters
    ----------
    appearing : bool
        Also one that was in the zone when it was first seen.
    """

    kind: ClassVar[str] = "enter"
    once: ClassVar[bool] = True

    appearing: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(f"rule {self.name!r}: appearing", self.appearing, (True, False))


@dataclass(frozen=True, kw_only=True)
class Leave(TrackRule):
    """A track that was in a zone, for `min_duration` or longer, is out of it: a moment, that when it was last inside.

    Parameters
    ----------
    vanishing : bool
        Also one that is gone while it is inside.
    """

    kind: ClassVar[str] = "leave"

    vanishing: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(f"rule {self.name!r}: vanishing", self.vanishing, (True, False))


@dataclass(frozen=True, kw_only=True)
class Linger(TrackRule):
    """A track is in a zone for `seconds` or longer. While it is hidden it is thought to be where it was."""

    kind: ClassVar[str] = "linger"

    seconds: float = 30.0

    @property
    def duration(self) -> float:
        return max(self.seconds, self.min_duration)


@dataclass(frozen=True, kw_only=True)
class _StateRule(TrackRule):
    measure: ClassVar[str] = "state"
    state: ClassVar[TrackState]

    @property
    def threshold(self) -> float:
        return 1.0

    def values(self, view: View, zone: str) -> Values:
        return self._where_inside(view, zone, view.tracks.states == self.state)


@dataclass(frozen=True, kw_only=True)
class Stopped(_StateRule):
    """A track has moved, and stands in a zone (``TrackState.STOPPED``)."""

    kind: ClassVar[str] = "stopped"
    state: ClassVar[TrackState] = TrackState.STOPPED


@dataclass(frozen=True, kw_only=True)
class LeftObject(_StateRule):
    """Something was put down in a zone (``TrackState.LEFT``)."""

    kind: ClassVar[str] = "left_object"
    state: ClassVar[TrackState] = TrackState.LEFT


@dataclass(frozen=True, kw_only=True)
class RemovedObject(_StateRule):
    """Something was taken away from a zone (``TrackState.REMOVED``)."""

    kind: ClassVar[str] = "removed_object"
    state: ClassVar[TrackState] = TrackState.REMOVED


@dataclass(frozen=True, kw_only=True)
class Speed(TrackRule):
    """A track in a zone is faster than `above`, in pixels per second."""

    kind: ClassVar[str] = "speed"
    measure: ClassVar[str] = "speed"

    above: float
    min_duration: float = 0.2

    @property
    def threshold(self) -> float:
        return self.above

    def values(self, view: View, zone: str) -> Values:
        return self._where_inside(view, zone, view.speeds)


@dataclass(frozen=True, kw_only=True)
class WrongWay(TrackRule):
    """A track in a zone goes a way that it should not.

    Parameters
    ----------
    direction : float in [-360, 360]
        The wrong way, in degrees: 0 to the right, 90 down, 180 to the left, 270 (or -90) up.
    tolerance : float in (0, 180]
        Degrees to either side of it.
    min_speed : float
        Pixels per second; slower tracks go nowhere.
    """

    kind: ClassVar[str] = "wrong_way"
    measure: ClassVar[str] = "speed"

    direction: float
    tolerance: float = 45.0
    min_speed: float = 5.0
    min_duration: float = 0.5

    @property
    def threshold(self) -> float:
        return self.min_speed

    def values(self, view: View, zone: str) -> Values:
        u, v = view.tracks.velocities.astype(np.float64).T
        away = np.abs((np.degrees(np.arctan2(v, u)) - self.direction + 180) % 360 - 180)
        return self._where_inside(view, zone, np.where(away <= self.tolerance, view.speeds, 0))


@dataclass(frozen=True, kw_only=True)
class CrowdCount(LastingRule):
    """At least `at_least` tracks are in a zone at once.

    Parameters
    ----------
    position, min_share
        As of rules for single tracks.
    """

    kind: ClassVar[str] = "crowd_count"
    measure: ClassVar[str] = "count"

    at_least: int
    position: str = "feet"
    min_share: float = 0.5
    min_duration: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer(f"rule {self.name!r}: at_least", self.at_least, 1)
        check_choice(f"rule {self.name!r}: position", self.position, ("feet", "share"))

    @property
    def threshold(self) -> float:
        return float(self.at_least)

    def count(self, view: View, zone: str) -> tuple[float, float, Rows]:
        """The measure, the pixels, and the tracks that have part in it."""
        inside = self.min_share if self.position == "share" else 0.5
        areas = view.areas(zone) if self.position == "share" else view.tracks.areas.astype(np.float64)
        rows = (view.presence(zone, self.position) >= inside) & (areas >= self.least_area(view, zone))
        return float(np.count_nonzero(rows)), float(areas[rows].sum()), rows


@dataclass(frozen=True, kw_only=True)
class AnyMotion(LastingRule):
    """Tracks cover `share` of a zone or more, whoever they are."""

    kind: ClassVar[str] = "any_motion"
    measure: ClassVar[str] = "share"

    share: float = 0.01
    min_duration: float = 0.5

    @property
    def threshold(self) -> float:
        return self.share

    def count(self, view: View, zone: str) -> tuple[float, float, Rows]:
        """The measure, the pixels, and the tracks that have part in it."""
        areas = view.areas(zone)
        rows = (areas > 0) & (areas >= self.least_area(view, zone))
        covered = view.covered(zone, rows)
        return covered / view.places.areas[zone], covered, rows


@dataclass(frozen=True, kw_only=True)
class Cross(Rule):
    """A track goes over a line: a moment.

    It has been farther than `margin` from the line on one side, and is so on the other one. Steps on the line count
    for nothing; who was hidden on the way counts when found again.

    Parameters
    ----------
    lines : sequence of str
        Names of lines; none: all.
    direction : str
        ``"both"``, or one of ``line.directions``: ``"a->b"`` is from the left side to the right one.
    position : {"feet", "middle"}
        The point of the box that crosses: the middle of the lower edge, or of the box.
    margin : float
        Pixels.
    min_area : float
        Pixels of the track when it has crossed.
    """

    kind: ClassVar[str] = "cross"
    _texts: ClassVar[tuple[str, ...]] = ("direction",)

    lines: tuple[str, ...] = ()
    direction: str = "both"
    position: str = "feet"
    margin: float = 1.0
    min_area: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(f"rule {self.name!r}: position", self.position, ("feet", "middle"))
        if not isinstance(self.direction, str):
            raise ParameterError(f"rule {self.name!r}: direction is a text such as 'a->b', not {self.direction!r}")


@dataclass(frozen=True, kw_only=True)
class LightChange(VerdictRule):
    """The light has changed: the verdict says so, or there is foreground in a preclusive zone."""

    kind: ClassVar[str] = "light"
    words: ClassVar[tuple[str, ...]] = ("light", "illumination", "switch")


@dataclass(frozen=True, kw_only=True)
class CameraCovered(VerdictRule):
    """The camera sees nothing."""

    kind: ClassVar[str] = "camera_covered"
    words: ClassVar[tuple[str, ...]] = ("camera_covered", "covered")


@dataclass(frozen=True, kw_only=True)
class CameraMoved(VerdictRule):
    """The camera looks elsewhere."""

    kind: ClassVar[str] = "camera_moved"
    words: ClassVar[tuple[str, ...]] = ("camera_moved", "moved", "shot_change")


@dataclass(frozen=True, kw_only=True)
class CameraBlurred(VerdictRule):
    """The picture has lost its sharpness."""

    kind: ClassVar[str] = "camera_blurred"
    words: ClassVar[tuple[str, ...]] = ("camera_blurred", "blurred")


@dataclass(frozen=True, kw_only=True)
class LightDrift(VerdictRule):
    """The light changes slowly, as when a cloud passes; motion is told all the same."""

    kind: ClassVar[str] = "light_drift"
    words: ClassVar[tuple[str, ...]] = ("gradual",)
    suppresses: ClassVar[bool] = False

    min_duration: float = 3.0
    settle: float = 30.0


VERDICT_RULES = (LightChange, CameraCovered, CameraMoved, CameraBlurred, LightDrift)
"""One of each is always there."""

KINDS: dict[str, type[Rule]] = {
    cls.kind: cls
    for cls in (Enter, Leave, Cross, Linger, Stopped, LeftObject, RemovedObject, CrowdCount, Speed, WrongWay, AnyMotion)
} | {cls.kind: cls for cls in VERDICT_RULES}
"""Rules by their kind."""
