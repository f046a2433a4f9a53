"""The ledger: nothing that was told is lost or recorded twice, whatever happens to store, disk or process."""

# ruff: noqa: F811 (fixtures are imported)

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from real_servers import postgres, postgres_url, wait_until  # noqa: F401

from motionseg.apps.service.ledger import Ledger
from motionseg.apps.service.store import RefusedError, SqliteStore, StoreError
from motionseg.core.errors import OutputError
from motionseg.core.types import Event


def event(number, end=None, camera="door"):
    return Event(
        f"{camera}-{number}-{number * 500}", camera, "enter", "yard", (number,), 1000.0 + number, end, 5.0, 0.5
    )


class Making:
    """Ledgers of one folder, stopped at the end of the test."""

    def __init__(self, folder):
        self.folder, self.made = folder, []

    def __call__(self, url=None, **how):
        self.made.append(Ledger(url, self.folder, **how))
        return self.made[-1]


@pytest.fixture
def ledger_of(tmp_path):
    making = Making(tmp_path / "state")
    yield making
    for ledger in making.made:
        ledger.stop(5.0)


def tell_many(ledger, numbers, at=2000.0):
    for number in numbers:
        ledger.tell([event(number)], at + number)
        ledger.tell([event(number, end=1500.0 + number)], at + number + 0.5)


def check_whole(store, numbers, camera="door"):
    """All of these events are there, closed, and each of their tellings is in the log once and in its order."""
    for number in numbers:
        facts = store.event(f"{camera}-{number}-{number * 500}")
        assert facts is not None, number
        assert facts["end"] == 1500.0 + number
    log, last = [], 0
    while page := store.log(last):
        log += page
        last = page[-1].number
    told = [(telling.event.id, telling.phase) for telling in log]
    assert set(Counter(told).values()) <= {1}
    places = {key: place for place, key in enumerate(told)}
    assert all(places[id, "begin"] < places[id, "end"] for id, phase in told if phase == "end")
    assert store.count() == len({id for id, _ in told})


# --- when all is well ----------------------------------------------------------------------


def test_what_is_told_is_recorded_in_order(ledger_of, tmp_path):
    recorded = []
    ledger = ledger_of(on_recorded=recorded.extend)
    ledger.start()
    tell_many(ledger, range(50))
    ledger.attach("door-3-1500", "clip", "clip.mp4")
    assert ledger.flush(10.0)
    check_whole(ledger.store, range(50))
    assert ledger.store.event("door-3-1500")["clip"] == "clip.mp4"
    wait_until(lambda: len(recorded) == 100)
    assert [telling.event.id for telling in recorded[:4]] == ["door-0-0", "door-0-0", "door-1-500", "door-1-500"]
    assert [telling.number for telling in recorded] == list(range(1, 101))
    assert recorded[1].at == 2000.5
    status = ledger.status()
    assert (status["queued"], status["journalled"], status["recorded"], status["last_error"]) == (0, 0, 100, None)
    assert os.path.getsize(tmp_path / "state" / "journal.jsonl") == 0


def test_what_was_told_before_the_start_and_after_a_stop_waits(ledger_of):
    first = ledger_of()
    tell_many(first, range(5))
    assert first.status()["queued"] == 10
    assert not first.flush(0.05)
    first.stop(1.0)
    first.tell([event(99)], 1.0)  # too late, but no harm is done
    second = ledger_of()
    assert second.status()["journalled"] == 10
    second.start()
    assert second.flush(10.0)
    check_whole(second.store, range(5))


def test_one_folder_is_one_ledgers(ledger_of):
    ledger_of()
    with pytest.raises(OutputError, match=r"journal\.jsonl: another motionseg uses this folder"):
        ledger_of()


def test_a_folder_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/journal\.jsonl: cannot be written"):
        Ledger(None, tmp_path / "file")


def test_who_fails_to_hear_stops_nothing(ledger_of, caplog):
    ledger = ledger_of(on_recorded=lambda recorded: 1 / 0)
    ledger.start()
    tell_many(ledger, range(3))
    assert ledger.flush(10.0)
    wait_until(lambda: "ZeroDivisionError" in caplog.text)
    tell_many(ledger, range(3, 6))
    assert ledger.flush(10.0)
    check_whole(ledger.store, range(6))


