"""State files: a dict of arrays and a JSON head in one .npz, written whole or not at all."""

from __future__ import annotations

import json
import os
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import OutputError, StateError

__all__ = ["read_state", "replacing", "write_state"]

_HEAD = "__head__"
_FORMAT = 1


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when the block ends well, and leaves no trace when it does not.

    Raises
    ------
    OSError
        As the system says; an older file at `path` is untouched.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_state(path: str | os.PathLike[str], arrays: Mapping[str, npt.NDArray[Any]], head: Mapping[str, Any]) -> None:
    """Write `arrays` and `head` to `path`, atomically: an old file stays until the new one is whole.

    Parameters
    ----------
    path : path
        The .npz file (any suffix is kept as it is given).
    arrays : mapping of str to array
        No object arrays: nothing is pickled.
    head : mapping
        Facts about the state (class, parameters, versions); must be JSON.

    Raises
    ------
    OutputError
        The file cannot be written; an older one at `path` is untouched.
    StateError
        An array has dtype object.
    """
    target = Path(path)
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise StateError(f"state array {name!r} holds Python objects, which are not saved")
    text = json.dumps({"format": _FORMAT, **head}, sort_keys=True)
    try:
        with replacing(target) as file:
            np.savez(file, **{_HEAD: np.frombuffer(text.encode(), np.uint8)}, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())  # a state is for after the power has failed
    except OSError as error:
        raise OutputError(f"{target}: the state was not saved: {error}") from error


def read_state(path: str | os.PathLike[str]) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Read a file of :func:`write_state`: ``(arrays, head)``.

    Raises
    ------
    StateError
        Not there, not a state file, cut short, or of a newer format.
    """
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:  # np.load leaves a bad file open
            arrays = {name: file[name] for name in file.files}
        head = json.loads(arrays.pop(_HEAD).tobytes().decode())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise StateError(f"{path}: not a readable motionseg state file: {error}") from error
    if head.get("format") != _FORMAT:
        raise StateError(f"{path}: state format {head.get('format')!r}, this version reads {_FORMAT}")
    return arrays, head
