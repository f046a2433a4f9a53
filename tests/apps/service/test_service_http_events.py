"""Events over HTTP: asked for, with their files, and as they come."""

import asyncio
import threading
from itertools import islice

import httpx
import pytest
from fake_service import Telling, idle, messages, serving

from motionseg.apps.service.http import hub
from motionseg.core.types import Event


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    service = idle(tmp_path_factory.mktemp("events"))
    with serving(service) as url, httpx.Client(base_url=url) as client:
        client.service = service
        yield client


class TestEvents:
    @pytest.mark.parametrize(
        ("query", "ids"),
        [
            ("", ["yard-3-0", "door-2-0", "yard-1-0"]),
            ("camera=door", ["door-2-0"]),
            ("camera=nobody", []),
            ("zone=gate", ["yard-3-0"]),
            ("open_only=true", ["door-2-0"]),
            ("since=40", ["yard-3-0", "door-2-0"]),
            ("until=21.5", ["yard-1-0"]),
        ],
    )
    def test_filters(self, quiet, query, ids):
        answer = quiet.get(f"/api/events?{query}").json()
        assert [event["id"] for event in answer["events"]] == ids
        assert answer["next"] is None

    def test_pages(self, quiet):
        first = quiet.get("/api/events?limit=2").json()
        second = quiet.get(f"/api/events?limit=2&before={first['next']}").json()
        assert [event["id"] for event in first["events"] + second["events"]] == ["yard-3-0", "door-2-0", "yard-1-0"]
        assert second["next"] is None

    @pytest.mark.parametrize(
        "query", ["limit=0", "limit=501", "before=x", "since=nan", "since=-1", "camera=%00", "before=9" + 30 * "9"]
    )
    def test_filters_that_cannot_be(self, quiet, query):
        answer = quiet.get(f"/api/events?{query}")
        assert answer.status_code == 422
        assert answer.json()["error"].startswith(query.partition("=")[0])

    def test_one_event(self, quiet):
        event = quiet.get("/api/events/yard-1-0").json()
        assert (event["start"], event["end"], event["snapshot"]) == (21.0, 30.0, None)
        assert quiet.get("/api/events/yard-9-0").status_code == 404

    def test_files_come_from_the_recordings_folder_only(self, quiet, tmp_path):
        service = quiet.service
        (service.recordings_folder.parent / "secret.jpg").write_bytes(b"secret")
        (service.recordings_folder / "link.jpg").symlink_to("../secret.jpg")
        (service.recordings_folder / "own.jpg").write_bytes(b"own")
        outside = str(service.recordings_folder.parent / "secret.jpg")
        refused = ["../secret.jpg", outside, "link.jpg", "gone.jpg", ".", "a\0b"]
        for name, status in {"own.jpg": 200, **dict.fromkeys(refused, 404)}.items():
            service.store.attach("yard-1-0", "snapshot", name)
            answer = quiet.get("/api/events/yard-1-0/snapshot.jpg")
            assert answer.status_code == status, name
            assert b"secret" not in answer.content
        service.store.attach("yard-1-0", "snapshot", "")
        assert quiet.get("/api/events/yard-1-0/snapshot.jpg").json() == {
            "error": "event 'yard-1-0' has no snapshot, or no longer"
        }

    def test_parts_of_a_clip(self, quiet):
        data = bytes(range(256)) * 4000
        (quiet.service.recordings_folder / "c.mp4").write_bytes(data)
        quiet.service.store.attach("yard-3-0", "clip", "c.mp4")
        url = quiet.get("/api/events/yard-3-0").json()["clip"]
        whole = quiet.get(url)
        assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, data, "video/mp4")
        head = quiet.head(url)
        assert (head.headers["content-length"], head.headers["accept-ranges"], head.content) == (
            "1024000",
            "bytes",
            b"",
        )
        for wanted, part in {
            "0-9": data[:10],
            "1000000-": data[1000000:],
            "-7": data[-7:],
            "5-99999999": data[5:],
        }.items():
            answer = quiet.get(url, headers={"Range": f"bytes={wanted}"})
            assert (answer.status_code, answer.content) == (206, part), wanted
            assert answer.headers["content-range"].endswith("/1024000")
        beyond = quiet.get(url, headers={"Range": "bytes=1024000-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */1024000")
        for odd in ("bytes=9-2", "lines=1-2", "bytes=0-1,5-6", "bytes=--"):
            assert quiet.get(url, headers={"Range": odd}).status_code == 200

    def test_an_empty_file(self, quiet):
        (quiet.service.recordings_folder / "e.mp4").write_bytes(b"")
        quiet.service.store.attach("yard-3-0", "clip", "e.mp4")
        answer = quiet.get("/api/events/yard-3-0/clip")
        assert (answer.status_code, answer.content) == (200, b"")

    def test_a_store_that_is_away(self, quiet):
        quiet.service.store.broken = True
        try:
            answers = [quiet.get(path) for path in ("/api/events", "/api/events/yard-1-0", "/api/events/yard-1-0/clip")]
            assert quiet.get("/health").status_code == 200
        finally:
            quiet.service.store.broken = False
        for answer in answers:
            assert answer.status_code == 503
            assert answer.json() == {"error": "the event store cannot be read at present"}


class TestStream:
    def tell(self, service, number):
        service.store.record([Telling(Event(f"yard-{number}-0", "yard", "enter", "", (), 1.0 * number), 0.0)])
        service.bulletin.publish("telling", {})

    def test_tells_states_and_events_as_they_come(self, tmp_path):
        service = idle(tmp_path)
        with serving(service) as url, httpx.stream("GET", f"{url}/api/stream", timeout=20) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            stream = messages(answer.iter_lines())
            kind, _, facts = next(stream)
            assert (kind, facts["cameras"]["yard"]["state"], facts["ledger"]["queued"]) == ("status", "connecting", 0)
            self.tell(service, 7)
            kind, number, facts = next(message for message in stream if message[0] == "telling")
            assert (number, facts["id"], facts["phase"]) == (6, "yard-7-0", "begin")

    @pytest.mark.parametrize("how", ["header", "query"])
    def test_goes_on_where_it_was(self, tmp_path, how):
        service = idle(tmp_path)
        for number in range(10, 1310):
            self.tell(service, number)
        with serving(service) as url:
            options = {"headers": {"Last-Event-ID": "3"}} if how == "header" else {"params": {"after": 3}}
            with httpx.stream("GET", f"{url}/api/stream", timeout=20, **options) as answer:
                told = (message for message in messages(answer.iter_lines()) if message[0] == "telling")
                numbers = [number for _, number, _ in islice(told, 1302)]
                self.tell(service, 5000)
                assert [*numbers, next(told)[1]] == list(range(4, 1307))

    def test_goes_on_when_the_store_was_begun_anew(self, tmp_path):
        service = idle(tmp_path)
        with serving(service) as url:
            with httpx.stream("GET", f"{url}/api/stream", timeout=20) as answer:
                stream = messages(answer.iter_lines())
                next(stream)
                service.store.__init__()
                self.tell(service, 7)
                assert all(kind == "status" for kind, _, _ in stream)  # it ends, so that the listener comes again
            with httpx.stream("GET", f"{url}/api/stream", params={"after": 5}, timeout=20) as answer:
                stream = messages(answer.iter_lines())
                assert next(stream)[0] == "status"
                self.tell(service, 8)
                assert next(message for message in stream if message[0] == "telling")[1] == 2

    def test_a_store_that_is_away_is_no_fault_when_asked_for_what_was_missed(self, tmp_path, caplog):
        service = idle(tmp_path)
        with serving(service) as url:
            self.tell(service, 7)
            with httpx.stream("GET", f"{url}/api/stream", params={"after": 5}, timeout=20) as answer:
                assert next(message for message in messages(answer.iter_lines()) if message[0] == "telling")
            service.store.broken = True
            with httpx.stream("GET", f"{url}/api/stream", params={"after": 1}, timeout=20) as answer:
                assert list(answer.iter_lines()) == ["retry: 2000", ""]
            service.store.broken = False
        assert not [record for record in caplog.records if record.exc_info]

    def test_the_state_of_all_is_asked_once_for_all(self, monkeypatch):
        asked, release = [], threading.Event()

        def slow(service):
            asked.append(service)
            assert release.wait(20)
            return {"n": len(asked)}

        async def main():
            facts = hub.Hub("a service").facts
            waiting = [asyncio.ensure_future(facts()) for _ in range(50)]
            await asyncio.sleep(0)
            release.set()
            return await asyncio.gather(*waiting)

        monkeypatch.setattr(hub, "service_facts", slow)
        assert asyncio.run(main()) == [{"n": 1}] * 50

    def test_ends_with_the_service(self, tmp_path):
        service = idle(tmp_path)
        ended = threading.Event()
        with serving(service) as url:

            def listen():
                with httpx.stream("GET", f"{url}/api/stream", timeout=20) as answer:
                    for _ in answer.iter_lines():
                        started.set()
                ended.set()

            started = threading.Event()
            thread = threading.Thread(target=listen)
            thread.start()
            assert started.wait(20)
        thread.join(20)
        assert ended.is_set()

    def test_a_store_that_is_away_does_not_end_it(self, tmp_path):
        service = idle(tmp_path)
        with serving(service) as url, httpx.stream("GET", f"{url}/api/stream", timeout=20) as answer:
            stream = messages(answer.iter_lines())
            next(stream)
            service.store.broken = True
            assert next(stream)[0] == "status"
            self.tell(service, 7)
            service.store.broken = False
            assert next(message for message in stream if message[0] == "telling")[2]["id"] == "yard-7-0"
