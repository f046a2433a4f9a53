"""All parts of the service together: started, reloaded, edited, stopped."""

from __future__ import annotations

import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
from pydantic import ValidationError

import motionseg
from motionseg.apps.service._complaints import Complaint, complaints_of
from motionseg.apps.service.building import (
    build_camera_segmenter,
    build_detector,
    build_rules,
    places_from_dicts,
    rules_from_dicts,
    segmenter_complaints,
    warm_up,
)
from motionseg.apps.service.bulletin import Bulletin
from motionseg.apps.service.calendar import Calendar
from motionseg.apps.service.config import CameraSection, Config, is_loopback, load_config
from motionseg.apps.service.couriers import Courier, Sink
from motionseg.apps.service.edits import Edits
from motionseg.apps.service.feed import Feed
from motionseg.apps.service.jsonl import JsonlSink
from motionseg.apps.service.ledger import Ledger
from motionseg.apps.service.lookout import Lookout
from motionseg.apps.service.mqtt import MqttSink
from motionseg.apps.service.recorder import Recorder
from motionseg.apps.service.shared_refiner import SharedRuns, share_refiner
from motionseg.apps.service.sight import Sight
from motionseg.apps.service.store import StoreError, Telling
from motionseg.apps.service.topics import announcement
from motionseg.apps.service.tuning import describe_place, describe_rule, describe_tuning
from motionseg.apps.service.webhook import WebhookSink
from motionseg.core.errors import ParameterError
from motionseg.pipeline.segmenter import MotionSegmenter

__all__ = ["CameraLookout", "Service"]

_log = logging.getLogger("motionseg.service")
_STARTING = 60.0  # seconds after which a camera that has shown nothing no longer counts as one that starts
_CHORES_EVERY, _CLEANING_EVERY = 5.0, 600.0  # seconds
_PATIENCE = 5.0  # seconds that the start waits for the store
_MENDED = 500  # events, the newest, whose files are looked for at the start
_MARGIN = 10.0  # seconds of packets beyond what a clip needs: groups of pictures are that long
_LIVE = {"zone", "line", "rule", "max_gap"}  # of a camera's section: what a detector is made of
_SEGMENTER = {"model", "linker", "settings", "refine"}


class CameraLookout(Lookout):
    """A lookout that knows its section of the configuration, and what was edited of it."""

    def __init__(self, section: CameraSection, edits: Edits, runs: SharedRuns, **parts: Any) -> None:
        self.configured, self.edits, self._runs = section, edits, runs
        try:
            self.section = edited(section, edits.facts)
        except ParameterError as error:
            _log.warning("camera %s: what was edited does not fit any more and is left out: %s", section.name, error)
            self.section = section
        sight = Sight(self._segmenter(self.section), build_detector(self.section))
        super().__init__(section.name, sight, cpu=section.cpu, **parts)

    def _segmenter(self, section: CameraSection) -> MotionSegmenter:
        return share_refiner(build_camera_segmenter(section), self._runs)

    def setup(self) -> dict[str, Any]:
        """Zones, lines, rules and tuning as they are, ready for JSON."""
        latest = self.latest()
        size = {} if latest is None else {"n_pixels": latest.segmentation.mask.size}
        places = [describe_place(place) for place in self.places()]
        return {
            "zones": [place for place in places if "sides" not in place],
            "lines": [place for place in places if "sides" in place],
            "rules": [describe_rule(rule) for rule in build_rules(self.section)],
            "tuning": describe_tuning(self.sight.segmenter, build_camera_segmenter(self.configured), **size),
            "edited": bool(self.edits),
        }

    def status(self) -> dict[str, Any]:
        return {**super().status(), "edited": bool(self.edits)}

    def change(self, section: CameraSection) -> None:
        """Go on as `section` says, between two frames. Raises ParameterError, and nothing has changed."""
        now = self.section.model_dump()
        differing = {key for key, value in section.model_dump().items() if now[key] != value}
        segmenter = self._segmenter(section) if differing & _SEGMENTER else None
        build_detector(section)  # says what is wrong before anything changes
        self.call(lambda: self._change(section, segmenter, bool(differing & _LIVE)))

    def _change(self, section: CameraSection, segmenter: Any, other_rules: bool) -> None:
        if other_rules:
            number = self.sight.detector.next_number
            ended = self.sight.change_detector(build_detector(section, first_number=number))
            self._tell(ended, None, None)
        if segmenter is not None and not self.sight.change_segmenter(segmenter):
            _log.info("camera %s: another model learns the scene anew", self.name)
        self.section = section