def test_a_failure_that_nobody_has_foreseen_does_not_end_it(ledger_of, caplog, monkeypatch):
    monkeypatch.setattr("motionseg.apps.service.ledger._AGAIN", 0.05)
    ledger, answers = ledger_of(), [StoreError("it is away"), None]
    write = ledger.store.write

    def fail_once(entries):
        answer = answers.pop(0) if answers else None
        if answer is not None:
            raise answer
        return write(entries)

    def fail(state):
        monkeypatch.undo()
        raise ZeroDivisionError

    monkeypatch.setattr(ledger.store, "write", fail_once)
    monkeypatch.setattr(ledger._patience, "before_sleep", fail)
    tell_many(ledger, range(3))
    ledger.start()
    assert ledger.flush(10.0)
    assert "ZeroDivisionError" in caplog.text
    check_whole(ledger.store, range(3))


# --- a store in trouble --------------------------------------------------------------------


class Faulty(SqliteStore):
    """A store that fails when it is told to: before it has done its work, or after."""

    def __init__(self, path):
        super().__init__(path)
        self.before, self.after, self.calls = (lambda: False), (lambda: False), 0

    def write(self, entries):
        self.calls += 1
        if self.before():
            raise StoreError("on purpose, before")
        done = super().write(entries)
        if self.after():
            raise StoreError("on purpose, after")
        return done


def test_a_store_that_fails_at_random(ledger_of, tmp_path):
    store, dice = Faulty(tmp_path / "events.db"), random.Random(5)
    store.before, store.after = (lambda: dice.random() < 0.3), (lambda: dice.random() < 0.3)
    ledger = ledger_of(store=store)
    ledger.start()
    for first in range(0, 40, 10):
        tell_many(ledger, range(first, first + 10))
        time.sleep(0.02)
    assert ledger.flush(60.0)
    check_whole(store, range(40))
    assert ledger.status()["retries"] >= 1


def test_memory_does_not_grow_while_the_store_is_away(ledger_of, tmp_path):
    store = Faulty(tmp_path / "events.db")
    store.before = lambda: True
    ledger = ledger_of(store=store)
    ledger.start()
    tell_many(ledger, range(10))
    tracemalloc.start()
    tell_many(ledger, range(10, 5000))
    grown, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 1_000_000
    assert peak < 4_000_000
    status = ledger.status()
    assert (status["queued"], status["journalled"], status["recorded"]) == (10000, 10000, 0)
    assert status["last_error"] == "on purpose, before"
    store.before = lambda: False
    assert ledger.flush(60.0)
    check_whole(store, range(5000))
    assert ledger.status()["last_error"] is None


def test_a_telling_that_no_store_takes_stops_no_other(ledger_of, tmp_path, caplog):
    class Picky(Faulty):
        def write(self, entries):
            if any(getattr(entry, "at", 0) == 2013.0 for entry in entries):
                raise RefusedError("it is thirteen")
            return super().write(entries)

    ledger = ledger_of(store=Picky(tmp_path / "events.db"))
    tell_many(ledger, range(20))
    ledger.tell([Event("door-77-1", "door", "enter", "", (1,), float("nan"))], 1.0)
    ledger.tell([Event("door-78-1", "door", ["no name"], "", (1,), 1.0)], 1.0)
    ledger.start()
    assert ledger.flush(20.0)
    check_whole(ledger.store, range(20))  # of 13 only the end came
    assert ledger.store.count() == 20
    refused = [json.loads(line) for line in (tmp_path / "state" / "refused.jsonl").read_text().splitlines()]
    assert [facts["event"]["id"] for facts in refused] == ["door-13-6500", "door-77-1", "door-78-1"]
    assert ledger.status()["refused"] == 3
    assert "it is thirteen" in caplog.text


