"""What all writers share: errors that name the file, whole files or none, and the life of a writer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import av
import cv2
import numpy.typing as npt

from motionseg.core.checks import check_number
from motionseg.core.errors import OutputError, ParameterError, SourceError
from motionseg.core.state import replacing
from motionseg.core.types import Frame

__all__ = [
    "MASK_OPTIONS",
    "FFmpegWriter",
    "RowsWriter",
    "Writer",
    "change_lines",
    "encode_image",
    "naming",
    "write_whole",
]

W = TypeVar("W", bound="Writer")

# Masks are runs of equal pixels: four times as fast as the default, and files of less than half the size.
MASK_OPTIONS = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
if hasattr(cv2, "IMWRITE_PNG_FILTER"):  # since OpenCV 4.12
    MASK_OPTIONS += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn what the system and FFmpeg raise into an OutputError that names `path`."""
    try:
        yield
    except SourceError:  # of what is being written
        raise
    except (OSError, ValueError, av.FFmpegError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"{path}: cannot be written: {reason}") from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, making its folder; an old file stays until the new one is whole. Raises OutputError."""
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(data)


def encode_image(path: Path, image: npt.NDArray[Any], options: list[int]) -> bytes:
    """The bytes of a picture file of the kind that the name `path` says. Raises OutputError."""
    try:
        is_done, data = cv2.imencode(path.suffix, image, options)
    except cv2.error:  # OpenCV 4 raises where OpenCV 5 says False: a JPEG may have 65500 pixels a side
        is_done = False
    if not is_done:
        raise OutputError(f"{path}: a picture of shape {image.shape} cannot be encoded as {path.suffix}")
    return data.tobytes()


def change_lines(path: Path, change: Callable[[str], str]) -> None:
    """Put `change` of each line in its place; an old file stays until the new one is whole.

    Raises
    ------
    OutputError
        The file cannot be read or written, or `change` raised ValueError; the old file is unchanged.
    """
    with naming(path), path.open(encoding="utf-8", newline="") as old, replacing(path) as new:
        for line in old:
            new.write(change(line).encode())


class Writer:
    """Base of the writers: the first write opens, `close` or the end of ``with`` closes.

    A writer that was given nothing leaves no file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._is_closed = False

    def _check_open(self) -> None:
        if self._is_closed:
            raise OutputError(f"{self.path}: the writer is closed")

    def close(self) -> None:
        """Finish the file; closing again does nothing. Raises OutputError."""
        self._is_closed = True

    def __enter__(self: W) -> W:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class RowsWriter(Writer):
    """A text file of which every frame's rows reach the system at once: a killed process leaves whole lines.

    So does a full disk: what was written of a frame that does not fit is taken back.
    """

    _head = ""
    """The first line of a new file."""

    def __init__(self, path: str | os.PathLike[str], *, append: bool = False) -> None:
        super().__init__(path)
        self._append = append
        self._file: Any = None

    def _write(self, rows: Iterable[str]) -> None:
        self._check_open()
        text = "".join(rows)
        with naming(self.path):
            if self._file is None:
                self._open()
            end = self._file.tell()
            self._put((text if end else self._head + text).encode(), end)

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("ab" if self._append else "wb", buffering=0)

    def _put(self, data: bytes, end: int) -> None:
        """Write at `end`, where the file stands, all or nothing."""
        try:
            while data:  # an unbuffered file may take a part only, on a disk that is nearly full
                data = data[self._file.write(data) :]
        except OSError:
            with suppress(OSError):  # a device or a pipe cannot
                self._file.truncate(end)
                self._file.seek(end)
            raise

    def close(self) -> None:
        super().close()
        if self._file is not None:
            with naming(self.path):
                self._file.close()


class FFmpegWriter(Writer):
    """One video stream in one file, each frame at its time."""

    _codec: str
    _format: str
    _pixels: str
    _unit: Fraction
    """Of the timestamps, in seconds."""
    _options: dict[str, str]
    _container_options: ClassVar[dict[str, str]] = {}

    def __init__(self, path: str | os.PathLike[str], *, fps: float = 25.0) -> None:
        super().__init__(path)
        self.fps = check_number("fps", fps, 0.001, 1000)
        self._container: Any = None
        self._shape: Any = None
        self._last = -1

    def _write(self, picture: Frame, time: float, pixels: str) -> None:
        self._check_open()
        stamp = round(Fraction(check_number("time", time, 0)) / self._unit)
        if stamp <= self._last:
            last = float(self._last * self._unit)
            raise ParameterError(
                f"time increases by {float(self._unit):.2g} s or more: {time:.6f} s after {last:.6f} s"
            )
        with self._closing_on_failure():
            if self._container is None:
                self._open(*picture.shape[1::-1])
            frame = av.VideoFrame.from_ndarray(picture, format=pixels)
            frame.pts, frame.time_base = stamp, self._unit
            self._container.mux(self._stream.encode(frame))
        self._last = stamp

    def _open(self, width: int, height: int) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # "file:" keeps names such as "a:b.mp4" from being taken for a protocol.
        self._container = av.open(f"file:{self.path}", "w", format=self._format, options=self._container_options)
        rate = Fraction(self.fps).limit_denominator(1001) or Fraction(1, 1001)
        self._stream = self._container.add_stream(self._codec, rate=rate, options=self._options)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, self._pixels
        self._stream.codec_context.time_base = self._unit

    @contextmanager
    def _closing_on_failure(self) -> Iterator[None]:
        try:
            with naming(self.path):
                yield
        except OutputError:
            container, self._container, self._is_closed = self._container, None, True
            with suppress(OSError, ValueError, av.FFmpegError):  # the first failure is the one to tell
                if container is not None:
                    container.close()
            raise

    def close(self) -> None:
        super().close()
        if self._container is not None:
            with self._closing_on_failure():
                self._container.mux(self._stream.encode(None))
                self._container.close()
            self._container = None
