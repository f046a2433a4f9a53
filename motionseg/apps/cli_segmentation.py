"""The commands of the command line that look at a video: ``segment`` and ``track``, which writes more of the tracks."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from motionseg.apps.defaults import DEFAULT_LINKER, DEFAULT_MODEL
from motionseg.apps.manners import FrameProgress, Json, errors, exit_if_interrupted, expected_frames, source_of
from motionseg.core.errors import ParameterError

__all__ = ["segment", "track"]


class Masks(str, Enum):
    """How masks are written."""

    png, video, none = "png", "video", "none"


_SOURCE = "Video file, image folder, 'glob*.png', URL or webcam number."
Model = Annotated[
    str, typer.Option(help="auto, flow_fused, flow.CLUSTERER, or a background model, also with +guard, +camera.")
]
LinkerName = Annotated[
    str, typer.Option("--linker", metavar="NAME", help="Who is whom: 'motionseg models' lists them.")
]
Refine = Annotated[bool, typer.Option("--refine", help="Sharpen its masks by a network (needs torch); as +refine.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Of the model; of guard, camera, flow, fuser, appearance, refine, cleaner, linker: guard.*",
    ),
]
Overlay = Annotated[bool, typer.Option("--overlay", help="Also write overlay.mp4.")]
Explain = Annotated[bool, typer.Option("--explain", help="Also write evidence/%06d.png: what each cue said.")]
MasksOption = Annotated[Masks, typer.Option(help="masks/%06d.png, lossless masks.mkv, or none.")]
Start = Annotated[float | None, typer.Option(metavar="S", help="Begin at this second.")]
End = Annotated[float | None, typer.Option(metavar="S", help="End at this second.")]
Resize = Annotated[int | None, typer.Option(metavar="W", help="Resize frames to this width first.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="See the whole source first: background, and both directions of time.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted run in DIR.")]


def segment(
    source: Annotated[str, typer.Argument(help=_SOURCE)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the results.")],
    model: Model = DEFAULT_MODEL,
    linker: LinkerName = DEFAULT_LINKER,
    refine: Refine = False,
    settings: Settings = None,
    overlay: Overlay = False,
    explain: Explain = False,
    masks: MasksOption = Masks.png,
    start: Start = None,
    end: End = None,
    resize: Resize = None,
    offline: Offline = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the results in a DIR that is not empty.")
    ] = False,
    resume: Resume = False,
    json_: Json = False,
) -> None:
    """Segment a video: masks, tracks.csv, summary.json and, if asked, overlay.mp4 and evidence."""
    from motionseg.apps.segment_job import segment_to_folder

    _run(
        segment_to_folder,
        source,
        output,
        how={"model": model, "linker": linker, "refine": refine, "settings": settings, "explain": explain},
        what={
            "start": start,
            "end": end,
            "width": resize,
            "offline": offline,
            "overwrite": overwrite,
            "resume": resume,
        },
        json_=json_,
        masks=masks.value,
        overlay=overlay,
    )


def track(
    context: typer.Context,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Folder for the results; with --detections a .txt file."),
    ],
    source: Annotated[str | None, typer.Argument(help=_SOURCE)] = None,
    detections: Annotated[
        Path | None,
        typer.Option(metavar="det.txt", help="Instead of SOURCE: boxes of a detector, as the MOTChallenge."),
    ] = None,
    fps: Annotated[float, typer.Option(metavar="F", help="Frames a second of --detections.")] = 25.0,
    linker: LinkerName = DEFAULT_LINKER,
    join: Annotated[bool, typer.Option("--stitch", help="Join broken tracks when all is over.")] = False,
    model: Model = DEFAULT_MODEL,
    refine: Refine = False,
    settings: Settings = None,
    overlay: Overlay = False,
    explain: Explain = False,
    masks: MasksOption = Masks.png,
    start: Start = None,
    end: End = None,
    resize: Resize = None,
    offline: Offline = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that are there.")] = False,
    resume: Resume = False,
    json_: Json = False,
) -> None:
    """Track what moves in a video: as 'segment', and tracks for MOTChallenge, MOTS and COCO, a table, pictures.

    With --detections det.txt boxes of others are linked, and OUTPUT is a file of the MOTChallenge.
    """
    from motionseg.apps.track_job import track_to_folder

    with errors(json_):
        given = [name for name in context.params if str(context.get_parameter_source(name)) != _DEFAULT]
        if (source is None) == (detections is None):
            raise ParameterError("give a SOURCE to look at, or --detections with boxes to link")
        if detections is None and "fps" in given:
            raise ParameterError("--fps is of --detections; a SOURCE has times of its own")
        wrong = ", ".join(f"--{_FLAGS.get(name, name)}" for name in given if name not in _OF_BOXES)
        if detections is not None and wrong:
            raise ParameterError(f"of a SOURCE, and not of --detections: {wrong}")
    if detections is not None:
        _link(detections, output, linker, settings, fps, overwrite, json_)
        return
    assert source is not None
    _run(
        track_to_folder,
        source,
        output,
        how={"model": model, "linker": linker, "refine": refine, "settings": settings, "explain": explain},
        what={
            "start": start,
            "end": end,
            "width": resize,
            "offline": offline,
            "overwrite": overwrite,
            "resume": resume,
        },
        json_=json_,
        masks=masks.value,
        overlay=overlay,
        join=join,
    )


_DEFAULT = "ParameterSource.DEFAULT"
_OF_BOXES = {"detections", "output", "fps", "linker", "settings", "overwrite", "json_"}
_FLAGS = {"join": "stitch", "settings": "set"}


def _run(
    job: Callable[..., dict[str, Any]],
    source: str,
    output: Path,
    *,
    how: dict[str, Any],
    what: dict[str, Any],
    json_: bool,
    **options: Any,
) -> None:
    """Build a segmenter as `how` says, give it and the rest to `job`, and tell what came of it."""
    from motionseg.apps.config import build_segmenter, parse_settings

    with errors(json_):
        if what["resume"] and what["overwrite"]:
            raise ParameterError("--resume keeps the results in DIR, --overwrite replaces them: give one")
        model = how["model"]
        name = f"{model}+refine" if how["refine"] and not model.endswith("+refine") else model
        settings = parse_settings(how["settings"] or [])
        segmenter = build_segmenter(name, settings, linker=how["linker"], explain=how["explain"])
        with FrameProgress("segmenting") as progress:
            summary = job(
                source_of(source),
                output,
                segmenter=segmenter,
                on_learned=progress.advance_to,
                on_open=lambda video: progress.expect(expected_frames(video, what["start"], what["end"])),
                on_frame=lambda done, _: progress.advance_to(done),
                **what,
                **options,
            )
    if json_:
        print(json.dumps(summary))
    else:
        joined = f" ({summary['joined']} joined to earlier ones)" if "joined" in summary else ""
        print(
            f"{summary['frames']} frames in {summary['seconds']:.1f} s ({summary['frames_per_second']:.1f} frames/s), "
            f"{summary['tracks']} tracks{joined}: {output}"
        )
    exit_if_interrupted(
        summary, f"interrupted: {output} holds the first {summary['frames']} frames; --resume continues"
    )


def _link(
    detections: Path, output: Path, linker: str, settings: list[str] | None, fps: float, overwrite: bool, json_: bool
) -> None:
    from motionseg.apps.config import build_linker, parse_settings
    from motionseg.apps.track_job import link_detections

    with errors(json_):
        built = build_linker(linker, parse_settings(settings or []))
        with FrameProgress("linking") as progress:
            summary = link_detections(
                detections,
                output,
                linker=built,
                fps=fps,
                overwrite=overwrite,
                on_open=progress.expect,
                on_frame=progress.advance_to,
            )
    if json_:
        print(json.dumps(summary))
    else:
        print(
            f"{summary['frames']} frames in {summary['seconds']:.1f} s ({summary['frames_per_second']:.0f} frames/s), "
            f"{summary['detections']} boxes, {summary['tracks']} tracks: {output}"
        )
    exit_if_interrupted(summary, f"interrupted: {output} holds the first {summary['frames']} frames")