class Service:
    """Cameras, store, sinks and recorder, as a configuration says.

    Parameters
    ----------
    config : Config
    path : path, optional
        Where it was read, for :meth:`reload`.

    Raises
    ------
    ParameterError
        A camera cannot be built.
    """

    def __init__(self, config: Config, *, path: Path | None = None) -> None:
        self.config, self.config_path = config, path
        self.started = time.time()
        self.state_dir = Path(config.service.state_dir)
        self.bulletin = Bulletin()
        self.ledger = Ledger(
            None if config.store.url is None else config.store.url.get_secret_value(),
            self.state_dir,
            on_recorded=self._recorded,
        )
        self.recordings_folder = config.recordings.folder or self.state_dir / "recordings"
        self.recorder = Recorder(config.recordings, self.recordings_folder, attach=self.ledger.attach)
        self.couriers: list[Courier] = []
        self.lookouts: dict[str, CameraLookout] = {}
        self._runs = SharedRuns()
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="keeper")
        self._lock = threading.RLock()  # one change at a time
        self._stop = threading.Event()
        self._chores: threading.Thread | None = None
        self._starter: threading.Thread | None = None
        for section in config.camera:
            if section.enabled:
                self.lookouts[section.name] = self._lookout(section)

    # --- life --------------------------------------------------------------------------------

    def start(self) -> None:
        """Start all threads. Kernels and OpenCV are left one thread each: cameras run side by side."""
        motionseg.set_num_threads(1)
        cv2.setNumThreads(1)
        os.makedirs(self.state_dir, exist_ok=True)
        self.ledger.start()
        self.ledger.flush(_PATIENCE)  # what an earlier run has left in the journal comes first
        with suppress(StoreError):
            self.recorder.mend(self.ledger.store.events(limit=_MENDED))
        self.recorder.start()
        with self._lock:
            self._start_couriers()
        self._starter = threading.Thread(target=self._start_lookouts, name="starter", daemon=True)
        self._chores = threading.Thread(target=self._do_chores, name="chores", daemon=True)
        self._starter.start()
        self._chores.start()
        _log.info("%d cameras, states in %s", len(self.lookouts), self.state_dir)

    def _start_lookouts(self) -> None:
        with self._lock:
            try:
                warm_up(lookout.section for lookout in self.lookouts.values())
            except Exception:  # each says so itself, frame after frame
                _log.exception("the models could not be tried")
            for lookout in self.lookouts.values():
                if not self._stop.is_set():
                    lookout.start()

    def stop(self) -> None:
        """End between two frames: states are kept, what was told is stored, open events stay open."""
        self._stop.set()
        if self._starter is not None:
            self._starter.join()
        with self._lock:
            lookouts = list(self.lookouts.values())
            for lookout in lookouts:
                lookout.ask_to_stop()
            for lookout in lookouts:
                lookout.stop()
            self.recorder.stop(10.0)
            self._keeper.shutdown()
            if not self.ledger.flush(10.0):
                _log.warning("the store is away; what was told lies in the journal")
            for courier in self.couriers:
                courier.stop(5.0)
            self.ledger.stop(5.0)

    def _lookout(self, section: CameraSection) -> CameraLookout:
        recordings = self.config.recordings
        feed = Feed(
            section.address,
            name=section.name,
            loop=section.loop,
            width=section.width,
            max_fps=section.max_fps,
            stall=section.stall,
            keep=recordings.max_length + _MARGIN if recordings.clips else 0.0,
        )
        return CameraLookout(
            section,
            Edits(self.state_dir / "edits" / f"{section.name}.json"),
            self._runs,
            feed=feed,
            tell=self.ledger.tell,
            recall=self._recall,
            recorder=self.recorder,
            folder=self.state_dir / "cameras",
            keeper=self._keeper,
            state_every=self.config.service.state_every,
        )

    def _recall(self, camera: str) -> tuple[list[Any], int, int]:
        store = self.ledger.store
        if self.ledger.status()["journalled"]:
            raise StoreError("what an earlier run has told is not in the store yet")
        return store.open_events(camera), store.last_number(camera), store.highest_track(camera)

    def _start_couriers(self) -> None:
        self.couriers = [Courier(sink, self.ledger.store) for sink in self._sinks()]
        self._announce()
        with suppress(StoreError):  # of a store that is away: the chores say it again
            self._name_sinks()
        for courier in self.couriers:
            courier.start()

    def _sinks(self) -> list[Sink]:
        config, sinks = self.config, list[Sink]()
        if config.jsonl is not None:
            sinks.append(JsonlSink(**config.jsonl.model_dump()))
        if config.mqtt is not None:
            memory = self.state_dir / "mqtt-topics.json"
            sinks.append(MqttSink(**_revealed(config.mqtt), open_events=self.ledger.store.open_events, memory=memory))
        sinks += [WebhookSink(**_revealed(section)) for section in config.webhook]
        return sinks

    def _name_sinks(self) -> None:
        """So that the log is kept until each of them has it."""
        self.ledger.store.forget_sinks([courier.sink.name for courier in self.couriers])

    def _announce(self) -> None:
        cameras = {
            name: announcement(lookout.sight.detector.rules, lookout.sight.detector.places)
            for name, lookout in self.lookouts.items()
        }
        for courier in self.couriers:
            if isinstance(courier.sink, MqttSink):
                courier.sink.announce(cameras)

    def _recorded(self, tellings: list[Telling]) -> None:
        """Of the ledger: this is in the store now."""
        for courier in self.couriers:
            courier.wake()
        for telling in tellings:
            lookout = self.lookouts.get(telling.event.camera)
            if lookout is not None:
                lookout.stored(telling.event)
            self.bulletin.publish("event", telling.to_dict())

    def _do_chores(self) -> None:
        cleaned, calendar = time.monotonic(), Calendar()
        while not self._stop.wait(_CHORES_EVERY):
            try:
                for courier in self.couriers:
                    if isinstance(courier.sink, MqttSink):
                        for name, lookout in list(self.lookouts.items()):
                            courier.sink.camera_state(name, lookout.status())
                if time.monotonic() - cleaned >= _CLEANING_EVERY:
                    cleaned = time.monotonic()
                    self._name_sinks()
                    self.ledger.store.forget(calendar.now() - 86400 * self.config.store.keep_days)
            except Exception as error:  # of the next round, or never: the cameras go on
                _log.warning("a chore failed: %s", error)

    # --- changes -----------------------------------------------------------------------------

    def reload(self) -> list[str]:
        """Read the configuration again and go on as it says; gives what has changed.

        Cameras that are as before are not touched; other zones, rules and settings are taken up between two frames,
        with all that was learned.

        Raises
        ------
        ParameterError
            The file is wrong, or there is none; nothing has changed.
        """
        if self.config_path is None:
            raise ParameterError("this service was not started from a file")
        new = load_config(self.config_path)
        with self._lock:
            old, self.config = self.config, _as_it_runs(self.config, new)
            parts = ("service", "store", "recordings")
            changes = [f"{part}: restart the service" for part in parts if _differ(self.config, new, part)]
            if self.config.service.token != old.service.token:
                changes.append("service.token: from now on")
            sections = {section.name: section for section in new.camera if section.enabled}
            for name in [name for name in self.lookouts if name not in sections]:
                lookout = self.lookouts.pop(name)
                lookout.close_events()
                lookout.stop()
                changes.append(f"camera {name}: taken away")
            for name, section in sections.items():
                changes += self._take_up(name, section)
            if any(_differ(old, new, part) for part in ("jsonl", "mqtt", "webhook")):
                for courier in self.couriers:
                    courier.stop(5.0)
                self._start_couriers()
                changes.append("sinks: begun anew, each where it was")
            elif changes:
                self._announce()
        for change in changes:
            _log.info("reloaded: %s", change)
        return changes

    def _take_up(self, name: str, section: CameraSection) -> list[str]:
        lookout = self.lookouts.get(name)
        if lookout is None:
            self.lookouts[name] = self._lookout(section)
            self.lookouts[name].start()
            return [f"camera {name}: new"]
        before, after = lookout.configured.model_dump(), section.model_dump()
        differing = sorted(key for key in after if before[key] != after[key])
        if not differing:
            return []
        if set(differing) <= _LIVE | _SEGMENTER:
            lookout.configured = section
            lookout.change(edited(section, lookout.edits.facts))
            return [f"camera {name}: {', '.join(differing)}"]
        lookout.stop()
        self.lookouts[name] = self._lookout(section)
        self.lookouts[name].start()
        return [f"camera {name}: begun anew for {', '.join(differing)}, with what it had learned"]

    def edit(self, camera: str, edits: dict[str, Any]) -> dict[str, Any]:
        """Lay `edits` over what the configuration says of a camera, from the next frame on and over restarts.

        Parameters
        ----------
        edits : dict
            Any of ``zones``, ``lines`` and ``rules``, lists as in the configuration, each replacing all of its kind;
            and ``tuning``, settings that are added to those that were edited before.

        Returns
        -------
        dict
            The camera's setup now.

        Raises
        ------
        KeyError
            There is no such camera.
        ParameterError
            Something is wrong, and nothing has changed.
        OutputError
            It cannot be kept.
        """
        with self._lock:
            lookout = self.lookouts[camera]
            facts = {**lookout.edits.facts, **Edits.checked(edits)}
            if "tuning" in edits:
                facts["tuning"] = {**lookout.edits.facts.get("tuning", {}), **edits["tuning"]}
            lookout.change(edited(lookout.configured, facts))
            lookout.edits.replace(facts)
            self._announce()
            self.bulletin.publish("setup", {"camera": camera})
            return lookout.setup()

    def revert(self, camera: str) -> None:
        """Back to what the configuration says. Raises KeyError where there is no such camera."""
        with self._lock:
            lookout = self.lookouts[camera]
            lookout.change(lookout.configured)
            lookout.edits.replace({})
            self._announce()
            self.bulletin.publish("setup", {"camera": camera})

    # --- what others may know ----------------------------------------------------------------

    def health(self) -> dict[str, Any]:
        """``status``: "starting" until every camera has been seen or given up, "ok", or "degraded"."""
        up = time.time() - self.started
        states = {name: lookout.status()["state"] for name, lookout in list(self.lookouts.items())}
        unseen = [name for name, lookout in list(self.lookouts.items()) if lookout.latest() is None]
        status = "ok" if all(state in ("running", "ended") for state in states.values()) else "degraded"
        if unseen and up < _STARTING:
            status = "starting"
        if self.ledger.status()["last_error"]:
            status = "degraded" if status == "ok" else status
        return {"status": status, "cameras": states, "uptime": round(up, 1), "version": motionseg.__version__}


