"""The sections of one camera: its source, how it is looked at, and what is worth an event before it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from motionseg.apps.defaults import DEFAULT_LINKER, DEFAULT_MODEL
from motionseg.apps.service._complaints import Complaint, complain, nearest
from motionseg.apps.service._fields import (
    Flag,
    Integer,
    Label,
    Name,
    Number,
    Secret,
    Section,
    Text,
    check_address,
    has_scheme,
    placed,
    shown_address,
)
from motionseg.apps.service._rule_checks import rule_complaints, rule_schema
from motionseg.core.errors import ParameterError
from motionseg.events._checks import check_places
from motionseg.events.rules import KINDS, Cross, Rule
from motionseg.events.zones import Line, Zone

__all__ = ["CameraSection", "LineSection", "RuleSection", "ZoneSection", "place_complaints", "rule_place_complaints"]

_SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "rtp", "udp", "srt")

Points = Annotated[tuple[tuple[Number, Number], ...], Field(max_length=100)]


class ZoneSection(Section):
    """A polygon in the picture."""

    name: Label = Field(description="What rules and events call it.")
    kind: Literal["include", "exclude", "preclusive"] = Field(
        "include", description="Rules speak of zones that include; change in a preclusive one means light."
    )
    relative: Flag = Field(True, description="Points are parts of width and height; false: pixels at `width`.")
    limit: Number = Field(0.2, gt=0, le=1, description="Of a preclusive zone: the share that may be foreground.")
    points: Points = Field(description="Corners [x, y], three or more; in [0, 1], or in pixels.")

    @field_validator("points")
    @classmethod
    def _is_a_polygon(cls, points: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
        Zone(info.data.get("name", "zone"), points, relative=info.data.get("relative", True))
        return points

    def place(self) -> Zone:
        """The zone."""
        return Zone(self.name, self.points, self.kind, self.relative, self.limit)


class LineSection(Section):
    """A line in the picture that can be crossed."""

    name: Label = Field(description="What rules and events call it.")
    sides: tuple[Label, Label] = Field(("a", "b"), description="What is left and right of one who walks along it.")
    relative: Flag = Field(True, description="Points are parts of width and height; false: pixels at `width`.")
    points: Points = Field(description="Points [x, y], two or more; in [0, 1], or in pixels.")

    @field_validator("sides")
    @classmethod
    def _differ(cls, sides: tuple[str, str]) -> tuple[str, str]:
        if sides[0] == sides[1]:
            raise ValueError("are two different names")
        return sides

    @field_validator("points")
    @classmethod
    def _is_a_line(cls, points: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
        Line(info.data.get("name", "line"), points, relative=info.data.get("relative", True))
        return points

    def place(self) -> Line:
        """The line."""
        return Line(self.name, self.points, self.sides, self.relative)


class RuleSection(Section):
    """What is worth an event: `kind`, and the parameters of that rule."""

    model_config = ConfigDict(extra="allow")

    kind: Text = Field(description="One of the rules.")
    name: Label = Field("", validate_default=False, description="What events call it; none: its kind.")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        return {"name": data["kind"], **data} if isinstance(data, dict) and isinstance(data.get("kind"), str) else data

    @field_validator("kind")
    @classmethod
    def _is_known(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"there is no such rule; {nearest(kind, KINDS)}")
        return kind

    @model_validator(mode="after")
    def _is_a_rule(self) -> RuleSection:
        found = rule_complaints(self.kind, self.name, self.params)
        if found:
            complain(found)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, *_: Any) -> dict[str, Any]:
        return rule_schema()

    @property
    def params(self) -> dict[str, Any]:
        """All but kind and name."""
        return dict(self.model_extra or {})

    def rule(self) -> Rule:
        """The rule."""
        return KINDS[self.kind](name=self.name, **self.params)


def _flat(settings: Any) -> Any:
    """``{"guard": {"ghosts": true}}`` is ``{"guard.ghosts": true}``, as TOML has it for dotted keys."""
    if not isinstance(settings, dict):
        return settings
    flat: dict[str, Any] = {}
    found: list[Complaint] = []
    for path, value in _leaves(settings, ()):
        key = ".".join(path)
        if key in flat:
            found.append(Complaint((key,), "the setting is given twice"))
        if not isinstance(value, (bool, int, float, str)) or (isinstance(value, float) and not math.isfinite(value)):
            found.append(Complaint((key,), "is a finite number, true, false or a text"))
        flat[key] = value
    if found:
        complain(found)
    return flat


def _leaves(table: dict[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


Scalar = Annotated[Any, WithJsonSchema({"type": ["number", "boolean", "string", "object"]})]
Settings = Annotated[dict[str, Scalar], BeforeValidator(_flat), Field(max_length=200)]


class CameraSection(Section):
    """One camera."""

    name: Name = Field(description="What it is called: part of events' ids, topics, folders and addresses.")
    source: Secret = Field(
        description="A film, a folder or glob of pictures, an address, or a webcam's number.",
        json_schema_extra={"type": ["string", "integer"]},
    )
    loop: Flag = Field(False, description="Begin a film or folder again when it is over.")
    enabled: Flag = Field(True, description="false: it is left out.")
    width: Integer | None = Field(
        640, ge=0, le=7680, description="Pixels; frames are looked at so wide. 0: as they are."
    )
    max_fps: Number | None = Field(None, gt=0, le=240, description="Frames a second, at most; none: all.")
    cpu: Number | None = Field(None, ge=0.05, le=64, description="Cores that it may use; none: no limit.")
    model: Text = Field(DEFAULT_MODEL, description="A model, as in `motionseg segment --model`.")
    linker: Text = Field(DEFAULT_LINKER, description="A linker, as in `motionseg segment --linker`.")
    refine: Flag = Field(False, description="Sharpen masks by the network (needs torch).")
    settings: Settings = Field({}, description="Of the model and its parts, as in `motionseg segment --set`.")
    stall: Number = Field(10.0, ge=1, le=3600, description="Seconds without a picture until it is connected anew.")
    max_gap: Number = Field(5.0, gt=0, le=3600, description="Seconds without a picture until open events have ended.")
    zone: tuple[ZoneSection, ...] = Field((), max_length=200, description="Polygons in the picture.")
    line: tuple[LineSection, ...] = Field((), max_length=200, description="Lines in the picture.")
    rule: tuple[RuleSection, ...] = Field(
        (), max_length=200, description="What is worth an event; none: who enters a zone (or the picture), or crosses."
    )

    @field_validator("source", mode="before")
    @classmethod
    def _number_is_text(cls, source: Any) -> Any:
        return str(source) if type(source) is int and 0 <= source < 1000 else source

    @field_validator("source")
    @classmethod
    def _is_a_source(cls, source: SecretStr, info: ValidationInfo) -> SecretStr:
        text = source.get_secret_value()
        if has_scheme(text):
            check_address(text, _SCHEMES)
        return source if has_scheme(text) or text.isdecimal() else SecretStr(placed(text, info))

    @field_validator("width")
    @classmethod
    def _zero_is_none(cls, width: int | None) -> int | None:
        if width and width < 16:
            raise ValueError(f"is 16 pixels or more, or 0, not {width}")
        return width or None

    @model_validator(mode="after")
    def _fits_together(self) -> CameraSection:
        found = place_complaints(self.zone, self.line)
        found = found or rule_place_complaints(self.rule, self.places())
        if found:
            complain(found)
        return self

    def places(self) -> list[Zone | Line]:
        """Its zones, and then its lines."""
        return [*(zone.place() for zone in self.zone), *(line.place() for line in self.line)]

    @property
    def address(self) -> str | int:
        """The source as `open_video` takes it. It may hold a password: see `shown_source`."""
        text = self.source.get_secret_value()
        return int(text) if text.isdecimal() else text

    @property
    def shown_source(self) -> str:
        """The source as it may be shown: of an address scheme and host."""
        text = self.source.get_secret_value()
        return f"webcam {text}" if text.isdecimal() else shown_address(text)


def place_complaints(zones: Sequence[ZoneSection], lines: Sequence[LineSection]) -> list[Complaint]:
    """Zones and lines that are called alike."""
    called: list[tuple[str, int, str]] = [("zone", number, zone.name) for number, zone in enumerate(zones)]
    called += [("line", number, line.name) for number, line in enumerate(lines)]
    names: set[str] = set()
    found = []
    for kind, number, name in called:
        if name in names:
            found.append(Complaint((kind, number, "name"), f"two zones or lines are called {name!r}"))
        names.add(name)
    return found


def rule_place_complaints(sections: Sequence[RuleSection], places: Sequence[Zone | Line]) -> list[Complaint]:
    """Rules that are called alike, or speak of zones, lines and directions that are not there."""
    names: set[str] = set()
    found = []
    for number, section in enumerate(sections):
        if section.name in names:
            found.append(
                Complaint(("rule", number, "name"), f"two rules are called {section.name!r}: name one of them")
            )
        names.add(section.name)
        rule = section.rule()
        try:
            check_places(rule, tuple(places))
        except ParameterError as error:
            about = "zones" if not isinstance(rule, Cross) else "direction" if "direction is" in str(error) else "lines"
            found.append(Complaint(("rule", number, *([about] if about in section.params else ())), str(error)))
    return found
