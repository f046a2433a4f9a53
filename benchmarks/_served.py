"""`motionseg serve` and the servers around it as processes that the scripts start, disturb and end."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["FaultError", "Mosquitto", "Postgres", "Served", "free_port", "wait_for"]

_START = 180.0  # seconds until a service is ready: kernels may have to be compiled
_STOP = 30.0  # seconds until it has ended when it is asked to
_TICKS = os.sysconf("SC_CLK_TCK")


class FaultError(RuntimeError):
    """The service did not do what it has to."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for(what: str, check: Callable[[], Any], timeout: float, *, every: float = 0.1) -> Any:
    """What `check` gives once that is true. Raises FaultError after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > end:
            raise FaultError(f"no {what} within {timeout:g} s")
        time.sleep(every)


def tied(command: list[str]) -> list[str]:
    """A command that is ended when whoever starts it is: where setpriv (util-linux) is, also if that is killed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", *command] if setpriv else command


def end_process(process: subprocess.Popen[Any] | None, *, patience: float = 5.0) -> None:
    """End a process, if need be by force."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


class Served:
    """`motionseg serve` with a configuration of its own, on a free port of loopback.

    Parameters
    ----------
    folder : Path
        For the configuration, the log and the state.
    config : str
        TOML without the section ``[service]``.
    state_dir : Path, optional
        By default ``folder/state``.
    state_every : float
        Seconds from one state to the next.
    environment : dict, optional
        More variables.
    """

    def __init__(
        self,
        folder: Path,
        config: str,
        *,
        state_dir: Path | None = None,
        state_every: float = 5.0,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.folder, self.state_dir = folder, state_dir or folder / "state"
        self.port = free_port()
        self.config, self.log = folder / "cameras.toml", folder / "service.log"
        head = f'[service]\nport = {self.port}\nstate_dir = "{self.state_dir}"\nstate_every = {state_every}\n'
        self.config.write_text(head + config, encoding="utf-8")
        self._environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None

    # --- life --------------------------------------------------------------------------------

    def start(self, *, ready: bool = True) -> None:
        """Start it; by default, wait until it is ready and has looked at a few frames."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                tied([sys.executable, "-m", "motionseg", "serve", str(self.config)]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        if ready:
            wait_for("answer of /health", self._is_ready, _START)
            self.wait_for_frames(timeout=_START)

    def _is_ready(self) -> bool:
        self.check_alive()
        try:
            return bool(self.get("/health"))
        except FaultError:
            return False

    def check_alive(self) -> None:
        """Raises FaultError if it has ended by itself."""
        if self.process is None or self.process.poll() is not None:
            code = None if self.process is None else self.process.returncode
            raise FaultError(f"the service has ended with {code}: {self.last_words()}")

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return " | ".join(lines[-4:])[-600:]

    def kill(self) -> float:
        """As the kernel does it when memory is short: gives the time at which it was."""
        assert self.process is not None
        at = time.time()
        self.process.kill()
        self.process.wait(10)
        return at

    def stop(self) -> None:
        """Ask it to end. Raises FaultError unless it does so, cleanly and in time."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise FaultError(f"it did not end within {_STOP:g} s of SIGTERM: {self.last_words()}") from None
        if code not in (0, -signal.SIGTERM):
            raise FaultError(f"asked to end it ended with {code}: {self.last_words()}")

    def end(self) -> None:
        """Whatever it does, it is gone afterwards."""
        end_process(self.process)

    # --- what it says ------------------------------------------------------------------------

    def get(self, path: str, *, timeout: float = 5.0) -> Any:
        """JSON, or text, of a path. Raises FaultError."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=timeout) as answer:
                body = answer.read().decode()
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise FaultError(f"GET {path}: {error}") from error
        return json.loads(body) if body[:1] in "{[" else body

    def cameras(self) -> dict[str, dict[str, Any]]:
        """The status of each camera, by its name."""
        return {facts["name"]: facts for facts in self.get("/api/cameras")["cameras"]}

    def camera(self) -> dict[str, Any]:
        """The status of the first camera."""
        return next(iter(self.cameras().values()))

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels. Raises FaultError if there is none."""
        lines = [
            line.split() for line in self.get("/metrics").splitlines() if line.startswith((f"{name} ", f"{name}{{"))
        ]
        if not lines:
            raise FaultError(f"no metric {name}")
        return sum(float(words[-1]) for words in lines)

    def wait_for_frames(self, n: int = 3, *, timeout: float = 60.0) -> float:
        """Until `n` more frames were looked at; gives the time."""
        seen: list[int] = []

        def more() -> bool:
            self.check_alive()
            try:
                seen.append(int(self.camera()["frames_processed"]))
            except FaultError:
                return False
            return seen[-1] - seen[0] >= n

        try:
            wait_for(f"{n} frames more", more, timeout)
        except FaultError as error:
            raise FaultError(f"{error}; the camera says: {self._complaint()}") from None
        return time.time()

    def _complaint(self) -> str:
        with suppress(FaultError):
            return str(self.camera().get("last_error"))
        return "no answer"

    def usage(self) -> tuple[float, float]:
        """Memory that it has (resident, MB), and seconds of CPU that it has used."""
        assert self.process is not None
        folder = Path("/proc") / str(self.process.pid)
        status = (folder / "status").read_text()
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        return resident / 1024, (int(fields[11]) + int(fields[12])) / _TICKS


class Mosquitto:
    """A broker on a free port of loopback that remembers its sessions over restarts."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        if not Path(program).exists():
            raise FileNotFoundError("mosquitto (Debian: mosquitto)")
        self.port, self._program, self._folder = free_port(), program, folder
        folder.mkdir(parents=True, exist_ok=True)
        os.chmod(folder, 0o777)
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "persistence true"]
        lines += [f"persistence_location {folder}/", "max_queued_messages 0", f"log_dest file {folder}/log"]
        lines += ["user root"] if os.getuid() == 0 else []
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            tied([self._program, "-c", str(self._config)]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for("broker", self._answers, 20)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def stop(self) -> None:
        end_process(self._process)


class Postgres:
    """A cluster of PostgreSQL of its own, on a free port of loopback."""

    def __init__(self, folder: Path) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not found:
            raise FileNotFoundError("PostgreSQL in /usr/lib/postgresql (Debian: postgresql)")
        self._bin, self._folder, self.port = found[-1].parent, folder, free_port()
        self._user = "nobody" if os.getuid() == 0 else None
        folder.mkdir(parents=True, exist_ok=True)
        if self._user:
            os.chown(folder, pwd.getpwnam(self._user).pw_uid, -1)
        how = ["-U", "motionseg", "-A", "trust", "-N", "--no-locale", "-E", "UTF8"]
        self._call("initdb", "-D", str(folder / "data"), *how)
        self.url = f"postgresql://motionseg:secret-word@127.0.0.1:{self.port}/postgres"

    def _call(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._bin / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            user=self._user,
            cwd="/",
            timeout=60,
        )
        if done.returncode:
            raise FaultError(f"{program}: {done.stderr.decode(errors='replace')[-300:]}")

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._folder} -c shared_buffers=16MB"
        self._call("pg_ctl", "-D", str(self._folder / "data"), "-o", options, "-l", str(self._folder / "log"),
                   "-w", "start")  # fmt: skip

    def stop(self, mode: str = "fast") -> None:
        """ "fast": clients are sent away; "immediate": as after a power cut."""
        if (self._folder / "data" / "postmaster.pid").exists():
            self._call("pg_ctl", "-D", str(self._folder / "data"), "-m", mode, "-w", "stop")
