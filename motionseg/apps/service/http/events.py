"""Routes of events: what happened, with its pictures and its clip."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from motionseg.apps.service.http.answers import FilePart, Json, Refusal, open_inside
from motionseg.apps.service.http.facts import event_facts
from motionseg.apps.service.store import StoreError

__all__ = ["MAX_NUMBER", "event_routes"]

MAX_NUMBER = 2**63 - 1  # of a store's integers
EventId = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,200}$", description="Id of an event.")]
Word = Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00-\x1f]*$")]
Seconds = Annotated[float | None, Query(ge=0, le=1e11, allow_inf_nan=False, description="Seconds since 1970, UTC.")]
Number = Annotated[int | None, Query(ge=1, le=MAX_NUMBER, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=500)]


@contextmanager
def _reading() -> Iterator[None]:
    """A store that is away is no fault of who asks: 503, without the name of its file or host."""
    try:
        yield
    except StoreError as error:
        raise Refusal(503, "the event store cannot be read at present", headers={"Retry-After": "5"}) from error


def event_routes(service: Any) -> APIRouter:
    """The routes below /api/events."""
    routes = APIRouter(prefix="/api/events", tags=["events"])

    def found(name: str) -> dict[str, Any]:
        with _reading():
            event: dict[str, Any] | None = service.ledger.store.event(name)
        if event is None:
            raise Refusal(404, f"there is no event {name!r}")
        return event

    def file(request: Request, name: str, kind: str) -> Response:
        stored = found(name).get(kind)
        if not stored:
            raise Refusal(404, f"event {name!r} has no {kind}, or no longer")
        return FilePart(open_inside(service.recordings_folder, stored), request)

    @routes.get("", summary="Events, newest first, a page at a time")
    def events(
        camera: Word = None,
        rule: Word = None,
        zone: Word = None,
        since: Seconds = None,
        until: Seconds = None,
        open_only: bool = False,
        before: Number = None,
        limit: Limit = 100,
    ) -> Response:
        with _reading():
            page = service.ledger.store.events(
                camera=camera, rule=rule, zone=zone, since=since, until=until, open_only=open_only, before=before,
                limit=limit,
            )  # fmt: skip
        after = page[-1].get("number") if len(page) == limit else None
        return Json({"events": [event_facts(event) for event in page], "next": after})

    @routes.get("/{id}", summary="One event and why it was told")
    def event(id: EventId) -> Response:
        return Json(event_facts(found(id)))

    @routes.get("/{id}/snapshot.jpg", summary="The frame in which it began", response_class=Response)
    def snapshot(request: Request, id: EventId) -> Response:
        return file(request, id, "snapshot")

    @routes.get("/{id}/evidence.jpg", summary="What each cue said of it", response_class=Response)
    def evidence(request: Request, id: EventId) -> Response:
        return file(request, id, "evidence")

    @routes.head("/{id}/clip", include_in_schema=False)
    @routes.get("/{id}/clip", summary="Its film, also in parts", response_class=Response)
    def clip(request: Request, id: EventId) -> Response:
        return file(request, id, "clip")

    return routes
