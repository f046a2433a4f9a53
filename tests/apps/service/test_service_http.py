"""The service over HTTP: a real server, real pictures of a drawn film, and a client that knows no insides."""

import contextlib
import gc
import json
import re
import socket
import threading
import weakref
from dataclasses import replace

import cv2
import httpx
import numpy as np
import pytest
from fake_service import FakeService, Telling, idle, messages, serving, street, wait_for
from prometheus_client.parser import text_string_to_metric_families

from motionseg.apps.service.http import pictures
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


def picture(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/jpeg"
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)


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
    def test_real_events_have_pictures(self, client, service):
        def finished():
            events = client.get("/api/events").json()["events"]
            return next((event for event in events if event["clip"] and event["evidence"]), None)

        event = wait_for(finished, 60)
        assert event["end"] >= event["start"] > 1e9  # the same where zones were changed just then
        assert picture(client.get(event["snapshot"])).shape == (180, 320, 3)
        assert client.get(event["clip"]).content[4:8] == b"ftyp"


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
