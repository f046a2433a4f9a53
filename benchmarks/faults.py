"""What `motionseg serve` loses and tells twice when things around it fail, before a camera of which all is known.

    python benchmarks/faults.py                       every scenario, into benchmarks/results/faults.json
    python benchmarks/faults.py --only kill --times 5
    python benchmarks/faults.py --quick               the same in short, written nowhere unless --out says where

A run that was broken off goes on with what is missing; --again does all of it anew. Exit status 1: something was lost,
told twice, or otherwise wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from _served import FaultError, Mosquitto, Postgres, wait_for
from _shared import Row, say, write_rows
from _stage import LEARNING, STALL, TOLD, Stage, with_problems

RESULTS = Path(__file__).parent / "results" / "faults.json"
# --- scenarios ---------------------------------------------------------------------------------


def camera_drops(args: argparse.Namespace, folder: Path) -> Row:
    """The camera closes its connections and refuses new ones for a while."""
    with Stage(folder) as stage:
        for _ in range(args.times):
            time.sleep(args.random.uniform(5, 16))
            fault = stage.camera.drop(args.random.uniform(0.5, 3 if args.quick else 8))
            stage.note_down(fault.begin, fault.end)
        reconnects = stage.served.camera()["reconnects"]
        stage.expect(reconnects >= args.times, f"{reconnects} reconnects counted")
        return stage.result()


def camera_silent(args: argparse.Namespace, folder: Path) -> Row:
    """The connection stays, and nothing comes: the watchdog has to notice."""
    with Stage(folder) as stage:
        for _ in range(args.times):
            time.sleep(args.random.uniform(1, 7))
            fault = stage.camera.silence(STALL + (3 if args.quick else args.random.uniform(3, 16)))
            stage.note_down(fault.begin, fault.end)
        stalls = stage.served.camera()["stalls"]
        stage.expect(stalls >= args.times, f"{stalls} stalls counted")
        return stage.result()


def broker_away(args: argparse.Namespace, folder: Path) -> Row:
    """The MQTT broker is gone for a minute, and every event has to reach it afterwards."""
    broker = Mosquitto(folder / "broker")
    broker.start()
    try:
        with _subscribed(broker.port) as messages, Stage(folder, _mqtt(broker.port)) as stage:
            for _ in range(args.times):
                stage.rest()
                broker.stop()
                time.sleep(12 if args.quick else 60)
                broker.start()
                stage.rest()
            stage.expect(stage.served.metric("motionseg_sink_failures_total") > 0, "the broker was never missed")
            row = stage.result()
            ids = {event.id for event in stage.events() if event.end is not None}
            with suppress(FaultError):
                wait_for("all events", lambda: ids <= messages.keys(), 30)
            absent = sorted(ids - messages.keys())
            again = sum(n - 1 for n in messages.values())
            row |= {"delivered": len(ids) - len(absent), "missing": len(absent), "delivered_again": again}
            return with_problems(row, [f"never came to the broker: {id}" for id in absent])
    finally:
        broker.stop()


def _mqtt(port: int) -> str:
    return f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'


@contextmanager
def _subscribed(port: int) -> Iterator[dict[str, int]]:
    """How often the end of each event came, by its id; as one who listens sees it, also after the broker was away."""
    import paho.mqtt.client as mqtt

    told: dict[str, int] = {}

    def note(_client: Any, _data: Any, message: Any) -> None:
        with suppress(ValueError, UnicodeDecodeError):
            facts = json.loads(message.payload)
            if not message.retain and isinstance(facts, dict) and "id" in facts and facts.get("end") is not None:
                told[facts["id"]] = told.get(facts["id"], 0) + 1

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="judge", clean_session=False)
    client.on_message = note
    client.on_connect = lambda *_: client.subscribe("motionseg/#", qos=1)
    client.reconnect_delay_set(1, 2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield told
    finally:
        client.disconnect()
        client.loop_stop()


def database_locked(args: argparse.Namespace, folder: Path) -> Row:
    """Another process holds the SQLite file."""
    with Stage(folder) as stage:
        for _ in range(args.times):
            stage.rest()
            lock = sqlite3.connect(stage.store, isolation_level=None, timeout=10)
            lock.execute("BEGIN IMMEDIATE")
            try:
                time.sleep(12 if args.quick else 30)
                stage.served.check_alive()
            finally:
                lock.execute("ROLLBACK")
                lock.close()
        stage.expect(stage.served.metric("motionseg_store_retries_total") > 0, "the store was never missed")
        return stage.result()


def database_restarted(args: argparse.Namespace, folder: Path) -> Row:
    """PostgreSQL is stopped, once as it should be and once as by a power cut, and started again."""
    server = Postgres(folder / "postgres")
    server.start()
    try:
        with Stage(folder, f'[store]\nurl = "{server.url}"\n', store=server.url) as stage:
            for turn in range(args.times):
                time.sleep(args.random.uniform(1, 7))
                before = stage.events()
                server.stop("immediate" if turn % 2 else "fast")
                time.sleep(args.random.uniform(4, 8 if args.quick else 20))
                server.start()
                stage.rest()
                stage.expect_alike(before)
            stage.expect(stage.served.metric("motionseg_store_retries_total") > 0, "the store was never missed")
            return stage.result()
    finally:
        server.stop("immediate")


def disk_full(args: argparse.Namespace, folder: Path) -> Row:
    """Not a byte is left where state, store and recordings are; then there is room again."""
    state = folder / "small"
    state.mkdir()
    if os.getuid() != 0:
        return {"left_out": "needs root, to mount a small disk"}
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(state)], capture_output=True)
    if mounted.returncode:
        return {"left_out": f"no disk could be mounted: {mounted.stderr.decode(errors='replace').strip()}"}
    try:
        with Stage(folder, state_dir=state) as stage:
            for _ in range(args.times):
                stage.rest()
                ballast = state / "ballast"
                _fill(ballast, 12 if args.quick else 40)
                stage.served.check_alive()
                ballast.unlink()
                stage.rest()
            stage.expect(stage.served.metric("motionseg_store_retries_total") > 0, "the store was never missed")
            return stage.result()
    finally:
        subprocess.run(["umount", "-l", str(state)], capture_output=True)


def _fill(ballast: Path, seconds: float) -> None:
    """Leave no room on the disk of `ballast` for a while, also where others give some up."""
    end = time.monotonic() + seconds
    with open(ballast, "wb", buffering=0) as file:
        while time.monotonic() < end:
            for size in (1 << 20, 4096, 1):
                with suppress(OSError):
                    while file.write(bytes(size)):
                        pass
            time.sleep(0.2)


def kill(args: argparse.Namespace, folder: Path) -> Row:
    """kill -9 at a random moment, and a start; what was closed stays, and JSON Lines has all of it."""
    lines = folder / "events.jsonl"
    with Stage(folder, f'[jsonl]\npath = "{lines}"\n', state_every=15.0) as stage:
        for _ in range(args.times):
            time.sleep(args.random.uniform(3, 15))
            before = stage.events()
            at = stage.served.kill()
            if args.random.random() < 0.2:  # also while it starts
                stage.served.start(ready=False)
                time.sleep(args.random.uniform(0, 5))
                stage.served.kill()
            begun = time.time()
            stage.served.start()
            stage.note_down(at, begun)
            stage.expect_alike(before)
        row = stage.result(after=1.0)
        closed = {event.id for event in stage.events() if event.end is not None}
        ends, torn = _ends_in(lines)
        row |= {"jsonl_missing": len(closed - ends.keys()), "jsonl_torn": torn}
        problems = [f"not in {lines.name}: {id}" for id in sorted(closed - ends.keys())]
        problems += [f"{id} ends at {sorted(told)} in {lines.name}" for id, told in ends.items() if len(told) > 1]
        return with_problems(row, problems)


def _ends_in(path: Path) -> tuple[dict[str, set[float]], int]:
    """The ends that each id has in a file of JSON Lines; how many lines are none."""
    ends: dict[str, set[float]] = {}
    torn = 0
    for line in path.read_text(errors="replace").splitlines():
        try:
            facts = json.loads(line)
        except ValueError:
            torn += 1
            continue
        if facts.get("end") is not None:
            ends.setdefault(facts["id"], set()).add(facts["end"])
    return ends, torn


def restarted(args: argparse.Namespace, folder: Path) -> Row:
    """SIGTERM at a random moment, and a start: as after an update."""
    with Stage(folder) as stage:
        for _ in range(args.times):
            time.sleep(args.random.uniform(3, 15))
            before = stage.events()
            at = time.time()
            stage.served.stop()
            begun = time.time()
            stage.served.start()
            stage.note_down(at, begun)
            stage.expect_alike(before)
        return stage.result(after=1.0)


def kill_without_store(args: argparse.Namespace, folder: Path) -> Row:
    """PostgreSQL is away; what is told meanwhile has to survive a kill -9, and a start before the store is back."""
    server = Postgres(folder / "postgres")
    server.start()
    try:
        with Stage(folder, f'[store]\nurl = "{server.url}"\n', store=server.url) as stage:
            for _ in range(args.times):
                stage.rest()
                before = stage.events()
                server.stop("immediate")
                stage.rest()
                at = stage.served.kill()
                begun = time.time()
                stage.served.start()
                stage.note_down(at, begun)
                stage.rest()
                server.start()
                stage.rest(2)
                stage.expect_alike(before)
            return stage.result(after=1.0)
    finally:
        server.stop("immediate")


_SHIFTED = """\
import os, time

