"""The webhook: signed posts to a real HTTP server that answers as bad servers do."""

import hashlib
import hmac
import json
import logging
import socket
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_servers import free_port, wait_until

from motionseg.apps.service.couriers import Courier, DeliveryError
from motionseg.apps.service.store import Telling, open_store
from motionseg.apps.service.webhook import WebhookSink, sign
from motionseg.core.errors import ParameterError
from motionseg.core.types import Event

pytest.importorskip("httpx")
KEY = "hidden-word"
NO_ADDRESSES = [f"ftp://h/{KEY}", KEY, "", "http://", f"http://[{KEY}", f"file:///{KEY}", f"http://h:x/{KEY}"]


def telling(number=1, phase="begin", camera="door", rule="enter"):
    end = None if phase == "begin" else 1500.0
    return Telling(Event(f"{camera}-{number}-0", camera, rule, "yard", (1,), 1000.0, end), 2000.0, number)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.path, dict(self.headers), body))
        answers = self.server.answers
        status, headers, answer = answers.pop(0) if answers else (200, {}, b"thanks")
        if status == 0:  # not an answer at all
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if answer is not None:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if answer is not None:
            self.wfile.write(answer)
            return
        self.close_connection = True
        try:
            while True:  # a body without an end
                self.wfile.write(b"x" * 4096)
        except OSError:
            self.server.cut_off.set()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads = True
    made.posts, made.answers, made.cut_off = [], [], threading.Event()
    made.url = f"http://127.0.0.1:{made.server_port}/hook?key={KEY}"
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def sink_of():
    made = []

    def make(url, **how):
        made.append(WebhookSink(url, **how))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


def test_what_is_posted(server, sink_of):
    sink = sink_of(server.url, secret="shared", name="mine")
    told = telling(7, "end")
    sink.deliver([told])
    ((path, headers, body),) = server.posts
    assert path == f"/hook?key={KEY}"
    assert json.loads(body) == {**told.event.to_dict(), "phase": "end", "told_at": 2000.0, "number": 7}
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Motionseg-Event"] == "door-7-0"
    assert headers["X-Motionseg-Delivery"] == "door-7-0:end"
    # as docs/sinks.md says it is verified
    facts = dict(part.split("=", 1) for part in headers["X-Motionseg-Signature"].split(","))
    expected = hmac.new(b"shared", facts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(expected, facts["v1"])
    assert abs(int(facts["t"]) - time.time()) < 300


def test_no_secret_no_signature(server, sink_of):
    sink_of(server.url).deliver([telling()])
    assert "X-Motionseg-Signature" not in server.posts[0][1]


def test_what_the_docs_verify_it_with(server, sink_of):
    """The ten lines of docs/sinks.md take our posts, and nothing that was changed on the way or is old."""
    text = (Path(__file__).parents[3] / "docs" / "sinks.md").read_text(encoding="utf-8")
    code = next(block for block in text.split("```python\n")[1:] if "def is_ours" in block).split("```")[0]
    names = {}
    exec(code, names)
    sink_of(server.url, secret="shared").deliver([telling(7)])
    ((_, headers, body),) = server.posts
    header = headers["X-Motionseg-Signature"]
    assert names["is_ours"]("shared", header, body)
    assert not names["is_ours"]("other", header, body)
    assert not names["is_ours"]("shared", header, body + b" ")
    assert not names["is_ours"]("shared", sign("shared", body, int(time.time()) - 1000), body)
    for bad in ("", "t=1", "v1=x", "t=x,v1=y", "t=\u00b2,v1=y", header + "\N{SNOWMAN}"):
        assert not names["is_ours"]("shared", bad, body)


@given(st.text(min_size=1), st.binary(), st.integers(0, 2**40))
def test_a_signature_is_of_the_whole_body_and_its_time(secret, body, at):
    def mac(header):
        return header.split("v1=")[1]

    good = sign(secret, body, at)
    assert good.startswith(f"t={at},v1=")
    assert mac(good) != mac(sign(secret, body + b" ", at))
    assert mac(good) != mac(sign(secret, body, at + 1))
    assert mac(good) != mac(sign(secret + "x", body, at))


def test_only_what_is_wanted_is_posted(server, sink_of):
    sink = sink_of(server.url, cameras=["door"], rules=["enter"], phases=["end"])
    sink.deliver([telling(1), telling(2, "end", camera="gate"), telling(3, "end", rule="leave"), telling(4, "end")])
    assert [headers["X-Motionseg-Event"] for _, headers, _ in server.posts] == ["door-4-0"]
    assert sink.status()["skipped"] == 3


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 425, 429])
def test_a_server_in_trouble_is_asked_again(status, server, sink_of):
    sink = sink_of(server.url)
    server.answers += [(status, {}, b"")] * 5
    for _ in range(5):
        with pytest.raises(DeliveryError, match=f"^answered {status}$"):
            sink.deliver([telling()])
    sink.deliver([telling()])
    assert len(server.posts) == 6
    assert len({body for _, _, body in server.posts}) == 1
    assert sink.status()["passed_over"] == 0


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422, 301, 302, 307, 308, 304])
def test_a_message_that_is_refused_is_passed_over(status, server, sink_of, caplog):
    sink = sink_of(server.url, name="mine")
    elsewhere = {"Location": f"http://127.0.0.1:{server.server_port}/elsewhere"}
    server.answers += [(status, elsewhere, b"")] * 3
    for _ in range(2):
        with pytest.raises(DeliveryError, match=f"^answered {status}$"):
            sink.deliver([telling(1)])
    sink.deliver([telling(1)])
    sink.deliver([telling(2)])
    assert [(path, headers["X-Motionseg-Event"]) for path, headers, _ in server.posts] == [
        *[(f"/hook?key={KEY}", "door-1-0")] * 3,
        (f"/hook?key={KEY}", "door-2-0"),
    ]
    assert sink.status()["passed_over"] == 1
    assert f"mine: begin of door-1-0 was answered {status} 3 times and is passed over" in caplog.text


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [("7", 7, 7), ("999999", 3600, 3600), ("-5", 0, 0), ("soon", 0, 0), ("", 0, 0), ("in", 20, 40), ("past", 0, 0)],
)
def test_who_asks_for_time_gets_it(header, low, high, server, sink_of):
    header = {"in": formatdate(time.time() + 31, usegmt=True), "past": formatdate(5, usegmt=True)}.get(header, header)
    server.answers.append((429, {"Retry-After": header}, b""))
    with pytest.raises(DeliveryError) as caught:
        sink_of(server.url).deliver([telling()])
    assert low <= caught.value.after <= high


