"""Reloads, edits and stops of a service in this process: done as a whole, or said so, or not at all."""

from __future__ import annotations

import pytest

from motionseg.apps.service import camera as camera_module
from motionseg.apps.service import service as service_module
from motionseg.apps.service.config import load_config
from motionseg.apps.service.lookout import Lookout
from motionseg.apps.service.service import Service
from motionseg.core.errors import OutputError, ParameterError
from motionseg.core.types import Event

YARD = '[[camera.zone]]\nname = "yard"\npoints = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]\n'
GATE = '[[camera.line]]\nname = "gate"\npoints = [[0.5, 0], [0.5, 1]]\n'
IN_YARD = [{"kind": "enter", "name": "into", "zones": ["yard"]}]


class Bench:
    """A service whose cameras show nothing, and are not begun unless a test does."""

    def __init__(self, folder):
        self.folder = folder
        self.write(door=YARD, back="")
        self.service = Service(load_config(self.config), path=self.config)

    @property
    def config(self):
        return self.folder / "c.toml"

    def write(self, more="", **cameras):
        head = f'[service]\nport = 0\nstate_dir = "state"\n{more}\n'
        section = '[[camera]]\nname = "{}"\nsource = "nothing.mp4"\nmodel = "running_average"\n{}\n'
        self.config.write_text(head + "".join(section.format(*camera) for camera in cameras.items()))

    def setup(self, name="door"):
        return self.service.lookouts[name].setup()


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.service.stop()


def fail(*_, **__):
    raise OutputError("no room")


def test_an_edit_that_cannot_be_kept_changes_nothing(bench, monkeypatch):
    monkeypatch.setattr("motionseg.apps.service.edits.write_json", fail)
    before = bench.setup()
    with pytest.raises(OutputError, match="no room"):
        bench.service.edit("door", {"rules": IN_YARD})
    assert bench.setup() == before


def test_an_edit_that_cannot_be_done_is_not_kept(bench, monkeypatch):
    bench.service.edit("door", {"rules": IN_YARD})
    before, path = bench.setup(), bench.folder / "state" / "edits" / "door.json"
    kept = path.read_bytes()

    def busy(*_):
        raise TimeoutError("it is busy")

    monkeypatch.setattr(bench.service.lookouts["door"], "call", busy)
    with pytest.raises(TimeoutError):
        bench.service.edit("door", {"rules": []})
    with pytest.raises(TimeoutError):
        bench.service.revert("door")
    assert bench.setup() == before
    assert path.read_bytes() == kept
    monkeypatch.undo()
    bench.service.revert("door")
    assert not path.exists()
    assert not bench.setup()["edited"]


def test_a_reload_leaves_out_edits_that_do_not_fit_any_more(bench, caplog):
    bench.service.edit("door", {"rules": IN_YARD})
    bench.write(door=GATE, back="")
    assert bench.service.reload() == ["camera door: line, zone"]
    assert "does not fit any more" in caplog.text
    assert [rule["kind"] for rule in bench.setup()["rules"]] == ["cross"]
    assert bench.service.reload() == []


def test_a_reload_with_a_camera_that_cannot_be_made_changes_nothing(bench, monkeypatch):
    before, config = dict(bench.service.lookouts), bench.service.config
    bench.write(door=GATE, front="")

    def refuse(section, **_):
        if section.name == "front":
            raise ParameterError("it cannot be made")
        return real(section, **_)

    real = camera_module.build_detector
    monkeypatch.setattr(camera_module, "build_detector", refuse)
    with pytest.raises(ParameterError, match="cannot be made"):
        bench.service.reload()
    assert bench.service.lookouts == before
    assert bench.service.config is config
    assert bench.setup()["lines"] == []
    monkeypatch.undo()
    assert sorted(bench.service.reload()) == ["camera back: taken away", "camera door: line, zone", "camera front: new"]


def test_a_reload_with_sinks_that_cannot_be_made_leaves_those_that_are(bench, monkeypatch):
    bench.service._start_couriers()
    monkeypatch.setattr(service_module, "JsonlSink", fail)
    bench.write('[jsonl]\npath = "told.jsonl"\n', door=YARD)
    with pytest.raises(OutputError):
        bench.service.reload()
    assert sorted(bench.service.lookouts) == ["back", "door"]
    monkeypatch.undo()
    assert bench.service.reload() == ["camera back: taken away", "sinks: begun anew, each where it was"]
    assert [courier.name for courier in bench.service.couriers] == ["jsonl"]


