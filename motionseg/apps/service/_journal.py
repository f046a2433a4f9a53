"""A queue of lines in a file: it outlives the process that fills it."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from motionseg.core.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

__all__ = ["Journal"]

_PIECE = 1 << 18


class Journal:
    """Lines that wait in a file: any thread adds, one takes.

    Parameters
    ----------
    path : path
        Made, with its folder. What an earlier process has left in it waits; half a line at its end, which a power cut
        leaves, is cut off and kept in `torn`.

    Raises
    ------
    OutputError
        The file cannot be written, or another process has it.

    Notes
    -----
    An added line is the system's: it survives the end of the process, however hard. After :meth:`sync` it also survives
    a power cut. Memory does not grow with what waits.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.torn = b""
        self._lock = threading.Lock()
        self._taken = 0  # bytes from the file's beginning
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written: {error.strerror}") from error
        try:
            if fcntl is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._size, self.n_waiting = self._survey()
        except OSError as error:
            os.close(self._file)
            told = "another motionseg uses this folder" if isinstance(error, BlockingIOError) else error.strerror
            raise OutputError(f"{self.path}: {told}") from error
        self._synced = 0

    def _survey(self) -> tuple[int, int]:
        """Bytes and lines that are whole."""
        end, n_lines, size = 0, 0, os.fstat(self._file).st_size
        for place in range(0, size, _PIECE):
            piece = os.pread(self._file, _PIECE, place)
            n_lines += piece.count(b"\n")
            end = place + piece.rindex(b"\n") + 1 if b"\n" in piece else end
        if end < size:
            self.torn = os.pread(self._file, size - end, end)
            os.ftruncate(self._file, end)
        return end, n_lines

    def add(self, lines: list[bytes]) -> None:
        """Put lines, each without its newline, behind all others. Raises OSError: nothing was added."""
        data = b"".join(line + b"\n" for line in lines)
        with self._lock:
            rest = memoryview(data)
            try:
                while rest:  # a disk that is nearly full takes a part
                    rest = rest[os.write(self._file, rest) :]
            except OSError:
                os.ftruncate(self._file, self._size)
                raise
            self._size += len(data)
            self.n_waiting += len(lines)

    def peek(self, limit: int) -> list[bytes]:
        """The first lines that wait, at most `limit`, and less where they are long."""
        with self._lock:
            wanted = _PIECE
            while True:
                data = os.pread(self._file, min(wanted, self._size - self._taken), self._taken)
                if b"\n" in data or wanted >= self._size - self._taken:
                    return data.split(b"\n")[:-1][:limit]
                wanted *= 4

    def drop(self, lines: list[bytes]) -> None:
        """The first `lines`, as :meth:`peek` gave them, need not wait any more."""
        with self._lock:
            self._taken += sum(len(line) + 1 for line in lines)
            self.n_waiting -= len(lines)
            if self._taken == self._size:
                with suppress(OSError):
                    os.ftruncate(self._file, 0)
                    self._taken = self._size = self._synced = 0

    def sync(self) -> None:
        """Wait until all lines are on the disk. Raises OSError."""
        with self._lock:
            size = self._size
        if size > self._synced:
            os.fsync(self._file)
            self._synced = size

    def close(self) -> None:
        """Let go of the file; what is added later is refused."""
        if self._file >= 0:
            with suppress(OSError):
                self.sync()
            with self._lock:
                os.close(self._file)
                self._file = -1
