"""The store: the same promises by SQLite and by PostgreSQL, and what each does when its database is hurt."""

# ruff: noqa: F811 (fixtures are imported)

import os
import sqlite3
import threading
from dataclasses import replace

import pytest
from real_servers import postgres, postgres_url  # noqa: F401

from motionseg.apps.service.store import RefusedError, StoreError, Telling, open_store
from motionseg.core.errors import ParameterError
from motionseg.core.types import Event

ALL_OF_NONE = ("mysql://u:hidden-word@h/d", "events.db", "sqlite:", "", "postgresql://u:hidden-word@h:x y/d")
EMPTY = {"snapshot": "", "evidence": "", "clip": ""}


def event(number=1, *, camera="door", rule="enter", zone="yard", start=1000.0, end=None, tracks=(3,), **others):
    return Event(f"{camera}-{number}-{number * 500}", camera, rule, zone, tracks, start, end, **others)


def begin(number=1, at=1001.0, **facts):
    return Telling(event(number, **facts), at)


def end(number=1, at=1009.0, **facts):
    return Telling(event(number, **{"end": 1008.0, **facts}), at)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    url = None if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened = open_store(url, tmp_path)
    yield opened
    opened.close()


def test_an_event_is_kept_as_it_was_told(store):
    reason = {"kind": "enter", "tracks": [{"id": 3, "area": 12.5}], "verdict": "none"}
    told = event(1, end=None, peak_area=12.5, score=0.75, reason=reason)
    begun = store.record([Telling(told, 1001.5)])
    assert [(t.phase, t.number, t.at) for t in begun] == [("begin", 1, 1001.5)]
    assert store.open_events("door") == [told] == store.open_events()
    assert store.open_events("gate") == []
    closed = replace(told, end=1008.25, peak_area=99.0, track_ids=(3, 8))
    store.record([Telling(closed, 1009.5)])
    kept = {**closed.to_dict(), "number": 1, "told_at": 1001.5, "ended_at": 1009.5, **EMPTY}
    assert store.event(told.id) == kept
    assert store.open_events() == []
    assert store.count() == 1
    assert store.event("door-2-0") is None
    log = store.log(0)
    assert log == [Telling(told, 1001.5, 1), Telling(closed, 1009.5, 2)]
    assert log[1].to_dict() == {**closed.to_dict(), "phase": "end", "told_at": 1009.5, "number": 2}


def test_each_telling_counts_once(store):
    first = [begin(1), begin(2), end(1)]
    assert [t.number for t in store.record(first)] == [1, 2, 3]
    assert store.record(first) == []
    assert store.record([end(1, end=5555.0)]) == []  # a closed one stays as it was closed
    assert store.event("door-1-500")["end"] == 1008.0
    assert store.record([begin(2), end(2), end(2, end=7777.0)])[0].phase == "end"
    assert store.event("door-2-1000")["end"] == 1008.0
    assert store.count() == 2
    assert len(store.log(0)) == 4


def test_an_end_alone_is_recorded_whole(store):
    told = store.record([end(7, peak_area=5.0)])
    assert [(t.phase, t.event.id) for t in told] == [("begin", "door-7-3500"), ("end", "door-7-3500")]
    assert store.record([begin(7)]) == []
    facts = store.event("door-7-3500")
    assert (facts["start"], facts["end"], facts["peak_area"], facts["ended_at"]) == (1000.0, 1008.0, 5.0, 1009.0)


def test_one_bad_record_changes_nothing(store):
    with pytest.raises(RefusedError):
        store.record([begin(1), Telling(replace(event(2), start=None), 5.0), begin(3)])
    assert store.count() == 0
    assert store.log(0) == []
    assert store.last_number("door") == 0


