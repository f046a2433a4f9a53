"""The manners of every command: exit codes, errors as lines, progress."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from motionseg.core.errors import MotionSegError, OutputError, SourceError

__all__ = ["FAILED", "INTERRUPTED", "FrameProgress", "Json", "console", "errors", "exit_if_interrupted"]
__all__ += ["expected_frames", "source_of"]

WRONG_USE, FAILED, OUTPUT_FAILED, INTERRUPTED = 2, 3, 4, 130

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else.")]


def console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 140)


@contextmanager
def errors(json_: bool) -> Iterator[None]:
    """Errors on purpose become a line on stderr (with --json also an object on stdout) and an exit code."""
    try:
        yield
    except MotionSegError as error:
        code = WRONG_USE
        if isinstance(error, SourceError):
            code = FAILED
        elif isinstance(error, OutputError):
            code = OUTPUT_FAILED
        if json_:
            print(json.dumps({"error": str(error), "kind": type(error).__name__}))
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(code) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


def exit_if_interrupted(summary: dict[str, Any], message: str) -> None:
    if not summary["complete"]:
        print(message, file=sys.stderr)
        raise typer.Exit(INTERRUPTED)


def source_of(text: str) -> str | int:
    """What the user calls a source: the number of a webcam, unless there is a file of that name."""
    return int(text) if text.isdecimal() and not Path(text).exists() else text


def expected_frames(video: Any, start: float | None, end: float | None) -> int | None:
    """How many frames of an opened video there are between two seconds, where that is known."""
    if video.n_frames is None or (start is None and end is None):
        return video.n_frames
    if not video.fps:
        return None
    last = video.n_frames / video.fps if end is None else min(end, video.n_frames / video.fps)
    return max(1, round((last - (start or 0)) * video.fps))


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} {task.fields['unit']}/s" if task.speed else "")


class FrameProgress:
    """A bar on a terminal; on anything else a line on stderr every ten seconds."""

    def __init__(self, what: str, total: int | None = None, *, unit: str = "frames") -> None:
        self._what, self._total, self._unit = what, total, unit
        self._began = self._said = time.monotonic()
        self._first: int | None = None  # done before: a resumed job is no faster for it
        self._bar: Progress | None = None
        self._task: Any = None

    def __enter__(self) -> FrameProgress:
        console = Console(stderr=True)
        if console.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
            counts = (TextColumn("{task.completed}/{task.total} {task.fields[unit]}"), _Rate(), TimeRemainingColumn())
            self._bar = Progress(*columns, *counts, console=console, transient=True)
            self._task = self._bar.add_task(self._what, total=self._total, unit=self._unit)
            self._bar.start()
        return self

    def __exit__(self, *_: Any) -> None:
        if self._bar is not None:
            self._bar.stop()

    def expect(self, total: int | None) -> None:
        self._total = total
        if self._bar is not None:
            self._bar.update(self._task, total=total)

    def advance_to(self, done: int) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=done)
            return
        now = time.monotonic()
        if self._first is None:
            self._began, self._said, self._first = now, now, done
        if now - self._said >= 10:
            self._said = now
            rate = (done - self._first) / max(now - self._began, 1e-3)
            left = f", about {(self._total - done) / rate:.0f} s left" if self._total and rate else ""
            print(
                f"{self._what}: {done} of {self._total or '?'} {self._unit}, {rate:.1f} {self._unit}/s{left}",
                file=sys.stderr,
            )
