"""motionseg serve as a process of its own: started, reloaded, edited, stopped, and killed."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from itertools import pairwise

import httpx
import numpy as np
import pytest

from motionseg.io import VideoWriter

pytestmark = pytest.mark.slow

FPS, SECONDS = 10, 6  # of the film, which is shown over and over
YARD = """
[[camera.zone]]
name = "yard"
points = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
"""


def picture(index):
    """A box walks from right to left between frames 15 and 45."""
    rng = np.random.default_rng(index)
    frame = np.random.default_rng(0).integers(80, 120, (96, 128, 3)) + rng.integers(-2, 3, (96, 128, 3))
    frame = frame.astype(np.uint8)
    x = 118 - 4 * (index - 15)
    if 15 <= index < 45:
        frame[40:80, max(x, 0) : max(x + 20, 0)] = (30, 60, 200)
    return frame


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "walk.mp4"
    with VideoWriter(path, fps=FPS) as writer:
        for i in range(FPS * SECONDS):
            writer.write(picture(i), i / FPS)
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Served:
    """A service that runs, or will."""

    def __init__(self, folder, film):
        self.folder, self.film, self.port = folder, film, free_port()
        self.process = None
        self.write(cameras={"door": YARD})

    def write(self, *, cameras, service="state_every = 1", more=""):
        sections = [f'[[camera]]\nname = "{n}"\nsource = "{self.film}"\nloop = true\n{t}' for n, t in cameras.items()]
        text = f'[service]\nport = {self.port}\nstate_dir = "state"\n{service}\n{more}\n' + "\n".join(sections)
        self.config.write_text(text)

    @property
    def config(self):
        return self.folder / "c.toml"

    @property
    def log(self):
        return (self.folder / "log").read_text()

    def start(self):
        with open(self.folder / "log", "ab") as log:
            command = [sys.executable, "-m", "motionseg", "serve", str(self.config)]
            self.process = subprocess.Popen(command, stderr=log, stdout=log, env={**os.environ, "OMP_NUM_THREADS": "1"})
        self.wait_for(lambda: self.get("/health").status_code == 200)
        return self

    def stop(self, number=signal.SIGTERM):
        if self.process is None or self.process.poll() is not None:
            return None
        self.process.send_signal(number)
        return self.process.wait(30)

    def get(self, path, **how):
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=10, **how)

    def put(self, path, facts):
        return httpx.put(f"http://127.0.0.1:{self.port}{path}", json=facts, timeout=10)

    def events(self, **query):
        return self.get("/api/events", params=query).json()["events"]

    def closed(self, **query):
        return [event for event in self.events(**query) if event["end"] is not None]

    def wait_for(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log
            try:
                if condition():
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"it did not come to that within {seconds} s; log:\n{self.log}")


@pytest.fixture
def served(tmp_path, film):
    served = Served(tmp_path, film)
    yield served
    served.stop(signal.SIGKILL)


def overlaps(events):
    spans = sorted((event["start"], event["end"]) for event in events)
    return [(a, b) for a, b in pairwise(spans) if b[0] < a[1]]


def test_tells_events_and_stops_cleanly(served):
    served.start()
    served.wait_for(lambda: len(served.closed()) >= 2)
    events = served.closed()
    assert {(event["camera"], event["rule"], event["zone"]) for event in events} == {("door", "enter", "yard")}
    assert not overlaps(events)
    assert abs(events[0]["start"] - time.time()) < 60
    served.wait_for(lambda: any(event["clip"] for event in served.closed()))
    clip = next(event["clip"] for event in served.closed() if event["clip"])
    assert served.get(clip).content[4:8] == b"ftyp"
    assert served.stop() == 0
    assert "Traceback" not in served.log
    assert (served.folder / "state" / "cameras" / "door.npz").exists()


def test_goes_on_after_kill_9(served):
    tracks, ids = [], []
    for _ in range(3):
        served.start()
        n = len(served.closed(limit=500))
        served.wait_for(lambda n=n: len(served.closed(limit=500)) >= n + 2)
        time.sleep(np.random.default_rng(n).uniform(0, 2))
        tracks += [max(event["track_ids"]) for event in served.closed(limit=500)[:1]]
        served.stop(signal.SIGKILL)
    with sqlite3.connect(served.folder / "state" / "events.db") as store:
        store.execute("pragma integrity_check")
    served.start()
    served.wait_for(lambda: len(served.closed(limit=500)) >= 7)
    events = served.events(limit=500)
    ids = [event["id"] for event in events]
    assert len(ids) == len(set(ids))
    assert tracks == sorted(set(tracks))  # ids go on
    assert not overlaps([event for event in events if event["end"] is not None])
    assert len([event for event in events if event["end"] is None]) <= 1
    assert "learned anew" not in served.log  # warm


def test_a_damaged_state_is_kept_aside(served):
    served.start()
    served.wait_for(lambda: (served.folder / "state" / "cameras" / "door.npz").exists())
    served.stop(signal.SIGKILL)
    path = served.folder / "state" / "cameras" / "door.npz"
    path.write_bytes(path.read_bytes()[:1000])
    served.start()
    served.wait_for(lambda: len(served.closed()) >= 1)
    assert list(path.parent.glob("door.damaged-*.npz"))
    assert "kept aside" in served.log


def test_reloads_and_is_edited_without_losing_what_it_knows(served):
    served.start()
    served.wait_for(lambda: len(served.closed()) >= 1)
    gate = '[[camera.line]]\nname = "gate"\npoints = [[0.5, 0], [0.5, 1]]\n'
    served.write(cameras={"door": YARD + gate, "back": YARD})
    served.process.send_signal(signal.SIGHUP)
    served.wait_for(lambda: served.events(rule="cross", camera="door"))
    served.wait_for(lambda: served.events(camera="back"))
    assert served.get("/api/cameras/door").json()["frames_read"] > 60
    served.write(cameras={"door": "nonsense = 1"})
    served.process.send_signal(signal.SIGHUP)
    served.wait_for(lambda: "was not reloaded" in served.log)
    assert "nonsense" in served.log

    corner = {"name": "corner", "points": [[0, 0], [0.3, 0], [0.3, 1], [0, 1]]}
    path = "/api/cameras/door/zones"
    zones = served.get("/api/cameras/door").json()["setup"]["zones"]
    rules = [{"kind": "enter", "zones": ["corner"], "name": "in corner"}]
    assert served.put(path, [*zones, corner]).status_code == 200
    assert served.put("/api/cameras/door/rules", rules).status_code == 200
    served.wait_for(lambda: served.events(rule="in corner"))
    bad = served.put(path, [{"name": "corner", "points": [[0, 0], [2, 0]]}])
    assert bad.status_code in (400, 422)
    assert "corner" in bad.json()["error"] or "points" in bad.json()["error"]
    tuned = served.put("/api/cameras/door/tuning", {"threshold": 40, "min_area": 9}).json()
    threshold = served.get("/api/cameras/door").json()["setup"]["tuning"]["threshold"]
    assert (threshold["value"], threshold["default"]) == (40, 28), tuned
    bad = served.put("/api/cameras/door/tuning", {"threshold": -4})
    assert bad.status_code in (400, 422)
    assert bad.json()["error"].startswith("tuning.threshold")
    assert "learns the scene anew" not in served.log
    assert served.stop() == 0
    served.write(cameras={"door": YARD})
    served.start()
    assert served.get("/api/cameras/door").json()["setup"]["edited"]
    n = len(served.events(rule="in corner", limit=500))
    served.wait_for(lambda: len(served.events(rule="in corner", limit=500)) > n)
    revert = httpx.delete(f"http://127.0.0.1:{served.port}/api/cameras/door/edits", timeout=10)
    assert revert.status_code in (200, 204)
    assert not served.get("/api/cameras/door").json()["setup"]["edited"]


def test_only_one_service_uses_a_folder_and_a_port(served):
    served.start()
    command = [sys.executable, "-m", "motionseg", "serve", str(served.config)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert second.returncode == 4
    assert "another motionseg" in second.stderr
    assert "Traceback" not in second.stderr
    served.config.write_text(served.config.read_text().replace('"state"', '"other"'))
    third = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert third.returncode == 4
    assert str(served.port) in third.stderr


def test_a_budget_is_kept_and_said(served):
    served.write(cameras={"door": YARD + "\n[camera.settings]\n", "slow": "cpu = 0.05\nmodel = 'subsense+guard'\n"})
    served.start()
    served.wait_for(lambda: served.get("/api/cameras/slow").json()["budget"], seconds=90)
    status = served.get("/api/cameras/slow").json()
    assert "cores" in status["budget"]
    assert status["frames_skipped"] > 0


def test_an_unknown_configuration_is_an_error(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("[[camera]]\nname = 'door'\nsource = 'a.mp4'\nwidht = 3\n")
    done = subprocess.run(
        [sys.executable, "-m", "motionseg", "serve", str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "c.toml:4" in done.stderr
    assert "width" in done.stderr