_time, _time_ns = time.time, time.time_ns


def _ahead():
    try:
        with open(os.environ["AHEAD"]) as file:
            return float(file.read())
    except (OSError, ValueError, KeyError):
        return 0.0


time.time = lambda: _time() + _ahead()
time.time_ns = lambda: _time_ns() + int(_ahead() * 1e9)
"""


class Clock:
    """The wall clock of a service.

    `time.time` and `time.time_ns` of its Python are shifted (a sitecustomize.py); ``datetime.now``, the clocks of
    libraries in C and the times of files are not.
    """

    _AHEAD = (3600.0, -3600.0, 40.5 * 86400, -7.3e8, 1800.0, -86400.0, 90.0, -5400.0)

    def __init__(self, folder: Path) -> None:
        self._file, shifted = folder / "ahead", folder / "shifted"
        shifted.mkdir()
        (shifted / "sitecustomize.py").write_text(_SHIFTED)
        path = os.pathsep.join(filter(None, [str(shifted), os.environ.get("PYTHONPATH")]))
        self.environment = {"PYTHONPATH": path, "AHEAD": str(self._file)}
        self.jumps = [(0.0, 0.0)]  # since when, seconds ahead

    def set(self) -> None:
        """Another time, as it was never before."""
        turn = len(self.jumps) - 1
        ahead = self._AHEAD[turn % len(self._AHEAD)] + 400 * (turn // len(self._AHEAD))
        new = self._file.with_suffix(".new")
        new.write_text(str(ahead))
        os.replace(new, self._file)
        self.jumps.append((time.time(), ahead))


def clock_jumps(args: argparse.Namespace, folder: Path) -> Row:
    """The wall clock is set, now between passages, now in the middle of one."""
    clock = Clock(folder)
    with Stage(folder, environment=clock.environment) as stage:
        for turn in range(args.times):
            passage = stage.next_passage()
            time.sleep((passage.enter + 1.2 if turn % 2 == 0 else passage.leave + TOLD) - time.time())
            clock.set()
            stage.rest()
        return stage.result(jumps=clock.jumps)


def clock_set_while_down(args: argparse.Namespace, folder: Path) -> Row:
    """kill -9 in the middle of a passage; when the service starts again, the clock has been set."""
    clock = Clock(folder)
    with Stage(folder, environment=clock.environment, state_every=30.0) as stage:  # events that no state knows of
        for _ in range(args.times):
            stage.rest()
            time.sleep(stage.next_passage().enter + 1.2 - time.time())
            at = stage.served.kill()
            clock.set()
            begun = time.time()
            stage.served.start()
            stage.note_down(at, begun)
        return stage.result(jumps=clock.jumps)


def corrupt_state(args: argparse.Namespace, folder: Path) -> Row:
    """The camera's state is damaged while the service is down: it is kept aside, and the scene learned anew."""
    damages = (_cut, _scribble, _empty, _another)
    with Stage(folder) as stage:
        for turn in range(args.times):
            stage.rest()
            before = stage.events()
            down = time.time()
            stage.served.stop()
            state = stage.served.state_dir / "cameras" / "gate.npz"
            damages[turn % len(damages)](state, args.random)
            damaged, n_before = state.read_bytes(), len(list(state.parent.glob("*damaged*")))
            size = stage.served.log.stat().st_size
            begun = time.time()
            stage.served.start()
            stage.note_down(down, begun)
            aside = sorted(state.parent.glob("*damaged*"))
            what = damages[turn % len(damages)].__name__.strip("_")
            stage.expect(len(aside) == n_before + 1, f"{what}: no file kept aside in {state.parent}")
            stage.expect(any(f.read_bytes() == damaged for f in aside), f"{what}: what is kept aside is not the file")
            with open(stage.served.log, "rb") as log:
                log.seek(size)
                stage.expect(b"damaged" in log.read(), f"{what}: no warning in the log")
            stage.expect_alike(before)
            time.sleep(LEARNING)
        return stage.result(after=LEARNING, learns=True)