def test_odd_names_and_numbers_are_kept(store):
    odd = "a\x00b\ud800 / + # 'x\" %s ? {0} \N{SNOWMAN}"
    told = event(1, zone=odd, rule="%", reason={"x": float("nan"), "y": [float("inf"), "\x00"], "o": odd})
    store.record([Telling(told, 1.0)])
    facts = store.event(told.id)
    assert facts["zone"] == odd
    assert facts["reason"] == {"x": None, "y": [None, "\x00"], "o": odd}
    assert [e["id"] for e in store.events(zone=odd)] == [told.id] == [e["id"] for e in store.events(rule="%")]
    big = Event("door-99999999999999999999-1", "door", "enter", "", (2**70,), 1.0, 2.0)
    store.record([Telling(big, 3.0)])
    assert store.event(big.id)["track_ids"] == [2**70]


def test_files_are_attached_and_taken_away(store):
    store.record([begin(1)])
    store.attach("door-1-500", "snapshot", "door/2026-11-30/door-1-500.jpg")
    store.attach("door-1-500", "clip", "c.mp4")
    store.record([end(1)])
    assert store.event("door-1-500")["snapshot"] == "door/2026-11-30/door-1-500.jpg"
    store.attach("door-1-500", "snapshot", "")
    store.attach("nobody", "clip", "c.mp4")
    assert [store.event("door-1-500")[kind] for kind in ("snapshot", "evidence", "clip")] == ["", "", "c.mp4"]
    assert store.count() == 1
    with pytest.raises(ParameterError, match="kind is one of 'snapshot', 'evidence', 'clip'"):
        store.attach("door-1-500", "facts", "x")


def test_numbers_are_never_used_again(store):
    store.record([begin(9, tracks=(3, 41)), end(9, tracks=(3, 41)), begin(4, tracks=()), begin(70, camera="door-2")])
    assert (store.last_number("door"), store.highest_track("door")) == (9, 41)
    assert (store.last_number("door-2"), store.highest_track("door-2"), store.last_number("gate")) == (70, 3, 0)
    store.record([end(4, tracks=()), end(70, camera="door-2")])
    assert store.forget(2000.0) == 3
    assert store.count() == 0
    assert (store.last_number("door"), store.highest_track("door"), store.last_number("door-2")) == (9, 41, 70)
    assert store.record([begin(10)])[0].number == 7  # nor are those of the log
    assert store.last_number("door") == 10


def test_questions(store):
    for number in range(1, 7):
        camera, zone = ("door", "gate")[number % 2], ("", "yard")[number % 3 == 0]
        store.record([begin(number, camera=camera, zone=zone, start=1000.0 * number)])
        if number < 5:
            store.record([end(number, camera=camera, zone=zone, start=1000.0 * number, end=1000.0 * number + 100)])

    def numbers(**wishes):
        return [int(facts["id"].split("-")[1]) for facts in store.events(**wishes)]

    assert numbers() == [6, 5, 4, 3, 2, 1]
    assert numbers(camera="gate") == [5, 3, 1]
    assert numbers(zone="yard") == [6, 3]
    assert numbers(zone="") == [5, 4, 2, 1]
    assert numbers(rule="leave") == []
    assert numbers(open_only=True) == [6, 5]
    assert numbers(open_only=True, camera="door") == [6]
    assert numbers(since=3050.0) == [6, 5, 4, 3]
    assert numbers(until=3000.0) == [3, 2, 1]
    assert numbers(since=2050.0, until=2060.0) == [2]
    page = store.events(limit=4)
    assert [facts["id"] for facts in store.events(before=page[-1]["number"])] == ["door-2-1000", "gate-1-500"]


def test_the_log_is_kept_until_every_sink_has_it(store):
    store.forget_sinks(["mqtt", "file"])
    store.record([begin(n) for n in range(1, 6)])
    assert [t.number for t in store.log(2, limit=2)] == [3, 4]
    assert store.n_behind(2) == 3
    store.advance("mqtt", 4)
    store.advance("mqtt", 2)  # never back
    assert (store.cursor("mqtt"), store.cursor("file"), store.cursor("new")) == (4, 0, 0)
    store.forget(0.0)
    assert len(store.log(0)) == 5
    store.advance("file", 3)
    store.forget(0.0)
    assert [t.number for t in store.log(0)] == [4, 5]
    store.forget_sinks(["mqtt"])
    store.forget(0.0)
    assert [t.number for t in store.log(0)] == [5]
    assert store.newest_number() == 5
    store.forget_sinks([])
    store.forget(0.0)
    assert store.newest_number() == 0
    assert store.count() == 5


