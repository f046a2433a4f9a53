"""Every error that motionseg raises on purpose.

Each says what is wrong and where. All derive from :class:`MotionSegError`, and each also from
the built-in exception that a caller would expect, so ``except ValueError`` keeps working.
"""

from __future__ import annotations

from functools import partial
from typing import Any

__all__ = [
    "FrameError",
    "MissingExtraError",
    "MotionSegError",
    "OutputError",
    "ParameterError",
    "SourceError",
    "StateError",
    "UnsupportedError",
]


class MotionSegError(Exception):
    """Base of all errors of this package."""


class ParameterError(MotionSegError, ValueError):
    """A constructor or function parameter is unknown, of the wrong type or out of range."""


class FrameError(MotionSegError, ValueError):
    """An image array has the wrong dtype, shape or size. The object that refused it is unchanged."""


class StateError(MotionSegError, ValueError):
    """A saved state does not fit the object that should load it, or there is no state yet."""


class SourceError(MotionSegError, OSError):
    """A video source cannot be opened, or stopped before its end.

    Parameters
    ----------
    message : str
        What went wrong; the source (and frame, where known) are put in front of it.
    source : str
        The file, folder, pattern or URL (with any password removed).
    frame : int, optional
        Index of the first frame that could not be delivered.
    """

    def __init__(self, message: str, *, source: str, frame: int | None = None) -> None:
        self.message = message
        self.source = source
        self.frame = frame
        where = source if frame is None else f"{source}, frame {frame}"
        super().__init__(f"{where}: {message}")

    def __reduce__(self) -> Any:  # so that a worker process can raise it
        return partial(type(self), source=self.source, frame=self.frame), (self.message,)


class OutputError(MotionSegError, OSError):
    """A result cannot be written (folder not empty, disk full, no permission)."""


class UnsupportedError(MotionSegError, NotImplementedError):
    """The wrapped library cannot do what was asked."""


class MissingExtraError(MotionSegError, ImportError):
    """An optional dependency is not installed; the message holds the pip command that adds it."""

    def __init__(self, what: str, install: str) -> None:
        self.what, self.install = what, install
        super().__init__(f"{what} needs a package that is not installed; install it with: {install}")

    def __reduce__(self) -> Any:
        return type(self), (self.what, self.install)
