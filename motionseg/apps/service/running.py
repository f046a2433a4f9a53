"""The process of the service: logging, signals, and the order in which all begins and ends."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from motionseg.apps.service.config import load_config
from motionseg.apps.service.http.app import create_app
from motionseg.apps.service.http.server import HttpServer
from motionseg.apps.service.memory import keep_together
from motionseg.apps.service.service import Service
from motionseg.core.errors import MotionSegError

__all__ = ["run"]

_log = logging.getLogger("motionseg.service")

# Seconds (Python: 5 ms) for which a thread may keep the interpreter from others. Each camera's lets go of it for many
# short calls into compiled code, and would wait that long behind each of them for whoever draws or writes meanwhile.
_SWITCHING = 0.0005


def run(path: Path) -> None:
    """Run the service that `path` describes, until SIGINT or SIGTERM.

    Raises
    ------
    ParameterError
        The configuration is wrong.
    OutputError
        The port or the folder of states is taken, or cannot be used.
    """
    config = load_config(path)
    _log_to_stderr(config.service.log_level)
    keep_together()
    sys.setswitchinterval(_SWITCHING)
    service = Service(config, path=path)
    server = HttpServer(create_app(service), config.service.host, config.service.port)
    with _signals(service, server):
        service.start()
        host = f"[{server.host}]" if ":" in server.host else server.host
        _log.info("http://%s:%d", host, server.port)
        try:
            server.run()
        finally:
            _log.info("stopping")
            service.stop()
    _log.info("stopped")


@contextmanager
def _signals(service: Service, server: HttpServer) -> Iterator[None]:
    """SIGINT and SIGTERM end the server; SIGHUP reads the configuration again, in a thread of its own."""

    def end(*_: Any) -> None:
        server.stop()

    def reload(*_: Any) -> None:
        threading.Thread(target=_reload, args=(service,), name="reload", daemon=True).start()

    handlers = {signal.SIGINT: end, signal.SIGTERM: end}
    if hasattr(signal, "SIGHUP"):
        handlers[signal.SIGHUP] = reload
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _reload(service: Service) -> None:
    try:
        if not service.reload():
            _log.info("reloaded: nothing has changed")
    except MotionSegError as error:
        _log.error("the configuration was not reloaded: %s", error)
    except Exception:
        _log.exception("the configuration was not reloaded")


def _log_to_stderr(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("motionseg").setLevel(level.upper())
