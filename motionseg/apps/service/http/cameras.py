"""Routes of cameras: their state, their pictures, and what may be changed while they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat
from starlette.responses import Response

from motionseg.apps.service.http.answers import Json, Refusal
from motionseg.apps.service.http.facts import camera_facts, camera_status, rule_kinds
from motionseg.apps.service.http.hub import Hub
from motionseg.apps.service.http.pictures import LAYERS, MAX_WIDTH, Pictures
from motionseg.apps.service.http.stream import live_stream
from motionseg.apps.service.tuning import check_tuning

__all__ = ["camera_routes"]

Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Name of a camera.")]
Layers = Annotated[
    str,
    Query(
        pattern=r"^[a-z,]{1,40}$",
        description=f"What to draw, with commas between: {', '.join(LAYERS)}. Without `frame` the mask on black.",
    ),
]
Width = Annotated[int | None, Query(ge=32, le=MAX_WIDTH, description="Pixels, at most; never enlarged.")]
Rate = Annotated[float, Query(gt=0, le=15, allow_inf_nan=False, description="Pictures in a second, at most.")]
Text = Annotated[str, Field(min_length=1, max_length=100)]
_MOST = 200  # zones, lines or rules, as in a configuration
Point = tuple[FiniteFloat, FiniteFloat]
RuleFacts = dict[str, bool | int | FiniteFloat | str | list[str] | None]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ZoneBody(_Body):
    """A polygon; see `motionseg.events.Zone`."""

    name: Text
    points: Annotated[list[Point], Field(min_length=3, max_length=100)]
    kind: str = "include"
    relative: bool = True
    limit: FiniteFloat = 0.2


class LineBody(_Body):
    """A line with two sides; see `motionseg.events.Line`."""

    name: Text
    points: Annotated[list[Point], Field(min_length=2, max_length=100)]
    sides: tuple[Text, Text] = ("a", "b")
    relative: bool = True


Zones = Annotated[list[ZoneBody], Body(max_length=_MOST)]
Lines = Annotated[list[LineBody], Body(max_length=_MOST)]
Rules = Annotated[list[RuleFacts], Body(max_length=_MOST, description="`kind`, and the parameters of that kind.")]
Tuning = Annotated[dict[str, bool | int | FiniteFloat], Body(max_length=64)]


class SetupBody(_Body):
    """All that may be changed at once: what is left out stays."""

    zones: Annotated[list[ZoneBody], Field(max_length=_MOST)] | None = None
    lines: Annotated[list[LineBody], Field(max_length=_MOST)] | None = None
    rules: Annotated[list[RuleFacts], Field(max_length=_MOST)] | None = None
    tuning: Annotated[dict[str, bool | int | FiniteFloat], Field(max_length=64)] | None = None


def camera_routes(service: Any, hub: Hub, allowed: Callable[[Request], Callable[[], bool]]) -> APIRouter:
    """The routes below /api/cameras, and /api/rule-kinds.

    Parameters
    ----------
    service : Service
    hub : Hub
    allowed : callable
        Of a request: says whether its sender may still be here.
    """
    routes, pictures = APIRouter(prefix="/api", tags=["cameras"]), Pictures()
    watchers: set[object] = set()

    def lookout(name: str) -> Any:
        try:
            return service.lookouts[name]
        except KeyError:
            raise Refusal(404, f"there is no camera {name!r}") from None

    def edit(name: str, edits: dict[str, Any]) -> Response:
        if edits.get("tuning"):
            check_tuning(edits["tuning"], lookout(name).setup()["tuning"])
        try:
            return Json(service.edit(name, edits))
        except KeyError:
            raise Refusal(404, f"there is no camera {name!r}") from None

    @routes.get("/cameras", summary="All cameras and their state")
    def cameras() -> Response:
        return Json({"cameras": [camera_status(service, name) for name in list(service.lookouts)]})

    @routes.get("/cameras/{name}", summary="One camera: its state and setup")
    def camera(name: Name) -> Response:
        lookout(name)
        return Json(camera_facts(service, name))

    @routes.get("/cameras/{name}/setup", summary="Zones, lines, rules and what can be tuned")
    def setup(name: Name) -> Response:
        return Json(lookout(name).setup())

    @routes.get("/cameras/{name}/picture.jpg", summary="The newest frame", response_class=Response)
    def picture(name: Name, layers: Layers = "frame", width: Width = None) -> Response:
        latest, data = pictures.of(lookout(name), _layers(layers), width)
        facts = {"X-Frame-Number": str(latest.number), "X-Frame-Time": f"{latest.wall:.3f}"}
        return Response(data, media_type="image/jpeg", headers=facts)

    @routes.get("/cameras/{name}/live.mjpg", summary="Frames as they come", response_class=Response)
    async def live(
        request: Request, name: Name, layers: Layers = "frame,mask,tracks,zones", width: Width = None, fps: Rate = 10.0
    ) -> Response:
        lookout(name)
        wanted = _layers(layers)
        return live_stream(lambda: lookout(name), hub, pictures, wanted, width, fps, watchers, allowed(request))

    @routes.get("/cameras/{name}/evidence.jpg", summary="Why pixels are foreground, now", response_class=Response)
    def evidence(name: Name) -> Response:
        return Response(pictures.evidence(lookout(name)), media_type="image/jpeg")

    @routes.put("/cameras/{name}/setup", summary="Change zones, lines, rules and tuning, all or nothing")
    def put_setup(name: Name, setup: SetupBody) -> Response:
        facts = setup.model_dump(exclude_unset=True)
        return edit(name, {key: value for key, value in facts.items() if value is not None})

    @routes.put("/cameras/{name}/zones", summary="Change the zones")
    def put_zones(name: Name, zones: Zones) -> Response:
        return edit(name, {"zones": [zone.model_dump(exclude_unset=True) for zone in zones]})

    @routes.put("/cameras/{name}/lines", summary="Change the lines")
    def put_lines(name: Name, lines: Lines) -> Response:
        return edit(name, {"lines": [line.model_dump(exclude_unset=True) for line in lines]})

    @routes.put("/cameras/{name}/rules", summary="Change the rules")
    def put_rules(name: Name, rules: Rules) -> Response:
        return edit(name, {"rules": rules})

    @routes.put("/cameras/{name}/tuning", summary="Change numbers of the segmenter; those left out stay")
    def put_tuning(name: Name, tuning: Tuning) -> Response:
        return edit(name, {"tuning": tuning})

    @routes.delete("/cameras/{name}/edits", summary="Back to the configuration file")
    def revert(name: Name) -> Response:
        lookout(name)
        service.revert(name)
        return Json(lookout(name).setup())

    @routes.get("/rule-kinds", summary="Kinds of rules and their parameters", tags=["service"])
    def kinds() -> Response:
        return Json(rule_kinds())

    return routes


def _layers(text: str) -> frozenset[str]:
    layers = frozenset(text.split(","))
    if not layers <= set(LAYERS):
        raise Refusal(422, f"layers: {text!r}; there are {', '.join(LAYERS)}")
    return layers
