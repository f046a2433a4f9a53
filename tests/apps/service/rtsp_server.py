"""A real RTSP server (GStreamer's) in a process of its own, which can be killed, frozen and started again."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

__all__ = ["RtspServer", "free_port"]

_PYTHON = "/usr/bin/python3"  # where Debian's python3-gi is
_CHECK = """
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
missing = [e for e in ("qtdemux", "h264parse", "rtph264pay") if Gst.ElementFactory.find(e) is None]
raise SystemExit("no GStreamer element " + ", ".join(missing) if missing else 0)
"""
_SERVE = """
import sys, gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
path, port, user, password = sys.argv[1:]
Gst.init(None)
server = GstRtspServer.RTSPServer(address="127.0.0.1", service=port)
factory = GstRtspServer.RTSPMediaFactory()
stages = f'filesrc location="{path}" ! qtdemux ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1'
factory.set_launch(f"( {stages} )")
if user:
    auth = GstRtspServer.RTSPAuth()
    role = GstRtspServer.RTSPToken.new()
    role.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), role)
    server.set_auth(auth)
    factory.add_role_from_structure(Gst.Structure.new_from_string(
        "viewer, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"))
server.get_mount_points().add_factory("/camera", factory)
server.attach(None)
print("serving", flush=True)
GLib.MainLoop().run()
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class RtspServer:
    """Serves an H.264 .mp4 at rtsp://127.0.0.1:PORT/camera, in real time, from its start for each client.

    Skips the test where there is no GStreamer.
    """

    def __init__(self, path: Path, *, port: int | None = None, user: str = "", password: str = "") -> None:
        if not shutil.which(_PYTHON):
            pytest.skip(f"no {_PYTHON}")
        check = subprocess.run([_PYTHON, "-c", _CHECK], capture_output=True, text=True, timeout=60)
        if check.returncode:
            reason = check.stderr.strip().splitlines()
            pytest.skip(f"no RTSP server: {reason[-1] if reason else check.returncode}")
        self.port = port or free_port()
        self.url = f"rtsp://127.0.0.1:{self.port}/camera"
        self._arguments = [str(path), str(self.port), user, password]
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self, path: Path | None = None) -> None:
        """Serve (again); `path`: another file."""
        if path is not None:
            self._arguments[0] = str(path)
        command = [_PYTHON, "-c", _SERVE, *self._arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "serving\n"
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)

    def kill(self) -> None:
        """As a power cut."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def freeze(self) -> None:
        """Connections stay open, and nothing comes any more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> RtspServer:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
