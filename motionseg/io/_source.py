"""What a video file, a stream, a camera and a folder of images have in common."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import NamedTuple

from motionseg.core.types import Frame

__all__ = ["Picture", "Source"]


class Picture(NamedTuple):
    """One picture of a source, not yet an array: those before `start` never become one."""

    name: str
    """The source, or the image file."""
    time: float
    """Seconds from the source's start, strictly increasing."""
    read: Callable[[], Frame]
    """Gives the array, writable and nobody else's; raises SourceError."""


@dataclass(frozen=True)
class Source:
    """An opened source: facts, and its pictures, once. Closing the generator closes the source."""

    name: str
    pictures: Generator[Picture, None, None]
    fps: float | None
    n_frames: int | None
    duration: float | None
    is_live: bool
