"""Frames with times from video files, image folders, cameras and streams."""

from __future__ import annotations

import glob
import math
import os
import threading
import weakref
from collections.abc import Generator, Iterator
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import cv2

from motionseg.core.checks import check_choice, check_integer, check_number
from motionseg.core.errors import ParameterError, SourceError
from motionseg.core.types import Frame
from motionseg.io import _container
from motionseg.io._container import Tap
from motionseg.io._source import Picture, Source
from motionseg.io.images import IMAGE_SUFFIXES, open_images

__all__ = ["VideoFrame", "VideoReader", "fit_width", "open_source", "open_video"]


class VideoFrame(NamedTuple):
    """One frame of a video; unpacks as ``index, time, frame``."""

    index: int
    """Number of the frame in its source, from 0, whatever `start` is."""
    time: float
    """Seconds from the source's start."""
    frame: Frame
    """uint8 (H, W, 3) BGR, or (H, W) grey; writable, the caller's own."""


def open_video(
    source: str | os.PathLike[str] | int,
    *,
    start: float | None = None,
    end: float | None = None,
    width: int | None = None,
    grey: bool = False,
    prefetch: int = 4,
    fps: float = 25.0,
    timeout: float = 10.0,
    on_packet: Tap | None = None,
) -> VideoReader:
    """Open a video file, image folder, glob pattern, camera or stream, to iterate over its frames.

    Parameters
    ----------
    source : str, path or int
        A video file; a folder of images, or a pattern such as ``"shots/*.png"``, both in natural order
        (img2 before img10); one image; an http, https, rtsp, rtmp, rtp, udp or srt address; or the
        number of a camera (N for Linux's /dev/videoN).
    start, end : float, optional
        Only frames with ``start <= time < end``, in seconds of the source.
    width : int, at least 1, optional
        Resize frames to this width, height in proportion (pixel areas are averaged when shrinking).
    grey : bool
        Frames (H, W) instead of (H, W, 3): luma in full range, cheaper than BGR. Without it grey
        sources, too, give BGR.
    prefetch : int in [0, 1024]
        Frames that a thread decodes ahead while the caller works on one; 0: no thread.
    fps : float, above 0
        Frames per second of images, and of videos that state neither rate nor timestamps.
    timeout : float, above 0
        Seconds after which a camera or stream that sends nothing is given up.
    on_packet : callable, optional
        Is given each packet of the video (`av.Packet`) before it is decoded, on the thread that decodes, such as
        :meth:`PacketRing.add`. Images have no packets.

    Returns
    -------
    VideoReader
        Iterate over it, best within ``with``.

    Raises
    ------
    SourceError
        There is no such source or no picture in it. While iterating, after all frames that could be
        decoded: the source broke off, is damaged or shorter than it declares, an image cannot be
        read, the picture changes its size, or nothing is as late as `start`.
    ParameterError
        An argument is out of range.

    Notes
    -----
    Times are presentation timestamps minus the stream's start, so variable frame rates are kept. They strictly
    increase: a missing or repeated timestamp becomes the last time plus the mean frame distance; where timestamps
    jump back by more than a second, time goes on from the last frame. `start` decodes and drops what is before
    it, so the index stays exact. Pictures are turned upright; 10 and more bits are scaled to 8; pixels that are
    not square stay so. Damaged packets within a file are passed over and reported at the end. A file that
    was cut in a way that its format cannot tell (MPEG-TS, raw streams, between fragments) counts as whole.
    Memory: about ``prefetch + 2`` frames.

    Examples
    --------
    >>> with open_video("street.mp4", width=640) as video:      # doctest: +SKIP
    ...     for index, time, frame in video:
    ...         print(index, time, frame.shape)
    """
    start = None if start is None else check_number("start", start, 0)
    end = None if end is None else check_number("end", end, start or 0, above=True)
    width = None if width is None else check_integer("width", width, 1, 1 << 16)
    check_choice("grey", grey, (True, False))
    prefetch = check_integer("prefetch", prefetch, 0, 1024)
    fps = check_number("fps", fps, 0, above=True)
    timeout = check_number("timeout", timeout, 0, above=True)
    opened = open_source(source, grey=grey, fps=fps, timeout=timeout, on_packet=on_packet)
    return VideoReader(opened, start=start, end=end, width=width, prefetch=prefetch)


def open_source(
    source: Any, *, grey: bool = False, fps: float = 25.0, timeout: float = 10.0, on_packet: Tap | None = None
) -> Source:
    """As :func:`open_video`, one layer down: pictures that are no arrays yet, of whatever sizes they come in."""
    if isinstance(source, int) and not isinstance(source, bool):
        number = check_integer("the number of a camera", source, 0)
        return _container.open_device(number, grey=grey, fps=fps, timeout=timeout, on_packet=on_packet)
    if not isinstance(source, (str, os.PathLike)):
        raise ParameterError(f"source is a path, pattern, address or camera number, not {source!r}")
    text = os.fsdecode(source)
    if _container.is_url(text):
        return _container.open_url(text, grey=grey, fps=fps, timeout=timeout, on_packet=on_packet)
    path = Path(text)
    is_pattern = glob.has_magic(text) and not os.path.lexists(path)
    if is_pattern or path.is_dir() or (path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES):
        return open_images(text, grey=grey, fps=fps)
    return _container.open_file(text, grey=grey, fps=fps, on_packet=on_packet)


