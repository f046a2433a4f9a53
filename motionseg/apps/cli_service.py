"""The commands of the command line for live cameras: ``serve`` and ``config``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from motionseg.apps.manners import Json, console, errors
from motionseg.core.errors import MissingExtraError

if TYPE_CHECKING:
    from motionseg.apps.service.config import CameraSection, Config

__all__ = ["config", "serve"]

config = typer.Typer(help="Check the configuration of the service, or get an example of one.", no_args_is_help=True)


@config.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML: 'motionseg config example' prints one.")],
    json_: Json = False,
) -> None:
    """Say what a configuration asks for, or every line in it that is wrong."""
    from motionseg.apps.service.config import load_config

    with errors(json_):
        facts = _facts(load_config(file), file)
    if json_:
        print(json.dumps(facts))
        return
    tables = (_cameras(facts), _others(facts))
    for table in tables:
        console().print(table)
    for note in facts["notes"]:
        print(f"note: {note}")
    print(f"{file} is fine")


@config.command()
def example() -> None:
    """Print a configuration with every key, and what it means."""
    from motionseg.apps.service.config import example_config

    print(example_config(), end="")


@config.command()
def schema() -> None:
    """Print the JSON schema of configurations, for editors."""
    from motionseg.apps.service.config import config_schema

    print(json.dumps(config_schema(), indent=2))


def serve(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML: 'motionseg config example' prints one.")],
) -> None:
    """Watch cameras, tell what happens, and show it on a page; until Ctrl-C or SIGTERM. SIGHUP reads FILE again."""
    with errors(False):
        try:
            from motionseg.apps.service.running import run
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("motionseg"):
                raise
            raise MissingExtraError("motionseg serve", "pip install 'motionseg[service]'") from error
        run(file)


def _facts(loaded: Config, file: Path) -> dict[str, Any]:
    """What a configuration asks for, without secrets."""
    service, folder = loaded.service, loaded.recordings.folder or loaded.service.state_dir / "recordings"
    host = f"[{service.host}]" if ":" in service.host else service.host
    sinks = [] if loaded.jsonl is None else [{"kind": "jsonl", "where": str(loaded.jsonl.path), "of": "all"}]
    if loaded.mqtt is not None:
        scheme = "mqtts" if loaded.mqtt.tls else "mqtt"
        where = f"{scheme}://{loaded.mqtt.host}:{loaded.mqtt.port}/{loaded.mqtt.topic}"
        sinks.append({"kind": "mqtt", "where": where, "of": "all"})
    for hook in loaded.webhook:
        chosen = [*(f"camera {name}" for name in hook.cameras), *(f"rule {name}" for name in hook.rules)]
        sinks.append({"kind": f"webhook {hook.name}", "where": hook.shown_url, "of": ", ".join(chosen) or "all"})
    return {
        "file": str(file),
        "service": {
            "url": f"http://{host}:{service.port}",
            "token": service.token is not None,
            "state_dir": str(service.state_dir),
        },
        "store": f"sqlite:{service.state_dir / 'events.db'}" if loaded.store.url is None else loaded.store.shown_url,
        "recordings": str(folder),
        "sinks": sinks,
        "cameras": [_camera_facts(camera) for camera in loaded.camera],
        "notes": _notes(loaded),
    }


def _camera_facts(camera: CameraSection) -> dict[str, Any]:
    from motionseg.apps.service.building import build_places, build_rules
    from motionseg.events import Line

    places = build_places(camera)
    return {
        "name": camera.name,
        "enabled": camera.enabled,
        "source": camera.shown_source,
        "loop": camera.loop,
        "width": camera.width,
        "max_fps": camera.max_fps,
        "cpu": camera.cpu,
        "model": f"{camera.model}+refine" if camera.refine else camera.model,
        "linker": camera.linker,
        "settings": camera.settings,
        "places": {place.name: "line" if isinstance(place, Line) else place.kind for place in places},
        "rules": {rule.name: rule.params() for rule in build_rules(camera)},
    }


def _notes(loaded: Config) -> list[str]:
    """What may be meant so, or not."""
    notes = [f"camera {camera.name} is not enabled" for camera in loaded.camera if not camera.enabled]
    for camera in loaded.camera:
        source = camera.shown_source  # of a file the name itself
        is_there = source != camera.address or Path(source).exists() or any(sign in source for sign in "*?[")
        notes += [] if is_there else [f"camera {camera.name}: there is no {source} yet"]
    if loaded.mqtt is not None and loaded.mqtt.ca_file is not None and not loaded.mqtt.ca_file.is_file():
        notes.append(f"mqtt: there is no file {loaded.mqtt.ca_file} yet")
    if loaded.mqtt is not None and loaded.mqtt.password is not None and not loaded.mqtt.tls:
        notes.append("mqtt: the password goes over the network as it is; say tls = true unless that is meant")
    return notes


def _cameras(facts: dict[str, Any]) -> Table:
    table = Table("camera", "source", "looked at", "zones and lines", "rules")
    for camera in facts["cameras"]:
        how = [f"{camera['width']} wide" if camera["width"] else "full size"]
        how += [f"up to {camera['max_fps']:g} frames/s"] if camera["max_fps"] else []
        how += [f"{camera['cpu']:g} cores"] if camera["cpu"] else []
        how += [f"{camera['model']}, {camera['linker']}", *(f"{k}={v}" for k, v in camera["settings"].items())]
        places = [name if kind == "include" else f"{name} ({kind})" for name, kind in camera["places"].items()]
        rules = [_told(name, rule) for name, rule in camera["rules"].items()]
        name = camera["name"] if camera["enabled"] else f"{camera['name']} (off)"
        source = camera["source"] + (" (loop)" if camera["loop"] else "")
        table.add_row(*(Text(cell) for cell in (name, source, "\n".join(how), "\n".join(places), "\n".join(rules))))
    return table


def _told(name: str, rule: dict[str, Any]) -> str:
    where = ", ".join(rule.get("zones") or rule.get("lines") or ())
    return (name if name == rule["kind"] else f"{name} ({rule['kind']})") + (f": {where}" if where else "")


def _others(facts: dict[str, Any]) -> Table:
    table = Table(show_header=False)
    service = facts["service"]
    table.add_row("service", Text(f"{service['url']} {'with a token' if service['token'] else 'without a token'}"))
    table.add_row("state", Text(service["state_dir"]))
    table.add_row("events", Text(facts["store"]))
    table.add_row("recordings", Text(facts["recordings"]))
    for sink in facts["sinks"]:
        table.add_row(Text(sink["kind"]), Text(sink["where"] + ("" if sink["of"] == "all" else f" ({sink['of']})")))
    return table
