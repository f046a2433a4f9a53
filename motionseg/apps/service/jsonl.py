"""Events as lines of JSON in a file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from motionseg.apps.service.couriers import DeliveryError, Sink
from motionseg.apps.service.store import Telling, to_json

__all__ = ["JsonlSink"]

_TAIL = 1 << 20


class JsonlSink(Sink):
    """Writes each telling as a line of a file, which is rotated by its size.

    Parameters
    ----------
    path : path
        Made, with its folder, also when it was deleted or moved away meanwhile. What is there is kept; half a line at
        its end, which a power cut leaves, is cut off.
    max_mb : float
        Megabytes (1e6 bytes) that the file may have; then it becomes ``PATH.1``, and that ``PATH.2``.
    keep : int
        How many such old files are kept.
    name : str
        Of the sink.

    Notes
    -----
    Delivered lines have reached the disk. A line is not written twice, but where the file was rotated or moved between
    writing and noting it.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, max_mb: float = 100.0, keep: int = 5, name: str = "jsonl"
    ) -> None:
        self.path, self.name = Path(path), name
        self.max_bytes, self.keep = round(max_mb * 1e6), keep
        self._file = -1
        self._lately: set[tuple[str, str]] = set()

    def deliver(self, tellings: Sequence[Telling]) -> None:
        try:
            if self._file < 0 or self._is_gone():
                self._open()
            told = [(telling.event.id, telling.phase) for telling in tellings]
            lines = [
                to_json(t.to_dict()) + "\n" for t, key in zip(tellings, told, strict=True) if key not in self._lately
            ]
            self._write("".join(lines).encode())
            self._lately = set(told)
        except OSError as error:
            self.close()
            raise DeliveryError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def close(self) -> None:
        if self._file >= 0:
            with suppress(OSError):
                os.close(self._file)
            self._file = -1

    def _open(self) -> None:
        self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self.path.exists()
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        if is_new:
            self._sync_folder()
        self._repair()

    def _repair(self) -> None:
        """Cut half a line off, and find out what was written last."""
        size = os.fstat(self._file).st_size
        begin = max(0, size - _TAIL)
        tail = os.pread(self._file, size - begin, begin)
        whole, newline, rest = tail.rpartition(b"\n")
        if rest:
            try:
                json.loads(rest)
                os.write(self._file, b"\n")  # nothing but that is missing
                whole = tail
            except ValueError:
                os.ftruncate(self._file, begin + len(whole) + len(newline))
        for line in whole.split(b"\n")[-self.batch :]:
            with suppress(ValueError, KeyError, TypeError):
                facts = json.loads(line)
                self._lately.add((facts["id"], facts["phase"]))

    def _write(self, data: bytes) -> None:
        size = os.fstat(self._file).st_size
        if size and size + len(data) > self.max_bytes:
            self._rotate()
            size = 0
        rest = memoryview(data)
        try:
            while rest:  # a disk that is nearly full takes a part
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, size)
            raise

    def _rotate(self) -> None:
        self.close()
        names = [self.path, *(self.path.with_name(f"{self.path.name}.{n}") for n in range(1, self.keep + 1))]
        if self.keep:
            for older, newer in zip(names[:0:-1], names[-2::-1], strict=True):
                with suppress(FileNotFoundError):
                    os.replace(newer, older)
        else:
            self.path.unlink()
        self._open()

    def _is_gone(self) -> bool:
        try:
            there, ours = os.stat(self.path), os.fstat(self._file)
        except FileNotFoundError:
            return True
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)

    def _sync_folder(self) -> None:
        with suppress(OSError):  # not every system can
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
