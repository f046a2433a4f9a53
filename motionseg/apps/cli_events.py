"""The command ``events``: a recorded video as a camera of a configuration would have seen it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motionseg.apps.manners import FrameProgress, Json, errors, exit_if_interrupted, expected_frames, source_of
from motionseg.core.errors import ParameterError

if TYPE_CHECKING:
    from motionseg.apps.service.config import CameraSection, Config

__all__ = ["events", "zone_of"]


def events(
    source: Annotated[str, typer.Argument(help="Video file, image folder, 'glob*.png' or URL.")],
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML: see 'motionseg config example'; else the defaults.")
    ] = None,
    camera: Annotated[
        str | None, typer.Option(metavar="NAME", help="The camera of the config whose zones, rules and model count.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the results.")] = Path(
        "motionseg-events"
    ),
    zone: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:X,Y ...", help="Without --config: a zone, corners in parts of the picture, 0 to 1."),
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND[:KEY=VALUE,...]", help="Without --config: a rule, as enter:zones=yard."),
    ] = None,
    start: Annotated[float | None, typer.Option(metavar="S", help="Begin at this second.")] = None,
    end: Annotated[float | None, typer.Option(metavar="S", help="End at this second.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the results in a DIR that is not empty.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run in DIR.")] = False,
    json_: Json = False,
) -> None:
    """Look for events in a recorded video: events.jsonl, clips, snapshots, statistics.csv and summary.json."""
    from motionseg.apps.events_job import events_to_folder, read_events
    from motionseg.apps.service.building import build_camera_segmenter, build_detector

    with errors(json_):
        if resume and overwrite:
            raise ParameterError("--resume keeps the results in DIR, --overwrite replaces them: give one")
        loaded = _config(config, camera or "camera", zone or [], rule or [])
        seen_by = _chosen(loaded, config, camera)
        with FrameProgress("looking for events") as progress:
            summary = events_to_folder(
                source_of(source),
                output,
                segmenter=build_camera_segmenter(seen_by),
                detector=build_detector(seen_by),
                recordings=loaded.recordings,
                width=seen_by.width,
                max_fps=seen_by.max_fps,
                start=start,
                end=end,
                overwrite=overwrite,
                resume=resume,
                on_open=lambda video: progress.expect(expected_frames(video, start, end)),
                on_frame=lambda done, _: progress.advance_to(done),
            )
        told = [event.to_dict() for event in read_events(output)] if json_ else []
    if json_:
        print(json.dumps({**summary, "events": told}))
    else:
        _say(summary, output)
    exit_if_interrupted(
        summary, f"interrupted: {output} holds the events of the first {summary['frames']} frames; --resume continues"
    )


def _say(summary: dict[str, Any], output: Path) -> None:
    by_rule = ", ".join(f"{n} {rule}" for rule, n in summary.get("n_events_by_rule", {}).items())
    seen = summary.get("last_time", 0.0) - summary.get("first_time", 0.0)
    print(
        f"{summary['frames']} frames of {seen:.1f} s in {summary['seconds']:.1f} s "
        f"({summary['frames_per_second']:.1f} frames/s), "
        f"{summary.get('n_events', 0)} events{f' ({by_rule})' if by_rule else ''}: {output}"
    )


def _config(path: Path | None, name: str, zones: list[str], rules: list[str]) -> Config:
    """The configuration in a file; or one of a single camera with these zones and rules."""
    from motionseg.apps.service.config import load_config, parse_config

    if path is None:
        facts = {"name": name, "source": "0", "zone": [zone_of(text) for text in zones]}
        facts["rule"] = [_rule_of(text) for text in rules]
        return parse_config(f"camera = [{_toml(facts)}]", "--zone, --rule or --camera")
    if zones or rules:
        raise ParameterError("--zone and --rule are for runs without --config, which says what there is")
    return load_config(path)


def _chosen(loaded: Config, path: Path | None, name: str | None) -> CameraSection:
    names = [camera.name for camera in loaded.camera]
    if name is None and len(names) > 1:
        raise ParameterError(f"{path} has several cameras: give --camera, one of {', '.join(names)}")
    if name is not None and name not in names:
        raise ParameterError(f"{path} has no camera {name!r}, only {', '.join(names)}")
    return loaded.camera[0 if name is None else names.index(name)]


def zone_of(text: str) -> dict[str, Any]:
    """``"yard:0,0.5 1,0.5 1,1"`` -> name and points of a zone.

    Raises
    ------
    ParameterError
        It does not read so.

    Examples
    --------
    >>> zone_of("yard:0,0.5 1,0.5 1,1")
    {'name': 'yard', 'points': [[0.0, 0.5], [1.0, 0.5], [1.0, 1.0]]}
    """
    name, colon, corners = text.partition(":")
    try:
        points = [[float(number) for number in corner.split(",")] for corner in corners.split()]
    except ValueError:
        points = []
    if not colon or not points or any(len(point) != 2 for point in points):
        raise ParameterError(f'a zone reads "NAME:X,Y X,Y X,Y", not {text!r}')
    return {"name": name.strip(), "points": points}


def _rule_of(text: str) -> dict[str, Any]:
    """``"enter:zones=yard,min_area=50"`` -> kind and parameters; several names are joined by +."""
    from motionseg.apps.config import parse_settings

    kind, _, rest = text.partition(":")
    settings = parse_settings(part for part in rest.split(",") if part.strip())
    for key in ("zones", "lines"):
        if key in settings:
            settings[key] = str(settings[key]).split("+")
    return {"kind": kind.strip(), **settings}


def _toml(value: Any) -> str:
    """A value in the notation of TOML, in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
