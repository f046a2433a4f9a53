"""What is sent back: JSON that browsers can read, files in parts, and errors as ``{"error": ...}``."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import anyio
import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from motionseg.core.errors import OutputError

__all__ = ["FilePart", "Json", "Refusal", "open_inside", "plain"]

_CHUNK = 1 << 18
_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))")
_TYPES = {".jpg": "image/jpeg", ".mp4": "video/mp4", ".mkv": "video/x-matroska"}


class Refusal(Exception):  # noqa: N818 - it is an answer
    """A request that is refused with a status and a sentence."""

    def __init__(self, status: int, error: str, *, headers: Mapping[str, str] | None = None, **facts: Any) -> None:
        super().__init__(error)
        self.status, self.facts, self.headers = status, {"error": error, **facts}, dict(headers or {})

    def answer(self) -> Response:
        return Json(self.facts, self.status, self.headers)


def plain(value: Any) -> Any:
    """`value` as JSON has it: numpy's numbers become numbers, what is not finite null, tuples and sets lists."""
    if isinstance(value, (str, bool, int)) or value is None:
        return value
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(entry) for entry in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    return str(value)


class Json(JSONResponse):
    """JSON of anything that :func:`plain` knows."""

    def render(self, content: Any) -> bytes:
        return json.dumps(plain(content), separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def open_inside(folder: Path, name: str) -> BinaryIO:
    """The file `name` in `folder`, open for reading.

    Raises
    ------
    Refusal
        404: there is none, or `name` leads out of the folder, also by a link.
    """
    try:
        root = folder.resolve(strict=True)
        path = (root / name).resolve(strict=True)
        if not name or not path.is_relative_to(root) or not path.is_file():
            raise Refusal(404, "there is no such file")
        return path.open("rb")
    except (OSError, ValueError, RuntimeError) as error:  # gone, a null byte, a circle of links
        raise Refusal(404, "there is no such file") from error


class FilePart(Response):
    """A file, or the range of its bytes that was asked for. It is closed when it is sent or the client is gone."""

    def __init__(self, file: BinaryIO, request: Request) -> None:
        size = os.fstat(file.fileno()).st_size
        try:
            self.first, self.last, status = _span(request.headers.get("range"), size)
        except Refusal:
            file.close()
            raise
        suffix = Path(file.name).suffix
        super().__init__(status_code=status, media_type=_TYPES.get(suffix, "application/octet-stream"))
        self.file, self.whole = file, request.method != "HEAD"
        self.headers["Accept-Ranges"] = "bytes"
        self.headers["Content-Length"] = str(self.last - self.first + 1)
        self.headers["Content-Disposition"] = f'inline; filename="{Path(file.name).name}"'
        if status == 206:
            self.headers["Content-Range"] = f"bytes {self.first}-{self.last}/{size}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            left, request = (self.last - self.first + 1 if self.whole else 0), Request(scope, receive)
            await anyio.to_thread.run_sync(self.file.seek, self.first)
            while left and not await request.is_disconnected():
                part = await anyio.to_thread.run_sync(self.file.read, min(left, _CHUNK))
                if not part:
                    raise OutputError(f"{Path(self.file.name).name} became shorter while it was sent")
                left -= len(part)
                await send({"type": "http.response.body", "body": part, "more_body": left > 0})
            if not self.whole or self.last < self.first:
                await send({"type": "http.response.body", "body": b""})
        finally:
            self.file.close()


def _span(wanted: str | None, size: int) -> tuple[int, int, int]:
    """First and last byte, and the status. What is no single range is ignored, as RFC 9110 allows."""
    found = _RANGE.fullmatch(wanted.strip()) if wanted else None
    if found is None:
        return 0, size - 1, 200
    start, stop, tail = found.groups()
    first = max(0, size - int(tail)) if tail else int(start)
    last = min(size - 1, int(stop)) if stop else size - 1
    if first >= size or (tail and int(tail) == 0):
        raise Refusal(416, f"the file has {size} bytes", headers={"Content-Range": f"bytes */{size}"})
    return (first, last, 206) if last >= first else (0, size - 1, 200)