def _cut(path: Path, rng: random.Random) -> None:
    os.truncate(path, rng.randrange(1, path.stat().st_size))


def _scribble(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    at = len(data) // 3
    data[at : at + 4096] = rng.randbytes(4096)
    path.write_bytes(data)


def _empty(path: Path, rng: random.Random) -> None:
    path.write_bytes(b"")


def _another(path: Path, rng: random.Random) -> None:
    path.write_bytes(b"not what it was\n" * 64)


def corrupt_bytes(args: argparse.Namespace, folder: Path) -> Row:
    """Bytes of the stream are changed, and some left out, for seconds."""
    with Stage(folder) as stage:
        for _ in range(args.times):
            time.sleep(args.random.uniform(6, 16))
            fault = stage.camera.corrupt(args.random.uniform(0.5, 3))
            stage.note_down(fault.begin, fault.end)
        return stage.result(after=LEARNING / 2, learns=True)


def resolution_change(args: argparse.Namespace, folder: Path) -> Row:
    """The stream goes on in another size; zones are parts of the picture, the scene is learned anew."""
    with Stage(folder) as stage:
        for _ in range(args.times):
            time.sleep(args.random.uniform(6, 16))
            fault = stage.camera.resize()
            stage.note_down(fault.begin, fault.end)
        time.sleep(LEARNING)
        facts = stage.served.camera()
        shown = stage.camera.films[args.times % 2].size
        stage.expect(facts["size_changes"] >= args.times, f"{facts['size_changes']} changes of size counted")
        stage.expect((facts["source_width"], facts["source_height"]) == shown, f"not {shown}: {facts['source_width']}")
        return stage.result(after=LEARNING, learns=True)


# Times that each happens: at length, and in short.
SCENARIOS: dict[Callable[[argparse.Namespace, Path], Row], tuple[int, int]] = {
    camera_drops: (20, 3),
    camera_silent: (5, 1),
    broker_away: (1, 1),
    database_locked: (2, 1),
    database_restarted: (4, 2),
    disk_full: (2, 1),
    kill: (50, 4),
    restarted: (10, 2),
    kill_without_store: (3, 1),
    clock_jumps: (8, 2),
    clock_set_while_down: (6, 2),
    corrupt_state: (8, 2),
    corrupt_bytes: (20, 2),
    resolution_change: (6, 2),
}


def run(scenario: Callable[[argparse.Namespace, Path], Row], args: argparse.Namespace) -> Row:
    """The row of one scenario; its folder is kept if something was wrong."""
    args.random = random.Random(args.seed)
    row: Row = {"what": scenario.__name__, "times": args.times, "quick": args.quick}
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"motionseg-{scenario.__name__}-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL and the broker are other users
        try:
            row |= scenario(args, folder)
        except FileNotFoundError as error:
            row |= {"left_out": f"needs {error}"}
        except FaultError as error:
            row |= {"ok": False, "list": [f"broken off: {error}"]}
        row["seconds"] = round(time.monotonic() - began, 1)
        if args.keep and not row.get("ok", True):
            kept = args.keep / scenario.__name__
            args.keep.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-rT", str(folder), str(kept)], check=False)
            row["kept"] = str(kept)
    return row


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked for and not done yet; print rows as they come, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = {scenario.__name__: scenario for scenario in SCENARIOS}
    parser.add_argument("--only", action="append", choices=list(names), help="this scenario; may be given again")
    parser.add_argument("--times", type=int, help="how often the fault happens; by default each has its number")
    parser.add_argument("--quick", action="store_true", help="few and short faults")
    parser.add_argument("--again", action="store_true", help="also what is done already")
    parser.add_argument("--seed", type=int, default=0, help="of moments and lengths")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where to keep log and store of what went wrong")
    parser.add_argument("--out", type=Path, help=f"JSON file for the rows; default {RESULTS.name}, not for --quick")
    args = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: what was started is ended
    out = args.out or (None if args.quick else RESULTS)
    rows: list[Row] = json.loads(out.read_text())["rows"] if out and out.exists() else []
    asked, all_good = args.times, True
    for name in args.only or names:
        args.times = asked or SCENARIOS[names[name]][args.quick]
        done = [row for row in rows if (row["what"], row["times"], row["quick"]) == (name, args.times, args.quick)]
        if done and not args.again:
            say({"what": name, "done_before": True, "ok": done[0].get("ok")})
            all_good &= done[0].get("ok", True)
            continue
        row = run(names[name], args)
        all_good &= row.get("ok", True)
        for wrong in say({key: value for key, value in row.items() if key != "list"}) and row.get("list", []):
            print(f"    {wrong}", flush=True)
        rows = sorted([r for r in rows if r["what"] != name] + [row], key=lambda r: list(names).index(r["what"]))
        if out:
            out.parent.mkdir(parents=True, exist_ok=True)
            write_rows(out, rows)
    return 0 if all_good else 1


if __name__ == "__main__":
    sys.exit(main())
