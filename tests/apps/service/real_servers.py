"""Real servers for the service's tests, started by fixtures on free loopback ports: mosquitto and PostgreSQL."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(true, seconds=20.0, what="it"):
    """What `true` returns, once it is true."""
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, f"{what} did not come true in {seconds} s"
        time.sleep(0.02)
    return value


def _answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
        return True
    except OSError:
        return False


class Mosquitto:
    """A broker that can be stopped and started again; it keeps retained messages."""

    def __init__(self, folder, *, extra=""):
        self.folder, self.port = Path(folder), free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = f"listener {self.port} 127.0.0.1\npersistence true\npersistence_location {self.folder}/\n"
        settings += "autosave_interval 1\nmax_queued_messages 100000\nuser root\n"
        (self.folder / "broker.conf").write_text(settings + (extra or "allow_anonymous true\n"))
        self.process = None

    def start(self):
        with (self.folder / "broker.log").open("ab") as log:
            command = [shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", str(self.folder / "broker.conf")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(lambda: _answers(self.port), what="mosquitto")
        return self

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


class Postgres:
    """A private cluster of PostgreSQL, owned by nobody's user where the tests run as root."""

    def __init__(self):
        self.bin = Path(sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1])
        self.folder, self.port = Path(tempfile.mkdtemp(prefix="motionseg-pg-")), free_port()
        self.user = "nobody" if os.getuid() == 0 else None
        if self.user:
            os.chown(self.folder, pwd.getpwnam("nobody").pw_uid, -1)
        try:
            self._call(
                "initdb",
                "-D",
                self.folder / "data",
                "-U",
                "motionseg",
                "-A",
                "trust",
                "-N",
                "--no-locale",
                "-E",
                "UTF8",
            )
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _call(self, program, *arguments):
        subprocess.run([self.bin / program, *map(str, arguments)], check=True, capture_output=True, user=self.user,
                       cwd="/", timeout=60)  # fmt: skip

    def url(self, database="postgres"):
        return f"postgresql://motionseg:secret-word@127.0.0.1:{self.port}/{database}"

    def start(self):
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c shared_buffers=16MB"
        self._call("pg_ctl", "-D", self.folder / "data", "-o", options, "-l", self.folder / "log", "-w", "start")
        return self

    def stop(self, mode="fast"):
        if (self.folder / "data" / "postmaster.pid").exists():
            self._call("pg_ctl", "-D", self.folder / "data", "-m", mode, "-w", "stop")

    def kill(self):
        """As a power cut does: nothing is written any more."""
        self.stop("immediate")

    def close(self):
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres():
    """A running PostgreSQL; tests that stop it start it again."""
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        pytest.skip("no PostgreSQL in /usr/lib/postgresql (Debian: postgresql)")
    pytest.importorskip("psycopg")
    server = Postgres().start()
    yield server
    server.close()


@pytest.fixture
def postgres_url(postgres):
    """The address of an empty database."""
    import psycopg

    name = f"test_{time.monotonic_ns()}"
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def broker(tmp_path):
    """A running mosquitto, fresh for each test."""
    if not (shutil.which("mosquitto") or Path("/usr/sbin/mosquitto").exists()):
        pytest.skip("no mosquitto (Debian: mosquitto)")
    pytest.importorskip("aiomqtt")
    server = Mosquitto(tmp_path / "broker").start()
    yield server
    server.stop()