def edited(section: CameraSection, edits: dict[str, Any]) -> CameraSection:
    """`section` with `edits` laid over it. Raises ParameterError, which names what is wrong by its place."""
    if not edits:
        return section
    facts = section.model_dump()
    for key, field in (("zones", "zone"), ("lines", "line"), ("rules", "rule")):
        facts[field] = edits.get(key, facts[field])
    facts["settings"] = {**facts["settings"], **edits.get("tuning", {})}
    rules_from_dicts(facts["rule"], places_from_dicts(facts["zone"], facts["line"]))
    try:
        changed = CameraSection.model_validate(facts)
        complaints = segmenter_complaints(changed)
    except ValidationError as error:
        complaints = complaints_of(error, facts, CameraSection)
    if complaints:
        raise ParameterError("\n".join(_told(complaint) for complaint in complaints))
    return changed


def _told(complaint: Complaint) -> str:
    """What is wrong, behind the key as it is edited."""
    table, *key = (str(part) for part in complaint.path)
    return f"tuning.{'.'.join(key)}: {complaint.text}" if table == "settings" else complaint.text


def _revealed(section: Any) -> dict[str, Any]:
    """The fields of a section, with secrets as they are."""
    facts = {name: getattr(section, name) for name in type(section).model_fields}
    return {k: v.get_secret_value() if hasattr(v, "get_secret_value") else v for k, v in facts.items()}


def _as_it_runs(old: Config, new: Config) -> Config:
    """`new`, with what stays as it is until the end of the process. Another token is asked for at once; but nobody else
    comes in without one, wherever a file that was read later says that we listen."""
    token = new.service.token
    if token is None and not is_loopback(old.service.host):
        token = old.service.token
    service = old.service.model_copy(update={"token": token})
    return new.model_copy(update={"service": service, "store": old.store, "recordings": old.recordings})


def _differ(old: Config, new: Config, part: str) -> bool:
    return bool(getattr(old, part) != getattr(new, part))