def test_open_events_are_not_forgotten(store):
    store.record([begin(1), begin(2), end(2, end=900.0), end(3, end=1100.0)])
    assert store.forget(1000.0) == 1
    assert [facts["id"] for facts in store.events()] == ["door-3-1500", "door-1-500"]


def test_many_threads_use_one_store(store):
    problems = []

    def work(worker):
        try:
            for number in range(20):
                store.record([begin(number, camera=f"c{worker}"), end(number, camera=f"c{worker}")])
                store.events(limit=3)
                store.advance(f"sink{worker % 2}", number)
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert store.count() == 120
    numbers = [telling.number for telling in store.log(0)]
    assert len(numbers) == len(set(numbers)) == 240


def test_what_was_recorded_is_there_when_opened_again(tmp_path):
    store = open_store("sqlite:sub/my.db", tmp_path)
    store.record([begin(1)])
    store.close()
    assert (tmp_path / "sub" / "my.db").exists()
    again = open_store("sqlite:sub/my.db", tmp_path)
    assert again.open_events("door") == [event(1)]
    assert again.warning is None
    store.record([end(1)])  # a closed one connects again
    assert again.open_events("door") == []
    store.close()
    again.close()


def test_a_record_has_reached_the_disk_and_a_cursor_need_not(tmp_path):
    store = open_store(None, tmp_path)
    modes = []
    store.forget_sinks(["a"])
    store._writing.connection.set_trace_callback(lambda sql: modes.append(sql) if "synchronous" in sql else None)
    store.record([begin(1)])
    store.advance("a", 1)
    assert modes == ["PRAGMA synchronous=FULL", "PRAGMA synchronous=NORMAL"]
    assert store._writing.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()


@pytest.mark.parametrize("address", ALL_OF_NONE)
def test_an_address_that_is_none_is_refused_without_repeating_it(address, tmp_path):
    with pytest.raises(ParameterError, match=r"store\.url") as caught:
        open_store(address, tmp_path)
    assert "hidden-word" not in str(caught.value)
    assert caught.value.__cause__ is None


# --- SQLite: what can happen to a file ------------------------------------------------------


@pytest.fixture
def sqlite(tmp_path):
    store = open_store(None, tmp_path)
    yield store
    store.close()


def damaged(folder):
    return sorted(path.name for path in folder.glob("events.db.damaged-*") if path.name[-4] != "-")


def test_a_file_that_is_no_database_is_set_aside(tmp_path, caplog):
    (tmp_path / "events.db").write_bytes(b"this is no database, and it is long enough to be told from one" * 100)
    store = open_store(None, tmp_path)
    store.record([begin(1)])
    assert store.count() == 1
    (name,) = damaged(tmp_path)
    assert (tmp_path / name).read_bytes().startswith(b"this is no database")
    assert name in store.warning
    assert "was damaged" in caplog.text
    store.close()


@pytest.mark.parametrize("when", ["closed", "open"])
def test_a_damaged_database_is_set_aside_and_work_goes_on(when, tmp_path, sqlite):
    for first in range(0, 2000, 100):
        sqlite.record([begin(n) for n in range(first, first + 100)])
    sqlite.close()  # all of it is in the one file now
    size = os.path.getsize(tmp_path / "events.db")
    assert size > 200_000
    if when == "open":
        assert sqlite.count() == 2000
    with open(tmp_path / "events.db", "r+b") as file:
        for place in range(4096, size, 4096):
            file.seek(place)
            file.write(b"\xff" * 512)
    assert sqlite.record([begin(5000)])[0].number == 1
    assert sqlite.count() == 1
    assert len(damaged(tmp_path)) == 1
    assert "was damaged" in sqlite.warning
    sqlite.record([end(5000)])
    assert len(damaged(tmp_path)) == 1


