"""The service over HTTP: a real server, real pictures of a drawn film, and a client that knows no insides."""

import asyncio
import contextlib
import gc
import json
import re
import socket
import threading
import weakref
from dataclasses import replace
from itertools import islice

import cv2
import httpx
import numpy as np
import pytest
from fake_service import FakeService, Telling, serving, street, wait_for
from prometheus_client.parser import text_string_to_metric_families

from motionseg.apps.service.http import hub, pictures
from motionseg.core.types import Event


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    running = FakeService(tmp_path_factory.mktemp("service"), {"yard": street, "door": street}).start()
    wait_for(lambda: all(lookout.latest() for lookout in running.lookouts.values()), 120)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def client(service):
    with serving(service) as url, httpx.Client(base_url=url, timeout=20) as browser:
        yield browser


def idle(folder, **options):
    """A service whose cameras do nothing, with three events: 1 and 3 of "yard", 2 of "door", which is open."""
    service = FakeService(folder, {"yard": street, "door": street}, **options)
    for number, (camera, zone, end) in enumerate(
        [("yard", "yard", 30.0), ("door", "", None), ("yard", "gate", 50.0)], 1
    ):
        begun = Event(
            f"{camera}-{number}-0", camera, "enter", zone, (number,), 20.0 + number, None, 5.0, 0.5, {"kind": "enter"}
        )
        service.store.record([Telling(begun, 100.0 + number)])
        if end is not None:
            service.store.record([Telling(Event(**{**vars(begun), "end": end}), 200.0)])
    return service


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    service = idle(tmp_path_factory.mktemp("events"))
    with serving(service) as url, httpx.Client(base_url=url) as client:
        client.service = service
        yield client


def picture(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/jpeg"
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)


def messages(lines):
    """(kind, id, facts) of a stream of server-sent events."""
    kind = number = None
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "id":
            number = int(value)
        elif name == "data":
            yield kind, number, json.loads(value)
            kind = number = None