@pytest.mark.parametrize("seconds", [1.0, pytest.param(30.0, marks=pytest.mark.slow)])
def test_a_locked_database(seconds, ledger_of, tmp_path):
    """Another process holds BEGIN EXCLUSIVE: nothing is lost, and who tells does not wait."""
    ledger = ledger_of()
    ledger.start()
    tell_many(ledger, range(3))
    assert ledger.flush(10.0)
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN EXCLUSIVE');"
    code += "print('locked', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(tmp_path / "state" / "events.db")]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"locked\n"
    end, number = time.monotonic() + seconds, 3
    while time.monotonic() < end:
        tell_many(ledger, [number])
        number += 1
        time.sleep(0.05)
    assert ledger.status()["queued"] == 2 * (number - 3)
    assert ledger.store.count() == 3  # readers go on
    other.communicate()
    assert ledger.flush(40.0)
    check_whole(ledger.store, range(number))


@pytest.mark.slow
def test_a_stop_while_the_database_is_locked_keeps_all(ledger_of, tmp_path):
    ledger = ledger_of()
    ledger.start()
    tell_many(ledger, [0])
    assert ledger.flush(10.0)
    other = sqlite3.connect(tmp_path / "state" / "events.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    tell_many(ledger, range(1, 5))
    ledger.stop(8.0)
    other.execute("COMMIT")
    other.close()
    again = ledger_of()
    assert again.status()["journalled"] == 8
    again.start()
    assert again.flush(10.0)
    check_whole(again.store, range(5))


@pytest.mark.slow
def test_a_postgresql_that_is_restarted(ledger_of, postgres, postgres_url):
    ledger = ledger_of(postgres_url)
    ledger.start()
    tell_many(ledger, range(5))
    assert ledger.flush(10.0)
    postgres.kill()
    try:
        tell_many(ledger, range(5, 10))
        wait_until(lambda: ledger.status()["retries"])
        assert ledger.status()["queued"] == 10
        assert "secret-word" not in str(ledger.status())
    finally:
        postgres.start()
    tell_many(ledger, range(10, 12))
    assert ledger.flush(30.0)
    check_whole(ledger.store, range(12))


# --- a disk in trouble ---------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 2 MiB, and a way to fill it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here (that takes root)")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 65536):
                pass
        except OSError:
            pass
    try:
        with (folder / "filler2").open("wb", buffering=0) as file:
            while file.write(b"x"):
                pass
    except OSError:
        pass


def test_a_full_disk(small_disk):
    ledger = Ledger(None, small_disk)
    ledger.start()
    tell_many(ledger, range(10))
    assert ledger.flush(10.0)
    fill(small_disk)
    tell_many(ledger, range(10, 400))
    wait_until(lambda: ledger.status()["retries"] >= 2)
    status = ledger.status()
    assert status["queued"] > 300
    assert status["journalled"] < status["queued"]
    assert "full" in status["last_error"] or "No space" in status["last_error"]
    for name in ("filler", "filler2"):
        (small_disk / name).unlink(missing_ok=True)
    tell_many(ledger, range(400, 410))
    assert ledger.flush(30.0)
    check_whole(ledger.store, range(410))
    assert ledger.status()["lost"] == 0
    ledger.stop(5.0)


def test_a_journal_that_cannot_be_written_is_made_up_for_later(ledger_of, tmp_path, monkeypatch):
    """While neither the store nor the journal takes anything, memory does; the journal takes it as soon as it can."""
    store = Faulty(tmp_path / "events.db")
    store.before = lambda: True
    ledger = ledger_of(store=store)
    ledger.start()
    tell_many(ledger, range(3))
    with monkeypatch.context() as patch:
        patch.setattr(ledger._journal, "add", lambda lines: (_ for _ in ()).throw(OSError(28, "No space left")))
        tell_many(ledger, range(3, 6))
        assert (ledger.status()["queued"], ledger.status()["journalled"]) == (12, 6)
    tell_many(ledger, range(6, 8))
    wait_until(lambda: ledger.status()["journalled"] == 16)
    lines = (tmp_path / "state" / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"]["id"] for line in lines[::2]] == [f"door-{n}-{n * 500}" for n in range(8)]
    store.before = lambda: False
    assert ledger.flush(30.0)
    check_whole(store, range(8))


def test_half_a_line_and_rubbish_in_the_journal_are_set_aside(ledger_of, tmp_path):
    first = ledger_of()
    tell_many(first, range(3))
    first.stop(1.0)
    path = tmp_path / "state" / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"at": 1}\n[]\nrubbish \xff\n' + b"".join(lines[1:]) + b'{"at":2000.0,"event":{"id"')
    again = ledger_of()
    again.start()
    assert again.flush(10.0)
    check_whole(again.store, range(3))
    refused = (tmp_path / "state" / "refused.jsonl").read_bytes().splitlines()
    assert refused == [b'{"at":2000.0,"event":{"id"', b'{"at": 1}', b"[]", b"rubbish \xff"]
    assert again.status()["refused"] == 4


def test_long_lines_pass(ledger_of):
    ledger = ledger_of()
    reason = {"text": "long " * 200_000}
    for number in range(3):
        ledger.tell([Event(f"door-{number}-0", "door", "enter", "", (), 1.0, 2.0, reason=reason)], 3.0)
    ledger.start()
    assert ledger.flush(20.0)
    assert ledger.store.event("door-2-0")["reason"] == reason


def test_a_damaged_database_is_told_in_the_status(ledger_of, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "events.db").write_bytes(b"no database at all" * 1000)
    ledger = ledger_of()
    ledger.start()
    tell_many(ledger, range(3))
    assert ledger.flush(10.0)
    check_whole(ledger.store, range(3))
    assert "was damaged" in ledger.status()["warning"]


# --- a process that is killed --------------------------------------------------------------

TELLER = textwrap.dedent("""
    import sys
    from motionseg.apps.service.ledger import Ledger
    from motionseg.core.types import Event
    folder, url, first = sys.argv[1], sys.argv[2] or None, int(sys.argv[3])
    ledger = Ledger(url, folder)
    ledger.start()
    print("ready", flush=True)
    for n in range(first, first + 100000):
        for end in (None, 1500.0 + n):
            ledger.tell([Event(f"door-{n}-{n * 500}", "door", "enter", "yard", (n,), 1000.0 + n, end)], 2000.0 + n)
            print(n, "begin" if end is None else "end", flush=True)
""")


def kill_and_check(folder, url, times, seed):
    """Kill -9 a process that tells events at random moments; each acknowledged telling has to be there, once."""
    dice, acknowledged, first = random.Random(seed), [], 0
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(times):
        command = [sys.executable, "-c", TELLER, str(folder), url or "", str(first)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
        assert process.stdout.readline() == "ready\n"
        timer = threading.Timer(dice.uniform(0.0, 0.15), os.kill, (process.pid, signal.SIGKILL))
        timer.start()
        lines = process.stdout.read().splitlines(keepends=True)
        process.wait()
        timer.join()
        process.stdout.close()
        told = [line.split() for line in lines if line.endswith("\n")]
        acknowledged += [(int(number), phase) for number, phase in told]
        first = max([first, *(number + 2 for number, _ in acknowledged)])
    ledger = Ledger(url, folder)
    ledger.start()
    assert ledger.flush(60.0)
    closed = {number for number, phase in acknowledged if phase == "end"}
    check_whole(ledger.store, closed)
    for number, _ in acknowledged:
        assert ledger.store.event(f"door-{number}-{number * 500}") is not None
    ledger.stop(5.0)
    assert len(closed) > 5 * times
    return len(closed)


def test_killed_at_random_moments(tmp_path):
    kill_and_check(tmp_path / "state", None, 3, seed=1)


@pytest.mark.slow
def test_killed_at_fifty_random_moments(tmp_path):
    kill_and_check(tmp_path / "state", None, 50, seed=2)


@pytest.mark.slow
def test_killed_while_the_database_is_postgresql(tmp_path, postgres_url):
    kill_and_check(tmp_path / "state", postgres_url, 10, seed=3)


def test_an_end_whose_begin_was_lost_is_whole(ledger_of):
    """What a power cut may leave: the begin is gone, the end comes."""
    ledger = ledger_of()
    ledger.start()
    ledger.tell([event(4, end=1504.0)], 2000.0)
    assert ledger.flush(10.0)
    check_whole(ledger.store, [4])
    assert [telling.phase for telling in ledger.store.log(0)] == ["begin", "end"]


def test_nothing_of_this_is_left_in_the_working_folder():
    assert not list(Path.cwd().glob("*.db*"))