class VideoReader:
    """Iterator over :class:`VideoFrame`, and context manager; made by :func:`open_video`.

    Attributes
    ----------
    source : str
        What was opened; a password in an address is replaced by ``***``.
    width, height : int
        Of the frames, in pixels, after turning upright and resizing.
    fps : float or None
        Mean frames per second, as the source declares.
    n_frames : int or None
        Frames in the whole source, as it declares; None if it does not.
    duration : float or None
        Seconds of the whole source, as it declares; None if it does not.
    is_live : bool
        Frames come as they happen (camera, live stream).
    """

    def __init__(
        self, source: Source, *, start: float | None, end: float | None, width: int | None, prefetch: int
    ) -> None:
        self.source, self.is_live = source.name, source.is_live
        self.fps, self.n_frames, self.duration = source.fps, source.n_frames, source.duration
        # The first picture is looked at now: only it knows the size after turning, and most broken sources show here.
        try:
            first = next(source.pictures)
            frame = first.read()
        except BaseException:
            source.pictures.close()
            raise
        self.width = width or frame.shape[1]
        self.height = _height(frame, self.width)
        pictures = chain([first._replace(read=lambda: frame)], source.pictures)
        stop, size = threading.Event(), (self.width, self.height)
        frames = _select(pictures, source, start or 0.0, end or math.inf, frame.shape, size, stop)
        self._frames: Any = _Ahead(frames, prefetch, stop) if prefetch else frames
        self._is_closed = False

    def __iter__(self) -> VideoReader:
        return self

    def __next__(self) -> VideoFrame:
        if self._is_closed:
            raise SourceError("the reader is closed", source=self.source)
        return next(self._frames)

    def close(self) -> None:
        """Close the source and end the thread (which may wait for a stalled stream up to its timeout).

        Closing again does nothing.
        """
        self._is_closed = True
        self._frames.close()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _select(
    pictures: Iterator[Picture],
    source: Source,
    start: float,
    end: float,
    shape: tuple[int, ...],
    size: tuple[int, int],
    stop: threading.Event,
) -> Generator[VideoFrame, None, None]:
    """Frames of `start` to `end`, resized; a generator that does not know the reader, so as not to keep it alive."""
    try:
        time, has_any = 0.0, False
        for index, (name, time, read, _) in enumerate(pictures):
            if time >= end or stop.is_set():
                return
            if time < start:
                continue
            has_any = True
            frame = read()
            if frame.shape != shape:
                now, before = (f"{s[1]}x{s[0]}" for s in (frame.shape, shape))
                raise SourceError(f"the picture changes its size from {before} to {now}", source=name, frame=index)
            yield VideoFrame(index, time, _resize(frame, size))
        if not has_any:
            raise SourceError(f"nothing at or after {start:g} s: the last frame is at {time:g} s", source=source.name)
    finally:
        source.pictures.close()


def fit_width(frame: Frame, width: int) -> Frame:
    """`frame` at another width, height in proportion; areas are averaged when shrinking, so thin things stay."""
    return _resize(frame, (width, _height(frame, width)))


def _height(frame: Frame, width: int) -> int:
    return max(1, round(frame.shape[0] * width / frame.shape[1]))


def _resize(frame: Frame, size: tuple[int, int]) -> Frame:
    height, width = frame.shape[:2]
    if (width, height) == size:
        return frame
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA if size[0] < width else cv2.INTER_LINEAR)


class _Ahead:
    """Iterator over `frames` that a thread works out, up to `depth` ahead.

    The thread knows only `frames`, never this object: whoever drops it in mid-iteration ends the thread.
    """

    def __init__(self, frames: Generator[VideoFrame, None, None], depth: int, stop: threading.Event) -> None:
        self._items: SimpleQueue[VideoFrame | BaseException] = SimpleQueue()
        self._room = threading.Semaphore(depth)
        arguments = (frames, self._items, self._room, stop)
        self._thread = threading.Thread(target=_fill, args=arguments, name="motionseg-video", daemon=True)
        self._thread.start()
        self._halt = weakref.finalize(self, _halt, stop, self._room, self._thread)

    def __next__(self) -> VideoFrame:
        item = self._items.get()
        if isinstance(item, VideoFrame):
            self._room.release()
            return item
        self._items.put(StopIteration())  # whoever asks again
        self.close()
        raise item

    def close(self) -> None:
        self._halt()
        self._thread.join()


def _fill(
    frames: Generator[VideoFrame, None, None],
    items: SimpleQueue[VideoFrame | BaseException],
    room: threading.Semaphore,
    stop: threading.Event,
) -> None:
    last: BaseException = StopIteration()
    try:
        for frame in frames:
            room.acquire()
            if stop.is_set():
                break
            items.put(frame)
    except BaseException as error:
        last = error
    finally:
        frames.close()
        items.put(last)


def _halt(stop: threading.Event, room: threading.Semaphore, thread: threading.Thread) -> None:
    stop.set()
    room.release()
    if thread is not threading.current_thread():  # the collector may run anywhere
        thread.join(1.0)  # not for ever: the collector may run under any lock, and a dead stream takes its timeout
