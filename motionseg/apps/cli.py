"""The command line: ``motionseg segment``, ``models``, ``demo`` and ``doctor``.

Exit codes: 0 fine, 2 wrong use, 3 the source failed, 4 a result could not be written, 130 interrupted.
Results and ``--json`` go to stdout, progress and messages to stderr.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

import motionseg
from motionseg.core.errors import MotionSegError, OutputError, ParameterError, SourceError

__all__ = ["app", "main"]

WRONG_USE, SOURCE_FAILED, OUTPUT_FAILED, INTERRUPTED = 2, 3, 4, 130

app = typer.Typer(
    name="motionseg",
    help="Motion segmentation of video: what moves, and where it goes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Masks(str, Enum):
    """How masks are written."""

    png, video, none = "png", "video", "none"


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"motionseg {motionseg.__version__}")
        raise typer.Exit()


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def segment(
    source: Annotated[str, typer.Argument(help="Video file, image folder, 'glob*.png', URL or webcam number.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the results.")],
    model: Annotated[str, typer.Option(help="Background model; 'motionseg models' lists them.")] = "gaussian_mixture",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Parameter of the model, cleaner.*, linker.*, or min_area."),
    ] = None,
    overlay: Annotated[bool, typer.Option("--overlay", help="Also write overlay.mp4.")] = False,
    masks: Annotated[Masks, typer.Option(help="masks/%06d.png, lossless masks.mkv, or none.")] = Masks.png,
    start: Annotated[float | None, typer.Option(metavar="S", help="Begin at this second.")] = None,
    end: Annotated[float | None, typer.Option(metavar="S", help="End at this second.")] = None,
    resize: Annotated[int | None, typer.Option(metavar="W", help="Resize frames to this width first.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the results in a DIR that is not empty.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run in DIR.")] = False,
    json_: Json = False,
) -> None:
    """Segment a video: masks, tracks.csv, summary.json and, if asked, overlay.mp4."""
    from motionseg.apps.config import build_segmenter, parse_settings
    from motionseg.apps.segment_job import segment_to_folder

    with _errors(json_):
        if resume and overwrite:
            raise ParameterError("--resume keeps the results in DIR, --overwrite replaces them: give one")
        segmenter = build_segmenter(model, parse_settings(settings or []))
        with _Progress("segmenting") as progress:
            summary = segment_to_folder(
                _source(source),
                output,
                segmenter=segmenter,
                masks=masks.value,
                overlay=overlay,
                start=start,
                end=end,
                width=resize,
                overwrite=overwrite,
                resume=resume,
                on_open=lambda video: progress.expect(_expected_frames(video, start, end)),
                on_frame=lambda done, _: progress.advance_to(done),
            )
    if json_:
        print(json.dumps(summary))
    else:
        print(
            f"{summary['frames']} frames in {summary['seconds']:.1f} s ({summary['frames_per_second']:.1f} frames/s), "
            f"{summary['tracks']} tracks: {output}"
        )
    _exit_if_interrupted(
        summary, f"interrupted: {output} holds the first {summary['frames']} frames; --resume continues"
    )


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the results.")] = Path(
        "motionseg-demo"
    ),
    frames: Annotated[int, typer.Option(min=30, help="Length of the scene.")] = 250,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another street.")] = 0,
    json_: Json = False,
) -> None:
    """Render a synthetic street, segment and track it, and compare with the truth. Needs no data."""
    from motionseg.apps.demo import run_demo

    with _errors(json_), _Progress("street scene", total=frames) as progress:
        summary = run_demo(output, n_frames=frames, seed=seed, on_frame=lambda done, _: progress.advance_to(done))
    if json_:
        print(json.dumps(summary))
    else:
        print(
            f"{summary['frames']} frames: F-measure {summary['f_measure']:.3f} (precision {summary['precision']:.3f}, "
            f"recall {summary['recall']:.3f}), {summary['tracks']} tracks, "
            f"{summary['frames_per_second']:.0f} frames/s to segment and track"
        )
        for file in summary["files"]:
            print(f"wrote {file}")
    _exit_if_interrupted(summary, "interrupted: what is written is of the frames until then")


@app.command()
def models(json_: Json = False) -> None:
    """List every model: its paper, how fast it is, what it is good at."""
    from motionseg.core import catalog
    from motionseg.core.params import signature_defaults

    rows = []
    for room in ("background", "track"):
        for name in catalog.names(room):
            cls = catalog.find(room, name)
            rows.append({"room": room, "name": name, **vars(cls.info), "parameters": signature_defaults(cls)})
    if json_:
        print(json.dumps({"models": rows}))
        return
    table = Table("model", "speed", "good at", "paper")
    room = rows[0]["room"]
    for row in rows:
        if row["room"] != room:
            table.add_section()
            room = row["room"]
        good_at = row["good_at"] + (f" [{row['notice']}]" if row["notice"] else "")
        table.add_row(
            Text(row["name"], no_wrap=True), Text(row["speed"], no_wrap=True), Text(good_at), Text(row["paper"])
        )
    _out().print(table)


@app.command()
def doctor(json_: Json = False) -> None:
    """Report versions, OpenCV wheels, codecs, threads, GPU and kernel cache, and what to mend."""
    from motionseg.apps.doctor import examine

    report = examine()
    if json_:
        print(json.dumps(report))
        return
    table = Table(show_header=False)
    for name, value in report.items():
        if name == "problems":
            continue
        text = "\n".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name.replace("_", " "), Text(text))
    _out().print(table)
    for problem in report["problems"]:
        print(f"problem: {problem}")
    if not report["problems"]:
        print("no problems found")


def main() -> None:
    """Entry point of the command ``motionseg``."""
    app()


# --- manners -----------------------------------------------------------------------------------


def _source(text: str) -> str | int:
    return int(text) if text.isdecimal() and not Path(text).exists() else text


def _resumable(folder: Path) -> str:
    return "; --resume continues" if (folder / "state.npz").exists() else ""


def _expected_frames(video: Any, start: float | None, end: float | None) -> int | None:
    if video.n_frames is None or (start is None and end is None):
        return video.n_frames
    if not video.fps:
        return None
    last = video.n_frames / video.fps if end is None else min(end, video.n_frames / video.fps)
    return max(1, round((last - (start or 0)) * video.fps))


def _out() -> Console:
    return Console(width=None if sys.stdout.isatty() else 140)


@contextmanager
def _errors(json_: bool) -> Iterator[None]:
    """Errors on purpose become a line on stderr (with --json also an object on stdout) and an exit code."""
    try:
        yield
    except MotionSegError as error:
        code = WRONG_USE
        if isinstance(error, SourceError):
            code = SOURCE_FAILED
        elif isinstance(error, OutputError):
            code = OUTPUT_FAILED
        if json_:
            print(json.dumps({"error": str(error), "kind": type(error).__name__}))
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(code) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


def _exit_if_interrupted(summary: dict[str, Any], message: str) -> None:
    if not summary["complete"]:
        print(message, file=sys.stderr)
        raise typer.Exit(INTERRUPTED)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} frames/s" if task.speed else "")


class _Progress:
    """A bar on a terminal; on anything else a line on stderr every ten seconds."""

    def __init__(self, what: str, total: int | None = None) -> None:
        self._what, self._total, self._began = what, total, time.monotonic()
        self._said = self._began
        self._bar: Progress | None = None
        self._task: Any = None

    def __enter__(self) -> _Progress:
        console = Console(stderr=True)
        if console.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
            counts = (TextColumn("{task.completed}/{task.total} frames"), _Rate(), TimeRemainingColumn())
            self._bar = Progress(*columns, *counts, console=console, transient=True)
            self._task = self._bar.add_task(self._what, total=self._total)
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
        if now - self._said >= 10:
            self._said = now
            rate = done / (now - self._began)
            left = f", about {(self._total - done) / rate:.0f} s left" if self._total else ""
            print(f"{self._what}: {done} of {self._total or '?'} frames, {rate:.1f} frames/s{left}", file=sys.stderr)