def test_an_answer_without_an_end_is_cut_off(server, sink_of):
    server.answers.append((200, {}, None))
    sink_of(server.url).deliver([telling()])
    assert server.cut_off.wait(10.0)


def test_who_does_not_answer_is_asked_again(server, sink_of):
    sink = sink_of(server.url)
    server.answers.append((0, {}, b""))
    with pytest.raises(DeliveryError, match=r"^no answer: "):
        sink.deliver([telling()])
    sink.deliver([telling()])


def test_who_never_answers_is_left(sink_of):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sink = sink_of(f"http://127.0.0.1:{silent.getsockname()[1]}/{KEY}", timeout=0.2)
        with pytest.raises(DeliveryError, match=r"^no answer: ReadTimeout$"):
            sink.deliver([telling()])


def test_nobody_there(sink_of):
    with pytest.raises(DeliveryError, match=r"^no answer: ConnectError$"):
        sink_of(f"http://127.0.0.1:{free_port()}/?{KEY}").deliver([telling()])


def test_the_address_is_never_told(server, sink_of, caplog):
    caplog.set_level(logging.DEBUG)
    sink = sink_of(server.url, secret="shared-word")
    server.answers += [(500, {}, b""), (404, {}, b""), (404, {}, b""), (404, {}, b"")]
    told = []
    for _ in range(6):
        try:
            sink.deliver([telling()])
        except DeliveryError as error:
            told.append(f"{error!r} {error.__cause__!r}")
    assert len(told) == 3
    assert KEY not in caplog.text + repr(told) + repr(sink.status())
    assert "shared-word" not in caplog.text + repr(told)


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ParameterError, match="webhook webhook: the url is no http or https address") as caught:
        WebhookSink(url)
    assert KEY not in str(caught.value)


def test_an_unknown_phase_is_refused():
    with pytest.raises(ParameterError, match="phases are 'begin' and 'end'"):
        WebhookSink("http://h", phases=["middle"])


def test_an_odd_id_fits_into_a_header(server, sink_of):
    sink_of(server.url).deliver([Telling(Event("a b\r\nX: \N{SNOWMAN}", "c", "r", "", (), 1.0), 2.0)])
    assert server.posts[0][1]["X-Motionseg-Event"] == "a%20b%0D%0AX%3A%20%E2%98%83"


def test_a_courier_posts_each_once_and_in_order(server, tmp_path):
    store = open_store(None, tmp_path)
    store.record([telling(n) for n in range(1, 6)])
    server.answers += [(200, {}, b""), (503, {}, b""), (200, {}, b"")]
    courier = Courier(WebhookSink(server.url), store)
    courier.start()
    wait_until(lambda: store.cursor("webhook") == 5)
    assert [headers["X-Motionseg-Event"] for _, headers, _ in server.posts] == [
        f"door-{n}-0" for n in (1, 2, 2, 3, 4, 5)
    ]
    assert courier.status()["failures"] == 1
    courier.stop(5.0)
    store.close()
