"""A camera of which all is known: MPEG-TS over HTTP from loopback, on time by the clock, with faults when asked for.

    with LiveSource() as camera:
        camera.url, camera.passages(camera.began, time.time())
        camera.drop(5)

Whoever connects joins at the last key frame and gets H.264 frame by frame, as from a camera in a network.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np

from motionseg.datasets import Layer, Scene

FPS = 10
GOP = 5  # frames from one key frame to the next
PERIOD = 6.0  # seconds from one passage to the next
ZONE = ((0.3, 0.0), (0.7, 0.0), (0.7, 1.0), (0.3, 1.0))  # parts of the picture
SIZE, OTHER_SIZE = (320, 240), (400, 240)
_CROSSING = 4.4  # seconds from one side of the picture to the other
_COLORS = ((40, 50, 210), (190, 80, 30), (40, 160, 40), (200, 200, 210))  # BGR, in turn
_TICKS = 90000  # of MPEG-TS, a second
_HURRY = 2.0  # seconds that a client may be behind before it is taken to the last key frame
_PATIENCE = 5.0  # seconds to wait for a client that does not read


@dataclass(frozen=True)
class Passage:
    """Something went through the zone."""

    number: int
    """From 0, counted from when the camera began."""
    enter: float
    """Seconds: of the first frame in which the middle of its lower edge is in the zone."""
    leave: float
    """Seconds: of the last such frame."""


@dataclass(frozen=True)
class Fault:
    """What was wrong with the camera, from `begin` to `end` (seconds since 1970)."""

    kind: str
    begin: float
    end: float


class Film:
    """A loop of passages, drawn with exact truth and encoded once.

    Parameters
    ----------
    size : (int, int)
        Width and height, pixels.
    n_passages : int
        Of the loop; each has a colour, a height and a direction of its own.
    noise : float
        Standard deviation of the camera's noise, grey levels.

    Attributes
    ----------
    packets : list of bytes
        H.264 with start codes, a frame each; every `GOP`-th begins anew and has all that a decoder needs.
    inside : list of (int, int)
        The first and the last frame of each passage in the zone.
    """

    def __init__(self, size: tuple[int, int] = SIZE, *, n_passages: int = 4, noise: float = 2.0) -> None:
        self.size = size
        scene = _scene(size, n_passages, noise)
        shots = list(scene)
        self.inside = [_inside(shots, number, size[0]) for number in range(1, n_passages + 1)]
        self.packets, self._container = _encoded([shot.frame for shot in shots], size)
        self.template = self._container.streams.video[0]


def _scene(size: tuple[int, int], n_passages: int, noise: float) -> Scene:
    """Things that walk over a textured ground, one after the other, to and fro."""
    width, height = size
    rng = np.random.default_rng(5)
    plate = _ground(rng, width, height)
    n_frames, each = round(n_passages * PERIOD * FPS), round(PERIOD * FPS)
    layers = []
    for number in range(n_passages):
        image = _thing(rng, width // 9, height // 3, _COLORS[number % len(_COLORS)])
        poses = np.full((n_frames, 3, 3), np.nan)
        steps = np.arange(round(_CROSSING * FPS))
        x = -image.shape[1] + (width + image.shape[1]) * steps / (len(steps) - 1)
        x = x if number % 2 == 0 else x[::-1]
        poses[number * each + steps] = np.eye(3)
        poses[number * each + steps, 0, 2] = x
        poses[number * each + steps, 1, 2] = height * (0.3 + 0.25 * ((number * 2) % 3) / 2) + np.sin(steps)
        layers.append(Layer(image, poses, number + 1))
    return Scene(plate, layers, size=size, camera=np.zeros((n_frames, 2)), fps=FPS, noise=noise, seed=5)


def _ground(rng: np.random.Generator, width: int, height: int) -> Any:
    """Stones under soft light, and a wall."""
    grains = (rng.normal(0, 1, (height // n + 2, width // n + 2)).astype(np.float32) for n in (3, 40))
    fine, coarse = (cv2.resize(grain, (width, height)) for grain in grains)
    light = 110 + 14 * fine + 10 * coarse
    light[: height // 4] = light[: height // 4] * 0.5 + 90
    return np.clip(np.dstack([light * 0.95, light, light * 1.03]), 0, 255).astype(np.uint8)


def _thing(rng: np.random.Generator, width: int, height: int, color: tuple[int, int, int]) -> Any:
    """A round-shouldered, striped thing: premultiplied BGRA, with a margin of 2 px."""
    image = np.zeros((height + 4, width + 4, 4), np.uint8)
    centre, axes = (width // 2 + 2, width // 2 + 2), (width // 2, width // 2)
    cv2.ellipse(image, centre, axes, 0, 0, 360, (*color, 255), -1)
    cv2.rectangle(image, (2, centre[1]), (width + 1, height + 1), (*color, 255), -1)
    grain = rng.normal(0, 8, image.shape[:2]) + 12 * np.sin(np.arange(len(image)) / 3)[:, None]
    image[..., :3] = np.clip(image[..., :3] + grain[..., None], 0, 255) * (image[..., 3:] > 0)
    return image


def _inside(shots: list[Any], number: int, width: int) -> tuple[int, int]:
    """Of a thing: the first and last frame in which the middle of its lower edge is in the zone."""
    low, high = ZONE[0][0] * width, ZONE[1][0] * width
    frames = []
    for shot in shots:
        box = shot.boxes[shot.ids == number]
        if len(box) and low <= (box[0, 0] + box[0, 2]) / 2 < high:
            frames.append(shot.index)
    return frames[0], frames[-1]


def _encoded(frames: list[Any], size: tuple[int, int]) -> tuple[list[bytes], Any]:
    """The packets of frames, and an open container in which they are."""
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as out:
        options = {"preset": "veryfast", "tune": "zerolatency", "crf": "23", "x264-params": "scenecut=0"}
        stream = out.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = GOP, 0
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        out.mux(stream.encode(None))
    file.seek(0)
    container = av.open(file)
    packets = [packet for packet in container.demux(video=0) if packet.size]
    keys = [i for i, packet in enumerate(packets) if packet.is_keyframe]
    if len(packets) != len(frames) or not set(range(0, len(frames), GOP)) <= set(keys):
        raise RuntimeError(f"{len(frames)} frames gave {len(packets)} packets, with key frames {keys}")
    return [bytes(packet) for packet in packets], container


class LiveSource:
    """Serves a film for ever; frame n is due at ``began + n / FPS``, whoever listens.

    Parameters
    ----------
    films : sequence of Film, optional
        All as long and with the same passages; the first is shown until :meth:`resize`. By default made, one of each
        size.
    port : int
        0: a free one.

    Attributes
    ----------
    began : float
        Seconds since 1970 of the first frame.
    faults : list of Fault
        What has been.
    n_clients : int
        Connections that were served, in all.
    """

    def __init__(self, films: tuple[Film, ...] = (), *, port: int = 0) -> None:
        self.films = films or (Film(SIZE), Film(OTHER_SIZE))
        if len({(len(film.packets), tuple(film.inside)) for film in self.films}) != 1:
            raise ValueError("films of one camera have the same passages in the same frames")
        self._film = self.films[0]
        self.began, self._origin = time.time(), time.monotonic()
        self.faults: list[Fault] = []
        self.n_clients = 0
        self._silent_until = self._corrupt_until = 0.0  # of time.monotonic
        self._rng = np.random.default_rng(0)
        self._lock = threading.Lock()
        self._clients: set[socket.socket] = set()
        self._stop = threading.Event()
        self._listener: socket.socket | None = None
        self.port = port
        self._listen()

    # --- life --------------------------------------------------------------------------------

    def __enter__(self) -> LiveSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stop.set()
        self._refuse()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/camera.ts"

    def _listen(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port), backlog=8)
        self.port, self._listener = listener.getsockname()[1], listener
        threading.Thread(target=self._accept, args=(listener,), name="camera", daemon=True).start()

    def _refuse(self) -> None:
        """Close all, and do not listen any more."""
        listener, self._listener = self._listener, None
        with self._lock:
            clients = list(self._clients)
        for one in [listener, *clients]:
            if one is not None:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in it
        if listener is not None:
            listener.close()

    # --- truth -------------------------------------------------------------------------------

    def passages(self, since: float, until: float) -> list[Passage]:
        """Those that touch the time from `since` to `until` (seconds since 1970)."""
        n, film = len(self._film.packets), self._film
        first = max(0, int((since - self.began) * FPS) // n - 1)
        last = int((until - self.began) * FPS) // n + 1
        found = [
            Passage(turn * len(film.inside) + k, *(self.began + (turn * n + frame) / FPS for frame in frames))
            for turn in range(first, last + 1)
            for k, frames in enumerate(film.inside)
        ]
        return [passage for passage in found if passage.leave >= since and passage.enter <= until]

    # --- faults ------------------------------------------------------------------------------

    def drop(self, seconds: float) -> Fault:
        """Close all connections and refuse new ones; returns when that is over."""
        begin = time.time()
        self._refuse()
        self._stop.wait(seconds)
        if not self._stop.is_set():
            self._listen()
        return self._note("drop", begin)

    def silence(self, seconds: float) -> Fault:
        """Connections stay, new ones are taken, and nothing comes; returns when that is over."""
        begin = time.time()
        self._silent_until = time.monotonic() + seconds
        self._stop.wait(seconds)
        return self._note("silence", begin)

    def corrupt(self, seconds: float) -> Fault:
        """Send damaged bytes: some changed, some left out; returns when that is over."""
        begin = time.time()
        self._corrupt_until = time.monotonic() + seconds
        self._stop.wait(seconds)
        return self._note("corrupt", begin)

    def resize(self) -> Fault:
        """Go on with the next film, at the next key frame and within the stream."""
        begin = time.time()
        self._film = self.films[(self.films.index(self._film) + 1) % len(self.films)]
        self._stop.wait(GOP / FPS)
        return self._note("resize", begin)

    def _note(self, kind: str, begin: float) -> Fault:
        self.faults.append(Fault(kind, begin, time.time()))
        return self.faults[-1]

    # --- what clients get ----------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        while self._listener is listener:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if self._listener is not listener:
                client.close()
                return
            with self._lock:
                self._clients.add(client)
            threading.Thread(target=self._serve, args=(client,), name="client", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            client.settimeout(_PATIENCE)
            asked = b""
            while b"\r\n\r\n" not in asked:
                part = client.recv(4096)
                if not part or len(asked) > 65536:
                    return
                asked += part
            client.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\nConnection: close\r\n\r\n")
            self.n_clients += 1
            self._stream(client)
        except (OSError, av.FFmpegError):
            pass  # it has gone
        finally:
            with self._lock:
                self._clients.discard(client)
            client.close()

    def _stream(self, client: socket.socket) -> None:
        wire = _Wire(client, self._damaged)
        film = self._film
        out = av.open(wire, "w", format="mpegts", container_options={"flush_packets": "1"})
        try:
            stream = out.add_stream_from_template(film.template)
            n = self._last_key()
            while not self._stop.is_set():
                if self._wait(n):
                    n = self._last_key()
                    continue
                film = self._film if n % GOP == 0 else film
                packet = av.Packet(film.packets[n % len(film.packets)])
                packet.stream, packet.time_base = stream, Fraction(1, _TICKS)
                packet.pts = packet.dts = n * _TICKS // FPS
                packet.is_keyframe = n % GOP == 0
                out.mux(packet)
                n += 1
        finally:
            wire.is_closed = True
            out.close()

    def _last_key(self) -> int:
        n = int((time.monotonic() - self._origin) * FPS)
        return n - n % GOP

    def _wait(self, n: int) -> bool:
        """Until frame `n` is due; whether there was silence, or it is far too late for it."""
        was_silent = False
        while not self._stop.is_set():
            now = time.monotonic()
            if now < self._silent_until:
                was_silent = True
                self._stop.wait(min(0.1, self._silent_until - now))
            elif was_silent or now - self._origin - n / FPS > _HURRY:
                return True
            elif now - self._origin < n / FPS:
                self._stop.wait(self._origin + n / FPS - now)
            else:
                return False
        return True

    def _damaged(self, data: bytes) -> bytes:
        if time.monotonic() >= self._corrupt_until:
            return data
        with self._lock:
            rng = self._rng
            spoilt = bytearray(data)
            for _ in range(1 + len(data) // 2000):
                at, n = int(rng.integers(0, len(data))), int(rng.integers(1, 60))
                if rng.random() < 0.3:
                    del spoilt[at : at + n]
                else:
                    spoilt[at : at + n] = rng.bytes(min(n, max(len(spoilt) - at, 0)))
        return bytes(spoilt)


class _Wire:
    """What PyAV writes a container into: a socket."""

    def __init__(self, client: socket.socket, damaged: Any) -> None:
        self._client, self._damaged = client, damaged
        self.is_closed = False

    def write(self, data: Any) -> int:
        if not self.is_closed:  # the end of the container is nobody's
            self._client.sendall(self._damaged(bytes(data)))
        return len(data)
