"""The folder of recordings: what a recorder has put there, by name, and how it is made to fit its limits."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from motionseg.core.errors import OutputError

__all__ = ["KINDS", "RecordingsFolder", "day_of"]

KINDS = {"snapshot": (".jpg",), "evidence": (".evidence.jpg",), "clip": (".mp4", ".mkv")}
"""Endings of the files of an event, by what they are."""

_CAMERA = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_FILE = re.compile(
    r"(?P<id>(?P<camera>[a-z0-9][a-z0-9_-]{0,62})-\d{1,18}-\d{1,18})(?P<ending>(\.evidence)?\.jpg|\.mp4|\.mkv)"
)
_LEFT_OVER = re.compile(r"\.[0-9a-f]{32}\.tmp|\.[a-z0-9_-]{1,110}\.part\.(mp4|mkv)")  # of a process that was killed
_OLD = 3600.0  # seconds after which nobody writes on
_ROOM = 0.95  # of the size that is allowed is left, so that not every new file needs an old one to go


@dataclass
class _Kept:
    """The files of one event."""

    event_id: str
    newest: float = 0.0  # seconds since 1970
    size: int = 0
    files: list[tuple[str, Path]] = field(default_factory=list)  # kind, path


class RecordingsFolder:
    """CAMERA/YYYY-MM-DD/ID.jpg, ID.evidence.jpg and ID.mp4 (or .mkv) under one folder; of nothing else is it aware.

    Parameters
    ----------
    root : path
        May be a symbolic link; nothing below it that is one is followed.

    Attributes
    ----------
    files, size : int
        As they were last counted, and what was added since; bytes.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))
        self.files = self.size = 0

    # --- new files ---------------------------------------------------------------------------

    def place(self, camera: str, day: str, event_id: str) -> Path:
        """The path of an event's files, without an ending; its folder is there.

        Raises
        ------
        OutputError
            The folder cannot be made, or is somebody else's symbolic link; the id is no name of an event.
        """
        match = _FILE.fullmatch(f"{event_id}.jpg")
        if not match or match["camera"] != camera:
            raise OutputError(f"{event_id!r} of camera {camera!r} is no id that files can be called by")
        folder = self.root / camera / day
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for part in (folder.parent, folder):
                if part.is_symlink():
                    raise OutputError(f"{part}: is a symbolic link, and nothing is written through it")
        except OSError as failure:
            if isinstance(failure, OutputError):
                raise
            raise OutputError(f"{folder}: {failure.strerror or failure}") from failure
        return folder / event_id

    def added(self, path: Path) -> str:
        """Count a new file; return its path under the root, with slashes."""
        with suppress(OSError):
            self.size += path.stat().st_size
        self.files += 1
        return path.relative_to(self.root).as_posix()

    # --- what is there --------------------------------------------------------------------------

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        """Everything in the folders of days; no symbolic link on the way, nor at its end."""
        for camera in _folders(self.root, _CAMERA):
            for day in _folders(camera.path, _DAY):
                yield from _scanned(day.path)

    def kept(self) -> list[_Kept]:
        """The events that have files, the oldest first."""
        found: dict[str, _Kept] = {}
        for entry in self._entries():
            match = _FILE.fullmatch(entry.name)
            if not match or match["camera"] != Path(entry.path).parts[-3]:
                continue
            with suppress(OSError):  # gone meanwhile
                if entry.is_file(follow_symlinks=False):
                    stat = entry.stat(follow_symlinks=False)
                    event = found.setdefault(match["id"], _Kept(match["id"]))
                    event.newest = max(event.newest, stat.st_mtime)
                    event.size += stat.st_size
                    event.files.append((_kind(match["ending"]), Path(entry.path)))
        return sorted(found.values(), key=lambda event: event.newest)

    def recent(self, seconds: float) -> Iterator[tuple[str, str, str]]:
        """Id, kind and path under the root of the files of the last `seconds` before the newest one."""
        kept = self.kept()
        for event in kept:
            if event.newest >= kept[-1].newest - seconds:
                for kind, path in event.files:
                    yield event.event_id, kind, path.relative_to(self.root).as_posix()

    # --- limits ------------------------------------------------------------------------------------

    def make_room(self, oldest: float, most: float, *, forget: Callable[[str, str], None]) -> int:
        """Remove the files of events whose newest one is from before `oldest` (seconds since 1970), and then of the
        oldest events until all are together no larger than `most` bytes; return how many files went.

        `forget` is told of id and kind just before a file is gone.
        """
        kept = self.kept()
        self.files, self.size = sum(len(event.files) for event in kept), sum(event.size for event in kept)
        limit = most if self.size <= most else _ROOM * most
        removed = 0
        for event in kept:
            if event.newest >= oldest and self.size <= limit:
                break
            for kind, path in event.files:
                forget(event.event_id, kind)
                with suppress(OSError):
                    size = path.lstat().st_size
                    path.unlink()
                    self.size -= size
                    self.files -= 1
                    removed += 1
            with suppress(OSError):  # not empty, as a rule
                event.files[0][1].parent.rmdir()
        return removed

    def clear_left_overs(self, now: float) -> None:
        """Remove what a process that was killed had begun to write more than an hour before `now`."""
        for entry in list(self._entries()):
            with suppress(OSError):
                is_ours = _LEFT_OVER.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
                if is_ours and entry.stat(follow_symlinks=False).st_mtime < now - _OLD:
                    os.unlink(entry.path)


def day_of(seconds: float) -> str:
    """The day (UTC) of seconds since 1970, as YYYY-MM-DD. Raises OutputError where there is no such day."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError) as failure:
        raise OutputError(f"{seconds} s is no time of an event: {failure}") from failure


def _kind(ending: str) -> str:
    return next(kind for kind, endings in KINDS.items() if ending in endings)


def _scanned(folder: str | Path) -> list[os.DirEntry[str]]:
    """What is in a folder, in order; nothing where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _folders(folder: str | Path, name: re.Pattern[str]) -> list[os.DirEntry[str]]:
    return [entry for entry in _scanned(folder) if name.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)]
