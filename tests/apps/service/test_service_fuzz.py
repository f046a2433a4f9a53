"""A thousand requests that should not be: each gets a clear 4xx (or what it asked for), none a traceback or a hang."""

import json
import socket
from collections import Counter

import httpx
import hypothesis.strategies as st
import pytest
from fake_service import FakeService, serving, street, wait_for
from hypothesis import HealthCheck, Phase, given, seed, settings

REQUESTS = 1000
PLAIN = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)
METHODS = st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "LIST", "get"])
PARTS = (
    "/ /api /api/cameras /api/cameras/yard/ zones setup picture.jpg /page/ .. %2e %00 /api/events/ clip ? & = camera="
)
PARTS = [*PARTS.split(), *["limit=", "before=", "%ff", "\\", ";", "#", "*", "~"]]
PATHS = st.lists(
    st.sampled_from(PARTS) | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=6), max_size=7
)
HEADERS = "Host Content-Length Transfer-Encoding Content-Type Range Cookie Authorization Origin Sec-Fetch-Site"
HEADERS = [*HEADERS.split(), *["Last-Event-ID", "Accept", "Expect", "If-None-Match"]]
VALUES = "localhost chunked gzip -1 5 99999999999999999999 application/json bytes=0- bytes=9-1,, null cross-site"
VALUES = st.sampled_from([*VALUES.split(), "Bearer x", 'motionseg_session="', "100-continue", ""])
WORDS = ["name", "points", "kind", "zones", "rules", "lines", "tuning", "sides", "limit", "relative", "threshold"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=25,
)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    service = FakeService(tmp_path_factory.mktemp("fuzz"), {"yard": street}).start()
    wait_for(lambda: service.lookouts["yard"].latest(), 120)
    with serving(service, body_time=0.5) as url:
        yield url
    service.stop()


def check(status, body, kind):
    """A clear answer."""
    assert status < 500 or status == 503, body
    assert b"Traceback" not in body
    if status >= 400 and body:
        assert kind.startswith("application/json"), (status, body)
        assert json.loads(body)["error"]


ENDLESS = ("/api/stream", "/api/cameras/{name}/live.mjpg")


def send_case(client, case, told):
    """Sends what schemathesis has made, as far as a client can."""
    options = case.as_transport_kwargs(base_url=str(client.base_url))
    body = options.get("json", options.get("data"))
    content = body if isinstance(body, (bytes, str)) or body is None else json.dumps(body)
    query = {key: value for key, value in (options.get("params") or {}).items() if value is not None}
    try:
        request = client.build_request(
            options["method"], options["url"], headers=dict(options["headers"] or {}), params=query, content=content
        )
    except (ValueError, TypeError, httpx.InvalidURL):
        told["unsent"] += 1
        return
    endless = case.operation.path in ENDLESS
    answer = client.send(request, stream=endless)
    try:
        if not endless or answer.status_code >= 400:
            check(answer.status_code, answer.read(), answer.headers.get("content-type", ""))
        told[answer.status_code] += 1
    finally:
        answer.close()


@pytest.mark.slow
def test_the_schema_turned_upside_down(address):
    schemathesis = pytest.importorskip("schemathesis")
    schema = schemathesis.openapi.from_dict(httpx.get(f"{address}/api/openapi.json").json())
    operations = [operation.ok() for operation in schema.get_all_operations()]
    assert len(operations) > 20
    told = Counter()
    limited = settings(PLAIN, max_examples=2 * REQUESTS // len(operations))
    with httpx.Client(base_url=address, timeout=20) as client:
        for operation in operations:
            strategies = []
            for mode in schemathesis.GenerationMode:
                if mode.name == "POSITIVE" or list(operation.iter_parameters()) or operation.body:  # can be wrong
                    strategies.append(operation.as_strategy(generation_mode=mode))
                    if "{name}" in operation.path:
                        known = {"name": "yard"}
                        strategies.append(operation.as_strategy(generation_mode=mode, path_parameters=known))
            limited(given(st.one_of(strategies))(lambda case: send_case(client, case, told)))()
        assert client.get("/health").json() == {"status": "ok"}
    assert told[422] > 100, told
    assert sum(told.values()) >= REQUESTS, told


@pytest.mark.slow
def test_bodies_of_all_kinds(address):
    told = Counter()
    with httpx.Client(base_url=address, timeout=20) as client:

        @settings(PLAIN, max_examples=300)
        @given(st.sampled_from(["zones", "lines", "rules", "tuning", "setup"]), JSON)
        def send(what, body):
            answer = client.put(f"/api/cameras/yard/{what}", content=json.dumps(body).encode("utf-8", "surrogatepass"))
            check(answer.status_code, answer.content, answer.headers["content-type"])
            told[answer.status_code] += 1

        send()
    assert set(told) <= {200, 422}
    assert told[422] > 200


@pytest.mark.slow
def test_bytes_that_are_hardly_requests(address):
    """By a bare socket: methods, paths and headers that no client would send."""
    where = httpx.URL(address)
    told = Counter()

    @settings(PLAIN, max_examples=300)
    @seed(8)
    @given(
        METHODS,
        PATHS.map("".join),
        st.lists(st.tuples(st.sampled_from(HEADERS), VALUES), max_size=4),
        st.binary(max_size=60),
    )
    def send(method, path, headers, body):
        lines = [f"{method} {path} HTTP/1.1", "Connection: close", *(f"{name}: {value}" for name, value in headers)]
        if not any(name == "Host" for name, _ in headers):
            lines.append("Host: localhost")
        with socket.create_connection((where.host, where.port), timeout=20) as line:
            line.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            line.shutdown(socket.SHUT_WR)
            answer = b""
            try:
                while part := line.recv(65536):
                    answer += part
                    if b"event-stream" in answer or b"x-mixed-replace" in answer:
                        break
            except ConnectionResetError:
                pass
        status = int(answer[9:12]) if answer else 0
        told[status] += 1
        assert status < 500 or status == 503, answer
        assert b"Traceback" not in answer

    send()
    assert told[400] > 50
    assert httpx.get(f"{address}/health").json() == {"status": "ok"}
