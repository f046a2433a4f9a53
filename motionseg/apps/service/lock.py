"""Two services must not share a folder of states."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from motionseg.core.errors import OutputError

__all__ = ["only_one"]


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold `folder`, which is made, for this process; however that ends, the folder is free again.

    Raises
    ------
    OutputError
        Another process holds it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / "lock", "a+b")  # noqa: SIM115 - held open on purpose
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror or error}") from error
    try:
        _lock(file.fileno(), folder)
        yield
    finally:
        file.close()


def _lock(number: int, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: two services there are the user's care
        return
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise OutputError(f"{folder}: another service uses this folder (process holds {folder / 'lock'})") from error
    os.set_inheritable(number, False)
