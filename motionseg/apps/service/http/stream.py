"""What goes on and on: server-sent events, and pictures one after the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import StreamingResponse

from motionseg.apps.service.http.answers import Refusal, plain
from motionseg.apps.service.http.hub import Hub
from motionseg.apps.service.http.pictures import Pictures
from motionseg.apps.service.store import StoreError

__all__ = ["event_stream", "live_stream"]

MOST_LISTENERS, MOST_WATCHERS = 64, 32
_BOUNDARY = "frame"
_TICK = 1.0  # seconds between two statuses
_PAGE = 500


def event_stream(request: Request, service: Any, hub: Hub, after: int | None, allowed: Callable[[], bool]) -> Any:
    """Tellings from `after` on (None: from now on), and the state of all, each second.

    Raises
    ------
    Refusal
        503: too many listen.
    """
    if hub.listeners >= MOST_LISTENERS:
        raise Refusal(503, f"{MOST_LISTENERS} listen already", headers={"Retry-After": "10"})

    async def messages() -> AsyncIterator[bytes]:
        listener = hub.listen(hub.last if after is None else min(after, hub.last))
        try:
            yield b"retry: 2000\n\n"
            try:
                async for telling in _missed(service, hub, listener):
                    yield _message("telling", telling.to_dict(), telling.number)
            except StoreError:  # it is away; who listens comes again
                return
            while not hub.stopping and allowed() and not listener.lost:
                yield _message("status", await hub.facts())
                async for telling in _news(listener, _TICK):
                    yield _message("telling", telling.to_dict(), telling.number)
        finally:
            hub.leave(listener)

    return StreamingResponse(messages(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _missed(service: Any, hub: Hub, listener: Any) -> AsyncIterator[Any]:
    """What was told after the listener was here last, from the log."""
    until = hub.last
    while listener.after < until:
        page = await anyio.to_thread.run_sync(service.ledger.store.log, listener.after, _PAGE)
        if not page:
            return
        for telling in page:
            if telling.number <= until:
                yield telling
        listener.after = page[-1].number
    listener.after = until


async def _news(listener: Any, seconds: float) -> AsyncIterator[Any]:
    """What is told in the next seconds, at once."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while (left := end - loop.time()) > 0:
        try:
            await asyncio.wait_for(listener.news.wait(), left)
        except asyncio.TimeoutError:
            return
        listener.news.clear()
        if listener.lost or not listener.waiting:
            return
        while listener.waiting:
            telling = listener.waiting.popleft()
            if telling.number > listener.after:
                listener.after = telling.number
                yield telling


def _message(kind: str, facts: Any, number: int | None = None) -> bytes:
    data = json.dumps(plain(facts), separators=(",", ":"), ensure_ascii=False)
    head = f"id: {number}\n" if number else ""
    return f"{head}event: {kind}\ndata: {data}\n\n".encode()


def live_stream(
    lookout: Callable[[], Any], hub: Hub, pictures: Pictures, layers: frozenset[str], width: int | None, fps: float,
    watchers: set[object], allowed: Callable[[], bool],
) -> Any:  # fmt: skip
    """Pictures as multipart/x-mixed-replace, at most `fps` in a second, until the client goes.

    Raises
    ------
    Refusal
        503: too many watch.
    """
    if len(watchers) >= MOST_WATCHERS:
        raise Refusal(503, f"{MOST_WATCHERS} watch already", headers={"Retry-After": "10"})

    async def parts() -> AsyncIterator[bytes]:
        me, loop, last = object(), asyncio.get_running_loop(), None
        watchers.add(me)
        try:
            due = checked = loop.time()
            while not hub.stopping:
                if loop.time() - checked >= _TICK:
                    checked = loop.time()
                    if not allowed():
                        return
                try:
                    latest = lookout().latest()
                    if latest is not None and latest is not last:
                        last, data = await anyio.to_thread.run_sync(pictures.of, lookout(), layers, width)
                        head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                        yield head.encode() + data + b"\r\n"
                except Refusal:  # the camera is no longer there
                    return
                due = max(due + 1 / fps, loop.time())
                await asyncio.sleep(max(due - loop.time(), 0.01))
        finally:
            watchers.discard(me)

    return StreamingResponse(parts(), media_type=f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
