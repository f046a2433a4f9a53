"""The command line: what ``motionseg`` can be asked to do.

Exit codes: 0 fine, 2 wrong use, 3 a source (or a sequence of a benchmark) failed, 4 a result could not be written,
130 interrupted.
Results and ``--json`` go to stdout, progress and messages to stderr.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

import motionseg
from motionseg.apps.cli_evaluation import bench, datasets, report, score
from motionseg.apps.cli_events import events
from motionseg.apps.cli_refinement import adapt, export, train
from motionseg.apps.cli_segmentation import segment, track
from motionseg.apps.cli_service import config, serve
from motionseg.apps.manners import (
    FrameProgress,
    Json,
    console,
    errors,
    exit_if_interrupted,
    expected_frames,
    source_of,
)

__all__ = ["app", "main"]

app = typer.Typer(
    name="motionseg",
    help="Motion segmentation of video: what moves, and where it goes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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
def stabilize(
    source: Annotated[str, typer.Argument(help="Video file, image folder, 'glob*.png', URL or webcam number.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A film (.mp4, without sound), or a folder.")],
    smoothness: Annotated[
        float, typer.Option(metavar="FRAMES", help="Shake that is faster goes; the rest is meant.")
    ] = 15.0,
    model: Annotated[
        str, typer.Option(help="Of the camera's motion: translation, similarity, affine or homography.")
    ] = "similarity",
    zoom: Annotated[float, typer.Option(metavar="Z", help="Enlarge, 1 to 2, to hide the border.")] = 1.0,
    border: Annotated[
        str, typer.Option(help="Shown where a frame does not reach: nearest pixels, or black.")
    ] = "nearest",
    mosaic: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also lay all frames into one wide picture.")
    ] = None,
    start: Annotated[float | None, typer.Option(metavar="S", help="Begin at this second.")] = None,
    end: Annotated[float | None, typer.Option(metavar="S", help="End at this second.")] = None,
    resize: Annotated[int | None, typer.Option(metavar="W", help="Resize frames to this width first.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    json_: Json = False,
) -> None:
    """Take the shake out of a video; and, if asked, make one wide picture of what a turning camera saw."""
    from motionseg.apps.stabilize_job import stabilize_to
    from motionseg.camera import Mosaic, SparseCorners, Stabilizer

    with errors(json_):
        camera = SparseCorners(model=model)
        stabilizer = Stabilizer(smoothness=smoothness, zoom=zoom, border=border, camera=camera)
        with FrameProgress("stabilising") as progress:
            summary = stabilize_to(
                source_of(source),
                output,
                stabilizer=stabilizer,
                mosaic=None if mosaic is None else (mosaic, Mosaic()),
                start=start,
                end=end,
                width=resize,
                overwrite=overwrite,
                on_open=lambda video: progress.expect(expected_frames(video, start, end)),
                on_frame=progress.advance_to,
            )
    if json_:
        print(json.dumps(summary))
    else:
        print(
            f"{summary['frames']} frames ({summary['frames_per_second']:.1f} frames/s), moved by "
            f"{summary['mean_shift']:.1f} pixels on average: {', '.join(summary['files'])}"
        )
        if mosaic is not None and summary["in_mosaic"] < summary["frames"]:
            print(f"{summary['frames'] - summary['in_mosaic']} frames did not fit into the mosaic", file=sys.stderr)
    exit_if_interrupted(summary, f"interrupted: {output} holds the first {summary['frames']} frames")


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

    with errors(json_), FrameProgress("street scene", total=frames) as progress:
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
    exit_if_interrupted(summary, "interrupted: what is written is of the frames until then")


@app.command()
def models(json_: Json = False) -> None:
    """List every model: how fast and how right it was when last measured, what it is good at, its paper."""
    from motionseg.core import catalog
    from motionseg.core.params import signature_defaults

    measured = json.loads(Path(__file__).with_name("measured.json").read_text(encoding="utf-8"))
    rows = []
    for room in ("background", "flow", "cluster", "camera", "track"):
        for name in catalog.names(room):
            cls = catalog.find(room, name)
            row = {"room": room, "name": name, **vars(cls.info), "parameters": signature_defaults(cls)}
            rows.append({**row, **(measured["models"].get(name, {}) if room == "background" else {})})
    if json_:
        print(json.dumps({"models": rows, "measured": {k: v for k, v in measured.items() if k != "models"}}))
        return
    table = Table("model", "speed", "F", "frames/s", "good at", "paper")
    room = rows[0]["room"]
    for row in rows:
        if row["room"] != room:
            table.add_section()
            room = row["room"]
        good_at = row["good_at"] + (f" [{row['notice']}]" if row["notice"] else "")
        table.add_row(
            Text(row["name"], no_wrap=True),
            Text(row["speed"], no_wrap=True),
            f"{row['F']:.3f}" if "F" in row else "",
            f"{row['fps']:.0f}" if "fps" in row else "",
            Text(good_at),
            Text(row["paper"]),
        )
    console().print(table)
    print(f"F and frames/s: {measured['what']} ({measured['date']}, {measured['processor']})")


@app.command()
def doctor(json_: Json = False) -> None:
    """Report versions, OpenCV wheels, codecs, threads, GPU and kernel cache, and what to mend."""
    from motionseg.apps.doctor import examine

    facts = examine()
    if json_:
        print(json.dumps(facts))
        return
    table = Table(show_header=False)
    for name, value in facts.items():
        if name == "problems":
            continue
        text = "\n".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name.replace("_", " "), Text(text))
    console().print(table)
    for problem in facts["problems"]:
        print(f"problem: {problem}")
    if not facts["problems"]:
        print("no problems found")


for _command in (segment, track, events, serve, datasets, bench, score, report, train, adapt, export):
    app.command()(_command)
app.add_typer(config, name="config")


def main() -> None:
    """Entry point of the command ``motionseg``."""
    app()
