"""The app: all routes together, and what its errors look like."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from concurrent import futures
from contextlib import asynccontextmanager
from hashlib import sha256
from importlib import resources
from typing import Annotated, Any

import anyio
from fastapi import FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

import motionseg
from motionseg.apps.service.http.answers import Json, Refusal
from motionseg.apps.service.http.auth import COOKIE, Doorkeeper
from motionseg.apps.service.http.cameras import camera_routes
from motionseg.apps.service.http.events import MAX_NUMBER, event_routes
from motionseg.apps.service.http.facts import service_facts
from motionseg.apps.service.http.guard import BODY_TIME, Guard
from motionseg.apps.service.http.hub import Hub
from motionseg.apps.service.http.metrics import CONTENT_TYPE, exposition, new_registry
from motionseg.apps.service.http.stream import event_stream
from motionseg.core.errors import MotionSegError, ParameterError

__all__ = ["create_app"]

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_KEY = re.compile(r"^((?:zone|line|rule|tuning)s?(?:\[\d+\]|\.[\w.]+)?[\w.\[\]]*): ")


class _LoginBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: Annotated[str, Field(min_length=1, max_length=1000)]


def create_app(service: Any, *, body_time: float = BODY_TIME) -> FastAPI:
    """The HTTP side of a service.

    Parameters
    ----------
    service : Service
        Need not have started: until it has, /health answers 503.
    body_time : float
        Seconds in which a request's body has to be there.

    Returns
    -------
    FastAPI
        An ASGI application; see docs/http.md.
    """
    hub = Hub(service)
    doorkeeper = Doorkeeper(lambda: _token(service))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        hub.start()
        yield
        await hub.join()

    app = FastAPI(
        title="motionseg",
        version=motionseg.__version__,
        description='Live cameras to events. Errors are `{"error": sentence}`.',
        openapi_url="/api/openapi.json",
        docs_url=None,  # their scripts come from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        responses={422: {"description": "A parameter cannot be so; `error` says which."}},
    )
    app.state.hub, app.state.doorkeeper = hub, doorkeeper
    app.add_middleware(Guard, doorkeeper=doorkeeper, body_time=body_time)

    def allowed(request: Request) -> Callable[[], bool]:
        return lambda: doorkeeper.still_knows(request.headers)

    _add_errors(app)
    _add_service(app, service, hub, allowed)
    _add_session(app, doorkeeper)
    app.include_router(camera_routes(service, hub, allowed))
    app.include_router(event_routes(service))
    _add_page(app)
    return app


def _token(service: Any) -> str | None:
    token = service.config.service.token
    return None if token is None else token.get_secret_value()


def _add_service(app: FastAPI, service: Any, hub: Hub, allowed: Callable[[Request], Callable[[], bool]]) -> None:
    registry, reserved = new_registry(service, hub), anyio.CapacityLimiter(4)

    @app.head("/health", include_in_schema=False)
    @app.get("/health", tags=["service"], summary="Whether it is ready; for everybody")
    async def health() -> Response:  # in threads of its own: the others may all wait for a store that is away
        status = (await anyio.to_thread.run_sync(service.health, limiter=reserved))["status"]
        return Json({"status": status}, 503 if status == "starting" else 200)

    @app.get("/metrics", tags=["service"], summary="For Prometheus", response_class=Response)
    def metrics() -> Response:
        return Response(exposition(registry), headers={"Content-Type": CONTENT_TYPE})

    @app.get("/api/service", tags=["service"], summary="The state of all")
    def state() -> Response:
        return Json(service_facts(service))

    @app.post("/api/reload", tags=["service"], summary="Read the configuration file again")
    def reload() -> Response:
        return Json({"changed": service.reload()})

    @app.get("/api/stream", tags=["service"], summary="Server-sent events", response_class=Response)
    async def stream(
        request: Request,
        after: Annotated[int | None, Query(ge=0, le=MAX_NUMBER, description="Tellings after this number.")] = None,
        last_event_id: Annotated[str | None, Header(max_length=20, description="As `after`.")] = None,
    ) -> Response:
        if last_event_id and last_event_id.isascii() and last_event_id.isdigit():
            after = min(int(last_event_id), MAX_NUMBER)
        return event_stream(request, service, hub, after, allowed(request))  # type: ignore[no-any-return]


def _add_session(app: FastAPI, doorkeeper: Doorkeeper) -> None:
    @app.get("/api/session", tags=["service"], summary="Whether signing in is needed; for everybody")
    async def session(request: Request) -> Response:
        needed = doorkeeper.has_token
        return Json({"needed": needed, "signed_in": not needed or doorkeeper.knows(request.headers)})

    @app.post("/api/login", tags=["service"], summary="Open a session, kept in a cookie", status_code=204)
    async def login(request: Request, body: _LoginBody) -> Response:
        answer = Response(status_code=204)
        if doorkeeper.has_token:
            secret = await doorkeeper.sign_in(request.scope, body.token)
            secure = request.url.scheme == "https"
            answer.set_cookie(COOKIE, secret, httponly=True, samesite="strict", secure=secure)
        return answer

    @app.post("/api/logout", tags=["service"], summary="End the session", status_code=204)
    async def logout(request: Request) -> Response:
        doorkeeper.sign_out(request.headers)
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer


def _add_page(app: FastAPI) -> None:
    """The page's files, read once: no request names a path of this machine."""
    files: dict[str, tuple[bytes, str, str]] = {}
    for file in resources.files("motionseg.apps.service.http").joinpath("page").iterdir():
        kind = _TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            data = file.read_bytes()
            files[file.name] = (data, kind, f'"{sha256(data).hexdigest()[:16]}"')

    def answer(request: Request, name: str) -> Response:
        if name not in files:
            raise Refusal(404, "there is no such page")
        data, kind, tag = files[name]
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type=kind, headers=headers)

    @app.get("/", include_in_schema=False)
    def index(request: Request) -> Response:
        return answer(request, "index.html")

    @app.get("/page/{name}", include_in_schema=False)
    def file(request: Request, name: str) -> Response:
        return answer(request, name)


# --- errors --------------------------------------------------------------------------------


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def refused(_: Request, error: Refusal) -> Response:
        return error.answer()

    @app.exception_handler(ParameterError)
    async def wrong(_: Request, error: ParameterError) -> Response:
        found = _KEY.match(str(error))
        return Json({"error": str(error)} | ({"key": found[1]} if found else {}), 422)

    @app.exception_handler(MotionSegError)
    async def unable(_: Request, error: MotionSegError) -> Response:
        return Json({"error": str(error)}, 503)  # a disk that is full, for one

    @app.exception_handler(TimeoutError)
    @app.exception_handler(futures.TimeoutError)
    async def late(_: Request, error: Exception) -> Response:
        return Json({"error": "the camera is too busy to take this up; try again"}, 503)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        key, message = _place_of(first["loc"]), first["msg"]
        return Json({"error": f"{key}: {message}" if key else message, "key": key}, 422)

    @app.exception_handler(HTTPException)
    async def known(_: Request, error: HTTPException) -> Response:
        return Json({"error": str(error.detail)}, error.status_code, error.headers)


def _place_of(loc: tuple[Any, ...]) -> str:
    """``("body", "zones", 0, "points", 1)`` -> ``zones[0].points[1]``."""
    text = ""
    for part in loc[1:] if loc and loc[0] in ("body", "query", "path", "header") else loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