def test_a_reader_finds_the_damage(tmp_path, sqlite):
    sqlite.record([begin(n) for n in range(1000)])
    sqlite.close()
    with open(tmp_path / "events.db", "r+b") as file:
        file.truncate(os.path.getsize(tmp_path / "events.db") // 2)
    assert sqlite.events() == []
    assert len(damaged(tmp_path)) == 1


@pytest.mark.parametrize("how", ["deleted", "moved"])
def test_a_database_that_is_taken_away_is_begun_anew(how, tmp_path, sqlite):
    sqlite.record([begin(1)])
    assert sqlite.count() == 1
    for path in tmp_path.glob("events.db*"):
        path.unlink() if how == "deleted" else path.rename(tmp_path / f"old-{path.name}")
    sqlite.record([begin(2)])
    with sqlite3.connect(tmp_path / "events.db") as other:
        assert other.execute("SELECT id FROM events").fetchall() == [("door-2-1000",)]
    other.close()
    assert [facts["id"] for facts in sqlite.events()] == ["door-2-1000"]


def test_a_locked_database_is_a_store_error_and_readers_go_on(tmp_path):
    store = open_store(None, tmp_path)
    store.patience = 0.1
    store.record([begin(1)])
    other = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match=r"events\.db: database is locked") as caught:
        store.record([begin(2)])
    assert not isinstance(caught.value, RefusedError)
    assert store.count() == 1
    other.execute("COMMIT")
    other.close()
    assert len(store.record([begin(2)])) == 1
    store.close()


def test_a_newer_database_is_left_alone(tmp_path):
    open_store(None, tmp_path).record([begin(1)])
    with sqlite3.connect(tmp_path / "events.db") as other:
        other.execute("PRAGMA user_version=99")
    other.close()
    with pytest.raises(StoreError, match="of version 99, and this motionseg knows 1"):
        open_store(None, tmp_path).record([begin(2)])
    assert damaged(tmp_path) == []


def test_a_folder_in_its_place_is_a_store_error(tmp_path):
    (tmp_path / "events.db").mkdir()
    with pytest.raises(StoreError, match=r"events\.db"):
        open_store(None, tmp_path).count()


# --- PostgreSQL: what can happen to a server ------------------------------------------------


def test_a_restarted_server_is_found_again(postgres, postgres_url, tmp_path):
    store = open_store(postgres_url, tmp_path)
    store.record([begin(1)])
    assert store.count() == 1
    postgres.kill()
    with pytest.raises(StoreError) as caught:
        store.record([begin(2)])
    assert "secret-word" not in str(caught.value)
    with pytest.raises(StoreError):
        store.events()
    postgres.start()
    assert store.record([begin(1), begin(2)])[0].event.id == "door-2-1000"
    assert store.count() == 2
    postgres.stop()
    postgres.start()
    assert store.count() == 2  # a stale connection is no error where a new one can be had
    store.close()


def test_tables_that_someone_dropped_are_made_again(postgres_url, tmp_path):
    import psycopg

    store = open_store(postgres_url, tmp_path)
    store.record([begin(1)])
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("DROP SCHEMA motionseg CASCADE")
    assert len(store.record([begin(2)])) == 1
    assert store.count() == 1
    store.close()


def test_a_wrong_password_is_not_told(postgres, tmp_path):
    url = postgres.url("no_such_database")
    with pytest.raises(StoreError, match="no_such_database") as caught:
        open_store(url, tmp_path).count()
    assert "secret-word" not in str(caught.value)


def test_numbers_are_seen_in_their_order(postgres_url, tmp_path):
    """A reader that goes on after the highest number that it saw misses nothing, whoever writes."""
    stores = [open_store(postgres_url, tmp_path) for _ in range(4)]
    stores[0].count()
    seen, done = [], threading.Event()

    def read():
        reader = open_store(postgres_url, tmp_path)
        while True:
            is_last = done.is_set()
            seen.extend(reader.log(seen[-1].number if seen else 0))
            if is_last:
                break
        reader.close()

    def write(worker):
        for number in range(40):
            stores[worker].record([begin(number, camera=f"c{worker}")])

    watcher = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in [watcher, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    watcher.join()
    assert len({telling.event.id for telling in seen}) == len(seen) == 160
    for store in stores:
        store.close()