class TestHealth:
    def test_says_a_word_when_ready(self, client):
        answer = client.get("/health")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert client.head("/health").status_code == 200

    def test_is_said_while_all_others_wait_for_a_store_that_hangs(self, tmp_path):
        service, release = idle(tmp_path), threading.Event()
        service.store.event = lambda name: release.wait(30) and None
        with serving(service) as url, contextlib.ExitStack() as stack:
            stack.callback(release.set)
            for _ in range(60):
                place = httpx.URL(url).host, httpx.URL(url).port
                line = stack.enter_context(socket.create_connection(place, timeout=20))
                line.sendall(b"GET /api/events/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
            for _ in range(5):
                assert httpx.get(f"{url}/health", timeout=10).status_code == 200

    def test_is_unavailable_while_it_starts(self, tmp_path):
        service = idle(tmp_path)
        service.ready = False
        with serving(service) as url:
            answer = httpx.get(f"{url}/health")
            assert (answer.status_code, answer.json()) == (503, {"status": "starting"})
            service.ready = True
            assert httpx.get(f"{url}/health").status_code == 200


class TestCameras:
    def test_tells_states(self, client):
        cameras = client.get("/api/cameras").json()["cameras"]
        assert [camera["name"] for camera in cameras] == ["yard", "door"]
        assert all(camera["state"] == "running" and camera["width"] == 320 for camera in cameras)

    def test_tells_a_setup_that_can_be_sent_back(self, client):
        setup = client.get("/api/cameras/yard").json()["setup"]
        assert [zone["name"] for zone in setup["zones"]] == ["yard"]
        assert (
            client.put("/api/cameras/yard/setup", json={k: setup[k] for k in ("zones", "lines", "rules")}).status_code
            == 200
        )
        again = client.get("/api/cameras/yard/setup").json()
        assert {**again, "edited": False} == {**setup, "edited": False}
        assert again["edited"]

    def test_never_tells_a_source(self, client, service):
        service.error = "rtsp://admin:***@10.0.0.9/yard: no answer from rtsp://admin:hunter2@10.0.0.9/yard"
        try:
            answers = [
                client.get(path).text for path in ("/api/cameras", "/api/cameras/yard", "/api/service", "/metrics")
            ]
            with client.stream("GET", "/api/stream") as stream:
                answers.append(json.dumps(next(messages(stream.iter_lines()))))
        finally:
            service.error = None
        assert "no answer from" in answers[1]
        for answer in answers:
            assert not re.search(r"hunter2|10\.0\.0\.9|rtsp", answer)

    @pytest.mark.parametrize("path", ["", "/setup", "/picture.jpg", "/live.mjpg", "/evidence.jpg"])
    def test_there_is_no_such_camera(self, client, path):
        answer = client.get(f"/api/cameras/nobody{path}")
        assert (answer.status_code, answer.json()) == (404, {"error": "there is no camera 'nobody'"})

    def test_a_camera_without_a_picture_is_unavailable(self, tmp_path):
        with serving(idle(tmp_path)) as url:
            answer = httpx.get(f"{url}/api/cameras/yard/picture.jpg")
            assert answer.status_code == 503
            assert "no picture yet" in answer.json()["error"]
            assert httpx.get(f"{url}/api/cameras/yard/evidence.jpg").status_code == 503


class TestPictures:
    def test_shows_the_newest_frame(self, client, service):
        answer = client.get("/api/cameras/yard/picture.jpg")
        seen = picture(answer)
        assert seen.shape == (180, 320, 3)
        assert int(answer.headers["x-frame-number"]) > 0
        frame = service.lookouts["yard"].latest().frame
        assert np.abs(seen[:20].astype(int) - frame[:20]).mean() < 8  # the upper edge, where nothing moves

    def test_the_mask_alone_is_black_and_white(self, client, service):
        def found():
            mask = picture(client.get("/api/cameras/yard/picture.jpg?layers=mask"))
            return mask if (mask > 200).any() else None

        mask = wait_for(found)
        assert ((mask < 40) | (mask > 200)).mean() > 0.97  # JPEG rings at edges

    def test_layers_draw_something(self, client):
        plain = picture(client.get("/api/cameras/yard/picture.jpg?layers=zones"))
        assert (plain > 100).any()  # on black
        assert not (picture(client.get("/api/cameras/yard/picture.jpg?layers=frame,zones"))[:5] == 0).all()

    def test_size_is_bounded(self, client):
        assert picture(client.get("/api/cameras/yard/picture.jpg?width=100")).shape == (56, 100, 3)
        assert picture(client.get("/api/cameras/yard/picture.jpg?width=1900")).shape == (180, 320, 3)
        assert client.get("/api/cameras/yard/picture.jpg?width=100000").status_code == 422

    def test_unknown_layers_are_refused(self, client):
        answer = client.get("/api/cameras/yard/picture.jpg?layers=frame,secrets")
        assert answer.status_code == 422
        assert "there are frame, mask, tracks, zones" in answer.json()["error"]

    def test_evidence(self, client):
        assert picture(client.get("/api/cameras/yard/evidence.jpg")).shape[1] == 3 * 320

    def test_live_pictures_change_and_nothing_is_encoded_without_a_watcher(self, client, service, monkeypatch):
        made = []
        encode = pictures.encode
        monkeypatch.setattr(pictures, "encode", lambda *args: made.append(1) or encode(*args))
        with client.stream("GET", "/api/cameras/yard/live.mjpg?layers=frame&fps=15") as answer:
            kind, boundary = answer.headers["content-type"].split("; boundary=")
            assert kind == "multipart/x-mixed-replace"
            data = b""
            for part in answer.iter_raw():
                data += part
                if data.count(f"--{boundary}".encode()) > 3:
                    break
        frames = [part.partition(b"\r\n\r\n")[2] for part in data.split(f"--{boundary}".encode())[1:4]]
        drawn = [cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_COLOR) for frame in frames]
        assert np.abs(drawn[0].astype(int) - drawn[2]).max() > 20
        lookout = service.lookouts["yard"]

        def nobody_watches():
            before, count = lookout.processed, len(made)
            wait_for(lambda: lookout.processed >= before + 4)
            return len(made) == count

        wait_for(nobody_watches)

    def test_two_who_watch_share_a_picture(self, service, monkeypatch):
        made = []
        monkeypatch.setattr(pictures, "encode", lambda *args: made.append(1) or b"")
        latest = service.lookouts["yard"].latest()

        class Still:
            name = "still"
            latest = staticmethod(lambda: latest)
            places = staticmethod(lambda: [])

        store = pictures.Pictures()
        for _ in range(3):
            store.of(Still, frozenset({"frame"}), None)
        assert len(made) == 1
        store.of(Still, frozenset({"mask"}), None)
        assert len(made) == 2

    def test_pictures_that_were_made_hold_no_frame(self, service):
        frames = []

        class Moving:
            name = "moving"
            places = staticmethod(lambda: [])

            @staticmethod
            def latest():
                latest = replace(service.lookouts["yard"].latest(), number=len(frames))
                frames.append(weakref.ref(latest))
                return latest

        store = pictures.Pictures()
        for width in (64, 65, 66):  # each is kept, as JPEG
            store.of(Moving, frozenset({"frame"}), width)
        gc.collect()
        assert [frame() for frame in frames] == [None] * 3


