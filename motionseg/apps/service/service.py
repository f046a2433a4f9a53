"""All parts of the service together: started, reloaded, edited, stopped."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import cv2

import motionseg
from motionseg.apps.service._priority import step_back
from motionseg.apps.service.building import (
    warm_up,
)
from motionseg.apps.service.bulletin import Bulletin
from motionseg.apps.service.calendar import Calendar
from motionseg.apps.service.camera import LIVE, CameraLookout, edited
from motionseg.apps.service.config import CameraSection, Config, is_loopback, load_config
from motionseg.apps.service.couriers import Courier, Sink
from motionseg.apps.service.edits import Edits
from motionseg.apps.service.feed import Feed
from motionseg.apps.service.jsonl import JsonlSink
from motionseg.apps.service.ledger import Ledger
from motionseg.apps.service.memory import give_back
from motionseg.apps.service.mqtt import MqttSink
from motionseg.apps.service.recorder import Recorder
from motionseg.apps.service.shared_refiner import SharedRuns
from motionseg.apps.service.store import StoreError, Telling
from motionseg.apps.service.topics import announcement
from motionseg.apps.service.webhook import WebhookSink
from motionseg.core.errors import MotionSegError, OutputError, ParameterError

__all__ = ["CameraLookout", "Service"]

_log = logging.getLogger("motionseg.service")
_STARTING = 60.0  # seconds after which a camera that has shown nothing no longer counts as one that starts
_CHORES_EVERY, _TRIMMING_EVERY, _CLEANING_EVERY = 5.0, 30.0, 600.0  # seconds
_PATIENCE = 5.0  # seconds that the start waits for the store
_MENDED = 500  # events, the newest, whose files are looked for at the start
_MARGIN = 10.0  # seconds of packets beyond what a clip needs: groups of pictures are that long


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
        self.started, self._begun = time.time(), time.monotonic()
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
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="keeper", initializer=step_back)
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
            for name, lookout in self.lookouts.items():
                if not self._stop.is_set():
                    try:
                        lookout.start()
                    except Exception:  # the others are to be looked at all the same
                        _log.exception("camera %s: it could not be started", name)

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
                if not lookout.stop():
                    _log.warning("camera %s: its last frame takes too long and is left alone", lookout.name)
            self.recorder.stop(10.0)
            self._keeper.shutdown()
            if not self.ledger.flush(10.0):
                _log.warning("the store is away; what was told lies in the journal")
            for courier in self.couriers:
                courier.stop(5.0)
            self.ledger.stop(5.0)

    def _lookout(self, section: CameraSection) -> CameraLookout:
        recordings = self.recorder.section
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
        if self.ledger.status()["queued"]:
            raise StoreError("what was told before is not in the store yet")
        return store.open_events(camera), store.last_number(camera), store.highest_track(camera)

    def _start_couriers(self) -> None:
        self.couriers = [Courier(sink, self.ledger.store) for sink in self._sinks(self.config)]
        self._announce()
        with suppress(StoreError):  # of a store that is away: the chores say it again
            self._name_sinks()
        for courier in self.couriers:
            courier.start()

    def _sinks(self, config: Config) -> list[Sink]:
        sinks = list[Sink]()
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
        cleaned = trimmed = time.monotonic()
        calendar = Calendar()
        while not self._stop.wait(_CHORES_EVERY):
            try:
                for courier in self.couriers:
                    if isinstance(courier.sink, MqttSink):
                        for name, lookout in list(self.lookouts.items()):
                            courier.sink.camera_state(name, lookout.status())
                if time.monotonic() - trimmed >= _TRIMMING_EVERY:
                    trimmed = time.monotonic()
                    give_back()
                    self._begin_again()
                if time.monotonic() - cleaned >= _CLEANING_EVERY:
                    cleaned = time.monotonic()
                    self._name_sinks()
                    self.ledger.store.forget(calendar.now() - 86400 * self.config.store.keep_days)
            except Exception as error:  # of the next round, or never: the cameras go on
                _log.warning("a chore failed: %s", error)

    def _begin_again(self) -> None:
        """Cameras that have ended though they are wanted, or could not be begun, are tried again."""
        if not self._lock.acquire(blocking=False):  # there are changes under way
            return
        try:
            wanted = {section.name: section for section in self.config.camera if section.enabled}
            for name, lookout in list(self.lookouts.items()):
                if name in wanted and not lookout.is_alive and not self._stop.is_set():
                    _log.warning("%s", _done(name, "begun again", partial(self._begin_new, wanted[name])))
        finally:
            self._lock.release()

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
            self._check_going()
            old = self.config
            steps = self._steps({section.name: section for section in new.camera if section.enabled})
            are_sinks_new = any(_differ(old, new, part) for part in ("jsonl", "mqtt", "webhook"))
            if are_sinks_new:
                for sink in self._sinks(new):  # so that what is wrong with them is said now
                    sink.close()
            self.config = _as_it_runs(old, new)
            parts = [part for part in ("service", "store", "recordings") if _differ(self.config, new, part)]
            changes = [f"{part}: restart the service" for part in parts]
            if self.config.service.token != old.service.token:
                changes.append("service.token: from now on")
            changes += [_done(*step) for step in steps]
            if are_sinks_new:
                for courier in self.couriers:
                    courier.stop(5.0)
                self._start_couriers()
                changes.append("sinks: begun anew, each where it was")
            elif changes:
                self._announce()
        for change in changes:
            _log.info("reloaded: %s", change)
        return changes

    def _steps(self, sections: dict[str, CameraSection]) -> list[tuple[str, str, Callable[[], None]]]:
        """What is to be done so that there are these cameras: name, what, and how. Raises ParameterError."""
        gone = [name for name in self.lookouts if name not in sections]
        steps = [(name, "taken away", partial(self._take_away, name)) for name in gone]
        for name, section in sections.items():
            lookout = self.lookouts.get(name)
            if lookout is None:
                steps.append((name, "new", partial(self._begin, self._lookout(section))))
                continue
            before, after = lookout.configured.model_dump(), section.model_dump()
            differing = sorted(key for key in after if before[key] != after[key])
            if set(differing) <= LIVE and not lookout.is_stopping:
                if differing:
                    steps.append((name, ", ".join(differing), lookout.reconfigure(section)))
                continue
            why = f" for {', '.join(differing)}" if differing else ""
            what = f"begun anew{why}, with what it had learned"
            steps.append((name, what, partial(self._begin, self._lookout(section))))
        return steps

    def _take_away(self, name: str) -> None:
        _end(self.lookouts[name])
        self.lookouts[name].close_events()
        del self.lookouts[name]

    def _begin(self, lookout: CameraLookout) -> None:
        """In place of the one of that name, if there is one."""
        if lookout.name in self.lookouts:
            _end(self.lookouts[lookout.name])
        lookout.start()
        self.lookouts[lookout.name] = lookout

    def _begin_new(self, section: CameraSection) -> None:
        self._begin(self._lookout(section))

    def _check_going(self) -> None:
        if self._stop.is_set():
            raise OutputError("the service is stopping")

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
            self._check_going()
            lookout = self.lookouts[camera]
            facts = {**lookout.edits.facts, **Edits.checked(edits)}
            if "tuning" in edits:
                facts["tuning"] = {**lookout.edits.facts.get("tuning", {}), **edits["tuning"]}
            self._take_up(lookout, facts)
            return lookout.setup()

    def revert(self, camera: str) -> None:
        """Back to what the configuration says. Raises KeyError where there is no such camera."""
        with self._lock:
            self._check_going()
            self._take_up(self.lookouts[camera], {})

    def _take_up(self, lookout: CameraLookout, facts: dict[str, Any]) -> None:
        """Keep `facts` as what was edited, and go on so: both, or nothing has changed."""
        change, before = lookout.change_to(edited(lookout.configured, facts)), lookout.edits.facts
        lookout.edits.replace(facts)
        try:
            change()
        except Exception:
            lookout.edits.replace(before)
            raise
        self._announce()
        self.bulletin.publish("setup", {"camera": lookout.name})

    # --- what others may know ----------------------------------------------------------------

    def health(self) -> dict[str, Any]:
        """``status``: "starting" until every camera has been seen or given up, "ok", or "degraded"."""
        up, lookouts = time.monotonic() - self._begun, dict(self.lookouts)
        states = {name: lookout.status()["state"] for name, lookout in lookouts.items()}
        is_ok = all(state in ("running", "ended") for state in states.values())
        is_ok &= all(lookout.is_well for lookout in lookouts.values()) and not self.ledger.status()["last_error"]
        status = "ok" if is_ok else "degraded"
        if any(lookout.latest() is None for lookout in lookouts.values()):
            status = "starting" if up < _STARTING else "degraded"
        return {"status": status, "cameras": states, "uptime": round(up, 1), "version": motionseg.__version__}


def _end(lookout: CameraLookout) -> None:
    if not lookout.stop():  # two of one name would tell things twice
        raise TimeoutError("its last frame takes too long")


def _done(name: str, what: str, step: Callable[[], None]) -> str:
    """Do something with a camera, and say so; what fails stops nothing else, and another reload tries it again."""
    try:
        step()
    except Exception as error:
        is_expected = isinstance(error, (TimeoutError, MotionSegError))
        _log.error("camera %s: %s: %s", name, what, error, exc_info=not is_expected)
        return f"camera {name}: not yet {what}: {error}"
    return f"camera {name}: {what}"


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