def test_what_fails_in_a_reload_stops_nothing_else_and_is_tried_again(bench, monkeypatch, caplog):
    bench.write(door="max_fps = 5\n" + YARD, back="max_fps = 5\n", front="")
    lookouts = dict(bench.service.lookouts)
    real = Lookout.start

    def start(lookout):
        if lookout.name == "back":
            raise RuntimeError("can't start new thread")
        real(lookout)

    monkeypatch.setattr(Lookout, "start", start)
    monkeypatch.setattr(lookouts["door"], "stop", lambda: False)  # in the middle of a frame
    changes = bench.service.reload()
    assert changes == [
        "camera door: not yet begun anew for max_fps, with what it had learned: its last frame takes too long",
        "camera back: not yet begun anew for max_fps, with what it had learned: can't start new thread",
        "camera front: new",
    ]
    assert "can't start new thread" in caplog.text
    assert bench.service.lookouts["door"] is lookouts["door"]  # never two at once
    monkeypatch.undo()
    assert [change.partition(" for")[0] for change in bench.service.reload()] == [
        "camera door: begun anew",
        "camera back: begun anew",
    ]
    assert bench.service.reload() == []
    assert all(lookout.is_alive for lookout in bench.service.lookouts.values())


def test_a_camera_that_is_taken_away_tells_no_more_after_its_events_have_ended(bench, monkeypatch):
    bench.service.ledger.start()
    lookout, order = bench.service.lookouts["back"], []
    stop = lookout.stop
    monkeypatch.setattr(lookout, "stop", lambda: order.append("stopped") or stop())
    lookout.sight.time = 10.0

    def close():
        order.append("closed")
        return [Event("back-1-5", "back", "enter", "", (), 5.0, 6.0)]

    monkeypatch.setattr(lookout.sight, "close", close)
    bench.write(door=YARD)
    assert bench.service.reload() == ["camera back: taken away"]
    assert order == ["stopped", "closed"]
    assert bench.service.ledger.flush(10)
    assert bench.service.ledger.store.event("back-1-5")["end"] == 6.0


def test_a_camera_that_cannot_be_begun_keeps_no_other_from_it(bench, monkeypatch, caplog):
    def start(lookout):
        if lookout.name == "door":
            raise MemoryError
        begun.append(lookout.name)

    begun = []
    monkeypatch.setattr(Lookout, "start", start)
    bench.service._start_lookouts()
    assert begun == ["back"]
    assert "could not be started" in caplog.text


def test_a_camera_that_has_ended_by_itself_is_begun_again(bench, monkeypatch, caplog):
    service, before = bench.service, bench.service.lookouts["door"]
    service._start_lookouts()
    service._begin_again()
    assert service.lookouts["door"] is before
    assert before.stop()
    with monkeypatch.context() as patch:
        patch.setattr(Lookout, "start", fail)
        service._begin_again()
    assert "begun again: no room" in caplog.text
    service._begin_again()
    assert service.lookouts["door"] is not before
    assert service.lookouts["door"].is_alive


def test_health_notices_what_shows_nothing_or_fails(bench, monkeypatch):
    service = bench.service
    assert service.health()["status"] == "starting"
    monkeypatch.setattr(service_module, "_STARTING", -1.0)
    for lookout in service.lookouts.values():
        monkeypatch.setattr(lookout.feed, "status", lambda: {"state": "running", "since": 0.0})
    assert service.health()["status"] == "degraded"  # pictures come, and none could be looked at
    for lookout in service.lookouts.values():
        monkeypatch.setattr(lookout, "latest", lambda: object())
    assert service.health()["status"] == "ok"
    service.lookouts["door"]._failures = 1000
    assert service.health()["status"] == "degraded"


def test_nothing_changes_after_the_stop(tmp_path):
    bench = Bench(tmp_path)
    bench.service.start()
    bench.service.stop()
    bench.write(door=YARD, back="", front="")
    for change in (bench.service.reload, lambda: bench.service.edit("door", {}), lambda: bench.service.revert("door")):
        with pytest.raises(OutputError, match="stopping"):
            change()
    assert sorted(bench.service.lookouts) == ["back", "door"]
    bench.service._chores.join(10)
    assert not bench.service._chores.is_alive()