ZONE = {"name": "path", "points": [[0, 0], [0.5, 0], [0.5, 0.5]], "relative": True}


class TestEdits:
    def test_zones_lines_rules_and_tuning(self, client):
        assert client.put("/api/cameras/door/rules", json=[{"kind": "enter"}]).status_code == 200
        setup = client.put("/api/cameras/door/zones", json=[ZONE]).json()
        assert setup["zones"][0]["points"] == [[0, 0], [0.5, 0], [0.5, 0.5]]
        setup = client.put("/api/cameras/door/lines", json=[]).json()
        assert setup["lines"] == []
        setup = client.put("/api/cameras/door/rules", json=[{"kind": "linger", "zones": ["path"], "seconds": 3}]).json()
        assert (setup["rules"][0]["kind"], setup["rules"][0]["seconds"]) == ("linger", 3)
        setup = client.put("/api/cameras/door/tuning", json={"threshold": 50}).json()
        assert setup["tuning"]["threshold"]["value"] == 50
        assert client.get("/api/cameras").json()["cameras"][1]["edited"]
        setup = client.delete("/api/cameras/door/edits").json()
        assert [zone["name"] for zone in setup["zones"]] == ["yard"]
        assert not setup["edited"]
        assert setup["tuning"]["threshold"]["value"] == 28

    @pytest.mark.parametrize(
        ("path", "body", "key"),
        [
            ("zones", [ZONE | {"points": [[0, 0], [1, 1], [1, 0], [0, 1]]}], "zone[0].points"),  # crosses itself
            ("zones", [ZONE, ZONE | {"points": [[0, 0]]}], "[1].points"),
            ("zones", [ZONE | {"colour": "red"}], "[0].colour"),
            ("zones", [ZONE | {"name": "x" * 101}], "[0].name"),
            ("lines", [{"name": "x", "points": [[0, 0], [0, "a"]]}], "[0].points[1][1]"),
            ("rules", [{"kind": "enter"}, {"kind": "dance"}], "rule[1].kind"),
            ("rules", [{"kind": "enter", "zones": ["nowhere"]}], None),
            ("tuning", {"threshold": 1e9}, "tuning.threshold"),
            ("tuning", {"charm": 1}, "tuning.charm"),
            ("setup", {"zones": [ZONE | {"points": 7}]}, "zones[0].points"),
            ("setup", {"camera": {}}, "camera"),
        ],
    )
    def test_what_cannot_be_is_refused_and_named(self, client, path, body, key):
        before = client.get("/api/cameras/yard/setup").json()
        answer = client.put(f"/api/cameras/yard/{path}", json=body)
        assert answer.status_code == 422
        assert answer.json().get("key") == key
        assert answer.json()["error"]
        assert client.get("/api/cameras/yard/setup").json() == before

    @pytest.mark.parametrize("body", ["", "{", "[1", '[{"points": [[NaN, 0]]}]', '{"zones": null'])
    def test_what_is_no_json_is_refused(self, client, body):
        answer = client.put("/api/cameras/yard/zones", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422
        assert set(answer.json()) == {"error", "key"}

    def test_kinds_of_rules_describe_a_form(self, client):
        kinds = client.get("/api/rule-kinds").json()
        assert kinds["speed"]["on"] == "zones"
        assert kinds["speed"]["parameters"]["above"] == {"type": "float", "required": True}
        assert kinds["cross"]["on"] == "lines"
        assert kinds["light"]["on"] is None
        assert kinds["enter"]["parameters"]["position"]["choices"] == ["feet", "share"]

    def test_reload(self, client, service):
        assert client.post("/api/reload").json() == {"changed": ["camera yard: fps"]}
        service.error = "x"
        try:
            answer = client.post("/api/reload")
        finally:
            service.error = None
        assert (answer.status_code, answer.json()) == (422, {"error": "cameras.toml:3: camera[0].width: too small"})


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

    def test_real_events_have_pictures(self, client, service):
        def finished():
            events = client.get("/api/events").json()["events"]
            return next((event for event in events if event["clip"] and event["evidence"]), None)

        event = wait_for(finished, 60)
        assert event["end"] >= event["start"] > 1e9  # the same where zones were changed just then
        assert picture(client.get(event["snapshot"])).shape == (180, 320, 3)
        assert client.get(event["clip"]).content[4:8] == b"ftyp"


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


class TestMetrics:
    def test_what_prometheus_reads(self, tmp_path):
        service = idle(tmp_path)
        yard = service.lookouts["yard"]
        for _ in range(3):
            yard.step()
        with serving(service) as url:
            assert httpx.get(f"{url}/metrics").status_code == 200
            event = Event("yard-9-0", "yard", "enter", "", (), 1.0)
            service.store.record([Telling(event, 0.0)])
            service.bulletin.publish("telling", {})

            def read():
                families = {f.name: f for f in text_string_to_metric_families(httpx.get(f"{url}/metrics").text)}
                return families if families["motionseg_events"].samples else None

            families = wait_for(read)
        values = {(s.name, *s.labels.values()): s.value for family in families.values() for s in family.samples}
        assert values["motionseg_frames_read_total", "yard"] == 6
        assert values["motionseg_frames_processed_total", "yard"] == 3
        assert values["motionseg_events_total", "yard", "enter"] == 1  # not those of before
        assert values["motionseg_camera_up", "yard"] == 1
        assert values["motionseg_camera_up", "door"] == 0
        assert values["motionseg_queue_depth", "ledger"] == 0
        assert values["motionseg_sink_delivered_total", "jsonl"] == 5
        assert values["process_resident_memory_bytes",] > 1e6
        assert families["motionseg_latency_seconds"].type == "histogram"
        buckets = [
            s
            for s in families["motionseg_latency_seconds"].samples
            if s.labels == {"camera": "yard", "le": s.labels.get("le")}
        ]
        counts = [s.value for s in buckets if s.name.endswith("_bucket")]
        assert counts == sorted(counts)
        assert counts[-1] == values["motionseg_latency_seconds_count", "yard"] == 3

    def test_two_services_do_not_mix(self, tmp_path):
        first, second = FakeService(tmp_path / "a", {"one": street}), FakeService(tmp_path / "b", {"two": street})
        with serving(first) as a, serving(second) as b:
            assert 'camera="one"' in httpx.get(f"{a}/metrics").text
            assert 'camera="one"' not in httpx.get(f"{b}/metrics").text


class TestPageAndErrors:
    def test_nothing_comes_from_elsewhere(self, client):
        page = client.get("/")
        assert page.headers["content-type"].startswith("text/html")
        names = {"/", *re.findall(r'"(page/[\w.]+)"', page.text)}
        seen = set()
        while names - seen:
            name = (names - seen).pop()
            seen.add(name)
            text = client.get(name).raise_for_status().text
            names |= {f"page/{found}" for found in re.findall(r'from "\./([\w.]+)"', text)}
            outside = set(re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}[^\s\"']*", text)) - {
                "http://www.w3.org/2000/svg"
            }
            assert not outside, name
            if name == "/":
                assert not re.search(r"<script>|<style|\son\w+=|style=", text)  # what the policy would not run
        assert len(seen) > 12

    def test_files_of_the_page_are_cached_by_what_is_in_them(self, client):
        answer = client.get("/page/style.css")
        tag = answer.headers["etag"]
        assert client.get("/page/style.css", headers={"If-None-Match": tag}).status_code == 304
        assert client.get("/page/none.css").json() == {"error": "there is no such page"}
        assert client.get("/page/__init__.py").status_code == 404

    def test_headers(self, client):
        for path in ("/", "/api/cameras", "/nowhere", "/health", "/api/cameras/yard/picture.jpg"):
            headers = client.get(path).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == ("no-cache" if path == "/" else "no-store")
            assert "server" not in headers

    def test_openapi(self, client):
        schema = client.get("/api/openapi.json").json()
        assert {"/health", "/api/events", "/api/cameras/{name}/zones", "/api/stream"} <= set(schema["paths"])
        assert client.get("/docs").status_code == 404

    def test_errors_are_json(self, client):
        for method, path, status in [("GET", "/nowhere", 404), ("POST", "/api/events", 405), ("PUT", "/metrics", 405)]:
            answer = client.request(method, path)
            assert answer.status_code == status
            assert list(answer.json()) == ["error"]

    def test_a_fault_is_no_traceback(self, tmp_path, monkeypatch, caplog):
        service = idle(tmp_path)
        with serving(service) as url:
            monkeypatch.setattr(service, "health", lambda: 1 / 0)
            answer = httpx.get(f"{url}/api/service")
        assert answer.status_code == 500
        assert "ZeroDivision" not in answer.text
        assert "ZeroDivision" in caplog.text  # in the log only
        assert "error" in answer.json()
