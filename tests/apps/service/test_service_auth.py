"""Who gets in: hosts, origins, tokens, sessions; and what is too much, too slow or no request at all."""

import asyncio
import contextlib
import logging
import socket
import time

import httpx
import pytest
from fake_service import FakeService, serving, street, wait_for

from motionseg.apps.service.http import auth, server
from motionseg.apps.service.http.answers import Refusal

TOKEN = "correct horse battery staple"


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Without a token."""
    service = FakeService(tmp_path_factory.mktemp("open"), {"yard": street})
    with serving(service, body_time=0.5) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


@pytest.fixture
def closed(tmp_path):
    """With a token."""
    service = FakeService(tmp_path, {"yard": street}, token=TOKEN)
    with serving(service) as url, httpx.Client(base_url=url, timeout=20) as client:
        client.service = service
        yield client


def raw(url, text, *, more=b"", seconds=20.0):
    """What a server answers to bytes, until it closes."""
    with socket.create_connection((httpx.URL(url).host, httpx.URL(url).port), timeout=seconds) as line:
        line.sendall(text)
        answer = b""
        try:
            while True:
                if more:
                    line.sendall(more)
                    time.sleep(0.01)
                line.settimeout(0.01 if more else seconds)
                try:
                    part = line.recv(65536)
                except TimeoutError:
                    assert more, "the server neither answers nor closes"
                    continue
                if not part:
                    return answer
                answer += part
        except (ConnectionResetError, BrokenPipeError):
            return answer


class TestOpenOnLoopback:
    @pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1", "127.1.2.3:80", "[::1]:8080"])
    def test_answers_to_its_own_names(self, opened, host):
        assert opened.get("/api/cameras", headers={"Host": host}).status_code == 200

    @pytest.mark.parametrize(
        "host", ["evil.example", "evil.example:8080", "10.0.0.1", "localhost.evil.example", "", "[::1"]
    )
    def test_refuses_names_that_point_here(self, opened, host):
        for path in ("/api/cameras", "/", "/health"):
            answer = opened.get(path, headers={"Host": host})
            assert answer.status_code == 421
            assert "localhost" in answer.json()["error"]

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://localhost:1"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    def test_refuses_changes_from_other_sites(self, opened, headers):
        for method, path in (
            ("POST", "/api/reload"),
            ("PUT", "/api/cameras/yard/zones"),
            ("DELETE", "/api/cameras/yard/edits"),
        ):
            answer = opened.request(method, path, headers=headers)
            assert (answer.status_code, answer.json()) == (403, {"error": "requests from other sites are refused"})

    def test_refuses_pictures_on_other_sites(self, opened):
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
        assert opened.get("/api/cameras", headers=headers).status_code == 403
        assert opened.get("/", headers=headers | {"Sec-Fetch-Mode": "navigate"}).status_code == 200  # a link

    def test_takes_changes_from_its_own_page(self, opened):
        url = str(opened.base_url).rstrip("/")
        headers = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
        assert opened.post("/api/reload", headers=headers).status_code == 200

    def test_needs_no_session(self, opened):
        assert opened.get("/api/session").json() == {"needed": False, "signed_in": True}


class TestToken:
    @pytest.mark.parametrize(
        "path",
        ["/api/cameras", "/api/events", "/metrics", "/api/stream", "/api/openapi.json", "/api/nowhere", "/nowhere"],
    )
    def test_nothing_without_it(self, closed, path):
        for headers in (
            {},
            {"Authorization": "Basic abc"},
            {"Authorization": "Bearer"},
            {"Cookie": f"{auth.COOKIE}={TOKEN}"},
        ):
            answer = closed.get(path, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert closed.get(f"{path}?token={TOKEN}&access_token={TOKEN}").status_code == 401

    def test_what_everybody_may_see(self, closed):
        assert closed.get("/health").json() == {"status": "ok"}
        assert closed.get("/").status_code == 200
        assert closed.get("/page/style.css").status_code == 200
        assert closed.get("/api/session").json() == {"needed": True, "signed_in": False}

    def test_bearer(self, closed):
        assert closed.get("/api/cameras", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert closed.get("/api/cameras", headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200
        wrong = closed.get("/api/cameras", headers={"Authorization": "Bearer wrong"})
        assert (wrong.status_code, wrong.json()) == (401, {"error": "this is not the token"})

    def test_other_hosts_are_served(self, closed):
        headers = {"Host": "cameras.example", "Authorization": f"Bearer {TOKEN}"}
        assert closed.get("/api/cameras", headers=headers).status_code == 200

    def test_is_never_logged(self, closed, caplog):
        caplog.set_level(logging.DEBUG)
        closed.get(f"/api/cameras?token={TOKEN}", headers={"Authorization": f"Bearer {TOKEN}"})
        closed.post("/api/login", json={"token": TOKEN})
        closed.post("/api/login", json={"token": TOKEN, "x": 1})
        ours = [
            record.getMessage() for record in caplog.records if not record.name.startswith("http")
        ]  # httpx, httpcore
        assert TOKEN not in " ".join(ours)


class TestSessions:
    def sign_in(self, client):
        answer = client.post("/api/login", json={"token": TOKEN})
        assert answer.status_code == 204
        return answer.headers["set-cookie"]

    def test_a_cookie_for_a_token(self, closed):
        cookie = self.sign_in(closed)
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert TOKEN not in cookie
        assert closed.get("/api/session").json() == {"needed": True, "signed_in": True}
        assert closed.get("/api/cameras").status_code == 200

    def test_odd_cookies_of_others_do_not_hide_it(self, closed):
        mine = self.sign_in(closed).split(";")[0]
        closed.cookies.clear()
        assert closed.get("/api/cameras", headers={"Cookie": f'a b={{"c": "d"}}; {mine}'}).status_code == 200

    def test_each_has_its_own(self, closed):
        assert self.sign_in(closed) != self.sign_in(closed)

    def test_signing_out(self, closed):
        self.sign_in(closed)
        cookies = dict(closed.cookies)
        assert closed.post("/api/logout").status_code == 204
        closed.cookies.clear()
        assert (
            closed.get("/api/cameras", headers={"Cookie": f"{auth.COOKIE}={cookies[auth.COOKIE]}"}).status_code == 401
        )

    @pytest.mark.parametrize(
        "body", [{}, {"token": ""}, {"token": 7}, {"token": "x" * 2000}, {"token": "x", "more": 1}, []]
    )
    def test_what_is_no_token(self, closed, body):
        answer = closed.post("/api/login", json=body)
        assert answer.status_code == 422
        assert "set-cookie" not in answer.headers

    def test_another_token_ends_all(self, closed):
        self.sign_in(closed)
        section = closed.service.config.service
        section.token = type(section.token)("another one")
        assert closed.get("/api/cameras").status_code == 401

    def test_a_stream_ends_with_its_session(self, closed):
        self.sign_in(closed)
        with closed.stream("GET", "/api/stream") as answer:
            lines = answer.iter_lines()
            next(lines)
            section = closed.service.config.service
            section.token = type(section.token)("another one")
            assert all(isinstance(line, str) for line in lines)  # comes to an end

    def test_wrong_tokens_have_to_wait(self, closed):
        statuses = [closed.post("/api/login", json={"token": f"guess {n}"}).status_code for n in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        answer = closed.post("/api/login", json={"token": TOKEN})
        assert answer.status_code == 429  # nor is the right one told from others
        assert int(answer.headers["retry-after"]) >= 1
        wait_for(lambda: closed.post("/api/login", json={"token": TOKEN}).status_code == 204)


class TestDoorkeeper:
    """With a clock of its own."""

    @pytest.fixture
    def keeper(self, monkeypatch):
        async def no_time(_):
            return None

        monkeypatch.setattr(auth.asyncio, "sleep", no_time)
        keeper = auth.Doorkeeper(lambda: TOKEN, clock=lambda: keeper.now)
        keeper.now = 1000.0
        return keeper

    def attempt(self, keeper, token, address="1.2.3.4"):
        try:
            asyncio.run(keeper.try_token(address, token))
        except Refusal as refusal:
            return refusal.status
        return 200

    def test_sessions_are_over_some_time(self, keeper):
        secret = asyncio.run(keeper.sign_in({"client": ("1.2.3.4", 5)}, TOKEN))
        cookie = {"cookie": f"{auth.COOKIE}={secret}"}
        keeper.now += auth.SESSION_TIME - 1
        assert keeper.knows(cookie)  # and lasts on
        keeper.now += auth.SESSION_TIME - 1
        assert keeper.knows(cookie)
        keeper.now += auth.SESSION_TIME
        assert not keeper.knows(cookie)
        assert not keeper.knows({"cookie": 'a="'})

    def test_waiting_grows_and_is_forgiven(self, keeper):
        waits = []
        for _ in range(12):
            waits.append(0)
            while self.attempt(keeper, "wrong") == 429:
                keeper.now += 1
                waits[-1] += 1
        assert waits == [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
        assert self.attempt(keeper, TOKEN, "5.6.7.8") == 200  # others need not wait
        keeper.now += 901
        assert [self.attempt(keeper, "wrong") for _ in range(3)] == [401] * 3

    def test_of_ipv6_a_whole_network_waits(self, keeper):
        def sign_in(host, token):
            try:
                asyncio.run(keeper.sign_in({"client": (host, 5)}, token))
            except Refusal as refusal:
                return refusal.status
            return 200

        assert [sign_in(f"2001:db8::{n}", "wrong") for n in range(5)] == [401, 401, 401, 429, 429]
        assert sign_in("2001:db8:0:1::1", TOKEN) == 200

    def test_wrong_ones_are_logged_without_what_was_tried(self, keeper, caplog):
        self.attempt(keeper, "my other password")
        assert caplog.messages == ["a wrong token from 1.2.3.4, the 1. in a row"]

    def test_memory_is_bounded(self, keeper, monkeypatch):
        monkeypatch.setattr(auth, "_MOST_ADDRESSES", 10)
        monkeypatch.setattr(auth, "_MOST_SESSIONS", 10)
        for number in range(50):
            self.attempt(keeper, "wrong", f"10.0.0.{number}")
            asyncio.run(keeper.sign_in({"client": ("1.2.3.4", 5)}, TOKEN))
        assert len(keeper._failures) == len(keeper._sessions) == 10


class TestTooMuch:
    def test_large_bodies(self, opened):
        for content in (b"x" * (2 << 20), (b"x" * 65536 for _ in range(40))):  # with a length, and in chunks
            answer = opened.put("/api/cameras/yard/zones", content=content)
            assert answer.status_code == 413
            assert "1048576" in answer.json()["error"]

    @pytest.mark.parametrize("path", ["/api/login", "/page/app.js", "/"])
    def test_large_bodies_of_those_who_need_no_token(self, closed, path):
        answer = closed.post(path, content=b"x" * 10_000)
        assert answer.status_code == 413
        assert "8192" in answer.json()["error"]

    def test_connections_without_end(self, closed, monkeypatch):
        monkeypatch.setattr(server, "_MOST_CONNECTIONS", 2)
        monkeypatch.setattr(server, "_MOST_REFUSED", 1)
        place = closed.base_url.host, closed.base_url.port
        with contextlib.ExitStack() as stack:
            lines = [stack.enter_context(socket.create_connection(place, timeout=20)) for _ in range(6)]
            ends = [line.recv(1) if number > 2 else b"" for number, line in enumerate(lines)]
            assert ends == [b""] * 6
            lines[0].sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert lines[0].recv(12) == b"HTTP/1.1 200"

    def test_a_body_that_does_not_come(self, opened):
        head = b"PUT /api/cameras/yard/zones HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n["
        assert raw(opened.base_url, head).startswith(b"HTTP/1.1 408")

    @pytest.mark.parametrize("method", [b"PUT /api/cameras/yard/zones", b"GET /health"])
    def test_a_body_without_end(self, opened, method, monkeypatch):
        monkeypatch.setattr(server, "HEADER_TIME", 0.3)
        head = method + b" HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = raw(opened.base_url, head, more=b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
        assert answer[9:12] in (b"413", b"408", b"200", b"")  # a reset may eat the answer

    @pytest.mark.parametrize("text", [b"", b"GET /health HT", b"GET /health HTTP/1.1\r\nHost: local"])
    def test_a_head_that_does_not_end(self, opened, text, monkeypatch):
        monkeypatch.setattr(server, "HEADER_TIME", 0.3)
        assert raw(opened.base_url, text) == b""

    @pytest.mark.parametrize(
        "text",
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"GET /health\r\n\r\n",
            b"G\0T /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
            b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
        ],
    )
    def test_what_is_no_request(self, opened, text):
        answer = raw(opened.base_url, text)
        assert answer.startswith(b"HTTP/1.1 400")
        assert answer.endswith(b'{"error":"this is no HTTP request"}')

    @pytest.mark.parametrize(
        "path",
        [
            "/page/../app.py",
            "/page/..%2fapp.py",
            "/page/%2e%2e/app.py",
            "/page/..%252fapp.py",
            "/..",
            "/page/.",
            "//etc/passwd",
            "/api/events/..%5c..%5cx/clip",
            "/page/a%00.css",
            "/page/\\..\\app.py",
            "/page/%c0%ae%c0%ae/app.py",
            "/page/style.css;x",
            "/api/cameras/%79ard",
            "*",
            "http://localhost/page/../app.py",
        ],
    )
    def test_odd_paths(self, opened, path):
        answer = raw(opened.base_url, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 400")
        assert b"characters that no path" in answer

    def test_websockets_are_not_spoken(self, opened):
        headers = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": "x",
            "Sec-WebSocket-Version": "13",
        }
        assert opened.get("/api/stream2", headers=headers).status_code == 404

    def test_a_place_that_is_taken(self, opened):
        from motionseg.core.errors import OutputError

        with pytest.raises(OutputError, match=r"cannot listen on 127\.0\.0\.1, port"):
            server.HttpServer(None, "127.0.0.1", opened.base_url.port)
