"""What all sources share: a file's bytes, and the pictures of a video, a stream, a camera or a folder of images."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from motionseg.core.errors import SourceError
from motionseg.core.types import Frame

__all__ = ["Picture", "Source", "read_bytes", "read_rows"]

Row = TypeVar("Row")


def read_bytes(path: Path, frame: int | None = None) -> bytes:
    """All of a file; SourceError, with the number of the frame that it is, if it cannot be read."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise SourceError(getattr(error, "strerror", None) or str(error), source=str(path), frame=frame) from error


def read_rows(path: Path, parse: Callable[[str], Row]) -> list[Row]:
    """What `parse` makes of each line of a text file that is not blank; where it raises ValueError, SourceError."""
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError("not a text file (UTF-8)", source=str(path)) from error
    rows = []
    for number, line in enumerate(re.split("\r\n|\r|\n", text), start=1):
        try:
            rows += [parse(line)] if line.strip() else []
        except ValueError as error:
            raise SourceError(f"line {number}: {error}", source=str(path)) from error
    return rows


class Picture(NamedTuple):
    """One picture of a source, not yet an array: those before `start` never become one."""

    name: str
    """The source, or the image file."""
    time: float
    """Seconds from the source's start, strictly increasing."""
    read: Callable[[], Frame]
    """Gives the array, writable and nobody else's; raises SourceError."""
    is_damaged: bool = False
    """Whether parts of it are guessed, as bytes of it or of a picture that it builds on were missing."""


@dataclass(frozen=True)
class Source:
    """An opened source: facts, and its pictures, once. Closing the generator closes the source."""

    name: str
    pictures: Generator[Picture, None, None]
    fps: float | None
    n_frames: int | None
    duration: float | None
    is_live: bool
